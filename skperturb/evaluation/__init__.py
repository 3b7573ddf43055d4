"""Was it worth it? Comparison of classifiers on the same folds, ours or anybody's."""

from . import calibration, costs, online, stats  # noqa: F401  # old addresses, which warn
from ._calibration import calibration_error, class_counts, d2_brier, d2_log_loss, reliability
from ._card_page import model_card_html as model_card_html
from ._card_page import model_summary as model_summary
from ._compare import compare, compare_classifiers
from ._comparison import Comparison
from ._cost_classifier import CostSensitiveClassifier
from ._costs import (
    check_cost_matrix,
    correct_prevalence,
    cost_score,
    cost_template,
    expected_cost_decision,
    expected_costs,
    prevalence_weights,
    trivial_policies,
)
from ._cross_validation import OutOfFold, cross_val_predictions
from ._drift import DriftMonitor
from ._intervals import CostInterval, cost_interval
from ._needed import parts_needed, parts_needed_range
from ._online import ABTestSummary, PairedABTest
from ._shadow_page import shadow_html as shadow_html
from ._shadow_page import shadow_path as shadow_path
from ._shadow_page import shadow_sentences as shadow_sentences
from ._stats import (
    CombinedFTest,
    CorrectedTTest,
    Interval,
    MeanInterval,
    combined_ftest_5x2,
    corrected_paired_ttest,
    holm,
    mean_interval,
    per_part_ttest,
    wilson,
)
from ._suspects import flip_table, suspect_labels
from ._suspects_page import summary_of_suspects as summary_of_suspects
from ._suspects_page import suspects_html as suspects_html
from ._text import summary_sentence as summary_sentence
from ._texts import LANGUAGES as LANGUAGES
from ._texts import load as texts_of  # noqa: F401
from ._verdict import Conclusion
from ._watch_page import watch_html as watch_html
from ._watch_page import watch_sentences as watch_sentences

__all__ = [
    "ABTestSummary",
    "CombinedFTest",
    "Comparison",
    "Conclusion",
    "CorrectedTTest",
    "CostInterval",
    "CostSensitiveClassifier",
    "DriftMonitor",
    "Interval",
    "MeanInterval",
    "OutOfFold",
    "PairedABTest",
    "calibration_error",
    "check_cost_matrix",
    "class_counts",
    "combined_ftest_5x2",
    "compare",
    "compare_classifiers",
    "correct_prevalence",
    "corrected_paired_ttest",
    "cost_interval",
    "cost_score",
    "cost_template",
    "cross_val_predictions",
    "d2_brier",
    "d2_log_loss",
    "expected_cost_decision",
    "expected_costs",
    "flip_table",
    "holm",
    "mean_interval",
    "parts_needed",
    "parts_needed_range",
    "per_part_ttest",
    "prevalence_weights",
    "reliability",
    "suspect_labels",
    "trivial_policies",
    "wilson",
]
