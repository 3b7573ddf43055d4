"""A law and scores in, probabilities and derivatives out."""

from ._convolution import convolution as gumbel_convolution
from ._interpolant import interpolant
from ._inverse import descend, invert
from ._kernels import expected_information, make_kernel
from ._portable import portable_tables
from ._sums import COMPILED
from ._table import ORDER as TABLE_ORDER
from ._translation import LARGEST_SCORE

__all__ = [
    "COMPILED",
    "LARGEST_SCORE",
    "TABLE_ORDER",
    "descend",
    "expected_information",
    "gumbel_convolution",
    "interpolant",
    "invert",
    "make_kernel",
    "portable_tables",
]
