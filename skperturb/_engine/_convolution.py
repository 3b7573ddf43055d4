"""The law of noise + temperature * Gumbel, which turns Perturb-Softmax into Perturb-Argmax.

softmax is an argmax with Gumbel noise, so

    E softmax((theta + gamma) / tau) = P(argmax(theta + gamma + tau * G)),  G standard Gumbel,

and Perturb-Softmax with noise gamma is Perturb-Argmax with the noise gamma + tau * G, whose
CDF is H(t) = E_gamma exp(-exp(-(t - gamma) / tau)).
"""

from collections import namedtuple
from functools import cached_property

import numpy as np

from .._cache import remembered
from ..noise import SMALLEST_TAIL, Gumbel, Law, has_thin_tails, interquartile_range
from ._interpolant import interpolant
from ._panels import (
    Panels,
    joined,
    log_sums,
    pieces_between,
    plain_pieces,
    points_of,
    resolve,
    steep_pieces,
    taken,
)

# Spacing of the trapezoid rule in units of the smoother variable's scale. The integrands are
# analytic in a strip, where the rule converges exponentially: 1e-15 at this spacing.
_SPACING = 0.2
_LEFT_TAIL = 1e-290  # the same for a noise that is averaged to the left of that, too
# Points evaluated at once. Neighbours share the nodes that matter to them, so few are best.
_BLOCK = 256
_IMPOSSIBLE = -1e5
_LARGEST_LOG = 690.0
# So many temperatures beyond the end of a noise the tail is the Gumbel's, to exp(-40).
_BEYOND_END = 40.0
# Range of the Gumbel variable that a rough convolution integrates over.
_LOWEST, _HIGHEST = -14.0, 740.0
_GUMBEL_BREAKS = -3.0, -1.0, 1.0  # its density turns there
_BESIDE = 8.0  # so near to the middle of that density, no break but a steep point is needed
_PANEL = 1.5
# Below this temperature, in units of the noise, the trapezoid rule needs more points than the mesh.
_COLD = 3e-3
_FURTHEST = 1e9


@remembered
def convolution(noise, temperature):
    """Distribution of gamma + temperature * G; made once, then remembered.

    Parameters
    ----------
    noise : Noise
        The law of gamma.
    temperature : float
        The scale tau of the Gumbel variable; positive and finite.

    Returns
    -------
    GumbelConvolution, RoughConvolution, or one of those in another unit
    """
    if noise.scale != 1:
        return _InUnits(convolution(noise.standard(), temperature / noise.scale), noise.scale)
    if noise.discrete:
        return GumbelConvolution(noise, temperature)
    rough = noise.kinks or not has_thin_tails(noise)
    if rough or temperature < _COLD * interquartile_range(noise):
        return RoughConvolution(noise, temperature)
    smooth = GumbelConvolution(noise, temperature)
    if noise.needs_interpolant and not smooth.converged():
        return RoughConvolution(noise, temperature)
    return smooth


class _InUnits(Law):
    """A law times a unit: the unit, the law, and the quantiles are all that anyone asks for."""

    def __init__(self, law, unit):
        self._law, self.scale = law, unit
        self.support, self.log_concave = law.support, law.log_concave

    def key(self):
        return self.scale, self._law.key()

    def standard(self):
        return self._law

    def ppf(self, q):
        return self.scale * self._law.ppf(q)

    def isf(self, q):
        return self.scale * self._law.isf(q)


class _Convolution(Law):
    """What both have: both functions in one pass, and bounds of the quantiles."""

    needs_interpolant = True

    def __init__(self, noise, temperature):
        self._parts = noise, Gumbel(temperature)
        self.log_concave = noise.log_concave
        # Outside, nothing is worth a panel of an interpolant.
        self.interior = self.ppf(SMALLEST_TAIL), self.isf(SMALLEST_TAIL)

    def key(self):
        return type(self), *(part.key() for part in self._parts)

    def __repr__(self):
        noise, gumbel = self._parts
        return f"{noise!r} + {gumbel.scale:g} * Gumbel()"

    def ppf(self, q):
        """A lower bound of the quantile for small `q`."""
        return sum(part.ppf(q / 2) for part in self._parts)

    def isf(self, q):
        """An upper bound of the upper quantile for small `q`."""
        return sum(part.isf(q / 2) for part in self._parts)

    def logcdf(self, x):
        return self.logcdf_and_hazard(x)[0]

    def log_hazard(self, x):
        return self.logcdf_and_hazard(x)[1]

    def logcdf_and_hazard(self, x):
        """Both at once, for the price of one."""
        x = np.asarray(x, dtype=float)
        low, high = self.interior
        outside = (x < low) | (x > high)
        flat, inside = x[~outside], np.empty((2, x.size - outside.sum()))
        for start in range(0, flat.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            inside[:, part] = self._integrate(flat[part])
        both = np.empty((2, *x.shape))
        both[:, ~outside] = inside
        if outside.any():
            both[:, outside] = self._extrapolate(x[outside])
        return both

    @cached_property
    def _at_ends(self):
        (low, high), tau = self.interior, self._parts[1].scale
        return self._integrate(np.array([low, low + tau, high - tau, high]))

    def _extrapolate(self, x):
        """Log-linear tails, where the exact shape is too improbable to matter."""
        low, high = self.interior
        tau = self._parts[1].scale
        near = self._at_ends
        left = x < low
        steps = np.where(left, low - x, x - high) / tau
        falls = near[:, [1, 2]] - near[:, [0, 3]]
        log_cdf = np.where(left, near[0, 0] - falls[0, 0] * steps, 0.0)
        log_hazard = near[1, [3, 0]][left.astype(int)] - falls[1, [1, 0]][left.astype(int)] * steps
        # A hazard that no number holds is of no class that wins.
        return np.stack([log_cdf, np.minimum(log_hazard, _LARGEST_LOG)])


class GumbelConvolution(_Convolution):
    """The law for a noise that is discrete, or known to be smooth and to have thin tails."""

    def __init__(self, noise, temperature):
        super().__init__(noise, temperature)
        self._end = np.inf
        if noise.discrete:
            self._wide, (self._nodes, masses) = self._parts[1], noise.masses()
            self._log_weights = np.log(masses)
            # Below a value the Gumbel density falls within its scale, above it decays slowly.
            beside = temperature * np.arange(-6.0, 3.0, 2.0)
            self.features = tuple(np.add.outer(self._nodes, beside).ravel())
            self.detail = min(interquartile_range(self._wide), interquartile_range(self)) / 3
        else:
            self._set_nodes(noise, self._parts[1])
        # Down to where the log CDF is -1e5.
        low, high = 1e4 * self.interior[0] - 1e4 * temperature, self.interior[0]
        for _ in range(60):
            middle = (low + high) / 2
            enough = self._integrate(np.array([middle]))[0, 0] > _IMPOSSIBLE
            low, high = (low, middle) if enough else (middle, high)
        end = self._end if np.isfinite(self._end) else 0.0
        self.interior = float(high), max(self.interior[1], end)

    def _set_nodes(self, noise, gumbel):
        """Nodes and weights of the trapezoid rule."""
        # Integrate over the narrower of the two: the other one is smooth at its scale.
        narrow, self._wide = sorted((noise, gumbel), key=interquartile_range)
        low, high = narrow.ppf(SMALLEST_TAIL), narrow.isf(SMALLEST_TAIL)
        if narrow is gumbel:
            # Beyond the end, the tail is the Gumbel's: log-linear. It begins where the noise's own
            # tail falls as steeply; the nodes must reach past that by the width of the noise.
            high = max(high, 16 * interquartile_range(noise))
            steeper = _where_steeper(noise, 1 / gumbel.scale)
            self._end = steeper + high - 10 * interquartile_range(noise)
        spacing = _SPACING * interquartile_range(narrow)
        self._nodes = np.arange(low, high + spacing, spacing)
        self._log_weights = narrow.logpdf(self._nodes) + np.log(spacing)
        self._log_weights -= np.log(np.exp(self._log_weights).sum())

    def converged(self):
        """Whether half the nodes give the same: not known beforehand for any noise."""
        x = np.linspace(self.ppf(1e-15), self.isf(1e-15), 25)
        full = self._integrate(x)
        nodes, log_weights = self._nodes, self._log_weights
        self._nodes, self._log_weights = nodes[::2], log_weights[::2] + np.log(2)
        half = self._integrate(x)
        self._nodes, self._log_weights = nodes, log_weights
        return np.allclose(full, half, rtol=1e-9, atol=1e-9)

    def _integrate(self, x):
        below = self._average(self._wide.logcdf, x)
        # Near 1 the average has lost what matters, how far it is from 1.
        near_one = below > -0.5
        below[near_one] = np.log1p(-np.exp(self._average(self._wide.logsf, x[near_one])))
        log_pdf = self._average(self._wide.logpdf, np.minimum(x, self._end))
        if np.isfinite(self._end):
            log_pdf -= np.maximum(x - self._end, 0) / self._parts[1].scale
        return np.stack([below, log_pdf - below])

    def _average(self, log_function, x):
        """log E exp(log_function(x - narrow variable))."""
        if not x.size:
            return x
        active = self._active_nodes(log_function, x)
        terms = log_function(x[:, None] - self._nodes[active]) + self._log_weights[active]
        peak = terms.max(axis=1)
        terms -= peak[:, None]
        return peak + np.log(np.exp(terms, out=terms).sum(axis=1))

    def _active_nodes(self, log_function, points):
        """The nodes that matter to any of the points: those between what matters to the ends."""
        ends = np.array([points.min(), points.max()])[:, None]
        terms = log_function(ends - self._nodes) + self._log_weights
        matter = np.flatnonzero(np.any(terms >= terms.max(axis=1, keepdims=True) - 40, axis=0))
        return slice(matter[0], matter[-1] + 1)


class RoughConvolution(_Convolution):
    """The same for any noise: with kinks, bounded, with heavy tails or of unknown shape.

    Integrates over the Gumbel variable g, on a mesh for each point x that is finest where
    the noise at (x - g) / temperature has a kink or its middle.
    """

    def __init__(self, noise, temperature):
        super().__init__(noise, temperature)
        self._noise = interpolant(noise)
        kinks = self._noise.kinks
        self.features = kinks or (float(noise.ppf(0.5)),)
        # Distance over which the law varies, near a feature.
        self.detail = min(self._noise.width, interquartile_range(self._parts[1]) / 3)
        self._breaks = np.array(self.features)
        thin = has_thin_tails(noise)
        if thin and not kinks:
            # No feature says where the integrand has its peak.
            spacing = 3 * self._noise.width
            self._breaks = np.arange(
                noise.ppf(SMALLEST_TAIL), noise.isf(SMALLEST_TAIL) + spacing, spacing
            )
        # To the left of that the noise's own CDF has no digits any more.
        lowest = float(noise.ppf(_LEFT_TAIL)) if np.isinf(noise.support[0]) else -np.inf
        if thin:
            # Beyond, the right tail is log-linear, and the left one too improbable to matter.
            low = self.ppf(SMALLEST_TAIL)
            bounded = np.isfinite(noise.support[1])
            beyond = _BEYOND_END if bounded else _HIGHEST
            high = noise.isf(SMALLEST_TAIL) + beyond * temperature
        else:
            # Beyond, the convolution moves the noise by the mean of the Gumbel variable.
            high = _FURTHEST * max(self._noise.width, temperature)
            low = -high if np.isinf(noise.support[0]) else self.ppf(SMALLEST_TAIL)
        low = max(low, lowest)
        # Whether the left tail is the Gumbel's.
        self._steep_left = thin or bool(np.isfinite(noise.support[0]))
        self._thin, self.interior = thin, (low, high)

    def _extrapolate(self, x):
        straight = super()._extrapolate(x) if self._steep_left else None
        if self._thin:
            return straight
        # Far out, the convolution moves the noise by the mean of the Gumbel variable.
        moved = x - np.euler_gamma * self._parts[1].scale
        moved = np.stack([self._parts[0].logcdf(moved), self._parts[0].log_hazard(moved)])
        return np.where(x < self.interior[0], straight, moved) if self._steep_left else moved

    def _integrate(self, x):
        """log E F(x - temperature * g), and log of E f(..) over that, f the noise's density."""
        panels = self._panels(x)
        if self._noise.steep:
            nodes = resolve(
                panels,
                len(x),
                lambda points: self._evaluated(x, points),
                lambda nodes: [np.column_stack(nodes[1:])],
            )
        else:
            nodes = self._evaluated(x, points_of(panels))
        row, start = nodes.row, np.searchsorted(nodes.row, np.arange(len(x)))
        below, above, density = (log_sums(terms, row, start)[0] for terms in nodes[1:])
        # Near 1 the average has lost what matters, how far it is from 1.
        near_one = below > -0.5
        below[near_one] = np.log1p(-np.exp(above[near_one]))
        return np.stack([below, density - below])

    def _panels(self, x):
        """Panels in the Gumbel variable: in ``lag`` the steep point of the noise they begin at."""
        tau, noise = self._parts[1].scale, self._noise
        at = (x[:, None] - self._breaks) / tau
        breaks = np.clip(at, _LOWEST, _HIGHEST)
        # On the left the Gumbel density falls within exp(g); only thin tails lead there.
        first = np.minimum(breaks.min(axis=1), 0.0) if self._steep_left else np.zeros(len(x))
        low, high = np.minimum(first - 0.5, -4.0), np.full(len(x), _HIGHEST)
        scale = min(1.0, noise.width / tau) / 2 * np.exp(first)
        steep = np.isin(self._breaks, list(noise.steep)) & (at == breaks)
        # A break outside counts for nothing.
        breaks = np.where((at == breaks) | self._steep_left, breaks, _GUMBEL_BREAKS[0])
        others = np.tile(_GUMBEL_BREAKS, (len(x), 1))
        # Beside a steep point no other break, which would be too near to it for some x.
        near = np.any(steep & (np.abs(at) < _BESIDE), axis=1)
        others[near] = breaks[near, :1]
        breaks = np.column_stack([breaks, others])
        steep = np.column_stack([steep, near[:, None] & np.tile(steep[:, :1], others.shape[1])])
        point = np.tile(self._breaks, (len(x), 1))
        point = np.column_stack([point, np.tile(point[:, :1], others.shape[1])])
        order = np.argsort(breaks, axis=1)
        breaks, steep, point = (
            np.take_along_axis(a, order, axis=1) for a in (breaks, steep, point)
        )
        row, piece, end = pieces_between(breaks, low, high)
        steep, origin, point = steep[row, piece], breaks[row, piece], point[row, piece]
        length = end - origin
        parts = []
        which, u_low, u_high = plain_pieces(np.abs(length[~steep]), scale[row[~steep]], _PANEL)
        which = np.flatnonzero(~steep)[which]
        parts.append((which, scale[row[which]], u_low, u_high))
        if steep.any():
            log_length = np.log(np.abs(length[steep]))
            depth = noise.depth(point[steep], log_length + np.log(tau))
            which, u_low, u_high = steep_pieces(log_length, depth)
            which = np.flatnonzero(steep)[which]
            parts.append((which, np.zeros(len(which)), u_low, u_high))
        panels = joined(
            [
                Panels(row[k], origin[k], point[k], np.sign(length[k]), unit, u_low, u_high)
                for k, unit, u_low, u_high in parts
            ]
        )
        return taken(panels, np.argsort(panels.row, kind="stable"))

    def _evaluated(self, x, points):
        """Logs of the summands of E F, E (1 - F) and E f at the points."""
        tau, g = self._parts[1].scale, points.origin + points.step
        with np.errstate(divide="ignore"):
            log_step = np.where(points.steep, points.log_step, np.log(np.abs(g))) + np.log(tau)
        log_cdf, log_hazard = self._noise.at(
            np.where(points.steep, points.lag, x[points.row]),
            np.zeros(len(g)),
            -tau * np.where(points.steep, points.step, g),
            log_step,
        )
        log_weights = points.log_weights - g - np.exp(-g)
        with np.errstate(divide="ignore"):
            log_sf = np.log(-np.expm1(log_cdf))
        logs = (log_cdf, log_sf, log_cdf + log_hazard)
        return _Nodes(points.row, *(log + log_weights for log in logs))


_Nodes = namedtuple("_Nodes", "row log_cdf log_sf log_pdf")


def _where_steeper(noise, slope):
    """Where the log density begins to fall more steeply than `slope`; inf if it never does."""
    spread = interquartile_range(noise)
    points = spread * np.geomspace(1, 1e6, 2000)
    log_pdf = noise.logpdf(points)
    steeper = np.diff(log_pdf) < -slope * np.diff(points)
    return points[steeper.argmax()] if steeper.any() else np.inf
