"""``skperturb watch``: whether new parts, predictions and costs are those of the training."""

import itertools
import sys

import numpy as np
import pandas as pd

from ..evaluation import watch_html, watch_sentences
from ..parts import (
    BlockReader,
    FeatureColumn,
    account,
    counted,
    did_you_mean,
    listed,
    read_log,
    write_text,
)
from ..serving import Watch, costs_of, decisions_of
from ._about import reading_of
from ._predict import load
from ._reading import say
from ._shadow import add_watching, check_page
from ._states import hash_of, read_state, write_state

VERSION = 2  # of the state
SIZE = 200  # parts of a batch
MOST_WAITING = 100_000  # parts that wait for a label; then the oldest are forgotten


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "watch",
        help="watch whether new parts are still like those of the training",
        description="Compare new parts, what a saved model predicts for them and, once labels "
        "come, what its decisions cost with the training, batch by batch. The probability of ever "
        "raising an alarm while nothing changes is at most 5 % for all batches, columns and calls "
        "together, if the calls share a state file (--state). Each call enters new parts: other "
        "files, or a file to which rows were added, of which only those are used.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="model.skops", help="a file that 'train' wrote")
    parser.add_argument(
        "parts",
        metavar="new.csv",
        help="one row per part, in the order of time, with the columns of the training file: CSV "
        "(also .gz), .xlsx or Parquet",
    )
    parser.add_argument(
        "--labels",
        metavar="later.csv",
        help="the true classes of these or of earlier parts, in the column that the training had",
    )
    parser.add_argument(
        "--id",
        metavar="COLUMN",
        help="the name of each part, in both files; without it the labels are those of new.csv, "
        "row by row",
    )
    parser.add_argument(
        "--batch",
        default=str(SIZE),
        metavar="N",
        help=f"parts of a batch ({SIZE}), or the column that names the batch",
    )
    parser.add_argument(
        "--groups", metavar="COLUMN", help="the lot of each part (as in the training)"
    )
    add_watching(parser, "1 less the probability of ever a false alarm (0.95)")


def run(options):
    """Enter the new parts and labels, and say what is known."""
    check_page(options, [options.model, options.parts, options.labels])
    model = load(options.model)
    watch = Watch.of(model, options.confidence)
    groups = _groups(options, model, watch)
    setting = {
        "model": hash_of([sorted(model.account.items())]),
        "confidence": options.confidence,
        "batch": options.batch,
        "id": options.id,
    }
    state = read_state(options.state, "watch", VERSION)
    files, waiting, seen = [], {}, set()
    if state is not None:
        watch, files, waiting, seen = _before(options, state, setting)
    features, copied, lines, notes = _read(options, model, groups)
    rows = list(pd.concat([features, copied], axis=1).itertuples(index=False, name=None))
    known, start = _used(options, rows, files)
    stop = len(rows)
    if groups and options.state and stop > start:
        # The last lot may go on in the next call.
        lots = copied[groups].to_numpy()
        stop = max(start, int(np.flatnonzero(lots != lots[-1]).max(initial=-1)) + 1)
    say(notes)
    new = np.arange(start, stop)
    if options.id and options.state:
        new = _not_seen(options, copied[options.id], lines, new, seen)
    held = f", {len(rows) - stop} of the last lot waiting" if stop < len(rows) else ""
    used = counted(len(new), "new part")
    print(f"{used} of {counted(len(rows), 'part')} used{held}", file=sys.stderr)
    if not options.state:
        print(
            "note: without --state each call begins anew, and its probability of a false alarm is "
            "that of this call alone",
            file=sys.stderr,
        )

    features = features.iloc[new].reset_index(drop=True)
    copied = copied.iloc[new].reset_index(drop=True)
    lots = copied[groups].to_numpy() if groups else None
    batches = _batches(options, copied)
    for batch in batches:
        watch.update(model, features.iloc[batch], None if lots is None else lots[batch])
    if len(features) and (options.id or options.labels):
        names = copied[options.id] if options.id else map(str, lines[new])
        waiting |= _predicted(options, model, features, names, batches, lots, waiting)
    if options.labels:
        _enter_labels(options, watch, model, waiting, [str(line) for line in lines])
    if options.state:
        if stop > start:
            files = [file for file in files if file is not known]
            files.append(
                {"first": hash_of(rows[:1]), "n_rows": stop, "sha256": hash_of(rows[:stop])}
            )
        kept = dict(list(waiting.items())[-MOST_WAITING:]) if options.id else {}
        content = {"setting": setting, "watch": watch.to_dict(), "files": files, "waiting": kept}
        content["seen"] = sorted(seen)
        write_state(options.state, "watch", VERSION, **content)
    _say(options, watch, notes)


def _say(options, watch, notes):
    """The answer, and its page."""
    n = max(watch.n_labelled, 1)
    costs = {
        "parts": watch.n_labelled,
        "came": watch.came / n,
        "expected": watch.expected / n,
        "came_before": watch.before["came"],
        "expected_before": watch.before["expected"],
    }
    about = (watch.monitors, costs, options.confidence)
    head, sentences = watch_sentences(*about, options.lang, by_lot=watch.by_lot)
    print(head, *sentences, sep="\n", flush=True)
    if options.out:
        page = watch_html(
            *about,
            lang=options.lang,
            by_lot=watch.by_lot,
            reading=reading_of(options.command, account(notes)),
        )
        write_text(options.out, page)


def _groups(options, model, watch):
    """The column of the lots, if lots are compared."""
    trained = model.account.get("roles", {}).get("groups")
    if not watch.by_lot:
        if trained or options.groups:
            why = "had too few lots" if trained else "knew no lots"
            print(
                f"note: the training {why}, so that parts are compared as if they were "
                "independent; parts of a lot that share their properties can raise false alarms",
                file=sys.stderr,
            )
        return None
    return options.groups or trained


def _before(options, state, setting):
    """What the calls before have found."""
    for key, text in (
        ("model", "another model"),
        ("confidence", "another --confidence"),
        ("batch", "another --batch"),
        ("id", "another --id"),
    ):
        if state["setting"].get(key) != setting[key]:
            raise ValueError(
                f"--state {options.state} was begun with {text}: begin with a new state file."
            )
    try:
        watch = Watch.from_dict(state["watch"])
        return watch, list(state["files"]), dict(state["waiting"]), set(state["seen"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"--state {options.state} is damaged: {error}") from None


def _read(options, model, groups):
    """Features, columns that are no features, lines and notes of the new parts."""
    account = model.account
    batch = None if options.batch.isdecimal() else options.batch
    roles = [account.get("target"), *account.get("roles", {}).values()]
    reader = BlockReader(
        options.parts,
        [FeatureColumn.from_dict(column) for column in account["columns"]],
        copy=list(dict.fromkeys(name for name in (options.id, batch, groups) if name)),
        known=[name for name in roles if name],
        encoding=options.encoding,
        sheet=options.sheet,
    )
    blocks = list(reader.blocks())
    features = pd.concat([block.features for block in blocks], ignore_index=True)
    copied = pd.concat([block.copied for block in blocks], ignore_index=True)
    lines = np.concatenate([block.lines for block in blocks])
    copied = copied.astype(object).where(copied.notna(), "").map(lambda cell: str(cell).strip())
    for name in copied:
        empty = np.flatnonzero(copied[name] == "")
        if len(empty):
            raise ValueError(
                f"{options.parts}, line {lines[empty[0]]}: column {name!r} is empty: fill it in."
            )
    if options.id and copied[options.id].duplicated().any():
        twice = copied[options.id].duplicated().to_numpy().argmax()
        raise ValueError(
            f"{options.parts}, line {lines[twice]}: column {options.id!r} names a second part "
            f"{copied[options.id][twice]!r}."
        )
    return features, copied, lines, reader.notes


def _used(options, rows, files):
    """The file as it was used before, None if it is new; and how many of its rows were used."""
    first = hash_of(rows[:1])
    for file in files:
        if file["first"] == first:
            n = file["n_rows"]
            if len(rows) < n or hash_of(rows[:n]) != file["sha256"]:
                raise ValueError(
                    f"{options.parts} begins with the same part as a file of {counted(n, 'row')} "
                    "that was used before, but others follow: some were changed, moved or removed. "
                    "Give the rows that are new in a file of their own."
                )
            return file, n
    return None, 0


def _not_seen(options, names, lines, rows, seen):
    """Those of the rows whose parts no call has used, which are then among the parts seen."""
    hashes = [hash_of([(names[row],)])[:16] for row in rows]
    again = np.array([one in seen for one in hashes], dtype=bool)
    if again.any():
        first = rows[again.argmax()]
        print(
            f"note: {counted(int(again.sum()), 'part')} left out, because an earlier call has used "
            f"them: the first is {names[first]!r} in line {lines[first]}",
            file=sys.stderr,
        )
    seen.update(hashes)
    return rows[~again]


def _batches(options, copied):
    """Numbers of the rows of each batch, in the order of the file."""
    n = len(copied)
    if options.batch.isdecimal():
        size = int(options.batch)
        if size < 1:
            raise ValueError("--batch 0 is no size of a batch: give 1 or more.")
        return [np.arange(start, min(start + size, n)) for start in range(0, n, size)]
    names = copied[options.batch].to_numpy()
    ends = np.flatnonzero(names[1:] != names[:-1]) + 1
    return [piece for piece in np.split(np.arange(n), ends) if len(piece)]


def _predicted(options, model, features, names, batches, lots, waiting):
    """The decision on each part, its expected cost, its batch and its lot, by name."""
    decisions, expected = decisions_of(model, features)
    batch_of = np.empty(len(features), dtype=int)
    # Batches are numbered through all calls, as labels of several calls may come together.
    begin = 1 + max((entry[2] for entry in waiting.values()), default=0)
    for number, batch in enumerate(batches, begin):
        batch_of[batch] = number
    lots = [None] * len(features) if lots is None else lots.tolist()
    columns = (decisions.tolist(), expected.tolist(), batch_of.tolist(), lots)
    return dict(zip(names, map(list, zip(*columns, strict=True)), strict=True))


def _enter_labels(options, watch, model, waiting, lines):
    """Enter the parts whose labels have come, and forget them."""
    target = model.account["target"]
    columns = [target, options.id] if options.id else [target]
    table, places, _ = read_log(
        options.labels, columns, encoding=options.encoding, sheet=options.sheet
    )
    if options.id:
        names = table[options.id].tolist()
    elif len(table) == len(lines):
        names = lines
    else:
        raise ValueError(
            f"--labels {options.labels} has {counted(len(table), 'row')} and {options.parts} "
            f"{len(lines)}: name the column that both have for the part with --id."
        )
    found, strange = {}, 0
    for name, truth, line in zip(names, table[target], places, strict=True):
        if truth == "":
            continue
        if truth not in model.classes:
            raise ValueError(
                f"{options.labels}, line {line}: {truth!r} is no class of the model; it has "
                f"{listed(model.classes)}{did_you_mean(truth, model.classes) or '.'}"
            )
        if found.get(name, truth) != truth:
            raise ValueError(
                f"{options.labels}, line {line}: the part {name!r} has a second label, {truth!r} "
                f"after {found[name]!r}: leave the one that is right."
            )
        if name in waiting:
            found[name] = truth
        else:
            strange += 1
    if strange:
        print(
            f"note: {counted(strange, 'label')} of {options.labels} not used: the part is not in "
            "the files that were watched, it waits with its lot (give the label again later), or "
            "its label was used before",
            file=sys.stderr,
        )
    # In the order of the parts, in which batches and lots follow each other.
    entries = [(waiting.pop(name), found[name]) for name in list(waiting) if name in found]
    for _, some in itertools.groupby(entries, key=lambda entry: entry[0][2]):
        predicted, truths = zip(*some, strict=True)
        decisions, expected, _, lots = zip(*predicted, strict=True)
        watch.update_costs(expected, costs_of(model, truths, decisions), lots)
