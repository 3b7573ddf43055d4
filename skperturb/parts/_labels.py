"""The classes of the parts: whether a column can be the class, and names to look at."""

import re

import numpy as np
import pandas as pd

from ._notes import Note, counted, listed, same_name

_BROKEN = re.compile(r"[+-]?\d*[.,]\d*[1-9]\d*([eE][+-]?\d+)?")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?|[+-]?[.,]\d+")
_WHOLE = re.compile(r"[+-]?\d+\.0*")
# More different numbers than this are taken for a measurement.
_MOST_NUMBERS = 50
# Numbers as classes are said from this count on.
_MANY_NUMBERS = 10
# Different names than half of the parts, of 20 at least, are taken for an identifier.
_FEWEST_NAMES = 20


def check_target(counts: pd.Series, target: str, source: str) -> list[Note]:
    """Refuse a column that cannot be the class: its labels, and how many parts have each."""
    n = counts.sum()
    if len(counts) < 2:
        found = f"only the class {counts.index[0]!r}" if len(counts) else "no value at all"
        raise ValueError(f"Column {target!r} of {source} has {found}; a comparison needs two.")
    numbers = [name for name in counts.index if _NUMBER.fullmatch(name)]
    all_numbers = len(numbers) == len(counts)
    broken = all_numbers and any(map(_BROKEN.fullmatch, numbers))
    if broken and len(counts) > min(_MANY_NUMBERS, n / 4):
        raise ValueError(
            f"Column {target!r} of {source} holds {len(counts)} different decimal numbers; the "
            "target must be a class, such as a defect's name."
        )
    if len(counts) > n / 2 and len(counts) >= _FEWEST_NAMES:
        raise ValueError(
            f"Column {target!r} of {source} has {len(counts)} different values in {n} "
            "rows: it looks like an identifier, not a class."
        )
    if all_numbers and len(counts) > _MOST_NUMBERS:
        raise ValueError(
            f"Column {target!r} of {source} holds {len(counts)} different numbers: it looks like a "
            "measurement, not a class."
        )
    if all_numbers and len(counts) > _MANY_NUMBERS:
        text = f"the class {target!r} is a number with {len(counts)} different values; is it right?"
        return [Note("target", target, (), text)]
    return []


def same_numbers(
    labels: pd.Series, starts: np.ndarray, target: str
) -> tuple[pd.Series, list[Note]]:
    """Read "1.0" as "1" in a file that has no other classes, if other files have "1".

    A program writes numbers so where a cell of their column is empty. Within one file the names are
    taken as they are. `starts` are the places at which the files begin, and the end.
    """
    pieces = np.split(labels.to_numpy(dtype=object), starts[1:-1])
    wholes = [
        all(isinstance(name, str) and _WHOLE.fullmatch(name) for name in piece) for piece in pieces
    ]
    others = {
        name for piece, whole in zip(pieces, wholes, strict=True) if not whole for name in piece
    }
    found: dict[str, str] = {}
    for i in np.flatnonzero(wholes):
        short = {name: name.partition(".")[0] for name in set(pieces[i])}
        if others.intersection(short.values()):
            pieces[i] = np.array([short[name] for name in pieces[i]], dtype=object)
            found |= short
    texts = []
    if found:
        names, shorts = listed(sorted(found)), listed(sorted(set(found.values())))
        texts = [
            f"the classes {names} of {target!r} in some files are read as {shorts}, as in the "
            "others"
        ]
        labels = pd.Series(np.concatenate(pieces), index=labels.index, name=labels.name)
    left = set(labels.dropna())
    apart = [one for one in left if _WHOLE.fullmatch(one) and one.partition(".")[0] in left]
    if apart:
        texts.append(
            f"the classes {listed(sorted(apart))} of {target!r} are numbers that other classes "
            "have without decimals; they are kept apart"
        )
    return labels, [Note("labels", target, (), text) for text in texts]


def label_notes(labels: pd.Series, target: str, raw: pd.Series) -> list[Note]:
    """Name classes that differ in nothing but case, width or spaces, or did so in the file."""
    counts = labels.value_counts()
    alike: dict[str, list] = {}
    for name in counts.index:
        alike.setdefault(same_name(name), []).append(name)
    notes = []
    if raw.nunique() > len(counts):
        spaced = int((raw != labels).sum())
        text = f"spaces around {counted(spaced, 'class name')} of {target!r} were taken off"
        notes.append(Note("spaces", target, (), text))
    for names in alike.values():
        if len(names) > 1:
            shown = ", ".join(f"{name!r} ({counts[name]})" for name in sorted(names))
            text = (
                f"the classes {shown} of {target!r} differ only in case, width or spaces; they are "
                "kept apart"
            )
            notes.append(Note("labels", target, (), text))
    return notes


def rare_class_notes(labels: pd.Series, n_folds: int) -> list[Note]:
    """Name classes of which not every fold can have a part."""
    counts = labels.value_counts()
    rare = [name for name in counts.index if counts[name] < n_folds]
    if not rare:
        return []
    shown = listed([f"{name} ({counts[name]})" for name in rare])
    text = (
        f"{counted(len(rare), 'class')[:-1] + 'es' if len(rare) > 1 else '1 class'} "
        f"with fewer parts than folds ({n_folds}): {shown}; some folds have none to test"
    )
    return [Note("rare classes", None, (), text)]
