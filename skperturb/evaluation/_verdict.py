"""The rules by which tests become verdicts, and verdicts a decision.

One rule for everything that is printed of a pair. The candidate is *better* if the probability
that it is better by more than the rope reaches ``1 - alpha / 2``, *worse* likewise, and
*equivalent* if the probability of a difference within the rope reaches ``1 - alpha``. Several
pairs divide alpha by Holm's steps. The interval of a pair is that of its own step: it lies beyond
the rope exactly if the verdict is better or worse.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from .._results import Record
from ._needed import parts_needed, parts_needed_range
from ._scores import SIGNS
from ._stats import holm

FEWEST_UNITS = 5  # test sets, and lots: the spread of fewer differences is too often near zero
FEW_LOTS = 10  # with fewer of them, a verdict rests on very little
DOMINANT_SHARE = 1 / 3  # of the parts, in one lot
ROUNDING = 1e-12  # relative: costs that differ by less are equal


class Size(NamedTuple):
    """Number of parts that were tested, and of what is independent: lots, or the same parts."""

    parts: int
    units: int


def judged(tests, families, *, rope, confidence, decides, n, difference=None):
    """Rows of tests with their intervals, adjusted p-values, needs and verdicts.

    A family is a list of the numbers of the tests that Holm's correction takes together. Where
    these tests do not decide, each stands alone, and its verdict is empty.
    """
    alpha = 1 - confidence
    rows = []
    signs = [SIGNS[row["metric"]] for row in tests]
    p_values = np.array(
        [
            _p_beyond(sign * row["difference"], row, rope)
            for sign, row in zip(signs, tests, strict=True)
        ]
    )
    p_within = np.array([1 - row["prob_equivalent"] for row in tests])
    p_holm, p_equal, steps = np.ones(len(tests)), np.ones(len(tests)), np.ones(len(tests))
    sizes = np.ones(len(tests))
    for family in map(list, families):
        p_holm[family], p_equal[family] = holm(p_values[family]), holm(p_within[family])
        sizes[family] = len(family)
        if decides:
            steps[family] = _steps(p_values[family], alpha)
    for k, row in enumerate(tests):
        few = row["df"] + 1 < FEWEST_UNITS
        level = 1 - alpha / steps[k]
        half = row["se"] * special.stdtrit(row["df"], (1 + level) / 2)
        gain = signs[k] * row["difference"]
        sure = {"df": row["df"], "confidence": 1 - alpha / sizes[k]}
        beyond = max(abs(gain) - rope, 0.0)
        needed = math.nan if few else parts_needed(beyond, row["se"], n.parts, **sure)
        span = (math.nan, math.nan)
        if not few:
            given = gain if difference is None else difference
            span_of = parts_needed_range(
                given, row["se"], n.units, named=difference is not None, rope=rope, **sure
            )
            span = span_of.low, span_of.high
        if not decides:
            verdict = ""
        elif few:
            verdict = "inconclusive"
        elif rope > 0 and p_equal[k] <= alpha:
            verdict = "equivalent"
        elif p_holm[k] <= alpha:
            verdict = "better" if gain > 0 else "worse"
        else:
            verdict = "inconclusive"
        rows.append(
            row
            | {
                "ci_low": row["difference"] - half + 0.0,
                "ci_high": row["difference"] + half + 0.0,
                "ci_confidence": level,
                "p_value": p_values[k],
                "p_holm": p_holm[k],
                "prob_needed": 1 - alpha / steps[k] / 2,
                "parts_needed": needed,
                "needed_low": span[0],
                "needed_high": span[1],
                "verdict": verdict,
            }
        )
    return rows


def _p_beyond(gain, row, rope):
    """Two-sided p-value of the hypothesis that the difference lies within the rope."""
    beyond = abs(gain) - rope
    if row["se"] == 0:
        return 0.0 if beyond > 0 else 1.0
    return float(min(2 * special.stdtr(row["df"], -beyond / row["se"]), 1.0))


def _steps(p_values, alpha):
    """By how much Holm divides alpha for each test: at its own step, or where he stops."""
    order = np.argsort(p_values, kind="stable")
    steps = np.empty(len(order))
    divisor = len(order)
    for k in order:
        steps[k] = divisor
        if p_values[k] * divisor <= alpha:
            divisor -= 1
        else:
            break
    steps[order[len(order) - divisor :]] = divisor  # of the tests from there on
    return steps


@dataclass(frozen=True)
class Conclusion(Record):
    """What to do after a comparison.

    Attributes
    ----------
    decision : {"use", "keep", "neither"}
        Use the candidate, keep the baseline, or use no model at all.
    choice : str
        The model to use or to keep, or the policy that is cheaper than every model.
    reason : str
        Why: "better"; "worse", "equivalent", "inconclusive" or "few" if the baseline is kept;
        "policy" if no model is used.
    policy : str or None
        The cheapest policy without a model, as it is called in the key figures; None if the
        comparison does not decide by cost.
    policy_proven : bool or None
        Whether it is proven that the chosen model costs less than that policy; None if no model
        is chosen, or if there is no policy.
    sentences : tuple of str
        The same in English sentences.
    """

    decision: str
    choice: str
    reason: str
    policy: str | None
    policy_proven: bool | None
    sentences: tuple[str, ...] = ()


def conclude(table, policies, kpis, metric, floors):
    """The conclusion of the primary metric's rows, without its sentences.

    policies is the table of the models against the cheapest policy, or None.
    """
    policy, unproven = None, {}
    if policies is not None:
        policy = policies["baseline"].iloc[0]
        costs = kpis.loc[policies["candidate"], "cost"]
        limit = kpis.loc[policy, "cost"]
        if not (costs < limit - ROUNDING * abs(limit)).any():
            return Conclusion("neither", policy, "policy", policy, None)
        unproven = dict(zip(policies["candidate"], policies["verdict"], strict=True))
    rows = table[table["metric"] == metric]
    real = rows[~(rows["candidate"].isin(floors) | rows["baseline"].isin(floors))]
    rows = real if len(real) else rows
    better = rows[rows["verdict"] == "better"]
    values = SIGNS[metric] * kpis[metric].astype(float)
    if rows["candidate"].nunique() == 1 and len(better) < len(rows):
        better = better[:0]  # one candidate has to be better than every baseline
    if len(better):
        decision, reason = "use", "better"
        choice = values[better["candidate"].unique()].idxmax()
    else:
        decision = "keep"
        choice = values[rows["baseline"].unique()].idxmax()
        words = set(rows["verdict"])
        few = (rows["df"] + 1 < FEWEST_UNITS).any()
        reason = "few" if few else words.pop() if len(words) == 1 else "inconclusive"
        if reason == "better":
            reason = "inconclusive"
    proven = None if policy is None else unproven.get(choice) == "better"
    return Conclusion(decision, choice, reason, policy, proven)
