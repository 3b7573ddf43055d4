"""How often the comparison finds a difference where there is none: simulated, minutes.

Two learners of exactly equal expected loss: the same method on two sets of features that have the
same distribution and the same say in the class.
"""

import numpy as np
import pytest
from scipy import stats
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skperturb import PerturbArgmaxClassifier
from skperturb.evaluation import compare_classifiers

from ._data import equal_learners_parts

pytestmark = pytest.mark.slow
WIDTH = 3  # features of a learner
LEVEL, MOST_CALLS = 0.05, 0.07  # nominal size of the test, and the size that is allowed


def on(learner, which):
    columns = list(range(which * WIDTH, (which + 1) * WIDTH))
    return make_pipeline(make_column_transformer(("passthrough", columns)), learner)


def p_values(learner, n_simulations, metric="cost", lots=None, groups=None, n_sets=2, **options):
    """Of the comparison, adjusted by Holm, and of the plain paired t test."""
    ours, naive = [], []
    for seed in range(n_simulations):
        X, y = equal_learners_parts(np.random.default_rng(seed), n_sets=n_sets, lots=lots)
        result = compare_classifiers(
            {str(k): on(learner, k) for k in range(n_sets)},
            X,
            y,
            groups=groups,
            random_state=seed,
            **options,
        )
        table = result.table.query("metric == @metric")
        ours.append(table["p_holm"].min())
        scores = result.scores[metric].unstack("estimator")
        naive.append(stats.ttest_rel(scores["0"], scores["1"]).pvalue)
    return np.array(ours), np.array(naive)


@pytest.mark.parametrize("metric", ["cost", "log_loss"])
@pytest.mark.parametrize(
    ("learner", "n_simulations"),
    [
        (LinearDiscriminantAnalysis(), 300),
        (DecisionTreeClassifier(min_samples_leaf=3), 300),
        (PerturbArgmaxClassifier(tol=1e-3), 200),
    ],
    ids=["lda", "tree", "perturb_argmax"],
)
def test_size(learner, n_simulations, metric):
    """At most 7 % at nominal 5 %, where the plain t test calls more than 20 %."""
    ours, naive = p_values(learner, n_simulations, metric, n_splits=10, n_repeats=2)
    print(f"{metric}: corrected {np.mean(ours < LEVEL):.3f}, plain {np.mean(naive < LEVEL):.3f}")
    assert np.mean(ours < LEVEL) <= MOST_CALLS
    more, plain = p_values(learner, 60, metric, n_splits=10, n_repeats=10)
    print(f"10x10: corrected {np.mean(more < LEVEL):.3f}, plain {np.mean(plain < LEVEL):.3f}")
    assert np.mean(more < LEVEL) <= MOST_CALLS
    assert np.mean(plain < LEVEL) > 0.2


def test_a_model_against_itself():
    """Trees that differ in their luck only: the same columns in another order."""
    calls = []
    for seed in range(200):
        X, y = equal_learners_parts(np.random.default_rng(seed))
        tree = DecisionTreeClassifier(max_features=2, min_samples_leaf=3)
        turned = make_column_transformer(("passthrough", list(range(2 * WIDTH))[::-1]))
        models = {"a": tree, "b": make_pipeline(turned, tree)}
        result = compare_classifiers(models, X, y, n_splits=10, n_repeats=2, random_state=seed)
        cost = result.table.query("metric == 'cost'").iloc[0]
        assert cost["se"] > 0
        calls.append(cost["p_holm"] < LEVEL)
    print(f"A/A {np.mean(calls):.3f}")
    assert np.mean(calls) <= LEVEL


def test_lots():
    lots = np.arange(150) // 6
    ours, _ = p_values(
        LinearDiscriminantAnalysis(), 300, lots=lots, groups=lots, n_splits=5, n_repeats=4
    )
    print(f"lots, groups {np.mean(ours < LEVEL):.3f}")
    assert np.mean(ours < LEVEL) <= MOST_CALLS


def test_several_baselines():
    """One candidate against three: at most 5 % for any false call at all."""
    ours, _ = p_values(LinearDiscriminantAnalysis(), 200, n_sets=4, n_splits=10, n_repeats=2)
    print(f"Holm, any of three {np.mean(ours < LEVEL):.3f}")
    assert np.mean(ours < LEVEL) <= LEVEL
