"""Transformers of scikit-learn, fitted to blocks."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .._linear import merged_moments, moments
from ._block import check_same_columns, features_of
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
        If the source has no rows, blocks have different columns, or values are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from skperturb.blocks import arrays, standard_scaler
    >>> blocks = [(np.array([[0.0], [1.0]]), ["ok", "dent"]), (np.array([[5.0]]), ["dent"])]
    >>> standard_scaler(arrays(blocks)).mean_
    array([2.])
    """
    found = [one for one in source.using(client=client).blocks().results(_moments) if one]
    if not found:
        raise ValueError("The source has no rows.")
    check_same_columns([columns for columns, _ in found])
    (names, _), _ = found[0]
    n, mean, squares = merged_moments(part for _, part in found)
    wrong = np.flatnonzero(~np.isfinite(mean))
    if wrong.size:
        which = names[wrong[0]] if names else wrong[0]
        raise ValueError(
            f"Column {which} is sparse, or holds values that are missing or infinite: fill these "
            "in first, and scale sparse features with another transformer."
        )
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
        If the source has no rows, blocks have different columns, or categories are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from skperturb.blocks import arrays, one_hot_encoder
    >>> machines = np.array([["M1"], ["M2"]], dtype=object)
    >>> encoder = one_hot_encoder(arrays([(machines, ["ok", "dent"])]))
    >>> encoder.categories_[0].tolist()
    ['M1', 'M2']
    """
    found = [one for one in source.using(client=client).blocks().results(_categories) if one]
    if not found:
        raise ValueError("The source has no rows.")
    check_same_columns([columns for columns, _ in found])
    (names, _), _ = found[0]
    together = [set().union(*sets) for sets in zip(*(sets for _, sets in found), strict=True)]
    for place, values in enumerate(together):
        if any(map(pd.isna, values)) or len(set(map(type, values))) > 1:
            which = names[place] if names else place
            raise ValueError(
                f"Column {which} has missing categories, or such of different types: write a text "
                "in each cell first."
            )
    sorted_categories = [np.array(sorted(values), dtype=object) for values in together]
    encoder = OneHotEncoder(categories=sorted_categories, handle_unknown="ignore")
    row = np.array([[values[0] for values in sorted_categories]], dtype=object)
    return encoder.fit(pd.DataFrame(row, columns=names) if names else row)


def _moments(block):
    if not len(block.codes):
        return None
    X, names = features_of(block.X, None)
    return (names, X.shape[1]), moments(X)


def _categories(block):
    if not len(block.codes):
        return None
    X = pd.DataFrame(block.X)
    names = list(X.columns) if isinstance(block.X, pd.DataFrame) else None
    return (names, X.shape[1]), [set(X[name].unique()) for name in X]
