"""Any call fits, with finite and normalised probabilities, or says in words why it does not."""

import warnings

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier

NOISES = ["gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "exponential", "uniform"]
HEAVY = ["student_t", "cauchy"]
AWKWARD = [0.0, 1.0, -1.0, 1e-300, 1e-8, 1e8, 1e150, 1e300, -1e308]

sizes = st.floats(1e-6, 1e6)
parameters = st.fixed_dictionaries(
    {
        # Few rows of the noise that is integrated row by row.
        "noise": st.sampled_from(3 * NOISES + HEAVY),
        "noise_scale": st.one_of(st.just(1.0), sizes, st.sampled_from([0.0, -1.0, np.inf])),
        "constraint": st.sampled_from(["sum_to_zero", "reference", None]),
        "reference_class": st.sampled_from([None, None, None, 0, "a", "nobody"]),
        "loss": st.sampled_from(["log_loss", "log_loss", "fenchel_young"]),
        "C": st.one_of(st.just(1.0), sizes, st.sampled_from([np.inf, 1e-300, 1e300, 0.0])),
        "fit_intercept": st.booleans(),
        "class_weight": st.sampled_from([None, None, "balanced", {0: 2.0}, {0: 0.0, 1: 1.0}]),
        "solver": st.sampled_from(["auto", "newton", "lbfgs"]),
        "tol": st.sampled_from([1e-4, 1e-1, 1e-9, 1e3]),
        "max_iter": st.sampled_from([1, 5, 40, 0]),
        "warm_start": st.booleans(),
    }
)


@st.composite
def features(draw):
    n, p = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, p)) * draw(st.sampled_from([1.0, 1.0, 1e-3, 1e3]))
    kind = draw(st.sampled_from(["plain", "plain", "integers", "constant", "awkward", "nan"]))
    if kind == "integers":
        X = np.round(X)
    elif kind == "constant":
        X[:, 0] = 3.0
    elif kind == "awkward":
        X[rng.integers(n), rng.integers(p)] = draw(st.sampled_from(AWKWARD))
    elif kind == "nan":
        X[0, 0] = draw(st.sampled_from([np.nan, np.inf]))
    with np.errstate(over="ignore"):
        X = X.astype(draw(st.sampled_from([np.float64, np.float64, np.float32])))
    container = draw(
        st.sampled_from([np.asarray, np.asfortranarray, pd.DataFrame, sparse.csr_array, np.ravel])
    )
    return container(X), n


@st.composite
def calls(draw):
    X, n = draw(features())
    n_classes = draw(st.integers(1, 4))
    y = draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n))
    y = np.array(draw(st.sampled_from([[0, 1, 2, 3], list("abcd"), [False, True] * 2])))[y]
    weight = draw(
        st.one_of(
            st.none(),
            st.lists(
                st.sampled_from([0.0, 1.0, 0.5, 3.0, 1e-200, 1e200, -1.0]), min_size=n, max_size=n
            ),
        )
    )
    options = draw(parameters)
    if draw(st.booleans()):
        return PerturbArgmaxClassifier(**options), X, y, weight
    temperature = draw(st.sampled_from([1.0, 0.2, 30.0, 0.0]))
    return PerturbSoftmaxClassifier(temperature=temperature, **options), X, y, weight


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(calls())
def test_every_call_fits_or_says_why_not(call):
    clf, X, y, weight = call
    note(f"{clf!r}, X={X!r}, y={y!r}, weight={weight!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            clf.fit(X, y, weight)
            proba = clf.predict_proba(X)
            log_proba = clf.predict_log_proba(X)
        except (ValueError, TypeError) as error:
            assert len(str(error)) > 20
            return
    assert np.isfinite(clf.coef_).all()
    assert np.isfinite(clf.intercept_).all()
    assert np.isfinite(clf.loss_)
    assert np.isfinite(proba).all()
    assert proba.min() >= 0
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-9)
    assert not np.isnan(log_proba).any()
    assert set(clf.predict(X)) <= set(y)
