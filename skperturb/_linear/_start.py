"""Where a fit starts, and how it scales its coordinates: both from a part of the rows.

A few thousand rows tell the coefficients of a model to within their standard errors, for a fraction
of what an iteration on all rows costs, and their second derivatives tell how L-BFGS is to
scale its steps; from there all rows need a handful of evaluations.

A loss that is not convex can have several minima, and with heavy tails the bad ones are those that
give in to wrong labels, as the solution with Gumbel noise does. There two starts are tried: that
solution, and the one without the rows that fit worst, found in a few rounds like the
concentration steps of least trimmed squares (Rousseeuw and Van Driessen 2006). The start of
lower loss wins.
"""

import numpy as np

from ._preconditioner import Whitened, WhitenedRows
from ._solvers import definite_factor

_WORST = 0.05  # share of the weight that is left out
_ROUNDING = 1e-9
_ROUNDS = 4
_ROWS_PER_PARAMETER, _FEWEST_ROWS = 10, 2000  # of the part
# A matrix for the scaling is made if that takes no longer than so many evaluations, and more for
# each iteration that has gone by. The work of an evaluation for a row is about that many
# multiplications for each parameter and for each class, that of the matrix for each pair of them.
_EVALUATIONS, _MORE = 30, 10
_OF_PARAMETER, _OF_CLASS, _OF_PARAMETERS, _OF_CLASSES = 4, 300, 1, 100
_LARGEST = 1000  # rows of the matrix
_ROWS_OF_SIZE = 500  # rows of data that tell the size of a row's curvature
_DAMPING = 1e-6


def part_of(objective):
    """The objective of every k-th row, if those weigh like all of them, or the whole."""
    wanted = max(_ROWS_PER_PARAMETER * objective.n_parameters, _FEWEST_ROWS)
    stride = objective.n_rows // wanted
    if stride < 2:
        return objective
    weight = np.zeros(objective.n_rows)
    chosen = weight[::stride] = objective.weight[::stride]
    share = chosen.sum() * stride
    # Kish's number of rows of equal weight that tell as much.
    if not (0.5 < share < 2 and chosen.sum() ** 2 >= wanted / 2 * (chosen @ chosen)):
        return objective
    return objective.replace(weight=weight / weight.sum())


def scaling_at(part, whole, x, n_iter):
    """Coordinates for L-BFGS on the whole that fit the curvature of a part of its rows at x.

    None where they would take longer than they are likely to save.
    """
    n_classes, size, width = whole.constraint.n_classes, whole.n_parameters, whole.shape[1]
    evaluation = whole.n_rows * (_OF_PARAMETER * size + _OF_CLASS * n_classes)
    work = (_EVALUATIONS + _MORE * n_iter) * evaluation
    of_row = _OF_PARAMETERS * size**2 + _OF_CLASSES * n_classes**2
    if size <= _LARGEST and part.n_rows * of_row <= work:
        factor, root, _ = definite_factor(part.curvatures(x), _DAMPING)
        return Whitened(factor, root)
    if width > _LARGEST or part.n_rows * width**2 > work:
        return None
    # As if the second derivative in the scores were the same for all rows and classes: about
    # their mean squared slope (the information equality).
    rows = np.linspace(0, part.n_rows - 1, min(part.n_rows, _ROWS_OF_SIZE)).astype(int)
    _, slope = part.losses(x, rows)
    matrix = np.mean(slope**2) * part.gram() + part.ridge_matrix()
    diagonal = np.diag(matrix)
    np.fill_diagonal(matrix, np.where(diagonal > 0, (1 + _DAMPING) * diagonal, 1.0))
    return WhitenedRows(matrix)


def trimmed_start(objective, simple_loss, minimise):
    """Where to start the descent of a loss that is not convex.

    Parameters
    ----------
    objective : LinearObjective
    simple_loss : object of ``_losses``
        The same loss with Gumbel noise.
    minimise : callable
        Maps an objective and a start to free parameters.

    Returns
    -------
    ndarray of shape (n_parameters,)
    """
    simple = objective.replace(loss=simple_loss)
    start = trimmed = minimise(simple, np.zeros(objective.n_parameters))
    for _ in range(_ROUNDS):
        trimmed = minimise(_without_worst(simple, trimmed), trimmed)
    return min(start, trimmed, key=lambda free: objective(free)[0])


def _without_worst(objective, free):
    """The objective of the rows that fit best."""
    losses, _ = objective.losses(free)
    order = np.argsort(-losses)
    share = np.cumsum(objective.weight[order])
    # Equal losses are kept or left out together, so that a row of weight 2 counts as two rows.
    limit = losses[order][min(np.searchsorted(share, _WORST - _ROUNDING), len(order) - 1)]
    return objective.replace(weight=np.where(losses > limit, 0.0, objective.weight))
