"""Features far from zero for their spread are fitted as if they were centred."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skperturb import PerturbArgmaxClassifier
from skperturb._linear import _rows
from skperturb._linear._rows import DenseRows, rows_of
from skperturb.noise import StudentT
from skperturb.representation import check_identifiability

from .conftest import IDENTITY

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 3))
Y = (X @ RNG.normal(size=(3, 3)) * 1.5 + RNG.gumbel(size=(150, 3))).argmax(axis=1)
OFFSET = np.array([1e7, -3e5, 0.0])
PRECISE = {"tol": 1e-8, "max_iter": 1000}
# What rounding leaves: 1e-16 times the offset over the spread, and L-BFGS's own.
PROBABILITY = 1e-6


@pytest.fixture(params=["dense", "in blocks", "sparse"])
def far(request, monkeypatch):
    """The features with offsets, as an array, as one that is too large to copy, or as sparse."""
    if request.param == "in blocks":
        monkeypatch.setattr(_rows, "_COPIED", 0)
    rows = X + OFFSET
    return sparse.csr_array(rows) if request.param == "sparse" else rows


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("noise", ["gumbel", "gaussian", StudentT(4), "cauchy", "laplace"], ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_those_of_centred_features(far, noise, solver, n_classes):
    clf = PerturbArgmaxClassifier(noise, solver=solver, **PRECISE)
    y = np.minimum(Y, n_classes - 1)
    expected = clf.fit(X, y).predict_proba(X)
    assert_allclose(clf.fit(far, y).predict_proba(far), expected, atol=PROBABILITY)


@pytest.mark.parametrize("options", [{"constraint": "reference"}, {"C": np.inf}])
def test_coefficients_and_warm_start(far, options):
    clf = PerturbArgmaxClassifier(**PRECISE, **options, warm_start=True)
    plain = clf.fit(X, Y).coef_, clf.intercept_
    clf = PerturbArgmaxClassifier(**PRECISE, **options, warm_start=True).fit(far, Y)
    assert_allclose(clf.coef_, plain[0], atol=PROBABILITY)
    # Relative to what the offset makes of the coefficients.
    assert_allclose(clf.intercept_ + clf.coef_ @ OFFSET, plain[1], atol=1e-6)
    assert clf.set_params(tol=1e-7).fit(far, Y).n_iter_[0] == 0


def test_standard_errors_effects_and_intervals(far):
    def fitted(rows):
        return PerturbArgmaxClassifier(C=np.inf, constraint="reference", **PRECISE).fit(rows, Y)

    plain, clf = fitted(X), fitted(far)
    ours, theirs = clf.summary(), plain.summary()
    coefficients = ours["feature"] != "intercept"
    for column in ("coef", "std_err", "ci_low", "ci_high"):
        assert_allclose(ours[column][coefficients], theirs[column][coefficients], rtol=1e-6)
    # Var(b - m w) = Var(b) - 2 m Cov(b, w) + m Cov(w) m.
    place = [(1, f"x{i}") for i in range(3)]
    moved = np.append(1.0, -OFFSET)
    expected = plain.covariance().loc[[(1, "intercept"), *place], [(1, "intercept"), *place]]
    variance = clf.covariance().loc[(1, "intercept"), (1, "intercept")]
    assert_allclose(variance, moved @ expected.to_numpy() @ moved, rtol=1e-6)
    for at in ("overall", "mean"):
        effects = clf.marginal_effects(at=at)
        assert_allclose(effects["effect"], plain.marginal_effects(at=at)["effect"], atol=1e-7)
        assert_allclose(effects["std_err"], plain.marginal_effects(at=at)["std_err"], atol=1e-7)
    given = clf.marginal_effects(at=pd.DataFrame(X[:2] + OFFSET).to_numpy())
    assert_allclose(given["effect"], plain.marginal_effects(at=X[:2])["effect"], atol=1e-7)
    ends = zip(clf.predict_proba_interval(far), plain.predict_proba_interval(X), strict=True)
    for one, other in ends:
        assert_allclose(one, other, atol=1e-6)
    assert_allclose(
        clf.wald_test([(1, "x0"), (2, "x0")]).statistic,
        plain.wald_test([(1, "x0"), (2, "x0")]).statistic,
        rtol=1e-6,
    )
    ours, theirs = (each.profile_interval(1, "x0") for each in (clf, plain))
    assert_allclose([ours.ci_low, ours.ci_high], [theirs.ci_low, theirs.ci_high], rtol=1e-6)
    report = check_identifiability(clf, far, Y)
    assert report.identified
    assert_allclose(
        report.condition_number, check_identifiability(plain, X, Y).condition_number, rtol=1e-2
    )


def test_bootstrap_of_features_far_from_zero(far):
    clf = PerturbArgmaxClassifier("gumbel", C=2.0)
    ours = clf.fit(far, Y).bootstrap(far, Y, n_bootstrap=3)
    theirs = PerturbArgmaxClassifier("gumbel", C=2.0).fit(X, Y).bootstrap(X, Y, n_bootstrap=3)
    names = [column for column in ours.samples if column[1] != "intercept"]
    assert_allclose(ours.samples[names], theirs.samples[names], atol=1e-3)


def test_columns_of_zero_and_one_that_are_mostly_one():
    """The effect of such a column stays a difference, although it is centred inside."""
    mostly = (np.arange(150) % 25 > 0).astype(float)
    rows = np.column_stack([X, mostly])
    assert rows_of(rows, True).center[3] > 0
    clf = PerturbArgmaxClassifier(C=np.inf, **PRECISE).fit(rows, Y)
    table = clf.marginal_effects(features=["x3"])
    high, low = (np.column_stack([X, np.full(150, value)]) for value in (1.0, 0.0))
    expected = (clf.predict_proba(high) - clf.predict_proba(low)).mean(axis=0)
    assert_allclose(table["effect"], expected, atol=IDENTITY)
    levels = clf.marginal_effects(features={"machine": ["x3"]})
    assert_allclose(levels["effect"], expected, atol=IDENTITY)


def test_a_sparse_column_with_few_zeros_is_subtracted_and_the_others_stay_sparse():
    values = np.random.default_rng(1).random((150, 40))
    few = sparse.csr_array(np.where(values < 0.05, values, 0.0))
    time = 1.7e9 + 3600 * X[:, :1]
    time[7] = 0.0
    year = 2015.0 + np.round(5 * X[:, 1:2])
    rows = rows_of(sparse.csr_matrix(sparse.hstack([few, year, few, time])), True)
    assert set(np.flatnonzero(rows.center)) == {40, 81}
    assert rows.n_entries <= 2 * few.nnz + 300
    dense = np.hstack([few.toarray(), year, few.toarray(), time])
    assert_allclose(rows.dense()[:, :82] + rows.center, dense, rtol=0, atol=1e-6)
    assert_allclose(rows.dense_of(dense), rows.dense(), rtol=0, atol=1e-6)


def test_what_is_subtracted():
    constant = np.full((150, 1), 0.1)
    rows = rows_of(np.hstack([X, constant, X[:, :1] + 100, 0 * constant]), True)
    assert isinstance(rows, DenseRows)
    assert np.flatnonzero(rows.center).tolist() == [3, 4]
    assert not rows.dense()[:, 3].any()
    # Without an intercept nothing can make up for it.
    assert not rows_of(X + 1e5, False).center.any()


@pytest.mark.parametrize(("dtype", "offset"), [(np.float64, 1e12), (np.float32, 1e4)])
def test_a_feature_whose_spread_is_lost_in_rounding_is_named(dtype, offset):
    frame = pd.DataFrame(X, columns=["width", "time", "depth"]).assign(one=1e9)
    frame["time"] += offset
    with pytest.warns(UserWarning, match="Feature 'time' is so far from zero"):
        PerturbArgmaxClassifier("gumbel").fit(frame.astype(dtype), Y)


def test_indices_of_64_bits():
    rows = sparse.csr_matrix(X)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    clf, plain = (PerturbArgmaxClassifier(C=np.inf, constraint="reference") for _ in range(2))
    clf, plain = clf.fit(rows, Y), plain.fit(X, Y)
    assert_allclose(clf.predict_proba(rows), plain.predict_proba(X), atol=1e-5)
    assert_allclose(clf.summary(rows, Y)["std_err"], plain.summary()["std_err"], rtol=1e-3)
    assert check_identifiability(clf, rows, Y).identified
    assert clf.marginal_effects(rows, Y).shape == plain.marginal_effects().shape
    assert clf.bootstrap(rows, Y, n_bootstrap=2).samples.shape == (2, 8)
    assert np.isfinite(clf.profile_interval(1, "x0", rows, Y).ci_low)
    low, _ = clf.predict_proba_interval(rows, X_fit=rows, y_fit=Y)
    assert low.shape == (150, 3)
    assert np.isfinite(clf.aic())
