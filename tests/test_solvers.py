import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from skperturb._solvers import lbfgs


def bowl(x):
    scale = np.arange(1.0, 1 + len(x))
    return 0.5 * (scale * (x - 1)) @ (x - 1), scale * (x - 1)


def test_finds_the_minimum():
    solution = lbfgs(bowl, np.zeros(6), tol=1e-8, max_iter=100)
    assert_allclose(solution.x, 1, atol=1e-7)
    assert_allclose(solution.value, 0, atol=1e-12)
    assert 1 <= solution.n_iter <= 30


def test_says_that_the_iterations_did_not_suffice():
    with pytest.warns(ConvergenceWarning, match="limit of max_iter=2 iterations"):
        solution = lbfgs(bowl, np.zeros(6), tol=1e-8, max_iter=2)
    assert solution.n_iter == 2


def test_says_that_precision_does_not_suffice_and_not_max_iter():
    def rough(x):
        value, gradient = bowl(x)
        return np.float64(np.float32(value + 1)), gradient + 1e-3

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lbfgs(rough, np.zeros(6), tol=1e-12, max_iter=1000)
    (warning,) = caught
    assert issubclass(warning.category, ConvergenceWarning)
    assert "precision" in str(warning.message)
    assert "max_iter" not in str(warning.message)


def test_nothing_to_do_at_the_minimum():
    assert lbfgs(bowl, np.ones(3), tol=1e-6, max_iter=10).n_iter == 0
