"""A distribution of scipy.stats beside the family of the same law, where scipy's CDF underflows."""

import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb import PerturbArgmax

TWINS = {
    "gumbel_min": (stats.gumbel_l(), 3000),
    "logistic": (stats.logistic(), 3000),
    "laplace": (stats.laplace(), 700),  # the density of scipy itself underflows further out
    "gaussian": (stats.norm(), 3000),
    "exponential": (stats.expon(), 700),
}


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("gap", [10, 60, 100, 300, 700, 900, 3000])
def test_log_p(name, gap):
    twin, furthest = TWINS[name]
    if gap > furthest:
        pytest.skip("scipy's density underflows")
    scores = [[0.0, -gap / 2, -gap]]
    expected = PerturbArgmax(name).log_proba(scores)
    assert_allclose(PerturbArgmax(twin).log_proba(scores), expected, rtol=1e-10, atol=1e-9)
