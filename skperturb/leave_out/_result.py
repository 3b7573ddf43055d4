"""What leaving rows out tells: predictions of unseen rows, and their mean scores."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._results import Record


@dataclass(frozen=True)
class Estimate(Record):
    """A mean over the rows and its standard error: read it with ``print``, or :meth:`to_dict`.

    Attributes
    ----------
    value : float
        The mean.
    std_err : float
        Its standard error, from the differences between the rows, or between the lots where lots
        were left out.
    """

    value: float
    std_err: float


@dataclass(frozen=True)
class LeaveOneOut(Record):
    """Result of ``leave_one_out``: predictions of every row by the fit without it.

    Attributes
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Scores of the fit without the row, or without its lot.
    proba : ndarray of shape (n_samples, n_classes)
        Their probabilities, in the order of ``classes_``; with `label_noise`, those of the true
        class, while ``log_loss()`` and the like are of the label given.
    loss : ndarray of shape (n_samples,)
        The loss of the classifier at these scores: with the log loss, minus the log of the
        probability of the row's class.
    leverage : ndarray of shape (n_samples,)
        Share of the curvature of the objective that the row, or its lot, makes up in the direction
        where it makes up most; near 1, the row decides its prediction alone.
    change : ndarray of shape (n_samples,)
        `loss` less the loss of the row in the fit itself.
    refitted : ndarray of shape (n_samples,), bool
        Rows for which the fit was repeated without them, or without their lot.
    """

    scores: NDArray[np.float64]
    proba: NDArray[np.float64]
    loss: NDArray[np.float64]
    leverage: NDArray[np.float64]
    change: NDArray[np.float64]
    refitted: NDArray[np.bool_]
    _log_proba: Any = None
    _labels: Any = None  # probabilities of the classes that the labels are (n, K)
    _weight: Any = None
    _lots: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name.

        Returns
        -------
        dict
            The arrays by name.
        """
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if not field.name.startswith("_")
        }

    def _lines(self):
        left_out = "rows" if self._lots is None else "lots"
        lines = [("left out", f"{left_out}, of {len(self.loss)} rows")]
        for name in ("log_loss", "accuracy", "brier"):
            of = getattr(self, name)()
            lines.append((name.replace("_", " "), f"{of.value:.4g} (std_err {of.std_err:.2g})"))
        return [*lines, ("refitted", f"{np.count_nonzero(self.refitted)} rows")]

    def log_loss(self) -> Estimate:
        """Mean of minus the log of the probability of the row's class.

        Returns
        -------
        Estimate
            Weighted by the sample weights.
        """
        return self._mean(self._each("log_loss"))

    def accuracy(self) -> Estimate:
        """Share of the rows whose class is the most probable one.

        Returns
        -------
        Estimate
            Weighted by the sample weights.
        """
        return self._mean(self._each("accuracy"))

    def brier(self) -> Estimate:
        """Mean of the squared distance of the probabilities from the row's class.

        Returns
        -------
        Estimate
            Weighted by the sample weights; between 0 and 2.
        """
        return self._mean(self._each("brier"))

    def _each(self, name):
        """A measure of each row (n_samples,)."""
        return _MEASURES[name](self._log_proba, self._labels)

    def _mean(self, values):
        return mean_with_error(values, self._weight, self._lots)


@np.errstate(all="ignore")
def _log_loss(log_proba, labels):
    return -np.where(labels > 0, labels * log_proba, 0.0).sum(axis=1)


def _accuracy(log_proba, labels):
    return labels[np.arange(len(labels)), log_proba.argmax(axis=1)]


def _brier(log_proba, labels):
    # The mean over the classes that a row may be of, as if it were there once for each.
    proba = np.exp(log_proba)
    return 1 + (proba**2).sum(axis=1) - 2 * (labels * proba).sum(axis=1)


_MEASURES = {"log_loss": _log_loss, "accuracy": _accuracy, "brier": _brier}


def measure(name, log_proba, labels):
    """A measure of each row, from log probabilities and labels as probabilities (n, K)."""
    return _MEASURES[name](log_proba, labels)


@np.errstate(invalid="ignore")
def mean_with_error(values, weight, lots=None):
    """Weighted mean of the rows; rows, or lots, are independent of each other.

    Parameters
    ----------
    values, weight : ndarray of shape (n,)
        Rows of weight zero do not count.
    lots : ndarray of shape (n,), int, default=None

    Returns
    -------
    Estimate
    """
    counted = weight > 0
    values, weight = values[counted], weight[counted] / weight.sum()
    mean = float(weight @ values)
    parts = weight * (values - mean)
    if lots is not None:
        parts = np.bincount(np.unique(lots[counted], return_inverse=True)[1], parts)
    n = len(parts)
    return Estimate(mean, float(np.sqrt(n / (n - 1) * (parts @ parts))))
