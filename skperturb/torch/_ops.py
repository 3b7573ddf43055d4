"""The operators of PyTorch, and how they are differentiated.

An operator takes scores (n, K), further tensors of n rows and the name of a law, under which
:func:`register` keeps the model; ``_rows`` computes it on the CPU and ``_device`` elsewhere. The
gradient of a likelihood or a potential is an *output* of the operator that gives the value:
differentiating once costs nothing more, and a second derivative arrives as a cotangent of that
output and is answered by a product with the exact Hessian. Third derivatives are refused.

Each is a custom operator, which ``torch.compile`` leaves whole and whose compiled program names the
law by value, within an ``autograd.Function``, which ``torch.func`` can differentiate and map.
"""

import torch
from torch import Tensor

from ..models import PerturbArgmax, PerturbSoftmax
from . import _device, _rows

_DERIVATIVES = {
    "hessian_product",
    "jacobian_product",
    "proba_curvature",
    "log_proba_vjp",
    "log_proba_jvp",
    "log_proba_curvature",
}
_MODELS: dict[
    str, PerturbArgmax | PerturbSoftmax
] = {}  # by the name of their law: one entry for each law that a process uses


def register(model):
    """The name under which operators find a model: equal for equal laws, in every process."""
    law = repr(model._law().key())
    _MODELS.setdefault(law, model)
    return law


def _compute(name, law, scores, *more):
    where = _rows if scores.device.type == "cpu" else _device
    return getattr(where, name)(_MODELS[law], scores, *more)


def _operator(function, outputs, backward=None):
    """A differentiable operator of rows.

    Parameters
    ----------
    function : callable
        Its annotations are the signature; the name of the law comes last.
    outputs : str
        "1" for one number a row, "K" for a row of the scores' shape: a letter for each output.
    backward : callable, default=None
        backward(tensors, law, cotangents) -> cotangents of the tensors, None where there is none;
        `tensors` are the inputs, and the outputs after them if there are several. Without it the
        operator refuses to be differentiated.

    Returns
    -------
    callable
        Of the arguments of `function`.
    """
    name = function.__name__.removeprefix("_")
    custom = torch.library.custom_op(f"skperturb::{name}", function, mutates_args=())

    @custom.register_fake
    def _(scores, *more):
        shapes = {"1": scores.shape[:1], "K": scores.shape}
        outs = tuple(scores.new_empty(shapes[letter]) for letter in outputs)
        return outs if len(outs) > 1 else outs[0]

    opaque = getattr(torch.ops.skperturb, name).default

    class Operator(torch.autograd.Function):
        @staticmethod
        def forward(*arguments):
            return opaque(*arguments)

        @staticmethod
        def setup_context(ctx, inputs, output):
            *tensors, ctx.law = inputs
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(*tensors, *(output if isinstance(output, tuple) else ()))

        @staticmethod
        def backward(ctx, *cotangents):
            if backward is None:
                raise NotImplementedError(
                    "Third derivatives are not computed: differentiate a loss or a layer twice at "
                    "most."
                )
            return *backward(ctx.saved_tensors, ctx.law, cotangents), None

        @staticmethod
        def vmap(info, in_dims, *arguments):
            *tensors, law = arguments
            together = []
            for tensor, dim in zip(tensors, in_dims, strict=False):
                if dim is None:
                    tensor = tensor.expand(info.batch_size, *tensor.shape)
                else:
                    tensor = tensor.movedim(dim, 0)
                together.append(tensor.flatten(0, 1))
            outs = Operator.apply(*together, law)
            shape = info.batch_size, len(together[0]) // max(info.batch_size, 1)
            if isinstance(outs, Tensor):
                return outs.unflatten(0, shape), 0
            return tuple(out.unflatten(0, shape) for out in outs), (0,) * len(outs)

    def operator(*arguments):
        # A compiled program has first derivatives only, and calls these within them.
        if name in _DERIVATIVES and torch.compiler.is_compiling():
            return opaque(*arguments)
        return Operator.apply(*arguments)

    return operator


def _sum(*terms):
    """Of those that are not None."""
    terms = [term for term in terms if term is not None]
    return sum(terms[1:], terms[0]) if terms else None


def _log_likelihood(scores: Tensor, y: Tensor, law: str) -> tuple[Tensor, Tensor]:
    return tuple(_compute("log_likelihood", law, scores, y))


def _of_log_likelihood(tensors, law, cotangents):
    (scores, y, _, gradient), (of_log_p, of_gradient) = tensors, cotangents
    first = None if of_log_p is None else of_log_p[:, None] * gradient
    second = None if of_gradient is None else hessian_product(scores, y, of_gradient, law)
    return _sum(first, second), None


def _hessian_product(scores: Tensor, y: Tensor, v: Tensor, law: str) -> Tensor:
    return _compute("hessian_product", law, scores, y, v)


def _proba(scores: Tensor, law: str) -> Tensor:
    return _compute("proba", law, scores)


def _of_proba(tensors, law, cotangents):
    return (_product_or_none(tensors[0], cotangents[0], law),)


def _jacobian_product(scores: Tensor, v: Tensor, law: str) -> Tensor:
    return _compute("jacobian_product", law, scores, v)


def _of_jacobian_product(tensors, law, cotangents):
    (scores, v), (u,) = tensors, cotangents
    if u is None:
        return None, None
    return proba_curvature(scores, u, v, law), jacobian_product(scores, u, law)


def _proba_curvature(scores: Tensor, u: Tensor, v: Tensor, law: str) -> Tensor:
    return _compute("proba_curvature", law, scores, u, v)


def _potential(scores: Tensor, law: str) -> tuple[Tensor, Tensor]:
    return tuple(_compute("potential", law, scores))


def _of_potential(tensors, law, cotangents):
    (scores, _, p), (of_height, of_p) = tensors, cotangents
    first = None if of_height is None else of_height[:, None] * p
    return (_sum(first, _product_or_none(scores, of_p, law)),)


def _log_proba(scores: Tensor, law: str) -> Tensor:
    return _compute("log_proba", law, scores)


def _of_log_proba(tensors, law, cotangents):
    (scores, *_), (u,) = tensors, cotangents
    return (None if u is None else log_proba_vjp(scores, u, law),)


def _log_proba_vjp(scores: Tensor, u: Tensor, law: str) -> Tensor:
    return _compute("log_proba_vjp", law, scores, u)


def _of_log_proba_vjp(tensors, law, cotangents):
    (scores, u, *_), (v,) = tensors, cotangents
    if v is None:
        return None, None
    return log_proba_curvature(scores, u, v, law), log_proba_jvp(scores, v, law)


def _log_proba_jvp(scores: Tensor, v: Tensor, law: str) -> Tensor:
    return _compute("log_proba_jvp", law, scores, v)


def _of_log_proba_jvp(tensors, law, cotangents):
    (scores, v, *_), (u,) = tensors, cotangents
    if u is None:
        return None, None
    return log_proba_curvature(scores, u, v, law), log_proba_vjp(scores, u, law)


def _log_proba_curvature(scores: Tensor, u: Tensor, v: Tensor, law: str) -> Tensor:
    return _compute("log_proba_curvature", law, scores, u, v)


def _product_or_none(scores, v, law):
    return None if v is None else jacobian_product(scores, v, law)


log_likelihood = _operator(_log_likelihood, "1K", _of_log_likelihood)
hessian_product = _operator(_hessian_product, "K")
proba = _operator(_proba, "K", _of_proba)
jacobian_product = _operator(_jacobian_product, "K", _of_jacobian_product)
proba_curvature = _operator(_proba_curvature, "K")
potential = _operator(_potential, "1K", _of_potential)
log_proba = _operator(_log_proba, "K", _of_log_proba)
log_proba_vjp = _operator(_log_proba_vjp, "K", _of_log_proba_vjp)
log_proba_jvp = _operator(_log_proba_jvp, "K", _of_log_proba_jvp)
log_proba_curvature = _operator(_log_proba_curvature, "K")
