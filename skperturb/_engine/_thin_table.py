"""Tables for thin tails: equidistant nodes and grid, cut out of one lattice.

Nodes and grid are multiples of one lattice step, so that the noise is evaluated once, at a few
thousand points, and every table tried is cut out of those. :func:`build_thin_table` makes the
window so wide that what lies outside cannot matter, and takes the coarsest table whose log p agrees
to ``TARGET`` with the integral over the whole lattice, which uses no table.
"""

from collections import namedtuple
from contextlib import suppress

import numpy as np

from ..noise import SMALLEST_TAIL, has_thin_tails, interquartile_range
from ._table import (
    ORDER,
    NotTabulableError,
    Table,
    hard_patterns,
    interpolation_weights,
    log_sum,
    padded,
)

TARGET = 1e-10  # error of log p
# -log of the smallest probability that a table gives: a small table for nearly all rows, and a
# large one, of which the first that is not too large is taken (exp(-690) = 1e-300).
_NEAR, _FAR = (25.0,), (690.0, 345.0, 190.0, 95.0, 60.0, 40.0)
_LARGEST = 8 * 2**20 // (3 * 8)  # numbers in one of a table's three arrays: 8 MB in all
_NEGLIGIBLE = 32.0  # an integrand exp(-32) = 1e-14 below its peak is outside the window
_STRIDES = np.arange(2, 25)  # of grid and nodes, in lattice steps
_REFINEMENTS = 3  # lattices tried, each of half the step


def _cut(lattice, grid_stride, node_stride):
    """The table with every so many points of a lattice."""
    depth, reach, grid_reach = lattice.geometry[:3]
    step = grid_stride * lattice.step
    # Round up at both ends: the last cell needs ORDER // 2 rows beyond it.
    n_grid = padded(int(np.ceil(grid_reach / step)) + ORDER)
    n_nodes = padded(lattice.n_window // node_stride + 1)
    grid = grid_stride * (np.arange(n_grid) - (ORDER // 2 - 1))
    nodes = node_stride * np.arange(n_nodes)
    place = lattice.margin + grid[:, None] + nodes
    return Table(
        lattice.start + lattice.step * (lattice.margin + nodes),
        np.full(n_nodes, np.log(node_stride * lattice.step)),
        lattice.log_cdf[place],
        lattice.log_hazard[place],
        depth=depth,
        reach=reach,
        grid_reach=grid_reach,
        step=step,
    )


def build_thin_table(law, n_classes, near=None, target=TARGET):
    """Table of a law with thin tails for up to `n_classes` classes.

    Parameters
    ----------
    law : Noise or Interpolant
    n_classes : int
        Largest number of classes the table is to serve, see ``_table.class_tier``.
    near : Table, default=None
        Without it the small table is built, which reaches to p = 1e-11; with the small table, the
        large one, which reaches as far down as its size allows.
    target : float, default=TARGET
        Error of log p that is allowed.

    Returns
    -------
    Table

    Raises
    ------
    NotTabulableError
        If the law has kinks or heavy tails, if log p is not right to `target` on the finest
        lattice, or if the table would be too large.
    """
    if law.kinks or not has_thin_tails(law):
        raise NotTabulableError
    with np.errstate(invalid="ignore"):  # of a table that is refused
        return _build(law, n_classes, near, target)


def _build(law, n_classes, near, target):
    for depth in _FAR if near else _NEAR:
        geometry = _find_geometry(law, n_classes, depth)
        # A deeper table is at least as fine as the near one.
        if near and _n_cells(geometry, near.step, np.exp(near.log_weight[0])) > _LARGEST:
            continue
        with suppress(NotTabulableError):
            table = _tabulate(law, n_classes, geometry, target)
            if table.log_cdf.size <= _LARGEST:
                return table
    raise NotTabulableError


def _n_cells(geometry, step, spacing):
    return geometry.grid_reach / step * (geometry.high - geometry.low) / spacing


def _tabulate(law, n_classes, geometry, target):
    """The coarsest table that reaches the target."""
    step = geometry.step
    for _ in range(_REFINEMENTS):
        lattice = _Lattice(law, geometry, step)
        finest = _error(lattice, n_classes, _STRIDES[0], _STRIDES[0])
        if finest <= target:
            break
        step /= 2
    else:
        raise NotTabulableError
    # Half the error to the grid, the rest to the nodes.
    grid_stride = _coarsest(lambda g: _error(lattice, n_classes, g, _STRIDES[0]), target / 2)
    node_stride = _coarsest(lambda q: _error(lattice, n_classes, grid_stride, q), target)
    return _cut(lattice, grid_stride, node_stride)


class _Lattice:
    """The noise at equidistant points: all that tables of one geometry consist of."""

    def __init__(self, law, geometry, step):
        self.step, self.geometry = step, geometry
        self.margin = (ORDER // 2 - 1) * _STRIDES[-1]
        self.n_window = int(np.ceil((geometry.high - geometry.low) / step))
        self.start = geometry.low - self.margin * step
        n_grid = int(np.ceil(geometry.grid_reach / step))
        # Room for what rounds grid and nodes up to multiples of ORDER.
        room = (5 * ORDER // 2 + 1) * _STRIDES[-1]
        points = self.start + step * np.arange(self.margin + self.n_window + n_grid + room)
        self.log_cdf = law.logcdf(points)
        self.log_hazard = law.log_hazard(points)

    def window(self, function, shift, stride=1):
        """A function on the lattice over the window, `shift` steps to the right."""
        start = self.margin + shift
        return function[start : start + self.n_window + 1 : stride]


def _coarsest(error, allowed):
    """The largest stride whose error is allowed, by bisection."""
    low, high = 0, len(_STRIDES)
    while high - low > 1:
        middle = (low + high) // 2
        if error(_STRIDES[middle]) <= allowed:
            low = middle
        else:
            high = middle
    return int(_STRIDES[low])


_Geometry = namedtuple("_Geometry", "depth reach grid_reach low high step")


def _find_geometry(law, n_classes, depth):
    """Window of z, both reaches, and a first lattice step, from the tails of the noise."""
    iqr = interquartile_range(law)
    step = iqr / 8
    z = np.arange(law.ppf(SMALLEST_TAIL), law.isf(SMALLEST_TAIL), step)
    log_cdf, log_pdf = law.logcdf(z), law.logpdf(z)

    def lower_of_two(shift):
        """Integrand of the lower of two classes, `shift` steps below the other."""
        return log_pdf[shift:] + log_cdf[: len(z) - shift]

    def first(is_beyond):
        """The first shift for which it is true, by bisection."""
        low, high = 0, len(z) - 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if is_beyond(middle) else (middle, high)
        return high

    def log_p_of_lower(shift):
        return log_sum(lower_of_two(shift)) + np.log(step)

    reach = first(lambda shift: log_p_of_lower(shift) < -depth)
    winner = np.exp(lower_of_two(reach) - log_sum(lower_of_two(reach)))

    def loss_to_others(shift):
        """What n_classes classes `shift` steps below the best take from the lower of two."""
        here = log_cdf[shift : shift + len(winner)]
        return -n_classes * (winner[: len(here)] @ here)

    harmless = first(lambda shift: loss_to_others(shift) < TARGET / 10)
    grid_reach = max(reach, harmless)
    # The cases whose integrand lies furthest to each side: one class far above all others,
    # the lower of two classes at the edge of the table, and all classes equal.
    cases = (log_pdf, lower_of_two(reach), log_pdf + (n_classes - 1) * log_cdf)
    ends = [z[np.flatnonzero(case > case.max() - _NEGLIGIBLE)[[0, -1]]] for case in cases]
    low, high = np.min(ends) - step, np.max(ends) + step
    return _Geometry(depth, reach * step, grid_reach * step, low, high, step / 4)


def _error(lattice, n_classes, grid_stride, node_stride):
    """Largest |error of log p| over hard patterns, whose distances sit in the middle of a cell.

    There the interpolation is worst.
    """
    n_cells = int(0.95 * lattice.geometry.reach / lattice.step) // grid_stride
    spread = [
        int(cell) * grid_stride + grid_stride // 2
        for cell in np.linspace(0, n_cells, 7).astype(int)
    ]
    return max(
        abs(
            _table_log_proba(lattice, grid_stride, node_stride, *pattern)
            - _lattice_log_proba(lattice, *pattern)
        )
        for pattern in hard_patterns(spread, n_classes)
    )


def _table_log_proba(lattice, grid_stride, node_stride, delta, count, target):
    """What the table of these strides gives; deltas in lattice steps."""

    def interpolated(function, d):
        first, weights = interpolation_weights(np.array(d / grid_stride))
        rows = first + np.arange(ORDER) - (ORDER // 2 - 1)
        return sum(
            weight * lattice.window(function, grid_stride * row, node_stride)
            for weight, row in zip(weights, rows, strict=True)
        )

    exponent = interpolated(lattice.log_hazard, target)
    for d, m in zip([0, *delta], [1, *count], strict=True):
        exponent += m * interpolated(lattice.log_cdf, d)
    return log_sum(exponent) + np.log(node_stride * lattice.step)


def _lattice_log_proba(lattice, delta, count, target):
    """The same integral over all of the lattice."""
    exponent = lattice.window(lattice.log_hazard, target).copy()
    for d, m in zip([0, *delta], [1, *count], strict=True):
        exponent += m * lattice.window(lattice.log_cdf, d)
    return log_sum(exponent) + np.log(lattice.step)
