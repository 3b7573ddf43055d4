"""An interval for the degrees of freedom of Student-t noise, from the profile of the likelihood.

With l(df) the largest log likelihood of all coefficients, the interval holds the df for which
2 (l(best) - l(df)) is at most the quantile of the chi-squared distribution with 1 degree of
freedom. Without a penalty the scale of the noise is a part of the coefficients, so that df alone is
the shape of the noise. With a penalty it is not: df, scale and C act together, and the profile
would say how the penalty suits each df.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from scipy.interpolate import CubicSpline
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._data import Features
from .._linear import LOSSES, all_rows, fit_objective
from .._results import Record, Table
from ..noise import StudentT
from ._fit_data import fit_with_data

# Values of df that are tried, the same for all data, so that their tables are built once. Between
# them the likelihood is interpolated. At the last one the tails differ from Gaussian ones by less
# than data show.
_GRID = 2.0 ** np.arange(-2.5, 7.0, 0.5)
_FINE = 4001  # values between the first and the last one of the interpolant
_TOL_OF_FIT, _ITERATIONS = 1e-6, 1000
_PENALISED = (
    "The fit is penalised (C={:g}): df, the scale of the noise and C act together, so that the "
    "profile says nothing of df alone. Fit with C=numpy.inf, or compare a short list by "
    "PerturbArgmaxClassifierCV(['gumbel', StudentT(4), StudentT(2)]) and read its candidates_."
)


@dataclass(frozen=True)
class NoiseProfile(Record):
    """Result of ``profile``: read it with ``print``, or :meth:`to_dict`.

    Attributes
    ----------
    parameter : str
        The parameter of the noise, "df".
    value : float
        Where the likelihood is largest; infinite if it still rises at the largest value tried.
    ci_low, ci_high : float
        Ends of the interval; 0 or infinite if the likelihood does not fall far enough.
    confidence : float
        Its level.
    curve : pandas.DataFrame
        The largest log likelihood for each value that was tried.
    """

    parameter: str
    value: float
    ci_low: float
    ci_high: float
    confidence: float
    curve: pd.DataFrame

    def _lines(self):
        return [(n, t) for n, t in super()._lines() if n != "curve"]


class NoiseInference:
    """How sure a fit is of the shape of its noise."""

    _fit_record: Any = None

    def profile(
        self,
        parameter: str,
        X: Features | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        confidence: float = 0.95,
    ) -> NoiseProfile:
        """The degrees of freedom of Student-t noise, with an interval.

        The interval comes from the profile of the likelihood, the coefficients being the best ones
        for each df. The fit itself stays as it is. It needs a fit without a penalty: with one,
        df, the scale of the noise and C act together, and many df predict equally well. Then let
        PerturbArgmaxClassifierCV compare a short list, such as
        ``["gumbel", StudentT(4), StudentT(2)]``, and read ``candidates_``.

        Parameters
        ----------
        parameter : {"df"}
            The parameter of the noise.
        X, y, sample_weight : array-like, default=None
            The data of the fit, as for :meth:`summary`.
        confidence : float, default=0.95
            Level of the interval, between 0 and 1.

        Returns
        -------
        NoiseProfile
            With `value`, `ci_low`, `ci_high`, and the `curve` of log likelihoods. An end is 0 or
            infinite where no df that was tried (0.18 to 90) is unlikely enough.

        Raises
        ------
        ValueError
            After a penalised fit, with other noise or another loss, with sampling weights, or if
            the likelihood cannot be maximised for some df.

        Examples
        --------
        >>> import numpy as np
        >>> from skperturb import PerturbArgmaxClassifier
        >>> from skperturb.noise import StudentT
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(800, 2))
        >>> y = (4 * X @ [[1, -1], [1, -1]] + rng.standard_t(2, (800, 2))).argmax(axis=1)
        >>> clf = PerturbArgmaxClassifier(StudentT(4), C=np.inf).fit(X, y)
        >>> profile = clf.profile("df")
        >>> profile.ci_low < 2 < profile.ci_high
        True
        """
        check_is_fitted(self)
        if np.isfinite(self._fit_record.params["C"]):
            raise ValueError(_PENALISED.format(self._fit_record.params["C"]))
        fit = fit_with_data(self, X, y, sample_weight)
        return _noise_profile(fit, parameter, confidence)


def _noise_profile(fit, parameter, confidence):
    if parameter != "df":
        raise ValueError(f"A profile is known of the parameter 'df' alone, not of {parameter!r}.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}.")
    if not isinstance(fit.clf.model_.noise, StudentT):
        raise ValueError(
            f"The noise {fit.clf.model_.noise} has no df: fit with noise=StudentT() from "
            "skperturb.noise."
        )
    if fit.bias_reduced:
        raise ValueError(
            "With bias_reduction=True the coefficients do not maximise the likelihood, of which "
            "this is the profile: fit with bias_reduction=False."
        )
    if fit.no_likelihood:
        raise ValueError(fit.no_likelihood)
    profile = _Profile(fit)
    drop = stats.chi2.isf(1 - confidence, 1) / 2
    tried = profile.search(drop)
    x = np.log(_GRID[tried])
    likelihoods = np.array([profile(k) for k in tried])
    fine = np.linspace(x[0], x[-1], _FINE)
    curve = CubicSpline(x, likelihoods)(fine)
    best = int(curve.argmax())
    inside = np.flatnonzero(curve >= curve[best] - drop)
    low, high = np.exp(fine[inside[[0, -1]]])
    at_end = best == _FINE - 1
    return NoiseProfile(
        parameter="df",
        value=float(np.inf if at_end else np.exp(fine[best])),
        ci_low=0.0 if inside[0] == 0 else float(low),
        ci_high=float(np.inf if inside[-1] == _FINE - 1 else high),
        confidence=float(confidence),
        curve=Table({"df": _GRID[tried], "log_likelihood": likelihoods}),
    )


class _Profile:
    """The largest log likelihood for each df of the grid; each fit starts from the nearest one."""

    def __init__(self, fit):
        self._fit = fit
        self._params = dict(fit.clf._fit_record.params)
        self._params |= {"tol": _TOL_OF_FIT, "max_iter": _ITERATIONS}
        self._first = int(np.abs(np.log(_GRID / fit.clf.model_.noise.df)).argmin())
        self._coefficients = {self._first: all_rows(fit.clf)}
        self._known = {}

    def search(self, drop):
        """Indices of the grid, from where the likelihood has fallen enough to where it has again.

        One more on either side, where there is one, for the interpolation.
        """
        low = high = self._first
        while True:
            best = max(self(k) for k in range(low, high + 1))
            if self(low) > best - drop and low > 0:
                low -= 1
            elif self(high) > best - drop and high < len(_GRID) - 1:
                high += 1
            else:
                return np.arange(max(low - 1, 0), min(high + 2, len(_GRID)))

    def __call__(self, k):
        if k not in self._known:
            clf, objective = self._fit.clf, self._fit.objective
            noise = StudentT(float(_GRID[k]), clf.model_.noise.scale)
            model = clone(clf).set_params(noise=noise, noise_scale=1.0)._model()
            loss = LOSSES["log_loss"](model._law(), len(clf.classes_))
            objective = objective.replace(loss=loss)
            nearest = min(self._coefficients, key=lambda known: abs(known - k))
            solution = fit_objective(objective, self._params, self._coefficients[nearest])
            if solution.problem:
                raise ValueError(
                    f"The likelihood for df={_GRID[k]:.3g} was not maximised. {solution.problem}"
                )
            self._coefficients[k] = objective.coefficients(solution.x)
            self._known[k] = -self._fit.n * solution.value
        return self._known[k]
