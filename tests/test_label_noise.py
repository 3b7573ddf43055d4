"""Labels that may be flipped: the loss, the fit of the flips, and labels in doubt."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skperturb import (
    PerturbArgmaxClassifier,
    PerturbArgmaxClassifierCV,
    PerturbSoftmaxClassifier,
)
from skperturb._label_noise import LabelledRows
from skperturb._linear import fit_objective, make_objective, tilted, uniform_flips
from skperturb._linear._label_noise import FlipObjective, FlippedLabels, prior_counts
from skperturb.evaluation import compare_classifiers, flip_table, suspect_labels

from .conftest import IDENTITY, OPTIMUM

FINITE_DIFFERENCE = 5e-6
BOTH = pytest.mark.parametrize("Classifier", [PerturbArgmaxClassifier, PerturbSoftmaxClassifier])


def wine(n_wrong=30, seed=0):
    """Standardised wines, and labels of which some of class 0 or 1 are called the next."""
    X, y = load_wine(return_X_y=True)
    rng = np.random.default_rng(seed)
    rows = rng.choice(np.flatnonzero(y < 2), n_wrong, replace=False)
    z = y.copy()
    z[rows] += 1
    return StandardScaler().fit_transform(X), y, z


def small_objective(noise="gumbel", constraint="sum_to_zero", n_classes=3, C=1.0):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.integers(n_classes, size=40)
    clf = PerturbArgmaxClassifier(noise, constraint=constraint, C=C)
    params, weight = clf.get_params(deep=False), rng.uniform(0.5, 2, size=40)
    flips = uniform_flips(0.2, n_classes)
    classes = np.arange(n_classes)
    return make_objective(params, clf._model(), classes, X, y, weight, flips)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("noise", ["gumbel", "student_t"])
@pytest.mark.parametrize("constraint", ["sum_to_zero", "reference"])
def test_derivatives_in_coefficients_and_flips(noise, constraint, n_classes):
    objective = small_objective(noise, constraint, n_classes)
    joint, rng = FlipObjective(objective), np.random.default_rng(1)
    x = joint.start(rng.normal(size=objective.n_parameters))
    x = x + 0.3 * rng.normal(size=len(x))
    value, gradient = joint(x)
    assert np.isfinite(value)
    steps = FINITE_DIFFERENCE * np.eye(len(x))
    slopes = [(joint(x + e)[0] - joint(x - e)[0]) / (2 * FINITE_DIFFERENCE) for e in steps]
    assert_allclose(gradient, slopes, atol=FINITE_DIFFERENCE)
    exact, of_em = joint.curvatures(x)
    bends = [(joint(x + e)[1] - joint(x - e)[1]) / (2 * FINITE_DIFFERENCE) for e in steps]
    assert_allclose(exact, bends, atol=FINITE_DIFFERENCE)
    assert np.linalg.eigvalsh(of_em).min() > -IDENTITY


def test_the_loss_is_that_of_the_label_given():
    objective = small_objective()
    scores = np.random.default_rng(2).normal(size=(40, 3))
    p = np.exp(objective.loss.kernel.log_proba(scores))
    q = (p @ objective.loss.flips)[np.arange(40), objective.y]
    loss, share = objective.loss.true_class(scores, objective.y)
    assert_allclose(loss, -np.log(q), rtol=IDENTITY)
    expected = p * objective.loss.flips[:, objective.y].T / q[:, None]
    assert_allclose(share, expected, rtol=1e-10)


def test_without_flips_it_is_the_loss_of_true_labels():
    objective = small_objective()
    scores = np.random.default_rng(2).normal(size=(40, 3))
    certain = FlippedLabels(objective.loss._loss, np.eye(3))
    ours, theirs = (
        loss.value_and_slope(scores, objective.y) for loss in (certain, objective.loss._loss)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert_allclose(one, other, atol=IDENTITY)
    exact = next(certain.curvatures())(scores, objective.y)
    assert_allclose(exact, next(objective.loss._loss.curvatures())(scores, objective.y), atol=1e-12)


@BOTH
def test_it_ends_where_the_em_algorithm_stays(Classifier):
    """Soft labels by Bayes' rule, a fit to them, and their counts change nothing."""
    X, _, z = wine()
    clf = Classifier("gumbel", C=0.3, label_noise="matrix", tol=1e-8).fit(X, z)
    flips = clf.label_noise_.to_numpy()
    joint = clf.predict_proba(X) * flips[:, z].T
    share = joint / joint.sum(axis=1, keepdims=True)
    counts = prior_counts(3)
    np.add.at(counts.T, z, share)
    assert_allclose(counts / counts.sum(axis=1, keepdims=True), flips, atol=OPTIMUM)
    again = Classifier("gumbel", C=0.3, tol=1e-8).fit_proba(X, share)
    assert_allclose(again.coef_, clf.coef_, atol=OPTIMUM)


@BOTH
def test_the_matrix_finds_the_direction_of_the_flips(Classifier):
    X, y, z = wine()
    clf = Classifier("gumbel", C=0.3, label_noise="matrix").fit(X, z)
    flips = clf.label_noise_
    assert flips.index.name == "true"
    assert flips.columns.name == "given"
    assert_allclose(flips.sum(axis=1), 1, rtol=IDENTITY)
    assert flips.loc[1, 2] > 3 * flips.loc[2, 1]
    assert clf.score(X, y) > Classifier("gumbel", C=0.3).fit(X, z).score(X, y)


def test_a_given_matrix_is_the_likelihood_with_it():
    X, _, z = wine()
    flips = np.array([[0.8, 0.2, 0], [0, 0.7, 0.3], [0, 0, 1.0]])
    clf = PerturbArgmaxClassifier("gumbel", label_noise=flips, tol=1e-8).fit(X, z)
    q = (clf.predict_proba(X) @ flips)[np.arange(len(z)), z]
    assert_allclose(clf.log_likelihood_, np.log(q).sum(), rtol=1e-9)
    names = np.array(["b", "a", "c"])
    table = pd.DataFrame(flips, index=names, columns=names).loc[["c", "a", "b"], ["a", "b", "c"]]
    named = clone(clf).set_params(label_noise=table).fit(X, names[z])
    assert_allclose(named.predict_proba(X)[:, [1, 0, 2]], clf.predict_proba(X), atol=OPTIMUM)


def test_the_identity_is_no_label_noise():
    X, _, z = wine()
    known = PerturbArgmaxClassifier("gumbel", label_noise=np.eye(3), tol=1e-8).fit(X, z)
    plain = PerturbArgmaxClassifier("gumbel", tol=1e-8).fit(X, z)
    assert plain.label_noise_ is None
    assert_allclose(known.coef_, plain.coef_, atol=OPTIMUM)


def test_the_share_is_found_on_labels_drawn_at_random():
    rng = np.random.default_rng(0)
    X, y, _ = wine()
    z = np.where(rng.random(len(y)) < 0.3, rng.integers(3, size=len(y)), y)
    clf = PerturbArgmaxClassifier("gumbel", C=0.3, label_noise="uniform").fit(X, z)
    wrong = 1 - np.diag(clf.label_noise_)
    assert_allclose(wrong, wrong[0], rtol=1e-9)
    assert 0.5 * np.mean(z != y) < wrong[0] < 2 * np.mean(z != y)


@BOTH
@pytest.mark.parametrize("label_noise", ["uniform", "matrix", "given"])
def test_a_weight_of_two_is_two_rows(Classifier, label_noise):
    X, _, z = wine()
    X, z = X[::3, :4], z[::3]
    if label_noise == "given":
        label_noise = 0.85 * np.eye(3) + 0.05
    weight = np.random.default_rng(0).integers(0, 3, size=len(z))
    clf = Classifier("gumbel", C=0.1, label_noise=label_noise, tol=1e-9, class_weight="balanced")
    one = clone(clf).fit(X, z, sample_weight=weight)
    two = clone(clf).fit(np.repeat(X, weight, axis=0), np.repeat(z, weight))
    assert_allclose(one.label_noise_, two.label_noise_, atol=OPTIMUM)
    assert_allclose(one.coef_, two.coef_, atol=OPTIMUM)


def test_class_weights_do_not_change_what_flips_mean():
    """A sample drawn by label has other flips; those shown are of the data."""
    flips = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert_allclose(tilted(tilted(flips, [1, 3]), [1, 1 / 3]), flips, rtol=IDENTITY)
    X, _, z = wine()
    matrix = 0.85 * np.eye(3) + 0.05
    clf = PerturbArgmaxClassifier("gumbel", class_weight={0: 3}, label_noise=matrix).fit(X, z)
    assert_allclose(clf.label_noise_, matrix, rtol=1e-10)
    rows = LabelledRows(X, np.arange(3), z, 1.0 + 2 * (z == 0), np.ones(len(z)))
    assert_allclose(rows.factors(), [3, 1, 1], rtol=IDENTITY)


@pytest.mark.parametrize("constraint", ["sum_to_zero", "reference", None])
def test_fits_are_repeatable_and_do_not_depend_on_the_solver(constraint):
    X, _, z = wine()
    clf = PerturbArgmaxClassifier("gaussian", C=0.1, constraint=constraint, label_noise="matrix")
    clf.set_params(tol=1e-7, max_iter=1000)
    one, two = clone(clf).fit(X, z), clone(clf).fit(X, z)
    assert_array_equal(one.coef_, two.coef_)
    other = clone(clf).set_params(solver="lbfgs").fit(X, z)
    assert_allclose(other.label_noise_, one.label_noise_, atol=1e-4)
    again = one.set_params(warm_start=True).fit(X, z)
    assert_allclose(again.label_noise_, two.label_noise_, atol=1e-4)


def test_two_classes_and_sparse_features():
    from scipy import sparse

    X, _, z = wine()
    y = (z > 0).astype(int)
    clf = PerturbArgmaxClassifier("gaussian", C=0.1, label_noise="matrix")
    dense = clf.fit(X, y).predict_proba(X)
    assert_allclose(clf.fit(sparse.csr_array(X), y).predict_proba(X), dense, atol=OPTIMUM)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"label_noise": "matrix", "loss": "fenchel_young"}, "loss='log_loss'"),
        ({"label_noise": "matrix", "bias_reduction": True, "C": np.inf}, "bias_reduction=False"),
        ({"label_noise": np.eye(2)}, "3 of both"),
        ({"label_noise": np.full((3, 3), 0.5)}, "with the sum 1"),
        ({"label_noise": np.full((3, 3), 1 / 3)}, "must not depend on each other"),
        ({"label_noise": pd.DataFrame(np.eye(3), index=list("abc"))}, "must be the classes"),
        ({"label_noise": "other"}, "label_noise"),
    ],
)
def test_what_is_refused(params, text):
    X, _, z = wine()
    with pytest.raises(ValueError, match=text):
        PerturbArgmaxClassifier("gumbel", **params).fit(X, z)


def test_probabilities_as_labels_are_refused():
    X, _, z = wine()
    with pytest.raises(ValueError, match="needs labels"):
        PerturbArgmaxClassifier(label_noise="uniform").fit_proba(X, np.eye(3)[z])


def test_standard_errors_and_criteria_are_refused():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1))
    y = (X[:, 0] + rng.gumbel(size=300) > 0).astype(int)
    matrix = [[0.95, 0.05], [0.05, 0.95]]
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, label_noise=matrix).fit(X, y)
    calls = [
        clf.summary,
        clf.covariance,
        clf.marginal_effects,
        lambda: clf.wald_test((1, "x0")),
        lambda: clf.profile_interval(1, "x0"),
        lambda: clf.predict_proba_interval(X),
        clf.aic,
        clf.bic,
        lambda: clf.bootstrap(X, y, n_bootstrap=2),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="label_noise"):
            call()
    assert np.isfinite(clf.leave_one_out().loss).all()


def test_leave_one_out_scores_the_labels_given():
    X, _, z = wine()
    clf = PerturbArgmaxClassifier("gumbel", C=0.3, label_noise="matrix").fit(X, z)
    left = clf.leave_one_out(X, z)
    q = (left.proba @ clf.label_noise_.to_numpy())[np.arange(len(z)), z]
    assert_allclose(left.loss, -np.log(q), rtol=1e-6)
    assert_allclose(left.log_loss().value, left.loss.mean(), rtol=1e-6)


def test_one_step_without_a_row_is_a_refit_with_these_flips():
    X, _, z = wine()
    clf = PerturbArgmaxClassifier("gumbel", C=0.3, label_noise="matrix", tol=1e-9).fit(X, z)
    with pytest.warns(UserWarning, match="refit=n"):
        left = clf.leave_one_out(X, z, refit=False)
    steady = np.flatnonzero(np.abs(left.change) < 0.1)
    for row in steady[[0, 50, 100]]:
        params = clf.get_params(deep=False)
        keep = np.arange(len(z)) != row
        objective = make_objective(
            params, clf.model_, clf.classes_, X[keep], z[keep], np.ones(len(z) - 1),
            clf.label_noise_.to_numpy(),
        )  # fmt: skip
        start = objective.coefficients(objective.free(clf.coef_, clf.intercept_))
        solution = fit_objective(objective, params, start)
        coef, intercept = objective.coefficients(solution.x)
        expected = clf.model_.proba((X[row] @ coef.T + intercept)[None])
        assert_allclose(left.proba[row], expected[0], atol=0.01)


# --- Labels in doubt


@BOTH
def test_planted_labels_come_first(Classifier):
    X, y, z = wine()
    table = Classifier("gumbel", C=0.3).fit(X, z).label_doubts(X, z)
    assert table.attrs["label_noise"] == "matrix"
    assert table.attrs["gain"] > 2 * table.attrs["gain_std_err"]
    first = table.index[:20]
    assert np.mean(z[first] != y[first]) > 0.9
    flagged = table.index[table["proba_wrong"] > 0.5]
    assert_array_equal(table.loc[flagged, "suggested"], y[flagged])
    assert_array_equal(table.sort_index()["label"], z)


def test_without_a_sign_of_wrong_labels_their_number_is_not_said():
    X, y, _ = wine()
    table = PerturbArgmaxClassifier("gumbel").fit(X, y).label_doubts(X, y)
    assert table.attrs["label_noise"] == "none"
    assert table["proba_wrong"].isna().all()
    assert len(flip_table(suspect_labels(PerturbArgmaxClassifier("gumbel"), X, y))) == 0


def test_lots_are_left_out_whole():
    X, _, z = wine()
    lots = np.arange(len(z)) // 6
    clf = PerturbArgmaxClassifier("gumbel", C=0.3, label_noise="matrix").fit(X, z)
    table = clf.label_doubts(X, z, groups=lots).sort_index()
    left = clf.leave_one_out(X, z, groups=lots, refit=False)
    own = left.proba[np.arange(len(z)), z]
    assert_allclose(table["proba_of_label"], own, atol=1e-6)
    q = left.proba @ clf.label_noise_.to_numpy()
    right = own * np.diag(clf.label_noise_)[z] / q[np.arange(len(z)), z]
    assert_allclose(table["proba_wrong"], 1 - right, atol=1e-6)


def test_a_row_of_weight_zero_is_judged_too():
    X, _, z = wine()
    weight = np.ones(len(z))
    weight[5] = 0
    clf = PerturbArgmaxClassifier("gumbel", C=0.3).fit(X, z, sample_weight=weight)
    table = clf.label_doubts(X, z, weight)
    assert len(table) == len(z)
    assert table.loc[5, "change"] == 0


@pytest.mark.parametrize(
    ("params", "text"), [({"loss": "fenchel_young"}, "log_loss"), ({"C": 0.5}, "those of the fit")]
)
def test_what_cannot_be_doubted_is_refused(params, text):
    X, _, z = wine()
    clf = PerturbArgmaxClassifier("gumbel", **params).fit(X, z)
    with pytest.raises(ValueError, match=text):
        clf.label_doubts(X[:-1] if "C" in params else X, z[:-1] if "C" in params else z)


def test_the_list_of_a_pipeline_and_of_a_search():
    X, _, z = wine()
    clf = PerturbArgmaxClassifier("gumbel", C=0.3)
    plain = suspect_labels(clf, X, z)
    for model in (
        make_pipeline(StandardScaler(), clf),
        GridSearchCV(make_pipeline(StandardScaler(), clf), {"perturbargmaxclassifier__C": [0.3]}),
        make_pipeline(StandardScaler(), PerturbArgmaxClassifierCV(("gumbel",), Cs=[0.3])),
    ):
        table = suspect_labels(model, X, z)
        assert_array_equal(table["row"].head(20), plain["row"].head(20))
        assert table.attrs["label_noise"] == "matrix"


def test_any_other_classifier_predicts_by_folds():
    X, _, z = wine()
    lots = np.arange(len(z)) % 30
    learner = LogisticRegression(tol=0.1)
    table = suspect_labels(learner, X, z.astype(str), groups=lots)
    assert list(table) == [
        "row", "label", "suggested", "proba_of_label", "proba_wrong", "change"
    ]  # fmt: skip
    assert table["proba_of_label"].is_monotonic_increasing
    assert table["proba_wrong"].isna().all()
    assert (table["label"] != table["suggested"]).all()
    few = suspect_labels(RandomForestClassifier(2, random_state=0), X[::30], z[::30])
    assert sorted(few["row"]) == list(range(6))


def test_flips_are_counted():
    suspects = pd.DataFrame(
        {
            "label": ["a", "a", "b", "b"],
            "suggested": ["b", "b", "a", "a"],
            "proba_wrong": [0.9, 0.8, 0.4, 0.0],
        }
    )
    table = flip_table(suspects)
    assert_array_equal(table["parts"], [1, 0])
    assert_allclose(table["expected"], [1.7, 0.4])
    assert_allclose(table["share"], [0.85, 0.2])
    with pytest.raises(ValueError, match="proba_wrong"):
        flip_table(suspects.drop(columns="proba_wrong"))


def test_a_comparison_lists_its_suspects():
    X, _, z = wine()
    models = {"a": LogisticRegression(C=1e-4), "b": LogisticRegression()}
    time = np.arange(len(z))[::-1] % 60
    for options in ({"n_splits": 2, "n_repeats": 1}, {"time": time, "n_splits": 2, "n_repeats": 1}):
        comparison = compare_classifiers(models, X, z, **options)
        table = comparison.suspects()
        assert table.attrs["estimator"] == "b"
        assert_array_equal(z[table["row"]], table["label"])
        assert len(table) == len(comparison.y)


@parametrize_with_checks(
    [
        *(PerturbArgmaxClassifier("gumbel", label_noise=kind) for kind in ("uniform", "matrix")),
        *(PerturbSoftmaxClassifier("gumbel", label_noise=kind) for kind in ("uniform", "matrix")),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
