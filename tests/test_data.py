"""What scikit-learn users put in: containers, dtypes, labels, weights, awkward columns."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb._engine import COMPILED

from .conftest import IDENTITY, OPTIMUM

classifiers = pytest.mark.parametrize(
    "clf",
    [
        PerturbArgmaxClassifier(),
        PerturbArgmaxClassifier(solver="lbfgs", loss="fenchel_young"),
        PerturbSoftmaxClassifier("student_t", constraint="reference"),
    ],
    ids=["argmax", "argmax lbfgs", "softmax student_t"],
)


def overlapping(n=60, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features))
    scores = X @ rng.normal(size=(n_features, 3)) + rng.gumbel(size=(n, 3))
    return X, scores.argmax(axis=1)


@classifiers
@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2], ["dent", "ok", "scratch"], [-5, 0, 7], [1.0, 2.0, 3.0], pd.array(["a", "b", "c"])],
    ids=str,
)
def test_labels_of_any_type(clf, labels):
    X, y = overlapping()
    fitted = clone(clf).fit(X, np.asarray(labels)[y])
    assert_array_equal(fitted.classes_, np.asarray(labels))
    assert_array_equal(fitted.predict_proba(X), clone(clf).fit(X, y).predict_proba(X))
    assert set(fitted.predict(X)) <= set(labels)


@classifiers
def test_two_labels_that_are_true_and_false(clf):
    X, y = overlapping()
    fitted = clone(clf).fit(X, y == 1)
    assert fitted.classes_.tolist() == [False, True]
    assert fitted.predict(X).dtype == bool
    assert fitted.predict_proba(X).shape == (60, 2)


@classifiers
def test_frames(clf):
    polars = pytest.importorskip("polars")
    X, y = overlapping()
    plain = clone(clf).fit(X, y)
    columns = ["width", "depth", "angle"]
    for frame, target in [
        (pd.DataFrame(X, columns=columns), pd.Series(y)),
        (polars.DataFrame(X, schema=columns), polars.Series(y)),
    ]:
        fitted = clone(clf).fit(frame, target)
        assert fitted.feature_names_in_.tolist() == columns
        # A frame has its columns one after the other: sums round otherwise.
        assert_allclose(fitted.predict_proba(frame), plain.predict_proba(X), rtol=1e-6)
        with pytest.raises(ValueError, match="feature names"):
            fitted.predict(frame[columns[::-1]])


@classifiers
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_and_sparse_are_kept_and_change_little(clf, container, dtype):
    X, y = overlapping()
    X[X < -1] = 0
    plain = clone(clf).fit(X, y)
    fitted = clone(clf).fit(container(X.astype(dtype)), y)
    assert fitted.coef_.dtype == fitted.intercept_.dtype == dtype
    proba = fitted.predict_proba(container(X.astype(dtype)))
    assert_allclose(proba, plain.predict_proba(X), atol=2e-3)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)


@classifiers
def test_metadata_routing(clf):
    X, y = overlapping()
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        weighted = clone(clf).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(scaler, weighted).fit(X, y, sample_weight=weight)
    assert_allclose(pipeline[-1].weight_sum_, weight.sum())


@classifiers
def test_joblib(clf):
    X, y = overlapping()
    fits = Parallel(n_jobs=2)(delayed(clone(clf).fit)(X, y) for _ in range(2))
    expected = clone(clf).fit(X, y)
    # The sums of NumPy add in another order where there are other threads.
    rtol = 0 if COMPILED else IDENTITY
    for fitted in fits:
        assert_allclose(fitted.coef_, expected.coef_, rtol=rtol, atol=rtol)


@classifiers
def test_more_columns_than_rows(clf):
    X, y = overlapping(20, 50)
    fitted = clone(clf).fit(X, y)
    assert fitted.score(X, y) == 1
    assert np.isfinite(fitted.coef_).all()


@classifiers
def test_columns_that_are_constant_or_twice_the_same(clf):
    X, y = overlapping()
    clf = clone(clf).set_params(tol=1e-7, max_iter=1000)
    expected = clone(clf).fit(X, y).predict_proba(X)
    constant = np.column_stack([X, np.zeros(60)])
    assert_allclose(clone(clf).fit(constant, y).predict_proba(constant), expected, atol=1e-5)
    # Two halves of a column bear half the penalty of one.
    halves = np.column_stack([X[:, 1:], X[:, :1] / 2**0.5, X[:, :1] / 2**0.5])
    fitted = clone(clf).fit(halves, y)
    assert_allclose(fitted.coef_[:, 2], fitted.coef_[:, 3], atol=OPTIMUM)
    assert_allclose(fitted.predict_proba(halves), expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_newton_does_not_mind_the_units_of_a_feature(scale):
    """The likelihood alone: a penalty does mind them."""
    X, y = overlapping(200)
    clf = PerturbArgmaxClassifier(C=np.inf, tol=1e-4 / max(scale, 1), solver="newton")
    expected = PerturbArgmaxClassifier(C=np.inf, tol=1e-9).fit(X, y).predict_proba(X)
    units = np.array([1.0, scale, 1.0])
    with np.errstate(all="raise"):
        fitted = clf.set_params(tol=1e-9 * min(scale, 1)).fit(X * units, y)
    assert_allclose(fitted.predict_proba(X * units), expected, atol=1e-6)
    assert fitted.n_iter_ < 15


@classifiers
def test_separable_data_have_a_finite_solution_with_a_penalty(clf):
    X, y = overlapping()
    y = (X[:, 0] > 0).astype(int)
    X[:, 0] += np.sign(X[:, 0])
    fitted = clone(clf).fit(X, y)
    assert fitted.score(X, y) == 1
    assert np.abs(fitted.coef_).max() < 100
    with pytest.warns(ConvergenceWarning, match="separate the classes"):
        clone(clf).set_params(C=np.inf, max_iter=300).fit(X, y)


@classifiers
def test_a_class_of_one_row(clf):
    X, y = overlapping()
    y[7] = 3
    fitted = clone(clf).fit(X, y)
    p = fitted.predict_proba(X)
    assert p.shape == (60, 4)
    assert 0 < p[:, 3].mean() < 0.1
    assert np.isfinite(fitted.predict_log_proba(X)).all()


@classifiers
def test_set_params_and_a_second_fit_forget_the_first(clf):
    X, y = overlapping()
    again = clone(clf).fit(X[:, :1], y == 0).set_params(C=3.0).fit(X, y)
    fresh = clone(clf).set_params(C=3.0).fit(X, y)
    assert_array_equal(again.coef_, fresh.coef_)
    assert again.coef_.shape == (3, 3)


@pytest.mark.parametrize("loss", ["log_loss", "fenchel_young"])
def test_without_constraint_and_penalty_the_coefficients_are_not_unique(loss):
    X, y = overlapping(200)
    clf = PerturbArgmaxClassifier(loss=loss, C=np.inf, constraint=None)
    with pytest.warns(ConvergenceWarning, match="not unique"):
        free = clone(clf).fit(X, y)
    zero = clone(clf).set_params(constraint="sum_to_zero").fit(X, y)
    assert_array_equal(free.predict_proba(X), zero.predict_proba(X))
    clf.fit(X, y == 0)  # two classes have one row, and nothing to choose


def test_without_intercept():
    X, y = overlapping(200)
    ours = PerturbArgmaxClassifier("gumbel", fit_intercept=False, tol=1e-8).fit(X, y)
    theirs = LogisticRegression(fit_intercept=False, tol=1e-8, max_iter=1000).fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, atol=OPTIMUM)
    assert np.all(ours.intercept_ == 0)
    names = PerturbArgmaxClassifier("gumbel", fit_intercept=False, C=np.inf).fit(X, y).summary()
    assert "intercept" not in set(names["feature"])


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_warm_start_begins_where_the_coefficients_are_set(solver):
    """The documented way to look for another minimum of noise that is not log-concave."""
    X, y = overlapping()
    clf = PerturbArgmaxClassifier("cauchy", solver=solver, warm_start=True, tol=1e-6).fit(X, y)
    best, loss = clf.coef_, clf.loss_
    assert clf.fit(X, y).n_iter_ == 0
    clf.coef_ = -3 * best
    clf.fit(X, y)
    assert clf.n_iter_ > 2
    assert_allclose(clf.loss_, loss, rtol=1e-8)
    assert_allclose(clf.coef_, best, atol=1e-3)


def test_a_fit_that_fails_leaves_the_last_one():
    X, y = overlapping()
    clf = PerturbArgmaxClassifier().fit(X, y)
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match="scale the features"):
        clf.set_params(noise="cauchy").fit(1e200 * X, y == 1)
    assert_array_equal(clf.predict_proba(X), before)


def test_warm_start_keeps_the_probabilities_under_another_constraint():
    X, y = overlapping(200)
    clf = PerturbArgmaxClassifier("cauchy", C=np.inf, warm_start=True).fit(X, y)
    assert clf.set_params(constraint="reference").fit(X, y).n_iter_ == 0
    assert clf.set_params(constraint="sum_to_zero").fit(X, y).n_iter_ == 0


def test_thousands_of_unpenalised_parameters_are_not_checked_and_it_is_said():
    rng = np.random.default_rng(0)
    X = sparse.random(300, 800, density=0.02, random_state=0, format="csr")
    with pytest.warns(ConvergenceWarning, match="it is not checked whether the features separate"):
        PerturbArgmaxClassifier("gumbel", C=np.inf).fit(X, rng.integers(0, 3, 300))
