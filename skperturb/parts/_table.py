"""A file as a table: columns of plain numbers, all other cells as text, and its decimal mark."""

import csv
from io import BytesIO, StringIO

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from ._cells import PLAIN, evidence, is_empty_word, is_number_like, normal, number, value
from ._layout import FEW, lay_out
from ._notes import Note, counted

_PANDAS = tuple(map(int, pd.__version__.split(".")[:2]))
# A column of numbers is one of which this share of the filled cells are numbers.
NEARLY_ALL, MOST = 0.95, 0.5
# Cells of a column by which its marks are judged first.
_SOME_CELLS = 2000
# The option by which pandas reads the number nearest to the digits; later it is the default.
_EXACT = {} if _PANDAS >= (3, 1) else {"float_precision": "round_trip"}
_OTHER = {".": ",", ",": "."}


class Texts:
    """A column of text: its different cells once, and where they stand."""

    def __init__(self, column):
        codes, raw = pd.factorize(column)
        self.raw = [str(cell) for cell in raw]
        self.cells = [normal(cell) for cell in self.raw]
        self.empty = np.array([not cell for cell in self.cells] + [True])
        codes = np.where(codes < 0, len(self.raw), codes)
        self.codes = codes
        self.counts = np.bincount(codes, minlength=len(self.raw) + 1)

    def __len__(self):
        return len(self.codes)

    def values(self, decimal):
        """Return the number of each different cell, NaN for what is none."""
        numbers = np.full(len(self.raw) + 1, np.nan)
        self.unusual = []  # places of cells with other marks than a decimal point, or a unit
        for i, cell in enumerate(self.cells):
            if PLAIN.fullmatch(cell) and (decimal == "." or "." not in cell):
                numbers[i] = float(cell)
                continue
            self.unusual.append(i)
            parsed = number(cell)
            found = None if parsed is None else value(parsed, decimal)
            if found is not None:
                numbers[i] = found
        return numbers

    def add_units(self, units, numbers):
        """Add the units to a dictionary: unit to (number of cells, an example, whether known)."""
        for i in self.unusual:
            parsed = number(self.cells[i])
            if parsed is not None and parsed.unit and not np.isnan(numbers[i]):
                count, example, _ = units.get(parsed.unit, (0, self.raw[i], True))
                units[parsed.unit] = (count + self.counts[i], example, parsed.known)

    def marks(self):
        """Return the kinds of evidence of the decimal mark, and an example of each."""
        found = {}
        for i, cell in enumerate(self.cells):
            parsed = number(cell)
            if parsed is not None:
                found.setdefault(evidence(parsed), self.raw[i])
            if i == _SOME_CELLS and ("." in found or "," in found):
                break
        return found

    def is_mostly_numbers(self):
        """Whether half of the filled cells are numbers, whatever their marks."""
        if not self.cells:
            return False
        sure = np.array([is_number_like(cell) for cell in self.cells[:_SOME_CELLS]])
        counts = self.counts[: len(sure)]
        empty = np.array([is_empty_word(cell) for cell in self.cells[:_SOME_CELLS]])
        return counts[sure].sum() >= MOST * max(counts[~empty].sum(), 1) and sure.any()


class Table:
    """One file: ``frame`` has columns of plain numbers, and text (objects, NaN where empty).

    ``decimal`` is its decimal mark, ``own`` that of columns that have another one, ``lines`` the
    line of the file in which each row begins.
    """

    def __init__(self, source, target, as_text=()):
        self.name, self.notes = source.name, list(source.notes)
        self.decimal, self.own = ".", {}
        self._layout = self._kept = None
        self._as_text = set(as_text) if source.frame is None else set()
        if source.frame is not None:
            self._of_frame(source.frame)
        else:
            self._of_text(source, target, set(as_text))
        self._leave_out_unlabelled(target)

    def texts(self, names):
        """Return columns as they stand in the file."""
        if all(name in self._as_text for name in names):
            return self.frame[names]
        if self._layout is not None:
            found = parse(self._layout, names, dtype=str)
        else:
            found = pd.DataFrame({name: _as_text(self._columns[name]) for name in names})
        return found if self._kept is None else found[self._kept].reset_index(drop=True)

    def _of_frame(self, frame):
        self.names = [str(name).strip() for name in frame.columns]
        self._check_names(self.names)
        self.unnamed = {name for name in self.names if name.startswith("__index_level_")}
        self.lines = np.arange(1, len(frame) + 1)
        self._columns = dict(zip(self.names, (frame[name] for name in frame), strict=True))
        self.frame = pd.DataFrame(
            {
                name: pd.Series(column.to_numpy(float, na_value=np.nan))
                if is_numeric_dtype(column) and not is_bool_dtype(column)
                else _as_text(column)
                for name, column in self._columns.items()
            }
        )

    def _of_text(self, source, target, as_text):
        layout = self._layout = lay_out(source, target)
        self.notes += layout.notes
        self.lines = layout.lines
        self.separator, self.sheet = layout.separator, source.sheet
        self._check_names([name for name in layout.names if name])
        self._name_the_unnamed()
        guess = "." if source.sheet else _guess(layout.sample[:FEW])
        types = dict.fromkeys(as_text & set(layout.names), str)
        frame = parse(layout, layout.names, decimal=guess, dtype=types)
        empty = [name for name in self.unnamed if not frame[name].notna().any()]
        if empty:
            what = "column that has" if len(empty) == 1 else "columns that have"
            self.notes.append(
                Note("unnamed", None, (), f"left out {len(empty)} empty {what} no name")
            )
        self.names = [name for name in layout.names if name not in empty]
        self.frame = frame[self.names]
        self._decide_marks(guess, as_text)
        self._say_codes(as_text)

    def _leave_out_unlabelled(self, target):
        """Rows without a class that the layout has not seen."""
        if target not in self.names:
            return
        labels = self.texts([target])[target].str.strip()
        missing = (labels.isna() | (labels == "")).to_numpy()
        if missing.any():
            places = self.lines[missing].tolist()
            text = f"left out {counted(len(places), 'row')} that have no value in {target!r}"
            self.notes.append(Note("unlabelled", None, tuple(places), text))
            self._kept, self.frame = ~missing, self.frame[~missing].reset_index(drop=True)
            self.lines = self.lines[~missing]

    def _name_the_unnamed(self):
        names, given = [], set(self._layout.names)
        self.unnamed = set()
        for place, name in enumerate(self._layout.names, 1):
            if not name:
                name = f"column {place}"
                while name in given:
                    name += "_"
                self.unnamed.add(name)
            names.append(name)
        self._layout.names = names

    def _say_codes(self, as_text):
        """Whole numbers with leading zeros may be codes."""
        for place, name in enumerate(self._layout.names):
            cells = [row[place].strip() for row in self._layout.sample[:FEW]]
            codes = [cell for cell in cells if cell[:1] == "0" and len(cell) > 1 and cell.isdigit()]
            if codes and name not in as_text and is_numeric_dtype(self.frame.get(name)):
                text = (
                    f"column {name!r} has leading zeros ({codes[0]!r}), which numbers do not keep; "
                    f"--categories {name!r} reads it as codes"
                )
                self.notes.append(Note("codes", name, (), text))

    def _check_names(self, names):
        seen = set()
        for name in names:
            if name in seen:
                raise ValueError(f"{self.name} has several columns called {name!r}; rename them.")
            seen.add(name)

    def _decide_marks(self, guess, as_text):
        """Which mark separates decimals, consistently for the file; what deviates is noted."""
        found = {}
        for name in self.names:
            if name in as_text:
                continue
            column = self.frame[name]
            if is_numeric_dtype(column):
                if is_bool_dtype(column) or not _may_be_thousands(column.to_numpy(float)):
                    if _has_fractions(column.to_numpy(float)):
                        found[name] = {guess: None}
                    continue
                if self.sheet:
                    continue
                texts = Texts(self.texts([name])[name])
            else:
                texts = Texts(column)
                if not texts.is_mostly_numbers():
                    continue
            found[name] = texts.marks()
        sure = {m: [name for name, kinds in found.items() if m in kinds] for m in ".,"}
        mixed = {name: _mix(kinds) for name, kinds in found.items()}
        if sure["."] or sure[","]:
            # More columns decide; of equally many the guess from the first rows.
            self.decimal = max(".,", key=lambda mark: (len(sure[mark]), mark == guess))
        elif any(mixed.values()):
            self.decimal = _OTHER[next(filter(None, mixed.values()))]
        elif any("?," in kinds for kinds in found.values()):
            self.decimal = ","
        self._say_marks(found, sure, mixed)
        # What was read under another mark than that of the file is text again.
        for name, kinds in found.items():
            decimal = self.own.get(name, self.decimal)
            if is_numeric_dtype(self.frame[name]) and decimal != guess and f"?{guess}" in kinds:
                self.frame[name] = self.texts([name])[name]

    def _say_marks(self, found, sure, mixed):
        decimal, other = self.decimal, _OTHER[self.decimal]
        certain = bool(sure["."] or sure[","])
        if decimal == "," and sure[","]:
            name = sure[","][0]
            what = (
                f"column {name!r} is"
                if len(sure[","]) == 1
                else (f"{len(sure[','])} columns, such as {name!r}, are")
            )
            self.notes.append(
                Note("decimal", None, (), f"{what} read as numbers with decimal commas")
            )
        for name, kinds in found.items():
            if decimal not in kinds and other in kinds:
                self.own[name] = other
                text = (
                    f"column {name!r} has decimals with {other!r} ({kinds[other]!r}), other "
                    f"columns with {decimal!r}; each is read in its own way"
                )
                self.notes.append(Note("marks", name, (), text))
            elif f"?{other}" in kinds and certain:
                example = kinds[f"?{other}"]
                text = f"column {name!r} has {other!r} between thousands: {example!r}"
                self.notes.append(Note("thousands", name, (), text))
            elif f"?{other}" in kinds and mixed[name]:
                example = kinds[f"?{other}"]
                text = (
                    f"column {name!r} is taken to have {other!r} between thousands, because "
                    f"numbers below 1000 have none: {example!r} is read as a whole number; write "
                    "all decimals if this is wrong"
                )
                self.notes.append(Note("thousands", name, (), text))
            elif (
                f"?{decimal}" in kinds
                and decimal not in kinds
                and self._doubt(mixed[name], certain)
            ):
                example = kinds[f"?{decimal}"]
                text = (
                    f"column {name!r} may have {decimal!r} between thousands or before decimals; "
                    f"{example!r} is read as a number with three decimals"
                )
                self.notes.append(Note("ambiguous", name, (), text))

    def _doubt(self, mixed, certain):
        if mixed:
            return True
        return not certain and not (self.decimal == "." and self.separator == ",")


def parse(layout, names, **options):
    """Columns as pandas reads them; only an empty cell is missing."""
    try:
        frame = pd.read_csv(
            BytesIO(layout.body),
            sep=layout.separator,
            header=None,
            names=layout.names,
            usecols=names,
            index_col=False,
            na_values=[""],
            keep_default_na=False,
            low_memory=False,
            **_EXACT,
            **options,
        )
        if len(frame) == len(layout.lines):
            text = [name for name in names if not is_numeric_dtype(frame[name])]
            return frame[names].astype(dict.fromkeys(text, object))
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError, OverflowError):
        pass
    # Where pandas splits the text in another way than the layout, the layout is right.
    rows = [
        row
        for row in csv.reader(StringIO(layout.body.decode()), delimiter=layout.separator)
        if any(cell.strip() for cell in row)
    ]
    frame = pd.DataFrame(rows, columns=layout.names, dtype=object)
    return frame[names].where(frame[names] != "", np.nan)


def _guess(sample):
    """The decimal mark of most numbers in the first rows."""
    counts = {".": 0, ",": 0}
    for row in sample:
        for cell in row:
            if "," in cell or "." in cell:
                parsed = number(normal(cell))
                kind = "" if parsed is None else evidence(parsed)
                if kind in counts:
                    counts[kind] += 1
    return "," if counts[","] > counts["."] else "."


def _mix(kinds):
    """The mark that seems to separate thousands: numbers below 1000 have none, all others one."""
    marks = [kind[1] for kind in kinds if kind.startswith("?")]
    if len(marks) == 1 and "" in kinds and not {"0", ".", ","} & set(kinds):
        return marks[0]
    return None


def _may_be_thousands(values):
    """Whether all numbers with a fraction could be whole numbers of thousands."""
    values = np.abs(values[np.isfinite(values)])
    broken = values[values != np.floor(values)]
    if not len(broken):
        return False
    head = broken[:_SOME_CELLS]
    for part in (head, broken):
        thousandths = part * 1000
        if part.min() < 1 or part.max() >= 1000:
            return False
        if not np.allclose(thousandths, np.round(thousandths), rtol=1e-12, atol=0):
            return False
        # Of three decimals one in ten ends with 0.
        hundredths = np.isclose(part * 100, np.round(part * 100), rtol=1e-12, atol=0)
        if hundredths.mean() > 0.5:
            return False
    return True


def _has_fractions(values):
    values = values[np.isfinite(values)]
    return bool(len(values)) and bool((values != np.floor(values)).any())


def _as_text(column):
    """A column of a frame with types of its own as text, NaN where there is no value."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, different = column.cat.codes, column.cat.categories
    elif is_numeric_dtype(column):
        codes, different = pd.factorize(column)
    else:
        codes, different = None, column
    cells = ["" if pd.api.types.is_scalar(c) and pd.isna(c) else _cell(c) for c in different]
    texts = pd.Series([cell or np.nan for cell in cells], dtype=object)
    if codes is None:
        return texts
    return pd.Series(np.append(texts.to_numpy(object), np.nan)[codes], dtype=object)


def cells_of_frame(frame):
    """The cells of a frame as rows of text, "" where there is no value."""
    columns = [_as_text(frame.iloc[:, place]).fillna("") for place in range(frame.shape[1])]
    return [list(row) for row in zip(*columns, strict=True)]


def _cell(value):
    if isinstance(value, pd.Timestamp):
        return value.isoformat(sep=" ")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
