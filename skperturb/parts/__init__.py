"""Reading files of parts, cost tables and shares, and writing results."""

from ._notes import Note, account
from ._parts import Parts, read_parts

__all__ = ["Note", "Parts", "account", "read_parts"]
