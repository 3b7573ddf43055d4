"""Resampling, label issues and conformal sets."""

import numpy as np
import pytest

from skperturb import PerturbArgmaxClassifier

from .conftest import client


def test_imbalanced_learn(cancer):
    pipeline = client("imblearn.pipeline", "imbalanced-learn")
    over, ensemble = client("imblearn.over_sampling"), client("imblearn.ensemble")
    X, y = cancer
    rare = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:30]])
    X, y = X[rare], y[rare]
    smote = pipeline.make_pipeline(over.SMOTE(random_state=0), PerturbArgmaxClassifier())
    assert smote.fit(X, y).score(X, y) > 0.9
    bagging = ensemble.BalancedBaggingClassifier(PerturbArgmaxClassifier(), 5, random_state=0)
    assert bagging.fit(X, y).score(X, y) > 0.9
    easy = ensemble.EasyEnsembleClassifier(
        3, estimator=PerturbArgmaxClassifier("logistic"), random_state=0
    )
    assert easy.fit(X, y).score(X, y) > 0.9
    hard = client("imblearn.under_sampling").InstanceHardnessThreshold(
        estimator=PerturbArgmaxClassifier(), random_state=0
    )
    assert len(hard.fit_resample(X, y)[0]) < len(X)


def test_cleanlab(iris):
    classification = client("cleanlab.classification", "cleanlab")
    X, y = iris
    wrong = np.random.default_rng(0).choice(150, 12, replace=False)
    flipped = y.copy()
    flipped[wrong] = (y[wrong] + 1) % 3
    cleaner = classification.CleanLearning(PerturbArgmaxClassifier("cauchy"))
    issues = cleaner.find_label_issues(X, flipped)
    assert issues["is_label_issue"].to_numpy()[wrong].sum() >= 10
    assert issues["is_label_issue"].sum() < 40


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_mapie(score, iris):
    mapie = client("mapie.classification", "mapie")
    X, y = iris
    rows = np.random.default_rng(0).permutation(150)
    fit, rest = rows[:75], rows[75:]
    clf = PerturbArgmaxClassifier().fit(X[fit], y[fit])
    conformal = mapie.SplitConformalClassifier(
        clf, confidence_level=0.9, conformity_score=score, prefit=True, random_state=0
    ).conformalize(X[rest], y[rest])
    _, sets = conformal.predict_set(X[rest])
    assert np.mean(sets[np.arange(75), y[rest], 0]) >= 0.85
    cross = mapie.CrossConformalClassifier(
        PerturbArgmaxClassifier(), confidence_level=0.9, cv=5, random_state=0
    ).fit_conformalize(X, y)
    assert cross.predict_set(X)[1].shape == (150, 3, 1)
