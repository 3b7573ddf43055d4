"""The comparison as one page that needs nothing but a browser."""

import numpy as np

from . import _plots as plots
from ._calibration import calibration_error, class_counts
from ._page import NEEDS, cell, exact, render, shown, word
from ._suspects_page import suspect_section
from ._svg import draw
from ._texts import given, load, percent
from ._words import (
    cautions,
    conclusion_sentences,
    conclusion_word,
    level,
    pair_sentences,
    policy_name,
)

MAX_ESTIMATORS = 4  # with pictures of their own: more make a page that nobody reads
SMALLEST_P = 1e-4  # smaller p-values are shown as less than this


def report_html(comparison, *, lang="en", title=None, reading=None):
    """What :meth:`~skperturb.evaluation.Comparison.to_html` returns."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(NEEDS) from error
    texts = load(lang)
    title = texts["title"] if title is None else title
    return render(title, _sections(comparison, texts, reading), texts)


def _sections(comparison, texts, reading=None):
    """What the page shows, in order: dicts of headings, paragraphs, tables and figures."""
    table = comparison.table
    names = list(dict.fromkeys(name for pair in comparison.pairs for name in pair))
    few = len(comparison.classes) <= plots.MAX_CLASSES
    n_drawn = MAX_ESTIMATORS if few else MAX_ESTIMATORS // 2
    drawn = names[:n_drawn]
    confidence = level(comparison.confidence)
    sections = [
        _conclusion(comparison, texts),
        _verdicts(comparison, table, texts),
        {
            "id": "kpis",
            "heading": texts["section_kpis"],
            "tables": [_kpi_table(comparison, texts), *_policy_tables(comparison, texts)],
            "notes": [texts["note_kpis"].format(confidence=confidence)],
        },
        {
            "id": "differences",
            "heading": texts["section_differences"],
            "notes": [texts["note_differences"].format(confidence=confidence)],
            "figures": [
                _figure(
                    plots.plot_differences(comparison, texts),
                    texts["figure_differences"].format(confidence=confidence),
                    "differences",
                    texts,
                )
            ],
            "tables": [_difference_table(table, texts)],
        },
        {
            "id": "confusion",
            "heading": texts["section_confusion"],
            "notes": [texts["note_confusion"], *_left_out(names[n_drawn:], texts)],
            "figures": [
                _figure(
                    plots.plot_confusion(comparison, name, texts),
                    texts["figure_confusion"].format(name=name),
                    f"confusion{place}",
                    texts,
                )
                for place, name in enumerate(drawn)
            ],
        },
        {
            "id": "reliability",
            "heading": texts["section_reliability"],
            "notes": [
                texts["note_reliability"],
                *_left_out(names[n_drawn:] + plots.shown_classes(comparison)[1], texts),
                texts["note_ece"],
            ],
            "figures": [
                _figure(
                    plots.plot_reliability(comparison, drawn, texts),
                    texts["figure_reliability"],
                    "reliability",
                    texts,
                )
            ],
            "tables": _calibration_tables(comparison, drawn, texts),
        },
        _sensitivity(comparison, texts),
        {
            "id": "costs",
            "heading": texts["section_costs"],
            "notes": [texts["note_costs"]],
            "tables": [_cost_table(comparison, texts)],
        },
        suspect_section(comparison, texts, (reading or {}).get("lines")),
        _method(comparison, table, texts),
    ]
    if reading is not None:
        sections.append(_reading(reading, texts))
    return sections


def _reading(reading, texts):
    """How the file was read, and by which command."""
    facts = ("command", "date", "version")
    return {
        "id": "reading",
        "heading": texts["section_reading"],
        "entries": [(texts[f"reading_{fact}"], reading[fact]) for fact in facts if fact in reading],
        "notes": list(reading.get("notes", ())) or [texts["reading_nothing"]],
    }


def _left_out(names, texts):
    return [texts["left_out"].format(names=", ".join(map(str, names)))] if names else []


# --- Conclusion and verdicts


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
        "notes": cautions(comparison, texts),
    }


def _verdicts(comparison, table, texts):
    rows = table[table["metric"] == comparison.metric]
    verdicts = [
        {
            "kind": row.verdict,
            "word": texts[row.verdict],
            "sentences": pair_sentences(row, comparison, texts),
            "value": exact(row.difference),
        }
        for row in rows.itertuples()
    ]
    costs = comparison.cost_matrix
    wrong = costs.index.to_numpy()[:, None] != costs.columns.to_numpy()
    plain = costs.shape[0] == costs.shape[1] and np.array_equal(costs.to_numpy(), wrong)
    notes = [texts["note_wrong_calls" if plain else "note_unit"]]
    if comparison.prevalence is not None:
        notes.append(texts["note_prevalence"])
    return {
        "id": "verdict",
        "heading": texts["section_verdict"],
        "verdicts": verdicts,
        "notes": notes,
    }


# --- Tables


def _kpi_table(comparison, texts):
    kpis = comparison.kpis
    metrics = ["cost", "accuracy", "log_loss", "brier"]
    rows = []
    for place, (name, row) in enumerate(kpis.iterrows()):
        policy = place >= len(comparison.predictions)
        cells = [word(policy_name(name, texts) if policy else name, head=True)]
        for metric in metrics:
            cells.append(cell(row[metric], 4, row[f"{metric}_low"], row[f"{metric}_high"]))
        rows.append([*cells, cell(row["dear_mistakes"]), cell(row["fit_seconds"])])
    columns = ("estimator", *metrics, "dear_mistakes", "fit_seconds")
    head = [texts[column] for column in columns]
    return {"id": "table-kpis", "caption": None, "head": head, "rows": rows}


def _policy_tables(comparison, texts):
    """The models against the cheapest policy without a model, if the cost decides."""
    policies = comparison.policies
    if policies is None:
        return []
    rows = [
        [
            word(row.candidate, head=True),
            word(policy_name(row.baseline, texts)),
            cell(row.difference, 3, row.ci_low, row.ci_high),
            _probability(row.prob_better, row.prob_needed),
            word(texts[f"policy_{row.verdict}"], kind="word whole"),
        ]
        for row in policies.itertuples()
    ]
    columns = ("estimator", "policy", "policy_difference", "prob_cheaper", "verdict")
    return [
        {
            "id": "table-policies",
            "caption": texts["caption_policies"],
            "head": [texts[column] for column in columns],
            "rows": rows,
        }
    ]


def _difference_table(table, texts):
    rows = []
    for row in table.itertuples():
        rows.append(
            [
                word(texts[row.metric], head=True),
                word(row.candidate),
                word(row.baseline),
                cell(row.candidate_mean, 4),
                cell(row.baseline_mean, 4),
                cell(row.difference, 3, row.ci_low, row.ci_high),
                _probability(row.prob_better, row.prob_needed),
                _probability(row.prob_equivalent),
                word(_verdict(row, texts), kind="word whole"),
            ]
        )
    columns = ("metric", "candidate", "baseline", "candidate_mean", "baseline_mean", "difference")
    head = [texts[c] for c in (*columns, "prob_better", "prob_equivalent", "verdict")]
    return {"id": "table-differences", "caption": None, "head": head, "rows": rows}


def _verdict(row, texts):
    return texts[row.verdict] if row.verdict else ""


def _probability(share, limit=None):
    return shown(percent(share, limit), share)


def _calibration_tables(comparison, names, texts):
    errors, counts = [], []
    for name in names:
        # As in the study, where the counts are known, not as converted to the line.
        proba = comparison.predictions[name].proba[0]
        table = calibration_error(
            comparison.y, proba, comparison.classes, random_state=comparison.random_state
        )
        labels = [*comparison.classes.tolist(), texts["top_label"]]
        for label, row in zip(labels, table.itertuples(), strict=True):
            cells = (row.ece, row.expected_if_perfect, row.q95_if_perfect)
            errors.append([word(name, head=True), word(label), *map(cell, cells)])
        for row in class_counts(comparison.y, proba, comparison.classes).itertuples():
            observed = shown(f"{row.observed:,}", row.observed)
            cells = [observed, cell(row.expected, 4), cell(row.std_err)]
            counts.append([word(name, head=True), word(row[1]), *cells])
    first = [texts["estimator"], texts["class"]]
    return [
        {
            "id": "table-ece",
            "caption": texts["caption_ece"],
            "head": first + [texts[c] for c in ("ece", "expected_if_perfect", "q95_if_perfect")],
            "rows": errors,
        },
        {
            "id": "table-counts",
            "caption": texts["caption_counts"],
            "head": first + [texts[c] for c in ("observed", "expected", "std_err")],
            "rows": counts,
        },
    ]


def _sensitivity(comparison, texts):
    section = {"id": "sensitivity", "heading": texts["section_sensitivity"]}
    if comparison.good is None:
        return section | {"notes": [texts["no_good"]]}
    table = comparison.sensitivity()
    rows = [
        [
            cell(row.factor) | {"text": given(row.factor)},
            word(row.candidate),
            word(row.baseline),
            cell(row.difference, 3, row.ci_low, row.ci_high),
            _probability(row.prob_better, row.prob_needed),
            word(_verdict(row, texts), kind="word whole"),
        ]
        for row in table.itertuples()
    ]
    columns = ("factor", "candidate", "baseline", "cost_difference", "prob_better", "verdict")
    figure = plots.plot_sensitivity(comparison, texts, table=table)
    return section | {
        "notes": [texts["note_sensitivity"].format(good=comparison.good)],
        "figures": [_figure(figure, texts["figure_sensitivity"], "sensitivity", texts)],
        "tables": [
            {
                "id": "table-sensitivity",
                "caption": None,
                "head": [texts[column] for column in columns],
                "rows": rows,
            }
        ],
    }


def _cost_table(comparison, texts):
    costs = comparison.cost_matrix
    rows = [
        [word(label, head=True), *(cell(cost) | {"text": given(cost)} for cost in row)]
        for label, row in zip(costs.index, costs.to_numpy(), strict=True)
    ]
    head = [f"{texts['truth']} \\ {texts['decision']}", *map(str, costs.columns)]
    return {"id": "table-costs", "caption": None, "head": head, "rows": rows}


def _method(comparison, table, texts):
    settings = comparison.settings
    deciding = table[table["metric"] == comparison.metric]
    words = settings | {
        "parts": f"{settings['parts']:,}",
        "parts_before": f"{comparison.n_before:,}",
        "pairs": len(comparison.pairs),
        "confidence": level(comparison.confidence),
        "df": int(deciding["df"].iloc[0]),
        "metric": texts[comparison.metric],
        "needed": level(deciding["prob_needed"].max()),
    }
    forward = comparison.n_before > 0
    test = "part" if comparison.test == "per_part" else "time" if forward else "text"
    messages = {
        name: len(out.messages) for name, out in comparison.predictions.items() if out.messages
    }
    ropes = {texts[metric]: f"±{given(rope)}" for metric, rope in settings["rope"].items()}
    shares = {label: f"{share:.4g}" for label, share in (settings["prevalence"] or {}).items()}
    entries = {
        "method_folds": texts["method_time_text" if forward else "method_folds_text"],
        "method_groups": texts[
            "method_no_groups" if settings["groups"] is None else "method_groups_text"
        ],
        "method_weights": texts[
            "method_weights_text" if settings["weighted"] else "method_no_weights"
        ],
        "method_test": texts[f"method_test_{test}"],
        "method_rule": texts["method_rule_text"],
        "method_probabilities": texts["method_probabilities_text"],
        "method_policies": texts["method_policies_text"],
        "method_intervals": texts["method_intervals_text"],
    }
    entries = {key: text.format(**words) for key, text in entries.items()}
    entries |= {
        "method_rope": _listed(ropes) or texts["method_no_rope"],
        "method_prevalence": _listed(shares) or texts["method_no_prevalence"],
        "method_messages": _listed(messages) or texts["none"],
        "method_versions": _listed(settings["versions"], " "),
    }
    rows = [
        [
            word(texts[row.metric], head=True),
            word(row.candidate),
            word(row.baseline),
            cell(row.se),
            shown(f"{row.df}", row.df),
            _p_value(row.p_value),
            _p_value(row.p_holm),
        ]
        for row in table.itertuples()
    ]
    columns = ("metric", "candidate", "baseline", "se", "df", "p_value", "p_holm")
    tests = {
        "id": "table-tests",
        "caption": texts["caption_tests"],
        "head": [texts[column] for column in columns],
        "rows": rows,
    }
    return {
        "id": "method",
        "heading": texts["section_method"],
        "entries": [(texts[key], text) for key, text in entries.items()],
        "tables": [tests],
    }


def _listed(items, between=": "):
    return ", ".join(f"{key}{between}{value}" for key, value in items.items())


def _p_value(p):
    return shown(f"< {SMALLEST_P:.4f}" if p < SMALLEST_P else f"{p:.4f}", p)


def _figure(figure, label, prefix, texts):
    from markupsafe import Markup

    return {"label": label, "svg": Markup(draw(figure, label, prefix, texts["lang"]))}
