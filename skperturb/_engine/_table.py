"""What all tables of a law share: their arrays, and interpolation between the points of the grid.

Everything is measured from a row's largest score. Class j stands ``delta_j`` below it
(``delta_j = max(scores) - scores_j >= 0``), the winning value stands at ``z`` above it, and

    log P(winning value <= z)     = sum_j L(z + delta_j),            L = log CDF of the noise
    P(class i wins)               = integral r(z + delta_i) exp(sum_j L(z + delta_j)) dz,

where r = pdf / CDF is the reversed hazard. L, r and log r depend on the noise alone, so they
are tabulated once, on nodes z (columns) and a grid of delta (rows). The integral is a sum over
the nodes; a delta between grid points is reached by a polynomial through the ORDER nearest rows.
"""

import numpy as np

ORDER = 8
_NEAR_ONE = -0.7  # log of a probability

_LAGRANGE = np.linalg.inv(np.vander(np.arange(ORDER) - (ORDER - 1) / 2, increasing=True))
_LAGRANGE_SLOPE = np.zeros_like(_LAGRANGE)
_LAGRANGE_SLOPE[:-1] = np.arange(1, ORDER)[:, None] * _LAGRANGE[1:]


class NotTabulableError(Exception):
    """No table that is small enough interpolates the law to the accuracy asked for."""


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
    nodes, log_weight, weight : ndarray of shape (n_nodes,)
        Values of z, the weight of each in the integral, and its log.
    log_cdf, hazard, log_hazard : ndarray of shape (n_grid, n_nodes)
        L, r and log r at node + grid point.
    coarse_log_cdf, coarse_log_hazard, coarse_log_weight : ndarray
        The same at every ORDER-th node: they tell where an integrand is negligible. The last of
        these nodes is repeated, so that their number fills registers.
    ordered : bool
        Whether log r is concave: then the nodes that matter to a class lie between those that
        matter to the classes above and below it.
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
        self.weight = np.exp(log_weight)
        # Rounding aside: what is negligible is so by far.
        with np.errstate(invalid="ignore"):
            turns = np.diff(np.diff(self.coarse_log_hazard, axis=0), axis=1)
        self.ordered = bool(np.all(turns <= 1e-9))
        self.powers, self.slope_powers = _LAGRANGE, _LAGRANGE_SLOPE

    def level(self, n_classes):
        """exp(S) at the nodes for equal classes: its sum less that of a row is the potential's.

        Far nodes have large weights. Where S is near 0 it is exp(S) - 1, which keeps the digits.
        """
        return self.exp_of(self._equal(n_classes), n_classes)

    def exp_of(self, log_cdf, n_classes):
        """exp(S) at the nodes, for the log CDF of the winner of rows (n, n_nodes), likewise."""
        near_one = self._equal(n_classes) > _NEAR_ONE
        return np.where(near_one, np.expm1(log_cdf), np.exp(log_cdf))

    def _equal(self, n_classes):
        return n_classes * self.log_cdf[ORDER // 2 - 1]

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


def class_tier(n_classes):
    """The number of classes a table is built for: the next of 8, 32, 128, ...

    The winner of many classes varies less than one class does, so that more of them need
    finer tables.
    """
    tier = 8
    while tier < n_classes:
        tier *= 4
    return tier


def hard_patterns(spread, n_classes):
    """Score patterns on which a table is tried, chosen to be hard for it.

    A pattern is a few groups of equal classes below a best one: the groups' deltas, how many
    each holds, and the delta of the class asked for.

    Parameters
    ----------
    spread : sequence of float
        Deltas from nearly 0 to nearly the table's reach.
    n_classes : int
    """
    many = n_classes - 1
    return [
        ([spread[0]], [many], 0),
        *(([d], [1], d) for d in spread),
        *(([d], [many], d) for d in spread),
        *(([spread[0], d], [many - 1, 1], d) for d in spread),
    ]


def log_sum(exponent):
    """log(sum(exp(exponent)))."""
    peak = exponent.max()
    return peak + np.log(np.exp(exponent - peak).sum())


def merged(n, parts):
    """What a function of rows gives, from pairs of a mask and what it gave for those rows.

    Arrays are put together to n rows, numbers are summed, and tuples are merged entry by entry.
    """
    first = parts[0][1]
    if isinstance(first, tuple):
        return tuple(merged(n, [(rows, r[k]) for rows, r in parts]) for k in range(len(first)))
    if np.ndim(first) == 0:
        return sum(value for _, value in parts)
    out = np.empty((n, *first.shape[1:]))
    for rows, values in parts:
        out[rows] = values
    return out
