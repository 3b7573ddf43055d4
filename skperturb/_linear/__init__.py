"""Features, a loss and a penalty in, coefficients out. What other modules use is named here."""

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
from ._objective import LinearObjective, are_whole, linear_scores
from ._record import FitRecord, all_rows, make_objective, objective_again
from ._separation import UnsettledError, finite_minimum
from ._solvers import minimize

__all__ = [
    "IDENTIFIED",
    "LOSSES",
    "NEARLY",
    "FitRecord",
    "Identifiability",
    "LinearObjective",
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
    "linear_scores",
    "make_objective",
    "minimize",
    "nearly_in_words",
    "objective_again",
    "relation_in_words",
    "tilted",
    "uniform_flips",
]
