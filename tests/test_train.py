"""``skperturb train``, its model files, and that loading one runs nothing."""

import hashlib
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skperturb import PerturbArgmaxClassifier
from skperturb.cli import main
from skperturb.cli._compare import ESTIMATORS, estimator_named
from skperturb.evaluation import CostSensitiveClassifier
from skperturb.evaluation._texts import LANGUAGES
from skperturb.parts import preprocessor, read_parts
from skperturb.serving import (
    SavedModel,
    cost_table,
    decide,
    load_model,
    probabilities,
    save_model,
    train_model,
)
from skperturb.serving._linear_part import contributions, linear_part

from .conftest import IDENTITY

skops = pytest.importorskip("skops.io")

COSTS = pd.DataFrame({"pass": [9.0, 0], "rework": [2.0, 1]}, index=["dent", "ok"])
SHARES = pd.Series({"ok": 0.95, "dent": 0.05})


def table_of(n=120, seed=0):
    """Numbers with gaps, a category, lots; two classes."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"width": rng.normal(80, 2, n).round(2), "gap": rng.normal(size=n)})
    table["machine"] = rng.choice(["A", "B", "C"], n)
    score = (table["width"] - 80) / 2 + (table["machine"] == "B") + rng.logistic(size=n)
    table["defect"] = np.where(score > 0.3, "dent", "ok")
    table["gap"] = table["gap"].where(rng.random(n) > 0.1)
    table["lot"] = np.arange(n) // 6
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    table_of().to_csv(folder / "parts.csv", index=False)
    COSTS.to_csv(folder / "costs.csv")
    SHARES.to_csv(folder / "shares.csv")
    return folder


@pytest.fixture(scope="module")
def parts(folder):
    return read_parts(folder / "parts.csv", "defect", groups="lot")


@pytest.fixture(scope="module")
def trained(folder):
    """The model of a command with all its options."""
    out = folder / "all.skops"
    arguments = ["train", str(folder / "parts.csv"), "--target", "defect", "--groups", "lot"]
    arguments += ["--good", "ok", "--cost", str(folder / "costs.csv")]
    arguments += ["--prevalence", str(folder / "shares.csv"), "--C", "inf", "--out", str(out)]
    assert main(arguments) == 0
    return out


# --- Round trips


def quick(name):
    """The pipeline of a name, as few fits as it can do with."""
    pipeline = estimator_named(name)
    if name == "additive":
        pipeline[-1].set_params(n_knots=5, Cs=2, jumps=False)
    elif name == "perturb_argmax_cv":
        pipeline[-1].set_params(noises=("gumbel",), Cs=2)
    elif name == "gradient_boosting":
        pipeline[-1].set_params(max_iter=5)
    return pipeline


@pytest.mark.parametrize("name", [*ESTIMATORS, "perturb_softmax:uniform"])
def test_a_saved_model_predicts_the_same(name, parts, tmp_path):
    pipeline = quick(name)
    model = train_model(pipeline, parts, folds=2)
    try:
        save_model(tmp_path / "model.skops", model)
    except ValueError as error:
        # In older versions of scikit-learn a part of it does not know where it comes from.
        if name == "gradient_boosting" and "_loss.CyHalf" in str(error):
            pytest.skip(str(error))
        raise
    again = load_model(tmp_path / "model.skops")
    options = {}
    if name in ("additive", "perturb_argmax_cv"):
        options[f"{pipeline.steps[-1][0]}__groups"] = parts.groups
    fitted = clone(pipeline).fit(parts.features, parts.target.astype(object), **options)
    expected = fitted.predict_proba(parts.features)
    assert_allclose(again.pipeline.predict_proba(parts.features), expected, atol=IDENTITY, rtol=0)
    assert_array_equal(probabilities(again, parts.features), probabilities(model, parts.features))
    assert again.account["columns"] == model.account["columns"]


# --- A file that would run code


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def with_schema(content, change):
    """The same file with another schema, and its account."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            held = old.read(name)
            new.writestr(name, change(json.loads(held)) if name == "schema.json" else held)
    return out.getvalue()


def call_of(module, name, *arguments, loader="FunctionNode"):
    """Nodes by which skops would take a function, or call one."""
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "__id__": 1,
        "content": list(arguments),
    }


@pytest.mark.parametrize("loader", ["FunctionNode", "MethodNode", "OperatorFuncNode", "ReduceNode"])
def test_a_hostile_file_is_refused_and_runs_nothing(loader, trained, tmp_path, capsys):
    target = tmp_path / "made"
    path = tmp_path / "model.skops"

    def change(schema):
        schema["hidden"] = [{"deep": call_of("os", "mkdir", str(target), loader=loader)}]
        return json.dumps(schema)

    path.write_bytes(with_schema(trained.read_bytes(), change))
    assert main(["predict", str(path), str(trained.parent / "parts.csv")]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert "is refused: it holds os.mkdir" in err
    assert not target.exists()


def test_known_types_are_refused_where_they_would_be_called(trained, tmp_path):
    path = tmp_path / "model.skops"

    def change(schema):
        node = call_of("sklearn.pipeline", "Pipeline", loader="MethodNode")
        return json.dumps(schema | {"hidden": node})

    path.write_bytes(with_schema(trained.read_bytes(), change))
    with pytest.raises(ValueError, match=r"sklearn.pipeline.Pipeline \(MethodNode\)"):
        load_model(path)


def test_a_function_in_a_pipeline_is_refused(parts, tmp_path):
    X = parts.features[["width"]]
    model = make_pipeline(FunctionTransformer(np.log), StandardScaler(), PerturbArgmaxClassifier())
    model.fit(X, parts.target.to_numpy(dtype=object).astype(str))
    account = {"format": 1, "classes": ["dent", "ok"]}
    with pytest.raises(ValueError, match="which no model file may hold"):
        save_model(tmp_path / "model.skops", SavedModel(model, account))
    saved = io.BytesIO(skops.dumps({"pipeline": model, "arrays": {}}))
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("account.json", json.dumps(account))
    (tmp_path / "other.skops").write_bytes(saved.getvalue())
    with pytest.raises(ValueError, match=r"other\.skops is refused"):
        load_model(tmp_path / "other.skops")


@pytest.mark.parametrize("kind", ["text", "pickle", "empty", "zip", "cut", "deep"])
def test_what_is_no_model_file_is_refused(kind, trained, tmp_path):
    path, made = tmp_path / "model.skops", tmp_path / "made"
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "a")
    contents = {
        "text": b"width,defect\n1,ok\n",
        "pickle": pickle.dumps(Hostile(str(made))),
        "empty": b"",
        "zip": other.getvalue(),
        "cut": trained.read_bytes()[:-100],
        "deep": with_schema(trained.read_bytes(), lambda _: "[" * 100_000),
    }
    path.write_bytes(contents[kind])
    with pytest.raises(ValueError, match=r"^\S+ is no model file"):
        load_model(path)
    assert not made.exists()


def test_another_version_is_said(trained, tmp_path):
    model = load_model(trained)
    model.account["versions"]["scikit-learn"] = "0.24.1"
    save_model(tmp_path / "old.skops", model)
    with pytest.warns(UserWarning, match=r"written with scikit-learn 0.24.1"):
        load_model(tmp_path / "old.skops")


# --- The account


def test_the_account_says_where_a_model_comes_from(trained, folder):
    account = load_model(trained).account
    digest = hashlib.sha256((folder / "parts.csv").read_bytes()).hexdigest()
    assert account["sha256"] == {"parts.csv": digest}
    assert account["source"] == "parts.csv"
    assert account["classes"] == ["dent", "ok"]
    assert account["roles"] == {"groups": "lot"}
    assert account["costs"]["decisions"] == ["pass", "rework"]
    assert_allclose(account["prevalence"]["line"], [0.05, 0.95])
    assert [c["name"] for c in account["columns"]] == ["width", "gap", "machine"]
    assert [c["kind"] for c in account["columns"]] == ["number", "number", "category"]
    assert "--prevalence" in account["command"]
    assert {"skperturb", "scikit-learn", "numpy"} <= account["versions"].keys()
    assert account["performance"]["method"] == "leave_lot_out"


def test_decisions_are_those_of_the_comparison(trained, parts):
    """A classifier that decides by cost and converts to the line, as the comparison does."""
    model = load_model(trained)
    again = CostSensitiveClassifier(model.pipeline, COSTS, prevalence=SHARES)
    again.fit(parts.features, parts.target.astype(object).astype(str))
    found = decide(model, parts.features)
    expected = again.predict_proba(parts.features)
    shown = found[["probability_dent", "probability_ok"]].to_numpy()
    assert_allclose(shown, expected, atol=1e-6, rtol=0)
    assert_array_equal(found["decision"], again.predict(parts.features))
    assert_allclose(found["expected_cost"], (expected @ COSTS.to_numpy()).min(axis=1), atol=1e-5)
    assert_array_equal(cost_table(model), COSTS)


def test_performance_is_that_of_lots_left_out(parts):
    pipeline = make_pipeline(preprocessor(), PerturbArgmaxClassifier("gumbel"))
    figures = train_model(pipeline, parts).account["performance"]
    labels = parts.target.astype(object).astype(str)
    fitted = pipeline.fit(parts.features, labels)
    design = fitted[0].transform(parts.features)
    left = fitted[-1].leave_one_out(design, labels, groups=parts.groups)
    for name in ("log_loss", "accuracy"):
        expected = getattr(left, name)()
        assert_allclose(figures[name]["value"], expected.value, rtol=IDENTITY)
        assert_allclose(figures[name]["std_err"], expected.std_err, rtol=1e-9)


# --- Reasons, intervals, parts unlike any seen


@pytest.mark.parametrize("name", ["logistic_regression", "perturb_argmax", "additive"])
def test_contributions_make_the_difference_of_the_scores(name, parts):
    model = train_model(quick(name), parts, folds=2)
    part = linear_part(model.pipeline)
    design, mean = part.design(parts.features), model.arrays["design_mean"]
    first = np.ones(len(design), dtype=int)
    adds = contributions(part, design, mean, first, 1 - first)
    scores = model.pipeline.decision_function(parts.features)
    at_mean = mean @ part.classifier.coef_[0] + part.classifier.intercept_[0]
    assert_allclose(adds.sum(axis=1) + at_mean, scores, atol=1e-9)
    assert list(part.names) == list(parts.features)
    # Away from the first class, which is decided in the other direction.
    assert_allclose(contributions(part, design, mean, 1 - first, first), -adds, atol=IDENTITY)


def test_contributions_of_numbers_by_hand(parts):
    model = train_model(make_pipeline(preprocessor(), PerturbArgmaxClassifier("gumbel")), parts)
    coef = model.pipeline[-1].coef_[0]
    width = parts.features["width"]
    by_hand = coef[0] * (width - width.mean()) / width.std(ddof=0)
    part = linear_part(model.pipeline)
    n = len(width)
    adds = contributions(
        part,
        part.design(parts.features),
        model.arrays["design_mean"],
        np.ones(n, dtype=int),
        np.zeros(n, dtype=int),
    )
    assert_allclose(adds[:, 0], by_hand, atol=1e-9)


def test_reasons_name_values_and_effects(trained, parts):
    found = decide(load_model(trained), parts.features)
    text = found["reason_1"].iloc[0]
    assert text.startswith(("width = ", "machine = ", "gap "))
    assert float(text.rpartition(": ")[2]) != 0
    missing = parts.features["gap"].isna().to_numpy()
    reasons = found.loc[missing, ["reason_1", "reason_2", "reason_3"]].to_numpy().ravel()
    assert any(reason.startswith("gap missing: ") for reason in reasons)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_intervals_are_those_of_the_classifier(n_classes, parts):
    rng = np.random.default_rng(1)
    labels = parts.target.to_numpy(dtype=object).astype("<U9")
    labels[rng.choice(len(labels), 30, replace=False)] = ["dent", "scratch"][n_classes - 2]
    features = parts.features[["width"]]
    some = type(parts)(features, pd.Series(labels))
    model = train_model(make_pipeline(preprocessor(), PerturbArgmaxClassifier(C=np.inf)), some)
    assert model.account["intervals"] is None
    found = decide(model, features)
    clf, design = model.pipeline[-1], model.pipeline[0].transform(features)
    again = clone(clf).fit(design, labels)
    low, high = again.predict_proba_interval(design)
    places = pd.Index(model.classes).get_indexer(found["decision"])
    rows = np.arange(len(places))
    assert_allclose(found["interval_low"], low[rows, places], rtol=1e-6)
    assert_allclose(found["interval_high"], high[rows, places], rtol=1e-6)


def test_few_parts_of_the_same_process_are_unlike(parts):
    """Of 4000 new parts, with 1999 in the training: 2 / 2000 are expected."""
    table = table_of(1999, seed=1)
    some = type(parts)(table[["width", "gap"]], table["defect"])
    model = train_model(quick("class_frequencies"), some, folds=2)
    new = decide(model, table_of(4000, seed=2)[["width", "gap"]])
    assert (new["unlike"] == "yes").sum() < 15
    assert decide(model, pd.DataFrame({"width": [99.0], "gap": [0.0]}))["unlike"].tolist() == [
        "yes"
    ]


def test_a_tree_has_no_reasons(parts):
    model = train_model(quick("gradient_boosting"), parts, folds=2)
    assert not model.account["reasons"]
    assert "reason_1" not in decide(model, parts.features)


# --- The command


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_is_beside_the_model(lang, folder, capsys):
    out = folder / f"page_{lang}.skops"
    arguments = ["train", str(folder / "parts.csv"), "--target", "defect", "--groups", "lot"]
    arguments += ["--cost", str(folder / "costs.csv"), "--lang", lang, "--out", str(out)]
    assert main([*arguments, "--estimator", "class_frequencies"]) == 0
    page = out.with_suffix(".html").read_text()
    assert f'lang="{lang}"' in page
    assert "class_frequencies" in page.replace("<wbr>", "")
    assert str(folder) not in page.partition("--target")[0].rpartition("skperturb train")[0]
    assert ("ロット全体" in page or "交差検証" in page) == (lang == "ja")
    assert "without a model it would cost as much" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "model.pkl"], "must end with .skops"),
        (["--out", "m.skops", "--estimator", "forest"], "'forest' is no estimator"),
        (["--out", "m.skops", "--C", "-1"], "'-1' is not a positive number"),
        (["--out", "m.skops", "--C", "2", "--estimator", "additive"], "--C is for"),
        (["--out", "m.skops", "--good", "OK"], "did you mean 'ok'"),
        (["--out", "m.skops", "--card", "nowhere/page.html"], "There is no folder nowhere"),
        ([], "required: --out"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, said, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    try:
        code = main(["train", "parts.csv", "--target", "defect", *arguments])
    except SystemExit as stop:
        code = stop.code
    err = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note")]
    assert code == 2
    assert len(err) == 1
    assert said in err[0]


def test_a_missing_package_is_said(folder, monkeypatch, capsys):
    from skperturb.cli import _predict, _train

    for module in (_predict, _train):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    path = str(folder / "parts.csv")
    assert main(["train", path, "--target", "defect", "--out", str(folder / "n.skops")]) == 2
    assert main(["predict", str(folder / "n.skops"), path]) == 2
    assert capsys.readouterr().err.count("pip install 'skperturb[serve]'") == 2
