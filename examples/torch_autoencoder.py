"""
A categorical autoencoder: four gradients through a choice
==========================================================

An encoder scores 6 choices among 8 classes, a decoder draws a digit from the 6 classes chosen.
Between them stands a draw, through which a gradient must come. The experiments of Cohen Indelman
and Hazan (arXiv 2406.02180) compare Gumbel and Gaussian noise there; here four gradients are
compared, too. With "relaxed", which for Gumbel noise is Gumbel-Softmax, the decoder learns from
softmax((scores + noise) / 0.5). With "straight_through" it sees the class, and the gradient is that
of "relaxed"; with "exact" it sees the class, and the gradient is that of p. "score function" is the
derivative of log p of four draws, each with the mean of the others as its baseline. The table has
bounds on the log probability of images held out (in nats, larger is better) after 30 epochs, as
means over 5 seeds, with paired differences to Gumbel-Softmax and their standard errors, and the
divergence of the choices from equal shares, which is a part of the bound:

=================  ================  ======  ==============  ==========  =====
noise, model       gradient          bound   difference      divergence  CPU s
=================  ================  ======  ==============  ==========  =====
Gumbel, argmax     relaxed           -21.07                  3.31        1.9
Gumbel, argmax     straight_through  -21.20  -.13 ± .05      2.85        1.9
Gumbel, argmax     exact             -21.51  -.44 ± .07      2.78        2.1
Gumbel, argmax     score function    -20.99  +.08 ± .10      3.31        2.5
Gaussian, argmax   relaxed           -21.25  -.17 ± .04      3.27        3.9
Gaussian, argmax   straight_through  -21.19  -.11 ± .04      2.72        3.9
Gaussian, argmax   exact             -21.57  -.49 ± .06      2.75        5.9
Gaussian, argmax   score function    -20.96  +.12 ± .06      3.23        5.7
Gaussian, softmax  relaxed           -21.57  -.50 ± .09      3.10        4.0
Gaussian, softmax  straight_through  -21.33  -.25 ± .10      2.95        4.1
Gaussian, softmax  exact             -21.57  -.49 ± .09      2.73        5.8
Gaussian, softmax  score function    -20.91  +.16 ± .10      3.10        5.8
=================  ================  ======  ==============  ==========  =====

**What is gained**: the divergence of the choices is exact for every noise, and so is log p, without
which Gaussian noise has no score function. That is the one gradient here without bias. Within each
model it has the best bound, and it gains with time: after 60 epochs (``--epochs 60``) it leads
Gumbel-Softmax by .65 ± .15, .63 ± .10 and .63 ± .07 in the three models. **What is not gained**:
Gaussian noise is no better than Gumbel noise. With the score function the three models lie within
.1, and a step costs more than twice as much. Nor is "exact" what its name may promise: the gradient
of p is right for functions that are linear in the drawn vector, which a decoder is not, and after
60 epochs its bounds are the worst, by .9 to 1.0. Rate and temperature were chosen on two seeds with
Gumbel noise.
"""

# %%
# Data and layers
# ---------------

import argparse
import math
import sys
import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from skperturb.torch import PerturbArgmax, PerturbSoftmax

parser = argparse.ArgumentParser(description="A categorical autoencoder of digits.")
parser.add_argument("--seeds", type=int, default=5)
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--quick", action="store_true", help="2 seeds of 1 epoch")
options = parser.parse_args()
n_seeds, n_epochs = (2, 1) if options.quick else (options.seeds, options.epochs)
torch.set_num_threads(1)  # nets of this size gain nothing from more

N_CHOICES, N_CLASSES, N_DRAWS = 6, 8, 4
LOG_UNIFORM = -math.log(N_CLASSES)
images = torch.tensor(load_digits().data > 7.5, dtype=torch.float32)  # 1797 images of 64 pixels

sd = math.pi / math.sqrt(6)  # of Gumbel noise
layers = {
    "Gumbel, argmax": PerturbArgmax("gumbel"),
    "Gaussian, argmax": PerturbArgmax("gaussian", noise_scale=sd),
    "Gaussian, softmax": PerturbSoftmax("gaussian", noise_scale=sd, temperature=0.5),
}
# The temperature of Perturb-Softmax is the layer's own.
relaxation = {name: {"temperature": 0.5} if "argmax" in name else {} for name in layers}
FORMS = ("relaxed", "straight_through", "exact", "score function")

# %%
# The loss
# --------
# Less the evidence bound of each image: the code length of its pixels and the divergence of the
# choices from equal shares, which is a sum over the classes of p log(p / p0) with the layer's p.


class Autoencoder(nn.Module):
    """An encoder of scores, and a decoder of choices."""

    def __init__(self):
        super().__init__()
        width = N_CHOICES * N_CLASSES
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, width))
        self.decoder = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 64))

    def scores(self, x):
        """Scores (n, N_CHOICES, N_CLASSES) of images (n, 64)."""
        return self.encoder(x).unflatten(1, (N_CHOICES, N_CLASSES))

    def length_of_pixels(self, x, choices):
        """Minus log p(image | choices), in nats: the pixels are independent, given the choices."""
        logits = self.decoder(choices.flatten(-2))
        x = x.expand_as(logits)
        return nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def divergence(log_p):
    return (log_p.exp() * (log_p - LOG_UNIFORM)).sum((-2, -1))


def training_loss(net, layer, form, x, **relaxation):
    scores = net.scores(x)
    log_p = layer.log_proba(scores)
    if form != "score function":
        length = net.length_of_pixels(x, layer.sample(scores, form, **relaxation))
    else:
        # The length does not depend on the scores but through the choices: its gradient is that of
        # log p times the length, of which the mean of the other draws may be taken without bias.
        with torch.no_grad():
            choices = layer.sample(scores.expand(N_DRAWS, *scores.shape), "exact")
        length = net.length_of_pixels(x, choices)
        others = (length.sum(0) - length) / (N_DRAWS - 1)
        log_q = (choices * log_p).sum((-2, -1))
        length = length + (length - others).detach() * log_q
    return (length + divergence(log_p)).mean()


@torch.no_grad()
def evidence_bound(net, layer, x, n_draws=20):
    """The bound (20 draws of whole classes, whatever the training saw) and the divergence in it."""
    scores = net.scores(x)
    choices = layer.sample(scores.expand(n_draws, *scores.shape), "exact")
    spent = divergence(layer.log_proba(scores)).mean().item()
    return -net.length_of_pixels(x, choices).mean().item() - spent, spent


def run(layer, form, seed, **relaxation):
    """The bound on images held out, the divergence in it, and seconds of CPU time of training."""
    torch.manual_seed(seed)
    train, test = images[torch.randperm(len(images))].split([1200, len(images) - 1200])
    net = Autoencoder()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    began = time.process_time()
    for _ in range(n_epochs):
        for x in train[torch.randperm(len(train))].split(100):
            optimizer.zero_grad()
            training_loss(net, layer, form, x, **relaxation).backward()
            optimizer.step()
    return *evidence_bound(net, layer, test), time.process_time() - began


# %%
# Nets of the same seed start with the same weights on the same images.

results, began = {}, time.monotonic()
for seed in range(n_seeds):
    for name, layer in layers.items():
        for form in FORMS:
            results[name, form, seed] = run(layer, form, seed, **relaxation[name])
    print(f"seed {seed + 1} of {n_seeds}, {time.monotonic() - began:.0f} s", file=sys.stderr)

columns = f"{'bound':>7}{'difference':>15}{'divergence':>12}{'CPU s':>7}"
print(f"{'noise, model':19}{'gradient':18}{columns}")
first = np.array([results["Gumbel, argmax", "relaxed", seed] for seed in range(n_seeds)])
for name in layers:
    for form in FORMS:
        of_seeds = np.array([results[name, form, seed] for seed in range(n_seeds)])
        bound, spent, seconds = of_seeds.mean(axis=0)
        gained = of_seeds[:, 0] - first[:, 0]
        se = gained.std(ddof=1) / math.sqrt(n_seeds)
        print(
            f"{name:19}{form:18}{bound:7.2f}{gained.mean():+9.2f} ± {se:.2f}"
            f"{spent:12.2f}{seconds:7.1f}"
        )
