"""Out-of-fold probabilities: every row predicted by a model that has not seen it."""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, column_or_1d, indexable
from sklearn.utils.parallel import Parallel, delayed

from ._input import HALF_PRECISION, check_labels, check_proba, check_weight
from ._partitions import make_partition

Matrix: TypeAlias = ArrayLike | pd.DataFrame | sparray | spmatrix


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Out-of-fold probabilities of one estimator.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Labels of the classes, sorted.
    proba : ndarray of shape (n_repeats, n_samples, n_classes)
        Probabilities from the model that did not see the row; nan for rows that no fold tests. A
        class that does not occur in the training rows has probability 0.
    fold : ndarray of shape (n_repeats, n_samples)
        Number of the fold in which each row was tested; -1 for the first rows in time, which are
        only trained on.
    fit_seconds : ndarray of shape (n_repeats, n_splits)
        Wall time of each fit.
    n_train : ndarray of shape (n_repeats, n_splits)
        Number of rows that each fit was trained on.
    messages : list of str
        Warnings of the fits and predictions, in order.
    """

    classes: npt.NDArray[Any]
    proba: npt.NDArray[np.float64]
    fold: npt.NDArray[np.intp]
    fit_seconds: npt.NDArray[np.float64]
    n_train: npt.NDArray[np.intp]
    messages: list[str] = field(default_factory=list)


def cross_val_predictions(
    estimator: Any,
    X: Matrix,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
    n_splits: int = 2,
    n_repeats: int = 5,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> OutOfFold:
    """Predict every row by models that have not seen it, in a repeated stratified K-fold.

    The folds depend on `y`, `groups`, `time`, `n_splits`, `n_repeats` and `random_state` alone.
    Therefore estimators can be compared split by split. Without groups, the folds are those of
    ``RepeatedStratifiedKFold(n_splits=..., n_repeats=..., random_state=...)``. With groups, whole
    lots are divided at random, as even in every class as the lots allow, and no division occurs
    twice: a few lots may have fewer divisions than `n_repeats`, and all of them are then used.
    With times there is one repeat: the rows are divided into ``n_splits + 1`` blocks in the order
    of time, and each block but the first is predicted by a model of the rows before it. Each fit
    gets a random state of its own.

    Parameters
    ----------
    estimator : classifier with predict_proba
        Classifier, which is cloned for each fit.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
        Features, in any form that the estimator takes.
    y : array-like of shape (n_samples,)
        Labels of at least two classes; at least one class has `n_splits` rows or more.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the fits, not negative; None for equal weights. In a pipeline, the
        last step gets them.
    groups : array-like of shape (n_samples,), default=None
        Lot of each row: rows of one lot are never on both sides of a split. None if the parts are
        independent.
    time : array-like of shape (n_samples,), default=None
        When each row was made: numbers, dates or times. None if the order does not matter. Rows
        of the same moment are in the same block, and so are those of a lot, if there are groups.
    n_splits : int, default=2
        Number of folds, at least 2.
    n_repeats : int, default=5
        How often the rows are divided into folds anew, at least 1; with `time` always once.
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
        If X, y, weights, groups and times differ in length, if there is only one class, if there
        are too few rows, groups or times for the folds, if the estimator takes no weights, or if
        it gives probabilities that are negative or do not sum to one.

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
    check_consistent_length(X, y, sample_weight, groups, time)
    partition = partition_of(
        y, groups=groups, time=time, n_splits=n_splits, n_repeats=n_repeats, seed=random_state
    )
    n = len(partition.fold[0])
    weight = None if sample_weight is None else check_weight(sample_weight, n)
    told = None if progress is None else lambda name, *done: progress(*done)
    options = {"n_jobs": n_jobs, "progress": told}
    only = {"": estimator}
    return predict_folds(only, X, y, partition, weight, random_state, groups, **options)[""]


def partition_of(y, *, groups, time, n_splits, n_repeats, seed):
    """Check what the folds depend on, and make them."""
    if n_splits < 2 or n_repeats < 1:
        raise ValueError(
            f"n_splits={n_splits} must be at least 2, and n_repeats={n_repeats} at least 1."
        )
    classes, codes = np.unique(check_labels(y, "y"), return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y has only one class, {classes[0]!s}; at least two are needed.")
    if np.bincount(codes).max() < n_splits:
        raise ValueError(f"No class has {n_splits} rows, one for each fold: use fewer folds.")
    if groups is not None:
        groups = np.unique(check_labels(groups, "groups"), return_inverse=True)[1]
        if groups.max() + 1 < n_splits:
            raise ValueError(
                f"There are {groups.max() + 1} groups for {n_splits} folds: a group is never "
                "divided, so at least as many groups as folds are needed. Use fewer folds."
            )
    if time is not None:
        time = np.unique(check_times(time), return_inverse=True)[1]
    return make_partition(codes, groups, time, n_splits, n_repeats, seed)


def predict_folds(
    models, X, y, partition, weight, random_state, groups=None, *, n_jobs=None, progress=None
):
    """Fit and predict every model, by name, on every fold; fits are told of their lots.

    The first fold of each model comes first, so that its time is known before most of the work.
    """
    classes, codes = np.unique(check_labels(y, "y"), return_inverse=True)
    shape = (len(partition.fold), partition.n_splits)
    splits = [partition.split(number) for number in range(len(partition))]
    found = {
        name: OutOfFold(
            classes=classes,
            proba=np.full((len(partition.fold), len(codes), len(classes)), np.nan),
            fold=partition.fold.copy(),
            fit_seconds=np.empty(shape),
            n_train=np.array([len(train) for train, _ in splits]).reshape(shape),
        )
        for name in models
    }
    (X,) = indexable(X)
    lots = None if groups is None else np.asarray(groups)
    order = [(name, 0) for name in models]
    order += [(name, number) for name in models for number in range(1, len(splits))]
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_and_predict)(
            _with_seed(clone(models[name]), random_state, number),
            X,
            classes,
            codes,
            weight,
            lots,
            *splits[number],
        )
        for name, number in order
    )
    for (name, number), (proba, seconds, messages) in zip(order, fits, strict=True):
        out, (repeat, fold) = found[name], divmod(number, partition.n_splits)
        out.proba[repeat, splits[number][1]] = proba
        out.fit_seconds[repeat, fold] = seconds
        out.messages.extend(messages)
        if progress is not None:
            progress(name, number + 1, len(splits))
    return found


def _fit_and_predict(model, X, classes, codes, weight, lots, train, test):
    """Probabilities of the test rows, all classes (n_test, K), seconds, and warnings."""
    rows_of = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    proba = np.zeros((len(test), len(classes)))
    options = {}
    if weight is not None:
        # A row without weight says nothing, not even that its class occurs.
        train = train[weight[train] > 0]
        options = {weight_parameter(model): weight[train]}
    if lots is not None:
        options |= dict.fromkeys(groups_parameter(model), lots[train])
    known = np.unique(codes[train])
    if len(known) == 1:
        # Nothing to learn from: most classifiers refuse. It happens to a class of one row.
        proba[:, known] = 1.0
        return proba, 0.0, ["The training rows of a fold have only one class: it is predicted."]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = perf_counter()
        model.fit(rows_of(train), classes[codes[train]], **options)
        seconds = perf_counter() - start
        columns = np.searchsorted(classes, model.classes_)
        name = f"the probabilities of {type(model).__name__}"
        proba[:, columns] = check_proba(
            model.predict_proba(rows_of(test)), model.classes_, name, HALF_PRECISION
        )
    proba /= proba.sum(axis=1, keepdims=True)
    return proba, seconds, [f"{w.category.__name__}: {w.message}" for w in caught]


def check_times(time):
    """Times as an array that can be sorted, none of them missing."""
    times = np.asarray(time) if not isinstance(time, pd.Series) else time.to_numpy()
    if times.dtype.kind in "OUT":
        try:
            times = pd.to_datetime(times).to_numpy()
        except (TypeError, ValueError) as error:
            raise ValueError(f"time holds neither numbers nor dates: {error}.") from None
    times = column_or_1d(times)
    missing = pd.isna(times)
    if missing.any():
        raise ValueError(
            f"time is missing for {missing.sum()} rows: fill it in or leave those rows out."
        )
    if times.dtype.kind not in "iufM":
        raise ValueError(f"time must hold numbers or dates, got an array of type {times.dtype}.")
    return times


def weight_parameter(model):
    """Name of the parameter of `fit` by which a classifier gets the weights of the rows."""
    prefix = ""
    while isinstance(model, Pipeline):
        name, model = model.steps[-1]
        prefix += f"{name}__"
    parameters = inspect.signature(model.fit).parameters
    takes = "sample_weight" in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )
    if not takes:
        raise ValueError(
            f"{type(model).__name__} takes no sample_weight, so that it cannot be compared with "
            "weights: leave it or the weights out."
        )
    return f"{prefix}sample_weight"


def groups_parameter(model):
    """Name of the parameter of `fit` by which a classifier gets lots, in a list; or none."""
    prefix = ""
    while isinstance(model, Pipeline):
        name, model = model.steps[-1]
        prefix += f"{name}__"
    return [f"{prefix}groups"] if "groups" in inspect.signature(model.fit).parameters else []


def _with_seed(estimator, random_state, number):
    """Give every random_state of the estimator and its parts a seed of this fit's own."""
    if isinstance(random_state, (int, np.integer)):
        names = [name for name in estimator.get_params() if name.endswith("random_state")]
        seed = int(np.random.SeedSequence([random_state, number]).generate_state(1)[0] >> 1)
        estimator.set_params(**dict.fromkeys(names, seed))
    return estimator
