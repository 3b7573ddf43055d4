"""The first pass over the blocks: what their rows have in common, and what the fit will do."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from .._data import check_weight_sum, class_factors
from .._linear import FittedClasses
from ._block import check_same_columns, features_of


class Seen(NamedTuple):
    """What one block, or several, hold.

    Attributes
    ----------
    labels : ndarray
        Sorted.
    totals : ndarray
        Sum of the weights of each label.
    smallest : float
        Smallest weight.
    n_features : int
    names : list of str or None
    dtype : dtype
    is_sparse : bool
    """

    labels: np.ndarray
    totals: np.ndarray
    smallest: float
    n_features: int
    names: list | None
    dtype: Any
    is_sparse: bool


def look_at(block, prepare):
    """What a block holds, None without rows; a value that is not finite is refused."""
    weight = np.ones(len(block.codes)) if block.weight is None else block.weight
    n = np.shape(block.X)[0]
    if not len(weight) == len(block.codes) == n:
        raise ValueError(
            f"A block has {n} rows of features, {len(block.codes)} labels and {len(weight)} "
            "weights: these must be as many."
        )
    if not n:
        return None
    X, names = features_of(block.X, prepare)
    values = X.data if sparse.issparse(X) else X
    if not np.isfinite(values).all():
        where = ""
        if not sparse.issparse(X):
            column = np.argwhere(~np.isfinite(X))[0, 1]
            where = f", the first in column {names[column] if names else column}"
        raise ValueError(
            f"A block holds features that are missing or infinite{where}: fill them in with a "
            "fitted transformer, passed as `prepare`."
        )
    if not np.isfinite(weight).all():
        raise ValueError("A block has a sample_weight that is missing or infinite.")
    totals = np.bincount(block.codes, weight, minlength=len(block.labels))
    kind = X.dtype, sparse.issparse(X)
    return Seen(block.labels, totals, float(weight.min()), X.shape[1], names, *kind)


def together(parts):
    """What several blocks hold together; None stands for a block without rows.

    Raises
    ------
    ValueError
        If their features are not the same.
    """
    filled = [part for part in parts if part is not None]
    if not filled:
        raise ValueError("The source has no rows.")
    first = filled[0]
    check_same_columns([(part.names, part.n_features) for part in filled])
    for part in filled:
        if part.is_sparse != first.is_sparse:
            raise ValueError("Some blocks are sparse and others are not: give one kind.")
    kinds = {part.labels.dtype.kind in "OUS" for part in filled}
    if len(kinds) > 1:
        raise ValueError("Some blocks have labels that are text and others numbers: give one kind.")
    labels = np.unique(np.concatenate([part.labels for part in filled]))
    totals = np.zeros(len(labels))
    for part in filled:
        totals[np.searchsorted(labels, part.labels)] += part.totals
    dtype = np.result_type(*(part.dtype for part in filled))
    smallest = min(part.smallest for part in filled)
    return Seen(labels, totals, smallest, first.n_features, first.names, dtype, first.is_sparse)


@dataclass(frozen=True)
class Plan:
    """How rows of blocks become rows of the fit.

    Attributes
    ----------
    prepare : fitted transformer or None
    classes : ndarray of shape (n_classes,)
        All labels.
    present : ndarray of shape (n_classes,), int
        Code of each among those with a weight.
    factors : ndarray of shape (n_classes,)
        The class weights.
    dtype : dtype
        Of the features.
    """

    prepare: Any
    classes: np.ndarray
    present: np.ndarray
    factors: np.ndarray
    dtype: Any

    def labelled(self, labels, codes):
        """Codes among the classes with a weight, and class weights, of rows with these labels."""
        codes = np.searchsorted(self.classes, labels)[codes]
        return self.present[codes], self.factors[codes]


def plan_of(seen, params, prepare):
    """The plan of a fit, and its classes.

    Parameters
    ----------
    seen : Seen
        What all blocks hold.
    params : dict
        Of the classifier.
    prepare : fitted transformer or None

    Returns
    -------
    plan : Plan
    classes : FittedClasses
    """
    check_weight_sum("sample_weight", seen.totals.sum(), seen.smallest, params["C"])
    if len(seen.labels) < 2:
        raise ValueError(
            f"y has one class only, {seen.labels.tolist()[0]!r}; at least two are needed to fit."
        )
    factors, totals = np.ones(len(seen.labels)), seen.totals
    if params["class_weight"] is not None:
        factors = class_factors(params["class_weight"], seen.totals, seen.labels)
        totals = seen.totals * factors
        check_weight_sum("class_weight", totals.sum(), totals.min(), params["C"])
    fitted = FittedClasses.with_totals(seen.labels, totals)
    present = fitted.codes_among(np.arange(len(seen.labels)))
    return Plan(prepare, seen.labels, present, factors, seen.dtype), fitted
