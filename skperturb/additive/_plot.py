"""Curves as one small chart for each feature."""

import numpy as np
import pandas as pd

# Okabe and Ito's colours, which the colour-blind can tell apart, and lines for more classes.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LINES = ("-", "--", ":", "-.")
_WIDTH, _HEIGHT = 3.2, 2.4  # inches of each chart
_BAND = 0.2  # opacity


def draw_curves(table, names, rugs, columns):
    """Draw the curves of some features.

    Parameters
    ----------
    table : DataFrame
        Of ``curves``.
    names : list of str
        Features, in their order.
    rugs : dict of str to ndarray
        Quantiles of the data.
    columns : int
        Charts side by side.

    Returns
    -------
    matplotlib.figure.Figure
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Figures need matplotlib: pip install 'skperturb[report]'.") from error
    rows = max(1, -(-len(names) // columns))
    width = min(columns, max(1, len(names)))
    figure = Figure(figsize=(_WIDTH * width, _HEIGHT * rows), layout="constrained")
    axes = figure.subplots(rows, width, squeeze=False, sharey=True).ravel()
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes, names, strict=False):
        _draw(axis, table[table["feature"] == name], rugs[name])
        axis.set_title(name, fontsize=9, parse_math=False)
    handles, labels = axes[0].get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
    figure.supylabel("effect on the score", fontsize=9)
    return figure


def _draw(axis, table, rug):
    levels = not len(rug)
    for k, (label, part) in enumerate(table.groupby("class", sort=False)):
        style = {
            "color": _COLORS[k % len(_COLORS)],
            "linestyle": _LINES[k // len(_COLORS) % len(_LINES)],
            "label": str(label),
        }
        if levels:
            place = np.arange(len(part)) + 0.1 * k
            names = ["missing" if pd.isna(value) else str(value) for value in part["value"]]
            axis.set_xticks(np.arange(len(part)), names, parse_math=False)
            error = part["ci_high"] - part["score"]
            axis.errorbar(place, part["score"], error, marker="o", **style | {"linestyle": ""})
            continue
        known = part[part["value"].notna()].astype({"value": float})
        axis.plot(known["value"], known["score"], **style)
        axis.fill_between(
            known["value"], known["ci_low"], known["ci_high"], color=style["color"], alpha=_BAND
        )
    axis.axhline(0, color="#595959", linewidth=0.6)
    if len(rug):
        foot = axis.get_xaxis_transform()
        marks = np.tile([0, 0.04, np.nan], len(rug))  # one line with gaps is short as SVG
        axis.plot(np.repeat(rug, 3), marks, transform=foot, color="#595959", linewidth=0.5)
