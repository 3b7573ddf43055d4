"""The script behind the evidence page runs, and goes on where it was stopped."""

import importlib
import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "evidence.md"
TABLES = ROOT / "docs" / "evidence_tables.md"


@pytest.fixture
def evidence(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("evidence")


def test_what_is_kept_is_not_computed_again(evidence, monkeypatch, tmp_path):
    monkeypatch.setattr(evidence, "CS", [0.1, 10.0])  # for time
    command = ["--data", "iris", "--models", "gumbel", "--folds", "2"]
    command += ["--keep", str(tmp_path / "kept"), "--out"]
    evidence.main([*command, str(tmp_path / "a.md")])
    monkeypatch.setattr(evidence, "examine", None)
    evidence.main([*command, str(tmp_path / "b.csv")])
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    means = pd.read_csv(tmp_path / "b.csv").set_index(["labels", "model", "metric"])["mean"]
    assert means.index.is_unique
    assert 0 < means["right", "gumbel", "log loss"] < 0.2
    assert means["right", "gumbel", "accuracy"] > 90
    assert f"{means['flipped', 'gumbel', 'log loss']:.3f}" in text


def test_a_tenth_of_the_labels_is_wrong(evidence):
    y = evidence.load("iris").y
    flipped = evidence.flip(y, 0.1, 0)
    assert (flipped != y).sum() == 15
    assert set(flipped) == set(y)


def test_the_page_has_all_tables_and_models(evidence):
    text = TABLES.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    for name in {*evidence.SOURCES, *evidence.MODELS} - {*evidence.SLOW}:
        assert f"\n| {name} |" in text, name


def test_the_numbers_of_the_page_are_those_of_the_tables():
    """Each interval and each triple of counts that the text quotes is in a table."""
    text = TABLES.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    quoted = re.findall(
        r"\[[^\]]*, [^\]]*\](?!\()|\d+ / \d+ / \d+", PAGE.read_text(encoding="utf-8")
    )
    assert len(quoted) > 5
    assert not [number for number in quoted if number not in text]
