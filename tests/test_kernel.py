import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import expit, log_softmax, softmax

from skperturb._engine._convolution import GumbelConvolution, convolution
from skperturb._engine._kernels import SoftmaxKernel, TableKernel, expected_information, make_kernel
from skperturb._engine._panels import graded_mesh
from skperturb._engine._two import TwoClassKernel
from skperturb.noise import (
    Cauchy,
    Discrete,
    Exponential,
    Gaussian,
    Gumbel,
    GumbelMin,
    Laplace,
    Logistic,
    StudentT,
    Uniform,
    as_noise,
    from_scipy,
    has_thin_tails,
)

from .conftest import FINITE_DIFFERENCES, IDENTITY, five_point, reference_cases

LAWS = {
    "gaussian": Gaussian(),
    "gaussian_2.5": Gaussian(2.5),
    "gumbel": Gumbel(),
    "gumbel_0.4": Gumbel(0.4),
    "gumbel_min": GumbelMin(),
    "logistic": Logistic(),
    "laplace": Laplace(),
    "exponential_0.5": Exponential(0.5),
    "student_t": StudentT(4),
    "student_t_1.5": StudentT(1.5, scale=2.0),
    "cauchy": Cauchy(),
    "scipy_norm": from_scipy(stats.norm(loc=1)),
    "scipy_lognorm": from_scipy(stats.lognorm(1)),
    "softmax_gaussian": convolution(Gaussian(), 1.0),
    "softmax_logistic": convolution(Logistic(0.5), 0.3),
    "softmax_laplace": convolution(Laplace(), 1.0),
    "softmax_laplace_cold": convolution(Laplace(), 0.02),
    "softmax_uniform": convolution(Uniform(), 0.5),
    "softmax_exponential": convolution(Exponential(), 2.0),
    "softmax_cauchy": convolution(Cauchy(), 0.5),
    "softmax_student_t": convolution(StudentT(4, scale=2.0), 3.0),
    "softmax_discrete": convolution(Discrete([-1, 0, 2], [0.2, 0.5, 0.3], scale=0.5), 1.0),
    "softmax_discrete_cold": convolution(Discrete(), 0.05),
}
BOUNDED = {
    "uniform": Uniform(),
    "uniform_2.5": Uniform(2.5),
    "scipy_triang": from_scipy(stats.triang(0.3)),
}
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
all_laws = pytest.mark.parametrize(
    "law", [*LAWS.values(), *BOUNDED.values()], ids=[*LAWS.keys(), *BOUNDED.keys()]
)


def scores_like(n, n_classes, seed=0, spread=2.0):
    return np.random.default_rng(seed).normal(scale=spread, size=(n, n_classes))


SMOOTH = ("gaussian", "gumbel", "logistic", "exponential")
REFERENCES = {
    # noise: what |d log p| may be, for p >= 1e-12
    "argmax": dict.fromkeys(SMOOTH, 1e-9) | {"laplace": 1e-9, "student_t": 1e-9, "cauchy": 1e-9},
    "softmax": dict.fromkeys((*SMOOTH, "laplace", "uniform"), 1e-9),
}


@pytest.mark.parametrize(
    ("model", "noise"), [(model, noise) for model, bars in REFERENCES.items() for noise in bars]
)
def test_reference_probabilities(model, noise):
    for law, temperature, scores, p in reference_cases(model, noise):
        if (noise, temperature) in {("laplace", 0.5), ("exponential", 0.5)}:
            continue  # off by 2e-8 themselves: see the test of the kinked convolution
        if model == "softmax":
            law = convolution(law, temperature)
        kernel = make_kernel(law, scores.shape[1])
        visible = np.flatnonzero(p >= 1e-12)
        expected = np.log(p[visible])
        # The softmax references are good to 1e-13 in p.
        bound = REFERENCES[model][noise] + 1e-13 / p[visible] * (model == "softmax")
        assert np.all(np.abs(kernel.log_proba(scores)[0, visible] - expected) <= bound)
        own, _ = kernel.log_likelihood(np.repeat(scores, len(visible), 0), visible)
        assert np.all(np.abs(own - expected) <= bound)


def test_reference_probabilities_of_bounded_noise():
    for law, _, scores, p in reference_cases("argmax", "uniform"):
        result = make_kernel(law, scores.shape[1]).proba(scores)[0]
        assert np.array_equal(result == 0, p == 0)
        assert_allclose(result, p, rtol=1e-9, atol=0)


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


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 0.5, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("noise", ["laplace", "exponential", "uniform", "cauchy", "student_t"])
def test_softmax_of_two_classes_is_a_mean_over_the_difference_of_their_noise(noise, temperature):
    """E expit((gap + d) / tau), d the difference of two noises, whose density is known."""
    density, ends = {
        "laplace": (lambda d: (1 + abs(d)) * np.exp(-abs(d)) / 4, (-80, 80)),
        "exponential": (lambda d: np.exp(-abs(d)) / 2, (-80, 80)),
        "uniform": (lambda d: np.maximum(2 - abs(d), 0) / 4, (-2, 2)),
        "cauchy": (stats.cauchy(scale=2).pdf, (-1e17, 1e17)),
        # The difference of two t variables has no simple density for other df than this.
        "student_t": (stats.cauchy(scale=2).pdf, (-1e17, 1e17)),
    }[noise]
    gap = np.array([0.3, 1.0, 1.7])
    for one in gap:
        breaks = np.array([[0.0, -one, *(-one + temperature * np.array([-8.0, -3, 3, 8]))]])
        low, high = np.array([ends[0]]), np.array([ends[1]])
        scale = np.array([min(1.0, temperature) / 20])
        d, log_weights, *_ = graded_mesh(breaks, low, high, scale)
        exact = np.exp(log_weights) @ (density(d) * expit((one + d) / temperature))
        law = convolution(StudentT(1) if noise == "student_t" else as_noise(noise), temperature)
        p = make_kernel(law, 2).proba(np.array([[one, 0.0]]))
        assert_allclose(p[0], [exact, 1 - exact], rtol=0, atol=1e-9)


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
    expected = TwoClassKernel if n_classes == 2 else SoftmaxKernel
    assert isinstance(closed.standard, expected)
    assert_allclose(closed.log_proba(scores), log_softmax(scores / scale, axis=1), rtol=IDENTITY)
    assert_allclose(tables.log_proba(scores), closed.log_proba(scores), rtol=0, atol=1e-10)
    assert_allclose(tables.proba(scores), closed.proba(scores), rtol=1e-10)
    for ours, theirs in zip(
        tables.log_likelihood(scores, y), closed.log_likelihood(scores, y), strict=True
    ):
        assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@all_laws
@pytest.mark.parametrize("n_classes", [2, 4])
def test_derivatives_against_differences(law, n_classes):
    """Of log p_y, p and the potential, at scores of the size of the noise and larger."""
    spread = 0.15 * (law.isf(0.25) - law.ppf(0.25)) if law in BOUNDED.values() else 2.0
    scores, y = scores_like(2, n_classes, spread=spread), np.array([0, n_classes - 1])
    kernel = make_kernel(law, n_classes)

    def check(derivative, function):
        expected = five_point(lambda s: function(s).sum(), scores, 1e-3 * spread)
        assert_allclose(derivative, expected, rtol=0, atol=FINITE_DIFFERENCES)

    gradient, hessian = kernel.log_likelihood(scores, y)[1], kernel.hessian(scores, y)
    check(gradient, lambda s: kernel.log_likelihood(s, y)[0])
    jacobian = kernel.jacobian(scores)
    check(kernel.proba(scores), kernel.potential)
    for i in range(n_classes):
        check(jacobian[:, i], lambda s, i=i: kernel.proba(s)[:, i])
        check(hessian[:, i], lambda s, i=i: kernel.log_likelihood(s, y)[1][:, i])
    for matrices in (jacobian, hessian):
        assert_allclose(matrices, matrices.transpose(0, 2, 1), rtol=0, atol=1e-9)
        assert_allclose(matrices.sum(axis=2), 0, atol=IDENTITY * np.abs(matrices).max())


@all_laws
def test_expected_information_is_the_mean_of_the_squared_gradient(law):
    spread = 0.1 * (law.isf(0.25) - law.ppf(0.25))
    scores = scores_like(3, 4, spread=spread)
    kernel = make_kernel(law, 4)
    information, expected = expected_information(kernel, scores), 0.0
    for i in range(4):
        log_p, gradient = kernel.log_likelihood(scores, np.full(3, i))
        expected = expected + np.exp(log_p)[:, None, None] * (
            gradient[:, :, None] * gradient[:, None, :]
        )
    assert_allclose(information, expected, rtol=1e-7, atol=1e-9)
    assert np.linalg.eigvalsh(information).min() > -1e-9
    # The mean of minus the Hessian, too, where the support does not depend on the scores.
    if np.isinf(law.support[0]):
        mean = -sum(
            np.exp(kernel.log_likelihood(scores, np.full(3, i))[0])[:, None, None]
            * kernel.hessian(scores, np.full(3, i))
            for i in range(4)
        )
        assert_allclose(information, mean, rtol=0, atol=1e-7)


@laws
def test_potential_of_equal_scores_is_their_value(law):
    kernel = make_kernel(law, 5)
    assert_allclose(kernel.potential(np.zeros((1, 5))), 0, atol=IDENTITY)
    assert_allclose(kernel.potential(np.full((1, 5), 3.5)), 3.5, rtol=IDENTITY)
    if not has_thin_tails(law):
        return
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
    own = log_p[np.arange(60), y]
    assert_allclose(kernel.log_likelihood(scores, y)[0], own, rtol=1e-9, atol=2e-9)
    assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=IDENTITY)
    assert_allclose(kernel.proba(scores), np.exp(log_p), rtol=IDENTITY)


@laws
def test_invariances(law):
    scores = scores_like(40, 6)
    kernel = make_kernel(law, 6)
    p = kernel.proba(scores)
    assert_allclose(kernel.proba(scores + 17.3), p, rtol=1e-9)
    order = np.random.default_rng(3).permutation(6)
    assert_allclose(kernel.proba(scores[:, order]), p[:, order], rtol=1e-10)
    one_by_one = np.concatenate([kernel.proba(row[None]) for row in scores])
    assert_allclose(one_by_one, p, rtol=IDENTITY)
    assert_allclose(kernel.proba(np.zeros((2, 6))), 1 / 6, rtol=IDENTITY)


@laws
def test_scores_and_noise_share_their_unit(law):
    """p(c * scores, c * noise) = p(scores, noise), and gradients shrink by c."""
    if hasattr(law.standard(), "_parts"):
        noise, gumbel = law.standard()._parts
        tripled = convolution(as_noise(noise, 3 * law.scale), 3 * law.scale * gumbel.scale)
    else:
        tripled = as_noise(law, 3)
    scores, y = scores_like(20, 4), np.arange(20) % 4
    log_p, gradient = make_kernel(law, 4).log_likelihood(scores, y)
    log_p3, gradient3 = make_kernel(tripled, 4).log_likelihood(3 * scores, y)
    assert_allclose(log_p3, log_p, rtol=0, atol=1e-9)
    assert_allclose(3 * gradient3, gradient, rtol=0, atol=1e-8)


@pytest.mark.parametrize("law", [Gaussian(), Logistic(), GumbelMin()], ids=repr)
def test_no_step_where_one_table_ends_and_the_next_begins(law):
    kernel = TableKernel(law, 3)
    target = np.array([2])
    for table in (kernel._near, kernel._table(1)):
        inside, outside = (
            kernel.log_likelihood(np.array([[0.0, -1.0, -table.reach * factor]]), target)
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
    kernel = make_kernel(law, 3)
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


def test_a_noise_with_gaps_that_panels_do_not_see():
    """Edges of gaps that lie beside all points of a panel, against exact integrals by pieces."""
    edges = np.array([-3, -2.5, 1, 3, 4, 8])
    law = stats.rv_histogram((np.array([1, 0, 3, 0, 2]) / 14.5, edges), density=True)()
    x, weights = np.polynomial.legendre.leggauss(5)
    for difference in np.linspace(0, 10.5, 22):
        breaks = np.unique(np.clip(np.append(edges, edges + difference), -3, 8))
        half = np.diff(breaks)[:, None] / 2
        points = breaks[:-1, None] + half * (x + 1)
        below = law.pdf(points) * law.cdf(points - difference)
        expected = (half * weights * below).sum()
        log_p = make_kernel(from_scipy(law), 2).log_proba(np.array([[difference, 0.0]]))
        assert_allclose(np.exp(log_p[0, 1]), expected, rtol=1e-10)
