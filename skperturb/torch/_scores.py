"""What losses and layers share: the model as a part of a module, and scores as rows."""

import torch
from torch import nn

from . import _ops


class OfModel(nn.Module):
    """A module of one probability model.

    Parameters
    ----------
    model : PerturbArgmax or PerturbSoftmax

    Attributes
    ----------
    model : PerturbArgmax or PerturbSoftmax
    law : str
        Under which the operators find the model.
    """

    def __init__(self, model):
        super().__init__()
        if model._law().discrete:
            raise ValueError(
                f"The probabilities of {model!r} are step functions of the scores: their gradient "
                "is zero. Use noise without atoms, or Perturb-Softmax."
            )
        self.model = model
        self.law = _ops.register(model)

    def __setstate__(self, state):
        super().__setstate__(state)
        self.law = _ops.register(self.model)  # in a process that has not seen it

    def extra_repr(self) -> str:
        """What the repr shows.

        Returns
        -------
        str
            The model.
        """
        return repr(self.model)


def as_rows(scores, dim):
    """The shape without the classes, and scores as rows (n, C) of at least single precision."""
    if not scores.is_floating_point():
        raise TypeError(f"scores must be floating-point numbers, got {scores.dtype}.")
    if scores.dim() == 0 or scores.shape[dim] < 2:
        raise ValueError(
            f"scores must have at least two classes in dimension {dim}; their shape is "
            f"{tuple(scores.shape)}."
        )
    moved = scores.movedim(dim, -1)
    flat = moved.reshape(-1, moved.shape[-1])
    if flat.dtype not in (torch.float32, torch.float64):
        flat = flat.float()
    return moved.shape[:-1], flat
