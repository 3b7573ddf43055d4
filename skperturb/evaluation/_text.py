"""A comparison as plain text, and what every text of it shares."""

import re
import unicodedata
from textwrap import fill

from ._texts import decimals_for, load, numbers
from ._words import cautions, conclusion_sentences, needed_sentences, policy_name

LEVEL_ROUNDING = 1e-9  # confidence levels that differ by less are the same
WIDTH, WIDE = 79, 91  # columns of a line of a sentence, and of the note
# Control characters and halves of surrogate pairs: neither XML nor HTML may hold them.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text, allowed=""):
    """A text with a replacement for each character that no page may hold."""
    return FORBIDDEN.sub(lambda found: found[0] if found[0] in allowed else "\ufffd", str(text))


def comparison_text(comparison, lang="en", currency=None):
    """The conclusion, tables of the key figures and of the differences, and a note."""
    texts = load(lang, currency)
    said = [*conclusion_sentences(comparison, comparison.conclusion, texts)]
    said += cautions(comparison, texts)
    differences = _differences(comparison, texts)
    open_pairs = [
        f"{row.candidate} - {row.baseline}: {sentence}"
        for row in comparison.table.itertuples()
        if row.verdict == "inconclusive" and not _nothing_seen(row)
        for sentence in needed_sentences(row, comparison, texts)
    ]
    test = "forward" if comparison.n_before else comparison.test
    note = texts["text_note"].format(test=texts[f"text_test_{test}"])
    blocks = [
        "\n".join(_filled(sentence, WIDTH) for sentence in said),
        _aligned(_figures(comparison, texts)),
        _aligned(differences, left=(0, 1, 3, 4)),
        "\n".join(_filled(sentence, WIDTH) for sentence in open_pairs),
        _filled(note, WIDE),
    ]
    return "\n\n".join(filter(None, blocks)).replace("\u00a0%", texts["percent"])


def summary_sentence(lang, *, lots, forward, **words):
    """What was compared, in one sentence of the terminal."""
    texts = load(lang)
    words |= {
        "lots": "" if lots is None else texts["text_lots"].format(lots=f"{lots:,}"),
        "parts": f"{words['parts']:,}",
        "how": texts["text_forward" if forward else "text_folds"].format(folds=words["folds"]),
    }
    return texts["text_summary"].format(**words)


def _figures(comparison, texts):
    """Rows of the key figures, the numbers of a column with the same decimals."""
    kpis = comparison.kpis
    names = ("estimator", "cost", "accuracy", "log_loss", "brier", "dear", "seconds")
    names_of = kpis.index.tolist()
    if texts["lang"] != "en":
        known = comparison.predictions
        names_of = [name if name in known else policy_name(name, texts) for name in names_of]
    columns = [names_of]
    for column, digits in (
        *(("cost", 4), ("accuracy", 4), ("log_loss", 4), ("brier", 4)),
        *(("dear_mistakes", 3), ("fit_seconds", 3)),
    ):
        texts_of = numbers(kpis[column].astype(float), digits)
        columns.append(["" if text == "\u2013" else _plain(text) for text in texts_of])
    return [tuple(texts[f"text_{name}"] for name in names), *zip(*columns, strict=True)]


def _differences(comparison, texts):
    interval = texts["text_interval"].format(confidence=f"{comparison.confidence:.0%}")
    rows = [("text_difference", "text_metric", "text_value", None, "text_verdict")]
    rows = [tuple(interval if key is None else texts[key] for key in rows[0])]
    table = comparison.table
    columns = ["difference", "ci_low", "ci_high"]
    decimals = {
        metric: decimals_for(part[columns].to_numpy(dtype=float).ravel(), 4)
        for metric, part in table.groupby("metric")
    }
    for row in table.itertuples():
        usual = abs(row.ci_confidence - comparison.confidence) < LEVEL_ROUNDING
        ends = [row.difference, row.ci_low, row.ci_high]
        value, low, high = map(_signed, numbers(ends, decimals=decimals[row.metric]))
        verdict = texts[row.verdict] if row.verdict else ""
        rows.append(
            (
                f"{row.candidate} - {row.baseline}",
                texts[f"text_{row.metric}"],
                value,
                f"[{low}, {high}]" + ("" if usual else f" ({100 * row.ci_confidence:.4g}%)"),
                verdict + (texts["text_nothing_seen"] if _nothing_seen(row) else ""),
            )
        )
    return rows


def _plain(text):
    return text.replace("\N{MINUS SIGN}", "-")


def _signed(text):
    return _plain(text) if text.startswith("\N{MINUS SIGN}") else f"+{text}"


def _nothing_seen(row):
    return row.verdict == "inconclusive" and row.difference == 0


def _width(text):
    """Columns that a terminal takes: letters of East Asia take two."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


def _filled(text, width):
    """A sentence in lines; Japanese ones may be broken between any two letters."""
    if _width(text) == len(text):
        return fill(text, width)
    lines = [""]
    for piece in re.findall(r"[!-~]+ ?|.", text):
        # No line begins with a mark that ends something.
        if _width(lines[-1] + piece) > width and piece not in "\u3001\u3002\uff09\u300d":
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.strip() for line in lines)


def _aligned(lines, left=(0,)):
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell))
            if k in left
            else " " * (width - _width(cell)) + cell
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
