"""What skl2onnx asks of a converter: the types of the outputs, and the nodes."""

import numpy as np
from onnx import TensorProto, helper
from scipy.sparse import issparse
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

from ._graph import DOUBLE, Graph
from ._rules import probability_rule

OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [False, True],
}
_OLDEST_OPSET = 13


def output_types(operator):
    """The types of label and probabilities."""
    labels = operator.raw_operator.classes_
    if operator.scope_inst.get_options(operator.raw_operator, {"nocl": False})["nocl"]:
        labels = np.arange(len(labels))
    if labels.dtype.kind not in "iufbUO" or (
        labels.dtype.kind == "O" and not all(isinstance(label, str) for label in labels)
    ):
        raise ValueError(
            f"The labels of the classes, {labels.tolist()}, are neither all text nor all whole "
            "numbers, which ONNX asks of labels. Fit with such labels, or convert with "
            "options={id(clf): {'nocl': True}}, which gives the numbers of the classes."
        )
    calculate_linear_classifier_output_shapes(operator)


def convert(scope, operator, container):
    """Add the nodes of one classifier to a model."""
    clf = operator.raw_operator
    options = container.get_options(clf, {"raw_scores": False, "nocl": False})
    opset = container.target_opset
    if opset < _OLDEST_OPSET:
        raise ValueError(
            f"target_opset={opset} lacks what these classifiers need: use {_OLDEST_OPSET} or more."
        )
    dtype = np.float64 if isinstance(operator.inputs[0].type, DoubleTensorType) else np.float32
    graph = Graph(dtype, scope.get_unique_variable_name("skperturb"))
    label, probabilities = (variable.full_name for variable in operator.outputs)
    scores = _scores(graph, clf, operator.inputs[0].full_name)
    _, best = graph("TopK", scores, np.array([1]), n_outputs=2, axis=1)
    best = graph("Reshape", best, np.array([-1]))
    labels = np.arange(len(clf.classes_)) if options["nocl"] else clf.classes_
    graph("Gather", _known(labels), best, into=label)
    if options["raw_scores"]:
        graph.cast(scores, into=probabilities)
    else:
        rule = probability_rule(clf.model_, len(clf.classes_), dtype, opset)
        # With two classes the scores are minus and plus the one of decision_function.
        halved = graph("Div", scores, np.array(2.0)) if len(clf.classes_) == 2 else scores
        graph("Identity", rule(graph, halved), into=probabilities)
    for constant in graph.constants:
        text = constant.data_type == TensorProto.STRING
        content = list(constant.string_data) if text else constant
        container.add_initializer(constant.name, constant.data_type, list(constant.dims), content)
    for node in graph.nodes:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        container.add_node(
            node.op_type, list(node.input), list(node.output), name=node.name, **attributes
        )


def _scores(graph, clf, features):
    """Scores of all classes in double precision, so that large features lose no digits."""
    coef = clf.coef_.toarray() if issparse(clf.coef_) else clf.coef_
    coef, intercept = np.float64(coef), np.float64(clf.intercept_)
    if len(clf.classes_) == 2:
        coef, intercept = np.concatenate([-coef, coef]), np.concatenate([-intercept, intercept])
    product = graph("MatMul", graph.cast(features, DOUBLE), np.ascontiguousarray(coef.T))
    return graph("Add", product, intercept)


def _known(labels):
    """Labels in a type that ONNX has."""
    if labels.dtype.kind in "UO":
        return np.array([str(label).encode() for label in labels], dtype=object)
    return labels.astype(np.int64)
