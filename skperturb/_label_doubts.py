"""Which labels deserve a second look: the method of the classifiers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ._data import Features, check_features, codes_of, fit_weights, row_weights
from ._label_noise import LabelledRows, with_flips
from ._linear import (
    all_rows,
    fit_flips,
    fit_objective,
    flips_without_row,
    in_words,
    linear_scores,
    make_objective,
    tilted,
    uniform_flips,
)
from ._warnings import warn_user
from .inference import check_same_data, check_unchanged
from .leave_out import Minimum, Units, leave_out, lone_classes, lots_of, mean_with_error

# Shares of labels drawn at random that are compared with a matrix of flips. The density of that
# matrix expects a tenth of the labels to be wrong; far smaller shares would win where there are few
# wrong labels, and put them in no better order than a fit that knows of none.
_RATES = (0.05, 0.1, 0.2, 0.3)
# Standard errors of the leave-one-out loss: by which a matrix must be better than a share, and by
# which either must be better than labels taken for true before it is said how many are wrong.
_BETTER, _CLEAR = 1.0, 2.0
_REFUSED = (
    "label_doubts needs {}: fit so, or use skperturb.evaluation.suspect_labels with another "
    "classifier."
)


class LabelDoubtsMethods:
    """How much a fit doubts each label of its data."""

    _fit_record: Any = None
    classes_: np.ndarray
    model_: Any

    def label_doubts(
        self,
        X: Features,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> pd.DataFrame:
        """How much the fit doubts each label of its data, the most doubtful first.

        A fit without `label_noise` is continued with a share of labels drawn at random and with a
        matrix of flips, learnt as the parameter `label_noise` describes. The matrix is taken if its
        leave-one-out log loss of the labels given is lower by more than one standard error;
        otherwise the share. A fit with `label_noise` is taken as it is.

        Parameters
        ----------
        X, y, sample_weight : array-like
            The data of the fit.
        groups : array-like of shape (n_samples,), default=None
            The lot of each row. Whole lots are then left out, for all columns.

        Returns
        -------
        DataFrame of shape (n_samples, 5)
            The index is the number of the row in `X`. ``label``: its label. ``suggested``: the most
            probable other class. ``proba_of_label``: the probability that the fit without the row
            (one Newton step) gives to the label, as the true class. ``proba_wrong``: the
            probability that the true class is another, for one who knows the label, too, by the fit
            with the row, or with `groups` by that without its lot. ``change``: by how much the loss
            of the label grows without the row.

            The ``attrs`` say which ``label_noise`` was taken, and by how much (``gain``,
            ``gain_std_err``) it lowers the leave-one-out log loss of the labels, compared with
            labels taken for true. Without a gain of two standard errors, or where the fit knows no
            more than how frequent the classes are, there is no clear sign of wrong labels:
            ``label_noise`` is then "none" and ``proba_wrong`` is missing, while the order remains.
            After a fit with `label_noise` there is no comparison, and the gain is missing.

            Labels of a class that one row, or lot, alone has are not judged, with a warning: their
            numbers are missing, and they come last.

        Raises
        ------
        ValueError
            If the fit is to probabilities, has another loss than the log loss or `bias_reduction`,
            or if the data are not those of the fit.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> y[0] = 2
        >>> doubts = PerturbArgmaxClassifier("gumbel").fit(X, y).label_doubts(X, y)
        >>> int(doubts.index[0]), int(doubts.loc[0, "suggested"])
        (0, 0)
        """
        check_is_fitted(self)
        check_unchanged(self)
        record = self._fit_record
        for wrong, needed in (
            (record.soft, "labels, not probabilities"),
            (record.params["loss"] != "log_loss", "loss='log_loss'"),
            (record.bias_reduction, "bias_reduction=False"),
        ):
            if wrong:
                raise ValueError(_REFUSED.format(needed))
        X, y = check_features(self, X, y)
        codes = codes_of(y, self.classes_)
        weight = fit_weights(record.params, sample_weight, X, y, self.classes_, codes)
        X = X.astype(np.float64, copy=False)
        rows = LabelledRows(X, self.classes_, codes, weight, row_weights(sample_weight, X))
        lots = None if groups is None else lots_of(groups, len(codes))[0]
        return _doubts(self, rows, lots)


@dataclass
class _Candidate:
    """A fit that allows for wrong labels.

    Attributes
    ----------
    kind : str
    objective : LinearObjective
        With its flips held fixed.
    free : ndarray of shape (n_parameters,)
    loss, change : ndarray of shape (n_rows,)
        Of the label given, by the fit without the row, and less that with it.
    scores : ndarray of shape (n_rows, n_classes)
        Without the row.
    """

    kind: str
    objective: Any
    free: np.ndarray
    loss: np.ndarray
    change: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, kind, objective, free, lots):
        left = leave_out(Minimum(objective, free), lots, most=0)
        loss = left.loss
        if kind == "matrix" and lots is None:
            loss = _loss_with_other_flips(objective, free, left.scores)
        return cls(kind, objective, free, loss, left.change, left.scores)


def _doubts(clf, rows, lots):
    params, record = clf._fit_record.params, clf._fit_record
    flexible = rows.objective(params, clf.model_)
    counted = flexible.counted
    lots_counted = None
    if lots is not None:
        lots_counted = np.unique(lots[counted], return_inverse=True)[1]
    weight = rows.sample_weight[counted]
    gain = gain_std_err = np.nan
    if record.flips is None:
        plain = make_objective(params, clf.model_, rows.classes, rows.X, rows.codes, rows.weight)
        check_same_data(clf, plain)
        trusting = leave_out(Minimum(plain, plain.free(*all_rows(clf))), lots_counted, most=0)
        chosen = _choose(clf, rows, flexible, lots_counted, weight)
        gain, gain_std_err = _gain(trusting.loss, chosen.loss, weight, lots_counted)
    else:
        objective = with_flips(flexible, record.flips)
        check_same_data(clf, objective)
        kind = params["label_noise"] if isinstance(params["label_noise"], str) else "given"
        free = objective.free(*all_rows(clf))
        chosen = _Candidate.of(kind, objective, free, lots_counted)
    table, kind = _table(chosen, rows, counted, lots), chosen.kind
    clear = not gain <= _CLEAR * gain_std_err
    if record.flips is None and clear:
        # Flips at random also mend a fit that says too much. Where the features say nothing of the
        # class, that looks like a gain, and no label contradicts them.
        frequencies = _loss_of_frequencies(rows, counted)
        known, std_err = _gain(frequencies, chosen.loss, rows.weight[counted], lots_counted)
        clear = known > _CLEAR * std_err
    if not clear:
        table["proba_wrong"], kind = np.nan, "none"
    table = _without_lone_classes(table, rows, flexible, Units(lots_counted, None))
    table.attrs = {"label_noise": kind, "gain": gain, "gain_std_err": gain_std_err}
    return table


def _without_lone_classes(table, rows, objective, units):
    """The table without numbers for classes that one row, or lot, alone has."""
    lone = [k for k, _ in lone_classes(objective, len(rows.classes), units)]
    if not lone:
        return table
    warn_user(
        f"The labels of {in_words(rows.classes[lone].tolist())} are not judged, because one "
        f"{units.kind} alone has them: without it nothing is known of the class.",
        UserWarning,
    )
    of_lone = np.isin(rows.codes[table.index], lone)
    table.loc[of_lone, ["proba_of_label", "proba_wrong", "change"]] = np.nan
    return pd.concat([table[~of_lone], table[of_lone]])


def _choose(clf, rows, flexible, lots, weight):
    """The matrix if it is better by more than a standard error, or the best share."""
    params, start, n_classes = clf._fit_record.params, all_rows(clf), len(rows.classes)
    factors = rows.factors()
    best, least = None, np.inf
    for rate in _RATES:
        objective = with_flips(flexible, tilted(uniform_flips(rate, n_classes), factors))
        free = fit_objective(objective, params, start).x
        start = objective.coefficients(free)
        found = _Candidate.of("uniform", objective, free, lots)
        loss = mean_with_error(found.loss, weight, lots).value
        if loss >= least:
            break
        best, least = found, loss
    solution, flips = fit_flips(flexible, params, all_rows(clf))
    matrix = _Candidate.of("matrix", with_flips(flexible, flips), solution.x, lots)
    gain, std_err = _gain(best.loss, matrix.loss, weight, lots)
    return matrix if gain > _BETTER * std_err else best


def _gain(before, after, weight, lots):
    return mean_with_error(before - after, weight, lots).to_dict().values()


def _loss_of_frequencies(rows, counted):
    """Loss of each label by the frequencies of the classes, its own row included.

    Without it they would say that the label given is rarer than it is.
    """
    codes, weight = rows.codes[counted], rows.weight[counted]
    return -np.log(np.bincount(codes, weight)[codes] / weight.sum())


def _loss_with_other_flips(objective, free, scores):
    """Loss of each label without its row, which the flips have not counted either."""
    loss, y = objective.loss, objective.y
    _, share = loss.true_class(objective.scores(free), y)
    proba = np.exp(loss.kernel.log_proba(scores))
    given = flips_without_row(share, y, objective.weight * objective.total)
    return -np.log(np.einsum("nz,nz->n", proba, given))


def _table(chosen, rows, counted, lots):
    objective, each = chosen.objective, np.arange(len(rows.codes))
    fitted = linear_scores(rows.X, *objective.coefficients(chosen.free))
    left_out, change = fitted.copy(), np.zeros(len(each))
    left_out[counted], change[counted] = chosen.scores, chosen.change
    proba = np.exp(objective.loss.kernel.log_proba(left_out))
    _, share = objective.loss.true_class(fitted if lots is None else left_out, rows.codes)
    others = share.copy()
    others[each, rows.codes] = -1.0
    table = pd.DataFrame(
        {
            "label": rows.classes[rows.codes],
            "suggested": rows.classes[others.argmax(axis=1)],
            "proba_of_label": proba[each, rows.codes],
            "proba_wrong": 1.0 - share[each, rows.codes],
            "change": change,
        }
    )
    by = ["proba_wrong", "proba_of_label"]
    return table.sort_values(by, ascending=[False, True], kind="stable")
