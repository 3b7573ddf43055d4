"""Where rows come from: Parquet files, a Dask data frame, or blocks of arrays."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from glob import glob
from itertools import groupby
from typing import Any, NamedTuple

from ._backends import DaskBlocks, LocalBlocks
from ._block import block_of, block_of_frame
from ._reading import read

_ROWS_AT_ONCE = 1 << 14  # that this process reads from a file
_ROWS_OF_BLOCK = 200_000  # of a worker: fewer are not worth a round trip


class Columns(NamedTuple):
    """Names of the columns of a table: its class, weight and lot, and features (None: the rest)."""

    target: str
    sample_weight: str | None = None
    groups: str | None = None
    features: tuple | None = None


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
    def blocks(self, client: Any = None) -> Any:
        """The blocks, held by the workers of a client or read by this process.

        Parameters
        ----------
        client : distributed.Client, default=None
            The cluster.

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
            yield block_of(*block)

    def blocks(self, client=None):
        if client is None:
            return LocalBlocks(self._read)
        return DaskBlocks(client, client.scatter(list(self._read()), hash=False))


class ParquetSource(Source):
    """See :func:`parquet`."""

    def __init__(self, files, columns):
        self._files, self._columns = files, columns

    def blocks(self, client=None):
        if client is None:
            return LocalBlocks(self._batches)
        return DaskBlocks(
            client,
            [client.submit(_read_pieces, p, self._columns, pure=False) for p in self._pieces()],
        )

    def _batches(self):
        from pyarrow import parquet as pq

        for path in self._files:
            # Not the batches of a dataset, which are read ahead without a bound.
            with pq.ParquetFile(path) as file:
                names = self._columns_of(file)
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names, use_threads=False):
                    yield block_of_frame(_frame(batch, self._columns), self._columns)

    def _columns_of(self, file):
        return names_to_read(file, self._columns)

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


def names_to_read(file, columns):
    """Names of the columns of a Parquet file that a fit needs."""
    names = file.schema_arrow.names
    wanted = [columns.target, columns.sample_weight, columns.groups, *(columns.features or ())]
    missing = [name for name in wanted if name is not None and name not in names]
    if missing:
        raise ValueError(f"A Parquet file lacks the columns {missing}; it has {names}.")
    return [name for name in wanted if name is not None] if columns.features else names


def _frame(table, columns):
    """A data frame of a table whose labels are not made text one by one."""
    place = table.schema.get_field_index(columns.target)
    encoded = table.column(place).dictionary_encode()
    return table.set_column(place, columns.target, encoded).to_pandas()


def _read_pieces(pieces, columns):
    import pyarrow as pa
    from pyarrow import parquet as pq

    tables = []
    for path, group in groupby(pieces, key=lambda piece: piece[0]):
        with pq.ParquetFile(path) as file:
            names = names_to_read(file, columns)
            groups = [k for _, k in group]
            tables.append(file.read_row_groups(groups, columns=names, use_threads=False))
    table = pa.concat_tables(tables)
    return block_of_frame(_frame(table, columns), columns)


class DaskFrameSource(Source):
    """See :func:`dask_frame`."""

    def __init__(self, frame, columns):
        self._frame, self._columns = frame, columns

    def blocks(self, client=None):
        parts = self._frame.to_delayed()
        if client is None:
            return LocalBlocks(
                lambda: (block_of_frame(part.compute(), self._columns) for part in parts)
            )
        frames = client.compute(parts)
        return DaskBlocks(
            client, [client.submit(block_of_frame, f, self._columns, pure=False) for f in frames]
        )


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
        If no file has such a name.
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
    names = tuple(features) if features is not None else None
    return ParquetSource(list(map(str, found)), Columns(target, sample_weight, groups, names))


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

    Examples
    --------
    >>> from skperturb.blocks import dask_frame
    >>> source = dask_frame(frame, target="defect")  # doctest: +SKIP
    """
    names = tuple(features) if features is not None else None
    return DaskFrameSource(frame, Columns(target, sample_weight, groups, names))
