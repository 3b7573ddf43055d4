"""Wald tests of several coefficients and of linear combinations of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg, stats

from .._results import Record, Table
from ._covariance import covariance_of
from ._labels import coefficients_of

_DEPENDENT = 1e-12  # smallest part of a hypothesis that the others do not say, the whole being 1
_SINGULAR = 1e-9  # smallest eigenvalue of a covariance of unit diagonal
_HOW = (
    "hypotheses are given by names: a pair (class, feature), a dict such as "
    "{('dent', 'width'): 1, ('ok', 'width'): -1} for a combination that is zero, or a list of "
    "these; or as a matrix with one column for each row of covariance()"
)


@dataclass(frozen=True)
class WaldTest(Record):
    """Result of ``wald_test``: read it with ``print``, or :meth:`to_dict`.

    Attributes
    ----------
    statistic : float
        The chi-squared statistic; with lots or sampling weights, that divided by `df`, which is an
        F statistic.
    df : int
        Number of hypotheses, less those that follow from the others.
    p_value : float
        Probability of a statistic at least as large if all hypotheses are true.
    distribution : str
        The distribution of the statistic then: "chi2(2)", or with 30 lots "F(2, 29)".
    contrasts : pandas.DataFrame
        One row for each hypothesis: the value of the combination, its standard error and interval.
    """

    statistic: float
    df: int
    p_value: float
    distribution: str
    contrasts: pd.DataFrame

    def _lines(self):
        return [line for line in super()._lines() if line[0] != "contrasts"]

    def __str__(self):
        return f"{super().__str__()}\n\n{self.contrasts}"

    def _repr_html_(self):
        return super()._repr_html_() + self.contrasts._repr_html_()


def wald_test(fit, hypotheses, cov, groups, confidence):
    """See :meth:`CoefficientInference.wald_test`."""
    coefficients = coefficients_of(fit)
    names, rows = _rows(hypotheses, coefficients)
    covariance = covariance_of(fit, cov, groups)
    values, std_err = rows @ fit.free, covariance.std_err(rows)
    contrasts = Table(
        {
            "contrast": names,
            "value": values,
            **covariance.tests(values, std_err, confidence),
        }
    )
    # In units of their standard errors, so that the units of the features do not matter.
    if not np.all(std_err > 0):
        empty = names[int(np.argmin(std_err > 0))]
        raise ValueError(f"The hypothesis {empty} holds for all coefficients, or for none.")
    scaled, values = rows / std_err[:, None], values / std_err
    # Hypotheses that follow from others, such as all classes of coefficients that sum to zero.
    _, size, right = linalg.svd(scaled * np.sqrt(np.diag(covariance.matrix)), full_matrices=False)
    independent = right[size > _DEPENDENT * size[0]] / np.sqrt(np.diag(covariance.matrix))
    df = len(independent)
    matrix = independent @ covariance.matrix @ independent.T
    unit = np.sqrt(np.diag(matrix))
    spread, vectors = np.linalg.eigh(matrix / unit / unit[:, None])
    if spread[0] <= _SINGULAR:
        raise ValueError(
            f"The covariance of the {df} hypotheses is singular, so that they cannot be tested "
            "together. With lots, test fewer hypotheses at once than there are lots."
        )
    along = vectors.T @ ((independent @ fit.free) / unit)
    statistic = float(np.sum(along**2 / spread))
    if covariance.df is None:
        return WaldTest(
            statistic, df, float(stats.chi2.sf(statistic, df)), f"chi2({df})", contrasts
        )
    statistic /= df
    p_value = float(stats.f.sf(statistic, df, covariance.df))
    return WaldTest(statistic, df, p_value, f"F({df}, {covariance.df:.4g})", contrasts)


def _rows(hypotheses, coefficients):
    """Names, and linear combinations of the free parameters that are zero (m, n_parameters)."""
    if _is_one(hypotheses):
        hypotheses = [hypotheses]
    elif not isinstance(hypotheses, list) or not all(map(_is_one, hypotheses)):
        return _matrix(hypotheses, coefficients)
    if not hypotheses:
        raise ValueError(f"There is nothing to test: {_HOW}.")
    names, rows = [], []
    for hypothesis in hypotheses:
        terms = hypothesis if isinstance(hypothesis, Mapping) else {hypothesis: 1.0}
        row = sum(factor * coefficients.row_of(*key) for key, factor in terms.items())
        names.append(_in_words(terms))
        rows.append(row)
    return names, np.array(rows)


def _is_one(hypothesis):
    """Whether this is one hypothesis by name: a pair, or a dict of pairs."""
    if isinstance(hypothesis, Mapping):
        return bool(hypothesis) and all(map(_is_pair, hypothesis))
    return _is_pair(hypothesis)


def _is_pair(key):
    return isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], str)


def _matrix(hypotheses, coefficients):
    index = coefficients.index
    if isinstance(hypotheses, pd.DataFrame):
        if set(hypotheses.columns) != set(index):
            raise ValueError("The columns of hypotheses must be the index of covariance().")
        hypotheses = hypotheses[list(index)]
    try:
        matrix = np.atleast_2d(np.asarray(hypotheses, dtype=float))
    except (TypeError, ValueError):
        raise ValueError(f"These hypotheses are not understood: {_HOW}.") from None
    if matrix.ndim != 2 or matrix.shape[1] != len(index) or not np.isfinite(matrix).all():
        raise ValueError(
            f"A matrix of hypotheses must be finite and have {len(index)} columns, one for each "
            f"row of covariance(); got the shape {matrix.shape}."
        )
    names = [_in_words(dict(zip(index, row, strict=True))) for row in matrix]
    return names, matrix @ coefficients.matrix


def _in_words(terms):
    """A combination as text: "dent width - ok width"."""
    text = ""
    for (label, feature), factor in terms.items():
        if factor:
            size = "" if abs(factor) == 1 else f"{abs(factor):.4g} "
            text += f" {'-' if factor < 0 else '+'} {size}{label} {feature}"
    return text.removeprefix(" + ").strip() or "0"
