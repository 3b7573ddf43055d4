"""Parquet files of parts that are never in memory as a whole.

What each column is, is judged on a sample of the rows, as ``read_parts`` judges all of them. Then
all rows are read by this judgement, block by block, as ``predict`` reads new parts; a cell that
does not fit it is counted, or refused.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from ._blocks import BlockReader
from ._labels import check_target
from ._notes import Note, counted
from ._parquet import opened, row_batches
from ._parts import check_roles, check_same_names, parts_of
from ._schema import FeatureColumn
from ._sources import Source, shown
from ._table import Table

_SAMPLE = 20_000  # rows by which columns are judged


class FileBlock(NamedTuple):
    """Some rows of one of the files, all of which have a class.

    Attributes
    ----------
    features : DataFrame of shape (n, n_features)
        As ``Parts`` has them.
    labels : Categorical of shape (n,)
    weight : ndarray of shape (n,) or None
    lots : ndarray of shape (n,) or None
    file : int
        The place of the file.
    rows : ndarray of shape (n,), int
        Numbers of the rows in the file, the first being 0.
    """

    features: pd.DataFrame
    labels: pd.Categorical
    weight: np.ndarray | None
    lots: np.ndarray | None
    file: int
    rows: np.ndarray


@dataclass(frozen=True)
class PartFiles:
    """Files of parts, and what they hold.

    Attributes
    ----------
    files : tuple of str
        Their names.
    sizes : ndarray of shape (n_files,), int
        How many rows each has.
    roles : dict of str to (str or None)
        The columns that are no features, by what they are.
    columns : tuple of FeatureColumn
        The features. Quantiles are those of the sample, all else is of all rows.
    notes : tuple of Note
    counts : dict of str to int
        How many parts each class has.
    weights : dict of str to float
        The sum of their weights.
    units_of : dict of str to set
        The lots that have parts of a class, or the places of the files if there are no lots.
    lots : Counter or None
        How many parts each lot has.
    """

    files: tuple[str, ...]
    sizes: np.ndarray
    roles: dict
    columns: tuple[FeatureColumn, ...]
    notes: tuple[Note, ...]
    counts: dict = field(default_factory=dict)
    weights: dict = field(default_factory=dict)
    units_of: dict = field(default_factory=dict)
    lots: Counter | None = None

    @property
    def source(self) -> str:
        """The name of the only file, or the folder of several and how many there are."""
        if len(self.files) == 1:
            return shown(self.files[0])
        folder = os.path.commonpath([os.path.dirname(name) or "." for name in self.files])
        return f"{counted(len(self.files), 'file')} of {shown(os.path.basename(folder) or folder)}"

    def blocks(self) -> Iterator[FileBlock]:
        """Read all rows that have a class, block by block.

        Yields
        ------
        FileBlock
        """
        yield from self._blocks(self._reader())

    def _reader(self):
        weight = self.roles["weight"]
        numbers = [] if weight is None else [FeatureColumn(weight, "number", forced=True)]
        return BlockReader(
            self.files,
            [*self.columns, *numbers],
            copy=[name for name in (self.roles["target"], self.roles["groups"]) if name],
            training=True,
        )

    def _blocks(self, reader):
        target, groups, name = (self.roles[role] for role in ("target", "groups", "weight"))
        features = [column.name for column in self.columns]
        for block in reader.blocks():
            codes, names = _stripped(block.copied[target])
            kept = codes >= 0
            if not kept.any():
                continue
            lots = weight = None
            if groups is not None:
                lot_codes, lot_names = _stripped(block.copied[groups])
                self._refuse(groups, (lot_codes < 0) & kept, block, "names no lot")
                lots = lot_names[lot_codes[kept]]
            if name is not None:
                weight = block.features[name].to_numpy()
                self._refuse(name, ~(weight >= 0) & kept, block, "holds no weight from 0 on")
                weight = weight[kept]
            labels = pd.Categorical.from_codes(codes[kept], categories=names)
            rows = np.asarray(block.lines)[kept] - 1
            table = block.features[features]
            table = table if kept.all() else table[kept].reset_index(drop=True)
            yield FileBlock(table, labels, weight, lots, block.file, rows)

    def _refuse(self, column, wrong, block, what):
        if wrong.any():
            line = int(block.lines[np.flatnonzero(wrong)[0]])
            raise ValueError(
                f"Column {column!r} of {shown(self.files[block.file])} {what} in line {line:,}: "
                "fill it in."
            )


def read_part_files(
    files: Sequence[str],
    target: str,
    *,
    numeric: Sequence[str] = (),
    categories: Sequence[str] = (),
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    groups: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    today: str | None = None,
    random_state: int = 0,
) -> PartFiles:
    """Judge Parquet files by a sample, and count what they hold, in two passes.

    Parameters
    ----------
    files : sequence of str
        Files with the same columns.
    target, numeric, categories, keep, drop, groups, time, weight, today
        As for ``read_parts``.
    random_state : int, default=0
        Seed of the sample.

    Raises
    ------
    ValueError
        As ``read_parts`` does.
    """
    roles = {"target": target, "groups": groups, "time": time, "weight": weight, "today": today}
    check_roles(roles, {"keep": keep, "numeric": numeric, "categories": categories}, drop)
    sizes = np.array([_size(path) for path in files])
    drawn = _drawn(sizes, random_state)
    tables = [
        _sampled(path, rows, target) for path, rows in zip(files, drawn, strict=True) if len(rows)
    ]
    if not tables:
        raise ValueError(f"{shown(files[0])} has no parts.")
    check_same_names(tables)
    sample = parts_of(tables, roles, numeric, categories, keep, drop, sampled=True)
    held = PartFiles(tuple(map(str, files)), sizes, roles, sample.columns, sample.notes)
    n_sample = len(sample.target)
    del tables, sample  # before the next pass
    return _counted(held, n_sample)


def _size(path):
    with opened(path, shown(path)) as file:
        return file.metadata.num_rows


def _drawn(sizes, seed):
    """The numbers of the rows of the sample in each file."""
    n, ends = int(sizes.sum()), np.cumsum(sizes)
    chosen = np.arange(n)
    if n > _SAMPLE:
        chosen = np.sort(np.random.default_rng(seed).choice(n, _SAMPLE, replace=False))
    cuts = np.searchsorted(chosen, [0, *ends])
    return [chosen[a:b] - start for a, b, start in zip(cuts, cuts[1:], ends - sizes, strict=False)]


def _sampled(path, rows, target):
    """A table of some rows of a file, which know their lines."""
    frames, start = [], 0
    for frame, _ in row_batches(path, shown(path)):
        inside = rows[(rows >= start) & (rows < start + len(frame))] - start
        start += len(frame)
        if len(inside):
            frames.append(frame.iloc[inside])
    table = Table(Source(shown(path), frame=pd.concat(frames, ignore_index=True)), target)
    table.lines = rows[table.lines - 1] + 1
    return table


def _counted(held, n_sample):
    """The same files with what one pass over all rows counts, of which some were judged."""
    reader = held._reader()
    n, missing, cells, ends = 0, Counter(), {}, {}
    counts, weights, units_of = Counter(), Counter(), {}
    lots = None if held.roles["groups"] is None else Counter()
    for block in held._blocks(reader):
        n += len(block.rows)
        names = block.labels.categories
        of_names = np.bincount(block.labels.codes, minlength=len(names))
        total = np.bincount(block.labels.codes, block.weight, len(names))
        for name, count, weight in zip(names, of_names, total, strict=True):
            if count:
                counts[name] += int(count)
                weights[name] += float(weight)
        if lots is None:
            for name in block.labels.unique():
                units_of.setdefault(name, set()).add(block.file)
        else:
            pairs = pd.Series(block.lots, dtype=object).groupby(block.labels, observed=True)
            for name, of_class in pairs:
                found = of_class.value_counts().to_dict()
                units_of.setdefault(name, set()).update(found)
                lots.update(found)
        for column in held.columns:
            values = block.features[column.name]
            missing[column.name] += int(values.isna().sum())
            if column.kind == "category":
                cells.setdefault(column.name, Counter()).update(values.value_counts().to_dict())
            elif values.notna().any():
                low, high = ends.get(column.name, (np.inf, -np.inf))
                ends[column.name] = (min(low, values.min()), max(high, values.max()))
    if not n:
        raise ValueError(f"{held.source} has no parts with a class.")
    labels = pd.Series(counts).sort_values(ascending=False, kind="stable")
    target = held.roles["target"]
    notes = [*held.notes, *check_target(labels, target, held.source)]
    if held.roles["weight"] is not None and not any(weights.values()):
        raise ValueError(f"Column {held.roles['weight']!r} holds only weights of 0.")
    if n_sample < n:
        # Cells and rows of all files are counted, not those of the sample.
        notes = [note for note in notes if note.kind not in ("missing", "unlabelled")]
        notes += reader.notes
        without = int(held.sizes.sum()) - n
        if without:
            text = f"left out {counted(without, 'row')} that have no value in {target!r}"
            notes.append(Note("unlabelled", None, (), text))
        text = (
            f"what each column holds is judged by {n_sample:,} of {n:,} parts, "
            "drawn at random; all parts are read accordingly"
        )
        notes.append(Note("sample", None, (), text))
    columns = tuple(
        _of_all(column, missing[column.name] / n, cells.get(column.name), ends.get(column.name))
        for column in held.columns
    )
    return replace(
        held,
        columns=columns,
        notes=tuple(notes),
        counts=dict(counts),
        weights=dict(weights),
        units_of=units_of,
        lots=lots,
    )


def _of_all(column, missing, cells, ends):
    """The description of a column by all rows."""
    if cells is not None:
        ordered = {str(name): int(count) for name, count in cells.most_common()}
        return replace(column, missing=missing, categories=ordered)
    if ends is None:
        return replace(column, missing=missing)
    low, high = map(float, ends)
    quantiles = (low, *column.quantiles[1:-1], high) if column.quantiles else ()
    return replace(column, missing=missing, low=low, high=high, quantiles=quantiles)


def _stripped(cells):
    """Codes of texts without spaces around them, -1 for empty ones, and the texts, sorted."""
    codes, different = pd.factorize(cells)
    names = [str(cell).strip() for cell in different]
    texts = sorted(set(names) - {""})
    place = {text: k for k, text in enumerate(texts)}
    codes = np.array([*(place.get(name, -1) for name in names), -1])[codes]
    return codes, np.array(texts, dtype=str)
