"""The online test.

The simulations are run by ``pytest -m slow tests/test_online.py -s``; they print their numbers.
"""

import copy
import json
import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skperturb.evaluation import PairedABTest
from skperturb.evaluation import _betting as betting
from skperturb.evaluation import _online as online

from .conftest import IDENTITY

ADDED_UP = 1e-10  # of a product of thousands of factors in another order
ENDS = 1e-6  # of log e at an end that bisection found

ZERO_ONE = pd.DataFrame([[0, 1], [1, 0]], index=["good", "bad"], columns=["pass", "scrap"])
SKEWED = {"good": {"pass": 0, "scrap": 1}, "bad": {"pass": 100, "scrap": 0}}
REWORK = {
    "good": {"pass": 0, "rework": 2, "scrap": 5},
    "bad": {"pass": 40, "rework": 2.5, "scrap": 5},
}

# Outcomes (truth, A, B) of a part, by the sign of cost(A) - cost(B) in all of the tables.
A_SCRAPS = ("good", "scrap", "pass")
B_SCRAPS = ("good", "pass", "scrap")
A_MISSES = ("bad", "pass", "scrap")
B_MISSES = ("bad", "scrap", "pass")
AGREE = ("good", "pass", "pass")
# Equal models: cost matrix and probability of each outcome. The third is as skewed as can be:
# A's rare misses cost what B's many false alarms do.
NULLS = {
    "zero one": (ZERO_ONE, {A_SCRAPS: 0.09, B_SCRAPS: 0.09, AGREE: 0.82}),
    "rare misses": (
        SKEWED,
        {A_SCRAPS: 0.05, B_SCRAPS: 0.05, A_MISSES: 0.001, B_MISSES: 0.001, AGREE: 0.898},
    ),
    "misses for alarms": (SKEWED, {A_MISSES: 0.0005, B_SCRAPS: 0.05, AGREE: 0.9495}),
    "three decisions": (
        REWORK,
        {
            ("bad", "pass", "rework"): 0.02,
            ("good", "pass", "rework"): 0.2,
            ("good", "pass", "scrap"): 0.07,
            AGREE: 0.71,
        },
    ),
}
DIFFERENT = {
    "zero one": (ZERO_ONE, {A_SCRAPS: 0.092, B_SCRAPS: 0.072, AGREE: 0.836}),
    "rare misses": (
        SKEWED,
        {A_SCRAPS: 0.03, B_SCRAPS: 0.06, A_MISSES: 0.003, B_MISSES: 0.001, AGREE: 0.906},
    ),
    "nearly always": (ZERO_ONE, {A_SCRAPS: 0.97, AGREE: 0.03}),
}


def cost_of(cost_matrix, outcome):
    """cost(A) - cost(B) of an outcome, from the table itself."""
    truth, a, b = outcome
    table = cost_matrix.T if isinstance(cost_matrix, pd.DataFrame) else cost_matrix
    return float(table[truth][a] - table[truth][b])


def mean_of(cost_matrix, outcomes):
    return sum(p * cost_of(cost_matrix, part) for part, p in outcomes.items())


def differences(cost_matrix, parts):
    """cost(A) - cost(B) of each part."""
    parts = list(zip(*parts, strict=True))
    costs = {part: cost_of(cost_matrix, part) for part in set(parts)}
    return np.array([costs[part] for part in parts])


def draw(outcomes, n, rng):
    """Truths and decisions of n independent parts, as three arrays."""
    codes = rng.choice(len(outcomes), n, p=list(outcomes.values()))
    return np.array(list(outcomes))[codes].T


def columns(parts):
    return [list(column) for column in zip(*parts, strict=True)]


def assert_same(test, other, **tolerance):
    """The same numbers in both: exactly, if there is no tolerance."""
    left, right = test.summary().to_dict(), other.summary().to_dict()
    if not tolerance:
        assert left == right
    for key in ("verdict", "decided_at", "n_parts", "n_disagree"):
        assert left[key] == right[key]
    for key in ("e_value", "p_value", "mean_difference", "interval"):
        assert_allclose(left[key], right[key], **tolerance)


# The numbers


def test_e_values_by_hand():
    """Products of 1 + b x and of 1 - b x, averaged over the bets b: polynomials in x."""
    bets = 1 / (1 + np.exp(-np.linspace(-8, 8, 33)))
    weights = np.sqrt(bets * (1 - bets))
    second, fourth = (np.average(bets**k, weights=weights) for k in (2, 4))
    assert abs(second - 3 / 8) < 0.01  # of the arcsine law itself
    test = PairedABTest(SKEWED)
    assert_allclose((test.e_value, test.p_value), 1, rtol=IDENTITY)
    test.update(*A_MISSES)  # either side is as probable so far
    assert_allclose(test.e_value, 1, rtol=IDENTITY)
    test.update(*A_MISSES)
    assert_allclose(test.e_value, 1 + second, rtol=IDENTITY)
    assert_allclose(test.p_value, 1 / (1 + second), rtol=IDENTITY)
    test.update(*A_MISSES)
    assert_allclose(test.e_value, 1 + 3 * second, rtol=IDENTITY)
    test.update(*B_MISSES)  # (1 + b)^3 (1 - b) without its odd powers
    assert_allclose(test.e_value, 1 - fourth, rtol=IDENTITY)
    assert_allclose(test.p_value, 1 / (1 + 3 * second), rtol=IDENTITY)
    cheap = PairedABTest(SKEWED).update(*columns([A_SCRAPS, B_MISSES]))
    assert_allclose(cheap.e_value, 1 - second / 100, rtol=IDENTITY)


def test_before_the_first_part():
    test = PairedABTest(REWORK, confidence=0.9)
    summary = test.summary().to_dict()
    assert math.isnan(summary.pop("mean_difference"))
    assert_allclose(summary.pop("e_value"), 1.0, rtol=IDENTITY)
    assert summary == {
        "verdict": "undecided",
        "decided_at": None,
        "p_value": 1.0,
        "interval": (-37.5, 37.5),
        "n_parts": 0,
        "n_disagree": 0,
        "n_lots": 0,
        "n_waiting": 0,
        "confidence": 0.9,
    }
    assert_same(PairedABTest(REWORK, confidence=0.9).update([], [], []), test, rtol=0)


def test_clear_difference_is_decided_and_stays_decided():
    test = PairedABTest(ZERO_ONE)
    assert test.update(*columns([A_SCRAPS] * 20)).verdict == "b better"
    first = PairedABTest(ZERO_ONE).update(*columns([A_SCRAPS] * (test.decided_at - 1)))
    assert first.verdict == "undecided"
    assert first.p_value > 0.05
    p_value = test.p_value
    test.update(*columns([B_SCRAPS] * 20))
    assert test.verdict == "b better"
    assert test.e_value < 1
    assert test.p_value == p_value <= 0.05
    assert test.interval[0] < 0 < test.interval[1]
    assert repr(test) == (
        f"PairedABTest(b better since part {test.decided_at}, e={test.e_value:.3g}, "
        "mean difference 0, 40 parts)"
    )


def test_overwhelming_evidence_is_finite():
    test = PairedABTest(ZERO_ONE).update(*columns([B_SCRAPS] * 5000))
    assert test.e_value == pytest.approx(np.finfo(float).max)
    assert 0 <= test.p_value < 1e-300
    assert test.verdict == "a better"
    assert test.interval[0] == -1
    assert test.interval[1] < -0.99
    json.dumps(test.summary().to_dict(), allow_nan=False)


def test_summary_has_plain_types():
    summary = (
        PairedABTest(SKEWED)
        .update(*draw(NULLS["zero one"][1], 500, np.random.default_rng(0)))
        .summary()
        .to_dict()
    )
    for value in [*summary.values(), *summary["interval"]]:
        assert type(value) in (str, float, int, tuple, type(None))


# What must not matter


@pytest.mark.parametrize("name", NULLS)
def test_one_by_one_is_one_batch(name, monkeypatch):
    cost_matrix, outcomes = NULLS[name]
    parts = draw(outcomes, 700, np.random.default_rng(1))
    single = PairedABTest(cost_matrix, confidence=0.5)
    for part in zip(*parts, strict=True):
        assert single.update(*part) is single
    assert_same(single, PairedABTest(cost_matrix, confidence=0.5).update(*parts), rtol=IDENTITY)
    monkeypatch.setattr(online, "CHUNK", 7)
    assert_same(single, PairedABTest(cost_matrix, confidence=0.5).update(*parts), rtol=IDENTITY)


def test_order_matters_for_the_running_minimum_only():
    y, a, b = draw(DIFFERENT["zero one"][1], 2000, np.random.default_rng(2))
    test = PairedABTest(ZERO_ONE).update(y, a, b)
    back = PairedABTest(ZERO_ONE).update(y[::-1], a[::-1], b[::-1])
    assert_allclose(test.e_value, back.e_value, rtol=ADDED_UP)
    assert test.interval == back.interval
    assert test.p_value != back.p_value


def test_swapping_a_and_b_swaps_the_signs():
    y, a, b = draw(DIFFERENT["rare misses"][1], 20000, np.random.default_rng(3))
    test, swapped = PairedABTest(SKEWED).update(y, a, b), PairedABTest(SKEWED).update(y, b, a)
    assert (test.verdict, swapped.verdict) == ("b better", "a better")
    assert test.decided_at == swapped.decided_at
    assert test.e_value == swapped.e_value
    assert test.p_value == swapped.p_value
    assert test.mean_difference == -swapped.mean_difference
    assert_allclose(test.interval, [-end for end in swapped.interval[::-1]], rtol=IDENTITY)


def test_unit_of_the_costs_does_not_matter():
    parts = draw(DIFFERENT["rare misses"][1], 5000, np.random.default_rng(4))
    euro = PairedABTest(SKEWED).update(*parts)
    table = pd.DataFrame(SKEWED).T
    milli = PairedABTest(1000 * table).update(*parts)
    assert_allclose(milli.e_value, euro.e_value, rtol=IDENTITY)
    assert_allclose(milli.mean_difference, 1000 * euro.mean_difference, rtol=IDENTITY)
    assert_allclose(milli.interval, 1000 * np.array(euro.interval), rtol=IDENTITY)
    # What is due whatever one decides makes no difference either.
    shifted = PairedABTest(table.add([8, 64], axis=0)).update(*parts)
    assert_same(shifted, euro)


def test_ties_change_nothing_but_the_interval():
    cost_matrix = {**REWORK, "odd": {"pass": 3, "rework": 3, "scrap": 0}}
    ties = columns([("odd", "pass", "rework"), AGREE, ("bad", "scrap", "scrap")] * 100)
    test = PairedABTest(cost_matrix).update(*ties)
    assert_allclose((test.e_value, test.p_value), 1, rtol=IDENTITY)
    assert test.verdict == "undecided"
    assert (test.n_parts, test.n_disagree, test.mean_difference) == (300, 0, 0)
    before = test.update(*columns([A_MISSES] * 4)).summary().to_dict()
    after = test.update(*ties).summary().to_dict()
    for key in ("e_value", "p_value", "verdict", "n_disagree"):
        assert before[key] == after[key]
    assert after["interval"][1] < before["interval"][1]


@pytest.mark.parametrize(
    "cost_matrix",
    [
        ZERO_ONE,
        ZERO_ONE.loc[["bad", "good"], ["scrap", "pass"]],
        {"good": {"scrap": 1.0, "pass": 0}, "bad": {"pass": 1, "scrap": 0}},
    ],
)
def test_forms_of_the_cost_matrix(cost_matrix):
    y, a, b = draw(NULLS["zero one"][1], 300, np.random.default_rng(5))
    expected = PairedABTest([[0, 1], [1, 0]], classes=[0, 1])
    expected.update(y == "bad", (a == "scrap").astype(float), (b == "scrap").astype(int))
    for forms in ((y, a, b), (pd.Series(y), pd.Categorical(a), b.tolist())):
        assert_same(PairedABTest(cost_matrix, classes=["good", "bad"]).update(*forms), expected)


def test_labels_of_a_file_are_matched_by_name():
    costs = pd.DataFrame([[0, 1], [1, 0]], index=[0, 1], columns=["pass", 7])
    test = PairedABTest(costs).update(["1", "0"], ["pass", "7"], ["7", "pass"])
    assert_same(test, PairedABTest(costs).update([1, 0], ["pass", 7], [7, "pass"]))


# The state


@pytest.mark.parametrize("cut", [0, 1, 400, 1999])
@pytest.mark.parametrize("name", DIFFERENT)
def test_continuing_after_a_round_trip_is_never_having_stopped(name, cut):
    cost_matrix, outcomes = DIFFERENT[name]
    parts = draw(outcomes, 2000, np.random.default_rng(6))
    head, tail = [column[:cut] for column in parts], [column[cut:] for column in parts]
    test = PairedABTest(cost_matrix, confidence=0.8).update(*head)
    text = test.to_json()
    again = PairedABTest.from_json(text)
    assert again.to_json() == text
    assert again.confidence == 0.8
    pd.testing.assert_frame_equal(again.cost_matrix, test.cost_matrix)
    assert_same(again.update(*tail), test.update(*tail))
    assert again.to_json() == test.to_json()


def test_labels_keep_their_type_in_json():
    test = PairedABTest([[0, 1], [2, 0]], classes=np.array([3, 5])).update([3, 5], [5, 5], [3, 3])
    again = PairedABTest.from_json(test.to_json()).update(np.int64(3), 5, 3)
    assert_same(again, test.update(3, 5, 3))
    with pytest.raises(ValueError, match="no form in JSON"):
        PairedABTest([[0, 1], [2, 0]], classes=[pd.Timestamp(0), pd.Timestamp(1)]).to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": "0.05"},
        {"alpha": 2},
        {"costs": [[0, 1], [1]]},
        {"costs": [[0, 1], [1, None]]},
        {"truths": ["good", "good"]},
        {"truths": None},
        {"decisions": ["pass"]},
        {"counts": [1, 2]},
        {"counts": [1, 2, 4]},
        {"counts": [-1, 2, 3]},
        {"counts": [1.5, 2, 3]},
        {"counts": [10**30, 2, 3]},
        {"counts": None},
        {"in_lots": [1, 0, 0], "lot_means": {"L1": 1.0, "L2": 1.0}},
        {"in_lots": None},
        {"in_open": [0, 0, 1]},
        {"open": "L1"},
        {"open": ["L1"], "in_open": [0, 0, 1]},
        {"lot_means": {"L1": 1.0}, "in_lots": [0, 0, 1]},
        {"lot_means": {"L1": 2.0}, "in_lots": [0, 0, 1]},
        {"lot_means": {"L1": "much"}},
        {"lot_means": "much"},
        {"log_capital": [0.0]},
        {"log_capital": "much"},
        {"max_log_e": -1.0},
        {"max_log_e": 9.0},
        {"max_log_e": None},
        {"max_log_e": float("nan")},
        {"verdict": "a better"},
        {"verdict": "maybe"},
        {"verdict": ["undecided"]},
        {"decided_at": 3},
    ],
    ids=str,
)
def test_states_that_are_none(change):
    test = PairedABTest(ZERO_ONE).update(*columns([A_SCRAPS] * 3 + [B_SCRAPS] * 2 + [AGREE]))
    state = json.loads(test.to_json())
    assert PairedABTest.from_json(json.dumps(state)).n_parts == 6
    with pytest.raises(ValueError, match=r"the JSON of a PairedABTest"):
        PairedABTest.from_json(json.dumps({**state, **change}))


@pytest.mark.parametrize("key", json.loads(PairedABTest(ZERO_ONE).to_json()))
def test_states_that_lack_something(key):
    state = json.loads(PairedABTest(ZERO_ONE).to_json())
    del state[key]
    with pytest.raises(ValueError, match="not the JSON of a PairedABTest"):
        PairedABTest.from_json(json.dumps(state))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", None])
def test_texts_that_are_no_state(text):
    with pytest.raises(ValueError, match="not the JSON of a PairedABTest"):
        PairedABTest.from_json(text)


def test_other_versions_are_refused():
    state = {**json.loads(PairedABTest(ZERO_ONE).to_json()), "version": 3}
    with pytest.raises(ValueError, match="text is of version 3, this is version 2"):
        PairedABTest.from_json(json.dumps(state))


def test_states_without_lots_are_read():
    """Version 1 of the last release."""
    test = PairedABTest(ZERO_ONE).update(*columns([A_SCRAPS] * 3 + [AGREE]))
    state = json.loads(test.to_json())
    for key in ("in_lots", "in_open", "open", "lot_means"):
        del state[key]
    assert_same(PairedABTest.from_json(json.dumps({**state, "version": 1})), test)


# Lots


def lots_of(size, n_lots, rng, outcomes=None):
    """Parts whose lots share their faults: each lot has one outcome, on most of its parts."""
    outcomes = {A_SCRAPS: 0.25, B_SCRAPS: 0.25, AGREE: 0.5} if outcomes is None else outcomes
    kinds = list(outcomes)
    own = rng.choice(len(kinds), n_lots, p=list(outcomes.values())).repeat(size)
    shared = rng.random(len(own)) < 0.8
    codes = np.where(shared, own, kinds.index(AGREE))
    y, a, b = np.array(kinds)[codes].T
    return y, a, b, np.arange(n_lots).repeat(size)


def test_a_lot_is_a_bet_on_its_mean():
    """By hand: a lot of means 1/2 multiplies each capital by 1 + b/2 or 1 - b/2."""
    test = PairedABTest(ZERO_ONE).update(*columns([A_SCRAPS, AGREE]), groups="L1")
    assert (test.n_parts, test.n_lots, test.n_waiting) == (2, 0, 2)
    assert math.isnan(test.mean_difference)
    assert test.interval == (-1, 1)
    test.update(*columns([AGREE, A_SCRAPS, AGREE, A_SCRAPS]), groups=["L2", "L2", "L3", "L3"])
    assert (test.n_parts, test.n_lots, test.n_waiting) == (6, 2, 2)
    test.close_lot()
    assert (test.n_parts, test.n_lots, test.n_waiting, test.n_disagree) == (6, 3, 0, 3)
    assert test.mean_difference == 0.5
    second = np.average(betting.BETS**2, weights=betting.WEIGHTS)
    assert_allclose(test.e_value, 1 + 3 * second / 4, rtol=IDENTITY)  # (1 + b/2)^3, even powers
    assert test.close_lot().n_lots == 3
    halves = {"good": {"pass": 0, "scrap": 0.5}, "bad": {"pass": 1, "scrap": 0}}
    parts = PairedABTest(halves).update(*columns([A_SCRAPS] * 3))
    assert_allclose(test.interval, parts.interval, rtol=IDENTITY)


@pytest.mark.parametrize("name", NULLS)
def test_lots_of_one_part_are_parts(name):
    cost_matrix, outcomes = NULLS[name]
    parts = draw(outcomes, 300, np.random.default_rng(13))
    plain = PairedABTest(cost_matrix, confidence=0.5).update(*parts)
    lots = PairedABTest(cost_matrix, confidence=0.5).update(*parts, groups=range(300)).close_lot()
    assert_same(lots, plain, rtol=IDENTITY)
    assert lots.n_lots == 300


def test_how_lots_arrive_does_not_matter():
    *parts, lots = lots_of(7, 40, np.random.default_rng(14))
    once = PairedABTest(ZERO_ONE, confidence=0.5).update(*parts, groups=lots)
    singly, pieces, mixed = (PairedABTest(ZERO_ONE, confidence=0.5) for _ in range(3))
    for *part, lot in zip(*parts, lots, strict=True):
        singly.update(*part, groups=str(lot))
    for start in range(0, 280, 11):  # cuts through the lots
        rows = slice(start, start + 11)
        pieces.update(*(column[rows] for column in parts), groups=lots[rows])
        pieces = PairedABTest.from_json(pieces.to_json())
    # Within one update the parts may come in any order, if the lots begin in theirs.
    order = np.argsort(np.arange(280) % 7, kind="stable")
    mixed.update(*(column[order] for column in parts), groups=lots[order])
    for test in (singly, pieces, mixed):
        assert_same(test, once)
        assert json.loads(test.to_json()) == json.loads(once.to_json())


def test_parts_and_lots_may_be_mixed():
    test = PairedABTest(ZERO_ONE).update(*columns([A_SCRAPS] * 2), groups="L1")
    test.update(*A_SCRAPS)
    assert (test.n_lots, test.n_waiting, test.n_parts) == (1, 0, 3)
    assert_same(
        PairedABTest.from_json(test.to_json()),
        PairedABTest(ZERO_ONE).update(*columns([A_SCRAPS] * 2), groups="L1").update(*A_SCRAPS),
    )
    assert test.update([], [], [], groups=[]).n_parts == 3


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        (["L1", "L2"], "groups must be one lot, or the lots of 3 parts"),
        ([["L1"], ["L1"], ["L1"]], "groups must be one lot"),
        (["L2", None, "L2"], "parts without a lot"),
        (["L2", "L0", "L2"], "The lot L0 has been closed already"),
    ],
)
def test_refused_lots_leave_the_state_as_it_was(groups, match):
    test = PairedABTest(ZERO_ONE).update(*columns([A_SCRAPS] * 2), groups=["L0", "L1"])
    before = test.to_json()
    with pytest.raises(ValueError, match=match):
        test.update(*columns([A_SCRAPS] * 3), groups=groups)
    assert test.to_json() == before


def test_mean_capital_is_one_where_lots_share_their_faults():
    """All sequences of lots whose size is known and whose parts depend on each other."""
    faults = {(A_SCRAPS, A_SCRAPS): 0.3, (B_SCRAPS, B_SCRAPS): 0.2, (B_SCRAPS, AGREE): 0.2}
    lots = {**faults, (AGREE, AGREE): 0.3}
    assert (
        abs(sum(p * cost_of(ZERO_ONE, part) for lot, p in lots.items() for part in lot)) < IDENTITY
    )
    tests = [(1.0, PairedABTest(ZERO_ONE, confidence=0.4))]
    for number in range(4):
        after = []
        for weight, test in tests:
            for lot, p in lots.items():
                again = copy.copy(test)
                verdicts = [again.update(*part, groups=number).verdict for part in lot]
                assert verdicts[0] == verdicts[1]  # nothing is found within a lot
                after.append((weight * p, again))
        tests = after
    mean = sum(weight * test.close_lot().e_value for weight, test in tests)
    false = sum(weight for weight, test in tests if test.verdict != "undecided")
    assert_allclose(mean, 1, rtol=IDENTITY)
    assert 0 < false <= 0.6


@pytest.mark.slow
def test_size_and_power_with_lots_that_share_faults():
    """2000 streams of 200 lots of 25 parts, with a look at every part."""
    rng = np.random.default_rng(15)
    n = 2000
    decided, singles, one_each = [], [], []
    for _ in range(n):
        *parts, lots = lots_of(25, 200, rng)
        decided.append(PairedABTest(ZERO_ONE).update(*parts, groups=lots).decided_at)
        if len(singles) < 200:
            singles.append(PairedABTest(ZERO_ONE).update(*parts).decided_at)
    size, without = (np.mean([at is not None for at in found]) for found in (decided, singles))
    print(f"equal models: {size:.1%} false decisions, {without:.0%} without groups")
    assert size <= 0.05
    assert without > 0.2
    # B is better: twice as many lots in which A alone is wrong.
    outcomes = {A_SCRAPS: 0.2, B_SCRAPS: 0.1, AGREE: 0.7}
    found = []
    for _ in range(300):
        *parts, lots = lots_of(25, 1000, rng, outcomes)
        test = PairedABTest(ZERO_ONE).update(*parts, groups=lots)
        found.append(test.decided_at / 25 if test.verdict == "b better" else np.inf)
        first = slice(None, None, 25)
        test = PairedABTest(ZERO_ONE).update(*(column[first] for column in parts))
        one_each.append(test.decided_at if test.verdict == "b better" else np.inf)
    for name, at in (("by lot", found), ("one part of each lot", one_each)):
        power = [np.mean(np.array(at) <= within) for within in (200, 400, 1000)]
        print(
            f"{name}: B better found within 200, 400, 1000 lots: "
            f"{power[0]:.0%}, {power[1]:.0%}, {power[2]:.0%}; median {np.median(at):.0f} lots"
        )
    assert np.mean(np.array(found) <= 1000) > 0.9
    assert np.median(found) <= np.median(one_each)


# What is refused


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        (("ugly", "pass", "pass"), "y_true has labels that are not in the cost matrix: ugly"),
        (("good", "rework", "pass"), "decision_a has labels that are not in .*rework"),
        ((["good"] * 2, ["pass"] * 2, ["pass", None]), "decision_b has labels that are not in"),
        ((["good"] * 2, ["scrap"] * 2, ["pass", np.nan]), "decision_b has labels"),
        ((["good"] * 2, ["scrap"] * 2, ["pass"]), r"differ in length: \[2, 2, 1\]"),
        ((["good"] * 2, "scrap", "pass"), r"differ in length: \[2, 1, 1\]"),
        (([["good"]], ["pass"], ["scrap"]), "y_true must be a label or one-dimensional"),
        ((["good"], ZERO_ONE, ["scrap"]), "decision_a must be a label or one-dimensional"),
    ],
)
def test_refused_parts_leave_the_state_as_it_was(parts, match):
    test = PairedABTest(ZERO_ONE).update(*columns([A_SCRAPS] * 3))
    before = test.to_json()
    with pytest.raises(ValueError, match=match):
        test.update(*parts)
    assert test.to_json() == before


@pytest.mark.parametrize("confidence", [0, 1, -0.1, 95, math.nan])
def test_refused_confidence(confidence):
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        PairedABTest(ZERO_ONE, confidence=confidence)


def test_old_names_warn():
    with pytest.warns(FutureWarning, match="confidence = 1 - alpha") as caught:
        test = PairedABTest(ZERO_ONE, alpha=0.1)
    assert caught[0].filename == __file__
    assert test.confidence == 0.9
    with pytest.warns(FutureWarning, match="1 - confidence"):
        assert test.alpha == 0.1
    with pytest.warns(FutureWarning, match="y of update is deprecated .* use y_true"):
        test.update(y=["good"], decision_a=["scrap"], decision_b=["pass"])
    with pytest.warns(FutureWarning, match="attribute n_parts"):
        assert test.summary()["n_parts"] == 1


@pytest.mark.parametrize(
    ("cost_matrix", "classes", "match"),
    [
        ([[0, 1], [1, 0]], None, "pass the labels as classes"),
        ([[0, 1], [1, 0]], "abc", r"has shape \(2, 2\)"),
        ([[0, 1, 2], [1, 0, 2]], "ab", r"has shape \(2, 3\)"),
        ([[0, 1], [1, 0]], "aa", "more than once: a"),
        (ZERO_ONE, ["good", "ugly"], "lacks the classes ugly"),
        ({"good": 1, "bad": 2}, None, "must be {truth: {decision: cost}}"),
        ({}, None, "two decisions"),
        ({"good": {"pass": 0}, "bad": {"scrap": 0}}, None, "no finite number for good, scrap"),
        ([[0, np.inf], [1, 0]], "ab", "no finite number for a, b"),
        ([[0, "much"], [1, 0]], "ab", "not a number"),
        ([[3, 3], [1, 1]], "ab", "nothing to compare"),
        ({"good": {"pass": 0}, "bad": {"pass": 1}}, None, "two decisions"),
    ],
)
def test_refused_cost_matrices(cost_matrix, classes, match):
    with pytest.raises(ValueError, match=match):
        PairedABTest(cost_matrix, classes=classes and list(classes))


# What is promised


SMALL_NULLS = [
    (ZERO_ONE, {A_SCRAPS: 0.5, B_SCRAPS: 0.5}),
    (ZERO_ONE, {A_SCRAPS: 0.1, B_SCRAPS: 0.1, AGREE: 0.8}),
    (
        {"good": {"pass": 0, "scrap": 1}, "bad": {"pass": 3, "scrap": 0}},
        {A_MISSES: 0.2, B_SCRAPS: 0.6, AGREE: 0.2},
    ),
]


def means(test, law, depth, value):
    """Mean of value(test) after 0, 1, ..., depth parts, over all sequences of parts.

    The law of the next part may depend on the test so far.
    """
    result = np.zeros(depth + 1, dtype=complex)
    result[0] = value(test)
    if depth:
        for part, p in law(test).items():
            result[1:] += p * means(copy.copy(test).update(*part), law, depth - 1, value)
    return result


@pytest.mark.parametrize("case", range(len(SMALL_NULLS)))
def test_mean_capital_over_all_sequences_is_one(case):
    """Any decision is a false one: its probability is alpha at most."""
    cost_matrix, outcomes = SMALL_NULLS[case]
    assert abs(mean_of(cost_matrix, outcomes)) < IDENTITY
    test = PairedABTest(cost_matrix, confidence=0.4)
    e_and_false = means(
        test,
        lambda test: outcomes,
        7,
        lambda test: test.e_value + 1j * (test.verdict != "undecided"),
    )
    assert_allclose(e_and_false.real, 1, rtol=IDENTITY)
    assert (np.diff(e_and_false.imag) >= 0).all()
    assert 0 < e_and_false.imag[-1] <= 0.6


def test_mean_capital_is_one_whatever_the_past_makes_of_the_next_part():
    """The law of a part depends on the parts before it; its mean is zero all the same."""
    cost_matrix = SMALL_NULLS[2][0]
    laws = [
        {A_SCRAPS: 0.4, B_SCRAPS: 0.4, AGREE: 0.2},
        {A_MISSES: 0.25, B_SCRAPS: 0.75},
        {B_MISSES: 0.1, A_SCRAPS: 0.3, AGREE: 0.6},
    ]

    def law(test):
        return laws[(test.n_disagree + (test.n_parts > 0 and test.mean_difference > 0)) % 3]

    value = means(PairedABTest(cost_matrix), law, 6, lambda test: test.e_value)
    assert_allclose(value, 1, rtol=IDENTITY)


def test_the_wrong_side_is_rare_where_one_model_is_never_worse():
    """A is never worse by the past, if now better and now equal: "b better" is wrong."""
    laws = {A_SCRAPS: 0.5, B_SCRAPS: 0.5}, {A_SCRAPS: 0.2, B_SCRAPS: 0.8}
    wrong = means(
        PairedABTest(ZERO_ONE, confidence=0.4),
        lambda test: laws[test.n_parts > 0 and test.mean_difference < 0],
        10,
        lambda test: test.verdict == "b better",
    )
    assert 0 < wrong[-1] <= 0.6


@pytest.mark.parametrize("name", DIFFERENT)
def test_interval_holds_the_mean_and_shrinks(name):
    cost_matrix, outcomes = DIFFERENT[name]
    rng = np.random.default_rng(7)
    test, widths = PairedABTest(cost_matrix), []
    for n in (1, 9, 90, 900, 9000, 90000):
        test.update(*draw(outcomes, n, rng))
        low, high = test.interval
        assert low <= test.mean_difference <= high
        widths.append(high - low)
    assert (np.diff(widths) < 0).all()
    # Not far from the interval of a single look, 3.92 standard errors.
    square = sum(p * cost_of(cost_matrix, part) ** 2 for part, p in outcomes.items())
    se = np.sqrt((square - mean_of(cost_matrix, outcomes) ** 2) / test.n_parts)
    assert widths[-1] < 2 * 3.92 * se


def log_e_against(mean, x, scale):
    """Log of the e-value against a mean of the differences x, after each of them."""
    paths = np.cumsum(betting.log_factors(x / scale, mean / scale), axis=0)
    return betting.log_e(betting.log_sides(paths))


@pytest.mark.parametrize("name", DIFFERENT)
def test_interval_is_what_the_bets_do_not_reject(name):
    """The ends have e = 1/alpha; between them e is less, beyond it is more."""
    cost_matrix, outcomes = DIFFERENT[name]
    parts = draw(outcomes, 600, np.random.default_rng(8))
    x = differences(cost_matrix, parts)
    test, scale = PairedABTest(cost_matrix, confidence=0.9), PairedABTest(cost_matrix).interval[1]
    low, high = test.update(*parts).interval
    for end in (low, high):
        if abs(end) < scale:
            assert_allclose(log_e_against(end, x, scale)[-1], np.log(10), atol=ENDS)
    for mean in np.linspace(-0.999, 0.999, 101) * scale:
        assert (log_e_against(mean, x, scale)[-1] < np.log(10)) == (low < mean < high)
    assert (test.e_value >= 10) == (not low < 0 < high)


def peeking(d, every):
    """Whether a z test of independent rows at 5 % ever rejects, with a look now and then."""
    sums = np.cumsum(d, axis=1)[:, every - 1 :: every]
    squares = np.cumsum(d**2, axis=1)[:, every - 1 :: every]
    return (np.abs(sums) > 1.96 * np.sqrt(np.maximum(squares, 1))).any(axis=1)


def test_the_naive_z_test_with_many_looks_is_wrong():
    cost_matrix, outcomes = NULLS["zero one"]
    values = [cost_of(cost_matrix, part) for part in outcomes]
    rng = np.random.default_rng(9)
    d = rng.choice(values, (500, 5000), p=list(outcomes.values()))
    assert peeking(d, 100).mean() > 0.2
    assert peeking(d, 5000).mean() < 0.09


@pytest.mark.slow
@pytest.mark.parametrize("name", NULLS)
def test_size_with_a_look_at_every_part(name):
    """1000 streams of 5000 parts from equal models."""
    cost_matrix, outcomes = NULLS[name]
    assert abs(mean_of(cost_matrix, outcomes)) < IDENTITY
    rng = np.random.default_rng(10)
    verdicts = [
        PairedABTest(cost_matrix).update(*draw(outcomes, 5000, rng)).verdict for _ in range(1000)
    ]
    size = (np.array(verdicts) != "undecided").mean()
    print(f"{name}: size {size:.3f}")
    assert size <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.slow
@pytest.mark.parametrize("name", DIFFERENT)
def test_coverage_at_all_times(name):
    """1000 streams of 5000 parts: the true mean is in the intervals of all times."""
    cost_matrix, outcomes = DIFFERENT[name]
    mean, scale = mean_of(cost_matrix, outcomes), PairedABTest(cost_matrix).interval[1]
    rng = np.random.default_rng(11)
    log_e = [
        log_e_against(mean, differences(cost_matrix, draw(outcomes, 5000, rng)), scale).max()
        for _ in range(1000)
    ]
    coverage = (np.array(log_e) < np.log(20)).mean()
    print(f"{name}: coverage {coverage:.3f}")
    assert coverage >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.slow
def test_two_points_of_accuracy_are_found():
    """A is wrong on 10 % of the parts and B, independently, on 8 %: 300 streams."""
    cost_matrix, outcomes = DIFFERENT["zero one"]
    rng = np.random.default_rng(12)
    tests = [PairedABTest(cost_matrix).update(*draw(outcomes, 20000, rng)) for _ in range(300)]
    wrong = np.mean([test.verdict == "a better" for test in tests])
    at = np.array([test.decided_at if test.verdict == "b better" else np.inf for test in tests])
    early, late = (at <= 5000).mean(), (at <= 20000).mean()
    print(
        f"b better within 5000 parts {early:.3f}, within 20000 {late:.3f}, "
        f"median {np.median(at):.0f}; a better {wrong:.3f}"
    )
    assert early > 0.5
    assert late > 0.95
    assert wrong <= 0.05
