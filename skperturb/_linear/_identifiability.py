"""Which coefficients the data of a fit determine: rank, directions unseen, separation."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._data import Features
from .._engine import expected_information
from .._linalg import MOST_PARAMETERS, unit_diagonal
from .._results import Record
from ._record import all_rows, objective_again
from ._separation import UnsettledError, find_separations, finite_minimum

__all__ = ["Identifiability", "check_identifiability"]

# Smallest eigenvalues of an information whose diagonal is 1. In units and offsets as given,
# rounding may reach 1e-10; of standardised columns 1e-13. Below 1e-8 standard errors are 1e4 times
# what the feature alone would give, and half of their digits are lost.
IDENTIFIED, SINGULAR, NEARLY = 1e-10, 1e-13, 1e-8
_TAKES_PART = 1e-7  # smallest entry of a relation, its largest being 1
_MATTERS = 0.1  # smallest entry of a direction that is worth a name, its largest being 1
_ZERO = {8: 1e-9, 4: 1e-6}  # of a combination of columns of size 1, by the bytes of a number
_INTERCEPT_ZERO = 1e-12  # of a combination's constant, relative to the terms that it is the sum of
_ABSENT = "Without rows of class {} its coefficients have no best value."
_SHARED = (
    "With constraint=None and no penalty a common shift of the coefficients of all classes changes "
    "nothing: use constraint='sum_to_zero' or 'reference'."
)
_NO_LABELS = "Without y it cannot be decided whether features separate the classes: pass y."
_UNSETTLED = (
    "Whether features separate the classes was not found out: there are too many coefficients for "
    "a linear program. An unpenalised fit that converges without a warning proves that they do not."
)


@dataclass(frozen=True)
class Identifiability(Record):
    """What :func:`check_identifiability` found.

    Attributes
    ----------
    identified : bool or None
        True if the data determine every coefficient uniquely and all are finite. None if this
        could not be decided, for instance because y was not given.
    n_parameters, rank : int
        Number of free coefficients, and the number of independent combinations of them that the
        data determine.
    condition_number : float or None
        Condition number of the expected information in the coordinates of the constraint, with
        centred features and a diagonal scaled to 1, so that units and offsets of the features do
        not matter. It is inf if the rank is too small, and None (unknown) with more than 1500
        parameters.
    unseen : tuple of dict
        Combinations of features that are zero in every row, as {feature: factor} with "intercept"
        for the constant 1. Adding one of them to a class's coefficients changes no probability.
    hardly_seen : tuple of str
        Features of a combination that the data determine only very inaccurately.
    separated : bool or None
        Whether features separate classes, wholly or in part. None if y was not given, or if the
        answer would need a linear program of more than 600 coefficients.
    separations : tuple of (tuple of str, tuple of (label, label))
        Smallest sets of features that separate together, each with pairs (class, other): with
        these features rows of the class are told from the other class without an error.
    problems : tuple of str
        All findings in sentences; empty if there is no problem.
    """

    identified: bool | None
    n_parameters: int
    rank: int
    condition_number: float | None
    unseen: tuple
    hardly_seen: tuple
    separated: bool | None
    separations: tuple
    problems: tuple

    def _lines(self):
        shown = "identified", "n_parameters", "rank", "condition_number", "separated"
        labels = {name.replace("_", " ") for name in shown}
        lines = [line for line in super()._lines() if line[0] in labels]
        return lines + [("problem", problem) for problem in self.problems]


def check_identifiability(
    clf: Any, X: Features, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> Identifiability:
    """Which coefficients of a fitted classifier the data determine.

    The coefficients are unique if the model is minimal and no feature is a combination of the
    others. They are finite if no combination of features separates the classes. A penalty makes
    them unique and finite in any case, but then the penalty, and not the data, decides along the
    directions that are named here.

    Parameters
    ----------
    clf : PerturbArgmaxClassifier or PerturbSoftmaxClassifier
        The fitted classifier.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The features of the fit, or of other rows.
    y : array-like of shape (n_samples,), default=None
        The labels of these rows. Without them it cannot be decided whether features separate the
        classes: `separated` is None then.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows; a row of weight zero does not count.

    Returns
    -------
    Identifiability
        What was found; print it for a text.

    Raises
    ------
    ValueError
        If X or y do not fit the classifier, or it is not one of skperturb.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.representation import check_identifiability
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> X = X[["sepal length (cm)", "petal width (cm)"]]
    >>> X = X.assign(inches=X["sepal length (cm)"] / 2.54)
    >>> print(check_identifiability(PerturbArgmaxClassifier().fit(X, y), X, y))
    identified        no
    n parameters      8
    rank              6
    condition number  inf
    separated         yes
    problem           The data do not see sepal length (cm) - 2.54 inches: it is
                      zero in every row. Leave out one of these features.
    problem           petal width (cm) separates class 0 from 1 and 2 (149 rows):
                      without a penalty its coefficients are infinite. Use a
                      penalty (finite C), or leave it out.
    """
    if not hasattr(clf, "_fit_record"):
        raise ValueError(
            f"A classifier of skperturb is needed, got {type(clf).__name__}; of a pipeline give "
            "the last step, and X as that step sees it."
        )
    check_is_fitted(clf)
    labelled = y is not None
    data = Standardised(clf, objective_again(clf, X, y, sample_weight, absent=True))
    objective, relations = data.objective, data.relations()
    rank = objective.n_parameters - objective.shape[0] * len(relations)
    condition, hardly = None, ()
    if objective.n_parameters <= MOST_PARAMETERS:
        values, direction = data.spectrum()
        rank = min(rank, int((values >= SINGULAR).sum()))
        condition = float(values[-1] / values[0]) if rank == len(values) else np.inf
        if not relations and values[0] < NEARLY:
            hardly = data.taking_part(direction)
    separated, separations, absent = None, [], []
    if labelled:
        absent = np.delete(clf.classes_, np.unique(objective.y)).tolist()
        with suppress(UnsettledError):
            separations = data.separations()
            separated = bool(separations)
    shared = clf.constraint is None and len(clf.classes_) > 2 and np.isinf(clf.C)
    identified = rank == objective.n_parameters and not (separated or absent or shared)
    return Identifiability(
        identified=None if identified and separated is None else identified,
        n_parameters=objective.n_parameters,
        rank=rank,
        condition_number=condition,
        unseen=tuple(relations),
        hardly_seen=hardly,
        separated=separated,
        separations=tuple((each.features, each.pairs) for each in separations),
        problems=(
            *map(relation_in_words, relations),
            *([nearly_in_words(hardly)] if hardly else []),
            *(each.in_words() for each in separations),
            *([_ABSENT.format(_enumeration(absent))] if absent else []),
            *([_SHARED] if shared else []),
            *([_NO_LABELS] if not labelled else [_UNSETTLED] if separated is None else []),
        ),
    )


class NamedSeparation(NamedTuple):
    """Features that separate classes, by name."""

    features: tuple
    pairs: tuple
    n_rows: int

    def in_words(self):
        """A sentence on it."""
        unordered = [tuple(sorted(pair, key=str)) for pair in self.pairs]
        unordered = list(dict.fromkeys(unordered))
        labels = dict.fromkeys(label for pair in unordered for label in pair)
        common = [label for label in labels if all(label in pair for pair in unordered)]
        if common:
            others = [label for label in labels if label != common[0]]
            told = f"class {common[0]} from {_enumeration(others)}"
        else:
            told = "classes " + _enumeration([f"{one} from {other}" for one, other in unordered])
        verb, their, them = ("separates", "its", "it")
        if len(self.features) > 1:
            verb, their, them = "separate", "their", "one of them"
        return (
            f"{_enumeration(self.features)} {verb} {told} ({self.n_rows} rows): without a penalty "
            f"{their} coefficients are infinite. Use a penalty (finite C), or leave {them} out."
        )


class Standardised:
    """The data of a fitted classifier, in columns whose units and means do not matter.

    Parameters
    ----------
    clf : fitted classifier
    objective : LinearObjective
    """

    def __init__(self, clf, objective):
        self._clf = clf
        self._zero = _ZERO[objective.dtype.itemsize]
        objective, self._center, self._size = objective.standardised()
        self.objective = objective.with_hard_labels()
        names = feature_names(clf)
        one = "intercept" if "intercept" not in names else "(intercept)"
        self.names = [*names, one][: objective.shape[1]]
        coef, intercept = all_rows(clf)
        self._free = self.objective.free(coef * self._size, intercept + coef @ self._center)

    def spectrum(self):
        """Eigenvalues of the expected information of unit diagonal, direction of the least."""
        kernel = self.objective.loss.kernel
        information = self.objective.assemble(
            self._free, lambda scores, y: expected_information(kernel, scores)
        )
        scaled, root = unit_diagonal(information)
        values, vectors = np.linalg.eigh(scaled)
        return values, vectors[:, 0] / root

    def relations(self):
        """Combinations of the columns that are zero in every row: a list of {name: factor}."""
        scaled, root = unit_diagonal(self.objective.gram())
        values, vectors = np.linalg.eigh(scaled)
        found = []
        for row in _reduced(vectors[:, values < IDENTIFIED].T):
            row = np.where(np.abs(row) >= _TAKES_PART * np.abs(row).max(), row, 0.0) / root
            row /= np.abs(row).max()
            # Small eigenvalues tell of columns that are nearly the same, too.
            if np.abs(self._combination(row)).max() <= self._zero:
                found.append(self._in_units(row))
        return found

    def _combination(self, row):
        """The combination of the columns, for each row of the data."""
        full = np.zeros((self.objective.constraint.n_free, len(row)))
        full[0] = row
        scores = self.objective.scores(full.ravel())
        basis = self.objective.constraint.expand(np.eye(len(full)))[:, 0]
        return scores @ basis / (basis @ basis)

    def _in_units(self, row):
        factors = row[: len(self._size)] / self._size
        if len(row) > len(factors):
            one = row[-1] - factors @ self._center
            rounding = _INTERCEPT_ZERO * (1 + np.abs(factors) @ np.abs(self._center))
            factors = np.append(factors, one if abs(one) > rounding else 0.0)
        part = np.flatnonzero(factors)
        return {self.names[i]: float(factors[i] / factors[part[0]]) for i in part}

    def taking_part(self, direction):
        """Names of the columns that matter in a direction of the free parameters."""
        size = np.abs(direction.reshape(self.objective.shape)).max(axis=0)
        return tuple(self.names[i] for i in np.flatnonzero(size >= _MATTERS * size.max()))

    def separations(self):
        """What separates: a list of NamedSeparation.

        Raises
        ------
        UnsettledError
            If it is not found out.
        """
        # Close to a minimum its existence is easily proved.
        with np.errstate(all="ignore"):
            if finite_minimum(self.objective, self._free)[0]:
                return []
        labels = self._clf.classes_.tolist()
        return [
            NamedSeparation(
                tuple(self.names[column] for column in found.columns),
                tuple((labels[one], labels[other]) for one, other in found.classes),
                found.n_rows,
            )
            for found in find_separations(self.objective)
        ]


def _reduced(rows):
    """A basis of the same space with as many zeros as Gauss and Jordan's elimination makes."""
    rows = rows.copy()
    for k in range(len(rows)):
        pivot = np.abs(rows[k]).argmax()
        rows[k] /= rows[k, pivot]
        others = np.arange(len(rows)) != k
        rows[others] -= np.multiply.outer(rows[others, pivot], rows[k])
    return rows


def feature_names(clf):
    """Names of the features of a fitted classifier, x0, x1, ... if they have none."""
    return list(getattr(clf, "feature_names_in_", [f"x{i}" for i in range(clf.n_features_in_)]))


def relation_in_words(relation):
    """A sentence on a combination of features that is zero in every row."""
    terms = []
    for name, factor in relation.items():
        size = "" if f"{abs(factor):.6g}" == "1" and name != "intercept" else f"{abs(factor):.6g} "
        term = size.strip() if name == "intercept" else f"{size}{name}"
        terms.append(("- " if factor < 0 else "+ ") + term)
    return (
        f"The data do not see {' '.join(terms).removeprefix('+ ')}: it is zero in every row. Leave "
        "out one of these features."
    )


def nearly_in_words(names):
    """A sentence on the features of a direction that the data determine inaccurately."""
    return (
        f"The data determine a combination of {_enumeration(names)} only very inaccurately: it is "
        "nearly constant, or nearly the same as other features, or the probabilities along it are "
        "0 and 1. Its standard errors are huge."
    )


def _enumeration(words):
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last
