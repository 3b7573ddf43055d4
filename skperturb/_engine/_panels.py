"""Gauss-Legendre panels that widen with the distance from where an integrand has features."""

from collections import namedtuple

import numpy as np

Mesh = namedtuple("Mesh", "nodes log_weights row start")

POINTS = 10  # of a panel
_PANEL = 2.0  # its width in the graded variable
_GAUSS, _WEIGHTS = np.polynomial.legendre.leggauss(POINTS)
_PLACES = (_GAUSS + 1) / 2
# The last two Legendre coefficients of a function from its values at the points of a panel.
_LAST_TWO = (
    np.polynomial.legendre.legvander(_GAUSS, POINTS - 1)[:, -2:]
    * _WEIGHTS[:, None]
    * (np.arange(POINTS)[-2:] + 0.5)
).T
# Widths of panels in log distance, from the far end of a piece towards a steep point: narrow where
# the distance itself matters, wide where all but a power of it is constant.
_LOG_WIDTHS = np.concatenate([[1.5, 1.5, 2, 3, 4, 6, 8, 8, 8, 8], 8 * 1.5 ** np.arange(1, 18)])
_LOG_EDGES = np.concatenate([[0], np.cumsum(_LOG_WIDTHS)])
NEGLIGIBLE_DEPTH = 40.0  # exp(-40) = 4e-18: so far towards a steep point, in log distance
_ROUNDS = 40  # of halving panels that do not resolve an integrand
_FEW_ROUNDS, _MANY_PANELS = 8, 32  # rounds after which a row has so many such panels
_SHARE = 1e-13  # of a row's integral that a panel may be wrong by

# Panels: a point of panel k lies at origin - lag + side * distance(u), low <= u <= high, with
# distance = scale * sinh(u), or exp(u) where scale is 0. Class i of a row stands at
# z + delta_i = origin + (delta_i - lag) + side * distance: with lag = delta_j and origin a steep
# point, the distance of class j from that point is known however small it is.
Panels = namedtuple("Panels", "row origin lag side scale low high")
# Their points: step = side * distance, and log_step = log(distance).
Points = namedtuple("Points", "row origin lag step log_step log_weights steep")


def taken(arrays, which):
    """A namedtuple of arrays, cut to some of their entries."""
    return type(arrays)(*(None if a is None else a[which] for a in arrays))


def joined(parts):
    """A namedtuple of arrays, from several of them; None where any has None."""
    columns = zip(*parts, strict=True)
    return type(parts[0])(
        *(None if any(a is None for a in c) else np.concatenate(c) for c in columns)
    )


def points_of(panels):
    """The Gauss points of panels: Points, arrays of shape (n_panels * POINTS,)."""
    row, origin, lag, side, scale, low, high = (
        np.repeat(column, POINTS).reshape(-1, POINTS) for column in panels
    )
    u = low + (high - low) * _PLACES
    steep = scale == 0
    with np.errstate(divide="ignore", under="ignore"):
        distance = np.where(steep, np.exp(u), scale * np.sinh(np.where(steep, 0.0, u)))
        log_step = np.where(steep, u, np.log(distance))
        log_slope = np.where(steep, u, np.log(scale * np.cosh(np.where(steep, 0.0, u))))
    log_weights = log_slope + np.log((high - low) * (_WEIGHTS / 2))
    flat = (a.ravel() for a in (row, origin, lag, side * distance, log_step, log_weights, steep))
    return Points(*flat)


def plain_pieces(length, scale, panel=_PANEL):
    """Panels of pieces that begin at a break: which piece, and the ends in the variable u."""
    reach = np.arcsinh(length / scale)
    panels = np.maximum(np.ceil(reach / panel), 1).astype(np.intp)
    which, number = _numbered(panels)
    width = (reach / panels)[which]
    return which, number * width, (number + 1) * width


def steep_pieces(log_length, depth):
    """The same for pieces that begin at a steep point, down to exp(-depth) of their length."""
    panels = np.searchsorted(_LOG_EDGES, depth)
    which, number = _numbered(panels)
    low = np.maximum(-_LOG_EDGES[number + 1], -depth[which])
    return which, log_length[which] + low, log_length[which] - _LOG_EDGES[number]


def _numbered(counts):
    """Which group each of sum(counts) items belongs to, and its number there."""
    which = np.repeat(np.arange(len(counts)), counts)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)


def resolve(panels, n_rows, evaluate, integrands):
    """Halve the panels that do not resolve the integrands of their row.

    Gauss-Legendre quadrature with n points is exact to degree 2 n - 1: where the Legendre
    coefficients of an integrand have fallen by a factor at degree n, the integral is wrong by
    about the square of it.

    Parameters
    ----------
    panels : Panels
    n_rows : int
    evaluate : callable
        Points -> a namedtuple of arrays with what the integrands need at the points.
    integrands : callable
        The same -> blocks of logs of summands, weights included, of shape (n_points, m).

    Returns
    -------
    namedtuple
        What `evaluate` gives for all points, in the order of their rows.
    """
    done, total = [], None
    for number in range(_ROUNDS):
        points = evaluate(points_of(panels))
        bad, total = _unresolved(panels.row, n_rows, list(integrands(points)), total)
        # So many panels, so narrow, are no kinks: the integrand is only rounded, and no smoother.
        rounded = number >= _FEW_ROUNDS and bad.sum() > _MANY_PANELS * n_rows
        if rounded or not bad.any():
            break
        if not bad.all():
            done.append(taken(points, np.repeat(~bad, POINTS)))
        panels = _halved(taken(panels, bad))
    if not done:
        return points
    points = joined([*done, points])
    return taken(points, np.argsort(points.row, kind="stable"))


def _halved(panels):
    middle = (panels.low + panels.high) / 2
    return joined([panels._replace(high=middle), panels._replace(low=middle)])


def _unresolved(row, n_rows, blocks, before):
    """Which panels are to be halved, and the rows' integrals over those that are not, in logs."""
    integrals, errors = zip(
        *(_integrals(block.reshape(len(row), POINTS, -1)) for block in blocks), strict=True
    )
    integral, error = np.concatenate(integrals, axis=1), np.concatenate(errors, axis=1)
    if before is None:
        before = np.full((n_rows, integral.shape[1]), -np.inf)
    whole = np.logaddexp(_row_log_sums(integral, row, n_rows), before)
    bad = np.any(error > np.maximum(whole, -1e300)[row] + np.log(_SHARE), axis=1)
    kept = np.where(bad[:, None], -np.inf, integral)
    return bad, np.logaddexp(_row_log_sums(kept, row, n_rows), before)


def _integrals(exponent):
    """Logs of the integrals over panels, and of their errors: (n_panels, m) each."""
    values = exponent - np.log(_WEIGHTS / 2)[:, None]
    peak = values.max(axis=1)
    values = np.exp(values - np.where(np.isfinite(peak), peak, 0.0)[:, None])
    tail = np.abs(np.matmul(_LAST_TWO, values)).sum(axis=1)
    with np.errstate(divide="ignore"):
        return peak + np.log(np.matmul(_WEIGHTS / 2, values)), peak + 2 * np.log(tail)


def _row_log_sums(terms, row, n_rows):
    """log sum exp over the panels of each row: (n_rows, m)."""
    peak = np.full((n_rows, terms.shape[1]), -np.inf)
    np.maximum.at(peak, row, terms)
    base = np.where(np.isfinite(peak), peak, 0.0)
    total = np.zeros(peak.shape)
    np.add.at(total, row, np.exp(terms - base[row]))
    with np.errstate(divide="ignore"):
        return base + np.log(total)


def log_sums(exponent, row, start):
    """log sum exp over each row's nodes, (n, m), and each node's share of its sum.

    Row k begins at node start[k]. A sum of nothing but zeros is -inf, its shares are zero.
    """
    peak = np.maximum.reduceat(exponent, start)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    share = np.exp(exponent - peak[row])
    total = np.add.reduceat(share, start)
    with np.errstate(divide="ignore"):
        log_sum = peak + np.log(total)
    share /= np.where(total > 0, total, 1.0)[row]
    return log_sum, share


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
    breaks = np.sort(np.clip(breaks, low[:, None], high[:, None]), axis=1)
    row, piece, end = pieces_between(breaks, low, high)
    origin, scale = breaks[row, piece], scale[row]
    which, first, last = plain_pieces(np.abs(end - origin), scale, panel)
    side, zero = np.sign(end - origin), np.zeros(len(which))
    panels = Panels(row[which], origin[which], zero, side[which], scale[which], first, last)
    points = points_of(panels)
    start = np.searchsorted(points.row, np.arange(len(breaks)))
    return Mesh(points.origin + points.step, points.log_weights, points.row, start)


def pieces_between(breaks, low, high):
    """From each break a piece to either side, as far as half-way to the next one or to the end.

    Parameters
    ----------
    breaks : ndarray of shape (n, n_breaks)
        Sorted, between low and high.
    low, high : ndarray of shape (n,)

    Returns
    -------
    row, piece : ndarray of int of shape (n_pieces,)
        The row, and the number of the break there.
    end : ndarray of shape (n_pieces,)
        Where the piece ends; none is empty.
    """
    middle = (breaks[:, :-1] + breaks[:, 1:]) / 2
    end = np.empty((len(breaks), 2 * breaks.shape[1]))
    end[:, 0], end[:, -1] = low, high
    end[:, 1:-1] = np.repeat(middle, 2, axis=1)
    row, piece = np.nonzero(np.repeat(breaks, 2, axis=1) != end)
    return row, piece // 2, end[row, piece]
