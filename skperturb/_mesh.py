"""Gauss-Legendre panels that widen with the distance from where an integrand has features."""

import numpy as np

_POINTS, _PANEL = 10, 2.0  # points a panel, and the panel's width in the graded variable
_GAUSS, _WEIGHTS = np.polynomial.legendre.leggauss(_POINTS)


def graded_mesh(breaks, low, high, scale):
    """Nodes and log weights on [low, high], finest at the breaks.

    Parameters
    ----------
    breaks : ndarray of shape (n, n_breaks)
        Where the integrand of each row has kinks or features; those outside are moved to the ends.
    low, high : float or ndarray of shape (n, 1)
        Finite ends of the interval.
    scale : float
        Size of the features: near a break the panels are about as wide.

    Returns
    -------
    nodes, log_weights : ndarray of shape (n, n_nodes)
        Between breaks that coincide there are nodes of weight zero (log weight -inf).
    """
    n = len(breaks)
    low, high = np.broadcast_to(low, (n, 1)), np.broadcast_to(high, (n, 1))
    breaks = np.sort(np.clip(breaks, low, high), axis=1)
    left, right = breaks[:, :-1], breaks[:, 1:]
    middle = (left + right) / 2
    pieces = [
        _panels(left, middle, scale),
        _panels(right, middle, scale),
        _panels(breaks[:, :1], low, scale),
        _panels(breaks[:, -1:], high, scale),
    ]
    nodes = np.concatenate([piece[0] for piece in pieces], axis=1)
    weights = np.concatenate([piece[1] for piece in pieces], axis=1)
    with np.errstate(divide="ignore"):
        return nodes, np.log(weights)


def _panels(origin, end, scale):
    """Panels from `origin` to `end`, both (n, pieces), by the substitution z = scale * sinh(u)."""
    reach = np.arcsinh(np.abs(end - origin) / scale)
    panels = max(1, int(np.ceil(reach.max(initial=0.0) / _PANEL)))
    fraction = (np.arange(panels)[:, None] + (_GAUSS + 1) / 2).ravel() / panels
    u = reach[..., None] * fraction
    distance = np.minimum(scale * np.sinh(u), np.abs(end - origin)[..., None])
    nodes = origin[..., None] + np.sign(end - origin)[..., None] * distance
    weights = scale * np.cosh(u) * reach[..., None] * np.tile(_WEIGHTS / 2, panels) / panels
    return nodes.reshape(len(nodes), -1), weights.reshape(len(weights), -1)
