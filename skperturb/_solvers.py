"""Minimisers of a smooth function; they know nothing of noise or classes."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning


class Solution(NamedTuple):
    """What a solver found: parameters, function value there, and iterations taken."""

    x: np.ndarray
    value: float
    n_iter: int


def lbfgs(objective, start, *, tol, max_iter):
    """L-BFGS (scipy), stopped when no entry of the gradient exceeds `tol`.

    Parameters
    ----------
    objective : callable
        Maps x to (value, gradient).
    start : ndarray of shape (n,)
    tol : float
        Largest absolute entry of the gradient at a solution.
    max_iter : int

    Returns
    -------
    Solution

    Warns
    -----
    ConvergenceWarning
        If `tol` was not reached; the text says why and what to try.
    """
    result = optimize.minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        # ftol as small as it can mean something: the gradient is to decide. maxfun out of the way.
        options={
            "maxiter": max_iter,
            "maxfun": 100 * max_iter,
            "maxls": 50,
            "gtol": tol,
            "ftol": 0.0,
        },
    )
    slope = np.abs(result.jac).max()
    # Where rounding stops the descent a little short of tol, no more can be had.
    if not slope <= tol and (result.status != 0 or not slope <= 100 * tol):
        why = (
            f"the limit of max_iter={max_iter} iterations was hit; raise max_iter"
            if result.nit >= max_iter
            else "no lower value can be found at this precision; raise tol"
        )
        warnings.warn(
            f"The fit did not converge: its largest gradient entry is {slope:.1e}, above "
            f"tol={tol:.1e}, and {why}, or scale the features (for instance with StandardScaler).",
            ConvergenceWarning,
            stacklevel=4,
        )
    return Solution(result.x, float(result.fun), int(result.nit))
