"""Reading files of parts, cost tables and shares, and writing results."""

from ._labels import rare_class_notes
from ._notes import Note, account, did_you_mean, listed
from ._parts import Parts, read_parts, shipped_parts
from ._preprocess import preprocessor
from ._small_tables import Costs, Shares, check_classes, read_costs, read_shares
from ._sources import shown
from ._writing import check_outputs, table_text, write_text

__all__ = [
    "Costs",
    "Note",
    "Parts",
    "Shares",
    "account",
    "check_classes",
    "check_outputs",
    "did_you_mean",
    "listed",
    "preprocessor",
    "rare_class_notes",
    "read_costs",
    "read_parts",
    "read_shares",
    "shipped_parts",
    "shown",
    "table_text",
    "write_text",
]
