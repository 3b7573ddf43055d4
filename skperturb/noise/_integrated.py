"""CDFs from densities: for the laws of scipy.stats that integrate theirs anew for each point."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Function = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]

_GAUSS, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_WIDTH = 0.5  # of the first panels, in asinh((x - middle) / width)
_FURTHEST = 1e30  # in widths: where the first panels end
_LOWEST = -745.0  # log density from which on nothing is left of a float
_ROUNDS = 120  # of halving panels that do not resolve the density
# Relative error of a panel's share: what is not resolved to that after some rounds is rounding.
_ACCURACY, _SLACK, _ROUNDED = 1e-14, 4.0, 1e-10
_NOTHING = -40.0  # log of a share that may be wrong
_UNIT = 1e-9  # how near to 1 the integral of the density has to be


class Integrated(NamedTuple):
    """Both log CDFs of a law by its density, with all digits in either tail.

    Attributes
    ----------
    logpdf : callable
    edges : ndarray of shape (n + 1,)
        Ends of panels.
    below, above : ndarray of shape (n + 1,)
        Log of the probability to the left and to the right of each edge.
    """

    logpdf: Function
    edges: npt.NDArray[np.float64]
    below: npt.NDArray[np.float64]
    above: npt.NDArray[np.float64]

    def logcdf(self, z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Log P(noise <= z)."""
        panel = np.searchsorted(self.edges, z, "right") - 1
        inside = np.clip(panel, 0, len(self.edges) - 2)
        z = np.clip(z, self.edges[0], self.edges[-1])
        part = _log_integral(self.logpdf, self.edges[inside], z)
        out = np.minimum(np.logaddexp(self.below[inside], part), 0.0)
        return np.where(panel < 0, -np.inf, out)

    def logsf(self, z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Log P(noise > z)."""
        panel = np.searchsorted(self.edges, z, "left")
        inside = np.clip(panel, 1, len(self.edges) - 1)
        z = np.clip(z, self.edges[0], self.edges[-1])
        part = _log_integral(self.logpdf, z, self.edges[inside])
        out = np.minimum(np.logaddexp(self.above[inside], part), 0.0)
        return np.where(panel == len(self.edges), -np.inf, out)


def integrated(
    logpdf: Function, support: tuple[float, float], middle: float, width: float
) -> Integrated | None:
    """The CDFs of a density, or None where Gauss panels do not resolve it or it is no density.

    Parameters
    ----------
    logpdf : callable
        Log density, of arrays.
    support : tuple of float
    middle, width : float
        A point in the middle of the law, and the distance over which it varies.
    """
    reach = np.arcsinh(_FURTHEST)
    edges = middle + width * np.sinh(np.arange(-reach, reach, _WIDTH))
    edges = np.unique(np.concatenate([edges[(edges > support[0]) & (edges < support[1])], support]))
    edges = edges[np.isfinite(edges)]
    low, high = edges[:-1], edges[1:]
    done = []
    for number in range(_ROUNDS):
        half = (low + high) / 2
        whole = _log_integral(logpdf, low, high)
        halves = np.logaddexp(_log_integral(logpdf, low, half), _log_integral(logpdf, half, high))
        allowed = min(_ACCURACY * _SLACK**number, _ROUNDED) * np.maximum(1, np.abs(halves))
        with np.errstate(invalid="ignore"):
            good = np.abs(whole - halves) <= allowed
        # Where nothing is left in a float, nothing is to be resolved.
        good |= halves < (_LOWEST if number < _ROUNDS - 1 else _NOTHING)
        done.append((low[good], high[good], halves[good]))
        if good.all():
            break
        low, half, high = low[~good], half[~good], high[~good]
        low, high = np.concatenate([low, half]), np.concatenate([half, high])
    else:
        return None
    low, high, log_mass = (np.concatenate(column) for column in zip(*done, strict=True))
    order = np.argsort(low)
    log_mass, edges = log_mass[order], np.append(low[order], high[order[-1]])
    below = np.append(-np.inf, np.logaddexp.accumulate(log_mass))
    above = np.append(np.logaddexp.accumulate(log_mass[::-1])[::-1], -np.inf)
    total = below[-1]
    if not abs(total) < _UNIT:
        return None
    return Integrated(logpdf, edges, below - total, above - total)


def _log_integral(logpdf, low, high):
    """Log of the integral of the density from low to high, by one Gauss panel each."""
    half = (high - low)[..., None] / 2
    values = logpdf((low + high)[..., None] / 2 + half * _GAUSS)
    # So far out that scipy's own functions overflow.
    values = np.where(np.isnan(values), -np.inf, values)
    peak = np.maximum(values.max(axis=-1), -np.finfo(float).max)
    with np.errstate(divide="ignore"):
        mass = np.log(np.exp(values - peak[..., None]) @ _WEIGHTS) + np.log(half[..., 0])
    return peak + mass
