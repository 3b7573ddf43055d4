"""Labels that deserve a second look, for any classifier."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length

from ._cross_validation import Matrix, cross_val_predictions, groups_parameter, weight_parameter
from ._input import check_labels

# Probability that a label is wrong from which on it is counted: of those counted, one in ten may be
# right. From one half on, 7.5 % of the labels of a large file with vague classes were counted.
FLAGGED = 0.9
_FOLDS = 10


def suspect_labels(
    clf: Any,
    X: Matrix,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """List all rows, those whose label most deserves a second look first.

    A classifier that can say it without refits (it, the last step of its pipeline or its
    ``best_estimator_`` has a method ``label_doubts``, as the classifiers of this library have) is
    fitted once: :meth:`skperturb.PerturbArgmaxClassifier.label_doubts` says how the columns are
    computed. The other steps of its pipeline have then seen each row. Any other classifier predicts
    each row by a 10-fold cross-validation (fewer folds if no class has 10 rows), and rows are in
    the order of the probability of their label; it does not say how many labels are wrong.

    Parameters
    ----------
    clf : classifier with predict_proba
        Classifier or pipeline; a clone of it is fitted.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
        Features, in any form that the classifier takes.
    y : array-like of shape (n_samples,)
        Labels, some of which may be wrong.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the fits.
    groups : array-like of shape (n_samples,), default=None
        Lot of each row: a row is predicted without its whole lot.
    random_state : int or None, default=0
        Seed of the folds.
    n_jobs : int, default=None
        Fits of the cross-validation at a time.

    Returns
    -------
    DataFrame of shape (n_samples, 6)
        ``row``, from 0; its ``label``; ``suggested``, the most probable other class;
        ``proba_of_label``, the probability of the label by a fit without the row;
        ``proba_wrong``, the probability that the true class is another; ``change``, by how much the
        loss of the label grows without the row. ``proba_wrong`` is missing where there is no clear
        sign of wrong labels, and the last two are missing for other classifiers. Its ``attrs``
        hold ``label_noise``, ``gain`` and ``gain_std_err``, as of `label_doubts`.

    Raises
    ------
    ValueError
        If the data cannot be used, or the classifier takes no weights.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.evaluation import suspect_labels
    >>> X, y = load_iris(return_X_y=True)
    >>> y[3] = 2
    >>> suspects = suspect_labels(PerturbArgmaxClassifier("gumbel"), X, y)
    >>> suspects[["row", "label", "suggested"]].head(1).to_dict("records")
    [{'row': 3, 'label': 2, 'suggested': 0}]
    """
    X = X if hasattr(X, "shape") else np.asarray(X)
    check_consistent_length(X, y, sample_weight, groups)
    y = check_labels(y, "y")
    model, options, table = clone(clf), {}, None
    if _has_doubts(model):
        if sample_weight is not None:
            options[weight_parameter(model)] = sample_weight
        if groups is not None:
            options |= dict.fromkeys(groups_parameter(model), groups)
        last, seen = _last_step(model.fit(X, y, **options), X)
        if hasattr(last, "label_doubts"):
            table = last.label_doubts(seen, y, sample_weight, groups=groups)
    if table is None:
        table = _by_folds(model, X, y, sample_weight, groups, random_state, n_jobs)
    attrs = table.attrs
    table = table.rename_axis("row").reset_index()
    table.attrs = attrs
    return table


def flip_table(suspects: pd.DataFrame) -> pd.DataFrame:
    """Count "called b, probably a" in a list of suspect labels.

    The counts are lower bounds: a fit that learns how many labels are wrong finds those that
    contradict the features, and a wrong label among similar parts with the same wrong label does
    not.

    Parameters
    ----------
    suspects : DataFrame
        What :func:`suspect_labels` returned.

    Returns
    -------
    DataFrame
        A row for each label and suggestion that occurs, the most frequent first: ``label``,
        ``suggested``; ``parts``, how many rows of them have a probability of 0.9 or more to be
        wrong; ``expected``, the sum of the probabilities to be wrong of all rows with this label
        and suggestion; ``share``, that sum divided by the number of rows with this label. It has no
        rows if the list does not say how many labels are wrong.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from skperturb.evaluation import flip_table
    >>> suspects = pd.DataFrame({"label": ["ok", "ok", "dent"], "suggested": ["dent", "dent", "ok"],
    ...                          "proba_wrong": [0.9, 0.2, 0.0]})
    >>> print(flip_table(suspects).to_string(index=False))
    label suggested  parts  expected  share
       ok      dent      1       1.1   0.55
    """
    missing = {"label", "suggested", "proba_wrong"} - set(suspects.columns)
    if missing:
        raise ValueError(f"suspects lacks the columns {sorted(missing)}; see suspect_labels.")
    known = suspects.dropna(subset="proba_wrong")
    pairs = known.groupby(["label", "suggested"], observed=True)["proba_wrong"]
    table = pd.DataFrame(
        {"parts": pairs.agg(lambda p: int((p >= FLAGGED).sum())), "expected": pairs.sum()}
    ).reset_index()
    rows = suspects["label"].value_counts()
    table["share"] = table["expected"] / table["label"].map(rows).astype(float)
    table = table[table["expected"] > 0].sort_values("expected", ascending=False, kind="stable")
    return table.astype({"parts": int}).reset_index(drop=True)


def suspects_of(comparison):
    """The rows of a comparison in the order of the out-of-fold probability of their label.

    Of the classifier with the least log loss; a mean over the repeats.
    """
    models = comparison.models
    name = comparison.kpis.loc[models, "log_loss"].idxmin()
    proba = comparison.predictions[name].proba.mean(axis=0)
    table = _by_proba(proba, comparison.codes, comparison.classes)
    if comparison.rows is not None:
        table = table.set_axis(comparison.rows)
    table = table.sort_values("proba_of_label", kind="stable").rename_axis("row").reset_index()
    table.attrs = {"estimator": name}
    return table


def _has_doubts(model):
    """Whether the last step, or what it will choose, can say it of itself."""
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    # A search that has not run yet has no best estimator, but one that it varies.
    searches = hasattr(model, "refit") and hasattr(model, "estimator")
    return hasattr(model, "label_doubts") or (searches and _has_doubts(model.estimator))


def _last_step(model, X):
    """What has the method, or might have had it, and the features as it sees them."""
    while not hasattr(model, "label_doubts"):
        if isinstance(model, Pipeline):
            X = model[:-1].transform(X) if len(model) > 1 else X
            model = model[-1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:  # what a search has chosen
            break
    return model, X


def _by_folds(model, X, y, sample_weight, groups, random_state, n_jobs):
    counts = np.unique(y, return_counts=True)[1]
    folds = min(_FOLDS, counts.max())
    if groups is not None:
        folds = min(folds, len(pd.unique(np.asarray(groups))))
    out = cross_val_predictions(
        model,
        X,
        y,
        sample_weight=sample_weight,
        groups=groups,
        n_splits=int(folds),
        n_repeats=1,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    table = _by_proba(out.proba[0], np.searchsorted(out.classes, y), out.classes)
    table[["proba_wrong", "change"]] = np.nan
    table.attrs = {"label_noise": "none", "gain": np.nan, "gain_std_err": np.nan}
    return table.sort_values("proba_of_label", kind="stable")


def _by_proba(proba, codes, classes):
    """Label, most probable other class, and probability of the label of each row."""
    each, others = np.arange(len(codes)), proba.copy()
    others[each, codes] = -1.0
    return pd.DataFrame(
        {
            "label": classes[codes],
            "suggested": classes[others.argmax(axis=1)],
            "proba_of_label": proba[each, codes],
        }
    )
