"""Monotone curves of two classes: coefficients whose rises are bounded below by zero, exactly.

A cubic spline whose coefficients do not fall does not fall, because its slope is a quadratic spline
of their rises, which are not negative. A step does not fall if its height is not negative. In
coordinates of rises and heights both are simple bounds, which L-BFGS-B keeps to the last bit.
"""

import numpy as np
from scipy import linalg, optimize
from sklearn.exceptions import ConvergenceWarning

from .._warnings import warn_user

_GRADIENT, _ITERATIONS = 1e-8, 20_000


def check_monotone(monotone, features, classes):
    """Signs by index of the features; refused where they cannot be kept exactly.

    Parameters
    ----------
    monotone : dict or None
    features : AdditiveFeatures
        Fitted.
    classes : ndarray
    """
    if not monotone:
        return {}
    if len(classes) > 2:
        raise ValueError(
            f"monotone needs two classes, got {len(classes)}: with more, curves that rise do not "
            "make the probability of a class rise. Fit one class against all others instead."
        )
    signs = {}
    for feature, sign in monotone.items():
        if sign not in (1, -1):
            raise ValueError(
                f"monotone must map features to 1 (the probability of the second class rises) or "
                f"-1 (it falls), got {sign!r} for {feature!r}."
            )
        signs[features._number_of(feature)] = sign
    return signs


def fit_monotone(objective, start, features, signs):
    """The minimum among curves that rise or fall as they are told.

    Parameters
    ----------
    objective : LinearObjective
        Of two classes.
    start : ndarray of shape (n_parameters,)
    features : AdditiveFeatures
        Fitted.
    signs : dict of int to int

    Returns
    -------
    ndarray of shape (n_parameters,)
    """
    low, high = objective.constraint.expand(np.eye(1))[:, 0]
    unit = np.sign(high - low)  # of the score of the second class less that of the first
    matrix, least = np.eye(len(start)), np.full(len(start), -np.inf)
    for j, sign in signs.items():
        of_curve = np.flatnonzero(features.part_of_column_ == j)
        rises = features._pieces[j].steepness()
        of_curve = of_curve[: rises.shape[1]]
        matrix[np.ix_(of_curve, of_curve)] = linalg.inv(rises) * (sign * unit)
        least[of_curve] = 0.0

    def function(z):
        value, gradient = objective(matrix @ z)
        return value, matrix.T @ gradient

    found = optimize.minimize(
        function,
        np.maximum(linalg.solve(matrix, start), least),
        jac=True,
        method="L-BFGS-B",
        bounds=[(low if np.isfinite(low) else None, None) for low in least],
        options={
            "ftol": 0.0,
            "gtol": _GRADIENT,
            "maxiter": _ITERATIONS,
            "maxfun": 2 * _ITERATIONS,
            "maxcor": 50,
        },
    )
    if found.nit >= _ITERATIONS:
        warn_user(
            "The monotone curves keep their constraint, but the best of them were not found in "
            f"{_ITERATIONS} iterations: use a smaller C.",
            ConvergenceWarning,
        )
    return matrix @ found.x
