"""Pieces of curves as features of a linear classifier."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.utils.estimator_checks import parametrize_with_checks

from skperturb.additive import AdditiveClassifier, AdditiveFeatures
from skperturb.additive._pieces import quantiles

from .conftest import IDENTITY

rng = np.random.default_rng(0)


@parametrize_with_checks(
    [AdditiveFeatures(), AdditiveFeatures(4, jumps=[(0, 0.5)], pairs=[(0, 0)])]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_the_ridge_is_the_penalty_on_second_differences():
    x = rng.lognormal(size=(200, 1))
    features = AdditiveFeatures(6).fit(x)
    (pieces,) = features._pieces
    c = rng.normal(size=len(pieces.names))
    bends = np.diff(pieces.matrix @ c, 2)
    ratio = np.sum(bends**2) / np.sum(c[1:] ** 2)
    c[0] = 100.0  # the straight part does not bend
    assert_allclose(np.sum(np.diff(pieces.matrix @ c, 2) ** 2), ratio * np.sum(c[1:] ** 2), 1e-9)
    Z = features.transform(x)
    assert_allclose(Z.mean(0), 0, atol=IDENTITY)
    assert_allclose(Z[:, 0].std(), 1, IDENTITY)


def test_weights_are_repetitions():
    x = rng.normal(size=(60, 2))
    x[:, 1] = x[:, 1] > 0
    weight = rng.integers(0, 3, 60)
    one = AdditiveFeatures(5, pairs=[(0, 1)]).fit(x, sample_weight=weight)
    two = AdditiveFeatures(5, pairs=[(0, 1)]).fit(np.repeat(x, weight, axis=0))
    assert_allclose(one.transform(x), two.transform(x), atol=1e-9)


def test_beyond_the_data_a_curve_is_level():
    x = np.linspace(0, 1, 300)[:, None]
    Z = AdditiveFeatures().fit(x).transform([[-1.0], [0.0], [1.0], [2.0], [1e9]])
    assert_allclose(Z[0], Z[1])
    assert_allclose(Z[3:], [Z[2], Z[2]])


def test_two_knots_make_a_straight_line():
    x = rng.lognormal(size=(300, 1))
    (x_sorted,) = np.sort(x, axis=0).T
    features = AdditiveFeatures(2).fit(x)
    assert features.get_feature_names_out().tolist() == ["x0 trend"]
    Z = features.transform(x)
    assert_allclose([Z.mean(), Z.std()], [0, 1], atol=IDENTITY)
    inside = x_sorted[5:-5, None]
    line = features.transform(inside)[:, 0]
    assert_allclose(line, np.polyval(np.polyfit(inside[:, 0], line, 1), inside[:, 0]), atol=1e-9)
    assert features.transform([[1e9]]) == features.transform([[1e8]])


def test_few_values_missing_ones_and_categories():
    X = pd.DataFrame(
        {
            "line": [1, 2, 3, 1, 2, 3],
            "gap": [1.0, np.nan, 2.0, 5.0, 1.0, np.nan],
            "colour": ["red", "blue", "red", None, "red", "blue"],
        }
    )
    features = AdditiveFeatures(5).fit(X)
    assert features.get_feature_names_out().tolist() == [
        "line > 1.5",
        "line > 2.5",
        "gap > 1.5",
        "gap > 3.5",
        "gap missing",
        "colour = blue",
        "colour = red",
        "colour missing",
    ]
    Z = features.transform(X)
    assert_allclose(Z.mean(0), 0, atol=IDENTITY)
    assert_allclose(Z[1, 2:4], 0)
    new = pd.DataFrame({"line": [2], "gap": [1.0], "colour": ["green"]})
    assert_allclose(features.transform(new)[0, 5:], 0)


@pytest.mark.parametrize("jumps", [[("colour", 1.0)], [("no such", 1.0)], [(7, 1.0)]])
def test_jumps_of_what_is_no_number_are_refused(jumps):
    X = pd.DataFrame({"a": np.arange(20.0), "colour": ["red", "blue"] * 10})
    with pytest.raises(ValueError, match=r"jumps|holds categories"):
        AdditiveFeatures(jumps=jumps).fit(X)


@pytest.mark.parametrize("n", [299, 300])
def test_a_feature_may_be_turned_round(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 2))
    y = (np.abs(X[:, 0]) + rng.logistic(size=n) > 1).astype(int)
    clf = AdditiveClassifier(n_knots=5, Cs=[1.0], jumps=False, tol=1e-8)
    there, back = (clf.fit(side * X, y).predict_proba(side * X) for side in (1, -1))
    assert_allclose(there, back, atol=1e-6)


def test_quantiles_of_weights_are_those_of_repeated_rows():
    rng = np.random.default_rng(1)
    values, weight = rng.normal(size=60), rng.integers(1, 4, 60)
    at, repeated = np.linspace(0, 1, 13), np.repeat(values, weight)
    found = quantiles(values, weight, at)
    assert_allclose(found, quantiles(repeated, np.ones(len(repeated)), at), rtol=IDENTITY)
    expected = np.quantile(repeated, at, method="averaged_inverted_cdf")
    assert_allclose(found, expected, rtol=IDENTITY)
