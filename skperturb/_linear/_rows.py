"""The rows of features of a fit, dense or sparse, with the intercept's 1, about their locations.

The intercept is free and not penalised, so that a fit may subtract any number from a feature: its
coefficients stay the same, and the intercept makes up for it. Time stamps, years and pressures in
Pa lie far from zero for what they vary; as they are, sums of products with them lose twice
as many digits as the numbers themselves. So features that are further from zero than a few times
their spread are fitted as differences from their mean, the `center`; other features stay as they
are.

A large dense array is not copied for that: blocks of rows are, when they are used. A sparse column
that is far from zero has hardly any zeros, which are stored like its other entries.
"""

import numpy as np
from scipy import sparse

_FAR = 3.0  # from zero, in standard deviations
_SAMPLE = 1000  # rows that tell which features are far
_COPIED = 1 << 20  # entries of a dense array of which a copy is cheaper than copies of blocks
_BLOCK_ROWS = 1 << 12  # of which the mean is summed at once
_CONSTANT = 1e-14  # spread of a column, relative to its size, that is rounding
_BLURRED = 1e-4  # rounding of a number, relative to the spread of its feature


def rows_of(X, intercept):
    """The rows of features of a fit.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    intercept : bool
        Whether each row ends with a 1; without, nothing is subtracted.

    Returns
    -------
    DenseRows or SparseRows
    """
    center = np.zeros(X.shape[1])
    if sparse.issparse(X):
        if intercept:
            X, center = _about_full_columns(X, center)
        return SparseRows(X, intercept, center)
    if not intercept:
        return DenseRows(X, intercept, center)
    sample = X[:: -(-len(X) // _SAMPLE) or 1]
    far = _far(sample)
    if far.size:
        center[far] = _location(X, far)
    rows = DenseRows(X, intercept, center, pending=bool(center.any()))
    return rows.ready() if X.size <= _COPIED else rows


def _far(sample):
    """Which columns are far from zero for their spread."""
    with np.errstate(all="ignore"):
        mean, spread = sample.mean(axis=0, dtype=float), sample.std(axis=0, dtype=float)
        return np.flatnonzero(np.abs(mean) > _FAR * spread)


def _location(X, columns):
    """The means of some columns, in numbers of the type of X; exact for constant ones."""
    first, total = X[0, columns].astype(float), np.zeros(len(columns))
    with np.errstate(all="ignore"):
        for start in range(0, len(X), _BLOCK_ROWS):
            total += (X[start : start + _BLOCK_ROWS, columns] - first).sum(axis=0)
        mean = (first + total / len(X)).astype(X.dtype)
    return np.where(np.isfinite(mean), mean, 0.0)


def rows_about(X, intercept, center):
    """The rows of a part of the features of a fit, about the center of all of them.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    intercept : bool
    center : ndarray of shape (n_features,)

    Returns
    -------
    DenseRows or SparseRows
    """
    if sparse.issparse(X):
        return SparseRows(_less(X, np.flatnonzero(center), center), intercept, center)
    return DenseRows(X, intercept, center, pending=bool(center.any())).ready()


def moments(X):
    """Number of rows, and mean of each column and sum of squares about it, nan for sparse ones."""
    n, p = X.shape
    mean, squares = np.full((2, p), np.nan)
    columns = np.arange(p)
    if sparse.issparse(X):
        columns = full_columns(np.bincount(X.indices, minlength=p), n)
        X = X[:, columns].toarray()
    if n and columns.size:
        X = X.astype(float)
        first = X[0].copy()
        X -= first  # so that the mean of a constant column is that constant
        shift = X.mean(axis=0)
        mean[columns], squares[columns] = first + shift, ((X - shift) ** 2).sum(axis=0)
    return n, mean, squares


def merged_moments(parts):
    """The moments of rows in several parts, added in their order (Chan et al. 1983)."""
    n, mean, squares = 0, 0.0, 0.0
    for more, mean_of_more, squares_of_more in parts:
        if more:
            step, n = mean_of_more - mean, n + more
            mean = mean + step * (more / n)
            squares = squares + squares_of_more + step**2 * (more * (n - more) / n)
    return n, mean, squares


def location_of(parts, dtype):
    """The center of the features of rows in several parts, from the moments of each."""
    n, mean, squares = merged_moments(parts)
    with np.errstate(all="ignore"):
        far = np.abs(mean) > _FAR * np.sqrt(squares / n)
        center = np.where(far, mean, 0.0).astype(dtype)
    return np.where(np.isfinite(center), center, 0.0).astype(float)


def full_columns(counts, n):
    """Which sparse columns have hardly any zeros, as those that are far from zero do."""
    return np.flatnonzero(counts >= (1 - 1 / (1 + _FAR**2)) * n)


def _about_full_columns(X, center):
    """A sparse matrix less the means of the columns that have hardly any zeros, and those means."""
    full = full_columns(np.bincount(X.indices, minlength=X.shape[1]), X.shape[0])
    if not full.size:
        return X, center
    columns = X[:, full].toarray()
    chosen = _far(columns)
    center[full[chosen]] = _location(columns, chosen)
    return _less(X, full[chosen], center), center


def _less(X, far, center):
    """A sparse matrix less the center of these columns."""
    if not far.size:
        return X
    columns = X[:, far].toarray() - center[far].astype(X.dtype)
    kept = np.ones(X.shape[1], dtype=bool)
    kept[far] = False
    # The columns change places for a moment: the others, then those that were subtracted.
    both = sparse.hstack([X[:, np.flatnonzero(kept)], sparse.csr_array(columns)], format="csr")
    place = np.argsort(np.append(np.flatnonzero(kept), far))
    return both[:, place]


class _Rows:
    """What dense and sparse rows share.

    Attributes
    ----------
    center : ndarray of shape (n_features,)
        What is subtracted from each feature.
    intercept : bool
    width : int
        Number of features, and 1 for the intercept if there is one.
    dtype : dtype
    n_features, n_entries : int
    """

    def __init__(self, X, intercept, center):
        self._X, self.intercept, self.center = X, intercept, center
        self.dtype, self.n_features = X.dtype, X.shape[1]
        self.width = self.n_features + int(intercept)

    def __len__(self):
        return self._X.shape[0]

    def ready(self):
        """The same, with nothing left to be subtracted."""
        return self

    def _with_intercept(self, sums, weight):
        return np.append(sums, weight.sum()) if self.intercept else sums

    def scores(self, coef, intercept):
        """Rows times coefficients, plus the intercept of rows about the center: (n, K)."""
        return linear_scores(self._X, coef, intercept)

    def sum_of_rows(self, slope):
        """slope^T [X, 1] for slopes (n, K): (K, width)."""
        out = np.empty((slope.shape[1], self.width))
        out[:, : self.n_features] = (self._X.T @ slope.astype(self.dtype, copy=False)).T
        out[:, self.n_features :] = slope.sum(axis=0)[:, None]
        return out

    def dense_of(self, X):
        """Other rows of features (n, n_features), as these are: dense, about the center."""
        X = X.toarray() if sparse.issparse(X) else X
        rows = np.ones((len(X), self.width))
        np.subtract(X, self.center, out=rows[:, : self.n_features])
        return rows

    def of_value(self, value):
        """Where a feature has a value: that value about the center of each (n_features,)."""
        return (np.full(1, value, self.dtype) - self.center.astype(self.dtype)).astype(float)

    def blurred(self):
        """Features of whose spread the rounding of their numbers is a good part, and which part.

        Returns
        -------
        dict of int to float
        """
        far = np.flatnonzero(self.center)
        if not far.size:
            return {}
        sample = self[:: -(-len(self) // _SAMPLE)].dense()[:, far]
        rounding = np.finfo(self.dtype).eps * np.abs(self.center[far])
        spread = sample.std(axis=0)
        part = rounding / np.where(spread > 0, spread, np.inf)
        return {int(far[i]): float(part[i]) for i in np.flatnonzero(part > _BLURRED)}


class DenseRows(_Rows):
    """Rows of an array.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
    intercept : bool
    center : ndarray of shape (n_features,)
    pending : bool, default=False
        Whether the center has still to be subtracted. Products are of rows that are ready.
    """

    def __init__(self, X, intercept, center, pending=False):
        super().__init__(X, intercept, center)
        self._pending, self.n_entries = pending, X.size

    def __getitem__(self, rows):
        return DenseRows(self._X[rows], self.intercept, self.center, self._pending)

    def ready(self):
        if not self._pending:
            return self
        return DenseRows(self._X - self.center.astype(self.dtype), self.intercept, self.center)

    def dense(self):
        """[X, 1] in double precision."""
        rows = np.ones((len(self), self.width))
        rows[:, : self.n_features] = self.ready()._X
        return rows

    def grams(self, weights):
        """[X, 1]^T diag(w) [X, 1] for each w of weights (m, n): (width, m, width)."""
        rows = self.dense()
        # All at once, so that BLAS gets one large product.
        weighted = (rows[:, None, :] * weights.T[:, :, None]).reshape(len(rows), -1)
        return (rows.T @ weighted).reshape(self.width, len(weights), self.width)

    def gram(self, weight):
        """The same for one weight of each row (n,): (width, width)."""
        p, X = self.n_features, self._X.astype(np.float64, copy=False)
        weighted = X * weight[:, None]
        out = np.empty((self.width, self.width))
        np.matmul(X.T, weighted, out=out[:p, :p])
        return _with_sums(out, weighted.sum(axis=0), weight, p)

    def squares(self, weight):
        """The diagonal of `gram`: (width,)."""
        total = np.zeros(self.n_features)
        for start in range(0, len(self), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            X = self[rows].ready()._X
            total += np.einsum("i,ij,ij->j", weight[rows], X, X)
        return self._with_intercept(total, weight)

    def standardised(self):
        """Rows of mean zero that are at most 1 in size, and what was subtracted and divided by."""
        X, center = self.ready()._X.astype(np.float64), self.center
        if self.intercept:
            mean = X.mean(axis=0)
            X -= mean
            center = center + mean
        size = np.abs(X).max(axis=0)
        constant = size <= _CONSTANT * np.abs(center)
        size[constant] = 1.0
        X[:, constant] = 0.0
        X /= size
        return DenseRows(X, self.intercept, np.zeros(len(center))), center, size


class SparseRows(_Rows):
    """Rows of a CSR matrix, from which the center has been subtracted.

    Parameters
    ----------
    X : CSR matrix of shape (n, n_features)
    intercept : bool
    center : ndarray of shape (n_features,)
    """

    def __init__(self, X, intercept, center):
        super().__init__(X, intercept, center)
        self.n_entries = X.nnz

    def __getitem__(self, rows):
        if isinstance(rows, slice) and rows.indices(len(self)) == (0, len(self), 1):
            return self  # a slice of sparse rows is a copy
        return SparseRows(self._X[rows], self.intercept, self.center)

    def dense(self):
        """[X, 1] in double precision."""
        rows = np.ones((len(self), self.width))
        rows[:, : self.n_features] = self._X.toarray()
        return rows

    def grams(self, weights):
        """[X, 1]^T diag(w) [X, 1] for each w of weights (m, n): (width, m, width)."""
        return np.stack([self.gram(weight) for weight in weights], axis=1)

    def gram(self, weight):
        """The same for one weight of each row (n,): (width, width)."""
        p, X = self.n_features, self._X.astype(np.float64, copy=False)
        weighted = sparse.diags_array(weight) @ X
        out = np.empty((self.width, self.width))
        out[:p, :p] = (X.T @ weighted).toarray()
        return _with_sums(out, np.asarray(weighted.sum(axis=0)).ravel(), weight, p)

    def squares(self, weight):
        """The diagonal of `gram`: (width,)."""
        X = self._X.astype(np.float64, copy=False)
        return self._with_intercept(X.multiply(X).T @ weight, weight)

    def standardised(self):
        """Rows that are at most 1 in size, and what was subtracted and divided by."""
        X = self._X.astype(np.float64)
        size = abs(X).max(axis=0).toarray().ravel()
        factor = 1 / np.where(size == 0, 1.0, size)
        factor[size <= _CONSTANT * np.abs(self.center)] = 0.0
        size = 1 / np.where(factor == 0, 1.0, factor)
        rows = SparseRows(X @ sparse.diags_array(factor), self.intercept, 0 * self.center)
        return rows, self.center, size


def _with_sums(out, sums, weight, p):
    """A Gram matrix whose last row and column, if it has them, are of the intercept."""
    if len(out) > p:
        out[p, :p] = out[:p, p] = sums
        out[p, p] = weight.sum()
    return out


def linear_scores(X, coef, intercept):
    """Scores X @ coef.T + intercept in double precision; X itself is not copied.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    coef : ndarray or sparse matrix of shape (K, n_features)
    intercept : ndarray of shape (K,), or float

    Raises
    ------
    ValueError
        If they overflow.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        product = X @ coef.T.astype(X.dtype, copy=False)
        product = product.toarray() if sparse.issparse(product) else product
        scores = np.asarray(product, dtype=np.float64) + intercept
    check_finite(scores, X.dtype)
    return scores


def check_finite(sums, dtype):
    """Refuse sums that are not finite."""
    if not np.isfinite(sums).all():
        raise ValueError(
            f"The scores overflow {dtype}: scale the features, for instance with StandardScaler."
        )
