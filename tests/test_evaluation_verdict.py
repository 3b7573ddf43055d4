"""Partitions, verdicts, the conclusion, weights and times."""

import json
from time import process_time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb.cli import main
from skperturb.evaluation import (
    compare_classifiers,
    cross_val_predictions,
    mean_interval,
    parts_needed,
    parts_needed_range,
    per_part_ttest,
)
from skperturb.evaluation._partitions import make_partition
from skperturb.evaluation._resampling import resampling
from skperturb.evaluation._texts import percent
from skperturb.evaluation._verdict import Size, judged

from ._data import wine_parts
from ._own_lda import trained_on
from .conftest import IDENTITY

MODELS = {"today": GaussianNB(), "new": LinearDiscriminantAnalysis()}


def compared(models=MODELS, **options):
    X, y = wine_parts()
    return compare_classifiers(models, X, y, **{"n_splits": 5, "n_repeats": 1} | options)


# --- Partitions


def lots_of(n_lots, smallest=20, below=80, seed=0):
    rng = np.random.default_rng(seed)
    return np.repeat(np.arange(n_lots), rng.integers(smallest, below, n_lots))


@pytest.mark.parametrize(("n_lots", "n_splits"), [(5, 5), (6, 5), (12, 5), (12, 10), (20, 10)])
def test_lots_are_divided_at_random_and_never_twice_alike(n_lots, n_splits):
    lots = lots_of(n_lots)
    codes = np.random.default_rng(1).integers(0, 2, len(lots))
    partition = make_partition(codes, lots, None, n_splits, 10, 0)
    divisions = set()
    for fold in partition.fold:
        of_lot = [set(fold[lots == lot]) for lot in range(n_lots)]
        assert all(len(folds) == 1 for folds in of_lot)
        assert set(fold) == set(range(n_splits))
        divisions.add(frozenset(frozenset(lots[fold == k]) for k in range(n_splits)))
    assert len(divisions) == len(partition.fold)
    assert len(divisions) == (1 if n_lots == n_splits else 10)
    sets = {frozenset(lots[fold == k]) for fold in partition.fold for k in range(n_splits)}
    folds = resampling(partition.fold, trained_on(partition), np.ones(len(lots)), n_lots)
    assert len(folds.share) == len(sets)
    assert folds.df == min(len(sets), n_lots) - 1


def test_lots_are_stratified_as_well_as_they_allow():
    """A rare class of a few lots is spread over the folds."""
    lots = np.repeat(np.arange(200), 10)
    codes = np.zeros(2000, dtype=int)
    codes[np.isin(lots, np.arange(0, 200, 10)) & (np.arange(2000) % 10 < 3)] = 1  # in 20 lots
    for fold in make_partition(codes, lots, None, 5, 5, 0).fold:
        assert np.bincount(fold[codes == 1]).tolist() == [12] * 5
        assert np.bincount(fold).tolist() == [400] * 5


def test_many_lots_are_divided_fast():
    lots = np.repeat(np.arange(5000), 2)
    codes = np.random.default_rng(0).integers(0, 5, 10_000)
    start = process_time()
    make_partition(codes, lots, None, 10, 10, 0)
    assert process_time() - start < 3


def test_without_lots_the_folds_are_those_of_scikit_learn():
    X, y = wine_parts()
    codes = np.unique(y, return_inverse=True)[1]
    partition = make_partition(codes, None, None, 4, 3, 7)
    cv = RepeatedStratifiedKFold(n_splits=4, n_repeats=3, random_state=7)
    for number, (train, test) in enumerate(cv.split(X, y)):
        assert_array_equal(partition.split(number)[0], train)
        assert_array_equal(partition.split(number)[1], test)


def test_splits_are_made_once_for_all_estimators(monkeypatch):
    made = []

    def counted(*arguments):
        made.append(make_partition(*arguments))
        return made[-1]

    monkeypatch.setattr("skperturb.evaluation._cross_validation.make_partition", counted)
    compared(dict.fromkeys("abcd", DummyClassifier()), n_repeats=3)
    assert len(made) == 1


def test_a_partition_that_repeats_tells_no_more():
    """Ten repeats of five lots are one: the same table, and the page says so."""
    lots = np.arange(178) * 5 // 178
    ten, one = compared(groups=lots, n_repeats=10), compared(groups=lots)
    pd.testing.assert_frame_equal(ten.table, one.table)
    assert ten.table["df"].tolist() == [4] * 4
    assert "5 lots allow fewer different divisions" in " ".join(str(ten).split())
    assert "come from 5 lots only" in " ".join(str(one).split())


def test_a_lot_that_dominates_is_named():
    lots = np.append(np.zeros(100, dtype=int), 1 + np.arange(78) % 12)
    assert "The lot 0 holds 56.2" in " ".join(str(compared(groups=lots)).split())


def test_the_test_of_lots_by_hand():
    """Mean over different test sets, 1/J + n_test/n_train, the lots' degrees of freedom."""
    lots = np.arange(178) * 6 // 178
    result = compared(groups=lots, n_repeats=10, metric="log_loss")
    fold = result.predictions["new"].fold
    scores = {name: result.scores["log_loss"][name] for name in MODELS}
    gains, sizes = {}, {}
    for repeat, k in scores["new"].index:
        tested = fold[repeat] == k
        gains.setdefault(frozenset(lots[tested]), []).append(
            scores["new"][repeat, k] - scores["today"][repeat, k]
        )
        sizes[frozenset(lots[tested])] = tested.sum()
    n = np.array(list(sizes.values()))
    d = np.array([np.mean(gain) for gain in gains.values()]) * n / n.mean()
    row = result.table.query("metric == 'log_loss'").iloc[0]
    assert_allclose(row["difference"], d.mean(), rtol=1e-10)
    factor = 1 / len(d) + np.mean(n / (178 - n))
    assert_allclose(row["se"], np.sqrt(factor * d.var(ddof=1)), rtol=1e-10)
    assert row["df"] == 5


# --- Forward in time


def test_models_learn_from_the_past():
    rng = np.random.default_rng(0)
    time = rng.permutation(np.arange(300) // 3)  # several parts at a moment
    codes = rng.integers(0, 2, 300)
    partition = make_partition(codes, None, time, 5, 10, 0)
    assert partition.fold.shape == (1, 300)
    for number in range(5):
        train, test = partition.split(number)
        assert time[train].max() < time[test].min()
    assert sorted(set(partition.fold[0])) == [-1, 0, 1, 2, 3, 4]
    assert np.ptp(np.bincount(partition.fold[0] + 1)) <= 6


def test_lots_that_overlap_in_time():
    lots = np.repeat(np.arange(30), 10)
    time = np.repeat(np.arange(30) * 10, 10) + np.tile(np.arange(10) * 3, 30)
    codes = np.random.default_rng(0).integers(0, 2, 300)
    partition = make_partition(codes, lots, np.unique(time, return_inverse=True)[1], 5, 1, 0)
    for number in range(5):
        train, test = partition.split(number)
        assert time[train].max() < time[test].min()
        assert not set(lots[train]) & set(lots[test])
    with pytest.raises(ValueError, match="at the same time"):
        make_partition(codes, lots, np.zeros(300, dtype=int), 5, 1, 0)


@pytest.mark.parametrize("kind", [np.asarray, pd.to_datetime, list])
def test_a_comparison_forward_in_time(kind):
    rng = np.random.default_rng(0)
    time = rng.permutation(178)
    result = compared(time=kind(time), n_repeats=None, good="ok")
    tested = time >= np.sort(time)[result.n_before]
    assert result.n_before == len(time) - tested.sum()
    X, y = wine_parts()
    assert_array_equal(result.y, y[tested])
    out = cross_val_predictions(MODELS["new"], X, y, time=time, n_splits=5)
    assert np.isnan(out.proba[0, ~tested]).all()
    assert_allclose(out.proba[0, tested], result.predictions["new"].proba[0])
    n_test = np.bincount(result.predictions["new"].fold[0])
    before = result.n_before + np.append(0, np.cumsum(n_test)[:-1])
    assert_array_equal(result.predictions["new"].n_train[0], before)
    # The plain t test of the blocks.
    scores = result.scores["cost"]
    gain = (scores["today"] - scores["new"]).to_numpy() * n_test / n_test.mean()
    row = result.table.iloc[0]
    assert_allclose(row["p_value"], stats.ttest_1samp(gain, 0).pvalue, rtol=1e-9)
    assert_allclose(row["difference"], -gain.mean(), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time": np.zeros(178)}, "1 blocks of whole moments"),
        ({"time": np.append(np.arange(177.0), np.nan)}, "time is missing for 1 rows"),
        ({"time": ["spring"] * 178}, "neither numbers nor dates"),
        ({"time": np.arange(178), "test": "per_part"}, "leave time or test='per_part' out"),
        ({"test": "plain"}, "test must be"),
        ({"metric": "auc"}, "metric must be one of cost"),
        ({"difference": 0}, "difference must be a positive number"),
        ({"today": ["ok"] * 177 + ["sell"]}, "sell"),
        ({"sample_weight": -np.ones(178)}, "sample_weight"),
        (
            {
                "models": {"a": KNeighborsClassifier(), "b": GaussianNB()},
                "sample_weight": np.ones(178),
            },
            "takes no sample_weight",
        ),
    ],
)
def test_what_cannot_be_compared(options, message):
    with pytest.raises(ValueError, match=message):
        compared(**options)


# --- One rule


def random_rows(rng, n_pairs):
    """Tests of several pairs as the comparison makes them, of all sizes and degrees of freedom."""
    rows = []
    rope = float(rng.choice([0.0, 0.5, 3.0]))
    for _ in range(n_pairs):
        mean, se, df = rng.normal(scale=3), rng.gamma(1.0), int(rng.integers(4, 100))
        below = special.stdtr(df, (np.array([rope, -rope]) - mean) / se)
        equivalent = below[0] - below[1] if rope else 0.0
        rows.append(
            {"metric": "cost", "difference": -mean, "se": se, "df": df}
            | {"prob_better": 1 - below[0], "prob_equivalent": equivalent}
        )
    return rows, rope


def test_verdict_probability_and_interval_never_contradict_each_other():
    rng = np.random.default_rng(0)
    alpha = 0.05
    said = dict.fromkeys(["better", "worse", "equivalent", "inconclusive"], 0)
    count = 0
    while count < 10_000:
        n_pairs = int(rng.integers(1, 5))
        rows, rope = random_rows(rng, n_pairs)
        options = {"rope": rope, "confidence": 1 - alpha, "decides": True, "n": Size(300, 300)}
        for row in judged(rows, [range(n_pairs)], **options):
            count += 1
            said[row["verdict"]] += 1
            worse = 1 - row["prob_better"] - row["prob_equivalent"]
            needed = row["prob_needed"]
            assert 1 - alpha / 2 <= needed <= 1 - alpha / 2 / n_pairs + IDENTITY
            low, high = -row["ci_high"], -row["ci_low"]  # of the gain
            assert (row["verdict"] == "better") == (row["prob_better"] >= needed)
            assert (row["verdict"] == "better") == (low >= rope) or row["se"] == 0
            assert (row["verdict"] == "worse") == (worse >= needed)
            assert (row["verdict"] == "worse") == (high <= -rope)
            if row["verdict"] == "equivalent":
                assert row["prob_equivalent"] >= 1 - alpha
            elif n_pairs == 1 and rope:
                assert row["prob_equivalent"] < 1 - alpha
            # As printed, too.
            shown = float(percent(row["prob_better"], needed).strip("<>\u00a0%"))
            if "better" not in row["verdict"] and row["prob_better"] > 0.9:
                assert shown < 100 * needed
    assert min(said.values()) > 100


def test_equivalence_allows_for_several_pairs():
    def row(share):
        sure = {"metric": "cost", "difference": 0.0, "se": 1.0, "df": 99}
        return sure | {"prob_better": (1 - share) / 2, "prob_equivalent": share}

    options = {"rope": 2.0, "confidence": 0.95, "decides": True, "n": Size(300, 300)}
    (alone,) = judged([row(0.96)], [[0]], **options)
    both = judged([row(0.96), row(0.96)], [[0, 1]], **options)
    assert alone["verdict"] == "equivalent"
    assert [r["verdict"] for r in both] == ["inconclusive"] * 2


def test_only_the_metric_that_decides_has_a_verdict():
    for metric in ("cost", "log_loss", "brier", "accuracy"):
        table = compared(metric=metric).table.set_index("metric")
        assert table["verdict"].drop(metric).tolist() == ["", "", ""]
        assert table.loc[metric, "verdict"] != ""


def test_better_means_by_more_than_the_rope():
    """A difference that is surely there, but perhaps smaller than matters."""
    models = {"prior": DummyClassifier(), "nb": GaussianNB()}
    free = compared(models).table.iloc[0]
    rope = abs(free["difference"]) - free["se"]
    with_rope = compared(models, rope=rope).table.iloc[0]
    assert free["verdict"] == "better"
    assert with_rope["verdict"] == "inconclusive"
    assert 0.5 < with_rope["prob_better"] < with_rope["prob_needed"]


# --- Neither


def test_use_neither_if_a_policy_is_cheaper():
    rng = np.random.default_rng(0)
    y = np.where(rng.random(300) < 0.1, "bad", "ok")
    X = rng.normal(size=(300, 3))
    costs = {"ok": {"pass": 0, "scrap": 20}, "bad": {"pass": 150, "scrap": 5}}
    options = {"cost_matrix": costs, "good": "ok", "n_splits": 5, "n_repeats": 1}
    result = compare_classifiers(MODELS, X, y, **options)
    kpis, found = result.kpis, result.conclusion
    assert found.decision == "neither"
    assert found.choice == "(pass all: pass)"
    assert kpis.loc[list(MODELS), "cost"].min() >= kpis.loc[found.choice, "cost"]
    assert str(result).startswith("Use neither model: passing all parts (pass) costs ")
    page = result.to_html()
    assert page.index("Use neither") < page.index("<table")
    decisions = np.where(y == "bad", "scrap", "pass")
    decisions[:3] = "scrap"
    today = compare_classifiers(MODELS, X, y, today=decisions, **options)
    assert today.conclusion.choice == "(today's rule)"
    cost = 1000 * np.mean([costs[t][d] for t, d in zip(y, decisions, strict=True)])
    assert_allclose(today.kpis.loc["(today's rule)", "cost"], cost)


def test_a_model_that_is_kept_is_held_against_the_rule_of_today():
    _, y = wine_parts()
    other = np.roll(np.unique(y), 1)[np.unique(y, return_inverse=True)[1]]  # always wrong
    result = compared(MODELS, good="ok", today=other, rope={"cost": 1000})
    assert result.conclusion.sentences[-1].startswith("Today's rule costs ")
    page = result.to_html()
    assert "costs less than today&#39;s rule" in page
    assert "Nothing needs to change" not in page


def test_models_that_are_cheaper_than_every_policy():
    result = compared(MODELS | {"prior": DummyClassifier()}, good="ok", candidate="new")
    assert result.floors == ("prior",)
    assert result.families == [[0], [1]]
    assert result.policies["candidate"].tolist() == ["today", "new"]
    found = result.conclusion
    assert found.decision == "keep"
    assert found.choice == "today"
    assert found.policy_proven
    assert len(found.sentences) == 2
    clear = compared({"prior": DummyClassifier(), "nb": GaussianNB()})
    assert (clear.conclusion.decision, clear.conclusion.choice) == ("use", "nb")
    by_accuracy = compared(metric="accuracy")
    assert by_accuracy.policies is None
    assert by_accuracy.conclusion.policy is None


# --- Weights


def test_weights_are_repetitions():
    """Whole weights in fits, figures and tests; two lots hold the copies of each part."""
    X, y = wine_parts()
    weight = 1 + np.arange(178) % 3
    lots = np.arange(178) * 10 // 178
    copies = np.repeat(np.arange(178), weight)
    options = {"n_splits": 5, "n_repeats": 2, "good": "ok"}
    models = {"today": GaussianNB(), "pipeline": make_pipeline(StandardScaler(), GaussianNB())}
    first = compare_classifiers(models, X, y, groups=lots, sample_weight=weight, **options)
    fold = first.predictions["today"].fold
    again = cross_val_predictions(
        GaussianNB(), X, y, groups=lots, sample_weight=weight, n_splits=5, n_repeats=2
    )
    assert_array_equal(again.fold, fold)
    model = GaussianNB().fit(X[copies][fold[0][copies] != 0], y[copies][fold[0][copies] != 0])
    tested = fold[0] == 0
    assert_allclose(first.predictions["today"].proba[0, tested], model.predict_proba(X[tested]))
    cost = first.costs("today")
    assert_allclose(first.kpis.loc["today", "cost"], cost[:, copies].mean())
    assert_allclose(
        first.scores.loc["today"]["cost"].iloc[0], cost[0][copies][fold[0][copies] == 0].mean()
    )
    assert_allclose(first.kpis.iloc[2]["cost"], 1000 * np.mean(y[copies] != "ok"))
    line = {"ok": 0.9, "dent": 0.06, "crack": 0.04}
    shares = compared(models, prevalence=line, sample_weight=weight)
    classes, codes = np.unique(y, return_inverse=True)
    total = np.bincount(codes, shares.weight)
    assert_allclose(total / total.sum(), [line[c] for c in classes])
    models = {"nb": GaussianNB(), "prior": DummyClassifier()}
    equal = compared(models, sample_weight=np.full(178, 2.0))
    pd.testing.assert_frame_equal(
        equal.table.drop(columns="p_value"), compared(models).table.drop(columns="p_value")
    )


# --- Cheaper test, and the number of parts


def test_per_part_test_by_hand():
    d = np.random.default_rng(0).normal(0.1, 1, 200)
    test = per_part_ttest(d)
    assert_allclose([test.statistic, test.p_value], stats.ttest_1samp(d, 0), rtol=IDENTITY)
    lots = np.arange(200) // 10
    interval = mean_interval(d, groups=lots)
    test = per_part_ttest(d, groups=lots, rope=0.1)
    assert_allclose([test.ci_low, test.ci_high], [interval.low, interval.high], rtol=IDENTITY)
    assert test.df == 19
    with pytest.raises(ValueError, match="two lots"):
        per_part_ttest(d, groups=np.zeros(200))
    result = compared(test="per_part", n_repeats=None)
    assert result.table["df"].tolist() == [177] * 4
    assert "second to the corrected test" in " ".join(str(result).split())
    with pytest.raises(ValueError, match="test='corrected'"):
        result.differences(result.scores)


def test_parts_needed_range():
    options = {"df": 99, "confidence": 0.95}
    span = parts_needed_range(2.0, 1.5, 500, **options)
    # Between its ends the true difference lies with 80 % probability.
    q = stats.t.isf(0.025, 99) + stats.t.ppf(0.8, 99)
    sizes = q * 1.5 / np.sqrt(np.array([span.low, span.high]) / 500)
    shares = [stats.t.cdf(s, 99, 2, 1.5) - stats.t.cdf(-s, 99, 2, 1.5) for s in sizes]
    assert_allclose(shares, [0.9, 0.1], atol=1e-8)
    named = parts_needed_range(2.0, 1.5, 500, named=True, **options)
    assert named.low < parts_needed(2.0, 1.5, 500, df=99) < named.high
    assert parts_needed_range(2.0, 1.5, 500, named=True, rope=3.0, **options).low == np.inf
    assert parts_needed_range(0.0, 0.0, 500, **options).low == np.inf
    table = compared(difference=50.0).table
    assert (table["needed_low"] < table["needed_high"]).all()


# --- The command


@pytest.fixture
def without_fits(monkeypatch):
    def stub(estimators, *arguments, **options):
        return compare_classifiers(
            dict.fromkeys(estimators, DummyClassifier()), *arguments, **options
        )

    monkeypatch.setattr("skperturb.cli._compare.compare_classifiers", stub)


def file_of_parts(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
    frame["defect"] = np.where(frame["a"] + rng.normal(size=120) > 1, "bad", "ok")
    frame["decided"] = np.where(frame["b"] > 1.5, "bad", "ok")
    frame["made"] = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d")
    frame["pieces"] = rng.integers(1, 5, 120)
    path = tmp_path / "parts.csv"
    frame.to_csv(path, index=False)
    return path


QUICK = ["--target", "defect", "--estimators", "logistic_regression", "class_frequencies"]


@pytest.mark.usefixtures("without_fits")
def test_the_command_takes_times_weights_and_todays_decisions(tmp_path, capsys):
    path, output = file_of_parts(tmp_path), tmp_path / "result.json"
    arguments = ["compare", str(path), *QUICK, "--good", "ok", "--cv", "1x5"]
    roles = ["--time", "made", "--weight", "pieces", "--today", "decided", "--difference", "10"]
    assert main([*arguments, *roles, "--json", str(output)]) == 0
    out, err = capsys.readouterr()
    assert "120 parts, 2 features" in out
    assert "5 blocks forward in time" in out
    assert "(today's rule)" in out
    assert "order of time" not in err
    said = json.loads(output.read_text())
    assert next(iter(said)) == "conclusion"
    assert out.startswith(said["conclusion"]["sentences"][0][:60])
    assert said["settings"]["weighted"]
    assert said["settings"]["parts_before"] == 20
    assert {row["verdict"] for row in said["differences"] if row["metric"] != "cost"} == {""}
    assert main([*arguments, "--metric", "log_loss", "--test", "per-part"]) == 0
    out, err = capsys.readouterr()
    assert "the parts are in the order of time (column 'made')" in err
    assert "second to the corrected test" in " ".join(out.split())


@pytest.mark.usefixtures("without_fits")
def test_time_is_one_division(tmp_path, capsys):
    path = file_of_parts(tmp_path)
    assert main(["compare", str(path), *QUICK, "--time", "made", "--cv", "5x2"]) == 2
    assert "use --cv 1x2" in capsys.readouterr().err
