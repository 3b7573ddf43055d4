"""Peak memory of a fit beyond the data: a million rows, 30 features, 7 classes.

python benchmarks/memory.py [n_rows]
"""

import resource
import sys
import time

import numpy as np

from skperturb import PerturbArgmaxClassifier


def peak():
    """Largest memory of the process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(n_rows=1_000_000, n_features=30, n_classes=7):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features))
    directions = rng.normal(size=(n_features, n_classes)) / 2
    y = np.empty(n_rows, dtype=np.int64)
    for start in range(0, n_rows, 10_000):  # in blocks, so that the data leave no peak behind
        rows = slice(start, start + 10_000)
        scores = X[rows] @ directions
        y[rows] = (scores + rng.normal(size=scores.shape)).argmax(axis=1)
    PerturbArgmaxClassifier().fit(X[:1000], y[:1000])  # tables and imports
    print(f"{'solver':10}{'seconds':>9}{'iterations':>12}{'X, MB':>8}{'extra peak, MB':>16}")
    for solver in ("lbfgs", "newton"):
        before, start = peak(), time.perf_counter()
        clf = PerturbArgmaxClassifier(solver=solver).fit(X, y)
        seconds = time.perf_counter() - start
        extra = peak() - before
        print(f"{solver:10}{seconds:9.1f}{clf.n_iter_[0]:12d}{X.nbytes / 2**20:8.0f}{extra:16.0f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
