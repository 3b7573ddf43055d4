"""Two classes: what the table of ``_half_line`` gives, in NumPy; ``_two_c`` is the same, compiled.

With x = |d|, q = exp(T(x)) the probability of the class on the losing side, g = -T' and
h = g q / (1 - q):

    losing side    log p = T,           d/ds = g,   d2/ds2 = -g'
    winning side   log p = log(1 - q),  d/ds = h,   d2/ds2 = q (g' - g^2) / (1 - q) - h^2

in s, the score of the observed class less that of the other. The expected information is g h, which
at d = 0, where a fit starts and the curvature can jump, is the mean of both sides' curvatures, and
the potential G(d) = max(d, 0) - integral of exp(T) from 0 to x, of which g q is the curvature.
"""

import numpy as np


def functions(table, d, unit):
    """The four functions of a table at |d|, in units of the table (n, 4)."""
    x = np.abs(d) / (table.unit * unit)
    with np.errstate(over="ignore"):
        z = np.clip(table.slope * (x - table.origin), *table.limits)
    # y = mantissa * 2**exponent: as many panels for each octave as 2**bits.
    mantissa, exponent = np.frexp(z + table.shift)
    first = (2 * mantissa - 1) * (1 << table.bits)
    panel = (exponent - 1) * (1 << table.bits) + first.astype(int)
    left = np.ldexp(1 + first.astype(int) / (1 << table.bits), exponent - 1) - table.shift
    u = np.ldexp((z - left) * (2 << table.bits), 1 - exponent) - 1
    out = np.zeros((len(z), table.lanes.shape[2]))
    for k in reversed(range(table.lanes.shape[1])):
        out = out * u[:, None] + table.lanes[panel, k]
    return out


def proba(table, d, unit):
    """Probabilities of both classes (n, 2)."""
    q = np.exp(functions(table, d, unit)[:, 0])
    both = np.column_stack([q, 1 - q])
    return np.where(d[:, None] > 0, both, both[:, ::-1])


def log_loss(table, d, sign, weight, unit):
    """Weighted sum of -log p, and slope, curvature and information of each row.

    Parameters
    ----------
    table : HalfLine
    d : ndarray of shape (n,)
        Score of the second class less that of the first.
    sign : ndarray of shape (n,)
        1.0 where the second class is observed, -1.0 where the first is.
    weight : ndarray of shape (n,)
    unit : float
        The scale of the noise.

    Returns
    -------
    total : float
    slope, curvature, information : ndarray of shape (n,)
        First and second derivative of a row's loss in d, and the expectation of the second one,
        each times the weight.
    """
    log_q, g, bend, _ = _in_units(functions(table, d, unit), table.unit * unit)
    q, winning = np.exp(log_q), d * sign > 0
    over = q / (1 - q)
    h = g * over
    log_p = np.where(winning, np.log1p(-q), log_q)
    slope = -weight * sign * np.where(winning, h, g)
    curvature = -weight * np.where(winning, over * (bend - g**2) - h**2, -bend)
    information = weight * g * h
    return -weight @ log_p, slope, np.where(d == 0, information, curvature), information


def fenchel_young(table, d, sign, weight, unit):
    """The same of the Fenchel-Young loss."""
    log_q, g, _, area = _in_units(functions(table, d, unit), table.unit * unit)
    q, margin = np.exp(log_q), d * sign
    loss = np.maximum(-margin, 0.0) - area
    slope = -weight * sign * np.where(margin > 0, q, 1 - q)
    curvature = weight * g * q
    return weight @ loss, slope, curvature, curvature


def _in_units(functions, unit):
    """T, g, g' and the integral of exp(T) in the units of the scores."""
    log_q, g, bend, area = functions.T
    return log_q, g / unit, bend / unit**2, area * unit
