"""Additive curves against straight lines, explainable boosting machines, boosting and forests.

    SKPERTURB_DATA=... python benchmarks/additive.py [--sets glass vehicle] [--repeats 5]
        [--folds 2] [--splits N] [--rows N] [--models curves ebm ...] [--flip 0.1]
        [--seed 1]

Needs interpret-core for the models "ebm" and "ebm_pairs"; without it they are left out. Prints for
each data set and model the mean test log loss, accuracy and process seconds of a fit, and for each
model the log loss relative to the others. --rows takes a random part of larger data sets.
"""

import argparse
import os
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifierCV
from skperturb.additive import AdditiveClassifier
from skperturb.noise import StudentT

DATA = Path(os.environ.get("SKPERTURB_DATA", "../shared/data"))
SHIPPED = {"breast_cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}
SETS = [
    "glass",
    "wine",
    "vehicle",
    "breast_cancer",
    "injection_molding_measured_only",
    "vowel",
    "steel_plates_faults",
    "ai4i2020_modes",
    "wine_quality",
    "digits",
]


def boosting():
    grid = {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 31]}
    model = HistGradientBoostingClassifier(early_stopping=False)
    return GridSearchCV(model, grid, cv=3, scoring="neg_log_loss")


def ebm(**options):
    from interpret.glassbox import ExplainableBoostingClassifier

    return ExplainableBoostingClassifier(n_jobs=1, **options)


MODELS = {
    "line": lambda: make_pipeline(
        SimpleImputer(), StandardScaler(), PerturbArgmaxClassifierCV(["gumbel"])
    ),
    "curves": AdditiveClassifier,
    "curves_t4": lambda: AdditiveClassifier(StudentT(4)),
    "curves_pairs": lambda: AdditiveClassifier(interactions="auto"),
    "ebm": lambda: ebm(interactions=0),
    "ebm_pairs": ebm,
    "boosting": boosting,
    "forest": lambda: RandomForestClassifier(300, random_state=0),
}


def load(name, rows):
    """Features and labels; classes of fewer than four rows are left out."""
    if name in SHIPPED:
        X, y = SHIPPED[name](return_X_y=True, as_frame=True)
    else:
        X = pd.read_csv(DATA / f"{name}.csv")
        y = X.pop("target")
    X = X.select_dtypes("number")
    if len(y) > rows:
        chosen = np.random.default_rng(0).choice(len(y), rows, replace=False)
        X, y = X.iloc[chosen], y.iloc[chosen]
    kept = y.groupby(y).transform("size") >= 4
    return X[kept].to_numpy(float), np.unique(y[kept], return_inverse=True)[1]


def run(options):
    """Measure every model on the same folds, and print."""
    models = options.models or list(MODELS)
    if find_spec("interpret") is None:
        models = [name for name in models if not name.startswith("ebm")]
    table = {}
    for name in options.sets or SETS:
        X, y = load(name, options.rows)
        folds = RepeatedStratifiedKFold(
            n_splits=options.folds, n_repeats=options.repeats, random_state=options.seed
        )
        results = {model: [] for model in models}
        for number, (train, test) in enumerate(folds.split(X, y)):
            if options.splits and number >= options.splits:
                break
            flip = np.random.default_rng((options.seed, number))
            labels = y[train].copy()
            flipped = flip.random(len(labels)) < options.flip
            labels[flipped] = flip.integers(0, y.max() + 1, flipped.sum())
            for model in models:
                start = time.process_time()
                clf = MODELS[model]().fit(X[train], labels)
                seconds = time.process_time() - start
                proba = clf.predict_proba(X[test])
                loss = log_loss(y[test], proba, labels=np.arange(y.max() + 1))
                hits = accuracy_score(y[test], proba.argmax(axis=1))
                results[model].append((loss, hits, seconds))
        for model in models:
            table[name, model] = np.mean(results[model], axis=0)
            loss, hits, seconds = table[name, model]
            size = f"{X.shape[0]} x {X.shape[1]}, {y.max() + 1} classes"
            print(
                f"{name:32} {size:25} {model:13} {loss:.4f} {hits:.4f} {seconds:8.2f} s",
                flush=True,
            )
    names = list(dict.fromkeys(name for name, _ in table))
    for ours in (model for model in models if model.startswith("curves")):
        for other in models:
            if other == ours:
                continue
            ratio = np.array([table[n, ours][0] / table[n, other][0] - 1 for n in names])
            times = np.array([table[n, ours][2] / table[n, other][2] for n in names])
            print(
                f"{ours} to {other}: log loss mean {ratio.mean():+.1%}, worst {ratio.max():+.1%}, "
                f"better on {np.sum(ratio < 0)} of {len(names)}; seconds, median of the ratios "
                f"{np.median(times):.2f}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--models", nargs="+", choices=list(MODELS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--splits", type=int, help="of all repeats and folds, the first only")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--seed", type=int, default=1, help="of the folds; settings were chosen with others"
    )
    parser.add_argument("--flip", type=float, default=0.0, help="share of random training labels")
    warnings.simplefilter("ignore")
    run(parser.parse_args())
