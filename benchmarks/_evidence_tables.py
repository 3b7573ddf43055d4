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
CONDITIONS = {"right": "labels as they are", "flipped": "10 % wrong labels"}
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


def unbroken(text):
    """The text as one word, which a narrow column does not break."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def summary(results, metric, models, baseline):
    """Against a baseline: counts of tables and the mean difference with its interval.

    Bold after Holm's correction for the models of the column.
    """
    kind, columns = METRICS[metric], []
    for condition, words in CONDITIONS.items():
        found = {
            model: [difference(result, condition, model, metric, baseline) for result in results]
            for model in models
        }
        means = {name: over_tables([mean for mean, _ in pairs]) for name, pairs in found.items()}
        finite = [name for name in models if np.isfinite(means[name][3])]
        p_values = dict(zip(finite, holm([means[name][3] for name in finite]), strict=True))
        counts = [f"{words}: better / not shown / worse"]
        shown = [f"mean difference, {kind.unit_of_difference}"]
        for name in models:
            verdicts = [verdict for _, verdict in found[name]]
            counts.append(unbroken(" / ".join(str(verdicts.count(which)) for which in (1, 0, -1))))
            mean, low, high = (signed(value, kind.spec_of_difference) for value in means[name][:3])
            infinite = sum(not np.isfinite(mean) for mean, _ in found[name])
            if infinite:
                text = f"infinite in {infinite} of {len(results)}"
            elif name not in p_values:  # one table
                text = mean
            else:
                text = f"{mean} {unbroken(f'[{low}, {high}]')}"
                text = f"**{text}**" if p_values[name] < 1 - LEVEL else text
            shown.append(text)
        columns += [counts, shown]
    head, *rows = zip(["model", *models], *columns, strict=True)
    return markdown(list(head), [list(row) for row in rows])


def each_table(results, condition, models, metric):
    """The metric of every model on every table; + better and - worse than the baseline."""
    spec = METRICS[metric].spec
    constant = metric == "cost"
    head = ["data set", *(SHORT.get(name, name) for name in models)]
    rows = []
    for result in results:
        row = [unbroken(result["name"])]
        for name in models:
            mean = split_scores(result, condition, name, metric).mean()
            verdict = 0 if name == BASELINE else difference(result, condition, name, metric)[1]
            text = f"{mean:{spec}}" if np.isfinite(mean) else "\N{INFINITY}"
            row.append(unbroken(text + {1: " +", 0: "", -1: " \N{MINUS SIGN}"}[verdict]))
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
        columns.append([f"cheaper than one decision: {words}", *map(str, less)])
    head, *rows = zip(["model", *models], *columns, strict=True)
    return markdown(list(head), [list(row) for row in rows])


def material(results):
    """Where the tables come from, and how large they are."""
    rows = [
        [
            unbroken(result["name"]),
            unbroken(result["package"]),
            f"{result['rows']:,} of {result['rows_in_package']:,}",
            str(result["columns"]),
            str(result["classes"]),
            f"{result['rarest']:.1%}".replace("%", " %"),
            f"{result['lots']:,}" if result["lots"] else "",
        ]
        for result in results
    ]
    head = ["data set", "package", "rows", "columns", "classes", "rarest class", "lots"]
    return markdown(head, rows)


def times(results, models):
    """CPU seconds of a fit with its search and predictions, and the ratio to the baseline."""
    rows = []
    for name in models:
        seconds = np.array([result["right"][name]["seconds"] for result in results])
        ratios = seconds / [result["right"][BASELINE]["seconds"] for result in results]
        rows.append([name])
        for values in (seconds, ratios):
            low, middle, high = np.quantile(values, [0, 0.5, 1])
            rows[-1] += [f"{middle:.2f}", unbroken(f"{low:.2f} to {high:.2f}")]
    head = ["model", "seconds, median", "range", "ratio to logistic regression, median", "range"]
    return markdown(head, rows)


def tables(results):
    """All tables of the page, the summaries first."""
    models = list(results[0]["right"])
    others = [name for name in models if name != BASELINE]
    linear = others[: others.index("curves")] if "curves" in others else others
    splits = {
        f"{len(result['right'][BASELINE]['scores']) // result['repeats']} folds, "
        f"{result['repeats']} times"
        for result in results
    }
    shape = " or ".join(sorted(splits)).replace(" 1 times", " once")
    machines = sorted({result["machine"] for result in results})
    parts = [
        "<!-- Written by benchmarks/evidence.py; do not edit. -->\n",
        f"{len(results)} data sets; {shape}. " + " ".join(f"{line}." for line in machines) + "\n",
    ]
    for metric in METRICS:
        parts += [f"### {metric.capitalize()}, compared with logistic regression\n"]
        parts += [summary(results, metric, others, BASELINE)]
    rest = [name for name in linear if name != LINEAR]
    for metric in METRICS if LINEAR in linear and rest else ():
        parts += [f"### {metric.capitalize()}, compared with Gumbel noise\n"]
        parts += [summary(results, metric, rest, LINEAR)]
    parts += ["### In how many data sets a model is the best\n", ranks(results, models)]
    parts += ["### Time\n", times(results, models), "### The data\n", material(results)]
    for metric, kind in METRICS.items():
        for condition, words in CONDITIONS.items():
            parts += [f"### {metric.capitalize()} of each data set, {kind.unit}: {words}\n"]
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
        columns=["data set", "labels", "model", "metric", "mean"],
    )
