"""Noise families: the distribution of what is added to each class score.

A family is a subclass of :class:`Noise` that writes down five functions of its
standard member (location 0, scale 1). Everything else in the library, from the
quadrature tables to the classifiers, is derived from those five.
"""

from abc import ABCMeta, abstractmethod
from numbers import Real

import numpy as np
from scipy import special
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

__all__ = ["Gaussian", "Gumbel", "Logistic", "Noise", "as_noise"]

# exp overflows past 709; beyond this a log CDF is "impossible" in any units.
_MAX_EXPONENT = 700.0


def _exp_neg(x):
    """exp(-x), held finite."""
    return np.exp(np.minimum(-x, _MAX_EXPONENT))


class Noise(BaseEstimator, metaclass=ABCMeta):
    """Independent and identically distributed noise on the class scores.

    Base class of the families. It has scikit-learn's ``get_params`` and
    ``set_params``, so that ``clf__noise__scale`` works in a grid search. A family
    defines ``_logpdf``, ``_logcdf``, ``_logsf``, ``_ppf`` and ``_isf`` for scale 1.

    Parameters
    ----------
    scale : float, default=1.0
        Scale in the units of the scores; positive and finite. The standard
        deviation only for Gaussian noise.
    """

    def __init__(self, scale=1.0):
        self.scale = scale

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
        return self._logpdf(z) - self._logcdf(z)

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

    def _key(self):
        """The family and its parameters: what makes two noises the same law."""
        return type(self), tuple(sorted(self.get_params().items()))

    def __eq__(self, other):
        return isinstance(other, Noise) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())


class Gaussian(Noise):
    """Gaussian noise: Perturb-Argmax is the independent-errors multinomial probit.

    Parameters
    ----------
    scale : float, default=1.0
        Standard deviation, in the units of the scores.

    Examples
    --------
    >>> from skperturb.noise import Gaussian
    >>> round(float(Gaussian(scale=2.0).cdf(2.0)), 4)
    0.8413
    """

    def _logpdf(self, z):
        return -0.5 * z * z - 0.5 * np.log(2 * np.pi)

    def _logcdf(self, z):
        return special.log_ndtr(z)

    def _log_hazard(self, z):
        # Far out pdf and cdf cancel to all digits: there r(z) = -z - 1/z + O(z**-3).
        far = np.minimum(z, -1e4)
        return np.where(z < -1e4, np.log(-far - 1 / far), super()._log_hazard(np.maximum(z, -1e4)))

    def _logsf(self, z):
        return special.log_ndtr(-z)

    def _ppf(self, q):
        return special.ndtri(q)

    def _isf(self, q):
        return -special.ndtri(q)


class Gumbel(Noise):
    """Gumbel (maximum) noise: Perturb-Argmax is softmax, hence logistic regression.

    The cumulative distribution function is exp(-exp(-x / scale)).

    Parameters
    ----------
    scale : float, default=1.0
        Scale, in the units of the scores; the standard deviation is
        pi / sqrt(6) = 1.28 times as large.

    Examples
    --------
    >>> from skperturb.noise import Gumbel
    >>> round(float(Gumbel().cdf(0.0)), 4)
    0.3679
    """

    def _logpdf(self, z):
        return -z - _exp_neg(z)

    def _logcdf(self, z):
        return -_exp_neg(z)

    def _log_hazard(self, z):
        return -z

    def _logsf(self, z):
        # log(1 - exp(-u)) with u = exp(-z), in the form that keeps its digits.
        u = _exp_neg(np.minimum(z, 40))
        half = np.log(2)
        low = np.log(-np.expm1(-np.minimum(u, half)))
        high = np.log1p(-np.exp(-np.maximum(u, half)))
        return np.where(z > 40, -z, np.where(u > half, high, low))

    def _ppf(self, q):
        return -np.log(-np.log(q))

    def _isf(self, q):
        return -np.log(-np.log1p(-q))


class Logistic(Noise):
    """Logistic noise, with exponential tails on both sides.

    With two classes this is not the logit model: there is noise on both scores, and
    a difference of two logistic variables is not logistic.

    Parameters
    ----------
    scale : float, default=1.0
        Scale, in the units of the scores; the standard deviation is
        pi / sqrt(3) = 1.81 times as large.

    Examples
    --------
    >>> from skperturb.noise import Logistic
    >>> round(float(Logistic().cdf(1.0)), 4)
    0.7311
    """

    def _logpdf(self, z):
        return special.log_expit(z) + special.log_expit(-z)

    def _logcdf(self, z):
        return special.log_expit(z)

    def _log_hazard(self, z):
        return special.log_expit(-z)

    def _logsf(self, z):
        return special.log_expit(-z)

    def _ppf(self, q):
        return special.logit(q)

    def _isf(self, q):
        return -special.logit(q)


def interquartile_range(law):
    """Width of the middle half of a law, comparable between families."""
    return float(law.isf(0.25) - law.ppf(0.25))


_BY_NAME = {"gaussian": Gaussian, "gumbel": Gumbel, "logistic": Logistic}


def as_noise(noise, noise_scale=1.0):
    """Turn a name or a noise object into a noise object of the asked scale.

    Parameters
    ----------
    noise : str or Noise
        "gaussian", "gumbel", "logistic", or an object of this module.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale.

    Returns
    -------
    Noise
        A new object; the one handed in is left as it is.

    Raises
    ------
    ValueError
        If the name is unknown, the object is no noise, or the scale that results is
        not positive and finite.

    Examples
    --------
    >>> from skperturb.noise import as_noise
    >>> as_noise("gaussian", noise_scale=2.0)
    Gaussian(scale=2.0)
    """
    if isinstance(noise, str):
        if noise not in _BY_NAME:
            raise ValueError(f"noise={noise!r} is not known; use one of {sorted(_BY_NAME)}.")
        noise = _BY_NAME[noise]()
    elif isinstance(noise, Noise):
        noise = clone(noise)
    else:
        raise ValueError(
            f"noise must be a name in {sorted(_BY_NAME)} or an object of skperturb.noise, "
            f"got {noise!r}."
        )
    if not (isinstance(noise.scale, Real) and isinstance(noise_scale, Real)):
        raise ValueError(
            f"The scale of the noise must be a number, got {noise} and {noise_scale!r}."
        )
    scale = noise.scale * noise_scale
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(
            f"The scale of the noise must be positive and finite, got {noise} "
            f"times noise_scale={noise_scale!r}."
        )
    return noise.set_params(scale=scale)
