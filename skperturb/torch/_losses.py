"""Losses in the place of ``torch.nn.CrossEntropyLoss``."""

from __future__ import annotations  # as text: the reference is made without torch

from abc import abstractmethod

import torch
from torch import Tensor

from ..models import NoiseLike, PerturbArgmax, PerturbSoftmax
from . import _ops
from ._rows import IGNORED
from ._scores import OfModel, as_rows

_REDUCTIONS = ("mean", "sum", "none")


class _Loss(OfModel):
    """What the losses share: targets, weights and reductions as CrossEntropyLoss has them."""

    weight: Tensor | None

    def __init__(self, model, weight, ignore_index, reduction, label_smoothing):
        super().__init__(model)
        if reduction not in _REDUCTIONS:
            raise ValueError(f"reduction must be one of {_REDUCTIONS}, got {reduction!r}.")
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing!r}.")
        if weight is not None and (weight.dim() != 1 or not bool((weight >= 0).all())):
            raise ValueError("weight must be a tensor of one number for each class, none negative.")
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    @abstractmethod
    def _of_classes(self, scores, y):
        """Loss of one class a row (n,), zero where y is IGNORED."""

    @abstractmethod
    def _of_shares(self, scores, shares):
        """Sum over the classes of a row's shares times their losses (n,)."""

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        """The loss of scores.

        Parameters
        ----------
        scores : Tensor of shape (C,), (N, C) or (N, C, d1, ...)
            Scores of at least two classes.
        target : Tensor of shape (), (N,) or (N, d1, ...), int; or of the shape of scores, float
            Class numbers, or probabilities of the classes.

        Returns
        -------
        Tensor
            A number, or the losses of the target's rows with ``reduction="none"``; float32 for
            scores of half precision.

        Raises
        ------
        ValueError
            If the shapes do not fit, a target is no class, or a score is not finite; the last two
            on the CPU and of the fused kernel only: elsewhere, asking a GPU would wait for it.
        """
        of_rows, flat = as_rows(scores, 0 if scores.dim() == 1 else 1)
        if target.is_floating_point():
            losses, total = self._soft(scores, target, flat)
        else:
            losses, total = self._hard(scores, target, flat)
        if self.reduction == "none":
            return losses.reshape(of_rows)
        if self.reduction == "sum":
            return losses.sum()
        # No row that counts: 0, and not 0 / 0.
        return losses.sum() / torch.where(total > 0, total, torch.ones_like(total))

    def _soft(self, scores, target, flat):
        """Losses of rows whose target is a row of probabilities, and their number."""
        if target.shape != scores.shape:
            raise ValueError(
                f"Targets that are probabilities have the shape of the scores, "
                f"{tuple(scores.shape)}; got {tuple(target.shape)}. Class numbers are integers."
            )
        shares = as_rows(target, 0 if target.dim() == 1 else 1)[1].to(flat.dtype)
        shares = shares * (1 - self.label_smoothing) + self.label_smoothing / flat.shape[1]
        if self.weight is not None:
            shares = shares * self._weight_for(flat)
        return self._of_shares(flat, shares), flat.new_tensor(len(flat))

    def _hard(self, scores, target, flat):
        """Losses of rows whose target is a class number, and the sum of their weights."""
        shape = scores.shape[:1] + scores.shape[2:] if scores.dim() > 1 else ()
        if target.shape != shape:
            raise ValueError(
                f"Scores of shape {tuple(scores.shape)} want class numbers of shape "
                f"{tuple(shape)}; got {tuple(target.shape)}."
            )
        target = target.reshape(-1).long()
        counts = target != self.ignore_index
        losses = self._of_classes(flat, torch.where(counts, target, IGNORED))
        if self.weight is None:
            total = counts.sum().to(losses.dtype)
        else:
            weight = counts * self._weight_for(flat)[torch.where(counts, target, 0)]
            losses, total = weight * losses, weight.sum()
        if self.label_smoothing > 0:
            # What is ignored may hold anything.
            flat = torch.where(counts[:, None], flat, 0.0)
            each = torch.ones_like(flat) if self.weight is None else self._weight_for(flat)
            spread = self._of_shares(flat, counts[:, None] * each / flat.shape[1])
            losses = (1 - self.label_smoothing) * losses + self.label_smoothing * spread
        return losses, total

    def _weight_for(self, flat):
        if self.weight.shape != flat.shape[1:]:
            raise ValueError(
                f"weight has {len(self.weight)} numbers, and the scores have {flat.shape[1]} "
                "classes."
            )
        return self.weight.to(flat.dtype)

    def extra_repr(self) -> str:
        """What the repr shows.

        Returns
        -------
        str
            The model and the reduction.
        """
        return f"{super().extra_repr()}, reduction={self.reduction!r}"


class _LogLoss(_Loss):
    """-log p, the exact likelihood."""

    def _of_classes(self, scores, y):
        return -_ops.log_likelihood(scores, y, self.law)[0]

    def _of_shares(self, scores, shares):
        log_p = _ops.log_proba(scores, self.law)
        # A class of no share counts nothing, whatever its log is.
        return -torch.where(shares != 0, shares * log_p, 0.0).sum(1)


_PARAMETERS = """weight : Tensor of shape (C,), default=None
        Weight of each class, a buffer of the module.
    ignore_index : int, default=-100
        Target that does not count.
    reduction : {"mean", "sum", "none"}, default="mean"
        Mean over the weights of the targets (over the rows, where targets are probabilities), sum,
        or a loss for every row. The mean of no rows is 0.
    label_smoothing : float, default=0.0
        Share of a target that is spread evenly over the classes. It needs the probabilities of all
        classes, and costs as much again."""


class PerturbArgmaxLoss(_LogLoss):
    __doc__ = f"""Minus the log of P(argmax(scores + noise) = target), exact.

    In the place of ``torch.nn.CrossEntropyLoss``, which it is for ``noise="gumbel"``. Gaussian
    noise makes of a network's last layer a multinomial probit; Student-t noise bounds the pull of
    a wrong label. Value, gradient and Hessian products are computed by quadrature, the same in
    every run.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        See :class:`skperturb.PerturbArgmax`; neither bounded nor with atoms.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale; in the units of the scores.
    {_PARAMETERS}

    Raises
    ------
    ValueError
        If a parameter is not valid, or the noise is bounded or has atoms: with bounded noise the
        class seen can have probability zero. :class:`FenchelYoungLoss` is finite there.

    See Also
    --------
    skperturb.PerturbArgmaxClassifier : The same likelihood of scores that are linear in features.

    Examples
    --------
    >>> import torch
    >>> from skperturb.torch import PerturbArgmaxLoss
    >>> scores = torch.tensor([[1.0, 0.0, -1.0]]).double().requires_grad_()
    >>> loss = PerturbArgmaxLoss("gaussian")(scores, torch.tensor([0]))
    >>> loss.backward()
    >>> round(loss.item(), 6), scores.grad.round(decimals=4).tolist()
    (0.316423, [[-0.3394, 0.2682, 0.0712]])
    """

    def __init__(
        self,
        noise: NoiseLike = "gaussian",
        *,
        noise_scale: float = 1.0,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        model = PerturbArgmax(noise, noise_scale)
        if model.noise.bounded or model.noise.atoms:
            raise ValueError(
                f"With the noise {model.noise}, which is bounded or has atoms, the class seen can "
                "have probability zero, and its log no slope. Use FenchelYoungLoss, which is "
                "finite there, PerturbSoftmaxLoss, or noise that is not bounded."
            )
        super().__init__(model, weight, ignore_index, reduction, label_smoothing)


class PerturbSoftmaxLoss(_LogLoss):
    __doc__ = f"""Minus the log of E[softmax((scores + noise) / temperature)] at the target, exact.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        See :class:`skperturb.PerturbSoftmax`.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale; in the units of the scores.
    temperature : float, default=1.0
        In the units of the scores.
    {_PARAMETERS}

    Raises
    ------
    ValueError
        If a parameter is not valid.

    Examples
    --------
    >>> import torch
    >>> from skperturb.torch import PerturbSoftmaxLoss
    >>> loss = PerturbSoftmaxLoss("gaussian", temperature=0.5)
    >>> round(loss(torch.tensor([[1.0, 0.0, -1.0]]).double(), torch.tensor([0])).item(), 6)
    0.389055
    """

    def __init__(
        self,
        noise: NoiseLike = "gaussian",
        *,
        noise_scale: float = 1.0,
        temperature: float = 1.0,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        model = PerturbSoftmax(noise, noise_scale, temperature)
        super().__init__(model, weight, ignore_index, reduction, label_smoothing)


class FenchelYoungLoss(_Loss):
    __doc__ = f"""The potential of the scores less the score of the target, which is convex.

    Its gradient is p - target. It is the Fenchel-Young loss of Berthet et al. (2020), "Learning
    with differentiable perturbed optimizers", up to a constant, with the exact p in the place of a
    mean over draws, and finite for every noise.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        See :class:`skperturb.PerturbArgmax`; without atoms if there is no temperature.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale; in the units of the scores.
    temperature : float or None, default=None
        None for Perturb-Argmax; a number for Perturb-Softmax of this temperature.
    {_PARAMETERS}

    Raises
    ------
    ValueError
        If a parameter is not valid, or Perturb-Argmax has noise with atoms, whose p has no slope.

    Examples
    --------
    >>> import torch
    >>> from skperturb.torch import FenchelYoungLoss
    >>> scores = torch.tensor([[1.0, 0.0, -1.0]]).double().requires_grad_()
    >>> FenchelYoungLoss("uniform")(scores, torch.tensor([0])).backward()
    >>> scores.grad.round(decimals=4).tolist()
    [[-0.125, 0.125, 0.0]]
    """

    def __init__(
        self,
        noise: NoiseLike = "gaussian",
        *,
        noise_scale: float = 1.0,
        temperature: float | None = None,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        if temperature is None:
            model: PerturbArgmax | PerturbSoftmax = PerturbArgmax(noise, noise_scale)
        else:
            model = PerturbSoftmax(noise, noise_scale, temperature)
        super().__init__(model, weight, ignore_index, reduction, label_smoothing)

    def _of_classes(self, scores, y):
        counts = y != IGNORED
        scores, y = torch.where(counts[:, None], scores, 0.0), torch.where(counts, y, 0)
        height = _ops.potential(scores, self.law)[0]
        return torch.where(counts, height - scores.gather(1, y[:, None])[:, 0], 0.0)

    def _of_shares(self, scores, shares):
        height = _ops.potential(scores, self.law)[0]
        return shares.sum(1) * height - (shares * scores).sum(1)
