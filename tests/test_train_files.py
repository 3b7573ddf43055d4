"""``skperturb train`` and ``predict`` on Parquet files, in blocks: the model of all rows."""

import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skperturb import PerturbArgmaxClassifier
from skperturb.blocks import arrays, fit_preprocessor
from skperturb.cli import main
from skperturb.parts import (
    Parts,
    _parquet,
    _part_files,
    parquet_files,
    preprocessor,
    read_part_files,
    read_parts,
)
from skperturb.serving import _folds, _train_files, load_model, train_files, train_model
from skperturb.serving._folds import Folds
from skperturb.serving._performance import performance

from .conftest import IDENTITY

pytest.importorskip("pyarrow", exc_type=ImportError)
pytest.importorskip("skops")

SAME = 1e-7  # of coefficients of two fits at their usual tol, from features that differ by rounding
N, CUTS = 400, (0, 90, 230, 400)


def table(seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "width": rng.normal(80, 1, N),
            "gap": rng.gamma(2, size=N),
            "machine": rng.choice(["A", "B"], N),
            "checked": rng.random(N) < 0.5,
            "serial": [f"S{k:05d}" for k in range(N)],
            "made": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 10**6, N), "s"),
            "lot": np.arange(N) // 20,
            "weight": rng.integers(0, 3, N).astype(float),
        }
    )
    score = frame["width"] - 80 + (frame["machine"] == "A") + rng.gumbel(size=N)
    frame["defect"] = np.where(score > 1.2, "dent", np.where(score < -0.5, "burr", "ok"))
    frame.loc[::17, "gap"] = np.nan
    frame.loc[3::29, "machine"] = None
    return frame


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of three files, and the same rows in one file."""
    monkeypatch.chdir(tmp_path)
    frame = table()
    Path("lots").mkdir()
    for k, (start, stop) in enumerate(pairwise(CUTS)):
        frame[start:stop].to_parquet(f"lots/{k}.parquet", index=False)
    frame.to_parquet("all.parquet", index=False)
    pd.DataFrame({"class": ["burr", "dent", "ok"], "pass": [5, 9, 0], "scrap": [1, 1, 1]}).to_csv(
        "costs.csv", index=False
    )
    return tmp_path


def train(*arguments, name="model"):
    out = f"{name}.skops"
    assert main(["train", *arguments, "--target", "defect", "--out", out]) == 0
    return load_model(out)


@pytest.fixture
def two_folds(monkeypatch):
    monkeypatch.setattr(_folds, "FOLDS", 2)


OPTIONS = ["--estimator", "perturb_argmax:gumbel", "--groups", "lot", "--weight", "weight"]
OPTIONS += ["--cost", "costs.csv", "--good", "ok"]


@pytest.mark.parametrize(("many", "strength"), [("lots", []), ("lots/*.parquet", ["--C", "inf"])])
def test_the_model_is_that_of_one_file(folder, many, strength, capsys):
    one = train("all.parquet", *OPTIONS, *strength, name="one")
    blocks = train(many, *OPTIONS, *strength, name="many")
    assert_allclose(blocks.pipeline[-1].coef_, one.pipeline[-1].coef_, atol=SAME)
    assert blocks.account.keys() == one.account.keys()
    for key in ("classes", "model", "costs", "columns", "parts", "roles", "reasons"):
        assert blocks.account[key] == one.account[key], key
    assert blocks.account["notes"][:2] == one.account["notes"]
    # Without a penalty, a fit that left out lots is separated.
    further = ["In 1 of the 5 fits by which the performance is measured: The features seem to"]
    assert [text[: len(further[0])] for text in blocks.account["notes"][2:]] == (
        further if strength else []
    )
    assert blocks.account["source"] == "3 files of lots"
    assert list(blocks.account["sha256"]) == ["0.parquet", "1.parquet", "2.parquet"]
    assert blocks.account["performance"]["method"] == "out_of_fold_blocks"
    assert blocks.account["performance"]["lots"]
    assert blocks.account["watch"]["by_lot"] == one.account["watch"]["by_lot"]
    assert blocks.arrays.keys() == one.arrays.keys()
    for key in ("familiar_center", "familiar_root", "familiar_limit"):
        assert_array_equal(blocks.arrays[key], one.arrays[key])
    for key in ("design_mean", *(["covariance", "covariance_df"] if strength else [])):
        assert_allclose(blocks.arrays[key], one.arrays[key], rtol=1e-6, atol=IDENTITY)
    assert (blocks.account["intervals"] is None) == bool(strength)
    assert "has not seen its lot, in 5-fold" in capsys.readouterr().out
    assert "has not seen its lot, in 5-fold" in Path("many.html").read_text()


@pytest.mark.usefixtures("two_folds")
def test_predictions_of_folders(folder, capsys):
    train("lots", *OPTIONS)
    predict = ["predict", "model.skops"]
    assert main([*predict, "all.parquet", "--id", "serial", "--out", "one.csv"]) == 0
    assert main([*predict, "lots", "--id", "serial", "--out", "many.csv"]) == 0
    one, many = pd.read_csv("one.csv"), pd.read_csv("many.csv")
    assert many.columns.tolist() == ["file", *one.columns]
    assert (
        many["file"].tolist()
        == np.repeat(["0.parquet", "1.parquet", "2.parquet"], np.diff(CUTS)).tolist()
    )
    assert many["line"].tolist() == [k for n in np.diff(CUTS) for k in range(1, n + 1)]
    pd.testing.assert_frame_equal(many.drop(columns=["file", "line"]), one.drop(columns="line"))
    # Columns are found by their names in every file.
    again = pd.read_parquet("lots/1.parquet")
    again[again.columns[::-1]].to_parquet("lots/1.parquet", index=False)
    assert main([*predict, "lots/*.parquet", "--id", "serial", "--out", "again.csv"]) == 0
    assert Path("again.csv").read_bytes() == Path("many.csv").read_bytes()
    again.rename(columns={"gap": "gap_mm"}).to_parquet("lots/1.parquet", index=False)
    capsys.readouterr()
    assert main([*predict, "lots", "--out", "none.csv"]) == 2
    assert "lots/1.parquet has no column 'gap', which the model needs" in capsys.readouterr().err
    assert not Path("none.csv").exists()


def held_of(*arguments, **options):
    return read_part_files(parquet_files(*arguments), "defect", **options)


PIPELINE = make_pipeline(preprocessor(), PerturbArgmaxClassifier("gumbel"))


@pytest.mark.parametrize("groups", ["lot", None])
def test_the_performance_is_that_of_fits_without_the_fold(folder, groups):
    """Against fits in memory on the rows of the other folds, and figures of all rows at once."""
    held = held_of(["lots"], groups=groups, weight="weight", drop=["lot"] if not groups else [])
    costs = pd.read_csv("costs.csv", index_col=0)
    shares = pd.Series({"burr": 0.1, "dent": 0.2, "ok": 0.7})
    found = train_files(PIPELINE, held, cost_matrix=costs, prevalence=shares, good="ok").account
    folds = Folds.of(held, 0)
    assert folds.by == ("lots" if groups else "files")
    assert folds.number == (5 if groups else 3)
    blocks = list(held.blocks())
    fold = np.concatenate([folds.among(b.file, b.rows, b.lots) for b in blocks])
    parts = read_parts(
        "all.parquet", "defect", groups=groups, weight="weight", drop=() if groups else ["lot"]
    )
    if groups:
        assert len(set(zip(fold, parts.groups, strict=True))) == parts.groups.nunique()
    labels, weight = parts.target.to_numpy(dtype=object).astype(str), parts.weight.to_numpy()
    design = clone(PIPELINE[0]).fit_transform(parts.features)
    proba = np.full((N, 3), np.nan)
    for one in range(folds.number):
        trained = fold != one
        clf = clone(PIPELINE[-1]).fit(design[trained], labels[trained], weight[trained])
        proba[~trained] = clf.predict_proba(design[~trained])
    expected = performance(proba, labels, found["classes"], parts, costs, shares, "ok")
    for name in ("log_loss", "brier", "accuracy", "cost"):
        for what in ("value", "std_err"):
            got = found["performance"][name][what]
            assert_allclose(got, expected[name][what], rtol=1e-5, err_msg=f"{name} {what}")
    assert found["performance"]["classes"] == expected["classes"]
    assert found["performance"]["policies"] == expected["policies"]


@pytest.mark.usefixtures("two_folds")
def test_the_size_of_blocks_does_not_matter(folder, monkeypatch):
    usual = train_files(PIPELINE, held_of(["lots"], groups="lot"))
    monkeypatch.setattr(_parquet, "_ROWS", 100)
    small = train_files(PIPELINE, held_of(["lots"], groups="lot"), scratch=".")
    assert_allclose(small.pipeline[-1].coef_, usual.pipeline[-1].coef_, atol=SAME)
    for key in ("log_loss", "accuracy"):
        assert_allclose(
            small.account["performance"][key]["value"],
            usual.account["performance"][key]["value"],
            rtol=1e-6,
        )
    assert sorted(path.name for path in Path().iterdir()) == ["all.parquet", "costs.csv", "lots"]


def test_classes_without_weight_or_in_one_lot(folder):
    """As in memory: they are classes, and a fit that has not seen one gives it nothing."""
    for k in range(3):
        part = pd.read_parquet(f"lots/{k}.parquet")
        part.loc[part["defect"] == "burr", "weight"] = 0.0
        part.loc[part["lot"] == 0, "defect"] = "stain"
        part.to_parquet(f"lots/{k}.parquet", index=False)
    frame = pd.concat([pd.read_parquet(f"lots/{k}.parquet") for k in range(3)])
    frame.to_parquet("all.parquet", index=False)
    with pytest.warns(UserWarning, match="weight"):
        model = train_files(PIPELINE, held_of(["lots"], groups="lot", weight="weight"))
    with pytest.warns(UserWarning, match="weight"):
        one = train_model(
            PIPELINE, read_parts("all.parquet", "defect", groups="lot", weight="weight")
        )
    assert model.classes == one.classes == ["burr", "dent", "ok", "stain"]
    features = read_parts("all.parquet", "defect", groups="lot", weight="weight").features
    assert_allclose(
        model.pipeline.predict_proba(features), one.pipeline.predict_proba(features), atol=1e-6
    )
    right = {row["class"]: row["right"] for row in model.account["performance"]["classes"]}
    assert right["stain"] == 0.0


def test_a_full_disk_is_one_sentence(folder):
    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

    held = held_of(["lots"], groups="lot")
    prepare = fit_preprocessor(
        preprocessor(), arrays(lambda: [(b.features, b.labels) for b in held.blocks()])
    )
    with pytest.raises(ValueError, match=r"temporary file \(No space left on device\)"):
        _train_files._Designs(held, prepare, Folds.of(held, 0), Full())


def test_kinds_are_judged_by_a_sample_and_counted_in_all_rows(folder, monkeypatch):
    whole = held_of(["lots"], groups="lot")
    frame = table()
    frame.loc[5, "defect"] = None
    frame.to_parquet("lots/0.parquet", index=False)
    monkeypatch.setattr(_part_files, "_SAMPLE", 100)
    sampled = held_of(["lots/0.parquet", "lots/1.parquet"], groups="lot")
    assert [c.name for c in sampled.columns] == [c.name for c in whole.columns]
    width, gap, machine = sampled.columns[:3]
    held = pd.concat([frame.drop(index=5), table()[90:230]])
    assert (width.low, width.high) == (held["width"].min(), held["width"].max())
    assert width.quantiles[0] == width.low
    assert width.quantiles[-1] == width.high
    assert gap.missing == pytest.approx(held["gap"].isna().mean())
    assert machine.categories == held["machine"].value_counts().to_dict()
    assert sampled.counts == held["defect"].value_counts().to_dict()
    assert sampled.lots == held["lot"].astype(str).value_counts().to_dict()
    notes = [note.text for note in sampled.notes]
    assert "left out 1 row that have no value in 'defect'" in notes
    assert any("judged by" in text and "of 539 parts" in text for text in notes)
    # The same files give the same sample.
    assert held_of(["lots/0.parquet", "lots/1.parquet"], groups="lot").notes == sampled.notes


def test_how_parts_are_left_out(folder):
    held = held_of(["lots"], drop=["lot"])
    assert Folds.of(held, 0).by == "files"
    frame = table()
    for name, rows in frame.groupby("defect"):  # a file for each class
        rows.to_parquet(f"lots/{name}.parquet", index=False)
    by_class = held_of([f"lots/{name}.parquet" for name in ("burr", "dent", "ok")], drop=["lot"])
    folds = Folds.of(by_class, 0)
    assert folds.by == "rows"
    fold = np.concatenate([folds.among(b.file, b.rows, b.lots) for b in by_class.blocks()])
    assert (np.bincount(fold) > N / 10).all()
    assert len(np.bincount(fold)) == folds.number
    frame.assign(lot="L1").to_parquet("lots/ok.parquet", index=False)
    with pytest.raises(ValueError, match="The parts are of one lot"):
        Folds.of(read_part_files(["lots/ok.parquet"], "defect", groups="lot"), 0)
    two = frame[frame["defect"] != "ok"]
    two.assign(lot=two["defect"]).to_parquet("lots/ok.parquet", index=False)
    with pytest.raises(ValueError, match="one class is left"):
        Folds.of(read_part_files(["lots/ok.parquet"], "defect", groups="lot"), 0)


def test_which_files_are_read_in_blocks(folder, monkeypatch):
    files = [str(Path("lots", f"{k}.parquet")) for k in range(3)]
    assert parquet_files(["lots"]) == parquet_files(["lots/*.parquet"]) == files
    assert parquet_files(files) == files
    assert parquet_files(["lots/0.parquet"]) is None
    assert parquet_files(["parts.csv"]) is None
    assert parquet_files(["a.csv", "b.csv"]) is None
    monkeypatch.setattr(_parquet, "_SHARE", 1e-9)
    assert parquet_files(["lots/0.parquet"]) == ["lots/0.parquet"]
    assert parquet_files(["lots/0.parquet"], sized=False) is None
    Path("empty").mkdir()
    for paths, sentence in (
        (["empty"], "The folder empty holds no .parquet file"),
        (["none-*.parquet"], "No file has a name like 'none-"),
        (["lots", "costs.csv"], "'costs.csv' is none: name that file alone"),
        (["lots", "lots/0.parquet"], "is named twice"),
    ):
        with pytest.raises(ValueError, match=sentence):
            parquet_files(paths)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--estimator", "logistic_regression"], "perturb_argmax:gumbel is logistic regression"),
        (["--estimator", "additive"], "'additive' is fitted in memory only"),
        (["--sheet", "a"], "--encoding and --sheet are not for Parquet files"),
        (["--groups", "lots"], "has no column 'lots'; its columns are"),
        (["--weight", "width", "--good", "oк"], "is not a class; the classes are"),
        (["--weight", "gap"], "holds no weight from 0 on in line"),
        (["--groups", "machine"], "names no lot for"),
    ],
)
def test_what_is_refused(folder, arguments, sentence, capsys):
    assert main(["train", "lots", "--target", "defect", *arguments, "--out", "m.skops"]) == 2
    err = capsys.readouterr().err
    assert sentence in err.splitlines()[-1]
    assert not Path("m.skops").exists()


@pytest.mark.usefixtures("two_folds")
def test_files_with_other_columns_or_none_are_refused(folder, capsys):
    study = ["train", "lots", "--target", "defect", *OPTIONS, "--out", "m.skops"]
    table()[:30].rename(columns={"gap": "gap_mm"}).to_parquet("lots/3.parquet", index=False)
    assert main(study) == 2
    assert "do not have the same columns; only one of them has 'gap'" in capsys.readouterr().err
    Path("lots/3.parquet").write_bytes(b"PAR1 and nothing else")
    assert main(study) == 2
    err = capsys.readouterr().err
    assert "lots/3.parquet is a Parquet file that cannot be read" in err
    # A file without rows says nothing.
    table()[:0].to_parquet("lots/3.parquet", index=False)
    assert main(study) == 0
    assert main(["predict", "m.skops", "lots", "--out", "d.csv"]) == 0
    assert len(pd.read_csv("d.csv")) == N
    capsys.readouterr()
    assert main(["train", "lots/0.parquet", "lots/4.parquet", *study[2:]]) == 2
    assert "There is no file lots/4.parquet" in capsys.readouterr().err


def test_the_watch_keeps_whole_lots(folder, monkeypatch):
    monkeypatch.setattr(_train_files, "_MOST_KEPT", 250)
    designs = SimpleNamespace(held=held_of(["lots"], groups="lot"))
    assert len(_train_files._LastPass(designs, seed=0)._lots) == 12  # of 20 parts each


@pytest.mark.usefixtures("two_folds")
def test_options_of_a_folder_from_a_file(folder, capsys):
    train("lots", *OPTIONS, "--save-config", "study.toml")
    before = load_model("model.skops")
    assert main(["train", "--config", "study.toml"]) == 0
    assert_array_equal(load_model("model.skops").pipeline[-1].coef_, before.pipeline[-1].coef_)
    assert (
        main(["predict", "model.skops", "lots", "--out", "d.csv", "--save-config", "p.toml"]) == 0
    )
    first = Path("d.csv").read_bytes()
    assert main(["predict", "--config", "p.toml"]) == 0
    assert Path("d.csv").read_bytes() == first


def test_model_in_memory_is_unchanged_by_the_way_figures_are_made(folder):
    """The account of an ordinary model is JSON, with the figures of its own parts."""
    parts = read_parts("all.parquet", "defect", groups="lot")
    assert isinstance(parts, Parts)
    account = train_model(PIPELINE, parts).account
    assert json.loads(json.dumps(account))["performance"]["method"] == "leave_lot_out"
