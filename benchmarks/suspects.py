"""Planted label errors: how well they are found, against cleanlab on two learners.

    OMP_NUM_THREADS=1 python benchmarks/suspects.py [--seeds 0 1 2] [--sets wine glass ...]

needs cleanlab and the data sets of the folder ``SKPERTURB_DATA``. Every configuration flips 10 or
20 % of the labels of at most 280 rows. "symmetric": to any other class. "next": of any class to the
next one, the last to the first. "upwards": of any class but the last to the next one. "pair": of
the most frequent class to the next one, at most 40 % of it. The average precision of each list is
printed, the precision and recall of the flags, and CPU seconds of this process. Data as they are
("none") show how many rows are flagged without any flip. "curves" is AdditiveClassifier in the
place of a model that is linear in the features; the set "turning" has effects that turn.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifierCV
from skperturb.additive import AdditiveClassifier
from skperturb.evaluation import suspect_labels

SETS = (
    "turning",
    "breast_cancer",
    "wine",
    "vehicle",
    "glass",
    "steel_plates_faults",
    "injection_molding_measured_only",
)
KINDS = ("symmetric", "next", "upwards", "pair", "none")
ROWS, FEWEST = 280, 8


def load(name, seed):
    """At most 280 rows, standardised, and codes of the classes with 8 rows or more."""
    if name == "turning":
        return turning(seed)
    if name in ("breast_cancer", "wine"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    else:
        folder = Path(os.environ.get("SKPERTURB_DATA", "../shared/data"))
        table = pd.read_csv(folder / f"{name}.csv")
        y = table.pop("target").to_numpy()
        table = pd.get_dummies(table, dtype=float)
        X = table.fillna(table.median()).to_numpy()
    for fewest in (FEWEST, 3):
        _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        X, y = X[counts[codes] >= fewest], y[counts[codes] >= fewest]
        if len(y) > ROWS:
            X, _, y, _ = train_test_split(X, y, train_size=ROWS, stratify=y, random_state=seed)
    y = np.unique(y, return_inverse=True)[1]
    return StandardScaler().fit_transform(X[:, X.std(axis=0) > 0]), y


def turning(seed):
    """Three classes: bad on both sides of a best value, beyond a threshold, and in waves."""
    rng = np.random.default_rng(seed)
    X, scores = rng.normal(size=(ROWS, 6)), np.zeros((ROWS, 3))
    scores[:, 1] = 6 * (np.abs(X[:, 0]) - 0.8) + 2 * X[:, 2]
    scores[:, 2] = 5 * (X[:, 1] > 0.7) - 3 + 3 * np.sin(3 * X[:, 3])
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def flipped(y, kind, share, seed):
    """Labels of which a share is wrong."""
    rng, n_classes = np.random.default_rng(seed), y.max() + 1
    z, count = y.copy(), round(share * len(y))
    may = np.ones(len(y), dtype=bool)
    if kind == "upwards":
        may = y < n_classes - 1
    elif kind == "pair":
        may = y == np.bincount(y).argmax()
        count = min(count, int(0.4 * may.sum()))
    rows = rng.choice(np.flatnonzero(may), count, replace=False)
    by = rng.integers(1, n_classes, count) if kind == "symmetric" else 1
    z[rows] = (y[rows] + by) % n_classes
    return z


def cleanlab_lists(X, z):
    """Quality of each label by cleanlab, plain and adjusted, and seconds, for two learners."""
    from cleanlab.rank import get_label_quality_scores

    found = {}
    for name, model in (
        ("forest", RandomForestClassifier(random_state=0)),
        ("LR", LogisticRegression(max_iter=2000)),
    ):
        start = time.process_time()
        folds = StratifiedKFold(10, shuffle=True, random_state=0)
        proba = cross_val_predict(model, X, z, cv=folds, method="predict_proba")
        plain = get_label_quality_scores(z, proba)
        seconds = time.process_time() - start
        found[name] = plain, seconds
        try:
            adjusted = get_label_quality_scores(z, proba, adjust_pred_probs=True)
        except ValueError:
            adjusted = plain
        found[f"{name} adjusted"] = adjusted, seconds
    return found


def run(name, kind, share, seed):
    """The figures of one configuration."""
    X, y = load(name, seed)
    z = flipped(y, kind, share, seed)
    wrong = z != y
    start = time.process_time()
    suspects = suspect_labels(PerturbArgmaxClassifierCV(("gumbel",)), X, z)
    out = {"set": name, "kind": kind, "share": share, "seed": seed, "n": len(y)}
    out |= {"seconds": time.process_time() - start, "planted": wrong.sum()}
    out |= {"taken": suspects.attrs["label_noise"]}
    flags = suspects.loc[suspects["proba_wrong"] >= 0.9, "row"]
    out |= {"flags": len(flags), "right": wrong[flags].sum()}
    start = time.process_time()
    curves = suspect_labels(AdditiveClassifier("gumbel"), X, z)
    out["curves seconds"] = time.process_time() - start
    flags = curves.loc[curves["proba_wrong"] >= 0.9, "row"]
    out |= {"curves flags": len(flags), "curves right": wrong[flags].sum()}
    if wrong.any():
        for which, table in (("ours", suspects), ("curves", curves)):
            order = np.empty(len(y))
            order[table["row"]] = -np.arange(len(y))
            out[which] = average_precision_score(wrong, order)
        for peer, (quality, seconds) in cleanlab_lists(X, z).items():
            out[peer] = average_precision_score(wrong, -quality)
            out[f"{peer} seconds"] = seconds
    return out


def main():
    """Run all configurations and print the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for name in options.sets:
        for kind in options.kinds:
            for share in (0.1, 0.2) if kind != "none" else (0.0,):
                for seed in options.seeds:
                    rows.append(run(name, kind, share, seed))
                    row = rows[-1]
                    shown = {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
                    print(" ".join(f"{k}={v}" for k, v in shown.items()), flush=True)
    table = pd.DataFrame(rows)
    lists = [
        c
        for c in ("ours", "curves", "forest", "forest adjusted", "LR", "LR adjusted")
        if c in table
    ]
    print(table.groupby("kind")[lists].mean().round(3).to_string())
    counts = table.groupby("kind")[["flags", "right", "planted"]].sum()
    counts["precision"] = counts["right"] / counts["flags"]
    counts["recall"] = counts["right"] / counts["planted"]
    print(counts.round(3).to_string())
    seconds = [c for c in table if c.endswith("seconds")]
    print(table.groupby("kind")[seconds].median().round(3).to_string())


if __name__ == "__main__":
    main()
