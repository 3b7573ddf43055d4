"""The objective of two classes: one score a row, and the rows read from memory once."""

from itertools import pairwise

import numpy as np

from .._linalg import sum_of_tuples
from .._threads import map_threads
from ._objective import LinearObjective
from ._rows import SparseRows, check_finite

_BLOCK_ELEMENTS = 1 << 16  # entries of X in a block: they stay in a processor's cache
_FEWEST_ROWS = 256  # of a block
_PART_ELEMENTS, _MOST_PARTS = 1 << 18, 16  # entries of X that are worth a thread; fixed parts


class TwoClassObjective(LinearObjective):
    """The same function as :class:`LinearObjective`, for a loss that takes one score a row.

    One pass gives the value, the gradient, and what the matrices of second derivatives are made
    of, which is kept for the point that was asked for last.

    Parameters
    ----------
    as for LinearObjective
    """

    def __init__(self, X, y, weight, **options):
        super().__init__(X, y, weight, **options)
        self._sign = np.where(self.y == 1, 1.0, -1.0)
        n_parts = max(1, min(self.rows.n_entries // _PART_ELEMENTS, _MOST_PARTS, self.n_rows))
        bounds = np.linspace(0, self.n_rows, n_parts + 1).astype(int)
        # Slices of sparse rows are copies, which are made once.
        self._parts = [(slice(*ends), self.rows[slice(*ends)]) for ends in pairwise(bounds)]
        self._curvatures_at = None

    def in_one_pass(self):
        """The same: it always is."""
        return self

    def _sums(self, free):
        curvature, information = np.empty((2, self.n_rows))

        def of_part(part):
            # The state of floating-point errors is each thread's own.
            with np.errstate(all="ignore"):
                return sum_of_tuples(of_block(*block) for block in self._part_blocks(*part))

        def of_block(rows, X):
            d = self._margin(X, free)
            value, slope, curvature[rows], information[rows] = self.loss.of_margin(
                d, self._sign[rows], self.weight[rows]
            )
            return value, X.sum_of_rows(slope[:, None])

        value, gradient = sum_of_tuples(map_threads(of_part, self._parts))
        self._curvatures_at = free.copy(), (curvature, information)
        gradient[:, : self.n_features] += self._ridge * self._penalised(free)
        return self.penalty(free) + value, gradient.ravel()

    def _part_blocks(self, rows, X):
        """(rows, X) of blocks of a part; a sparse part is one block."""
        size = max(_FEWEST_ROWS, _BLOCK_ELEMENTS // max(self.n_features, 1))
        if isinstance(X, SparseRows) or size >= len(X):
            yield rows, X.ready()
            return
        for start in range(rows.start, rows.stop, size):
            block = slice(start, min(start + size, rows.stop))
            yield block, self.rows[block].ready()

    def _margin(self, X, free):
        w = free.reshape(self.shape)[0]
        intercept = w[self.n_features] if len(w) > self.n_features else 0.0
        return X.scores(w[None, : self.n_features], intercept)[:, 0]

    def misfit(self, free):
        """How badly each row fits: the loss of two classes falls as the difference grows."""
        blocks = [block for part in self._parts for block in self._part_blocks(*part)]
        return -self._sign * np.concatenate([self._margin(X, free) for _, X in blocks])

    def curvatures(self, free):
        """Second derivatives, then, if they can be indefinite, what can be put in their place."""
        if self._curvatures_at is None or not np.array_equal(self._curvatures_at[0], free):
            self(free)
        _, (curvature, information) = self._curvatures_at
        yield self._gram_of(curvature) + np.diag(self.ridge())
        if not self.loss.convex:
            yield self._gram_of(information) + np.diag(self.ridge())

    def _gram_of(self, weight):
        """[X, 1]^T diag(weight) [X, 1]."""

        def of_part(part):
            with np.errstate(all="ignore"):
                return sum_of_tuples(
                    (X.gram(weight[rows]),) for rows, X in self._part_blocks(*part)
                )

        (total,) = sum_of_tuples(map_threads(of_part, self._parts))
        check_finite(total, self.dtype)
        return total
