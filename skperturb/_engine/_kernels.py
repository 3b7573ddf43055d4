"""Scores in, probabilities and gradients out, for one noise law.

A kernel has these methods, all vectorised over rows:

    proba(scores), log_proba(scores) -> log_p of shape (n, K): log P(class i wins), all classes
    log_likelihood(scores, y) -> (log_p_y of shape (n,), gradient of shape (n, K)):
                              log P(class y wins) and its derivative in the scores
    hessian(scores, y)     -> (n, K, K): the second derivative of log_p_y
    potential(scores)      -> G of shape (n,): E[max(scores + noise) - max(noise)], with gradient p
    jacobian(scores)       -> (n, K, K): the derivative of p, which is the Hessian of G

``scores`` is a finite float array (n, K), K >= 2; a common shift of a row changes nothing.
``fewest_scores`` is how many are worth a thread of their own, about a millisecond.
:class:`SoftmaxKernel` is the closed form for Gumbel noise, :class:`TableKernel` serves smooth laws
with thin tails by the tables of ``_thin_table``, :class:`GradedKernel` those with heavy
tails by the tables of ``_heavy_table``, ``_row_mesh.DirectKernel`` any law
with a density, ``_discrete.StepKernel`` discrete noise (without a likelihood). They
know the standard member of a family only; :class:`UnitKernel` puts scores into its unit, and gives
threads blocks of rows, so that the work space does not grow with n.

With E_q the normalised summands of the integral for class y, r the reversed hazard, j, k != y:

    d log p_y / d theta_j             = -E_q[r_j],                 r_j = r(z_q + delta_j),
    d2 log p_y / d theta_j d theta_k  = E_q[r_j r_k] - E_q[r_j] E_q[r_k] + (j = k) E_q[r'_j],

and the entries of a row, y's own included, sum to zero.
"""

from functools import cached_property, lru_cache, partial
from threading import Lock

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from .._threads import map_threads, row_slices
from ..noise import Discrete, Gumbel, Noise, ScipyNoise, has_thin_tails, interquartile_range
from . import _sums_numpy as _quadrature
from ._discrete import StepKernel
from ._heavy_table import build_graded_table
from ._interpolant import Interpolant, interpolant
from ._panels import graded_mesh
from ._row_mesh import DirectKernel, target_integral
from ._sums import sums
from ._thin_table import NotTabulableError, build_table, class_tier
from ._translation import below_best, with_zero_row_sums, with_zero_sum

_MOST_SCORES = 1 << 16  # of a block of rows: what a cache holds
_BLOCK_ELEMENTS = 1 << 17  # numbers in a work array of the direct quadrature
# exp(-690) = 1e-300: below this a sum of probabilities loses digits, and then everything.
_UNDERFLOW = -690.0
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
    return UnitKernel(_standard_kernel(law.standard(), class_tier(n_classes)), law.scale)


@lru_cache(maxsize=16)
def _standard_kernel(law, tier):
    if isinstance(law, Gumbel):
        return SoftmaxKernel()
    if isinstance(law, Discrete):
        return StepKernel(law)
    if not isinstance(law, Noise) or isinstance(law, ScipyNoise):
        law = interpolant(law)
    tabulated = TableKernel if has_thin_tails(law) else GradedKernel
    try:
        return tabulated(law, tier)
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
        return self._by_rows(self.standard.proba, scores)[0]

    def log_proba(self, scores):
        return self._by_rows(self.standard.log_proba, scores)[0]

    def log_likelihood(self, scores, y):
        log_p, gradient = self._by_rows(self.standard.log_likelihood, scores, y)
        return log_p, gradient / self._unit if self._unit != 1 else gradient

    def hessian(self, scores, y):
        (out,) = self._by_rows(self.standard.hessian, scores, y)
        return out / self._unit / self._unit

    def potential(self, scores):
        (out,) = self._by_rows(self.standard.potential, scores)
        return self._unit * out

    def jacobian(self, scores):
        (out,) = self._by_rows(self.standard.jacobian, scores)
        return out / self._unit

    def _by_rows(self, function, scores, *y):
        """The arrays that a function of rows returns, of blocks of rows that threads share."""
        n, n_classes = scores.shape
        most = max(1, _MOST_SCORES // n_classes)
        slices = row_slices(n, max(1, self.standard.fewest_scores // n_classes), most)
        outs = []

        def fill(rows):
            results = function(self._in_units(scores[rows]), *(array[rows] for array in y))
            results = results if isinstance(results, tuple) else (results,)
            if len(slices) == 1:
                outs.extend(results)
                return
            with lock:
                if not outs:
                    outs.extend(np.empty((n, *result.shape[1:])) for result in results)
            for out, result in zip(outs, results, strict=True):
                out[rows] = result

        lock = Lock()
        map_threads(fill, slices)
        return outs

    def _in_units(self, scores):
        if self._unit == 1:
            return scores
        with np.errstate(over="ignore"):
            scaled = scores / self._unit
        # What has overflown is beyond any noise all the same.
        return scaled if self._unit >= 1 else np.clip(scaled, -_FURTHEST, _FURTHEST, out=scaled)


class SoftmaxKernel:
    """Standard Gumbel noise: p = softmax(scores)."""

    fewest_scores = _MOST_SCORES

    def proba(self, scores):
        return softmax(scores, axis=1)

    def log_proba(self, scores):
        return log_softmax(scores, axis=1)

    def log_likelihood(self, scores, y):
        return sums.softmax_likelihood(scores, y)

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

    fewest_scores = 1 << 12

    def __init__(self, law, tier):
        self._law, self._tier = law, tier
        self._near = build_table(law, tier)

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
        log_p = self._log_proba(scores, below_underflow=False)
        return np.exp(log_p, out=log_p)

    def log_proba(self, scores):
        return self._log_proba(scores, below_underflow=True)

    def _log_proba(self, scores, below_underflow):
        log_p = np.empty(scores.shape)
        for table, rows in self._tables(sums.depth(scores)):
            block = sums.log_proba(table, scores[rows])
            if block.min(initial=0.0) < _UNDERFLOW:
                self._complete(table, block, scores[rows], below_underflow)
            log_p[rows] = block
        return log_p

    def _complete(self, table, log_p, scores, below_underflow):
        """Put in what the table does not give."""
        delta, outside = below_best(scores), log_p < _UNDERFLOW
        if not below_underflow:
            # log p of the lower of two classes is concave in delta: beyond the table's reach
            # it lies below the line from 0 through the table's end.
            zero = outside & (delta * table.depth >= -_UNDERFLOW * table.reach)
            log_p[zero] = -np.inf
            outside &= ~zero
        many = outside.sum(axis=1) > _MANY
        if many.any():
            direct = self._direct.log_proba(-delta[many])
            log_p[many] = np.where(outside[many], direct, log_p[many])
            outside[many] = False
        if outside.any():
            beyond, classes = np.nonzero(outside)
            log_p[outside] = self._integrate(delta[beyond], classes)[0]
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))

    def log_likelihood(self, scores, y):
        log_p, gradient = np.empty(len(y)), np.empty(scores.shape)
        own = sums.depth(scores, y)
        for table, rows in self._tables(own):
            log_p[rows], gradient[rows] = sums.log_likelihood(table, scores[rows], y[rows])
        beyond = np.flatnonzero(own > table.reach)
        if beyond.size:
            log_p[beyond], slope = self._integrate(below_best(scores[beyond]), y[beyond])
            gradient[beyond] = with_zero_sum(slope, y[beyond])
        return log_p, gradient

    def hessian(self, scores, y):
        out = np.empty((*scores.shape, scores.shape[1]))
        own = sums.depth(scores, y)
        for table, rows in self._tables(own):
            out[rows] = sums.hessian(table, scores[rows], y[rows])
        return out

    def potential(self, scores):
        return scores.max(axis=1) + _quadrature.potential(self._near, scores)

    def jacobian(self, scores):
        out = np.empty((*scores.shape, scores.shape[1]))
        for table, rows in self._tables(sums.depth(scores)):
            out[rows] = sums.jacobian(table, scores[rows])
        return out

    def _tables(self, depth):
        """(table, rows) such that the table reaches as deep as the rows ask, if any does."""
        near = depth <= self._near.reach
        if near.all():
            yield self._near, slice(None)
            return
        yield self._near, np.flatnonzero(near)
        yield self._far, np.flatnonzero(~near)

    def _integrate(self, delta, target):
        """log p of one class a row, and its gradient, for what no table reaches."""
        if not self._law.log_concave:
            return self._direct.of_targets(delta, target)
        size = max(1, _BLOCK_ELEMENTS // (256 * delta.shape[1]))
        parts = [slice(start, start + size) for start in range(0, len(target), size)]
        results = [_integrate(self._law, delta[part], target[part]) for part in parts]
        return [np.concatenate(values) for values in zip(*results, strict=True)]


class GradedKernel:
    """A smooth law with heavy tails: by a table, and directly where a class is beyond its reach.

    Rows with a class beyond the small table take the large one, and few are beyond that.
    """

    fewest_scores = 1 << 12

    def __init__(self, law, tier):
        self._law = law if isinstance(law, Interpolant) else interpolant(law)
        self._tier = tier
        self._near = build_graded_table(self._law, tier)
        self._direct = DirectKernel(self._law)

    @cached_property
    def _far(self):
        try:
            return build_graded_table(self._law, self._tier, far=True)
        except NotTabulableError:
            return self._near

    def proba(self, scores):
        log_p = self.log_proba(scores)
        return np.exp(log_p, out=log_p)

    def log_proba(self, scores):
        return self._by_reach(sums.log_proba, self._direct.log_proba, scores)

    def log_likelihood(self, scores, y):
        return self._by_reach(sums.log_likelihood, self._direct.log_likelihood, scores, y)

    def hessian(self, scores, y):
        return self._by_reach(sums.hessian, self._direct.hessian, scores, y)

    def potential(self, scores):
        # On the nodes of a table the far tail of the maximum would be lost.
        return self._direct.potential(scores)

    def jacobian(self, scores):
        return self._by_reach(sums.jacobian, self._direct.jacobian, scores)

    def _by_reach(self, tabulated, direct, *arrays):
        """What tabulated(table, *arrays) gives for rows within reach, and direct(*arrays) else."""
        depth = sums.depth(arrays[0])
        near = depth <= self._near.reach
        if near.all():
            return tabulated(self._near, *arrays)
        parts = [(partial(tabulated, self._near), near)]
        within = depth <= self._far.reach
        parts += [(partial(tabulated, self._far), within & ~near), (direct, ~(near | within))]
        results = [(rows, f(*(array[rows] for array in arrays))) for f, rows in parts if rows.any()]
        if not isinstance(results[0][1], tuple):
            return _merged(len(depth), results)
        columns = range(len(results[0][1]))
        return tuple(_merged(len(depth), [(rows, r[k]) for rows, r in results]) for k in columns)


def _merged(n, parts):
    """An array of n rows from pairs of a mask and the values there."""
    out = np.empty((n, *parts[0][1].shape[1:]))
    for rows, values in parts:
        out[rows] = values
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
