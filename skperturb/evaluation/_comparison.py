"""The result of a comparison of classifiers on the same folds."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn

from .._version import __version__
from ._costs import cheapest_columns, correct_prevalence
from ._cross_validation import OutOfFold
from ._deprecation import warn_old
from ._labels import codes_of
from ._resampling import Resampling, resampling
from ._scores import METRICS
from ._shown import Shown
from ._suspects import suspects_of
from ._tables import PER, TODAY, difference_table, fold_means, key_figures, policy_table
from ._texts import load as load_texts
from ._verdict import Conclusion, Size, conclude
from ._words import conclusion_sentences

# Multipliers of the costs of errors on defective parts that the sensitivity shows.
FACTORS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


def _old_name(name):
    """The property of the last release, which had an underscore at its end."""

    def old(self: Any) -> Any:
        warn_old(f"Comparison.{name}_", f"Comparison.{name}")
        return getattr(self, name)

    return property(old, doc=f"Old name of :attr:`{name}`, which is deprecated.")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """Result of :func:`compare_classifiers`.

    The short form says which classifiers were compared and the verdicts on the cost; ``str()``
    and ``print`` show the tables as text.

    Attributes
    ----------
    pairs : list of (str, str)
        Names of the candidate and the baseline of each comparison.
    y : ndarray of shape (n_samples,)
        True classes.
    predictions : dict of str to OutOfFold
        The out-of-fold probabilities of each estimator.
    cost_matrix : DataFrame of shape (n_classes, n_decisions)
        Cost of each decision (columns) for each class (rows), per part.
    good : label or None
        The class of the parts without a defect, if it is known.
    prevalence : Series of shape (n_classes,) or None
        Shares of the classes on the production line, if they are not those of the study.
    groups : ndarray of shape (n_samples,) or None
        Lot of each part, if there are lots.
    rope : dict of str to float
        Half-width of the differences that do not matter, by metric.
    confidence : float
        Confidence of all intervals and verdicts.
    random_state : int
        Seed of the folds.
    metric : str
        The metric that decides.
    test : {"corrected", "per_part"}
        The test of the differences.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each part, if they differ.
    today : ndarray of shape (n_samples,) or None
        The decision that was made on each part, if it is known.
    floors : tuple of str
        Names of the classifiers that look at no feature, which are no part of Holm's family.
    difference : float or None
        Difference for which the number of parts is given; None for the observed ones.
    n_before : int
        Number of the first parts in time, which are only trained on and are not among the
        others; 0 if the folds are not forward in time.
    repeats_asked : int or None
        Number of repeats that were asked for; a few lots may have fewer divisions.
    rows : ndarray of int or None
        Number of each tested part among all that were given; None if all are tested.
    """

    pairs: list[tuple[str, str]]
    y: npt.NDArray[Any]
    predictions: dict[str, OutOfFold]
    cost_matrix: pd.DataFrame
    good: Any = None
    prevalence: pd.Series | None = None
    groups: npt.NDArray[Any] | None = None
    rope: dict[str, float] | None = None
    confidence: float = 0.95
    random_state: int = 0
    metric: str = "cost"
    test: str = "corrected"
    sample_weight: npt.NDArray[np.float64] | None = None
    today: npt.NDArray[Any] | None = None
    floors: tuple[str, ...] = ()
    difference: float | None = None
    n_before: int = 0
    repeats_asked: int | None = None
    rows: npt.NDArray[np.intp] | None = None

    scores_ = _old_name("scores")
    kpis_ = _old_name("kpis")
    table_ = _old_name("table")
    predictions_ = _old_name("predictions")

    @property
    def classes(self) -> npt.NDArray[Any]:
        """Labels of the classes, sorted."""
        return self._first.classes

    @property
    def _first(self):
        """Predictions of one estimator: the folds are the same for all."""
        return next(iter(self.predictions.values()))

    @cached_property
    def codes(self) -> npt.NDArray[np.intp]:
        """Position of each label among the classes."""
        return np.searchsorted(self.classes, self.y)

    @cached_property
    def weight(self) -> npt.NDArray[np.float64]:
        """Weight of each part; its class has the share of the line, if that is known."""
        if self.prevalence is None:
            return self._given_weight
        ratio = np.divide(
            self.prevalence.to_numpy(),
            self._study,
            out=np.zeros(len(self._study)),
            where=self._study > 0,
        )
        return self._given_weight * ratio[self.codes]

    @property
    def _given_weight(self):
        return np.ones(len(self.y)) if self.sample_weight is None else self.sample_weight

    @property
    def _study(self):
        """Share of each class in the study, by the weights of the parts."""
        weight = self._given_weight
        return np.bincount(self.codes, weight, len(self.classes)) / weight.sum()

    @cached_property
    def resampling(self) -> Resampling:
        """The different test sets of the folds, which the corrected test takes."""
        first, forward = self._first, self.n_before > 0
        return resampling(first.fold, first.n_train, self.weight, self.n_lots, forward=forward)

    @property
    def n_lots(self) -> int | None:
        """Number of lots, or None if the parts are independent."""
        return None if self.groups is None else len(np.unique(self.groups))

    @property
    def n_units(self) -> Size:
        """Number of parts, and of lots, or of parts again if there are no lots."""
        return Size(len(self.y), self.n_lots or len(self.y))

    @property
    def models(self) -> list[str]:
        """Names of the classifiers that look at the features; all of them if none does."""
        return [name for name in self.predictions if name not in self.floors] or list(
            self.predictions
        )

    @property
    def families(self) -> list[list[int]]:
        """Numbers of the pairs that Holm's correction takes together; floors are apart."""
        apart = [bool({*pair} & {*self.floors}) for pair in self.pairs]
        families = [[k for k, is_floor in enumerate(apart) if is_floor == one] for one in (0, 1)]
        return [family for family in families if family]

    @property
    def predictions_shape(self) -> tuple[int, int]:
        """Number of repeats and of parts."""
        return self._first.fold.shape

    @property
    def costs_today(self) -> npt.NDArray[np.float64]:
        """Cost per 1000 parts of the decision that was made on each part."""
        columns = self.cost_matrix.columns
        return PER * self.cost_matrix.to_numpy()[self.codes, codes_of(self.today, columns, "today")]

    @cached_property
    def cheapest_policy(self) -> tuple[str, npt.NDArray[np.float64]]:
        """The cheapest policy without a model, as in the key figures, and its cost by part."""
        costs = PER * self.cost_matrix.to_numpy()[self.codes]
        best = int(np.average(costs, axis=0, weights=self.weight).argmin())
        # "Pass all" comes first among the rows if it is the same decision.
        decision = self.cost_matrix.columns[best]
        names = f"(pass all: {decision})", f"(best constant: {decision})"
        name = next(name for name in names if name in self._kpis.index)
        known = self._kpis["cost"]
        if self.today is not None and known[TODAY] < known[name]:
            return TODAY, self.costs_today
        return name, costs[:, best]

    def suspects(self) -> pd.DataFrame:
        """List the tested rows, those whose label most deserves a second look first.

        Returns
        -------
        DataFrame
            row, label, suggested and proba_of_label, as of ``suspect_labels``, by the
            out-of-fold probabilities of the classifier with the least log loss.
        """
        return suspects_of(self)

    def proba(self, name: str) -> npt.NDArray[np.float64]:
        """Return out-of-fold probabilities, converted to the shares of the line.

        Parameters
        ----------
        name : str
            Name of the estimator.

        Returns
        -------
        ndarray of shape (n_repeats, n_samples, n_classes)
            Probabilities from the models that did not see the row.
        """
        proba = self.predictions[name].proba
        if self.prevalence is None:
            return proba
        line, study = self.prevalence, self._study
        return np.stack([correct_prevalence(p, line, study, classes=self.classes) for p in proba])

    def decisions(self, name: str) -> npt.NDArray[np.intp]:
        """Return the decisions of least expected cost.

        Parameters
        ----------
        name : str
            Name of the estimator.

        Returns
        -------
        ndarray of shape (n_repeats, n_samples)
            Positions of columns of the cost matrix.
        """
        return np.stack([cheapest_columns(p, self.cost_matrix) for p in self.proba(name)])

    def costs(self, name: str) -> npt.NDArray[np.float64]:
        """Return the cost of the decision on each row.

        Parameters
        ----------
        name : str
            Name of the estimator.

        Returns
        -------
        ndarray of shape (n_repeats, n_samples)
            Costs per 1000 parts, in the unit of the cost matrix.
        """
        return PER * self.cost_matrix.to_numpy()[self.codes, self.decisions(name)]

    def values(self, name: str) -> dict[str, npt.NDArray[np.float64]]:
        """Return every metric of every row.

        Parameters
        ----------
        name : str
            Name of the estimator.

        Returns
        -------
        dict of str to ndarray of shape (n_repeats, n_samples)
            Values by metric; the cost is per 1000 parts.
        """
        proba = self.proba(name)
        return {
            "cost": self.costs(name),
            **{m: np.stack([f(p, self.codes) for p in proba]) for m, (f, _) in METRICS.items()},
        }

    @cached_property
    def _values(self):
        """Values of every estimator, from which all tables come."""
        return {name: self.values(name) for name in self.predictions}

    @cached_property
    def _scores(self):
        return fold_means(self, self._values)

    @cached_property
    def _kpis(self):
        return key_figures(self, self._values)

    @cached_property
    def _table(self):
        return difference_table(self, self._scores, self._values)

    @cached_property
    def _policies(self):
        return policy_table(self, self._values) if self.metric == "cost" else None

    # The tables are computed once. Whoever changes one changes a copy.

    @property
    def scores(self) -> pd.DataFrame:
        """Means of every metric, and seconds of the fit, for each estimator, repeat and fold."""
        return self._scores.copy()

    @property
    def kpis(self) -> pd.DataFrame:
        """Every metric of each estimator with its interval, and the cost of trivial policies.

        These are means over all parts and repeats. The intervals (``..._low``, ``..._high``) are
        as wide as those of one repeat: :func:`cost_interval`'s for costs, Wilson's or the same
        for shares, Wald's for scores. ``dear_mistakes`` is explained at :class:`CostInterval`.
        """
        return self._kpis.copy()

    @property
    def policies(self) -> pd.DataFrame | None:
        """Each model's cost less that of the cheapest policy without a model.

        The policies are to pass all parts, the best constant decision, and the decisions of today.
        The columns are those of :attr:`table`; Holm's correction takes the models together. None
        if another metric than the cost decides.
        """
        return None if self._policies is None else self._policies.copy()

    @cached_property
    def conclusion(self) -> Conclusion:
        """What to do: use a model, keep the baseline, or use neither.

        Neither is to be used if no model's cost is below that of the cheapest policy without a
        model. Otherwise the candidate is to be used if it is better than the baseline, and the
        baseline is kept if that is not shown. If several models are better than the baseline, the
        best of them is to be used; one candidate has to be better than every baseline.
        """
        found = conclude(self._table, self._policies, self._kpis, self.metric, self.floors)
        sentences = conclusion_sentences(self, found, load_texts("en"))
        return replace(found, sentences=tuple(sentences))

    @property
    def table(self) -> pd.DataFrame:
        """One row for each pair and metric: the difference, how sure it is, and a verdict.

        The difference is candidate less baseline, in the metric's own direction, as a mean over
        the different test sets. Standard error, interval and p-value are Nadeau and Bengio's.
        ``prob_better`` is the posterior probability that the candidate is better by more than the
        rope, ``prob_equivalent`` that the difference lies within the rope, and ``p_value`` is that
        of a difference within the rope. The verdict of the metric that decides is "better" or
        "worse" if its probability reaches ``prob_needed``, which allows for the number of pairs
        (as ``p_holm`` does); then the interval, whose level is ``ci_confidence``, lies beyond the
        rope. It is "equivalent" if ``prob_equivalent``, adjusted alike, reaches the confidence.
        The other metrics have an empty verdict. With fewer than five different test sets, or five
        lots, every verdict is "inconclusive".

        To find a true difference of this size with a power of 80 % would take ``parts_needed``
        parts. That number is uncertain: between ``needed_low`` and ``needed_high`` parts (lots, if
        there are lots) suffice with probabilities of 10 and 90 %.
        """
        return self._table.copy()

    def differences(self, scores: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of :attr:`table` for other scores of the same folds.

        Parameters
        ----------
        scores : DataFrame
            Scores of all estimators, as in :attr:`scores`; metrics may be missing.

        Returns
        -------
        DataFrame
            One row for each pair and metric.

        Raises
        ------
        ValueError
            If the test is that of single parts.
        """
        if self.test != "corrected":
            raise ValueError(
                "Scores by fold need the corrected test: compare with test='corrected'."
            )
        return difference_table(self, scores)

    @property
    def settings(self) -> dict[str, Any]:
        """How the comparison was made, in plain Python types."""
        repeats, folds = self._first.fit_seconds.shape
        return {
            "parts": len(self.y),
            "parts_before": self.n_before,
            "classes": [str(label) for label in self.classes],
            "repeats": repeats,
            "folds": folds,
            "groups": self.n_lots,
            "test_sets": len(self.resampling.share),
            "seed": self.random_state,
            "cost_matrix": self.cost_matrix.rename(index=str, columns=str).to_dict("index"),
            "prevalence": None
            if self.prevalence is None
            else {str(label): float(share) for label, share in self.prevalence.items()},
            "rope": dict(self.rope or {}),
            "confidence": self.confidence,
            "metric": self.metric,
            "test": self.test,
            "weighted": self.sample_weight is not None,
            "today": self.today is not None,
            "floors": list(self.floors),
            "versions": {
                "skperturb": __version__,
                "scikit-learn": sklearn.__version__,
                "python": platform.python_version(),
            },
        }

    def confusion(self, name: str) -> pd.DataFrame:
        """Count the decisions for each class, per 1000 parts.

        Parameters
        ----------
        name : str
            Name of the estimator.

        Returns
        -------
        DataFrame of shape (n_classes, n_decisions)
            Mean over the repeats; classes are rows, decisions are columns.
        """
        decided = self.decisions(name)
        table = np.zeros(self.cost_matrix.shape)
        for repeat in decided:
            np.add.at(table, (self.codes, repeat), self.weight)
        table *= PER / (len(decided) * self.weight.sum())
        return pd.DataFrame(table, self.cost_matrix.index, self.cost_matrix.columns)

    def sensitivity(self, factors: Sequence[float] = FACTORS) -> pd.DataFrame:
        """Compute the verdict on cost if the errors on defective parts cost more, or less.

        Parameters
        ----------
        factors : sequence of float
            Each factor multiplies the rows of the cost matrix of all classes but the good one.

        Returns
        -------
        DataFrame
            The rows of :attr:`table` for the cost, with the factor in the first column.

        Raises
        ------
        ValueError
            If it is not known which class is the good one.
        """
        if self.good is None:
            raise ValueError(
                "The sensitivity needs the class of good parts: pass good= to compare_classifiers."
            )
        rows = []
        for factor in factors:
            costs = self.cost_matrix.copy().astype(float)
            costs.loc[costs.index != self.good] *= factor
            other = replace(self, cost_matrix=costs)
            costs_of = {name: {"cost": other.costs(name)} for name in self.predictions}
            table = difference_table(other, fold_means(other, costs_of), costs_of)
            rows.append(table.assign(factor=factor))
        table = pd.concat(rows, ignore_index=True)
        return table[["factor", *table.columns.drop("factor")]]
