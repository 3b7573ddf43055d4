"""What is paid beside the iterations of a fit: prediction, small fits, import, tables.

    python benchmarks/overhead.py [--parts predict small import first] [--rows N ...]
                                  [--models "argmax gaussian" ...] [--rounds N]

Ratios of medians: to LogisticRegression of predictions and of fits of 200 rows, to `import
sklearn.linear_model` in fresh interpreters, and of the first fit of a process, which builds the
tables of its noise, to the second.
"""

import argparse
import warnings

import numpy as np
from _timing import clock, fresh_python, in_turn, machine, our_models, small, synthetic, table
from sklearn.linear_model import LogisticRegression

BASE = "LogisticRegression"
IMPORT = "from time import perf_counter as t; start = t(); import {}; print(t() - start)"
FIRST = """
from time import perf_counter
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

X, y = make_classification(200, 10, n_informative=5, n_classes=3, random_state=0)
LogisticRegression().fit(X, y)  # scikit-learn and SciPy have their own first time
for _ in range(2):
    start = perf_counter()
    {}.fit(X, y)
    print(perf_counter() - start)
"""
NOISES = (
    *("gumbel", "gaussian", "gumbel_min", "logistic", "laplace", "exponential"),
    *("student_t", "cauchy"),
)
FIRST_OF = [f'PerturbArgmaxClassifier("{noise}")' for noise in NOISES]
FIRST_OF += [f'PerturbSoftmaxClassifier("{noise}")' for noise in ("gaussian", "uniform")]


def models(args):
    return {BASE: LogisticRegression(), **{name: our_models()[name] for name in args.models}}


def against_base(row, what, functions, number, rounds, bars):
    for function in functions.values():
        function()
    measurements = {name: clock(function, number) for name, function in functions.items()}
    seconds = in_turn(measurements, rounds)
    for name, median in seconds.items():
        row(what, name, 1e3 * median, median / seconds[BASE], bars.get(name))


def predict(row, args):
    fitted = {name: model.fit(*synthetic(10_000)) for name, model in models(args).items()}
    X = np.random.default_rng(0).normal(size=(max(args.rows), 30))
    for n in args.rows:
        functions = {
            name: lambda model=model, n=n: model.predict_proba(X[:n])
            for name, model in fitted.items()
        }
        bars = {"argmax gaussian": 4.0} if n == 100_000 else {}
        number = max(1, 500 // n)
        against_base(row, f"predict_proba, K=7, n={n}", functions, number, args.rounds, bars)


def small_fit(row, args):
    X, y = small()
    functions = {name: lambda m=model: m.fit(X, y) for name, model in models(args).items()}
    bars = dict.fromkeys(our_models(), 2.0)
    against_base(row, "fit, 200 x 10, K=3", functions, 5, args.rounds, bars)


def imports(row, args):
    names = ("sklearn.linear_model", "skperturb")
    measurements = {name: lambda n=name: fresh_python(IMPORT.format(n))[0] for name in names}
    in_turn(measurements, 1)  # files into memory
    seconds = in_turn(measurements, max(7, args.rounds))
    for name, median in seconds.items():
        bar = 1.15 if name == "skperturb" else None
        row("import", name, 1e3 * median, median / seconds[names[0]], bar)


def first_fit(row, args):
    for model in FIRST_OF:
        pairs = [fresh_python(FIRST.format(model)) for _ in range(args.rounds)]
        first, second = np.median(pairs, axis=0)
        row("first fit / second", model, 1e3 * first, first / second, None)


PARTS = {"predict": predict, "small": small_fit, "import": imports, "first": first_fit}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    ours = list(our_models())
    parser.add_argument("--models", nargs="+", choices=ours, default=ours, metavar="MODEL")
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(machine())
    row = table(
        *(("what", 32, ""), ("of", 40, "")),
        *(("ms", 10, ".3f"), ("ratio", 8, ".2f"), ("bar", 6, ".4g")),
    )
    for part in args.parts:
        PARTS[part](row, args)


if __name__ == "__main__":
    main()
