"""How a comparison is shown: as figures, as a page, as text and in a notebook."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from ._text import comparison_text
from ._texts import load as load_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 79  # characters of a line of the short form


class Shown:
    """What shows a comparison; it computes nothing."""

    predictions: dict[str, Any]

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
        currency: str | None = None,
    ) -> str:
        """Write the comparison as one self-contained HTML page.

        The first printed page has the conclusion, what it costs, how sure it is, and what to do
        next; the others show what drives the classes, doubtful labels, decisions, probabilities,
        the sensitivity to costs, all figures, and the method. Its style and pictures are
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
        currency : str, default=None
            Of the costs, such as "EUR" or "JPY".

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

        options = {"lang": lang, "title": title, "reading": reading, "currency": currency}
        page = report_html(self, **options)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def to_text(self, *, lang: str = "en", currency: str | None = None) -> str:
        """Write the comparison as plain text: the conclusion, and tables of the figures.

        Parameters
        ----------
        lang : {"en", "ja"}, default="en"
            Language of the text.
        currency : str, default=None
            Of the costs, such as "EUR" or "JPY".

        Returns
        -------
        str
            Blocks with an empty line between them, the conclusion first.

        Raises
        ------
        ValueError
            If there are no texts in that language.
        """
        return comparison_text(self, lang, currency)

    def __str__(self):
        return self.to_text()

    def __repr__(self):
        repeats, folds = self._first.fit_seconds.shape
        first = (
            f"Comparison of {', '.join(self.predictions)} on {len(self.y)} parts, "
            f"{repeats} x {folds} folds"
        )
        lines = (first, f"conclusion: {self.conclusion.decision} {self.conclusion.choice}")
        return "\n".join(shorten(line, WIDTH, placeholder=" ...") for line in lines)

    def _repr_html_(self):
        columns = ["candidate", "baseline", "metric", "difference", "ci_low", "ci_high", "verdict"]
        return self._table[columns].to_html(index=False)
