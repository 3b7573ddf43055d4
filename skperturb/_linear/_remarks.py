"""What a user should know of a fit, in sentences."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ._classes import in_words

_NOT_UNIQUE = (
    "The coefficients are not unique: with constraint=None and without a penalty (C=inf) any "
    "common shift of all classes gives the same probabilities. Those that sum to zero over the "
    "classes are given; use constraint='sum_to_zero' or 'reference' to say which you want."
)
_ABSENT = (
    "All rows of {} have weight 0: the fit leaves that out, and gives it probability 0 (at most "
    "1e-12)."
)
_NO_REFERENCE = (
    "No row is of the reference_class {!r}: the first class, {!r}, is the "
    "reference of this fit. Rows of weight 0 do not count."
)
_BLURRED = (
    "Feature {!r} is so far from zero that the rounding of its numbers is {:.1g} of its standard "
    "deviation: coefficients and probabilities are no more accurate than that. Subtract a fixed "
    "number from it before it is stored as floating point, such as the start of the shift from a "
    "time stamp."
)


def remarks(params, seen, objective, solution, names):
    """Texts of warnings and their categories.

    Parameters
    ----------
    params : dict
        Of the classifier.
    seen : FittedClasses
    objective : LinearObjective or None
        What was minimised; None if one class only has a weight.
    solution : Solution
    names : list of str
        Of the features.

    Yields
    ------
    (str, type)
    """
    reference = params["reference_class"]
    if seen.absent:
        yield _ABSENT.format(in_words(seen.absent)), UserWarning
    if reference is not None and not np.any(seen.labels == reference):
        yield _NO_REFERENCE.format(reference, seen.labels.tolist()[0]), UserWarning
    if objective:
        for feature, part in objective.rows.blurred().items():
            yield _BLURRED.format(names[feature], part), UserWarning
    if solution.problem:
        yield solution.problem, ConvergenceWarning
    if params["constraint"] is None and np.isinf(params["C"]) and len(seen.labels) > 2:
        yield _NOT_UNIQUE, ConvergenceWarning
