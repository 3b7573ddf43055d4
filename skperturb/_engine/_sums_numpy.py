"""Sums over the tables, in NumPy: what ``_sums_c`` does where there is no compiler.

Functions of a ``_table.Table``, scores (n, K) whose rows are within its reach, and
classes y (n,); the two modules agree to rounding. Here rows are worked on in blocks, as matrix
products: the interpolation weights of all classes, summed by grid point, times the table.
"""

import numpy as np
from scipy.special import log_softmax

from ._pieces_numpy import integrate_pieces
from ._table import ORDER
from ._translation import below_best, with_zero_row_sums, with_zero_sum, with_zero_sums

__all__ = [
    "depth",
    "integrate_pieces",
    "jacobian",
    "log_likelihood",
    "log_proba",
    "potential_and_log_proba",
    "second_order",
    "softmax_likelihood",
]

# Numbers in one work array: large enough to hide NumPy's overhead, small enough for the cache.
_BLOCK_ELEMENTS = 1 << 17


def depth(scores, y=None):
    """How far class y, or the last one, stands below the best of its row (n,)."""
    below = scores.min(axis=1) if y is None else scores[np.arange(len(scores)), y]
    return scores.max(axis=1) - below


def log_likelihood(table, scores, y):
    """log p of one class a row (n,), and its gradient (n, K)."""
    log_p, gradient = np.empty(len(y)), np.empty(scores.shape)
    for rows in blocks(table, scores):
        places, weights = flat_interpolation(table, below_best(scores[rows]))
        log_p[rows], share = target_shares(table, places, weights, y[rows])
        gradient[rows] = -sample(share @ table.hazard.T, places, weights)
    return log_p, with_zero_sum(gradient, y)


def log_proba(table, scores):
    """log p of all classes within reach (n, K), normalised; -inf for those beyond."""
    out = np.empty(scores.shape)
    for rows in blocks(table, scores):
        delta = below_best(scores[rows])
        places, weights = flat_interpolation(table, delta)
        out[rows] = _log_proba(
            table, delta, places, weights, weighted_rows(table.log_cdf, places, weights)
        )
    return out


def potential_and_log_proba(table, scores):
    """The potential less the best score (n,), and what :func:`log_proba` gives."""
    gap, out = np.empty(len(scores)), np.empty(scores.shape)
    level = table.level(scores.shape[1])
    for rows in blocks(table, scores):
        delta = below_best(scores[rows])
        places, weights = flat_interpolation(table, delta)
        log_cdf = weighted_rows(table.log_cdf, places, weights)
        gap[rows] = (level - table.exp_of(log_cdf, scores.shape[1])) @ table.weight
        out[rows] = _log_proba(table, delta, places, weights, log_cdf)
    return gap, out


def _log_proba(table, delta, places, weights, log_cdf):
    """log p of all classes, from the log CDF of the winner at the nodes."""
    exponent = log_cdf + table.log_weight
    peak = exponent.max(axis=1, keepdims=True)
    density = np.exp(exponent - peak) @ table.hazard.T
    log_density = np.log(np.maximum(density, np.finfo(float).tiny))
    log_p = sample(log_density, places, weights) + peak
    log_p[delta > table.reach] = -np.inf
    # What the quadrature leaves is 1e-10; the sum of the probabilities is to be exact.
    return log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))


def second_order(table, scores, y):
    """log p of one class a row (n,), its gradient (n, K), and second derivatives (n, K, K)."""
    log_p, gradient = np.empty(len(y)), np.empty(scores.shape)
    out = np.empty((*scores.shape, scores.shape[1]))
    for rows in blocks(table, scores, scores.shape[1]):
        delta = below_best(scores[rows])
        places, weights = flat_interpolation(table, delta)
        log_p[rows], share = target_shares(table, places, weights, y[rows])
        on_grid = share @ table.hazard.T
        mean = sample(on_grid, places, weights)
        # The slope of the hazard in delta, by the derivative of the same interpolation.
        slope = sample(on_grid, places, table.interpolation_slope(delta)[1])
        hazard = _hazard(table, delta)
        block = (hazard * share[:, None, :]) @ hazard.transpose(0, 2, 1)
        block -= mean[:, :, None] * mean[:, None, :]
        np.einsum("njj->nj", block)[:] += slope
        gradient[rows], out[rows] = -mean, block
    return log_p, with_zero_sum(gradient, y), with_zero_sums(out, y)


def jacobian(table, scores):
    """d p_i / d theta_j = -integral r_i r_j exp(S): (n, K, K)."""
    out = np.empty((*scores.shape, scores.shape[1]))
    for rows in blocks(table, scores, scores.shape[1]):
        delta = below_best(scores[rows])
        places, weights = flat_interpolation(table, delta)
        density = np.exp(weighted_rows(table.log_cdf, places, weights) + table.log_weight)
        hazard = _hazard(table, delta)
        out[rows] = -(hazard * density[:, None, :]) @ hazard.transpose(0, 2, 1)
    return with_zero_row_sums(out)


def softmax_likelihood(scores, y):
    """log softmax of one class a row (n,), and its gradient (n, K)."""
    log_p = log_softmax(scores, axis=1)
    return log_p[np.arange(len(y)), y], with_zero_sum(-np.exp(log_p), y)


def weighted_rows(function, places, weights):
    """sum_j f(z + delta_j) at the nodes: the weights, summed by grid point, times f's table."""
    n, n_grid = len(places), len(function)
    where = (places[..., None] + np.arange(ORDER)).ravel()
    counts = np.bincount(where, weights.ravel(), minlength=n * n_grid)
    return counts.reshape(n, n_grid) @ function


def blocks(table, scores, copies=1):
    """Slices of rows; `copies` of a row's numbers on the nodes or grid are held at once."""
    per_row = max(ORDER * scores.shape[1], *table.log_cdf.shape) * copies
    size = max(1, _BLOCK_ELEMENTS // per_row)
    for start in range(0, len(scores), size):
        yield slice(start, start + size)


def flat_interpolation(table, delta):
    """Places in a flat (n, n_grid) array, and weights there."""
    first, weights = table.interpolation(delta)
    return first + np.arange(len(delta))[:, None] * len(table.log_cdf), weights


def target_shares(table, places, weights, y):
    """log p of one class a row (n,), and each node's share of the integral (n, n_nodes)."""
    each = np.arange(len(y))
    exponent = weighted_rows(table.log_cdf, places, weights) + table.log_weight
    first = places[each, y] - each * len(table.log_cdf)
    for k in range(ORDER):
        exponent += weights[each, y, k, None] * table.log_hazard[first + k]
    peak = exponent.max(axis=1, keepdims=True)
    summands = np.exp(exponent - peak)
    total = summands.sum(axis=1, keepdims=True)
    return (peak + np.log(total))[:, 0], summands / total


def _hazard(table, delta):
    """The hazard of each class at the nodes: (n, K, n_nodes)."""
    first, weights = table.interpolation(delta)
    hazard = np.zeros((*delta.shape, table.hazard.shape[1]))
    for k in range(ORDER):
        hazard += weights[..., k, None] * table.hazard[first + k]
    return hazard


def sample(values, places, weights):
    """Interpolate each row's function of delta, given on the grid, at the row's classes."""
    flat = values.ravel()
    out = weights[..., 0] * flat[places]
    for k in range(1, ORDER):
        out += weights[..., k] * flat[places + k]
    return out
