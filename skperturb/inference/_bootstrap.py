"""How the coefficients vary from sample to sample: refits to samples with replacement."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._data import (
    check_features,
    codes_of,
    fit_weights,
    proba_of_classes,
    row_weights,
    soft_weights,
)
from .._linear import all_rows, are_whole, fit_objective, make_objective, rows_of
from .._results import Record, Table
from .._warnings import warn_user
from ._fit_data import (
    CHOOSE,
    FREQUENCY,
    SAMPLING,
    Fit,
    check_same_data,
    check_trusting,
    check_unchanged,
)
from ._labels import coefficients_of

_TRIES = 1000  # draws until a sample has two classes
_MANY = 0.01  # share of refits with a problem that is worth a warning


@dataclass(frozen=True)
class BootstrapResult(Record):
    """Result of ``bootstrap``: read it with ``print``, or :meth:`to_dict`.

    Attributes
    ----------
    samples : pandas.DataFrame
        One row for each refit, one column (class, feature) for each coefficient.
    coef : pandas.Series
        The coefficients of the fit itself.
    unit : str
        What was drawn: "rows" or "lots".
    n_problems : int
        Number of refits that did not converge, or whose classes were separated.
    """

    samples: pd.DataFrame
    coef: pd.Series
    unit: str
    n_problems: int

    def _lines(self):
        return [
            ("refits", str(len(self.samples))),
            ("drawn", self.unit),
            ("problems", str(self.n_problems)),
        ]

    def __str__(self):
        return f"{super().__str__()}\n\n{self.summary()}"

    def _repr_html_(self):
        return super()._repr_html_() + self.summary()._repr_html_()

    def summary(self, confidence: float = 0.95) -> pd.DataFrame:
        """Coefficients with standard errors and percentile intervals.

        Parameters
        ----------
        confidence : float, default=0.95
            Level of the intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            The columns class, feature, coef, bias (mean of the refits less the coefficient),
            std_err, ci_low and ci_high.

        Raises
        ------
        ValueError
            If the level does not lie between 0 and 1.
        """
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}.")
        tails = (1 - confidence) / 2, (1 + confidence) / 2
        low, high = np.quantile(self.samples.to_numpy(), tails, axis=0)
        coef = self.coef.to_numpy()
        return Table(
            {
                "class": self.coef.index.get_level_values(0),
                "feature": self.coef.index.get_level_values(1),
                "coef": coef,
                "bias": self.samples.to_numpy().mean(axis=0) - coef,
                "std_err": self.samples.to_numpy().std(axis=0, ddof=1),
                "ci_low": low,
                "ci_high": high,
            }
        )


def bootstrap(clf, X, y, sample_weight, n_bootstrap, groups, weights, random_state, n_jobs):
    """See :meth:`PredictionInference.bootstrap`."""
    check_is_fitted(clf)
    check_unchanged(clf)
    clf._fit_record.check_no_class_is_absent()
    check_trusting(clf)
    if weights not in (None, FREQUENCY, SAMPLING):
        raise ValueError(f"weights must be 'frequency', 'sampling' or None, got {weights!r}.")
    if n_bootstrap < 2:
        raise ValueError(f"n_bootstrap must be 2 at least, got {n_bootstrap}.")
    soft = clf._fit_record.soft
    if soft:
        X = check_features(clf, X)
        labels = proba_of_classes(y, X, clf.classes_)
    else:
        X, y = check_features(clf, X, y)
        labels = codes_of(y, clf.classes_)
    refit = _Refit(clone(clf).get_params(deep=False), clf.model_, clf.classes_, X, labels)
    weight = row_weights(sample_weight, X)
    if weights is None and not are_whole(weight):
        raise ValueError(CHOOSE)
    whole = refit.objective(weight)
    check_same_data(clf, whole)
    draws = _Draws(weight, groups, frequency=weights != SAMPLING)
    coefficients = coefficients_of(Fit(clf, whole, FREQUENCY))
    start = all_rows(clf)

    def one(seed):
        rng = np.random.default_rng(seed)
        for _ in range(_TRIES):
            drawn = draws.weight(rng)
            if refit.n_classes(drawn) > 1:
                return refit.coefficients(drawn, start)
        raise ValueError("Samples of these rows have one class only: there is nothing to refit.")

    seeds = np.random.SeedSequence(random_state).spawn(n_bootstrap)
    results = Parallel(n_jobs=n_jobs)(delayed(one)(seed) for seed in seeds)
    n_problems = sum(bool(problem) for _, problem in results)
    if n_problems > _MANY * n_bootstrap:
        warn_user(
            f"{n_problems} of {n_bootstrap} refits did not converge, or their classes were "
            "separated, so that the intervals are wider than can be computed: use a penalty "
            "(finite C) or bias_reduction=True.",
            UserWarning,
        )
    index = coefficients.index
    samples = np.array([free for free, _ in results]) @ coefficients.matrix.T
    coef = pd.Series(coefficients.matrix @ whole.free(*start), index=index, name="coef")
    unit = "rows" if groups is None else "lots"
    return BootstrapResult(pd.DataFrame(samples, columns=index), coef, unit, n_problems)


class _Refit:
    """The fit of a classifier to the same rows with other weights."""

    def __init__(self, params, model, classes, X, labels):
        self._params, self._model, self._classes = params, model, classes
        # About one center for all samples, so that their free parameters mean the same.
        self._X, self._labels = rows_of(X, params["fit_intercept"]), labels

    def objective(self, weight):
        params, X, classes, labels = self._params, self._X, self._classes, self._labels
        if labels.ndim == 2:
            labels, weight = soft_weights(params, weight, X, classes, labels)
        else:
            weight = fit_weights(params, weight, X, classes[labels], classes, labels)
        return make_objective(params, self._model, classes, X, labels, weight)

    def n_classes(self, weight):
        """How many classes have a weight."""
        if self._labels.ndim == 2:
            return np.count_nonzero(weight @ self._labels)
        return len(np.unique(self._labels[weight > 0]))

    def coefficients(self, weight, start):
        """Free parameters, and what went wrong, or None."""
        solution = fit_objective(self.objective(weight), self._params, start)
        return solution.x, solution.problem


class _Draws:
    """Weights of samples with replacement of the rows, or of the lots.

    Frequencies are numbers of equal rows, each of which is drawn by itself.
    """

    def __init__(self, weight, groups, frequency):
        self._weight, self._frequency = weight, frequency
        self._lots = None
        if groups is not None:
            groups = np.asarray(groups)
            if groups.shape != weight.shape:
                raise ValueError(
                    f"groups must give the lot of each of the {len(weight)} rows, got an array of "
                    f"shape {groups.shape}."
                )
            self._lots, labels = pd.factorize(groups)
            if (self._lots < 0).any() or len(labels) < 2:
                raise ValueError("groups must name two lots or more, and one for each row.")

    def weight(self, rng):
        """The weights of one sample (n_samples,)."""
        if self._lots is not None:
            n_lots = self._lots.max() + 1
            return (
                self._weight
                * np.bincount(rng.integers(n_lots, size=n_lots), minlength=n_lots)[self._lots]
            )
        if self._frequency:
            total = self._weight.sum()
            return rng.multinomial(round(total), self._weight / total).astype(float)
        counted = np.flatnonzero(self._weight)
        drawn = rng.choice(counted, size=len(counted))
        return self._weight * np.bincount(drawn, minlength=len(self._weight))
