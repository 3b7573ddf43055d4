"""AdditiveClassifier: curves whose smoothness, jumps and pairs leave-one-out chooses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .._classifier import POSITIVE, PerturbClassifier
from .._data import Features, fit_weights, plain_labels, row_weights
from .._linear import all_rows
from .._results import Table
from .._sklearn import Interval, StrOptions, fit_context
from .._warnings import warn_user
from ..classifiers import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from ..leave_out import Minimum, lots_of
from ..model_selection import Data
from ..models import NoiseLike
from ._curves import CurveMethods, part_covariances, shapes_of
from ._features import AdditiveFeatures, check_columns
from ._label_doubts import LabelDoubtsMethods
from ._monotone import check_monotone, fit_monotone
from ._search import NEAR, AdditiveSearch

_KNOTS = 2, 5, 10  # numbers of knots to choose from
_MANY = 20_000  # rows from which on the smaller of two curves is not tried
_FEW_VALUES = 40  # of a feature that may become steps
_DECADES = -3, 4  # of C
# Rows of the search, where more are not needed to tell smooth from rough; of each class at least.
_MOST_SEARCHED, _FEWEST_OF_CLASS = 50_000, 100


class AdditiveClassifier(CurveMethods, LabelDoubtsMethods, ClassifierMixin, BaseEstimator):
    """A curve for each feature and a few pairs, summed up to scores of the classes.

    The curves are penalised splines (:class:`AdditiveFeatures`), fitted as
    :class:`~skperturb.PerturbArgmaxClassifier` fits lines. How smooth they are, how many knots they
    have, where they jump and which pairs of features are added is chosen by the log loss of rows,
    or lots, that the fit has not seen, which takes no refits. If there are more than 50 000 rows,
    the search takes a random part of that size, always the same, and the last fit takes all rows
    (not with `groups` or `cv`).

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gumbel"
        Noise of the scores, as for PerturbArgmaxClassifier.
    model : {"argmax", "softmax"}, default="argmax"
        Perturb-Argmax or Perturb-Softmax.
    temperature : float, default=1.0
        Of Perturb-Softmax.
    interactions : int or "auto", default=0
        Pairs of numerical features that are added to the curves, as products of their ranks. They
        are those that the residuals ask for most. "auto": once, 4 times and 16 times as many as
        there are features are tried, and the best of these is taken if it gains more than half a
        standard error of the log loss. This and their C are judged by 5 folds, or those of `cv`,
        each of which ranks the pairs without its rows: leave-one-out would be too good for pairs
        that the row has chosen.
    n_knots : int, list of int or "auto", default="auto"
        Knots of each curve, or numbers to choose from; 2 knots make straight lines. "auto": 2, 5 or
        10, and from 20 000 rows on 2 or 10. Lines are taken in place of curves if they are better
        by more than two standard errors. Of several numbers, those are left out that make more than
        1500 free parameters, but for the smallest: with very many features and classes "auto" fits
        straight lines; ``n_knots=5`` fits curves, and takes its time. With "auto" features of at
        most 40 different values become steps where leave-one-out is better with them.
    Cs : int or list of float, default=19
        Values of C to choose from; a number n stands for n values between 1e-3 and 1e4 that are
        equally far apart on a logarithmic scale. The search begins in the middle and goes uphill,
        by every other value until the number of knots is chosen.
    jumps : bool, default=True
        Whether curves may jump where a score test finds a jump and leave-one-out is better with
        it by more than one standard error.
    monotone : dict, default=None
        Maps features (names or indices) to 1 where the probability of the second of two classes
        must not fall when the feature grows, and to -1 where it must not rise. Knots, C and jumps
        are chosen without it. The constraint holds exactly; such features are in no pair, and the
        curves have no intervals. With more classes it is refused.
    cv : int, cross-validation splitter or iterable, default=None
        How rows are predicted that a fit has not seen, as for PerturbArgmaxClassifierCV. None
        leaves out one row at a time, or one lot, without refits. The knots, which labels play no
        part in, are placed by all rows.
    class_weight : dict, "balanced" or None, default=None
        As for PerturbArgmaxClassifier.
    tol : float, default=1e-4
        As for PerturbArgmaxClassifier.
    max_iter : int, default=100
        As for PerturbArgmaxClassifier.

    Attributes
    ----------
    pipeline_ : Pipeline
        The fitted :class:`AdditiveFeatures` and the fitted classifier of scores; both can be used
        alone. With `monotone` the classifier has the constrained coefficients.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    C_ : float
        The C that was chosen.
    n_knots_ : int
        The number of knots that was chosen.
    jumps_ : list of (int, float)
        Features that jump, and where.
    pairs_ : list of (int, int)
        Features of the pairs.
    candidates_ : pandas.DataFrame
        The models that were tried: knots, the number of values up to which a
        feature becomes steps, number of jumps and pairs, best C, log loss of left-out
        rows with standard error. The chosen minimum is a little too good: cross-validate the
        classifier to know its loss.
    importances_ : ndarray of shape (n_parts,)
        Root mean square, over rows and classes, of what each part adds to the scores.
    n_iter_ : int
        Iterations of all fits.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X has string names for all of its columns.

    See Also
    --------
    AdditiveFeatures : The curves alone.
    skperturb.PerturbArgmaxClassifierCV : Straight lines.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skperturb.additive import AdditiveClassifier
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> clf = AdditiveClassifier(n_knots=5).fit(X[["alcohol", "proline"]], y)
    >>> clf.predict(X[["alcohol", "proline"]])[:3].tolist()
    [0, 0, 0]
    >>> curves = clf.curves()
    >>> sorted(set(curves["feature"]))
    ['alcohol', 'proline']
    """

    _parameter_constraints = {
        "noise": PerturbClassifier._parameter_constraints["noise"],
        "model": [StrOptions({"argmax", "softmax"})],
        "temperature": [POSITIVE],
        "interactions": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "n_knots": [Interval(Integral, 2, None, closed="left"), "array-like", StrOptions({"auto"})],
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "jumps": ["boolean"],
        "monotone": [dict, None],
        "cv": ["cv_object"],
        **{
            name: PerturbClassifier._parameter_constraints[name]
            for name in ("class_weight", "tol", "max_iter")
        },
    }

    def __init__(
        self,
        noise: NoiseLike = "gumbel",
        *,
        model: str = "argmax",
        temperature: float = 1.0,
        interactions: int | str = 0,
        n_knots: int | Sequence[int] | str = "auto",
        Cs: int | ArrayLike = 19,
        jumps: bool = True,
        monotone: Mapping[Any, int] | None = None,
        cv: Any = None,
        class_weight: dict | str | None = None,
        tol: float = 1e-4,
        max_iter: int = 100,
    ) -> None:
        self.noise = noise
        self.model = model
        self.temperature = temperature
        self.interactions = interactions
        self.n_knots = n_knots
        self.Cs = Cs
        self.jumps = jumps
        self.monotone = monotone
        self.cv = cv
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Features,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose knots, C, jumps and pairs, and fit the curves.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Numbers, missing ones as nan, or categories in columns of a DataFrame.
        y : array-like of shape (n_samples,)
            Class labels, of any type; two classes at least that are seen in two rows (or lots).
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative, one at least positive. They weigh the rows in the fits and in the scores;
            a row is left out whole.
        groups : array-like of shape (n_samples,), default=None
            The lot of each row: whole lots are left out.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable, or `monotone` cannot be kept; the text says
            what to do instead.

        Warns
        -----
        UserWarning
            If a class is seen in one row (or lot) only: it is fitted, but plays no part in the
            choice of knots, C, jumps and pairs.
        ConvergenceWarning
            As the fit of PerturbArgmaxClassifier does.
        """
        if y is None:
            raise ValueError("fit requires y to be passed, but the target y is None.")
        columns = check_columns(self, X, reset=True)
        labels = column_or_1d(plain_labels(y), warn=True)
        check_consistent_length(columns[0], labels)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        if len(labels) < 2:
            raise ValueError(f"Found {len(labels)} sample: two classes need two rows at least.")
        shape = np.empty((len(labels), 1))
        classes, codes = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes.tolist()[0]!r}; at least two are needed to fit."
            )
        lots, names = lots_of(groups, len(labels)) if groups is not None else (None, None)
        Cs = self._grid()
        options = {"class_weight": self.class_weight, "C": Cs[0]}
        fit_weights(options, sample_weight, shape, labels, classes, codes)
        weight = row_weights(sample_weight, shape)
        clf = self._classifier()
        data = Data(shape, labels, classes, codes, weight, lots, names)
        splits = self._splits(shape, labels, groups)
        part = self._part(data) if splits is None else None
        if part is None:
            search = AdditiveSearch(X, data, clf, Cs, splits)
        else:
            some = X.iloc[part] if hasattr(X, "iloc") else np.asarray(X)[part]
            search = AdditiveSearch(some, _rows_of(data, part), clf, Cs)
        knots, fixed = self._knots(len(labels)), self._fixed()
        n_steps = _FEW_VALUES if isinstance(self.n_knots, str) else None
        best = search.run(knots, self.interactions, self.jumps, fixed, n_steps)

        C, features, Z = float(Cs[best.best]), best.features, best.X
        clf.set_params(C=C)
        if part is None:
            start = best.minimum(C)
            clf.set_params(warm_start=True)
            known = start.objective.coefficients(start.free + start.rest)
            self._set_coefficients(clf, classes, *known)
        else:
            features = AdditiveFeatures(**features.get_params()).fit(X, sample_weight=weight)
            Z = features.transform(X).astype(float)
        clf.fit(Z, labels, sample_weight)
        clf.set_params(warm_start=False)
        objective = replace(data, X=Z).objective(clf, C)
        minimum = Minimum(objective, objective.free(*all_rows(clf)), NEAR)
        signs = check_monotone(self.monotone, features, classes)
        if signs:
            free = fit_monotone(objective, minimum.free + minimum.rest, features, signs)
            self._set_coefficients(clf, classes, *objective.coefficients(free))
        self.pipeline_ = Pipeline([("features", features), ("classifier", clf)])
        self.classes_, self.C_, self.n_knots_ = classes, C, features.n_knots
        self.jumps_, self.pairs_ = list(features.jumps), list(features.pairs)
        self.candidates_ = Table(search.tried)
        self.n_iter_ = search.n_iter + clf.n_iter_
        owner, n_parts = features.part_of_column_, len(features.parts_)
        expand = objective.constraint.expand(np.eye(objective.shape[0]))
        self._expand = expand[1:] - expand[:1] if len(classes) == 2 else expand
        covariances = [None] * n_parts if signs else part_covariances(minimum, owner, n_parts)
        self._shapes = shapes_of(features, columns, weight, covariances)
        share = weight / weight.sum()
        self.importances_ = np.array(
            [
                np.sqrt(np.mean(share @ (Z[:, owner == k] @ clf.coef_[:, owner == k].T) ** 2))
                for k in range(n_parts)
            ]
        )
        return self

    def _classifier(self):
        options = {"class_weight": self.class_weight, "tol": self.tol, "max_iter": self.max_iter}
        if self.model == "softmax":
            return PerturbSoftmaxClassifier(self.noise, temperature=self.temperature, **options)
        if self.temperature != 1.0:
            raise ValueError("temperature belongs to model='softmax': use that, or leave it out.")
        return PerturbArgmaxClassifier(self.noise, **options)

    def _grid(self):
        if isinstance(self.Cs, Integral):
            return np.logspace(*_DECADES, self.Cs)
        Cs = np.unique(np.asarray(self.Cs, dtype=float))
        if not (Cs.ndim == 1 and len(Cs) and Cs[0] > 0 and np.isfinite(Cs).all()):
            raise ValueError(
                f"Cs must be positive, finite numbers, or how many of them to take, got {self.Cs}."
            )
        return Cs

    def _knots(self, n):
        if isinstance(self.n_knots, str):
            return [_KNOTS[0], _KNOTS[-1]] if n >= _MANY else list(_KNOTS)
        return [int(number) for number in np.atleast_1d(self.n_knots)]

    @staticmethod
    def _part(data):
        """Rows of the search where it does not take all: of very many a part, and no lone class."""
        counted = np.flatnonzero(data.weight > 0)
        units = counted if data.lots is None else data.lots[counted]
        rng, share = np.random.default_rng(0), _MOST_SEARCHED / len(counted)
        share = share if data.lots is None else 1.0
        chosen = []
        for k, label in enumerate(data.classes.tolist()):
            rows = counted[data.codes[counted] == k]
            if not len(rows):
                continue  # of weight zero: the fit says so
            if len(np.unique(units[data.codes[counted] == k])) < 2:
                warn_user(
                    f"Class {label!r} is seen in one {'row' if data.lots is None else 'lot'} only, "
                    "which cannot be left out: knots, C, jumps and pairs are chosen without it.",
                    UserWarning,
                )
            elif share < 1:
                size = min(len(rows), max(_FEWEST_OF_CLASS, int(np.ceil(share * len(rows)))))
                chosen.append(rng.choice(rows, size, replace=False))
            else:
                chosen.append(rows)
        if len(chosen) < 2:
            raise ValueError(
                "Fewer than two classes are seen in two rows (or lots) or more, so that none can "
                "be left out to choose C: collect more rows."
            )
        part = np.sort(np.concatenate(chosen))
        return part if len(part) < len(counted) else None

    def _splits(self, X, y, groups):
        if self.cv is None:
            return None
        if isinstance(self.cv, Integral) and groups is not None:
            return list(StratifiedGroupKFold(self.cv).split(X, y, groups))
        return list(check_cv(self.cv, y, classifier=True).split(X, y, groups))

    def _fixed(self):
        """Indices of the features that `monotone` names; the names are checked by the features."""
        names = list(getattr(self, "feature_names_in_", ()))
        return [names.index(f) if f in names else f for f in self.monotone or ()]

    @staticmethod
    def _set_coefficients(clf, classes, coef, intercept):
        if len(classes) == 2:
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        clf.classes_, clf.coef_, clf.intercept_ = classes, coef, intercept

    def decision_function(self, X: Features) -> NDArray[np.float64]:
        """Scores, before the noise.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features as in the fit.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            With two classes the score of ``classes_[1]`` less that of ``classes_[0]``.
        """
        return self._of_pipeline("decision_function", X)

    def predict(self, X: Features) -> NDArray:
        """The most probable class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features as in the fit.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels out of ``classes_``.
        """
        return self._of_pipeline("predict", X)

    def predict_proba(self, X: Features) -> NDArray[np.float64]:
        """Class probabilities.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features as in the fit.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; each row sums to one.
        """
        return self._of_pipeline("predict_proba", X)

    def predict_log_proba(self, X: Features) -> NDArray[np.float64]:
        """Log of the class probabilities.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features as in the fit.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms, -inf for a probability of zero.
        """
        return self._of_pipeline("predict_log_proba", X)

    def _of_pipeline(self, method, X):
        check_is_fitted(self)
        check_columns(self, X, reset=False)
        return getattr(self.pipeline_, method)(X)


def _rows_of(data, part):
    """The data of some rows, with the classes and lots that they have."""
    present, codes = np.unique(data.codes[part], return_inverse=True)
    lots, names = None, data.names
    if data.lots is not None:
        kept, lots = np.unique(data.lots[part], return_inverse=True)
        names = data.names[kept]
    labels = data.y[part]
    X = data.X[part]
    return Data(X, labels, data.classes[present], codes, data.weight[part], lots, names)
