"""Layers: probabilities, and what is drawn from them."""

import numpy as np
import pytest
import torch

from skperturb.torch import PerturbArgmax, PerturbSoftmax

LAYERS = [
    PerturbArgmax("gaussian"),
    PerturbArgmax("cauchy", noise_scale=0.5),
    PerturbArgmax("uniform", noise_scale=5.0),
    PerturbSoftmax("gaussian", temperature=0.5),
]
FORMS = ["exact", "straight_through", "relaxed"]


@pytest.fixture
def scores():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 4, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_probabilities_and_their_derivatives(layer, scores):
    np.testing.assert_allclose(layer(scores).detach(), layer.model.proba(scores.detach()))
    assert torch.autograd.gradcheck(layer, scores)
    assert torch.autograd.gradgradcheck(layer, scores)
    if not layer.model.noise.bounded:
        torch.testing.assert_close(layer.log_proba(scores), layer(scores).log())
        assert torch.autograd.gradcheck(layer.log_proba, scores)
        assert torch.autograd.gradgradcheck(layer.log_proba, scores)


def test_dimension_of_the_classes(scores):
    wide = torch.randn(2, 4, 3, dtype=torch.float64)
    p = PerturbArgmax("gaussian", dim=1)(wide)
    assert p.shape == wide.shape
    torch.testing.assert_close(p.sum(1), torch.ones(2, 3, dtype=torch.float64))
    torch.testing.assert_close(p[1, :, 2], PerturbArgmax("gaussian")(wide[1, :, 2]))
    torch.testing.assert_close(torch.func.vmap(LAYERS[0])(scores), LAYERS[0](scores))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_draws_have_the_probabilities(layer, form):
    """Of 40 000 draws: within 5 standard errors of p, where the mean is p."""
    row = torch.tensor([0.7, 0.0, -0.5])
    drawn = layer.sample(row.expand(40_000, 3), form, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.sum(1), torch.ones(40_000))
    if form != "relaxed":
        assert bool(((drawn == 0) | (drawn == 1)).all())
    if form == "relaxed" and isinstance(layer, PerturbArgmax):
        return  # a relaxation of the argmax has another mean
    torch.testing.assert_close(drawn.mean(0), layer(row), atol=0.0125, rtol=0)


def test_the_exact_form_has_the_gradient_of_the_expectation(scores):
    cost = torch.randn(5, 4, dtype=torch.float64)
    layer = LAYERS[0]
    (found,) = torch.autograd.grad((cost * layer.sample(scores)).sum(), scores)
    (expected,) = torch.autograd.grad((cost * layer(scores)).sum(), scores)
    torch.testing.assert_close(found, expected)


def test_the_relaxed_form_of_softmax_has_the_right_mean_gradient():
    """Of 40 000 draws: the mean gradient of a linear cost is that of p, to 5 standard errors."""
    layer, row = LAYERS[3], torch.tensor([0.7, 0.0, -0.5], dtype=torch.float64)
    cost = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    scores = row.expand(40_000, 3).clone().requires_grad_()
    drawn = layer.sample(scores, generator=torch.Generator().manual_seed(2))
    (each,) = torch.autograd.grad((drawn @ cost).sum(), scores)
    expected = layer.model.jacobian(row[None])[0] @ cost.numpy()
    error = each.std(0) / 200
    assert bool(((each.mean(0) - torch.tensor(expected)).abs() < 5 * error).all())


def test_no_rows_give_none():
    for layer in LAYERS:
        assert layer(torch.zeros(0, 3)).shape == (0, 3)
        assert layer.log_proba(torch.zeros(0, 3)).shape == (0, 3)
        for form in FORMS:
            assert layer.sample(torch.zeros(0, 3, 4), form).shape == (0, 3, 4)


def test_draws_follow_the_seed():
    row = torch.zeros(50, 3)
    for layer in LAYERS:
        for form in FORMS:
            one, two = (
                layer.sample(row, form, generator=torch.Generator().manual_seed(3)) for _ in "ab"
            )
            assert torch.equal(one, two)
        torch.manual_seed(4)
        one = layer.sample(row)
        assert not torch.equal(one, layer.sample(row))
        torch.manual_seed(4)
        assert torch.equal(one, layer.sample(row))


def test_what_cannot_be():
    with pytest.raises(ValueError, match="form must be one of"):
        LAYERS[0].sample(torch.zeros(2, 3), "soft")
    with pytest.raises(ValueError, match="temperature must be positive"):
        LAYERS[0].sample(torch.zeros(2, 3), "relaxed", temperature=0.0)
    with pytest.raises(ValueError, match="at least two classes"):
        LAYERS[0](torch.zeros(2, 1))


def test_a_draw_without_gradients_computes_no_probabilities(scores, monkeypatch):
    for layer in LAYERS:
        one = layer.sample(scores, "exact", generator=torch.Generator().manual_seed(5))
        with monkeypatch.context() as patch, torch.no_grad():
            patch.setattr("skperturb.torch._ops.proba", None)
            two = layer.sample(scores, "exact", generator=torch.Generator().manual_seed(5))
        assert torch.equal(one, two)
        assert one.requires_grad
        assert not two.requires_grad
