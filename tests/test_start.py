import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skperturb import PerturbArgmaxClassifier
from skperturb._linear._start import _without_worst, part_of
from skperturb.noise import StudentT

from .test_objective import WEIGHT, X, objective
from .test_statistics import long_servedio


def test_the_rows_that_fit_worst_are_left_out_by_weight():
    whole = objective(2)
    free = np.array([0.3, -1.0, 0.8, 0.2])
    losses, _ = whole.losses(free)
    kept = _without_worst(whole, free)
    left_out = 1 - kept.total / whole.total
    assert 0 < left_out <= 0.05
    limit = np.sort(losses)[::-1][whole.n_rows - kept.n_rows]
    assert_allclose(kept.losses(free)[0].max(), limit)
    assert whole.n_rows == np.count_nonzero(WEIGHT)


@pytest.mark.parametrize("copies", [2, 3])
def test_a_row_of_weight_two_is_left_out_like_two_rows(copies):
    free = np.array([0.3, -1.0, 0.8, 0.2])
    rows, y = np.repeat(X, copies, axis=0), np.repeat(np.arange(40) % 2, copies)
    repeated = objective(2, X=rows, y=y, weight=np.ones(40 * copies))
    weighted = objective(2, weight=np.full(40, float(copies)))
    assert_allclose(_without_worst(repeated, free).total, _without_worst(weighted, free).total)


def test_a_fit_escapes_the_minimum_that_gives_in_to_wrong_labels():
    """Two minima: from the Gumbel solution alone one ends in the higher one."""
    rng = np.random.default_rng(1003)
    X, y = long_servedio(1000, rng)
    X_test, y_test = long_servedio(5000, rng)
    flipped = np.where(rng.random(1000) < 0.1, -y, y)
    gumbel = PerturbArgmaxClassifier("gumbel").fit(X, flipped)
    clf = PerturbArgmaxClassifier(StudentT(2))
    found = clone(clf).fit(X, flipped)
    # The documented way to begin elsewhere: warm_start, from the coefficients of another model.
    other = gumbel.set_params(noise=StudentT(2), warm_start=True).fit(X, flipped)
    assert found.loss_ < other.loss_ - 0.01
    assert found.score(X_test, y_test) > 0.99
    assert other.score(X_test, y_test) < 0.9
    assert_array_equal(clone(clf).fit(X, flipped).coef_, found.coef_)


def test_a_part_of_the_rows_is_like_all_of_them():
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(9000, 3)), np.arange(9000) % 2
    whole = objective(2, X=rows, y=y, weight=rng.uniform(0.5, 1.5, 9000))
    part = part_of(whole)
    assert part.n_rows == 2250
    assert_allclose(part.total, whole.total)
    # What weighs most is not in it.
    few = np.full(9000, 1e-12)
    few[[3, 17, 101]] = 1e6
    whole = objective(2, X=rows, y=y, weight=few)
    assert part_of(whole) is whole


@pytest.mark.parametrize("n_features", [5, 300, 600])
def test_correlated_features_in_every_size_of_scaling(n_features):
    """With a matrix for all parameters, and with one only after some iterations."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(1500, 5))
    X = factors @ rng.normal(size=(5, n_features)) + 0.3 * rng.normal(size=(1500, n_features))
    y = (X[:, 0] + rng.normal(size=1500) > 0).astype(int)
    clf = PerturbArgmaxClassifier("gaussian").fit(X, y)
    assert clf.n_iter_ < 100
