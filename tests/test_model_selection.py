"""The classifiers that choose noise and C."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skperturb import (
    PerturbArgmaxClassifier,
    PerturbArgmaxClassifierCV,
    PerturbSoftmaxClassifierCV,
)

# Raw, badly scaled or separable data: a user should be told so.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FEW = {"Cs": [0.1, 10.0]}


@pytest.mark.filterwarnings("ignore:All rows of class:UserWarning")
@parametrize_with_checks(
    [
        PerturbArgmaxClassifierCV(),
        PerturbSoftmaxClassifierCV(["gaussian"], temperatures=[1.0, 0.3], **FEW),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("Classifier", [PerturbArgmaxClassifierCV, PerturbSoftmaxClassifierCV])
def test_checks_that_are_not_in_the_generator(Classifier):
    check_param_validation(Classifier.__name__, Classifier())
    check_dataframe_column_names_consistency(Classifier.__name__, Classifier())


X, Y = make_classification(
    90, 4, n_informative=4, n_redundant=0, n_classes=3, class_sep=0.7, random_state=1
)
LOTS = np.arange(len(Y)) // 6


def test_scores_are_those_of_leave_one_out():
    clf = PerturbArgmaxClassifierCV(["gumbel"], Cs=[0.1, 1.0], store_cv_results=True).fit(X, Y)
    for scores, C in zip(clf.scores_[0], clf.Cs_, strict=True):
        one = PerturbArgmaxClassifier("gumbel", C=C, tol=1e-7).fit(X, Y).leave_one_out(X, Y)
        assert_allclose(-scores, one.log_loss().value, rtol=0.01)
    j = int(clf.scores_[0].argmax())
    assert clf.C_ == clf.Cs_[j] == clf.best_estimator_.C
    assert_allclose(clf.cv_results_[0, j].mean(), clf.best_score_)
    plain = PerturbArgmaxClassifier("gumbel", C=clf.C_, tol=1e-7).fit(X, Y)
    assert_allclose(clf.predict_proba(X), plain.predict_proba(X), atol=2e-3)


def test_lots_are_left_out_whole():
    y = Y.copy()
    rows = PerturbArgmaxClassifierCV(["gumbel"], Cs=[1.0]).fit(X, y)
    lots = PerturbArgmaxClassifierCV(["gumbel"], Cs=[1.0]).fit(X, y, groups=LOTS)
    one = PerturbArgmaxClassifier("gumbel").fit(X, y).leave_one_out(X, y, groups=LOTS)
    assert_allclose(-lots.best_score_, one.log_loss().value, rtol=0.01)
    assert lots.best_score_ != rows.best_score_
    folds = PerturbArgmaxClassifierCV(["gumbel"], Cs=[1.0], cv=3).fit(X, y, groups=LOTS)
    splits = list(StratifiedGroupKFold(3).split(X, y, LOTS))
    same = PerturbArgmaxClassifierCV(["gumbel"], Cs=[1.0], cv=splits).fit(X, y)
    assert folds.best_score_ == same.best_score_


def test_another_noise_must_gain_more_than_a_standard_error():
    clf = PerturbArgmaxClassifierCV(Cs=[1.0]).fit(X, Y)
    table = clf.candidates_
    gains = table["gain"][1] > table["gain_std_err"][1]
    assert (clf.noise_ is clf.noises_[1]) == gains
    best = PerturbArgmaxClassifierCV(Cs=[1.0], selection="best").fit(X, Y)
    assert best.noise_ is best.noises_[int(best.scores_[:, 0].argmax())]
    assert list(table["chosen"]).count(True) == 1


def test_a_path_ends_after_two_falls():
    clf = PerturbArgmaxClassifierCV(["gumbel"], Cs=8).fit(
        X, np.random.default_rng(0).permutation(Y)
    )
    known = np.isfinite(clf.scores_[0])
    assert 3 <= known.sum() < 8
    assert not known[known.sum() :].any()
    assert (np.diff(clf.scores_[0][known])[-2:] < 0).all()


def test_what_cannot_be_chosen_is_refused():
    for options, message in (
        ({"noises": "gumbel"}, "must be an array-like"),
        ({"noises": []}, "must be a list"),
        ({"Cs": [0.0, 1.0]}, "positive, finite"),
    ):
        with pytest.raises(ValueError, match=message):
            PerturbArgmaxClassifierCV(**options).fit(X, Y)
    with pytest.raises(ValueError, match="temperatures is empty"):
        PerturbSoftmaxClassifierCV(temperatures=[]).fit(X, Y)
    y = np.where(np.arange(len(Y)) == 5, 9, Y)
    with pytest.raises(ValueError, match="Class 9 is seen in one row only"):
        PerturbArgmaxClassifierCV(["gumbel"]).fit(X, y)
    unfitted = PerturbArgmaxClassifierCV(["gumbel"], Cs=[1.0], refit=False).fit(X, Y)
    assert unfitted.C_ == 1.0
    with pytest.raises(AttributeError, match="refit=False"):
        unfitted.predict(X)


def test_groups_and_weights_are_routed():
    with config_context(enable_metadata_routing=True):
        clf = PerturbArgmaxClassifierCV(["gumbel"], Cs=[1.0])
        clf.set_fit_request(groups=True, sample_weight=True)
        model = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), clf).fit(
            X, Y, groups=LOTS, sample_weight=np.ones(len(Y))
        )
        plain = PerturbArgmaxClassifierCV(["gumbel"], Cs=[1.0])
        plain.fit(StandardScaler().fit_transform(X), Y, groups=LOTS)
        assert_allclose(model[-1].best_score_, plain.best_score_)


def test_a_callback_sees_the_points_and_can_stop():
    pytest.importorskip("sklearn.callback")

    class Recorder:
        names: list = []

        def setup(self, estimator, context):
            self.names = []

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            self.names.append(context.task_name)
            return True

    recorder = Recorder()
    clf = PerturbArgmaxClassifierCV(Cs=3).set_callbacks(recorder).fit(X, Y)
    assert recorder.names[:2] == ["point", "refit"]
    assert np.isfinite(clf.scores_).sum() == 1


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("noises", [["uniform"], ["uniform", "laplace"], ["laplace", "uniform"]])
def test_an_infinite_log_loss_is_said_and_not_chosen(noises, cv):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)[:150, :5]
    y = np.where(np.arange(150) % 10 == 0, 1 - y[:150], y[:150])
    clf = PerturbArgmaxClassifierCV(noises, loss="fenchel_young", Cs=[1e-4, 1.0, 100.0], cv=cv)
    with pytest.warns(UserWarning, match="the probability zero.*neg_brier_score"):
        clf.fit(X, y)
    assert np.isneginf(clf.scores_).any()
    assert np.isfinite(clf.best_score_)
