"""A common shift of a row's scores changes nothing: what follows from that for a kernel."""

import numpy as np

LARGEST_SCORE = 1e300
_FURTHEST = 1e150  # distance whose square is finite


def furthest(law):
    """The largest distance between classes at which log p is a finite number, about."""
    with np.errstate(over="ignore", divide="ignore"):
        reached = law.logcdf(np.array([-2 * LARGEST_SCORE]))[0] > -1e305
    return 2 * LARGEST_SCORE if reached else _FURTHEST


def below_best(scores, furthest=_FURTHEST):
    """Distance of each class below its row's best; a larger one than `furthest` counts as that."""
    with np.errstate(over="ignore"):
        return np.minimum(scores.max(axis=1, keepdims=True) - scores, furthest)


def with_zero_sum(gradient, target):
    """Choose the target's entry of each row of a gradient (n, K) such that the row sums to zero."""
    each = np.arange(len(target))
    gradient[each, target] = 0.0
    gradient[each, target] = -gradient.sum(axis=1)
    return gradient


def with_zero_row_sums(matrices):
    """Choose the diagonals of (n, K, K) such that rows sum to zero."""
    diagonal = np.arange(matrices.shape[1])
    matrices[:, diagonal, diagonal] = 0.0
    matrices[:, diagonal, diagonal] = -matrices.sum(axis=2)
    return matrices


def with_zero_sums(matrices, target):
    """Choose the target's row and column of (n, K, K) such that rows and columns sum to zero."""
    each = np.arange(len(target))
    matrices[each, target] = 0.0
    matrices[each, :, target] = 0.0
    last = -matrices.sum(axis=2)
    matrices[each, :, target] = last
    matrices[each, target] = last
    matrices[each, target, target] = -last.sum(axis=1)
    return matrices
