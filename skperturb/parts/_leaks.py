"""Columns that know the class by themselves."""

import numpy as np
import pandas as pd

# Parts looked at; of each class at least this many, where there are.
_SAMPLE, _OF_A_CLASS = 6000, 100
# A column that makes fewer than this share of the errors of guessing the most frequent class ...
_ERRORS = 0.05
# ... has few parts of each class at the border of another one. Neighbours on each side:
_NEIGHBOURS = 2


def leaks(columns, target, seed=0):
    """Return the columns that predict the class almost perfectly alone, with their accuracy.

    A part is given the class of the parts next to it when all parts are sorted by the column,
    parts of the same value being in random order. That finds copies of the class under other
    names, limits, and numbers that rise while the file is sorted by class.

    Parameters
    ----------
    columns : list of Column
    target : Series of str
        The class of each part.

    Returns
    -------
    dict of str to float
    """
    codes, names = pd.factorize(target)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(codes))
    sample = _balanced(codes, order, len(names))
    found = {}
    for column in columns:
        for rows in (sample, order):
            accuracy = _accuracy(column.data.to_numpy(), codes, rows)
            # On the sample the classes are balanced; all parts are asked where it is suspicious.
            errors, guessing = 1 - accuracy, 1 - np.bincount(codes[rows]).max() / len(rows)
            if guessing == 0 or errors > _ERRORS * guessing:
                break
        else:
            found[column.name] = accuracy
    return found


def _balanced(codes, order, n_classes):
    """Some parts of each class, in the random order given."""
    most = max(_SAMPLE // n_classes, _OF_A_CLASS)
    if len(codes) <= most:
        return order
    shuffled = codes[order]
    by_class = np.argsort(shuffled, kind="stable")
    place = np.arange(len(codes)) - np.searchsorted(shuffled[by_class], shuffled[by_class])
    return order[np.sort(by_class[place < most])]


def _accuracy(values, codes, rows):
    """Share of parts whose class is that of most of their neighbours."""
    values, classes = values[rows], codes[rows]
    if values.dtype == object:
        values = pd.factorize(values)[0]  # by first appearance in random order: no order at all
    by_value = np.argsort(values, kind="stable")  # NaN last
    sorted_classes = classes[by_value]
    n = len(sorted_classes)
    reach = min(_NEIGHBOURS, n - 1)
    votes = []
    for shift in range(1, reach + 1):
        votes += [np.roll(sorted_classes, shift), np.roll(sorted_classes, -shift)]
        votes[-2][:shift] = -1
        votes[-1][n - shift :] = -1
    agree = sum((vote == sorted_classes).astype(int) for vote in votes)
    against = sum((vote >= 0).astype(int) for vote in votes) - agree
    return float(np.mean(agree > against))
