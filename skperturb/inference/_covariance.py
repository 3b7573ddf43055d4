"""The covariance matrix of the free parameters of a fit.

With H the second derivative of minus the log likelihood in the free parameters (``_constraints``),
or its expectation, the covariance is H^-1 if the model is right, and H^-1 B H^-1 if it is not
(Huber 1967, White 1982). B is the sum of the outer products of the score vectors of what is
independent: observations, rows that were drawn with a known weight, or lots (Liang and Zeger 1986).
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .._engine import expected_information
from .._linalg import unit_diagonal
from .._linear import (
    IDENTIFIED,
    NEARLY,
    Standardised,
    UnsettledError,
    finite_minimum,
    firth_objective,
    nearly_in_words,
    relation_in_words,
)
from .._warnings import warn_user
from ._fit_data import SAMPLING

_KINDS = ("observed", "expected", "robust", "HC0", "HC1", "cluster")
_NEAR = 0.05  # to the maximum, in standard errors
_FEW_LOTS = 20
_BIAS_REDUCED = (
    "With bias_reduction=True the standard errors are those of the expected information: use "
    "cov='expected', or profile_interval, or, for lots, bootstrap(X, y, groups=lots)."
)


@dataclass(frozen=True)
class Covariance:
    """The covariance of the free parameters.

    Attributes
    ----------
    matrix : ndarray of shape (n_parameters, n_parameters)
    kind : str
        What it is, in words.
    df : float or None
        Degrees of freedom of Student's t distribution; None for the normal one.
    """

    matrix: np.ndarray
    kind: str
    df: float | None = None

    @property
    def _law(self):
        return stats.norm if self.df is None else stats.t(self.df)

    def std_err(self, rows):
        """Standard errors (m,) of linear combinations (m, n_parameters)."""
        return np.sqrt(np.einsum("ij,ij->i", rows @ self.matrix, rows))

    def tests(self, values, std_err, confidence):
        """Columns of a table: standard errors, two-sided Wald tests, confidence intervals."""
        half = self.quantile(confidence) * std_err
        with np.errstate(divide="ignore", invalid="ignore"):
            z = values / std_err
        return {
            "std_err": std_err,
            "z": z,
            "p_value": 2 * self._law.sf(np.abs(z)),
            "ci_low": values - half,
            "ci_high": values + half,
        }

    def quantile(self, confidence):
        """Half the width of an interval, in standard errors."""
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}.")
        return self._law.isf((1 - confidence) / 2)


def covariance_of(fit, cov=None, groups=None):
    """The covariance of the free parameters of a fit.

    Parameters
    ----------
    fit : Fit
    cov : {"observed", "expected", "robust", "HC0", "HC1", "cluster"}, default=None
        None means "cluster" with groups, "expected" after bias reduction, "robust" where the
        objective is no likelihood, and otherwise "observed".
    groups : array-like of shape (n_samples,), default=None

    Returns
    -------
    Covariance

    Raises
    ------
    ValueError
        If there is none, or not of this kind.
    """
    cov = _kind(fit, cov, groups)
    sums = None if groups is None else _sums_of_lots(fit, groups)
    bread = _inverse_information(fit, expected=cov == "expected")
    if cov in ("observed", "expected"):
        return Covariance(bread, f"{cov} information")
    sampling = fit.weights == SAMPLING
    by_weights = ", sampling weights" if sampling else ""
    if cov == "cluster":
        n_lots = len(sums)
        df = n_lots - 1
        kind = f"cluster-robust, {n_lots} lots, t with {df} degrees of freedom{by_weights}"
        meat = sums.T @ sums * n_lots / df
        return Covariance(bread @ meat @ bread, kind, df)
    name, factor = "HC0", 1.0
    if cov == "HC1":
        if fit.n <= len(bread):
            raise ValueError(
                f"HC1 needs more observations than parameters, got {fit.n:g} and {len(bread)}: "
                "use cov='robust'."
            )
        name, factor = "HC1", fit.n / (fit.n - len(bread))
    meat, df, kind = _meat(fit), None, f"robust ({name}){by_weights}"
    if sampling:
        df = _degrees_of_freedom(fit, meat)
        kind += f", t with {df:.4g} degrees of freedom"
    return Covariance(bread @ meat @ bread * factor, kind, df)


def _kind(fit, cov, groups):
    """The kind that is meant, checked."""
    if cov is not None and cov not in _KINDS:
        raise ValueError(f"cov must be one of {', '.join(map(repr, _KINDS))}, got {cov!r}.")
    no_likelihood = fit.no_likelihood
    if cov is None:
        if groups is not None:
            cov = "cluster"
        elif fit.bias_reduced:
            cov = "expected"
        else:
            robust = no_likelihood and fit.clf.loss == "log_loss"
            cov = "robust" if robust else "observed"
    if cov == "cluster" and groups is None:
        raise ValueError("cov='cluster' needs the lot of each row: pass groups.")
    if cov != "cluster" and groups is not None:
        raise ValueError(f"groups are used by cov='cluster' alone, not by cov={cov!r}.")
    if fit.bias_reduced:
        if cov != "expected":
            raise ValueError(_BIAS_REDUCED)
        if fit.weights == SAMPLING:
            raise ValueError(
                "With bias_reduction=True the weights count rows: sampling weights have no "
                "standard errors there. Use bias_reduction=False."
            )
    if fit.clf.loss != "log_loss" and cov in ("observed", "expected"):
        raise ValueError(
            f"With loss={fit.clf.loss!r} the second derivative is no information: use "
            "cov='robust', or fit with loss='log_loss'."
        )
    if no_likelihood and cov in ("observed", "expected"):
        raise ValueError(no_likelihood)
    return cov


def _sums_of_lots(fit, groups):
    """Sum of the score vectors of each lot (n_lots, n_parameters), each row by its weight."""
    sums = fit.objective.sums_of_lots(groups, fit.free)
    if len(sums) < 2:
        raise ValueError("All rows are of one lot: there are no standard errors between lots.")
    if len(sums) < _FEW_LOTS:
        warn_user(
            f"With {len(sums)} lots the cluster-robust standard errors are themselves uncertain, "
            f"and mostly too small; {_FEW_LOTS} lots or more are needed to trust their intervals.",
            UserWarning,
        )
    return sums * (fit.n / fit.objective.total)


def _meat(fit):
    """Sum of the outer products of the score vectors of observations or rows."""
    sampling = fit.weights == SAMPLING
    total = fit.objective.sum_over_rows(_outer_products, fit.free, sampling)
    return total * (fit.n / fit.objective.total) ** (2 if sampling else 1)


def _outer_products(objective, free, squared):
    """Of the score vectors of rows, by their weights or by the squares of these."""
    total = np.zeros((objective.n_parameters, objective.n_parameters))
    for vectors, share in objective.score_vectors(free):
        weight = share * objective.total
        total += (vectors * (weight**2 if squared else weight)[:, None]).T @ vectors
    return total


def _degrees_of_freedom(fit, meat):
    """How many rows of equal influence would make as certain a sandwich (Satterthwaite 1946).

    A few rows with large weights decide a sandwich of sampling weights, so that it is itself
    uncertain. With q_i the squared length of a row's score vector in units of the sum, P the
    number of parameters and n that of rows, the variance of the sum is about sum(q^2) - P / n; that
    of a Wishart matrix with f degrees of freedom is P (P + 1) / f.
    """
    unit = fit.n / fit.objective.total
    inverse = np.linalg.pinv(meat, hermitian=True) * unit**2
    size = len(meat)
    spread = fit.objective.sum_over_rows(_squared_lengths, fit.free, inverse) - size / fit.n
    return float(min(size * (size + 1) / max(spread, np.finfo(float).tiny), fit.n))


def _squared_lengths(objective, free, inverse):
    """Sum of the squares of the squared lengths of the weighted score vectors of rows."""
    total = 0.0
    for vectors, share in objective.score_vectors(free):
        vectors *= (share * objective.total)[:, None]
        total += np.sum(np.einsum("ij,ij->i", vectors @ inverse, vectors) ** 2)
    return total


def _expected(objective, free):
    """The expected information of the free parameters."""
    kernel = objective.loss.kernel
    return objective.total * objective.assemble(
        free, lambda scores, y: expected_information(kernel, scores)
    )


def _inverse_information(fit, expected):
    """The inverse of the information, if the coefficients are a proper maximum of the data's."""
    clf, objective, free = fit.clf, fit.objective, fit.free
    minimised = firth_objective(objective) if fit.bias_reduced else objective
    if not fit.bias_reduced:
        proved, distance = finite_minimum(objective, free)
        # The proof counts the sum of the weights as the number of observations.
        distance *= np.sqrt(fit.n / objective.total)
        if distance > _NEAR:
            raise _not_at_a_maximum(distance)
        if not proved:
            raise ValueError(_why_no_minimum(clf, objective))
    if expected:
        information = objective.sum_over_rows(_expected, free) / objective.total
    else:
        information = next(objective.curvatures(free))
    scaled, root = unit_diagonal(information * fit.n)
    values, vectors = np.linalg.eigh(scaled)
    _check_identified(clf, objective, values[0])
    inverse = (vectors / values) @ vectors.T / root[:, None] / root
    step = inverse @ minimised(free)[1] * fit.n
    distance = np.max(np.abs(step) / np.sqrt(np.diag(inverse)))
    if distance > _NEAR:
        raise _not_at_a_maximum(distance)
    return inverse


def _check_identified(clf, objective, smallest):
    """Judge by the smallest eigenvalue of the information whether it has a meaningful inverse."""
    if smallest < -IDENTIFIED:
        raise ValueError(
            "The coefficients are at no maximum of the likelihood but at a saddle: fit again from "
            "another start (warm_start=True after another noise)."
        )
    if smallest >= NEARLY:
        return
    try:
        data = Standardised(clf, objective)
    except UnsettledError:
        raise ValueError(
            "The data do not determine all coefficients: some feature is a combination of others. "
            "check_identifiability names it, given rows that fit into memory."
        ) from None
    relations = data.relations()
    if relations:
        raise ValueError(" ".join(map(relation_in_words, relations)))
    least, direction = data.spectrum()
    if least[0] < NEARLY:
        hardly = nearly_in_words(data.taking_part(direction))
        if smallest < IDENTIFIED:
            raise ValueError(hardly)
        warn_user(hardly, UserWarning)
    elif smallest < IDENTIFIED:
        raise ValueError(
            "Without an intercept, features that are far from zero for their spread are nearly the "
            "same: subtract their means, or use fit_intercept=True, and fit again."
        )


def _why_no_minimum(clf, objective):
    try:
        found = [each.in_words() for each in Standardised(clf, objective).separations()]
    except UnsettledError:
        found = [
            "The features seem to separate the classes, wholly or in part: leave out the feature "
            "that separates, or use a penalty."
        ]
    if found:
        return " ".join(
            [
                *found,
                "There are no standard errors then; a fit with bias_reduction=True (Firth's "
                "penalty) has finite coefficients, with intervals.",
            ]
        )
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
