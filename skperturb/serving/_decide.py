"""What a saved model says of parts: decisions, probabilities and reasons."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..evaluation import correct_prevalence, expected_cost_decision, expected_costs
from ._familiar import distances
from ._file import SavedModel
from ._intervals import interval_of
from ._linear_part import contributions, linear_part

_SMALL = 1e-12  # a contribution that is none, relative to the largest of the row


def probabilities(model: SavedModel, features: pd.DataFrame) -> NDArray[np.float64]:
    """Return the probabilities of the classes on the line.

    Parameters
    ----------
    model : SavedModel
        The model.
    features : DataFrame of shape (n_parts, n_features)
        Features with the names and types of the training file.

    Returns
    -------
    ndarray of shape (n_parts, n_classes)
        In the order of ``model.classes``; converted to the shares of the line if the account has
        a ``"prevalence"``, as the comparison does.

    Examples
    --------
    >>> from skperturb.serving import load_model, probabilities
    >>> probabilities(load_model("model.skops"), features)  # doctest: +SKIP
    array([[0.98, 0.02]])
    """
    return on_line(model, model.pipeline.predict_proba(features))


def on_line(model, proba):
    """Probabilities of the study, converted to the shares of the line if these are known."""
    proba = np.asarray(proba, dtype=float)
    shares = model.account.get("prevalence")
    if shares is None:
        return proba
    classes = model.classes
    line, study = (pd.Series(shares[key], index=classes) for key in ("line", "study"))
    return correct_prevalence(proba, line, study, classes=classes)


def cost_table(model: SavedModel) -> pd.DataFrame | None:
    """Return the costs of a model's decisions.

    Parameters
    ----------
    model : SavedModel
        The model.

    Returns
    -------
    DataFrame of shape (n_classes, n_decisions) or None
        None if the model was trained without costs: it then decides for the most probable class.

    Examples
    --------
    >>> from skperturb.serving import SavedModel, cost_table
    >>> costs = {"decisions": ["pass", "scrap"], "matrix": [[9, 1], [0, 1]]}
    >>> model = SavedModel(None, {"classes": ["dent", "ok"], "costs": costs})
    >>> cost_table(model).loc["dent"].tolist()
    [9, 1]
    """
    costs = model.account.get("costs")
    if costs is None:
        return None
    return pd.DataFrame(costs["matrix"], index=model.classes, columns=costs["decisions"])


def decide(
    model: SavedModel,
    features: pd.DataFrame,
    *,
    new: ArrayLike | None = None,
    n_reasons: int = 3,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Decide on parts, and say why.

    Parameters
    ----------
    model : SavedModel
        The model.
    features : DataFrame of shape (n_parts, n_features)
        Features with the names and types of the training file.
    new : array-like of bool of shape (n_parts,), default=None
        Parts that are unlike any seen for another reason than their numbers, such as a category
        that training did not have.
    n_reasons : int, default=3
        Number of reasons.
    confidence : float, default=0.95
        Of the intervals.

    Returns
    -------
    DataFrame
        ``decision``: that of least expected cost, or the most probable class if there are no
        costs. ``expected_cost``, if there are. ``probability_<class>`` for each class.
        ``interval_low`` and ``interval_high`` of the probability of the class that is decided, if
        the model was fitted without a penalty. ``runner_up``: the most probable other class.
        ``reason_1``, ...: the features that move the score of the class that is decided most from
        that of the runner-up, away from it where the number is positive; only of linear and
        additive models. If the decision is no class, the most probable class takes its place.
        ``distance``, by the limit of what is familiar, and ``unlike``, "yes" beyond 1.

    Examples
    --------
    >>> from skperturb.serving import decide, load_model
    >>> decide(load_model("model.skops"), features)["decision"]  # doctest: +SKIP
    0    ok
    """
    part = linear_part(model.pipeline)
    if part is None:
        design, proba = None, probabilities(model, features)
    else:
        design = part.design(features)
        proba = on_line(model, part.classifier.predict_proba(design))
    classes = np.array(model.classes, dtype=object)
    columns: dict[str, Any] = {}
    costs, n = cost_table(model), len(features)
    decided = most = proba.argmax(axis=1)
    if costs is None:
        columns["decision"] = classes[most]
    else:
        chosen = expected_cost_decision(proba, costs, model.classes)
        columns["decision"] = chosen
        expected = expected_costs(proba, costs, model.classes)
        places = costs.columns.get_indexer(chosen)
        columns["expected_cost"] = np.asarray(expected)[np.arange(n), places]
        place = pd.Index(classes).get_indexer(chosen)
        decided = np.where(place >= 0, place, most)
    columns |= {f"probability_{name}": proba[:, k] for k, name in enumerate(classes)}
    others = proba.copy()
    others[np.arange(n), decided] = -1.0
    runner_up = others.argmax(axis=1)
    if part is not None and "covariance" in model.arrays:
        ends = interval_of(
            part,
            design,
            decided,
            line_over_study(model),
            model.arrays["covariance"],
            float(model.arrays["covariance_df"]),
            confidence,
        )
        columns["interval_low"], columns["interval_high"] = ends
    columns["runner_up"] = classes[runner_up]
    if part is not None:
        adds = contributions(part, design, model.arrays["design_mean"], decided, runner_up)
        units = {c["name"]: c.get("unit", "") for c in model.account.get("columns", ())}
        columns |= _reasons(part.names, adds, features, units, n_reasons)
    distance = distances(features, model.arrays)
    unlike = np.zeros(n, dtype=bool) if new is None else np.array(new, dtype=bool)
    if distance is not None:
        columns["distance"] = distance
        unlike |= distance > 1
    columns["unlike"] = np.where(unlike, "yes", "no").astype(object)
    # As they are: pandas would look through all texts to find their type.
    series = {name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()}
    return pd.DataFrame(series).set_axis(features.index)


def line_over_study(model):
    """By how much more frequent each class is on the line than in the study, at most 1."""
    shares = model.account.get("prevalence")
    if shares is None:
        return np.ones(len(model.classes))
    line, study = (np.array(shares[key], dtype=float) for key in ("line", "study"))
    ratio = np.divide(line, study, out=np.zeros(len(line)), where=study > 0)
    return ratio / ratio.max()


def _reasons(names, adds, features, units, count):
    """Texts of the largest contributions, such as "width = 12.3 mm: +1.25"."""
    count = min(count, len(names))
    sizes = np.abs(adds)
    if count < len(names):
        places = np.argpartition(-sizes, count - 1, axis=1)[:, :count]
    else:
        places = np.tile(np.arange(len(names)), (len(adds), 1))
    order = np.argsort(-np.take_along_axis(sizes, places, axis=1), axis=1, kind="stable")
    places = np.take_along_axis(places, order, axis=1)
    texts = np.full(places.shape, "", dtype=object)
    none = sizes.max(axis=1, initial=0.0, keepdims=True) * _SMALL
    for place, name in enumerate(names):
        rows, ranks = np.nonzero(places == place)
        kept = sizes[rows, place] > none[rows, 0]
        rows, ranks = rows[kept], ranks[kept]
        if len(rows):
            texts[rows, ranks] = _texts_of(features, name, rows, units, adds[rows, place])
    return {f"reason_{k + 1}": texts[:, k] for k in range(count)}


def _texts_of(features, name, rows, units, effects):
    """What a feature holds in some rows, and its effect there."""
    if name in features.columns and features[name].dtype == float:
        values = features[name].to_numpy()[rows]
        if not np.isnan(values).any():
            # Most cells are of this kind, and of a million of them each formatting counts.
            unit = f" {units[name]}" if units.get(name) else ""
            pattern = f"{name} = ".replace("%", "%%") + "%.6g" + unit.replace("%", "%%") + ": %+.3g"
            pairs = tuple(np.column_stack([values, effects]).ravel().tolist())
            return ((pattern + "\0") * len(values) % pairs).split("\0")[:-1]
    values = _values(features, name, rows, units)
    return [f"{value}: {effect:+.3g}" for value, effect in zip(values, effects, strict=True)]


def _values(features, name, rows, units):
    """What a feature, or a pair of them, holds in some rows, as text."""
    if name not in features.columns:
        pair = name.split(" * ")
        texts = [_values(features, one, rows, units) for one in pair]
        return [" * ".join(cells) for cells in zip(*texts, strict=True)]
    column = features[name].iloc[rows]
    unit = f" {units[name]}" if units.get(name) else ""
    if column.dtype == float:
        cells = column.tolist()
        return [
            f"{name} = {cell:.6g}{unit}" if cell == cell else f"{name} missing" for cell in cells
        ]
    return [
        f"{name} missing" if missing else f"{name} = {cell}"
        for cell, missing in zip(column, column.isna(), strict=True)
    ]
