"""Tensors on another device: tables there for smooth noise, and the kernels for all else.

The sums of ``_engine._sums_numpy`` and ``_engine._products`` with PyTorch's operations. Rows that
no table reaches are copied to the CPU and computed there, as are noise with kinks and the rarer
operators: right for every noise, at the price of the way there and back. Gumbel noise is softmax,
and Gaussian noise in float32 one kernel of ``_fused``.

Nothing here depends on the kind of device: the tests run it on the CPU.
"""

from contextlib import contextmanager
from functools import partial

import torch

from .._engine import portable_tables
from . import _fused, _rows
from ._device_table import DeviceTable

_MOST_NUMBERS = 1 << 26  # of one work array of a block of rows
_NOT_COUNTED = -1  # a level
# By tables, level, precision and device: a few MB each.
_TABLES: dict[tuple, DeviceTable | None] = {}


def log_likelihood(model, scores, y):
    """See ``_rows``."""
    law = model._law()
    if _fused.serves(law, scores):
        return _fused.log_likelihood(law, scores, y, partial(_rows.log_likelihood, model))
    counted = y != _rows.IGNORED
    y = torch.where(counted, y, 0)
    if not law.closed_form:
        return _by_tables("log_likelihood", model, scores, y, counted=counted)
    log_p, p = _log_softmax(law, scores)
    gradient, each = -p / law.scale, y[:, None]
    rest = gradient.scatter(1, each, 0.0).sum(1, keepdim=True)
    gradient = torch.where(counted[:, None], gradient.scatter(1, each, -rest), 0.0)
    return torch.where(counted, log_p.gather(1, each)[:, 0], 0.0), gradient


def hessian_product(model, scores, y, v):
    """See ``_rows``."""
    law, counted = model._law(), y != _rows.IGNORED
    if law.closed_form:
        out = -jacobian_product(model, scores, v) / law.scale
        return torch.where(counted[:, None], out, 0.0)
    y = torch.where(counted, y, 0)
    return _by_tables("hessian_product", model, scores, y, v, counted=counted)


def proba(model, scores):
    """See ``_rows``."""
    law = model._law()
    if law.closed_form:
        return _log_softmax(law, scores)[1]
    return _by_tables("proba", model, scores)


def jacobian_product(model, scores, v):
    """See ``_rows``."""
    law = model._law()
    if law.closed_form:
        p = _log_softmax(law, scores)[1]
        return p * (v - (p * v).sum(1, keepdim=True)) / law.scale
    return _by_tables("jacobian_product", model, scores, v)


def log_proba(model, scores):
    """See ``_rows``."""
    law = model._law()
    if law.closed_form:
        return _log_softmax(law, scores)[0]
    return _by_tables("log_proba", model, scores)


def proba_curvature(model, scores, u, v):
    """See ``_rows``."""
    return _on_the_cpu("proba_curvature", model, scores, u, v)


def potential(model, scores):
    """See ``_rows``."""
    return _on_the_cpu("potential", model, scores)


def log_proba_vjp(model, scores, u):
    """See ``_rows``."""
    return _on_the_cpu("log_proba_vjp", model, scores, u)


def log_proba_jvp(model, scores, v):
    """See ``_rows``."""
    return _on_the_cpu("log_proba_jvp", model, scores, v)


def log_proba_curvature(model, scores, u, v):
    """See ``_rows``."""
    return _on_the_cpu("log_proba_curvature", model, scores, u, v)


def _log_softmax(law, scores):
    lowest = torch.finfo(scores.dtype).min
    below = ((scores - scores.amax(1, keepdim=True)) / law.scale).clamp_min(lowest)
    # As in ``_rows``: times a weight of 0, the lowest number is 0, and not nan.
    log_p = torch.log_softmax(below, dim=1).clamp_min(lowest)
    return log_p, log_p.exp()


def _on_the_cpu(name, model, *tensors):
    device = tensors[0].device
    results = getattr(_rows, name)(model, *(tensor.cpu() for tensor in tensors))
    if isinstance(results, torch.Tensor):
        return results.to(device)
    return [result.to(device) for result in results]


def _by_tables(name, model, scores, *more, counted=None):
    """An operator, each row by the table that reaches it, and by the kernel if there is none.

    Rows that are not counted get zeros, whatever their scores are.
    """
    law, n_classes, double = model._law(), scores.shape[1], scores.dtype == torch.float64
    # For two classes the kernel is more precise than any table of this kind.
    tables = None if double and n_classes == 2 else portable_tables(law, n_classes, not double)
    of_one_class = name in ("log_likelihood", "hessian_product")
    if tables is not None and tables.thin and of_one_class:
        lowest = scores.gather(1, more[0][:, None])[:, 0]
    else:
        lowest = scores.amin(1)
    depth = (scores.amax(1) - lowest) / law.scale
    reaches = torch.as_tensor(() if tables is None else tables.reaches, dtype=depth.dtype)
    level_of = torch.searchsorted(reaches.to(depth.device), depth)
    if counted is not None:
        level_of = torch.where(counted, level_of, _NOT_COUNTED)
    outs = [torch.zeros_like(scores)]
    if name == "log_likelihood":
        outs.insert(0, scores.new_zeros(len(scores)))
    # The one thing here that waits for the device.
    for level in torch.unique(level_of).tolist():
        if level == _NOT_COUNTED:
            continue
        table = None if tables is None else _table(tables, level, scores)
        if table is None:
            size, compute = len(scores), partial(_on_the_cpu, name, model)
        else:
            size = max(1, _MOST_NUMBERS // max(table.n_grid, table.n_nodes, 8 * n_classes))
            compute = partial(_by_table, name, table, law.scale)
        for rows in (level_of == level).nonzero()[:, 0].split(size):
            results = compute(*(tensor[rows] for tensor in (scores, *more)))
            results = [results] if isinstance(results, torch.Tensor) else results
            for out, result in zip(outs, results, strict=True):
                out[rows] = result
    return outs if name == "log_likelihood" else outs[0]


def _by_table(name, table, unit, scores, *more):
    """An operator of a block of rows; derivatives in the scores' own unit."""
    # Differences before the unit: fewer roundings.
    scaled = (scores - scores.amax(1, keepdim=True)) / unit
    with _full_precision(scores.device):
        results = getattr(table, name)(scaled, *more)
    if name == "log_likelihood":
        return results[0], results[1] / unit
    powers = {"hessian_product": 2, "jacobian_product": 1}
    return results / unit ** powers.get(name, 0)


@contextmanager
def _full_precision(device):
    """Products without TF32 and without autocast, which would cost three digits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _table(tables, level, like):
    """The table of a level on the scores' device; None if there is none."""
    if level >= len(tables.reaches):
        return None
    key = tables.key, level, like.dtype, like.device
    if key not in _TABLES:
        table = tables.table(level)
        _TABLES[key] = table if table is None else DeviceTable(table, like.dtype, like.device)
    return _TABLES[key]
