"""Classifiers that choose their noise and C."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from .._completeness import Constraint
from ..classifiers import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from ..models import NoiseLike
from ._base import PerturbClassifierCV


class PerturbArgmaxClassifierCV(PerturbClassifierCV):
    """PerturbArgmaxClassifier that chooses its noise and C by leaving out rows or lots.

    For each noise the fit follows a path of growing C, each fit from the one before, and each row
    is predicted by the fit without it: by one Newton step, and for the best C by exact refits of
    the 10 rows whose loss changes most. The whole search takes about as long as a few fits.

    Parameters
    ----------
    noises : list of str, Noise or frozen continuous distribution of scipy.stats, \
default=("gumbel", "student_t")
        Candidates for the noise, as for PerturbArgmaxClassifier; "student_t" has 4 degrees of
        freedom, ``StudentT(2)`` has 2. With ``selection="one_se"`` the first is the default that
        others must beat. A long list chooses noise by chance: two or three are enough.
    Cs : int or list of float, default=10
        Values of C to try, in growing order; a number n stands for n values between 1e-4 and 1e4
        that are equally far apart on a logarithmic scale.
    cv : int, cross-validation splitter or iterable, default=None
        How rows are predicted that a fit has not seen. None leaves out one row at a time, or one
        lot if `groups` are given to :meth:`fit`, without refits. A number of folds or a splitter
        of scikit-learn fits to the other folds.
    selection : {"one_se", "best"}, default="one_se"
        "one_se": another noise is chosen in place of the first only if its mean score is better
        by more than one standard error of the difference. "best": the highest mean score.
    scoring : {"neg_log_loss", "accuracy", "neg_brier_score"}, default="neg_log_loss"
        The score of a row; the higher, the better.
    refit : bool, default=True
        Whether to fit with the noise and C that were chosen. Without, there are no predictions.
    store_cv_results : bool, default=False
        Whether to keep the score of each row in ``cv_results_``.
    constraint, reference_class, loss, fit_intercept, class_weight, solver, tol, max_iter
        As for PerturbArgmaxClassifier. Class weights are those of all rows, also for the fit
        without a row.

    Attributes
    ----------
    noise_ : Noise
        The noise that was chosen.
    C_ : float
        The C that was chosen.
    noises_ : list of Noise
        The candidates.
    Cs_ : ndarray of shape (n_Cs,)
        The values of C.
    scores_ : ndarray of shape (n_noises, n_Cs)
        Mean score over the rows, weighted by the sample weights; nan where the path ended before,
        because the score had fallen twice in a row.
    scores_std_error_ : ndarray of shape (n_noises, n_Cs)
        Their standard errors, from the differences between the rows, or between the lots.
    best_score_ : float
        The score that decided. It is the best of many and therefore better than what new parts
        will show: to report a score, cross-validate this classifier as a whole.
    candidates_ : pandas.DataFrame
        One row for each noise: its best C, score and standard error, the gain over the first
        noise with its standard error, and whether it was chosen.
    cv_results_ : ndarray of shape (n_noises, n_Cs, n_samples)
        Score of each row, with ``store_cv_results`` only.
    best_estimator_ : PerturbArgmaxClassifier
        The classifier that was chosen, fitted to all rows.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_, intercept_ : ndarray
        Those of ``best_estimator_``.
    n_iter_ : int
        Iterations of all fits.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X has string names for all of its columns.

    See Also
    --------
    PerturbArgmaxClassifier : The classifier for one noise and one C.
    PerturbSoftmaxClassifierCV : The same for the mean of the softmax of scores with noise.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperturb import PerturbArgmaxClassifierCV
    >>> X, y = load_wine(return_X_y=True)
    >>> clf = PerturbArgmaxClassifierCV().fit(StandardScaler().fit_transform(X), y)
    >>> print(clf.noise_, round(clf.C_, 3))
    Gumbel() 2.783
    """

    def _candidates(self, noises, options):
        return {"noise": noises}, [PerturbArgmaxClassifier(noise, **options) for noise in noises]


class PerturbSoftmaxClassifierCV(PerturbClassifierCV):
    """PerturbSoftmaxClassifier that chooses its noise, temperature and C.

    As PerturbArgmaxClassifierCV does: by leaving out rows or lots, without refits, along a path of
    growing C for each noise and temperature.

    Parameters
    ----------
    noises : list of str, Noise or frozen continuous distribution of scipy.stats, \
default=("gumbel", "student_t")
        Candidates for the noise, as for PerturbSoftmaxClassifier.
    temperatures : list of float, default=(1.0,)
        Candidates for the temperature. Only its ratio to the scale of the noise changes the shape
        of the model. With ``selection="one_se"`` the first noise with the first temperature is the
        default that others must beat.
    Cs : int or list of float, default=10
        Values of C to try, in growing order; a number n stands for n values between 1e-4 and 1e4
        that are equally far apart on a logarithmic scale.
    cv : int, cross-validation splitter or iterable, default=None
        How rows are predicted that a fit has not seen. None leaves out one row at a time, or one
        lot if `groups` are given to :meth:`fit`, without refits. A number of folds or a splitter
        of scikit-learn fits to the other folds.
    selection : {"one_se", "best"}, default="one_se"
        "one_se": another candidate is chosen in place of the first only if its mean score is
        better by more than one standard error of the difference. "best": the highest mean score.
    scoring : {"neg_log_loss", "accuracy", "neg_brier_score"}, default="neg_log_loss"
        The score of a row; the higher, the better.
    refit : bool, default=True
        Whether to fit with the noise, temperature and C that were chosen. Without, there are no
        predictions.
    store_cv_results : bool, default=False
        Whether to keep the score of each row in ``cv_results_``.
    constraint, reference_class, loss, fit_intercept, class_weight, solver, tol, max_iter
        As for PerturbSoftmaxClassifier. Class weights are those of all rows, also for the fit
        without a row.

    Attributes
    ----------
    noise_ : Noise
        The noise that was chosen.
    temperature_ : float
        The temperature that was chosen.
    C_ : float
        The C that was chosen.
    noises_, temperatures_ : list
        The candidates.
    Cs_ : ndarray of shape (n_Cs,)
        The values of C.
    scores_ : ndarray of shape (n_noises, n_temperatures, n_Cs)
        Mean score over the rows, weighted by the sample weights; nan where the path ended before,
        because the score had fallen twice in a row.
    scores_std_error_ : ndarray of shape (n_noises, n_temperatures, n_Cs)
        Their standard errors, from the differences between the rows, or between the lots.
    best_score_ : float
        The score that decided. It is the best of many and therefore better than what new parts
        will show: to report a score, cross-validate this classifier as a whole.
    candidates_ : pandas.DataFrame
        One row for each noise and temperature: its best C, score and standard error, the gain over
        the first with its standard error, and whether it was chosen.
    cv_results_ : ndarray of shape (n_noises, n_temperatures, n_Cs, n_samples)
        Score of each row, with ``store_cv_results`` only.
    best_estimator_ : PerturbSoftmaxClassifier
        The classifier that was chosen, fitted to all rows.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_, intercept_ : ndarray
        Those of ``best_estimator_``.
    n_iter_ : int
        Iterations of all fits.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X has string names for all of its columns.

    See Also
    --------
    PerturbSoftmaxClassifier : The classifier for one noise, temperature and C.
    PerturbArgmaxClassifierCV : The same for the class whose score plus noise is largest.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperturb import PerturbSoftmaxClassifierCV
    >>> X, y = load_wine(return_X_y=True)
    >>> clf = PerturbSoftmaxClassifierCV(["gaussian"], temperatures=[1.0, 0.3])
    >>> clf.fit(StandardScaler().fit_transform(X), y).temperature_
    1.0
    """

    _parameter_constraints = {
        **PerturbClassifierCV._parameter_constraints,
        "temperatures": ["array-like"],
    }

    def __init__(
        self,
        noises: Sequence[NoiseLike] = ("gumbel", "student_t"),
        *,
        temperatures: Sequence[float] = (1.0,),
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
        super().__init__(
            noises,
            Cs=Cs,
            cv=cv,
            selection=selection,
            scoring=scoring,
            refit=refit,
            store_cv_results=store_cv_results,
            constraint=constraint,
            reference_class=reference_class,
            loss=loss,
            fit_intercept=fit_intercept,
            class_weight=class_weight,
            solver=solver,
            tol=tol,
            max_iter=max_iter,
        )
        self.temperatures = temperatures

    def _candidates(self, noises, options):
        temperatures = [float(temperature) for temperature in self.temperatures]
        if not temperatures:
            raise ValueError("temperatures is empty: give one temperature at least, such as [1.0].")
        classifiers = [
            PerturbSoftmaxClassifier(noise, temperature=temperature, **options)
            for noise in noises
            for temperature in temperatures
        ]
        return {"noise": noises, "temperature": temperatures}, classifiers
