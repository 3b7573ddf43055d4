"""Gaussian noise of few classes in float32 on a GPU: one kernel, scores in, log p and gradient out.

No table. A program takes a few rows; the winning value runs over NODES equidistant values in a
window about the integrand's peak, which Newton's method finds from the middle between the class
asked for and the best. The integrand f is log-concave with (log f)'' <= -1, and more curved to the
left: 5.7 to the right, and 5.7 times the width at the peak to the left, it has fallen by 1e-7. The
trapezoid rule is exact to all digits of float32 there.

With t = 1 / (1 + x / 2), erfc(x) = t exp(-x^2 + P(t)) to 1.2e-7 of itself for every x >= 0 (Press
et al., Numerical Recipes, 6.2, from a Chebyshev fit). Its log needs no further function, and the
left tail of log Phi loses no digits.
"""

import torch

from ..noise import Gaussian

try:
    import triton
    import triton.language as tl
except ImportError:  # on other platforms than Linux, say
    triton = None

MOST_CLASSES = 12
NODES = 32
_REACH = 5.7  # of the window
_DEEPEST = 1e3  # depth, beyond which the kernels of the CPU take a row
_STEPS = 4  # of Newton's method
_ROWS = 16  # of a program


def serves(law, scores):
    """Whether there is a fused kernel for scores of a law."""
    return (
        triton is not None
        and scores.is_cuda
        and scores.dtype == torch.float32
        and scores.shape[1] <= MOST_CLASSES
        and isinstance(law, Gaussian)
    )


def log_likelihood(law, scores, y, of_deep_rows):
    """log p of one class a row (n,), and its gradient (n, K).

    Parameters
    ----------
    law : Law
        Gaussian noise.
    scores : Tensor of shape (n, K), float32
    y : Tensor of shape (n,), int64
    of_deep_rows : callable
        Takes scores and y on the CPU; for rows beyond the fused kernel.

    Returns
    -------
    list of two Tensors
    """
    n, n_classes = scores.shape
    scores = scores.contiguous()
    log_p, gradient = scores.new_empty(n), torch.empty_like(scores)
    if n:
        programs = (triton.cdiv(n, _ROWS),)
        results, unit = (log_p, gradient), 1 / law.scale
        _sums[programs](scores, y, *results, n, n_classes, unit, _REACH, _STEPS, NODES, _ROWS)
    gradient /= law.scale
    depth = scores.amax(1) - scores.gather(1, y[:, None])[:, 0]
    deep = ~(depth <= _DEEPEST * law.scale)
    if bool(deep.any()):  # the one thing here that waits for the device
        results = of_deep_rows(scores[deep].cpu(), y[deep].cpu())
        log_p[deep], gradient[deep] = (result.to(scores.device) for result in results)
    return [log_p, gradient]


if triton is not None:

    @triton.jit
    def _log_cdf(x):
        """log Phi(x)."""
        a = tl.abs(x) * 0.7071067811865476
        t = 1.0 / (1.0 + 0.5 * a)
        p = -0.82215223 + t * 0.17087277
        p = 1.48851587 + t * p
        p = -1.13520398 + t * p
        p = 0.27886807 + t * p
        p = -0.18628806 + t * p
        p = 0.09678418 + t * p
        p = 0.37409196 + t * p
        p = 1.00002368 + t * p
        p = -1.26551223 + t * p
        log_tail = tl.log(t) + p - 0.5 * x * x - 0.6931471805599453
        tail = tl.exp(log_tail)
        # log(1 - q) without the rounding of 1 - q.
        of_rest = tl.where(tail < 1e-3, -tail * (1.0 + 0.5 * tail), tl.log(1.0 - tail))
        return tl.where(x > 0, of_rest, log_tail)

    @triton.jit
    def _hazard(x, log_cdf):
        """phi(x) / Phi(x)."""
        return tl.exp(-0.5 * x * x - 0.9189385332046727 - log_cdf)

    @triton.jit
    def _sums(  # type: ignore[no-untyped-def]
        scores,
        targets,
        log_p,
        gradient,
        n,
        n_classes,
        unit,
        reach,
        steps,
        nodes: tl.constexpr,
        rows: tl.constexpr,
    ):
        row = tl.program_id(0) * rows + tl.arange(0, rows)
        inside = row < n
        y = tl.load(targets + row, mask=inside, other=0)
        own = tl.load(scores + row * n_classes + y, mask=inside, other=0.0)
        best = own
        # Loops over the classes, not unrolled: one program for every number of them.
        for j in range(n_classes):
            best = tl.maximum(best, tl.load(scores + row * n_classes + j, mask=inside, other=0.0))
        # Differences in float64 up to a last rounding: log p falls by their square.
        middle = 0.5 * (best.to(tl.float64) + own.to(tl.float64))
        half = (unit * (middle - own.to(tl.float64))).to(tl.float32)
        # The peak, and the curvature there.
        peak = tl.zeros((rows,), tl.float32)
        curvature = tl.full((rows,), 1.0, tl.float32)
        for _ in range(steps):
            slope = -half - peak
            curvature = tl.full((rows,), 1.0, tl.float32)
            for j in range(n_classes):
                score = tl.load(scores + row * n_classes + j, mask=inside, other=0.0)
                x = peak + (unit * (middle - score.to(tl.float64))).to(tl.float32)
                hazard = tl.where(y != j, _hazard(x, _log_cdf(x)), 0.0)
                slope += hazard
                curvature += hazard * (x + hazard)
            peak += slope / curvature
        width = reach / tl.sqrt(curvature)
        spacing = (width + reach) / (nodes - 1)
        t = (peak - width)[:, None] + spacing[:, None] * tl.arange(0, nodes)[None, :]
        # log of the density of y less that at the middle, times the CDF of the others.
        exponent = -(half[:, None] + 0.5 * t) * t
        for j in range(n_classes):
            score = tl.load(scores + row * n_classes + j, mask=inside, other=0.0)
            x = t + (unit * (middle - score.to(tl.float64))).to(tl.float32)[:, None]
            exponent += tl.where((y != j)[:, None], _log_cdf(x), 0.0)
        top = tl.max(exponent, 1)
        share = tl.exp(exponent - top[:, None])
        total = tl.sum(share, 1)
        share = share / total[:, None]
        exact_half = unit * (middle - own.to(tl.float64))
        of_middle = -0.5 * exact_half * exact_half
        log_sum = (top + tl.log(total * spacing)).to(tl.float64) - 0.9189385332046727
        log_p_of_row = tl.minimum(of_middle + log_sum, 0.0).to(tl.float32)
        tl.store(log_p + row, log_p_of_row, mask=inside)
        sum_of_others = tl.zeros((rows,), tl.float32)
        for j in range(n_classes):
            score = tl.load(scores + row * n_classes + j, mask=inside, other=0.0)
            x = t + (unit * (middle - score.to(tl.float64))).to(tl.float32)[:, None]
            mean = tl.where(y == j, 0.0, tl.sum(share * _hazard(x, _log_cdf(x)), 1))
            sum_of_others += mean
            tl.store(gradient + row * n_classes + j, -mean, mask=inside & (y != j))
        tl.store(gradient + row * n_classes + y, sum_of_others, mask=inside)
