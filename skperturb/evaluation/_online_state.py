"""What a paired test knows: its summary, and its state in JSON."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._results import Record
from ._betting import log_e, log_factors, log_sides
from ._deprecation import warn_old

# Version 1 knew no lots. Numbers are written as differences in cost occur, and bets are.
STATE_VERSION = 2
STATE_ERROR = 1e-6  # by which the capital of a written state may differ from its counts


@dataclass(frozen=True)
class ABTestSummary(Record):
    """Result of :meth:`PairedABTest.summary`.

    Attributes
    ----------
    verdict : {"b better", "a better", "undecided"}
        The verdict so far.
    decided_at : int or None
        Number of parts after which the verdict was decided.
    e_value : float
        Evidence against "no difference" now.
    p_value : float
        Smallest 1/e so far, at most 1.
    mean_difference : float
        Mean of cost(A) - cost(B) per part, in the unit of the costs.
    interval : (float, float)
        Ends of the confidence sequence of the mean difference.
    n_parts : int
        Number of parts entered, those of the open lot included.
    n_disagree : int
        Number of parts whose two decisions differ in cost.
    n_lots : int
        Number of closed lots.
    n_waiting : int
        Number of parts of the open lot, which do not count yet.
    confidence : float
        Confidence of the verdict and of the interval.
    """

    verdict: str
    decided_at: int | None
    e_value: float
    p_value: float
    mean_difference: float
    interval: tuple[float, float]
    n_parts: int
    n_disagree: int
    n_lots: int
    n_waiting: int
    confidence: float

    def __getitem__(self, key):
        warn_old("A summary as a dict", f"its attribute {key}, or to_dict(),")
        return 1 - self.confidence if key == "alpha" else getattr(self, key)


def written_state(test):
    """JSON of a test."""
    truths, decisions = test.cost_matrix.index.tolist(), test.cost_matrix.columns.tolist()
    for label in truths + decisions:
        if not isinstance(label, (str, int, float)):
            raise ValueError(f"The label {label!r} has no form in JSON: use strings as labels.")
    state = {
        "version": STATE_VERSION,
        "alpha": test._alpha,
        "truths": truths,
        "decisions": decisions,
        "costs": test.cost_matrix.to_numpy().tolist(),
        "counts": test._counts.tolist(),
        "in_lots": test._in_lots.tolist(),
        "in_open": test._in_open.tolist(),
        "open": test._open,
        "lot_means": test._lot_means,
        "log_capital": test._log_capital.tolist(),
        "max_log_e": test._max_log_e,
        "verdict": test._verdict,
        "decided_at": test._decided_at,
    }
    return json.dumps(state, allow_nan=False)


def read_state(cls, text):
    """A test of a class, from JSON."""
    try:
        state = json.loads(text)
        version = state["version"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("text is not the JSON of a PairedABTest.") from error
    if version not in (1, STATE_VERSION):
        raise ValueError(f"text is of version {version!r}, this is version {STATE_VERSION}.")
    try:
        if version == 1:
            none = [0] * len(state["counts"])
            state |= {"in_lots": none, "in_open": none, "open": None, "lot_means": {}}
        costs = np.array(state["costs"], dtype=float)
        labels = list(state["truths"]), list(state["decisions"])
        test = cls(pd.DataFrame(costs, *labels), confidence=1 - state["alpha"])
        test._counts = np.array(state["counts"])
        test._in_lots, test._in_open = np.array(state["in_lots"]), np.array(state["in_open"])
        test._open, test._lot_means = state["open"], dict(state["lot_means"])
        test._log_capital = np.array(state["log_capital"], dtype=float)
        test._max_log_e = float(state["max_log_e"])
        test._verdict, test._decided_at = state["verdict"], state["decided_at"]
        consistent = _is_consistent(test)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"text is not the JSON of a PairedABTest: {error!r}.") from error
    if not consistent:
        raise ValueError("text is the JSON of a PairedABTest that contradicts itself.")
    return test


def _is_consistent(test):
    """Whether the counts explain the capital, and the capital the verdict."""
    decided = test._verdict in ("a better", "b better")
    for counts in (test._counts, test._in_lots, test._in_open):
        if counts.shape != test._differences.shape or counts.dtype.kind != "i" or counts.min() < 0:
            return False
    means = np.array(list(test._lot_means.values()), dtype=float)
    if (
        test._log_capital.shape != test._log_factors.shape[1:]
        or not (np.abs(means) <= 1).all()
        or test._in_lots.sum() < len(means)
        or bool(test._in_open.any()) != isinstance(test._open, str)
        or test._open in test._lot_means
    ):
        return False
    capital = np.tensordot(test._counts, test._log_factors, axes=1)
    capital = capital + log_factors(means).sum(axis=0)
    evidence = float(log_e(log_sides(test._log_capital)))
    return (
        np.allclose(capital, test._log_capital, STATE_ERROR)
        and max(0.0, evidence - STATE_ERROR) <= test._max_log_e < math.inf
        and (decided or test._verdict == "undecided")
        and decided == (test._max_log_e >= -math.log(test._alpha))
        and (1 <= test._decided_at <= test.n_parts if decided else test._decided_at is None)
    )
