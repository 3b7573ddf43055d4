"""One Newton step from the minimum of all rows to that without a row, or without a lot.

With s_i the share of row i in the weight, g_i and A_i slope and curvature of its loss in the free
scores, Z_i the matrix that makes these of the parameters, and H the second derivatives of the whole
objective, the step of the objective without the row moves its scores by

    (I - s_i V_i A_i)^-1 s_i V_i g_i,      V_i = Z_i H^-1 Z_i^T,

a matrix of n_classes - 1 rows each (Rad and Maleki 2020; for a linear model it is exact). The
largest eigenvalue of s_i V_i A_i is the row's leverage: without the row the objective is convex at
the minimum if and only if it is below 1. Without a lot G the step is (H - H_G)^-1 s Z_G^T g_G.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, eigsh

from .._linalg import definite_factor
from .._threads import map_threads
from ._minimum import inverse_root

_BLOCK_ELEMENTS = 1 << 17  # numbers for a block of rows
_JITTER = 1e-13  # of a diagonal: V_i is semidefinite but for rounding
_SQUARINGS, _LARGE = 6, 0.5  # of a matrix, for its largest eigenvalue; from where it is exact
# The largest eigenvalue of a matrix: columns up to which all of them are computed, and up to which
# three products of matrices cost less than those with vectors; else its accuracy, and vectors held.
_FEW, _WHITENED, _EIGENVALUE, _VECTORS = 30, 300, 1e-2, 10
_COUNTS = 0.05  # leverage of a row whose curvature matters to the whole
_SINGULAR = 1 - 1e-9  # leverage from which on there is no step: the slope alone is used


class Steps(NamedTuple):
    """What Newton steps give: scores without a row, leverage, and the parameters of a lot.

    Attributes
    ----------
    scores : ndarray of shape (n_rows, n_classes)
    leverage : ndarray of shape (n_rows,)
        Of the row, or of its lot.
    before : ndarray of shape (n_rows,)
        Loss with the row.
    moves : callable
        Maps a row, or a lot, to the step of the parameters.
    drift : float
        By how much the way to the minimum changes the slope of a row, relative to it, at most.
    spreads : callable
        Maps a row, or a lot, to P with P P^T the inverse of about the curvature without it.
    """

    scores: np.ndarray
    leverage: np.ndarray
    before: np.ndarray
    moves: object
    drift: float = 0.0
    spreads: object = None


def row_steps(minimum):
    """The step without each row.

    Parameters
    ----------
    minimum : Minimum

    Returns
    -------
    Steps
    """
    objective = minimum.objective
    n_free, width = objective.shape
    inverse = minimum.spread @ minimum.spread.T
    blocks = inverse.reshape(n_free, width, n_free, width)
    # For each free class, the parts of H^-1 of it and of those before it, ready for one product.
    parts = [blocks[a, :, : a + 1].reshape(width, -1) for a in range(n_free)]
    constraint = objective.constraint
    scores = objective.scores(minimum.free)
    leverage, before, drift = np.empty((3, objective.n_rows))
    pulls = np.empty((objective.n_rows, n_free))

    def of_block(rows):
        with np.errstate(all="ignore"):
            design, weight = objective.design(rows), objective.weight[rows]
            before[rows], slope, curved = _in_free_scores(minimum, scores[rows], objective.y[rows])
            spread = np.empty(curved.shape)
            for a, part in enumerate(parts):
                product = (design @ part).reshape(len(design), a + 1, width)
                spread[:, a, : a + 1] = np.einsum("nbw,nw->nb", product, design)
                spread[:, : a + 1, a] = spread[:, a, : a + 1]
            spread *= weight[:, None, None]
            leverage[rows] = _leverage(spread, curved, objective.loss.convex)
            # The way from where the fit ended to the minimum is a part of the step.
            rest = (design @ minimum.rest.reshape(n_free, width).T)[:, :, None]
            bent = curved @ rest
            drift[rows] = _relative(bent[:, :, 0], slope)
            pull = slope[:, :, None] + bent
            matrix = np.eye(n_free) - curved @ spread
            matrix[leverage[rows] >= _SINGULAR] = np.eye(n_free)
            # s (I - s A V)^-1 (g + A r), of which V makes the scores' step and H^-1 Z^T the whole.
            pull = np.linalg.solve(matrix, pull)
            scores[rows] += constraint.expand((rest + spread @ pull)[:, :, 0].T).T
            pulls[rows] = weight[:, None] * pull[:, :, 0]

    step = max(1, _BLOCK_ELEMENTS // (objective.n_parameters + n_free**2))
    map_threads(of_block, _slices(objective.n_rows, step))

    def move(row):
        design = objective.design(slice(row, row + 1))[0]
        return minimum.rest + inverse @ np.outer(pulls[row], design).ravel()

    counts = leverage > _COUNTS
    largest = float(drift[counts].max(initial=0.0))
    # A row changes one direction only for each free score.
    return Steps(scores, leverage, before, move, largest, lambda row: minimum.spread)


def lot_steps(minimum, lots):
    """The step without each lot.

    Parameters
    ----------
    minimum : Minimum
    lots : ndarray of shape (n_rows,), int
        Number of the lot of each row, from 0.

    Returns
    -------
    Steps
    """
    objective = minimum.objective
    n_free, width = objective.shape
    scores_with = objective.scores(minimum.free)
    scores = np.empty(scores_with.shape)
    leverage, before = np.empty((2, objective.n_rows))
    moves = np.empty((lots.max() + 1, objective.n_parameters))
    rest = minimum.matrix @ minimum.rest
    bounds, order = np.cumsum(np.bincount(lots))[:-1], np.argsort(lots, kind="stable")
    step = max(1, _BLOCK_ELEMENTS // max((n_free + 1) ** 2, width))
    parts = [
        [of_lot[part] for part in _slices(len(of_lot), step)] for of_lot in np.split(order, bounds)
    ]

    def sums_of(lot):
        """Slope of the loss of a lot, and its second derivatives."""
        pull, matrix = np.zeros((n_free, width)), np.zeros((n_free, width, n_free, width))
        for rows in parts[lot]:
            X, weight = objective.rows[rows].ready(), objective.weight[rows]
            with np.errstate(all="ignore"):
                before[rows], slope, curved = _in_free_scores(
                    minimum, scores_with[rows], objective.y[rows]
                )
            pull += X.sum_of_rows(weight[:, None] * slope)
            curved *= weight[:, None, None]
            for j in range(n_free):
                matrix[j, :, : j + 1] += X.grams(curved[:, j, : j + 1].T)
        for j in range(n_free):
            for k in range(j):
                matrix[k, :, j] = matrix[j, :, k].T
        return pull.ravel(), matrix.reshape(objective.n_parameters, -1)

    def of_lot(lot):
        pull, matrix = sums_of(lot)
        factor, root, _ = definite_factor([minimum.matrix - matrix], 0.0)
        # The way from where the fit ended to the minimum is a part of the step.
        moves[lot] = linalg.cho_solve((factor, True), (pull + rest) / root) / root
        largest = _largest_of(matrix, minimum.spread)
        full = objective.constraint.expand((minimum.free + moves[lot]).reshape(n_free, width))
        for rows in parts[lot]:
            leverage[rows], scores[rows] = largest, objective.design(rows) @ full.T

    def spread(lot):
        factor, root, _ = definite_factor([minimum.matrix - sums_of(lot)[1]], 0.0)
        return inverse_root(factor, root)

    map_threads(of_lot, range(len(moves)))
    return Steps(scores, leverage, before, moves.__getitem__, spreads=spread)


def _in_free_scores(minimum, scores, y):
    """Loss (n,) of some rows, its slope (n, n_free) and curvature (n, n_free, n_free)."""
    restrict = minimum.objective.constraint.restrict
    loss, slope, full = minimum.of_rows(scores, y)
    reduced = restrict(restrict(full.transpose(1, 2, 0)).swapaxes(0, 1)).transpose(2, 0, 1)
    return loss, restrict(slope.T).T, np.ascontiguousarray(reduced)


def _relative(change, slope):
    size = np.abs(slope).max(axis=1)
    return np.where(size > 0, np.abs(change).max(axis=1) / np.where(size > 0, size, 1.0), 0.0)


def _leverage(spread, curved, convex):
    """Largest eigenvalue of each product of a semidefinite and a symmetric matrix (n, m, m).

    If the second is semidefinite, too, by powers: to about 1 %, and where it is large, exactly.
    """
    if spread.shape[1] == 1:
        return (spread * curved)[:, 0, 0]
    if not convex:
        return _largest_eigenvalue(spread, curved)
    product = curved @ spread
    trace = np.einsum("njj->n", product)
    power = product / np.where(trace > 0, trace, 1.0)[:, None, None]
    for _ in range(_SQUARINGS):
        power = power @ power
    # Rayleigh's quotient of the symmetric form, at the largest column of the power.
    column = power.diagonal(axis1=1, axis2=2).argmax(axis=1)
    x = power[np.arange(len(power)), :, column]
    along = np.einsum("njk,nk->nj", spread, x)
    square = np.einsum("nj,nj->n", along, x)
    values = np.einsum("njk,nk->nj", curved, along)
    values = np.einsum("nj,nj->n", along, values) / np.where(square > 0, square, 1.0)
    large = values > _LARGE
    values[large] = _largest_eigenvalue(spread[large], curved[large])
    return values


def _largest_eigenvalue(spread, curved):
    diagonal = np.einsum("njj->nj", spread)
    jitter = _JITTER * diagonal.sum(axis=1) + np.finfo(float).tiny
    factor = np.linalg.cholesky(spread + jitter[:, None, None] * np.eye(spread.shape[1]))
    return np.linalg.eigvalsh(factor.transpose(0, 2, 1) @ curved @ factor)[:, -1]


def _largest_of(matrix, spread):
    """Largest eigenvalue of spread^T @ matrix @ spread, to 1 %."""
    size = len(matrix)
    if size <= _FEW:
        return linalg.eigvalsh(spread.T @ matrix @ spread)[-1]
    if size <= _WHITENED:
        product = spread.T @ matrix @ spread
    else:
        product = LinearOperator((size, size), lambda x: spread.T @ (matrix @ (spread @ x)))
    start = np.random.default_rng(0).standard_normal(size)
    options = {"ncv": _VECTORS, "tol": _EIGENVALUE, "v0": start}
    return eigsh(product, 1, which="LA", return_eigenvectors=False, **options)[0]


def _slices(n, step):
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
