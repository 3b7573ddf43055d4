"""The script behind the evidence page runs, and goes on where it was stopped."""

import importlib
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "evidence_tables.md"


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
    text = PAGE.read_text(encoding="utf-8")
    for name in [*evidence.SOURCES, *evidence.MODELS]:
        assert f"\n| {name} |" in text, name
