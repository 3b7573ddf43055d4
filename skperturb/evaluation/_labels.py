"""Labels of classes and decisions: matched by name, wherever there are names.

Labels are compared as they are and, if that fails for one of them, all as strings, because a CSV
file gives strings.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Shares: TypeAlias = Mapping[Any, float] | pd.Series


def listed(labels):
    """Labels for a message."""
    return ", ".join(map(str, labels))


def find(wanted, labels):
    """Position of each wanted label among `labels`, or -1."""
    for key in (lambda label: label, str):
        place = {key(label): position for position, label in enumerate(labels)}
        found = np.array([place.get(key(label), -1) for label in wanted], dtype=int)
        if (found >= 0).all():
            break
    return found


def codes_of(values, labels, name, place="the cost matrix"):
    """Position among `labels`, which are those of `place`, of each of many values."""
    # A list may mix numbers and strings, of which an array would make strings.
    values = np.asarray(values, dtype=None if hasattr(values, "dtype") else object)
    codes, values = pd.factorize(values, use_na_sentinel=False)
    found = find(values, labels)
    if (found < 0).any():
        raise ValueError(
            f"{name} has labels that are not in {place}: {listed(values[found < 0])}. The labels "
            f"there are {listed(labels)}."
        )
    return found[codes]


def without_doubles(labels, name):
    """Labels as a list; an error if two of them are the same string."""
    labels = list(labels)
    strings = [str(label) for label in labels]
    twice = dict.fromkeys(label for label in strings if strings.count(label) > 1)
    if twice:
        raise ValueError(f"{name} has more than once: {listed(twice)}.")
    return labels


def match(labels, classes, name, kind="labels"):
    """Position of each class among `labels`, which are the classes in any order."""
    labels = without_doubles(labels, name)
    found = find(without_doubles(classes, "classes"), labels)
    missing = [label for label, position in zip(classes, found, strict=True) if position < 0]
    unknown = [label for position, label in enumerate(labels) if position not in found]
    if missing:
        raise ValueError(f"{name} lacks the classes {listed(missing)}; it has {listed(labels)}.")
    if unknown:
        raise ValueError(
            f"{name} has {kind} that are not classes: {listed(unknown)}; the classes are "
            f"{listed(classes)}."
        )
    return found


def numbers_of(table, name):
    """Array of a DataFrame's or Series' entries, which are finite numbers."""
    try:
        numbers = table.astype(object).map(float).to_numpy(dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} has an entry that is not a number: {error}.") from None
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        place = [axis[position] for axis, position in zip(table.axes, bad[0], strict=True)]
        raise ValueError(f"{name} has no finite number for {listed(place)}.")
    return numbers


def labelled_shares(shares, name):
    """Shares of classes as a Series."""
    if not isinstance(shares, (Mapping, pd.Series)):
        raise ValueError(f"{name} must be a dict or a Series of shares by class.")
    return pd.Series(shares, dtype=object)


def shares_of(shares, classes, name):
    """Shares in the order of the classes, normalised: a Series."""
    shares = labelled_shares(shares, name)
    order = match(shares.index, classes, name)
    shares = numbers_of(shares, name)[order]
    if shares.min() < 0 or not shares.any():
        raise ValueError(f"{name} must not be negative, nor zero for every class.")
    return pd.Series(shares / shares.sum(), index=classes)
