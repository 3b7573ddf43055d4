"""Which labels deserve a second look, by curves."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._data import Features
from ._features import check_columns


def _minimum_is_free(clf):
    return not clf.monotone


class LabelDoubtsMethods:
    """How much a fit doubts each label of its data."""

    monotone: Mapping[Any, Any] | None
    pipeline_: Pipeline

    @available_if(_minimum_is_free)
    def label_doubts(
        self,
        X: Features,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> pd.DataFrame:
        """How much the fit doubts each label of its data, the most doubtful first.

        Knots, jumps, pairs and C are those of the fit, which has seen each row. There is no such
        method with `monotone`, whose curves are not at a minimum that one step can leave.

        Parameters
        ----------
        X, y, sample_weight : array-like
            The data of the fit.
        groups : array-like of shape (n_samples,), default=None
            The lot of each row. Whole lots are then left out.

        Returns
        -------
        DataFrame of shape (n_samples, 5)
            As :meth:`skperturb.PerturbArgmaxClassifier.label_doubts` returns it.

        Raises
        ------
        ValueError
            If the data are not those of the fit.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb.additive import AdditiveClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> y[0] = 2
        >>> doubts = AdditiveClassifier("gumbel").fit(X, y).label_doubts(X, y)
        >>> int(doubts.index[0]), int(doubts.loc[0, "suggested"])
        (0, 0)
        """
        check_is_fitted(self)
        check_columns(self, X, reset=False)
        features, clf = (step for _, step in self.pipeline_.steps)
        return clf.label_doubts(
            features.transform(X).astype(float), y, sample_weight, groups=groups
        )
