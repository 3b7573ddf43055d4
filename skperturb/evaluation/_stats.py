"""Tests and intervals for the difference between two classifiers."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = [
    "CorrectedTTest",
    "combined_ftest_5x2",
    "corrected_paired_ttest",
    "holm",
    "mean_interval",
    "parts_needed",
    "wilson",
]


@dataclass(frozen=True)
class CorrectedTTest:
    """Result of :func:`corrected_paired_ttest`.

    Attributes
    ----------
    mean : float
        Mean difference.
    se : float
        Its standard error, corrected for the overlap of the training sets.
    statistic : float
        mean / se.
    df : int
        Degrees of freedom of the t distribution.
    p_value : float
        Two-sided.
    ci_low, ci_high : float
        Ends of the confidence interval of the mean difference.
    prob_better : float
        Posterior probability that the difference exceeds `rope`.
    prob_equivalent : float
        Posterior probability that it lies within `rope` of zero; 0 without a rope.
    """

    mean: float
    se: float
    statistic: float
    df: int
    p_value: float
    ci_low: float
    ci_high: float
    prob_better: float
    prob_equivalent: float


def corrected_paired_ttest(differences, *, test_train_ratio, rope=None, confidence=0.95):
    """Nadeau and Bengio's corrected t test on the differences of a repeated K-fold.

    The training sets of the splits overlap, so that the differences are correlated and the
    plain t test is far too sure of itself. Here the variance of the mean of J differences is
    ``(1/J + test_train_ratio)`` times their variance, not ``1/J`` times.

    Parameters
    ----------
    differences : array-like of shape (n_differences,)
        One per split, two at least: candidate's score less baseline's, such that positive
        means the candidate is better.
    test_train_ratio : float
        Rows tested over rows trained on in a split: 1/(K-1) for K folds.
    rope : float, default=None
        Half-width of the region of practical equivalence, in the units of the differences.
        None for a region of no width.
    confidence : float, default=0.95
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    CorrectedTTest

    Raises
    ------
    ValueError
        If there are fewer than two differences, one is not finite, or a parameter is out of
        its range.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52
    (2003). The posterior is that of A. Benavoli et al., "Time for a change", JMLR 18 (2017).

    Examples
    --------
    >>> from skperturb.evaluation.stats import corrected_paired_ttest
    >>> test = corrected_paired_ttest([0.02, 0.01, 0.03, 0.0], test_train_ratio=1.0)
    >>> round(test.p_value, 3), round(test.ci_low, 3), round(test.ci_high, 3)
    (0.375, -0.031, 0.061)
    """
    differences = np.asarray(differences, dtype=float)
    if differences.ndim != 1 or len(differences) < 2:
        raise ValueError(
            "differences must be one-dimensional with at least two entries, got shape "
            f"{differences.shape}; run more folds or repeats."
        )
    if not np.isfinite(differences).all():
        raise ValueError("differences has entries that are not finite.")
    if not 0 < test_train_ratio < np.inf:
        raise ValueError(f"test_train_ratio must be positive, got {test_train_ratio!r}.")
    if rope is not None and not 0 <= rope < np.inf:
        raise ValueError(f"rope must be a finite half-width, not negative, got {rope!r}.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}.")

    rope = 0.0 if rope is None else rope
    n, mean = len(differences), float(differences.mean())
    spread = float(differences.std(ddof=1))
    # Equal differences: their spread is rounding, and the posterior is a point.
    if spread <= 4 * np.finfo(float).eps * np.abs(differences).max():
        spread = 0.0
    se = spread * float(np.sqrt(1 / n + test_train_ratio))

    def below(x):
        """Posterior probability that the mean difference is below x."""
        if se == 0:
            return 0.5 * (float(mean < x) + float(mean <= x))
        return float(stats.t.cdf((x - mean) / se, n - 1))

    if se > 0:
        statistic = mean / se
    else:
        statistic = float(np.copysign(np.inf, mean)) if mean else 0.0
    margin = se * float(stats.t.ppf((1 + confidence) / 2, n - 1))
    return CorrectedTTest(
        mean=mean,
        se=se,
        statistic=statistic,
        df=n - 1,
        p_value=float(2 * stats.t.sf(abs(statistic), n - 1)),
        ci_low=mean - margin,
        ci_high=mean + margin,
        prob_better=1 - below(rope),
        prob_equivalent=below(rope) - below(-rope) if rope > 0 else 0.0,
    )


def combined_ftest_5x2(differences):
    """Alpaydin's combined F test on the differences of five two-fold cross-validations.

    Cheaper than a repeated 10-fold, and of less power; see :func:`corrected_paired_ttest`.

    Parameters
    ----------
    differences : array-like of shape (5, 2)
        Candidate's score less baseline's, by repeat and fold.

    Returns
    -------
    statistic, p_value : float
        Against the F distribution with 10 and 5 degrees of freedom.

    Raises
    ------
    ValueError
        If the shape is another, or a difference not finite.

    References
    ----------
    E. Alpaydin, "Combined 5x2 cv F test", Neural Computation 11 (1999).

    Examples
    --------
    >>> from skperturb.evaluation.stats import combined_ftest_5x2
    >>> statistic, p_value = combined_ftest_5x2([[0.02, 0.01]] * 5)
    >>> round(statistic, 3), round(p_value, 3)
    (5.0, 0.045)
    """
    differences = np.asarray(differences, dtype=float)
    if differences.shape != (5, 2) or not np.isfinite(differences).all():
        raise ValueError(
            f"differences must be 5 x 2 finite numbers, got shape {differences.shape}."
        )
    spread = 2 * differences.var(axis=1).sum()
    squares = np.sum(differences**2)
    if spread == 0:
        statistic = np.inf if squares > 0 else 0.0
    else:
        statistic = float(squares / (2 * spread))
    return statistic, float(stats.f.sf(statistic, 10, 5))


def holm(p_values):
    """P-values adjusted for several comparisons, step-down (Holm 1979).

    Parameters
    ----------
    p_values : array-like of shape (n,)
        Between 0 and 1.

    Returns
    -------
    ndarray of shape (n,)
        If those up to 0.05 are called significant, the probability of a single false call is at
        most 0.05, however the comparisons depend on each other.

    Raises
    ------
    ValueError
        If one is not between 0 and 1.

    Examples
    --------
    >>> from skperturb.evaluation.stats import holm
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=float)
    if p_values.ndim != 1 or not np.all((p_values >= 0) & (p_values <= 1)):
        raise ValueError("p_values must be a list of numbers between 0 and 1.")
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def wilson(share, n, confidence=0.95):
    """Wilson's interval of a share observed in independent parts.

    Parameters
    ----------
    share : float or ndarray
        Observed, between 0 and 1.
    n : float or ndarray
        Number of parts, positive.
    confidence : float, default=0.95

    Returns
    -------
    low, high : float or ndarray
    """
    z = stats.norm.isf((1 - confidence) / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # The interval holds the share, rounding or not.
    return np.clip(middle - half, 0.0, share), np.clip(middle + half, share, 1.0)


def mean_interval(values, weight=None, groups=None, confidence=0.95):
    """Wald's interval of a mean, by lot where there are lots.

    Parameters
    ----------
    values : ndarray of shape (n,)
    weight : ndarray of shape (n,), default=None
        Not negative; None for equal weights.
    groups : array-like of shape (n,), default=None
        Lots: rows of one lot may depend on each other, lots do not.
    confidence : float, default=0.95

    Returns
    -------
    mean, low, high : float
        low and high are nan if there is one row or lot.
    """
    values = np.asarray(values, dtype=float)
    weight = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float)
    mean = np.average(values, weights=weight)
    parts = weight * (values - mean) / weight.sum()
    if groups is not None:
        parts = np.bincount(np.unique(groups, return_inverse=True)[1], parts)
    n = len(parts)
    if n < 2:
        return float(mean), np.nan, np.nan
    half = np.sqrt(n / (n - 1) * np.sum(parts**2)) * stats.t.isf((1 - confidence) / 2, n - 1)
    return float(mean), float(mean - half), float(mean + half)


def parts_needed(difference, se, n, *, df, power=0.8, confidence=0.95):
    """How many parts would settle a difference of this size, about.

    The standard error shrinks like 1 / sqrt(parts); the test is to call a true difference as large
    as the one observed with probability `power`.

    Parameters
    ----------
    difference, se : float
        Observed, with its (corrected) standard error.
    n : int
        Parts it was observed in.
    df : int
        Degrees of freedom of the t distribution.
    power, confidence : float, default=0.8, 0.95

    Returns
    -------
    float
        Parts in all; inf if no difference was observed.
    """
    if difference == 0:
        return np.inf
    reach = stats.t.isf((1 - confidence) / 2, df) + stats.t.ppf(power, df)
    return float(n * max((reach * se / difference) ** 2, 0.0))
