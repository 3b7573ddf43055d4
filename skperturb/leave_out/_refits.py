"""Exact refits without a row or a lot, from where a Newton step ended.

In coordinates in which the curvature there is about the identity: that of the whole fit, since
taking a row away changes a few directions of it only, or that without the lot. Some ten gradients
do for L-BFGS, and no matrix is made. Newton's method is for small problems, and where L-BFGS does
not arrive.
"""

import numpy as np
from scipy import linalg

from .._linear import finite_minimum, minimize
from .._threads import map_threads

_TOL = 3e-3  # of the distance in each direction, in standard errors
_ITERATIONS = {"lbfgs": 40, "newton": 300}
_SMALL = 2e6  # multiplications for a matrix of second derivatives: as quick as some gradients


def refit(minimum, rows_of, steps, units):
    """Minimise without each of some rows or lots.

    Parameters
    ----------
    minimum : Minimum
        Of all rows.
    rows_of : callable
        Maps a unit to the indices of its rows.
    steps : Steps
        Where to start, and the coordinates.
    units : sequence of int
        Rows or lots.

    Returns
    -------
    scores : list of ndarray of shape (n_rows_of_unit, n_classes)
    free : list of ndarray of shape (n_parameters,)
    found : ndarray of shape (n_units,), bool
        Whether there is a minimum, and it was found.
    """
    objective = minimum.objective
    penalised = objective.penalty(np.ones(objective.n_parameters)) > 0
    tol = _TOL / np.sqrt(objective.total)

    def one(unit):
        rows = rows_of(unit)
        weight = objective.weight.copy()
        weight[rows] = 0.0
        rest = objective.replace(weight=weight)
        whitened = _Whitened(rest, minimum.free, steps.spreads(unit))
        free, found = minimum.free, False
        for start in (whitened.coordinates(steps.moves(unit)), np.zeros(objective.n_parameters)):
            try:
                free, found = whitened.descend(start, tol)
            except ValueError:  # the step went so far that the scores overflow
                continue
            if found:
                break
        if found and not penalised:
            found, _ = finite_minimum(rest, free)
        full = objective.constraint.expand(free.reshape(objective.shape))
        return objective.design(rows) @ full.T, free, found

    results = map_threads(one, units)
    scores, free, found = zip(*results, strict=True) if results else ((), (), ())
    return list(scores), list(free), np.array(found, dtype=bool)


class _Whitened:
    """An objective in coordinates u: the parameters are an origin plus P u, P upper triangular."""

    def __init__(self, objective, origin, spread):
        self._objective, self._origin, self._spread = objective, origin, spread

    def point(self, u):
        return self._origin + self._spread @ u

    def coordinates(self, move):
        """The u of a step of the parameters."""
        return linalg.solve_triangular(self._spread, move)

    def __call__(self, u):
        value, gradient = self._objective(self.point(u))
        return value, self._spread.T @ gradient

    def _in_one_pass(self):
        return type(self)(self._objective.in_one_pass(), self._origin, self._spread)

    def descend(self, start, tol):
        """The parameters where it is least, and whether they were found."""
        small = self._objective.n_rows * self._objective.n_parameters**2 <= _SMALL
        for solver in ("newton",) if small else ("lbfgs", "newton"):
            objective = self._in_one_pass() if solver == "newton" else self
            solution = minimize(
                objective, start, solver=solver, tol=tol, max_iter=_ITERATIONS[solver]
            )
            start = solution.x
            if not solution.problem:
                break
        return self.point(start), not solution.problem

    def curvatures(self, u):
        for matrix in self._objective.curvatures(self.point(u)):
            yield self._spread.T @ matrix @ self._spread
