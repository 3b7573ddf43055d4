"""Noise that takes finitely many values."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ._base import Noise
from ._logs import log

_MOST_VALUES = 200  # each of them begins a panel of every integral
_SAME_SCORE = 1e-9  # widths of the support: scores that differ by no more count as equal
_SUM_TOLERANCE = 1e-6  # by which the sum of given probabilities may miss one


class Discrete(Noise):
    """Noise that takes finitely many values.

    In Perturb-Softmax it can represent every distribution of classes, each by one set of scores, as
    any noise can. In Perturb-Argmax it can represent finitely many distributions only, and
    :class:`~skperturb.PerturbArgmaxClassifier` refuses it.

    Parameters
    ----------
    values : sequence of float, default=(-1.0, 1.0)
        2 to 200 different values, in units of the scale.
    probabilities : sequence of float, default=None
        The probability of each value; they sum to one. None for equal ones.
    scale : float, default=1.0
        Multiplies the values.

    Examples
    --------
    >>> from skperturb.noise import Discrete
    >>> round(float(Discrete([-1, 0, 2]).cdf(0.5)), 4)
    0.6667
    """

    log_concave = False
    discrete = True
    atoms = True

    def __init__(
        self,
        values: npt.ArrayLike = (-1.0, 1.0),
        probabilities: npt.ArrayLike | None = None,
        scale: float = 1.0,
    ):
        super().__init__(scale)
        self.values = values
        self.probabilities = probabilities

    def masses(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The values that have a probability, in ascending order, and their probabilities.

        Returns
        -------
        values : ndarray of shape (n_values,)
            Different values, in the units of the scores.
        probabilities : ndarray of shape (n_values,)
            Positive numbers that sum to one.
        """
        values = np.asarray(self.values, dtype=float)
        if self.probabilities is None:
            probabilities = np.full(len(values), 1.0)
        else:
            probabilities = np.asarray(self.probabilities, dtype=float)
        values, which = np.unique(values[probabilities > 0], return_inverse=True)
        masses = np.bincount(which, probabilities[probabilities > 0])
        return self.scale * values, masses / masses.sum()

    def _check_parameters(self):
        values, probabilities = self.values, self.probabilities
        try:
            values = np.asarray(values, dtype=float)
            given = np.ones(values.shape) if probabilities is None else probabilities
            given = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"values and probabilities must be numbers, got {self}.") from None
        if values.ndim != 1 or given.shape != values.shape or not np.isfinite(values).all():
            raise ValueError(
                f"values must be finite numbers, and probabilities one for each, got {self}."
            )
        total = 1.0 if probabilities is None else given.sum()
        if not (given.min(initial=0) >= 0 and abs(total - 1) <= _SUM_TOLERANCE):
            raise ValueError(f"probabilities must not be negative and sum to one, got {self}.")
        if len(np.unique(values[given > 0])) < 2:
            raise ValueError(f"Noise needs at least two different values, got {self}.")
        if len(values) > _MOST_VALUES:
            raise ValueError(
                f"Discrete noise takes {_MOST_VALUES} values at most, got {len(values)}; "
                "use a continuous law for more, such as scipy.stats.rv_histogram."
            )

    def key(self) -> tuple:
        """The law by value, immutable.

        Returns
        -------
        tuple
            Equal for equal laws.
        """
        # By value: a list and an array of the same numbers are the same law.
        values, masses = self.masses()
        return type(self), tuple(values), tuple(masses)

    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        """Whether the values and their probabilities are symmetric about 0."""
        values, masses = self.masses()
        same = np.abs(values + values[::-1]).max() <= self.resolution
        return bool(same and np.allclose(masses, masses[::-1]))

    @property
    def resolution(self) -> float:
        """Difference of scores, with their noise, up to which they count as equal."""
        low, high = self.support
        return _SAME_SCORE * (high - low)

    @property
    def _support(self):
        values = self._standard()[0]
        return values[0], values[-1]

    @property
    def _gaps(self):
        values = self._standard()[0]
        return tuple(pairwise(values))

    @property
    def _kinks(self):
        return tuple(self._standard()[0])

    def _standard(self):
        values, masses = self.masses()
        return values / self.scale, masses

    def _logpdf(self, z):
        raise ValueError("Discrete noise has no density; its probabilities are given by masses().")

    def _logcdf(self, z):
        values, masses = self._standard()
        below = np.append(0.0, np.cumsum(masses))
        below[-1] = 1.0
        return log(below[np.searchsorted(values, z, side="right")])

    def _logsf(self, z):
        values, masses = self._standard()
        above = np.append(np.cumsum(masses[::-1])[::-1], 0.0)
        above[0] = 1.0
        return log(above[np.searchsorted(values, z, side="right")])

    def _ppf(self, q):
        values, masses = self._standard()
        return values[np.minimum(np.searchsorted(np.cumsum(masses), q), len(values) - 1)]

    def _isf(self, q):
        values, masses = self._standard()
        above = np.cumsum(masses[::-1])[::-1] - masses  # P(noise > value)
        return values[np.minimum(np.searchsorted(-above, -np.asarray(q)), len(values) - 1)]
