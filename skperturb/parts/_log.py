"""Columns of a file as they stand, such as those of a log of decisions."""

from collections.abc import Sequence
from os import PathLike

import numpy as np
import pandas as pd

from ._columns import ColumnReader
from ._notes import Note, did_you_mean, listed
from ._sources import open_source
from ._table import Table


def read_log(
    path: str | PathLike,
    columns: Sequence[str],
    *,
    encoding: str | None = None,
    sheet: str | int | None = None,
) -> tuple[pd.DataFrame, np.ndarray, list[Note]]:
    """Read some columns of a file as text.

    Parameters
    ----------
    path : str or path
        A file as ``read_parts`` reads it.
    columns : sequence of str
        Their names.
    encoding, sheet : str, default=None
        As for ``read_parts``.

    Returns
    -------
    (DataFrame, ndarray, list of Note)
        The columns, without spaces at both ends, "" where a cell is empty; the line of the file
        in which each row begins; and what was noted.

    Raises
    ------
    ValueError
        If the file cannot be read, or lacks a column.
    """
    # A column that the file lacks is to be said with the columns that it has.
    table = Table(open_source(path, encoding, sheet), None)
    for name in columns:
        if name not in table.names:
            raise ValueError(
                f"{table.name} has no column {name!r}; its columns are {listed(table.names)}"
                f"{did_you_mean(name, table.names) or '.'}"
            )
    reader = ColumnReader([table])
    found = {name: reader.text(name).fillna("").astype(str) for name in columns}
    notes = [note for note in table.notes if note.column is None and note.kind != "decimal"]
    return pd.DataFrame(found, columns=list(columns)), reader.lines, notes
