"""Was it worth it? Comparison of classifiers on the same folds, ours or anybody's."""

from . import stats
from ._comparison import Comparison, compare_classifiers
from ._cross_validation import OutOfFold, cross_val_predictions

__all__ = [
    "Comparison",
    "OutOfFold",
    "compare_classifiers",
    "cross_val_predictions",
    "stats",
]
