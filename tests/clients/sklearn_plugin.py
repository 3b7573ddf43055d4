"""A plugin for pytest: LogisticRegression becomes a classifier of skperturb, its parameters mapped.

See ``sklearn_tests.py``, which runs scikit-learn's own tests with it. The class that takes the
place has LogisticRegression's signature; where a test asks for what skperturb does not have, such
as an l1 penalty, the test is skipped with that reason.
"""

import inspect
import json
import os
from pathlib import Path

import pytest
import sklearn.linear_model
from sklearn.linear_model import LogisticRegression as Theirs

from skperturb import PerturbArgmaxClassifier

SOLVERS = {"newton-cg": "newton", "newton-cholesky": "newton"}
SIGNATURE = {
    "tol": 1e-4,
    "C": 1.0,
    "fit_intercept": True,
    "class_weight": None,
    "max_iter": 100,
    "warm_start": False,
}


class LogisticRegression(PerturbArgmaxClassifier):
    """PerturbArgmaxClassifier with Gumbel noise, called as scikit-learn's LogisticRegression is."""

    fits = 0  # of all objects, since the test began
    noise, noise_scale, loss, bias_reduction = "gumbel", 1.0, "log_loss", False
    constraint, reference_class = "sum_to_zero", None
    _parameter_constraints = Theirs._parameter_constraints

    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def _params_of_fit(self):
        type(self).fits += 1
        absent = {
            "penalty": "deprecated",
            "l1_ratio": 0.0,
            "dual": False,
            "intercept_scaling": 1,
            "n_jobs": None,
        }
        for name, only in absent.items():
            value = getattr(self, name)
            if value != only and not (name == "penalty" and value == "l2"):
                pytest.skip(f"no parameter {name}")
        mapped = {name: getattr(self, name) for name in SIGNATURE}
        solver = SOLVERS.get(self.solver, "lbfgs")
        return PerturbArgmaxClassifier("gumbel", solver=solver, **mapped).get_params(deep=False)


def pytest_configure(config):
    """Put our class in the place of theirs before any test module is imported."""
    sklearn.linear_model.LogisticRegression = LogisticRegression


def pytest_collection_modifyitems(config, items):
    """Leave out tests that do not name the class: they say nothing of ours."""
    named = [item for item in items if _names_it(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(named)])
    items[:] = named


def _names_it(item):
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return "LogisticRegression" in inspect.getsource(item.function) + repr(parameters)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Count the fits of this test."""
    LogisticRegression.fits = 0


def pytest_runtest_logreport(report):
    """Write down what came out, and whether our class was fitted."""
    path = os.environ.get("SKPERTURB_CLIENT_RESULTS")
    if not path or (report.when != "call" and report.passed):
        return
    reason = ""
    if report.skipped:
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    elif report.failed:
        reason = report.longreprtext.strip().splitlines()[-1]
    line = {
        "test": report.nodeid.rpartition("sklearn/")[2],
        "outcome": report.outcome,
        "fits": LogisticRegression.fits,
        "reason": reason,
    }
    with Path(path).open("a") as file:
        file.write(json.dumps(line) + "\n")
