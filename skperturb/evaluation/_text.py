"""A comparison as plain text, and what every text of it shares."""

import math
import re

MOST_TIMES = 100  # "more than 100 times as many parts" says enough
DIGITS = 2  # of the number of parts that would settle a difference, which is a rough one
# Control characters and halves of surrogate pairs: neither XML nor HTML may hold them.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
NOTE = """\
Means over the test folds; a lower cost, log loss or Brier score is better. The cost is per
1000 parts; without a cost matrix it is the number of wrong calls. The intervals allow for the
overlap of the training sets (Nadeau and Bengio), the verdicts also for the number of pairs
(Holm)."""


def printable(text, allowed=""):
    """A text with a replacement for each character that no page may hold."""
    return FORBIDDEN.sub(lambda found: found[0] if found[0] in allowed else "\ufffd", str(text))


def more_parts(parts_needed, n):
    """Number of parts beyond n that would settle a difference, rounded.

    It is 0 if n parts are enough, and inf if more than 100 times as many would be needed.
    """
    more = parts_needed - n
    if more <= 0:
        return 0
    if not more <= MOST_TIMES * n:
        return math.inf
    return max(round(float(f"{more:.{DIGITS}g}")), 1)


def comparison_text(comparison):
    """Tables of the key figures and of the differences, with a note."""
    figures = [("estimator", "cost/1000", "accuracy", "log loss", "Brier", "fit seconds")]
    for name, row in comparison.kpis.iterrows():
        numbers = (
            f"{row.cost:.4g}",
            f"{row.accuracy:.4f}",
            f"{row.log_loss:.4f}",
            f"{row.brier:.4f}",
            f"{row.fit_seconds:.3f}",
        )
        figures.append((name, *("" if number == "nan" else number for number in numbers)))
    interval = f"{comparison.confidence:.0%} interval"
    differences = [("difference", "metric", "value", interval, "verdict")]
    for row in comparison.table.itertuples():
        differences.append(
            (
                f"{row.candidate} - {row.baseline}",
                row.metric,
                f"{row.difference:+.4g}",
                f"[{row.ci_low:+.4g}, {row.ci_high:+.4g}]",
                row.verdict + _advice(row, len(comparison.y)),
            )
        )
    return f"{_aligned(figures)}\n\n{_aligned(differences, left=(0, 1, 4))}\n\n{NOTE}"


def _advice(row, n):
    """What follows an inconclusive verdict on the cost."""
    if row.verdict != "inconclusive" or row.metric != "cost":
        return ""
    if row.difference == 0:
        return ", no difference seen"
    more = more_parts(row.parts_needed, n)
    if math.isinf(more):
        return f", more than {MOST_TIMES} times as many parts would be needed"
    return f", about {more:,} more parts would tell" if more else ""


def _aligned(lines, left=(0,)):
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
