"""Probabilities by tanh-sinh quadrature over u = F(noise): right where a density is infinite."""

from itertools import pairwise

import numpy as np


def tanh_sinh(step):
    """Abscissae in (0, 1), the distances from 1, and weights."""
    t = np.arange(-4.4, 4.4 + step, step)
    s = np.pi / 2 * np.sinh(t)
    low, high = 1 / (1 + np.exp(-2 * s)), 1 / (1 + np.exp(2 * s))
    return low, high, step * np.pi * np.cosh(t) * low * high


def argmax_probabilities(law, scores, points=(), step=1 / 32):
    """P(scores + noise is largest at i) for a frozen distribution of scipy.stats.

    P = integral over u in (0, 1) of prod_j F(Q(u) + scores_i - scores_j), which is smooth but where
    an argument of F passes one of the `points` at which the density is not.
    """
    abscissae, distances, weights = tanh_sinh(step)
    out = np.zeros(len(scores))
    for i, own in enumerate(scores):
        lag = np.delete(own - np.asarray(scores, dtype=float), i)
        breaks = np.concatenate([np.subtract.outer(points, lag).ravel(), points])
        cuts = np.unique(np.concatenate([[0.0], law.cdf(breaks), [0.5, 1.0]]))
        for low, high in pairwise(cuts):
            width = high - low
            if low < 0.5:
                x = law.ppf(np.minimum(low + width * abscissae, high))
            else:
                x = law.isf((1 - high) + width * distances)
            out[i] += width * (weights * law.cdf(x[:, None] + lag).prod(axis=1)).sum()
    return out


def softmax_of_two(law, difference, temperature=1.0, points=()):
    """E expit((difference + noise - noise') / temperature).

    The difference of two Gumbel variables is logistic: so it is the mean over a logistic variable
    of P(noise + difference + temperature * logistic > noise'), which is smooth but at 0.
    """
    abscissae, _, weights = tanh_sinh(1 / 16)
    points = np.asarray(points, dtype=float)
    # That probability is not smooth where two points meet.
    meet = (np.subtract.outer(points, points).ravel() - difference) / temperature
    middle = -difference / temperature
    ends = np.concatenate([[middle], np.array([-36, -12, -4, 0, 4, 12, 36])])
    cuts = np.unique(np.concatenate([ends, meet[np.abs(meet) < 36]]))
    total = 0.0
    for low, high in pairwise(cuts[np.abs(cuts) <= 36]):
        at = low + (high - low) * abscissae
        density = 0.25 / np.cosh(at / 2) ** 2
        for x, weight in zip(at, (high - low) * weights * density, strict=True):
            if weight > 1e-13:
                shift = difference + temperature * x
                total += weight * argmax_probabilities(law, [shift, 0.0], points, 1 / 16)[0]
    return total


def softmax_probabilities(law, scores, temperature=1.0, points=(), step=1 / 32):
    """E softmax((scores + noise) / temperature) for noise that spans few temperatures.

    By the law of noise + temperature * Gumbel, a mean over u = F(noise).
    """
    abscissae, distances, weights = tanh_sinh(step)
    cuts = np.unique(np.concatenate([[0.0], law.cdf(np.asarray(points)), [0.5, 1.0]]))
    noise, mass = [], []
    for low, high in pairwise(cuts):
        width = high - low
        lower = law.ppf(np.minimum(low + width * abscissae, high))
        upper = law.isf((1 - high) + width * distances)
        noise.append(lower if low < 0.5 else upper)
        mass.append(width * weights)
    noise, mass = np.concatenate(noise), np.concatenate(mass)
    scores = np.asarray(scores, dtype=float)
    z = scores.min() + law.median() + temperature * np.arange(-8, 60, 0.05)
    cdf, pdf = np.empty((len(scores), len(z))), np.empty((len(scores), len(z)))
    for i, score in enumerate(scores):
        g = np.exp(-np.clip((z[:, None] - score - noise) / temperature, -700, 700))
        cdf[i], pdf[i] = np.exp(-g) @ mass, (g * np.exp(-g)) @ mass / temperature
    rest = np.array([np.delete(cdf, i, axis=0).prod(axis=0) for i in range(len(scores))])
    return (pdf * rest).sum(axis=1) * 0.05 * temperature
