"""Out-of-fold probabilities: every row predicted by a model that has not seen it."""

import time
import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d, indexable


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
    estimator, X, y, *, n_splits=2, n_repeats=5, random_state=0, progress=None
):
    """Out-of-fold probabilities from repeated stratified K-fold cross-validation.

    The folds depend on `y`, `n_splits`, `n_repeats` and `random_state` alone and are those of
    ``RepeatedStratifiedKFold(n_splits=..., n_repeats=..., random_state=...)``, so that
    estimators can be compared split by split. Each fit gets a random state of its own.

    Parameters
    ----------
    estimator : classifier with predict_proba
        Cloned for each fit.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels; each class has at least two rows, one of them at least `n_splits`.
    n_splits : int, default=2
        Folds, at least 2.
    n_repeats : int, default=5
        How often the rows are divided anew, at least 1.
    random_state : int, RandomState or None, default=0
        Source of the folds and of the estimators' seeds.
    progress : callable, default=None
        Called after each fit with the number of fits done and to do.

    Returns
    -------
    OutOfFold

    Raises
    ------
    ValueError
        If X and y differ in length, or a class has a single row or too few for the folds.

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
    check_consistent_length(X, y)
    if n_splits < 2 or n_repeats < 1:
        raise ValueError(
            f"n_splits={n_splits} must be 2 at least, n_repeats={n_repeats} 1 at least."
        )
    classes, codes = np.unique(column_or_1d(y), return_inverse=True)
    counts = np.bincount(codes)
    if counts.min() < 2:
        raise ValueError(
            f"Class {classes[counts.argmin()]!s} has one row: a row cannot be learned from and "
            "tested at once. Add rows, or merge or leave out the class."
        )
    if counts.max() < n_splits:
        raise ValueError(f"No class has {n_splits} rows, one for each fold: use fewer folds.")
    out = OutOfFold(
        classes=classes,
        proba=np.zeros((n_repeats, len(codes), len(classes))),
        fold=np.empty((n_repeats, len(codes)), dtype=int),
        fit_seconds=np.empty((n_repeats, n_splits)),
    )
    labels = classes[codes]
    (X,) = indexable(X)
    rows_of = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    for number, (train, test) in enumerate(_splits(codes, n_splits, n_repeats, random_state)):
        repeat, fold = divmod(number, n_splits)
        model = _with_seed(clone(estimator), random_state, number)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.perf_counter()
            model.fit(rows_of(train), labels[train])
            out.fit_seconds[repeat, fold] = time.perf_counter() - start
            proba = model.predict_proba(rows_of(test))
        out.proba[repeat, test[:, None], np.searchsorted(classes, model.classes_)] = proba
        out.fold[repeat, test] = fold
        out.messages += [f"{w.category.__name__}: {w.message}" for w in caught]
        if progress is not None:
            progress(number + 1, n_repeats * n_splits)
    return out


def _splits(codes, n_splits, n_repeats, random_state):
    """The splits of RepeatedStratifiedKFold, without its warning about classes of few rows."""
    rng = check_random_state(random_state)
    rows = np.zeros(len(codes))
    for _ in range(n_repeats):
        folds = StratifiedKFold(n_splits, shuffle=True, random_state=rng)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            splits = list(folds.split(rows, codes))
        yield from splits


def _with_seed(estimator, random_state, number):
    """Give every random_state of the estimator and its parts a seed of this fit's own."""
    if isinstance(random_state, (int, np.integer)):
        names = [name for name in estimator.get_params() if name.endswith("random_state")]
        seed = int(np.random.SeedSequence([random_state, number]).generate_state(1)[0] >> 1)
        estimator.set_params(**dict.fromkeys(names, seed))
    return estimator
