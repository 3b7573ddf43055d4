"""Firth's penalty: the likelihood times the square root of the determinant of the information.

The maximum of log L + log det(I) / 2, with I the expected information of the free parameters
(Jeffreys' prior), is finite even where the features separate the classes, and its bias is of
smaller order than that of maximum likelihood (Firth 1993, Biometrika 80; Kosmidis and Firth 2009).

With p_y, g_y, H_y the probability of a class, and gradient and second derivative of its logarithm
in the scores, the information of a row's scores is E = sum_y p_y g_y g_y^T, and for a symmetric
matrix M

    d tr(M E) / d theta = sum_y p_y (2 H_y M g_y + (g_y^T M g_y) g_y).

M is here Z I^-1 Z^T, with Z the map from the free parameters to the row's scores.
"""

import numpy as np
from scipy import linalg

from .._engine import expected_information
from .._linalg import MOST_PARAMETERS, unit_diagonal

_SINGULAR = 1e-13  # eigenvalue of an information whose diagonal is 1: it may be rounding


def firth_objective(objective):
    """An unpenalised objective with Firth's penalty.

    Parameters
    ----------
    objective : LinearObjective

    Returns
    -------
    FirthObjective

    Raises
    ------
    ValueError
        If it has too many parameters.
    """
    if objective.n_parameters > MOST_PARAMETERS:
        raise ValueError(
            f"bias_reduction=True takes {MOST_PARAMETERS} parameters at most, got "
            f"{objective.n_parameters}: use a penalty (finite C) instead."
        )
    return FirthObjective(objective)


class FirthObjective:
    """Value, gradient and what stands for second derivatives.

    Parameters
    ----------
    objective : LinearObjective
        Without a penalty; its loss is the log loss.

    Attributes
    ----------
    data : LinearObjective
        The objective given.
    n_parameters : int
        Number of free parameters.
    """

    def __init__(self, objective):
        self.data, self.n_parameters = objective, objective.n_parameters
        self._kernel = objective.loss.kernel

    def __call__(self, free):
        """Value (float), inf where there is no determinant, and gradient (like `free`)."""
        value, gradient = self.data(free)
        factor, root = self._factor(free)
        if factor is None:
            return np.inf, gradient
        log_determinant = 2 * (np.log(np.diag(factor)).sum() + np.log(root).sum())
        inverse = linalg.cho_solve((factor, True), np.diag(1 / root)) / root[:, None]
        share = 1 / self.data.total  # of one observation, as the objective is a mean
        value -= share * log_determinant / 2
        return value, gradient - share * self._slope(free, inverse)

    def curvatures(self, free):
        """The information of the data: the penalty's own curvature is of smaller order."""
        yield self._information(free)

    def distance(self, free):
        """To the minimum, about, in standard errors of the coefficient that is furthest from it."""
        _, gradient = self(free)
        factor, root = self._factor(free)
        step = linalg.solve_triangular(factor, gradient / root, lower=True)
        return float(np.sqrt(self.data.total) * np.linalg.norm(step))

    def _information(self, free):
        """The expected information of the mean of the observations."""
        return self.data.assemble(
            free, lambda scores, y: expected_information(self._kernel, scores)
        )

    def _factor(self, free):
        """Cholesky factor of the information in units of a diagonal of 1, or None, and units."""
        information = self._information(free)
        if not np.all(np.diag(information) > 0):
            return None, None
        scaled, root = unit_diagonal(information)
        factor, info = linalg.lapack.dpotrf(scaled, lower=1, clean=1)
        if info or np.diag(factor).min() ** 2 < _SINGULAR:
            return None, None
        return factor, root

    def _slope(self, free, inverse):
        """Derivative of half the log of the determinant in the free parameters."""
        n_free, width = self.data.shape
        constraint = self.data.constraint
        # From free rows to the scores of all classes, on both sides: (K, width, K, width).
        full = constraint.expand(inverse.reshape(n_free, width, n_free * width))
        full = constraint.expand(np.moveaxis(full.reshape(-1, width, n_free, width), 2, 0))
        full = np.ascontiguousarray(full.transpose(1, 2, 0, 3))

        def slope(rows, scores):
            n, n_classes = scores.shape
            half = (rows @ full.reshape(n_classes, width, -1)).reshape(
                n_classes, n, n_classes, width
            )
            leverage = np.einsum("jnkm,nm->njk", half, rows)
            p, total = self._kernel.proba(scores), np.zeros(scores.shape)
            for k in range(n_classes):
                y = np.full(n, k)
                _, g = self._kernel.log_likelihood(scores, y)
                seen = np.einsum("njk,nk->nj", leverage, g)
                bent = np.einsum("njk,nk->nj", self._kernel.hessian(scores, y), seen)
                term = bent + np.sum(g * seen, axis=1)[:, None] * g / 2
                # A class of probability zero tells nothing, however steep its logarithm is.
                total += np.where(p[:, k, None] > 0, p[:, k, None] * term, 0.0)
            return total

        return self.data.sum_of_slopes(free, slope, constraint.n_classes**2 * width)
