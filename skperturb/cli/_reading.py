"""Options by which the commands read files of parts and tables, and what they say of it."""

import sys

from ..parts import (
    account,
    check_classes,
    did_you_mean,
    listed,
    read_costs,
    read_parts,
    read_shares,
)
from ._console import is_verbose

NAME_THE_TARGET = "Name the column that holds the class with --target COLUMN."
FEWEST_PARTS = 40  # fewer could not tell two classifiers apart


def add_options(parser, several=True):
    """Add the options that say how files are read."""
    parser.add_argument(
        "parts",
        nargs="*" if several else "+",
        metavar="parts.csv",
        help="one row per part: CSV (also .gz), .xlsx or Parquet, - for standard input; several "
        "files have the same columns",
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column that holds the class")
    parser.add_argument(
        "--encoding", metavar="NAME", help="of the CSV file, such as cp932 (found by its bytes)"
    )
    parser.add_argument("--sheet", metavar="NAME", help="of the Excel file (the first one)")
    for option, text in (
        ("--numeric", "read these columns as numbers; other cells are missing"),
        ("--categories", "read these columns as categories"),
        ("--keep", "use these columns although they look like identifiers, dates or the class"),
        ("--drop", "leave these columns out"),
    ):
        parser.add_argument(option, nargs="+", default=[], metavar="COLUMN", help=text)


def add_roles(parser, **texts):
    """Add the options that name the columns which are no features, each with its own help."""
    for role, text in texts.items():
        parser.add_argument(f"--{role}", metavar="COLUMN", help=text)


def read(options, **roles):
    """Return the parts of the files that the options name."""
    if not options.target:
        raise ValueError(NAME_THE_TARGET)
    return read_parts(
        options.parts,
        options.target,
        encoding=options.encoding,
        sheet=options.sheet,
        numeric=options.numeric,
        categories=options.categories,
        keep=options.keep,
        drop=options.drop,
        **roles,
    )


def refuse_without_file(options, names):
    """Refuse options that need a file of parts."""
    for name in names:
        if getattr(options, name):
            raise ValueError(f"--{name} is for a file of parts, but no file is given.")


def refuse_few(n, source):
    """Refuse parts that are too few to compare anything."""
    if n < FEWEST_PARTS:
        raise ValueError(
            f"{source} has {n} parts; at least {FEWEST_PARTS} are needed for "
            "a comparison that could tell anything."
        )


def refuse_unknown_class(option, name, classes):
    """Refuse a name that is no class of the parts."""
    if name is not None and name not in classes:
        raise ValueError(
            f"{option} {name!r} is not a class; the classes are {listed(sorted(classes))}"
            f"{did_you_mean(name, classes) or '.'}"
        )


def read_tables(options, classes):
    """(the tables of costs and shares by the names of their parameters, notes)."""
    tables, notes = {}, []
    if options.cost is not None:
        costs = read_costs(options.cost)
        check_classes(costs.matrix.index, classes, costs.source, "--cost")
        tables["cost_matrix"] = costs.matrix
        notes += costs.notes
    if options.prevalence is not None:
        shares = read_shares(options.prevalence)
        check_classes(shares.shares.index, classes, shares.source, "--prevalence")
        tables["prevalence"] = shares.shares
        notes += shares.notes
    return tables, notes


def say(notes, lang="en"):
    """Print how files were read: a few lines on standard error."""
    for line in account(notes, lang, each=is_verbose()):
        text = line.removeprefix("WARNING: ")
        print(f"{'note' if text == line else 'warning'}: {text}", file=sys.stderr)
