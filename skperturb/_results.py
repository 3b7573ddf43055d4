"""Results that can be read as text, as a dictionary and in a notebook."""

from dataclasses import fields
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

_WIDTH = 79
_SMALLEST_P = 1e-4  # smaller p-values are printed as "< 0.0001"


class Record:
    """What the dataclasses of results have in common."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name.

        Returns
        -------
        dict
            Names and values, in the order of the text.
        """
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def _lines(self):
        """(label, text) of each field."""
        return [(name.replace("_", " "), _text(value)) for name, value in self.to_dict().items()]

    def __str__(self):
        return _as_text(self._lines())

    def _repr_html_(self):
        return _as_html(self._lines())


class Table(pd.DataFrame):
    """A data frame that prints whole, below a header with the entries of its ``attrs``.

    A part of it, and what is computed from it, is an ordinary data frame.
    """

    @property
    def _constructor(self):
        return pd.DataFrame

    def _lines(self):
        """(label, text) of each entry of the header."""
        return [(name.replace("_", " "), _number(value)) for name, value in self.attrs.items()]

    def _formats(self):
        return {
            "index": not isinstance(self.index, pd.RangeIndex),
            "float_format": "{:.5g}".format,
            "formatters": {"p_value": _p_value} if "p_value" in self.columns else None,
        }

    def __repr__(self):
        text = self.to_string(**self._formats())
        return f"{_as_text(self._lines())}\n\n{text}" if self.attrs else text

    def _repr_html_(self):
        header = _as_html(self._lines()) if self.attrs else ""
        return header + self.to_html(**self._formats())


def _as_text(lines):
    """(label, text) pairs below each other."""
    width = max(len(label) for label, _ in lines) + 2
    return "\n".join(
        line
        for label, text in lines
        for line in wrap(
            text,
            width=_WIDTH,
            initial_indent=f"{label:<{width}}",
            subsequent_indent=" " * width,
            break_on_hyphens=False,
        )
    )


def _as_html(lines):
    """(label, text) pairs as a table."""
    cell = "<{0} style='text-align:left'>{1}</{0}>".format
    rows = (cell("th", escape(label)) + cell("td", escape(text)) for label, text in lines)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def _text(value):
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4, separator=", ").replace("\n", "")
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _number(value):
    """A number with the digits that a total needs, such as -1461.923."""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _p_value(value):
    return "< 0.0001" if value < _SMALLEST_P else f"{value:.4f}"
