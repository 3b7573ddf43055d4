"""Refits to samples with replacement."""

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal

from skperturb import PerturbArgmaxClassifier
from skperturb.inference import _bootstrap


def parts(n=150, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    scores = X @ rng.normal(size=(2, 3)) + 1.5 * rng.gumbel(size=(n, 3))
    return X, np.array(["dent", "ok", "scratch"])[scores.argmax(axis=1)]


def test_of_an_unpenalised_fit_it_agrees_with_the_sandwich():
    X, y = parts(300)
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, constraint="reference", tol=1e-8).fit(X, y)
    result = clf.bootstrap(X, y, n_bootstrap=100)
    table, robust = result.summary(), clf.summary(cov="robust")
    assert_allclose(table["coef"], robust["coef"])
    # The standard error of a standard deviation of 100 normal values is 7 %.
    assert_allclose(table["std_err"], robust["std_err"], rtol=0.3)
    assert np.all((table["ci_low"] < table["coef"]) & (table["coef"] < table["ci_high"]))
    assert result.unit == "rows"
    assert "100" in str(result)
    assert "<table" in result._repr_html_()
    with pytest.raises(ValueError, match="confidence"):
        result.summary(95)


def test_each_refit_is_a_fit_to_the_rows_drawn():
    X, y = parts()
    clf = PerturbArgmaxClassifier("gaussian", class_weight="balanced", tol=1e-8).fit(X, y)
    result = clf.bootstrap(X, y, n_bootstrap=2, random_state=3)
    seeds = np.random.SeedSequence(3).spawn(2)
    draws = _bootstrap._Draws(np.ones(len(y)), None, True)
    for k, seed in enumerate(seeds):
        times = draws.weight(np.random.default_rng(seed)).astype(int)
        assert times.sum() == len(y)
        refit = PerturbArgmaxClassifier("gaussian", class_weight="balanced", tol=1e-8)
        refit.fit(np.repeat(X, times, axis=0), np.repeat(y, times))
        expected = np.column_stack([refit.intercept_, refit.coef_]).ravel()
        assert_allclose(result.samples.iloc[k], expected, atol=1e-5)


def test_the_seed_decides_and_not_the_number_of_processes():
    X, y = parts()
    clf = PerturbArgmaxClassifier("gumbel").fit(X, y)
    one = clf.bootstrap(X, y, n_bootstrap=4).samples
    with parallel_config("threading"):
        two = clf.bootstrap(X, y, n_bootstrap=4, n_jobs=2).samples
    assert_array_equal(one, two)
    other = clf.bootstrap(X, y, n_bootstrap=4, random_state=1).samples
    assert not np.allclose(one, other)


def test_lots_are_drawn_whole():
    X, y = parts()
    lots = np.array([f"lot {i // 5}" for i in range(len(y))])
    draws = _bootstrap._Draws(np.ones(len(y)), lots, True)
    drawn = draws.weight(np.random.default_rng(0)).reshape(-1, 5)
    assert np.all(np.ptp(drawn, axis=1) == 0)
    assert drawn[:, 0].sum() == 30
    clf = PerturbArgmaxClassifier("gumbel").fit(X, y)
    assert clf.bootstrap(X, y, n_bootstrap=3, groups=lots).unit == "lots"
    # Each part five times, in a lot: as uncertain as the parts alone.
    copies = np.repeat(X, 5, axis=0), np.repeat(y, 5)
    clf = PerturbArgmaxClassifier("gumbel", C=0.2).fit(*copies)
    of_lots = clf.bootstrap(*copies, n_bootstrap=30, groups=np.repeat(np.arange(150), 5))
    of_rows = clf.bootstrap(*copies, n_bootstrap=30)
    ratio = of_lots.summary()["std_err"] / of_rows.summary()["std_err"]
    assert 1.7 < ratio.mean() < 2.8  # sqrt(5), but for the penalty


def test_weights():
    X, y = parts()
    times = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    rng = np.random.default_rng(0)
    frequency = _bootstrap._Draws(times, None, True).weight(rng)
    assert frequency.sum() == times.sum()
    assert not frequency[times == 0].any()
    weight = times + 0.5
    sampling = _bootstrap._Draws(weight, None, False).weight(rng)
    assert_allclose((sampling / weight).sum(), len(y))
    clf = PerturbArgmaxClassifier("gumbel").fit(X, y, weight)
    with pytest.raises(ValueError, match="pass weights='frequency'"):
        clf.bootstrap(X, y, weight, n_bootstrap=2)
    assert len(clf.bootstrap(X, y, weight, n_bootstrap=2, weights="sampling").samples) == 2


def test_fits_to_probabilities_and_with_bias_reduction():
    X, y = parts(60)
    P = np.eye(3)[np.unique(y, return_inverse=True)[1]] * 0.7 + 0.1
    clf = PerturbArgmaxClassifier("gumbel").fit_proba(X, P)
    assert clf.bootstrap(X, P, n_bootstrap=3).samples.shape == (3, 9)
    x = np.array([[-2.0], [-1], [1], [2]] * 3)
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, bias_reduction=True).fit(x, x[:, 0] > 0)
    assert clf.bootstrap(x, x[:, 0] > 0, n_bootstrap=20).samples.abs().max().max() < 20


def test_what_is_refused_or_warned_of():
    X, y = parts()
    clf = PerturbArgmaxClassifier("gumbel").fit(X, y)
    for arguments, options, message in [
        ((X, y[::-1]), {}, "not those of the fit"),
        ((X, y), {"n_bootstrap": 1}, "2 at least"),
        ((X, y), {"groups": np.arange(3)}, "each of the 150 rows"),
        ((X, y), {"groups": np.zeros(150)}, "two lots or more"),
        ((X, y), {"weights": "importance"}, "weights must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            clf.bootstrap(*arguments, **options)
    with pytest.raises(ValueError, match="changed after the fit"):
        clf.set_params(noise="gaussian").bootstrap(X, y)
    with pytest.raises(ValueError, match=r"bootstrap\(X, y\)"):
        PerturbArgmaxClassifier().fit(X, y).summary()
    x = np.array([[-2.0], [-1], [0.3], [-0.3], [1], [2]])
    few = np.array([0, 0, 0, 1, 1, 1])
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf).fit(x, few)
    with pytest.warns(UserWarning, match="of 20 refits did not converge"):
        result = clf.bootstrap(x, few, n_bootstrap=20)
    assert result.n_problems > 0
