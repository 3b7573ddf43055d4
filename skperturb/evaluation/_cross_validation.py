"""Out-of-fold probabilities: every row predicted by a model that has not seen it."""

import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d, indexable
from sklearn.utils.parallel import Parallel, delayed

_SUM_TOL = 1e-2  # of probabilities: what half precision leaves


@dataclass
class OutOfFold:
    """Out-of-fold probabilities of one estimator.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    proba : ndarray of shape (n_repeats, n_samples, n_classes)
        Probabilities from the model that did not see the row; a class that was not in the
        training rows has probability 0.
    fold : ndarray of shape (n_repeats, n_samples), int
        The fold in which each row was tested.
    fit_seconds : ndarray of shape (n_repeats, n_splits)
        Wall time of each fit.
    messages : list of str
        Warnings raised by the fits and predictions, in order.
    """

    classes: np.ndarray
    proba: np.ndarray
    fold: np.ndarray
    fit_seconds: np.ndarray
    messages: list = field(default_factory=list)


def cross_val_predictions(
    estimator,
    X,
    y,
    *,
    groups=None,
    n_splits=2,
    n_repeats=5,
    random_state=0,
    n_jobs=None,
    progress=None,
):
    """Out-of-fold probabilities from repeated stratified K-fold cross-validation.

    The folds depend on `y`, `groups`, `n_splits`, `n_repeats` and `random_state` alone, so that
    estimators can be compared split by split. Without groups they are those of
    ``RepeatedStratifiedKFold(n_splits=..., n_repeats=..., random_state=...)``. Each fit gets a
    random state of its own.

    Parameters
    ----------
    estimator : classifier with predict_proba
        Cloned for each fit.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels of two classes at least, one of which has at least `n_splits` rows.
    groups : array-like of shape (n_samples,), default=None
        Lots: rows of one group are never on both sides of a split. None if the parts are
        independent.
    n_splits : int, default=2
        Folds, at least 2.
    n_repeats : int, default=5
        How often the rows are divided anew, at least 1.
    random_state : int, RandomState or None, default=0
        Source of the folds and of the estimators' seeds.
    n_jobs : int, default=None
        Fits at a time. They run by joblib, so that ``joblib.parallel_config("dask")`` carries
        them to a cluster.
    progress : callable, default=None
        Called after each fit with the number of fits done and to do.

    Returns
    -------
    OutOfFold

    Raises
    ------
    ValueError
        If X, y and groups differ in length, there is one class only, or there are too few rows
        or groups for the folds.

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
            f"n_splits={n_splits} must be 2 at least, n_repeats={n_repeats} 1 at least."
        )
    classes, codes = np.unique(check_labels(y, "y"), return_inverse=True)
    counts = np.bincount(codes)
    if len(classes) < 2:
        raise ValueError(f"y has one class only, {classes[0]!s}; at least two are needed.")
    if counts.max() < n_splits:
        raise ValueError(f"No class has {n_splits} rows, one for each fold: use fewer folds.")
    if groups is not None:
        groups = np.unique(check_labels(groups, "groups"), return_inverse=True)[1]
        if groups.max() + 1 < n_splits:
            raise ValueError(
                f"There are {groups.max() + 1} groups for {n_splits} folds: a group is never "
                "divided, so that at least as many groups as folds are needed. Use fewer folds."
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
        out.messages += messages
        if progress is not None:
            progress(number + 1, n_repeats * n_splits)
    return out


def check_labels(values, name):
    """Labels as a one-dimensional array, none of them missing."""
    values = column_or_1d(values)
    missing = pd.isna(values)
    if missing.any():
        raise ValueError(
            f"{name} is missing for {missing.sum()} rows: fill it in or leave them out."
        )
    if pd.api.types.is_extension_array_dtype(values):
        values = np.asarray(values.to_numpy())
    return values


def _fit_and_predict(model, X, classes, codes, train, test):
    """Probabilities of the test rows, all classes (n_test, K), seconds, and warnings."""
    rows_of = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    proba = np.zeros((len(test), len(classes)))
    known = np.unique(codes[train])
    if len(known) == 1:
        # Nothing to learn from: most classifiers refuse. It happens to a class of one row.
        proba[:, known] = 1.0
        return proba, 0.0, ["A fold has one class to learn from, which it predicts for all rows."]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        model.fit(rows_of(train), classes[codes[train]])
        seconds = time.perf_counter() - start
        columns = np.searchsorted(classes, model.classes_)
        proba[:, columns] = model.predict_proba(rows_of(test))
    total = proba.sum(axis=1, keepdims=True)
    if not np.all(np.abs(total - 1) <= _SUM_TOL):
        raise ValueError(
            f"{type(model).__name__} gives probabilities that do not sum to one or are not finite."
        )
    proba /= total
    return proba, seconds, [f"{w.category.__name__}: {w.message}" for w in caught]


def _splits(codes, groups, n_splits, n_repeats, random_state):
    """Repeated stratified splits, without scikit-learn's warning about classes of few rows.

    Groups are never divided; without any, the splits are those of RepeatedStratifiedKFold.
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
                "A fold has no group at all: the groups are too few or too unequal for "
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
