from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve

from skperturb.evaluation import (
    calibration_error,
    class_counts,
    d2_brier,
    d2_log_loss,
    reliability,
)

from .conftest import IDENTITY

PRINTED = 1e-6  # of numbers that are given with six digits
TIE = 1e-9  # of p-values that are multiples of one over the number of draws

ALL = [reliability, calibration_error, class_counts, d2_log_loss, d2_brier]


def perfect_model(n, n_classes, seed, alpha=1.0):
    """Labels drawn from probabilities that are drawn from a symmetric Dirichlet distribution."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, alpha), n)
    return (rng.random(n)[:, None] >= proba.cumsum(axis=1)[:, :-1]).sum(axis=1), proba


def plain_ece(p, hit, n_bins, strategy):
    """Expected calibration error, bin by bin and row by row."""
    if strategy == "uniform":
        edges = [k / n_bins for k in range(n_bins + 1)]
    else:
        edges = [sorted(p)[max(-(-k * len(p) // n_bins) - 1, 0)] for k in range(n_bins + 1)]
    edges[0] = -1
    total = 0.0
    for low, high in pairwise(edges):
        gap = 0.0
        for i in range(len(p)):
            if low < p[i] <= high:
                gap += hit[i] - p[i]
        total += abs(gap)
    return total / len(p)


# Reliability


def test_reliability_by_hand():
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.9])
    y = np.array(["bad", "bad", "good", "bad", "good", "good"])
    table = reliability(y, np.column_stack([1 - p, p]), n_bins=3)
    assert list(table.columns) == [
        "class", "bin", "low", "high", "n", "mean_predicted", "observed", "ci_low", "ci_high"
    ]  # fmt: skip
    assert list(table["class"]) == 3 * ["bad"] + 3 * ["good"]
    good = table[table["class"] == "good"]
    assert_array_equal(good["bin"], [0, 1, 2])
    assert_array_equal(good["low"], [0.1, 0.2, 0.4])
    assert_array_equal(good["high"], [0.2, 0.4, 0.9])
    assert_array_equal(good["n"], [2, 2, 2])
    assert_allclose(good["mean_predicted"], [0.15, 0.35, 0.7], rtol=IDENTITY)
    assert_array_equal(good["observed"], [0, 0.5, 1])
    # Wilson for 0, 1 and 2 of 2, with z^2 = 3.841459.
    assert_allclose(good["ci_low"], [0, 0.094531, 0.342380], atol=PRINTED)
    assert_allclose(good["ci_high"], [0.657620, 0.905469, 1], atol=PRINTED)


def test_wilson_interval_is_that_of_scipy():
    y, proba = perfect_model(300, 3, seed=0)
    table = reliability(y, proba, n_bins=7, strategy="uniform")
    for row in table.itertuples():
        hits = round(row.n * row.observed)
        ci = stats.binomtest(hits, int(row.n)).proportion_ci(method="wilson")
        assert_allclose([row.ci_low, row.ci_high], [ci.low, ci.high], rtol=0, atol=IDENTITY)


def test_wilson_interval_holds_the_share():
    for n in range(1, 60):  # of which about every fourth needs care with rounding
        table = reliability(np.zeros(n), [[0.5, 0.5]] * n, [0, 1], n_bins=1)
        assert_array_equal(table["observed"], [1, 0])
        assert_array_equal([table["ci_high"][0], table["ci_low"][1]], [1, 0])


@pytest.mark.parametrize("n_bins", [1, 4, 10])
def test_uniform_reliability_is_calibration_curve(n_bins):
    y, proba = perfect_model(150, 3, seed=1)
    proba[0] = [0.5, 0.25, 0.25]  # on an edge
    table = reliability(y, proba, n_bins=n_bins, strategy="uniform")
    for k, part in table.groupby("class"):
        observed, predicted = calibration_curve(y == k, proba[:, k], n_bins=n_bins)
        assert_allclose(part["observed"], observed, rtol=IDENTITY)
        assert_allclose(part["mean_predicted"], predicted, rtol=IDENTITY)
        assert_allclose(part["high"] - part["low"], 1 / n_bins, rtol=IDENTITY)
        assert part["n"].sum() == 150


def test_quantile_bins_hold_equal_weight():
    y, proba = perfect_model(200, 4, seed=2)
    assert_array_equal(reliability(y, proba)["n"], 20)
    weight = np.random.default_rng(3).uniform(0.5, 1.5, 200)
    n = reliability(y, proba, sample_weight=weight)["n"]
    assert np.abs(n - weight.sum() / 10).max() < weight.max()  # within one row
    # Ties stay together: two values make two bins, more bins than rows are empty.
    p = np.repeat([0.2, 0.6], [7, 3])
    tied = reliability(p > 0.5, np.column_stack([1 - p, p]), n_bins=50)
    assert_array_equal(tied["n"], [3, 7, 7, 3])


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
def test_weights_are_repetition(strategy):
    y, proba = perfect_model(90, 3, seed=4)
    weight = np.random.default_rng(5).integers(0, 4, 90)
    repeated = np.repeat(y, weight), np.repeat(proba, weight, axis=0)
    a = reliability(y, proba, strategy=strategy, sample_weight=weight)
    b = reliability(*repeated, strategy=strategy)
    shared = list(a.columns[:-2])  # not the interval: importance is not evidence
    assert_frame_equal(a[shared], b[shared], rtol=IDENTITY)
    for d2 in (d2_log_loss, d2_brier):
        assert_allclose(d2(y, proba, sample_weight=weight), d2(*repeated), rtol=IDENTITY)


def test_weights_enter_the_interval_as_effective_rows():
    y, proba = perfect_model(90, 3, seed=4)
    plain = reliability(y, proba)
    doubled = reliability(y, proba, sample_weight=np.full(90, 2))
    assert_array_equal(doubled.pop("n"), 2 * plain.pop("n"))
    assert_frame_equal(doubled, plain, rtol=IDENTITY)
    # Weights 3, 1, 1: effectively 25 / 11 rows.
    row = reliability([1, 0, 1], [[0.5, 0.5]] * 3, n_bins=1, sample_weight=[3, 1, 1]).iloc[1]
    z2, n = stats.chi2.ppf(0.95, 1), 25 / 11
    for end in (row["ci_low"], row["ci_high"]):  # the ends solve (p - .8)^2 = z^2 p (1 - p) / n
        assert_allclose((end - 0.8) ** 2, z2 * end * (1 - end) / n, rtol=IDENTITY)


# Calibration error


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
@pytest.mark.parametrize("n_bins", [1, 7, 10])
def test_ece_is_that_of_a_plain_loop(n_bins, strategy):
    y, proba = perfect_model(130, 3, seed=6)
    table = calibration_error(y, proba, n_bins=n_bins, strategy=strategy, n_resamples=1)
    assert list(table["class"]) == [0, 1, 2, "top label"]
    expected = [plain_ece(proba[:, k], y == k, n_bins, strategy) for k in range(3)]
    expected.append(plain_ece(proba.max(axis=1), y == proba.argmax(axis=1), n_bins, strategy))
    assert_allclose(table["ece"], expected, rtol=IDENTITY)


def test_ece_is_the_mean_gap_of_the_reliability_table():
    y, proba = perfect_model(300, 4, seed=7)
    table = reliability(y, proba)
    gap = table["n"] * (table["observed"] - table["mean_predicted"]).abs() / 300
    ece = calibration_error(y, proba, n_resamples=1)["ece"]
    assert_allclose(gap.groupby(table["class"]).sum(), ece[:4], rtol=IDENTITY)


@pytest.mark.parametrize(("n_bins", "quoted"), [(10, 0.06), (50, 0.13)])
def test_ece_of_a_perfect_model(n_bins, quoted):
    """A perfect 4-class model of 200 rows: ECE 0.06 with 10 bins and 0.13 with 50.

    That is the mean over the classes, with bins of equal width and probabilities uniform on the
    simplex, Dirichlet(1, 1, 1, 1). (The top label has 0.062 and 0.136 there; bins of equal
    mass give 0.067 and 0.149, the top label 0.084 and 0.195.)
    """
    runs = []
    for seed in range(150):
        y, proba = perfect_model(200, 4, seed)
        table = calibration_error(
            y, proba, n_bins=n_bins, strategy="uniform", n_resamples=20, random_state=seed
        )
        runs.append(table.drop(columns="class")[["ece", "expected_if_perfect"]].to_numpy())
    runs = np.array(runs)  # run, class or top label, (ece, expected)
    difference = runs[..., 0] - runs[..., 1]
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert (np.abs(difference.mean(axis=0)) < 5 * error).all()
    mean = runs[:, :4].mean(axis=1)
    error = mean.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert (np.abs(mean.mean(axis=0) - quoted) < 0.005 + 5 * error).all()  # quoted to 0.01


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
def test_p_values_of_a_perfect_model_are_uniform(strategy):
    p = []
    for seed in range(200):
        y, proba = perfect_model(150, 3, seed, alpha=0.5)
        table = calibration_error(
            y, proba, strategy=strategy, n_resamples=39, random_state=1000 + seed
        )
        p.append(table["p_value"])
    p = np.array(p)
    assert p.min() == 1 / 40
    for level in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9):  # all can be reached exactly with 39 draws
        error = np.sqrt(level * (1 - level) / len(p))
        assert (np.abs((p <= level + TIE).mean(axis=0) - level) < 5 * error).all()


def test_overconfident_model_is_found_out():
    y, proba = perfect_model(2000, 4, seed=8)
    sharp = proba**3 / (proba**3).sum(axis=1, keepdims=True)
    table = calibration_error(y, sharp)
    assert_allclose(table["p_value"], 1 / 201)
    assert (table["ece"] > table["q95_if_perfect"]).all()
    assert (table["q95_if_perfect"] > table["expected_if_perfect"]).all()
    assert (calibration_error(y, proba)["p_value"] > 0.01).all()


def test_resampling_by_hand():
    """One row of two equal classes: whatever is drawn, the error is one half, and a tie."""
    table = calibration_error(["a"], [[0.5, 0.5]], ["a", "b"], n_resamples=9)
    assert_array_equal(table.drop(columns="class"), [[0.5, 0.5, 0.5, 1.0]] * 3)


def test_ties_survive_rounding():
    """Ten times p = 0.1 sums to less than 1: none and two hits are equally far from one."""
    proba = np.tile([0.1, 0.9], (10, 1))
    none, two = np.ones(10, dtype=int), np.repeat([0, 1], [2, 8])
    p = [calibration_error(y, proba, [0, 1])["p_value"] for y in (none, two)]
    assert_array_equal(p[0], p[1])


def test_random_state():
    y, proba = perfect_model(100, 3, seed=9)
    assert_frame_equal(calibration_error(y, proba), calibration_error(y, proba))
    rng = np.random.RandomState(0)
    assert_frame_equal(calibration_error(y, proba, random_state=rng), calibration_error(y, proba))
    other = calibration_error(y, proba, random_state=1)["expected_if_perfect"]
    assert (other != calibration_error(y, proba)["expected_if_perfect"]).any()


# Counts and D2


def test_class_counts_by_hand():
    y = ["b", "a", "b", "b"]
    proba = [[0.5, 0.5, 0.0], [0.2, 0.6, 0.2], [0.1, 0.9, 0.0], [0.2, 0.8, 0.0]]
    table = class_counts(y, proba, ["a", "b", "c"])
    assert list(table.columns) == ["class", "observed", "expected", "std_err", "z", "p_value"]
    assert list(table["class"]) == ["a", "b", "c"]
    assert_array_equal(table["observed"], [1, 3, 0])
    assert_allclose(table["expected"], [1.0, 2.8, 0.2], rtol=IDENTITY)
    assert_allclose(table["std_err"] ** 2, [0.66, 0.74, 0.16], rtol=IDENTITY)
    assert_allclose(table["z"], [0, 0.2 / np.sqrt(0.74), -0.5], atol=IDENTITY)
    assert_allclose(table["p_value"][[0, 2]], [1, 0.6170750774519738], rtol=IDENTITY)


def test_class_counts_of_perfect_models_have_standard_normal_z():
    z = np.array([class_counts(*perfect_model(100, 4, seed))["z"] for seed in range(400)])
    assert (np.abs(z.mean(axis=0)) < 5 / np.sqrt(400)).all()
    assert (np.abs((z**2).mean(axis=0) - 1) < 5 * np.sqrt(2 / 400)).all()


def test_d2_is_that_of_scikit_learn():
    y, proba = perfect_model(80, 3, seed=10)
    weight = np.random.default_rng(11).uniform(size=80)
    for w in (None, weight):
        expected = metrics.d2_log_loss_score(y, proba, sample_weight=w)
        assert_allclose(d2_log_loss(y, proba, sample_weight=w), expected, rtol=IDENTITY)
        if hasattr(metrics, "d2_brier_score"):  # since 1.8
            expected = metrics.d2_brier_score(y, proba, sample_weight=w)
            assert_allclose(d2_brier(y, proba, sample_weight=w), expected, rtol=IDENTITY)


def test_d2_brier_of_two_classes_needs_no_convention():
    y, proba = perfect_model(60, 2, seed=12)
    loss = metrics.brier_score_loss(y, proba[:, 1])
    null = metrics.brier_score_loss(y, np.full(60, y.mean()))
    assert_allclose(d2_brier(y, proba), 1 - loss / null, rtol=IDENTITY)


@pytest.mark.parametrize("d2", [d2_log_loss, d2_brier])
def test_d2_of_landmarks(d2):
    y = np.array([0, 0, 1, 2])
    assert d2(y, np.eye(3)[y]) == 1
    assert_allclose(d2(y, np.tile([0.5, 0.25, 0.25], (4, 1))), 0, atol=IDENTITY)
    assert d2(y, np.eye(3)[(y + 1) % 3]) < -1
    # With a single class the frequencies are perfect, and only a perfect model is as good.
    assert d2([0, 0], [[1.0, 0.0]] * 2, [0, 1]) == 1
    assert d2([0, 0], [[0.9, 0.1]] * 2, [0, 1]) == 0
    assert isinstance(d2(y, np.eye(3)[y]), float)


# Labels, columns and errors


def by_class(table):
    return table.set_index("class").sort_index(kind="stable")


def test_order_of_the_columns_does_not_matter():
    y, proba = perfect_model(250, 4, seed=13)
    order = [2, 0, 3, 1]
    for function in (reliability, class_counts):
        table = function(y, proba[:, order], order)
        assert list(table["class"].unique()) == order
        assert_frame_equal(by_class(table), by_class(function(y, proba)), rtol=IDENTITY)
    for d2 in (d2_log_loss, d2_brier):
        assert_allclose(d2(y, proba[:, order], order), d2(y, proba), rtol=IDENTITY)
    a, b = (
        calibration_error(y, proba[:, c], c, n_resamples=400).set_index("class").loc[range(4)]
        for c in (order, range(4))
    )
    assert_allclose(a["ece"], b["ece"], rtol=IDENTITY)
    # The draws differ. The 95 % quantile lies more than a standard deviation above the mean.
    spread = (a["q95_if_perfect"] - a["expected_if_perfect"]).max()
    atol = 5 * spread * np.sqrt(2 / 400)
    assert_allclose(a["expected_if_perfect"], b["expected_if_perfect"], rtol=0, atol=atol)


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    "container",
    [list, np.array, lambda y: np.array(y, dtype=object), pd.Series, pd.Categorical],
)
def test_string_labels(function, container):
    y, proba = perfect_model(60, 3, seed=14)
    names = np.array(["ok", "rework", "scrap"])
    result = function(container(names[y].tolist()), pd.DataFrame(proba))
    expected = function(y, proba)
    if isinstance(expected, float):
        assert result == expected
    else:
        expected["class"] = [c if c == "top label" else names[c] for c in expected["class"]]
        assert_frame_equal(result, expected, check_dtype=False)


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize("sure", [False, True])
@pytest.mark.parametrize("right", [False, True])
def test_absent_classes_and_sure_predictions_give_finite_numbers(function, sure, right):
    y = np.array([0, 1, 0, 3, 3, 1])
    proba = np.eye(4)[y if right else (y + 1) % 4]
    result = function(y, proba if sure else 0.8 * proba + 0.05, range(4))
    numbers = result if isinstance(result, float) else result.drop(columns="class").to_numpy()
    assert np.isfinite(numbers).all()


def test_sure_predictions():
    y = np.array([0, 1, 0, 1])
    right, wrong = np.eye(2)[y], np.eye(2)[[0, 1, 0, 0]]
    assert_array_equal(calibration_error(y, right)["ece"], 0)
    assert_array_equal(calibration_error(y, right)["p_value"], 1)
    assert_array_equal(calibration_error(y, wrong)["ece"], 0.25)
    assert_allclose(calibration_error(y, wrong)["p_value"], 1 / 201)
    assert_array_equal(class_counts(y, right)["p_value"], 1)
    assert_array_equal(class_counts(y, wrong)["p_value"], 0)


def test_rounding_above_one_is_no_error():
    proba = np.array([[1 + 5e-7, 0.0], [5e-7, 1.0]])
    assert np.isfinite(class_counts([0, 1], proba).drop(columns="class").to_numpy()).all()
    assert d2_log_loss([0, 1], proba) <= 1


@pytest.mark.parametrize("function", ALL)
def test_named_columns_name_the_classes(function):
    y, proba = perfect_model(100, 3, seed=15)
    names = np.array(["ok", "rework", "scrap"])
    table = pd.DataFrame(proba, columns=names)[["scrap", "ok", "rework"]]
    expected = function(names[y], proba, names)
    by_name = function(names[y], table, names)
    alone = function(names[y], table)
    with pytest.warns(FutureWarning, match="use y_true"):
        old = function(y=names[y], proba=proba)
    if isinstance(expected, float):
        assert by_name == expected == old
        assert_allclose(alone, expected, rtol=IDENTITY)
    else:
        assert_frame_equal(by_name, expected)
        assert_frame_equal(old, expected)
        assert list(alone["class"].unique())[:3] == ["scrap", "ok", "rework"]
    with pytest.raises(ValueError, match="y_true has labels that are not in classes: ok"):
        function(names[y], table.set_axis(["a", "b", "c"], axis=1))


def test_confidence_of_the_reliability():
    y, proba = perfect_model(100, 2, seed=16)
    wide, narrow = (reliability(y, proba, confidence=c) for c in (0.99, 0.5))
    assert (wide["ci_low"] <= narrow["ci_low"]).all()
    assert (wide["ci_high"] - wide["ci_low"] > narrow["ci_high"] - narrow["ci_low"]).all()
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        reliability(y, proba, confidence=95)


GOOD = [[0.3, 0.7], [0.6, 0.4]]


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    ("y", "proba", "classes", "message"),
    [
        ([0, 1], [0.3, 0.6], None, r"must have shape \(n_samples, n_classes\), got \(2,\)"),
        ([0, 1, 1], GOOD, None, "inconsistent numbers of samples"),
        ([], np.empty((0, 2)), [0, 1], "y_true and proba have no rows"),
        (["a", None], GOOD, ["a", "b"], "y_true has missing labels"),
        ([0, np.nan], GOOD, None, "y_true has missing labels"),
        ([0, 1], [[0.3, 0.7], [0.6, 0.5]], None, "sum to one within 1e-06: row 1 is not"),
        ([0, 1], [[0.3, 0.7 + 2e-6], [0.6, 0.4]], None, "sum to one within 1e-06: row 0 is not"),
        ([0, 1], [[-0.1, 1.1], [0.6, 0.4]], None, "not negative, .* row 0 is not"),
        ([0, 1], [[0.3, 0.7], [np.nan, 0.4]], None, "must be finite, .* row 1 is not"),
        ([0, 1], [[0.3, 0.7], [np.inf, -np.inf]], None, "must be finite, .* row 1 is not"),
        ([0, 0], GOOD, None, "proba has 2 columns, but y_true has 1 different labels: 0. Pass"),
        ([0, 1], GOOD, [0, 1, 2], "needs one column for each of the 3 classes: 0, 1, 2"),
        ([0, 1], GOOD, [1, 1], "classes has more than once: 1"),
        (["a", "c"], GOOD, ["a", "b"], "y_true has labels that are not in classes: c. The labels"),
    ],
)
def test_bad_input(function, y, proba, classes, message):
    with pytest.raises(ValueError, match=message):
        function(y, proba, classes)


@pytest.mark.parametrize("function", [reliability, d2_log_loss, d2_brier])
@pytest.mark.parametrize("weight", [[1, -1], [0, 0], [1, np.nan], [1, np.inf]])
def test_bad_weights(function, weight):
    with pytest.raises(ValueError, match="sample_weight must be finite and not negative"):
        function([0, 1], GOOD, sample_weight=weight)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        function([0, 1], GOOD, sample_weight=[1])


@pytest.mark.parametrize("function", [reliability, calibration_error])
def test_bad_bins(function):
    with pytest.raises(ValueError, match="n_bins must be at least 1, got 0"):
        function([0, 1], GOOD, n_bins=0)
    with pytest.raises(ValueError, match="strategy must be 'quantile' or 'uniform', got 'equal'"):
        function([0, 1], GOOD, strategy="equal")


def test_bad_number_of_resamples():
    with pytest.raises(ValueError, match="n_resamples must be at least 1, got 0"):
        calibration_error([0, 1], GOOD, n_resamples=0)
