"""New parts, read in blocks as the training file was: its description decides, not a new guess."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from ._cells import evidence, is_empty_word, normal, number, when
from ._columns import LARGEST, from_epoch, seconds_of
from ._layout import lay_out
from ._notes import Note, counted, did_you_mean, listed
from ._schema import FeatureColumn
from ._stream import header_names, pieces_of
from ._table import MOST, Table, Texts, parse

_OTHER = {".": ",", ",": "."}
# Rows of a table without text by which decimal marks are judged.
_SOME_ROWS = 300


@dataclass
class Block:
    """Some rows of a file of new parts.

    Attributes
    ----------
    features : DataFrame of shape (n_parts, n_features)
        The columns that were asked for, as :class:`Parts` has them.
    copied : DataFrame of shape (n_parts, n_copied)
        Columns as they stand in the file.
    lines : ndarray of shape (n_parts,)
        The line of the file in which each part begins.
    new : ndarray of shape (n_parts,)
        Whether a part has a category that the training file did not have.
    file : int
        The place of the file among those that are read.
    """

    features: pd.DataFrame
    copied: pd.DataFrame
    lines: np.ndarray
    new: np.ndarray
    file: int = 0


@dataclass
class _Count:
    """How many cells of a column are of a kind, and the first of them."""

    cells: int = 0
    example: str = ""
    line: int = 0
    file: str = ""


class BlockReader:
    r"""Reads a file of new parts in blocks of bounded size.

    Parameters
    ----------
    path : str, path, or sequence of them
        A file as ``read_parts`` reads it, or several, one after the other. Each must have all the
        columns, by their names.
    columns : sequence of FeatureColumn
        The features of the training file.
    copy : sequence of str, default=()
        Columns to return as they stand.
    known : sequence of str, default=()
        Columns that are no features, and of which nothing is to be said, such as the class.
    encoding, sheet : str, default=None
        As for ``read_parts``.
    training : bool, default=False
        Whether the files are those of the training: then no category or number is new.

    Attributes
    ----------
    notes : list of Note
        What was decided, changed or left out: complete when all blocks have been read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skperturb.parts import BlockReader, FeatureColumn
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "new.csv")
    ...     _ = path.write_text("width;area\n1,5;2\n;3\n")
    ...     blocks = list(BlockReader(path, [FeatureColumn("width", "number", ",")]).blocks())
    >>> blocks[0].features["width"].tolist()
    [1.5, nan]
    """

    def __init__(
        self,
        path: str | PathLike | Sequence[str | PathLike],
        columns: Sequence[FeatureColumn],
        *,
        copy: Sequence[str] = (),
        known: Sequence[str] = (),
        encoding: str | None = None,
        sheet: str | int | None = None,
        training: bool = False,
    ) -> None:
        self.paths = [path] if isinstance(path, (str, PathLike)) else list(path)
        self.columns, self.training = columns, training
        self.copy, self.known = copy, known
        self.encoding, self.sheet = encoding, sheet
        self._marks: dict[str, str] = {}
        self._counts: dict[tuple[str, str], _Count] = {}
        self._said: list[Note] = []
        self._rows: dict[str, tuple[Note, int]] = {}

    def blocks(self) -> Iterator[Block]:
        """Read the blocks, one after the other.

        Yields
        ------
        Block
            At least one part each.

        Raises
        ------
        ValueError
            If the file cannot be read, lacks a column, or holds other things in it than the
            training file did; one sentence that says which.
        """
        names = [column.name for column in self.columns]
        self._categories = {
            column.name: frozenset(column.categories)
            for column in self.columns
            if column.kind == "category"
        }
        for place, path in enumerate(self.paths):
            yield from self._blocks_of(path, names, place)

    def _blocks_of(self, path, names, place):
        first = True
        wanted = {*names, *self.copy}
        for piece in pieces_of(path, names, self.encoding, self.sheet, wanted):
            self._name = piece.source.name
            if piece.within is None:
                frame, lines = self._of_frame(piece, first)
            else:
                frame, lines = self._of_text(piece, first)
            first = False
            if not len(lines):
                continue
            new = np.zeros(len(lines), dtype=bool)
            read = {c.name: self._read(c, frame[c.name], lines, new) for c in self.columns}
            copied = frame[list(self.copy)].reset_index(drop=True)
            features = pd.DataFrame({name: _series(values) for name, values in read.items()})
            yield Block(features, copied, lines, new, place)
        if first:
            raise ValueError(f"{path} has no parts.")

    @property
    def notes(self) -> list[Note]:
        """What was decided, changed or left out so far."""
        return [*dict.fromkeys(self._said), *self._notes_of_rows(), *self._notes_of_cells()]

    # --- A block as a frame whose columns are numbers or text

    def _of_frame(self, piece, first):
        table = Table(piece.source, None)
        frame = table.frame
        if first:
            self._check_names(piece.names or table.names)
            words = frame.select_dtypes(object).head(_SOME_ROWS)
            self._choose_marks(list(words), words.fillna("").astype(str).to_numpy().tolist())
        text = [c.name for c in self.columns if c.kind == "category"]
        text = list(dict.fromkeys([*text, *self.copy]))
        frame[text] = table.texts(text)
        return frame, table.lines + piece.start

    def _of_text(self, piece, first):
        if first:
            self._check_names(header_names(piece))
        target = next(c.name for c in self.columns)
        layout = lay_out(piece.source, target, within=piece.within)
        layout.names = [name or f"column {place}" for place, name in enumerate(layout.names, 1)]
        if first:
            self._said += piece.source.notes
            self._choose_marks(layout.names, layout.sample)
        for note in layout.notes:
            kept, rows = self._rows.get(note.kind, (note, 0))
            self._rows[note.kind] = (kept, rows + len(note.rows))
        text = {c.name for c in self.columns if c.kind == "category"} | set(self.copy)
        usual = "."
        if not piece.source.sheet:  # whose numbers have a point, whatever its texts have
            marks = list(self._marks.values())
            usual = max(".,", key=marks.count)
            text |= {name for name, mark in self._marks.items() if mark != usual}
        needed = list(dict.fromkeys([*(c.name for c in self.columns), *self.copy]))
        frame = parse(layout, needed, decimal=usual, dtype=dict.fromkeys(text, str))
        return frame, layout.lines

    def _check_names(self, names):
        needed = list(dict.fromkeys([*(c.name for c in self.columns), *self.copy]))
        missing = [name for name in needed if name not in names]
        more = [name for name in names if name not in needed]
        if missing:
            near = did_you_mean(missing[0], more)
            what = "no column" if len(missing) == 1 else "none of the columns"
            verb = f"{len(needed) - len(missing)} of the {len(needed)} that are needed are there"
            raise ValueError(
                f"{self._name} has {what} {listed(missing)}, which the model needs"
                f" ({verb}){near or '.'}"
            )
        for name in needed:
            if names.count(name) > 1:
                raise ValueError(f"{self._name} has several columns called {name!r}; rename them.")
        more = [name for name in more if name not in self.known]
        if more and not self.training:
            what = "1 column" if len(more) == 1 else f"{len(more)} columns"
            verb = "is" if len(more) == 1 else "are"
            text = f"{what} that the model does not know {verb} ignored: {listed(more, 6)}"
            self._said.append(Note("extra", None, (), text))

    def _choose_marks(self, names, rows):
        """The decimal mark of each column: that of training, unless the file surely has another."""
        self._marks = {c.name: c.decimal for c in self.columns if c.kind == "number"}
        sure: dict = {}
        for place, name in enumerate(names):
            if name not in self._marks:
                continue
            cells = (row[place] for row in rows if place < len(row))
            parsed = (number(normal(cell)) for cell in cells if "." in cell or "," in cell)
            kinds = {evidence(one) for one in parsed if one is not None}
            sure[name] = kinds & {".", ","}
        marks = set().union(*sure.values())
        other = []
        for name, mark in self._marks.items():
            # Where a column does not say it, the rest of the file may.
            if (sure.get(name) or marks) == {_OTHER[mark]}:
                self._marks[name] = _OTHER[mark]
                if sure.get(name):
                    other.append(name)
        if other:
            mark = self._marks[other[0]]
            text = (
                f"numbers are written with decimals after {mark!r}, and in training with "
                f"{_OTHER[mark]!r}; they are read as they are written: {listed(other, 6)}"
            )
            self._said.append(Note("decimal", None, (), text))

    # --- A column by its description

    def _read(self, column, cells, lines, new):
        if column.kind == "category":
            return self._category(column, cells, lines, new)
        if column.kind == "empty":
            if cells.notna().any():
                self._count("filled", column.name, cells.notna().to_numpy(), cells, lines)
            return np.full(len(cells), np.nan)
        plain = is_numeric_dtype(cells) and not is_bool_dtype(cells)
        if column.kind == "truth":
            values, wrong = self._truth(cells)
        elif column.kind == "date" and column.epoch is None:
            values, wrong = self._dates(column, cells)
        elif plain:
            if not column.forced:
                self._check_units(column, {}, int(cells.notna().sum()))
            values, wrong = cells.to_numpy(float, copy=True), np.zeros(len(cells), dtype=bool)
        else:
            values, wrong = self._numbers(column, cells)
        filled = len(cells) - int((np.isnan(values) & ~wrong).sum())
        if wrong.sum() > (1 - MOST) * filled and not column.forced:
            self._refuse_retyped(column, cells, wrong, lines)
        beyond = np.abs(values) > LARGEST
        if column.epoch is not None:
            values = from_epoch(values, column.epoch).to_numpy()
        if column.kind == "date":
            values = values - column.earliest
        if beyond.any():
            self._count("infinite", column.name, beyond, cells, lines)
            values[beyond] = np.nan
        self._count("unreadable", column.name, wrong, cells, lines)
        if self.training:
            return values
        if column.missing == 0:
            self._count("missing", column.name, np.isnan(values) & ~wrong & ~beyond, None, lines)
        if column.low is not None:
            with np.errstate(invalid="ignore"):
                outside = (values < column.low) | (values > column.high)
            self._count("outside", column.name, outside, cells, lines)
        return values

    def _category(self, column, cells, lines, new):
        if is_numeric_dtype(cells):
            cells = cells.astype(object)
        codes, different = pd.factorize(cells)
        names = [str(cell).strip() for cell in different]
        known = self._categories[column.name]
        if self.training:
            return np.array([name or np.nan for name in [*names, ""]], dtype=object)[codes]
        strange = np.array([bool(name) and name not in known for name in names] + [False])[codes]
        if strange.any():
            numeric = [name for name in names if name and number(normal(name)) is not None]
            if (
                strange.sum() > MOST * max(int((codes >= 0).sum()), 1)
                and len(numeric) > MOST * len(names)
                and not any(number(normal(name)) is not None for name in known)
            ):
                raise ValueError(
                    f"Column {column.name!r} held categories such as {next(iter(known), '')!r} in "
                    f"training, and holds numbers such as {numeric[0]!r} in {self._name}."
                )
            self._count("category", column.name, strange, cells, lines)
            new |= strange
        if column.missing == 0:
            self._count("missing", column.name, codes < 0, None, lines)
        return np.array([name or np.nan for name in [*names, ""]], dtype=object)[codes]

    def _truth(self, cells):
        words = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
        codes, different = pd.factorize(cells.astype(object))
        found = [words.get(str(cell).strip().lower(), np.nan) for cell in different]
        empty = [is_empty_word(str(cell).strip()) for cell in different]
        values = np.array([*found, np.nan])[codes]
        return values, np.isnan(values) & ~np.array([*empty, True])[codes]

    def _dates(self, column, cells):
        texts = Texts(cells.astype(object))
        found = [seconds_of(when(cell), column.day_first) for cell in texts.cells]
        values = np.array([*found, np.nan])[texts.codes]
        empty = np.array([is_empty_word(cell) for cell in texts.cells] + [True])
        return values, np.isnan(values) & ~empty[texts.codes]

    def _numbers(self, column, cells):
        texts = Texts(cells.astype(object))
        found = texts.values(self._marks.get(column.name, "."))
        empty = np.array([is_empty_word(cell) for cell in texts.cells] + [True])
        units: dict = {}
        texts.add_units(units, found)
        if not column.forced:
            self._check_units(column, units, int(texts.counts[~np.isnan(found)].sum()))
        values = found[texts.codes]
        return values, np.isnan(values) & ~empty[texts.codes]

    def _check_units(self, column, units, numbers):
        for unit, (count, example, _) in units.items():
            if unit != column.unit and (column.unit or unit in ("%", "\u2030")):
                before = f"with {column.unit!r}" if column.unit else "without a unit"
                raise ValueError(
                    f"Column {column.name!r} held numbers {before} in training, and holds "
                    f"{example!r} in {self._name}: convert them to the unit of training."
                )
            if unit != column.unit:
                entry = self._counts.setdefault(("unit", column.name), _Count(0, example))
                entry.cells += int(count)
        with_unit = sum(int(count) for count, _, _ in units.values())
        if column.unit in ("%", "\u2030") and with_unit < numbers:
            raise ValueError(
                f"Column {column.name!r} held numbers with {column.unit!r} in training, and "
                f"{self._name} has some without: write all of them alike."
            )

    def _refuse_retyped(self, column, cells, wrong, lines):
        row = int(np.flatnonzero(wrong)[0])
        what = {"truth": "true and false", "date": "dates"}.get(column.kind, "numbers")
        raise ValueError(
            f"Column {column.name!r} held {what} in training, and holds others, such as "
            f"{str(cells.iloc[row])[:30]!r} in line {int(lines[row])} of {self._name}; leave a "
            "cell empty if its value is missing."
        )

    # --- What is to be said

    def _count(self, kind, name, which, cells, lines):
        found = int(np.count_nonzero(which))
        if not found:
            return
        row = int(np.flatnonzero(which)[0])
        example = "" if cells is None else str(cells.iloc[row]).strip()[:30]
        entry = self._counts.setdefault(
            (kind, name), _Count(0, example, int(lines[row]), self._name)
        )
        entry.cells += found

    def _notes_of_rows(self):
        for kind, (note, rows) in self._rows.items():
            more = "" if rows <= len(note.rows) else f" ({rows:,} such rows in all)"
            yield Note(kind, note.column, note.rows, note.text + more)

    def _notes_of_cells(self):
        ranges = {c.name: (c.low, c.high) for c in self.columns}
        for (kind, name), found in self._counts.items():
            cells, at = counted(found.cells, "cell"), f"line {found.line}"
            if len(self.paths) > 1:
                at += f" of {found.file}"
            low, high = ranges[name]
            text = {
                "unreadable": f"column {name!r}: {cells} that cannot be read, such as "
                f"{found.example!r} in {at}, taken as missing",
                "infinite": f"column {name!r}: {cells} with infinite or huge numbers, such as "
                f"{found.example!r} in {at}, taken as missing",
                "missing": f"column {name!r}: {cells} without a value, the first in {at}; in "
                "training there was none",
                "outside": f"column {name!r}: {cells} outside the range of training, {low:.6g} to "
                f"{high:.6g}"
                if low is not None
                else "",
                "category": f"column {name!r}: {cells} with a category that training did not "
                f"have, such as {found.example!r} in {at}",
                "unit": f"column {name!r}: {cells} with a unit, such as {found.example!r}, where "
                "training had none; it is taken to be the same unit",
                "filled": f"column {name!r} was empty in training; its {cells} are not used",
            }[kind]
            if kind == "outside":
                text += f", such as {found.example!r} in {at}"
            yield Note(f"new {kind}", name, (), text)


def _series(values):
    """A column whose type is that of the array, text as objects."""
    return pd.Series(values, dtype=values.dtype)
