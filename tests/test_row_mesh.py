import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb._engine._row_mesh import DirectKernel
from skperturb.noise import (
    Cauchy,
    Exponential,
    Gaussian,
    GumbelMin,
    Laplace,
    Logistic,
    StudentT,
    Uniform,
    from_scipy,
)

from .conftest import FINITE_DIFFERENCES, IDENTITY

GAPS = np.array([0.0, 0.3, 5.0, 30.0, 100.0, 300.0, 700.0, 1000.0])
ABSOLUTE, RELATIVE = 1e-9, 1e-10  # what log p is to agree to
SMOOTH = [Gaussian(), Logistic(), GumbelMin(), StudentT(4), Cauchy()]
ROUGH = [Laplace(), Exponential(), from_scipy(stats.gamma(0.3)), from_scipy(stats.lognorm(3))]


def of_two(law):
    """log P(the lower of two classes wins), gap by gap."""
    return DirectKernel(law).log_proba(np.column_stack([np.zeros(len(GAPS)), -GAPS]))[:, 1]


@pytest.mark.parametrize(
    ("law", "closed_form"),
    [
        (GumbelMin(), lambda d: -np.logaddexp(0, d)),
        (Exponential(), lambda d: -d - np.log(2)),
        (Laplace(), lambda d: np.log(2 + d) - d - np.log(4)),
        (Cauchy(), lambda d: np.log(np.arctan2(2, d) / np.pi)),
        (Gaussian(), lambda d: stats.norm.logsf(d / np.sqrt(2))),
    ],
    ids=["gumbel_min", "exponential", "laplace", "cauchy", "gaussian"],
)
def test_closed_forms_of_two_classes(law, closed_form):
    assert_allclose(of_two(law), closed_form(GAPS), atol=ABSOLUTE, rtol=RELATIVE)


@pytest.mark.parametrize("n_classes", [3, 5, 12, 20])
@pytest.mark.parametrize("law", [*SMOOTH, *ROUGH], ids=repr)
def test_log_p_is_the_same_on_the_mesh_of_one_class_and_of_all(law, n_classes):
    rng = np.random.default_rng(n_classes)
    delta = np.sort(rng.uniform(0, 1000, (4, n_classes)), axis=1)
    delta[:2, 1:] = np.sort(rng.uniform(600, 1000, (2, n_classes - 1)), axis=1)
    delta[:, 0] = 0.0
    kernel = DirectKernel(law)
    target = np.array([1, n_classes - 1, 1, n_classes - 1])
    log_p = kernel.of_targets(delta, target)[0]
    together = kernel.log_proba(-delta)[np.arange(4), target]
    assert np.isfinite(log_p).all()
    assert_allclose(log_p, together, atol=ABSOLUTE, rtol=RELATIVE)


def test_bounded_noise_is_impossible_beyond_its_width():
    log_p = of_two(Uniform())
    assert_allclose(log_p[:2], np.log((2 - GAPS[:2]) ** 2 / 8), atol=ABSOLUTE)
    assert np.isneginf(log_p[2:]).all()


@pytest.mark.parametrize(
    "distribution",
    [
        stats.gamma(0.05),
        stats.gamma(0.3),
        stats.beta(0.1, 0.1),
        stats.arcsine(),
        stats.dweibull(0.5),
        stats.dgamma(0.5, loc=1),
        stats.loguniform(1e-3, 1e3),
        stats.levy(),
        stats.semicircular(),
    ],
    ids=lambda distribution: distribution.dist.name,
)
def test_derivatives_where_a_density_is_steep(distribution):
    kernel = DirectKernel(from_scipy(distribution))
    width = distribution.isf(0.25) - distribution.ppf(0.25)
    scores = np.array([0.5, 0.0, 0.13, -0.21])
    shifts = 1e-3 * np.array([-2, -1, 1, 2])
    # Five-point differences of all rows at once, in units of the width.
    rows = width * (scores + np.multiply.outer(shifts, np.eye(4))).reshape(-1, 4)
    weights = np.array([1, -8, 8, -1]) / 12e-3
    y, here = np.full(len(rows), 2), width * scores[None]

    def slopes(values):
        return np.tensordot(weights, values.reshape(4, 4, *values.shape[1:]), 1)

    log_p, gradient = kernel.log_likelihood(rows, y)
    exact = kernel.log_likelihood(here, y[:1])[1][0]
    assert_allclose(exact * width, slopes(log_p), atol=FINITE_DIFFERENCES)
    exact = kernel.hessian(here, y[:1])[0]
    assert_allclose(exact * width**2, slopes(gradient) * width, atol=FINITE_DIFFERENCES)
    exact = kernel.jacobian(here)[0]
    assert_allclose(exact * width, slopes(kernel.proba(rows)), atol=FINITE_DIFFERENCES)
    mean = slopes(kernel.potential(rows)) / width
    assert_allclose(kernel.proba(here)[0], mean, atol=FINITE_DIFFERENCES)


def test_equal_classes_share_what_lies_nearer_than_numbers_do():
    # P(noise < 1e-300) is 1e-3 here, and all classes are there at once.
    kernel = DirectKernel(from_scipy(stats.gamma(0.01)))
    assert_allclose(kernel.proba(np.zeros((1, 5))), 0.2, rtol=IDENTITY)
