"""Layers that return class probabilities, or draw classes."""

from __future__ import annotations  # as text: the reference is made without torch

import numpy as np
import torch
from torch import Tensor, nn

from .. import models
from ..models import NoiseLike
from . import _ops
from ._scores import OfModel, as_rows

_FORMS = ("exact", "straight_through", "relaxed")


class _Layer(OfModel):
    """What both layers share.

    Parameters
    ----------
    model : PerturbArgmax or PerturbSoftmax of skperturb.models
    dim : int
    """

    def __init__(self, model, dim):
        super().__init__(model)
        self.dim = dim

    def forward(self, scores: Tensor) -> Tensor:
        """Class probabilities, differentiable twice.

        Parameters
        ----------
        scores : Tensor
            Finite scores, of at least two classes in dimension ``dim``.

        Returns
        -------
        Tensor of the shape of scores
            They sum to one over the classes.

        Raises
        ------
        ValueError
            If there are fewer than two classes, or (on the CPU) a score is not finite.
        """
        return self._by_rows(_ops.proba, scores)

    def log_proba(self, scores: Tensor) -> Tensor:
        """Log of the class probabilities, accurate where the probability underflows.

        Parameters
        ----------
        scores : Tensor
            As for :meth:`forward`.

        Returns
        -------
        Tensor of the shape of scores
            Logarithms.
        """
        return self._by_rows(_ops.log_proba, scores)

    def _by_rows(self, operator, scores):
        shape, flat = as_rows(scores, self.dim)
        out = operator(flat, self.law)
        return out.reshape(*shape, flat.shape[1]).movedim(-1, self.dim)

    def _sample(self, scores, form, temperature, gumbel, generator):
        """A draw: `temperature` is that of the relaxation, `gumbel` that of the hard class."""
        if form not in _FORMS:
            raise ValueError(f"form must be one of {_FORMS}, got {form!r}.")
        shape, flat = as_rows(scores, self.dim)
        noisy = flat + self._noise(flat, generator)
        relaxed = torch.softmax(noisy / temperature, dim=1) if form != "exact" else None
        if form == "relaxed":
            out = relaxed
        else:
            if gumbel:
                # The softmax's own choice: argmax with Gumbel noise of its temperature.
                noisy = noisy + gumbel * self._gumbel(flat, generator)
            hard = nn.functional.one_hot(noisy.detach().argmax(1), flat.shape[1]).to(flat.dtype)
            out = hard
            if torch.is_grad_enabled():
                smooth = relaxed if form == "straight_through" else _ops.proba(flat, self.law)
                out = hard + (smooth - smooth.detach())
        return out.reshape(*shape, flat.shape[1]).movedim(-1, self.dim)

    def _noise(self, like, generator):
        seed = torch.randint(2**32, (), generator=generator, device=_device_of(generator))
        rng = np.random.RandomState(int(seed))
        return torch.as_tensor(self.model.noise.rvs(tuple(like.shape), rng)).to(like)

    def _gumbel(self, like, generator):
        uniform = torch.rand(like.shape, generator=generator, device=_device_of(generator))
        return -torch.log(-torch.log(uniform.clamp(1e-30, 1 - 1e-7))).to(like)


def _device_of(generator):
    return "cpu" if generator is None else generator.device


class PerturbArgmax(_Layer):
    """Probabilities P(argmax(scores + noise) = i) as a layer, in the place of softmax.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        See :class:`skperturb.PerturbArgmax`; without atoms.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale; in the units of the scores.
    dim : int, default=-1
        Dimension of the classes.

    Raises
    ------
    ValueError
        If a parameter is not valid, or the noise has atoms.

    Examples
    --------
    >>> import torch
    >>> from skperturb.torch import PerturbArgmax
    >>> layer = PerturbArgmax("gaussian")
    >>> layer(torch.tensor([1.0, 0.0, -1.0]).double()).round(decimals=4).tolist()
    [0.7288, 0.2241, 0.0472]
    """

    def __init__(
        self, noise: NoiseLike = "gaussian", *, noise_scale: float = 1.0, dim: int = -1
    ) -> None:
        super().__init__(models.PerturbArgmax(noise, noise_scale), dim)

    def sample(
        self,
        scores: Tensor,
        form: str = "exact",
        *,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw a class for every row, as a vector with a gradient.

        Parameters
        ----------
        scores : Tensor
            As for :meth:`forward`.
        form : {"exact", "straight_through", "relaxed"}, default="exact"
            "exact": the class of argmax(scores + noise) as a vector of 0 and 1, whose gradient is
            that of its expectation p, so that the mean gradient of whatever is linear in the
            vector is exact; of other functions it has a bias, as with the other forms (an estimate
            without bias from :meth:`log_proba`: ``examples/torch_autoencoder.py``).
            "straight_through": the same vector with the gradient of "relaxed".
            "relaxed": softmax((scores + noise) / temperature).
        temperature : float, default=1.0
            Of the relaxation; "exact" does not use it.
        generator : torch.Generator, default=None
            Source of the draws; PyTorch's own if None.

        Returns
        -------
        Tensor of the shape of scores
            It sums to one over the classes.

        Raises
        ------
        ValueError
            If the form is unknown, or the temperature not positive.
        """
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature!r}.")
        return self._sample(scores, form, temperature, 0.0, generator)


class PerturbSoftmax(_Layer):
    """Probabilities E[softmax((scores + noise) / temperature)] as a layer, in the place of softmax.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        See :class:`skperturb.PerturbSoftmax`.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale; in the units of the scores.
    temperature : float, default=1.0
        In the units of the scores.
    dim : int, default=-1
        Dimension of the classes.

    Raises
    ------
    ValueError
        If a parameter is not valid.

    Examples
    --------
    >>> import torch
    >>> from skperturb.torch import PerturbSoftmax
    >>> layer = PerturbSoftmax("gaussian", temperature=0.5)
    >>> layer(torch.tensor([1.0, 0.0, -1.0]).double()).round(decimals=4).tolist()
    [0.6777, 0.2492, 0.0731]
    """

    def __init__(
        self,
        noise: NoiseLike = "gaussian",
        *,
        noise_scale: float = 1.0,
        temperature: float = 1.0,
        dim: int = -1,
    ) -> None:
        super().__init__(models.PerturbSoftmax(noise, noise_scale, temperature), dim)

    def sample(
        self,
        scores: Tensor,
        form: str = "relaxed",
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw a vector for every row.

        Parameters
        ----------
        scores : Tensor
            As for :meth:`forward`.
        form : {"relaxed", "straight_through", "exact"}, default="relaxed"
            "relaxed": softmax((scores + noise) / temperature), whose mean is p.
            "straight_through": a class drawn from that vector, as a vector of 0 and 1, with its
            gradient. "exact": the same with the gradient of p.
        generator : torch.Generator, default=None
            Source of the draws; PyTorch's own if None.

        Returns
        -------
        Tensor of the shape of scores
            It sums to one over the classes.

        Raises
        ------
        ValueError
            If the form is unknown.
        """
        temperature = self.model.temperature
        return self._sample(scores, form, temperature, temperature, generator)
