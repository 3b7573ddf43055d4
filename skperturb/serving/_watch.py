"""Whether new parts, predictions and costs are those of the training: what a model file keeps."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api.types import is_numeric_dtype

from ..evaluation import DriftMonitor, expected_cost_decision, expected_costs
from ._decide import cost_table, line_over_study, on_line, probabilities
from ._file import SavedModel

# How the probability of a false alarm is divided.
SHARES = {"features": 0.5, "predictions": 0.25, "costs": 0.25}
FEWEST = 20  # parts, or lots, of a reference
_COST = "cost"  # the one column of the monitor of costs
_DIGITS = 12  # decimals of 1 - confidence


@dataclass
class Watch:
    """Monitors of the features, the predictions and the costs of a model.

    Attributes
    ----------
    monitors : dict of str to DriftMonitor
        Of "features", "predictions" and "costs".
    before : dict
        ``"came"`` and ``"expected"``: mean costs of a part that the training left out.
    by_lot : bool
        Whether a row of the monitors is a lot: means of numbers, the category of its first part.
    n_labelled : int
        Number of new parts with labels.
    came, expected : float
        Sums of their costs.

    Examples
    --------
    >>> from skperturb.serving import Watch, load_model
    >>> watch = Watch.of(load_model("model.skops"))  # doctest: +SKIP
    >>> watch.update(model, features).alarm  # doctest: +SKIP
    False
    """

    monitors: dict[str, DriftMonitor]
    before: dict[str, float]
    by_lot: bool = False
    n_labelled: int = 0
    came: float = 0.0
    expected: float = 0.0

    @classmethod
    def of(cls, model: SavedModel, confidence: float = 0.95) -> Self:
        """Begin to watch a model.

        Parameters
        ----------
        model : SavedModel
            The model, whose account has a ``"watch"``.
        confidence : float, default=0.95
            The probability of ever a false alarm is at most 1 - confidence for all monitors
            together: one half of it for the features, a quarter each for predictions and costs.

        Returns
        -------
        Watch
            Monitors that have seen no batch.

        Raises
        ------
        ValueError
            If the model was saved without what is needed.
        """
        kept = model.account.get("watch")
        if not kept:
            raise ValueError(
                "The model file keeps nothing by which new parts can be compared with those of "
                "the training: train the model again, with 20 parts or more."
            )
        monitors = {
            name: DriftMonitor.from_json(
                kept[name], confidence=1 - round((1 - confidence) * share, _DIGITS)
            )
            for name, share in SHARES.items()
        }
        return cls(monitors, dict(kept["before"]), kept["by_lot"])

    @property
    def alarm(self) -> bool:
        """Whether any monitor has ever raised an alarm."""
        return any(monitor.alarm for monitor in self.monitors.values())

    def update(
        self, model: SavedModel, features: pd.DataFrame, groups: ArrayLike | None = None
    ) -> Self:
        """Enter a batch of new parts.

        Parameters
        ----------
        model : SavedModel
            The model.
        features : DataFrame of shape (n_parts, n_features)
            As for :func:`decide`.
        groups : array-like of shape (n_parts,), default=None
            The lots of the parts, needed if ``by_lot``.

        Returns
        -------
        Watch
            The watch itself.
        """
        rows = features.reset_index(drop=True)
        tables = {
            "features": rows,
            "predictions": _columns(probabilities(model, rows), model.classes),
        }
        for name, table in tables.items():
            self.monitors[name].update(lot_rows(table, groups) if self.by_lot else table)
        return self

    def update_costs(
        self, expected: ArrayLike, came: ArrayLike, groups: ArrayLike | None = None
    ) -> Self:
        """Enter a batch of parts whose class has become known.

        Parameters
        ----------
        expected : array-like of shape (n_parts,)
            The expected cost of the decision on each part, by the model.
        came : array-like of shape (n_parts,)
            What the decision did cost.
        groups : array-like of shape (n_parts,), default=None
            The lots of the parts, needed if ``by_lot``.

        Returns
        -------
        Watch
            The watch itself.
        """
        expected, came = np.asarray(expected, dtype=float), np.asarray(came, dtype=float)
        self.n_labelled += len(came)
        self.expected += float(expected.sum())
        self.came += float(came.sum())
        rows = pd.DataFrame({_COST: came - expected})
        self.monitors["costs"].update(lot_rows(rows, groups) if self.by_lot else rows)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the state, as JSON can hold it.

        Returns
        -------
        dict
            For :meth:`from_dict`.
        """
        return {
            "monitors": {name: monitor.to_json() for name, monitor in self.monitors.items()},
            "before": self.before,
            "by_lot": self.by_lot,
            "n_labelled": self.n_labelled,
            "came": self.came,
            "expected": self.expected,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Self:
        """Return the watch that :meth:`to_dict` wrote.

        Parameters
        ----------
        state : dict
            What :meth:`to_dict` returned.

        Returns
        -------
        Watch
            It goes on with the same numbers.

        Raises
        ------
        ValueError
            If the state contradicts itself.
        """
        monitors = {name: DriftMonitor.from_json(text) for name, text in state["monitors"].items()}
        return cls(monitors, **{key: value for key, value in state.items() if key != "monitors"})


def decisions_of(
    model: SavedModel, features: pd.DataFrame
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the decision on each part, and what it is expected to cost.

    Parameters
    ----------
    model : SavedModel
        The model. Without a table of costs, a decision is a class, and a wrong one costs 1.
    features : DataFrame of shape (n_parts, n_features)
        As for :func:`decide`.

    Returns
    -------
    (ndarray, ndarray), each of shape (n_parts,)
        Numbers of the decisions, in the order of the table; and expected costs.

    Examples
    --------
    >>> from skperturb.serving import decisions_of, load_model
    >>> decisions, expected = decisions_of(load_model("m.skops"), features)  # doctest: +SKIP
    """
    return _decided(probabilities(model, features), _costs(model), model.classes)


def costs_of(model: SavedModel, truths: ArrayLike, decisions: ArrayLike) -> NDArray[np.float64]:
    """Return what decisions did cost.

    Parameters
    ----------
    model : SavedModel
        The model.
    truths : array-like of shape (n_parts,)
        Names of the true classes, which the model knows.
    decisions : array-like of shape (n_parts,)
        Numbers of the decisions.

    Returns
    -------
    ndarray of shape (n_parts,)
        The cost of each.

    Examples
    --------
    >>> from skperturb.serving import SavedModel, costs_of
    >>> costs_of(SavedModel(None, {"classes": ["dent", "ok"]}), ["ok", "ok"], [0, 1]).tolist()
    [1.0, 0.0]
    """
    codes = pd.Index(model.classes).get_indexer(np.asarray(truths, dtype=object))
    return _costs(model).to_numpy(float)[codes, np.asarray(decisions, dtype=int)]


def lot_rows(table: pd.DataFrame, groups: ArrayLike | None) -> pd.DataFrame:
    """One row for each lot: means of numbers, and the category of its first part."""
    if groups is None:
        raise ValueError("The model was trained with lots: name the lots of the new parts.")
    lots = pd.factorize(np.asarray(groups, dtype=object))[0]
    by_lot = table.reset_index(drop=True).groupby(lots, sort=False)
    means = [name for name in table.columns if is_numeric_dtype(table[name])]
    # The category as it stands, also where it is missing.
    rows = by_lot.nth(0).reset_index(drop=True)
    rows[means] = by_lot[means].mean().reset_index(drop=True)
    return rows


def references(
    model: SavedModel,
    features: pd.DataFrame,
    groups: ArrayLike | None,
    weight: NDArray[np.float64] | None,
    left_out: NDArray[np.float64],
    codes: NDArray[np.intp],
    random_state: int = 0,
) -> dict[str, Any] | None:
    """What an account keeps for the watch; None if there are too few parts.

    Parameters
    ----------
    model : SavedModel
        With classes, costs and shares in its account.
    features : DataFrame of shape (n_parts, n_features)
    groups : array-like of shape (n_parts,) or None
    weight : ndarray of shape (n_parts,) or None
    left_out : ndarray of shape (n_parts, n_classes)
        Probabilities by fits that did not see the part.
    codes : ndarray of shape (n_parts,)
        The class of each part, by number.
    random_state : int, default=0
    """
    # Parts are drawn so that what is left is a sample of the line, as new parts are.
    chance = np.ones(len(codes)) if weight is None else weight / weight.max()
    chance = chance * line_over_study(model)[codes]
    left_out = on_line(model, left_out)
    kept = np.random.default_rng([random_state, 3]).random(len(codes)) * chance.max() < chance
    if kept.sum() < FEWEST:
        return None
    costs, classes = _costs(model), model.classes
    decisions, expected = _decided(left_out[kept], costs, classes)
    came = costs.to_numpy(float)[codes[kept], decisions]
    lots = None if groups is None else np.asarray(groups, dtype=object)[kept]
    by_lot = lots is not None and len(pd.unique(lots)) >= FEWEST
    rows = features[kept].reset_index(drop=True)
    tables = {
        "features": rows,
        "predictions": _columns(left_out[kept], classes),
        "costs": pd.DataFrame({_COST: came - expected}),
    }
    if by_lot:
        tables = {name: lot_rows(table, lots) for name, table in tables.items()}
    kept_of = {
        name: DriftMonitor(table, random_state=random_state + place).to_json()
        for place, (name, table) in enumerate(tables.items())
    }
    before = {"came": float(came.mean()), "expected": float(expected.mean())}
    return {**kept_of, "before": before, "by_lot": by_lot}


def _costs(model):
    """The costs; without a table 1 for a wrong class."""
    table = cost_table(model)
    if table is not None:
        return table
    return pd.DataFrame(
        1.0 - np.eye(len(model.classes)), index=model.classes, columns=model.classes
    )


def _decided(proba, costs, classes):
    chosen = costs.columns.get_indexer(expected_cost_decision(proba, costs, classes))
    expected = np.asarray(expected_costs(proba, costs, classes))
    return chosen, expected[np.arange(len(proba)), chosen]


def _columns(proba, classes):
    """Probabilities as a table; of two classes the second says all."""
    first = 1 if len(classes) == 2 else 0
    return pd.DataFrame(proba[:, first:], columns=classes[first:])
