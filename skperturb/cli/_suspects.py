"""``skperturb suspects``: the parts of a file whose label deserves a second look."""

import argparse
import os
import sys
import warnings
from importlib.util import find_spec
from io import BytesIO

import numpy as np
from sklearn.pipeline import make_pipeline

from .. import PerturbArgmaxClassifierCV
from ..additive import AdditiveClassifier
from ..evaluation import LANGUAGES, flip_table, summary_of_suspects, suspect_labels, suspects_html
from ..parts import (
    account,
    check_outputs,
    counted,
    listed,
    preprocessor,
    table_text,
    write_bytes,
    write_text,
)
from ._about import reading_of
from ._compare import MAX_ITER
from ._progress import StillWorking
from ._reading import add_options, add_roles, read, refuse_few, say

_KINDS = (".html", ".csv", ".xlsx")  # of files to write
_NEEDS = {".html": ("jinja2", "report"), ".xlsx": ("openpyxl", "excel")}
_SHOWN = 20  # rows on standard output, if a file is written
_FEWEST = 2  # parts, or lots, of a class that leaving one out does not make disappear
_NAMES = {
    "proba_of_label": "probability_of_label",
    "proba_wrong": "probability_of_another",
    "change": "change",
}
_DIGITS = dict.fromkeys(_NAMES.values(), 4)


def _linear():
    return make_pipeline(preprocessor(), PerturbArgmaxClassifierCV(("gumbel",), max_iter=MAX_ITER))


# Gumbel noise is quickest, and heavier tails find no more wrong labels.
_MODELS = {
    "perturb_argmax": _linear,
    "additive": lambda: AdditiveClassifier("gumbel", max_iter=MAX_ITER),
}


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "suspects",
        help="list the parts whose label deserves a second look",
        description="List the parts of a file whose label deserves a second look, the most "
        "doubtful first, by a classifier that did not see them. The list goes to standard output, "
        "progress to standard error.",
    )
    parser.set_defaults(run=run)
    add_options(parser, several=False)
    add_roles(
        parser,
        groups="the lot of each part: a part is judged without its whole lot",
        weight="the weight of each part in the fits",
        time="when each part was made; it is no feature",
        today="the decision that was made on each part; it is no feature",
    )
    parser.add_argument(
        "--estimator",
        choices=list(_MODELS),
        default="perturb_argmax",
        help="what judges the labels: a model that is linear in the features, or curves "
        "('additive'), which take up to twenty times as long. Take the one that has the lower log "
        "loss in 'compare': a line doubts labels that are right where an effect turns "
        "(perturb_argmax)",
    )
    parser.add_argument(
        "--top", type=_count, default=50, metavar="N", help="how many parts to list (50)"
    )
    parser.add_argument(
        "--out",
        metavar="suspects.html",
        help="write the list there: a page (.html), or a table (.csv, .xlsx)",
    )
    parser.add_argument("--lang", choices=LANGUAGES, help="language of the page (en)")


def _count(text):
    """A number of parts."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def run(options):
    """Read the parts, and write those in doubt."""
    kind = _check_out(options)
    roles = ("groups", "weight", "time", "today")
    parts = read(options, **{role: getattr(options, role) for role in roles})
    refuse_few(len(parts.target), parts.source)
    kept, left_out = _without_rare(parts)
    notes = [*account(parts.notes), *left_out]
    say(parts.notes)
    for note in left_out:
        print(f"note: {note}", file=sys.stderr)
    suspects = _suspects(parts, kept, _MODELS[options.estimator]())
    suspects["row"] = kept[suspects["row"].to_numpy()]
    lines = parts.places
    if options.out:
        _write(options, kind, suspects, lines, notes)
    head, sentences = summary_of_suspects(suspects, options.top)
    print(head, *sentences, sep="\n", end="\n\n")
    flips = flip_table(suspects)
    flips = flips[flips["parts"] > 0]
    if len(flips):
        for row in flips.itertuples():
            print(f"called {row.label}, probably {row.suggested}: at least {row.parts}")
        print()
    shown = min(options.top, _SHOWN) if options.out else options.top
    print(_table(suspects.head(shown), lines).to_string(index=False), flush=True)


def _check_out(options):
    """The kind of the file to write, None if there is none."""
    check_outputs({"--out": options.out}, options.parts)
    kind = os.path.splitext(options.out)[1].lower() if options.out else None
    if options.out and kind not in _KINDS:
        raise ValueError(f"--out {options.out!r} must end with .html, .csv or .xlsx.")
    if options.lang and kind != ".html":
        raise ValueError("--lang is the language of the page; name its file with --out, as .html.")
    module, extra = _NEEDS.get(kind, (None, None))
    if module and not find_spec(module):
        raise ValueError(f"--out {options.out!r} needs {module}: pip install 'skperturb[{extra}]'.")
    return kind


def _without_rare(parts):
    """Numbers of the parts whose class is seen in two parts, or lots, or more; and a note."""
    units = parts.target.index.to_series() if parts.groups is None else parts.groups
    seen = units.groupby(parts.target.to_numpy()).nunique()
    rare = set(seen.index[seen < _FEWEST])
    out = parts.target.isin(rare).to_numpy()
    if not rare:
        return np.arange(len(out)), []
    unit = "part" if parts.groups is None else "lot"
    note = (
        f"{counted(int(out.sum()), 'part')} of classes seen in one {unit} only "
        f"({listed(sorted(rare))}) are not judged: without it nothing is known of the class"
    )
    return np.flatnonzero(~out), [note]


def _suspects(parts, kept, model):
    def of_kept(values):
        return None if values is None else values.iloc[kept].to_numpy()

    labels = of_kept(parts.target).astype(object).astype(str)
    if len(np.unique(labels)) < 2:
        raise ValueError(f"{parts.source} has fewer than two classes that can be judged.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with StillWorking(sys.stderr, f"looking at {len(kept):,} parts"):
            suspects = suspect_labels(
                model,
                parts.features.iloc[kept],
                labels,
                sample_weight=of_kept(parts.weight),
                groups=of_kept(parts.groups),
            )
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"note: {message}", file=sys.stderr)
    return suspects


def _table(suspects, lines):
    """The list with line numbers; without the columns that are not known."""
    names = {"label": "label", "suggested": "suggested"} | _NAMES
    table = suspects[list(names)].rename(columns=names).reset_index(drop=True)
    table.insert(0, "line", [lines[row] for row in suspects["row"]])
    return table.dropna(axis="columns", how="all").round(_DIGITS)


def _write(options, kind, suspects, lines, notes):
    if kind == ".html":
        page = suspects_html(
            suspects,
            lines=lines,
            lang=options.lang or "en",
            reading=reading_of(options.command, notes),
            top=options.top,
        )
        write_text(options.out, page)
        return
    table = _table(suspects.head(options.top), lines)
    if kind == ".csv":
        rows = table.astype(object).to_numpy().tolist()
        # With a byte order mark, by which Excel knows that the file is UTF-8.
        write_text(options.out, table_text([list(table), *rows]), "utf-8-sig")
        return
    book = BytesIO()
    if table["line"].str.isdecimal().all():
        table["line"] = table["line"].astype(int)
    table.to_excel(book, index=False, sheet_name="suspects")
    write_bytes(options.out, book.getvalue())
