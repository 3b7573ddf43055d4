import warnings

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning

from skperturb import PerturbArgmaxClassifier
from skperturb._linear._constraints import make_constraint
from skperturb._linear._objective import LinearObjective
from skperturb._linear._separation import find_separations

SEPARATED = "separate the classes"


def separable(X, y):
    """By a linear program: is there a direction by which no row's class loses and one gains?"""
    rows = np.column_stack([X, np.ones(len(X))])
    n_classes, width = y.max() + 1, rows.shape[1]
    gains = []
    for row, own in zip(rows, y, strict=True):
        for other in set(range(n_classes)) - {own}:
            gain = np.zeros((n_classes, width))
            gain[own], gain[other] = row, -row
            gains.append(gain.ravel())
    gains = np.array(gains)
    result = linprog(-gains.sum(axis=0), A_ub=-gains, b_ub=np.zeros(len(gains)), bounds=(-1, 1))
    return -result.fun > 1e-7


def warned(X, y, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf = PerturbArgmaxClassifier(C=np.inf, **options).fit(X, y)
    assert all(w.category is ConvergenceWarning for w in caught)
    assert np.isfinite(clf.coef_).all()
    return any(SEPARATED in str(w.message) for w in caught)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("noise", ["gumbel", "gaussian"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_is_named_exactly_where_a_linear_program_finds_it(n_classes, noise, solver):
    """Small random data sets, some with columns of few values: about half are separable."""
    seen = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, p = rng.integers(8, 30), rng.integers(1, 4)
        X = rng.normal(size=(n, p))
        if seed % 2:
            X[:, 0] = rng.integers(0, 2, n)
        y = np.append(np.arange(n_classes), rng.integers(0, n_classes, n - n_classes))
        y = np.where(rng.random(n) < 0.5, y, (X[:, 0] > 0.5).astype(int))
        y = np.unique(y, return_inverse=True)[1]
        expected = separable(X, y)
        assert warned(X, y, noise=noise, solver=solver, max_iter=1000) == expected, seed
        seen.append(expected)
    assert 5 <= sum(seen) <= 35


@pytest.mark.parametrize("noise", ["student_t", "cauchy", "laplace", "exponential"])
def test_is_named_for_noise_with_heavy_tails_and_kinks(noise):
    rng = np.random.default_rng(0)
    x = np.sort(rng.normal(size=20))[:, None]
    assert warned(x, (x[:, 0] > 0).astype(int), noise=noise)
    mixed = (x[:, 0] > 0).astype(int)
    mixed[[2, 5, 13]] ^= 1
    assert not warned(x, mixed, noise=noise)


def test_collinear_columns_are_no_separation():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    X = np.column_stack([X, X.sum(axis=1), np.ones(60)])
    y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)
    assert not warned(X, y)


def test_a_rare_category_of_one_class_is_named():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=200), np.arange(200) < 4])
    y = (X[:, 0] + rng.normal(size=200) > 0).astype(int)
    y[:4] = 1
    assert warned(X, y)
    assert not warned(X[:, :1], y)


def test_scale_of_noise_and_features_do_not_matter():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    y = (X[:, 0] + rng.normal(size=100) > 0).astype(int)
    for scale in (1e-6, 1e6):
        assert not warned(X, y, noise_scale=scale, tol=1e-4 / scale)
        assert not warned(X * [1, scale], y, max_iter=1000)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_features_that_separate_are_found_and_none_can_be_spared(n_classes):
    seen = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(rng.integers(6, 20) * n_classes**2 // 2, 4))
        if seed % 2:
            X[:, 0] = rng.integers(0, 2, len(X))
        y = (X @ [1, 1, 0.5, 0] + rng.normal(scale=0.5, size=len(X)) > 0) * (n_classes - 1)
        y = np.where(rng.random(len(X)) < 0.1, rng.integers(0, n_classes, len(X)), y)
        y[:n_classes] = np.arange(n_classes)
        found = find_separations(objective_of(X, y))
        assert bool(found) == separable(X, y), seed
        for separation in found:
            columns = list(separation.columns)
            assert separable(X[:, columns], y)
            for k in range(len(columns)):
                assert not separable(np.delete(X[:, columns], k, axis=1), y)
        seen.append(bool(found))
    assert 5 <= sum(seen) <= 35


def objective_of(X, y):
    constraint = make_constraint("sum_to_zero", int(y.max()) + 1, 0)
    options = {"loss": None, "C": np.inf, "fit_intercept": True}
    return LinearObjective(X, y, np.ones(len(y)), constraint=constraint, **options)


def test_many_rows_are_looked_at_a_few_at_a_time():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 8))
    y = (X[:, :5] + rng.gumbel(size=(30_000, 5))).argmax(axis=1)
    assert find_separations(objective_of(X, y)) == []
    rare = np.flatnonzero(y == 3)[:7]
    X[:, 6] = np.isin(np.arange(len(X)), rare)
    (found,) = find_separations(objective_of(X, y))
    assert found.columns == (6,)
    assert found.n_rows == 7
    assert {own for own, _ in found.classes} == {3}
