"""The first page of a report, for whoever decides: conclusion, money, how sure, what next."""

import numpy as np

from ._page import column, shown, word
from ._tables import TODAY
from ._texts import percent
from ._words import (
    cautions,
    conclusion_sentences,
    conclusion_word,
    level,
    needed_sentences,
    policy_name,
)

_MOST_CAUTIONS = 3  # on the first page; the method has them all
_MOST_NEEDED = 1  # sentences on how many parts it would take


def first_page(comparison, texts):
    """Sections of the first page."""
    return [
        _conclusion(comparison, texts),
        _money(comparison, texts),
        _sure(comparison, texts),
        _next(comparison, texts),
    ]


def _conclusion(comparison, texts):
    found = comparison.conclusion
    return {
        "id": "conclusion",
        "heading": texts["section_conclusion"],
        "verdicts": [
            {
                "kind": f"decision {found.decision}",
                "word": conclusion_word(comparison, texts),
                "sentences": conclusion_sentences(comparison, found, texts),
                "value": None,
            }
        ],
        "notes": cautions(comparison, texts)[:_MOST_CAUTIONS],
    }


def _money(comparison, texts):
    """What each model costs, and what it costs to do without one."""
    kpis = comparison.kpis
    policies = [name for name in kpis.index if name not in comparison.predictions]
    order = sorted(comparison.models, key=lambda name: kpis.at[name, "cost"])
    rows = kpis.loc[[*order, *policies]]
    costs = column(rows["cost"], 4, rows["cost_low"], rows["cost_high"])
    plain = comparison.settings["cost_matrix"]
    notes = [texts["money_per"].format(confidence=level(comparison.confidence))]
    if all(cost == (row != name) for row, of in plain.items() for name, cost in of.items()):
        notes.append(texts["note_wrong_calls"])
    if comparison.prevalence is not None:
        notes.append(texts["note_prevalence"])
    return {
        "id": "money",
        "heading": texts["section_money"],
        "notes": notes,
        "tables": [
            {
                "id": "table-money",
                "caption": None,
                "head": [texts["estimator"], texts["cost"]],
                "rows": [
                    [word(_named(name, comparison, texts), head=True), cost]
                    for name, cost in zip(rows.index, costs, strict=True)
                ],
            }
        ],
    }


def _named(name, comparison, texts):
    return name if name in comparison.predictions else policy_name(name, texts)


def _sure(comparison, texts):
    """The verdict of each pair of models, and of the choice against doing without one."""
    rows = _deciding(comparison)
    differences = column(rows["difference"], 3, rows["ci_low"], rows["ci_high"])
    lines = [
        [
            word(texts["versus"].format(candidate=row.candidate, baseline=row.baseline), head=True),
            difference,
            shown(percent(row.prob_better, row.prob_needed), row.prob_better),
            word(texts[row.verdict], kind="word whole"),
        ]
        for row, difference in zip(rows.itertuples(), differences, strict=True)
    ]
    cost = comparison.metric == "cost"
    head = [
        texts["compared"],
        texts["policy_difference"] if cost else texts[comparison.metric],
        texts["prob_better"],
        texts["verdict"],
    ]
    return {
        "id": "sure",
        "heading": texts["section_sure"],
        "tables": [{"id": "table-sure", "caption": None, "head": head, "rows": lines}],
        "notes": [],
    }


def _deciding(comparison):
    """Rows of the metric that decides, of models that look at the features."""
    table = comparison.table
    rows = table[table["metric"] == comparison.metric]
    floors = {*comparison.floors}
    real = rows[
        [not floors & {*pair} for pair in zip(rows["candidate"], rows["baseline"], strict=True)]
    ]
    return real if len(real) else rows


def _next(comparison, texts):
    """What to do after this comparison."""
    found, rows = comparison.conclusion, _deciding(comparison)
    steps = []
    if found.decision == "use":
        baseline = rows.loc[rows["candidate"] == found.choice, "baseline"].iloc[0]
        steps += [texts["next_train"].format(choice=found.choice)]
        steps += [texts["next_shadow"].format(baseline=baseline)]
    elif found.decision == "neither":
        steps += [texts["next_costs"], texts["next_features"]]
    elif found.reason in ("worse", "equivalent"):
        costs = comparison.kpis["cost"]
        cheaper = comparison.metric == "cost" and costs[found.choice] < costs.get(TODAY, -np.inf)
        steps += [texts["next_today" if cheaper else "next_keep"].format(choice=found.choice)]
    elif found.reason == "inconclusive":
        open_rows = rows[rows["verdict"] == "inconclusive"].sort_values("needed_high")
        pairs = [
            texts["next_more"].format(
                pair=texts["versus"].format(candidate=row.candidate, baseline=row.baseline),
                sentence=sentence,
            )
            for row in open_rows.itertuples()
            for sentence in needed_sentences(row, comparison, texts)
        ]
        steps += pairs[:_MOST_NEEDED]
        if not (comparison.rope or {}).get(comparison.metric):
            steps += [texts["next_rope"]]
    steps += [texts["next_drivers"], texts["next_labels"].format(section=texts["section_suspects"])]
    return {"id": "next", "heading": texts["section_next"], "steps": steps}
