"""Transformers of scikit-learn, fitted to blocks."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .._linear import merged_moments, moments
from ._block import features_of
from ._sources import Source


def standard_scaler(source: Source, *, client: Any = None) -> StandardScaler:
    """A StandardScaler that is fitted to the features of blocks.

    Parameters
    ----------
    source : Source
        Blocks of dense numbers. Weights are not used, as StandardScaler does by default.
    client : distributed.Client, default=None
        As for :func:`fit`.

    Returns
    -------
    StandardScaler
        To be passed to :func:`fit` as `prepare`.

    Raises
    ------
    ValueError
        If the source has no rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skperturb.blocks import arrays, standard_scaler
    >>> blocks = [(np.array([[0.0], [1.0]]), ["ok", "dent"]), (np.array([[5.0]]), ["dent"])]
    >>> standard_scaler(arrays(blocks)).mean_
    array([2.])
    """
    names_of_blocks, parts = zip(*source.blocks(client).results(_moments), strict=True)
    n, mean, squares = merged_moments(parts)
    if not n:
        raise ValueError("The source has no rows.")
    names = next(names for names, (rows, *_) in zip(names_of_blocks, parts, strict=True) if rows)
    scaler = StandardScaler()
    # Fitted to two rows with this mean and spread, so that it is complete in every version.
    spread = np.sqrt(squares / n)
    two = np.stack([mean - spread, mean + spread])
    scaler.fit(pd.DataFrame(two, columns=names) if names else two)
    scaler.mean_, scaler.var_ = mean, squares / n
    scaler.n_samples_seen_ = np.int64(n)
    return scaler


def one_hot_encoder(source: Source, *, client: Any = None) -> OneHotEncoder:
    """A OneHotEncoder that knows the categories of all blocks.

    Parameters
    ----------
    source : Source
        Blocks of categories: all features are encoded. Choose them with `features`.
    client : distributed.Client, default=None
        As for :func:`fit`.

    Returns
    -------
    OneHotEncoder
        Categories that it has not seen become zeros. To be passed to :func:`fit` as `prepare`,
        alone or in a fitted ColumnTransformer.

    Raises
    ------
    ValueError
        If the source has no rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skperturb.blocks import arrays, one_hot_encoder
    >>> machines = np.array([["M1"], ["M2"]], dtype=object)
    >>> encoder = one_hot_encoder(arrays([(machines, ["ok", "dent"])]))
    >>> encoder.categories_[0].tolist()
    ['M1', 'M2']
    """
    found: list[set] | None = None
    names = None
    for names_of_block, categories in source.blocks(client).results(_categories):
        if categories is not None:
            found = (
                categories
                if found is None
                else [a | b for a, b in zip(found, categories, strict=True)]
            )
            names = names_of_block
    if found is None:
        raise ValueError("The source has no rows.")
    sorted_categories = [np.array(sorted(values), dtype=object) for values in found]
    encoder = OneHotEncoder(categories=sorted_categories, handle_unknown="ignore")
    row = np.array([[values[0] for values in sorted_categories]], dtype=object)
    return encoder.fit(pd.DataFrame(row, columns=names) if names else row)


def _moments(block):
    X, names = features_of(block.X, None)
    return names, moments(X)


def _categories(block):
    X = block.X
    if not len(block.codes):
        return None, None
    names = list(X.columns) if isinstance(X, pd.DataFrame) else None
    columns = pd.DataFrame(X)
    return names, [set(columns[name].unique()) for name in columns.columns]
