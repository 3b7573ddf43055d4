"""Tables for arithmetic on another device, as precise as its numbers are.

Rows that none of them reaches are left to the kernel. In single precision a table that is right to
3e-7 suffices: it has a third to a tenth of the numbers.
"""

from functools import partial

import numpy as np

from .._cache import cache, remembered
from ._heavy_table import TARGETS, build_heavy_table, reaches
from ._interpolant import tabulated_law
from ._table import NotTabulableError, class_tier
from ._thin_table import TARGET, build_thin_table

_SINGLE = 3e-7  # error of log p in single precision


class PortableTables:
    """Tables of a law.

    Parameters
    ----------
    law : Law
        Of scale 1.
    tier : int
        See ``_table.class_tier``.
    single : bool
        Whether single precision suffices.

    Attributes
    ----------
    thin : bool
        Whether a row needs a table that reaches the class asked for only, and not all classes.
    reaches : ndarray of shape (n_levels,)
        How far below the best a class may be.
    key : tuple
        What makes two of them the same tables.

    Raises
    ------
    NotTabulableError
        If the law has no table.
    """

    def __init__(self, law, tier, single):
        self._law, self.thin = tabulated_law(law)
        self._tier, self._single = tier, single
        self.key = "portable", law.key(), tier, single
        first = self.table(0)
        if first is None:
            raise NotTabulableError
        self.reaches = np.array([first.reach]) if self.thin else reaches(self._law)

    def table(self, level):
        """The table of a level; None if there is none that is small enough."""
        return cache.get((*self.key, level), partial(self._build, level))

    def _build(self, level):
        try:
            if self.thin:
                target = _SINGLE if self._single else TARGET
                return build_thin_table(self._law, self._tier, target=target)
            targets = (_SINGLE,) if self._single else TARGETS
            return build_heavy_table(self._law, self._tier, level, targets)
        except NotTabulableError:
            return None


@remembered
def _tables(law, tier, single):
    try:
        return PortableTables(law, tier, single)
    except NotTabulableError:
        return None


def portable_tables(law, n_classes, single):
    """The tables of a law's standard member for so many classes; None if it has none.

    Parameters
    ----------
    law : Law
    n_classes : int
    single : bool

    Returns
    -------
    PortableTables or None
    """
    if law.closed_form or law.discrete or law.branches:
        return None
    return _tables(law.standard(), class_tier(n_classes), single)
