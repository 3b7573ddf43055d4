"""Every noise beside LogisticRegression: the numbers that README and guide quote.

    python benchmarks/speed.py [--quick] [--cores 2 1] [--only "fit 2000 x 20, K=3" ...]
                               [--models "argmax cauchy" ...] [--seconds N] [--rounds N]

Fits have C=1, tol=1e-4 and 1000 iterations at most. `ratio` is to LogisticRegression as it is by
default (lbfgs), `to best` to the fastest of its solvers lbfgs and newton-cholesky, medians of
rounds. All of it takes about 25 minutes, with --quick about 2: fewer data sets and rounds.
"""

import argparse
import warnings
from functools import partial

import numpy as np
import pandas as pd
from _timing import DATA, clock, in_turn, machine, table
from scipy import sparse
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

BASE, OTHER = "LogisticRegression", "newton-cholesky"
OPTIONS = {"C": 1.0, "tol": 1e-4, "max_iter": 1000}
# The bar of a ratio: of two classes, of more, and of few rows of more; None where there is none.
THIN, KINKED, HEAVY = (1.5, 1.2, 2.0), (1.5, 2.0, 3.5), (2.0, 3.0, 8.0)
MODELS = {
    "argmax gumbel": (PerturbArgmaxClassifier, "gumbel", {}, THIN),
    "argmax gaussian": (PerturbArgmaxClassifier, "gaussian", {}, THIN),
    "argmax logistic": (PerturbArgmaxClassifier, "logistic", {}, THIN),
    "argmax exponential": (PerturbArgmaxClassifier, "exponential", {}, KINKED),
    "argmax laplace": (PerturbArgmaxClassifier, "laplace", {}, KINKED),
    "argmax uniform, FY": (PerturbArgmaxClassifier, "uniform", {"loss": "fenchel_young"}, KINKED),
    "argmax student_t": (PerturbArgmaxClassifier, "student_t", {}, (2.0, 2.0, 3.5)),
    "argmax cauchy": (PerturbArgmaxClassifier, "cauchy", {}, HEAVY),
    "argmax cauchy, FY": (
        *(PerturbArgmaxClassifier, "cauchy", {"loss": "fenchel_young"}),
        (2.0, 10.0, 10.0),
    ),
    "softmax gaussian": (PerturbSoftmaxClassifier, "gaussian", {}, (2.0, 3.0, 3.5)),
    "softmax cauchy": (PerturbSoftmaxClassifier, "cauchy", {}, HEAVY),
}
PREDICTION_BARS = {
    "argmax gaussian": 6.0,
    "argmax student_t": 9.0,
    "argmax cauchy": 20.0,
    "argmax exponential": 2.0,
    "argmax laplace": 6.0,
}
FEW_ROWS = 2500
MOST_FOR_NEWTON = 2000  # parameters: its matrix has their square
PART = 2000  # rows of the fit that is not timed: it makes the tables


def two_classes(n_rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 20))
    scores = 2 * X @ rng.normal(size=20) / np.sqrt(20)
    return X, (scores + rng.logistic(size=n_rows) > 0.5).astype(int)


def several(n_rows, n_features, n_classes):
    options = {"n_informative": n_features // 2, "n_classes": n_classes, "random_state": 0}
    return make_classification(n_rows, n_features, **options)


def wide(n_rows, n_features, n_classes, filled=1.0):
    """Scores of sd 2 from all features; sparse rows if few entries are filled."""
    rng = np.random.default_rng(0)
    if filled < 1:
        options = {"format": "csr", "random_state": 0, "data_rvs": rng.standard_normal}
        X = sparse.random(n_rows, n_features, density=filled, **options)
    else:
        X = rng.normal(size=(n_rows, n_features))
    weights = rng.normal(size=(n_features, n_classes)) * 2 / np.sqrt(n_features * filled)
    scores = X @ weights
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def from_file(name):
    path = DATA / name
    if not path.exists():
        print(f"{path} is not there: left out.")
        return None
    frame = pd.read_csv(path)
    return frame.drop(columns="target").to_numpy(float), frame["target"].to_numpy()


SETS = {
    "breast cancer, 569 x 30, K=2": partial(load_breast_cancer, return_X_y=True),
    "2000 x 20, K=2": partial(two_classes, 2000),
    "20 000 x 20, K=2": partial(two_classes, 20_000),
    "200 000 x 20, K=2": partial(two_classes, 200_000),
    "200 x 10, K=3": partial(several, 200, 10, 3),
    "2000 x 20, K=3": partial(several, 2000, 20, 3),
    "steel plates, 1941 x 27, K=7": partial(from_file, "steel_plates_faults.csv"),
    "20 000 x 20, K=7": partial(several, 20_000, 20, 7),
    "letter, 20 000 x 16, K=26": partial(from_file, "letter.csv"),
    "200 000 x 30, K=7": partial(several, 200_000, 30, 7),
    "200 x 5000, K=3": partial(wide, 200, 5000, 3),
    "5000 x 20, K=200": partial(wide, 5000, 20, 200),
    "sparse 20 000 x 2000, K=2": partial(wide, 20_000, 2000, 2, 0.01),
    "sparse 20 000 x 30 000, K=20": partial(wide, 20_000, 30_000, 20, 0.001),
}
PREDICTIONS = {"1 row, K=2": (1, 2), "100 000 rows, K=2": (100_000, 2)}
PREDICTIONS |= {"1 row, K=7": (1, 7), "100 000 rows, K=7": (100_000, 7)}
QUICK = {
    *("fit breast cancer, 569 x 30, K=2", "fit 2000 x 20, K=2", "fit 200 x 10, K=3"),
    *("fit 2000 x 20, K=3", "fit steel plates, 1941 x 27, K=7"),
    *("predict 1 row, K=2", "predict 100 000 rows, K=2", "predict 100 000 rows, K=7"),
}


def estimators(chosen):
    peers = {BASE: LogisticRegression(**OPTIONS)}
    peers[OTHER] = LogisticRegression(solver=OTHER, **OPTIONS)
    return peers | {
        name: model(noise, **options, **OPTIONS)
        for name, (model, noise, options, _) in MODELS.items()
        if name in chosen
    }


def compare(row, what, functions, number, bars, args):
    times = {name: clock(function, number) for name, function in functions.items()}
    seconds = in_turn(times, args.rounds, args.seconds)
    best = min(seconds[name] for name in (BASE, OTHER) if name in seconds)
    for name, median in seconds.items():
        row(what, name, 1e3 * median, median / seconds[BASE], median / best, bars.get(name))


def fits(row, name, args):
    data = SETS[name]()
    if data is None:
        return
    X, y = data
    if not name.startswith("sparse"):
        X = StandardScaler().fit_transform(X)
    models, n_rows, n_classes = estimators(args.models), X.shape[0], len(np.unique(y))
    if X.shape[1] * n_classes > MOST_FOR_NEWTON:
        del models[OTHER]
    for model in models.values():
        model.fit(X[:PART], y[:PART])
    which = 0 if n_classes == 2 else 2 if n_rows <= FEW_ROWS and n_classes == 3 else 1
    bars = {model: MODELS[model][3][which] for model in args.models}
    functions = {model: lambda m=m: m.fit(X, y) for model, m in models.items()}
    compare(row, f"fit {name}", functions, 10 if n_rows <= FEW_ROWS else 1, bars, args)


def predictions(row, name, args):
    n_rows, n_classes = PREDICTIONS[name]
    X, y = several(max(n_rows, 5000), 20, n_classes)
    X = StandardScaler().fit_transform(X)
    models = estimators(args.models)
    del models[OTHER]  # predicts as the other solvers do
    for model in models.values():
        model.fit(X[:PART], y[:PART])
        model.predict_proba(X[:n_rows])
    rows = X[:n_rows]
    functions = {model: lambda m=m: m.predict_proba(rows) for model, m in models.items()}
    one = dict.fromkeys(MODELS, 1.0)
    bars = one if n_rows == 1 else dict.fromkeys(MODELS, 1.2) if n_classes == 2 else PREDICTION_BARS
    compare(row, f"predict {name}", functions, 200 if n_rows == 1 else 3, bars, args)


def main():
    workloads = {f"fit {name}": (fits, name) for name in SETS}
    workloads |= {f"predict {name}": (predictions, name) for name in PREDICTIONS}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--cores", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--only", nargs="+", choices=workloads, metavar="WORKLOAD")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, help="at most; default: 7, with --quick 3")
    parser.add_argument("--seconds", type=float, help="of a workload; default: 25, --quick: 6")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 7)
    args.seconds = args.seconds or (6.0 if args.quick else 25.0)
    warnings.simplefilter("ignore")
    for cores in args.cores:
        with threadpool_limits(limits=cores):
            print(f"\nOn {cores} of them: {machine()}")
            row = table(
                *(("what", 36, ""), ("model", 19, ""), ("ms", 10, ".3f"), ("ratio", 7, ".2f")),
                *(("to best", 8, ".2f"), ("bar", 5, ".1f")),
            )
            for workload in args.only or [w for w in workloads if w in QUICK or not args.quick]:
                function, name = workloads[workload]
                function(row, name, args)


if __name__ == "__main__":
    main()
