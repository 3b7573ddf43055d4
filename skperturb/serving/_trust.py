"""What a model file may consist of: checked before anything of it is made."""

from .. import noise
from ..saving import TRUSTED_TYPES

# Kinds of nodes of a skops file that our models have; those that call functions are not here.
_LOADERS = {
    f"{kind}Node"
    for kind in (
        *("DType", "Dict", "Function", "Json", "List", "Loss", "NdArray", "Object", "Set"),
        *("RandomGenerator", "Slice", "Tuple", "Type", "Cached"),
    )
}
_FOREIGN = {
    "builtins": "dict list tuple set slice str int float bool NoneType object",
    "numpy": "dtype ndarray number float64 float32 int64 int32 intp uint64 uint32 uint8 bool bool_ "
    "object_ str_",
    "numpy.random._generator": "Generator",
    # A spline keeps the function by which it makes arrays.
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "scipy.interpolate._bsplines": "BSpline",
    "sklearn._loss._loss": "CyHalfBinomialLoss CyHalfMultinomialLoss",
    "sklearn._loss.link": "Interval LogitLink HalfLogitLink MultinomialLogit",
    "sklearn._loss.loss": "HalfBinomialLoss HalfMultinomialLoss",
    "sklearn.compose._column_transformer": "ColumnTransformer make_column_selector",
    "sklearn.dummy": "DummyClassifier",
    "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": "HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.impute._base": "SimpleImputer",
    "sklearn.linear_model._logistic": "LogisticRegression",
    "sklearn.pipeline": "Pipeline",
    "sklearn.preprocessing._data": "StandardScaler",
    "sklearn.preprocessing._encoders": "OneHotEncoder",
    "sklearn.preprocessing._label": "LabelEncoder",
    "sklearn.preprocessing._polynomial": "SplineTransformer",
}
_FUNCTIONS = frozenset(["scipy._lib.array_api_compat.numpy._aliases.asarray"])
# A noise of scipy.stats consists of types of scipy's, and a command line names none.
_OURS = {name for name in TRUSTED_TYPES if not name.endswith(noise.ScipyNoise.__name__)}
_OURS |= {
    "skperturb.additive._features.AdditiveFeatures",
    "skperturb.additive._pieces.Pieces",
}
#: Types of which the models of ``skperturb train`` consist; a file with another one is refused.
TYPES: frozenset[str] = frozenset(
    [f"{module}.{name}" for module, names in _FOREIGN.items() for name in names.split()]
) | frozenset(_OURS)


def foreign(schema):
    """The first type or kind of node, by name, that no model of ours has; None if all are known.

    Parameters
    ----------
    schema : dict
        That of a skops file. Each dictionary in it that names a type or a loader is looked at.
    """
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        if not isinstance(node, dict):
            continue
        waiting += node.values()
        marks = [node.get(key) for key in ("__module__", "__class__", "__loader__")]
        if all(mark is None for mark in marks):
            continue
        module, name, loader = map(str, marks)
        full = f"{module}.{name}"
        if full not in TYPES:
            return full
        if loader not in _LOADERS or (loader == "FunctionNode") != (full in _FUNCTIONS):
            return f"{full} ({loader})"
    return None
