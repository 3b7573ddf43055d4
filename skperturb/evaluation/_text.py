"""A comparison as plain text, and what every text of it shares."""

import re
from textwrap import fill

from ._texts import load
from ._words import cautions, needed_sentences

LEVEL_ROUNDING = 1e-9  # confidence levels that differ by less are the same
WIDTH = 79  # characters of a line of a sentence
# Control characters and halves of surrogate pairs: neither XML nor HTML may hold them.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
NOTE = """\
Means over the test sets; a lower cost, log loss or Brier score is better. "dear" counts the
dear mistakes of one repeat. The cost is per
1000 parts; without a cost matrix it is the number of wrong calls. Only the metric that decides
has a verdict. {test} Intervals with another level allow for the
number of comparisons, as the verdicts do (Holm). They are about the learning method on such
parts, not about one fitted model."""
TESTS = {
    "corrected": "The intervals allow for the overlap of the training sets (Nadeau and Bengio).",
    "forward": "The intervals are those of the t test of the blocks in time.",
    "per_part": "The intervals are those of the test of single parts (Bayle et al.).",
}


def printable(text, allowed=""):
    """A text with a replacement for each character that no page may hold."""
    return FORBIDDEN.sub(lambda found: found[0] if found[0] in allowed else "\ufffd", str(text))


def comparison_text(comparison):
    """The conclusion, tables of the key figures and of the differences, and a note."""
    texts = load("en")
    said = [*comparison.conclusion.sentences, *cautions(comparison, texts)]
    figures = [("estimator", "cost/1000", "accuracy", "log loss", "Brier", "dear", "fit seconds")]
    for name, row in comparison.kpis.iterrows():
        numbers = (
            f"{row.cost:.4g}",
            f"{row.accuracy:.4f}",
            f"{row.log_loss:.4f}",
            f"{row.brier:.4f}",
            f"{row.dear_mistakes:.4g}",
            f"{row.fit_seconds:.3f}",
        )
        figures.append((name, *("" if number == "nan" else number for number in numbers)))
    interval = f"{comparison.confidence:.0%} interval"
    differences = [("difference", "metric", "value", interval, "verdict")]
    for row in comparison.table.itertuples():
        usual = abs(row.ci_confidence - comparison.confidence) < LEVEL_ROUNDING
        differences.append(
            (
                f"{row.candidate} - {row.baseline}",
                row.metric,
                f"{row.difference:+.4g}",
                f"[{row.ci_low:+.4g}, {row.ci_high:+.4g}]"
                + ("" if usual else f" ({100 * row.ci_confidence:.4g}%)"),
                row.verdict + (", no difference seen" if _nothing_seen(row) else ""),
            )
        )
    open_pairs = [
        f"{row.candidate} - {row.baseline}: {sentence}"
        for row in comparison.table.itertuples()
        if row.verdict == "inconclusive" and not _nothing_seen(row)
        for sentence in needed_sentences(row, comparison, texts)
    ]
    blocks = [
        "\n".join(fill(sentence, WIDTH) for sentence in said),
        _aligned(figures),
        _aligned(differences, left=(0, 1, 3, 4)),
        "\n".join(fill(sentence, WIDTH) for sentence in open_pairs),
        fill(NOTE.format(test=TESTS["forward" if comparison.n_before else comparison.test]), 91),
    ]
    return "\n\n".join(filter(None, blocks))


def _nothing_seen(row):
    return row.verdict == "inconclusive" and row.difference == 0


def _aligned(lines, left=(0,)):
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
