"""Scores in, probabilities and gradients out, for one noise law.

A kernel has these methods, all vectorised over rows:

    proba(scores), log_proba(scores) -> log_p of shape (n, K): log P(class i wins), all classes
    log_likelihood(scores, y) -> (log_p_y of shape (n,), gradient of shape (n, K)):
                              log P(class y wins) and its derivative in the scores
    hessian(scores, y)     -> (n, K, K): the second derivative of log_p_y
    potential(scores)      -> G of shape (n,): E[max(scores + noise) - max(noise)], with gradient p
    jacobian(scores)       -> (n, K, K): the derivative of p, which is the Hessian of G

``scores`` is a finite float array (n, K), K >= 2; a common shift of a row changes nothing.
:class:`SoftmaxKernel` is the closed form for Gumbel noise, :class:`TableKernel` serves smooth laws
with thin tails by the tables of :mod:`skperturb._tables`, and
:class:`~skperturb._direct.DirectKernel` any law
with a density, :class:`~skperturb._steps.StepKernel` discrete noise (without a likelihood). They
know the standard member of a family only; :class:`UnitKernel` puts scores into its unit. Rows are
worked on in blocks, so that the work space does not grow with n.

With E_q the normalised summands of the integral for class y, r the reversed hazard, j, k != y:

    d log p_y / d theta_j             = -E_q[r_j],                 r_j = r(z_q + delta_j),
    d2 log p_y / d theta_j d theta_k  = E_q[r_j r_k] - E_q[r_j] E_q[r_k] + (j = k) E_q[r'_j],

and the entries of a row, y's own included, sum to zero.
"""

from functools import cached_property

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from ._blas import single_thread
from ._direct import DirectKernel, target_integral
from ._interpolant import interpolant
from ._mesh import graded_mesh
from ._shift import below_best, with_zero_row_sums, with_zero_sum, with_zero_sums
from ._steps import StepKernel
from ._tables import ORDER, NotTabulableError, build_table, class_tier
from .noise import Discrete, Gumbel, Noise, ScipyNoise, interquartile_range

# Numbers in one work array: large enough to hide NumPy's overhead, small enough for the cache.
_BLOCK_ELEMENTS = 1 << 17
# exp(-690) = 1e-300: below this a sum of probabilities loses digits, and then everything.
_UNDERFLOW = -690.0
_UNIT_ELEMENTS = 1 << 22  # scores divided by the unit at once
_FURTHEST = 1e300  # score
_BREAKS = 48  # of the best classes
_NEGLIGIBLE = 45.0
# Classes of a row beyond the tables: more of them are integrated on one mesh, not each by itself.
_MANY = 8


def make_kernel(law, n_classes):
    """The fastest kernel that is exact for a noise law.

    Parameters
    ----------
    law : Noise or convolution
        Distribution of the noise on the scores.
    n_classes : int
        Number of classes, at least 2.

    Returns
    -------
    object with the methods above
    """
    return UnitKernel(_standard_kernel(law.standard(), n_classes), law.scale)


def _standard_kernel(law, n_classes):
    if isinstance(law, Gumbel):
        return SoftmaxKernel()
    if isinstance(law, Discrete):
        return StepKernel(law)
    if not isinstance(law, Noise) or isinstance(law, ScipyNoise):
        law = interpolant(law)
    try:
        return TableKernel(law, n_classes)
    except NotTabulableError:
        return DirectKernel(law)


def expected_information(kernel, scores):
    """Fisher information of the scores: E_y[gradient gradient^T], of shape (n, K, K).

    Equal to J diag(1 / p) J with J the Jacobian, because p_y has the gradient J_y. Positive
    semidefinite for every noise, also where minus the Hessian of log p_y is not.
    """
    p, jacobian = kernel.proba(scores), kernel.jacobian(scores)
    # A class of probability zero, whose row of J is zero, tells nothing.
    slope = jacobian / np.sqrt(np.where(p > 0, p, 1.0))[:, :, None]
    return slope.transpose(0, 2, 1) @ slope


class UnitKernel:
    """A kernel for the standard member of a family, for scores in another unit.

    Parameters
    ----------
    kernel : object with a kernel's methods
    unit : float
        The scale of the noise: scores are divided by it.
    """

    def __init__(self, kernel, unit):
        self.standard, self._unit = kernel, unit

    def proba(self, scores):
        return self._in_blocks(self.standard.proba, scores)

    def log_proba(self, scores):
        return self._in_blocks(self.standard.log_proba, scores)

    def _in_blocks(self, function, scores):
        """So that there is no second array of the size of the scores beside the result."""
        out = np.empty(scores.shape)
        size = max(1, _UNIT_ELEMENTS // scores.shape[1])
        for start in range(0, len(scores), size):
            rows = slice(start, start + size)
            out[rows] = function(self._in_units(scores[rows]))
        return out

    def log_likelihood(self, scores, y):
        log_p, gradient = self.standard.log_likelihood(self._in_units(scores), y)
        return log_p, gradient / self._unit

    def hessian(self, scores, y):
        return self.standard.hessian(self._in_units(scores), y) / self._unit / self._unit

    def potential(self, scores):
        return self._unit * self.standard.potential(self._in_units(scores))

    def jacobian(self, scores):
        return self.standard.jacobian(self._in_units(scores)) / self._unit

    def _in_units(self, scores):
        with np.errstate(over="ignore"):
            scaled = scores / self._unit
        # What has overflown is beyond any noise all the same.
        return scaled if self._unit >= 1 else np.clip(scaled, -_FURTHEST, _FURTHEST, out=scaled)


class SoftmaxKernel:
    """Standard Gumbel noise: p = softmax(scores)."""

    def proba(self, scores):
        return softmax(scores, axis=1)

    def log_proba(self, scores):
        return log_softmax(scores, axis=1)

    def log_likelihood(self, scores, y):
        log_p = self.log_proba(scores)
        return log_p[np.arange(len(y)), y], with_zero_sum(-np.exp(log_p), y)

    def hessian(self, scores, y):
        return -self.jacobian(scores)

    def potential(self, scores):
        return logsumexp(scores, axis=1) - np.log(scores.shape[1])

    def jacobian(self, scores):
        p = self.proba(scores)
        return with_zero_row_sums(-p[:, :, None] * p[:, None, :])


class TableKernel:
    """A smooth law with thin tails, by tables and matrix products.

    Rows whose class asked for is close to the best one use the small table, the others the
    large one; what is out of reach even of that is integrated directly.
    """

    def __init__(self, law, n_classes):
        self._law = law
        self._tier = class_tier(n_classes)
        self._near = build_table(law, self._tier)

    @cached_property
    def _far(self):
        try:
            return build_table(self._law, self._tier, far=True)
        except NotTabulableError:
            return self._near

    @cached_property
    def _direct(self):
        return DirectKernel(self._law)

    def proba(self, scores):
        # A probability that is 0 in floating point need not be integrated first.
        with single_thread():
            log_p = self._log_proba(scores, below_underflow=False)
        return np.exp(log_p, out=log_p)

    def log_proba(self, scores):
        with single_thread():
            return self._log_proba(scores, below_underflow=True)

    def _log_proba(self, scores, below_underflow):
        log_p = np.empty(scores.shape)
        lowest = scores.max(axis=1) - scores.min(axis=1)
        for table, rows in self._blocks(lowest, scores.shape[1]):
            delta = below_best(scores[rows])
            block = _log_proba(table, delta)
            outside = (delta > table.reach) | (block < _UNDERFLOW)
            if not below_underflow:
                # log p of the lower of two classes is concave in delta: beyond the table's reach
                # it lies below the line from 0 through the table's end.
                zero = outside & (delta * table.depth >= -_UNDERFLOW * table.reach)
                block[zero] = -np.inf
                outside &= ~zero
            many = outside.sum(axis=1) > _MANY
            if many.any():
                direct = self._direct.log_proba(-delta[many])
                block[many] = np.where(outside[many], direct, block[many])
                outside[many] = False
            if outside.any():
                beyond, classes = np.nonzero(outside)
                block[outside] = self._integrate(delta[beyond], classes)[0]
            # What the quadrature leaves is 1e-10; the sum of the probabilities is to be exact.
            log_p[rows] = block - np.log(np.exp(block).sum(axis=1, keepdims=True))
        return log_p

    def log_likelihood(self, scores, y):
        log_p, gradient = np.empty(len(y)), np.empty(scores.shape)
        own = scores.max(axis=1) - scores[np.arange(len(y)), y]
        for table, rows in self._blocks(own, scores.shape[1]):
            delta, target = below_best(scores[rows]), y[rows]
            log_p[rows], slope = _log_likelihood(table, delta, target)
            beyond = np.flatnonzero(own[rows] > table.reach)
            if beyond.size:
                log_p[rows[beyond]], slope[beyond] = self._integrate(delta[beyond], target[beyond])
            gradient[rows] = with_zero_sum(slope, target)
        return log_p, gradient

    def hessian(self, scores, y):
        n, n_classes = scores.shape
        out = np.empty((n, n_classes, n_classes))
        own = scores.max(axis=1) - scores[np.arange(n), y]
        with single_thread():
            for table, rows in self._blocks(own, n_classes, n_classes):
                out[rows] = _hessian(table, below_best(scores[rows]), y[rows])
        return out

    def potential(self, scores):
        table = self._near
        best = scores.max(axis=1)
        # E max(noise) on the same nodes: what the window cuts off cancels.
        level = np.exp(scores.shape[1] * table.log_cdf[ORDER // 2 - 1])
        out = np.empty(len(scores))
        with single_thread():
            for _, rows in _split(table, np.arange(len(scores)), scores.shape[1]):
                places, weights = _interpolation(table, below_best(scores[rows]))
                below = np.exp(_log_cdf_of_winner(table, places, weights))
                out[rows] = best[rows] + (level - below).sum(axis=1) * np.exp(table.log_spacing)
        return out

    def jacobian(self, scores):
        n, n_classes = scores.shape
        out = np.empty((n, n_classes, n_classes))
        lowest = scores.max(axis=1) - scores.min(axis=1)
        with single_thread():
            for table, rows in self._blocks(lowest, n_classes, n_classes):
                out[rows] = _jacobian(table, below_best(scores[rows]))
        return out

    def _blocks(self, depth, n_classes, copies=1):
        """(table, rows) blocks such that the table reaches as deep as the rows ask, if any does."""
        reach = self._near.reach
        yield from _split(self._near, np.flatnonzero(depth <= reach), n_classes, copies)
        rest = np.flatnonzero(depth > reach)
        if rest.size:
            yield from _split(self._far, rest, n_classes, copies)

    def _integrate(self, delta, target):
        """log p of one class a row, and its gradient, for what no table reaches."""
        if not self._law.log_concave:
            return self._direct.of_targets(delta, target)
        size = max(1, _BLOCK_ELEMENTS // (256 * delta.shape[1]))
        parts = [slice(start, start + size) for start in range(0, len(target), size)]
        results = [_integrate(self._law, delta[part], target[part]) for part in parts]
        return [np.concatenate(values) for values in zip(*results, strict=True)]


def _split(table, rows, n_classes, copies=1):
    """Blocks of rows; `copies` of a row's numbers on the nodes or grid are held at once."""
    per_row = max(ORDER * n_classes, *table.log_cdf.shape) * copies
    size = max(1, _BLOCK_ELEMENTS // per_row)
    for start in range(0, len(rows), size):
        yield table, rows[start : start + size]


def _log_proba(table, delta):
    """log p of all classes, from the table: (n, K)."""
    places, weights = _interpolation(table, delta)
    exponent = _log_cdf_of_winner(table, places, weights)
    peak = exponent.max(axis=1, keepdims=True)
    density = np.exp(exponent - peak) @ table.hazard.T
    log_density = np.log(np.maximum(density, np.finfo(float).tiny))
    return _sample(log_density, places, weights) + peak + table.log_spacing


def _log_likelihood(table, delta, target):
    """log p of one class a row, and its gradient but for the target's own entry, from the table."""
    places, weights = _interpolation(table, delta)
    log_p, share = _target_summands(table, places, weights, target)
    return log_p, -_sample(share @ table.hazard.T, places, weights)


def _target_summands(table, places, weights, target):
    """log p of one class a row (n,), and each node's share of the integral (n, n_nodes)."""
    each = np.arange(len(target))
    exponent = _log_cdf_of_winner(table, places, weights)
    first = places[each, target] - each * len(table.log_cdf)
    for k in range(ORDER):
        exponent += weights[each, target, k, None] * table.log_hazard[first + k]
    peak = exponent.max(axis=1, keepdims=True)
    summands = np.exp(exponent - peak)
    total = summands.sum(axis=1, keepdims=True)
    return (peak + np.log(total))[:, 0] + table.log_spacing, summands / total


def _hessian(table, delta, target):
    """Second derivatives of log p of one class a row, from the table: (n, K, K)."""
    places, weights = _interpolation(table, delta)
    _, share = _target_summands(table, places, weights, target)
    on_grid = share @ table.hazard.T
    mean = _sample(on_grid, places, weights)
    # The slope of the hazard in delta, by the derivative of the same interpolation.
    slope = _sample(on_grid, places, table.interpolation_slope(delta))
    hazard = _hazard(table, delta, places, weights)
    out = (hazard * share[:, None, :]) @ hazard.transpose(0, 2, 1)
    out -= mean[:, :, None] * mean[:, None, :]
    np.einsum("njj->nj", out)[:] += slope
    return with_zero_sums(out, target)


def _hazard(table, delta, places, weights):
    """The hazard of each class at the nodes: (n, K, n_nodes)."""
    first = places - np.arange(len(delta))[:, None] * len(table.log_cdf)
    hazard = np.zeros((*delta.shape, len(table.nodes)))
    for k in range(ORDER):
        hazard += weights[..., k, None] * table.hazard[first + k]
    return hazard


def _jacobian(table, delta):
    """d p_i / d theta_j = -integral r_i r_j exp(S), from the table: (n, K, K)."""
    places, weights = _interpolation(table, delta)
    density = np.exp(_log_cdf_of_winner(table, places, weights) + table.log_spacing)
    hazard = _hazard(table, delta, places, weights)
    return with_zero_row_sums(-(hazard * density[:, None, :]) @ hazard.transpose(0, 2, 1))


def _interpolation(table, delta):
    """Places in a flat (n, n_grid) array, and weights there.

    A class beyond the grid gets weight zero: it does not touch the others.
    """
    beyond = delta > table.grid_reach
    first, weights = table.interpolation(np.where(beyond, 0.0, delta))
    if beyond.any():
        weights[beyond] = 0.0
    return first + np.arange(len(delta))[:, None] * len(table.log_cdf), weights


def _log_cdf_of_winner(table, places, weights):
    """sum_j L(z + delta_j) at the nodes: the weights, summed by grid point, times the table."""
    n, n_grid = len(places), len(table.log_cdf)
    where = (places[..., None] + np.arange(ORDER)).ravel()
    counts = np.bincount(where, weights.ravel(), minlength=n * n_grid)
    return counts.reshape(n, n_grid) @ table.log_cdf


def _sample(values, places, weights):
    """Interpolate each row's function of delta, given on the grid, at the row's classes."""
    flat = values.ravel()
    out = weights[..., 0] * flat[places]
    for k in range(1, ORDER):
        out += weights[..., k] * flat[places + k]
    return out


def _integrate(law, delta, target):
    """log p of one class a row, and its gradient, by direct quadrature: for what no table reaches.

    Parameters
    ----------
    law : Noise or Interpolant
        Its density is log-concave, so that the integrand has one peak.
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
    low, high = law.ppf(1e-300) - own, np.full_like(own, law.isf(1e-300))

    def log_integrand(z):
        here = z[:, None, :] + delta[:, :, None]
        return law.log_hazard(z + own) + law.logcdf(here).sum(axis=1)

    # Zoom in until the part that matters fills a good part of the interval.
    for _ in range(60):
        z = low + (high - low) * np.linspace(0, 1, 33)
        exponent = log_integrand(z)
        top = exponent.argmax(axis=1)
        matters = exponent >= exponent.max(axis=1, keepdims=True) - _NEGLIGIBLE
        first = np.maximum(matters.argmax(axis=1) - 1, 0)
        last = np.minimum(33 - matters[:, ::-1].argmax(axis=1), 32)
        low, high = z[rows, first][:, None], z[rows, last][:, None]
        if np.all(last - first >= 8):
            break
    # The integrand turns at its peak and where a class stands; in between it is smooth.
    breaks = np.column_stack([z[rows, top], -np.sort(delta, axis=1)[:, :_BREAKS], -own])
    # Where the peak is narrower than the rounding of z, its width is lost beside its height.
    high = np.maximum(high, low + 4 * np.spacing(np.abs(low)))[:, 0]
    mesh = graded_mesh(breaks, low[:, 0], high, np.full(len(rows), scale))
    return target_integral(law, delta, target, mesh)
