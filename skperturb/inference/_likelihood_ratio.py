"""The likelihood ratio test of nested models."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from .._results import Record
from .._warnings import warn_user
from ._likelihood import check_likelihood, log_likelihood, n_parameters

# What two fits may leave of a log likelihood to their tolerance: absolute, and relative.
_LEFT, _LEFT_RELATIVE = 1e-3, 1e-6


@dataclass(frozen=True)
class LikelihoodRatioTest(Record):
    """Result of :func:`likelihood_ratio_test`: read it with ``print``, or :meth:`to_dict`.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log likelihoods.
    df : int
        Degrees of freedom: the number of parameters that only the larger model has.
    p_value : float
        Probability of a statistic at least as large if the smaller model is true.
    """

    statistic: float
    df: int
    p_value: float

    def __iter__(self) -> Iterator[float]:
        warn_user(
            "The next release will not unpack a LikelihoodRatioTest: read its attributes "
            "statistic, df and p_value.",
            FutureWarning,
        )
        return iter((self.statistic, self.df, self.p_value))


def likelihood_ratio_test(
    restricted: Any, full: Any, *, weights: str | None = None
) -> LikelihoodRatioTest:
    """Test whether the features that only the full model has improve the likelihood.

    Twice the difference of the log likelihoods is compared with the chi-squared distribution
    (Wilks). Its degrees of freedom are the difference of the ranks: a column that is a combination
    of others adds none.

    Parameters
    ----------
    restricted, full : fitted classifiers
        The same model fitted with C=inf to the same rows. The features of `restricted` must be
        some of those of `full`, or combinations of them. This is checked by the names of the
        features, and by the data while both objects refer to them (until they are saved or
        copied). Of saved or copied objects only the sum of the weights is compared, so make sure
        that their rows are the same, and that no feature is a combination of others.
    weights : {"frequency"}, default=None
        What the sample weights mean. It must be said if they are no whole numbers; sampling weights
        have no likelihood.

    Returns
    -------
    LikelihoodRatioTest
        The result; print it for a text.

    Raises
    ------
    ValueError
        If a fit is penalised or has no likelihood, if the two are not nested models of the same
        data, or if the features have no names and an object was saved or copied, so that it cannot
        be checked whether the models are nested.
    TypeError
        If one is no classifier of skperturb.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.inference import likelihood_ratio_test
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> radius = PerturbArgmaxClassifier(C=float("inf")).fit(X[:, :1], y)
    >>> and_texture = PerturbArgmaxClassifier(C=float("inf")).fit(X[:, :2], y)
    >>> result = likelihood_ratio_test(radius, and_texture)
    >>> round(result.statistic, 1), result.df, result.p_value < 0.001
    (38.8, 1, True)
    """
    for clf in (restricted, full):
        if not hasattr(clf, "_fit_record"):
            raise TypeError(
                f"A fitted classifier of skperturb is needed, got {type(clf).__name__}; of a "
                "pipeline give the last step."
            )
        check_likelihood(clf, weights)
    same = [
        type(restricted) is type(full),
        repr(restricted.model_) == repr(full.model_),
        np.array_equal(restricted.classes_, full.classes_),
        np.isclose(restricted.weight_sum_, full.weight_sum_, rtol=1e-9),
    ]
    objectives = [clf._fit_record.objective for clf in (restricted, full)]
    known = None not in objectives
    if known:
        same.append(objectives[0].same_rows(objectives[1]))
    if not all(same):
        raise ValueError(
            "The two fits are not of the same model (noise, temperature) and the same rows: their "
            "likelihoods cannot be compared by this test. Compare them by aic()."
        )
    df = n_parameters(full) - n_parameters(restricted)
    names = [set(getattr(clf, "feature_names_in_", ())) for clf in (restricted, full)]
    if not (all(names) or known):
        raise ValueError(
            "It cannot be checked whether the models are nested: the features have no names, and a "
            "model that was saved or copied no longer refers to its data. Fit both to data frames, "
            "or do the test before they are saved or copied."
        )
    if known:
        nested = objectives[1].spans(objectives[0])
    else:
        nested = names[0] <= names[1] and restricted.fit_intercept <= full.fit_intercept
    if not nested or df < 0:
        raise ValueError(
            "The first model is not nested in the second: its features must be some of those of "
            "the second, or combinations of them, and fewer. Give the smaller model first."
        )
    if df == 0:
        raise ValueError(
            "Both models span the same columns: the features of the second add nothing to those of "
            "the first, and there is nothing to test."
        )
    statistic = 2 * (log_likelihood(full) - log_likelihood(restricted))
    if statistic < -max(_LEFT, _LEFT_RELATIVE * abs(log_likelihood(full))):
        raise ValueError(
            "The larger model has the lower likelihood: the features are not nested, or a fit did "
            "not converge, or stopped at another maximum (noise that is not log-concave)."
        )
    statistic = max(statistic, 0.0)
    return LikelihoodRatioTest(float(statistic), df, float(stats.chi2.sf(statistic, df)))
