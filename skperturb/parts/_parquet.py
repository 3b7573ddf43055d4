"""Parquet files in batches of rows, so that they need not fit into memory."""

import os
from glob import glob, has_magic

import pandas as pd

from ._sources import PARQUET_NEEDS, read_bytes, shown

_ROWS = 16_384  # of a batch
_BUFFER = 1 << 16  # bytes of each column that are read at a time, not the whole row group
_KIND = ".parquet"
# A single file is read as a whole, if its values in double precision are less than this share of
# the memory: reading and fitting keep several copies.
_SHARE = 1 / 8
_USUAL_MEMORY = 8 << 30  # bytes, where a system does not say how much it has


def row_batches(path, name, wanted=None):
    """Yield (data frame, names of all columns of the file) of each batch of rows.

    Texts come as categories, so that each is looked at once, and whole numbers with gaps stay
    whole. A file without rows gives one frame without rows.

    Parameters
    ----------
    path : str or path
    name : str
        Of the file, in sentences.
    wanted : collection of str or None
        The columns to read; None for all.

    Raises
    ------
    ValueError
        If pyarrow is missing, or the file cannot be read.
    """
    with opened(path, name) as file:
        names = [str(one).strip() for one in file.schema_arrow.names]
        columns = None
        if wanted is not None and len(set(names)) == len(names):
            columns = [one for one in file.schema_arrow.names if one.strip() in wanted]
        if not file.metadata.num_rows:
            yield pd.DataFrame(columns=columns or names, dtype=object), names
            return
        batches = file.iter_batches(_ROWS, columns=columns, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                frame = _frame(batch)
            except Exception as error:  # whatever a damaged file makes pyarrow raise
                raise ValueError(_cannot(name, error)) from None
            yield frame, names


def _frame(batch):
    import pyarrow as pa

    columns = []
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.dictionary_encode()
        columns.append(column)
    table = pa.Table.from_arrays(columns, names=batch.schema.names)
    whole = {
        getattr(pa, f"{sign}int{bits}")(): getattr(pd, f"{sign.upper()}Int{bits}Dtype")()
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    }
    types = {**whole, pa.bool_(): pd.BooleanDtype()}
    return table.to_pandas(types_mapper=types.get, ignore_metadata=True, use_threads=False)


def opened(path, name):
    """An open Parquet file of pyarrow; one sentence if there is none."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise ValueError(PARQUET_NEEDS.format(name)) from None
    read_bytes(path, name).close()  # which says what is wrong, if there is no such file
    try:
        return parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
    except Exception as error:  # whatever a damaged file makes pyarrow raise
        raise ValueError(_cannot(name, error)) from None


def _cannot(name, error):
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return f"{name} is a Parquet file that cannot be read: {reason}."


def parquet_files(paths, sized=True):
    """The Parquet files that folders, patterns and names stand for, if they are to be read so.

    Parameters
    ----------
    paths : sequence of str
    sized : bool, default=True
        Whether a single file is read so, too, if it is large for the memory of this machine.

    Returns
    -------
    list of str or None
        None if there is neither a folder nor a pattern, and no more than one Parquet file.

    Raises
    ------
    ValueError
        If there is no Parquet file, or another file beside some.
    """
    found, several = [], False
    for path in map(str, paths):
        if os.path.isdir(path):
            inside = sorted(glob(os.path.join(path, "**", f"*{_KIND}"), recursive=True))
            if not inside:
                raise ValueError(f"The folder {shown(path)} holds no {_KIND} file.")
        elif has_magic(path) and not os.path.exists(path):
            inside = sorted(glob(path, recursive=True))
            if not inside:
                raise ValueError(f"No file has a name like {shown(path)!r}.")
        else:
            found.append(path)
            continue
        several = True
        found += inside
    others = [path for path in found if not path.lower().endswith(_KIND)]
    if not several and (others or len(found) < 2):
        return found if sized and not others and found and _is_large(found[0]) else None
    if others:
        raise ValueError(
            f"Folders, patterns and several files are read in blocks if all are {_KIND} files, but "
            f"{shown(others[0])!r} is none: name that file alone."
        )
    twice = next((path for path in found if found.count(path) > 1), None)
    if twice is not None:
        raise ValueError(f"The file {shown(twice)} is named twice.")
    return found


def _is_large(path):
    """Whether the values of a file, in double precision, take too much of the memory."""
    if not os.path.isfile(path):
        return False  # which is refused with a better sentence
    with opened(path, shown(path)) as file:
        size = 8 * file.metadata.num_rows * file.metadata.num_columns
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        memory = _USUAL_MEMORY
    return size > _SHARE * memory
