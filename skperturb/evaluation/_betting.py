"""A gambler who bets that a mean is not what it is said to be: capital, and what it rejects."""

import math

import numpy as np

# Fractions of the capital that are bet, dense near 0 and near 1, none of them 1: capital is never
# lost for good. The smallest is the best one for some 1e8 parts that disagree. The weights are
# the arcsine prior's, which on the logit scale has density sqrt(bet * (1 - bet)).
# A written state holds one number per bet: whoever changes them counts up its version.
BETS = 1 / (1 + np.exp(-np.linspace(-8, 8, 33)))
WEIGHTS = np.sqrt(BETS * (1 - BETS))
WEIGHTS /= WEIGHTS.sum()
INTERVAL_ERROR = 1e-12  # of an end of the interval, as a share of the largest x


def log_factors(x, mean=0.0):
    """Log of what each bet multiplies its capital by, of shape (n_x, 2, n_bets).

    Of x in [-1, 1] whose mean is supposed to be `mean`: first bets that it is more, then bets
    that it is less. Relative to the largest stake that no x can turn into debt.
    """
    side = np.array([1.0, -1.0])
    gains = side * (np.asarray(x)[:, None] - mean) / (1 + side * mean)
    return np.log1p(BETS * gains[..., None])


def log_sides(log_capital):
    """Log of the weighted mean of the capitals (..., n_bets)."""
    largest = log_capital.max(axis=-1)
    return largest + np.log((WEIGHTS * np.exp(log_capital - largest[..., None])).sum(axis=-1))


def log_e(sides):
    """Log of the mean of the two sides (..., 2)."""
    return np.logaddexp(sides[..., 0], sides[..., 1]) - math.log(2)


def not_rejected(x, counts, alpha):
    """Ends of the means that bets on x, which occurred so often, do not reject at level alpha.

    The capital is convex in the mean, and below one at the observed mean.
    """
    ends = []
    for outside in (-1.0, 1.0):
        inside = float(counts @ x) / float(counts.sum())
        while abs(outside - inside) > INTERVAL_ERROR:
            mean = (inside + outside) / 2
            capital = np.tensordot(counts, log_factors(x, mean), axes=1)
            if log_e(log_sides(capital)) < -math.log(alpha):
                inside = mean
            else:
                outside = mean
        ends.append(float(outside))
    return ends[0], ends[1]
