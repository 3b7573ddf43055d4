"""What a saved classifier consists of, for programs that load only what they are told to trust.

The page "Saving and serving" of the documentation shows how.
"""

from . import noise
from .classifiers import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from .models import PerturbArgmax, PerturbSoftmax

__all__ = ["TRUSTED_TYPES"]


#: Names of the types of which skops and mlflow ask whether you trust them: the classifiers, their
#: models, and the noise of this library. A distribution of scipy.stats has types of scipy's, too.
TRUSTED_TYPES: list[str] = sorted(
    f"{saved.__module__}.{saved.__qualname__}"
    for saved in (
        PerturbArgmaxClassifier,
        PerturbSoftmaxClassifier,
        PerturbArgmax,
        PerturbSoftmax,
        noise.Discrete,
        noise.ScipyNoise,
        *noise.FAMILIES.values(),
    )
)
