"""Where a fit starts: at the solution with Gumbel noise, which costs little.

A loss that is not convex can have several minima, and with heavy tails the bad ones are those that
give in to wrong labels, as the Gumbel solution does. There a second start is tried: the
Gumbel solution without the rows that fit worst, found in a few rounds like the concentration
steps of least trimmed squares (Rousseeuw and Van Driessen 2006). The start of lower loss wins.
"""

import numpy as np

_WORST = 0.05  # share of the weight that is left out
_ROUNDING = 1e-9
_ROUNDS = 4


def starting_point(objective, simple_loss, minimise):
    """Free parameters to start from.

    Parameters
    ----------
    objective : LinearObjective
    simple_loss : object of :mod:`skperturb._losses`
        The same loss with Gumbel noise.
    minimise : callable
        Maps an objective and a start to free parameters.

    Returns
    -------
    ndarray of shape (n_parameters,)
    """
    simple = objective.replace(loss=simple_loss)
    start = minimise(simple, np.zeros(objective.n_parameters))
    if objective.loss.convex:
        return start
    trimmed = start
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
