"""AdditiveFeatures: every column in pieces, so that a ridge on these smooths the curves."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._data import Features, row_weights
from .._sklearn import Interval, fit_context
from ._pieces import category_pieces, is_missing, number_pieces, quantiles

_RANKS = np.linspace(0, 1, 101)
_PAIR = 0.2  # standard deviation of a pair's column, relative to a trend's


def check_columns(estimator, X, reset):
    """The columns of X, numbers as floats and categories as objects, and X for other checks.

    Parameters
    ----------
    estimator : estimator
        Whose names and number of features are set, or held against X.
    X : array-like or DataFrame of shape (n_samples, n_features)
    reset : bool

    Returns
    -------
    list of ndarray of shape (n_samples,)
    """
    if isinstance(X, pd.DataFrame) and not all(map(_is_number, X.dtypes)):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if not len(X):
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        return [_column(X.iloc[:, j]) for j in range(X.shape[1])]
    X = validate_data(
        estimator, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
    )
    return list(X.T.astype(float))


def _is_number(dtype):
    return pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)


def _column(series):
    if not _is_number(series.dtype):
        column = series.to_numpy(dtype=object)
        return np.where(is_missing(series.isna().map({True: None, False: 0})), None, column)
    column = series.to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(column).any():
        raise ValueError(f"Column {series.name!r} contains infinity: mark such values as missing.")
    return column


class AdditiveFeatures(TransformerMixin, BaseEstimator):
    """Pieces of curves, one curve for each feature, as features of a linear classifier.

    A numerical feature becomes a cubic spline with knots at quantiles, in coordinates in which the
    ridge penalty of a linear classifier is the penalty of a P-spline (Eilers and Marx 1996): the
    sum of squared second differences of the spline's coefficients. One column, the trend, is the
    straight course of these coefficients; the ridge shrinks it four times less than the bends.
    All columns have mean zero in the fit.

    - Outside the range of the outermost knots (the quantiles .01 and .99) a curve goes on straight,
      by the width of the outermost interval between knots, but not beyond the data, and is level
      after that.
    - A feature with at most `n_steps` different values becomes steps between them.
    - A missing value (nan, None) has a column of its own if the fit has seen missing values of the
      feature; if not, the feature has its mean effect, 0. So has a category that the fit has not
      seen.
    - A column of a DataFrame that holds no numbers is one of categories: one column for each level,
      drawn to the mean of all.

    Parameters
    ----------
    n_knots : int, default=10
        Knots of each curve; with 2, the curves are straight lines.
    n_steps : int, default=None
        A feature with at most so many different values becomes steps; None stands for `n_knots`.
    jumps : sequence of (feature, float), default=()
        Where curves jump: names or indices of features, and thresholds.
    pairs : sequence of (feature, feature), default=()
        Pairs of numerical features the product of whose ranks is a column, too.

    Attributes
    ----------
    parts_ : list of tuple
        Indices of the features of each part of the sum: (j,) for a curve, (i, j) for a pair.
    part_of_column_ : ndarray of shape (n_features_out,)
        The part that each column belongs to.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X has string names for all of its columns.

    See Also
    --------
    AdditiveClassifier : Chooses knots, jumps, pairs and the strength of the penalty.

    References
    ----------
    P. Eilers and B. Marx, "Flexible smoothing with B-splines and penalties", Statist. Sci. 11
    (1996) 89-121.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.additive import AdditiveFeatures
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> model = make_pipeline(AdditiveFeatures(5), PerturbArgmaxClassifier("gumbel")).fit(X, y)
    >>> model[0].get_feature_names_out()[:3].tolist()
    ['alcohol trend', 'alcohol bend 1', 'alcohol bend 2']
    """

    _parameter_constraints = {
        "n_knots": [Interval(Integral, 2, None, closed="left")],
        "n_steps": [Interval(Integral, 2, None, closed="left"), None],
        "jumps": ["array-like"],
        "pairs": ["array-like"],
    }

    def __init__(
        self,
        n_knots: int = 10,
        *,
        n_steps: int | None = None,
        jumps: Sequence[tuple[Any, float]] = (),
        pairs: Sequence[tuple[Any, Any]] = (),
    ) -> None:
        self.n_knots = n_knots
        self.n_steps = n_steps
        self.jumps = jumps
        self.pairs = pairs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Features, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Place the knots and scale the pieces.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Numbers, or categories in columns of a DataFrame.
        y : array-like, default=None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            A weight of 2 counts as two equal rows.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If jumps or pairs name a feature that does not exist or holds categories.
        """
        columns = check_columns(self, X, reset=True)
        weight = row_weights(sample_weight, np.empty((len(columns[0]), 1)))
        if not weight.any():
            raise ValueError("sample_weight is zero for every row: nothing is left to fit.")
        self._categories = {j for j, column in enumerate(columns) if column.dtype == object}
        jumps: dict = {}
        for feature, cut in self.jumps:
            jumps.setdefault(self._number_of(feature), []).append(float(cut))
        names = self._names()
        n_steps = self.n_knots if self.n_steps is None else self.n_steps
        self._pieces = [
            category_pieces(column, weight, name)
            if column.dtype == object
            else number_pieces(
                column, weight, name, self.n_knots, n_steps, sorted(jumps.get(j, ()))
            )
            for j, (column, name) in enumerate(zip(columns, names, strict=True))
        ]
        pairs = [tuple(self._number_of(f) for f in pair) for pair in self.pairs]
        self._tables = {
            j: _rank_table(columns[j], weight) for j in sorted({j for p in pairs for j in p})
        }
        ranks = self._ranks(columns)
        self._scales, share = {}, weight / weight.sum()
        for i, j in pairs:
            product = ranks[i] * ranks[j]
            mean = share @ product
            spread = np.sqrt(share @ (product - mean) ** 2)
            self._scales[i, j] = mean, spread if spread > 0 else 1.0
        self.parts_ = [(j,) for j in range(len(columns))] + pairs
        sizes = [len(pieces.names) for pieces in self._pieces] + [1] * len(pairs)
        self.part_of_column_ = np.repeat(np.arange(len(sizes)), sizes)
        return self

    def _names(self):
        known = getattr(self, "feature_names_in_", None)
        return [f"x{j}" for j in range(self.n_features_in_)] if known is None else list(known)

    def _number_of(self, feature):
        """Index of a numerical feature, by name or index."""
        names = self._names()
        if isinstance(feature, str) and feature in names:
            j = names.index(feature)
        elif isinstance(feature, Integral) and 0 <= feature < len(names):
            j = int(feature)
        else:
            raise ValueError(f"jumps, pairs and monotone name features of X; {feature!r} is none.")
        if j in self._categories:
            raise ValueError(f"Feature {names[j]!r} holds categories: it has no order.")
        return j

    def _ranks(self, columns):
        """Ranks between -1 and 1 of the features of pairs; 0 for missing values."""
        return {
            j: np.nan_to_num(np.interp(columns[j], *table)) for j, table in self._tables.items()
        }

    def transform(self, X: Features) -> NDArray:
        """Compute the pieces.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features as in the fit.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            Float32 if X is, else float64.
        """
        check_is_fitted(self)
        columns = check_columns(self, X, reset=False)
        kind = np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64
        out = np.empty((len(columns[0]), len(self.part_of_column_)), dtype=kind)
        start = 0
        for pieces, column in zip(self._pieces, columns, strict=True):
            stop = start + len(pieces.names)
            out[:, start:stop] = pieces(column)
            start = stop
        ranks = self._ranks(columns)
        for (i, j), (mean, spread) in self._scales.items():
            out[:, start] = (ranks[i] * ranks[j] - mean) * (_PAIR / spread)
            start += 1
        return out

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Names of the columns: feature and piece.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features, which must be those of the fit.

        Returns
        -------
        ndarray of str
            Such as "thickness trend", "thickness bend 2", "colour = red" or "width * height".
        """
        check_is_fitted(self)
        names = self._names()
        if input_features is not None:
            if len(np.asarray(input_features)) != len(names):
                raise ValueError("input_features should have length equal to number of features")
            if hasattr(self, "feature_names_in_") and list(np.asarray(input_features)) != names:
                raise ValueError("input_features is not equal to feature_names_in_")
        given = names if input_features is None else list(np.asarray(input_features))
        out = [
            f"{name}{piece.removeprefix(known)}"
            for pieces, known, name in zip(self._pieces, names, given, strict=True)
            for piece in pieces.names
        ]
        return np.array(out + [f"{given[i]} * {given[j]}" for i, j in self._scales], dtype=object)

    @property
    def _n_features_out(self):
        return len(self.part_of_column_)


def _rank_table(column, weight):
    """Values and their ranks, between which ranks are interpolated."""
    seen = ~np.isnan(column) & (weight > 0)
    if not seen.any():
        return np.zeros(1), np.zeros(1)
    values = quantiles(column[seen], weight[seen], _RANKS)
    distinct, first, count = np.unique(values, return_index=True, return_counts=True)
    ranks = _RANKS[first] + (count - 1) / 2 / (len(_RANKS) - 1)
    return distinct, 2 * ranks - 1
