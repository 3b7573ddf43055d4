"""What drives the classes: effects of features and curves, as a section of a page."""

import numpy as np

from ._plots import BLACK, COLORS, GREY, MARKERS, new_figure, short, style
from ._svg import drawn
from ._words import level

MOST = 10  # features in the chart


def drivers_section(comparison, found, texts):
    """The section, from what the command found for each model."""
    effects, figures = found["effects"], []
    with style(texts["lang"]):
        if effects is not None and len(effects):
            names = _largest(effects)
            label = texts["drivers_effects"].format(
                confidence=level(comparison.confidence),
                count=len(names),
                all=effects["feature"].nunique(),
            )
            figures.append((plot_effects(effects, names, texts), label))
        for name, figure in found["curves"]:
            figures.append((figure, texts["drivers_curves"].format(name=name)))
    return {
        "id": "drivers",
        "heading": texts["section_drivers"],
        "notes": found["notes"] if figures or found["notes"] else [texts["drivers_none"]],
        "figures": [
            drawn(figure, label, f"drivers{place}", texts["lang"])
            for place, (figure, label) in enumerate(figures)
        ],
    }


def _largest(effects):
    size = effects["effect"].abs().groupby(effects["feature"], sort=False).max()
    return size.sort_values(ascending=False, kind="stable").index[:MOST].tolist()


def plot_effects(effects, names, texts):
    """Effects of the features of each model with their intervals, one panel for each outcome."""
    models = list(dict.fromkeys(effects["model"]))
    outcomes = list(dict.fromkeys(effects["outcome"]))
    labels = [short(name, 20, 2) for name in names]
    high = len(names) * max(0.28, 0.11 * len(models) + 0.1)
    figure = new_figure(high + 0.9 + 0.2 * len(models), labels)
    panels = figure.subplots(1, len(outcomes), sharex=True, sharey=True, squeeze=False)[0]
    handles = []
    for outcome, axes in zip(outcomes, panels, strict=True):
        axes.axvline(0, color=BLACK, linewidth=0.8, linestyle="--")
        for place, model in enumerate(models):
            own = effects[(effects["model"] == model) & (effects["outcome"] == outcome)]
            own = own.set_index("feature").reindex(names)
            effect, low, high_end = 100 * own[["effect", "ci_low", "ci_high"]].to_numpy(float).T
            aside = (place - (len(models) - 1) / 2) * 0.7 / len(models)
            line = axes.errorbar(
                effect,
                np.arange(len(names)) + aside,
                xerr=[effect - low, high_end - effect],
                color=COLORS[place % len(COLORS)],
                marker=MARKERS[place % len(MARKERS)],
                markersize=4.5,
                linewidth=0,
                elinewidth=1.4,
            )
            handles = handles if len(handles) == len(models) else [*handles, line]
        axes.set_title(short(outcome, 50 // len(outcomes), 2), loc="left", fontsize=10)
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="y", color=GREY, alpha=0.2)
    panels[0].set_yticks(range(len(names)), labels)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel(texts["drivers_axis"], fontsize=10)
    figure.legend(
        handles, [short(m, 50, 1) for m in models], loc="outside upper center", frameon=False
    )
    return figure
