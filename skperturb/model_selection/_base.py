"""What both classifiers that choose noise and C share."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .._callbacks import CallbackSupportMixin, with_callbacks
from .._classifier import PerturbClassifier
from .._completeness import Constraint
from .._data import Features, check_features, fit_weights, row_weights
from .._results import Table
from .._sklearn import Interval, StrOptions, fit_context
from .._warnings import warn_user
from ..leave_out import lots_of, workable
from ..models import NoiseLike
from ..noise import as_noise
from ._monitor import SearchMonitor
from ._scores import MEASURES, Data, FoldScores, LeaveOutScores
from ._search import Search

_PASSED_ON = (
    "constraint",
    "reference_class",
    "loss",
    "fit_intercept",
    "class_weight",
    "solver",
    "tol",
    "max_iter",
)


class PerturbClassifierCV(CallbackSupportMixin, ClassifierMixin, BaseEstimator, metaclass=ABCMeta):
    """The search, and predictions by the classifier that it chose."""

    _parameter_constraints = {
        "noises": ["array-like"],
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "cv": ["cv_object"],
        "selection": [StrOptions({"one_se", "best"})],
        "scoring": [StrOptions(set(MEASURES))],
        "refit": ["boolean"],
        "store_cv_results": ["boolean"],
        **{name: PerturbClassifier._parameter_constraints[name] for name in _PASSED_ON},
    }

    best_estimator_: PerturbClassifier

    def __init__(
        self,
        noises: Sequence[NoiseLike] = ("gumbel", "student_t"),
        *,
        Cs: int | ArrayLike = 10,
        cv: Any = None,
        selection: str = "one_se",
        scoring: str = "neg_log_loss",
        refit: bool = True,
        store_cv_results: bool = False,
        constraint: Constraint = "sum_to_zero",
        reference_class: Any = None,
        loss: str = "log_loss",
        fit_intercept: bool = True,
        class_weight: dict | str | None = None,
        solver: str = "auto",
        tol: float = 1e-4,
        max_iter: int = 100,
    ) -> None:
        self.noises = noises
        self.Cs = Cs
        self.cv = cv
        self.selection = selection
        self.scoring = scoring
        self.refit = refit
        self.store_cv_results = store_cv_results
        self.constraint = constraint
        self.reference_class = reference_class
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @abstractmethod
    def _candidates(self, noises, options):
        """The names of the axes of `scores_` but C's, their values, and the classifiers.

        Returns
        -------
        axes : dict of str to list
        classifiers : list
            In the order of the flattened axes.
        """

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Features,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose noise and C, and fit with them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.
        y : array-like of shape (n_samples,)
            Class labels, of any type; two classes at least, each of two rows (or lots) at least.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative, one at least positive. They weigh the rows in the fits and in the scores.
            Without `cv` a row is left out whole, whatever its weight.
        groups : array-like of shape (n_samples,), default=None
            The lot of each row. Without `cv` whole lots are left out; with it, they are passed to
            the splitter.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable, or a class is seen in one row (or lot) only;
            the text says what to do instead.

        Warns
        -----
        ConvergenceWarning, UserWarning
            As the fit of the chosen classifier does, and where a log loss is infinite.
        """
        given = X
        X, y = check_features(self, X, y, reset=True)
        check_classification_targets(y)
        data = self._data(X, y, sample_weight, groups)
        Cs = self._grid()
        options = {name: getattr(self, name) for name in _PASSED_ON}
        axes, classifiers = self._candidates(self._noises(), options)
        # The weights of all rows are checked as those of a fit are.
        for clf in classifiers:
            clf._model()
        weight = fit_weights(options | {"C": Cs[0]}, sample_weight, X, y, data.classes, data.codes)
        extra = {"sample_weight": sample_weight, "groups": groups}
        metadata = {name: value for name, value in extra.items() if value is not None} or None
        monitor = SearchMonitor(self, len(classifiers) * len(Cs), X=X, y=y, metadata=metadata)
        scorers = self._scorers(data, classifiers, groups)
        counted = np.where(weight > 0, data.weight, 0.0)
        search = Search(scorers, Cs, counted, data.lots)
        search.run(monitor)
        infinite = int(np.sum(search.scores == -np.inf))
        if infinite:
            warn_user(
                f"{infinite} of the {np.sum(~np.isnan(search.scores))} pairs of noise and C give a "
                "row that was left out the probability zero, so that their log loss is infinite "
                "and they are not chosen. Use scoring='neg_brier_score', or noise that is not "
                "bounded.",
                UserWarning,
            )
        i, j = search.choose(self.selection)
        best = classifiers[i].set_params(C=float(Cs[j]))

        if self.refit:
            known = scorers[i].coefficients(Cs[j])
            if known is not None:
                self._start_from(best, data.classes, known)
            monitor.final_fit(lambda: best.fit(given, y, sample_weight), best)
            best.set_params(warm_start=False)
            self.best_estimator_ = best
        elif hasattr(self, "best_estimator_"):
            del self.best_estimator_
        self.classes_ = data.classes
        self.Cs_, self.C_ = Cs, float(Cs[j])
        self._keep(axes, search, i, j)
        self.n_iter_ = sum(scorer.n_iter for scorer in scorers)
        if self.refit:
            self.n_iter_ += best.n_iter_
        monitor.close()
        return self

    def _data(self, X, y, sample_weight, groups):
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes.tolist()[0]!r}; at least two are needed to fit."
            )
        lots = names = None
        if groups is not None:
            lots, names = lots_of(groups, len(y))
        X = workable(X)
        weight = row_weights(sample_weight, X)
        return Data(X, y, classes, codes, weight, lots, names)

    def _noises(self):
        if isinstance(self.noises, str) or not len(self.noises):
            raise ValueError(
                f"noises must be a list of noises, such as ('gumbel', 'student_t'), got "
                f"{self.noises!r}."
            )
        return [as_noise(noise) for noise in self.noises]

    def _grid(self):
        if isinstance(self.Cs, Integral):
            return np.logspace(-4, 4, self.Cs)
        Cs = np.unique(np.asarray(self.Cs, dtype=float))
        if not (Cs.ndim == 1 and len(Cs) and Cs[0] > 0 and np.isfinite(Cs).all()):
            raise ValueError(
                f"Cs must be positive, finite numbers, or how many of them to take, got {self.Cs}."
            )
        return Cs

    def _scorers(self, data, classifiers, groups):
        if self.cv is None:
            return [LeaveOutScores(data, clf, self.scoring) for clf in classifiers]
        # Here, because it takes a thirtieth of the time of importing skperturb.
        from sklearn.model_selection import StratifiedGroupKFold, check_cv

        if isinstance(self.cv, Integral) and groups is not None:
            cv = StratifiedGroupKFold(self.cv)
        else:
            cv = check_cv(self.cv, data.y, classifier=True)
        splits = list(cv.split(data.X, data.y, groups))
        return [FoldScores(data, clf, self.scoring, splits) for clf in classifiers]

    @staticmethod
    def _start_from(clf, classes, known):
        """Let the next fit of a classifier start from coefficients and intercepts."""
        coef, intercept = known
        if len(classes) == 2:
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        clf.classes_, clf.coef_, clf.intercept_ = classes, coef, intercept
        clf.set_params(warm_start=True)

    def _keep(self, axes, search, i, j):
        """The attributes that tell of the search."""
        shape = *(len(values) for values in axes.values()), len(self.Cs_)
        place = np.unravel_index(i, shape[:-1])
        for (name, values), k in zip(axes.items(), place, strict=True):
            setattr(self, f"{name}s_", values)
            setattr(self, f"{name}_", values[k])
        self.scores_ = search.scores.reshape(shape)
        self.scores_std_error_ = search.errors.reshape(shape)
        self.best_score_ = float(search.scores[i, j])
        if self.store_cv_results:
            self.cv_results_ = search.row_scores.reshape(*shape, -1)
        elif hasattr(self, "cv_results_"):
            del self.cv_results_
        rows = []
        for k in range(len(search.scores)):
            if np.isnan(search.scores[k]).all():
                continue
            c, (gain, error) = search.best_of(k), search.gain(k)
            named = zip(axes.items(), np.unravel_index(k, shape[:-1]), strict=True)
            rows.append(
                {name: values[at] for (name, values), at in named}
                | {
                    "C": self.Cs_[c],
                    "score": search.scores[k, c],
                    "std_err": search.errors[k, c],
                    "gain": gain,
                    "gain_std_err": error,
                    "chosen": k == i,
                }
            )
        self.candidates_ = Table(rows)

    def label_doubts(
        self,
        X: Features,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> pd.DataFrame:
        """How much the classifier that was chosen doubts each label, the most doubtful first.

        Parameters
        ----------
        X, y, sample_weight : array-like
            The data of the fit.
        groups : array-like of shape (n_samples,), default=None
            The lot of each row: whole lots are then left out.

        Returns
        -------
        DataFrame of shape (n_samples, 5)
            As of :meth:`skperturb.PerturbArgmaxClassifier.label_doubts`.
        """
        return self._best().label_doubts(X, y, sample_weight, groups=groups)

    @property
    def coef_(self) -> NDArray:
        """Coefficients of the classifier that was chosen."""
        return self._best().coef_

    @property
    def intercept_(self) -> NDArray:
        """Intercepts of the classifier that was chosen."""
        return self._best().intercept_

    def _best(self):
        check_is_fitted(self)
        if not self.refit:
            raise AttributeError(
                "With refit=False noise and C are chosen, and no classifier is fitted with them."
            )
        return self.best_estimator_

    def decision_function(self, X: Features) -> NDArray[np.float64]:
        """Scores, before the noise, by the classifier that was chosen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            With two classes the score of ``classes_[1]`` less that of ``classes_[0]``.
        """
        return self._best().decision_function(X)

    def predict(self, X: Features) -> NDArray:
        """The most probable class, by the classifier that was chosen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels out of ``classes_``.
        """
        return self._best().predict(X)

    def predict_proba(self, X: Features) -> NDArray[np.float64]:
        """Class probabilities, by the classifier that was chosen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; each row sums to one.
        """
        return self._best().predict_proba(X)

    def predict_log_proba(self, X: Features) -> NDArray[np.float64]:
        """Log of the class probabilities, by the classifier that was chosen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms, -inf for a probability of zero.
        """
        return self._best().predict_log_proba(X)
