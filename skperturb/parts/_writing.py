"""Writing results: through links, to devices and pipes, with the modes that files have."""

import contextlib
import csv
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from typing import TextIO

from ._sources import shown


def check_outputs(outputs: Mapping[str, str | None], inputs: Iterable[str | None]) -> None:
    """Refuse, before anything is computed, files that cannot be written or must not be.

    Parameters
    ----------
    outputs : dict of str to str or None
        The file for each option, such as ``{"--json": "result.json"}``.
    inputs : iterable of str or None
        Files that are read.

    Raises
    ------
    ValueError
        With the option and the reason.
    """
    taken = [path for path in inputs if path and path != "-"]
    for option, path in outputs.items():
        if not path:
            continue
        real = os.path.realpath(path)
        folder = os.path.dirname(real)
        if os.path.isdir(real):
            raise ValueError(f"{option} {shown(path)} is a folder, not a file to write.")
        if not os.path.isdir(folder):
            named = os.path.dirname(path) or folder
            raise ValueError(f"There is no folder {shown(named)} for {option}.")
        if _is_stream(real):
            continue
        if any(_same_file(real, other) for other in taken):
            raise ValueError(
                f"{option} {shown(path)} would overwrite another file of this command."
            )
        writable = os.access(real, os.W_OK) if os.path.exists(real) else os.access(folder, os.W_OK)
        if not writable:
            raise ValueError(f"{option} {shown(path)} is in a place that cannot be written to.")
        taken.append(path)


def write_text(path: str, text: str, encoding: str = "utf-8") -> None:
    """Write a text: all of it, or nothing.

    Links are followed. A file that is there keeps its mode; a new one obeys the umask. Devices
    and pipes are written to directly. What the encoding cannot hold, such as the bytes of a file
    name that is no UTF-8, is escaped.

    Raises
    ------
    ValueError
        If the file cannot be written; one sentence that says why.
    """
    write_bytes(path, text.encode(encoding, "backslashreplace"))


def write_bytes(path: str, content: bytes) -> None:
    """Write bytes, as :func:`write_text` writes a text."""
    real = os.path.realpath(path)
    try:
        if _is_stream(real) or not os.access(os.path.dirname(real) or ".", os.W_OK):
            with open(path, "wb") as file:
                file.write(content)
        else:
            with _replacing(real, "wb") as file:
                file.write(content)
    except OSError as error:
        raise ValueError(f"{shown(path)} cannot be written: {error.strerror}.") from None


def table_text(rows: Iterable[Iterable]) -> str:
    """Return rows as CSV text that the reader of this package reads back as it stands.

    Names that hold another separator are quoted with all the others.
    """
    rows = [list(row) for row in rows]
    doubtful = any(mark in str(cell) for row in rows for cell in row for mark in ";\t|\r'\n\"")
    written = StringIO()
    csv.writer(
        written,
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if doubtful else csv.QUOTE_MINIMAL,
    ).writerows(rows)
    return written.getvalue()


def _is_stream(path):
    """Whether there is something that is no ordinary file, such as a device or a pipe."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _same_file(path, other):
    if os.path.realpath(other) == path:
        return True
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


@contextlib.contextmanager
def _replacing(path, mode, **options):
    """A new file that takes the place of another when all has been written."""
    unfinished = None
    try:
        folder = os.path.dirname(path)
        with tempfile.NamedTemporaryFile(mode, dir=folder, delete=False, **options) as file:
            unfinished = file.name
            yield file
        os.chmod(unfinished, _mode(path))
        os.replace(unfinished, path)
        unfinished = None
    finally:
        if unfinished is not None:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)


def _mode(path):
    """The mode of a file that is there, or what the umask leaves of 0666."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


@contextlib.contextmanager
def stream_text(path: str, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Open a file to write text to it: all of it, or nothing, as :func:`write_text` does.

    Raises
    ------
    ValueError
        If the file cannot be written; one sentence that says why.
    """
    real = os.path.realpath(path)
    options = {"encoding": encoding, "errors": "backslashreplace", "newline": ""}
    try:
        if _is_stream(real) or not os.access(os.path.dirname(real) or ".", os.W_OK):
            with open(path, "w", **options) as file:
                yield file
            return
        with _replacing(real, "w", **options) as file:
            yield file
    except OSError as error:
        raise ValueError(f"{shown(path)} cannot be written: {error.strerror}.") from None
