"""Saving and serving without other libraries: trusted types, imports, what to install."""

import pickle
import pickletools
import subprocess
import sys

import numpy as np
import pytest

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.noise import FAMILIES, Discrete
from skperturb.saving import TRUSTED_TYPES

X = np.linspace(-1, 1, 12)[:, None]
Y = np.arange(12) % 5 > 1
CLIENTS = (
    "onnx onnxruntime skl2onnx skops shap imblearn cleanlab mapie mlflow optuna dask skore torch"
)


def classes_of(saved):
    """Names of the classes of skperturb in a pickle."""
    texts, found = [], set()
    for operation, value, _ in pickletools.genops(saved):
        if operation.name == "STACK_GLOBAL":
            module, name = texts[-2:]
            found.add(f"{module}.{name}")
        elif isinstance(value, str):
            texts.append(value)
    return {name for name in found if name.startswith("skperturb")}


@pytest.mark.parametrize(
    "clf",
    [
        *(PerturbArgmaxClassifier(noise, loss="fenchel_young") for noise in FAMILIES),
        PerturbArgmaxClassifier(C=np.inf),
        PerturbSoftmaxClassifier(Discrete((-1.0, 2.0))),
    ],
    ids=str,
)
def test_a_saved_classifier_consists_of_the_types_to_trust(clf):
    clf.fit(X, Y)
    saved = pickle.dumps(clf)
    classes = classes_of(saved)
    assert len(classes) == 3
    assert classes <= set(TRUSTED_TYPES)
    again = pickle.loads(saved)
    assert np.array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert again._fit_record == clf._fit_record.without_data()


def test_the_types_to_trust_have_public_addresses():
    for name in TRUSTED_TYPES:
        module, _, attribute = name.rpartition(".")
        assert "._" not in name
        assert hasattr(sys.modules[module], attribute)


def test_the_library_imports_no_other_client():
    script = f"import sys, skperturb.cli; print(*set('{CLIENTS}'.split()) & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == ""


@pytest.mark.parametrize("missing", ["skl2onnx", "onnxruntime", "onnx"])
def test_what_to_install_for_onnx(missing, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("skperturb.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'skperturb\[onnx\]'"):
        import skperturb.onnx  # noqa: F401
