"""Figures of what is watched over time."""

import itertools

import numpy as np

from ._plots import BLACK, BLUE, COLORS, GREY, WIDTH, style
from ._text import printable

HEIGHT = 2.8  # inches
MOST_ABOVE = 6  # powers of ten above the limit that are drawn
MOST_LINES = 5  # columns of a figure that have a colour


def plot_difference(path, texts):
    """The mean difference with its interval, after so many parts."""
    from matplotlib.figure import Figure

    parts, mean, low, high = np.array(path).T
    with style(texts["lang"]):
        figure = Figure((WIDTH, HEIGHT), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(parts, low, high, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(parts, mean, color=BLUE)
        axes.axhline(0, color=BLACK, linewidth=0.8)
        # The first intervals hold almost everything; the later ones are to be seen.
        late = slice(len(parts) // 4, None)
        reach = np.array([low[late].min(), high[late].max(), 0.0])
        margin = 0.1 * max(np.ptp(reach), 1e-12)
        axes.set_ylim(reach.min() - margin, reach.max() + margin)
        axes.set_xlim(0, parts[-1])
        axes.set_xlabel(texts["shadow_axis_parts"])
        axes.set_ylabel(texts["shadow_axis_difference"])
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:,.10g}")
    return figure


def plot_evidence(history, threshold, texts):
    """The e-values of columns over time; returns the figure and the names of coloured columns.

    Parameters
    ----------
    history : DataFrame
        Decimal logarithms: a row for each batch, a column for each that is watched.
    threshold : float
        At which there is an alarm.
    texts : dict
    """
    from matplotlib.figure import Figure

    largest = history.max().sort_values(ascending=False, kind="stable")
    chosen = list(largest.index[:MOST_LINES])
    with style(texts["lang"]):
        figure = Figure((WIDTH, HEIGHT), layout="constrained")
        axes = figure.subplots()
        for name in history.columns.difference(chosen, sort=False):
            axes.plot(history.index, history[name], color=GREY, linewidth=0.5, alpha=0.5)
        marks = itertools.cycle(["-", "--", "-.", ":"])
        for name, color, mark in zip(chosen, COLORS, marks, strict=False):
            label = printable(name)
            axes.plot(history.index, history[name], mark, color=color, label=label, marker=".")
        limit = np.log10(threshold)
        axes.axhline(limit, color=BLACK, linestyle="--", linewidth=1)
        axes.annotate(
            texts["watch_limit"], (0, limit), (2, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points",
        )  # fmt: skip
        axes.set_xlabel(texts["watch_axis_batch"])
        axes.set_ylabel(texts["watch_axis_e"])
        # Far above the limit nothing more is to be seen, and the other columns shall be.
        top = min(max(largest.max(), limit) + 1, limit + MOST_ABOVE)
        axes.set_ylim(min(history.to_numpy().min(), 0) - 0.5, top)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.set_major_formatter(lambda value, place: _power(value))
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, 0.9))
    return figure, chosen


def _power(exponent):
    """A power of ten, as text."""
    if not float(exponent).is_integer():
        return ""
    return f"{10.0**exponent:,g}" if -4 <= exponent <= 5 else f"1e{exponent:.0f}"
