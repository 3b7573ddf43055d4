"""Fits from blocks of rows beside the fit in memory: coefficients, memory and time.

    python benchmarks/blocks.py same            # against one process; a worker is killed
    python benchmarks/blocks.py memory N ...    # N rows x 20: peak memory and processor time
    python benchmarks/blocks.py overhead        # of a round over blocks

Needs the extra "cluster". The files are made in a temporary folder.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from skperturb import PerturbArgmaxClassifier
from skperturb.blocks import fit, parquet
from skperturb.blocks._objective import BlockObjective

FEATURES = [f"x{j:02d}" for j in range(20)]
CLASSES = np.array(["burr", "dent", "ok", "scratch", "stain"])


def write(folder, n_files, n_rows):
    """Parquet files whose first two lack a class."""
    rng = np.random.default_rng(0)
    coef = rng.normal(size=(20, 5)) * 0.35
    offset = np.array([-1.5, 0.0, 1.0, 0.0, -0.5])
    for k in range(n_files):
        X = rng.normal(size=(n_rows, 20))
        y = (X @ coef + offset + rng.normal(size=(n_rows, 5))).argmax(axis=1)
        y[(y == 0) & (k < 2)] = 2
        frame = pd.DataFrame(X, columns=FEATURES)
        frame["weight"] = rng.integers(0, 4, n_rows).astype(float)
        frame["defect"] = CLASSES[y]
        frame.to_parquet(Path(folder) / f"part-{k:03d}.parquet")


def peak():
    """Largest resident memory of this process so far, MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def same(folder):
    """Coefficients of workers and of Parquet files against one fit in memory."""
    from distributed import Client, LocalCluster

    write(folder, 8, 25_000)
    frame = pd.concat(map(pd.read_parquet, sorted(Path(folder).glob("*.parquet"))))
    X, y, weight = frame[FEATURES], frame["defect"], frame["weight"]
    files = str(Path(folder) / "*.parquet")
    options = {"tol": 1e-10, "max_iter": 300}
    cases = {
        "Gaussian, L-BFGS": ({"solver": "lbfgs"}, False),
        "Gaussian, Newton": ({"solver": "newton"}, False),
        "Gumbel": ({"noise": "gumbel"}, False),
        "Student-t(4)": ({"noise": "student_t"}, False),
        "reference, C=.01": ({"constraint": "reference", "C": 0.01}, False),
        "balanced": ({"class_weight": "balanced"}, False),
        "weights, a quarter 0": ({}, True),
        "C=inf": ({"C": np.inf}, False),
    }
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        print(f"{'':24}{'workers':>10}{'files':>10}   iterations")
        for name, (parameters, weighted) in cases.items():
            clf = PerturbArgmaxClassifier(**parameters, **options)
            column = {"sample_weight": "weight"} if weighted else {}
            source = parquet(files, target="defect", features=FEATURES, **column)
            found = [fit(clf, source, client=client), clf.n_iter_[0]]
            coef = [clf.coef_.copy()]
            fit(clf, source)
            coef.append(clf.coef_.copy())
            clf.fit(X, y, sample_weight=weight if weighted else None)
            worst = [np.abs(c - clf.coef_).max() for c in coef]
            print(f"{name:24}{worst[0]:10.1e}{worst[1]:10.1e}   {found[1]} / {clf.n_iter_[0]}")
        source = parquet(files, target="defect", features=FEATURES)
        clf = PerturbArgmaxClassifier(solver="lbfgs")
        first = fit(clf, source, client=client).coef_.copy()
        again = fit(clf, source, client=client).coef_.copy()
        print("the same fit twice: identical", np.array_equal(first, again))
        victim = min(client.run(os.getpid).values())
        call, counted = BlockObjective.__call__, [0]

        def counting(self, free):
            counted[0] += 1
            if counted[0] == 4:
                # A process that the cluster of this script started.
                threading.Timer(0.05, os.kill, (victim, signal.SIGKILL)).start()
            return call(self, free)

        BlockObjective.__call__ = counting
        try:
            killed = fit(clf, source, client=client).coef_
        finally:
            BlockObjective.__call__ = call
        print("a worker killed in mid-fit: identical", np.array_equal(first, killed))


def memory(folder, sizes):
    """Peak memory and processor time of this process: Parquet, two workers, all in memory."""
    print(f"{'rows':>10}{'way':>10}{'base MB':>9}{'peak MB':>9}{'CPU s':>8}")
    for n in sizes:
        part = Path(folder) / str(n)
        part.mkdir()
        write(part, max(n // 200_000, 1), min(n, 200_000))
        for way in ("parquet", "workers", "memory"):
            command = [sys.executable, __file__, "one", way, str(part)]
            print(f"{n:10d}" + subprocess.check_output(command, text=True).rstrip(), flush=True)


def one(way, folder):
    """One fit, for :func:`memory`."""
    import pyarrow.parquet  # noqa: F401  both ways need it

    source = parquet(str(Path(folder) / "*.parquet"), target="defect", features=FEATURES)
    if way == "workers":
        from distributed import Client, LocalCluster

        cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        )
        with cluster, Client(cluster) as client:
            base, start = peak(), time.process_time()
            fit(PerturbArgmaxClassifier(), source, client=client)
            reached, seconds = peak(), time.process_time() - start
        print(f"{way:>10}{base:9.0f}{reached:9.0f}{seconds:8.1f}")
        return
    base, start = peak(), time.process_time()
    if way == "parquet":
        fit(PerturbArgmaxClassifier(), source)
    else:
        files = sorted(Path(folder).glob("*.parquet"))
        columns = [*FEATURES, "defect"]
        frame = pd.concat(pd.read_parquet(file, columns=columns) for file in files)
        PerturbArgmaxClassifier().fit(frame[FEATURES], frame["defect"])
    print(f"{way:>10}{base:9.0f}{peak():9.0f}{time.process_time() - start:8.1f}")


def _nothing(block):
    return 0.0


def overhead(folder):
    """Processor time of a round that does nothing, for each block."""
    from distributed import Client, LocalCluster

    from skperturb.blocks._backends import DaskBlocks

    cluster = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        for n in (2, 8, 32, 128):
            blocks = DaskBlocks(client, client.scatter([0] * n, hash=False))
            blocks.results(_nothing)
            times = []
            for _ in range(10):
                start = time.process_time()
                blocks.results(_nothing)
                times.append(time.process_time() - start)
            print(f"{n:4d} blocks: {1e3 * np.median(times) / n:.1f} ms of processor time a block")


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["same", "memory", "overhead", "one"])
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_args()
    if arguments.what == "one":
        one(*arguments.options)
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.what == "memory":
            memory(folder, [int(n) for n in arguments.options] or [1_000_000])
        else:
            {"same": same, "overhead": overhead}[arguments.what](folder)


if __name__ == "__main__":
    main()
