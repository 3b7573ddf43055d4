"""A fit from blocks of rows: an ordinary fitted classifier, the same as from all rows at once."""

from typing import Any, TypeVar

import numpy as np

from .._callbacks import with_callbacks
from .._classifier import PerturbClassifier
from ._reading import read
from ._sources import Source

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
    return _fit(clf, source.using(client=client, prepare=prepare))


@with_callbacks
def _fit(clf, source):
    clf._validate_params()
    params, model = clf._params_of_fit(), clf._model()
    for name, none in (("label_noise", None), ("bias_reduction", False)):
        if params[name] is not none:
            raise ValueError(
                f"{name} is not for blocks: fit with {name}={none}, or to rows that fit into "
                "memory."
            )
    seen, fitted, objective, total = read(source, params, model)
    clf.n_features_in_ = seen.n_features
    if seen.names:
        clf.feature_names_in_ = np.asarray(seen.names, dtype=object)
    elif hasattr(clf, "feature_names_in_"):
        del clf.feature_names_in_
    clf._minimise(
        params,
        (model, seen.labels, fitted),
        objective,
        seen.n_features,
        seen.dtype,
        data={"X": None, "y": None, "metadata": None},
    )
    clf.weight_sum_ = total
    if clf._fit_record.objective is not None:
        # Of the data, the classifier keeps what the weights may mean.
        clf._fit_record = clf._fit_record.without_data()
    return clf
