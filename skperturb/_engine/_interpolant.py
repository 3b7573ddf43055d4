"""A noise law as piecewise polynomials: fast at any point, and its kinks are found.

log(-log CDF), which keeps the digits of both tails, and the log of the reversed hazard are
interpolated by polynomials on panels, which are halved until the polynomials agree with the law.
So a law whose functions are costly (Student-t, a convolution, a distribution of scipy.stats) costs
as little as any other, the derivative of its hazard is at hand, and one sees where it is not
smooth: there halving never ends.
"""

import warnings

import numpy as np
from numpy.polynomial import chebyshev
from scipy.interpolate import PPoly

from .._cache import remembered
from ..noise import has_thin_tails, interquartile_range

_POINTS = 12  # of a panel, at the roots of a Chebyshev polynomial
_WIDTH = 0.5  # of the first panels, in asinh((x - median) / scale)
_OFFSET = 0.1234  # of the first panels from the median: no kink is to hide on an edge
_TOLERANCE = 1e-12
_SMALLEST = 1e-15  # panel, in units of the scale
_KINK = 1e-7  # a smaller panel than this has a kink
# A misfit that does not shrink is a law's own noise if it is less than this many tolerances, or
# after this many halvings; it is reported where the log CDF is not rarer than that.
_NOISE, _HALVINGS, _RARE = 1e7, 4, -28.0
_TAIL = 1e-300  # the panels end at this quantile,
_FURTHEST = 1e25  # or here, in units of the scale

_NODES = chebyshev.chebpts1(_POINTS)
_TO_SERIES = np.linalg.inv(chebyshev.chebvander(_NODES, _POINTS - 1))


def _powers(series):
    """Chebyshev series on [-1, 1], along the last axis, as powers of (1 + x) / 2, lowest first."""
    basis = np.zeros((_POINTS, _POINTS))
    for k in range(_POINTS):
        polynomial = chebyshev.Chebyshev.basis(k, domain=[0, 1])
        basis[k, : k + 1] = polynomial.convert(kind=np.polynomial.Polynomial).coef
    return series @ basis


class Interpolant:
    """Piecewise polynomials for the log CDF and the log hazard of a law.

    Parameters
    ----------
    law : Noise or convolution
        With ``logcdf``, ``log_hazard``, ``ppf``, ``isf``, ``support`` and ``kinks``.

    Attributes
    ----------
    scale : float
        A third of the law's interquartile range: the distance over which it varies.
    kinks : tuple of float
        The law's own kinks, and those that were found.
    features : ndarray of shape (n_features,)
        Where an integrand may have features: at the kinks, or what has become of those, or
        else at the median.
    detail : float
        The distance over which the law varies near its features.

    Warns
    -----
    RuntimeWarning
        If the polynomials do not reach the law to 1e-12, with the error reached.
    """

    def __init__(self, law):
        self._law = law
        self.support, self.ppf, self.isf = law.support, law.ppf, law.isf
        self.log_concave = law.log_concave
        # A convolution has both functions for the price of one.
        self._both = getattr(law, "logcdf_and_hazard", None) or (
            lambda x: (law.logcdf(x), law.log_hazard(x))
        )
        self.scale = interquartile_range(law) / 3
        panels, rough = self._halve()
        left, right, series = panels
        order = np.argsort(left)
        edges = np.append(left[order], right[order[-1]])
        self._rough = np.append(rough[order], False)
        powers = _powers(series[order]) / np.diff(edges)[:, None, None] ** np.arange(_POINTS)
        log_log, log_hazard = powers.transpose(1, 2, 0)[:, ::-1]
        self._edges = edges
        self._log_log, self._log_hazard = PPoly(log_log, edges), PPoly(log_hazard, edges)
        self._slope = self._log_hazard.derivative()
        self.kinks = self._find_kinks(edges)
        if hasattr(law, "interior") and has_thin_tails(law):
            # A convolution knows no better than the sum of two quantiles.
            self.isf = lambda q: np.minimum(law.isf(q), edges[-1])
        middle = (float(law.ppf(0.5)),)
        self.features = np.array(getattr(law, "features", None) or self.kinks or middle)
        self.detail = getattr(law, "detail", self.scale)

    def key(self):
        return type(self), self._law.key()

    def logcdf(self, x):
        with np.errstate(divide="ignore"):
            return -np.exp(self._evaluate(self._log_log, self._log_minus_log_cdf, x))

    def log_hazard(self, x):
        return self._evaluate(self._log_hazard, self._law.log_hazard, x)

    def logpdf(self, x):
        return self.log_hazard(x) + self.logcdf(x)

    def logsf(self, x):
        log_cdf = self.logcdf(x)
        with np.errstate(divide="ignore"):
            return np.log(-np.expm1(log_cdf))

    def log_hazard_slope(self, x):
        """Derivative of the log hazard; 0 where there are no panels."""
        return self._evaluate(self._slope, np.zeros_like, x)

    def jump(self, kink):
        """Height by which the density jumps at a point."""
        beside = kink + np.array([-1e-9, 1e-9]) * self.scale
        below, above = np.exp(self.log_hazard(beside) + self.logcdf(beside))
        return above - below

    def _evaluate(self, polynomials, function, x):
        """The polynomials, but the function itself outside of the panels and in the rough ones."""
        out = polynomials(np.clip(x, self._edges[0], self._edges[-1]))
        outside = ~((x >= self._edges[0]) & (x < self._edges[-1]))
        if self._rough.any():
            outside |= self._rough[np.clip(np.searchsorted(self._edges, x, "right") - 1, 0, None)]
        if outside.any():
            out[outside] = function(x[outside])
        return out

    def _log_minus_log_cdf(self, x):
        return np.log(-self._law.logcdf(x))

    def _first_edges(self):
        law = self._law
        middle = float(law.ppf(0.5)) + _OFFSET * self.scale
        reach = np.arcsinh(_FURTHEST)
        graded = middle + self.scale * np.sinh(np.arange(-reach, reach, _WIDTH))
        ends = getattr(law, "interior", None) or (law.ppf(_TAIL), law.isf(_TAIL))
        ends = np.nan_to_num(ends, nan=np.inf, posinf=graded[-1], neginf=graded[0])
        low = max(ends[0], graded[0], law.support[0])
        high = min(ends[1], graded[-1], law.support[1])
        high = self._last(max(low, middle), high)
        edges = np.concatenate([graded, law.kinks, [low, high]])
        return np.unique(edges[(edges >= low) & (edges <= high)])

    def _last(self, low, high):
        """The largest point up to `high` at which P(noise > x) has all its digits, about."""
        if self._law.logcdf(np.array([high]))[0] < -_TAIL or high >= self._law.support[1]:
            return high
        for _ in range(60):
            middle = (low + high) / 2
            enough = self._law.logcdf(np.array([middle]))[0] < -_TAIL
            low, high = (middle, high) if enough else (low, middle)
        return low

    def _halve(self):
        """Panels (left, right, series) and which of them remain rough: those around kinks."""
        edges = self._first_edges()
        left, right = edges[:-1], edges[1:]
        before = np.full(len(left), np.inf)
        done, error = [], 0.0
        while len(left):
            series, misfit, log_cdf, harm = self._fit(left, right)
            # Where neither half is better than the whole was, the law itself is no smoother.
            noisy = (misfit > before / 2) & ((misfit < _NOISE) | (len(done) > _HALVINGS))
            if done:
                noisy &= np.roll(noisy, len(noisy) // 2)
            error = max(error, np.max(harm[noisy & (log_cdf > _RARE)], initial=0.0))
            fits = (misfit <= 1) | noisy
            middle = (left + right) / 2
            smallest = np.maximum(_SMALLEST * self.scale, 4 * np.spacing(np.abs(middle)))
            rough = ~fits & ((right - left < smallest) | np.isnan(log_cdf))
            ready = fits | rough
            done.append((left[ready], right[ready], series[ready], rough[ready]))
            left, middle, right = left[~ready], middle[~ready], right[~ready]
            left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
            before = np.tile(misfit[~ready], 2)
        if error > 100:
            warnings.warn(
                f"Probabilities with this noise are accurate to {error * _TOLERANCE:.0e} only: "
                "its own functions are not smoother than that.",
                RuntimeWarning,
                stacklevel=2,
            )
        left, right, series, rough = (np.concatenate(part) for part in zip(*done, strict=True))
        return (left, right, series), rough

    def _fit(self, left, right):
        """Series (n, 2, _POINTS), their misfit, the largest log CDF, and the harm to log p.

        The misfit is in units of what it may be, and inf where a value is infinite; the log CDF is
        nan where no value is finite; the harm is the misfit of log CDF and log hazard themselves.
        """
        x = left[:, None] + (right - left)[:, None] * (_NODES + 1) / 2
        log_cdf, log_hazard = self._both(x)
        log_cdf = np.where(log_cdf < -_TAIL, log_cdf, 0.0)  # below, there are fewer digits
        with np.errstate(divide="ignore"):
            values = np.stack([np.log(-log_cdf), log_hazard], axis=1)
        usable = np.isfinite(values).all(axis=1)
        finite = usable.all(axis=1)
        largest = np.where(usable.any(axis=1), log_cdf.max(axis=1), np.nan)
        values[~finite] = 0.0
        allowed = np.maximum(np.abs(values).max(axis=2), 1)
        # The log hazard is rounded as log pdf and log CDF are.
        magnitude = np.where(finite, np.abs(log_cdf).max(axis=1), 0.0)
        allowed[:, 1] += magnitude
        allowed *= _TOLERANCE
        rounding_of_x = 4 * np.spacing(np.abs(x).max(axis=1)) / (right - left)
        allowed += np.ptp(values, axis=2) * rounding_of_x[:, None]
        series = values @ _TO_SERIES.T
        misfit = np.abs(series[..., -2:]).sum(axis=2) / allowed
        harm = (misfit * np.column_stack([magnitude, np.ones_like(magnitude)])).max(axis=1)
        return series, np.where(finite, misfit.max(axis=1), np.inf), largest, harm

    def _find_kinks(self, edges):
        """The law's own kinks, and the points that panels were halved down to, if they matter."""
        kinks, width = list(self._law.kinks), np.diff(edges)
        tiny = np.flatnonzero(width < _KINK * self.scale)
        tiny = tiny[np.argsort(width[tiny])]
        found = edges[tiny] + width[tiny] / 2
        log_cdf = self._law.logcdf(found)
        for point in found[(log_cdf > np.log(_TAIL)) & (log_cdf < -_TOLERANCE)]:
            if all(abs(point - kink) > 10 * _KINK * self.scale for kink in kinks):
                kinks.append(float(point))
        return tuple(kinks)


@remembered
def interpolant(law):
    """The interpolant of a law, made once."""
    return Interpolant(law)
