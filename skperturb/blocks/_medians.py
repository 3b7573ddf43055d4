"""Exact medians of columns in blocks: no sum, but few passes over the blocks find them.

A double is a whole number of 64 bits in the same order. The interval of such numbers that holds the
lower of the two middle values of a column is divided into parts, the values in each are counted
over all blocks, and the part with the middle value is the next interval. Once it holds few values,
they are collected and sorted. One count and one collection are enough for measured values; more
than five counts are never needed.
"""

import numpy as np

_BITS = 14  # of the number of parts of an interval
_FEW = 4096  # values of a column that are collected
_SIGN = np.uint64(1 << 63)


def medians(blocks, names, counts, low, high):
    """The median of each column, nan where it has no value.

    Parameters
    ----------
    blocks : LocalBlocks or DaskBlocks
        Whose features are data frames.
    names : list
        Of the columns.
    counts : ndarray of shape (n_columns,), int
        How many values each has; nan is none.
    low, high : ndarray of shape (n_columns,)
        Its smallest and largest value.
    """
    found = np.full(len(names), np.nan)
    filled = np.flatnonzero(counts)
    first, last = _keys(low[filled]), _keys(high[filled])
    inside = counts[filled].astype(np.int64)
    rank = (inside - 1) // 2  # of the lower middle value among those in the interval
    while (open_ := np.flatnonzero((inside > _FEW) & (first < last))).size:
        columns = [names[j] for j in filled[open_]]
        total = sum(
            _with_rows(blocks.results(_counted, columns, first[open_], _width(first, last)[open_]))
        )
        for place, of_part in zip(open_, total, strict=True):
            part = int(np.searchsorted(np.cumsum(of_part), rank[place], side="right"))
            width = int(_width(first, last)[place])
            rank[place] -= of_part[:part].sum()
            inside[place] = of_part[part]
            start = int(first[place]) + part * width
            last[place] = min(start + width - 1, int(last[place]))
            first[place] = start
    columns = [names[j] for j in filled]
    parts = list(_with_rows(blocks.results(_collected, columns, first, last)))
    for place, j in enumerate(filled):
        values = np.sort(np.concatenate([part[place][0] for part in parts]))
        next_one = min(part[place][1] for part in parts)
        if first[place] == last[place]:  # All are equal, and were not collected.
            lower = _values(first[place : place + 1])[0]
            values = np.array([lower])
            upper = lower if rank[place] + 1 < inside[place] else next_one
        else:
            lower = values[rank[place]]
            upper = values[rank[place] + 1] if rank[place] + 1 < len(values) else next_one
        found[j] = lower if counts[j] % 2 else np.mean([lower, upper])
    return found


def _width(first, last):
    """Of the parts of intervals: the last part may be narrower."""
    return (last - first) // np.uint64(1 << _BITS) + np.uint64(1)


def _keys(values):
    """Whole numbers in the order of the values."""
    bits = (np.asarray(values, dtype=float) + 0.0).view(np.uint64)  # -0.0 is 0.0
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _values(keys):
    return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(float)


def _with_rows(results):
    return (result for result in results if result is not None)


def _known(block, name):
    values = block.X[name].to_numpy(dtype=float, na_value=np.nan)
    return values[~np.isnan(values)]


def _counted(block, names, first, width):
    """How many values of each column are in each part of its interval."""
    if not len(block.codes):
        return None
    counts = np.zeros((len(names), 1 << _BITS), dtype=np.int64)
    for row, name in enumerate(names):
        keys = _keys(_known(block, name))
        keys = keys[keys >= first[row]] - first[row]
        part = keys // width[row]
        part = part[part < np.uint64(1 << _BITS)].astype(np.intp)
        counts[row] = np.bincount(part, minlength=1 << _BITS)
    return counts


def _collected(block, names, first, last):
    """For each column its values in the interval, if they differ, and the next larger one."""
    if not len(block.codes):
        return None
    found = []
    for row, name in enumerate(names):
        values = _known(block, name)
        keys = _keys(values)
        beyond = values[keys > last[row]]
        inside = (keys >= first[row]) & (keys <= last[row])
        kept = values[inside] if first[row] < last[row] else np.zeros(0)
        found.append((kept, beyond.min() if len(beyond) else np.inf))
    return found
