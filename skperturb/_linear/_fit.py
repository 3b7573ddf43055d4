"""The procedure of a fit: start, minimise, prove the minimum, try further, say what went wrong."""

from functools import partial

import numpy as np

from .._linalg import MOST_PARAMETERS
from .._threads import single_blas_thread
from ._firth import firth_objective
from ._label_noise import FlipObjective
from ._preconditioner import scaling_at, whitened
from ._separation import curved_minimum, finite_minimum
from ._solvers import choose_solver, minimize, newton, newton_direction
from ._start import part_of, trimmed_start

# tol of the descents that only find a start: on a part of the rows, and when rows are left out.
_TOL_OF_START, _TOL_OF_TRIMMING = 1e-3, 1e-2
_TOL_OF_PROOF = 1e-10  # a smaller gradient is rounding
_SMALLER_TOL = 100  # by which tol is divided where a minimum is not proved yet
_CLOSE = 1e-2  # to the minimum of an unpenalised fit, in standard errors
_NOT_CHECKED = (
    f"With more than {MOST_PARAMETERS} parameters it is not checked whether the features separate "
    "the classes; if they do, the best coefficients without a penalty (C=inf) are infinite. Use a "
    "finite C."
)
_UNPROVED = (
    "Without a penalty (C=inf) this also happens where the features separate the classes and the "
    "best coefficients are infinite; then use a finite C."
)
_SEPARATED = (
    "The features seem to separate the classes, wholly or in part: then, without a penalty "
    "(C=inf), the best coefficients are infinite (or not unique, if the noise is bounded), and "
    "those found depend on where the iterations ended. Use a finite C, or leave out the feature "
    "that separates (skperturb.representation.check_identifiability names it); a class of few rows "
    "is easily separated."
)


_UNSEEN_BY_PENALTY = (
    "With bias_reduction=True no feature may be a combination of others, or constant: then the "
    "information has no determinant. Leave out such features; "
    "skperturb.representation.check_identifiability, for a fit with a finite C, names them."
)


class Unwatched:
    """A monitor that nobody watches and that never stops a fit."""

    stopped = False

    def start(self, x):
        pass

    def __call__(self, x):
        return False


def fit_objective(objective, params, previous=None, monitor=None):
    """Minimise an objective; without a penalty, prove that it has a minimum, or say what is wrong.

    Parameters
    ----------
    objective : LinearObjective
    params : dict
        Parameters of the classifier; `solver`, `tol`, `max_iter`, `C` and `bias_reduction` are
        used.
    previous : (ndarray, ndarray) or None
        Coefficients and intercepts of all classes to start from.
    monitor : FitMonitor, default=None
        Told of the start and of each iteration.

    Returns
    -------
    Solution
        Its `problem` says what went wrong.
    """
    options = {name: params[name] for name in ("solver", "tol", "max_iter")}
    monitor = monitor or Unwatched()
    with single_blas_thread:
        if params["bias_reduction"]:
            return _fit_firth(objective, options, previous, monitor)
        part = part_of(objective)
        start = objective.free(*previous) if previous else _start(part, objective, options)
        monitor.start(start)
        descend = partial(_descend, objective, part, options, monitor=monitor)
        solution = descend(start)
        if np.isfinite(params["C"]) or monitor.stopped:
            return solution
        if objective.n_parameters > MOST_PARAMETERS:
            return solution._replace(problem=f"{solution.problem or ''} {_NOT_CHECKED}".strip())
        judge = partial(finite_minimum, objective)
        return _proved(judge, solution, descend, options, monitor)


def fit_flips(objective, params, previous=None, monitor=None):
    """Minimise over the coefficients and the matrix of flips, starting from labels without flips.

    Parameters
    ----------
    objective : LinearObjective
        Of labels without flips, from which the fit starts.
    params, previous, monitor
        As for :func:`fit_objective`.

    Returns
    -------
    solution : Solution
        The coefficients, and the value without the density of the flips.
    flips : ndarray of shape (n_classes, n_classes)
        T[true, given].
    """
    options = {name: params[name] for name in ("solver", "tol", "max_iter")}
    monitor = monitor or Unwatched()
    first = objective.free(*previous) if previous else fit_objective(objective, params).x
    with single_blas_thread:
        joint, part = FlipObjective(objective), FlipObjective(part_of(objective))
        monitor.start(first)

        def watch(x):
            return monitor(joint.free(x))

        def descend(start, **changes):
            of_this = options | changes
            of_this["solver"] = _solver(joint, of_this)
            scaling = partial(whitened, part)
            return minimize(joint, start, monitor=watch, scaling=scaling, **of_this)

        solution = descend(joint.start(first))
        if np.isinf(params["C"]) and not monitor.stopped:
            judge = partial(curved_minimum, joint)
            solution = _proved(judge, solution, descend, options, monitor)
        free, flips = joint.free(solution.x), joint.flips(solution.x)
        value = float(joint.given(solution.x)(free)[0])
        return solution._replace(x=free, value=value), flips


def _fit_firth(objective, options, previous, monitor):
    """Minimise with Firth's penalty, by Fisher's scoring; the value is that of the data alone."""
    penalised = firth_objective(objective)
    starts = [objective.free(*previous) if previous else np.zeros(objective.n_parameters)]
    if not (previous or objective.loss.convex):
        starts.append(_start(objective, objective, options | {"solver": "auto"}))
    start = min(starts, key=lambda free: penalised(free)[0])
    if not np.isfinite(penalised(start)[0]):
        raise ValueError(_UNSEEN_BY_PENALTY)
    monitor.start(start)

    def descend(start, **changes):
        of_newton = {name: options[name] for name in ("tol", "max_iter")} | changes
        return newton(penalised, start, monitor=monitor, **of_newton)

    def judge(free):
        return True, penalised.distance(free)

    solution = descend(start)
    if not monitor.stopped:
        solution = _proved(judge, solution, descend, options, monitor)
    return solution._replace(value=float(objective(solution.x)[0]))


def _descend(objective, part, options, start, monitor=None, **changes):
    """Minimise from a start, in coordinates that fit a part of the rows."""
    options = options | changes
    options["solver"] = _solver(objective, options)
    scaling = partial(scaling_at, part, objective)
    if options["solver"] == "newton":
        objective = objective.in_one_pass()
    return minimize(objective, start, monitor=monitor, scaling=scaling, **options)


def _solver(objective, options):
    """The solver asked for; of an objective's size if that is "auto"."""
    if options["solver"] != "auto":
        return options["solver"]
    return choose_solver(objective.n_rows, objective.n_parameters, objective.rounds_are_slow)


def _start(part, whole, options):
    """Where the descent on all rows starts: what a part of them says, if it is a part."""

    def roughly(objective, start, tol=_TOL_OF_START):
        return _descend(objective, objective, options, start, tol=max(options["tol"], tol)).x

    def one_step(objective, start):
        objective = objective.in_one_pass()
        direction, _ = newton_direction(objective.curvatures(start), objective(start)[1])
        return start + direction

    if options["solver"] == "newton":
        options = options | {"solver": "auto"}  # of many parameters, a rough start is dear by it
    start = np.zeros(whole.n_parameters)
    if not whole.loss.convex:
        to_trim = partial(roughly, tol=_TOL_OF_TRIMMING)
        newtons = _solver(part, options) == "newton"
        start = trimmed_start(part, to_trim, one_step if newtons else to_trim)
    return start if part is whole else roughly(part, start)


def _proved(judge, asked, descend, options, monitor):
    """The minimum of an objective without a penalty, or words on why there may be none.

    There may be no finite minimum, and the gradient small all the same; or there is one, but the
    gradient is not small enough for standard errors to mean something.
    """
    solution, tol = asked, options["tol"]
    while True:
        proved, distance = judge(solution.x)
        tol, left = tol / _SMALLER_TOL, options["max_iter"] - solution.n_iter
        ended = solution.problem or tol < _TOL_OF_PROOF or not left or monitor.stopped
        if proved and (distance <= _CLOSE or ended):
            return solution._replace(problem=asked.problem)
        if ended:
            problem = f"{asked.problem} {_UNPROVED}" if asked.problem else _SEPARATED
            return solution._replace(problem=problem)
        further = descend(solution.x, tol=tol, max_iter=left)
        solution = further._replace(n_iter=solution.n_iter + further.n_iter)
