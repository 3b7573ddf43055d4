"""Probabilities by direct quadrature: for noise with kinks, bounded noise, and beyond the tables.

No table serves noise with kinks, because the integrand has one wherever a class stands; noise with
heavy tails has a bump there, however far down that is. So every row of scores gets a mesh of its
own: Gauss-Legendre panels that begin at the kinks and bumps of the row's classes and widen with the
distance from them, between the points outside of which the winning value does not lie, and that are
halved until they resolve the integrand. Next to a point where the density is infinite or a power of
the distance they are panels in the log of the distance. As in ``_thin_table``, everything is
measured from the row's largest score: class j stands ``delta_j`` below it.
"""

from collections import namedtuple

import numpy as np

from ..noise import has_thin_tails
from ._interpolant import interpolant
from ._panels import (
    Panels,
    Points,
    joined,
    log_sums,
    pieces_between,
    plain_pieces,
    resolve,
    steep_pieces,
    taken,
)
from ._translation import below_best, furthest, with_zero_row_sums, with_zero_sum, with_zero_sums

_BLOCK_ELEMENTS = 1 << 18  # numbers in one work array, about
_NODES = 512  # of a row, to begin with
_NEGLIGIBLE = 37.0  # exp(-37) = 1e-16
_UNDERFLOW = -690.0
_LOWEST = -1e12  # log of the smallest probability that a mesh is made for
_BISECTIONS = 24
_ROUNDING = 1e-15  # of a sum of logs, relative
_LARGEST = 1e300  # product of two hazards, which a node's share of the integral makes small
# Log CDFs of the winning value: its median, and two between which it lies most of the time.
_LEVELS = np.array([-3.0, -0.7, -0.05])
_FAR = 2.0**40  # details from which on breaks are not rounded
_CURVED = 2.0  # spacing of breaks for a law without kinks, in units of its width
_MOST_CURVED = 64

# Points with the log CDF of the winning value there, and every class's log hazard, or None where
# those of all classes at once would be too many numbers.
_Nodes = namedtuple("_Nodes", "row origin lag step log_step log_weights steep log_cdf log_hazard")


class DirectKernel:
    """Any noise law, by a mesh for each row.

    Parameters
    ----------
    law : Noise or convolution
    """

    fewest_scores = 1 << 6
    by_margin = False

    def __init__(self, law):
        self._law, self._furthest = interpolant(law), furthest(law)
        self._curved = not self._law.kinks and has_thin_tails(law)

    def proba(self, scores):
        return np.exp(self.log_proba(scores))

    def log_proba(self, scores):
        log_p = np.empty(scores.shape)
        for rows in _row_blocks(scores):
            delta = below_best(scores[rows], self._furthest)
            nodes = self._nodes(delta, delta.max(axis=1), _summands)
            start = _starts(nodes, delta)
            block = np.column_stack(
                [
                    log_sums(terms, nodes.row, start)[0]
                    for terms in _summands(self._law, delta, nodes)
                ]
            )
            log_p[rows] = block - np.log(np.exp(block).sum(axis=1, keepdims=True))
        return log_p

    def log_likelihood(self, scores, y):
        log_p, gradient = self.of_targets(below_best(scores, self._furthest), y)
        return log_p, with_zero_sum(gradient, y)

    def of_targets(self, delta, target):
        """log p of one class a row (n,), and its gradient (n, K) but for the target's own entry."""
        log_p, gradient = np.empty(len(target)), np.empty(delta.shape)
        for rows in _row_blocks(delta):
            here, own = delta[rows], target[rows]
            nodes, log_p[rows], share = self._of_targets(here, own)
            start = _starts(nodes, here)
            for part, log_hazard in _log_hazards(self._law, here, nodes):
                hazard = np.exp(np.minimum(log_hazard, -_UNDERFLOW))
                gradient[rows, part] = -np.add.reduceat(share[:, None] * hazard, start)
        return log_p, gradient

    def _of_targets(self, delta, target):
        """Nodes for one class a row, its log p, and each node's share of p."""

        def summands(law, delta, nodes):
            yield _target_summands(law, delta, target, nodes)[:, None]

        nodes = self._nodes(delta, delta[np.arange(len(target)), target], summands)
        terms = _target_summands(self._law, delta, target, nodes)
        log_p, share = log_sums(terms[:, None], nodes.row, _starts(nodes, delta))
        return nodes, log_p[:, 0], share[:, 0]

    def hessian(self, scores, y):
        n, n_classes = scores.shape
        out = np.empty((n, n_classes, n_classes))
        for rows in _row_blocks(scores):
            out[rows] = self._hessian(below_best(scores[rows], self._furthest), y[rows])
        return out

    def potential(self, scores):
        out = np.empty(len(scores))
        for rows in _row_blocks(scores):
            delta = below_best(scores[rows], self._furthest)
            nodes = self._nodes(delta, np.zeros(len(delta)), _log_gaps)
            (gap,) = _log_gaps(self._law, delta, nodes)
            out[rows] = np.add.reduceat(np.exp(gap[:, 0]), _starts(nodes, delta))
        return scores.max(axis=1) - out

    def potential_and_proba(self, scores):
        return self.potential(scores), self.proba(scores)

    def jacobian(self, scores):
        n, n_classes = scores.shape
        out = np.empty((n, n_classes, n_classes))
        for rows in _row_blocks(scores):
            delta = below_best(scores[rows], self._furthest)
            nodes = self._nodes(delta, delta.max(axis=1), _summands)
            exponent = (nodes.log_cdf + nodes.log_weights)[:, None] / 2
            # Half the exponent to each factor, so that neither overflows.
            root = np.empty((len(nodes.row), n_classes))
            for part, log_hazard in _log_hazards(self._law, delta, nodes):
                root[:, part] = np.exp(log_hazard + exponent)
            with np.errstate(over="ignore"):  # of the diagonal, which is not taken from here
                for row, (first, last) in zip(rows, _ranges(nodes, delta), strict=True):
                    out[row] = -root[first:last].T @ root[first:last]
        return with_zero_row_sums(out)

    def _nodes(self, delta, own, summands):
        """Nodes that resolve the summands, for classes not further than `own` below the best."""
        law = self._law
        return resolve(
            self._panels(delta, own),
            len(delta),
            lambda points: _evaluated(law, delta, points),
            lambda nodes: summands(law, delta, nodes),
        )

    def _panels(self, delta, own):
        """Panels to begin with."""
        plain, steep, scale = self._pieces(delta, own)
        panels = joined([_plain(plain, scale), self._steep(steep)])
        return taken(panels, np.argsort(panels.row, kind="stable"))

    def _pieces(self, delta, own):
        """Pieces that begin at a feature, those that begin at a steep point, and a row's scale."""
        law = self._law
        low, high, level = self._ends(delta, own)
        features = np.repeat(law.features, delta.shape[1])
        lag = np.tile(delta, len(law.features))
        breaks = features - lag
        if not law.kinks:
            # A bump needs no break to the digit; those that fall together count once. So far out
            # that numbers are further apart than the bump is wide, it needs one.
            rounded = law.detail * np.round(breaks / law.detail)
            breaks = np.where(np.abs(breaks) < _FAR * law.detail, rounded, breaks)
        steep = np.broadcast_to(np.isin(features, list(law.steep)), breaks.shape)
        if steep.any():
            # An end so near to a steep point is moved there.
            beside = np.where(steep & (breaks <= low[:, None]), breaks, -np.inf).max(axis=1)
            low = np.where(low - beside < law.detail, np.maximum(beside, low - law.detail), low)
        low, high = low[:, None], high[:, None]
        median = np.clip(level[:, [1]], low, high)
        # A break outside counts for nothing: it is put where there is one in any case.
        outside = (breaks < low) | (breaks > high)
        breaks, steep = np.where(outside, median, breaks), steep & ~outside
        others = [median]
        if self._curved:
            spacing = np.maximum(_CURVED * law.width, (high - low) / _MOST_CURVED)
            count = int(((high - low) / spacing).max()) + 1
            others.append(np.minimum(low + spacing * np.arange(count), high))
        others = np.column_stack(others)
        origin = np.column_stack([np.where(steep, features, breaks), others])
        lag = np.column_stack([np.where(steep, lag, 0.0), np.zeros(others.shape)])
        steep = np.column_stack([steep, np.zeros(others.shape, dtype=bool)])
        breaks = np.column_stack([breaks, others])
        order = np.argsort(breaks, axis=1, kind="stable")
        breaks, origin, lag, steep = (
            np.take_along_axis(a, order, axis=1) for a in (breaks, origin, lag, steep)
        )
        if steep.any():
            _share_steepness(breaks, origin, lag, steep)
        scale = np.minimum(law.detail, np.maximum((level[:, 2] - level[:, 0]) / 2, 1e-12))
        row, piece, end = pieces_between(breaks, low[:, 0], high[:, 0])
        pieces = _Pieces(row, origin[row, piece], lag[row, piece], end - breaks[row, piece])
        steep = steep[row, piece]
        return taken(pieces, ~steep), taken(pieces, steep), scale

    def _steep(self, pieces):
        """Panels of pieces that begin at a steep point."""
        log_length = np.log(np.abs(pieces.length))
        depth = self._law.depth(pieces.origin, log_length)
        which, low, high = steep_pieces(log_length, depth)
        row, origin, lag, length = taken(pieces, which)
        return Panels(row, origin, lag, np.sign(length), np.zeros(len(which)), low, high)

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
        low = np.fmax(law.ppf(np.exp(_UNDERFLOW)) - own, law.support[0])  # scipy may not know it
        level = self._quantiles(delta, low, high, np.tile(_LEVELS, (len(delta), 1)))
        with np.errstate(divide="ignore"):
            log_p = np.log(-np.expm1(law.logcdf(own + level[:, 1])))
        lowest = _UNDERFLOW if np.isfinite(law.support[1]) else _LOWEST
        rare = np.maximum(log_p, lowest) - _NEGLIGIBLE
        low = self._quantiles(delta, low, high, rare[:, None])[:, 0]
        return low, np.maximum(high, low + 1e-9 * law.width), level

    def _quantiles(self, delta, low, high, log_cdf):
        """Lower bounds of the winner's values of these log CDFs (n, m), by bisection."""
        scale = self._law.width
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

    def _hessian(self, delta, target):
        """Second derivatives of log p of one class a row: (n, K, K)."""
        law = self._law
        nodes, log_p, share = self._of_targets(delta, target)
        log_hazard = np.empty((len(nodes.row), delta.shape[1]))
        for part, block in _log_hazards(law, delta, nodes):
            log_hazard[:, part] = block
        hazard = np.exp(np.minimum(log_hazard, -_UNDERFLOW / 2))  # its square is finite
        slope = law.log_hazard_slope(*_place(delta, nodes))
        # With G = log F: the second derivative of F_j over F_j is r_j (r_j + (log r_j)').
        steep = self._at_steep_point(delta, nodes)
        curve = np.where(steep, 0.0, hazard) * (np.where(steep, 0.0, hazard) + slope)
        if steep.any():
            # There that is no number, and the derivative goes to the rest of the integrand.
            own = target[nodes.row][:, None]
            rest = np.where(steep, 0.0, hazard).sum(axis=1, keepdims=True)
            rest += np.take_along_axis(slope, own, axis=1)
            with np.errstate(over="ignore"):
                by_parts = np.where(steep, hazard, 0.0) * np.where(steep, rest, 0.0)
            curve -= np.clip(by_parts, -_LARGEST, _LARGEST)
        out = np.empty((*delta.shape, delta.shape[1]))
        with np.errstate(over="ignore"):  # of the diagonal, which is not taken from there
            for row, (first, last) in enumerate(_ranges(nodes, delta)):
                weight, r = share[first:last], hazard[first:last]
                mean = weight @ r
                out[row] = (r * weight[:, None]).T @ r - np.multiply.outer(mean, mean)
                np.fill_diagonal(out[row], weight @ curve[first:last] - mean**2)
        diagonal = np.einsum("njj->nj", out)
        diagonal += self._at_jumps(delta, target, log_p)
        if steep.any():
            diagonal += self._at_ends(delta, target, log_p)
        return with_zero_sums(out, target)

    def _at_steep_point(self, delta, nodes):
        """Which classes have a node on a panel that begins where they are steep: (n_nodes, K)."""
        origin, lag, *_ = _place(delta, nodes)
        base = [origin - point + lag == 0 for point in self._law.steep]
        return np.any(base, axis=0) & nodes.steep[:, None] if base else np.zeros(lag.shape, bool)

    def _at_ends(self, delta, target, log_p):
        """What integrating by parts leaves at the ends of the pieces where a class is steep."""
        pieces = self._pieces(delta, delta[np.arange(len(target)), target])[1]
        step, nothing = pieces.length, np.zeros(len(pieces.row))
        steep = np.ones(len(step), dtype=bool)
        points = Points(*pieces[:3], step, np.log(np.abs(step)), nothing, steep)
        ends = _evaluated(self._law, delta, points)
        terms = _target_summands(self._law, delta, target, ends) - log_p[ends.row]
        out = np.zeros(delta.shape)
        for part, log_hazard in _log_hazards(self._law, delta, ends):
            value = np.sign(step)[:, None] * np.exp(terms[:, None] + log_hazard)
            here = self._at_steep_point(delta[:, part], ends)
            np.add.at(out[:, part], ends.row, np.where(here, value, 0.0))
        return out

    def _at_jumps(self, delta, target, log_p):
        """What jumps of the density add to E[F'' / F] of each class: (n, K)."""
        law, out = self._law, np.zeros(delta.shape)
        for kink in law.kinks:
            height = 0.0 if kink in law.steep else law.jump(kink)
            if abs(height) > 1e-6 / law.width:
                out += height * self._at_jump(delta, target, kink, log_p)
        return out

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
        return np.exp(np.minimum(exponent - log_p[:, None], -_UNDERFLOW)).reshape(-1, n_classes)


_Pieces = namedtuple("_Pieces", "row origin lag length")


def _plain(pieces, scale):
    """Panels of pieces that begin where the integrand is smooth to either side."""
    scale = scale[pieces.row]
    which, low, high = plain_pieces(np.abs(pieces.length), scale)
    row, origin, lag, length = taken(pieces, which)
    return Panels(row, origin, lag, np.sign(length), scale[which], low, high)


def _share_steepness(breaks, origin, lag, steep):
    """Let breaks at the same place as a steep one be that one, in place."""
    for first, second in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
        same = (breaks[:, first] == breaks[:, second]) & steep[:, first] & ~steep[:, second]
        for array in (origin, lag, steep):
            array[:, second] = np.where(same, array[:, first], array[:, second])


def _place(delta, points):
    """Where the classes stand at points, as an interpolant wants it: four arrays."""
    columns = (points.origin, points.lag, points.step, points.log_step)
    origin, lag, step, log_step = (column[:, None] for column in columns)
    return origin, delta[points.row] - lag, step, log_step


def _evaluated(law, delta, points):
    """Points with what all the integrands are made of."""
    log_cdf, log_hazard = np.zeros(len(points.row)), None
    parts = list(_class_blocks(delta, len(points.row)))
    for part in parts:
        block, log_hazard = law.at(*_place(delta[:, part], points))
        log_cdf += block.sum(axis=1)
    return _Nodes(*points, log_cdf, log_hazard if len(parts) == 1 else None)


def _log_hazards(law, delta, nodes):
    """(classes, their log hazards at the nodes), class by class if they are many."""
    if nodes.log_hazard is not None:
        yield slice(None), nodes.log_hazard
        return
    for part in _class_blocks(delta, len(nodes.row)):
        yield part, law.at(*_place(delta[:, part], nodes))[1]


def _summands(law, delta, nodes):
    """Logs of the summands of the integrals for all classes: blocks of (n_nodes, m)."""
    density = (nodes.log_cdf + nodes.log_weights)[:, None]
    for _, log_hazard in _log_hazards(law, delta, nodes):
        yield log_hazard + density


def _target_summands(law, delta, target, nodes):
    """Logs of the summands of the integral for one class a row: (n_nodes,)."""
    own = target[nodes.row][:, None]
    if nodes.log_hazard is None:
        of_target = np.take_along_axis(delta, target[:, None], axis=1)
        log_hazard = law.at(*_place(of_target, nodes))[1]
    else:
        log_hazard = np.take_along_axis(nodes.log_hazard, own, axis=1)
    return log_hazard[:, 0] + nodes.log_cdf + nodes.log_weights


def _log_gaps(law, delta, nodes):
    """Logs of how much less than K equal classes the others add to the best: (n_nodes, 1)."""
    best = law.at(nodes.origin, -nodes.lag, nodes.step, nodes.log_step)[0]
    excess = nodes.log_cdf - delta.shape[1] * best
    # Far out in a very heavy tail there are no digits of it, but large weights.
    excess = np.where(excess > _ROUNDING * np.abs(nodes.log_cdf), excess, 0.0)
    # log(exp(log_cdf) - exp(log_cdf - excess)), without losing the digits of a small excess.
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = nodes.log_cdf + np.log(-np.expm1(-excess))
    yield (np.where(np.isneginf(nodes.log_cdf), -np.inf, gap) + nodes.log_weights)[:, None]


def target_integral(law, delta, target, mesh):
    """log p of one class a row (n,), and its gradient (n, K) but for the target's own entry."""
    own = delta[np.arange(len(delta)), target]
    exponent = law.log_hazard(mesh.nodes + own[mesh.row]) + mesh.log_weights
    for part in _class_blocks(delta, len(mesh.nodes)):
        exponent += law.logcdf(mesh.nodes[:, None] + delta[mesh.row, part]).sum(axis=1)
    log_p, share = log_sums(exponent[:, None], mesh.row, mesh.start)
    gradient = np.empty(delta.shape)
    for part in _class_blocks(delta, len(mesh.nodes)):
        log_hazard = law.log_hazard(mesh.nodes[:, None] + delta[mesh.row, part])
        hazard = np.exp(np.minimum(log_hazard, -_UNDERFLOW))
        gradient[:, part] = -np.add.reduceat(share * hazard, mesh.start)
    return log_p[:, 0], gradient


def _starts(nodes, delta):
    """The first node of each row."""
    return np.searchsorted(nodes.row, np.arange(len(delta)))


def _ranges(nodes, delta):
    """(first, last) node of each row."""
    start = _starts(nodes, delta)
    return zip(start, np.append(start[1:], len(nodes.row)), strict=True)


def _row_blocks(scores):
    size = max(1, _BLOCK_ELEMENTS // (_NODES * scores.shape[1]))
    for start in range(0, len(scores), size):
        yield np.arange(start, min(start + size, len(scores)))


def _class_blocks(delta, n_nodes):
    n_classes = delta.shape[1]
    size = max(1, 8 * _BLOCK_ELEMENTS // n_nodes)
    for start in range(0, n_classes, size):
        yield slice(start, start + size)
