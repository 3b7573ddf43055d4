"""Scores from probabilities: how surely, how exactly and how fast they are found.

Every noise that is complete and minimal, both models, 10 000 random distributions each, of 2 to
50 classes with probabilities down to 1e-10 (1e-4 for heavy tails). The peer is SciPy's
general-purpose root finder on log p, with the same exact derivatives and the same start, on 5
rows of each number of classes. Prints one line for each model: the most Newton steps, the largest
|p - proba(scores)|, milliseconds for a row (10 000 of them at once; the peer takes them one by
one), and the rows that the peer does not solve to 1e-9.

    python benchmarks/inversion.py [n_rows]
"""

import sys
import time

import numpy as np
from scipy.optimize import root

from skperturb import PerturbArgmax, PerturbSoftmax
from skperturb.noise import as_noise

NAMES = [
    "gaussian",
    "gumbel",
    "gumbel_min",
    "logistic",
    "laplace",
    "exponential",
    "uniform",
    "student_t",
    "cauchy",
]
CLASSES = (2, 3, 7, 20, 50)
PEER_ROWS = 5


def random_rows(rng, n, n_classes, smallest):
    """Distributions whose smallest probability is `smallest`, the others log-uniform above it."""
    log_p = rng.uniform(np.log(smallest), 0, size=(n, n_classes))
    log_p[:, 0], log_p[:, 1] = np.log(smallest), 0.0
    p = rng.permuted(np.exp(log_p), axis=1)
    p = p / p.sum(axis=1, keepdims=True)
    # Exactly that small after the division, too.
    p[np.arange(n), p.argmin(axis=1)] = smallest
    return p / p.sum(axis=1, keepdims=True)


def peer(model, p, start):
    """(seconds for a row, rows not solved) of scipy.optimize.root on log p, first score 0."""
    failures, begin = 0, time.perf_counter()
    for row, at in zip(p, start, strict=True):

        def log_ratio(free, row=row):
            log_q = model.log_proba(np.append(0.0, free)[None])[0]
            q, jacobian = np.exp(log_q), model.jacobian(np.append(0.0, free)[None])[0]
            relative = jacobian[:, 1:] / q[:, None]
            return (log_q - np.log(row))[1:], relative[1:]

        with np.errstate(all="ignore"):
            try:
                found = root(
                    log_ratio, at[1:] - at[0], jac=True, tol=1e-12, options={"maxfev": 200}
                ).x
                error = np.abs(model.proba(np.append(0.0, found)[None])[0] - row).max()
            except ValueError:  # it left the numbers
                error = np.inf
        failures += not error <= 1e-9
    return (time.perf_counter() - begin) / len(p), failures


def main(n_rows=10_000):
    print(
        f"{'model':16}{'noise':12}{'steps':>6}{'error':>9}{'ms/row':>8}{'peer':>8}{'ratio':>8}",
        end="",
    )
    print("  peer's failures")
    for kind in (PerturbArgmax, PerturbSoftmax):
        for name in NAMES:
            model = kind(as_noise(name))
            if not model.representation().minimal:
                continue
            smallest = 1e-4 if name in ("student_t", "cauchy") else 1e-10
            rng = np.random.default_rng(0)
            steps = error = seconds = peer_seconds = failures = 0
            for n_classes in CLASSES:
                p = random_rows(rng, n_rows // len(CLASSES), n_classes, smallest)
                model.scores_from_proba(p[:1])  # builds the tables
                begin = time.perf_counter()
                scores, taken, found = model._invert(p)
                seconds += time.perf_counter() - begin
                if not found.all():
                    raise SystemExit(f"{model}: {np.sum(~found)} of {len(p)} rows not found")
                steps = max(steps, taken.max())
                error = max(error, np.abs(model.proba(scores) - p).max())
                start = -model.noise.isf(np.minimum(p[:PEER_ROWS], 1 - 1e-9))
                each, lost = peer(model, p[:PEER_ROWS], start)
                peer_seconds, failures = peer_seconds + each / len(CLASSES), failures + lost
            mean = seconds / n_rows
            line = f"{kind.__name__:16}{name:12}{steps:6}{error:9.0e}{mean * 1e3:8.2f}"
            line += f"{peer_seconds * 1e3:8.2f}{peer_seconds / mean:8.1f}"
            print(f"{line}  {failures} of {PEER_ROWS * len(CLASSES)}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
