"""Whether a loss without a penalty has a minimum at finite coefficients.

It has none if a direction d of the parameters separates the classes, wholly or in part: if no row's
observed class loses by it against any other, and one gains. With a_ij the change of the
parameters that moves row i's score difference between its class and j, and l_ij > 0 the slope of
the loss in that difference, the gradient is -sum l_ij a_ij. By Stiemke's lemma there is no such
d if and only if sum m_ij a_ij = 0 for some positive m_ij. Close to a minimum these are at
hand: m = l (1 - a s), where s solves (sum l a a^T) s = sum l a, is positive if all a s < 1. So
the classes overlap if a step like Newton's moves no score difference by 1; where they
are separated, it always moves one by 1 or more.
"""

import time
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from .._linalg import unit_diagonal

# Slopes below this, relative to the largest, are left out of the sums, and must not be needed.
_SMALL_SLOPE = 1e-8
_MOVED = 0.5  # less than 1, for rounding
_UNSEEN = 1e-12  # eigenvalue of the matrix of the sums, its diagonal being 1: it may be rounding
_SCORE_ROUNDING = 1e-7  # of a score that a step does not change, relative to others
_GAIN, _LOSS = 1e-5, 1e-6  # of a score, the coefficients and features being 1 at most
_FIRST, _MORE = 2000, 500  # rows whose gains a linear program is told of, at first and later
_ROUNDS = 200
_LARGEST_PROGRAM = 600  # parameters of a linear program: more may take minutes
_SECONDS = 20.0  # for all of them


def finite_minimum(objective, free):
    """Whether an unpenalised objective has its minimum at finite parameters, and how far away.

    Parameters
    ----------
    objective : LinearObjective
        Without a penalty.
    free : ndarray of shape (n_parameters,)
        Where a solver stopped.

    Returns
    -------
    proved : bool
        False if the classes are separated, or the point is not yet close enough to a minimum.
    distance : float
        To the minimum, about, in standard errors of the coefficient that is furthest from it.
    """
    if not objective.loss.falls_with_gain:
        return curved_minimum(objective, free)
    objective = objective.with_hard_labels()
    smallest = _SMALL_SLOPE * objective.largest_over_rows(_largest_slope, free)
    matrix = objective.sum_over_rows(_matrix_of_slopes, free, smallest) / objective.total
    _, gradient = objective(free)
    scaled, root = unit_diagonal(matrix)
    values, vectors = np.linalg.eigh(scaled)
    regular = values > _UNSEEN
    along = vectors[:, regular].T @ (-gradient / root)
    step = vectors[:, regular] @ (along / values[regular]) / root
    distance = np.sqrt(objective.total * max(-gradient @ step, 0.0))
    if objective.largest_over_rows(_largest_move, free, step, smallest) >= _MOVED:
        return False, distance
    # A direction that no large slope sees: does it change any score difference at all?
    unseen = vectors[:, ~regular]
    unseen = np.where(np.abs(unseen) > _UNSEEN, unseen, 0.0) / root[:, None]
    return not any(_changes_scores(objective, direction) for direction in unseen.T), distance


def curved_minimum(objective, free):
    """The same for a loss that need not fall when the observed class gains, as with wrong labels.

    It can be bounded, and then falls towards a limit far away on every side. So this is about a
    minimum nearby: the second derivative is definite, and Newton's step is short.

    Parameters
    ----------
    objective : LinearObjective or another with `scores`, `total` and `y`
    free : ndarray of shape (n_parameters,)

    Returns
    -------
    proved : bool
    distance : float
    """
    _, gradient = objective(free)
    scaled, root = unit_diagonal(next(objective.curvatures(free)))
    values, vectors = np.linalg.eigh(scaled)
    regular = values > _UNSEEN
    along = vectors[:, regular].T @ (-gradient / root)
    step = vectors[:, regular] @ (along / values[regular]) / root
    distance = np.sqrt(objective.total * max(-gradient @ step, 0.0))
    if values[0] < -_UNSEEN or np.ptp(objective.scores(step), axis=1).max() >= _MOVED:
        return False, distance
    unseen = vectors[:, ~regular] / root[:, None]
    return not any(_changes_scores(objective, direction) for direction in unseen.T), distance


def _largest_slope(objective, free):
    return objective.losses(free)[1].max()


def _matrix_of_slopes(objective, free, smallest):
    def pull(scores, y):
        return _pull(objective.loss.value_and_slope(scores, y)[1], y, smallest)

    return objective.total * objective.assemble(free, pull)


def _pull(slope, y, smallest):
    """Sum over j != y of l_j (e_y - e_j)(e_y - e_j)^T, of the slopes that are not too small."""
    each, n_classes = np.arange(len(y)), slope.shape[1]
    slope = np.where(slope > smallest, slope, 0.0)  # that of y itself is negative
    matrices = np.zeros((len(y), n_classes, n_classes))
    np.einsum("njj->nj", matrices)[:] = slope
    matrices[each, y] = matrices[each, :, y] = -slope
    matrices[each, y, y] = slope.sum(axis=1)
    return matrices


def _gain(scores, y):
    """By how much the observed class gains on the others."""
    return scores[np.arange(len(y)), y][:, None] - scores


def _largest_move(objective, free, step, smallest):
    """By how much a step moves a score difference, of those whose slope counts."""
    gain = _gain(objective.scores(step), objective.y)
    return gain[objective.losses(free)[1] > smallest].max(initial=-np.inf)


def _largest_gain(objective, direction):
    return np.abs(_gain(objective.scores(direction), objective.y)).max()


def _largest_score(objective, direction):
    return np.abs(objective.scores(direction)).max()


def _changes_scores(objective, direction):
    largest = objective.largest_over_rows(_largest_gain, direction)
    # What the same coefficients could change if they did not cancel.
    bound = objective.largest_over_rows(_largest_score, np.abs(direction))
    return largest > _SCORE_ROUNDING * bound


class UnsettledError(Exception):
    """Whether the classes are separated was not found out."""


class Separation(NamedTuple):
    """A direction that separates, in words.

    Attributes
    ----------
    columns : tuple of int
        Features that take part, none of which can be spared.
    classes : tuple of (int, int)
        Pairs (class, other): rows of the class that gain on the other.
    n_rows : int
        Rows that gain.
    """

    columns: tuple
    classes: tuple
    n_rows: int


def find_separations(objective):
    """Sets of features that separate classes, wholly or in part; no two sets share a feature.

    By linear programs: the largest sum of gains of a direction in a box, by which no row's class
    loses against any other (Konis 2007).

    Parameters
    ----------
    objective : LinearObjective
        Standardised, so that a coefficient of 1 and a gain mean the same for all features.

    Returns
    -------
    list of Separation
        Empty if the classes that have rows overlap; one without rows is left aside.

    Raises
    ------
    UnsettledError
        If the programs are too large, or take too long.
    """
    if objective.n_parameters > _LARGEST_PROGRAM:
        raise UnsettledError
    program = _Program(objective)
    n_features, found = program.n_features, []
    columns = np.arange(n_features)
    while columns.size:
        direction = program.solve(columns)
        if direction is None:
            break
        size = np.abs(direction.reshape(objective.shape)[:, :n_features]).max(axis=0)
        columns_of_it = columns[np.argsort(size[columns])]
        columns_of_it = _irreducible(columns_of_it[size[columns_of_it] > 0], program.solve)
        gain = program.gain(program.solve(columns_of_it)) > _GAIN
        own, other = np.repeat(objective.y, gain.sum(axis=1)), np.nonzero(gain)[1]
        pairs = np.unique(np.column_stack([own, other]), axis=0)
        found.append(
            Separation(
                tuple(sorted(columns_of_it.tolist())),
                tuple(map(tuple, pairs.tolist())),
                int(gain.any(axis=1).sum()),
            )
        )
        columns = np.setdiff1d(columns, columns_of_it)
    return found


def _irreducible(columns, separates):
    """A part of the columns that still separates, and nothing less of it does.

    The first are left out first, by halves, quarters, ...
    """
    size = (len(columns) + 1) // 2
    while size:
        start = 0
        while start < len(columns) and len(columns) > 1:
            rest = np.delete(columns, slice(start, start + size))
            if rest.size and separates(rest) is not None:
                columns = rest
            else:
                start += size
        size = size // 2
    return columns


class _Program:
    """Directions by which no row's class loses, found with few of the rows at a time."""

    def __init__(self, objective):
        self._objective = objective
        self._deadline = time.monotonic() + _SECONDS
        constraint = objective.constraint
        self._basis = constraint.expand(np.eye(constraint.n_free))
        self.n_features = objective.n_features
        y, n_classes = objective.y, constraint.n_classes
        self._present = np.unique(y)
        # Each row's class gains on every other.
        slope = np.zeros((len(y), n_classes))
        slope[:, self._present] = -1.0
        slope[np.arange(len(y)), y] = len(self._present) - 1.0
        total = objective.sums_of_rows(slope)
        self._total = total / len(y)
        known = np.unique(np.linspace(0, len(y) - 1, _FIRST // (n_classes - 1)).astype(int))
        pairs = [(i, j) for i in known for j in self._present if j != y[i]]
        self._gains = self._rows(*np.transpose(pairs))

    def _rows(self, rows, others):
        """What the gain of a row's class on another is multiplied from: (n, n_parameters)."""
        design = self._objective.design(rows)
        difference = self._basis[self._objective.y[rows]] - self._basis[others]
        return (difference[:, :, None] * design[:, None, :]).reshape(len(rows), -1)

    def gain(self, direction):
        """By how much each row's class gains on each other that has rows."""
        gain = _gain(self._objective.scores(direction), self._objective.y)
        absent = np.setdiff1d(np.arange(gain.shape[1]), self._present)
        gain[:, absent] = 0.0
        return gain

    def solve(self, columns):
        """A direction of the free parameters that uses these columns only, or None."""
        objective, width = self._objective, self._objective.shape[1]
        allowed = np.zeros(objective.shape)
        allowed[:, columns] = 1.0
        allowed[:, self.n_features :] = 1.0
        free = np.flatnonzero(allowed.ravel())
        # What the intercept may have to make up for.
        bounds = (
            np.array([[-1.0, 1.0]]) * np.where(free % width < self.n_features, 1, width)[:, None]
        )
        for _ in range(_ROUNDS):
            result = linprog(
                -self._total[free],
                A_ub=-self._gains[:, free],
                b_ub=np.zeros(len(self._gains)),
                bounds=bounds,
                options={"time_limit": max(self._deadline - time.monotonic(), 0.0)},
            )
            if result.status != 0:
                raise UnsettledError
            direction = np.zeros(objective.n_parameters)
            direction[free] = np.where(np.abs(result.x) > _LOSS, result.x, 0.0)
            gain = self.gain(direction)
            if gain.max() <= _GAIN:
                return None
            lost = np.flatnonzero(gain.min(axis=1) < -_LOSS)
            if not lost.size:
                return direction
            worst = lost[np.argsort(gain[lost].min(axis=1))[:_MORE]]
            more = self._rows(worst, gain[worst].argmin(axis=1))
            self._gains = np.concatenate([self._gains, more])
        raise UnsettledError
