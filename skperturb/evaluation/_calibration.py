"""Do the probabilities hold what they promise? Reliability, calibration error, class counts, D2.

All functions take labels `y`, probabilities `proba` with a column for each class, and the
labels of the columns, `classes`, which may be left out if `y` has them all and the columns are
sorted. They raise a ValueError if these do not match or a row of `proba` is no distribution.
"""

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d

from ._stats import wilson

__all__ = ["calibration_error", "class_counts", "d2_brier", "d2_log_loss", "reliability"]


def reliability(y, proba, classes=None, *, n_bins=10, strategy="quantile", sample_weight=None):
    """Observed shares beside the predicted ones, class by class against the rest.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    proba : array-like of shape (n_samples, n_classes)
        Probabilities; each row sums to one within 1e-6.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`; None for the sorted labels of `y`.
    n_bins : int, default=10
        Bins of each class, at least 1.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal weight, as far as ties allow, or of equal width.
    sample_weight : array-like of shape (n_samples,), default=None
        Importance of the rows; None for ones.

    Returns
    -------
    DataFrame
        One row per class and bin that is not empty: class; bin, counted from 0; low and high,
        its edges, of which low belongs to the bin below; n, the weight in it; mean_predicted;
        observed, the share of the class; ci_low and ci_high, the 95 % Wilson interval of that
        share. Weights enter the interval as Kish's effective number of rows,
        (sum of weights)^2 / sum of squared weights: a weight of 2 does not make two parts.

    Raises
    ------
    ValueError
        If the arguments do not match, or are out of their range.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927).

    Examples
    --------
    >>> from skperturb.evaluation.calibration import reliability
    >>> y = ["pass", "pass", "scrap", "scrap"]
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.7, 0.3], [0.2, 0.8]]
    >>> table = reliability(y, proba, n_bins=2, strategy="uniform").round(2)
    >>> print(table.drop(columns=["low", "high"]).to_string(index=False))
    class  bin   n  mean_predicted  observed  ci_low  ci_high
     pass    0 1.0            0.20      0.00    0.00     0.79
     pass    1 3.0            0.83      0.67    0.21     0.94
    scrap    0 3.0            0.17      0.33    0.06     0.79
    scrap    1 1.0            0.80      1.00    0.21     1.00
    """
    codes, proba, classes, weight = _check_input(y, proba, classes, sample_weight)
    tables = []
    for k, label in enumerate(classes):
        bins, edges = _bins(proba[:, k], weight, n_bins, strategy)
        n, squares, predicted, hits = (
            np.bincount(bins, values, minlength=n_bins)
            for values in (weight, weight**2, weight * proba[:, k], weight * (codes == k))
        )
        full = np.flatnonzero(n)
        n, observed = n[full], hits[full] / n[full]
        low, high = wilson(observed, n**2 / squares[full])
        table = {
            "class": label,
            "bin": full,
            "low": edges[full],
            "high": edges[full + 1],
            "n": n,
            "mean_predicted": predicted[full] / n,
            "observed": observed,
            "ci_low": low,
            "ci_high": high,
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def calibration_error(
    y, proba, classes=None, *, n_bins=10, strategy="quantile", n_resamples=200, random_state=0
):
    """Expected calibration error beside that of a perfect model with the same probabilities.

    The error is the distance between observed share and mean prediction of a bin, averaged over
    the rows. It is biased up: a perfect model of few rows shows a large one, the larger the more
    bins. So labels are drawn from the predicted probabilities, which makes these perfect by
    construction, and the error of the true labels is held against that of the drawn ones
    (consistency resampling).

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    proba : array-like of shape (n_samples, n_classes)
        Probabilities; each row sums to one within 1e-6.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`; None for the sorted labels of `y`.
    n_bins : int, default=10
        Bins, at least 1.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal mass, which serve rare classes too, or of equal width, as in much of the
        literature. The same bins are used for the drawn labels.
    n_resamples : int, default=200
        How often labels are drawn, at least 1.
    random_state : int, RandomState or None, default=0
        Source of the drawn labels.

    Returns
    -------
    DataFrame
        One row per class against the rest, and a last one, "top label", for the most probable
        class and its probability (the confidence): class; ece, between 0 and 1;
        expected_if_perfect and q95_if_perfect, mean and 95 % quantile over the drawn labels;
        p_value, (1 + number of draws with at least this error) / (1 + n_resamples).

    Raises
    ------
    ValueError
        If the arguments do not match, or are out of their range.

    References
    ----------
    J. Broecker and L. A. Smith, "Increasing the reliability of reliability diagrams", Weather
    and Forecasting 22 (2007); J. Vaicenavicius et al., "Evaluating model calibration in
    classification", AISTATS (2019).

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skperturb.evaluation.calibration import calibration_error
    >>> X, y = make_moons(1000, noise=0.3, random_state=0)
    >>> model = GaussianNB().fit(X[:500], y[:500])
    >>> table = calibration_error(y[500:], model.predict_proba(X[500:])).round(2)
    >>> table[["class", "ece", "expected_if_perfect"]]
           class   ece  expected_if_perfect
    0          0  0.06                 0.03
    1          1  0.06                 0.03
    2  top label  0.06                 0.03
    """
    codes, proba, classes, weight = _check_input(y, proba, classes)
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples!r}.")
    n, K = proba.shape
    rows, top = np.arange(n), proba.argmax(axis=1)
    predicted = np.column_stack([proba, proba[rows, top]])
    # Cells: the bins of the classes and of the top label, numbered through.
    cells = np.column_stack([_bins(p, weight, n_bins, strategy)[0] for p in predicted.T])
    cells += n_bins * np.arange(K + 1)
    size = (K + 1) * n_bins
    expected = np.bincount(cells.ravel(), predicted.ravel(), minlength=size)

    def ece(codes):
        """Error of each class and of the top label, from one count of the rows by cell."""
        hits = np.concatenate([cells[rows, codes], cells[codes == top, K]])
        gaps = np.abs(np.bincount(hits, minlength=size) - expected)
        return gaps.reshape(K + 1, n_bins).sum(axis=1) / n

    rng = check_random_state(random_state)
    inner = proba.cumsum(axis=1)[:, :-1]
    perfect = np.array(
        [
            ece((rng.random_sample(n)[:, None] >= inner).sum(axis=1))  # draws by the inverse CDF
            for _ in range(n_resamples)
        ]
    )
    observed = ece(codes)
    # Counts are discrete: ties are common, and rounding must not break them.
    reached = (perfect >= observed - 1e-12).sum(axis=0)
    return pd.DataFrame(
        {
            "class": [*classes, "top label"],
            "ece": observed,
            "expected_if_perfect": perfect.mean(axis=0),
            "q95_if_perfect": np.quantile(perfect, 0.95, axis=0),
            "p_value": (1 + reached) / (1 + n_resamples),
        }
    )


def class_counts(y, proba, classes=None):
    """Rows of each class beside the number that the probabilities promise.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    proba : array-like of shape (n_samples, n_classes)
        Probabilities; each row sums to one within 1e-6.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`; None for the sorted labels of `y`.

    Returns
    -------
    DataFrame
        One row per class: class; observed, its rows; expected, the sum of its probabilities;
        std_err, sqrt(sum p (1 - p)), the standard deviation of the count if the probabilities
        are true and the rows independent (it is Poisson-binomial then); z; p_value, two-sided,
        from the normal limit. In z the mean of p (1 - p) counts as 2e-16 if it is smaller, so
        that z is finite for sure predictions.

    Raises
    ------
    ValueError
        If the arguments do not match.

    Examples
    --------
    >>> from skperturb.evaluation.calibration import class_counts
    >>> class_counts(["scrap"] + 3 * ["pass"], [[0.5, 0.5]] * 4).round(2)
       class  observed  expected  std_err    z  p_value
    0   pass         3       2.0      1.0  1.0     0.32
    1  scrap         1       2.0      1.0 -1.0     0.32
    """
    codes, proba, classes, _ = _check_input(y, proba, classes)
    n, K = proba.shape
    observed, expected = np.bincount(codes, minlength=K), proba.sum(axis=0)
    variance = (proba * (1 - proba)).sum(axis=0)
    z = (observed - expected) / np.sqrt(np.maximum(variance, n * np.finfo(float).eps))
    return pd.DataFrame(
        {
            "class": classes,
            "observed": observed,
            "expected": expected,
            "std_err": np.sqrt(variance),
            "z": z,
            "p_value": 2 * stats.norm.sf(np.abs(z)),
        }
    )


def d2_log_loss(y, proba, classes=None, sample_weight=None):
    """Share of the log loss of the class frequencies that the model takes away.

    1 - log loss / log loss of a model that gives every row the frequencies of `y`: 1 is
    perfect, 0 no better than the frequencies, and there is no lower bound. As in scikit-learn's
    ``d2_log_loss_score``, a probability counts as 2e-16 if it is smaller; beyond it, the columns
    may be in any order. If `y` has a single class, the frequencies are perfect: 1 if the model
    is too, 0 otherwise, as in ``r2_score``.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    proba : array-like of shape (n_samples, n_classes)
        Probabilities; each row sums to one within 1e-6.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`; None for the sorted labels of `y`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, in the frequencies too; None for ones.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the arguments do not match, or are out of their range.

    Examples
    --------
    >>> from skperturb.evaluation.calibration import d2_log_loss
    >>> round(d2_log_loss([0, 0, 1, 1], [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]]), 3)
    0.569
    """

    def loss(proba, codes):
        own = proba[np.arange(len(codes)), codes]
        return -np.log(np.maximum(own, np.finfo(float).eps))

    return _d2(loss, y, proba, classes, sample_weight)


def d2_brier(y, proba, classes=None, sample_weight=None):
    """Share of the Brier score of the class frequencies that the model takes away.

    1 - Brier score / Brier score of the frequencies, also known as the Brier skill score. The
    score is the squared distance to the truth summed over the classes; that some halve it for
    two classes drops out of the ratio. The rest is as in :func:`d2_log_loss`.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    proba : array-like of shape (n_samples, n_classes)
        Probabilities; each row sums to one within 1e-6.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`; None for the sorted labels of `y`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, in the frequencies too; None for ones.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the arguments do not match, or are out of their range.

    Examples
    --------
    >>> from skperturb.evaluation.calibration import d2_brier
    >>> round(d2_brier([0, 0, 1, 1], [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]]), 3)
    0.7
    """

    def loss(proba, codes):
        return ((proba - np.eye(proba.shape[1])[codes]) ** 2).sum(axis=1)

    return _d2(loss, y, proba, classes, sample_weight)


def _d2(loss, y, proba, classes, sample_weight):
    codes, proba, _, weight = _check_input(y, proba, classes, sample_weight)
    counts = np.bincount(codes, weight, minlength=proba.shape[1])
    share = np.broadcast_to(counts / counts.sum(), proba.shape)
    model, null = (float(weight @ loss(p, codes)) for p in (proba, share))
    if null == 0:
        return float(model == 0)
    return 1 - model / null


def _bins(p, weight, n_bins, strategy):
    """Bin of each row, and the n_bins + 1 edges; a value on an edge is in the bin below."""
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins!r}.")
    if strategy == "uniform":
        edges = np.linspace(0, 1, n_bins + 1)
    elif strategy == "quantile":
        # Inverse of the weighted CDF: edges are values of p, and weights equal repetition.
        order = p.argsort()
        mass = weight[order].cumsum()
        edges = p[order][np.searchsorted(mass, np.linspace(0, mass[-1], n_bins + 1))]
    else:
        raise ValueError(f"strategy must be 'quantile' or 'uniform', got {strategy!r}.")
    return np.searchsorted(edges[1:-1], p), edges


def _check_input(y, proba, classes, sample_weight=None):
    """Columns of the labels, probabilities, classes (an Index) and weights, all positive."""
    y, proba = column_or_1d(y), np.asarray(proba, dtype=float)
    if proba.ndim != 2:
        raise ValueError(f"proba must have shape (n_samples, n_classes), got {proba.shape}.")
    check_consistent_length(y, proba, sample_weight)
    if not len(y):
        raise ValueError("y and proba have no rows.")
    if pd.isna(y).any():
        raise ValueError("y has missing labels.")
    # A negative entry turns its row's sum to NaN, which like infinity fails the comparison.
    good = np.abs(np.where(proba >= 0, proba, np.nan).sum(axis=1) - 1) <= 1e-6
    if not good.all():
        raise ValueError(
            "Rows of proba must be finite, not negative, and sum to one within 1e-6: row "
            f"{good.argmin()} is not."
        )
    labels = pd.Index(np.unique(y) if classes is None else column_or_1d(classes))
    if len(labels) != proba.shape[1]:
        source = "y (pass classes if it lacks some)" if classes is None else "classes"
        raise ValueError(
            f"The number of columns of proba, {proba.shape[1]}, must be that of the labels in "
            f"{source}, got {len(labels)}."
        )
    if not labels.is_unique:
        raise ValueError("classes has a label twice.")
    codes = labels.get_indexer(y)
    if (codes < 0).any():
        raise ValueError(f"y has the label {y[codes.argmin()]!s}, which is not in classes.")
    weight = np.ones(len(y)) if sample_weight is None else column_or_1d(sample_weight)
    weight = weight.astype(float)
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise ValueError("sample_weight must be finite, not negative, and not all zero.")
    used = weight > 0
    # Rounding may lift a sure prediction above one, where p (1 - p) is negative.
    return codes[used], np.minimum(proba[used], 1), labels, weight[used]
