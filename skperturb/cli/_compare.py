"""``skperturb compare``: classifiers compared on a CSV of parts."""

import sys
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from .. import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from ..evaluation import compare_classifiers
from ..noise import as_noise
from ..parts._tabular import preprocessor, read_costs, read_parts, read_shares, shipped_parts
from ._arguments import repeats_and_folds, rope, seed
from ._output import check_outputs, comparison_json, write_text
from ._progress import Progress

LANGUAGES = ("en", "ja")  # of the report
# Repeats and folds: on the user's own parts, and on the data that ship with scikit-learn.
USUAL_CV, QUICK_CV = (10, 10), (5, 2)
MAX_ITER = 1000  # of the linear models: enough for features that are standardised
ESTIMATORS: dict[str, Callable[..., Any]] = {
    "logistic_regression": lambda: LogisticRegression(max_iter=MAX_ITER),
    "perturb_argmax": lambda noise="gaussian": PerturbArgmaxClassifier(noise, max_iter=MAX_ITER),
    "perturb_softmax": lambda noise="gaussian": PerturbSoftmaxClassifier(noise, max_iter=MAX_ITER),
    # Its automatic early stopping fails where a class has two rows.
    "gradient_boosting": lambda: HistGradientBoostingClassifier(early_stopping=False),
    "class_frequencies": lambda: DummyClassifier(strategy="prior"),
}


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "compare",
        help="compare classifiers on a CSV of parts",
        description="Compare classifiers by repeated cross-validation, on a CSV of parts or on "
        "data that ship with scikit-learn. The table goes to standard output, progress to "
        "standard error.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("parts", nargs="?", metavar="parts.csv", help="one row per part")
    parser.add_argument("--target", metavar="COLUMN", help="the column that holds the class")
    parser.add_argument(
        "--keep",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="use these columns although they look like identifiers",
    )
    parser.add_argument(
        "--groups",
        metavar="COLUMN",
        help="the lot of each part: parts of one lot are never on both sides of a split",
    )
    parser.add_argument(
        "--estimators",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(ESTIMATORS)} (all of them); the first is the baseline; "
        "perturb_argmax:logistic is with logistic noise",
    )
    parser.add_argument(
        "--baseline", nargs="+", metavar="NAME", help="today's model or models, instead"
    )
    parser.add_argument("--candidate", metavar="NAME", help="the model that is to beat them")
    parser.add_argument("--good", metavar="CLASS", help="the class of parts without a defect")
    parser.add_argument(
        "--cost",
        metavar="costs.csv",
        help="what each decision costs for each class ('skperturb costs-template' writes one); "
        "models take the decision of least expected cost",
    )
    parser.add_argument(
        "--prevalence",
        metavar="prev.csv",
        help="class and share on the line, where the file holds other shares",
    )
    parser.add_argument(
        "--rope",
        type=rope,
        metavar="X",
        help="a difference in cost per 1000 parts that does not matter",
    )
    parser.add_argument(
        "--cv",
        type=repeats_and_folds,
        metavar="RxK",
        help="R times K-fold cross-validation (10x10; without a file 5x2)",
    )
    parser.add_argument("--seed", type=seed, default=0, help="seed of the folds (0)")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="fits at a time (1; -1 for all cores)"
    )
    parser.add_argument("--out", metavar="report.html", help="write a report there")
    parser.add_argument(
        "--lang", default="en", choices=LANGUAGES, help="language of the report (en)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")


def run(options):
    """Read the files, compare, and write the results."""
    names, pairing = _pairing(options)
    estimators = {name: _estimator(name) for name in names}
    if len(estimators) < 2:
        raise ValueError("--estimators needs two different names, the baseline first.")
    check_outputs(
        {"--json": options.json, "--out": options.out},
        (options.parts, options.cost, options.prevalence),
    )
    if options.out and not all(map(find_spec, ("jinja2", "matplotlib"))):
        raise ValueError("--out needs jinja2 and matplotlib: pip install 'skperturb[report]'.")
    parts = _parts(options)
    costs = None if options.cost is None else read_costs(options.cost)
    shares = None if options.prevalence is None else read_shares(options.prevalence)
    for note in parts.notes:
        print(f"note: {note}", file=sys.stderr)
    repeats, folds = options.cv or (QUICK_CV if options.parts is None else USUAL_CV)
    progress = Progress(sys.stderr, len(estimators))
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
    for name, out in result.predictions.items():
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
        write_text(options.json, comparison_json(summary, result))
    if options.out:
        write_text(options.out, result.to_html(lang=options.lang, title=parts.name))
    print(summary, result, sep="\n\n", flush=True)


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
