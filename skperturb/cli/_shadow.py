"""``skperturb shadow``: two rules that decide on the same parts, from a log file that grows."""

import os
import sys
from importlib.util import find_spec

import numpy as np

from ..evaluation import LANGUAGES, PairedABTest, shadow_html, shadow_path, shadow_sentences
from ..parts import (
    account,
    check_outputs,
    counted,
    did_you_mean,
    listed,
    read_costs,
    read_log,
    write_text,
)
from ._about import reading_of
from ._arguments import confidence
from ._reading import say
from ._states import hash_of, read_state, write_state

VERSION = 1  # of the state


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "shadow",
        help="test two rules that decide on the same parts in operation",
        description="Test which of two rules costs less, from a log with one row per part: its "
        "truth and both decisions. The log may grow: with --state, each call uses the new rows "
        "only, and says what one call for the whole log would. You may look as often as you like. "
        "Rows count in their order: those after the first one without a truth wait.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "log", metavar="log.csv", help="one row per part: CSV (also .gz), .xlsx or Parquet"
    )
    for option, text in (
        ("--truth", "the column with the true class; empty while it is not known"),
        ("--a", "the column with the decision of today's rule"),
        ("--b", "the column with the decision of the candidate"),
    ):
        parser.add_argument(option, required=True, metavar="COLUMN", help=text)
    parser.add_argument(
        "--cost",
        required=True,
        metavar="costs.csv",
        help="what each decision costs for each class ('skperturb costs-template' writes one)",
    )
    parser.add_argument(
        "--groups",
        metavar="COLUMN",
        help="the lot of each part; a lot counts once the next lot begins",
    )
    parser.add_argument(
        "--untested",
        metavar="WORD",
        help="in the column of the truth: this part will never be tested; it is left out",
    )
    add_watching(parser, "of verdict and interval, for all looks together (0.95)")


def add_watching(parser, confidence_of):
    """Add the options of a command that goes on with a file, call by call."""
    parser.add_argument(
        "--confidence", type=confidence, default=0.95, metavar="X", help=confidence_of
    )
    parser.add_argument(
        "--state", metavar="state.json", help="what was used so far; made by the first call"
    )
    parser.add_argument("--encoding", metavar="NAME", help="of the CSV file (found by its bytes)")
    parser.add_argument("--sheet", metavar="NAME", help="of the Excel file (the first one)")
    parser.add_argument("--out", metavar="page.html", help="write a page")
    parser.add_argument(
        "--lang", choices=LANGUAGES, default="en", help="language of the answer and the page (en)"
    )


def run(options):
    """Enter the new rows, and say what is known."""
    check_page(options, [options.log, options.cost])
    roles = {"--truth": options.truth, "--a": options.a, "--b": options.b}
    if options.groups:
        roles["--groups"] = options.groups
    if len(set(roles.values())) < len(roles):
        raise ValueError(f"{', '.join(roles)} must name different columns.")
    costs = read_costs(options.cost)
    state = read_state(options.state, "shadow", VERSION)
    table, lines, notes = read_log(
        options.log, list(roles.values()), encoding=options.encoding, sheet=options.sheet
    )
    say([*costs.notes, *notes])

    empty = np.flatnonzero(table[options.truth].to_numpy() == "")
    n_known = int(empty[0]) if len(empty) else len(table)
    known, waiting = table.iloc[:n_known], len(table) - n_known
    tested = (known[options.truth] != options.untested).to_numpy()
    _check(options, roles, costs, known[tested], lines[:n_known][tested])
    setting = {
        "columns": roles,
        "untested": options.untested,
        "confidence": options.confidence,
        "costs": [costs.matrix.index.tolist(), costs.matrix.columns.tolist()],
        "matrix": costs.matrix.to_numpy().tolist(),
    }
    test, n_used = PairedABTest(costs.matrix, confidence=options.confidence), 0
    if state is not None:
        test, n_used = _before(options, state, setting, known)
    new = np.arange(n_known) >= n_used
    rows = _rows(options, known[tested & new])
    if len(rows["y_true"]):
        test.update(**rows)
    if options.state:
        write_state(
            options.state,
            "shadow",
            VERSION,
            setting=setting,
            n_rows=n_known,
            sha256=_hash(known),
            test=test.to_json(),
        )
    print(
        f"{counted(int(new.sum()), 'new row')} of {counted(len(table), 'row')} used, {waiting} "
        "waiting",
        file=sys.stderr,
    )
    about = {
        "waiting": waiting,
        "line": str(lines[n_known]) if waiting else None,
        "untested": int((~tested).sum()),
    }
    names = (options.a, options.b)
    head, sentences = shadow_sentences(test, names, options.lang, **about)
    print(head, *sentences, sep="\n", flush=True)
    if options.out:
        fresh = PairedABTest(costs.matrix, confidence=options.confidence)
        path = shadow_path(fresh, _rows(options, known[tested]))
        page = shadow_html(
            test,
            names,
            path=path,
            lang=options.lang,
            reading=reading_of(options.command, account([*costs.notes, *notes])),
            **about,
        )
        write_text(options.out, page)


def check_page(options, inputs):
    """Refuse, before anything is read, what cannot be written."""
    check_outputs({"--out": options.out, "--state": options.state}, inputs)
    if options.out:
        if os.path.splitext(options.out)[1].lower() != ".html":
            raise ValueError(f"--out {options.out!r} must end with .html.")
        for module in ("jinja2", "matplotlib"):
            if not find_spec(module):
                raise ValueError(f"--out needs {module}: pip install 'skperturb[report]'.")


def _check(options, roles, costs, rows, lines):
    """Refuse labels that the costs do not name, decisions that are missing, and mixed lots."""
    kinds = {
        "--truth": ("class", costs.matrix.index),
        "--a": ("decision", costs.matrix.columns),
        "--b": ("decision", costs.matrix.columns),
    }
    for option, (kind, names) in kinds.items():
        cells = rows[roles[option]]
        wrong = np.flatnonzero(~cells.isin(names).to_numpy())
        if len(wrong):
            cell, line = cells.iloc[wrong[0]], lines[wrong[0]]
            what = f"holds {cell!r}" if cell else "is empty"
            near = did_you_mean(cell, names) if cell else ""
            raise ValueError(
                f"{options.log}, line {line}: column {roles[option]!r} {what}, which is no {kind} "
                f"of --cost {costs.source}; it has {listed(names)}{near or '.'}"
            )
    if options.groups:
        lots = rows[options.groups].to_numpy()
        if (lots == "").any():
            line = lines[(lots == "").argmax()]
            raise ValueError(
                f"{options.log}, line {line}: column {options.groups!r} names no lot: fill it in."
            )
        begins = np.flatnonzero(np.concatenate(([True], lots[1:] != lots[:-1])))
        seen = set()
        for place in begins[: len(lots)]:
            if lots[place] in seen:
                raise ValueError(
                    f"{options.log}, line {lines[place]}: lot {lots[place]!r} goes on after parts "
                    "of another lot: sort the log so that the parts of a lot follow each other."
                )
            seen.add(lots[place])


def _before(options, state, setting, known):
    """The test that goes on, and the number of rows that it has seen."""
    for key, text in (
        ("columns", "other columns (--truth, --a, --b, --groups)"),
        ("untested", "another word for --untested"),
        ("confidence", "another --confidence"),
        ("costs", "other classes or decisions in --cost"),
        ("matrix", "other costs (--cost)"),
    ):
        if state["setting"].get(key) != setting[key]:
            raise ValueError(
                f"--state {options.state} was begun with {text}: begin with a new state file."
            )
    n_used = state["n_rows"]
    if len(known) < n_used or _hash(known.iloc[:n_used]) != state["sha256"]:
        raise ValueError(
            f"{options.log} does not begin with the {counted(n_used, 'row')} that were used "
            "before: some were changed, moved or removed. If that is right, begin with a new "
            f"--state file instead of {options.state}; the whole log is then used anew."
        )
    try:
        return PairedABTest.from_json(state["test"]), n_used
    except ValueError as error:
        raise ValueError(f"--state {options.state} is damaged: {error}") from None


def _rows(options, table):
    """The arguments of ``PairedABTest.update``."""
    return {
        "y_true": table[options.truth].to_numpy(),
        "decision_a": table[options.a].to_numpy(),
        "decision_b": table[options.b].to_numpy(),
        "groups": table[options.groups].to_numpy() if options.groups else None,
    }


def _hash(table):
    return hash_of(table.itertuples(index=False, name=None))
