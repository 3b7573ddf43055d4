"""Completeness and minimality of a model, decided from the facts of its noise.

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
from typing import Literal

import numpy as np

from ._results import Record

CONSTRAINTS = "sum_to_zero", "reference", None
Constraint = Literal["sum_to_zero", "reference"] | None
_FAR_OUT = 1e-6  # probability beyond the last gap: a gap there may not have been seen
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


def argmax_answer(model, noise, constraint):
    """The answer for Perturb-Argmax with a noise."""
    low, high = noise.support
    complete = None if noise.atoms is None else not noise.atoms
    if noise.atoms:
        reason = (
            "Single values of the noise have a positive probability: where scores differ by the "
            "distance of two of them classes tie, p jumps, and what lies between is not reached."
        )
        if noise.discrete:
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


def softmax_answer(model, constraint):
    """The answer for Perturb-Softmax, whatever its noise."""
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
