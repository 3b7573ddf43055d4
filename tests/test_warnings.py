"""Warnings point to the line of the user that caused them."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmax, PerturbArgmaxClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y = (X[:, 0] + RNG.normal(size=60) > 0).astype(int)
SHORT = PerturbArgmaxClassifier(max_iter=1, tol=1e-9, solver="lbfgs")


def nearly_collinear():
    """A fit whose summary warns of a column that is nearly another one."""
    again = X[:, :1] + 3e-5 * RNG.normal(size=(60, 1))
    return PerturbArgmaxClassifier("gumbel", C=np.inf, tol=1e-9).fit(np.hstack([X, again]), Y)


CALLS = {
    "fit": lambda: clone(SHORT).fit(X, Y),
    "pipeline": lambda: make_pipeline(StandardScaler(), clone(SHORT)).fit(X, Y),
    "grid search": lambda: GridSearchCV(clone(SHORT), {"C": [1.0]}, cv=2).fit(X, Y),
    "summary": nearly_collinear().summary,
    "method": lambda: PerturbArgmax().kernel(3),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_warning_points_to_the_line_of_the_user(name):
    call = CALLS[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        call()
    assert caught
    for warning in caught:
        assert warning.filename == __file__
        if name == "summary":
            assert warning.lineno == line
        else:
            assert warning.lineno == call.__code__.co_firstlineno
