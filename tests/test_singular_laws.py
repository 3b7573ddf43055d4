"""Laws of scipy.stats with an infinite, steep or flat density, against tanh-sinh quadrature."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb import PerturbArgmax, PerturbSoftmax
from skperturb._engine._interpolant import interpolant
from skperturb.noise import from_scipy

from .oracle import argmax_probabilities, softmax_of_many, softmax_of_two, softmax_probabilities

REACHED = 1e-9  # error of p; 1e-7 is promised
LAWS = {
    "gamma(.05)": (stats.gamma(0.05), (0,)),
    "gamma(.3)": (stats.gamma(0.3), (0,)),
    "gamma(.3) moved": (stats.gamma(0.3, loc=5), (5,)),
    "loguniform": (stats.loguniform(1e-3, 1e3), (1e-3, 1e3)),
    "powerlaw": (stats.powerlaw(0.3), (0, 1)),
    "weibull_min": (stats.weibull_min(0.5), (0,)),
    "weibull_max": (stats.weibull_max(0.4), (0,)),
    "lognorm": (stats.lognorm(3), (0,)),
    "arcsine": (stats.arcsine(), (0, 1)),
    "beta": (stats.beta(0.1, 0.1), (0, 1)),
    "beta of one side": (stats.beta(2, 0.3), (0, 1)),
    "burr": (stats.burr(0.5, 0.5), (0,)),
    "exponpow": (stats.exponpow(0.3), (0,)),
    "dweibull": (stats.dweibull(0.5), (0,)),
    "dweibull moved": (stats.dweibull(0.5, loc=1), (1,)),
    "dgamma": (stats.dgamma(0.5), (0,)),
    "invgamma": (stats.invgamma(0.5), (0,)),
    "levy": (stats.levy(), (0,)),
    "gennorm": (stats.gennorm(0.5), (0,)),
    "semicircular": (stats.semicircular(), (-1, 1)),
    "chi2": (stats.chi2(0.5), (0,)),
    "fisk": (stats.fisk(0.5), (0,)),
    "nakagami": (stats.nakagami(0.3), (0,)),
    "pareto": (stats.pareto(20), (1,)),
    "trapezoid": (stats.trapezoid(0.2, 0.7), (0, 0.2, 0.7, 1)),
    "laplace_asymmetric": (stats.laplace_asymmetric(2), (0,)),
}
laws = pytest.mark.parametrize(("law", "points"), LAWS.values(), ids=LAWS.keys())


@laws
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_perturb_argmax(law, points, n_classes):
    width = law.isf(0.25) - law.ppf(0.25)
    scores = width * np.array([0.5, 0.0, 0.13, -0.3, 0.77, -1.1, 0.131])[:n_classes]
    p = PerturbArgmax(from_scipy(law)).proba([scores])[0]
    assert_allclose(p, argmax_probabilities(law, scores, points), atol=REACHED)


@pytest.mark.parametrize("n_classes", [2, 7])
@pytest.mark.parametrize("name", ["gamma(.3)", "powerlaw", "arcsine", "dgamma", "semicircular"])
def test_perturb_softmax(name, n_classes):
    law, points = LAWS[name]
    scores = np.array([0.5, 0.0, 0.13, -0.3, 0.77, -1.1, 0.131])[:n_classes]
    p = PerturbSoftmax(from_scipy(law)).proba([scores])[0]
    assert_allclose(p, softmax_probabilities(law, scores, 1.0, points), atol=REACHED)


@pytest.mark.slow
def test_perturb_softmax_of_a_wide_law():
    law, points = LAWS["weibull_min"]
    p = PerturbSoftmax(from_scipy(law)).proba([[0.5, 0.0]])[0, 0]
    assert_allclose(p, softmax_of_two(law, 0.5, 1.0, points), atol=REACHED)


WIDE = ["loguniform", "weibull_min", "lognorm", "burr", "dweibull", "invgamma", "levy", "gennorm"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma(.3)", *WIDE])
def test_perturb_softmax_of_a_wide_law_and_many_classes(name):
    """The largest error is 2e-11, for weibull_min."""
    law, points = LAWS[name]
    scores = np.array([0.5, 0.0, 0.13, -0.3, 0.77, -1.1, 0.131])
    for n_classes in (3, 7):
        p = PerturbSoftmax(from_scipy(law)).proba([scores[:n_classes]])[0]
        assert_allclose(p, softmax_of_many(law, scores[:n_classes], 1.0, points), atol=REACHED)


@pytest.mark.parametrize("name", ["levy", "weibull_min"])
def test_perturb_softmax_of_a_wide_law_sums_to_one(name):
    """One tail may be heavy and the other thin."""
    law, _ = LAWS[name]
    for scores in ([0.5, 0.0, 0.13], [50.0, 0.0, 13.0], [-5.0, 0.0, 2000.0]):
        p = PerturbSoftmax(from_scipy(law)).proba([scores])[0]
        assert_allclose(p.sum(), 1, rtol=1e-9)
        assert list(p.argsort()) == list(np.argsort(scores))


class Wrong(stats.rv_continuous):
    """A density that is too large by one hundredth."""

    def _pdf(self, x):
        return np.exp(-np.abs(x)) / 2 * 1.01

    def _cdf(self, x):
        return stats.laplace.cdf(x)


def test_density_and_cdf_that_do_not_agree_are_told():
    with pytest.warns(RuntimeWarning, match="wrong by 1e-02"):
        interpolant(from_scipy(Wrong(name="wrong")()))
