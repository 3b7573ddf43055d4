"""Intervals of a mean cost, and of a rate, from the counts of what happened.

A cell is a class together with a decision about a part of it. The mean cost is a sum of costs
times the shares of the cells, and where one cell costs fifty times as much as the others, the
mean is as uncertain as the share of that one cell, of which there may be two parts, or none. An
interval from the spread of the costs that were seen fails there: it knows nothing of the dear
mistakes that did not happen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.utils import check_consistent_length, column_or_1d

from .._results import Record
from ._costs import CostMatrix, cost_table
from ._input import check_confidence, check_labels, check_weight
from ._labels import Shares, codes_of, shares_of
from ._stats import mean_interval

# A mistake is dear if it costs at least this share of what the dearest mistake costs, both above
# the best decision for the part.
DEAR = 0.5
# With more parts than so many for each event, a number of events is Poisson's to all digits.
POISSON = 1e9


@dataclass(frozen=True)
class CostInterval(Record):
    """Result of :func:`cost_interval`.

    Attributes
    ----------
    mean : float
        Mean cost per part, in the unit of the cost matrix.
    low, high : float
        Ends of its confidence interval; nan if there is only one lot, or only one part. They are
        equal if the decisions leave nothing to chance.
    dear_mistakes : float
        Number of parts on which a dear mistake was made: a decision that costs at least half as
        much as the dearest mistake of the cost matrix, both above the best decision for the part.
    known : bool
        Whether at least one dear mistake was seen, or none is possible with the decisions that
        were taken. If not, the study does not say how often dear mistakes happen, and the upper
        end of the interval is what no dear mistake in so many parts still allows.
    n_parts : int
        Number of parts.
    """

    mean: float
    low: float
    high: float
    dear_mistakes: float
    known: bool
    n_parts: int

    @property
    def note(self) -> str:
        """One or two sentences on the dear mistakes; the cost should not be printed without it."""
        if self.known:
            return f"{self.dear_mistakes:g} dear mistakes were made on {self.n_parts} parts."
        seen = (
            "No dear mistake was" if self.dear_mistakes == 0 else "Less than one dear mistake was"
        )
        return (
            f"{seen} made on {self.n_parts} parts, so that the cost is not known: the mean leaves "
            "out mistakes that the study was too small to show. Only the upper end of the "
            "interval allows for them."
        )


def cost_interval(
    y_true: ArrayLike,
    decisions: ArrayLike,
    cost_matrix: CostMatrix,
    *,
    sample_weight: ArrayLike | None = None,
    prevalence: Shares | None = None,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
) -> CostInterval:
    """Compute the mean cost per part with an interval that holds where dear mistakes are rare.

    The interval never leaves the range of the costs: it is not below zero if no cost is.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    decisions : array-like of shape (n_samples,)
        Labels of columns of the cost matrix.
    cost_matrix : DataFrame, dict of dicts or array of shape (n_classes, n_classes)
        Cost of each decision (columns) for each class (rows), see :func:`check_cost_matrix`. The
        rows of an array are the sorted labels that occur.
    sample_weight : array-like of shape (n_samples,), default=None
        Importance of the parts; None for equal weights.
    prevalence : dict or Series, default=None
        Share, count or rate of each class on the line, if the study has other shares. The numbers
        of parts of each class then count as chosen by whoever made the study, and the interval
        allows for chance within the classes only.
    groups : array-like of shape (n_samples,), default=None
        Lots: parts of one lot may depend on each other, different lots may not. None if all parts
        are independent.
    confidence : float, default=0.95
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    CostInterval
        The mean, the ends of its interval, and the number of dear mistakes.

    Raises
    ------
    ValueError
        If there are no rows, a label is not in the matrix, or an argument cannot be used.

    Notes
    -----
    What the parts cost above the cost that most of them have is a weighted sum of rare events. Its
    interval is that of Fay and Feuer, for numbers of events that are binomial: a scaled count with
    the same mean and variance, to which the upper end adds one event of the dearest kind. With a
    single kind of mistake it is the exact interval of Clopper and Pearson. What the parts cost
    below the cost of most of them has such an interval, too, and the two are combined like
    standard errors (Zou, Huang and Zhang). A decision that was never taken is supposed never to
    be taken.

    With lots, the number of parts is divided by the design effect (Korn and Graubard): the
    variance between lots, over that of independent parts. A mistake that was not seen is supposed
    to be spread over the lots like the parts of its class.

    References
    ----------
    M. P. Fay and E. J. Feuer, "Confidence intervals for directly standardized rates: a method
    based on the gamma distribution", Statistics in Medicine 16 (1997); G. Y. Zou, W. Huang and
    X. Zhang, "A note on confidence interval estimation for a linear function of binomial
    proportions", Computational Statistics and Data Analysis 53 (2009); E. L. Korn and B. I.
    Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", Survey Methodology 24 (1998).

    Examples
    --------
    >>> from skperturb.evaluation import cost_interval
    >>> y_true = ["dent"] * 10 + ["ok"] * 290
    >>> decisions = ["ok"] + ["dent"] * 29 + ["ok"] * 270
    >>> costs = {"dent": {"ok": 50, "dent": 0}, "ok": {"ok": 0, "dent": 1}}
    >>> interval = cost_interval(y_true, decisions, costs)
    >>> round(interval.mean, 2), round(interval.low, 2), round(interval.high, 2)
    (0.23, 0.03, 0.97)
    >>> cost_interval(y_true[1:], decisions[1:], costs).known
    False
    """
    check_confidence(confidence)
    check_consistent_length(y_true, decisions, sample_weight, groups)
    truth, taken = column_or_1d(y_true), column_or_1d(decisions)
    if len(truth) == 0:
        raise ValueError("y_true has no rows: there is no mean cost of no parts.")
    table = cost_table(cost_matrix, None, truth, taken)
    shares = None
    if prevalence is not None:
        shares = shares_of(prevalence, table.index, "prevalence").to_numpy()
    return interval_of_cells(
        codes_of(truth, table.index, "y_true"),
        codes_of(taken, table.columns, "decisions"),
        table.to_numpy(),
        weight=sample_weight,
        shares=shares,
        groups=None if groups is None else check_labels(groups, "groups"),
        confidence=confidence,
    )


def interval_of_cells(
    codes,
    decided,
    costs,
    *,
    weight=None,
    shares=None,
    groups=None,
    confidence=0.95,
    possible=None,
):
    """The interval of :func:`cost_interval`, of codes.

    codes (n,) are rows and decided (n,) or (n_repeats, n) columns of costs (K, D). With several
    repeats the mean is that of all, and the interval as wide as that of one. shares (K,) are the
    known shares of the classes. possible are the columns that may be taken, by default those that
    are.
    """
    decided = np.atleast_2d(decided)
    weight = check_weight(weight, len(codes))
    if shares is not None:
        weight = _with_shares(weight, codes, shares)
    used = weight > 0
    lots = np.arange(used.sum())
    if groups is not None:
        lots = np.unique(np.asarray(groups)[used], return_inverse=True)[1]
    codes, decided, weight = codes[used], decided[:, used], weight[used] / weight.sum()
    possible = np.unique(decided) if possible is None else possible
    mean = float(costs[codes, decided].mean(axis=0) @ weight)
    low = high = np.nan
    if lots.max():
        study = _Study(codes, weight, lots, len(costs), shares is not None, confidence)
        low, high = study.ends(mean, decided, costs, possible)
    mistakes, known = dear_mistakes(costs, codes, decided, possible)
    return CostInterval(
        mean=mean, low=low, high=high, dear_mistakes=mistakes, known=known, n_parts=len(codes)
    )


def dear_mistakes(costs, codes, decided, possible):
    """Number of dear mistakes a repeat, and whether that tells how often they happen.

    It does not if there is less than one, although the decisions that may be taken allow for some.
    """
    dear = dear_cells(costs)
    mistakes = float(dear[codes, decided].sum(axis=1).mean())
    return mistakes, bool(mistakes >= 1 or not dear[:, possible].any())


def interval_of_metric(metric, values, codes, decided, costs, *, shares=None, **options):
    """Ends of the interval of a metric's mean; nan where nothing varies, which is no measurement.

    values and decided are of shape (n_repeats, n); the other arguments are those of
    :func:`interval_of_cells`.
    """
    shares = None if shares is None else np.asarray(shares)
    if metric == "cost":
        interval = interval_of_cells(codes, decided, costs, shares=shares, **options)
        low, high = interval.low, interval.high
    elif metric == "accuracy":
        hits = np.tile([0.0, 1.0], (len(costs), 1))
        interval = interval_of_cells(
            codes, values.astype(int), hits, shares=shares, possible=np.arange(2), **options
        )
        low, high = interval.low, interval.high
    else:
        low, high = _interval_of_values(values, codes, shares, **options)
    return (low, high) if low < high else (np.nan, np.nan)


def _interval_of_values(values, codes, shares, *, weight, groups, confidence):
    """Wald's interval of values that are never negative, as wide as that of one repeat."""
    first = values[0] if shares is None else within_classes(values[0], codes, weight)
    interval = mean_interval(first, sample_weight=weight, groups=groups, confidence=confidence)
    shift = np.average(values.mean(axis=0), weights=weight) - interval.mean
    return max(interval.low + shift, 0.0), interval.high + shift


def dear_cells(costs):
    """Which classes (rows) and decisions (columns) are dear mistakes."""
    regret = costs - costs.min(axis=1, keepdims=True)
    return (regret >= DEAR * regret.max()) & (regret > 0)


def within_classes(values, codes, weight):
    """Values with the same weighted mean that spread as within the classes, for known shares.

    The interval of their mean is that of the stratified mean, of which the classes are the
    strata. A class of one part, whose spread nobody knows, keeps its distance from the mean.
    """
    n, total = np.bincount(codes), np.bincount(codes, weight)
    means = np.bincount(codes, weight * values) / np.where(total > 0, total, 1)
    overall = np.average(values, weights=weight)
    centre = np.where(n == 1, overall, means)[codes]
    spread = (values - centre) * np.sqrt(n / np.maximum(n - 1, 1))[codes]
    return overall + spread - np.average(spread, weights=weight)


def _with_shares(weight, codes, shares):
    """Weights whose sum in each class is the known share of that class."""
    total = np.bincount(codes, weight, len(shares))
    if ((total == 0) & (shares > 0)).any():
        raise ValueError(
            "A class with a prevalence has no part of positive weight in the study: add such "
            "parts, or set its prevalence to 0."
        )
    return weight * (shares / np.where(total > 0, total, 1))[codes]


class _Study:
    """Parts by class, lot and stratum, and what they say of a mean of costs."""

    def __init__(self, codes, weight, lots, n_classes, stratified, confidence):
        self.codes, self.weight, self.lots = codes, weight, lots
        self.tail = (1 - confidence) / 2
        self.n, self.n_lots = len(codes), lots.max() + 1
        # Classes of known shares are strata; without such shares all parts are one.
        self.stratum = np.arange(n_classes) if stratified else np.zeros(n_classes, dtype=int)
        self.row_stratum = self.stratum[codes]
        self.total = np.bincount(self.row_stratum, weight, self.stratum[-1] + 1)
        self.size = np.bincount(self.row_stratum, minlength=len(self.total))
        # Weight of a part of each class that was not seen: the mean of its class or of all.
        parts = np.bincount(codes, minlength=n_classes)
        weights = np.bincount(codes, weight, n_classes)
        self.unseen_weight = np.divide(
            weights,
            parts,
            out=np.full(n_classes, 0.0 if stratified else 1 / self.n),
            where=parts > 0,
        )
        self.class_effect = np.ones(n_classes)
        for k in np.flatnonzero((parts > 0) & (parts < self.n)):
            self.class_effect[k] = self._design_effect(((codes == k) - parts[k] / self.n)[None])
        self.class_effect[parts == 0] = self.class_effect.max()

    def ends(self, mean, decided, costs, possible):
        """Ends of the interval of the mean cost."""
        cost = costs[self.codes, decided]
        usual = np.array([self._usual(cost, s) for s in range(len(self.total))])
        cell = costs[:, possible] - usual[self.stratum][:, None]
        cell[self.unseen_weight == 0] = 0
        seen = np.zeros(costs.shape, dtype=bool)
        seen[self.codes, decided] = True
        excess = cost - usual[self.row_stratum]
        below_up, above_up, up = self._part(excess, cell, seen[:, possible])
        below_down, above_down, down = self._part(-excess, -cell, seen[:, possible])
        spread = np.sqrt((up**2).sum() * (down**2).sum())
        correlation = (up * down).sum() / spread if spread > 0 else 0.0
        low = mean - _combined(below_up, above_down, correlation)
        high = mean + _combined(above_up, below_down, correlation)
        least, most = (self.total @ (usual + extreme) for extreme in self._extremes(cell))
        return float(min(max(low, least), mean)), float(max(min(high, most), mean))

    def _usual(self, cost, stratum):
        """The cost that most parts of a stratum have."""
        rows = self.row_stratum == stratum
        if not rows.any():
            return 0.0
        values, inverse = np.unique(cost[:, rows], return_inverse=True)
        weight = np.broadcast_to(self.weight[rows], (len(cost), rows.sum()))
        return values[np.bincount(inverse.ravel(), weight.ravel()).argmax()]

    def _extremes(self, cell):
        """Least and largest cost of the cells of each stratum, less its usual cost."""
        each = [cell[self.stratum == s] for s in range(len(self.total))]
        return np.array([rows.min() for rows in each]), np.array([rows.max() for rows in each])

    def _part(self, excess, cell, seen):
        """Distances of the ends for the mean of what is positive, and its residuals by lot."""
        event, cell = np.maximum(excess, 0), np.maximum(cell, 0)
        x = self.weight * event  # (n_repeats, n)
        y, v = x.sum(axis=1).mean(), (x**2).sum(axis=1).mean()
        means = np.bincount(self.row_stratum, x.mean(axis=0), len(self.total))
        means /= np.where(self.total > 0, self.total, 1)
        residual = self.weight * (event - means[self.row_stratum])
        effect = self._design_effect(residual)
        # One more event of the dearest kind, with as many others as come with it.
        companions = np.where(seen, effect, np.maximum(self.class_effect[:, None], effect))
        dearest = cell * self.unseen_weight[:, None] * companions
        place = np.unravel_index(dearest.argmax(), dearest.shape)
        one = dearest[place]
        saved = v - (residual**2).sum(axis=1).mean()  # by a number of parts that is given
        if y == 0:
            n = self.size[self.stratum[place[0]]] / companions[place]
        else:
            n = y**2 / (saved * effect) if saved > 0 else np.inf
        v *= effect
        low = _scaled_count(y, v, n, self.tail) if y > 0 else 0.0
        high = _scaled_count(y + one, v + one**2, n, 1 - self.tail) if one > 0 else y
        return max(y - low, 0.0), max(high - y, 0.0), self._by_lot(residual)

    def _by_lot(self, values):
        """Sums over the parts of each lot, repeats by lots."""
        if self.n_lots == self.n:
            return values
        return np.stack([np.bincount(self.lots, row, self.n_lots) for row in values])

    def _design_effect(self, residual):
        """Variance between lots over that of independent parts, at least 1."""
        if self.n_lots == self.n:
            return 1.0
        alone = (residual**2).sum()
        if alone == 0:
            return self.class_effect.max()
        # Few lots say little of the variance between them.
        few, many = stats.t.isf(self.tail, [self.n_lots - 1, self.n - 1])
        few_lots = (few / many) ** 2 * self.n_lots / (self.n_lots - 1)
        return max((self._by_lot(residual) ** 2).sum() / alone * few_lots, 1.0)


def _scaled_count(y, v, n, quantile):
    """Quantile of a scaled count of mean y and variance v, of n parts at most: one end."""
    k = y**2 / v
    if n > POISSON * k:
        return v / y * stats.gamma.ppf(quantile, k)
    rest = n - k + 1
    return v / y * n * (stats.beta.ppf(quantile, k, rest) if rest > 0 else 1.0)


def _combined(first, second, correlation):
    """Distance of the end of a difference, from those of its two terms."""
    return np.sqrt(max(first**2 + second**2 - 2 * correlation * first * second, 0.0))
