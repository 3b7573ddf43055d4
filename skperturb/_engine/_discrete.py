"""Discrete noise: probabilities that are step functions of the scores.

Equal values are shared evenly, as if the noise had a further part, iid, continuous and smaller
than anything else. Given that part's CDF u of the winner's, class j loses to it with probability
F(t-) + u P(t), t its distance to the winner: a polynomial in u, which Gauss-Legendre nodes
integrate exactly.
"""

import numpy as np

_BLOCK_ELEMENTS = 1 << 20


class DiscreteKernel:
    """Perturb-Argmax of discrete noise: a kernel whose likelihood has no slope.

    Parameters
    ----------
    law : Discrete
    """

    fewest_scores = 1 << 6
    by_margin = False

    def __init__(self, law):
        self._values, self._masses = law.masses()
        self._below = np.append(0.0, np.cumsum(self._masses))
        self._equal = law.resolution

    def proba(self, scores):
        n, n_classes = scores.shape
        u, weights = np.polynomial.legendre.leggauss(n_classes // 2 + 1)
        u, weights = (u + 1) / 2, weights / 2
        p = np.empty(scores.shape)
        size = max(1, _BLOCK_ELEMENTS // (n_classes * len(self._values) * len(u)))
        for start in range(0, n, size):
            rows = scores[start : start + size]
            for i in range(n_classes):
                lead = rows[:, [i]] - np.delete(rows, i, axis=1)
                less, equal = self._less_and_equal(lead[:, None, :] + self._values[:, None])
                loses = less[..., None] + equal[..., None] * u
                p[start : start + size, i] = loses.prod(axis=2) @ weights @ self._masses
        return p / p.sum(axis=1, keepdims=True)

    def log_proba(self, scores):
        with np.errstate(divide="ignore"):
            return np.log(self.proba(scores))

    def log_likelihood(self, scores, y):
        """log p of one class a row (n,), and its gradient (n, K): zero, as that of p."""
        return self.log_proba(scores)[np.arange(len(y)), y], np.zeros(scores.shape)

    def potential(self, scores):
        return self._mean_maximum(scores) - self._mean_maximum(np.zeros_like(scores[:1]))

    def potential_and_proba(self, scores):
        return self.potential(scores), self.proba(scores)

    def _mean_maximum(self, scores):
        """E[max(scores + noise)]: the winner's value is one of scores + values."""
        out = np.empty(len(scores))
        for row, score in enumerate(scores):
            at = np.unique(np.add.outer(score, self._values))
            less, equal = self._less_and_equal(at[:, None] - score)
            reached = (less + equal).prod(axis=1)
            out[row] = at @ np.diff(reached, prepend=0.0)
        return out

    def jacobian(self, scores):
        """Zero: where the probabilities jump, they have no derivative."""
        return np.zeros((*scores.shape, scores.shape[1]))

    def _less_and_equal(self, x):
        """P(noise < x) and P(noise = x)."""
        first = np.searchsorted(self._values, x - self._equal, side="left")
        last = np.searchsorted(self._values, x + self._equal, side="right")
        return self._below[first], self._below[last] - self._below[first]
