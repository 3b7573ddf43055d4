"""Gauss-Legendre panels that widen with the distance from where an integrand has features."""

from collections import namedtuple

import numpy as np

Mesh = namedtuple("Mesh", "nodes log_weights row start")

_POINTS, _PANEL = 10, 2.0  # points of a panel, and its width in the graded variable
_GAUSS, _WEIGHTS = np.polynomial.legendre.leggauss(_POINTS)


def graded_mesh(breaks, low, high, scale, panel=_PANEL):
    """Nodes on [low, high] for each row, finest at its breaks, as one flat list.

    Parameters
    ----------
    breaks : ndarray of shape (n, n_breaks)
        Where the integrand of a row has kinks or features; those outside are moved to the ends.
    low, high : ndarray of shape (n,)
        Finite ends of the interval, low < high.
    scale : ndarray of shape (n,)
        Size of the features: near a break the panels are about as wide.
    panel : float, default=2.0
        Width of a panel in the graded variable u, distance = scale * sinh(u).

    Returns
    -------
    Mesh
        nodes, log_weights of shape (n_nodes,): all rows' nodes, one row after the other; row of
        shape (n_nodes,): the row each belongs to; start of shape (n,): the first node of each row,
        and every row has some.
    """
    n = len(breaks)
    breaks = np.sort(np.clip(breaks, low[:, None], high[:, None]), axis=1)
    middle = (breaks[:, :-1] + breaks[:, 1:]) / 2
    # From each break a piece to either side, as far as half-way to the next one or to the end.
    origin = np.repeat(breaks, 2, axis=1)
    end = np.empty_like(origin)
    end[:, 0], end[:, -1] = low, high
    end[:, 1:-1] = np.repeat(middle, 2, axis=1)
    row, piece = np.nonzero(origin != end)
    origin, end, scale = origin[row, piece], end[row, piece], scale[row]
    reach = np.arcsinh(np.abs(end - origin) / scale)
    panels = np.ceil(reach / panel).astype(np.intp)
    first = np.cumsum(panels) - panels
    which = np.repeat(np.arange(len(panels)), panels)
    fraction = (np.arange(panels.sum()) - first[which])[:, None] + (_GAUSS + 1) / 2
    fraction /= panels[which, None]
    u = reach[which, None] * fraction
    length = np.abs(end - origin)[which, None]
    distance = np.minimum(scale[which, None] * np.sinh(u), length)
    nodes = origin[which, None] + np.sign(end - origin)[which, None] * distance
    weights = scale[which, None] * np.cosh(u) * (reach / panels)[which, None] * (_WEIGHTS / 2)
    row = np.repeat(row[which], _POINTS)
    return Mesh(nodes.ravel(), np.log(weights).ravel(), row, np.searchsorted(row, np.arange(n)))
