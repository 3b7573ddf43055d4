"""What a watch over a model has found, in sentences and on a page."""

import pandas as pd

from ._monitor_page import figure_section, reading_section, summary_section
from ._page import render, shown, word
from ._texts import load, number, numbers, percent

_PARTS = 1000  # for which costs are said
_SEEN = 0.02  # a change of the share of missing values that is said
_NONE = "\u2013"  # of a cell without an entry
_MEANS = ("came", "expected", "came_before", "expected_before")
_MOST = 40  # rows of the table


def watch_sentences(monitors, costs, confidence, lang="en", *, by_lot=False):
    """What has been found, in a few words and in sentences.

    Parameters
    ----------
    monitors : dict of str to DriftMonitor
        Of "features", "predictions" and "costs".
    costs : dict of str to float
        "parts" with labels, and means of a part: "came", "expected", "came_before",
        "expected_before".
    confidence : float
        Of all monitors together.
    lang : {"en", "ja"}, default="en"
    by_lot : bool, default=False
        Whether a row of the monitors is a lot.
    """
    texts = load(lang)
    alarms = {name for name, monitor in monitors.items() if monitor.alarm}
    features = monitors["features"]
    known = {
        "alpha": percent(round(1 - confidence, 12)),
        "parts": f"{features.n_rows:,}",
        "batches": f"{features.n_batches:,}",
        "reference": f"{features.n_reference:,}",
    }
    if alarms == {"costs"}:
        head = texts["watch_alarm_costs"]
    else:
        head = texts["watch_alarm" if alarms else "watch_quiet"]
    said = [texts["watch_count_lots" if by_lot else "watch_count"].format(**known)]
    for row in _rows(monitors):
        if row["alarm_at"] is not None:
            what = " ".join([texts[f"watch_{row['kind']}"], _name(row)]).strip()
            fields = {"alarm": f"{row['alarm_at']:,}", "since": f"{row['since']:,}"}
            said.append(texts["watch_changed"].format(what=what, **fields))
    if costs["parts"]:
        said.append(
            texts["watch_costs_said"].format(
                parts=f"{costs['parts']:,}",
                **dict(zip(_MEANS, numbers([_PARTS * costs[key] for key in _MEANS]), strict=True)),
            )
        )
    else:
        said.append(texts["watch_no_labels"])
    said.append(texts["watch_guarantee"].format(**known))
    if "costs" in alarms:
        said.append(texts["watch_next_costs"])
    if alarms - {"costs"}:
        said.append(texts["watch_next_features"])
    if not alarms:
        said.append(texts["watch_next_quiet"])
    return head, [sentence.replace("\u00a0%", texts["percent"]) for sentence in said]


def watch_html(monitors, costs, confidence, *, lang="en", by_lot=False, title=None, reading=None):
    """The page of a watch.

    Parameters
    ----------
    monitors, costs, confidence, lang, by_lot
        As for `watch_sentences`.
    title : str, default=None
    reading : dict, default=None
        As for ``Comparison.to_html``.
    """
    texts = load(lang)
    head, sentences = watch_sentences(monitors, costs, confidence, lang, by_lot=by_lot)
    kind = "neither" if any(monitor.alarm for monitor in monitors.values()) else "keep"
    sections = [summary_section(texts["section_watch"], head, sentences, kind)]
    histories = {name: monitor.history() for name, monitor in monitors.items() if monitor.n_batches}
    if histories:
        from ._monitor_plots import plot_evidence

        figures = []
        for name, history in histories.items():
            if name == "costs":
                history = history.set_axis([texts["watch_costs"]], axis=1)
            figure, chosen = plot_evidence(history, monitors[name].threshold, texts)
            label = texts["watch_path_label"].format(
                kind=texts[f"watch_{name}"], shown=", ".join(chosen)
            )
            figures.append((figure, label))
        sections.append(figure_section("path", texts["section_watch_path"], figures, texts))
    sections.append(
        {
            "id": "columns",
            "heading": texts["section_watch_columns"],
            "notes": [texts["note_watch"]],
            "tables": [_table(_rows(monitors)[:_MOST], texts)],
        }
    )
    if reading is not None:
        sections.append(reading_section(reading, texts))
    return render(texts["title_watch"] if title is None else title, sections, texts)


def _rows(monitors):
    """What is known of each column, those with an alarm first, then by evidence."""
    rows = [
        {key: None if pd.isna(value) else value for key, value in row.items()}
        | {"kind": name, "threshold": monitor.threshold}
        for name, monitor in monitors.items()
        for row in monitor.summary().to_dict("records")
    ]
    return sorted(
        rows,
        key=lambda row: (row["alarm_at"] is None, -row["largest_e"] / row["threshold"]),
    )


def _name(row):
    """The name of a column; the cost has none."""
    return "" if row["kind"] == "costs" else row["column"]


def _table(rows, texts):
    table = []
    for row in rows:
        cells = [word(_name(row) or _NONE, head=True)]
        cells.append(word(texts[f"watch_{row['kind']}"]))
        for key in ("e_value", "largest_e", "threshold"):
            cells.append(shown(_evidence(row[key]), row[key]))
        for key in ("alarm_at", "since"):
            known = row[key] is not None
            cells.append(shown(f"{row[key]:,}" if known else _NONE, row[key] if known else None))
        cells.append(word(_what(row, texts)))
        table.append(cells)
    names = ("column", "kind", "e", "largest", "threshold", "alarm_at", "since", "what")
    return {
        "id": "table-columns",
        "caption": None,
        "head": [texts[f"watch_{name}"] for name in names],
        "rows": table,
    }


def _evidence(value):
    return f"{value:.0e}" if value >= 1e6 else number(value, 2)


def _what(row, texts):
    """Which values became more frequent."""
    if row["since"] is None:
        return _NONE
    said = []
    low, high = row["low"], row["high"]
    missing = row["missing_since"] - row["missing_before"]
    if abs(missing) >= _SEEN:
        shares = {key: percent(round(row[f"missing_{key}"], 3)) for key in ("before", "since")}
        said.append(texts["watch_missing"].format(**shares))
    # The last bin holds missing values, too: what is above is then said of them alone.
    if missing < _SEEN or high is not None:
        key = {(True, True): "from_to", (True, False): "from", (False, True): "to"}.get(
            (low is not None, high is not None)
        )
        if key:
            ends = {
                "low": number(low, 4) if isinstance(low, float) else low,
                "high": number(high, 4) if isinstance(high, float) else high,
            }
            shares = {key: percent(round(row[f"share_{key}"], 3)) for key in ("before", "since")}
            said.append(texts[f"watch_{key}"].format(**ends, **shares))
    return "; ".join(said).replace("\u00a0%", texts["percent"]) or _NONE
