"""Figures of a comparison: differences, decisions, reliability, sensitivity.

Each function takes a :class:`~skperturb.evaluation.Comparison` and the texts of a language, and
returns a :class:`matplotlib.figure.Figure`, which is tied to no window. The functions need
matplotlib, and raise an ImportError without it.
"""

import functools
import logging
import re
import unicodedata
import warnings
from contextlib import contextmanager

import numpy as np

from ._calibration import reliability
from ._text import printable
from ._texts import decimals_for, numbers

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, BLACK, GREY = "#cc79a7", "#56b4e9", "#000000", "#595959"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = "osD^vPX"
VERDICTS = {
    "better": (BLUE, "o"),
    "worse": (VERMILION, "X"),
    "equivalent": (GREEN, "D"),
    "inconclusive": (GREY, "s"),
    "": (BLACK, "o"),  # of the metrics that do not decide
}
MAX_CLASSES = 9  # reliability diagrams in a figure: three rows of three can be read
MAX_MESH = 64  # cells of a heat map that are drawn one by one; an image of more takes less space
MAX_NUMBERED = 14  # columns of a heat map whose cells can hold numbers
WIDTH = 5.4  # inches: at 390 pixels a point of the font is about a pixel
FONTS = {
    "ja": ["Noto Sans CJK JP", "IPAexGothic", "Yu Gothic", "Hiragino Sans", "MS Gothic"],
}


@contextmanager
def style(lang):
    """Settings of matplotlib for our figures: plain text, and fonts of the language."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError("Figures need matplotlib: pip install 'skperturb[report]'.") from error

    def known(record):
        return not str(record.msg).startswith("findfont")

    settings = {
        "text.parse_math": False,
        "text.usetex": False,
        "font.family": [*FONTS.get(lang, []), "DejaVu Sans"],
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.formatter.useoffset": False,
        "axes.unicode_minus": True,
    }
    logger = logging.getLogger("matplotlib.font_manager")
    logger.addFilter(known)
    try:
        with mpl.rc_context(settings), warnings.catch_warnings():
            # The reader's system has the glyphs, this one need not.
            warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from")
            yield
    finally:
        logger.removeFilter(known)


def _styled(plot):
    """A function whose last positional argument are the texts, drawing in our style."""

    @functools.wraps(plot)
    def styled(*args, **options):
        with style(args[-1]["lang"]):
            return plot(*args, **options)

    return styled


@_styled
def plot_differences(comparison, texts, *, metrics=None):
    """Forest plot: each metric's differences with their intervals, the cost first."""
    table = comparison.table
    metrics = list(dict.fromkeys(table["metric"])) if metrics is None else metrics
    names = [
        short(candidate, 22, 2) + " \N{MINUS SIGN}" + "\n" + short(baseline, 22, 2)
        for candidate, baseline in comparison.pairs
    ]
    lines = max(name.count("\n") for name in names) + 1
    high = len(names) * max(0.3, 0.17 * lines) + 0.15
    figure = new_figure(len(metrics) * (high + 0.62), names)
    grid = figure.subplots(len(metrics), sharey=True, squeeze=False)[:, 0]
    for axes, metric in zip(grid, metrics, strict=True):
        rows = table[table["metric"] == metric]
        half = (comparison.rope or {}).get(metric)
        if half:
            axes.axvspan(-half, half, color=SKY, alpha=0.25, linewidth=0)
        axes.axvline(0, color=BLACK, linewidth=0.8, linestyle="--")
        for place, row in enumerate(rows.itertuples()):
            color, marker = VERDICTS[row.verdict]
            axes.plot([row.ci_low, row.ci_high], [place, place], color=color, linewidth=2.2)
            axes.plot([row.difference], [place], marker, color=color, markersize=7)
        kind = "more_is_better" if metric == "accuracy" else "less_is_better"
        axes.set_xlabel(texts[kind].format(metric=texts[metric]))
        axes.locator_params(axis="x", nbins=5)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
    return figure


@_styled
def plot_confusion(comparison, name, texts):
    """Heat maps of the decisions for each class per 1000 parts, and of what they cost.

    Their colours are the same for all models: the darkest is for the largest number of any.
    """
    counts = comparison.confusion(name)
    most, dearest = confusion_scale(comparison)
    rows = [short(label, 14, 2) for label in counts.index]
    columns = [short(label, 12, 2) for label in counts.columns]
    high = len(rows) * (0.42 if len(rows) < 10 else 0.25)
    figure = new_figure(2 * (high + 0.7), rows)
    upper, lower = figure.subplots(2)
    money = counts.to_numpy() * comparison.cost_matrix.to_numpy()
    _heat_map(upper, counts.to_numpy(), "Blues", most)
    _heat_map(lower, money, "Oranges", dearest)
    for axes, title in ((upper, "confusion_parts"), (lower, "confusion_cost")):
        axes.set_title(f"{short(name, 40, 1)}: {texts[title]}", loc="left")
        axes.set_xlabel(texts["decision"], labelpad=1)
        axes.set_ylabel(texts["truth"])
        upright = len(columns) > 5
        axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=90 if upright else 0)
        axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_ylim(len(rows), 0)
    return figure


def confusion_scale(comparison):
    """Range of the counts of decisions, and of their costs, over all models."""
    tables = [comparison.confusion(name).to_numpy() for name in comparison.predictions]
    costs = [table * comparison.cost_matrix.to_numpy() for table in tables]
    return [
        (min(0.0, *(one.min() for one in values)), max(0.0, *(one.max() for one in values)))
        for values in (tables, costs)
    ]


@_styled
def plot_reliability(comparison, names, texts):
    """Observed share of each class against its predicted probability, with Wilson's intervals.

    These are the first repeat's predictions, in the study's mix of parts. At most nine
    classes are drawn, the most frequent ones; the others are named below.
    """
    shown, left_out = shown_classes(comparison)
    n_columns = min(3, len(shown))
    n_rows = -(-len(shown) // n_columns)
    cell = 1.75 if n_columns == 3 else 2.2
    figure = new_figure(n_rows * (cell + 0.15) + 0.6 + 0.1 * len(names), [])
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    tables = {
        name: reliability(comparison.y, comparison.predictions[name].proba[0], comparison.classes)
        for name in names
    }
    for k, axes in enumerate(grid.flat):
        if k >= len(shown):
            axes.set_visible(False)
            continue
        top = 0.01
        handles = []
        for place, table in enumerate(tables.values()):
            rows = table[table["class"] == shown[k]]
            columns = ["mean_predicted", "observed", "ci_low", "ci_high"]
            x, share, low, high = rows[columns].to_numpy(dtype=float).T
            handles.append(
                axes.errorbar(
                    x,
                    share,
                    [(share - low).tolist(), (high - share).tolist()],
                    color=COLORS[place % len(COLORS)],
                    marker=MARKERS[place % len(MARKERS)],
                    markersize=4,
                    linewidth=1,
                    elinewidth=0.8,
                )
            )
            top = max(top, x.max(), high.max())
        top = min(1.0, 1.05 * top)
        axes.plot([0, top], [0, top], color=GREY, linewidth=0.8, linestyle="--")
        axes.set_xlim(-0.04 * top, 1.04 * top)
        axes.set_ylim(-0.04 * top, 1.04 * top)
        axes.set_box_aspect(1)
        axes.locator_params(nbins=3)
        axes.set_title(short(shown[k], 18, 2), fontsize=9)
        if k % n_columns == 0:
            axes.set_ylabel(texts["observed_share"])
        if k + n_columns >= len(shown):
            axes.set_xlabel(texts["predicted"])
    labels = [short(name, 28, 1) for name in names]
    figure.legend(handles, labels, loc="outside upper center", frameon=False, ncols=2)
    if left_out:
        named = texts["left_out"].format(names=", ".join(map(str, left_out)))
        figure.supxlabel(short(named, 70, 3), fontsize=8)
    return figure


@_styled
def plot_sensitivity(comparison, texts, *, table=None):
    """Difference in cost if the errors on defective parts cost more, or less."""
    table = comparison.sensitivity() if table is None else table
    figure = new_figure(3.0 + 0.2 * len(comparison.pairs), [])
    axes = figure.subplots()
    half = (comparison.rope or {}).get("cost")
    if half:
        axes.axhspan(-half, half, color=SKY, alpha=0.25, linewidth=0)
    axes.axhline(0, color=BLACK, linewidth=0.8, linestyle="--")
    labels, handles = [], []
    for place, (candidate, baseline) in enumerate(comparison.pairs):
        rows = table[(table["candidate"] == candidate) & (table["baseline"] == baseline)]
        value = rows["difference"]
        aside = 2 ** (0.12 * (place - (len(comparison.pairs) - 1) / 2))
        line = axes.errorbar(
            rows["factor"] * aside,
            value,
            [value - rows["ci_low"], rows["ci_high"] - value],
            color=COLORS[place % len(COLORS)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=5,
            linewidth=1,
            capsize=2,
        )
        handles.append(line)
        labels.append(
            texts["difference_of"].format(
                candidate=short(candidate, 28, 1), baseline=short(baseline, 28, 1)
            )
        )
    factors = sorted(set(table["factor"]))
    axes.set_xscale("log", base=2)
    axes.set_xticks(factors, [f"{f:g}" if f >= 1 else f"1/{1 / f:g}" for f in factors])
    axes.minorticks_off()
    axes.locator_params(axis="y", nbins=6)
    axes.set_xlabel(texts["factor"])
    axes.set_ylabel(texts["cost_difference"])
    figure.legend(handles, labels, loc="outside upper center", frameon=False)
    return figure


def shown_classes(comparison):
    """The classes of the reliability diagrams, the most frequent ones, and the others."""
    counts = np.bincount(comparison.codes, minlength=len(comparison.classes))
    shown = np.sort(np.argsort(-counts, kind="stable")[:MAX_CLASSES])
    classes = comparison.classes.tolist()
    return [classes[k] for k in shown], [c for k, c in enumerate(classes) if k not in shown]


def short(label, width, lines):
    """A label in at most so many lines, cut in the middle where it is longer."""
    text = whole = printable(label)
    kept = width * lines
    while True:
        wrapped = _wrapped(text, width)
        if len(wrapped) <= lines:
            return "\n".join(wrapped)
        kept -= 1
        text = whole[: kept - kept // 2] + "…" + whole[-(kept // 2) :]


def _wrapped(text, width):
    """Lines of a label: broken at spaces and after _ : and /, inside a word if it is longer."""
    lines = [""]
    for word in text.split():
        space = " " if lines[-1] else ""
        for piece in re.findall(r"[^_:/]*[_:/]+|[^_:/]+", word):
            while len(lines[-1]) + len(space) + len(piece) > width:
                if lines[-1]:
                    lines.append("")
                    space = ""
                elif len(piece) > width:
                    lines[-1], piece = piece[:width], piece[width:]
                else:
                    break
            lines[-1] += space + piece
            space = ""
    return [line for line in lines if line] or [""]


def new_figure(height, labels):
    """An empty figure, with a margin for wide letters of the labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    # Where a font for them is missing, wide letters count as too narrow: leave a margin for them.
    lines = "\n".join(labels).split("\n")
    wide = max(sum(unicodedata.east_asian_width(letter) in "WF" for letter in t) for t in lines)
    margin = min(0.45 * wide * 10 / 72 / WIDTH, 0.2)
    figure.get_layout_engine().set(rect=(margin, 0, 1 - margin, 1))
    return figure


def _heat_map(axes, values, cmap, scale):
    """Cells with their numbers; the colour shows the square root of the value."""
    from matplotlib.colors import PowerNorm

    low, high = scale
    norm = PowerNorm(0.5, low, high if high > low else low + 1)
    if values.size < MAX_MESH:
        mesh = axes.pcolormesh(
            values, cmap=cmap, norm=norm, edgecolors="white", linewidth=1, clip_on=False
        )
    else:
        extent = (0, values.shape[1], values.shape[0], 0)
        mesh = axes.imshow(
            values, cmap=cmap, norm=norm, extent=extent, aspect="auto", interpolation="none"
        )
    if values.shape[1] > MAX_NUMBERED:
        return
    size = 10 if values.shape[1] < 7 else 6
    colors = mesh.cmap(mesh.norm(values))[..., :3] @ [0.299, 0.587, 0.114]
    texts = numbers(values.ravel(), decimals=decimals_for([low, high], 3))
    for ((row, column), _), text in zip(np.ndenumerate(values), texts, strict=True):
        axes.text(
            column + 0.5,
            row + 0.5,
            text,
            ha="center",
            va="center",
            fontsize=size,
            color="white" if colors[row, column] < 0.4 else "black",
        )
