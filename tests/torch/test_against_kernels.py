"""Numbers of tensors against those of the kernels: all noises, two to 1000 classes."""

from functools import partial

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from skperturb.torch import _device, _ops, _rows

from .conftest import HAS_GPU, rows, scipy_model, tensors

CLASSES = [2, 3, 7, 40]


def of_kernel(model, scores, y, v):
    kernel = model._kernel(scores.shape[1])
    log_p, gradient = kernel.log_likelihood(scores, y)
    return log_p, gradient, np.einsum("njk,nk->nj", kernel.hessian(scores, y), v)


def by_autograd(model, scores, y, v):
    """log p, its gradient and a Hessian product, as a network meets them."""
    scores = scores.requires_grad_()
    log_p = _ops.log_likelihood(scores, y, _ops.register(model))[0]
    (gradient,) = torch.autograd.grad(log_p.sum(), scores, create_graph=True)
    (product,) = torch.autograd.grad((gradient * v).sum(), scores)
    return log_p.detach(), gradient.detach(), product


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("n_classes", CLASSES)
def test_double_precision_is_that_of_the_kernels(model, n_classes, deep):
    if deep and model.noise.bounded:
        deep = False  # a class out of reach has no likelihood
    scores, y, v = rows(model, n_classes, spread=6.0 if deep else 2.0, deep=deep)
    log_p, gradient, product = of_kernel(model, scores, y, v)
    found = by_autograd(model, *tensors(scores, y, v))
    np.testing.assert_allclose(found[0], log_p, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found[2], product, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("index", [0, 7])  # Gaussian and Student-t
def test_a_thousand_classes(index):
    from .conftest import MODELS

    model = MODELS[index]
    scores, y, v = rows(model, 1000, n=2, spread=1.0)
    expected = of_kernel(model, scores, y, v)
    found = by_autograd(model, *tensors(scores, y, v))
    for theirs, ours, digits in zip(expected, found, (1e-12, 1e-11, 1e-9), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=digits)


def test_noise_of_scipy():
    model = scipy_model()
    scores, y, v = rows(model, 4)
    for theirs, ours in zip(
        of_kernel(model, scores, y, v),
        by_autograd(model, *tensors(scores, y, v)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("n_classes", CLASSES)
def test_single_precision(model, n_classes):
    """2e-6 where p > 1e-10, relative 1e-4 below, and finite everywhere."""
    scores, y, v = rows(model, n_classes, n=60, spread=4.0, deep=not model.noise.bounded)
    single = tensors(scores, y, v, dtype=torch.float32)
    log_p, gradient, _ = of_kernel(model, single[0].double().numpy(), y, single[2].double().numpy())
    found = by_autograd(model, *single)
    assert all(bool(torch.isfinite(part).all()) for part in found)
    likely = log_p > np.log(1e-10)
    np.testing.assert_allclose(found[0][likely], log_p[likely], atol=2e-6, rtol=0)
    np.testing.assert_allclose(found[0][~likely], log_p[~likely], rtol=1e-4)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-4, atol=2e-6)


def test_deepest_rows_of_single_precision_are_no_nan():
    from .conftest import MODELS

    scores = torch.tensor([[0.0, 1e15], [0.0, 1e30], [3e38, -3e38]], requires_grad=True)
    for model in MODELS:
        if model.noise.bounded:
            continue
        for y in (torch.tensor([0, 0, 1]), torch.tensor([1, 1, 0])):
            log_p = _ops.log_likelihood(scores, y, _ops.register(model))[0]
            (gradient,) = torch.autograd.grad(log_p.sum(), scores)
            assert not torch.isnan(log_p).any(), model
            assert not torch.isnan(gradient).any(), model
            assert not torch.isnan(0 * log_p).any(), model


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_tables_of_a_device_agree_with_the_kernels(model, n_classes, dtype):
    """The path of another device, run on the CPU."""
    scores, y, v = tensors(*rows(model, n_classes, spread=3.0), dtype=dtype)
    double = scores.double(), y, v.double()
    exact = dtype == torch.float64
    for found, expected, digits in (
        (_device.log_likelihood(model, scores, y), _rows.log_likelihood(model, *double[:2]), 2),
        (
            [_device.hessian_product(model, scores, y, v)],
            [_rows.hessian_product(model, *double)],
            20 if exact else 50,
        ),
        ([_device.proba(model, scores)], [_rows.proba(model, double[0])], 2),
        (
            [_device.jacobian_product(model, scores, v)],
            [_rows.jacobian_product(model, double[0], double[2])],
            2,
        ),
    ):
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == dtype
            atol = digits * (1e-10 if exact else 1e-6)
            np.testing.assert_allclose(one.double(), other, rtol=1e-6, atol=atol)


def test_tables_of_a_device_take_blocks_of_rows(monkeypatch):
    from .conftest import MODELS

    for model in (MODELS[0], MODELS[9]):
        scores, y, v = tensors(*rows(model, 5, n=300, spread=6.0))
        functions = (
            lambda: _device.log_likelihood(model, scores, y),  # noqa: B023
            lambda: [_device.hessian_product(model, scores, y, v)],  # noqa: B023
            lambda: [_device.proba(model, scores)],  # noqa: B023
        )
        for function in functions:
            whole = function()
            monkeypatch.setattr(_device, "_MOST_NUMBERS", 5000)
            for one, other in zip(function(), whole, strict=True):
                torch.testing.assert_close(one, other)
            monkeypatch.undo()


def test_deep_rows_of_a_device_go_through_the_kernels():
    from .conftest import MODELS

    for model in (MODELS[0], MODELS[9], MODELS[10]):
        scores, y, _ = tensors(*rows(model, 5, spread=60.0, deep=True), dtype=torch.float32)
        found = _device.log_likelihood(model, scores, y)
        expected = _rows.log_likelihood(model, scores.double(), y)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.double(), other, rtol=1e-5, atol=1e-5)
        log_p = _device.log_proba(model, scores)
        np.testing.assert_allclose(
            log_p, _rows.log_proba(model, scores.double()), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("spread", [0.5, 8.0, 60.0])
@pytest.mark.parametrize("n_classes", [2, 3, 4, 5, 24])
def test_the_fused_kernel(n_classes, spread):
    pytest.importorskip("triton", reason="the fused kernel needs triton, which Linux has")
    from skperturb.torch import _fused

    from .conftest import MODELS

    model = MODELS[0]
    for deep in (False, True):
        scores, y, _ = tensors(
            *rows(model, n_classes, n=20, spread=spread, deep=deep), dtype=torch.float32
        )
        where = "cuda" if HAS_GPU else "cpu"
        found = _fused.log_likelihood(
            model._law(),
            scores.to(where),
            y.to(where),
            lambda *part: _rows.log_likelihood(model, *part),
        )
        log_p, gradient = _rows.log_likelihood(model, scores.double(), y)
        # A log is right to its last digits: 2e-6 below 16.
        np.testing.assert_allclose(found[0].double().cpu(), log_p, atol=2e-6, rtol=3e-7)
        np.testing.assert_allclose(found[1].double().cpu(), gradient, atol=2e-6, rtol=1e-4)


def test_the_fused_kernel_of_hundreds_of_classes():
    pytest.importorskip("triton", reason="the fused kernel needs triton, which Linux has")
    from skperturb.torch import _fused

    from .conftest import MODELS

    model, where = MODELS[0], "cuda" if HAS_GPU else "cpu"
    scores, y, _ = tensors(*rows(model, 300, n=6, spread=1.0), dtype=torch.float32)
    # The class asked for far below 299 equal ones, the last time with too sharp a peak.
    for row, depth in ((3, 10.0), (4, 50.0), (5, 250.0)):
        scores[row], scores[row, y[row]] = depth, 0.0
    calls = []

    def of_deep_rows(*part):
        calls.append(len(part[0]))
        return _rows.log_likelihood(model, *part)

    found = _fused.log_likelihood(model._law(), scores.to(where), y.to(where), of_deep_rows)
    assert calls == [1]
    log_p, gradient = _rows.log_likelihood(model, scores.double(), y)
    np.testing.assert_allclose(found[0].double().cpu(), log_p, atol=2e-6, rtol=3e-7)
    np.testing.assert_allclose(found[1].double().cpu(), gradient, atol=2e-6, rtol=1e-4)


def test_the_fused_kernel_counts_what_counts():
    pytest.importorskip("triton", reason="the fused kernel needs triton, which Linux has")
    from skperturb.torch import _fused

    from .conftest import MODELS

    law, kernel = MODELS[0]._law(), partial(_rows.log_likelihood, MODELS[0])
    for n_classes in (2, 5):
        scores, y, _ = tensors(*rows(MODELS[0], n_classes, n=40), dtype=torch.float32)
        expected = _rows.log_likelihood(MODELS[0], scores, y)
        scores[3], y[3] = torch.nan, _rows.IGNORED
        # Scores that float32 holds, and their differences in units of the noise not.
        scores[7], scores[7, y[7]], scores[7, y[7] - 1] = 0.0, 3e38, -3e38
        for of_rows in expected:
            of_rows[3] = of_rows[7] = 0.0
        where = "cuda" if HAS_GPU else "cpu"
        found = _fused.log_likelihood(law, scores.to(where), y.to(where), kernel)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.cpu(), other, atol=3e-6)
        for wrong in (n_classes, -1):
            y[20] = wrong
            with pytest.raises(ValueError, match=f"Target {wrong} is not one of the"):
                _fused.log_likelihood(law, scores.to(where), y.to(where), kernel)
        for wrong in (torch.nan, torch.inf, -torch.inf):
            y[20] = 0
            scores[20, 1] = wrong
            with pytest.raises(ValueError, match=r"Row \d+ of the scores is"):
                _fused.log_likelihood(law, scores.to(where), y.to(where), kernel)


def test_memory_does_not_grow_with_the_square_of_the_classes():
    import tracemalloc

    from .conftest import MODELS

    # Kinked noise has no product but by matrices: 500 x 200 x 200 of them would be 160 MB.
    scores, y, v = rows(MODELS[4], 200, n=500, spread=1.0)
    tracemalloc.start()
    with threadpool_limits(2):  # every thread has a block of its own
        _rows.hessian_product(MODELS[4], *tensors(scores, y, v))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
