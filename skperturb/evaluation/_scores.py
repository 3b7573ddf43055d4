"""How good predictions are, row by row."""

import numpy as np


def log_loss(proba, codes):
    """-log of the true class's probability, which counts as 2e-16 if it is smaller."""
    own = np.take_along_axis(proba, codes[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(own, np.finfo(proba.dtype).eps))


def brier(proba, codes):
    """Squared distance to the truth: summed over the classes, halved if there are two."""
    squares = ((proba - np.eye(proba.shape[1])[codes]) ** 2).sum(axis=1)
    return squares / (2 if proba.shape[1] == 2 else 1)


def accuracy(proba, codes):
    """1 where the most probable class is the true one, 0 elsewhere."""
    return (proba.argmax(axis=1) == codes).astype(float)


# Name -> (function, +1 if a larger value is better and -1 if a smaller one is).
METRICS = {"log_loss": (log_loss, -1), "brier": (brier, -1), "accuracy": (accuracy, 1)}
# The cost, which depends on a cost matrix too, comes first.
SIGNS = {"cost": -1, **{name: sign for name, (_, sign) in METRICS.items()}}
