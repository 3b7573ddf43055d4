"""Small real scripts with libraries that take any classifier of scikit-learn.

They are no part of the fast tests: ``bash .ci/clients`` installs the extra ``clients`` and runs
them, and so does ``python -m pytest tests/clients`` in an environment that has it. A test whose
library is missing is skipped, except where SKPERTURB_CLIENTS=all, as in that script: it fails then.
"""

import importlib
import os

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris


def client(name, package=None):
    """The module of a client library, or the end of the test that needs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        sentence = (
            f"{package or name} is not installed ({error}); pip install 'skperturb[clients]' "
            "installs it."
        )
        if os.environ.get("SKPERTURB_CLIENTS") == "all":
            pytest.fail(sentence)
        pytest.skip(sentence, allow_module_level=True)


def pytest_collection_modifyitems(items):
    """The libraries may warn of each other; warnings that skperturb causes are errors."""
    for item in items:
        if "clients" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings("default"))
            item.add_marker(pytest.mark.filterwarnings("error:::skperturb"))
            item.add_marker(pytest.mark.filterwarnings("ignore:The data are arrays:UserWarning"))


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(0)) / X.std(0), y


@pytest.fixture
def parts():
    """A line's parts: two numbers, a machine, and whether the part is good."""
    rng = np.random.default_rng(0)
    force, speed = rng.normal(size=(2, 200))
    machine = rng.choice(["M1", "M2", "M3"], 200)
    good = force - speed + (machine == "M2") + rng.normal(size=200) > 0
    X = pd.DataFrame({"force": force, "speed": speed, "machine": machine})
    return X, np.where(good, "OK", "NG")
