"""``skperturb suspects``, and the candidate of ``compare`` that chooses its noise."""

import time

import numpy as np
import pandas as pd
import pytest

from skperturb import PerturbArgmaxClassifier
from skperturb.additive import AdditiveClassifier
from skperturb.cli import _suspects, main
from skperturb.cli._compare import estimator_named as _estimator
from skperturb.cli._progress import StillWorking
from skperturb.evaluation import (
    _texts,
    compare_classifiers,
    summary_of_suspects,
    suspect_labels,
    suspects_html,
)
from skperturb.model_selection import PerturbArgmaxClassifierCV
from skperturb.noise import Gumbel
from skperturb.parts import read_parts


def suspects_of(labels, clear=True):
    """A list in which every label is in doubt, the first most."""
    n, names = len(labels), np.unique(labels)
    table = pd.DataFrame({"row": np.arange(n)[::-1], "label": labels[::-1]})
    table["suggested"] = np.where(table["label"] == names[0], names[1], names[0])
    table["proba_of_label"] = np.linspace(0.01, 0.99, n)
    table["proba_wrong"] = np.linspace(0.99, 0.01, n) ** 8 if clear else np.nan
    table["change"] = 0.1
    return table


@pytest.fixture
def without_fits(monkeypatch):
    """What the command asks for, and a list that needs no fit."""
    asked = {}

    def stub(model, features, labels, **options):
        asked.update(options, model=model, features=features, labels=labels)
        return suspects_of(labels, clear="x" not in features)

    monkeypatch.setattr(_suspects, "suspect_labels", stub)
    return asked


@pytest.fixture
def csv(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"width": rng.normal(size=60).round(3), "lot": np.arange(60) // 5})
    table["class"] = np.where(np.arange(60) % 3 > 0, "良品", "キズ")
    table.loc[[7, 20], "class"] = ["rare", None]
    path = tmp_path / "parts.csv"
    table.to_csv(path, index=False)
    return path


def test_curves_judge_the_labels(csv, without_fits):
    command = ["suspects", str(csv), "--target", "class", "--estimator", "additive"]
    assert main(command) == 0
    assert isinstance(without_fits["model"], AdditiveClassifier)
    assert main(command[:-2]) == 0
    assert isinstance(without_fits["model"][-1], PerturbArgmaxClassifierCV)


def test_lines_are_those_of_the_file(csv, without_fits, capsys):
    assert main(["suspects", str(csv), "--target", "class", "--groups", "lot", "--top", "3"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].endswith("of 58 labels are expected to need correction")
    # The last row of the file, line 61, comes first; line 22 has no class, line 9 a class of one.
    assert [line.split()[0] for line in lines[-3:]] == ["61", "60", "59"]
    assert "1 part of classes seen in one lot only ('rare')" in err
    assert len(without_fits["labels"]) == len(without_fits["groups"]) == 58
    assert list(without_fits["features"]) == ["width"]
    assert "wrong" not in out


@pytest.mark.parametrize("kind", ["html", "csv", "xlsx"])
def test_the_list_is_written(kind, csv, without_fits, tmp_path, capsys):
    pytest.importorskip({"html": "jinja2", "xlsx": "openpyxl", "csv": "csv"}[kind])
    path = tmp_path / f"suspects.{kind}"
    arguments = ["suspects", str(csv), "--target", "class", "--out", str(path), "--top", "30"]
    assert main(arguments) == 0
    if kind == "html":
        page = path.read_text(encoding="utf-8")
        assert '<th scope="row">61</th>' in page
        assert "worth a second look" in page
        assert "skperturb suspects" in page
        return
    reader = pd.read_csv if kind == "csv" else pd.read_excel
    table = reader(path)
    assert table["line"].tolist()[:2] == [61, 60]
    assert len(table) == 30
    assert list(table) == [
        "line", "label", "suggested", "probability_of_label", "probability_of_another", "change"
    ]  # fmt: skip


@pytest.mark.parametrize("lang", _texts.LANGUAGES)
@pytest.mark.parametrize("clear", [True, False])
def test_the_page_has_all_texts(lang, clear):
    pytest.importorskip("jinja2")
    suspects = suspects_of(np.repeat(["a", "b"], 30), clear)
    page = suspects_html(suspects, lang=lang, top=10)
    assert "{" not in page.partition("<body>")[2]
    assert ("table-flips" in page) == clear
    assert "wrong" not in page.partition("<body>")[2]
    assert page.count('<th scope="row">') >= 10


def test_the_page_leaves_out_what_is_too_small_to_act_on():
    pytest.importorskip("jinja2")
    suspects = suspects_of(np.repeat(["a", "b"], 30))
    suspects.loc[suspects["label"] == "a", "proba_wrong"] = 1e-3
    body = suspects_html(suspects).partition("<body>")[2]
    assert "called b, probably a" in body
    assert "called a, probably b" not in body
    # Small changes of a loss tell an inspector nothing: they are in the table and in files.
    assert "loss" not in body
    assert body.index("Probability of another class") < body.index("Probability of the label")


def test_probabilities_below_the_flag_are_no_contradiction():
    suspects = suspects_of(np.repeat(["a", "b"], 30))
    suspects["proba_wrong"] *= 0.5
    word, sentences = summary_of_suspects(suspects)
    assert word.endswith("of 60 labels are expected to need correction")
    assert sentences[0].endswith("by the features of the part: 0.")
    suspects["proba_wrong"] *= 0.01
    assert summary_of_suspects(suspects)[0].startswith("No clear sign")


def test_unclear_lists_have_no_probability_of_another_class(csv, without_fits, capsys):
    table = pd.read_csv(csv).assign(x=np.arange(60) ** 2 % 17 / 3)
    table.to_csv(csv, index=False)
    assert main(["suspects", str(csv), "--target", "class"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No clear sign")
    assert "probability_of_another" not in out


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--out", "list.pdf"], "must end with"),
        (["--lang", "ja"], "language of the page"),
        (["--top", "0"], "whole number from 1"),
        (["--groups", "no"], "no column 'no'"),
    ],
)
def test_what_is_refused(more, text, csv, capsys):
    try:
        code = main(["suspects", str(csv), "--target", "class", *more])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert text in capsys.readouterr().err


def test_places_name_the_file_where_there_are_several(csv, tmp_path):
    other = tmp_path / "b.csv"
    other.write_text(csv.read_text())
    parts = read_parts([csv, other], "class")
    assert parts.places[0].startswith("2 of ")
    assert parts.places[-1] == "61 of b.csv"
    assert len(parts.places) == len(parts.target)


def test_work_is_said_to_go_on(capsys):
    import sys

    working = StillWorking(sys.stderr, "looking")
    working.first = 0.01
    with working:
        time.sleep(0.05)
    said = capsys.readouterr().err
    assert said.startswith("looking, 0 s so far")
    with StillWorking(sys.stderr, "looking"):
        pass
    assert not capsys.readouterr().err


def test_the_candidate_that_chooses_is_nested_and_leaves_out_lots(monkeypatch):
    """Each fit chooses by its own rows, and by their lots."""
    seen = []
    fit = PerturbArgmaxClassifierCV.fit

    def spy(self, X, y, sample_weight=None, groups=None):
        seen.append((X.shape[0], groups))
        return fit(self, X, y, sample_weight, groups)

    model = _estimator("perturb_argmax_cv:gumbel")
    assert model[-1].noises == (Gumbel(),)
    assert _estimator("perturb_argmax_cv")[-1].noises == ("gumbel", "student_t")
    model[-1].set_params(Cs=[0.1, 1.0])
    monkeypatch.setattr(PerturbArgmaxClassifierCV, "fit", spy)
    rng = np.random.default_rng(0)
    X, lots = pd.DataFrame({"x": rng.normal(size=60)}), np.arange(60) // 5
    y = np.where(X["x"] + rng.normal(size=60) > 0, "a", "b")
    other = _estimator("class_frequencies")
    compare_classifiers({"a": other, "b": model}, X, y, groups=lots, n_splits=2, n_repeats=1)
    assert len(seen) == 2
    for n, groups in seen:
        assert n == len(groups) < 60
        assert len(np.unique(groups)) == 6


def test_a_class_too_rare_to_choose_by_is_refused(csv, capsys):
    arguments = ["compare", str(csv), "--target", "class", "--drop", "lot"]
    assert main([*arguments, "--candidate", "perturb_argmax_cv", "--cv", "1x2"]) == 2
    assert "Class 'rare' has 1 part;" in capsys.readouterr().err


@pytest.mark.parametrize("n_classes", [2, 3, 12])
def test_labels_that_have_nothing_to_do_with_the_features_are_not_called_wrong(n_classes):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(300, 2)), rng.permutation(np.arange(300) % n_classes)
        suspects = suspect_labels(PerturbArgmaxClassifierCV(("gumbel",)), X, y)
        assert suspects.attrs["label_noise"] == "none"
        assert suspects["proba_wrong"].isna().all()


@pytest.mark.parametrize("by_lots", [False, True])
def test_a_class_of_one_row_or_lot_is_not_judged(by_lots):
    rng = np.random.default_rng(0)
    X, lots = rng.normal(size=(200, 2)), np.arange(200) // 5
    y = (X[:, 0] + rng.logistic(size=200) > 0).astype(int)
    lone = lots == 3 if by_lots else np.arange(200) == 17
    y[lone] = 2
    clf = PerturbArgmaxClassifier("gumbel").fit(X, y)
    with pytest.warns(UserWarning, match="class 2 are not judged, because one"):
        doubts = clf.label_doubts(X, y, groups=lots if by_lots else None)
    assert doubts["proba_of_label"].isna().sum() == lone.sum()
    assert set(doubts.index[-lone.sum() :]) == set(np.flatnonzero(lone))
