"""``skperturb predict``: columns checked by name, read as in training, in blocks, with reasons."""

import gzip
import io

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperturb.cli import main
from skperturb.parts import BlockReader, FeatureColumn, _stream, frame_text, read_parts
from skperturb.parts._records import plain_lines
from skperturb.serving import load_model

from .conftest import IDENTITY
from .test_train import COSTS, table_of

pytest.importorskip("skops.io")


def german(table):
    """With decimal commas, a unit, percents and truth values, separated by semicolons."""
    out = pd.DataFrame({"part": [f"P{i:04d}" for i in range(len(table))]})
    out["width"] = [f"{value:.2f} mm".replace(".", ",") for value in table["width"]]
    out["gap"] = [
        "" if np.isnan(value) else f"{value:.4f}".replace(".", ",") for value in table["gap"]
    ]
    out["load"] = [f"{i % 50} %" for i in range(len(table))]
    out["checked"] = np.where(np.arange(len(table)) % 3 > 0, "true", "false")
    out["machine"], out["defect"] = table["machine"], table["defect"]
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    german(table_of()).to_csv(folder / "parts.csv", index=False, sep=";")
    COSTS.to_csv(folder / "costs.csv")
    arguments = ["train", str(folder / "parts.csv"), "--target", "defect"]
    arguments += ["--cost", str(folder / "costs.csv"), "--out", str(folder / "model.skops")]
    assert main(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    """Probabilities of the pipeline for the parts of the training file, by its own reader."""
    parts = read_parts(folder / "parts.csv", "defect")
    return load_model(folder / "model.skops").pipeline.predict_proba(parts.features)


def decisions(path):
    return pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False)


def predict(folder, path, *arguments):
    return main(["predict", str(folder / "model.skops"), str(path), *map(str, arguments)])


def proba_of(table):
    return table[["probability_dent", "probability_ok"]].to_numpy(float)


# --- The same as in training


def test_the_training_file_has_the_probabilities_of_the_pipeline(folder, expected, capsys):
    out = folder / "decisions.csv"
    assert predict(folder, folder / "parts.csv", "--out", out, "--id", "part") == 0
    table = decisions(out)
    assert_allclose(proba_of(table), expected, atol=IDENTITY, rtol=0)
    assert table["line"].tolist() == list(range(2, 122))
    assert table["part"].iloc[3] == "P0003"
    assert_array_equal(table["decision"], COSTS.columns[(expected @ COSTS.to_numpy()).argmin(1)])
    assert table["reason_1"].str.contains(r"^width = \d\d\.\d+ mm: [+-]|^\w+ = |^gap missing").all()
    out, err = capsys.readouterr()
    assert out.startswith("120 parts: ")
    assert "Expected cost per 1000 parts" in out
    # What is as it was in training is not worth a word, but for what the model does not have.
    assert [line for line in err.splitlines() if "no intervals" not in line] == []


FORMS = ["semicolon", "gzip", "utf-16", "sep line", "titles", "points", "order", "quotes", "cp932"]


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_the_file_say_the_same(form, folder, expected, tmp_path, capsys):
    table = german(table_of())
    text = table.to_csv(index=False, sep=";")
    path = tmp_path / "new.csv"
    if form == "gzip":
        path.write_bytes(gzip.compress(text.encode()))
    elif form == "utf-16":
        path.write_text(text, encoding="utf-16")
    elif form == "sep line":
        path.write_text("sep=;\r\n" + text.replace("\n", "\r\n"), newline="")
    elif form == "titles":
        path.write_text(f"Line 3\nexported today\n\n{text}")
    elif form == "points":
        for name in ("width", "gap"):
            table[name] = table[name].str.replace(",", ".")
        path.write_text(table.to_csv(index=False))
    elif form == "order":
        table["comment"] = "x"
        path.write_text(table[table.columns[::-1]].to_csv(index=False, sep=";"))
    elif form == "quotes":
        table["part"] = "a;b\nc"
        path.write_text(table.to_csv(index=False, sep=";"))
    elif form == "cp932":
        table["part"] = "部品の番号"
        path.write_bytes(table.to_csv(index=False, sep=";").encode("cp932"))
    else:
        path.write_text(text)
    assert predict(folder, path, "--out", tmp_path / "out.csv") == 0
    assert_allclose(proba_of(decisions(tmp_path / "out.csv")), expected, atol=IDENTITY, rtol=0)
    err = capsys.readouterr().err
    assert ("in training with ','" in err) == (form == "points")
    assert ("2 columns that the model does not know are ignored: 'comment', 'part'" in err) == (
        form == "order"
    )


def test_parquet_and_excel_say_the_same(folder, expected, tmp_path):
    table = german(table_of())
    table["gap"] = pd.to_numeric(table["gap"].str.replace(",", "."))
    table["checked"] = table["checked"] == "true"
    table.to_parquet(tmp_path / "new.parquet")
    table.to_excel(tmp_path / "new.xlsx", index=False)
    for name in ("new.parquet", "new.xlsx"):
        assert predict(folder, tmp_path / name, "--out", tmp_path / "out.csv") == 0
        assert_allclose(proba_of(decisions(tmp_path / "out.csv")), expected, atol=IDENTITY, rtol=0)


def test_standard_input_and_output(folder, expected, monkeypatch, capsys):
    class Standard:
        buffer = io.BytesIO((folder / "parts.csv").read_bytes())

    monkeypatch.setattr("sys.stdin", Standard)
    assert predict(folder, "-") == 0
    out, err = capsys.readouterr()
    assert_allclose(proba_of(pd.read_csv(io.StringIO(out))), expected, atol=IDENTITY, rtol=0)
    assert "120 parts: " in err


def test_one_part_at_a_time_says_the_same(folder, expected, tmp_path):
    header, *lines = (folder / "parts.csv").read_text().splitlines()
    for place in (0, 7, 50):
        (tmp_path / "one.csv").write_text(f"{header}\n{lines[place]}\n")
        assert predict(folder, tmp_path / "one.csv", "--out", tmp_path / "out.csv") == 0
        found = proba_of(decisions(tmp_path / "out.csv"))
        assert_allclose(found, expected[[place]], atol=IDENTITY, rtol=0)


@pytest.mark.parametrize("quoted", [False, True])
def test_small_blocks_say_the_same(quoted, folder, expected, tmp_path, monkeypatch):
    for name, size in (("_HEAD", 900), ("_PIECE", 301), ("_BLOCK", 700), ("_REST", 50)):
        monkeypatch.setattr(_stream, name, size)
    table = german(table_of())
    if quoted:
        table["part"] = [f'P "{i}"\n;' for i in range(len(table))]
    text = table.to_csv(index=False, sep=";").replace("\n", "\r\n")
    (tmp_path / "new.csv").write_text(text + "\r\n\r\n", newline="")
    assert predict(folder, tmp_path / "new.csv", "--out", tmp_path / "out.csv") == 0
    found = decisions(tmp_path / "out.csv")
    assert_allclose(proba_of(found), expected, atol=IDENTITY, rtol=0)
    lines = 1 + quoted
    assert found["line"].tolist() == list(range(2, 2 + lines * 120, lines))


def test_plain_lines_are_those_that_a_loop_finds():
    rng = np.random.default_rng(0)
    for separator in ";,\t|":
        letters = np.array([*f"a1 {separator}\né"])
        for _ in range(300):
            text = "".join(rng.choice(letters, rng.integers(0, 40)))
            width = int(rng.integers(1, 4))
            by_hand = [
                all(cell and cell == cell.strip(" ") for cell in line.split(separator))
                and line.count(separator) == width - 1
                for line in text.split("\n")
            ]
            assert plain_lines(text, separator, width).tolist() == by_hand, (text, width)


def test_a_table_is_written_as_pandas_writes_it():
    table = pd.DataFrame({"a": [1.5, np.nan, 1 / 3], "b": ["x", 'y,"z', None], "c,d": [1, 2, 3]})
    expected = table.to_csv(index=False, lineterminator="\n", float_format="%.13g")
    assert frame_text(table) == expected


# --- Columns that are not what they were: one sentence


def changed(name, values):
    def change(table):
        table[name] = values(table[name])
        return table

    return change


REFUSED = {
    "missing": (lambda t: t.drop(columns="gap"), "has no column 'gap'"),
    "renamed": (
        lambda t: t.rename(columns={"width": "Width [mm]"}),
        "has no column 'width', which the model needs (4 of the 5 that are needed are there); "
        "did you mean 'Width [mm]'?",
    ),
    "all renamed": (
        lambda t: t.set_axis([f"v{i}" for i in range(t.shape[1])], axis=1),
        "none of the columns 'width', 'gap', 'load', 'checked', 'machine'",
    ),
    "twice": (lambda t: pd.concat([t, t[["gap"]]], axis=1), "several columns called 'gap'"),
    "words": (changed("gap", lambda c: "wide"), "'gap' held numbers in training"),
    "truth": (changed("checked", lambda c: "perhaps"), "'checked' held true and false in training"),
    "numbers": (
        changed("machine", lambda c: [f"{i / 7:.3f}" for i in range(len(c))]),
        "'machine' held categories such as",
    ),
    "other unit": (
        changed("width", lambda c: c.str.replace("mm", "cm")),
        "'width' held numbers with 'mm' in training, and holds",
    ),
    "no percent": (changed("load", lambda c: c.str.rstrip(" %")), "'load' held numbers with '%'"),
    "percent": (changed("gap", lambda c: c + " %"), "'gap' held numbers without a unit"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_another_column_is_one_sentence(case, folder, tmp_path, capsys):
    change, said = REFUSED[case]
    path, out = tmp_path / "new.csv", tmp_path / "out.csv"
    path.write_text(change(german(table_of())).to_csv(index=False, sep=";"))
    assert predict(folder, path, "--out", out) == 2
    stdout, err = capsys.readouterr()
    assert not stdout
    assert not out.exists()
    assert err.count("\n") == 1
    assert said in err


def test_a_retyped_column_far_below_leaves_no_file(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_stream, "_BLOCK", 1000)
    monkeypatch.setattr(_stream, "_REST", 10)
    table = german(table_of())
    table.loc[80:, "gap"] = "wide"
    (tmp_path / "new.csv").write_text(table.to_csv(index=False, sep=";"))
    (tmp_path / "out.csv").write_text("old")
    assert predict(folder, tmp_path / "new.csv", "--out", tmp_path / "out.csv") == 2
    assert (tmp_path / "out.csv").read_text() == "old"
    assert "in line 8" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 2


def test_other_arguments_that_cannot_be(folder, tmp_path, capsys):
    cases = {
        ("nowhere.csv",): "There is no file nowhere.csv",
        (folder / "parts.csv", "--id", "lott"): "has no column 'lott'",
        (folder / "parts.csv", "--out", "x.xlsx"): "must end with .csv",
        (folder / "parts.csv", "--out", folder / "parts.csv"): "would overwrite",
    }
    for arguments, said in cases.items():
        assert predict(folder, *arguments) == 2
        assert said in capsys.readouterr().err
    assert main(["predict", str(folder / "none.skops"), str(folder / "parts.csv")]) == 2
    assert "There is no file" in capsys.readouterr().err


# --- What is said, with a count and an example


def test_what_is_new_is_counted_with_an_example(folder, tmp_path, capsys):
    table = german(table_of())
    table.loc[[4, 9], "machine"] = "Z"
    table.loc[3, "width"] = "999,00 mm"
    table.loc[5, "width"] = ""
    table.loc[6, "gap"] = "ERR"
    (tmp_path / "new.csv").write_text(table.to_csv(index=False, sep=";"))
    assert predict(folder, tmp_path / "new.csv", "--out", tmp_path / "out.csv") == 0
    err = capsys.readouterr().err
    assert "column 'machine': 2 cells with a category that training did not have" in err
    assert "such as 'Z' in line 6" in err
    assert "column 'width': 1 cell outside the range of training" in err
    assert "such as '999,00 mm' in line 5" in err
    assert (
        "column 'width': 1 cell without a value, the first in line 7; in training there was none"
        in err
    )
    assert "column 'gap': 1 cell that cannot be read, such as 'ERR' in line 8" in err
    unlike = decisions(tmp_path / "out.csv").query("unlike == 'yes'")["line"]
    assert {5, 6, 11} <= set(unlike)
    assert len(unlike) <= 5


def test_dates_are_counted_from_those_of_the_training(tmp_path):
    n = 60
    table = pd.DataFrame({"x": np.arange(n) % 7, "y": np.where(np.arange(n) % 3, "ok", "bad")})
    table["made"] = pd.date_range("2024-03-01", periods=n).strftime("%d.%m.%Y")
    table["epoch"] = 1_700_000_000 + 3600 * np.arange(n)
    table.to_csv(tmp_path / "parts.csv", index=False)
    parts = read_parts(tmp_path / "parts.csv", "y", keep=["made", "epoch"])
    table[10:].to_csv(tmp_path / "new.csv", index=False)
    columns = [FeatureColumn.from_dict(column.to_dict()) for column in parts.columns]
    assert tuple(columns) == parts.columns
    blocks = list(BlockReader(tmp_path / "new.csv", columns).blocks())
    again = pd.concat([block.features for block in blocks])
    pd.testing.assert_frame_equal(again, parts.features[10:].reset_index(drop=True))
