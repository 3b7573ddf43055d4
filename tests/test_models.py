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


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, np.nan])
def test_bad_temperature_raises(temperature):
    with pytest.raises(ValueError, match="temperature must be positive"):
        PerturbSoftmax(temperature=temperature)
