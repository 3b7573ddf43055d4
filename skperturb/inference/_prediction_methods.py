"""What a classifier says of its probabilities: the public methods, one call each."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._data import Features
from ._bootstrap import BootstrapResult, bootstrap
from ._effects import marginal_effects
from ._fit_data import fit_with_data
from ._probabilities import predict_proba_interval


class PredictionInference:
    """Marginal effects, intervals of probabilities, and refits to samples of the data."""

    def marginal_effects(
        self,
        X: Features | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        at: str | Features = "overall",
        features: Any = None,
        cov: str | None = None,
        groups: ArrayLike | None = None,
        weights: str | None = None,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """By how much the probability of each class changes with each feature.

        The effect of a feature is the derivative of the probability. That of a feature whose
        values are 0 and 1 is the difference of the probabilities at 1 and at 0. The effects on all
        classes sum to zero. They can be read without knowing the noise, which coefficients cannot.

        Parameters
        ----------
        X, y, sample_weight : array-like, default=None
            The data of the fit, as for :meth:`summary`.
        at : {"overall", "mean"} or DataFrame of shape (n_rows, n_features), default="overall"
            Where: the mean of the effects at all rows of the fit, with their weights ("average
            marginal effects"); the effects at the means of the features; or the effects at each of
            the rows given, whose labels become the index of the result.
        features : list of str, or dict, default=None
            Which features; all if None. A dict such as ``{"machine": ["machine_B", "machine_C"]}``
            says that columns of 0 and 1 are the values of one category: their effects are
            differences to the value without a column (or to the first column, if each row has a 1
            in one of them). Other entries of the dict have the name of one feature.
        cov, groups, weights : str, array-like, str, default=None
            As for :meth:`summary`.
        confidence : float, default=0.95
            Level of the confidence intervals, between 0 and 1.

        Returns
        -------
        skperturb.inference.MarginalEffects
            A data frame with the columns class, feature, effect, std_err (by the delta method, for
            features that are given), z, p_value, ci_low and ci_high; its method ``plot`` draws it.

        Raises
        ------
        ValueError
            If a feature is not known or is no column of a category, or where there are no
            standard errors, as for :meth:`summary`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = PerturbArgmaxClassifier(C=float("inf"), tol=1e-8)
        >>> table = clf.fit(X[["sepal length (cm)"]], y).marginal_effects()
        >>> print(table.iloc[:, :4].round(3).to_string(index=False))
         class           feature  effect  std_err
             0 sepal length (cm)  -0.384    0.005
             1 sepal length (cm)   0.073    0.023
             2 sepal length (cm)   0.311    0.023
        """
        fit = fit_with_data(self, X, y, sample_weight, weights=weights)
        return marginal_effects(fit, at, features, cov, groups, confidence)

    def predict_proba_interval(
        self,
        X: Features,
        *,
        confidence: float = 0.95,
        X_fit: Features | None = None,
        y_fit: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        cov: str | None = None,
        groups: ArrayLike | None = None,
        weights: str | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Confidence intervals of the probabilities that :meth:`predict_proba` gives.

        They are computed on the scale of log(p / (1 - p)) by the delta method, and so stay between
        0 and 1. They say how sure the probability is, not what class a part will have.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Finite features of the rows to predict.
        confidence : float, default=0.95
            Level of each interval, between 0 and 1.
        X_fit, y_fit, sample_weight : array-like, default=None
            The data of the fit, as X, y and sample_weight of :meth:`summary`.
        cov, groups, weights : str, array-like, str, default=None
            As for :meth:`summary`; groups are the lots of the rows of the fit.

        Returns
        -------
        low, high : ndarray of shape (n_samples, n_classes)
            Ends of the intervals, in the order of ``classes_``.

        Raises
        ------
        ValueError
            Where there are no standard errors, as for :meth:`summary`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = PerturbArgmaxClassifier(C=float("inf"), tol=1e-8).fit(X[:, :1], y)
        >>> low, high = clf.predict_proba_interval([[5.8]])
        >>> low.round(2), high.round(2)
        (array([[0.04, 0.48, 0.2 ]]), array([[0.24, 0.71, 0.42]]))
        """
        fit = fit_with_data(self, X_fit, y_fit, sample_weight, weights=weights)
        return predict_proba_interval(fit, X, cov, groups, confidence)

    def bootstrap(
        self,
        X: Features,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        n_bootstrap: int = 999,
        groups: ArrayLike | None = None,
        weights: str | None = None,
        random_state: int | None = 0,
        n_jobs: int | None = None,
    ) -> BootstrapResult:
        """Refit to samples drawn with replacement, to see how the coefficients vary.

        This also works for penalised fits, which have no standard errors. It then shows how the
        penalised coefficients vary; that the penalty draws them towards zero, it does not show.

        Parameters
        ----------
        X, y, sample_weight : array-like
            The data of the fit; after :meth:`fit_proba` y are the probabilities.
        n_bootstrap : int, default=999
            Number of refits.
        groups : array-like of shape (n_samples,), default=None
            The lot of each row. Whole lots are drawn if they are given, and otherwise rows.
        weights : {"frequency", "sampling"}, default=None
            What `sample_weight` means: with "frequency" a row of weight 2 is drawn as two rows,
            with "sampling" it is drawn as one and keeps its weight. None means "frequency", and is
            refused if the weights are no whole numbers.
        random_state : int or None, default=0
            Seed; with the same seed the result is the same, whatever `n_jobs`.
        n_jobs : int or None, default=None
            Number of processes, as of joblib.

        Returns
        -------
        BootstrapResult
            The coefficients of all refits; print it, or call its method ``summary``, for standard
            errors and percentile intervals.

        Raises
        ------
        ValueError
            If the data are not those of the fit, or an argument is unusable.

        Warns
        -----
        UserWarning
            If more than 1 % of the refits did not converge or had separated classes.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = PerturbArgmaxClassifier("gumbel").fit(X[:, :1], y)
        >>> result = clf.bootstrap(X[:, :1], y, n_bootstrap=20)
        >>> result.samples.shape, result.unit
        ((20, 6), 'rows')
        """
        return bootstrap(
            self, X, y, sample_weight, n_bootstrap, groups, weights, random_state, n_jobs
        )
