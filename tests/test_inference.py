import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse, stats
from scipy.special import log_ndtr
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.inference import likelihood_ratio_test
from skperturb.noise import StudentT

from .conftest import OPTIMUM

COLUMNS = ["class", "feature", "coef", "std_err", "z", "p_value", "ci_low", "ci_high"]


def fitted(noise="gaussian", X=None, y=None, **options):
    """An unpenalised fit of three classes that overlap."""
    if X is None:
        X, y = overlapping()
    options = {"C": np.inf, "tol": 1e-9, "max_iter": 200} | options
    return PerturbArgmaxClassifier(noise, **options).fit(X, y)


def overlapping(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    scores = X @ rng.normal(size=(2, 3)) + rng.gumbel(size=(n, 3)) * 1.5
    frame = pd.DataFrame(X, columns=["width", "depth"])
    return frame, np.array(["dent", "ok", "scratch"])[scores.argmax(axis=1)]


@pytest.fixture(scope="module")
def spector():
    sm = pytest.importorskip("statsmodels.api")
    data = sm.datasets.spector.load_pandas()
    return data.exog, data.endog


@pytest.fixture(scope="module")
def anes96():
    sm = pytest.importorskip("statsmodels.api")
    data = sm.datasets.anes96.load_pandas()
    return data.exog, data.endog.astype(int)


def compare(table, theirs, std_err, times=1.0):
    """Coefficients and standard errors with those of statsmodels, the constant first."""
    assert_allclose(table["coef"], times * np.asarray(theirs).ravel("F"), rtol=OPTIMUM)
    assert_allclose(table["std_err"], times * np.asarray(std_err).ravel("F"), rtol=OPTIMUM)


@pytest.mark.parametrize("cov", ["observed", "robust"])
@pytest.mark.parametrize(
    ("noise", "link", "times"),
    [("gaussian", "Probit", 2**0.5), ("cauchy", "Cauchy", 2.0), ("gumbel", "Logit", 1.0)],
)
def test_spector_with_statsmodels(spector, noise, link, times, cov):
    """Probit, cauchit and logit of Spector and Mazzeo's 32 students."""
    import statsmodels.api as sm

    X, y = spector
    clf = fitted(noise, X, y, tol=1e-10)
    constant = sm.add_constant(X)
    # Newton's method, that the standard errors be those of the observed information.
    if link == "Cauchy":
        family = sm.families.Binomial(sm.families.links.Cauchy())
        start = sm.Logit(y, constant).fit(disp=0).params * 1.5
        model = sm.GLM(y, constant, family=family)
        theirs = model.fit(
            start_params=start, method="newton", maxiter=500, tol=1e-14, cov_type="nonrobust"
        )
        hessian = model.hessian(theirs.params, observed=True)
        scores = model.score_obs(theirs.params)
    else:
        model = getattr(sm, link)(y, constant)
        theirs = model.fit(method="newton", tol=1e-14, disp=0)
        hessian, scores = model.hessian(theirs.params), model.score_obs(theirs.params)
    covariance = -np.linalg.inv(hessian)
    if cov == "robust":
        covariance = covariance @ (scores.T @ scores) @ covariance
    table = clf.summary(cov=cov)
    assert table["feature"].tolist() == ["intercept", *X.columns]
    assert_allclose(clf.log_likelihood_, theirs.llf, rtol=1e-8)
    compare(table, theirs.params, np.sqrt(np.diag(covariance)), times)


def test_published_log_likelihoods(spector, anes96):
    # Stata's, which keeps the grades in single precision: hence 1e-6 only.
    assert_allclose(fitted("gaussian", *spector).log_likelihood_, -12.8188033249334, atol=1e-6)
    assert_allclose(fitted("gumbel", *spector).log_likelihood_, -12.8896334653335, atol=1e-6)
    assert_allclose(fitted("gumbel", *anes96).log_likelihood_, -1461.922747312, rtol=1e-8)
    # By a Gauss-Legendre rule of the integral, at the maximum; published as -1466.957.
    X, y = anes96
    clf = fitted("gaussian", X, y)
    z, weights = np.polynomial.legendre.leggauss(400)
    scores = clf.decision_function(X)
    gaps = scores[np.arange(len(y)), y][:, None] - scores
    log_p = log_ndtr(12 * z[:, None, None] + gaps).sum(axis=2) - log_ndtr(12 * z)[:, None]
    expected = np.log(12 * weights * stats.norm.pdf(12 * z) @ np.exp(log_p)).sum()
    assert_allclose(clf.log_likelihood_, expected, rtol=1e-10)
    assert_allclose(clf.log_likelihood_, -1466.9537298, rtol=1e-9)


def test_anes96_with_statsmodels(anes96):
    """Multinomial logit of seven classes."""
    import statsmodels.api as sm

    X, y = anes96
    clf = fitted("gumbel", X, y, constraint="reference")
    theirs = sm.MNLogit(y, sm.add_constant(X)).fit(method="newton", tol=1e-12, disp=0)
    table = clf.summary()
    compare(table, theirs.params, theirs.bse)
    assert_allclose(table["z"], np.asarray(theirs.tvalues).ravel("F"), rtol=1e-4)
    assert_allclose(table["p_value"], np.asarray(theirs.pvalues).ravel("F"), rtol=1e-3)
    interval = theirs.conf_int().to_numpy()
    assert_allclose(table[["ci_low", "ci_high"]], interval, rtol=1e-4)
    assert_allclose([clf.aic(), clf.bic()], [theirs.aic, theirs.bic], rtol=1e-9)


def test_the_table():
    clf = fitted(constraint="reference", reference_class="ok")
    table = clf.summary()
    assert table.columns.tolist() == COLUMNS
    assert table["class"].tolist() == ["dent"] * 3 + ["scratch"] * 3
    assert table["feature"].tolist() == ["intercept", "width", "depth"] * 2
    assert_allclose(table["coef"][[1, 2]], clf.coef_[0], rtol=1e-12)
    assert_allclose(table["coef"][0], clf.intercept_[0], rtol=1e-12)
    assert_allclose(table["z"], table["coef"] / table["std_err"])
    assert_allclose(table["p_value"], 2 * stats.norm.cdf(-table["z"].abs()))
    wide, narrow = clf.summary(confidence=0.99), clf.summary(confidence=0.5)
    assert np.all(wide["ci_high"] - wide["ci_low"] > 2 * (narrow["ci_high"] - narrow["ci_low"]))
    names = fitted(X=overlapping()[0].to_numpy(), y=overlapping()[1]).summary()["feature"]
    assert names.tolist() == ["intercept", "x0", "x1"] * 3


def test_constraints_agree_by_the_delta_method():
    """The difference of two rows has the same standard error, whatever the constraint."""
    zero = fitted().summary().set_index(["class", "feature"])
    assert_allclose(zero["coef"].groupby("feature").sum(), 0, atol=1e-12)
    first = fitted(constraint="reference", reference_class="dent").summary()
    other = fitted(constraint="reference", reference_class="scratch").summary()
    first, other = (t.set_index(["class", "feature"]) for t in (first, other))
    assert_allclose(first.loc["scratch", "std_err"], other.loc["dent", "std_err"], rtol=OPTIMUM)
    # Var(a - b) from three pairs of rows gives the variances of rows that sum to zero.
    third = first.loc["ok", "std_err"], other.loc["ok", "std_err"], first.loc["scratch", "std_err"]
    dent_ok, scratch_ok, dent_scratch = (s**2 for s in third)
    dent = (2 * dent_ok + 2 * dent_scratch - scratch_ok) / 9
    assert_allclose(zero.loc["dent", "std_err"] ** 2, dent, rtol=OPTIMUM)


@pytest.mark.parametrize("noise", ["gaussian", StudentT(3), "laplace"], ids=str)
def test_standard_errors_from_differences_of_the_likelihood(noise):
    """The observed information by differences of probabilities, in other coordinates."""
    X, y = overlapping(60)
    clf = fitted(noise, X, y, constraint="reference")
    codes = np.searchsorted(clf.classes_, y)
    rows = np.column_stack([np.ones(60), X])

    def loss(x):
        scores = np.column_stack([np.zeros(60), rows @ x.reshape(2, 3).T])
        return -clf.model_.log_proba(scores)[np.arange(60), codes].sum()

    table = clf.summary()
    best, steps = table["coef"].to_numpy(), 3e-3 * np.eye(6)
    hessian = np.empty((6, 6))
    for j, k in np.ndindex(6, 6):
        if k <= j:
            a, b = steps[j] + steps[k], steps[j] - steps[k]
            mixed = loss(best + a) + loss(best - a) - loss(best + b) - loss(best - b)
            hessian[j, k] = hessian[k, j] = mixed / (4 * 3e-3**2)
    std_err = np.sqrt(np.diag(np.linalg.inv(hessian)))
    assert_allclose(table["std_err"], std_err, rtol=1e-4)


@pytest.mark.parametrize("cov", ["observed", "robust"])
def test_a_weight_of_two_is_two_rows(cov):
    X, y = overlapping()
    times = np.random.default_rng(0).integers(0, 4, len(y))
    clf = PerturbArgmaxClassifier(C=np.inf, tol=1e-9)
    weighted = clf.fit(X, y, times).summary(cov=cov)
    criteria = clf.aic(), clf.bic(), clf.log_likelihood_
    repeated = clf.fit(X.loc[X.index.repeat(times)], np.repeat(y, times)).summary(cov=cov)
    assert_allclose(weighted["std_err"], repeated["std_err"], rtol=1e-6)
    assert_allclose(criteria, (clf.aic(), clf.bic(), clf.log_likelihood_), rtol=1e-9)


def test_data_given_again():
    X, y = overlapping()
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    clf = PerturbArgmaxClassifier(C=np.inf).fit(X, y, weight)
    table = clf.summary(weights="frequency")
    saved = pickle.loads(pickle.dumps(clf))
    with pytest.raises(ValueError, match="pass X, y and sample_weight"):
        saved.summary()
    again = saved.summary(X, y, weight, weights="frequency")
    pd.testing.assert_frame_equal(again, table)
    assert again.attrs == table.attrs
    with pytest.raises(ValueError, match="not those of the fit"):
        saved.summary(X, y)
    with pytest.raises(ValueError, match="given without X"):
        clf.summary(sample_weight=weight)
    with pytest.raises(ValueError, match="X was given without y"):
        clf.summary(X)
    with pytest.raises(ValueError, match=r"labels that the fit did not see: \['crack'\]"):
        saved.summary(X, np.where(y == "ok", "crack", y))
    assert len(pickle.dumps(clf)) < 5000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"C": 1.0}, "penalised"),
        ({"constraint": None}, "not unique"),
        ({"loss": "fenchel_young"}, "cov='robust'"),
    ],
)
@pytest.mark.filterwarnings("ignore:The coefficients are not unique")
def test_what_has_no_standard_errors_is_refused_in_words(options, message):
    with pytest.raises(ValueError, match=message):
        fitted(**options).summary()


@pytest.mark.parametrize(
    "later", [{"C": np.inf}, {"class_weight": None}, {"noise": "gumbel"}, {"noise_scale": 2.0}]
)
def test_parameters_changed_after_the_fit_are_noticed(later):
    X, y = overlapping()
    penalised = PerturbArgmaxClassifier(C=1.0, class_weight="balanced").fit(X, y)
    before = penalised.log_likelihood_
    changed = penalised.set_params(**later)
    for call in (changed.summary, changed.aic, changed.bic):
        with pytest.raises(ValueError, match="changed after the fit"):
            call()
    assert changed.log_likelihood_ == before


def test_bad_arguments():
    clf = fitted()
    with pytest.raises(ValueError, match="cov must be"):
        clf.summary(cov="HC3")
    with pytest.raises(ValueError, match="confidence must"):
        clf.summary(confidence=95)
    with pytest.raises(ValueError, match="penalised"):
        fitted(C=1.0).aic()
    other = fitted(loss="fenchel_young")
    with pytest.raises(ValueError, match="no likelihood"):
        other.bic()
    assert not hasattr(other, "log_likelihood_")


def test_fenchel_young_has_robust_standard_errors_only():
    """For Gumbel noise it is the log loss: the sandwiches agree."""
    robust = fitted("gumbel", loss="fenchel_young").summary(cov="robust")
    expected = fitted("gumbel").summary(cov="robust")
    assert_allclose(robust["std_err"], expected["std_err"], rtol=OPTIMUM)


def test_columns_that_are_the_same_are_named():
    X, y = overlapping()
    X = X.assign(twice=2 * X["depth"])
    with pytest.raises(ValueError, match=r"do not see depth - 0\.5 twice: it is zero"):
        fitted(X=X, y=y).summary()
    for constant, named in ((3.0, "constant - 3"), (0.0, "constant")):
        X = overlapping()[0].assign(constant=constant)
        with pytest.raises(ValueError, match=f"do not see {named}: it is zero"):
            fitted(X=X, y=y).summary()


def test_separation_is_refused():
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        clf = fitted(X=X, y=y)
    with pytest.raises(ValueError, match=r"x\d separates class 0 from 1 and 2"):
        clf.summary()


def test_a_fit_that_did_not_converge_is_refused():
    with pytest.warns(ConvergenceWarning):
        clf = fitted(max_iter=1, tol=1e-8, solver="lbfgs")
    with pytest.raises(ValueError, match="not at a maximum"):
        clf.summary()


def test_likelihood_ratio():
    sm = pytest.importorskip("statsmodels.api")
    X, y = overlapping()
    full, restricted = fitted("gumbel", X, y), fitted("gumbel", X[["width"]], y)
    result = likelihood_ratio_test(restricted, full)
    theirs = [sm.MNLogit(y, sm.add_constant(x)).fit(disp=0).llf for x in (X[["width"]], X)]
    assert_allclose(result.statistic, 2 * (theirs[1] - theirs[0]), rtol=1e-6)
    assert result.df == 2
    assert_allclose(result.p_value, stats.chi2.sf(result.statistic, 2))
    assert list(result.to_dict()) == ["statistic", "df", "p_value"]
    assert str(result).splitlines()[1] == "df         2"
    assert "<table>" in result._repr_html_()
    with pytest.warns(FutureWarning, match="read its attributes"):
        statistic, df, p_value = result
    assert (statistic, df, p_value) == tuple(result.to_dict().values())


def test_likelihood_ratio_of_fits_that_are_not_nested_is_refused():
    X, y = overlapping()
    full = fitted(X=X, y=y)
    width = fitted(X=X[["width"]], y=y)
    for other, message in [
        (fitted("gumbel", X[["width"]], y), "not of the same model"),
        (fitted(X=X[["width"]][1:], y=y[1:]), "same rows"),
        (fitted(X=X[["width"]], y=y[::-1]), "same rows"),
        (fitted(X=X[["width"]], y=y, C=1.0), "penalised"),
        (fitted(X=X[["width"]] + X[["width"]] ** 2, y=y), "not nested"),
        (full, "nothing to test"),
    ]:
        with pytest.raises(ValueError, match=message):
            likelihood_ratio_test(other, full)
    with pytest.raises(ValueError, match="smaller model first"):
        likelihood_ratio_test(full, width)
    soft = PerturbSoftmaxClassifier(C=np.inf).fit(X, y)
    with pytest.raises(ValueError, match="not of the same model"):
        likelihood_ratio_test(width, soft)


def test_likelihood_ratio_of_features_without_names():
    """The columns of the smaller model must be combinations of those of the larger one."""
    X, y = overlapping()
    X = np.column_stack([X, np.random.default_rng(7).normal(size=len(X))])
    full, last = fitted(X=X[:, :2], y=y), fitted(X=X[:, 2:], y=y)
    with pytest.raises(ValueError, match="not nested"):
        likelihood_ratio_test(last, full)
    for inside in (
        X[:, :1],
        X[:, :1] - X[:, 1:2],
        1e3 * X[:, :1] + 1e6,
        sparse.csr_array(X[:, 1:2]),
    ):
        assert likelihood_ratio_test(fitted(X=inside, y=y, tol=1e-7), full).df == 2
    # Without an intercept in the larger model an offset is no combination.
    straight = fitted(X=X[:, :2], y=y, fit_intercept=False)
    with pytest.raises(ValueError, match="not nested"):
        likelihood_ratio_test(fitted(X=X[:, :1] + 3, y=y, fit_intercept=False), straight)
    assert likelihood_ratio_test(fitted(X=X[:, :1], y=y, fit_intercept=False), straight).df == 2
    single = fitted(X=X[:, :1].astype(np.float32), y=y, tol=1e-7)
    assert likelihood_ratio_test(single, full).df == 2
    saved = pickle.loads(pickle.dumps(full))
    with pytest.raises(ValueError, match="no names, and a model that was saved"):
        likelihood_ratio_test(fitted(X=X[:, :1], y=y), saved)
    # Names tell of saved models whether they are nested.
    frame, y = overlapping()
    named = [pickle.loads(pickle.dumps(fitted(X=x, y=y))) for x in (frame[["width"]], frame)]
    assert likelihood_ratio_test(*named).df == 2


def test_criteria_count_no_parameters_of_columns_that_depend_on_others():
    X, y = overlapping()
    one, both = fitted(X=X, y=y), fitted(X=X.assign(sum=X["width"] + X["depth"]), y=y)
    assert_allclose([both.aic(), both.bic()], [one.aic(), one.bic()], rtol=1e-9)
    small = fitted(X=X[["width"]], y=y)
    assert likelihood_ratio_test(small, both).df == likelihood_ratio_test(small, one).df == 2
    with pytest.raises(ValueError, match="nothing to test"):
        likelihood_ratio_test(one, both)


def test_nested_models_are_those_of_nested_columns_whatever_their_names():
    X, y = overlapping()
    renamed = fitted(X=X[["width"]].rename(columns={"width": "length"}), y=y)
    assert likelihood_ratio_test(renamed, fitted(X=X, y=y)).df == 2


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_an_unpenalised_fit_is_close_in_standard_errors(solver):
    """Whatever the number of rows: a mean gradient of 1e-4 is not small for many rows."""
    X, y = overlapping(20_000)
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, solver=solver, constraint="reference")
    table = clf.fit(X, y).summary()
    exact = fitted("gumbel", X, y, constraint="reference").summary()
    assert np.all((table["coef"] - exact["coef"]).abs() < 0.02 * exact["std_err"])


def test_single_precision_does_not_hide_columns_that_depend_on_each_other():
    for seed in range(8):
        Z = np.random.default_rng(seed).normal(size=(200, 3))
        Z = np.column_stack([Z, Z[:, 0] + Z[:, 1]]).astype(np.float32)
        y = Z[:, 0] + np.random.default_rng(seed).normal(size=200) > 0
        clf = PerturbArgmaxClassifier(C=np.inf).fit(Z, y)
        with pytest.raises(ValueError, match=r"do not see x0 \+ x1 - x3"):
            clf.summary()


def test_criteria_refuse_a_fit_that_did_not_converge():
    X, y = overlapping()
    with pytest.warns(ConvergenceWarning, match="max_iter=1 iterations"):
        clf = PerturbArgmaxClassifier(C=np.inf, max_iter=1, tol=1e-9, solver="lbfgs").fit(X, y)
    with pytest.raises(ValueError, match="max_iter=1"):
        clf.aic()
    with pytest.raises(TypeError, match="give the last step"):
        likelihood_ratio_test("model", clf)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "change",
    [
        lambda X: np.multiply(X, 2, out=X),
        lambda X: X.sort(axis=0),
        lambda X: np.subtract(X, 0.3, out=X),
    ],
)
def test_arrays_changed_after_the_fit_are_noticed(n_classes, change):
    X, y = overlapping()
    X = np.ascontiguousarray(X.to_numpy())
    y = np.where(y == "ok", y, "dent") if n_classes == 2 else y
    clf = fitted("gumbel", X, y)
    smaller = fitted("gumbel", X[:, :1], y)
    clf.summary()
    change(X)
    methods = (
        clf.summary,
        clf.leave_one_out,
        clf.marginal_effects,
        lambda: clf.covariance(cov="robust"),
        lambda: clf.profile_interval(clf.classes_[-1], "x0"),
        lambda: likelihood_ratio_test(smaller, clf),
        clf.aic,
    )
    for method in methods:
        with pytest.raises(ValueError, match="have been changed since"):
            method()
