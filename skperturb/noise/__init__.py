"""Noise families: the distribution of what is added to each class score.

A family is a subclass of :class:`Noise` that writes down five functions of its
standard member (location 0, scale 1) and the facts about its shape that differ from the
default. Everything else in the library, from the quadrature to the classifiers, is derived
from those.
"""

from ._base import Noise
from ._base import has_thin_tails as has_thin_tails
from ._base import interquartile_range as interquartile_range
from ._discrete import Discrete
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
from ._names import as_noise
from ._scipy import ScipyNoise, from_scipy

__all__ = [
    "Cauchy",
    "Discrete",
    "Exponential",
    "Gaussian",
    "Gumbel",
    "GumbelMin",
    "Laplace",
    "Logistic",
    "Noise",
    "ScipyNoise",
    "StudentT",
    "Uniform",
    "as_noise",
    "from_scipy",
]
