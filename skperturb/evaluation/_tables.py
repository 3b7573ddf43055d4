"""The tables of a comparison: scores of every fold, key figures, and differences."""

import numpy as np
import pandas as pd

from ._costs import trivial_policies
from ._intervals import dear_mistakes, interval_of_metric
from ._resampling import without_rounding
from ._scores import SIGNS
from ._stats import per_part_ttest, wilson
from ._verdict import judged

TODAY = "(today's rule)"  # its row among the key figures
PER = 1000  # number of parts that a cost is given for
COLUMNS = (
    *("candidate", "baseline", "metric", "candidate_mean", "baseline_mean", "difference"),
    *("se", "df", "ci_low", "ci_high", "ci_confidence", "p_value", "p_holm"),
    *("prob_better", "prob_equivalent", "prob_needed"),
    *("parts_needed", "needed_low", "needed_high", "verdict"),
)


def fold_means(comparison, values):
    """Means over the rows of a fold, from {estimator: {metric: values of the rows}}."""
    rows = []
    for name, out in comparison.predictions.items():
        for repeat, fold in np.ndindex(out.fit_seconds.shape):
            tested = out.fold[repeat] == fold
            means = {
                m: np.average(v[repeat, tested], weights=_weight_of(comparison, tested))
                for m, v in values[name].items()
            }
            seconds = out.fit_seconds[repeat, fold]
            rows.append(
                {"estimator": name, "repeat": repeat, "fold": fold, **means}
                | {"fit_seconds": seconds}
            )
    return pd.DataFrame(rows).set_index(["estimator", "repeat", "fold"])


def fold_scores(comparison, values):
    """Means of one estimator's values (n_repeats, n_samples) in every fold."""
    folds = next(iter(comparison.predictions.values())).fold
    return np.array(
        [
            np.average(row[of == k], weights=_weight_of(comparison, of == k))
            for row, of in zip(values, folds, strict=True)
            for k in range(of.max() + 1)
        ]
    )


def _weight_of(comparison, rows):
    weight = comparison.weight[rows]
    # A fold may hold only classes that do not occur on the line.
    return weight if weight.any() else np.ones(len(weight))


def key_figures(comparison, values):
    """Metrics of each estimator with their intervals, and the costs of trivial policies."""
    table = {}
    for name, out in comparison.predictions.items():
        row = {}
        for metric, of_rows in values[name].items():
            row[metric] = np.average(of_rows.mean(axis=0), weights=comparison.weight)
            low, high = _interval(comparison, name, metric, of_rows)
            row[f"{metric}_low"], row[f"{metric}_high"] = low, high
        decided = comparison.decisions(name)
        costs, codes = comparison.cost_matrix.to_numpy(), comparison.codes
        seen = dear_mistakes(costs, codes, decided, np.unique(decided))
        row["dear_mistakes"], row["cost_known"] = seen
        table[name] = row | {"fit_seconds": out.fit_seconds.mean()}
    policies = trivial_policies(
        comparison.y, comparison.cost_matrix, sample_weight=comparison.weight, good=comparison.good
    )
    for policy in policies.itertuples():
        decision = f": {policy.decision}" if policy.decision is not None else ""
        table[f"({policy.policy}{decision})"] = {"cost": PER * policy.mean_cost}
    if comparison.today is not None:
        costs = comparison.costs_today
        table[TODAY] = {"cost": float(np.average(costs, weights=comparison.weight))}
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("estimator")


def _interval(comparison, name, metric, values):
    """An interval as wide as that of one repeat, around the mean of all repeats."""
    plain = comparison.prevalence is None and comparison.sample_weight is None
    if metric == "accuracy" and comparison.groups is None and plain:
        interval = wilson(values.mean(), len(comparison.y), comparison.confidence)
        return interval.low, interval.high
    return interval_of_metric(
        metric,
        values,
        comparison.codes,
        comparison.decisions(name),
        PER * comparison.cost_matrix.to_numpy(),
        weight=comparison.weight,
        shares=comparison.prevalence,
        groups=comparison.groups,
        confidence=comparison.confidence,
    )


def difference_table(comparison, scores, values=None):
    """One row for each pair and metric, from scores of estimators by fold, or from their rows."""
    families = comparison.families
    rows = []
    for metric in [metric for metric in SIGNS if metric in scores]:
        rope = (comparison.rope or {}).get(metric, 0.0)
        tests = []
        for pair in comparison.pairs:
            new, old = (_of(comparison, name, metric, scores, values) for name in pair)
            tests.append(
                {"candidate": pair[0], "baseline": pair[1], "metric": metric}
                | tested(comparison, new, old, SIGNS[metric], rope)
            )
        rows += judged(
            tests,
            families,
            rope=rope,
            confidence=comparison.confidence,
            decides=metric == comparison.metric,
            n=comparison.n_units,
            difference=comparison.difference,
        )
    table = pd.DataFrame(rows)
    order = {pair: k for k, pair in enumerate(comparison.pairs)}
    place = [order[pair] for pair in zip(table["candidate"], table["baseline"], strict=True)]
    table = table.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)[list(COLUMNS)]
    table.attrs = comparison.settings
    return table


def policy_table(comparison, values):
    """Each model's cost against that of the cheapest policy without a model."""
    name, costs = comparison.cheapest_policy
    old = np.broadcast_to(costs, comparison.predictions_shape)
    rope = (comparison.rope or {}).get("cost", 0.0)
    tests = []
    for model in comparison.models:
        new = values[model]["cost"]
        if comparison.test == "corrected":
            pair = [fold_scores(comparison, rows) for rows in (new, old)]
        else:
            pair = [new, old]
        tests.append(
            {"candidate": model, "baseline": name, "metric": "cost"}
            | tested(comparison, *pair, SIGNS["cost"], rope)
        )
    rows = judged(
        tests,
        [range(len(tests))],
        rope=rope,
        confidence=comparison.confidence,
        decides=True,
        n=comparison.n_units,
    )
    return pd.DataFrame(rows)[list(COLUMNS)]


def _of(comparison, name, metric, scores, values):
    """What the test of the comparison takes: scores by fold, or values by row."""
    if comparison.test == "corrected":
        return scores[metric].xs(name, level="estimator").to_numpy()
    return values[name][metric]


def tested(comparison, new, old, sign, rope):
    """The test of one pair: what is shown of it before there is a verdict."""
    if comparison.test == "corrected":
        folds = comparison.resampling
        test = folds.test(new, old, sign, rope=rope, confidence=comparison.confidence)
        means = folds.means(new).mean(), folds.means(old).mean()
    else:
        new, old = new.mean(axis=0), old.mean(axis=0)
        test = per_part_ttest(
            sign * without_rounding(new, old),
            sample_weight=comparison.weight,
            groups=comparison.groups,
            rope=rope,
            confidence=comparison.confidence,
        )
        means = (float(np.average(side, weights=comparison.weight)) for side in (new, old))
    candidate_mean, baseline_mean = means
    return {
        "candidate_mean": candidate_mean,
        "baseline_mean": baseline_mean,
        "difference": sign * test.mean + 0.0,
        "se": test.se,
        "df": test.df,
        "prob_better": test.prob_better,
        "prob_equivalent": test.prob_equivalent,
    }
