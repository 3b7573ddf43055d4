"""The function that a fit minimises: data, loss, penalty and constraint put together.

With weights s_i, the objective of LogisticRegression divided by C * sum(s):

    sum_i s_i * loss(theta_i, y_i) / sum(s)  +  |coef|^2 / (2 C sum(s)),   intercept free,

over a flat vector of the free parameters; each class has n_features coefficients, then the
intercept if there is one, that of rows about their center (``_rows``). Rows are worked on in
blocks, so that beside X nothing large is held.
"""

from copy import copy
from itertools import chain, islice, pairwise

import numpy as np
import pandas as pd
from scipy import sparse

from .._linalg import sum_of_tuples, unit_diagonal
from .._threads import map_threads
from ._losses import SoftLabels
from ._rows import DenseRows, SparseRows, check_finite, rows_of

_WEIGHT_ROUNDING = 1e-9  # of a weight that is a whole number, relative
_UNEXPLAINED = 1e-10  # share of a column's square: rounding, of numbers with six digits, too
_BLOCK_ELEMENTS = 1 << 17  # scores, or entries of curvature, held at once by a thread
_MOST_HELD = 1 << 22  # entries of the rows' matrices that are held until they are asked for
_ROWS_OF_MATRIX = 2  # times as many rows in a block where matrices are summed
_FEWEST_ROWS = 64  # of a block: with fewer, the products with X are slow
# Parts of the rows that threads take: the work that is worth starting one, and how many at most,
# fixed, so that sums do not depend on the number of threads.
_PART_ELEMENTS, _MOST_PARTS = 1 << 16, 16


class LinearObjective:
    """Value, gradient and second derivatives in the free parameters.

    ``rounds_are_slow`` says whether an evaluation takes longer than its work, as on a cluster.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features), or rows of ``_rows``
    y : ndarray of shape (n_samples,), int, or (n_samples, n_classes)
        Class indices, or probabilities of the classes ("soft" labels).
    weight : ndarray of shape (n_samples,)
        Sample weights, not negative, not all zero.
    loss : object of ``_losses``
    constraint : object of ``_constraints``
    C : float
        Inverse strength of the penalty; inf for none.
    fit_intercept : bool

    Attributes
    ----------
    shape : tuple
        (n_free, n_features + fit_intercept): the shape of the free parameters before they are
        made flat.
    total : float
        Sum of the weights.
    weight : ndarray of shape (n_rows,)
        Weights divided by their sum.
    n_rows, n_features, n_parameters : int
        Number of rows whose weight is not zero, of features, and of free parameters.
    y : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Their class indices, or probabilities.
    soft : bool
        Whether y are probabilities.
    counted : ndarray of shape (n_samples,), bool
        Which of the rows given these are.
    loss, constraint : objects
        Those given.
    rows : DenseRows or SparseRows
        The features of these rows, and their center.
    dtype : dtype
        Of X.
    """

    rounds_are_slow = False

    def __init__(self, X, y, weight, *, loss, constraint, C, fit_intercept):
        # Rows of weight zero count for nothing and need not be computed.
        self.counted = weight > 0
        if not weight.all():
            X, y, weight = X[self.counted], y[self.counted], weight[self.counted]
        self.rows = X if isinstance(X, (DenseRows, SparseRows)) else rows_of(X, fit_intercept)
        self.y = y
        self.total = weight.sum()
        self.weight = weight / self.total
        self._ridge = 1 / C / self.total
        self.soft = y.ndim == 2
        self.loss = SoftLabels(loss) if self.soft and not isinstance(loss, SoftLabels) else loss
        self.constraint = constraint
        self._options = {"constraint": constraint, "C": C, "fit_intercept": fit_intercept}
        self.n_features, self.dtype = self.rows.n_features, self.rows.dtype
        self.shape = constraint.n_free, self.rows.width
        self.n_rows, self.n_parameters = len(y), int(np.prod(self.shape))
        self._latest = None  # point, value and gradient: a start is weighed, then descended from
        self._matrices = None  # of the rows at that point (n_rows, K, K), see in_one_pass

    def replace(self, *, loss=None, weight=None):
        """The same with another loss, or other weights, given as shares of the present sum."""
        weight = self.weight if weight is None else weight
        return type(self)(
            self.rows, self.y, weight * self.total, loss=loss or self.loss, **self._options
        )

    def in_one_pass(self):
        """The same, for Newton's method: the first of the `curvatures` comes with the value.

        It is the objective as it is if the loss does not give it so, or the rows' matrices are too
        many to hold.
        """
        if not self.loss.at_once or self.n_rows * self.constraint.n_classes**2 > _MOST_HELD:
            return self
        out = copy(self)
        out._matrices = np.empty((self.n_rows, *[self.constraint.n_classes] * 2))
        out._latest = None
        return out

    def every(self, stride):
        """The objective of every k-th row in the place of all, and their share of the weight."""
        if stride == 1:
            return self, 1.0
        weight = np.zeros(self.n_rows)
        weight[::stride] = self.weight[::stride]
        share = weight.sum()
        return self.replace(weight=weight / share), share

    def sum_over_rows(self, function, *args):
        """function(objective, *args): a sum over the rows, each with its weight as it was given.

        An objective of several parts adds what its parts return. So `function` must be one that
        pickles, and must not count the penalty.
        """
        return function(self, *args)

    def largest_over_rows(self, function, *args):
        """function(objective, *args), which is the largest of one number for each row."""
        return function(self, *args)

    def with_hard_labels(self):
        """The same with each soft row once for each of its classes, weighted by probability."""
        if not self.soft:
            return self
        rows, codes = np.nonzero(self.y)
        weight = self.weight[rows] * self.y[rows, codes] * self.total
        return LinearObjective(self.rows[rows], codes, weight, loss=self.loss.hard, **self._options)

    def has_whole_weights(self):
        """Whether the weights are whole numbers, but for rounding."""
        return are_whole(self.weight * self.total)

    def has_weights_of_classes(self):
        """Whether all rows of a class weigh the same, but for rounding."""
        if self.soft:
            return bool(np.ptp(self.weight) <= _WEIGHT_ROUNDING * self.weight.max())
        groups = (self.weight[self.y == k] for k in np.unique(self.y))
        return all(np.ptp(group) <= _WEIGHT_ROUNDING * group.max() for group in groups)

    def class_shares(self):
        """Share of the weight that each class has (K,)."""
        if self.soft:
            return self.weight @ self.y
        return np.bincount(self.y, self.weight, minlength=self.constraint.n_classes)

    def coefficients(self, free):
        """Coefficients (K, n_features) and intercept (K,) of a vector of free parameters."""
        coef, intercept = self._about_center(free)
        return coef, intercept - coef @ self.rows.center

    def free(self, coef, intercept):
        """The free parameters whose coefficients give the same probabilities as these."""
        full = np.column_stack([coef, intercept + coef @ self.rows.center])[:, : self.shape[1]]
        return self.constraint.contract(full.astype(float)).ravel()

    def _about_center(self, free):
        """Coefficients (K, n_features), and intercept (K,) of rows less their center."""
        full = self.constraint.expand(free.reshape(self.shape))
        coef, rest = full[:, : self.n_features], full[:, self.n_features :]
        return coef, rest[:, 0] if rest.size else np.zeros(len(full))

    def same_rows(self, other):
        """Whether another objective has the same classes and weights, row by row."""
        return np.array_equal(self.y, other.y) and np.array_equal(self.weight, other.weight)

    def spans(self, other):
        """Whether the columns of another objective, on the same rows, are combinations of these."""
        mine, theirs = self.standardised()[0], other.standardised()[0]
        width = self.shape[1]

        def gram(rows):
            both = np.hstack([mine.design(rows), theirs.design(rows)])
            return (both.T @ both,)

        step = max(_FEWEST_ROWS, _BLOCK_ELEMENTS // (width + other.shape[1]))
        (total,) = sum_of_tuples(gram(slice(i, i + step)) for i in range(0, self.n_rows, step))
        scaled, _ = unit_diagonal(total)
        inverse = np.linalg.pinv(scaled[:width, :width], rcond=_UNEXPLAINED, hermitian=True)
        across = scaled[:width, width:]
        rest = np.diag(scaled)[width:] - np.sum(across * (inverse @ across), axis=0)
        return bool(rest.max() <= _UNEXPLAINED)

    def penalty(self, free):
        """The part of the value that is not the data's."""
        return 0.5 * self._ridge * np.sum(self._penalised(free) ** 2)

    def __call__(self, free):
        """Value (float) and gradient (like `free`).

        Raises
        ------
        ValueError
            If they overflow.
        """
        if self._latest is not None and np.array_equal(self._latest[0], free):
            return self._latest[1], self._latest[2].copy()
        self._latest = None  # of what follows, too, if it overflows
        with np.errstate(all="ignore"):
            value, gradient = self._sums(free)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            raise ValueError(
                "The objective overflows: scale the features, for instance with StandardScaler, "
                "and choose noise_scale, temperature and C nearer to 1."
            )
        self._latest = free.copy(), value, gradient.copy()
        return value, gradient

    def forget(self):
        """Compute the next point anew: the arrays may have been changed."""
        self._latest = None

    def _sums(self, free):
        def sums(rows, X, y, weight, scores):
            if self._matrices is None:
                loss, slope = self.loss.value_and_slope(scores, y)
            else:
                loss, slope, self._matrices[rows] = self.loss.second_order(scores, y)
            slope *= weight[:, None]
            return weight @ loss, X.sum_of_rows(slope)

        loss, slope = self._sum_over_rows(sums, free, self.constraint.n_classes)
        gradient = self.constraint.restrict(slope)
        gradient[:, : self.n_features] += self._ridge * self._penalised(free)
        return self.penalty(free) + loss, gradient.ravel()

    def curvatures(self, free):
        """Second derivatives, then, if they can be indefinite, what can be put in their place.

        Yields
        ------
        ndarray of shape (n_parameters, n_parameters)
        """
        functions = self.loss.curvatures()
        if self._matrices is not None:
            self(free)  # unless it was the last
            functions = chain([self._matrices], islice(functions, 1, None))
        for curvature in functions:
            matrix = self.assemble(free, curvature)
            matrix.flat[:: len(matrix) + 1] += np.tile(self.ridge(), self.shape[0])
            yield matrix

    def assemble(self, free, curvature):
        """Sum over the rows of a matrix in the scores, weighted, as one in the free parameters.

        Parameters
        ----------
        free : ndarray of shape (n_parameters,)
        curvature : callable or ndarray of shape (n_rows, K, K)
            Maps (scores, y) to symmetric matrices of shape (n, K, K), or those of all rows.
        """
        n_free, width = self.shape
        restrict = self.constraint.restrict

        def products(rows, X, y, weight, scores):
            full = curvature(scores, y) if callable(curvature) else curvature[rows]
            full = full.transpose(1, 2, 0) * weight
            reduced = restrict(restrict(full).swapaxes(0, 1))
            total = np.zeros((n_free, width, n_free, width))
            for j in range(n_free):
                total[j, :, : j + 1] = X.grams(reduced[j, : j + 1])
            return (total,)

        per_row = self.constraint.n_classes * max(self.constraint.n_classes, width)
        # In blocks of so many rows that their products take longer than to add those.
        (total,) = self._sum_over_rows(products, free, per_row / _ROWS_OF_MATRIX)
        for j in range(n_free):
            for k in range(j):
                total[k, :, j] = total[j, :, k].T
        check_finite(total, self.dtype)
        return total.reshape(n_free * width, n_free * width)

    def score_vectors(self, free):
        """Each row's own derivative of the loss in the free parameters, and its weight, in blocks.

        Yields
        ------
        vectors : ndarray of shape (n_block, n_parameters)
        weight : ndarray of shape (n_block,)
            Weights divided by their sum.
        """
        for _, X, y, weight, scores in self._blocks(
            free, self.constraint.n_classes * self.shape[1]
        ):
            _, slope = self.loss.value_and_slope(scores, y)
            slope = self.constraint.restrict(slope.T)
            vectors = slope.T[:, :, None] * X.dense()[:, None, :]
            yield vectors.reshape(len(y), -1), weight

    def sums_of_lots(self, groups, free):
        """Sum of the score vectors of each lot (n_lots, n_parameters), each row by its weight.

        Parameters
        ----------
        groups : array-like of shape (n_samples,)
            The lot of each row given; the sums are in the order in which lots first occur.
        free : ndarray of shape (n_parameters,)

        Raises
        ------
        ValueError
            If these are no lots of these rows.
        """
        groups = np.asarray(groups)
        if groups.shape != self.counted.shape:
            raise ValueError(
                f"groups must give the lot of each of the {len(self.counted)} rows, got an array "
                f"of shape {groups.shape}."
            )
        lots, labels = pd.factorize(groups[self.counted])
        if (lots < 0).any():
            raise ValueError(
                f"groups are missing for {int((lots < 0).sum())} rows: fill them in, each such row "
                "as a lot of its own if it belongs to none."
            )
        sums, done = np.zeros((len(labels), self.n_parameters)), 0
        for vectors, share in self.score_vectors(free):
            lot, each = lots[done : done + len(vectors)], np.arange(len(vectors))
            weight = share * self.total
            sums += sparse.csr_array((weight, (lot, each)), (len(sums), len(each))) @ vectors
            done += len(vectors)
        return sums

    def losses(self, free, rows=slice(None)):
        """Loss (n,) of all rows or of some, and its derivative in the scores (n, K)."""
        scores = self.rows[rows].ready().scores(*self._about_center(free))
        return self.loss.value_and_slope(scores, self.y[rows])

    def misfit(self, free):
        """How badly each row fits (n_rows,): a number that grows with its loss."""
        return self.losses(free)[0]

    def scores(self, free):
        """Each row's scores (n_rows, K)."""
        blocks = self._blocks(free, self.constraint.n_classes)
        return np.concatenate([scores for *_, scores in blocks])

    def design(self, rows):
        """Dense features of some rows about their center, with the intercept's 1 if it has one."""
        return self.rows[rows].dense()

    def designs(self, per_row):
        """Dense features about their center, with the intercept's 1, and weights, in blocks.

        Parameters
        ----------
        per_row : int
            Numbers that the caller holds for each row.

        Yields
        ------
        rows : ndarray of shape (n_block, width)
        weight : ndarray of shape (n_block,)
            Divided by the sum of all.
        """
        step = max(_FEWEST_ROWS, _BLOCK_ELEMENTS // max(per_row, self.shape[1]))
        for start in range(0, self.n_rows, step):
            rows = slice(start, start + step)
            yield self.design(rows), self.weight[rows]

    def sums_of_rows(self, slope):
        """Sum over the rows of slope in the scores (n_rows, K) times features, like `free`."""
        step = max(_FEWEST_ROWS, _BLOCK_ELEMENTS // self.shape[1])
        blocks = (slice(start, start + step) for start in range(0, self.n_rows, step))
        total = sum(self.rows[block].ready().sum_of_rows(slope[block]) for block in blocks)
        return self.constraint.restrict(total).ravel()

    def sum_of_slopes(self, free, slope, per_row):
        """Sum over the rows of features times a slope in the scores, weighted, like `free`.

        Parameters
        ----------
        free : ndarray of shape (n_parameters,)
        slope : callable
            Maps dense features (n, width) and scores (n, K) to slopes (n, K).
        per_row : float
            Numbers that it holds for each row.
        """

        def sums(rows, X, y, weight, scores):
            return (X.sum_of_rows(slope(X.dense(), scores) * weight[:, None]),)

        (total,) = self._sum_over_rows(sums, free, per_row)
        return self.constraint.restrict(total).ravel()

    def gram(self):
        """[X, 1]^T diag(weight) [X, 1]: (width, width)."""

        def gram(rows, X, y, weight, scores):
            return (X.gram(weight),)

        zero = np.zeros(self.n_parameters)
        (total,) = self._sum_over_rows(gram, zero, max(self.shape[1], self.constraint.n_classes))
        check_finite(total, self.dtype)
        return total

    def standardised(self):
        """The same, without a penalty, with columns of mean zero that are at most 1 in size.

        Sparse columns that are not far from zero, and those of a model without an intercept, keep
        their mean.

        Returns
        -------
        objective : LinearObjective
            Of (X - center) / size, in double precision.
        center, size : ndarray of shape (n_features,)
        """
        rows, center, size = self.rows.standardised()
        options = self._options | {"C": np.inf}
        weight = self.weight * self.total
        return type(self)(rows, self.y, weight, loss=self.loss, **options), center, size

    def _penalised(self, free):
        return free.reshape(self.shape)[:, : self.n_features]

    def ridge(self):
        """Diagonal of the penalty's second derivative, for one row of free parameters: (width,)."""
        return np.where(np.arange(self.shape[1]) < self.n_features, self._ridge, 0.0)

    def _sum_over_rows(self, function, free, per_row):
        """The sums of what function(rows, X, y, weight, scores) returns for blocks of rows.

        Parameters
        ----------
        function : callable
            Returns a tuple of numbers or arrays.
        free : ndarray of shape (n_parameters,)
        per_row : float
            Numbers that it holds for each row.
        """
        n_parts = max(1, min(int(self.n_rows * per_row / _PART_ELEMENTS), _MOST_PARTS))
        bounds = [self.n_rows * k // n_parts for k in range(n_parts + 1)]

        def of_part(rows):
            # The state of floating-point errors is each thread's own.
            with np.errstate(all="ignore"):
                return sum_of_tuples(
                    function(*block) for block in self._blocks(free, per_row, *rows)
                )

        return sum_of_tuples(map_threads(of_part, pairwise(bounds)))

    def _blocks(self, free, per_row, first=0, last=None):
        """(rows, X, y, weight, scores) of blocks, `per_row` numbers for each row held at once."""
        coef, intercept = self._about_center(free)
        last = self.n_rows if last is None else last
        size = max(_FEWEST_ROWS, int(_BLOCK_ELEMENTS / per_row))
        for start in range(first, last, size):
            rows = slice(start, min(start + size, last))
            X = (self.rows if rows == slice(0, self.n_rows) else self.rows[rows]).ready()
            yield rows, X, self.y[rows], self.weight[rows], X.scores(coef, intercept)


def are_whole(weights):
    """Whether weights are whole numbers, but for rounding."""
    nearest = np.round(weights)
    return bool(np.all(np.abs(weights - nearest) <= _WEIGHT_ROUNDING * nearest))
