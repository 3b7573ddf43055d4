"""Additive models: a curve for each feature, and a few pairs, smoothed by leave-one-out.

Pieces of one column (``_pieces``) and of all (``_features``); what may be added to curves
(``_screening``) and what leave-one-out keeps (``_search``); monotone curves (``_monotone``); the
classifier (``_classifier``) and what it says of its curves (``_curves``, ``_plot``).
"""

from ._classifier import AdditiveClassifier
from ._features import AdditiveFeatures

__all__ = ["AdditiveClassifier", "AdditiveFeatures"]
