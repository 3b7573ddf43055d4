"""How far a part is from those of the training: a flag for parts unlike any seen.

The distance is Mahalanobis's, on the numbers of a part, in units of their covariance (shrunk as
Ledoit and Wolf do, so that it has an inverse). The limit is one that at most one in 1000 parts from
the same process exceed: it is the k-th largest distance of the n training parts, each measured by a
mean and covariance without it, and k is 0.001 (n + 1), at least 1. A new part that is exchangeable
with them is beyond it with a probability of about k / (n + 1), whatever the distribution.
"""

import numpy as np
from sklearn.covariance import ledoit_wolf

RATE = 0.001  # parts of the same process that are flagged, where there are so many
_MOST_ROWS = 50_000  # by which it is found


def familiar(features, random_state=0):
    """What :func:`distances` needs, from the features of the training parts.

    Returns
    -------
    dict of str to ndarray
        Empty if there are no numbers, or fewer parts than 3.
    """
    names = _numbers(features)
    if not names or len(features) < 3:
        return {}
    values = features[names].to_numpy(float)
    if len(values) > _MOST_ROWS:
        chosen = np.random.default_rng(random_state).choice(len(values), _MOST_ROWS, False)
        values = values[np.sort(chosen)]
    known = ~np.isnan(values)
    center = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    values = np.where(known, values, center)
    scale = values.std(axis=0)
    scale = np.where(scale > 0, scale, np.where(center == 0, 1.0, np.abs(center)) * 1e-6)
    standard = (values - center) / scale
    covariance, shrinkage = ledoit_wolf(standard, assume_centered=True)
    root = np.linalg.cholesky(np.linalg.inv(covariance))
    squares = ((standard @ root) ** 2).sum(axis=1)
    # Without the part itself, by one step of Sherman and Morrison for covariance and mean.
    n = len(values)
    leverage = np.minimum((1 - shrinkage) * squares / n, 1 - 1 / n)
    left_out = squares / (1 - leverage) * (n / (n - 1)) ** 2
    k = max(1, int(RATE * (n + 1)))
    limit = np.sqrt(np.partition(left_out, -k)[-k])
    return {
        "familiar_center": center,
        "familiar_root": root / scale[:, None],
        "familiar_limit": np.array(limit),
    }


def distances(features, arrays):
    """The distance of each part by the limit: more than 1 is unlike any part seen.

    Returns
    -------
    ndarray of shape (n,) or None
        None if nothing is known. A value that is missing counts as the mean.
    """
    if "familiar_limit" not in arrays:
        return None
    values = features[_numbers(features)].to_numpy(float) - arrays["familiar_center"]
    values = np.where(np.isnan(values), 0.0, values) @ arrays["familiar_root"]
    return np.sqrt((values**2).sum(axis=1)) / max(float(arrays["familiar_limit"]), 1e-300)


def _numbers(features):
    return [name for name, kind in features.dtypes.items() if kind.kind == "f"]
