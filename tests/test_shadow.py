"""``skperturb shadow``: a paired test from a log file that grows."""

import json

import numpy as np
import pandas as pd
import pytest

from skperturb.cli import main
from skperturb.evaluation import PairedABTest, _texts, shadow_html, shadow_path, shadow_sentences

COSTS = {"ok": {"pass": 0, "scrap": 5}, "crack": {"pass": 50, "scrap": 0}}


@pytest.fixture
def log():
    rng, n = np.random.default_rng(0), 600
    truth = np.where(rng.random(n) < 0.1, "crack", "ok")
    bad = truth == "crack"
    return pd.DataFrame(
        {
            "defect": truth,
            "today": np.where(bad & (rng.random(n) < 0.3), "scrap", "pass"),
            "candidate": np.where(bad & (rng.random(n) < 0.95), "scrap", "pass"),
            "lot": [f"L{i // 10}" for i in range(n)],
        }
    )


@pytest.fixture
def shadow(tmp_path, capsys):
    """Runs the command on a table: exit code, output, errors."""
    costs = tmp_path / "costs.csv"
    costs.write_text("defect,pass,scrap\nok,0,5\ncrack,50,0\n", encoding="utf-8")

    def run(table, *more):
        path = tmp_path / "log.csv"
        table.to_csv(path, index=False)
        options = ["--truth", "defect", "--a", "today", "--b", "candidate", "--cost", str(costs)]
        try:
            code = main(["shadow", str(path), *options, *map(str, more)])
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return run


def columns(table):
    return [table[name].to_numpy() for name in ("defect", "today", "candidate")]


@pytest.mark.parametrize("lots", [False, True])
def test_pieces_say_what_one_run_says(log, shadow, tmp_path, lots):
    more = ["--groups", "lot"] if lots else []
    state, whole = tmp_path / "state.json", tmp_path / "whole.json"
    for n in (0, 7, 13, 13, 305, 600):
        code, out, err = shadow(
            log[:n] if n else log[:1].assign(defect=""), "--state", state, *more
        )
        assert code == 0, err
    code, expected, _ = shadow(log, "--state", whole, *more)
    assert out == expected
    assert json.loads(state.read_text()) == json.loads(whole.read_text())
    test = PairedABTest(COSTS).update(*columns(log), groups=log["lot"] if lots else None)
    assert PairedABTest.from_json(json.loads(state.read_text())["test"]).summary() == test.summary()
    assert ("Not decided yet" in out) == lots
    assert lots or f"after part {test.decided_at} of 600: candidate costs less" in out


def test_only_new_rows_are_used(log, shadow, tmp_path):
    state = tmp_path / "state.json"
    assert "100 new rows of 100 rows" in shadow(log[:100], "--state", state)[2]
    assert "20 new rows of 120 rows" in shadow(log[:120], "--state", state)[2]
    assert "0 new rows of 120 rows" in shadow(log[:120], "--state", state)[2]


def test_rows_without_a_truth_wait_in_order(log, shadow, tmp_path):
    state = tmp_path / "state.json"
    late = log.copy()
    late.loc[50, "defect"] = None
    _, out, err = shadow(late, "--state", state)
    assert "550 rows wait for the truth of line 52" in out
    assert "550 waiting" in err
    shadow(log, "--state", state)
    test = PairedABTest(COSTS).update(*columns(log))
    assert json.loads(state.read_text())["test"] == test.to_json()


def test_parts_that_are_never_tested_are_left_out_and_counted(log, shadow):
    some = log.copy()
    some.loc[[3, 40], "defect"] = "never"
    code, out, _ = shadow(some, "--untested", "never")
    assert code == 0
    assert "2 rows were left out" in out
    assert "of 598" in out


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(
            defect=t["defect"].mask(t.index == 3, "ok" if t["defect"][3] == "crack" else "crack")
        ),
        lambda t: t[1:],
        lambda t: t[:50],
        lambda t: t.iloc[::-1],
    ],
)
def test_a_changed_log_is_refused(log, shadow, tmp_path, change):
    state = tmp_path / "state.json"
    shadow(log[:100], "--state", state)
    before = state.read_text()
    code, _, err = shadow(change(log), "--state", state)
    assert code == 2
    assert "does not begin with the 100 rows that were used before" in err
    assert state.read_text() == before


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--confidence", "0.9"], "another --confidence"),
        (["--groups", "lot"], "other columns"),
        (["--untested", "no"], "another word"),
    ],
)
def test_another_question_needs_another_state(log, shadow, tmp_path, more, text):
    state = tmp_path / "state.json"
    shadow(log[:100], "--state", state)
    code, _, err = shadow(log, "--state", state, *more)
    assert code == 2
    assert text in err


@pytest.mark.parametrize(
    ("column", "cell", "text"),
    [
        ("defect", "crakc", "line 6: column 'defect' holds 'crakc', which is no class"),
        ("defect", "crakc", "did you mean 'crack'"),
        ("today", "rework", "column 'today' holds 'rework', which is no decision"),
        ("candidate", None, "column 'candidate' is empty"),
        ("lot", None, "names no lot"),
        ("lot", "L9", "line 7: lot 'L0' goes on after parts of another lot"),
    ],
)
def test_cells_that_cannot_be_used_are_one_sentence(log, shadow, column, cell, text):
    log.loc[4, column] = cell
    code, _, err = shadow(log, "--groups", "lot")
    assert code == 2
    assert text in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--out", "page.pdf"], "must end with .html"),
        (["--confidence", "95"], "between 0 and 1"),
        (["--groups", "lott"], "did you mean 'lot'"),
        (["--groups", "today"], "different columns"),
    ],
)
def test_what_is_refused(log, shadow, more, text):
    code, _, err = shadow(log, *more)
    assert code == 2
    assert text in err


@pytest.mark.parametrize("content", ["no", "[]", '{"command": "watch", "version": 1}'])
def test_other_files_are_no_state(log, shadow, tmp_path, content):
    state = tmp_path / "state.json"
    state.write_text(content)
    code, _, err = shadow(log, "--state", state)
    assert code == 2
    assert "no file that 'skperturb shadow' wrote" in err


@pytest.mark.parametrize("lang", _texts.LANGUAGES)
def test_the_page(log, shadow, tmp_path, lang):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.html"
    code, out, err = shadow(log, "--out", page, "--lang", lang, "--groups", "lot")
    assert code == 0, err
    text = page.read_text(encoding="utf-8")
    assert out.splitlines()[0] in text
    assert "<svg" in text
    assert "skperturb shadow" in text
    assert "{" not in text.partition("<body>")[2]
    assert len(text) < 100_000


@pytest.mark.parametrize("lang", _texts.LANGUAGES)
def test_every_sentence_has_its_words(log, lang):
    said = set()
    for n, about in ((0, {}), (5, {"waiting": 3, "line": "9"}), (25, {"untested": 1}), (600, {})):
        for swap in (False, True):
            y, a, b = columns(log[:n])
            test = PairedABTest(COSTS).update(*((y, b, a) if swap else (y, a, b)))
            head, sentences = shadow_sentences(test, ("A", "B"), lang, **about)
            said |= {head, *sentences}
    assert not any("{" in sentence for sentence in said)
    assert len({sentence[:6] for sentence in said}) > 6


def test_the_path_ends_at_the_test(log):
    rows = dict(zip(("y_true", "decision_a", "decision_b"), columns(log), strict=True))
    test = PairedABTest(COSTS)
    path = shadow_path(test, rows | {"groups": None})
    assert path[-1] == (600, 1000 * test.mean_difference, *(1000 * x for x in test.interval))
    assert len(path) == 40


def test_a_page_of_nothing_has_no_picture(log):
    pytest.importorskip("jinja2")
    page = shadow_html(PairedABTest(COSTS), ("A", "B"), waiting=4, line="2")
    assert "<svg" not in page
    assert "No part has a truth yet" in page
