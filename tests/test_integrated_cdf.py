"""CDFs by integrating densities, of the distributions whose own scipy computes point by point."""

import numpy as np
import pytest
from mpmath import mp
from numpy.testing import assert_allclose
from scipy import stats

from skperturb import PerturbArgmax
from skperturb.noise import from_scipy

LAWS = [
    stats.argus(1),
    stats.exponnorm(1.5),
    stats.foldcauchy(4.7),
    stats.gausshyper(13.8, 3.1, 2.5, 5.2),
    stats.gausshyper(0.5, 1.5, 2, 1),  # an infinite density
    stats.norminvgauss(1.25, 0.5),
    stats.skewnorm(20),
    stats.vonmises_line(2),
]
SCIPY = 1e-10  # error of scipy's quadrature


@pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{law.dist.name}{law.args}")
def test_agrees_with_scipy_in_the_middle(law):
    z, noise = law.ppf([0.001, 0.1, 0.5, 0.9, 0.999]), from_scipy(law)
    assert_allclose(np.exp(noise.logcdf(z)), law.cdf(z), rtol=0, atol=SCIPY)
    assert_allclose(np.exp(noise.logsf(z)), law.sf(z), rtol=0, atol=SCIPY)


@pytest.mark.parametrize("z", [-1.5, -0.3, 0.01, 3.0, 20.0])
def test_has_the_digits_of_either_tail(z):
    mp.dps = 25

    def density(t):
        return 2 * mp.npdf(t) * mp.ncdf(20 * t)

    noise = from_scipy(stats.skewnorm(20))
    steps = [1, 0.3, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0]
    if z < 0.02:
        below = mp.log(mp.quad(density, [z - step for step in steps]))
        assert_allclose(noise.logcdf(z), float(below), rtol=1e-12)
    else:
        # There its factor is 1.
        expected = np.log(2) + stats.norm.logsf(z)
        assert_allclose(noise.logsf(z), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [1.0, 3.0, 7.0, -3.0])
def test_near_one_it_is_what_the_other_tail_leaves(shape):
    """Lost digits there made panels that were halved without end."""
    noise = from_scipy(stats.skewnorm(shape))
    z = np.linspace(2, 30, 500)
    assert_allclose(noise.logcdf(z), np.log1p(-np.exp(noise.logsf(z))), rtol=1e-12)
    assert_allclose(noise.logsf(-z), np.log1p(-np.exp(noise.logcdf(-z))), rtol=1e-12)
    assert_allclose(PerturbArgmax(noise).proba([[0.0, 1.0]]).sum(), 1, rtol=1e-12)


def test_outside_of_a_bounded_law():
    noise = from_scipy(stats.argus(1))
    assert_allclose(noise.logcdf([-1.0, 0.0, 1.0, 2.0]), [-np.inf, -np.inf, 0, 0], atol=1e-15)
    assert_allclose(noise.logsf([-1.0, 0.0, 1.0, 2.0]), [0, 0, -np.inf, -np.inf], atol=1e-15)


def test_the_circle_is_cut_into_a_line():
    scores = [[0.0, 0.5, 1.0]]
    on_line = PerturbArgmax(stats.vonmises_line(2)).proba(scores)
    assert_allclose(PerturbArgmax(stats.vonmises(2)).proba(scores), on_line, rtol=1e-12)
