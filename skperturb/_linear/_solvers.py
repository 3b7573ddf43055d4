"""Minimisers of a smooth function; they know nothing of noise or classes.

All stop where no entry of the gradient exceeds ``tol``, and say so where they stop short of that.
``monitor`` is called with x after each iteration and ends the descent by returning True.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize

from .._linalg import LEAST_DAMPING, definite_factor
from ._preconditioner import Unscaled

# "auto" takes Newton's method up to so many numbers in the matrix, and multiplications to make it.
_LARGEST_MATRIX, _MOST_WORK = 400**2, 1e7
# A gradient that is near enough where rounding stops a descent: times tol, and with tol=0.
_NEARLY_TOL, _ROUNDING = 100, 1e-6
_ARMIJO = 1e-4  # part of the decrease promised by the slope that a step must bring
_HALVINGS = 40  # of a step, to 1e-12 of it
_DAMPED, _DAMP_MORE = 1e-3, 1e3  # damping after a step that failed: at least, and times the last
_SHORT_STEP, _LESS_DAMPED = 0.1, 10  # a shorter step asks for more damping; a full one for less
_MOST_DAMPING = 1e9  # beyond, a step is too short to change the parameters
_VALUE_ROUNDING = 1e-9  # relative; smaller changes of the value decide nothing
_CLOSER = 0.9  # times the largest slope: then the gradient decides where the value cannot
# Iterations of L-BFGS before the coordinates are chosen anew: so many at first, more where the
# matrix for that is large, then half as many more each time; and where there were none to be had.
_PATIENCE, _PARAMETERS_PER_ITERATION, _UNSCALED = 5, 50, 30


class Solution(NamedTuple):
    """What a solver found.

    Parameters, function value there, iterations taken, and None or a sentence on why `tol` was
    not reached and what to try.
    """

    x: np.ndarray
    value: float
    n_iter: int
    problem: str | None = None


def minimize(objective, start, *, solver, tol, max_iter, monitor=None, scaling=None):
    """Minimise by the solver of that name.

    Parameters
    ----------
    objective : callable
        Maps x to (value, gradient); Newton's method also needs ``curvatures(x)``, see
        :func:`newton`.
    start : ndarray of shape (n,)
    solver : {"newton", "lbfgs"}
    tol : float
        Largest absolute entry of the gradient at a solution.
    max_iter : int
    monitor : callable, default=None
        Called with x after each iteration; True ends the descent.
    scaling : callable, default=None
        For L-BFGS: maps x and the number of iterations so far to an object of
        ``_preconditioner``, coordinates in which the curvature there is about 1 in all
        directions, or to None if those would cost too much.

    Returns
    -------
    Solution
    """
    options = {"tol": tol, "max_iter": max_iter, "monitor": monitor or (lambda x: False)}
    if solver == "newton":
        return newton(objective, start, **options)
    return lbfgs(objective, start, scaling=scaling, **options)


def choose_solver(n_rows, n_parameters, rounds_are_slow=False):
    """Name of a solver: Newton's if n_parameters <= 400 and n_rows * n_parameters**2 <= 1e7.

    Where an evaluation takes longer than its work, the work for the rows does not count: Newton's
    method needs fewer of them.
    """
    size = n_parameters**2
    little = rounds_are_slow or n_rows * size <= _MOST_WORK
    return "newton" if size <= _LARGEST_MATRIX and little else "lbfgs"


def lbfgs(objective, start, *, tol, max_iter, monitor, scaling=None):
    """L-BFGS (scipy) in coordinates that are chosen anew now and then; needs the gradient only."""
    at = _Point(start, *objective(start))
    n_iter, stopped, problem = 0, False, None
    patience = _PATIENCE + len(start) // _PARAMETERS_PER_ITERATION
    while at.slope > tol and not stopped:
        if n_iter == max_iter:
            problem = _problem(at.slope, tol, max_iter)
            break
        origin, left = at, max_iter - n_iter
        unit = scaling(at.x, n_iter) if scaling else None
        scaled = _Scaled(objective, origin, unit or Unscaled())

        def callback(intermediate_result, scaled=scaled):
            nonlocal at, n_iter, stopped
            at, n_iter = scaled.latest, n_iter + 1
            stopped = bool(monitor(at.x))
            if stopped or at.slope <= tol:
                raise StopIteration

        # The callback decides when to stop; maxfun, gtol and ftol out of the way.
        options = {"maxfun": 100 * max_iter, "maxls": 50, "gtol": 0.0, "ftol": 0.0}
        if unit:
            options["maxiter"], patience = min(left, patience), 3 * patience // 2
        else:
            options["maxiter"] = min(left, _UNSCALED) if scaling and not n_iter else left
        begin = np.zeros_like(start)
        optimize.minimize(
            scaled, begin, jac=True, method="L-BFGS-B", callback=callback, options=options
        )
        if at.slope > tol and at.value >= origin.value and at.slope > origin.slope / 2:
            problem = _problem(at.slope, tol, None)
            break
    return Solution(at.x, float(at.value), n_iter, problem)


class _Point(NamedTuple):
    """Where a descent is, with value and gradient there."""

    x: np.ndarray
    value: float
    gradient: np.ndarray

    @property
    def slope(self):
        return np.abs(self.gradient).max()


class _Scaled:
    """A function in other coordinates, 0 at a given point; remembers the latest point asked for.

    The coordinates are in units such that the gradient has length 1 at first: scipy's first
    step has that length, and is to be the whole step.
    """

    def __init__(self, objective, origin, unit):
        self._objective, self._origin, self._unit = objective, origin, unit
        self._length = np.linalg.norm(unit.gradient(origin.gradient))
        self.latest = origin

    def __call__(self, v):
        x = self._origin.x + self._length * self._unit.point(v)
        self.latest = _Point(x, *self._objective(x)) if v.any() else self._origin
        return self.latest.value, self._length * self._unit.gradient(self.latest.gradient)


def newton(objective, start, *, tol, max_iter, monitor):
    """Newton's method with a line search, damped where the second derivative is not definite.

    ``objective.curvatures(x)`` yields the matrix of second derivatives and, if that may be
    indefinite, a positive semidefinite one in its place. The first that has a Cholesky
    factor is taken; if none has, a multiple of the diagonal is added, as much as it needs
    (Levenberg and Marquardt). So every step is a descent, for any smooth function.
    """
    x, (value, gradient) = start, objective(start)
    damping, n_iter, problem = 0.0, 0, None
    while (slope := np.abs(gradient).max()) > tol:
        if n_iter == max_iter:
            problem = _problem(slope, tol, max_iter)
            break
        step = None
        while step is None and damping <= _MOST_DAMPING:
            direction, damping = newton_direction(objective.curvatures(x), gradient, damping)
            step = _line_search(objective, x, value, gradient, direction)
            if step is None:
                damping = max(_DAMP_MORE * damping, _DAMPED)
        if step is None:
            problem = _problem(slope, tol, None)
            break
        n_iter += 1
        length, x, value, gradient = step
        if length == 1:
            damping = damping / _LESS_DAMPED if damping > _LESS_DAMPED * LEAST_DAMPING else 0.0
        elif length < _SHORT_STEP:
            damping = max(_LESS_DAMPED * damping, _DAMPED)
        if monitor(x):
            break
    return Solution(x, float(value), n_iter, problem)


def newton_direction(matrices, gradient, damping=0.0):
    """Descent direction, and the damping it needed, in units of each matrix's diagonal."""
    factor, root, damping = definite_factor(matrices, damping)
    solved, _ = linalg.lapack.dpotrs(factor, gradient / root, lower=1)
    return -solved / root, damping


def _line_search(objective, x, value, gradient, direction):
    """(length, x, value, gradient) of the first halved step that decreases enough; None if none."""
    promised = -gradient @ direction
    rounding = _VALUE_ROUNDING * abs(value)
    length = 1.0
    for _ in range(_HALVINGS):
        new = x + length * direction
        new_value, new_gradient = objective(new)
        enough = _ARMIJO * length * promised
        if new_value <= value - enough and enough > np.finfo(float).eps * abs(value):
            return length, new, new_value, new_gradient
        # Near the minimum the value is lost in rounding, the gradient is not.
        closer = np.abs(new_gradient).max() < _CLOSER * np.abs(gradient).max()
        if closer and length * promised <= rounding and new_value <= value + rounding:
            return length, new, new_value, new_gradient
        length /= 2
    return None


def _problem(slope, tol, max_iter):
    """Why a fit did not converge, if it did not; `max_iter` is the limit, if it was hit."""
    if max_iter is not None:
        why = f"the limit of max_iter={max_iter} iterations was hit; raise max_iter"
    elif slope <= (_NEARLY_TOL * tol or _ROUNDING):
        return None  # rounding stopped the descent a little short of tol: no more can be had
    else:
        why = "no lower value can be found at this precision; raise tol"
    return (
        f"The fit did not converge: its largest gradient entry is {slope:.1e}, above "
        f"tol={tol:.1e}, and {why}, or scale the features (for instance with StandardScaler)."
    )
