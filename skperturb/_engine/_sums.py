"""Which of the two sets of sums over tables is in use: the compiled one where it was built.

The environment variable ``SKPERTURB_COMPILED=0``, read at import, chooses the other, to compare.
"""

import os
from importlib.util import find_spec

from . import _sums_numpy

# An extension that is there but does not load is an error, not a reason to be slow without a word.
COMPILED = os.environ.get("SKPERTURB_COMPILED") != "0" and bool(find_spec(f"{__package__}._sums_c"))
if COMPILED:
    from . import _sums_c as sums
else:
    sums = _sums_numpy
