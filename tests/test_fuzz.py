"""Any call fits, with finite and normalised probabilities, or says in words why it does not."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

NOISES = ["gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "exponential", "uniform"]
HEAVY = ["student_t", "cauchy"]  # integrated row by row: not too often
AWKWARD = [0.0, 1e-300, 1e-8, 1e8, 1e20, 1e150, -1e308]

sizes = st.one_of(st.just(1.0), st.floats(1e-6, 1e6), st.sampled_from([1e-30, 1e30]))
parameters = st.fixed_dictionaries(
    {
        "noise": st.sampled_from(3 * NOISES + HEAVY),
        "noise_scale": sizes,
        "constraint": st.sampled_from(["sum_to_zero", "reference", None]),
        "loss": st.sampled_from(["log_loss", "log_loss", "fenchel_young"]),
        "C": st.one_of(sizes, st.sampled_from([np.inf, 1e-300, 1e300])),
        "fit_intercept": st.booleans(),
        "class_weight": st.sampled_from([None, None, "balanced"]),
        "solver": st.sampled_from(["auto", "newton", "lbfgs"]),
        "tol": st.sampled_from([1e-4, 1e-1, 1e-9, 1e3]),
        "max_iter": st.sampled_from([1, 5, 40]),
        "warm_start": st.booleans(),
    }
)
impossible = st.sampled_from(
    [
        {"noise_scale": 0.0},
        {"noise_scale": np.inf},
        {"noise": "normal"},
        {"noise": 3},
        {"C": 0.0},
        {"C": np.nan},
        {"max_iter": 0},
        {"reference_class": 0},
        {"constraint": "reference", "reference_class": "nobody"},
        {"class_weight": {0: 0.0, 1: 1.0}},
        {"class_weight": {"nobody": 2.0}},
        {"tol": -1.0},
    ]
)


def seldom(draw, strategy, otherwise):
    """One time in eight."""
    return draw(strategy) if draw(st.integers(0, 7)) == 7 else otherwise


@st.composite
def calls(draw):
    n, p, n_classes = draw(st.integers(2, 14)), draw(st.integers(1, 5)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, p)) * draw(st.sampled_from([1.0, 1.0, 1e-3, 1e3]))
    if draw(st.booleans()):
        X = np.round(X)
    if draw(st.booleans()):
        X[:, 0] = 3.0
    X[0, 0] = seldom(draw, st.sampled_from([*AWKWARD, np.nan, np.inf]), X[0, 0])
    with np.errstate(over="ignore"):
        X = X.astype(draw(st.sampled_from([np.float64, np.float64, np.float32])))
    X = draw(st.sampled_from([np.asarray, np.asfortranarray, pd.DataFrame, sparse.csr_array]))(X)
    X = seldom(draw, st.sampled_from([X[:0], X[:1], np.ones(n), [["a"]] * n]), X)

    y = rng.integers(0, n_classes, n)
    y[:2] = seldom(draw, st.just([0, 0]), [0, 1])
    labels = st.sampled_from([[0, 1, 2, 3], list("abcd"), [-1.0, 0.0, 1.0, 2.0], [0.5, 1, 2, 3]])
    y = np.array(draw(labels))[y]
    weight = draw(st.sampled_from([None, None, np.ones(n), rng.integers(0, 3, n), rng.random(n)]))
    odd = [np.zeros(n), -np.ones(n), np.full(n, 1e200), np.full(n, 1e-200), np.ones(n + 1)]
    weight = seldom(draw, st.sampled_from(odd), weight)

    options = draw(parameters) | seldom(draw, impossible, {})
    if draw(st.booleans()):
        return PerturbArgmaxClassifier(**options), X, y, weight
    temperature = seldom(draw, st.sampled_from([0.0, np.nan, -1.0]), draw(sizes))
    return PerturbSoftmaxClassifier(temperature=temperature, **options), X, y, weight


@pytest.fixture
def count_fits():
    """A list that the calls which fit join: more than sixty of the 250 must be possible."""
    fits = []
    yield fits
    assert len(fits) > 60


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,  # one list for all calls is what is wanted
    ],
)
@given(calls())
def test_every_call_fits_or_says_why_not(count_fits, call):
    clf, X, y, weight = call
    note(f"{clf!r}, X={X!r}, y={y!r}, weight={weight!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings(
            "ignore", "All rows of (the )?class|No row is of the ref", UserWarning
        )
        try:
            clf.fit(X, y, weight)
            proba = clf.predict_proba(X)
            log_proba = clf.predict_log_proba(X)
        except (ValueError, TypeError) as error:
            sentence = str(error)
        else:
            sentence = None
    if sentence is not None:
        assert len(sentence) > 20
        return
    count_fits.append(clf)
    assert np.isfinite(clf.coef_).all()
    assert np.isfinite(clf.intercept_).all()
    assert np.isfinite(clf.loss_)
    assert np.isfinite(proba).all()
    assert proba.min() >= 0
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-9)
    assert not np.isnan(log_proba).any()
    assert set(clf.predict(X)) <= set(y)
