"""Noise families: the distribution of what is added to each class score.

A family is a subclass of :class:`Noise` that writes down a few functions of its
standard member (location 0, scale 1) and the facts about its law that differ from the
default. Everything else in the library, from the quadrature to the classifiers, is derived
from those.
"""

from typing import TYPE_CHECKING

from ._base import Noise as Noise
from ._discrete import Discrete as Discrete
from ._families import FAMILIES
from ._law import SMALLEST_TAIL as SMALLEST_TAIL
from ._law import Law as Law
from ._law import has_thin_tails as has_thin_tails
from ._law import interquartile_range as interquartile_range
from ._names import as_noise as as_noise
from ._scipy import ScipyNoise as ScipyNoise
from ._scipy import from_scipy as from_scipy

if TYPE_CHECKING:  # what the lines below do, for a type checker
    from ._families import *  # noqa: F403
else:
    _exported = {family.__name__: family for family in FAMILIES.values()}
    globals().update(_exported)
    # A saved model names the class by its public address, wherever the class is defined.
    for _class in (*_exported.values(), Discrete, Noise, ScipyNoise):
        _class.__module__ = __name__
    __all__ = sorted([*_exported, "Discrete", "Noise", "ScipyNoise", "as_noise", "from_scipy"])
