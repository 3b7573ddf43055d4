"""The search for a candidate and its C, by scores of each row."""

import numpy as np

from ..leave_out import mean_with_error

_RISES = 2  # a path ends after so many points in a row, each worse than the one before


class Search:
    """Scores of each candidate along growing C, and the choice among them.

    Parameters
    ----------
    scorers : list
        One for each candidate, objects of ``_scores``.
    Cs : ndarray of shape (n_Cs,)
        Growing.
    weight : ndarray of shape (n_samples,)
    lots : ndarray of shape (n_samples,), int, or None

    Attributes
    ----------
    row_scores : ndarray of shape (n_candidates, n_Cs, n_samples)
        Score of each row, nan where it was not computed.
    scores, errors : ndarray of shape (n_candidates, n_Cs)
        Means over the rows and their standard errors.
    """

    def __init__(self, scorers, Cs, weight, lots):
        self._scorers, self._Cs, self._weight, self._lots = scorers, Cs, weight, lots
        shape = len(scorers), len(Cs)
        self.row_scores = np.full((*shape, len(weight)), np.nan)
        self.scores, self.errors = np.full((2, *shape), np.nan)

    def run(self, tell):
        """Score all candidates.

        Parameters
        ----------
        tell : callable
            Called after each point; True ends the search.
        """
        for i, scorer in enumerate(self._scorers):
            for j, C in enumerate(self._Cs):
                self._set(i, j, scorer(C))
                stopped = tell()
                last = self.scores[i, max(j - _RISES, 0) : j + 1]
                if stopped or (len(last) > _RISES and np.all(last[1:] < last[:-1])):
                    break
            self._refine(i, scorer)
            if stopped:
                break

    def _set(self, i, j, values):
        self.row_scores[i, j] = values
        self.scores[i, j], self.errors[i, j] = self._mean(values)

    def _refine(self, i, scorer):
        """Exact refits for the best C, until the best is one that has them."""
        refined = set()
        while (j := self.best_of(i)) not in refined:
            values = scorer.exact(self._Cs[j])
            if values is None:
                break
            refined.add(j)
            self._set(i, j, values)

    def _mean(self, values):
        known = np.isfinite(values) | np.isinf(values)
        lots = None if self._lots is None else self._lots[known]
        estimate = mean_with_error(values[known], self._weight[known], lots)
        return estimate.value, estimate.std_err

    def best_of(self, i):
        """Index of the best C of a candidate."""
        return int(np.argmax(np.nan_to_num(self.scores[i], nan=-np.inf, neginf=-np.inf)))

    def gain(self, i):
        """By how much a candidate is better than the first at their best C, and its error."""
        own, first = (self.row_scores[k, self.best_of(k)] for k in (i, 0))
        with np.errstate(invalid="ignore"):  # a row that is impossible for both decides nothing
            return self._mean(own - first)

    def _clearly_better(self, i):
        gain, error = self.gain(i)
        return gain > error or gain == np.inf

    def choose(self, rule):
        """The candidate and the index of its C.

        Parameters
        ----------
        rule : {"one_se", "best"}
        """
        tried = [i for i in range(len(self._scorers)) if not np.isnan(self.scores[i]).all()]
        if rule == "one_se":
            gains = {i: self.gain(i) for i in tried[1:]}
            tried = [
                0,
                *(i for i, (gain, error) in gains.items() if gain > error or gain == np.inf),
            ]
        chosen = max(tried, key=lambda i: self.scores[i, self.best_of(i)])
        return chosen, self.best_of(chosen)
