"""What wrong calls cost: cost matrices, the cheapest decision, the shares of the production line.

A cost matrix has a row for each class (the truth) and a column for each decision; the decisions
need not be classes (pass, rework, scrap). Wherever a function asks for a cost matrix, it is

- a DataFrame, whose index names the classes and whose columns name the decisions,
- a dict of dicts, ``{truth: {decision: cost}}``, or
- an array of shape (n_classes, n_classes) in the order of the classes, which are the decisions.

Rows are matched to the classes by name, in any order; columns stay in the order given. Negative
costs are gains.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import unique_labels

from ._deprecation import renamed_argument
from ._input import check_proba, check_weight
from ._labels import (
    Shares,
    codes_of,
    labelled_shares,
    listed,
    match,
    numbers_of,
    shares_of,
    without_doubles,
)

CostMatrix: TypeAlias = pd.DataFrame | Mapping[Any, Mapping[Any, float]] | ArrayLike


def cost_template(classes: ArrayLike) -> pd.DataFrame:
    """Make a cost matrix to edit: cost 0 for the right class and 1 for every other.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
        Labels of the classes.

    Returns
    -------
    DataFrame of shape (n_classes, n_classes)
        Rows are the classes and columns the decisions, which have the same labels.

    Examples
    --------
    >>> from skperturb.evaluation import cost_template
    >>> costs = cost_template(["dent", "ok"])
    >>> costs.loc["dent", "ok"] = 40.0  # a dent that passes
    >>> costs
          dent    ok
    dent   0.0  40.0
    ok     1.0   0.0
    """
    return check_cost_matrix(1.0 - np.eye(len(np.asarray(classes))), classes)


def check_cost_matrix(cost_matrix: CostMatrix, classes: ArrayLike) -> pd.DataFrame:
    """Return a cost matrix as a DataFrame whose rows are the classes, in their order.

    Parameters
    ----------
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
        Cost of each decision (columns) for each class (rows), in any unit; an array has a row and
        a column for each class.
    classes : array-like of shape (n_classes,)
        Labels of the classes.

    Returns
    -------
    DataFrame of shape (n_classes, n_decisions)
        Costs as floats. If all decisions are classes, the columns have the classes' labels: the
        number 1 where a file has the string "1".

    Raises
    ------
    ValueError
        If a class is missing, unknown or there twice, an entry is not a finite number, the shape
        is wrong, or there are fewer than two decisions.

    Examples
    --------
    >>> from skperturb.evaluation import check_cost_matrix
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
        array = np.asarray(cost_matrix, dtype=object)
        if array.shape != (len(classes), len(classes)):
            raise ValueError(
                f"cost_matrix has shape {array.shape}, but an array without labels needs a row and "
                f"a column for each class: {listed(classes)}. Name the rows, in a dict or a "
                "DataFrame, if some classes may have no part."
            )
        table = pd.DataFrame(array, index=classes, columns=classes)
    rows = match(table.index, classes, "cost_matrix")
    columns = without_doubles(table.columns, "cost_matrix")
    if len(columns) < 2:
        raise ValueError(f"cost_matrix needs at least two decisions, got: {listed(columns)}.")
    labels = {str(label): label for label in classes.tolist()}
    if all(str(column) in labels for column in columns):
        columns = [labels[str(column)] for column in columns]
    costs = numbers_of(table, "cost_matrix")
    return pd.DataFrame(costs[rows], index=classes, columns=columns)


def expected_costs(
    proba: ArrayLike, cost_matrix: CostMatrix, classes: ArrayLike
) -> npt.NDArray[np.float64]:
    """Compute the expected cost of each decision: sum over y of p_y C[y, d].

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities. The columns of a DataFrame are matched to `classes` by name; those
        of an array, or of a DataFrame without column names, are in the order of `classes`.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
        Cost of each decision (columns) for each class (rows), in any unit; an array has a row and
        a column for each class.
    classes : array-like of shape (n_classes,)
        Labels of the classes.

    Returns
    -------
    ndarray of shape (n_samples, n_decisions)
        In the unit of the cost matrix, with its columns in the same order.

    Raises
    ------
    ValueError
        If a row of `proba` is no distribution (within 1e-6), its column names are not the classes,
        or the cost matrix cannot be used.

    Examples
    --------
    >>> from skperturb.evaluation import expected_costs
    >>> expected_costs([[0.25, 0.75]], [[0, 40], [2, 0]], ["dent", "ok"])
    array([[ 1.5, 10. ]])
    """
    return check_proba(proba, classes) @ check_cost_matrix(cost_matrix, classes).to_numpy()


def expected_cost_decision(
    proba: ArrayLike, cost_matrix: CostMatrix, classes: ArrayLike
) -> npt.NDArray[Any]:
    """Find the decision of least expected cost for each row.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities. The columns of a DataFrame are matched to `classes` by name; those
        of an array, or of a DataFrame without column names, are in the order of `classes`.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
        Cost of each decision (columns) for each class (rows), in any unit; an array has a row and
        a column for each class.
    classes : array-like of shape (n_classes,)
        Labels of the classes.

    Returns
    -------
    ndarray of shape (n_samples,)
        Labels of columns of the cost matrix. If several decisions have the least cost, up to
        rounding, the first of their columns is taken.

    Raises
    ------
    ValueError
        If a row of `proba` is no distribution (within 1e-6), its column names are not the classes,
        or the cost matrix cannot be used.

    References
    ----------
    C. Elkan, "The foundations of cost-sensitive learning", IJCAI (2001).

    Examples
    --------
    >>> from skperturb.evaluation import expected_cost_decision
    >>> costs = {"dent": {"pass": 50, "rework": 5}, "ok": {"pass": 0, "rework": 2}}
    >>> expected_cost_decision([[0.03, 0.97], [0.05, 0.95]], costs, ["dent", "ok"]).tolist()
    ['pass', 'rework']
    """
    table = check_cost_matrix(cost_matrix, classes)
    return table.columns.to_numpy()[cheapest_columns(check_proba(proba, classes), table)]


def cheapest_columns(proba, table):
    """Find the column of least expected cost for each row; the matrix has been checked."""
    costs = proba @ table.to_numpy()
    # Trees meet ties often; which side of one a part falls on must not hang on the matrix product.
    rounding = 2 * len(table) * np.finfo(float).eps * (proba @ table.abs().to_numpy())
    may_be_least = costs - rounding <= (costs + rounding).min(axis=1, keepdims=True)
    return may_be_least.argmax(axis=1)


def cost_score(
    y_true: ArrayLike,
    decisions: ArrayLike,
    cost_matrix: CostMatrix,
    *,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
) -> float:
    """Compute the mean cost per part of the decisions taken.

    For a grid search: ``make_scorer(cost_score, greater_is_better=False, cost_matrix=...)``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    decisions : array-like of shape (n_samples,)
        Labels of columns of the cost matrix.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
        Cost of each decision (columns) for each class (rows), in any unit; an array has a row and
        a column for each class.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the parts, not negative and at least one positive; None for equal weights.
    classes : array-like of shape (n_classes,), default=None
        Labels of the classes. None for the rows of the cost matrix or, if it has no labels, for
        the sorted labels that occur in `y_true` and `decisions`.

    Returns
    -------
    float
        In the unit of the cost matrix, per part.

    Raises
    ------
    ValueError
        If there are no rows, a label is not in the matrix, or an argument cannot be used.

    Examples
    --------
    >>> from skperturb.evaluation import cost_score
    >>> cost_score(["dent", "ok", "ok", "ok"], ["ok", "ok", "ok", "dent"], [[0, 40], [2, 0]])
    10.5
    """
    _check_rows(y_true, decisions, sample_weight)
    y_true, decisions = column_or_1d(y_true), column_or_1d(decisions)
    table = cost_table(cost_matrix, classes, y_true, decisions)
    truth = codes_of(y_true, table.index, "y_true")
    decided = codes_of(decisions, table.columns, "decisions")
    return _mean(table.to_numpy()[truth, decided], sample_weight)


@renamed_argument("y", "y_true")
def trivial_policies(
    y_true: ArrayLike,
    cost_matrix: CostMatrix,
    *,
    sample_weight: ArrayLike | None = None,
    good: Any = None,
) -> pd.DataFrame:
    """Compute the cost of what needs no classifier, and of what no classifier can beat.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
        Cost of each decision (columns) for each class (rows), in any unit; an array has a row and
        a column for each class.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the parts, not negative and at least one positive; None for equal weights.
        :func:`prevalence_weights` gives each class its share on the production line.
    good : label, default=None
        Class of the parts without a defect; None if there is none.

    Returns
    -------
    DataFrame
        Columns policy, decision and mean_cost (per part, in the unit of the cost matrix). Rows:
        "pass all", which takes the cheapest decision for good parts on every part, if `good` is
        given; "best constant", the one decision that is cheapest for all parts together;
        "perfect", which takes the cheapest decision for the true class of each part (its
        decision is None).

    Raises
    ------
    ValueError
        If there are no rows, a label is not in the matrix, or an argument cannot be used.

    Examples
    --------
    >>> from skperturb.evaluation import trivial_policies
    >>> y_true = ["dent"] * 5 + ["ok"] * 95
    >>> costs = {"dent": {"ok": 60, "dent": 5}, "ok": {"ok": 0, "dent": 2}}
    >>> trivial_policies(y_true, costs, good="ok")
              policy decision  mean_cost
    0       pass all       ok       3.00
    1  best constant     dent       2.15
    2        perfect     None       0.25
    """
    _check_rows(y_true, sample_weight)
    y_true = column_or_1d(y_true)
    table = cost_table(cost_matrix, None, y_true)
    costs = table.to_numpy()[codes_of(y_true, table.index, "y_true")]
    constant = [_mean(column, sample_weight) for column in costs.T]
    best = int(np.argmin(constant))
    rows = [
        ("best constant", table.columns[best], constant[best]),
        ("perfect", None, _mean(costs.min(axis=1), sample_weight)),
    ]
    if good is not None:
        passed = table.to_numpy()[codes_of([good], table.index, "good")[0]].argmin()
        rows.insert(0, ("pass all", table.columns[passed], constant[passed]))
    policies = pd.DataFrame(rows, columns=["policy", "decision", "mean_cost"], dtype=object)
    return policies.astype({"mean_cost": float})


def correct_prevalence(
    proba: ArrayLike,
    prevalence: Shares,
    study: Shares | ArrayLike,
    *,
    classes: ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Convert probabilities to the shares of the classes on the production line.

    The data of a study often hold other shares of the classes than the production line makes. By
    Bayes' theorem p_k becomes p_k times prevalence_k / study_k, renormalised. This is right if
    the parts of each class look alike in both places. If a row gives all its probability to
    classes that the line does not make, the shares of the line are returned for that row.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities. The columns of a DataFrame are matched to `classes` by name; those
        of an array, or of a DataFrame without column names, are in the order of `classes`.
    prevalence : dict or Series
        Share, count or rate of each class on the line. The values are normalised; one may be 0.
    study : dict, Series or array-like of shape (n_classes,)
        Share, count or rate of each class in the data that the classifier was fitted to, by
        class or in the order of `classes`.
    classes : array-like of shape (n_classes,), default=None
        Labels of the classes. None for the sorted labels of `prevalence`, which is the order of
        scikit-learn's ``classes_``.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities on the line, columns in the order of `classes`.

    Raises
    ------
    ValueError
        If shares are negative, not finite or all zero, if their classes are not `classes`, or if
        the line makes a class that does not occur in the study.

    References
    ----------
    M. Saerens, P. Latinne and C. Decaestecker, "Adjusting the outputs of a classifier to new a
    priori probabilities", Neural Computation 14 (2002), eq. 2.4; C. Elkan, IJCAI (2001), theorem 2.

    Examples
    --------
    >>> from skperturb.evaluation import correct_prevalence
    >>> line, study = {"dent": 0.01, "ok": 0.99}, {"dent": 0.5, "ok": 0.5}
    >>> correct_prevalence([[0.5, 0.5], [0.99, 0.01]], line, study).round(2)
    array([[0.01, 0.99],
           [0.5 , 0.5 ]])
    """
    if classes is None:
        classes = np.unique(list(labelled_shares(prevalence, "prevalence").index))
    classes = np.asarray(classes)
    line = shares_of(prevalence, classes, "prevalence").to_numpy()
    if not isinstance(study, (Mapping, pd.Series)):
        study = pd.Series(np.asarray(study), index=list(classes))
    learned = shares_of(study, classes, "study").to_numpy()
    absent = (learned == 0) & (line > 0)
    if absent.any():
        raise ValueError(
            f"The line makes {listed(classes[absent])}, but the study has none, so "
            "that the probability of these classes cannot be corrected: add such parts to the "
            "study, or set their prevalence to 0."
        )
    ratio = np.divide(line, learned, out=np.zeros(len(line)), where=learned > 0)
    joint = check_proba(proba, classes) * ratio
    total = joint.sum(axis=1, keepdims=True)
    return np.divide(joint, total, out=np.tile(line, (len(joint), 1)), where=total > 0)


@renamed_argument("y", "y_true")
def prevalence_weights(y_true: ArrayLike, prevalence: Shares) -> npt.NDArray[np.float64]:
    """Compute weights that give each class its share on the production line.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    prevalence : dict or Series
        Share, count or rate on the line of each class in `y_true`. The values are normalised;
        one may be 0.

    Returns
    -------
    ndarray of shape (n_samples,)
        Weights that are not negative and have mean 1.

    Raises
    ------
    ValueError
        If shares are negative, not finite or all zero, or their classes are not those in
        `y_true`.

    Examples
    --------
    >>> from skperturb.evaluation import prevalence_weights
    >>> prevalence_weights(["dent", "ok", "ok", "dent"], {"ok": 9, "dent": 1})
    array([0.2, 1.8, 1.8, 0.2])
    """
    classes, codes = np.unique(column_or_1d(y_true), return_inverse=True)
    line = shares_of(prevalence, classes, "prevalence").to_numpy()
    return (line * len(codes) / np.bincount(codes))[codes]


def named_classes(cost_matrix):
    """The classes that a cost matrix names itself, or None."""
    if isinstance(cost_matrix, pd.DataFrame):
        return list(cost_matrix.index)
    return list(cost_matrix) if isinstance(cost_matrix, Mapping) else None


def cost_table(cost_matrix, classes, *labels):
    """The cost matrix of the given classes, or of its own, or of those that occur."""
    if classes is None:
        classes = named_classes(cost_matrix)
    return check_cost_matrix(cost_matrix, unique_labels(*labels) if classes is None else classes)


def _check_rows(y_true, *others):
    """Refuse columns of different lengths, and no rows at all."""
    check_consistent_length(y_true, *others)
    if len(y_true) == 0:
        raise ValueError("y_true has no rows: there is no mean cost of no parts.")


def _mean(costs, sample_weight):
    """Mean cost per part."""
    if sample_weight is None:
        return float(costs.mean())
    return float(np.average(costs, weights=check_weight(sample_weight, len(costs))))
