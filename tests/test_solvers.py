import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperturb._linalg import unit_diagonal
from skperturb._linear._solvers import choose_solver, minimize

from .conftest import IDENTITY

solvers = pytest.mark.parametrize("solver", ["newton", "lbfgs"])


class Bowl:
    """Convex, its curvatures 1, 2, 3, ...; at its lowest at 1."""

    def __call__(self, x):
        scale = np.arange(1.0, 1 + len(x))
        return 0.5 * (scale * (x - 1)) @ (x - 1), scale * (x - 1)

    def curvatures(self, x):
        yield np.diag(np.arange(1.0, 1 + len(x)))


class Valley:
    """Rosenbrock's function of two variables: not convex, its minimum 0 at (1, 1)."""

    def __call__(self, x):
        value = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        slope = [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]
        return value, np.array(slope)

    def curvatures(self, x):
        yield np.array([[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]])


class Hills:
    """sum(1 - exp(-x^2 / 2)): beyond 1 its second derivative is negative."""

    def __call__(self, x):
        bell = np.exp(-(x**2) / 2)
        return (1 - bell).sum(), x * bell

    def curvatures(self, x):
        yield np.diag((1 - x**2) * np.exp(-(x**2) / 2))
        yield np.eye(len(x))


def test_a_unit_diagonal_of_one_matrix_and_of_many():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(5, 3, 3)) * 10.0 ** rng.integers(-8, 8, (5, 3, 1))
    matrices = factors @ factors.transpose(0, 2, 1)
    matrices[0, 1] = matrices[0, :, 1] = 0.0
    scaled, root = unit_diagonal(matrices, of_zero=7.0)
    assert root[0, 1] == 7.0
    diagonal = np.diagonal(scaled, axis1=1, axis2=2)
    assert_allclose(diagonal, np.diagonal(matrices, axis1=1, axis2=2) > 0, rtol=IDENTITY)
    for k in range(5):
        one, units = unit_diagonal(matrices[k], of_zero=7.0)
        assert_array_equal(one, scaled[k])
        assert_allclose(one * units * units[:, None], matrices[k], rtol=IDENTITY)


@solvers
def test_finds_the_minimum(solver):
    solution = minimize(Bowl(), np.zeros(6), solver=solver, tol=1e-8, max_iter=100)
    assert_allclose(solution.x, 1, atol=1e-7)
    assert_allclose(solution.value, 0, atol=1e-12)
    assert solution.problem is None
    assert 1 <= solution.n_iter <= (1 if solver == "newton" else 30)


@solvers
def test_finds_the_end_of_a_bent_valley(solver):
    solution = minimize(Valley(), np.array([-1.2, 1.0]), solver=solver, tol=1e-8, max_iter=100)
    assert_allclose(solution.x, 1, atol=1e-6)
    assert solution.problem is None


def test_newton_always_descends():
    """From where the second derivative is indefinite, and from where nothing stands in for it."""
    values = []
    start = np.array([0.5, 1.5, -2.0])
    for hills in (Hills(), Exact()):
        solution = minimize(
            hills,
            start,
            solver="newton",
            tol=1e-8,
            max_iter=100,
            monitor=lambda x, hills=hills: values.append(hills(x)[0]),
        )
        assert_allclose(solution.x, 0, atol=1e-7)
        assert np.all(np.diff([hills(start)[0], *values]) <= 0)
        values.clear()


class Exact(Hills):
    def curvatures(self, x):
        yield next(super().curvatures(x))


def test_newton_leaves_a_flat_direction_alone():
    class Flat(Bowl):
        def __call__(self, x):
            value, slope = super().__call__(x[:1])
            return value, np.append(slope, 0.0)

        def curvatures(self, x):
            yield np.diag([1.0, 0.0])

    solution = minimize(Flat(), np.array([5.0, 3.0]), solver="newton", tol=1e-8, max_iter=9)
    assert_allclose(solution.x, [1.0, 3.0], rtol=1e-8)


@solvers
def test_says_that_the_iterations_did_not_suffice(solver):
    solution = minimize(Valley(), np.zeros(2), solver=solver, tol=1e-8, max_iter=2)
    assert "limit of max_iter=2 iterations" in solution.problem
    assert solution.n_iter == 2


@solvers
def test_says_that_precision_does_not_suffice_and_not_max_iter(solver):
    class Rough(Bowl):
        def __call__(self, x):
            value, gradient = super().__call__(x)
            return np.float64(np.float32(value + 1)), gradient + np.copysign(1e-3, gradient)

    solution = minimize(Rough(), np.zeros(6), solver=solver, tol=1e-12, max_iter=1000)
    assert "precision" in solution.problem
    assert "max_iter" not in solution.problem


@solvers
def test_nothing_to_do_at_the_minimum(solver):
    assert minimize(Bowl(), np.ones(3), solver=solver, tol=1e-6, max_iter=10).n_iter == 0


@solvers
def test_a_monitor_sees_each_iteration_and_may_stop(solver):
    seen = []

    def monitor(x):
        seen.append(x)
        return len(seen) == 3

    solution = minimize(
        Valley(), np.zeros(2), solver=solver, tol=1e-8, max_iter=50, monitor=monitor
    )
    assert solution.n_iter == len(seen) == 3
    assert solution.problem is None
    assert_array_equal(solution.x, seen[-1])


@pytest.mark.parametrize(
    ("n_rows", "n_parameters", "solver"),
    [(62, 400, "newton"), (62, 401, "lbfgs"), (1000, 100, "newton"), (1001, 100, "lbfgs")],
)
def test_the_solver_goes_by_size(n_rows, n_parameters, solver):
    assert choose_solver(n_rows, n_parameters) == solver
