"""Loss functions of scores and observed classes; they know nothing of features.

A loss has

    value_and_slope(scores, y) -> (loss of shape (n,), its derivative in the scores (n, K))
    convex                     -> whether it is known to be convex in the scores
    falls_with_gain            -> whether it falls when the score of y gains on another's
    curvatures()               -> functions of (scores, y) that give matrices (n, K, K): the second
                                  derivative first, and where that can be indefinite a positive
                                  semidefinite matrix to put in its place.
    at_once                    -> whether one pass gives value_and_slope's two and the second
                                  derivative, as second_order(scores, y)

A new loss is one class and a line in ``LOSSES``. :class:`SoftLabels` makes of each the loss of rows
whose y is a row of probabilities.
"""

from functools import partial

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

    falls_with_gain = True
    at_once = False

    @property
    def by_margin(self):
        """Whether ``of_margin`` is at hand: two classes, and noise that has a table for them.

        of_margin(d, sign, weight) -> weighted sum of the losses, and each row's slope, second
        derivative and what stands in for that, weighted, in d, the second score less the first.
        """
        return self.kernel.by_margin

    def with_gumbel_noise(self):
        """The same loss with Gumbel noise of the same width: convex, and quick to compute."""
        width = interquartile_range(self._law) / interquartile_range(Gumbel())
        return type(self)(Gumbel(width), self._n_classes)


class LogLoss(_Loss):
    """-log p_y: minus the log likelihood.

    Convex where the noise has a log-concave density (Prekopa); elsewhere the second derivative can
    be indefinite, and the expected information stands in for it.
    """

    at_once = True

    @property
    def convex(self):
        return bool(self._law.log_concave)

    def value_and_slope(self, scores, y):
        log_p, gradient = self.kernel.log_likelihood(scores, y)
        return -log_p, np.negative(gradient, out=gradient)

    def second_order(self, scores, y):
        return tuple(-part for part in self.kernel.second_order(scores, y))

    def of_margin(self, d, sign, weight):
        return self.kernel.margin_log_loss(d, sign, weight)

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

    def of_margin(self, d, sign, weight):
        return self.kernel.margin_fenchel_young(d, sign, weight)

    def curvatures(self):
        yield lambda scores, y: self.kernel.jacobian(scores)


class SoftLabels:
    """The mean of a loss over the classes, with the probabilities that a row's y gives them.

    Parameters
    ----------
    loss : object with the methods above

    Attributes
    ----------
    hard : object
        The loss given.
    kernel, convex, falls_with_gain, at_once
        Its own.
    """

    def __init__(self, loss):
        self.hard = loss
        self.kernel, self.convex = loss.kernel, loss.convex
        self.falls_with_gain, self.at_once = loss.falls_with_gain, loss.at_once

    def with_gumbel_noise(self):
        """See the loss."""
        return SoftLabels(self.hard.with_gumbel_noise())

    def value_and_slope(self, scores, y):
        return self._mean(self.hard.value_and_slope, scores, y)

    def second_order(self, scores, y):
        return self._mean(self.hard.second_order, scores, y)

    def curvatures(self):
        for curvature in self.hard.curvatures():
            yield partial(self._mean_of_one, curvature)

    def _mean_of_one(self, function, scores, y):
        (mean,) = self._mean(lambda *rows: (function(*rows),), scores, y)
        return mean

    def _mean(self, functions, scores, y):
        """The means of the arrays that a function of rows and their classes returns."""
        totals = None
        for rows, codes, share in _by_class(y):
            parts = functions(scores[rows], codes)
            totals = totals or [np.zeros((len(y), *part.shape[1:])) for part in parts]
            for total, part in zip(totals, parts, strict=True):
                total[rows] += share.reshape(-1, *[1] * (part.ndim - 1)) * part
        return tuple(totals)


def _by_class(y):
    """For each class: its rows, its code for each of them, and their probabilities of it."""
    for k, share in enumerate(y.T):
        rows = np.flatnonzero(share)
        yield rows, np.full(len(rows), k), share[rows]


LOSSES = {"log_loss": LogLoss, "fenchel_young": FenchelYoungLoss}
