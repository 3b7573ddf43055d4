"""Drift of columns against a reference: exactness, what is found, and the state.

The simulation of both bars takes some 20 minutes on one core:
``OMP_NUM_THREADS=1 python -m pytest -m slow -s tests/test_drift.py``.
"""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from skperturb.evaluation import DriftMonitor, _drift
from skperturb.evaluation._drift_bets import Game, log_gains, log_marginal, ranks_of_edges
from skperturb.evaluation._drift_column import Column

IDENTITY = 1e-12
BATCH = 200
CATEGORIES = np.array(["A", "B", "C", "D", "E", "F"])


def parts(rng, n, shift=0.0):
    """Twelve columns: depending on each other, skewed, counted, rare, missing, categories."""
    table = pd.DataFrame(rng.normal(size=(n, 6)), columns=[f"x{j}" for j in range(6)])
    table["x1"] += table["x0"]
    table["square"] = table["x2"] ** 2
    table["life"] = rng.exponential(size=n)
    table["count"] = rng.poisson(2.0, n)
    table["rare"] = (rng.random(n) < 0.03).astype(float)
    table["gaps"] = np.where(rng.random(n) < 0.05, np.nan, rng.normal(size=n))
    table["machine"] = CATEGORIES[np.minimum(rng.geometric(0.4, n), 6) - 1]
    table["x0"] += shift
    return table


@pytest.fixture
def rng():
    return np.random.default_rng(22)


@pytest.fixture
def monitor(rng):
    return DriftMonitor(parts(rng, 300))


# --- The game is fair


def test_what_a_bet_wins_is_worth_one_in_the_mean_over_all_batches():
    """Over all sequences of three parts, weighted by the urn's probabilities."""
    urn, total = np.array([[3, 2, 5]]), 0.0
    for bins in itertools.product(range(3), repeat=3):
        counts = np.bincount(bins, minlength=3)[None]
        probability = math.exp(log_marginal(urn[0], counts[0]))
        total = total + probability * np.exp(log_gains(urn, counts)[0])
    assert total == pytest.approx(1, abs=IDENTITY)


def test_the_marginal_is_that_of_polyas_urn():
    urn, left = np.array([3.0, 2.0, 5.0]), np.array([3.0, 2.0, 5.0])
    expected = 0.0
    for k in (0, 2, 2, 1, 0):
        expected += math.log(left[k] / left.sum())
        left[k] += 1
    assert log_marginal(urn, np.array([2, 1, 2])) == pytest.approx(expected, abs=IDENTITY)


def test_gains_of_one_part_are_ratios_of_normal_probabilities():
    urn = np.array([[5, 10, 5]])
    gains = log_gains(urn, np.array([[0, 0, 1]]))[0]
    z = norm.ppf(0.75)
    expected = 0.99 * norm.sf(z - 2) + 0.01 * 0.25
    assert gains[7] == pytest.approx(math.log(expected / 0.25), abs=IDENTITY)  # mean + 2
    assert gains[-1] == pytest.approx(math.log((1 / (0.75 + 1)) / 0.25), abs=IDENTITY)  # odds x 4


def test_the_capital_is_the_sum_of_bets_that_begin_at_each_batch(rng):
    game, first = Game([[3, 4, 5], [2, 8, 2]]), np.array([[3, 4, 5], [2, 8, 2]])
    batches = rng.integers(0, 9, (4, 2, 3))
    gains, urns = [], first
    for counts in batches:
        gains.append(log_gains(urns, counts))
        urns = urns + counts
        game.play(counts)
    terms = [np.full((2, 1), -math.log(math.log2(4 + 2)))]
    for t in range(4):
        released = math.log(1 / math.log2(t + 2) - 1 / math.log2(t + 3))
        terms.append(game._division + released + np.sum(gains[t:], axis=0))
    expected = logsumexp(np.concatenate(terms, axis=1), axis=1)
    assert np.allclose(game.log_e, expected, rtol=IDENTITY, atol=IDENTITY)
    assert math.isclose(np.exp(game._division).sum(), 1, rel_tol=IDENTITY)


@pytest.mark.parametrize("n", [20, 21, 50, 200, 2000])
def test_every_bin_holds_two_gaps_or_more(n):
    gaps = np.diff([0, *ranks_of_edges(n), n + 1])
    assert gaps.min() >= 2
    assert gaps.sum() == n + 1


def test_bins_of_new_parts_follow_the_urn_also_with_ties(rng):
    """The next part after 20 coin flips: five standard errors of 2000 references."""
    n, hits = 2000, 0
    for _ in range(n):
        flips = pd.Series(rng.integers(0, 2, 21))
        column = Column.of(flips[:20], rng.random(20))
        bins, _ = column.bins(flips[20:], rng.random(1))
        hits = hits + np.bincount(bins, minlength=len(column.gaps))
    expected = column.gaps / 21
    error = np.sqrt(expected * (1 - expected) / n)
    assert (np.abs(hits / n - expected) < 5 * error).all()


# --- What is found


def test_a_shift_is_found_and_dated(monitor, rng):
    for _ in range(6):
        monitor.update(parts(rng, BATCH))
    assert not monitor.alarm
    assert monitor.summary()["since"].isna().all()
    assert "no alarm" in repr(monitor)
    monitor.update(parts(rng, BATCH, shift=1.0))
    assert monitor.alarm
    row = monitor.summary().iloc[0]
    assert (row["column"], row["alarm_at"], row["since"]) == ("x0", 7, 7)
    assert row["low"] > 0
    assert row["high"] is None
    assert row["share_since"] > row["share_before"] + 0.25
    assert monitor.e_values["x0"] > monitor.threshold
    assert "alarm of x0" in repr(monitor)


def test_missing_values_are_found(monitor, rng):
    for _ in range(3):
        table = parts(rng, BATCH)
        table.loc[rng.random(BATCH) < 0.25, "x4"] = np.nan
        monitor.update(table)
    row = monitor.summary().iloc[0]
    assert row["column"] == "x4"
    assert row["missing_before"] == 0
    assert 0.15 < row["missing_since"] < 0.35


def test_a_new_category_is_found(monitor, rng):
    for _ in range(3):
        table = parts(rng, BATCH)
        table.loc[rng.random(BATCH) < 0.3, "machine"] = "AA"
        monitor.update(table)
    row = monitor.summary().iloc[0]
    assert row["column"] == "machine"
    assert row["alarm_at"] <= 3


def test_a_wider_spread_is_found(monitor, rng):
    for _ in range(3):
        table = parts(rng, BATCH)
        table["x5"] *= 2
        monitor.update(table)
    assert monitor.summary()["column"][0] == "x5"
    assert monitor.alarm


# --- Invariances


def test_only_the_order_of_values_counts(rng):
    before, after = rng.normal(size=(100, 1)), rng.normal(0.3, 1, size=(300, 1))
    plain = DriftMonitor(pd.DataFrame(before)).update(pd.DataFrame(after))
    curved = DriftMonitor(pd.DataFrame(np.exp(before))).update(pd.DataFrame(np.exp(after)))
    assert plain.e_values.tolist() == curved.e_values.tolist()


def test_columns_are_matched_by_name_and_others_ignored(rng):
    table, batch = parts(rng, 50), parts(rng, 30)
    one = DriftMonitor(table).update(batch)
    other = DriftMonitor(table).update(batch.iloc[:, ::-1].assign(more=1))
    assert one.to_json() == other.to_json()


def test_an_empty_batch_changes_nothing(monitor, rng):
    before = monitor.to_json()
    assert monitor.update(parts(rng, 0)).to_json() == before


def test_the_history_is_shortened_and_nothing_else_changes(rng, monkeypatch):
    table, batches = parts(rng, 60), [parts(rng, 20) for _ in range(11)]
    long = DriftMonitor(table)
    for batch in batches:
        long.update(batch)
    monkeypatch.setattr(_drift, "MOST_ENTRIES", 5)
    short = DriftMonitor(table)
    for batch in batches:
        short.update(batch)
    assert short.e_values.tolist() == long.e_values.tolist()
    assert len(short.history()) <= 5
    assert short.history().index[-1] == 11
    kept = long.history().loc[short.history().index]
    pd.testing.assert_frame_equal(kept, short.history())
    assert short.n_rows == sum(entry["rows"] for entry in short._history)


# --- State


@pytest.mark.parametrize("batches", [0, 3])
def test_a_state_continues_with_the_same_numbers(monitor, rng, batches):
    for _ in range(batches):
        monitor.update(parts(rng, 70))
    again = DriftMonitor.from_json(monitor.to_json())
    assert again.to_json() == monitor.to_json()
    batch = parts(rng, 100, shift=1.5)
    assert again.update(batch).to_json() == monitor.update(batch).to_json()
    pd.testing.assert_frame_equal(again.summary(), monitor.summary())
    json.loads(monitor.to_json())


def test_a_state_holds_no_rows(rng):
    table = parts(rng, 500)
    text = DriftMonitor(table).to_json()
    kept = [value for value in table["x3"] if repr(float(value)) in text]
    assert len(kept) <= 20


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda s: "no", "not the JSON"),
        (lambda s: json.dumps(s | {"version": 9}), "version 9"),
        (lambda s: json.dumps(s | {"n_rows": 5}), "contradicts"),
        (lambda s: json.dumps(s | {"alarms": [1] * 12}), "contradicts"),
        (lambda s: json.dumps(s | {"max_log_e": [99.0] * 12}), "contradicts"),
        (lambda s: json.dumps(s | {"log_bets": [[0.0]]}), "contradicts|not the JSON"),
        (lambda s: json.dumps({k: v for k, v in s.items() if k != "columns"}), "not the JSON"),
    ],
)
def test_other_texts_are_refused(monitor, rng, change, match):
    state = json.loads(monitor.update(parts(rng, 30)).to_json())
    with pytest.raises(ValueError, match=match):
        DriftMonitor.from_json(change(state))


def test_the_confidence_may_change_before_the_first_batch(monitor, rng):
    text = monitor.to_json()
    stricter = DriftMonitor.from_json(text, confidence=0.99)
    assert stricter.threshold == pytest.approx(12 / 0.01)
    with pytest.raises(ValueError, match="cannot change"):
        DriftMonitor.from_json(stricter.update(parts(rng, 9)).to_json(), confidence=0.95)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda t: DriftMonitor(t[:19]), "at least 20"),
        (lambda t: DriftMonitor(t[[]]), "no columns"),
        (lambda t: DriftMonitor(t, confidence=95), "between 0 and 1"),
        (lambda t: DriftMonitor(t, random_state=-1), "whole number"),
        (lambda t: DriftMonitor(pd.concat([t, t], axis=1)), "more than once"),
        (lambda t: DriftMonitor(t).update(t.drop(columns="x3")), "lacks the columns x3"),
        (lambda t: DriftMonitor(t).update(t.assign(x3="bad")), "'x3' holds numbers"),
    ],
)
def test_what_is_refused(make, match, rng):
    with pytest.raises(ValueError, match=match):
        make(parts(rng, 40))


# --- Both bars


def history(rng, n_reference, shifts):
    """The monitor of one history, and counts (batch, column, bin) of all its batches at once."""
    monitor = DriftMonitor(parts(rng, n_reference), random_state=int(rng.integers(1 << 30)))
    table, counts = parts(rng, BATCH * len(shifts)), []
    table["x0"] += np.repeat(shifts, BATCH)
    for name, column in zip(monitor.columns, monitor._columns, strict=True):
        bins, _ = column.bins(table[name], rng.random(len(table)))
        n_bins = len(column.gaps)
        places = bins + n_bins * np.repeat(np.arange(len(shifts)), BATCH)
        counts.append(np.bincount(places, minlength=n_bins * len(shifts)).reshape(-1, n_bins))
    return monitor, np.stack(counts, axis=1)


def test_the_simulation_plays_as_update_does(rng):
    monitor, counts = history(np.random.default_rng(1), 200, [0.0, 0.0, 1.0])
    game = Game([column.gaps for column in monitor._columns])
    for batch in counts:
        game.play(batch)
    assert game.log_e[0] > monitor._log_threshold
    monitor.update(parts(rng, BATCH))
    other = Game([column.gaps for column in monitor._columns])
    other.play(monitor._history[0]["counts"])
    assert other.log_e.tolist() == monitor._game.log_e.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("n_reference", [200, 2000])
def test_steady_histories_of_1000_batches(n_reference):
    alarms, together, n_histories = 0, 20, 400
    for start in range(0, n_histories, together):
        rng = np.random.default_rng([22, n_reference, start])
        monitors, counts = zip(
            *(history(rng, n_reference, np.zeros(1000)) for _ in range(together)), strict=True
        )
        game = Game([column.gaps for m in monitors for column in m._columns])
        for batch in np.concatenate(counts, axis=1):
            game.play(batch)
        raised = (game.max_log_e >= monitors[0]._log_threshold).reshape(together, -1).any(axis=1)
        alarms += int(raised.sum())
        print(
            f"reference {n_reference}: {alarms} of {start + together} steady histories of 1000 "
            "batches raised an alarm",
            flush=True,
        )
    assert alarms <= 0.05 * n_histories


@pytest.mark.slow
@pytest.mark.parametrize("n_reference", [200, 2000])
@pytest.mark.parametrize("steady", [0, 10, 500])
@pytest.mark.parametrize("shift", [1.0, 0.5, 0.25])
def test_a_shift_is_found_within_five_batches(n_reference, steady, shift):
    delays, rng = [], np.random.default_rng([23, n_reference, steady])
    for _ in range(40 if steady == 500 else 100):
        shifts = np.concatenate([np.zeros(steady), np.full(20, shift)])
        monitor, counts = history(rng, n_reference, shifts)
        game = Game([column.gaps for column in monitor._columns])
        found = math.inf
        for t, batch in enumerate(counts):
            game.play(batch)
            if t >= steady and game.log_e[0] >= monitor._log_threshold:
                found = t - steady + 1
                break
        delays.append(found)
    share = np.mean(np.array(delays) <= 5)
    print(
        f"reference {n_reference}, {steady} steady batches, then a shift of {shift}: found within "
        f"5 batches in {share:.0%}, batches needed: median {np.median(delays):g}, most "
        f"{max(delays):g}",
        flush=True,
    )
    if shift == 1.0:
        assert share == 1
