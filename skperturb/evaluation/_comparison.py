"""The result of a comparison of classifiers on the same folds."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn

from .._version import __version__
from ._costs import cheapest_columns, correct_prevalence, prevalence_weights
from ._cross_validation import OutOfFold
from ._deprecation import warn_old
from ._scores import METRICS
from ._tables import PER, difference_table, fold_means, key_figures
from ._text import comparison_text
from ._texts import load as load_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 79  # characters of a line of the short form
# Multipliers of the costs of errors on defective parts that the sensitivity shows.
FACTORS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


def _old_name(name):
    """The property of the last release, which had an underscore at its end."""

    def old(self: Any) -> Any:
        warn_old(f"Comparison.{name}_", f"Comparison.{name}")
        return getattr(self, name)

    return property(old, doc=f"Old name of :attr:`{name}`, which is deprecated.")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
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
        """Weight of each part: the line's share of its class over that of the study."""
        if self.prevalence is None:
            return np.ones(len(self.y))
        return prevalence_weights(self.y, self.prevalence)

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
        study = np.bincount(self.codes) / len(self.codes)
        return np.stack(
            [correct_prevalence(p, self.prevalence, study, classes=self.classes) for p in proba]
        )

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
        return difference_table(self, self._scores)

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
    def table(self) -> pd.DataFrame:
        """One row for each pair and metric: the difference, how sure it is, and a verdict.

        The difference is candidate less baseline, in the metric's own direction. Standard
        error, interval and p-value are Nadeau and Bengio's; ``p_holm`` allows for all the pairs.
        ``prob_better`` is the posterior probability that the candidate is better by more than the
        rope, and ``prob_equivalent`` that the difference lies within the rope. ``parts_needed``
        parts would settle a true difference of this size with a power of 80 %. With fewer than
        five folds in all repeats together, every verdict is "inconclusive".
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
        """
        return difference_table(self, scores)

    @property
    def settings(self) -> dict[str, Any]:
        """How the comparison was made, in plain Python types."""
        repeats, folds = self._first.fit_seconds.shape
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

    def plot_differences(self, lang: str = "en") -> "Figure":
        """Draw the differences with their intervals, in a panel for each metric.

        Parameters
        ----------
        lang : {"en", "ja"}, default="en"
            Language of the labels.

        Returns
        -------
        matplotlib.figure.Figure
            A figure that is tied to no window.

        Raises
        ------
        ImportError
            If matplotlib is not installed: install ``skperturb[report]``.
        """
        return self._plot("plot_differences", lang)

    def plot_confusion(self, name: str, lang: str = "en") -> "Figure":
        """Draw the decisions for each class per 1000 parts, and what they cost.

        Parameters
        ----------
        name : str
            Name of the estimator.
        lang : {"en", "ja"}, default="en"
            Language of the labels.

        Returns
        -------
        matplotlib.figure.Figure
            A figure that is tied to no window.

        Raises
        ------
        ImportError
            If matplotlib is not installed: install ``skperturb[report]``.
        """
        return self._plot("plot_confusion", lang, name)

    def plot_reliability(self, names: Sequence[str] | None = None, lang: str = "en") -> "Figure":
        """Draw observed shares against predicted probabilities, for each class.

        The predictions are those of the first repeat, with the class shares of the study. At most
        nine classes are drawn, the most frequent ones; the figure names the others.

        Parameters
        ----------
        names : sequence of str, default=None
            Names of the estimators; None for all.
        lang : {"en", "ja"}, default="en"
            Language of the labels.

        Returns
        -------
        matplotlib.figure.Figure
            A figure that is tied to no window.

        Raises
        ------
        ImportError
            If matplotlib is not installed: install ``skperturb[report]``.
        """
        return self._plot("plot_reliability", lang, list(names or self.predictions))

    def plot_sensitivity(self, lang: str = "en") -> "Figure":
        """Draw the difference in cost if errors on defective parts cost more, or less.

        Parameters
        ----------
        lang : {"en", "ja"}, default="en"
            Language of the labels.

        Returns
        -------
        matplotlib.figure.Figure
            A figure that is tied to no window.

        Raises
        ------
        ImportError
            If matplotlib is not installed: install ``skperturb[report]``.
        ValueError
            If it is not known which class is the good one.
        """
        return self._plot("plot_sensitivity", lang)

    def _plot(self, function, lang, *arguments):
        from . import _plots  # needs the extra "report"

        return getattr(_plots, function)(self, *arguments, load_texts(lang))

    def to_html(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        lang: str = "en",
        title: str | None = None,
        reading: Mapping[str, Any] | None = None,
    ) -> str:
        """Write the comparison as one self-contained HTML page.

        The page shows verdicts, key figures, pictures and the method. Its style and pictures are
        inside; it has no script and no outside address, and prints on A4. The full precision of
        each number is in the ``data-value`` of its cell.

        Parameters
        ----------
        path : str or path, default=None
            File to write; None to return the page only.
        lang : {"en", "ja"}, default="en"
            Language of the page.
        title : str, default=None
            Heading of the page; None for a standard one.
        reading : dict, default=None
            How the data were read, shown at the end of the page: the texts "command", "date" and
            "version", and "notes", a list of texts.

        Returns
        -------
        str
            The page.

        Raises
        ------
        ImportError
            If matplotlib or jinja2 is not installed: install ``skperturb[report]``.
        ValueError
            If there are no texts in that language.
        """
        from ._report import report_html

        page = report_html(self, lang=lang, title=title, reading=reading)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def __str__(self):
        return comparison_text(self)

    def __repr__(self):
        repeats, folds = self._first.fit_seconds.shape
        rows = self._table[self._table["metric"] == "cost"].itertuples()
        verdicts = [f"{row.candidate} - {row.baseline} {row.verdict}" for row in rows]
        first = (
            f"Comparison of {', '.join(self.predictions)} on {len(self.y)} parts, "
            f"{repeats} x {folds} folds"
        )
        lines = (first, f"cost: {', '.join(verdicts)}")
        return "\n".join(shorten(line, WIDTH, placeholder=" ...") for line in lines)

    def _repr_html_(self):
        columns = ["candidate", "baseline", "metric", "difference", "ci_low", "ci_high", "verdict"]
        return self._table[columns].to_html(index=False)

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
            table = difference_table(other, fold_means(other, costs_of))
            rows.append(table.assign(factor=factor))
        table = pd.concat(rows, ignore_index=True)
        return table[["factor", *table.columns.drop("factor")]]
