"""Intervals of one coefficient from the profile of the likelihood.

With l(t) the largest log likelihood of all coefficients of which one is t, the interval holds the t
for which 2 (l(best) - l(t)) is at most the quantile of the chi-squared distribution with 1 degree
of freedom (Venzon and Moolgavkar 1988). Its root is nearly linear in t, so that few t are needed;
its slope is the derivative of the likelihood in t alone, since the others are at their best.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, stats

from .._linear import firth_objective, minimize
from .._results import Record
from ._covariance import covariance_of
from ._labels import coefficients_of

_TOL_OF_ROOT = 1e-7  # of the root of the deviance at an end
_TOL_OF_PROFILE = 1e-5  # distance of the others from their best, in standard errors
_TOL_OF_GRADIENT = 1e-10  # a smaller gradient is rounding
_FURTHEST = 1e4  # standard errors: an end beyond counts as infinite
_STEPS = 100  # of the search for an end
_ITERATIONS = 200  # of the descent of the others
_BETTER = 1e-3  # of the deviance: so much below zero is no rounding
_HALF = 0.5


@dataclass(frozen=True)
class ProfileInterval(Record):
    """Result of ``profile_interval``: read it with ``print``, or :meth:`to_dict`.

    Attributes
    ----------
    class_ : label
        The class.
    feature : str
        The feature.
    coef : float
        The coefficient.
    ci_low, ci_high : float
        Ends of the interval, infinite if the likelihood does not fall far enough.
    confidence : float
        Its level.
    """

    class_: Any
    feature: str
    coef: float
    ci_low: float
    ci_high: float
    confidence: float


def profile_interval(fit, label, feature, confidence):
    """See :meth:`CoefficientInference.profile_interval`."""
    if fit.no_likelihood:
        raise ValueError(fit.no_likelihood)
    row = coefficients_of(fit).row_of(label, feature)
    if not row.any():
        raise ValueError(
            f"The coefficients of class {label!r} are zero by definition: name another class."
        )
    covariance = covariance_of(fit)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}.")
    profile = _Profile(fit, row, covariance.matrix)
    level = np.sqrt(stats.chi2.isf(1 - confidence, 1))
    low, high = (profile.end(sign, level) for sign in (-1, 1))
    return ProfileInterval(label, feature, profile.coef, low, high, float(confidence))


class _Profile:
    """The likelihood as a function of one combination of the free parameters.

    The others move in standardised coordinates: free = start + (t - t0) * along + across @ u, with
    `along` the direction in which they follow at best near the maximum.
    """

    def __init__(self, fit, row, covariance):
        objective = fit.objective
        self._penalised, self._convex = fit.bias_reduced, objective.loss.convex
        self._function = firth_objective(objective) if fit.bias_reduced else objective
        self._n, self._best = fit.n, fit.free
        self.coef = float(row @ self._best)
        self._std_err = float(np.sqrt(row @ covariance @ row))
        self._along = covariance @ row / self._std_err**2
        factor = np.linalg.cholesky(covariance)
        # Directions of standardised coordinates that leave the combination as it is.
        free = linalg.null_space((row @ factor)[None] / np.abs(row @ factor).max())
        self._across = factor @ free
        self._least = self._function(self._best)[0]

    def _at(self, t, u):
        """Deviance with the others at their best, its slope in t, and where they are."""
        start = self._best + (t - self.coef) * self._along
        section = _Section(self._function, start, self._across)
        if self._across.shape[1]:
            tol = max(_TOL_OF_PROFILE / self._n, _TOL_OF_GRADIENT)
            # A likelihood that is not concave has several best places: two are tried.
            starts = [u] if self._convex or not u.any() else [u, -u]
            found = [self._others(section, start, tol) for start in starts]
            u = min(found, key=lambda u: section(u)[0])
        value, gradient = self._function(section.point(u))
        return 2 * self._n * (value - self._least), 2 * self._n * gradient @ self._along, u

    def _others(self, section, u, tol):
        """Where the others are at their best."""
        # Firth's penalty has no second derivatives at hand.
        solvers = ("lbfgs", "newton") if self._penalised else ("newton", "lbfgs")
        for solver in solvers:
            solution = minimize(section, u, solver=solver, tol=tol, max_iter=_ITERATIONS)
            if not solution.problem:
                return solution.x
            u = solution.x
        raise ValueError(
            "The profile of the likelihood was not found: with one coefficient fixed, the best "
            "values of the others cannot be computed. Use summary, or noise with lighter tails."
        )

    def end(self, sign, level):
        """Where the root of the deviance is `level`, above (1) or below (-1) the coefficient."""
        inside, outside = 0.0, np.inf  # in standard errors
        step, u = level, np.zeros(self._across.shape[1])
        for _ in range(_STEPS):
            deviance, slope, found = self._at(self.coef + sign * step * self._std_err, u)
            if deviance < -_BETTER:
                raise ValueError(
                    "The likelihood has a higher maximum than that of the fit: fit again with a "
                    "smaller tol, or from another start (warm_start=True after another noise)."
                )
            root = np.sqrt(max(deviance, 0.0))
            if abs(root - level) <= _TOL_OF_ROOT:
                break
            if root < level:
                inside, u = step, found
            else:
                outside = step
            if inside > _FURTHEST:
                return sign * np.inf
            rise = sign * slope * self._std_err / (2 * root) if root else 0.0
            newton_step = step + (level - root) / rise if rise > 0 else np.inf
            # Safeguarded: within the bracket, and not further than twice the last step.
            high = outside if np.isfinite(outside) else 2 * step
            if not inside < newton_step < high:
                newton_step = high if not np.isfinite(outside) else _HALF * (inside + outside)
            step = newton_step
        return float(self.coef + sign * step * self._std_err)


class _Section:
    """A function on a plane through a point, for Newton's method."""

    def __init__(self, function, start, across):
        self._function, self._start, self._across = function, start, across

    def point(self, u):
        return self._start + self._across @ u

    def __call__(self, u):
        value, gradient = self._function(self.point(u))
        return value, self._across.T @ gradient

    def curvatures(self, u):
        for matrix in self._function.curvatures(self.point(u)):
            yield self._across.T @ matrix @ self._across
