"""Probabilities from scores as ONNX nodes: a rule for each law, checked before it is used.

With gap_j the distance of class j below the best one, L the log CDF and f the density of the noise,

    p_i = integral of f(z + gap_i) exp(sum over j != i of L(z + gap_j)) dz

is a sum over Gauss-Legendre nodes z with the functions looked up in tables. The rules, from the
cheapest to the dearest:

    softmax      Gumbel noise, in closed form
    two classes  a table of p
    fixed        panels for z that are the same for all rows: for smooth laws with thin tails,
                 where only the best class matters, and for laws that begin at a kink
    moving       panels between points of all classes of a row: for kinks, and for heavy tails,
                 where classes far below the best one matter

``probability_rule`` compares the probabilities, computed by onnxruntime, with those of the library
on scores that are hard for a rule, and takes the first that agrees.
"""

from functools import partial

import numpy as np
import onnxruntime

from .._engine import interpolant
from ..noise import interquartile_range
from ._graph import Graph
from ._lookup import NEGLIGIBLE, ends, law_lookup, two_class_lookup

# Error of p on the scores tried: the first rule below the target is taken, or else the best one
# below the limit. What is left of 1e-5 is for other scores, and for their rounding in float32.
TARGET, LIMIT = 1e-6, 3e-6
_LOST = 1e-7  # probability outside of the panels
# Panels of the rules: points of each, width of the first one in interquartile ranges, and how many
# times as wide the next one is.
_FIXED = ((8, 1.0, 2.0), (12, 0.5, 1.4), (10, 0.7, 1.0))
_MOVING = ((8, 1.5, 3.0), (8, 1.0, 2.0), (12, 0.5, 2.0), (10, 0.02, 2.5))
_MOST_PANELS = 100  # of a fixed rule
_SQUEEZED = np.array([1], dtype=np.int64)


class NotExportableError(ValueError):
    """No rule gives the probabilities of a model to the accuracy that is promised."""


def probability_rule(model, n_classes, dtype, opset):
    """The cheapest rule for a model that is exact, or else the most exact one.

    Parameters
    ----------
    model : PerturbArgmax or PerturbSoftmax
    n_classes : int
    dtype : type
        float32 or float64.
    opset : int

    Returns
    -------
    callable
        From a graph and the name of the scores (double, n_samples x n_classes) to the name of the
        probabilities.

    Raises
    ------
    NotExportableError
        If there is none.
    """
    law = model._law()
    unit, law = law.scale, law.standard()
    scores = _hard_scores(law, n_classes) * unit
    exact = model.proba(scores)
    best, smallest = None, np.inf
    for rule in _candidates(law, model, unit, n_classes):
        whole = partial(_probabilities, rule, unit)
        error = np.abs(_run(whole, scores, dtype, opset) - exact).max()
        if error < smallest:
            best, smallest = whole, error
        if error <= TARGET:
            break
    if smallest <= LIMIT:
        return best
    raise NotExportableError(
        f"The probabilities of {model!r} with {n_classes} classes cannot be exported: those of "
        f"the best rule in ONNX are wrong by {smallest:.0e}. Export the scores and the labels "
        "alone, which are exact for every noise, with options={id(clf): {'raw_scores': True}}, "
        "clf being the classifier, or fit with another noise."
    )


def _candidates(law, model, unit, n_classes):
    if law.closed_form:
        yield _softmax
    elif n_classes == 2:
        yield _two_classes(two_class_lookup(law, lambda scores: model.proba(unit * scores)))
    else:
        fast = _fast(law)
        lookup, window = law_lookup(fast), ends(law, _LOST, _LOST / n_classes)
        largest = ends(law, NEGLIGIBLE, NEGLIGIBLE)[1] - window[0]
        for points, first, growth in _FIXED:
            edges = np.union1d(window, _edges(fast, window, first, growth))
            if len(edges) <= _MOST_PANELS:
                yield _fixed(lookup, largest, *_nodes(edges, points))
        for points, first, growth in _MOVING:
            edges = _edges(fast, window, first, growth)
            yield _moving(lookup, largest, window, edges, points, n_classes)


def _fast(law):
    """The law, or the piecewise polynomials that stand for a slow one."""
    return interpolant(law) if law.needs_interpolant else law


def _edges(law, window, first, growth):
    """Ends of the panels of one class: next to its features, and ever wider away from them."""
    low, high = window
    first *= interquartile_range(law)
    edges = [np.array(law.features)]
    furthest, distance, width = high - low, first, first
    while distance < furthest and len(edges) <= _MOST_PANELS:
        edges += [edges[0] - distance, edges[0] + distance]
        width *= growth
        distance += width
    edges = np.unique(np.concatenate(edges))
    return edges[(edges >= low) & (edges <= high)]


def _nodes(edges, points):
    """Gauss-Legendre nodes and weights of the panels between edges."""
    places, weights = np.polynomial.legendre.leggauss(points)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * places).ravel(), np.outer(half, weights).ravel()


def _probabilities(rule, unit, graph, scores):
    """Adds the nodes from scores (double) to probabilities, which sum to one."""
    best, _ = graph("TopK", scores, np.array([1]), n_outputs=2, axis=1)
    gaps = graph("Div", graph("Sub", best, scores), np.array(float(unit)))
    # A cell of a table is looked up for every row, also for one whose probabilities are NaN below.
    gaps = graph("Where", graph("IsNaN", gaps), np.array(0.0), gaps)
    p = rule(graph, gaps)
    total = graph("ReduceSum", p, _SQUEEZED, keepdims=1)
    # A row with a score that is not finite has no probabilities: zero times its scores is NaN.
    finite = graph("ReduceSum", graph("Mul", scores, np.array(0.0)), _SQUEEZED, keepdims=1)
    return graph("Add", graph("Div", p, total), graph.cast(finite))


def _softmax(graph, gaps):
    return graph("Softmax", graph("Neg", _bounded(graph, gaps, 1e30)), axis=1)


def _two_classes(lookup):
    def rule(graph, gaps):
        gaps = _bounded(graph, gaps, 1e30)
        (lower,) = lookup(graph, graph("ReduceSum", gaps, _SQUEEZED, keepdims=1))
        higher = graph("Sub", 1.0, lower)
        return graph("Where", graph("Greater", gaps, 0.0), lower, higher)

    return rule


def _fixed(lookup, largest, nodes, weights):
    def rule(graph, gaps):
        z = nodes.astype(graph.dtype)[:, None]
        gaps = graph("Unsqueeze", _bounded(graph, gaps, largest), _SQUEEZED)
        share = _integrand(graph, lookup, graph("Add", z, gaps))
        p = graph("MatMul", weights.astype(graph.dtype)[None], share)
        return graph("Squeeze", p, _SQUEEZED)

    return rule


def _moving(lookup, largest, window, edges, points, n_classes):
    """Panels between the edges of all classes, in turns of as many as one class has."""
    low, high = window
    places, weights = np.polynomial.legendre.leggauss(points)
    per_turn = len(edges)

    def rule(graph, gaps):
        gaps = _bounded(graph, gaps, largest)
        column = graph("Unsqueeze", gaps, np.array([2]))
        ends = graph("Sub", edges.astype(graph.dtype), column)
        ends = graph("Clip", graph("Flatten", ends, axis=1), float(low), float(high))
        count = np.array([n_classes * per_turn])
        ends, _ = graph("TopK", ends, count, n_outputs=2, axis=1, largest=0)
        first = graph("Add", graph("Mul", _column(graph, gaps), 0.0), float(low))
        last = graph("Add", graph("Mul", _column(graph, gaps), 0.0), float(high))
        # Panels without width fill the last turn.
        starts = graph("Concat", first, ends, *[last] * (per_turn - 1), axis=1)
        stops = graph("Concat", ends, *[last] * per_turn, axis=1)
        shape = np.array([0, n_classes + 1, per_turn])
        parts = [graph("Reshape", side, shape) for side in (starts, stops)]
        zero = graph("Mul", gaps, 0.0)
        p, _ = graph(
            "Scan",
            zero,
            gaps,
            *parts,
            n_outputs=2,
            num_scan_inputs=2,
            scan_input_axes=[1, 1],
            body=_turn(graph.inner(), lookup, places, weights, per_turn, n_classes),
        )
        return p

    return rule


def _turn(graph, lookup, places, weights, per_turn, n_classes):
    """What some panels of each row add to the probabilities."""
    columns = np.array([2])
    start, stop = (graph("Unsqueeze", name, columns) for name in ("start", "stop"))
    half = graph("Mul", graph("Sub", stop, start), 0.5)
    middle = graph("Add", start, half)
    z = graph("Add", middle, graph("Mul", half, places.astype(graph.dtype)))
    z = graph("Unsqueeze", graph("Flatten", z, axis=1), columns)
    weight = graph("Flatten", graph("Mul", half, weights.astype(graph.dtype)), axis=1)
    x = graph("Add", z, graph("Unsqueeze", "gaps", _SQUEEZED))
    share = _integrand(graph, lookup, x)
    part = graph("MatMul", graph("Unsqueeze", weight, _SQUEEZED), share)
    total = graph("Add", "p", graph("Squeeze", part, _SQUEEZED))
    same = graph("Identity", "gaps")
    rows, panels = ["n", n_classes], ["n", per_turn]
    return graph.body(
        {"p": rows, "gaps": rows, "start": panels, "stop": panels}, {total: rows, same: rows}
    )


def _integrand(graph, lookup, x):
    """f of each class times the CDF of all others, at x (n, nodes, classes)."""
    log_cdf, density = lookup(graph, x)
    of_all = graph("ReduceSum", log_cdf, np.array([2]), keepdims=1)
    return graph("Mul", density, graph("Exp", graph("Sub", of_all, log_cdf)))


def _bounded(graph, gaps, largest):
    """Gaps in the type of the graph; beyond the largest one nothing changes."""
    return graph.cast(graph("Clip", gaps, np.array(0.0), np.array(float(largest))))


def _column(graph, gaps):
    return graph("ReduceSum", gaps, _SQUEEZED, keepdims=1)


def _run(rule, scores, dtype, opset):
    """The probabilities that onnxruntime computes by a rule."""
    graph = Graph(dtype, "check")
    model = graph.model("scores", ["n", scores.shape[1]], rule(graph, "scores"), opset)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"scores": scores})[0]


def _hard_scores(law, n_classes):
    """Rows of scores, in units of the standard law, that are hard for quadrature."""
    rng = np.random.default_rng(0)
    low, high = ends(law, NEGLIGIBLE, NEGLIGIBLE)
    width = interquartile_range(law)
    rows = [np.zeros(n_classes)]
    for distance in np.geomspace(0.01 * width, high - low, 20):
        d = distance * rng.uniform(0.7, 1.4)
        near, half = np.zeros(n_classes), np.zeros(n_classes)
        half[: n_classes // 2] = near[0] = near[1] = d
        near[1] -= min(d, 0.3 * width)
        rows += [d * np.eye(n_classes)[0], -d * np.eye(n_classes)[0], half, near]
        rows += [*(d * rng.normal(size=(3, n_classes))), d * rng.uniform(size=n_classes)]
    # Beyond, nothing changes by more than what is negligible, and the library takes long.
    return np.maximum(rows, np.max(rows, axis=1, keepdims=True) - (high - low))
