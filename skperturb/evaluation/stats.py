"""Tests and intervals for the difference between two classifiers."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["CorrectedTTest", "corrected_paired_ttest"]


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
