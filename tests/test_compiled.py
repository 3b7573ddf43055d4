"""The two sets of sums over tables: one interface, the same numbers."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skperturb import PerturbArgmaxClassifier
from skperturb._engine import _sums_numpy
from skperturb._engine._convolution import convolution
from skperturb._engine._heavy_table import REACHES, build_heavy_table, reaches
from skperturb._engine._interpolant import interpolant
from skperturb._engine._kernels import make_kernel
from skperturb._engine._row_mesh import DirectKernel
from skperturb._engine._sums import sums as _sums
from skperturb._engine._table import NotTabulableError, class_tier
from skperturb._engine._thin_table import build_thin_table
from skperturb.noise import (
    Cauchy,
    Gaussian,
    GumbelMin,
    Laplace,
    Logistic,
    StudentT,
    interquartile_range,
)

from .conftest import IDENTITY

TABLES = {
    "gaussian": lambda tier: build_thin_table(Gaussian(), tier),
    "gaussian, far": lambda tier: build_thin_table(
        Gaussian(), tier, build_thin_table(Gaussian(), tier)
    ),
    "logistic": lambda tier: build_thin_table(Logistic(), tier),
    "gumbel_min": lambda tier: build_thin_table(GumbelMin(), tier),
    "softmax_laplace": lambda tier: build_thin_table(
        interpolant(convolution(Laplace(), 1.0)), tier
    ),
    "student_t": lambda tier: build_heavy_table(interpolant(StudentT(4)), tier),
    "cauchy": lambda tier: build_heavy_table(interpolant(Cauchy()), tier),
}
tables = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())


def rows(n_classes, reach, n=40):
    """Scores within a table's reach: close, wide apart, equal, and one class far above all."""
    rng = np.random.default_rng(n_classes)
    scores = rng.normal(size=(n, n_classes))
    scores *= np.minimum(rng.choice([0.1, 1.0, 5.0, 20.0], n)[:, None], reach / 6)
    scores[0] = 0.0
    scores[1], scores[1, 0] = 0.0, 0.95 * reach
    scores[2] = np.linspace(0, 0.99 * reach, n_classes)
    scores = np.maximum(scores, scores.max(axis=1, keepdims=True) - 0.99 * reach)
    return scores, rng.integers(n_classes, size=n)


@tables
@pytest.mark.parametrize("n_classes", [2, 7, 30])
def test_the_compiled_sums_are_those_of_numpy(table, n_classes):
    compiled = pytest.importorskip("skperturb._engine._sums_c", reason="built without a C compiler")
    try:
        table = table(class_tier(n_classes))
    except NotTabulableError:
        pytest.skip("no table of this law is for so many classes")
    scores, y = rows(n_classes, table.reach)
    for mine, theirs in zip(
        compiled.log_likelihood(table, scores, y),
        _sums_numpy.log_likelihood(table, scores, y),
        strict=True,
    ):
        assert_allclose(mine, theirs, rtol=IDENTITY, atol=IDENTITY)
    gap, of_the_pass = _sums_numpy.potential_and_log_proba(table, scores)
    compiled_gap, compiled_log_p = compiled.potential_and_log_proba(table, scores)
    assert_allclose(compiled_gap, gap, rtol=1e-11, atol=1e-11)
    log_p = _sums_numpy.log_proba(table, scores)
    assert np.array_equal(of_the_pass, log_p)
    visible = log_p > -600
    assert_allclose(compiled_log_p[visible], log_p[visible], 1e-11, IDENTITY)
    assert_allclose(compiled.log_proba(table, scores)[visible], log_p[visible], 1e-11, IDENTITY)
    *both, theirs = _sums_numpy.second_order(table, scores, y)
    *compiled_both, mine = compiled.second_order(table, scores, y)
    for of_all in (both, compiled_both):
        for alone, together in zip(compiled.log_likelihood(table, scores, y), of_all, strict=True):
            assert_allclose(together, alone, rtol=IDENTITY, atol=IDENTITY)
    size = 1 + np.abs(theirs).max(axis=(1, 2), keepdims=True)
    assert_allclose(mine / size, theirs / size, 0, IDENTITY)
    theirs = _sums_numpy.jacobian(table, scores)
    assert_allclose(compiled.jacobian(table, scores), theirs, rtol=0, atol=IDENTITY)


def test_the_compiled_softmax_is_that_of_numpy():
    compiled = pytest.importorskip("skperturb._engine._sums_c", reason="built without a C compiler")
    for n_classes in (2, 7, 1000):
        scores, y = rows(n_classes, 1000.0)
        for mine, theirs in zip(
            compiled.softmax_likelihood(scores, y),
            _sums_numpy.softmax_likelihood(scores, y),
            strict=True,
        ):
            assert_allclose(mine, theirs, rtol=IDENTITY, atol=IDENTITY)


@tables
def test_no_rows_are_no_rows(table):
    compiled = pytest.importorskip("skperturb._engine._sums_c", reason="built without a C compiler")
    table, scores, y = table(8), np.empty((0, 3)), np.empty(0, dtype=int)
    assert compiled.log_likelihood(table, scores, y)[1].shape == (0, 3)
    assert compiled.log_proba(table, scores).shape == (0, 3)
    assert compiled.second_order(table, scores, y)[2].shape == (0, 3, 3)
    assert compiled.jacobian(table, scores).shape == (0, 3, 3)


@pytest.mark.parametrize("noise", ["gaussian", "student_t", "gumbel"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_memory_order_does_not_matter(noise, dtype):
    """Columns and reversed rows of a larger array: nothing but contiguous memory goes to C."""
    X = np.random.default_rng(0).normal(size=(60, 8)).astype(dtype)
    y = np.arange(60) % 3
    plain = PerturbArgmaxClassifier(noise).fit(X[::-1, ::2].copy(), y)
    views = PerturbArgmaxClassifier(noise).fit(X[::-1, ::2], y)
    assert_allclose(views.coef_, plain.coef_, rtol=1e-5)
    fortran = np.asfortranarray(X[::-1, ::2])
    assert_allclose(plain.predict_proba(fortran), plain.predict_proba(X[::-1, ::2]), rtol=1e-6)


@pytest.mark.parametrize("df", [4, 30, 60])
def test_a_class_between_two_others_far_from_both(df):
    """Its integrand has a peak of its own, which neither of the others' has."""
    scores = np.array([[0.0, -s, -2 * s] for s in (20, 30, 40)])
    kernel = make_kernel(StudentT(df), 3)
    log_p = kernel.log_proba(scores)
    for k in range(3):
        own, _ = kernel.log_likelihood(scores, np.full(3, k))
        assert_allclose(log_p[:, k], own, rtol=0, atol=1e-8)


@pytest.mark.parametrize("law", [StudentT(4), StudentT(1.5), Cauchy(), convolution(Cauchy(), 0.5)])
@pytest.mark.parametrize("n_classes", [3, 30])
def test_graded_tables_against_direct_quadrature(law, n_classes):
    """Within the reach of each table, and beyond all."""
    kernel, direct = make_kernel(law, n_classes), DirectKernel(law)
    rng = np.random.default_rng(0)
    width = interquartile_range(law)
    scores = rng.normal(size=(9, n_classes))
    scores[3:] *= 10
    scores[5:, 0] = width * np.array([14.0, 38.0, 60.0, 1e4])
    for y in (np.zeros(9, dtype=int), np.ones(9, dtype=int)):
        for mine, exact in zip(
            kernel.log_likelihood(scores, y), direct.log_likelihood(scores, y), strict=True
        ):
            assert_allclose(mine, exact, rtol=0, atol=3e-9)
    assert_allclose(kernel.log_proba(scores), direct.log_proba(scores), rtol=0, atol=3e-9)
    potential, p = kernel.potential_and_proba(scores)
    assert_allclose(potential, direct.potential(scores), rtol=1e-11, atol=1e-9)
    assert_allclose(p, np.exp(direct.log_proba(scores)), rtol=0, atol=1e-9)


def test_the_potential_of_two_cauchy_variables_in_closed_form():
    """minus the integral of p, which is 1/2 - arctan(gap / 2) / pi."""
    gap = np.array([0.1, 1.0, 5.0, 20.0, 60.0, 100.0, 1e5])
    p = 0.5 - np.arctan(gap / 2) / np.pi
    exact = np.log1p(gap**2 / 4) / -np.pi - gap * p
    potential, proba = make_kernel(Cauchy(), 2).potential_and_proba(
        np.column_stack([np.zeros_like(gap), -gap])
    )
    assert_allclose(potential, exact, rtol=2e-11, atol=1e-11)
    assert_allclose(proba[:, 1], p, rtol=0, atol=1e-10)


@pytest.mark.parametrize("df", [1.0, 2.0, 3.6, 6.4])
def test_a_class_at_the_reach_of_a_heavy_table_is_within_it(df):
    kernel = make_kernel(StudentT(df), 3)
    for reach in reaches(interpolant(StudentT(df)))[:2]:
        scores = np.array([[0.0, -1.0, -d] for d in np.nextafter(reach, [0.0, reach, np.inf])])
        log_p, gradient = kernel.log_likelihood(scores, np.full(3, 2))
        assert_allclose(log_p, log_p[0], rtol=1e-9)
        assert_allclose(gradient, gradient[:1].repeat(3, 0), rtol=1e-6)


@pytest.mark.parametrize("level", range(len(REACHES)))
@pytest.mark.parametrize("law", [StudentT(4), StudentT(1.5), Cauchy()], ids=repr)
def test_every_heavy_table_against_direct_quadrature(law, level):
    """At distances between the points of its grid, too."""
    try:
        table = build_heavy_table(interpolant(law), 8, level)
    except NotTabulableError:
        pytest.skip("a table of this reach would be too large")
    assert table.log_cdf.size < 5e4 or level > 0
    gap = np.linspace(0.03, 0.99, 17) * table.reach
    scores, y = np.column_stack([0 * gap, -gap, -0.3 * gap]), np.ones(17, dtype=int)
    direct = DirectKernel(law)
    log_p, gradient = _sums.log_likelihood(table, scores, y)
    exact, slope = direct.log_likelihood(scores, y)
    assert_allclose(log_p, exact, rtol=0, atol=2e-10)
    assert_allclose(gradient, slope, rtol=0, atol=2e-9)
    potential = _sums.potential_and_log_proba(table, scores)[0]
    assert_allclose(potential, direct.potential(scores), rtol=0, atol=2e-10 * table.reach)


def run(code, **environment):
    """The words that `code` prints in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_environment_chooses_the_sums_and_a_fit_is_the_same_with_either():
    code = (
        "import numpy as np, skperturb; from skperturb import PerturbArgmaxClassifier as C;"
        "X = np.random.default_rng(0).normal(size=(200, 4));"
        "y = (X @ np.arange(12).reshape(4, 3)).argmax(1);"
        "print(*C(tol=1e-8).fit(X, y).coef_.ravel());"
        "skperturb.show_versions()"
    )
    plain, compiled = (run(code, SKPERTURB_COMPILED=value) for value in "01")
    assert "NumPy (no compiled extension)" in plain
    if importlib.util.find_spec("skperturb._engine._sums_c"):
        assert "sums           compiled" in compiled
    either = [np.array(text.splitlines()[0].split(), dtype=float) for text in (plain, compiled)]
    assert_allclose(*either, rtol=1e-6)


def test_no_package_but_the_core_is_imported():
    """Plotting, reports and the command line wait until they are asked for."""
    code = "import sys, skperturb; print(*sys.modules)"
    loaded = set(run(code).split())
    assert not loaded & {"matplotlib", "jinja2", "skperturb.evaluation", "skperturb.cli"}
