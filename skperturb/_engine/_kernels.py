"""Scores in, probabilities and gradients out, for one noise law.

A kernel has these methods, all vectorised over rows:

    proba(scores), log_proba(scores) -> log_p of shape (n, K): log P(class i wins), all classes
    log_likelihood(scores, y) -> (log_p_y of shape (n,), gradient of shape (n, K)):
                              log P(class y wins) and its derivative in the scores
    hessian(scores, y)     -> (n, K, K): the second derivative of log_p_y
    second_order(scores, y) -> log_likelihood's two and the Hessian, in one pass if a kernel can;
                              UnitKernel always has it
    potential_and_proba(scores) -> the next and p, which some kernels find in one pass
    potential(scores)      -> G of shape (n,): E[max(scores + noise) - max(noise)], with gradient p
    jacobian(scores)       -> (n, K, K): the derivative of p, which is the Hessian of G
    hessian_product(scores, y, v), jacobian_product(scores, v) -> (n, K): those times v (n, K),
                              without such matrices if a kernel can; UnitKernel always can

``scores`` is a finite float array (n, K), K >= 2; a common shift of a row changes nothing.
``by_margin`` says whether two classes need the difference of their scores only, see ``_two``.
``fewest_scores`` is how many are worth a thread of their own, about a millisecond.

    TwoClassKernel  two classes of any smooth law, by the table of ``_half_line``
    SoftmaxKernel   Gumbel noise, in closed form
    TableKernel     smooth laws, by the tables of ``_thin_table`` and ``_heavy_table``; ``_deep``
                    gives what those do not
    PieceKernel     noise with kinks that states its CDF between them
    CellKernel      any law without infinite densities, row by row: other noise with kinks
    DirectKernel    any law with a density, on a mesh for each row
    DiscreteKernel  discrete noise, whose likelihood has no slope

They know the standard member of a family only; :class:`UnitKernel` puts scores into its unit, and
gives threads blocks of rows, so that the work space does not grow with n.

With E_q the normalised summands of the integral for class y, r the reversed hazard, j, k != y:

    d log p_y / d theta_j             = -E_q[r_j],                 r_j = r(z_q + delta_j),
    d2 log p_y / d theta_j d theta_k  = E_q[r_j r_k] - E_q[r_j] E_q[r_k] + (j = k) E_q[r'_j],

and the entries of a row, y's own included, sum to zero.
"""

from contextlib import suppress
from functools import cached_property, partial
from threading import Lock

import numpy as np

from .._cache import cache, remembered
from .._threads import map_threads, row_slices
from .._warnings import warn_user
from ..noise import SMALLEST_TAIL, interquartile_range
from ._cells import row_kernel
from ._deep import Deep
from ._discrete import DiscreteKernel
from ._heavy_table import build_heavy_table, reaches
from ._interpolant import tabulated_law
from ._pieces import PieceKernel
from ._products import by_matrices, hessian_product, jacobian_product
from ._softmax import SoftmaxKernel
from ._sums import sums
from ._table import NotTabulableError, class_tier, merged
from ._thin_table import build_thin_table
from ._translation import below_best, furthest
from ._two import TwoClassKernel

_MOST_MARGINS = 1 << 18  # of a block of rows of two classes
_MOST_SCORES = 1 << 16  # of a block of rows: what a processor's cache holds
# exp(-690) = 1e-300: below this a sum of probabilities loses digits, and then everything.
_UNDERFLOW = -690.0
_FURTHEST = 1e300  # score
# Largest z P(noise > z) of interquartile ranges: 0.6 for Cauchy noise, more with fewer moments.
_INTEGRABLE = 10.0


def make_kernel(law, n_classes):
    """The fastest kernel that is exact for a noise law.

    Parameters
    ----------
    law : Noise or convolution
        Distribution of the noise on the scores.
    n_classes : int
        Number of classes, at least 2.

    Returns
    -------
    object with the methods above
    """
    return _unit_kernel(law, 2 if n_classes == 2 else class_tier(n_classes))


@remembered
def _unit_kernel(law, tier):
    return UnitKernel(_standard_kernel(law.standard(), tier), law)


@remembered
def _standard_kernel(law, tier):
    if tier == 2 and not law.discrete:
        general = partial(_standard_kernel, law, class_tier(2))
        try:
            return TwoClassKernel(law, general, expected_information)
        except NotTabulableError:
            return general()
    if law.closed_form:
        return SoftmaxKernel()
    if law.discrete:
        return DiscreteKernel(law)
    if law.branches:
        return PieceKernel(law)
    law, thin = tabulated_law(law)
    try:
        return TableKernel(law, tier, thin)
    except NotTabulableError:
        return row_kernel(law)


def expected_information(kernel, scores):
    """Fisher information of the scores: E_y[gradient gradient^T], of shape (n, K, K).

    Equal to J diag(1 / p) J with J the Jacobian, because p_y has the gradient J_y. Positive
    semidefinite for every noise, also where minus the Hessian of log p_y is not.
    """
    p, jacobian = kernel.proba(scores), kernel.jacobian(scores)
    # A class of probability zero, whose row of J is zero, tells nothing.
    slope = jacobian / np.sqrt(np.where(p > 0, p, 1.0))[:, :, None]
    return slope.transpose(0, 2, 1) @ slope


class UnitKernel:
    """A kernel for the standard member of a family, for scores in another unit.

    Parameters
    ----------
    kernel : object with a kernel's methods
        Of the standard law.
    law : Law
        Its scale is the unit: scores are divided by it.
    """

    def __init__(self, kernel, law):
        self.standard, self._unit = kernel, law.scale
        self._lowest, self._name = law.standard().lowest_log_density, repr(law)

    def proba(self, scores):
        return self._by_rows(self.standard.proba, scores)[0]

    @property
    def by_margin(self):
        """Whether two classes need the difference of their scores only."""
        return self.standard.by_margin

    def margin_proba(self, d):
        """Probabilities of two classes (n, 2), from the differences of their scores (n,)."""
        if not self.by_margin:
            return self.proba(np.column_stack([np.zeros_like(d), d]))
        slices = row_slices(len(d), self.standard.fewest_scores, _MOST_MARGINS)
        parts = map_threads(lambda rows: self.standard.margin_proba(d[rows], self._unit), slices)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def margin_log_loss(self, d, sign, weight):
        """See ``_two_numpy.log_loss``."""
        return self.standard.margin_log_loss(d, sign, weight, self._unit)

    def margin_fenchel_young(self, d, sign, weight):
        """See ``_two_numpy.fenchel_young``."""
        return self.standard.margin_fenchel_young(d, sign, weight, self._unit)

    def log_proba(self, scores):
        (log_p,) = self._by_rows(self.standard.log_proba, scores)
        self._say_if_continued(log_p)
        return log_p

    def log_likelihood(self, scores, y):
        log_p, gradient = self._by_rows(self.standard.log_likelihood, scores, y)
        self._say_if_continued(log_p)
        return log_p, gradient / self._unit if self._unit != 1 else gradient

    def hessian(self, scores, y):
        (out,) = self._by_rows(self.standard.hessian, scores, y)
        return out / self._unit / self._unit

    def second_order(self, scores, y):
        at_once = getattr(self.standard, "second_order", None)
        function = at_once or partial(_second_order, self.standard)
        log_p, gradient, hessian = self._by_rows(function, scores, y)
        self._say_if_continued(log_p)
        if self._unit == 1:
            return log_p, gradient, hessian
        return log_p, gradient / self._unit, hessian / self._unit / self._unit

    def potential(self, scores):
        (out,) = self._by_rows(self.standard.potential, scores)
        return self._unit * out

    def potential_and_proba(self, scores):
        out, p = self._by_rows(self.standard.potential_and_proba, scores)
        return self._unit * out, p

    def jacobian(self, scores):
        (out,) = self._by_rows(self.standard.jacobian, scores)
        return out / self._unit

    def hessian_product(self, scores, y, v):
        by_rows = getattr(self.standard, "hessian_product", None)
        product = by_rows or partial(by_matrices, self.standard.hessian)
        return self._by_rows(product, scores, y, v)[0] / self._unit / self._unit

    def jacobian_product(self, scores, v):
        by_rows = getattr(self.standard, "jacobian_product", None)
        product = by_rows or partial(by_matrices, self.standard.jacobian)
        return self._by_rows(product, scores, v)[0] / self._unit

    def _say_if_continued(self, log_p):
        """Warn of log probabilities that stand on a tail that the law itself does not give."""
        if self._lowest == -np.inf:
            return
        below = np.sum((log_p < self._lowest) & np.isfinite(log_p))
        if below:
            warn_user(
                f"{below} log probabilities are below {self._lowest:.0f}, the smallest being "
                f"{log_p[np.isfinite(log_p)].min():.4g}. The density of {self._name} underflows "
                "there in scipy, so that its tail is continued by a parabola in the log: the "
                "probabilities are 0 in floating point, but their logs may be inexact.",
                RuntimeWarning,
            )

    def _by_rows(self, function, scores, *y):
        """The arrays that a function of rows returns, of blocks of rows that threads share."""
        n, n_classes = scores.shape
        most = max(1, _MOST_SCORES // n_classes)
        slices = row_slices(n, max(1, self.standard.fewest_scores // n_classes), most)
        outs = []

        def fill(rows):
            results = function(self._in_units(scores[rows]), *(array[rows] for array in y))
            results = results if isinstance(results, tuple) else (results,)
            if len(slices) == 1:
                outs.extend(results)
                return
            with lock:
                if not outs:
                    outs.extend(np.empty((n, *result.shape[1:])) for result in results)
            for out, result in zip(outs, results, strict=True):
                out[rows] = result

        lock = Lock()
        map_threads(fill, slices)
        return outs

    def _in_units(self, scores):
        if self._unit == 1:
            return scores
        with np.errstate(over="ignore"):
            scaled = scores / self._unit
        # What has overflown is beyond any noise all the same.
        return scaled if self._unit >= 1 else np.clip(scaled, -_FURTHEST, _FURTHEST, out=scaled)


def _second_order(kernel, scores, y):
    return *kernel.log_likelihood(scores, y), kernel.hessian(scores, y)


class TableKernel:
    """A smooth law by tables.

    Nearly all rows use a small table, rows with a class further below the best a larger one. What
    is further away than that is integrated without tables: with thin tails such a class does
    not matter to the others, so that its own probability is all that is missing; with heavy
    tails it does, and the whole row is integrated.

    Parameters
    ----------
    law : Law
    tier : int
        See ``_table.class_tier``.
    thin : bool, default=True
        Whether the law has thin tails.

    Raises
    ------
    NotTabulableError
        If the law has no small table.
    """

    fewest_scores = 1 << 12
    by_margin = False

    def __init__(self, law, tier, thin=True):
        self._law, self._tier, self._thin = law, tier, thin
        self._near = build_thin_table(law, tier) if thin else build_heavy_table(law, tier)
        self._deep, self._furthest = Deep(law, row_kernel), furthest(law)
        self._heavy_reaches = None if thin else reaches(law)
        self._key = "table", law.key(), tier  # slow to make, for some laws

    def _table(self, level):
        """The table of a level, 0 being the small one; None if there is none."""
        if level == 0:
            return self._near
        # It is large: only the cache keeps it.
        return cache.get((*self._key, level), partial(self._build_table, level))

    def _build_table(self, level):
        with suppress(NotTabulableError):
            if self._thin:
                return build_thin_table(self._law, self._tier, self._near)
            return build_heavy_table(self._law, self._tier, level)
        return self._near if self._thin else None

    def _reaches(self):
        """Of all levels."""
        if self._thin:
            return np.array([self._near.reach, self._table(1).reach])
        return self._heavy_reaches

    def proba(self, scores):
        # A probability that is 0 in floating point need not be integrated first.
        log_p = self._log_proba(scores, below_underflow=False)
        return np.exp(log_p, out=log_p)

    def log_proba(self, scores):
        return self._log_proba(scores, below_underflow=True)

    def _log_proba(self, scores, below_underflow):
        complete = partial(self._complete, below_underflow)
        beyond = None if self._thin else self._deep.log_proba
        return self._routed(complete, beyond, sums.depth(scores), scores)

    def _complete(self, below_underflow, table, scores):
        """log p of all classes: from a table, and what it does not give."""
        log_p = sums.log_proba(table, scores)
        if log_p.min(initial=0.0) >= _UNDERFLOW:
            return log_p
        delta, outside = below_best(scores, self._furthest), log_p < _UNDERFLOW
        if not below_underflow:
            zero = outside & (delta >= self._vanishing(table))
            log_p[zero] = -np.inf
            outside &= ~zero
        self._deep.complete(log_p, delta, outside)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        return log_p

    def _vanishing(self, table):
        """Distance below the best from which on a probability is less than 2e-300."""
        # P(gamma_i - gamma_j > a + b) <= P(gamma_i > a) + P(gamma_j < -b) for any a and b.
        distance = self._law.isf(SMALLEST_TAIL) - self._law.ppf(SMALLEST_TAIL)
        if not self._law.log_concave:
            return distance
        # log p of the lower of two classes is then concave in the distance: beyond the table's
        # reach it lies below the line from 0 through the table's end.
        return min(distance, -_UNDERFLOW * table.reach / table.depth)

    def log_likelihood(self, scores, y):
        return self._routed(
            sums.log_likelihood, self._deep.log_likelihood, self._depth(scores, y), scores, y
        )

    def second_order(self, scores, y):
        return self._routed(sums.second_order, self._beyond, self._depth(scores, y), scores, y)

    def _beyond(self, scores, y):
        return *self._deep.log_likelihood(scores, y), self._deep.mesh.hessian(scores, y)

    def hessian(self, scores, y):
        return self.second_order(scores, y)[2]

    def jacobian(self, scores):
        # With thin tails the classes beyond the large table have probabilities that vanish beside
        # the error of the others'.
        beyond = None if self._thin else self._deep.mesh.jacobian
        return self._routed(sums.jacobian, beyond, sums.depth(scores), scores)

    def hessian_product(self, scores, y, v):
        beyond = partial(by_matrices, self._deep.mesh.hessian)
        return self._routed(hessian_product, beyond, self._depth(scores, y), scores, y, v)

    def jacobian_product(self, scores, v):
        beyond = None if self._thin else partial(by_matrices, self._deep.mesh.jacobian)
        return self._routed(jacobian_product, beyond, sums.depth(scores), scores, v)

    def potential(self, scores):
        return self.potential_and_proba(scores)[0]

    def potential_and_proba(self, scores):
        depth = sums.depth(scores)
        if self._thin:
            gap, log_p = sums.potential_and_log_proba(self._near, scores)
            p = np.exp(log_p, out=log_p)
            beyond = depth > self._near.reach
            p[beyond] = self.proba(scores[beyond])
        elif self._tails_are_integrable:
            gap, p = self._routed(_gap_and_proba, self._direct_gap_and_proba, depth, scores)
        else:
            gap, p = self._direct_gap_and_proba(scores)
        return scores.max(axis=1) + gap, p

    @cached_property
    def _tails_are_integrable(self):
        """Whether the integral of the tail probability does not swallow a table's digits."""
        ends = self._law.isf(SMALLEST_TAIL), -self._law.ppf(SMALLEST_TAIL)
        return max(ends) * SMALLEST_TAIL <= _INTEGRABLE * interquartile_range(self._law)

    def _direct_gap_and_proba(self, scores):
        height, p = self._deep.mesh.potential_and_proba(scores)
        return height - scores.max(axis=1), p

    def _depth(self, scores, y):
        """How far below the best the class is whose distance the integral for y depends on."""
        return sums.depth(scores, y if self._thin else None)

    def _routed(self, tabulated, beyond, depth, *arrays):
        """What a function of rows gives, each with the table that is deep enough for it.

        Parameters
        ----------
        tabulated : callable
            A function of a table and the arrays.
        beyond : callable or None
            A function of the arrays, for rows that are deeper than any table; None if the largest
            table serves them as well.
        depth : ndarray of shape (n,)
        *arrays : ndarray of shape (n, ...)
        """
        if np.all(depth <= self._near.reach):
            return tabulated(self._near, *arrays)
        reaches = self._reaches()
        levels, parts = np.searchsorted(reaches, depth), []
        if beyond is None:
            levels = np.minimum(levels, len(reaches) - 1)
        for level in np.unique(levels):
            rows = levels == level
            table = self._table(level) if level < len(reaches) else None
            function = beyond if table is None else partial(tabulated, table)
            parts.append((rows, function(*(array[rows] for array in arrays))))
        return merged(len(depth), parts)


def _gap_and_proba(table, scores):
    """The potential less the best score, and p."""
    gap, log_p = sums.potential_and_log_proba(table, scores)
    return gap, np.exp(log_p, out=log_p)
