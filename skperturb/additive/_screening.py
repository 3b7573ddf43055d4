"""What may be added to curves, by the gain that one Newton step promises: jumps, and pairs.

A new column z in the scores of one class gains num^2 / (2 den) of the penalised log likelihood,
with num = -sum_i w_i z_i g_i and den = z^T W z less what the columns of its own feature,
penalised as they are, take of it; g is the slope and W the curvature of the loss in the score, row
by row. The sum of num^2 / den over K classes, times (K - 1) / K, is about chi-square with K - 1
degrees of freedom where nothing is. For steps all sums are cumulative ones: every place is tried.
"""

from itertools import combinations

import numpy as np
from scipy import stats

from ._features import check_columns

_PLACES = 50  # of a jump that count as independent tests, for each curve
_EDGE = 5.0  # weight, in rows, at least on either side of a jump
_SIGNIFICANCE = 1e-3  # of all places of all features together
_FLAT = 1e-6  # curvature that is taken where a loss has none, or less
_MOST_SCREENED = 2000  # pairs; of more, those of the features whose curves matter most


class Working:
    """Slope and curvature of the loss of each row at the fit of a candidate.

    Attributes
    ----------
    slope, curvature : ndarray of shape (n, K)
        Rows of weight zero have neither.
    weight : ndarray of shape (n,)
    columns : ndarray of shape (n, n_columns)
    coef : ndarray of shape (K, n_columns)
    """

    def __init__(self, candidate, C):
        minimum = candidate.minimum(C)
        objective, free = minimum.objective, minimum.free + minimum.rest
        rows, self.weight = objective.counted, candidate.weight
        self.columns = candidate.X
        self.coef, _ = objective.coefficients(free)
        scores = objective.scores(free)
        self.slope, self.curvature = np.zeros((2, len(rows), scores.shape[1]))
        _, self.slope[rows], curvature = minimum.of_rows(scores, objective.y)
        diagonal = np.einsum("nkk->nk", curvature)
        self.curvature[rows] = np.maximum(diagonal, _FLAT)

    def gains_of_steps(self, column, own, jump, C):
        """The statistic of a step at each place, the curve and a jump that it has fitted anew.

        Parameters
        ----------
        column : ndarray of shape (n,)
        own : ndarray, bool
            The columns of its curve.
        jump : int or None
            Column of a jump, in whose stead the step comes.
        C : float

        Returns
        -------
        cuts, gains : ndarray of shape (n_places,)
        """
        Z, n_classes = self.columns, self.slope.shape[1]
        order = np.flatnonzero(~np.isnan(column) & (self.weight > 0))
        order = order[np.argsort(column[order], kind="stable")]
        values, weight = column[order], self.weight[order]
        kept = own.copy()
        if jump is not None:
            kept[jump] = False
        known = np.column_stack([np.ones(len(order)), Z[order][:, kept]])
        ridge = np.diag(np.append(0.0, np.full(kept.sum(), 1 / C)))
        below = np.cumsum(weight)
        last = np.flatnonzero(np.diff(values) > 0)
        last = last[(below[last] >= _EDGE) & (below[-1] - below[last] >= _EDGE)]
        total = np.zeros(len(last))
        for k in range(n_classes):
            of_row = weight * self.curvature[order, k]
            # The curve and its jump as the target of a fit of curve and step.
            target = Z[order][:, own] @ self.coef[k, own]
            pull = of_row * target - weight * self.slope[order, k]
            weighted = of_row[:, None] * known
            matrix = weighted.T @ known + ridge
            matrix[0, 0] += _FLAT
            step_known = _beyond(weighted, last)
            solved = np.linalg.solve(matrix, np.column_stack([known.T @ pull, step_known.T]))
            num = _beyond(pull, last) - step_known @ solved[:, 0]
            den = _beyond(of_row, last) - np.einsum("nj,jn->n", step_known, solved[:, 1:])
            # A step is penalised in units of its standard deviation.
            share = below[last] / below[-1]
            den = den + 1 / (C * share * (1 - share))
            total += num**2 / np.maximum(den, _FLAT)
        cuts = (values[last] + values[last + 1]) / 2
        return cuts, total * (n_classes - 1) / n_classes


def _beyond(values, last):
    """Sums of the rows after each of some rows."""
    sums = np.cumsum(values, axis=0)
    return sums[-1] - sums[last]


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
    features, working = candidate.features, Working(candidate, C)
    curves = [j for j, pieces in enumerate(features._pieces) if pieces.spline is not None]
    degrees = max(1, working.slope.shape[1] - 1)
    needed = stats.chi2.isf(_SIGNIFICANCE / (_PLACES * max(1, len(curves))), degrees)
    columns = check_columns(features, X, reset=False)
    found = []
    for j in curves:
        own = features.part_of_column_ == j
        cuts, gains = working.gains_of_steps(columns[j], own, None, C)
        if len(cuts) and gains.max() > needed:
            cut = float(cuts[gains.argmax()])
            if (j, cut) not in features.jumps:
                found.append((j, cut))
    return found


def move_jumps(candidate, C, X):
    """Where the jumps of a fit go when each is fitted anew with its curve.

    Parameters
    ----------
    candidate : Candidate
    C : float
    X : features

    Returns
    -------
    list of (int, float)
    """
    features, working = candidate.features, Working(candidate, C)
    columns = check_columns(features, X, reset=False)
    moved = []
    for j, cut in features.jumps:
        own = features.part_of_column_ == j
        cuts_of_curve = list(features._pieces[j].cuts)
        first = np.flatnonzero(own)[-1] + 1 - len(cuts_of_curve) - features._pieces[j].missing
        place = first + cuts_of_curve.index(cut)
        cuts, gains = working.gains_of_steps(columns[j], own, place, C)
        new = float(cuts[gains.argmax()])
        moved.append((j, new if (j, new) not in moved else cut))
    return moved


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
    features, working = candidate.features, Working(candidate, C)
    columns = check_columns(features, X, reset=False)
    numbers = [
        j
        for j, (column, pieces) in enumerate(zip(columns, features._pieces, strict=True))
        if column.dtype != object and len(pieces.names) and j not in fixed
    ]
    most = int((1 + np.sqrt(1 + 8 * _MOST_SCREENED)) / 2)
    if len(numbers) > most:
        size = candidate.sizes(working.coef)
        numbers = sorted(sorted(numbers, key=lambda j: -size[j])[:most])
    pairs = list(combinations(numbers, 2))
    if not pairs:
        return []
    params = features.get_params() | {"pairs": pairs}
    ranks = type(features)(**params).fit(X, sample_weight=candidate.weight)._ranks(columns)
    value = np.empty(len(pairs))
    for place, (i, j) in enumerate(pairs):
        value[place] = _gain_of_column(ranks[i] * ranks[j], (ranks[i], ranks[j]), working)
    return [pairs[k] for k in np.argsort(-value, kind="stable")]


def _gain_of_column(column, known, working):
    """The statistic of a column, less what the ranks of both features explain of it."""
    known = np.column_stack([np.ones(len(column)), *known])
    total = 0.0
    for k in range(working.slope.shape[1]):
        of_row = working.weight * working.curvature[:, k]
        weighted = of_row[:, None] * known
        matrix = weighted.T @ known
        matrix[np.diag_indices_from(matrix)] *= 1 + _FLAT
        rest = column - known @ np.linalg.lstsq(matrix, weighted.T @ column, rcond=None)[0]
        num = rest @ (working.weight * working.slope[:, k])
        total += num**2 / max(of_row @ rest**2, _FLAT)
    return total
