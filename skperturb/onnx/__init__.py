"""Export to ONNX: importing this module teaches skl2onnx both classifiers.

After ``import skperturb.onnx``, ``skl2onnx.to_onnx`` converts :class:`PerturbArgmaxClassifier` and
:class:`PerturbSoftmaxClassifier`, alone or inside pipelines and ensembles: labels, scores and
probabilities. The page "Saving and serving" of the documentation says which noise can be exported
and how exact the probabilities are.

Examples
--------
>>> import onnxruntime
>>> import skperturb.onnx
>>> from skl2onnx import to_onnx
>>> from sklearn.datasets import load_iris
>>> from skperturb import PerturbArgmaxClassifier
>>> X, y = load_iris(return_X_y=True)
>>> X = X.astype("float32")
>>> clf = PerturbArgmaxClassifier("gaussian").fit(X, y)
>>> exported = to_onnx(clf, X[:1], options={"zipmap": False})
>>> session = onnxruntime.InferenceSession(exported.SerializeToString())
>>> label, proba = session.run(None, {"X": X})
>>> bool(abs(proba - clf.predict_proba(X)).max() < 1e-5)
True
"""

try:
    import onnx
    import onnxruntime
    from skl2onnx import update_registered_converter
except ImportError as error:
    raise ImportError(
        "skperturb.onnx needs the packages skl2onnx and onnxruntime; install them with "
        "pip install 'skperturb[onnx]'."
    ) from error

from ..classifiers import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from ._converter import OPTIONS, convert, output_types

__all__: list[str] = []

for _classifier in (PerturbArgmaxClassifier, PerturbSoftmaxClassifier):
    update_registered_converter(
        _classifier, f"Sk{_classifier.__name__}", output_types, convert, options=OPTIONS
    )

del onnx, onnxruntime
