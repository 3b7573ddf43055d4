"""A page that needs nothing but a browser: sections of sentences, figures and tables."""

import math
import re
from importlib.resources import files

import numpy as np

from ._text import printable
from ._texts import decimals_for, number, numbers

NEEDS = "The report needs jinja2 and matplotlib: pip install 'skperturb[report]'."
_PARTS = ("verdicts", "notes", "steps", "entries", "figures", "tables")
_BREAKS = re.compile(r"(?<=[^\s_:/])[_:/]+(?=[^\s_:/])")


def render(title, sections, texts):
    """The page as HTML.

    Parameters
    ----------
    title : str
    sections : list of dict
        Each has an id, a heading, and any of verdicts, notes, steps, entries, figures and tables.
        The kind "first" has a printed page of its own.
    texts : dict
        Those of the language.
    """
    try:
        import jinja2
    except ImportError as error:
        raise ImportError(NEEDS) from error
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["breakable"] = breakable
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    page = environment.from_string(template).render(
        t=texts,
        title=title,
        sections=[dict.fromkeys(_PARTS, ()) | {"kind": ""} | section for section in sections],
    )
    return printable(page, allowed="\t\n").replace("\u00a0%", texts["percent"])


def breakable(text):
    """A text that a browser may break after the marks inside of long names."""
    from markupsafe import Markup, escape

    return Markup(_BREAKS.sub(r"\g<0><wbr>", str(escape(text))))


# --- A cell is a text, with the exact number and those of its interval if it has them


def exact(value):
    """All digits of a number, None if it is not finite."""
    value = math.nan if value is None else float(value)
    return repr(value) if math.isfinite(value) else None


def shown(text, value):
    """A text that stands for a number."""
    return {
        "text": text,
        "value": exact(value),
        "ci": [],
        "before": "",  # of what stands in brackets
        "after": "",
        "kind": None,
        "head": False,
    }


def cell(value, digits=3, low=None, high=None):
    """A number, with its interval if there is one."""
    if low is None:
        return shown(number(value, digits), value)
    if not np.isfinite([value, low, high]).all():
        return shown(number(value, digits), value)
    text, *ends = numbers([value, low, high], digits)
    limits = (exact(low), exact(high))
    return shown(text, value) | {"ci": list(zip(ends, limits, strict=True))}


def word(text, *, head=False, kind="word"):
    """A text that stands for itself."""
    return shown(str(text), None) | {"head": head, "kind": kind}


def column(values, digits=4, lows=None, highs=None):
    """Cells of a column: numbers with the same decimals, and their intervals."""
    values = [math.nan if value is None else float(value) for value in values]
    lows, highs = (None if side is None else [*map(float, side)] for side in (lows, highs))
    decimals = decimals_for([*values, *(lows or []), *(highs or [])], digits)
    cells = []
    for place, value in enumerate(values):
        one = shown(numbers([value], decimals=decimals)[0], value)
        if lows is not None:
            limits = [side[place] for side in (lows, highs)]
            if np.isfinite([value, *limits]).all():
                texts = numbers(limits, decimals=decimals)
                one["ci"] = list(zip(texts, map(exact, limits), strict=True))
        cells.append(one)
    return cells
