"""What wrong calls cost: cost matrices, the cheapest decision, the line's prevalence.

A cost matrix has a row for each class (the truth) and a column for each decision; the decisions
need not be classes (pass, rework, scrap). Wherever one is asked for, it is

- a DataFrame, whose index names the classes and whose columns name the decisions,
- a dict of dicts, ``{truth: {decision: cost}}``, or
- an array of shape (n_classes, n_classes) in the order of the classes, which are the decisions.

Rows are matched by name, in any order; columns stay in theirs. Labels are compared as they are
and, if that fails, as strings, because a CSV file gives strings. Negative costs are gains.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import unique_labels

__all__ = [
    "check_cost_matrix",
    "correct_prevalence",
    "cost_score",
    "cost_template",
    "expected_cost_decision",
    "expected_costs",
    "prevalence_weights",
    "trivial_policies",
]

_SUM_TOL = 1e-6  # of probabilities: what float32 leaves


def cost_template(classes):
    """Cost 0 for the right class and 1 for every other: a table to edit.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)

    Returns
    -------
    DataFrame of shape (n_classes, n_classes)

    Examples
    --------
    >>> from skperturb.evaluation.costs import cost_template
    >>> costs = cost_template(["dent", "ok"])
    >>> costs.loc["dent", "ok"] = 40.0  # a dent that passes
    >>> costs
          dent    ok
    dent   0.0  40.0
    ok     1.0   0.0
    """
    return check_cost_matrix(1.0 - np.eye(len(classes)), classes)


def check_cost_matrix(cost_matrix, classes):
    """Cost matrix as a DataFrame whose rows are the classes, in their order.

    Parameters
    ----------
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
    classes : array-like of shape (n_classes,)

    Returns
    -------
    DataFrame of shape (n_classes, n_decisions), float
        If all decisions are classes, they have the classes' labels: 1 where a file has "1".

    Raises
    ------
    ValueError
        If a class is missing, unknown or there twice, an entry is not a finite number, the shape
        is wrong, or there are fewer than two decisions.

    Examples
    --------
    >>> from skperturb.evaluation.costs import check_cost_matrix
    >>> costs = {"ok": {"pass": 0, "rework": 2}, "dent": {"pass": 50, "rework": 5}}
    >>> check_cost_matrix(costs, ["dent", "ok"])
          pass  rework
    dent  50.0     5.0
    ok     0.0     2.0
    """
    classes = np.asarray(classes)
    if isinstance(cost_matrix, pd.DataFrame):
        table = cost_matrix
    elif isinstance(cost_matrix, Mapping):
        if not all(isinstance(row, (Mapping, pd.Series)) for row in cost_matrix.values()):
            raise ValueError("cost_matrix must be {truth: {decision: cost}} if it is a dict.")
        rows = [dict(row) for row in cost_matrix.values()]
        columns = list(dict.fromkeys(decision for row in rows for decision in row))
        cells = [[row.get(decision, np.nan) for decision in columns] for row in rows]
        table = pd.DataFrame(cells, index=list(cost_matrix), columns=columns, dtype=object)
    elif hasattr(cost_matrix, "columns"):
        raise ValueError(
            "cost_matrix is a table without row labels: give a pandas DataFrame, whose index "
            "names the classes."
        )
    else:
        cells = np.asarray(cost_matrix, dtype=object)
        if cells.shape != (len(classes), len(classes)):
            raise ValueError(
                f"cost_matrix has shape {cells.shape}, but an array without labels needs a row and "
                f"a column for each class: {_names(classes)}."
            )
        table = pd.DataFrame(cells, index=classes, columns=classes)
    rows = _align(table.index, classes, "cost_matrix")
    columns = _without_doubles(table.columns, "cost_matrix")
    if len(columns) < 2:
        raise ValueError(f"cost_matrix needs at least two decisions, got: {_names(columns)}.")
    labels = {str(label): label for label in classes.tolist()}
    if all(str(column) in labels for column in columns):
        columns = [labels[str(column)] for column in columns]
    costs = _numbers(table, "cost_matrix")
    return pd.DataFrame(costs[rows], index=classes, columns=columns)


def expected_costs(proba, cost_matrix, classes):
    """Cost that each decision is expected to have: sum over y of p_y C[y, d].

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities, columns in the order of `classes`.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
    classes : array-like of shape (n_classes,)

    Returns
    -------
    ndarray of shape (n_samples, n_decisions)
        In the units of the matrix, columns in its order.

    Raises
    ------
    ValueError
        If rows of `proba` are not probabilities (to 1e-6), or the matrix is unusable.

    Examples
    --------
    >>> from skperturb.evaluation.costs import expected_costs
    >>> expected_costs([[0.25, 0.75]], [[0, 40], [2, 0]], ["dent", "ok"])
    array([[ 1.5, 10. ]])
    """
    return _checked(proba, classes) @ check_cost_matrix(cost_matrix, classes).to_numpy()


def expected_cost_decision(proba, cost_matrix, classes):
    """The decision of least expected cost.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities, columns in the order of `classes`.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
    classes : array-like of shape (n_classes,)

    Returns
    -------
    ndarray of shape (n_samples,)
        Labels of columns; of equal costs the first column's, where costs that differ by no more
        than their rounding are equal.

    Raises
    ------
    ValueError
        If rows of `proba` are not probabilities (to 1e-6), or the matrix is unusable.

    References
    ----------
    C. Elkan, "The foundations of cost-sensitive learning", IJCAI (2001).

    Examples
    --------
    >>> from skperturb.evaluation.costs import expected_cost_decision
    >>> costs = {"dent": {"pass": 50, "rework": 5}, "ok": {"pass": 0, "rework": 2}}
    >>> expected_cost_decision([[0.03, 0.97], [0.05, 0.95]], costs, ["dent", "ok"]).tolist()
    ['pass', 'rework']
    """
    table = check_cost_matrix(cost_matrix, classes)
    return table.columns.to_numpy()[cheapest(_checked(proba, classes), table)]


def cheapest(proba, table):
    """The column of least expected cost of each row, for a checked matrix."""
    costs = proba @ table.to_numpy()
    # Trees meet ties often; which side of one a part falls on must not hang on the matrix product.
    rounding = 2 * len(table) * np.finfo(float).eps * (proba @ table.abs().to_numpy())
    may_be_least = costs - rounding <= (costs + rounding).min(axis=1, keepdims=True)
    return may_be_least.argmax(axis=1)


def cost_score(y_true, decisions, cost_matrix, *, sample_weight=None, classes=None):
    """Mean cost per part of the decisions taken.

    For a grid search: ``make_scorer(cost_score, greater_is_better=False, cost_matrix=...)``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    decisions : array-like of shape (n_samples,)
        Labels of columns.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
    sample_weight : array-like of shape (n_samples,), default=None
        Not negative, one at least positive; 1 for each part if None.
    classes : array-like of shape (n_classes,), default=None
        None for the rows of the matrix or, if it has no labels, the sorted labels in `y_true` and
        `decisions`.

    Returns
    -------
    float
        In the units of the matrix, per part.

    Raises
    ------
    ValueError
        If a label is not in the matrix, or an argument is unusable.

    Examples
    --------
    >>> from skperturb.evaluation.costs import cost_score
    >>> cost_score(["dent", "ok", "ok", "ok"], ["ok", "ok", "ok", "dent"], [[0, 40], [2, 0]])
    10.5
    """
    check_consistent_length(y_true, decisions, sample_weight)
    y_true, decisions = column_or_1d(y_true), column_or_1d(decisions)
    table = _table(cost_matrix, classes, y_true, decisions)
    truth = class_codes(y_true, table.index, "y_true")
    decided = class_codes(decisions, table.columns, "decisions")
    return _mean(table.to_numpy()[truth, decided], sample_weight)


def trivial_policies(y, cost_matrix, *, sample_weight=None, good=None):
    """What could be had without a classifier, and what no classifier can beat.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        True classes.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
    sample_weight : array-like of shape (n_samples,), default=None
        Not negative; for the line's mix of parts see :func:`prevalence_weights`.
    good : object, default=None
        Label of good parts.

    Returns
    -------
    DataFrame
        Columns policy, decision and mean_cost (per part, in the units of the matrix). Rows:
        "pass all", the cheapest decision for good parts, if `good` is given; "best constant",
        the one decision that is cheapest for all parts; "perfect", each part's cheapest for its
        true class (decision is None).

    Raises
    ------
    ValueError
        If a label is not in the matrix, or an argument is unusable.

    Examples
    --------
    >>> from skperturb.evaluation.costs import trivial_policies
    >>> y = ["dent"] * 5 + ["ok"] * 95
    >>> trivial_policies(y, {"dent": {"ok": 60, "dent": 5}, "ok": {"ok": 0, "dent": 2}}, good="ok")
              policy decision  mean_cost
    0       pass all       ok       3.00
    1  best constant     dent       2.15
    2        perfect     None       0.25
    """
    check_consistent_length(y, sample_weight)
    y = column_or_1d(y)
    table = _table(cost_matrix, None, y)
    costs = table.to_numpy()[class_codes(y, table.index, "y")]
    constant = [_mean(column, sample_weight) for column in costs.T]
    best = int(np.argmin(constant))
    rows = [
        ("best constant", table.columns[best], constant[best]),
        ("perfect", None, _mean(costs.min(axis=1), sample_weight)),
    ]
    if good is not None:
        passed = table.to_numpy()[class_codes([good], table.index, "good")[0]].argmin()
        rows.insert(0, ("pass all", table.columns[passed], constant[passed]))
    policies = pd.DataFrame(rows, columns=["policy", "decision", "mean_cost"], dtype=object)
    return policies.astype({"mean_cost": float})


def correct_prevalence(proba, prevalence, study, *, classes=None):
    """Probabilities on the line, from those learned where defects were more, or less, frequent.

    By Bayes' theorem p_k becomes p_k times prevalence_k / study_k, renormalised, which is right
    if the parts of each class are the same in both places. Where that leaves nothing, because
    the line makes none of the classes deemed possible, the line's shares are returned.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities, columns in the order of `classes`.
    prevalence : dict or Series
        Share, count or rate of each class on the line; it is normalised, and may be 0.
    study : dict, Series or array-like of shape (n_classes,)
        The same for the data that the classifier was fitted to, by class or in the order of
        `classes`.
    classes : array-like of shape (n_classes,), default=None
        None for the sorted labels of `prevalence`, the order of scikit-learn's ``classes_``.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)

    Raises
    ------
    ValueError
        If shares are negative, not finite or all zero, their classes are not `classes`, or the
        line makes a class that the study has not got.

    References
    ----------
    M. Saerens, P. Latinne and C. Decaestecker, "Adjusting the outputs of a classifier to new a
    priori probabilities", Neural Computation 14 (2002), eq. 2.4; C. Elkan, IJCAI (2001), theorem 2.

    Examples
    --------
    >>> from skperturb.evaluation.costs import correct_prevalence
    >>> line, study = {"dent": 0.01, "ok": 0.99}, {"dent": 0.5, "ok": 0.5}
    >>> correct_prevalence([[0.5, 0.5], [0.99, 0.01]], line, study).round(2)
    array([[0.01, 0.99],
           [0.5 , 0.5 ]])
    """
    if classes is None:
        classes = np.unique(list(_series(prevalence, "prevalence").index))
    line = class_shares(prevalence, classes, "prevalence")
    if not isinstance(study, (Mapping, pd.Series)):
        study = pd.Series(study, index=list(classes))
    study = class_shares(study, classes, "study")
    absent = (study == 0) & (line > 0)
    if absent.any():
        raise ValueError(
            f"The line makes {_names(np.asarray(classes)[absent])}, but the study has none: their "
            "probability cannot be corrected."
        )
    proba = _checked(proba, classes)
    proba = proba * np.divide(line, study, out=np.zeros(len(line)), where=study > 0)
    total = proba.sum(axis=1, keepdims=True)
    return np.divide(proba, total, out=np.tile(line, (len(proba), 1)), where=total > 0)


def prevalence_weights(y, prevalence):
    """Weights that give each class its share on the line.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        True classes.
    prevalence : dict or Series
        Share, count or rate on the line of each class in `y`; it is normalised, and may be 0.

    Returns
    -------
    ndarray of shape (n_samples,)
        Not negative, of mean one.

    Raises
    ------
    ValueError
        If shares are negative, not finite or all zero, or their classes are not those in `y`.

    Examples
    --------
    >>> from skperturb.evaluation.costs import prevalence_weights
    >>> prevalence_weights(["dent", "ok", "ok", "dent"], {"ok": 9, "dent": 1})
    array([0.2, 1.8, 1.8, 0.2])
    """
    classes, codes = np.unique(column_or_1d(y), return_inverse=True)
    line = class_shares(prevalence, classes, "prevalence")
    return (line * len(codes) / np.bincount(codes))[codes]


def _names(labels):
    return ", ".join(map(str, labels))


def _find(wanted, labels):
    """Position of each wanted label, compared as it is or, if one fails, all as strings; or -1."""
    for key in (lambda label: label, str):
        place = {key(label): position for position, label in enumerate(labels)}
        found = np.array([place.get(key(label), -1) for label in wanted], dtype=int)
        if (found >= 0).all():
            break
    return found


def class_codes(values, labels, name):
    """Position among `labels` of each of many values."""
    codes, values = pd.factorize(np.asarray(values), use_na_sentinel=False)
    found = _find(values, labels)
    if (found < 0).any():
        raise ValueError(
            f"{name} has labels that are not in the cost matrix: {_names(values[found < 0])}; it "
            f"has {_names(labels)}."
        )
    return found[codes]


def _without_doubles(labels, name):
    labels = list(labels)
    strings = [str(label) for label in labels]
    twice = dict.fromkeys(label for label in strings if strings.count(label) > 1)
    if twice:
        raise ValueError(f"{name} has more than once: {_names(twice)}.")
    return labels


def _align(labels, classes, name):
    """Position of each class among `labels`, which are the classes in any order."""
    labels = _without_doubles(labels, name)
    found = _find(_without_doubles(classes, "classes"), labels)
    missing = [label for label, position in zip(classes, found, strict=True) if position < 0]
    unknown = [label for position, label in enumerate(labels) if position not in found]
    if missing:
        raise ValueError(f"{name} lacks the classes {_names(missing)}; it has {_names(labels)}.")
    if unknown:
        raise ValueError(
            f"{name} has labels that are not classes: {_names(unknown)}; the classes are "
            f"{_names(classes)}."
        )
    return found


def _numbers(table, name):
    """Array of a DataFrame's or Series' entries, which are finite numbers."""
    try:
        numbers = table.astype(object).map(float).to_numpy(dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} has an entry that is not a number: {error}.") from None
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        place = [axis[position] for axis, position in zip(table.axes, bad[0], strict=True)]
        raise ValueError(f"{name} has no finite number for {_names(place)}.")
    return numbers


def _series(shares, name):
    if not isinstance(shares, (Mapping, pd.Series)):
        raise ValueError(f"{name} must be a dict or a Series of shares by class.")
    return pd.Series(shares, dtype=object)


def class_shares(shares, classes, name):
    """Shares in the order of the classes, normalised."""
    shares = _series(shares, name)
    order = _align(shares.index, classes, name)
    shares = _numbers(shares, name)[order]
    if shares.min() < 0 or not shares.any():
        raise ValueError(f"{name} must not be negative, nor zero for every class.")
    return shares / shares.sum()


def line_shares(prevalence, classes):
    """Shares of the classes on the line, in their order, summing to one: a Series."""
    return pd.Series(class_shares(prevalence, classes, "prevalence"), index=classes)


def _checked(proba, classes):
    proba = np.asarray(proba, dtype=float)
    if proba.ndim != 2 or proba.shape[1] != len(classes):
        raise ValueError(
            f"proba has shape {proba.shape}, but needs a column for each class: {_names(classes)}."
        )
    if not np.isfinite(proba).all() or (proba < -_SUM_TOL).any():
        raise ValueError("proba has entries that are negative or not finite.")
    if (np.abs(proba.sum(axis=1) - 1) > _SUM_TOL).any():
        raise ValueError("proba has rows that do not sum to one.")
    return proba


def _table(cost_matrix, classes, *labels):
    """The cost matrix, of the classes that it names itself if there is no list of them."""
    if classes is None:
        if isinstance(cost_matrix, pd.DataFrame):
            classes = cost_matrix.index
        else:
            classes = list(cost_matrix) if isinstance(cost_matrix, Mapping) else None
    return check_cost_matrix(cost_matrix, unique_labels(*labels) if classes is None else classes)


def _mean(costs, sample_weight):
    """Mean cost per part."""
    if sample_weight is None:
        return float(costs.mean())
    weight = np.asarray(sample_weight, dtype=float)
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError("sample_weight must be finite and not negative, and positive for a part.")
    return float(np.average(costs, weights=weight))
