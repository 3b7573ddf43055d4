"""The results of `evidence.py` as tables in Markdown, which `docs/evidence.md` includes."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from skperturb.evaluation import corrected_paired_ttest, holm

BASELINE = "logistic regression"
LINEAR = "gumbel"  # the same model, with C chosen as for the other noises
LEVEL = 0.95


class Metric(NamedTuple):
    """How a metric is compared and printed."""

    sign: int  # +1 if more is better
    factor: float  # from the mean of rows to the unit
    unit: str
    spec: str
    unit_of_difference: str
    spec_of_difference: str


METRICS = {  # in the order of the scores of `evidence.py`
    "log loss": Metric(-1, 1, "nats", ".3f", "nats", "+z.4f"),
    "accuracy": Metric(+1, 100, "percent", ".1f", "percentage points", "+z.2f"),
    "cost": Metric(-1, 1000, "per 1000 rows", ".0f", "per 1000 rows", "+z.1f"),
}
CONDITIONS = {"right": "labels as they are", "flipped": "10 % of the training labels wrong"}
SHORT = {
    "logistic regression": "log. regr.",
    "uniform, Fenchel-Young": "uniform, FY",
    "softmax gaussian": "softmax gauss.",
    "softmax uniform": "softmax unif.",
}


def split_scores(result, condition, model, metric):
    """The metric of each test fold, in its unit."""
    place = list(METRICS).index(metric)
    return np.array(result[condition][model]["scores"])[:, place] * METRICS[metric].factor


def difference(result, condition, model, metric, baseline=BASELINE):
    """Mean difference from a baseline, and its verdict: +1 better, -1 worse, 0 not shown.

    The verdict is that of the corrected t test of Nadeau and Bengio on the test folds.
    """
    ours = split_scores(result, condition, model, metric)
    with np.errstate(invalid="ignore"):
        differences = ours - split_scores(result, condition, baseline, metric)
    if not np.isfinite(differences).all():
        return np.inf, -1
    folds = len(differences) // result["repeats"]
    test = corrected_paired_ttest(differences, test_train_ratio=1 / (folds - 1))
    shown = test.p_value < 1 - LEVEL
    return test.mean, int(np.sign(test.mean)) * METRICS[metric].sign * shown


def over_tables(differences):
    """Mean, ends of Student's interval, and p-value of differences, one for each table."""
    n = len(differences)
    mean = np.mean(differences)
    if n < 2 or not np.isfinite(differences).all():
        return mean, np.nan, np.nan, np.nan
    error = np.std(differences, ddof=1) / np.sqrt(n)
    if error == 0:
        return mean, mean, mean, 1.0 if mean == 0 else 0.0
    margin = error * stats.t.ppf((1 + LEVEL) / 2, n - 1)
    p_value = 2 * stats.t.sf(abs(mean) / error, n - 1)
    return mean, mean - margin, mean + margin, p_value


def markdown(head, rows):
    """A table; the first column is text, the others are aligned right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def signed(value, spec):
    return format(value, spec).replace("-", "\N{MINUS SIGN}")


def summary(results, condition, models, baseline):
    """Against a baseline: counts of tables and the mean difference with its interval."""
    columns = []
    for metric, kind in METRICS.items():
        spec = kind.spec_of_difference
        found = {
            model: [difference(result, condition, model, metric, baseline) for result in results]
            for model in models
        }
        means = {name: over_tables([mean for mean, _ in pairs]) for name, pairs in found.items()}
        finite = [name for name in models if np.isfinite(means[name][3])]
        p_values = dict(zip(finite, holm([means[name][3] for name in finite]), strict=True))
        cells = (
            [f"{metric}: better / not shown / worse"],
            [f"mean difference, {kind.unit_of_difference}"],
        )
        for name in models:
            verdicts = [verdict for _, verdict in found[name]]
            cells[0].append(" / ".join(str(verdicts.count(which)) for which in (1, 0, -1)))
            mean, low, high, _ = means[name]
            infinite = sum(not np.isfinite(mean) for mean, _ in found[name])
            if infinite:
                cells[1].append(f"infinite in {infinite} of {len(results)}")
                continue
            text = signed(mean, spec)
            if name in p_values:
                text += f" [{signed(low, spec)}, {signed(high, spec)}]"
                text = f"**{text}**" if p_values[name] < 1 - LEVEL else text
            cells[1].append(text)
        columns += cells
    head, *rows = zip(["model", *models], *columns, strict=True)
    return markdown(list(head), [list(row) for row in rows])


def each_table(results, condition, models, metric):
    """The metric of every model on every table; + better and - worse than the baseline."""
    spec = METRICS[metric].spec
    constant = metric == "cost"
    head = ["table", *(SHORT.get(name, name) for name in models)]
    rows = []
    for result in results:
        row = [result["name"]]
        for name in models:
            mean = split_scores(result, condition, name, metric).mean()
            verdict = 0 if name == BASELINE else difference(result, condition, name, metric)[1]
            text = f"{mean:{spec}}" if np.isfinite(mean) else "\N{INFINITY}"
            row.append(text + {1: " +", 0: "", -1: " \N{MINUS SIGN}"}[verdict])
        if constant:
            row.append(f"{result['constant_cost'] * METRICS[metric].factor:{spec}}")
        rows.append(row)
    return markdown(head + ["same decision for all"] * constant, rows)


def ranks(results, models):
    """How often a model has the best mean, and costs less than the same decision for all."""
    columns = []
    for metric in ("log loss", "cost"):
        for condition, words in CONDITIONS.items():
            means = np.array(
                [
                    [split_scores(result, condition, name, metric).mean() for name in models]
                    for result in results
                ]
            )
            best = (means <= means.min(axis=1, keepdims=True)).sum(axis=0)
            columns.append([f"lowest {metric}: {words}", *map(str, best)])
    constant = METRICS["cost"].factor * np.array([result["constant_cost"] for result in results])
    for condition, words in CONDITIONS.items():
        less = [
            sum(
                split_scores(result, condition, name, "cost").mean() < cost
                for result, cost in zip(results, constant, strict=True)
            )
            for name in models
        ]
        columns.append([f"cheaper than one decision for all: {words}", *map(str, less)])
    head, *rows = zip(["model", *models], *columns, strict=True)
    return markdown(list(head), [list(row) for row in rows])


def material(results):
    """Where the tables come from, and how large they are."""
    rows = [
        [
            result["name"],
            result["package"],
            f"{result['rows']:,} of {result['rows_in_package']:,}",
            str(result["columns"]),
            str(result["classes"]),
            f"{result['rarest']:.1%}".replace("%", " %"),
            f"{result['lots']:,}" if result["lots"] else "",
            str(result["repeats"]),
        ]
        for result in results
    ]
    head = ["table", "package", "rows", "columns", "classes", "rarest class", "lots", "repeats"]
    return markdown(head, rows)


def times(results, models):
    """CPU seconds of a fit with its search and predictions, and the ratio to the baseline."""
    rows = []
    for name in models:
        seconds = np.array([result["right"][name]["seconds"] for result in results])
        ratios = seconds / [result["right"][BASELINE]["seconds"] for result in results]
        row = [name, f"{np.median(seconds):.2f}", f"{seconds.min():.2f} to {seconds.max():.2f}"]
        rows.append([*row, f"{np.median(ratios):.2f}", f"{ratios.min():.2f} to {ratios.max():.2f}"])
    head = ["model", "seconds, median", "range", "ratio to logistic regression, median", "range"]
    return markdown(head, rows)


def tables(results):
    """All tables of the page, the summaries first."""
    models = list(results[0]["right"])
    others = [name for name in models if name != BASELINE]
    linear = others[: others.index("curves")] if "curves" in others else others
    machines = sorted({result["machine"] for result in results})
    parts = [
        "<!-- Written by benchmarks/evidence.py; do not edit. -->\n",
        f"{len(results)} tables. " + " ".join(f"{line}." for line in machines) + "\n",
    ]
    for condition, words in CONDITIONS.items():
        parts += [f"### Compared with logistic regression: {words}\n"]
        parts += [summary(results, condition, others, BASELINE)]
    if LINEAR in linear:
        rest = [name for name in linear if name != LINEAR]
        for condition, words in CONDITIONS.items():
            parts += [f"### Compared with Gumbel noise: {words}\n"]
            parts += [summary(results, condition, rest, LINEAR)] if rest else []
    parts += ["### In how many tables a model is the best\n", ranks(results, models)]
    parts += ["### Time\n", times(results, models), "### The data\n", material(results)]
    for metric, kind in METRICS.items():
        for condition, words in CONDITIONS.items():
            parts += [f"### {metric.capitalize()} of each table, {kind.unit}: {words}\n"]
            parts += [each_table(results, condition, models, metric)]
    return "\n".join(parts)


def long_table(results):
    """One row for each table, condition, model and metric: the mean over the test folds."""
    return pd.DataFrame(
        [
            (result["name"], condition, model, metric, scores.mean())
            for result in results
            for condition in CONDITIONS
            for model in result[condition]
            for metric in METRICS
            for scores in [split_scores(result, condition, model, metric)]
        ],
        columns=["table", "labels", "model", "metric", "mean"],
    )
