"""What every noise family has: scale, facts about its shape, functions derived from five."""

from abc import ABCMeta, abstractmethod
from functools import lru_cache

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state


class Noise(BaseEstimator, metaclass=ABCMeta):
    """Independent and identically distributed noise on the class scores.

    Base class of the families. It has scikit-learn's ``get_params`` and
    ``set_params``, so that ``clf__noise__scale`` works in a grid search. A family
    defines ``_logpdf``, ``_logcdf``, ``_logsf``, ``_ppf`` and ``_isf`` for scale 1, and
    overrides the facts below where they differ.

    Parameters
    ----------
    scale : float, default=1.0
        Scale in the units of the scores; positive and finite. The standard
        deviation only for Gaussian noise.

    Attributes
    ----------
    log_concave : bool or None
        Whether the density is log-concave: then minus the log likelihood of a linear model is
        convex. None where it is not known.
    symmetric : bool or None
        Whether the density is symmetric about 0.
    atoms : bool or None
        Whether single values have a positive probability. None where it is not known.
    """

    log_concave = True
    symmetric = False
    atoms = False
    closed_form = discrete = needs_interpolant = False
    _support = (-np.inf, np.inf)
    _gaps = ()
    _kinks = ()

    def __init__(self, scale=1.0):
        self.scale = scale

    @property
    def support(self):
        """The smallest interval that holds the noise, as (low, high)."""
        return tuple(float(self.scale * end) for end in self._support)

    @property
    def gaps(self):
        """Intervals (low, high) inside the support that hold no probability; None if not known."""
        if self._gaps is None:
            return None
        return tuple(
            (float(self.scale * low), float(self.scale * high)) for low, high in self._gaps
        )

    @property
    def kinks(self):
        """Where the density is not smooth: kinks, jumps and finite ends of the support."""
        return tuple(float(self.scale * kink) for kink in self._kinks)

    @property
    def bounded(self):
        """Whether the support is bounded on both sides: probabilities can be exactly zero."""
        return bool(np.isfinite(self._support).all())

    def standard(self):
        """The same noise with scale 1."""
        return clone(self).set_params(scale=1.0)

    def logpdf(self, x):
        """Log density at `x` (array of any shape)."""
        return self._logpdf(np.asarray(x, dtype=float) / self.scale) - np.log(self.scale)

    def logcdf(self, x):
        """Log of P(noise <= x), accurate where the probability is tiny and near 1."""
        return self._logcdf(np.asarray(x, dtype=float) / self.scale)

    def logsf(self, x):
        """Log of P(noise > x), accurate where the probability is tiny and near 1."""
        return self._logsf(np.asarray(x, dtype=float) / self.scale)

    def log_hazard(self, x):
        """Log of the reversed hazard pdf / cdf, accurate far out on the left, too."""
        return self._log_hazard(np.asarray(x, dtype=float) / self.scale) - np.log(self.scale)

    @abstractmethod
    def _logpdf(self, z):
        """Log density of the standard member."""

    @abstractmethod
    def _logcdf(self, z):
        """Log CDF, accurate in the lower tail."""

    @abstractmethod
    def _logsf(self, z):
        """Log survival function, accurate in the upper tail."""

    @abstractmethod
    def _ppf(self, q):
        """Quantile function, accurate in the lower tail."""

    @abstractmethod
    def _isf(self, q):
        """Upper quantile function, accurate in the upper tail."""

    def _log_hazard(self, z):
        log_pdf = self._logpdf(z)
        impossible = np.isneginf(log_pdf)
        return np.where(impossible, -np.inf, log_pdf - np.where(impossible, 0.0, self._logcdf(z)))

    def pdf(self, x):
        """Density at `x`."""
        return np.exp(self.logpdf(x))

    def cdf(self, x):
        """P(noise <= x)."""
        return np.exp(self.logcdf(x))

    def ppf(self, q):
        """Quantile: the x with P(noise <= x) = q."""
        return self.scale * self._ppf(np.asarray(q, dtype=float))

    def isf(self, q):
        """Upper quantile: the x with P(noise > x) = q."""
        return self.scale * self._isf(np.asarray(q, dtype=float))

    def rvs(self, size=None, random_state=None):
        """Random draws.

        Parameters
        ----------
        size : int or tuple of int, default=None
            Shape of the result; None for one number.
        random_state : int, RandomState or None, default=None
            Seed or source of the draws.

        Returns
        -------
        float or ndarray of shape `size`
        """
        return self.ppf(check_random_state(random_state).uniform(size=size))

    def _check_parameters(self):
        """Raise a ValueError if a parameter other than the scale is impossible."""

    def _key(self):
        """The family and its parameters: what makes two noises the same law."""
        return type(self), tuple(sorted(self.get_params().items()))

    def key(self):
        return self._key()

    def __eq__(self, other):
        return isinstance(other, Noise) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())


def has_thin_tails(law):
    """Whether the tails fall exponentially or faster, as far as floating point sees them."""
    width = law.isf(1e-300) - law.ppf(1e-300)
    return bool(width < 3000 * interquartile_range(law))


@lru_cache(maxsize=256)
def interquartile_range(law):
    """Width of the middle half of a law, comparable between families."""
    width = float(law.isf(0.25) - law.ppf(0.25))
    # One atom can hold all of the middle half.
    return width or law.support[1] - law.support[0]
