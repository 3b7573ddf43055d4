"""From a source of blocks to the objective of a fit."""

from functools import partial

import numpy as np
from scipy import sparse

from .._linear import location_of, moments
from ._block import Rows, every, rows_of_block
from ._objective import BlockObjective, Recipe
from ._survey import look_at, plan_of, together

_MOST_ENTRIES = 1 << 24  # of the rows that this process holds to start from
_FEW_ROWS = 1000  # that tell the rounding of features


def read(source, params, model):
    """Go through the blocks, and make the objective of their rows.

    Parameters
    ----------
    source : Source
        With its client and its transformer.
    params : dict
        Of the classifier.
    model : PerturbArgmax or PerturbSoftmax

    Returns
    -------
    seen : Seen
        What the blocks hold.
    fitted : FittedClasses
    objective : BlockObjective or None
        None if one class only has a weight.
    total : float
        Sum of the weights.

    Raises
    ------
    ValueError
        If the data are unusable.
    """
    raw = source.blocks()
    seen = together(raw.results(look_at, source.prepare))
    plan, fitted = plan_of(seen, params, source.prepare)
    blocks = raw.mapped(rows_of_block, plan)
    counts, weights, parts = zip(
        *blocks.results(_count_and_moments, params["fit_intercept"]), strict=True
    )
    total = float(sum(weights))
    if len(fitted.labels) < 2:
        return seen, fitted, None, total
    center = np.zeros(seen.n_features)
    if params["fit_intercept"]:
        center = location_of(parts, plan.dtype)
    recipe = Recipe(params, model, fitted.labels, center)
    rows_of = partial(_every_row_of, blocks, counts, seen.n_features)
    some = rows_of(max(sum(counts) // _FEW_ROWS, 1))
    some = some._replace(weight=some.weight * (total / some.weight.sum()))
    sample = recipe.objective(some, C=params["C"])
    return seen, fitted, BlockObjective(blocks, recipe, sample, sum(counts), rows_of), total


def _count_and_moments(rows, intercept):
    return len(rows.codes), rows.weight.sum(), moments(rows.X) if intercept else None


def _every_row_of(blocks, counts, n_features, stride):
    """Every k-th row of all blocks, or fewer where those were too many to hold."""
    stride = max(stride, -(-sum(counts) * n_features // _MOST_ENTRIES))
    firsts = np.concatenate([[0], np.cumsum(counts)[:-1]]).tolist()
    parts = [p for p in blocks.results(every, stride, each=firsts) if len(p.codes)]
    stack = partial(sparse.vstack, format="csr") if sparse.issparse(parts[0].X) else np.concatenate
    codes, weight = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("codes", "weight")
    )
    return Rows(stack([part.X for part in parts]), codes, weight)
