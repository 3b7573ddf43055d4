import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax

from skperturb import PerturbArgmax, PerturbSoftmax
from skperturb.noise import Gaussian

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
]
models = pytest.mark.parametrize("model", MODELS, ids=repr)


@models
@pytest.mark.parametrize("n_classes", [2, 3, 20])
def test_scores_from_proba_is_the_inverse(model, n_classes):
    rng = np.random.default_rng(0)
    scores = rng.normal(scale=model.noise.scale, size=(50, n_classes)) * rng.uniform(0, 3, (50, 1))
    scores -= scores.mean(axis=1, keepdims=True)
    p = model.proba(scores)
    keep = p.min(axis=1) >= 1e-8
    assert_allclose(model.scores_from_proba(p[keep]), scores[keep], rtol=0, atol=1e-6)
    reference = model.scores_from_proba(p[keep], constraint="reference")
    assert np.all(reference[:, 0] == 0)
    assert_allclose(reference, scores[keep] - scores[keep, :1], rtol=0, atol=1e-6)


@models
def test_inversion_of_small_probabilities_takes_few_steps(model):
    from skperturb._inverse import invert

    for n_classes in (2, 7, 50):
        log_p = np.random.default_rng(1).uniform(np.log(1e-10), 0, size=(100, n_classes))
        log_p[:, 0] = 0
        p = np.exp(log_p) / np.exp(log_p).sum(axis=1, keepdims=True)
        scores = model.scores_from_proba(p)
        assert_allclose(model.proba(scores), p, rtol=0, atol=1e-9)
        assert_allclose(scores.sum(axis=1), 0, atol=1e-9)
        kernel = model.kernel(n_classes)
        from_guess = invert(kernel, p, -model._law().isf(np.minimum(p, 1 - 1e-9)))[1]
        assert from_guess.max() <= 5
        assert invert(kernel, p, np.zeros_like(p))[1].max() <= 30


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
