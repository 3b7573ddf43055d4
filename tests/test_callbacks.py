"""scikit-learn's callbacks, where the installed scikit-learn has them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

pytest.importorskip("sklearn.callback")

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
fits = pytest.mark.parametrize(
    "clf",
    [
        PerturbArgmaxClassifier(solver="newton", tol=1e-6),
        PerturbArgmaxClassifier("gumbel", solver="lbfgs", tol=1e-6),
        PerturbSoftmaxClassifier(solver="lbfgs", tol=1e-6),
    ],
)


class Recorder:
    """Keeps what it is told; asks to stop after `patience` iterations."""

    def __init__(self, patience=np.inf):
        self.patience = patience
        self.losses, self.open, self.data, self.torn_down = [], 0, None, False

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down = True

    def on_fit_task_begin(self, estimator, context):
        self.open += 1

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.open -= 1
        if context.task_name != "iteration" or fitted_estimator is None:
            return False
        self.data = X, y, metadata
        log_p = fitted_estimator.predict_log_proba(X)
        penalty = np.sum(fitted_estimator.coef_**2) / (2 * len(y))
        self.losses.append(penalty - log_p[np.arange(len(y)), y].mean())
        return len(self.losses) >= self.patience


@fits
def test_a_callback_sees_each_iteration(clf):
    recorder = Recorder()
    clf = clone(clf).set_callbacks(recorder).fit(X, Y)
    assert len(recorder.losses) == clf.n_iter_
    assert_allclose(recorder.losses[-1], clf.loss_, rtol=1e-9)
    assert np.all(np.diff(recorder.losses) < 1e-12)
    assert recorder.open == 0
    assert recorder.torn_down
    assert recorder.data[0].shape == X.shape
    assert recorder.data[2] is None


@fits
def test_a_callback_stops_the_fit_without_a_warning(clf):
    recorder = Recorder(patience=1)
    weight = np.full(len(Y), 2.0)
    stopped = clone(clf).set_callbacks(recorder).fit(X, Y, weight)
    assert stopped.n_iter_ == 1
    assert stopped.loss_ > clone(clf).fit(X, Y, weight).loss_
    assert recorder.open == 0
    assert_allclose(recorder.data[2]["sample_weight"], 2.0)


@fits
def test_callbacks_change_nothing(clf):
    plain = clone(clf).fit(X, Y)
    watched = clone(clf).set_callbacks(Recorder()).fit(X, Y)
    assert_allclose(watched.coef_, plain.coef_, rtol=0, atol=0)


def test_an_error_in_a_fit_still_tears_down():
    recorder = Recorder()
    with pytest.raises(ValueError, match="one class only"):
        PerturbArgmaxClassifier().set_callbacks(recorder).fit(X, np.zeros(len(X)))
    recorder = Recorder()
    with pytest.raises(ValueError, match="scale the features"):
        PerturbArgmaxClassifier().set_callbacks(recorder).fit(1e200 * X, Y)
    assert recorder.torn_down


def test_progress_bar_of_a_grid_search(capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    model = make_pipeline(StandardScaler(), PerturbArgmaxClassifier("gumbel"))
    grid = {"perturbargmaxclassifier__C": [0.1, 1.0]}
    search = GridSearchCV(model, grid, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    assert "PerturbArgmaxClassifier" in capsys.readouterr().out
