"""Other files than one CSV: Excel, Parquet, gzip, several files, standard input."""

import datetime
import gzip
import io
import re
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skperturb.parts import BlockReader, account, read_costs, read_parts

N = 60


def frame(seed=0):
    rng = np.random.default_rng(seed)
    v = rng.normal(size=N).round(4)
    return pd.DataFrame(
        {
            "v": v,
            "count": rng.integers(0, 9, N),
            "machine": rng.choice(["A", "B"], N),
            "defect": np.where(v > rng.normal(size=N), "ok", "Sp\u00e4ne"),
        }
    )


def same_as(parts, table):
    assert_array_equal(parts.features["v"], table["v"])
    assert_array_equal(parts.features["count"], table["count"])
    assert parts.features["machine"].tolist() == table["machine"].tolist()
    assert parts.target.tolist() == table["defect"].tolist()


def test_gzip(tmp_path):
    path = tmp_path / "parts.csv.gz"
    frame().to_csv(path, index=False)
    same_as(read_parts(path, "defect"), frame())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="damaged gzip"):
        read_parts(path, "defect")


def test_standard_input(monkeypatch):
    content = io.BytesIO(frame().to_csv(index=False).encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=content))
    parts = read_parts("-", "defect")
    same_as(parts, frame())
    assert parts.source == "standard input"


def test_several_files_with_the_same_columns(tmp_path):
    tables = [frame(0), frame(1)[["machine", "defect", "count", "v"]], frame(2)]
    paths = [tmp_path / f"{name}.csv" for name in "abc"]
    tables[0].to_csv(paths[0], index=False)
    tables[1].to_csv(paths[1], index=False, sep=";", decimal=",", encoding="cp1252")
    tables[2].to_csv(paths[2], index=False, encoding="utf-16")
    parts = read_parts(paths, "defect")
    same_as(parts, pd.concat(tables))
    assert any("b.csv: " in str(note) for note in parts.notes)
    # Each file counts its rows from 0 on.
    for table, path in zip(tables, paths, strict=True):
        table.rename_axis("no").to_csv(path)
    parts = read_parts(paths, "defect")
    assert "no" not in parts.features
    tables[2].drop(columns="count").to_csv(paths[2])
    with pytest.raises(ValueError, match="only one of them has"):
        read_parts(paths, "defect")


def test_a_cell_is_named_with_its_file(tmp_path):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    frame(0).to_csv(paths[0], index=False)
    frame(1).astype({"v": object}).replace({"v": {frame(1)["v"][7]: "-"}}).to_csv(
        paths[1], index=False
    )
    (note,) = read_parts(paths, "defect").notes
    assert str(note).endswith(f"line 9 of {paths[1]}")


@pytest.fixture
def sheet(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")

    def write(rows, *more):
        book = openpyxl.Workbook()
        for page, content in zip(
            [book.active, *map(book.create_sheet, ["b", "c"])], [rows, *more], strict=False
        ):
            for row in content:
                page.append(row)
        for name in ["b", "c"][len(more) :]:
            del book[name]
        path = tmp_path / "parts.xlsx"
        book.save(path)
        return path

    return write


def test_an_excel_sheet(sheet):
    table = frame()
    rows = [list(table), *table.to_numpy(dtype=object).tolist()]
    same_as(read_parts(sheet(rows), "defect"), table)
    rows[3][0] = None
    rows[4][0] = "#DIV/0!"
    titled = [["Line 7"], [], *rows[:1], ["mm", None, None, None], *rows[1:], ["Total", 60]]
    parts = read_parts(sheet(titled), "defect")
    assert [note.kind for note in parts.notes] == ["units row", "title", "unlabelled", "missing"]
    assert parts.notes[-1].rows == (8,)
    assert_array_equal(parts.features["v"][4:], table["v"][4:])


def test_sheets_are_chosen_by_name_or_number(sheet):
    table = frame()
    rows = [list(table), *table.to_numpy(dtype=object).tolist()]
    path = sheet([["about"], ["this"]], rows)
    for name in ("b", 2, "2"):
        same_as(read_parts(path, "defect", sheet=name), table)
    with pytest.raises(ValueError, match="no sheet 'd'; its sheets are 'Sheet', 'b'"):
        read_parts(path, "defect", sheet="d")
    with pytest.raises(ValueError, match="no column 'defect'"):
        read_parts(path, "defect")
    (note,) = [n for n in read_parts(sheet(rows, rows), "defect").notes if n.kind == "sheet"]
    assert "'Sheet' is read, the first of" in str(note)


def test_cells_of_excel_keep_their_types(sheet):
    start = datetime.datetime(2024, 1, 31, 8, 30)
    rows = [["made", "hard", "remark", "x", "class"]]
    for i in range(N):
        rows.append([start + datetime.timedelta(hours=i), i % 2 == 0, "a,b\nc", 0.1 + i % 7, i % 3])
    parts = read_parts(sheet(rows), "class", time="made")
    assert parts.time[1] == pd.Timestamp("2024-01-31 09:30")
    assert parts.features["hard"].tolist()[:2] == [1, 0]
    assert set(parts.features["remark"]) == {"a,b\nc"}
    assert parts.features["x"][3] == 0.1 + 3
    assert sorted(parts.target.unique()) == ["0", "1", "2"]


def test_parquet(tmp_path):
    # An old numpy makes the import fail, which is no lack of the package.
    pytest.importorskip("pyarrow", exc_type=ImportError)
    path = tmp_path / "parts.parquet"
    table = frame()
    table.to_parquet(path)
    same_as(read_parts(path, "defect"), table)
    table["made"] = pd.date_range("2024-01-31", periods=N, freq="h")
    table["id"] = pd.array([2**53 + i for i in range(N)], dtype="Int64")
    table["hard"] = pd.array([True, False, None] * (N // 3), dtype="boolean")
    table["class"] = pd.array([2**53, 2**53 + 1, None] * (N // 3), dtype="Int64")
    table["kind"] = pd.Categorical(["x", "y", None] * (N // 3))
    table.to_parquet(path)
    parts = read_parts(path, "class", time="made")
    assert sorted(parts.target.unique()) == [str(2**53), str(2**53 + 1)]
    assert len(parts.target) == N * 2 // 3
    assert "id" not in parts.features
    assert parts.features["hard"].tolist()[:2] == [1, 0]
    assert parts.features["kind"].tolist()[:2] == ["x", "y"]
    assert parts.time[2] == pd.Timestamp("2024-01-31 03:00")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is a Parquet file that cannot be read"):
        read_parts(path, "class")


@pytest.mark.parametrize(
    ("module", "magic", "extra"),
    [("openpyxl", None, "excel"), ("pyarrow", b"PAR1", "parquet")],
)
def test_extras_that_are_missing_are_named(tmp_path, monkeypatch, module, magic, extra):
    path = tmp_path / "parts"
    if magic:
        path.write_bytes(magic)
    else:
        import zipfile

        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml", "")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"pip install 'skperturb\[{extra}\]'"):
        read_parts(path, "defect")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0rest", "old kind"),
        (b"%PDF-1.4", "a PDF file"),
        (b"PK\x03\x04", "damaged zip archive"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary data"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\n \n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
    ],
)
def test_files_that_hold_no_table(tmp_path, content, message):
    path = tmp_path / "parts.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_parts(path, "defect")


def test_a_file_that_is_not_there(tmp_path):
    frame().to_csv(tmp_path / "parts.csv", index=False)
    with pytest.raises(
        ValueError, match=r"There is no file .*part\.csv; did you mean 'parts\.csv'"
    ):
        read_parts(tmp_path / "part.csv", "defect")
    with pytest.raises(ValueError, match="cannot be read"):
        read_parts(tmp_path, "defect")


def test_costs_in_excel(sheet):
    costs = read_costs(sheet([["defect", "pass", "scrap"], ["ok", 0, 2.5], ["crack", 40, 0]]))
    assert costs.matrix.loc["ok", "scrap"] == 2.5


def merged_book(path, merge=True):
    """Eighty parts of two machines, whose name stands in the first of eight merged cells."""
    openpyxl = pytest.importorskip("openpyxl")
    rng = np.random.default_rng(0)
    book = openpyxl.Workbook()
    page = book.active
    page.append(["mach", "x", "class"])
    for i in range(80):
        machine = i // 8 % 2
        kept = not merge or i % 8 == 0
        bad = rng.random() < (0.8 if machine else 0.1)
        row = [f"M{machine}" if kept else None, float(rng.normal()), "NG" if bad else "OK"]
        page.append(row)
    if merge:
        for start in range(2, 82, 8):
            page.merge_cells(start_row=start, end_row=start + 7, start_column=1, end_column=1)
    book.save(path)


def test_merged_cells_have_the_value_of_the_first(tmp_path):
    merged_book(tmp_path / "plain.xlsx", merge=False)
    merged_book(tmp_path / "merged.xlsx")
    plain = read_parts(tmp_path / "plain.xlsx", "class")
    merged = read_parts(tmp_path / "merged.xlsx", "class")
    pd.testing.assert_frame_equal(merged.features, plain.features)
    notes = [note for note in account(merged.notes) if "merged" in note]
    assert notes == ["merged cells have the value of the first of them: 70, such as A2:A9"]
    # New parts are read likewise.
    reader = BlockReader(tmp_path / "merged.xlsx", merged.columns, known=["class"])
    (block,) = reader.blocks()
    pd.testing.assert_frame_equal(block.features, plain.features)
    assert any(note.kind == "merged" for note in reader.notes)


def test_a_merged_title_above_the_header_stays_one_cell(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    page = book.active
    page.append(["Report of line 3"])
    page.append(["x", "z", "class"])
    page.merge_cells("A1:C1")
    for i in range(30):
        page.append([i / 7, -i / 3, "NG" if i % 3 else "OK"])
    book.save(tmp_path / "title.xlsx")
    parts = read_parts(tmp_path / "title.xlsx", "class")
    assert list(parts.features) == ["x", "z"]
    assert len(parts.target) == 30


def test_formulas_without_a_value_are_said(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    page = book.active
    page.append(["x", "y", "class"])
    for i in range(30):
        page.append([i / 7, f"=A{i + 2}*2", "NG" if i % 3 else "OK"])
    book.save(tmp_path / "formulas.xlsx")
    notes = account(read_parts(tmp_path / "formulas.xlsx", "class").notes)
    assert any("formulas without a stored value are read as empty: 30" in note for note in notes)
    assert any("'=A2*2' in row 2" in note for note in notes)
    # A formula that gives an empty text has a value.
    with (
        zipfile.ZipFile(tmp_path / "formulas.xlsx") as old,
        zipfile.ZipFile(tmp_path / "texts.xlsx", "w") as new,
    ):
        for name in old.namelist():
            content = re.sub(rb'<c r="B(\d+)"><f>', rb'<c r="B\1" t="str"><f>', old.read(name))
            new.writestr(name, content)
    notes = account(read_parts(tmp_path / "texts.xlsx", "class").notes)
    assert not any("formulas" in note for note in notes)


def test_times_of_several_zones_have_the_order_of_utc(tmp_path):
    cells = ["2024-03-01T00:00:00Z", "2024-03-01T01:00:00+09:00", "2024-03-01T02:00:00-05:00"]
    table = pd.DataFrame({"x": np.arange(30) / 7, "at": cells * 10, "class": ["a", "b", "a"] * 10})
    table.to_csv(tmp_path / "zones.csv", index=False)
    times = read_parts(tmp_path / "zones.csv", "class", time="at").time
    expected = pd.to_datetime(cells, utc=True, format="ISO8601").tz_localize(None)
    assert list(pd.DatetimeIndex(times[:3])) == list(expected)


def test_clocks_that_are_put_back_do_not_mix_the_parts(tmp_path):
    pytest.importorskip("pyarrow")
    moments = pd.date_range("2024-10-27", periods=30, freq="20min", tz="UTC")
    table = pd.DataFrame({"x": np.arange(30) / 7, "class": ["a", "b", "a"] * 10})
    table["at"] = moments.tz_convert("Europe/Berlin")
    table.to_parquet(tmp_path / "clock.parquet")
    times = read_parts(tmp_path / "clock.parquet", "class", time="at").time
    assert list(pd.DatetimeIndex(times)) == list(moments.tz_localize(None))


def test_times_without_a_date_are_of_one_day_and_that_is_said(tmp_path):
    clock = pd.date_range("2024-03-01 22:00", periods=30, freq="7min").strftime("%H:%M")
    table = pd.DataFrame({"x": np.arange(30) / 7, "at": clock, "class": ["a", "b", "a"] * 10})
    table.to_csv(tmp_path / "clock.csv", index=False)
    notes = account(read_parts(tmp_path / "clock.csv", "class", time="at").notes)
    assert any("holds times without a date" in note for note in notes)
    table["at"] = pd.date_range("1965-03-01", periods=30, freq="D").strftime("%Y-%m-%d")
    table.to_csv(tmp_path / "old.csv", index=False)
    notes = account(read_parts(tmp_path / "old.csv", "class", time="at").notes)
    assert not any("without a date" in note for note in notes)


def test_a_damaged_sheet_is_one_sentence(tmp_path):
    merged_book(tmp_path / "good.xlsx")
    content = bytearray((tmp_path / "good.xlsx").read_bytes())
    with zipfile.ZipFile(tmp_path / "good.xlsx") as book:
        start = book.getinfo("xl/worksheets/sheet1.xml").header_offset
    for at in range(start + 60, start + 200):
        content[at] ^= 0x5A
    (tmp_path / "bad.xlsx").write_bytes(content)
    with pytest.raises(ValueError, match="is an Excel file that cannot be read"):
        read_parts(tmp_path / "bad.xlsx", "class")


def test_a_class_written_as_1_and_as_1_0_is_one_class(tmp_path):
    table = pd.DataFrame({"x": np.arange(40) / 7, "class": [0, 1, 1, 0] * 10})
    table.to_csv(tmp_path / "a.csv", index=False)
    table["class"] = table["class"].astype(float)
    table.loc[3, "class"] = np.nan
    table.to_csv(tmp_path / "b.csv", index=False)
    parts = read_parts([tmp_path / "a.csv", tmp_path / "b.csv"], "class")
    assert set(parts.target) == {"0", "1"}
    assert not any("spaces" in note for note in account(parts.notes))
    said = "the classes '0.0', '1.0' of 'class' in some files are read as '0', '1'"
    assert any(said in note for note in account(parts.notes))
    # In one file they may mean two things.
    table["class"] = [*["1", "1.0"] * 20]
    table.to_csv(tmp_path / "c.csv", index=False)
    parts = read_parts(tmp_path / "c.csv", "class")
    assert set(parts.target) == {"1", "1.0"}
    assert any("are kept apart" in note for note in account(parts.notes))
