"""The scikit-learn face of both classifiers: parameters and fits."""

from abc import ABCMeta, abstractmethod
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._callbacks import CallbackSupportMixin, FitMonitor, with_callbacks
from ._completeness import Constraint, Representation
from ._data import (
    Features,
    check_features,
    fit_weights,
    proba_of_classes,
    row_weights,
    soft_weights,
)
from ._label_doubts import LabelDoubtsMethods
from ._label_noise import LabelledRows, check_label_noise, fit_label_noise
from ._linear import (
    LOSSES,
    FitRecord,
    FittedClasses,
    Solution,
    all_rows,
    feature_names,
    fit_objective,
    in_words,
    make_objective,
    reference_index,
    remarks,
)
from ._prediction_methods import PredictionMethods
from ._sklearn import HasMethods, Interval, NamesOnce, StrOptions, fit_context
from ._warnings import warn_user
from .inference import InferenceMixin
from .leave_out import LeaveOutMethods
from .models import NoiseLike
from .noise import Noise, as_noise

POSITIVE = Interval(Real, 0, None, closed="neither")


class PerturbClassifier(
    CallbackSupportMixin,
    InferenceMixin,
    LeaveOutMethods,
    LabelDoubtsMethods,
    PredictionMethods,
    ClassifierMixin,
    NamesOnce,
    BaseEstimator,
    metaclass=ABCMeta,
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
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "bias_reduction": ["boolean"],
        "label_noise": [StrOptions({"uniform", "matrix"}), "array-like", None],
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
        bias_reduction: bool = False,
        label_noise: str | ArrayLike | None = None,
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
        self.bias_reduction = bias_reduction
        self.label_noise = label_noise

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
            # As a dictionary: whoever loads the model need trust no private class.
            state["_fit_record"] = dict(vars(self._fit_record.without_data()))
        return state

    def __setstate__(self, state):
        if "_fit_params" in state:  # saved before fits had a record
            state = dict(state)
            state["_fit_record"] = FitRecord(state.pop("_fit_params"), state.pop("_problem"))
        elif isinstance(state.get("_fit_record"), dict):
            state = state | {"_fit_record": FitRecord(**state["_fit_record"])}
        # Saved before there were these parameters.
        super().__setstate__({"bias_reduction": False, "label_noise": None} | state)

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
            If a name is not known, or if the noise has no such parameter.

        Notes
        -----
        A noise that was given by name, such as "student_t", becomes an object when one of its
        parameters is set.

        Examples
        --------
        >>> from skperturb import PerturbArgmaxClassifier
        >>> PerturbArgmaxClassifier("student_t").set_params(noise__df=2.0)
        PerturbArgmaxClassifier(noise=StudentT(df=2.0))
        """
        noise = params.get("noise", self.noise)
        nested = [name for name in params if name.startswith("noise__")]
        if nested and isinstance(noise, str):
            params["noise"] = as_noise(noise)
        elif nested and not hasattr(noise, "set_params"):
            raise ValueError(
                f"{nested[0]} sets a parameter of a noise of skperturb.noise, and {noise!r} is "
                "none: set noise itself to another object."
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
            first class is the reference. If the rows of a class all have weight zero: the fit is
            that of the other classes. If a feature is so far from zero that its spread is lost in
            rounding.
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
        params = self._params_of_fit()
        weight = fit_weights(params, sample_weight, X, y, classes, codes)
        return self._fit(params, X, y, sample_weight, classes, codes, weight)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit_proba(
        self,
        X: Features,
        P: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit the coefficients to probabilities of the classes, such as several inspectors give.

        The loss of a row is the mean of the losses of all classes, each with the probability that
        `P` gives it. The fit is the same as one of each row once for each class, with these
        probabilities as weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As for :meth:`fit`.
        P : array-like of shape (n_samples, n_classes)
            Probabilities of the classes, which sum to 1 in each row, or a data frame of them whose
            columns are the classes.
        classes : array-like of shape (n_classes,), default=None
            The class of each column. If None, the columns of a data frame, or 0, 1, 2 and so on.
        sample_weight : array-like of shape (n_samples,), default=None
            As for :meth:`fit`.

        Returns
        -------
        self : object
            The classifier. After a fit without a penalty, :meth:`summary` and the like give robust
            standard errors; to give the data again, pass `P` in place of `y`.

        Raises
        ------
        ValueError
            If `P` does not hold probabilities, the classes are not different, or the data or a
            parameter is unusable.

        Examples
        --------
        >>> import numpy as np
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> P = np.array([[1.0, 0.0], [0.7, 0.3], [0.4, 0.6], [0.0, 1.0]])
        >>> clf = PerturbArgmaxClassifier().fit_proba(X, P, classes=["ok", "dent"])
        >>> clf.classes_
        array(['dent', 'ok'], dtype='<U4')
        >>> clf.predict([[0.5], [2.5]])
        array(['ok', 'dent'], dtype='<U4')
        """
        if self.bias_reduction:
            raise ValueError(
                "bias_reduction=True needs observed classes: use fit, or bias_reduction=False."
            )
        if self.label_noise is not None:
            raise ValueError(
                "label_noise needs labels, and probabilities already say how sure a label is: use "
                "fit, or label_noise=None."
            )
        X = check_features(self, X, reset=True)
        if classes is None:
            classes = P.columns if isinstance(P, pd.DataFrame) else np.arange(np.shape(P)[-1])
        order = np.asarray(classes)
        classes, place = np.unique(order, return_index=True)
        if len(classes) != len(order) or len(classes) < 2:
            raise ValueError(f"classes must be two different labels or more, got {order.tolist()}.")
        proba = proba_of_classes(P, X, order)[:, place]
        params = self._params_of_fit()
        shares, weight = soft_weights(params, sample_weight, X, classes, proba)
        return self._fit(params, X, proba, sample_weight, classes, shares, weight)

    def _params_of_fit(self):
        """The parameters, as they are now; impossible combinations are refused."""
        if self.bias_reduction:
            for wrong, needed in (
                (np.isfinite(self.C), "C=numpy.inf, because it is itself a penalty"),
                (self.loss != "log_loss", "loss='log_loss', because it penalises a likelihood"),
                (self.class_weight is not None, "class_weight=None, because it counts rows"),
                (self.solver == "lbfgs", "solver='newton' or 'auto'"),
            ):
                if wrong:
                    raise ValueError(f"bias_reduction=True needs {needed}.")
        check_label_noise(self.get_params(deep=False))
        return clone(self).get_params(deep=False)

    def _fit(self, params, X, y, sample_weight, classes, codes, weight):
        """Fit to data known to be valid; y is what callbacks see."""
        model, seen = self._model(), FittedClasses(classes, codes, weight)
        objective, solve = None, None
        if len(seen.labels) > 1:
            objective = make_objective(params, model, seen.labels, X, seen.codes, weight)
        if params["label_noise"] is not None:
            if seen.absent:
                raise ValueError(
                    f"With label_noise each class needs a row whose weight is not 0; "
                    f"{in_words(seen.absent)} has none: leave its rows out."
                )
            rows = LabelledRows(X, classes, codes, weight, row_weights(sample_weight, X))
            solve = partial(fit_label_noise, objective, params, model, rows)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._minimise(
            params,
            (model, classes, seen),
            objective,
            X.shape[1],
            X.dtype,
            solve=solve,
            data={"X": X, "y": y, "metadata": metadata},
        )
        self.weight_sum_ = float(weight.sum())
        return self

    def _minimise(self, params, classes_of, objective, n_features, dtype, *, solve=None, data):
        """Minimise an objective, and keep what was found as the fit.

        Parameters
        ----------
        params : dict
        classes_of : (model, classes, seen)
            Probability model, all classes, and those with a weight.
        objective : LinearObjective or another with its methods, or None
            Of the classes with a weight; None if there is one only, which is certain.
        n_features, dtype
            Of the coefficients.
        solve : callable, default=None
            Maps a start and a monitor to a LabelNoiseFit; by default labels are true.
        data : dict
            What callbacks see: X, y and metadata.
        """
        model, classes, seen = classes_of
        reference = reference_index(params, seen.labels)
        largest = np.finfo(dtype).max / 4  # of an intercept, so that scores are finite

        def fitted(x):
            rows = np.zeros((1, n_features)), np.zeros(1)
            rows = objective.coefficients(x) if objective else rows
            coef, intercept = seen.rows_of_all(*rows, model._law(), reference)
            if len(coef) == 2:
                coef, intercept = coef[1:], intercept[1:] - intercept[:1]
            return {
                "classes_": classes,
                "model_": model,
                "coef_": coef.astype(dtype),
                "intercept_": np.clip(intercept, -largest, largest).astype(dtype),
            }

        monitor = FitMonitor(self, fitted, **data)
        previous = self._previous_fit(classes, n_features) if self.warm_start else None
        solution = Solution(np.zeros(0), 0.0, 0)
        known, flips, label_noise = objective, None, None
        if objective:
            previous = previous and seen.rows_with_weight(*previous)
            if solve is None:
                solution = fit_objective(objective, params, previous, monitor)
            else:
                solution, known, flips, label_noise = solve(previous, monitor)
        else:
            monitor.start(solution.x)
        monitor.close(solution.x)
        for text, category in remarks(params, seen, objective, solution, feature_names(self)):
            warn_user(text, category)
        # All at once, so that a fit that fails leaves the last one as it was.
        for name, value in fitted(solution.x).items():
            setattr(self, name, value)
        self.n_iter_ = np.array([solution.n_iter], dtype=np.int32)
        self.loss_ = solution.value
        self.label_noise_ = label_noise
        # Only a fit without a penalty has standard errors, and a use for its data.
        self._fit_record = FitRecord(
            params,
            solution.problem,
            known if np.isinf(self.C) else None,
            soft=np.ndim(data["y"]) == 2,
            absent=seen.absent,
            flips=flips,
        )

    def _previous_fit(self, classes, n_features):
        """Last fit's coefficients and intercepts, if it was of the same classes and features."""
        if not hasattr(self, "coef_"):
            return None
        if np.array_equal(self.classes_, classes) and self.coef_.shape[1] == n_features:
            return all_rows(self)
        gone = [label for label in self.classes_.tolist() if label not in classes.tolist()]
        if gone:
            why = (
                f"no row is of {in_words(gone)}, which the last fit knew and this one does not: "
                "keep such rows, or one of each class with weight 0"
            )
        else:
            why = "the classes or the features are not those of the last fit"
        warn_user(
            f"With warm_start=True the fit begins anew all the same: {why}.",
            UserWarning,
        )
        return None
