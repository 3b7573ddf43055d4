import json
from collections import Counter
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, stats
from sklearn.datasets import load_breast_cancer, load_iris, make_moons
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    cross_validate,
    train_test_split,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.svm import SVC

from skperturb import evaluation
from skperturb.evaluation import _tables as tables
from skperturb.evaluation import (
    combined_ftest_5x2,
    compare,
    compare_classifiers,
    corrected_paired_ttest,
    cross_val_predictions,
    holm,
    mean_interval,
    parts_needed,
    wilson,
)
from skperturb.evaluation._texts import load
from skperturb.evaluation._words import needed_sentences

from ._data import wine_parts
from .conftest import IDENTITY, OPTIMUM

FOUR_DECIMALS = 5e-5  # of a published number
SMALL_SAMPLE = 3e-3  # statsmodels' correction for few lots is another one
ROUNDED_SUMS = 1e-10  # sums of many rows, in another order


def test_corrected_ttest_golden_case():
    """scikit-learn's example of statistical comparison: RBF against linear SVC on moons."""
    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    grid = [
        {"kernel": ["linear"]},
        {"kernel": ["poly"], "degree": [2, 3]},
        {"kernel": ["rbf"]},
    ]
    cv = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    search = GridSearchCV(SVC(random_state=0), grid, scoring="roc_auc", cv=cv).fit(X, y)
    results = pd.DataFrame(search.cv_results_).sort_values("rank_test_score")
    scores = results.filter(regex=r"split\d*_test_score").to_numpy()
    test = corrected_paired_ttest(scores[0] - scores[1], test_train_ratio=1 / 9)
    assert_allclose(test.statistic, 0.7503, atol=FOUR_DECIMALS)
    assert_allclose(test.p_value, 0.4548, atol=FOUR_DECIMALS)
    assert_allclose(test.prob_better, 0.7726, atol=FOUR_DECIMALS)
    assert test.prob_equivalent == 0
    rope = corrected_paired_ttest(scores[0] - scores[1], test_train_ratio=1 / 9, rope=0.01)
    worse = 1 - rope.prob_better - rope.prob_equivalent
    assert_allclose(
        [worse, rope.prob_equivalent, rope.prob_better], [0.0683, 0.4317, 0.5], atol=FOUR_DECIMALS
    )


def test_corrected_ttest_by_hand_where_rows_are_not_splits():
    """5x2 folds of 30 rows: the factor is 1/10 + 1, neither 1/30 nor 1/10 alone."""
    d = np.array([0.1, 0.3, -0.2, 0.4, 0.1, 0.0, 0.2, 0.3, -0.1, 0.2])
    test = corrected_paired_ttest(d, test_train_ratio=1.0, confidence=0.9)
    se = np.sqrt(1.1 * d.var(ddof=1))
    assert_allclose(test.se, se)
    assert_allclose(test.statistic, d.mean() / se)
    assert test.df == 9
    assert_allclose([test.ci_low, test.ci_high], d.mean() + np.array([-1, 1]) * 1.8331129 * se)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1, (np.inf, 0.0, 1.0)), (0.0, (0.0, 1.0, 0.5)), (-0.1, (-np.inf, 0, 0))],
)
def test_corrected_ttest_of_equal_differences(value, expected):
    test = corrected_paired_ttest([value] * 3, test_train_ratio=0.5)
    assert (test.statistic, test.p_value, test.prob_better) == expected
    assert test.ci_low == test.ci_high == pytest.approx(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(differences=[0.1], test_train_ratio=1.0), "at least two"),
        (dict(differences=[[0.1, 0.2]], test_train_ratio=1.0), "one-dimensional"),
        (dict(differences=[0.1, np.nan], test_train_ratio=1.0), "not finite"),
        (dict(differences=[0.1, 0.2], test_train_ratio=0.0), "test_train_ratio"),
        (dict(differences=[0.1, 0.2], test_train_ratio=1.0, rope=-1.0), "rope"),
        (dict(differences=[0.1, 0.2], test_train_ratio=1.0, confidence=95), "confidence"),
    ],
)
def test_corrected_ttest_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        corrected_paired_ttest(**arguments)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_scores_are_those_of_scikit_learn_on_the_same_folds(load):
    X, y = load(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    result = compare_classifiers(
        {"lr": model, "prior": DummyClassifier()}, X, y, n_splits=3, n_repeats=2, random_state=7
    )
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=7)
    theirs = cross_validate(model, X, y, cv=cv, scoring=["neg_log_loss", "accuracy"])
    ours = result.scores.loc["lr"]
    assert_allclose(ours["log_loss"], -theirs["test_neg_log_loss"], rtol=ROUNDED_SUMS)
    assert_allclose(ours["accuracy"], theirs["test_accuracy"], rtol=IDENTITY)
    out = result.predictions["lr"]
    if len(out.classes) == 2:
        rows = out.fold[0] == 0
        expected = brier_score_loss(y[rows], out.proba[0, rows, 1])
        assert_allclose(ours["brier"].iloc[0], expected, rtol=ROUNDED_SUMS)
    # Every row has one probability vector per repeat, from the fold in which it was tested.
    assert_allclose(out.proba.sum(axis=2), 1, rtol=ROUNDED_SUMS)
    assert_array_equal(np.unique(out.fold), [0, 1, 2])


def test_table_orients_differences_and_probabilities():
    X, y = load_iris(return_X_y=True)
    result = compare_classifiers(
        {"prior": DummyClassifier(), "lr": MODELS["today"]}, X, y, n_splits=2, n_repeats=5
    )
    table = result.table.set_index("metric")
    assert (table["baseline"] == "prior").all()
    assert table.loc["log_loss", "difference"] < 0 < table.loc["accuracy", "difference"]
    assert (table["prob_better"] > 0.99).all()
    assert (table["ci_low"] < table["difference"]).all()
    assert (table["difference"] < table["ci_high"]).all()
    assert_allclose(
        table["candidate_mean"] - table["baseline_mean"], table["difference"], rtol=ROUNDED_SUMS
    )
    assert_allclose(result.kpis.loc["lr", "log_loss"], table.loc["log_loss", "candidate_mean"])


def test_rare_classes_give_finite_numbers():
    """A class of two rows is in every training set, if not in every test set."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.array(["a"] * 20 + ["b"] * 18 + ["c"] * 2)
    result = compare_classifiers(
        {"lr": LogisticRegression(), "prior": DummyClassifier()}, X, y, n_splits=5, n_repeats=2
    )
    assert np.isfinite(result.scores.to_numpy()).all()
    assert np.isfinite(result.table.select_dtypes("number").to_numpy()).all()
    assert result.predictions["lr"].messages == []


@pytest.mark.parametrize(
    "container", [np.asarray, pd.DataFrame, sparse.csr_array, np.ndarray.tolist]
)
def test_containers(container):
    X, y = load_iris(return_X_y=True)
    X = scale(X)
    plain = cross_val_predictions(LogisticRegression(), X, y, n_repeats=1)
    other = cross_val_predictions(LogisticRegression(), container(X), y, n_repeats=1)
    assert_allclose(other.proba, plain.proba, atol=100 * OPTIMUM)  # lbfgs stops at 1e-4


def test_every_fit_has_a_seed_of_its_own_and_runs_repeat():
    seeds = []

    class Spy(RandomForestClassifier):
        def fit(self, X, y):
            seeds.append(self.random_state)
            return super().fit(X, y)

    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), Spy(n_estimators=2))
    first = cross_val_predictions(model, X, y, n_repeats=2)
    assert len(set(seeds)) == 4
    again = cross_val_predictions(model, X, y, n_repeats=2)
    assert_array_equal(first.proba, again.proba)
    assert model[-1].random_state is None


def test_progress_is_told_of_every_fit():
    X, y = load_iris(return_X_y=True)
    told = []
    compare_classifiers(
        {"a": DummyClassifier(), "b": DummyClassifier()},
        X,
        y,
        n_splits=2,
        n_repeats=1,
        progress=lambda *news: told.append(news),
    )
    assert told == [("a", 1, 2), ("b", 1, 2), ("a", 2, 2), ("b", 2, 2)]


def test_warnings_of_fits_are_kept():
    X, y = load_iris(return_X_y=True)
    out = cross_val_predictions(LogisticRegression(max_iter=1), X, y, n_repeats=1)
    assert len(out.messages) == 2
    assert "ConvergenceWarning" in out.messages[0]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (["a"] * 5, {}, "only one class"),
        (["a", "b"] * 5, {"groups": [1] * 5 + [2] * 5, "n_splits": 3}, "2 groups for 3 folds"),
        (["a", "a", "b", "b"], {"n_splits": 3}, "use fewer folds"),
    ],
)
def test_cross_validation_refuses(y, options, message):
    with pytest.raises(ValueError, match=message):
        cross_val_predictions(DummyClassifier(), np.zeros((len(y), 1)), y, **options)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_folds_are_shared_whatever_the_source_of_randomness(random_state):
    X, y = load_iris(return_X_y=True)
    model = GaussianNB()
    options = {"n_splits": 2, "n_repeats": 2, "random_state": random_state}
    result = compare_classifiers({"a": model, "b": model}, X, y, **options)
    assert (result.table["difference"] == 0).all()


def test_lengths_and_counts_are_checked():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="inconsistent"):
        cross_val_predictions(DummyClassifier(), X, y[:100])
    with pytest.raises(ValueError, match="n_repeats"):
        cross_val_predictions(DummyClassifier(), X, y, n_repeats=0)


def test_comparison_refuses():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="at least two"):
        compare_classifiers({"a": DummyClassifier()}, X, y)
    with pytest.raises(ValueError, match="baseline='c' is not one of"):
        compare_classifiers({"a": DummyClassifier(), "b": DummyClassifier()}, X, y, baseline="c")


MODELS = {
    "today": LinearDiscriminantAnalysis(),
    "nb": GaussianNB(),
    "prior": DummyClassifier(),
}
COSTS = pd.DataFrame(
    [[0.0, 1, 10], [20, 2, 10], [100, 8, 5]],
    index=["ok", "dent", "crack"],
    columns=["pass", "rework", "scrap"],
)


def compared(**options):
    X, y = wine_parts()
    return compare_classifiers(MODELS, X, y, **{"n_splits": 5, "n_repeats": 2} | options)


def test_cost_by_hand():
    result = compared(cost_matrix=COSTS.loc[["dent", "crack", "ok"]])
    _, y = wine_parts()
    out = result.predictions["nb"]
    costs = COSTS.loc[out.classes].to_numpy()
    truth = np.searchsorted(out.classes, y)
    cost = costs[truth, (out.proba @ costs).argmin(axis=2)]
    by_fold = [cost[r][out.fold[r] == f].mean() for r in range(2) for f in range(5)]
    assert_allclose(result.scores.loc["nb"]["cost"], 1000 * np.array(by_fold), rtol=IDENTITY)
    confusion = result.confusion("nb")
    assert confusion.columns.tolist() == ["pass", "rework", "scrap"]
    assert_allclose(confusion.to_numpy().sum(), 1000)
    assert_allclose((confusion * COSTS).to_numpy().sum(), 1000 * cost.mean(), rtol=IDENTITY)


def test_without_costs_the_cost_is_the_number_of_wrong_calls():
    scores = compared().scores
    assert_allclose(scores["cost"], 1000 * (1 - scores["accuracy"]), atol=1000 * IDENTITY)


def test_prevalence_corrects_probabilities_and_weights():
    line = {"ok": 0.9, "dent": 0.07, "crack": 0.03}
    result = compared(prevalence=line, cost_matrix=COSTS, good="ok")
    _, y = wine_parts()
    classes, counts = np.unique(y, return_counts=True)
    ratio = np.array([line[c] for c in classes]) / (counts / len(y))
    p = result.predictions["nb"].proba * ratio
    assert_allclose(result.proba("nb"), p / p.sum(axis=2, keepdims=True), rtol=ROUNDED_SUMS)
    weight = ratio[np.searchsorted(classes, y)]
    assert_allclose(result.confusion("nb").sum(axis=1), [30, 70, 900], rtol=ROUNDED_SUMS)
    own = np.log(result.proba("nb")[0, np.arange(len(y)), np.searchsorted(classes, y)])
    fold = result.predictions["nb"].fold[0] == 0
    expected = -np.average(own[fold], weights=weight[fold])
    assert_allclose(result.scores.loc["nb"]["log_loss"].iloc[0], expected, rtol=ROUNDED_SUMS)
    kpis = result.kpis
    assert kpis.index[3:].tolist() == ["(pass all: pass)", "(best constant: rework)", "(perfect)"]
    assert_allclose(kpis.loc["(pass all: pass)", "cost"], 1000 * (0.07 * 20 + 0.03 * 100))
    assert kpis.loc["(perfect)", "cost"] < kpis.loc["today", "cost"]


def test_groups_are_never_divided():
    X, y = wine_parts()
    lots = np.arange(len(y)) // 5
    out = cross_val_predictions(MODELS["today"], X, y, groups=lots, n_splits=4, n_repeats=3)
    for fold in out.fold:
        assert all(np.ptp(fold[lots == lot]) == 0 for lot in range(lots.max() + 1))
        assert set(fold) == {0, 1, 2, 3}
    assert not np.array_equal(out.fold[0], out.fold[1])
    by_lot = compared(groups=lots).kpis.loc["today"]
    plain = compared().kpis.loc["today"]
    assert by_lot["accuracy_low"] != plain["accuracy_low"]


def test_pairs():
    assert compared(candidate="nb").pairs == [("nb", "today"), ("nb", "prior")]
    assert compared(candidate="nb", baseline="prior").pairs == [("nb", "prior")]
    assert compared(baseline="nb").pairs == [("today", "nb"), ("prior", "nb")]
    assert compared().pairs == [("nb", "today"), ("prior", "today")]


def test_holm_is_that_of_statsmodels():
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 20):
        p = rng.uniform(size=n) ** 3
        assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=IDENTITY)
    table = compared(candidate="nb").table
    assert_allclose(table["p_holm"], table["p_value"])  # one of the two baselines is a floor
    models = {f"nb{k}": GaussianNB(var_smoothing=10.0**-k) for k in range(4)}
    X, y = wine_parts()
    table = compare_classifiers(models, X, y, n_splits=5, n_repeats=1).table
    for _, part in table.groupby("metric"):
        assert_allclose(part["p_holm"], holm(part["p_value"]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.5])


def test_posterior_is_that_of_baycomp():
    baycomp = pytest.importorskip("baycomp")
    rng = np.random.default_rng(0)
    for runs, folds, rope in ((1, 10, 0.01), (10, 10, 0.02), (5, 2, 0.0)):
        new, old = rng.normal(0.8, 0.02, (2, runs * folds))
        ours = corrected_paired_ttest(new - old, test_train_ratio=1 / (folds - 1), rope=rope)
        # Left: the first is better.
        theirs = baycomp.two_on_single(new, old, rope=rope, runs=runs)
        better = theirs[0]
        assert_allclose(ours.prob_better, better, atol=ROUNDED_SUMS)
        if rope:
            assert_allclose(ours.prob_equivalent, theirs[1], atol=ROUNDED_SUMS)


def test_f_test_is_that_of_mlxtend():
    evaluate = pytest.importorskip("mlxtend.evaluate")
    X, y = wine_parts()
    models = MODELS["today"], MODELS["nb"]
    for seed in range(3):
        rng, differences = np.random.RandomState(seed), np.empty((5, 2))
        for repeat in range(5):
            halves = train_test_split(
                np.arange(len(y)), test_size=0.5, random_state=rng.randint(0, 32767)
            )
            for fold, (train, test) in enumerate((halves, halves[::-1])):
                scores = [m.fit(X[train], y[train]).score(X[test], y[test]) for m in models]
                differences[repeat, fold] = scores[0] - scores[1]
        theirs = evaluate.combined_ftest_5x2cv(*models, X, y, random_seed=seed)
        ours = combined_ftest_5x2(differences)
        assert_allclose([ours.statistic, ours.p_value], theirs, rtol=ROUNDED_SUMS)
    with pytest.raises(ValueError, match="5 x 2"):
        combined_ftest_5x2(differences[:4])
    assert combined_ftest_5x2(np.zeros((5, 2))).to_dict() == {"statistic": 0.0, "p_value": 1.0}


def test_wilson_and_wald_are_those_of_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    interval = wilson(np.array([0.0, 0.1, 0.97, 1.0]), 60)
    theirs = proportion.proportion_confint(np.array([0, 6, 58.2, 60]), 60, method="wilson")
    assert_allclose((interval.low, interval.high), theirs, atol=IDENTITY)
    sm = pytest.importorskip("statsmodels.api")
    values, lots = np.random.default_rng(0).gamma(1, size=120), np.arange(120) // 6
    for groups, options in (
        (None, {}),
        (lots, {"cov_type": "cluster", "cov_kwds": {"groups": lots, "df_correction": True}}),
    ):
        fit = sm.OLS(values, np.ones(120)).fit(use_t=True, **options)
        expected = fit.conf_int()[0]
        ours = mean_interval(values, groups=groups)
        assert_allclose(
            [ours.mean, ours.low, ours.high], [values.mean(), *expected], rtol=SMALL_SAMPLE
        )


def test_verdicts():
    X, y = wine_parts()
    result = compare_classifiers(MODELS, X, y, candidate="today", n_splits=5, n_repeats=2)
    table = result.table.set_index(["baseline", "metric"])
    assert table.loc[("prior", "cost"), "verdict"] == "better"
    assert table.loc[("nb", "cost"), "verdict"] == "inconclusive"
    worse = compare_classifiers(MODELS, X, y, candidate="prior", n_splits=5, n_repeats=2).table
    assert set(worse.query("metric == 'cost'")["verdict"]) == {"worse"}
    assert set(worse.query("metric != 'cost'")["verdict"]) == {""}
    same = compare_classifiers(
        {"a": MODELS["today"], "b": MODELS["today"]}, X, y, rope=5, n_splits=5, n_repeats=1
    ).table.set_index("metric")
    assert same.loc["cost", "verdict"] == "equivalent"
    assert same.loc["cost", "prob_equivalent"] == 1
    wide = compare_classifiers(MODELS, X, y, rope=10_000, n_splits=5, n_repeats=1).table
    assert (wide.query("metric == 'cost'")["verdict"] == "equivalent").all()


def test_parts_needed():
    # Four times the parts halve the standard error.
    df, quantiles = 99, stats.t.isf(0.025, 99) + stats.t.ppf(0.8, 99)
    assert_allclose(parts_needed(quantiles, 2.0, 100, df=df), 400)
    assert parts_needed(0.0, 1.0, 100, df=df) == np.inf


def test_sensitivity():
    result = compared(cost_matrix=COSTS, good="ok")
    table = result.sensitivity(factors=(0.5, 1.0))
    now = result.table.query("metric == 'cost'").reset_index(drop=True)
    at_one = table.query("factor == 1").drop(columns="factor").reset_index(drop=True)
    pd.testing.assert_frame_equal(at_one, now, check_like=True)
    halved = COSTS * np.array([[1], [0.5], [0.5]])
    half = compared(cost_matrix=halved, good="ok").table.query("metric == 'cost'")
    at_half = table.query("factor == 0.5")
    assert_allclose(at_half["difference"], half["difference"], rtol=ROUNDED_SUMS)
    with pytest.raises(ValueError, match="good"):
        compared().sensitivity()


def test_settings_say_how_it_was_made():
    lots = np.arange(178) // 6
    table = compared(groups=lots, cost_matrix=COSTS, rope={"accuracy": 0.01}, random_state=3).table
    said = table.attrs
    assert (said["parts"], said["groups"], said["folds"], said["repeats"]) == (178, 30, 5, 2)
    assert (said["seed"], said["rope"], said["confidence"]) == (3, {"accuracy": 0.01}, 0.95)
    assert said["cost_matrix"]["crack"] == {"pass": 100.0, "rework": 8.0, "scrap": 5.0}
    assert json.loads(json.dumps(said)) == said
    X, y = wine_parts()
    options = {"groups": lots, "cost_matrix": COSTS, "n_splits": 5, "n_repeats": 2}
    options |= {"rope": {"accuracy": 0.01}, "random_state": 3}
    with pytest.warns(FutureWarning, match="use compare_classifiers") as caught:
        pd.testing.assert_frame_equal(compare(MODELS, X, y, **options), table)
    assert caught[0].filename == __file__


def test_no_model_beats_perfect_knowledge():
    """A class that is missing from most folds keeps its weight on the line."""
    rng = np.random.default_rng(0)
    y = np.array(["ok"] * 100 + ["dent"] * 100 + ["crack"] * 3)
    X = rng.normal(size=(len(y), 2)) + (y == "dent")[:, None]
    costs = {"ok": {"p": 0, "s": 1}, "dent": {"p": 1, "s": 0}, "crack": {"p": 100, "s": 99}}
    line = {"ok": 0.5, "dent": 0.1, "crack": 0.4}
    result = compare_classifiers(
        MODELS | {"today": LogisticRegression()},
        X,
        y,
        cost_matrix=costs,
        prevalence=line,
        n_repeats=2,
    )
    kpis = result.kpis
    assert kpis.loc[list(MODELS), "cost"].min() >= kpis.loc["(perfect)", "cost"]
    for name in MODELS:
        money = (result.confusion(name) * result.cost_matrix).to_numpy().sum()
        assert_allclose(kpis.loc[name, "cost"], money, rtol=ROUNDED_SUMS)
    table = result.table.query("metric == 'cost'").set_index("candidate")
    for name in ("nb", "prior"):
        gap = kpis.loc[name, "cost"] - kpis.loc["today", "cost"]
        assert_allclose(table.loc[name, "difference"], gap, rtol=ROUNDED_SUMS)


def test_kpis_lie_in_their_intervals_when_lots_are_unequal():
    rng = np.random.default_rng(0)
    lots = np.append(np.zeros(200, dtype=int), np.arange(1, 41))
    X, y = rng.normal(size=(240, 2)), rng.integers(0, 2, 240)
    kpis = compare_classifiers(MODELS, X, y, groups=lots, n_splits=5, n_repeats=3).kpis
    for metric in ("cost", "accuracy", "log_loss", "brier"):
        rows = kpis.loc[list(MODELS)]
        assert (rows[f"{metric}_low"] <= rows[metric]).all()
        assert (rows[metric] <= rows[f"{metric}_high"]).all()


class Rounded(GaussianNB):
    """The same but for rounding."""

    def predict_proba(self, X):
        return super().predict_proba(X) * (1 - 1e-15)


def test_rounding_decides_nothing():
    X, y = wine_parts()
    result = compare_classifiers({"a": GaussianNB(), "b": Rounded()}, X, y, n_repeats=1)
    assert (result.table["difference"] == 0).all()
    assert set(result.table["verdict"]) == {"inconclusive", ""}


def test_few_folds_decide_nothing_and_promise_nothing():
    X, y = wine_parts()
    result = compare_classifiers(MODELS, X, y, baseline="prior", n_splits=2, n_repeats=2)
    assert set(result.table["verdict"]) == {"inconclusive", ""}
    assert result.table[["parts_needed", "needed_low", "needed_high"]].isna().all(axis=None)
    assert result.conclusion.reason == "few"
    assert "fewer than 5 different test sets" in str(result)
    assert "To show a difference" not in str(result)


@pytest.mark.parametrize("rare", [1, 2])
def test_classes_of_one_or_two_rows_give_finite_numbers(rare):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.array(["ok"] * 40 + ["dent"] * (20 - rare) + ["crack"] * rare)
    for labels in (y, np.where(y == "dent", "ok", y)):
        result = compare_classifiers(MODELS, X, labels, good="ok", n_splits=5, n_repeats=2)
        estimators = result.kpis.loc[list(MODELS)]
        assert np.isfinite(estimators.to_numpy(dtype=float)).all()
        table = result.table.drop(columns=["parts_needed", "needed_low", "needed_high"])
        assert np.isfinite(table.select_dtypes("number")).all(axis=None)


def test_estimators_and_labels_that_cannot_be_used():
    X, y = wine_parts()
    with pytest.raises(ValueError, match=r"'svc' \(SVC\) has no predict_proba"):
        compare_classifiers({"lr": MODELS["today"], "svc": SVC()}, X, y)
    for missing in (None, np.nan, pd.NA):
        labels = y.astype(object)
        labels[3] = missing
        with pytest.raises(ValueError, match="y is missing for 1 rows"):
            compare_classifiers(MODELS, X, labels)
    numbers = pd.Series((y == "ok").astype(int), dtype="Int64")
    assert cross_val_predictions(MODELS["today"], X, numbers).classes.tolist() == [0, 1]


def test_fits_in_parallel_give_the_same():
    X, y = wine_parts()
    one = cross_val_predictions(MODELS["today"], X, y, n_repeats=2)
    two = cross_val_predictions(MODELS["today"], X, y, n_repeats=2, n_jobs=2)
    assert_array_equal(one.proba, two.proba)


def test_a_cluster_gives_the_same():
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    X, y = wine_parts()
    one = cross_val_predictions(MODELS["today"], X, y, n_repeats=1)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        other = cross_val_predictions(MODELS["today"], X, y, n_repeats=1)
    assert_array_equal(one.proba, other.proba)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidate": "new"}, "candidate='new' is not one of"),
        ({"candidate": "nb", "baseline": "nb"}, "both candidate and baseline"),
        ({"cost_matrix": COSTS[:2]}, "crack"),
        ({"good": "fine"}, "good='fine' is not a class"),
        ({"confidence": 1.0}, "confidence"),
        ({"rope": -1.0}, "rope must be"),
        ({"rope": "0.1"}, "rope must be a number .* got '0.1'"),
        ({"rope": {"auc": 0.1}}, "rope must be"),
        ({"prevalence": {"ok": 1.0}}, "prevalence"),
        ({"groups": np.zeros(178)}, "1 groups for 5 folds"),
        ({"groups": [1, 2]}, "inconsistent"),
        ({"groups": np.append(np.arange(177.0), np.nan)}, "groups is missing for 1 rows"),
    ],
)
def test_options_that_cannot_be_used(options, message):
    with pytest.raises(ValueError, match=message):
        compared(**options)


# Computed once, and shown


def test_tables_are_computed_once(monkeypatch):
    result, calls = compared(good="ok"), Counter()
    for name in ("fold_means", "key_figures", "difference_table"):
        function = getattr(tables, name)

        def counted(*arguments, name=name, function=function):
            calls[name] += 1
            return function(*arguments)

        monkeypatch.setattr(f"skperturb.evaluation._comparison.{name}", counted)
    for _ in range(2):
        for table in (result.scores, result.kpis, result.table):
            table.insert(0, "mine", 0)  # in a copy
        repr(result), str(result), result._repr_html_()
    assert calls == {"fold_means": 1, "key_figures": 1, "difference_table": 1}
    assert "mine" not in result.table


def test_a_comparison_is_short_as_an_object_and_a_table_as_a_text():
    result = compared(rope=5)
    lines = repr(result).splitlines()
    assert lines[0] == "Comparison of today, nb, prior on 178 parts, 2 x 5 folds"
    assert lines[1] == "conclusion: keep today"
    assert len(lines) == 2
    assert max(map(len, lines)) < 80
    text = str(result)
    assert text.startswith("Keep today: ")
    # The numbers of a metric have the same decimals, here those of four digits of the largest.
    for row in result.table[result.table["metric"] == "cost"].itertuples():
        assert f"[{row.ci_low:+,.1f}, {row.ci_high:+,.1f}]" in text
    assert "95% interval" in text
    with pytest.raises(AttributeError):
        result.good = "dent"


def test_more_parts_would_tell():
    """A range, in parts, or in lots where there are lots."""
    result, texts = compared(), load("en")

    def said(low, high, comparison=result):
        row = SimpleNamespace(needed_low=low, needed_high=high)
        return " ".join(needed_sentences(row, comparison, texts))

    assert "of the size seen would take between 610 and 48" not in said(100.0, 150.0)
    assert "between 250 and 7,100 parts in all; there are 178" in said(254.3, 7124.0)
    assert "at least 250 parts in all, perhaps more than 100 times" in said(254.3, np.inf)
    assert "more than 100 times as many parts as the present 178" in said(1e9, np.inf)
    assert said(np.nan, np.nan) == ""
    in_lots = compared(groups=np.arange(178) // 6, difference=30)
    assert "a difference of 30 would take between 40 and 90 lots" in said(40.1, 90.2, in_lots)


@pytest.mark.parametrize("name", ["scores", "kpis", "table", "predictions"])
def test_old_names_of_a_comparison_warn(name):
    result = compared()
    with pytest.warns(FutureWarning, match=rf"{name}_ is deprecated") as caught:
        old = getattr(result, f"{name}_")
    assert caught[0].filename == __file__
    assert type(old) is type(getattr(result, name))


@pytest.mark.parametrize("old", ["costs", "stats", "calibration", "online"])
def test_old_addresses_warn(old):
    module = getattr(evaluation, old)
    with pytest.warns(FutureWarning, match=r"use skperturb.evaluation.holm instead") as caught:
        assert module.holm is holm
    assert caught[0].filename == __file__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        module.nonsense  # noqa: B018


def test_results_unpack_for_one_more_release():
    for result, length in (
        (wilson(0.5, 10), 2),
        (combined_ftest_5x2(np.ones((5, 2))), 2),
        (mean_interval([1.0, 2.0]), 3),
    ):
        with pytest.warns(FutureWarning, match="Unpacking a"):
            values = list(result)
        assert values == list(result.to_dict().values())
        assert len(values) == length
        assert str(result).count("\n") == length - 1
        assert result._repr_html_().startswith("<table>")
    with pytest.warns(FutureWarning, match="weight of mean_interval"):
        assert mean_interval([1.0, 2.0], weight=[1, 3]).mean == 1.75


def test_intervals_of_nothing_are_refused():
    for share, n in ((0, 0), (0.5, -1), (1.5, 10), (np.nan, 10)):
        with pytest.raises(ValueError, match="positive number of parts"):
            wilson(share, n)
    with pytest.raises(ValueError, match="no rows"):
        mean_interval([])
    for function in (lambda: wilson(0.5, 10, 95), lambda: mean_interval([1, 2], confidence=0)):
        with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
            function()


class Negative(DummyClassifier):
    """Rows sum to one, but are no probabilities."""

    def predict_proba(self, X):
        return super().predict_proba(X) + np.array([2.0, -2.0, 0.0])


def test_negative_probabilities_are_refused():
    X, y = wine_parts()
    with pytest.raises(ValueError, match="probabilities of Negative must be finite, not negative"):
        compare_classifiers({"bad": Negative(), "prior": DummyClassifier()}, X, y, n_splits=3)


def test_the_good_class_is_matched_by_name():
    X, y = wine_parts()
    numbers = (y == "ok").astype(int)
    result = compare_classifiers(MODELS, X, numbers, good="1", n_splits=2, n_repeats=1)
    assert result.good == 1
    assert "(pass all: 1)" in result.kpis.index
    assert result.sensitivity([1.0])["factor"].tolist() == [1.0, 1.0]


def test_estimators_may_be_a_list_of_pairs():
    X, y = wine_parts()
    pairs = list(MODELS.items())
    result = compare_classifiers(pairs, X, y, n_splits=2, n_repeats=1)
    expected = compare_classifiers(MODELS, X, y, n_splits=2, n_repeats=1).table
    pd.testing.assert_frame_equal(result.table, expected)
    with pytest.raises(ValueError, match="a name more than once"):
        compare_classifiers([*pairs, pairs[0]], X, y)
    with pytest.raises(ValueError, match="must be a dict"):
        compare_classifiers([GaussianNB(), DummyClassifier()], X, y)
