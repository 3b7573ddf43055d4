"""shap explains the scores of both classifiers as it explains those of LogisticRegression."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

from .conftest import client


@pytest.mark.parametrize("Classifier", [PerturbArgmaxClassifier, PerturbSoftmaxClassifier])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_contributions_to_the_scores_add_up(Classifier, n_classes, iris):
    shap = client("shap")
    X, y = iris
    X, y = X[y < n_classes], y[y < n_classes]
    clf = Classifier().fit(X, y)
    explanation = shap.LinearExplainer(clf, X)(X)
    total = explanation.base_values + explanation.values.sum(axis=1)
    assert_allclose(total, clf.decision_function(X), rtol=0, atol=1e-9)


def test_contributions_to_the_probabilities(iris):
    shap = client("shap")
    X, y = iris
    clf = PerturbArgmaxClassifier("student_t").fit(X, y)
    explanation = shap.Explainer(clf.predict_proba, X[::10], algorithm="permutation")(X[:3])
    total = explanation.base_values + explanation.values.sum(axis=1)
    assert_allclose(total, clf.predict_proba(X[:3]), rtol=0, atol=1e-6)
    assert np.isfinite(explanation.values).all()
