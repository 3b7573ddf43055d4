"""Linear algebra of matrices whose rows have very different units, and sums of large ones."""

import numpy as np
from scipy import linalg

# Rows of the largest matrix whose eigenvalues are computed: that takes seconds and 18 MB.
MOST_PARAMETERS = 1500
LEAST_DAMPING = 1e-9  # multiple of a matrix's diagonal that exceeds the rounding of its entries
_SMALLEST_PIVOT = 1e-11  # the diagonal being 1: what is smaller may be rounding alone


def unit_diagonal(matrices, of_zero=1.0):
    """Matrices in units in which their diagonal is 1 (or 0, or -1), and those units.

    Parameters
    ----------
    matrices : ndarray of shape (..., n, n)
    of_zero : float, default=1.0
        The unit where the diagonal is zero.

    Returns
    -------
    scaled : ndarray of shape (..., n, n)
    root : ndarray of shape (..., n)
    """
    root = np.sqrt(np.abs(np.diagonal(matrices, axis1=-2, axis2=-1)))
    root = np.where(root == 0, of_zero, root)
    return matrices / root[..., :, None] / root[..., None, :], root


def definite_factor(matrices, damping):
    """Cholesky factor of the first definite matrix, or else of the last one with more damping.

    Parameters
    ----------
    matrices : iterable of ndarray of shape (n, n)
        Taken one by one as they are needed.
    damping : float
        Multiple of the diagonal that is added to each.

    Returns
    -------
    factor : ndarray of shape (n, n)
        Lower triangle; of the matrix in units in which its diagonal is 1.
    root : ndarray of shape (n,)
        Those units.
    damping : float
        The damping it needed.
    """
    for matrix in matrices:
        factor, root = _factor(matrix, damping)
        if factor is not None:
            return factor, root, damping
    while factor is None:
        # The last matrix is semidefinite but for rounding: some damping makes it definite.
        damping = max(10 * damping, LEAST_DAMPING)
        factor, root = _factor(matrix, damping)
    return factor, root, damping


def _factor(matrix, damping):
    """Factor, None if matrix + damping * diagonal is not positive definite, and units."""
    scaled, root = unit_diagonal(matrix)
    scaled[np.diag_indices_from(scaled)] += damping
    factor, info = linalg.lapack.dpotrf(scaled, lower=1)
    definite = not info and np.diag(factor).min() ** 2 > _SMALLEST_PIVOT
    return (factor if definite else None), root


def sum_of_tuples(tuples):
    """Entry by entry."""
    first, *rest = tuples
    if not rest:
        return first
    total = [np.add(a, b) for a, b in zip(first, rest[0], strict=True)]
    for entries in rest[1:]:
        # In place: new memory for large matrices takes longer than to add them.
        total = [
            np.add(a, b, out=a) if np.ndim(a) else a + b
            for a, b in zip(total, entries, strict=True)
        ]
    return total
