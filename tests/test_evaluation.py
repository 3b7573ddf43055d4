import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, make_moons
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skperturb.evaluation import compare_classifiers, cross_val_predictions
from skperturb.evaluation.stats import corrected_paired_ttest


def test_corrected_ttest_golden_case():
    """scikit-learn's example of statistical comparison: RBF against linear SVC on moons."""
    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    grid = [
        {"kernel": ["linear"]},
        {"kernel": ["poly"], "degree": [2, 3]},
        {"kernel": ["rbf"]},
    ]
    cv = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    search = GridSearchCV(SVC(random_state=0), grid, scoring="roc_auc", cv=cv).fit(X, y)
    results = pd.DataFrame(search.cv_results_).sort_values("rank_test_score")
    scores = results.filter(regex=r"split\d*_test_score").to_numpy()
    test = corrected_paired_ttest(scores[0] - scores[1], test_train_ratio=1 / 9)
    assert_allclose(test.statistic, 0.7503, atol=5e-5)
    assert_allclose(test.p_value, 0.4548, atol=5e-5)
    assert_allclose(test.prob_better, 0.7726, atol=5e-5)
    assert test.prob_equivalent == 0
    rope = corrected_paired_ttest(scores[0] - scores[1], test_train_ratio=1 / 9, rope=0.01)
    worse = 1 - rope.prob_better - rope.prob_equivalent
    assert_allclose(
        [worse, rope.prob_equivalent, rope.prob_better], [0.0683, 0.4317, 0.5], atol=5e-5
    )


def test_corrected_ttest_by_hand_where_rows_are_not_splits():
    """5x2 folds of 30 rows: the factor is 1/10 + 1, neither 1/30 nor 1/10 alone."""
    d = np.array([0.1, 0.3, -0.2, 0.4, 0.1, 0.0, 0.2, 0.3, -0.1, 0.2])
    test = corrected_paired_ttest(d, test_train_ratio=1.0, confidence=0.9)
    se = np.sqrt(1.1 * d.var(ddof=1))
    assert_allclose(test.se, se)
    assert_allclose(test.statistic, d.mean() / se)
    assert test.df == 9
    assert_allclose([test.ci_low, test.ci_high], d.mean() + np.array([-1, 1]) * 1.8331129 * se)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1, (np.inf, 0.0, 1.0)), (0.0, (0.0, 1.0, 0.5)), (-0.1, (-np.inf, 0, 0))],
)
def test_corrected_ttest_of_equal_differences(value, expected):
    test = corrected_paired_ttest([value] * 3, test_train_ratio=0.5)
    assert (test.statistic, test.p_value, test.prob_better) == expected
    assert test.ci_low == test.ci_high == pytest.approx(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(differences=[0.1], test_train_ratio=1.0), "at least two"),
        (dict(differences=[[0.1, 0.2]], test_train_ratio=1.0), "one-dimensional"),
        (dict(differences=[0.1, np.nan], test_train_ratio=1.0), "not finite"),
        (dict(differences=[0.1, 0.2], test_train_ratio=0.0), "test_train_ratio"),
        (dict(differences=[0.1, 0.2], test_train_ratio=1.0, rope=-1.0), "rope"),
        (dict(differences=[0.1, 0.2], test_train_ratio=1.0, confidence=95), "confidence"),
    ],
)
def test_corrected_ttest_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        corrected_paired_ttest(**arguments)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_scores_are_those_of_scikit_learn_on_the_same_folds(load):
    X, y = load(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    result = compare_classifiers(
        {"lr": model, "prior": DummyClassifier()}, X, y, n_splits=3, n_repeats=2, random_state=7
    )
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=7)
    theirs = cross_validate(model, X, y, cv=cv, scoring=["neg_log_loss", "accuracy"])
    ours = result.scores_.loc["lr"]
    assert_allclose(ours["log_loss"], -theirs["test_neg_log_loss"], rtol=1e-10)
    assert_allclose(ours["accuracy"], theirs["test_accuracy"], rtol=1e-12)
    out = result.predictions_["lr"]
    if len(out.classes) == 2:
        rows = out.fold[0] == 0
        expected = brier_score_loss(y[rows], out.proba[0, rows, 1])
        assert_allclose(ours["brier"].iloc[0], expected, rtol=1e-10)
    # Every row has one probability vector per repeat, from the fold in which it was tested.
    assert_allclose(out.proba.sum(axis=2), 1, rtol=1e-10)
    assert_array_equal(np.unique(out.fold), [0, 1, 2])


def test_table_orients_differences_and_probabilities():
    X, y = load_iris(return_X_y=True)
    result = compare_classifiers(
        {"prior": DummyClassifier(), "lr": LogisticRegression(max_iter=1000)}, X, y
    )
    table = result.table_.set_index("metric")
    assert (table["baseline"] == "prior").all()
    assert table.loc["log_loss", "difference"] < 0 < table.loc["accuracy", "difference"]
    assert (table["prob_better"] > 0.99).all()
    assert (table["ci_low"] < table["difference"]).all()
    assert (table["difference"] < table["ci_high"]).all()
    assert_allclose(
        table["candidate_mean"] - table["baseline_mean"], table["difference"], rtol=1e-10
    )
    assert_allclose(result.kpis_.loc["lr", "log_loss"], table.loc["log_loss", "candidate_mean"])


def test_rare_classes_give_finite_numbers():
    """A class of two rows is in every training set, if not in every test set."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.array(["a"] * 20 + ["b"] * 18 + ["c"] * 2)
    result = compare_classifiers(
        {"lr": LogisticRegression(), "prior": DummyClassifier()}, X, y, n_splits=5, n_repeats=2
    )
    assert np.isfinite(result.scores_.to_numpy()).all()
    assert np.isfinite(result.table_.select_dtypes("number").to_numpy()).all()
    assert result.predictions_["lr"].messages == []


@pytest.mark.parametrize(
    "container", [np.asarray, pd.DataFrame, sparse.csr_array, np.ndarray.tolist]
)
def test_containers(container):
    X, y = load_iris(return_X_y=True)
    plain = cross_val_predictions(LogisticRegression(max_iter=1000), X, y, n_repeats=1)
    other = cross_val_predictions(LogisticRegression(max_iter=1000), container(X), y, n_repeats=1)
    assert_allclose(other.proba, plain.proba, atol=1e-3)


def test_every_fit_has_a_seed_of_its_own_and_runs_repeat():
    seeds = []

    class Spy(RandomForestClassifier):
        def fit(self, X, y):
            seeds.append(self.random_state)
            return super().fit(X, y)

    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), Spy(n_estimators=2))
    first = cross_val_predictions(model, X, y, n_repeats=2)
    assert len(set(seeds)) == 4
    again = cross_val_predictions(model, X, y, n_repeats=2)
    assert_array_equal(first.proba, again.proba)
    assert model[-1].random_state is None


def test_progress_is_told_of_every_fit():
    X, y = load_iris(return_X_y=True)
    told = []
    compare_classifiers(
        {"a": DummyClassifier(), "b": DummyClassifier()},
        X,
        y,
        n_repeats=1,
        progress=lambda *news: told.append(news),
    )
    assert told == [("a", 1, 2), ("a", 2, 2), ("b", 1, 2), ("b", 2, 2)]


def test_warnings_of_fits_are_kept():
    X, y = load_iris(return_X_y=True)
    out = cross_val_predictions(LogisticRegression(max_iter=1), X, y, n_repeats=1)
    assert len(out.messages) == 2
    assert "ConvergenceWarning" in out.messages[0]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (["a"] * 5 + ["b"], {}, "'?b'? has one row"),
        (["a", "a", "b", "b"], {"n_splits": 3}, "use fewer folds"),
    ],
)
def test_cross_validation_refuses(y, options, message):
    with pytest.raises(ValueError, match=message):
        cross_val_predictions(DummyClassifier(), np.zeros((len(y), 1)), y, **options)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_folds_are_shared_whatever_the_source_of_randomness(random_state):
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000)
    result = compare_classifiers({"a": model, "b": model}, X, y, random_state=random_state)
    assert (result.table_["difference"] == 0).all()


def test_lengths_and_counts_are_checked():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="inconsistent"):
        cross_val_predictions(DummyClassifier(), X, y[:100])
    with pytest.raises(ValueError, match="n_repeats"):
        cross_val_predictions(DummyClassifier(), X, y, n_repeats=0)


def test_comparison_refuses():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="at least two"):
        compare_classifiers({"a": DummyClassifier()}, X, y)
    with pytest.raises(ValueError, match="baseline='c' is not one of"):
        compare_classifiers({"a": DummyClassifier(), "b": DummyClassifier()}, X, y, baseline="c")
