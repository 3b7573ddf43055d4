"""Classes whose rows all have weight zero: they are left out of the fit, and get no probability.

A weight of zero means that the row is not there. So the fit is that of the other classes alone, and
a class without weight keeps its place with coefficients of zero and an intercept that is so low
that its probability is at most 1e-12 wherever another score is zero or more. One always is: the
scores of the other classes sum to zero, or that of the reference is zero.
"""

import numpy as np

from .._engine import make_kernel
from ..noise import interquartile_range

_IMPOSSIBLE = 1e-12  # probability of a class without weight
_LOWEST = 1e290  # smallest intercept that a class without weight gets, times -1


class FittedClasses:
    """The classes of a fit that have a weight.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,), int, or (n_samples, n_classes)
        Index of each row's class, or shares of the classes.
    weight : ndarray of shape (n_samples,)

    Attributes
    ----------
    labels : ndarray
        The classes with a weight.
    absent : tuple
        Labels of the others.
    codes : ndarray
        The same as given, among the classes with a weight; rows without weight have any.
    """

    def __init__(self, classes, codes, weight):
        if codes.ndim == 2:
            totals = weight @ codes
        else:
            totals = np.bincount(codes, weight, minlength=len(classes))
        self._of_totals(classes, totals)
        self.codes = self.codes_among(codes)

    @classmethod
    def with_totals(cls, classes, totals):
        """The same from the weight of each class (n_classes,), without rows and their codes."""
        self = cls.__new__(cls)
        self._of_totals(classes, totals)
        return self

    def _of_totals(self, classes, totals):
        self._present = totals > 0
        self.labels = classes[self._present]
        self.absent = tuple(classes[~self._present].tolist())

    def codes_among(self, codes):
        """Codes, or shares, of all classes as those of the classes with a weight."""
        if not self.absent:
            return codes
        if codes.ndim == 2:
            return codes[:, self._present]
        return np.maximum((np.cumsum(self._present) - 1)[codes], 0)

    def rows_of_all(self, coef, intercept, law, reference):
        """Coefficients and intercepts of all classes: (K, n_features) and (K,).

        Parameters
        ----------
        coef, intercept : ndarray
            Of the classes with a weight.
        law : Noise or another law of the engine
        reference : int or None
            Index of the class with a weight that has coefficients zero; None if they sum to zero.
        """
        if not self.absent:
            return coef, intercept
        if len(coef) == 2 < len(self._present):
            # Two classes have one vector, which all constraints share out differently.
            both = np.column_stack([coef, intercept])
            both -= both.mean(axis=0) if reference is None else both[reference]
            coef, intercept = both[:, :-1], both[:, -1]
        every = np.zeros((len(self._present), coef.shape[1]))
        lowest = np.full(len(every), -_improbable(law))
        every[self._present], lowest[self._present] = coef, intercept
        return every, lowest

    def rows_with_weight(self, coef, intercept):
        """The rows of the classes with a weight, of rows of all classes."""
        return coef[self._present], intercept[self._present]


def in_words(labels):
    """Classes as text: "class 'dent'", "the classes 'dent' and 'ok'"."""
    *first, last = map(repr, labels)
    return f"the classes {', '.join(first)} and {last}" if first else f"class {last}"


def _improbable(law):
    """By how much a score must be below another for a probability of at most 1e-12.

    Of two noises, the larger one decides a difference so rare: its quantile is nearly enough.
    """
    quantile = max(float(law.isf(_IMPOSSIBLE)), -float(law.ppf(_IMPOSSIBLE)))
    below = quantile if np.isfinite(quantile) and quantile > 0 else interquartile_range(law)
    kernel = make_kernel(law, 2)
    while below < _LOWEST and kernel.proba(np.array([[0.0, -below]]))[0, 1] > _IMPOSSIBLE:
        below *= 2
    return min(below, _LOWEST)
