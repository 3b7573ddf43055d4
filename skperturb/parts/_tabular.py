"""From a CSV of parts to features and labels, and how the features reach a classifier."""

import csv
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

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
_FEWEST = 40
# Names of columns by which parts often come in lots; the Japanese ones: lot, date, serial.
_LOT_LIKE = re.compile(
    r"(^|[_\W])(lot|batch|wafer|coil|serial|date|timestamp|shift)(s|_?(id|no|nr|number))?($|[_\W])"
    "|\u30ed\u30c3\u30c8|\u65e5\u4ed8|\u65e5\u6642|\u30b7\u30ea\u30a2\u30eb|\u88fd\u9020\u756a\u53f7",
    re.IGNORECASE,
)


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
    groups : Series or None
        The lot of each part.
    """

    name: str
    features: pd.DataFrame
    target: pd.Series
    notes: list
    groups: pd.Series | None = None


def read_parts(path, target, keep=(), groups=None):
    """Read a CSV file with one row per part.

    Parameters
    ----------
    path : str or path
        Text in UTF-8 or cp932, separated by commas, semicolons or tabs, with a header line.
    target : str
        The column that holds the class.
    keep : sequence of str, default=()
        Columns to use although they look like an identifier.
    groups : str, default=None
        The column that names the lot of each part.

    Returns
    -------
    Parts

    Raises
    ------
    ValueError
        If the file or the column cannot be used; one sentence that says why.
    """
    if groups == target:
        raise ValueError(f"--groups and --target name the same column, {target!r}.")
    table, notes = _read_table(path, target, groups)
    for column in (target, *keep, *([] if groups is None else [groups])):
        if column not in table.columns:
            raise ValueError(
                f"{path} has no column {column!r}; its columns are {_listed(table.columns)}."
            )
    labelled = table[target] != ""
    if not labelled.all():
        notes.append(f"left out {(~labelled).sum()} rows that have no value in {target!r}")
        table = table[labelled]
    labels = _labels(table[target], target, path)
    features, lots = table.drop(columns=target), None
    if groups is not None:
        lots = features.pop(groups)
        if (lots == "").any():
            raise ValueError(
                f"Column {groups!r} of {path} names no lot for {(lots == '').sum()} parts: fill it "
                "in."
            )
    else:
        suspects = [name for name in features if _LOT_LIKE.search(name)]
        if suspects:
            notes.append(
                f"columns {_listed(suspects)} look like lots, serial numbers or dates: if parts of "
                "one lot resemble each other, the comparison is too sure of itself without "
                f"--groups {suspects[0]!r}"
            )
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
    features = _typed(features)
    if len(labels) < _FEWEST:
        raise ValueError(
            f"{path} has {len(labels)} parts; at least {_FEWEST} are needed for a comparison that "
            "could tell anything."
        )
    return Parts(str(path), features, labels, notes, lots)


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


def _read_table(path, target, groups=None):
    """The table, its target and group columns as text, and notes on how it was read."""
    text = read_text(path)
    names, separator = max(
        ((next(filter(None, csv.reader(StringIO(text), delimiter=s)), []), s) for s in ",;\t"),
        key=lambda found: len(found[0]),
    )
    _check_names(path, names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            options = {"sep": separator, "index_col": False}
            table = pd.read_csv(StringIO(text), low_memory=False, **options)
            # As they stand in the file: "None" and "NA" are names there, 01 is not 1.
            names = [name for name in (target, groups) if name in table]
            labels = pd.read_csv(
                StringIO(text), usecols=names, dtype=str, keep_default_na=False, **options
            )
            for name in names:
                table[name] = labels[name].str.strip()
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path} is empty.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"{path} is not a CSV file, or has rows with more cells than the header: {reason}."
        ) from None
    if table.empty:
        raise ValueError(f"{path} has a header line but no rows.")
    notes = _read_decimal_commas(table, names) if separator == ";" else []
    return table, notes


def read_text(path):
    """The text of a file in UTF-8 or, as Excel in Japan writes it, cp932.

    Raises
    ------
    ValueError
        If there is no such file, or it is no text; one sentence that says why.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"There is no file {path}.") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError(f"{path} is in UTF-16 ('Unicode text'); save it as 'CSV UTF-8'.")
    if b"\0" in content:
        raise ValueError(f"{path} is not a CSV file: it holds binary data.")
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(
        f"{path} is not a CSV file in UTF-8 or cp932 (Shift-JIS); save it as 'CSV UTF-8'."
    )


def _check_names(path, names):
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"{path} has several columns called {repeated[0]!r}; rename them.")


def _read_decimal_commas(table, labels):
    """Files that are separated by semicolons often write 1,5 for 1.5."""
    notes = []
    for name in table.columns.drop(labels):
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


def read_costs(path):
    """A cost matrix: decisions in the header line, classes in the first column.

    Returns
    -------
    DataFrame of str
        As it stands in the file.

    Raises
    ------
    ValueError
        If the file is no such table.
    """
    table = _small_table(path)
    if table.shape[1] < 3:
        raise ValueError(
            f"{path} is no cost table: a column with the classes and one for each of two decisions "
            "at least are needed; 'skperturb costs-template' writes one."
        )
    return table.set_index(table.columns[0])


def read_shares(path):
    """Shares of the classes: the class in the first column, the share in the second.

    Returns
    -------
    Series of str

    Raises
    ------
    ValueError
        If the file is no such table.
    """
    table = _small_table(path)
    if table.shape[1] != 2:
        raise ValueError(f"{path} needs two columns, the class and its share on the line.")
    return table.set_index(table.columns[0]).iloc[:, 0]


def _small_table(path):
    text = read_text(path)
    try:
        table = pd.read_csv(
            StringIO(text), sep=None, engine="python", dtype=str, keep_default_na=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error):
        raise ValueError(f"{path} is empty or not a CSV file.") from None
    return table.apply(lambda column: column.str.strip())
