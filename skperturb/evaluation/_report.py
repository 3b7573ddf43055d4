"""The comparison as one page that needs nothing but a browser."""

from . import _plots as plots
from ._calibration import calibration_error, class_counts
from ._drivers_page import drivers_section
from ._first_page import first_page
from ._page import NEEDS, cell, column, exact, render, shown, word
from ._suspects_page import suspect_section
from ._svg import drawn
from ._texts import given, load, number, percent
from ._words import (
    cautions,
    level,
    pair_sentences,
    policy_name,
)

MAX_ESTIMATORS = 4  # with pictures of their own: more make a page that nobody reads
SMALLEST_P = 1e-4  # smaller p-values are shown as less than this


def report_html(comparison, *, lang="en", title=None, reading=None, currency=None):
    """What :meth:`~skperturb.evaluation.Comparison.to_html` returns."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(NEEDS) from error
    texts = load(lang, currency)
    title = texts["title"] if title is None else title
    return render(title, _sections(comparison, texts, reading or {}), texts)


def _sections(comparison, texts, reading):
    """What the page shows, in order: dicts of headings, paragraphs, tables and figures."""
    names = list(dict.fromkeys(name for pair in comparison.pairs for name in pair))
    few = len(comparison.classes) <= plots.MAX_CLASSES
    n_drawn = MAX_ESTIMATORS if few else MAX_ESTIMATORS // 2
    drawn, others = names[:n_drawn], names[n_drawn:]
    first = [section | {"kind": ""} for section in first_page(comparison, texts)]
    first[-1]["kind"] = "first"
    sections = [
        *first,
        suspect_section(comparison, texts, reading.get("lines")),
        _confusion(comparison, drawn, others, texts),
        _reliability(comparison, drawn, others, texts),
        _sensitivity(comparison, texts),
        _verdicts(comparison, texts),
        _kpis(comparison, texts),
        _differences(comparison, texts),
        {
            "id": "costs",
            "heading": texts["section_costs"],
            "notes": [texts["note_costs"]],
            "tables": [_cost_table(comparison, texts)],
        },
        *([_reading(reading, texts)] if reading else []),
        _method(comparison, comparison.table, texts),
    ]
    if reading.get("drivers"):
        sections.insert(len(first), drivers_section(comparison, reading["drivers"], texts))
    return sections


def _kpis(comparison, texts):
    return {
        "id": "kpis",
        "heading": texts["section_kpis"],
        "tables": [_kpi_table(comparison, texts), *_policy_tables(comparison, texts)],
        "notes": [texts["note_kpis"].format(confidence=level(comparison.confidence))],
    }


def _differences(comparison, texts):
    confidence = level(comparison.confidence)
    label = texts["figure_differences"].format(confidence=confidence)
    drawn = plots.plot_differences(comparison, texts, metrics=[comparison.metric])
    return {
        "id": "differences",
        "heading": texts["section_differences"],
        "notes": [texts["note_differences"].format(confidence=confidence)],
        "figures": [_figure(drawn, label, "differences", texts)],
        "tables": [_difference_table(comparison.table, texts)],
    }


def _confusion(comparison, drawn, others, texts):
    return {
        "id": "confusion",
        "heading": texts["section_confusion"],
        "notes": [texts["note_confusion"], *_left_out(others, texts)],
        "figures": [
            _figure(
                plots.plot_confusion(comparison, name, texts),
                texts["figure_confusion"].format(name=name),
                f"confusion{place}",
                texts,
            )
            for place, name in enumerate(drawn)
        ],
    }


def _reliability(comparison, drawn, others, texts):
    figure = plots.plot_reliability(comparison, drawn, texts)
    left_out = [*others, *plots.shown_classes(comparison)[1]]
    return {
        "id": "reliability",
        "heading": texts["section_reliability"],
        "notes": [texts["note_reliability"], *_left_out(left_out, texts), texts["note_ece"]],
        "figures": [_figure(figure, texts["figure_reliability"], "reliability", texts)],
        "tables": _calibration_tables(comparison, drawn, texts),
    }


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


def _verdicts(comparison, texts):
    """Each pair in full sentences."""
    table = comparison.table
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
    return {
        "id": "verdict",
        "heading": texts["section_verdict"],
        "verdicts": verdicts,
        "notes": [],
    }


# --- Tables


def _kpi_table(comparison, texts):
    kpis = comparison.kpis
    metrics = ["cost", "accuracy", "log_loss", "brier"]
    names = [
        name if name in comparison.predictions else policy_name(name, texts) for name in kpis.index
    ]
    columns = [[word(name, head=True) for name in names]]
    for metric in metrics:
        limits = kpis[f"{metric}_low"], kpis[f"{metric}_high"]
        columns.append(column(kpis[metric], 4, *limits))
    columns += [column(kpis["dear_mistakes"], 3), column(kpis["fit_seconds"], 3)]
    head = [texts[name] for name in ("estimator", *metrics, "dear_mistakes", "fit_seconds")]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return {"id": "table-kpis", "caption": None, "head": head, "rows": rows}


def _policy_tables(comparison, texts):
    """The models against the cheapest policy without a model, if the cost decides."""
    policies = comparison.policies
    if policies is None:
        return []
    differences = column(policies["difference"], 3, policies["ci_low"], policies["ci_high"])
    rows = [
        [
            word(row.candidate, head=True),
            difference,
            _probability(row.prob_better, row.prob_needed),
            word(texts[f"policy_{row.verdict}"], kind="word whole"),
        ]
        for row, difference in zip(policies.itertuples(), differences, strict=True)
    ]
    policy = policy_name(policies["baseline"].iloc[0], texts)
    columns = ("estimator", "policy_difference", "prob_cheaper", "verdict")
    return [
        {
            "id": "table-policies",
            "caption": texts["caption_policies"].format(policy=policy),
            "head": [texts[column] for column in columns],
            "rows": rows,
        }
    ]


def _difference_table(table, texts):
    """A row for each pair: the differences of all figures, and how sure the one that decides is."""
    pairs = list(dict.fromkeys(zip(table["candidate"], table["baseline"], strict=True)))
    rows = [[word(new, head=True), word(old)] for new, old in pairs]
    metrics = list(dict.fromkeys(table["metric"]))
    for metric in metrics:
        part = table[table["metric"] == metric]
        cells = column(part["difference"], 3, part["ci_low"], part["ci_high"])
        rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    deciding = table[table["verdict"] != ""]
    for row, of in zip(rows, deciding.itertuples(), strict=True):
        row.append(_probability(of.prob_better, of.prob_needed))
        row.append(_probability(of.prob_equivalent))
        row.append(word(_verdict(of, texts), kind="word whole"))
    columns = ("candidate", "baseline", *metrics, "prob_better", "prob_equivalent", "verdict")
    head = [texts[name] for name in columns]
    return {"id": "table-differences", "caption": None, "head": head, "rows": rows}


def _verdict(row, texts):
    return texts[row.verdict] if row.verdict else ""


def _probability(share, limit=None):
    return shown(percent(share, limit), share)


def _calibration_tables(comparison, names, texts):
    """Rows are classes, columns are models."""
    labels = [*comparison.classes.tolist(), texts["top_label"]]
    counted = class_counts(
        comparison.y, comparison.predictions[names[0]].proba[0], comparison.classes
    )
    errors = [[word(label, head=True) for label in labels]]
    counts = [errors[0][:-1], [shown(f"{n:,}", n) for n in counted["observed"]]]
    for name in names:
        # As in the study, where the counts are known, not as converted to the line.
        proba = comparison.predictions[name].proba[0]
        ece = calibration_error(
            comparison.y, proba, comparison.classes, random_state=comparison.random_state
        )
        errors.append(column(ece["ece"], 3, ece["expected_if_perfect"], ece["q95_if_perfect"]))
        found = class_counts(comparison.y, proba, comparison.classes)
        of_class = column(found["expected"], 4)
        for one, error in zip(of_class, found["std_err"], strict=True):
            one["ci"], one["before"] = [(number(error, 2), exact(error))], "\u00b1"
        counts.append(of_class)
    return [
        {
            "id": "table-ece",
            "caption": texts["caption_ece"],
            "head": [texts["class"], *names],
            "rows": [list(row) for row in zip(*errors, strict=True)],
        },
        {
            "id": "table-counts",
            "caption": texts["caption_counts"],
            "head": [texts["class"], texts["observed"], *names],
            "rows": [list(row) for row in zip(*counts, strict=True)],
        },
    ]


def _sensitivity(comparison, texts):
    section = {"id": "sensitivity", "heading": texts["section_sensitivity"]}
    if comparison.good is None:
        return section | {"notes": [texts["no_good"]]}
    table = comparison.sensitivity()
    cells = column(table["difference"], 3, table["ci_low"], table["ci_high"])
    for one, row in zip(cells, table.itertuples(), strict=True):
        one["after"] = _verdict(row, texts)
    pairs, n = comparison.pairs, len(comparison.pairs)
    factors = table["factor"].tolist()[::n]
    rows = [
        [shown(given(factor), factor) | {"head": True}, *cells[k * n : (k + 1) * n]]
        for k, factor in enumerate(factors)
    ]
    versus = [texts["versus"].format(candidate=new, baseline=old) for new, old in pairs]
    figure = plots.plot_sensitivity(comparison, texts, table=table)
    return section | {
        "notes": [texts["note_sensitivity"].format(good=comparison.good)],
        "figures": [_figure(figure, texts["figure_sensitivity"], "sensitivity", texts)],
        "tables": [
            {
                "id": "table-sensitivity",
                "caption": None,
                "head": [texts["factor"], *versus],
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
        "method_cautions": " ".join(cautions(comparison, texts)) or texts["none"],
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
        for row in deciding.itertuples()
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
    return drawn(figure, label, prefix, texts["lang"])
