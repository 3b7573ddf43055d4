import itertools
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    parametrize_with_checks,
)

from skperturb.evaluation import (
    CostSensitiveClassifier,
    check_cost_matrix,
    correct_prevalence,
    cost_score,
    cost_template,
    cross_val_predictions,
    expected_cost_decision,
    expected_costs,
    prevalence_weights,
    trivial_policies,
)

from ._data import DEFECTS as CLASSES
from ._data import gaussian_parts
from .conftest import IDENTITY, OPTIMUM

SINGLE = 1e-5  # of costs up to 50, from probabilities with 32 bits
QUOTIENTS = 1e-10  # of quotients of small densities

DECISIONS = ["pass", "rework", "scrap"]
COSTS = pd.DataFrame([[50, 5, 9], [0, 2, 9], [7, 4, 9]], index=CLASSES, columns=DECISIONS)
NUMBERED = np.array([[0.0, 1, 4], [2, 0, 1], [9, 3, 0]])
LINE = {"ok": 0.97, "scratch": 0.02, "dent": 0.01}
ROWS = list(itertools.permutations(range(3)))


def random_proba(n=200, k=3, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(k, 0.5), n)


def nested(table):
    return {truth: row.to_dict() for truth, row in table.iterrows()}


# Cost matrices


@pytest.mark.parametrize("form", [pd.DataFrame, nested])
@pytest.mark.parametrize("order", ROWS)
def test_rows_are_matched_by_name_and_columns_stay(form, order):
    shuffled = COSTS.iloc[list(order), list(order)]
    table = check_cost_matrix(form(shuffled), CLASSES)
    assert list(table.index) == CLASSES.tolist()
    assert list(table.columns) == [DECISIONS[i] for i in order]
    pd.testing.assert_frame_equal(table[DECISIONS], COSTS.astype(float), check_index_type=False)
    p = random_proba()
    assert_allclose(
        expected_costs(p, form(shuffled), CLASSES),
        expected_costs(p, COSTS, CLASSES)[:, order],
        atol=IDENTITY,
    )
    assert_array_equal(
        expected_cost_decision(p, form(shuffled), CLASSES),
        expected_cost_decision(p, COSTS, CLASSES),
    )


def test_array_is_in_the_order_of_the_classes():
    table = check_cost_matrix(NUMBERED.tolist(), CLASSES)
    assert table.loc["scratch", "dent"] == 9
    assert table.loc["dent", "scratch"] == 4


@pytest.mark.parametrize("classes", [[0, 1, 2], [0.5, 1.5, 2.0], CLASSES.tolist()])
def test_labels_survive_a_csv_file(classes, tmp_path):
    costs = cost_template(classes) * 3
    costs.to_csv(tmp_path / "costs.csv")
    read = pd.read_csv(tmp_path / "costs.csv", index_col=0, dtype={0: str})
    decided = expected_cost_decision(np.eye(3), read, classes)
    assert decided.tolist() == classes
    assert cost_score(classes, decided, read, classes=classes) == 0


def test_labels_are_compared_exactly_before_they_are_strings():
    # 1 and 1.0 are the same number and different strings.
    costs = pd.DataFrame(NUMBERED, index=[2.0, 0.0, 1.0], columns=["a", "b", "c"])
    table = check_cost_matrix(costs, [0, 1, 2])
    assert_array_equal(table.to_numpy(), NUMBERED[[1, 2, 0]])
    booleans = check_cost_matrix(
        {"True": {"a": 1, "b": 2}, "False": {"a": 3, "b": 4}}, [False, True]
    )
    assert booleans["a"].tolist() == [3, 1]


def test_decisions_keep_their_labels_unless_all_are_classes():
    rows = {"0": {"0": 0, "1": 1}, "1": {"0": 1, "1": 0}}
    assert check_cost_matrix(rows, [0, 1]).columns.tolist() == [0, 1]
    rows = {"0": {"0": 0, "scrap": 1}, "1": {"0": 1, "scrap": 0}}
    assert check_cost_matrix(rows, [0, 1]).columns.tolist() == ["0", "scrap"]
    mixed = pd.DataFrame([[0, 3], [9, 4]], columns=[0, "scrap"])
    assert expected_cost_decision(np.eye(2), mixed, [0, 1]).tolist() == [0, "scrap"]
    assert cost_score([0, 1, 1], [0, "scrap", "scrap"], mixed) == 8 / 3


def test_template():
    template = cost_template(["ok", "dent"])
    assert template.loc["ok"].to_dict() == {"ok": 0, "dent": 1}
    template.loc["dent", "ok"] = 12.5
    assert cost_score(["dent", "ok"], ["ok", "dent"], template) == 6.75
    assert cost_template(np.arange(4)).to_numpy().tolist() == (1 - np.eye(4)).tolist()


def with_entry(value):
    rows = nested(COSTS.astype(object))
    rows["ok"]["scrap"] = value
    return rows


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (COSTS.drop("ok"), "cost_matrix lacks the classes ok; it has dent, scratch."),
        (COSTS.rename(index={"ok": "OK"}), "lacks the classes ok; it has dent, OK, scratch."),
        (COSTS.reset_index(drop=True), "lacks the classes dent, ok, scratch; it has 0, 1, 2."),
        (
            pd.concat([COSTS, COSTS.set_axis(["a", "b", "c"])]),
            "labels that are not classes: a, b, c; the classes are dent, ok, scratch.",
        ),
        (COSTS.iloc[[0, 1, 1, 2]], "cost_matrix has more than once: ok."),
        (COSTS.iloc[:, [0, 0, 1]], "cost_matrix has more than once: pass."),
        (COSTS[["pass"]], "cost_matrix needs at least two decisions, got: pass."),
        (with_entry("free"), "not a number: could not convert string to float: 'free'."),
        (with_entry(1j), "an entry that is not a number"),
        (with_entry(10**400), "an entry that is not a number"),
        (with_entry(None), "an entry that is not a number"),
        (with_entry(np.nan), "cost_matrix has no finite number for ok, scrap."),
        (with_entry(-np.inf), "cost_matrix has no finite number for ok, scrap."),
        ({**nested(COSTS), "ok": {"pass": 0}}, "has no finite number for ok, rework."),
        ({"dent": [1, 2], "ok": [1, 2], "scratch": [0, 1]}, "{truth: {decision: cost}}"),
        (NUMBERED[:2], r"shape (2, 3), but an array without labels needs a row and a column"),
        ([[0, 1], [1]], "has shape (2,), but an array"),
        (None, "has shape (), but an array"),
        (pl.DataFrame(NUMBERED), "a table without row labels: give a pandas DataFrame"),
    ],
)
def test_cost_matrix_refuses(costs, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check_cost_matrix(costs, CLASSES)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_classes_are_named_once():
    with pytest.raises(ValueError, match="classes has more than once: ok"):
        check_cost_matrix(COSTS, ["ok", "ok", "dent"])


# Expected costs and decisions


def test_golden_decisions():
    p = [[0.03, 0.97, 0.0], [0.05, 0.95, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    expected = [[1.5, 2.09, 9], [2.5, 2.15, 9], [50, 5, 9], [7, 4, 9]]
    assert_allclose(expected_costs(p, COSTS, CLASSES), expected, rtol=IDENTITY)
    decided = expected_cost_decision(p, COSTS, CLASSES)
    assert decided.tolist() == ["pass", "rework", "rework", "rework"]
    gain = COSTS.assign(scrap=[-9.0, 9, 9])
    assert expected_cost_decision(p, gain, CLASSES)[2] == "scrap"


def test_expected_costs_are_those_of_a_loop():
    p = random_proba()
    expected = np.array(
        [
            [sum(row[k] * COSTS.loc[c, d] for k, c in enumerate(CLASSES)) for d in DECISIONS]
            for row in p
        ]
    )
    assert_allclose(expected_costs(p, COSTS, CLASSES), expected, rtol=IDENTITY)
    decided = expected_cost_decision(p, COSTS, CLASSES)
    assert_array_equal(decided, np.array(DECISIONS)[expected.argmin(axis=1)])
    zero_one = expected_cost_decision(p, cost_template(CLASSES), CLASSES)
    assert_array_equal(zero_one, CLASSES[p.argmax(axis=1)])


@pytest.mark.parametrize("order", [["pass", "scrap"], ["scrap", "pass"]])
def test_ties_go_to_the_first_column_whatever_the_rounding(order):
    # 0.4 * 3 and 0.6 * 2 are equal, but not in floating point.
    costs = pd.DataFrame({"pass": [3.0, 0, 0], "scrap": [0.0, 2, 2]}, index=CLASSES)[order]
    p = [[0.4, 0.6, 0.0], [0.4, 0.3, 0.3]]
    assert expected_cost_decision(p, costs, CLASSES).tolist() == [order[0]] * 2
    # A forbidding cost must not make what is not forbidden equal.
    costs = pd.DataFrame({"x": [1e18, 0.2, 0], "pass": [2.0, 0.2, 0], "scrap": 0.1}, index=CLASSES)
    p = [[0, 1.0, 0], [0.5, 0.5, 0]]
    assert expected_cost_decision(p, costs, CLASSES).tolist() == ["scrap", "scrap"]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    data=st.data(),
    k=st.integers(2, 5),
    d=st.integers(2, 5),
    scale=st.sampled_from([1e-6, 1.0, 1e9]),
)
def test_no_constant_decision_is_expected_to_be_cheaper(data, k, d, scale):
    costs = scale * data.draw(arrays(float, (k, d), elements=st.floats(-1, 1, width=32)))
    p = data.draw(arrays(float, (6, k), elements=st.integers(0, 1000).map(float))) + 1e-3
    p /= p.sum(axis=1, keepdims=True)
    table = pd.DataFrame(costs, columns=[f"d{i}" for i in range(d)])
    decided = table.columns.get_indexer(expected_cost_decision(p, table, range(k)))
    all_costs = expected_costs(p, table, range(k))
    assert_allclose(all_costs, p @ costs, rtol=0, atol=IDENTITY * scale)
    own = all_costs[np.arange(6), decided]
    assert (own[:, None] <= all_costs + IDENTITY * scale).all()


@pytest.mark.parametrize("function", [expected_costs, expected_cost_decision])
@pytest.mark.parametrize(
    ("p", "message"),
    [
        (
            [0.2, 0.3, 0.5],
            r"proba has shape \(3,\), but needs one column for each of the 3 ",
        ),
        ([[0.5, 0.5]], r"proba has shape \(1, 2\)"),
        ([[0.5, 0.5, np.nan]], "must be finite, .* row 0 is not"),
        ([[0.5, 0.5, np.inf]], "must be finite, .* row 0 is not"),
        ([[0.6, 0.6, -0.2]], "not negative, .* row 0 is not"),
        ([[0.2, 0.3, 0.5], [0.5, 0.4, 0.1 + 2e-6]], "sum to one within 1e-06: row 1 is not"),
    ],
)
def test_probabilities_are_checked(function, p, message):
    with pytest.raises(ValueError, match=message):
        function(p, COSTS, CLASSES)


def test_probabilities_in_single_precision_will_do():
    p = random_proba(1000).astype(np.float32)
    assert_allclose(expected_costs(p, COSTS, CLASSES), p.astype(float) @ COSTS, atol=SINGLE)


@pytest.mark.parametrize("order", ROWS)
@pytest.mark.parametrize("names", [CLASSES, [0, 1, 2], ["0", "1", "2"]])
def test_named_columns_of_probabilities_are_matched_by_name(names, order):
    p = random_proba()
    costs = COSTS.set_axis(names, axis=0)
    table = pd.DataFrame(p, columns=names).iloc[:, list(order)]
    classes = [0, 1, 2] if "0" in names else names
    assert_array_equal(
        expected_cost_decision(table, costs, classes), expected_cost_decision(p, COSTS, CLASSES)
    )
    line = dict(zip(classes, [0.1, 0.2, 0.7], strict=True))
    assert_array_equal(
        correct_prevalence(table, line, [1, 1, 1], classes=classes),
        correct_prevalence(p, line, [1, 1, 1], classes=classes),
    )


def test_named_columns_that_are_not_the_classes_are_refused():
    table = pd.DataFrame(random_proba(), columns=["dent", "ok", "other"])
    with pytest.raises(ValueError, match="proba lacks the classes scratch; it has dent, ok, other"):
        expected_costs(table, COSTS, CLASSES)
    # A DataFrame numbers columns that nobody named; a selection of them is named.
    unnamed = pd.DataFrame(random_proba())
    assert_array_equal(expected_costs(unnamed, COSTS, CLASSES), unnamed.to_numpy() @ COSTS)
    with pytest.raises(ValueError, match="proba lacks the classes dent, ok, scratch"):
        expected_costs(unnamed[[2, 1, 0]], COSTS, CLASSES)


def test_numbered_columns_that_contradict_the_classes_are_refused():
    """Whether column 0 is the first class or the class 0 is not for us to guess."""
    unnamed = pd.DataFrame(random_proba())
    for classes in ([2, 1, 0], ["0", "2", "1"]):
        with pytest.raises(ValueError, match="proba numbers its columns 0, 1, 2, but the classes"):
            expected_costs(unnamed, 1 - np.eye(3), classes)
    for classes in ([0, 1, 2], [1, 2, 3], [30, 20, 10]):
        assert_array_equal(
            expected_costs(unnamed, 1 - np.eye(3), classes), unnamed.to_numpy() @ (1 - np.eye(3))
        )


# Scores


def test_cost_score_by_hand():
    y, decided = ["ok", "ok", "dent", "scratch"], ["pass", "rework", "pass", "scrap"]
    assert cost_score(y, decided, COSTS) == (0 + 2 + 50 + 9) / 4
    assert cost_score(y, decided, nested(COSTS), sample_weight=[1, 2, 0, 1]) == (0 + 4 + 9) / 4
    assert cost_score(["ok", "dent"], ["dent", "ok"], [[0, 4], [6, 0]]) == 5
    # A test fold may lack a class: then an array needs to be told.
    assert cost_score(["ok"], ["dent"], NUMBERED, classes=CLASSES) == 2
    with pytest.raises(ValueError, match=r"shape \(3, 3\), but an array .* class: dent, ok"):
        cost_score(["ok"], ["dent"], NUMBERED)


@pytest.mark.parametrize("container", [list, np.array, pd.Series, pl.Series])
def test_cost_score_with_zero_one_costs_is_the_error_rate(container):
    y, decided = np.random.default_rng(0).choice(CLASSES, (2, 50))
    score = cost_score(container(y.tolist()), container(decided.tolist()), cost_template(CLASSES))
    assert_allclose(score, 1 - accuracy_score(y, decided), rtol=IDENTITY)


def test_weights_are_repetition():
    rng = np.random.default_rng(0)
    y, decided = rng.choice(CLASSES, 40), rng.choice(DECISIONS, 40)
    weight = rng.integers(0, 4, 40)
    again = np.repeat(np.arange(40), weight)
    assert_allclose(
        cost_score(y, decided, COSTS, sample_weight=weight),
        cost_score(y[again], decided[again], COSTS),
        rtol=IDENTITY,
    )
    weighted = trivial_policies(y, COSTS, sample_weight=weight, good="ok")
    pd.testing.assert_frame_equal(weighted, trivial_policies(y[again], COSTS, good="ok"))
    X, y, _ = gaussian_parts(60)
    weight = rng.integers(0, 4, 60)
    again = np.repeat(np.arange(60), weight)
    tree = CostSensitiveClassifier(DecisionTreeClassifier(max_depth=2), COSTS, prevalence=LINE)
    weighted, repeated = clone(tree).fit(X, y, weight), clone(tree).fit(X[again], y[again])
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=IDENTITY)
    assert_allclose(weighted.score(X, y, weight), repeated.score(X[again], y[again]), rtol=IDENTITY)


@pytest.mark.parametrize(
    ("y", "decided", "weight", "message"),
    [
        (
            ["ok", "ding"],
            ["pass", "pass"],
            None,
            "y_true has labels .* not in .*: ding. The",
        ),
        (["ok", None], ["pass", "pass"], None, "y_true has labels .* not in .*: (nan|None)[.]"),
        (
            ["ok", "ok"],
            ["pass", "ok"],
            None,
            "decisions has labels that are not .*: ok. The",
        ),
        (["ok"], ["pass", "pass"], None, "inconsistent"),
        ([], [], None, "y_true has no rows"),
        (["ok"], ["pass"], [1, 2], "inconsistent"),
        (["ok"], ["pass"], [-1], "not negative"),
        (["ok"], ["pass"], [np.nan], "must be finite"),
        (["ok", "ok"], ["pass", "pass"], [0, 0], "positive for at least one row"),
    ],
)
def test_cost_score_refuses(y, decided, weight, message):
    with pytest.raises(ValueError, match=message):
        cost_score(y, decided, COSTS, sample_weight=weight)


def test_the_old_name_of_the_truth_warns():
    y = ["ok", "dent"]
    with pytest.warns(FutureWarning, match="y of trivial_policies .* use y_true") as caught:
        old = trivial_policies(y=y, cost_matrix=COSTS)
    assert caught[0].filename == __file__
    pd.testing.assert_frame_equal(old, trivial_policies(y, COSTS))


def test_trivial_policies_by_hand():
    y = ["ok"] * 93 + ["dent"] * 5 + ["scratch"] * 2
    table = trivial_policies(y, COSTS, good="ok")
    assert table.columns.tolist() == ["policy", "decision", "mean_cost"]
    assert table["policy"].tolist() == ["pass all", "best constant", "perfect"]
    assert table["decision"].tolist() == ["pass", "rework", None]
    constant = [5 * 50 + 2 * 7, 93 * 2 + 5 * 5 + 2 * 4]
    assert_allclose(table["mean_cost"] * 100, [*constant, 5 * 5 + 2 * 4])
    without = trivial_policies(y, COSTS)
    pd.testing.assert_frame_equal(without, table[1:].reset_index(drop=True))
    line = trivial_policies(y, COSTS, sample_weight=prevalence_weights(y, LINE), good="ok")
    assert_allclose(line["mean_cost"], [0.64, 0.64, 0.13])
    assert line["decision"].tolist() == ["pass", "pass", None]
    numbered = trivial_policies([0, 1, 1], [[0, 5], [3, 0]], good=0)
    assert numbered["decision"].tolist() == [0, 1, None]
    with pytest.raises(ValueError, match="y_true has labels that are not in the cost matrix: ding"):
        trivial_policies(["ding"], COSTS)
    with pytest.raises(ValueError, match="good has labels that are not in the cost matrix: pass"):
        trivial_policies(y, COSTS, good="pass")


# Prevalence


def test_corrected_probabilities_are_bayes_theorem():
    """Exact posteriors of the study become the exact posteriors of the line."""
    study, line = np.array([0.3, 0.5, 0.2]), np.array([0.01, 0.97, 0.02])
    _, _, density = gaussian_parts()

    def posterior(share):
        joint = share * density
        return joint / joint.sum(axis=1, keepdims=True)

    for given_study in (study, dict(zip(CLASSES, 40 * study, strict=True))):
        corrected = correct_prevalence(posterior(study), LINE, given_study)
        assert_allclose(corrected, posterior(line), rtol=QUOTIENTS, atol=IDENTITY)
    counts = pd.Series(LINE)[["dent", "scratch", "ok"]] * 1e4
    assert_allclose(correct_prevalence(posterior(study), counts, study), corrected, rtol=IDENTITY)
    reverse = correct_prevalence(
        posterior(study)[:, ::-1], LINE, study[::-1], classes=CLASSES[::-1]
    )
    assert_allclose(reverse[:, ::-1], corrected, rtol=IDENTITY)


def test_classes_that_the_line_does_not_make():
    p = [[0.2, 0.2, 0.6], [0.0, 0.0, 1.0]]
    line = {"dent": 1, "ok": 3, "scratch": 0}
    corrected = correct_prevalence(p, line, [1, 1, 1])
    assert_allclose(corrected, [[0.25, 0.75, 0], [0.25, 0.75, 0]], rtol=IDENTITY)
    # Nor is there anything to correct where the study had none.
    assert_allclose(correct_prevalence(p, line, [1, 1, 0]), corrected, rtol=IDENTITY)
    weight = prevalence_weights(["ok", "scratch", "dent"], line)
    assert_allclose(weight, [2.25, 0, 0.75], rtol=IDENTITY)


def test_prevalence_weights():
    y = np.random.default_rng(0).choice([3, 10, 2], 90)
    line = {"10": 5.0, "2": 3.0, "3": 2.0}
    weight = prevalence_weights(y, line)
    assert_allclose(weight.mean(), 1, rtol=IDENTITY)
    for label, share in line.items():
        assert_allclose(weight[y == int(label)].sum() / 90, share / 10, rtol=IDENTITY)


@pytest.mark.parametrize(
    ("prevalence", "message"),
    [
        ({"ok": 1, "dent": 1}, "prevalence lacks the classes scratch; it has ok, dent."),
        ({**LINE, "ok": -0.1}, "prevalence must not be negative"),
        ({**LINE, "ok": np.nan}, "prevalence has no finite number for ok."),
        ({**LINE, "ok": "most"}, "prevalence has an entry that is not a number"),
        (dict.fromkeys(CLASSES, 0), "nor zero for every class"),
        (pd.Series([1, 1, 1, 1], [*CLASSES, "ok"]), "prevalence has more than once: ok."),
        ([0.01, 0.97, 0.02], "must be a dict or a Series"),
    ],
)
def test_prevalence_refuses(prevalence, message):
    X, y, _ = gaussian_parts()
    clf = CostSensitiveClassifier(LogisticRegression(), prevalence=prevalence)
    for call in (
        lambda: prevalence_weights(y, prevalence),
        lambda: correct_prevalence(np.eye(3), prevalence, [1, 1, 1], classes=CLASSES),
        lambda: clf.fit(X, y),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert not hasattr(clf, "estimator_")


def test_prevalence_of_unknown_classes_is_refused():
    _, y, _ = gaussian_parts()
    line = {**LINE, "ding": 0.1}
    for call in (
        lambda: prevalence_weights(y, line),
        lambda: correct_prevalence(np.eye(3), line, [1, 1, 1], classes=CLASSES),
    ):
        with pytest.raises(ValueError, match="prevalence has labels that are not classes: ding"):
            call()


def test_study_must_have_what_the_line_makes():
    with pytest.raises(ValueError, match="The line makes dent, but the study has none"):
        correct_prevalence(np.eye(3), LINE, {"dent": 0, "ok": 5, "scratch": 5})
    with pytest.raises(ValueError, match="study lacks the classes scratch"):
        correct_prevalence(np.eye(3), LINE, {"dent": 5, "ok": 5})
    with pytest.raises(ValueError, match="Length"):
        correct_prevalence(np.eye(3), LINE, [0.5, 0.5])
    with pytest.raises(ValueError, match="proba has shape"):
        correct_prevalence(np.eye(2), LINE, [1, 1, 1])


def test_corrected_costs_of_an_enriched_study_are_those_of_the_line():
    """Both the cost foretold by the probabilities and the cost counted on a held-out study."""
    share = np.array([LINE[label] for label in CLASSES])
    X, y, _ = gaussian_parts(3000, seed=1)
    held_X, held_y, _ = gaussian_parts(3000, seed=2)
    line_X, line_y, density = gaussian_parts(60_000, seed=3, share=share)
    naive = CostSensitiveClassifier(LogisticRegression(C=100), COSTS).fit(X, y)
    clf = clone(naive).set_params(prevalence=LINE).fit(X, y)
    paid = COSTS.to_numpy(float)

    def per_part(model, X, y):
        rows, columns = np.searchsorted(CLASSES, y), COSTS.columns.get_indexer(model.predict(X))
        return 1000 * paid[rows, columns]

    truth = per_part(clf, line_X, line_y)
    held = per_part(clf, held_X, held_y)
    weight = prevalence_weights(held_y, LINE)
    counted = 1000 * cost_score(held_y, clf.predict(held_X), COSTS, sample_weight=weight)
    by_class = [held[held_y == label] for label in CLASSES]
    variance = truth.var() / len(truth)
    variance += sum(s**2 * c.var() / len(c) for s, c in zip(share, by_class, strict=True))
    assert abs(counted - truth.mean()) < 5 * np.sqrt(variance)
    unweighted = per_part(naive, held_X, held_y)
    se = np.sqrt(unweighted.var() / len(unweighted) + truth.var() / len(truth))
    assert unweighted.mean() - truth.mean() > 5 * se
    # The exact posterior of the study, so that nothing but the correction is tested.
    study = density / density.sum(axis=1, keepdims=True)
    foretold = {}
    for name, p in (("naive", study), ("corrected", correct_prevalence(study, LINE, [1, 1, 1]))):
        decided = COSTS.columns.get_indexer(expected_cost_decision(p, COSTS, CLASSES))
        cost = 1000 * paid[np.searchsorted(CLASSES, line_y), decided]
        foretold[name] = 1000 * expected_costs(p, COSTS, CLASSES).min(axis=1) - cost
    z = {name: d.mean() / (d.std() / np.sqrt(len(d))) for name, d in foretold.items()}
    assert abs(z["corrected"]) < 5 < abs(z["naive"])
    # And on the line the corrected decisions cost less.
    saved = per_part(naive, line_X, line_y) - truth
    assert saved.mean() > 5 * saved.std() / np.sqrt(len(saved))


# The classifier


@parametrize_with_checks(
    [
        CostSensitiveClassifier(LogisticRegression()),
        CostSensitiveClassifier(DecisionTreeClassifier(random_state=0)),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_check_that_is_not_in_the_generator():
    check_dataframe_column_names_consistency(
        "CostSensitiveClassifier", CostSensitiveClassifier(LogisticRegression())
    )


@pytest.mark.parametrize("prevalence", [None, LINE])
def test_classifier_is_its_functions_together(prevalence):
    X, y, _ = gaussian_parts()
    inner = LogisticRegression().fit(X, y)
    clf = CostSensitiveClassifier(LogisticRegression(), COSTS, prevalence=prevalence).fit(X, y)
    p = inner.predict_proba(X)
    if prevalence is not None:
        p = correct_prevalence(p, prevalence, pd.Series(y).value_counts())
    assert_allclose(clf.predict_proba(X), p, rtol=IDENTITY)
    decided = expected_cost_decision(p, COSTS, CLASSES)
    assert_array_equal(clf.predict(X), decided)
    assert clf.decisions_.tolist() == DECISIONS
    assert_array_equal(clf.classes_, CLASSES)
    weight = np.random.default_rng(0).uniform(size=len(y))
    assert clf.score(X, y) == -cost_score(y, decided, COSTS)
    assert clf.score(X, y, weight) == -cost_score(y, decided, COSTS, sample_weight=weight)
    plain = clone(clf).set_params(cost_matrix=None).fit(X, y)
    assert_array_equal(plain.predict(X), CLASSES[p.argmax(axis=1)])
    assert plain.score(X, y, weight) == accuracy_score(y, plain.predict(X), sample_weight=weight)
    assert plain.cost_matrix_ is None
    assert_array_equal(pickle.loads(pickle.dumps(clf)).predict(X), decided)
    assert "CostSensitiveClassifier" in repr(clf)


def test_cost_matrix_of_the_wrong_classes_is_refused_at_fit_and_leaves_the_last_fit():
    X, y, _ = gaussian_parts()
    clf = CostSensitiveClassifier(LogisticRegression(), COSTS)
    with pytest.raises(NotFittedError):
        clf.predict(X)
    assert not hasattr(clf, "n_features_in_")
    before = clf.fit(X, y).predict(X)
    with pytest.raises(ValueError, match="lacks the classes other"):
        clf.fit(X[:, :1], np.where(y == "scratch", "other", y))
    assert_array_equal(clf.predict(X), before)
    assert clf.n_features_in_ == 2


def test_a_fold_may_lack_a_class():
    """A class without parts has probability 0; what is scored is the whole matrix."""
    X, y, _ = gaussian_parts()
    few = y != "scratch"
    costs = COSTS.loc[["ok", "scratch", "dent"]]
    clf = CostSensitiveClassifier(LogisticRegression(), costs).fit(X[few], y[few])
    alone = CostSensitiveClassifier(LogisticRegression(), COSTS.drop("scratch")).fit(X[few], y[few])
    assert_array_equal(clf.predict(X), alone.predict(X))
    assert_array_equal(clf.classes_, ["dent", "ok"])
    assert clf.cost_matrix_.index.tolist() == ["dent", "ok", "scratch"]
    assert clf.score(X, y) == -cost_score(y, clf.predict(X), COSTS)
    # An array does not say which class has no part.
    array = CostSensitiveClassifier(LogisticRegression(), 1 - np.eye(3))
    with pytest.raises(ValueError, match="Name the rows, in a dict or a DataFrame, if some"):
        array.fit(X[few], y[few])
    # Nor may the line make what the data lack without a word.
    line = CostSensitiveClassifier(LogisticRegression(), COSTS, prevalence=LINE)
    with pytest.warns(UserWarning, match="The line makes scratch, of which the training data have"):
        line.fit(X[few], y[few])
    assert_allclose(
        line.prevalence_, [LINE["dent"], LINE["ok"]] / np.sum([LINE["dent"], LINE["ok"]])
    )
    none = clone(line).set_params(prevalence={**LINE, "scratch": 0}).fit(X[few], y[few])
    assert_allclose(none.predict_proba(X), line.predict_proba(X), rtol=IDENTITY)


@pytest.mark.parametrize("labels", [["a", "b", "rare"], [0, 1, 2]])
def test_cross_validation_with_a_class_of_one_part(labels):
    X, y, _ = gaussian_parts(120)
    y = np.searchsorted(CLASSES, y) % 2
    y[-1] = 2
    y = np.array(labels)[y]
    costs = {str(a): {str(b): float(a != b) for b in labels} for a in labels}
    clf = CostSensitiveClassifier(LogisticRegression(), costs)
    with pytest.warns(UserWarning, match="The least populated class"):
        scores = cross_validate(clf, X, y, cv=5)["test_score"]
    assert np.isfinite(scores).all()
    decided = clf.fit(X[:-1], y[:-1]).predict(X).tolist()
    assert set(decided) <= set(labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: pd.DataFrame(p, columns=["dent", "ok", "other"]), "proba lacks the classes scr"),
        (lambda p: p + np.array([1.5, -1.5, 0]), "proba must be finite, not negative"),
        (lambda p: p * 2, "sum to one"),
        (lambda p: p + np.nan, "must be finite"),
    ],
)
def test_estimators_whose_probabilities_are_none_are_refused(change, message):
    class Odd(LogisticRegression):
        def predict_proba(self, X):
            return change(super().predict_proba(X))

    X, y, _ = gaussian_parts()
    for costs in (None, COSTS):
        clf = CostSensitiveClassifier(Odd(), costs).fit(X, y)
        for method in (clf.predict, clf.predict_proba):
            with pytest.raises(ValueError, match=message):
                method(X)
    with pytest.raises(ValueError, match=message.replace("proba ", "the probabilities of Odd ")):
        cross_val_predictions(Odd(), X, y)


def test_estimators_may_name_their_columns_in_any_order():
    class Named(LogisticRegression):
        def predict_proba(self, X):
            return pd.DataFrame(super().predict_proba(X), columns=self.classes_).iloc[:, ::-1]

    X, y, _ = gaussian_parts()
    for make in (
        lambda inner: CostSensitiveClassifier(inner).fit(X, y).predict_proba(X),
        lambda inner: cross_val_predictions(inner, X, y).proba,
    ):
        assert_array_equal(make(Named()), make(LogisticRegression()))


def test_estimator_without_probabilities_is_refused():
    X, y, _ = gaussian_parts()
    with pytest.raises(ValueError, match=r"SVC.* has no predict_proba"):
        CostSensitiveClassifier(SVC()).fit(X, y)


@pytest.mark.parametrize(
    "container", [np.asarray, pd.DataFrame, pl.DataFrame, sparse.csr_array, sparse.csr_matrix]
)
def test_containers(container):
    X, y, _ = gaussian_parts()
    X = np.round(X, 3)
    clf = CostSensitiveClassifier(LogisticRegression(tol=1e-8), COSTS, prevalence=LINE)
    expected = clf.fit(X, y).predict_proba(X)
    frame = {"a": X[:, 0], "b": X[:, 1]}
    given = container(frame if container in (pd.DataFrame, pl.DataFrame) else X)
    clf.fit(given, y)
    assert_allclose(clf.predict_proba(given), expected, atol=OPTIMUM)
    assert clf.n_features_in_ == 2
    if isinstance(given, (pd.DataFrame, pl.DataFrame)):
        assert clf.feature_names_in_.tolist() == ["a", "b"]
    else:
        assert not hasattr(clf, "feature_names_in_")


def test_pipeline_and_grid_search():
    X, y, _ = gaussian_parts()
    clf = CostSensitiveClassifier(LogisticRegression(), COSTS, prevalence=LINE)
    outside = make_pipeline(StandardScaler(), clf).fit(X, y)
    inside = clone(clf).set_params(estimator=make_pipeline(StandardScaler(), LogisticRegression()))
    assert_array_equal(inside.fit(X, y).predict(X), outside.predict(X))
    assert inside.n_features_in_ == 2
    grid = {"estimator__C": [1e-4, 1.0]}
    search = GridSearchCV(clf, grid, cv=3).fit(X, y)
    scorer = make_scorer(cost_score, greater_is_better=False, cost_matrix=COSTS)
    again = GridSearchCV(clf, grid, cv=3, scoring=scorer).fit(X, y)
    assert_array_equal(search.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"])
    assert set(search.predict(X)) <= set(DECISIONS)
    nested_search = clone(clf).set_params(estimator=GridSearchCV(LogisticRegression(), {"C": [1]}))
    assert nested_search.fit(X, y).score(X, y) < 0


def test_numbered_classes_in_a_scorer():
    X, y = load_iris(return_X_y=True)
    read = check_cost_matrix(NUMBERED, ["0", "1", "2"])
    scorer = make_scorer(cost_score, greater_is_better=False, cost_matrix=read)
    clf = CostSensitiveClassifier(LinearDiscriminantAnalysis(), read)
    scores = cross_val_score(clf, X, y, scoring=scorer)
    assert_array_equal(scores, cross_val_score(clf, X, y))
    assert clf.fit(X, y).predict(X).dtype.kind == "i"


def test_weights_are_routed_if_asked_for():
    X, y, _ = gaussian_parts()
    weight = np.random.default_rng(0).uniform(size=len(y))
    clf = CostSensitiveClassifier(LogisticRegression(), COSTS, prevalence=LINE)
    expected = clone(clf).fit(X, y, weight).predict_proba(X)
    with config_context(enable_metadata_routing=True):
        clf.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(clf, {"estimator__C": [1.0]}, cv=2).fit(X, y, sample_weight=weight)
    assert_allclose(search.predict_proba(X), expected, rtol=IDENTITY)
