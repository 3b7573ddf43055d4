"""A law next to a point where it is not smooth, as a function of the log of the distance.

A density that is infinite at an end of the support, or has a cusp in the middle, is a power of the
distance there, and the logs of its CDF and of its hazard are straight lines in the log of the
distance. So a few polynomials in that reach as near as 1e-300, and a straight line goes on from
there. Distances are given as such, not as differences of numbers that have lost them.
"""

import numpy as np
from numpy.polynomial import chebyshev
from scipy.interpolate import PPoly

from ._panels import NEGLIGIBLE_DEPTH

POINTS = 12  # of a panel, at the roots of a Chebyshev polynomial
TOLERANCE = 1e-12  # of the polynomials
NODES = chebyshev.chebpts1(POINTS)
TO_SERIES = np.linalg.inv(chebyshev.chebvander(NODES, POINTS - 1))
_NEAREST = -690.0  # log of the smallest distance from a point at 0; elsewhere
_RELATIVE = 2.0**-42  # this share of the point, which leaves a distance ten bits
_WIDTHS = np.concatenate([np.full(8, 2.0), 2 * 1.5 ** np.arange(1, 16)])  # of the first panels
_NARROWEST = 0.02  # panel
_MOST_PANELS = 60  # of a law whose functions have all digits
_LOOKS = 2000  # at which distances the law has a value
_LOWEST = -690.0  # log CDF of which a law has all digits
_DEEPEST = 4000.0  # log distance to which a mesh goes at most
_FLATTEST = 1e-6  # power of the distance that a probability is held to be
_GAUSS, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_SMOOTH = 1e-9  # misfit of the density to a polynomial in the distance


def powers(series):
    """Chebyshev series on [-1, 1], along the last axis, as powers of (1 + x) / 2, lowest first."""
    basis = np.zeros((POINTS, POINTS))
    for k in range(POINTS):
        polynomial = chebyshev.Chebyshev.basis(k, domain=[0, 1])
        basis[k, : k + 1] = polynomial.convert(kind=np.polynomial.Polynomial).coef
    return series @ basis


def piecewise(series, edges):
    """Piecewise polynomials (..., n_panels, m, POINTS) of Chebyshev series, as one PPoly."""
    coefficients = powers(series) / np.diff(edges)[:, None, None] ** np.arange(POINTS)
    return PPoly(np.ascontiguousarray(coefficients.transpose(2, 0, 1)[::-1]), edges)


class Chart:
    """One side of a point, out to some distance.

    At the lower end of the support it holds the logs of CDF and hazard as the law gives them. Above
    and below other points the law's CDF has lost what happens there beside its value at the point;
    so the density alone is asked for, and integrated.

    Parameters
    ----------
    both : callable
        x -> log CDF and log hazard of the law.
    point : float
    side : 1.0 or -1.0
        Above the point or below it.
    width : float
        The distance that it covers.
    support : tuple of float
        Of the law.

    Attributes
    ----------
    steep : bool
        Whether the density is no polynomial in the distance: then panels in the distance do not
        resolve it, however narrow.
    error : float
        By how much the integral of the density misses the CDF, where the chart ends.
    """

    def __init__(self, both, point, side, width, support):
        self.point, self.side, self.width = point, side, width
        self._both, self._at_end = both, point == support[0]
        self._fit()
        if self._at_end and len(self.edges) > _MOST_PANELS:
            # So many only if the CDF has no digits next to the end; the density may have them.
            self._at_end = False
            self._fit()
        self._base, self.error = 0.0, 0.0
        if not self._at_end:
            self._integrate()
            log_cdf = both(np.array([point + side * width]))[0][0]
            mass = np.exp(self._polynomials(self.edges[-1])[0])
            # At the ends of the support the CDF is 0 or 1: the mass keeps all its digits.
            ends = dict(zip(support, (0.0, 1.0), strict=True))
            self._base = ends.get(point, np.exp(log_cdf) - side * mass)
            self.error = abs(self._base + side * mass - np.exp(log_cdf))
        self._slopes = self._polynomials.derivative()
        self._last = self._polynomials(self.edges[0]), self._slopes(self.edges[0])
        self._profile = np.linspace(self.edges[0], self.edges[-1], 400)
        self._log_mass = np.maximum.accumulate(self._polynomials(self._profile)[:, 0])
        self.steep = self._is_steep()

    def _values(self, t):
        """What the polynomials are of, at points about exp(t) from the point, and log distances.

        Log CDF and log hazard; away from the lower end, the log density per log distance for both.
        """
        x = self.point + self.side * np.exp(t)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.log(np.abs(x - self.point))
            log_cdf, log_hazard = self._both(x)
            if not self._at_end:
                log_cdf = log_hazard = log_cdf + log_hazard + t
        return t, np.stack([log_cdf, log_hazard], axis=-2)

    def _fit(self):
        edges = self._first_edges()
        self.edges, series = self._halve(edges[:-1], edges[1:])
        self._polynomials = piecewise(series, self.edges)

    def _first_edges(self):
        """Panels, narrow at first, as near to the point as the law has values."""
        top = np.log(self.width)
        nearest = _NEAREST if self.point == 0 else np.log(_RELATIVE * abs(self.point))
        t = np.linspace(min(nearest, top - 1), top, _LOOKS)
        values = self._values(t)[1]
        useless = ~np.isfinite(values).all(axis=0) | (values[0] < _LOWEST)
        if useless.any():
            t = t[min(np.flatnonzero(useless)[-1] + 1, _LOOKS - 2) :]
        inner = top - np.cumsum(_WIDTHS)
        return np.concatenate([[t[0]], inner[inner > t[0] + 0.1][::-1], [top]])

    def _halve(self, left, right):
        done = []
        while len(left):
            middle, half = (left + right) / 2, (right - left) / 2
            t, values = self._values(middle[:, None] + half[:, None] * NODES)
            # The points are not quite where they were asked for: numbers are that far apart.
            basis = chebyshev.chebvander((t - middle[:, None]) / half[:, None], POINTS - 1)
            # A CDF without digits may be 0 at a point; no polynomial fits there.
            with np.errstate(invalid="ignore"):
                series = np.linalg.solve(basis[:, None], values[..., None])[..., 0]
                allowed = TOLERANCE * np.maximum(np.abs(values).max(axis=2), 1)
                misfit = np.abs(series[..., -2:]).sum(axis=2) / allowed
            # Rounding must leave the points apart.
            narrowest = np.maximum(_NARROWEST, 500 * np.spacing(abs(self.point)) * np.exp(-left))
            ready = (misfit.max(axis=1) <= 1) | (half < narrowest)
            done.append((left[ready], right[ready], series[ready]))
            left, middle, right = left[~ready], middle[~ready], right[~ready]
            left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        left, right, series = (np.concatenate(part) for part in zip(*done, strict=True))
        order = np.argsort(left)
        return np.append(left[order], right[order[-1]]), series[order]

    def _integrate(self):
        """Put the log of the probability nearer than exp(t) in the place of the first function."""
        density = self._polynomials
        counts = np.ceil(np.diff(self.edges) / _WIDTHS[0]).astype(int)
        parts = [
            np.linspace(*ends, count, endpoint=False)
            for *ends, count in zip(self.edges[:-1], self.edges[1:], counts, strict=True)
        ]
        edges = np.append(np.concatenate(parts), self.edges[-1])
        last, slope = density(edges[0])[1], max(density(edges[0], nu=1)[1], _FLATTEST)
        left, width = edges[:-1, None], np.diff(edges)[:, None]
        t = left + width * (NODES + 1) / 2
        ends = np.column_stack([t, edges[1:]]) - left
        inside = left[..., None] + ends[..., None] * (_GAUSS + 1) / 2
        mass = np.exp(density(inside)[..., 1]) @ _WEIGHTS * ends / 2
        before = np.exp(last) / slope + np.concatenate([[0], np.cumsum(mass[:-1, -1])])
        log_mass = np.log(before[:, None] + mass[:, :-1])
        values = np.stack([log_mass, density(t)[..., 1]], axis=1)
        self.edges, self._polynomials = edges, piecewise(values @ TO_SERIES.T, edges)

    def evaluate(self, t):
        """Log CDF and log hazard at the log distance `t`, (..., 2)."""
        both = self._polynomials(np.maximum(t, self.edges[0]))
        beyond = t < self.edges[0]
        if beyond.any():
            # The power law whose density is the slope of its CDF.
            (first, second), slopes = self._last
            slope = max(slopes[0] if self._at_end else slopes[1], _FLATTEST)
            steps = slope * (t[beyond] - self.edges[0])
            if self._at_end:
                both[beyond] = np.stack([first + steps, np.log(slope) - t[beyond]], axis=-1)
            else:
                both[beyond] = np.stack([second - np.log(slope) + steps, second + steps], axis=-1)
        if self._at_end:
            return both
        with np.errstate(divide="ignore"):
            if self._base == 0:
                log_cdf = both[..., 0]
            else:
                log_cdf = np.log1p(self._base - 1 + self.side * np.exp(both[..., 0]))
        return np.stack([log_cdf, both[..., 1] - t - log_cdf], axis=-1)

    def log_hazard_slope(self, t):
        """Derivative of the log hazard in x."""
        slope = self._slopes(np.maximum(t, self.edges[0]))[..., 1]
        nearer = np.exp(np.minimum(-t, -_NEAREST))
        if self._at_end:
            return slope * nearer
        return self.side * (slope - 1) * nearer - np.exp(self.evaluate(t)[..., 1])

    def depth(self, log_length):
        """How much nearer than exp(log_length) a mesh must go, in log distance."""
        t, log_mass = self._profile, self._log_mass
        goal = np.interp(log_length, t, log_mass) - NEGLIGIBLE_DEPTH
        slope = max((log_mass[1] - log_mass[0]) / (t[1] - t[0]), _FLATTEST)
        nearest = np.where(
            goal > log_mass[0], np.interp(goal, log_mass, t), t[0] + (goal - log_mass[0]) / slope
        )
        return np.clip(log_length - nearest, NEGLIGIBLE_DEPTH, _DEEPEST)

    def _is_steep(self):
        distance = self.width * (NODES + 1) / 2
        density = np.exp(self.evaluate(np.log(distance)).sum(axis=-1))
        series = TO_SERIES @ density
        return bool(np.abs(series[-2:]).sum() > _SMOOTH * np.abs(density).max())
