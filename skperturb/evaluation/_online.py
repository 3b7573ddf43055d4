"""Two classifiers beside each other on the parts that pass, with a look at any time."""

import json
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ._costs import check_cost_matrix

__all__ = ["PairedABTest"]

# Fractions of the capital that are bet, dense near 0 and near 1, none of them 1: capital is never
# lost for good. The smallest is the best one for some 1e8 parts that disagree. The weights are
# the arcsine prior's, which on the logit scale has density sqrt(bet * (1 - bet)).
# A written state holds one number per bet: whoever changes them counts up _VERSION.
_BETS = 1 / (1 + np.exp(-np.linspace(-8, 8, 33)))
_WEIGHTS = np.sqrt(_BETS * (1 - _BETS))
_WEIGHTS /= _WEIGHTS.sum()
_VERSION = 1
_CHUNK = 4096  # parts at a time: bounds the memory of a batch, changes no number
_LOG_LARGEST = math.log(np.finfo(float).max)


class PairedABTest:
    """Online A/B test of the cost of two classifiers that decide on the same parts.

    Both decide on every part that passes. Once its truth is known the test is updated, and one
    may look after every part and stop whenever one likes: the error probabilities hold for
    all looks together.

    Parameters
    ----------
    cost_matrix : DataFrame, dict of dicts or array-like of shape (n_classes, n_classes)
        Cost of each decision (column) for each truth (row), in any unit. A dict reads
        ``{truth: {decision: cost}}``; an array needs `classes`, which are then the decisions
        too.
    alpha : float, default=0.05
        Probability of ever deciding although there is no difference, between 0 and 1; the
        interval covers with probability 1 - alpha.
    classes : array-like of shape (n_classes,), default=None
        Labels of the truths. A labelled cost matrix needs none, and has to agree with them.

    Attributes
    ----------
    cost_matrix : DataFrame of shape (n_classes, n_decisions)
        The costs as numbers.
    alpha : float
        As given.

    Raises
    ------
    ValueError
        If the cost matrix is not a complete table of finite costs, its labels are not unique,
        the decision never changes the cost, or alpha is out of its range.

    Notes
    -----
    Let d_t = cost(A) - cost(B) of part t, and c the largest cost of a wrong choice: the
    maximum over the truths of dearest less cheapest decision, so that abs(d_t) <= c.

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
    about those. If parts come in lots that share their faults, the past of a lot foretells the
    rest of it, the hypothesis is false for equal models as well, and they may well be told
    apart: then enter one part of each lot, drawn at random.

    *How.* A gambler who bets the fraction b of the capital on "A is dearer" multiplies it by
    1 + b d_t / c. If the hypothesis is true the game is fair, and the capital, the e-value,
    ever reaches 1/alpha with probability alpha at most (Ville). Half of it is bet on either
    side, and each half is divided over a grid of fractions by the arcsine prior: the universal
    portfolio, which needs no plug-in estimate of the best fraction. The capital thus depends
    on how often each difference occurred, and on nothing else. A part whose decisions cost the
    same multiplies it by one. The interval holds the means that the same bets, on d_t less
    that mean, would not reject now. The capital is convex in that mean, and below one at the
    observed mean, so that two bisections find both ends.

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
    >>> from skperturb.evaluation.online import PairedABTest
    >>> cost = {"good": {"pass": 0, "scrap": 1}, "bad": {"pass": 20, "scrap": 1}}
    >>> test = PairedABTest(cost)
    >>> test.update("bad", "pass", "scrap").mean_difference
    19.0
    >>> test.update(["good"] * 40, ["scrap"] * 40, ["pass"] * 20 + ["scrap"] * 20).verdict
    'undecided'
    >>> test.update(["bad"] * 8, ["pass"] * 8, ["scrap"] * 8)
    PairedABTest(b better since part 46, e=172, mean difference 3.898, 49 parts)
    """

    def __init__(self, cost_matrix, alpha=0.05, classes=None):
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}.")
        self.cost_matrix = _check_cost_matrix(cost_matrix, classes)
        self.alpha = float(alpha)
        costs = self.cost_matrix.to_numpy()
        self._range = float(np.ptp(costs, axis=1).max())
        if self._range == 0:
            raise ValueError("cost_matrix makes every decision cost the same: nothing to compare.")
        # The distinct differences, and which of them [truth, decision of A, decision of B] is.
        self._differences, index = np.unique(
            costs[:, :, None] - costs[:, None, :], return_inverse=True
        )
        self._index = index.reshape(*costs.shape, -1)
        self._log_factors = _log_factors(self._differences / self._range)
        self._counts = np.zeros(len(self._differences), dtype=np.int64)
        self._log_capital = np.zeros(self._log_factors.shape[1:])
        self._max_log_e = 0.0
        self._verdict, self._decided_at = "undecided", None

    def update(self, y, decision_a, decision_b):
        """Enter one part or a batch of them.

        Parameters
        ----------
        y : label or array-like of shape (n_parts,)
            Truth. The order of the parts counts: it is the order of the looks.
        decision_a, decision_b : label or array-like of shape (n_parts,)
            What A and B decided.

        Returns
        -------
        PairedABTest
            The test itself.

        Raises
        ------
        ValueError
            If a label is not in the cost matrix or the lengths differ; nothing is entered.
        """
        truths, decisions = self.cost_matrix.index, self.cost_matrix.columns
        codes = (
            _codes("y", y, truths),
            _codes("decision_a", decision_a, decisions),
            _codes("decision_b", decision_b, decisions),
        )
        lengths = [len(column) for column in codes]
        if len(set(lengths)) > 1:
            raise ValueError(f"y, decision_a and decision_b differ in length: {lengths}.")

        seen = self._index[codes]
        informative = np.flatnonzero(self._differences[seen])
        for start in range(0, len(informative), _CHUNK):
            parts = informative[start : start + _CHUNK]
            # Added up from the capital so far, part by part: the same sums as one at a time.
            steps = np.concatenate(([self._log_capital], self._log_factors[seen[parts]]))
            path = np.cumsum(steps, axis=0)[1:]
            self._log_capital = path[-1].copy()
            sides = _log_sides(path)
            log_e = _log_e(sides)
            self._max_log_e = max(self._max_log_e, float(log_e.max()))
            if self._decided_at is None and self._max_log_e >= -math.log(self.alpha):
                first = np.argmax(log_e >= -math.log(self.alpha))
                self._decided_at = self.n_parts + int(parts[first]) + 1
                self._verdict = "b better" if sides[first, 0] > sides[first, 1] else "a better"
        self._counts = self._counts + np.bincount(seen, minlength=len(self._counts))
        return self

    @property
    def n_parts(self):
        """Number of parts entered."""
        return int(self._counts.sum())

    @property
    def n_disagree(self):
        """Number of parts whose two decisions differ in cost: the others carry no evidence."""
        return int(self._counts[self._differences != 0].sum())

    @property
    def mean_difference(self):
        """Mean of cost(A) - cost(B) per part, in the unit of the costs; NaN without parts."""
        return float(self._counts @ self._differences) / self.n_parts if self.n_parts else math.nan

    @property
    def e_value(self):
        """Evidence against "no difference" now, 1 for none; at most the largest float."""
        return math.exp(min(float(_log_e(_log_sides(self._log_capital))), _LOG_LARGEST))

    @property
    def p_value(self):
        """Smallest 1/e so far, 1 at most: valid at any time, and never rising again."""
        return math.exp(-self._max_log_e)

    @property
    def verdict(self):
        """Either "b better", "a better" or "undecided".

        Decided by the side that held more of the capital when the e-value first reached
        1/alpha. It stays decided, though the e-value may fall and the interval may come to hold
        zero again.
        """
        return self._verdict

    @property
    def decided_at(self):
        """Number of parts after which the verdict was decided; None while it is not."""
        return self._decided_at

    @property
    def interval(self):
        """Ends of the confidence sequence of the mean difference per part: (low, high).

        In the unit of the costs. The intervals of all times together cover with probability
        1 - alpha; before the first part, all differences the cost matrix allows.
        """
        if self.n_parts == 0:
            return -self._range, self._range
        seen = self._counts > 0
        counts, x = self._counts[seen], self._differences[seen] / self._range
        ends = []
        for outside in (-1.0, 1.0):
            inside = counts @ x / self.n_parts
            while abs(outside - inside) > 1e-12:
                mean = (inside + outside) / 2
                capital = np.tensordot(counts, _log_factors(x, mean), axes=1)
                if _log_e(_log_sides(capital)) < -math.log(self.alpha):
                    inside = mean
                else:
                    outside = mean
            ends.append(float(outside) * self._range)
        return tuple(ends)

    def summary(self):
        """All of the above as plain Python types.

        Returns
        -------
        dict
            verdict, decided_at, e_value, p_value, mean_difference, interval, n_parts,
            n_disagree, alpha.
        """
        return {
            "verdict": self.verdict,
            "decided_at": self.decided_at,
            "e_value": self.e_value,
            "p_value": self.p_value,
            "mean_difference": self.mean_difference,
            "interval": self.interval,
            "n_parts": self.n_parts,
            "n_disagree": self.n_disagree,
            "alpha": self.alpha,
        }

    def to_json(self):
        """Write the state, such that :meth:`from_json` continues with the very same numbers.

        Returns
        -------
        str

        Raises
        ------
        ValueError
            If a label of the cost matrix is not a string, a number or a boolean.
        """
        truths, decisions = self.cost_matrix.index.tolist(), self.cost_matrix.columns.tolist()
        for label in truths + decisions:
            if not isinstance(label, (str, int, float)):
                raise ValueError(f"the label {label!r} has no form in JSON: use strings.")
        state = {
            "version": _VERSION,
            "alpha": self.alpha,
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
    def from_json(cls, text):
        """Read a state that :meth:`to_json` wrote.

        Parameters
        ----------
        text : str

        Returns
        -------
        PairedABTest

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
        if version != _VERSION:
            raise ValueError(f"text is of version {version!r}, this is version {_VERSION}.")
        try:
            costs = np.array(state["costs"], dtype=float)
            labels = list(state["truths"]), list(state["decisions"])
            test = cls(pd.DataFrame(costs, *labels), state["alpha"])
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
        return (
            self._counts.shape == self._differences.shape
            and self._counts.dtype.kind == "i"
            and self._counts.min() >= 0
            and self._log_capital.shape == self._log_factors.shape[1:]
            and np.allclose(
                np.tensordot(self._counts, self._log_factors, axes=1), self._log_capital, 1e-6
            )
            and max(0.0, _log_e(_log_sides(self._log_capital)) - 1e-6) <= self._max_log_e < math.inf
            and (decided or self._verdict == "undecided")
            and decided == (self._max_log_e >= -math.log(self.alpha))
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
    return np.log1p(_BETS * gains[..., None])


def _log_sides(log_capital):
    """Log of the weighted mean of the capitals (..., n_bets)."""
    largest = log_capital.max(axis=-1)
    return largest + np.log((_WEIGHTS * np.exp(log_capital - largest[..., None])).sum(axis=-1))


def _log_e(sides):
    """Log of the mean of the two sides (..., 2)."""
    return np.logaddexp(sides[..., 0], sides[..., 1]) - math.log(2)


def _codes(name, labels, known):
    """Positions of one label, or of an array-like of them, among the known ones."""
    labels = labels.tolist() if hasattr(labels, "tolist") else labels
    if np.ndim(labels) > 1:
        raise ValueError(f"{name} must be a label or one-dimensional.")
    position = {label: i for i, label in enumerate(known)}
    try:
        codes = [position[label] for label in ([labels] if np.ndim(labels) == 0 else labels)]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{name} has a label that is not one of {list(known)}: {error}.") from None
    return np.array(codes, dtype=np.intp)


def _check_cost_matrix(cost_matrix, classes):
    """Table of finite costs: truths as rows, decisions as columns."""
    if classes is None:
        if isinstance(cost_matrix, pd.DataFrame):
            classes = cost_matrix.index
        elif isinstance(cost_matrix, Mapping):
            classes = list(cost_matrix)
        else:
            raise ValueError("classes must label the rows of a cost_matrix without names.")
    return check_cost_matrix(cost_matrix, list(classes))
