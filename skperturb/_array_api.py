"""Arrays of torch, CuPy and others, if scikit-learn is told to dispatch: to NumPy and back."""

from functools import wraps

import numpy as np
from sklearn import get_config

from ._sklearn import convert_to_numpy, device_of, get_namespace, largest_float
from ._warnings import warn_user

_said: set[str] = set()  # namespaces that a warning has named in this process


def as_numpy(array):
    """An array of another namespace in NumPy, in the memory of the CPU; anything else as it is."""
    xp = _other_namespace(array)
    if xp is None:
        return array
    if xp.__name__ not in _said:
        _said.add(xp.__name__)
        name = xp.__name__.rpartition(".")[2]
        warn_user(
            f"The data are arrays of {name}. skperturb computes on the CPU, with NumPy: they are "
            f"copied there, and predictions are returned as arrays of {name} on the device of X.",
            UserWarning,
        )
    if hasattr(array, "detach"):
        array = array.detach()
        # NumPy has no type for it.
        array = array.float() if str(array.dtype) == "torch.bfloat16" else array
    return convert_to_numpy(array, xp)


def like_input(method):
    """A method of X that returns an array of X's namespace, on X's device.

    Labels that are text or other objects are returned as NumPy arrays: no other namespace has them.
    """

    @wraps(method)
    def of_any_array(self, X):
        xp = _other_namespace(X)
        if xp is None:
            return method(self, X)
        result, device = method(self, as_numpy(X)), device_of(X)
        if result.dtype.kind not in "biuf":
            return result
        dtype = largest_float(xp, device) if result.dtype == np.float64 else None
        return xp.asarray(result, dtype=dtype, device=device)

    return of_any_array


def _other_namespace(array):
    """The namespace of an array that is not NumPy's; None if there is none."""
    if isinstance(array, np.ndarray) or not get_config()["array_api_dispatch"]:
        return None
    if not (hasattr(array, "__array_namespace__") or type(array).__module__ == "torch"):
        return None
    return get_namespace(array)[0]
