"""Wald tests and profile intervals."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats

from skperturb import PerturbArgmaxClassifier
from skperturb.noise import StudentT

from .conftest import IDENTITY, OPTIMUM

AGREES = 1e-6  # with statsmodels, relative


def fitted(noise, X, y, **options):
    options = {"C": np.inf, "tol": 1e-10, "max_iter": 300, "constraint": "reference"} | options
    weight = options.pop("sample_weight", None)
    return PerturbArgmaxClassifier(noise, **options).fit(X, y, weight)


def three_classes(n=150, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["width", "depth"])
    scores = X.to_numpy() @ rng.normal(size=(2, 3)) + 1.5 * rng.gumbel(size=(n, 3))
    return X, np.array(["dent", "ok", "scratch"])[scores.argmax(axis=1)]


# --- Wald tests


@pytest.mark.parametrize("cov", ["observed", "robust", "cluster"])
@pytest.mark.parametrize(("noise", "link"), [("gaussian", "Probit"), ("gumbel", "Logit")])
@pytest.mark.filterwarnings("ignore:With 8 lots")
def test_with_statsmodels(noise, link, cov):
    sm = pytest.importorskip("statsmodels.api")
    data = sm.datasets.spector.load_pandas()
    X, y, lots = data.exog, data.endog.astype(int), np.arange(32) % 8
    options = {
        "observed": {},
        "robust": {"cov_type": "HC0"},
        "cluster": {"cov_type": "cluster", "cov_kwds": {"groups": lots, "use_correction": False}},
    }[cov]
    theirs = getattr(sm, link)(y, sm.add_constant(X))
    theirs = theirs.fit(method="newton", tol=1e-14, disp=0, **options)
    factor = 7 / 8 if cov == "cluster" else 1.0
    clf = fitted(noise, X, y)
    options = {"cov": cov, "groups": lots if cov == "cluster" else None}
    result = clf.wald_test([(1, "GPA"), (1, "TUCE")], **options)
    expected = theirs.wald_test("GPA = 0, TUCE = 0", scalar=True, use_f=False)
    statistic = result.statistic * (result.df if cov == "cluster" else 1)
    assert_allclose(statistic, expected.statistic * factor, rtol=AGREES)
    assert result.df == 2
    if cov == "cluster":
        assert result.distribution == "F(2, 7)"
        assert_allclose(result.p_value, stats.f.sf(result.statistic, 2, 7))
    else:
        assert result.distribution == "chi2(2)"
        assert_allclose(result.p_value, expected.pvalue, rtol=AGREES)
    times = {"gaussian": 2**0.5, "gumbel": 1.0}[noise]
    table = clf.wald_test({(1, "GPA"): 1.0, (1, "PSI"): -2.0}, **options).contrasts
    expected = theirs.t_test("GPA - 2*PSI = 0")
    assert_allclose(table["value"], times * expected.effect, rtol=AGREES)
    std_err = times * expected.sd.ravel() / np.sqrt(factor)
    assert_allclose(table["std_err"], std_err, rtol=AGREES)
    assert table["contrast"].tolist() == ["1 GPA - 2 1 PSI"]


def test_seven_classes_with_statsmodels():
    """Joint tests and contrasts of two classes, neither of which is the reference."""
    sm = pytest.importorskip("statsmodels.api")
    data = sm.datasets.anes96.load_pandas()
    X, y = data.exog, data.endog.astype(int)
    theirs = sm.MNLogit(y, sm.add_constant(X)).fit(method="newton", tol=1e-13, disp=0)
    clf = fitted("gumbel", X, y)
    R = np.zeros((2, 36))
    # Parameters of theirs, class by class: constant, logpopul, selfLR, age, educ, income.
    R[0, 5 * 6 + 2], R[0, 4 * 6 + 2] = 1, -1
    R[1, 2 * 6 + 5], R[1, 1 * 6 + 5] = 1, -1
    pairs = [
        {(6, "selfLR"): 1, (5, "selfLR"): -1},
        {(3, "income"): 1, (2, "income"): -1},
    ]
    expected = theirs.wald_test(R, scalar=True)
    for hypotheses in (pairs, R, pd.DataFrame(R, columns=clf.covariance().index).iloc[:, ::-1]):
        result = clf.wald_test(hypotheses)
        assert_allclose(result.statistic, expected.statistic, rtol=AGREES)
    # The same from another reference class, and from coefficients that sum to zero.
    for options in ({"reference_class": 6}, {"constraint": "sum_to_zero"}):
        other = fitted("gumbel", X, y, **options).wald_test(pairs)
        assert_allclose(other.statistic, result.statistic, rtol=1e-5)
        assert_allclose(other.contrasts["std_err"], result.contrasts["std_err"], rtol=1e-5)


def test_a_hypothesis_that_follows_from_others_counts_once():
    X, y = three_classes()
    clf = fitted("gaussian", X, y, constraint="sum_to_zero")
    every = clf.wald_test([(label, "width") for label in clf.classes_])
    two = clf.wald_test([("dent", "width"), ("ok", "width")])
    assert every.df == two.df == 2
    assert_allclose(every.statistic, two.statistic, rtol=1e-9)
    assert len(every.contrasts) == 3
    # And with the reference, that all classes have the same.
    reference = fitted("gaussian", X, y).wald_test([("ok", "width"), ("scratch", "width")])
    assert_allclose(reference.statistic, two.statistic, rtol=1e-5)
    single = fitted("gaussian", X, y)
    table = single.summary()
    test = single.wald_test(("ok", "depth"))
    z = table[(table["class"] == "ok") & (table["feature"] == "depth")]["z"].item()
    assert_allclose(test.statistic, z**2, rtol=1e-9)
    # The unit of a feature does not matter.
    scaled = fitted("gaussian", X * [1e6, 1e-4], y).wald_test([("ok", "width"), ("ok", "depth")])
    same = single.wald_test([("ok", "width"), ("ok", "depth")])
    assert_allclose(scaled.statistic, same.statistic, rtol=1e-5)


def test_results_print():
    X, y = three_classes()
    result = fitted("gumbel", X, y).wald_test({("ok", "width"): 1, ("dent", "width"): -1})
    assert "ok width - dent width" in str(result)
    assert "chi2(1)" in result._repr_html_()
    assert list(result.to_dict())[:4] == ["statistic", "df", "p_value", "distribution"]


@pytest.mark.filterwarnings("ignore:With 3 lots")
def test_hypotheses_that_are_refused():
    X, y = three_classes()
    clf = fitted("gumbel", X, y)
    for hypotheses, message in [
        (("crack", "width"), "'crack' is not a class"),
        (("ok", "length"), "'length' is not a feature"),
        (("dent", "width"), "dent width holds for all coefficients"),
        ([], "nothing to test"),
        ("ok width", "not understood"),
        (np.ones((2, 3)), "have 6 columns"),
        (np.full((1, 6), np.nan), "must be finite"),
        (pd.DataFrame(np.ones((1, 6))), "must be the index"),
    ]:
        with pytest.raises(ValueError, match=message):
            clf.wald_test(hypotheses)
    many = [("ok", "width"), ("ok", "depth"), ("scratch", "width")]
    with pytest.raises(ValueError, match="fewer hypotheses at once than there are lots"):
        clf.wald_test(many, groups=np.arange(150) % 3)
    with pytest.warns(match="not unique"):
        free = fitted("gumbel", X, y, constraint=None)
    with pytest.raises(ValueError, match="not unique"):
        free.wald_test(many)


# --- Profiles


@pytest.mark.parametrize("noise", ["gumbel", StudentT(4)], ids=str)
def test_an_end_of_a_profile_by_brute_force(noise):
    """At the ends the best log likelihood is lower by half the quantile of chi-squared."""
    X, y = three_classes(80)
    clf = fitted(noise, X, y)
    codes = np.searchsorted(clf.classes_, y)
    rows = np.column_stack([np.ones(80), X])
    best = clf.summary()["coef"].to_numpy().reshape(2, 3)

    def loss(others, value):
        coef = np.insert(others, 1, value).reshape(2, 3)
        scores = np.column_stack([np.zeros(80), rows @ coef.T])
        return -clf.model_.log_proba(scores)[np.arange(80), codes].sum()

    result = clf.profile_interval("ok", "width", confidence=0.9)
    assert result.ci_low < result.coef < result.ci_high
    assert_allclose(result.coef, best[0, 1], rtol=1e-9)
    start = np.delete(best.ravel(), 1)
    for end in (result.ci_low, result.ci_high):
        least = optimize.minimize(loss, start, args=(end,), method="BFGS").fun
        statistic = 2 * (least + clf.log_likelihood_)
        assert_allclose(statistic, stats.chi2.isf(0.1, 1), rtol=OPTIMUM)


def test_profiles_of_other_constraints_and_weights():
    X, y = three_classes()
    times = np.random.default_rng(0).integers(0, 3, len(y))
    first = fitted("gumbel", X, y, sample_weight=times)
    repeated = fitted("gumbel", X.loc[X.index.repeat(times)], np.repeat(y, times))
    ends = [clf.profile_interval("ok", "depth") for clf in (first, repeated)]
    assert_allclose(ends[0].ci_low, ends[1].ci_low, rtol=OPTIMUM)
    # The difference of two classes turns round with the reference.
    other = fitted("gumbel", X, y, sample_weight=times, reference_class="ok")
    mirrored = other.profile_interval("dent", "depth")
    assert_allclose([-mirrored.ci_high, -mirrored.ci_low], [ends[0].ci_low, ends[0].ci_high], 1e-5)
    zero = fitted("gumbel", X, y, constraint="sum_to_zero").profile_interval("ok", "depth")
    assert zero.ci_low < zero.coef < zero.ci_high
    single = fitted("gumbel", X[["width"]], y == "ok", fit_intercept=False)
    one = single.profile_interval(True, "width")
    assert_allclose(one.coef, single.coef_[0, 0], rtol=IDENTITY)
    assert "ci low" in str(one)


def test_separated_classes_have_a_profile_with_bias_reduction_only():
    x = np.r_[-2.0, -1.5, -1, 0, 1, 1.5, 2, 0][:, None]
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    clf = fitted("gaussian", x, y, fit_intercept=False, bias_reduction=True)
    assert np.isfinite(clf.profile_interval(1, "x0").ci_high)
    with pytest.warns(match="separate"):
        without = fitted("gaussian", x, y, fit_intercept=False)
    with pytest.raises(ValueError, match="bias_reduction=True"):
        without.profile_interval(1, "x0")


def test_profiles_that_are_refused():
    X, y = three_classes()
    clf = fitted("gumbel", X, y)
    for arguments, message in [
        (("crack", "width"), "'crack' is not a class"),
        (("ok", "length"), "'length' is not a feature"),
        (("dent", "width"), "zero by definition"),
    ]:
        with pytest.raises(ValueError, match=message):
            clf.profile_interval(*arguments)
    with pytest.raises(ValueError, match="confidence must lie"):
        clf.profile_interval("ok", "width", confidence=95)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    weighted = fitted("gumbel", X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="no log likelihood"):
        weighted.profile_interval("ok", "width", weights="sampling")
    with pytest.raises(ValueError, match="no likelihood"):
        fitted("gumbel", X, y, loss="fenchel_young").profile_interval("ok", "width")
