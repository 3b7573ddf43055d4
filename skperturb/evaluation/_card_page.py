"""A trained model on a page: what it is, how well it does, and where it comes from."""

import math

from ._page import cell, render, shown, word
from ._texts import given, load, number, numbers, percent
from ._words import policy_name

_MOST_COLUMNS = 60  # of the training file, that the page lists
_TIMES = 1.96  # standard errors on either side of a figure
_METRICS = ("cost", "accuracy", "log_loss", "brier")


def model_card_html(account, *, lang="en", title=None):
    """The account of a model file as one HTML page.

    Parameters
    ----------
    account : dict
        That of a ``SavedModel``, as ``skperturb train`` writes it.
    lang : {"en", "ja"}, default="en"
        Language of the page.
    title : str, default=None
        Heading.
    """
    texts = load(lang)
    sections = [
        {
            "id": "summary",
            "heading": texts["section_card"],
            "verdicts": [
                {
                    "kind": "decision keep",
                    "word": _name(account),
                    "sentences": _sentences(account, texts),
                    "value": None,
                }
            ],
        },
        {
            "id": "performance",
            "heading": texts["section_card_performance"],
            "notes": [_method(account, texts), texts["note_card_interval"]],
            "tables": [_figures(account, texts), _classes(account, texts)],
        },
        {
            "id": "use",
            "heading": texts["section_card_use"],
            "notes": _use(account, texts),
        },
        *_costs(account, texts),
        {
            "id": "columns",
            "heading": texts["section_card_columns"],
            "notes": _more_columns(account, texts),
            "tables": [_columns(account, texts)],
        },
        {
            "id": "reading",
            "heading": texts["section_reading"],
            "entries": _facts(account, texts),
            "notes": list(account["notes"]) or [texts["reading_nothing"]],
        },
    ]
    if title is None:
        title = texts["title_card"].format(source=account["source"])
    return render(title, sections, texts)


def model_summary(account, lang="en"):
    """The account in a few sentences."""
    texts = load(lang)
    return [*_sentences(account, texts), _method(account, texts)]


def _name(account):
    """The name of the classifier, with its noise if it has one."""
    noise = account.get("noise")
    return account["estimator"] + (f" ({noise})" if noise else "")


def _sentences(account, texts):
    parts, figures = account["parts"], account["performance"]
    key = "card_fitted" if parts["lots"] is None else "card_fitted_lots"
    words = {
        "parts": f"{parts['number']:,}",
        "lots": f"{parts['lots'] or 0:,}",
        "source": account["source"],
        "target": account["target"],
        "estimator": _name(account),
    }
    out = [texts[key].format(**words)]
    value, error = figures["accuracy"]["value"], figures["accuracy"]["std_err"]
    low, high = max(0.0, value - _TIMES * error), min(1.0, value + _TIMES * error)
    ends = {"value": percent(value), "low": percent(low), "high": percent(high)}
    out.append(texts["card_accuracy"].format(**ends))
    if "cost" in figures:
        cost, policy = figures["cost"], min(figures["policies"], key=lambda one: one["value"])
        half = _TIMES * cost["std_err"]
        value, low, high, other = numbers(
            [cost["value"], cost["value"] - half, cost["value"] + half, policy["value"]], 4
        )
        words = {"cost": value, "low": low, "high": high, "policy_cost": other}
        name = policy_name(f"({policy['name']}: {policy['decision']})", texts)
        if math.isclose(cost["value"], policy["value"], rel_tol=1e-9, abs_tol=1e-9):
            key = "card_cost_same"
        else:
            key = "card_cost" if cost["value"] < policy["value"] else "card_cost_dearer"
        out.append(texts[key].format(policy=name, **words))
    return out


def _method(account, texts):
    method = account["performance"]
    left_out = next((f"_{unit}" for unit in ("lots", "files") if method.get(unit)), "")
    key = f"card_{method['method']}{left_out}"
    text = texts[key].format(folds=method.get("folds"))
    return text if account["prevalence"] is None else f"{text} {texts['note_prevalence']}"


def _figures(account, texts):
    figures = account["performance"]
    rows = []
    for name in _METRICS:
        if name in figures:
            value, half = figures[name]["value"], _TIMES * figures[name]["std_err"]
            rows.append([word(texts[name], head=True), cell(value, 4, value - half, value + half)])
    for policy in figures.get("policies", ()):
        name = policy_name(f"({policy['name']}: {policy['decision']})", texts)
        rows.append([word(f"{texts['cost']}: {name}", head=True), cell(policy["value"], 4)])
    return {
        "id": "table-figures",
        "caption": None,
        "head": [texts["card_figure"], texts["card_value"]],
        "rows": rows,
    }


def _classes(account, texts):
    shares = account["prevalence"]
    rows = []
    for place, found in enumerate(account["performance"]["classes"]):
        right = found["right"]
        cells = [
            word(found["class"], head=True),
            shown(f"{found['parts']:,}", found["parts"]),
            shown(percent(math.nan if right is None else right), right),
        ]
        if shares is not None:
            cells.append(shown(percent(shares["line"][place]), shares["line"][place]))
        rows.append(cells)
    columns = ["class", "card_parts", "card_right", *(["card_share"] if shares else [])]
    return {
        "id": "table-classes",
        "caption": texts["caption_card_classes"],
        "head": [texts[name] for name in columns],
        "rows": rows,
    }


def _use(account, texts):
    notes = [texts["card_decides" if account["costs"] is None else "card_decides_cost"]]
    notes.append(texts["card_reasons" if account["reasons"] else "card_no_reasons"])
    if account["intervals"] is None:
        notes.append(texts["card_intervals"])
    else:
        notes.append(texts["card_no_intervals"].format(why=account["intervals"]))
    return [*notes, texts["card_unlike"]]


def _costs(account, texts):
    costs = account["costs"]
    if costs is None:
        return []
    rows = [
        [word(name, head=True), *(shown(given(cost), cost) for cost in row)]
        for name, row in zip(account["classes"], costs["matrix"], strict=True)
    ]
    table = {
        "id": "table-costs",
        "caption": None,
        "head": [f"{texts['truth']} \\ {texts['decision']}", *costs["decisions"]],
        "rows": rows,
    }
    return [{"id": "costs", "heading": texts["section_costs"], "tables": [table]}]


def _columns(account, texts):
    rows = []
    for column in account["columns"][:_MOST_COLUMNS]:
        if column["kind"] == "category":
            held = texts["card_categories"].format(count=len(column["categories"]))
        elif column["low"] is None:
            held = number(math.nan)
        else:
            low, high = (number(column[end], 4) for end in ("low", "high"))
            held = texts["interval"].format(low=low, high=high)
            held += f" {column['unit']}" if column["unit"] else ""
        missing = shown(percent(column["missing"]), column["missing"])
        kind = texts[f"card_kind_{column['kind']}"]
        rows.append(
            [word(column["name"], head=True), word(kind, kind="word whole"), word(held), missing]
        )
    columns = ("column", "kind", "held", "missing")
    return {
        "id": "table-columns",
        "caption": None,
        "head": [texts[f"card_{name}"] for name in columns],
        "rows": rows,
    }


def _more_columns(account, texts):
    more = len(account["columns"]) - _MOST_COLUMNS
    return [texts["card_more_columns"].format(count=f"{more:,}")] if more > 0 else []


def _facts(account, texts):
    versions = ", ".join(f"{name} {version}" for name, version in account["versions"].items())
    facts = [
        (texts["card_target"], account["target"]),
        *((texts[f"card_role_{role}"], name) for role, name in account["roles"].items()),
        (texts["card_model"], account["model"]),
        (texts["reading_command"], account["command"]),
        (texts["reading_date"], account["date"]),
        (texts["reading_version"], versions),
    ]
    return facts + [(f"SHA-256: {name}", digest) for name, digest in account["sha256"].items()]
