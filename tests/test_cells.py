"""Laws as cells: against the mesh that checks itself, derivatives, and what they must refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb import PerturbArgmax
from skperturb._engine import COMPILED
from skperturb._engine._interpolant import interpolant
from skperturb._engine._kernels import make_kernel
from skperturb._engine._row_mesh import DirectKernel
from skperturb._engine._table import NotTabulableError
from skperturb.noise import Cauchy, StudentT, from_scipy, interquartile_range

from .conftest import FINITE_DIFFERENCES, IDENTITY

pytestmark = pytest.mark.skipif(not COMPILED, reason="built without a C compiler")
P = 1e-12  # error of a probability
LAWS = {
    "cauchy": Cauchy(),
    "t(1.5)": StudentT(1.5),
    "gamma": from_scipy(stats.gamma(3)).standard(),
    "half normal": from_scipy(stats.halfnorm()).standard(),
    "lomax": from_scipy(stats.lomax(3)).standard(),
    "triangular": from_scipy(stats.triang(0.3)).standard(),
    "normal, cut off": from_scipy(stats.truncnorm(-1, 2)).standard(),
    "asymmetric laplace": from_scipy(stats.laplace_asymmetric(2)).standard(),
}
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())


def kernel_of(law):
    from skperturb._engine._cells import CellKernel

    return CellKernel(law)


def scores_for(law, n_classes, n=8, seed=0):
    rng = np.random.default_rng(seed)
    sizes = np.repeat([0.05, 0.2] if np.isfinite(law.support).all() else [0.3, 3.0], n // 2)
    scores = rng.normal(size=(n, n_classes)) * sizes[:, None] * interquartile_range(law)
    scores[0] = 0.0
    return scores, rng.integers(0, n_classes, n)


@laws
@pytest.mark.parametrize("n_classes", [2, 3, 7, 30])
def test_agrees_with_the_mesh(law, n_classes):
    kernel, mesh = kernel_of(law), DirectKernel(law)
    scores, y = scores_for(law, n_classes, 8 if n_classes < 30 else 4)
    assert_allclose(kernel.proba(scores), mesh.proba(scores), atol=P)
    assert_allclose(kernel.log_proba(scores), mesh.log_proba(scores), rtol=1e-9, atol=P)
    assert_allclose(kernel.potential(scores), mesh.potential(scores), atol=1e-9)
    for mine, other in zip(
        kernel.log_likelihood(scores, y), mesh.log_likelihood(scores, y), strict=True
    ):
        assert_allclose(mine, other, rtol=1e-9, atol=1e-10)
    assert_allclose(kernel.jacobian(scores), mesh.jacobian(scores), atol=1e-9)
    # The mesh takes slopes of log hazards, which are less exact next to an end of the support, and
    # least where several classes stand there.
    mine, other = kernel.hessian(scores, y), mesh.hessian(scores, y)
    assert_allclose(mine[1:], other[1:], atol=1e-6 * np.abs(other).max())
    assert_allclose(mine[0], other[0], atol=1e-4 * np.abs(other).max())


@laws
def test_derivatives_are_those_of_the_values(law):
    kernel = kernel_of(law)
    scores, y = scores_for(law, 4, seed=1)
    h = 1e-5 * interquartile_range(law)
    step = np.zeros(4)
    step[2] = h
    up, down = scores + step, scores - step
    slope = (kernel.potential(up) - kernel.potential(down)) / (2 * h)
    tolerance = {"atol": FINITE_DIFFERENCES, "rtol": FINITE_DIFFERENCES}
    assert_allclose(slope, kernel.proba(scores)[:, 2], **tolerance)
    slope = (kernel.proba(up) - kernel.proba(down)) / (2 * h)
    assert_allclose(slope[1:], kernel.jacobian(scores)[1:, 2], **tolerance)
    (above, slopes_above), (below, slopes_below) = (
        kernel.log_likelihood(rows, y) for rows in (up, down)
    )
    _, gradient = kernel.log_likelihood(scores, y)
    assert_allclose((above - below) / (2 * h), gradient[:, 2], **tolerance)
    # At equal scores a second derivative may jump.
    slope = (slopes_above - slopes_below)[1:] / (2 * h)
    assert_allclose(slope, kernel.hessian(scores, y)[1:, 2], **tolerance)


@pytest.mark.parametrize("df", [0.5, 1.0, 4.0])
def test_far_classes_of_heavy_tails(df):
    kernel = kernel_of(StudentT(df))
    scores = np.array([[0.0, -1e3, -1e5], [0.0, -1.0, -1e6], [0.0, 0.0, -5e3]])
    p, log_p = kernel.proba(scores), kernel.log_proba(scores)
    assert_allclose(p.sum(axis=1), 1, rtol=IDENTITY)
    y = np.full(3, 2)
    assert_allclose(kernel.log_likelihood(scores, y)[0], log_p[:, 2], rtol=1e-9)
    # Far out, the last class wins where its own noise is as large as its distance.
    tail = StudentT(df).logsf(-scores[:, 2])
    assert_allclose(log_p[:, 2], tail, atol=0.8)
    # Whole units of scores further, by Simpson's rule, whatever the moments of the noise.
    steps = np.array([[0.0, 0.0, 1.0]])
    mean = (
        sum(w * kernel.proba(scores + k * steps)[:, 2] for k, w in ((0, 1), (0.5, 4), (1, 1))) / 6
    )
    gain = kernel.potential(scores + steps) - kernel.potential(scores)
    assert_allclose(gain, mean, rtol=1e-5, atol=1e-9)
    assert_allclose(kernel.potential(np.zeros((1, 9))), 0, atol=P)


def test_bounded_noise_gives_exact_zeros():
    model = PerturbArgmax(stats.triang(0.5))
    scores = np.array([[0.0, -0.3, -1.5], [2.0, 0.5, 0.0], [0.0, -1.0, -0.999]])
    kernel = model._kernel(3)
    p, log_p = model.proba(scores), model.log_proba(scores)
    impossible = scores.max(axis=1, keepdims=True) - scores >= 1
    assert np.all(p[impossible] == 0)
    assert np.all(np.isneginf(log_p[impossible]))
    assert np.all(np.isfinite(log_p[~impossible]))
    log_p_y, gradient = kernel.log_likelihood(scores, np.array([2, 1, 1]))
    assert np.all(np.isneginf(log_p_y))
    assert np.all(gradient == 0)
    assert np.all(np.isfinite(kernel.hessian(scores, np.array([2, 1, 1]))))


def test_what_the_cells_do_not_hold_goes_to_the_mesh():
    law = LAWS["half normal"]
    kernel, mesh = kernel_of(law), DirectKernel(law)
    scores, y = np.array([[0.0, -45.0, -1.0], [0.0, -1.0, -2.0]]), np.array([1, 1])
    assert_allclose(kernel.log_proba(scores), mesh.log_proba(scores), rtol=1e-9)
    assert_allclose(
        kernel.log_likelihood(scores, y)[0], mesh.log_likelihood(scores, y)[0], rtol=1e-9
    )


@pytest.mark.parametrize("distribution", [stats.gamma(0.5), stats.gamma(2.5)])
def test_densities_that_are_no_polynomials_are_refused(distribution):
    law = from_scipy(distribution).standard()
    with pytest.raises(NotTabulableError):
        kernel_of(law)
    assert type(make_kernel(law, 3).standard) is DirectKernel


@pytest.mark.parametrize("law", [Cauchy(), StudentT(0.7), StudentT(1.5)], ids=repr)
@pytest.mark.parametrize("gap", [1e3, 1e9, 1e15])
def test_classes_far_below_keep_their_digits(law, gap):
    """A step down is no number of digits of the distance to a class that is far away."""
    law = interpolant(law)
    kernel, mesh = kernel_of(law), DirectKernel(law)
    middle = [[0, -gap, -2 * gap], [0, -1e-3 * gap, -gap], [-gap, -gap - 3, -gap / 2]]
    scores = np.array([*middle, [0, 0, -gap], [0, -0.5, -gap]])
    y = np.array([2, 2, 0, 2, 2])
    assert_allclose(kernel.log_proba(scores), mesh.log_proba(scores), atol=IDENTITY)
    for mine, other in zip(
        kernel.log_likelihood(scores, y), mesh.log_likelihood(scores, y), strict=True
    ):
        assert_allclose(mine, other, rtol=1e-9, atol=IDENTITY)
