"""
Learning a discrete distribution: exact against Monte Carlo gradients
=====================================================================

Scores are fitted until the probabilities of a model are those of a given distribution, the first
experiment of Cohen Indelman and Hazan (arXiv 2406.02180). They take the mean of draws; the layers
and losses compute the probabilities and their derivatives. The noise is Gaussian, Adam's rate falls
to zero, and the error is the sum of abs(p - target) over the classes, with the exact p. The table
has its mean over 10 starts after some steps, and the CPU time of a step of all starts together:

================  =======  =====  ========  ========  ========  ========  =====
target            model    draws  30 steps  100       300       1000      ms
================  =======  =====  ========  ========  ========  ========  =====
ten classes       softmax  10     .67       .15       .069      .029      1.5
ten classes       softmax  100    .60       .11       .032      .011      2.1
ten classes       softmax  1000   .59       .10       .011      .0041     8.4
ten classes       softmax  exact  .59       .095      .0029     .000014   1.9
ten classes       argmax   10     .72       .17       .086      .034      1.0
ten classes       argmax   100    .64       .11       .048      .017      1.4
ten classes       argmax   1000   .62       .082      .018      .0070     5.6
ten classes       argmax   exact  .62       .078      .0021     .000011   1.2
Binomial(12, .3)  softmax  1000   .62       .11       .018      .0065     9.1
Binomial(12, .3)  softmax  exact  .62       .10       .012      .0030     1.8
Binomial(12, .3)  argmax   1000   .65       .084      .022      .0083     6.2
Binomial(12, .3)  argmax   exact  .64       .078      .0086     .0022     1.1
two peaks         softmax  1000   .40       .042      .017      .0048     12.7
two peaks         softmax  exact  .40       .033      .0014     .000037   2.0
two peaks         argmax   1000   .46       .048      .032      .0095     10.0
two peaks         argmax   exact  .45       .031      .0012     .000027   1.3
================  =======  =====  ========  ========  ========  ========  =====

**What is gained**: a step with exact gradients costs less than one with 100 draws, and its error
goes on falling where 1000 draws, at four to eight times the time, end at .004 to .010.
L-BFGS, which gradients with noise would mislead, comes to errors of 1e-8 with 24 to 98 gradients,
in .05 to .3 seconds. **What is not gained**: the first 100 steps are nearly as good with 100 draws,
and with 10 not much worse. With exact gradients, too, Adam is slow on the binomial target, whose
rarest class has the probability 5e-7. What the noise itself does to the speed, Gaussian or Gumbel,
is the subject of ``plot_gaussian_vs_gumbel.py``.
"""

# %%
# Targets and layers
# ------------------
# The first target is one of the paper's: ten classes, some ten times as likely as others.

import argparse
import math
import time

import torch

from skperturb.torch import FenchelYoungLoss, PerturbArgmax, PerturbSoftmax

parser = argparse.ArgumentParser(description="Fit scores to discrete distributions.")
parser.add_argument("--quick", action="store_true", help="2 starts and 100 steps")
options = parser.parse_args()
n_starts, shown = (2, (10, 30, 100)) if options.quick else (10, (30, 100, 300, 1000))
torch.set_num_threads(1)  # tensors of this size gain nothing from more


def distribution(weights):
    weights = torch.tensor(weights, dtype=torch.float64)
    return weights / weights.sum()


def peak(k, place, width):
    return math.exp(-(((k - place) / width) ** 2) / 2)


binomial = [math.comb(12, k) * 0.3**k * 0.7 ** (12 - k) for k in range(13)]
targets = {
    "ten classes": distribution([10, 1, 5, 1, 10, 10, 1, 6, 1, 1]),
    "Binomial(12, .3)": distribution(binomial),
    "two peaks": distribution([peak(k, 4, 1.5) + peak(k, 14, 2.5) for k in range(20)]),
}
softmax, argmax = PerturbSoftmax("gaussian", temperature=0.5), PerturbArgmax("gaussian")
fenchel_young = FenchelYoungLoss("gaussian", reduction="sum")


def start(target):
    """Random scores: a row for each start."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(n_starts, len(target), generator=generator, dtype=torch.float64)
    return scores.requires_grad_()


def error(layer, scores, target):
    """Sum of |p - target| over the classes, with the exact p: the mean over the starts."""
    with torch.no_grad():
        return (layer(scores) - target).abs().sum(1).mean().item()


# %%
# Losses
# ------
# For Perturb-Softmax the Kullback-Leibler divergence from the target. A draw is a differentiable
# function of the scores, and so is the mean of some draws. For Perturb-Argmax the Fenchel-Young
# loss, which is convex. Its gradient is p - target: the mean of some draws takes the place of p.


def loss_of(layer, scores, target, n_draws=None, generator=None):
    """The loss, or one with a gradient from draws; summed over the starts."""
    many = scores.expand(n_draws or 1, *scores.shape)
    if layer is softmax:
        if n_draws is None:
            log_p = layer.log_proba(scores)
        else:
            log_p = layer.sample(many, generator=generator).mean(0).log()
        return (target * (target.log() - log_p)).sum()
    if n_draws is None:
        return fenchel_young(scores, target.expand_as(scores))
    with torch.no_grad():
        p = layer.sample(many, generator=generator).mean(0)
    return (scores * (p - target)).sum()


# %%
# Steps of Adam
# -------------
# Adam treats every number for itself, so that the starts do not see one another.


def by_adam(layer, target, n_draws):
    """Errors after the steps of `shown`, and milliseconds of CPU time for a step."""
    scores = start(target)
    optimizer = torch.optim.Adam([scores], lr=0.03)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, shown[-1])
    generator = torch.Generator().manual_seed(1)
    errors, seconds = [], 0.0
    for step in range(1, shown[-1] + 1):
        began = time.process_time()
        optimizer.zero_grad()
        loss_of(layer, scores, target, n_draws, generator).backward()
        optimizer.step()
        decay.step()
        seconds += time.process_time() - began
        if step in shown:
            errors.append(error(layer, scores, target))
    return errors, 1e3 * seconds / shown[-1]


print(f"{'target':18}{'model':9}{'draws':>6}", *(f"{n:>8}" for n in shown), f"{'ms':>7}")
for name, target in targets.items():
    for model, layer in (("softmax", softmax), ("argmax", argmax)):
        for n_draws in (10, 100, 1000, None):
            errors, ms = by_adam(layer, target, n_draws)
            row = f"{name:18}{model:9}{n_draws or 'exact':>6}"
            print(row, *(f"{value:8.1e}" for value in errors), f"{ms:7.2f}", flush=True)

# %%
# L-BFGS
# ------
# Gradients without noise are what a quasi-Newton method needs. It goes on until its line search
# finds nothing lower.


def by_lbfgs(layer, target, scores):
    """Number of gradients taken; scores are changed in place."""
    optimizer = torch.optim.LBFGS(
        [scores],
        max_iter=200,
        history_size=20,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        value = loss_of(layer, scores, target)
        value.backward()
        return value

    optimizer.step(closure)
    return optimizer.state[scores]["func_evals"]


print(f"\n{'target':18}{'model':9}{'gradients':>10}{'error':>9}{'seconds':>9}")
for name, target in targets.items():
    for model, layer in (("softmax", softmax), ("argmax", argmax)):
        began, gradients, errors = time.process_time(), 0, []
        for row in start(target).detach().split(1):
            scores = row.clone().requires_grad_()
            gradients += by_lbfgs(layer, target, scores)
            errors.append(error(layer, scores, target))
        seconds = (time.process_time() - began) / n_starts
        row = f"{name:18}{model:9}{gradients / n_starts:10.0f}{sum(errors) / n_starts:9.1e}"
        print(f"{row}{seconds:9.2f}", flush=True)
