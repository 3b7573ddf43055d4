"""The interval of the degrees of freedom of Student-t noise.

``pytest -m slow -s tests/test_noise_profile.py`` prints how often it covers the truth.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.noise import StudentT


def simulated(n, df, seed, n_classes=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    coef = 2 * rng.normal(size=(3, n_classes))
    return X, (X @ coef + rng.standard_t(df, (n, n_classes))).argmax(axis=1)


@pytest.fixture(scope="module")
def fitted():
    X, y = simulated(900, 2.0, 1)
    return PerturbArgmaxClassifier(StudentT(4), C=np.inf).fit(X, y), X, y


def test_the_curve_holds_the_log_likelihoods_of_fits(fitted):
    clf, X, y = fitted
    profile = clf.profile("df")
    best = profile.curve["log_likelihood"].idxmax()
    for row in profile.curve.loc[best : best + 1].itertuples():
        other = PerturbArgmaxClassifier(StudentT(row.df), C=np.inf, tol=1e-6).fit(X, y)
        assert_allclose(row.log_likelihood, other.log_likelihood_, rtol=1e-8)
    at_end = np.interp(profile.ci_low, profile.curve["df"], profile.curve["log_likelihood"])
    drop = stats.chi2.isf(0.05, 1) / 2
    assert_allclose(profile.curve["log_likelihood"].max() - at_end, drop, rtol=0.3)
    assert profile.ci_low < profile.value < profile.ci_high


def test_the_noise_of_the_fit_and_the_way_the_data_are_given_do_not_matter(fitted):
    clf, X, y = fitted
    given = clf.profile("df", X, y)
    other = PerturbArgmaxClassifier(StudentT(8, scale=3.0), C=np.inf).fit(X, y).profile("df")
    for profile in (given, other):
        assert_allclose(profile.value, clf.profile("df").value, rtol=1e-3)
        assert_allclose(profile.ci_low, clf.profile("df").ci_low, rtol=1e-3)
    narrow = clf.profile("df", confidence=0.5)
    assert given.ci_low < narrow.ci_low < narrow.ci_high < given.ci_high
    assert "ci low" in str(given) and "curve" not in str(given)


@pytest.mark.parametrize(
    ("clf", "parameter", "message"),
    [
        (PerturbArgmaxClassifier(StudentT(4)), "df", "penalised"),
        (PerturbArgmaxClassifier("gumbel", C=np.inf), "df", "has no df"),
        (PerturbArgmaxClassifier(StudentT(4), C=np.inf), "scale", "'df' alone"),
        (
            PerturbSoftmaxClassifier(StudentT(4), C=np.inf, loss="fenchel_young"),
            "df",
            "no likelihood",
        ),
    ],
)
def test_what_has_no_profile_is_refused(clf, parameter, message):
    X, y = simulated(200, 4.0, 0)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y).profile(parameter)


@pytest.mark.slow
def test_coverage():
    covered, values = [], []
    for seed in range(200):
        X, y = simulated(2000, 2.0, seed, n_classes=3)
        profile = PerturbArgmaxClassifier(StudentT(2), C=np.inf).fit(X, y).profile("df")
        covered.append(profile.ci_low <= 2.0 <= profile.ci_high)
        values.append(profile.value)
    print(f"covers in {np.mean(covered):.1%}, median of the estimates {np.median(values):.2f}")
    assert 0.92 <= np.mean(covered) <= 0.98
