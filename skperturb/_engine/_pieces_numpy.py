"""Integrals of noise with kinks, in NumPy: what ``_pieces.h`` does where there is no compiler.

Between kinks the CDF is F(z) = a + b phi(z), phi one of 1, z, exp(z), exp(-z). A row is walked from
the top down: t is the winning value, class j stands at z_j = t + delta_j, and wherever a class
crosses a kink a piece ends. Above the last kink all classes are on a + b exp(-z): a polynomial in
u = exp(-t), which Gauss nodes in u integrate exactly. Below, a piece has panels of 16 Gauss nodes,
on which F_j is a constant plus a factor times a function of t alone; where every F_j is b exp(z) or
1 to all digits, it has a closed form. The walk ends where what is left is nothing.

Logarithms hold the scale: the integrand at the top of a panel is exp(level), and what is summed for
class j is in units of exp(unit_j), where unit_j = -delta_j if the last branch is 1 + b exp(-z), so
that the probability of no class underflows.

Here all rows of a block take their steps together, and the places of a row's classes are not
sorted; the two agree to rounding.
"""

import numpy as np

PANEL = 16  # nodes of a panel
WIDEST = 2.0  # panel between kinks of exponentials
_STEEPEST = 16.0  # logarithm by which an integrand may change in a panel, about
_DEGREE = 2 * PANEL - 1  # of the polynomials that a panel integrates exactly
DECAYED = 40.0  # exp(-40) = 4e-18 of an integral is nothing
_TINY = 1e-17  # share of an integral that may be left out
_FURTHEST = 1e305  # distance: a sum of many is finite
_BLOCK_ELEMENTS = 1 << 17  # numbers in one work array
CONSTANT, LINEAR, RISING, FALLING = range(4)
_SECOND = np.array([0.0, 0.0, 1.0, -1.0])  # F'' / f of each kind


def integrate_pieces(branches, scores, y=None, second=False, logs=False):
    """Integrals of rows of scores.

    Parameters
    ----------
    branches : _pieces.Branches
    scores : ndarray of shape (n, K)
    y : ndarray of shape (n,), int, default=None
        The class asked for; None for all of them.
    second : bool, default=False
        Whether second derivatives are wanted.
    logs : bool, default=False
        Whether log p of all classes is wanted instead of p.

    Returns
    -------
    value : ndarray of shape (n,)
        With y log p_y, without E[max(noise_j - delta_j)] less a constant of the law and K.
    slope : ndarray of shape (n, K)
        With y the gradient of log p_y, without p or log p.
    matrices : ndarray of shape (n, K, K), or None
        With y the second derivatives of log p_y but for the row and column of y; without y the
        derivatives of p but for the diagonal.
    """
    n, n_classes = scores.shape
    value, slope = np.empty(n), np.empty((n, n_classes))
    matrices = np.empty((n, n_classes, n_classes)) if second else None
    size = max(1, _BLOCK_ELEMENTS // (PANEL * n_classes))
    for start in range(0, n, size):
        rows = slice(start, start + size)
        with np.errstate(over="ignore"):
            delta = scores[rows].max(axis=1, keepdims=True) - scores[rows]
        with np.errstate(all="ignore"):
            walk = _Walk(
                branches, np.minimum(delta, _FURTHEST), None if y is None else y[rows], second
            )
            walk.go()
            value[rows], slope[rows], block = walk.result(logs)
        if second:
            matrices[rows] = block
    return value, slope, matrices


class _Walk:
    """The walk down all rows of a block."""

    def __init__(self, law, delta, y, second):
        n, n_classes = delta.shape
        self.law, self.delta, self.y, self.second = law, delta, y, second
        self.last = len(law.kink)  # number of the last branch
        self.falls = law.kind[-1] == FALLING
        self.best = delta.argmin(axis=1)
        self.branch = np.full(delta.shape, self.last)
        self.base, self.offset = np.zeros(n), np.full(n, law.kink[-1])
        self.unit = -delta if self.falls else np.full(delta.shape, -np.inf)
        self.sum = np.zeros(delta.shape)
        self.total, self.below, self.above = np.zeros((3, n))
        self.reference, self.live = np.zeros(n), np.arange(n)
        if second:
            self.product, self.curve = np.zeros((n, n_classes, n_classes)), np.zeros(delta.shape)
        if y is not None and not self.falls:  # nothing above the end of its density
            each = np.arange(n)
            self.base = delta[each, y]
            self.reference = self.log_of_others(each, y, y)
            self.unit[each, y] = self.reference
            self.live = np.flatnonzero(self.reference > -np.inf)

    def go(self):
        if self.falls:
            self.add_top()
        seen = None if self.y is not None else self.sum.min(axis=1)
        while self.live.size:
            self.cross()
            if not self.live.size:
                return
            top = self.prepare()
            done = self.is_done(top, seen)
            closed = ~top.active.any(axis=1)
            ends = closed & (self.branch[self.live] == 0).all(axis=1)
            for rows, add in ((closed & ~done, self.add_closed), (~closed & ~done, self.add_panel)):
                if rows.any():
                    add(top.taken(rows))
            self.live = self.live[~(done | ends)]

    def result(self, logs):
        each, matrices = np.arange(len(self.delta)), None
        if self.y is None:
            log_p = self.unit + np.log(self.sum)
            p = np.exp(log_p)
            total = p.sum(axis=1, keepdims=True)
            slope = log_p - np.log(total) if logs else p / total
            if self.second:
                matrices = -self.product
            return self.law.kink[-1] + self.above - self.below, slope, matrices
        value = np.log(self.total) + self.unit[each, self.y]
        inverse = np.where(self.total > 0, 1 / self.total, 0.0)
        mean = self.sum * inverse[:, None]
        mean[each, self.y] = 0.0
        if self.second:
            matrices = self.product * inverse[:, None, None] - mean[:, :, None] * mean[:, None, :]
            np.einsum("njj->nj", matrices)[:] = self.curve * inverse[:, None] - mean**2
        slope = -mean
        slope[each, self.y] = mean.sum(axis=1)
        return value, slope, matrices

    def heights(self, rows):
        """Where the classes stand, in the noise's own units: (len(rows), K)."""
        return (self.delta[rows] - self.base[rows, None]) + self.offset[rows, None]

    def cross(self):
        """Cross the kinks at the present place; rows whose best class is at its end are done."""
        law, live = self.law, self.live
        lag = self.delta[live] - self.base[live, None]
        above = (law.kink - lag[..., None] < self.offset[live, None, None]).sum(axis=2)
        before = self.branch[live]
        self.branch[live] = np.minimum(before, above)
        if self.y is not None and self.second:
            for k in np.flatnonzero(law.jump):
                crossed = (before > k) & (above <= k) & (self.heights(live) == law.kink[k])
                self.add_jumps(k, *np.nonzero(crossed))
        if law.kind[0] == CONSTANT:
            self.live = live[(self.branch[live] > 0).all(axis=1)]

    def add_jumps(self, k, which, classes):
        """A class whose density jumps adds the integrand there, without the class, to F'' / F."""
        rows = self.live[which]
        rows, classes = rows[classes != self.y[rows]], classes[classes != self.y[rows]]
        target = self.y[rows]
        own, place = (
            self.heights(rows)[np.arange(len(rows)), target],
            self.offset[rows] - self.base[rows],
        )
        _, density = self.law.at(own)
        log_density = np.log(density) + (own - place if self.falls else -self.reference[rows])
        if self.falls:
            far = own > self.law.kink[-1]
            log_density = np.where(far, np.log(-self.law.b[-1]) - place, log_density)
        value = np.exp(self.log_of_others(rows, target, classes) + log_density)
        self.curve[rows, classes] += self.law.jump[k] * value

    def log_of_others(self, rows, first, second):
        """log of the product of all F_j at the present place, but for two classes: (len(rows),)."""
        z = self.heights(rows)
        log_cdf = np.log(self.law.at(z)[0])
        if self.law.kind[0] == RISING:
            log_cdf = np.where(z < self.law.kink[0], np.log(self.law.b[0]) + z, log_cdf)
        log_cdf[np.arange(len(rows)), first] = log_cdf[np.arange(len(rows)), second] = 0.0
        return log_cdf.sum(axis=1)

    def prepare(self):
        """Constants of the classes' CDFs at the top of the next panel, and the scale there."""
        law, rows = self.law, self.live
        z, branch = self.heights(rows), self.branch[rows]
        kind, a, each = law.kind[branch], law.a[branch], np.arange(len(rows))
        cdf, density = law.values(z, branch)
        cdf = np.maximum(cdf, 1e-300)
        lowest = (branch == 0) & (kind == RISING)
        log_cdf = np.where(lowest, np.log(law.b[0]) + z, np.log(cdf))
        constant = np.where(lowest, 0.0, np.where(kind == LINEAR, 1.0, a / cdf))
        factor = np.where(lowest, 1.0, np.where(kind == FALLING, -density, density) / cdf)
        far = branch == self.last
        gain = np.abs(factor)
        if self.falls:
            gain = np.where(far, -law.b[-1] / cdf, gain * np.exp(np.minimum(z, law.kink[-1])))
            # exp(-t) times the CDF of the best class, or exp(-t) alone.
            place, best = self.offset[rows] - self.base[rows], self.best[rows]
            log_cdf[each, best] += np.where(lowest[each, best], -z[each, best], -place)
        own, own_kind = np.ones(len(rows)), np.full(len(rows), CONSTANT)
        if self.y is not None:
            y = self.y[rows]
            inside = ~lowest[each, y]  # its density is the integrand's, not its CDF
            own, own_kind = density[each, y], np.where(inside, kind[each, y], CONSTANT)
            if self.falls:
                best_too = (y == self.best[rows]) & inside
                shift = np.where(best_too, -place, 0.0)
                own = np.where(
                    far[each, y], -law.b[-1], own * np.exp(np.minimum(z[each, y], law.kink[-1]))
                )
                own = np.where(inside, own, np.exp(z[each, y]))
            else:
                shift, own = 0.0, np.where(inside, own, 1.0)
            log_cdf[each, y] = np.where(inside, shift, log_cdf[each, y])
            constant[each, y] = np.where(inside, 1.0, constant[each, y])
            factor[each, y] = np.where(inside, 0.0, factor[each, y])
        level = log_cdf.sum(axis=1)
        if self.falls or self.y is not None:
            scale = np.exp(level - self.reference[rows])
        else:
            scale = np.exp(level)
            new = ~far & np.isneginf(self.unit[rows])
            self.unit[rows] = np.where(new, level[:, None], self.unit[rows])
            gain = gain * np.exp(level[:, None] - self.unit[rows])
            gain[far] = 0.0
        if self.y is not None:
            gain = np.abs(factor) * (scale * own)[:, None]
        elif self.falls:
            gain *= scale[:, None]
        return _Top(
            rows=rows,
            z=z,
            branch=branch,
            kind=kind,
            constant=constant,
            factor=factor,
            gain=gain,
            own=own,
            own_kind=own_kind,
            level=level,
            scale=scale,
            plain=np.exp(level + place) if self.falls else scale,
            active=(branch > 0) & ((branch < self.last) | (z < law.full)),
        )

    def is_done(self, top, seen):
        """Whether what is left below is nothing for the class asked for, or for any."""
        law, rows, far = self.law, top.rows, top.branch == self.last
        kink, each = law.kink[-1], np.arange(len(rows))
        to_end = top.z.min(axis=1) - law.kink[0]
        if not self.falls:
            if self.y is not None:
                return top.scale <= _TINY * self.total[rows]
            if law.kind[0] == RISING:
                return np.zeros(len(rows), dtype=bool)
            to_come = np.any(far & (top.z - kink < to_end[:, None]), axis=1)
            left = np.where(far, 0.0, np.exp(top.level[:, None] - self.unit[rows]))
            return ~to_come & np.all(left <= _TINY * self.sum[rows], axis=1)
        # From here on a class above the last kink has at most scale * length, then F at the kink.
        count = (top.branch == 0).sum(axis=1)
        if self.y is None:
            seen, length, any_far = seen[rows], top.z.max(axis=1) - kink, far.any(axis=1)
        else:
            own = self.y[rows]
            seen, length, any_far = self.total[rows], top.z[each, own] - kink, far[each, own]
        length = np.where(count > 1, 1 / (count - 1), length)
        length = np.where(count > 0, length, to_end * np.exp(to_end)) * any_far
        left = top.scale * (length - np.exp(kink) / law.b[-1])
        done = ((count > 0) | (law.kind[0] == CONSTANT)) & (left <= _TINY * seen)
        if self.y is not None:
            left = top.scale * np.exp(np.minimum(top.z[each, own], kink))
            done = np.where(any_far, done, left <= _TINY * seen)
        return done

    def add_top(self):
        """The piece above the last kink, of a law whose last branch is 1 + b exp(-z)."""
        law, (n, n_classes) = self.law, self.delta.shape
        b, scale = law.b[-1], np.exp(-law.kink[-1])
        factor = b * np.exp(-self.delta) * scale
        if self.y is not None:
            factor[np.arange(n), self.y] = 0.0
        steepness = -factor.sum(axis=1)
        most = np.where(steepness > DECAYED, DECAYED / np.maximum(steepness, DECAYED), 1.0)
        groups = min(-(-n_classes // 8), len(law.rules))
        places, weights = law.rules[groups - 1, :, : 4 * groups]
        u, weight = most[:, None] * places, np.tile(weights / places, (n, 1))
        cdf = 1 + factor[:, :, None] * u[:, None]
        share = weight * cdf.prod(axis=1)
        if self.y is not None:
            share *= u
            self.total += -b * scale * share.sum(axis=1)
            gain = b * scale * factor
        else:
            gain = np.full(self.delta.shape, -b * scale)
            self.below += share.sum(axis=1)
            self.above += weight.sum(axis=1) - np.log(most)
        slope = u[:, None] / cdf
        sums = np.matmul(slope, share[:, :, None])[..., 0] * gain
        self.sum += sums
        if self.second:
            hazard = -factor[:, :, None] * slope
            plain = 1.0 if self.y is None else -b * scale
            self.product += plain * (hazard * share[:, None]) @ hazard.transpose(0, 2, 1)
            self.curve -= sums
        self.live = np.flatnonzero(most == 1)

    def add_closed(self, top):
        """A piece in which every F_j is b exp(z) or 1 to all digits."""
        rows, far = top.rows, top.branch == self.last
        count = (~far).sum(axis=1)
        lowest = np.where(far, top.z, np.inf).min(axis=1)
        place = self.law.full - WIDEST if self.falls else self.law.kink[-1]
        length = lowest - place
        below = -np.expm1(-count * length) / count
        mass = np.where(
            count == 1, length, -np.expm1((1 - count) * length) / np.maximum(count - 1, 1)
        )
        part = below[:, None] + np.zeros(far.shape)
        if self.y is None:
            part = np.where(far, mass[:, None], part)
            self.below[rows] += top.plain * below
            self.sum[rows] += top.gain * part
            whole = top.plain * below
        else:
            each = np.arange(len(rows))
            part = np.where(far[each, self.y[rows]], mass, below)
            whole = top.scale * top.own * part
            self.total[rows] += whole
            self.sum[rows] += np.where(far, 0.0, top.gain * part[:, None])
        if self.second:
            near = ~far
            self.product[rows] += whole[:, None, None] * near[:, :, None] * near[:, None, :]
            self.curve[rows] += whole[:, None] * near
        nearest = np.where(far, top.z, np.inf).argmin(axis=1)
        self.base[rows], self.offset[rows] = self.delta[rows, nearest], place

    def add_panel(self, top):
        """One panel, or the part of the piece that one resolves, down to the next kink."""
        law, rows, each = self.law, top.rows, np.arange(len(top.rows))
        places, weights = law.rules[PANEL // 4 - 1, :, :PANEL]
        ends = np.append(-np.inf, law.kink)[top.branch]
        # In this order: the distance of two classes next to each other keeps its digits.
        lag = self.delta[rows] - self.base[rows, None]
        distance = lag + (self.offset[rows, None] - ends)
        nearest = distance.argmin(axis=1)
        left = np.maximum(distance[each, nearest], 0.0)
        count = (top.branch == 0).sum(axis=1)
        active = np.where(top.active & (top.branch > 0), np.abs(top.factor), 0.0)
        growing = np.where(top.kind == FALLING, active, 0.0).sum(axis=1)
        step = _widest(active.sum(axis=1) - growing + np.maximum(count, 1), growing)
        middle = top.active & (top.kind != CONSTANT)
        polynomial = ~np.any(middle & (top.kind != LINEAR), axis=1) & (
            middle.sum(axis=1) <= _DEGREE
        )
        polynomial &= (count == 0) & (not self.falls)
        step = np.where(
            polynomial | (left <= step) | (self.offset[rows] - step == self.offset[rows]),
            left,
            np.where(left < 2 * step, left / 2, step),
        )
        s = step[:, None] * places
        functions = np.stack(
            [np.zeros(s.shape), -s, np.exp(-s), np.exp(np.minimum(s, 700.0))], axis=1
        )
        slopes = functions.copy()
        slopes[:, LINEAR] = 1.0
        pick = (each[:, None], top.kind)
        cdf = top.constant[..., None] + top.factor[..., None] * functions[pick]
        share = step[:, None] * weights * cdf.prod(axis=1)
        share = share * np.where(
            (top.own_kind == CONSTANT)[:, None], 1.0, slopes[each, top.own_kind]
        )
        ratio = slopes[pick] / cdf
        sums = np.matmul(ratio, share[:, :, None])[..., 0] * top.gain
        whole = top.scale * top.own if self.y is not None else top.plain
        self.sum[rows] += sums
        self.total[rows] += whole * share.sum(axis=1)
        self.below[rows] += whole * share.sum(axis=1)
        if self.second:
            hazard = np.abs(top.factor)[..., None] * ratio
            weighted = hazard * (whole[:, None] * share)[:, None]
            self.product[rows] += weighted @ hazard.transpose(0, 2, 1)
            self.curve[rows] += _SECOND[top.kind] * sums
        whole_piece = step == left
        self.base[rows] = np.where(whole_piece, self.delta[rows, nearest], self.base[rows])
        kink = ends[each, nearest]
        self.offset[rows] = np.where(whole_piece, kink, self.offset[rows] - step)


class _Top:
    """What `prepare` finds at the tops of panels; one entry for each row."""

    def __init__(self, **columns):
        self.__dict__ = columns

    def taken(self, rows):
        return _Top(**{name: column[rows] for name, column in vars(self).items()})


def _widest(rate, growing):
    """Width s of a panel with s (rate + growing exp(s)) = _STEEPEST, by Newton's method."""
    step = np.full(rate.shape, WIDEST)
    for _ in range(3):
        grown = growing * np.exp(step)
        excess = step * (rate + grown) - _STEEPEST
        step -= np.maximum(excess, 0.0) / (rate + grown * (1 + step))
    return step
