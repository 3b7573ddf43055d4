"""``skperturb train``: a classifier fitted to all parts of a file, and saved with its account."""

import argparse
import hashlib
import math
import os
import sys
import warnings
from importlib.util import find_spec

from sklearn.preprocessing import OneHotEncoder

from ..evaluation import LANGUAGES, model_card_html, model_summary
from ..parts import account, check_outputs, parquet_files, read_part_files, write_text
from ..serving import save_model, train_files, train_model
from ._about import now
from ._arguments import seed
from ._compare import ESTIMATORS, estimator_named, refuse_rare
from ._progress import StillWorking
from ._reading import (
    NAME_THE_TARGET,
    add_options,
    add_roles,
    read,
    read_tables,
    refuse_few,
    refuse_unknown_class,
    say,
)

KIND = ".skops"  # the ending of model files
_FOLDS = 10
_MOST_HASHES = 20  # files that are named one by one
_IN_BLOCKS = ("perturb_argmax", "perturb_softmax")
_WITH_C = ("logistic_regression", "perturb_argmax", "perturb_softmax")


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "train",
        help="fit a classifier to all parts of a file and save it",
        description="Fit a classifier to all parts of a file, as 'compare' does, and save it with "
        "an account of where it comes from and how well it does on parts that it has not seen. A "
        "page about it is written, too. A folder of Parquet files, a pattern such as "
        "'lots/*.parquet', several .parquet files, or one whose values would take more than an "
        "eighth of the memory are fitted in blocks, which never are in memory all at once: "
        "perturb_argmax and perturb_softmax only.",
    )
    parser.set_defaults(run=run)
    add_options(parser, several=False)
    add_roles(
        parser,
        groups="the lot of each part: performance is measured with whole lots left out",
        weight="the weight of each part in the fit and in the performance",
        time="when each part was made; it is no feature",
        today="the decision that was made on each part; it is no feature",
    )
    parser.add_argument(
        "--estimator",
        default="perturb_argmax",
        metavar="NAME",
        help=f"of {', '.join(ESTIMATORS)} (perturb_argmax), also as perturb_argmax:logistic",
    )
    parser.add_argument(
        "--C",
        type=_strength,
        metavar="X",
        help="of a linear model: a larger number is a weaker penalty (1); inf for none, by which "
        "probabilities have intervals",
    )
    parser.add_argument("--good", metavar="CLASS", help="the class of parts without a defect")
    parser.add_argument(
        "--cost",
        metavar="costs.csv",
        help="what each decision costs for each class: decisions are those of least expected cost",
    )
    parser.add_argument(
        "--prevalence",
        metavar="prev.csv",
        help="class and share on the line, where the file holds other shares",
    )
    parser.add_argument("--seed", type=seed, default=0, help="seed of the folds (0)")
    parser.add_argument("--out", required=True, metavar="model.skops", help="write the model there")
    parser.add_argument(
        "--card", metavar="model.html", help="write the page there (beside the model)"
    )
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="of the page (en)")


def _strength(text):
    """A positive number, or infinity."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number, nor inf")
    return value


def run(options):
    """Read the parts, fit, and write the model and its page."""
    card = _check_outputs(options)
    pipeline = _pipeline(options)
    roles = {role: getattr(options, role) for role in ("groups", "weight", "time", "today")}
    files = parquet_files(options.parts)
    in_blocks = files is not None
    if in_blocks:
        parts = _read_files(options, files, roles)
        n, classes = sum(parts.counts.values()), set(parts.counts)
    else:
        parts = read(options, **roles)
        n, classes = len(parts.target), set(parts.target)
    refuse_few(n, parts.source)
    refuse_unknown_class("--good", options.good, classes)
    tables, about_tables = read_tables(options, classes)
    notes = [*parts.notes, *about_tables]
    further = {"good": options.good, "random_state": options.seed, **tables}
    if in_blocks:
        further["scratch"] = os.path.dirname(os.path.realpath(options.out))
    else:
        lots = parts.groups
        further["folds"] = _FOLDS if lots is None else max(2, min(_FOLDS, lots.nunique()))
        if options.estimator.startswith("perturb_argmax_cv"):
            refuse_rare(parts, further["folds"])
    say(notes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        how = "in blocks" if in_blocks else "in memory"
        with StillWorking(sys.stderr, f"fitting {options.estimator} to {n:,} parts {how}"):
            model = (train_files if in_blocks else train_model)(pipeline, parts, **further)
    messages = list(dict.fromkeys(str(warning.message) for warning in caught))
    for message in messages:
        print(f"note: {message}", file=sys.stderr)
    model.account.update(
        target=options.target,
        estimator=options.estimator,
        roles={role: name for role, name in roles.items() if name},
        source=", ".join(map(os.path.basename, parts.source.split(", "))),
        sha256=_hashes(files or options.parts),
        notes=account(notes) + messages,
        command=options.command,
        date=now(),
    )
    save_model(options.out, model)
    write_text(card, model_card_html(model.account, lang=options.lang))
    print(*model_summary(model.account), sep="\n")
    print(f"\nThe model is in {options.out}, and a page about it in {card}.", flush=True)


def _check_outputs(options):
    """The name of the page; what cannot be written, or not without a package, is refused."""
    base, kind = os.path.splitext(options.out)
    if kind.lower() != KIND:
        raise ValueError(f"--out {options.out!r} must end with {KIND}.")
    card = options.card or f"{base}.html"
    inputs = [*options.parts, options.cost, options.prevalence]
    check_outputs({"--out": options.out, "--card": card}, inputs)
    missing = [name for name in ("skops", "jinja2") if not find_spec(name)]
    if missing:
        raise ValueError(f"train needs {' and '.join(missing)}: pip install 'skperturb[serve]'.")
    return card


def _pipeline(options):
    pipeline = estimator_named(options.estimator)
    if options.C is None:
        return pipeline
    kind = options.estimator.partition(":")[0]
    if kind not in _WITH_C:
        raise ValueError(
            f"--C is for {', '.join(_WITH_C)}; {options.estimator!r} chooses its own penalty or "
            "has none."
        )
    pipeline[-1].set_params(C=options.C)
    if math.isinf(options.C):
        # Without a penalty a category needs one without a column, with which others compare.
        names = [
            name.removesuffix("__drop") for name in pipeline.get_params() if name.endswith("__drop")
        ]
        for name in names:
            if isinstance(pipeline.get_params()[name], OneHotEncoder):
                pipeline.set_params(**{f"{name}__drop": "first"})
    return pipeline


def _read_files(options, files, roles):
    """The parts of files that are fitted in blocks; what is not for these is refused."""
    if not options.target:
        raise ValueError(NAME_THE_TARGET)
    if options.encoding or options.sheet:
        raise ValueError("--encoding and --sheet are not for Parquet files: leave them out.")
    if options.estimator.partition(":")[0] not in _IN_BLOCKS:
        raise ValueError(
            f"{options.estimator!r} is fitted in memory only, and folders and several Parquet "
            f"files are fitted in blocks: use {' or '.join(_IN_BLOCKS)} (perturb_argmax:gumbel is "
            "logistic regression), or name one file."
        )
    with StillWorking(sys.stderr, f"reading {len(files):,} Parquet files"):
        return read_part_files(
            files,
            options.target,
            numeric=options.numeric,
            categories=options.categories,
            keep=options.keep,
            drop=options.drop,
            random_state=options.seed,
            **roles,
        )


def _hashes(paths):
    """SHA-256 of each file, or of the list of many files with theirs."""
    paths = [path for path in paths if path != "-"]
    names = [os.path.basename(path) for path in paths]
    hashes = list(map(_hash, paths))
    if len(set(names)) == len(names) <= _MOST_HASHES:
        return dict(zip(names, hashes, strict=True))
    lines = "".join(f"{one}  {name}\n" for name, one in zip(names, hashes, strict=True))
    return {f"{len(names)} files": hashlib.sha256(lines.encode()).hexdigest()}


def _hash(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
