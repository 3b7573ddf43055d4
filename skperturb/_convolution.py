"""The law of noise + temperature * Gumbel, which turns Perturb-Softmax into Perturb-Argmax.

softmax is an argmax with Gumbel noise, so

    E softmax((theta + gamma) / tau) = P(argmax(theta + gamma + tau * G)),  G standard Gumbel,

and Perturb-Softmax with noise gamma is Perturb-Argmax with the noise gamma + tau * G, whose
CDF is H(t) = E_gamma exp(-exp(-(t - gamma) / tau)).
"""

from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from .noise import Gumbel, interquartile_range

# Spacing of the trapezoid rule in units of the smoother variable's scale. The integrands are
# analytic in a strip, where the rule converges exponentially: 1e-15 at this spacing.
_SPACING = 0.2
# The nodes stop where the smoother variable's tail falls below this probability.
_TAIL = 1e-300
# Points evaluated at once. Neighbours share the nodes that matter to them, so few are best.
_BLOCK = 256


class GumbelConvolution:
    """Distribution of gamma + temperature * G for a smooth noise gamma.

    Parameters
    ----------
    noise : Noise
        The law of gamma.
    temperature : float
        The scale tau of the Gumbel variable; positive and finite.
    """

    def __init__(self, noise, temperature):
        gumbel = Gumbel(temperature)
        # Integrate over the narrower of the two: the other one is smooth at its scale.
        narrow, self._wide = sorted((noise, gumbel), key=interquartile_range)
        low, high = narrow.ppf(_TAIL), narrow.isf(_TAIL)
        self._end = np.inf
        if narrow is gumbel:
            # Beyond the end, the tail is the Gumbel's: log-linear. It begins where the noise's own
            # tail falls as steeply; the nodes must reach past that by the width of the noise.
            high = max(high, 16 * interquartile_range(noise))
            self._end = (
                _where_steeper(noise, 1 / temperature) + high - 10 * interquartile_range(noise)
            )
        spacing = _SPACING * interquartile_range(narrow)
        self._nodes = np.arange(low, high + spacing, spacing)
        self._log_weights = narrow.logpdf(self._nodes) + np.log(spacing)
        self._log_weights -= np.log(np.exp(self._log_weights).sum())
        self._parts = noise, gumbel

    def __eq__(self, other):
        return isinstance(other, GumbelConvolution) and self._parts == other._parts

    def __hash__(self):
        return hash(self._parts)

    def ppf(self, q):
        """A lower bound of the quantile for small `q`."""
        return sum(part.ppf(q) for part in self._parts)

    def isf(self, q):
        """An upper bound of the upper quantile for small `q`."""
        return sum(part.isf(q) for part in self._parts)

    def logpdf(self, x):
        inside = self._average(self._wide.logpdf, np.minimum(x, self._end))
        if np.isinf(self._end):
            return inside
        slope = 1 / self._parts[1].scale
        return inside - np.maximum(x - self._end, 0) * slope

    def logcdf(self, x):
        below = self._average(self._wide.logcdf, x)
        # Near 1 the average has lost what matters, how far it is from 1.
        near_one = below > -0.5
        below[near_one] = np.log1p(-np.exp(self._average(self._wide.logsf, x[near_one])))
        return below

    def log_hazard(self, x):
        return self.logpdf(x) - self.logcdf(x)

    def _average(self, log_function, x):
        """log E exp(log_function(x - narrow variable)), in blocks of points."""
        flat = np.ravel(x)
        out = np.empty(flat.shape)
        for start in range(0, flat.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            points = flat[part]
            active = self._active_nodes(log_function, points)
            terms = log_function(points[:, None] - self._nodes[active])
            terms += self._log_weights[active]
            peak = terms.max(axis=1)
            terms -= peak[:, None]
            out[part] = peak + np.log(np.exp(terms, out=terms).sum(axis=1))
        return out.reshape(np.shape(x))

    def _active_nodes(self, log_function, points):
        """The nodes that matter to any of the points: those between what matters to the ends."""
        ends = np.array([points.min(), points.max()])[:, None]
        terms = log_function(ends - self._nodes) + self._log_weights
        matter = np.flatnonzero(np.any(terms >= terms.max(axis=1, keepdims=True) - 40, axis=0))
        return slice(matter[0], matter[-1] + 1)


class Splined:
    """logcdf and log_hazard of a convolution by cubic splines: for many points, anywhere.

    The splines run in asinh(x / scale), in which both functions are smooth from end to end.
    Beyond the ends the right tail is log-linear, and the left one so improbable (below
    exp(-1e5)) that its shape does not matter.
    """

    _STEP, _END, _IMPOSSIBLE = 0.005, 1e4, -1e5

    def __init__(self, law):
        self.ppf, self.isf = law.ppf, law.isf
        self._scale = interquartile_range(law) / 3
        end = np.arcsinh(self._END)
        u = np.linspace(-end, end, int(2 * end / self._STEP))
        x = self._scale * np.sinh(u)
        log_cdf = law.logcdf(x)
        inside = log_cdf > self._IMPOSSIBLE
        x, log_cdf = x[inside], log_cdf[inside]
        log_hazard = law.log_hazard(x)
        self._low, self._high = x[0], x[-1]
        self._lowest = log_cdf[0], log_hazard[0]
        self._slope = (log_hazard[-1] - log_hazard[-2]) / (x[-1] - x[-2])
        self._log_cdf = CubicSpline(u[inside], log_cdf)
        self._log_hazard = CubicSpline(u[inside], log_hazard)

    def _inside(self, x):
        return np.arcsinh(np.clip(x, self._low, self._high) / self._scale)

    def logcdf(self, x):
        inside = np.minimum(self._log_cdf(self._inside(x)), 0.0)
        below = self._lowest[0] * np.minimum(x / self._low, 1e100) ** 2
        return np.where(x < self._low, below, inside)

    def log_hazard(self, x):
        inside = self._log_hazard(self._inside(x)) + self._slope * np.maximum(x - self._high, 0)
        below = self._lowest[1] + np.log(np.maximum(x / self._low, 1))
        return np.where(x < self._low, below, inside)


@lru_cache(maxsize=16)
def splined(law):
    """The splines of a convolution, made once."""
    return Splined(law)


def _where_steeper(noise, slope):
    """Where the log density begins to fall more steeply than `slope`; inf if it never does."""
    spread = interquartile_range(noise)
    points = spread * np.geomspace(1, 1e6, 2000)
    log_pdf = noise.logpdf(points)
    steeper = np.diff(log_pdf) < -slope * np.diff(points)
    return points[steeper.argmax()] if steeper.any() else np.inf
