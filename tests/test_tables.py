import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb._engine._convolution import GumbelConvolution
from skperturb._engine._table import ORDER, NotTabulableError, class_tier
from skperturb._engine._thin_table import build_thin_table
from skperturb.noise import Cauchy, Gaussian, Gumbel, Laplace, Logistic, StudentT, Uniform

LAWS = [
    Gaussian(),
    Gumbel(),
    Logistic(),
    GumbelConvolution(Gaussian(), 0.01),
    GumbelConvolution(Gaussian(), 1.0),
    GumbelConvolution(Logistic(), 0.5),
    GumbelConvolution(Gumbel(), 10.0),
]


def tables_of(law, tier):
    """The near table, and the far one."""
    near = build_thin_table(law, tier)
    return near, build_thin_table(law, tier, near)


@pytest.mark.parametrize("tier", [8, 128, 131072])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_interpolation_reproduces_the_noise_between_grid_points(law, tier):
    """What a table adds up for the log CDF of the winner of `tier` classes, where it matters."""
    for table in tables_of(law, tier):
        assert error_between_grid_points(law, tier, table) < 3e-8


def error_between_grid_points(law, tier, table):
    delta = np.random.default_rng(0).uniform(0, table.grid_reach, 50)
    first, weights = table.interpolation(delta)
    rows = first[:, None] + np.arange(ORDER)
    interpolated = np.einsum("dk,dkq->dq", weights, table.log_cdf[rows])
    exact = law.logcdf(table.nodes + delta[:, None])
    # A class contributes to the winner of all of them where its log CDF is at least about -40,
    # and then up to `tier` times.
    matters = exact > -40
    weight = np.minimum(tier, 1 / np.maximum(-exact, 1e-300))
    error = np.abs(interpolated - exact) * weight
    return error[matters].max()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_tables_are_small(law):
    near, far = tables_of(law, 8)
    for table in (near, far):
        size = sum(array.nbytes for array in (table.log_cdf, table.hazard, table.log_hazard))
        assert size <= 8 * 2**20
    assert far.reach > near.reach


def test_interpolation_weights_sum_to_one():
    table = build_thin_table(Gaussian(), 8)
    delta = np.append(np.linspace(0, table.grid_reach, 1001), 0.0)
    first, weights = table.interpolation(delta)
    assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    assert first.min() == 0
    assert first.max() + ORDER <= len(table.log_cdf)


@pytest.mark.parametrize(("n", "tier"), [(2, 8), (8, 8), (9, 32), (1000, 2048), (100_000, 131_072)])
def test_class_tier(n, tier):
    assert class_tier(n) == tier


@pytest.mark.parametrize("law", [Laplace(), Cauchy(), Uniform(), StudentT(4)], ids=repr)
def test_kinks_and_heavy_tails_are_refused(law):
    with pytest.raises(NotTabulableError):
        build_thin_table(law, 8)


def test_convolution_against_its_own_integral():
    """P(gamma + tau G <= t) by adaptive quadrature over the other of the two variables."""
    from scipy.integrate import quad

    for noise, peer in ((Gaussian(), stats.norm), (Logistic(), stats.logistic)):
        for tau in (0.2, 1.0, 5.0):
            law = GumbelConvolution(noise, tau)
            for t in (-2.0, 0.0, 3.0):
                value = quad(
                    lambda g, t=t, tau=tau, peer=peer: (
                        stats.gumbel_r.pdf(g) * peer.cdf(t - tau * g)
                    ),
                    -6,
                    60,
                    epsabs=1e-13,
                    epsrel=1e-12,
                    limit=500,
                    points=[-2, 0, 2, 5],
                )[0]
                assert_allclose(law.logcdf(np.array([t])), np.log(value), rtol=0, atol=2e-11)
