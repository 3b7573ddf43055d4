"""Which coefficients the data of a fit determine: rank, directions unseen, separation."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._kernel import expected_information
from ._records import Record
from ._separation import find_separations
from ._solvers import unit_diagonal

__all__ = ["Identifiability", "check_identifiability"]

IDENTIFIED = 1e-10  # smallest eigenvalue of the information, its diagonal being 1
NEARLY = 1e-8  # below, a direction is seen, but hardly
MOST_PARAMETERS = 1500  # whose information is a matrix that can be decomposed
_TAKES_PART = 1e-4  # smallest entry of a relation, its largest being 1


@dataclass(frozen=True)
class Identifiability(Record):
    """What :func:`check_identifiability` found.

    Attributes
    ----------
    identified : bool or None
        Whether the data determine all coefficients, and finite ones. None if that is not known,
        because the labels are not.
    n_parameters, rank : int
        Number of free coefficients, and how many of them, or combinations, the data determine.
    condition_number : float or None
        Of the expected information in the coordinates of the constraint, scaled to a unit
        diagonal so that the units of the features do not matter; inf if the rank is too small,
        None (unknown) with more than 1500 parameters.
    unseen : tuple of dict
        Combinations of features that are zero in every row, {feature: factor}, "intercept" for 1:
        adding one of them to a class's coefficients changes nothing.
    hardly_seen : tuple of str
        Features of the direction that the data see least, if that is nearly not at all.
    separated : bool or None
        Whether features separate classes, wholly or in part; None without the labels.
    separations : tuple of (tuple of str, tuple of (label, label))
        Features that separate, none of which can be spared, and pairs (class, other) such
        that rows of the class are told from the other.
    problems : tuple of str
        All that in sentences; empty if there is nothing to say.
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


def check_identifiability(clf, X, y=None, sample_weight=None):
    """Which coefficients of a fitted classifier its data determine.

    A model that is minimal gives each distribution by one set of scores; the coefficients are
    unique if the features, too, can be told apart. And they are finite if no combination
    of features separates the classes. A penalty makes them unique and finite all the same, but
    then it, and not the data, decides along the directions named here.

    Parameters
    ----------
    clf : fitted PerturbArgmaxClassifier or PerturbSoftmaxClassifier
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The features of the fit, or of other rows.
    y : array-like of shape (n_samples,), default=None
        Their labels, which separation is a question of. If None, those of the fit if the object
        still knows them (until it is saved or copied) and X is that of the fit.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows; of weight zero they do not count.

    Returns
    -------
    Identifiability

    Raises
    ------
    ValueError
        If X or y do not fit the classifier.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.representation import check_identifiability
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> X = X[["sepal length (cm)", "petal width (cm)"]]
    >>> X = X.assign(inches=X["sepal length (cm)"] / 2.54)
    >>> print(check_identifiability(PerturbArgmaxClassifier().fit(X, y), X))
    identified        no
    n parameters      8
    rank              6
    condition number  inf
    separated         yes
    problem           The data do not see sepal length (cm) - 2.54 inches: it is
                      zero in every row. Leave out one of these features.
    problem           petal width (cm) separates class 0 from 1 and 2: without a
                      penalty its coefficients are infinite. Use a penalty (finite
                      C), or leave it out.
    """
    if not hasattr(clf, "_objective_for"):
        raise ValueError(
            f"A classifier of skperturb is needed, got {type(clf).__name__}; of a pipeline give "
            "the last step, and X as that step sees it."
        )
    check_is_fitted(clf)
    if y is None:
        objective, labelled = clf._objective_without_labels(X, sample_weight)
    else:
        objective, labelled = clf._objective_for(X, y, sample_weight), True
    names = [*feature_names(clf), "intercept"]
    relations = unseen_relations(objective, names)
    rank = objective.n_parameters - objective.shape[0] * len(relations)
    condition, hardly, separations = None, (), ()
    small = objective.n_parameters <= MOST_PARAMETERS
    if small:
        values, direction = _spectrum(clf, objective)
        rank = min(rank, int((values >= IDENTIFIED).sum()))
        condition = float(values[-1] / values[0]) if rank == len(values) else np.inf
        if not relations and values[0] < NEARLY:
            hardly = taking_part(objective, direction, names)
    separated, absent = None, []
    if labelled:
        absent = np.delete(clf.classes_, np.unique(objective.y)).tolist()
    if labelled and small:
        separations = named_separations(clf, objective)
        separated = bool(separations)
    identified = rank == objective.n_parameters and not separated and not absent
    return Identifiability(
        identified=None if identified and separated is None else identified,
        n_parameters=objective.n_parameters,
        rank=rank,
        condition_number=condition,
        unseen=tuple(relations),
        hardly_seen=tuple(hardly),
        separated=separated,
        separations=tuple(separations),
        problems=tuple(_problems(clf, relations, hardly, separations, absent, labelled, small)),
    )


def _spectrum(clf, objective):
    """Eigenvalues of the expected information of unit diagonal, and the direction of the least."""
    kernel = clf.model_.kernel(objective.constraint.n_classes)
    free = objective.free(*clf._all_rows())
    information = objective.assemble(free, lambda scores, y: expected_information(kernel, scores))
    scaled, root = unit_diagonal(information)
    values, vectors = np.linalg.eigh(scaled)
    return values, vectors[:, 0] / root


def unseen_relations(objective, names):
    """Combinations of the columns that are zero in every row: a list of {name: factor}."""
    scaled, root = unit_diagonal(objective.gram())
    values, vectors = np.linalg.eigh(scaled)
    relations = []
    for row in _reduced(vectors[:, values < IDENTIFIED].T):
        row = np.where(np.abs(row) >= _TAKES_PART * np.abs(row).max(), row, 0.0) / root
        part = np.flatnonzero(row)
        row = row / row[part[0]]
        relations.append({names[i]: float(f"{row[i]:.6g}") for i in part})
    return relations


def _reduced(rows):
    """A basis of the same space with as many zeros as Gauss and Jordan's elimination makes."""
    rows = rows.copy()
    for k in range(len(rows)):
        pivot = np.abs(rows[k]).argmax()
        rows[k] /= rows[k, pivot]
        others = np.arange(len(rows)) != k
        rows[others] -= np.multiply.outer(rows[others, pivot], rows[k])
    return rows


def taking_part(objective, direction, names):
    """Names of the columns that matter in a direction of the free parameters."""
    # In units of the columns' sizes, so that the units of the features do not matter.
    size = np.abs(direction.reshape(objective.shape)).max(axis=0) * objective.column_sizes()
    return [names[i] for i in np.flatnonzero(size >= 0.1 * size.max())]


def named_separations(clf, objective):
    """What separates: (features, pairs of class labels) each."""
    names, labels = feature_names(clf), clf.classes_.tolist()
    return [
        (
            tuple(names[column] for column in found.columns),
            tuple((labels[one], labels[other]) for one, other in found.classes),
        )
        for found in find_separations(objective)
    ]


def feature_names(clf):
    """Names of the features of a fitted classifier, x0, x1, ... if they have none."""
    return list(getattr(clf, "feature_names_in_", [f"x{i}" for i in range(clf.n_features_in_)]))


def _problems(clf, relations, hardly, separations, absent, labelled, small):
    yield from map(relation_in_words, relations)
    if hardly:
        yield nearly_in_words(hardly)
    yield from (separation_in_words(*separation) for separation in separations)
    if absent:
        yield f"Without rows of class {_enumeration(absent)} its coefficients have no best value."
    if not labelled:
        yield "Whether features separate the classes is not known without the labels: pass y."
    if not small:
        yield (
            f"With more than {MOST_PARAMETERS} coefficients neither the condition number nor "
            "separation is computed."
        )
    if clf.constraint is None and len(clf.classes_) > 2 and np.isinf(clf.C):
        yield (
            "With constraint=None and no penalty a common shift of the coefficients of all classes "
            "changes nothing: use constraint='sum_to_zero' or 'reference'."
        )


def relation_in_words(relation):
    """A sentence on a combination of features that is zero in every row."""
    terms = []
    for name, factor in relation.items():
        size = "" if abs(factor) == 1 and name != "intercept" else f"{abs(factor):g} "
        term = size.strip() if name == "intercept" else f"{size}{name}"
        terms.append(("- " if factor < 0 else "+ ") + term)
    return (
        f"The data do not see {' '.join(terms).removeprefix('+ ')}: it is zero in every row. Leave "
        "out one of these features."
    )


def nearly_in_words(names):
    """A sentence on the features of a direction that the data hardly see."""
    return (
        f"The data hardly see a combination of {_enumeration(names)}: nearly constant, or nearly "
        "the same as others, or probabilities of 0 and 1 along it. Its standard errors are huge."
    )


def separation_in_words(features, pairs):
    """A sentence on features that separate classes."""
    unordered = {frozenset(pair) for pair in pairs}
    common = [
        label for label in dict.fromkeys(sum(pairs, ())) if all(label in p for p in unordered)
    ]
    if common:
        others = dict.fromkeys(label for pair in pairs for label in pair if label != common[0])
        told = f"class {common[0]} from {_enumeration(others)}"
    else:
        told = "classes " + _enumeration([f"{a} from {b}" for a, b in map(sorted, unordered)])
    verb, their, them = (
        ("separates", "its", "it") if len(features) == 1 else ("separate", "their", "one of them")
    )
    return (
        f"{_enumeration(features)} {verb} {told}: without a penalty {their} coefficients are "
        f"infinite. Use a penalty (finite C), or leave {them} out."
    )


def _enumeration(words):
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last
