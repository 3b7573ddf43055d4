"""Probabilities by tanh-sinh quadrature over u = F(noise): right where a density is infinite."""

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
        for low, high in zip(cuts[:-1], cuts[1:], strict=True):
            width = high - low
            if low < 0.5:
                x = law.ppf(np.minimum(low + width * abscissae, high))
            else:
                x = law.isf((1 - high) + width * distances)
            out[i] += width * (weights * law.cdf(x[:, None] + lag).prod(axis=1)).sum()
    return out


def softmax_probabilities(law, scores, temperature=1.0, points=(), step=1 / 32):
    """E softmax((scores + noise) / temperature), by the law of noise + temperature * Gumbel."""
    abscissae, distances, weights = tanh_sinh(step)
    cuts = np.unique(np.concatenate([[0.0], law.cdf(np.asarray(points)), [0.5, 1.0]]))
    noise, mass = [], []
    for low, high in zip(cuts[:-1], cuts[1:], strict=True):
        width = high - low
        lower = law.ppf(np.minimum(low + width * abscissae, high))
        upper = law.isf((1 - high) + width * distances)
        noise.append(lower if low < 0.5 else upper)
        mass.append(width * weights)
    noise, mass = np.concatenate(noise), np.concatenate(mass)
    scores = np.asarray(scores, dtype=float)
    # In z = sinh(v) the trapezoid rule reaches heavy tails; the law has features near the scores.
    unit = temperature
    v = np.arange(-45, 45, 0.0125)
    z, slope = unit * np.sinh(v), unit * np.cosh(v) * 0.0125

    def laws(x):
        cdf, pdf = np.empty(len(x)), np.empty(len(x))
        for k in range(0, len(x), 500):
            exponent = (x[k : k + 500, None] - noise) / temperature
            g = np.exp(-np.clip(exponent, -700, 700))
            cdf[k : k + 500] = np.exp(-g) @ mass
            pdf[k : k + 500] = (g * np.exp(-g)) @ mass / temperature
        return cdf, pdf

    cdf, pdf = np.array([laws(z - score) for score in scores]).transpose(1, 0, 2)
    rest = np.array([np.delete(cdf, i, axis=0).prod(axis=0) for i in range(len(scores))])
    return (pdf * rest) @ slope
