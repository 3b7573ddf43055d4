"""Tests of ``skperturb.torch``: ``bash .ci/torch`` runs them in an environment with the extra.

They run on the CPU, the tables of other devices too, which are plain operations of PyTorch there,
and the fused kernel in Triton's interpreter. Where there is a GPU, the fused kernel and
``test_gpu.py`` run on it.
"""

import os

import numpy as np
import pytest
import torch

from skperturb import PerturbArgmax, PerturbSoftmax
from skperturb.noise import GumbelMin, StudentT, from_scipy

HAS_GPU = torch.cuda.is_available()
if not HAS_GPU:
    os.environ["TRITON_INTERPRET"] = "1"  # before skperturb.torch, which imports triton

# PyTorch's compiler warns of its own parts.
OF_THE_COMPILER = "ignore::DeprecationWarning"

MODELS = [
    PerturbArgmax("gaussian", 1.3),
    PerturbArgmax("gumbel", 0.7),
    PerturbArgmax(GumbelMin()),
    PerturbArgmax("logistic"),
    PerturbArgmax("laplace", 1.3),
    PerturbArgmax("exponential"),
    PerturbArgmax("uniform", 4.0),
    PerturbArgmax("student_t"),
    PerturbArgmax(StudentT(1.5), 0.8),
    PerturbArgmax("cauchy", 0.5),
    PerturbSoftmax("gaussian", temperature=0.5),
    PerturbSoftmax("cauchy"),
    PerturbSoftmax("uniform", temperature=0.3),
]


def scipy_model():
    from scipy import stats

    return PerturbArgmax(from_scipy(stats.hypsecant()))


@pytest.fixture(params=MODELS, ids=repr)
def model(request):
    return request.param


def rows(model, n_classes, n=24, spread=2.0, deep=False, seed=0):
    """Scores (n, K), classes drawn from the model (or from all, if deep), and a vector a row."""
    rng = np.random.default_rng(seed)
    scores = spread * rng.normal(size=(n, n_classes))
    y = rng.integers(n_classes, size=n)
    if not deep:
        noise = model.noise.rvs(scores.shape, np.random.RandomState(seed))
        if isinstance(model, PerturbSoftmax):
            noise = noise + model.temperature * rng.gumbel(size=scores.shape)
        y = (scores + noise).argmax(axis=1)
    return scores, y, rng.normal(size=scores.shape)


def tensors(*arrays, dtype=torch.float64):
    return [
        torch.tensor(array, dtype=dtype if array.dtype.kind == "f" else None) for array in arrays
    ]
