"""The curves of a fit, how sure they are, and what each part adds to the score of a row.

The intervals are those of Nychka (1988) and Wood (2006): the penalty is a Gaussian prior of the
coefficients, and H^-1, with H the second derivatives of loss and penalty, is their covariance after
the data. On average over a curve a pointwise interval covers about as often as it says, if it
allows for the intercept, too (Marra and Wood 2012).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils.validation import check_is_fitted

from .._data import Features
from ._features import check_columns
from ._pieces import quantiles
from ._plot import draw_curves

_PLACES = 101  # quantiles at which curves are drawn
_COLUMNS = (
    "score",
    "proba_effect",
    "ci_low",
    "ci_high",
    "simultaneous_low",
    "simultaneous_high",
)
_DRAWS = 2000  # for the widest deviation of a curve: its quantile is right to 1 %
_SEED = 0


@dataclass(frozen=True)
class Shape:
    """What is kept of one feature to draw its curve.

    Attributes
    ----------
    values : ndarray
        Where it is drawn: quantiles of the data, both sides of each jump, levels of categories.
    rug : ndarray
        Quantiles of the data.
    covariance : ndarray of shape (n_free * (n_columns + 1), n_free * (n_columns + 1)) or None
        Of the coefficients of its pieces, and of the intercept, in the free scores.
    """

    values: Any
    rug: Any
    covariance: Any


def part_covariances(minimum, owner, n_parts):
    """The covariance of the coefficients of each part with the intercept, from that of all."""
    objective = minimum.objective
    n_free, width = objective.shape
    spread = minimum.spread.reshape(n_free, width, -1) / np.sqrt(objective.total)
    out = []
    for part in range(n_parts):
        own = spread[:, np.append(owner == part, True)].reshape(-1, spread.shape[2])
        out.append(own @ own.T)
    return out


def curve(pieces_at, coef, expand, covariance, confidence):
    """The score of a curve and its intervals.

    Parameters
    ----------
    pieces_at : ndarray of shape (n_values, n_columns)
    coef : ndarray of shape (n_rows, n_columns)
        Of each class, or of the second of two.
    expand : ndarray of shape (n_rows, n_free)
        Makes rows of free parameters.
    covariance : ndarray or None
    confidence : float

    Returns
    -------
    dict of str to ndarray of shape (n_values, n_rows)
    """
    score = pieces_at @ coef.T
    if covariance is None:
        unknown = np.full(score.shape, np.nan)
        names = ("ci_low", "ci_high", "simultaneous_low", "simultaneous_high")
        return {"score": score, **dict.fromkeys(names, unknown)}
    # The level of all curves is uncertain, too (Marra and Wood 2012).
    pieces_at = np.column_stack([pieces_at, np.ones(len(pieces_at))])
    n_free, n_columns = expand.shape[1], pieces_at.shape[1]
    blocks = covariance.reshape(n_free, n_columns, n_free, n_columns)
    error, widest = np.empty(score.shape), np.empty(score.shape[1])
    rng = np.random.default_rng(_SEED)
    normal = rng.standard_normal((_DRAWS, n_columns))
    for k, row in enumerate(expand):
        of_class = np.einsum("a,aibj,b->ij", row, blocks, row)
        values, vectors = np.linalg.eigh(of_class)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        at = pieces_at @ root
        error[:, k] = np.sqrt((at**2).sum(axis=1))
        size = np.where(error[:, k] > 0, error[:, k], np.inf)
        largest = np.abs((at / size[:, None]) @ normal.T).max(axis=0)
        widest[k] = np.quantile(largest, confidence)
    z = stats.norm.ppf((1 + confidence) / 2)
    widest = np.maximum(widest, z)
    return {
        "score": score,
        "ci_low": score - z * error,
        "ci_high": score + z * error,
        "simultaneous_low": score - widest * error,
        "simultaneous_high": score + widest * error,
    }


def shapes_of(features, columns, weight, covariances):
    """The shape of each feature.

    Parameters
    ----------
    features : AdditiveFeatures
        Fitted.
    columns : list of ndarray of shape (n_samples,)
    weight : ndarray of shape (n_samples,)
    covariances : list of ndarray or None
        Of each part; those of features come first.

    Returns
    -------
    list of Shape
    """
    counted = weight > 0
    out = []
    for pieces, column, covariance in zip(features._pieces, columns, covariances, strict=False):
        if pieces.levels or column.dtype == object:
            values = np.array([*pieces.levels, *([None] if pieces.missing else [])], dtype=object)
            out.append(Shape(values, values[:0], covariance))
            continue
        seen = counted & ~np.isnan(column)
        rug = values = np.zeros(0)
        if seen.any():
            rug = quantiles(column[seen], weight[seen], np.linspace(0, 1, _PLACES))
            values = rug
            if pieces.spline is None:
                values = np.unique(column[seen])
            cuts = np.asarray(pieces.cuts, dtype=float)
            if pieces.spline is not None:
                values = np.concatenate([values, cuts, np.nextafter(cuts, np.inf)])
        values = np.append(np.unique(values), [np.nan] * pieces.missing)
        out.append(Shape(values, np.unique(rug), covariance))
    return out


class CurveMethods:
    """What an additive classifier says of its curves."""

    pipeline_: Any
    classes_: Any
    importances_: Any
    _shapes: Any
    _expand: Any

    def curves(self, confidence: float = 0.95) -> pd.DataFrame:
        """The curve of each feature, with intervals.

        Pairs are not shown: :meth:`contributions` has them. Jumps are drawn on both sides.

        Parameters
        ----------
        confidence : float, default=0.95
            Of the intervals. A pointwise interval covers the curve with this probability on average
            over its values, where the curve can be drawn by the spline (Nychka 1988). It allows for
            the uncertainty of the intercept, the level of all curves (Marra and Wood 2012). It says
            nothing of what C, knots and jumps owe to chance. A simultaneous one is for the curve as
            a whole. With `monotone` both are nan.

        Returns
        -------
        pandas.DataFrame
            Columns ``feature``; ``value`` (nan or None: missing); ``class`` (with two classes the
            second only); ``score``, what the feature adds to the score, 0 on average over the rows
            of the fit; ``proba_effect``, the change of the probability of the class when only this
            feature's effect differs from 0; ``ci_low`` and ``ci_high``, the pointwise interval of
            the score; ``simultaneous_low`` and ``simultaneous_high``.

        Raises
        ------
        ValueError
            If `confidence` is not between 0 and 1.

        References
        ----------
        D. Nychka, "Bayesian confidence intervals for smoothing splines", J. Amer. Statist. Assoc.
        83 (1988) 1134-1143.

        G. Marra and S. Wood, "Coverage properties of confidence intervals for generalized additive
        model components", Scand. J. Stat. 39 (2012) 53-74.

        S. Wood, "On confidence intervals for generalized additive models based on penalized
        regression splines", Aust. N. Z. J. Stat. 48 (2006) 445-464.
        """
        check_is_fitted(self)
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}.")
        features, clf = self.pipeline_["features"], self.pipeline_["classifier"]
        classes = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        base = clf.model_.proba(_all_scores(clf.intercept_[None].astype(float)))
        tables = []
        for j, (pieces, shape) in enumerate(zip(features._pieces, self._shapes, strict=True)):
            if not len(shape.values) or not pieces.names:
                continue
            coef = clf.coef_[:, features.part_of_column_ == j].astype(float)
            at = pieces(shape.values)
            of_curve = curve(at, coef, self._expand, shape.covariance, confidence)
            scores = _all_scores(of_curve["score"] + clf.intercept_)
            effect = clf.model_.proba(scores) - base
            of_curve["proba_effect"] = effect[:, -len(classes) :]
            columns = {name: of_curve[name].T.ravel() for name in _COLUMNS}
            n = len(shape.values)
            tables.append(
                pd.DataFrame(
                    {
                        "feature": features._names()[j],
                        "value": np.tile(shape.values, len(classes)),
                        "class": np.repeat(classes, n),
                        **columns,
                    }
                )
            )
        if not tables:
            return pd.DataFrame(columns=["feature", "value", "class", *_COLUMNS])
        return pd.concat(tables, ignore_index=True)

    def contributions(self, X: Features) -> pd.DataFrame:
        """What each part adds to the scores of each row: the reasons of a prediction.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features as in the fit.

        Returns
        -------
        pandas.DataFrame
            One row for each row of X; columns (class, part), with two classes of the second only. A
            part is a feature or "feature * feature". Their sum and the part "intercept" make the
            scores of ``decision_function``.
        """
        check_is_fitted(self)
        features, clf = self.pipeline_["features"], self.pipeline_["classifier"]
        check_columns(self, X, reset=False)
        Z = features.transform(X).astype(float)
        classes = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        names = [" * ".join(features._names()[j] for j in part) for part in features.parts_]
        columns = {}
        for k, label in enumerate(classes.tolist()):
            columns[label, "intercept"] = np.full(len(Z), float(clf.intercept_[k]))
            for part, name in enumerate(names):
                own = features.part_of_column_ == part
                columns[label, name] = Z[:, own] @ clf.coef_[k, own]
        table = pd.DataFrame(columns, index=getattr(X, "index", None))
        return table.rename_axis(columns=["class", "part"])

    def plot_curves(
        self, *, features: int | None = 12, confidence: float = 0.95, columns: int = 3
    ) -> Any:
        """Draw one small chart for each feature, the most important first.

        Parameters
        ----------
        features : int or None, default=12
            How many features are drawn; None for all.
        confidence : float, default=0.95
            Of the pointwise bands.
        columns : int, default=3
            Charts side by side.

        Returns
        -------
        matplotlib.figure.Figure
            Scores against values; marks at the foot are quantiles of the data. Colours can be told
            apart by the colour-blind.

        Raises
        ------
        ImportError
            If matplotlib is not installed: install ``skperturb[report]``.
        """
        table = self.curves(confidence)
        names = self.pipeline_["features"]._names()
        order = np.argsort(-self.importances_[: len(names)], kind="stable")
        rugs = {names[j]: self._shapes[j].rug for j in range(len(names))}
        chosen = [names[j] for j in order if (table["feature"] == names[j]).any()]
        return draw_curves(table, chosen[:features], rugs, columns)


def _all_scores(scores):
    """Scores of all classes (n, K) from those of the second of two less the first."""
    return np.column_stack([0 * scores, scores]) if scores.shape[1] == 1 else scores
