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

from .._engine import expected_information, make_kernel
from ..noise import Gumbel, interquartile_range


class _Loss:
    """What losses share.

    Parameters
    ----------
    law : Noise or another law of the engine
    n_classes : int

    Attributes
    ----------
    kernel : object with the methods of ``_kernels``
    """

    def __init__(self, law, n_classes):
        self._law, self._n_classes = law, n_classes
        self.kernel = make_kernel(law, n_classes)

    def with_gumbel_noise(self):
        """The same loss with Gumbel noise of the same width: convex, and quick to compute."""
        width = interquartile_range(self._law) / interquartile_range(Gumbel())
        return type(self)(Gumbel(width), self._n_classes)


class LogLoss(_Loss):
    """-log p_y: minus the log likelihood.

    Convex where the noise has a log-concave density (Prekopa); elsewhere the second derivative can
    be indefinite, and the expected information stands in for it.
    """

    @property
    def convex(self):
        return bool(self._law.log_concave)

    def value_and_slope(self, scores, y):
        log_p, gradient = self.kernel.log_likelihood(scores, y)
        return -log_p, np.negative(gradient, out=gradient)

    def curvatures(self):
        yield lambda scores, y: -self.kernel.hessian(scores, y)
        if not self.convex:
            yield lambda scores, y: expected_information(self.kernel, scores)


class FenchelYoungLoss(_Loss):
    """G(scores) - scores_y, G the potential: the derivative is p - e_y.

    Convex for every noise, and finite where p_y is zero. Up to a constant it is the Fenchel-Young
    loss of Berthet et al. (2020), "Learning with differentiable perturbed optimizers".
    """

    convex = True

    def value_and_slope(self, scores, y):
        each = np.arange(len(y))
        potential, slope = self.kernel.potential_and_proba(scores)
        slope[each, y] -= 1
        return potential - scores[each, y], slope

    def curvatures(self):
        yield lambda scores, y: self.kernel.jacobian(scores)


LOSSES = {"log_loss": LogLoss, "fenchel_young": FenchelYoungLoss}
