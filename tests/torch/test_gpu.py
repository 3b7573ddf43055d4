"""The public losses and layers on a GPU beside the same on the CPU in float64."""

import numpy as np
import pytest
import torch

import skperturb.torch as st
from skperturb import PerturbSoftmax
from skperturb._engine import portable_tables
from skperturb.torch import _device

from .conftest import HAS_GPU, OF_THE_COMPILER, rows, tensors

if not HAS_GPU:
    pytest.skip("there is no GPU here", allow_module_level=True)

CLASSES = [2, 3, 7, 12, 13, 40]
DIGITS = {torch.float64: (1e-9, 1e-8), torch.float32: (2e-6, 1e-4)}  # of log p, of the rest


def options(model):
    of_softmax = isinstance(model, PerturbSoftmax)
    return {"temperature": model.temperature} if of_softmax else {}


def losses(model, **more):
    """Those that a model has."""
    yield st.FenchelYoungLoss(model.noise, **options(model), **more)
    if isinstance(model, PerturbSoftmax):
        yield st.PerturbSoftmaxLoss(model.noise, **options(model), **more)
    elif not model.noise.bounded:
        yield st.PerturbArgmaxLoss(model.noise, **more)


def layer_of(model):
    kind = st.PerturbSoftmax if isinstance(model, PerturbSoftmax) else st.PerturbArgmax
    return kind(model.noise, **options(model))


def derivatives(function, scores, v):
    """The values, the gradient of their sum, and the gradient's product with v differentiated."""
    scores = scores.detach().requires_grad_()
    values = function(scores)
    (gradient,) = torch.autograd.grad(values.sum(), scores, create_graph=True)
    (product,) = torch.autograd.grad((gradient * v).sum(), scores)
    return [out.detach().double().cpu() for out in (values, gradient, product)]


def assert_as_on_the_cpu(function, scores, v, dtype, *more):
    # Both from the same numbers: those that the GPU gets.
    scores, v = scores.to(dtype), v.to(dtype)
    found = derivatives(
        lambda s: function(s, *(part.cuda() for part in more)), scores.cuda(), v.cuda()
    )
    expected = derivatives(lambda s: function(s, *more), scores.double(), v.double())
    first, rest = DIGITS[dtype]
    for one, other, atol in zip(found, expected, (first, rest, rest), strict=True):
        assert torch.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=rest, atol=atol)


@pytest.mark.parametrize("dtype", list(DIGITS), ids=str)
@pytest.mark.parametrize("n_classes", CLASSES)
def test_losses(model, n_classes, dtype):
    scores, y, v = tensors(*rows(model, n_classes, n=40))
    y[3] = -100
    for loss in losses(model, reduction="none"):
        assert_as_on_the_cpu(loss, scores, v, dtype, y)


@pytest.mark.parametrize("dtype", list(DIGITS), ids=str)
@pytest.mark.parametrize("n_classes", [2, 5, 12, 30])
def test_deep_rows(model, n_classes, dtype):
    scores, y, _ = tensors(*rows(model, n_classes, n=40, spread=60.0, deep=True), dtype=dtype)
    for loss in losses(model, reduction="none"):
        found = loss(scores.cuda(), y.cuda()).double().cpu()
        expected = loss(scores.double(), y)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)
    layer = layer_of(model)
    np.testing.assert_allclose(
        layer(scores.cuda()).double().cpu(), layer(scores.double()), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("dtype", list(DIGITS), ids=str)
@pytest.mark.parametrize("n_classes", [2, 7, 15])
def test_layers(model, n_classes, dtype):
    scores, _, v = tensors(*rows(model, n_classes, n=20))
    layer = layer_of(model)
    assert_as_on_the_cpu(
        lambda s: (layer(s) * torch.arange(n_classes).to(s)).sum(1), scores, v, dtype
    )
    if not model.noise.bounded or options(model):
        assert_as_on_the_cpu(lambda s: layer.log_proba(s)[:, 0], scores, v, dtype)


def test_rows_beyond_float32_are_not_nan(model):
    for value in (1e4, 3e8, 3e38):
        scores = torch.tensor([[0.0, value, 0.0], [value, 0.0, -value]], device="cuda")
        y = torch.tensor([0, 0], device="cuda")
        for loss in losses(model, reduction="none"):
            scores.grad = None
            found = loss(scores.requires_grad_(), y)
            found.sum().backward()
            assert not torch.isnan(found).any()
            assert not torch.isnan(scores.grad).any()


def test_many_rows(model, monkeypatch):
    """More rows than one block of tables, not a multiple of a program's."""
    monkeypatch.setattr(_device, "_MOST_NUMBERS", 1 << 20)
    tabled = portable_tables(model._law(), 4, True) is not None
    n = 100_003 if tabled else 1001
    scores, y, _ = tensors(*rows(model, 4, n=n), dtype=torch.float32)
    for loss in losses(model, reduction="none"):
        found = loss(scores.cuda(), y.cuda()).double().cpu()
        np.testing.assert_allclose(found, loss(scores.double(), y), rtol=2e-6, atol=3e-6)


def test_a_training_step_in_mixed_precision_with_weights():
    torch.manual_seed(0)
    x, y = torch.randn(500, 6), torch.randint(0, 4, (500,))
    weight = torch.tensor([1.0, 2.0, 0.5, 0.0])
    results = {}
    for where in ("cpu", "cuda"):
        torch.manual_seed(1)
        net = torch.nn.Linear(6, 4).to(where)
        loss = st.PerturbArgmaxLoss("gaussian", weight=weight, label_smoothing=0.1).to(where)
        loss(net(x.to(where)), y.to(where)).backward()
        results[where] = net.weight.grad.cpu()
        if where == "cuda":
            with torch.no_grad():
                full = loss(net(x.cuda()), y.cuda())
                with torch.autocast("cuda", dtype=torch.bfloat16):
                    mixed = loss(net(x.cuda()), y.cuda())
            assert mixed.dtype == torch.float32
            torch.testing.assert_close(mixed, full, atol=0.02, rtol=0)
    np.testing.assert_allclose(results["cuda"], results["cpu"], atol=2e-6)


@pytest.mark.filterwarnings(OF_THE_COMPILER)
@pytest.mark.parametrize("noise", ["gaussian", "student_t", "laplace"])
def test_compiled(noise):
    loss = st.PerturbArgmaxLoss(noise)
    scores, y = torch.randn(64, 5, device="cuda"), torch.randint(0, 5, (64,), device="cuda")
    plain, compiled = (s.requires_grad_() for s in (scores.clone(), scores.clone()))
    loss(plain, y).backward()
    torch.compile(loss, fullgraph=True)(compiled, y).backward()
    torch.testing.assert_close(compiled.grad, plain.grad)


def test_draws():
    scores = torch.randn(20_000, 3, device="cuda")
    layer = st.PerturbArgmax("gaussian")
    drawn = layer.sample(scores)
    assert drawn.device == scores.device
    assert (drawn.mean(0) - layer(scores).mean(0)).abs().max() < 0.02
