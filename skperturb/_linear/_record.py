"""What a fit leaves behind for inference, and the objective that it minimised, made again."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from .._data import (
    check_features,
    codes_of,
    fit_weights,
    proba_of_classes,
    row_weights,
    soft_weights,
)
from ._classes import FittedClasses, in_words
from ._constraints import make_constraint
from ._label_noise import FlippedLabels
from ._losses import LOSSES
from ._objective import LinearObjective
from ._two_classes import TwoClassObjective


@dataclass(frozen=True)
class FitRecord:
    """What inference needs of a fit and what the public attributes of the classifier do not say.

    Attributes
    ----------
    params : dict
        Parameters of the classifier when it was fitted; they may be changed later.
    problem : str or None
        Why the solution may be no minimum, in words.
    objective : LinearObjective or None
        What was minimised, its data included: kept after a fit without a penalty, which alone has
        standard errors, until the classifier is saved or copied.
    whole_weights : bool or None
        Whether all weights are whole numbers; None while `objective` can tell, or if not known.
    soft : bool
        Whether the labels were probabilities of the classes.
    absent : tuple
        Labels of the classes whose rows all had weight zero, which the fit left out.
    flips : ndarray of shape (n_classes, n_classes) or None
        P(label given | true class), class weights included; None if labels are taken to be true.
    """

    params: dict
    problem: str | None
    objective: LinearObjective | None = None
    whole_weights: bool | None = None
    soft: bool = False
    absent: tuple = ()
    flips: np.ndarray | None = None

    @property
    def bias_reduction(self):
        """Whether Firth's penalty was used; older records do not know it."""
        return self.params.get("bias_reduction", False)

    def check_no_class_is_absent(self):
        """Refuse what needs the coefficients of every class, if the fit left one out."""
        if self.absent:
            raise ValueError(
                f"All rows of {in_words(self.absent)} had weight 0, so that the fit left that out "
                "and gave it probability 0, without an estimate: fit again without these rows."
            )

    def without_data(self):
        """The record of a saved or copied classifier."""
        if self.objective is None:
            return self
        return replace(self, objective=None, whole_weights=self.objective.has_whole_weights())


def make_objective(params, model, classes, X, codes, weight, flips=None):
    """The objective that the parameters of a classifier describe, on data known to be valid.

    Parameters
    ----------
    params : dict
        Parameters of the classifier.
    model : PerturbArgmax or PerturbSoftmax
    classes : ndarray of shape (n_classes,)
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    codes : ndarray of shape (n_samples,), int, or (n_samples, n_classes)
        Index of each row's class, or its probabilities of the classes.
    weight : ndarray of shape (n_samples,)
    flips : ndarray of shape (n_classes, n_classes), default=None
        See :class:`FitRecord`.

    Returns
    -------
    LinearObjective

    Raises
    ------
    ValueError
        If the reference class is not used.
    """
    reference = reference_index(params, classes)
    loss = LOSSES[params["loss"]](model._law(), len(classes))
    if flips is not None:
        loss = FlippedLabels(loss, flips)
    kind = TwoClassObjective if loss.by_margin and codes.ndim == 1 else LinearObjective
    return kind(
        X,
        codes,
        weight,
        loss=loss,
        constraint=make_constraint(params["constraint"], len(classes), reference or 0),
        C=params["C"],
        fit_intercept=params["fit_intercept"],
    )


def reference_index(params, classes):
    """Index of the class whose coefficients are zero, None if the constraint names none.

    Raises
    ------
    ValueError
        If a reference class is given that is not used.
    """
    constraint, reference_class = params["constraint"], params["reference_class"]
    if reference_class is None:
        return 0 if constraint == "reference" else None
    if constraint != "reference":
        raise ValueError(
            f"reference_class={reference_class!r} is used by constraint='reference' alone, not by "
            f"constraint={constraint!r}."
        )
    # The first class where no row is of the reference class: the fit warns of that.
    return int(np.argmax(np.atleast_1d(classes == reference_class)))


def objective_again(clf, X, y=None, sample_weight=None, *, absent=False):
    """What a fit minimised, for its data given again, or for other rows.

    Parameters
    ----------
    clf : fitted classifier
    X, y, sample_weight : array-like
        As for its fit; after fit_proba y is the array of probabilities. Without y all rows get the
        first class, and class weights are left out.
    absent : bool, default=False
        Whether a fit that left out a class, for want of weight, will do.

    Returns
    -------
    LinearObjective

    Raises
    ------
    ValueError
        If these are no data, or the fit left out a class.
    """
    params, classes = clf._fit_record.params, clf.classes_
    if not absent:
        clf._fit_record.check_no_class_is_absent()
    if y is None:
        X = check_features(clf, X)
        codes, weight = np.zeros(X.shape[0], dtype=int), row_weights(sample_weight, X)
    elif clf._fit_record.soft:
        X = check_features(clf, X)
        codes = proba_of_classes(y, X, classes)
        codes, weight = soft_weights(params, sample_weight, X, classes, codes)
    else:
        X, y = check_features(clf, X, y)
        codes = codes_of(y, classes)
        weight = fit_weights(params, sample_weight, X, y, classes, codes)
    if y is not None and len(FittedClasses(classes, codes, weight).labels) < 2:
        raise ValueError("Fewer than two classes have rows with a weight: there is nothing to say.")
    flips = clf._fit_record.flips
    return make_objective(params, clf.model_, classes, X, codes, weight, flips)


def all_rows(clf):
    """Coefficients (K, n_features) and intercepts (K,) of a fit, with two classes, too."""
    coef = clf.coef_.toarray() if sparse.issparse(clf.coef_) else clf.coef_
    coef, intercept = coef.astype(float), clf.intercept_.astype(float)
    if len(clf.classes_) == 2:
        coef, intercept = np.vstack([0 * coef, coef]), np.append(0.0, intercept)
    return coef, intercept
