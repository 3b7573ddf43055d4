"""Two classifiers that decide on the same parts: a test that may be checked at any time."""

import math
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ._betting import log_e, log_factors, log_sides, not_rejected
from ._costs import CostMatrix, check_cost_matrix, named_classes
from ._deprecation import renamed_argument, warn_old
from ._input import check_confidence
from ._labels import codes_of
from ._online_state import ABTestSummary, read_state, written_state

CHUNK = 4096  # parts at a time: bounds the memory of a batch, changes no number
LOG_LARGEST = math.log(np.finfo(float).max)
LEVEL_DIGITS = 15  # decimals of 1 - confidence, because 1 - 0.95 is not 0.05 in floating point


class PairedABTest:
    """Online A/B test of the cost of two classifiers that decide on the same parts.

    Both classifiers decide on every part. Once the truth of a part is known, the test is updated.
    You may check the verdict after any part and stop at any time; the error probability covers all
    checks together.

    Parameters
    ----------
    cost_matrix : DataFrame, dict of dicts or array-like of shape (n_classes, n_classes)
        Cost of each decision (column) for each truth (row), in any unit. A dict reads
        ``{truth: {decision: cost}}``; an array needs `classes`, which are then the decisions
        too.
    confidence : float, default=0.95
        Coverage of the interval, between 0 and 1. The probability of ever deciding although there
        is no difference is at most 1 - confidence, called alpha below.
    classes : array-like of shape (n_classes,), default=None
        Labels of the classes. A cost matrix with labels needs none, and has to agree with them.
    alpha : float, default=None
        Old name of 1 - confidence, which is deprecated.

    Attributes
    ----------
    cost_matrix : DataFrame of shape (n_classes, n_decisions)
        The costs as numbers.
    confidence : float
        The confidence as given.

    Raises
    ------
    ValueError
        If the cost matrix is not a complete table of finite costs, its labels are not unique,
        the decision never changes the cost, or `confidence` is out of its range.

    Notes
    -----
    Let d_t = cost(A) - cost(B) of part t, and c the largest cost of a wrong choice: the
    maximum over the classes of the dearest less the cheapest decision. Hence abs(d_t) <= c.

    *What is tested.* That E[d_t | parts before t] = 0 for **every** part. While that holds,
    ``verdict`` ever leaves "undecided" with probability alpha at most. "b better" is ever said
    with probability alpha at most while E[d_t | past] <= 0 for every part, and "a better"
    while it is >= 0. That the differences of a changing stream cancel out in the long run is
    another hypothesis, which is not tested: if A is better in the morning and B at night, the
    test may rightly decide either way. The interval supposes that E[d_t | past] is the same
    for all parts.

    *What is assumed.* The costs are bounded, as any cost matrix makes them; there is no
    distribution to assume. Neither which parts are entered nor their order may depend on the
    truth: with the truth known of scrapped parts only, or of bad parts sooner, the answer is
    about those parts. If the parts of a lot share their faults, the first parts of a lot predict
    the rest, the hypothesis is false even for equal models, and the test may decide between them.
    Therefore pass the lots as `groups` of :meth:`update`. A lot is then one bet on the mean
    difference of its parts, which c bounds whatever its size, and the hypothesis is E[d_t | lots
    before] = 0 for every part. What is needed: the parts of a lot are entered one after another,
    in as many updates as you like; a lot counts once it is closed, by the first part of another
    lot or by :meth:`close_lot`; and neither its size nor the moment of closing depends on its
    truths. Mean and interval then count each lot once.

    *How.* A gambler who bets the fraction b of the capital on "A is dearer" multiplies it by
    1 + b d_t / c. If the hypothesis is true the game is fair, and the capital, the e-value,
    ever reaches 1/alpha with probability alpha at most (Ville). Half of it is bet on either
    side, and each half is divided over a grid of fractions by the arcsine prior: the universal
    portfolio, which needs no plug-in estimate of the best fraction. The capital thus depends
    on how often each difference occurred, and on nothing else. A part whose decisions cost the
    same multiplies it by one. The interval holds the means that the same bets, on d_t less
    that mean, would not reject now. The capital is convex in that mean, and below one at the
    observed mean. Therefore two bisections find both ends.

    An update costs the same however many parts came before. The interval is computed when
    asked for, in a time proportional to the number of distinct cost differences and of lots.

    References
    ----------
    I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting",
    Journal of the Royal Statistical Society B 86 (2024). F. Orabona and K.-S. Jun, "Tight
    concentrations and confidence sequences from the regret of universal portfolio", IEEE
    Transactions on Information Theory 70 (2024).

    Examples
    --------
    >>> from skperturb.evaluation import PairedABTest
    >>> cost = {"good": {"pass": 0, "scrap": 1}, "bad": {"pass": 20, "scrap": 1}}
    >>> test = PairedABTest(cost)
    >>> test.update("bad", "pass", "scrap").mean_difference
    19.0
    >>> test.update(["good"] * 40, ["scrap"] * 40, ["pass"] * 20 + ["scrap"] * 20).verdict
    'undecided'
    >>> test.update(["bad"] * 8, ["pass"] * 8, ["scrap"] * 8)
    PairedABTest(b better since part 46, e=172, mean difference 3.898, 49 parts)
    """

    def __init__(
        self,
        cost_matrix: CostMatrix,
        *,
        confidence: float = 0.95,
        classes: ArrayLike | None = None,
        alpha: float | None = None,
    ) -> None:
        if alpha is not None:
            warn_old("The argument alpha of PairedABTest", "confidence = 1 - alpha")
            confidence = 1 - alpha
        check_confidence(confidence)
        if classes is None:
            classes = named_classes(cost_matrix)
        if classes is None:
            raise ValueError("The cost_matrix has no row names: pass the labels as classes.")
        self.cost_matrix = check_cost_matrix(cost_matrix, classes)
        self.confidence = float(confidence)
        costs = self.cost_matrix.to_numpy()
        self._range = float(np.ptp(costs, axis=1).max())
        if self._range == 0:
            raise ValueError(
                "Every decision costs the same by the cost_matrix, so there is nothing to compare."
            )
        # The distinct differences, and which of them [truth, decision of A, decision of B] is.
        self._differences, index = np.unique(
            costs[:, :, None] - costs[:, None, :], return_inverse=True
        )
        self._index = index.reshape(*costs.shape, -1)
        self._log_factors = log_factors(self._differences / self._range)
        # How often each difference occurred: on single parts, in closed lots, in the open lot.
        self._counts, self._in_lots, self._in_open = np.zeros((3, len(self._differences)), np.int64)
        self._open: str | None = None
        self._lot_means: dict[str, float] = {}  # of closed lots, as shares of the range
        self._log_capital = np.zeros(self._log_factors.shape[1:])
        self._max_log_e = 0.0
        self._verdict = "undecided"
        self._decided_at: int | None = None

    def __copy__(self):
        # All but the lots is replaced by an update, and never changed in place.
        again = object.__new__(type(self))
        again.__dict__ = self.__dict__ | {"_lot_means": dict(self._lot_means)}
        return again

    @property
    def _alpha(self):
        return round(1 - self.confidence, LEVEL_DIGITS)

    @property
    def alpha(self) -> float:
        """Old name of 1 - confidence, which is deprecated."""
        warn_old("PairedABTest.alpha", "1 - confidence")
        return self._alpha

    @renamed_argument("y", "y_true")
    def update(self, y_true: Any, decision_a: Any, decision_b: Any, *, groups: Any = None) -> Self:
        """Enter one part or a batch of them.

        Parameters
        ----------
        y_true : label or array-like of shape (n_parts,)
            True classes, in the order in which the parts are checked.
        decision_a : label or array-like of shape (n_parts,)
            Decisions of classifier A.
        decision_b : label or array-like of shape (n_parts,)
            Decisions of classifier B.
        groups : label or array-like of shape (n_parts,), default=None
            Lot of each part, or the one lot of all of them; lots are compared as strings. None if
            each part is a lot of its own. A lot may arrive in several updates. It counts when it
            is closed: by the first part of another lot, or by :meth:`close_lot`. The parts of one
            update are put in the order of their lots, by first appearance.

        Returns
        -------
        PairedABTest
            The test itself.

        Raises
        ------
        ValueError
            If a label is not in the cost matrix, the lengths differ, or a part belongs to a lot
            that is closed; then no part is entered.
        """
        truths, decisions = self.cost_matrix.index, self.cost_matrix.columns
        codes = (
            _codes("y_true", y_true, truths),
            _codes("decision_a", decision_a, decisions),
            _codes("decision_b", decision_b, decisions),
        )
        lengths = [len(column) for column in codes]
        if len(set(lengths)) > 1:
            raise ValueError(f"y_true, decision_a and decision_b differ in length: {lengths}.")
        seen = self._index[codes]
        if len(seen) == 0:
            return self
        if groups is None:
            self.close_lot()
            self._enter_parts(seen)
        else:
            self._enter_lots(seen, *self._lots(groups, len(seen)))
        return self

    def close_lot(self) -> Self:
        """Say that the lot that was entered last is complete, so that it counts.

        Returns
        -------
        PairedABTest
            The test itself. Nothing changes if no lot is open.
        """
        if self._open is not None:
            n = self._in_open.sum()
            # Rounding must not make the mean more than the largest difference.
            x = np.clip(self._in_open @ self._differences / (n * self._range), -1, 1)
            self._in_lots = self._in_lots + self._in_open
            self._in_open = np.zeros_like(self._in_open)
            self._lot_means[self._open] = float(x)
            self._open = None
            self._bet(log_factors([x]), [self.n_parts])
        return self

    def _enter_parts(self, seen):
        """Bet on each part of its own."""
        before, informative = self.n_parts, np.flatnonzero(self._differences[seen])
        self._counts = self._counts + np.bincount(seen, minlength=len(self._counts))
        for start in range(0, len(informative), CHUNK):
            parts = informative[start : start + CHUNK]
            self._bet(self._log_factors[seen[parts]], before + parts + 1)

    def _lots(self, groups, n):
        """Names of the lots of n parts, and the number of each part's lot."""
        if np.ndim(groups) == 0:
            groups = [groups] * n
        if np.ndim(groups) > 1 or len(groups) != n:
            raise ValueError(f"groups must be one lot, or the lots of {n} parts.")
        if pd.isna(pd.Series(groups)).any():
            raise ValueError("groups has parts without a lot: give each of them a lot of its own.")
        codes, names = pd.factorize(np.array([str(lot) for lot in groups], dtype=object))
        again = [name for name in names if name in self._lot_means]
        if again:
            raise ValueError(
                f"The lot {again[0]} has been closed already, because parts of other lots came "
                "after it: collect the parts of a lot, and enter lots one after another."
            )
        return names, codes

    def _enter_lots(self, seen, names, codes):
        """Add parts to their lots; all of them but the last are complete."""
        order = sorted(range(len(names)), key=lambda k: names[k] != self._open)
        counts = np.zeros((len(names), len(self._counts)), dtype=np.int64)
        np.add.at(counts, (codes, seen), 1)
        for k in order:
            if names[k] != self._open:
                self.close_lot()
            self._open = names[k]
            self._in_open = self._in_open + counts[k]

    def _bet(self, factors, n_parts):
        """Multiply the capital by some factors, known after so many parts, and look each time."""
        # Added up from the capital so far, part by part: the same sums as one at a time.
        path = np.cumsum(np.concatenate(([self._log_capital], factors)), axis=0)[1:]
        self._log_capital = path[-1].copy()
        sides = log_sides(path)
        evidence = log_e(sides)
        self._max_log_e = max(self._max_log_e, float(evidence.max()))
        if self._decided_at is None and self._max_log_e >= -math.log(self._alpha):
            first = np.argmax(evidence >= -math.log(self._alpha))
            self._decided_at = int(n_parts[first])
            self._verdict = "b better" if sides[first, 0] > sides[first, 1] else "a better"

    @property
    def n_parts(self) -> int:
        """Number of parts entered, those of the open lot included."""
        return int((self._counts + self._in_lots + self._in_open).sum())

    @property
    def n_disagree(self) -> int:
        """Number of parts whose two decisions differ in cost; only these carry evidence."""
        counts = self._counts + self._in_lots + self._in_open
        return int(counts[self._differences != 0].sum())

    @property
    def n_lots(self) -> int:
        """Number of closed lots, of parts that were entered with `groups`."""
        return len(self._lot_means)

    @property
    def n_waiting(self) -> int:
        """Number of parts of the open lot, which count when it is closed."""
        return int(self._in_open.sum())

    @property
    def mean_difference(self) -> float:
        """Mean of cost(A) - cost(B) per part, in the unit of the costs; NaN without parts.

        Of parts that were entered with `groups`, it is the mean over the closed lots of their
        means: a lot counts as much as another, however large it is.
        """
        total = float(self._counts @ self._differences)
        n = int(self._counts.sum()) + self.n_lots
        return (total + self._range * math.fsum(self._lot_means.values())) / n if n else math.nan

    @property
    def e_value(self) -> float:
        """Evidence against "no difference" now: 1 means none. It is at most the largest float."""
        return math.exp(min(float(log_e(log_sides(self._log_capital))), LOG_LARGEST))

    @property
    def p_value(self) -> float:
        """Smallest 1/e so far, at most 1. It is valid at any time and never rises."""
        return math.exp(-self._max_log_e)

    @property
    def verdict(self) -> str:
        """Either "b better", "a better" or "undecided".

        The side that held more of the capital when the e-value first reached 1/alpha decides it.
        The verdict then stays, even if the e-value falls and the interval contains zero again.
        """
        return self._verdict

    @property
    def decided_at(self) -> int | None:
        """Number of parts after which the verdict was decided; None while it is undecided."""
        return self._decided_at

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the confidence sequence of the mean difference per part: (low, high).

        The ends are in the unit of the costs. The intervals of all times together cover the mean
        with the given confidence. Before the first part, the interval holds all differences that
        the cost matrix allows.
        """
        x, place = np.unique(
            np.concatenate([self._differences / self._range, list(self._lot_means.values())]),
            return_inverse=True,
        )
        counts = np.bincount(place, np.concatenate([self._counts, np.ones(self.n_lots)]))
        if not counts.any():
            return -self._range, self._range
        low, high = not_rejected(x[counts > 0], counts[counts > 0], self._alpha)
        return low * self._range, high * self._range

    def summary(self) -> ABTestSummary:
        """Return the state of the test in plain Python types.

        Returns
        -------
        ABTestSummary
            Verdict, evidence, mean difference with its interval, and counts.
        """
        return ABTestSummary(
            **{name: getattr(self, name) for name in ABTestSummary.__dataclass_fields__}
        )

    def to_json(self) -> str:
        """Write the state as JSON, from which :meth:`from_json` continues with the same numbers.

        Returns
        -------
        str
            JSON of one object.

        Raises
        ------
        ValueError
            If a label of the cost matrix is not a string, a number or a boolean.
        """
        return written_state(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a state that :meth:`to_json` wrote.

        Parameters
        ----------
        text : str
            JSON that :meth:`to_json` wrote.

        Returns
        -------
        PairedABTest
            A test that continues where the other one was written.

        Raises
        ------
        ValueError
            If the text is not such a state, contradicts itself, or is of another version.
        """
        return read_state(cls, text)

    def __repr__(self):
        since = "" if self._decided_at is None else f" since part {self._decided_at}"
        return (
            f"PairedABTest({self.verdict}{since}, e={self.e_value:.3g}, "
            f"mean difference {self.mean_difference:.4g}, {self.n_parts} parts)"
        )


def _codes(name, labels, known):
    """Positions of one label, or of an array-like of them, among the known ones."""
    if np.ndim(labels) > 1:
        raise ValueError(f"{name} must be a label or one-dimensional.")
    return codes_of([labels] if np.ndim(labels) == 0 else labels, known, name)
