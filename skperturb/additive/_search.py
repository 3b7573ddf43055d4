"""The number of knots, C, jumps and pairs that leave-one-out finds best."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .._warnings import warn_user
from ..leave_out import Minimum, mean_with_error
from ..model_selection import FoldScores, LeaveOutScores
from ._features import AdditiveFeatures
from ._pairs import PairSearch, climb, splits_of
from ._screening import find_jumps, move_jumps, rank_pairs

# Free parameters of a candidate: their matrix is factorised some ten times. At most, and at most if
# there is a smaller candidate.
_MOST_PARAMETERS, _USUAL_PARAMETERS = 5000, 1500
NEAR = 1e-2  # squared distance to the minimum, in standard errors
_ERRORS = 0.5  # standard errors that pairs must gain, by folds that have not chosen them
# Standard errors by which a straight line must be better than curves. Of few rows a line seems
# better by chance, and then costs more than curves, smooth as they are, where lines are right.
LINE, _SURE = 2, 2.0
_STRIDE = 2  # values of C from one that is tried to the next, until knots are chosen
_ROUNDS, _MOVES = 3, 5  # of looking for jumps, and of putting them where they fit best


@dataclass(frozen=True)
class Candidate:
    """An additive model along C, each row predicted by a fit without it.

    Attributes
    ----------
    features : AdditiveFeatures
        Fitted.
    X, weight : ndarray of shape (n_samples, n_features_out) and (n_samples,)
    minimum : callable
        Maps C to the Minimum of the fit to all rows.
    scorer : callable
        Maps C to the score of each row.
    values : dict of int to ndarray of shape (n_samples,)
        Score of each row by the index of C.
    best : int
        Index of the best C.
    """

    features: AdditiveFeatures
    X: np.ndarray
    weight: np.ndarray
    minimum: Callable
    scorer: Any
    values: dict
    best: int

    @property
    def score(self):
        return self.values[self.best]

    def sizes(self, coef):
        """How much each part varies."""
        spread = (self.X.std(axis=0) * coef) ** 2
        owner = self.features.part_of_column_
        return np.bincount(owner, spread.sum(axis=0), minlength=len(self.features.parts_))


class AdditiveSearch:
    """Candidates, and the gain of one over another.

    Parameters
    ----------
    X : features
        As given to the classifier, with the rows that count.
    data : Data
        Its X is replaced by that of each candidate.
    clf : classifier
        The candidate's last step; its C does not matter.
    Cs : ndarray of shape (n_Cs,)
        Growing.
    splits : list of (ndarray, ndarray) or None
        Rows to fit to and rows to predict; None to leave out rows or lots.
    """

    def __init__(self, X, data, clf, Cs, splits=None):
        self._X, self._data, self._clf, self._Cs, self._splits = X, data, clf, Cs, splits
        self.n_free = max(1, len(data.classes) - 1)
        self.tried: list[dict[str, Any]] = []
        self.n_iter = 0

    def candidate(self, start, rival=None, **params):
        """The best C of a model, found from a first guess by going uphill.

        With a rival, which must be at its best at the first guess: None if the model is worse than
        it there, which takes one fit.
        """
        features = AdditiveFeatures(**params).fit(self._X, sample_weight=self._data.weight)
        data = replace(self._data, X=features.transform(self._X).astype(float))
        if self._splits is None:
            scorer = LeaveOutScores(data, self._clf, "neg_log_loss")
            minimum = partial(scorer.minimum, near=NEAR)
        else:
            scorer = FoldScores(data, self._clf, "neg_log_loss", self._splits)
            minimum = partial(_minimum, data, self._clf)
        found = Candidate(features, data.X, data.weight, minimum, scorer, {}, start)
        if rival is not None:
            score = scorer(self._Cs[start])
            if not self.mean(score - rival.score)[0] > 0:
                self.n_iter += scorer.n_iter
                self._note(features.get_params(), self._Cs[start], score)
                return None
        return self._uphill(found, _STRIDE)

    def _uphill(self, candidate, stride):
        """The same at the best C that steps of so many values of C lead to."""
        scorer, values = candidate.scorer, dict(candidate.values)
        exact, before = set(values) & {candidate.best}, scorer.n_iter if values else 0

        def mean(j):
            if j not in values:
                values[j] = scorer(self._Cs[j])
            return self.mean(values[j])[0]

        mean(candidate.best)
        best = climb(mean, candidate.best, len(self._Cs), stride)
        # Exact refits of the rows that change most, until the best C is one that has them.
        while best not in exact:
            exact.add(best)
            score = scorer.exact(self._Cs[best])
            if score is not None:
                values[best] = score
            best = max(values, key=mean)
        self.n_iter += scorer.n_iter - before
        found = replace(candidate, values=values, best=best)
        if best != candidate.best or not candidate.values:
            self._note(found.features.get_params(), self._Cs[best], found.score)
        return found

    def mean(self, values):
        """Mean over the rows that count, and its standard error."""
        known = ~np.isnan(values)
        lots = None if self._data.lots is None else self._data.lots[known]
        estimate = mean_with_error(values[known], self._data.weight[known], lots)
        return estimate.value, estimate.std_err

    def gain(self, new, old):
        """By how much the mean score of a candidate is higher, and the standard error."""
        with np.errstate(invalid="ignore"):
            return self.mean(new.score - old.score)

    def _surely(self, new, old):
        gain, error = self.gain(new, old)
        return gain > _SURE * error

    def run(self, knots, interactions, jumps, fixed=(), n_steps=None):
        """The best candidate.

        Parameters
        ----------
        knots : list of int
        interactions : int or "auto"
        jumps : bool
        fixed : sequence of int
            Features that take part in no pair.
        n_steps : int or None
            Features of so many different values at most are tried as steps, too.
        """
        best = None
        if (size := self._size(min(knots))) > _MOST_PARAMETERS:
            raise ValueError(
                f"Curves of {min(knots)} knots would have {size} parameters; more than "
                f"{_MOST_PARAMETERS} are too many. Use fewer knots (n_knots=2) or fewer features."
            )
        line = None
        for n_knots in sorted(knots):
            known = line if best is None else best
            if known is not None and (size := self._size(n_knots)) > _USUAL_PARAMETERS:
                if best is None:
                    warn_user(
                        f"Curves of {n_knots} knots would have {size} parameters, more than "
                        f"{_USUAL_PARAMETERS}, so that straight lines are fitted: ask for curves "
                        f"with n_knots={n_knots}, or take fewer features.",
                        UserWarning,
                    )
                break
            start = len(self._Cs) // 2 if known is None else known.best
            new = self.candidate(start, best, n_knots=n_knots)
            if n_knots == LINE:
                line = new
            elif new is not None and (best is None or self.gain(new, best)[0] > 0):
                best = new
        if line is not None and (best is None or self._surely(line, best)):
            best = line
        if n_steps is not None:
            best = self._with_steps(best, n_steps)
        best = self._uphill(best, 1)
        for _ in range(_ROUNDS if jumps else 0):
            found = find_jumps(best, self._Cs[best.best], self._X)
            if not found:
                break
            params = best.features.get_params()
            jumps_now = [*params["jumps"], *found]
            for _ in range(_MOVES):
                new = self.candidate(best.best, **params | {"jumps": jumps_now})
                moved = move_jumps(new, self._Cs[new.best], self._X)
                if moved == jumps_now:
                    break
                jumps_now = moved
            gain, error = self.gain(new, best)
            if not gain > error:
                break
            best = new
        if interactions == 0:
            return best
        return self._with_pairs(best, interactions, fixed)

    def _with_steps(self, best, n_steps):
        """The same with steps in place of curves of features of few values, if that gains."""
        params = {"n_knots": best.features.n_knots, "n_steps": n_steps}
        features = AdditiveFeatures(**params).fit(self._X, sample_weight=self._data.weight)
        names = features.get_feature_names_out().tolist()
        if names == best.features.get_feature_names_out().tolist():
            return best
        if (len(names) + 1) * self.n_free > _USUAL_PARAMETERS:
            return best
        new = self.candidate(best.best, best, **params)
        return best if new is None or not self.gain(new, best)[0] > 0 else new

    def _with_pairs(self, best, interactions, fixed):
        """The same with the pairs that gain, or with as many as are asked for."""
        C, n_features = self._Cs[best.best], best.features.n_features_in_
        ranked = rank_pairs(best, C, self._X, fixed)
        numbers = [interactions]
        if interactions == "auto":
            room = max(0, _USUAL_PARAMETERS // self.n_free - best.X.shape[1])
            numbers = [n_features, 4 * n_features, 16 * n_features]
            numbers = list(dict.fromkeys(min(number, room, len(ranked)) for number in numbers))
        if not ranked or not any(numbers):
            return best
        splits = splits_of(self._data, self._splits)
        search = PairSearch(best, self._X, self._data, self._clf, self._Cs, splits, fixed)
        j, alone = search.along(0, self.mean, best.best)
        chosen, most = None, 0.0
        for number in numbers:
            j, values = search.along(number, self.mean, j)
            params = best.features.get_params() | {"pairs": ranked[:number]}
            self._note(params, self._Cs[j], values)
            with np.errstate(invalid="ignore"):
                gain, error = self.mean(values - alone)
            if interactions != "auto" or gain > max(_ERRORS * error, most):
                chosen, most, score = (number, j), gain, values
        if chosen is None:
            return best
        number, j = chosen
        params = best.features.get_params() | {"pairs": ranked[:number]}
        features = AdditiveFeatures(**params).fit(self._X, sample_weight=self._data.weight)
        data = replace(self._data, X=features.transform(self._X).astype(float))
        minimum = partial(_minimum, data, self._clf)
        return Candidate(features, data.X, data.weight, minimum, None, {j: score}, j)

    def _note(self, params, C, values):
        score, error = self.mean(values)
        self.tried.append(
            {
                "n_knots": params["n_knots"],
                "n_steps": params["n_steps"] or params["n_knots"],
                "jumps": len(params["jumps"]),
                "pairs": len(params["pairs"]),
                "C": C,
                "log_loss": -score,
                "std_err": error,
            }
        )

    def _size(self, n_knots):
        """Free parameters of the curves alone, intercepts included."""
        features = AdditiveFeatures(n_knots).fit(self._X, sample_weight=self._data.weight)
        return (len(features.part_of_column_) + 1) * self.n_free


def _minimum(data, clf, C):
    objective = data.objective(clf, C)
    return Minimum(objective, np.zeros(objective.n_parameters), NEAR)
