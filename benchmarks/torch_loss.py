"""Losses for PyTorch beside cross entropy, beside the kernel alone, and beside Monte Carlo.

    python benchmarks/torch_loss.py [--device cuda] [--rows N] [--classes 2 3 7 100 1000]
                                    [--noises gaussian student_t] [--threads N] [--quick]

On the GPU if there is one, which the first line says. A time is that of forward and backward
together, the median of rounds in turn. On the CPU, `to kernel` is the ratio to the compiled
kernel's value and gradient of the same scores as a NumPy array, in float64. `error` is the largest
difference of log p to that kernel in float64, of 2000 rows with p > 1e-10. `memory` is the peak on
a GPU, in units of the scores. With --quick: few rows, for a look whether everything runs.
"""

import argparse

import numpy as np
import torch
from _timing import clock, in_turn, machine, table
from torch.nn.functional import cross_entropy

from skperturb import PerturbArgmax
from skperturb.torch import PerturbArgmaxLoss

SCORES = {"cpu": 2_000_000, "cuda": 200_000_000}  # rows times classes at most
ROWS = {"cpu": 100_000, "cuda": 1_000_000}
DRAWS = 1000
WORK = 1 << 26  # draws that are held at once


def monte_carlo(scores, draws):
    """Share of the draws of Gaussian noise in which each class wins (n, K)."""
    out = torch.zeros_like(scores)
    one = scores.new_ones(1)
    size = max(1, WORK // scores.numel())
    for start in range(0, draws, size):
        shape = (min(size, draws - start), *scores.shape)
        noise = torch.randn(shape, dtype=scores.dtype, device=scores.device)
        winner = (scores + noise).argmax(2)
        out.scatter_add_(1, winner.T, one.expand(len(scores), shape[0]))
    return out / draws


def training_step(scores, loss):
    def step():
        scores.grad = None
        loss(scores).backward()
        if scores.is_cuda:
            torch.cuda.synchronize()

    return step


def largest_error(model, loss, scores, y):
    """Of log p, against the kernel in float64."""
    part = slice(0, 2000)
    found = -loss(scores[part].detach(), y[part]).double().cpu().numpy()
    kernel = model._kernel(scores.shape[1])
    double = scores[part].detach().double().cpu().numpy()
    exact = kernel.log_likelihood(double, y[part].cpu().numpy())[0]
    return np.abs(found - exact)[exact > np.log(1e-10)].max()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 3, 7, 100, 1000])
    parser.add_argument("--noises", nargs="+", default=["gaussian", "student_t", "cauchy"])
    parser.add_argument("--threads", type=int, help="of the CPU")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each line")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    on_cpu = device.type == "cpu"
    rows = options.rows or (2000 if options.quick else ROWS[device.type])
    rounds = 2 if options.quick else options.rounds
    if options.threads:
        torch.set_num_threads(options.threads)
    where = "the CPU (no GPU was used)" if on_cpu else torch.cuda.get_device_name(device)
    print(f"PyTorch {torch.__version__} on {where}, {torch.get_num_threads()} threads;", machine())
    line = table(
        ("noise", 10, ""),
        ("type", 8, ""),
        ("K", 5, "d"),
        ("rows", 8, "d"),
        ("ns/row", 9, ".0f"),
        ("to cross entropy", 17, ".2f"),
        ("to kernel", 10, ".2f"),
        ("error", 9, ".1e"),
        ("memory", 7, ".1f"),
        ("Monte Carlo", 12, ".1f"),
    )
    for n_classes in options.classes:
        n = max(1, min(rows, SCORES[device.type] // n_classes))
        for dtype in (torch.float32, torch.float64):
            generator = torch.Generator().manual_seed(0)
            scores = torch.randn(n, n_classes, generator=generator, dtype=dtype).to(device)
            scores.requires_grad_()
            for noise in options.noises:
                model, loss = PerturbArgmax(noise), PerturbArgmaxLoss(noise)
                drawn = model.noise.rvs(tuple(scores.shape), np.random.RandomState(0))
                y = (scores.detach() + torch.as_tensor(drawn).to(scores)).argmax(1)
                steps = {
                    "ours": training_step(scores, lambda s, f=loss, y=y: f(s, y)),
                    "cross entropy": training_step(scores, lambda s, y=y: cross_entropy(s, y)),
                }
                if on_cpu:
                    arrays = scores.detach().double().numpy(), y.numpy()
                    kernel = model._kernel(n_classes)
                    steps["kernel"] = lambda k=kernel, a=arrays: k.log_likelihood(*a)
                few = max(1, n // 50)
                if noise == "gaussian" and dtype == torch.float32:
                    part = scores.detach()[:few]
                    steps["Monte Carlo"] = lambda part=part: monte_carlo(part, DRAWS)
                for step in steps.values():
                    step()
                if not on_cpu:
                    torch.cuda.reset_peak_memory_stats()
                    steps["ours"]()
                times = in_turn(
                    {name: clock(step) for name, step in steps.items()}, rounds, options.seconds
                )
                ours = times["ours"]
                size = scores.numel() * scores.element_size()
                line(
                    noise,
                    str(dtype).removeprefix("torch."),
                    n_classes,
                    n,
                    1e9 * ours / n,
                    ours / times["cross entropy"],
                    ours / times["kernel"] if on_cpu else None,
                    largest_error(model, PerturbArgmaxLoss(noise, reduction="none"), scores, y),
                    None if on_cpu else torch.cuda.max_memory_allocated() / size,
                    times["Monte Carlo"] / few * n / ours if "Monte Carlo" in times else None,
                )
    print(f"Monte Carlo: time of p alone by {DRAWS} draws, over that of the loss with gradient.")


if __name__ == "__main__":
    main()
