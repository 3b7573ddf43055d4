"""Two classifiers that decide on the same parts: a test that may be checked at any time."""

import json
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._results import Record
from ._costs import CostMatrix, check_cost_matrix, named_classes
from ._deprecation import renamed_argument, warn_old
from ._input import check_confidence
from ._labels import codes_of

# Fractions of the capital that are bet, dense near 0 and near 1, none of them 1: capital is never
# lost for good. The smallest is the best one for some 1e8 parts that disagree. The weights are
# the arcsine prior's, which on the logit scale has density sqrt(bet * (1 - bet)).
# A written state holds one number per bet: whoever changes them counts up STATE_VERSION.
BETS = 1 / (1 + np.exp(-np.linspace(-8, 8, 33)))
WEIGHTS = np.sqrt(BETS * (1 - BETS))
WEIGHTS /= WEIGHTS.sum()
STATE_VERSION = 1
CHUNK = 4096  # parts at a time: bounds the memory of a batch, changes no number
LOG_LARGEST = math.log(np.finfo(float).max)
INTERVAL_ERROR = 1e-12  # of an end of the interval, as a share of the largest difference in cost
STATE_ERROR = 1e-6  # by which the capital of a written state may differ from its counts
LEVEL_DIGITS = 15  # decimals of 1 - confidence, because 1 - 0.95 is not 0.05 in floating point


@dataclass(frozen=True)
class ABTestSummary(Record):
    """Result of :meth:`PairedABTest.summary`.

    Attributes
    ----------
    verdict : {"b better", "a better", "undecided"}
        The verdict so far.
    decided_at : int or None
        Number of parts after which the verdict was decided.
    e_value : float
        Evidence against "no difference" now.
    p_value : float
        Smallest 1/e so far, at most 1.
    mean_difference : float
        Mean of cost(A) - cost(B) per part, in the unit of the costs.
    interval : (float, float)
        Ends of the confidence sequence of the mean difference.
    n_parts : int
        Number of parts entered.
    n_disagree : int
        Number of parts whose two decisions differ in cost.
    confidence : float
        Confidence of the verdict and of the interval.
    """

    verdict: str
    decided_at: int | None
    e_value: float
    p_value: float
    mean_difference: float
    interval: tuple[float, float]
    n_parts: int
    n_disagree: int
    confidence: float

    def __getitem__(self, key):
        warn_old("A summary as a dict", f"its attribute {key}, or to_dict(),")
        return 1 - self.confidence if key == "alpha" else getattr(self, key)


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
    the rest. The hypothesis is then false even for equal models, and the test may decide between
    them: enter one part of each lot, drawn at random.

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
    asked for, in a time proportional to the number of distinct cost differences.

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
        self._log_factors = _log_factors(self._differences / self._range)
        self._counts = np.zeros(len(self._differences), dtype=np.int64)
        self._log_capital = np.zeros(self._log_factors.shape[1:])
        self._max_log_e = 0.0
        self._verdict = "undecided"
        self._decided_at: int | None = None

    @property
    def _alpha(self):
        return round(1 - self.confidence, LEVEL_DIGITS)

    @property
    def alpha(self) -> float:
        """Old name of 1 - confidence, which is deprecated."""
        warn_old("PairedABTest.alpha", "1 - confidence")
        return self._alpha

    @renamed_argument("y", "y_true")
    def update(self, y_true: Any, decision_a: Any, decision_b: Any) -> Self:
        """Enter one part or a batch of them.

        Parameters
        ----------
        y_true : label or array-like of shape (n_parts,)
            True classes, in the order in which the parts are checked.
        decision_a : label or array-like of shape (n_parts,)
            Decisions of classifier A.
        decision_b : label or array-like of shape (n_parts,)
            Decisions of classifier B.

        Returns
        -------
        PairedABTest
            The test itself.

        Raises
        ------
        ValueError
            If a label is not in the cost matrix or the lengths differ; then no part is entered.
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
        informative = np.flatnonzero(self._differences[seen])
        for start in range(0, len(informative), CHUNK):
            parts = informative[start : start + CHUNK]
            # Added up from the capital so far, part by part: the same sums as one at a time.
            steps = np.concatenate(([self._log_capital], self._log_factors[seen[parts]]))
            path = np.cumsum(steps, axis=0)[1:]
            self._log_capital = path[-1].copy()
            sides = _log_sides(path)
            log_e = _log_e(sides)
            self._max_log_e = max(self._max_log_e, float(log_e.max()))
            if self._decided_at is None and self._max_log_e >= -math.log(self._alpha):
                first = np.argmax(log_e >= -math.log(self._alpha))
                self._decided_at = self.n_parts + int(parts[first]) + 1
                self._verdict = "b better" if sides[first, 0] > sides[first, 1] else "a better"
        self._counts = self._counts + np.bincount(seen, minlength=len(self._counts))
        return self

    @property
    def n_parts(self) -> int:
        """Number of parts entered."""
        return int(self._counts.sum())

    @property
    def n_disagree(self) -> int:
        """Number of parts whose two decisions differ in cost; only these carry evidence."""
        return int(self._counts[self._differences != 0].sum())

    @property
    def mean_difference(self) -> float:
        """Mean of cost(A) - cost(B) per part, in the unit of the costs; NaN without parts."""
        return float(self._counts @ self._differences) / self.n_parts if self.n_parts else math.nan

    @property
    def e_value(self) -> float:
        """Evidence against "no difference" now: 1 means none. It is at most the largest float."""
        return math.exp(min(float(_log_e(_log_sides(self._log_capital))), LOG_LARGEST))

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
        if self.n_parts == 0:
            return -self._range, self._range
        seen = self._counts > 0
        counts, x = self._counts[seen], self._differences[seen] / self._range
        ends = []
        for outside in (-1.0, 1.0):
            inside = float(counts @ x) / self.n_parts
            while abs(outside - inside) > INTERVAL_ERROR:
                mean = (inside + outside) / 2
                capital = np.tensordot(counts, _log_factors(x, mean), axes=1)
                if _log_e(_log_sides(capital)) < -math.log(self._alpha):
                    inside = mean
                else:
                    outside = mean
            ends.append(float(outside) * self._range)
        return ends[0], ends[1]

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
        truths, decisions = self.cost_matrix.index.tolist(), self.cost_matrix.columns.tolist()
        for label in truths + decisions:
            if not isinstance(label, (str, int, float)):
                raise ValueError(f"The label {label!r} has no form in JSON: use strings as labels.")
        state = {
            "version": STATE_VERSION,
            "alpha": self._alpha,
            "truths": truths,
            "decisions": decisions,
            "costs": self.cost_matrix.to_numpy().tolist(),
            "counts": self._counts.tolist(),
            "log_capital": self._log_capital.tolist(),
            "max_log_e": self._max_log_e,
            "verdict": self._verdict,
            "decided_at": self._decided_at,
        }
        return json.dumps(state, allow_nan=False)

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
        try:
            state = json.loads(text)
            version = state["version"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("text is not the JSON of a PairedABTest.") from error
        if version != STATE_VERSION:
            raise ValueError(f"text is of version {version!r}, this is version {STATE_VERSION}.")
        try:
            costs = np.array(state["costs"], dtype=float)
            labels = list(state["truths"]), list(state["decisions"])
            test = cls(pd.DataFrame(costs, *labels), confidence=1 - state["alpha"])
            test._counts = np.array(state["counts"])
            test._log_capital = np.array(state["log_capital"], dtype=float)
            test._max_log_e = float(state["max_log_e"])
            test._verdict, test._decided_at = state["verdict"], state["decided_at"]
            consistent = test._is_consistent()
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"text is not the JSON of a PairedABTest: {error!r}.") from error
        if not consistent:
            raise ValueError("text is the JSON of a PairedABTest that contradicts itself.")
        return test

    def _is_consistent(self):
        """Whether the counts explain the capital, and the capital the verdict."""
        decided = self._verdict in ("a better", "b better")
        if (
            self._counts.shape != self._differences.shape
            or self._counts.dtype.kind != "i"
            or self._counts.min() < 0
            or self._log_capital.shape != self._log_factors.shape[1:]
        ):
            return False
        capital = np.tensordot(self._counts, self._log_factors, axes=1)
        log_e = float(_log_e(_log_sides(self._log_capital)))
        return (
            np.allclose(capital, self._log_capital, STATE_ERROR)
            and max(0.0, log_e - STATE_ERROR) <= self._max_log_e < math.inf
            and (decided or self._verdict == "undecided")
            and decided == (self._max_log_e >= -math.log(self._alpha))
            and (1 <= self._decided_at <= self.n_parts if decided else self._decided_at is None)
        )

    def __repr__(self):
        since = "" if self._decided_at is None else f" since part {self._decided_at}"
        return (
            f"PairedABTest({self.verdict}{since}, e={self.e_value:.3g}, "
            f"mean difference {self.mean_difference:.4g}, {self.n_parts} parts)"
        )


def _log_factors(x, mean=0.0):
    """Log of what each bet multiplies its capital by, of shape (n_x, 2, n_bets).

    Of x in [-1, 1] whose mean is supposed to be `mean`: first bets that it is more, then bets
    that it is less. Relative to the largest stake that no x can turn into debt.
    """
    side = np.array([1.0, -1.0])
    gains = side * (np.asarray(x)[:, None] - mean) / (1 + side * mean)
    return np.log1p(BETS * gains[..., None])


def _log_sides(log_capital):
    """Log of the weighted mean of the capitals (..., n_bets)."""
    largest = log_capital.max(axis=-1)
    return largest + np.log((WEIGHTS * np.exp(log_capital - largest[..., None])).sum(axis=-1))


def _log_e(sides):
    """Log of the mean of the two sides (..., 2)."""
    return np.logaddexp(sides[..., 0], sides[..., 1]) - math.log(2)


def _codes(name, labels, known):
    """Positions of one label, or of an array-like of them, among the known ones."""
    if np.ndim(labels) > 1:
        raise ValueError(f"{name} must be a label or one-dimensional.")
    return codes_of([labels] if np.ndim(labels) == 0 else labels, known, name)
