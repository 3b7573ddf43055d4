"""How often the intervals of inference cover the truth: lots, weights, probabilities, profiles.

Run by ``pytest -m slow -s tests/test_coverage.py``; each test prints its shares.
"""

import numpy as np
import pytest
from scipy import stats

from skperturb import PerturbArgmaxClassifier
from skperturb.noise import StudentT, as_noise


def covers(low, truth, high):
    return (low <= truth) & (truth <= high)


@pytest.mark.slow
def test_intervals_of_lots_cover():
    """A feature of the lot, 30 lots of 20 parts whose noise is correlated within lots.

    score + noise > 0 with standard Gaussian noise: a probit for each part, whatever the
    correlation. Coefficients of Gaussian Perturb-Argmax are sqrt(2) times those of a probit.
    """
    rng = np.random.default_rng(0)
    lots, shared, truth = np.repeat(np.arange(30), 20), 0.3, 0.5
    covered = {"cluster": [], "observed": [], "robust": []}
    for _ in range(2000):
        x = rng.normal(size=30)[lots]
        noise = np.sqrt(shared) * rng.normal(size=30)[lots]
        noise += np.sqrt(1 - shared) * rng.normal(size=600)
        clf = PerturbArgmaxClassifier(C=np.inf).fit(x[:, None], 0.3 + truth * x + noise > 0)
        for cov in covered:
            table = clf.summary(cov=cov, groups=lots if cov == "cluster" else None)
            row = table.set_index("feature").loc["x0"]
            covered[cov].append(covers(row["ci_low"], truth * 2**0.5, row["ci_high"]))
    shares = {cov: np.mean(values) for cov, values in covered.items()}
    print("\nlots:", shares)
    assert 0.91 <= shares["cluster"] <= 0.97
    assert shares["observed"] < 0.8


@pytest.mark.slow
def test_intervals_of_sampling_weights_cover():
    """Balanced classes at 5 % defects: the slope of a logit does not depend on class weights."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        x = rng.normal(size=1000)
        y = rng.random(1000) < 1 / (1 + np.exp(3.4 - 0.8 * x))
        clf = PerturbArgmaxClassifier("gumbel", C=np.inf, class_weight="balanced")
        row = clf.fit(x[:, None], y).summary().set_index("feature").loc["x0"]
        covered.append(covers(row["ci_low"], 0.8, row["ci_high"]))
    print("\nbalanced:", np.mean(covered))
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["gaussian", StudentT(4), "cauchy"], ids=str)
def test_intervals_of_probabilities_and_profiles_cover(noise):
    """300 rows of three classes, drawn from the model itself."""
    rng = np.random.default_rng(0)
    law = as_noise(noise)
    truth = np.array(
        [[-0.8, 1.3, -0.1], [0.3, 0.2, -0.5]]
    )  # intercept last, against the first class
    grid = np.array([[0.0, 0.0], [1.0, -0.5], [-1.0, 1.0], [0.5, 1.5]])
    scores = np.column_stack([np.zeros(4), grid @ truth[:, :2].T + truth[:, 2]])
    probabilities, profiles, wald = [], [], []
    for _ in range(1000):
        X = rng.normal(size=(300, 2))
        of_rows = np.column_stack([np.zeros(300), X @ truth[:, :2].T + truth[:, 2]])
        gamma = law.rvs(of_rows.shape, np.random.RandomState(rng.integers(2**31)))
        clf = PerturbArgmaxClassifier(noise, C=np.inf, constraint="reference")
        clf.fit(X, (of_rows + gamma).argmax(axis=1))
        low, high = clf.predict_proba_interval(grid)
        probabilities.append(covers(low, clf.model_.proba(scores), high))
        table = clf.summary()
        wald.append(covers(table["ci_low"], truth[:, [2, 0, 1]].ravel(), table["ci_high"]))
        ends = [clf.profile_interval(1, f"x{j}") for j in (0, 1)]
        profiles.append(
            [covers(e.ci_low, t, e.ci_high) for e, t in zip(ends, truth[0, :2], strict=True)]
        )
    rates = [np.mean(rates, axis=0) for rates in (probabilities, profiles, wald)]
    print(
        f"\n{noise}: probabilities {rates[0].round(3).tolist()}, profiles {rates[1].round(3)}, "
        f"Wald {rates[2].round(3)}"
    )
    for rate in rates[:2]:
        assert 0.925 <= rate.mean() <= 0.97
        # Each by itself: the bar, and five standard errors of a rate of 0.95.
        assert np.all(np.abs(rate - 0.95) < 5 * stats.bernoulli.std(0.95) / np.sqrt(1000))
