import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb.cli import ESTIMATORS, main

from .conftest import data_file

QUICK = ["--estimators", "logistic_regression", "class_frequencies"]


def parts(n=60, seed=0):
    rng = np.random.default_rng(seed)
    thickness = rng.normal(10, 1, n)
    frame = pd.DataFrame(
        {
            "serial": [f"P{i:04d}" for i in range(n)],
            "row": np.arange(100, 100 + n),
            "thickness": thickness,
            "count": rng.integers(0, 4, n),
            "hardened": rng.random(n) < 0.5,
            "machine": rng.choice(["A", "B"], n),
            "empty": np.nan,
            "defect": np.where(thickness + rng.normal(0, 0.5, n) > 10, "ok", "crack"),
        }
    )
    frame.loc[::7, ["thickness"]] = np.nan
    frame.loc[::9, "machine"] = None
    return frame


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "parts.csv"
    parts().to_csv(path, index=False)
    return path


def test_without_a_file_it_compares_on_data_that_ship_with_scikit_learn(capsys):
    assert main(["compare", "--cv", "1x2"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("wine (ships with scikit-learn): 178 parts, 13 features, 3 classes")
    assert [line.split()[0] for line in lines[3:8]] == list(ESTIMATORS)
    assert lines[3].endswith("baseline")
    assert "fits done" in err


def test_a_csv_of_parts(csv, capsys):
    assert main(["compare", str(csv), "--target", "defect", *QUICK]) == 0
    out, err = capsys.readouterr()
    assert "60 parts, 5 features, 2 classes; 5 x 2-fold" in out
    for column in ("serial", "row"):
        assert f"left out column '{column}'" in err
    assert "thickness" not in err
    assert "+" in out.splitlines()[4]


def test_keep_uses_a_column_all_the_same(csv, capsys):
    arguments = ["compare", str(csv), "--target", "defect", "--keep", "serial", "row", *QUICK]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "60 parts, 7 features" in out
    assert "left out" not in err


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_byte_order_marks(tmp_path, capsys, separator):
    path = tmp_path / "excel.csv"
    parts().to_csv(path, index=False, sep=separator, encoding="utf-8-sig")
    assert main(["compare", str(path), "--target", "defect", *QUICK]) == 0
    assert "5 features" in capsys.readouterr().out


def run_on(content, tmp_path, capsys, *more):
    path = tmp_path / "parts.csv"
    path.write_text(content, encoding="utf-8")
    assert main(["compare", str(path), "--target", "defect", *QUICK, "--cv", "1x2", *more]) == 0
    return capsys.readouterr()


def test_names_of_classes_are_taken_as_they_stand(tmp_path, capsys):
    rows = [f"{i % 7},{name}" for i, name in enumerate(["None", "NA", "01", "1"] * 8)]
    out, err = run_on("a,defect\n" + "\n".join(rows), tmp_path, capsys)
    assert "32 parts, 1 features, 4 classes" in out
    assert "left out" not in err


def test_decimal_commas(tmp_path, capsys):
    rows = [f"{i},{i % 10};{'ok' if i % 2 else 'crack'}" for i in range(40)]
    out, err = run_on("a;defect\n" + "\n".join(rows), tmp_path, capsys)
    assert "1 features" in out
    assert "'a' is read as numbers with decimal commas" in err


def test_quoted_separators_in_the_header_and_blank_lines(tmp_path, capsys):
    rows = [f"{i * i % 13};{'ok' if i % 2 else 'crack'}" for i in range(40)]
    out, _ = run_on('\n"Temp, C, x";defect\n' + "\n".join(rows), tmp_path, capsys)
    assert "40 parts, 1 features" in out


def test_gradient_boosting_takes_a_class_of_two_rows_among_many(tmp_path, capsys):
    rows = [f"{i % 11},{'ok' if i % 3 else 'crack'}" for i in range(21_000)]
    rows += ["1,rare", "2,rare"]
    names = ["--estimators", "class_frequencies", "gradient_boosting"]
    out, _ = run_on("a,defect\n" + "\n".join(rows), tmp_path, capsys, *names)
    assert "3 classes" in out


def test_rows_without_a_class_are_left_out_and_named(tmp_path, capsys):
    frame = parts()
    frame.loc[:4, "defect"] = None
    frame.to_csv(tmp_path / "parts.csv", index=False)
    assert main(["compare", str(tmp_path / "parts.csv"), "--target", "defect", *QUICK]) == 0
    out, err = capsys.readouterr()
    assert "55 parts" in out
    assert "left out 5 rows that have no value in 'defect'" in err


def test_json_holds_what_the_table_shows(csv, tmp_path, capsys):
    path = tmp_path / "result.json"
    names = ["perturb_argmax:logistic", "perturb_softmax", "logistic_regression"]
    arguments = ["compare", str(csv), "--target", "defect", "--json", str(path), "--estimators"]
    assert main([*arguments, *names]) == 0
    out = capsys.readouterr().out
    result = json.loads(path.read_text())
    assert result["baseline"] == names[0]
    assert [row["estimator"] for row in result["estimators"]] == names
    assert len(result["differences"]) == 6
    for row, line in zip(result["estimators"], out.splitlines()[3:6], strict=True):
        assert line.split()[:4] == [
            row["estimator"],
            *(f"{row[metric]:.4f}" for metric in ("log_loss", "brier", "accuracy")),
        ]
    first = next(row for row in result["differences"] if row["metric"] == "log_loss")
    assert f"[{first['ci_low']:+.4f}, {first['ci_high']:+.4f}]" in out.splitlines()[4]


def test_the_seed_decides_the_folds(csv, capsys):
    outputs = []
    for seed in ("0", "0", "1"):
        main(["compare", str(csv), "--target", "defect", "--seed", seed, *QUICK])
        table = capsys.readouterr().out.splitlines()[3]
        outputs.append(table.split()[:4])
    assert outputs[0] == outputs[1] != outputs[2]


def test_fits_that_do_not_converge_are_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(ESTIMATORS, "logistic_regression", lambda: LogisticRegression(max_iter=1))
    assert main(["compare", "--cv", "1x2", *QUICK]) == 0
    err = capsys.readouterr().err
    assert "note: logistic_regression, 2 of 2 fits: ConvergenceWarning" in err


def refused(arguments, capsys):
    """The one sentence on standard error of a call that must end with exit code 2."""
    try:
        code = main(["compare", *arguments])
    except SystemExit as stop:  # argparse
        code = stop.code
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"thickness,defect\n", "no rows"),
        (b"thickness,colour\n1,red\n", "no column 'defect'; its columns are 'thickness', 'colour'"),
        (b"thickness,defect\n1,ok\n2,ok\n3,ok\n", "only the class 'ok'"),
        (b"thickness,defect\n1,\n2,\n", "no value at all"),
        (b"thickness,defect\n1,ok\n2,ok\n3,crack\n", "Class 'crack' .* has one row"),
        (b"thickness,defect\n1,0.5\n2,0.7\n3,0.9\n", "different decimal numbers"),
        (b"defect\nok\nok\ncrack\ncrack\n", "no feature column"),
        (b"a,defect\ninf,ok\n1,ok\n2,crack\n3,crack\n", "infinite"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "not a CSV file"),
        (b"a,defect\n1,ok,3,4\n2,ok\n1,crack,3,4,5,6\n", "not a CSV file"),
        (b"{}\x00\x01", "not a CSV file"),
        (b"a,defect\nx,ok,ok,ok\ny,no,no,no\n", "more cells than the header"),
        (b"a,defect,defect\n1,ok,ok\n", "several columns called 'defect'"),
        (b"a,defect\n1e305,ok\n1,ok\n2,crack\n3,crack\n", "beyond 1e"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, capsys, content, message):
    path = tmp_path / "parts.csv"
    path.write_bytes(content)
    err = refused([str(path), "--target", "defect"], capsys)
    assert err.startswith("skperturb: ")
    assert err.count("\n") == 1
    assert re.search(message, err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv", "--target", "defect"], "There is no file nowhere.csv"),
        ([".", "--target", "defect"], "cannot be read"),
        (["nowhere.csv"], "--target COLUMN"),
        (["--target", "defect"], "no file is given"),
        (["--keep", "serial"], "no file is given"),
        (["--estimators", "logistic_regression:", "perturb_argmax"], "is no estimator"),
        (["--estimators", "svm", "logistic_regression"], "'svm' is no estimator"),
        (["--estimators", "logistic_regression"], "two different names"),
        (["--estimators", "perturb_argmax:normal", "class_frequencies"], "not known"),
        (["--estimators", "class_frequencies:logistic", "perturb_argmax"], "is no estimator"),
        (["--cv", "5x1"], "not REPEATSxFOLDS"),
        (["--cv", "ten"], "not REPEATSxFOLDS"),
        (["--cv", "1x100", *QUICK], "use fewer folds"),
        (["--seed", "-1"], "not a whole number"),
        (["--json", "nowhere/result.json"], "no folder nowhere"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, message, capsys):
    assert message in refused(arguments, capsys)


def test_the_command_is_installed_and_ends_with_its_exit_code(tmp_path):
    (tmp_path / "empty.csv").touch()
    done = subprocess.run(
        [sys.executable, "-m", "skperturb", "compare", "empty.csv", "--target", "x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "skperturb: empty.csv is empty.\n"


def test_steel_plates_agree_with_scikit_learn(capsys, tmp_path):
    path = data_file("steel_plates_faults.csv")
    output = tmp_path / "result.json"
    assert main(["compare", str(path), "--target", "target", "--json", str(output), *QUICK]) == 0
    capsys.readouterr()
    ours = json.loads(output.read_text())["estimators"][0]
    frame = pd.read_csv(path)
    model = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    theirs = cross_validate(
        model,
        frame.drop(columns="target"),
        frame["target"],
        cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=5, random_state=0),
        scoring=["neg_log_loss", "accuracy"],
    )
    assert_allclose(ours["log_loss"], -theirs["test_neg_log_loss"].mean(), rtol=1e-6)
    assert_allclose(ours["accuracy"], theirs["test_accuracy"].mean(), rtol=1e-6)
