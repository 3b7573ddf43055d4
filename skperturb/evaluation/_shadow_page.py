"""A shadow test in sentences, and on a page."""

import itertools
import math

from ._monitor_page import figure_section, reading_section, summary_section
from ._page import render, shown, word
from ._texts import load, number, numbers, percent

_PARTS = 1000  # for which costs are said
_HOPE = 3.0  # e-value from which on the evidence says how many parts would decide
_BLOCKS = 40  # of the picture


def shadow_sentences(test, names, lang="en", *, waiting=0, line=None, untested=0):
    """The verdict in a few words, and in sentences.

    Parameters
    ----------
    test : PairedABTest
    names : (str, str)
        Of A, today's rule, and of B.
    lang : {"en", "ja"}, default="en"
    waiting : int, default=0
        Rows that wait for a truth.
    line : int, default=None
        The first line without one.
    untested : int, default=0
        Rows whose truth will never be known.
    """
    texts, (a, b) = load(lang), names
    known = {"a": a, "b": b, "parts": f"{test.n_parts:,}", "disagree": f"{test.n_disagree:,}"}
    alpha = 1 - test.confidence
    if test.verdict == "undecided":
        head = texts["shadow_undecided"]
    else:
        winner, loser = (a, b) if test.verdict == "a better" else (b, a)
        known |= {"winner": winner, "loser": loser, "part": f"{test.decided_at:,}"}
        head = texts["shadow_a" if winner == a else "shadow_b"].format(**known)
    if test.n_parts == 0:
        keys = ["shadow_none"]
    else:
        low, high = test.interval
        said = numbers([_PARTS * x for x in (test.mean_difference, low, high)])
        known |= dict(zip(("difference", "low", "high"), said, strict=True))
        known |= {
            "alpha": percent(alpha),
            "confidence": percent(test.confidence),
            "e": number(test.e_value),
            "needed": number(1 / alpha, 2),
        }
        decided = test.verdict != "undecided"
        keys = ["shadow_sides" if decided else "shadow_open"]
        # Without a closed lot there is no mean yet.
        keys += ["shadow_difference"] if math.isfinite(test.mean_difference) else []
        keys.append("shadow_disagree")
    if untested:
        keys.append("shadow_untested")
    if waiting:
        keys.append("shadow_waiting")
    if test.n_waiting:
        keys.append("shadow_open_lot")
    keys.append(_next(test, known))
    sentences = []
    for key in keys:
        rows = {"shadow_untested": untested, "shadow_waiting": waiting}.get(key, 0)
        fields = known | {"rows": f"{rows:,}", "line": line}
        if key == "shadow_open_lot":
            fields["parts"] = f"{test.n_waiting:,}"
        if key == "shadow_next_parts":
            fields["parts"] = number(_parts_in_all(test), 2)
        sentences.append(texts[key].format(**fields).replace("\u00a0%", texts["percent"]))
    return head, sentences


def _next(test, known):
    if test.verdict != "undecided":
        return "shadow_next_use" if known["winner"] == known["b"] else "shadow_next_keep"
    return "shadow_next_parts" if test.e_value >= _HOPE else "shadow_next_wait"


def _parts_in_all(test):
    """Parts after which the evidence decides if it grows as it did: its logarithm by the part."""
    return test.n_parts * -math.log(1 - test.confidence) / math.log(test.e_value)


def shadow_html(test, names, *, path=(), lang="en", title=None, reading=None, **waiting):
    """The page of a shadow test.

    Parameters
    ----------
    test : PairedABTest
    names : (str, str)
    path : sequence of (int, float, float, float), default=()
        Parts, mean difference and its interval, for the picture.
    lang : {"en", "ja"}, default="en"
    title : str, default=None
    reading : dict, default=None
        As for ``Comparison.to_html``.
    **waiting
        As for `shadow_sentences`.
    """
    texts, (a, b) = load(lang), names
    head, sentences = shadow_sentences(test, names, lang, **waiting)
    kind = "use" if test.verdict == "b better" else "keep"
    sections = [summary_section(texts["section_shadow"], head, sentences, kind)]
    if len(path) > 1:
        from ._monitor_plots import plot_difference

        label = texts["shadow_path_label"].format(a=a, b=b)
        heading, figure = texts["section_shadow_path"], plot_difference(path, texts)
        sections.append(figure_section("path", heading, [(figure, label)], texts))
    sections.append(
        {
            "id": "numbers",
            "heading": texts["section_counts"],
            "notes": [texts["note_shadow"]],
            "tables": [_table(test, texts)],
        }
    )
    if reading is not None:
        sections.append(reading_section(reading, texts))
    return render(
        texts["title_shadow"].format(a=a, b=b) if title is None else title, sections, texts
    )


def _table(test, texts):
    counts = {
        "shadow_parts": test.n_parts,
        "shadow_lots": test.n_lots or None,
        "shadow_decided_at": test.decided_at,
    }
    rows = [
        [word(texts[key], head=True), shown(f"{count:,}", count)]
        for key, count in counts.items()
        if count is not None
    ]
    for key, value in (("shadow_e", test.e_value), ("shadow_p", test.p_value)):
        rows.append([word(texts[key], head=True), shown(number(value), value)])
    return {"id": "table-counts", "caption": None, "head": ["", ""], "rows": rows}


def shadow_path(test, rows):
    """Parts, mean difference and interval after some 40 equal blocks of rows.

    Parameters
    ----------
    test : PairedABTest
        One that has seen nothing.
    rows : dict of str to ndarray
        The arguments of ``PairedABTest.update``.
    """
    path = []
    n = len(rows["y_true"])
    ends = sorted({round(n * k / _BLOCKS) for k in range(_BLOCKS + 1)})
    for start, stop in itertools.pairwise(ends):
        test.update(**{key: None if x is None else x[start:stop] for key, x in rows.items()})
        if math.isfinite(test.mean_difference):
            means = (test.mean_difference, *test.interval)
            path.append((test.n_parts, *(_PARTS * x for x in means)))
    return path
