"""Linear discriminant analysis in closed form, for all folds at once: thousands of data sets."""

import numpy as np

from skperturb.evaluation._scores import log_loss

COSTS = np.array([[0.0, 1.0], [6.0, 0.0]])  # a false alarm costs 1, an escape 6


def exchangeable_parts(rng, n, lots=None, weaker=1.0, lot_spread=0.7, share=0.3):
    """Two sets of three Gaussian features of a class of 30 %; the second set may tell less."""
    if lots is None:
        y = (rng.random(n) < share).astype(int)
        shift = np.zeros((1, 6))
    else:
        tendency = 1 / (1 + np.exp(-rng.normal(np.log(share / (1 - share)), 0.5, lots.max() + 1)))
        y = (rng.random(n) < tendency[lots]).astype(int)
        shift = rng.normal(scale=lot_spread, size=(lots.max() + 1, 6))[lots]
    means = np.array([0.8, 0.5, 0.3, 0.8 * weaker, 0.5 * weaker, 0.3 * weaker])
    X = y[:, None] * means + shift + rng.normal(size=(n, 6))
    return X[:, :3], X[:, 3:], y


def out_of_fold(X, y, partition, weight=None):
    """Probability of class 1 of each row by the fold that tests it: (n_repeats, n)."""
    splits = [partition.split(k)[0] for k in range(len(partition))]
    train = np.zeros((len(splits), len(y)))
    for row, trained in zip(train, splits, strict=True):
        row[trained] = 1 if weight is None else weight[trained]
    d = X.shape[1]
    n, n1 = train.sum(axis=1), train @ y
    n0 = n - n1
    m1 = train @ (y[:, None] * X) / n1[:, None]
    m0 = train @ ((1 - y)[:, None] * X) / n0[:, None]
    squares = (train @ (X[:, :, None] * X[:, None]).reshape(len(y), d * d)).reshape(-1, d, d)
    scatter = squares - n1[:, None, None] * m1[:, :, None] * m1[:, None]
    scatter -= n0[:, None, None] * m0[:, :, None] * m0[:, None]
    inverse = np.linalg.inv(scatter / (n - 2)[:, None, None])
    slope = np.einsum("fij,fj->fi", inverse, m1 - m0)
    offset = np.log(n1 / n0) - 0.5 * np.einsum("fi,fi->f", slope, m1 + m0)
    proba = np.full(partition.fold.shape, np.nan)
    for repeat, fold in enumerate(partition.fold):
        tested = fold >= 0
        model = repeat * partition.n_splits + fold[tested]
        score = (X[tested] * slope[model]).sum(axis=1) + offset[model]
        proba[repeat, tested] = 1 / (1 + np.exp(-np.clip(score, -35, 35)))
    return proba


def forward_parts(rng, n, drift):
    """The same in the order of time; all features wander like random walks of such steps."""
    first, second, y = exchangeable_parts(rng, n)
    walk = np.cumsum(rng.normal(scale=drift, size=(n, 6)), axis=0)
    return first + walk[:, :3], second + walk[:, 3:], y


def trained_on(partition):
    """Number of rows that each fold is trained on: (n_repeats, n_splits)."""
    counts = [len(partition.split(number)[0]) for number in range(len(partition))]
    return np.reshape(counts, (-1, partition.n_splits))


def rows_of(proba, y):
    """Every metric of every row, less is better: {metric: (n_repeats, n)}."""
    both = np.stack([1 - proba, proba], axis=2)
    decided = (both @ COSTS).argmin(axis=2)
    return {
        "log_loss": np.stack([log_loss(p, y) for p in both]),
        "brier": (proba - y) ** 2,
        "accuracy": ((proba > 0.5) != y).astype(float),
        "cost": COSTS[y, decided],
    }


def fold_scores(rows, fold, n_splits, weight=None):
    """Mean of each fold, through all repeats."""
    weight = np.ones(fold.shape[1]) if weight is None else weight
    return np.concatenate(
        [
            np.bincount(f, weight * v, n_splits) / np.bincount(f, weight, n_splits)
            for f, v in zip(fold, rows, strict=True)
        ]
    )
