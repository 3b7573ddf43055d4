"""From a CSV of parts to features and labels, and how the features reach a classifier."""

import csv
import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_wine
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.multiclass import type_of_target

# A text column of which this share of the values occurs nowhere else names the parts.
_ID_SHARE = 0.9
_LARGEST = 1e100


@dataclass
class Parts:
    """A table of parts.

    Attributes
    ----------
    name : str
        Where it comes from.
    features : DataFrame
        Numeric columns as float, all others as text; missing values allowed.
    target : Series of str
        The class of each part.
    notes : list of str
        What the user should know of how the table was read.
    """

    name: str
    features: pd.DataFrame
    target: pd.Series
    notes: list


def read_parts(path, target, keep=()):
    """Read a CSV file with one row per part.

    Parameters
    ----------
    path : str or path
        UTF-8 text, separated by commas, semicolons or tabs, with a header line.
    target : str
        The column that holds the class.
    keep : sequence of str, default=()
        Columns to use although they look like an identifier.

    Returns
    -------
    Parts

    Raises
    ------
    ValueError
        If the file or the column cannot be used; one sentence that says why.
    """
    table, notes = _read_table(path, target)
    for column in (target, *keep):
        if column not in table.columns:
            raise ValueError(
                f"{path} has no column {column!r}; its columns are {_listed(table.columns)}."
            )
    labelled = table[target] != ""
    if not labelled.all():
        notes.append(f"left out {(~labelled).sum()} rows that have no value in {target!r}")
        table = table[labelled]
    labels = _labels(table[target], target, path)
    features = table.drop(columns=target)
    ids = [c for c in features if c not in keep and _is_id_like(features[c])]
    for column in ids:
        notes.append(
            f"left out column {column!r}: its values differ from row to row like those of an "
            f"identifier (--keep {column!r} uses it all the same)"
        )
    features = features.drop(columns=ids)
    if features.shape[1] == 0:
        removed = f"; {_listed(ids)} look like identifiers (--keep uses them)" if ids else ""
        raise ValueError(f"{path} has no feature column beside {target!r}{removed}.")
    return Parts(str(path), _typed(features), labels, notes)


def shipped_parts():
    """Data that ship with scikit-learn: 178 wines of three growers, 13 chemical measurements."""
    wine = load_wine(as_frame=True)
    growers = pd.Series(wine.target_names)[wine.target].set_axis(wine.data.index)
    return Parts("wine (ships with scikit-learn)", wine.data, growers, notes=[])


def preprocessor():
    """A transformer for the features of :class:`Parts`.

    Numeric columns: missing values become the median, then mean 0 and standard deviation 1.
    Text columns: one 0/1 column per category; a missing value is a category of its own.
    """
    numeric = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    text = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return make_column_transformer(
        (numeric, make_column_selector(dtype_include=np.number)),
        (text, make_column_selector(dtype_exclude=np.number)),
    )


def _read_table(path, target):
    """The table, its target column as text, and notes on how it was read."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            header = next((line for line in file if line.strip()), "")
        if "\0" in header:
            raise ValueError(f"{path} is not a CSV file: it holds binary data.")
        names, separator = max(
            ((next(csv.reader([header], delimiter=s), []), s) for s in ",;\t"),
            key=lambda found: len(found[0]),
        )
        _check_names(path, names)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            options = {"sep": separator, "encoding": "utf-8-sig", "index_col": False}
            table = pd.read_csv(path, low_memory=False, **options)
            if target in table:
                # As it stands in the file: "None" and "NA" are names of classes there, 01 is not 1.
                text = pd.read_csv(
                    path, usecols=[target], dtype=str, keep_default_na=False, **options
                )
                table[target] = text[target].str.strip()
    except FileNotFoundError:
        raise ValueError(f"There is no file {path}.") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a CSV file in UTF-8; save it as 'CSV UTF-8'.") from None
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path} is empty.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"{path} is not a CSV file, or has rows with more cells than the header: {reason}."
        ) from None
    if table.empty:
        raise ValueError(f"{path} has a header line but no rows.")
    notes = _read_decimal_commas(table, target) if separator == ";" else []
    return table, notes


def _check_names(path, names):
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"{path} has several columns called {repeated[0]!r}; rename them.")


def _read_decimal_commas(table, target):
    """Files that are separated by semicolons often write 1,5 for 1.5."""
    notes = []
    for name in table.columns.drop(target, errors="ignore"):
        column = table[name]
        if is_numeric_dtype(column) or not column.notna().any():
            continue
        text = column.astype(str).str.replace(",", ".", regex=False)
        numbers = pd.to_numeric(text.where(column.notna()), errors="coerce")
        if numbers.notna().equals(column.notna()):
            table[name] = numbers
            notes.append(f"column {name!r} is read as numbers with decimal commas")
    return notes


def _labels(labels, target, path):
    numbers = pd.to_numeric(labels, errors="coerce")
    if numbers.notna().all() and type_of_target(numbers.to_numpy()) == "continuous":
        raise ValueError(
            f"Column {target!r} of {path} holds {labels.nunique()} different decimal numbers; the "
            "target must be a class, such as a defect's name."
        )
    counts = labels.value_counts()
    if len(counts) < 2:
        found = f"only the class {counts.index[0]!r}" if len(counts) else "no value at all"
        raise ValueError(f"Column {target!r} of {path} has {found}; a comparison needs two.")
    if counts.min() < 2:
        raise ValueError(
            f"Class {counts.index[-1]!r} in column {target!r} of {path} has one row, which cannot "
            "be learned from and tested at once; add rows, or merge or leave out the class."
        )
    return labels


def _is_id_like(column):
    """A text column of almost only distinct values, or whole numbers that count the rows."""
    values = column.dropna()
    if len(values) < 10 or is_bool_dtype(column):
        return False
    if is_integer_dtype(column):
        return values.is_unique and int(values.max()) - int(values.min()) + 1 == len(values)
    return not is_numeric_dtype(column) and values.nunique() >= _ID_SHARE * len(values)


def _typed(features):
    """Numbers and truth values as float, the rest as text."""
    columns = {}
    for name, column in features.items():
        if is_numeric_dtype(column):
            columns[name] = column.astype(float)
            if (columns[name].abs() > _LARGEST).any():
                raise ValueError(
                    f"Column {name!r} has infinite values or numbers beyond {_LARGEST:g}; leave "
                    "them empty instead."
                )
        else:
            columns[name] = column.astype(str).astype(object).where(column.notna(), np.nan)
    return pd.DataFrame(columns)


def _listed(names, most=12):
    names = [repr(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
