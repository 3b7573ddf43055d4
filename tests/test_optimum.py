"""Fits against another algorithm that minimises the objective as it is written in the docs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.optimize import minimize

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.noise import StudentT, as_noise, from_scipy

from .conftest import OPTIMUM

NOISES = [
    "gaussian",
    "gumbel",
    "gumbel_min",
    "logistic",
    "laplace",
    StudentT(1.5),
    "cauchy",
    "exponential",
    "uniform",
    from_scipy(stats.triang(0.3, scale=4)),
]


def parts():
    """24 parts of three classes with one feature; the classes overlap."""
    x = np.linspace(-2, 2, 24)
    y = np.array([0, 1, 0, 0, 1, 0, 2, 0, 1, 1, 0, 1, 2, 1, 1, 2, 0, 1, 2, 2, 1, 2, 2, 1])
    return x[:, None], y


def written_out(clf, X, y):
    """The objective of several vectors (m, 4): classes 1 and 2 against class 0."""

    def objective(w):
        rows = np.concatenate([np.zeros((len(w), 1, 2)), w.reshape(-1, 2, 2)], axis=1)
        scores = np.concatenate([X @ row[:, :1].T + row[:, 1] for row in rows])
        each, own = np.arange(len(scores)), np.tile(y, len(w))
        if clf.loss == "log_loss":
            loss = -clf.model_.log_proba(scores)[each, own]
        else:
            loss = clf.model_.potential(scores) - scores[each, own]
        penalty = np.sum(rows[:, :, 0] ** 2, axis=1) / (2 * clf.C * len(y))
        return loss.reshape(len(w), -1).mean(axis=1) + penalty

    return objective


def slope(objective, w, step=1e-3):
    """Five-point differences, all points at once."""
    factors = np.array([1, -8, 8, -1]) / (12 * step)
    shifts = step * np.array([-2, -1, 1, 2])[:, None, None] * np.eye(len(w))
    values = objective((w + shifts).reshape(-1, len(w))).reshape(4, -1)
    return factors @ values


@pytest.mark.parametrize("C", [2.0, np.inf])
@pytest.mark.parametrize("loss", ["log_loss", "fenchel_young"])
@pytest.mark.parametrize("noise", NOISES, ids=str)
@pytest.mark.parametrize("Classifier", [PerturbArgmaxClassifier, PerturbSoftmaxClassifier])
def test_another_optimiser_finds_nothing_lower(Classifier, noise, loss, C):
    """BFGS from zero, with differences of the public functions for its gradient."""
    X, y = parts()
    bounded = as_noise(noise).bounded
    if bounded and loss == "log_loss" and Classifier is PerturbArgmaxClassifier:
        pytest.skip("bounded noise has no likelihood in Perturb-Argmax")
    clf = Classifier(noise, loss=loss, C=C, constraint="reference", tol=1e-9, max_iter=500)
    clf.fit(X, y)
    objective = written_out(clf, X, y)
    found = np.column_stack([clf.coef_, clf.intercept_])[1:].ravel()
    theirs = minimize(
        lambda w: objective(w[None])[0],
        np.zeros(4),
        jac=lambda w: slope(objective, w),
        method="BFGS",
        options={"gtol": 1e-8},
    )
    assert_allclose(objective(found[None])[0], clf.loss_, rtol=1e-8)
    assert_allclose(clf.loss_, theirs.fun, rtol=1e-8)
    assert_allclose(found, theirs.x, rtol=OPTIMUM, atol=OPTIMUM)
