"""The tables of a comparison: scores of every fold, key figures, and differences."""

import numpy as np
import pandas as pd

from ._costs import trivial_policies
from ._intervals import dear_cells, interval_of_metric
from ._scores import SIGNS
from ._stats import corrected_paired_ttest, holm, parts_needed, wilson

ROUNDING = 1e-12  # relative to the means: what differs by less is equal
FEWEST_FOLDS = 5  # in all repeats together: the spread of fewer differences is too often zero
PER = 1000  # number of parts that a cost is given for


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
        dear = dear_cells(comparison.cost_matrix.to_numpy())
        mistakes = dear[comparison.codes, comparison.decisions(name)]
        row["dear_mistakes"] = mistakes.sum(axis=1).mean()
        table[name] = row | {"fit_seconds": out.fit_seconds.mean()}
    policies = trivial_policies(
        comparison.y, comparison.cost_matrix, sample_weight=comparison.weight, good=comparison.good
    )
    for policy in policies.itertuples():
        decision = f": {policy.decision}" if policy.decision is not None else ""
        table[f"({policy.policy}{decision})"] = {"cost": PER * policy.mean_cost}
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("estimator")


def _interval(comparison, name, metric, values):
    """An interval as wide as that of one repeat, around the mean of all repeats."""
    if metric == "accuracy" and comparison.groups is None and comparison.prevalence is None:
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


def difference_table(comparison, scores):
    """One row for each pair and metric, from scores of estimators by fold."""
    by_name = {name: part.droplevel(0) for name, part in scores.groupby(level="estimator")}
    rows = []
    for metric in [metric for metric in SIGNS if metric in scores]:
        tests = [
            _row(comparison, metric, candidate, baseline, by_name)
            for candidate, baseline in comparison.pairs
        ]
        for row, p_holm in zip(tests, holm([row["p_value"] for row in tests]), strict=True):
            rows.append(row | {"p_holm": p_holm})
    table = pd.DataFrame(rows)
    table["verdict"] = [_verdict(comparison, row) for row in table.itertuples()]
    order = {pair: k for k, pair in enumerate(comparison.pairs)}
    place = [order[pair] for pair in zip(table["candidate"], table["baseline"], strict=True)]
    table = table.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    columns = list(table.columns)
    columns.insert(columns.index("p_value") + 1, columns.pop(columns.index("p_holm")))
    table = table[columns]
    table.attrs = comparison.settings
    return table


def _row(comparison, metric, candidate, baseline, by_name):
    """The corrected t test of one pair on one metric."""
    sign, rope = SIGNS[metric], (comparison.rope or {}).get(metric)
    # Folds count by the weight that they test: their mean is that over the parts.
    share = _fold_shares(comparison)
    new, old = (share * by_name[name][metric].to_numpy() for name in (candidate, baseline))
    # Equal models differ by rounding.
    gain = np.where(np.abs(new - old) > ROUNDING * np.maximum(abs(new), abs(old)), new - old, 0)
    test = corrected_paired_ttest(
        sign * gain,
        test_train_ratio=_test_train_ratio(comparison),
        rope=rope,
        confidence=comparison.confidence,
    )
    low, high = sorted((sign * test.ci_low, sign * test.ci_high))
    return {
        "candidate": candidate,
        "baseline": baseline,
        "metric": metric,
        "candidate_mean": new.mean(),
        "baseline_mean": old.mean(),
        "difference": sign * test.mean + 0.0,
        "se": test.se,
        "df": test.df,
        "ci_low": low + 0.0,
        "ci_high": high + 0.0,
        "p_value": test.p_value,
        "prob_better": test.prob_better,
        "prob_equivalent": test.prob_equivalent,
        # As sure as Holm's correction asks the first of the pairs to be.
        "parts_needed": parts_needed(
            test.mean,
            test.se,
            len(comparison.y),
            df=test.df,
            confidence=1 - (1 - comparison.confidence) / len(comparison.pairs),
        ),
    }


def _verdict(comparison, row):
    if row.prob_equivalent >= comparison.confidence and row.df + 1 >= FEWEST_FOLDS:
        return "equivalent"
    if row.p_holm > 1 - comparison.confidence or row.difference == 0 or row.df + 1 < FEWEST_FOLDS:
        return "inconclusive"
    return "better" if SIGNS[row.metric] * row.difference > 0 else "worse"


def _folds_tested(comparison, weight=None):
    """Number of rows tested in each fold, or their weight: (n_repeats, n_splits)."""
    fold = next(iter(comparison.predictions.values())).fold
    return np.stack([np.bincount(row, weight) for row in fold])


def _fold_shares(comparison):
    """Weight tested in each fold of each repeat, over its mean."""
    tested = _folds_tested(comparison, comparison.weight)
    return (tested / tested.mean()).ravel()


def _test_train_ratio(comparison):
    tested = _folds_tested(comparison)
    return float(np.mean(tested / (len(comparison.y) - tested)))
