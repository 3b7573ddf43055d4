"""A saved classifier is the same again, and whoever loads it need trust public types only."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.noise import FAMILIES, Discrete, StudentT
from skperturb.saving import TRUSTED_TYPES

from .conftest import client

NOISE = [*FAMILIES, StudentT(2.5, scale=3.0)]


def through_joblib(clf):
    file = io.BytesIO()
    joblib.dump(clf, file)
    file.seek(0)
    return joblib.load(file)


def through_cloudpickle(clf):
    cloudpickle = client("cloudpickle")
    return pickle.loads(cloudpickle.dumps(clf))


def through_skops(clf):
    skops = client("skops.io", "skops")
    saved = skops.dumps(clf)
    assert set(skops.get_untrusted_types(data=saved)) <= set(TRUSTED_TYPES)
    return skops.loads(saved, trusted=TRUSTED_TYPES)


WAYS = {
    "pickle": lambda clf: pickle.loads(pickle.dumps(clf)),
    "copy": copy.deepcopy,
    "joblib": through_joblib,
    "cloudpickle": through_cloudpickle,
    "skops": through_skops,
}


def assert_same(clf, again, X):
    assert repr(again) == repr(clf)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert_array_equal(getattr(again, method)(X), getattr(clf, method)(X))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("Classifier", [PerturbArgmaxClassifier, PerturbSoftmaxClassifier])
def test_round_trips_are_exact(Classifier, way, iris):
    X, y = iris
    names = np.array(["dent", "ok", "scratch"])
    for noise in NOISE:
        clf = make_pipeline(StandardScaler(), Classifier(noise, loss="fenchel_young"))
        assert_same(clf.fit(X, names[y]), WAYS[way](clf), X)


@pytest.mark.parametrize("way", WAYS)
def test_discrete_noise(way, iris):
    clf = PerturbSoftmaxClassifier(Discrete([-1, 0, 2])).fit(*iris)
    assert_same(clf, WAYS[way](clf), iris[0])


@pytest.mark.parametrize("way", WAYS)
def test_a_fit_without_a_penalty_keeps_its_inference(way, cancer):
    X, y = cancer[0][:, :2], cancer[1]
    clf = PerturbArgmaxClassifier(C=np.inf).fit(X, y)
    again = WAYS[way](clf)
    assert_same(clf, again, X)
    assert_array_equal(again.summary(X, y).to_numpy(), clf.summary(X, y).to_numpy())
    with pytest.raises(ValueError, match="pass X, y and sample_weight"):
        again.summary()


def test_skops_refuses_without_the_list(iris):
    skops = client("skops.io", "skops")
    saved = skops.dumps(PerturbArgmaxClassifier().fit(*iris))
    with pytest.raises(skops.exceptions.UntrustedTypesFoundException, match=r"skperturb\.noise"):
        skops.loads(saved)


def test_mlflow(iris, tmp_path):
    mlflow = client("mlflow.sklearn", "mlflow-skinny")
    X, y = iris
    clf = make_pipeline(StandardScaler(), PerturbArgmaxClassifier("student_t")).fit(X, y)
    with pytest.raises(Exception, match="skops_trusted_types"):
        mlflow.save_model(clf, tmp_path / "refused")
    requirements = ["skperturb", "scikit-learn", "skops"]
    for name, options in (
        ("skops", {"skops_trusted_types": TRUSTED_TYPES}),
        ("cloudpickle", {"serialization_format": "cloudpickle"}),
    ):
        mlflow.save_model(clf, tmp_path / name, pip_requirements=requirements, **options)
        assert_same(clf, mlflow.load_model(str(tmp_path / name)), X)
        assert "skperturb" in (tmp_path / name / "requirements.txt").read_text().splitlines()
