"""Sums over the tables of ``_engine._table`` with the operations of PyTorch, on any device."""

import torch

from .._engine import TABLE_ORDER


class DeviceTable:
    """A table as tensors.

    Parameters
    ----------
    table : Table
        See ``_engine._table``.
    dtype : torch.dtype
    device : torch.device
    """

    def __init__(self, table, dtype, device):
        self.reach, self.grid_reach, self.step = table.reach, table.grid_reach, table.step
        self.n_grid, self.n_nodes = table.log_cdf.shape
        for name in ("log_weight", "log_cdf", "log_hazard", "hazard"):
            setattr(self, name, torch.as_tensor(getattr(table, name), dtype=dtype, device=device))
        # Numbers of the host: each is a constant of an operation.
        self.powers = table.powers.tolist()
        self.slope_powers = (table.slope_powers / table.step).tolist()

    def log_likelihood(self, scores, y):
        """log p of one class a row (n,), and its gradient (n, K)."""
        log_p, share, places = self._target_shares(_below_best(scores), y)
        mean = self._sample(share @ self.hazard.T, places, self.powers)
        return log_p, _with_zero_sum(-mean, y)

    def hessian_product(self, scores, y, v):
        """The second derivative of log p of one class a row, times v: (n, K)."""
        _, share, places = self._target_shares(_below_best(scores), y)
        v = v - v.gather(1, y[:, None])
        along = self._counts(places, v) @ self.hazard
        along = share * (along - (share * along).sum(1, keepdim=True))
        out = self._sample(along @ self.hazard.T, places, self.powers)
        out = out + v * self._sample(share @ self.hazard.T, places, self.slope_powers)
        return _with_zero_sum(out, y)

    def log_proba(self, scores):
        """log p (n, K)."""
        places = self._interpolation(_below_best(scores))
        exponent = self._counts(places) @ self.log_cdf + self.log_weight
        peak = exponent.amax(1, keepdim=True)
        density = (exponent - peak).exp() @ self.hazard.T
        tiny = torch.finfo(scores.dtype).tiny
        log_p = self._sample(density.clamp_min(tiny).log(), places, self.powers) + peak
        return log_p - log_p.logsumexp(1, keepdim=True)

    def proba(self, scores):
        """p (n, K)."""
        return self.log_proba(scores).exp()

    def jacobian_product(self, scores, v):
        """The derivative of p times v: (n, K)."""
        places = self._interpolation(_below_best(scores))
        v = v - v.mean(1, keepdim=True)
        counts = self._counts(places)
        density = (counts @ self.log_cdf + self.log_weight).exp()
        all_of = density * (counts @ self.hazard)
        along = density * (self._counts(places, v) @ self.hazard)
        out = v * self._sample(all_of @ self.hazard.T, places, self.powers)
        return out - self._sample(along @ self.hazard.T, places, self.powers)

    def _interpolation(self, delta):
        """First of the rows (n, K), place less that of mid-cell, and whether it is within reach."""
        within = delta <= self.grid_reach
        position = torch.where(within, delta, 0.0) / self.step
        first = position.floor()
        return first.long(), position - first - 0.5, within

    def _weights(self, places, powers):
        """Weights (n, K) of the rows, one after another: each is used once, and not kept."""
        _, u, within = places
        for k in range(TABLE_ORDER):
            out = torch.full_like(u, powers[-1][k])
            for degree in range(TABLE_ORDER - 2, -1, -1):
                out = out * u + powers[degree][k]
            yield torch.where(within, out, 0.0)

    def _counts(self, places, factor=None):
        """The weights, summed by grid point: (n, n_grid)."""
        first = places[0]
        out = places[1].new_zeros(len(first), self.n_grid)
        for k, weight in enumerate(self._weights(places, self.powers)):
            out.scatter_add_(1, first + k, weight if factor is None else weight * factor)
        return out

    def _sample(self, on_grid, places, powers):
        """Each row's function of delta, given on the grid (n, n_grid), at the row's classes."""
        first, out = places[0], torch.zeros_like(places[1])
        for k, weight in enumerate(self._weights(places, powers)):
            out = out + weight * on_grid.gather(1, first + k)
        return out

    def _target_shares(self, delta, y):
        """log p of one class a row (n,), each node's share of the integral, and the places."""
        places = self._interpolation(delta)
        exponent = self._counts(places) @ self.log_cdf + self.log_weight
        own = [part.gather(1, y[:, None]) for part in places]
        for k, weight in enumerate(self._weights(own, self.powers)):
            exponent = exponent + weight * self.log_hazard[own[0][:, 0] + k]
        log_p = exponent.logsumexp(1)
        return log_p, (exponent - log_p[:, None]).exp(), places


def _below_best(scores):
    return scores.amax(1, keepdim=True) - scores


def _with_zero_sum(rows, y):
    """y's entry such that the row sums to zero."""
    rows = rows.scatter(1, y[:, None], 0.0)
    return rows.scatter(1, y[:, None], -rows.sum(1, keepdim=True))
