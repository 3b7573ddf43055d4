"""Leave-one-out as a method of the classifiers."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from .._data import (
    Features,
    check_features,
    codes_of,
    fit_weights,
    proba_of_classes,
    row_weights,
    soft_weights,
)
from .._linear import LinearObjective, all_rows, linear_scores, make_objective
from ..inference import check_same_data, check_unchanged, known_objective
from ._guards import (
    Units,
    check_classes,
    check_left_out,
    check_minimum,
    check_size,
    lots_of,
)
from ._left_out import leave_out
from ._minimum import Minimum
from ._result import LeaveOneOut

_FEW_ENTRIES = 1 << 18  # 2 MB
_NEAR_OF_LOTS = 1e-4  # squared distance to the minimum, in standard errors
_FEW_LOTS = 60  # so many are all refitted
_PENALISED_WITHOUT_DATA = (
    "A penalised fit (C={:g}) keeps no data: pass X, y and sample_weight to leave_one_out."
)
_NO_LONGER_KNOWN = (
    "This model was saved or copied, and no longer knows the data of its fit: pass X, y and "
    "sample_weight to leave_one_out."
)
_PART_KNOWN = (
    "This fit {}: pass X, y and sample_weight to leave_one_out, so that it knows them row by row."
)
_FIRTH = (
    "With bias_reduction=True the penalty depends on all rows at once, and a step without a row "
    "is not known: use bias_reduction=False with a finite C, or cross_val_predict of scikit-learn."
)


class LeaveOutMethods:
    """Predictions of rows that the fit has not seen."""

    _fit_record: Any = None

    def leave_one_out(
        self,
        X: Features | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        refit: str | int = "auto",
    ) -> LeaveOneOut:
        """Predictions of every row of the training data by the fit without it.

        One Newton step leads from the fit to that without the row (Rad and Maleki 2020), for all
        rows at less than the cost of a fit. Where the step is not exact, the fit is repeated. Class
        weights and whatever was done to the features before (scaling, imputation) stay as they
        are: they have seen the row. Cross-validation of a pipeline leaves the row out of those,
        too.

        Parameters
        ----------
        X, y, sample_weight : array-like, default=None
            The data of the fit; after :meth:`fit_proba` y are the probabilities. If None, the data
            that the object was fitted to: after a fit without a penalty the object refers to them
            until it is saved or copied.
        groups : array-like of shape (n_samples,), default=None
            The lot of each row: whole lots are left out. Rows of one lot resemble each other, and
            a fit that has seen some of them predicts the others too well.
        refit : "auto", False or int, default="auto"
            For which rows, or lots, the fit is repeated without them. "auto": those whose loss
            changes by more than 0.25, or whose leverage exceeds 0.9, but at most 60 or one in 20,
            whichever is more; of at most 60 lots all, because a lot moves the fit further than one
            step tells. A number n: the n whose loss, or mean loss of a lot, changes most. False:
            none.

        Returns
        -------
        LeaveOneOut
            Scores, probabilities, loss, leverage and change of the loss of every row, and
            ``log_loss()``, ``accuracy()`` and ``brier()`` with standard errors.

        Raises
        ------
        ValueError
            If a class is seen in one row, or one lot, only; where the features separate the
            classes, with all rows or without one, and there is no penalty; after a fit with
            `bias_reduction`; or if the data are not those of the fit.

        Warns
        -----
        UserWarning
            If there are more rows for which a step is not exact than are refitted, or the second
            derivatives are not positive definite.
        ConvergenceWarning
            If the minimum cannot be found to the accuracy that leaving out rows needs.

        References
        ----------
        K. Rad and A. Maleki, "A scalable estimate of the out-of-sample prediction error via
        approximate leave-one-out cross-validation", J. R. Stat. Soc. B 82 (2020) 965-996.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> X = StandardScaler().fit_transform(X)
        >>> left = PerturbArgmaxClassifier("gumbel").fit(X, y).leave_one_out(X, y)
        >>> round(left.log_loss().value, 2), round(left.accuracy().value, 2)
        (0.06, 0.98)
        """
        check_is_fitted(self)
        check_unchanged(self)
        if self._fit_record.bias_reduction:
            raise ValueError(_FIRTH)
        most = refit if refit == "auto" else _as_number(refit)
        data = _known(self, X, y, sample_weight) if X is None else _given(self, X, y, sample_weight)
        lots = names = None
        if groups is not None:
            lots, names = lots_of(groups, len(data.weight))
        return _leave_one_out(self, data, lots, names, most)


def _as_number(refit):
    if refit is False:
        return 0
    if refit is True or not isinstance(refit, Integral) or refit < 0:
        raise ValueError(f"refit must be 'auto', False or a number of rows, got {refit!r}.")
    return int(refit)


class _Data(NamedTuple):
    """The data of a fit.

    Attributes
    ----------
    objective : LinearObjective
        Of the rows whose weight is not zero.
    X, codes : features and labels as the loss takes them, or None
        Of all rows; None if they are those of the objective.
    labels : ndarray of shape (n_samples, n_classes)
        Probabilities of the classes.
    weight : ndarray of shape (n_samples,)
        Sample weights, without class weights.
    """

    objective: LinearObjective
    X: Any
    codes: Any
    labels: np.ndarray
    weight: np.ndarray


def _given(clf, X, y, sample_weight):
    """The data given again."""
    if y is None:
        raise ValueError("X was given without y: give both, or none.")
    params, classes = clf._fit_record.params, clf.classes_
    if clf._fit_record.soft:
        X = check_features(clf, X)
        labels = proba_of_classes(y, X, classes)
        codes, weight = soft_weights(params, sample_weight, X, classes, labels)
    else:
        X, y = check_features(clf, X, y)
        codes = codes_of(y, classes)
        weight = fit_weights(params, sample_weight, X, y, classes, codes)
        labels = _one_hot(codes, len(classes))
    X = workable(X)
    flips = clf._fit_record.flips
    objective = make_objective(params, clf.model_, classes, X, codes, weight, flips)
    check_same_data(clf, objective)
    return _Data(objective, X, codes, labels, row_weights(sample_weight, X))


def workable(X):
    """Features in double precision, since in single a minimum is not found closely enough.

    Sparse ones are made dense if they are few: products of small sparse matrices are slow.
    """
    if sparse.issparse(X) and X.shape[0] * X.shape[1] <= _FEW_ENTRIES:
        X = X.toarray()
    return X.astype(np.float64, copy=False)


def _known(clf, X, y, sample_weight):
    """The data that an unpenalised fit still knows."""
    if y is not None or sample_weight is not None:
        raise ValueError("y and sample_weight were given without X: give all or none.")
    if np.isfinite(clf.C):
        raise ValueError(_PENALISED_WITHOUT_DATA.format(clf.C))
    objective = known_objective(clf)
    if objective is None:
        raise ValueError(_NO_LONGER_KNOWN)
    if clf.class_weight is not None:
        raise ValueError(_PART_KNOWN.format("does not know sample weights without class weights"))
    if not objective.counted.all():
        raise ValueError(_PART_KNOWN.format("left out the rows of weight zero"))
    y = objective.y
    labels = y if objective.soft else _one_hot(y, len(clf.classes_))
    return _Data(objective, None, None, labels, objective.weight * objective.total)


def _one_hot(codes, n_classes):
    return (codes[:, None] == np.arange(n_classes)).astype(float)


def _leave_one_out(clf, data, lots, names, most):
    objective, counted = data.objective, data.objective.counted
    units = Units(None, np.flatnonzero(counted))
    if lots is not None:
        present, numbers = np.unique(lots[counted], return_inverse=True)
        units = Units(numbers, names[present])
    check_size(objective)
    check_classes(objective, clf.classes_, units)
    near = {} if lots is None else {"near": _NEAR_OF_LOTS}
    minimum = Minimum(objective, objective.free(*all_rows(clf)), **near)
    check_minimum(minimum)
    if most == "auto" and lots is not None and len(present) <= _FEW_LOTS:
        most = len(present)
    left = leave_out(minimum, units.lots, most)
    minimum = left.minimum
    check_left_out(minimum, left, units)

    values = {}
    for name in ("scores", "loss", "leverage", "change", "refitted"):
        of_counted = getattr(left, name)
        values[name] = np.zeros((len(counted), *of_counted.shape[1:]), dtype=of_counted.dtype)
        values[name][counted] = of_counted
    if not counted.all():
        _add_others(values, data, minimum, left, lots)
    log_proba = objective.loss.kernel.log_proba(values["scores"])
    proba, flips = np.exp(log_proba), clf._fit_record.flips
    if flips is not None:
        # Only the labels given can be compared with a prediction.
        with np.errstate(divide="ignore"):
            log_proba = np.log(proba @ flips)
    return LeaveOneOut(
        proba=proba,
        **values,
        _log_proba=log_proba,
        _labels=data.labels,
        _weight=data.weight,
        _lots=lots,
    )


def _add_others(values, data, minimum, left, lots):
    """Fill in the rows of weight zero: of the fit itself, or of that without their lot."""
    objective, rows = minimum.objective, np.flatnonzero(~data.objective.counted)
    X, codes = data.X[rows], data.codes[rows]

    def predicted(free):
        return linear_scores(X, *objective.coefficients(free))

    def losses(scores):
        return objective.loss.value_and_slope(scores, codes)[0]

    scores = predicted(minimum.free + minimum.rest)
    before = losses(scores)
    if lots is not None:
        present = np.unique(lots[data.objective.counted])
        values["refitted"][rows] = np.isin(lots[rows], lots[values["refitted"]])
        for lot in np.intersect1d(lots[rows], present):
            of_lot = lots[rows] == lot
            scores[of_lot] = predicted(left.moved(np.searchsorted(present, lot)))[of_lot]
    values["scores"][rows], values["loss"][rows] = scores, losses(scores)
    values["change"][rows] = values["loss"][rows] - before
