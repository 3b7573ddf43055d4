"""The private names of scikit-learn that its own template for classifiers uses, in one place."""

from functools import cache

from sklearn.base import _fit_context as fit_context
from sklearn.utils._array_api import _convert_to_numpy as convert_to_numpy
from sklearn.utils._array_api import _max_precision_float_dtype as largest_float
from sklearn.utils._array_api import device as device_of
from sklearn.utils._array_api import get_namespace
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "NamesOnce",
    "StrOptions",
    "check_sample_weight",
    "convert_to_numpy",
    "device_of",
    "fit_context",
    "get_namespace",
    "largest_float",
]


class NamesOnce:
    """An estimator whose parameters' names are read from its signature once, not in every call.

    scikit-learn asks for them a dozen times in a fit, which shows where there are few rows.
    """

    @classmethod
    @cache
    def _get_param_names(cls):
        return super()._get_param_names()
