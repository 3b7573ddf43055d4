"""What a saved classifier consists of, for programs that load only what they are told to trust.

The page "Saving and serving" of the documentation shows how.
"""

from typing import Any

from . import noise
from .classifiers import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from .models import PerturbArgmax, PerturbSoftmax

__all__ = ["TRUSTED_TYPES"]


_SAVED: tuple[Any, ...] = (
    PerturbArgmaxClassifier,
    PerturbSoftmaxClassifier,
    PerturbArgmax,
    PerturbSoftmax,
    noise.Discrete,
    noise.ScipyNoise,
    *noise.FAMILIES.values(),
)

#: Names of the types of which skops and mlflow ask whether you trust them: the classifiers, their
#: models, and the noise of this library. A distribution of scipy.stats has types of scipy's, too.
TRUSTED_TYPES: list[str] = sorted(f"{c.__module__}.{c.__qualname__}" for c in _SAVED)
