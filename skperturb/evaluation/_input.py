"""Labels, probabilities and weights that a user gave: checked before anything is computed."""

from numbers import Number

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d

from ._labels import find, listed, match

# How far a row of probabilities may be from summing to one, and an entry below zero.
SINGLE_PRECISION = 1e-6  # the rounding of numbers with 32 bits
HALF_PRECISION = 1e-2  # the rounding of numbers with 16 bits, summed over many classes


def check_labels(values, name):
    """Labels as a one-dimensional array that keeps each of them, none of them missing."""
    if getattr(values, "ndim", 1) == 1:
        missing = pd.isna(pd.Series(values)) if not hasattr(values, "dtype") else pd.isna(values)
        if missing.any():
            raise ValueError(
                f"{name} is missing for {missing.sum()} rows: fill it in or leave those rows out."
            )
        # scikit-learn makes floats of pandas' nullable integers and truth values.
        dtype = getattr(values, "dtype", None)
        if hasattr(dtype, "numpy_dtype") and hasattr(values, "to_numpy"):
            values = values.to_numpy(dtype=dtype.numpy_dtype)
        elif isinstance(dtype, pd.api.extensions.ExtensionDtype):
            values = np.asarray(values)
    values = column_or_1d(values)
    if values.dtype == object:
        kinds = {"a number" if isinstance(label, Number) else "text" for label in values}
        if len(kinds) > 1:
            raise ValueError(
                f"{name} mixes numbers and texts as labels: make all of them texts, as in "
                "y.astype(str)."
            )
    return values


def check_rows(proba, name="proba", tolerance=SINGLE_PRECISION):
    """Refuse rows that are no probabilities."""
    # A negative entry makes its row's sum NaN, which fails the comparison as infinity does.
    sums = np.where(proba >= -SINGLE_PRECISION, proba, np.nan).sum(axis=1)
    good = np.abs(sums - 1) <= tolerance
    if not good.all():
        raise ValueError(
            f"Rows of {name} must be finite, not negative, and sum to one within {tolerance:g}: "
            f"row {good.argmin()} is not."
        )


def check_proba(proba, classes, name="proba", tolerance=SINGLE_PRECISION):
    """Probabilities (n_samples, n_classes) in the order of the classes, as floats.

    The columns of a table with names are matched by name; those of an array, and of a DataFrame
    that numbers its columns by default, are in the order of the classes already.
    """
    names = column_names(proba)
    numbers = None if names is not None else getattr(proba, "columns", None)
    proba = np.asarray(proba, dtype=float)
    if proba.ndim != 2 or proba.shape[1] != len(classes):
        raise ValueError(
            f"{name} has shape {proba.shape}, but needs one column for each of the {len(classes)} "
            f"classes: {listed(classes)}."
        )
    if names is not None:
        proba = proba[:, match(names, classes, name, "columns")]
    elif numbers is not None and _in_another_order(classes, list(numbers)):
        raise ValueError(
            f"{name} numbers its columns {listed(numbers)}, but the classes are in the order "
            f"{listed(classes)}: name the columns by their classes, or give an array whose "
            "columns are in that order."
        )
    check_rows(proba, name, tolerance)
    return proba


def _in_another_order(classes, numbers):
    """Whether the classes are the numbers, but not one after another."""
    place = find(classes, numbers)
    return (place >= 0).all() and (np.diff(place) < 0).any()


def column_names(proba):
    """Names of the columns of a table, or None where they say nothing."""
    names = getattr(proba, "columns", None)
    # A DataFrame numbers its columns where nobody names them.
    numbered = isinstance(names, pd.RangeIndex) and names.equals(pd.RangeIndex(len(names)))
    return None if names is None or numbered else list(names)


def check_weight(sample_weight, n):
    """Weights of n rows as floats; ones if there are none."""
    if sample_weight is None:
        return np.ones(n)
    weight = column_or_1d(sample_weight).astype(float)
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise ValueError(
            "sample_weight must be finite and not negative, and positive for at least one row."
        )
    return weight


def check_confidence(confidence):
    """Refuse what is no confidence level, such as 95."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}.")
