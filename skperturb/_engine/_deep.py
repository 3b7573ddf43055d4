"""log p of classes that no table serves: the only place that answers for them.

A density that is log-concave makes an integrand of one peak. That peak is enclosed first, and then
integrated on panels, which takes the fewest points. Any other law gets the mesh of ``_row_mesh``.
"""

from functools import cached_property

import numpy as np

from ..noise import SMALLEST_TAIL, has_thin_tails, interquartile_range
from ._panels import graded_mesh
from ._row_mesh import DirectKernel, target_integral
from ._translation import LARGEST_SCORE, below_best, furthest, with_zero_sum

# Tail probabilities from which on a heavy tail is a power of the distance to all digits, and down
# to which it is integrated, and the largest distances for that.
_FAR_TAILS, _FAR = np.array([1e-200, 1e-250]), np.array([1e60, 1e90])
_BLOCK_ELEMENTS = 1 << 17  # numbers in one work array
_MOST_SINGLE = 8  # classes of a row that are integrated one by one; more share a mesh
_POINTS, _ZOOMS = 33, 60  # at which the integrand is looked at, and how often at most
_ENOUGH = 8  # points that matter: the peak is enclosed
_NEGLIGIBLE_NATS = 45.0  # below the peak: more than elsewhere, for the points are far apart
_PANEL = 0.4  # width of the panels: less than that of a row mesh of any law, for the peak is narrow
_MOST_BREAKS = 48  # of the best classes: further ones come too late to be seen


class Deep:
    """Probabilities of a law without tables.

    Parameters
    ----------
    law : Law
    kernel : callable, default=DirectKernel
        Makes the kernel of the law that uses no table.
    """

    def __init__(self, law, kernel=DirectKernel):
        self._law, self._furthest, self._make_kernel = law, furthest(law), kernel

    @cached_property
    def mesh(self):
        """The kernel of the same law that uses no table."""
        return self._make_kernel(self._law)

    def log_proba(self, scores):
        """log p of all classes (n, K)."""
        delta, excess = self._within_range(below_best(scores, self._furthest))
        return self.mesh.log_proba(-delta) - excess

    def log_likelihood(self, scores, y):
        """log p of one class a row (n,), and its gradient (n, K)."""
        log_p, gradient = self.of_targets(below_best(scores, self._furthest), y)
        return log_p, with_zero_sum(gradient, y)

    def of_targets(self, delta, target):
        """log p of one class a row (n,), and its gradient (n, K) but for the target's own entry."""
        if not self._law.log_concave:
            delta, excess = self._within_range(delta)
            log_p, gradient = self.mesh.of_targets(delta, target)
            return log_p - excess[np.arange(len(target)), target], gradient
        size = max(1, _BLOCK_ELEMENTS // (256 * delta.shape[1]))
        parts = [slice(start, start + size) for start in range(0, len(target), size)]
        results = [_of_one_peak(self._law, delta[part], target[part]) for part in parts]
        return [np.concatenate(values) for values in zip(*results, strict=True)]

    def _within_range(self, delta):
        """Distances at which no tail probability underflows, and by how much log p is too large.

        So far out a tail is a power of the distance, and the probability of a far class that power
        of its own distance, whatever the distances of other far classes are.
        """
        low, high = np.minimum(self._law.isf(_FAR_TAILS), _FAR)
        if delta.max() <= low or has_thin_tails(self._law):
            return delta, np.zeros(delta.shape)
        log_pdf = self._law.logpdf(np.array([low, high]))
        power = (log_pdf[0] - log_pdf[1]) / np.log(high / low) - 1
        share = np.log(high / low) / np.log(2 * LARGEST_SCORE / low)
        steps = np.log(np.maximum(delta, low) / low)
        near = np.where(steps > 0, low * np.exp(share * steps), delta)
        return near, power * (1 - share) * steps

    def complete(self, log_p, delta, outside):
        """Put in log p (n, K) of the classes that are outside of a table, in place."""
        many = outside.sum(axis=1) > _MOST_SINGLE
        if many.any():
            direct = self.mesh.log_proba(-delta[many])
            log_p[many] = np.where(outside[many], direct, log_p[many])
        rows, classes = np.nonzero(outside & ~many[:, None])
        if rows.size:
            log_p[rows, classes] = self.of_targets(delta[rows], classes)[0]


def _of_one_peak(law, delta, target):
    """log p of one class a row, and its gradient, for a density that is log-concave.

    Parameters
    ----------
    law : Law
    delta : ndarray of shape (n, K)
        Distance of each class below the row's best.
    target : ndarray of shape (n,)
        The class asked for.

    Returns
    -------
    log_p : ndarray of shape (n,)
    gradient : ndarray of shape (n, K)
        The target's own entry is not meaningful.
    """
    scale = interquartile_range(law) / 3
    rows = np.arange(len(target))
    own = delta[rows, target][:, None]
    low, high = law.ppf(SMALLEST_TAIL) - own, np.full_like(own, law.isf(SMALLEST_TAIL))

    def log_integrand(z):
        here = z[:, None, :] + delta[:, :, None]
        return law.log_hazard(z + own) + law.logcdf(here).sum(axis=1)

    # Zoom in until the part that matters fills a good part of the interval.
    for _ in range(_ZOOMS):
        z = low + (high - low) * np.linspace(0, 1, _POINTS)
        exponent = log_integrand(z)
        top = exponent.argmax(axis=1)
        matters = exponent >= exponent.max(axis=1, keepdims=True) - _NEGLIGIBLE_NATS
        first = np.maximum(matters.argmax(axis=1) - 1, 0)
        last = np.minimum(_POINTS - matters[:, ::-1].argmax(axis=1), _POINTS - 1)
        low, high = z[rows, first][:, None], z[rows, last][:, None]
        if np.all(last - first >= _ENOUGH):
            break
    # The integrand turns at its peak and where a class stands; in between it is smooth.
    breaks = np.column_stack([z[rows, top], -np.sort(delta, axis=1)[:, :_MOST_BREAKS], -own])
    # Where the peak is narrower than the rounding of z, its width is lost beside its height.
    high = np.maximum(high, low + 4 * np.spacing(np.abs(low)))[:, 0]
    mesh = graded_mesh(breaks, low[:, 0], high, np.full(len(rows), scale), _PANEL)
    return target_integral(law, delta, target, mesh)
