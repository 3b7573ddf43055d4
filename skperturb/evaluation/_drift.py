"""Are new parts still like those of the training? A test that may be checked at any time."""

import math
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from .._results import Table
from ._drift_bets import Game
from ._drift_column import FEWEST, Column
from ._drift_state import read_state, written_state
from ._input import check_confidence
from ._labels import listed, without_doubles

LEVEL_DIGITS = 15  # decimals of 1 - confidence, because 1 - 0.95 is not 0.05 in floating point
MOST_ENTRIES = 256  # of the history; then pairs of batches in its older half become one entry
LOG_LARGEST = math.log(np.finfo(float).max)


class DriftMonitor:
    """Watch columns of new parts for a change against a reference sample.

    Each column is tested after each batch of new parts. You may look after every batch and for as
    long as you like; the error probability covers all batches and all columns together.

    Parameters
    ----------
    reference : DataFrame of shape (n_reference, n_columns)
        Columns of parts of the steady process, such as the features of the training parts.
        Columns that are not numbers are categories. Missing values are values, too.
    confidence : float, default=0.95
        The probability that there is ever an alarm although new parts follow the law of the
        reference is at most 1 - confidence, called alpha below.
    random_state : int, default=0
        Seed of the random numbers by which equal values are put in an order.

    Attributes
    ----------
    columns : list of str
        Names of the columns.
    confidence : float
        The confidence as given.
    random_state : int
        The seed as given.
    n_reference : int
        Number of parts of the reference.
    n_rows : int
        Number of new parts so far.
    n_batches : int
        Number of batches so far.

    Raises
    ------
    ValueError
        If the reference has no columns, columns of the same name or fewer than 20 parts,
        `confidence` is out of its range, or `random_state` is no whole number from 0 on.

    Notes
    -----
    *What is tested.* That the reference and all new parts are independent draws from one law,
    whatever that law is. While this holds, there is ever an alarm with probability alpha at most.
    A reference that is not a fair sample, such as one that is enriched with defects, makes alarms.
    So do parts of a lot that share their properties, if the lots are few: parts are then not
    independent.

    *How.* The values of a column are cut into some 20 bins at fixed ranks of the reference, finer
    at both ends. Equal values are put in an order by random numbers, and missing values come last.
    The bins of new parts then follow Polya's urn exactly, for numbers, categories and a reference
    of any size: the next part falls into a bin with a probability proportional to the number of
    gaps between reference parts in the bin, plus the new parts in it so far. A gambler who bets
    otherwise plays a fair game. The bets are that the mean of the normal scores moves by 1/4 to 2
    standard deviations, that their spread changes, and that one bin becomes four times as
    frequent or as rare. Each bet on a batch is the ratio of two probabilities of its bins. In
    batch t, the share 1/log2(t+1) - 1/log2(t+2) of the capital enters the game, so that there is
    capital for a change at any time; the rest is kept. The capital, the e-value, ever reaches
    n_columns / alpha with probability alpha / n_columns at most (Ville), and a union over the
    columns, which may depend on each other in any way, gives alpha.

    The mean of the e-values of several columns would be no valid test here: what another column
    says of the reference changes the odds of a game that is fair by itself.

    An alarm stays. After a change the urn learns the new law, and an e-value falls again.

    *What is kept.* The values at the ends of the bins, and counts. No row of the reference or of
    the batches is kept.

    References
    ----------
    V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", 2nd edition,
    Springer (2022), on tests of exchangeability by betting. J. Shin, A. Ramdas and A. Rinaldo,
    "E-detectors: a nonparametric framework for sequential change detection", The New England
    Journal of Statistics in Data Science 2 (2024), on sums of bets that begin at each time.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skperturb.evaluation import DriftMonitor
    >>> rng = np.random.default_rng(0)
    >>> def parts(n, mean=0.0):
    ...     machine = rng.choice(["A", "B"], n)
    ...     return pd.DataFrame({"width": rng.normal(mean, 1, n), "machine": machine})
    >>> monitor = DriftMonitor(parts(500))
    >>> for _ in range(10):
    ...     _ = monitor.update(parts(200))
    >>> monitor.alarm
    False
    >>> monitor.update(parts(200, mean=1.0)).alarm
    True
    >>> print(*monitor.summary().loc[0, ["column", "alarm_at", "since"]])
    width 11 11
    """

    def __init__(
        self, reference: pd.DataFrame, *, confidence: float = 0.95, random_state: int = 0
    ) -> None:
        check_confidence(confidence)
        if not isinstance(random_state, (int, np.integer)) or random_state < 0:
            raise ValueError(f"random_state must be a whole number from 0 on: {random_state!r}.")
        table = pd.DataFrame(reference)
        self.columns = [str(name) for name in without_doubles(table.columns, "reference")]
        if not self.columns:
            raise ValueError("The reference has no columns to watch.")
        if len(table) < FEWEST:
            raise ValueError(
                f"The reference has {len(table)} parts, but at least {FEWEST} are needed."
            )
        self.confidence, self.random_state = float(confidence), int(random_state)
        self.n_reference, self.n_rows, self.n_batches = len(table), 0, 0
        random = np.random.default_rng([self.random_state, 0]).random(table.shape)
        self._columns = [
            Column.of(table.iloc[:, j], random[:, j]) for j in range(len(self.columns))
        ]
        self._game = Game([column.gaps for column in self._columns])
        self._alarms: list[int | None] = [None] * len(self.columns)  # batch of the first one
        # Of each entry: batches, rows, counts (column, bin), missing (column), log e (column).
        self._history: list[dict[str, Any]] = []

    @property
    def _log_threshold(self):
        alpha = round(1 - self.confidence, LEVEL_DIGITS)
        return math.log(len(self.columns) / alpha)

    @property
    def threshold(self) -> float:
        """The e-value from which on a column gives an alarm: n_columns / (1 - confidence)."""
        return math.exp(self._log_threshold)

    def update(self, batch: pd.DataFrame) -> Self:
        """Enter one batch of new parts.

        Parameters
        ----------
        batch : DataFrame of shape (n_parts, n_columns)
            The columns of the reference, by name; others are ignored. A batch without parts
            changes nothing. Neither the size of a batch nor the moment at which it ends may depend
            on the values in it.

        Returns
        -------
        DriftMonitor
            The monitor itself.

        Raises
        ------
        ValueError
            If a column is missing, or one of numbers holds something else; then no part is
            entered.
        """
        table = pd.DataFrame(batch)
        names = [str(name) for name in without_doubles(table.columns, "batch")]
        lacking = [name for name in self.columns if name not in names]
        if lacking:
            raise ValueError(f"The batch lacks the columns {listed(lacking)}.")
        n = len(table)
        if n == 0:
            return self
        pieces = [table.iloc[:, names.index(name)] for name in self.columns]
        for name, column, piece in zip(self.columns, self._columns, pieces, strict=True):
            if column.is_number and not is_numeric_dtype(piece) and piece.notna().any():
                raise ValueError(f"Column {name!r} holds numbers in the reference, but not here.")
        # Each row has its own random numbers, in however many batches the rows come.
        generator = np.random.PCG64([self.random_state, 1])
        generator.advance(self.n_rows * len(self.columns))
        random = np.random.Generator(generator).random((n, len(self.columns)))
        found = [
            column.bins(piece, random[:, j])
            for j, (column, piece) in enumerate(zip(self._columns, pieces, strict=True))
        ]
        self.n_rows += n
        self.n_batches += 1
        n_bins = self._game.urns.shape[1]
        counts = np.array([np.bincount(bins, minlength=n_bins) for bins, _ in found])
        self._game.play(counts)
        for j in np.flatnonzero(self._game.log_e >= self._log_threshold):
            if self._alarms[j] is None:
                self._alarms[j] = self.n_batches
        self._history.append(
            {
                "batches": 1,
                "rows": n,
                "counts": counts,
                "missing": np.array([missing.sum() for _, missing in found]),
                "log_e": self._game.log_e,
            }
        )
        if len(self._history) > MOST_ENTRIES:
            self._shorten()
        return self

    def _shorten(self):
        """Join pairs of entries in the older half of the history."""
        half = len(self._history) // 4 * 2
        old = self._history[:half]
        joined = [
            {key: first[key] + second[key] for key in ("batches", "rows", "counts", "missing")}
            | {"log_e": second["log_e"]}
            for first, second in zip(old[::2], old[1::2], strict=True)
        ]
        self._history = joined + self._history[half:]

    @property
    def alarm(self) -> bool:
        """Whether there was ever an alarm."""
        return any(batch is not None for batch in self._alarms)

    @property
    def e_values(self) -> pd.Series:
        """Evidence of each column against "no change" now: 1 means none."""
        values = np.exp(np.minimum(self._game.log_e, LOG_LARGEST))
        return pd.Series(values, index=self.columns, name="e_value")

    def history(self) -> pd.DataFrame:
        """Return the evidence over time, for a picture.

        Returns
        -------
        DataFrame of shape (n_entries, n_columns)
            Decimal logarithm of each e-value after each batch; the index is the number of the
            batch. Of a long history the older batches are shown with gaps: 256 entries at most.
        """
        batches = np.cumsum([entry["batches"] for entry in self._history], dtype=int)
        rows = [entry["log_e"] / math.log(10) for entry in self._history]
        index = pd.Index(batches, name="batch")
        return pd.DataFrame(np.reshape(rows, (-1, len(self.columns))), index, self.columns)

    def summary(self) -> pd.DataFrame:
        """Return what is known of each column, the strongest evidence ever first.

        Returns
        -------
        DataFrame
            One row for each column. "column"; "e_value" now and "largest_e" ever; "alarm_at", the
            batch after which there was an alarm; "since", the first batch after the most likely
            change; "low" and "high", ends of the range of values that became more frequent, None
            where there is none; "share_before" and "share_since", the shares of parts in that
            range; "missing_before" and "missing_since", shares of missing values. All from "since"
            on are NaN or None without an alarm.
        """
        now, ever = np.exp(
            np.minimum([self._game.log_e, self._game.max_log_e], LOG_LARGEST)
        ).tolist()
        table = Table(
            [
                {
                    "column": self.columns[j],
                    "e_value": now[j],
                    "largest_e": ever[j],
                    "alarm_at": self._alarms[j],
                    **self._change(j),
                }
                for j in np.argsort(-self._game.max_log_e, kind="stable")
            ]
        )
        for name in ("alarm_at", "since"):
            table[name] = table[name].astype("Int64")
        for name in ("low", "high"):
            table[name] = table[name].astype(object)
        return table

    def _change(self, j):
        """Since when a column is another one, and what has changed."""
        names = ("since", "low", "high", "share_before", "share_since")
        nothing = dict.fromkeys((*names, "missing_before", "missing_since"))
        if self._alarms[j] is None:
            return nothing
        column = self._columns[j]
        counts = np.array([entry["counts"][j] for entry in self._history])
        missing = np.array([entry["missing"][j] for entry in self._history])
        rows = np.array([entry["rows"] for entry in self._history])
        batches = np.array([entry["batches"] for entry in self._history])
        # Not after the alarm; later parts still say where before it the change was.
        last = int(np.searchsorted(np.cumsum(batches), self._alarms[j]))
        at = column.change(counts, last)
        before = column.gaps + counts[:at].sum(axis=0)
        since = counts[at:].sum(axis=0)
        before, since = before / before.sum(), since / since.sum()
        first, last = _most(since - before)
        low, high = column.ends(first, last)
        return {
            "since": int(batches[:at].sum()) + 1,
            "low": low,
            "high": high,
            "share_before": float(before[first : last + 1].sum()),
            "share_since": float(since[first : last + 1].sum()),
            "missing_before": float(
                (column.missing + missing[:at].sum()) / (self.n_reference + rows[:at].sum())
            ),
            "missing_since": float(missing[at:].sum() / rows[at:].sum()),
        }

    def to_json(self) -> str:
        """Write the state as JSON, from which :meth:`from_json` continues with the same numbers.

        Returns
        -------
        str
            JSON of one object. It holds no rows, but the values at the ends of the bins.
        """
        return written_state(self)

    @classmethod
    def from_json(cls, text: str, *, confidence: float | None = None) -> Self:
        """Read a state that :meth:`to_json` wrote.

        Parameters
        ----------
        text : str
            JSON that :meth:`to_json` wrote.
        confidence : float, default=None
            Another confidence, for a monitor that has not seen a batch yet.

        Returns
        -------
        DriftMonitor
            A monitor that continues where the other one was written.

        Raises
        ------
        ValueError
            If the text is not such a state, contradicts itself, or is of another version; or if
            the confidence is to change after the first batch.
        """
        monitor = read_state(cls, text)
        if confidence is not None:
            check_confidence(confidence)
            if monitor.n_batches and confidence != monitor.confidence:
                raise ValueError("The confidence of a monitor cannot change after its first batch.")
            monitor.confidence = float(confidence)
        return monitor

    def __repr__(self):
        alarms = [self.columns[j] for j, at in enumerate(self._alarms) if at is not None]
        said = f"alarm of {listed(alarms)}" if alarms else "no alarm"
        return f"DriftMonitor({said}, {len(self.columns)} columns, {self.n_batches} batches)"


def _most(excess):
    """First and last of the neighbouring bins whose excess is largest in all."""
    sums = np.concatenate(([0.0], np.cumsum(excess)))
    gains = np.triu(sums[None, :] - sums[:, None], 1)
    first, last = np.unravel_index(np.argmax(gains), gains.shape)
    return int(first), int(max(last, first + 1)) - 1
