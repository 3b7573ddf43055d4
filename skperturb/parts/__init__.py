"""Reading files of parts, cost tables and shares, and writing results."""

from ._blocks import Block as Block
from ._blocks import BlockReader
from ._labels import rare_class_notes as rare_class_notes
from ._log import read_log as read_log
from ._notes import Note, account
from ._notes import counted as counted
from ._notes import did_you_mean as did_you_mean
from ._notes import listed as listed
from ._parquet import parquet_files as parquet_files
from ._part_files import PartFiles as PartFiles
from ._part_files import read_part_files as read_part_files
from ._parts import Parts, read_parts, shipped_parts
from ._preprocess import preprocessor
from ._schema import FeatureColumn
from ._small_tables import Costs, Shares, read_costs, read_shares
from ._small_tables import check_classes as check_classes
from ._writing import check_outputs as check_outputs
from ._writing import frame_text as frame_text
from ._writing import stream_text as stream_text
from ._writing import table_text as table_text
from ._writing import write_bytes as write_bytes
from ._writing import write_text as write_text

# What the commands need besides is imported under its own name, but is no public name.
__all__ = [
    "BlockReader",
    "Costs",
    "FeatureColumn",
    "Note",
    "Parts",
    "Shares",
    "account",
    "preprocessor",
    "read_costs",
    "read_parts",
    "read_shares",
    "shipped_parts",
]
