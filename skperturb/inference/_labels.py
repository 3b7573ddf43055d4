"""The coefficients of a fit by name, as a linear map from the free parameters."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._linear import feature_names


@dataclass(frozen=True)
class Coefficients:
    """Which coefficients a table lists: all that the constraint does not set to zero.

    Attributes
    ----------
    index : MultiIndex
        Their (class, feature), the intercept of each class first.
    matrix : ndarray of shape (n_coefficients, n_parameters)
        Maps the free parameters to them.
    classes : ndarray
        All classes, that of the reference, too.
    names : list of str
        The features, the intercept first.
    """

    index: pd.MultiIndex
    matrix: np.ndarray
    classes: np.ndarray
    names: list

    def row_of(self, label, feature):
        """The map to one coefficient (n_parameters,); that of the reference class is zero.

        Raises
        ------
        ValueError
            If there is no such class or feature.
        """
        found = np.flatnonzero(self.classes == label)
        if len(found) != 1:
            raise ValueError(f"{label!r} is not a class of the fit: {self.classes.tolist()}.")
        if feature not in self.names:
            raise ValueError(f"{feature!r} is not a feature of the fit: {self.names}.")
        rows = self.index.get_level_values(0) == self.classes[found[0]]
        if not rows.any():
            return np.zeros(self.matrix.shape[1])
        return self.matrix[rows][self.names.index(feature)]


def coefficients_of(fit):
    """The coefficients of a fit that are unique.

    Raises
    ------
    ValueError
        With constraint=None and no penalty, where none is.
    """
    clf, objective = fit.clf, fit.objective
    if clf.constraint is None and len(clf.classes_) > 2 and np.isinf(clf.C):
        raise ValueError(
            "With constraint=None the coefficients are not unique and have no standard errors: fit "
            "with constraint='sum_to_zero' or 'reference'."
        )
    names, order = names_of(clf)
    constraint, width = objective.constraint, objective.shape[1]
    full = constraint.expand(np.eye(constraint.n_free))[constraint.rows]
    of_class = np.eye(width)
    # The intercept of the fit is that of rows about their center.
    of_class[objective.n_features :, : objective.n_features] = -objective.rows.center
    matrix = np.kron(full, of_class[order])
    labels = clf.classes_[constraint.rows]
    index = pd.MultiIndex.from_arrays(
        [np.repeat(labels, len(names)), names * len(labels)], names=["class", "feature"]
    )
    return Coefficients(index, matrix, clf.classes_, names)


def names_of(clf):
    """Names of a class's coefficients, the intercept first, and their order in the objective."""
    names = feature_names(clf)
    order = np.arange(len(names))
    if clf.fit_intercept:
        # A feature may be called like the intercept.
        one = "(intercept)" if "intercept" in names else "intercept"
        names, order = [one, *names], np.append(len(names), order)
    return names, order
