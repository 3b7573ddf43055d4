"""The linear classifier behind both public ones: parameters, fit and predictions.

The only module that imports private names of scikit-learn.
"""

import warnings
from abc import ABCMeta, abstractmethod
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._callbacks import CallbackSupportMixin, FitMonitor, with_callbacks
from ._linear._constraints import make_constraint
from ._linear._identifiability import MOST_PARAMETERS
from ._linear._losses import LOSSES
from ._linear._objective import LinearObjective, linear_scores
from ._linear._separation import finite_minimum
from ._linear._solvers import choose_solver, minimize
from ._linear._start import part_of, scaling_at, trimmed_start
from ._threads import single_blas_thread
from .inference import InferenceMixin
from .models import PerturbArgmax
from .noise import Gumbel, interquartile_range

_DTYPES = [np.float64, np.float32]
_TOL_OF_START, _TOL_OF_TRIMMING = 1e-3, 1e-2
_TOL_OF_PROOF = 1e-10
_CLOSE = 1e-2  # to the minimum of an unpenalised fit, in standard errors
_NOT_CHECKED = (
    f"With more than {MOST_PARAMETERS} parameters it is not checked whether the features separate "
    "the classes; without a penalty (C=inf) the best coefficients are infinite then. Use finite C."
)
_UNPROVED = (
    "Without a penalty (C=inf) this also happens where the features separate the classes and the "
    "best coefficients are infinite; then use a finite C."
)
_SEPARATED = (
    "The features seem to separate the classes, wholly or in part: then, without a penalty "
    "(C=inf), the best coefficients are infinite (or not unique, if the noise is bounded), and "
    "those found depend on where the iterations ended. Use a finite C, or leave out the feature "
    "that separates (skperturb.representation.check_identifiability names it); a class of few rows "
    "is easily separated."
)
POSITIVE = Interval(Real, 0, None, closed="neither")


class PerturbClassifier(
    CallbackSupportMixin, InferenceMixin, ClassifierMixin, BaseEstimator, metaclass=ABCMeta
):
    """What both classifiers share: all but the probability model."""

    _parameter_constraints = {
        "noise": [str, HasMethods(["logpdf", "logcdf", "ppf"])],
        "noise_scale": [POSITIVE],
        "constraint": [StrOptions({"sum_to_zero", "reference"}), None],
        "reference_class": "no_validation",
        "loss": [StrOptions(set(LOSSES))],
        "C": [Interval(Real, 0, None, closed="right")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "solver": [StrOptions({"auto", "newton", "lbfgs"})],
        "tol": [POSITIVE],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        noise="gaussian",
        *,
        noise_scale=1.0,
        constraint="sum_to_zero",
        reference_class=None,
        loss="log_loss",
        C=1.0,
        fit_intercept=True,
        class_weight=None,
        solver="auto",
        tol=1e-4,
        max_iter=100,
        warm_start=False,
    ):
        self.noise = noise
        self.noise_scale = noise_scale
        self.constraint = constraint
        self.reference_class = reference_class
        self.loss = loss
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @abstractmethod
    def _model(self):
        """The probability model that the parameters describe."""

    @property
    def noise_(self):
        """The noise in use, `noise_scale` included."""
        return self.model_.noise

    @property
    def representation_(self):
        """Whether the model can represent every distribution, each by one set of scores only."""
        constraint = self._fit_params["constraint"]
        # With two classes there is one row of coefficients, and nothing to be shared.
        return self.model_.representation(
            "reference" if constraint is None and len(self.classes_) == 2 else constraint
        )

    def __getstate__(self):
        # What is known of the last fit's data stays behind when the model is saved or copied.
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key not in ("_objective", "_labels")}

    @with_callbacks
    def set_params(self, **params):
        """Set parameters of this estimator, or of its noise by names such as ``noise__df``.

        Parameters
        ----------
        **params : dict
            Values by the names of the parameters.

        Returns
        -------
        self : object
            The classifier.

        Raises
        ------
        ValueError
            If a name is not known, or if the noise is a name, which has no parameters.
        """
        noise = params.get("noise", self.noise)
        nested = [name for name in params if name.startswith("noise__")]
        if nested and isinstance(noise, str):
            raise ValueError(
                f"{nested[0]} sets a parameter of a noise, but noise={noise!r} is a name; give the "
                "noise itself, such as noise=StudentT() from skperturb.noise."
            )
        return super().set_params(**params)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features. float32 is kept, everything else becomes float64.
        y : array-like of shape (n_samples,)
            Class labels, of any type; two classes at least.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative, one at least positive; 1 for each row if None. A weight of 2 counts
            as two equal rows.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable; the text says what to do instead.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations or the numerical precision did not suffice for `tol`; if the
            features separate the classes and there is no penalty, so that no finite coefficients
            are best; or if `constraint` is None and there is no penalty, so that they are not
            unique.
        """
        X, y = validate_data(
            self, X, _plain_labels(y), accept_sparse="csr", dtype=_DTYPES, accept_large_sparse=False
        )
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes.tolist()[0]!r}; at least two are needed to fit."
            )
        model = self._model()
        weight = self._weights(X, y, sample_weight, classes, codes)
        constraint = make_constraint(self.constraint, len(classes), self._reference_index(classes))
        objective = LinearObjective(X, codes, weight, **self._parts(model, constraint))
        previous = self._previous_fit(classes, X.shape[1]) if self.warm_start else None

        def fitted(x):
            coef, intercept = objective.coefficients(x)
            if len(coef) == 2:
                coef, intercept = coef[1:], intercept[1:]
            return {
                "classes_": classes,
                "model_": model,
                "coef_": coef.astype(X.dtype),
                "intercept_": intercept.astype(X.dtype),
            }

        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        monitor = FitMonitor(self, fitted, X=X, y=y, metadata=metadata)
        with single_blas_thread:
            part = part_of(objective)
            scaling = partial(scaling_at, part, objective)
            start = objective.free(*previous) if previous else self._start(part, objective, model)
            monitor.start(start)
            solution = self._minimize(objective, start, monitor, scaling)
        monitor.close(solution.x)
        if solution.problem:
            warnings.warn(solution.problem, ConvergenceWarning, stacklevel=4)
        if self.constraint is None and np.isinf(self.C) and len(classes) > 2:
            warnings.warn(
                "The coefficients are not unique: with constraint=None and without a penalty "
                "(C=inf) any common shift of all classes gives the same probabilities. Those that "
                "sum to zero over the classes are given; use constraint='sum_to_zero' or "
                "'reference' to say which you want.",
                ConvergenceWarning,
                stacklevel=4,
            )
        # All at once, so that a fit that fails leaves the last one as it was.
        for name, value in fitted(solution.x).items():
            setattr(self, name, value)
        self.n_iter_ = solution.n_iter
        self.loss_ = solution.value
        self.weight_sum_ = float(objective.total)
        self._problem, self._fit_params = solution.problem, clone(self).get_params(deep=False)
        # Only a fit without a penalty has standard errors, and use for its data.
        self._objective = objective if np.isinf(self.C) else None
        small = codes.astype(np.min_scalar_type(len(classes)))
        self._labels = small, None if np.all(weight == 1) else weight, _seal(X)
        return self

    def _parts(self, model, constraint):
        """What the objective needs beside the data."""
        return {
            "loss": self._loss_of(model, constraint.n_classes),
            "constraint": constraint,
            "C": self.C,
            "fit_intercept": self.fit_intercept,
        }

    def _loss_of(self, model, n_classes):
        return LOSSES[self.loss](model.kernel(n_classes), model._law().log_concave)

    def _start(self, part, whole, model):
        """Where the descent on all rows starts: what a part of them says, if it is a part."""

        def roughly(objective, x, tol=_TOL_OF_START):
            options = {
                "tol": max(self.tol, tol),
                "max_iter": self.max_iter,
                "scaling": partial(scaling_at, objective, objective),
            }
            return minimize(objective, x, solver=self._solver_for(objective), **options).x

        start = np.zeros(whole.n_parameters)
        if not whole.loss.convex:
            width = interquartile_range(model._law()) / interquartile_range(Gumbel())
            gumbel = PerturbArgmax(Gumbel(width))
            simple = self._loss_of(gumbel, whole.constraint.n_classes)
            start = trimmed_start(part, simple, partial(roughly, tol=_TOL_OF_TRIMMING))
        return start if part is whole else roughly(part, start)

    def _solver_for(self, objective):
        if self.solver == "auto":
            return choose_solver(objective.n_rows, objective.n_parameters)
        return self.solver

    def _minimize(self, objective, start, monitor, scaling):
        options = {
            "solver": self._solver_for(objective),
            "monitor": monitor,
            "scaling": scaling,
        }
        solution = minimize(objective, start, tol=self.tol, max_iter=self.max_iter, **options)
        if np.isfinite(self.C) or monitor.stopped:
            return solution
        # Without a penalty there may be no finite minimum, and the gradient small all the same; or
        # there is one, but the gradient not small enough for standard errors to mean something.
        asked, tol = solution, self.tol
        if objective.n_parameters > MOST_PARAMETERS:
            return solution._replace(problem=f"{asked.problem or ''} {_NOT_CHECKED}".strip())
        while True:
            proved, distance = finite_minimum(objective, solution.x)
            tol, left = tol / 100, self.max_iter - solution.n_iter
            if proved and distance <= _CLOSE:
                return solution._replace(problem=asked.problem)
            if solution.problem or tol < _TOL_OF_PROOF or not left or monitor.stopped:
                if proved:
                    return solution._replace(problem=asked.problem)
                problem = f"{asked.problem} {_UNPROVED}" if asked.problem else _SEPARATED
                return solution._replace(problem=problem)
            further = minimize(objective, solution.x, tol=tol, max_iter=left, **options)
            solution = further._replace(n_iter=solution.n_iter + further.n_iter)

    def _objective_for(self, X, y, sample_weight):
        """What the fit minimised, for the same data given again."""
        X, y = validate_data(
            self, X, y, reset=False, accept_sparse="csr", dtype=_DTYPES, accept_large_sparse=False
        )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has labels that the fit did not see: {unknown.tolist()}.")
        codes = np.searchsorted(self.classes_, y)
        weight = self._weights(X, y, sample_weight, self.classes_, codes)
        return self._objective_of(X, codes, weight)

    def _objective_of(self, X, codes, weight):
        """The objective of the fit, on data that are known to be valid."""
        reference = self._reference_index(self.classes_)
        constraint = make_constraint(self.constraint, len(self.classes_), reference)
        return LinearObjective(X, codes, weight, **self._parts(self.model_, constraint))

    def _objective_without_labels(self, X, sample_weight):
        """An objective on these features, and whether its labels are those of the fit to them."""
        X = validate_data(
            self, X, reset=False, accept_sparse="csr", dtype=_DTYPES, accept_large_sparse=False
        )
        n = X.shape[0]
        codes, weight, seal = getattr(self, "_labels", (np.empty(0, dtype=int), None, None))
        known = len(codes) == n and sample_weight is None
        if known:
            now = _seal(X)
            known = bool(np.allclose(now, seal, rtol=0, atol=1e-9 * np.abs(seal).max()))
        if not known:
            codes, weight = np.zeros(n, dtype=int), sample_weight
        weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
        return self._objective_of(X, codes.astype(int), weight), known

    def _reference_index(self, classes):
        if self.reference_class is None:
            return 0
        if self.constraint != "reference":
            raise ValueError(
                f"reference_class={self.reference_class!r} is used by constraint='reference' "
                f"alone, not by constraint={self.constraint!r}."
            )
        index = np.flatnonzero(classes == self.reference_class)
        if len(index) != 1:
            raise ValueError(
                f"reference_class={self.reference_class!r} is not a class of y: {classes.tolist()}."
            )
        return int(index[0])

    def _weights(self, X, y, sample_weight, classes, codes):
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        self._check_weights("sample_weight", weight, classes, codes)
        if self.class_weight is None:
            return weight
        totals = np.bincount(codes, weight)
        present = totals > 0
        factors = np.zeros(len(classes))
        if self.class_weight == "balanced":
            factors[present] = weight.sum() / (present.sum() * totals[present])
        else:
            factors[present] = compute_class_weight(
                self.class_weight, classes=classes[present], y=y[weight > 0]
            )
        weight = weight * factors[codes]
        self._check_weights("class_weight", weight, classes, codes)
        return weight

    def _check_weights(self, name, weight, classes, codes):
        if not weight.any():
            raise ValueError(f"{name} is zero for every row: nothing is left to fit.")
        with np.errstate(all="ignore"):
            total = weight.sum()
            ridge = 1 / self.C / total
        if not (np.isfinite(total) and weight.min() >= 0 and np.isfinite(ridge)):
            raise ValueError(
                f"{name} must give weights that are not negative and whose sum is finite, and C "
                f"times that sum must not vanish: the sum is {total:g}, C={self.C:g}."
            )
        present = np.unique(codes[weight > 0])
        if len(present) < 2:
            raise ValueError(
                f"{name} leaves fewer than two classes with a weight above zero: "
                f"{classes[present].tolist()}; at least two are needed to fit."
            )

    def _previous_fit(self, classes, n_features):
        """Last fit's coefficients and intercepts, if it was of the same classes and features."""
        if not hasattr(self, "coef_") or not np.array_equal(self.classes_, classes):
            return None
        if self.coef_.shape[1] != n_features:
            return None
        return self._all_rows()

    def _all_rows(self):
        """Coefficients (K, n_features) and intercepts (K,), with two classes, too."""
        coef, intercept = self.coef_.astype(float), self.intercept_.astype(float)
        if len(self.classes_) == 2:
            coef, intercept = np.vstack([0 * coef, coef]), np.append(0.0, intercept)
        return coef, intercept

    def decision_function(self, X):
        """Scores, before the noise.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            With two classes the score of ``classes_[1]`` less that of ``classes_[0]``.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=_DTYPES)
        scores = linear_scores(X, self.coef_, self.intercept_)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X):
        """The class with the largest score, which is the most probable one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)]

    def predict_proba(self, X):
        """Class probabilities, in the order of ``classes_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Each row sums to one.
        """
        scores = _all_scores(self.decision_function(X))
        return self.model_.kernel(len(self.classes_)).proba(scores)

    def predict_log_proba(self, X):
        """Log of the class probabilities, accurate where the probability underflows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = _all_scores(self.decision_function(X))
        return self.model_.kernel(len(self.classes_)).log_proba(scores)


def _all_scores(decision):
    """One column per class; with two classes the difference goes to the second."""
    if decision.ndim == 1:
        return np.column_stack([np.zeros_like(decision), decision])
    return decision


def _seal(X):
    """A few numbers (n_features,) by which the rows of X, in their order, are known again."""
    return X.T @ np.cos(np.arange(X.shape[0]), dtype=X.dtype)


def _plain_labels(y):
    """Return labels in a type of NumPy's that keeps each of them as it is; refuse missing ones.

    scikit-learn turns pandas' nullable integers and truth values into floats, which makes one
    class of two large integers. What is no labels at all is left for scikit-learn to refuse.
    """
    dtype = getattr(y, "dtype", None)
    extended = isinstance(dtype, pd.api.extensions.ExtensionDtype)
    if getattr(y, "ndim", 1) != 1 or not (extended or getattr(dtype, "kind", "") == "O"):
        return y
    missing = int(np.sum(pd.isna(y)))
    if missing:
        raise ValueError(f"y is missing for {missing} rows: fill it in or leave those rows out.")
    if not extended:
        return y
    if hasattr(dtype, "numpy_dtype") and hasattr(y, "to_numpy"):
        return y.to_numpy(dtype=dtype.numpy_dtype)
    return np.asarray(y)
