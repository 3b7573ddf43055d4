"""Noise by name."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone

from ._base import Noise
from ._families import FAMILIES
from ._scipy import from_scipy


def as_noise(noise: Any, noise_scale: float = 1.0) -> Noise:
    """Turn a name or a noise object into a noise object of the asked scale.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats
        A name from the list in the notes, or an object of :mod:`skperturb.noise`.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale.

    Returns
    -------
    Noise
        A new object; the argument is not changed.

    Raises
    ------
    ValueError
        If the name is unknown, the object is no noise, or the scale that results is
        not positive and finite.

    Notes
    -----
    The names and their families:

    {families}

    Examples
    --------
    >>> from skperturb.noise import as_noise
    >>> as_noise("gaussian", noise_scale=2.0)
    Gaussian(scale=2.0)
    """
    if isinstance(noise, str):
        if noise not in FAMILIES:
            raise ValueError(f"noise={noise!r} is not known; use one of {sorted(FAMILIES)}.")
        noise = FAMILIES[noise]()
    elif isinstance(noise, Noise):
        noise = clone(noise)
    elif hasattr(noise, "dist"):
        noise = from_scipy(noise)
    else:
        raise ValueError(
            f"noise must be a name in {sorted(FAMILIES)}, an object of skperturb.noise or a "
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


def _listed():
    return "\n    ".join(f'- "{name}": :class:`{cls.__name__}`' for name, cls in FAMILIES.items())


if as_noise.__doc__:  # python -OO leaves docstrings out
    as_noise.__doc__ = as_noise.__doc__.replace("{families}", _listed())
