"""Whether a noise can represent every distribution of classes, each by one set of scores only.

*Complete*: every distribution in the open simplex is p(scores) for some scores. *Minimal*:
different scores in the constrained set give different distributions. Both follow from the
potential G(scores), whose gradient is p (Cohen Indelman and Hazan, arXiv 2406.02180, with the
conditions on the noise that Perturb-Argmax needs):

Perturb-Softmax
    With any noise, G is finite, smooth and strictly convex on the plane sum(scores) = 0 and grows
    as max(scores), so that p maps the plane one-to-one onto the open simplex (Rockafellar 1970,
    Theorem 26.5).
Perturb-Argmax
    G is differentiable, and the model complete, if and only if two classes never tie: the noise
    has no atoms. (If they do, p is shared evenly.) d p_i / d scores_j is minus the density of a
    tie of i and j above all others; G is strictly convex where such ties link all classes. They
    do everywhere if the density is positive all the way to an infinite end of the support
    (Hofbauer and Sandholm 2002; Norets and Takahashi 2013). If the support is [a, b] without
    gaps, they do while max(scores) - min(scores) < b - a.
"""

from dataclasses import dataclass
from itertools import compress
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from ._linear._identifiability import Identifiability, check_identifiability
from ._results import Record
from .noise import Discrete, interquartile_range

__all__ = [
    "Identifiability",
    "Representation",
    "Verification",
    "check_identifiability",
    "representation",
    "verify_representation",
]

CONSTRAINTS = "sum_to_zero", "reference", None
_SMALLEST = 1e-4  # probability that is inverted: with heavy tails, scores of ten thousand
_REACHED = 1e-9  # |p - proba(scores)|
_SAME = 1e-8  # difference of log p that is none
_STEP = 0.05  # to the side, in units of the noise
_TINY = 1e-300
_FAR_OUT = 1e-6  # probability beyond the last gap
_SMOOTH = "Rockafellar 1970, Theorem 26.5; Cohen Indelman and Hazan, arXiv 2406.02180"
_TIES = "Hofbauer and Sandholm 2002; Norets and Takahashi 2013"


@dataclass(frozen=True)
class Representation(Record):
    """Completeness and minimality of a model: read it with ``print``, or :meth:`to_dict`.

    Attributes
    ----------
    model : str
        The model in words.
    constraint : {"sum_to_zero", "reference", "none"}
        Which scores are allowed.
    complete : bool or None
        Whether every distribution in the open simplex is reached; None where it is unknown.
    minimal : bool or None
        Whether different scores always give different distributions; None where it is unknown.
    where : str
        The scores for which they do: "everywhere", "nowhere", "unknown", or the condition.
    reason : str
        The condition that decided, and its source.
    """

    model: str
    constraint: str
    complete: bool | None
    minimal: bool | None
    where: str
    reason: str


def representation(model, constraint="sum_to_zero"):
    """Whether a model can represent every distribution, and each by one set of scores only.

    Decided from the facts of the noise: its support, gaps and atoms. For a distribution of
    scipy.stats gaps and atoms are looked for in the functions that it has; where those
    do not tell, the answer is None, "unknown".

    Parameters
    ----------
    model : PerturbArgmax or PerturbSoftmax
    constraint : {"sum_to_zero", "reference", None}, default="sum_to_zero"
        Which scores are allowed: those that sum to zero, those that are zero for one class, or
        all.

    Returns
    -------
    Representation

    Raises
    ------
    ValueError
        If the model is no probability model of skperturb, or the constraint unknown.

    Examples
    --------
    >>> from skperturb import PerturbArgmax
    >>> from skperturb.representation import representation
    >>> answer = representation(PerturbArgmax("gaussian"))
    >>> answer.complete, answer.minimal, answer.where
    (True, True, 'everywhere')
    >>> representation(PerturbArgmax("uniform")).where
    'max(scores) - min(scores) < 2'
    """
    return _checked(model).representation(constraint)


def argmax_representation(model, noise, constraint):
    """What :func:`representation` says of Perturb-Argmax with a noise."""
    low, high = noise.support
    complete = None if noise.atoms is None else not noise.atoms
    if noise.atoms:
        reason = (
            "Single values of the noise have a positive probability: where scores differ by the "
            "distance of two of them classes tie, p jumps, and what lies between is not reached."
        )
        if isinstance(noise, Discrete):
            reason += " Between the jumps p does not change: it takes finitely many values."
            return _answer(model, constraint, complete, False, "nowhere", reason)
    elif complete:
        reason = "The noise has no atoms, so that p is continuous and reaches every distribution."
    else:
        reason = (
            "It cannot be told whether the noise has atoms (its density is infinite somewhere)."
        )
    if noise.gaps is None:
        reason += " It cannot be told where its density is positive."
        return _answer(model, constraint, complete, None, "unknown", reason)
    if not noise.bounded:
        if not _positive_to_an_end(noise):
            reason += " There are gaps as far out as was looked: whether they end is not known."
            return _answer(model, constraint, complete, None, "unknown", reason)
        reason += (
            f" Its density is positive all the way to an infinite end of ({low:g}, {high:g}): any "
            "two classes can tie above all others, so that the potential is strictly convex "
            f"({_TIES})."
        )
        return _answer(model, constraint, complete, True, "everywhere", reason)
    width = f"max(scores) - min(scores) < {high - low:g}"
    if not noise.gaps:
        reason += (
            f" It is bounded, on [{low:g}, {high:g}]: beyond {width}, the lowest class has "
            "probability exactly zero, however low it is, and different scores give the same p."
        )
        return _answer(model, constraint, complete, False, width, reason)
    gaps = ", ".join(f"({left:g}, {right:g})" for left, right in noise.gaps)
    reason += (
        f" It is bounded, on [{low:g}, {high:g}], and has no values in {gaps}: where possible ties "
        "do not link all classes, a change of the scores does not change p"
    )
    flat = _flat_differences(noise)
    if flat:
        reason += ", though p be positive; two classes: for every difference from {:.4g} to {:.4g}"
        reason = reason.format(*flat)
    where = f"possible ties link all classes, within {width}"
    return _answer(model, constraint, complete, False, where, reason + ".")


def _positive_to_an_end(noise):
    """Whether an infinite end of the support is beyond all gaps, and not just not looked at."""
    tails = (noise.cdf(low) for low, _ in noise.gaps), (noise.logsf(high) for _, high in noise.gaps)
    low, high = noise.support
    return (np.isinf(low) and all(p > _FAR_OUT for p in tails[0])) or (
        np.isinf(high) and all(log_p > np.log(_FAR_OUT) for log_p in tails[1])
    )


def _flat_differences(noise):
    """The first interval of differences of two scores that the noise cannot make up for."""
    low, high = noise.support
    ends = [low, *(end for gap in noise.gaps for end in gap), high]
    pieces = list(zip(ends[::2], ends[1::2], strict=True))
    made_up = sorted((a - d, b - c) for a, b in pieces for c, d in pieces if b > c)
    reach = 0.0
    for left, right in made_up:
        if left > reach:
            return reach, left
        reach = max(reach, right)
    return None


def softmax_representation(model, constraint):
    """What :func:`representation` says of Perturb-Softmax, whatever its noise."""
    reason = (
        "With any noise the mean of the softmax is the gradient of a smooth potential that is "
        f"strictly convex on the plane of scores and grows as their maximum ({_SMOOTH})."
    )
    return _answer(model, constraint, True, True, "everywhere", reason)


def _answer(model, constraint, complete, minimal, where, reason):
    if constraint not in CONSTRAINTS:
        raise ValueError(f"constraint must be one of {CONSTRAINTS}, got {constraint!r}.")
    if constraint is None:
        minimal, where = False, "nowhere"
        reason += " With no constraint a common shift of all scores changes nothing."
    return Representation(model, constraint or "none", complete, minimal, where, reason)


def _checked(model):
    if not callable(getattr(model, "representation", None)):
        raise ValueError(
            f"A PerturbArgmax or PerturbSoftmax is needed, got {type(model).__name__}; of a fitted "
            "classifier give its model_."
        )
    return model


@dataclass(frozen=True)
class Verification(Record):
    """What :func:`verify_representation` found.

    Attributes
    ----------
    model : str
        The model in words.
    n_classes, n_points : int
        Number of classes, and of random distributions.
    complete, minimal : bool
        Whether all distributions were reached, and whether no two scores gave the same one, to
        1e-8 of log p. False is shown by an example, True by the absence of one.
    n_reached : int
        Distributions for which scores were found that give them, to 1e-9.
    worst_error : float
        The largest ``|p - proba(scores)|`` of those; nan if there are none.
    most_steps : int
        Newton steps of the slowest of them.
    n_collisions : int
        Scores, of those tried, beside which others give the same distribution.
    n_interior : int
        Those of them where all classes have a positive probability.
    unreached : ndarray of shape (n_classes,) or None
        A distribution that was not reached.
    collision : ndarray of shape (2, n_classes) or None
        Two scores with the same distribution, if possible with all probabilities positive.
    """

    model: str
    n_classes: int
    n_points: int
    complete: bool
    minimal: bool
    n_reached: int
    worst_error: float
    most_steps: int
    n_collisions: int
    n_interior: int
    unreached: np.ndarray | None
    collision: np.ndarray | None

    def _lines(self):
        # What was not found has no line.
        keep = [value is not None for value in self.to_dict().values()]
        return list(compress(super()._lines(), keep))


def verify_representation(model, n_classes=3, n_points=200, random_state=None):
    """Look for distributions that a model cannot represent, and for scores that it confuses.

    Independent of :func:`representation`: it uses no fact of the noise, only probabilities. Random
    distributions are inverted; half of them are uniform on the simplex, half have probabilities
    down to 1e-4. Then, at the scores found and at as many random ones, p is compared with p a
    little to the side (a twentieth of the noise's width), in the direction in which it changes
    least: a difference of log p below 1e-8 counts as none, so that a model may be called not
    minimal that is only very nearly so, such as Perturb-Softmax of discrete noise at a temperature
    of 0.02.

    Parameters
    ----------
    model : PerturbArgmax or PerturbSoftmax
    n_classes : int, default=3
        Number of classes, at least 2.
    n_points : int, default=200
        Number of distributions.
    random_state : int, RandomState or None, default=None
        Seed or source of the points.

    Returns
    -------
    Verification

    Raises
    ------
    ValueError
        If the model is no probability model of skperturb, or a number is too small.

    Examples
    --------
    >>> from skperturb import PerturbArgmax
    >>> from skperturb.representation import verify_representation
    >>> result = verify_representation(PerturbArgmax("gaussian"), random_state=0)
    >>> result.complete, result.minimal
    (True, True)
    """
    _checked(model)
    for name, value, least in (("n_classes", n_classes, 2), ("n_points", n_points, 1)):
        if not (isinstance(value, Integral) and value >= least):
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
    rng = check_random_state(random_state)
    p = _random_distributions(rng, n_points, n_classes)
    scores, steps, found = model.invert(p)
    error = np.abs(model.proba(scores) - p).max(axis=1)
    reached = found & (error <= _REACHED)
    # Differences up to half as much again as the noise makes up for, but once in a thousand.
    width = 1.5 * float(model.noise.isf(1e-3) - model.noise.ppf(1e-3))
    spread = rng.uniform(0, width, size=(n_points, n_classes))
    tried = np.concatenate([scores[reached], spread])
    beside, positive = _confused(model, tried)
    same = np.isfinite(beside).all(axis=1)
    interior = same & positive
    example = np.flatnonzero(interior if interior.any() else same)[:1]
    return Verification(
        model=repr(model),
        n_classes=int(n_classes),
        n_points=int(n_points),
        complete=bool(reached.all()),
        minimal=not same.any(),
        n_reached=int(reached.sum()),
        worst_error=float(error[reached].max()) if reached.any() else np.nan,
        most_steps=int(steps[reached].max(initial=0)),
        n_collisions=int(same.sum()),
        n_interior=int(interior.sum()),
        unreached=None if reached.all() else p[~reached][0],
        collision=np.stack([tried[example[0]], beside[example[0]]]) if same.any() else None,
    )


def _random_distributions(rng, n_points, n_classes):
    p = rng.dirichlet(np.ones(n_classes), size=n_points)
    p[::2] = np.exp(rng.uniform(np.log(_SMALLEST), 0, size=p[::2].shape))
    p = np.maximum(p, _SMALLEST)
    return p / p.sum(axis=1, keepdims=True)


def _confused(model, scores):
    """For each row, scores beside it with the same distribution, else nan; and if p is positive."""
    log_p, jacobian = model.log_proba(scores), model.jacobian(scores)
    width = interquartile_range(model.noise)
    beside = _if_same(model, log_p, scores + _STEP * width * _flattest(jacobian))
    # Where there are no derivatives at all a step may cross a jump: there, a small one of a class.
    none = np.flatnonzero(~jacobian.any(axis=(1, 2)) & np.isnan(beside[:, 0]))
    if none.size:
        one = np.zeros((len(none), scores.shape[1]))
        one[:, 0] = _STEP**2 * width
        beside[none] = _if_same(model, log_p[none], scores[none] + one)
    return beside, np.isfinite(log_p).all(axis=1)


def _if_same(model, log_p, scores):
    """The scores, nan in rows where their distribution is another one."""
    other = model.log_proba(scores)
    both_zero = np.isneginf(log_p) & np.isneginf(other)
    with np.errstate(invalid="ignore"):
        same = np.all(both_zero | (np.abs(log_p - other) <= _SAME), axis=1)
    return np.where(same[:, None], scores, np.nan)


def _flattest(jacobian):
    """The direction of a row's scores, common shifts aside, in which p changes least.

    Its largest entry is 1; changes of p are measured relative to each class's own.
    """
    root = np.sqrt(np.maximum(np.diagonal(jacobian, axis1=1, axis2=2), _TINY))
    scaled = jacobian / root[:, :, None] / root[:, None, :]
    shift = root / np.linalg.norm(root, axis=1, keepdims=True)
    # The common shift, whose eigenvalue is 0, becomes the one with the largest.
    scaled += 2 * scaled.shape[1] * shift[:, :, None] * shift[:, None, :]
    direction = np.linalg.eigh(scaled)[1][:, :, 0] / root
    direction /= np.abs(direction).max(axis=1, keepdims=True)
    direction -= direction.mean(axis=1, keepdims=True)
    return direction / np.abs(direction).max(axis=1, keepdims=True)
