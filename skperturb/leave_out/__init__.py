"""Predictions of rows that a fit has not seen, without fitting it again for each.

The numbers: a minimum (``_minimum``), a step from it without each row or lot (``_steps``), exact
refits where that is not enough (``_refits``), and both together (``_left_out``). In front of them,
what cannot be left out (``_guards``), the method of the classifiers (``_methods``) and its result.
"""

from ._guards import Units as Units
from ._guards import check_classes as check_classes
from ._guards import check_size as check_size
from ._guards import lone_classes as lone_classes
from ._guards import lots_of as lots_of
from ._left_out import leave_out as leave_out
from ._methods import LeaveOutMethods as LeaveOutMethods
from ._methods import workable as workable
from ._minimum import Minimum as Minimum
from ._result import Estimate, LeaveOneOut
from ._result import mean_with_error as mean_with_error
from ._result import measure as measure

__all__ = ["Estimate", "LeaveOneOut"]
