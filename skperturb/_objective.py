"""The function that a fit minimises: data, kernel, penalty and constraint put together.

With weights s_i, the objective of LogisticRegression divided by C * sum(s):

    sum_i s_i * (-log p_{y_i}(theta_i)) / sum(s)  +  |coef|^2 / (2 C sum(s)),   intercept free,

over a flat vector of the free parameters; each class has n_features coefficients, then the
intercept if there is one.
"""

import numpy as np


class LinearObjective:
    """Value and gradient in the free parameters.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,), int
        Class indices.
    weight : ndarray of shape (n_samples,)
        Sample weights, not negative, not all zero.
    kernel : object with the methods of :mod:`skperturb._kernel`
    constraint : object of :mod:`skperturb._constraints`
    C : float
        Inverse strength of the penalty; inf for none.
    fit_intercept : bool
    """

    def __init__(self, X, y, weight, *, kernel, constraint, C, fit_intercept):
        # Rows of weight zero count for nothing and need not be computed.
        if not weight.all():
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        self._X, self._y = X, y
        total = weight.sum()
        self._weight = weight / total
        self._ridge = 1 / (C * total)
        self._kernel, self._constraint = kernel, constraint
        self._n_features = X.shape[1]
        self.shape = constraint.n_free, X.shape[1] + int(fit_intercept)

    def coefficients(self, free):
        """Coefficients (K, n_features) and intercept (K,) of a vector of free parameters."""
        full = self._constraint.expand(free.reshape(self.shape))
        coef, rest = full[:, : self._n_features], full[:, self._n_features :]
        return coef, rest[:, 0] if rest.size else np.zeros(len(full))

    def __call__(self, free):
        """Value (float) and gradient (like `free`)."""
        coef, intercept = self.coefficients(free)
        scores = linear_scores(self._X, coef, intercept)
        log_p, slope = self._kernel.log_likelihood(scores, self._y)
        slope *= -self._weight[:, None]
        gradient = np.empty((len(coef), self.shape[1]))
        gradient[:, : self._n_features] = (self._X.T @ slope.astype(self._X.dtype, copy=False)).T
        gradient[:, self._n_features :] = slope.sum(axis=0)[:, None]
        gradient = self._constraint.restrict(gradient)
        penalised = free.reshape(self.shape)[:, : self._n_features]
        gradient[:, : self._n_features] += self._ridge * penalised
        value = -self._weight @ log_p + 0.5 * self._ridge * np.sum(penalised**2)
        return value, gradient.ravel()


def linear_scores(X, coef, intercept):
    """Scores X @ coef.T + intercept in double precision; X itself is not copied.

    Raises
    ------
    ValueError
        If they overflow.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        product = X @ coef.T.astype(X.dtype, copy=False)
        scores = np.asarray(product, dtype=np.float64) + intercept
    if not np.isfinite(scores).all():
        raise ValueError(
            f"The scores overflow {X.dtype}: scale the features, for instance with StandardScaler."
        )
    return scores
