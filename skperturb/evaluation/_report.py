"""The comparison as one page that needs nothing but a browser."""

import io
import math
import re
from xml.etree import ElementTree

import numpy as np

from . import _plots as plots
from ._calibration import calibration_error, class_counts
from ._texts import given, load, number, numbers, percent

__all__ = ["report_html"]

MAX_ESTIMATORS = 4  # of which there are pictures


def report_html(comparison, *, lang="en", title=None):
    """One self-contained HTML page: verdicts, key figures, pictures and method.

    It has its style and pictures inside, no script and no outside address, and prints on A4.
    Each number's full precision is in the ``data-value`` of its cell.

    Parameters
    ----------
    comparison : Comparison
        Result of :func:`~skperturb.evaluation.compare_classifiers`.
    lang : {"en", "ja"}, default="en"
        Language of the page.
    title : str, default=None
        Heading; None for a standard one.

    Returns
    -------
    str

    Raises
    ------
    ImportError
        If jinja2 or matplotlib is not installed.
    ValueError
        If there are no texts in that language.
    """
    try:
        import jinja2
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "The report needs jinja2 and matplotlib: pip install 'skperturb[report]'."
        ) from error
    texts = load(lang)
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    page = environment.from_string(_PAGE).render(
        t=texts,
        title=texts["title"] if title is None else title,
        sections=_sections(comparison, texts),
    )
    # Characters that no page may hold.
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", page)


def _sections(comparison, texts):
    """What the page shows, in order: dicts of headings, paragraphs, tables and figures."""
    table = comparison.table_
    names = list(dict.fromkeys(name for pair in comparison.pairs for name in pair))
    few = len(comparison.classes) <= plots.MAX_CLASSES
    n_drawn = MAX_ESTIMATORS if few else MAX_ESTIMATORS // 2
    drawn = names[:n_drawn]
    confidence = given(100 * comparison.confidence) + "\u00a0%"
    sections = [
        _verdicts(comparison, table, texts),
        {
            "id": "kpis",
            "heading": texts["section_kpis"],
            "tables": [_kpi_table(comparison, texts)],
            "notes": [texts["note_kpis"].format(confidence=confidence)],
        },
        {
            "id": "differences",
            "heading": texts["section_differences"],
            "notes": [texts["note_differences"].format(confidence=confidence)],
            "figures": [
                _draw(
                    plots.plot_differences(comparison, texts, table=table),
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
                _draw(
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
                _draw(
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
        _method(comparison, table, texts),
    ]
    parts = ("verdicts", "notes", "entries", "figures", "tables")
    return [dict.fromkeys(parts, ()) | section for section in sections]


def _left_out(names, texts):
    return [texts["left_out"].format(names=", ".join(map(str, names)))] if names else []


# --- Verdicts


def _verdicts(comparison, table, texts):
    rows = table[table["metric"] == "cost"]
    verdicts = [
        {
            "kind": row.verdict,
            "word": texts[row.verdict],
            "sentences": _sentences(row, comparison, texts),
            "value": _exact(row.difference),
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


def _sentences(row, comparison, texts):
    """A pair's verdict on the cost in plain words, how sure it is, and what would settle it."""
    rope = (comparison.rope or {}).get("cost")
    words = {
        "candidate": row.candidate,
        "baseline": row.baseline,
        "confidence": given(100 * comparison.confidence) + "\u00a0%",
        "parts": f"{len(comparison.y):,}",
        "pairs": len(comparison.pairs),
        "rope": given(rope or 0),
    }
    if row.verdict == "inconclusive" and row.difference == 0 and row.se == 0:
        return [texts["verdict_same"].format(**words)]
    amount, low, high = numbers([row.difference, row.ci_low, row.ci_high])
    if row.verdict == "better":  # what is saved
        amount, low, high = numbers([-row.difference, -row.ci_high, -row.ci_low])
    prob = {"better": row.prob_better, "equivalent": row.prob_equivalent}
    prob["worse"] = max(1 - row.prob_better - row.prob_equivalent, 0.0)
    words |= {"amount": amount, "low": low, "high": high}
    words["probability"] = percent(prob["equivalent"])
    sentences = [texts[f"verdict_{row.verdict}"].format(**words)]
    if row.verdict != "equivalent":
        side, sure = ("worse", "sure_dearer") if row.difference > 0 else ("better", "sure_cheaper")
        words["probability"] = percent(prob[side])
        sentences.append(texts[sure + ("_rope" if rope else "")].format(**words))
    if row.verdict == "inconclusive":
        more = row.parts_needed - len(comparison.y)
        if row.parts_needed > 101 * len(comparison.y):
            sentences.append(texts["more_parts_cap"])
        elif more > 0:
            rounded = max(round(float(f"{more:.1e}")), 1)
            sentences.append(texts["more_parts"].format(more=f"{rounded:,}"))
        elif len(comparison.pairs) > 1:
            sentences.append(texts["more_parts_holm"].format(**words))
    return sentences


# --- Tables: a cell is a text, with the exact number and those of its interval if it has them


def _exact(value):
    value = math.nan if value is None else float(value)
    return repr(value) if math.isfinite(value) else None


def _shown(text, value):
    return {"text": text, "value": _exact(value), "ci": [], "kind": None, "head": False}


def _cell(value, digits=3, low=None, high=None):
    if low is None:
        return _shown(number(value, digits), value)
    if not np.isfinite([value, low, high]).all():
        return _shown(number(value, digits), value)
    text, *ends = numbers([value, low, high], digits)
    exact = (_exact(low), _exact(high))
    return _shown(text, value) | {"ci": list(zip(ends, exact, strict=True))}


def _word(text, *, head=False, kind="word"):
    return _shown(str(text), None) | {"head": head, "kind": kind}


def _kpi_table(comparison, texts):
    kpis = comparison.kpis_
    metrics = ["cost", "accuracy", "log_loss", "brier"]
    rows = []
    for place, (name, row) in enumerate(kpis.iterrows()):
        policy = place >= len(comparison.predictions_)
        cells = [_word(_policy(name, texts) if policy else name, head=True)]
        for metric in metrics:
            cells.append(_cell(row[metric], 4, row[f"{metric}_low"], row[f"{metric}_high"]))
        rows.append([*cells, _cell(row["fit_seconds"])])
    head = [texts[column] for column in ("estimator", *metrics, "fit_seconds")]
    return {"id": "table-kpis", "caption": None, "head": head, "rows": rows}


def _policy(name, texts):
    """Name of a policy that needs no classifier, as in ``kpis_``."""
    for policy in ("pass all", "best constant"):
        if name.startswith(f"({policy}: "):
            decision = name.removeprefix(f"({policy}: ").removesuffix(")")
            return texts[f"policy_{policy.replace(' ', '_')}"].format(decision=decision)
    return texts["policy_perfect"] if name == "(perfect)" else name


def _difference_table(table, texts):
    rows = []
    for row in table.itertuples():
        rows.append(
            [
                _word(texts[row.metric], head=True),
                _word(row.candidate),
                _word(row.baseline),
                _cell(row.candidate_mean, 4),
                _cell(row.baseline_mean, 4),
                _cell(row.difference, 3, row.ci_low, row.ci_high),
                _probability(row.prob_better),
                _probability(row.prob_equivalent),
                _word(texts[row.verdict], kind="word whole"),
            ]
        )
    columns = ("metric", "candidate", "baseline", "candidate_mean", "baseline_mean", "difference")
    head = [texts[c] for c in (*columns, "prob_better", "prob_equivalent", "verdict")]
    return {"id": "table-differences", "caption": None, "head": head, "rows": rows}


def _probability(share):
    return _shown(percent(share), share)


def _calibration_tables(comparison, names, texts):
    errors, counts = [], []
    for name in names:
        # As in the study, where the counts are known, not as converted to the line.
        proba = comparison.predictions_[name].proba[0]
        table = calibration_error(
            comparison.y, proba, comparison.classes, random_state=comparison.random_state
        )
        labels = [*comparison.classes.tolist(), texts["top_label"]]
        for label, row in zip(labels, table.itertuples(), strict=True):
            cells = (row.ece, row.expected_if_perfect, row.q95_if_perfect)
            errors.append([_word(name, head=True), _word(label), *map(_cell, cells)])
        for row in class_counts(comparison.y, proba, comparison.classes).itertuples():
            observed = _shown(f"{row.observed:,}", row.observed)
            cells = [observed, _cell(row.expected, 4), _cell(row.std_err)]
            counts.append([_word(name, head=True), _word(row[1]), *cells])
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
            _cell(row.factor) | {"text": given(row.factor)},
            _word(row.candidate),
            _word(row.baseline),
            _cell(row.difference, 3, row.ci_low, row.ci_high),
            _probability(row.prob_better),
            _word(texts[row.verdict], kind="word whole"),
        ]
        for row in table.itertuples()
    ]
    columns = ("factor", "candidate", "baseline", "cost_difference", "prob_better", "verdict")
    figure = plots.plot_sensitivity(comparison, texts, table=table)
    return section | {
        "notes": [texts["note_sensitivity"].format(good=comparison.good)],
        "figures": [_draw(figure, texts["figure_sensitivity"], "sensitivity", texts)],
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
        [_word(label, head=True), *(_cell(cost) | {"text": given(cost)} for cost in row)]
        for label, row in zip(costs.index, costs.to_numpy(), strict=True)
    ]
    head = [f"{texts['truth']} \\ {texts['decision']}", *map(str, costs.columns)]
    return {"id": "table-costs", "caption": None, "head": head, "rows": rows}


def _method(comparison, table, texts):
    settings = comparison.settings
    words = {**settings, "parts": f"{settings['parts']:,}", "pairs": len(comparison.pairs)}
    words["confidence"] = given(100 * comparison.confidence) + "\u00a0%"
    messages = {
        name: len(out.messages) for name, out in comparison.predictions_.items() if out.messages
    }
    ropes = {texts[metric]: f"±{given(rope)}" for metric, rope in settings["rope"].items()}
    shares = {label: f"{share:.4g}" for label, share in (settings["prevalence"] or {}).items()}
    entries = {
        "method_folds": texts["method_folds_text"].format(**words),
        "method_groups": texts["method_no_groups"]
        if settings["groups"] is None
        else texts["method_groups_text"].format(**words),
        "method_test": texts["method_test_text"].format(**words),
        "method_intervals": texts["method_intervals_text"],
        "method_rope": _listed(ropes) or texts["method_no_rope"],
        "method_prevalence": _listed(shares) or texts["method_no_prevalence"],
        "method_messages": _listed(messages) or texts["none"],
        "method_versions": _listed(settings["versions"], " "),
    }
    rows = [
        [
            _word(texts[row.metric], head=True),
            _word(row.candidate),
            _word(row.baseline),
            _cell(row.se),
            _shown(f"{row.df}", row.df),
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
    return _shown("< 0.0001" if p < 1e-4 else f"{p:.4f}", p)


# --- Figures


def _draw(figure, label, prefix, texts):
    """A figure as SVG for the page, with its description."""
    from markupsafe import Markup
    from matplotlib import rc_context

    file = io.StringIO()
    with (
        plots.style(texts["lang"]),
        rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix, "savefig.transparent": True}),
    ):
        figure.savefig(file, format="svg", metadata={"Date": None})
    svg = _inline(ElementTree.fromstring(file.getvalue()), prefix, label)
    return {"label": label, "svg": Markup(svg)}


def _inline(svg, prefix, label):
    """An SVG for use in HTML: no namespaces, metadata, styles for the page or needless ids."""
    for parent in list(svg.iter()):
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    used = set()
    for element in svg.iter():
        element.tag = _local(element.tag)
        attributes = {_local(key): value for key, value in element.attrib.items()}
        for key, value in attributes.items():
            if key == "href" and value.startswith("#"):
                used.add(value[1:])
            used.update(re.findall(r"url\(#([^)]+)\)", value))
            if key in ("d", "x", "y", "width", "height", "transform", "points"):
                attributes[key] = re.sub(r"\d+\.\d{3,}", _rounded, " ".join(value.split()))
            elif key == "style":  # the page has its fonts
                value = re.sub(r"font: .*?([\d.]+)px [^;]*", r"font-size: \1px", value)
                attributes[key] = re.sub(r"font-family: [^;]*;? ?", "", value)
        if attributes.get("transform", "").startswith("rotate(-0 "):
            del attributes["transform"]
        if element.tag != "text":
            element.text = None
        element.tail = None
        element.attrib.clear()
        element.attrib.update(attributes)
    for element in svg.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", f"{prefix}-{name}")
        for key, value in element.attrib.items():
            if key == "href" and value.startswith("#"):
                element.set(key, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}-"))
    for key in ("width", "height", "version"):
        svg.attrib.pop(key, None)
    svg.set("role", "img")
    svg.set("aria-label", plots.plain(label))
    return ElementTree.tostring(svg, encoding="unicode")


def _local(name):
    return name.rpartition("}")[2]


def _rounded(match):
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


_PAGE = """\
<!DOCTYPE html>
<html lang="{{ t.lang }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.25rem 3rem; max-width: 72rem; color: #1a1a1a;
  background: #fff; line-height: 1.5; overflow-wrap: anywhere;
  font-family: system-ui, "Segoe UI", "Helvetica Neue", Arial, "Hiragino Sans",
    "Yu Gothic", Meiryo, "Noto Sans CJK JP", "Noto Sans JP", IPAexGothic, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 0.6rem; padding-bottom: 0.2rem;
  border-bottom: 2px solid #d0d0d0; break-after: avoid; }
p { margin: 0.4rem 0; max-width: 48rem; }
.note { color: #4a4a4a; font-size: 0.9rem; }
.verdict { border-left: 0.45rem solid #595959; background: #f4f4f4; padding: 0.6rem 1rem;
  margin: 0.6rem 0; break-inside: avoid; }
.verdict p { max-width: none; font-size: 1.08rem; }
.verdict .word { font-weight: 700; font-size: 0.95rem; color: #595959; }
.better { border-color: #0072b2; } .better .word { color: #0072b2; }
.worse { border-color: #d55e00; } .worse .word { color: #a84a00; }
.equivalent { border-color: #009e73; } .equivalent .word { color: #00714f; }
.box { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
th, td { padding: 0.3rem 0.7rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid #ddd; overflow-wrap: normal; white-space: nowrap; }
thead th { white-space: normal; vertical-align: bottom; border-bottom: 2px solid #999;
  min-width: 4.5rem; }
tbody th, td.word, thead th.word { text-align: left; font-weight: inherit; white-space: normal;
  overflow-wrap: break-word; max-width: 18rem; }
tbody th { min-width: 7rem; }
tbody td.whole { white-space: nowrap; }
thead th, thead th.word { font-weight: 600; }
tbody th { font-weight: 600; }
.ci { display: block; color: #4a4a4a; font-size: 0.85em; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0.5rem 0; flex: 1 1 27rem; max-width: 34rem; min-width: 0;
  break-inside: avoid; }
svg { display: block; width: 100%; height: auto; overflow: visible;
  stroke-linejoin: round; stroke-linecap: butt; }
svg text { font-family: inherit; white-space: pre; }
figcaption { font-size: 0.85rem; color: #4a4a4a; }
#method { background: #f4f4f4; padding: 0.2rem 1rem 0.8rem; margin-top: 2.2rem; }
#method h2 { margin-top: 0.6rem; }
dl { display: grid; grid-template-columns: minmax(7rem, 14rem) 1fr; gap: 0.35rem 1rem;
  font-size: 0.92rem; }
dt { font-weight: 600; } dd { margin: 0; }
@media (max-width: 40rem) {
  body { padding: 0.5rem 0.75rem 2rem; }
  h1 { font-size: 1.35rem; }
  dl { display: block; } dd { margin-bottom: 0.5rem; }
  th, td { padding: 0.25rem 0.45rem; }
}
@page { size: A4; margin: 14mm 12mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt;
    print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .box { overflow: visible; }
  table { font-size: 8.5pt; }
  th, td { padding: 0.2rem 0.35rem; white-space: normal; }
  tbody th, td.word { min-width: 15mm; overflow-wrap: anywhere; }
  thead th, thead th.word { min-width: 0; overflow-wrap: normal; }
  p { break-inside: avoid; } .note { break-after: avoid; }
  .ci { white-space: nowrap; }
  tr { break-inside: avoid; } thead { display: table-header-group; }
  figure { flex-basis: 40%; max-width: 90mm; }
}
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for section in sections %}
<section id="{{ section.id }}">
<h2>{{ section.heading }}</h2>
{% for verdict in section.verdicts %}
<div class="verdict {{ verdict.kind }}"{% if verdict.value %} data-value="{{ verdict.value }}"
  {%- endif %}>
<div class="word">{{ verdict.word }}</div>
{% for sentence in verdict.sentences %}
<p>{{ sentence }}</p>
{% endfor %}
</div>
{% endfor %}
{% for note in section.notes %}
<p class="note">{{ note }}</p>
{% endfor %}
{% if section.entries %}
<dl>
{% for term, text in section.entries %}
<dt>{{ term }}</dt><dd>{{ text }}</dd>
{% endfor %}
</dl>
{% endif %}
{% if section.figures %}
<div class="figures">
{% for figure in section.figures %}
<figure>
{{ figure.svg }}
<figcaption>{{ figure.label }}</figcaption>
</figure>
{% endfor %}
</div>
{% endif %}
{% for table in section.tables %}
<div class="box">
<table id="{{ table.id }}">
{% if table.caption %}
<caption>{{ table.caption }}</caption>
{% endif %}
<thead><tr>
{% for text in table.head %}
<th scope="col"{% if table.rows and table.rows[0][loop.index0].kind %} class="word"{% endif %}>
{{- text }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in table.rows %}
<tr>
{% for cell in row %}
{% if cell.head %}
<th scope="row">{{ cell.text }}</th>
{% else %}
<td{% if cell.kind %} class="{{ cell.kind }}"{% endif %}
  {%- if cell.value %} data-value="{{ cell.value }}"{% endif %}>{{ cell.text }}
{%- if cell.ci %}
<span class="ci">[
  {%- for text, exact in cell.ci -%}
  <span{% if exact %} data-value="{{ exact }}"{% endif %}>{{ text }}</span>
  {%- if not loop.last %}, {% endif %}
  {%- endfor -%}
]</span>
{%- endif %}</td>
{% endif %}
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endfor %}
</section>
{% endfor %}
</body>
</html>
"""
