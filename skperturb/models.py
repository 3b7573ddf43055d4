"""The two probability models, for people who have scores and no features."""

from abc import ABC, abstractmethod
from numbers import Real
from operator import is_
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array

from ._completeness import Constraint, Representation, argmax_answer, softmax_answer
from ._engine import (
    LARGEST_SCORE,
    descend,
    expected_information,
    gumbel_convolution,
    invert,
    make_kernel,
)
from ._warnings import warn_user
from .noise import Noise, as_noise, interquartile_range

__all__ = ["PerturbArgmax", "PerturbSoftmax"]

NoiseLike = str | Noise | Any  # Any: a frozen continuous distribution of scipy.stats
Floats = NDArray[np.float64]
Seed = int | np.random.RandomState | None
# Old names of methods, and what to use instead.
_NO_LONGER_PUBLIC = {
    "kernel": "proba, log_proba, potential, jacobian or information",
    "invert": "scores_from_proba",
}
_REMEMBERED = {"_last_state", "_last_kernel"}  # not saved
_EXTREME = 1e6  # ratio of temperature and noise: beyond, one of them is lost in rounding
_SUM_ERROR = 1e-6  # of a row of probabilities: more is no rounding
_NOT_ONE = 1 - 1e-9  # largest p of which the first guess of an inversion takes a quantile


class _Model(ABC):
    """What both models share: all that follows from the law of which they are the argmax."""

    def __init__(self, noise: NoiseLike = "gaussian", noise_scale: float = 1.0) -> None:
        self.noise = as_noise(noise, noise_scale)

    _last_state, _last_kernel = (), None

    @abstractmethod
    def _law(self):
        """The law of which this model is the Perturb-Argmax."""

    @abstractmethod
    def _representation(self, constraint):
        """Completeness and minimality."""

    def _check_jumps(self):
        if self.noise.atoms and not self.noise.discrete:
            raise ValueError(
                f"The CDF of {self.noise!r} jumps: single values have positive probability, which "
                "quadrature does not see. Use noise.Discrete, or a law without jumps."
            )

    def _kernel(self, n_classes):
        """What serves scores that are known to be valid; the cache owns it."""
        state = n_classes, *vars(self.noise).values(), *self.__getstate__().values()
        same = len(state) == len(self._last_state) and all(map(is_, state, self._last_state))
        kernel = self._last_kernel() if same else None
        if kernel is None:
            kernel = make_kernel(self._law(), n_classes)
            self._last_state, self._last_kernel = state, ref(kernel)
        return kernel

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name not in _REMEMBERED}

    def _prepare(self, scores):
        """The kernel for scores, and the scores as a checked array."""
        scores = _check_scores(scores)
        return self._kernel(scores.shape[1]), scores

    def __getattr__(self, name):
        if name not in _NO_LONGER_PUBLIC:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        warn_user(
            f"{type(self).__name__}.{name} is no longer public, and the next release will not have "
            f"it. Use {_NO_LONGER_PUBLIC[name]}.",
            FutureWarning,
        )
        return getattr(self, f"_{name}")

    def proba(self, scores: ArrayLike) -> Floats:
        """Class probabilities.

        Parameters
        ----------
        scores : array-like of shape (n_samples, n_classes)
            Finite scores of at least two classes; a common shift of a row changes nothing.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Each row sums to one.

        Raises
        ------
        ValueError
            If the scores are not a finite two-dimensional array of at least two columns.
        """
        kernel, rows = self._prepare(scores)
        return kernel.proba(rows)

    def log_proba(self, scores: ArrayLike) -> Floats:
        """Log of the class probabilities, accurate where the probability underflows.

        Parameters
        ----------
        scores : array-like of shape (n_samples, n_classes)
            As for :meth:`proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms, -inf for a probability of zero.
        """
        kernel, rows = self._prepare(scores)
        return kernel.log_proba(rows)

    def potential(self, scores: ArrayLike) -> Floats:
        """G(scores) = E[max(scores + noise) - max(noise)], whose gradient is `proba`.

        For Perturb-Softmax the maximum is temperature * log(sum(exp(. / temperature))).

        Parameters
        ----------
        scores : array-like of shape (n_samples, n_classes)
            As for :meth:`proba`.

        Returns
        -------
        ndarray of shape (n_samples,)
            In the units of the scores; 0 where all scores are 0.
        """
        kernel, rows = self._prepare(scores)
        return kernel.potential(rows)

    def jacobian(self, scores: ArrayLike) -> Floats:
        """Derivatives of the probabilities in the scores.

        Parameters
        ----------
        scores : array-like of shape (n_samples, n_classes)
            As for :meth:`proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes, n_classes)
            Entry (i, j) of a sample is d p_i / d scores_j: symmetric, its rows sum to zero.
        """
        kernel, rows = self._prepare(scores)
        return kernel.jacobian(rows)

    def information(self, scores: ArrayLike) -> Floats:
        """Expected (Fisher) information of one observed class about the scores.

        Parameters
        ----------
        scores : array-like of shape (n_samples, n_classes)
            As for :meth:`proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes, n_classes)
            E[g g^T], g the gradient of the log probability of the class drawn: positive
            semidefinite, its rows sum to zero.
        """
        return expected_information(*self._prepare(scores))

    def _noisy(self, scores, size, random_state):
        """Scores plus noise: (size, n_samples, n_classes)."""
        scores = _check_scores(scores)
        return scores + self.noise.rvs((size, *scores.shape), random_state)

    def scores_from_proba(self, p: ArrayLike, constraint: str = "sum_to_zero") -> Floats:
        """The scores that give these probabilities: the inverse of :meth:`proba`.

        They minimise the convex potential(scores) - p @ scores, by Newton's method.

        Parameters
        ----------
        p : array-like of shape (n_samples, n_classes)
            Positive probabilities of at least two classes; each row sums to one.
        constraint : {"sum_to_zero", "reference"}, default="sum_to_zero"
            Which of the scores that differ by a common shift: those that sum to zero, or
            those that are zero for the first class.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Scores that keep the constraint.

        Raises
        ------
        ValueError
            If a probability is zero or negative, a row does not sum to one, no scores are found,
            or the constraint is unknown.

        Examples
        --------
        >>> from skperturb import PerturbArgmax
        >>> model = PerturbArgmax("gaussian")
        >>> model.scores_from_proba(model.proba([[1.0, 0.5, -1.5]])).round(6)
        array([[ 1. ,  0.5, -1.5]])
        """
        if constraint not in ("sum_to_zero", "reference"):
            raise ValueError(
                f"constraint must be 'sum_to_zero' or 'reference', got {constraint!r}."
            )
        checked = _check_probabilities(p)
        scores, _, found = self._invert(checked)
        if not found.all():
            lost = np.flatnonzero(~found)
            raise ValueError(
                f"No scores were found for {lost.size} rows of p, the first of them "
                f"{checked[lost[0]].tolist()}. {self._why_lost()}"
            )
        if constraint == "reference":
            scores -= scores[:, :1]
        return scores

    def _invert(self, p):
        """What `scores_from_proba` does, for probabilities that are known to be valid.

        Parameters
        ----------
        p : ndarray of shape (n_samples, n_classes)

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            They sum to zero.
        steps : ndarray of shape (n_samples,), int
            Newton steps.
        found : ndarray of shape (n_samples,), bool
            Whether the scores give `p`, to 1e-8 of log p.
        """
        kernel, law = self._kernel(p.shape[1]), self._law()
        # A first guess: the winner's value as a constant that each class has to exceed.
        scores, steps, found = invert(kernel, p, -law.isf(np.minimum(p, _NOT_ONE)))
        # Only noise with gaps or atoms loses any.
        lost = np.flatnonzero(~found)
        if lost.size:
            near = descend(kernel, p[lost], scores[lost], interquartile_range(self.noise))
            scores[lost], further, found[lost] = invert(kernel, p[lost], near)
            steps[lost] += further
        return scores, steps, found

    def representation(self, constraint: Constraint = "sum_to_zero") -> Representation:
        """Whether the model can represent every distribution, and each by one set of scores only.

        The answer follows from the noise: its support, gaps and atoms. Gaps and atoms of a
        distribution of scipy.stats are searched for in its functions; where these do not decide,
        the answer is None, "unknown".

        Parameters
        ----------
        constraint : {"sum_to_zero", "reference", None}, default="sum_to_zero"
            Which scores are allowed: those that sum to zero, those that are zero for one class,
            or all.

        Returns
        -------
        skperturb.representation.Representation
            The answer, with its reason; print it for a text.

        Raises
        ------
        ValueError
            If the constraint is unknown.

        Examples
        --------
        >>> from skperturb import PerturbArgmax
        >>> print(PerturbArgmax("gaussian").representation())
        model       PerturbArgmax(Gaussian())
        constraint  sum_to_zero
        complete    yes
        minimal     yes
        where       everywhere
        reason      The noise has no atoms, so that p is continuous and reaches every
                    distribution. Its density is positive all the way to an infinite
                    end of (-inf, inf): any two classes can tie above all others, so
                    that the potential is strictly convex (Hofbauer and Sandholm 2002;
                    Norets and Takahashi 2013).
        """
        return self._representation(constraint)

    def _why_lost(self):
        if self.noise.atoms:
            return "With noise that has atoms Perturb-Argmax cannot represent every distribution."
        return "Some probabilities are too small for this noise, or the scores have no effect."


class PerturbArgmax(_Model):
    """Probability that each class has the largest score once noise is added.

    p_i = P(argmax_k(scores_k + noise_k) = i), the noise independent and identically
    distributed over the classes. Computed by quadrature: no Monte Carlo, no seed.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        "gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "student_t", "cauchy",
        "uniform", "exponential", or an object of :mod:`skperturb.noise`.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale; in the units of the scores.

    Raises
    ------
    ValueError
        If the noise is unknown or its scale not positive and finite.

    Examples
    --------
    >>> from skperturb import PerturbArgmax
    >>> PerturbArgmax("gaussian").proba([[1.0, 0.0, -1.0]]).round(6)
    array([[0.728751, 0.224098, 0.047151]])
    """

    def __repr__(self):
        return f"{type(self).__name__}({self.noise!r})"

    def _law(self):
        self._check_jumps()
        return self.noise

    def _representation(self, constraint):
        return argmax_answer(repr(self), self.noise, constraint)

    def sample(self, scores: ArrayLike, size: int = 1, random_state: Seed = None) -> NDArray:
        """Draw winning classes at random (Monte Carlo).

        The draws are class numbers, of shape (size, n_samples). Those of PerturbSoftmax are
        vectors of weights, of shape (size, n_samples, n_classes).

        Parameters
        ----------
        scores : array-like of shape (n_samples, n_classes)
            As for :meth:`proba`.
        size : int, default=1
            Number of draws for each row.
        random_state : int, RandomState or None, default=None
            Seed or source of the draws.

        Returns
        -------
        ndarray of shape (size, n_samples), int
            The number of the winning class, argmax(scores + noise), of each draw and row. Where
            several classes are largest, one of them is drawn.
        """
        rng = check_random_state(random_state)
        noisy = self._noisy(scores, size, rng)
        if not self.noise.discrete:
            return noisy.argmax(axis=2)
        ties = noisy >= noisy.max(axis=2, keepdims=True) - self.noise.resolution
        return (ties * rng.uniform(size=noisy.shape)).argmax(axis=2)


class PerturbSoftmax(_Model):
    """Mean of the softmax of scores with noise.

    p_i = E[softmax((scores + noise) / temperature)_i], the noise independent and
    identically distributed over the classes. It is computed as the Perturb-Argmax of
    noise + temperature * Gumbel (Cohen Indelman and Hazan, arXiv 2406.02180), by quadrature.

    Parameters
    ----------
    noise : str, Noise or frozen continuous distribution of scipy.stats, default="gaussian"
        "gaussian", "gumbel", "gumbel_min", "logistic", "laplace", "student_t", "cauchy",
        "uniform", "exponential", or an object of :mod:`skperturb.noise`.
    noise_scale : float, default=1.0
        Multiplies the noise's own scale; in the units of the scores.
    temperature : float, default=1.0
        In the units of the scores, between 1e-6 and 1e6 times the noise's interquartile range.
        Towards 0 the model becomes Perturb-Argmax; large against the noise,
        softmax(scores / temperature).

    Raises
    ------
    ValueError
        If the noise is unknown, a scale or the temperature not positive and finite, or one too
        small against the other.

    Examples
    --------
    >>> from skperturb import PerturbSoftmax
    >>> PerturbSoftmax("gaussian", temperature=0.5).proba([[1.0, 0.0, -1.0]]).round(6)
    array([[0.677697, 0.249211, 0.073092]])
    """

    def __init__(
        self, noise: NoiseLike = "gaussian", noise_scale: float = 1.0, temperature: float = 1.0
    ) -> None:
        super().__init__(noise, noise_scale)
        if not (isinstance(temperature, Real) and 0 < temperature < np.inf):
            raise ValueError(
                f"temperature must be positive and finite, got {temperature!r}; the limit of "
                "temperature 0 is PerturbArgmax."
            )
        ratio = temperature / interquartile_range(self.noise)
        if not 1 / _EXTREME <= ratio <= _EXTREME:
            limit = "PerturbArgmax" if ratio < 1 else "logistic regression"
            raise ValueError(
                f"temperature={temperature:g} is {ratio:.0e} times the width of the noise (its "
                f"interquartile range); between {1 / _EXTREME:.0e} and {_EXTREME:.0e} can be "
                f"computed. Use the limit, {limit}, or another noise_scale."
            )
        self.temperature: float = float(temperature)

    def __repr__(self):
        return f"{type(self).__name__}({self.noise!r}, temperature={self.temperature!r})"

    def sample(self, scores: ArrayLike, size: int = 1, random_state: Seed = None) -> Floats:
        """Draw softmax vectors at random (Monte Carlo).

        The draws are vectors of weights, of shape (size, n_samples, n_classes). Those of
        PerturbArgmax are class numbers, of shape (size, n_samples).

        Parameters
        ----------
        scores : array-like of shape (n_samples, n_classes)
            As for :meth:`proba`.
        size : int, default=1
            Number of draws for each row.
        random_state : int, RandomState or None, default=None
            Seed or source of the draws.

        Returns
        -------
        ndarray of shape (size, n_samples, n_classes)
            For each draw and row, softmax((scores + noise) / temperature). With many draws their
            mean tends to `proba`.
        """
        return softmax(self._noisy(scores, size, random_state) / self.temperature, axis=2)

    def _representation(self, constraint):
        return softmax_answer(repr(self), constraint)

    def _law(self):
        self._check_jumps()
        return gumbel_convolution(self.noise, self.temperature)


def _check_scores(scores):
    scores = check_array(scores, dtype=np.float64, input_name="scores")
    if scores.shape[1] < 2:
        raise ValueError(f"scores must have one column per class, two at least: {scores.shape}.")
    if np.abs(scores).max() > LARGEST_SCORE:
        raise ValueError(
            f"scores must lie between -{LARGEST_SCORE:g} and {LARGEST_SCORE:g}: differences of "
            "larger ones overflow. Subtract the best score of each row and use a larger unit."
        )
    return scores


def _check_probabilities(p):
    p = check_array(p, dtype=np.float64, input_name="p")
    if p.shape[1] < 2:
        raise ValueError(f"p must have one column per class, two at least: {p.shape}.")
    if p.min() <= 0:
        raise ValueError(
            "p has an entry that is not positive: finite and unique scores there are only inside "
            "the simplex. Give every class a small probability first."
        )
    total = p.sum(axis=1)
    if np.abs(total - 1).max() > _SUM_ERROR:
        raise ValueError(f"A row of p sums to {total[np.abs(total - 1).argmax()]:.6g}, not to one.")
    return p / total[:, None]
