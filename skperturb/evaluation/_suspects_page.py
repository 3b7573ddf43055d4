"""Labels that deserve a second look, on a page."""

from ._page import render, shown, word
from ._suspects import FLAGGED, flip_table
from ._texts import load, number, percent

_FIRST = 10  # rows of the list in a report of a comparison
_FEWEST = 0.5  # parts expected of a pair of classes that is shown


def suspects_html(suspects, *, lines=None, lang="en", title=None, reading=None, top=50):
    """The list of suspect labels as one HTML page.

    Parameters
    ----------
    suspects : DataFrame
        What ``suspect_labels`` returned.
    lines : sequence of str, default=None
        Where each row is in its file; the number of the row if None.
    lang : {"en", "ja"}, default="en"
        Language of the page.
    title : str, default=None
        Heading.
    reading : dict, default=None
        How the file was read, as for ``Comparison.to_html``.
    top : int, default=50
        Number of rows shown.
    """
    texts = load(lang)
    flips = flip_table(suspects)
    flips = flips[flips["expected"] >= _FEWEST]
    sections = [
        {
            "id": "summary",
            "heading": texts["section_doubts"],
            "verdicts": [
                {
                    "kind": "decision keep",
                    "word": _word_of(suspects, texts),
                    "sentences": summary_sentences(suspects, top, texts),
                    "value": None,
                }
            ],
            "tables": [_flip_table(flips, texts)] if len(flips) else [],
            "notes": [texts["note_flips"]] if len(flips) else [],
        },
        {
            "id": "suspects",
            "heading": texts["section_list"].format(count=min(top, len(suspects))),
            "notes": [texts["note_suspects"]],
            "tables": [_list(suspects.head(top), lines, texts)],
        },
    ]
    if reading is not None:
        facts = ("command", "date", "version")
        sections.append(
            {
                "id": "reading",
                "heading": texts["section_reading"],
                "entries": [(texts[f"reading_{f}"], reading[f]) for f in facts if f in reading],
                "notes": list(reading.get("notes", ())) or [texts["reading_nothing"]],
            }
        )
    return render(texts["title_suspects"] if title is None else title, sections, texts)


def suspect_section(comparison, texts, lines=None):
    """The first ten of a comparison, as a section of its report."""
    table = comparison.suspects()
    return {
        "id": "suspects",
        "heading": texts["section_suspects"],
        "notes": [texts["note_suspects_of"].format(name=table.attrs["estimator"])],
        "tables": [_list(table.head(_FIRST), lines, texts)],
    }


def summary_of_suspects(suspects, top=50, lang="en"):
    """The summary in a few words, and in sentences."""
    texts = load(lang)
    return _word_of(suspects, texts), summary_sentences(suspects, top, texts)


def summary_sentences(suspects, top, texts):
    """How many labels may be wrong, and how many of them the first ones may hold."""
    shown_rows, proba = suspects.head(top), suspects["proba_wrong"].fillna(0.0)
    if suspects["proba_wrong"].isna().all():
        return [texts["suspects_unclear"], texts["suspects_order"]]
    words = {
        "all": f"{len(suspects):,}",
        "flagged": f"{int((proba >= FLAGGED).sum()):,}",
        "expected": number(proba.sum(), 2),
        "top": f"{len(shown_rows):,}",
        "hits": number(shown_rows["proba_wrong"].sum(), 2),
    }
    keys = ("suspects_flagged", "suspects_hits", "suspects_bound")
    return [texts[key].format(**words) for key in keys]


def _word_of(suspects, texts):
    expected = suspects["proba_wrong"].fillna(0.0).sum()
    if expected < _FEWEST:
        return texts["suspects_none"]
    return texts["suspects_some"].format(expected=number(expected, 2), all=f"{len(suspects):,}")


def _list(table, lines, texts):
    """The rows of the list; the probability of another class first, where it is known."""
    known = [name for name in ("proba_wrong", "proba_of_label") if name in table]
    known = [name for name in known if not table[name].isna().all()]
    rows = []
    for row in table.itertuples():
        place = f"{row.row:,}" if lines is None else lines[row.row]
        cells = [word(place, head=True), word(row.label), word(row.suggested)]
        values = [getattr(row, name) for name in known]
        rows.append(cells + [shown(percent(value), value) for value in values])
    first = "row" if lines is None else "line"
    columns = (first, "label", "suggested", *known)
    return {
        "id": "table-suspects",
        "caption": None,
        "head": [texts[f"suspects_{column}"] for column in columns],
        "rows": rows,
    }


def _flip_table(flips, texts):
    rows = [
        [
            word(texts["called"].format(label=row.label, suggested=row.suggested), head=True),
            shown(f"{row.parts:,}", row.parts),
            shown(number(row.expected, 2), row.expected),
            shown(percent(row.share), row.share),
        ]
        for row in flips.itertuples()
    ]
    columns = ("pair", "parts", "expected", "share")
    return {
        "id": "table-flips",
        "caption": texts["caption_flips"],
        "head": [texts[f"flips_{column}"] for column in columns],
        "rows": rows,
    }
