"""Fits that allow for wrong labels: what `label_noise` may be, and how each kind is fitted."""

from copy import copy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ._linear import (
    LinearObjective,
    fit_flips,
    fit_objective,
    make_objective,
    tilted,
    uniform_flips,
)
from ._results import Table
from .leave_out import Minimum, leave_out

# Shares of labels drawn at random among the classes: those that "uniform" chooses from.
RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
_RISES = 2  # of the leave-one-out loss in a row: larger shares are not tried then
_MOST_PARAMETERS = 5000  # of a fit whose rows are left out: their matrix takes 200 MB
_ROUNDING = 1e-6  # of a sum of probabilities: more is no rounding
_LEAST = 1e-6  # singular value of a matrix of flips that can be told from the labels given


class LabelledRows(NamedTuple):
    """The data of a fit.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,), int
        Index of each row's label.
    weight, sample_weight : ndarray of shape (n_samples,)
        With class weights and without.
    """

    X: Any
    classes: np.ndarray
    codes: np.ndarray
    weight: np.ndarray
    sample_weight: np.ndarray

    def objective(self, params, model):
        """Of labels that may be flipped, in double precision, as leaving out rows needs it."""
        X = self.X.astype(np.float64, copy=False)
        flips = np.eye(len(self.classes))
        return make_objective(params, model, self.classes, X, self.codes, self.weight, flips)

    def factors(self):
        """The class weights (n_classes,)."""
        given, total = (
            np.bincount(self.codes, weight, minlength=len(self.classes))
            for weight in (self.sample_weight, self.weight)
        )
        return total / np.where(given > 0, given, 1.0)

    def unit(self):
        """Weight of one of the rows that a row stands for, in shares of all; of rows that count."""
        unit = self.weight / np.maximum(self.sample_weight, 1.0)
        return unit[self.weight > 0] / self.weight.sum()


class LabelNoiseFit(NamedTuple):
    """What a fit that allows for wrong labels found.

    Attributes
    ----------
    solution : Solution
        The coefficients.
    objective : LinearObjective
        What they minimise, with the flips held fixed.
    flips : ndarray of shape (n_classes, n_classes)
        P(label given | true class) in the weighted sample.
    label_noise : DataFrame of shape (n_classes, n_classes)
        The same without class weights, labelled.
    """

    solution: NamedTuple
    objective: LinearObjective
    flips: np.ndarray
    label_noise: pd.DataFrame


def check_label_noise(params):
    """Refuse what does not go together with wrong labels."""
    if params["label_noise"] is None:
        return
    for wrong, needed in (
        (params["loss"] != "log_loss", "loss='log_loss', because flips have a likelihood only"),
        (
            params["bias_reduction"],
            "bias_reduction=False: its penalty is of true labels",
        ),
    ):
        if wrong:
            raise ValueError(f"label_noise needs {needed}.")


def fit_label_noise(trusting, params, model, data, previous, monitor):
    """Fit, and learn what `label_noise` asks for.

    Parameters
    ----------
    trusting : LinearObjective
        Of labels that are true.
    params : dict
        Parameters of the classifier.
    model : PerturbArgmax or PerturbSoftmax
    data : LabelledRows
    previous : (ndarray, ndarray) or None
        Coefficients and intercepts of all classes to start from.
    monitor : FitMonitor

    Returns
    -------
    LabelNoiseFit
    """
    kind, n_iter, factors = params["label_noise"], 0, data.factors()
    chosen = None if isinstance(kind, str) else tilted(given_flips(kind, data.classes), factors)
    objective = data.objective(params, model)
    if previous is None:
        # Labels without flips are where the EM algorithm starts, too.
        first = fit_objective(trusting, params)
        previous, n_iter = trusting.coefficients(first.x), first.n_iter
    if isinstance(kind, str) and kind == "matrix":
        solution, flips = fit_flips(objective, params, previous, monitor)
    else:
        flips = chosen
        if flips is None:
            flips = _likely_flips(objective, params, data.unit(), factors, previous)
        solution = fit_objective(with_flips(objective, flips), params, previous, monitor)
    solution = solution._replace(n_iter=n_iter + solution.n_iter)
    shown = Table(
        tilted(flips, 1 / np.where(factors > 0, factors, 1.0)),
        index=pd.Index(data.classes, name="true"),
        columns=pd.Index(data.classes, name="given"),
    )
    return LabelNoiseFit(solution, with_flips(objective, flips), flips, shown)


def with_flips(objective, flips):
    """The same objective with this matrix of flips."""
    objective = copy(objective)
    objective.loss = objective.loss.with_flips(flips)
    return objective


def given_flips(label_noise: ArrayLike, classes: np.ndarray) -> np.ndarray:
    """T[true, given] as a user gave it, in the order of the classes, checked."""
    if isinstance(label_noise, pd.DataFrame):
        for names in (label_noise.index, label_noise.columns):
            if len(names) != len(classes) or set(names) != set(classes.tolist()):
                raise ValueError(
                    f"The rows and columns of label_noise must be the classes {classes.tolist()}, "
                    f"got {names.tolist()}."
                )
        label_noise = label_noise.loc[classes.tolist(), classes.tolist()]
    flips = np.asarray(label_noise, dtype=float)
    if flips.shape != (len(classes), len(classes)):
        raise ValueError(
            "label_noise must be 'uniform', 'matrix', or a matrix with a row for each true class "
            f"and a column for each label given, {len(classes)} of both, got the shape "
            f"{flips.shape}."
        )
    total = flips.sum(axis=1)
    if not (np.isfinite(flips).all() and flips.min() >= 0 and abs(total - 1).max() <= _ROUNDING):
        raise ValueError(
            "Each row of label_noise must be the probabilities of the labels given to parts of one "
            f"true class, not negative and with the sum 1; the sums are {total.tolist()}."
        )
    if np.linalg.svd(flips, compute_uv=False)[-1] < _LEAST:
        raise ValueError(
            "The rows of label_noise must not depend on each other: with this matrix different "
            "probabilities of the true classes give the same probabilities of the labels."
        )
    return flips / total[:, None]


def _likely_flips(objective, params, unit, factors, previous):
    """Flips at the rate with the least leave-one-out loss of the labels given."""
    n_classes = objective.constraint.n_classes
    if objective.n_parameters > _MOST_PARAMETERS:
        raise ValueError(
            "label_noise='uniform' leaves out rows, which needs a matrix of all "
            f"{objective.n_parameters} parameters; more than {_MOST_PARAMETERS} are too many. Use "
            "label_noise='matrix'."
        )
    # A class of one row is not known without it: its loss says nothing.
    known = np.bincount(objective.y, objective.weight)[objective.y] > unit
    weight = np.where(known, objective.weight, 0.0)
    best, least, rises = tilted(uniform_flips(0.0, n_classes), factors), np.inf, 0
    for rate in RATES:
        flips = tilted(uniform_flips(rate, n_classes), factors)
        at = with_flips(objective, flips)
        solution = fit_objective(at, params, previous)
        previous = at.coefficients(solution.x)
        loss = weight @ _loss_without_one(Minimum(at, solution.x), unit)
        if loss < least:
            best, least, rises = flips, loss, 0
        else:
            rises += 1
            if rises == _RISES:
                break
    return best


def _loss_without_one(minimum, unit):
    """Loss of each row by the fit without one of the rows that it stands for."""
    one = copy(minimum)
    one.objective = copy(minimum.objective)
    one.objective.weight = unit
    return leave_out(one, most=0).loss
