"""The layout of a CSV text: its separator, header line, and rows that are no parts."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from io import StringIO

import numpy as np

from ._cells import is_number_like
from ._notes import Note, at_lines, counted, did_you_mean, listed
from ._records import find_separator, first_records, records_of, usual_width

# Parts by which the kinds of columns are judged, before all of them are read.
FEW = 60
_MOST_COLUMNS = 20_000
# Rows that do not fit the header may be left out up to this share, or this number, of all rows.
_MOST_ODD_SHARE, _MOST_ODD = 0.02, 1
# A cell of more lines than this is taken for a quote that was not closed.
_MOST_LINES_OF_A_CELL = 50


@dataclass
class Within:
    """Where a block of a longer text lies: below the same header, as if nothing were between.

    Attributes
    ----------
    separator : str
    header_line : int
        Of the whole text.
    skipped : int
        Lines of the whole text that are left out between header and block, and before the header.
    """

    separator: str
    header_line: int
    skipped: int


@dataclass
class Layout:
    """Where in a text the table is.

    Attributes
    ----------
    separator : str
    names : list of str
        The header, one name a column; "" for a column without a name.
    header_line : int
    body : bytes
        Lines of cells that are parts, each with one cell a column, in UTF-8.
    lines : array of int
        The line of the file in which each part begins.
    sample : list of list of str
        The cells of the first parts.
    notes : list of Note
    """

    separator: str
    names: list
    header_line: int
    body: str
    lines: np.ndarray
    sample: list
    notes: list


def lay_out(source, target=None, tidy=True, within=None):
    """Find the table in a text.

    Parameters
    ----------
    source : Source
        With a text.
    target : str, default=None
        A column that the header must name; rows without a value in it are left out.
    tidy : bool, default=True
        Whether units, repeated headers and rows without a target may be left out. If not, all
        rows below the header belong to the table.
    within : Within, default=None
        Of a block of a longer text: how the whole is laid out. `target` then names a column of
        the header, and rows without a value in it belong to the table.

    Raises
    ------
    ValueError
        If there is no table, or rows do not fit it; one sentence that names the line.
    """
    if within is not None:
        try:
            return _Reader(source, source.text, 0, within.separator, target, tidy, within).layout()
        except csv.Error as error:
            raise ValueError(f"{source.name} is not a CSV file: {error!s}.") from None
    text, skipped = source.text, 0
    separator = "," if source.sheet else None
    first, _, rest = text.partition("\n")
    honoured = re.fullmatch(r'"?sep=(.)"?[\s,;]*', first)
    if honoured and not source.sheet:
        separator, text, skipped = honoured[1], rest, 1
        if not text.strip() or separator in '"\n':
            raise ValueError(f"{source.name} has a line 'sep=' but no table below it.")
    separator = separator or find_separator(text, target)
    try:
        return _Reader(source, text, skipped, separator, target, tidy).layout()
    except csv.Error as error:
        raise ValueError(f"{source.name} is not a CSV file: {str(error).rstrip('.')}.") from None


class _Reader:
    """One pass over the records of a text."""

    def __init__(self, source, text, skipped, separator, target, tidy, within=None):
        self.source, self.name, self.text = source, source.name, text
        self.skipped, self.separator, self.target, self.tidy = skipped, separator, target, tidy
        self.notes, self.within = [], within
        if within is not None:
            self.skipped = within.skipped

    def note(self, kind, lines, text):
        self.notes.append(Note(kind, None, tuple(lines), text))

    def layout(self):
        entries = first_records(self.text, self.separator, self.source.sheet)
        if not entries:
            raise ValueError(
                f"{self.name} is not a CSV file: its first cell has more than "
                f"{csv.field_size_limit()} characters."
            )
        head = [row for _, row in entries]
        self.width = usual_width(head)[0]
        self.header, self.header_index = self._header(head)
        self.first_line = entries[self.header_index][0]
        self.header_line = self.first_line + self.skipped
        if self.within is not None:
            self.header_line = self.within.header_line
        self._check_header(head)
        if self.tidy and self.target is not None and self.target not in self.header:
            raise ValueError(
                f"{self.name} has no column {self.target!r}; its columns are "
                f"{listed(self.header)}{did_you_mean(self.target, self.header) or '.'}"
            )
        place = self.header.index(self.target) if self.target in self.header else None
        self.place = place if self.tidy and self.within is None else None
        sample = [row for row in head[self.header_index + 1 :] if len(row) == self.width]
        self.numeric = _numeric_columns(sample[:FEW], self.width) if self.tidy else []
        self.titles, self.repeated, self.unlabelled, self.odd = [], [], [], []
        self.changed = {}  # line: cells of a part that do not stand like that in the text
        # A text without quotes has one record a line, and most lines need no second look.
        self.by_lines = '"' not in self.text and not self.source.sheet and self.separator.isascii()
        lines = self._parts_by_lines() if self.by_lines else self._parts_by_records()
        lines = self._units(entries[self.header_index + 1 :][:3], lines, sample)
        lines = self._odd_rows(lines)
        self._say()
        if not len(lines):
            if self.unlabelled:
                raise ValueError(
                    f"Column {self.target!r} of {self.name} has no value at all; a comparison "
                    "needs two classes."
                )
            raise ValueError(f"{self.name} has a header line but no rows.")
        return Layout(
            self.separator,
            self.header,
            self.header_line,
            self._body(lines),
            lines + self.skipped,
            sample,
            self.notes,
        )

    def _header(self, head):
        """The cells of the header, and its place among the records that are not blank."""
        for index, row in enumerate(head[:100]):
            cells = [cell.strip() for cell in row]
            if self.target in cells and (len(cells) > 1 or self.width == 1):
                return cells, index
        if not self.tidy:
            return [cell.strip() for cell in head[0]], 0
        for index, row in enumerate(head[:100]):
            cells = [cell.strip() for cell in row]
            if sum(map(bool, cells)) > self.width / 2 and len(cells) >= min(2, self.width):
                return cells, index
        return [cell.strip() for cell in head[0]], 0

    def _check_header(self, head):
        header = list(self.header)
        while header and not header[-1]:
            header.pop()
        below = [row for row in head[self.header_index + 1 :] if len(row) > len(header)]
        extra = [row for row in below if any(cell.strip() for cell in row[len(header) :])]
        if extra and len(extra) > max(_MOST_ODD, _MOST_ODD_SHARE * len(head)):
            raise ValueError(
                f"{self.name} is not a CSV file, or has rows with more cells than the header: the "
                f"header line has {counted(len(header), 'cell')}, rows below it {len(extra[0])}"
                f"{self._about_commas(extra)}."
            )
        self.width = max(len(header), 1)
        if self.width > _MOST_COLUMNS:
            raise ValueError(
                f"{self.name} has {self.width} columns; at most {_MOST_COLUMNS} are read."
            )
        self.header = header or [""]

    def _about_commas(self, extra):
        if self.separator == "," and all(is_number_like(c) for c in extra[0][:2]):
            return (
                "; if its numbers have decimal commas, separate the cells by semicolons or put "
                "the numbers in quotes"
            )
        return ""

    def _parts_by_records(self):
        """Lines of the records that are parts; the others are sorted into their lists."""
        lines, previous = [], 0
        try:
            for line, row in records_of(self.text, self.separator, self.source.sheet):
                if not self.source.sheet and line - previous > _MOST_LINES_OF_A_CELL:
                    self._refuse_quote(previous)
                previous = line
                if self._is_part(line, row):
                    lines.append(line)
        except csv.Error as error:
            if "field larger" in str(error):
                self._refuse_quote(previous)
            raise ValueError(
                f"{self.name} is not a CSV file: {str(error).rstrip('.')} near line "
                f"{previous + self.skipped}."
            ) from None
        if not self.source.sheet:
            self._check_last_quote(previous)
        return np.array(lines, dtype=np.int64)

    def _parts_by_lines(self):
        """The same, where only lines with a wrong count of cells or an empty one are looked at."""
        split, mark, usual = self.text.split("\n"), self.separator, self.width - 1
        double, after, before, edges = mark * 2, f"{mark} ", f" {mark}", (mark, " ", "")
        header, lines, spaced = split[self.first_line - 1], [], " " in self.text
        for line, text in enumerate(split, 1):
            plain = (
                text.count(mark) == usual
                and double not in text
                and text[:1] not in edges
                and text[-1:] not in edges
                and not (spaced and (after in text or before in text))
                and text != header
                and line > self.first_line
            )
            if plain or self._is_part(line, text.split(mark)):
                lines.append(line)
        return np.array(lines, dtype=np.int64)

    def _is_part(self, line, row):
        """Whether a record is a part; if not, it goes to the list of what it is."""
        if len(row) != self.width:
            cells = list(row)
            while len(cells) > self.width and not cells[-1].strip():
                cells.pop()
            if len(cells) == self.width:
                self.changed[line] = cells
            row = cells
        if line == self.first_line or not any(cell.strip() for cell in row):
            return False
        if self.source.sheet and line > self.first_line and len(row) < self.width:
            # Where a row of a sheet ends, the cells are empty.
            row = self.changed[line] = row + [""] * (self.width - len(row))
        if line < self.first_line:
            self.titles.append((line, row))
        elif len(row) != self.width:
            self.odd.append((line, row))
        elif self.tidy and row[0].strip() == self.header[0] and _same(row, self.header):
            self.repeated.append(line)
        elif self.place is not None and not row[self.place].strip():
            self.unlabelled.append((line, row))
        else:
            return True
        return False

    def _say(self):
        def at(entries):
            return [line + self.skipped for line, _ in entries]

        if self.titles:
            first = self.separator.join(cell for cell in self.titles[0][1] if cell.strip())[:60]
            self.note(
                "title",
                at(self.titles),
                f"{at_lines(at(self.titles))} above the header in line {self.header_line} "
                f"{'is' if len(self.titles) == 1 else 'are'} left out: {first!r}",
            )
        if self.repeated:
            places = [line + self.skipped for line in self.repeated]
            self.note("header", places, f"the header is repeated in {at_lines(places)}; left out")
        if self.unlabelled:
            places = at(self.unlabelled)
            self.note(
                "unlabelled",
                places,
                f"left out {counted(len(places), 'row')} that "
                f"{'has' if len(places) == 1 else 'have'} no value in {self.target!r}: "
                f"{at_lines(places)}",
            )

    def _units(self, below, lines, sample):
        """Leave out rows of units below the header: no number where all other rows have one."""
        without_class = {line for line, _ in self.unlabelled}
        unit_lines, examples = [], []
        classes = Counter(row[self.place].strip() for row in sample if self.place is not None)
        for line, row in below if self.tidy else ():
            filled = [row[j].strip() for j in self.numeric if j < len(row) and row[j].strip()]
            no_part = line in without_class or (
                self.place is not None
                and len(row) == self.width
                and (
                    re.fullmatch(r"\W*|\[.*\]|\(.*\)", row[self.place].strip())
                    or classes[row[self.place].strip()] <= 1
                )
            )
            if not filled or not no_part or any(map(is_number_like, filled)):
                break
            unit_lines.append(line)
            examples += filled[:3]
        if not unit_lines:
            return lines
        places = [line + self.skipped for line in unit_lines]
        shown = ", ".join(repr(cell) for cell in examples[:3])
        self.note(
            "units row", places, f"{at_lines(places)} looks like units and is left out: {shown}"
        )
        self.unlabelled = [entry for entry in self.unlabelled if entry[0] not in unit_lines]
        return lines[~np.isin(lines, unit_lines)]

    def _odd_rows(self, lines):
        """Rows of another number of cells: a footer, filled up with missing cells, or left out."""
        if not self.odd:
            return lines
        classes = self._classes(lines) if self.place is not None else None
        filled = [entry for entry in self.odd if self._fits(entry[1], classes)]
        wrong = [entry for entry in self.odd if not self._fits(entry[1], classes)]
        last = max([0, *lines[-1:], *(line for line, _ in filled)])
        footer = []
        if self.tidy:
            footer = [(at, row) for at, row in wrong if at > last and sum(map(bool, row)) <= 2]
        if footer:
            places = [line + self.skipped for line, _ in footer]
            first = self.separator.join(cell for cell in footer[0][1] if cell.strip())[:60]
            self.note(
                "footer",
                places,
                f"{at_lines(places)} below the table {'is' if len(places) == 1 else 'are'} left "
                f"out: {first!r}",
            )
        wrong = wrong[: len(wrong) - len(footer)]
        if wrong:
            self._judge_wrong(wrong, len(lines) + len(filled))
        if filled:
            places = [line + self.skipped for line, _ in filled]
            self.note(
                "short",
                places,
                f"{counted(len(places), 'row')} {'has' if len(places) == 1 else 'have'} fewer "
                f"cells than the header; the missing cells are read as empty: {at_lines(places)}",
            )
            for line, row in filled:
                self.changed[line] = row + [""] * (self.width - len(row))
            lines = np.sort(np.concatenate([lines, [line for line, _ in filled]]))
        return lines

    def _fits(self, row, classes):
        """Whether a short row lacks cells at its end alone: the others are of the right kind."""
        if len(row) > self.width:
            return False
        if classes is not None and not (self.place < len(row) and row[self.place] in classes):
            return False
        cells = [row[j] for j in self.numeric if j < len(row)]
        return all(not cell.strip() or is_number_like(cell) for cell in cells)

    def _classes(self, lines):
        kept = set(lines.tolist())
        return {row[self.place] for line, row in self._all() if line in kept}

    def _all(self):
        """(line, cells) of all records."""
        if self.by_lines:
            lines = enumerate(self.text.split("\n"), 1)
            return ((line, text.split(self.separator)) for line, text in lines)
        return records_of(self.text, self.separator, self.source.sheet)

    def _judge_wrong(self, wrong, n_good):
        """Leave out a few rows that do not fit; refuse the file if they are many."""
        line, row = wrong[0]
        has = f"line {line + self.skipped} has {counted(len(row), 'cell')}"
        if not self.tidy or len(wrong) > max(_MOST_ODD, _MOST_ODD_SHARE * n_good):
            if len(row) > self.width:
                what = "rows with more cells than the header"
                hint = "a cell that holds the separator must stand in quotes."
            else:
                what = "rows with fewer cells than the header"
                hint = "is the header further down, or was a cell lost?"
            raise ValueError(
                f"{self.name} is not a CSV file, or has {what}: {has}, the header line "
                f"{self.header_line} has {self.width}{self._about_commas([row])}; {hint}"
            )
        places = [line + self.skipped for line, _ in wrong]
        self.note(
            "rows",
            places,
            f"left out {counted(len(places), 'row')} whose cells do not fit the header: {has}, "
            f"the header {self.width}" + (f" (all: {at_lines(places)})" if len(places) > 1 else ""),
        )

    def _refuse_quote(self, line):
        raise ValueError(
            f"{self.name} has a quote in line {line + self.skipped} that is not closed: the cell "
            "would go on over many lines; add the closing quote or remove the opening one."
        )

    def _check_last_quote(self, line):
        """Refuse a quote of the last record that nothing closes."""
        tail = "\n".join(self.text.split("\n")[line - 1 :])
        try:
            list(csv.reader(StringIO(tail), delimiter=self.separator, strict=True))
        except csv.Error as error:
            if "unexpected end" in str(error):
                self._refuse_quote(line)

    def _body(self, lines):
        """The text of the parts alone, as UTF-8."""
        if self.by_lines and not self.changed:
            split = self.text.split("\n")
            first, last = int(lines[0]) - 1, int(lines[-1])
            if last - first == len(lines):
                return "\n".join(split[first:last]).encode()
            return "\n".join([split[line - 1] for line in lines]).encode()
        written = StringIO()
        writer = csv.writer(written, delimiter=self.separator, lineterminator="\n")
        kept = set(lines.tolist())
        for line, row in self._all():
            if line in kept:
                writer.writerow(self.changed.get(line, row))
        return written.getvalue().encode()


def _same(row, header):
    return [cell.strip() for cell in row] == header


def _numeric_columns(sample, width):
    """Columns of which four of five filled cells of the sample look like numbers."""
    found = []
    for j in range(width):
        filled = [row[j] for row in sample if j < len(row) and row[j].strip()]
        if filled and sum(map(is_number_like, filled)) >= 0.8 * len(filled):
            found.append(j)
    return found
