"""Firth's penalty: closed forms, brute force, separated classes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, sparse, stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb._linear import all_rows, firth_objective
from skperturb.noise import StudentT

from .conftest import FINITE_DIFFERENCES, OPTIMUM, five_point


def fitted(noise, X, y, model=PerturbArgmaxClassifier, weight=None, **options):
    options = {"C": np.inf, "bias_reduction": True, "tol": 1e-9, "max_iter": 300} | options
    return model(noise, **options).fit(X, y, weight)


def separated(K):
    """Classes that features separate, in part for three."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.normal(size=30))
    X = np.column_stack([x, rng.normal(size=30)])
    y = np.digitize(x, [0.0, 0.8][: K - 1])
    return X, y


def penalised_likelihood(clf, X, y):
    """log L + log det(I) / 2 of the free parameters, from the public model, row by row."""
    objective = clf._fit_record.objective
    basis = objective.constraint.expand(np.eye(objective.shape[0]))
    rows = np.column_stack([X, np.ones(len(X))])

    def value(free):
        scores = rows @ (basis @ free.reshape(objective.shape)).T
        information = clf.model_.information(scores)
        total = sum(
            np.kron(basis.T @ E @ basis, np.outer(x, x))
            for E, x in zip(information, rows, strict=True)
        )
        log_p = clf.model_.log_proba(scores)[np.arange(len(y)), y]
        return log_p.sum() + np.linalg.slogdet(total)[1] / 2

    return value, objective.free(*all_rows(clf))


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("noise", ["gumbel", "gaussian"])
def test_brute_force_on_separated_classes(noise, K):
    X, y = separated(K)
    clf = fitted(noise, X, y)
    value, found = penalised_likelihood(clf, X, y)
    best = optimize.minimize(
        lambda x: -value(x), np.zeros_like(found), method="BFGS", options={"gtol": 1e-7}
    )
    assert_allclose(found, best.x, rtol=OPTIMUM, atol=OPTIMUM)
    assert np.abs(found).max() < 20


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("noise", ["gumbel", "gaussian", StudentT(3)], ids=str)
def test_the_gradient(noise, K):
    X, y = separated(K)
    for constraint in ("sum_to_zero", "reference"):
        clf = PerturbArgmaxClassifier(noise, constraint=constraint, C=np.inf, max_iter=1)
        clf.set_params(tol=1e3)
        with pytest.warns(ConvergenceWarning):
            clf.fit(X, y)
        function = firth_objective(clf._fit_record.objective)
        x = np.random.default_rng(0).normal(size=function.n_parameters) / 2
        differences = five_point(lambda x, f=function: f(x)[0], x, 1e-3)
        assert_allclose(function(x)[1], differences, atol=FINITE_DIFFERENCES)


def test_a_table_of_two_by_two():
    """Saturated: half a part is added to each cell (Haldane 1955), also where one is empty."""
    x, y = np.repeat([0, 0, 1, 1], [9, 4, 7, 0]), np.repeat([0, 1, 0, 1], [9, 4, 7, 0])
    clf = fitted("gumbel", x[:, None], y)
    assert_allclose(clf.coef_[0, 0], np.log(0.5 * 9.5 / (7.5 * 4.5)), rtol=1e-7)
    assert_allclose(clf.intercept_[0], np.log(4.5 / 9.5), rtol=1e-7)
    table = clf.summary()
    n, p = np.array([13, 7]), np.array([4.5 / 14, 0.5 / 8])
    std_err = np.sqrt(np.sum(1 / (n * p * (1 - p))))
    assert_allclose(table["std_err"][1], std_err, rtol=1e-6)
    assert table.attrs["covariance"] == "expected information"
    assert "aic" not in table.attrs
    # Three classes: Jeffreys' prior is Dirichlet(1/2) there, too.
    y = np.repeat([0, 1, 2], [6, 3, 1])
    ones = np.ones((10, 1))
    clf = fitted("gumbel", ones, y, fit_intercept=False, constraint="reference")
    shares = clf.predict_proba(ones[:1])[0]
    assert_allclose(shares, np.array([6.5, 3.5, 1.5]) / 11.5, rtol=1e-7)


@pytest.mark.parametrize("noise", ["gaussian", "gumbel"])
def test_profiles_and_wald_intervals(noise):
    X, y = separated(2)
    X = X[:, :1]
    clf = fitted(noise, X, y)
    interval = clf.profile_interval(1, "x0")
    value, found = penalised_likelihood(clf, X, y)
    for end in (interval.ci_low, interval.ci_high):
        assert np.isfinite(end)
        best = optimize.minimize_scalar(
            lambda b, end=end: -value(np.array([end, b])), bounds=(-20, 20), method="bounded"
        )
        deviance = 2 * (value(found) + best.fun)
        assert_allclose(deviance, stats.chi2.isf(0.05, 1), rtol=1e-4)
    row = clf.summary().iloc[1]
    assert row["ci_low"] < row["coef"] < row["ci_high"]
    # Everything else stands on the same covariance.
    assert clf.wald_test((1, "x0")).df == 1
    low, high = clf.predict_proba_interval(X)
    assert np.all(low < high)
    assert clf.marginal_effects()["std_err"].gt(0).all()


def test_invariances():
    X, y = separated(3)
    clf = fitted("gaussian", X, y)
    p = clf.predict_proba(X)
    for options in ({"constraint": "reference"}, {"reference_class": 2, "constraint": "reference"}):
        assert_allclose(fitted("gaussian", X, y, **options).predict_proba(X), p, atol=OPTIMUM)
    Z = X * [100.0, 1e-3] + [5.0, 0.0]
    assert_allclose(fitted("gaussian", Z, y).predict_proba(Z), p, atol=OPTIMUM)
    sparse_X = sparse.csr_array(X)
    assert_allclose(fitted("gaussian", sparse_X, y).predict_proba(X), p, atol=OPTIMUM)
    # A row of weight 2 is two rows.
    times = 1 + np.arange(30) % 2
    weighted = fitted("gaussian", X, y, weight=times)
    repeated = fitted("gaussian", np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_allclose(weighted.coef_, repeated.coef_, rtol=OPTIMUM)
    assert_allclose(weighted.log_likelihood_, repeated.log_likelihood_, rtol=1e-6)
    again = clone(clf).set_params(warm_start=True).fit(X, y)
    assert again.fit(X, y).n_iter_ <= 1


def test_many_rows_need_no_bias_reduction():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 2))
    y = (X @ rng.normal(size=(2, 3)) + rng.gumbel(size=(4000, 3))).argmax(axis=1)
    with_it, without = (fitted("gumbel", X, y, bias_reduction=on) for on in (True, False))
    table = without.summary()
    assert np.all((table["coef"] - with_it.summary()["coef"]).abs() < 0.1 * table["std_err"])


def test_perturb_softmax_takes_it_too():
    X, y = separated(3)
    clf = fitted("uniform", X, y, PerturbSoftmaxClassifier)
    assert np.abs(clf.coef_).max() < 20
    assert clf.summary()["std_err"].gt(0).all()


def test_what_is_refused():
    X, y = separated(2)
    for options, message in [
        ({"C": 1.0}, "needs C=numpy.inf"),
        ({"loss": "fenchel_young"}, "needs loss='log_loss'"),
        ({"class_weight": "balanced"}, "needs class_weight=None"),
        ({"solver": "lbfgs"}, "needs solver='newton'"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted("gumbel", X, y, **options)
    with pytest.raises(ValueError, match="combination of others, or constant"):
        fitted("gumbel", np.column_stack([X, X.sum(axis=1)]), y)
    clf = fitted("gumbel", X, y)
    for cov in ("observed", "robust", "cluster"):
        with pytest.raises(ValueError, match="cov='expected'"):
            clf.summary(cov=cov, groups=np.arange(30) if cov == "cluster" else None)
    for call in (clf.aic, clf.bic):
        with pytest.raises(ValueError, match="do not maximise the likelihood"):
            call()
    with pytest.raises(ValueError, match="the weights count rows"):
        clf.summary(weights="sampling")
    with pytest.raises(ValueError, match="needs observed classes"):
        clone(clf).fit_proba(X, np.eye(2)[y])
    with pytest.raises(ValueError, match="takes 1500 parameters at most"):
        fitted("gumbel", np.random.default_rng(0).normal(size=(20, 1600)), np.arange(20) % 2)
