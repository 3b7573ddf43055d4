"""What the pages and the README tell a reader to run: Python snippets run, commands are understood.

The tutorial's commands are run one after the other, and print what the page shows, by

    python -m pytest -m slow tests/test_docs.py
"""

import re
import shlex
from pathlib import Path

import pytest

from skperturb.cli import main
from skperturb.cli._main import _parser

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("docs/*.md", "docs/*.rst", "docs/guide/*.rst", "README.md")
    for path in ROOT.glob(pattern)
)
# They need libraries of other extras: tests/clients and tests/torch run them, each in test_page.py.
ELSEWHERE = {"saving_and_serving.md", "networks.md"}


def blocks(path, language):
    """Code of a language on a page, one string for each block."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
        return [re.sub(f"(?m)^{indent}", "", code) for indent, code in found]
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    return [re.sub("(?m)^   ", "", code) for code in found]


def commands(code):
    """The skperturb commands of a block, as lists of arguments."""
    for line in code.replace("\\\n", " ").splitlines():
        for command in line.split("&&"):
            words = shlex.split(command, comments=True)
            if words and Path(words[0]).name == "skperturb":
                yield words[1:]


def identity(path):
    return str(path.relative_to(ROOT))


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    """A folder with the sample in it, as after ``skperturb sample``."""
    monkeypatch.chdir(tmp_path)
    assert main(["sample"]) == 0
    capsys.readouterr()
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if blocks(path, "python") and path.name not in ELSEWHERE],
    ids=identity,
)
def test_the_python_code_of_a_page_runs(path, folder):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    code = "\n".join(blocks(path, "python"))
    exec(compile(code, identity(path), "exec"), {"__name__": "page"})
    pyplot.close("all")


@pytest.mark.parametrize("path", PAGES, ids=identity)
def test_the_commands_of_a_page_are_understood(path):
    text = path.read_text(encoding="utf-8")
    in_text = [
        re.sub(r"\s+", " ", found) for found in re.findall(r"`(skperturb [a-z][^`]*)`", text)
    ]
    names = {command.partition(" ")[2] for command in in_text if command.count(" ") == 1}
    for name in names:
        with pytest.raises(SystemExit) as told:
            _parser()[0].parse_args([name, "--help"])
        assert told.value.code == 0, f"{path.name}: skperturb {name}"
    whole = [command for command in in_text if command.count(" ") > 1 and "..." not in command]
    for code in [*blocks(path, "sh"), *whole]:
        for arguments in commands(code):
            try:
                _parser()[0].parse_args(arguments)
            except SystemExit:
                pytest.fail(f"{path.name}: skperturb {shlex.join(arguments)}")


def test_the_code_of_pages_is_found():
    """The tests above see what they are to see."""
    assert sum(bool(blocks(path, "python")) for path in PAGES) >= 8
    assert len(list(commands("\n".join(blocks(ROOT / "docs" / "tutorial.md", "sh"))))) >= 3
    assert list(commands("x/skperturb a b \\\n --c  # why\n")) == [["a", "b", "--c"]]


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    seconds = re.compile(r"\d+\.\d+$")  # of a fit: other ones on every machine
    printed = ""
    for language, code in re.findall(r"^```(sh|text)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        if language == "sh":
            printed = ""
            for arguments in commands(code):
                assert main(arguments) == 0, arguments
                printed += capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ")
        else:
            known = {seconds.sub("", line).rstrip() for line in printed.splitlines()}
            for line in code.splitlines():
                assert seconds.sub("", line).rstrip() in known, line
