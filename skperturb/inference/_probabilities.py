"""Intervals of predicted probabilities, by the delta method on the scale of the log odds."""

import numpy as np
from scipy.special import expit, logsumexp

from .._data import check_features
from ._covariance import covariance_of

_ELEMENTS = 1 << 20  # numbers held at once for a block of rows


def predict_proba_interval(fit, X, cov, groups, confidence):
    """See :meth:`PredictionInference.predict_proba_interval`."""
    clf, objective = fit.clf, fit.objective
    X = check_features(clf, X)
    covariance = covariance_of(fit, cov, groups)
    times, n, K = covariance.quantile(confidence), X.shape[0], len(clf.classes_)
    low, high = np.empty((n, K)), np.empty((n, K))
    step = max(1, _ELEMENTS // (K * objective.n_parameters))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        design = objective.rows.dense_of(X[rows])
        low[rows], high[rows] = _of_rows(fit, design, covariance, times)
    return low, high


@np.errstate(all="ignore")
def _of_rows(fit, design, covariance, times):
    """Ends of the intervals, each (n, K), for rows with the intercept's 1."""
    objective = fit.objective
    constraint, kernel = objective.constraint, objective.loss.kernel
    scores = design @ constraint.expand(fit.free.reshape(objective.shape)).T
    log_p, classes = kernel.log_proba(scores), range(scores.shape[1])
    slopes = [kernel.log_likelihood(scores, np.full(len(scores), i))[1] for i in classes]
    ends = np.empty((2, *scores.shape))
    for i in classes:
        others = [j for j in classes if j != i]
        log_rest = logsumexp(log_p[:, others], axis=1)
        # Of log(1 - p), the mean of the slopes of the others: no digits are lost where p is 1.
        slope = slopes[i].copy()
        for j in others:
            slope -= np.exp(log_p[:, j] - log_rest)[:, None] * slopes[j]
        free = constraint.restrict(slope.T).T[:, :, None] * design[:, None, :]
        half = times * covariance.std_err(free.reshape(len(design), -1))
        log_odds = log_p[:, i] - log_rest
        # A probability that is 0 or 1 even as a logarithm has no other neighbour.
        half = np.where(np.isfinite(log_odds + half), half, 0.0)
        ends[:, :, i] = expit(log_odds - half), expit(log_odds + half)
    return ends
