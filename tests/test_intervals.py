"""Intervals of a mean cost from the counts of what happened.

The simulations are run by ``pytest -m slow tests/test_intervals.py -s``; they print their numbers.
"""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from statsmodels.stats import proportion

from skperturb.evaluation import CostInterval, cost_interval, mean_interval
from skperturb.evaluation._intervals import interval_of_cells, interval_of_metric, within_classes

from .conftest import IDENTITY

COSTS = {"bad": {"pass": 50.0, "scrap": 0.0}, "good": {"pass": 0.0, "scrap": 1.0}}
TABLE = np.array([[50.0, 0.0], [0.0, 1.0]])
ROUNDING = 1e-9  # of quantiles of the beta distribution


def parts(escapes, stopped, passed, alarms):
    """Codes of the classes and decisions of so many parts."""
    counts = [escapes, stopped, passed, alarms]
    return np.repeat([0, 0, 1, 1], counts), np.repeat([0, 1, 0, 1], counts)


def ends(*args, **kwargs):
    interval = interval_of_cells(*args, **kwargs)
    return interval.low, interval.high


def clopper_pearson(k, n, confidence=0.95):
    return np.array(proportion.proportion_confint(k, n, 1 - confidence, "beta"))


# The numbers


@pytest.mark.parametrize("k", [0, 1, 2, 19, 39, 40])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_one_kind_of_mistake_has_the_interval_of_clopper_and_pearson(k, confidence):
    interval = ends(*parts(k, 40 - k, 60, 0), TABLE, confidence=confidence)
    assert_allclose(interval, 50 * clopper_pearson(k, 100, confidence), rtol=ROUNDING)
    # So has a cost that is saved on few parts, and what is due in any case.
    gain = ends(*parts(k, 40 - k, 60, 0), 7 - TABLE, confidence=confidence)
    assert_allclose(gain, 7 - 50 * clopper_pearson(k, 100, confidence)[::-1], rtol=ROUNDING)


@pytest.mark.parametrize("k", [0, 1, 5])
def test_known_shares_leave_chance_within_the_classes(k):
    """One class is always called rightly: the rest is a binomial of the parts of the other."""
    table = np.array([[50.0, 0.0], [3.0, 3.0]])
    interval = ends(*parts(k, 30 - k, 70, 5), table, shares=np.array([0.02, 0.98]))
    expected = 0.02 * 50 * clopper_pearson(k, 30) + 0.98 * 3
    assert_allclose(interval, expected, rtol=ROUNDING)


def test_many_mistakes_have_the_interval_of_the_mean():
    """With many parts of each kind, the interval is that of the central limit theorem."""
    rng = np.random.default_rng(0)
    codes, decided = rng.integers(0, 3, 40_000), rng.integers(0, 3, 40_000)
    costs = np.array([[0, 1, 4.0], [3, 0, 1], [9, 4, 0]])
    lots = rng.integers(0, 4000, 40_000)
    shares = np.array([0.1, 0.3, 0.6])
    weight = (shares / (np.bincount(codes) / len(codes)))[codes]
    values = costs[codes, decided]
    for ours, wald in (
        (ends(codes, decided, costs), mean_interval(values)),
        (ends(codes, decided, costs, groups=lots), mean_interval(values, groups=lots)),
        (
            ends(codes, decided, costs, shares=shares),
            mean_interval(within_classes(values, codes, weight), sample_weight=weight),
        ),
    ):
        # The excess of the dearest mistake over the limit is of the order of 1 / sqrt(n).
        assert_allclose(
            np.subtract(ours, wald.mean), [wald.low - wald.mean, wald.high - wald.mean], rtol=0.06
        )


def test_within_classes_is_the_stratified_variance():
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], [40, 60, 1])
    values, shares = rng.normal(size=101) + codes, np.array([0.2, 0.5, 0.3])
    weight = (shares * 101 / np.bincount(codes))[codes]
    moved = within_classes(values, codes, weight)
    mean = sum(share * values[codes == k].mean() for k, share in enumerate(shares))
    assert_allclose(np.average(moved, weights=weight), mean, rtol=IDENTITY)
    # Without the class of one part: the variance of the stratified mean (Cochran, 1977).
    two = codes < 2
    moved = within_classes(values[two], codes[two], weight[two])
    own = weight[two] / weight[two].sum()
    variance = sum(
        own[codes[two] == k].sum() ** 2 * values[codes == k].var(ddof=1) / (codes == k).sum()
        for k in (0, 1)
    )
    assert_allclose(((own * (moved - own @ moved)) ** 2).sum(), variance, rtol=IDENTITY)


def test_public_function_by_names():
    codes, decided = parts(2, 8, 85, 5)
    y, decisions = np.array(["bad", "good"])[codes], np.array(["pass", "scrap"])[decided]
    interval = cost_interval(y, decisions, COSTS)
    assert interval == interval_of_cells(codes, decided, TABLE)
    assert_allclose(interval.mean, (2 * 50 + 5) / 100, rtol=IDENTITY)
    assert interval.dear_mistakes == 2
    assert interval.known
    assert interval.note == "2 dear mistakes were made on 100 parts."
    line = {"good": 99, "bad": 1}
    assert_allclose(
        cost_interval(y, decisions, COSTS, prevalence=line).to_dict()["mean"],
        0.01 * 50 * 2 / 10 + 0.99 * 5 / 90,
        rtol=IDENTITY,
    )
    assert isinstance(interval, CostInterval)
    assert "dear mistakes" in str(interval)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"confidence": 95}, "confidence must lie between 0 and 1"),
        ({"sample_weight": [0, 0]}, "positive for at least one row"),
        ({"groups": ["a"]}, "inconsistent numbers of samples"),
        ({"groups": ["a", None]}, "groups is missing for 1 rows"),
        ({"prevalence": {"good": 1}}, "lacks the classes bad"),
        ({"prevalence": {"good": 1, "bad": 1}}, "no part of positive weight"),
    ],
)
def test_refusals(options, match):
    with pytest.raises(ValueError, match=match):
        cost_interval(["good", "good"], ["pass", "pass"], COSTS, **options)


def test_no_parts_are_refused():
    with pytest.raises(ValueError, match="no mean cost of no parts"):
        cost_interval([], [], COSTS)


# What must not matter


def some_study(seed, n=200):
    rng = np.random.default_rng(seed)
    K = int(rng.integers(2, 5))
    codes, decided = rng.integers(0, K, n), rng.integers(0, K, (3, n))
    decided = np.where(rng.random((3, n)) < 0.9, codes, decided)
    costs = rng.exponential(10 ** rng.uniform(-2, 3, (K, K)))
    np.fill_diagonal(costs, 0)
    return rng, codes, decided, costs


@pytest.mark.parametrize("seed", range(6))
def test_units_order_lots_of_one_and_weights(seed):
    rng, codes, decided, costs = some_study(seed)
    low, high = ends(codes, decided, costs)
    assert_allclose(ends(codes, decided, 8 * costs), (8 * low, 8 * high), rtol=ROUNDING)
    assert_allclose(ends(codes, decided, costs + 5), (low + 5, high + 5), rtol=ROUNDING)
    order = rng.permutation(200)
    assert_allclose(ends(codes[order], decided[:, order], costs), (low, high), rtol=ROUNDING)
    lots = order.astype(str)
    assert_allclose(ends(codes, decided, costs, groups=lots), (low, high), rtol=ROUNDING)
    assert_allclose(
        ends(codes, decided, costs, weight=np.full(200, 3.0)), (low, high), rtol=ROUNDING
    )
    # A weight of zero leaves a part out, and repeats that agree are one.
    weight = (np.arange(200) >= 20).astype(float)
    without = ends(codes[20:], decided[:, 20:], costs)
    assert_allclose(ends(codes, decided, costs, weight=weight), without, rtol=ROUNDING)
    once, thrice = decided[0], np.tile(decided[0], (3, 1))
    assert_allclose(ends(codes, thrice, costs), ends(codes, once, costs), rtol=ROUNDING)
    # Labels of classes and decisions may be in any order.
    K = len(costs)
    swap = rng.permutation(K)
    place = np.argsort(swap)
    assert_allclose(
        ends(place[codes], place[decided], costs[np.ix_(swap, swap)]), (low, high), rtol=ROUNDING
    )


@pytest.mark.parametrize("seed", range(30))
def test_ends_lie_within_the_costs_and_around_the_mean(seed):
    rng, codes, decided, costs = some_study(seed, n=int(5 + seed))
    K = len(costs)
    shares = rng.dirichlet(np.ones(K)) * np.isin(np.arange(K), codes)
    for options in (
        {},
        {"weight": rng.exponential(size=len(codes))},
        {"groups": rng.integers(0, 4, len(codes))},
        {"shares": shares / shares.sum()},
        {"shares": shares / shares.sum(), "groups": rng.integers(0, 4, len(codes))},
    ):
        interval = interval_of_cells(codes, decided, costs, **options)
        assert costs.min() <= interval.low <= interval.mean <= interval.high <= costs.max()
        assert interval.low < interval.high


def test_repeats_are_no_more_parts():
    """Ten repeats of the same study are as wide as one, around the mean of all."""
    one, two = parts(2, 8, 85, 5), parts(4, 6, 85, 5)
    both = ends(one[0], np.stack([one[1], two[1]]), TABLE)
    low, high = ends(*parts(3, 7, 85, 5), TABLE)
    assert_allclose(both, (low, high), rtol=ROUNDING)


def test_lots_that_share_faults_widen_the_interval():
    codes, decided = parts(10, 90, 890, 10)
    together = np.arange(1000) // 10
    apart = np.arange(1000) % 100
    narrow, wide = (np.ptp(ends(codes, decided, TABLE, groups=lots)) for lots in (apart, together))
    assert wide > 2 * narrow
    # Lots that have all the same shares are no more than as many parts.
    alone = np.ptp(ends(codes, decided, TABLE))
    assert alone <= narrow < 1.1 * alone
    # So it is where no dear mistake was seen, but defects come together.
    codes, decided = parts(0, 100, 890, 10)
    narrow, wide = (np.ptp(ends(codes, decided, TABLE, groups=lots)) for lots in (apart, together))
    assert wide > 5 * narrow


def test_nothing_is_said_of_one_lot():
    interval = interval_of_cells(*parts(2, 8, 85, 5), TABLE, groups=np.zeros(100))
    assert_array_equal([interval.low, interval.high], [np.nan, np.nan])


# Dear mistakes


def test_unseen_dear_mistakes_are_said():
    unseen = interval_of_cells(*parts(0, 10, 85, 5), TABLE)
    assert (unseen.dear_mistakes, unseen.known) == (0, False)
    assert unseen.note.startswith("No dear mistake was made on 100 parts, so that the cost is not")
    # The upper end allows for 3.7 of them, and for the chance of the others.
    assert 50 * 3.5 / 100 < unseen.high < 50 * 3.8 / 100 + 5 / 100
    half = interval_of_cells(
        parts(0, 10, 85, 5)[0],
        np.stack([parts(0, 10, 85, 5)[1], parts(1, 9, 85, 5)[1]]),
        TABLE,
    )
    assert (half.dear_mistakes, half.known) == (0.5, False)
    assert half.note.startswith("Less than one dear mistake was made")


def test_dear_is_what_costs_half_of_the_dearest():
    costs = np.array([[60.0, 35, 10], [0, 2, 1], [5, 5, 5]])
    codes, decided = np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3)
    # Above the best decision: 50, 25 and 0; 0, 2 and 1; nothing.
    assert interval_of_cells(codes, decided, costs).dear_mistakes == 2


def test_decisions_never_taken_are_never_taken():
    """Who scraps all parts lets none escape: the cost is known if the shares are."""
    codes, decided = parts(0, 10, 0, 90)
    interval = interval_of_cells(codes, decided, TABLE, shares=np.array([0.02, 0.98]))
    assert interval.low == interval.mean == interval.high == pytest.approx(0.98)
    assert interval.known
    # An interval without width is no measurement and is not shown as one.
    shown = interval_of_metric(
        "cost",
        np.zeros((1, 100)),
        codes,
        decided[None],
        TABLE,
        weight=np.ones(100),
        shares=pd.Series([0.02, 0.98]),
        groups=None,
        confidence=0.95,
    )
    assert_array_equal(shown, [np.nan, np.nan])


def test_metrics_of_a_study():
    rng = np.random.default_rng(2)
    codes, decided = parts(2, 8, 85, 5)
    hits = (rng.random((2, 100)) < 0.9).astype(float)
    lots = np.arange(100) // 5
    options = {"weight": np.ones(100), "groups": None, "confidence": 0.95}

    def of(metric, values, **more):
        return interval_of_metric(metric, values, codes, decided[None], TABLE, **options | more)

    misses = 200 - hits.sum()
    n = 100
    low, high = of("accuracy", hits)
    k = misses / 2
    assert_allclose(1 - high, stats.beta.ppf(0.025, k, n - k + 1), rtol=ROUNDING)
    assert_allclose(1 - low, stats.beta.isf(0.025, k + 1, n - k), rtol=ROUNDING)
    # All right in all lots is no proof.
    low, high = of("accuracy", np.ones((2, 100)), groups=lots)
    assert low < 0.97
    assert high == 1
    losses = np.zeros((2, 100))
    losses[:, 0] = 10
    assert of("log_loss", losses)[0] == 0
    assert_array_equal(of("log_loss", np.ones((2, 100))), [np.nan, np.nan])


# What is promised


def study_of(cells, n, data_sets, rng):
    """Codes and decisions of studies with these probabilities of the four cells."""
    for counts in rng.multinomial(n, cells, data_sets):
        yield counts, parts(*counts)


@pytest.mark.slow
def test_level_and_width_where_dear_mistakes_are_rare():
    """At least 92 % coverage and at most 1.3 times the width for the dear mistake alone."""
    rng = np.random.default_rng(0)
    for escape, sizes in (
        (0.0009, (1112, 1300, 1500)),
        (0.003, (334, 500, 667, 1000, 1250, 1500)),
        (0.02, (300, 500, 1000, 1500)),
    ):
        for n in sizes:
            for alarms in (0.05, 0.2):
                cells = np.array([escape, 0.05 - escape, 0.95 - alarms, alarms])
                cost = cells @ TABLE.ravel()
                covered, ours, theirs = [], [], []
                for counts, study in study_of(cells, n, 2000, rng):
                    low, high = ends(*study, TABLE)
                    covered.append(low <= cost <= high)
                    ours.append(high - low)
                    theirs.append(50 * np.ptp(clopper_pearson(counts[0], n)))
                    assert low >= 0
                ratio = np.mean(ours) / np.mean(theirs)
                print(
                    f"escapes {escape:.2%}, n={n}, alarms {alarms:.0%}: "
                    f"coverage {np.mean(covered):.1%}, width {ratio:.3f}"
                )
                assert np.mean(covered) >= 0.92
                assert ratio <= 1.3


@pytest.mark.slow
def test_level_of_many_kinds_of_mistakes_and_of_known_shares():
    rng = np.random.default_rng(1)
    K = 5
    costs = rng.uniform(1, 60, (K, K))
    np.fill_diagonal(costs, 0)
    cells = np.full((K, K), 0.0015)
    np.fill_diagonal(cells, (1 - 20 * 0.0015) / K)
    codes, decided = np.divmod(np.arange(K * K), K)
    covered = []
    for counts in rng.multinomial(600, cells.ravel(), 2000):
        low, high = ends(np.repeat(codes, counts), np.repeat(decided, counts), costs)
        covered.append(low <= (cells * costs).sum() <= high)
    print(f"20 kinds of rare mistakes: coverage {np.mean(covered):.1%}")
    assert np.mean(covered) >= 0.92
    for bad, good, escape, alarm, share in (
        (150, 150, 0.01, 0.1, 0.03),
        (150, 150, 0.05, 0.02, 0.03),
        (100, 400, 0.01, 0.002, 0.01),
        (30, 300, 0.1, 0.1, 0.02),
    ):
        cost, covered = share * escape * 50 + (1 - share) * alarm, []
        for missed, stopped in zip(
            rng.binomial(bad, escape, 2000), rng.binomial(good, alarm, 2000), strict=True
        ):
            study = parts(missed, bad - missed, good - stopped, stopped)
            low, high = ends(*study, TABLE, shares=np.array([share, 1 - share]))
            covered.append(low <= cost <= high)
        print(f"{bad} bad, {good} good, escapes {escape:.0%}: coverage {np.mean(covered):.1%}")
        assert np.mean(covered) >= 0.92


@pytest.mark.slow
def test_level_with_lots_that_share_faults():
    rng = np.random.default_rng(2)
    for n_lots, size, bad, escape, concentration in (
        (40, 25, 0.05, 0.06, 1),
        (40, 25, 0.05, 0.06, 10),
        (12, 50, 0.05, 0.1, 2),
        (200, 5, 0.05, 0.06, 1),
        (40, 25, 0.1, 0.2, 20),
    ):
        lots, covered = np.repeat(np.arange(n_lots), size), []
        cost = 50 * bad * escape + (1 - bad) * 0.1
        for _ in range(500):
            of_bad, of_escape = (
                rng.beta(p * concentration, (1 - p) * concentration, n_lots)[lots]
                for p in (bad, escape)
            )
            codes = (rng.random(len(lots)) >= of_bad).astype(int)
            stops = np.where(codes == 0, 1 - of_escape, 0.1)
            decided = (rng.random(len(lots)) < stops).astype(int)
            low, high = ends(codes, decided, TABLE, groups=lots)
            covered.append(low <= cost <= high)
        print(
            f"{n_lots} lots of {size}, concentration {concentration}: "
            f"coverage {np.mean(covered):.1%}"
        )
        assert np.mean(covered) >= 0.92
