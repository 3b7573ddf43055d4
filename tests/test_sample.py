"""The sample of parts that ships with the package: its files are what their script makes."""

import re
import runpy
import shlex
from pathlib import Path

import pandas as pd
import pytest

from skperturb.cli import main
from skperturb.cli._main import _parser
from skperturb.parts import read_parts

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "skperturb" / "sample"
MOST_BYTES = 200_000  # of the package


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "benchmarks" / "make_sample.py"))


def test_the_script_makes_the_files(script, tmp_path):
    script["main"](tmp_path)
    names = {path.name for path in SAMPLE.iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name
    assert sum((SAMPLE / name).stat().st_size for name in names) < MOST_BYTES


def test_the_wrong_labels_are_where_the_description_says(script):
    described = re.findall(
        r"^\| (\d+) \| (P\d+) \| (\w+) \| (\w+) \|$",
        (SAMPLE / "README.md").read_text(),
        re.MULTILINE,
    )
    assert len(described) == len(set(described)) == sum(number for *_, number in script["WRONG"])
    random = script["np"].random.RandomState(script["SEED"])
    truth, *_ = script["make_parts"](random, 1, 1, 40, "2026-03-02 06:00")
    written = pd.read_csv(SAMPLE / "parts.csv")
    different = written.index[written["defect"] != truth["defect"]]
    lines = (SAMPLE / "parts.csv").read_text().splitlines()
    found = []
    for row in different:
        # The first line of the file is line 1.
        assert lines[row + 1].startswith(written["part"][row])
        found.append(
            (str(row + 2), written["part"][row], written["defect"][row], truth["defect"][row])
        )
    assert found == described


def test_the_files_fit_together():
    parts = read_parts(str(SAMPLE / "parts.csv"), "defect", groups="lot", today="decided")
    costs = pd.read_csv(SAMPLE / "costs.csv", index_col=0)
    log = pd.read_csv(SAMPLE / "shadow.csv")
    later, labels = (pd.read_csv(SAMPLE / name) for name in ("later.csv", "labels.csv"))
    assert set(parts.target) == set(costs.index) >= set(labels["defect"]) >= set(log["truth"])
    assert set(parts.today) | set(log["today"]) | set(log["candidate"]) <= set(costs)
    assert [*later, "defect"] == list(pd.read_csv(SAMPLE / "parts.csv"))
    assert (later["part"] == labels["part"]).all()
    assert parts.features.isna().to_numpy().any()
    assert parts.groups.nunique() == 40
    # Half of the later parts are made in a hotter mould.
    half = len(later) // 2
    temperature = later["mould_temp_C"]
    assert temperature[half:].mean() - temperature[:half].mean() > 2.0  # degrees


def test_the_command_copies_them_and_says_what_to_run_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sample"]) == 0
    *paths, _, _, command = capsys.readouterr().out.splitlines()
    assert len(paths) == len(list(SAMPLE.iterdir()))
    for path in paths:
        assert Path(path).read_bytes() == (SAMPLE / Path(path).name).read_bytes()
    program, *arguments = shlex.split(command)
    assert program == "skperturb"
    options = _parser()[0].parse_args(arguments)
    assert Path(options.parts[0]).exists()
    assert Path(options.cost).exists()
    # Once more into the same folder changes nothing and is no error.
    assert main(["sample"]) == 0


def test_the_command_replaces_nothing(tmp_path, capsys):
    mine = tmp_path / "parts.csv"
    mine.write_text("my own parts\n")
    assert main(["sample", str(tmp_path)]) == 2
    assert "exists and is another file" in capsys.readouterr().err
    assert mine.read_text() == "my own parts\n"
    assert list(tmp_path.iterdir()) == [mine]
    assert main(["sample", str(mine)]) == 2
    assert "cannot be made" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (".venv/bin/skperturb", ".venv/bin/skperturb"),
        ("/usr/bin/skperturb", "skperturb"),
        ("lib/skperturb/__main__.py", "python -m skperturb"),
    ],
)
def test_the_next_command_can_be_pasted(typed, shown, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", [typed])
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/skperturb")
    assert main(["sample", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{shown} compare ")
