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


def n_bets(n_bins):
    """Number of bets on one column."""
    return len(SHIFTS) + len(SPREADS) + n_bins * len(ODDS)


def log_weights(n_bins):
    """Log of the share of the capital for each bet, in the order of `log_gains`."""
    kinds = (
        (ON_SHIFTS, len(SHIFTS)),
        (ON_SPREADS, len(SPREADS)),
        (ON_BINS, n_bins * len(ODDS)),
    )
    return np.concatenate([np.full(count, math.log(share / count)) for share, count in kinds])


def log_released(batch):
    """Log of the share of the capital that is bet from this batch on, the first being 1."""
    return math.log(1 / math.log2(batch + 1) - 1 / math.log2(batch + 2))


def log_kept(batch):
    """Log of the share of the capital that is not bet yet after so many batches."""
    return -math.log(math.log2(batch + 2))


def log_gains(urn, counts):
    """Log of what each bet multiplies its capital by in one batch, of shape (n_bets,).

    Parameters
    ----------
    urn : ndarray of shape (n_bins,)
        Gaps between the reference parts in each bin, plus the parts that fell there so far.
    counts : ndarray of shape (n_bins,)
        Parts of the batch in each bin.
    """
    total, n = urn.sum(), counts.sum()
    edges = np.concatenate(([0.0], np.cumsum(urn) / total))
    edges[-1] = 1.0
    normal = ndtri(edges)
    moved = np.concatenate([normal - SHIFTS[:, None], normal / SPREADS[:, None]])
    shares = (1 - CAUTION) * np.diff(ndtr(moved), axis=1) + CAUTION * urn / total
    whole = _rising(total * shares, counts).sum(axis=1) - _rising(urn, counts).sum()
    # One bin against all others, whose shares among themselves stay: two terms are enough.
    odds = ODDS[:, None]
    inside = odds * urn / (total - urn + odds * urn)
    single = (
        _rising(total * inside, counts)
        + _rising(total * (1 - inside), n - counts)
        - _rising(urn, counts)
        - _rising(total - urn, n - counts)
    )
    return np.concatenate([whole, single.ravel()])


def log_marginal(urn, counts):
    """Log probability of parts in an order, of which so many fall into each bin of an urn."""
    return _rising(urn, counts).sum(axis=-1) - _rising(
        np.sum(urn, axis=-1), np.sum(counts, axis=-1)
    )


def _rising(start, steps):
    """Log of start (start + 1) ... (start + steps - 1)."""
    return gammaln(start + steps) - gammaln(start)
