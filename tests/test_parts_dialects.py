"""Tables of known content, written in every dialect: read back exactly, or refused, or doubted."""

import csv
import io
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skperturb.parts import read_costs, read_parts

from .conftest import data_file

SHARED = {
    "steel_plates_faults": {},
    "injection_molding_measured_only": {},
    "secom_207": {"date": 1, "time order": 1},
    "ai4i2020_modes": {},
    "wine_quality": {},
    "glass": {},
    "vehicle": {},
    "letter": {},
    "vowel": {"labels": 5},  # hid and hId are two vowels
}


def written(value, decimal=".", group=""):
    """A number as its shortest digits with these marks."""
    text = f"{value:,}" if group else f"{value}"
    return text.translate(str.maketrans({",": group, ".": decimal}))


def as_text(rows, separator=",", end="\n", quote_all=False):
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue()


MARKS = [(".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", "\u00a0"), (",", " ")]
WORDS = {
    "utf-8": ["ok", "\u00dcberma\u00df", "\u826f\u54c1", "crack, deep", 'a "b"', "01"],
    "utf-8-sig": ["ok", "\u00dcberma\u00df", "\u5272\u308c", "a;b"],
    "utf-16": ["ok", "\u00dcberma\u00df", "\u826f\u54c1"],
    "cp1252": ["ok", "\u00dcberma\u00df", "Sp\u00e4ne", "ray\u00e9"],
    "cp932": ["ok", "\u826f\u54c1", "\u5272\u308c", "\uff77\uff7d\uff9e"],
    "euc_jp": ["ok", "\u826f\u54c1", "\u5272\u308c"],
}


@st.composite
def exports(draw):
    """A table of parts, and its bytes in some dialect."""
    n = draw(st.integers(40, 60))
    decimal, group = draw(st.sampled_from(MARKS))
    separator = draw(st.sampled_from(",;\t|"))
    encoding = draw(st.sampled_from(list(WORDS)))
    if "\u00a0" in group and encoding in ("cp932", "euc_jp"):
        group = ""
    words = WORDS[encoding]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = {}
    for k in range(draw(st.integers(1, 4))):
        digits = draw(st.integers(0, 5))
        scale = 10.0 ** draw(st.integers(-2, 5))
        values = (rng.normal(size=n) * scale).round(digits)
        columns[f"c{k}"] = [int(x) for x in values] if digits == 0 else values.tolist()
        if draw(st.booleans()):
            for i in rng.integers(0, n, 3):
                columns[f"c{k}"][i] = None
    whole = all(x is None or isinstance(x, int) for column in columns.values() for x in column)
    if separator == "," and group == "." and whole:
        # Nothing in such a file tells "12.573" from three decimals, and commas between cells do.
        group = ""
    columns["kind"] = rng.choice(words[:2], n).tolist()
    columns["class"] = [words[i % len(words)] for i in range(n)]
    cells = [
        ["" if v is None else v if isinstance(v, str) else written(v, decimal, group) for v in row]
        for row in zip(*columns.values(), strict=True)
    ]
    rows = [list(columns), *cells]
    if draw(st.booleans()):
        rows[1:1] = [["mm"] * (len(columns) - 2) + ["", ""]]
    if draw(st.booleans()):
        rows[:0] = [["Line 7"], []]
    if draw(st.booleans()):
        rows += [[], ["end of file"]]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    content = as_text(rows, separator, end, quote_all=draw(st.booleans())).encode(encoding)
    return columns, content


@given(exports())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_dialect_reads_back(tmp_path_factory, export):
    columns, content = export
    path = tmp_path_factory.mktemp("export") / "parts.csv"
    path.write_bytes(content)
    names = [name for name in columns if name not in ("class",)]
    parts = read_parts(path, "class", keep=names)
    assert parts.target.tolist() == columns["class"]
    assert parts.features["kind"].tolist() == columns["kind"]
    doubted = {note.column for note in parts.notes if note.kind in ("ambiguous", "thousands")}
    for name in names[:-1]:
        expected = np.array([np.nan if x is None else x for x in columns[name]], dtype=float)
        if name not in doubted:
            np.testing.assert_array_equal(parts.features[name], expected)


def dialects(table):
    """Eight ways to write a table."""
    numeric = table.select_dtypes("number").columns
    for separator, decimal, group, encoding, end in [
        (",", ".", "", "utf-8", "\n"),
        (";", ",", "", "cp1252", "\r\n"),
        ("\t", ",", "", "utf-16", "\n"),
        (";", ",", ".", "utf-8-sig", "\r\n"),
        (";", ".", ",", "cp932", "\n"),
        ("\t", ".", "'", "utf-8", "\r"),
        (",", ",", "", "euc_jp", "\n"),
        ("|", ",", "\u202f", "utf-8", "\n"),
    ]:
        cells = table.astype(object).where(table.notna(), "")
        for name in numeric:
            cells[name] = [x if x == "" else written(x, decimal, group) for x in cells[name]]
        rows = [list(table), *cells.to_numpy().tolist()]
        yield as_text(rows, separator, end).encode(encoding)


def check_dialects(table, path):
    first = None
    for content in dialects(table):
        path.write_bytes(content)
        parts = read_parts(path, "target")
        first = first or parts
        pd.testing.assert_frame_equal(parts.features, first.features, check_exact=True)
        assert parts.target.tolist() == first.target.tolist()


@pytest.mark.parametrize("name", SHARED)
def test_shared_data_read_alike_in_eight_dialects(name, tmp_path):
    table = pd.read_csv(data_file(f"{name}.csv"))
    some = [*table.columns[:15].drop("target", errors="ignore"), "target"]
    check_dialects(table.loc[:: max(1, len(table) // 120), some], tmp_path / "parts.csv")


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_shared_data_read_alike_in_eight_dialects_whole(name, tmp_path):
    check_dialects(pd.read_csv(data_file(f"{name}.csv")), tmp_path / "parts.csv")


@pytest.mark.parametrize("name", SHARED)
def test_shared_data_are_read_without_a_wrong_note(name):
    path = data_file(f"{name}.csv")
    parts = read_parts(path, "target")
    kinds = [note.kind for note in parts.notes]
    assert {kind: kinds.count(kind) for kind in kinds} == SHARED[name]
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert parts.target.tolist() == table["target"].tolist()
    for column in parts.features:
        cells = table[column]
        if parts.features[column].dtype == float:
            cells = [float(cell) if cell else np.nan for cell in cells]
        np.testing.assert_array_equal(parts.features[column], cells)


SEEDS = [
    b"v,w,defect\n"
    + b"".join(b"%d.5,%d,%s\n" % (i % 7, i * i % 11, [b"ok", b"dent"][i % 2]) for i in range(50)),
    "sep=;\nDruck;W\u00e4rme [\u00b0C];Fehler\n;\u00b0C;\n".encode("cp1252")
    + b"".join(b"1.%03d;%d,25;%s\n" % (i, i % 9, [b"gut", b"Sp\xe4ne"][i % 2]) for i in range(50)),
    "\u65e5\u6642,\u6e29\u5ea6,\u5224\u5b9a\r\n".encode("cp932")
    + b"".join(
        b"2024/01/%02d 10:00,%d.5,%s\r\n"
        % (i % 28 + 1, i % 9, ["\u826f", "\u5272\u308c"][i % 2].encode("cp932"))
        for i in range(50)
    ),
    (
        'no,"remark, long",x,class\n'
        + "".join(f'{i},"a ""b"", {i}",{i % 5} mm,c{i % 3}\n' for i in range(50))
    ).encode("utf-16"),
]
TARGETS = ["defect", "Fehler", "\u5224\u5b9a", "class"]
JUNK = [
    b'"',
    b",",
    b";",
    b"\n",
    b"\r",
    b"\t",
    b"\0",
    b"\xff",
    b"\x1a",
    b"-",
    b".",
    b"\xe4",
    b"\x82",
    b"1e999",
    b"#DIV/0!",
    b"=1+1",
    b"\xef\xbb\xbf",
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"\xe2\x88\x92",
    b"'",
]


def mutated(content, rng):
    content = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(0, len(content) + 1))
        kind = rng.integers(0, 6)
        if kind == 0:
            content[at:at] = JUNK[rng.integers(len(JUNK))]
        elif kind == 1:
            del content[at : at + int(rng.integers(1, 40))]
        elif kind == 2 and at < len(content):
            content[at] = rng.integers(0, 256)
        elif kind == 3:
            start = int(rng.integers(0, len(content) + 1))
            content[at:at] = content[start : start + int(rng.integers(1, 200))]
        elif kind == 4:
            old, new = (JUNK[rng.integers(len(JUNK))] for _ in range(2))
            content = bytearray(bytes(content).replace(old, new))
        else:
            del content[at:]
        if not content:
            break
    return bytes(content)


def survive(path, n, seed):
    """Read mutated exports: each is a table, or refused with one sentence."""
    rng = np.random.default_rng(seed)
    read = 0
    for _ in range(n):
        which = int(rng.integers(len(SEEDS)))
        content = mutated(SEEDS[which], rng)
        path.write_bytes(content)
        for reader in (lambda: read_parts(path, TARGETS[which]), lambda: read_costs(path)):  # noqa: B023
            sentence = said_by(reader)
            read += sentence is None
            assert sentence is None or (len(sentence) < 4000 and sentence[-1] in ".?"), content
    return read


def said_by(reader):
    """The sentence by which a file is refused, None if it is read."""
    try:
        reader()
    except ValueError as refusal:
        return f"{refusal}" if type(refusal) is ValueError else f"{refusal!r}: no sentence"
    return None


def test_mutated_exports_are_read_or_refused(tmp_path):
    assert survive(tmp_path / "parts.csv", 200, 0) > 50


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_ten_thousand_mutated_exports_are_read_or_refused(tmp_path, seed):
    assert survive(tmp_path / "parts.csv", 1000, seed) > 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        b",",
        b'"',
        b'",',
        b"a,b\n",
        b"1;2\n",
        b'"a\n',
        b"\x82",
        b"1 mm,",
        b"x\ty\n\n",
        b"01/02/2020,a\n",
    ],
)
def test_a_megabyte_takes_less_than_ten_seconds(tmp_path, unit):
    path = tmp_path / "parts.csv"
    for head in (b"", b"v,defect\n", b'v,"defect'):
        path.write_bytes(head + unit * (1_000_000 // len(unit)))
        start = time.process_time()
        said_by(lambda: read_parts(path, "defect"))
        assert time.process_time() - start < 10
