"""Where rows come from: Parquet files, a Dask data frame, or blocks of arrays."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from glob import glob
from itertools import groupby
from typing import Any, NamedTuple

from ._backends import DaskBlocks, LocalBlocks
from ._block import block_of, block_of_frame
from ._reading import read

_ROWS_AT_ONCE = 1 << 14  # that this process reads from a file
_BUFFER = 1 << 16  # bytes of each column that it reads at a time, not those of a whole row group
_ROWS_OF_BLOCK = 200_000  # of a worker: fewer are not worth a round trip


class Columns(NamedTuple):
    """Names of the columns of a table: its class, weight and lot, and features (None: the rest)."""

    target: str
    sample_weight: str | None = None
    groups: str | None = None
    features: tuple | None = None

    @classmethod
    def of(cls, target, sample_weight, groups, features):
        """The same, checked: no column has two roles, or is a feature and what is predicted."""
        features = None if features is None else tuple(features)
        roles = [name for name in (target, sample_weight, groups) if name is not None]
        names = [*roles, *(features or ())]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"Each column has one role, but {twice} are named more than once among target, "
                "sample_weight, groups and features."
            )
        if features == ():
            raise ValueError("features names no column: leave it out to take all others.")
        return cls(target, sample_weight, groups, features)

    def to_read(self):
        """The columns that a fit needs; None for all."""
        if self.features is None:
            return None
        roles = (self.target, self.sample_weight, self.groups)
        return [name for name in (*roles, *self.features) if name is not None]


class Source(metaclass=ABCMeta):
    """Rows in blocks, for :func:`skperturb.blocks.fit`, and for the methods of a fit with it.

    Made by :func:`parquet`, :func:`dask_frame` and :func:`arrays`. In the place of X, y and
    sample_weight of an unpenalised fit, ``clf.summary(source)`` and ``clf.covariance(source)`` take
    it, with ``groups=True`` for lots.

    Attributes
    ----------
    client : distributed.Client or None
        The cluster that reads and holds the blocks.
    prepare : fitted transformer or None
        Applied to the features of each block.

    Examples
    --------
    >>> from skperturb.blocks import Source, arrays
    >>> isinstance(arrays([([[0.0], [1.0]], ["ok", "dent"])]), Source)
    True
    """

    client: Any = None
    prepare: Any = None

    @abstractmethod
    def blocks(self) -> Any:
        """The blocks, held by the workers of the client or read by this process.

        Returns
        -------
        object
            What the fit goes through.
        """

    def using(self, *, client: Any = None, prepare: Any = None) -> "Source":
        """The same rows on a cluster, or with a transformer.

        Parameters
        ----------
        client : distributed.Client, default=None
            None keeps what the source has.
        prepare : fitted transformer, default=None
            None keeps what the source has.

        Returns
        -------
        Source
            Another object.
        """
        other = copy(self)
        other.client = self.client if client is None else client
        other.prepare = self.prepare if prepare is None else prepare
        return other

    def objective_again(self, clf: Any) -> Any:
        """What a fit minimised, from the blocks that it was fitted to.

        Parameters
        ----------
        clf : fitted classifier
            Fitted to these blocks.

        Returns
        -------
        object
            For the methods of the classifier.

        Raises
        ------
        ValueError
            If the blocks have other classes.
        """
        seen, _, objective, _ = read(self, clf._fit_record.params, clf.model_)
        if seen.labels.tolist() != clf.classes_.tolist():
            raise ValueError(
                f"The blocks have the classes {seen.labels.tolist()}, the fit had "
                f"{clf.classes_.tolist()}: give the blocks of the fit."
            )
        return objective


class ArraySource(Source):
    """See :func:`arrays`."""

    def __init__(self, source):
        if isinstance(source, Iterator):
            raise ValueError(
                "The blocks are gone through several times: pass a list of them, or a function "
                "that returns a new iterator each time it is called, not an iterator."
            )
        self._source = source

    def _read(self):
        for block in self._source() if callable(self._source) else self._source:
            if not 2 <= len(block) <= 4:
                raise ValueError(
                    "A block is a tuple (X, y), (X, y, sample_weight) or (X, y, sample_weight, "
                    f"groups), got {len(block)} entries."
                )
            yield block_of(*block)

    def blocks(self):
        if self.client is None:
            return LocalBlocks(self._read)
        return DaskBlocks(self.client, self.client.scatter(list(self._read()), hash=False))


class ParquetSource(Source):
    """See :func:`parquet`."""

    def __init__(self, files, columns):
        self._files, self._columns = files, columns

    def blocks(self):
        if self.client is None:
            return LocalBlocks(self._batches)
        submit = partial(self.client.submit, _read_pieces, pure=False)
        return DaskBlocks(self.client, [submit(p, self._columns) for p in self._pieces()])

    def _batches(self):
        from pyarrow import parquet as pq

        for path in self._files:
            # Not the batches of a dataset, which are read ahead without a bound.
            with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
                names = self._columns.to_read()
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names, use_threads=False):
                    yield block_of_frame(_frame(batch, self._columns), self._columns)

    def _pieces(self):
        """Lists of (path, row groups), each list with rows enough for a block."""
        from pyarrow import parquet as pq

        pieces, n = [], 0
        for path in self._files:
            with pq.ParquetFile(path) as file:
                for k in range(file.metadata.num_row_groups):
                    pieces.append((path, k))
                    n += file.metadata.row_group(k).num_rows
                    if n >= _ROWS_OF_BLOCK:
                        yield pieces
                        pieces, n = [], 0
        if pieces:
            yield pieces


def _frame(table, columns):
    """A data frame of a table whose labels are not made text one by one."""
    place = table.schema.get_field_index(columns.target)
    if place < 0:  # which is refused next
        return table.to_pandas(use_threads=False)
    encoded = table.column(place).dictionary_encode()
    return table.set_column(place, columns.target, encoded).to_pandas(use_threads=False)


def _read_pieces(pieces, columns):
    import pyarrow as pa
    from pyarrow import parquet as pq

    tables = []
    for path, group in groupby(pieces, key=lambda piece: piece[0]):
        with pq.ParquetFile(path) as file:
            groups, names = [k for _, k in group], columns.to_read()
            tables.append(file.read_row_groups(groups, columns=names, use_threads=False))
    table = pa.concat_tables(tables)
    return block_of_frame(_frame(table, columns), columns)


class DaskFrameSource(Source):
    """See :func:`dask_frame`."""

    def __init__(self, frame, columns):
        self._frame, self._columns = frame, columns

    def blocks(self):
        parts = self._frame.to_delayed()
        if self.client is None:
            return LocalBlocks(
                lambda: (block_of_frame(part.compute(), self._columns) for part in parts)
            )
        submit = partial(self.client.submit, block_of_frame, pure=False)
        frames = self.client.compute(parts)
        return DaskBlocks(self.client, [submit(frame, self._columns) for frame in frames])


def arrays(blocks: Iterable | Callable[[], Iterator]) -> Source:
    """Blocks of arrays, data frames or sparse matrices.

    Parameters
    ----------
    blocks : list or callable
        Of tuples (X, y), (X, y, sample_weight) or (X, y, sample_weight, groups), or a function
        that returns a new iterator of such tuples each time it is called; the blocks are gone
        through once for each evaluation.

    Returns
    -------
    Source
        For :func:`fit`.

    Raises
    ------
    ValueError
        If `blocks` is an iterator, which could be gone through once only.

    Examples
    --------
    >>> from skperturb.blocks import arrays
    >>> source = arrays([([[0.0], [1.0]], ["ok", "dent"]), ([[2.0]], ["dent"])])
    """
    return ArraySource(blocks)


def parquet(
    files: str | Sequence[str],
    *,
    target: str,
    sample_weight: str | None = None,
    groups: str | None = None,
    features: Sequence[str] | None = None,
) -> Source:
    """Rows of Parquet files, which are read anew for each evaluation, or held by workers.

    Parameters
    ----------
    files : str or list of str
        A pattern such as ``"lots/*.parquet"``, whose files are taken in the order of their names,
        or the files. Workers must see them under the same names.
    target : str
        The column of the classes.
    sample_weight, groups : str, default=None
        The columns of the weights and the lots.
    features : list of str, default=None
        The columns of the features; all others if None.

    Returns
    -------
    Source
        For :func:`fit`.

    Raises
    ------
    ValueError
        If no file has such a name, or a column has two roles.
    ImportError
        If pyarrow is missing.

    Examples
    --------
    >>> from skperturb.blocks import parquet
    >>> source = parquet("lots/*.parquet", target="defect")  # doctest: +SKIP
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Parquet files need pyarrow: install it with pip install 'skperturb[cluster]'."
        ) from error
    found = sorted(glob(files, recursive=True)) if isinstance(files, str) else list(files)
    if not found:
        raise ValueError(f"No file has a name like {files!r}.")
    columns = Columns.of(target, sample_weight, groups, features)
    return ParquetSource(list(map(str, found)), columns)


def dask_frame(
    frame: Any,
    *,
    target: str,
    sample_weight: str | None = None,
    groups: str | None = None,
    features: Sequence[str] | None = None,
) -> Source:
    """The partitions of a Dask data frame, whose sizes need not be known.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        The rows.
    target : str
        The column of the classes.
    sample_weight, groups : str, default=None
        The columns of the weights and the lots.
    features : list of str, default=None
        The columns of the features; all others if None.

    Returns
    -------
    Source
        For :func:`fit`; without a client the partitions are computed one after the other.

    Raises
    ------
    ValueError
        If a column has two roles.

    Examples
    --------
    >>> from skperturb.blocks import dask_frame
    >>> source = dask_frame(frame, target="defect")  # doctest: +SKIP
    """
    return DaskFrameSource(frame, Columns.of(target, sample_weight, groups, features))
