"""How sure a fit is of its coefficients and probabilities: what the classifiers' methods return.

Maximum likelihood theory, hence for fits without a penalty; the bootstrap is for the others, too.
Nothing of it is computed in a fit: all starts from the record that a fit leaves (``_fit_data``).
"""

from ._bootstrap import BootstrapResult
from ._coefficient_methods import CoefficientInference
from ._effects import MarginalEffects
from ._fit_data import check_same_data as check_same_data
from ._fit_data import check_unchanged as check_unchanged
from ._fit_data import known_objective as known_objective
from ._likelihood_ratio import LikelihoodRatioTest, likelihood_ratio_test
from ._noise_profile import NoiseInference, NoiseProfile
from ._prediction_methods import PredictionInference
from ._profile import ProfileInterval
from ._wald import WaldTest

__all__ = [
    "BootstrapResult",
    "LikelihoodRatioTest",
    "MarginalEffects",
    "NoiseProfile",
    "ProfileInterval",
    "WaldTest",
    "likelihood_ratio_test",
]


class InferenceMixin(CoefficientInference, PredictionInference, NoiseInference):
    """All that a classifier can say of how sure it is."""
