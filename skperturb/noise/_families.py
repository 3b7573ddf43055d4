"""The families with functions of their own: what each writes down for scale 1."""

from numbers import Real

import numpy as np
from scipy import special

from ._base import Noise
from ._logs import log, log_complement

# exp overflows past 709; beyond this a log CDF is "impossible" in any units.
_MAX_EXPONENT = 700.0
# Below this, density and CDF of a Gaussian cancel to all digits.
_GAUSSIAN_TAIL = -1e4
# Above this, the upper tail of a Gumbel variable is exp(-z) to all digits.
_GUMBEL_TAIL = 40.0
# Probability below which scipy's inverse of the Student-t CDF loses digits for small df.
_STUDENT_TAIL = 1e-6
_NEWTON_STEPS = 30  # enough for every df; most need five
_SQUARE_IS_FINITE = 1e100  # up to here a ratio may be squared; beyond, 1 + ratio**2 = ratio**2


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
        # In the far tail r(z) = -z - 1/z + O(z**-3).
        far = np.minimum(z, _GAUSSIAN_TAIL)
        near = super()._log_hazard(np.maximum(z, _GAUSSIAN_TAIL))
        return np.where(z < _GAUSSIAN_TAIL, np.log(-far - 1 / far), near)

    def _ppf(self, q):
        return special.ndtri(q)


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

    closed_form = True

    def _logpdf(self, z):
        return -z - _exp_neg(z)

    def _logcdf(self, z):
        return -_exp_neg(z)

    def _log_hazard(self, z):
        return -z

    def _logsf(self, z):
        # log(1 - exp(-u)) with u = exp(-z), in the form that keeps its digits.
        u = _exp_neg(np.minimum(z, _GUMBEL_TAIL))
        half = np.log(2)
        low = np.log(-np.expm1(-np.minimum(u, half)))
        high = np.log1p(-np.exp(-np.maximum(u, half)))
        return np.where(z > _GUMBEL_TAIL, -z, np.where(u > half, high, low))

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

    def _ppf(self, q):
        return special.logit(q)


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
    branches = ((0.0, 0.5, "exp(z)"), (1.0, -0.5, "exp(-z)"))

    def _logpdf(self, z):
        return -np.abs(z) - np.log(2)

    def _logcdf(self, z):
        low = np.minimum(z, 0) - np.log(2)
        return np.where(z < 0, low, np.log1p(-0.5 * np.exp(-np.maximum(z, 0))))

    def _ppf(self, q):
        low = np.log(2 * np.minimum(q, 0.5))
        return np.where(q < 0.5, low, -np.log1p(-2 * (np.maximum(q, 0.5) - 0.5)))


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

    def __init__(self, df: float = 4.0, scale: float = 1.0):
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

    def _ppf(self, q):
        # Newton on log q against log(-x) in the tail.
        body = special.stdtrit(self.df, np.maximum(q, _STUDENT_TAIL))
        goal = np.log(np.minimum(q, _STUDENT_TAIL))
        start = -special.stdtrit(self.df, _STUDENT_TAIL)
        log_x = np.log(start) + (np.log(_STUDENT_TAIL) - goal) / self.df
        for _ in range(_NEWTON_STEPS):
            x = np.exp(np.minimum(log_x, _MAX_EXPONENT))
            log_cdf = self._logcdf(-x)
            log_x += (log_cdf - goal) * np.exp(log_cdf - self._logpdf(x)) / x
        return np.where(q < _STUDENT_TAIL, -np.exp(np.minimum(log_x, _MAX_EXPONENT)), body)


def _log1p_square(z, df):
    """log(1 + z**2 / df) without overflow."""
    ratio = np.abs(z) / np.sqrt(df)
    big = ratio > _SQUARE_IS_FINITE
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

    def _ppf(self, q):
        return -1 / np.tan(np.pi * q)


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
    branches = ((0.0, 0.0, "1"), (0.5, 0.5, "z"), (1.0, 0.0, "1"))

    def _logpdf(self, z):
        return np.where(np.abs(z) <= 1, -np.log(2), -np.inf)

    def _logcdf(self, z):
        return log_complement(log(np.clip(0.5 * (1 - z), 0, 1)))

    def _ppf(self, q):
        return 2 * q - 1


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
    branches = ((0.0, 0.0, "1"), (1.0, -1.0, "exp(-z)"))

    def _logpdf(self, z):
        return np.where(z >= 0, -np.maximum(z, 0), -np.inf)

    def _logcdf(self, z):
        return log_complement(-np.maximum(z, 0))

    def _logsf(self, z):
        return -np.maximum(z, 0)

    def _ppf(self, q):
        return -np.log1p(-q)

    def _isf(self, q):
        return -np.log(q)


def _exp_neg(x):
    """exp(-x), held finite."""
    return np.exp(np.minimum(-x, _MAX_EXPONENT))


# The one list of names: `as_noise`, its documentation and its messages, and what
# `skperturb.noise` exports come from here, and tests hold the pages against it.
FAMILIES: dict[str, type[Noise]] = {
    "gaussian": Gaussian,
    "gumbel": Gumbel,
    "gumbel_min": GumbelMin,
    "logistic": Logistic,
    "laplace": Laplace,
    "student_t": StudentT,
    "cauchy": Cauchy,
    "uniform": Uniform,
    "exponential": Exponential,
}
