"""The interval of one probability of each part, from the saved covariance of the coefficients."""

import numpy as np
from scipy import sparse, stats
from scipy.special import expit

_ELEMENTS = 1 << 20  # numbers held at once for a block of rows


@np.errstate(all="ignore")
def interval_of(part, design, classes, ratio, covariance, df, confidence):
    """Ends of the interval of the probability of one class in each row, by the delta method.

    As ``predict_proba_interval``: on the scale of the log odds, where the interval is symmetric.

    Parameters
    ----------
    part : LinearPart
        Of one of our classifiers, fitted without a penalty.
    design : ndarray or sparse matrix of shape (n, n_design)
    classes : ndarray of shape (n,), int
        The class whose probability is meant.
    ratio : ndarray of shape (n_classes,)
        By which probabilities are multiplied before they are made to sum to one: the share of the
        class on the line by that in the study; ones if there is no such conversion.
    covariance : ndarray of shape (n_rows * (n_design + 1), same)
        Of the intercept and the coefficients of each class, or of the second of two.
    df : float
        Degrees of freedom of the t distribution; 0 stands for the normal distribution.
    confidence : float

    Returns
    -------
    ndarray of shape (n,), ndarray of shape (n,)
    """
    times = (stats.t(df) if df else stats.norm).ppf((1 + confidence) / 2)
    n, n_rows = len(classes), len(part.classifier.coef_)
    low, high = np.empty(n), np.empty(n)
    step = max(1, _ELEMENTS // len(covariance))
    model, coef = part.classifier.model_, part.coefficients()
    intercept = np.asarray(part.classifier.intercept_, dtype=float)
    intercept = np.append(0.0, intercept) if n_rows == 1 else intercept
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        block = design[rows]
        block = block.toarray() if sparse.issparse(block) else np.asarray(block, dtype=float)
        scores = block @ coef.T + intercept
        each, chosen = np.arange(len(rows)), classes[rows]
        proba = model.proba(scores) * ratio
        slopes = model.jacobian(scores) * ratio[:, None]  # of p_i by score j
        own, slope = proba[each, chosen], slopes[each, chosen]
        rest = proba.sum(axis=1) - own
        others = slopes.sum(axis=1) - slope
        gradient = slope / own[:, None] - others / rest[:, None]
        gradient = gradient[:, 1:] if n_rows == 1 else gradient
        wide = np.column_stack([np.ones(len(rows)), block])
        vectors = (gradient[:, :, None] * wide[:, None, :]).reshape(len(rows), -1)
        variance = ((vectors @ covariance) * vectors).sum(axis=1)
        odds, half = np.log(own / rest), times * np.sqrt(np.maximum(variance, 0.0))
        # A probability that is 0 or 1 to the last bit has no neighbour.
        half = np.where(np.isfinite(odds + half), half, 0.0)
        low[rows], high[rows] = expit(odds - half), expit(odds + half)
    return low, high
