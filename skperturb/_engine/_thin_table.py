"""From a noise to the numbers the kernel multiplies: quadrature nodes and tables.

Everything is measured from a row's largest score. Class j stands ``delta_j`` below it
(``delta_j = max(scores) - scores_j >= 0``), the winning value stands at ``z`` above it, and

    log P(winning value <= z)     = sum_j L(z + delta_j),            L = log CDF of the noise
    P(class i wins)               = integral r(z + delta_i) exp(sum_j L(z + delta_j)) dz,

where r = pdf / CDF is the reversed hazard. L, r and log r depend on the noise alone, so they
are tabulated once, on nodes z (columns) and a grid of delta (rows). The integral is a sum over
the nodes; a delta between grid points is reached by a polynomial through the ORDER nearest rows.
Nodes and grid are multiples of one lattice step, so that the noise is evaluated once, at a few
thousand points, and every table tried is cut out of those.

Accuracy is chosen here and nowhere else. :func:`build_table` makes the window so wide that what
lies outside cannot matter, and takes the coarsest table whose log p agrees to ``TARGET`` with the
integral over the whole lattice, which uses no table.
"""

from collections import namedtuple
from functools import lru_cache

import numpy as np

from ..noise import has_thin_tails, interquartile_range

ORDER = 8
TARGET = 1e-10
# -log of the smallest probability that a table gives: a small table for nearly all rows, and a
# large one, of which the first that is not too large is taken (exp(-690) = 1e-300).
_NEAR, _FAR = (25.0,), (690.0, 345.0, 190.0, 95.0, 60.0, 40.0)
_LARGEST = 8 * 2**20 // (3 * 8)  # numbers in one of a table's three arrays: 8 MB in all
_NEGLIGIBLE = 32.0  # an integrand exp(-32) = 1e-14 below its peak is outside the window
_TAIL = 1e-300  # the tail probability at which every search ends
_STRIDES = np.arange(2, 25)  # of grid and nodes, in lattice steps
_REFINEMENTS = 3  # lattices tried, each of half the step


class NotTabulableError(Exception):
    """No table that is small enough interpolates the law to TARGET."""


_LAGRANGE = np.linalg.inv(np.vander(np.arange(ORDER) - (ORDER - 1) / 2, increasing=True))
_LAGRANGE_SLOPE = np.zeros_like(_LAGRANGE)
_LAGRANGE_SLOPE[:-1] = np.arange(1, ORDER)[:, None] * _LAGRANGE[1:]


def interpolation_weights(position, powers=_LAGRANGE):
    """First row and ORDER weights for a position in grid steps."""
    first = position.astype(np.intp)
    u = np.empty((*position.shape, ORDER))
    u[..., 0] = 1.0
    u[..., 1] = position - first - 0.5
    for k in range(2, ORDER):
        np.multiply(u[..., k - 1], u[..., 1], out=u[..., k])
    return first, u @ powers


class Table:
    """Nodes, grid and tabulated functions of one noise.

    Both sizes are multiples of ORDER, as the compiled sums want it.

    Attributes
    ----------
    depth : float
        -log of the smallest probability it gives.
    reach : float
        Largest delta of the class whose probability is asked for.
    grid_reach : float
        Largest delta of any class; one that is further away changes log p by less than TARGET.
    step, inverse_step : float
        Distance between grid points, and its inverse; the grid starts ``ORDER // 2 - 1`` steps
        below 0.
    nodes, log_weight : ndarray of shape (n_nodes,)
        Values of z, and the log of the weight of each in the integral.
    log_cdf, hazard, log_hazard : ndarray of shape (n_grid, n_nodes)
        L, r and log r at node + grid point.
    coarse_log_cdf, coarse_log_hazard, coarse_log_weight : ndarray
        The same at every ORDER-th node: they tell where an integrand is negligible. The last of
        these nodes is repeated, so that their number fills registers.
    powers, slope_powers : ndarray of shape (ORDER, ORDER)
        Row k: the coefficients of u**k in the ORDER interpolating polynomials, u the position
        less that of mid-cell, and in their derivatives.
    """

    def __init__(
        self,
        nodes,
        log_weight,
        log_cdf,
        log_hazard,
        *,
        depth,
        reach,
        grid_reach,
        step,
    ):
        self.depth, self.reach, self.grid_reach = depth, reach, grid_reach
        self.step, self.inverse_step = step, 1 / step
        self.nodes, self.log_weight = nodes, log_weight
        self.log_cdf, self.log_hazard = log_cdf, log_hazard
        self.hazard = np.exp(log_hazard)
        self.coarse_log_cdf, self.coarse_log_hazard, coarse_log_weight = map(
            _coarse, (log_cdf, log_hazard, log_weight[None])
        )
        self.coarse_log_weight = coarse_log_weight[0]
        self.powers, self.slope_powers = _LAGRANGE, _LAGRANGE_SLOPE

    def interpolation(self, delta):
        """Rows and weights that interpolate between the grid points.

        Parameters
        ----------
        delta : ndarray of shape (...,)
            Distances below the row's largest score; beyond the grid's reach the weights are zero.

        Returns
        -------
        first : ndarray of shape (...,), int
            The first of the ORDER consecutive rows.
        weights : ndarray of shape (..., ORDER)
            What each is multiplied by; within reach they sum to one.
        """
        return self._interpolate(delta, self.powers)

    def interpolation_slope(self, delta):
        """Rows and weights that interpolate the derivative in delta."""
        first, weights = self._interpolate(delta, self.slope_powers)
        return first, weights * self.inverse_step

    def _interpolate(self, delta, powers):
        beyond = delta > self.grid_reach
        first, weights = interpolation_weights(
            np.where(beyond, 0.0, delta) * self.inverse_step, powers
        )
        weights[beyond] = 0.0
        return first, weights


def _coarse(values):
    """Every ORDER-th column, the last one repeated up to a multiple of four."""
    columns = values[:, ::ORDER]
    return np.pad(columns, ((0, 0), (0, -columns.shape[1] % 4)), mode="edge")


def padded(size):
    """The next multiple of ORDER."""
    return -(-size // ORDER) * ORDER


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


def class_tier(n_classes):
    """The number of classes a table is built for: the next of 8, 32, 128, ...

    The winner of many classes varies less than one class does, so that more of them need
    finer tables.
    """
    tier = 8
    while tier < n_classes:
        tier *= 4
    return tier


@lru_cache(maxsize=64)
def build_table(law, n_classes, far=False):
    """Table of a noise law for up to `n_classes` classes; built once, then remembered.

    Parameters
    ----------
    law : Noise or Interpolant
        Anything hashable with ``logpdf``, ``logcdf``, ``log_hazard``, ``ppf`` and ``isf``.
    n_classes : int
        Largest number of classes the table is to serve, see :func:`class_tier`.
    far : bool, default=False
        The small table, which reaches to p = 1e-11, or the one that reaches as far down as
        its size allows.

    Returns
    -------
    Table

    Raises
    ------
    NotTabulableError
        If the law has kinks or heavy tails, if log p is not right to TARGET on the finest lattice,
        or if the table would be too large.
    """
    if law.kinks or not has_thin_tails(law):
        raise NotTabulableError
    with np.errstate(invalid="ignore"):  # of a table that is refused
        return _build(law, n_classes, far)


def _build(law, n_classes, far):
    near = build_table(law, n_classes) if far else None
    for depth in _FAR if far else _NEAR:
        geometry = _find_geometry(law, n_classes, depth)
        # A deeper table is at least as fine as the near one.
        if far and _n_cells(geometry, near.step, np.exp(near.log_weight[0])) > _LARGEST:
            continue
        table = _tabulate(law, n_classes, geometry)
        if table.log_cdf.size <= _LARGEST:
            return table
    raise NotTabulableError


def _n_cells(geometry, step, spacing):
    return geometry.grid_reach / step * (geometry.high - geometry.low) / spacing


def _tabulate(law, n_classes, geometry):
    """The coarsest table that reaches TARGET."""
    step = geometry.step
    for _ in range(_REFINEMENTS):
        lattice = _Lattice(law, geometry, step)
        finest = _error(lattice, n_classes, _STRIDES[0], _STRIDES[0])
        if finest <= TARGET:
            break
        step /= 2
    else:
        raise NotTabulableError
    # Half the error to the grid, the rest to the nodes.
    grid_stride = _coarsest(lambda g: _error(lattice, n_classes, g, _STRIDES[0]), TARGET / 2)
    node_stride = _coarsest(lambda q: _error(lattice, n_classes, grid_stride, q), TARGET)
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


def log_sum(exponent):
    """log(sum(exp(exponent)))."""
    peak = exponent.max()
    return peak + np.log(np.exp(exponent - peak).sum())


_Geometry = namedtuple("_Geometry", "depth reach grid_reach low high step")


def _find_geometry(law, n_classes, depth):
    """Window of z, both reaches, and a first lattice step, from the tails of the noise."""
    iqr = interquartile_range(law)
    step = iqr / 8
    z = np.arange(law.ppf(_TAIL), law.isf(_TAIL), step)
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
    """Largest |error of log p| over score patterns chosen to be hard for a table.

    A pattern is a few groups of equal classes below a best one: the groups' deltas, how many
    each holds, and the delta of the class asked for. Distances sit mid-cell, where
    interpolation is worst.
    """
    many = n_classes - 1
    n_cells = int(0.95 * lattice.geometry.reach / lattice.step) // grid_stride
    spread = [
        int(cell) * grid_stride + grid_stride // 2
        for cell in np.linspace(0, n_cells, 7).astype(int)
    ]
    patterns = [([spread[0]], [many], 0)]
    patterns += [([d], [1], d) for d in spread]
    patterns += [([d], [many], d) for d in spread]
    patterns += [([spread[0], d], [many - 1, 1], d) for d in spread]
    return max(
        abs(
            _table_log_proba(lattice, grid_stride, node_stride, *pattern)
            - _lattice_log_proba(lattice, *pattern)
        )
        for pattern in patterns
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
