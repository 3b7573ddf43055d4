"""How the features of parts reach a classifier."""

import numpy as np
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ._columns import RARE

# More columns for categories than this are not made for classifiers that need dense features.
_MOST_DENSE = 50


def preprocessor(sparse: bool = True) -> ColumnTransformer:
    """Return a transformer for the features of :class:`Parts`.

    Numeric columns: missing values become the median, then mean 0 and standard deviation 1.
    Text columns: one 0/1 column per category; a missing value is a category of its own, and
    categories of fewer than 5 parts are one category together.

    Parameters
    ----------
    sparse : bool, default=True
        Whether the features may become a sparse matrix, which they do if there are many
        categories. If not, a column has at most 50 categories, the most frequent ones.

    Returns
    -------
    ColumnTransformer
        Not fitted yet.

    Examples
    --------
    >>> import pandas as pd
    >>> from skperturb.parts import preprocessor
    >>> features = pd.DataFrame({"width": [1.0, None, 3.0], "machine": ["A", None, "A"]})
    >>> preprocessor().fit_transform(features).shape
    (3, 2)
    """
    numeric = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    text = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", keep_empty_features=True),
        OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=RARE,
            max_categories=None if sparse else _MOST_DENSE,
            sparse_output=sparse,
        ),
    )
    return make_column_transformer(
        (numeric, make_column_selector(dtype_include=np.number)),
        (text, make_column_selector(dtype_exclude=np.number)),
    )
