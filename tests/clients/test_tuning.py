"""Searching noise and penalty, with optuna and on a dask cluster; frames of polars; skore."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skperturb import PerturbArgmaxClassifier
from skperturb.noise import StudentT

from .conftest import client


def test_optuna(iris):
    optuna = client("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def quality(trial):
        clf = PerturbArgmaxClassifier(
            noise=trial.suggest_categorical("noise", ["gumbel", "gaussian", "student_t"]),
            C=trial.suggest_float("C", 1e-2, 1e2, log=True),
        )
        return cross_val_score(clf, *iris, cv=3, scoring="neg_log_loss").mean()

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(quality, n_trials=6)
    assert study.best_value > -0.3
    clf = PerturbArgmaxClassifier(**study.best_params).fit(*iris)
    assert clf.noise == study.best_params["noise"]

    def of_tails(trial):
        clf = PerturbArgmaxClassifier(StudentT())
        clf.set_params(noise__df=trial.suggest_float("df", 1.0, 30.0, log=True))
        return cross_val_score(clf, *iris, cv=3, scoring="neg_log_loss").mean()

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(of_tails, n_trials=2)
    assert np.isfinite(study.best_value)


def test_dask(iris):
    distributed = client("distributed", "dask[distributed]")
    search = GridSearchCV(PerturbArgmaxClassifier(), {"noise": ["gumbel", "gaussian"]}, cv=3)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        search.fit(*iris)
    serial = GridSearchCV(PerturbArgmaxClassifier(), {"noise": ["gumbel", "gaussian"]}, cv=3)
    serial.fit(*iris)
    assert_array_equal(search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"])


def test_polars(parts):
    polars = client("polars")
    X, y = parts
    encoder = make_column_transformer(
        (StandardScaler(), ["force", "speed"]),
        (OneHotEncoder(sparse_output=False), ["machine"]),
        verbose_feature_names_out=False,
    ).set_output(transform="polars")
    frame = polars.DataFrame({name: X[name].to_list() for name in X})
    model = make_pipeline(encoder, PerturbArgmaxClassifier())
    expected = make_pipeline(encoder, PerturbArgmaxClassifier()).fit(X, y)
    for labels in (polars.Series(y.tolist()), polars.Series(y.tolist(), dtype=polars.Categorical)):
        model.fit(frame, labels)
        assert model[-1].feature_names_in_.tolist()[:2] == ["force", "speed"]
        assert_array_equal(model.predict(frame), expected.predict(X))


def test_skore(cancer):
    skore = client("skore")
    X, y = cancer
    X, y = X[:, :8], y
    report = skore.EstimatorReport(
        PerturbArgmaxClassifier(), X_train=X[::2], y_train=y[::2], X_test=X[1::2], y_test=y[1::2]
    )
    peer = skore.EstimatorReport(
        LogisticRegression(), X_train=X[::2], y_train=y[::2], X_test=X[1::2], y_test=y[1::2]
    )
    assert report.metrics.accuracy() == pytest.approx(peer.metrics.accuracy(), abs=0.03)
    assert report.metrics.log_loss() == pytest.approx(peer.metrics.log_loss(), abs=0.05)
    assert report.inspection.coefficients().frame().shape[0] == 9
    skore.ComparisonReport({"probit": report, "logit": peer}).metrics.summarize()
    cross = skore.CrossValidationReport(PerturbArgmaxClassifier(), X, y, splitter=3)
    assert 0.8 < np.mean(cross.metrics.accuracy(aggregate=None).to_numpy()) <= 1.0
