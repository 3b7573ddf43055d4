"""How many pairs of features, and with which C, by folds that the pairs have not seen.

The pairs are those that the residuals ask for. Leaving out a row of a model whose pairs were found
with its label is much too good, so that each fold ranks the pairs without its rows.
"""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedKFold

from .._linear import linear_scores
from ..leave_out import Minimum
from ._features import AdditiveFeatures
from ._screening import rank_pairs

_FOLDS = 5
_NEAR = 0.3  # squared distance to the minimum of a fit to a part, in standard errors


def splits_of(data, splits):
    """Rows to fit to and rows to predict, those given if there are any."""
    if splits is not None:
        return splits
    if data.lots is not None:
        lots = GroupKFold(min(_FOLDS, len(np.unique(data.lots))))
        return list(lots.split(data.codes, groups=data.lots))
    fewest = np.bincount(data.codes[data.weight > 0]).min()
    folds = StratifiedKFold(max(2, min(_FOLDS, fewest)), shuffle=True, random_state=0)
    return list(folds.split(data.codes, data.codes))


class PairSearch:
    """Log loss of rows by fits to other folds, pairs and all.

    Parameters
    ----------
    best : Candidate
        Curves alone.
    X : features
    data : Data
    clf : classifier
    Cs : ndarray of shape (n_Cs,)
    splits : list of (ndarray, ndarray)
    fixed : sequence of int
        Features that take part in no pair.
    """

    def __init__(self, best, X, data, clf, Cs, splits, fixed):
        self._best, self._X, self._data, self._clf, self._Cs = best, X, data, clf, Cs
        self._splits = splits
        self._starts = {}
        C = Cs[best.best]
        self._ranked = []
        for fold, (train, _) in enumerate(splits):
            weight = self._weight(train)
            part = replace(best, weight=weight, minimum=lambda _, f=fold: self._fit(f, best.X, C))
            self._ranked.append(rank_pairs(part, C, X, fixed))

    def _weight(self, train):
        weight = np.zeros(len(self._data.weight))
        weight[train] = self._data.weight[train]
        return weight

    def _fit(self, fold, Z, C):
        """The minimum without a fold, from where the last one of as many columns ended."""
        data = replace(self._data, X=Z, weight=self._weight(self._splits[fold][0]))
        objective = data.objective(self._clf, C)
        start = self._starts.get((fold, Z.shape[1]), np.zeros(objective.n_parameters))
        minimum = Minimum(objective, start, _NEAR)
        self._starts[fold, Z.shape[1]] = minimum.free + minimum.rest
        return minimum

    def scores(self, number, C):
        """Minus the log loss of each row (n,), nan where it is in no fold."""
        total, times = np.zeros((2, len(self._data.weight)))
        params = self._best.features.get_params()
        for fold, (_, test) in enumerate(self._splits):
            Z = self._best.X
            if number:
                pairs = self._ranked[fold][:number]
                features = AdditiveFeatures(**params | {"pairs": pairs})
                Z = features.fit(self._X, sample_weight=self._data.weight).transform(self._X)
            minimum = self._fit(fold, Z, C)
            objective = minimum.objective
            coefficients = objective.coefficients(minimum.free + minimum.rest)
            log_proba = objective.loss.kernel.log_proba(linear_scores(Z[test], *coefficients))
            total[test] += log_proba[np.arange(len(test)), self._data.codes[test]]
            times[test] += 1
        return np.where(times > 0, total / np.maximum(times, 1), np.nan)

    def along(self, number, mean, start):
        """The index of C that is best for a number of pairs, and the score of each row."""
        values = {}

        def of(j):
            if j not in values:
                values[j] = self.scores(number, self._Cs[j])
            return mean(values[j])[0]

        of(start)
        best = climb(of, start, len(self._Cs))
        return best, values[best]


def climb(value, start, n, stride=1):
    """Index of a highest value, among neighbours, of a function on 0 ... n - 1."""
    best = start
    for step in (-stride, stride):
        moved = False
        while 0 <= best + step < n and value(best + step) > value(best):
            best, moved = best + step, True
        if moved:
            break
    return best
