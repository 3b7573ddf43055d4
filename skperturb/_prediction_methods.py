"""Predictions of a linear classifier from its coefficients and its probability model."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ._array_api import like_input
from ._data import Features, check_features
from ._linear import linear_scores


class PredictionMethods:
    """Scores, classes and probabilities; `coef_` as an array or as a sparse matrix."""

    classes_: NDArray
    coef_: Any  # an array, or a sparse matrix after sparsify
    intercept_: NDArray
    model_: Any

    @like_input
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
        X = check_features(self, X)
        scores = linear_scores(X, self.coef_, self.intercept_)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    @like_input
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

    @like_input
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

    @like_input
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

    def sparsify(self) -> Self:
        """Convert `coef_` to a sparse matrix, which saves memory where most of it is zero.

        Predictions stay the same. Call it after `fit`; another fit makes `coef_` dense again.

        Returns
        -------
        self : object
            The classifier.
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Convert `coef_` back to an array.

        Returns
        -------
        self : object
            The classifier.
        """
        check_is_fitted(self)
        if sparse.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self


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
