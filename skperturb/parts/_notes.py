"""What is said of how a file was read: notes, their account, and names in sentences."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ._translation import translated

# More notes of one kind than this become one line of the account.
_MOST_OF_A_KIND = 2
_LONGEST_NAME = 80  # characters
# How several notes of one kind, each of one column, are said in one sentence.
_TOGETHER = {
    "missing": "{n} columns have cells that are no numbers, {cells} in all, which are read as "
    "missing: {names}",
    "unit": "{n} columns hold numbers with units, which were taken off: {names}",
    "marks": "{n} columns write numbers in another way than the rest of the file: {names}",
    "ambiguous": "{n} columns hold numbers whose mark may separate decimals or thousands; they are "
    "read as decimals: {names}",
    "date": "{n} columns hold dates or times and are not used as features: {names} "
    "(--keep uses them as numbers, --time splits by time)",
    "identifier": "{n} columns look like identifiers and are not used as features: {names} "
    "(--keep uses them)",
    "distinct": "{n} columns hold whole numbers that differ from row to row: {names}; they are "
    "used as features, --drop leaves them out",
    "leak": "WARNING: {n} columns each predict the class almost perfectly alone: {names}; leave "
    "out with --drop what is not known before the class is (--keep silences this warning)",
    "categories": "{n} columns have many categories: {names}; categories of few parts are grouped",
    "empty": "{n} columns are empty: {names}",
    "boolean": "{n} columns hold true and false, read as 1 and 0: {names}",
    "codes": "{n} columns have leading zeros, which numbers do not keep: {names} (--categories "
    "reads them as codes)",
    "labels": "{notes} groups of class names differ only in case, width or spaces",
}


@dataclass(frozen=True)
class Note:
    """One thing that a reader of a file should know.

    Attributes
    ----------
    kind : str
        What it is about, such as "encoding", "missing" or "identifier".
    column : str or None
        The column concerned; None if it is the whole file.
    rows : tuple of int
        The line numbers in the file of the rows concerned, the first line being 1; rows of a
        sheet or a Parquet table are counted alike. Empty if it is no matter of single rows.
    text : str
        The note as a sentence without its full stop.

    Examples
    --------
    >>> from skperturb.parts import Note
    >>> print(Note("encoding", None, (), "the file is read as cp932"))
    the file is read as cp932
    """

    kind: str
    column: str | None
    rows: tuple[int, ...] = field(repr=False)
    text: str

    def __str__(self) -> str:
        return self.text


def account(notes: Iterable[Note], lang: str = "en", *, each: bool = False) -> list[str]:
    """Return the notes as a few lines of text, warnings first.

    Parameters
    ----------
    notes : iterable of Note
        What the reader noted.
    lang : {"en", "ja"}, default="en"
        The language.
    each : bool, default=False
        Whether each note has a line of its own.

    Returns
    -------
    list of str
        One line for each note; several notes of one kind become one line that counts them.

    Examples
    --------
    >>> from skperturb.parts import Note, account
    >>> account([Note("empty", name, (), f"column {name!r} is empty") for name in "abcd"])
    ["4 columns are empty: 'a', 'b', 'c', 'd'"]
    """
    kinds: dict[str, list[Note]] = {}
    for note in notes:
        kinds.setdefault(note.kind, []).append(note)
    lines = []
    for kind in sorted(kinds, key=lambda kind: kind != "leak"):
        alike = kinds[kind]
        if each or len(alike) <= _MOST_OF_A_KIND or kind not in _TOGETHER:
            lines += [note.text for note in alike]
        else:
            lines.append(
                _TOGETHER[kind].format(
                    n=len({note.column for note in alike}),
                    notes=len(alike),
                    cells=sum(len(note.rows) for note in alike),
                    names=listed(dict.fromkeys(str(note.column) for note in alike), 6),
                )
            )
    return [translated(line, lang) for line in lines]


def listed(names: Iterable[str], most: int = 12) -> str:
    """Return names in quotes, separated by commas; only the first ones of many."""
    names = [repr(shortened(name)) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def shortened(name: str) -> str:
    """Return the beginning of a name that is too long for a sentence."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."


def at_lines(lines: Sequence[int], most: int = 5) -> str:
    """Return "line 3", "lines 3 and 7" or "lines 3, 7, 9, 12, 15 and 8 more"."""
    numbers = [str(line) for line in lines]
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    if len(numbers) > most:
        return f"lines {', '.join(numbers[:most])} and {len(numbers) - most} more"
    return f"lines {', '.join(numbers[:-1])} and {numbers[-1]}"


def counted(count: int, noun: str) -> str:
    """Return "1 row" or "7 rows"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def same_name(name: str) -> str:
    """Return what is left of a name without case, width of characters and spaces."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the name that resembles most, or nothing."""
    by_key = {same_name(other): other for other in reversed(list(names))}
    close = difflib.get_close_matches(same_name(name), list(by_key), n=1, cutoff=0.7)
    return f"; did you mean {shortened(by_key[close[0]])!r}?" if close else ""
