"""What holds on average only: coverage of intervals, robustness against wrong labels."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from skperturb import PerturbArgmaxClassifier
from skperturb.noise import StudentT, as_noise


def long_servedio(n, rng):
    """The construction of Long and Servedio (2010), section 4: 21 features of -1 and 1.

    A quarter of the rows agree with their class in all features, a quarter in the first 11 only,
    and half in 5 of the first 11 and 6 of the last 10, drawn at random. A linear rule has no error.
    """
    y = rng.choice([-1, 1], n)
    kind = rng.choice(["large margin", "puller", "penalizer"], n, p=[0.25, 0.25, 0.5])
    agrees = np.ones((n, 21), dtype=bool)
    agrees[kind == "puller", 11:] = False
    for row in np.flatnonzero(kind == "penalizer"):
        agrees[row, rng.permutation(11)[:6]] = False
        agrees[row, 11 + rng.permutation(10)[:4]] = False
    return y[:, None] * np.where(agrees, 1, -1), y


def test_heavy_tails_resist_wrong_labels():
    """10 % of the labels are flipped; the error is on parts with the right ones."""
    errors = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, y = long_servedio(1000, rng)
        X_test, y_test = long_servedio(5000, rng)
        flipped = np.where(rng.random(1000) < 0.1, -y, y)
        models = LogisticRegression(), PerturbArgmaxClassifier(StudentT(2))
        errors.append([1 - model.fit(X, flipped).score(X_test, y_test) for model in models])
    logistic, robust = np.transpose(errors)
    assert logistic.mean() > 0.2
    assert robust.max() <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["gaussian", StudentT(4), "gumbel"], ids=str)
def test_intervals_cover_the_truth(noise):
    """1000 fits of n = 500, K = 3 to data drawn from the model itself."""
    rng = np.random.default_rng(0)
    law = as_noise(noise)
    truth = np.array([[0.5, -0.5, 0.2], [-0.3, 0.8, 0.1], [-0.2, -0.3, -0.3]])  # intercept last
    truth = truth[1:] - truth[0]  # against the first class
    covered = []
    for _ in range(1000):
        X = rng.normal(size=(500, 2))
        scores = np.column_stack([np.zeros(500), X @ truth[:, :2].T + truth[:, 2]])
        gamma = law.rvs(scores.shape, np.random.RandomState(rng.integers(2**31)))
        y = (scores + gamma).argmax(axis=1)
        clf = PerturbArgmaxClassifier(noise, C=np.inf, constraint="reference").fit(X, y)
        table = clf.summary()
        values = truth[:, [2, 0, 1]].ravel()
        covered.append((table["ci_low"] <= values) & (values <= table["ci_high"]))
    rate = np.mean(covered, axis=0)
    assert 0.935 <= rate.mean() <= 0.965
    # Each coefficient by itself: five standard errors of a rate of .95.
    assert np.all(np.abs(rate - 0.95) < 5 * stats.bernoulli.std(0.95) / np.sqrt(1000))
