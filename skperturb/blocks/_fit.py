"""A fit from blocks of rows: an ordinary fitted classifier, the same as from all rows at once."""

from functools import partial
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from .._callbacks import with_callbacks
from .._classifier import PerturbClassifier
from .._linear import location_of, moments
from ._block import Rows, every, n_rows, rows_of_block
from ._objective import BlockObjective, Recipe
from ._sources import Source
from ._survey import look_at, plan_of, together

_MOST_ENTRIES = 1 << 24  # of the rows that this process holds to start from
Classifier = TypeVar("Classifier", bound=PerturbClassifier)


def fit(clf: Classifier, source: Source, *, client: Any = None, prepare: Any = None) -> Classifier:
    """Fit a classifier to rows that come in blocks.

    The sum over the rows is taken block by block, where the blocks are; all else is as in
    ``clf.fit``, with the same coefficients but for rounding. The memory that this process needs
    does not depend on the number of rows. The result is the same to the last bit, whichever workers
    take part.

    Parameters
    ----------
    clf : PerturbArgmaxClassifier or PerturbSoftmaxClassifier
        It is fitted in place, as by its own `fit`.
    source : Source
        The blocks: see :func:`parquet`, :func:`dask_frame` and :func:`arrays`.
    client : distributed.Client, default=None
        The cluster that reads and holds the blocks. If None, this process goes through them one
        after the other, for each evaluation anew.
    prepare : fitted transformer, default=None
        Applied to the features of each block, such as :func:`standard_scaler`; predict with
        ``make_pipeline(prepare, clf)``.

    Returns
    -------
    PerturbArgmaxClassifier or PerturbSoftmaxClassifier
        `clf`, fitted.

    Raises
    ------
    ValueError
        If the data or a parameter is unusable.
    RuntimeError
        If workers are lost with blocks that nobody can compute again.

    Examples
    --------
    >>> import numpy as np
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.blocks import arrays, fit
    >>> blocks = [(np.array([[0.0], [1.0]]), ["ok", "dent"]), (np.array([[2.0]]), ["dent"])]
    >>> clf = fit(PerturbArgmaxClassifier(), arrays(blocks))
    >>> clf.predict([[3.0]])
    array(['dent'], dtype='<U4')
    """
    if not isinstance(clf, PerturbClassifier):
        raise ValueError(
            f"Blocks fit PerturbArgmaxClassifier and PerturbSoftmaxClassifier, not {clf!r}: pass "
            "the fitted steps of a pipeline before the classifier as prepare."
        )
    return _fit(clf, source, client, prepare)


@with_callbacks
def _fit(clf, source, client, prepare):
    clf._validate_params()
    params = clf._params_of_fit()
    for name in ("label_noise", "bias_reduction"):
        if params[name]:
            raise ValueError(
                f"{name} is not for blocks: fit with {name}={None if name[0] == 'l' else False}, "
                "or to rows that fit into memory."
            )
    raw = source.blocks(client)
    seen = together(raw.results(look_at, prepare))
    plan, fitted = plan_of(seen, params, prepare)
    blocks, model = raw.mapped(rows_of_block, plan), clf._model()
    clf.n_features_in_ = seen.n_features
    if seen.names:
        clf.feature_names_in_ = np.asarray(seen.names, dtype=object)
    elif hasattr(clf, "feature_names_in_"):
        del clf.feature_names_in_
    found = list(blocks.results(_count_and_moments, params["fit_intercept"]))
    counts = [count for count, _, _ in found]
    total = float(sum(weight for _, weight, _ in found))
    center = np.zeros(seen.n_features)
    if params["fit_intercept"]:
        center = location_of((part for *_, part in found), plan.dtype)
    objective = None
    if len(fitted.labels) > 1:
        recipe = Recipe(params, model, fitted.labels, center)
        rows_of = partial(_every_row_of, blocks, counts, seen.n_features)
        some = rows_of(max(sum(counts) // 1000, 1))
        some = some._replace(weight=some.weight * (total / some.weight.sum()))
        sample = recipe.objective(some, C=params["C"])
        objective = BlockObjective(blocks, recipe, sample, sum(counts), rows_of)
    clf._minimise(
        params,
        (model, seen.labels, fitted),
        objective,
        seen.n_features,
        plan.dtype,
        data={"X": None, "y": None, "metadata": None},
    )
    clf.weight_sum_ = total
    return clf


def _count_and_moments(rows, intercept):
    found = moments(rows.X) if intercept else None
    return n_rows(rows), rows.weight.sum(), found


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
