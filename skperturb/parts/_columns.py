"""What the columns are: numbers, categories, dates or identifiers, judged from all their cells."""

import re
from dataclasses import dataclass, field
from os.path import basename

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from ._cells import is_empty_word, when
from ._notes import Note, at_lines, counted
from ._table import MOST, NEARLY_ALL, Texts

# Numbers beyond this overflow in squares and products.
LARGEST = 1e100
# A text column of which this share of the filled cells occurs nowhere else names the parts.
_ID_SHARE = 0.9
# Fewer values than this say nothing of order or of being distinct.
_FEWEST = 10
# Different cells by which it is seen that a column has no dates.
_SOME = 50
# More categories than this are said.
_MANY_CATEGORIES = 50
# A category of fewer parts than this is grouped with others (see ``preprocessor``).
RARE = 5
_TIME_NAME = re.compile(
    r"(^|[_\W])(time|date|epoch|timestamp|ts|unix|datum|zeit)($|[_\W\d])|\u6642|\u65e5",
    re.IGNORECASE,
)
_DATE_NAME = re.compile(r"(^|[_\W])(date|datum)($|[_\W\d])|\u65e5", re.IGNORECASE)
# Seconds and milliseconds from October 1999 to September 2039, days as Excel counts them 1990-2064.
_EPOCHS = ((9.4e8, 2.2e9, "s"), (9.4e11, 2.2e12, "ms"), (32874.0, 60000.0, "excel"))


@dataclass
class Column:
    """A column over all files: ``kind`` is "number", "category", "date" or "empty"."""

    name: str
    kind: str
    data: pd.Series
    notes: list = field(default_factory=list)
    # How its cells are written: unit, truth, epoch, day_first (see ``FeatureColumn``).
    how: dict = field(default_factory=dict)


class ColumnReader:
    """Reads columns of tables that have the same columns, one below the other."""

    def __init__(self, tables):
        self.tables = tables
        self.lines = np.concatenate([table.lines for table in tables])
        self.starts = np.cumsum([0] + [len(table.lines) for table in tables])
        self.many = len(tables) > 1

    def where(self, rows):
        """Return "line 3 of b.csv" or "lines 3 and 7" for places of rows."""
        if not self.many:
            return at_lines([int(self.lines[row]) for row in rows])
        row = rows[0]
        table = self.tables[int(np.searchsorted(self.starts, row, side="right")) - 1]
        more = f" and {counted(len(rows) - 1, 'other row')}" if len(rows) > 1 else ""
        return f"line {int(self.lines[row])} of {table.name}{more}"

    def places(self):
        """Line of each row, with its file if there are several."""
        if not self.many:
            return tuple(map(str, self.lines.tolist()))
        return tuple(
            f"{line} of {basename(table.name)}"
            for table in self.tables
            for line in table.lines.tolist()
        )

    def note(self, kind, name, rows, text):
        return Note(kind, name, tuple(int(self.lines[row]) for row in rows), text)

    def decimal(self, name):
        """Return the decimal mark of a column."""
        table = self.tables[0]
        return table.own.get(name, table.decimal)

    def raw(self, name):
        """Return a column as it stands in the files."""
        pieces = [table.texts([name])[name] for table in self.tables]
        column = pd.concat(pieces, ignore_index=True) if self.many else pieces[0]
        return column.reset_index(drop=True).astype(object)

    def text(self, name):
        """Return a column as it stands in the files, stripped; NaN where it is empty."""
        cells = [cell.strip() if isinstance(cell, str) else "" for cell in self.raw(name)]
        return pd.Series([cell or np.nan for cell in cells], dtype=object)

    def read(self, name, as_numbers=False, as_categories=False):
        """Decide what a column is, and read it.

        Raises
        ------
        ValueError
            If half of its cells or more, but not nearly all, are numbers.
        """
        if as_categories:
            column = self.text(name)
            return Column(name, "category", column, self._about_categories(name, column))
        pieces = [table.frame[name] for table in self.tables]
        if all(is_numeric_dtype(piece) and not is_bool_dtype(piece) for piece in pieces):
            values = np.concatenate([piece.to_numpy(float) for piece in pieces])
            return self._numbers(name, values, [], as_numbers)
        texts = [Texts(_textual(table, name)) for table in self.tables]
        booleans = self._booleans(name, texts)
        if booleans is not None:
            return booleans
        if not as_numbers:
            dates = self._dates(name, texts)
            if dates is not None:
                return dates
        return self._from_texts(name, texts, as_numbers)

    def _booleans(self, name, texts):
        if any(len(piece.cells) > _FEWEST for piece in texts):
            return None
        different = {cell.lower() for piece in texts for cell in piece.cells if cell}
        if not different or not different <= {"true", "false"}:
            return None
        pieces = []
        for piece in texts:
            truth = [float(c.lower() == "true") if c else np.nan for c in piece.cells]
            pieces.append(np.array([*truth, np.nan])[piece.codes])
        return Column(name, "number", pd.Series(np.concatenate(pieces)), how={"truth": True})

    def _dates(self, name, texts):
        # A column of dates shows some among its first cells.
        if not any(when(cell) for piece in texts for cell in piece.cells[:_SOME]):
            return None
        moments = [[when(cell) for cell in piece.cells] for piece in texts]
        filled = dated = 0
        for piece, found in zip(texts, moments, strict=True):
            for count, cell, moment in zip(piece.counts, piece.cells, found, strict=False):
                filled += 0 if is_empty_word(cell) else count
                dated += 0 if moment is None else count
        if not dated or dated < NEARLY_ALL * filled:
            return None
        return _date_column(name, texts, moments)

    def _from_texts(self, name, texts, as_numbers):
        filled = numbers = 0
        pieces, words, nothing, units = [], [], [], {}
        start = 0
        for table, piece in zip(self.tables, texts, strict=True):
            values = piece.values(table.own.get(name, table.decimal))
            empty = np.isnan(values)
            for i in np.flatnonzero(empty[:-1]):
                empty[i] = is_empty_word(piece.cells[i])
            is_word = np.isnan(values) & ~empty
            counts = piece.counts
            filled += counts[~empty].sum()
            numbers += counts[~np.isnan(values)].sum()
            pieces.append(values[piece.codes])
            words.append(np.flatnonzero(is_word[piece.codes]) + start)
            says_nothing = empty & ~piece.empty
            nothing.append(np.flatnonzero(says_nothing[piece.codes]) + start)
            start += len(piece)
            piece.add_units(units, values)
        words, nothing = np.concatenate(words), np.concatenate(nothing)
        if not filled:
            note = self.note("empty", name, (), f"column {name!r} is empty")
            return Column(name, "empty", pd.Series(np.full(start, np.nan)), [note])
        # "1 hole" and "2 holes" are texts: what is no known unit must be the same everywhere.
        texts_with_numbers = len(units) > 1 and not all(known for _, _, known in units.values())
        if not as_numbers and (numbers < MOST * filled or texts_with_numbers):
            column = pd.concat([pd.Series(_filled(p), dtype=object) for p in texts])
            column = column.reset_index(drop=True)
            return Column(name, "category", column, self._about_categories(name, column))
        example = self._examples(texts, words)
        if not as_numbers and numbers < NEARLY_ALL * filled:
            raise ValueError(
                f"Column {name!r} is neither numbers nor categories: {len(words)} of its {filled} "
                f"filled cells are no numbers ({example}; {self.where(words)}). Decide with "
                f"--numeric {name!r}, which reads these cells as missing, or with "
                f"--categories {name!r}."
            )
        notes, how = [], {"unit": next(iter(units), "") if len(units) == 1 else ""}
        if units and not as_numbers:
            notes += self._units(name, units, numbers)
        if len(words):
            verb = "is no number" if len(words) == 1 else "are no numbers"
            text = (
                f"column {name!r}: {len(words)} of {filled} values {verb} ({example}), read as "
                f"missing: {self.where(words)}"
            )
            notes.append(self.note("missing", name, words, text))
        if len(nothing):
            text = (
                f"column {name!r}: {counted(len(nothing), 'cell')} without a value "
                f"({self._examples(texts, nothing)}), read as missing: {self.where(nothing)}"
            )
            notes.append(self.note("missing", name, nothing, text))
        return self._numbers(name, np.concatenate(pieces), notes, as_numbers, how)

    def _examples(self, texts, rows):
        if not len(rows):
            return ""
        start, cells = 0, []
        for piece in texts:
            for row in rows[(rows >= start) & (rows < start + len(piece))][:200]:
                cell = repr(piece.raw[piece.codes[row - start]][:30])
                if cell not in cells:
                    cells.append(cell)
            start += len(piece)
        return ", ".join(cells[:3]) + (", ..." if len(cells) > 3 else "")

    def _units(self, name, units, numbers):
        if len(units) > 1:
            shown = ", ".join(f"{unit!r} ({example!r})" for unit, (_, example, _) in units.items())
            raise ValueError(
                f"Column {name!r} mixes units: {shown}. Convert them to one unit; --numeric "
                f"{name!r} takes the numbers as they stand, --categories {name!r} the texts."
            )
        unit, (count, example, _) = next(iter(units.items()))
        without = numbers - count
        if unit in ("%", "\u2030") and without > 0:
            raise ValueError(
                f"Column {name!r} has {counted(int(count), 'number')} with {unit!r} ({example!r}) "
                f"and {int(without)} without: write all of them alike; --numeric {name!r} takes "
                "the numbers as they stand."
            )
        text = f"column {name!r} holds numbers with the unit {unit!r}, which was taken off"
        if without:
            text += f"; {int(without)} of {int(numbers)} have none and are taken to be in the same"
        return [self.note("unit", name, (), text)]

    def _numbers(self, name, values, notes, forced, how=None):
        wrong = np.flatnonzero(~(np.abs(values) <= LARGEST) & ~np.isnan(values))
        if len(wrong):
            raise ValueError(
                f"Column {name!r} has infinite values or numbers beyond {LARGEST:g} in "
                f"{self.where(wrong)}; leave them empty instead."
            )
        if not forced:
            unit = self._epoch(name, values)
            if unit is not None:
                return Column(name, "date", from_epoch(values, unit), notes, {"epoch": unit})
        if np.isnan(values).all():
            notes = [*notes, self.note("empty", name, (), f"column {name!r} is empty")]
            return Column(name, "empty", pd.Series(values), notes)
        return Column(name, "number", pd.Series(values), notes, how or {})

    def _epoch(self, name, values):
        """The unit in which numbers count time, if they do."""
        filled = values[~np.isnan(values)]
        if len(filled) < 2:
            return None
        low, high = filled.min(), filled.max()
        for first, last, unit in _EPOCHS:
            if first <= low and high <= last:
                rising = np.mean(np.diff(filled) >= 0) > 0.9 and len(filled) >= _FEWEST
                named = (_DATE_NAME if unit == "excel" else _TIME_NAME).search(name)
                if named or (rising and high > low and unit != "excel"):
                    return unit
        compact = (low >= 19000101 and high <= 21001231) or (low >= 1.9e13 and high < 2.101e13)
        if compact and (filled == np.floor(filled)).all():
            some = [when(str(int(number))) for number in np.unique(filled)[:1000]]
            if all(moment is not None for moment in some):
                return "compact"
        return None

    def _about_categories(self, name, column):
        counts = column.value_counts()
        if len(counts) <= _MANY_CATEGORIES:
            return []
        rare = int((counts < RARE).sum())
        text = f"column {name!r} has {len(counts)} categories"
        if rare:
            text += f"; the {rare} of fewer than {RARE} parts each are grouped into one"
        return [self.note("categories", name, (), text)]

    def is_identifier(self, column, unnamed=False):
        """Whether a column counts or names the rows."""
        values = column.data
        filled = values.dropna()
        if len(filled) < _FEWEST:
            return unnamed and column.kind == "number"
        if unnamed and self.is_distinct(column):
            return True
        if column.kind == "category":
            return len(filled) >= len(values) / 2 and _differ(filled)
        if column.kind == "number" and filled.abs().max() >= 2**53:
            # Digits beyond those of a float make the difference of long serial numbers.
            return bool((filled == np.floor(filled)).all()) and _differ(self.text(column.name))
        return column.kind == "number" and self._counts(values.to_numpy())

    def _counts(self, values):
        """Whole numbers that rise, or fall, from row to row in each file."""
        for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True):
            part = values[start:stop]
            part = part[~np.isnan(part)]
            steps = np.diff(part)
            if (part != np.floor(part)).any() or not ((steps > 0).all() or (steps < 0).all()):
                return False
        return True

    def is_distinct(self, column):
        """Whether a column holds whole numbers that all differ, in no order."""
        if column.kind != "number":
            return False
        filled = column.data.dropna()
        head = filled.iloc[:_FEWEST]
        if len(filled) < _FEWEST or (head != np.floor(head)).any():
            return False
        return bool((filled == np.floor(filled)).all()) and filled.is_unique


def _differ(cells):
    """Whether nearly each cell occurs nowhere else."""
    return cells.nunique() >= _ID_SHARE * cells.notna().sum()


def _textual(table, name):
    column = table.frame[name]
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        return table.texts([name])[name]
    return column


def _filled(piece):
    cells = [cell or np.nan for cell in map(str.strip, piece.raw)]
    return np.array([*cells, np.nan], dtype=object)[piece.codes]


def _date_column(name, texts, moments):
    """Dates as seconds since 1970; the order of day and month is that which all dates allow."""
    order, note = _day_first(texts, moments)
    pieces = []
    for piece, found in zip(texts, moments, strict=True):
        seconds = np.array([seconds_of(moment, order) for moment in found] + [np.nan])
        pieces.append(seconds[piece.codes])
    values = pd.Series(np.concatenate(pieces))
    notes = []
    if note:
        text = f"column {name!r}: {note}"
        notes.append(Note("dates", name, (), text))
    return Column(name, "date", values, notes, {"day_first": bool(order)})


def _day_first(texts, moments):
    """Whether 5/7 is the fifth of July, and what is to be said of it."""
    open_ones = [m for found in moments for m in found if m is not None and not m.ordered]
    if any(m.a > 12 for m in open_ones):
        return True, ""
    if any(m.b > 12 for m in open_ones):
        return False, ""
    if not any(m.a != m.b for m in open_ones):
        return True, ""
    if any("." in cell for piece in texts for cell in piece.cells[:3]):
        return True, ""
    # The reading in which the file is nearer to being in order of time.
    rising = []
    for order in (True, False):
        seconds = np.concatenate(
            [
                np.array([seconds_of(m, order) for m in found] + [np.nan])[piece.codes]
                for piece, found in zip(texts, moments, strict=True)
            ]
        )
        rising.append(np.mean(np.diff(seconds[~np.isnan(seconds)]) >= 0))
    order = rising[0] >= rising[1]
    first = "day" if order else "month"
    return (
        order,
        f"the dates do not say whether day or month is first; the {first} is taken",
    )


def seconds_of(moment, day_first):
    """Seconds since 1970 of a moment, or since midnight without a date; NaN if there is none."""
    if moment is None:
        return np.nan
    day, month = (moment.a, moment.b) if moment.ordered or day_first else (moment.b, moment.a)
    if moment.year == 0:
        return moment.seconds
    try:
        date = np.datetime64(f"{moment.year:04d}-{month:02d}-{day:02d}", "D")
    except ValueError:
        return np.nan
    return float(date.astype(int)) * 86400.0 + moment.seconds


def from_epoch(values, unit):
    """Seconds since 1970 from numbers that count time in this unit."""
    if unit == "compact":
        different, codes = np.unique(values, return_inverse=True)
        seconds = [
            np.nan if np.isnan(number) else seconds_of(when(str(int(number))), True)
            for number in different
        ]
        return pd.Series(np.array(seconds)[codes])
    if unit == "excel":
        return pd.Series((values - 25569.0) * 86400.0)
    return pd.Series(values / 1000.0 if unit == "ms" else values)
