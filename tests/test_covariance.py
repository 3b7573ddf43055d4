"""Covariances: statsmodels, published tables, and what weights and lots mean."""

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.utils.class_weight import compute_sample_weight

from skperturb import PerturbArgmaxClassifier
from skperturb.noise import StudentT

from .conftest import OPTIMUM

sm = pytest.importorskip("statsmodels.api")
AGREES = 1e-6  # with statsmodels, relative
TIMES = {"gaussian": 2**0.5, "gumbel": 1.0}


def fitted(noise, X, y, **options):
    options = {"C": np.inf, "tol": 1e-10, "max_iter": 300, "constraint": "reference"} | options
    weight = options.pop("sample_weight", None)
    return PerturbArgmaxClassifier(noise, **options).fit(X, y, weight)


def three_classes(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["width", "depth"])
    scores = X.to_numpy() @ rng.normal(size=(2, 3)) + 1.5 * rng.gumbel(size=(n, 3))
    return X, np.array(["dent", "ok", "scratch"])[scores.argmax(axis=1)]


@pytest.fixture(scope="module")
def data():
    """Name: features and classes of data sets that statsmodels ships."""
    spector, anes = (getattr(sm.datasets, n).load_pandas() for n in ("spector", "anes96"))
    return SimpleNamespace(
        spector=(spector.exog, spector.endog.astype(int)),
        anes96=(anes.exog, anes.endog.astype(int)),
    )


def theirs(noise, X, y, **options):
    model = (
        sm.MNLogit if len(np.unique(y)) > 2 else {"gaussian": sm.Probit, "gumbel": sm.Logit}[noise]
    )
    return model(y, sm.add_constant(X)).fit(method="newton", tol=1e-13, disp=0, **options)


CASES = pytest.mark.parametrize(
    ("noise", "name"), [("gaussian", "spector"), ("gumbel", "spector"), ("gumbel", "anes96")]
)


@CASES
@pytest.mark.parametrize("cov", ["observed", "robust", "HC0", "HC1", "cluster"])
@pytest.mark.filterwarnings("ignore:With 8 lots", "ignore:cov_type not fully supported")
def test_covariance_with_statsmodels(data, noise, name, cov):
    X, y = getattr(data, name)
    lots = np.arange(len(y)) % 8
    options = {
        "observed": {},
        "cluster": {"cov_type": "cluster", "cov_kwds": {"groups": lots, "use_correction": False}},
    }.get(cov, {"cov_type": "HC0"})
    expected = theirs(noise, X, y, **options).cov_params()
    n, n_parameters = len(y), len(expected)
    factor = {"HC1": n / (n - n_parameters), "cluster": 8 / 7}.get(cov, 1.0) * TIMES[noise] ** 2
    clf = fitted(noise, X, y)
    matrix = clf.covariance(cov=cov, groups=lots if cov == "cluster" else None)
    assert_allclose(matrix, factor * np.asarray(expected), rtol=AGREES)
    assert matrix.index.equals(matrix.columns)
    assert matrix.index.names == ["class", "feature"]
    table = clf.summary(cov=cov, groups=lots if cov == "cluster" else None)
    assert_allclose(table["std_err"], np.sqrt(np.diag(matrix)), rtol=1e-12)
    assert list(zip(table["class"], table["feature"], strict=True)) == matrix.index.tolist()
    law = stats.t(7) if cov == "cluster" else stats.norm
    assert_allclose(table["ci_high"], table["coef"] + law.isf(0.025) * table["std_err"])
    assert_allclose(table["p_value"], 2 * law.sf(table["z"].abs()))


@pytest.mark.parametrize(("noise", "link"), [("gaussian", "Probit"), ("cauchy", "Cauchy")])
def test_expected_information_is_that_of_glm(data, noise, link):
    """What R's glm prints, and statsmodels' GLM, whose iterations use it."""
    X, y = data.spector
    family = sm.families.Binomial(getattr(sm.families.links, link)())
    model = sm.GLM(y, sm.add_constant(X), family=family)
    coef = fitted(noise, X, y).summary()["coef"].to_numpy()
    times = {"gaussian": 2**0.5, "cauchy": 2.0}[noise]
    information = -model.hessian(coef / times, observed=False)
    matrix = fitted(noise, X, y).covariance(cov="expected")
    assert_allclose(matrix, times**2 * np.linalg.inv(information), rtol=AGREES)
    assert matrix.attrs["covariance"] == "expected information"


def test_low_birth_weight_as_published():
    """R's AIC, deviance and coefficients (lbw of Stata r9), in statsmodels' tests of GLM."""
    results = pytest.importorskip("statsmodels.genmod.tests.results.results_glm").Lbw()
    X = results.exog.drop(columns="const")
    clf = fitted("gumbel", X, results.endog.astype(int))
    table = clf.summary().set_index("feature").loc[[*X.columns, "intercept"]]
    assert_allclose(table["coef"], results.params, atol=5e-9)
    # glm takes them from the last but one of its iterations.
    assert_allclose(table["std_err"], results.bse, rtol=2e-5)
    assert_allclose(clf.aic(), results.aic_R, atol=1e-8)
    header = clf.summary().attrs
    assert_allclose(-2 * header["null_log_likelihood"], results.null_deviance, rtol=1e-12)


def test_the_header(data):
    """As Stata has it (statsmodels' tests of discrete models), and statsmodels itself."""
    module = pytest.importorskip("statsmodels.discrete.tests.results.results_discrete")
    stata = module.Spector.probit
    table = fitted("gaussian", *data.spector).summary()
    header = table.attrs
    assert (header["n"], header["df"], header["n_parameters"]) == (32, stata.df_model, 4)
    assert header["classes"] == "0, 1"
    # Stata keeps the grades in single precision.
    for name, value in {
        "log_likelihood": stata.llf,
        "null_log_likelihood": stata.llnull,
        "pseudo_r2": stata.prsquared,
        "aic": stata.aic,
        "bic": stata.bic,
    }.items():
        assert_allclose(header[name], value, rtol=1e-6)
    clf, result = fitted("gumbel", *data.anes96), theirs("gumbel", *data.anes96)
    header = clf.summary().attrs
    for name, value in {
        "log_likelihood": result.llf,
        "null_log_likelihood": result.llnull,
        "pseudo_r2": result.prsquared,
        "aic": result.aic,
        "bic": result.bic,
        "df": result.df_model,
    }.items():
        assert_allclose(header[name], value, rtol=1e-8)
    without = fitted("gumbel", *data.spector, fit_intercept=False).summary().attrs
    assert_allclose(without["null_log_likelihood"], 32 * np.log(0.5))
    assert without["df"] == without["n_parameters"] == 3


def test_tables_print_whole(data):
    clf = fitted("gumbel", *data.anes96)
    table, matrix = clf.summary(), clf.covariance()
    with pd.option_context("display.max_rows", 5, "display.max_columns", 3, "display.width", 20):
        text, html = repr(table), table._repr_html_()
        assert "..." not in text + repr(matrix)
        assert all(f" {feature} " in text for feature in ("logpopul", "income", "intercept"))
        assert text.count("logpopul") == html.count("logpopul") == 6
        assert "log likelihood" in text
        assert "pseudo r2" in html
    assert repr(matrix).count("\n") >= 37
    # A part of it is an ordinary frame.
    assert type(table[["class", "coef"]]) is pd.DataFrame
    assert type(pickle.loads(pickle.dumps(table))) is type(table)


# --- Lots


@pytest.mark.filterwarnings("ignore:With 10 lots")
def test_lots_of_one_row_are_robust_and_copies_of_rows_add_nothing():
    X, y = three_classes()
    clf = fitted("gaussian", X, y)
    robust, single = clf.covariance(cov="robust"), clf.covariance(groups=np.arange(200))
    assert_allclose(single, robust * 200 / 199, rtol=1e-10)
    # Each row ten times, in a lot of its own: nothing is learnt from the copies.
    copies = fitted("gaussian", X.loc[X.index.repeat(10)], np.repeat(y, 10))
    lots = np.repeat(np.arange(200), 10)
    assert_allclose(copies.covariance(groups=lots), single, rtol=1e-5)
    # Weights of 0 leave rows out, names of lots may be anything.
    weight = np.random.default_rng(0).integers(0, 2, 200)
    lots = np.array([f"lot {i % 10}" for i in range(200)])
    part = fitted("gaussian", X, y, sample_weight=weight).covariance(groups=lots)
    keep = weight > 0
    alone = fitted("gaussian", X[keep], y[keep]).covariance(groups=lots[keep])
    assert_allclose(part, alone, rtol=1e-6)


def test_lots_that_are_refused():
    X, y = three_classes()
    clf = fitted("gumbel", X, y)
    lots = np.repeat(np.arange(40), 5)
    with pytest.warns(UserWarning, match="With 4 lots"):
        clf.summary(groups=lots % 4)
    assert "40 lots, t with 39" in clf.summary(groups=lots).attrs["covariance"]
    for arguments, message in [
        ({"cov": "cluster"}, "pass groups"),
        ({"cov": "robust", "groups": lots}, "cov='cluster' alone"),
        ({"groups": lots[1:]}, "each of the 200 rows"),
        ({"groups": 0 * lots}, "of one lot"),
        ({"groups": np.where(lots, lots.astype(float), np.nan)}, "missing for 5 rows"),
        ({"cov": "cluster", "groups": [None, *lots[1:]]}, "missing for 1 rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            clf.summary(**arguments)


# --- Weights


def test_frequencies_are_rows():
    X, y = three_classes()
    times = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = fitted(StudentT(4), X, y, sample_weight=times)
    repeated = fitted(StudentT(4), X.loc[X.index.repeat(times)], np.repeat(y, times))
    for cov in ("observed", "expected", "robust", "HC1"):
        one, other = weighted.covariance(cov=cov), repeated.covariance(cov=cov)
        assert_allclose(one, other, rtol=1e-5)
    one, other = weighted.summary().attrs, repeated.summary().attrs
    assert one["n"] == other["n"] == times.sum()
    assert_allclose(one["null_log_likelihood"], other["null_log_likelihood"])


@pytest.mark.parametrize("K", [2, 3])
def test_class_weights_are_sampling_weights(K):
    X, y = three_classes()
    y = y if K == 3 else np.where(y == "ok", "ok", "bad")
    weight = compute_sample_weight("balanced", y)
    by_class = fitted("gumbel", X, y, class_weight="balanced")
    by_row = fitted("gumbel", X, y, sample_weight=weight)
    one, other = by_class.summary(), by_row.summary(weights="sampling")
    pd.testing.assert_frame_equal(one, other, rtol=1e-6)
    assert one.attrs["covariance"].startswith("robust (HC0), sampling weights, t with ")
    assert one.attrs["n"] == 200
    assert "sampling" in one.attrs["log_likelihood"]
    # Intervals by the number of rows of equal influence.
    df = float(one.attrs["covariance"].split()[-4])
    half = stats.t.isf(0.025, df) * one["std_err"]
    assert_allclose(one["ci_high"] - one["coef"], half, rtol=1e-4)
    assert 30 < df < 200
    # The sandwich, row by row.
    p = by_row.predict_proba(X)
    rows = sm.add_constant(X).to_numpy()
    scores = weight[:, None] * ((y[:, None] == by_row.classes_) - p)[:, 1:]
    vectors = (scores[:, :, None] * rows[:, None]).reshape(len(y), -1)
    bread = sum(
        w * np.kron(np.diag(q) - np.outer(q, q), np.outer(x, x))
        for w, q, x in zip(weight, p[:, 1:], rows, strict=True)
    )
    expected = np.linalg.inv(bread) @ vectors.T @ vectors @ np.linalg.inv(bread)
    assert_allclose(by_class.covariance(), expected, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:With 8 lots")
def test_the_unit_of_sampling_weights_changes_nothing():
    X, y = three_classes()
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    one, ten = (fitted("gaussian", X, y, sample_weight=w) for w in (weight, 10 * weight))
    for options in ({}, {"cov": "HC1"}, {"groups": np.arange(200) % 8}):
        tables = [clf.summary(weights="sampling", **options) for clf in (one, ten)]
        pd.testing.assert_frame_equal(*tables, rtol=OPTIMUM)
        assert tables[0].attrs == tables[1].attrs
    # As frequencies, they are ten times as many rows.
    tables = [clf.summary(weights="frequency") for clf in (one, ten)]
    assert_allclose(tables[0]["std_err"], 10**0.5 * tables[1]["std_err"], rtol=OPTIMUM)


def test_weights_whose_meaning_is_not_clear_are_refused():
    X, y = three_classes()
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    clf = fitted("gumbel", X, y, sample_weight=weight)
    for call in (clf.summary, clf.covariance, clf.aic, clf.bic, clf.marginal_effects):
        with pytest.raises(ValueError, match="pass weights='frequency'"):
            call()
    assert clf.aic(weights="frequency") == clf.summary(weights="frequency").attrs["aic"]
    saved = pickle.loads(pickle.dumps(clf))
    with pytest.raises(ValueError, match="pass weights='frequency'"):
        saved.aic()
    with pytest.raises(ValueError, match="weights must be"):
        clf.summary(weights="importance")
    for call in (clf.aic, clf.bic):
        with pytest.raises(ValueError, match="is no log likelihood"):
            call(weights="sampling")
    for cov in ("observed", "expected"):
        with pytest.raises(ValueError, match="is no log likelihood"):
            clf.summary(cov=cov, weights="sampling")
    balanced = fitted("gumbel", X, y, class_weight="balanced")
    with pytest.raises(ValueError, match="which count no rows"):
        balanced.summary(weights="frequency")
    with pytest.raises(ValueError, match="is no log likelihood"):
        balanced.aic()
    with pytest.raises(ValueError, match="is no log likelihood"):
        pickle.loads(pickle.dumps(balanced)).bic()
    both = fitted("gumbel", X, y, class_weight="balanced", sample_weight=1 + np.arange(200) % 2)
    with pytest.raises(ValueError, match="between rows of the same class"):
        both.summary()
    both.summary(weights="sampling")


def test_a_fit_computes_nothing_of_it(monkeypatch):
    """Nor does saving or copying; all of it starts from the record of the fit."""
    from skperturb import inference

    def never(*args, **options):
        raise AssertionError

    for module in ("_fit_data", "_likelihood", "_covariance", "_labels"):
        for name, value in vars(getattr(inference, module)).items():
            if getattr(value, "__module__", "") == f"skperturb.inference.{module}":
                monkeypatch.setattr(f"skperturb.inference.{module}.{name}", never)
    X, y = three_classes()
    for options in ({}, {"class_weight": "balanced"}, {"bias_reduction": True}):
        pickle.dumps(fitted("gumbel", X, y, **options))
