"""Marginal effects: by how much the probabilities of the classes change with a feature.

With J = dp / dscores and W the coefficients, the derivative of p_i in feature f is (J W)_if. The
effect of a feature of 0 and 1 is a difference of probabilities. Both are means over rows, and
smooth in the coefficients, so that their covariance follows from that of the coefficients (delta
method). With g_i and H_i the gradient and the second derivative of log p_i in the scores, the
second derivative of p_i is p_i (H_i + g_i g_i^T).
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from .._data import check_features
from .._linear import feature_names
from .._results import Table
from ._covariance import covariance_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MarginalEffects(Table):
    """Result of ``marginal_effects``: a data frame with a figure.

    Parameters
    ----------
    data, index, columns, dtype, copy : object
        As of a pandas.DataFrame; the library makes the table.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperturb import PerturbArgmaxClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> clf = PerturbArgmaxClassifier(C=float("inf")).fit(X[["sepal length (cm)"]], y)
    >>> type(clf.marginal_effects()).__name__
    'MarginalEffects'
    """

    def plot(self) -> "Figure":
        """Draw each effect with its confidence interval, one panel for each class.

        Returns
        -------
        matplotlib.figure.Figure
            The figure; save it with its method ``savefig``.

        Raises
        ------
        ImportError
            If matplotlib is not installed: install ``skperturb[report]``.
        """
        from matplotlib.figure import Figure

        classes = list(dict.fromkeys(self["class"]))
        labels = list(dict.fromkeys(self._labels()))
        size = 2.2 * len(classes) + 2, 0.35 * len(labels) + 1.2
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(classes), sharex=True, sharey=True, squeeze=False)[0]
        for label, panel in zip(classes, panels, strict=True):
            part = self[np.array([value == label for value in self["class"]])]
            low, high = part["effect"] - part["ci_low"], part["ci_high"] - part["effect"]
            panel.axvline(0, color="#595959", linewidth=0.8)
            panel.errorbar(
                part["effect"],
                np.arange(len(part)),
                xerr=[low.tolist(), high.tolist()],
                fmt="o",
                color="#0072b2",
            )
            panel.set_title(str(label))
            panel.set_xlabel("change of the probability")
        panels[0].set_yticks(range(len(labels)), labels)
        panels[0].invert_yaxis()
        return figure

    def _labels(self):
        if isinstance(self.index, pd.RangeIndex):
            return self["feature"].tolist()
        pairs = zip(self.index, self["feature"], strict=True)
        return [f"{feature}, row {row}" for row, feature in pairs]


class Slope(NamedTuple):
    """A feature whose effect is a derivative."""

    name: str
    column: int


class Step(NamedTuple):
    """A feature of 0 and 1, or a value of a category, whose effect is a difference.

    Attributes
    ----------
    name : str
    low, high : dict of int to float
        Values of columns before and after the step, about the center of the fit's rows.
    """

    name: str
    low: dict
    high: dict


def marginal_effects(fit, at, features, cov, groups, confidence):
    """See :meth:`PredictionInference.marginal_effects`."""
    clf, objective = fit.clf, fit.objective
    changes = _changes(fit, features)
    covariance = covariance_of(fit, cov, groups)
    K = len(clf.classes_)
    if isinstance(at, str):
        if at not in ("overall", "mean"):
            raise ValueError(f"at must be 'overall', 'mean' or rows of features, got {at!r}.")
        blocks = objective.designs(K * K)
        if at == "mean":
            blocks = [(sum(weight @ rows for rows, weight in blocks)[None], np.ones(1))]
        tables, index = [_effects(fit, blocks, changes)], None
    else:
        rows = objective.rows.dense_of(check_features(clf, at))
        tables = [_effects(fit, [(row[None], np.ones(1))], changes) for row in rows]
        labels = at.index if isinstance(at, pd.DataFrame) else np.arange(len(rows))
        index = pd.Index(np.repeat(labels, K * len(changes)), name="row")
    effects = np.concatenate([effect.ravel() for effect, _ in tables])
    std_err = np.concatenate(
        [covariance.std_err(slope.reshape(-1, objective.n_parameters)) for _, slope in tables]
    )
    names = [change.name for change in changes]
    table = MarginalEffects(
        {
            "class": np.tile(np.repeat(clf.classes_, len(names)), len(tables)),
            "feature": names * (K * len(tables)),
            "effect": effects,
            **covariance.tests(effects, std_err, confidence),
        },
        index=index,
    )
    place = {"overall": "mean over the rows", "mean": "at the means of the features"}
    where = place[at] if isinstance(at, str) else f"at {len(tables)} given rows"
    table.attrs = {"effects": where, "covariance": covariance.kind}
    return table


def _changes(fit, features):
    """What is changed for each effect, from the user's features."""
    names, objective = feature_names(fit.clf), fit.objective
    steps = _zero_one(objective)
    zero, one = objective.rows.of_value(0), objective.rows.of_value(1)

    def change(name):
        if name not in names:
            raise ValueError(f"{name!r} is not a feature of the fit: {names}.")
        column = names.index(name)
        if not steps[column]:
            return Slope(name, column)
        return Step(name, {column: zero[column]}, {column: one[column]})

    if isinstance(features, str):
        features = [features]
    if not isinstance(features, dict):
        return [change(name) for name in (names if features is None else features)]
    found = []
    for columns in features.values():
        if isinstance(columns, str):
            found.append(change(columns))
        else:
            found += _levels(fit, [change(name) for name in columns])
    return found


def _levels(fit, changes):
    """Steps to each value of a category, from its base: all columns 0, or the first column 1."""
    columns = [next(iter(c.high)) if isinstance(c, Step) else None for c in changes]
    if None in columns:
        name = changes[columns.index(None)].name
        raise ValueError(f"{name!r} does not consist of 0 and 1: it is no column of a category.")
    blocks, one = fit.objective.designs(len(columns)), fit.objective.rows.of_value(1)[columns]
    sums = [n for rows, _ in blocks for n in np.unique((rows[:, columns] == one).sum(axis=1))]
    if max(sums) > 1:
        raise ValueError(
            f"The columns {[c.name for c in changes]} are no category: some rows have a 1 in "
            "several of them."
        )
    off = {column: value for each in changes for column, value in each.low.items()}
    low, first = (off, 0) if min(sums) == 0 else (off | changes[0].high, 1)
    return [Step(each.name, low, off | each.high) for each in changes[first:]]


def _zero_one(objective):
    """Which columns consist of 0 and 1, both of which occur."""
    zero, one = objective.rows.of_value(0), objective.rows.of_value(1)
    some_zero, some_one, plain = False, False, True
    for rows, _ in objective.designs(objective.shape[1]):
        features = rows[:, : len(zero)]
        is_zero, is_one = features == zero, features == one
        some_zero, some_one = some_zero | is_zero.any(axis=0), some_one | is_one.any(axis=0)
        plain = plain & (is_zero | is_one).all(axis=0)
    return plain & some_zero & some_one


def _effects(fit, blocks, changes):
    """Effects (K, n_changes), and their derivatives in the free parameters (..., n_parameters).

    Parameters
    ----------
    fit : Fit
    blocks : iterable of (rows, weight)
        Their weights sum to one.
    changes : list of Slope or Step
    """
    objective = fit.objective
    constraint, kernel = objective.constraint, objective.loss.kernel
    W = constraint.expand(fit.free.reshape(objective.shape))
    K, width = W.shape
    sloped = [i for i, change in enumerate(changes) if isinstance(change, Slope)]
    columns = [changes[i].column for i in sloped]
    effects, slopes = np.zeros((K, len(changes))), np.zeros((K, len(changes), K, width))
    jacobian, bent = np.zeros((K, K)), np.zeros((K, K, K, width))
    for rows, weight in blocks:
        if sloped:
            jacobian += np.tensordot(weight, kernel.jacobian(rows @ W.T), 1)
            _add_second_derivatives(bent, kernel, rows @ W.T, rows, weight)
        for i, change in enumerate(changes):
            if isinstance(change, Step):
                for sign, values in ((1.0, change.high), (-1.0, change.low)):
                    moved = rows.copy()
                    moved[:, list(values)] = list(values.values())
                    scores = moved @ W.T
                    effects[:, i] += sign * (weight @ kernel.proba(scores))
                    weighted = kernel.jacobian(scores) * (sign * weight)[:, None, None]
                    slopes[:, i] += (weighted.reshape(-1, K * K).T @ moved).reshape(K, K, width)
    effects[:, sloped] = jacobian @ W[:, columns]
    along = np.einsum("iklm,lf->ifkm", bent, W[:, columns])
    along[:, np.arange(len(columns)), :, columns] += jacobian
    slopes[:, sloped] = along
    free = constraint.restrict(np.moveaxis(slopes, 2, 0))
    return effects, np.moveaxis(free, 0, 2).reshape(K, len(changes), -1)


def _add_second_derivatives(total, kernel, scores, rows, weight):
    """Add the mean of d2 p_i / dscore_k dscore_l times feature m to total[i,k,l,m]."""
    K = scores.shape[1]
    p = kernel.proba(scores)
    for i in range(K):
        y = np.full(len(scores), i)
        _, g = kernel.log_likelihood(scores, y)
        second = kernel.hessian(scores, y) + g[:, :, None] * g[:, None, :]
        share = (weight * p[:, i])[:, None, None]
        # A class of probability zero does not change, however steep its logarithm is.
        second = np.where(share > 0, share * second, 0.0)
        total[i] += (second.reshape(-1, K * K).T @ rows).reshape(K, K, -1)
