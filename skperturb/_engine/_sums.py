"""Which of the two sets of sums over tables is in use: the compiled one where it was built.

The environment variable ``SKPERTURB_COMPILED=0``, read at import, chooses the other, to compare.
"""

import os

from . import _sums_numpy as _quadrature

try:
    if os.environ.get("SKPERTURB_COMPILED") == "0":
        raise ImportError
    from . import _sums_c as sums
except ImportError:
    sums = _quadrature

COMPILED = sums is not _quadrature
