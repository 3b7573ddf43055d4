"""What is said of a comparison in sentences, in any language that has texts."""

import math

import numpy as np

from ._tables import TODAY
from ._texts import given, numbers, percent
from ._verdict import DOMINANT_SHARE, FEW_LOTS, FEWEST_UNITS

MOST_TIMES = 100  # "more than 100 times as many parts" says enough
DIGITS = 2  # of the number of parts that would settle a difference, which is a rough one


def conclusion_word(comparison, texts):
    """The decision in a few words."""
    found = comparison.conclusion
    if found.decision == "neither" and len(comparison.models) > 2:
        return texts["decide_none"]
    return texts[f"decide_{found.decision}"].format(choice=found.choice)


def conclusion_sentences(comparison, found, texts):
    """The conclusion, and how its model stands against doing without one."""
    kpis = comparison.kpis
    if found.decision == "neither":
        best = kpis.loc[comparison.models, "cost"].idxmin()
        policy_cost, cost = _amounts(kpis.loc[[found.policy, best], "cost"], texts)
        words = {"policy": policy_phrase(found.policy, texts), "policy_cost": policy_cost}
        key = "conclude_none" if len(comparison.models) > 2 else "conclude_neither"
        return [texts[key].format(model=best, cost=cost, **words)]
    rows = comparison.table
    rows = rows[(rows["metric"] == comparison.metric) & (rows["verdict"] == "better")]
    baselines = rows.loc[rows["candidate"] == found.choice, "baseline"]
    rope = (comparison.rope or {}).get(comparison.metric)
    ending = "" if comparison.metric == "cost" else "_metric"
    words = {
        "choice": found.choice,
        "baselines": texts["and"].join(baselines),
        "metric": texts[comparison.metric],
        "parts": f"{len(comparison.y):,}",
        "margin": texts["by_more_than"].format(rope=_rope(comparison, texts)) if rope else "",
        "rope": _rope(comparison, texts),
    }
    if found.decision == "use":
        sentences = [texts[f"conclude_use{ending}"].format(**words)]
    elif found.reason == "few":
        sentences = [texts["conclude_keep_few"].format(**words), _too_few(comparison, texts)]
    else:
        sentences = [texts[f"conclude_keep_{found.reason}{ending}"].format(**words)]
    if found.policy is not None:
        policy_cost, cost = _amounts(kpis.loc[[found.policy, found.choice], "cost"], texts)
        words |= {"policy": policy_phrase(found.policy, texts)}
        words |= {"policy_cost": policy_cost, "cost": cost}
        key = "proven" if found.policy_proven else "unproven"
        if kpis.at[found.choice, "cost"] >= kpis.at[found.policy, "cost"]:
            key = "dearer"
        sentences.append(texts[f"policy_{key}"].format(**words))
    if TODAY in kpis.index and found.policy not in (None, TODAY):
        (cost,) = _amounts(kpis.loc[[TODAY], "cost"], texts)
        sentences.append(texts["today_costs"].format(cost=cost))
    return sentences


def _amounts(values, texts, digits=4):
    """Costs in sentences, with their currency if it is known."""
    return [texts["money"].format(amount=amount) for amount in numbers(values, digits)]


def _rope(comparison, texts, metric=None):
    """The difference that does not matter, in the unit of its metric."""
    metric = metric or comparison.metric
    rope = given((comparison.rope or {}).get(metric) or 0)
    return texts["money"].format(amount=rope) if metric == "cost" else rope


def _too_few(comparison, texts):
    few_lots = comparison.n_lots is not None and comparison.n_lots < FEWEST_UNITS
    return texts["few_lots" if few_lots else "few_folds"].format(fewest=FEWEST_UNITS)


def pair_sentences(row, comparison, texts):
    """A pair's verdict in plain words, how sure it is, and what would settle it."""
    rope = (comparison.rope or {}).get(row.metric)
    words = {
        "candidate": row.candidate,
        "baseline": row.baseline,
        "metric": texts[row.metric],
        "confidence": level(row.ci_confidence),
        "parts": f"{len(comparison.y):,}",
        "rope": _rope(comparison, texts, row.metric),
    }
    cost = row.metric == "cost"
    if row.verdict == "inconclusive" and row.difference == 0 and row.se == 0:
        return [texts["verdict_same" if cost else "verdict_same_metric"].format(**words)]
    ends = [row.difference, row.ci_low, row.ci_high]
    if cost and row.verdict == "better":  # what is saved
        ends = [-row.difference, -row.ci_high, -row.ci_low]
    amount, low, high = _amounts(ends, texts, 3) if cost else numbers(ends)
    prob_worse = max(1 - row.prob_better - row.prob_equivalent, 0.0)
    words |= {"amount": amount, "low": low, "high": high}
    words["probability"] = percent(row.prob_equivalent)
    ending = "" if cost else "_metric"
    sentences = [texts[f"verdict_{row.verdict}{ending}"].format(**words)]
    if row.df + 1 < FEWEST_UNITS:
        return [*sentences, _too_few(comparison, texts)]
    if row.verdict != "equivalent":
        is_better = row.verdict == "better" or (
            row.verdict != "worse" and row.prob_better >= prob_worse
        )
        key = ("sure_better" if is_better else "sure_worse") + ending + ("_rope" if rope else "")
        words["probability"] = percent(
            row.prob_better if is_better else prob_worse, row.prob_needed
        )
        sentences.append(texts[key].format(**words))
    if row.verdict == "inconclusive":
        if rope:
            words["probability"] = percent(row.prob_equivalent)
            sentences.append(texts["sure_equivalent"].format(**words))
        sentences.append(texts["needs"].format(needed=percent(row.prob_needed)))
        sentences += needed_sentences(row, comparison, texts)
    return sentences


def needed_sentences(row, comparison, texts):
    """How many parts or lots would settle a difference, as a range."""
    now = comparison.n_units.units
    unit = texts["unit_parts" if comparison.n_lots is None else "unit_lots"]
    if math.isnan(row.needed_low) or row.needed_high <= now:
        return []
    named = comparison.difference
    what = texts["size_seen"]
    if named is not None:
        size = given(named)
        if comparison.metric == "cost":
            size = texts["money"].format(amount=size)
        what = texts["size_named"].format(size=size)
    words = {"now": f"{now:,}", "unit": unit, "size": what}
    if not row.needed_low <= MOST_TIMES * now:
        return [texts["needed_cap"].format(**words)]
    low = f"{_rough(row.needed_low):,}"
    if not row.needed_high <= MOST_TIMES * now:
        return [texts["needed_or_more"].format(low=low, **words)]
    return [texts["needed"].format(low=low, high=f"{_rough(row.needed_high):,}", **words)]


def _rough(count):
    return max(round(float(f"{count:.{DIGITS}g}")), 1)


def cautions(comparison, texts):
    """What makes a verdict weaker than it looks."""
    said = []
    unknown = [
        name for name in comparison.models if comparison.kpis.at[name, "cost_known"] is False
    ]
    if unknown:
        names = texts["and"].join(unknown)
        said.append(texts["caution_cost"].format(models=names, parts=f"{len(comparison.y):,}"))
    first = next(iter(comparison.predictions.values()))
    repeats, folds = first.fit_seconds.shape
    asked = comparison.repeats_asked or repeats
    if repeats < asked and not comparison.n_before:
        words = {"asked": asked, "repeats": repeats}
        said.append(texts["caution_repeats"].format(lots=comparison.n_lots, **words))
    n_sets = len(comparison.resampling.share)
    if n_sets < repeats * folds and comparison.test == "corrected":
        said.append(texts["caution_sets"].format(folds=repeats * folds, sets=n_sets))
    if comparison.n_lots is not None:
        if comparison.n_lots < FEW_LOTS:
            said.append(texts["caution_few_lots"].format(lots=comparison.n_lots))
        names, counts = np.unique(comparison.groups, return_counts=True)
        share = counts.max() / counts.sum()
        if share > DOMINANT_SHARE:
            words = {"lot": names[counts.argmax()], "share": percent(share)}
            said.append(texts["caution_dominant"].format(**words))
    if comparison.test == "per_part":
        said.append(texts["caution_per_part"])
    return said


def level(confidence):
    """A confidence level in percent."""
    return f"{100 * confidence:.4g}\u00a0%"


def policy_name(name, texts):
    """Name of a policy that needs no classifier, as in the key figures."""
    kind, decision = _policy(name)
    return name if kind is None else texts[f"policy_{kind}"].format(decision=decision)


def policy_phrase(name, texts):
    """The same as the subject of a sentence."""
    kind, decision = _policy(name)
    return texts[f"doing_{kind}"].format(decision=decision)


def _policy(name):
    for policy in ("pass all", "best constant"):
        if name.startswith(f"({policy}: "):
            kind = policy.replace(" ", "_")
            return kind, name.removeprefix(f"({policy}: ").removesuffix(")")
    return {TODAY: "today", "(perfect)": "perfect"}.get(name), None
