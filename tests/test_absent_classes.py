"""A class whose rows all have weight zero, and the conventions of LogisticRegression."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.ensemble import BaggingClassifier

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.representation import check_identifiability

from .conftest import IDENTITY, OPTIMUM

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 2))
ABSENT = pytest.mark.filterwarnings("ignore:All rows of:UserWarning")


def parts(n_classes, absent):
    y = (np.arange(90) % n_classes)[np.argsort(RNG.normal(size=90) + X[:, 0])]
    return y, np.where(np.isin(y, absent), 0.0, 1.0)


@ABSENT
@pytest.mark.parametrize("constraint", ["sum_to_zero", "reference", None])
@pytest.mark.parametrize(("n_classes", "absent"), [(3, [1]), (3, [0]), (5, [0, 3])])
@pytest.mark.parametrize("noise", ["gumbel", "gaussian", "cauchy"])
def test_the_fit_is_that_of_the_other_classes(noise, n_classes, absent, constraint):
    y, weight = parts(n_classes, absent)
    clf = PerturbArgmaxClassifier(noise, constraint=constraint).fit(X, y, weight)
    assert_array_equal(clf.classes_, np.arange(n_classes))
    assert not clf.coef_[absent].any()
    present = np.delete(np.arange(n_classes), absent)
    others = PerturbArgmaxClassifier(noise, constraint=constraint).fit(X[weight > 0], y[weight > 0])
    proba, scores = clf.predict_proba(X), clf.decision_function(X)
    assert proba[:, absent].max() <= 1e-12
    assert_allclose(proba.sum(axis=1), 1, atol=IDENTITY)
    assert_allclose(proba[:, present], others.predict_proba(X), atol=1e-10)
    assert np.isfinite(scores).all()
    assert not np.isnan(clf.predict_log_proba(X)).any()
    assert_allclose(clf.loss_, others.loss_, rtol=OPTIMUM)
    assert_allclose(clf.log_likelihood_, others.log_likelihood_, rtol=OPTIMUM)
    if constraint == "reference":
        assert not clf.coef_[present[0]].any()
    else:
        assert_allclose(clf.coef_.sum(axis=0), 0, atol=IDENTITY)


@ABSENT
@pytest.mark.parametrize("options", [{}, {"C": np.inf}, {"loss": "fenchel_young"}])
@pytest.mark.parametrize("Classifier", [PerturbArgmaxClassifier, PerturbSoftmaxClassifier])
@pytest.mark.parametrize(("n_classes", "kept"), [(2, 0), (2, 1), (3, 1)])
def test_a_single_class_that_remains_is_certain(Classifier, n_classes, kept, options):
    y, weight = parts(n_classes, [k for k in range(n_classes) if k != kept])
    noise = "cauchy" if Classifier is PerturbArgmaxClassifier else "gumbel"
    clf = Classifier(noise, **options).fit(X.astype(np.float32), y, weight)
    assert (clf.predict(X) == kept).all()
    assert clf.predict_proba(X)[:, kept].min() > 1 - 1e-11
    assert clf.coef_.shape == ((1, 2) if n_classes == 2 else (3, 2))
    assert not clf.coef_.any()
    assert clf.n_iter_.tolist() == [0]


@pytest.mark.parametrize("given", ["sample_weight", "class_weight", "probabilities"])
def test_a_warning_names_the_class_and_inference_is_refused(given):
    y, weight = parts(3, [1])
    labels = np.array(["dent", "ok", "rare"])[y]
    clf = PerturbArgmaxClassifier(C=np.inf)
    shares = np.eye(3)[np.where(y == 1, 2, y)]
    fit = {
        "sample_weight": lambda: clf.fit(X, labels, weight),
        "class_weight": lambda: clf.set_params(class_weight={"ok": 0.0}).fit(X, labels),
        "probabilities": lambda: clf.fit_proba(X, shares, classes=["dent", "ok", "rare"]),
    }[given]
    with pytest.warns(UserWarning, match="All rows of class 'ok' have weight 0"):
        fit()
    for method in (clf.summary, clf.covariance, clf.marginal_effects, clf.aic, clf.bic):
        with pytest.raises(ValueError, match="class 'ok' had weight 0, so that the fit left that"):
            method()
    with pytest.raises(ValueError, match="class 'ok' had weight 0"):
        clf.bootstrap(X, labels)
    if given == "sample_weight":
        report = check_identifiability(clf, X, labels, weight)
        assert any("Without rows of class ok" in problem for problem in report.problems)


@ABSENT
def test_the_reference_class_and_warm_start():
    y, weight = parts(4, [2])
    clf = PerturbArgmaxClassifier(constraint="reference", reference_class=2, warm_start=True)
    with pytest.warns(UserWarning, match="reference_class 2: the first class, 0, is"):
        clf.fit(X, y, weight)
    assert not clf.coef_[[0, 2]].any()
    with pytest.warns(UserWarning, match="Rows of weight 0 do not count"):
        assert clf.fit(X, y, weight).n_iter_[0] <= 1
    y, weight = parts(3, [0])
    clf = PerturbArgmaxClassifier(constraint="reference", reference_class=2).fit(X, y, weight)
    assert not clf.coef_[2].any()
    assert clf.coef_[1].any()
    assert clf.intercept_[2] == 0


@ABSENT
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_ensemble_on_rare_defects_runs_through():
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(200, 4)), np.zeros(200, dtype=int)
    y[:3] = 1
    rows[:3] += 2
    each = PerturbArgmaxClassifier()
    bag = BaggingClassifier(each, n_estimators=30, max_samples=0.3, random_state=0)
    assert bag.fit(rows, y).score(rows, y) >= 0.98


def test_no_weight_at_all_is_refused():
    y, _ = parts(3, [])
    with pytest.raises(ValueError, match=r"zero for every row|non-zero number"):
        PerturbArgmaxClassifier().fit(X, y, np.zeros(90))
    with pytest.raises(ValueError, match="class_weight is zero for every row"):
        PerturbArgmaxClassifier(class_weight=dict.fromkeys(range(3), 0.0)).fit(X, y)


def test_iterations_are_an_array_and_may_be_none():
    y, _ = parts(3, [])
    clf = PerturbArgmaxClassifier("gumbel", max_iter=0)
    with pytest.warns(match="max_iter=0"):
        clf.fit(X, y)
    assert clf.n_iter_.shape == (1,)
    assert clf.n_iter_.dtype == np.int32
    assert not clf.coef_.any()
    for solver in ("newton", "lbfgs"):
        precise = PerturbArgmaxClassifier("gumbel", tol=0, solver=solver, max_iter=1000).fit(X, y)
        close = PerturbArgmaxClassifier("gumbel", tol=1e-9, max_iter=1000).fit(X, y)
        assert_allclose(precise.coef_, close.coef_, atol=1e-6)


def test_sparse_coefficients():
    y, _ = parts(3, [])
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, warm_start=True).fit(X, y)
    dense, proba, summary = clf.coef_, clf.predict_proba(X), clf.summary()
    assert sparse.issparse(clf.sparsify().coef_)
    for rows in (X, sparse.csr_array(X), sparse.csr_matrix(X)):
        assert_allclose(clf.predict_proba(rows), proba, atol=IDENTITY)
    assert_allclose(clf.summary()["std_err"], summary["std_err"], rtol=1e-9)
    assert clf.log_likelihood_ < 0
    assert_array_equal(clf.densify().densify().coef_, dense)
    assert clf.sparsify().fit(X, y).n_iter_[0] == 0


@pytest.mark.parametrize("y", [[1, "a"] * 45, np.array([True, "a"] * 45, dtype=object)])
def test_labels_of_different_types(y):
    with pytest.raises(ValueError, match="labels of different types, such as 'a' and"):
        PerturbArgmaxClassifier().fit(X, y)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_labels_in_a_list(missing):
    with pytest.raises(ValueError, match="y is missing for 45 rows"):
        PerturbArgmaxClassifier().fit(X, [missing, "a"] * 45)
