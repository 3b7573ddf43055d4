"""Classifiers beside each other on the same folds."""

import platform
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn

from .._version import __version__
from ._costs import (
    cheapest,
    correct_prevalence,
    prevalence_weights,
    trivial_policies,
)
from ._stats import corrected_paired_ttest, holm, mean_interval, parts_needed, wilson
from ._texts import load as load_texts

_ROUNDING = 1e-12  # of a mean
_FEWEST_FOLDS = 5  # in all: the spread of fewer differences is too often zero
PER = 1000  # parts that a cost is given for


def log_loss(proba, codes):
    """-log of the true class's probability, which counts as 2e-16 if it is smaller."""
    own = np.take_along_axis(proba, codes[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(own, np.finfo(proba.dtype).eps))


def brier(proba, codes):
    """Squared distance to the truth: summed over the classes, halved if there are two."""
    squares = ((proba - np.eye(proba.shape[1])[codes]) ** 2).sum(axis=1)
    return squares / (2 if proba.shape[1] == 2 else 1)


def accuracy(proba, codes):
    """Whether the most probable class is the true one."""
    return (proba.argmax(axis=1) == codes).astype(float)


# Name -> (value of each row, +1 if larger is better and -1 if smaller is). The cost comes first.
METRICS = {"log_loss": (log_loss, -1), "brier": (brier, -1), "accuracy": (accuracy, 1)}
SIGNS = {"cost": -1, **{name: sign for name, (_, sign) in METRICS.items()}}


@dataclass
class Comparison:
    """Result of :func:`compare_classifiers`.

    Attributes
    ----------
    pairs : list of (str, str)
        Names of candidate and baseline of each comparison.
    y : ndarray of shape (n_samples,)
        Labels.
    predictions_ : dict of str to OutOfFold
        The out-of-fold probabilities of each estimator.
    cost_matrix : DataFrame of shape (n_classes, n_decisions)
        Cost of each decision (columns) for each class (rows).
    good : label or None
        The class of parts without a defect.
    prevalence : Series of shape (n_classes,) or None
        Shares of the classes on the line, if they are not those of the study.
    groups : ndarray of shape (n_samples,) or None
        Lots.
    rope : dict of str to float
        Half-width of the differences that do not matter, by metric.
    confidence : float
        Of all intervals and verdicts.
    random_state : int
        Seed of the folds.
    """

    pairs: list
    y: np.ndarray
    predictions_: dict
    cost_matrix: pd.DataFrame
    good: object = None
    prevalence: pd.Series | None = None
    groups: np.ndarray | None = None
    rope: dict | None = None
    confidence: float = 0.95
    random_state: int = 0

    def __post_init__(self):
        first = next(iter(self.predictions_.values()))
        self.classes = first.classes
        self.codes = np.searchsorted(self.classes, self.y)
        self.weight = np.ones(len(self.y))
        if self.prevalence is not None:
            self.weight = prevalence_weights(self.y, self.prevalence)

    def proba(self, name):
        """Out-of-fold probabilities (n_repeats, n_samples, K) of an estimator, on the line."""
        proba = self.predictions_[name].proba
        if self.prevalence is None:
            return proba
        study = np.bincount(self.codes) / len(self.codes)
        return np.stack(
            [correct_prevalence(p, self.prevalence, study, classes=self.classes) for p in proba]
        )

    def decisions(self, name):
        """Columns of the cost matrix that an estimator decides for: (n_repeats, n_samples)."""
        return np.stack([cheapest(p, self.cost_matrix) for p in self.proba(name)])

    def costs(self, name):
        """What the decision on each row costs, per 1000 parts: (n_repeats, n_samples)."""
        return PER * self.cost_matrix.to_numpy()[self.codes, self.decisions(name)]

    def values(self, name):
        """Each metric of each row: {metric: (n_repeats, n_samples)}, the cost per 1000 parts."""
        proba = self.proba(name)
        return {
            "cost": self.costs(name),
            **{m: np.stack([f(p, self.codes) for p in proba]) for m, (f, _) in METRICS.items()},
        }

    @property
    def scores_(self):
        """One row per estimator, repeat and fold: the metrics, and fit_seconds."""
        return self._fold_means(self.values)

    def _fold_means(self, values_of):
        """One row per estimator, repeat and fold: means of what is given of each row."""
        rows = []
        for name, out in self.predictions_.items():
            values = values_of(name)
            for repeat, fold in np.ndindex(out.fit_seconds.shape):
                tested = out.fold[repeat] == fold
                means = {
                    m: np.average(v[repeat, tested], weights=self._weight_of(tested))
                    for m, v in values.items()
                }
                seconds = out.fit_seconds[repeat, fold]
                rows.append(
                    {"estimator": name, "repeat": repeat, "fold": fold, **means}
                    | {"fit_seconds": seconds}
                )
        return pd.DataFrame(rows).set_index(["estimator", "repeat", "fold"])

    def _weight_of(self, rows):
        weight = self.weight[rows]
        # A fold may hold only classes that do not occur on the line.
        return weight if weight.any() else np.ones(len(weight))

    @property
    def kpis_(self):
        """Each metric of each estimator with its interval, and the cost of trivial policies.

        Means over all parts and repeats; the intervals (``..._low``, ``..._high``) are as wide as
        those of one repeat's predictions: Wilson's for shares, Wald's otherwise, by lot where
        there are lots.
        """
        table = {}
        for name, out in self.predictions_.items():
            row = {}
            for metric, values in self.values(name).items():
                row[metric] = np.average(values.mean(axis=0), weights=self.weight)
                low, high = self._interval(metric, values)
                row[f"{metric}_low"], row[f"{metric}_high"] = low, high
            table[name] = row | {"fit_seconds": out.fit_seconds.mean()}
        policies = trivial_policies(
            self.y, self.cost_matrix, sample_weight=self.weight, good=self.good
        )
        for policy in policies.itertuples():
            decision = f": {policy.decision}" if policy.decision is not None else ""
            table[f"({policy.policy}{decision})"] = {"cost": PER * policy.mean_cost}
        return pd.DataFrame.from_dict(table, orient="index").rename_axis("estimator")

    def _interval(self, metric, values):
        """As wide as that of one repeat, around the mean of all."""
        if metric == "accuracy" and self.groups is None and self.prevalence is None:
            return wilson(values.mean(), len(self.y), self.confidence)
        mean, low, high = mean_interval(values[0], self.weight, self.groups, self.confidence)
        shift = np.average(values.mean(axis=0), weights=self.weight) - mean
        return low + shift, high + shift

    @property
    def table_(self):
        """One row for each pair and metric: the difference, how sure it is, and a verdict.

        The difference is candidate less baseline, in the metric's own direction; standard
        error, interval and p-value are Nadeau and Bengio's. ``p_holm`` allows for all the pairs.
        ``prob_better`` is the posterior probability that the candidate is the better one by more
        than the rope, whichever direction that is, ``prob_equivalent`` that it is within the
        rope. ``parts_needed`` would settle a true difference of this size (power 80 %). With fewer
        than five folds in all every verdict is "inconclusive".
        """
        return self.differences(self.scores_)

    def differences(self, scores):
        """What :attr:`table_` is, from other scores of the same folds."""
        by_name = {name: part.droplevel(0) for name, part in scores.groupby(level="estimator")}
        rows = []
        for metric in [metric for metric in SIGNS if metric in scores]:
            tests = [
                self._row(metric, candidate, baseline, by_name)
                for candidate, baseline in self.pairs
            ]
            for row, p_holm in zip(tests, holm([row["p_value"] for row in tests]), strict=True):
                rows.append(row | {"p_holm": p_holm})
        table = pd.DataFrame(rows)
        table["verdict"] = [self._verdict(row) for row in table.itertuples()]
        order = {pair: k for k, pair in enumerate(self.pairs)}
        place = [order[pair] for pair in zip(table["candidate"], table["baseline"], strict=True)]
        table = table.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
        columns = list(table.columns)
        columns.insert(columns.index("p_value") + 1, columns.pop(columns.index("p_holm")))
        table = table[columns]
        table.attrs = self.settings
        return table

    def _row(self, metric, candidate, baseline, by_name):
        sign, rope = SIGNS[metric], (self.rope or {}).get(metric)
        # Folds count by the weight that they test: their mean is that over the parts.
        share = self._fold_shares()
        new, old = (share * by_name[name][metric].to_numpy() for name in (candidate, baseline))
        # Equal models differ by rounding.
        gain = np.where(
            np.abs(new - old) > _ROUNDING * np.maximum(abs(new), abs(old)), new - old, 0
        )
        test = corrected_paired_ttest(
            sign * gain,
            test_train_ratio=self._test_train_ratio,
            rope=rope,
            confidence=self.confidence,
        )
        low, high = sorted((sign * test.ci_low, sign * test.ci_high))
        return {
            "candidate": candidate,
            "baseline": baseline,
            "metric": metric,
            "candidate_mean": new.mean(),
            "baseline_mean": old.mean(),
            "difference": sign * test.mean + 0.0,
            "se": test.se,
            "df": test.df,
            "ci_low": low + 0.0,
            "ci_high": high + 0.0,
            "p_value": test.p_value,
            "prob_better": test.prob_better,
            "prob_equivalent": test.prob_equivalent,
            # As sure as Holm's correction asks the first of the pairs to be.
            "parts_needed": parts_needed(
                test.mean,
                test.se,
                len(self.y),
                df=test.df,
                confidence=1 - (1 - self.confidence) / len(self.pairs),
            ),
        }

    def _verdict(self, row):
        if row.prob_equivalent >= self.confidence and row.df + 1 >= _FEWEST_FOLDS:
            return "equivalent"
        if row.p_holm > 1 - self.confidence or row.difference == 0 or row.df + 1 < _FEWEST_FOLDS:
            return "inconclusive"
        return "better" if SIGNS[row.metric] * row.difference > 0 else "worse"

    def _fold_shares(self):
        """Weight tested in each fold of each repeat, over its mean."""
        fold = next(iter(self.predictions_.values())).fold
        tested = np.stack([np.bincount(row, self.weight) for row in fold])
        return (tested / tested.mean()).ravel()

    @property
    def _test_train_ratio(self):
        fold = next(iter(self.predictions_.values())).fold
        tested = np.stack([np.bincount(row) for row in fold])
        return float(np.mean(tested / (len(self.y) - tested)))

    @property
    def settings(self):
        """How the comparison was made, in plain Python types."""
        repeats, folds = next(iter(self.predictions_.values())).fit_seconds.shape
        return {
            "parts": len(self.y),
            "classes": [str(label) for label in self.classes],
            "repeats": repeats,
            "folds": folds,
            "groups": None if self.groups is None else len(np.unique(self.groups)),
            "seed": self.random_state,
            "cost_matrix": self.cost_matrix.rename(index=str, columns=str).to_dict("index"),
            "prevalence": None
            if self.prevalence is None
            else {str(label): float(share) for label, share in self.prevalence.items()},
            "rope": dict(self.rope or {}),
            "confidence": self.confidence,
            "versions": {
                "skperturb": __version__,
                "scikit-learn": sklearn.__version__,
                "python": platform.python_version(),
            },
        }

    def confusion(self, name):
        """Decisions (columns) for each class (rows) per 1000 parts, mean over the repeats."""
        decided = self.decisions(name)
        table = np.zeros(self.cost_matrix.shape)
        for repeat in decided:
            np.add.at(table, (self.codes, repeat), self.weight)
        table *= PER / (len(decided) * self.weight.sum())
        return pd.DataFrame(table, self.cost_matrix.index, self.cost_matrix.columns)

    def plot_differences(self, lang="en"):
        """Figure of the differences with their intervals, a panel for each metric."""
        return self._plot("plot_differences", lang)

    def plot_confusion(self, name, lang="en"):
        """Figure of the decisions for each class per 1000 parts, and of what they cost."""
        return self._plot("plot_confusion", lang, name)

    def plot_reliability(self, names=None, lang="en"):
        """Figure of observed shares against predicted ones, by class."""
        return self._plot("plot_reliability", lang, list(names or self.predictions_))

    def plot_sensitivity(self, lang="en"):
        """Figure of the difference in cost if errors on defective parts cost more, or less."""
        return self._plot("plot_sensitivity", lang)

    def _plot(self, function, lang, *arguments):
        from . import _plots as plots  # needs the extra "report"

        return getattr(plots, function)(self, *arguments, load_texts(lang))

    def to_html(self, path=None, *, lang="en", title=None):
        """The comparison as one self-contained HTML page.

        Parameters
        ----------
        path : str or path, default=None
            File to write; None to return the page only.
        lang : {"en", "ja"}, default="en"
        title : str, default=None

        Returns
        -------
        str
            The page.

        Raises
        ------
        ImportError
            Without matplotlib and jinja2: install ``skperturb[report]``.
        """
        from ._report import report_html

        page = report_html(self, lang=lang, title=title)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def _repr_html_(self):
        columns = ["candidate", "baseline", "metric", "difference", "ci_low", "ci_high", "verdict"]
        return self.table_[columns].to_html(index=False)

    def sensitivity(self, factors=(0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)):
        """The verdict on cost if the errors on defective parts cost more, or less.

        Parameters
        ----------
        factors : sequence of float
            Each multiplies the rows of the cost matrix of all classes but the good one.

        Returns
        -------
        DataFrame
            The rows of :attr:`table_` for the cost, with the factor in front.

        Raises
        ------
        ValueError
            If it is not known which class is the good one.
        """
        if self.good is None:
            raise ValueError("Say which class is that of good parts (good=...).")
        rows = []
        for factor in factors:
            costs = self.cost_matrix.copy().astype(float)
            costs.loc[costs.index != self.good] *= factor
            other = replace(self, cost_matrix=costs)
            scores = other._fold_means(lambda name, other=other: {"cost": other.costs(name)})
            table = other.differences(scores)
            rows.append(table.assign(factor=factor))
        table = pd.concat(rows, ignore_index=True)
        return table[["factor", *table.columns.drop("factor")]]
