"""What becomes of one column: a few columns of mean zero on which a ridge is a smoothing penalty.

A curve is a cubic spline sum_k b_k B_k(x) between knots at quantiles. Its penalty is the sum of the
squared second differences of the b_k (Eilers and Marx 1996). The matrix M below makes of b = M c
the coordinates in which this sum is |c|^2, but for one, the straight course of the b_k, which is
as wide as a standardised column. Knots at quantiles make that course rank-like: steep where there
are many rows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import SplineTransformer

# Standard deviation of the bends of a curve relative to its straight part, before the data speak.
_BEND = 0.5
_RARE = 1e-12  # share of the rows beyond a step that is none, but for rounding
_OUTER = 0.01  # quantile of the outermost knots, from either end


@dataclass(frozen=True)
class Pieces:
    """Columns made of one column, and what each is called.

    Attributes
    ----------
    names : list of str
    spline : SplineTransformer or None
        Whose columns come first, within `low` and `high`.
    low, high : float
        Beyond them a curve is level.
    cuts : ndarray
        A column 1[x > cut] for each.
    levels : list
        A column 1[x == level] for each.
    missing : bool
        Whether a last column says that the value is missing.
    matrix, center : ndarray of shape (n_raw, n_out) and (n_out,)
        What is made of these.
    """

    names: list
    spline: Any = None
    low: float = -np.inf
    high: float = np.inf
    cuts: Any = ()
    levels: Any = ()
    missing: bool = False
    matrix: Any = None
    center: Any = None

    def raw(self, column):
        """The columns before they are put together (n, n_raw), and which values are missing."""
        if self.levels:
            absent = is_missing(column)
            columns = [(column == level) & ~absent for level in self.levels]
            return np.column_stack([*columns, *([absent] if self.missing else [])]), absent
        absent = np.isnan(column)
        known = np.where(absent, 0.0, column)
        parts = []
        if self.spline is not None:
            parts.append(self.spline.transform(np.clip(known, self.low, self.high)[:, None]))
        parts.append(known[:, None] > np.asarray(self.cuts, dtype=float)[None, :])
        if self.missing:
            parts.append(absent[:, None])
        return np.hstack(parts).astype(float), absent

    def __call__(self, column):
        """Columns of mean zero (n, n_out); what was not seen in the fit has the mean effect, 0."""
        raw, absent = self.raw(column)
        out = raw @ self.matrix - self.center
        if self.levels:
            out[~raw.any(axis=1)] = 0.0
        elif absent.any():
            out[absent] = 0.0
            if self.missing:
                out[absent, -1] = self.matrix[-1, -1] - self.center[-1]
        return out

    def steepness(self):
        """The matrix (n_slopes, n_out) whose products with coefficients are >= 0 for a rise."""
        rows, columns = np.array(self.matrix.shape) - self.missing
        of_curve = rows - len(self.cuts)
        matrix = self.matrix[:rows, :columns]
        return np.vstack([np.diff(matrix[:of_curve], axis=0), matrix[of_curve:]])


def is_missing(column):
    """Which values are missing (n,): None and nan."""
    return np.array([value is None or value != value for value in column], dtype=bool)


def quantiles(values, weight, at):
    """Values below which these shares of the weight lie; a weight of 2 counts as two rows.

    Between two rows it is their mean, so that the quantiles of -values are those of values.
    """
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    ends = (np.searchsorted(total / total[-1], np.asarray(at) + side) for side in (-1e-12, 1e-12))
    low, high = (values[order][np.minimum(place, len(values) - 1)] for place in ends)
    return low + (high - low) / 2


def number_pieces(column, weight, name, n_knots, n_steps, jumps=()):
    """Pieces of a column of numbers: a curve, or steps where there are few values.

    Parameters
    ----------
    column, weight : ndarray of shape (n,)
    name : str
    n_knots : int
    n_steps : int
        So many different values at most are few.
    jumps : sequence of float
        Where the curve jumps.

    Returns
    -------
    Pieces
    """
    absent = np.isnan(column)
    seen = ~absent & (weight > 0)
    values, shares = column[seen], weight[seen]
    distinct = np.unique(values)
    missing = bool((absent & (weight > 0)).any())
    options: dict = {"missing": missing}
    if len(distinct) <= n_steps:
        cuts = (distinct[1:] + distinct[:-1]) / 2
        names = [f"{name} > {cut:.5g}" for cut in cuts]
        matrix = np.eye(len(cuts))
    else:
        knots = _knots(values, shares, n_knots)
        inner, outer = knots[1] - knots[0], knots[-1] - knots[-2]
        low, high = max(knots[0] - inner, distinct[0]), min(knots[-1] + outer, distinct[-1])
        degree = 1 if len(knots) == 2 else 3
        spline = SplineTransformer(degree=degree, knots=knots[:, None], extrapolation="linear")
        spline.fit(knots[:, None])
        basis = spline.transform(np.clip(values, low, high)[:, None])
        cuts = np.asarray(jumps, dtype=float)
        of_curve = _smooth_coordinates(basis, shares / shares.sum())
        m = len(of_curve)
        matrix = np.zeros((m + len(cuts), m - 1 + len(cuts)))
        matrix[:m, : m - 1] = of_curve
        matrix[m:, m - 1 :] = np.eye(len(cuts))
        names = [f"{name} trend", *(f"{name} bend {i + 1}" for i in range(m - 2))]
        names += [f"{name} jump > {cut:.5g}" for cut in cuts]
        options |= {"spline": spline, "low": low, "high": high}
    options["cuts"] = cuts
    n_steps = len(cuts)
    draft = Pieces([], **options | {"missing": False})
    raw, _ = draft.raw(values)
    share = shares / shares.sum()
    if n_steps:
        # Steps are as wide as a standardised column, all those of a column of few values together.
        of_steps = raw[:, len(matrix) - n_steps :]
        rate = share @ of_steps
        spread = np.sqrt(np.where(np.minimum(rate, 1 - rate) > _RARE, rate * (1 - rate), 0.0))
        divisor = np.sqrt((spread**2).sum()) if "spline" not in options else spread
        matrix[:, matrix.shape[1] - n_steps :] /= np.where(divisor > 0, divisor, 1.0)
    center = share @ (raw @ matrix)
    if missing:
        matrix, center, names = _with_missing(matrix, center, names, name, absent, weight)
    return Pieces(names, matrix=matrix, center=center, **options)


def category_pieces(column, weight, name):
    """Pieces of a column of categories: one for each level, each drawn to the mean of all."""
    counted = weight > 0
    absent = is_missing(column)
    levels = sorted(set(column[counted & ~absent]), key=str)
    missing = bool((absent & counted).any())
    share = weight / weight.sum()
    names = [f"{name} = {level}" for level in levels] + [f"{name} missing"] * missing
    pieces = Pieces(names, levels=levels, missing=missing)
    raw, _ = pieces.raw(column)
    n = raw.shape[1]
    return Pieces(
        names, levels=levels, missing=missing, matrix=np.eye(n), center=share @ raw.astype(float)
    )


def _knots(values, weight, n_knots):
    """Different knots at quantiles, or equally far apart where most values are the same."""
    knots = np.unique(quantiles(values, weight, np.linspace(_OUTER, 1 - _OUTER, n_knots)))
    least = min(n_knots, 3)
    if len(knots) < least:
        return np.linspace(values.min(), values.max(), least)
    return knots


def _smooth_coordinates(basis, share):
    """The matrix M (m, m - 1): straight course first, then bends, by their second differences."""
    m = basis.shape[1]
    straight = np.arange(m, dtype=float)
    bends = np.linalg.pinv(np.diff(np.eye(m), 2, axis=0))
    course = basis @ straight
    mean = share @ course
    spread = np.sqrt(share @ (course - mean) ** 2)
    line = straight / spread
    if m == 2:
        return line[:, None]
    columns = basis @ bends
    slope = (share * (course - mean)) @ columns / spread**2
    bends = bends - np.outer(straight, slope)
    columns = basis @ bends
    columns = columns - share @ columns
    size = np.sqrt((share @ columns**2).sum())
    return np.column_stack([line, bends * (_BEND / size)])


def _with_missing(matrix, center, names, name, absent, weight):
    """The same with a column for missing values, standardised."""
    share = weight @ absent / weight.sum()
    scale = 1 / np.sqrt(max(share * (1 - share), 1e-12)) if share < 1 else 1.0
    wide = np.zeros((len(matrix) + 1, matrix.shape[1] + 1))
    wide[:-1, :-1], wide[-1, -1] = matrix, scale
    return wide, np.append(center, share * scale), [*names, f"{name} missing"]
