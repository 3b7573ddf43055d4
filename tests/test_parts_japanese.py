"""Notes of the reader in Japanese: each has its sentence, with what the English one says."""

import ast
import re
import string
import tomllib
from pathlib import Path

import pytest

import skperturb.parts as parts_package
from skperturb.parts import Note, account, read_parts

FOLDER = Path(parts_package.__file__).parent
PAIRS = tomllib.loads((FOLDER / "notes_ja.toml").read_text(encoding="utf-8"))["notes"]
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def test_both_sentences_have_the_same_fields():
    def fields(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for pair in PAIRS:
        # What a sentence says twice has two names, of which the other may need one.
        assert fields(pair["ja"]) <= fields(pair["en"]), pair
        left_out = fields(pair["en"]) - fields(pair["ja"])
        assert all(name.endswith("_") or name in ("decimal",) for name in left_out), pair


def test_each_kind_of_several_notes_has_its_sentence():
    from skperturb.parts._notes import _TOGETHER

    for kind in _TOGETHER:
        notes = [Note(kind, name, (1, 2), f"column {name!r}") for name in "abcd"]
        (line,) = account(notes, "ja")
        assert JAPANESE.search(line), line


FILES = {
    "title": "Report of May\n\nv;defect\n" + "1,5;ok\n2,5;dent\n" * 20,
    "decimal": "v;w;defect\n" + "1,5;2,5;ok\n2,5;1,5;dent\n" * 20,
    "missing": "v,defect\nERR,ok\n-,ok\n" + "1.5,ok\n2.5,dent\n" * 40,
    "unit": "v,defect\n" + "80 mm,ok\n82.5 mm,dent\n" * 20,
    "unlabelled": "v,defect\n1,\n" + "1,ok\n2,dent\n" * 20,
    "identifier": "id,v,defect\n"
    + "".join(f"P{k},{k % 7},{'ok' if k % 3 else 'dent'}\n" for k in range(40)),
    "date": "made,v,defect\n"
    + "".join(f"2026-01-{k % 28 + 1:02},{k % 7},{'ok' if k % 3 else 'dent'}\n" for k in range(40)),
    "codes": "code,v,defect\n" + "007,1,ok\n008,2,dent\n" * 20,
    "empty": "e,v,defect\n" + ",1,ok\n,2,dent\n" * 20,
    "labels": "v,defect\n" + "1,ok\n2,OK\n3,dent\n" * 20,
    "spaces": "v,defect\n" + "1, ok\n2,ok\n3,dent\n" * 20,
    "lots": "lot,v,defect\n" + "L1,1,ok\nL2,2,dent\nL2,3,ok\n" * 20,
    "leak": "v,w,defect\n" + "1,1,ok\n2,2,dent\n" * 200,
    "footer": "v,defect\n" + "1,ok\n2,dent\n" * 20 + "total\n",
}


@pytest.mark.parametrize("name", FILES)
def test_notes_of_files(name, tmp_path):
    path = tmp_path / "parts.csv"
    path.write_text(FILES[name], encoding="utf-8")
    notes = read_parts(path, "defect").notes
    assert notes
    for note, line in zip(notes, account(notes, "ja", each=True), strict=True):
        assert JAPANESE.search(line), (note.kind, note.text)
        for quoted in re.findall(r"'[^']+'", note.text):
            assert quoted in line or note.kind == "marks", line


def test_every_kind_of_note_is_in_the_catalogue():
    """The constant beginning of each note of the source is that of a pattern."""
    known = [re.sub(r"\{\w+\}", "{}", pair["en"]) for pair in PAIRS]
    kinds = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Assign) or getattr(node.targets[0], "id", "") != "text":
                continue
            if isinstance(node.value, ast.JoinedStr):
                first = node.value.values[0]
                if isinstance(first, ast.Constant) and first.value.startswith("column "):
                    kinds.add(first.value)
    assert kinds
    assert all(any(one.startswith(kind) for one in known) for kind in kinds)


def test_english_stays_as_it_is():
    assert account([Note("x", None, (), "a note")], "en") == ["a note"]
    assert account([Note("x", None, (), "a note of no kind")], "ja") == ["a note of no kind"]
