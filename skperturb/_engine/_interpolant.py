"""A noise law as piecewise polynomials: fast at any point, and its kinks are found.

log(-log CDF), which keeps the digits of both tails, and the log of the reversed hazard are
interpolated by polynomials on panels, which are halved until the polynomials agree with the law.
So a law whose functions are costly (Student-t, a convolution, a distribution of scipy.stats) costs
as little as any other, the derivative of its hazard is at hand, and one sees where it is not
smooth: there halving never ends. Next to such a point the polynomials are in the log of the
distance from it, see ``_charts``.
"""

import time
import warnings

import numpy as np

from .._cache import remembered
from ..noise import SMALLEST_TAIL, Law, has_thin_tails, interquartile_range
from ._charts import NODES, POINTS, TO_SERIES, TOLERANCE, Chart, piecewise

_WIDTH = 0.5  # of the first panels, in asinh((x - median) / scale)
_OFFSET = 0.1234  # of the first panels from the median: no kink is to hide on an edge
_SMALLEST = 1e-15  # panel, in units of the width
_KINK = 1e-7  # a smaller panel than this has a kink
_JUMP = 1e-3  # of a log hazard at an edge between panels
_BEFORE_CHART = 3  # times a panel next to a kink is halved before it is held to be not smooth
# Halving a panel is of no use if both halves have more than this share of its misfit, once if that
# is less than so many tolerances, or where the log CDF is so near to 0 that 1 - CDF has lost
# digits, and twice in a row otherwise.
_STALLED, _SMALL_NOISE, _NEAR_ONE = 0.6, 100.0, -1e-6
_FURTHEST = 1e25  # widths where the panels end, if the smallest quantile is further
# Where a panel is looked at: its nodes, and between the outermost of them and the ends.
_BESIDE = np.array([-0.9998, 0.9998])
_LOOKS = np.append(NODES, _BESIDE)
_AT_ENDS = np.polynomial.chebyshev.chebvander(_BESIDE, POINTS - 1).T
_AT_POINT = -1e5  # log distance of a point from itself
_ACCURATE = 1e-8  # error of p that is worth a warning
_SMOOTH_BY_THEN = 5  # halvings
_DIFFERENCE = 1e-5  # relative step of a numeric derivative
_ROUNDING = 1e-15  # of a CDF, and a bit more
_GAUSS, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PATIENCE = 5.0  # seconds of processor time before a preparation says that it is slow


class Interpolant(Law):
    """Piecewise polynomials for the log CDF and the log hazard of a law.

    Parameters
    ----------
    law : Noise or convolution
        With ``logcdf``, ``log_hazard``, ``ppf``, ``isf``, ``support`` and ``kinks``.

    Attributes
    ----------
    width : float
        A third of the law's interquartile range: the distance over which it varies.
    kinks : tuple of float
        The law's own kinks, and those that were found.
    steep : dict of float to list of Chart
        The kinks next to which the density is no polynomial: infinite, a power, flat to all orders.
    features : ndarray of shape (n_features,)
        Where an integrand may have features: at the kinks, or what has become of those, or
        else at the median.
    detail : float
        The distance over which the law varies near its features.
    error : float
        Bound of the error of a probability with two classes, as far as density and CDF of the law
        do not agree with each other.

    Warns
    -----
    RuntimeWarning
        If that error is more than 1e-8.
    """

    def __init__(self, law):
        self._law = law
        self.support, self.ppf, self.isf = law.support, law.ppf, law.isf
        self.log_concave = law.log_concave
        self._both = law.logcdf_and_hazard
        self.width = interquartile_range(law) / 3
        self._deadline = time.thread_time() + _PATIENCE
        self.kinks = tuple(law.kinks)
        edges = self._first_edges()
        self._halve(edges)
        found = self._find_kinks()
        if found:
            self.kinks += found
            self._halve(np.unique(np.concatenate([edges, found])))
        self.kinks += self._find_kinks()
        steep = {chart.point for chart in self._charts if chart.steep}
        self.steep = {
            point: [chart for chart in self._charts if chart.point == point] for point in steep
        }
        if has_thin_tails(law):
            # A convolution knows no better than the sum of two quantiles.
            self.isf = lambda q: np.minimum(law.isf(q), self._edges[-1])
        self.features, self.detail = np.array(self.kinks or law.features), law.detail
        self.error = self._disagreement()
        if self.error > _ACCURATE:
            warnings.warn(
                f"Probabilities with this noise may be wrong by {self.error:.0e} per class, "
                "because the density and the cumulative distribution function that it gives do not "
                "agree better with each other.",
                RuntimeWarning,
                stacklevel=2,
            )

    def key(self):
        return type(self), self._law.key()

    def logcdf(self, x):
        return self.at(*_plainly(x))[0]

    def log_hazard(self, x):
        return self.at(*_plainly(x))[1]

    def logcdf_and_hazard(self, x):
        return self.at(*_plainly(x))

    def at(self, origin, lag, step, log_step):
        """Log CDF and log hazard at origin + lag + step.

        Parameters
        ----------
        origin, lag, step, log_step : ndarray
            They broadcast to one shape. Where lag is 0 and origin a kink, the distance from it is
            exactly |step| = exp(log_step), which may be far below the rounding of the sum.

        Returns
        -------
        log_cdf, log_hazard : ndarray
        """
        x = origin + lag + step
        low, high = self._edges[0], self._edges[-1]
        both = self._polynomials(np.clip(x, low, high))
        log_cdf, log_hazard = -np.exp(both[..., 0]), np.ascontiguousarray(both[..., 1])
        outside = ~((x >= low) & (x < high))
        if self._rough.any():
            outside |= self._rough[self._panel_of(x)]
        for chart, where, t in self._on_charts(x, origin, lag, step, log_step):
            both = chart.evaluate(t)
            log_cdf[where], log_hazard[where] = both[..., 0], both[..., 1]
            outside[where] = False
        if outside.any():
            self._beyond(x, outside, log_cdf, log_hazard)
        return log_cdf, log_hazard

    def _beyond(self, x, outside, log_cdf, log_hazard):
        """Put in what the polynomials do not give: nothing outside of the support, or the law."""
        low, high = self.support
        below, above = x < low, x > high
        log_cdf[below], log_cdf[above] = -np.inf, 0.0
        log_hazard[below | above] = -np.inf
        outside = outside & ~(below | above)
        if outside.any():
            log_cdf[outside], values = self._both(x[outside])
            # Infinite only at a point itself: what is next to it lies on a chart, or has nothing.
            log_hazard[outside] = np.where(np.isposinf(values), -np.inf, values)

    def _on_charts(self, x, origin, lag, step, log_step):
        """(chart, where, log distance) of the points that lie on charts."""
        for chart in self._charts:
            base = origin - chart.point + lag
            distance = chart.side * (base + step)
            where = (distance > 0) & (distance <= chart.width)
            exact = (base == 0) & (chart.side * step >= 0)
            where |= exact & (log_step <= np.log(chart.width))
            if where.any():
                with np.errstate(divide="ignore"):
                    t = np.where(exact, np.maximum(log_step, _AT_POINT), np.log(np.abs(distance)))
                yield chart, where, t[where]

    def log_hazard_slope(self, origin, lag, step, log_step):
        """Derivative of the log hazard; 0 on rough panels."""
        x = origin + lag + step
        low, high = self._edges[0], self._edges[-1]
        out = self._slope(np.clip(x, low, high))[..., 1]
        outside = ~((x >= low) & (x < high))
        out[outside | self._rough[self._panel_of(x)]] = 0.0
        beyond = outside & (x > self.support[0]) & (x < self.support[1])
        if beyond.any():
            out[beyond] = self._slope_of_law(x[beyond])
        for chart, where, t in self._on_charts(x, origin, lag, step, log_step):
            out[where] = chart.log_hazard_slope(t)
        return out

    def _slope_of_law(self, x):
        """Derivative of the log hazard by a central difference: beyond the polynomials."""
        h = _DIFFERENCE * np.maximum(np.abs(x), self.width)
        below, above = (self._both(x + side)[1] for side in (-h, h))
        with np.errstate(invalid="ignore"):
            slope = (above - below) / (2 * h)
        return np.where(np.isfinite(slope), slope, 0.0)

    def depth(self, points, log_length):
        """How much nearer than exp(log_length) to steep points a mesh must go, in log distance."""
        depth = np.zeros(len(log_length))
        for point, charts in self.steep.items():
            here = points == point
            depth[here] = np.max([chart.depth(log_length[here]) for chart in charts], axis=0)
        return depth

    def jump(self, kink):
        """Height by which the density jumps at a point."""
        beside = kink + np.array([-1e-9, 1e-9]) * self.width
        below, above = np.exp(self.logpdf(beside))
        return above - below

    def _panel_of(self, x):
        last = len(self._edges) - 2
        return np.clip(np.searchsorted(self._edges, x, "right") - 1, 0, last)

    def _first_edges(self):
        law = self._law
        middle = float(law.ppf(0.5)) + _OFFSET * self.width
        reach = np.arcsinh(_FURTHEST)
        graded = middle + self.width * np.sinh(np.arange(-reach, reach, _WIDTH))
        ends = np.nan_to_num(law.interior, nan=np.inf, posinf=graded[-1], neginf=graded[0])
        low, high = law.support
        # A finite end belongs to the panels, whatever the quantiles are.
        low = low if np.isfinite(low) else max(ends[0], graded[0])
        if not np.isfinite(high):
            high = self._last(max(low, middle), min(ends[1], graded[-1]))
        edges = np.concatenate([graded, law.kinks, [low, high]])
        return np.unique(edges[(edges >= low) & (edges <= high)])

    def _last(self, low, high):
        """The largest point up to `high` at which P(noise > x) has all its digits, about."""
        if self._law.logcdf(np.array([high]))[0] < -SMALLEST_TAIL:
            return high
        for _ in range(60):
            middle = (low + high) / 2
            enough = self._law.logcdf(np.array([middle]))[0] < -SMALLEST_TAIL
            low, high = (middle, high) if enough else (low, middle)
        return low

    def _halve(self, edges):
        """Set panels, which of them remain rough: those around kinks, and charts beside kinks."""
        left, right = edges[:-1], edges[1:]
        before, stalls = np.full(len(left), np.inf), np.zeros(len(left), dtype=int)
        done, self._charts = [], []
        while len(left):
            self._say_if_slow()
            series, misfit, largest = self._fit(left, right, len(done))
            # Where neither half is better than the whole was, nor their halves better than they,
            # the law itself is no smoother. (Next to a singular point, one of the halves is.)
            stalled = misfit > _STALLED * before
            stalled &= np.roll(stalled, len(stalled) // 2)
            stalls = np.where(stalled, stalls + 1, 0)
            expected = (misfit < _SMALL_NOISE) | (largest > _NEAR_ONE)
            fits = (misfit <= 1) | (stalls >= np.where(expected, 1, 2))
            middle = (left + right) / 2
            smallest = np.maximum(_SMALLEST * self.width, 4 * np.spacing(np.abs(middle)))
            rough = ~fits & ((right - left < smallest) | np.isnan(largest))
            ready = fits | rough
            if len(done) >= _BEFORE_CHART:
                ready |= self._put_on_charts(left, right, ~ready)
            done.append((left[ready], right[ready], series[ready], rough[ready]))
            left, middle, right = left[~ready], middle[~ready], right[~ready]
            left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
            before, stalls = np.tile(misfit[~ready], 2), np.tile(stalls[~ready], 2)
        left, right, series, rough = (np.concatenate(part) for part in zip(*done, strict=True))
        order = np.argsort(left)
        self._edges = np.append(left[order], right[order[-1]])
        self._rough, self._series = rough[order], series[order]
        self._polynomials = piecewise(self._series, self._edges)
        self._slope = self._polynomials.derivative()

    def _put_on_charts(self, left, right, candidates):
        """Make charts of the panels that begin or end at a kink, and say which those are."""
        moved = np.zeros(len(left), dtype=bool)
        for k in np.flatnonzero(
            candidates & (np.isin(left, self.kinks) | np.isin(right, self.kinks))
        ):
            point, side = (left[k], 1.0) if left[k] in self.kinks else (right[k], -1.0)
            chart = Chart(self._both, point, side, right[k] - left[k], self.support)
            self._charts.append(chart)
            moved[k] = True
        return moved

    def _fit(self, left, right, n_halvings):
        """Series (n, 2, POINTS), their misfit, and the largest log CDF of the panel.

        The misfit is in units of what it may be, and inf where a value is infinite; the log CDF is
        nan where no value is finite.
        """
        x = left[:, None] + (right - left)[:, None] * (_LOOKS + 1) / 2
        log_cdf, log_hazard = self._both(x)
        log_cdf = np.where(log_cdf < -SMALLEST_TAIL, log_cdf, 0.0)  # below, there are fewer digits
        with np.errstate(divide="ignore"):
            values = np.stack([np.log(-log_cdf), log_hazard], axis=1)
        usable = np.isfinite(values).all(axis=1)
        finite = usable.all(axis=1)
        largest = np.where(usable.any(axis=1), log_cdf.max(axis=1), np.nan)
        values[~finite] = 0.0
        allowed = np.maximum(np.abs(values).max(axis=2), 1)
        # The log hazard is rounded as log pdf and log CDF are.
        allowed[:, 1] += np.where(finite, np.abs(log_cdf).max(axis=1), 0.0)
        allowed *= TOLERANCE
        if n_halvings > _SMOOTH_BY_THEN:
            # What is still not smooth may be the rounding of a CDF that is near to 1.
            allowed[:, 0] += _ROUNDING / np.abs(log_cdf).min(axis=1, where=usable, initial=1.0)
        rounding_of_x = 4 * np.spacing(np.abs(x).max(axis=1)) / (right - left)
        allowed += np.ptp(values, axis=2) * rounding_of_x[:, None]
        values, near_ends = values[..., :POINTS], values[..., POINTS:]
        series = values @ TO_SERIES.T
        beside = np.abs(series @ _AT_ENDS - near_ends).max(axis=2)
        misfit = np.maximum(np.abs(series[..., -2:]).sum(axis=2), beside / 10) / allowed
        return series, np.where(finite, misfit.max(axis=1), np.inf), largest

    def _find_kinks(self):
        """The points that panels were halved down to, if they matter, and are not known.

        Also those edges at which the density of a law without charts jumps: there nothing needs to
        be halved.
        """
        kinks, width = [], np.diff(self._edges)
        tiny = np.flatnonzero(width < _KINK * self.width)
        tiny = tiny[np.argsort(width[tiny])]
        hazard = self._series[:, 1]
        step = _KINK * self.width
        with np.errstate(invalid="ignore"):  # of panels that hold no polynomial
            jump = np.abs(hazard[:-1].sum(axis=1) - hazard[1:] @ (-1.0) ** np.arange(POINTS))
            jumps = self._edges[1:-1][(jump > _JUMP) & (not self._charts)]
            below, above = (self._law.logpdf(jumps + side) for side in (-step, step))
            jumps = jumps[np.abs(above - below) > _JUMP]
        found = np.concatenate([self._edges[tiny] + width[tiny] / 2, jumps])
        width = np.concatenate([width[tiny], np.full(len(jumps), step)])
        log_cdf = self._law.logcdf(found)
        matters = (log_cdf > np.log(SMALLEST_TAIL)) & (log_cdf < -TOLERANCE)
        for point, size in zip(found[matters], width[matters], strict=True):
            if all(abs(point - k) > 10 * _KINK * self.width for k in (*self.kinks, *kinks)):
                kinks.append(_roundest(float(point), 4 * size))
        return tuple(kinks)

    def _disagreement(self):
        """Sum over panels of |integral of the density - increase of the CDF|.

        A probability is the integral of the density of one class times the CDFs of others, which
        lie between 0 and 1: so it is wrong by no more if the density is not the slope of the CDF.
        """
        edges, charted = self._edges, np.zeros(len(self._edges) - 1, dtype=bool)
        for chart in self._charts:
            ends = sorted([chart.point, chart.point + chart.side * chart.width])
            charted |= (edges[:-1] >= ends[0]) & (edges[1:] <= ends[1])
        smooth = ~(self._rough | charted)
        left, right = edges[:-1][smooth], edges[1:][smooth]
        error = _mismatch(lambda x: self._of_panels(x, left), left, right)
        for chart in self._charts:

            def of_chart(t, chart=chart):
                log_cdf, log_hazard = np.moveaxis(chart.evaluate(t), -1, 0)
                return log_cdf, log_hazard + t

            error += chart.error
            error += _mismatch(of_chart, chart.edges[:-1], chart.edges[1:], chart.side)
        return error

    def _of_panels(self, x, left):
        """Log CDF and log hazard on the panels that begin at `left`, their right ends included."""
        inside = np.nextafter(self._edges[self._panel_of(left) + 1], -np.inf)
        first, log_hazard = np.moveaxis(self._polynomials(np.minimum(x, inside[:, None])), -1, 0)
        return -np.exp(first), log_hazard

    def _say_if_slow(self):
        if time.thread_time() > self._deadline:
            self._deadline = np.inf
            warnings.warn(
                f"The preparation of the noise {self._law!r} takes long, because its functions are "
                "slow or not smooth. It is done once for this noise in this process.",
                RuntimeWarning,
                stacklevel=2,
            )


@remembered
def interpolant(law):
    """The interpolant of a law, made once."""
    return law if isinstance(law, Interpolant) else Interpolant(law)


def tabulated_law(law):
    """What a table of a law is made of, the law or its interpolant, and whether it is thin."""
    thin = has_thin_tails(law)
    return interpolant(law) if law.needs_interpolant or not thin else law, thin


def _mismatch(function, left, right, side=1.0):
    """Sum over panels of |integral of the density - increase of the CDF|, from their logs."""
    if not len(left):
        return 0.0
    middle, half = (left + right)[:, None] / 2, (right - left)[:, None] / 2
    log_cdf, log_hazard = function(middle + half * _GAUSS)
    mass = half[:, 0] * (np.exp(log_cdf + log_hazard) @ _WEIGHTS)
    ends = np.exp(function(np.column_stack([left, right]))[0])
    return float(np.abs(mass - side * (ends[:, 1] - ends[:, 0])).sum())


def _plainly(x):
    x = np.asarray(x, dtype=float)
    return x, 0.0, np.zeros(x.shape), np.full(x.shape, -np.inf)


def _roundest(point, error):
    """The number of the fewest digits within the error of a point."""
    if abs(point) <= error:
        return 0.0
    rounded = (float(f"{point:.{digits}g}") for digits in range(1, 17))
    return next((number for number in rounded if abs(number - point) <= error), point)
