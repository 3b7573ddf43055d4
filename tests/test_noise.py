import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.base import clone

from skperturb.noise import Gaussian, Gumbel, Logistic, Noise, as_noise

FAMILIES = [(Gaussian, stats.norm), (Gumbel, stats.gumbel_r), (Logistic, stats.logistic)]
families = pytest.mark.parametrize(("family", "peer"), FAMILIES)


@families
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_functions_agree_with_scipy(family, peer, scale):
    noise, law = family(scale), peer(scale=scale)
    x = scale * np.linspace(-3, 20, 47)
    for name in ("pdf", "cdf", "logpdf", "logcdf", "logsf"):
        assert_allclose(getattr(noise, name)(x), getattr(law, name)(x), rtol=1e-10, err_msg=name)
    q = np.array([1e-12, 1e-3, 0.5, 0.9])
    assert_allclose(noise.ppf(q), law.ppf(q), rtol=1e-10)
    assert_allclose(noise.isf(q), law.isf(q), rtol=1e-10)


@families
def test_tails_are_finite_and_consistent(family, peer):
    noise = family()
    q = np.array([1e-300, 1e-100, 1e-20])
    assert_allclose(noise.logcdf(noise.ppf(q)), np.log(q), rtol=1e-10)
    assert_allclose(noise.logsf(noise.isf(q)), np.log(q), rtol=1e-10)
    for name in ("logpdf", "logcdf", "logsf"):
        assert np.isfinite(getattr(noise, name)(np.array([-1e4, 1e4]))).all()


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
        draws = family(2.0).rvs(2000, random_state=0)
        assert stats.kstest(draws, peer(scale=2.0).cdf).pvalue > 1e-4


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
    ],
)
def test_as_noise_refuses(noise, scale, message):
    with pytest.raises(ValueError, match=message):
        as_noise(noise, scale)
