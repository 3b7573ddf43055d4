"""Classifiers beside each other on the same folds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state, column_or_1d

from ._cross_validation import cross_val_predictions
from .stats import corrected_paired_ttest


def log_loss(proba, codes):
    """Mean of -log of the true class's probability, which counts as 2e-16 if it is smaller."""
    own = proba[np.arange(len(codes)), codes]
    return -np.log(np.maximum(own, np.finfo(proba.dtype).eps)).mean()


def brier(proba, codes):
    """Mean squared distance to the truth: summed over the classes, halved if there are two."""
    squares = ((proba - np.eye(proba.shape[1])[codes]) ** 2).sum(axis=1)
    return squares.mean() / (2 if proba.shape[1] == 2 else 1)


def accuracy(proba, codes):
    """Share of rows whose most probable class is the true one."""
    return (proba.argmax(axis=1) == codes).mean()


# Name -> (function, +1 if larger is better and -1 if smaller is).
METRICS = {"log_loss": (log_loss, -1), "brier": (brier, -1), "accuracy": (accuracy, 1)}


@dataclass
class Comparison:
    """Result of :func:`compare_classifiers`.

    Attributes
    ----------
    baseline : str
        Name of the estimator that the others are compared with.
    scores_ : DataFrame
        One row per estimator, repeat and fold: log_loss, brier, accuracy, fit_seconds.
    predictions_ : dict of str to OutOfFold
        The out-of-fold probabilities behind the scores.
    """

    baseline: str
    scores_: pd.DataFrame
    predictions_: dict

    @property
    def kpis_(self):
        """Mean of each score over the splits: one row per estimator."""
        return self.scores_.groupby(level="estimator", sort=False).mean()

    @property
    def table_(self):
        """Differences to the baseline: one row per other estimator and metric.

        The difference is candidate less baseline, in the metric's own direction; standard
        error, interval and p-value are Nadeau and Bengio's. ``prob_better`` is the posterior
        probability that the candidate is the better one, whichever direction that is.
        """
        n_splits = self.scores_.index.get_level_values("fold").nunique()
        scores = {name: part.droplevel(0) for name, part in self.scores_.groupby(level="estimator")}
        base = scores[self.baseline]
        rows = []
        for candidate in self.kpis_.index.drop(self.baseline):
            for metric, (_, sign) in METRICS.items():
                new, old = scores[candidate][metric], base[metric]
                test = corrected_paired_ttest(
                    sign * (new - old), test_train_ratio=1 / (n_splits - 1)
                )
                low, high = sorted((sign * test.ci_low, sign * test.ci_high))
                rows.append(
                    {
                        "candidate": candidate,
                        "baseline": self.baseline,
                        "metric": metric,
                        "candidate_mean": new.mean(),
                        "baseline_mean": old.mean(),
                        "difference": sign * test.mean,
                        "se": test.se,
                        "df": test.df,
                        "ci_low": low,
                        "ci_high": high,
                        "p_value": test.p_value,
                        "prob_better": test.prob_better,
                    }
                )
        return pd.DataFrame(rows)


def compare_classifiers(
    estimators, X, y, *, baseline=None, n_splits=2, n_repeats=5, random_state=0, progress=None
):
    """Cross-validate several classifiers on the same folds and compare them with one of them.

    Parameters
    ----------
    estimators : dict of str to classifier with predict_proba
        Two at least.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels; each class has at least two rows.
    baseline : str, default=None
        Name of the estimator to compare with; None for the first.
    n_splits : int, default=2
        Folds, at least 2.
    n_repeats : int, default=5
        How often the rows are divided anew.
    random_state : int, RandomState or None, default=0
        Source of the folds, which are the same for all estimators, and of their seeds.
    progress : callable, default=None
        Called after each fit with the estimator's name and the numbers of its fits done and
        to do.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the baseline is not among the estimators, or a class has too few rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.evaluation import compare_classifiers
    >>> X, y = load_iris(return_X_y=True)
    >>> result = compare_classifiers(
    ...     {
    ...         "today": LogisticRegression(max_iter=1000),
    ...         "new": PerturbArgmaxClassifier(max_iter=1000),
    ...     },
    ...     X,
    ...     y,
    ... )
    >>> result.table_[["candidate", "metric", "df"]]
      candidate    metric  df
    0       new  log_loss   9
    1       new     brier   9
    2       new  accuracy   9
    """
    if len(estimators) < 2:
        raise ValueError("estimators must name at least two classifiers to compare.")
    baseline = next(iter(estimators)) if baseline is None else baseline
    if baseline not in estimators:
        raise ValueError(f"baseline={baseline!r} is not one of {list(estimators)}.")
    if not isinstance(random_state, (int, np.integer)):
        # One seed for all estimators: the differences are paired by fold.
        random_state = int(check_random_state(random_state).randint(2**31))
    codes = np.unique(column_or_1d(y), return_inverse=True)[1]
    predictions, scores = {}, []
    for name, estimator in estimators.items():
        predictions[name] = cross_val_predictions(
            estimator,
            X,
            y,
            n_splits=n_splits,
            n_repeats=n_repeats,
            random_state=random_state,
            progress=None if progress is None else lambda *done, name=name: progress(name, *done),
        )
        scores += _fold_scores(name, predictions[name], codes)
    table = pd.DataFrame(scores).set_index(["estimator", "repeat", "fold"])
    return Comparison(baseline=baseline, scores_=table, predictions_=predictions)


def _fold_scores(name, out, codes):
    for repeat, seconds in enumerate(out.fit_seconds):
        for fold in range(len(seconds)):
            rows = out.fold[repeat] == fold
            yield {
                "estimator": name,
                "repeat": repeat,
                "fold": fold,
                **{
                    metric: score(out.proba[repeat, rows], codes[rows])
                    for metric, (score, _) in METRICS.items()
                },
                "fit_seconds": seconds[fold],
            }
