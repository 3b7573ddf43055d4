"""A distribution of scipy.stats beside the family of the same law, where scipy's CDF underflows."""

from contextlib import nullcontext

import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb import PerturbArgmax
from skperturb.noise import StudentT, from_scipy

TWINS = {
    "gumbel_min": stats.gumbel_l(),
    "logistic": stats.logistic(),
    "laplace": stats.laplace(),
    "gaussian": stats.norm(),
    "exponential": stats.expon(),
    "student_t": stats.t(4),
}
UNDERFLOW = {"laplace"}  # scipy's density of them underflows: their tails are continued


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("gap", [10, 60, 100, 300, 690, 900, 3000])
def test_log_p(name, gap):
    scores = [[0.0, -gap / 2, -gap]]
    expected = PerturbArgmax(name).log_proba(scores)
    continued = name in UNDERFLOW and gap > 700
    says = pytest.warns(RuntimeWarning, match="underflows") if continued else nullcontext()
    with says:
        log_p = PerturbArgmax(TWINS[name]).log_proba(scores)
    assert_allclose(log_p, expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("df", [3, 1.5])
@pytest.mark.parametrize("gap", [1e2, 1e4, 1e6, 1e9])
@pytest.mark.parametrize("between", [[], [0.5]])
def test_heavy_tails_far_out(df, gap, between):
    """Where scipy's own tail probabilities are integrated from its density."""
    scores = [[0.0, *(-gap * share for share in between), -gap]]
    log_p = PerturbArgmax(from_scipy(stats.t(df))).log_proba(scores)
    assert_allclose(log_p, PerturbArgmax(StudentT(df)).log_proba(scores), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "distribution", [stats.norm([0, 1]), stats.norm(scale=[2.0]), stats.t([3, 4])]
)
def test_parameters_that_are_arrays_are_refused(distribution):
    with pytest.raises(ValueError, match="are arrays: give from_scipy one distribution"):
        from_scipy(distribution)
