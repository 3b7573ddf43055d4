"""What the probabilities are worth: accuracy, consistency and cost, each beside its bar.

Published 30-digit probabilities are compared, those of the tests or of another file:

    python benchmarks/accuracy.py [probabilities.json]

Some of the file's Perturb-Softmax probabilities, those with a kinked noise at temperature 0.5, are
off by up to 2e-8 themselves; the closed integral for two classes, below them, is not.
"""

import json
import sys
import time
import tracemalloc
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import expit

from skperturb import PerturbArgmax, PerturbSoftmax, cache
from skperturb._engine import make_kernel
from skperturb.noise import StudentT, as_noise

REFERENCE = Path(__file__).parents[1] / "tests" / "reference_probabilities.json"
NOISES = (
    *("gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "exponential", "uniform"),
    *("student_t", StudentT(1.5), "cauchy", stats.norm()),
)
MODELS = [PerturbArgmax(noise, scale) for noise in NOISES for scale in (1.0, 2.5)]
MODELS += [PerturbSoftmax(noise, temperature=tau) for noise in NOISES for tau in (0.01, 0.5, 2.0)]


def main():
    path = Path(sys.argv[1]) if sys.argv[1:] else REFERENCE
    if path.exists():
        references(json.loads(path.read_text())["cases"])
    else:
        print(f"{path} is not there: no published probabilities.\n")
    two_classes()
    consistency()
    cost()


def references(cases):
    worst, count = defaultdict(float), defaultdict(int)
    for case in cases:
        noise = StudentT(case["df"]) if "df" in case else as_noise(case["noise"])
        tau = case.get("temperature")
        model = PerturbArgmax(noise) if tau is None else PerturbSoftmax(noise, temperature=tau)
        p = np.array(case["p"], dtype=float)
        seen = p >= 1e-12
        log_p = model.log_proba([case["scores"]])[0]
        assert np.array_equal(log_p == -np.inf, p == 0)
        worst[repr(model)] = max(worst[repr(model)], np.abs(log_p[seen] - np.log(p[seen])).max())
        count[repr(model)] += 1
    print(f"{'published probabilities':48} {'cases':>6} {'worst |d log p|, p >= 1e-12':>28}")
    for model, error in worst.items():
        print(f"{model:48} {count[model]:>6} {error:>28.1e}")


def two_classes():
    """E expit((gap + d) / tau) over the known density of the difference d of two noises."""
    densities = {
        "laplace": lambda d: (1 + np.abs(d)) * np.exp(-np.abs(d)) / 4,
        "exponential": lambda d: np.exp(-np.abs(d)) / 2,
        "uniform": lambda d: np.maximum(2 - np.abs(d), 0) / 4,
        "gaussian": stats.norm(scale=np.sqrt(2)).pdf,
    }
    print(f"\n{'Perturb-Softmax of two classes':48} {'tau':>6} {'worst |d log p|':>28}")
    points, weights = np.polynomial.legendre.leggauss(20)
    for noise, density in densities.items():
        for tau in (0.01, 0.5, 2.0):
            errors = []
            for gap in (0.3, 1.0, 1.7, 6.0):
                centre = np.linspace(-80, 80, 16_001)[:-1] + 0.005
                d = (centre[:, None] + 0.005 * points).ravel()
                mass = density(d) * np.tile(0.005 * weights, len(centre))
                exact = [mass @ expit((gap + d) / tau), mass @ expit(-(gap + d) / tau)]
                log_p = PerturbSoftmax(noise, temperature=tau).log_proba([[gap, 0.0]])[0]
                errors.append(np.abs(log_p - np.log(exact))[np.array(exact) > 1e-12].max())
            print(f"{noise:48} {tau:>6} {max(errors):>28.1e}")


def consistency():
    rng = np.random.default_rng(0)
    print(f"\n{'consistency':48} {'sum':>8} {'differences':>12} {'inverse':>8} {'draws/se':>9}")
    for model in MODELS:
        bounded = model.noise.bounded
        spread = model.noise.scale * (0.3 if bounded else 1.5)
        scores = rng.normal(scale=spread, size=(3, 4))
        scores -= scores.mean(axis=1, keepdims=True)
        p = model.proba(scores)
        inverse = np.abs(model.scores_from_proba(p) - scores)[p.min(axis=1) >= 1e-8]
        draws = model.sample(scores, size=20_000, random_state=0)
        if not isinstance(model, PerturbSoftmax):
            draws = (draws[..., None] == np.arange(4)).astype(float)
        # The larger of the two: a class that was never drawn has no deviation of its own.
        spread = np.maximum(draws.std(axis=0), np.sqrt(p * (1 - p)))
        deviation = np.abs(draws.mean(axis=0) - p) / (spread / np.sqrt(len(draws)))
        print(
            f"{model!r:48} {np.abs(p.sum(axis=1) - 1).max():>8.0e} "
            f"{differences(model, scores):>12.0e} {inverse.max(initial=0):>8.0e} "
            f"{deviation.max():>9.1f}"
        )
    print(f"{'bar':48} {1e-12:>8.0e} {5e-6:>12.0e} {1e-6:>8.0e} {5:>9}")


def differences(model, scores):
    """Largest error of gradient, Hessian, Jacobian and potential against five-point differences."""
    kernel, y = model._kernel(scores.shape[1]), np.arange(len(scores))
    step = 1e-3 * model.noise.scale

    def slope(function):
        columns = []
        for k in range(scores.shape[1]):
            shift = step * np.eye(scores.shape[1])[k]
            near = function(scores + shift) - function(scores - shift)
            far = function(scores + 2 * shift) - function(scores - 2 * shift)
            columns.append((8 * near - far) / (12 * step))
        return np.stack(columns, axis=-1)

    value, gradient = (lambda s, part=part: kernel.log_likelihood(s, y)[part] for part in (0, 1))
    return max(
        np.abs(slope(function) - derivative).max()
        for function, derivative in (
            (value, gradient(scores)),
            (gradient, kernel.hessian(scores, y)),
            (kernel.proba, kernel.jacobian(scores)),
            (kernel.potential, kernel.proba(scores)),
        )
    )


def cost():
    print(
        f"\n{'cost':48} {'building, ms':>14} {'ms a row, K = 1000':>20} {'K = 10 000: times':>18}"
    )
    rng = np.random.default_rng(0)
    for noise in ("gaussian", "logistic", "gumbel_min", "laplace", "student_t"):
        cache.clear()
        start = time.perf_counter()
        make_kernel(as_noise(noise), 3)
        built = time.perf_counter() - start
        seconds = {}
        for n_classes, n in ((1000, 2), (10_000, 2)):
            scores, model = rng.normal(size=(n, n_classes)), PerturbArgmax(noise)
            model.proba(scores)
            start = time.perf_counter()
            model.proba(scores)
            seconds[n_classes] = (time.perf_counter() - start) / n
        print(
            f"{noise:48} {1e3 * built:>14.0f} {1e3 * seconds[1000]:>20.2f} "
            f"{seconds[10_000] / seconds[1000]:>18.1f}"
        )
    scores = rng.normal(size=(1000, 100_000))
    tracemalloc.start()
    start = time.perf_counter()
    result = PerturbArgmax("gaussian").proba(scores)
    peak = tracemalloc.get_traced_memory()[1]
    print(
        f"gaussian, 1000 rows of 100 000 classes: {time.perf_counter() - start:.0f} s, "
        f"{peak / 2**20:.0f} MB, of which the result {result.nbytes / 2**20:.0f} MB"
    )


if __name__ == "__main__":
    main()
