"""Two classes: fits and predictions beside LogisticRegression.

    python benchmarks/two_classes.py [--rows N ...] [--rounds N] [--one-core]

Ratios of medians to LogisticRegression at the same C and tolerance. Predictions are of 100 000 rows
and of one.
"""

import argparse

import numpy as np
from _timing import clock, in_turn, machine, table
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

BASE = "LogisticRegression"
MODELS = {
    BASE: (LogisticRegression(max_iter=1000), None),
    "argmax gumbel": (PerturbArgmaxClassifier("gumbel"), 1.5),
    "argmax gaussian": (PerturbArgmaxClassifier("gaussian"), 1.5),
    "argmax logistic": (PerturbArgmaxClassifier("logistic"), 1.5),
    "argmax laplace": (PerturbArgmaxClassifier("laplace"), 1.5),
    "argmax student_t": (PerturbArgmaxClassifier("student_t"), 2.0),
    "argmax cauchy": (PerturbArgmaxClassifier("cauchy"), 2.0),
    "softmax gaussian": (PerturbSoftmaxClassifier("gaussian"), 2.0),
    "softmax cauchy": (PerturbSoftmaxClassifier("cauchy"), 2.0),
}


def data(n_rows, n_features=20):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    scores = 2 * X @ rng.normal(size=n_features) / np.sqrt(n_features)
    return X, (scores + rng.logistic(size=n_rows) > 0.5).astype(int)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[200, 2000, 20_000, 200_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one-core", action="store_true")
    args = parser.parse_args()
    with threadpool_limits(limits=1 if args.one_core else None):
        print(machine())
        measure(args)


def measure(args):
    breast = load_breast_cancer()
    sets = {"breast cancer": (scale(breast.data), breast.target)}
    sets |= {f"{n} x 20": data(n) for n in args.rows}
    row = table(
        *(("what", 18, ""), ("model", 20, ""), ("ms", 9, ".3f"), ("ratio", 7, ".2f")),
        ("bar", 5, ".1f"),
    )

    def compare(what, functions, number, bars):
        for function in functions.values():
            function()
        times = {name: clock(function, number) for name, function in functions.items()}
        seconds = in_turn(times, args.rounds)
        for name, median in seconds.items():
            row(what, name, 1e3 * median, median / seconds[BASE], bars[name])

    bars = {name: bar for name, (_, bar) in MODELS.items()}
    for name, (X, y) in sets.items():
        fits = {
            model: lambda clf=clf, X=X, y=y: clf.fit(X, y) for model, (clf, _) in MODELS.items()
        }
        compare(f"fit {name}", fits, 1 if len(X) > 5000 else 10, bars)
    X, y = data(100_000)
    for clf, _ in MODELS.values():
        clf.fit(X[:5000], y[:5000])
    for n, number, bar in ((len(X), 3, 1.2), (1, 200, 1.0)):
        part = X[:n]
        functions = {
            name: lambda clf=clf, part=part: clf.predict_proba(part)
            for name, (clf, _) in MODELS.items()
        }
        compare(f"predict {n}", functions, number, dict.fromkeys(MODELS, bar) | {BASE: None})


if __name__ == "__main__":
    main()
