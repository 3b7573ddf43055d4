"""Noise that states its branches: against quadrature, mpmath and the kernel for any law."""

from itertools import pairwise
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skperturb._engine import COMPILED, _pieces, _sums_numpy
from skperturb._engine._kernels import make_kernel
from skperturb._engine._pieces import PieceKernel
from skperturb._engine._row_mesh import DirectKernel
from skperturb.noise import Exponential, Laplace, Uniform, as_noise

from .conftest import FINITE_DIFFERENCES, IDENTITY

QUARTER, HALF, UPPER = np.e / 4, np.e / 2, 1 / (1 - np.exp(-2))
GROWTH = 1 / (np.e - 1)
LAWS = {
    "exponential": Exponential(),
    "laplace": Laplace(),
    "uniform": Uniform(),
    "exponential, mirrored": ((0.0,), ((0, 1, "exp(z)"), (1, 0, "1"))),
    "exponential, cut off": ((0.0, 2.0), ((0, 0, "1"), (UPPER, -UPPER, "exp(-z)"), (1, 0, "1"))),
    "rising, cut off": ((0.0, 1.0), ((0, 0, "1"), (-GROWTH, GROWTH, "exp(z)"), (1, 0, "1"))),
    "two blocks": (
        (-1.2, -1.0, 1.0, 1.2),
        ((0, 0, "1"), (3.0, 2.5, "z"), (0.5, 0, "1"), (-2.0, 2.5, "z"), (1, 0, "1")),
    ),
    "exponential tails": (
        (-1.0, 1.0),
        ((0, QUARTER, "exp(z)"), (0.5, 0.25, "z"), (1, -QUARTER, "exp(-z)")),
    ),
    "block and tail": ((0.0, 1.0), ((0, 0, "1"), (0, 0.5, "z"), (1, -HALF, "exp(-z)"))),
}
LAWS = {
    name: SimpleNamespace(kinks=law[0], branches=law[1]) if isinstance(law, tuple) else law
    for name, law in LAWS.items()
}
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())


def scores_for(law, n, n_classes, seed=0):
    """Close, wide apart, equal, and some equal; within the noise's own width if it is bounded."""
    rng = np.random.default_rng(seed)
    bounded = [b for _, b, _ in (law.branches[0], law.branches[-1])] == [0, 0]
    sizes = [0.01, 0.1, 0.3] if bounded else [0.1, 1, 5, 30]
    scores = rng.normal(size=(n, n_classes)) * rng.choice(sizes, (n, 1))
    scores[0] = 0.0
    scores[1, : n_classes // 2] = scores[1, 0]
    return scores


def by_quadrature(law, scores, widest=0.2):
    """log p of all classes of one row, on Gauss panels between all kinks."""
    values = _pieces.Branches(law)
    delta = scores.max() - scores
    kink, first, last = values.kink, law.branches[0][2], law.branches[-1][2]
    low = kink[0] - (delta.max() + 45 if first == "exp(z)" else 0)
    high = kink[-1] + (45 if last == "exp(-z)" else 0)
    breaks = np.unique([low, high, *(kink[:, None] - delta).ravel()])
    breaks = breaks[(breaks >= low) & (breaks <= high)]
    pieces = pairwise(breaks)
    edges = np.unique(
        np.concatenate([np.linspace(a, b, int((b - a) / widest) + 2) for a, b in pieces])
    )
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2
    t = (edges[:-1, None] + half * (nodes + 1)).ravel()
    z = t[:, None] + delta
    branch = np.searchsorted(kink, z)
    cdf, density = values.values(z, branch)
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = (branch == 0) & (first == "exp(z)")
        log_cdf = np.where(rising, np.log(law.branches[0][1]) + z, np.log(cdf))
        terms = np.log(density) - log_cdf + log_cdf.sum(axis=1, keepdims=True)
        terms = (
            np.where(np.isnan(terms), -np.inf, terms) + np.log((half * weights).ravel())[:, None]
        )
        peak = np.maximum(terms.max(axis=0), -1e300)
        return peak + np.log(np.exp(terms - peak).sum(axis=0))


@laws
@pytest.mark.parametrize("n_classes", [2, 3, 8, 40])
def test_all_ways_to_log_p_against_quadrature(law, n_classes):
    kernel = PieceKernel(law)
    for scores in scores_for(law, 6, n_classes):
        row, exact = scores[None], by_quadrature(law, scores)
        p = kernel.proba(row)[0]
        assert_allclose(p, np.exp(exact), rtol=0, atol=2e-13)
        assert_allclose(p.sum(), 1, rtol=IDENTITY)
        # A class near the end of bounded noise: its distance from there is only so exact.
        rounding = 1e-13 * n_classes
        visible = exact > -600
        log_p = kernel.log_proba(row)[0]
        assert_allclose(log_p[visible], exact[visible], rtol=rounding, atol=2e-11)
        every = np.arange(n_classes)
        own, _ = kernel.log_likelihood(np.repeat(row, n_classes, 0), every)
        assert_allclose(own, log_p, rtol=rounding, atol=2e-11)


@laws
def test_hundreds_of_classes_against_quadrature(law):
    """The product of so many CDFs is steep: panels of too few nodes lose log p of the lowest."""
    scores = scores_for(law, 3, 160)[2]
    exact = by_quadrature(law, scores, widest=0.1)
    visible = exact > -600
    assert_allclose(
        PieceKernel(law).log_proba(scores[None])[0][visible], exact[visible], rtol=3e-11, atol=2e-11
    )


@pytest.mark.parametrize("name", ["exponential", "laplace", "uniform"])
def test_probabilities_against_thirty_digits(name):
    scores = np.array([0.3, -1.1, 0.45, -0.2, -2.2]) * (0.4 if name == "uniform" else 1.0)
    with mpmath.workdps(30):
        end = {"exponential": (0, 80), "laplace": (-80, 80), "uniform": (-1, 1)}[name]
        low, high = (
            edge + shift for edge, shift in zip(end, (scores.min(), scores.max()), strict=True)
        )
        cdf = {
            "exponential": lambda z: 1 - mpmath.exp(-z) if z > 0 else mpmath.mpf(0),
            "laplace": lambda z: mpmath.exp(z) / 2 if z < 0 else 1 - mpmath.exp(-z) / 2,
            "uniform": lambda z: min(max((1 + z) / 2, 0), 1),
        }[name]
        pdf = {
            "exponential": lambda z: mpmath.exp(-z) if z > 0 else 0,
            "laplace": lambda z: mpmath.exp(-abs(z)) / 2,
            "uniform": lambda z: mpmath.mpf(0.5) if abs(z) <= 1 else 0,
        }[name]
        kinks = {"uniform": (-1, 1)}.get(name, (0,))
        breaks = sorted({low, high, *(s + k for s in scores for k in kinks)})
        breaks = [b for b in breaks if low <= b <= high]
        p = PieceKernel(as_noise(name)).proba(scores[None])[0]
        for i, own in enumerate(scores):
            exact = mpmath.quad(
                lambda t, i=i, own=own: (
                    pdf(t - own) * mpmath.fprod(cdf(t - s) for s in np.delete(scores, i))
                ),
                breaks,
                maxdegree=5,
            )
            assert abs(p[i] - float(exact)) < 2e-13


@pytest.mark.parametrize("law", [Exponential(), Laplace(), Uniform()], ids=repr)
def test_the_kernel_of_any_law_agrees(law):
    scores = scores_for(law, 8, 4, seed=3)[2:]
    y, kernel, direct = scores.argmax(axis=1), PieceKernel(law), DirectKernel(law)
    for mine, theirs in zip(
        kernel.log_likelihood(scores, y), direct.log_likelihood(scores, y), strict=True
    ):
        assert_allclose(mine, theirs, rtol=0, atol=1e-10)
    assert_allclose(kernel.hessian(scores, y), direct.hessian(scores, y), rtol=0, atol=1e-8)
    assert_allclose(kernel.jacobian(scores), direct.jacobian(scores), rtol=0, atol=1e-10)
    assert_allclose(kernel.potential(scores), direct.potential(scores), rtol=0, atol=1e-11)


def differences(function, scores, y, step=1e-4):
    """Derivative (n, ..., K) of a function of rows, by five-point differences in one call."""
    n, n_classes = scores.shape
    shifts = step * np.array([-2, -1, 1, 2])[:, None, None, None] * np.eye(n_classes)[:, None]
    values = function((scores + shifts).reshape(-1, n_classes), np.tile(y, 4 * n_classes))
    values = values.reshape(4, n_classes, n, *values.shape[1:])
    weights = np.array([1, -8, 8, -1]) / (12 * step)
    return np.moveaxis(np.tensordot(weights, values, 1), 0, -1)


@laws
@pytest.mark.parametrize("n_classes", [2, 5, 20])
def test_derivatives_against_differences(law, n_classes):
    kernel = PieceKernel(law)
    scores = np.random.default_rng(n_classes).normal(size=(2, n_classes)) * 0.15
    y = scores.argsort(axis=1)[:, -2]
    for derivative, function in (
        (kernel.log_likelihood(scores, y)[1], lambda s, y: kernel.log_likelihood(s, y)[0]),
        (kernel.hessian(scores, y), lambda s, y: kernel.log_likelihood(s, y)[1]),
        (kernel.proba(scores), lambda s, y: kernel.potential(s)),
        (kernel.jacobian(scores), lambda s, y: kernel.proba(s)),
    ):
        expected = differences(function, scores, y)
        assert_allclose(derivative, expected, rtol=0, atol=FINITE_DIFFERENCES)


@laws
@pytest.mark.parametrize("n_classes", [2, 3, 7, 30])
def test_the_compiled_integrals_are_those_of_numpy(law, n_classes):
    compiled = pytest.importorskip("skperturb._engine._sums_c", reason="built without a C compiler")
    branches = _pieces.Branches(law)
    scores = scores_for(law, 30, n_classes)
    scores[2], scores[3] = np.linspace(0, 1000, n_classes), 1e300 * np.linspace(-1, 1, n_classes)
    scores[4, 0] = 1e6
    y = np.arange(30) % n_classes
    for options in ({"y": y}, {"y": y, "second": True}, {}, {"logs": True}, {"second": True}):
        mine = compiled.integrate_pieces(branches, scores, **options)
        theirs = _sums_numpy.integrate_pieces(branches, scores, **options)
        for a, b in zip(mine[:2], theirs[:2], strict=True):
            assert_allclose(a, b, rtol=IDENTITY, atol=IDENTITY)
        if options.get("second"):
            off = ~np.eye(n_classes, dtype=bool)
            if y is options.get("y"):
                off = off | True
            size = 1 + np.abs(theirs[2]).max(axis=(1, 2), keepdims=True)
            assert_allclose((mine[2] / size)[:, off], (theirs[2] / size)[:, off], 0, IDENTITY)


def test_closed_forms_of_two_classes_far_apart():
    gap = np.array([0.0, 1e-3, 0.5, 3.0, 41.0, 44.0, 100.0, 745.0, 1e3, 1e6, 1e15, 1e300])
    scores = np.column_stack([np.zeros_like(gap), -gap])
    second = np.ones(len(gap), dtype=int)
    # With far gaps log p is -gap and little else, so that log p + gap is compared, too.
    for law, rest in ((Exponential(), -np.log(2) + 0 * gap), (Laplace(), np.log((2 + gap) / 4))):
        kernel = PieceKernel(law)
        for log_p in (kernel.log_proba(scores)[:, 1], kernel.log_likelihood(scores, second)[0]):
            assert_allclose(log_p, rest - gap, rtol=1e-15, atol=1e-14)
            near = gap <= 1e3
            assert_allclose((log_p + gap)[near], rest[near], rtol=0, atol=4e-13)
    slope = PieceKernel(Laplace()).log_likelihood(scores, second)[1][:, 1]
    assert_allclose(slope, 1 - 1 / (2 + gap), rtol=1e-13)


@pytest.mark.parametrize("law", [Exponential(), Laplace(), Uniform()], ids=repr)
@pytest.mark.parametrize("n_classes", [60, 3000] if COMPILED else [60])
def test_many_classes(law, n_classes):
    """Equal ones, exactly and nearly, and ones that are each far from the next."""
    kernel = PieceKernel(law)
    scores = np.zeros((3, n_classes))
    scores[1] = 1e-9 * np.arange(n_classes)
    scores[2] = 50.0 * np.arange(n_classes)
    log_p = kernel.log_proba(scores)
    assert_allclose(log_p[0], -np.log(n_classes), rtol=IDENTITY)
    assert_allclose(log_p[1], -np.log(n_classes), rtol=1e-3)
    assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=IDENTITY)
    y = np.full(3, n_classes - 3)
    own, gradient = kernel.log_likelihood(scores, y)
    assert_allclose(own, log_p[:, -3], rtol=1e-12)
    # Thousands of equal terms are all rounded to the same side.
    assert_allclose(gradient.sum(axis=1), 0, atol=1e-9)


@pytest.mark.parametrize("law", [Exponential(), Laplace(), Uniform()], ids=repr)
def test_scores_in_other_units_and_orders(law):
    scores = scores_for(law, 10, 6)
    p = make_kernel(law, 6).proba(scores)
    assert_allclose(
        make_kernel(as_noise(law, 3.7), 6).proba(3.7 * scores), p, rtol=1e-9, atol=1e-14
    )
    assert_allclose(make_kernel(law, 6).proba(scores + 4.0), p, rtol=1e-9, atol=1e-14)
    assert_allclose(make_kernel(law, 6).proba(scores[:, ::-1]), p[:, ::-1], rtol=IDENTITY)


@pytest.mark.parametrize(
    ("kinks", "branches"),
    [
        ((0.0,), ((0, 0.5, "exp(z)"), (1, -0.4, "exp(-z)"))),
        ((0.0,), ((0.1, 0, "1"), (1, -0.9, "exp(-z)"))),
        ((0.0, 1.0), ((0, 0, "1"), (0, 1, "z"), (1, 0.1, "z"))),
        ((0.0, 1.0), ((0, 0, "1"), (0, 1.5, "z"), (1, 0, "1"))),
    ],
    ids=["a step", "no zero", "no end", "beyond 1"],
)
def test_branches_that_are_no_cdf_are_refused(kinks, branches):
    law = SimpleNamespace(kinks=kinks, branches=branches)
    with pytest.raises(ValueError, match="continuous CDF"):
        PieceKernel(law)
