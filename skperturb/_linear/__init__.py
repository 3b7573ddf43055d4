"""Features, a loss and a penalty in, coefficients out. What other modules use is named here."""

from ._classes import FittedClasses, in_words
from ._firth import firth_objective
from ._fit import fit_flips, fit_objective
from ._identifiability import (
    IDENTIFIED,
    NEARLY,
    Identifiability,
    Standardised,
    check_identifiability,
    feature_names,
    nearly_in_words,
    relation_in_words,
)
from ._label_noise import flips_without_row, tilted, uniform_flips
from ._losses import LOSSES
from ._objective import LinearObjective, are_whole
from ._record import FitRecord, all_rows, make_objective, objective_again, reference_index
from ._remarks import remarks
from ._rows import linear_scores, location_of, merged_moments, moments, rows_about, rows_of
from ._separation import UnsettledError, finite_minimum
from ._solvers import Solution, minimize

__all__ = [
    "IDENTIFIED",
    "LOSSES",
    "NEARLY",
    "FitRecord",
    "FittedClasses",
    "Identifiability",
    "LinearObjective",
    "Solution",
    "Standardised",
    "UnsettledError",
    "all_rows",
    "are_whole",
    "check_identifiability",
    "feature_names",
    "finite_minimum",
    "firth_objective",
    "fit_flips",
    "fit_objective",
    "flips_without_row",
    "in_words",
    "linear_scores",
    "location_of",
    "make_objective",
    "merged_moments",
    "minimize",
    "moments",
    "nearly_in_words",
    "objective_again",
    "reference_index",
    "relation_in_words",
    "remarks",
    "rows_about",
    "rows_of",
    "tilted",
    "uniform_flips",
]
