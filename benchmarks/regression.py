"""Is the working tree slower than an earlier commit? Both are measured in one run.

    python benchmarks/regression.py [BASE] [--rounds N] [--only WORDS ...]

Installs BASE (default HEAD~1) and the working tree, each into its own temporary folder, and times
the same workloads with both, in turn, in new processes each round. Prints the ratio of medians for
each, and names those that are slower by more than 15 % twice; exit status 1 if there are any. A
workload that BASE cannot run is new. Run it with the Python that has the library's dependencies;
where Cython and setuptools are installed they build, otherwise pip fetches them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = 1.15
LEAST_SECONDS = 0.05  # a workload is repeated until it takes that long
IMPORT = "from time import perf_counter as t; start = t(); import skperturb; print(t() - start)"
ARGMAX = (
    *("gumbel", "gaussian", "gumbel_min", "logistic", "laplace", "exponential"),
    *("student_t", "cauchy"),
)
SOFTMAX = ("gaussian", "logistic", "uniform")


# In the processes that are timed.


def workloads():
    """Functions to time, by name, of the skperturb that this process imports."""
    import numpy as np
    from sklearn.datasets import load_digits, load_wine, make_classification
    from sklearn.preprocessing import StandardScaler

    import skperturb
    from skperturb import (
        PerturbArgmax,
        PerturbArgmaxClassifier,
        PerturbSoftmax,
        PerturbSoftmaxClassifier,
    )

    assert Path(skperturb.__file__).is_relative_to(Path.cwd())  # the version asked for

    def data(X, y):
        return StandardScaler().fit_transform(X), y

    wine, digits = data(*load_wine(return_X_y=True)), data(*load_digits(return_X_y=True))
    large = data(*make_classification(20_000, 30, n_informative=15, n_classes=7, random_state=0))
    small = make_classification(200, 10, n_informative=5, n_classes=3, random_state=0)
    scores = np.random.default_rng(0).normal(size=(500, 7))

    def predict(n):
        classifier = PerturbArgmaxClassifier("gaussian").fit(large[0][:2000], large[1][:2000])
        return lambda: classifier.predict_proba(large[0][:n])

    def inversion(model):
        p = model.proba(scores)
        return lambda: model.scores_from_proba(p)

    def fit(classifier, noise, data, **options):
        return lambda: classifier(noise, **options).fit(*data)

    # Functions that make the function to time, so that each runs only when it is asked for.
    made = {
        f"fit wine, argmax {noise}": lambda noise=noise: fit(PerturbArgmaxClassifier, noise, wine)
        for noise in ARGMAX
    }
    made |= {
        f"fit wine, softmax {noise}": lambda noise=noise: fit(PerturbSoftmaxClassifier, noise, wine)
        for noise in SOFTMAX
    }
    for name, of in (("small", small), ("digits", digits), ("20000 x 30", large)):
        made |= {
            f"fit {name}, argmax {n}": lambda n=n, of=of: fit(PerturbArgmaxClassifier, n, of)
            for n in ("gumbel", "gaussian")
        }
    return made | {
        "fit small, C=inf": lambda: fit(PerturbArgmaxClassifier, "gaussian", small, C=float("inf")),
        "predict_proba, 1 row": lambda: predict(1),
        "predict_proba, 20000 rows": lambda: predict(20_000),
        "inversion, argmax gaussian": lambda: inversion(PerturbArgmax("gaussian")),
        "inversion, softmax gaussian": lambda: inversion(PerturbSoftmax("gaussian")),
    }


def work():
    """Answer each line of the input, the name of a workload, with its seconds or an error."""
    warnings.simplefilter("ignore")
    made = workloads()
    print(*made, sep="\t", flush=True)
    for name in map(str.strip, sys.stdin):
        try:
            function = made[name]()
            function()  # tables
            start = perf_counter()
            function()
            number = int(LEAST_SECONDS / (perf_counter() - start))
            for _ in range(number):
                function()
            print((perf_counter() - start) / (number + 1), flush=True)
        except Exception as error:  # the other version goes on
            print(f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)


# In the process that compares.


class Version:
    """One version of the library, installed in a folder of its own."""

    def __init__(self, name, source, folder):
        self.name, self.folder, self.failures = name, folder, {}
        quiet = ("-q", "--no-deps", "--disable-pip-version-check", "--no-warn-script-location")
        here = ["--no-build-isolation"] * bool(find_spec("Cython") and find_spec("setuptools"))
        pip = [sys.executable, "-m", "pip", "install", *quiet, *here, "--target", folder, source]
        subprocess.run(pip, check=True)
        self.environment = os.environ | {"PYTHONPATH": str(folder)}
        # Whatever it is called, which has changed.
        compiled = any(path.suffix in (".so", ".pyd") for path in folder.glob("skperturb/**/*"))
        print(f"{name}: {'compiled' if compiled else 'not compiled'}")

    def start(self):
        """Start a process that times; return the names of what it can."""
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).resolve(), "--work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment,
        )
        names = self.process.stdout.readline().strip()
        if not names:
            sys.exit(f"{self.name} does not run: see the error above.")
        return names.split("\t")

    def stop(self):
        """End it, by the end of its input."""
        self.process.communicate()

    def seconds(self, workload):
        """Of one run of the workload; None if this version cannot run it."""
        if workload == "import":
            command = [sys.executable, "-c", IMPORT]
            options = {"cwd": self.folder, "env": self.environment}
            return float(subprocess.check_output(command, text=True, **options))
        print(workload, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        try:
            return float(answer)
        except ValueError:
            self.failures[workload] = answer
            return None


def sources(base, folder):
    """Copies of the base commit and of the working tree, with what is not yet committed."""
    before, now = folder / "base_source", folder / "head_source"
    archive = subprocess.check_output(["git", "archive", "--format=tar", base], cwd=ROOT)
    before.mkdir()
    subprocess.run(["tar", "-x"], input=archive, cwd=before, check=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        if (ROOT / name).is_file():
            (now / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, now / name)
    return before, now


def measure(base, head, rounds, wanted):
    """Median seconds (base, head) of each workload that is wanted; None where it does not run."""
    seconds = {}
    for number in range(rounds):
        names = ["import", *base.start()]
        head.start()
        for name in filter(wanted, names):
            of = seconds.setdefault(name, {base: [], head: []})
            for version in (head, base) if number % 2 else (base, head):
                of[version].append(version.seconds(name))
        base.stop()
        head.stop()

    def middle(values):
        return None if None in values else median(values)

    return {name: (middle(of[base]), middle(of[head])) for name, of in seconds.items()}


def slower(before, now):
    """Whether the working tree cannot run it, or is slower than allowed."""
    return now is None or (before is not None and now > ALLOWED * before)


def show(measured):
    print(f"\n{'workload':34} {'base, ms':>10} {'head, ms':>10} {'head/base':>10}")
    for name, times in measured.items():
        base, head = ("-" if t is None else f"{1e3 * t:.2f}" for t in times)
        before, now = times
        if now is None:
            verdict = "fails"
        else:
            verdict = "new" if before is None else f"{now / before:.2f}"
        print(f"{name:34} {base:>10} {head:>10} {verdict:>10}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", nargs="?", default="HEAD~1", help="a commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[""], help="words in the workloads' names")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work()
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        before, now = sources(args.base, folder)
        base = Version(args.base, before, folder / "base")
        head = Version("working tree", now, folder / "head")
        measured = measure(base, head, args.rounds, lambda n: any(w in n for w in args.only))
        show(measured)
        suspects = [name for name, times in measured.items() if slower(*times)]
        if suspects:
            print("\nAgain, those that look slower:")
            measured = measure(base, head, args.rounds, suspects.__contains__)
            show(measured)
    guilty = [name for name in suspects if slower(*measured[name])]
    for name in filter(head.failures.get, guilty):
        print(f"{name}: {head.failures[name]}")
    if guilty:
        sys.exit(f"\nSlower by more than {ALLOWED - 1:.0%}, or failing: {'; '.join(guilty)}")
    print(f"\nNothing is slower by more than {ALLOWED - 1:.0%}.")


if __name__ == "__main__":
    main()
