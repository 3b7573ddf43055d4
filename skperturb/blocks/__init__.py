"""Fits from blocks of rows: from Parquet files, on a Dask cluster, or from arrays one by one."""

from ._fit import fit
from ._mixed import fit_preprocessor
from ._prepare import one_hot_encoder, standard_scaler
from ._sources import Source, arrays, dask_frame, parquet

__all__ = [
    "Source",
    "arrays",
    "dask_frame",
    "fit",
    "fit_preprocessor",
    "one_hot_encoder",
    "parquet",
    "standard_scaler",
]
