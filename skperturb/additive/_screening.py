"""Score tests of what may be added to curves: jumps, and pairs of features.

The statistic of a new column z is the sum over the K classes of
(sum_i w_i z_i g_ik)^2 / sum_i w_i z_i^2 g_ik^2, times (K - 1) / K, with g the slope of the loss in
the scores, after z has lost what the columns of its own feature explain.
"""

from itertools import combinations

import numpy as np
from scipy import stats

from ._features import check_columns

_GRID = 48  # places at quantiles where a jump is looked for, and then between two of them
_EDGE = 5.0  # weight, in rows, at least on either side of a jump
_SIGNIFICANCE = 1e-3  # of all places of all features together
_RIDGE = 1e-6  # of the squares of columns, so that equal ones do no harm
_MOST_SCREENED = 2000  # pairs; of more, those of the features whose curves matter most


def _slopes(candidate, C):
    """Slope of the loss of each row in the scores (n, K)."""
    minimum = candidate.minimum(C)
    objective = minimum.objective
    counted = objective.counted
    slope = objective.losses(minimum.free + minimum.rest)[1]
    out = np.zeros((len(counted), slope.shape[1]))
    out[counted] = slope
    return out


def _columns(candidate, X):
    return check_columns(candidate.features, X, reset=False)


def _statistic(columns, slopes, weight):
    """The score statistic of each of some columns (n, m): K - 1 on average where nothing is.

    The slopes of K classes sum to zero, so that the sum over the classes is too large by a class.
    """
    weighted = columns * weight[:, None]
    square = (weighted * columns).T @ slopes**2
    of_classes = (weighted.T @ slopes) ** 2 / np.where(square > 0, square, np.inf)
    return of_classes.mean(axis=1) * (slopes.shape[1] - 1)


def _without(columns, known, weight):
    """What is left of columns when known ones explain them as well as they can."""
    known = np.column_stack([np.ones(len(known)), known])
    weighted = known * weight[:, None]
    gram = weighted.T @ known
    gram[np.diag_indices_from(gram)] *= 1 + _RIDGE
    return columns - known @ np.linalg.lstsq(gram, weighted.T @ columns, rcond=None)[0]


def find_jumps(candidate, C, X):
    """The best place of a jump of each curve where a score test finds one.

    Parameters
    ----------
    candidate : Candidate
    C : float
    X : features

    Returns
    -------
    list of (int, float)
        Feature and threshold.
    """
    features, slopes = candidate.features, _slopes(candidate, C)
    Z, pieces = candidate.X, features._pieces
    known_jumps = {(int(j), float(cut)) for j, cut in features.jumps}
    curves = [j for j in range(len(pieces)) if pieces[j].spline is not None]
    if not curves:
        return []
    degrees = max(1, slopes.shape[1] - 1)
    needed = stats.chi2.isf(_SIGNIFICANCE / (_GRID * len(curves)), degrees)
    found = []
    for j, column in enumerate(_columns(candidate, X)):
        if j not in curves:
            continue
        present = ~np.isnan(column) & (candidate.weight > 0)
        weight = candidate.weight[present]
        own = Z[present][:, features.part_of_column_ == j]
        places, of_row = np.unique(column[present], return_inverse=True)
        below = np.cumsum(np.bincount(of_row, weight))
        places = places[(below >= _EDGE) & (below[-1] - below >= _EDGE)]
        cuts = (places[1:] + places[:-1]) / 2
        chosen, best = np.arange(len(cuts)), (0.0, None)
        while len(chosen):
            some = np.unique(np.linspace(chosen[0], chosen[-1], _GRID).round().astype(int))
            steps = (column[present][:, None] > cuts[some]).astype(float)
            value = _statistic(_without(steps, own, weight), slopes[present], weight)
            k = int(value.argmax())
            best = max(best, (float(value[k]), float(cuts[some[k]])), key=lambda pair: pair[0])
            if len(some) == len(chosen):
                break
            low, high = some[max(k - 1, 0)], some[min(k + 1, len(some) - 1)]
            chosen = np.arange(low, high + 1)
        if best[0] > needed and (j, best[1]) not in known_jumps:
            found.append((j, best[1]))
    return found


def rank_pairs(candidate, C, X, fixed=()):
    """Pairs of numerical features, those first that the residuals ask for most.

    Parameters
    ----------
    candidate : Candidate
    C : float
    X : features
    fixed : sequence of int
        Features that take part in none.

    Returns
    -------
    list of (int, int)
    """
    features, slopes = candidate.features, _slopes(candidate, C)
    columns = _columns(candidate, X)
    numbers = [
        j
        for j, (column, pieces) in enumerate(zip(columns, features._pieces, strict=True))
        if column.dtype != object and len(pieces.names) and j not in fixed
    ]
    most = int((1 + np.sqrt(1 + 8 * _MOST_SCREENED)) / 2)
    if len(numbers) > most:
        size = _sizes(candidate, C)
        numbers = sorted(sorted(numbers, key=lambda j: -size[j])[:most])
    pairs = list(combinations(numbers, 2))
    if not pairs:
        return []
    params = features.get_params() | {"pairs": pairs}
    weight = candidate.weight
    ranks = type(features)(**params).fit(X, sample_weight=weight)._ranks(columns)
    value = np.empty(len(pairs))
    for place, (i, j) in enumerate(pairs):
        both = np.column_stack([ranks[i], ranks[j]])
        product = _without((ranks[i] * ranks[j])[:, None], both, weight)
        value[place] = _statistic(product, slopes, weight)[0]
    return [pairs[k] for k in np.argsort(-value, kind="stable")]


def _sizes(candidate, C):
    """How much the curve of each feature varies."""
    minimum = candidate.minimum(C)
    coef, _ = minimum.objective.coefficients(minimum.free + minimum.rest)
    spread = (candidate.X.std(axis=0) * coef) ** 2
    owner = candidate.features.part_of_column_
    return np.bincount(owner, spread.sum(axis=0), minlength=len(candidate.features.parts_))
