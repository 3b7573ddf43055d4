import json
import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: threads of BLAS that wait for each other would take a third more.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import pytest

from skperturb import cache
from skperturb.noise import StudentT, as_noise

DATA = Path(os.environ.get("SKPERTURB_DATA", Path(__file__).parents[2] / "shared" / "data"))

# Tolerances by what limits the agreement.
IDENTITY = 1e-12
FINITE_DIFFERENCES = 5e-6
OPTIMUM = 1e-5


@pytest.fixture(autouse=True)
def same_cache_limit():
    """What a test, or the code of a page, does to the cache's limit ends with it."""
    limit = cache.limit
    yield
    cache.limit = limit


def data_file(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set SKPERTURB_DATA to the folder with the data sets")
    return path


def reference_cases(model, *noises):
    """Probabilities by 30-digit quadrature: (law, temperature, scores, p).

    The file says how each was computed; softmax is accurate to about 1e-13.
    """
    path = Path(__file__).with_name("reference_probabilities.json")
    cases = json.loads(path.read_text())["cases"]
    chosen = [c for c in cases if c["model"] == model and c["noise"] in noises]
    assert {c["noise"] for c in chosen} == set(noises)
    return [
        (
            StudentT(c["df"]) if "df" in c else as_noise(c["noise"]),
            c.get("temperature"),
            np.array([c["scores"]]),
            np.array(c["p"], dtype=float),
        )
        for c in chosen
    ]


def five_point(function, x, step):
    """Gradient of a scalar function of an array, by five-point differences."""
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step
        near = function(x + shift) - function(x - shift)
        far = function(x + 2 * shift) - function(x - 2 * shift)
        gradient[index] = (8 * near - far) / (12 * step)
    return gradient
