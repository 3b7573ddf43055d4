"""What every noise family has: scale, facts about its law, functions derived from three or five."""

from abc import ABCMeta, abstractmethod

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._sklearn import NamesOnce
from ._law import Law


class Noise(NamesOnce, Law, BaseEstimator, metaclass=ABCMeta):
    """Independent and identically distributed noise on the class scores.

    This is the base class of the families. It has scikit-learn's ``get_params`` and
    ``set_params``, so that a grid search can set ``noise__scale``. A family
    defines ``_logpdf``, ``_logcdf`` and ``_ppf`` for scale 1; if it is not symmetric, it defines
    ``_logsf`` and ``_isf``, too. It overrides the facts below where they differ.

    Parameters
    ----------
    scale : float, default=1.0
        Scale in the units of the scores; positive and finite. It is the standard
        deviation for Gaussian noise only.

    Attributes
    ----------
    support : tuple of float
        The smallest interval (low, high) that holds the noise.
    bounded : bool
        Whether the support is bounded on both sides: probabilities can be exactly zero.
    gaps : tuple of (float, float), or None
        Intervals (low, high) inside the support that hold no probability. None if not known.
    kinks : tuple of float
        Where the density is not smooth: kinks, jumps and finite ends of the support.
    branches : tuple of (float, float, str), or None
        The CDF for scale 1 between the kinks, from left to right, where all parts of it are
        elementary: a triple (a, b, phi) stands for a + b phi(z), phi being "1", "z", "exp(z)" or
        "exp(-z)". Integrals are then as fast as those of smooth noise. None if they are not.
    log_concave : bool or None
        Whether the density is log-concave: then minus the log likelihood of a linear model is
        convex. None if not known.
    symmetric : bool or None
        Whether the law is symmetric about 0. If it is True, the upper tail is derived from the
        lower one. None if not known.
    atoms : bool or None
        Whether single values have a positive probability. None if not known.
    discrete : bool
        Whether the noise takes finitely many values, which its method ``masses`` lists.
    closed_form : bool
        Whether the probabilities of Perturb-Argmax are the softmax of the scores over the scale.
    needs_interpolant : bool
        Whether the functions are so slow that integrals should use piecewise polynomials instead.

    Examples
    --------
    >>> from skperturb.noise import Gaussian, Noise
    >>> noise = Gaussian(scale=2.0)
    >>> isinstance(noise, Noise), noise.symmetric, noise.support
    (True, True, (-inf, inf))
    """

    # For scale 1:
    _support: tuple[float, float] = (-np.inf, np.inf)
    _gaps: tuple[tuple[float, float], ...] | None = ()
    _kinks: tuple[float, ...] = ()

    def __init__(self, scale: float = 1.0):
        self.scale = scale

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        # Only symmetry derives the upper tail: without it, a wrong number would follow silently.
        derived = [name for name in ("_logsf", "_isf") if getattr(cls, name) is vars(Noise)[name]]
        if derived and cls.symmetric is not True:
            raise TypeError(
                f"{cls.__name__} must define {' and '.join(derived)}, or say symmetric = True."
            )

    @property
    def support(self) -> tuple[float, float]:
        """The smallest interval that holds the noise, as (low, high)."""
        low, high = self._support
        return float(self.scale * low), float(self.scale * high)

    @property
    def gaps(self) -> tuple[tuple[float, float], ...] | None:
        """Intervals (low, high) inside the support that hold no probability; None if not known."""
        if self._gaps is None:
            return None
        return tuple(
            (float(self.scale * low), float(self.scale * high)) for low, high in self._gaps
        )

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where the density is not smooth: kinks, jumps and finite ends of the support."""
        return tuple(float(self.scale * kink) for kink in self._kinks)

    @property
    def bounded(self) -> bool:
        """Whether the support is bounded on both sides: probabilities can be exactly zero."""
        return bool(np.isfinite(self._support).all())

    def standard(self) -> "Noise":
        """The same noise with scale 1.

        Returns
        -------
        Noise
            A new object of the same family, with the same other parameters.
        """
        # Made anew, without a copy of the parameters, which may be large.
        return type(self)(**self.get_params(deep=False) | {"scale": 1.0})

    def logpdf(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Log density.

        Parameters
        ----------
        x : array_like
            Values of the noise, in the units of the scores; any shape.

        Returns
        -------
        ndarray of the shape of `x`
            Log density, -inf where the density is zero.
        """
        return self._logpdf(np.asarray(x, dtype=float) / self.scale) - np.log(self.scale)

    def logcdf(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Log of P(noise <= x), accurate where the probability is tiny and near 1.

        Parameters
        ----------
        x : array_like
            Values of the noise, in the units of the scores; any shape.

        Returns
        -------
        ndarray of the shape of `x`
            Log probabilities.
        """
        return self._logcdf(np.asarray(x, dtype=float) / self.scale)

    def logsf(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Log of P(noise > x), accurate where the probability is tiny and near 1.

        Parameters
        ----------
        x : array_like
            Values of the noise, in the units of the scores; any shape.

        Returns
        -------
        ndarray of the shape of `x`
            Log probabilities.
        """
        return self._logsf(np.asarray(x, dtype=float) / self.scale)

    def log_hazard(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Log of the reversed hazard pdf / cdf, accurate far out on the left, too.

        Parameters
        ----------
        x : array_like
            Values of the noise, in the units of the scores; any shape.

        Returns
        -------
        ndarray of the shape of `x`
            Logarithm of a rate per unit of the scores; -inf where the density is zero.
        """
        return self._log_hazard(np.asarray(x, dtype=float) / self.scale) - np.log(self.scale)

    @abstractmethod
    def _logpdf(self, z):
        """Log density of the standard member."""

    @abstractmethod
    def _logcdf(self, z):
        """Log CDF, accurate in the lower tail."""

    @abstractmethod
    def _ppf(self, q):
        """Quantile function, accurate in the lower tail."""

    def _logsf(self, z):
        """Log survival function, accurate in the upper tail."""
        return self._logcdf(-z)

    def _isf(self, q):
        """Upper quantile function, accurate in the upper tail."""
        return -self._ppf(q)

    def _log_hazard(self, z):
        log_pdf = self._logpdf(z)
        impossible = np.isneginf(log_pdf)
        return np.where(impossible, -np.inf, log_pdf - np.where(impossible, 0.0, self._logcdf(z)))

    def pdf(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Density.

        Parameters
        ----------
        x : array_like
            Values of the noise, in the units of the scores; any shape.

        Returns
        -------
        ndarray of the shape of `x`
            Density per unit of the scores.
        """
        return np.exp(self.logpdf(x))

    def cdf(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """P(noise <= x).

        Parameters
        ----------
        x : array_like
            Values of the noise, in the units of the scores; any shape.

        Returns
        -------
        ndarray of the shape of `x`
            Probabilities.
        """
        return np.exp(self.logcdf(x))

    def ppf(self, q: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Quantile: the x with P(noise <= x) = q.

        Parameters
        ----------
        q : array_like
            Probabilities of the lower tail; any shape.

        Returns
        -------
        ndarray of the shape of `q`
            Values of the noise, in the units of the scores.
        """
        return self.scale * self._ppf(np.asarray(q, dtype=float))

    def isf(self, q: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Upper quantile: the x with P(noise > x) = q.

        Parameters
        ----------
        q : array_like
            Probabilities of the upper tail; any shape.

        Returns
        -------
        ndarray of the shape of `q`
            Values of the noise, in the units of the scores.
        """
        return self.scale * self._isf(np.asarray(q, dtype=float))

    def rvs(
        self,
        size: int | tuple[int, ...] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> float | npt.NDArray[np.float64]:
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
            Values of the noise, in the units of the scores.
        """
        return self.ppf(check_random_state(random_state).uniform(size=size))

    def _check_parameters(self):
        """Raise a ValueError if a parameter other than the scale is impossible."""

    def key(self) -> tuple:
        """The family and its parameters: what makes two noises the same law.

        Returns
        -------
        tuple
            Immutable, and equal for equal laws.
        """
        return type(self), tuple(sorted(self.get_params().items()))
