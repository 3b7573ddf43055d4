import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skperturb._linear import _objective
from skperturb._linear._constraints import make_constraint
from skperturb._linear._losses import LOSSES
from skperturb._linear._objective import LinearObjective
from skperturb.noise import Gaussian, Gumbel, StudentT

from .conftest import FINITE_DIFFERENCES, IDENTITY, five_point

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
WEIGHT = RNG.integers(0, 4, size=40).astype(float)


def objective(n_classes, constraint="sum_to_zero", X=X, weight=WEIGHT, noise=None, **options):
    y = np.arange(len(weight)) % n_classes if "y" not in options else options.pop("y")
    options = {"C": 0.7, "fit_intercept": True, "loss": "log_loss"} | options
    noise = noise or Gaussian()
    loss = LOSSES[options.pop("loss")](noise, n_classes)
    return LinearObjective(
        X,
        y,
        weight,
        loss=loss,
        constraint=make_constraint(constraint, n_classes, 0),
        **options,
    )


@pytest.mark.parametrize("constraint", ["sum_to_zero", "reference", None])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("noise", [Gaussian(0.5), Gaussian(2.0), Gumbel(2.0)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", ["log_loss", "fenchel_young"])
def test_derivatives_against_differences(constraint, n_classes, noise, fit_intercept, loss):
    function = objective(n_classes, constraint, noise=noise, fit_intercept=fit_intercept, loss=loss)
    free = np.random.default_rng(1).normal(size=function.shape).ravel()
    expected = five_point(lambda x: function(x)[0], free, 1e-3)
    assert_allclose(function(free)[1], expected, rtol=0, atol=FINITE_DIFFERENCES)
    direction = np.random.default_rng(2).normal(size=free.shape)
    (second,) = function.curvatures(free)
    expected = five_point(
        lambda t: function(free + t * direction)[1] @ direction, np.zeros(()), 1e-3
    )
    assert_allclose(direction @ second @ direction, expected, rtol=0, atol=FINITE_DIFFERENCES)
    assert_allclose(second, second.T, rtol=0, atol=IDENTITY)


def test_the_stand_in_for_an_indefinite_matrix_is_semidefinite():
    function = objective(3, noise=StudentT(1.5), C=np.inf, y=np.arange(40) % 3)
    exact, information = function.curvatures(8 * np.random.default_rng(1).normal(size=8))
    assert np.linalg.eigvalsh(exact)[0] < -1e-4
    assert np.linalg.eigvalsh(information)[0] > -1e-12


def test_blocks_of_rows_change_nothing(monkeypatch):
    free = np.random.default_rng(1).normal(size=12)
    whole = objective(4)
    value, gradient = whole(free)
    (second,) = whole.curvatures(free)
    monkeypatch.setattr(_objective, "_BLOCK_ELEMENTS", 64)
    assert_allclose(whole(free)[0], value, rtol=IDENTITY)
    assert_allclose(whole(free)[1], gradient, rtol=0, atol=IDENTITY)
    assert_allclose(next(whole.curvatures(free)), second, rtol=0, atol=IDENTITY)


def test_value_written_out():
    """C * sum(s * loss) + |coef|^2 / 2, divided by C * sum(s)."""
    from scipy.stats import norm

    function = objective(2)
    w = np.array([0.3, -1.0, 0.8, 0.2])
    margin = (X @ w[:3] + w[3]) * np.where(np.arange(40) % 2, 1, -1)
    loss = -norm.logcdf(margin / np.sqrt(2))
    expected = (0.7 * WEIGHT @ loss + w[:3] @ w[:3] / 2) / (0.7 * WEIGHT.sum())
    assert_allclose(function(w)[0], expected, rtol=1e-10)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_is_dense(container):
    free = np.random.default_rng(1).normal(size=12)
    ours, theirs = objective(4, X=container(X)), objective(4)
    for one, other in zip(ours(free), theirs(free), strict=True):
        assert_allclose(one, other, rtol=1e-10, atol=IDENTITY)
    second = next(ours.curvatures(free)), next(theirs.curvatures(free))
    assert_allclose(*second, rtol=1e-10, atol=IDENTITY)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_that_are_combinations_of_others(container, dtype):
    def of(columns, fit_intercept=True):
        rows = container(np.column_stack(columns).astype(dtype))
        return objective(3, X=rows, weight=np.ones(40), fit_intercept=fit_intercept)

    first, second, third = X.T
    larger = of([1e3 * first, second + 5.0])
    for inside in (
        [first],
        [second],
        [1e-6 * (first - second)],
        [first + 2.0],
        [0 * first, second],
    ):
        assert larger.spans(of(inside))
    assert larger.spans(of([first], fit_intercept=False))
    for outside in ([third], [first, third], [first + 1e-3 * third], [first**2]):
        assert not larger.spans(of(outside))
    straight = of([first, second], fit_intercept=False)
    assert straight.spans(of([first + second], fit_intercept=False))
    assert not straight.spans(of([first + 2.0], fit_intercept=False))
    # A larger model whose own columns depend on each other spans the same space.
    assert of([first, second, first - second]).spans(of([second]))


def test_weights_are_repetitions():
    times = WEIGHT.astype(int)
    repeated = objective(
        4,
        X=np.repeat(X, times, axis=0),
        y=np.repeat(np.arange(40) % 4, times),
        weight=np.ones(times.sum()),
    )
    free = np.random.default_rng(1).normal(size=12)
    for ours, theirs in zip(repeated(free), objective(4)(free), strict=True):
        assert_allclose(ours, theirs, rtol=1e-10, atol=IDENTITY)
