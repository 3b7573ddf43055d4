"""Old address of names that are now imported from ``skperturb.evaluation``."""

from ._deprecation import moved_module

__getattr__ = moved_module(__name__)
