"""How sure a fit is of its coefficients: standard errors, criteria, tests of nested models.

Maximum likelihood theory, hence for fits without a penalty. With H the second derivative of minus
the log likelihood in the free parameters (``_constraints``), their covariance is
H^-1, or H^-1 B H^-1 with B the sum of the outer products of the rows' score vectors
(Huber 1967, White 1982). A row of weight 2 counts as two rows throughout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.utils.validation import check_is_fitted

from ._data import Features
from ._linalg import unit_diagonal
from ._linear import (
    IDENTIFIED,
    NEARLY,
    Standardised,
    UnsettledError,
    all_rows,
    feature_names,
    finite_minimum,
    nearly_in_words,
    objective_again,
    relation_in_words,
)
from ._results import Record
from ._warnings import warn_user
from .noise import as_noise

__all__ = ["LikelihoodRatioTest", "likelihood_ratio_test"]

# Parameters that do not change what a fit minimises.
_HOW = {"solver", "tol", "max_iter", "warm_start"}
_NEAR = 0.05  # to the maximum, in standard errors
_SAME_DATA = 1e-5  # relative difference of loss and sum of weights, in single precision, too
# What two fits may leave of a log likelihood to their tolerance: absolute, and relative.
_LEFT, _LEFT_RELATIVE = 1e-3, 1e-6


class InferenceMixin:
    """What a classifier that maximises a likelihood can say of its coefficients."""

    _fit_record: Any = None  # the FitRecord of a fitted classifier
    coef_: NDArray
    loss_: float
    weight_sum_: float

    @property
    def log_likelihood_(self) -> float:
        """Log likelihood of the training data at the solution, weights included, no penalty."""
        check_is_fitted(self)
        loss, C = self._fit_record.params["loss"], self._fit_record.params["C"]
        if loss != "log_loss":
            raise AttributeError(f"There is no log likelihood with loss={loss!r}.")
        penalty = np.sum(np.square(self.coef_, dtype=float)) / (2 * C)
        return penalty - self.weight_sum_ * self.loss_

    def summary(
        self,
        X: Features | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        cov: str = "observed",
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Coefficients with standard errors, tests and confidence intervals.

        The covariance of an unpenalised fit: the inverse of the observed information in the
        coordinates of the constraint, or the sandwich.

        Parameters
        ----------
        X, y, sample_weight : array-like, default=None
            The data of the fit. If None, the data that the object was fitted to: after a fit
            without a penalty the object refers to them until it is saved or copied.
        cov : {"observed", "robust"}, default="observed"
            "observed" is right if the model is right. "robust" (Huber and White, H^-1 B H^-1
            without a correction for small samples) is also right if the noise has another law.
        confidence : float, default=0.95
            Level of the confidence intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            One row for each class (but the reference class, or the first of two) and feature,
            the intercept first, with the columns class, feature, coef, std_err, z, p_value
            (two-sided, Wald), ci_low and ci_high.

        Raises
        ------
        ValueError
            Where there are no such standard errors: after a penalised fit (finite C), with
            `class_weight`, with constraint=None, where the features separate the classes or do not
            determine the coefficients, or where the coefficients are not those of the data.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = PerturbArgmaxClassifier(C=float("inf"), constraint="reference", tol=1e-8)
        >>> table = clf.fit(X[["sepal length (cm)"]], y).summary()
        >>> print(table.iloc[:, :6].round(3).to_string(index=False))
         class           feature    coef  std_err      z  p_value
             1         intercept -19.186    3.340 -5.744      0.0
             1 sepal length (cm)   3.537    0.621  5.694      0.0
             2         intercept -28.395    3.896 -7.288      0.0
             2 sepal length (cm)   5.021    0.702  7.152      0.0
        """
        check_is_fitted(self)
        _check_unpenalised(self)
        if X is None:
            if y is not None or sample_weight is not None:
                raise ValueError("y and sample_weight were given without X: give all or none.")
            objective = self._fit_record.objective
            if objective is None:
                raise ValueError(
                    "This model was saved or copied, and no longer knows the data of its fit: "
                    "pass X, y and sample_weight to summary."
                )
        elif y is None:
            raise ValueError("X was given without y: give both, or none.")
        else:
            objective = objective_again(self, X, y, sample_weight)
            _check_same_data(self, objective)
        return _summary(self, objective, cov=cov, confidence=confidence)

    def aic(self) -> float:
        """Akaike's information criterion of an unpenalised fit: 2 parameters - 2 log likelihood.

        Returns
        -------
        float
            The smaller, the better.

        Raises
        ------
        ValueError
            After a penalised fit, after a fit with `class_weight` or another loss, or if features
            depend on each other (which is checked while the object refers to its data).
        """
        check_is_fitted(self)
        return _information_criterion(self, 2.0)

    def bic(self) -> float:
        """Bayesian information criterion (Schwarz): log(n) parameters - 2 log likelihood.

        n is the sum of the sample weights.

        Returns
        -------
        float
            The smaller, the better.

        Raises
        ------
        ValueError
            After a penalised fit, after a fit with `class_weight` or another loss, or if features
            depend on each other (which is checked while the object refers to its data).
        """
        check_is_fitted(self)
        return _information_criterion(self, np.log(self.weight_sum_))


@dataclass(frozen=True)
class LikelihoodRatioTest(Record):
    """Result of :func:`likelihood_ratio_test`: read it with ``print``, or :meth:`to_dict`.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log likelihoods.
    df : int
        Degrees of freedom: the number of parameters that only the larger model has.
    p_value : float
        Probability of a statistic at least as large if the smaller model is true.
    """

    statistic: float
    df: int
    p_value: float

    def __iter__(self) -> Iterator[float]:
        warn_user(
            "The next release will not unpack a LikelihoodRatioTest: read its attributes "
            "statistic, df and p_value.",
            FutureWarning,
        )
        return iter((self.statistic, self.df, self.p_value))


def likelihood_ratio_test(restricted: Any, full: Any) -> LikelihoodRatioTest:
    """Test whether the features that only the full model has improve the likelihood.

    Twice the difference of the log likelihoods is compared with the chi-squared distribution
    (Wilks).

    Parameters
    ----------
    restricted, full : fitted classifiers
        The same model fitted with C=inf to the same rows. The features of `restricted` must be
        some of those of `full`, or combinations of them. This is checked by the names of the
        features, and by the data while both objects refer to them (until they are saved or
        copied). Of saved or copied objects only the sum of the weights is compared, so make sure
        that their rows are the same.

    Returns
    -------
    LikelihoodRatioTest
        The result; print it for a text.

    Raises
    ------
    ValueError
        If a fit is penalised, if the two are not nested models of the same data, if features
        depend on each other, or if the features have no names and an object was saved or copied,
        so that it cannot be checked whether the models are nested.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.inference import likelihood_ratio_test
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> radius = PerturbArgmaxClassifier(C=float("inf")).fit(X[:, :1], y)
    >>> and_texture = PerturbArgmaxClassifier(C=float("inf")).fit(X[:, :2], y)
    >>> result = likelihood_ratio_test(radius, and_texture)
    >>> round(result.statistic, 1), result.df, result.p_value < 0.001
    (38.8, 1, True)
    """
    for clf in (restricted, full):
        _check_likelihood(clf)
    same = [
        type(restricted) is type(full),
        repr(restricted.model_) == repr(full.model_),
        np.array_equal(restricted.classes_, full.classes_),
        np.isclose(restricted.weight_sum_, full.weight_sum_, rtol=1e-9),
    ]
    objectives = [clf._fit_record.objective for clf in (restricted, full)]
    known = None not in objectives
    if known:
        same.append(objectives[0].same_rows(objectives[1]))
    if not all(same):
        raise ValueError(
            "The two fits are not of the same model (noise, temperature) and the same rows: their "
            "likelihoods cannot be compared by this test. Compare them by aic()."
        )
    df = _n_parameters(full) - _n_parameters(restricted)
    names = [set(getattr(clf, "feature_names_in_", ())) for clf in (restricted, full)]
    if not (all(names) or known):
        raise ValueError(
            "It cannot be checked whether the models are nested: the features have no names, and a "
            "model that was saved or copied no longer refers to its data. Fit both to data frames, "
            "or do the test before they are saved or copied."
        )
    nested = df > 0 and restricted.fit_intercept <= full.fit_intercept
    nested = nested and (not all(names) or names[0] <= names[1])
    if not nested or (known and not objectives[1].spans(objectives[0])):
        raise ValueError(
            "The first model is not nested in the second: its features must be some of those of "
            "the second, and fewer. Give the smaller model first."
        )
    statistic = 2 * (full.log_likelihood_ - restricted.log_likelihood_)
    if statistic < -max(_LEFT, _LEFT_RELATIVE * abs(full.log_likelihood_)):
        raise ValueError(
            "The larger model has the lower likelihood: the features are not nested, or a fit did "
            "not converge, or stopped at another maximum (noise that is not log-concave)."
        )
    statistic = max(statistic, 0.0)
    return LikelihoodRatioTest(float(statistic), df, float(stats.chi2.sf(statistic, df)))


def _n_parameters(clf):
    """Number of free parameters of a fitted classifier."""
    return (len(clf.classes_) - 1) * (clf.n_features_in_ + int(clf.fit_intercept))


def _information_criterion(clf, price):
    """`price` for each parameter, less twice the log likelihood."""
    _check_likelihood(clf)
    return float(price * _n_parameters(clf) - 2 * clf.log_likelihood_)


def _summary(clf, objective, *, cov, confidence):
    """See :meth:`InferenceMixin.summary`."""
    if cov not in ("observed", "robust"):
        raise ValueError(f"cov must be 'observed' or 'robust', got {cov!r}.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}.")
    if clf.loss != "log_loss" and cov == "observed":
        raise ValueError(
            f"With loss={clf.loss!r} the second derivative is no information: use cov='robust', or "
            "fit with loss='log_loss'."
        )
    if clf.constraint is None and len(clf.classes_) > 2:
        raise ValueError(
            "With constraint=None the coefficients are not unique and have no standard errors: fit "
            "with constraint='sum_to_zero' or 'reference'."
        )
    free = objective.free(*all_rows(clf))
    covariance = _covariance(clf, objective, free, robust=cov == "robust")
    std_err = np.sqrt(objective.variances(covariance))
    coef = np.column_stack(objective.coefficients(free))[:, : std_err.shape[1]]

    names = feature_names(clf)
    order = np.arange(len(names))
    if clf.fit_intercept:
        # A feature may be called like the intercept.
        one = "(intercept)" if "intercept" in names else "intercept"
        names, order = [one, *names], np.append(len(names), order)
    determined = objective.constraint.rows
    coef, std_err = (part[determined][:, order].ravel() for part in (coef, std_err))
    z = coef / std_err
    half = stats.norm.isf((1 - confidence) / 2) * std_err
    return pd.DataFrame(
        {
            "class": np.repeat(clf.classes_[determined], len(names)),
            "feature": names * len(determined),
            "coef": coef,
            "std_err": std_err,
            "z": z,
            "p_value": 2 * stats.norm.sf(np.abs(z)),
            "ci_low": coef - half,
            "ci_high": coef + half,
        }
    )


def _covariance(clf, objective, free, robust):
    """Covariance matrix of the free parameters."""
    proved, distance = finite_minimum(objective, free)
    if distance > _NEAR:
        raise _not_at_a_maximum(distance)
    if not proved:
        raise ValueError(_why_no_minimum(clf, objective))
    information = next(objective.curvatures(free)) * objective.total
    scaled, root = unit_diagonal(information)
    values, vectors = np.linalg.eigh(scaled)
    if values[0] < -IDENTIFIED:
        raise ValueError(
            "The coefficients are at no maximum of the likelihood but at a saddle: fit again from "
            "another start (warm_start=True after another noise)."
        )
    if values[0] < NEARLY:
        data = Standardised(clf, objective)
        relations = data.relations()
        if relations:
            raise ValueError(" ".join(map(relation_in_words, relations)))
        least, direction = data.spectrum()
        if least[0] < NEARLY:
            hardly = nearly_in_words(data.taking_part(direction))
            if values[0] < IDENTIFIED:
                raise ValueError(hardly)
            warn_user(hardly, UserWarning)
        elif values[0] < IDENTIFIED:
            raise ValueError(
                "The features have offsets that are too large against their spread for standard "
                "errors to keep their digits: subtract their means, for instance with "
                "StandardScaler, and fit again."
            )
    inverse = (vectors / values) @ vectors.T / root[:, None] / root
    step = inverse @ objective(free)[1] * objective.total
    distance = np.max(np.abs(step) / np.sqrt(np.diag(inverse)))
    if distance > _NEAR:
        raise _not_at_a_maximum(distance)
    if not robust:
        return inverse
    meat = np.zeros_like(inverse)
    for rows, weight in objective.score_vectors(free):
        meat += (rows * weight[:, None]).T @ rows
    return inverse @ meat @ inverse


def _why_no_minimum(clf, objective):
    try:
        found = [each.in_words() for each in Standardised(clf, objective).separations()]
    except UnsettledError:
        found = [
            "The features seem to separate the classes, wholly or in part: leave out the feature "
            "that separates, or use a penalty."
        ]
    if found:
        return " ".join([*found, "There are no standard errors then."])
    return (
        "The fit is too far from the maximum of the likelihood for standard errors: fit with a "
        "smaller tol and a larger max_iter, on features of similar scale."
    )


def _not_at_a_maximum(distance):
    return ValueError(
        "The coefficients are not at a maximum of the likelihood of these data, but "
        f"{distance:.2g} standard errors away: pass the data of the fit, unchanged, or fit with "
        "a smaller tol and a larger max_iter."
    )


def _check_unpenalised(clf):
    now, then = clf.get_params(deep=False), dict(clf._fit_record.params)
    for params in (now, then):
        params["noise"] = as_noise(params["noise"])
    changed = [name for name in then if name not in _HOW and now[name] != then[name]]
    if changed:
        raise ValueError(
            f"Parameters were changed after the fit ({', '.join(changed)}): fit again."
        )
    if np.isfinite(clf.C):
        raise ValueError(
            f"The fit is penalised (C={clf.C:g}): its coefficients are biased towards zero, and "
            "standard errors, AIC and likelihood ratios do not hold. Fit with C=numpy.inf."
        )
    if clf.class_weight is not None:
        raise ValueError(
            "class_weight changes the likelihood: there are no standard errors, AIC or likelihood "
            "ratios. Fit with class_weight=None."
        )


def _check_same_data(clf, objective):
    value, _ = objective(objective.free(*all_rows(clf)))
    fitted = [clf.weight_sum_, clf.loss_]
    if not np.allclose([objective.total, value], fitted, rtol=_SAME_DATA):
        raise ValueError(
            "X, y and sample_weight are not those of the fit: their sum of weights is "
            f"{objective.total:g} and their loss {value:g}, the fit's {clf.weight_sum_:g} and "
            f"{clf.loss_:g}."
        )


def _check_likelihood(clf):
    if not isinstance(clf, InferenceMixin):
        raise TypeError(
            f"A fitted classifier of skperturb is needed, got {type(clf).__name__}; of a pipeline "
            "give the last step."
        )
    check_is_fitted(clf)
    _check_unpenalised(clf)
    record = clf._fit_record
    if record.problem:
        raise ValueError(f"The fit is not at a maximum of the likelihood. {record.problem}")
    if clf.loss != "log_loss":
        raise ValueError(f"loss={clf.loss!r} has no likelihood. Fit with loss='log_loss'.")
    # A column that depends on others would be counted as a parameter and is none.
    relations = Standardised(clf, record.objective).relations() if record.objective else []
    if relations:
        raise ValueError(" ".join(map(relation_in_words, relations)))
