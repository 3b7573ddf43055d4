"""How the time of a fit grows with the rows and with the classes: exponents e of time ~ size**e.

    python benchmarks/scaling.py [--rows N ...] [--heavy-rows N ...] [--classes K ...]
                                 [--class-rows N] [--rounds N]

Rows: fits to convergence of 30 features and 7 classes. Classes: ten iterations of L-BFGS on
10 000 rows of 10 features, and the start, because what a tolerance asks for
depends on the number of classes; every class has rows. `ms/iteration` is the time of the fit
divided by its iterations, so it holds the start's share.
"""

import argparse
import warnings

import numpy as np
from _timing import clock, in_turn, machine, slope, synthetic, table
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmax, PerturbArgmaxClassifier
from skperturb.noise import StudentT

BAR = 1.1


def blobs(n_rows, n_classes, n_features=10):
    """Normal clouds about random centres, as many rows of each class as of any other."""
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % n_classes
    centres = rng.normal(size=(n_classes, n_features))
    return centres[y] + rng.normal(size=(n_rows, n_features)), y


def report(row, what, size, fits, rounds):
    """Time the fits, (estimator, X, y) by size, in turn; then the exponents."""
    for n, (model, _, y) in fits.items():  # not timed: imports and tables
        PerturbArgmax(model.noise).proba(np.zeros((1, len(np.unique(y)))))
        if n == min(fits):
            model.fit(*fits[n][1:])
    measurements = {n: clock(lambda fit=fit: fit[0].fit(*fit[1:])) for n, fit in fits.items()}
    seconds = in_turn(measurements, rounds)
    each = {n: seconds[n] / model.n_iter_[0] for n, (model, _, _) in fits.items()}
    for n, (model, _, _) in fits.items():
        row(what, f"{size}={n}", seconds[n], model.n_iter_[0], 1e3 * each[n], None)
    if len(fits) > 1:
        times, per_iteration = (slope(list(s), list(s.values())) for s in (seconds, each))
        row(what, "exponent", times, None, per_iteration, BAR)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sizes = {
        "--rows": [10_000, 30_000, 100_000, 300_000, 1_000_000],
        "--heavy-rows": [10_000, 30_000, 100_000],
        "--classes": [10, 100, 1000, 10_000],
    }
    for name, default in sizes.items():
        parser.add_argument(name, nargs="*", type=int, default=default)
    parser.add_argument("--class-rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(machine())
    row = table(
        *(("model", 24, ""), ("size", 12, ""), ("seconds", 10, ".3f")),
        *(("iterations", 12, "d"), ("ms/iteration", 14, ".3f"), ("bar", 6, ".1f")),
    )
    X, y = synthetic(max(args.rows + args.heavy_rows, default=10_000))
    X = StandardScaler().fit_transform(X)
    for what, noise, rows in (
        ("argmax gaussian", "gaussian", args.rows),
        ("argmax student_t(4)", StudentT(4), args.heavy_rows),
    ):
        fits = {n: (PerturbArgmaxClassifier(noise), X[:n], y[:n]) for n in rows}
        if fits:
            report(row, what, "n", fits, args.rounds)
    ten = {"solver": "lbfgs", "max_iter": 10, "tol": 1e-12}
    fits = {
        k: (PerturbArgmaxClassifier("gaussian", **ten), *blobs(args.class_rows, k))
        for k in args.classes
    }
    if fits:
        report(row, "argmax gaussian", "K", fits, args.rounds)


if __name__ == "__main__":
    main()
