"""Tensors on the CPU go through the kernels of ``skperturb._engine``, a block of rows at a time.

Every function takes a model, scores (n, K) and further tensors of n rows, and returns tensors of
the scores' floating-point type. The kernels work in float64; a block bounds what conversion costs
in memory.
"""

from functools import partial

import numpy as np
import torch

from .._engine import LARGEST_SCORE

_BLOCK = 1 << 20  # scores that are converted at once
IGNORED = -(1 << 62)  # a target
_UNDERFLOW = 1e-250  # below, a ratio of probabilities would lose digits


def log_likelihood(model, scores, y):
    """log p of one class a row (n,), and its gradient (n, K); zeros where y is IGNORED."""
    return _of_counted(_kernel(model, scores).log_likelihood, scores, y)


def hessian_product(model, scores, y, v):
    """The second derivative of log p of one class a row, times v: (n, K), zeros likewise."""
    return _of_counted(_kernel(model, scores).hessian_product, scores, y, v)[0]


def proba(model, scores):
    """p (n, K)."""
    return _by_blocks(_kernel(model, scores).proba, scores)[0]


def jacobian_product(model, scores, v):
    """The derivative of p, which is symmetric, times v: (n, K)."""
    return _by_blocks(_kernel(model, scores).jacobian_product, scores, v)[0]


def proba_curvature(model, scores, u, v):
    """The derivative of u^T J v in the scores: (n, K)."""
    return _by_blocks(partial(_proba_curvature, _kernel(model, scores)), scores, u, v)[0]


def potential(model, scores):
    """The potential (n,), and its gradient p (n, K)."""
    return _by_blocks(_kernel(model, scores).potential_and_proba, scores)


def log_proba(model, scores):
    """log p (n, K)."""
    return _by_blocks(_kernel(model, scores).log_proba, scores)[0]


def log_proba_vjp(model, scores, u):
    """sum_i u_i (gradient of log p_i): (n, K)."""
    return _by_blocks(partial(_log_proba_vjp, _kernel(model, scores)), scores, u)[0]


def log_proba_jvp(model, scores, v):
    """(gradient of log p_i) @ v: (n, K)."""
    return _by_blocks(partial(_log_proba_jvp, _kernel(model, scores)), scores, v)[0]


def log_proba_curvature(model, scores, u, v):
    """sum_i u_i (second derivative of log p_i) v: (n, K)."""
    return _by_blocks(partial(_log_proba_curvature, _kernel(model, scores)), scores, u, v)[0]


def _kernel(model, scores):
    return model._kernel(scores.shape[1])


def _of_counted(function, scores, y, *more):
    """What a function of the rows gives that are not ignored, which cost nothing, and zeros."""
    # Operations of NumPy: a batch of a hundred rows would wait for those of PyTorch.
    targets, n_classes = y.detach().numpy(), scores.shape[1]
    if not targets.size or (targets.min() >= 0 and targets.max() < n_classes):
        return _by_blocks(function, scores, y, *more)
    counted = torch.from_numpy(targets != IGNORED)
    if bool(counted.all()):
        wrong = targets[(targets < 0) | (targets >= n_classes)][0]
        raise ValueError(
            f"Target {wrong} is not one of the {n_classes} classes of the scores, 0 to "
            f"{n_classes - 1}, and not ignore_index."
        )
    outs = _of_counted(function, *(tensor[counted] for tensor in (scores, y, *more)))
    full = [out.new_zeros(len(scores), *out.shape[1:]) for out in outs]
    for all_rows, out in zip(full, outs, strict=True):
        all_rows[counted] = out
    return full


def _by_blocks(function, scores, *more):
    """What a function of arrays gives, as tensors like the scores."""
    n, size = len(scores), max(1, _BLOCK // scores.shape[1])
    outs = []
    for start in range(0, max(n, 1), size):
        arrays = [_as_array(tensor[start : start + size]) for tensor in (scores, *more)]
        _check_scores(arrays[0], start)
        results = function(*arrays)
        results = results if isinstance(results, tuple) else (results,)
        tensors = [_as_tensor(result, scores.dtype) for result in results]
        if n <= size:
            return tensors
        if not outs:
            outs = [tensor.new_empty((n, *tensor.shape[1:])) for tensor in tensors]
        for out, tensor in zip(outs, tensors, strict=True):
            out[start : start + size] = tensor
    return outs


def _as_array(tensor):
    tensor = tensor.detach().contiguous()
    return (tensor.double() if tensor.is_floating_point() else tensor).numpy()


def _as_tensor(array, dtype):
    tensor = torch.from_numpy(array).to(dtype)
    # A log that float32 cannot hold is its lowest number: times a weight of 0 it is 0, and not nan.
    return tensor if dtype == torch.float64 else tensor.clamp_(min=torch.finfo(dtype).min)


def _check_scores(scores, start):
    # A nan is neither; two passes without a copy.
    if scores.size and not (scores.max() <= LARGEST_SCORE and scores.min() >= -LARGEST_SCORE):
        good = (np.abs(scores) <= LARGEST_SCORE).all(axis=1)
        row = int(np.flatnonzero(~good)[0])
        raise ValueError(
            f"Row {start + row} of the scores is {np.array2string(scores[row], threshold=8)}: "
            f"scores must be finite, and at most {LARGEST_SCORE:g}. Use a smaller learning rate, "
            "or clip gradients, if they grew while training."
        )


def _proba_curvature(kernel, scores, u, v):
    """p_i = exp(log p_i), whose second derivative is p_i (H_i + g_i g_i^T)."""
    out, p = np.zeros(scores.shape), kernel.proba(scores)
    for i in range(scores.shape[1]):
        rows = np.flatnonzero((u[:, i] != 0) & (p[:, i] > 0))
        if rows.size:
            y, here = np.full(rows.size, i), scores[rows]
            _, gradient = kernel.log_likelihood(here, y)
            curved = kernel.hessian_product(here, y, v[rows])
            curved += gradient * np.sum(gradient * v[rows], axis=1, keepdims=True)
            out[rows] += (u[rows, i] * p[rows, i])[:, None] * curved
    return out


def _log_proba_vjp(kernel, scores, u):
    p, out = kernel.proba(scores), np.zeros(scores.shape)
    far = p < _UNDERFLOW
    out += kernel.jacobian_product(scores, np.where(far, 0.0, u / np.where(far, 1.0, p)))
    for rows, y, gradient in _gradients(kernel, scores, far & (u != 0)):
        np.add.at(out, rows, u[rows, y, None] * gradient)
    return out


def _log_proba_jvp(kernel, scores, v):
    p = kernel.proba(scores)
    far = p < _UNDERFLOW
    out = kernel.jacobian_product(scores, v) / np.where(far, 1.0, p)
    for rows, y, gradient in _gradients(kernel, scores, far):
        out[rows, y] = np.sum(gradient * v[rows], axis=1)
    return out


def _gradients(kernel, scores, which):
    """Gradients of single log probabilities, where p itself underflows."""
    rows, y = np.nonzero(which)
    if rows.size:
        yield rows, y, kernel.log_likelihood(scores[rows], y)[1]


def _log_proba_curvature(kernel, scores, u, v):
    out = np.zeros(scores.shape)
    for i in range(scores.shape[1]):
        rows = np.flatnonzero(u[:, i])
        if rows.size:
            y = np.full(rows.size, i)
            out[rows] += u[rows, i, None] * kernel.hessian_product(scores[rows], y, v[rows])
    return out
