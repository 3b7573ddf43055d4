"""Where a fit starts: from what a part of the rows says.

A few thousand rows tell the coefficients of a model to within their standard errors, for a fraction
of what an iteration on all rows costs; from there all rows need a handful of evaluations.

A loss that is not convex can have several minima, and with heavy tails the bad ones are those that
give in to wrong labels, as the solution with Gumbel noise does. There two starts are tried: that
solution, and the one without the rows that fit worst, found in a few rounds like the
concentration steps of least trimmed squares (Rousseeuw and Van Driessen 2006), with one step of
Newton's method in each. The start of lower loss wins.
"""

import numpy as np

_WORST = 0.05  # share of the weight that is left out
_SHARE_ROUNDING = 1e-9  # of a sum of shares
_ROUNDS = 4
_ROWS_PER_PARAMETER, _FEWEST_ROWS = 10, 2000  # of the part


def part_of(objective):
    """The objective of every k-th row, if those weigh like all of them, or the whole."""
    wanted = max(_ROWS_PER_PARAMETER * objective.n_parameters, _FEWEST_ROWS)
    stride = max(objective.n_rows // wanted, 1)
    part, share = objective.every(stride)
    # Kish's number of rows of equal weight that tell as much.
    alike = part.weight @ part.weight <= 2 / wanted
    return part if 0.5 < share * stride < 2 and alike else objective.every(1)[0]


def trimmed_start(objective, minimise, improve):
    """Where to start the descent of a loss that is not convex.

    Parameters
    ----------
    objective : LinearObjective
    minimise : callable
        Maps an objective and a start to free parameters.
    improve : callable
        The same, once the rows that fit worst have been left out: they are chosen anew all the
        same, so that it need not go all the way.

    Returns
    -------
    ndarray of shape (n_parameters,)
    """
    simple = objective.replace(loss=objective.loss.with_gumbel_noise())
    start = trimmed = minimise(simple, np.zeros(objective.n_parameters))
    for _ in range(_ROUNDS):
        trimmed = improve(_without_worst(simple, trimmed), trimmed)
    return min(start, trimmed, key=lambda free: objective(free)[0])


def _without_worst(objective, free):
    """The objective of the rows that fit best."""
    misfit = objective.misfit(free)
    order = np.argsort(-misfit)
    share = np.cumsum(objective.weight[order])
    # Equal rows are kept or left out together, so that a row of weight 2 counts as two rows.
    limit = misfit[order][min(np.searchsorted(share, _WORST - _SHARE_ROUNDING), len(order) - 1)]
    return objective.replace(weight=np.where(misfit > limit, 0.0, objective.weight))
