"""Second derivatives times a vector a row, without (n, K, K) arrays.

With E_q, r and y as in ``_kernels``, and v less its entry for y, because a common shift of the
scores changes nothing:

    (H v)_j = E_q[r_j (sum_k r_k v_k - E_q[sum_k r_k v_k])] + E_q[r'_j] v_j,   j != y,
    (J v)_i = integral r_i sum_j r_j (v_i - v_j) exp(S) dz,

each of them two passes over a table.
"""

import numpy as np

from ._sums_numpy import blocks, flat_interpolation, sample, target_shares, weighted_rows
from ._translation import below_best, with_zero_sum

_MOST_ENTRIES = 1 << 20  # of the matrices of a block of rows


def by_matrices(matrices, *arrays):
    """A product where there is none without matrices: for few rows at a time.

    Parameters
    ----------
    matrices : callable
        Gives (n, K, K) of all arrays but the last.
    *arrays : ndarray of shape (n, ...)
        The last is v (n, K).

    Returns
    -------
    ndarray of shape (n, K)
    """
    out = np.empty(arrays[-1].shape)
    size = max(1, _MOST_ENTRIES // out.shape[1] ** 2)
    for start in range(0, len(out), size):
        *given, v = (array[start : start + size] for array in arrays)
        out[start : start + size] = np.einsum("njk,nk->nj", matrices(*given), v)
    return out


def hessian_product(table, scores, y, v):
    """The second derivative of log p of one class a row, times v: (n, K)."""
    out, v = np.empty(scores.shape), v - v[np.arange(len(y)), y, None]
    for rows in blocks(table, scores):
        delta = below_best(scores[rows])
        places, weights = flat_interpolation(table, delta)
        _, share = target_shares(table, places, weights, y[rows])
        along = weighted_rows(table.hazard, places, weights * v[rows, :, None])
        along -= np.sum(share * along, axis=1, keepdims=True)
        out[rows] = sample((share * along) @ table.hazard.T, places, weights)
        # The slope of the hazard in delta, by the derivative of the same interpolation.
        slope = table.interpolation_slope(delta)[1]
        out[rows] += v[rows] * sample(share @ table.hazard.T, places, slope)
    return with_zero_sum(out, y)


def jacobian_product(table, scores, v):
    """The derivative of p times v: (n, K)."""
    out = np.empty(scores.shape)
    v = v - v.mean(axis=1, keepdims=True)
    for rows in blocks(table, scores):
        places, weights = flat_interpolation(table, below_best(scores[rows]))
        log_cdf = weighted_rows(table.log_cdf, places, weights)
        density = np.exp(log_cdf + table.log_weight)
        all_of = density * weighted_rows(table.hazard, places, weights)
        along = density * weighted_rows(table.hazard, places, weights * v[rows, :, None])
        out[rows] = v[rows] * sample(all_of @ table.hazard.T, places, weights)
        out[rows] -= sample(along @ table.hazard.T, places, weights)
    return out
