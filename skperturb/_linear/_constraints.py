"""Constraints on the scores: how free parameters become one row of coefficients per class.

Adding the same number to all scores changes no probability, so that K rows of coefficients
have one row too many. A constraint maps ``free`` parameters (n_free, ...) linearly to ``full``
ones (K, ...), and carries gradients back by the transpose:

    full = expand(free),     gradient in free = restrict(gradient in full),

and ``contract`` finds the free parameters of rows that are in the constraint set but for a
common shift.

``n_classes`` and ``n_free`` are their numbers, ``rows`` the classes whose row is not zero by
definition. The map keeps lengths (|full| = |free|), so that the penalty 1/2 |coef|^2 is
1/2 |free|^2; with two classes free is the one coefficient vector, the difference of the two rows.
"""

import numpy as np


class SumToZero:
    """Rows that sum to zero, in an orthonormal basis of that plane.

    The basis is the Householder reflection that maps the first axis to (1, ..., 1)/sqrt(K),
    less its first column: applied in O(K), never stored.
    """

    def __init__(self, n_classes):
        self.n_classes, self.n_free = n_classes, n_classes - 1
        self.rows = np.arange(n_classes)
        self._normal = np.full(n_classes, -1 / np.sqrt(n_classes))
        self._normal[0] += 1
        self._normal /= np.linalg.norm(self._normal)

    def expand(self, free):
        rows = free.reshape(self.n_free, -1)
        full = np.outer(self._normal, -2 * (self._normal[1:] @ rows))
        full[1:] += rows
        return full.reshape(self.n_classes, *free.shape[1:])

    def restrict(self, full):
        rows = full.reshape(self.n_classes, -1)
        free = np.outer(self._normal[1:], -2 * (self._normal @ rows))
        free += rows[1:]
        return free.reshape(self.n_free, *full.shape[1:])

    contract = restrict


class Reference:
    """One class, the reference, has coefficients zero."""

    def __init__(self, n_classes, reference):
        self.n_classes, self.n_free = n_classes, n_classes - 1
        self.rows = np.delete(np.arange(n_classes), reference)
        self._reference = reference

    def expand(self, free):
        full = np.zeros((self.n_free + 1, *free.shape[1:]), dtype=free.dtype)
        full[self.rows] = free
        return full

    def restrict(self, full):
        return full[self.rows]

    def contract(self, full):
        return full[self.rows] - full[self._reference]


class TwoClasses:
    """The one vector w of two classes: scores (0, x w).

    Any other split of the difference over the two classes gives the same probabilities, so
    that all constraints coincide.
    """

    n_classes, n_free = 2, 1
    rows = np.array([1])

    def expand(self, free):
        return np.concatenate([np.zeros_like(free), free])

    def restrict(self, full):
        return full[1:]

    def contract(self, full):
        return full[1:] - full[:1]


def make_constraint(name, n_classes, reference):
    """The constraint of that name.

    Parameters
    ----------
    name : {"sum_to_zero", "reference", None}
    n_classes : int
    reference : int
        Index of the reference class; used by "reference" alone.
    """
    if n_classes == 2:
        return TwoClasses()
    if name == "reference":
        return Reference(n_classes, reference)
    # Of all that give the same probabilities, the rows that sum to zero have the least penalty:
    # with no constraint they are the solution, too, and without a penalty the shortest one.
    return SumToZero(n_classes)
