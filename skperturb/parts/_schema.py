"""What a feature column is, so that a new file is read as the training file was."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np

# Shares at which quantiles of a column of numbers are kept.
SHARES = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class FeatureColumn:
    """A feature column of the training file: how its cells are read, and what they held.

    Attributes
    ----------
    name : str
        Its name.
    kind : {"number", "truth", "date", "category", "empty"}
        Numbers; true and false, which are 1 and 0; dates or times, which are seconds since the
        earliest one; categories; or nothing at all.
    decimal : {".", ","}
        Its decimal mark.
    unit : str
        The unit that stands after its numbers; "" if there is none.
    forced : bool
        Whether it is read as numbers whatever else it holds (``--numeric``).
    epoch : str or None
        The unit in which numbers count time; None for dates that are written out.
    day_first : bool
        Whether 5/7 is the fifth of July.
    earliest : float
        The earliest date, in seconds since 1970.
    missing : float
        The share of the parts that had no value.
    low, high : float or None
        The smallest and the largest number; None for categories.
    quantiles : tuple of float
        Of the numbers, at the shares 0, 0.01, ..., 1; empty for categories.
    categories : dict of str to int
        How many parts had each category.

    Examples
    --------
    >>> from skperturb.parts import FeatureColumn
    >>> FeatureColumn.from_dict({"name": "width", "kind": "number"}).decimal
    '.'
    """

    name: str
    kind: str
    decimal: str = "."
    unit: str = ""
    forced: bool = False
    epoch: str | None = None
    day_first: bool = True
    earliest: float = 0.0
    missing: float = 0.0
    low: float | None = None
    high: float | None = None
    quantiles: tuple[float, ...] = field(default=(), repr=False)
    categories: dict[str, int] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON can hold them.

        Returns
        -------
        dict
            For :meth:`from_dict`.
        """
        return asdict(self) | {"quantiles": list(self.quantiles)}

    @classmethod
    def from_dict(cls, held: Mapping[str, Any]) -> Self:
        """Return the column that :meth:`to_dict` wrote.

        Parameters
        ----------
        held : dict
            The fields by name; those left out have their defaults.

        Returns
        -------
        FeatureColumn
            The same column.
        """
        names = {one.name for one in fields(cls)}
        known = {name: value for name, value in held.items() if name in names}
        return cls(**known | {"quantiles": tuple(known.get("quantiles", ()))})


def described(column, decimal):
    """The description of a column that was read, with its decimal mark."""
    how, values = column.how, column.data
    missing = float(values.isna().mean())
    if column.kind == "category":
        counts = values.value_counts()
        seen = {str(name): int(count) for name, count in counts.items()}
        return FeatureColumn(column.name, "category", missing=missing, categories=seen)
    known = values.dropna().to_numpy(float)
    kind = "truth" if how.get("truth") else "date" if how.get("dated") else column.kind
    options = {
        name: how[name] for name in ("unit", "forced", "epoch", "day_first", "earliest")
        if name in how
    }  # fmt: skip
    if len(known):
        at = tuple(np.quantile(known, SHARES).tolist())
        options |= {"low": float(known.min()), "high": float(known.max()), "quantiles": at}
    return FeatureColumn(column.name, kind, decimal, missing=missing, **options)
