"""Loss functions of scores and observed classes; they know nothing of features.

A loss has

    value_and_slope(scores, y) -> (loss of shape (n,), its derivative in the scores (n, K))
    convex                     -> whether it is known to be convex in the scores
    curvatures()               -> functions of (scores, y) that give matrices (n, K, K): the second
                                  derivative first, and where that can be indefinite a positive
                                  semidefinite matrix to put in its place.

A new loss is one class and a line in ``LOSSES``.
"""

import numpy as np

from .._engine._kernels import expected_information


class LogLoss:
    """-log p_y: minus the log likelihood.

    Convex where the noise has a log-concave density (Prekopa); elsewhere the second derivative can
    be indefinite, and the expected information stands in for it.

    Parameters
    ----------
    kernel : object with the methods of ``_kernels``
    log_concave : bool or None
        Whether the density of the noise is log-concave; None if that is not known.
    """

    def __init__(self, kernel, log_concave):
        self._kernel, self.convex = kernel, bool(log_concave)

    def value_and_slope(self, scores, y):
        log_p, gradient = self._kernel.log_likelihood(scores, y)
        return -log_p, np.negative(gradient, out=gradient)

    def curvatures(self):
        yield lambda scores, y: -self._kernel.hessian(scores, y)
        if not self.convex:
            yield lambda scores, y: expected_information(self._kernel, scores)


class FenchelYoungLoss:
    """G(scores) - scores_y, G the potential: the derivative is p - e_y.

    Convex for every noise, and finite where p_y is zero. Up to a constant it is the Fenchel-Young
    loss of Berthet et al. (2020), "Learning with differentiable perturbed optimizers".

    Parameters
    ----------
    kernel : object with the methods of ``_kernels``
    log_concave : bool or None
        Of no importance here.
    """

    convex = True

    def __init__(self, kernel, log_concave):
        self._kernel = kernel

    def value_and_slope(self, scores, y):
        each = np.arange(len(y))
        slope = self._kernel.proba(scores)
        slope[each, y] -= 1
        return self._kernel.potential(scores) - scores[each, y], slope

    def curvatures(self):
        yield lambda scores, y: self._kernel.jacobian(scores)


LOSSES = {"log_loss": LogLoss, "fenchel_young": FenchelYoungLoss}
