"""Noise with kinks whose CDF is elementary between them: no table, no mesh.

Between two kinks the CDF is a + b phi(z), phi one of the functions of ``KINDS``, and an integrand
of K classes is a product of K such functions. ``_pieces_numpy`` says how its integral is computed,
once in NumPy and once compiled.
"""

import numpy as np

from ._pieces_numpy import CONSTANT, DECAYED, FALLING, LINEAR, RISING, WIDEST
from ._sums import sums
from ._translation import with_zero_row_sums, with_zero_sums

KINDS = ("1", "z", "exp(z)", "exp(-z)")  # CONSTANT, LINEAR, RISING, FALLING
_NODES = (4, 8, 12, 16, 20)  # of the Gauss rules
_ROUNDING = 1e-12  # of a CDF


class Branches:
    """What a law says of its branches, as arrays.

    Parameters
    ----------
    law : Law
        Of scale 1, with ``branches``.

    Attributes
    ----------
    kink, jump : ndarray of shape (n_kinks,)
        Where branches end, and what the density rises by there.
    a, b : ndarray of shape (n_kinks + 1,)
        The CDF is a + b phi(z).
    kind : ndarray of shape (n_kinks + 1,), int
        Which of ``KINDS`` phi is.
    full : float
        Above it the CDF is 1 to all digits, and WIDEST below it still is.
    rules : ndarray of shape (5, 2, 20)
        Places in [0, 1] and weights of the Gauss-Legendre rules with 4, 8, ..., 20 nodes.

    Raises
    ------
    ValueError
        If they are not the branches of a CDF without atoms.
    """

    def __init__(self, law):
        self.kink = np.array(law.kinks, dtype=float)
        a, b, names = zip(*law.branches, strict=True)
        self.a, self.b = np.array(a, dtype=float), np.array(b, dtype=float)
        self.kind = np.array([KINDS.index(name) for name in names], dtype=np.intp)
        sides = np.arange(len(self.kink))
        (left, left_slope), (right, right_slope) = (
            self.values(self.kink, sides + side) for side in (0, 1)
        )
        jump = right_slope - left_slope
        self.jump = np.where(np.abs(jump) > _ROUNDING, jump, 0.0)
        first, last = self.kind[[0, -1]]
        begins = self.a[0] == 0 and (first == RISING or (first == CONSTANT and self.b[0] == 0))
        ends = self.a[-1] == 1 and (last == FALLING or (last == CONSTANT and self.b[-1] == 0))
        falls = min(np.min(left_slope), np.min(right_slope)) < 0
        if not (begins and ends) or falls or np.abs(left - right).max() > _ROUNDING:
            raise ValueError(
                f"The branches of {law!r} must be those of a continuous CDF: from 0 or b exp(z), "
                "never falling and equal where they meet, to 1 or 1 + b exp(-z)."
            )
        self.full = self.kink[-1]
        if last == FALLING:
            self.full = np.log(-self.b[-1]) + DECAYED + WIDEST
        self.rules = np.zeros((len(_NODES), 2, _NODES[-1]))
        for rule, n in zip(self.rules, _NODES, strict=True):
            nodes, weights = np.polynomial.legendre.leggauss(n)
            rule[:, :n] = (nodes + 1) / 2, weights / 2

    def values(self, z, branch):
        """CDF and density at z, by the branches of these numbers: arrays of one shape."""
        a, b, kind = self.a[branch], self.b[branch], self.kind[branch]
        rising, falling = kind == RISING, kind == FALLING
        power = np.exp(np.where(falling, -z, np.where(rising, z, 0.0)))
        phi = np.where(kind == CONSTANT, 0.0, np.where(kind == LINEAR, z, power))
        slope = np.where(falling, -power, np.where(kind == CONSTANT, 0.0, power))
        return a + b * phi, b * slope

    def at(self, z):
        """CDF and density at z; at a kink the density is the mean of both sides."""
        (cdf, below), (_, above) = (
            self.values(z, np.searchsorted(self.kink, z, side)) for side in ("left", "right")
        )
        return cdf, (below + above) / 2


class PieceKernel:
    """A law that states its branches.

    Parameters
    ----------
    law : Law
        Of scale 1.
    """

    fewest_scores = 1 << 12
    by_margin = False

    def __init__(self, law):
        self._branches = Branches(law)

    def proba(self, scores):
        return sums.integrate_pieces(self._branches, scores)[1]

    def log_proba(self, scores):
        return sums.integrate_pieces(self._branches, scores, logs=True)[1]

    def log_likelihood(self, scores, y):
        return sums.integrate_pieces(self._branches, scores, y)[:2]

    def second_order(self, scores, y):
        log_p, gradient, matrices = sums.integrate_pieces(self._branches, scores, y, second=True)
        return log_p, gradient, with_zero_sums(matrices, y)

    def hessian(self, scores, y):
        return self.second_order(scores, y)[2]

    def potential(self, scores):
        return self.potential_and_proba(scores)[0]

    def potential_and_proba(self, scores):
        height, p, _ = sums.integrate_pieces(self._branches, scores)
        level, _, _ = sums.integrate_pieces(self._branches, np.zeros((1, scores.shape[1])))
        return scores.max(axis=1) + (height - level), p

    def jacobian(self, scores):
        return with_zero_row_sums(sums.integrate_pieces(self._branches, scores, second=True)[2])
