import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb.additive import AdditiveClassifier
from skperturb.cli import main
from skperturb.cli._compare import ESTIMATORS, LANGUAGES, USUAL
from skperturb.evaluation import _texts, compare_classifiers, cross_val_predictions
from skperturb.evaluation._cross_validation import groups_parameter

from ._data import parts_of_lots, parts_table
from .conftest import IDENTITY, OPTIMUM, data_file

QUICK = ["--estimators", "logistic_regression", "class_frequencies"]


def lots_csv(tmp_path):
    path = tmp_path / "lots.csv"
    parts_of_lots().to_csv(path, index=False)
    return path


@pytest.fixture
def without_fits(monkeypatch):
    """The comparison of the class frequencies, under the names of the estimators."""

    def stub(estimators, *arguments, **options):
        return compare_classifiers(
            dict.fromkeys(estimators, DummyClassifier()), *arguments, **options
        )

    monkeypatch.setattr("skperturb.cli._compare.compare_classifiers", stub)


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "parts.csv"
    parts_table().to_csv(path, index=False)
    return path


@pytest.mark.usefixtures("without_fits")
def test_without_a_file_it_compares_on_data_that_ship_with_scikit_learn(capsys):
    assert main(["compare", "--cv", "1x2"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Use none of the models: ")
    lines = out.partition("\n\n")[2].splitlines()
    assert lines[0].startswith("wine (ships with scikit-learn): 178 parts, 13 features, 3 classes")
    assert [line.split()[0] for line in lines[3 : 3 + len(USUAL)]] == USUAL
    assert lines[0].endswith("1 x 2-fold cross-validation, seed 0")
    assert "perturb_argmax:gaussian - logistic_regression" in out
    assert "fits done" in err


def test_a_csv_of_parts(csv, capsys):
    assert main(["compare", str(csv), "--target", "defect", "--cv", "5x2", *QUICK]) == 0
    out, err = capsys.readouterr()
    assert "60 parts, 5 features, 2 classes; 5 x 2-fold" in out
    for column in ("serial", "row"):
        assert f"left out column '{column}'" in err
    assert "thickness" not in err
    assert "class_frequencies - logistic_regression  cost" in out


@pytest.mark.usefixtures("without_fits")
def test_keep_uses_a_column_all_the_same(csv, capsys):
    arguments = [
        "compare",
        str(csv),
        "--target",
        "defect",
        "--keep",
        "serial",
        "row",
        "--cv",
        "1x2",
        *QUICK,
    ]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "60 parts, 7 features" in out
    assert "left out" not in err


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.usefixtures("without_fits")
def test_other_separators_and_byte_order_marks(tmp_path, capsys, separator):
    path = tmp_path / "excel.csv"
    parts_table().to_csv(path, index=False, sep=separator, encoding="utf-8-sig")
    assert main(["compare", str(path), "--target", "defect", "--cv", "1x2", *QUICK]) == 0
    assert "5 features" in capsys.readouterr().out


def run_on(content, tmp_path, capsys, *more):
    path = tmp_path / "parts.csv"
    path.write_text(content, encoding="utf-8")
    assert main(["compare", str(path), "--target", "defect", *QUICK, "--cv", "1x2", *more]) == 0
    return capsys.readouterr()


@pytest.mark.usefixtures("without_fits")
def test_names_of_classes_are_taken_as_they_stand(tmp_path, capsys):
    rows = [f"{i % 7},{name}" for i, name in enumerate(["None", "NA", "01", "1"] * 10)]
    out, err = run_on("a,defect\n" + "\n".join(rows), tmp_path, capsys)
    assert "40 parts, 1 features, 4 classes" in out
    assert "left out" not in err


@pytest.mark.usefixtures("without_fits")
def test_decimal_commas(tmp_path, capsys):
    rows = [f"{i},{i % 10};{'ok' if i % 2 else 'crack'}" for i in range(40)]
    out, err = run_on("a;defect\n" + "\n".join(rows), tmp_path, capsys)
    assert "1 features" in out
    assert "'a' is read as numbers with decimal commas" in err


@pytest.mark.usefixtures("without_fits")
def test_quoted_separators_in_the_header_and_blank_lines(tmp_path, capsys):
    rows = [f"{i * i % 13};{'ok' if i % 2 else 'crack'}" for i in range(40)]
    out, _ = run_on('\n"Temp, C, x";defect\n' + "\n".join(rows), tmp_path, capsys)
    assert "40 parts, 1 features" in out


def test_gradient_boosting_takes_a_class_of_two_rows_among_many():
    """With more than 10 000 rows, its own early stopping would fail on such a class."""
    y = np.array(["ok", "crack"]).repeat(6000)
    y[:2] = "rare"
    model = ESTIMATORS["gradient_boosting"]().set_params(max_iter=1)
    assert model.fit(np.arange(len(y))[:, None] % 11, y).classes_.tolist() == [
        "crack",
        "ok",
        "rare",
    ]


@pytest.mark.usefixtures("without_fits")
def test_rows_without_a_class_are_left_out_and_named(tmp_path, capsys):
    frame = parts_table()
    frame.loc[:4, "defect"] = None
    frame.to_csv(tmp_path / "parts.csv", index=False)
    assert (
        main(["compare", str(tmp_path / "parts.csv"), "--target", "defect", "--cv", "1x2", *QUICK])
        == 0
    )
    out, err = capsys.readouterr()
    assert "55 parts" in out
    assert "left out 5 rows that have no value in 'defect'" in err


def test_json_holds_what_the_table_shows(csv, tmp_path, capsys):
    path = tmp_path / "result.json"
    names = ["perturb_argmax:logistic", "perturb_softmax", "logistic_regression"]
    arguments = ["compare", str(csv), "--target", "defect", "--json", str(path), "--cv", "2x2"]
    assert main([*arguments, "--estimators", *names]) == 0
    out = capsys.readouterr().out
    result = json.loads(path.read_text())
    named = [names[0], "perturb_softmax:gaussian", names[2]]
    assert [row["estimator"] for row in result["estimators"][:3]] == named
    assert result["settings"]["parts"] == 60
    assert len(result["differences"]) == 8
    for row, line in zip(result["estimators"][:3], table_of(out)[1:4], strict=True):
        name, *shown = line.split()[:5]
        assert name == row["estimator"]
        told = [row[metric] for metric in ("cost", "accuracy", "log_loss", "brier")]
        assert_allclose([float(text.replace(",", "")) for text in shown], told, rtol=5e-3)
    assert result["estimators"][3]["accuracy"] is None
    told = re.findall(r"\[([-+][0-9.,]+), ([-+][0-9.,]+)\]", out)
    shown = [[float(end.replace(",", "")) for end in pair] for pair in told]
    ends = [[row["ci_low"], row["ci_high"]] for row in result["differences"]]
    assert_allclose(shown, ends, atol=0.5, rtol=0.02)


def test_the_seed_decides_the_folds(csv, capsys):
    outputs = []
    for seed in ("0", "0", "1"):
        main(["compare", str(csv), "--target", "defect", "--seed", seed, "--cv", "2x2", *QUICK])
        outputs.append(table_of(capsys.readouterr().out)[1].split()[:4])
    assert outputs[0] == outputs[1] != outputs[2]


def test_fits_that_do_not_converge_are_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(ESTIMATORS, "logistic_regression", lambda: LogisticRegression(max_iter=1))
    assert main(["compare", "--cv", "1x2", *QUICK]) == 0
    err = capsys.readouterr().err
    assert "note: logistic_regression, 2 of 2 fits: ConvergenceWarning" in err


def table_of(out):
    """The lines of the key figures, the first of which is their head."""
    return next(block for block in out.split("\n\n") if block.startswith("estimator")).splitlines()


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
        (b"thickness,defect\n" + b"1,ok\n2,crack\n" * 15, "has 30 parts; at least 40"),
        (b"thickness,defect\n1,\x81\n", "UTF-8 or cp932"),
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
@pytest.mark.usefixtures("without_fits")
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
        (["--out", "nowhere/report.html"], "no folder nowhere"),
        (["--out", "report.html", "--lang", "tlh"], "tlh"),
        (["--groups", "lot"], "no file is given"),
        (["--rope", "-1"], "not a number from 0 on"),
        (["--rope", "much"], "not a number from 0 on"),
        (["--baseline", "perturb_argmax", *QUICK], "not both"),
        (["--baseline", "perturb_argmax", "--candidate", "perturb_argmax"], "is both"),
        (["--candidate", "svm"], "'svm' is no estimator"),
        (["--good", "fine", *QUICK], "--good 'fine' is not a class"),
        (["--cost", "nowhere.csv", *QUICK], "There is no file nowhere.csv"),
    ],
)
@pytest.mark.usefixtures("without_fits")
def test_arguments_that_cannot_be_used(arguments, message, capsys):
    assert message in refused(arguments, capsys)


COSTS = "defect,pass,rework\nok,0,2\ncrack,50,4\n"


def test_costs_groups_and_prevalence(tmp_path, capsys):
    path, costs, shares = lots_csv(tmp_path), tmp_path / "costs.csv", tmp_path / "prev.csv"
    costs.write_text(COSTS)
    shares.write_text("class,share\nok,0.95\ncrack,0.05\n")
    output = tmp_path / "result.json"
    arguments = ["compare", str(path), "--target", "defect", "--cv", "2x3", "--groups", "lot"]
    arguments += ["--cost", str(costs), "--prevalence", str(shares), "--good", "ok", "--rope", "5"]
    arguments += ["--baseline", "class_frequencies", "--candidate", "logistic_regression"]
    assert main([*arguments, "--json", str(output)]) == 0
    out, err = capsys.readouterr()
    assert "80 parts in 10 lots, 5 features" in out
    assert "look like lots" not in err
    assert "(pass all: pass)" in out
    said = json.loads(output.read_text())
    assert said["settings"]["groups"] == 10
    assert said["settings"]["rope"] == {"cost": 5.0}
    assert said["settings"]["prevalence"] == {"crack": 0.05, "ok": 0.95}
    assert {row["candidate"] for row in said["differences"]} == {"logistic_regression"}
    passed = next(row for row in said["estimators"] if row["estimator"].startswith("(pass all"))
    assert_allclose(passed["cost"], 1000 * 0.05 * 50)


@pytest.mark.usefixtures("without_fits")
def test_columns_that_look_like_lots_are_named(tmp_path, capsys):
    path = lots_csv(tmp_path)
    assert main(["compare", str(path), "--target", "defect", "--cv", "1x2", *QUICK]) == 0
    assert "columns 'lot' look like lots" in capsys.readouterr().err


@pytest.mark.usefixtures("without_fits")
def test_japanese_files(tmp_path, capsys):
    frame = parts_table(60)[["thickness", "defect"]].replace(
        {"ok": "\u826f\u54c1", "crack": "\u5272\u308c"}
    )
    frame.insert(0, "\u30ed\u30c3\u30c8", np.arange(60) // 6)
    path = tmp_path / "parts.csv"
    frame.to_csv(path, index=False, encoding="cp932")
    arguments = ["compare", str(path), "--target", "defect", "--cv", "1x2", *QUICK]
    assert main([*arguments, "--good", "\u826f\u54c1"]) == 0
    out, err = capsys.readouterr()
    assert "pass all: \u826f\u54c1" in out
    assert "look like lots" in err


def test_costs_template(csv, capsys):
    assert main(["costs-template", str(csv), "--target", "defect"]) == 0
    assert capsys.readouterr().out == "defect,crack,ok\ncrack,0,1\nok,1,0\n"


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--cost", "defect,pass,rework\nok,0,2\n", "crack"),
        ("--cost", "defect,pass,rework\nok,0,2\nfine,1,1\n", "fine"),
        ("--cost", "defect,pass,rework\nok,0,2\ncrack,many,4\n", "many|number"),
        ("--cost", "defect,pass\nok,0\ncrack,1\n", "no cost table"),
        ("--cost", "", "empty"),
        ("--prevalence", "class,share\nok,0.95\n", "crack"),
        ("--prevalence", "class,share\nok,-1\ncrack,2\n", "negative"),
        ("--prevalence", "class\nok\n", "two columns"),
    ],
)
@pytest.mark.usefixtures("without_fits")
def test_tables_that_cannot_be_used(option, content, message, tmp_path, capsys):
    table, output = tmp_path / "table.csv", tmp_path / "result.json"
    table.write_text(content)
    arguments = [str(lots_csv(tmp_path)), "--target", "defect", option, str(table), *QUICK]
    err = refused([*arguments, "--cv", "1x2", "--json", str(output)], capsys)
    sentence = err.splitlines()[-1]
    assert sentence.startswith("skperturb: ")
    assert re.search(message, sentence)
    assert not list(tmp_path.glob("result*"))


@pytest.mark.usefixtures("without_fits")
def test_the_report(tmp_path, capsys, monkeypatch):
    arguments = [str(lots_csv(tmp_path)), "--target", "defect", "--cv", "1x2", *QUICK, "--out"]
    path = tmp_path / "ja.html"
    assert main(["compare", *arguments, str(path), "--lang", "ja"]) == 0
    page = path.read_text(encoding="utf-8")
    assert "\u5224\u5b9a" in page
    assert "lots.csv" in page
    assert _texts.LANGUAGES == LANGUAGES
    assert not list(tmp_path.glob("*.part"))
    capsys.readouterr()
    monkeypatch.setattr("skperturb.cli._compare.find_spec", lambda name: None)
    assert "skperturb[report]" in refused([*arguments, str(tmp_path / "new.html")], capsys)
    assert not (tmp_path / "new.html").exists()


@pytest.mark.usefixtures("without_fits")
def test_outputs_that_would_overwrite_something(tmp_path, capsys):
    path = lots_csv(tmp_path)
    content = path.read_bytes()
    arguments = [str(path), "--target", "defect", *QUICK]
    assert "would overwrite" in refused([*arguments, "--json", str(path)], capsys)
    same = str(tmp_path / "x.out")
    assert "would overwrite" in refused([*arguments, "--json", same, "--out", same], capsys)
    assert "is a folder" in refused([*arguments, "--out", str(tmp_path)], capsys)
    assert "same column" in refused([*arguments, "--groups", "defect"], capsys)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("without_fits")
def test_lots_are_taken_as_they_stand(tmp_path, capsys):
    frame = parts_table(60)[["thickness", "defect"]]
    frame["lot"] = ["1E2", "100", "01", "1", "NA", "None"] * 10
    path = tmp_path / "parts.csv"
    frame.to_csv(path, index=False)
    arguments = ["compare", str(path), "--target", "defect", "--groups", "lot", "--cv", "1x2"]
    assert main([*arguments, *QUICK]) == 0
    assert "60 parts in 6 lots" in capsys.readouterr().out


def test_files_are_written_though_the_terminal_cannot_show_the_names(tmp_path):
    frame = parts_table(60)[["thickness", "defect"]].replace({"ok": "\u826f\u54c1"})
    frame.to_csv(tmp_path / "parts.csv", index=False)
    command = [sys.executable, "-m", "skperturb", "compare", "parts.csv", "--target", "defect"]
    done = subprocess.run(
        [*command, "--good", "\u826f\u54c1", "--cv", "1x2", *QUICK, "--json", "result.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u826f" in done.stdout
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("without_fits")
class Lots(DummyClassifier):
    """It notes how many lots each fit was told of."""

    told = []

    def fit(self, X, y, sample_weight=None, groups=None):
        self.told.append(
            None if groups is None else (len(np.unique(groups)), len(groups) == len(y))
        )
        return super().fit(X, y, sample_weight)


def test_searches_leave_out_lots(tmp_path, monkeypatch):
    """The inner search of each fit is told of its lots, that of the curves as well."""
    monkeypatch.setattr(Lots, "told", [])
    for name in ("additive", "perturb_argmax_cv"):
        model = ESTIMATORS[name]()
        (parameter,) = groups_parameter(make_pipeline(model))
        assert parameter == f"{type(model).__name__.lower()}__groups"
        monkeypatch.setitem(ESTIMATORS, name, Lots)
    study = ["compare", str(lots_csv(tmp_path)), "--target", "defect", "--groups", "lot"]
    study += ["--cv", "1x5", "--estimators", "additive", "perturb_argmax_cv"]
    assert main(study) == 0
    assert Lots.told == [(8, True)] * 10


def test_curves_of_a_comparison_choose_by_lots(tmp_path):
    """They are those of a fit that is given the lots by hand."""
    frame = parts_of_lots()
    X, y, lots = frame[["thickness", "count"]], frame["defect"].to_numpy(), frame["lot"].to_numpy()
    model = AdditiveClassifier(n_knots=3, Cs=[0.1, 10.0], jumps=False)
    options = {"n_splits": 2, "n_repeats": 1}
    out = cross_val_predictions(make_pipeline(model), X, y, groups=lots, **options)
    train, test = out.fold[0] != 0, out.fold[0] == 0
    by_hand = clone(model).fit(X[train], y[train], groups=lots[train])
    assert_allclose(out.proba[0, test], by_hand.predict_proba(X[test]), rtol=IDENTITY)


def test_fewer_lots_than_folds(tmp_path, capsys):
    arguments = [str(lots_csv(tmp_path)), "--target", "defect", "--groups", "lot", *QUICK]
    assert "10 groups for 20 folds" in refused([*arguments, "--cv", "1x20"], capsys)


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
    assert (
        main(
            [
                "compare",
                str(path),
                "--target",
                "target",
                "--json",
                str(output),
                *QUICK,
                "--cv",
                "1x2",
            ]
        )
        == 0
    )
    capsys.readouterr()
    ours = json.loads(output.read_text())["estimators"][0]
    frame = pd.read_csv(path)
    model = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    X, y = frame.drop(columns="target"), frame["target"]
    cv = RepeatedStratifiedKFold(n_splits=2, n_repeats=1, random_state=0)
    theirs = cross_validate(model, X, y, cv=cv, scoring=["neg_log_loss", "accuracy"])
    # Ours is the mean over parts, theirs that over folds.
    sizes = [len(test) for _, test in cv.split(X, y)]
    for metric, scores in (
        ("log_loss", -theirs["test_neg_log_loss"]),
        ("accuracy", theirs["test_accuracy"]),
    ):
        assert_allclose(ours[metric], np.average(scores, weights=sizes), rtol=OPTIMUM)
