"""The scikit-learn face of both classifiers: parameters, fitted attributes and predictions."""

from abc import ABCMeta, abstractmethod
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._callbacks import CallbackSupportMixin, FitMonitor, with_callbacks
from ._completeness import Constraint, Representation
from ._data import Features, check_features, fit_weights
from ._linear import LOSSES, FitRecord, all_rows, fit_objective, linear_scores, make_objective
from ._sklearn import HasMethods, Interval, StrOptions, fit_context
from ._warnings import warn_user
from .inference import InferenceMixin
from .models import NoiseLike
from .noise import Noise

POSITIVE = Interval(Real, 0, None, closed="neither")
_NOT_UNIQUE = (
    "The coefficients are not unique: with constraint=None and without a penalty (C=inf) any "
    "common shift of all classes gives the same probabilities. Those that sum to zero over the "
    "classes are given; use constraint='sum_to_zero' or 'reference' to say which you want."
)


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
        noise: NoiseLike = "gaussian",
        *,
        noise_scale: float = 1.0,
        constraint: Constraint = "sum_to_zero",
        reference_class: Any = None,
        loss: str = "log_loss",
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: dict | str | None = None,
        solver: str = "auto",
        tol: float = 1e-4,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
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
    def noise_(self) -> Noise:
        """The noise in use, `noise_scale` included."""
        return self.model_.noise

    @property
    def representation_(self) -> Representation:
        """Whether the model can represent every distribution, each by one set of scores only."""
        check_is_fitted(self)
        constraint = self._fit_record.params["constraint"]
        # With two classes there is one row of coefficients, and nothing to be shared.
        return self.model_.representation(
            "reference" if constraint is None and len(self.classes_) == 2 else constraint
        )

    def __getstate__(self):
        # The data of the last fit stay behind when the model is saved or copied.
        state = dict(super().__getstate__())
        if self._fit_record is not None:
            state["_fit_record"] = self._fit_record.without_data()
        return state

    def __setstate__(self, state):
        if "_fit_params" in state:  # saved before fits had a record
            state = dict(state)
            state["_fit_record"] = FitRecord(state.pop("_fit_params"), state.pop("_problem"))
        super().__setstate__(state)

    def set_params(self, **params: Any) -> Self:
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

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Features, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
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
        UserWarning
            If no row is of the `reference_class`, as in a fold that lacks a rare class: then the
            first class is the reference.
        ConvergenceWarning
            If `max_iter` iterations or the numerical precision did not suffice for `tol`; if the
            features separate the classes and there is no penalty, so that no finite coefficients
            are best; or if `constraint` is None and there is no penalty, so that they are not
            unique.
        """
        X, y = check_features(self, X, y, reset=True)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes.tolist()[0]!r}; at least two are needed to fit."
            )
        params, model = clone(self).get_params(deep=False), self._model()
        weight = fit_weights(params, sample_weight, X, y, classes, codes)
        objective = make_objective(params, model, classes, X, codes, weight)

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
        previous = self._previous_fit(classes, X.shape[1]) if self.warm_start else None
        solution = fit_objective(objective, params, previous, monitor)
        monitor.close(solution.x)
        reference = self.reference_class
        if reference is not None and not np.any(classes == reference):
            warn_user(
                f"No row is of the reference_class {reference!r}: the first class, "
                f"{classes.tolist()[0]!r}, is the reference of this fit.",
                UserWarning,
            )
        if solution.problem:
            warn_user(solution.problem, ConvergenceWarning)
        if self.constraint is None and np.isinf(self.C) and len(classes) > 2:
            warn_user(_NOT_UNIQUE, ConvergenceWarning)
        # All at once, so that a fit that fails leaves the last one as it was.
        for name, value in fitted(solution.x).items():
            setattr(self, name, value)
        self.n_iter_ = solution.n_iter
        self.loss_ = solution.value
        self.weight_sum_ = float(objective.total)
        # Only a fit without a penalty has standard errors, and a use for its data.
        known = objective if np.isinf(self.C) else None
        self._fit_record = FitRecord(params, solution.problem, known)
        return self

    def _previous_fit(self, classes, n_features):
        """Last fit's coefficients and intercepts, if it was of the same classes and features."""
        if not hasattr(self, "coef_") or not np.array_equal(self.classes_, classes):
            return None
        return all_rows(self) if self.coef_.shape[1] == n_features else None

    def decision_function(self, X: Features) -> NDArray[np.float64]:
        """Scores, before the noise.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            With two classes the score of ``classes_[1]`` less that of ``classes_[0]``.
        """
        check_is_fitted(self)
        X = check_features(self, X, accept_large_sparse=True)
        scores = linear_scores(X, self.coef_, self.intercept_)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Features) -> NDArray:
        """The class with the largest score, which is the most probable one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels out of ``classes_``.
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)]

    def predict_proba(self, X: Features) -> NDArray[np.float64]:
        """Class probabilities, in the order of ``classes_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Each row sums to one.
        """
        decision = _finite(self.decision_function(X))
        kernel = self.model_._kernel(len(self.classes_))
        return kernel.margin_proba(decision) if decision.ndim == 1 else kernel.proba(decision)

    def predict_log_proba(self, X: Features) -> NDArray[np.float64]:
        """Log of the class probabilities, accurate where the probability underflows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms, -inf for a probability of zero.
        """
        scores = _all_scores(self.decision_function(X))
        return self.model_._kernel(len(self.classes_)).log_proba(scores)


def _all_scores(decision):
    """One column per class; with two classes the difference goes to the second."""
    decision = _finite(decision)
    if decision.ndim == 1:
        return np.column_stack([np.zeros_like(decision), decision])
    return decision


def _finite(decision):
    if not np.isfinite(decision).all():
        raise ValueError(
            "The scores of some rows overflow, so that they have no probabilities: X has values "
            "far outside of those of the fit. Check the units of the features."
        )
    return decision
