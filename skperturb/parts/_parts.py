"""The reader of parts: from files to features, classes and what else is known of each part."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike

import numpy as np
import pandas as pd
from sklearn.datasets import load_wine

from ._columns import Column, ColumnReader
from ._labels import check_target, label_notes, same_numbers
from ._leaks import leaks
from ._notes import Note, account, counted, did_you_mean, listed
from ._schema import FeatureColumn, described
from ._sources import open_source
from ._table import Table

_DAY = 86_400  # seconds
# Names of columns by which parts often come in lots; the Japanese ones: lot, date, serial.
_LOT_LIKE = re.compile(
    r"(^|[_\W])(lot|batch|wafer|coil|serial|date|timestamp|shift)(s|_?(id|no|nr|number))?($|[_\W])"
    "|\u30ed\u30c3\u30c8|\u65e5\u4ed8|\u65e5\u6642|\u30b7\u30ea\u30a2\u30eb|\u88fd\u9020\u756a\u53f7",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parts:
    """A table of parts, and how it was read.

    Attributes
    ----------
    features : DataFrame of shape (n_parts, n_features)
        Columns of numbers as float, columns of categories as text; missing values are NaN.
    target : Series of str
        The class of each part, as it stands in the file.
    groups : Series of str or None
        The lot of each part.
    time : Series or None
        When each part was made: datetime64, or float if the column holds plain numbers.
    weight : Series of float or None
        The weight of each part.
    today : Series of str or None
        The decision that was made on each part.
    notes : tuple of Note
        What was decided, changed or left out while the file was read.
    source : str
        Where the table comes from.
    places : tuple of str
        Where each part is: the number of the line in its file, the first line being 1, such as
        "17"; with several files "17 of b.csv".
    columns : tuple of FeatureColumn
        What each feature column is, so that new files are read in the same way.

    Examples
    --------
    >>> from skperturb.parts import shipped_parts
    >>> shipped_parts().target.nunique()
    3
    """

    features: pd.DataFrame
    target: pd.Series
    groups: pd.Series | None = None
    time: pd.Series | None = None
    weight: pd.Series | None = None
    today: pd.Series | None = None
    notes: tuple[Note, ...] = field(default=())
    source: str = ""
    places: tuple[str, ...] = field(default=(), repr=False)
    columns: tuple[FeatureColumn, ...] = field(default=(), repr=False)

    def account(self) -> list[str]:
        """Return how the file was read, as a few lines of text.

        Returns
        -------
        list of str
            One line for each note; notes of one kind about several columns become one line.
        """
        return account(self.notes)


def read_parts(
    path: str | PathLike | Sequence[str | PathLike],
    target: str,
    *,
    encoding: str | None = None,
    sheet: str | int | None = None,
    numeric: Sequence[str] = (),
    categories: Sequence[str] = (),
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    groups: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    today: str | None = None,
) -> Parts:
    r"""Read a file with one row per part.

    The file is read as it stands, or it is refused with a sentence that names the line, the
    column or the cell. What the reader decided, changed or left out is in ``notes``.

    Parameters
    ----------
    path : str, path, or sequence of them
        A CSV file (plain or compressed with gzip), an Excel sheet (.xlsx), or a Parquet file;
        "-" for standard input. Several files must have the same columns.
    target : str
        The column that holds the class. Rows without a class are left out.
    encoding : str, default=None
        Encoding of a CSV file. By default UTF-8, UTF-16, cp932, EUC-JP or cp1252, whichever
        makes valid, plausible text.
    sheet : str or int, default=None
        Name or number (from 1 on) of the Excel sheet; by default the first one.
    numeric : sequence of str, default=()
        Columns to read as numbers, whatever else they hold; other cells become missing.
    categories : sequence of str, default=()
        Columns to read as categories although they hold numbers or dates.
    keep : sequence of str, default=()
        Columns to use although they look like identifiers, or hold dates, which become seconds
        since the earliest one.
    drop : sequence of str, default=()
        Columns to leave out.
    groups : str, default=None
        The column that names the lot of each part.
    time : str, default=None
        The column that says when each part was made.
    weight : str, default=None
        The column with the weight of each part.
    today : str, default=None
        The column with the decision that was made on each part.

    Returns
    -------
    Parts
        The features, the classes, and how they were read.

    Raises
    ------
    ValueError
        If the file or a column cannot be used; one sentence that says why.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skperturb.parts import read_parts
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "parts.csv")
    ...     _ = path.write_text("width;class\n1,5;ok\n-;dent\n" + "2,5;ok\n" * 38)
    ...     parts = read_parts(path, "class")
    >>> parts.features.iloc[:3, 0].tolist()
    [1.5, nan, 2.5]
    >>> print(*parts.account(), sep="\n")
    column 'width' is read as numbers with decimal commas
    column 'width': 1 of 40 values is no number ('-'), read as missing: line 3
    """
    roles = {"target": target, "groups": groups, "time": time, "weight": weight, "today": today}
    check_roles(roles, {"keep": keep, "numeric": numeric, "categories": categories}, drop)
    tables = _tables(path, target, encoding, sheet, [n for n in (target, groups, today) if n])
    return parts_of(tables, roles, numeric, categories, keep, drop)


def parts_of(tables, roles, numeric=(), categories=(), keep=(), drop=(), sampled=False):
    """The parts in tables; roles are the columns that are no features, by what they are.

    A sample of the rows says nothing of how many classes there are.
    """
    target, groups, time, weight, today = (
        roles[role] for role in ("target", "groups", "time", "weight", "today")
    )
    reader = ColumnReader(tables)
    source = ", ".join(table.name for table in tables)
    # How a column's numbers are written is nothing to say if it is no column of numbers.
    notes = [note for note in _notes_of(tables) if note.column not in (*categories, *drop)]
    names = tables[0].names
    asked = [*(name for name in roles.values() if name), *keep, *numeric, *categories, *drop]
    for name in asked:
        if name not in names:
            raise ValueError(
                f"{source} has no column {name!r}; its columns are {listed(names)}"
                f"{did_you_mean(name, names) or '.'}"
            )
    names_of_labels = reader.text(target)
    labels, about_numbers = same_numbers(names_of_labels, reader.starts, target)
    if not sampled:
        notes += check_target(labels.value_counts(), target, source)
    notes += [*label_notes(names_of_labels, target, reader.raw(target)), *about_numbers]
    if not any(name not in (*roles.values(), *drop) for name in names):
        raise ValueError(f"{source} has no feature column beside {target!r}.")
    lots = None if groups is None else _named(reader, groups, source, "lot")
    decided = None if today is None else _named(reader, today, source, "decision of today")
    moments, about_time = (None, []) if time is None else _moments(reader, time)
    weights = None if weight is None else _weights(reader, weight)
    notes += about_time
    columns, about_features = _features(
        reader,
        [name for name in names if name not in (*roles.values(), *drop)],
        numeric=numeric,
        categories=categories,
        keep=keep,
        has_lots=groups is not None,
        has_time=time is not None,
    )
    notes += about_features
    if not columns:
        left_out = [note.column for note in about_features if note.kind in ("identifier", "date")]
        raise ValueError(
            f"{source} has no feature column beside {target!r}; {listed(left_out)} look like "
            "identifiers or dates (--keep uses them)."
        )
    notes += _leak_notes([column for column in columns if column.name not in keep], labels, target)
    features = pd.DataFrame({column.name: column.data for column in columns})
    roles_of_parts = (labels, lots, moments, weights, decided)
    kinds = tuple(described(column, reader.decimal(column.name)) for column in columns)
    return Parts(features, *roles_of_parts, tuple(notes), source, reader.places(), kinds)


def shipped_parts() -> Parts:
    """Return the wine data that ship with scikit-learn: 178 wines of three growers.

    Returns
    -------
    Parts
        With 13 chemical measurements.

    Examples
    --------
    >>> from skperturb.parts import shipped_parts
    >>> shipped_parts().features.shape
    (178, 13)
    """
    wine = load_wine(as_frame=True)
    growers = pd.Series(wine.target_names)[wine.target].set_axis(wine.data.index)
    places = tuple(map(str, range(1, len(growers) + 1)))
    return Parts(wine.data, growers, source="wine (ships with scikit-learn)", places=places)


def check_roles(roles, wishes, drop):
    used = {}
    for option, name in roles.items():
        if name is not None:
            if name in used:
                raise ValueError(f"--{option} and --{used[name]} name the same column, {name!r}.")
            used[name] = option
    for option, names in wishes.items():
        for name in names:
            if name in used:
                raise ValueError(f"--{option} and --{used[name]} name the same column, {name!r}.")
            if name in drop:
                raise ValueError(f"--{option} and --drop name the same column, {name!r}.")
    for name in drop:
        if name in used:
            raise ValueError(f"--drop and --{used[name]} name the same column, {name!r}.")
    for name in wishes["numeric"]:
        if name in wishes["categories"]:
            raise ValueError(f"--numeric and --categories name the same column, {name!r}.")


def _tables(path, target, encoding, sheet, as_text):
    several = not isinstance(path, (str, PathLike))
    paths = list(path) if several else [path]
    if not paths:
        raise ValueError("No file is given.")
    tables = [Table(open_source(one, encoding, sheet), target, as_text) for one in paths]
    check_same_names(tables)
    return tables


def check_same_names(tables):
    """Refuse tables of which one has a column that another one lacks."""
    first = tables[0]
    for table in tables[1:]:
        if set(table.names) != set(first.names):
            odd = sorted(set(table.names) ^ set(first.names))
            raise ValueError(
                f"{table.name} and {first.name} do not have the same columns; only one of them "
                f"has {listed(odd)}."
            )


def _notes_of(tables):
    if len(tables) == 1:
        return list(tables[0].notes)
    return [
        Note(note.kind, note.column, note.rows, f"{table.name}: {note.text}")
        for table in tables
        for note in table.notes
    ]


def _named(reader, column, source, what):
    """A column that names something of each part."""
    names = reader.text(column)
    missing = np.flatnonzero(names.isna())
    if len(missing):
        raise ValueError(
            f"Column {column!r} of {source} names no {what} for {counted(len(missing), 'part')} "
            f"({reader.where(missing)}): fill it in."
        )
    return names


def _moments(reader, name):
    """When each part was made, and notes."""
    column = reader.read(name)
    if column.kind not in ("date", "number"):
        raise ValueError(
            f"Column {name!r} holds no dates, times or numbers, such as "
            f"{str(column.data.dropna().head(1).squeeze())!r}; --time needs them."
        )
    missing = np.flatnonzero(column.data.isna())
    if len(missing):
        raise ValueError(
            f"Column {name!r} has no time for {counted(len(missing), 'part')} "
            f"({reader.where(missing)}): fill it in."
        )
    values = column.data
    if column.kind == "date":
        values = pd.to_datetime((values * 1e6).round().astype("int64"), unit="us")
    text = f"column {name!r} says when a part was made (--time) and is not used as a feature"
    notes = [*column.notes, Note("time", name, (), text)]
    if column.kind == "date" and column.data.between(0, _DAY).all():
        text = (
            f"WARNING: column {name!r} holds times without a date: all parts are taken to be of "
            "one day, so that those after midnight come first"
        )
        notes.append(Note("time", name, (), text))
    return values, notes


def _weights(reader, name):
    weights = reader.read(name, as_numbers=True).data
    wrong = np.flatnonzero(~(weights.to_numpy() >= 0))
    if len(wrong):
        raise ValueError(
            f"Column {name!r} holds no weight from 0 on in {reader.where(wrong)}; --weight needs "
            "one for each part."
        )
    if not weights.any():
        raise ValueError(f"Column {name!r} holds only weights of 0.")
    return weights


def _is_in_order(moments):
    """Whether times rise or fall from row to row, with gaps and repetitions."""
    moments = moments.dropna()
    ordered = moments.is_monotonic_increasing or moments.is_monotonic_decreasing
    return bool(len(moments) and ordered and moments.iloc[0] != moments.iloc[-1])


def _features(reader, names, *, numeric, categories, keep, has_lots, has_time):
    """The columns to use, and notes of all that were left out or changed."""
    columns, notes, lot_like = [], [], []
    unnamed = reader.tables[0].unnamed
    for name in names:
        column = reader.read(name, name in numeric, name in categories)
        chosen = name in keep or name in numeric or name in categories
        if not has_lots and column.kind != "date" and _LOT_LIKE.search(name):
            lot_like.append(name)
        if not chosen and reader.is_identifier(column, name in unnamed):
            text = (
                f"left out column {name!r}: its values differ from row to row like those of an "
                f"identifier (--keep {name!r} uses it all the same)"
            )
            notes.append(Note("identifier", name, (), text))
            continue
        if column.kind == "date":
            if not chosen:
                text = (
                    f"left out column {name!r}: it holds dates or times (--time {name!r} makes "
                    f"the models learn from the past, --keep {name!r} uses it as a number)"
                )
                notes.append(Note("date", name, (), text))
                if not has_time and _is_in_order(column.data):
                    text = (
                        f"the parts are in the order of time (column {name!r}): folds at random "
                        "test models on parts that are older than some they learned from; "
                        f"--time {name!r} tests them on later parts only, as on the line"
                    )
                    notes.append(Note("time order", name, (), text))
                continue
            earliest = float(column.data.min())
            how = {"dated": True, "earliest": earliest} | column.how
            column = Column(name, "number", column.data - earliest, column.notes, how)
            text = f"column {name!r} is used as seconds since its earliest time"
            notes.append(Note("date as number", name, (), text))
        notes += column.notes
        if not chosen and reader.is_distinct(column):
            text = (
                f"column {name!r} holds whole numbers that differ from row to row, in no order; "
                f"it is used as a feature, --drop {name!r} leaves it out"
            )
            notes.append(Note("distinct", name, (), text))
        column.how["forced"] = name in numeric
        columns.append(column)
    if lot_like:
        text = (
            f"columns {listed(lot_like)} look like lots, serial numbers or dates: if parts of one "
            "lot resemble each other, the comparison is too sure of itself without --groups "
            f"{lot_like[0]!r}"
        )
        notes.append(Note("lots", None, (), text))
    return columns, notes


def _leak_notes(columns, labels, target):
    notes = []
    for name, accuracy in leaks(columns, labels).items():
        text = (
            f"WARNING: column {name!r} alone predicts {target!r} for {100 * accuracy:.4g} % of the "
            f"parts; if it is known only after the class, leave it out with --drop {name!r} "
            f"(--keep {name!r} silences this warning)"
        )
        notes.append(Note("leak", name, (), text))
    return notes
