"""Gaussian noise in float32 on a GPU: one kernel, scores in, log p and gradient out.

No table. Two classes have a closed form. For more, a program takes a few rows; the winning value
runs over equidistant values in a window about the integrand's peak, which Newton's method finds
from the middle between the class asked for and the best. The integrand f is log-concave with
(log f)'' <= -1, and more curved to the left: 5.7 to the right, and 5.7 times the width at the peak
to the left, it has fallen by 1e-7. The trapezoid rule errs by exp(-2 (pi / (spacing sqrt(c)))^2)
where (log f)'' = -c, and c is at most the number of classes: 16 nodes do for 4 classes, 32 for 24,
64 for c of 120; a row of more, whose class lies far below very many, is taken as a deep one.

With t = 1 / (1 + x / 2), erfc(x) = t exp(-x^2 + P(t)) to 1.2e-7 of itself for every x >= 0 (Press
et al., Numerical Recipes, 6.2, from a Chebyshev fit). Its log needs no further function, and the
left tail of log Phi loses no digits.
"""

import torch

from ..noise import Gaussian
from ._rows import IGNORED

try:
    import triton
    import triton.language as tl
except ImportError:  # on other platforms than Linux, say
    triton = None

MOST_CLASSES = 1024
_REACH = 5.7  # of the window
_DEEPEST = 200.0  # depth, beyond which the kernels of the CPU take a row: digits of float32
_SHARPEST = 120.0  # curvature, likewise
_WARPS = 1  # of a program
_DEEP, _WRONG = 1, 2  # what a program says of its rows


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
        A row of which is IGNORED has zeros, whatever its scores are.
    of_deep_rows : callable
        Takes scores and y on the CPU; for rows beyond the fused kernel. It refuses what is no class
        and scores that are not finite.

    Returns
    -------
    list of two Tensors
    """
    n, n_classes = scores.shape
    scores, y = scores.contiguous(), y.contiguous()
    log_p, gradient = scores.new_empty(n), torch.empty_like(scores)
    said = torch.zeros(1, dtype=torch.int32, device=scores.device)
    if n:
        # Rows of a program as many as the registers hold; steps of Newton's method.
        if n_classes <= 4:
            nodes, rows, steps = 16, 32, 4
        elif n_classes <= 24:
            nodes, rows, steps = 32, 32, 4
        else:
            nodes, rows, steps = 64, 16, 8
        sizes = (n, n_classes, 1 / law.scale, _REACH, _DEEPEST, _SHARPEST, steps, nodes, rows)
        tensors = (scores, y, log_p, gradient, said)
        with torch.cuda.device_of(scores):  # which need not be the current one
            _sums[(triton.cdiv(n, rows),)](*tensors, *sizes, num_warps=_WARPS)
    what = int(said)  # the one thing here that waits for the device
    if what & _WRONG:
        of_deep_rows(scores.cpu(), y.cpu())  # which says what is wrong
    if what & _DEEP:
        deep = log_p.isnan()
        results = of_deep_rows(scores[deep].cpu(), y[deep].cpu())
        log_p[deep], gradient[deep] = (result.to(scores.device) for result in results)
    return [log_p, gradient]


if triton is not None:
    _NOT_COUNTED = tl.constexpr(IGNORED)
    _SAY_DEEP, _SAY_WRONG = tl.constexpr(_DEEP), tl.constexpr(_WRONG)

    @triton.jit
    def _tail(x):
        """t and P(t) of |x|, for which Phi(-|x|) = t exp(P(t) - x^2 / 2) / 2."""
        t = 1.0 / (1.0 + 0.35355339059327373 * tl.abs(x))
        p = -0.82215223 + t * 0.17087277
        p = 1.48851587 + t * p
        p = -1.13520398 + t * p
        p = 0.27886807 + t * p
        p = -0.18628806 + t * p
        p = 0.09678418 + t * p
        p = 0.37409196 + t * p
        p = 1.00002368 + t * p
        p = -1.26551223 + t * p
        return t, p

    @triton.jit
    def _log_cdf(x):
        """log Phi(x)."""
        t, p = _tail(x)
        exponent = p - 0.5 * x * x
        tail = 0.5 * t * tl.exp(exponent)
        log = tl.log(tl.where(x > 0, 1.0 - tail, t))
        # log(1 - q) without the rounding of 1 - q.
        right = tl.where(tail < 1e-3, -tail * (1.0 + 0.5 * tail), log)
        return tl.where(x > 0, right, log + exponent - 0.6931471805599453)

    @triton.jit
    def _hazard(x):
        """phi(x) / Phi(x)."""
        t, p = _tail(x)
        bell, scaled = tl.exp(-0.5 * x * x), 0.5 * t * tl.exp(p)
        over = tl.where(x > 0, bell, 1.0)
        return 0.3989422804014327 * over / tl.where(x > 0, 1.0 - bell * scaled, scaled)

    @triton.jit
    def _below(scores, at, inside, middle, unit):
        """How far a class lies below the middle, in units of the noise; at most 1e4.

        The difference is one of float64 up to a last rounding: log p falls by its square. From far
        above the CDF is 1, and an infinite place would give 0 times infinity.
        """
        score = tl.load(scores + at, mask=inside, other=0.0)
        return tl.clamp(unit * (middle - score.to(tl.float64)), -1e8, 1e4).to(tl.float32)

    @triton.jit
    def _sums(  # type: ignore[no-untyped-def]
        scores,
        targets,
        log_p,
        gradient,
        said,
        n,
        n_classes,
        unit,
        reach,
        deepest,
        sharpest,
        steps,
        nodes: tl.constexpr,
        rows: tl.constexpr,
    ):
        row = tl.program_id(0) * rows + tl.arange(0, rows)
        y = tl.load(targets + row, mask=row < n, other=_NOT_COUNTED)
        counted = y != _NOT_COUNTED
        wrong = counted & ((y < 0) | (y >= n_classes))
        inside = counted & ~wrong
        y = tl.where(inside, y, 0)
        first = row.to(tl.int64) * n_classes
        # Loops over the classes, not unrolled: one program for every number of them.
        for j in range(n_classes):
            score = tl.load(scores + first + j, mask=inside, other=0.0)
            wrong = wrong | ~(tl.abs(score) < float("inf"))
        tl.atomic_or(said + 0 * row, _SAY_WRONG, mask=wrong)
        inside = inside & ~wrong
        own = tl.load(scores + first + y, mask=inside, other=0.0)
        best = own
        for j in range(n_classes):
            best = tl.maximum(best, tl.load(scores + first + j, mask=inside, other=0.0))
        deep = inside & ~((best - own) * unit <= deepest)
        middle = 0.5 * (best.to(tl.float64) + own.to(tl.float64))
        exact_half = unit * (middle - own.to(tl.float64))
        half = tl.minimum(exact_half, 1e8).to(tl.float32)  # less than that, where not deep
        sum_of_others = tl.zeros((rows,), tl.float32)
        if n_classes == 2:
            other = _below(scores, first + 1 - y, inside, own.to(tl.float64), unit)
            x = 0.7071067811865476 * other
            value = _log_cdf(x)
            sum_of_others = 0.7071067811865476 * unit * _hazard(x)
            place = gradient + first + 1 - y
            tl.store(place, tl.where(inside, -sum_of_others, 0.0), mask=row < n)
        else:
            # The peak, and the curvature there, by Newton's method.
            peak = tl.zeros((rows,), tl.float32)
            step = tl.zeros((rows,), tl.float32)
            curvature = tl.full((rows,), 1.0, tl.float32)
            for _ in range(steps):
                slope = -half - peak
                curvature = tl.full((rows,), 1.0, tl.float32)
                for j in range(n_classes):
                    x = peak + _below(scores, first + j, inside, middle, unit)
                    hazard = tl.where(y != j, _hazard(x), 0.0)
                    slope += hazard
                    curvature += hazard * (x + hazard)
                step = slope / curvature
                peak += step
            sure = (curvature <= sharpest) & (step * step * curvature < 0.1)
            deep = deep | (inside & ~sure)
            width = reach / tl.sqrt(curvature)
            spacing = (width + reach) / (nodes - 1)
            t = (peak - width)[:, None] + spacing[:, None] * tl.arange(0, nodes)[None, :]
            # log of the density of y less that at the middle, times the CDF of the others.
            # Kahan's sum: a thousand roundings would cost a digit.
            exponent = -(half[:, None] + 0.5 * t) * t
            lost = tl.zeros((rows, nodes), tl.float32)
            for j in range(n_classes):
                x = t + _below(scores, first + j, inside, middle, unit)[:, None]
                more = tl.where((y != j)[:, None], _log_cdf(x), 0.0) - lost
                total = exponent + more
                lost = (total - exponent) - more
                exponent = total
            top = tl.max(exponent, 1)
            share = tl.exp(exponent - top[:, None])
            integral = tl.sum(share, 1)
            share = share * (unit / integral)[:, None]
            for j in range(n_classes):
                x = t + _below(scores, first + j, inside, middle, unit)[:, None]
                mean = tl.where(y == j, 0.0, tl.sum(share * _hazard(x), 1))
                sum_of_others += mean
                mean = tl.where(inside, -mean, 0.0)
                tl.store(gradient + first + j, mean, mask=(row < n) & (y != j))
            of_middle = -0.5 * exact_half * exact_half
            log_sum = (top + tl.log(integral * spacing)).to(tl.float64) - 0.9189385332046727
            value = tl.minimum(of_middle + log_sum, 0.0).to(tl.float32)
        tl.atomic_or(said + 0 * row, _SAY_DEEP, mask=deep)
        value = tl.where(deep, float("nan"), value)
        tl.store(log_p + row, tl.where(inside, value, 0.0), mask=row < n)
        of_own = tl.where(inside, sum_of_others, 0.0)
        tl.store(gradient + first + y, of_own, mask=row < n)
