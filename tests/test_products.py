"""Second derivatives times a vector, against the matrices; tables for other devices."""

import numpy as np
import pytest

from skperturb import PerturbArgmax, PerturbSoftmax
from skperturb._engine import portable_tables
from skperturb._engine._sums_numpy import log_likelihood

MODELS = [
    *(
        PerturbArgmax(name, 1.3)
        for name in ("gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "student_t")
    ),
    PerturbArgmax("cauchy", 0.5),
    PerturbArgmax("uniform", 8.0),
    PerturbSoftmax("gaussian", temperature=0.5),
    PerturbSoftmax("cauchy"),
]


@pytest.mark.parametrize("spread", [1.0, 12.0])
@pytest.mark.parametrize("n_classes", [2, 3, 12])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_products_are_those_of_the_matrices(model, n_classes, spread):
    """Near and deep rows: tables, what is beyond them, closed forms."""
    rng = np.random.default_rng(0)
    spread = min(spread, 2.0) if model.noise.bounded else spread
    scores = spread * rng.normal(size=(20, n_classes))
    y, v = rng.integers(n_classes, size=20), rng.normal(size=(20, n_classes))
    kernel = model._kernel(n_classes)
    hessian = np.einsum("njk,nk->nj", kernel.hessian(scores, y), v)
    jacobian = np.einsum("njk,nk->nj", kernel.jacobian(scores), v)
    np.testing.assert_allclose(kernel.hessian_product(scores, y, v), hessian, atol=1e-11)
    np.testing.assert_allclose(kernel.jacobian_product(scores, v), jacobian, atol=1e-11)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("name", ["gaussian", "logistic", "student_t", "cauchy"])
def test_portable_tables_are_as_precise_as_their_numbers(name, single):
    model, rng = PerturbArgmax(name), np.random.default_rng(1)
    tables = portable_tables(model.noise, 7, single)
    scores = 0.3 * tables.reaches[0] * rng.uniform(size=(50, 7))
    y = rng.integers(7, size=50)
    found = log_likelihood(tables.table(0), scores, y)
    exact = model._kernel(7).log_likelihood(scores, y)
    for ours, theirs in zip(found, exact, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6 if single else 2e-9)


def test_tables_of_single_precision_are_small():
    for name, share in (("gaussian", 0.4), ("student_t", 0.5), ("cauchy", 0.5)):
        law = PerturbArgmax(name).noise
        sizes = [portable_tables(law, 7, single).table(0).log_cdf.size for single in (True, False)]
        assert sizes[0] < share * sizes[1]


@pytest.mark.parametrize("name", ["laplace", "exponential", "gumbel"])
def test_noise_without_portable_tables(name):
    assert portable_tables(PerturbArgmax(name).noise, 7, True) is None
