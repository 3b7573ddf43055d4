"""The state of a drift monitor in JSON."""

import json
import math

import numpy as np

from ._drift_column import Column

# Numbers are written as bins and bets are: whoever changes these counts up the version.
STATE_VERSION = 1
STATE_ERROR = 1e-9  # by which evidence may differ from the capital that explains it
_OF_HISTORY = {"counts": np.int64, "missing": np.int64, "log_e": float}


def written_state(monitor):
    """JSON of a monitor."""
    state = {
        "version": STATE_VERSION,
        "confidence": monitor.confidence,
        "random_state": monitor.random_state,
        "n_reference": monitor.n_reference,
        "n_rows": monitor.n_rows,
        "n_batches": monitor.n_batches,
        "columns": [
            {
                "name": name,
                "is_number": column.is_number,
                "levels": column.levels.tolist(),
                "keys": column.keys.tolist(),
                "gaps": column.gaps.tolist(),
                "missing": column.missing,
                # Nothing is bet before the first batch.
                "log_bets": column.log_bets.tolist() if monitor.n_batches else None,
                "log_e": column.log_e,
                "max_log_e": column.max_log_e,
                "alarm_at": column.alarm_at,
            }
            for name, column in zip(monitor.columns, monitor._columns, strict=True)
        ],
        "history": [
            {"batches": entry["batches"], "rows": entry["rows"]}
            | {key: entry[key].tolist() for key in _OF_HISTORY}
            for entry in monitor._history
        ],
    }
    return json.dumps(state, ensure_ascii=False)


def read_state(cls, text):
    """A monitor of a class, from JSON."""
    try:
        state = json.loads(text)
        version = state["version"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("text is not the JSON of a DriftMonitor.") from error
    if version != STATE_VERSION:
        raise ValueError(f"text is of version {version!r}, this is version {STATE_VERSION}.")
    try:
        monitor = cls.__new__(cls)
        monitor.confidence, monitor.random_state = state["confidence"], state["random_state"]
        monitor.n_reference = int(state["n_reference"])
        monitor.n_rows, monitor.n_batches = int(state["n_rows"]), int(state["n_batches"])
        monitor.columns = [column["name"] for column in state["columns"]]
        monitor._history = [
            {"batches": int(entry["batches"]), "rows": int(entry["rows"])}
            | {key: np.array(entry[key], dtype=kind) for key, kind in _OF_HISTORY.items()}
            for entry in state["history"]
        ]
        monitor._columns = [
            _column(known, [entry["counts"][j] for entry in monitor._history])
            for j, known in enumerate(state["columns"])
        ]
        consistent = _is_consistent(monitor)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"text is not the JSON of a DriftMonitor: {error!r}.") from error
    if not consistent:
        raise ValueError("text is the JSON of a DriftMonitor that contradicts itself.")
    return monitor


def _column(known, counts):
    column = Column(*(known[key] for key in ("is_number", "levels", "keys", "gaps", "missing")))
    column.counts = column.counts + np.sum(counts, axis=0, dtype=np.int64)
    if known["log_bets"] is not None:
        column.log_bets = np.array(known["log_bets"], dtype=float)
    column.log_e, column.max_log_e = float(known["log_e"]), float(known["max_log_e"])
    column.alarm_at = known["alarm_at"]
    return column


def _is_consistent(monitor):
    """Whether shapes fit, counts add up and alarms are explained by the evidence."""
    if not (
        monitor.columns
        and 0 < monitor.confidence < 1
        and monitor.n_batches == sum(entry["batches"] for entry in monitor._history)
        and monitor.n_rows == sum(entry["rows"] for entry in monitor._history)
    ):
        return False
    for column in monitor._columns:
        decided = column.alarm_at is not None
        if not (
            len(column.gaps) == len(column.keys) + 1
            and (np.diff(column.keys) > 0).all()
            and column.gaps.min() > 0
            and column.gaps.sum() == monitor.n_reference + 1
            and column.counts.shape == column.gaps.shape
            and column.counts.sum() == monitor.n_rows
            and column.log_bets.shape
            == Column(True, [], column.keys, column.gaps, 0).log_bets.shape
            and math.isfinite(column.max_log_e)
            and column.log_e <= column.max_log_e
            and abs(column.evidence(monitor.n_batches) - column.log_e) <= STATE_ERROR
            and decided == (column.max_log_e >= monitor._log_threshold)
            and (not decided or 1 <= column.alarm_at <= monitor.n_batches)
        ):
            return False
    return True
