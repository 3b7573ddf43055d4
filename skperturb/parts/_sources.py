"""From a path to text or to a table of Parquet: files, gzip, standard input, sheets of Excel."""

import csv
import datetime
import gzip
import os
import re
import sys
import zipfile
import zlib
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO, StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from ._encoding import decode
from ._notes import Note, did_you_mean, listed

_EXCEL_NEEDS = "{} is an Excel file; reading it needs openpyxl: pip install 'skperturb[excel]'."
PARQUET_NEEDS = "{} is a Parquet file; reading it needs pyarrow: pip install 'skperturb[parquet]'."
_BINARY = (
    (b"\xd0\xcf\x11\xe0", "an Excel file of the old kind (.xls): save it as .xlsx or 'CSV UTF-8'"),
    (b"%PDF", "a PDF file: export the table as CSV"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"SQLite format 3\0", "an SQLite database: read it with pandas.read_sql and save a CSV file"),
)
# Of the zip archive that an Excel file is; and a formula whose value no program has stored: that of
# a text (t="str") may be empty.
_PAGE = re.compile(r"xl/worksheets/[^/]+\.xml")
_NO_VALUE = re.compile(
    rb'<c (?![^>]*t="str")[^>]*>\s*<f[^>]*(/>|>[^<]*</f>)\s*(<v\s*/>|<v></v>)?\s*</c>'
)


@dataclass
class Source:
    r"""What a file holds before it is laid out: text, or a frame with types of its own.

    ``text`` is CSV text with "\n" line ends. ``sheet`` says that its records are the rows of a
    sheet, separated by commas, with decimal points.
    """

    name: str
    text: str | None = None
    frame: pd.DataFrame | None = None
    sheet: bool = False
    notes: list[Note] = field(default_factory=list)


def shown(path: object) -> str:
    """Return the name of a file as text that every terminal and file format can take."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def open_source(path: Any, encoding: str | None = None, sheet: str | int | None = None) -> Source:
    """Read one file, whatever its format.

    Raises
    ------
    ValueError
        If there is no such file or it holds no table; one sentence that says why.
    """
    name = "standard input" if str(path) == "-" else shown(path)
    return source_of(_content(path, name), name, encoding, sheet)


def source_of(content: bytes, name: str, encoding: str | None, sheet: str | int | None) -> Source:
    """Return what the bytes of one file hold, as :func:`open_source` does."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise ValueError(f"{name} is a damaged gzip file.") from None
    if content[:4] == b"PAR1":
        return _parquet(content, name)
    if content[:4] == b"PK\x03\x04":
        return _excel(content, name, sheet)
    for magic, what in _BINARY:
        if content.startswith(magic):
            raise ValueError(f"{name} is not a CSV file but {what}.")
    if sheet is not None:
        raise ValueError(f"--sheet names a sheet of an Excel file, but {name} is none.")
    if not content or content.isspace():
        raise ValueError(f"{name} is empty.")
    text, taken, doubt = decode(content, encoding, name)
    # DOS programs end files with Ctrl-Z; an old Mac ends lines with a carriage return.
    text = text.rstrip("\x1a\0")
    if "\r" in text:
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise ValueError(f"{name} is not a CSV file: it holds binary data.")
    if not text or text.isspace():
        raise ValueError(f"{name} is empty.")
    notes = []
    if encoding is None and taken != "UTF-8":
        other = " (--encoding names another one)" if taken.isascii() and taken.islower() else ""
        notes.append(Note("encoding", None, (), f"the file is read as {taken}{doubt}{other}"))
    return Source(name, text=text, notes=notes)


def _content(path, name):
    if str(path) == "-":
        return getattr(sys.stdin, "buffer", sys.stdin).read()
    with read_bytes(path, name) as file:
        return file.read()


def read_bytes(path: Any, name: str) -> BufferedReader:
    """Open a file to read its bytes; one sentence if that cannot be done."""
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise ValueError(f"There is no file {name}{_neighbour(path)}.") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}.") from None
    except ValueError:  # a null character in the name
        raise ValueError(f"{name!r} is not the name of a file.") from None


def _neighbour(path):
    """A file beside the one asked for whose name resembles it."""
    try:
        names = os.listdir(os.path.dirname(path) or ".")
    except (OSError, ValueError):
        return ""
    return did_you_mean(shown(os.path.basename(path)), map(shown, names)).rstrip("?")


def _parquet(content, name):
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ValueError(PARQUET_NEEDS.format(name)) from None
    try:
        frame = pd.read_parquet(BytesIO(content), engine="pyarrow", dtype_backend="numpy_nullable")
    except Exception as error:  # whatever a damaged file makes pyarrow or pandas raise
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise ValueError(f"{name} is a Parquet file that cannot be read: {reason}.") from None
    return Source(name, frame=frame.reset_index(drop=isinstance(frame.index, pd.RangeIndex)))


def _excel(content, name, sheet):
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise ValueError(f"{name} is a damaged zip archive or Excel file.") from None
    if "xl/workbook.xml" not in members:
        what = "an OpenDocument file" if "mimetype" in members else "a zip archive"
        raise ValueError(f"{name} is not a CSV file but {what}: save the table as CSV UTF-8.")
    try:
        import openpyxl
    except ImportError:
        raise ValueError(_EXCEL_NEEDS.format(name)) from None
    try:
        # Read whole, which takes longer, only where it is needed: the quick way knows no ranges.
        merged, bare = _of_pages(content)
        book = openpyxl.load_workbook(BytesIO(content), read_only=not merged, data_only=True)
        title, note = _sheet_title(book, sheet, name)
        rows = [list(row) for row in book[title].iter_rows(values_only=True)]
        note += _fill_merged(rows, book[title].merged_cells.ranges) if merged else []
        book.close()
        if bare:
            book = openpyxl.load_workbook(BytesIO(content), read_only=True)
            note += _without_values(rows, book[title].iter_rows(values_only=True))
            book.close()
        rows = [_cells(row) for row in rows]
    except ValueError as error:
        if isinstance(error, _SheetError):
            raise
        raise ValueError(f"{name} is an Excel file that cannot be read: {error}.") from None
    except Exception as error:  # whatever a damaged file makes openpyxl raise
        raise ValueError(
            f"{name} is an Excel file that cannot be read ({type(error).__name__}): save the sheet "
            "as 'CSV UTF-8'."
        ) from None
    if not any(rows):
        raise ValueError(f"Sheet {title!r} of {name} is empty.")
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return Source(name, text=text.getvalue(), sheet=True, notes=note)


def _of_pages(content):
    """Whether any sheet has merged cells, and whether any has a formula without a value."""
    merged = bare = False
    with zipfile.ZipFile(BytesIO(content)) as archive:
        for name in filter(_PAGE.fullmatch, archive.namelist()):
            page = archive.read(name)
            merged = merged or b"<mergeCell " in page
            bare = bare or _NO_VALUE.search(page) is not None
    return merged, bare


def _fill_merged(rows, ranges):
    """Give each cell of a column that is merged below the header the value of the first."""
    header = next((i for i, row in enumerate(rows, 1) if any(cell is not None for cell in row)), 0)
    filled = []
    for cells in sorted(ranges, key=lambda cells: (cells.min_col, cells.min_row)):
        if header < cells.min_row < cells.max_row:
            value = rows[cells.min_row - 1][cells.min_col - 1]
            for row in rows[cells.min_row : cells.max_row]:
                row[cells.min_col - 1] = value
            filled.append(cells)
    if not filled:
        return []
    count = sum(cells.max_row - cells.min_row for cells in filled)
    text = f"merged cells have the value of the first of them: {count}, such as {filled[0].coord}"
    return [Note("merged", None, (), text)]


def _without_values(rows, formulas):
    """Say which formulas have no value that a program has stored."""
    bare = [
        (i, str(formula))
        for i, (row, of_row) in enumerate(zip(rows, formulas, strict=False), 1)
        for cell, formula in zip(row, of_row, strict=False)
        if cell is None and str(formula or "").startswith("=")
    ]
    if not bare:
        return []
    row, formula = bare[0]
    text = (
        f"WARNING: formulas without a stored value are read as empty: {len(bare)}, such as "
        f"{formula!r} in row {row}; open the file in a spreadsheet program and save it"
    )
    return [Note("formulas", None, (), text)]


class _SheetError(ValueError):
    pass


def _sheet_title(book, sheet, name):
    titles = [page.title for page in book.worksheets]
    if sheet is None:
        if len(titles) == 1:
            return titles[0], []
        text = f"the sheet {titles[0]!r} is read, the first of {listed(titles)} (--sheet)"
        return titles[0], [Note("sheet", None, (), text)]
    if sheet in titles:
        return sheet, []
    if str(sheet).isdecimal() and 1 <= int(sheet) <= len(titles):
        return titles[int(sheet) - 1], []
    raise _SheetError(
        f"{name} has no sheet {sheet!r}; its sheets are {listed(titles)}"
        f"{did_you_mean(str(sheet), titles) or '.'}"
    )


def _cells(row):
    """The cells of a row as text, without the empty ones at its end."""
    cells = [_as_text(value) for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _as_text(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return str(value).replace("\r\n", "\n").replace("\r", "\n").replace("_x000D_", "")
