import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax

from skperturb._convolution import GumbelConvolution
from skperturb._kernel import SoftmaxKernel, TableKernel, make_kernel
from skperturb._tables import build_table
from skperturb.noise import Gaussian, Gumbel, Logistic, as_noise

from .conftest import FINITE_DIFFERENCES, IDENTITY, five_point, reference_cases

LAWS = {
    "gaussian": Gaussian(),
    "gaussian_2.5": Gaussian(2.5),
    "gumbel": Gumbel(),
    "gumbel_0.4": Gumbel(0.4),
    "logistic": Logistic(),
    "softmax_gaussian": GumbelConvolution(Gaussian(), 1.0),
    "softmax_logistic": GumbelConvolution(Logistic(0.5), 0.3),
}
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())


def scores_like(n, n_classes, seed=0, spread=2.0):
    return np.random.default_rng(seed).normal(scale=spread, size=(n, n_classes))


@pytest.mark.parametrize("model", ["argmax", "softmax"])
def test_reference_probabilities(model):
    for noise, temperature, scores, p in reference_cases(model, "gaussian", "gumbel", "logistic"):
        law = as_noise(noise)
        if model == "softmax":
            law = GumbelConvolution(law, temperature)
        kernel = TableKernel(law, scores.shape[1])
        visible = np.flatnonzero(p >= 1e-12)
        expected = np.log(p[visible])
        # The softmax references are good to 1e-13 in p.
        bound = 1e-9 + 1e-13 / p[visible] * (model == "softmax")
        assert np.all(np.abs(kernel.log_proba(scores)[0, visible] - expected) <= bound)
        own, _ = kernel.log_likelihood(np.repeat(scores, len(visible), 0), visible)
        assert np.all(np.abs(own - expected) <= bound)


@pytest.mark.parametrize("noise", ["gaussian", "logistic"])
def test_against_thirty_digits(noise):
    """Adaptive quadrature of the one-dimensional integral, in 30-digit arithmetic."""
    with mpmath.workdps(30):
        cdf, pdf = {
            "gaussian": (mpmath.ncdf, mpmath.npdf),
            "logistic": (
                lambda z: 1 / (1 + mpmath.exp(-z)),
                lambda z: 0.25 / mpmath.cosh(z / 2) ** 2,
            ),
        }[noise]
        scores = [0.7, -1.1, 2.3, 2.25, -3.9]
        kernel = TableKernel(as_noise(noise), len(scores))
        log_p = kernel.log_proba(np.array([scores]))[0]
        for i, own in enumerate(scores):
            others = scores[:i] + scores[i + 1 :]
            exact = mpmath.quad(
                lambda t, own=own, others=others: (
                    pdf(t - own) * mpmath.fprod(cdf(t - other) for other in others)
                ),
                [-60, -20, -8, -4, 0, 2, 4, 8, 20, 60],
            )
            assert abs(log_p[i] - float(mpmath.log(exact))) < 1e-10


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_perturb_softmax_is_the_mean_of_softmax(n_classes, temperature):
    """E softmax((scores + noise) / temperature), by Gauss-Hermite in every class's noise."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    grid = np.stack(np.meshgrid(*[nodes] * n_classes, indexing="ij"), axis=-1)
    mass = np.ones(())
    for _ in range(n_classes):
        mass = np.multiply.outer(mass, weights / weights.sum())
    scores = np.array([0.8, -0.3, -1.5])[:n_classes]
    exact = (softmax((scores + grid) / temperature, axis=-1) * mass[..., None]).sum(
        axis=tuple(range(n_classes))
    )
    p = make_kernel(GumbelConvolution(Gaussian(), temperature), n_classes).proba(scores[None])
    assert_allclose(p[0], exact, rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_gumbel_through_the_tables_is_softmax(n_classes, scale):
    scores = scale * scores_like(200, n_classes)
    y = np.random.default_rng(1).integers(n_classes, size=200)
    tables, closed = TableKernel(Gumbel(scale), n_classes), make_kernel(Gumbel(scale), n_classes)
    assert isinstance(closed, SoftmaxKernel)
    assert_allclose(closed.log_proba(scores), log_softmax(scores / scale, axis=1), rtol=IDENTITY)
    assert_allclose(tables.log_proba(scores), closed.log_proba(scores), rtol=0, atol=1e-10)
    assert_allclose(tables.proba(scores), closed.proba(scores), rtol=1e-10)
    for ours, theirs in zip(
        tables.log_likelihood(scores, y), closed.log_likelihood(scores, y), strict=True
    ):
        assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@laws
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_gradient_against_differences(law, n_classes):
    scores = scores_like(6, n_classes)
    y = np.arange(6) % n_classes
    kernel = make_kernel(law, n_classes)
    gradient = kernel.log_likelihood(scores, y)[1]
    expected = five_point(lambda s: kernel.log_likelihood(s, y)[0].sum(), scores, 1e-3)
    assert_allclose(gradient, expected, rtol=0, atol=FINITE_DIFFERENCES)


@laws
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_jacobian_and_potential_against_differences(law, n_classes):
    scores = scores_like(4, n_classes)
    kernel = make_kernel(law, n_classes)
    jacobian = kernel.jacobian(scores)
    for i in range(n_classes):
        expected = five_point(lambda s, i=i: kernel.proba(s)[:, i].sum(), scores, 1e-3)
        assert_allclose(jacobian[:, i], expected, rtol=0, atol=FINITE_DIFFERENCES)
    slope = five_point(lambda s: kernel.potential(s).sum(), scores, 1e-3)
    assert_allclose(slope, kernel.proba(scores), rtol=0, atol=FINITE_DIFFERENCES)
    assert_allclose(jacobian, jacobian.transpose(0, 2, 1), rtol=0, atol=IDENTITY)
    assert_allclose(jacobian.sum(axis=2), 0, atol=IDENTITY)


@laws
def test_potential_of_equal_scores_is_their_value(law):
    kernel = TableKernel(law, 5)
    assert_allclose(kernel.potential(np.zeros((1, 5))), 0, atol=IDENTITY)
    assert_allclose(kernel.potential(np.full((1, 5), 3.5)), 3.5, rtol=IDENTITY)
    # One class far above: the maximum is its own score plus its noise.
    gap = kernel.potential(np.array([[1e4, 0, 0, 0, 0]])) - kernel.potential(
        np.array([[2e4, 0, 0, 0, 0]])
    )
    assert_allclose(gap, -1e4, rtol=1e-10)


@laws
def test_likelihood_is_the_probability_of_the_class(law):
    scores = scores_like(60, 5, spread=4.0)
    y = np.arange(60) % 5
    kernel = make_kernel(law, 5)
    log_p = kernel.log_proba(scores)
    assert_allclose(kernel.log_likelihood(scores, y)[0], log_p[np.arange(60), y], rtol=0, atol=1e-9)
    assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=IDENTITY)
    assert_allclose(kernel.proba(scores), np.exp(log_p), rtol=IDENTITY)


@laws
def test_invariances(law):
    scores = scores_like(40, 6)
    kernel = make_kernel(law, 6)
    p = kernel.proba(scores)
    assert_allclose(kernel.proba(scores + 17.3), p, rtol=1e-9)
    order = np.random.default_rng(3).permutation(6)
    assert_allclose(kernel.proba(scores[:, order]), p[:, order], rtol=IDENTITY)
    one_by_one = np.concatenate([kernel.proba(row[None]) for row in scores])
    assert_allclose(one_by_one, p, rtol=IDENTITY)
    assert_allclose(kernel.proba(np.zeros((2, 6))), 1 / 6, rtol=IDENTITY)


@laws
def test_scores_and_noise_share_their_unit(law):
    """p(c * scores, c * noise) = p(scores, noise), and gradients shrink by c."""
    if isinstance(law, GumbelConvolution):
        noise, gumbel = law._parts
        tripled = GumbelConvolution(noise.__class__(3 * noise.scale), 3 * gumbel.scale)
    else:
        tripled = law.__class__(3 * law.scale)
    scores, y = scores_like(20, 4), np.arange(20) % 4
    log_p, gradient = make_kernel(law, 4).log_likelihood(scores, y)
    log_p3, gradient3 = make_kernel(tripled, 4).log_likelihood(3 * scores, y)
    assert_allclose(log_p3, log_p, rtol=0, atol=1e-9)
    assert_allclose(3 * gradient3, gradient, rtol=0, atol=1e-8)


@laws
def test_no_step_where_one_table_ends_and_the_next_begins(law):
    kernel = TableKernel(law, 3)
    target = np.array([2])
    for far in (False, True):
        reach = build_table(law, 8, far).reach
        inside, outside = (
            kernel.log_likelihood(np.array([[0.0, -1.0, -reach * factor]]), target)
            for factor in (1 - 1e-9, 1 + 1e-9)
        )
        assert_allclose(inside[0], outside[0], rtol=1e-6)
        assert_allclose(inside[1], outside[1], rtol=1e-6)


def test_gaussian_tail_against_the_closed_form_of_two_classes():
    from scipy.stats import norm

    gap = np.array([0.0, 1.0, 5.0, 9.0, 12.0, 30.0, 52.0, 60.0, 200.0, 1e4])
    scores = np.column_stack([np.zeros_like(gap), -gap])
    expected = norm.logcdf(-gap / np.sqrt(2))
    kernel = TableKernel(Gaussian(), 2)
    assert_allclose(kernel.log_proba(scores)[:, 1], expected, rtol=1e-9)
    log_p, gradient = kernel.log_likelihood(scores, np.ones(len(gap), dtype=int))
    assert_allclose(log_p, expected, rtol=1e-9)
    hazard = np.exp(norm.logpdf(gap / np.sqrt(2)) - expected) / np.sqrt(2)
    assert_allclose(gradient[:, 1], hazard, rtol=1e-6)


def test_logistic_tail_against_the_closed_form_of_two_classes():
    gap = np.array([1.0, 20.0, 60.0, 120.0, 690.0, 1e3, 3e3, 1e4, 1e6])
    scores = np.column_stack([np.zeros_like(gap), -gap])
    expected = -gap + np.log(gap - 1 + np.exp(-gap)) - 2 * np.log1p(-np.exp(-gap))
    kernel = TableKernel(Logistic(), 2)
    assert_allclose(kernel.log_proba(scores)[:, 1], expected, rtol=1e-9)
    log_p, gradient = kernel.log_likelihood(scores, np.ones(len(gap), dtype=int))
    assert_allclose(log_p, expected, rtol=1e-9)
    far = gap >= 60
    assert_allclose(gradient[far, 1], 1 - 1 / (gap[far] - 1), rtol=1e-9)


def test_large_scores_do_not_evaluate_the_convolution_again(monkeypatch):
    """Badly scaled data ask for thousands of probabilities that no table reaches."""
    points, average = [], GumbelConvolution._average

    def counted(self, log_function, x):
        points.append(np.size(x))
        return average(self, log_function, x)

    monkeypatch.setattr(GumbelConvolution, "_average", counted)
    kernel = make_kernel(GumbelConvolution(Logistic(), 1.0123), 20)
    scores = scores_like(100, 20, spread=60.0)
    assert_allclose(kernel.proba(scores).sum(axis=1), 1, rtol=IDENTITY)
    assert 0 < sum(points) < 300_000


@laws
def test_scores_of_any_size_give_finite_numbers(law):
    scores = np.array(
        [[0.0, 1e6, -1e6], [1e6, 1e6, 0.0], [-745, 0.0, 0.0], [0, 1e-300, 0], [1e200, 0, -1e300]]
    )
    kernel = TableKernel(law, 3)
    log_p = kernel.log_proba(scores)
    assert np.isfinite(log_p).all()
    assert_allclose(kernel.proba(scores).sum(axis=1), 1, rtol=IDENTITY)
    value, gradient = kernel.log_likelihood(scores, np.array([0, 2, 0, 1, 2]))
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("n_classes", [100, 2000, 20_000])
def test_many_classes_against_plain_quadrature(n_classes):
    """Where every class counts, on a fine trapezoid rule and without tables."""
    scores = scores_like(1, n_classes, spread=0.7)
    law = Gaussian()
    z = np.linspace(-2, 10, 2001) + scores.max()
    log_cdf = sum(law.logcdf(z - s) for s in scores[0])
    chosen = np.argsort(scores[0])[[0, n_classes // 2, -1]]
    exact = [
        np.log(np.exp(log_cdf + law.logpdf(z - s) - law.logcdf(z - s)).sum() * (z[1] - z[0]))
        for s in scores[0, chosen]
    ]
    kernel = make_kernel(law, n_classes)
    assert_allclose(kernel.log_proba(scores)[0, chosen], exact, rtol=0, atol=1e-9)
