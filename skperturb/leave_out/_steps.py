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

_BLOCK_ELEMENTS = 1 << 17  # numbers for a block of rows
_JITTER = 1e-13  # of a diagonal: V_i is semidefinite but for rounding
_SQUARINGS, _LARGE = 6, 0.5  # of a matrix, for its largest eigenvalue; from where it is exact
_FEW, _EIGENVALUE = 30, 1e-2  # columns of a small matrix; accuracy of the eigenvalue of a large one
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
    """

    scores: np.ndarray
    leverage: np.ndarray
    before: np.ndarray
    moves: object


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
    curvature, constraint = minimum.curvature(), objective.constraint
    scores = objective.scores(minimum.free)
    leverage, before = np.empty((2, objective.n_rows))
    pulls = np.empty((objective.n_rows, n_free))

    def of_block(rows):
        with np.errstate(all="ignore"):
            design, weight = objective.design(rows), objective.weight[rows]
            before[rows], slope, curved = _in_free_scores(
                objective, curvature, scores[rows], objective.y[rows]
            )
            spread = np.empty(curved.shape)
            for a, part in enumerate(parts):
                product = (design @ part).reshape(len(design), a + 1, width)
                spread[:, a, : a + 1] = np.einsum("nbw,nw->nb", product, design)
                spread[:, : a + 1, a] = spread[:, a, : a + 1]
            spread *= weight[:, None, None]
            leverage[rows] = _leverage(spread, curved, objective.loss.convex)
            # The way from where the fit ended to the minimum is a part of the step.
            rest = (design @ minimum.rest.reshape(n_free, width).T)[:, :, None]
            pull = slope[:, :, None] + curved @ rest
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

    return Steps(scores, leverage, before, move)


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
    objective, curvature = minimum.objective, minimum.curvature()
    scores = objective.scores(minimum.free)
    leverage, before = np.empty((2, objective.n_rows))
    moves = np.empty((lots.max() + 1, objective.n_parameters))

    def of_lot(lot):
        rows = np.flatnonzero(lots == lot)
        part = objective.replace(weight=np.where(lots == lot, objective.weight, 0.0))
        share = part.total / objective.total
        matrix = share * part.assemble(minimum.free, curvature)
        before[rows], slope = part.losses(minimum.free)
        # The way from where the fit ended to the minimum is a part of the step.
        pull = (
            share * part.sums_of_rows(part.weight[:, None] * slope) + minimum.matrix @ minimum.rest
        )
        factor, root, _ = definite_factor(iter([minimum.matrix - matrix]), 0.0)
        moves[lot] = linalg.cho_solve((factor, True), pull / root) / root
        scores[rows] = part.scores(minimum.free + moves[lot])
        leverage[rows] = _largest_of(matrix, minimum.spread)

    map_threads(of_lot, range(len(moves)))
    return Steps(scores, leverage, before, moves.__getitem__)


def _in_free_scores(objective, curvature, scores, y):
    """Loss (n,) of some rows, its slope (n, n_free) and curvature (n, n_free, n_free)."""
    restrict = objective.constraint.restrict
    loss, slope = objective.loss.value_and_slope(scores, y)
    full = curvature(scores, y).transpose(1, 2, 0)
    reduced = restrict(restrict(full).swapaxes(0, 1)).transpose(2, 0, 1)
    return loss, restrict(slope.T).T, np.ascontiguousarray(reduced)


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
    product = LinearOperator((size, size), lambda x: spread.T @ (matrix @ (spread @ x)))
    start = np.random.default_rng(0).standard_normal(size)
    return eigsh(product, 1, which="LA", tol=_EIGENVALUE, v0=start, return_eigenvectors=False)[0]


def _slices(n, step):
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
