"""Noise with the law of a continuous distribution of scipy.stats."""

import warnings
from typing import Any
from weakref import WeakKeyDictionary

import joblib
import numpy as np
import numpy.typing as npt
from scipy.stats import rv_continuous, vonmises_line
from scipy.stats.distributions import rv_frozen
from sklearn.utils import check_random_state

from .._cache import remembered
from ._base import Noise
from ._integrated import integrated
from ._law import interquartile_range
from ._logs import log_complement

_PANELS = 1000  # in which atoms and gaps are looked for
_MOST_JUMPS = 8  # panels in which the CDF rises most
_JUMP = 1e-4  # probability of an atom that counts
_OUTSIDE = 1e-9  # probability of either tail that is not looked at
_LOST = -690.0  # log probability below which a CDF that is not computed in logs has no digits
_TAIL_STEP = 0.05  # interquartile ranges between the points that tell the slope of a log density
_FAR_AWAY = 1e300  # quantile that overflows
_SMALLEST_LOG = -746.0  # of a float above 0
# Log density below which one that is not computed in logs loses digits, the step for the parabola
# that continues it, in interquartile ranges, and the furthest point that is looked at, likewise.
_LOWEST, _STEP, _FURTHEST = -700.0, 0.25, 1e6
# Distributions whose CDFs scipy computes in a loop over the points, by quadrature or otherwise:
# milliseconds each. Theirs are integrated here, once.
_LOOPS = {
    "argus",
    "exponnorm",
    "foldcauchy",
    "foldnorm",
    "genhyperbolic",
    "geninvgauss",
    "recipinvgauss",
    "rel_breitwigner",
    "skewnorm",
    "vonmises_line",
}
_BESIDE = 1e-3  # in units of the law: no smooth tail falls from that to nothing so soon


class ScipyNoise(Noise):
    """Noise with the law of a frozen continuous distribution of scipy.stats.

    Made by :func:`from_scipy`. Its tails are as accurate as scipy's.

    Parameters
    ----------
    distribution : frozen continuous distribution of scipy.stats
        The law for scale 1.
    scale : float, default=1.0
        Multiplies the variable.

    Examples
    --------
    >>> from scipy.stats import skewnorm
    >>> from skperturb.noise import ScipyNoise
    >>> round(float(ScipyNoise(skewnorm(4), scale=2.0).cdf(0.0)), 4)
    0.078
    """

    # Unknown: nothing in scipy says so.
    log_concave = symmetric = None
    needs_interpolant = True

    def __init__(self, distribution: Any, scale: float = 1.0):
        super().__init__(scale)
        self.distribution = distribution

    def __repr__(self):
        frozen, scale = self.distribution, self.scale
        arguments = [*map(repr, frozen.args), *(f"{k}={v!r}" for k, v in frozen.kwds.items())]
        # Laws that were made and not named are called so.
        name = (
            type(frozen.dist).__name__ if frozen.dist.name == "Distribution" else frozen.dist.name
        )
        law = f"from_scipy({name}({', '.join(arguments)}))"
        return law if scale == 1 else f"{law}.set_params(scale={scale!r})"

    @property
    def _support(self):
        return _find_support(self.standard())

    @property
    def atoms(self) -> bool | None:  # type: ignore[override]
        """Whether the CDF jumps, as far as a look at it can tell."""
        return _find_atoms(self.standard())

    @property
    def _gaps(self):
        return _find_gaps(self.standard())

    @property
    def _kinks(self):
        ends = [end for end in self._support if np.isfinite(end)]
        return tuple(ends + [end for gap in self._gaps or () for end in gap])

    def key(self) -> tuple:
        """The law by value, immutable.

        Returns
        -------
        tuple
            Equal for equal laws.
        """
        # By value: a copy of the distribution is the same law.
        return type(self), self.scale, _hashed(self.distribution)

    @property
    def detail(self) -> float:
        """Distance over which the law may vary: short, as its shape is not known."""
        return interquartile_range(self) / 24

    def _call(self, name, x):
        with np.errstate(all="ignore"):
            return getattr(self.distribution, name)(x)

    def rvs(
        self,
        size: int | tuple[int, ...] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> float | npt.NDArray[np.float64]:
        """Random draws, by the distribution's own method.

        Parameters
        ----------
        size : int or tuple of int, default=None
            Shape of the result; None for one number.
        random_state : int, RandomState or None, default=None
            Seed or source of the draws.

        Returns
        -------
        float or ndarray of shape `size`
            Values of the noise, in the units of the scores.
        """
        return self.scale * self.distribution.rvs(size, check_random_state(random_state))

    @property
    def lowest_log_density(self) -> float:  # type: ignore[override]
        """Log density, for scale 1, below which tails are continued, as scipy's underflows."""
        return _LOWEST if np.isfinite(_find_underflow(self.standard())).any() else -np.inf

    def _logpdf(self, z):
        out = np.asarray(self._call("logpdf", z))
        ends = _find_underflow(self.standard())
        if np.isfinite(ends).any():
            z = np.asarray(z, dtype=float)
            for end, side in zip(ends, (-1.0, 1.0), strict=True):
                beyond = side * (z - end) > 0
                if beyond.any():
                    out = np.where(beyond, self._continued(z, end, side), out)
        return out

    def _continued(self, z, end, side):
        """Log density beyond `end`: the parabola through the last points, which never rises."""
        step = side * _STEP * interquartile_range(self.standard())
        last = self._call("logpdf", end - step * np.array([2.0, 1.0, 0.0]))
        steps = (z - end) / step
        curvature = min(last[0] - 2 * last[1] + last[2], 0.0)
        slope = last[2] - last[1] + curvature / 2
        with np.errstate(over="ignore"):
            return last[2] + steps * (slope + steps * curvature / 2)

    def _logcdf(self, z):
        return self._of_either_side("logcdf", "logsf", z)

    def _logsf(self, z):
        return self._of_either_side("logsf", "logcdf", z)

    def _of_either_side(self, name, other, z):
        """A log probability, by that of the other side where it is near 1: there it has digits."""
        z = np.asarray(z, dtype=float)
        own = _find_integrated(self.standard())
        source = self.distribution if own is None else own
        with np.errstate(all="ignore"):
            out = np.array(getattr(source, name)(z))
            near_one = ~(out < -0.5)
            out[near_one] = log_complement(getattr(source, other)(z[near_one]))
        lost = out < _LOST
        if own is None and lost.any():
            out[lost] = self._log_tail(z[lost], out[lost])
        return out

    def _log_tail(self, z, otherwise):
        """Log of the probability beyond z, from the density: where scipy's own has underflown.

        With s the slope of the log density, the tail is pdf / s / (1 - s' / s**2) to second order:
        exactly for exponential and power tails.
        """
        step = _TAIL_STEP * interquartile_range(self.standard())
        before, here, after = (self._logpdf(z + h) for h in (-step, 0.0, step))
        with np.errstate(all="ignore"):
            slope = np.abs(after - before) / (2 * step)
            curvature = (after - 2 * here + before) / step**2
            tail = here - np.log(slope) - np.log1p(-curvature / slope**2)
        return np.where(np.isneginf(otherwise) & np.isfinite(tail), tail, otherwise)

    def logcdf_and_hazard(
        self, x: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Both at once: some distributions of scipy take milliseconds for a CDF.

        Parameters
        ----------
        x : ndarray
            Values of the noise, in the units of the scores; any shape.

        Returns
        -------
        log_cdf, log_hazard : ndarray of the shape of `x`
            Log of P(noise <= x), and of the density over that.
        """
        log_cdf, log_pdf = self.logcdf(x), self.logpdf(x)
        impossible = np.isneginf(log_pdf)
        return log_cdf, np.where(impossible, -np.inf, log_pdf - np.where(impossible, 0.0, log_cdf))

    def _quantile(self, name, q):
        with warnings.catch_warnings():  # some versions warn of probabilities like 1e-300
            warnings.simplefilter("ignore", RuntimeWarning)
            return self._call(name, q)

    def _ppf(self, q):
        # Where scipy's quantile overflows, its sign may be wrong: t(3).ppf(1e-300) is inf.
        out = self._quantile("ppf", q)
        return np.where(np.isposinf(out) & (np.asarray(q) < 0.5), -_FAR_AWAY, out)

    def _isf(self, q):
        out = self._quantile("isf", q)
        return np.where(np.isneginf(out) & (np.asarray(q) < 0.5), _FAR_AWAY, out)


def from_scipy(distribution: Any) -> ScipyNoise:
    """Noise with the law of a continuous distribution of scipy.stats.

    Parameters
    ----------
    distribution : frozen continuous distribution of scipy.stats, or rv_continuous
        Such as ``scipy.stats.skewnorm(4)``. A distribution that has no shape parameters, such as
        ``scipy.stats.norm`` or an ``rv_histogram``, need not be frozen. ``vonmises``, which lives
        on the circle, is taken as ``vonmises_line``.

    Returns
    -------
    ScipyNoise
        Noise with scale 1, which is the distribution itself.

    Raises
    ------
    ValueError
        If it is anything else, or its parameters are arrays.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> from skperturb.noise import from_scipy
    >>> round(float(from_scipy(norm(scale=2)).cdf(2.0)), 4)
    0.8413
    """
    if hasattr(distribution, "pmf"):
        raise ValueError(
            "The distribution is discrete. Use a continuous one, or, in Perturb-Softmax, "
            "skperturb.noise.Discrete(values, probabilities)."
        )
    if isinstance(distribution, rv_continuous):
        if distribution.numargs:
            raise ValueError(
                f"The distribution {distribution.name} has shape parameters: "
                f"{distribution.shapes}. Give from_scipy the distribution with their values, as in "
                "scipy.stats.gamma(2.0)."
            )
        distribution = distribution()
    if not isinstance(distribution, rv_frozen) or not isinstance(distribution.dist, rv_continuous):
        raise ValueError(
            "from_scipy needs a continuous distribution of scipy.stats, such as "
            f"scipy.stats.norm(scale=2) or scipy.stats.rv_histogram(...), got {distribution!r}."
        )
    if any(map(np.ndim, (*distribution.args, *distribution.kwds.values()))):
        raise ValueError(
            f"The parameters {(*distribution.args, *distribution.kwds.values())!r} of the "
            f"distribution {distribution.dist.name} are arrays: give from_scipy one distribution, "
            "whose parameters are numbers."
        )
    if distribution.dist.name == "vonmises":
        # On the circle, where a CDF has no end: on the line it is one turn.
        distribution = vonmises_line(*distribution.args, **distribution.kwds)
    noise = ScipyNoise(distribution)
    quartiles = noise.ppf([0.25, 0.75])
    if not (np.isfinite(quartiles).all() and quartiles[0] < quartiles[1]):
        raise ValueError(f"{distribution!r} has no quartiles: check its parameters.")
    return noise


# Hash of a distribution with its arguments: it takes ten milliseconds for a histogram, and a law is
# looked up by it at every call.
_hashes: WeakKeyDictionary[Any, tuple] = WeakKeyDictionary()


def _hashed(frozen):
    """The distribution by value, immutable."""
    arguments = frozen.args, tuple(frozen.kwds.items())
    known = _hashes.get(frozen)
    if known is None or known[0] != arguments:
        known = _hashes[frozen] = arguments, joblib.hash(frozen)
    return known[1]


def _look(law):
    """Points from tail to tail, denser in the middle."""
    low, middle, high = law.ppf(_OUTSIDE), law.ppf(0.5), law.isf(_OUTSIDE)
    scale = interquartile_range(law) / 3
    ends = np.arcsinh((np.array([low, high]) - middle) / scale)
    points = np.clip(middle + scale * np.sinh(np.linspace(*ends, _PANELS + 1)), low, high)
    # Rounding must not move the ends: there a density may be infinite.
    points[[0, -1]] = low, high
    return points


@remembered
def _find_support(law):
    """The support, an end moved in if the density stops at the quantile of 1e-9."""
    ends = [float(end) for end in law.distribution.support()]
    step = _BESIDE * interquartile_range(law)
    for k, (tail, outwards) in enumerate(((law.ppf(_OUTSIDE), -step), (law.isf(_OUTSIDE), step))):
        inside, outside = tail - outwards, tail + outwards
        stops = np.isneginf(law.logpdf(outside)) and np.isfinite(law.logpdf(inside))
        if stops and (ends[k] - outside) * outwards > 0:
            ends[k] = _edge(law, inside, outside)
    return tuple(ends)


@remembered
def _find_integrated(law):
    """The CDFs from the density, for distributions whose own take milliseconds a point."""
    frozen = law.distribution
    loops = type(frozen.dist)._cdf is rv_continuous._cdf or frozen.dist.name in _LOOPS
    if not loops:
        return None
    return integrated(
        law._logpdf, frozen.support(), float(frozen.ppf(0.5)), interquartile_range(law) / 3
    )


@remembered
def _find_underflow(law):
    """Where the density reaches exp(_LOWEST) on its way to an underflow, on either side.

    Infinite where it is computed in logs, and where the support ends before.
    """
    middle, width, ends = float(law.distribution.ppf(0.5)), interquartile_range(law), []
    for end, side in zip(law.distribution.support(), (-1.0, 1.0), strict=True):
        furthest = middle + side * _FURTHEST * width
        at = law._call("logpdf", np.array([middle, furthest]))
        ends.append(side * np.inf)
        if np.isfinite(end) or not (np.isfinite(at[0]) and np.isneginf(at[1])):
            continue
        inside, outside, low = middle, furthest, middle
        for _ in range(100):
            point = (inside + outside) / 2
            log_pdf = float(law._call("logpdf", point))
            inside, outside = (inside, point) if np.isneginf(log_pdf) else (point, outside)
            low = point if log_pdf > _LOWEST and side * (point - low) > 0 else low
        # A density that stops, or goes on below what a float holds, has not underflown.
        if _SMALLEST_LOG < float(law._call("logpdf", inside)) < _LOWEST:
            ends[-1] = low
    return tuple(ends)


@remembered
def _find_gaps(law):
    """Intervals without density between points that have some; None if the density is unusable.

    A gap that is narrower than the points looked at is not seen.
    """
    x = _look(law)
    log_pdf = law.logpdf(x)
    empty = np.isneginf(log_pdf)
    # The first and the last point may lie on the edge of the support, where a density may be 0.
    inside = np.flatnonzero(~empty)
    if np.isnan(log_pdf).any() or not inside.size:
        return None
    edges = np.diff(empty[inside[0] : inside[-1] + 1].astype(int)).nonzero()[0] + inside[0]
    gaps = [
        (_edge(law, x[left], x[left + 1]), _edge(law, x[right + 1], x[right]))
        for left, right in edges.reshape(-1, 2)
    ]
    # A density that is zero at a point makes no gap.
    narrow = _BESIDE**2 * interquartile_range(law)
    return tuple((low, high) for low, high in gaps if high - low > narrow)


def _edge(law, inside, outside):
    """Where the density ends, between a point that has some and one that has none."""
    for _ in range(60):
        middle = (inside + outside) / 2
        if np.isneginf(law.logpdf(middle)):
            outside = middle
        else:
            inside = middle
    return float(outside)


@remembered
def _find_atoms(law):
    """Whether the CDF jumps; None where the density is infinite and would explain it.

    An atom of a smaller probability than a hundredth may not be seen.
    """
    x = _look(law)
    cdf = np.exp(law.logcdf(x))
    steepest = np.argsort(np.diff(cdf))[-_MOST_JUMPS:]
    low, high, below, above = x[steepest], x[steepest + 1], cdf[steepest], cdf[steepest + 1]
    for _ in range(80):
        middle = (low + high) / 2
        between = np.exp(law.logcdf(middle))
        left = between - below > above - between
        low, below = np.where(left, low, middle), np.where(left, below, between)
        high, above = np.where(left, middle, high), np.where(left, between, above)
    # What is left between two neighbouring numbers is an atom, unless the density explains it.
    jumps = above - below > _JUMP
    log_pdf = np.maximum(law.logpdf(low), law.logpdf(high))[jumps]
    if np.isnan(cdf).any() or np.any(np.isnan(log_pdf) | np.isposinf(log_pdf)):
        return None
    return bool(np.any(np.exp(log_pdf) * (high - low)[jumps] < _JUMP))
