"""The function that a fit minimises, as a sum over blocks of rows.

    objective(x) = penalty(x) + sum over blocks of W_b / W * objective_b(x),

where objective_b is that of the rows of a block alone, without a penalty, and W_b the sum of their
weights. So a block is an ordinary objective, where it lies, and the solvers, the start and the
coordinates of ``_linear`` work on the sum as on any other.
"""

from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from .._linear import UnsettledError, make_objective, rows_about

_WEIGHT_ROUNDING = 1e-9  # relative


@dataclass(frozen=True)
class Recipe:
    """What a block needs beside its rows to be an objective: little, and it pickles.

    Attributes
    ----------
    params : dict
        Of the classifier.
    model : PerturbArgmax or PerturbSoftmax
    labels : ndarray
        The classes with a weight.
    center : ndarray of shape (n_features,)
    """

    params: dict
    model: Any
    labels: np.ndarray
    center: np.ndarray

    def objective(self, rows, **changes):
        """The objective of these rows, without a penalty unless C is given."""
        X = rows_about(rows.X, self.params["fit_intercept"], self.center)
        params = self.params | {"C": np.inf} | changes
        return make_objective(params, self.model, self.labels, X, rows.codes, rows.weight)


def _value_and_gradient(rows, recipe, free):
    if not len(rows.codes):
        return None
    objective = recipe.objective(rows)
    value, gradient = objective(free)
    return objective.total * value, objective.total * gradient


def _curvature(rows, recipe, free, which):
    if not len(rows.codes):
        return None
    objective = recipe.objective(rows)
    return (objective.total * next(islice(objective.curvatures(free), which, None)),)


def _sum(rows, recipe, function, *args):
    return (function(recipe.objective(rows), *args),) if len(rows.codes) else None


def _largest(rows, recipe, function, *args):
    return function(recipe.objective(rows), *args) if len(rows.codes) else -np.inf


def _whole_weights(objective):
    return 0.0 if objective.has_whole_weights() else 1.0


def _weights_of_classes(rows, n_classes):
    """Sum, least and largest weight of each class."""
    out = np.zeros(n_classes), np.full(n_classes, np.inf), np.zeros(n_classes)
    for function, of_class in zip((np.add, np.minimum, np.maximum), out, strict=True):
        function.at(of_class, rows.codes, rows.weight)
    return out


def _sums_of_lots(rows, recipe, free):
    if not len(rows.codes):
        return None
    if rows.lots is None:
        raise ValueError(
            "The source knows no lots: name their column there, such as parquet(..., groups='lot')."
        )
    lots = np.asarray(rows.lots)
    sums = recipe.objective(rows).sums_of_lots(lots, free)
    return pd.DataFrame(sums, index=pd.unique(lots))


class BlockObjective:
    """Value, gradient and second derivatives in the free parameters, summed over blocks.

    Parameters
    ----------
    blocks : LocalBlocks or DaskBlocks
        Of ``Rows``.
    recipe : Recipe
    sample : LinearObjective
        Of some of the rows, with the weight and the penalty of all.
    n_rows : int
    every : callable
        Maps a stride to the ``Rows`` of the numbers that it divides, of all blocks; of a larger
        stride where that were too many to hold.

    Attributes
    ----------
    n_evaluations, n_matrices : int
        How often all blocks were gone through, for a value or for a matrix.
    """

    soft = False

    def __init__(self, blocks, recipe, sample, n_rows, every):
        self._blocks, self._recipe, self._sample, self._every = blocks, recipe, sample, every
        self.n_rows, self.rounds_are_slow = n_rows, blocks.rounds_are_slow
        self.total, self.rows = sample.total, sample.rows
        self.loss, self.constraint = sample.loss, sample.constraint
        self.shape, self.n_parameters = sample.shape, sample.n_parameters
        self.n_features, self.dtype = sample.n_features, sample.dtype
        self.n_evaluations = self.n_matrices = 0

    def coefficients(self, free):
        """See LinearObjective."""
        return self._sample.coefficients(free)

    def free(self, coef, intercept):
        """See LinearObjective."""
        return self._sample.free(coef, intercept)

    def penalty(self, free):
        """The part of the value that is not the data's."""
        return self._sample.penalty(free)

    def ridge(self):
        """See LinearObjective."""
        return self._sample.ridge()

    def with_hard_labels(self):
        """Itself: labels are hard."""
        return self

    def __call__(self, free):
        """Value (float) and gradient (like `free`)."""
        self.n_evaluations += 1
        value, gradient = self._summed(_value_and_gradient, self._recipe, free)
        gradient = gradient / self.total + self._ridges() * free
        return self.penalty(free) + value / self.total, gradient

    def _ridges(self):
        """Second derivative of the penalty in each free parameter."""
        return np.tile(self.ridge(), self.shape[0])

    def in_one_pass(self):
        """The same: its blocks are too large for that."""
        return self

    def curvatures(self, free):
        """Second derivatives, then, if they can be indefinite, what can be put in their place."""
        for which in range(1 if self.loss.convex else 2):
            self.n_matrices += 1
            (matrix,) = self._summed(_curvature, self._recipe, free, which)
            matrix /= self.total
            np.einsum("ii->i", matrix)[:] += self._ridges()
            yield matrix

    def sum_over_rows(self, function, *args):
        """See LinearObjective."""
        self.n_matrices += 1
        (total,) = self._summed(_sum, self._recipe, function, *args)
        return total

    def largest_over_rows(self, function, *args):
        """See LinearObjective."""
        return max(self._blocks.results(_largest, self._recipe, function, *args))

    def has_whole_weights(self):
        """See LinearObjective."""
        return self.largest_over_rows(_whole_weights) == 0

    def has_weights_of_classes(self):
        """See LinearObjective."""
        _, least, most = self._weights()
        return bool(np.all(most - least <= _WEIGHT_ROUNDING * most))

    def class_shares(self):
        """See LinearObjective."""
        return self._weights()[0] / self.total

    def _weights(self):
        sums, least, most = zip(
            *self._blocks.results(_weights_of_classes, self.constraint.n_classes), strict=True
        )
        return sum(sums), np.min(least, axis=0), np.max(most, axis=0)

    def sums_of_lots(self, groups, free):
        """See LinearObjective; `groups` is True: the lots are those of the source."""
        if groups is not True:
            raise ValueError(
                "The lots of rows in blocks are those of the source: name their column there, "
                "such as parquet(..., groups='lot'), and pass groups=True."
            )
        parts = [
            part
            for part in self._blocks.results(_sums_of_lots, self._recipe, free)
            if part is not None
        ]
        return pd.concat(parts).groupby(level=0, sort=False).sum().to_numpy()

    def standardised(self):
        """Not for blocks: what needs single rows again is not settled."""
        raise UnsettledError

    def every(self, stride):
        """The objective of every k-th row in the place of all, and their share of the weight."""
        rows = self._every(stride)
        share = rows.weight.sum() / self.total
        rows = rows._replace(weight=rows.weight / share)
        return self._recipe.objective(rows, C=self._recipe.params["C"]), share

    def _summed(self, function, *args):
        results = (r for r in self._blocks.results(function, *args) if r is not None)
        return reduce(_added, results)


def _added(total, more):
    return tuple(a + b for a, b in zip(total, more, strict=True))
