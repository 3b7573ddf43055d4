"""The inverse of a probability model: scores from probabilities."""

import numpy as np

_MOST_STEPS = 60
_TOLERANCE = 1e-11  # of log p
_SMALLEST = 1e-150  # of a diagonal root: its square is not zero
_ROUNDING = 1e-8  # of log p, where no step can bring it closer


def invert(kernel, p, start):
    """Scores on the sum-to-zero plane whose probabilities are `p`.

    Newton's method for log p(scores) = log p, in the coordinates of the plane: there the
    Jacobian of the probabilities, which is the Hessian of the convex potential, is positive
    definite. In log p rather than p, because that is nearly linear in the scores where a
    probability is small. A step that does not bring log p closer is halved.

    Parameters
    ----------
    kernel : object with the methods of :mod:`skperturb._kernel`
    p : ndarray of shape (n, K)
        Positive, each row summing to one.
    start : ndarray of shape (n, K)
        First guess.

    Returns
    -------
    scores : ndarray of shape (n, K)
    steps : ndarray of shape (n,), int
        Newton steps taken for each row.

    Raises
    ------
    ValueError
        If a row does not converge.
    """
    goal = np.log(p)
    scores = start - start.mean(axis=1, keepdims=True)
    steps = np.zeros(len(p), dtype=int)
    gap = goal - kernel.log_proba(scores)
    active = np.flatnonzero(np.abs(gap).max(axis=1) > _TOLERANCE)
    while active.size and steps.max() < _MOST_STEPS:
        here = scores[active]
        direction = _newton_direction(kernel.jacobian(here), goal[active], gap[active])
        size = np.ones((len(active), 1))
        error = np.abs(gap[active]).max(axis=1)
        pending = np.arange(len(active))
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
        active = np.setdiff1d(active, active[pending])
        active = active[np.abs(gap[active]).max(axis=1) > _TOLERANCE]
    lost = np.flatnonzero(np.abs(gap).max(axis=1) > _ROUNDING)
    if lost.size:
        raise ValueError(
            f"No scores were found for {lost.size} rows of p, the first of them "
            f"{p[lost[0]].tolist()}; some probabilities are too small for this noise."
        )
    return scores, steps


def _newton_direction(jacobian, goal, gap):
    """Solve J d = q * (gap + shift) for d on the plane, q the present probabilities.

    The shift makes the right-hand side sum to zero, as p and q both sum to one. J is scaled to
    a unit diagonal first, so that small probabilities keep their digits.
    """
    q = np.exp(goal - gap)
    right = q * gap
    right -= q * right.sum(axis=1, keepdims=True) / q.sum(axis=1, keepdims=True)
    root = np.sqrt(np.diagonal(jacobian, axis1=1, axis2=2))
    root = np.maximum(root, _SMALLEST)
    scaled = jacobian / root[:, :, None] / root[:, None, :]
    # root spans the kernel of the scaled matrix: adding its square makes it definite.
    unit = root / np.linalg.norm(root, axis=1, keepdims=True)
    scaled += unit[:, :, None] * unit[:, None, :]
    direction = np.linalg.solve(scaled, (right / root)[:, :, None])[:, :, 0] / root
    return direction - direction.mean(axis=1, keepdims=True)
