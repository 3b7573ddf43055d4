"""Fit time beside scikit-learn's LogisticRegression on the same data, as ratios of medians.

python benchmarks/fit_time.py
"""

import time
import warnings

import numpy as np
from sklearn.datasets import load_digits, load_wine, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

REPEATS = 5
MODELS = {
    "LogisticRegression": LogisticRegression(),
    "argmax gumbel": PerturbArgmaxClassifier("gumbel"),
    "argmax gaussian": PerturbArgmaxClassifier("gaussian"),
    "argmax logistic": PerturbArgmaxClassifier("logistic"),
    "softmax gaussian": PerturbSoftmaxClassifier("gaussian"),
}


def data_sets():
    yield "wine 178 x 13, K=3", load_wine(return_X_y=True)
    yield "digits 1797 x 64, K=10", load_digits(return_X_y=True)
    yield (
        "synthetic 20000 x 30, K=7",
        make_classification(20_000, 30, n_informative=15, n_classes=7, random_state=0),
    )


def main():
    warnings.simplefilter("ignore")
    print(f"{'data':27}{'model':20}{'seconds':>9}{'ratio':>8}{'iterations':>12}")
    for name, (X, y) in data_sets():
        X = StandardScaler().fit_transform(X)
        seconds = {model: [] for model in MODELS}
        for _ in range(REPEATS):  # in turn, so that a slow spell of the machine hits all
            for model, estimator in MODELS.items():
                start = time.perf_counter()
                estimator.fit(X, y)
                seconds[model].append(time.perf_counter() - start)
        medians = {model: np.median(times) for model, times in seconds.items()}
        for model, median in medians.items():
            ratio = median / medians["LogisticRegression"]
            n_iter = int(np.max(MODELS[model].n_iter_))
            print(f"{name:27}{model:20}{median:9.3f}{ratio:8.1f}{n_iter:12d}")


if __name__ == "__main__":
    main()
