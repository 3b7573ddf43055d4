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


def softmax_probabilities(law, scores, temperature=1.0, points=(), step=1 / 16):
    """E softmax((scores + noise) / temperature), by the law of noise + temperature * Gumbel.

    Its CDF is E F(x - temperature * G): smooth in G but where F passes one of the points.
    """
    scores = np.asarray(scores, dtype=float)
    points = np.append(points, law.median())
    near = np.subtract.outer(points, -scores).ravel()
    steps = temperature * np.concatenate([np.arange(0, 8, 1.0), 8 * 1.6 ** np.arange(0, 75)])
    edges = np.unique(
        np.concatenate([near, *(np.add.outer(near, s * steps).ravel() for s in (-1, 1))])
    )
    edges = edges[(edges > scores.min() + law.ppf(1e-14) - 6 * temperature)]
    nodes, node_weights = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2
    z = (edges[:-1, None] + half * (nodes + 1)).ravel()
    cdf, pdf = np.array([_noisy(law, z - s, temperature, points, step) for s in scores]).swapaxes(
        0, 1
    )
    rest = np.array([np.delete(cdf, i, axis=0).prod(axis=0) for i in range(len(scores))])
    return (pdf * rest) @ (half * node_weights).ravel()


def _noisy(law, x, temperature, points, step):
    """CDF and density of noise + temperature * Gumbel."""
    abscissae, distances, weights = tanh_sinh(step)
    lowest, highest = -4.0, 36.0
    cuts = np.clip((x[:, None] - points) / temperature, lowest, highest)
    inner = np.tile([lowest, 0.0, 4.0, highest], (len(x), 1))
    cuts = np.sort(np.column_stack([cuts, inner]), axis=1)
    cdf, pdf = np.zeros(len(x)), np.zeros(len(x))
    for low, high in zip(cuts.T[:-1], cuts.T[1:], strict=True):
        wide = high > low
        low, width = low[wide, None], (high - low)[wide, None]
        # Counted from the nearer end, so that it does not lose its digits there.
        g = np.where(abscissae < 0.5, low + width * abscissae, low + width - width * distances)
        mass = width * weights * np.exp(-g - np.exp(-g)) * law.cdf(x[wide, None] - temperature * g)
        cdf[wide] += mass.sum(axis=1)
        pdf[wide] += (mass * np.expm1(-g)).sum(axis=1) / temperature
    return cdf, pdf
