"""Tables that people fill in: costs of decisions and shares of classes."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from os import PathLike

import numpy as np
import pandas as pd

from ._cells import evidence, normal, number, value
from ._layout import lay_out
from ._notes import Note, did_you_mean, listed
from ._sources import open_source
from ._table import cells_of_frame

_CURRENCIES = frozenset(
    ["", "\u00a5", "$", "\u20ac", "\u00a3", "\u5186", "eur", "usd", "jpy", "gbp", "chf"]
)
# Shares that sum to 1 or 100 within this are taken to be meant so.
_ROUNDED = 0.005


@dataclass(frozen=True)
class Costs:
    """A table of costs.

    Attributes
    ----------
    matrix : DataFrame of shape (n_classes, n_decisions)
        What each decision costs for each class: one row a class, one column a decision.
    notes : tuple of Note
        What should be looked at.
    source : str
        The file.
    """

    matrix: pd.DataFrame
    notes: tuple[Note, ...]
    source: str


@dataclass(frozen=True)
class Shares:
    """Shares of the classes.

    Attributes
    ----------
    shares : Series of float
        The share of each class; they need not sum to 1.
    notes : tuple of Note
        What should be looked at.
    source : str
        The file.
    """

    shares: pd.Series
    notes: tuple[Note, ...]
    source: str


def read_costs(
    path: str | PathLike, *, encoding: str | None = None, sheet: str | int | None = None
) -> Costs:
    r"""Read a cost table: decisions in the header line, classes in the first column.

    Parameters
    ----------
    path : str or path
        A file as ``read_parts`` reads it. Numbers may have decimal commas, marks between
        thousands and a sign of currency.
    encoding : str, default=None
        Encoding of a CSV file; by default the one that makes valid, plausible text.
    sheet : str or int, default=None
        Name or number of the Excel sheet; by default the first one.

    Returns
    -------
    Costs
        The costs as numbers, and notes.

    Raises
    ------
    ValueError
        If the file is no such table, or an entry is no number; one sentence that names the line
        and the column.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skperturb.parts import read_costs
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "costs.csv")
    ...     _ = path.write_text("defect;pass;scrap\nok;0;2,5\ncrack;40;0\n")
    ...     read_costs(path).matrix.loc["crack"].to_dict()
    {'pass': 40.0, 'scrap': 0.0}
    """
    source, names, rows, notes = _rows(path, encoding, sheet)
    if len(names) < 3:
        raise ValueError(
            f"{source} is no cost table: a column with the classes and one for each of two "
            "decisions at least are needed; 'skperturb costs-template' writes one."
        )
    decisions = names[1:]
    _refuse_repeated(decisions, source, "decision")
    if "" in decisions:
        raise ValueError(f"{source} has a decision without a name in its header line.")
    classes = [cells[0] for _, cells in rows]
    _refuse_repeated(classes, source, "class")
    entries = [
        (line, name, c) for line, r in rows for name, c in zip(decisions, r[1:], strict=True)
    ]
    costs, about = _numbers(entries, source, "a cost")
    matrix = pd.DataFrame(
        np.reshape(costs, (len(rows), len(decisions))),
        index=pd.Index(classes, dtype=object, name=names[0]),
        columns=pd.Index(decisions, dtype=object),
    )
    notes += about
    negative = [(line, name, c) for (line, name, c), x in zip(entries, costs, strict=True) if x < 0]
    if negative:
        line, name, cell = negative[0]
        text = (
            f"{source} has {len(negative)} negative costs, such as {cell!r} in line {line}, column "
            f"{name!r}; a negative cost is a gain"
        )
        notes.append(Note("negative costs", name, tuple(line for line, _, _ in negative), text))
    return Costs(matrix, tuple(notes), source)


def read_shares(
    path: str | PathLike, *, encoding: str | None = None, sheet: str | int | None = None
) -> Shares:
    r"""Read shares of the classes: the class in the first column, its share in the second.

    Parameters
    ----------
    path : str or path
        A file as ``read_parts`` reads it. Shares may be fractions, percents ("90 %"), or counts.
    encoding : str, default=None
        Encoding of a CSV file; by default the one that makes valid, plausible text.
    sheet : str or int, default=None
        Name or number of the Excel sheet; by default the first one.

    Returns
    -------
    Shares
        The shares as numbers, and notes.

    Raises
    ------
    ValueError
        If the file is no such table, or an entry is no share; one sentence that names the line.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skperturb.parts import read_shares
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "shares.csv")
    ...     _ = path.write_text("class;share\nok;99,5 %\ncrack;0,5 %\n")
    ...     read_shares(path).shares.to_dict()
    {'ok': 0.995, 'crack': 0.005}
    """
    source, names, rows, notes = _rows(path, encoding, sheet)
    if len(names) != 2:
        raise ValueError(f"{source} needs two columns, the class and its share on the line.")
    classes = [cells[0] for _, cells in rows]
    _refuse_repeated(classes, source, "class")
    entries = [(line, names[1], cells[1]) for line, cells in rows]
    shares, about = _numbers(entries, source, "a share", percent=True)
    for (line, _, cell), share in zip(entries, shares, strict=True):
        if share < 0:
            raise ValueError(f"{source}, line {line}: the share {cell!r} is negative.")
    total = sum(shares)
    if not total > 0:
        raise ValueError(f"{source} has only shares of 0.")
    if all(abs(total / whole - 1) > _ROUNDED for whole in (1, 100)):
        text = f"the shares in {source} sum to {total:.6g}; they are scaled to sum to 1"
        about.append(Note("shares", names[1], (), text))
    index = pd.Index(classes, dtype=object, name=names[0])
    return Shares(pd.Series(shares, index=index, name=names[1]), (*notes, *about), source)


def check_classes(found: Iterable[str], classes: Iterable[str], source: str, option: str) -> None:
    """Refuse a table that lacks classes of the parts, or has others.

    Raises
    ------
    ValueError
        With the option, the file and the classes.
    """
    found, classes = list(found), list(classes)
    missing = [name for name in classes if name not in found]
    more = [name for name in found if name not in classes]
    if missing:
        others = f"; it has {listed(more)}, which no part has" if more else ""
        near = did_you_mean(missing[0], more)
        raise ValueError(
            f"{option} {source} lacks the classes {listed(missing)}{others}{near or '.'}"
        )
    if more:
        raise ValueError(
            f"{option} {source} has the classes {listed(more)}, which no part has; the classes are "
            f"{listed(sorted(classes))}."
        )


def _rows(path, encoding, sheet):
    """(name of the file, header, [(line, cells)], notes)."""
    source = open_source(path, encoding, sheet)
    if source.frame is not None:
        cells = cells_of_frame(source.frame)
        rows = [(line, row) for line, row in enumerate(cells, 1) if any(row)]
        return source.name, [str(name) for name in source.frame.columns], rows, source.notes
    layout = lay_out(source, tidy=False)
    records = csv.reader(StringIO(layout.body.decode()), delimiter=layout.separator)
    rows = [[cell.strip() for cell in row] for row in records if any(map(str.strip, row))]
    for line, row in zip(layout.lines, rows, strict=True):
        if not row[0]:
            raise ValueError(f"{source.name}, line {line}: the first cell must name the class.")
    rows = list(zip(layout.lines.tolist(), rows, strict=True))
    return source.name, layout.names, rows, [*source.notes, *layout.notes]


def _refuse_repeated(names, source, what):
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{source} has the {what} {name!r} twice.")
        seen.add(name)


def _numbers(entries, source, what, percent=False):
    """The number of each entry, whichever way numbers are written in the table, and notes."""
    parsed = [number(normal(cell)) for _, _, cell in entries]
    kinds = [evidence(one) for one in parsed if one is not None]
    decimal, notes = _decimal(kinds, source)
    numbers, units = [], set()
    for (line, name, cell), one in zip(entries, parsed, strict=True):
        found = None if one is None else value(one, decimal)
        unit = "" if one is None else one.unit.lower()
        if found is None or not (unit in _CURRENCIES or (percent and unit == "%")):
            empty = "the cell is empty" if not cell else f"{cell!r} is not {what}"
            raise ValueError(f"{source}, line {line}, column {name!r}: {empty}.")
        units |= {unit} - {"", "%"}
        numbers.append(found / 100 if unit == "%" else found)
    if len(units) > 1:
        raise ValueError(f"{source} mixes currencies: {listed(sorted(units))}.")
    return numbers, notes


def _decimal(kinds, source):
    sure = {mark for mark in ".," if mark in kinds}
    if len(sure) == 2:
        raise ValueError(
            f"{source} has numbers with decimal points and others with decimal commas; write all "
            "of them alike."
        )
    if sure:
        return sure.pop(), []
    open_marks = {kind[1] for kind in kinds if kind.startswith("?")}
    if len(open_marks) != 1:
        return ".", []
    mark = open_marks.pop()
    # "4,000" beside "120": whole numbers, with a mark between thousands.
    if "" in kinds and "0" not in kinds:
        how, decimal = "between thousands", {".": ",", ",": "."}[mark]
    else:
        how, decimal = "before decimals", mark
    text = f"{source} has {mark!r} with three digits after it; it is taken to stand {how}"
    return decimal, [Note("ambiguous", None, (), text)]
