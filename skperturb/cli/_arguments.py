"""Types of arguments: what a string on the command line stands for.

``str`` of each value is a string that stands for it, so that options can be written to a file.
"""

import argparse
import math
import re
from typing import NamedTuple

LARGEST_SEED = 2**32 - 1  # of NumPy's RandomState


def rope(text):
    """A half-width, not negative."""
    try:
        width = float(text)
    except ValueError:
        width = math.nan
    if not 0 <= width < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return width


def positive(text):
    """A positive number."""
    width = rope(text)
    if width == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return width


class Folds(NamedTuple):
    """The numbers of repeats and of folds; as text, what the option takes."""

    repeats: int
    folds: int

    def __str__(self):
        return f"{self.repeats}x{self.folds}"


def repeats_and_folds(text):
    """The numbers of repeats and of folds, such as 10x10."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or int(match[1]) < 1 or int(match[2]) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not REPEATSxFOLDS such as 5x2 or 10x10")
    return Folds(int(match[1]), int(match[2]))


def confidence(text):
    """A number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1, such as 0.95")
    return value


def seed(text):
    """A seed of NumPy's."""
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def jobs(text):
    """A number of fits at a time, -1 for all cores."""
    if not re.fullmatch(r"-1|[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more, nor -1 for all cores")
    return int(text)


def currency(text):
    """A currency, by its code or its sign."""
    if not re.fullmatch(r"[^\W\d_]{1,5}|[^\w\s]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a currency such as EUR, JPY or \u20ac")
    return text
