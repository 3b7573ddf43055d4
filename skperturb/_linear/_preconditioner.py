"""Coordinates in which a function's curvature is about the same in all directions.

An object of this module maps v to x = point(v), linearly, and a gradient in x to one in v by the
transpose. L-BFGS then needs a fraction of the iterations; how good the coordinates are decides
nothing else.
"""

import numpy as np
from scipy import linalg


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
