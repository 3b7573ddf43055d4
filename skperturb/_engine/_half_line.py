"""Two classes: the law of the difference of two noises, as a table.

The difference is symmetric about 0 for any noise, so that functions on the half-line are enough:

    T(x) = log P(noise' - noise > x),    g(x) = -T'(x),    g'(x),    A(x) = integral of exp(T)

from 0 to x. On panels that widen with a variable y, 2**bits for each octave of it, each is a
polynomial through Chebyshev points. Where the support has no end, y is 1 + x. For bounded noise y
is proportional to the distance from the largest difference, at which T falls as a multiple of the
log of that distance: so small a distance is that no digit of it is lost. There y < 2 is beyond the
end.

T and g are integrated by ``_deep`` or ``_pieces``, to about 1e-15 and 1e-13; far out g is the
derivative of T, which then keeps more digits.
"""

from functools import partial

import numpy as np
from numpy.polynomial import chebyshev, polynomial

from .._cache import remembered
from ..noise import has_thin_tails, interquartile_range
from ._deep import Deep
from ._interpolant import interpolant
from ._pieces import PieceKernel
from ._table import NotTabulableError

DEGREE = 13  # as in _two.h
_UNIT = 0.5  # of x, in interquartile ranges
_NEAR, _FAR = 5, 22  # octaves: to 31 units, and to 4 million
_BITS = (2, 3, 4, 5)  # tried one after the other
# Relative size of the last coefficients of the polynomials of T and g: what is not smaller on
# narrower panels either is rounding.
_ACCURACY = np.array([2e-13, 5e-11])
_GAIN = 16.0  # of the accuracy from panels half as wide, at least
_OWN_SLOPE = 30.0  # units beyond which g is the derivative of T
_TO_END = 54  # octaves: the distance from the end to the number before it is in the second of them
_INTEGRATED = 14  # of these: nearer to the end T is extrapolated,
_FITTED = 4  # from so many
_ROUND = 6  # digits of a power that is held to be a round number
_POWER = 1e-9  # error of a power
_POINTS = chebyshev.chebpts1(DEGREE + 1)
_TO_SERIES = np.linalg.inv(chebyshev.chebvander(_POINTS, DEGREE)).T
_TO_POWERS = np.array(
    [np.pad(chebyshev.cheb2poly(row), (0, DEGREE - k)) for k, row in enumerate(np.eye(DEGREE + 1))]
)


class HalfLine:
    """The four functions as piecewise polynomials.

    With z = slope (x - origin), held between the two limits, y is z + shift.

    Attributes
    ----------
    lanes : ndarray of shape (n_panels, DEGREE + 1, 4)
        Coefficients of the powers of u, -1 <= u < 1 in each panel, of the four functions.
    log_q : ndarray of shape (n_panels, 16)
        Those of the first function alone, and zeros.
    bits : int
        Each octave of y has 2**bits panels, beginning at y = 1.
    unit : float
        Of x.
    origin, slope, shift : float
        Of y.
    limits : tuple of float
        Of z.
    reach : float
        Largest difference of scores.
    """

    def __init__(self, lanes, bits, unit, end=None):
        self.lanes, self.bits, self.unit = lanes, bits, unit
        self.log_q = np.zeros((len(lanes), 16))  # for four registers of four
        self.log_q[:, : lanes.shape[1]] = lanes[:, :, 0]
        if end is not None:
            self.origin, self.slope, self.shift = end, -np.ldexp(1 / end, _TO_END), 0.0
            self.limits, self.reach = (1.0, np.nextafter(np.ldexp(1.0, _TO_END), 0.0)), np.inf
            return
        octaves, rest = divmod(len(lanes), 1 << bits)
        largest = (np.ldexp(1 + rest / (1 << bits), octaves) - 1) * (1 - 1e-15)
        self.origin, self.slope, self.shift = 0.0, 1.0, 1.0
        self.limits, self.reach = (0.0, largest), largest * unit


@remembered
def half_line(law, far=False):
    """The table of a law.

    Parameters
    ----------
    law : Law
        With scale 1.
    far : bool, default=False
        Whether it goes as far as it can.

    Returns
    -------
    HalfLine

    Raises
    ------
    NotTabulableError
        If the functions are not smooth: for a density that is infinite somewhere, or a power of
        the distance from a kink, and for several kinks that are not the ends of the support.
    """
    bounded = bool(np.isfinite(law.support).all())
    if bounded and far:
        raise NotTabulableError  # any table of such a law has its end
    values, law = _integrator(law, 3 if bounded else 1)
    before = np.inf
    for bits in _BITS:
        make = partial(_to_end, values, law) if bounded else partial(_outwards, values, law, far)
        table, misfit = make(bits)
        if misfit <= 1:
            return table
        # Panels half as wide resolve a smooth function by orders of magnitude better.
        if misfit > before / _GAIN:
            break
        before = misfit
    raise NotTabulableError


def _integrator(law, most_kinks):
    """A function of x that gives T and -g, and the law that it is of."""
    if law.branches and len(law.kinks) <= most_kinks:
        kernel = PieceKernel(law)
        return lambda x: kernel.log_likelihood(np.column_stack([0 * x, -x]), _second(x)), law
    if law.needs_interpolant and len(law.kinks) <= most_kinks:
        law = interpolant(law)
        if law.steep:
            raise NotTabulableError
    if len(law.kinks) > most_kinks:
        raise NotTabulableError
    deep = Deep(law)
    return lambda x: deep.of_targets(np.column_stack([0 * x, x]), _second(x)), law


def _second(x):
    return np.ones(len(x), dtype=int)


def _outwards(values, law, far, bits):
    """The table whose panels widen with x, and its misfit in units of what it may be."""
    # Far out, a law with thin tails that may not be log-concave takes a mesh of very many panels.
    octaves = _FAR if far and (law.log_concave or not has_thin_tails(law)) else _NEAR
    unit = _UNIT * interquartile_range(law)
    left, half = _panels(np.arange(octaves << bits), bits)
    x = left[:, None] - 1 + half[:, None] * (_POINTS + 1)
    log_q, g = _functions(values, x, unit)
    finite = np.isfinite(log_q).all(axis=1) & np.isfinite(g).all(axis=1)
    n_panels = len(finite) if finite.all() else int(finite.argmin())
    if n_panels < 1 << bits:
        raise NotTabulableError
    log_q, g, left, half = log_q[:n_panels], g[:n_panels], left[:n_panels], half[:n_panels]
    t_series, g_series = log_q @ _TO_SERIES, g @ _TO_SERIES
    from_t = -_padded(chebyshev.chebder(t_series, axis=1)) / half[:, None]
    near = left - 1 < _OWN_SLOPE
    misfit = _misfit(t_series, g_series[near])
    lanes = _lanes(log_q, np.where(near[:, None], g_series, from_t), half)
    return HalfLine(lanes, bits, unit), misfit


def _to_end(values, law, bits):
    """The table of bounded noise, whose panels become narrow towards the end, and its misfit."""
    end = law.support[1] - law.support[0]
    left, half = _panels(np.arange(1 << bits, _TO_END << bits), bits)
    scale = np.ldexp(end, -_TO_END)
    half *= scale
    distance = scale * left[:, None] + half[:, None] * (_POINTS + 1)
    first = (_TO_END - 1 - _INTEGRATED) << bits
    x = end - distance[first:]
    log_q, g = _functions(values, x, 1.0)
    # What rounding did to x.
    log_q += g * (distance[first:] - (end - x))
    if not (np.isfinite(log_q).all() and np.isfinite(g).all()):
        raise NotTabulableError
    misfit = _misfit(log_q @ _TO_SERIES, g @ _TO_SERIES)
    if misfit > 1:
        return None, misfit
    fitted = slice(0, _FITTED << bits)
    nearer = _extrapolated(distance[first:][fitted], log_q[fitted], g[fitted], distance[:first])
    log_q, g = (np.concatenate(pair) for pair in zip(nearer, (log_q, g), strict=True))
    beyond = np.zeros((1 << bits, DEGREE + 1, 4))
    lanes = _lanes(log_q, g @ _TO_SERIES, -half)
    lanes[:, 0, 3] -= lanes[-1, :, 3].sum()  # at x = 0
    beyond[:, 0, 0], beyond[:, 0, 3] = -np.inf, lanes[0, 0, 3]
    return HalfLine(np.concatenate([beyond, lanes]), bits, 1.0, end), misfit


def _extrapolated(distance, log_q, g, nearer):
    """T and g nearer to the end: a power of the distance times a smooth function of it."""
    unit = distance.max()
    shares = polynomial.polyfit(distance.ravel() / unit, (g * distance).ravel(), 2)
    power, rounded = shares[0], round(shares[0], _ROUND)
    if abs(power - rounded) < _POWER:
        power = rounded
    rest = polynomial.polyfit(
        distance.ravel() / unit, (log_q - power * np.log(distance)).ravel(), 2
    )
    misfit = power * np.log(distance) + polynomial.polyval(distance / unit, rest) - log_q
    if np.abs(misfit).max() > _POWER:
        raise NotTabulableError
    t = power * np.log(nearer) + polynomial.polyval(nearer / unit, rest)
    return t, power / nearer + polynomial.polyval(nearer / unit, polynomial.polyder(rest)) / unit


def _panels(number, bits):
    """Left ends in y, and half the widths, of panels of these numbers."""
    octave, part = np.divmod(number, 1 << bits)
    return np.ldexp(1 + part / (1 << bits), octave), np.ldexp(0.5, octave - bits)


def _functions(values, x, unit):
    with np.errstate(all="ignore"):
        log_q, gradient = values(unit * x.ravel())
    return log_q.reshape(x.shape), -unit * gradient[:, 0].reshape(x.shape)


def _misfit(*series):
    """Largest share of the last two coefficients of T and g, in units of what it may be."""
    shares = (np.abs(s[:, -2:]).sum(axis=1) / np.abs(s).sum(axis=1) for s in series)
    return max(np.max(s) / accuracy for s, accuracy in zip(shares, _ACCURACY, strict=True))


def _lanes(log_q, g_series, half):
    """Coefficients of the four functions, from values of T, the series of g, and half the widths.

    In x: the widths are negative where x falls with y. The integral begins at the first panel.
    """
    half = half[:, None]
    bend = _padded(chebyshev.chebder(g_series, axis=1)) / half
    area = chebyshev.chebint(np.exp(log_q) @ _TO_SERIES, axis=1, lbnd=-1)[:, :-1] * half
    area[:, 0] += np.append(0.0, np.cumsum(chebyshev.chebval(1.0, area.T))[:-1])
    series = (log_q @ _TO_SERIES, g_series, bend, area)
    return np.ascontiguousarray(np.stack([s @ _TO_POWERS for s in series], axis=2))


def _padded(series):
    return np.pad(series, ((0, 0), (0, DEGREE + 1 - series.shape[1])))
