"""One watched column: its bins, and what has changed when the parts in them are others."""

import math

import numpy as np
from pandas.api.types import is_numeric_dtype

from ._drift_bets import log_marginal, ranks_of_edges

FEWEST = 20  # parts of a reference
FLAT = 0.5  # of each bin, of a law of which nothing is known (Jeffreys)


class Column:
    """Bins between parts of the reference.

    Parts are sorted by value and, where values are equal, by a random number of each part.
    Missing values come last. Then no two parts are equal, and whatever the law of the values is,
    the bins of new parts of the same law follow Polya's urn, which begins with the gaps between
    reference parts in each bin.

    Parameters
    ----------
    is_number : bool
    levels : list
        The different values at which bins end, sorted.
    keys : list of float
        The ends: 2 i + 1 plus the random number of the reference part, for level i.
    gaps : list of int
        Gaps between the reference parts in each bin.
    missing : int
        Missing values in the reference.
    """

    def __init__(self, is_number, levels, keys, gaps, missing):
        self.is_number, self.missing = bool(is_number), int(missing)
        self.levels = np.array(levels, dtype=float if is_number else str)
        self.keys, self.gaps = np.array(keys, dtype=float), np.array(gaps, dtype=np.int64)

    @classmethod
    def of(cls, values, random):
        """The column of reference values, with a random number for each."""
        is_number = is_numeric_dtype(values)
        values, missing = plain(values, is_number)
        order = np.lexsort((random, values, missing))
        edges = order[ranks_of_edges(len(values)) - 1]
        levels = np.unique(values[edges][~missing[edges]])
        keys = _codes(levels, values[edges], missing[edges]) + random[edges]
        gaps = np.diff([0, *ranks_of_edges(len(values)), len(values) + 1])
        return cls(is_number, levels, keys, gaps, missing.sum())

    def bins(self, values, random):
        """The bin of each value, and whether it is missing."""
        values, missing = plain(values, self.is_number)
        keys = _codes(self.levels, values, missing) + random
        return np.searchsorted(self.keys, keys), missing

    def change(self, counts, last):
        """After how many of the batches, `last` at most, the law most likely changed."""
        before = np.concatenate([np.zeros((1, len(self.gaps))), np.cumsum(counts, axis=0)])
        after = before[-1] - before
        fits = log_marginal(self.gaps, before) + log_marginal(np.full(len(self.gaps), FLAT), after)
        return int(np.argmax(fits[: last + 1]))

    def ends(self, first, last):
        """Values between which the bins from the first to the last lie; None for no end."""
        return self._end(first - 1), self._end(last)

    def _end(self, edge):
        if not 0 <= edge < len(self.keys):
            return None
        level = int(self.keys[edge]) // 2
        return self.levels[level].item() if level < len(self.levels) else None


def plain(values, is_number):
    """A Series as floats or texts, with a filler where there is none; and where there is none."""
    if is_number:
        numbers = values.to_numpy(dtype=float, na_value=math.nan)
        missing = np.isnan(numbers)
        return np.where(missing, 0.0, numbers), missing
    missing = values.isna().to_numpy()
    texts = np.array(["" if gap else str(v) for v, gap in zip(values, missing, strict=True)], str)
    return texts, missing


def _codes(levels, values, missing):
    """2 i + 1 of values equal to level i, 2 i of those below it; the largest of missing ones."""
    left = np.searchsorted(levels, values, "left")
    equal = np.searchsorted(levels, values, "right") - left
    return np.where(missing, 2 * len(levels) + 1, 2 * left + equal)
