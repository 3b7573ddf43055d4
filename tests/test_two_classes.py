"""Two classes by the law of the difference: against closed forms, and the general kernel."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from skperturb import PerturbArgmax, PerturbArgmaxClassifier, PerturbSoftmax
from skperturb._engine import _kernels, _two_numpy
from skperturb._engine._half_line import half_line
from skperturb._engine._sums import COMPILED
from skperturb._engine._two import TwoClassKernel
from skperturb.noise import StudentT

from .conftest import IDENTITY

logs = np.errstate(divide="ignore")(np.log)
LOG_P = 1e-12  # relative error of log p
FAR_SLOPE = 1e-10  # relative error of its derivatives
CLOSED = {
    "uniform": lambda x: 2 * logs(np.maximum(2 - x, 0)) - np.log(8),
    "gaussian": lambda x: special.log_ndtr(-x / np.sqrt(2)),
    "cauchy": lambda x: np.log(np.arctan2(2.0, x) / np.pi),
    "laplace": lambda x: np.log((2 + x) / 4) - x,
    "exponential": lambda x: -x - np.log(2),
    "gumbel": lambda x: -np.logaddexp(0, x),
    "gumbel_min": lambda x: -np.logaddexp(0, x),
}
SLOPES = {
    "gaussian": lambda x: np.sqrt(1 / np.pi) / special.erfcx(x / 2),
    "cauchy": lambda x: 2 / (4 + x**2) / np.arctan2(2.0, x),
    "laplace": lambda x: 1 - 1 / (2 + x),
    "exponential": np.ones_like,
    "gumbel": special.expit,
}
MODELS = {
    "gaussian": PerturbArgmax("gaussian"),
    "student_t": PerturbArgmax("student_t"),
    "t(1.5) in units of 3": PerturbArgmax(StudentT(1.5), noise_scale=3.0),
    "cauchy": PerturbArgmax("cauchy"),
    "laplace": PerturbArgmax("laplace"),
    "exponential": PerturbArgmax("exponential"),
    "gumbel_min": PerturbArgmax("gumbel_min"),
    "logistic": PerturbArgmax("logistic"),
    "skewnorm": PerturbArgmax(stats.skewnorm(4)),
    "uniform": PerturbArgmax("uniform", noise_scale=3.0),
    "beta": PerturbArgmax(stats.beta(2, 3, scale=5)),
    "triangular": PerturbArgmax(stats.triang(0.5, scale=5)),
    "softmax gaussian": PerturbSoftmax("gaussian", temperature=0.5),
    "softmax cauchy": PerturbSoftmax("cauchy"),
}


def margins(reach):
    rng = np.random.default_rng(0)
    x = np.concatenate([[0.0], rng.uniform(0, 30, 300), 10 ** rng.uniform(-6, 6, 300)])
    return x[x < reach]


@pytest.mark.parametrize("name", CLOSED)
def test_log_p_against_closed_forms(name):
    x = margins(1e7)
    scores = np.column_stack([np.zeros_like(x), x])
    expected = np.column_stack([CLOSED[name](x), np.log1p(-np.exp(CLOSED[name](x)))])
    log_p = PerturbArgmax(name).log_proba(scores)
    assert_allclose(log_p[:, 0], expected[:, 0], rtol=LOG_P)
    assert_allclose(log_p[:, 1], expected[:, 1], rtol=LOG_P)
    assert_allclose(PerturbArgmax(name).proba(scores)[:, 0], np.exp(expected[:, 0]), rtol=1e-9)


@pytest.mark.parametrize("name", SLOPES)
def test_slope_against_closed_forms(name):
    x = margins(1e6)
    kernel = PerturbArgmax(name)._kernel(2)
    _, gradient = kernel.log_likelihood(
        np.column_stack([np.zeros_like(x), x]), np.zeros(len(x), int)
    )
    assert_allclose(-gradient[:, 1], SLOPES[name](x), rtol=FAR_SLOPE)


@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_the_kernel_for_any_number_of_classes(name):
    model = MODELS[name]
    kernel = model._kernel(2)
    assert isinstance(kernel.standard, TwoClassKernel)
    general = _kernels.UnitKernel(kernel.standard._general, model._law())
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(60, 2)) * np.repeat([0.3, 3.0, 12.0], 20)[:, None]
    scores[-3:] *= 40
    y = rng.integers(0, 2, 60)
    tolerance = {"rtol": 1e-7, "atol": 1e-9}  # of the tables of the general kernel
    assert_allclose(kernel.proba(scores), general.proba(scores), **tolerance)
    assert_allclose(kernel.log_proba(scores), general.log_proba(scores), **tolerance)
    for mine, theirs in zip(
        kernel.log_likelihood(scores, y), general.log_likelihood(scores, y), strict=True
    ):
        assert_allclose(mine, theirs, **tolerance)
    # Derivatives of interpolated tables, and of meshes far out.
    hessian = {"rtol": 1e-4, "atol": 1e-6}
    assert_allclose(kernel.hessian(scores, y), general.hessian(scores, y), **hessian)
    assert_allclose(kernel.jacobian(scores), general.jacobian(scores), **tolerance)
    assert_allclose(kernel.potential(scores), general.potential(scores), **tolerance)


@pytest.mark.parametrize("name", MODELS)
def test_losses_of_margins(name):
    kernel = MODELS[name]._kernel(2)
    rng = np.random.default_rng(2)
    d = rng.normal(size=80) * np.repeat([0.3, 5.0, 40.0, 1e8], 20)
    y, weight = rng.integers(0, 2, 80), rng.uniform(0, 2, 80)
    scores, sign = np.column_stack([np.zeros(80), d]), 2.0 * y - 1
    log_p, gradient = kernel.log_likelihood(scores, y)
    total, slope, curvature, information = kernel.margin_log_loss(d, sign, weight)
    assert_allclose(total, -weight @ log_p, rtol=IDENTITY)
    assert_allclose(slope, -weight * gradient[:, 1], rtol=1e-9, atol=IDENTITY)
    assert_allclose(curvature, -weight * kernel.hessian(scores, y)[:, 1, 1], rtol=1e-9)
    expected = weight * _kernels.expected_information(kernel, scores)[:, 1, 1]
    assert_allclose(information, expected, rtol=1e-6, atol=1e-12)
    total, slope, curvature, _ = kernel.margin_fenchel_young(d, sign, weight)
    assert_allclose(total, weight @ (kernel.potential(scores) - y * d), rtol=1e-9)
    assert_allclose(slope, weight * (kernel.proba(scores)[:, 1] - y), rtol=1e-9, atol=IDENTITY)
    assert_allclose(curvature, weight * kernel.jacobian(scores)[:, 1, 1], rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("name", MODELS)
def test_equal_scores_have_the_mean_of_both_curvatures(name):
    """A fit starts there: one side's alone is 0 for exponential noise, a step without a length."""
    one, sign = np.ones(2), np.array([1.0, -1.0])
    kernel = MODELS[name]._kernel(2)
    _, _, curvature, information = kernel.margin_log_loss(np.zeros(2), sign, one)
    assert_allclose(curvature, information, rtol=IDENTITY)
    _, _, around, _ = kernel.margin_log_loss(np.array([1e-9, -1e-9]), np.ones(2), one)
    assert_allclose(curvature, around.mean(), rtol=1e-6)


def test_a_fit_with_exponential_noise_takes_no_more_steps_than_another():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = X @ [2.0, -1.0, 0.5] + rng.logistic(size=300) > 0
    assert PerturbArgmaxClassifier("exponential").fit(X, y).n_iter_[0] <= 7


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.skipif(not COMPILED, reason="built without a C compiler")
def test_compiled_functions_are_those_of_numpy(far):
    from skperturb._engine import _two_c

    table = half_line(StudentT(4), far)
    rng = np.random.default_rng(3)
    d = 10 ** rng.uniform(-8, np.log10(table.reach), 1000) * rng.choice([-1, 1], 1000)
    d[:3] = 0.0, -table.reach, 2 * table.reach
    sign, weight = rng.choice([-1.0, 1.0], 1000), rng.uniform(0, 2, 1000)
    arguments = (table, d, 2.5)
    assert_allclose(_two_c.functions(*arguments), _two_numpy.functions(*arguments), 1e-11, 1e-15)
    assert_allclose(_two_c.proba(*arguments), _two_numpy.proba(*arguments), rtol=IDENTITY)
    for name in ("log_loss", "fenchel_young"):
        mine, theirs = (
            getattr(module, name)(table, d, sign, weight, 2.5) for module in (_two_c, _two_numpy)
        )
        for first, second in zip(mine, theirs, strict=True):
            assert_allclose(first, second, rtol=1e-10, atol=IDENTITY)


def test_nothing_is_lost_next_to_the_end_of_bounded_noise():
    distance = 2.0 ** -np.arange(0, 52)
    d = np.concatenate([2 - distance, [2.0, np.nextafter(2, 3), 1e300]])
    scores = np.column_stack([np.zeros_like(d), d])
    model = PerturbArgmax("uniform")
    log_p, (_, gradient) = (
        model.log_proba(scores),
        model._kernel(2).log_likelihood(scores, np.zeros(len(d), int)),
    )
    assert_allclose(log_p[:-3, 0], 2 * np.log(distance) - np.log(8), rtol=LOG_P)
    assert_allclose(-gradient[:-3, 1], 2 / distance, rtol=FAR_SLOPE)
    assert np.all(np.isneginf(log_p[-3:, 0]))
    assert np.all(log_p[-3:, 1] == 0)
    assert np.all(model.proba(scores)[-3:] == [0.0, 1.0])
    assert np.all(gradient[-3:] == 0)


@pytest.mark.parametrize("parameters", [(2, 3), (2, 2), (4, 2)])
def test_bounded_noise_against_its_polynomial(parameters):
    law = stats.beta(*parameters)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    d = np.concatenate([np.linspace(0, 0.98, 40), 1 - 10.0 ** -np.arange(2, 7)])
    # P(noise' - noise > d), the first of them d + (1 - d) u: exact by so many nodes.
    u, weights = (nodes + 1) / 2, weights / 2
    at = (1 - d)[:, None] * u
    one, (a, b) = (1 - at) - d[:, None], parameters
    density = (at + d[:, None]) ** (a - 1) * one ** (b - 1)
    expected = np.log((1 - d) * (density * law.cdf(at) @ weights) / special.beta(a, b))
    log_p = PerturbArgmax(law).log_proba(np.column_stack([np.zeros_like(d), d]))
    assert_allclose(log_p[:, 0], expected, rtol=1e-11)
