"""The inverse of a probability model: scores from probabilities."""

from contextlib import suppress

import numpy as np

_MOST_STEPS = 60
_TOLERANCE = 1e-11  # of log p
_SMALLEST = 1e-150  # of a diagonal root: its square is not zero
_LEAST_DAMPING = 1e-6  # in units of the noise
_FURTHEST = 1e100  # step
_CLOSE = 1e-9  # to p, for Newton's method to take over
_SINGULAR = 1e-15  # eigenvalue of a matrix of unit diagonal
_LOG_SMALL = -20.0  # log p below which the Jacobian of the tables has lost digits
_MOST_ROWS = 1 << 14  # rows of scores, one for each class, whose likelihood is taken at once
_ROUNDING = 1e-8  # of log p, where no step can bring it closer


def invert(kernel, p, start):
    """Scores on the sum-to-zero plane whose probabilities are `p`.

    Newton's method for log p(scores) = log p, in the coordinates of the plane: there the
    Jacobian of the probabilities, which is the Hessian of the convex potential, is positive
    definite. In log p rather than p, because that is nearly linear in the scores where a
    probability is small. A step that does not bring log p closer is halved.

    Parameters
    ----------
    kernel : object with the methods of ``_kernels``
    p : ndarray of shape (n, K)
        Positive, each row summing to one.
    start : ndarray of shape (n, K)
        First guess.

    Returns
    -------
    scores : ndarray of shape (n, K)
    steps : ndarray of shape (n,), int
        Newton steps taken for each row.
    found : ndarray of shape (n,), bool
        Whether the scores of a row give its probabilities.
    """
    goal = np.log(p)
    scores = start - start.mean(axis=1, keepdims=True)
    steps = np.zeros(len(p), dtype=int)
    gap = goal - kernel.log_proba(scores)
    error = np.abs(gap).max(axis=1)
    active = np.flatnonzero((error > _TOLERANCE) & np.isfinite(error))
    while active.size and steps.max() < _MOST_STEPS:
        here = scores[active]
        direction = _direction(kernel, here, goal[active], gap[active])
        size = np.ones((len(active), 1))
        error = np.abs(gap[active]).max(axis=1)
        pending = np.flatnonzero(direction.any(axis=1))
        lost = np.setdiff1d(np.arange(len(active)), pending)
        for _ in range(30):
            trial = here[pending] + size[pending] * direction[pending]
            new_gap = goal[active[pending]] - kernel.log_proba(trial)
            better = np.abs(new_gap).max(axis=1) < error[pending]
            done = active[pending[better]]
            scores[done], gap[done] = trial[better], new_gap[better]
            pending = pending[~better]
            size[pending] /= 2
            if not pending.size:
                break
        steps[active] += 1
        # A row that no step brings closer has reached the rounding error, or is lost.
        active = np.delete(active, np.union1d(pending, lost))
        active = active[np.abs(gap[active]).max(axis=1) > _TOLERANCE]
    return scores, steps, np.abs(gap).max(axis=1) <= _ROUNDING


def descend(kernel, p, scores, width):
    """Scores close to those that :func:`invert` looks for, where its steps lead nowhere.

    Levenberg and Marquardt's steps down potential(scores) - p @ scores: convex for any noise, also
    where the probabilities do not change in some direction.

    Parameters
    ----------
    kernel, p : as for :func:`invert`
    scores : ndarray of shape (n, K)
        Where to start; not finite for a start at zero.
    width : float
        Of the noise, in the units of the scores.

    Returns
    -------
    ndarray of shape (n, K)
    """
    scores = np.where(np.isfinite(scores).all(axis=1, keepdims=True), scores, 0.0)
    damping = np.full(len(p), 1 / width)
    value = kernel.potential(scores) - (p * scores).sum(axis=1)
    active = np.arange(len(p))
    for _ in range(_MOST_STEPS):
        gradient = kernel.proba(scores[active]) - p[active]
        far = np.abs(gradient).max(axis=1) > _CLOSE
        active, gradient = active[far], gradient[far]
        if not active.size:
            break
        matrix = kernel.jacobian(scores[active])
        matrix += damping[active, None, None] * np.eye(p.shape[1])
        trial = scores[active] - np.linalg.solve(matrix, gradient[:, :, None])[:, :, 0]
        new_value = kernel.potential(trial) - (p[active] * trial).sum(axis=1)
        better = new_value < value[active]
        done = active[better]
        scores[done], value[done] = trial[better], new_value[better]
        damping[active] *= np.where(better, 1 / 4, 4.0)
        damping = np.clip(damping, _LEAST_DAMPING / width, 1 / _LEAST_DAMPING / width)
    return scores


def _direction(kernel, scores, goal, gap):
    """Newton's step on the plane: zero for a row where there is none."""
    direction = _newton_direction(kernel.jacobian(scores), goal, gap)
    log_p = goal - gap
    n_classes = scores.shape[1]
    small = np.flatnonzero(log_p.min(axis=1) < _LOG_SMALL)
    for part in np.array_split(small, -(-small.size * n_classes // _MOST_ROWS) or 1):
        target = np.tile(np.arange(n_classes), len(part))
        _, slope = kernel.log_likelihood(np.repeat(scores[part], n_classes, axis=0), target)
        slope = slope.reshape(-1, n_classes, n_classes)
        # The rows of the derivative of log p sum to zero, and so do its columns, weighted by p:
        # adding a constant makes it regular and leaves the step on the plane.
        p = np.exp(log_p[part])
        right = gap[part] - (p * gap[part]).sum(axis=1, keepdims=True)
        with suppress(np.linalg.LinAlgError):
            step = np.linalg.solve(slope + 1 / n_classes, right[:, :, None])[:, :, 0]
            direction[part] = _useful(step)
    return direction


def _newton_direction(jacobian, goal, gap):
    """Solve J d = q * (gap + shift) for d on the plane, q the present probabilities.

    The shift makes the right-hand side sum to zero, as p and q both sum to one. J is scaled to
    a unit diagonal first, so that small probabilities keep their digits. Zero for a row whose J is
    singular: there p does not change in some direction.
    """
    q = np.exp(goal - gap)
    right = q * gap
    right -= q * right.sum(axis=1, keepdims=True) / q.sum(axis=1, keepdims=True)
    # By rounding the slope of a tiny probability may be negative.
    root = np.sqrt(np.maximum(np.diagonal(jacobian, axis1=1, axis2=2), 0.0))
    root = np.maximum(root, _SMALLEST)
    scaled = jacobian / root[:, :, None] / root[:, None, :]
    # root spans the kernel of the scaled matrix: adding its square makes it definite.
    unit = root / np.linalg.norm(root, axis=1, keepdims=True)
    scaled += unit[:, :, None] * unit[:, None, :]
    right = (right / root)[:, :, None]
    try:
        direction = np.linalg.solve(scaled, right)
    except np.linalg.LinAlgError:
        definite = np.linalg.eigvalsh(scaled)[:, 0] > _SINGULAR
        direction = np.zeros_like(right)
        direction[definite] = np.linalg.solve(scaled[definite], right[definite])
    return _useful(direction[:, :, 0] / root)


def _useful(direction):
    """On the plane, and zero where it is no number."""
    useful = np.abs(direction).max(axis=1, keepdims=True) < _FURTHEST
    direction = np.where(useful, direction, 0.0)
    return direction - direction.mean(axis=1, keepdims=True)
