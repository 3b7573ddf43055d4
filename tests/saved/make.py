"""How the files of this folder were made: at commit f9e9c53, by ``python make.py folder``.

joblib stores arrays in a form that NumPy 1.26 and 2 both read.
"""

import sys
from pathlib import Path

import joblib
import numpy as np

from skperturb import (
    PerturbArgmax,
    PerturbArgmaxClassifier,
    PerturbSoftmax,
    PerturbSoftmaxClassifier,
)
from skperturb.noise import StudentT


def data(n_classes):
    """120 rows of two features, with classes that overlap."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(120, 2))
    scores = X @ rng.normal(size=(2, n_classes)) + 1.5 * rng.gumbel(size=(120, n_classes))
    return X, np.array(["dent", "ok", "scratch"])[scores.argmax(axis=1)]


def classifiers():
    """Name: (number of classes, classifier to fit)."""
    return {
        "gaussian": (3, PerturbArgmaxClassifier()),
        "student_t": (3, PerturbArgmaxClassifier(StudentT(4), C=np.inf, tol=1e-8)),
        "gumbel": (2, PerturbArgmaxClassifier("gumbel", constraint=None)),
        "softmax": (3, PerturbSoftmaxClassifier("laplace", temperature=0.5)),
    }


def main(folder):
    """Fit and save all, with the probabilities and standard errors of the saving version."""
    scores = np.array([[1.0, 0.0, -1.0], [0.2, 0.3, 5.0]])
    models = {"argmax": PerturbArgmax("logistic", 2.0), "softmax": PerturbSoftmax("gaussian")}
    expected = {f"model_{name}": model.proba(scores) for name, model in models.items()}
    fitted = {}
    for name, (n_classes, clf) in classifiers().items():
        X, y = data(n_classes)
        fitted[name] = clf.fit(X, y)
        expected[name] = clf.predict_proba(X[:20])
    expected["std_err"] = fitted["student_t"].summary()["std_err"].to_numpy()
    joblib.dump({"classifiers": fitted, "models": models}, folder / "f9e9c53.joblib")
    np.savez(folder / "f9e9c53.npz", scores=scores, **expected)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
