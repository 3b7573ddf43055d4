import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import softmax

from skperturb import PerturbArgmax, PerturbSoftmax
from skperturb._engine._inverse import invert
from skperturb.noise import Cauchy, Discrete, Exponential, Gaussian, Laplace, StudentT

from .conftest import IDENTITY

SCORES = np.array([[1.0, 0.0, -1.0], [0.2, 0.3, 0.1]])


def test_gumbel_argmax_is_softmax():
    assert_allclose(PerturbArgmax("gumbel").proba(SCORES), softmax(SCORES, axis=1), rtol=1e-12)


def test_two_classes_with_equal_gumbels_are_two_classes_with_logistic_noise():
    scores = np.array([[0.0, 0.7], [0.0, -2.0]])
    one = PerturbSoftmax("gumbel", temperature=1.0).proba(scores)
    # A Gumbel plus a Gumbel on both sides: their differences are two logistic variables.
    other = PerturbArgmax("logistic").proba(scores)
    assert_allclose(one, other, rtol=1e-9)


def test_limits_of_the_temperature():
    cold = PerturbSoftmax("gaussian", temperature=1e-3).proba(SCORES)
    assert_allclose(cold, PerturbArgmax("gaussian").proba(SCORES), atol=2e-6)
    hot = PerturbSoftmax("gaussian", temperature=1e3).proba(1e3 * SCORES)
    assert_allclose(hot, softmax(SCORES, axis=1), atol=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 3.0])
def test_far_tail_of_perturb_softmax(temperature):
    """Far out, the lower of two classes wins by its Gumbel alone: the mean of exp of the rest."""
    gap = np.array([30.0, 80.0, 300.0, 5000.0]) + 100 * temperature
    log_p = PerturbSoftmax("gaussian", temperature=temperature).log_proba(
        np.column_stack([np.zeros(4), -gap])
    )
    expected = -gap / temperature + 1 / temperature**2
    assert_allclose(log_p[:, 1], expected, rtol=1e-9)


def test_noise_scale_multiplies():
    assert_allclose(
        PerturbArgmax(Gaussian(2.0), noise_scale=3.0).proba(SCORES),
        PerturbArgmax("gaussian").proba(SCORES / 6),
        rtol=1e-9,
    )


def test_log_proba_is_the_log():
    model = PerturbSoftmax("logistic", temperature=0.5)
    assert_allclose(model.log_proba(SCORES), np.log(model.proba(SCORES)), rtol=1e-12)


MODELS = [
    PerturbArgmax("gumbel", 2.0),
    PerturbArgmax("gaussian"),
    PerturbArgmax("logistic", 0.5),
    PerturbSoftmax("gaussian", temperature=0.5),
    PerturbSoftmax("logistic", temperature=0.1),
    PerturbSoftmax("gumbel", temperature=3.0),
    PerturbArgmax("gumbel_min"),
    PerturbArgmax("laplace", 0.5),
    PerturbArgmax("exponential"),
    PerturbArgmax("student_t"),
    PerturbArgmax("cauchy", 3.0),
    PerturbSoftmax("laplace", temperature=0.3),
    PerturbSoftmax("uniform", temperature=0.5),
    PerturbSoftmax("cauchy"),
]
models = pytest.mark.parametrize("model", MODELS, ids=repr)


@models
@pytest.mark.parametrize("n_classes", [2, 3, 20])
def test_scores_from_proba_is_the_inverse(model, n_classes):
    rng = np.random.default_rng(0)
    n = 50 if model.noise.log_concave and not model.noise.kinks else 5
    scores = rng.normal(scale=model.noise.scale, size=(n, n_classes)) * rng.uniform(0, 3, (n, 1))
    scores -= scores.mean(axis=1, keepdims=True)
    p = model.proba(scores)
    keep = p.min(axis=1) >= 1e-8
    assert_allclose(model.scores_from_proba(p[keep]), scores[keep], rtol=0, atol=1e-6)
    reference = model.scores_from_proba(p[keep], constraint="reference")
    assert np.all(reference[:, 0] == 0)
    assert_allclose(reference, scores[keep] - scores[keep, :1], rtol=0, atol=1e-6)


NAMES = ["gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "exponential"]
NAMES += ["student_t", "cauchy"]
INVERTIBLE = [PerturbArgmax(name) for name in NAMES]
INVERTIBLE += [PerturbSoftmax(name) for name in [*NAMES, "uniform"]]


@pytest.mark.parametrize("model", INVERTIBLE, ids=repr)
def test_small_probabilities_are_inverted_in_few_steps(model):
    """Down to 1e-10, or with heavy tails 1e-4; benchmarks/inversion.py takes 10 000 of each."""
    heavy = not model.noise.log_concave
    smallest = np.log(1e-4 if heavy else 1e-10)
    for n_classes in (2, 3, 7, 50):
        n = 4 if n_classes == 50 or heavy else 60
        log_p = np.random.default_rng(1).uniform(smallest, 0, size=(n, n_classes))
        log_p[:, 0], log_p[:, 1] = 0, smallest
        p = np.exp(log_p) / np.exp(log_p).sum(axis=1, keepdims=True)
        scores, steps, found = model._invert(p)
        assert found.all()
        assert steps.max() <= 10
        assert_allclose(model.proba(scores), p, rtol=0, atol=1e-9)
        assert_allclose(scores.sum(axis=1), 0, atol=1e-9 * np.abs(scores).max())
        if n_classes == 7:
            from_nowhere = invert(model._kernel(n_classes), p, np.zeros_like(p))
            assert from_nowhere[2].all()
            assert from_nowhere[1].max() <= 30


def test_targets_beside_a_flat_place_are_found():
    """Noise with a gap: from p = .75 on, p does not change over a wide range of scores."""
    gap = stats.rv_histogram((np.array([2.5, 0, 2.5]), np.array([-1.2, -1, 1, 1.2])), density=True)
    model = PerturbArgmax(gap())
    for p in ([0.7499, 0.2501], [0.7501, 0.2499], [0.75, 0.25], [0.624, 0.251, 0.125]):
        scores = model.scores_from_proba([p])
        assert_allclose(model.proba(scores), [p], rtol=0, atol=1e-8)


def test_bounded_noise_inverts_inside_the_simplex_only():
    model = PerturbArgmax("uniform")
    assert_allclose(model.proba([[0.0, 2.5]]), [[0.0, 1.0]], atol=0)
    assert_allclose(model.log_proba([[0.0, 2.5]]), [[-np.inf, 0.0]], atol=IDENTITY)
    scores = np.array([[0.4, 0.1, -0.5], [1.0, -0.9, -0.1]])
    assert_allclose(model.scores_from_proba(model.proba(scores)), scores, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="not positive"):
        model.scores_from_proba([[0.0, 1.0]])


def test_limit_of_small_noise_is_softmax():
    for noise in ("gaussian", "laplace", "uniform", "cauchy"):
        p = PerturbSoftmax(noise, 1e-6, temperature=1.0).proba(SCORES)
        assert_allclose(p, softmax(SCORES, axis=1), atol=2e-5)


def test_limit_of_small_temperature_is_argmax():
    for noise in ("laplace", "uniform", "cauchy", "student_t", "exponential"):
        cold = PerturbSoftmax(noise, temperature=1e-3).proba(SCORES)
        assert_allclose(cold, PerturbArgmax(noise).proba(SCORES), atol=2e-3)
        gentle = PerturbSoftmax(noise, temperature=1e3).proba(1e3 * SCORES)
        assert_allclose(gentle, softmax(SCORES, axis=1), atol=5e-3)


def test_a_distribution_of_scipy_is_a_noise():
    for ours, theirs in (
        ("gaussian", stats.norm()),
        ("student_t", stats.t(4)),
        ("exponential", stats.expon()),
        ("uniform", stats.uniform(-1, 2)),
    ):
        expected = PerturbArgmax(ours).proba(SCORES)
        assert_allclose(PerturbArgmax(theirs).proba(SCORES), expected, rtol=0, atol=1e-9)


def test_many_classes_with_kinks_or_heavy_tails():
    """Against a fine trapezoid rule in the CDF of one class's noise."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(1, 300))
    u = (np.arange(100_000) + 0.5) / 100_000
    for noise in (Laplace(), Cauchy(), Exponential()):
        value = noise.ppf(u)
        best = scores.argmax()
        log_cdf = sum(noise.logcdf(value + scores[0, best] - s) for s in np.delete(scores[0], best))
        p = PerturbArgmax(noise).proba(scores)
        assert_allclose(p[0, best], np.exp(log_cdf).mean(), rtol=1e-6)
        assert_allclose(p.sum(), 1, rtol=1e-12)


def test_inversion_far_out():
    model = PerturbArgmax("gaussian")
    scores = model.scores_from_proba([[1.0, 1e-200]])
    assert_allclose(model.log_proba(scores)[0, 1], np.log(1e-200), rtol=1e-9)


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([[1.0, 0.0]], "not positive"),
        ([[1.2, -0.2]], "not positive"),
        ([[0.3, 0.3]], "sums to 0.6"),
        ([[1.0]], "two at least"),
        ([[np.nan, 1.0]], "NaN"),
    ],
)
def test_impossible_probabilities_raise(p, message):
    with pytest.raises(ValueError, match=message):
        PerturbArgmax().scores_from_proba(p)
    with pytest.raises(ValueError, match="constraint"):
        PerturbArgmax().scores_from_proba([[0.5, 0.5]], constraint=None)


def every_outcome(noise, scores):
    """Scores plus noise for all outcomes of discrete noise on three classes, and their weights."""
    values, masses = noise.masses()
    places = np.stack(np.meshgrid(*[np.arange(len(values))] * 3), axis=-1).reshape(-1, 3)
    return np.asarray(scores)[:, None, :] + values[places], masses[places].prod(axis=1)


DISCRETE = Discrete([-1, 0, 2], [0.2, 0.5, 0.3], scale=1.5)


def test_discrete_noise_by_enumeration():
    """With ties, which are shared evenly: rows 2, 3 and 4 have some."""
    scores = [[0.3, 0, -0.4], [2.5, 0, 1], [0, 0, 0], [1.5, 0, 0], [3, 0, -1.5], [10, 0, 1]]
    noisy, weight = every_outcome(DISCRETE, scores)
    wins = np.isclose(noisy, noisy.max(axis=2, keepdims=True), rtol=0, atol=1e-9)
    expected = np.einsum("nmk,m->nk", wins / wins.sum(axis=2, keepdims=True), weight)
    model = PerturbArgmax(DISCRETE)
    assert_allclose(model.proba(scores), expected, rtol=1e-13, atol=1e-16)
    at_zero, _ = every_outcome(DISCRETE, np.zeros((1, 3)))
    maximum = (noisy.max(axis=2) - at_zero.max(axis=2)) @ weight
    assert_allclose(model.potential(scores), maximum, rtol=1e-13)
    assert not model.jacobian(scores).any()
    draws = model.sample(scores, size=20_000, random_state=0)[..., None] == np.arange(3)
    error = np.sqrt(expected * np.maximum(1 - expected, 0) / 20_000)
    assert np.all(np.abs(draws.mean(axis=0) - expected) <= 5 * error + 1e-12)


@pytest.mark.parametrize("temperature", [10, 1, 0.1, 1e-2, 1e-3])
def test_softmax_of_discrete_noise_by_enumeration(temperature):
    scores = [[0.3, 0, -0.4], [2.5, 0, 1]]
    noisy, weight = every_outcome(DISCRETE, scores)
    expected = np.einsum("nmk,m->nk", softmax(noisy / temperature, axis=2), weight)
    p = PerturbSoftmax(DISCRETE, temperature=temperature).proba(scores)
    assert_allclose(np.log(p), np.log(expected), rtol=0, atol=1e-9)


def test_ties_are_the_same_in_samples_and_after_a_shift():
    model, scores = PerturbArgmax(Discrete([0, 0.1, 0.3])), np.array([[0.2, 0.0]])
    p = model.proba(scores)
    assert_allclose(model.proba(scores + 1e3), p, rtol=1e-12)
    share = (model.sample(scores, size=40_000, random_state=0) == 0).mean()
    assert abs(share - p[0, 0]) <= 5 * np.sqrt(p[0, 0] * p[0, 1] / 40_000)


def test_signs_reach_fifteen_distributions_of_three_classes():
    scores = np.random.default_rng(0).uniform(-3, 3, size=(5000, 3))
    p = PerturbArgmax(Discrete([-1, 1])).proba(scores)
    assert len(np.unique(p.round(9), axis=0)) == 15


@models
def test_sample_frequencies(model):
    """Within five standard errors, computed from the draws."""
    n = 40_000
    draws = model.sample(SCORES, size=n, random_state=0)
    if isinstance(model, PerturbSoftmax):
        assert draws.shape == (n, 2, 3)
        assert_allclose(draws.sum(axis=2), 1, rtol=1e-12)
    else:
        assert draws.shape == (n, 2)
        draws = draws[..., None] == np.arange(3)
    error = draws.std(axis=0) / np.sqrt(n)
    assert np.all(np.abs(draws.mean(axis=0) - model.proba(SCORES)) <= 5 * error)
    again = model.sample(SCORES, size=n, random_state=0)
    assert np.array_equal(again, model.sample(SCORES, size=n, random_state=0))


@pytest.mark.parametrize("model", [PerturbArgmax(), PerturbSoftmax()])
def test_old_names_of_methods_warn(model):
    with pytest.warns(FutureWarning, match=r"kernel is no longer public.* Use proba"):
        p = model.kernel(3).proba(SCORES)
    assert_allclose(p, model.proba(SCORES), rtol=0)
    with pytest.warns(FutureWarning, match=r"invert is no longer public.* Use scores_from_proba"):
        scores, _, found = model.invert(p)
    assert found.all()
    assert_allclose(scores, model.scores_from_proba(p), rtol=0, atol=IDENTITY)
    assert not {"kernel", "invert"} & set(dir(model))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        model.nothing  # noqa: B018


def test_neither_model_is_the_other():
    """Their draws differ in shape and type."""
    assert not isinstance(PerturbSoftmax(), PerturbArgmax)
    assert not isinstance(PerturbArgmax(), PerturbSoftmax)


def test_models_are_copied_and_saved():
    for model in (PerturbArgmax("logistic", 2.0), PerturbSoftmax(temperature=0.5)):
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert repr(other) == repr(model)
            assert_allclose(other.proba(SCORES), model.proba(SCORES), rtol=0)


def test_repr_names_the_model():
    assert repr(PerturbArgmax("gaussian", 2.0)) == "PerturbArgmax(Gaussian(scale=2.0))"
    assert repr(PerturbSoftmax()) == "PerturbSoftmax(Gaussian(), temperature=1.0)"


@pytest.mark.parametrize(
    "scores", [[[0.0, np.nan]], [[0.0, np.inf]], [[1.0]], [1.0, 2.0], [], [["a", "b"]]]
)
@pytest.mark.parametrize("model", [PerturbArgmax(), PerturbSoftmax()])
def test_bad_scores_raise(model, scores):
    with pytest.raises(ValueError, match=r"scores|array|convert"):
        model.proba(scores)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, np.nan, "a"])
def test_bad_temperature_raises(temperature):
    with pytest.raises(ValueError, match="temperature must be positive"):
        PerturbSoftmax(temperature=temperature)


@pytest.mark.parametrize("noise", ["cauchy", "student_t", "gaussian", "logistic", "uniform"])
def test_scores_whose_differences_overflow_are_refused(noise):
    model = PerturbArgmax(noise)
    with pytest.raises(ValueError, match=r"scores must lie between -1e\+300 and 1e\+300"):
        model.proba([[1e308, -1e308]])
    p = model.proba([[1e300, -1e300, 1e300]])[0]
    assert_allclose(p, [0.5, 0.0, 0.5], rtol=1e-12, atol=1e-290)


@pytest.mark.parametrize("gap", [1e3, 1e8, 1e12, 1e17, 1e50, 1e150, 1e250, 1e290, 1e300])
def test_cauchy_far_out_follows_its_closed_form(gap):
    expected = np.log(np.arctan(2 / gap) / np.pi)
    log_p = PerturbArgmax("cauchy").log_proba([[0.0, -gap]])[0]
    assert_allclose(log_p[1], expected, rtol=1e-12)
    own, _ = (
        PerturbArgmax("cauchy")._kernel(2).log_likelihood(np.array([[0.0, -gap]]), np.array([1]))
    )
    assert_allclose(own, expected, rtol=1e-12)


@pytest.mark.parametrize("df", [0.7, 1.5, 4.0, 30.0])
def test_far_out_a_heavy_tail_is_a_power(df):
    """Two classes: either noise makes the difference alone, P = 2 P(noise > gap)."""
    gaps = 10.0 ** np.array([20, 40, 70, 100, 200, 300])
    log_sf = StudentT(df).logsf(gaps)
    model = PerturbArgmax(StudentT(df))
    log_p = model.log_proba(np.column_stack([0 * gaps, -gaps]))[:, 1]
    assert_allclose(log_p, np.log(2) + log_sf, rtol=1e-10)


def test_slopes_that_are_negative_by_rounding_are_inverted_without_a_word():
    law = stats.gennorm(8)
    spread = 1.5 * (law.ppf(0.75) - law.ppf(0.25))
    model = PerturbArgmax(law)
    p = model.proba([np.random.default_rng(1).normal(size=6) * spread])
    assert_allclose(model.proba(model.scores_from_proba(p)), p, atol=1e-9)
