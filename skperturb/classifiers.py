"""Linear classifiers whose probabilities come from noise on the scores."""

from typing import Any

from numpy.typing import ArrayLike

from ._classifier import POSITIVE, PerturbClassifier
from ._completeness import Constraint
from .models import NoiseLike, PerturbArgmax, PerturbSoftmax

__all__ = ["PerturbArgmaxClassifier", "PerturbSoftmaxClassifier"]


class PerturbArgmaxClassifier(PerturbClassifier):
    """Linear classifier: the class whose score plus noise is largest.

    p_i(x) = P(argmax_k(theta_k(x) + gamma_k) = i), with scores theta(x) linear in x and the
    noise gamma independent and identically distributed. Gumbel noise gives multinomial
    logistic regression, Gaussian noise the multinomial probit with independent errors.
    Probabilities and likelihood are computed by quadrature: no Monte Carlo, no seed.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        Law of the noise: "gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "student_t",
        "cauchy", "uniform", "exponential", or an object of :mod:`skperturb.noise`, whose
        parameters a grid search reaches as ``noise__scale``.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale, in the units of the scores. It acts through `C`
        alone: twice the scale with four times C gives the same probabilities.
    constraint : {"sum_to_zero", "reference", None}, default="sum_to_zero"
        What makes the coefficients unique: the rows of the classes sum to zero
        ("sum_to_zero"), the row of the reference class is zero ("reference"), or the penalty
        alone makes them unique (None), and its choice also sums to zero. With two classes there
        is one row, and the three are the same.
    reference_class : label, default=None
        The reference class of ``constraint="reference"``; None means the first of ``classes_``. So
        it is, with a warning, if the rows of the fit lack that class, as a fold may.
    loss : {"log_loss", "fenchel_young"}, default="log_loss"
        What is minimised for each row. "log_loss" is minus the log of the probability of its
        class. "fenchel_young" is potential(scores) - score of its class, in the units of the
        scores and known up to a constant; its derivative is p - e_y, and it is convex for every
        noise.
    C : float, default=1.0
        Inverse strength of the penalty, as in LogisticRegression: the objective is
        ``C * sum(sample_weight * loss) + 1/2 * sum(coef_ ** 2)``, the intercept free.
        ``numpy.inf`` for no penalty.
    fit_intercept : bool, default=True
        Whether each class has an intercept. With it, features that are far from zero for their
        spread, such as time stamps, are fitted as differences from their mean; `coef_` and
        `intercept_` are those of the features as given.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply `sample_weight`; "balanced" gives every class
        the same total.
    solver : {"auto", "newton", "lbfgs"}, default="auto"
        "newton" takes few iterations and computes the matrix of second derivatives in each.
        "lbfgs" computes gradients, and only now and then that matrix, from a part of the rows if
        there are many. With m = (n_classes - 1) * (n_features + 1) parameters, "auto" means
        "newton" if m <= 400 and n_samples * m**2 <= 1e7, and otherwise "lbfgs".
    tol : float, default=1e-4
        The fit ends when no entry of the gradient of the objective, divided by C and by the
        sum of the weights, is larger than `tol`. With 0 it ends where rounding lets the objective
        fall no further.
    max_iter : int, default=100
        Largest number of iterations; a ConvergenceWarning says when they did not suffice. With 0
        the coefficients are those from which the fit would start.
    warm_start : bool, default=False
        Start from the last fit, if it had the same classes and number of features. If the
        loss has several minima (Student-t and Cauchy noise with the log loss), a fit always finds
        the same one; to start elsewhere, fit with other noise first, or set `coef_` and
        `intercept_`.
    bias_reduction : bool, default=False
        Firth's penalty: half the log of the determinant of the expected information is added to
        the log likelihood (Jeffreys' prior). The coefficients are then finite even where the
        features separate the classes, and less biased where a class has few rows. It needs
        ``C=numpy.inf`` and the log loss.
    label_noise : {"uniform", "matrix"}, array-like of shape (n_classes, n_classes) or None, \
            default=None
        How the labels may be wrong; predictions are then of the true class. The label given
        depends on the true class alone, by the probabilities P(given | true). "uniform": a share of
        the labels is drawn at random among the classes; the share is the one with the least
        leave-one-out loss of the labels given. "matrix": all these probabilities are learnt with
        the coefficients (maximum likelihood, with a weak Dirichlet density of 2 * n_classes rows
        for each true class, 0.9 of them without a flip), as for labels that are confused in one
        direction. A matrix: they are known, rows are the true classes in the order of
        ``classes_``; or a data frame labelled by the classes. It needs the log loss.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Coefficients; with two classes those of the difference of the two scores.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts, zero without `fit_intercept`. A class whose rows all had weight zero has
        coefficients of zero, and an intercept that gives it a probability of 1e-12 at most.
    n_iter_ : ndarray of shape (1,), int
        Iterations of the solver.
    loss_ : float
        The objective at the solution, divided by C and by the sum of the weights, without the
        penalty of `bias_reduction`.
    weight_sum_ : float
        Sum of the weights of the rows, class weights included.
    log_likelihood_ : float
        Log likelihood of the training data, without the penalty; with the log loss only.
    label_noise_ : DataFrame of shape (n_classes, n_classes) or None
        P(given | true) of the labels: rows are true classes. What is learnt tends to be too small
        off the diagonal: read it as a lower bound of the share of wrong labels.
    model_ : PerturbArgmax or PerturbSoftmax
        The probability model in use.
    noise_ : Noise
        Its noise, `noise_scale` included.
    representation_ : skperturb.representation.Representation
        Whether the model can represent every distribution of classes, and each by one set of
        scores only.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X has string names for all of its columns.

    See Also
    --------
    PerturbSoftmaxClassifier : The mean of the softmax of scores with noise.
    skperturb.PerturbArgmax : The same probabilities for scores of your own.

    References
    ----------
    H. Cohen Indelman and T. Hazan, "Learning Representations for Perturb-Argmax and
    Perturb-Softmax probability models", arXiv 2406.02180.

    D. Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80 (1993) 27-38.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperturb import PerturbArgmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), PerturbArgmaxClassifier(noise="gaussian"))
    >>> round(model.fit(X, y).score(X, y), 3)
    0.973
    """

    def _model(self):
        model = PerturbArgmax(self.noise, self.noise_scale)
        if model.noise.atoms:
            raise ValueError(
                f"The noise {model.noise} has atoms, single values of positive probability: "
                "Perturb-Argmax cannot represent every distribution with it, and its probabilities "
                "jump. Use PerturbSoftmaxClassifier, which takes noise.Discrete, or noise without "
                "atoms."
            )
        if model.noise.bounded and self.loss == "log_loss":
            raise ValueError(
                f"The noise {model.noise} is bounded: the classes seen can have probability zero, "
                "and the likelihood is zero then. Use loss='fenchel_young', which is finite there, "
                "or PerturbSoftmaxClassifier, whose probabilities are positive for every noise, or "
                "noise that is not bounded."
            )
        return model


class PerturbSoftmaxClassifier(PerturbClassifier):
    """Linear classifier: the mean of the softmax of scores with noise.

    p_i(x) = E[softmax((theta(x) + gamma) / temperature)_i], with scores theta(x) linear in x and
    the noise gamma independent and identically distributed. A low temperature approaches
    PerturbArgmaxClassifier, a high one logistic regression. Probabilities and likelihood are
    computed by quadrature: no Monte Carlo, no seed.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        Law of the noise: "gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "student_t",
        "cauchy", "uniform", "exponential", or an object of :mod:`skperturb.noise`, whose
        parameters a grid search reaches as ``noise__scale``.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale, in the units of the scores. Only its ratio to
        `temperature` changes the shape of the model; the rest acts through `C`.
    temperature : float, default=1.0
        Temperature of the softmax, in the units of the scores.
    constraint : {"sum_to_zero", "reference", None}, default="sum_to_zero"
        What makes the coefficients unique: the rows of the classes sum to zero
        ("sum_to_zero"), the row of the reference class is zero ("reference"), or the penalty
        alone makes them unique (None), and its choice also sums to zero. With two classes there
        is one row, and the three are the same.
    reference_class : label, default=None
        The reference class of ``constraint="reference"``; None means the first of ``classes_``. So
        it is, with a warning, if the rows of the fit lack that class, as a fold may.
    loss : {"log_loss", "fenchel_young"}, default="log_loss"
        What is minimised for each row. "log_loss" is minus the log of the probability of its
        class. "fenchel_young" is potential(scores) - score of its class, in the units of the
        scores and known up to a constant; its derivative is p - e_y, and it is convex for every
        noise.
    C : float, default=1.0
        Inverse strength of the penalty, as in LogisticRegression: the objective is
        ``C * sum(sample_weight * loss) + 1/2 * sum(coef_ ** 2)``, the intercept free.
        ``numpy.inf`` for no penalty.
    fit_intercept : bool, default=True
        Whether each class has an intercept. With it, features that are far from zero for their
        spread, such as time stamps, are fitted as differences from their mean; `coef_` and
        `intercept_` are those of the features as given.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply `sample_weight`; "balanced" gives every class
        the same total.
    solver : {"auto", "newton", "lbfgs"}, default="auto"
        "newton" takes few iterations and computes the matrix of second derivatives in each.
        "lbfgs" computes gradients, and only now and then that matrix, from a part of the rows if
        there are many. With m = (n_classes - 1) * (n_features + 1) parameters, "auto" means
        "newton" if m <= 400 and n_samples * m**2 <= 1e7, and otherwise "lbfgs".
    tol : float, default=1e-4
        The fit ends when no entry of the gradient of the objective, divided by C and by the
        sum of the weights, is larger than `tol`. With 0 it ends where rounding lets the objective
        fall no further.
    max_iter : int, default=100
        Largest number of iterations; a ConvergenceWarning says when they did not suffice. With 0
        the coefficients are those from which the fit would start.
    warm_start : bool, default=False
        Start from the last fit, if it had the same classes and number of features. If the
        loss has several minima (Student-t and Cauchy noise with the log loss), a fit always finds
        the same one; to start elsewhere, fit with other noise first, or set `coef_` and
        `intercept_`.
    bias_reduction : bool, default=False
        Firth's penalty: half the log of the determinant of the expected information is added to
        the log likelihood (Jeffreys' prior). The coefficients are then finite even where the
        features separate the classes, and less biased where a class has few rows. It needs
        ``C=numpy.inf`` and the log loss.
    label_noise : {"uniform", "matrix"}, array-like of shape (n_classes, n_classes) or None, \
            default=None
        How the labels may be wrong; predictions are then of the true class. The label given
        depends on the true class alone, by the probabilities P(given | true). "uniform": a share of
        the labels is drawn at random among the classes; the share is the one with the least
        leave-one-out loss of the labels given. "matrix": all these probabilities are learnt with
        the coefficients (maximum likelihood, with a weak Dirichlet density of 2 * n_classes rows
        for each true class, 0.9 of them without a flip), as for labels that are confused in one
        direction. A matrix: they are known, rows are the true classes in the order of
        ``classes_``; or a data frame labelled by the classes. It needs the log loss.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Coefficients; with two classes those of the difference of the two scores.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts, zero without `fit_intercept`. A class whose rows all had weight zero has
        coefficients of zero, and an intercept that gives it a probability of 1e-12 at most.
    n_iter_ : ndarray of shape (1,), int
        Iterations of the solver.
    loss_ : float
        The objective at the solution, divided by C and by the sum of the weights, without the
        penalty of `bias_reduction`.
    weight_sum_ : float
        Sum of the weights of the rows, class weights included.
    log_likelihood_ : float
        Log likelihood of the training data, without the penalty; with the log loss only.
    label_noise_ : DataFrame of shape (n_classes, n_classes) or None
        P(given | true) of the labels: rows are true classes. What is learnt tends to be too small
        off the diagonal: read it as a lower bound of the share of wrong labels.
    model_ : PerturbArgmax or PerturbSoftmax
        The probability model in use.
    noise_ : Noise
        Its noise, `noise_scale` included.
    representation_ : skperturb.representation.Representation
        Whether the model can represent every distribution of classes, and each by one set of
        scores only.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X has string names for all of its columns.

    See Also
    --------
    PerturbArgmaxClassifier : The class whose score plus noise is largest.
    skperturb.PerturbSoftmax : The same probabilities for scores of your own.

    References
    ----------
    H. Cohen Indelman and T. Hazan, "Learning Representations for Perturb-Argmax and
    Perturb-Softmax probability models", arXiv 2406.02180.

    D. Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80 (1993) 27-38.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skperturb import PerturbSoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), PerturbSoftmaxClassifier(temperature=0.5))
    >>> round(model.fit(X, y).score(X, y), 3)
    0.973
    """

    _parameter_constraints = {
        **PerturbClassifier._parameter_constraints,
        "temperature": [POSITIVE],
    }

    def __init__(
        self,
        noise: NoiseLike = "gaussian",
        *,
        noise_scale: float = 1.0,
        temperature: float = 1.0,
        constraint: Constraint = "sum_to_zero",
        reference_class: Any = None,
        loss: str = "log_loss",
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: dict | str | None = None,
        solver: str = "auto",
        tol: float = 1e-4,
        max_iter: int = 100,
        warm_start: bool = False,
        bias_reduction: bool = False,
        label_noise: str | ArrayLike | None = None,
    ) -> None:
        super().__init__(
            noise,
            noise_scale=noise_scale,
            constraint=constraint,
            reference_class=reference_class,
            loss=loss,
            C=C,
            fit_intercept=fit_intercept,
            class_weight=class_weight,
            solver=solver,
            tol=tol,
            max_iter=max_iter,
            warm_start=warm_start,
            bias_reduction=bias_reduction,
            label_noise=label_noise,
        )
        self.temperature = temperature

    def _model(self):
        return PerturbSoftmax(self.noise, self.noise_scale, self.temperature)
