"""``skperturb costs-template``: a cost table to fill in."""

import sys

from ..evaluation import cost_template
from ..parts._tabular import read_parts


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "costs-template",
        help="write a cost table to fill in",
        description="Write a cost table for the classes of a CSV of parts to standard output: 0 on "
        "the diagonal, 1 elsewhere. Rows are the classes, columns the decisions; rename, add or "
        "leave out decisions as you like.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("parts", metavar="parts.csv", help="one row per part")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="holds the class")


def run(options):
    """Read the classes and write their cost table."""
    labels = read_parts(options.parts, options.target).target
    cost_template(sorted(labels.unique())).astype(int).rename_axis(options.target).to_csv(
        sys.stdout
    )
