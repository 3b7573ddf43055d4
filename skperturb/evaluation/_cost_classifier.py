"""A meta-estimator that decides by cost."""

import warnings
from contextlib import suppress
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import column_or_1d, get_tags
from sklearn.utils.validation import check_is_fitted

from ._costs import (
    CostMatrix,
    cheapest_columns,
    check_cost_matrix,
    correct_prevalence,
    cost_score,
    named_classes,
)
from ._cross_validation import Matrix
from ._input import check_proba
from ._labels import Shares, codes_of, find, labelled_shares, listed, shares_of


class CostSensitiveClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Classifier that takes the decision of least expected cost for each part.

    Parameters
    ----------
    estimator : classifier with predict_proba
        Classifier, which is cloned and then fitted. Its probabilities should be calibrated:
        ``class_weight`` would make defects seem more frequent than they are.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes), default=None
        Cost of each decision (columns) for each class (rows), see :func:`check_cost_matrix`. If
        it is None, the most probable class is predicted. If it names its rows, there may be
        classes of which the training data have no part, as in a fold that lacks a rare class;
        their probability is 0.
    prevalence : dict or Series, default=None
        Share, count or rate of each class on the production line, if the training data have
        other shares, see :func:`correct_prevalence`. A class of which the training data have no
        part is left out, with a warning.

    Attributes
    ----------
    estimator_ : classifier
        The fitted estimator.
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, sorted.
    decisions_ : ndarray of shape (n_decisions,)
        Labels that `predict` chooses from: the columns of the cost matrix, or `classes_` if there
        is no cost matrix.
    cost_matrix_ : DataFrame of shape (n_classes, n_decisions) or None
        The cost matrix: first the rows of `classes_`, in their order, then those of classes that
        the training data lack.
    prevalence_ : Series or None
        Shares of the classes on the line, in the order of `classes_`.
    study_ : ndarray of shape (n_classes,) or None
        Sum of the weights of each class in the training data, if there is a `prevalence`.
    n_features_in_ : int
        Number of features, if the estimator has this attribute.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the estimator has this attribute.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skperturb.evaluation import CostSensitiveClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> y = y.map({0: "ok", 1: "dent", 2: "scratch"})
    >>> costs = {
    ...     "ok": {"pass": 0, "rework": 2},
    ...     "dent": {"pass": 9, "rework": 1},
    ...     "scratch": {"pass": 1, "rework": 4},
    ... }
    >>> clf = CostSensitiveClassifier(LogisticRegression(max_iter=1000), costs).fit(X, y)
    >>> clf.predict(X[::50]).tolist()
    ['pass', 'rework', 'pass']
    """

    def __init__(
        self,
        estimator: Any,
        cost_matrix: CostMatrix | None = None,
        *,
        prevalence: Shares | None = None,
    ) -> None:
        self.estimator = estimator
        self.cost_matrix = cost_matrix
        self.prevalence = prevalence

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
        return tags

    def fit(self, X: Matrix, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the estimator.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
            Features, in any form that the estimator takes.
        y : array-like of shape (n_samples,)
            True classes, not decisions.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, which are passed to the estimator if they are given.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the estimator has no predict_proba, or if the cost matrix or the prevalence does
            not fit the classes.

        Warns
        -----
        UserWarning
            If the line makes a class of which the training data have no part.
        """
        if not hasattr(self.estimator, "predict_proba"):
            raise ValueError(
                f"{self.estimator!r} has no predict_proba, and expected costs need probabilities: "
                "use another classifier, or CalibratedClassifierCV around this one."
            )
        truth = column_or_1d(y, warn=True)
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        estimator = clone(self.estimator).fit(X, truth, **weight)
        classes, table, line, study = estimator.classes_, None, None, None
        if self.cost_matrix is not None:
            named = named_classes(self.cost_matrix)
            table = check_cost_matrix(self.cost_matrix, _with_absent(classes, named))
        if self.prevalence is not None:
            rows = np.broadcast_to(1.0 if sample_weight is None else sample_weight, truth.shape)
            study = np.bincount(codes_of(truth, classes, "y", "classes_"), rows, len(classes))
            line = _line_of(self.prevalence, classes)
            # What is wrong with them should be said now, and not at the first prediction.
            correct_prevalence(np.eye(len(classes)), line, study, classes=classes)
        # All at once, so that a fit that fails leaves the last one as it was.
        self.estimator_, self.classes_, self.cost_matrix_ = estimator, classes, table
        self.prevalence_, self.study_ = line, study
        self.decisions_ = classes if table is None else table.columns.to_numpy()
        return self

    @property
    def n_features_in_(self) -> int:
        """Number of features that the estimator saw."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> npt.NDArray[Any]:
        """Names of the features that the estimator saw."""
        return self.estimator_.feature_names_in_

    def predict_proba(self, X: Matrix) -> npt.NDArray[np.float64]:
        """Predict class probabilities, converted to the line if there is a `prevalence`.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
            Features, in any form that the estimator takes.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities of the classes (not of the decisions), in the order of ``classes_``.
        """
        check_is_fitted(self)
        proba = check_proba(self.estimator_.predict_proba(X), self.classes_)
        if self.prevalence_ is None or self.study_ is None:
            return proba
        return correct_prevalence(proba, self.prevalence_, self.study_, classes=self.classes_)

    def predict(self, X: Matrix) -> npt.NDArray[Any]:
        """Predict the decision of least expected cost or, without costs, the most probable class.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
            Features, in any form that the estimator takes.

        Returns
        -------
        ndarray of shape (n_samples,)
            Entries of ``decisions_``.
        """
        proba = self.predict_proba(X)
        if self.cost_matrix_ is None:
            return self.classes_[proba.argmax(axis=1)]
        return self.decisions_[
            cheapest_columns(proba, self.cost_matrix_.iloc[: len(self.classes_)])
        ]

    def score(self, X: Matrix, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute minus the mean cost per part; without a cost matrix, the accuracy.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
            Features, in any form that the estimator takes.
        y : array-like of shape (n_samples,)
            True classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the parts. They are not derived from `prevalence`: pass
            ``prevalence_weights(y, prevalence)`` if these parts do not have the shares of the line.

        Returns
        -------
        float
            Larger is better.
        """
        if self.cost_matrix_ is None:
            return super().score(X, y, sample_weight)
        return -cost_score(y, self.predict(X), self.cost_matrix_, sample_weight=sample_weight)


def _with_absent(classes, named):
    """The classes, and after them those that a table names although no part is of them."""
    named = [] if named is None else named
    absent = [named[place] for place in np.flatnonzero(find(named, classes.tolist()) < 0)]
    if not absent:
        return classes
    if classes.dtype.kind in "iuf":
        # A file has the string "3" where the classes are numbers.
        with suppress(TypeError, ValueError):
            absent = np.array(absent).astype(classes.dtype).tolist()
    every = np.empty(len(classes) + len(absent), dtype=object)
    every[:] = [*classes.tolist(), *absent]
    return every


def _line_of(prevalence, classes):
    """Shares of the line, in the order of the classes and without those that have no part."""
    shares = labelled_shares(prevalence, "prevalence")
    every = shares_of(shares, _with_absent(classes, list(shares.index)), "prevalence")
    line, absent = every.iloc[: len(classes)], every.iloc[len(classes) :]
    if absent.any():
        warnings.warn(
            f"The line makes {listed(absent.index[absent > 0])}, of which the training data have "
            "no part: the probability of these classes is 0, and the others have the whole line.",
            UserWarning,
            stacklevel=3,
        )
    return shares_of(line, classes, "prevalence")
