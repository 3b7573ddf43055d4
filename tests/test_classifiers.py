import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, stats
from scipy.special import log_softmax
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier, models
from skperturb._engine._kernels import TableKernel, UnitKernel
from skperturb._linear import _losses
from skperturb.noise import Gaussian, Logistic, StudentT, from_scipy

from .conftest import IDENTITY

CLASSIFIERS = [PerturbArgmaxClassifier, PerturbSoftmaxClassifier]
classifiers = pytest.mark.parametrize("Classifier", CLASSIFIERS)
Argmax, Softmax = CLASSIFIERS
REFERENCE = {"constraint": "reference"}
FENCHEL_YOUNG = {"loss": "fenchel_young"}
# Without tables each row is integrated: a few steps are enough to check the interface.
FEW_STEPS = {"max_iter": 3, "tol": 0.05}
# Every noise, constraint, loss and solver twice at least, and extreme parameters.
OPTIONS = [
    Argmax("gaussian", **FENCHEL_YOUNG, solver="lbfgs", noise_scale=1e3),
    Softmax("gaussian", **REFERENCE, solver="lbfgs", temperature=1e-3, warm_start=True),
    Argmax("gumbel", **REFERENCE, solver="newton"),
    Softmax("gumbel", noise_scale=3.0, class_weight="balanced", warm_start=True),
    Argmax("gumbel_min", constraint=None, solver="newton", C=1e3),
    Softmax("gumbel_min", **REFERENCE, **FENCHEL_YOUNG, temperature=1e3, C=1e4),
    Argmax("logistic", constraint=None, solver="lbfgs", noise_scale=0.3),
    Softmax("logistic", temperature=0.1, **REFERENCE, C=100.0),
    Argmax("laplace", solver="newton", **FEW_STEPS),
    Softmax("laplace", constraint=None, **FENCHEL_YOUNG, solver="lbfgs"),
    Argmax("exponential", **REFERENCE, **FENCHEL_YOUNG, **FEW_STEPS),
    Softmax("exponential", constraint=None, C=1e-3),
    Argmax("student_t", solver="newton"),
    Softmax(StudentT(1.5), **REFERENCE, C=10.0),
    Argmax("cauchy", tol=1e-2),
    Softmax("cauchy", solver="newton", C=0.1),
    Argmax("uniform", **FENCHEL_YOUNG, solver="newton", **FEW_STEPS),
    Softmax("uniform", temperature=0.5, max_iter=1),
    Argmax(from_scipy(stats.norm(scale=2.0)), C=1e6),
    Softmax(from_scipy(stats.triang(0.3)), constraint=None, C=1e6, tol=1e-2),
]


# Some checks fit raw, badly scaled or separable data: a user should be told so.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:All rows of class:UserWarning")
@parametrize_with_checks([Argmax(), Softmax()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:All rows of class:UserWarning")
@pytest.mark.filterwarnings("ignore:With warm_start=True the fit begins anew:UserWarning")
@parametrize_with_checks(OPTIONS)
def test_scikit_learn_checks_of_options(estimator, check):
    check(estimator)


@classifiers
def test_checks_that_are_not_in_the_generator(Classifier):
    check_param_validation(Classifier.__name__, Classifier())
    check_dataframe_column_names_consistency(Classifier.__name__, Classifier())


def three_classes(n=150, seed=0):
    X, y = make_classification(
        n, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=seed, class_sep=0.7
    )
    return X, np.array(["dent", "ok", "scratch"])[y]


def table_kernel(law, n_classes):
    return UnitKernel(TableKernel(law, n_classes), law)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("tables", [False, True])
@pytest.mark.parametrize("load", [load_breast_cancer, load_iris, load_digits])
def test_gumbel_is_logistic_regression(load, tables, weighted, C, monkeypatch):
    if tables:
        for module in (models, _losses):
            monkeypatch.setattr(module, "make_kernel", table_kernel)
    X, y = load(return_X_y=True)
    if load is load_digits:  # few of its 64 columns: a sharp optimum, which L-BFGS can reach
        X, y = X[:600, 18:46:4], y[:600]
    X = StandardScaler().fit_transform(X)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y)) if weighted else None
    theirs = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=200)
    theirs.fit(X, y, weight)
    ours = PerturbArgmaxClassifier("gumbel", C=C, tol=1e-10, max_iter=10_000).fit(X, y, weight)
    assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-4)
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=0, atol=1e-4)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-5)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), rtol=0, atol=1e-3)
    assert_array_equal(ours.predict(X), theirs.predict(X))


def test_gaussian_with_two_classes_is_probit():
    """Coefficients of an unpenalised probit, times the square root of two."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = X @ [1.0, -0.5, 0.2] + 0.3 + rng.normal(size=300) > 0
    sign = np.where(y, 1, -1)
    probit = minimize(
        lambda w: -norm.logcdf(sign * (X @ w[:3] + w[3])).sum(), np.zeros(4), tol=1e-10
    )
    clf = PerturbArgmaxClassifier("gaussian", C=np.inf, tol=1e-9).fit(X, y)
    found = np.append(clf.coef_[0], clf.intercept_) / np.sqrt(2)
    assert_allclose(found, probit.x, rtol=1e-5, atol=1e-5)
    assert_allclose(clf.predict_proba(X)[:, 1], norm.cdf(X @ found[:3] + found[3]), atol=1e-9)


@classifiers
@pytest.mark.parametrize("constraint", ["sum_to_zero", "reference", None])
def test_optimum_against_another_optimiser_on_the_written_out_objective(Classifier, constraint):
    """Nelder-Mead knows neither our gradient nor our parametrisation."""
    from scipy.optimize import minimize

    X, y = three_classes(60)
    X = X[:, :1]
    clf = Classifier(constraint=constraint, C=0.5, tol=1e-8).fit(X, y)
    codes = np.searchsorted(clf.classes_, y)

    def written_out(w):
        rows = w.reshape(-1, 2)
        if constraint == "reference":
            rows = np.vstack([np.zeros(2), rows])
        elif constraint == "sum_to_zero":
            rows = np.vstack([rows, -rows.sum(axis=0)])
        log_p = clf.model_.log_proba(X @ rows[:, :1].T + rows[:, 1])
        return -0.5 * log_p[np.arange(60), codes].sum() + (rows[:, 0] ** 2).sum() / 2

    start = np.zeros(6 if constraint is None else 4)
    best = minimize(
        written_out,
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 20_000, "maxfev": 20_000},
    )
    assert_allclose(clf.loss_ * 0.5 * 60, best.fun, rtol=1e-7)


@classifiers
def test_constraints(Classifier):
    X, y = three_classes()
    zero = Classifier(C=np.inf, tol=1e-7, max_iter=1000).fit(X, y)
    assert_allclose(zero.coef_.sum(axis=0), 0, atol=1e-12)
    assert_allclose(zero.intercept_.sum(), 0, atol=1e-12)
    for label, row in (("dent", 0), ("scratch", 2), (None, 0)):
        reference = clone(zero).set_params(constraint="reference", reference_class=label).fit(X, y)
        assert np.all(reference.coef_[row] == 0)
        assert reference.intercept_[row] == 0
        assert_allclose(reference.predict_proba(X), zero.predict_proba(X), atol=1e-6)
        assert_allclose(reference.coef_, zero.coef_ - zero.coef_[row], atol=1e-5)
    penalised = Classifier(constraint=None, tol=1e-7).fit(X, y)
    same = Classifier(tol=1e-7).fit(X, y)
    assert_allclose(penalised.coef_, same.coef_, atol=1e-5)


@classifiers
@pytest.mark.parametrize("constraint", ["sum_to_zero", "reference", None])
def test_two_classes_have_one_row_whatever_the_constraint(Classifier, constraint):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    clf = Classifier(constraint=constraint).fit(X, y)
    assert clf.coef_.shape == (1, 30)
    assert clf.intercept_.shape == (1,)
    decision = clf.decision_function(X)
    assert decision.shape == (569,)
    assert_array_equal(clf.predict(X), (decision > 0).astype(int))
    assert_array_equal(clf.predict_proba(X).argmax(axis=1), clf.predict(X))
    assert_array_equal(clf.coef_, Classifier().fit(X, y).coef_)


@classifiers
def test_class_labels_and_permutation(Classifier):
    X, y = three_classes()
    clf = Classifier(tol=1e-7).fit(X, y)
    assert clf.classes_.tolist() == ["dent", "ok", "scratch"]
    assert set(clf.predict(X)) <= set(y)
    renamed = np.array([{"dent": 2, "ok": 0, "scratch": 1}[label] for label in y])
    other = Classifier(tol=1e-7).fit(X, renamed)
    assert_allclose(other.predict_proba(X), clf.predict_proba(X)[:, [1, 2, 0]], atol=1e-6)


@classifiers
def test_predictions_are_consistent(Classifier):
    X, y = three_classes()
    clf = Classifier().fit(X, y)
    p = clf.predict_proba(X)
    assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert_allclose(np.exp(clf.predict_log_proba(X)), p, rtol=1e-12)
    assert_array_equal(clf.classes_[p.argmax(axis=1)], clf.predict(X))
    assert clf.score(X, y) > 0.5
    assert clf.n_iter_ >= 1
    assert clf.loss_ < np.log(3)


@classifiers
def test_weights_are_repetitions_and_zero_leaves_out(Classifier):
    X, y = three_classes()
    times = np.random.default_rng(0).integers(0, 3, size=len(y))
    repeated = Classifier(tol=1e-9, max_iter=1000).fit(np.repeat(X, times, 0), np.repeat(y, times))
    weighted = Classifier(tol=1e-9, max_iter=1000).fit(X, y, sample_weight=times)
    assert_allclose(weighted.coef_, repeated.coef_, rtol=0, atol=1e-7)


@classifiers
def test_class_weight_multiplies(Classifier):
    X, y = three_classes()
    by_class = Classifier(class_weight={"dent": 3.0, "ok": 1.0, "scratch": 0.5}).fit(X, y)
    by_row = Classifier().fit(
        X, y, sample_weight=[{"dent": 3.0, "ok": 1.0, "scratch": 0.5}[label] for label in y]
    )
    assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-10)


@classifiers
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array, sparse.csc_array])
def test_sparse_is_dense(Classifier, container):
    X, y = three_classes()
    X[np.abs(X) < 0.5] = 0
    dense, sparse_fit = Classifier(tol=1e-8).fit(X, y), Classifier(tol=1e-8).fit(container(X), y)
    assert_allclose(sparse_fit.coef_, dense.coef_, atol=1e-6)
    assert_allclose(dense.predict_proba(container(X)), dense.predict_proba(X), rtol=1e-10)


@classifiers
def test_float32_is_kept_and_close(Classifier):
    X, y = three_classes()
    double, single = Classifier().fit(X, y), Classifier().fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, double.coef_, atol=1e-3)
    assert_allclose(single.predict_proba(X.astype(np.float32)).sum(axis=1), 1, rtol=1e-12)


@classifiers
def test_warm_start(Classifier):
    X, y = three_classes()
    clf = Classifier(warm_start=True).fit(X, y)
    first = clf.coef_
    assert clf.fit(X, y).n_iter_ <= 1
    assert_allclose(clf.coef_, first, atol=1e-3)
    two = X[y != "ok"], y[y != "ok"]
    with pytest.warns(UserWarning, match="begins anew all the same: no row is of class 'ok'"):
        assert clf.fit(*two).coef_.shape == (1, 5)
    assert clf.fit(*two).n_iter_ <= 1
    with pytest.warns(UserWarning, match="are not those of the last fit"):
        assert clf.fit(X[:, :3], y).coef_.shape == (3, 3)


@classifiers
def test_data_frames_pickle_and_clone(Classifier):
    X, y = three_classes()
    frame = pd.DataFrame(X, columns=list("abcde"))
    clf = Classifier(Logistic(2.0), noise_scale=0.5).fit(frame, pd.Series(y))
    assert clf.feature_names_in_.tolist() == list("abcde")
    assert clf.noise_ == Logistic(1.0)
    again = pickle.loads(pickle.dumps(clf))
    assert_array_equal(again.predict_proba(frame), clf.predict_proba(frame))
    assert clone(clf).noise == Logistic(2.0)


def test_grid_search_reaches_the_parameters_of_the_noise():
    X, y = three_classes()
    pipeline = make_pipeline(StandardScaler(), PerturbArgmaxClassifier(Gaussian()))
    grid = {"perturbargmaxclassifier__noise__scale": [0.5, 2.0]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 2


def test_noise_scale_acts_through_C_in_argmax():
    X, y = three_classes()
    one = PerturbArgmaxClassifier(C=1.0, tol=1e-8).fit(X, y)
    # Twice the coefficients cost four times the penalty.
    two = PerturbArgmaxClassifier(noise_scale=2.0, C=4.0, tol=1e-8).fit(X, y)
    assert_allclose(two.coef_, 2 * one.coef_, atol=1e-5)
    assert_allclose(two.predict_proba(X), one.predict_proba(X), atol=1e-6)


def test_high_temperature_is_logistic_regression():
    X, y = three_classes()
    hot = PerturbSoftmaxClassifier(temperature=1e3, C=1e6, tol=1e-9, max_iter=1000).fit(X, y)
    logistic = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(X, y)
    assert_allclose(hot.predict_proba(X), logistic.predict_proba(X), atol=1e-5)


def test_convergence_warning_names_max_iter_only_when_it_was_hit():
    X, y = three_classes()
    with pytest.warns(ConvergenceWarning, match="max_iter=1 iterations"):
        PerturbArgmaxClassifier(max_iter=1).fit(X, y)


@classifiers
def test_a_fold_may_lack_the_reference_class(Classifier):
    X, y = three_classes()
    clf = Classifier(constraint="reference", reference_class="rare", C=np.inf, tol=1e-8)
    with pytest.warns(UserWarning, match="No row is of the reference_class 'rare': .* 'dent', is"):
        clf.fit(X, y)
    first = Classifier(constraint="reference", C=np.inf, tol=1e-8).fit(X, y)
    assert_array_equal(clf.coef_, first.coef_)
    assert_array_equal(clf.coef_[0], 0)
    # What is asked of the fit later on knows its reference.
    assert_allclose(clf.summary()["std_err"], first.summary()["std_err"], rtol=IDENTITY)
    y = y.copy()
    y[-1] = "rare"
    clf.set_params(C=1.0)
    with pytest.warns(UserWarning, match="No row is of the|least populated"):
        scores = cross_val_score(clf, X, y, cv=3)
    assert np.isfinite(scores).all()


@classifiers
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"noise": "normal"}, "not known; use one of"),
        ({"reference_class": "ok"}, "used by constraint='reference'"),
        ({"C": 0.0}, "'C' parameter"),
        ({"C": np.nan}, "'C' parameter"),
        ({"solver": "sgd"}, "'solver' parameter"),
        ({"loss": "hinge"}, "'loss' parameter"),
        ({"class_weight": {"crack": 2.0}}, "class"),
        ({"class_weight": {"dent": np.nan, "ok": 1, "scratch": 1}}, "class_weight must give"),
        ({"class_weight": {"dent": np.inf, "ok": 1, "scratch": 1}}, "class_weight must give"),
        ({"class_weight": {"dent": -1, "ok": 1, "scratch": 1}}, "class_weight must give"),
        ({"C": 1e-320}, "must not vanish"),
        ({"max_iter": 1.5}, "'max_iter' parameter"),
    ],
)
def test_bad_parameters_raise(Classifier, parameters, message):
    with pytest.raises(ValueError, match=message):
        Classifier(**parameters).fit(*three_classes())


@classifiers
def test_bad_data_raise(Classifier):
    X, y = three_classes()
    with pytest.raises(ValueError, match="one class only"):
        Classifier().fit(X, np.full(len(X), "ok"))
    with pytest.raises(ValueError, match="zero"):
        Classifier().fit(X, y, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        Classifier().fit(X, y, sample_weight=-np.ones(len(X)))
    with pytest.raises(ValueError, match="NaN"):
        Classifier().fit(np.where(X > 2, np.nan, X), y)
    with pytest.raises(ValueError, match="continuous"):
        Classifier().fit(X, X[:, 0])
    with pytest.raises(NotFittedError):
        Classifier().predict(X)


def test_features_of_extreme_size_fit_or_say_why_not():
    X, y = three_classes()
    tiny = PerturbArgmaxClassifier().fit(1e-200 * X, y)
    assert_allclose(tiny.predict_proba(1e-200 * X).sum(axis=1), 1, rtol=1e-12)
    with pytest.raises(ValueError, match="scale the features"):
        PerturbArgmaxClassifier().fit(1e200 * X, y)
    huge = PerturbArgmaxClassifier().fit(X, y)
    huge.coef_ *= 1e10
    with pytest.raises(ValueError, match="scale the features"):
        huge.predict_proba(1e300 * X)


def test_shared_parameters_are_documented_alike():
    from numpydoc.docscrape import ClassDoc

    argmax, softmax = (ClassDoc(c) for c in CLASSIFIERS)
    for section in ("Parameters", "Attributes"):
        first = {p.name: (p.type, p.desc) for p in argmax[section]}
        second = {p.name: (p.type, p.desc) for p in softmax[section]}
        shared = first.keys() - {"noise_scale"}
        assert shared <= second.keys()
        assert all(first[name] == second[name] for name in shared)
    assert {p.name for p in argmax["Parameters"]} == set(PerturbArgmaxClassifier().get_params())


def test_log_softmax_oracle_of_the_loss():
    X, y = three_classes()
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, tol=1e-8).fit(X, y)
    log_p = log_softmax(clf.decision_function(X), axis=1)
    codes = np.searchsorted(clf.classes_, y)
    assert_allclose(clf.loss_, -log_p[np.arange(len(y)), codes].mean(), rtol=1e-10)


@pytest.mark.parametrize(
    "noise",
    [
        "gumbel_min",
        "laplace",
        "exponential",
        "student_t",
        "cauchy",
        from_scipy(stats.norm(scale=2)),
    ],
    ids=str,
)
def test_every_noise_fits(noise):
    """To a stationary point that is better than the class frequencies."""
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X[::3, :4])
    y = y[::3]
    model = PerturbArgmaxClassifier(noise=noise, tol=1e-6, max_iter=500).fit(X, y)
    assert model.score(X, y) > 0.75
    soft = PerturbSoftmaxClassifier(noise=noise, temperature=0.5, tol=1e-4).fit(X, y)
    assert soft.score(X, y) > 0.75


def test_bounded_noise_has_no_likelihood():
    X, y = load_wine(return_X_y=True)
    for noise in ("uniform", stats.uniform()):
        with pytest.raises(ValueError, match=r"loss='fenchel_young'.* or PerturbSoftmaxClassifier"):
            PerturbArgmaxClassifier(noise=noise).fit(X, y)
        assert PerturbArgmaxClassifier(noise, loss="fenchel_young").fit(X, y).score(X, y) > 0.95
    scaled = StandardScaler().fit_transform(X)
    assert PerturbSoftmaxClassifier(noise="uniform").fit(scaled, y).score(scaled, y) > 0.95


def test_a_discrete_noise_is_refused():
    X, y = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match="discrete"):
        PerturbArgmaxClassifier(noise=stats.poisson(2)).fit(X, y)
