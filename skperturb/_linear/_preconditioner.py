"""Coordinates in which a function's curvature is about the same in all directions.

An object of this module maps v to x = point(v), linearly, and a gradient in x to one in v by the
transpose. L-BFGS then needs a fraction of the iterations; how good the coordinates are decides
nothing else.
"""

import numpy as np
from scipy import linalg

from .._linalg import definite_factor

# A matrix for the scaling is made if that takes no longer than so many evaluations, and more for
# each iteration that has gone by. The work of an evaluation for a row is about that many
# multiplications for each parameter and for each class, that of the matrix for each pair of them.
_EVALUATIONS, _MORE = 30, 10
_OF_PARAMETER, _OF_CLASS, _OF_PARAMETERS, _OF_CLASSES = 4, 300, 1, 100
_LARGEST_MATRIX = 1000  # rows of the matrix: its factor takes 8 MB
_ROWS_OF_SIZE = 500  # rows of data that tell the size of a row's curvature
_LEAST_BEND = 1e-2  # share of a row's curvature at equal scores that it counts as everywhere
_DAMPING = 1e-6  # of the diagonal: coordinates need no more digits than that


class Unscaled:
    """x itself."""

    def point(self, v):
        return v

    gradient = point


class Whitened:
    """By a Cholesky factor of the matrix of second derivatives.

    Parameters
    ----------
    factor : ndarray of shape (n, n)
        Lower triangle, of the matrix in units in which its diagonal is 1.
    root : ndarray of shape (n,)
        Those units.
    """

    def __init__(self, factor, root):
        self._factor, self._root = factor, root

    def point(self, v):
        return self._solve(v, "T") / self._root

    def gradient(self, g):
        return self._solve(g / self._root, "N")

    def _solve(self, vector, transposed):
        return linalg.solve_triangular(
            self._factor, vector, lower=True, trans=transposed, check_finite=False
        )


class WhitenedRows:
    """The same for each of the rows that x consists of, with one matrix for all.

    Parameters
    ----------
    matrix : ndarray of shape (width, width)
        Positive definite.
    """

    def __init__(self, matrix):
        self._inverse = np.linalg.inv(np.linalg.cholesky(matrix))

    def point(self, v):
        return (v.reshape(-1, len(self._inverse)) @ self._inverse).ravel()

    def gradient(self, g):
        return (g.reshape(-1, len(self._inverse)) @ self._inverse.T).ravel()


class Stretched:
    """By the diagonal of such a matrix.

    Parameters
    ----------
    root : ndarray of shape (n,)
        Of its entries.
    """

    def __init__(self, root):
        self._root = root

    def point(self, v):
        return v / self._root

    gradient = point


def whitened(part, x, n_iter):
    """Coordinates that fit the curvature of a part of the rows, None if that is a large matrix."""
    if part.n_parameters > _LARGEST_MATRIX:
        return None
    factor, root, _ = definite_factor(part.curvatures(x), _DAMPING)
    return Whitened(factor, root)


def scaling_at(part, whole, x, n_iter):
    """Coordinates for L-BFGS on the whole that fit the curvature of a part of its rows at x.

    Where a matrix would take longer than it is likely to save, they fit its diagonal.
    """
    n_classes, size, width = whole.constraint.n_classes, whole.n_parameters, whole.shape[1]
    evaluation = whole.n_rows * (_OF_PARAMETER * size + _OF_CLASS * n_classes)
    work = (_EVALUATIONS + _MORE * n_iter) * evaluation
    of_row = _OF_PARAMETERS * size**2 + _OF_CLASSES * n_classes**2
    if size <= _LARGEST_MATRIX and part.n_rows * of_row <= work:
        return whitened(part, x, n_iter)
    # As if the second derivative in the scores were the same for all rows and classes: about
    # their mean squared slope (the information equality), or a share of that of equal scores, as
    # rows that fit well have none until they move.
    rows = np.linspace(0, part.n_rows - 1, min(part.n_rows, _ROWS_OF_SIZE)).astype(int)
    here, before = (np.mean(part.losses(at, rows)[1] ** 2) for at in (x, np.zeros_like(x)))
    bend = max(here, _LEAST_BEND * before)
    if width > _LARGEST_MATRIX or part.n_rows * width**2 > work:
        diagonal = bend * part.rows.squares(part.weight) + part.ridge()
        return Stretched(np.tile(np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), size // width))
    matrix = bend * part.gram() + np.diag(part.ridge())
    diagonal = np.diag(matrix)
    np.fill_diagonal(matrix, np.where(diagonal > 0, (1 + _DAMPING) * diagonal, 1.0))
    return WhitenedRows(matrix)
