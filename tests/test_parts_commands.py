"""The commands on files as factories export them: what they say, write and refuse."""

import io
import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from skperturb.cli import main
from skperturb.evaluation import compare_classifiers
from skperturb.parts import read_costs

from .conftest import data_file
from .test_parts_dialects import dialects

N = 60
FAST = ["--cv", "1x2", "--estimators", "logistic_regression", "class_frequencies"]


@pytest.fixture(autouse=True)
def without_fits(monkeypatch):
    """The comparison of the class frequencies, under the names of the estimators."""

    def stub(estimators, *arguments, **options):
        return compare_classifiers(
            dict.fromkeys(estimators, DummyClassifier()), *arguments, **options
        )

    monkeypatch.setattr("skperturb.cli._compare.compare_classifiers", stub)


def table(classes=("OK", "NG"), n=N):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "v": rng.normal(size=n).round(2),
            "w": rng.normal(size=n).round(2),
            "defect": [classes[i % len(classes)] for i in rng.permutation(n)],
        }
    )


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run a command on a table: (exit code, output, error)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, parts=None, command="compare", name="parts.csv"):
        content = table() if parts is None else parts
        if isinstance(content, pd.DataFrame):
            content = content.to_csv(index=False)
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        given = [] if "--target" in arguments else ["--target", "defect"]
        fast = FAST if command == "compare" else []
        try:
            code = main([command, name, *given, *fast, *arguments])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


def refused(done):
    """The one sentence of a call that was refused."""
    code, out, err = done
    assert code == 2
    assert out == ""
    (sentence,) = err.splitlines()
    assert sentence.startswith("skperturb: ")
    return sentence


def test_how_the_file_was_read_is_said_in_a_few_lines(run):
    parts = table().astype({"v": str})
    parts.loc[3, "v"] = "-"
    code, _, err = run(parts=parts)
    assert code == 0
    assert "note: column 'v': 1 of 60 values is no number ('-'), read as missing: line 5\n" in err


def test_the_options_of_reading(run, tmp_path):
    parts = table()
    parts["lot"] = np.arange(N) // 5
    parts["made"] = pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d")
    code, out, err = run("--drop", "w", "--categories", "lot", "--time", "made", parts=parts)
    assert code == 0
    assert "60 parts, 2 features" in out
    assert "column 'made' says when a part was made" in err
    _, out, err = run("--numeric", "v", "--encoding", "cp1252", "--keep", "made", parts=parts)
    assert "60 parts, 4 features" in out
    assert "'made' is used as seconds" in err
    assert "did you mean 'defect'?" in refused(run("--target", "Defect"))
    assert "--keep and --target name the same" in refused(run("--keep", "defect"))
    assert "--sheet names a sheet of an Excel file" in refused(run("--sheet", "x"))


def test_several_files(run, tmp_path):
    table().to_csv(tmp_path / "more.csv", index=False)
    run()
    assert main(["compare", "parts.csv", "more.csv", "--target", "defect", *FAST]) == 0


def test_standard_input(monkeypatch, capsys):
    content = io.BytesIO(table().to_csv(index=False).encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=content))
    assert main(["costs-template", "-", "--target", "defect"]) == 0
    assert capsys.readouterr().out == "defect,NG,OK\nNG,0,1\nOK,1,0\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs: '0' is not 1 or more, nor -1"),
        (["--good", "ok"], "--good 'ok' is not a class; the classes are 'NG', 'OK'; did you mean"),
        (["--cv", "10"], "--cv: '10' is not REPEATSxFOLDS such as 5x2"),
        (["--estimators", "logistic_regresion", "perturb_argmax"], "did you mean 'logistic_regr"),
        (["--estimators", "perturb_argmax:uniform", "perturb_argmax"], "use 'perturb_softmax:unif"),
        (["--nope"], "unrecognized arguments: --nope"),
        (["--target", "v"], "different decimal numbers"),
        (["--json", "parts.csv"], "--json parts.csv would overwrite another file"),
    ],
)
def test_messages_speak_of_options(run, arguments, message):
    sentence = refused(run(*arguments))
    assert message in sentence
    assert "n_jobs" not in sentence
    assert "cost_matrix" not in sentence


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--cost", "defect;OK;NG\nOK;0;2,5\n", "--cost table.csv lacks the classes 'NG'"),
        ("--cost", "defect;OK;NG\nOK;0;2,5\nNG;abc;0\n", "table.csv, line 3, column 'OK': 'abc'"),
        (
            "--cost",
            "defect,OK,NG\nOK,0,1\nNg,1,0\n",
            "lacks the classes 'NG'; it has 'Ng', which no part has; did you mean 'Ng'",
        ),
        ("--prevalence", "class,share\nOK,1\n", "--prevalence table.csv lacks the classes 'NG'"),
        ("--prevalence", "class,share\nOK,1\nNG,-1\n", "line 3: the share '-1' is negative"),
    ],
)
def test_tables_are_named_with_option_line_and_column(run, tmp_path, option, content, message):
    (tmp_path / "table.csv").write_text(content)
    assert message in refused(run(option, "table.csv"))


def test_costs_with_decimal_commas_and_shares_in_percent(run, tmp_path):
    (tmp_path / "costs.csv").write_text("defect;OK;NG;\nOK;0;2,5;\n;;;\nNG;\u00a540;-1;\n")
    (tmp_path / "shares.csv").write_text("class;share\nOK;90 %\nNG;20 %\n")
    code, _, err = run("--cost", "costs.csv", "--prevalence", "shares.csv", "--json", "r.json")
    assert code == 0
    assert "1 negative cost" in err
    assert "sum to 1.1; they are scaled" in err
    said = json.loads((tmp_path / "r.json").read_text())
    assert [note["kind"] for note in said["notes"]] == ["negative costs", "shares"]


@pytest.mark.parametrize(
    "classes",
    [
        ("crack", "none", "defect"),
        ("a\nb", "c;d"),
        ('q"', "x,y", "z\tz"),
        ("01", "1"),
        ("inf", "nan"),
    ],
)
def test_the_cost_table_reads_back_as_written(run, tmp_path, classes):
    parts = table(classes)
    code, out, _ = run("--out", "costs.csv", parts=parts, command="costs-template")
    assert (code, out) == (0, "")
    assert (tmp_path / "costs.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    matrix = read_costs(tmp_path / "costs.csv").matrix
    assert matrix.index.tolist() == matrix.columns.tolist() == sorted(classes)
    code, out, _ = run("--cost", "costs.csv", "--json", "r.json", parts=parts)
    assert code == 0
    names = [
        row["estimator"] for row in json.loads((tmp_path / "r.json").read_text())["estimators"]
    ]
    assert not [name for name in names if ".1" in name]


def test_a_cost_table_of_too_many_classes_is_refused(run, tmp_path):
    (tmp_path / "costs.csv").write_text("old")
    parts = table([f"class {i}" for i in range(60)], 300)
    sentence = refused(run("--out", "costs.csv", parts=parts, command="costs-template"))
    assert "60 classes; a cost table is written for at most 50" in sentence
    assert (tmp_path / "costs.csv").read_text() == "old"


def test_classes_with_fewer_parts_than_folds_are_said(run):
    parts = table()
    parts.loc[5, "defect"] = "rare"
    _, _, err = run(parts=parts)
    assert "1 class with fewer parts than folds (2): 'rare (1)'" in err


def test_results_go_through_links_and_keep_modes(run, tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    assert run("--json", "link.json")[0] == 0
    assert link.is_symlink()
    assert json.loads(real.read_text())["estimators"]
    assert real.stat().st_mode & 0o777 == 0o600
    assert run("--json", os.devnull)[0] == 0


def test_names_of_files_that_are_no_utf8(run, tmp_path):
    name = os.fsdecode(b"\x95\x94\x95i.csv")
    code, out, _ = run("--json", "x.json", name=name)
    assert code == 0
    assert "\n\\udc95\\udc94\\udc95i.csv: 60 parts" in out
    assert json.loads((tmp_path / "x.json").read_text())["summary"].startswith("\\udc95")


def test_dialects_give_the_same_comparison(run, tmp_path):
    parts = pd.read_csv(data_file("glass.csv")).rename(columns={"target": "defect"})
    found = set()
    for content in dialects(parts):
        assert run("--json", "r.json", parts=content)[0] == 0
        said = json.loads((tmp_path / "r.json").read_text())
        for row in said["estimators"]:
            del row["fit_seconds"]
        found.add(json.dumps([said["estimators"], said["differences"]]))
    assert len(found) == 1


def test_the_report_says_how_the_file_was_read(run, tmp_path):
    pytest.importorskip("jinja2")
    parts = table().astype({"v": str})
    parts.loc[3, "v"] = "<0.1"
    assert run("--out", "report.html", parts=parts)[0] == 0
    page = (tmp_path / "report.html").read_text()
    section = page[page.index('<section id="reading">') :]
    assert "How the file was read" in section
    assert "is no number (&#39;&lt;0.1&#39;), read as missing: line 5" in section
    assert "skperturb compare parts.csv --target defect" in section


def test_a_large_file_of_many_categories_takes_seconds(run):
    rng = np.random.default_rng(0)
    parts = table(n=4000)
    parts.insert(
        0, "remark", [f"remark {i}" for i in np.r_[np.arange(3200), rng.integers(0, 3200, 800)]]
    )
    code, _, err = run(parts=parts)
    assert code == 0
    assert "column 'remark' has 3200 categories" in err
