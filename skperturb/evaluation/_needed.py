"""How many parts would settle a difference."""

import numpy as np
from scipy import optimize, special, stats

from ._stats import Interval

RANGE = 0.1, 0.9  # the probabilities at the ends of a range


def parts_needed(
    difference: float,
    se: float,
    n: int,
    *,
    df: int,
    power: float = 0.8,
    confidence: float = 0.95,
) -> float:
    """Estimate how many parts would settle a difference of this size.

    The standard error shrinks like 1 / sqrt(parts). With the parts returned, a true difference as
    large as the observed one would be found with probability `power`.

    Parameters
    ----------
    difference : float
        Observed difference.
    se : float
        (Corrected) standard error of the difference, in the same unit.
    n : int
        Number of parts in which it was observed.
    df : int
        Degrees of freedom of the t distribution.
    power : float, default=0.8
        Probability of finding the difference, between 0 and 1.
    confidence : float, default=0.95
        Confidence of the test, between 0 and 1.

    Returns
    -------
    float
        Number of parts in all; inf if no difference was observed.

    Examples
    --------
    >>> from skperturb.evaluation import parts_needed
    >>> round(parts_needed(difference=2.0, se=1.5, n=500, df=99))
    2252
    """
    if difference == 0:
        return np.inf
    quantiles = special.stdtrit(df, (1 + confidence) / 2) + special.stdtrit(df, power)
    return float(n * max((quantiles * se / difference) ** 2, 0.0))


def parts_needed_range(
    difference: float,
    se: float,
    n: int,
    *,
    df: int,
    named: bool = False,
    rope: float = 0.0,
    power: float = 0.8,
    confidence: float = 0.95,
) -> Interval:
    """Estimate between which numbers of parts, or of lots, a difference would be settled.

    The number for the observed difference alone promises too much: a difference that was small by
    chance seems to need ten times as many parts. The range allows for that.

    Parameters
    ----------
    difference : float
        Observed difference or, with ``named=True``, one that matters to you.
    se : float
        (Corrected) standard error of the observed difference, in the same unit.
    n : int
        Number of parts, or of lots, in which it was observed.
    df : int
        Degrees of freedom of the t distribution.
    named : bool, default=False
        Whether the difference is given. An observed one is uncertain, by its t distribution; of
        a given one only the standard error is.
    rope : float, default=0.0
        Half-width of the region of practical equivalence, beyond which the difference is to be
        shown.
    power : float, default=0.8
        Probability of finding the difference, between 0 and 1.
    confidence : float, default=0.95
        Confidence of the test, between 0 and 1.

    Returns
    -------
    Interval
        Numbers of parts or lots in all, which suffice with probability 10 % and 90 %; inf if the
        difference may lie within the rope.

    Examples
    --------
    >>> from skperturb.evaluation import parts_needed_range
    >>> few = parts_needed_range(difference=2.0, se=1.5, n=500, df=99)
    >>> round(few.low), round(few.high)
    (581, 43780)
    >>> few = parts_needed_range(difference=2.0, se=1.5, n=500, df=99, named=True)
    >>> round(few.low), round(few.high)
    (1899, 2737)
    """
    quantiles = special.stdtrit(df, (1 + confidence) / 2) + special.stdtrit(df, power)
    if named:
        sizes = np.full(2, abs(difference))
        spreads = np.sqrt(df / stats.chi2.ppf(RANGE[::-1], df))
    else:
        sizes = np.array([_size_quantile(difference, se, df, share) for share in RANGE[::-1]])
        spreads = np.ones(2)
    beyond = np.maximum(sizes - rope, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.where(beyond > 0, n * (quantiles * se * spreads / beyond) ** 2, np.inf)
    return Interval(float(low), float(high))


def _size_quantile(difference, se, df, share):
    """Quantile of the absolute value of a t distribution around the difference."""
    if se == 0:
        return abs(difference)

    def excess(size):
        below = special.stdtr(df, (size - difference) / se)
        return below - special.stdtr(df, (-size - difference) / se) - share

    top = abs(difference) + se
    while excess(top) < 0:
        top *= 2
    return optimize.brentq(excess, 0, top)
