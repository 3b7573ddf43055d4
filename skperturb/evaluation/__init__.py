"""Was it worth it? Comparison of classifiers on the same folds, ours or anybody's."""

from . import _calibration as calibration
from ._compare import compare, compare_classifiers
from ._comparison import Comparison
from ._cost_classifier import CostSensitiveClassifier
from ._cross_validation import OutOfFold, cross_val_predictions
from ._costs import (
    check_cost_matrix,
    correct_prevalence,
    cost_score,
    cost_template,
    expected_cost_decision,
    prevalence_weights,
    trivial_policies,
)
from ._online import PairedABTest

__all__ = [
    "Comparison",
    "CostSensitiveClassifier",
    "OutOfFold",
    "PairedABTest",
    "check_cost_matrix",
    "compare",
    "compare_classifiers",
    "correct_prevalence",
    "cost_score",
    "cost_template",
    "cross_val_predictions",
    "expected_cost_decision",
    "prevalence_weights",
    "trivial_policies",
]
