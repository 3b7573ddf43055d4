"""Classifiers whose class probabilities come from noise on the scores, computed exactly."""

from ._cache import cache
from ._version import __version__
from ._versions import show_versions
from .classifiers import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from .model_selection import PerturbArgmaxClassifierCV, PerturbSoftmaxClassifierCV
from .models import PerturbArgmax, PerturbSoftmax

__all__ = [
    "PerturbArgmax",
    "PerturbArgmaxClassifier",
    "PerturbArgmaxClassifierCV",
    "PerturbSoftmax",
    "PerturbSoftmaxClassifier",
    "PerturbSoftmaxClassifierCV",
    "__version__",
    "cache",
    "show_versions",
]
