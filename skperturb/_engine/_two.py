"""Two classes, for any noise: everything from one lookup in the law of the difference.

With d the score of the second class less that of the first, a small table serves nearly all rows,
a large one those that are further apart, and the kernel for any number of classes the rest.
"""

from functools import cached_property, partial

import numpy as np

from ._half_line import half_line
from ._sums import two
from ._table import NotTabulableError, merged


class TwoClassKernel:
    """Two classes of a law, by the tables of ``_half_line``.

    Parameters
    ----------
    law : Law
        With scale 1.
    general : callable
        Makes the kernel for any number of classes.
    information : callable
        See ``_kernels.expected_information``.

    Raises
    ------
    NotTabulableError
        If the law has no table.
    """

    fewest_scores = 1 << 16
    by_margin = True

    def __init__(self, law, general, information):
        self._law, self._make_general, self._information = law, general, information
        self._near = half_line(law)

    @cached_property
    def _general(self):
        return self._make_general()

    @property
    def _far(self):
        try:
            return half_line(self._law, True)
        except NotTabulableError:
            return self._near

    def proba(self, scores):
        return self.margin_proba(_margins(scores))

    def log_proba(self, scores):
        d = _margins(scores)

        def tabulated(table, rows):
            log_q = two.functions(table, d[rows], 1.0)[:, 0]
            both = np.column_stack([log_q, np.log1p(-np.exp(log_q))])
            return np.where(d[rows, None] > 0, both, both[:, ::-1])

        return self._routed(tabulated, lambda rows: self._general.log_proba(scores[rows]), d)

    def log_likelihood(self, scores, y):
        d = _margins(scores)

        def tabulated(table, rows):
            log_q, g, _, _ = two.functions(table, d[rows], 1.0).T
            q, winning = np.exp(log_q), (d[rows] > 0) == (y[rows] == 1)
            log_p = np.where(winning, np.log1p(-q), log_q)
            slope = np.where(winning, g * q / (1 - q), g) / table.unit
            slope *= np.where(y[rows] == 1, 1.0, -1.0)
            return log_p, np.column_stack([-slope, slope])

        def general(rows):
            return self._general.log_likelihood(scores[rows], y[rows])

        return self._routed(tabulated, general, d)

    def hessian(self, scores, y):
        d, sign = _margins(scores), np.where(y == 1, 1.0, -1.0)

        def tabulated(table, rows):
            weight = np.ones(len(d[rows]))
            _, _, curvature, _ = two.log_loss(table, d[rows], sign[rows], weight, 1.0)
            return _matrices(-curvature)

        return self._routed(tabulated, lambda rows: self._general.hessian(scores[rows], y[rows]), d)

    def potential(self, scores):
        d = _margins(scores)

        def tabulated(table, rows):
            area = two.functions(table, d[rows], 1.0)[:, 3] * table.unit
            return scores[rows].max(axis=1) - area

        return self._routed(tabulated, lambda rows: self._general.potential(scores[rows]), d)

    def potential_and_proba(self, scores):
        return self.potential(scores), self.proba(scores)

    def jacobian(self, scores):
        d = _margins(scores)

        def tabulated(table, rows):
            log_q, g, _, _ = two.functions(table, d[rows], 1.0).T
            return _matrices(g * np.exp(log_q) / table.unit)

        return self._routed(tabulated, lambda rows: self._general.jacobian(scores[rows]), d)

    def margin_proba(self, d, unit=1.0):
        """Probabilities of both classes (n, 2), for noise of that scale."""

        def general(rows):
            return self._general.proba(_scores(d[rows] / unit))

        return self._routed(lambda table, rows: two.proba(table, d[rows], unit), general, d, unit)

    def margin_log_loss(self, d, sign, weight, unit):
        """See ``_two_numpy.log_loss``."""

        def general(rows):
            scores, y = _scores(d[rows] / unit), (sign[rows] > 0).astype(int)
            share = weight[rows]
            log_p, gradient = self._general.log_likelihood(scores, y)
            curvature = -self._general.hessian(scores, y)[:, 1, 1]
            information = self._information(self._general, scores)[:, 1, 1]
            return (
                -share @ log_p,
                -share * gradient[:, 1] / unit,
                share * curvature / unit**2,
                share * information / unit**2,
            )

        return self._summed(two.log_loss, general, d, sign, weight, unit)

    def margin_fenchel_young(self, d, sign, weight, unit):
        """See ``_two_numpy.fenchel_young``."""

        def general(rows):
            scores, second, share = _scores(d[rows] / unit), sign[rows] > 0, weight[rows]
            loss = unit * self._general.potential(scores) - np.where(second, d[rows], 0.0)
            slope = share * (self._general.proba(scores)[:, 1] - second)
            curvature = share * self._general.jacobian(scores)[:, 1, 1] / unit
            return share @ loss, slope, curvature, curvature

        return self._summed(two.fenchel_young, general, d, sign, weight, unit)

    def _summed(self, function, general, d, sign, weight, unit):
        def tabulated(table, rows):
            return function(table, d[rows], sign[rows], weight[rows], unit)

        return self._routed(tabulated, general, d, unit)

    def _routed(self, tabulated, general, d, unit=1.0):
        """What a function of a table and of rows gives, each row with the table that holds it.

        Numbers are summed, and arrays put together.
        """
        distance = np.abs(d)
        if distance.max(initial=0.0) <= self._near.reach * unit:
            return tabulated(self._near, slice(None))
        near, far = distance <= self._near.reach * unit, self._far
        within = ~near & (distance <= far.reach * unit)
        routes = [(partial(tabulated, self._near), near), (partial(tabulated, far), within)]
        routes.append((general, ~(near | within)))
        parts = [(rows, f(rows)) for f, rows in routes if rows.any()]
        return merged(len(d), parts)


def _margins(scores):
    return scores[:, 1] - scores[:, 0]


def _scores(d):
    return np.column_stack([np.zeros_like(d), d])


def _matrices(second):
    """Matrices (n, 2, 2) in the scores from second derivatives (n,) in their difference."""
    return second[:, None, None] * np.array([[1.0, -1.0], [-1.0, 1.0]])
