"""What a classifier says of its coefficients: the public methods, one call each."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._data import Features
from .._results import Table
from ._covariance import covariance_of
from ._fit_data import fit_with_data
from ._labels import coefficients_of
from ._likelihood import information_criterion, log_likelihood, totals
from ._profile import ProfileInterval, profile_interval
from ._wald import WaldTest, wald_test


class CoefficientInference:
    """Covariance, tables, tests and criteria of a fitted classifier."""

    _fit_record: Any = None  # the FitRecord of a fitted classifier
    weight_sum_: float

    @property
    def log_likelihood_(self) -> float:
        """Log likelihood of the training data at the solution, weights included, no penalty."""
        check_is_fitted(self)
        return log_likelihood(self)

    def covariance(
        self,
        X: Features | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        cov: str | None = None,
        groups: ArrayLike | None = None,
        weights: str | None = None,
    ) -> pd.DataFrame:
        """Covariance matrix of the coefficients of a fit without a penalty.

        Parameters
        ----------
        X, y, sample_weight : array-like, default=None
            The data of the fit, as for :meth:`summary`.
        cov, groups, weights : str, array-like, str, default=None
            Kind of covariance, lots of the rows and meaning of the weights, as for
            :meth:`summary`.

        Returns
        -------
        pandas.DataFrame
            Rows and columns are labelled (class, feature), the intercept of each class first. With
            constraint="sum_to_zero" its rank is that of one class less.

        Raises
        ------
        ValueError
            Where there is none, as for :meth:`summary`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = PerturbArgmaxClassifier(C=float("inf"), constraint="reference", tol=1e-8)
        >>> matrix = clf.fit(X[["sepal length (cm)"]], y).covariance()
        >>> round(float(matrix.loc[(1, "intercept"), (2, "intercept")]), 2)
        11.1
        """
        fit = fit_with_data(self, X, y, sample_weight, weights=weights, in_blocks=True)
        coefficients, covariance = coefficients_of(fit), covariance_of(fit, cov, groups)
        matrix = coefficients.matrix @ covariance.matrix @ coefficients.matrix.T
        table = Table(matrix, index=coefficients.index, columns=coefficients.index)
        table.attrs = {"covariance": covariance.kind}
        return table

    def summary(
        self,
        X: Features | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        cov: str | None = None,
        groups: ArrayLike | None = None,
        weights: str | None = None,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Coefficients with standard errors, tests and confidence intervals.

        Parameters
        ----------
        X, y, sample_weight : array-like, default=None
            The data of the fit; after :meth:`fit_proba` y are the probabilities. If None, the data
            that the object was fitted to: after a fit without a penalty the object refers to them
            until it is saved or copied.
        cov : {"observed", "expected", "robust", "HC0", "HC1", "cluster"}, default=None
            "observed": the inverse of the observed information; right if the model is right.
            "expected": the inverse of the expected information, which R's glm prints.
            "robust" or "HC0" (Huber and White, H^-1 B H^-1): also right if the noise has another
            law. "HC1": the same times n / (n - number of parameters). "cluster": the same for
            rows that depend on each other within lots, times G / (G - 1) for G lots; intervals and
            tests use Student's t with G - 1 degrees of freedom. None means "cluster" if `groups`
            are given, "expected" after a fit with `bias_reduction`, "robust" with sampling weights
            or after :meth:`fit_proba`, and otherwise "observed".
        groups : array-like of shape (n_samples,), default=None
            The lot of each row, for "cluster".
        weights : {"frequency", "sampling"}, default=None
            What the sample weights mean. "frequency": a row of weight 2 counts as two rows.
            "sampling": the weights correct for how rows were drawn; their unit does not matter,
            and only "robust" and "cluster" have standard errors. A few large weights make a
            "robust" covariance uncertain; its intervals therefore use Student's t, with the degrees
            of freedom of so many rows of equal influence. None means "sampling" with
            `class_weight`, and otherwise "frequency", which is refused if they are no whole
            numbers.
        confidence : float, default=0.95
            Level of the confidence intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            One row for each class (but the reference class, or the first of two) and feature,
            the intercept first, with the columns class, feature, coef, std_err, z, p_value
            (two-sided, Wald), ci_low and ci_high. It prints whole, below a header whose entries
            are in ``attrs``: model, n, classes, log likelihood, that of the model without features,
            df (the difference of their numbers of parameters), McFadden's pseudo R2, AIC, BIC and
            the kind of covariance.

        Raises
        ------
        ValueError
            Where there are no such standard errors: after a penalised fit (finite C), with
            constraint=None, where the features separate the classes or do not determine the
            coefficients, where the coefficients are not those of the data, or where the meaning of
            the weights is not clear or does not allow this covariance.

        Warns
        -----
        UserWarning
            If the data determine a combination of the coefficients only very inaccurately, or if
            there are fewer than 20 lots.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = PerturbArgmaxClassifier(C=float("inf"), constraint="reference", tol=1e-8)
        >>> table = clf.fit(X[["sepal length (cm)"]], y).summary()
        >>> print(table.iloc[:, :6].round(3).to_string(index=False))
         class           feature    coef  std_err      z  p_value
             1         intercept -19.186    3.340 -5.744      0.0
             1 sepal length (cm)   3.537    0.621  5.694      0.0
             2         intercept -28.395    3.896 -7.288      0.0
             2 sepal length (cm)   5.021    0.702  7.152      0.0
        >>> table.attrs["df"], round(table.attrs["pseudo_r2"], 4)
        (2, 0.4439)
        """
        fit = fit_with_data(self, X, y, sample_weight, weights=weights, in_blocks=True)
        coefficients, covariance = coefficients_of(fit), covariance_of(fit, cov, groups)
        coef = coefficients.matrix @ fit.free
        table = Table(
            {
                "class": coefficients.index.get_level_values(0),
                "feature": coefficients.index.get_level_values(1),
                "coef": coef,
                **covariance.tests(coef, covariance.std_err(coefficients.matrix), confidence),
            }
        )
        table.attrs = totals(fit, covariance.kind)
        return table

    def wald_test(
        self,
        hypotheses: Any,
        X: Features | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        cov: str | None = None,
        groups: ArrayLike | None = None,
        weights: str | None = None,
        confidence: float = 0.95,
    ) -> WaldTest:
        """Test whether coefficients, or linear combinations of them, are all zero.

        Parameters
        ----------
        hypotheses : tuple, dict, list of these, or matrix
            A coefficient by name, ``("dent", "width")``; a combination as a dict from names to
            factors, ``{("dent", "width"): 1, ("scratch", "width"): -1}``, the reference class
            included; a list of such hypotheses, which are tested together; or a matrix of shape
            (n_hypotheses, n_coefficients) with the columns of :meth:`covariance`.
        X, y, sample_weight : array-like, default=None
            The data of the fit, as for :meth:`summary`.
        cov, groups, weights : str, array-like, str, default=None
            As for :meth:`summary`. With groups or sampling weights the statistic has an F
            distribution.
        confidence : float, default=0.95
            Level of the intervals of the single combinations.

        Returns
        -------
        WaldTest
            The result; print it for a text.

        Raises
        ------
        ValueError
            If a hypothesis is not understood, always true, or not to be tested with the others, or
            where there are no standard errors, as for :meth:`summary`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = PerturbArgmaxClassifier(C=float("inf"), tol=1e-8)
        >>> clf = clf.fit(X[["sepal length (cm)"]], y)
        >>> length = "sepal length (cm)"
        >>> print(clf.wald_test({(2, length): 1, (1, length): -1}))
        statistic     20.5
        df            1
        p value       5.91e-06
        distribution  chi2(1)
        <BLANKLINE>
                                         contrast  value  std_err      z  p_value  ci_low  ci_high
        2 sepal length (cm) - 1 sepal length (cm) 1.4837  0.32758 4.5294 < 0.0001  0.8417   2.1258
        """
        fit = fit_with_data(self, X, y, sample_weight, weights=weights, in_blocks=True)
        return wald_test(fit, hypotheses, cov, groups, confidence)

    def profile_interval(
        self,
        class_: Any,
        feature: str,
        X: Features | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        weights: str | None = None,
        confidence: float = 0.95,
    ) -> ProfileInterval:
        """Confidence interval of one coefficient from the likelihood itself.

        It holds the values for which the likelihood ratio test, with all other coefficients at
        their best for that value, does not reject. Unlike the interval of :meth:`summary` it need
        not be symmetric, which matters if a class has few rows, and for noise with heavy tails.
        After a fit with `bias_reduction` the penalised likelihood takes the place of the
        likelihood.

        Parameters
        ----------
        class_ : label
            A class whose coefficient is not zero by definition.
        feature : str
            The name of a feature, or "intercept".
        X, y, sample_weight : array-like, default=None
            The data of the fit, as for :meth:`summary`.
        weights : {"frequency"}, default=None
            As for :meth:`summary`; sampling weights have no likelihood.
        confidence : float, default=0.95
            Level of the interval, between 0 and 1.

        Returns
        -------
        ProfileInterval
            The interval; an end is infinite if the likelihood does not fall far enough.

        Raises
        ------
        ValueError
            If the fit has no likelihood, there is no such coefficient, or there are no standard
            errors, as for :meth:`summary`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skperturb import PerturbArgmaxClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = PerturbArgmaxClassifier(C=float("inf"), constraint="reference", tol=1e-8)
        >>> clf = clf.fit(X[["sepal length (cm)"]], y)
        >>> result = clf.profile_interval(2, "sepal length (cm)")
        >>> round(result.ci_low, 2), round(result.ci_high, 2)
        (3.76, 6.51)
        """
        fit = fit_with_data(self, X, y, sample_weight, weights=weights)
        return profile_interval(fit, class_, feature, confidence)

    def aic(self, *, weights: str | None = None) -> float:
        """Akaike's information criterion of an unpenalised fit: 2 parameters - 2 log likelihood.

        Parameters
        ----------
        weights : {"frequency"}, default=None
            What the sample weights mean; it must be said if they are no whole numbers.

        Returns
        -------
        float
            The smaller, the better. A column that is a combination of others counts as no
            parameter while the object refers to its data.

        Raises
        ------
        ValueError
            After a penalised fit, with sampling weights (`class_weight` among them) or another
            loss.
        """
        return information_criterion(self, 2.0, weights)

    def bic(self, *, weights: str | None = None) -> float:
        """Bayesian information criterion (Schwarz): log(n) parameters - 2 log likelihood.

        n is the sum of the sample weights, where R counts the rows of the table.

        Parameters
        ----------
        weights : {"frequency"}, default=None
            What the sample weights mean; it must be said if they are no whole numbers.

        Returns
        -------
        float
            The smaller, the better. A column that is a combination of others counts as no
            parameter while the object refers to its data.

        Raises
        ------
        ValueError
            After a penalised fit, with sampling weights (`class_weight` among them) or another
            loss.
        """
        check_is_fitted(self)
        return information_criterion(self, np.log(self.weight_sum_), weights)
