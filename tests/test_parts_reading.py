"""Files of parts are read as they stand, or refused with a sentence that names the place."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skperturb.parts import preprocessor, rare_class_notes, read_parts

N = 200


@pytest.fixture(scope="module")
def drawn():
    """Two measurements, and a class that the first of them decides."""
    rng = np.random.default_rng(0)
    v, w = rng.normal(size=(2, N))
    return v, w, np.where(v + rng.normal(size=N) / 2 > 0, "OK", "NG")


@pytest.fixture
def read(tmp_path):
    """Read a text as a file of parts."""

    def reader(text, target="defect", encoding="utf-8", **options):
        path = tmp_path / "parts.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return read_parts(path, target, **options)

    return reader


def lines(head, rows, separator=","):
    return "\n".join([head, *(separator.join(map(str, row)) for row in rows)]) + "\n"


@pytest.fixture
def clean(drawn):
    v, w, classes = drawn
    rows = [(f"{a:.3f}", f"{b:.1f}", c) for a, b, c in zip(v, w, classes, strict=True)]
    return lines("v,w,defect", rows)


def kinds(parts):
    return [note.kind for note in parts.notes]


def only_note(parts, kind):
    (note,) = [note for note in parts.notes if note.kind == kind]
    return note


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_all_line_ends(read, clean, end):
    parts = read(clean.replace("\n", end))
    assert parts.notes == ()
    pd.testing.assert_frame_equal(parts.features, read(clean).features)


@pytest.mark.parametrize(
    "units",
    ["mm,bar,text", "Wert,Druck,Fehler", "mm,bar,", "[mm],[bar],[-]", "(mm),(bar),-", ",bar,"],
)
def test_a_row_of_units_is_left_out(read, clean, units):
    parts = read(clean.replace("defect\n", f"defect\n{units}\n", 1))
    note = only_note(parts, "units row")
    assert note.rows == (2,)
    pd.testing.assert_frame_equal(parts.features, read(clean).features)


@pytest.mark.parametrize(
    "cell", ["-", "---", "#DIV/0!", "#N/A", "<0.1", "OL", "OVER", "ERR", "n/a", "?", "1.2.3.4"]
)
def test_a_placeholder_is_missing_and_said(read, clean, cell):
    rows = clean.splitlines()
    rows[5] = f"{cell},1.5,OK"
    parts = read("\n".join(rows))
    assert parts.features.dtypes.tolist() == [float, float]
    assert_array_equal(np.flatnonzero(parts.features["v"].isna()), [4])
    note = only_note(parts, "missing")
    assert (note.column, note.rows) == ("v", (6,))
    assert (
        re.fullmatch(r"column 'v': 1 .* \('(.*)'\), read as missing: line 6", str(note))[1] == cell
    )


@pytest.mark.parametrize("cell", ["", "NA", "NaN", "null", "None"])
def test_words_for_no_value_do_not_count_as_text(read, clean, cell):
    rows = clean.splitlines()
    rows[1:100] = [f"{cell},{row.split(',', 1)[1]}" for row in rows[1:100]]
    parts = read("\n".join(rows))
    assert parts.features["v"].isna().sum() == 99


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("\u22121.5", -1.5),
        ("\u20131.5", -1.5),
        ("\uff11\uff12.\uff15", 12.5),
        ("\u00a01.5\u00a0", 1.5),
        (" 1.5 ", 1.5),
        ("+1.5", 1.5),
        ("1.5e2", 150),
        (".5", 0.5),
        ("1'234.5", 1234.5),
        ("1\u202f234.5", 1234.5),
        ('"1,234.5"', 1234.5),
        ("12.5-", -12.5),
    ],
)
def test_ways_to_write_a_number(read, clean, cell, number):
    rows = clean.splitlines()
    rows[5] = f"{cell},1.5,OK"
    parts = read("\n".join(rows))
    assert parts.features["v"][4] == number
    assert parts.notes == ()


def test_units_are_taken_off_and_said(read, drawn):
    v, w, classes = drawn
    rows = [(f"{a:.2f} mm", f"{b:.1f}%", c) for a, b, c in zip(v, w, classes, strict=True)]
    parts = read(lines("v,w,defect", rows))
    assert_array_equal(parts.features["v"], np.round(v, 2))
    assert [note.column for note in parts.notes if note.kind == "unit"] == ["v", "w"]


def test_units_that_differ_are_refused(read, drawn):
    v, _, classes = drawn
    rows = [
        (f"{a:.2f} {'mm' if i else 'cm'}", c)
        for i, (a, c) in enumerate(zip(v, classes, strict=True))
    ]
    with pytest.raises(ValueError, match=r"mixes units: 'cm' .* 'mm'"):
        read(lines("v,defect", rows))
    assert read(lines("v,defect", rows), numeric=["v"]).features["v"].notna().all()


def test_some_percents_among_plain_numbers_are_refused(read, drawn):
    v, _, classes = drawn
    rows = [
        (f"{a:.2f}{'' if i else '%'}", c) for i, (a, c) in enumerate(zip(v, classes, strict=True))
    ]
    with pytest.raises(ValueError, match=r"1 number with '%' .* and 199 without"):
        read(lines("v,defect", rows))


@pytest.mark.parametrize("share", [0.04, 0.06, 0.3, 0.49, 0.51, 0.9])
def test_mostly_numbers_are_refused_until_it_is_decided(read, drawn, share):
    v, _, classes = drawn
    n_words = round(share * N)
    cells = ["word"] * n_words + [f"{a:.3f}" for a in v[n_words:]]
    text = lines("v,w,defect", zip(cells, v, classes, strict=True))
    if share < 0.05:
        assert read(text).features["v"].isna().sum() == n_words
    elif share <= 0.5:
        with pytest.raises(ValueError, match=rf"{n_words} of its 200 filled cells .*--numeric 'v'"):
            read(text)
    else:
        assert read(text, keep=["v"]).features["v"].dtype == object
    assert read(text, numeric=["v"]).features["v"].isna().sum() == n_words
    assert read(text, categories=["v"]).features["v"].tolist() == cells


def test_a_row_that_lost_a_cell_is_left_out_and_named(read, clean):
    rows = clean.splitlines()
    rows[9] = "0.1,OK"
    parts = read("\n".join(rows))
    assert len(parts.target) == N - 1
    assert only_note(parts, "rows").rows == (10,)
    rows[9] = "0.1,0.2,OK,0.3"
    assert only_note(read("\n".join(rows)), "rows").rows == (10,)
    rows[20:40] = ["0.1,OK"] * 20
    with pytest.raises(ValueError, match="line 10 has 4 cells, the header line 1 has 3"):
        read("\n".join(rows))


def test_rows_without_their_last_cells_are_filled_up(read, drawn):
    v, _, classes = drawn
    rows = [
        (f"{a:.2f}", c, *(["x"] if i % 3 == 0 else []))
        for i, (a, c) in enumerate(zip(v, classes, strict=True))
    ]
    parts = read(lines("v,defect,remark", rows))
    assert len(parts.target) == N
    assert parts.features["remark"].notna().sum() == 67
    assert len(only_note(parts, "short").rows) == 133


def test_a_quote_that_is_not_closed_is_named(read, clean):
    rows = clean.splitlines()
    rows[7] = '"0.1,0.2,OK'
    with pytest.raises(ValueError, match="quote in line 8 that is not closed"):
        read("\n".join(rows))
    rows[7] = clean.splitlines()[7]
    rows[-1] = '0.1,0.2,"OK'
    with pytest.raises(ValueError, match=f"quote in line {N + 1} that is not closed"):
        read("\n".join(rows))


def test_lines_above_and_below_the_table_are_left_out_and_named(read, clean):
    plain = read(clean).features
    for above in ("Machine: M1\nDate: today\n\n", "Machine M1,,\n,,\n", "Report;of the day\n\n\n"):
        parts = read(above + clean)
        assert "line" in str(only_note(parts, "title"))
        pd.testing.assert_frame_equal(parts.features, plain)
    for below in ("Total;200\n", "\nEnd of report\n", "Mean,0.1,\n"):
        parts = read(clean + below)
        assert len(parts.notes) == 1
        pd.testing.assert_frame_equal(parts.features, plain)
    parts = read(clean + clean)
    assert only_note(parts, "header").rows == (N + 2,)
    assert len(parts.target) == 2 * N
    parts = read("sep=;\n" + clean.replace(",", ";"))
    assert parts.notes == ()
    pd.testing.assert_frame_equal(parts.features, plain)


def test_empty_columns_without_a_name_and_spaces_around_names(read, clean):
    spaced = clean.replace("v,w,defect", " v , w,defect ").replace("\n", ",,\n")
    parts = read(spaced)
    assert list(parts.features) == ["v", "w"]
    pd.testing.assert_frame_equal(parts.features, read(clean).features)
    parts = read(
        clean.replace("v,w,defect\n", "v,w,defect,,x\n")
        .replace("K\n", "K,,1\n")
        .replace("G\n", "G,,2\n")
    )
    assert list(parts.features) == ["v", "w", "x"]
    assert "unnamed" in kinds(parts)


def test_more_cells_than_names_are_refused(read, clean):
    with pytest.raises(ValueError, match="more cells than the header"):
        read(clean.replace("v,w,defect", "v,defect"))


def test_dots_between_thousands_in_a_file_of_decimal_commas(read, drawn):
    _, w, classes = drawn
    pressure = np.random.default_rng(1).integers(700, 1400, N)
    dotted = [f"{p:,}".replace(",", ".") for p in pressure]
    commas = [f"{x:.2f}".replace(".", ",") for x in w]
    parts = read(lines("p;w;defect", zip(dotted, commas, classes, strict=True), ";"))
    assert_array_equal(parts.features["p"], pressure)
    assert_array_equal(parts.features["w"], np.round(w, 2))
    assert only_note(parts, "thousands").column == "p"
    # Alone, the numbers below 1000 without a mark tell; the reader says what it took.
    parts = read(lines("p;defect", zip(dotted, classes, strict=True), ";"))
    assert_array_equal(parts.features["p"], pressure)
    assert "is read as a whole number" in str(only_note(parts, "thousands"))


def test_three_decimals_everywhere_may_be_thousands_and_it_is_said(read, drawn):
    _, _, classes = drawn
    values = np.random.default_rng(1).integers(1000, 9000, N)
    for mark, separator in (",", ";"), (",", "\t"), (".", ";"):
        cells = [f"{x // 1000}{mark}{x % 1000:03d}" for x in values]
        parts = read(
            lines(separator.join(["v", "defect"]), zip(cells, classes, strict=True), separator)
        )
        assert only_note(parts, "ambiguous").column == "v"
        assert_array_equal(parts.features["v"], values / 1000)
    cells = [f"{x / 1000:.3f}" for x in values]
    assert read(lines("v,defect", zip(cells, classes, strict=True))).notes == ()


@pytest.mark.parametrize("separator", ["\t", ";", "|", ","])
def test_decimal_commas_wherever_the_separator_is_another_one_or_in_quotes(read, drawn, separator):
    v, w, classes = drawn
    quote = '"' if separator == "," else ""
    rows = [
        (*(quote + f"{x:.1f}".replace(".", ",") + quote for x in (a, b)), c)
        for a, b, c in zip(v, w, classes, strict=True)
    ]
    parts = read(lines(separator.join(["v", "w", "defect"]), rows, separator))
    assert_array_equal(parts.features, np.round(np.column_stack([v, w]), 1))
    assert parts.account() == ["2 columns, such as 'v', are read as numbers with decimal commas"]


def test_row_numbers_are_identifiers_whatever_is_missing(read, drawn):
    _, w, classes = drawn
    rows = [[i, f"{x:.3f}", c] for i, (x, c) in enumerate(zip(w, np.sort(classes), strict=True))]
    rows[30][2] = ""
    numbered = [rows]
    numbered.append([[f"{3 * i + 7}", *row[1:]] for i, row in enumerate(rows)])  # gaps
    numbered.append([[f"{i}.0", *row[1:]] for i, row in enumerate(rows)])
    numbered.append([["" if i % 9 == 0 else i, *row[1:]] for i, row in enumerate(rows)])
    numbered.append([[N - i, *row[1:]] for i, row in enumerate(rows)])
    for some in numbered:
        parts = read(lines("no,w,defect", some))
        assert list(parts.features) == ["w"]
        assert only_note(parts, "identifier").column == "no"
        assert only_note(parts, "unlabelled").rows == (32,)
        assert list(read(lines("no,w,defect", some), keep=["no"]).features) == ["no", "w"]
    shuffled = [[13 * i % N, *row[1:]] for i, row in enumerate(rows)]
    for some in (rows, shuffled):
        assert list(read(lines(",w,defect", some)).features) == ["w"]


def test_texts_that_name_the_parts_are_identifiers(read, drawn):
    v, _, classes = drawn
    rows = [(f"P{i:04d}", f"{a:.2f}", c) for i, (a, c) in enumerate(zip(v, classes, strict=True))]
    assert list(read(lines("serial,v,defect", rows)).features) == ["v"]


def test_numbers_that_are_no_identifiers(read, drawn):
    _, _, classes = drawn
    rng = np.random.default_rng(3)
    distinct = rng.permutation(N)
    sorted_measure = np.sort(rng.normal(size=N))
    parts = read(lines("a,b,defect", zip(distinct, sorted_measure, classes, strict=True)))
    assert list(parts.features) == ["a", "b"]
    assert only_note(parts, "distinct").column == "a"


DATES = [
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %I:%M %p",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%d-%b-%y",
    "%b %d, %Y",
    "%Y\u5e74%m\u6708%d\u65e5",
]


@pytest.mark.parametrize("form", DATES)
def test_dates_are_neither_categories_nor_features(read, drawn, form):
    v, _, classes = drawn
    moments = pd.date_range("2023-11-28 08:05", periods=N, freq="7h")
    rows = [(t.strftime(form), f"{a:.2f}", c) for t, a, c in zip(moments, v, classes, strict=True)]
    text = lines("made,v,defect", rows) if "," not in form else lines("made;v;defect", rows, ";")
    parts = read(text)
    assert list(parts.features) == ["v"]
    assert only_note(parts, "date").column == "made"
    timed = read(text, time="made")
    assert list(timed.features) == ["v"]
    expected = pd.to_datetime(pd.Series([t.strftime(form) for t in moments]), format=form)
    assert_array_equal(
        timed.time.to_numpy("datetime64[us]"),
        expected.dt.tz_localize(None).to_numpy("datetime64[us]"),
    )
    assert only_note(timed, "time").column == "made"
    kept = read(text, keep=["made"])
    assert kept.features["made"].min() == 0
    assert "date as number" in kinds(kept)


@pytest.mark.parametrize(("unit", "name"), [(1, "x"), (1000, "x"), (1, "epoch")])
def test_epochs_are_times(read, drawn, unit, name):
    v, _, classes = drawn
    times = [(1_700_000_000 + 61 * i) * unit for i in range(N)]
    if name == "epoch":
        times = np.random.default_rng(0).permutation(times)
    text = lines(f"{name},v,defect", zip(times, np.round(v, 2), classes, strict=True))
    assert list(read(text).features) == ["v"]
    assert str(read(text, time=name).time.min()) == "2023-11-14 22:13:20"


def test_two_columns_that_know_the_class_are_named(read, drawn):
    v, w, classes = drawn
    disposition = np.where(classes == "OK", "ship", "scrap")
    repair = np.where(classes == "NG", "2.5", "")
    rows = zip(np.round(v, 2), disposition, repair, np.round(w, 2), classes, strict=True)
    text = lines("v,disposition,repair,w,defect", rows)
    parts = read(text)
    assert [note.column for note in parts.notes if note.kind == "leak"] == ["disposition", "repair"]
    assert "--drop 'disposition'" in parts.account()[0]
    assert "leak" not in kinds(read(text, keep=["disposition"], drop=["repair"]))
    sorted_rows = [
        (10 * i + i % 7, x, c) for i, (x, c) in enumerate(zip(w, np.sort(classes), strict=True))
    ]
    assert only_note(read(lines("no,w,defect", sorted_rows), keep=[]), "identifier").column == "no"
    half = [(i // 2, x, c) for i, (x, c) in enumerate(zip(w, np.sort(classes), strict=True))]
    assert only_note(read(lines("pair,w,defect", half)), "leak").column == "pair"


def test_columns_of_chance_in_a_sorted_file_are_no_leaks(read):
    rng = np.random.default_rng(0)
    rows = zip(
        rng.normal(size=500).round(3),
        rng.integers(0, 2, 500),
        rng.choice(["A", "B"], 500),
        np.sort(rng.choice(["ok", "dent", "crack"], 500)),
        strict=True,
    )
    assert read(lines("a,b,c,defect", rows)).notes == ()


def test_classes_whose_names_are_nearly_the_same_are_named(read, drawn):
    v, _, _ = drawn
    names = ["bumps", "\uff22umps", "BUMPS", "ok"]
    parts = read(lines("v,defect", [(a, names[i % 4]) for i, a in enumerate(v)]))
    assert sorted(parts.target.unique()) == sorted(names)
    note = str(only_note(parts, "labels"))
    assert "'bumps' (50)" in note
    assert "'\uff22umps' (50)" in note


def test_classes_with_fewer_parts_than_folds_are_named():
    labels = pd.Series(["ok"] * 30 + ["dent"] * 4 + ["crack"] * 2)
    (note,) = rare_class_notes(labels, 5)
    assert "2 classes with fewer parts than folds (5): 'dent (4)', 'crack (2)'" in str(note)
    assert rare_class_notes(labels, 2) == []


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([f"s{i}" for i in range(N)], "200 different values in 200 rows: it looks like an identif"),
        ([i % 60 for i in range(N)], "60 different numbers: it looks like a measurement"),
        ([i / 7 for i in range(N)], "200 different decimal numbers"),
    ],
)
def test_a_target_that_is_no_class_is_refused(read, drawn, classes, message):
    with pytest.raises(ValueError, match=message):
        read(lines("v,defect", zip(drawn[0], classes, strict=True)))


def test_a_target_of_many_numbers_is_said(read, drawn):
    parts = read(lines("v,defect", [(a, i % 24) for i, a in enumerate(drawn[0])]))
    assert "number with 24 different values" in str(only_note(parts, "target"))


@pytest.mark.parametrize(
    "names",
    [
        ["01", "1"],
        ["NA", "None"],
        ["inf", "1"],
        ["1e400", "2"],
        ["1" * 30, "2" * 30],
        ["True", "False"],
        [str(2**53), str(2**53 + 1)],
        ["1.0", "1"],
        ["1,5", "1.5"],
    ],
)
def test_classes_keep_their_names(read, drawn, names):
    rows = [(f"{a:.2f}", names[i % 2]) for i, a in enumerate(drawn[0])]
    parts = read(lines("v;defect", rows, ";"))
    assert sorted(parts.target.unique()) == sorted(names)


def test_a_text_column_that_is_nearly_empty_does_no_harm(read, drawn):
    v, w, classes = drawn
    rows = [
        ("x" if i == 3 else "", a, b, c)
        for i, (a, b, c) in enumerate(zip(v, w, classes, strict=True))
    ]
    parts = read(lines("remark,v,w,defect", rows))
    model = make_pipeline(preprocessor(), LogisticRegression())
    assert cross_val_score(model, parts.features, parts.target, cv=5).mean() > 0.7


def test_thousands_of_remarks_fit_in_seconds(read):
    rng = np.random.default_rng(0)
    n, texts = 16_000, 12_800
    remarks = np.r_[np.arange(texts), rng.integers(0, texts, n - texts)]
    x = rng.normal(size=n)
    rows = zip(
        (f"remark {i}" for i in remarks), x.round(2), np.where(x > 0, "OK", "NG"), strict=True
    )
    parts = read(lines("remark,v,defect", rows), keep=["v"])
    assert "12800 categories" in str(only_note(parts, "categories"))
    encoded = preprocessor().fit_transform(parts.features)
    assert encoded.shape[1] < 100
    frequent = pd.DataFrame({"remark": np.repeat([f"text {i}" for i in range(2000)], 5)})
    assert preprocessor().fit_transform(frequent).nnz == 10_000
    assert preprocessor(sparse=False).fit_transform(frequent).shape[1] == 50


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_western_encodings(read, drawn, encoding):
    v, _, classes = drawn
    names = {"OK": "gut", "NG": "Sp\u00e4ne"}
    text = lines(
        "W\u00e4rme [\u00b0C];Qualit\u00e4t",
        [(a, names[c]) for a, c in zip(v, classes, strict=True)],
        ";",
    )
    parts = read(text, "Qualit\u00e4t", encoding)
    assert list(parts.features) == ["W\u00e4rme [\u00b0C]"]
    assert sorted(parts.target.unique()) == ["Sp\u00e4ne", "gut"]
    assert kinds(parts) == ([] if encoding.startswith("utf-8") else ["encoding"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp932", "euc_jp", "iso2022_jp"])
def test_japanese_encodings(read, drawn, encoding):
    v, _, classes = drawn
    names = {"OK": "\u826f\u54c1", "NG": "\u5272\u308c"}
    text = lines(
        "\u6e29\u5ea6,\u6b20\u9665", [(a, names[c]) for a, c in zip(v, classes, strict=True)]
    )
    parts = read(text, "\u6b20\u9665", encoding)
    assert list(parts.features) == ["\u6e29\u5ea6"]
    assert set(parts.target) == set(names.values())


def test_the_encoding_that_is_asked_for_is_taken(tmp_path, clean):
    path = tmp_path / "parts.csv"
    path.write_bytes(clean.replace("OK", "\u0141").encode("cp1250"))
    assert "\u0141" in set(read_parts(path, "defect", encoding="cp1250").target)
    with pytest.raises(ValueError, match="is not known"):
        read_parts(path, "defect", encoding="klingon")
    with pytest.raises(ValueError, match="not in the encoding 'ascii': line"):
        read_parts(path, "defect", encoding="ascii")


def test_a_damaged_line_of_utf8_is_named(read, clean):
    rows = clean.replace("OK", "\u00e9t\u00e9").encode().splitlines()
    rows[12] = b"0.1,0.2,\xe9"
    with pytest.raises(ValueError, match="is in UTF-8, but line 13"):
        read(b"\n".join(rows))


def test_roles(read, drawn):
    v, w, classes = drawn
    rows = [
        (f"L{i // 9}", i, abs(b), a, c)
        for i, (a, b, c) in enumerate(zip(v, w, classes, strict=True))
    ]
    text = lines("lot,hour,weight,v,defect", rows)
    parts = read(text, groups="lot", time="hour", weight="weight")
    assert list(parts.features) == ["v"]
    assert parts.groups.nunique() == 23
    assert parts.time.tolist() == list(range(N))
    assert_array_equal(parts.weight, np.abs(w))
    with pytest.raises(ValueError, match="--groups and --target name the same column"):
        read(text, groups="defect")
    with pytest.raises(ValueError, match="--drop and --time name the same column"):
        read(text, time="hour", drop=["hour"])
    with pytest.raises(ValueError, match="no dates, times or numbers"):
        read(text, time="lot")
    with pytest.raises(ValueError, match="no weight from 0 on"):
        read(text, weight="v")
    with pytest.raises(ValueError, match=r"no column 'Defect'.*did you mean 'defect'"):
        read(text, "Defect")
    missing = text.replace("L0,3,", ",3,").replace("L0,4,", "L0,,")
    with pytest.raises(ValueError, match=r"names no lot for 1 part \(line 5\)"):
        read(missing, groups="lot")
    with pytest.raises(ValueError, match=r"no time for 1 part \(line 6\)"):
        read(missing, time="hour")


def test_many_notes_of_a_kind_are_one_line(read, drawn):
    v, _, classes = drawn
    columns, n = range(300), 60
    rows = [
        [
            "-" if (i + k) % 50 == 0 else f"{v[(7 * i + k) % N]:.2f}".replace(".", ",")
            for k in columns
        ]
        + [classes[i]]
        for i in range(n)
    ]
    parts = read(lines(";".join([*(f"c{k}" for k in columns), "defect"]), rows, ";"))
    account = parts.account()
    assert len(account) == 2
    assert account[0].startswith("300 columns, such as 'c0', are read as numbers with decimal")
    assert account[1].startswith("300 columns have cells that are no numbers, 360 in all")


def test_leading_zeros_and_spaces_around_classes_are_said(read, drawn):
    v, _, classes = drawn
    rows = [
        (a, f"{i % 12:02d}", f"{c}{' ' * (i % 2)}")
        for i, (a, c) in enumerate(zip(v, classes, strict=True))
    ]
    parts = read(lines("v,machine,defect", rows))
    assert "leading zeros ('00')" in str(only_note(parts, "codes"))
    assert "spaces around 100 class names" in str(only_note(parts, "spaces"))
    parts = read(lines("v,machine,defect", rows), categories=["machine"])
    assert kinds(parts) == ["spaces"]
    assert parts.features["machine"][1] == "01"


@pytest.mark.parametrize("texts", [["1.2.3", "1.2.4"], ["10.0.0.1", "10.0.0.2"], ["3A", "3B"]])
def test_texts_of_digits_are_no_numbers(read, drawn, texts):
    rows = [(a, texts[i % 2], c) for i, (a, _, c) in enumerate(zip(*drawn, strict=True))]
    parts = read(lines("v,x,defect", rows))
    assert parts.notes == ()
    assert set(parts.features["x"]) == set(texts)


def test_true_and_false_are_numbers(read, drawn):
    v, _, classes = drawn
    rows = [
        (["true", "FALSE", ""][i % 3], a, c)
        for i, (a, c) in enumerate(zip(v, classes, strict=True))
    ]
    values = read(lines("hard,v,defect", rows)).features["hard"]
    assert values.iloc[:2].tolist() == [1, 0]
    assert values.isna().sum() == 66


def test_infinite_numbers_are_refused_by_line(read, clean):
    rows = clean.splitlines()
    rows[5] = "1e305,0.1,OK"
    with pytest.raises(ValueError, match=r"beyond 1e\+100 in line 6"):
        read("\n".join(rows))
