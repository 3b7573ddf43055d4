"""Losses and layers for PyTorch: the likelihood of noise on the scores of a network, exact.

Replace ``torch.nn.CrossEntropyLoss`` by :class:`PerturbArgmaxLoss`. Tensors on the CPU go through
the compiled kernels of the library, those on a GPU through tables there; the page "Networks" of
the documentation says what is fast, and how precise it is.
"""

try:
    import torch
except ImportError as error:
    raise ImportError(
        "skperturb.torch needs the package torch; install it with pip install 'skperturb[torch]'."
    ) from error

from ._layers import PerturbArgmax, PerturbSoftmax
from ._losses import FenchelYoungLoss, PerturbArgmaxLoss, PerturbSoftmaxLoss

__all__ = [
    "FenchelYoungLoss",
    "PerturbArgmax",
    "PerturbArgmaxLoss",
    "PerturbSoftmax",
    "PerturbSoftmaxLoss",
]

del torch
