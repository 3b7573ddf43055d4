"""The ``skperturb`` command."""

import argparse
import json
import os
import re
import sys
from collections import Counter

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from . import PerturbArgmaxClassifier, PerturbSoftmaxClassifier, __version__
from ._tabular import preprocessor, read_parts, shipped_parts
from .evaluation import compare_classifiers
from .noise import as_noise

ESTIMATORS = {
    "logistic_regression": lambda: LogisticRegression(max_iter=1000),
    "perturb_argmax": lambda noise="gaussian": PerturbArgmaxClassifier(noise, max_iter=1000),
    "perturb_softmax": lambda noise="gaussian": PerturbSoftmaxClassifier(noise, max_iter=1000),
    # Its automatic early stopping fails where a class has two rows.
    "gradient_boosting": lambda: HistGradientBoostingClassifier(early_stopping=False),
    "class_frequencies": lambda: DummyClassifier(strategy="prior"),
}


def main(arguments=None):
    """Run the command.

    Parameters
    ----------
    arguments : list of str, default=None
        What stands behind ``skperturb`` on the command line; None for that of the process.

    Returns
    -------
    int
        Exit code: 0, or 2 after a sentence on standard error about what cannot be used.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ValueError as error:
        print(f"skperturb: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skperturb: stopped", file=sys.stderr)
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="skperturb",
        description="Classifiers whose probabilities come from noise on the scores.",
    )
    parser.add_argument("--version", action="version", version=f"skperturb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    compare = commands.add_parser(
        "compare",
        help="compare classifiers on a CSV of parts",
        description="Compare classifiers by repeated cross-validation, on a CSV of parts or on "
        "data that ship with scikit-learn. The table goes to standard output, progress to "
        "standard error.",
    )
    compare.set_defaults(run=_compare)
    compare.add_argument("parts", nargs="?", metavar="parts.csv", help="one row per part")
    compare.add_argument("--target", metavar="COLUMN", help="the column that holds the class")
    compare.add_argument(
        "--keep",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="use these columns although they look like identifiers",
    )
    compare.add_argument(
        "--estimators",
        nargs="+",
        default=list(ESTIMATORS),
        metavar="NAME",
        help=f"of {', '.join(ESTIMATORS)} (all of them); the first is the baseline; "
        "perturb_argmax:logistic is with logistic noise",
    )
    compare.add_argument(
        "--cv",
        type=_repeats_and_folds,
        default=(5, 2),
        metavar="RxK",
        help="R times K-fold cross-validation (5x2)",
    )
    compare.add_argument("--seed", type=_seed, default=0, help="seed of the folds (0)")
    compare.add_argument("--json", metavar="FILE", help="write the results there, too")
    return parser


def _repeats_and_folds(text):
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or int(match[1]) < 1 or int(match[2]) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not REPEATSxFOLDS such as 5x2 or 10x10")
    return int(match[1]), int(match[2])


def _seed(text):
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def _compare(options):
    estimators = {name: _estimator(name) for name in options.estimators}
    if len(estimators) < 2:
        raise ValueError("--estimators needs two different names, the baseline first.")
    if options.json and not os.path.isdir(os.path.dirname(options.json) or "."):
        raise ValueError(f"There is no folder {os.path.dirname(options.json)} for --json.")
    parts = _parts(options)
    for note in parts.notes:
        print(f"note: {note}", file=sys.stderr)
    repeats, folds = options.cv
    result = compare_classifiers(
        {name: make_pipeline(preprocessor(), model) for name, model in estimators.items()},
        parts.features,
        parts.target,
        n_splits=folds,
        n_repeats=repeats,
        random_state=options.seed,
        progress=_Progress(sys.stderr),
    )
    for name, out in result.predictions_.items():
        for message, count in Counter(out.messages).items():
            print(f"note: {name}, {count} of {repeats * folds} fits: {message}", file=sys.stderr)
    summary = (
        f"{parts.name}: {len(parts.target)} parts, {parts.features.shape[1]} features, "
        f"{parts.target.nunique()} classes; {repeats} x {folds}-fold cross-validation, "
        f"seed {options.seed}"
    )
    print(summary, format_comparison(result), sep="\n\n")
    if options.json:
        _write_json(options.json, summary, result)


def _parts(options):
    if options.parts is None:
        if options.target is not None:
            raise ValueError("--target names a column of a CSV file, but no file is given.")
        if options.keep:
            raise ValueError("--keep names columns of a CSV file, but no file is given.")
        return shipped_parts()
    if options.target is None:
        raise ValueError("Name the column that holds the class with --target COLUMN.")
    return read_parts(options.parts, options.target, options.keep)


def _estimator(name):
    kind, colon, noise = name.partition(":")
    if kind not in ESTIMATORS or (colon and not (noise and kind.startswith("perturb_"))):
        raise ValueError(
            f"{name!r} is no estimator; use some of {', '.join(ESTIMATORS)}, the perturb ones also "
            "as perturb_argmax:logistic with the name of a noise."
        )
    if not noise:
        return ESTIMATORS[kind]()
    return ESTIMATORS[kind](as_noise(noise))


class _Progress:
    """Fits done, on one line that is written over; a line per estimator where that cannot be."""

    def __init__(self, stream):
        self._stream = stream
        self._is_terminal = stream.isatty()

    def __call__(self, name, done, total):
        if self._is_terminal:
            end = "\n" if done == total else ""
            print(f"\r{name}: fit {done} of {total}", end=end, file=self._stream, flush=True)
        elif done == total:
            print(f"{name}: {total} fits done", file=self._stream, flush=True)


def format_comparison(result):
    """The comparison as a table of plain text."""
    difference = result.table_.query("metric == 'log_loss'").set_index("candidate")
    lines = [("estimator", "log loss", "Brier", "accuracy", "fit seconds", "log loss - baseline")]
    for name, kpi in result.kpis_.iterrows():
        if name == result.baseline:
            gain = "baseline"
        else:
            d = difference.loc[name]
            gain = f"{d.difference:+.4f} [{d.ci_low:+.4f}, {d.ci_high:+.4f}]"
        lines.append(
            (
                name,
                f"{kpi.log_loss:.4f}",
                f"{kpi.brier:.4f}",
                f"{kpi.accuracy:.4f}",
                f"{kpi.fit_seconds:.3f}",
                gain,
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )
    return (
        f"{table}\n\n"
        "Means over the test folds; lower log loss and Brier score are better. In brackets: 95 %\n"
        "interval of the difference, corrected for the overlap of the training sets (Nadeau and\n"
        "Bengio). An interval that holds 0 means that these parts do not tell the two apart."
    )


def _write_json(path, summary, result):
    content = {
        "skperturb": __version__,
        "summary": summary,
        "baseline": result.baseline,
        "estimators": result.kpis_.reset_index().to_dict("records"),
        "differences": result.table_.to_dict("records"),
    }
    try:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, allow_nan=False)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from None
