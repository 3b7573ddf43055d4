"""``skperturb predict``: decisions of a saved model on new parts, with their reasons."""

import os
import sys
import warnings
from collections import Counter
from importlib.util import find_spec

from ..parts import (
    BlockReader,
    FeatureColumn,
    check_outputs,
    counted,
    frame_text,
    parquet_files,
    stream_text,
)
from ..serving import decide, load_model
from ._progress import StillWorking
from ._reading import say

_DIGITS = 4  # of the distance


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "predict",
        help="decide on new parts with a saved model",
        description="Decide on new parts with a model that 'train' saved: one line for each part "
        "with the decision, the probabilities of all classes, the reasons, and whether the part "
        "is unlike any that the model has seen. Files are read in blocks and may be of any size; "
        "of several files, each must have all the columns, and the first column of the decisions "
        "names the file. "
        "Loading a model runs nothing that its file may hold.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="model.skops", help="a file that 'train' wrote")
    parser.add_argument(
        "parts",
        nargs="+",
        metavar="new.csv",
        help="one row per part, with the columns of the training file: CSV (also .gz), .xlsx or "
        "Parquet, - for standard input; several files, a folder of Parquet files, or a pattern",
    )
    parser.add_argument(
        "--encoding", metavar="NAME", help="of the CSV file, such as cp932 (found by its bytes)"
    )
    parser.add_argument("--sheet", metavar="NAME", help="of the Excel file (the first one)")
    parser.add_argument(
        "--id",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns to copy, such as the serial number",
    )
    parser.add_argument(
        "--out", metavar="decisions.csv", help="write the decisions there (to standard output)"
    )


def run(options):
    """Load the model, and write what it says of each block of parts."""
    files = parquet_files(options.parts, sized=False) or options.parts
    check_outputs({"--out": options.out}, [options.model, *files])
    if options.out and os.path.splitext(options.out)[1].lower() != ".csv":
        raise ValueError(f"--out {options.out!r} must end with .csv.")
    model = load(options.model)
    account = model.account
    roles = [account.get("target"), *account.get("roles", {}).values()]
    reader = BlockReader(
        files,
        [FeatureColumn.from_dict(column) for column in account["columns"]],
        copy=options.id,
        known=[name for name in roles if name],
        encoding=options.encoding,
        sheet=options.sheet,
    )
    if options.out:
        with (
            StillWorking(sys.stderr, f"deciding on the parts of {' '.join(options.parts)}"),
            # With a byte order mark, by which Excel knows that the file is UTF-8.
            stream_text(options.out, "utf-8-sig") as file,
        ):
            counts = _write(file, model, reader)
    else:
        counts = _write(sys.stdout, model, reader)
    say(reader.notes)
    if account["intervals"]:
        print(f"note: no intervals of probabilities: {account['intervals']}", file=sys.stderr)
    if not account["reasons"]:
        print("note: no reasons: the model is not linear in its features", file=sys.stderr)
    text = _summary(model, counts)
    if options.out:
        print(text, f"The decisions are in {options.out}.", sep="\n", flush=True)
    else:
        print(text, file=sys.stderr)


def load(path):
    """The model in a file; what is to be said of it goes to standard error."""
    if not find_spec("skops"):
        raise ValueError("A model file needs skops: pip install 'skperturb[serve]'.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = load_model(path)
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    return model


def _write(file, model, reader):
    """Write a line for each part; how often each decision was taken, and other counts."""
    counts: Counter = Counter()
    for block in reader.blocks():
        with warnings.catch_warnings():
            # Categories that training did not have are said by the reader, with their count.
            warnings.filterwarnings("ignore", message="Found unknown categories")
            table = decide(model, block.features, new=block.new)
        first = not counts["parts"]
        counts["parts"] += len(table)
        counts["unlike"] += int((table["unlike"] == "yes").sum())
        for name, count in table["decision"].value_counts().items():
            counts["decision", name] += int(count)
        if "expected_cost" in table:
            counts["cost"] += float(table["expected_cost"].sum())
        if "distance" in table:
            table["distance"] = table["distance"].round(_DIGITS)
        for place, name in enumerate(reader.copy):
            table.insert(place, name, block.copied[name], allow_duplicates=True)
        table.insert(0, "line", block.lines, allow_duplicates=True)
        if len(reader.paths) > 1:
            name = os.path.basename(reader.paths[block.file])
            table.insert(0, "file", name, allow_duplicates=True)
        file.write(frame_text(table, header=first))
    return counts


def _summary(model, counts):
    n = counts["parts"]
    decisions = [(key[1], count) for key, count in counts.items() if isinstance(key, tuple)]
    decisions.sort(key=lambda entry: -entry[1])
    taken = ", ".join(f"{name} {count:,}" for name, count in decisions)
    lines = [f"{counted(n, 'part')}: {taken}."]
    if model.account["costs"] is not None and n:
        lines.append(f"Expected cost per 1000 parts: {1000 * counts['cost'] / n:,.4g}.")
    if counts["unlike"]:
        verb = "is" if counts["unlike"] == 1 else "are"
        lines.append(
            f"{counted(counts['unlike'], 'part')} {verb} unlike any that the model has seen "
            "(column 'unlike'): look at them before you trust the decision."
        )
    return "\n".join(lines)
