"""``skperturb compare``: classifiers compared on a CSV of parts."""

import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from .. import (
    PerturbArgmaxClassifier,
    PerturbArgmaxClassifierCV,
    PerturbSoftmaxClassifier,
)
from ..additive import AdditiveClassifier
from ..evaluation import LANGUAGES, compare_classifiers, summary_sentence
from ..noise import as_noise
from ..parts import (
    account,
    check_outputs,
    counted,
    did_you_mean,
    preprocessor,
    rare_class_notes,
    shipped_parts,
    write_text,
)
from . import _cluster
from ._about import reading_of
from ._arguments import currency, jobs, positive, repeats_and_folds, rope, seed
from ._drivers import drivers
from ._output import comparison_json
from ._progress import Progress
from ._reading import (
    add_options,
    add_roles,
    read,
    read_tables,
    refuse_few,
    refuse_unknown_class,
    refuse_without_file,
    say,
)

METRICS = ("cost", "log_loss", "brier", "accuracy")
TESTS = ("corrected", "per-part")
# Repeats and folds: on the user's own parts, and on the data that ship with scikit-learn.
USUAL_CV, QUICK_CV, ONE_REPEAT = (10, 10), (5, 2), (1, 10)
FEWEST_OF_CLASS = 2  # parts in a fit that chooses C by leaving out parts
MAX_ITER = 1000  # of the linear models: enough for features that are standardised
ESTIMATORS: dict[str, Callable[..., Any]] = {
    "logistic_regression": lambda: LogisticRegression(max_iter=MAX_ITER),
    "perturb_argmax": lambda noise="gaussian": PerturbArgmaxClassifier(noise, max_iter=MAX_ITER),
    "perturb_softmax": lambda noise="gaussian": PerturbSoftmaxClassifier(noise, max_iter=MAX_ITER),
    "additive": lambda: AdditiveClassifier(max_iter=MAX_ITER),
    # Its automatic early stopping fails where a class has two rows.
    "gradient_boosting": lambda: HistGradientBoostingClassifier(early_stopping=False),
    "class_frequencies": lambda: DummyClassifier(strategy="prior"),
    # It chooses its noise and C anew in each fit, by rows, or lots, of that fit alone.
    "perturb_argmax_cv": lambda *noise: PerturbArgmaxClassifierCV(
        noise or ("gumbel", "student_t"), max_iter=MAX_ITER
    ),
}
USUAL_NOISE = {  # of estimators that are named without one
    "perturb_argmax": "gaussian",
    "perturb_softmax": "gaussian",
    "perturb_argmax_cv": "gumbel/student_t",
}


def full_name(name):
    """The name of an estimator with its noise.

    Examples
    --------
    >>> from skperturb.cli._compare import full_name
    >>> full_name("perturb_argmax"), full_name("perturb_softmax:logistic"), full_name("additive")
    ('perturb_argmax:gaussian', 'perturb_softmax:logistic', 'additive')
    """
    return f"{name}:{USUAL_NOISE[name]}" if name in USUAL_NOISE else name


USUAL = [full_name(name) for name in ESTIMATORS if name != "perturb_argmax_cv"]


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
    add_options(parser)
    add_roles(
        parser,
        time="when each part was made: models learn from the past and are tested on what follows",
        groups="the lot of each part: parts of one lot are never on both sides of a split",
        weight="the weight of each part in fits, figures and tests",
        today="the decision that was made on each part: a rule that the models have to beat",
    )
    parser.add_argument(
        "--estimators",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(ESTIMATORS)} (all but the last); the first is the baseline; "
        "perturb_argmax:logistic is with logistic noise (gaussian); perturb_argmax_cv "
        "chooses C and one of its noises, as perturb_argmax_cv:gumbel/laplace",
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
        "--metric",
        choices=METRICS,
        default="cost",
        help="the metric that decides (cost); the others have no verdict",
    )
    parser.add_argument(
        "--rope",
        type=rope,
        metavar="X",
        help="a difference in that metric (cost per 1000 parts) that does not matter",
    )
    parser.add_argument(
        "--difference",
        type=positive,
        metavar="X",
        help="a difference in that metric: say how many parts would show it",
    )
    parser.add_argument(
        "--test",
        choices=TESTS,
        default="corrected",
        help="corrected: on repeated folds; per-part: on one 10-fold, cheaper, for stable models "
        "only",
    )
    parser.add_argument(
        "--cv",
        type=repeats_and_folds,
        metavar="RxK",
        help="R times K-fold cross-validation (10x10; without a file 5x2; with --time or "
        "--test per-part 1x10)",
    )
    parser.add_argument("--seed", type=seed, default=0, help="seed of the folds (0)")
    parser.add_argument(
        "--jobs", type=jobs, metavar="N", help="fits at a time (1; -1 for all cores)"
    )
    _cluster.add_to(parser)
    parser.add_argument("--out", metavar="report.html", help="write a report there")
    parser.add_argument(
        "--lang", choices=LANGUAGES, help="language of the report, the notes and the summary (en)"
    )
    parser.add_argument(
        "--currency", type=currency, metavar="NAME", help="of the costs: EUR, JPY, ..."
    )
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")


def run(options):
    """Read the files, compare, and write the results."""
    names, pairing = _pairing(options)
    estimators = {full_name(name): estimator_named(name) for name in names}
    if len(estimators) < 2:
        raise ValueError("--estimators needs two different names, the baseline first.")
    if options.cluster and options.jobs:
        raise ValueError(
            "--jobs is for the cores of this machine: leave it out with --cluster, whose workers "
            "make as many fits at a time as they have threads."
        )
    check_outputs(
        {"--json": options.json, "--out": options.out},
        [*options.parts, options.cost, options.prevalence],
    )
    if options.out and not all(map(find_spec, ("jinja2", "matplotlib"))):
        raise ValueError("--out needs jinja2 and matplotlib: pip install 'skperturb[report]'.")
    repeats, folds = _cv(options)
    parts, tables, notes = _read(options)
    if any(name.startswith("perturb_argmax_cv") for name in names):
        refuse_rare(parts, folds)
    say(notes, options.lang or "en")
    with (
        _cluster.fits_on(options.cluster),
        Progress(sys.stderr, list(estimators)) as progress,
    ):
        result = compare_classifiers(
            estimators,
            parts.features,
            parts.target.to_numpy(dtype=object).astype(str),
            **pairing,
            **tables,
            good=options.good,
            sample_weight=parts.weight,
            groups=parts.groups,
            time=parts.time,
            today=parts.today,
            metric=options.metric,
            rope=options.rope,
            difference=options.difference,
            test=options.test.replace("-", "_"),
            n_splits=folds,
            n_repeats=repeats,
            random_state=options.seed,
            n_jobs=options.jobs,
            progress=progress,
        )
    for name, out in result.predictions.items():
        for message, count in Counter(out.messages).items():
            fits = out.fit_seconds.size
            print(f"note: {name}, {count} of {fits} fits: {message}", file=sys.stderr)
    lang = options.lang or "en"
    summary = _summary(parts, options, result, lang)
    # Files first: what standard output cannot show is not lost.
    if options.json:
        write_text(options.json, comparison_json(summary, result, notes))
    if options.out:
        reading = {
            **reading_of(_without_folders(options.command), account(notes, lang)),
            "lines": parts.places,
            "drivers": drivers(parts, result, estimator_named, lang),
        }
        page = result.to_html(
            lang=lang, title=_title(parts), reading=reading, currency=options.currency
        )
        write_text(options.out, page)
    text = result.to_text(lang=lang, currency=options.currency)
    conclusion, _, tables_and_note = text.partition("\n\n")
    print(conclusion, summary, tables_and_note, sep="\n\n", flush=True)


def _title(parts):
    """The names of the files, without their folders."""
    return ", ".join(map(os.path.basename, parts.source.split(", ")))


def _without_folders(command):
    """A command without the folders of absolute paths, which a page does not give away."""
    return shlex.join(
        os.path.basename(text) or text if os.path.isabs(text) else text
        for text in shlex.split(command)
    )


def _summary(parts, options, result, lang):
    """What was compared, in one sentence."""
    settings = result.settings
    folds = (
        f"{settings['folds']}" if options.time else f"{settings['repeats']} x {settings['folds']}"
    )
    n_lots = None if parts.groups is None else parts.groups.nunique()
    return summary_sentence(
        lang,
        source=_title(parts),
        parts=len(parts.target),
        lots=n_lots,
        features=parts.features.shape[1],
        classes=parts.target.nunique(),
        folds=folds,
        forward=bool(options.time),
        seed=options.seed,
    )


def _cv(options):
    if options.cv and options.time and options.cv[0] > 1:
        raise ValueError(
            f"With --time there is one division into blocks: use --cv 1x{options.cv[1]}."
        )
    once = options.time or options.test == "per-part"
    usual = ONE_REPEAT if once else USUAL_CV if options.parts else QUICK_CV
    return options.cv or usual


def _read(options):
    """The parts, the tables of costs and shares by the names of their parameters, and notes."""
    if not options.parts:
        names = ["target", "keep", "drop", "numeric", "categories", "groups", "time"]
        names += ["weight", "today"]
        refuse_without_file(options, [*names, "encoding", "sheet"])
        parts = shipped_parts()
    else:
        roles = ("groups", "time", "weight", "today")
        parts = read(options, **{role: getattr(options, role) for role in roles})
        refuse_few(len(parts.target), parts.source)
    classes = set(parts.target)
    refuse_unknown_class("--good", options.good, classes)
    notes = [*parts.notes, *rare_class_notes(parts.target, _cv(options)[1])]
    tables, about_tables = read_tables(options, classes)
    return parts, tables, notes + about_tables


def refuse_rare(parts, folds):
    """Refuse classes that a fit may see in one part only: nothing is left to choose C by."""
    counts = parts.target.value_counts()
    fewest = counts - -(-counts // folds)
    if fewest.min() < FEWEST_OF_CLASS:
        raise ValueError(
            f"Class {fewest.idxmin()!r} has {counted(int(counts[fewest.idxmin()]), 'part')}; "
            "perturb_argmax_cv leaves out parts of each fit, and needs two of each class there. "
            "Leave the class out of the file, join it with another, or use perturb_argmax."
        )


def _pairing(options):
    """Names of the estimators, and which are compared."""
    if options.baseline is None and options.candidate is None:
        return options.estimators or USUAL, {}
    if options.estimators is not None:
        raise ValueError("Give --estimators, or --baseline and --candidate, not both.")
    candidate = full_name(options.candidate or "perturb_argmax")
    baselines = list(map(full_name, options.baseline or ["logistic_regression"]))
    if candidate in baselines:
        raise ValueError(f"{candidate!r} is both --candidate and --baseline.")
    return [*baselines, candidate], {"candidate": candidate}


def estimator_named(name):
    """A pipeline by its name; what cannot be fitted is refused here, before any fit."""
    kind, colon, noise = name.partition(":")
    if kind not in ESTIMATORS or (colon and not (noise and kind.startswith("perturb_"))):
        raise ValueError(
            f"{name!r} is no estimator{did_you_mean(kind, ESTIMATORS)[:-1]}; use some of "
            f"{', '.join(ESTIMATORS)}, the perturb ones also as perturb_argmax:logistic with the "
            "name of a noise."
        )
    if noise:
        several = noise.split("/") if kind == "perturb_argmax_cv" else [noise]
        laws = [as_noise(one) for one in several]
        if any(law.bounded for law in laws) and kind.startswith("perturb_argmax"):
            raise ValueError(
                f"{name!r} cannot be fitted: its noise is bounded, so that a class may have "
                f"probability zero; use 'perturb_softmax:{noise}' instead."
            )
        model = ESTIMATORS[kind](*laws)
    else:
        model = ESTIMATORS[kind]()
    if kind == "additive":  # It takes gaps and categories as they are.
        return make_pipeline(model)
    # Trees take no sparse features.
    return make_pipeline(preprocessor(sparse=kind != "gradient_boosting"), model)
