"""Which of the two sets of loops over tables is in use: the compiled one where it was built.

``sums`` are those for any number of classes, ``two`` those for two. ``cells`` are the integrals of
``_cells``; without a compiler it is None, and ``_row_mesh`` takes its place.

The environment variable ``SKPERTURB_COMPILED=0``, read at import, chooses the other, to compare.
"""

import os
from importlib import import_module
from importlib.util import find_spec

_NAME = f"{__package__}._sums_c"

# An extension that is there but does not load is an error, not a reason to be slow without a word.
COMPILED = os.environ.get("SKPERTURB_COMPILED") != "0" and find_spec(_NAME) is not None
_SUFFIX = "_c" if COMPILED else "_numpy"
sums = import_module(f"{__package__}._sums{_SUFFIX}")
two = import_module(f"{__package__}._two{_SUFFIX}")
cells = import_module(f"{__package__}._cells_c") if COMPILED else None
