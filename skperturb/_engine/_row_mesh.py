"""Probabilities by direct quadrature: for noise with kinks, bounded noise, and beyond the tables.

No table serves noise with kinks, because the integrand has one wherever a class stands; noise with
heavy tails has a bump there, however far down that is. So every row of scores gets a mesh of its
own: Gauss-Legendre panels that begin at the kinks and bumps of the row's classes and widen with the
distance from them, between the points outside of which the winning value does not lie. As in
``_thin_table``, everything is measured from the row's largest score: class j stands
``delta_j`` below it.
"""

import numpy as np

from ..noise import has_thin_tails
from ._interpolant import Interpolant, interpolant
from ._panels import graded_mesh
from ._translation import below_best, with_zero_row_sums, with_zero_sum, with_zero_sums

_BLOCK_ELEMENTS = 1 << 18  # numbers in one work array, about
_NODES = 512  # of a row, to begin with
_NEGLIGIBLE = 37.0  # exp(-37) = 1e-16
_UNDERFLOW = -690.0
_LOWEST = -1e6  # log of the smallest probability that a mesh is made for
_BISECTIONS = 24
# Log CDFs of the winning value: its median, and two between which it lies most of the time.
_LEVELS = np.array([-3.0, -0.7, -0.05])
_CURVED = 2.0  # spacing of breaks for a law without kinks, in units of its scale
_MOST_CURVED = 64


class DirectKernel:
    """Any noise law, by a mesh for each row.

    Parameters
    ----------
    law : Noise or convolution
    """

    fewest_scores = 1 << 6

    def __init__(self, law):
        self._law = law if isinstance(law, Interpolant) else interpolant(law)
        self._curved = not self._law.kinks and has_thin_tails(law)

    def proba(self, scores):
        return np.exp(self.log_proba(scores))

    def log_proba(self, scores):
        log_p = np.empty(scores.shape)
        for rows in _row_blocks(scores):
            delta = below_best(scores[rows])
            block = self._log_proba(delta, self._mesh(delta, delta.max(axis=1)))
            log_p[rows] = block - np.log(np.exp(block).sum(axis=1, keepdims=True))
        return log_p

    def log_likelihood(self, scores, y):
        log_p, gradient = self.of_targets(below_best(scores), y)
        return log_p, with_zero_sum(gradient, y)

    def of_targets(self, delta, target):
        """log p of one class a row (n,), and its gradient (n, K) but for the target's own entry."""
        log_p, gradient = np.empty(len(target)), np.empty(delta.shape)
        own = delta[np.arange(len(target)), target]
        for rows in _row_blocks(delta):
            mesh = self._mesh(delta[rows], own[rows])
            integral = target_integral(self._law, delta[rows], target[rows], mesh)
            log_p[rows], gradient[rows] = integral
        return log_p, gradient

    def hessian(self, scores, y):
        n, n_classes = scores.shape
        out = np.empty((n, n_classes, n_classes))
        for rows in _row_blocks(scores):
            delta, target = below_best(scores[rows]), y[rows]
            own = delta[np.arange(len(target)), target]
            out[rows] = self._hessian(delta, target, self._mesh(delta, own))
        return out

    def potential(self, scores):
        out = np.empty(len(scores))
        for rows in _row_blocks(scores):
            delta = below_best(scores[rows])
            mesh = self._mesh(delta, np.zeros(len(delta)))
            level = delta.shape[1] * self._law.logcdf(mesh.nodes)
            excess = log_cdf_of_winner(self._law, delta, mesh) - level
            # exp(level) - exp(level + excess), without losing the digits of a small excess.
            gap = -np.exp(level) * np.expm1(np.where(np.isneginf(level), 0.0, excess))
            out[rows] = np.add.reduceat(gap * np.exp(mesh.log_weights), mesh.start)
        return out + scores.max(axis=1)

    def jacobian(self, scores):
        n, n_classes = scores.shape
        out = np.empty((n, n_classes, n_classes))
        for rows in _row_blocks(scores):
            delta = below_best(scores[rows])
            mesh = self._mesh(delta, delta.max(axis=1))
            exponent = log_cdf_of_winner(self._law, delta, mesh) + mesh.log_weights
            # Half the exponent to each factor, so that neither overflows.
            root = np.exp(self._law.log_hazard(_at(delta, mesh)) + exponent[:, None] / 2)
            for row, (first, last) in zip(rows, _ranges(mesh), strict=True):
                out[row] = -root[first:last].T @ root[first:last]
        return with_zero_row_sums(out)

    def _mesh(self, delta, own):
        """A mesh good for the probability of any class not further than `own` below the best."""
        law = self._law
        low, high, level = self._ends(delta, own)
        breaks = [(self._law.features[:, None] - delta[:, None, :]).reshape(len(delta), -1)]
        if not law.kinks:
            # A bump needs no break to the digit; those that fall together count once.
            breaks[0] = law.detail * np.round(breaks[0] / law.detail)
        breaks.append(level[:, [1]])
        if self._curved:
            spacing = np.maximum(_CURVED * law.scale, (high - low) / _MOST_CURVED)
            count = int(((high - low) / spacing).max()) + 1
            breaks.append(low[:, None] + spacing[:, None] * np.arange(count))
        scale = np.minimum(law.detail, np.maximum((level[:, 2] - level[:, 0]) / 2, 1e-12))
        return graded_mesh(np.column_stack(breaks), low, high, scale)

    def _ends(self, delta, own):
        """Between which values the winner lies if a class `own` below the best wins.

        Returns low and high of shape (n,), and the quantiles _LEVELS of the winner (n, 3).
        """
        law, n_classes = self._law, delta.shape[1]
        with np.errstate(divide="ignore"):
            log_sf = np.log(-np.expm1(law.logcdf(own)))
        # P(noise > high + own) is to be negligible beside P(noise > own).
        rare = np.exp(np.maximum(log_sf - _NEGLIGIBLE, _UNDERFLOW)) / n_classes
        high = np.where(log_sf > _NEGLIGIBLE + _UNDERFLOW, law.isf(rare) - own, -np.inf)
        high = np.maximum(high, law.isf(np.exp(-_NEGLIGIBLE) / n_classes))
        low = np.maximum(law.ppf(np.exp(_UNDERFLOW)) - own, law.support[0])
        level = self._quantiles(delta, low, high, np.tile(_LEVELS, (len(delta), 1)))
        with np.errstate(divide="ignore"):
            log_p = np.log(-np.expm1(law.logcdf(own + level[:, 1])))
        lowest = _UNDERFLOW if np.isfinite(law.support[1]) else _LOWEST
        rare = np.maximum(log_p, lowest) - _NEGLIGIBLE
        low = self._quantiles(delta, low, high, rare[:, None])[:, 0]
        return low, np.maximum(high, low + 1e-9 * law.scale), level

    def _quantiles(self, delta, low, high, log_cdf):
        """Lower bounds of the winner's values of these log CDFs (n, m), by bisection."""
        scale = self._law.scale
        low, high = (np.arcsinh(end / scale)[:, None] for end in (low, high))
        low, high = low + np.zeros_like(log_cdf), high + np.zeros_like(log_cdf)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            z = scale * np.sinh(middle)
            total = np.zeros(z.shape)
            for part in _class_blocks(delta, z.size):
                total += self._law.logcdf(z[:, :, None] + delta[:, None, part]).sum(axis=2)
            below = total < log_cdf
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return scale * np.sinh(low)

    def _log_proba(self, delta, mesh):
        """log p of all classes: (n, K)."""
        density = log_cdf_of_winner(self._law, delta, mesh) + mesh.log_weights
        out = np.empty(delta.shape)
        for part in _class_blocks(delta, len(mesh.nodes)):
            exponent = self._law.log_hazard(_at(delta[:, part], mesh)) + density[:, None]
            out[:, part] = _log_sums(exponent, mesh)[0]
        return out

    def _hessian(self, delta, target, mesh):
        """Second derivatives of log p of one class a row: (n, K, K)."""
        law = self._law
        exponent = _target_exponent(law, delta, target, mesh)
        log_p, share = _log_sums(exponent[:, None], mesh)
        share = share[:, 0]
        here = _at(delta, mesh)
        log_hazard = law.log_hazard(here)
        hazard = np.exp(log_hazard)
        # With G = log F: the second derivative of F_j over F_j is r_j (r_j + (log r_j)').
        curve = hazard * (hazard + law.log_hazard_slope(here))
        out = np.empty((*delta.shape, delta.shape[1]))
        for row, (first, last) in enumerate(_ranges(mesh)):
            weight, r = share[first:last], hazard[first:last]
            mean = weight @ r
            out[row] = (r * weight[:, None]).T @ r - np.multiply.outer(mean, mean)
            np.fill_diagonal(out[row], weight @ curve[first:last] - mean**2)
        for kink in law.kinks:
            height = law.jump(kink)
            if abs(height) > 1e-6 / law.scale:
                np.einsum("njj->nj", out)[:] += height * self._at_jump(delta, target, kink, log_p)
        return with_zero_sums(out, target)

    def _at_jump(self, delta, target, kink, log_p):
        """The integrand, without the class j itself, where class j's density jumps: (n, K)."""
        n_classes = delta.shape[1]
        here = (kink - delta)[:, :, None] + delta[:, None, :]
        log_cdf = self._law.logcdf(here)
        np.einsum("njj->nj", log_cdf)[:] = 0.0
        own = delta[np.arange(len(delta)), target][:, None]
        log_hazard = self._law.log_hazard(kink - delta + own)
        # The target has no jump against itself: there its hazard may be infinite.
        log_hazard[np.arange(len(delta)), target] = -np.inf
        exponent = log_cdf.sum(axis=2) + np.where(np.isposinf(log_hazard), -np.inf, log_hazard)
        return np.exp(np.minimum(exponent - log_p, -_UNDERFLOW)).reshape(-1, n_classes)


def target_integral(law, delta, target, mesh):
    """log p of one class a row (n,), and its gradient (n, K) but for the target's own entry."""
    log_p, share = _log_sums(_target_exponent(law, delta, target, mesh)[:, None], mesh)
    gradient = np.empty(delta.shape)
    for part in _class_blocks(delta, len(mesh.nodes)):
        log_hazard = law.log_hazard(_at(delta[:, part], mesh))
        hazard = np.exp(np.minimum(log_hazard, -_UNDERFLOW))
        gradient[:, part] = -np.add.reduceat(share * hazard, mesh.start)
    return log_p[:, 0], gradient


def _target_exponent(law, delta, target, mesh):
    """Log of the summands of the integral for one class a row: (n_nodes,)."""
    own = delta[np.arange(len(delta)), target]
    exponent = law.log_hazard(mesh.nodes + own[mesh.row])
    return exponent + log_cdf_of_winner(law, delta, mesh) + mesh.log_weights


def log_cdf_of_winner(law, delta, mesh):
    """sum_j L(z + delta_j) at the nodes."""
    total = np.zeros(len(mesh.nodes))
    for part in _class_blocks(delta, len(mesh.nodes)):
        total += law.logcdf(_at(delta[:, part], mesh)).sum(axis=1)
    return total


def _at(delta, mesh):
    """The points z + delta: (n_nodes, K)."""
    return mesh.nodes[:, None] + delta[mesh.row]


def _log_sums(exponent, mesh):
    """log sum exp over each row's nodes, (n, m), and each node's share of its sum.

    A sum of nothing but zeros is -inf, its shares are zero.
    """
    peak = np.maximum.reduceat(exponent, mesh.start)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    share = np.exp(exponent - peak[mesh.row])
    total = np.add.reduceat(share, mesh.start)
    with np.errstate(divide="ignore"):
        log_sum = peak + np.log(total)
    share /= np.where(total > 0, total, 1.0)[mesh.row]
    return log_sum, share


def _ranges(mesh):
    """(first, last) node of each row."""
    return zip(mesh.start, np.append(mesh.start[1:], len(mesh.nodes)), strict=True)


def _row_blocks(scores):
    size = max(1, _BLOCK_ELEMENTS // (_NODES * scores.shape[1]))
    for start in range(0, len(scores), size):
        yield np.arange(start, min(start + size, len(scores)))


def _class_blocks(delta, n_nodes):
    n_classes = delta.shape[1]
    size = max(1, 8 * _BLOCK_ELEMENTS // n_nodes)
    for start in range(0, n_classes, size):
        yield slice(start, start + size)
