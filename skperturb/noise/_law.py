"""What a law is: the protocol that families, convolutions and interpolants keep."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .._cache import remembered
from ._logs import log_complement

# Probability of the quantiles between which a law lies, as far as double precision sees it.
SMALLEST_TAIL = 1e-300
# Widths of the middle half that lie between those quantiles at most, if both tails are thin:
# exponential tails need 1400, and polynomial ones need powers of ten more.
_MOST_WIDTHS = 3000


class _Default:
    """A property that an object may replace by a value of its own."""

    def __init__(self, function):
        self._function, self.__doc__ = function, function.__doc__

    def __get__(self, law, owner=None):
        return self if law is None else self._function(law)


class Law:
    """The distribution of the noise on one score, as the engine sees it.

    A subclass defines ``logcdf``, ``log_hazard``, ``ppf``, ``isf`` and ``key``, and says where it
    differs from the defaults below. Functions take arrays of any shape.

    Attributes
    ----------
    scale : float
        Unit in which the law is given: that of :meth:`standard` is 1.
    support : tuple of float
        The smallest interval (low, high) that holds the noise.
    kinks : tuple of float
        Where the density is not smooth: kinks, jumps and finite ends of the support.
    branches : tuple of (float, float, str), or None
        The CDF of the standard law between its kinks, from left to right, if each part of it is
        a + b phi(z) with phi one of "1", "z", "exp(z)" and "exp(-z)": the triples (a, b, phi).
        Such a law needs neither table nor mesh. None if there is none, or if nobody says so.
    log_concave, symmetric, atoms : bool or None
        Facts about the density and the CDF; None if not known.
    lowest_log_density : float
        Log density below which the tails are extrapolated, so that a log probability below it is
        not certain; -inf if they never are.
    discrete : bool
        Whether the noise takes finitely many values, which ``masses`` lists.
    closed_form : bool
        Whether Perturb-Argmax of it is softmax.
    needs_interpolant : bool
        Whether the functions are so slow that integrals should use piecewise polynomials instead.
    """

    log_concave: bool | None = True
    symmetric: bool | None = False
    atoms: bool | None = False
    lowest_log_density: float = -np.inf
    discrete = False
    closed_form = False
    needs_interpolant = False
    scale: float = 1.0
    support: Any = (-np.inf, np.inf)
    kinks: Any = ()
    branches: tuple[tuple[float, float, str], ...] | None = None
    logcdf: Any
    log_hazard: Any

    def key(self):
        """The law by value, immutable: equal for equal laws."""
        raise NotImplementedError

    def __eq__(self, other):
        return isinstance(other, Law) and self.key() == other.key()

    def __hash__(self):
        return hash(self.key())

    def standard(self):
        """The same law with scale 1."""
        return self

    def logcdf_and_hazard(
        self, x: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Log CDF and log of the reversed hazard, where both cost less together.

        Parameters
        ----------
        x : ndarray
            Values of the noise, in the units of the scores; any shape.

        Returns
        -------
        log_cdf, log_hazard : ndarray of the shape of `x`
            Log of P(noise <= x), and of the density over that.
        """
        return self.logcdf(x), self.log_hazard(x)

    def logpdf(self, x):
        """Log density."""
        return sum(self.logcdf_and_hazard(x))

    def logsf(self, x):
        """Log of P(noise > x)."""
        return log_complement(self.logcdf(x))

    @_Default
    def interior(self):
        """The points between which the functions vary as more than simple tails."""
        return self.ppf(SMALLEST_TAIL), self.isf(SMALLEST_TAIL)

    @_Default
    def features(self):
        """Points at which quadrature panels must begin: the kinks, or else the median."""
        return self.kinks or (float(self.ppf(0.5)),)

    @_Default
    def detail(self):
        """Distance over which the law varies near its features."""
        return interquartile_range(self) / 3


@remembered
def has_thin_tails(law):
    """Whether the tails fall exponentially or faster, as far as floating point sees them."""
    width = law.isf(SMALLEST_TAIL) - law.ppf(SMALLEST_TAIL)
    return bool(width < _MOST_WIDTHS * interquartile_range(law))


@remembered
def interquartile_range(law):
    """Width of the middle half of a law, comparable between families."""
    width = float(law.isf(0.25) - law.ppf(0.25))
    # One atom can hold all of the middle half.
    return width or law.support[1] - law.support[0]
