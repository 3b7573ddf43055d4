"""Labels of classes as users give them: the types of pandas, and values that are missing."""

import numpy as np
import pandas as pd


def plain_labels(y):
    """Return labels in a type of NumPy's that keeps each of them as it is; refuse missing ones.

    scikit-learn turns pandas' nullable integers and truth values into floats, which makes one
    class of two large integers. What is no labels at all is left for scikit-learn to refuse.
    """
    dtype = getattr(y, "dtype", None)
    extended = isinstance(dtype, pd.api.extensions.ExtensionDtype)
    if getattr(y, "ndim", 1) != 1 or not (extended or getattr(dtype, "kind", "") == "O"):
        return y
    missing = int(np.sum(pd.isna(y)))
    if missing:
        raise ValueError(f"y is missing for {missing} rows: fill it in or leave those rows out.")
    if not extended:
        return y
    if hasattr(dtype, "numpy_dtype") and hasattr(y, "to_numpy"):
        return y.to_numpy(dtype=dtype.numpy_dtype)
    return np.asarray(y)
