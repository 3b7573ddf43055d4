"""Tables for heavy tails: nodes that widen with the distance, so that they reach far enough.

The winning value of Student-t or Cauchy noise may lie anywhere, but has features only where a class
stands, within the table's reach below the best. There the nodes are equidistant; beyond, to
both sides, their distances grow doubly exponentially:

    z(u) = u + s e(u / s - 3) - s e(-(u + reach) / s - 3),   e(x) = exp(sinh(x / 2) * 2),

u equidistant, an analytic map, so that the trapezoid rule in u converges exponentially. The grid
of delta is equidistant and ends at the reach. Both sizes grow with the reach, so that there are
tables of several reaches. Rows with a class beyond all are integrated directly.
"""

from functools import cache

import numpy as np
from scipy.optimize import brentq

from ..noise import SMALLEST_TAIL
from ._table import (
    ORDER,
    NotTabulableError,
    Table,
    hard_patterns,
    interpolation_weights,
    log_sum,
    padded,
)

# Errors of log p: the first that a table reaches.
TARGETS = 2e-10, 1e-9
REACHES = (6.0, 15.0, 40.0, 90.0, 150.0)  # of the tables, in interquartile ranges
# Distances of nodes and of grid points that are tried, in units of the interquartile range.
_SPACINGS = np.array([0.3, 0.25, 0.2, 0.17, 0.14, 0.12, 0.1, 0.08, 0.06])
_STEPS = np.array([0.08, 0.065, 0.05, 0.04, 0.03, 0.025, 0.02])
# And those that are tried first where a target is above _COARSE.
_COARSE, _WIDER, _LONGER = 1e-8, np.array([0.6, 0.5, 0.4]), np.array([0.3, 0.2, 0.12])
_FINEST = 0.5  # of the smallest spacing: what errors are measured against
_LARGEST = 1 << 22  # numbers in one of the three arrays: 100 MB in all
_TAIL = 1e-12  # share of the probability of the reach that lies beyond the last node
# Where the nodes end below the best: so many reaches, or where so small a share of the probability
# of the reach lies beyond, if that is further; of two classes at least its square counts.
_LEFT, _LEFT_TAIL = 1e4, 1e-7
_GROWTH = 0.5  # of the exponent of the distances of the nodes


def build_heavy_table(law, n_classes, level=0, targets=TARGETS):
    """Table of a heavy-tailed law without kinks for up to `n_classes` classes.

    Parameters
    ----------
    law : Interpolant
    n_classes : int
        See ``_table.class_tier``.
    level : int, default=0
        Which of ``REACHES`` it has.
    targets : sequence of float, default=TARGETS
        Errors of log p: the first that a table reaches.

    Returns
    -------
    Table

    Raises
    ------
    NotTabulableError
        If the law has kinks, or if the table would be too large.
    """
    if law.kinks:
        raise NotTabulableError
    width = _middle_half(law)
    for target in targets:
        table = _build(law, n_classes, width, REACHES[level] * width, target)
        if table is not None:
            return table
    raise NotTabulableError


def _middle_half(law):
    """Interquartile range, of which a convolution knows an upper bound only."""
    low, high = law.ppf(0.25), law.isf(0.25)

    def quartile(q):
        def excess(x):
            return law.logcdf(np.array([x]))[0] - np.log(q)

        return brentq(excess, low - (high - low), high + (high - low))

    return quartile(0.75) - quartile(0.25)


def reaches(law):
    """Of the tables of all levels, to the last digit."""
    return _middle_half(law) * np.array(REACHES)


def _build(law, n_classes, width, reach, target):
    """The coarsest table whose log p is right to `target`; None if there is none that is small."""
    patterns = _patterns(n_classes, reach)

    def values(nodes, step):
        functions = _at_nodes(law, nodes[0], step)
        return np.array([_log_proba(functions, nodes[1], *pattern) for pattern in patterns])

    exact = values(_nodes(law, width, reach, _FINEST * _SPACINGS[-1] * width), None)

    def error(nodes, step):
        return np.abs(values(nodes, step) - exact).max()

    coarse = target > _COARSE
    for spacing in width * np.append(_WIDER if coarse else [], _SPACINGS):
        nodes = _nodes(law, width, reach, spacing)
        if error(nodes, None) <= target / 2:
            break
    else:
        return None
    for step in width * np.append(_LONGER if coarse else [], _STEPS):
        n_grid = padded(int(np.ceil(reach / step)) + ORDER)
        if n_grid * len(nodes[0]) > _LARGEST:
            return None
        if error(nodes, step) <= target:
            break
    else:
        return None
    grid = step * (np.arange(n_grid) - (ORDER // 2 - 1))
    at = grid[:, None] + nodes[0]
    options = {"depth": np.inf, "reach": reach, "grid_reach": reach, "step": step}
    return Table(*nodes, *law.logcdf_and_hazard(at), **options)


def _nodes(law, width, reach, spacing):
    """Nodes and the log of their weights."""
    beyond = -_TAIL * np.expm1(law.logcdf(np.array([reach]))[0])
    high = width * (3 + _steps_to(law.isf(max(beyond, SMALLEST_TAIL)) / width))
    beyond = _LEFT_TAIL * np.exp(law.logcdf(np.array([-reach]))[0])
    # One tail may be thin.
    furthest = max(_LEFT * reach, -law.ppf(max(beyond, SMALLEST_TAIL)))
    low = -(reach + width * (3 + _steps_to(furthest / width)))
    u = low + spacing * np.arange(padded(int(np.ceil((high - low) / spacing))))
    a, b = u / width - 3, -(u + reach) / width - 3
    right, left = (np.exp(np.sinh(_GROWTH * x) / _GROWTH) for x in (a, b))
    slope = 1 + right * np.cosh(_GROWTH * a) + left * np.cosh(_GROWTH * b)
    return u + width * (right - left), np.log(spacing * slope)


def _steps_to(distance):
    """The x with exp(sinh(c x) / c) = distance."""
    return np.arcsinh(_GROWTH * np.log(distance)) / _GROWTH


def _patterns(n_classes, reach):
    """Hard patterns of any table, and some with classes at several distances."""
    many = n_classes - 1
    # The root keeps them off the points of any grid, where interpolation has no error.
    spread = np.sqrt(0.97) * reach * np.array([1e-3, 0.013, 0.037, 0.11, 0.31, 0.55, 0.97])
    patterns = hard_patterns(spread, n_classes)
    patterns += [([d, reach / 2], [1, many - 1], 0.0) for d in spread]
    patterns += [(list(spread), [many / len(spread)] * len(spread), d) for d in spread]
    return patterns


def _at_nodes(law, z, step):
    """The law's two functions at the nodes plus a distance: as a table of this step has them.

    With no step, they are the law's own. The patterns share their few distances.
    """

    @cache
    def at(d):
        if step is None:
            return law.logcdf_and_hazard(z + d)
        first, weights = interpolation_weights(np.array(d / step))
        rows = first + np.arange(ORDER) - (ORDER // 2 - 1)
        log_cdf, log_hazard = law.logcdf_and_hazard(z + step * rows[:, None])
        return weights @ log_cdf, weights @ log_hazard

    return at


def _log_proba(functions, log_weight, delta, count, target):
    """log p of a pattern."""
    exponent = log_weight + functions(target)[1]
    for d, m in zip([0.0, *delta], [1, *count], strict=True):
        exponent = exponent + m * functions(d)[0]
    return log_sum(exponent)
