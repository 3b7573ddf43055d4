"""The minimum of an objective, and the curvature there, which says how it moves when rows go."""

from functools import cached_property

import numpy as np
from scipy import linalg

from .._linalg import definite_factor
from .._linear import minimize

# Squared distance to the minimum, in standard errors, from which one more step is as exact as that
# of leaving out a row; steps to get there.
_NEAR, _STEPS = 1e-2, 200
_SEMIDEFINITE = 1e-7  # of the diagonal: a matrix that needs more is not positive semidefinite


class Minimum:
    """A point where an objective is least, found from a point nearby by Newton's method.

    The tolerance of a fit is not enough: where the coefficients are large, a small gradient can
    be far from the minimum. The distance is measured by Newton's decrement g H^-1 g instead, and
    the last step, `rest`, is left to be taken together with that of leaving out a row.

    Parameters
    ----------
    objective : LinearObjective
    start : ndarray of shape (n_parameters,)
    near : float, default=1e-2
        Squared distance that is near enough, in standard errors.

    Attributes
    ----------
    objective : LinearObjective
    near : float
        As given.
    free : ndarray of shape (n_parameters,)
        A point near the minimum.
    rest : ndarray of shape (n_parameters,)
        Newton's step from there to the minimum.
    reached : bool
        Whether it is near.
    n_iter : int
        Steps to get there.
    observed : bool
        Whether the second derivatives there are positive semidefinite. If not, what stands in
        for them (the expected information) was taken.
    matrix : ndarray of shape (n_parameters, n_parameters)
        The second derivatives, H.
    """

    def __init__(self, objective, start, near=_NEAR):
        self.objective, self.near = objective, near
        self.free = start
        remembered = _Remembered(objective.in_one_pass())

        def arrived(free):
            _, gradient = remembered(free)
            self._take(remembered.curvatures(free))
            step = linalg.solve_triangular(self._factor, gradient / self._root, lower=True)
            self.rest = -linalg.solve_triangular(self._factor, step, lower=True, trans="T")
            self.rest /= self._root
            self.free, self.reached = free, bool(objective.total * (step @ step) <= near)
            return self.reached

        self.n_iter = 0
        if not arrived(start):
            solution = minimize(
                remembered, start, solver="newton", tol=0.0, max_iter=_STEPS, monitor=arrived
            )
            self.n_iter = solution.n_iter

    def nearer(self):
        """The same minimum, ten times as near."""
        return Minimum(self.objective, self.free + self.rest, self.near / 100)

    def _take(self, matrices):
        self.matrix = next(matrices)
        self._factor, self._root, damping = definite_factor([self.matrix], 0.0)
        self.observed = damping <= _SEMIDEFINITE or self.objective.loss.convex
        if not self.observed:
            self.matrix = next(matrices)
            self._factor, self._root, _ = definite_factor([self.matrix], 0.0)

    @cached_property
    def spread(self):
        """P with P P^T = H^-1. In the coordinates u of free + P u, H is the identity."""
        return inverse_root(self._factor, self._root)

    def of_rows(self, scores, y):
        """Loss (n,), slope (n, K), and the curvature whose sum over the rows is in `matrix`."""
        loss = self.objective.loss
        if self.observed and loss.at_once:
            return loss.second_order(scores, y)
        first, *others = loss.curvatures()
        curvature = first if self.observed else others[0]
        return *loss.value_and_slope(scores, y), curvature(scores, y)


def inverse_root(factor, root):
    """P with P P^T the inverse of the matrix of which ``definite_factor`` gave these."""
    inverse, _ = linalg.lapack.dtrtri(factor, lower=1)
    return np.tril(inverse).T / root[:, None]


class _Remembered:
    """An objective that remembers what it said of the points it was asked for last."""

    def __init__(self, objective):
        self._objective = objective
        self._values, self._matrices = (None, None), (None, None)

    def __call__(self, free):
        if self._values[0] is not free:
            self._values = free, self._objective(free)
        return self._values[1]

    def curvatures(self, free):
        if self._matrices[0] is not free:
            self._matrices = free, _Lazy(self._objective.curvatures(free))
        return iter(self._matrices[1])


class _Lazy:
    """What an iterator yields, computed when it is asked for and kept."""

    def __init__(self, iterator):
        self._iterator, self._known = iterator, []

    def __iter__(self):
        yield from self._known
        for item in self._iterator:
            self._known.append(item)
            yield item
