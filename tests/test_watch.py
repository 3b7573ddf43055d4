"""``skperturb watch``: new parts, predictions and costs against those of the training."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skperturb import PerturbArgmaxClassifier
from skperturb.cli import main
from skperturb.evaluation import _texts
from skperturb.parts import preprocessor, read_parts
from skperturb.serving import Watch, costs_of, decisions_of, probabilities, save_model, train_model
from skperturb.serving._watch import lot_rows

pytest.importorskip("skops")

COSTS = pd.DataFrame({"pass": [50.0, 0.0], "scrap": [0.0, 5.0]}, index=["crack", "ok"])


def parts(rng, n, shift=0.0, worse=0.0, begin=0):
    """Parts in lots of ten, whose class depends on width and temperature."""
    table = pd.DataFrame(rng.normal(size=(n, 3)).round(4), columns=["width", "temp", "force"])
    table["machine"] = rng.choice(["A", "B", "C"], n)
    score = 1.5 * table["width"] - table["temp"] - 2 + rng.logistic(size=n)
    table["defect"] = np.where(score + worse > 0, "crack", "ok")
    table["width"] += shift
    table.loc[rng.random(n) < 0.05, "force"] = np.nan
    table["serial"] = [f"S{i}" for i in range(begin, begin + n)]
    table["lot"] = [f"L{i // 10}" for i in range(begin, begin + n)]
    return table


def train(folder, table, **options):
    path = folder / "train.csv"
    table.to_csv(path, index=False)
    drop = [name for name in ("serial", "lot") if name not in options.values()]
    read = read_parts(path, "defect", drop=drop, **options)
    pipeline = make_pipeline(preprocessor(), PerturbArgmaxClassifier("gumbel"))
    model = train_model(pipeline, read, cost_matrix=COSTS)
    model.account.update(target="defect", roles=options, date="today", sha256={})
    save_model(folder / "model.skops", model)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("watch")


@pytest.fixture(scope="module")
def model(folder):
    return train(folder, parts(np.random.default_rng(1), 800))


@pytest.fixture
def rng():
    return np.random.default_rng(2)


@pytest.fixture
def watch(folder, model, tmp_path, capsys):
    """Runs the command on tables: exit code, output, errors."""

    def run(table, *more, labels=None, name="new.csv", at=folder):
        path = tmp_path / name
        table.to_csv(path, index=False)
        if labels is not None:
            labels.to_csv(tmp_path / "labels.csv", index=False)
            more = (*more, "--labels", tmp_path / "labels.csv")
        try:
            code = main(["watch", str(at / "model.skops"), str(path), *map(str, more)])
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return run


def test_quiet_then_a_shift(watch, rng, tmp_path):
    state = tmp_path / "state.json"
    code, out, err = watch(parts(rng, 400), "--state", state)
    assert code == 0, err
    assert out.startswith("No sign of a change")
    assert "400 parts in 2 batches" in out
    assert "gives an alarm is at most 5" in out
    _, out, _ = watch(parts(rng, 400, shift=1.0), "--state", state, name="b.csv")
    assert out.startswith("The process has changed")
    assert "Feature width: alarm at batch 3, changed most likely since batch 3." in out
    assert "Feature temp" not in out


def test_costs_by_name_also_of_earlier_parts(watch, rng, tmp_path, model):
    state, more = tmp_path / "state.json", ("--id", "serial")
    table = parts(rng, 600, worse=2.0)
    _, out, _ = watch(table.drop(columns="defect"), "--state", state, *more)
    assert "Costs are not watched" in out
    labels = table[["serial", "defect"]].sample(frac=1, random_state=0)
    later = parts(rng, 200, begin=1000).drop(columns="defect")
    code, out, err = watch(later, "--state", state, *more, labels=labels, name="b.csv")
    assert code == 0, err
    assert out.startswith("The model's costs are not what they were")
    decisions, expected = decisions_of(model, table)
    came = costs_of(model, table["defect"], decisions)
    kept = json.loads(state.read_text())
    assert kept["watch"]["came"] == came.sum()
    assert kept["watch"]["expected"] == pytest.approx(expected.sum(), rel=1e-9)
    assert len(kept["waiting"]) == 200
    _, _, err = watch(later, "--state", state, *more, labels=labels, name="b.csv")
    assert "600 labels of" in err
    assert json.loads(state.read_text())["watch"] == kept["watch"]


def test_labels_row_by_row(watch, rng):
    table = parts(rng, 300)
    code, out, err = watch(table.drop(columns="defect"), labels=table[["defect"]])
    assert code == 0, err
    assert "300 parts with labels" in out
    code, _, err = watch(table, labels=table[["defect"]][:200])
    assert code == 2
    assert "--id" in err


def test_a_file_that_grows_is_what_several_files_are(watch, rng, tmp_path):
    table = parts(rng, 600)
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    for n in (200, 200, 400, 600):
        watch(table[:n], "--state", one)
    for start in (0, 200, 400):
        watch(table[start : start + 200], "--state", two, name=f"{start}.csv")
    states = [json.loads(path.read_text())["watch"] for path in (one, two)]
    assert states[0] == states[1]
    assert "0 new parts of 600 parts" in watch(table, "--state", one, name="other.csv")[2]


def test_a_changed_file_is_refused(watch, rng, tmp_path):
    table, state = parts(rng, 200), tmp_path / "state.json"
    watch(table, "--state", state)
    before = state.read_text()
    table.loc[5, "width"] += 1
    code, _, err = watch(table, "--state", state)
    assert code == 2
    assert "some were changed, moved or removed" in err
    assert state.read_text() == before


def test_batches_by_column(watch, rng, tmp_path):
    table = parts(rng, 90).assign(day=np.repeat(["mon", "tue", "wed"], [50, 10, 30]))
    state = tmp_path / "state.json"
    code, out, _ = watch(table, "--batch", "day", "--state", state)
    assert code == 0
    assert "90 parts in 3 batches" in out
    monitor = json.loads(json.loads(state.read_text())["watch"]["monitors"]["features"])
    assert [entry["rows"] for entry in monitor["history"]] == [50, 10, 30]


@pytest.mark.parametrize(
    ("change", "more", "text"),
    [
        (lambda t: t, ["--batch", "0"], "no size of a batch"),
        (lambda t: t, ["--batch", "day"], "no column 'day'"),
        (lambda t: t.drop(columns="temp"), [], "no column 'temp'"),
        (lambda t: t.assign(serial="S1"), ["--id", "serial"], "names a second part 'S1'"),
        (lambda t: t.assign(serial=""), ["--id", "serial"], "column 'serial' is empty"),
        (lambda t: t, ["--out", "page.pdf"], "must end with .html"),
    ],
)
def test_what_is_refused(watch, rng, change, more, text):
    code, _, err = watch(change(parts(rng, 50)), *more)
    assert code == 2
    assert text in err


def test_unknown_labels_are_refused(watch, rng):
    table = parts(rng, 50)
    code, _, err = watch(table, labels=table[["defect"]].replace("ok", "OK?"))
    assert code == 2
    assert "'OK?' is no class of the model" in err
    assert "line" in err


def test_another_setting_needs_another_state(watch, rng, tmp_path):
    state = tmp_path / "state.json"
    watch(parts(rng, 50), "--state", state)
    code, _, err = watch(parts(rng, 50), "--state", state, "--batch", "100")
    assert code == 2
    assert "another --batch" in err
    kept = json.loads(state.read_text())
    kept["watch"]["monitors"]["features"] = "{}"
    state.write_text(json.dumps(kept))
    code, _, err = watch(parts(rng, 50), "--state", state)
    assert code == 2
    assert "is damaged" in err


@pytest.mark.parametrize("lang", _texts.LANGUAGES)
def test_the_page(watch, rng, tmp_path, lang):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    table = pd.concat([parts(rng, 200), parts(rng, 400, shift=1.5, worse=2, begin=200)])
    table.loc[rng.random(len(table)) < 0.4, "temp"] = np.nan
    page = tmp_path / "page.html"
    more = ("--out", page, "--lang", lang, "--id", "serial")
    code, out, err = watch(table.reset_index(drop=True), *more, labels=table)
    assert code == 0, err
    text = page.read_text(encoding="utf-8")
    assert out.splitlines()[0] in text
    assert text.count("<svg") == 3
    assert "{" not in text.partition("<body>")[2]
    assert {"en": "missing:", "ja": "欠測"}[lang] in text
    assert len(text) < 200_000


# --- Lots


def test_rows_of_lots():
    table = pd.DataFrame({"x": [1.0, 3.0, np.nan, 5.0], "c": [None, "a", "b", "c"]})
    rows = lot_rows(table, ["p", "p", "q", "q"])
    assert rows["x"].tolist() == [2.0, 5.0]
    assert rows["c"].isna().tolist() == [True, False]


def test_a_model_with_lots_compares_lots(watch, rng, tmp_path):
    train(tmp_path, parts(rng, 400), groups="lot")
    state = tmp_path / "state.json"
    table = parts(rng, 200)
    code, out, err = watch(table, "--state", state, at=tmp_path)
    assert code == 0, err
    assert "190 new parts of 200 parts used, 10 of the last lot waiting" in err
    more = pd.concat([table, parts(rng, 200, begin=200)])
    watch(more, "--state", state, at=tmp_path)
    monitor = json.loads(json.loads(state.read_text())["watch"]["monitors"]["features"])
    assert monitor["n_reference"] == 40
    assert [entry["rows"] for entry in monitor["history"]] == [19, 20]
    _, out, _ = watch(table, "--batch", "100", "--labels", tmp_path / "new.csv", at=tmp_path)
    assert "200 parts with labels" in out


def test_few_lots_are_said(watch, rng, tmp_path):
    train(tmp_path, parts(rng, 100), groups="lot")
    code, _, err = watch(parts(rng, 50), at=tmp_path)
    assert code == 0
    assert "too few lots" in err


# --- What the model file keeps


def test_the_file_keeps_what_the_watch_needs(model):
    watch = Watch.of(model)
    alphas = {name: 1 - monitor.confidence for name, monitor in watch.monitors.items()}
    assert alphas == pytest.approx({"features": 0.025, "predictions": 0.0125, "costs": 0.0125})
    assert watch.monitors["predictions"].columns == ["ok"]
    assert watch.before["came"] > 0
    assert Watch.from_dict(watch.to_dict()).to_dict() == watch.to_dict()


def test_costs_are_those_of_the_table(model, rng):
    table = parts(rng, 100)
    decisions, expected = decisions_of(model, table)
    proba = probabilities(model, table)
    by_hand = proba @ COSTS.to_numpy()
    assert (decisions == by_hand.argmin(axis=1)).all()
    assert np.allclose(expected, by_hand.min(axis=1))
    assert costs_of(model, ["crack", "ok"], [0, 1]).tolist() == [50.0, 5.0]


def test_an_enriched_study_is_thinned_to_the_line(folder, rng):
    """The reference then has the shares of the line: every crack in twenty, say."""
    path = folder / "enriched.csv"
    parts(rng, 2000).to_csv(path, index=False)
    read = read_parts(path, "defect", drop=["serial", "lot"])
    pipeline = make_pipeline(preprocessor(), PerturbArgmaxClassifier("gumbel"))
    line = pd.Series({"crack": 0.01, "ok": 0.99})
    model = train_model(pipeline, read, prevalence=line)
    cracks, oks = (int((read.target == name).sum()) for name in ("crack", "ok"))
    kept = Watch.of(model).monitors["features"].n_reference
    expected = oks + cracks * (0.01 / cracks) / (0.99 / oks)
    assert abs(kept - expected) < 5 * np.sqrt(cracks)
    assert kept >= oks


def test_a_model_without_a_reference_is_refused(model):
    bare = type(model)(model.pipeline, model.account | {"watch": None}, model.arrays)
    with pytest.raises(ValueError, match="train the model again"):
        Watch.of(bare)


def test_parts_of_exports_that_overlap_are_used_once(watch, rng, tmp_path):
    table = parts(rng, 500)
    labels, more = table[["serial", "defect"]], ("--id", "serial", "--batch", "100")
    kept = []
    for name, slices in {"one": [(0, 300), (200, 500)], "two": [(0, 300), (300, 500)]}.items():
        state = tmp_path / f"{name}.json"
        for start, stop in slices:
            part = table[start:stop].drop(columns="defect")
            code, out, err = watch(
                part, "--state", state, *more, labels=labels, name=f"{name}{start}.csv"
            )
            assert code == 0, err
        assert "500 parts with labels" in out
        assert ("note: 100 parts left out, because an earlier call" in err) == (name == "one")
        assert "200 new parts of" in err
        kept.append(json.loads(state.read_text()))
    assert kept[0]["watch"] == kept[1]["watch"]
    assert kept[0]["seen"] == kept[1]["seen"]


def test_a_part_of_two_labels_is_refused(watch, rng):
    table = parts(rng, 200)
    labels = table[["serial", "defect"]]
    same = pd.concat([labels, labels])
    code, _, err = watch(table.drop(columns="defect"), "--id", "serial", labels=same)
    assert code == 0, err
    names = sorted(set(labels["defect"]))
    other = dict(zip(names, names[1:] + names[:1], strict=True))
    both = pd.concat([labels, labels.assign(defect=labels["defect"].map(other))])
    code, _, err = watch(table.drop(columns="defect"), "--id", "serial", labels=both)
    assert code == 2
    assert "has a second label" in err


def test_labels_of_other_parts_only(watch, rng):
    table = parts(rng, 200)
    labels = table[["serial", "defect"]].assign(serial="none" + table["serial"].astype(str))
    _, out, err = watch(table.drop(columns="defect"), "--id", "serial", labels=labels)
    assert "200 labels of" in err
    assert "no label of a watched part was given" in out


def test_a_state_belongs_to_one_model_also_of_the_same_minute(watch, rng, tmp_path):
    state, at = tmp_path / "state.json", tmp_path / "other"
    at.mkdir()
    training = parts(np.random.default_rng(1), 800)
    assert watch(parts(rng, 200), "--state", state)[0] == 0
    train(at, training.drop(columns="temp"))
    code, _, err = watch(parts(rng, 200, begin=300), "--state", state, at=at, name="b.csv")
    assert code == 2
    assert "was begun with another model" in err
