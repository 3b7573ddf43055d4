"""What the benchmarks share: competitors timed in turn, tables, models and data."""

import os
import platform
import subprocess
import sys
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.noise import StudentT

DATA = Path(os.environ.get("SKPERTURB_DATA", Path(__file__).parents[2] / "shared" / "data"))


def our_models(**options):
    return {
        "argmax gumbel": PerturbArgmaxClassifier("gumbel", **options),
        "argmax gaussian": PerturbArgmaxClassifier("gaussian", **options),
        "argmax student_t(4)": PerturbArgmaxClassifier(StudentT(4), **options),
        "softmax gaussian": PerturbSoftmaxClassifier("gaussian", **options),
    }


def small():
    return make_classification(200, 10, n_informative=5, n_classes=3, random_state=0)


def synthetic(n_rows=200_000):
    return make_classification(n_rows, 30, n_informative=15, n_classes=7, random_state=0)


def clock(function, number=1):
    """A measurement: when called, the seconds of one call of `function`, the mean of `number`."""

    def measure():
        start = perf_counter()
        for _ in range(number):
            function()
        return (perf_counter() - start) / number

    return measure


def in_turn(measurements, rounds, seconds=np.inf):
    """Median of each measurement by name, taken in turn, in reverse order every other round.

    A slow spell of the machine hits all of them, and none always comes first. No round begins when
    so many seconds have passed.
    """
    results, start = {name: [] for name in measurements}, perf_counter()
    for number in range(rounds):
        if number and perf_counter() - start > seconds:
            break
        for name in list(measurements)[:: -1 if number % 2 else 1]:
            results[name].append(measurements[name]())
    return {name: median(seconds) for name, seconds in results.items()}


def fresh_python(code, **options):
    """The numbers that `code` prints in a new interpreter."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options)
    return [float(line) for line in done.stdout.split()]


def converges(estimator, X, y):
    """Fit it; whether it did so without a ConvergenceWarning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y)
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


def table(*columns):
    """Print the titles of columns (title, width, format); return what prints a row.

    Text, which has no format, is aligned left; None is printed as a dash.
    """
    aligned = [f"{'>' if spec else '<'}{width}" for _, width, spec in columns]
    titles = [title for title, _, _ in columns]

    def show(cells):
        line = " ".join(f"{cell:{where}}" for cell, where in zip(cells, aligned, strict=True))
        print(line.rstrip(), flush=True)

    def row(*values):
        pairs = zip(values, columns, strict=True)
        show("-" if value is None else format(value, spec) for value, (_, _, spec) in pairs)

    show(titles)
    return row


def machine():
    """One line on what the figures below it were measured with."""
    threads = max((library["num_threads"] for library in threadpool_info()), default=1)
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn", "skperturb")
    )
    compiled = "compiled" if find_spec("skperturb._engine._sums_c") else "not compiled"
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {threads} threads, "
        f"Python {platform.python_version()}, {packages} ({compiled})"
    )


def slope(x, y):
    """Exponent e of y ~ x**e, by least squares on the logarithms."""
    return np.polyfit(np.log(x), np.log(y), 1)[0]
