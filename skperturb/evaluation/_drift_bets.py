"""Bets that new parts fall into other bins than the training parts did: what each one wins."""

import math

import numpy as np
from scipy.special import gammaln, ndtr, ndtri

# Where the reference is cut into bins: shares of its parts, finer at both ends.
LEVELS = np.array([0.002, 0.01, *np.arange(1, 16) / 16, 0.99, 0.998])
FEWEST_IN_BIN = 2  # gaps between reference parts that a bin holds at least
# What is bet on, in standard deviations of normal values: that their mean moves, or their spread
# changes by a factor; and that the odds of one bin change by a factor.
SHIFTS = np.array([-2.0, -1.0, -0.5, -0.25, 0.25, 0.5, 1.0, 2.0])
SPREADS = np.array([0.5, 0.7, 1.4, 2.0])
ODDS = np.array([0.25, 4.0])
# Shares of the capital for each kind of bet.
ON_SHIFTS, ON_SPREADS, ON_BINS = 0.5, 0.2, 0.3
CAUTION = 0.01  # share of each bet that is not bet, so that no part ruins it


def ranks_of_edges(n):
    """Ranks, from 1 on, of those of n sorted reference parts at which bins end."""
    ranks = np.unique(np.round(LEVELS * (n + 1)).astype(int))
    chosen = [0]
    for rank in ranks:
        if rank - chosen[-1] >= FEWEST_IN_BIN and n + 1 - rank >= FEWEST_IN_BIN:
            chosen.append(int(rank))
    return np.array(chosen[1:])


def log_gains(urns, counts):
    """Log of what each bet multiplies its capital by in one batch, of shape (n_columns, n_bets).

    Parameters
    ----------
    urns : ndarray of shape (n_columns, n_bins)
        Gaps between the reference parts in each bin, plus the parts that fell there so far.
    counts : ndarray of shape (n_columns, n_bins)
        Parts of the batch in each bin.
    """
    # Axes: column, bet, bin.
    urns, counts = urns[:, None], counts[:, None]
    total = urns.sum(axis=2, keepdims=True)
    rest, others = total - urns, counts.sum(axis=2, keepdims=True) - counts
    edges = np.concatenate([np.zeros_like(total, dtype=float), np.cumsum(urns, axis=2) / total], 2)
    normal = ndtri(np.minimum(edges, 1.0))
    moved = np.concatenate([normal - SHIFTS[:, None], normal / SPREADS[:, None]], axis=1)
    shares = (1 - CAUTION) * np.diff(ndtr(moved), axis=2) + CAUTION * urns / total
    fair = _rising(urns, counts)
    whole = (_rising(total * shares, counts) - fair).sum(axis=2)
    # One bin against all others, whose shares among themselves stay: two terms are enough.
    odds = ODDS[:, None]
    inside = odds * urns / (rest + odds * urns)
    single = _rising(total * inside, counts) + _rising(total * (1 - inside), others)
    single = single - fair - _rising(rest, others)
    return np.concatenate([whole, single.reshape(len(urns), -1)], axis=1)


def log_marginal(urn, counts):
    """Log probability of parts in an order, of which so many fall into each bin of an urn."""
    return _rising(urn, counts).sum(axis=-1) - _rising(
        np.sum(urn, axis=-1), np.sum(counts, axis=-1)
    )


def _rising(start, steps):
    """Log of start (start + 1) ... (start + steps - 1)."""
    return gammaln(start + steps) - gammaln(start)


class Game:
    """The capital of the bets on columns that are watched together.

    Parameters
    ----------
    gaps : array-like of shape (n_columns, n_bins)
        What the urns hold before the first batch.
    """

    def __init__(self, gaps):
        self.urns = np.array(gaps, dtype=np.int64)
        n_columns, n_bins = self.urns.shape
        kinds = ((ON_SHIFTS, len(SHIFTS)), (ON_SPREADS, len(SPREADS)), (ON_BINS, 2 * n_bins))
        # Logarithms: how the capital is divided, what each bet holds, e-values now and at most.
        self._division = np.log(np.concatenate([np.full(n, share / n) for share, n in kinds]))
        self.bets = np.full((n_columns, len(self._division)), -np.inf)
        self.batches = 0
        self.log_e, self.max_log_e = np.zeros((2, n_columns))

    def play(self, counts):
        """Bet on a batch, of which so many parts (n_columns, n_bins) fall into each bin."""
        t = self.batches + 1
        released = math.log(1 / math.log2(t + 1) - 1 / math.log2(t + 2))
        self.bets = np.logaddexp(self.bets, released + self._division)
        self.bets += log_gains(self.urns, counts)
        self.urns = self.urns + counts
        self.batches = t
        self.log_e = self.evidence()
        self.max_log_e = np.maximum(self.max_log_e, self.log_e)

    def evidence(self):
        """Log of the capital on each column: what the bets hold, and what is not bet yet."""
        kept = -math.log(math.log2(self.batches + 2))
        return np.logaddexp(np.logaddexp.reduce(self.bets, axis=1), kept)
