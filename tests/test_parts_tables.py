"""Tables of costs and shares, and files that are written."""

import os
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skperturb.parts import (
    check_classes,
    check_outputs,
    read_costs,
    read_shares,
    table_text,
    write_text,
)


@pytest.fixture
def put(tmp_path):
    def put(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


PLAIN = {"OK": {"OK": 0.0, "NG": 40.0}, "NG": {"OK": 2.5, "NG": 0.0}}


@pytest.mark.parametrize(
    "text",
    [
        "defect,OK,NG\nOK,0,2.5\nNG,40,0\n",
        "defect;OK;NG\nOK;0;2,5\nNG;40;0\n",
        "defect\tOK\tNG\nOK\t0\t2,5\nNG\t40\t0\n",
        'defect,OK,NG\nOK,0,"2,5"\nNG,40,0\n',
        "defect;OK;NG;\nOK;0;2,5;\n;;;\nNG;40;0;\n\n",
        "sep=;\ndefect;OK;NG\nOK;\u20ac 0;2,50 \u20ac\nNG;40 \u20ac;0\n",
        "defect,OK,NG\r\n OK ,0,$2.50\r\nNG,$40,0\r\n",
        "\ufeffdefect,OK,NG\nOK,0,\uff12.\uff15\nNG,40,0\n",
    ],
)
def test_ways_to_write_costs(put, text):
    costs = read_costs(put(text))
    assert costs.matrix.to_dict() == PLAIN
    assert costs.notes == ()


def test_marks_between_thousands(put):
    costs = read_costs(put("defect;OK;NG\nOK;0;\u00a54,000\nNG;\u00a512,000;0\n"))
    assert costs.matrix.loc["OK", "NG"] == 4000
    assert "stand between thousands" in str(costs.notes[0])
    costs = read_costs(put("defect;OK;NG\nOK;0,5;4.000\nNG;1.200.000;0\n"))
    assert costs.matrix.loc["OK", "NG"] == 4000
    assert costs.matrix.loc["NG", "OK"] == 1_200_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defect,OK,NG\nOK,0,2.5\nNG,abc,0\n", "line 3, column 'OK': 'abc' is not a cost"),
        ("defect,OK,NG\n\nOK,0,\nNG,4,0\n", "line 3, column 'NG': the cell is empty"),
        ("defect,OK,NG\nOK,0,5 %\nNG,4,0\n", "line 2, column 'NG': '5 %' is not a cost"),
        ("defect,OK,NG\nOK,0,inf\nNG,4,0\n", "'inf' is not a cost"),
        ("defect,OK,NG\nOK,0,$5\nNG,4 EUR,0\n", "mixes currencies"),
        ("defect;OK;NG\nOK;0;2,5\nNG;4.5;0\n", "decimal points and others with decimal commas"),
        ("defect,OK,OK\nOK,0,2.5\nNG,4,0\n", "the decision 'OK' twice"),
        ("defect,OK,NG\nOK,0,2.5\nOK,4,0\n", "the class 'OK' twice"),
        ("defect,OK,\nOK,0,2.5\nNG,4,0\n", "more cells than the header"),
        ("defect,,NG\nOK,0,2.5\nNG,4,0\n", "a decision without a name"),
        ("defect,OK,NG\n,0,2.5\nNG,4,0\n", "line 2: the first cell must name the class"),
        ("defect,OK,NG\nOK,0\nNG,4,0\n", "line 2, column 'NG': the cell is empty"),
        ("defect,OK\nOK,0\n", "no cost table"),
        ("defect,OK,NG\n", "no rows"),
        ("", "is empty"),
    ],
)
def test_costs_that_are_wrong_are_named(put, text, message):
    with pytest.raises(ValueError, match=message):
        read_costs(put(text))


def test_negative_costs_are_said(put):
    (note,) = read_costs(put("defect,OK,NG\nOK,0,-2.5\nNG,4,0\n")).notes
    assert "1 negative cost" in str(note)
    assert (note.column, note.rows) == ("NG", (2,))


@pytest.mark.parametrize(
    ("text", "shares", "said"),
    [
        ("class,share\nok,0.95\nng,0.05\n", [0.95, 0.05], None),
        ("class;share\nok;0,95\nng;0,05\n", [0.95, 0.05], None),
        ("class,share\nok,95 %\nng,5%\n", [0.95, 0.05], None),
        ("class;share\nok;99,5 %\nng;0,005\n", [0.995, 0.005], None),
        ("class,share\nok,95\nng,5\n", [95, 5], None),
        ("class,share\nok,0.95\nng,0.5\n", [0.95, 0.5], "sum to 1.45; they are scaled"),
        ("class,share\nok,950\nng,40\n", [950, 40], "sum to 990"),
    ],
)
def test_shares(put, text, shares, said):
    read = read_shares(put(text))
    assert read.shares.tolist() == shares
    assert [*map(str, read.notes)] == [] if said is None else said in str(read.notes[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,share\nok,-1\nng,2\n", "line 2: the share '-1' is negative"),
        ("class,share\nok,x\nng,2\n", "line 2, column 'share': 'x' is not a share"),
        ("class,share\nok,0\nng,0\n", "only shares of 0"),
        ("class\nok\n", "two columns"),
        ("class,share,x\nok,1,1\n", "two columns"),
        ("class,share\nok,1\nok,2\n", "the class 'ok' twice"),
    ],
)
def test_shares_that_are_wrong_are_named(put, text, message):
    with pytest.raises(ValueError, match=message):
        read_shares(put(text))


def test_classes_of_a_table_are_those_of_the_parts():
    check_classes(["a", "b"], ["b", "a"], "c.csv", "--cost")
    with pytest.raises(
        ValueError, match=r"--cost c.csv lacks the classes 'crack'; it has 'Crack'.* did you mean"
    ):
        check_classes(["ok", "Crack"], ["ok", "crack"], "c.csv", "--cost")
    with pytest.raises(ValueError, match="has the classes 'x', which no part has"):
        check_classes(["ok", "x", "crack"], ["ok", "crack"], "c.csv", "--cost")


NAMES = (
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t")
        | st.sampled_from('";,|'),
        min_size=1,
        max_size=8,
    )
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(NAMES, min_size=2, max_size=4, unique=True), NAMES | st.just("first"))
def test_a_table_of_costs_reads_back_as_written(tmp_path_factory, names, target):
    path = tmp_path_factory.mktemp("costs") / "costs.csv"
    if target == "first":
        target = names[0]
    rows = [[target, *names]]
    rows += [[row, *(int(row != column) for column in names)] for row in names]
    write_text(str(path), table_text(rows), "utf-8-sig")
    matrix = read_costs(path).matrix
    assert matrix.index.tolist() == names
    assert matrix.columns.tolist() == names
    assert matrix.to_numpy().tolist() == [row[1:] for row in rows[1:]]


def test_an_existing_file_keeps_its_link_and_its_mode(tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    write_text(str(link), "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    before = os.umask(0o027)
    try:
        write_text(str(tmp_path / "fresh"), "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "link.json", "real.json"]


def test_a_link_to_nothing_yet_is_written_through(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(str(tmp_path / "link"), "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "x"


def test_devices_and_pipes_are_written_to_directly(tmp_path):
    write_text(os.devnull, "x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    check_outputs({"--json": str(pipe)}, [])
    write_text(str(pipe), "through")
    reader.join()
    assert got == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_names_that_are_no_utf8_are_escaped(tmp_path):
    name = os.fsdecode(b"\x95\x94\x95i")
    write_text(str(tmp_path / f"{name}.txt"), f"of {name}.csv")
    assert (tmp_path / f"{name}.txt").read_text() == "of \\udc95\\udc94\\udc95i.csv"


def test_outputs_are_checked_before(tmp_path):
    source, hard = tmp_path / "parts.csv", tmp_path / "hard.csv"
    source.write_text("x")
    hard.hardlink_to(source)
    (tmp_path / "link").symlink_to(source)
    for path in (source, hard, tmp_path / "link"):
        with pytest.raises(ValueError, match=r"--json .* would overwrite another file"):
            check_outputs({"--json": str(path)}, [str(source)])
    with pytest.raises(ValueError, match=r"--out .* would overwrite"):
        check_outputs({"--json": str(tmp_path / "x"), "--out": str(tmp_path / "x")}, [])
    with pytest.raises(ValueError, match="There is no folder nowhere for --out"):
        check_outputs({"--out": "nowhere/x"}, [])
    with pytest.raises(ValueError, match="is a folder"):
        check_outputs({"--out": str(tmp_path)}, [])
    check_outputs({"--out": os.devnull, "--json": os.devnull}, ["-"])


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(ValueError, match="cannot be written: Is a directory"):
        write_text(str(tmp_path), "x")
