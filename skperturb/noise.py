"""Noise families: the distribution of what is added to each class score.

A family is a subclass of :class:`Noise` that writes down five functions of its
standard member (location 0, scale 1) and the facts about its shape that differ from the
default. Everything else in the library, from the quadrature to the classifiers, is derived
from those.
"""

from abc import ABCMeta, abstractmethod
from numbers import Real

import joblib
import numpy as np
from scipy import special
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

__all__ = [
    "Cauchy",
    "Exponential",
    "Gaussian",
    "Gumbel",
    "GumbelMin",
    "Laplace",
    "Logistic",
    "Noise",
    "ScipyNoise",
    "StudentT",
    "Uniform",
    "as_noise",
    "from_scipy",
]

# exp overflows past 709; beyond this a log CDF is "impossible" in any units.
_MAX_EXPONENT = 700.0


def _exp_neg(x):
    """exp(-x), held finite."""
    return np.exp(np.minimum(-x, _MAX_EXPONENT))


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
    positive : bool or None
        Whether the density is positive throughout the inside of its support, without gaps.
    """

    log_concave = True
    symmetric = False
    positive = True
    _support = (-np.inf, np.inf)
    _kinks = ()

    def __init__(self, scale=1.0):
        self.scale = scale

    @property
    def support(self):
        """The smallest interval that holds the noise, as (low, high)."""
        return tuple(float(self.scale * end) for end in self._support)

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

    symmetric = True

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

    symmetric = True

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


class GumbelMin(Noise):
    """Gumbel noise for minima: the law of minus a :class:`Gumbel` variable.

    The cumulative distribution function is 1 - exp(-exp(x / scale)).

    Parameters
    ----------
    scale : float, default=1.0
        Scale, in the units of the scores.

    Examples
    --------
    >>> from skperturb.noise import GumbelMin
    >>> round(float(GumbelMin().cdf(0.0)), 4)
    0.6321
    """

    _mirror = Gumbel()

    def _logpdf(self, z):
        return self._mirror._logpdf(-z)

    def _logcdf(self, z):
        return self._mirror._logsf(-z)

    def _logsf(self, z):
        return self._mirror._logcdf(-z)

    def _ppf(self, q):
        return -self._mirror._isf(q)

    def _isf(self, q):
        return -self._mirror._ppf(q)


class Laplace(Noise):
    """Laplace noise: exponential on both sides, with a kink in the middle.

    Parameters
    ----------
    scale : float, default=1.0
        Mean absolute deviation, in the units of the scores.

    Examples
    --------
    >>> from skperturb.noise import Laplace
    >>> round(float(Laplace().cdf(1.0)), 4)
    0.8161
    """

    symmetric = True
    _kinks = (0.0,)

    def _logpdf(self, z):
        return -np.abs(z) - np.log(2)

    def _logcdf(self, z):
        low = np.minimum(z, 0) - np.log(2)
        return np.where(z < 0, low, np.log1p(-0.5 * np.exp(-np.maximum(z, 0))))

    def _logsf(self, z):
        return self._logcdf(-z)

    def _ppf(self, q):
        return -self._isf(q)

    def _isf(self, q):
        low = -np.log(2 * np.minimum(q, 0.5))
        return np.where(q < 0.5, low, np.log1p(-2 * (np.maximum(q, 0.5) - 0.5)))


class StudentT(Noise):
    """Student-t noise: polynomial tails, which make a fit robust against mislabelled parts.

    Parameters
    ----------
    df : float, default=4.0
        Degrees of freedom, positive; 1 is Cauchy noise, infinity would be Gaussian.
    scale : float, default=1.0
        Scale, in the units of the scores.

    Examples
    --------
    >>> from skperturb.noise import StudentT
    >>> round(float(StudentT(df=2).cdf(1.0)), 4)
    0.7887
    """

    log_concave = False
    symmetric = True

    def __init__(self, df=4.0, scale=1.0):
        super().__init__(scale)
        self.df = df

    def _check_parameters(self):
        if not (isinstance(self.df, Real) and 0 < self.df < np.inf):
            raise ValueError(f"df must be positive and finite, got {self}; for inf use Gaussian.")

    def _logpdf(self, z):
        a, b = self.df / 2, 0.5
        constant = -special.betaln(a, b) - 0.5 * np.log(self.df)
        return constant - (a + b) * _log1p_square(z, self.df)

    def _logcdf(self, z):
        z = np.asarray(z, dtype=float)
        # In the tail by the hypergeometric series of the incomplete beta function, in logs.
        edge = -min(np.sqrt(self.df) + 1, 30.0)
        out = np.empty(z.shape)
        upper, far = z > 0, z < edge
        body = ~(upper | far)
        out[upper] = np.log1p(-special.stdtr(self.df, -z[upper]))
        out[body] = np.log(special.stdtr(self.df, z[body]))
        a, b = self.df / 2, 0.5
        log_w = -_log1p_square(z[far], self.df)
        tail = a * log_w + b * np.log(-np.expm1(log_w)) - special.betaln(a, b) - np.log(self.df)
        out[far] = tail + np.log(special.hyp2f1(a + b, 1.0, a + 1, np.exp(log_w)))
        return out

    def _logsf(self, z):
        return self._logcdf(-z)

    def _ppf(self, q):
        return -self._isf(q)

    def _isf(self, q):
        # scipy's inverse loses the far tail for small df: there, Newton on log q against log x.
        tail = 1e-6
        body = -special.stdtrit(self.df, np.maximum(q, tail))
        goal = np.log(np.minimum(q, tail))
        start = -special.stdtrit(self.df, tail)
        log_x = np.log(start) + (np.log(tail) - goal) / self.df
        for _ in range(30):
            x = np.exp(np.minimum(log_x, _MAX_EXPONENT))
            log_sf = self._logsf(x)
            log_x += (log_sf - goal) * np.exp(log_sf - self._logpdf(x)) / x
        return np.where(q < tail, np.exp(np.minimum(log_x, _MAX_EXPONENT)), body)


def _log1p_square(z, df):
    """log(1 + z**2 / df) without overflow."""
    ratio = np.abs(z) / np.sqrt(df)
    big = ratio > 1e100
    return np.where(big, 2 * np.log(np.maximum(ratio, 1)), np.log1p(np.where(big, 0, ratio) ** 2))


class Cauchy(Noise):
    """Cauchy noise: the heaviest tails here. With two classes, the cauchit model.

    Parameters
    ----------
    scale : float, default=1.0
        Half the interquartile range, in the units of the scores.

    Examples
    --------
    >>> from skperturb.noise import Cauchy
    >>> round(float(Cauchy().cdf(1.0)), 4)
    0.75
    """

    log_concave = False
    symmetric = True

    def _logpdf(self, z):
        return -np.log(np.pi) - _log1p_square(z, 1.0)

    def _logcdf(self, z):
        return np.where(
            z < 0,
            np.log(np.arctan2(1.0, np.maximum(-z, 0)) / np.pi),
            np.log1p(-np.arctan2(1.0, np.maximum(z, 0)) / np.pi),
        )

    def _logsf(self, z):
        return self._logcdf(-z)

    def _ppf(self, q):
        return -self._isf(q)

    def _isf(self, q):
        return 1 / np.tan(np.pi * q)


class Uniform(Noise):
    """Uniform noise on [-scale, scale]: bounded, so that probabilities can be exactly zero.

    Parameters
    ----------
    scale : float, default=1.0
        Half the width, in the units of the scores.

    Examples
    --------
    >>> from skperturb.noise import Uniform
    >>> round(float(Uniform().cdf(0.5)), 4)
    0.75
    """

    symmetric = True
    _support = (-1.0, 1.0)
    _kinks = (-1.0, 1.0)

    def _logpdf(self, z):
        return np.where(np.abs(z) <= 1, -np.log(2), -np.inf)

    def _logcdf(self, z):
        return _log_complement(_log(np.clip(0.5 * (1 - z), 0, 1)))

    def _logsf(self, z):
        return self._logcdf(-z)

    def _ppf(self, q):
        return 2 * q - 1

    def _isf(self, q):
        return 1 - 2 * q


class Exponential(Noise):
    """Exponential noise: positive, with an exponential upper tail.

    Parameters
    ----------
    scale : float, default=1.0
        Mean, in the units of the scores.

    Examples
    --------
    >>> from skperturb.noise import Exponential
    >>> round(float(Exponential().cdf(1.0)), 4)
    0.6321
    """

    _support = (0.0, np.inf)
    _kinks = (0.0,)

    def _logpdf(self, z):
        return np.where(z >= 0, -np.maximum(z, 0), -np.inf)

    def _logcdf(self, z):
        return _log_complement(-np.maximum(z, 0))

    def _logsf(self, z):
        return -np.maximum(z, 0)

    def _ppf(self, q):
        return -np.log1p(-q)

    def _isf(self, q):
        return -np.log(q)


def _log(p):
    """log(p), -inf where p is zero."""
    return np.log(p, where=p > 0, out=np.full(np.shape(p), -np.inf))


def _log_complement(log_p):
    """log(1 - p) from log(p), with the digits of both ends."""
    low = np.log1p(-np.exp(np.minimum(log_p, -0.5)))
    return np.where(log_p < -0.5, low, _log(-np.expm1(np.minimum(log_p, 0))))


class ScipyNoise(Noise):
    """Noise with the law of a frozen continuous distribution of scipy.stats.

    Made by :func:`from_scipy`. Its tails are as accurate as scipy's.

    Parameters
    ----------
    distribution : frozen continuous distribution of scipy.stats
        The law for scale 1.
    scale : float, default=1.0
        Multiplies the variable.
    """

    # Unknown: nothing in scipy says so.
    log_concave = symmetric = positive = None

    def __init__(self, distribution, scale=1.0):
        super().__init__(scale)
        self.distribution = distribution

    def __repr__(self):
        frozen, scale = self.distribution, self.scale
        arguments = [*map(repr, frozen.args), *(f"{k}={v!r}" for k, v in frozen.kwds.items())]
        law = f"from_scipy({frozen.dist.name}({', '.join(arguments)}))"
        return law if scale == 1 else f"{law}.set_params(scale={scale!r})"

    @property
    def _support(self):
        return tuple(float(end) for end in self.distribution.support())

    @property
    def _kinks(self):
        return tuple(end for end in self._support if np.isfinite(end))

    def _key(self):
        # By value: a copy of the distribution is the same law.
        return type(self), self.scale, joblib.hash(self.distribution)

    @property
    def detail(self):
        """Distance over which the law may vary: short, as its shape is not known."""
        return interquartile_range(self) / 24

    def _call(self, name, x):
        with np.errstate(all="ignore"):
            return getattr(self.distribution, name)(x)

    def rvs(self, size=None, random_state=None):
        """Random draws, by the distribution's own method."""
        return self.scale * self.distribution.rvs(size, check_random_state(random_state))

    def _logpdf(self, z):
        return self._call("logpdf", z)

    def _logcdf(self, z):
        # Where scipy has only the log of the CDF, its digits are gone near 1.
        log_cdf = self._call("logcdf", z)
        return np.where(log_cdf < -0.5, log_cdf, _log_complement(self._call("logsf", z)))

    def _logsf(self, z):
        log_sf = self._call("logsf", z)
        return np.where(log_sf < -0.5, log_sf, _log_complement(self._call("logcdf", z)))

    def _ppf(self, q):
        return self._call("ppf", q)

    def _isf(self, q):
        return self._call("isf", q)


def from_scipy(distribution):
    """Noise with the law of a frozen continuous distribution of scipy.stats.

    Parameters
    ----------
    distribution : frozen continuous distribution of scipy.stats
        Such as ``scipy.stats.skewnorm(4)``.

    Returns
    -------
    ScipyNoise

    Raises
    ------
    ValueError
        If it is anything else; a discrete noise cannot represent every distribution of classes.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> from skperturb.noise import from_scipy
    >>> round(float(from_scipy(norm(scale=2)).cdf(2.0)), 4)
    0.8413
    """
    if hasattr(distribution, "pmf"):
        raise ValueError(
            "The distribution is discrete: its noise ties scores and reaches finitely many "
            "probabilities only. Use a continuous distribution."
        )
    if not (hasattr(distribution, "dist") and hasattr(distribution, "logpdf")):
        raise ValueError(
            "from_scipy needs a frozen continuous distribution such as scipy.stats.norm(scale=2), "
            f"got {distribution!r}."
        )
    noise = ScipyNoise(distribution)
    quartiles = noise.ppf([0.25, 0.75])
    if not (np.isfinite(quartiles).all() and quartiles[0] < quartiles[1]):
        raise ValueError(f"{distribution!r} has no quartiles: check its parameters.")
    return noise


def has_thin_tails(law):
    """Whether the tails fall exponentially or faster, as far as floating point sees them."""
    width = law.isf(1e-300) - law.ppf(1e-300)
    return bool(width < 3000 * interquartile_range(law))


def interquartile_range(law):
    """Width of the middle half of a law, comparable between families."""
    return float(law.isf(0.25) - law.ppf(0.25))


_BY_NAME = {
    "cauchy": Cauchy,
    "exponential": Exponential,
    "gaussian": Gaussian,
    "gumbel": Gumbel,
    "gumbel_min": GumbelMin,
    "laplace": Laplace,
    "logistic": Logistic,
    "student_t": StudentT,
    "uniform": Uniform,
}


def as_noise(noise, noise_scale=1.0):
    """Turn a name or a noise object into a noise object of the asked scale.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats
        A family's name ("gaussian", "gumbel", "gumbel_min", "logistic", "laplace",
        "student_t", "cauchy", "uniform", "exponential") or an object of this module.
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
    elif hasattr(noise, "dist"):
        noise = from_scipy(noise)
    else:
        raise ValueError(
            f"noise must be a name in {sorted(_BY_NAME)}, an object of skperturb.noise or a "
            f"frozen continuous distribution of scipy.stats, got {noise!r}."
        )
    if not (isinstance(noise.scale, Real) and isinstance(noise_scale, Real)):
        raise ValueError(
            f"The scale of the noise must be a number, got {noise} and {noise_scale!r}."
        )
    noise._check_parameters()
    scale = noise.scale * noise_scale
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(
            f"The scale of the noise must be positive and finite, got {noise} "
            f"times noise_scale={noise_scale!r}."
        )
    return noise.set_params(scale=scale)
