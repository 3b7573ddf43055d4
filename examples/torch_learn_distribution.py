"""
Learning a discrete distribution: exact against Monte Carlo gradients
=====================================================================
"""

# %%
# Targets and layers
# ------------------
# The first target is one of the paper's: ten classes, some ten times as likely as others.

import argparse
import math
import time

import torch

from skperturb.torch import PerturbSoftmax

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
standard = math.sqrt(6) / math.pi  # Gumbel noise of standard deviation 1
layers = {
    "Gaussian": PerturbSoftmax("gaussian", temperature=0.5),
    "Gumbel": PerturbSoftmax("gumbel", noise_scale=standard, temperature=0.5),
}


def start(target):
    """Random scores: a row for each start."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(n_starts, len(target), generator=generator, dtype=torch.float64)
    return scores.requires_grad_()


def divergence(target, log_p):
    """Kullback-Leibler divergence, summed over the starts."""
    return (target * (target.log() - log_p)).sum()


def error(layer, scores, target):
    """Sum of |p - target| over the classes, with the exact p: the mean over the starts."""
    with torch.no_grad():
        return (layer(scores) - target).abs().sum(1).mean().item()


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
        if n_draws is None:
            log_p = layer.log_proba(scores)
        else:
            draws = layer.sample(scores.expand(n_draws, -1, -1), generator=generator)
            log_p = draws.mean(0).log()
        divergence(target, log_p).backward()
        optimizer.step()
        decay.step()
        seconds += time.process_time() - began
        if step in shown:
            errors.append(error(layer, scores, target))
    return errors, 1e3 * seconds / shown[-1]


print(f"{'target':18}{'noise':10}{'draws':>6}", *(f"{n:>8}" for n in shown), f"{'ms':>7}")
for name, target in targets.items():
    for noise, n_draws in (
        ("Gaussian", 10),
        ("Gaussian", 100),
        ("Gaussian", 1000),
        ("Gaussian", None),
        ("Gumbel", 1000),
        ("Gumbel", None),
    ):
        errors, ms = by_adam(layers[noise], target, n_draws)
        row = f"{name:18}{noise:10}{n_draws or 'exact':>6}"
        print(row, *(f"{value:8.1e}" for value in errors), f"{ms:7.2f}", flush=True)

# %%
# A method of second order
# ------------------------
# L-BFGS needs gradients without noise. It goes on until its line search finds nothing lower.


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
        value = divergence(target, layer.log_proba(scores))
        value.backward()
        return value

    optimizer.step(closure)
    return optimizer.state[scores]["func_evals"]


print(f"\n{'target':18}{'noise':10}{'gradients':>10}{'error':>9}{'seconds':>9}")
for name, target in targets.items():
    for noise, layer in layers.items():
        began, gradients, errors = time.process_time(), 0, []
        for row in start(target).detach():
            scores = row.clone().requires_grad_()
            gradients += by_lbfgs(layer, target, scores)
            errors.append(error(layer, scores[None], target))
        seconds = (time.process_time() - began) / n_starts
        row = f"{name:18}{noise:10}{gradients / n_starts:10.0f}{sum(errors) / n_starts:9.1e}"
        print(f"{row}{seconds:9.2f}", flush=True)
