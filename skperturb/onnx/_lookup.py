"""Functions of one number as tables: the law of a noise, and two classes, in ONNX nodes.

A table has cells of equal width in a coordinate u, and in each cell a straight line. For a bounded
law u = x; for others u = sign(y) log(1 + abs(y)) with y = (x - centre) / unit, so that cells widen
with the distance. Values beyond both ends are constants. The centre lies between two cells:
there a density may jump.
"""

import numpy as np

from ._graph import INDEX

_CELLS = 1 << 14
_INSIDE = 1e-9  # of a cell: where its ends are looked at, as a density may jump there
_LOWEST = -60.0  # log of a probability that is 0
NEGLIGIBLE = 1e-9  # probability beyond each end
_ZERO = 2e-7  # a probability of two classes of this size is given as 0


class Lookup:
    """Functions on cells.

    Parameters
    ----------
    low, high : float
        Ends of the cells.
    centre, unit : float or None
        See above; no unit for cells of equal width in x.
    functions : callable
        From points (n,) to a list of arrays (n,), one for each function.
    below, above : list of float
        The values beyond both ends.
    """

    def __init__(self, low, high, centre, unit, functions, below, above):
        self.centre, self.unit = centre, unit
        start, end = self._coordinate(np.array([low, high]))
        self._width = (end - start) / _CELLS
        if unit is not None and start < 0 < end:
            start = -np.ceil(-start / self._width) * self._width
        self._start = start
        self._n_cells = int(np.ceil((end - start) / self._width - _INSIDE))
        edges = start + self._width * np.arange(self._n_cells + 1)
        inside = _INSIDE * self._width
        left = functions(np.maximum(self._point(edges[:-1] + inside), low))
        right = functions(self._point(edges[1:] - inside))
        self._values, self._slopes = [], []
        for a, b, under, over in zip(left, right, below, above, strict=True):
            self._values.append(np.concatenate([[under], a, [over]]))
            self._slopes.append(np.concatenate([[0.0], b - a, [0.0]]))

    def _coordinate(self, x):
        if self.unit is None:
            return x
        y = (x - self.centre) / self.unit
        return np.sign(y) * np.log1p(np.abs(y))

    def _point(self, u):
        if self.unit is None:
            return u
        return self.centre + self.unit * np.sign(u) * np.expm1(np.abs(u))

    def __call__(self, graph, x):
        """The functions of the entries of a tensor: names of tensors of the same shape."""
        if self.unit is None:
            u = x
        else:
            y = graph("Div", graph("Sub", x, float(self.centre)), float(self.unit))
            far = graph("Log", graph("Add", graph("Abs", y), 1.0))
            u = graph("Mul", graph("Sign", y), far)
        cells = graph("Mul", graph("Sub", u, float(self._start)), float(1 / self._width))
        position = graph("Clip", cells, -1.0, float(self._n_cells))
        floor = graph("Floor", position)
        part = graph("Sub", position, floor)
        cell = graph.cast(graph("Add", floor, 1.0), INDEX)
        return [
            graph(
                "Add",
                graph("Gather", values.astype(graph.dtype), cell),
                graph("Mul", part, graph("Gather", slopes.astype(graph.dtype), cell)),
            )
            for values, slopes in zip(self._values, self._slopes, strict=True)
        ]


def law_lookup(law):
    """Log CDF and density of a law."""
    low, high = ends(law, NEGLIGIBLE, NEGLIGIBLE)
    bounded = np.isfinite(law.support).all()

    def functions(x):
        with np.errstate(all="ignore"):
            log_cdf, log_hazard = law.logcdf_and_hazard(x)
            density = np.exp(log_cdf + log_hazard)
        return [np.maximum(log_cdf, _LOWEST), np.where(np.isnan(density), 0.0, density)]

    return Lookup(
        low,
        high,
        float(law.features[0]),
        None if bounded else float(law.detail),
        functions,
        [max(float(law.logcdf(np.array([low]))[0]), _LOWEST), 0.0],
        [0.0, 0.0],
    )


def two_class_lookup(law, proba):
    """Probability of the lower of two classes, of the distance of their scores.

    Parameters
    ----------
    law : Law
    proba : callable
        From scores (n, 2) to probabilities.
    """
    low, high = ends(law, _ZERO, _ZERO)

    def functions(x):
        return [proba(np.column_stack([x, np.zeros_like(x)]))[:, 1]]

    return Lookup(0.0, high - low, 0.0, float(law.detail), functions, [0.5], [0.0])


def ends(law, below, above):
    """Quantiles of so small probabilities, or the ends of the support."""
    low, high = law.support
    return (
        low if np.isfinite(low) else float(law.ppf(below)),
        high if np.isfinite(high) else float(law.isf(above)),
    )
