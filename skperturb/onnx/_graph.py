"""Nodes of an ONNX graph, written as calls."""

from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

DOUBLE = TensorProto.DOUBLE
INDEX = TensorProto.INT32


class Graph:
    """Nodes and constants of one graph, in the order in which they are computed.

    Calling it adds a node, and gives the names of what the node computes. Inputs are names of
    other results, or numbers and arrays, which become constants.

    Parameters
    ----------
    dtype : type
        Of the numbers that are not arrays: float32 or float64.
    prefix : str
        Begins the names of all results and constants, which are unique by it.
    """

    def __init__(self, dtype: type, prefix: str):
        self.dtype, self._prefix, self._n_names = dtype, prefix, 0
        self.type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(
        self, operator: str, *inputs: Any, n_outputs: int = 1, into: str = "", **attributes: Any
    ) -> Any:
        names = [self._input(value) for value in inputs]
        outputs = [into or self._name(operator) for _ in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, names, outputs, outputs[0], **attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def cast(self, name: str, to: int | None = None, into: str = "") -> str:
        """The values of a result in another type, by default in that of the graph."""
        return self("Cast", name, to=self.type if to is None else to, into=into)

    def inner(self) -> "Graph":
        """An empty graph for the body of a loop."""
        return Graph(self.dtype, self._name("body"))

    def body(self, inputs: dict[str, list], outputs: dict[str, list]) -> Any:
        """These nodes as the body of a loop; names with the shapes of inputs and outputs."""
        infos = [
            [helper.make_tensor_value_info(name, self.type, shape) for name, shape in part.items()]
            for part in (inputs, outputs)
        ]
        return helper.make_graph(self.nodes, self._prefix, *infos, self.constants)

    def model(self, source: str, shape: list, result: str, opset: int) -> bytes:
        """A model of its own: from an input of type double to one of the results."""
        graph = helper.make_graph(
            self.nodes,
            self._prefix,
            [helper.make_tensor_value_info(source, DOUBLE, shape)],
            [helper.make_tensor_value_info(result, self.type, shape)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset)]
        version = helper.find_min_ir_version_for(opsets)
        model = helper.make_model(graph, opset_imports=opsets, ir_version=version)
        checker.check_model(model)
        return model.SerializeToString()

    def _input(self, value):
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        if array.dtype.kind == "f" and not isinstance(value, np.ndarray):
            array = array.astype(self.dtype)
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _name(self, what):
        self._n_names += 1
        return f"{self._prefix}/{what}_{self._n_names}"
