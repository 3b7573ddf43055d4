"""Results that can be read as text, as a dictionary and in a notebook."""

from dataclasses import fields
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np

_WIDTH = 79


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
        lines = self._lines()
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

    def _repr_html_(self):
        cell = "<{0} style='text-align:left'>{1}</{0}>".format
        rows = (
            cell("th", escape(label)) + cell("td", escape(text)) for label, text in self._lines()
        )
        return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def _text(value):
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4, separator=", ").replace("\n", "")
    return f"{value:.3g}" if isinstance(value, float) else str(value)
