"""A fit together with its data, and what the weights of its rows mean: where inference starts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._linear import LinearObjective, all_rows, objective_again
from ..noise import as_noise

FREQUENCY, SAMPLING = "frequency", "sampling"
# Parameters that do not change what a fit minimises.
_HOW = {"solver", "tol", "max_iter", "warm_start"}
_SAME_DATA = 1e-5  # relative difference of loss and sum of weights, in single precision, too
_PENALISED = (
    "The fit is penalised (C={:g}): its coefficients are biased towards zero, and standard errors, "
    "AIC and likelihood ratios do not hold. For a fit as it is, bootstrap(X, y), or "
    "bootstrap(X, y, groups=lots), shows how its coefficients vary from sample to sample; for "
    "standard errors fit with C=numpy.inf, or, where classes are separated, with C=numpy.inf and "
    "bias_reduction=True."
)
_LABEL_NOISE = (
    "With label_noise there are no standard errors, tests, criteria or bootstrap: they would take "
    "the flips for known. Fit to samples of your own (sklearn.utils.resample) to see how the "
    "coefficients vary, or fit with label_noise=None."
)
CHOOSE = (
    "The weights of the rows are not whole numbers, so that their meaning must be said: pass "
    "weights='frequency' if a row of weight 2 counts as two rows, or weights='sampling' if the "
    "weights correct for how the rows were drawn."
)
_CHOOSE_WITH_CLASSES = (
    "With class_weight all weights are sampling weights, but the sample_weight of this fit also "
    "differs between rows of the same class: pass weights='sampling' if it does not count rows. "
    "If it does, give every row as often as it counts instead."
)
_CLASS_WEIGHT = (
    "class_weight gives the rows sampling weights, which count no rows: use weights='sampling', or "
    "fit with class_weight=None."
)
_NO_LIKELIHOOD = {
    "loss": "loss={!r} has no likelihood. Fit with loss='log_loss'.",
    "sampling": (
        "With sampling weights (sample_weight as such, or class_weight) the weighted sum of log p "
        "is no log likelihood: it grows with the unit of the weights. AIC, BIC, likelihood ratios "
        "and the inverse of the information do not hold. Use cov='robust' or cov='cluster', and "
        "wald_test."
    ),
    "soft": (
        "A fit to probabilities (fit_proba) maximises no likelihood of observed classes: AIC, BIC, "
        "likelihood ratios and the inverse of the information do not hold. Use cov='robust' or "
        "cov='cluster', and wald_test."
    ),
}


@dataclass(frozen=True)
class Fit:
    """A fitted classifier with its data.

    Attributes
    ----------
    clf : fitted classifier
    objective : LinearObjective
        What it minimised, penalties aside.
    weights : {"frequency", "sampling"}
        What the weights of its rows mean.
    """

    clf: Any
    objective: LinearObjective
    weights: str

    @property
    def free(self):
        """The free parameters at the solution."""
        return self.objective.free(*all_rows(self.clf))

    @property
    def n(self):
        """Number of observations: the sum of frequencies, or the number of rows."""
        return self.objective.total if self.weights == FREQUENCY else float(self.objective.n_rows)

    @property
    def bias_reduced(self):
        return self.clf._fit_record.bias_reduction

    @property
    def no_likelihood(self):
        """Why the objective is no log likelihood of `n` observations, in words, or None."""
        if self.clf.loss != "log_loss":
            return _NO_LIKELIHOOD["loss"].format(self.clf.loss)
        if self.clf._fit_record.soft:
            return _NO_LIKELIHOOD["soft"]
        return _NO_LIKELIHOOD["sampling"] if self.weights == SAMPLING else None


def fit_with_data(clf, X=None, y=None, sample_weight=None, *, weights=None, in_blocks=False):
    """An unpenalised fit with the data that it still knows, or with those given again.

    Parameters
    ----------
    clf : classifier
    X, y, sample_weight : array-like, default=None
    weights : {"frequency", "sampling"}, default=None
        What the weights mean; None asks :func:`meaning`.
    in_blocks : bool, default=False
        Whether X may be a source of blocks of rows, because sums over them are enough.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If the fit is penalised, its parameters have changed, or the data are not those of the fit.
    """
    check_is_fitted(clf)
    check_unpenalised(clf)
    clf._fit_record.check_no_class_is_absent()
    if X is None:
        if y is not None or sample_weight is not None:
            raise ValueError("y and sample_weight were given without X: give all or none.")
        objective = known_objective(clf)
        if objective is None:
            raise ValueError(
                "This model was saved or copied, and no longer knows the data of its fit: "
                "pass X, y and sample_weight to this method."
            )
    elif hasattr(X, "objective_again"):  # rows in blocks
        if not in_blocks:
            raise ValueError(
                "This needs rows in memory, not a source of blocks, for which there are summary, "
                "covariance and wald_test."
            )
        if y is not None or sample_weight is not None:
            raise ValueError("A source of blocks has its own y and sample_weight: give it alone.")
        objective = X.objective_again(clf)
        check_same_data(clf, objective)
    elif y is None:
        raise ValueError("X was given without y: give both, or none.")
    else:
        objective = objective_again(clf, X, y, sample_weight)
        check_same_data(clf, objective)
    return Fit(clf, objective, meaning(clf, objective, weights))


def check_unchanged(clf):
    """Refuse a classifier whose parameters are no longer those of its fit."""
    now, then = clf.get_params(deep=False), dict(clf._fit_record.params)
    for params in (now, then):
        params["noise"] = as_noise(params["noise"])
    changed = [name for name in then if name not in _HOW and _differ(now[name], then[name])]
    if changed:
        raise ValueError(
            f"Parameters were changed after the fit ({', '.join(changed)}): fit again."
        )


def _differ(now, then):
    """Whether two values of a parameter differ; one may be a matrix."""
    if any(hasattr(value, "shape") for value in (now, then)):
        return not np.array_equal(now, then)
    return now != then


def check_trusting(clf):
    """Refuse a fit that allows for wrong labels."""
    if clf._fit_record.flips is not None:
        raise ValueError(_LABEL_NOISE)


def check_unpenalised(clf):
    """Refuse a fit whose coefficients do not maximise a likelihood of true labels."""
    check_unchanged(clf)
    check_trusting(clf)
    if np.isfinite(clf.C):
        raise ValueError(_PENALISED.format(clf.C))


def meaning(clf, objective, weights=None):
    """What the weights of a fit's rows mean.

    Whole numbers without class weights are frequencies; class weights are sampling weights; of
    anything else the user has to say it.

    Parameters
    ----------
    clf : fitted classifier
    objective : LinearObjective or None
        With its data; None if they are no longer known.
    weights : {"frequency", "sampling"}, default=None

    Returns
    -------
    {"frequency", "sampling"}

    Raises
    ------
    ValueError
        If it is not clear, or contradicts the fit.
    """
    if weights not in (None, FREQUENCY, SAMPLING):
        raise ValueError(f"weights must be 'frequency', 'sampling' or None, got {weights!r}.")
    if clf.class_weight is not None:
        if weights == FREQUENCY:
            raise ValueError(_CLASS_WEIGHT)
        if weights is None and objective is not None and not objective.has_weights_of_classes():
            raise ValueError(_CHOOSE_WITH_CLASSES)
        return SAMPLING
    if weights is None:
        if objective is None:
            # A model that was saved by an older version does not know.
            whole = clf._fit_record.whole_weights is not False
        else:
            whole = objective.has_whole_weights()
        if not whole:
            raise ValueError(CHOOSE)
    return weights or FREQUENCY


def known_objective(clf):
    """What an unpenalised fit minimised, or None if it no longer knows its data.

    Raises
    ------
    ValueError
        If the arrays of the fit, to which it refers, have been changed since.
    """
    objective = clf._fit_record.objective
    if objective is not None:
        objective.forget()
        if not _is_of_fit(clf, objective)[0]:
            raise ValueError(
                "The arrays of the fit (X, y or sample_weight), to which the model refers, have "
                "been changed since: fit again, or pass the data of the fit to this method."
            )
    return objective


def check_same_data(clf, objective):
    """Refuse data that are not those of the fit."""
    same, value = _is_of_fit(clf, objective)
    if not same:
        raise ValueError(
            "X, y and sample_weight are not those of the fit: their sum of weights is "
            f"{objective.total:g} and their loss {value:g}, the fit's {clf.weight_sum_:g} and "
            f"{clf.loss_:g}."
        )


def _is_of_fit(clf, objective):
    """Whether loss and sum of weights are those of the fit, and the loss."""
    value, _ = objective(objective.free(*all_rows(clf)))
    fitted = [clf.weight_sum_, clf.loss_]
    return np.allclose([objective.total, value], fitted, rtol=_SAME_DATA), value
