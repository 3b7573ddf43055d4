"""Every row, or every lot, left out: Newton steps, and exact refits where those are not enough."""

from dataclasses import dataclass

import numpy as np

from ._minimum import Minimum
from ._refits import refit
from ._steps import lot_steps, row_steps

# A step that changes the loss by more, or from a leverage above, is not trusted.
# Many rows of a lot move the fit in many directions, each of them little.
LARGE_CHANGE, LARGE_CHANGE_OF_LOT, LARGE_LEVERAGE = 0.25, 1.0, 0.9
_DRIFT, _NEAREST = 0.1, 1e-9  # relative change of a slope; squared distance, in standard errors
_FEWEST, _SHARE = 60, 20  # at most so many refits, or every 20th row


@dataclass(frozen=True)
class LeftOut:
    """What is predicted of rows that the fit has not seen.

    Attributes
    ----------
    scores : ndarray of shape (n_rows, n_classes)
    loss, change : ndarray of shape (n_rows,)
        Loss without the row, and by how much it exceeds that with it.
    leverage : ndarray of shape (n_rows,)
    refitted : ndarray of shape (n_rows,), bool
    doubtful : ndarray of shape (n_rows,), bool
        Rows whose step is not trusted and that were not refitted.
    lost : ndarray of shape (n_rows,), bool
        Rows without which there is no minimum.
    moved : callable
        Maps a row, or a lot, to the parameters without it.
    minimum : Minimum
        That of all rows, perhaps nearer than the one given.
    """

    scores: np.ndarray
    loss: np.ndarray
    change: np.ndarray
    leverage: np.ndarray
    refitted: np.ndarray
    doubtful: np.ndarray
    lost: np.ndarray
    moved: object
    minimum: Minimum


def leave_out(minimum, lots=None, most="auto", limit=None):
    """Leave out each row, or each lot.

    Parameters
    ----------
    minimum : Minimum
        Of all rows.
    lots : ndarray of shape (n_rows,), int, default=None
        Number of the lot of each row, from 0 without gaps.
    most : int or "auto", default="auto"
        How many rows or lots are refitted at most: those whose loss changes most. With "auto",
        only those whose step is not trusted, and of these at most `limit`.
    limit : int, default=None
        None for 60, or one in 20 if that is more.

    Returns
    -------
    LeftOut
    """
    objective = minimum.objective
    units = np.arange(objective.n_rows) if lots is None else lots
    steps = row_steps(minimum) if lots is None else lot_steps(minimum, lots)
    # Where the curvature itself changes on the way to the minimum, the way must be gone first.
    while steps.drift > _DRIFT and minimum.near > _NEAREST and minimum.reached:
        minimum = minimum.nearer()
        steps = row_steps(minimum)
    scores, before = steps.scores, steps.before
    change = _losses(objective, scores) - before
    size = np.bincount(units)
    by_unit = np.bincount(units, np.abs(change)) / size
    leverage = np.bincount(units, steps.leverage) / size
    large = LARGE_CHANGE if lots is None else LARGE_CHANGE_OF_LOT
    wrong = ~(by_unit <= large) | (leverage > LARGE_LEVERAGE)
    by_unit[leverage > LARGE_LEVERAGE] = np.inf
    order = np.argsort(-np.nan_to_num(by_unit, nan=np.inf), kind="stable")
    if most == "auto":
        limit = max(_FEWEST, len(size) // _SHARE) if limit is None else limit
        most = min(np.count_nonzero(wrong), limit)
    chosen = order[:most]

    def rows_of(unit):
        return np.flatnonzero(units == unit)

    again, free, found = refit(minimum, rows_of, steps, chosen)
    refitted, lost = np.zeros((2, len(size)), dtype=bool)
    refitted[chosen] = True
    lost[chosen] = ~found
    for unit, of_unit in zip(chosen, again, strict=True):
        scores[rows_of(unit)] = of_unit
    exact = dict(zip(chosen.tolist(), free, strict=True))
    loss = _losses(objective, scores)

    def moved(unit):
        return exact[unit] if unit in exact else minimum.free + steps.moves(unit)

    return LeftOut(
        scores=scores,
        loss=loss,
        change=loss - before,
        leverage=steps.leverage,
        refitted=refitted[units],
        doubtful=(wrong & ~refitted)[units],
        lost=lost[units],
        moved=moved,
        minimum=minimum,
    )


@np.errstate(all="ignore")
def _losses(objective, scores):
    return objective.loss.value_and_slope(scores, objective.y)[0]
