"""The linear classifier behind both public ones: parameters, fit and predictions.

The only module that imports private names of scikit-learn.
"""

from abc import ABCMeta, abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._blas import single_thread
from ._constraints import make_constraint
from ._objective import LinearObjective, linear_scores
from ._solvers import lbfgs

_DTYPES = [np.float64, np.float32]
POSITIVE = Interval(Real, 0, None, closed="neither")


class PerturbClassifier(ClassifierMixin, BaseEstimator, metaclass=ABCMeta):
    """What both classifiers share: all but the probability model."""

    _parameter_constraints = {
        "noise": [str, HasMethods(["logpdf", "logcdf", "ppf"])],
        "noise_scale": [POSITIVE],
        "constraint": [StrOptions({"sum_to_zero", "reference"}), None],
        "reference_class": "no_validation",
        "loss": [StrOptions({"log_loss"})],
        "C": [Interval(Real, 0, None, closed="right")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "solver": [StrOptions({"auto", "lbfgs"})],
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
            If `max_iter` iterations or the numerical precision did not suffice for `tol`.
        """
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=_DTYPES, accept_large_sparse=False
        )
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes[0]!r}; at least two classes are needed to fit."
            )
        model = self._model()
        constraint = make_constraint(self.constraint, len(classes), self._reference_index(classes))
        weight = self._weights(X, y, sample_weight, classes, codes)
        previous = self._previous_fit(classes, X.shape[1]) if self.warm_start else None

        self.classes_, self.model_ = classes, model
        objective = LinearObjective(
            X,
            codes,
            weight,
            kernel=model.kernel(len(classes)),
            constraint=constraint,
            C=self.C,
            fit_intercept=self.fit_intercept,
        )
        if previous is None:
            start = np.zeros(objective.shape)
        else:
            start = constraint.restrict(previous[:, : objective.shape[1]])
        with single_thread():
            solution = lbfgs(objective, start.ravel(), tol=self.tol, max_iter=self.max_iter)
        coef, intercept = objective.coefficients(solution.x)
        if len(classes) == 2:
            coef, intercept = coef[1:], intercept[1:]
        self.coef_ = coef.astype(X.dtype)
        self.intercept_ = intercept.astype(X.dtype)
        self.n_iter_ = solution.n_iter
        self.loss_ = solution.value
        return self

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
        with np.errstate(over="ignore", invalid="ignore"):
            total = weight.sum()
            ridge = 1 / (self.C * total) if total else np.inf
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
        """Last fit's parameters (K, n_features + 1), if it was of the same classes and features."""
        if not hasattr(self, "coef_") or not np.array_equal(self.classes_, classes):
            return None
        if self.coef_.shape[1] != n_features:
            return None
        rows = np.column_stack([self.coef_, self.intercept_]).astype(float)
        return np.concatenate([np.zeros_like(rows), rows]) if len(classes) == 2 else rows

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
