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

import numpy as np

from ._solvers import unit_diagonal

# Slopes below this, relative to the largest, are left out of the sums, and must not be needed.
_SMALL_SLOPE = 1e-8
_MOVED = 0.5  # less than 1, for rounding
_SINGULAR = 1e-12  # eigenvalue of the matrix of the sums, its diagonal being 1
_ROUNDING = 1e-7  # of a score that a step does not change, relative to others


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
    _, slope = objective.losses(free)
    smallest = _SMALL_SLOPE * slope.max()
    matrix = objective.assemble(
        free, lambda scores, y: _pull(objective.loss.value_and_slope(scores, y)[1], y, smallest)
    )
    _, gradient = objective(free)
    scaled, root = unit_diagonal(matrix)
    values, vectors = np.linalg.eigh(scaled)
    regular = values > _SINGULAR
    along = vectors[:, regular].T @ (-gradient / root)
    step = vectors[:, regular] @ (along / values[regular]) / root
    distance = np.sqrt(objective.total * max(-gradient @ step, 0.0))
    if np.any(_gain(objective.scores(step), objective.y)[slope > smallest] >= _MOVED):
        return False, distance
    # A direction that no large slope sees: does it change any score difference at all?
    unseen = vectors[:, ~regular] / root[:, None]
    return not any(_changes_scores(objective, direction) for direction in unseen.T), distance


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


def _changes_scores(objective, direction):
    largest = np.abs(_gain(objective.scores(direction), objective.y)).max()
    # What the same coefficients could change if they did not cancel.
    bound = np.abs(objective.scores(np.abs(direction))).max()
    return largest > _ROUNDING * bound
