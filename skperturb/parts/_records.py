"""The records of a CSV text, and the separator of their cells."""

import csv
from collections import Counter
from io import StringIO

import numpy as np

# In this order where two explain the text equally well.
_SEPARATORS = "\t;|,"
# Records by which separator and header are found.
_SAMPLE = 300
# Characters of the text in which they are looked for.
_HEAD = 2_000_000


def records_of(text, separator, by_record=False):
    """Yield (line, cells) for each record, blank ones too."""
    reader = csv.reader(StringIO(text), delimiter=separator)
    line = 1
    for number, row in enumerate(reader, 1):
        yield (number if by_record else line), row
        line = reader.line_num + 1


def plain_lines(text, separator, width):
    """Which lines have this many cells, none of them empty or with a space at an end (n_lines,).

    For a separator that is ASCII: in UTF-8 its byte is part of no other character.
    """
    # Between line ends, so that each character has a neighbour on either side.
    data = np.frombuffer(f"\n{text}\n".encode("utf-8", "surrogatepass"), dtype=np.uint8)
    stop, space, end = ord(separator), ord(" "), ord("\n")
    stops, ends = np.flatnonzero(data == stop), np.flatnonzero(data == end)
    starts, ends = ends[:-1] + 1, ends[1:]
    counts = np.diff(np.searchsorted(stops, ends), prepend=0)
    plain = (counts == width - 1) & (ends > starts)
    # A cell is empty, or has a space at an end, only at one of these places.
    first, last = data[starts], data[ends - 1]
    plain &= (first != stop) & (first != space) & (last != stop) & (last != space)
    spaces = np.flatnonzero(data == space)
    odd = [
        stops[:-1][np.diff(stops) == 1],
        spaces[(data[spaces - 1] == stop) | (data[spaces + 1] == stop)],
    ]
    plain[np.searchsorted(ends, np.concatenate(odd))] = False
    return plain


def first_records(text, separator, by_record=False, most=_SAMPLE):
    """(line, cells) of the first records that are not blank."""
    found = []
    try:
        for line, row in records_of(text[:_HEAD], separator, by_record):
            if any(cell.strip() for cell in row):
                found.append((line, row))
            if len(found) > most:
                break
    except csv.Error:
        pass
    # The last one may have been cut off.
    return found[:most] if len(found) > most or len(text) <= _HEAD else found[:-1]


def find_separator(text, target):
    """The separator by which most records have the same number of cells, two at least."""
    best, chosen = (False, 0.0, 0), ","
    for separator in _SEPARATORS:
        rows = [row for _, row in first_records(text, separator)]
        if not rows:
            continue
        width, count = usual_width(rows)
        if width < 2:
            continue
        named = target is not None and any(target in map(str.strip, row) for row in rows)
        score = (named, round(count / len(rows), 3), 0)
        if score > best:
            best, chosen = score, separator
    return chosen


def usual_width(rows):
    """(number of cells of most records, how many records have it); the larger of two."""
    counts = Counter(len(row) for row in rows)
    return max(counts.items(), key=lambda entry: (entry[1], entry[0]))
