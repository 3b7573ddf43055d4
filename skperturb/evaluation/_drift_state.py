"""The state of a drift monitor in JSON."""

import json

import numpy as np

from ._drift_bets import Game
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
            }
            for name, column in zip(monitor.columns, monitor._columns, strict=True)
        ],
        # Nothing is bet before the first batch.
        "log_bets": monitor._game.bets.tolist() if monitor.n_batches else None,
        "max_log_e": monitor._game.max_log_e.tolist(),
        "alarms": monitor._alarms,
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
            Column(*(known[key] for key in ("is_number", "levels", "keys", "gaps", "missing")))
            for known in state["columns"]
        ]
        monitor._alarms = list(state["alarms"])
        monitor._game = game = Game([column.gaps for column in monitor._columns])
        for entry in monitor._history:
            game.urns = game.urns + entry["counts"]
        if monitor.n_batches:
            game.bets, game.batches = np.array(state["log_bets"], dtype=float), monitor.n_batches
            game.log_e = monitor._history[-1]["log_e"]
        game.max_log_e = np.array(state["max_log_e"], dtype=float)
        consistent = _is_consistent(monitor)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"text is not the JSON of a DriftMonitor: {error!r}.") from error
    if not consistent:
        raise ValueError("text is the JSON of a DriftMonitor that contradicts itself.")
    return monitor


def _is_consistent(monitor):
    """Whether shapes fit, counts add up and alarms are explained by the evidence."""
    game, n_columns = monitor._game, len(monitor.columns)
    gaps = np.array([column.gaps for column in monitor._columns])
    if not (
        0 < monitor.confidence < 1
        and monitor.n_batches == sum(entry["batches"] for entry in monitor._history)
        and monitor.n_rows == sum(entry["rows"] for entry in monitor._history)
        and gaps.min() > 0
        and (gaps.sum(axis=1) == monitor.n_reference + 1).all()
        and game.urns.shape == gaps.shape
        and (game.urns.sum(axis=1) == monitor.n_reference + 1 + monitor.n_rows).all()
        and game.bets.shape == Game(gaps).bets.shape
        and game.max_log_e.shape == game.log_e.shape == (n_columns,)
        and np.isfinite(game.max_log_e).all()
        and (game.log_e <= game.max_log_e).all()
        and np.allclose(game.evidence(), game.log_e, STATE_ERROR, STATE_ERROR)
        and len(monitor._alarms) == n_columns
    ):
        return False
    for column, at, largest in zip(monitor._columns, monitor._alarms, game.max_log_e, strict=True):
        if not (
            len(column.keys) == len(column.gaps) - 1
            and (np.diff(column.keys) > 0).all()
            and (at is not None) == (largest >= monitor._log_threshold)
            and (at is None or 1 <= at <= monitor.n_batches)
        ):
            return False
    return True
