"""Fit time beside scikit-learn's LogisticRegression on the same data, as ratios of medians.

    python benchmarks/fit_time.py [--data steel small ...] [--models "argmax gaussian" ...]
                                  [--rounds N] [--threads N ... | --one-core] [--max-iter N]

Every estimator has C=1 and tol=1e-4. `gradient` is the largest entry of the gradient of
C * sum(log loss) + 1/2 * sum(coef**2), divided by C * n, at the coefficients found: the same
function for all estimators that minimise it, the others have a dash. tol bounds this entry for
LogisticRegression(lbfgs) and for Perturb-Argmax. SGDClassifier fits one class against the rest.
`log loss` is that of the training data.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from _timing import DATA, clock, converges, in_turn, machine, our_models, small, synthetic, table
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

BASE = "LogisticRegression"
SAME_OBJECTIVE = {BASE, "newton-cholesky", "argmax gumbel"}
BARS = {
    "argmax gumbel": 1.0,
    "argmax gaussian": 1.5,
    "argmax student_t(4)": 3.0,
    "softmax gaussian": 3.0,
}
BARS_OF = {
    "small": dict.fromkeys(BARS, 2.0),
    "classes": {"argmax gumbel": 1.0, "argmax gaussian": 2.0},
}
# newton-cholesky would need 34 GB, SGDClassifier a thousand fits.
LEFT_OUT = {"classes": {"newton-cholesky", "SGDClassifier", *BARS} - set(BARS_OF["classes"])}


def from_file(name):
    def load():
        path = DATA / name
        if not path.exists():
            print(f"{path} is not there: left out.")
            return None
        frame = pd.read_csv(path)
        return frame.drop(columns="target").to_numpy(float), frame["target"].to_numpy()

    return load


def thousand_classes():
    rng = np.random.default_rng(0)
    X, directions = rng.normal(size=(30_000, 64)), rng.normal(size=(64, 1000)) / 4
    return X, (X @ directions + rng.gumbel(size=(30_000, 1000))).argmax(axis=1)


DATA_SETS = {
    "steel": from_file("steel_plates_faults.csv"),
    "letter": from_file("letter.csv"),
    "synthetic": synthetic,
    "classes": thousand_classes,
    "small": small,
}


def estimators(n_rows, max_iter):
    options = {"C": 1.0, "tol": 1e-4, "max_iter": max_iter}
    return {
        BASE: LogisticRegression(**options),
        "newton-cholesky": LogisticRegression(solver="newton-cholesky", **options),
        "SGDClassifier": SGDClassifier("log_loss", alpha=1 / n_rows, tol=1e-4, random_state=0),
        **our_models(**options),
    }


def largest_gradient(estimator, X, y):
    """Of the objective of multinomial logistic regression with C=1, divided by n."""
    n, coef = len(X), estimator.coef_
    error = softmax(X @ coef.T + estimator.intercept_, axis=1)
    error[np.arange(n), np.searchsorted(estimator.classes_, y)] -= 1
    return max(np.abs(error.T @ X + coef).max(), np.abs(error.sum(axis=0)).max()) / n


def compare(row, name, X, y, chosen, rounds, max_iter):
    fits = {
        model: estimator
        for model, estimator in estimators(len(X), max_iter).items()
        if model == BASE or (model in chosen if chosen else model not in LEFT_OUT.get(name, ()))
    }
    # Not timed: the first fit in a process makes tables, see overhead.py.
    converged = {model: converges(estimator, X, y) for model, estimator in fits.items()}
    seconds = in_turn(
        {model: clock(lambda e=estimator: e.fit(X, y)) for model, estimator in fits.items()}, rounds
    )
    for model, estimator in fits.items():
        row(
            name,
            model,
            seconds[model],
            seconds[model] / seconds[BASE],
            BARS_OF.get(name, BARS).get(model),
            int(np.max(estimator.n_iter_)),
            "yes" if converged[model] else "no",
            largest_gradient(estimator, X, y) if model in SAME_OBJECTIVE else None,
            log_loss(y, estimator.predict_proba(X), labels=estimator.classes_),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", choices=DATA_SETS, default=list(DATA_SETS))
    parser.add_argument("--models", nargs="+", choices=list(estimators(1, 1)), metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", nargs="+", type=int, default=[None], help="default: all")
    parser.add_argument("--one-core", dest="threads", action="store_const", const=[1])
    parser.add_argument("--max-iter", type=int, default=1000)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for threads in args.threads:
        with threadpool_limits(limits=threads):
            print(machine())
            row = table(
                *(("data", 11, ""), ("model", 20, ""), ("seconds", 9, ".4f"), ("ratio", 8, ".2f")),
                *(("bar", 6, ".1f"), ("iterations", 12, "d"), ("converged", 11, ">s")),
                *(("gradient", 10, ".0e"), ("log loss", 11, ".6f")),
            )
            for name in args.data:
                data = DATA_SETS[name]()
                if data is not None:
                    X, y = StandardScaler().fit_transform(data[0]), data[1]
                    compare(row, name, X, y, args.models, args.rounds, args.max_iter)


if __name__ == "__main__":
    main()
