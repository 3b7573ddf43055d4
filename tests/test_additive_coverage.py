"""Coverage of the intervals of curves, simulated.

Run by ``pytest -m slow tests/test_additive_coverage.py``.

Three shapes (a wave, a bowl and a steep rise), 500 and 5000 rows, two and three classes.
"""

import numpy as np
import pytest

from skperturb.additive import AdditiveClassifier

pytestmark = pytest.mark.slow
SHAPES = (
    lambda x: 2 * np.sin(6 * x),
    lambda x: 8 * (x - 0.5) ** 2,
    lambda x: 3 * np.tanh(8 * (x - 0.5)),
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("n", "repeats"), [(500, 40), (5000, 12)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_pointwise_intervals_cover_across_the_curve(n, repeats, n_classes):
    share = np.array([[0.0, 0, 0], [1, 1, 1], [0.5, -0.5, -0.5]])[:n_classes]
    inside = []
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        X = rng.random((n, len(SHAPES)))
        curves = np.column_stack([shape(x) for shape, x in zip(SHAPES, X.T, strict=True)])
        scores = (curves - curves.mean(axis=0)) @ share.T
        y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
        clf = AdditiveClassifier(jumps=False).fit(X, y)
        table = clf.curves()
        for j, shape in enumerate(SHAPES):
            for k in clf.classes_[n_classes == 2 :]:
                part = table[(table["feature"] == f"x{j}") & (table["class"] == k)]
                factor = share[k, j] - (0 if n_classes == 2 else share[:, j].mean())
                truth = factor * (shape(part["value"].to_numpy(float)) - curves[:, j].mean())
                inside.append(((part["ci_low"] <= truth) & (truth <= part["ci_high"])).mean())
    print(f"\nn = {n}, K = {n_classes}: coverage {np.mean(inside):.3f}")
    assert 0.92 <= np.mean(inside) <= 0.98
