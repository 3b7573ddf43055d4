"""A law cut into cells, on which its functions are polynomials: for rows that no table serves.

On a cell and the one below it CDF and density are polynomials of the distance, to ``ACCURACY`` of
their smallest values there; a kink ends a cell and its polynomial. Above the median 1 - CDF takes
the place of the CDF, whose digits are gone. Next to a finite lower end of the support both are a
power of the distance times a polynomial. ``_cells.h`` walks down a row on them; there is no twin of
it in NumPy but ``_row_mesh``, which it agrees with.
"""

from contextlib import suppress
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev

from .._cache import remembered
from ..noise import SMALLEST_TAIL, has_thin_tails, interquartile_range
from ._interpolant import interpolant
from ._row_mesh import DirectKernel
from ._sums import cells
from ._table import NotTabulableError
from ._translation import below_best, with_zero_row_sums, with_zero_sum, with_zero_sums

DEGREE = 15  # as in _cells.h
NODES = 8
ACCURACY = 1e-9  # of the polynomials
_FIRST = 0.42  # width of the first cells, in asinh of interquartile ranges from the median
_HEAVY_TAIL, _FURTHEST = 1e-40, 1e100  # where the cells of a heavy tail end
_MOST = 6000  # cells
_ROUNDS = 30  # of halving
_SMALLEST = 1e-9  # cell, in interquartile ranges
_NEAR = 1e-5  # of a first cell: where the power of a lower end is seen
# Scores, in interquartile ranges, at which p has to be that of the mesh, and to how much.
_TRIED = ((0.0, 0.0, 0.0), (0.0, -0.4, -0.9), (0.0, -0.1, -3.0), (0.0, -2.0, -20.0))
_AGREEMENT = 1e-10
_POINTS = chebyshev.chebpts1(DEGREE + 1)
_TO_SERIES = np.linalg.inv(chebyshev.chebvander(_POINTS, DEGREE)).T
_TO_POWERS = np.array(
    [np.pad(chebyshev.cheb2poly(row), (0, DEGREE - k)) for k, row in enumerate(np.eye(DEGREE + 1))]
)


@cache
def _half_powers():
    """Chebyshev polynomials of 2 u - 1 in powers of u: 20 ms, and few laws need it."""
    whole, powers = np.eye(DEGREE + 1), np.polynomial.Polynomial
    series = (chebyshev.Chebyshev(row, domain=[0, 1]).convert(kind=powers).coef for row in whole)
    return np.array([np.pad(coef, (0, DEGREE + 1 - len(coef))) for coef in series])


class Cells:
    """The law's polynomials.

    Parameters
    ----------
    law : Law
        With scale 1, and the functions of an interpolant.

    Attributes
    ----------
    edge, log_tail : ndarray of shape (n + 1,)
        Edges of the cells, ascending, and log P(noise > edge).
    middle, inverse_half : ndarray of shape (n,)
        A polynomial is one in u = (z - middle) * inverse_half.
    bottom, limit : ndarray of shape (n,)
        The lowest z of a cell's polynomial, and the largest step down from within the cell.
    coefficients : ndarray of shape (n, DEGREE + 1, 3)
        Of the powers of u: of CDF or 1 - CDF, of the density, and of its slope.
    upper : ndarray of shape (n,), int
        Whether the first function is 1 - CDF.
    rule : ndarray of shape (2, NODES)
        Places and weights of the Gauss-Legendre rule on [0, 1].
    width, support : float
        The interquartile range, and the length of the support.
    ends : bool
        Whether the support ends at the first edge.

    Raises
    ------
    NotTabulableError
        If the density is infinite or a power of the distance somewhere, or takes too many cells.
    """

    def __init__(self, law):
        self._law, self.width = law, interquartile_range(law)
        self.support, self.ends = float(np.ptp(law.support)), bool(np.isfinite(law.support[0]))
        self._median = float(law.ppf(0.5))
        low, high = law.support
        tail = SMALLEST_TAIL if has_thin_tails(law) else _HEAVY_TAIL
        far = _FURTHEST * self.width
        low = low if self.ends else max(float(law.ppf(tail)), -far)
        high = high if np.isfinite(high) else min(float(law.isf(tail)), far)
        fixed = np.unique([low, high, self._median, *(k for k in law.kinks if low < k < high)])
        u = np.arcsinh((fixed - self._median) / self.width)
        counts = np.ceil(np.diff(u) / _FIRST).astype(int) + 1
        u = [np.linspace(*ends, n)[1:-1] for *ends, n in zip(u[:-1], u[1:], counts, strict=True)]
        inside = self._median + self.width * np.sinh(np.concatenate(u))
        self.edge = np.unique(np.concatenate([fixed, inside]))
        self._ends = np.isin(self.edge, [self.edge[0], *law.kinks])
        self._halve()
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        self.rule = np.stack([(nodes + 1) / 2, weights / 2])
        with np.errstate(divide="ignore"):
            self.log_tail = np.minimum.accumulate(np.log(-np.expm1(law.logcdf(self.edge))))

    def _halve(self):
        for _ in range(_ROUNDS):
            misfit = self._fit()
            bad = ~(misfit <= 1)
            if not bad.any():
                return
            # A polynomial is that of a cell and the one below.
            bad[:-1] |= bad[1:] & ~self._ends[1:-1]
            middle = ((self.edge[:-1] + self.edge[1:]) / 2)[bad]
            if len(self.edge) + len(middle) > _MOST or np.any(
                np.diff(self.edge)[bad] < _SMALLEST * self.width
            ):
                break
            edge = np.concatenate([self.edge, middle])
            order = np.argsort(edge)
            ends = np.concatenate([self._ends, np.zeros(len(middle), dtype=bool)])
            self.edge, self._ends = edge[order], ends[order]
        raise NotTabulableError

    def _fit(self):
        """Set polynomials; their misfit in units of what it may be."""
        edge, left = self.edge, self.edge[:-1]
        self.bottom = np.where(self._ends[:-1], left, np.append(left[0], left[:-1]))
        width = np.diff(edge)
        self.limit = np.where(self._ends[:-1], width, np.append(np.inf, width[:-1]))
        half = (edge[1:] - self.bottom) / 2
        self.middle, self.inverse_half = self.bottom + half, 1 / half
        x = self.middle[:, None] + half[:, None] * _POINTS
        self.upper = (left >= self._median).astype(np.intp)
        tail, density = self._functions(x, self.upper[:, None])
        series = np.stack([tail @ _TO_SERIES, density @ _TO_SERIES])
        least = np.stack([tail, density]).min(axis=2)
        bend = np.pad(chebyshev.chebder(series[1], axis=1), ((0, 0), (0, 1))) / half[:, None]
        functions = [*series, bend]
        self.coefficients = np.stack([f @ _TO_POWERS for f in functions], axis=2)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            misfit = (np.abs(series[..., -2:]).sum(axis=2) / least / ACCURACY).max(axis=0)
        misfit[np.abs(series).max(axis=(0, 2)) == 0] = 0.0
        if self._law.support[1] == edge[-1]:
            # Towards an upper end only the sum of a polynomial's values counts.
            most = np.abs(series[:, -1]).max(axis=1)
            misfit[-1] = (np.abs(series[:, -1, -2:]).sum(axis=1) / most / ACCURACY).max()
        if self.ends:
            for k in range(1 if self._ends[1] else 2):
                misfit[k] = self._fit_to_end(k, edge[k + 1] - edge[0])
        return misfit

    def _fit_to_end(self, cell, width):
        """A polynomial that begins at the lower end of the support, in powers of the distance."""
        end = self.edge[0]
        u = (_POINTS + 1) / 2
        near = np.array([_NEAR * width])
        log_hazard = self._law.log_hazard(end + near)
        # The slope of log F in the log of the distance.
        power = int(np.round(np.exp(log_hazard + np.log(near))[0])) if log_hazard > -np.inf else 0
        if not 1 <= power < DEGREE // 2:
            return np.inf
        cdf, density = self._functions(end + width * u, 0)
        parts = np.stack([cdf / u**power, density / u ** (power - 1)]) @ _TO_SERIES
        coefficients, lost = np.zeros((DEGREE + 1, 3)), 0.0
        for k, (part, shift) in enumerate(zip(parts, (power, power - 1), strict=True)):
            last = DEGREE + 1 - shift
            lost = max(lost, np.abs(part[last - 2 :]).sum() / np.abs(part).max())
            part[last:] = 0.0
            coefficients[shift:, k] = (part @ _half_powers())[:last]
        coefficients[:-1, 2] = coefficients[1:, 1] * np.arange(1, DEGREE + 1) / width
        self.coefficients[cell] = coefficients
        self.middle[cell], self.inverse_half[cell], self.upper[cell] = end, 1 / width, 0
        return lost / ACCURACY

    def _functions(self, x, upper):
        """CDF, or 1 - CDF above the median, and density."""
        log_cdf, log_hazard = self._law.logcdf_and_hazard(x)
        with np.errstate(over="ignore"):
            density = np.exp(log_cdf + log_hazard)
        return np.where(upper == 1, -np.expm1(log_cdf), np.exp(log_cdf)), density


@remembered
def cells_of(law):
    """The cells of a law, made once.

    Raises
    ------
    NotTabulableError
        See :class:`Cells`.
    """
    law = interpolant(law)
    if law.steep:
        raise NotTabulableError
    return Cells(law)


class CellKernel(DirectKernel):
    """A law by its cells; a row that is beyond them gets a mesh.

    Parameters
    ----------
    law : Law
        With scale 1.

    Raises
    ------
    NotTabulableError
        See :class:`Cells`; also if the two do not agree.
    """

    fewest_scores = 1 << 7

    def __init__(self, law):
        super().__init__(law)
        self._cells = cells_of(law)
        scores = self._cells.width * np.array(_TRIED)
        if np.abs(self.proba(scores) - super().proba(scores)).max() > _AGREEMENT:
            raise NotTabulableError

    def proba(self, scores):
        return self._integrate(super().proba, scores)

    def log_proba(self, scores):
        return self._integrate(super().log_proba, scores, relative=True)

    def of_targets(self, delta, target):
        log_p, gradient, _ = cells.integrate_cells(self._cells, -delta, target)
        lost = np.isnan(log_p)
        if lost.any():
            log_p[lost], gradient[lost] = super().of_targets(delta[lost], target[lost])
        return log_p, gradient

    def log_likelihood(self, scores, y):
        log_p, gradient = self.of_targets(-scores, y)
        return log_p, with_zero_sum(gradient, y)

    def hessian(self, scores, y):
        log_p, _, out = cells.integrate_cells(self._cells, scores, y, second=True)
        lost = np.isnan(log_p)
        if self._law.kinks:
            jumps = self._at_jumps(below_best(scores, self._furthest), y, log_p)
            np.einsum("njj->nj", out)[:] += np.where(np.isfinite(log_p)[:, None], jumps, 0.0)
        out = with_zero_sums(out, y)
        if lost.any():
            out[lost] = super().hessian(scores[lost], y[lost])
        return out

    def potential(self, scores):
        return self.potential_and_proba(scores)[0]

    def potential_and_proba(self, scores):
        gap, p, _ = cells.integrate_cells(self._cells, scores, potential=True)
        lost, height = np.isnan(gap), scores.max(axis=1) + gap
        if lost.any():
            height[lost] = super().potential(scores[lost])
            p[lost] = super().proba(scores[lost])
        return height, p

    def jacobian(self, scores):
        value, _, out = cells.integrate_cells(self._cells, scores, second=True)
        out, lost = with_zero_row_sums(out), np.isnan(value)
        if lost.any():
            out[lost] = super().jacobian(scores[lost])
        return out

    def _integrate(self, mesh, scores, **options):
        value, p, _ = cells.integrate_cells(self._cells, scores, **options)
        lost = np.isnan(value)
        if lost.any():
            p[lost] = mesh(scores[lost])
        return p


def row_kernel(law):
    """The kernel that integrates every row of its own: by cells if they are to be had."""
    if cells is not None:
        with suppress(NotTabulableError):
            return CellKernel(law)
    return DirectKernel(law)
