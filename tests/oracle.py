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


def softmax_of_many(law, scores, temperature=1.0, points=()):
    """E softmax((scores + noise) / temperature) for noise that spans many temperatures.

    P(score_i + noise_i + temperature * Gumbel_i is the largest) = integral of h_i prod H_j, with
    H(t) = E F(t - temperature * g), g Gumbel, and h = H', by parts the mean of F with a weight that
    is smooth, so that the density of the law is needed far out only, where it has no singularity.
    Panels for t widen with the distance from all places scores + points.
    """
    scores, points = np.asarray(scores, dtype=float), np.asarray(points, dtype=float)
    centres = np.unique(np.add.outer(points, scores))
    steps = [0.0]
    while steps[-1] < 1e80:
        steps.append(steps[-1] + max(0.9 * temperature, 0.36 * steps[-1]))
    steps = np.array(steps)
    between = [
        np.concatenate([a + steps[a + steps < b], b - steps[b - steps > a]])
        for a, b in pairwise(centres)
    ]
    edges = np.unique(np.concatenate([centres[-1] + steps, centres[0] - steps, *between]))
    if np.isfinite(law.support()[0]):
        edges = edges[edges > points.min() + scores.min() - 12 * temperature]
    edges = edges[np.append(True, np.diff(edges) > 1e-9 * (1 + np.abs(edges[1:])))]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2
    t, weight = (edges[:-1, None] + half + half * nodes).ravel(), (half * weights).ravel()
    smooth = [_beside_gumbel(law, t - score, temperature, points) for score in scores]
    cdf = np.array([below for below, _ in smooth])
    return np.array(
        [
            (density * np.delete(cdf, i, axis=0).prod(axis=0)) @ weight
            for i, (_, density) in enumerate(smooth)
        ]
    )


def _beside_gumbel(law, t, temperature, points):
    """CDF and density of noise + temperature * Gumbel; far out the noise moved by the mean."""
    cdf, density = np.empty(len(t)), np.empty(len(t))
    far = np.abs(t) > 1e7 * temperature
    moved = t[far] - np.euler_gamma * temperature
    cdf[far], density[far] = law.cdf(moved), law.pdf(moved)
    t = t[~far, None]
    lowest, highest = -4.2, 40.0
    at = (t - points) / temperature  # where an argument of F passes a point
    fixed = np.tile([lowest, -2.0, 0.0, 2.0, 5.0, 12.0, 24.0, highest], (len(t), 1))
    breaks = np.sort(np.column_stack([fixed, np.clip(at, lowest, highest)]), axis=1)
    abscissae, distances, weights = tanh_sinh(1 / 16)
    upper = law.cdf(t) >= 0.5
    total, slope = np.zeros(len(t)), np.zeros(len(t))
    for a, b in zip(breaks[:, :-1].T[:, :, None], breaks[:, 1:].T[:, :, None], strict=True):
        left = abscissae < 0.5
        g = np.where(left, a + (b - a) * abscissae, b - (b - a) * distances)
        x = t - temperature * g
        for point, place in zip(points, at.T[:, :, None], strict=True):  # the distance, exactly
            x = np.where((place == a) & left, point - temperature * (b - a) * abscissae, x)
            x = np.where((place == b) & ~left, point + temperature * (b - a) * distances, x)
        mass = (b - a) * weights * np.exp(-g - np.exp(-g))
        below = law.cdf(x)
        total += (below * mass).sum(axis=1)
        below = np.where(upper, -law.sf(x), below)
        slope += (below * mass * (np.exp(-g) - 1)).sum(axis=1)
    cdf[~far], density[~far] = total, slope / temperature
    return cdf, density
