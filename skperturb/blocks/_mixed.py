"""A ColumnTransformer for columns of numbers and of categories, fitted to blocks.

What its steps learn are sums over rows (counts, means, squares, categories with their numbers) and
medians. So it is fitted, by its own code, to a few rows with the same categories, and the numbers
of all rows then take the place of those of the few. It is the very object that a fit to all rows
would give, but for the rounding of means and variances.
"""

from collections import Counter
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .._linear import merged_moments, moments
from ._block import check_same_columns
from ._medians import medians
from ._sources import Source

_MOST_CATEGORIES = 100_000  # of a column: more are no categories
_STRATEGIES = ("mean", "median", "constant")


class Facts(NamedTuple):
    """What a block, or several, hold in their columns.

    Attributes
    ----------
    names : list of str
    n : int
        Number of rows.
    numbers : dict of str to list of (n, mean, squares)
        Moments of the values of each column of numbers, block by block.
    ends : dict of str to (low, high)
    cells : dict of str to Counter
        How often each cell of the other columns occurs; None is a missing one.
    """

    names: list
    n: int
    numbers: dict
    ends: dict
    cells: dict


def fit_preprocessor(
    preprocessor: ColumnTransformer, source: Source, *, client: Any = None
) -> ColumnTransformer:
    """Fit a preprocessor for columns of numbers and of categories to blocks.

    Parameters
    ----------
    preprocessor : ColumnTransformer
        Not fitted, such as :func:`skperturb.parts.preprocessor` returns. Its transformers are
        SimpleImputer (mean, median or constant), StandardScaler, OneHotEncoder, or pipelines of
        them. It is cloned.
    source : Source
        Blocks whose features are data frames. Weights are not used, as in a fit in memory.
    client : distributed.Client, default=None
        As for :func:`fit`.

    Returns
    -------
    ColumnTransformer
        Fitted, as by its own `fit` to all rows in memory: medians and categories are the same,
        means and variances are but for rounding. To be passed to :func:`fit` as `prepare`.

    Raises
    ------
    ValueError
        If the source has no rows, blocks have different columns or other kinds of cells in them,
        or a transformer learns what is no sum over rows and no median.

    Notes
    -----
    A median is found exactly by counting values in intervals that become narrower: usually in two
    more passes over the blocks.

    Examples
    --------
    >>> import pandas as pd
    >>> from skperturb.blocks import arrays, fit_preprocessor
    >>> from skperturb.parts import preprocessor
    >>> one = pd.DataFrame({"width": [1.0, None, 3.0], "machine": ["A", "B", None]})
    >>> two = pd.DataFrame({"width": [9.0], "machine": ["C"]})
    >>> source = arrays([(one, ["ok", "ok", "dent"]), (two, ["ok"])])
    >>> prepare = fit_preprocessor(preprocessor(), source)
    >>> prepare.named_transformers_["pipeline-1"][0].statistics_
    array([3.])
    """
    if not isinstance(preprocessor, ColumnTransformer):
        raise ValueError(
            f"Blocks fit a ColumnTransformer, such as skperturb.parts.preprocessor(), not "
            f"{preprocessor!r}."
        )
    few = _least_frequency(preprocessor)
    blocks = source.using(client=client).blocks()
    found = [part for part in blocks.results(_facts) if part is not None]
    if not found:
        raise ValueError("The source has no rows.")
    facts = reduce(_joined, found)
    fitted = clone(preprocessor).fit(_few_rows(facts, few))
    _learn_numbers(fitted, facts, blocks)
    is_sparse, density = _density(fitted, facts)
    fitted.sparse_output_ = is_sparse and density < fitted.sparse_threshold
    return fitted


def _steps(transformer):
    """The transformers that columns go through, one after the other."""
    steps = [step for _, step in getattr(transformer, "steps", [(None, transformer)])]
    return [step for step in steps if not isinstance(step, str)]


def _least_frequency(preprocessor):
    """The number of rows by which the encoders tell frequent categories; checks all steps."""
    parts = [transformer for _, transformer, _ in preprocessor.transformers]
    few = 1
    for step in [step for part in [*parts, preprocessor.remainder] for step in _steps(part)]:
        kind = type(step).__name__
        if isinstance(step, SimpleImputer):
            wrong = step.strategy not in _STRATEGIES or step.add_indicator
            wrong |= not pd.isna(step.missing_values)
            wish = "the strategy mean, median or constant, and no indicator"
        elif isinstance(step, OneHotEncoder):
            least = step.min_frequency or 1
            wrong = step.max_categories is not None or not isinstance(least, (int, np.integer))
            wrong |= not isinstance(step.categories, str)
            wish = "min_frequency as a number of rows, and without max_categories and categories"
            few = few if wrong else max(few, least)
        else:
            wrong = not isinstance(step, StandardScaler)
            wish = "SimpleImputer, StandardScaler and OneHotEncoder, which learn sums and medians"
            kind = "A ColumnTransformer" if wrong else kind
        if wrong:
            raise ValueError(f"{kind} is fitted to blocks with {wish}, not as {step!r}.")
    return few


def _facts(block):
    if not len(block.codes):
        return None
    X = block.X
    if not isinstance(X, pd.DataFrame) or not all(isinstance(name, str) for name in X.columns):
        raise ValueError("A preprocessor needs blocks whose features are data frames with names.")
    numbers, ends, cells = {}, {}, {}
    for name, column in X.items():
        if is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype):
            values = column.to_numpy(dtype=float, na_value=np.nan)
            values = values[~np.isnan(values)]
            if not np.isfinite(values).all():
                raise ValueError(f"Column {name!r} of a block holds infinite values.")
            n, mean, squares = moments(values[:, None])
            numbers[name] = [(n, mean[0], squares[0])]
            ends[name] = (values.min(), values.max()) if n else (np.inf, -np.inf)
        else:
            counts = column.value_counts(sort=False)  # of few cells, if they are categorical
            cells[name] = Counter({cell: int(k) for cell, k in counts.items() if k})
            missing = len(column) - int(counts.sum())
            if missing:
                cells[name][None] = missing
    return Facts(list(X.columns), len(X), numbers, ends, cells)


def _joined(one, two):
    check_same_columns([(facts.names, len(facts.names)) for facts in (one, two)])
    changed = sorted(one.numbers.keys() ^ two.numbers.keys())
    if changed:
        raise ValueError(
            f"The columns {changed} hold numbers in some blocks and other cells in others: give "
            "one kind."
        )
    cells = {name: one.cells[name] + two.cells[name] for name in one.cells}
    for name, counts in cells.items():
        if len(counts) > _MOST_CATEGORIES:
            raise ValueError(
                f"Column {name!r} has more than {_MOST_CATEGORIES:,} different cells: it holds no "
                "categories; leave it out."
            )
    numbers = {name: one.numbers[name] + two.numbers[name] for name in one.numbers}
    ends = {
        name: (min(one.ends[name][0], low), max(one.ends[name][1], high))
        for name, (low, high) in two.ends.items()
    }
    return Facts(one.names, one.n + two.n, numbers, ends, cells)


def _few_rows(facts, few):
    """Rows in which each category is as often as in all, but not more often than `few`."""
    cells = {
        name: [cell for cell, count in counts.items() for _ in range(min(count, few))]
        for name, counts in facts.cells.items()
    }
    n = max(map(len, cells.values()), default=2)
    columns = {}
    for name in facts.names:
        if name in cells:
            # A column with fewer rows has a category that was cut: it may be there more often.
            often = facts.cells[name].most_common(1)[0][0]
            held = [*cells[name], *[often] * (n - len(cells[name]))]
            columns[name] = pd.Series([np.nan if c is None else c for c in held], dtype=object)
        else:
            low = facts.ends[name][0]
            columns[name] = pd.Series(np.full(n, low if np.isfinite(low) else np.nan))
    return pd.DataFrame(columns)


def _learn_numbers(fitted, facts, blocks):
    """Give imputers and scalers what they would have learned from all rows."""
    parts = [(_steps(t), _names_of(facts, columns)) for _, t, columns in _kept(fitted)]
    parts = [(steps, names) for steps, names in parts if names]  # others are not fitted
    asked = {
        name
        for steps, names in parts
        for name in names
        if any(getattr(step, "strategy", None) == "median" for step in steps)
    }
    asked = [name for name in facts.names if name in asked]
    held = {name: merged_moments(facts.numbers[name]) for name in facts.numbers}
    counts = np.array([held[name][0] for name in asked], dtype=np.int64)
    low, high = np.array([facts.ends[name] for name in asked]).reshape(-1, 2).T
    middle = dict(zip(asked, medians(blocks, asked, counts, low, high), strict=True))
    for steps, names in parts:
        for step in steps:
            if isinstance(step, SimpleImputer) and set(names) <= facts.numbers.keys():
                names = _fill(step, names, held, middle, facts.n)
            elif isinstance(step, StandardScaler):
                _scale(step, names, held, facts.n)
            elif isinstance(step, OneHotEncoder) and set(names) & facts.numbers.keys():
                raise ValueError(
                    f"OneHotEncoder is fitted to blocks of text: {names} hold numbers."
                )


def _names_of(facts, columns):
    """Names of columns that are chosen by names, places, a slice or a mask."""
    columns = columns if isinstance(columns, slice) else np.atleast_1d(columns)
    if isinstance(columns, np.ndarray) and (columns.dtype.kind in "OU" or not columns.size):
        return columns.tolist()
    return np.array(facts.names, dtype=object)[columns].tolist()


def _fill(imputer, names, held, middle, n):
    """What takes the place of missing numbers; the columns that are left."""
    for place, name in enumerate(names):
        known, mean, squares = held[name]
        if known and imputer.strategy != "constant":
            imputer.statistics_[place] = mean if imputer.strategy == "mean" else middle[name]
        value = float(imputer.statistics_[place])
        held[name] = merged_moments([(known, mean, squares), (n - known, value, 0.0)])
    return [
        name for name, value in zip(names, imputer.statistics_, strict=True) if not pd.isna(value)
    ]


def _scale(scaler, names, held, n):
    incomplete = [name for name in names if held[name][0] < n]
    if incomplete:
        raise ValueError(
            f"The columns {incomplete} have missing values: put a SimpleImputer before the scaler."
        )
    mean = np.array([held[name][1] for name in names])
    var = np.array([held[name][2] for name in names]) / n
    scaler.n_samples_seen_ = np.int64(n)
    if scaler.mean_ is not None:
        scaler.mean_ = mean
    if scaler.with_std:
        # What scikit-learn takes for a constant: within the rounding of a sum of two passes.
        eps = np.finfo(float).eps
        constant = var <= n * eps * var + (n * mean * eps) ** 2
        scaler.var_, scaler.scale_ = var, np.where(constant, 1.0, np.sqrt(var))


def _kept(fitted):
    """The fitted parts, without those that drop their columns (of which older versions warn)."""
    return [
        part for part in fitted.transformers_ if not isinstance(part[1], str) or part[1] != "drop"
    ]


def _density(fitted, facts):
    """(whether any part is sparse, the share of entries that are stored), for all rows."""
    stored, entries, is_sparse = 0, 0, False
    for name, transformer, columns in _kept(fitted):
        where = fitted.output_indices_[name]
        size = facts.n * (where.stop - where.start)
        entries += size
        last = (_steps(transformer) or [None])[-1]
        names = _names_of(facts, columns)
        if names and isinstance(last, OneHotEncoder) and last.sparse_output:
            is_sparse = True
            size = _stored(last, [facts.cells[name] for name in names], transformer)
        stored += size
    return is_sparse, stored / max(entries, 1)


def _stored(encoder, cells, transformer):
    """How many ones an encoder makes of all rows: one of a cell, unless its category is dropped."""
    fill = {None: np.nan}
    for step in _steps(transformer):
        if isinstance(step, SimpleImputer):
            fill = {None: step.statistics_[0]}
    total = 0
    for place, counts in enumerate(cells):
        total += sum(counts.values())
        dropped = None if encoder.drop_idx_ is None else encoder.drop_idx_[place]
        if dropped is not None:
            category = encoder.categories_[place][dropped]
            rare = getattr(encoder, "infrequent_categories_", [None] * len(cells))[place]
            group = {category} if rare is None or category not in rare else set(rare)
            total -= sum(k for cell, k in counts.items() if fill.get(cell, cell) in group)
    return total
