"""A distribution of scipy.stats beside the family of the same law, where scipy's CDF underflows."""

from contextlib import nullcontext

import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb import PerturbArgmax

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
