"""A file in blocks of whole records, so that it need not fit into memory."""

import codecs
import csv
import gzip
import io
import sys
import zlib
from contextlib import nullcontext
from dataclasses import dataclass, replace
from io import StringIO

import pandas as pd

from ._encoding import decode
from ._layout import Within
from ._notes import Note
from ._parquet import row_batches
from ._records import find_separator, first_records, records_of
from ._sources import Source, read_bytes, shown, source_of

# Bytes by which the encoding is found, and bytes read at a time after them.
_HEAD, _PIECE = 1 << 24, 1 << 22
# Characters of a block, and of a rest that is too short to be one.
_BLOCK, _REST = 6_000_000, 100_000
_ROWS = 50_000  # of a block of a table that has no text
_MAGIC = (b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"7z\xbc\xaf", b"SQLi")
_CODECS = {"UTF-8": "utf-8-sig", "UTF-16": "utf-16", "UTF-32": "utf-32"}


@dataclass
class Piece:
    """A block of a file: text below its header, or rows of a frame.

    Attributes
    ----------
    source : Source
        Whose text begins with the header.
    within : Within or None
        Where the block lies; None for a frame.
    start : int
        Rows of the frame before it.
    names : list of str or None
        All columns of the file, where the frame has some of them.
    """

    source: Source
    within: Within | None
    start: int = 0
    names: list[str] | None = None


def pieces_of(path, names, encoding=None, sheet=None, wanted=None):
    """Yield the blocks of a file.

    Parameters
    ----------
    path : str or path
        As for ``open_source``.
    names : list of str
        Columns by which the header is found: it is the line that has most of them.
    encoding, sheet : str or None
    wanted : collection of str or None
        The columns that are needed of a Parquet file; None for all.

    Yields
    ------
    Piece

    Raises
    ------
    ValueError
        As ``open_source`` does.
    """
    name = "standard input" if str(path) == "-" else shown(path)
    if str(path) == "-":
        file = io.BufferedReader(getattr(sys.stdin, "buffer", sys.stdin))
        opened = nullcontext()
    else:
        opened = file = read_bytes(path, name)
    with opened:
        head = file.peek(8)[:8]
        if head.startswith(b"PAR1") and str(path) != "-" and sheet is None:
            start = 0
            for frame, columns in row_batches(path, name, wanted):
                yield Piece(Source(name, frame=frame), None, start, columns)
                start += len(frame)
            return
        if head.startswith(_MAGIC) or (sheet is not None and head[:2] != b"\x1f\x8b"):
            yield from _whole(source_of(file.read(), name, encoding, sheet), names)
            return
        try:
            raw = gzip.GzipFile(fileobj=file) if head[:2] == b"\x1f\x8b" else file
            yield from _of_text(name, raw, names, encoding)
        except (OSError, EOFError, zlib.error):
            raise ValueError(f"{name} is a damaged gzip file, or cannot be read.") from None


def _whole(source, names):
    """Blocks of what was read as a whole: a sheet, or a table with types of its own."""
    if source.frame is None:
        yield from _blocks(source, iter([source.text]), names)
        return
    for start in range(0, max(len(source.frame), 1), _ROWS):
        some = source.frame.iloc[start : start + _ROWS].reset_index(drop=True)
        yield Piece(Source(source.name, frame=pd.DataFrame(some)), None, start)


def _of_text(name, raw, names, encoding):
    head = raw.read(_HEAD)
    if len(head) < _HEAD:
        yield from _whole(source_of(head, name, encoding, None), names)
        return
    # Whole lines, of characters of one, two or four bytes.
    wide = head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0" in head[:1000]
    sample = head if wide else head[: head.rfind(b"\n") + 1]
    _, taken, doubt = decode(sample, encoding, name)
    source = Source(name)
    if encoding is None and taken != "UTF-8":
        source.notes.append(Note("encoding", None, (), f"the file is read as {taken}{doubt}"))
    codec = _CODECS.get(taken, taken)
    codec = "utf-8-sig" if codecs.lookup(codec).name == "utf-8" else codec
    yield from _blocks(source, _decoded(head, raw, codec, name), names)


def _decoded(head, raw, codec, name):
    r"""Pieces of text with "\n" line ends."""
    decoder = codecs.getincrementaldecoder(codec)()
    held, lines = "", 1
    piece = head
    while True:
        last = not piece
        try:
            text = held + decoder.decode(piece, final=last)
        except UnicodeDecodeError:
            raise ValueError(
                f"{name} begins in {codec.removesuffix('-sig')}, but has other bytes somewhere "
                f"below line {lines:,}: name its encoding with --encoding."
            ) from None
        held = ""
        if last:
            text = text.rstrip("\x1a\0")
        elif text.endswith("\r"):
            text, held = text[:-1], "\r"
        if "\r" in text:
            text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
        if "\0" in text:
            raise ValueError(f"{name} is not a CSV file: it holds binary data.")
        lines += text.count("\n")
        yield text
        if last:
            return
        piece = raw.read(_PIECE)


def _blocks(source, texts, names):
    """Blocks of whole records below the header, which is found in the first text."""
    name, first = source.name, next(texts)
    header, separator, line, rest, header_line = _header(source, first, names)
    waiting, size, ended, is_first = [rest], len(rest), False, True
    while not ended or size:
        while size < _BLOCK + _REST and not ended:
            text = next(texts, None)
            ended = text is None
            waiting.append(text or "")
            size += len(text or "")
        text = "".join(waiting)
        # Halves of a long first text are cut off one by one.
        cut = len(text) if ended and len(text) <= _BLOCK + _REST else _cut(text, _BLOCK, name, line)
        block, rest = text[:cut], text[cut:]
        waiting, size = [rest], len(rest)
        if block.strip():
            skipped = line - 2 - header.count("\n")
            within = Within(separator, header_line, skipped)
            notes = source.notes if is_first else []
            is_first = False
            yield Piece(replace(source, text=f"{header}\n{block}", notes=notes, frame=None), within)
        line += block.count("\n")
    if is_first:
        raise ValueError(f"{name} has a header line but no rows.")


def _cut(text, near, name, line):
    """The end of the last record before this place; quotes within which lines end are whole."""
    if '"' not in text:
        return text.rfind("\n", 0, near) + 1 or len(text)
    end = text.rfind("\n", 0, near) + 1
    for _ in range(50):
        if text.count('"', 0, end) % 2 == 0:
            break
        end = text.rfind("\n", 0, max(end - 1, 0)) + 1
    if not end:
        raise ValueError(f"{name} has a quote below line {line:,} that is not closed.")
    return end


def _header(source, text, names):
    """(header as text, separator, line after it, text after it, its line)."""
    lines = 0
    separator = "," if source.sheet else None
    first, _, below = text.partition("\n")
    stripped = first.strip().strip('"').rstrip("\t ;,")
    if not source.sheet and stripped.lower().startswith("sep=") and len(first.strip('"\r ')) == 5:
        separator, text, lines = first.strip('"\r ')[4], below, 1
    known = next((one for one in names if one in text[:100_000]), None)
    separator = separator or find_separator(text, known)
    found = first_records(text, separator, source.sheet, 100)
    if not found:
        raise ValueError(f"{source.name} is not a CSV file, or is empty.")
    wanted = set(names)
    fits = [len(wanted & {cell.strip() for cell in row}) for _, row in found]
    place = max(range(len(found)), key=lambda i: (fits[i], -i))
    start = found[place][0]
    stop = start
    try:
        for line, _ in records_of(text[:2_000_000], separator):
            if line > start:
                stop = line
                break
        else:
            stop = start + 1
    except csv.Error:
        stop = start + 1
    split = text.split("\n", stop - 1)
    header = "\n".join(split[start - 1 : stop - 1])
    rest = split[stop - 1] if len(split) >= stop else ""
    return header, separator, stop + lines, rest, start + lines


def header_names(piece):
    """The names in the header of a block of text, "column 3" for one without a name."""
    cells = next(csv.reader(StringIO(piece.source.text), delimiter=piece.within.separator))
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return [name or f"column {place}" for place, name in enumerate(names, 1)]
