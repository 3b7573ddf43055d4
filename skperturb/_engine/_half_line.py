"""Two classes: the law of the difference of two noises, as a table.

The difference is symmetric about 0 for any noise, so that functions on the half-line are enough:

    T(x) = log P(noise' - noise > x),    g(x) = -T'(x),    g'(x),    A(x) = integral of exp(T)

from 0 to x. On panels that widen with x, 2**bits for each octave of 1 + x, each is a polynomial
through Chebyshev points. T and g are integrated by ``_deep``, to about 1e-15 and 1e-13; far out g
is the derivative of T, which then keeps more digits.
"""

import numpy as np
from numpy.polynomial import chebyshev

from .._cache import remembered
from ..noise import has_thin_tails, interquartile_range
from ._deep import Deep
from ._interpolant import interpolant
from ._table import NotTabulableError

DEGREE = 13  # as in _two.h
_UNIT = 0.5  # of x, in interquartile ranges
_NEAR, _FAR = 5, 22  # octaves: to 31 units, and to 4 million
_BITS = (2, 3, 4, 5)  # tried one after the other
# Relative size of the last coefficients of the polynomials of T and g: what is not smaller on
# narrower panels either is rounding.
_ACCURACY = np.array([2e-13, 5e-11])
_OWN_SLOPE = 30.0  # units beyond which g is the derivative of T
_POINTS = chebyshev.chebpts1(DEGREE + 1)
_TO_SERIES = np.linalg.inv(chebyshev.chebvander(_POINTS, DEGREE)).T
_TO_POWERS = np.array(
    [np.pad(chebyshev.cheb2poly(row), (0, DEGREE - k)) for k, row in enumerate(np.eye(DEGREE + 1))]
)


class HalfLine:
    """The four functions as piecewise polynomials.

    Attributes
    ----------
    lanes : ndarray of shape (n_panels, DEGREE + 1, 4)
        Coefficients of the powers of u, -1 <= u < 1 in each panel, of the four functions.
    bits : int
        Each octave of 1 + x has 2**bits panels.
    unit : float
        Of x.
    largest : float
        Largest x.
    """

    def __init__(self, lanes, bits, unit):
        self.lanes, self.bits, self.unit = lanes, bits, unit
        octaves, rest = divmod(len(lanes), 1 << bits)
        end = np.ldexp(1 + rest / (1 << bits), octaves) - 1
        self.largest = end * (1 - 1e-15)

    @property
    def reach(self):
        """Largest difference of scores."""
        return self.largest * self.unit


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
        If the functions are not smooth: for bounded noise, for a density that is infinite
        somewhere, and for several kinks.
    """
    if np.isfinite(law.support).all() or len(law.kinks) > 1:
        raise NotTabulableError
    if law.needs_interpolant:
        law = interpolant(law)
        if law.steep or len(law.kinks) > 1:
            raise NotTabulableError
    # Far out, a law with thin tails that may not be log-concave takes a mesh of very many panels.
    octaves = _FAR if far and (law.log_concave or not has_thin_tails(law)) else _NEAR
    unit, deep = _UNIT * interquartile_range(law), Deep(law)
    for bits in _BITS:
        lanes = _lanes(deep, unit, bits, octaves)
        if lanes is not None:
            return HalfLine(lanes, bits, unit)
    raise NotTabulableError


def _lanes(deep, unit, bits, octaves):
    """Coefficients of all panels whose values are finite; None if the panels are too wide."""
    octave, part = np.divmod(np.arange(octaves << bits), 1 << bits)
    width = np.ldexp(1.0, octave - bits)
    left = np.ldexp(1 + part / (1 << bits), octave) - 1
    x = left[:, None] + width[:, None] * (_POINTS + 1) / 2
    delta = np.column_stack([np.zeros(x.size), unit * x.ravel()])
    with np.errstate(all="ignore"):
        log_q, gradient = deep.of_targets(delta, np.ones(x.size, dtype=int))
    log_q, g = log_q.reshape(x.shape), -unit * gradient[:, 0].reshape(x.shape)
    finite = np.isfinite(log_q).all(axis=1) & np.isfinite(g).all(axis=1)
    n_panels = len(finite) if finite.all() else int(finite.argmin())
    if n_panels < 1 << bits:
        raise NotTabulableError
    log_q, g, left, width = log_q[:n_panels], g[:n_panels], left[:n_panels], width[:n_panels]
    half = width[:, None] / 2
    t_series, g_series = log_q @ _TO_SERIES, g @ _TO_SERIES
    from_t = -_padded(chebyshev.chebder(t_series, axis=1)) / half
    g_series = np.where((left < _OWN_SLOPE)[:, None], g_series, from_t)
    last = [_unresolved(t_series), _unresolved(g_series[left < _OWN_SLOPE])]
    if np.any(last > _ACCURACY):
        return None
    bend = _padded(chebyshev.chebder(g_series, axis=1)) / half
    area = chebyshev.chebint(np.exp(log_q) @ _TO_SERIES, axis=1, lbnd=-1)[:, :-1] * half
    area[:, 0] += np.append(0.0, np.cumsum(chebyshev.chebval(1.0, area.T))[:-1])
    series = (t_series, g_series, bend, area)
    return np.ascontiguousarray(np.stack([s @ _TO_POWERS for s in series], axis=2))


def _unresolved(series):
    """Largest share of the last two coefficients."""
    return (np.abs(series[:, -2:]).sum(axis=1) / np.abs(series).sum(axis=1)).max()


def _padded(series):
    return np.pad(series, ((0, 0), (0, DEGREE + 1 - series.shape[1])))
