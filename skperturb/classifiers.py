"""Linear classifiers whose probabilities come from noise on the scores."""

from abc import ABCMeta, abstractmethod
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._blas import single_thread
from ._constraints import make_constraint
from ._objective import LinearObjective, linear_scores
from ._solvers import lbfgs
from .models import PerturbArgmax, PerturbSoftmax
from .noise import Noise

__all__ = ["PerturbArgmaxClassifier", "PerturbSoftmaxClassifier"]

_DTYPES = [np.float64, np.float32]


class _PerturbClassifier(ClassifierMixin, BaseEstimator, metaclass=ABCMeta):
    """What both classifiers share: all but the probability model."""

    _parameter_constraints = {
        "noise": [str, Noise],
        "noise_scale": [Interval(Real, 0, None, closed="neither")],
        "constraint": [StrOptions({"sum_to_zero", "reference"}), None],
        "reference_class": "no_validation",
        "loss": [StrOptions({"log_loss"})],
        "C": [Interval(Real, 0, None, closed="right")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "solver": [StrOptions({"auto", "lbfgs"})],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Real, 1, None, closed="left")],
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
            solution = lbfgs(objective, start.ravel(), tol=self.tol, max_iter=int(self.max_iter))
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
        counted = weight > 0
        present = np.unique(codes[counted])
        if len(present) < 2:
            raise ValueError(
                "sample_weight leaves fewer than two classes with a weight above zero: "
                f"{classes[present].tolist()}; at least two are needed to fit."
            )
        if self.class_weight is not None:
            factors = np.zeros(len(classes))
            factors[present] = compute_class_weight(
                self.class_weight,
                classes=classes[present],
                y=y[counted],
                sample_weight=weight[counted],
            )
            weight = weight * factors[codes]
            if not weight.any():
                raise ValueError(f"class_weight={self.class_weight!r} makes all weights zero.")
        return weight

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


class PerturbArgmaxClassifier(_PerturbClassifier):
    """Linear classifier: the class whose score plus noise is largest.

    p_i(x) = P(argmax_k(theta_k(x) + gamma_k) = i), with scores theta(x) linear in x and the
    noise gamma independent and identically distributed. Gumbel noise gives multinomial
    logistic regression, Gaussian noise the multinomial probit with independent errors.
    Probabilities and likelihood are computed by quadrature: no Monte Carlo, no seed.

    Parameters
    ----------
    noise : str or Noise, default="gaussian"
        Law of the noise: "gaussian", "gumbel", "logistic", or an object of
        :mod:`skperturb.noise`, whose parameters a grid search reaches as ``noise__scale``.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale, in the units of the scores. It acts through `C`
        alone: twice the scale with four times C gives the same probabilities.
    constraint : {"sum_to_zero", "reference", None}, default="sum_to_zero"
        What makes the coefficients unique: the rows of the classes sum to zero, or the row of
        the reference class is zero, or nothing does. With two classes there is one row, and
        the three are the same.
    reference_class : label, default=None
        The reference class, for ``constraint="reference"``; None for the first of ``classes_``.
    loss : {"log_loss"}, default="log_loss"
        What is minimised: the negative log-likelihood.
    C : float, default=1.0
        Inverse strength of the penalty, as in LogisticRegression: the objective is
        ``C * sum(sample_weight * loss) + 1/2 * sum(coef_ ** 2)``, the intercept free.
        ``numpy.inf`` for no penalty.
    fit_intercept : bool, default=True
        Whether each class has an intercept.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply `sample_weight`; "balanced" gives every class
        the same total.
    solver : {"auto", "lbfgs"}, default="auto"
        "auto" is "lbfgs".
    tol : float, default=1e-4
        The fit ends when no entry of the gradient of the objective, divided by C and by the
        sum of the weights, is larger.
    max_iter : int, default=100
        Most iterations; a ConvergenceWarning says when they did not suffice.
    warm_start : bool, default=False
        Start from the last fit, if it had the same classes and number of features.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Coefficients; with two classes those of the difference of the two scores.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts, zero without `fit_intercept`.
    n_iter_ : int
        Iterations of the solver.
    loss_ : float
        The objective at the solution, divided by C and by the sum of the weights.
    model_ : PerturbArgmax or PerturbSoftmax
        The probability model in use.
    noise_ : Noise
        Its noise, `noise_scale` included.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X has string names for all of its columns.

    See Also
    --------
    PerturbSoftmaxClassifier : The mean of the softmax of scores with noise.
    skperturb.PerturbArgmax : The same probabilities for scores of your own.

    References
    ----------
    H. Cohen Indelman and T. Hazan, "Learning Representations for Perturb-Argmax and
    Perturb-Softmax probability models", arXiv 2406.02180.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperturb import PerturbArgmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), PerturbArgmaxClassifier(noise="gaussian"))
    >>> round(model.fit(X, y).score(X, y), 3)
    0.973
    """

    def _model(self):
        return PerturbArgmax(self.noise, self.noise_scale)


class PerturbSoftmaxClassifier(_PerturbClassifier):
    """Linear classifier: the mean of the softmax of scores with noise.

    p_i(x) = E[softmax((theta(x) + gamma) / temperature)_i], with scores theta(x) linear in x and
    the noise gamma independent and identically distributed. A low temperature approaches
    PerturbArgmaxClassifier, a high one logistic regression. Probabilities and likelihood are
    computed by quadrature: no Monte Carlo, no seed.

    Parameters
    ----------
    noise : str or Noise, default="gaussian"
        Law of the noise: "gaussian", "gumbel", "logistic", or an object of
        :mod:`skperturb.noise`, whose parameters a grid search reaches as ``noise__scale``.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale, in the units of the scores. Only its ratio to
        `temperature` changes the shape of the model; the rest acts through `C`.
    temperature : float, default=1.0
        Temperature of the softmax, in the units of the scores.
    constraint : {"sum_to_zero", "reference", None}, default="sum_to_zero"
        What makes the coefficients unique: the rows of the classes sum to zero, or the row of
        the reference class is zero, or nothing does. With two classes there is one row, and
        the three are the same.
    reference_class : label, default=None
        The reference class, for ``constraint="reference"``; None for the first of ``classes_``.
    loss : {"log_loss"}, default="log_loss"
        What is minimised: the negative log-likelihood.
    C : float, default=1.0
        Inverse strength of the penalty, as in LogisticRegression: the objective is
        ``C * sum(sample_weight * loss) + 1/2 * sum(coef_ ** 2)``, the intercept free.
        ``numpy.inf`` for no penalty.
    fit_intercept : bool, default=True
        Whether each class has an intercept.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply `sample_weight`; "balanced" gives every class
        the same total.
    solver : {"auto", "lbfgs"}, default="auto"
        "auto" is "lbfgs".
    tol : float, default=1e-4
        The fit ends when no entry of the gradient of the objective, divided by C and by the
        sum of the weights, is larger.
    max_iter : int, default=100
        Most iterations; a ConvergenceWarning says when they did not suffice.
    warm_start : bool, default=False
        Start from the last fit, if it had the same classes and number of features.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Coefficients; with two classes those of the difference of the two scores.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts, zero without `fit_intercept`.
    n_iter_ : int
        Iterations of the solver.
    loss_ : float
        The objective at the solution, divided by C and by the sum of the weights.
    model_ : PerturbArgmax or PerturbSoftmax
        The probability model in use.
    noise_ : Noise
        Its noise, `noise_scale` included.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X has string names for all of its columns.

    See Also
    --------
    PerturbArgmaxClassifier : The class whose score plus noise is largest.
    skperturb.PerturbSoftmax : The same probabilities for scores of your own.

    References
    ----------
    H. Cohen Indelman and T. Hazan, "Learning Representations for Perturb-Argmax and
    Perturb-Softmax probability models", arXiv 2406.02180.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperturb import PerturbSoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), PerturbSoftmaxClassifier(temperature=0.5))
    >>> round(model.fit(X, y).score(X, y), 3)
    0.973
    """

    _parameter_constraints = {
        **_PerturbClassifier._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        noise="gaussian",
        *,
        noise_scale=1.0,
        temperature=1.0,
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
        super().__init__(
            noise,
            noise_scale=noise_scale,
            constraint=constraint,
            reference_class=reference_class,
            loss=loss,
            C=C,
            fit_intercept=fit_intercept,
            class_weight=class_weight,
            solver=solver,
            tol=tol,
            max_iter=max_iter,
            warm_start=warm_start,
        )
        self.temperature = temperature

    def _model(self):
        return PerturbSoftmax(self.noise, self.noise_scale, self.temperature)
