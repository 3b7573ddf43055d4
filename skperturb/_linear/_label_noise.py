"""Labels that may be flipped: the loss of the label given, and the matrix of flips learnt with it.

The features predict the true class z, with probabilities p_z. The label given, y, depends on z
alone: T[z, y] = P(given y | true z), so that the label given has the probabilities q = p T, and

    r_z = p_z T[z, y] / q_y

is the probability of the true class z for one who knows the label, too. The loss of a row is
-log q_y; its slope in the scores is minus the mean, by r, of the slopes g_z of the log p_z, and its
second derivative the mean of -(H_z + g_z g_z^T), plus the square of the mean slope.

A matrix T that is learnt maximises the likelihood times a weak Dirichlet density. The EM algorithm
takes r as soft labels, fits to these, and counts them: N[z, y] = sum of r_z over the rows with
label y. Its fixed points are the minima found here by Newton's method on coefficients and log odds
of flips together, which needs tens of iterations fewer near the end. Where the second derivative is
not definite, the curvature of an EM step stands in for it (Lange 1995, "A gradient algorithm
locally equivalent to the EM algorithm").
"""

from copy import copy

import numpy as np

from .._engine import expected_information

# The Dirichlet density: so many rows for each true class and class given, in all n_classes**2; and
# the share of them without a flip.
_ROWS_OF_PRIOR, _UNFLIPPED = 2.0, 0.9


class FlippedLabels:
    """-log q_y: minus the log of the probability of the label given, flips allowed for.

    Parameters
    ----------
    loss : LogLoss
        Of the true class.
    flips : ndarray of shape (n_classes, n_classes)
        T[true, given]; rows sum to one.
    """

    convex = by_margin = falls_with_gain = at_once = False

    def __init__(self, loss, flips):
        self._loss, self.kernel, self.flips = loss, loss.kernel, flips
        with np.errstate(divide="ignore"):
            self._log_flips = np.log(flips)

    def with_gumbel_noise(self):
        """See the loss of the true class."""
        return self.with_flips(self.flips, self._loss.with_gumbel_noise())

    def with_flips(self, flips, loss=None):
        """The same with another matrix of flips."""
        return type(self)(loss or self._loss, flips)

    def true_class(self, scores, y):
        """Loss (n,), and probabilities (n, K) of the true class for one who knows the label."""
        log_joint = self.kernel.log_proba(scores) + self._log_flips[:, y].T
        largest = log_joint.max(axis=1, keepdims=True)
        joint = np.exp(log_joint - largest)
        total = joint.sum(axis=1, keepdims=True)
        return -(largest + np.log(total))[:, 0], joint / total

    def value_and_slope(self, scores, y):
        loss, share = self.true_class(scores, y)
        return loss, -np.einsum("nz,nzk->nk", share, self.slopes(scores, share))

    def slopes(self, scores, share):
        """Slope of log p_z for each true class z that is possible, (n, K, K); 0 for others."""
        slopes = np.zeros((*share.shape, share.shape[1]))
        for z, rows, codes in _possible(share):
            slopes[rows, z] = self.kernel.log_likelihood(scores[rows], codes)[1]
        return slopes

    def curvatures(self):
        yield self._curvature
        yield self._curvature_of_em

    def _curvature(self, scores, y):
        _, share = self.true_class(scores, y)
        slopes = self.slopes(scores, share)
        mean = np.einsum("nz,nzk->nk", share, slopes)
        total = mean[:, :, None] * mean[:, None, :]
        total -= np.einsum("nzj,nzk->njk", share[:, :, None] * slopes, slopes)
        for z, rows, codes in _possible(share):
            bent = self.kernel.hessian(scores[rows], codes)
            total[rows] -= share[rows, z][:, None, None] * bent
        return total

    def _curvature_of_em(self, scores, y):
        """As if the true class were known with these probabilities."""
        if not self._loss.convex:
            return expected_information(self.kernel, scores)
        _, share = self.true_class(scores, y)
        total = np.zeros((*scores.shape, scores.shape[1]))
        for z, rows, codes in _possible(share):
            bent = self.kernel.hessian(scores[rows], codes)
            total[rows] -= share[rows, z][:, None, None] * bent
        return total


def _possible(share):
    """For each true class: its code, the rows that may be of it, and its code for each of them."""
    for z, of_class in enumerate(share.T):
        rows = np.flatnonzero(of_class)
        if rows.size:
            yield z, rows, np.full(len(rows), z)


def uniform_flips(rate, n_classes):
    """T of labels that are drawn at random with a probability, and true otherwise."""
    return (1 - rate) * np.eye(n_classes) + rate / n_classes


def tilted(flips, factors):
    """T in a sample where rows weigh by these factors of the label given.

    A sample drawn with such weights has these flips: given the true class, the label does not
    depend on the features in it either.
    """
    flips = flips * factors
    return flips / flips.sum(axis=1, keepdims=True)


def prior_counts(n_classes):
    """Rows that the Dirichlet density adds to the counts N[true, given]."""
    share = np.full((n_classes, n_classes), (1 - _UNFLIPPED) / (n_classes - 1))
    np.fill_diagonal(share, _UNFLIPPED)
    return _ROWS_OF_PRIOR * n_classes * share


def flips_without_row(share, y, weight):
    """P(label given | true class) of each row's label, counted without that row: (n, K)."""
    counts = prior_counts(share.shape[1])
    own = weight[:, None] * share
    np.add.at(counts.T, y, own)
    return (counts[:, y].T - own) / (counts.sum(axis=1) - own)


class FlipObjective:
    """Value, gradient and curvatures in coefficients and log odds of flips together.

    The log odds are log(T[z, y] / T[z, z]) for y other than z.

    Parameters
    ----------
    objective : LinearObjective
        Its loss is :class:`FlippedLabels` with any matrix; its labels are class indices.

    Attributes
    ----------
    n_rows, total, y
        As of the objective.
    n_parameters : int
        Of coefficients and log odds.
    """

    rounds_are_slow = False

    def __init__(self, objective):
        self._objective = objective
        self.n_rows, self.total, self.y = objective.n_rows, objective.total, objective.y
        self._size = objective.n_parameters
        n_classes = objective.constraint.n_classes
        self._free = ~np.eye(n_classes, dtype=bool)
        self._prior = prior_counts(n_classes)
        self.n_parameters = self._size + n_classes * (n_classes - 1)

    def start(self, free):
        """Coefficients and the flips of the Dirichlet density."""
        odds = np.log(self._prior / np.diag(self._prior)[:, None])
        return np.concatenate([free, odds[self._free]])

    def free(self, x):
        """The coefficients."""
        return x[: self._size]

    def flips(self, x):
        """The matrix T."""
        odds = np.zeros(self._prior.shape)
        odds[self._free] = x[self._size :]
        odds = np.exp(odds - odds.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def given(self, x):
        """The objective of the coefficients, with the flips held fixed."""
        objective = copy(self._objective)
        objective.loss = objective.loss.with_flips(self.flips(x))
        return objective

    def scores(self, x):
        """Each row's scores (n_rows, K)."""
        return self._objective.scores(self.free(x))

    def __call__(self, x):
        """Value (float) and gradient (like `x`)."""
        objective, flips = self.given(x), self.flips(x)
        value, gradient = objective(self.free(x))
        _, share = objective.loss.true_class(self.scores(x), self.y)
        counts = self._counts(share)
        with np.errstate(divide="ignore", invalid="ignore"):
            density = self._prior * (np.log(flips) - np.log(self._prior / self._prior.sum(axis=1)))
        value -= np.where(self._prior > 0, density, 0.0).sum() / self.total
        slope = flips * counts.sum(axis=1, keepdims=True) - counts
        return value, np.concatenate([gradient, slope[self._free]])

    def curvatures(self, x):
        """The second derivative, then the curvature of an EM step."""
        objective, flips, free = self.given(x), self.flips(x), self.free(x)
        _, share = objective.loss.true_class(self.scores(x), self.y)
        spread = flips[:, :, None] * (np.eye(len(flips)) - flips[:, None, :])
        own = self._counts(share).sum(axis=1)[:, None, None] * spread
        known = np.zeros((*flips.shape, *flips.shape))
        np.einsum("zyzv->zyv", known)[:] = own
        first, *others = objective.curvatures(free)
        yield self._together(first, known - self._missing(share, flips), self._across(x, share))
        for of_coefficients in others:
            yield self._together(of_coefficients, known, None)

    def _counts(self, share):
        """N[true, given] with those of the density, divided by the sum of the weights."""
        counts = self._prior / self.total
        np.add.at(counts.T, self.y, self._objective.weight[:, None] * share)
        return counts

    def _missing(self, share, flips):
        """What is not known of the log odds because the true classes are not."""
        classes = np.arange(len(flips))
        total = np.zeros((*flips.shape, *flips.shape))
        for y in classes:
            rows = self.y == y
            weighted = self._objective.weight[rows][:, None] * share[rows]
            spread = np.diag(weighted.sum(axis=0)) - weighted.T @ share[rows]
            change = (classes == y) - flips
            total += np.einsum("zv,zy,vw->zyvw", spread, change, change, optimize=True)
        return total

    def _across(self, x, share):
        """Second derivatives in a coefficient and a log odds."""
        objective, flips = self.given(x), self.flips(x)
        slopes = objective.loss.slopes(self.scores(x), share)
        slopes -= np.einsum("nz,nzk->nk", share, slopes)[:, None, :]
        slopes *= (objective.weight[:, None] * share)[:, :, None]
        n_classes = len(flips)
        total = np.zeros((self._size, n_classes, n_classes))
        for y in range(n_classes):
            of_label = np.where((self.y == y)[:, None, None], slopes, 0.0)
            change = (np.arange(n_classes) == y) - flips
            for z in range(n_classes):
                moved = objective.sums_of_rows(of_label[:, z])
                total[:, z] -= moved[:, None] * change[z]
        return total

    def _together(self, of_coefficients, of_flips, across):
        size = self._size
        matrix = np.zeros((self.n_parameters, self.n_parameters))
        matrix[:size, :size] = of_coefficients
        matrix[size:, size:] = of_flips[self._free][:, self._free]
        if across is not None:
            matrix[:size, size:] = across[:, self._free]
            matrix[size:, :size] = matrix[:size, size:].T
        return matrix
