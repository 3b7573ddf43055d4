"""From estimators and data to a comparison: all that can be wrong is said first."""

from numbers import Real

import numpy as np
from sklearn.utils import check_random_state

from ._comparison import SIGNS, Comparison
from ._cross_validation import check_labels, cross_val_predictions
from ._costs import check_cost_matrix, cost_template, line_shares


def compare_classifiers(
    estimators,
    X,
    y,
    *,
    candidate=None,
    baseline=None,
    cost_matrix=None,
    good=None,
    prevalence=None,
    groups=None,
    rope=None,
    confidence=0.95,
    n_splits=10,
    n_repeats=10,
    random_state=0,
    n_jobs=None,
    progress=None,
):
    """Cross-validate several classifiers on the same folds and compare them in pairs.

    Parameters
    ----------
    estimators : dict of str to classifier with predict_proba
        Two at least.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels of two classes at least.
    candidate : str, default=None
        The new model, compared with every other. None to compare every other with `baseline`.
    baseline : str, default=None
        Today's model. With a candidate, the only one that it is compared with, or all others if
        None; without, the one that all others are compared with, None for the first.
    cost_matrix : DataFrame, dict of dict or array, default=None
        What a decision (column) costs for each class (row), see
        :func:`~skperturb.evaluation.check_cost_matrix`; models decide for the least expected
        cost. None for 1 for each wrong class: the cost is the number of wrong calls.
    good : label, default=None
        The class of parts without a defect: for the policy "pass all" and the sensitivity.
    prevalence : dict or Series of label to share, default=None
        Shares of the classes on the line, where the study has others; probabilities and weights
        are corrected.
    groups : array-like of shape (n_samples,), default=None
        Lots: parts of a lot are never on both sides of a split.
    rope : float or dict of str to float, default=None
        Half-width of the differences that do not matter: of the cost per 1000 parts, or by
        metric ("cost", "log_loss", "brier", "accuracy").
    confidence : float, default=0.95
        Of all intervals and verdicts.
    n_splits, n_repeats : int, default=10
        Folds, and how often the rows are divided anew.
    random_state : int, RandomState or None, default=0
        Source of the folds, which are the same for all estimators, and of their seeds.
    n_jobs : int, default=None
        Fits at a time, by joblib.
    progress : callable, default=None
        Called after each fit with the estimator's name and the numbers of its fits done and
        to do.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If a name, the costs, the shares or the groups do not fit the data.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003);
    S. Holm, "A simple sequentially rejective multiple test procedure" (1979).

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
    ...     n_splits=5,
    ...     n_repeats=1,
    ... )
    >>> result.table_[["candidate", "baseline", "metric", "verdict"]]
      candidate baseline    metric       verdict
    0       new    today      cost  inconclusive
    1       new    today  log_loss        better
    2       new    today     brier        better
    3       new    today  accuracy  inconclusive
    """
    pairs, ropes = _pairs(list(estimators), candidate, baseline), _ropes(rope)
    for name, estimator in estimators.items():
        if not hasattr(estimator, "predict_proba"):
            raise ValueError(
                f"{name!r} ({type(estimator).__name__}) has no predict_proba: give a classifier "
                "with probabilities, or wrap it in CalibratedClassifierCV."
            )
    if not isinstance(random_state, (int, np.integer)):
        # One seed for all estimators: the differences are paired by fold.
        random_state = int(check_random_state(random_state).randint(2**31))
    y = check_labels(y, "y")
    classes = np.unique(y)
    # All that can be wrong is said before the fits.
    costs = check_cost_matrix(
        cost_template(classes) if cost_matrix is None else cost_matrix, classes
    )
    if good is not None and good not in classes.tolist():
        raise ValueError(f"good={good!r} is not a class of y: {classes.tolist()}.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}.")
    if prevalence is not None:
        prevalence = line_shares(prevalence, classes)
    predictions = {}
    for name, estimator in estimators.items():
        predictions[name] = cross_val_predictions(
            estimator,
            X,
            y,
            groups=groups,
            n_splits=n_splits,
            n_repeats=n_repeats,
            random_state=random_state,
            n_jobs=n_jobs,
            progress=None if progress is None else lambda *done, name=name: progress(name, *done),
        )
    return Comparison(
        pairs=pairs,
        y=y,
        predictions_=predictions,
        cost_matrix=costs,
        good=good,
        prevalence=prevalence,
        groups=None if groups is None else check_labels(groups, "groups"),
        rope=ropes,
        confidence=confidence,
        random_state=random_state,
    )


def compare(estimators, X, y, **options):
    """The table of :func:`compare_classifiers`, which see for the options.

    Returns
    -------
    DataFrame
        One row for each pair and metric; ``attrs`` say how it was made.
    """
    return compare_classifiers(estimators, X, y, **options).table_


def _pairs(names, candidate, baseline):
    if len(names) < 2:
        raise ValueError("estimators must name at least two classifiers to compare.")
    for option, name in (("candidate", candidate), ("baseline", baseline)):
        if name is not None and name not in names:
            raise ValueError(f"{option}={name!r} is not one of {names}.")
    if candidate is None:
        baseline = names[0] if baseline is None else baseline
        return [(name, baseline) for name in names if name != baseline]
    if baseline == candidate:
        raise ValueError(f"{candidate!r} is both candidate and baseline.")
    others = [name for name in names if name != candidate]
    return [(candidate, name) for name in (others if baseline is None else [baseline])]


def _ropes(rope):
    ropes = {"cost": rope} if isinstance(rope, Real) else dict(rope or {})
    unknown = set(ropes) - set(SIGNS)
    if unknown or any(not (isinstance(r, Real) and 0 <= r < np.inf) for r in ropes.values()):
        raise ValueError(
            f"rope must be a half-width, not negative, or one for each of {list(SIGNS)}, got "
            f"{rope!r}."
        )
    return ropes
