"""Noise by name."""

from numbers import Real

import numpy as np
from sklearn.base import clone

from ._base import Noise
from ._families import (
    Cauchy,
    Exponential,
    Gaussian,
    Gumbel,
    GumbelMin,
    Laplace,
    Logistic,
    StudentT,
    Uniform,
)
from ._scipy import from_scipy

_BY_NAME = {
    "cauchy": Cauchy,
    "exponential": Exponential,
    "gaussian": Gaussian,
    "gumbel": Gumbel,
    "gumbel_min": GumbelMin,
    "laplace": Laplace,
    "logistic": Logistic,
    "student_t": StudentT,
    "uniform": Uniform,
}


def as_noise(noise, noise_scale=1.0):
    """Turn a name or a noise object into a noise object of the asked scale.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats
        A family's name ("gaussian", "gumbel", "gumbel_min", "logistic", "laplace",
        "student_t", "cauchy", "uniform", "exponential") or an object of this module.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale.

    Returns
    -------
    Noise
        A new object; the one handed in is left as it is.

    Raises
    ------
    ValueError
        If the name is unknown, the object is no noise, or the scale that results is
        not positive and finite.

    Examples
    --------
    >>> from skperturb.noise import as_noise
    >>> as_noise("gaussian", noise_scale=2.0)
    Gaussian(scale=2.0)
    """
    if isinstance(noise, str):
        if noise not in _BY_NAME:
            raise ValueError(f"noise={noise!r} is not known; use one of {sorted(_BY_NAME)}.")
        noise = _BY_NAME[noise]()
    elif isinstance(noise, Noise):
        noise = clone(noise)
    elif hasattr(noise, "dist"):
        noise = from_scipy(noise)
    else:
        raise ValueError(
            f"noise must be a name in {sorted(_BY_NAME)}, an object of skperturb.noise or a "
            f"frozen continuous distribution of scipy.stats, got {noise!r}."
        )
    if not (isinstance(noise.scale, Real) and isinstance(noise_scale, Real)):
        raise ValueError(
            f"The scale of the noise must be a number, got {noise} and {noise_scale!r}."
        )
    noise._check_parameters()
    scale = noise.scale * noise_scale
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(
            f"The scale of the noise must be positive and finite, got {noise} "
            f"times noise_scale={noise_scale!r}."
        )
    return noise.set_params(scale=scale)
