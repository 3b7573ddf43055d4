"""The linear part of a pipeline: columns of a design, coefficients, and what each column is of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression

from ..additive import AdditiveFeatures
from ..classifiers import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

LINEAR = (LogisticRegression, PerturbArgmaxClassifier, PerturbSoftmaxClassifier)


@dataclass(frozen=True)
class LinearPart:
    """What makes scores of features, and by which features.

    Attributes
    ----------
    transformer : ColumnTransformer or AdditiveFeatures
    classifier : classifier with coef_ and intercept_
    names : list of str
        Feature columns, or pairs of them.
    owner : ndarray of shape (n_design,)
        The name, by its place, that each column of the design belongs to.
    """

    transformer: Any
    classifier: Any
    names: list
    owner: np.ndarray

    def coefficients(self):
        """A row for each class, (n_classes, n_design); of two classes the first has zeros."""
        coef = np.asarray(self.classifier.coef_, dtype=float)
        return np.vstack([0 * coef, coef]) if len(coef) == 1 else coef

    def design(self, features):
        """The columns that the coefficients multiply (n, n_design)."""
        return self.transformer.transform(features)


def linear_part(pipeline):
    """The linear part of a fitted pipeline of two steps, None if it has none."""
    transformer, classifier = pipeline[0], pipeline[-1]
    if len(pipeline) != 2 or not isinstance(classifier, LINEAR):
        return None
    if isinstance(transformer, AdditiveFeatures):
        known = list(transformer.feature_names_in_)
        names = [" * ".join(known[j] for j in part) for part in transformer.parts_]
        return LinearPart(transformer, classifier, names, transformer.part_of_column_)
    if not isinstance(transformer, ColumnTransformer):
        return None
    names = list(transformer.feature_names_in_)
    owner: list[int] = []
    for _, step, columns in transformer.transformers_:
        places = [names.index(name) for name in columns]
        last = step[-1] if hasattr(step, "steps") else None
        widths = _widths(last) if hasattr(last, "categories_") else [1] * len(places)
        if not isinstance(step, str):  # "drop", of no column
            owner += np.repeat(places, widths).tolist()
    return LinearPart(transformer, classifier, names, np.array(owner, dtype=int))


def _widths(encoder):
    """How many columns a OneHotEncoder makes of each column."""
    rare = getattr(encoder, "infrequent_categories_", [None] * len(encoder.categories_))
    dropped = getattr(encoder, "drop_idx_", None)
    widths = []
    for j, (categories, few) in enumerate(zip(encoder.categories_, rare, strict=True)):
        grouped = 0 if few is None else len(few) - 1
        less = dropped is not None and dropped[j] is not None
        widths.append(len(categories) - grouped - less)
    return widths


def contributions(part, design, mean, first, second):
    """By how much each feature moves the score of one class from that of another, in each row.

    The contribution of a feature is the sum, over its columns of the design, of the difference of
    the coefficients times the difference to the mean of the training parts. All of them and the
    difference of the scores at the means make the difference of the scores.

    Parameters
    ----------
    part : LinearPart
    design : ndarray or sparse matrix of shape (n, n_design)
    mean : ndarray of shape (n_design,)
    first, second : ndarray of shape (n,), int
        The class that is decided, and the one it is compared with.

    Returns
    -------
    ndarray of shape (n, n_names)
    """
    coef = part.coefficients()
    n_design = len(part.owner)
    total = sparse.csr_array(
        (np.ones(n_design), (np.arange(n_design), part.owner)), (n_design, len(part.names))
    )
    out = np.empty((len(first), len(part.names)))
    pairs = first * len(coef) + second
    for pair in np.unique(pairs):
        rows = np.flatnonzero(pairs == pair)
        difference = coef[pair // len(coef)] - coef[pair % len(coef)]
        weighed = total * difference[:, None]
        out[rows] = np.asarray(
            (design[rows] @ weighed).todense()
            if sparse.issparse(design)
            else design[rows] @ weighed
        )
        out[rows] -= mean @ weighed
    return out
