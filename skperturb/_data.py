"""What a classifier is fitted to, checked: features, codes of the labels, weights of the rows."""

from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_consistent_length, compute_class_weight
from sklearn.utils.validation import validate_data

from ._array_api import as_numpy
from ._sklearn import check_sample_weight

Features = ArrayLike | Any  # Any: a sparse matrix, a data frame
_SUM_ERROR = 1e-6  # of a row of probabilities: more is no rounding
_DTYPES = [np.float64, np.float32]


def check_features(clf, X, *y, reset=False):
    """X as an array or CSR matrix of float32 or float64, and y as an array if it is given."""
    labels = map(plain_labels, map(as_numpy, y))
    options = {"reset": reset, "accept_sparse": "csr", "dtype": _DTYPES}
    return validate_data(clf, as_numpy(X), *labels, **options)


def plain_labels(y):
    """Labels in a type of NumPy's that keeps each of them as it is; missing ones are refused.

    scikit-learn turns pandas' nullable integers and truth values into floats, which makes one
    class of two large integers, and NumPy turns a list of numbers and texts into texts. What is no
    labels at all is left for scikit-learn to refuse.
    """
    dtype = getattr(y, "dtype", None)
    extended = isinstance(dtype, pd.api.extensions.ExtensionDtype)
    plain = isinstance(y, list | tuple)
    if getattr(y, "ndim", 1) != 1 or not (extended or plain or getattr(dtype, "kind", "") == "O"):
        return y
    labels = pd.Series(y, dtype=None if extended else object)
    missing = int(np.sum(pd.isna(labels)))
    if missing:
        raise ValueError(f"y is missing for {missing} rows: fill it in or leave those rows out.")
    if not extended:
        _check_one_type(labels)
        return y
    if hasattr(dtype, "numpy_dtype") and hasattr(y, "to_numpy"):
        return y.to_numpy(dtype=dtype.numpy_dtype)
    return np.asarray(y)


def _check_one_type(labels):
    """Refuse texts among numbers: they have no order, and programs take one for the other."""
    is_text = np.array([isinstance(label, str) for label in labels], dtype=bool)
    is_number = np.array([isinstance(label, Number | np.bool_) for label in labels], dtype=bool)
    if is_text.any() and is_number.any():
        text, number = labels[is_text].iloc[0], labels[is_number].iloc[0]
        raise ValueError(
            f"y has labels of different types, such as {text!r} and {number!r}: give all of them "
            "as text, for instance by y.astype(str), or all as numbers."
        )


def codes_of(y, classes):
    """Index of each label in the classes of a fit."""
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(f"y has labels that the fit did not see: {unknown.tolist()}.")
    return np.searchsorted(classes, y)


def row_weights(sample_weight, X):
    """The sample weights, 1 if there are none: an array of shape (n_samples,)."""
    sample_weight = as_numpy(sample_weight)
    return check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)


def fit_weights(params, sample_weight, X, y, classes, codes):
    """Sample weights times class weights, checked to leave something to fit.

    Parameters
    ----------
    params : dict
        The classifier's; `class_weight` and `C` are used.
    sample_weight : array-like of shape (n_samples,) or None
    X, y : features and labels of shape (n_samples, n_features) and (n_samples,)
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,), int
        Of y among the classes.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If the weights are unusable.
    """
    weight = row_weights(sample_weight, X)
    _check_weights("sample_weight", weight, params["C"])
    if params["class_weight"] is None:
        return weight
    totals = np.bincount(codes, weight, minlength=len(classes))
    weight = weight * class_factors(params["class_weight"], totals, classes)[codes]
    _check_weights("class_weight", weight, params["C"])
    return weight


def soft_weights(params, sample_weight, X, classes, proba):
    """The same for rows with probabilities of the classes.

    Parameters
    ----------
    params : dict
    sample_weight : array-like of shape (n_samples,) or None
    X : features
    classes : ndarray of shape (n_classes,)
    proba : ndarray of shape (n_samples, n_classes)
        See :func:`proba_of_classes`.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
        Shares of the classes in the weight of each row, class weights included.
    weight : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If the weights are unusable.
    """
    weight = row_weights(sample_weight, X)
    _check_weights("sample_weight", weight, params["C"])
    if params["class_weight"] is None:
        return proba, weight
    proba = proba * class_factors(params["class_weight"], weight @ proba, classes)
    of_row = proba.sum(axis=1)
    weight = weight * of_row
    proba = proba / np.where(of_row > 0, of_row, 1.0)[:, None]
    _check_weights("class_weight", weight, params["C"])
    return proba, weight


def class_factors(class_weight, totals, classes):
    """The weight of each class; zero for one without rows."""
    present = totals > 0
    factors = np.zeros(len(classes))
    if class_weight == "balanced":
        factors[present] = totals.sum() / (present.sum() * totals[present])
    else:
        factors[present] = compute_class_weight(
            class_weight, classes=classes[present], y=classes[present]
        )
    return factors


def proba_of_classes(proba, X, classes):
    """Probabilities of the classes for each row, in the order of the classes, checked.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Columns of a data frame are matched by name, others by position in `classes`.
    X : features of shape (n_samples, n_features)
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Rows sum to one.

    Raises
    ------
    ValueError
        If they are none.
    """
    if isinstance(proba, pd.DataFrame):
        if set(proba.columns) != set(classes.tolist()) or len(proba.columns) != len(classes):
            raise ValueError(
                f"The columns of the probabilities, {proba.columns.tolist()}, are not the classes, "
                f"{classes.tolist()}."
            )
        proba = proba[classes.tolist()]
    proba = check_array(as_numpy(proba), dtype=np.float64, input_name="P")
    check_consistent_length(X, proba)
    if proba.shape[1] != len(classes):
        raise ValueError(
            f"P must have one column for each of the {len(classes)} classes, got {proba.shape[1]}."
        )
    total = proba.sum(axis=1)
    if proba.min() < 0 or np.abs(total - 1).max() > _SUM_ERROR:
        worst = int(np.argmax(np.where(proba.min(axis=1) < 0, np.inf, np.abs(total - 1))))
        raise ValueError(
            "Each row of P must be probabilities, not negative and with the sum 1; row "
            f"{worst} is {proba[worst].tolist()}."
        )
    return proba / total[:, None]


def _check_weights(name, weight, C):
    with np.errstate(all="ignore"):
        check_weight_sum(name, weight.sum(), weight.min(), C)


def check_weight_sum(name, total, smallest, C):
    """Refuse weights with this sum and this smallest one, if they leave nothing to fit."""
    if smallest >= 0 and total == 0:
        raise ValueError(f"{name} is zero for every row: nothing is left to fit.")
    with np.errstate(all="ignore"):
        ridge = 1 / C / total
    if not (np.isfinite(total) and smallest >= 0 and np.isfinite(ridge)):
        raise ValueError(
            f"{name} must give weights that are not negative and whose sum is finite, and C "
            f"times that sum must not vanish: the sum is {total:g}, C={C:g}."
        )
