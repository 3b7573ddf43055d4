"""Out-of-fold probabilities: every row predicted by a model that has not seen it."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import check_consistent_length, check_random_state, indexable
from sklearn.utils.parallel import Parallel, delayed

from ._input import HALF_PRECISION, check_labels, check_proba

Matrix: TypeAlias = ArrayLike | pd.DataFrame | sparray | spmatrix


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Out-of-fold probabilities of one estimator.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Labels of the classes, sorted.
    proba : ndarray of shape (n_repeats, n_samples, n_classes)
        Probabilities from the model that did not see the row. A class that does not occur in the
        training rows has probability 0.
    fold : ndarray of shape (n_repeats, n_samples)
        Number of the fold in which each row was tested.
    fit_seconds : ndarray of shape (n_repeats, n_splits)
        Wall time of each fit.
    messages : list of str
        Warnings of the fits and predictions, in order.
    """

    classes: npt.NDArray[Any]
    proba: npt.NDArray[np.float64]
    fold: npt.NDArray[np.intp]
    fit_seconds: npt.NDArray[np.float64]
    messages: list[str] = field(default_factory=list)


def cross_val_predictions(
    estimator: Any,
    X: Matrix,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_splits: int = 2,
    n_repeats: int = 5,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> OutOfFold:
    """Predict every row by models that have not seen it, in a repeated stratified K-fold.

    The folds depend on `y`, `groups`, `n_splits`, `n_repeats` and `random_state` alone.
    Therefore estimators can be compared split by split. Without groups, the folds are those of
    ``RepeatedStratifiedKFold(n_splits=..., n_repeats=..., random_state=...)``. Each fit gets a
    random state of its own.

    Parameters
    ----------
    estimator : classifier with predict_proba
        Classifier, which is cloned for each fit.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
        Features, in any form that the estimator takes.
    y : array-like of shape (n_samples,)
        Labels of at least two classes; at least one class has `n_splits` rows or more.
    groups : array-like of shape (n_samples,), default=None
        Lot of each row: rows of one lot are never on both sides of a split. None if the parts are
        independent.
    n_splits : int, default=2
        Number of folds, at least 2.
    n_repeats : int, default=5
        How often the rows are divided into folds anew, at least 1.
    random_state : int, RandomState or None, default=0
        Seed or source of the folds and of the estimators' seeds.
    n_jobs : int, default=None
        Number of fits at a time. They run by joblib: ``joblib.parallel_config("dask")`` carries
        them to a cluster.
    progress : callable, default=None
        Called after each fit with the number of fits that are done and the number in all.

    Returns
    -------
    OutOfFold
        Probabilities, folds, times and warnings.

    Raises
    ------
    ValueError
        If X, y and groups differ in length, if there is only one class, if there are too few rows
        or groups for the folds, or if the estimator gives probabilities that are negative or do
        not sum to one.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.evaluation import cross_val_predictions
    >>> X, y = load_iris(return_X_y=True)
    >>> cross_val_predictions(PerturbArgmaxClassifier(), X, y, n_repeats=1).proba.shape
    (1, 150, 3)
    """
    X = X if hasattr(X, "shape") else np.asarray(X)
    check_consistent_length(X, y, groups)
    if n_splits < 2 or n_repeats < 1:
        raise ValueError(
            f"n_splits={n_splits} must be at least 2, and n_repeats={n_repeats} at least 1."
        )
    classes, codes = np.unique(check_labels(y, "y"), return_inverse=True)
    counts = np.bincount(codes)
    if len(classes) < 2:
        raise ValueError(f"y has only one class, {classes[0]!s}; at least two are needed.")
    if counts.max() < n_splits:
        raise ValueError(f"No class has {n_splits} rows, one for each fold: use fewer folds.")
    if groups is not None:
        groups = np.unique(check_labels(groups, "groups"), return_inverse=True)[1]
        if groups.max() + 1 < n_splits:
            raise ValueError(
                f"There are {groups.max() + 1} groups for {n_splits} folds: a group is never "
                "divided, so at least as many groups as folds are needed. Use fewer folds."
            )
    out = OutOfFold(
        classes=classes,
        proba=np.zeros((n_repeats, len(codes), len(classes))),
        fold=np.empty((n_repeats, len(codes)), dtype=int),
        fit_seconds=np.empty((n_repeats, n_splits)),
    )
    (X,) = indexable(X)
    splits = list(_splits(codes, groups, n_splits, n_repeats, random_state))
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_and_predict)(
            _with_seed(clone(estimator), random_state, number), X, classes, codes, *split
        )
        for number, split in enumerate(splits)
    )
    for number, (proba, seconds, messages) in enumerate(fits):
        repeat, fold = divmod(number, n_splits)
        test = splits[number][1]
        out.proba[repeat, test] = proba
        out.fold[repeat, test] = fold
        out.fit_seconds[repeat, fold] = seconds
        out.messages.extend(messages)
        if progress is not None:
            progress(number + 1, n_repeats * n_splits)
    return out


def _fit_and_predict(model, X, classes, codes, train, test):
    """Probabilities of the test rows, all classes (n_test, K), seconds, and warnings."""
    rows_of = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    proba = np.zeros((len(test), len(classes)))
    known = np.unique(codes[train])
    if len(known) == 1:
        # Nothing to learn from: most classifiers refuse. It happens to a class of one row.
        proba[:, known] = 1.0
        return proba, 0.0, ["The training rows of a fold have only one class: it is predicted."]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        model.fit(rows_of(train), classes[codes[train]])
        seconds = time.perf_counter() - start
        columns = np.searchsorted(classes, model.classes_)
        name = f"the probabilities of {type(model).__name__}"
        proba[:, columns] = check_proba(
            model.predict_proba(rows_of(test)), model.classes_, name, HALF_PRECISION
        )
    proba /= proba.sum(axis=1, keepdims=True)
    return proba, seconds, [f"{w.category.__name__}: {w.message}" for w in caught]


def _splits(codes, groups, n_splits, n_repeats, random_state):
    """Repeated stratified splits, without scikit-learn's warning about classes of few rows.

    Groups are never divided. If there are no groups, the splits are those of
    RepeatedStratifiedKFold.
    """
    rng = check_random_state(random_state)
    rows = np.zeros(len(codes))
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    for _ in range(n_repeats):
        folds = kind(n_splits, shuffle=True, random_state=rng)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            splits = list(folds.split(rows, codes, groups))
        if any(len(test) == 0 for _, test in splits):
            raise ValueError(
                "A fold has no group: the groups are too few or too unequal for "
                f"{n_splits} folds. Use fewer folds."
            )
        yield from splits


def _with_seed(estimator, random_state, number):
    """Give every random_state of the estimator and its parts a seed of this fit's own."""
    if isinstance(random_state, (int, np.integer)):
        names = [name for name in estimator.get_params() if name.endswith("random_state")]
        seed = int(np.random.SeedSequence([random_state, number]).generate_state(1)[0] >> 1)
        estimator.set_params(**dict.fromkeys(names, seed))
    return estimator
