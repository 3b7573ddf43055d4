"""Leave-one-out without refits, and the choice of noise and C, beside brute force and peers.

    python benchmarks/leave_out.py accuracy     # against refits without each row, 5 noises
    python benchmarks/leave_out.py lots         # vowel, 15 speakers, against refits
    python benchmarks/leave_out.py path         # a path of 10 Cs beside LogisticRegressionCV
    python benchmarks/leave_out.py choice       # C and test loss beside LogisticRegressionCV
    python benchmarks/leave_out.py fit          # beside one fit; --fits times of another version
    python benchmarks/leave_out.py memory       # 100 000 rows, 7 classes

Times are those of the processor, on one core (OMP_NUM_THREADS=1). The data sets are read from the
folder SKPERTURB_DATA, and left out if they are not there.
"""

import argparse
import json
import os
import resource
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import skperturb
from skperturb import PerturbArgmaxClassifier
from skperturb.noise import Cauchy, Gaussian, Gumbel, Logistic, StudentT

DATA = Path(os.environ.get("SKPERTURB_DATA", Path(__file__).parents[2] / "shared" / "data"))
NOISES = {
    "gumbel": Gumbel(),
    "gaussian": Gaussian(),
    "logistic": Logistic(),
    "t4": StudentT(4),
    "t2": StudentT(2),
    "cauchy": Cauchy(),
}
EIGHT = {
    "glass": "glass",
    "vehicle": "vehicle",
    "vowel": "vowel",
    "steel": "steel_plates_faults",
    "injection": "injection_molding_measured_only",
    "wine_quality": "wine_quality",
    "breast_cancer": None,
    "wine": None,
}


def load(name):
    """Features as numbers and codes of the classes, or None if the file is not there."""
    if hasattr(datasets, f"load_{name}"):
        return getattr(datasets, f"load_{name}")(return_X_y=True)
    path = DATA / f"{EIGHT.get(name, name)}.csv"
    if not path.exists():
        print(f"{path} is not there", flush=True)
        return None
    table = pd.read_csv(path)
    y = np.unique(table["target"], return_inverse=True)[1]
    drop = ["target", "Speaker Number", "Train or Test"]
    X = pd.get_dummies(table.drop(columns=drop, errors="ignore"), dtype=float).to_numpy(float)
    return X, y


def sample(name, n, seed=0, fewest=8):
    """Some rows, in proportion, of classes of enough rows: standardised features and codes."""
    found = load(name)
    if found is None:
        return None
    X, y = found
    kept = np.bincount(y)[y] >= fewest
    X, y = X[kept], y[kept]
    if len(y) > n:
        rows, _ = train_test_split(np.arange(len(y)), train_size=n, stratify=y, random_state=seed)
        X, y = X[rows], y[rows]
    kept = np.bincount(y)[y] >= 3
    X, y = X[kept], np.unique(y[kept], return_inverse=True)[1]
    return StandardScaler().fit_transform(X[:, X.std(axis=0) > 0]), y


def classifier(noise, C, **options):
    return PerturbArgmaxClassifier(NOISES[noise], C=C, max_iter=5000, **options)


def seconds(function, *args, **options):
    start = time.process_time()
    result = function(*args, **options)
    return time.process_time() - start, result


def refits(clf, X, y, units):
    """Loss of each row by fits without its unit, from where the whole fit ended."""
    loss = np.empty(len(y))
    start = clf.coef_.copy(), clf.intercept_.copy()
    other = PerturbArgmaxClassifier(**clf.get_params(deep=False)).set_params(warm_start=True)
    other.set_params(tol=1e-7, solver="newton")
    other.classes_ = clf.classes_
    for unit in np.unique(units):
        out = units == unit
        other.coef_, other.intercept_ = start
        other.fit(X[~out], y[~out])
        log_p = other.predict_log_proba(X[out])
        loss[out] = -log_p[np.arange(out.sum()), y[out]]
    return loss


def accuracy(args):
    """Log loss by leave_one_out against that of refits."""
    errors, in_errors = [], []
    sets = ["wine", "vehicle", "glass", "breast_cancer", "steel", "iris"]
    for name in sets[: args.sets]:
        data = sample(name, args.rows, args.seed)
        if data is None:
            continue
        X, y = data
        for noise in ("gumbel", "gaussian", "logistic", "t4", "cauchy"):
            for C in (0.01, 0.1, 1.0, 10.0, 1e4):
                if C > 100 and noise == "cauchy":
                    continue  # a refit takes minutes
                clf = classifier(noise, C).fit(X, y)
                spent, left = seconds(clf.leave_one_out, X, y)
                step = clf.leave_one_out(X, y, refit=False)
                brute, exact = seconds(refits, clf, X, y, np.arange(len(y)))
                error = left.log_loss().value / exact.mean() - 1
                of_error = (left.log_loss().value - exact.mean()) / left.log_loss().std_err
                errors.append(abs(error))
                in_errors.append(abs(of_error))
                print(
                    f"{name:14} K={len(clf.classes_)} {noise:9} C={C:<7g} exact {exact.mean():8.4f}"
                    f"  step {step.log_loss().value / exact.mean() - 1:+.4f}  with refits"
                    f" {error:+.5f} ({of_error:+.3f} std. errors)  {left.refitted.sum():3} refits,"
                    f" time {spent / brute:.2f} of brute force",
                    flush=True,
                )
    errors, in_errors = np.array(errors), np.array(in_errors)
    print(
        f"{len(errors)} configurations: median {np.median(errors):.2%}, 90 % below "
        f"{np.quantile(errors, 0.9):.2%}, largest {errors.max():.2%}; "
        f"{np.sum((errors > 0.03) & (in_errors > 0.1))} beyond 3 % and 0.1 standard errors"
    )


def lots(args):
    """Leave-one-speaker-out."""
    path = DATA / "vowel.csv"
    if not path.exists():
        return print(f"{path} is not there")
    X, y = load("vowel")
    X = StandardScaler().fit_transform(X)
    speaker = pd.read_csv(path)["Speaker Number"].to_numpy()
    for noise in ("gumbel", "t4", "gaussian"):
        for C in (0.01, 0.1, 1.0, 10.0):
            clf = classifier(noise, C, tol=1e-6).fit(X, y)
            runs = [seconds(clf.leave_one_out, X, y, groups=speaker) for _ in range(3)]
            spent, left = np.median([s for s, _ in runs]), runs[0][1]
            brute, exact = seconds(refits, clf, X, y, speaker)
            print(
                f"{noise:9} C={C:<5g} rows {clf.leave_one_out(X, y).log_loss().value:.4f}  lots "
                f"{left.log_loss().value:.4f}  exact {exact.mean():.4f}  error "
                f"{left.log_loss().value / exact.mean() - 1:+.4f}  "
                f"{len(np.unique(speaker[left.refitted]))} refits, "
                f"{brute / spent:.1f} times as fast",
                flush=True,
            )


def our_search(noises, **options):
    return skperturb.PerturbArgmaxClassifierCV(noises, max_iter=1000, **options)


def logistic_search():
    return LogisticRegressionCV(
        Cs=10,
        cv=10,
        scoring="neg_log_loss",
        max_iter=1000,
        l1_ratios=(0,),
        use_legacy_attributes=False,
    )


def splits(args):
    """(name, seed, train X, y, test X, y) of the eight data sets."""
    for name in EIGHT:
        for seed in range(args.seed, args.seed + args.splits):
            found = load(name)
            if found is None:
                break
            X, y = found
            kept = np.bincount(y)[y] >= 20
            X, y = X[kept], np.unique(y[kept], return_inverse=True)[1]
            n = min(int(0.6 * len(y)), args.rows)
            train, test = train_test_split(
                np.arange(len(y)), train_size=n, stratify=y, random_state=seed
            )
            X = X[:, X[train].std(axis=0) > 0]
            scaler = StandardScaler().fit(X[train])
            yield (
                name,
                seed,
                scaler.transform(X[train]),
                y[train],
                scaler.transform(X[test]),
                y[test],
            )


def path(args):
    """Times of a search along 10 Cs, in the same process, in turn."""
    # The tables of both noises are built once in a process.
    for n_classes in (2, 3):
        X, y = datasets.make_classification(60, n_informative=4, n_classes=n_classes)
        our_search(["gumbel", "student_t"]).fit(X, y)
    ratios, totals = [], np.zeros(3)
    for name, _, X, y, *_ in splits(args):
        peer, _ = seconds(logistic_search().fit, X, y)
        one, _ = seconds(our_search(["gumbel"]).fit, X, y)
        both, _ = seconds(our_search(["gumbel", "student_t"]).fit, X, y)
        again, _ = seconds(logistic_search().fit, X, y)
        peer = (peer + again) / 2
        ratios.append((one / peer, both / peer))
        totals += peer, one, both
        print(
            f"{name:14} {len(y)} rows, {len(np.unique(y))} classes: LogisticRegressionCV "
            f"{peer:.2f} s, Gumbel {one / peer:.3f}, Gumbel and Student-t {both / peer:.3f}",
            flush=True,
        )
    print(
        f"medians {np.median(ratios, axis=0).round(3)}, of the sums {totals[1:] / totals[0]}, "
        f"largest {np.max(ratios, axis=0).round(3)}"
    )


def choice(args):
    """The C of Gumbel noise, and the test loss of the default rule."""
    by_set, near, wins = {}, [], []
    for name, seed, X, y, X_test, y_test in splits(args):
        peer = logistic_search().fit(X, y)
        ours = our_search(["gumbel", "student_t"]).fit(X, y)
        gumbel = int(np.nanargmax(ours.scores_[0]))
        apart = gumbel - int(np.argmin(np.abs(np.log(ours.Cs_ / float(np.ravel(peer.C_)[0])))))
        labels = np.arange(y.max() + 1)
        theirs = log_loss(y_test, peer.predict_proba(X_test), labels=labels)
        own = log_loss(y_test, ours.predict_proba(X_test), labels=labels)
        near.append(abs(apart) <= 1)
        wins.append(own - theirs)
        by_set.setdefault(name, []).append((theirs, own))
        print(
            f"{name:14} seed {seed} {len(y)} rows: C apart by {apart:+d} steps, chosen "
            f"{ours.noise_} C={ours.C_:.3g}; test loss {own:.4f}, "
            f"LogisticRegressionCV {theirs:.4f}",
            flush=True,
        )
    for name, pairs in by_set.items():
        theirs, own = np.mean(pairs, axis=0)
        print(f"{name:14} {theirs:.4f} -> {own:.4f} ({own / theirs - 1:+.2%})")
    print(
        f"C within one step in {sum(near)} of {len(near)}; test loss less LogisticRegressionCV's: "
        f"{np.mean(wins):+.4f} +- {np.std(wins) / np.sqrt(len(wins)):.4f}"
    )


def fit(args):
    """Time without refits, in fits; with --fits those of the version on the path are written."""
    known = json.loads(Path(args.fits).read_text()) if args.fits else {}
    times = {}
    for name, n in (
        ("breast_cancer", 569),
        ("vehicle", 846),
        ("injection", 1175),
        ("steel", 1941),
        ("wine_quality", 2500),
    ):
        data = sample(name, n)
        if data is None:
            continue
        X, y = data
        for noise in ("gumbel", "gaussian", "t4"):
            for C in (0.1, 1.0, 10.0):
                clf = classifier(noise, C).fit(X, y)
                key = f"{name} {noise} {C}"
                spent = [seconds(clf.fit, X, y)[0] for _ in range(3)]
                times[key] = float(np.median(spent))
                if args.write:
                    continue
                runs = []
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of rows that are not refitted
                    for _ in range(3):
                        runs.append(seconds(clf.leave_one_out, X, y, refit=False)[0])
                ratio = np.median(runs) / known.get(key, times[key])
                times[key] = ratio
                print(f"{name:14} n={len(y)} {noise:9} C={C:<4g} {ratio:.2f} of a fit", flush=True)
    if args.write:
        Path(args.write).write_text(json.dumps(times))
    else:
        ratios = np.array(list(times.values()))
        print(
            f"median {np.median(ratios):.2f}, 90 % below {np.quantile(ratios, 0.9):.2f}, largest "
            f"{ratios.max():.2f}"
        )


def memory(args):
    """Peak of the process."""
    X, y = datasets.make_classification(100_000, 20, n_informative=12, n_classes=7, random_state=0)
    clf = classifier("gaussian", 1.0).fit(X, y)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent, left = seconds(clf.leave_one_out, X, y, refit=False)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"100 000 rows, 7 classes: {spent:.1f} s, peak {after:.0f} MB (after the fit "
        f"{before:.0f} MB); {left.log_loss()}"
    )


PARTS = {f.__name__: f for f in (accuracy, lots, path, choice, fit, memory)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--rows", type=int, default=None, help="of a data set at most")
    parser.add_argument("--sets", type=int, default=6, help="data sets of 'accuracy'")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--fits", help="file with the times of fits by another version")
    parser.add_argument("--write", help="file to write the times of fits to")
    args = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    for part in args.parts:
        print(f"--- {part}: {PARTS[part].__doc__}", flush=True)
        options = argparse.Namespace(**vars(args))
        options.rows = args.rows or {"accuracy": 110}.get(part, 1200)
        PARTS[part](options)
