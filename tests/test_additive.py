"""The additive classifier: what it must find, keep and refuse."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from skperturb import PerturbArgmaxClassifier
from skperturb.additive import AdditiveClassifier, _search
from skperturb.additive._pairs import climb
from skperturb.evaluation import suspect_labels

from .conftest import IDENTITY

# Raw, separable data of a few rows: a user should be told so.
FEW = {"n_knots": 4, "Cs": [0.1, 10.0]}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:All rows of class:UserWarning")
@parametrize_with_checks(
    [
        AdditiveClassifier(n_knots=4, Cs=3),
        AdditiveClassifier(
            "gaussian", model="softmax", interactions=1, jumps=False, n_knots=4, Cs=[1.0]
        ),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def two_classes(n, score, seed=0, n_features=2):
    rng = np.random.default_rng(seed)
    X = rng.random((n, n_features))
    return X, (score(X) + rng.logistic(size=n) > 0).astype(int)


def test_a_planted_jump_is_found():
    X, y = two_classes(800, lambda X: np.where(X[:, 0] > 0.37, 2.5, -2.5))
    clf = AdditiveClassifier(n_knots=5).fit(X, y)
    ((feature, cut),) = clf.jumps_
    assert feature == 0
    near = np.sort(np.abs(X[:, 0] - 0.37))
    assert abs(cut - 0.37) <= near[10]


def test_a_smooth_curve_does_not_jump():
    X, y = two_classes(600, lambda X: 3 * np.sin(5 * X[:, 0]))
    assert AdditiveClassifier(n_knots=8).fit(X, y).jumps_ == []


def test_a_line_replaces_curves_where_it_is_surely_better():
    # Of a dozen features most mean nothing, and the curves have some hundred parameters.
    X, y = two_classes(150, lambda X: 8 * (X[:, 0] - X[:, 1]), n_features=12)
    auto = AdditiveClassifier(jumps=False, Cs=[10.0]).fit(X, y)
    assert auto.n_knots_ == 2
    slopes = np.diff(auto.decision_function(np.linspace(0.1, 0.9, 9)[:, None] * np.ones(12)))
    assert_allclose(slopes, slopes[0], atol=1e-9)


def test_a_line_that_may_be_better_by_chance_does_not_replace_curves():
    X, y = two_classes(400, lambda X: 6 * (X[:, 0] - X[:, 1]))
    clf = AdditiveClassifier(jumps=False, Cs=5).fit(X, y)
    assert clf.candidates_["n_knots"].unique().tolist() == [2, 5, 10]
    assert clf.candidates_["log_loss"].idxmin() == 0
    assert clf.n_knots_ == 5


def test_features_of_few_values_become_steps_where_that_gains():
    X, y = two_classes(700, lambda X: np.where(np.floor(X[:, 0] * 24) % 3 == 0, 3.0, -3.0))
    X[:, 0] = np.floor(X[:, 0] * 24)
    auto = AdditiveClassifier(jumps=False, Cs=5).fit(X, y)
    assert auto.pipeline_[0].n_steps == 40
    assert auto.candidates_["n_steps"].tolist()[:4] == [2, 5, 10, 40]
    assert auto.candidates_["log_loss"].iloc[3] < auto.candidates_["log_loss"].iloc[:3].min() - 0.1
    steps = [name for name in auto.pipeline_[0].get_feature_names_out() if ">" in name]
    assert len(steps) == 23
    assert AdditiveClassifier(n_knots=5, Cs=3).fit(X, y).pipeline_[0].n_steps is None


def test_where_curves_have_too_many_parameters_there_are_lines(monkeypatch):
    X, y = two_classes(200, lambda X: 3 * np.sin(5 * X[:, 0]))
    assert AdditiveClassifier(jumps=False, Cs=3).fit(X, y).n_knots_ > 2
    monkeypatch.setattr(_search, "_USUAL_PARAMETERS", 5)
    with pytest.warns(UserWarning, match="straight lines are fitted: ask for curves with"):
        assert AdditiveClassifier(jumps=False, Cs=3).fit(X, y).n_knots_ == 2
    assert AdditiveClassifier(n_knots=5, jumps=False, Cs=3).fit(X, y).n_knots_ == 5


@pytest.mark.parametrize("best", [0, 7, 10, 18])
@pytest.mark.parametrize("start", [1, 8, 17])
def test_two_strides_lead_to_the_top(best, start):
    def value(j):
        return -((j - best) ** 2)

    assert climb(value, climb(value, start, 19, 2), 19) == best


@pytest.mark.parametrize("sign", [1, -1])
def test_a_monotone_curve_is_monotone(sign):
    X, y = two_classes(500, lambda X: sign * 4 * np.sin(8 * X[:, 0]))
    clf = AdditiveClassifier(monotone={0: sign}, jumps=False).fit(X, y)
    assert (np.diff(sign * score_along(AdditiveClassifier(jumps=False).fit(X, y))) < -1e-3).any()
    assert np.diff(sign * score_along(clf)).min() >= -1e-9
    assert clf.curves()["ci_low"].isna().all()


def score_along(clf):
    x = np.linspace(-0.5, 1.5, 2001)
    return clf.decision_function(np.column_stack([x, np.full(len(x), 0.5)]))


def test_monotone_curves_are_the_best_of_their_kind():
    X, y = two_classes(300, lambda X: 2 * X[:, 0])
    free = AdditiveClassifier(n_knots=4, jumps=False, Cs=[0.1]).fit(X, y)
    held = AdditiveClassifier(n_knots=4, jumps=False, Cs=[0.1], monotone={0: 1}).fit(X, y)
    # The constraint does not bind: both are the same minimum.
    assert np.diff(score_along(free)).min() >= 0
    assert_allclose(score_along(held), score_along(free), atol=2e-3)


@pytest.mark.parametrize(
    ("monotone", "classes", "words"),
    [
        ({0: 1}, 3, "two classes"),
        ({0: 2}, 2, "must map features"),
        ({"no such": 1}, 2, "name features"),
    ],
)
def test_monotone_that_cannot_be_kept_is_refused(monotone, classes, words):
    X = np.random.default_rng(0).random((60, 2))
    y = np.arange(60) % classes
    with pytest.raises(ValueError, match=words):
        AdditiveClassifier(monotone=monotone, jumps=False, **FEW).fit(X, y)


def test_a_pair_is_found():
    X, y = two_classes(
        600, lambda X: 16 * (X[:, 0] - 0.5) * (X[:, 1] - 0.5) + 0 * X[:, 2], n_features=4
    )
    clf = AdditiveClassifier(interactions=1, n_knots=4, jumps=False, Cs=3).fit(X, y)
    assert clf.pairs_ == [(0, 1)]
    assert clf.candidates_["log_loss"].iloc[-1] < clf.candidates_["log_loss"].iloc[0] - 0.05


def test_contributions_sum_to_the_scores():
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"a": rng.normal(size=150), "b": rng.choice(["u", "v", None], 150)})
    X.loc[::7, "a"] = np.nan
    y = rng.choice(["x", "y", "z"], 150)
    clf = AdditiveClassifier(jumps=False, **FEW).fit(X, y)
    sums = clf.contributions(X).T.groupby(level="class").sum().T
    assert_allclose(sums, clf.decision_function(X), atol=IDENTITY)
    curves = clf.curves()
    assert (curves["simultaneous_high"] >= curves["ci_high"]).all()
    assert set(curves["class"]) == {"x", "y", "z"}
    alone = clf.pipeline_[0].transform(X)
    assert_allclose(clf.pipeline_[1].predict_proba(alone), clf.predict_proba(X))
    figure = clf.plot_curves()
    assert [axis.get_title() for axis in figure.axes[:2]] == [
        ["a", "b"][j] for j in np.argsort(-clf.importances_)
    ]


def test_lots_are_left_out_whole():
    X, y = two_classes(120, lambda X: 3 * X[:, 0])
    lots = np.arange(120) // 4
    one = AdditiveClassifier(jumps=False, **FEW).fit(X, y)
    two = AdditiveClassifier(jumps=False, **FEW).fit(X, y, groups=lots)
    assert one.candidates_["log_loss"][0] != two.candidates_["log_loss"][0]
    with pytest.raises(ValueError, match="groups"):
        AdditiveClassifier(**FEW).fit(X, y, groups=lots[:5])


def test_a_class_of_one_row_is_fitted_and_named():
    X, y = two_classes(80, lambda X: 3 * X[:, 0])
    labels = np.array(["bad", "good"])[y]
    labels[3] = "odd"
    with pytest.warns(UserWarning, match="Class 'odd' is seen in one row only"):
        clf = AdditiveClassifier(jumps=False, **FEW).fit(X, labels)
    assert clf.classes_.tolist() == ["bad", "good", "odd"]
    assert clf.predict_proba(X).shape == (80, 3)


def turning(rng, n=240):
    """Parts that fail on both sides of the best value of a feature, a tenth of the labels wrong."""
    X = rng.normal(size=(n, 3))
    fails = 5 * (np.abs(X[:, 0]) - 0.7) + X[:, 1] + rng.logistic(size=n) > 0
    wrong = np.zeros(n, dtype=bool)
    wrong[rng.choice(n, n // 10, replace=False)] = True
    return X, np.where(fails ^ wrong, "NG", "OK"), wrong


def test_labels_that_contradict_a_curve_are_doubted():
    X, y, wrong = turning(np.random.default_rng(0))
    found = {}
    for model in (PerturbArgmaxClassifier("gumbel"), AdditiveClassifier()):
        suspects = suspect_labels(model, X, y)
        found[type(model)] = wrong[suspects["row"][: wrong.sum()]].mean()
        assert suspects["change"].notna().all()  # not by folds
    assert found[AdditiveClassifier] > 0.6
    assert found[PerturbArgmaxClassifier] < 0.4


def test_doubts_of_lots_and_weights():
    rng = np.random.default_rng(1)
    X, y, _ = turning(rng, 120)
    weight, lots = rng.uniform(0.5, 2, len(y)), np.arange(len(y)) // 4
    clf = AdditiveClassifier(n_knots=5).fit(X, y, sample_weight=weight, groups=lots)
    doubts = clf.label_doubts(X, y, weight, groups=lots)
    inner = clf.pipeline_[-1].label_doubts(clf.pipeline_[0].transform(X), y, weight, groups=lots)
    pd.testing.assert_frame_equal(doubts, inner)
    same = suspect_labels(AdditiveClassifier(n_knots=5), X, y, sample_weight=weight, groups=lots)
    assert_allclose(same["proba_of_label"], doubts["proba_of_label"])
    with pytest.raises(ValueError, match="not those of the fit"):
        clf.label_doubts(X, y, groups=lots)


GRID = {"monotone": [{1: -1}]}


def test_monotone_curves_are_asked_by_folds():
    X, y, _ = turning(np.random.default_rng(2), 120)
    monotone = AdditiveClassifier(n_knots=4, Cs=[1.0], jumps=False, monotone={1: -1})
    assert not hasattr(monotone.fit(X, y), "label_doubts")
    search = GridSearchCV(AdditiveClassifier(n_knots=4, Cs=[1.0], jumps=False), GRID, cv=2)
    for model in (monotone, search):
        suspects = suspect_labels(model, X, y)
        assert suspects["change"].isna().all()
