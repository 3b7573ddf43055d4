"""Do the probabilities hold what they promise? Reliability, calibration error, class counts, D2.

All functions take labels `y_true`, probabilities `proba` with a column for each class, and the
labels of the columns, `classes`. They raise a ValueError if these do not match or if a row of
`proba` is no distribution.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d

from ._deprecation import renamed_argument
from ._input import check_confidence, check_proba, check_weight, column_names
from ._labels import codes_of, listed, without_doubles
from ._scores import brier, log_loss
from ._stats import wilson

# Calibration errors that differ by no more are equal: counts are discrete, so that ties are common.
TIE = 1e-12


@renamed_argument("y", "y_true")
def reliability(
    y_true: ArrayLike,
    proba: ArrayLike,
    classes: ArrayLike | None = None,
    *,
    n_bins: int = 10,
    strategy: str = "quantile",
    sample_weight: ArrayLike | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare observed with predicted shares, for each class against the rest.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; each row sums to one within 1e-6. The columns of a DataFrame are
        matched to the classes by name.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`. None for the column names or, if there are none, for the
        sorted labels that occur in `y_true`.
    n_bins : int, default=10
        Number of bins of each class, at least 1.
    strategy : {"quantile", "uniform"}, default="quantile"
        Whether the bins have equal weight, as far as ties allow, or equal width.
    sample_weight : array-like of shape (n_samples,), default=None
        Importance of the rows, not negative and at least one positive; None for equal weights.
    confidence : float, default=0.95
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    DataFrame
        One row per class and bin that is not empty, with the columns class; bin, counted from 0;
        low and high, the edges of the bin, of which low belongs to the bin below; n, the weight
        of the rows in the bin; mean_predicted; observed, the share of the class; ci_low and
        ci_high, Wilson's interval of that share. Weights enter the interval as Kish's effective
        number of rows, (sum of weights)^2 / sum of squared weights: a weight of 2 does not make
        two parts.

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
    >>> from skperturb.evaluation import reliability
    >>> y_true = ["pass", "pass", "scrap", "scrap"]
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.7, 0.3], [0.2, 0.8]]
    >>> table = reliability(y_true, proba, n_bins=2, strategy="uniform").round(2)
    >>> print(table.drop(columns=["low", "high"]).to_string(index=False))
    class  bin   n  mean_predicted  observed  ci_low  ci_high
     pass    0 1.0            0.20      0.00    0.00     0.79
     pass    1 3.0            0.83      0.67    0.21     0.94
    scrap    0 3.0            0.17      0.33    0.06     0.79
    scrap    1 1.0            0.80      1.00    0.21     1.00
    """
    check_confidence(confidence)
    codes, p, labels, weight = _check_input(y_true, proba, classes, sample_weight)
    tables = []
    for k, label in enumerate(labels):
        bins, edges = _bins(p[:, k], weight, n_bins, strategy)
        n, squares, predicted, hits = (
            np.bincount(bins, values, minlength=n_bins)
            for values in (weight, weight**2, weight * p[:, k], weight * (codes == k))
        )
        full = np.flatnonzero(n)
        n, observed = n[full], hits[full] / n[full]
        interval = wilson(observed, n**2 / squares[full], confidence)
        table = {
            "class": label,
            "bin": full,
            "low": edges[full],
            "high": edges[full + 1],
            "n": n,
            "mean_predicted": predicted[full] / n,
            "observed": observed,
            "ci_low": interval.low,
            "ci_high": interval.high,
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


@renamed_argument("y", "y_true")
def calibration_error(
    y_true: ArrayLike,
    proba: ArrayLike,
    classes: ArrayLike | None = None,
    *,
    n_bins: int = 10,
    strategy: str = "quantile",
    n_resamples: int = 200,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    """Compare the expected calibration error with that of perfect probabilities.

    The error is the distance between the observed share and the mean prediction of a bin, averaged
    over the rows. It is biased upwards: even perfect probabilities show an error, which grows
    with fewer rows and more bins. Therefore labels are drawn from the predicted probabilities,
    which are perfect for these labels by construction, and the error of the true labels is
    compared with the errors of the drawn labels (consistency resampling).

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; each row sums to one within 1e-6. The columns of a DataFrame are
        matched to the classes by name.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`. None for the column names or, if there are none, for the
        sorted labels that occur in `y_true`.
    n_bins : int, default=10
        Number of bins, at least 1.
    strategy : {"quantile", "uniform"}, default="quantile"
        Whether the bins have equal mass, which suits rare classes too, or equal width, as in much
        of the literature. The same bins are used for the drawn labels.
    n_resamples : int, default=200
        How often labels are drawn, at least 1.
    random_state : int, RandomState or None, default=0
        Seed or source of the drawn labels.

    Returns
    -------
    DataFrame
        One row per class against the rest, and a last one, "top label", for the most probable
        class and its probability. The columns are class; ece, between 0 and 1;
        expected_if_perfect and q95_if_perfect, the mean and the 95 % quantile of the error over
        the drawn labels; p_value, (1 + number of draws with at least this error) /
        (1 + n_resamples).

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
    >>> from skperturb.evaluation import calibration_error
    >>> X, y = make_moons(1000, noise=0.3, random_state=0)
    >>> model = GaussianNB().fit(X[:500], y[:500])
    >>> table = calibration_error(y[500:], model.predict_proba(X[500:])).round(2)
    >>> table[["class", "ece", "expected_if_perfect"]]
           class   ece  expected_if_perfect
    0          0  0.06                 0.03
    1          1  0.06                 0.03
    2  top label  0.06                 0.03
    """
    codes, p, labels, weight = _check_input(y_true, proba, classes)
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples!r}.")
    n, K = p.shape
    rows, top = np.arange(n), p.argmax(axis=1)
    predicted = np.column_stack([p, p[rows, top]])
    # Cells: the bins of the classes and of the top label, numbered through.
    cells = np.column_stack([_bins(column, weight, n_bins, strategy)[0] for column in predicted.T])
    cells += n_bins * np.arange(K + 1)
    size = (K + 1) * n_bins
    expected = np.bincount(cells.ravel(), predicted.ravel(), minlength=size)

    def ece(codes):
        """Error of each class and of the top label, from one count of the rows by cell."""
        hits = np.concatenate([cells[rows, codes], cells[codes == top, K]])
        gaps = np.abs(np.bincount(hits, minlength=size) - expected)
        return gaps.reshape(K + 1, n_bins).sum(axis=1) / n

    rng = check_random_state(random_state)
    inner = p.cumsum(axis=1)[:, :-1]
    perfect = np.array(
        [
            ece((rng.random_sample(n)[:, None] >= inner).sum(axis=1))  # draws by the inverse CDF
            for _ in range(n_resamples)
        ]
    )
    observed = ece(codes)
    reached = (perfect >= observed - TIE).sum(axis=0)
    return pd.DataFrame(
        {
            "class": [*labels, "top label"],
            "ece": observed,
            "expected_if_perfect": perfect.mean(axis=0),
            "q95_if_perfect": np.quantile(perfect, 0.95, axis=0),
            "p_value": (1 + reached) / (1 + n_resamples),
        }
    )


@renamed_argument("y", "y_true")
def class_counts(
    y_true: ArrayLike, proba: ArrayLike, classes: ArrayLike | None = None
) -> pd.DataFrame:
    """Compare the number of rows of each class with the number that the probabilities promise.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; each row sums to one within 1e-6. The columns of a DataFrame are
        matched to the classes by name.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`. None for the column names or, if there are none, for the
        sorted labels that occur in `y_true`.

    Returns
    -------
    DataFrame
        One row per class, with the columns class; observed, the number of its rows; expected, the
        sum of its probabilities; std_err, sqrt(sum p (1 - p)), the standard deviation of the
        count if the probabilities are true and the rows independent (the count is then
        Poisson-binomial); z, the difference in standard deviations; p_value, two-sided, from the
        normal limit. In z, the mean of p (1 - p) counts as 2e-16 if it is smaller. Therefore z is
        finite even where all predictions are sure.

    Raises
    ------
    ValueError
        If the arguments do not match.

    Examples
    --------
    >>> from skperturb.evaluation import class_counts
    >>> class_counts(["scrap"] + 3 * ["pass"], [[0.5, 0.5]] * 4).round(2)
       class  observed  expected  std_err    z  p_value
    0   pass         3       2.0      1.0  1.0     0.32
    1  scrap         1       2.0      1.0 -1.0     0.32
    """
    codes, p, labels, _ = _check_input(y_true, proba, classes)
    n, K = p.shape
    observed, expected = np.bincount(codes, minlength=K), p.sum(axis=0)
    variance = (p * (1 - p)).sum(axis=0)
    z = (observed - expected) / np.sqrt(np.maximum(variance, n * np.finfo(float).eps))
    return pd.DataFrame(
        {
            "class": labels,
            "observed": observed,
            "expected": expected,
            "std_err": np.sqrt(variance),
            "z": z,
            "p_value": 2 * stats.norm.sf(np.abs(z)),
        }
    )


@renamed_argument("y", "y_true")
def d2_log_loss(
    y_true: ArrayLike,
    proba: ArrayLike,
    classes: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Compute the share of the log loss of the class frequencies that the model removes.

    The result is 1 - log loss / log loss of a model that gives every row the class frequencies of
    `y_true`. It is 1 for perfect probabilities and 0 for those that are no better than the
    frequencies; there is no lower bound. As in scikit-learn's ``d2_log_loss_score``, a probability
    counts as 2e-16 if it is smaller. Unlike there, the columns may be in any order. If `y_true`
    has a single class, the frequencies are perfect: the result is 1 if the model is perfect as
    well and 0 otherwise, as in ``r2_score``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; each row sums to one within 1e-6. The columns of a DataFrame are
        matched to the classes by name.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`. None for the column names or, if there are none, for the
        sorted labels that occur in `y_true`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, also in the frequencies; None for equal weights.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    ValueError
        If the arguments do not match, or are out of their range.

    Examples
    --------
    >>> from skperturb.evaluation import d2_log_loss
    >>> round(d2_log_loss([0, 0, 1, 1], [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]]), 3)
    0.569
    """
    return _d2(log_loss, y_true, proba, classes, sample_weight)


@renamed_argument("y", "y_true")
def d2_brier(
    y_true: ArrayLike,
    proba: ArrayLike,
    classes: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Compute the share of the Brier score of the class frequencies that the model removes.

    The result is 1 - Brier score / Brier score of the class frequencies, also known as the Brier
    skill score. The Brier score is the squared distance to the truth, summed over the classes.
    Some authors halve it for two classes; the result is the same. In all else the function is
    like :func:`d2_log_loss`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; each row sums to one within 1e-6. The columns of a DataFrame are
        matched to the classes by name.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns of `proba`. None for the column names or, if there are none, for the
        sorted labels that occur in `y_true`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, also in the frequencies; None for equal weights.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    ValueError
        If the arguments do not match, or are out of their range.

    Examples
    --------
    >>> from skperturb.evaluation import d2_brier
    >>> round(d2_brier([0, 0, 1, 1], [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]]), 3)
    0.7
    """
    return _d2(brier, y_true, proba, classes, sample_weight)


def _d2(loss, y_true, proba, classes, sample_weight):
    codes, proba, _, weight = _check_input(y_true, proba, classes, sample_weight)
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


def _check_input(y_true, proba, classes, sample_weight=None):
    """Columns of the labels, probabilities, classes and weights: rows without weight are left out.

    The column names of a table are the classes, if nobody says otherwise.
    """
    y_true = column_or_1d(y_true)
    if np.ndim(proba) != 2:
        raise ValueError(f"proba must have shape (n_samples, n_classes), got {np.shape(proba)}.")
    check_consistent_length(y_true, proba, sample_weight)
    if not len(y_true):
        raise ValueError("y_true and proba have no rows.")
    if pd.isna(y_true).any():
        raise ValueError("y_true has missing labels: leave those rows out.")
    if classes is None:
        classes = column_names(proba)
    if classes is None:
        classes = np.unique(y_true)
        if len(classes) != np.shape(proba)[1]:
            raise ValueError(
                f"proba has {np.shape(proba)[1]} columns, but y_true has {len(classes)} different "
                f"labels: {listed(classes)}. Pass the labels of the columns as classes."
            )
    classes = without_doubles(np.asarray(column_or_1d(classes)).tolist(), "classes")
    proba = check_proba(proba, classes)
    codes = codes_of(y_true, classes, "y_true", "classes")
    weight = check_weight(sample_weight, len(y_true))
    used = weight > 0
    # Rounding may lift a sure prediction above one, where p (1 - p) is negative.
    return codes[used], np.clip(proba[used], 0, 1), classes, weight[used]
