"""The log likelihood of a fit, and what is computed from it: criteria, totals of a table."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._linear import Standardised, all_rows
from ._fit_data import SAMPLING, Fit, check_unpenalised, known_objective, meaning

_BIAS_REDUCED = (
    "With bias_reduction=True the coefficients do not maximise the likelihood: AIC, BIC and "
    "likelihood ratios do not hold. Use profile_interval or wald_test, or bias_reduction=False."
)


def log_likelihood(clf):
    """Log likelihood of the training data at the solution, weights included, no penalty."""
    loss, C = clf._fit_record.params["loss"], clf._fit_record.params["C"]
    if loss != "log_loss":
        raise AttributeError(f"There is no log likelihood with loss={loss!r}.")
    coef, _ = all_rows(clf)
    coef = coef[[label not in clf._fit_record.absent for label in clf.classes_.tolist()]]
    # The one vector of two classes, however it is shared out.
    coef = np.diff(coef, axis=0) if len(coef) == 2 else coef
    penalty = np.sum(np.square(coef)) / (2 * C)
    return float(penalty - clf.weight_sum_ * clf.loss_)


def check_likelihood(clf, weights=None):
    """Refuse a fit that is at no maximum of a likelihood.

    Raises
    ------
    ValueError
        With the reason.
    """
    check_is_fitted(clf)
    check_unpenalised(clf)
    record = clf._fit_record
    record.check_no_class_is_absent()
    if record.problem:
        raise ValueError(f"The fit is not at a maximum of the likelihood. {record.problem}")
    if record.bias_reduction:
        raise ValueError(_BIAS_REDUCED)
    reason = Fit(clf, record.objective, meaning(clf, record.objective, weights)).no_likelihood
    if reason:
        raise ValueError(reason)


def n_parameters(clf):
    """How many parameters of a fit the data determine.

    A column that depends on others adds none, which is seen while the classifier refers to its
    data.
    """
    width, objective = clf.n_features_in_ + int(clf.fit_intercept), known_objective(clf)
    if objective is not None:
        width -= len(Standardised(clf, objective).relations())
    return (len(clf.classes_) - 1) * width


def information_criterion(clf, price, weights=None):
    """`price` for each parameter, less twice the log likelihood."""
    check_likelihood(clf, weights)
    return float(price * n_parameters(clf) - 2 * log_likelihood(clf))


def totals(fit, kind):
    """The entries of the header of a table, by name.

    Parameters
    ----------
    fit : Fit
    kind : str
        Of the covariance.

    Returns
    -------
    dict of str to str, int or float
        Without those of a likelihood if there is none.
    """
    clf, objective = fit.clf, fit.objective
    entries = {
        "model": repr(clf.model_),
        "n": round(fit.n) if fit.n == round(fit.n) else fit.n,
        "classes": ", ".join(map(str, clf.classes_)),
    }
    if fit.no_likelihood is None:
        value, null = log_likelihood(clf), _null_log_likelihood(fit)
        n_all, n_null = objective.n_parameters, objective.shape[0] * int(clf.fit_intercept)
        entries |= {
            "log_likelihood": value,
            "null_log_likelihood": null,
            "df": n_all - n_null,
            "n_parameters": n_all,
            "pseudo_r2": 1 - value / null,
        }
        if not fit.bias_reduced:
            entries["aic"] = 2 * n_all - 2 * value
            entries["bic"] = float(np.log(fit.n)) * n_all - 2 * value
    elif fit.weights == SAMPLING:
        entries["log_likelihood"] = "none, because the weights are sampling weights"
    return entries | {"covariance": kind}


def _null_log_likelihood(fit):
    """Of the model without features: the shares of the classes, or equal ones without intercept."""
    shares = fit.objective.class_shares()
    if not fit.clf.fit_intercept:
        return float(-fit.n * np.log(len(shares)))
    present = shares[shares > 0]
    return float(fit.n * present @ np.log(present))
