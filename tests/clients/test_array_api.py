"""Arrays of other libraries are computed with NumPy, and predictions are again such arrays."""

import importlib.util
import os

import numpy as np
import pytest

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn asks for it before scipy is imported

import sklearn
from numpy.testing import assert_array_equal

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier, _array_api

from .conftest import client

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
# torch is so large that the extra does not install it.
NAMESPACES = ["array_api_strict", *(["torch"] if importlib.util.find_spec("torch") else [])]


@pytest.fixture(params=NAMESPACES)
def xp(request, monkeypatch):
    module = client(request.param)
    monkeypatch.setattr(_array_api, "_said", set())
    with sklearn.config_context(array_api_dispatch=True):
        yield module


def as_numpy(result):
    return np.from_dlpack(result)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("Classifier", [PerturbArgmaxClassifier, PerturbSoftmaxClassifier])
def test_all_methods(Classifier, n_classes, xp, iris):
    X, y = iris
    X, y = X[y < n_classes], y[y < n_classes]
    weight = 1.0 + np.arange(len(X)) % 3
    expected = Classifier().fit(X, y, sample_weight=weight)
    arrays = [xp.asarray(a) for a in (X, y, weight)]
    clf = Classifier().fit(*arrays[:2], sample_weight=arrays[2])
    assert_array_equal(clf.coef_, expected.coef_)
    for method in METHODS:
        result = getattr(clf, method)(arrays[0])
        assert type(result) is type(arrays[0])
        assert_array_equal(as_numpy(result), getattr(expected, method)(X))
    assert float(clf.score(*arrays[:2])) == pytest.approx(expected.score(X, y), abs=1e-6)
    # A model fitted to one kind of array serves any other.
    assert_array_equal(clf.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(as_numpy(expected.predict_proba(arrays[0])), expected.predict_proba(X))


def test_single_precision_and_labels_that_are_text(xp, iris):
    X, y = iris
    names = np.array(["dent", "ok", "scratch"])
    expected = PerturbArgmaxClassifier().fit(X.astype(np.float32), names[y])
    clf = PerturbArgmaxClassifier().fit(xp.asarray(X, dtype=xp.float32), names[y])
    assert clf.coef_.dtype == np.float32
    assert_array_equal(clf.coef_, expected.coef_)
    predicted = clf.predict(xp.asarray(X, dtype=xp.float32))
    assert isinstance(predicted, np.ndarray)
    assert set(predicted) == set(names)


def test_soft_labels(xp, iris):
    X, y = iris
    P = 0.1 / 3 + 0.9 * np.eye(3)[y]
    expected = PerturbArgmaxClassifier().fit_proba(X, P)
    clf = PerturbArgmaxClassifier().fit_proba(xp.asarray(X), xp.asarray(P))
    assert_array_equal(clf.coef_, expected.coef_)


def test_it_is_said_once(xp, iris):
    X, y = (xp.asarray(a) for a in iris)
    with pytest.warns(UserWarning, match=r"computes on the CPU") as got:
        PerturbArgmaxClassifier().fit(X, y).predict(X)
    assert len(got) == 1
    assert got[0].filename == __file__


def test_torch_tensors_with_gradients_and_of_sixteen_bits(iris):
    if "torch" not in NAMESPACES:
        return
    torch = client("torch")
    X, y = iris
    with sklearn.config_context(array_api_dispatch=True):
        expected = PerturbArgmaxClassifier().fit(X, y)
        tensor = torch.asarray(X, requires_grad=True)
        assert_array_equal(as_numpy(expected.predict_proba(tensor)), expected.predict_proba(X))
        half = torch.asarray(X, dtype=torch.bfloat16)
        assert_array_equal(as_numpy(expected.predict(half)), expected.predict(half.float().numpy()))
