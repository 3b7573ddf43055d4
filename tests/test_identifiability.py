import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.representation import check_identifiability


def parts(n=400, n_classes=3, seed=0):
    """Overlapping classes of parts, four measurements."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=["depth", "width", "heat", "speed"])
    scores = X.to_numpy()[:, :n_classes] + rng.gumbel(size=(n, n_classes))
    return X, np.array(["crack", "dent", "ok", "scratch"])[scores.argmax(axis=1)]


def fit(X, y, noise="gaussian", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return PerturbArgmaxClassifier(noise, **options).fit(X, y)


@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("constraint", ["sum_to_zero", "reference"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_nothing_to_say(n_classes, constraint, C):
    X, y = parts(n_classes=n_classes)
    found = check_identifiability(fit(X, y, C=C, constraint=constraint), X, y)
    assert found.identified
    assert found.rank == found.n_parameters == 5 * (n_classes - 1)
    assert 1 <= found.condition_number < 100
    assert (found.separated, found.separations, found.unseen, found.problems) == (False, (), (), ())


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_collinear_features_are_named(C):
    X, y = parts()
    X = X.assign(total=X["depth"] + 2 * X["heat"], one=3.0, none=0.0)
    found = check_identifiability(fit(X, y, C=C), X, y)
    assert not found.identified
    assert (found.n_parameters, found.rank) == (16, 10)
    assert found.condition_number == np.inf
    relations = sorted(found.unseen, key=len)
    assert relations[0] == {"none": 1.0}
    assert relations[1] == pytest.approx({"one": 1.0, "intercept": -3.0})
    assert relations[2] == pytest.approx({"depth": 1.0, "heat": 2.0, "total": -1.0})
    # What they say is so.
    for relation in relations:
        column = sum(f * (1 if n == "intercept" else X[n]) for n, f in relation.items())
        assert_allclose(column, 0, atol=1e-9)
    assert any("depth + 2 heat - total" in problem for problem in found.problems)
    assert any("one - 3:" in problem for problem in found.problems)
    assert not found.separated


def test_a_full_set_of_categories_is_the_intercept():
    X, y = parts()
    lots = pd.get_dummies(pd.Series(np.arange(len(X)) % 3, name="lot"), prefix="lot", dtype=float)
    found = check_identifiability(fit(X.join(lots), y), X.join(lots), y)
    (relation,) = found.unseen
    assert relation == pytest.approx({"lot_0": 1, "lot_1": 1, "lot_2": 1, "intercept": -1})
    without = fit(X.join(lots), y, fit_intercept=False)
    assert check_identifiability(without, X.join(lots), y).identified


@pytest.mark.parametrize(
    ("noise", "C"), [("gaussian", 1.0), ("gaussian", np.inf), ("gumbel", np.inf), ("student_t", 1)]
)
def test_a_feature_that_separates_is_named(noise, C):
    X, y = parts(200)
    X["heat"] = np.where(y == "dent", 2.0, 0.0) + np.random.default_rng(1).uniform(size=len(y))
    found = check_identifiability(fit(X, y, noise, C=C), X, y)
    assert found.separated
    assert not found.identified
    ((features, pairs),) = found.separations
    assert features == ("heat",)
    assert {frozenset(pair) for pair in pairs} == {
        frozenset(("dent", "crack")),
        frozenset(("dent", "ok")),
    }
    assert any("heat separates class dent from crack and ok" in p for p in found.problems)


def test_features_that_separate_together_and_a_rare_category():
    X, y = parts()
    rng = np.random.default_rng(1)
    X["width"] = -X["depth"] + np.where(y == "ok", 1.5, 0.0) + rng.uniform(size=len(y))
    X["lot_7"] = (np.arange(len(y)) < 60) & (y == "crack")
    found = check_identifiability(fit(X, y, C=np.inf), X, y)
    assert {features for features, _ in found.separations} == {("depth", "width"), ("lot_7",)}
    for features, pairs in found.separations:
        assert {one for one, _ in pairs} >= ({"ok"} if len(features) == 2 else {"crack"})
        others = X.drop(columns=list(features))
        left = check_identifiability(fit(others, y), others, y).separations
        assert features not in {f for f, _ in left}
    # Neither of the two separates by itself.
    for feature in ("depth", "width"):
        one = X.drop(columns=["lot_7", feature])
        assert check_identifiability(fit(one, y), one, y).separated is False


def test_collinear_and_separated_at_once():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X = X.assign(inches=X["sepal width (cm)"] / 2.54)
    for constraint in ("sum_to_zero", "reference"):
        found = check_identifiability(fit(X, y, constraint=constraint), X, y)
        assert found.unseen == (pytest.approx({"sepal width (cm)": 1.0, "inches": -2.54}),)
        assert ("petal length (cm)",) in {features for features, _ in found.separations}


def test_labels_given_and_not_known():
    X, y = parts()
    X["heat"] = np.where(y == "dent", 2.0, 0.0) + np.random.default_rng(1).uniform(size=len(y))
    clf = fit(X, y)
    saved = pickle.loads(pickle.dumps(clf))
    for unknown in (
        check_identifiability(clf, X),
        check_identifiability(saved, X),
        check_identifiability(clf, X[:100]),
        check_identifiability(clf, X, sample_weight=np.ones(len(y))),
    ):
        assert unknown.separated is unknown.identified is None
        assert any("pass y" in problem for problem in unknown.problems)
    for known in (
        check_identifiability(saved, X, y),
        check_identifiability(clf, X[:100], y[:100]),
        check_identifiability(clf, X, y, sample_weight=np.ones(len(y))),
    ):
        assert known.separated
    # Of weight zero a row does not count: without the dents nothing separates the two others.
    weight = (y != "dent").astype(float)
    without = check_identifiability(clf, X, y, sample_weight=weight)
    assert (without.separated, without.identified) == (False, False)
    assert any("Without rows of class dent" in problem for problem in without.problems)


def test_weights_decide_which_rows_count():
    X, y = parts()
    weight = np.where(y == "dent", 0.0, 2.0)
    X["heat"] = np.where(y == "dent", 2.0, 0.0) + np.random.default_rng(1).uniform(size=len(y))
    with pytest.warns(UserWarning, match="All rows of class 'dent' have weight 0"):
        clf = PerturbArgmaxClassifier().fit(X, y, sample_weight=weight)
    assert check_identifiability(clf, X, y, weight).separated is False
    balanced = PerturbArgmaxClassifier(class_weight="balanced").fit(X, y)
    assert check_identifiability(balanced, X, y).separated


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_a_fitted_classifier_keeps_no_labels(C):
    """A penalised fit keeps no data; one without a penalty keeps them until it is copied."""
    X, y = parts()
    clf = fit(X, y, C=C)
    kept = [value for value in vars(clf).values() if np.shape(value)[:1] == (len(y),)]
    assert kept == []
    assert (clf._fit_record.objective is None) == np.isfinite(C)
    for copied in (copy.copy(clf), copy.deepcopy(clf), pickle.loads(pickle.dumps(clf))):
        assert copied._fit_record.objective is None
        assert_array_equal(copied.predict_proba(X), clf.predict_proba(X))


def test_dense_sparse_and_single_precision_agree():
    X, y = parts()
    X = X.assign(total=X["depth"] + X["heat"]).to_numpy()
    X[:, 3] = y == "ok"
    clf = fit(X, y)
    dense = check_identifiability(clf, X, y)
    assert dense.unseen == (pytest.approx({"x0": 1.0, "x2": 1.0, "x4": -1.0}),)
    assert dense.separations[0][0] == ("x3",)
    for other in (sparse.csr_matrix(X), sparse.csr_array(X)):
        found = check_identifiability(clf, other, y)
        assert (found.rank, found.separations) == (dense.rank, dense.separations)
    single = check_identifiability(fit(X.astype(np.float32), y), X.astype(np.float32), y)
    assert single.separations == dense.separations


def test_units_of_the_features_do_not_matter():
    X, y = parts()
    scaled = X * [1e6, 1e-6, 1.0, 1.0]
    one = check_identifiability(fit(X, y, C=np.inf, tol=1e-9), X, y)
    other = check_identifiability(fit(scaled, y, C=np.inf, tol=1e-9), scaled, y)
    assert other.identified
    assert_allclose(other.condition_number, one.condition_number, rtol=1e-4)


def test_the_condition_number_is_that_of_the_information():
    """With one feature, no intercept and two classes there is one number, and with two a matrix."""
    X, y = parts(n_classes=2)
    X = X[["depth", "width"]].to_numpy()
    clf = fit(X, y, "gumbel", C=np.inf, fit_intercept=False, tol=1e-10)
    p = clf.predict_proba(X)[:, 1]
    information = (X * (p * (1 - p))[:, None]).T @ X
    root = np.sqrt(np.diag(information))
    expected = np.linalg.cond(information / root / root[:, None])
    assert_allclose(check_identifiability(clf, X).condition_number, expected, rtol=1e-6)


def test_nearly_collinear_features_are_a_warning_of_the_summary():
    X, y = parts()
    X = X.assign(again=X["speed"] + 3e-5 * np.random.default_rng(1).normal(size=len(X)))
    clf = fit(X, y, C=np.inf, tol=1e-9)
    found = check_identifiability(clf, X)
    assert found.hardly_seen == ("speed", "again")
    assert found.rank == found.n_parameters
    assert any("combination of speed and again only very inaccurately" in p for p in found.problems)
    with pytest.warns(UserWarning, match="combination of speed and again only very inaccurately"):
        clf.summary()


def test_no_constraint_and_no_penalty():
    X, y = parts()
    found = check_identifiability(fit(X, y, constraint=None, C=np.inf), X, y)
    assert not found.identified
    assert any("common shift" in problem for problem in found.problems)
    assert not check_identifiability(fit(X, y, constraint=None), X, y).problems


def test_more_parameters_than_can_be_decomposed():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 80))
    X[:, 1] = -X[:, 0]
    y = np.arange(300) % 20
    found = check_identifiability(fit(X, y, "gumbel", max_iter=5), X, y)
    assert (found.n_parameters, found.rank) == (19 * 81, 19 * 80)
    assert found.unseen == (pytest.approx({"x0": 1.0, "x1": 1.0}),)
    assert found.condition_number is found.separated is None


def test_bounded_noise_sees_nothing_far_out():
    """Where all probabilities are 0 or 1 there is no information, though the columns differ."""
    X, y = np.linspace(-1, 1, 40)[:, None], (np.arange(40) >= 20).astype(int)
    clf = fit(X, y, "uniform", loss="fenchel_young", C=1e6)
    found = check_identifiability(clf, X[np.abs(X[:, 0]) > 0.5], y[np.abs(X[:, 0]) > 0.5])
    assert found.separated
    assert found.rank < found.n_parameters


@pytest.mark.parametrize("offset", [1e3, 1e6, 1.7e9])
def test_offsets_do_not_matter(offset):
    """Time stamps: seconds that vary little against their size."""
    X, y = parts()
    X["heat"] = offset + (y == "dent") + 0.5 * np.random.default_rng(1).uniform(size=len(y))
    found = check_identifiability(fit(X, y, "gumbel", max_iter=30), X, y)
    assert found.unseen == ()
    assert found.separations[0][0] == ("heat",)
    without = parts()[0].assign(heat=lambda table: table["heat"] + offset)
    again = check_identifiability(fit(without, y, "gumbel", max_iter=30), without, y)
    assert (again.rank, again.separated) == (10, False)


def test_nearly_the_same_is_not_called_the_same():
    X, y = parts()
    X["again"] = X["depth"] + 1e-5 * np.random.default_rng(0).normal(size=len(X))
    found = check_identifiability(fit(X, y), X, y)
    assert found.unseen == ()
    assert found.hardly_seen == ("depth", "again")


def test_many_classes_are_proved_to_overlap_without_a_linear_program():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 40))
    y = (X[:, :16] + rng.gumbel(size=(1000, 16))).argmax(axis=1)
    clf = fit(X, y, "gumbel", max_iter=30)
    assert check_identifiability(clf, X, y).separated is False
    X[:, 39] = y == 3
    unsettled = check_identifiability(fit(X, y, "gumbel", max_iter=5), X, y)
    assert unsettled.separated is unsettled.identified is None
    assert any("not found out" in problem for problem in unsettled.problems)


def test_a_feature_called_intercept():
    X, y = parts()
    X = X.assign(intercept=3.0)
    (relation,) = check_identifiability(fit(X, y), X, y).unseen
    assert relation == pytest.approx({"intercept": 1.0, "(intercept)": -3.0})


def test_text_and_dict():
    X, y = parts()
    X = X.assign(twice=2 * X["heat"])
    found = check_identifiability(PerturbSoftmaxClassifier().fit(X, y), X)
    text = str(found)
    assert "rank              10" in text
    assert "heat - 0.5 twice" in text
    assert max(map(len, text.splitlines())) <= 79
    assert found.to_dict()["unseen"] == (pytest.approx({"heat": 1.0, "twice": -0.5}),)
    assert "heat - 0.5 twice" in found._repr_html_()


def test_bad_arguments_raise():
    X, y = parts()
    with pytest.raises(ValueError, match="last step"):
        check_identifiability(LogisticRegression().fit(X, y), X)
    clf = fit(X, y)
    with pytest.raises(ValueError, match="feature"):
        check_identifiability(clf, X[["depth"]])
    with pytest.raises(ValueError, match="did not see"):
        check_identifiability(clf, X, np.full(len(y), "spot"))
