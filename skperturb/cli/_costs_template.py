"""``skperturb costs-template``: a cost table to fill in."""

import sys

from ..evaluation import cost_template
from ..parts import check_outputs, table_text, write_text
from ._reading import add_options, read, say

MOST_CLASSES = 50  # of a table that somebody could fill in


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "costs-template",
        help="write a cost table to fill in",
        description="Write a cost table for the classes of a file of parts: 0 on the diagonal, 1 "
        "elsewhere. Rows are the classes, columns the decisions; rename, add or leave out "
        "decisions as you like.",
    )
    parser.set_defaults(run=run)
    add_options(parser, several=False)
    parser.add_argument(
        "--out", metavar="costs.csv", help="write it there, for Excel (to standard output)"
    )


def run(options):
    """Read the classes and write their cost table."""
    check_outputs({"--out": options.out}, options.parts)
    parts = read(options)
    classes = sorted(parts.target.unique())
    if len(classes) > MOST_CLASSES:
        raise ValueError(
            f"Column {options.target!r} of {parts.source} has {len(classes)} classes; a cost table "
            f"is written for at most {MOST_CLASSES}. Is it the class?"
        )
    say(parts.notes)
    costs = cost_template(classes).astype(int)
    rows = zip(costs.index, costs.to_numpy().tolist(), strict=True)
    text = table_text([[options.target, *costs], *([name, *row] for name, row in rows)])
    if options.out:
        # With a byte order mark, by which Excel knows that the file is UTF-8.
        write_text(options.out, text, "utf-8-sig")
    else:
        sys.stdout.write(text)
