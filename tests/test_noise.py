import pickle
from functools import partial

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import clone

from skperturb.noise import (
    Cauchy,
    Discrete,
    Exponential,
    Gaussian,
    Gumbel,
    GumbelMin,
    Laplace,
    Logistic,
    Noise,
    StudentT,
    Uniform,
    as_noise,
    from_scipy,
)

FAMILIES = [
    (Gaussian, stats.norm),
    (Gumbel, stats.gumbel_r),
    (GumbelMin, stats.gumbel_l),
    (Logistic, stats.logistic),
    (Laplace, stats.laplace),
    (StudentT, partial(stats.t, 4)),
    (partial(StudentT, 0.7), partial(stats.t, 0.7)),
    (partial(StudentT, 60), partial(stats.t, 60)),
    (Cauchy, stats.cauchy),
    (Exponential, stats.expon),
    (Uniform, partial(stats.uniform, -1)),
]
families = pytest.mark.parametrize(("family", "peer"), FAMILIES)


@families
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_functions_agree_with_scipy(family, peer, scale):
    noise, law = family(scale=scale), peer(scale=scale)
    if family is Uniform:
        law = stats.uniform(-scale, 2 * scale)
    x = scale * np.linspace(-3, 20, 47)
    for name in ("pdf", "cdf", "logpdf", "logcdf", "logsf"):
        # Older scipy loses the digits of a logarithm near 0; the next test checks those.
        atol = 1e-14 if name in ("logcdf", "logsf") else 0
        ours, theirs = getattr(noise, name)(x), getattr(law, name)(x)
        assert_allclose(ours, theirs, rtol=1e-10, atol=atol, err_msg=name)
    q = np.array([1e-8, 1e-3, 0.5, 0.9])
    assert_allclose(noise.ppf(q), law.ppf(q), rtol=1e-7, atol=1e-15)
    assert_allclose(noise.isf(q), law.isf(q), rtol=1e-7, atol=1e-15)


@families
def test_tails_are_finite_and_consistent(family, peer):
    noise = family()
    q = np.array([1e-300, 1e-100, 1e-20]) if family is not Uniform else np.array([1e-9, 1e-3])
    q = q[noise.isf(q) < 1e300]
    if np.isinf(noise.support[0]):
        assert_allclose(noise.logcdf(noise.ppf(q)), np.log(q), rtol=1e-7)
    assert_allclose(noise.logsf(noise.isf(q)), np.log(q), rtol=1e-7)
    for x, inside in ((-1e4, noise.support[0] < -1e4), (1e4, noise.support[1] > 1e4)):
        for name in ("logpdf", "logcdf", "logsf", "log_hazard"):
            value = getattr(noise, name)(np.array([x]))
            assert not np.isnan(value).any()
            if inside:
                assert np.isfinite(value).all()


@families
def test_facts_hold(family, peer):
    noise = family()
    assert noise.bounded == (family is Uniform)
    x = np.linspace(noise.ppf(1e-14), noise.isf(1e-14), 400)
    curvature = np.diff(noise.logpdf(x), 2)
    assert noise.log_concave == bool(np.all(curvature < 1e-9))
    assert noise.symmetric == np.allclose(noise.logpdf(x), noise.logpdf(-x))
    low, high = noise.support
    assert np.all((x >= low) & (x <= high))
    assert noise.gaps == ()
    assert noise.atoms is False
    assert np.isfinite(noise.logpdf(x)).all()


def test_student_t_tail_to_thirty_digits():
    """The tail probability by the regularised incomplete beta function in high precision."""
    with mpmath.workdps(30):
        for df in (0.5, 1.5, 4.0, 30.0, 500.0):
            for z in (-1.0, -7.0, -40.0, -1e3, -1e8):
                x = mpmath.mpf(df) / (df + mpmath.mpf(z) ** 2)
                exact = mpmath.log(mpmath.betainc(df / 2, 0.5, 0, x, regularized=True) / 2)
                got = StudentT(df).logcdf(np.array([z]))[0]
                assert abs(got - float(exact)) <= 1e-11 * max(1, abs(float(exact)))
    assert_allclose(StudentT(1).logcdf(np.array([-3.0, 2.0])), Cauchy().logcdf([-3.0, 2.0]))


def test_from_scipy():
    noise = from_scipy(stats.triang(0.3))
    assert (
        noise == from_scipy(stats.triang(0.3)) == clone(noise) == pickle.loads(pickle.dumps(noise))
    )
    assert noise != from_scipy(stats.triang(0.4))
    assert repr(noise) == "from_scipy(triang(0.3))"
    assert noise.log_concave is None
    assert as_noise(stats.norm(scale=2), 3.0).scale == 3.0
    assert noise.support == (0.0, 1.0)
    assert noise.bounded
    draws = from_scipy(stats.norm(1)).rvs(2000, random_state=0)
    assert stats.kstest(draws, stats.norm(1).cdf).pvalue > 1e-4
    for bad, message in (
        (stats.poisson(3), "discrete"),
        (stats.gamma, "shape parameters"),
        (stats.t(-1), "quartiles"),
    ):
        with pytest.raises(ValueError, match=message):
            from_scipy(bad)


@pytest.mark.parametrize(
    "noise",
    [Gaussian(2.0), Logistic(), Laplace(), StudentT(), StudentT(0.7), Cauchy(), Uniform()],
    ids=repr,
)
def test_symmetric_noise_writes_three_functions(noise):
    assert not {"_logsf", "_isf"} & vars(type(noise)).keys()
    x, q = np.linspace(-5, 5, 41), np.array([1e-300, 1e-9, 0.2, 0.5, 0.9])
    assert_array_equal(noise.logsf(x), noise.logcdf(-x))
    assert_array_equal(noise.isf(q), -noise.ppf(q))


def test_noise_without_symmetry_must_write_its_upper_tail():
    functions = {name: lambda self, z: z for name in ("_logpdf", "_logcdf", "_ppf")}
    type("Symmetric", (Noise,), functions | {"symmetric": True})()
    for symmetric in (False, None):
        with pytest.raises(TypeError, match="_logsf and _isf, or say symmetric = True"):
            type("Skewed", (Noise,), functions | {"symmetric": symmetric})
    with pytest.raises(TypeError, match="must define _isf, or"):
        type("Skewed", (Noise,), functions | {"_logsf": functions["_logcdf"]})


def test_facts_of_the_kinds():
    kinds = [Gaussian(), Gumbel(), Discrete(), from_scipy(stats.norm())]
    assert [noise.closed_form for noise in kinds] == [False, True, False, False]
    assert [noise.discrete for noise in kinds] == [False, False, True, False]


def test_noise_is_a_parameter_object():
    noise = Gaussian(scale=2.0)
    assert clone(noise) == noise
    assert pickle.loads(pickle.dumps(noise)) == noise
    assert hash(clone(noise)) == hash(noise)
    assert noise != Gaussian() != Gumbel()
    assert repr(noise) == "Gaussian(scale=2.0)"
    assert noise.set_params(scale=3.0).scale == 3.0


def test_the_base_class_is_no_noise():
    with pytest.raises(TypeError, match="abstract"):
        Noise()


def test_draws_follow_the_law():
    for family, peer in FAMILIES:
        draws = family().rvs(2000, random_state=0)
        law = stats.uniform(-1, 2) if family is Uniform else peer()
        assert stats.kstest(draws, law.cdf).pvalue > 1e-4


def test_as_noise_multiplies_scales_and_leaves_its_argument_alone():
    noise = Logistic(scale=2.0)
    assert as_noise(noise, 3.0) == Logistic(scale=6.0)
    assert noise.scale == 2.0
    assert as_noise("gumbel") == Gumbel()


@pytest.mark.parametrize(
    ("noise", "scale", "message"),
    [
        ("normal", 1.0, "not known; use one of"),
        (stats.norm, 1.0, "object of skperturb.noise"),
        (Gaussian(scale=0.0), 1.0, "positive and finite"),
        ("gaussian", -1.0, "positive and finite"),
        ("gaussian", np.nan, "positive and finite"),
        ("gaussian", np.inf, "positive and finite"),
        (Gaussian("wide"), 1.0, "must be a number"),
        (StudentT(df=0), 1.0, "df must be positive"),
        (stats.poisson(2.0), 1.0, "discrete"),
    ],
)
def test_as_noise_refuses(noise, scale, message):
    with pytest.raises(ValueError, match=message):
        as_noise(noise, scale)


def test_discrete_noise_agrees_with_scipy():
    values, probabilities, scale = [-1.0, 0.0, 2.0], [0.2, 0.5, 0.3], 2.0
    noise = Discrete(values, probabilities, scale=scale)
    peer = stats.rv_discrete(values=([-2, 0, 4], probabilities))
    x = np.array([-3, -2, -1, 0, 3, 4, 5.0])
    assert_allclose(noise.cdf(x), peer.cdf(x), rtol=1e-15)
    assert_allclose(np.exp(noise.logsf(x)), peer.sf(x), rtol=1e-14, atol=1e-16)
    q = np.array([0.01, 0.2, 0.21, 0.7, 0.71, 1.0])
    assert_allclose(noise.ppf(q), peer.ppf(q))
    assert_allclose(noise.isf([0.1, 0.31, 0.79, 0.81]), [4, 0, 0, -2])
    assert noise.support == (-2.0, 4.0)
    assert noise.gaps == ((-2.0, 0.0), (0.0, 4.0))
    assert noise.atoms
    assert noise.bounded
    assert not noise.symmetric
    assert Discrete().symmetric
    draws = noise.rvs(20_000, random_state=0)
    share = np.array([(draws == value).mean() for value in (-2, 0, 4)])
    assert np.all(np.abs(share - probabilities) <= 5 * np.sqrt(share * (1 - share) / 20_000))


def test_discrete_noise_is_equal_by_value():
    noise = Discrete(np.array([2, -1, -1, 7]), [0.5, 0.25, 0.25, 0.0])
    assert noise == Discrete([-1, 2]) == clone(noise) == pickle.loads(pickle.dumps(noise))
    assert hash(noise) == hash(Discrete([-1, 2]))
    assert noise != Discrete([-1, 2], scale=2.0)
    assert Discrete([-1, 2], scale=2.0) == Discrete([-2, 4])


@pytest.mark.parametrize(
    ("values", "probabilities", "message"),
    [
        ([1.0], None, "two different"),
        ([1.0, 1.0], None, "two different"),
        ([1.0, 2.0], [1.0, 0.0], "two different"),
        ([], None, "two different"),
        ([1.0, np.inf], None, "finite numbers"),
        ([1.0, 2.0], [1.0], "one for each"),
        ([[1.0, 2.0]], None, "finite numbers"),
        ([1.0, 2.0], [0.5, 0.6], "sum to one"),
        ([1.0, 2.0], [1.5, -0.5], "negative"),
        (["a", 2.0], None, "must be numbers"),
        (range(201), None, "200 values at most"),
        ([1.0, 2.0], [np.nan, 1.0], "sum to one"),
    ],
)
def test_bad_discrete_noise_raises(values, probabilities, message):
    with pytest.raises(ValueError, match=message):
        as_noise(Discrete(values, probabilities))


def test_discrete_noise_has_no_density():
    with pytest.raises(ValueError, match="no density"):
        Discrete().logpdf(0.0)
