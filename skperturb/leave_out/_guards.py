"""What cannot be left out, in words."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from .._linalg import MOST_PARAMETERS
from .._linear import finite_minimum
from .._warnings import warn_user

_MOST = 5000  # parameters: their matrix takes 200 MB, and some of its kind are needed
_NAMED = 5  # rows or lots that a message names
_ALONE = 1 - 1e-7  # leverage of a row that alone determines a coefficient


def lots_of(groups, n):
    """Numbers of the lots (n,) and their labels; refused if they are no lots of n rows."""
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(
            f"groups must give the lot of each of the {n} rows, got an array of shape "
            f"{groups.shape}."
        )
    lots, labels = pd.factorize(groups)
    if (lots < 0).any() or len(labels) < 2:
        raise ValueError("groups must name two lots or more, and one for each row.")
    return lots, labels


@dataclass(frozen=True)
class Units:
    """What is left out, and how messages call it.

    Attributes
    ----------
    lots : ndarray of shape (n,), int, or None
        Numbers of the lots of the rows that count; None to leave out rows.
    names : sequence
        Labels of the lots, or the indices that the rows have in the data given.
    """

    lots: np.ndarray | None
    names: object

    @property
    def kind(self):
        return "row" if self.lots is None else "lot"

    def numbers(self, n):
        return np.arange(n) if self.lots is None else self.lots

    def named(self, of_rows):
        """The units of some rows, in words."""
        units = np.unique(self.numbers(len(of_rows))[of_rows])
        names = [str(self.names[unit]) for unit in units[:_NAMED]]
        more = f" and {len(units) - _NAMED} more" if len(units) > _NAMED else ""
        return f"{self.kind}{'s' if len(units) > 1 else ''} {', '.join(names)}{more}"

    def count(self, of_rows):
        return len(np.unique(self.numbers(len(of_rows))[of_rows]))


def check_size(objective):
    """Refuse a model of more parameters than a matrix of them can be made for."""
    if objective.n_parameters > _MOST:
        raise ValueError(
            f"Leaving out rows without refits needs a matrix of all {objective.n_parameters} "
            f"parameters; more than {_MOST} are too many. Use cross_val_predict of scikit-learn."
        )


def check_classes(objective, classes, units):
    """Refuse a class that would be missing without one row, or one lot."""
    for k, of_class in lone_classes(objective, len(classes), units):
        raise ValueError(
            f"Class {classes.tolist()[k]!r} is seen in one {units.kind} only "
            f"({units.named(of_class)}): "
            "without it a fit does not know the class, and there is no leave-one-out "
            "prediction. Leave that class out of the data, or join it with another."
        )


def lone_classes(objective, n_classes, units):
    """Yield each class that one row, or one lot, alone has, and whether a row has it."""
    for k in range(n_classes):
        of_class = objective.y[:, k] > 0 if objective.soft else objective.y == k
        if units.count(of_class) == 1:
            yield k, of_class


def check_minimum(minimum):
    """Refuse a fit that is at no finite minimum; warn where its curvature is not the observed."""
    objective, free = minimum.objective, minimum.free
    if not _penalised(objective):
        if objective.n_parameters > MOST_PARAMETERS:
            raise ValueError(
                f"With more than {MOST_PARAMETERS} parameters and no penalty (C=inf) it cannot be "
                "proved that the best coefficients are finite: use a finite C."
            )
        if not finite_minimum(objective, free)[0]:
            raise ValueError(
                "The features separate the classes, wholly or in part, and there is no penalty "
                "(C=inf): the best coefficients are infinite, and so is the influence of some "
                "rows. Use a finite C."
            )
    if not minimum.reached:
        warn_user(
            "The minimum of the objective could not be found to the accuracy that leaving out "
            "rows needs, and the results may be far off: fit with a smaller tol, scale the "
            "features, or use a smaller C.",
            ConvergenceWarning,
        )
    elif not minimum.observed:
        warn_user(
            "The second derivatives at the solution are not positive definite, so that the "
            "expected information stands in for them, and the steps without a row are rough: use "
            "noise with lighter tails, or a smaller C.",
            UserWarning,
        )


def check_left_out(minimum, left, units):
    """Refuse rows without which there is no minimum; warn of those that are doubtful."""
    lost = left.lost
    if not _penalised(minimum.objective):
        lost = lost | (left.leverage >= _ALONE)
        if lost.any():
            raise ValueError(
                f"Without {units.named(lost)} the features separate the classes or do not "
                "determine the coefficients, and there is no penalty (C=inf): no finite "
                "prediction exists. Use a finite C, or leave out the feature that separates "
                "(skperturb.representation.check_identifiability names it)."
            )
    if lost.any():
        warn_user(
            f"The fits without {units.named(lost)} did not converge, and what is said of them may "
            "be far off: scale the features, or use a smaller C.",
            ConvergenceWarning,
        )
    if left.doubtful.any():
        warn_user(
            f"One step is not exact for {units.count(left.doubtful)} {units.kind}s that were not "
            "refitted, because their loss changes much or their leverage is near 1 "
            f"({units.named(left.doubtful)}). Pass refit=n with a larger n to repeat the fit "
            f"without the n {units.kind}s that change most.",
            UserWarning,
        )


def _penalised(objective):
    return objective.penalty(np.ones(objective.n_parameters)) > 0
