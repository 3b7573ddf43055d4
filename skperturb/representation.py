"""Whether a noise can represent every distribution of classes, each by one set of scores only.

A model answers by its method ``representation(constraint)``, a fitted classifier by its attribute
``representation_``. This module checks such an answer without the theory behind it
(:func:`verify_representation`), and asks the same of features and data
(:func:`check_identifiability`).
"""

from dataclasses import dataclass
from itertools import compress
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ._completeness import Constraint, Representation
from ._linalg import unit_diagonal
from ._linear import Identifiability, check_identifiability
from ._results import Record
from .noise import interquartile_range

__all__ = [
    "Identifiability",
    "Representation",
    "Verification",
    "check_identifiability",
    "representation",
    "verify_representation",
]

_SMALLEST = 1e-4  # probability that is inverted: with heavy tails, scores of ten thousand
_REACHED = 1e-9  # |p - proba(scores)|
_SAME = 1e-8  # difference of log p that is none
_STEP = 0.05  # to the side, in units of the noise
# Width of the scores that are tried: as much as two of a thousand draws differ, and half of that.
_TAIL, _WIDER = 1e-3, 1.5
_ZERO_ROOT = 1e-150  # in place of the root of a derivative that is zero: its square is not


def representation(model: Any, constraint: Constraint = "sum_to_zero") -> Representation:
    """Return ``model.representation(constraint)``, which is the way to ask a model.

    Of a fitted classifier read the attribute ``representation_``. The answer follows from the
    noise: its support, gaps and atoms. Gaps and atoms of a distribution of scipy.stats are
    searched for in its functions; where these do not decide, the answer is None, "unknown".

    Parameters
    ----------
    model : PerturbArgmax or PerturbSoftmax
        The probability model.
    constraint : {"sum_to_zero", "reference", None}, default="sum_to_zero"
        Which scores are allowed: those that sum to zero, those that are zero for one class, or
        all.

    Returns
    -------
    Representation
        The answer, with its reason; print it for a text.

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
        Number of classes, and number of random distributions.
    complete, minimal : bool
        Whether scores were found for all distributions, and whether no two scores gave the same
        one, to 1e-8 of log p. False is proved by an example; True means that none was found.
    n_reached : int
        Number of distributions for which scores were found that give them, to 1e-9.
    worst_error : float
        The largest ``|p - proba(scores)|`` of those distributions; nan if there are none.
    most_steps : int
        The largest number of Newton steps that one of them took.
    n_collisions : int
        Number of the tried scores for which slightly different scores give the same distribution.
    n_interior : int
        Number of those scores where all classes have a positive probability.
    unreached : ndarray of shape (n_classes,) or None
        A distribution for which no scores were found.
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


def verify_representation(
    model: Any,
    n_classes: int = 3,
    n_points: int = 200,
    random_state: int | np.random.RandomState | None = 0,
) -> "Verification":
    """Search for distributions that a model cannot represent, and for scores that it confuses.

    The search uses no fact of the noise, only probabilities, and so it is independent of
    :func:`representation`. Random distributions are inverted; half of them are uniform on the
    simplex, half have probabilities down to 1e-4. Then, at the scores found and at as many random
    ones, p is compared with p at scores that differ by a twentieth of the noise's width, in the
    direction in which p changes least. A difference of log p below 1e-8 counts as none. Hence a
    model that is minimal in theory can be called not minimal if p changes very little, such as
    Perturb-Softmax of discrete noise at a temperature of 0.02.

    Parameters
    ----------
    model : PerturbArgmax or PerturbSoftmax
        The probability model.
    n_classes : int, default=3
        Number of classes, at least 2.
    n_points : int, default=200
        Number of distributions.
    random_state : int, RandomState or None, default=0
        Seed or source of the points.

    Returns
    -------
    Verification
        What was found; print it for a text.

    Raises
    ------
    ValueError
        If the model is no probability model of skperturb, or a number is too small.

    Examples
    --------
    >>> from skperturb import PerturbArgmax
    >>> from skperturb.representation import verify_representation
    >>> result = verify_representation(PerturbArgmax("gaussian"))
    >>> result.complete, result.minimal
    (True, True)
    """
    _checked(model)
    for name, value, least in (("n_classes", n_classes, 2), ("n_points", n_points, 1)):
        if not (isinstance(value, Integral) and value >= least):
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
    rng = check_random_state(random_state)
    p = _random_distributions(rng, n_points, n_classes)
    scores, steps, found = model._invert(p)
    error = np.abs(model.proba(scores) - p).max(axis=1)
    reached = found & (error <= _REACHED)
    width = _WIDER * float(model.noise.isf(_TAIL) - model.noise.ppf(_TAIL))
    spread = rng.uniform(0, width, size=(n_points, n_classes))
    tried = np.concatenate([scores[reached], spread])
    close_by, positive = _confused(model, tried)
    same = np.isfinite(close_by).all(axis=1)
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
        collision=np.stack([tried[example[0]], close_by[example[0]]]) if same.any() else None,
    )


def _random_distributions(rng, n_points, n_classes):
    p = rng.dirichlet(np.ones(n_classes), size=n_points)
    p[::2] = np.exp(rng.uniform(np.log(_SMALLEST), 0, size=p[::2].shape))
    p = np.maximum(p, _SMALLEST)
    return p / p.sum(axis=1, keepdims=True)


def _confused(model, scores):
    """For each row, scores close by of the same distribution, or nan; and if p is positive."""
    log_p, jacobian = model.log_proba(scores), model.jacobian(scores)
    width = interquartile_range(model.noise)
    close_by = _if_same(model, log_p, scores + _STEP * width * _flattest(jacobian))
    # Where there are no derivatives at all a step may cross a jump: there, a small one of a class.
    none = np.flatnonzero(~jacobian.any(axis=(1, 2)) & np.isnan(close_by[:, 0]))
    if none.size:
        one = np.zeros((len(none), scores.shape[1]))
        one[:, 0] = _STEP**2 * width
        close_by[none] = _if_same(model, log_p[none], scores[none] + one)
    return close_by, np.isfinite(log_p).all(axis=1)


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
    scaled, root = unit_diagonal(jacobian, of_zero=_ZERO_ROOT)
    shift = root / np.linalg.norm(root, axis=1, keepdims=True)
    # The common shift, whose eigenvalue is 0, becomes the one with the largest.
    scaled += 2 * scaled.shape[1] * shift[:, :, None] * shift[:, None, :]
    direction = np.linalg.eigh(scaled)[1][:, :, 0] / root
    direction /= np.abs(direction).max(axis=1, keepdims=True)
    direction -= direction.mean(axis=1, keepdims=True)
    return direction / np.abs(direction).max(axis=1, keepdims=True)
