"""Options from a file: what is read, written and refused, for every command."""

import sys
import time
import tomllib
from pathlib import Path

import pytest
from sklearn.dummy import DummyClassifier

from skperturb.cli import _config, _main, main
from skperturb.cli._progress import Progress, StillWorking, spoken
from skperturb.evaluation import compare_classifiers

from ._data import parts_of_lots

QUICK = ["--estimators", "logistic_regression", "class_frequencies", "--cv", "1x2"]


@pytest.fixture(autouse=True)
def without_fits(monkeypatch, tmp_path):
    def stub(estimators, *arguments, **options):
        return compare_classifiers(
            dict.fromkeys(estimators, DummyClassifier()), *arguments, **options
        )

    monkeypatch.setattr("skperturb.cli._compare.compare_classifiers", stub)
    monkeypatch.chdir(tmp_path)
    parts_of_lots().to_csv("parts.csv", index=False)


def options_of(*arguments):
    """What a command line stands for, without what is no part of the study."""
    options = _main._options(list(arguments))
    _config.save(options)
    options = vars(options)
    own = ("config", "save_config", "verbosity", "command", "parser", "name")
    return {key: value for key, value in options.items() if key not in own}


def test_a_study_is_repeated(capsys):
    study = ["compare", "parts.csv", "--target", "defect", "--groups", "lot", "--seed", "3"]
    study += ["--rope", "2.5", "--keep", "count", 'a "b"\\c\n', "良品", *QUICK]
    again = [*study, "--save-config", "study.toml"]
    given = options_of(*again)
    assert options_of("compare", "--config", "study.toml") == given
    text = Path("study.toml").read_text(encoding="utf-8")
    saved = tomllib.loads(text)["compare"]
    assert saved["cv"] == "1x2"
    assert saved["rope"] == 2.5
    assert saved["keep"] == ["count", 'a "b"\\c\n', "良品"]
    assert "--config study.toml" in text.splitlines()[0]
    repeated = _main._options(["compare", "--config", "study.toml"]).command
    assert repeated.startswith("skperturb compare parts.csv --target defect --keep count")


def test_a_file_of_options_overwrites_no_parts(capsys):
    before = Path("parts.csv").read_bytes()
    study = ["compare", "parts.csv", "--target", "defect", "--save-config"]
    assert main([*study, "parts.csv"]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert main([*study, "nowhere/study.toml"]) == 2
    assert Path("parts.csv").read_bytes() == before


def test_the_same_output(capsys):
    study = ["compare", "parts.csv", "--target", "defect", "--groups", "lot", *QUICK]
    assert main([*study, "--save-config", "study.toml", "--json", "a.json"]) == 0
    first = capsys.readouterr().out
    assert main(["compare", "--config", "study.toml", "--json", "b.json"]) == 0
    # Times of the fits differ.
    assert first.split("\n\n")[0] == capsys.readouterr().out.split("\n\n")[0]


def test_the_command_line_wins_and_names_may_be_shared():
    Path("study.toml").write_text(
        'target = "defect"\nparts = ["parts.csv"]\nseed = 4\n'
        '[compare]\nseed = 5\ncv = "2x5"\n[suspects]\ntop = 7\n'
    )
    compare = options_of("compare", "--config", "study.toml", "--cv", "1x3")
    assert (compare["seed"], compare["cv"], compare["parts"]) == (5, (1, 3), ["parts.csv"])
    assert options_of("compare", "other.csv", "--config=study.toml")["parts"] == ["other.csv"]
    suspects = options_of("suspects", "--config", "study.toml")
    assert (suspects["target"], suspects["top"], suspects["parts"]) == ("defect", 7, ["parts.csv"])


@pytest.mark.parametrize("name", sorted(_main._parser()[1]))
def test_every_option_of_every_command_can_be_in_a_file(name):
    """Each option, given on the command line with a value of its kind, comes back from a file."""
    parser = _main._parser()[1][name]
    examples = ["1", "0.5", "2x5", "en", "a b", "true"]
    arguments, chosen = [name], {}
    for key, action in _config._actions(parser).items():
        if not action.option_strings:
            arguments += ["parts.csv" if action.dest == "parts" else "file"]
            continue
        if action.nargs == 0:
            continue
        usable = action.choices or examples
        for text in map(str, usable):
            try:
                chosen[key] = _config._converted("-", key, text, action)
            except ValueError:
                continue
            arguments.append(f"--{key}={text}")
            break
        assert key in chosen
    given = options_of(*arguments, "--save-config", "all.toml")
    assert options_of(name, "--config", "all.toml") == given


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[compare]\nestimator = ['a']\n", "did you mean 'estimators'?"),
        ("[comparing]\nseed = 1\n", "which is no command; did you mean 'compare'?"),
        ("seeds = 1\n", "did you mean 'seed'?"),
        ("[compare]\nseed = -1\n", "not a whole number"),
        ("[compare]\nseed = [1]\n", "one value, not a list"),
        ("[compare]\nkeep = 'a'\n", "takes a list"),
        ("[compare]\ngood = true\n", "a text or a number"),
        ("[compare]\nmetric = 'costs'\n", "is one of 'cost', 'log_loss'"),
        ("[compare\n", "is not a TOML file"),
        ("[compare]\nqqq = 1\n", "there are 'parts', 'target'"),
    ],
)
def test_what_a_file_cannot_say_is_one_sentence(content, sentence, capsys):
    Path("study.toml").write_text(content)
    assert main(["compare", "--config", "study.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("skperturb: ")
    assert err.count("\n") == 1
    assert sentence in err


def test_no_such_file(capsys):
    assert main(["compare", "--config", "nowhere.toml"]) == 2
    assert "There is no file nowhere.toml" in capsys.readouterr().err


def test_quiet_and_verbose(capsys):
    study = ["compare", "parts.csv", "--target", "defect", *QUICK]
    assert main([*study, "--quiet"]) == 0
    quiet = capsys.readouterr()
    assert quiet.err == ""
    assert main(study) == 0
    usual = capsys.readouterr()
    assert "look like lots" in usual.err
    assert main([*study, "--verbose"]) == 0
    assert "done in" in capsys.readouterr().err
    assert quiet.out.split("\n\n")[0] == usual.out.split("\n\n")[0]


def test_quiet_keeps_warnings(capsys):
    frame = parts_of_lots(400)
    frame["disposition"] = frame["defect"].map({"ok": "ship", "crack": "scrap"})
    frame.to_csv("parts.csv", index=False)
    assert main(["compare", "parts.csv", "--target", "defect", "--quiet", *QUICK]) == 0
    err = capsys.readouterr().err
    assert err.startswith("warning: column 'disposition'")
    assert err.count("\n") == 1


class Clock:
    """A time that each fit moves on."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("skperturb.cli._progress.time.monotonic", lambda: self.now)


def test_minutes_are_promised_after_one_fit_of_each(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    seconds = {"quick": 1.0, "slow": 20.0}
    progress = Progress(sys.stderr, list(seconds))
    for name in seconds:
        clock.now += seconds[name]
        progress(name, 1, 10)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "quick: one fit takes 1.0 s",
        "slow: one fit takes 20 s",
        "18 more fits take about 3 min",
    ]
    for name in seconds:
        for done in range(2, 11):
            clock.now += seconds[name]
            progress(name, done, 10)
            assert progress.left(10) == pytest.approx(
                sum(seconds[n] * (10 - progress._done[n]) for n in seconds)
            )
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "quick: 10 fits done, about 3 min left in all"
    assert said[1].startswith("slow: 10 fits done")


def test_the_first_fits_come_first():
    frame, seen = parts_of_lots(), []
    X, y = frame[["count"]], frame["defect"]
    models = {"a": DummyClassifier(), "b": DummyClassifier()}
    compare_classifiers(
        models, X, y, n_splits=3, n_repeats=1, progress=lambda *told: seen.append(told)
    )
    assert seen == [
        *[("a", 1, 3), ("b", 1, 3)],
        *[("a", 2, 3), ("a", 3, 3), ("b", 2, 3), ("b", 3, 3)],
    ]


def test_there_are_signs_of_life_when_piped(monkeypatch, capsys):
    monkeypatch.setattr(StillWorking, "first", 0.01)
    with Progress(sys.stderr, ["slow", "b"]) as progress:
        time.sleep(0.05)
        progress("slow", 1, 2)
    assert "fitting slow for the first time, 0 s so far" in capsys.readouterr().err


def test_times_in_words():
    assert [spoken(s) for s in (0.04, 9, 89, 300, 7200)] == [
        *["0.0 s", "9.0 s", "89 s", "5 min", "2.0 h"]
    ]
