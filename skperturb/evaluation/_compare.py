"""From estimators and data to a comparison: all that can be wrong is said before the fits."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, check_random_state

from ._comparison import Comparison
from ._costs import CostMatrix, check_cost_matrix, cost_template
from ._cross_validation import Matrix, partition_of, predict_folds, weight_parameter
from ._deprecation import warn_old
from ._input import check_confidence, check_labels, check_weight
from ._labels import Shares, codes_of, find, shares_of
from ._scores import SIGNS


def compare_classifiers(
    estimators: Mapping[str, Any] | Iterable[tuple[str, Any]],
    X: Matrix,
    y: ArrayLike,
    *,
    candidate: str | None = None,
    baseline: str | None = None,
    cost_matrix: CostMatrix | None = None,
    good: Any = None,
    prevalence: Shares | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
    today: ArrayLike | None = None,
    metric: str = "cost",
    rope: float | Mapping[str, float] | None = None,
    difference: float | None = None,
    confidence: float = 0.95,
    test: str = "corrected",
    n_splits: int = 10,
    n_repeats: int | None = None,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Comparison:
    """Cross-validate several classifiers on the same folds and compare them in pairs.

    Parameters
    ----------
    estimators : dict of str to classifier, or list of (str, classifier)
        At least two classifiers with `predict_proba`, by name.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
        Features, in any form that the estimators take.
    y : array-like of shape (n_samples,)
        Labels of at least two classes.
    candidate : str, default=None
        The new model, which is compared with every other model, or with `baseline` if that is
        given. If it is None, every other model is compared with the baseline.
    baseline : str, default=None
        Today's model. None for all models but the candidate or, without a candidate, for the
        first model.
    cost_matrix : DataFrame, dict of dicts or array, default=None
        Cost of each decision (column) for each class (row), see
        :func:`~skperturb.evaluation.check_cost_matrix`; models take the decision of least expected
        cost. If it is None, each wrong class costs 1: the cost is the number of wrong calls.
    good : label, default=None
        Class of the parts without a defect. The policy "pass all" and the sensitivity need it.
    prevalence : dict or Series of label to share, default=None
        Shares of the classes on the production line, if the study has others; probabilities and
        weights are converted.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the parts, not negative, in the fits and in all metrics, tests and key figures.
    groups : array-like of shape (n_samples,), default=None
        Lot of each part: the parts of a lot are never on both sides of a split.
    time : array-like of shape (n_samples,), default=None
        When each part was made: the models learn from the past and are tested on what follows, see
        :func:`~skperturb.evaluation.cross_val_predictions`. There is one repeat.
    today : array-like of shape (n_samples,), default=None
        The decision that was made on each part, as columns of the cost matrix: a policy that the
        models have to beat, as they have to beat passing all parts.
    metric : {"cost", "log_loss", "brier", "accuracy"}, default="cost"
        The metric that decides. The others have no verdict: with four verdicts, one would too
        often be false.
    rope : float or dict of str to float, default=None
        Half-width of the region of practical equivalence, that is of the differences that do not
        matter. A number is for the metric that decides (the cost is per 1000 parts); a dict has
        one for each metric. With a rope, "better" means better by more than the rope.
    difference : float, default=None
        A difference in the metric that decides, for which the number of parts is given that would
        show it. None for the differences that were observed.
    confidence : float, default=0.95
        Confidence of all intervals and verdicts, between 0 and 1.
    test : {"corrected", "per_part"}, default="corrected"
        The test of the differences: :func:`~skperturb.evaluation.corrected_paired_ttest` on the
        folds of all repeats, or :func:`~skperturb.evaluation.per_part_ttest` on the parts of one
        repeat, which is cheaper and only for stable classifiers.
    n_splits : int, default=10
        Number of folds.
    n_repeats : int, default=None
        How often the rows are divided into folds anew; None for 10 times, or once for the test of
        single parts and with `time`.
    random_state : int, RandomState or None, default=0
        Seed or source of the folds, which are the same for all estimators, and of the estimators'
        seeds.
    n_jobs : int, default=None
        Number of fits at a time, by joblib.
    progress : callable, default=None
        Called after each fit with the estimator's name, the number of its fits that are done, and
        the number of its fits in all. The first fit of each estimator comes before the others, so
        that the time of all can be foretold.

    Returns
    -------
    Comparison
        Scores, key figures, differences with verdicts, figures, and a report.

    Raises
    ------
    ValueError
        If a name, the costs, the shares, the groups, the times, the weights or the decisions of
        today do not fit the data, or if an estimator takes no weights or gives probabilities that
        are negative or do not sum to one.

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
    >>> result.table.set_index("metric")["verdict"].tolist()
    ['inconclusive', '', '', '']
    >>> result.conclusion.decision, result.conclusion.choice
    ('keep', 'today')
    """
    models = _by_name(estimators)
    if metric not in SIGNS:
        raise ValueError(f"metric must be one of {', '.join(SIGNS)}, got {metric!r}.")
    if test not in ("corrected", "per_part"):
        raise ValueError(f"test must be 'corrected' or 'per_part', got {test!r}.")
    if time is not None and test == "per_part":
        raise ValueError(
            "The test of single parts supposes that each part is tested by a model of nearly all "
            "the others, which is not so forward in time: leave time or test='per_part' out."
        )
    if difference is not None and not (isinstance(difference, Real) and 0 < difference < np.inf):
        raise ValueError(f"difference must be a positive number, got {difference!r}.")
    pairs, ropes = _pairs(list(models), candidate, baseline), _ropes(rope, metric)
    for name, estimator in models.items():
        if not hasattr(estimator, "predict_proba"):
            raise ValueError(
                f"{name!r} ({type(estimator).__name__}) has no predict_proba: give a classifier "
                "with probabilities, or wrap it in CalibratedClassifierCV."
            )
    if not isinstance(random_state, (int, np.integer)):
        # One seed for all estimators: the differences are paired by fold.
        random_state = int(check_random_state(random_state).randint(2**31))
    labels = check_labels(y, "y")
    classes = np.unique(labels)
    costs = check_cost_matrix(
        cost_template(classes) if cost_matrix is None else cost_matrix, classes
    )
    if good is not None:
        place = find([good], classes.tolist())[0]
        if place < 0:
            raise ValueError(f"good={good!r} is not a class of y: {classes.tolist()}.")
        good = classes.tolist()[place]
    check_confidence(confidence)
    line = None if prevalence is None else shares_of(prevalence, classes, "prevalence")
    X = X if hasattr(X, "shape") else np.asarray(X)
    check_consistent_length(X, labels, sample_weight, groups, time, today)
    if sample_weight is not None:
        sample_weight = check_weight(sample_weight, len(labels))
        for estimator in models.values():
            weight_parameter(estimator)
    if today is not None:
        today = check_labels(today, "today")
        codes_of(today, costs.columns, "today")
    if n_repeats is None:
        n_repeats = 10 if test == "corrected" and time is None else 1
    # Once, for all estimators.
    partition = partition_of(
        labels,
        groups=groups,
        time=time,
        n_splits=n_splits,
        n_repeats=n_repeats,
        seed=random_state,
    )
    tested = partition.fold[0] >= 0

    def of_tested(values):
        return None if values is None else values[tested]

    found = predict_folds(
        models,
        X,
        labels,
        partition,
        sample_weight,
        random_state,
        groups,
        n_jobs=n_jobs,
        progress=progress,
    )
    predictions = {
        name: replace(out, proba=out.proba[:, tested], fold=out.fold[:, tested])
        for name, out in found.items()
    }
    return Comparison(
        pairs=pairs,
        y=labels[tested],
        predictions=predictions,
        cost_matrix=costs,
        good=good,
        prevalence=line,
        groups=None if groups is None else check_labels(groups, "groups")[tested],
        rope=ropes,
        confidence=confidence,
        random_state=random_state,
        metric=metric,
        test=test,
        sample_weight=of_tested(sample_weight),
        today=of_tested(today),
        floors=tuple(name for name, estimator in models.items() if _is_floor(estimator)),
        difference=difference,
        n_before=int((~tested).sum()),
        repeats_asked=n_repeats,
        rows=None if tested.all() else np.flatnonzero(tested),
    )


def compare(estimators: Any, X: Matrix, y: ArrayLike, **options: Any) -> pd.DataFrame:
    """Return only the table of :func:`compare_classifiers`, which is to be used instead.

    Parameters
    ----------
    estimators : dict of str to classifier, or list of (str, classifier)
        Classifiers to compare.
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    **options : dict
        Options of :func:`compare_classifiers`.

    Returns
    -------
    DataFrame
        The attribute `table` of the comparison.

    Examples
    --------
    What to write instead:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skperturb.evaluation import compare_classifiers
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {"today": DummyClassifier(), "new": GaussianNB()}
    >>> compare_classifiers(models, X, y, n_splits=5, n_repeats=1).table["verdict"].tolist()
    ['better', '', '', '']
    """
    warn_old("compare", "compare_classifiers(...).table")
    return compare_classifiers(estimators, X, y, **options).table


def _by_name(estimators):
    """Estimators as a dict; the pairs of a list must have different names."""
    if isinstance(estimators, Mapping):
        return dict(estimators)
    pairs = list(estimators)
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise ValueError("estimators must be a dict of classifiers by name, or (name, classifier).")
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"estimators has a name more than once: {names}.")
    return dict(pairs)


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


def _is_floor(estimator):
    """Whether a classifier looks at no feature, as the class frequencies do."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return isinstance(estimator, DummyClassifier)


def _ropes(rope, metric):
    ropes = {} if rope is None else rope if isinstance(rope, Mapping) else {metric: rope}
    unknown = set(ropes) - set(SIGNS)
    if unknown or any(not (isinstance(r, Real) and 0 <= r < np.inf) for r in ropes.values()):
        raise ValueError(
            "rope must be a number that is not negative, or a dict of such numbers for some of "
            f"{list(SIGNS)}, got {rope!r}."
        )
    return dict(ropes)
