"""A block of rows, and what is computed where it lies; every function here pickles."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from .._data import plain_labels


class Block(NamedTuple):
    """Rows of a source.

    Attributes
    ----------
    X : DataFrame, ndarray or sparse matrix of shape (n, n_features)
    labels : ndarray of shape (n_labels,)
        The different labels of the block, sorted.
    codes : ndarray of shape (n,), int
        Index of each row's label among them.
    weight : ndarray of shape (n,) or None
    lots : ndarray of shape (n,) or None
        The lot of each row.
    """

    X: Any
    labels: np.ndarray
    codes: np.ndarray
    weight: np.ndarray | None = None
    lots: np.ndarray | None = None


class Rows(NamedTuple):
    """The rows of a block that have a weight, as the objective takes them.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    codes : ndarray of shape (n,), int
        Of the classes of the fit.
    weight : ndarray of shape (n,)
    lots : ndarray of shape (n,) or None
    """

    X: Any
    codes: np.ndarray
    weight: np.ndarray
    lots: np.ndarray | None = None


def block_of(X, y, weight=None, lots=None):
    """A block of features and labels."""
    if isinstance(getattr(y, "dtype", None), pd.CategoricalDtype):
        # Few labels are compared instead of those of all rows.
        y = pd.Categorical(y)
        seen, codes = np.unique(y.codes, return_inverse=True)
        if len(seen) and seen[0] < 0:
            raise ValueError("A block has rows without a label: leave those rows out first.")
        few = block_of(X, y.categories[seen].to_numpy(), weight, lots)
        return few._replace(codes=few.codes[codes])
    labels, codes = np.unique(np.asarray(plain_labels(y)), return_inverse=True)
    weight = None if weight is None else np.asarray(weight, dtype=float)
    return Block(X, labels, codes, weight, None if lots is None else np.asarray(lots))


def block_of_frame(frame, columns):
    """A block of a data frame.

    Parameters
    ----------
    frame : DataFrame
    columns : Columns of ``_sources``
    """
    taken = {columns.target, columns.sample_weight, columns.groups}
    others = [name for name in frame.columns if name not in taken]
    features = others if columns.features is None else list(columns.features)
    wanted = [name for name in (*taken, *features) if name is not None]
    missing = sorted(name for name in wanted if name not in frame.columns)
    if missing:
        raise ValueError(f"A block lacks the columns {missing}; it has {list(frame.columns)}.")
    weight, lots = (
        None if name is None else frame[name].to_numpy()
        for name in (columns.sample_weight, columns.groups)
    )
    y = frame[columns.target]
    if y.isna().any():
        raise ValueError(
            f"The column {columns.target!r} is empty in {int(y.isna().sum())} rows of a block: "
            "leave those rows out first."
        )
    return block_of(frame[features], y, weight, lots)


def features_of(X, prepare):
    """Features as an array or CSR matrix of float32 or float64, and their names, if any."""
    if prepare is not None:
        X = prepare.transform(X)
    names = None
    if isinstance(X, pd.DataFrame):
        names = list(X.columns) if all(isinstance(name, str) for name in X.columns) else None
        text = [name for name, dtype in X.dtypes.items() if dtype.kind not in "biuf"]
        if text:
            raise ValueError(
                f"The columns {text} hold no numbers: pass a fitted transformer that makes numbers "
                "of them as `prepare`, such as skperturb.blocks.one_hot_encoder(source)."
            )
        extended = any(isinstance(dtype, pd.api.extensions.ExtensionDtype) for dtype in X.dtypes)
        X = X.to_numpy(dtype=float, na_value=np.nan) if extended else X.to_numpy()
    if sparse.issparse(X):
        X = sparse.csr_array(X)
    else:
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(f"The features of a block must have two dimensions, got {X.ndim}.")
    return X.astype(X.dtype if X.dtype in (np.float32, np.float64) else np.float64), names


def rows_of_block(block, plan):
    """The rows with a weight, for a plan of ``_survey``."""
    if not len(block.codes):  # no transformer takes no rows
        return Rows(np.zeros((0, 0)), np.zeros(0, dtype=int), np.zeros(0))
    X, _ = features_of(block.X, plan.prepare)
    codes, factors = plan.labelled(block.labels, block.codes)
    weight = factors if block.weight is None else block.weight * factors
    counted = weight > 0
    if not counted.all():
        X, codes, weight = X[np.flatnonzero(counted)], codes[counted], weight[counted]
    lots = None if block.lots is None else block.lots[counted]
    return Rows(X.astype(plan.dtype, copy=False), codes, weight, lots)


def check_same_columns(found):
    """Refuse blocks with other features than the first: pairs (names or None, how many)."""
    first, *others = found
    for other in others:
        if other != first:
            raise ValueError(
                "All blocks must have the same columns in the same order; one has "
                f"{other[0] or other[1]}, another {first[0] or first[1]}."
            )


def every(rows, first, stride):
    """Rows of the numbers that a stride divides, where this block begins with number `first`."""
    # Not a slice: a view would keep all of the block.
    chosen = np.arange(-first % stride, len(rows.codes), stride)
    return Rows(rows.X[chosen], rows.codes[chosen], rows.weight[chosen])
