"""Gumbel noise in closed form: multinomial logistic regression."""

import numpy as np
from scipy.special import log_softmax, logsumexp

from ._sums import sums
from ._translation import with_zero_row_sums


class SoftmaxKernel:
    """Standard Gumbel noise: p = softmax(scores)."""

    fewest_scores = 1 << 16
    by_margin = False

    def proba(self, scores):
        # scipy's softmax checks more than it computes where there are few rows.
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p

    def log_proba(self, scores):
        return log_softmax(scores, axis=1)

    def log_likelihood(self, scores, y):
        return sums.softmax_likelihood(scores, y)

    def hessian(self, scores, y):
        return -self.jacobian(scores)

    def second_order(self, scores, y):
        log_p, gradient = self.log_likelihood(scores, y)
        p = -gradient
        p[np.arange(len(y)), y] += 1.0
        return log_p, gradient, -_softmax_jacobian(p)

    def potential(self, scores):
        return logsumexp(scores, axis=1) - np.log(scores.shape[1])

    def potential_and_proba(self, scores):
        return self.potential(scores), self.proba(scores)

    def jacobian(self, scores):
        return _softmax_jacobian(self.proba(scores))

    def hessian_product(self, scores, y, v):
        return -self.jacobian_product(scores, v)

    def jacobian_product(self, scores, v):
        p = self.proba(scores)
        return p * (v - np.sum(p * v, axis=1, keepdims=True))


def _softmax_jacobian(p):
    return with_zero_row_sums(-p[:, :, None] * p[:, None, :])
