"""Parts to test with: features and classes of known distributions."""

import numpy as np
import pandas as pd
from scipy.stats import multivariate_normal
from sklearn.datasets import load_wine

DEFECTS = np.array(["dent", "ok", "scratch"])


def gaussian_parts(n=300, seed=0, share=(1 / 3, 1 / 3, 1 / 3)):
    """Parts of three classes with unit Gaussian features, and the densities of the features."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(3, n, p=share)
    means = np.array([[1.5, 0.0], [0.0, 0.0], [0.0, 2.0]])
    X = means[codes] + rng.normal(size=(n, 2))
    density = np.column_stack([multivariate_normal(mean).pdf(X) for mean in means])
    return X, DEFECTS[codes], density


def wine_parts():
    """178 parts of three classes that overlap, with three features."""
    X, y = load_wine(return_X_y=True)
    return X[:, :3], np.array(["ok", "dent", "crack"])[y]


def parts_table(n=60, seed=0):
    """A table of parts as people have it: identifiers, gaps, an empty column."""
    rng = np.random.default_rng(seed)
    thickness = rng.normal(10, 1, n)
    frame = pd.DataFrame(
        {
            "serial": [f"P{i:04d}" for i in range(n)],
            "row": np.arange(100, 100 + n),
            "thickness": thickness,
            "count": rng.integers(0, 4, n),
            "hardened": rng.random(n) < 0.5,
            "machine": rng.choice(["A", "B"], n),
            "empty": np.nan,
            "defect": np.where(thickness + rng.normal(0, 0.5, n) > 10, "ok", "crack"),
        }
    )
    frame.loc[::7, ["thickness"]] = np.nan
    frame.loc[::9, "machine"] = None
    return frame


def parts_of_lots(n=80):
    """The same without identifiers, in lots of eight."""
    frame = parts_table(n).drop(columns=["serial", "row"])
    frame.insert(0, "lot", [f"L{i // 8}" for i in range(n)])
    return frame


def equal_learners_parts(rng, n=150, n_sets=2, width=3, lots=None):
    """Parts whose class depends alike on several sets of features of the same distribution."""
    X = rng.normal(size=(n, n_sets * width))
    scores = X.sum(axis=1) / np.sqrt(n_sets * width) + 0.8 * rng.normal(size=n)
    if lots is not None:
        # Parts of a lot share a shift of each set of features, and a tendency to be defective.
        X += rng.normal(scale=1.5, size=(lots.max() + 1, n_sets * width))[lots]
        scores += rng.normal(scale=1.5, size=lots.max() + 1)[lots]
    return X, (scores > 0.5).astype(int)
