"""Scores of one candidate for one C after another, each row predicted by a fit without it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._data import fit_weights
from .._linear import linear_scores, make_objective
from ..leave_out import Minimum, Units, check_classes, check_size, leave_out, measure

# Measures, and whether more of them is better.
MEASURES = {
    "neg_log_loss": ("log_loss", -1.0),
    "accuracy": ("accuracy", 1.0),
    "neg_brier_score": ("brier", -1.0),
}
# Squared distance to the minimum, in standard errors, that is near enough: along the path, of which
# one point counts in the end, and there.
_NEAR_PATH, _NEAR = 0.3, 1e-2
_REFITS = 10  # rows at most that are refitted for the best C: those whose loss changes most


@dataclass(frozen=True)
class Data:
    """What a search is given, checked.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    classes, codes : ndarray
        The classes, and the index of each row's.
    weight : ndarray of shape (n_samples,)
        Sample weights, 1 if there are none.
    lots : ndarray of shape (n_samples,), int, or None
    names : sequence
        Labels of the lots.
    """

    X: Any
    y: Any
    classes: Any
    codes: Any
    weight: Any
    lots: Any
    names: Any

    def objective(self, clf, C, rows=slice(None)):
        """What a classifier minimises at this C, on some of the rows."""
        params = clf.get_params(deep=False) | {"C": C}
        X, y, codes = self.X[rows], self.y[rows], self.codes[rows]
        weight = fit_weights(params, self.weight[rows], X, y, self.classes, codes)
        return make_objective(params, clf._model(), self.classes, X, codes, weight)

    def measured(self, scoring, kernel, scores, rows):
        """The score of each of some rows; the higher, the better."""
        name, sign = MEASURES[scoring]
        labels = (self.codes[rows][:, None] == np.arange(len(self.classes))).astype(float)
        return sign * measure(name, kernel.log_proba(scores), labels)


class LeaveOutScores:
    """Rows or lots left out of the fit to all of them, without refits.

    Parameters
    ----------
    data : Data
    clf : classifier
        The candidate; its C does not matter.
    scoring : str

    Attributes
    ----------
    n_iter : int
        Iterations so far.
    """

    def __init__(self, data, clf, scoring):
        self._data, self._clf, self._scoring = data, clf, scoring
        self._free, self.n_iter = {}, 0

    def __call__(self, C):
        """Score of each row (n_samples,), nan for rows of weight zero."""
        return self._values(C, 0, _NEAR_PATH)

    def exact(self, C):
        """The same with refits of the rows that change most."""
        return self._values(C, "auto", _NEAR)

    def coefficients(self, C):
        """Coefficients and intercepts of all classes of the fit to all rows, if it is at hand."""
        return self._data.objective(self._clf, C).coefficients(self._free[C])

    def minimum(self, C, near):
        """The fit to all rows, from where the one for the next smaller C ended."""
        objective = self._data.objective(self._clf, C)
        if not self._free:
            self._check(objective)
        before = [known for known in self._free if known <= C]
        start = self._free[max(before)] if before else np.zeros(objective.n_parameters)
        minimum = Minimum(objective, start, near)
        self._free[C] = minimum.free + minimum.rest
        self.n_iter += minimum.n_iter
        return minimum

    def _check(self, objective):
        check_size(objective)
        check_classes(objective, self._data.classes, self._units(objective.counted))

    def _units(self, counted):
        if self._data.lots is None:
            return Units(None, np.flatnonzero(counted))
        present, numbers = np.unique(self._data.lots[counted], return_inverse=True)
        return Units(numbers, self._data.names[present])

    def _values(self, C, most, near):
        minimum = self.minimum(C, near)
        objective = minimum.objective
        counted = objective.counted
        left = leave_out(minimum, self._units(counted).lots, most, _REFITS)
        values = np.full(len(counted), np.nan)
        values[counted] = self._data.measured(
            self._scoring, objective.loss.kernel, left.scores, counted
        )
        return values


class FoldScores:
    """Rows predicted by fits to the other folds.

    Parameters
    ----------
    data : Data
    clf : classifier
        The candidate; its C does not matter.
    scoring : str
    splits : list of (ndarray, ndarray)
        Rows to fit to and rows to predict.
    """

    def __init__(self, data, clf, scoring, splits):
        self._data, self._clf, self._scoring, self._splits = data, clf, scoring, splits
        self._free, self.n_iter = {}, 0

    def __call__(self, C):
        """Score of each row (n_samples,), the mean where it is predicted more than once."""
        data = self._data
        total, times = np.zeros((2, len(data.weight)))
        for number, (train, test) in enumerate(self._splits):
            missing = np.setdiff1d(data.codes, data.codes[train][data.weight[train] > 0])
            if len(missing):
                raise ValueError(
                    f"The rows that a fold is fitted to lack class "
                    f"{data.classes[missing[0]].item()!r}: use fewer folds, or cv=None, which "
                    "leaves out one row at a time."
                )
            objective = data.objective(self._clf, C, train)
            start = self._free.get(number, np.zeros(objective.n_parameters))
            minimum = Minimum(objective, start)
            self._free[number] = minimum.free + minimum.rest
            self.n_iter += minimum.n_iter
            scores = linear_scores(data.X[test], *objective.coefficients(self._free[number]))
            of_test = data.measured(self._scoring, objective.loss.kernel, scores, test)
            total[test] += of_test
            times[test] += 1
        return np.where(times > 0, total / np.maximum(times, 1), np.nan)

    def exact(self, C):
        """Folds are exact at once."""
        return None

    def coefficients(self, C):
        """Nothing is known of the fit to all rows."""
        return None
