"""The ``skperturb`` command."""

import argparse
import json
import math
import os
import re
import sys
import tempfile
import time
from collections import Counter
from importlib.util import find_spec

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from .. import PerturbArgmaxClassifier, PerturbSoftmaxClassifier, __version__
from ..evaluation import compare_classifiers, cost_template
from ..evaluation._texts import load as load_texts
from ..noise import as_noise
from ..parts._tabular import preprocessor, read_costs, read_parts, read_shares, shipped_parts

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
    if hasattr(sys.stdout, "reconfigure"):
        # A name that the terminal cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ValueError as error:
        print(f"skperturb: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read the output has read enough; nothing is to be flushed to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
        "--groups",
        metavar="COLUMN",
        help="the lot of each part: parts of one lot are never on both sides of a split",
    )
    compare.add_argument(
        "--estimators",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(ESTIMATORS)} (all of them); the first is the baseline; "
        "perturb_argmax:logistic is with logistic noise",
    )
    compare.add_argument(
        "--baseline", nargs="+", metavar="NAME", help="today's model or models, instead"
    )
    compare.add_argument("--candidate", metavar="NAME", help="the model that is to beat them")
    compare.add_argument("--good", metavar="CLASS", help="the class of parts without a defect")
    compare.add_argument(
        "--cost",
        metavar="costs.csv",
        help="what each decision costs for each class ('skperturb costs-template' writes one); "
        "models take the decision of least expected cost",
    )
    compare.add_argument(
        "--prevalence",
        metavar="prev.csv",
        help="class and share on the line, where the file holds other shares",
    )
    compare.add_argument(
        "--rope",
        type=_rope,
        metavar="X",
        help="a difference in cost per 1000 parts that does not matter",
    )
    compare.add_argument(
        "--cv",
        type=_repeats_and_folds,
        metavar="RxK",
        help="R times K-fold cross-validation (10x10; without a file 5x2)",
    )
    compare.add_argument("--seed", type=_seed, default=0, help="seed of the folds (0)")
    compare.add_argument(
        "--jobs", type=int, metavar="N", help="fits at a time (1; -1 for all cores)"
    )
    compare.add_argument("--out", metavar="report.html", help="write a report there")
    compare.add_argument("--lang", default="en", metavar="CODE", help="of the report: en, ja (en)")
    compare.add_argument("--json", metavar="FILE", help="write the results there, too")
    template = commands.add_parser(
        "costs-template",
        help="write a cost table to fill in",
        description="Write a cost table for the classes of a CSV of parts to standard output: 0 on "
        "the diagonal, 1 elsewhere. Rows are the classes, columns the decisions; rename, add or "
        "leave out decisions as you like.",
    )
    template.set_defaults(run=_costs_template)
    template.add_argument("parts", metavar="parts.csv", help="one row per part")
    template.add_argument("--target", required=True, metavar="COLUMN", help="holds the class")
    return parser


def _rope(text):
    try:
        rope = float(text)
    except ValueError:
        rope = -1.0
    if not 0 <= rope < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return rope


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
    names, pairing = _pairing(options)
    estimators = {name: _estimator(name) for name in names}
    if len(estimators) < 2:
        raise ValueError("--estimators needs two different names, the baseline first.")
    _check_outputs(options)
    if options.out:
        load_texts(options.lang)
        if not all(map(find_spec, ("jinja2", "matplotlib"))):
            raise ValueError("--out needs jinja2 and matplotlib: pip install 'skperturb[report]'.")
    parts = _parts(options)
    costs = None if options.cost is None else read_costs(options.cost)
    shares = None if options.prevalence is None else read_shares(options.prevalence)
    for note in parts.notes:
        print(f"note: {note}", file=sys.stderr)
    repeats, folds = options.cv or ((5, 2) if options.parts is None else (10, 10))
    progress = _Progress(sys.stderr, len(estimators))
    result = compare_classifiers(
        {name: make_pipeline(preprocessor(), model) for name, model in estimators.items()},
        parts.features,
        parts.target.to_numpy(dtype=object).astype(str),
        **pairing,
        cost_matrix=costs,
        good=options.good,
        prevalence=shares,
        groups=parts.groups,
        rope=options.rope,
        n_splits=folds,
        n_repeats=repeats,
        random_state=options.seed,
        n_jobs=options.jobs,
        progress=progress,
    )
    for name, out in result.predictions_.items():
        for message, count in Counter(out.messages).items():
            print(f"note: {name}, {count} of {repeats * folds} fits: {message}", file=sys.stderr)
    lots = "" if parts.groups is None else f" in {parts.groups.nunique()} lots"
    summary = (
        f"{parts.name}: {len(parts.target)} parts{lots}, {parts.features.shape[1]} features, "
        f"{parts.target.nunique()} classes; {repeats} x {folds}-fold cross-validation, "
        f"seed {options.seed}"
    )
    # Files first: what standard output cannot show is not lost.
    if options.json:
        _write(options.json, _as_json(summary, result))
    if options.out:
        _write(options.out, result.to_html(lang=options.lang, title=parts.name))
    print(summary, format_comparison(result), sep="\n\n", flush=True)


def _check_outputs(options):
    """All that can be wrong with the files to write, before the fits."""
    taken = {os.path.realpath(f) for f in (options.parts, options.cost, options.prevalence) if f}
    for option in ("json", "out"):
        path = getattr(options, option)
        if not path:
            continue
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise ValueError(f"There is no folder {folder} for --{option}.")
        if os.path.isdir(path) or not os.access(folder, os.W_OK):
            raise ValueError(f"--{option} {path} is a folder, or in one that cannot be written to.")
        if os.path.realpath(path) in taken:
            raise ValueError(f"--{option} {path} would overwrite another file of this command.")
        taken.add(os.path.realpath(path))


def _pairing(options):
    """Names of the estimators, and which are compared."""
    if options.baseline is None and options.candidate is None:
        return options.estimators or list(ESTIMATORS), {}
    if options.estimators is not None:
        raise ValueError("Give --estimators, or --baseline and --candidate, not both.")
    candidate = options.candidate or "perturb_argmax"
    baselines = options.baseline or ["logistic_regression"]
    if candidate in baselines:
        raise ValueError(f"{candidate!r} is both --candidate and --baseline.")
    return [*baselines, candidate], {"candidate": candidate}


def _costs_template(options):
    labels = read_parts(options.parts, options.target).target
    cost_template(sorted(labels.unique())).astype(int).rename_axis(options.target).to_csv(
        sys.stdout
    )


def _parts(options):
    if options.parts is None:
        for option in ("target", "keep", "groups"):
            if getattr(options, option):
                raise ValueError(f"--{option} names a column of a CSV file, but no file is given.")
        return shipped_parts()
    if options.target is None:
        raise ValueError("Name the column that holds the class with --target COLUMN.")
    return read_parts(options.parts, options.target, options.keep, options.groups)


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
    """Fits done and time left, on one line that is written over, or a line for each estimator."""

    def __init__(self, stream, n_estimators):
        self._stream, self._n_estimators = stream, n_estimators
        self._is_terminal = stream.isatty()
        self._names, self._start = [], time.monotonic()

    def __call__(self, name, done, total):
        if name not in self._names:
            self._names.append(name)
        fits = (len(self._names) - 1) * total + done
        left = (time.monotonic() - self._start) * (self._n_estimators * total / fits - 1)
        text = f"{name}: fit {done} of {total}, about {left:.0f} s left in all"
        if self._is_terminal:
            # Padded, so that nothing of a longer line stays.
            end = "\n" if done == total else ""
            print(f"\r{text:<78}", end=end, file=self._stream, flush=True)
        elif done == total:
            print(
                f"{name}: {total} fits done, about {left:.0f} s left", file=self._stream, flush=True
            )


def format_comparison(result):
    """The comparison as tables of plain text."""
    kpis, table = result.kpis_, result.table_
    lines = [("estimator", "cost/1000", "accuracy", "log loss", "Brier", "fit seconds")]
    for name, kpi in kpis.iterrows():
        numbers = (
            f"{kpi.cost:.4g}",
            f"{kpi.accuracy:.4f}",
            f"{kpi.log_loss:.4f}",
            f"{kpi.brier:.4f}",
            f"{kpi.fit_seconds:.3f}",
        )
        lines.append((name, *("" if number == "nan" else number for number in numbers)))
    differences = [("difference", "metric", "value", "95 % interval", "verdict")]
    differences[0] = (*differences[0][:3], f"{result.confidence:.0%} interval", "verdict")
    for row in table.itertuples():
        differences.append(
            (
                f"{row.candidate} - {row.baseline}",
                row.metric,
                f"{row.difference:+.4g}",
                f"[{row.ci_low:+.4g}, {row.ci_high:+.4g}]",
                row.verdict + _more_parts(row, len(result.y)),
            )
        )
    return (
        f"{_aligned(lines)}\n\n{_aligned(differences, left=(0, 1, 4))}\n\n"
        "Means over the test folds; lower cost, log loss and Brier score are better. The cost is\n"
        "per 1000 parts; without --cost it is the number of wrong calls. Intervals allow for the\n"
        "overlap of the training sets (Nadeau and Bengio), verdicts also for the number of pairs\n"
        "(Holm)."
    )


def _more_parts(row, n):
    if row.verdict != "inconclusive" or row.metric != "cost":
        return ""
    if row.difference == 0:
        return ", no difference seen"
    more = row.parts_needed - n
    if not more < 100 * n:
        return ", more than 100 times as many parts would be needed"
    return f", about {float(f'{more:.2g}'):,.0f} more parts would tell" if more > 0 else ""


def _aligned(lines, left=(0,)):
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _as_json(summary, result):
    content = {
        "skperturb": __version__,
        "summary": summary,
        "settings": result.settings,
        "estimators": _records(result.kpis_.reset_index()),
        "differences": _records(result.table_),
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)


def _records(table):
    """Rows as dictionaries; what is not finite, such as a policy's accuracy, is null."""
    return [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def _write(path, text):
    """All of it, or nothing."""
    unfinished = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=os.path.dirname(path) or ".", delete=False
        ) as file:
            unfinished = file.name
            file.write(text)
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
        unfinished = None
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        if unfinished is not None:
            os.unlink(unfinished)
