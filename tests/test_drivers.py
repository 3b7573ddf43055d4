"""What drives the classes: the effects of the page are those of a fit by hand."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline

from skperturb import PerturbArgmaxClassifier
from skperturb.additive import AdditiveClassifier
from skperturb.cli._compare import _without_folders, estimator_named, full_name
from skperturb.cli._drivers import drivers
from skperturb.parts import Parts

from .conftest import OPTIMUM


class Result:
    """What is asked of a comparison."""

    def __init__(self, y, *names, good=None):
        self.y, self.classes, self.good = y, np.unique(y), good
        self.predictions, self.confidence = dict.fromkeys(names), 0.9


def some_parts(n=240, seed=0):
    rng = np.random.default_rng(seed)
    x, machine = rng.normal(5, 3, n), rng.choice(["A", "B", "C"], n)
    score = 0.5 * (x - 5) + (machine == "B") + rng.logistic(size=n)
    y = pd.Series(np.where(score > 1, "dent", "ok"))
    features = pd.DataFrame({"width": x, "machine": machine, "constant": 1.0})
    lots = pd.Series([f"L{k // 8}" for k in range(n)])
    return Parts(features, y, groups=lots)


def test_effects_are_those_of_a_fit_without_penalty():
    parts = some_parts()
    result = Result(parts.target.to_numpy(), "logistic_regression", good="ok")
    found = drivers(parts, result, estimator_named)
    table = found["effects"].set_index("feature")
    assert table.index.tolist() == ["width", "machine_B", "machine_C"]
    width = parts.features["width"]
    Z = pd.DataFrame(
        {
            "width": (width - width.mean()) / width.std(ddof=0),
            "machine_B": (parts.features["machine"] == "B").astype(float),
            "machine_C": (parts.features["machine"] == "C").astype(float),
        }
    )
    model = PerturbArgmaxClassifier("gumbel", C=np.inf).fit(Z, parts.target)
    by_hand = model.marginal_effects(
        Z,
        parts.target,
        cov="cluster",
        groups=parts.groups,
        confidence=0.9,
        features={"w": "width", "m": ["machine_B", "machine_C"]},
    )
    by_hand = by_hand[by_hand["class"] == "dent"]
    columns = ["effect", "ci_low", "ci_high"]
    assert_allclose(table[columns].to_numpy(float), by_hand[columns], rtol=OPTIMUM)
    assert set(table["outcome"]) == {"Defect of any kind"}
    assert any("without the penalty" in note for note in found["notes"])


def test_features_that_separate_classes_have_effects_all_the_same():
    parts = some_parts()
    separated = pd.Series(np.where(parts.features["width"] > 5, "dent", "ok"))
    parts = Parts(parts.features[["width"]], separated)
    found = drivers(parts, Result(separated.to_numpy(), "perturb_argmax:logistic"), estimator_named)
    said = " ".join(found["notes"])
    assert "bias reduction" in said or "has no effects here" in said


def test_models_without_effects_are_left_out():
    parts = some_parts()
    names = ("gradient_boosting", "class_frequencies")
    found = drivers(parts, Result(parts.target.to_numpy(), *names), estimator_named)
    assert found == {"effects": None, "curves": [], "notes": []}


def test_curves_of_numbers_beside_a_category():
    pytest.importorskip("matplotlib")
    parts = some_parts(120)

    def make(name):
        return make_pipeline(AdditiveClassifier(n_knots=3, Cs=[1.0], jumps=False))

    found = drivers(parts, Result(parts.target.to_numpy(), "additive"), make)
    ((name, figure),) = found["curves"]
    assert name == "additive"
    charts = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert len(charts["width"].lines[0].get_xdata()) > 50
    ticks = [tick.get_text() for tick in charts["machine"].get_xticklabels()]
    assert ticks == ["A", "B", "C"]


def test_names_say_the_noise():
    assert full_name("perturb_argmax_cv") == "perturb_argmax_cv:gumbel/student_t"
    noises = estimator_named("perturb_argmax_cv:gumbel/student_t")[-1].noises
    assert [type(noise).__name__ for noise in noises] == ["Gumbel", "StudentT"]
    with pytest.raises(ValueError, match="bounded"):
        estimator_named("perturb_argmax_cv:gumbel/uniform")


def test_a_page_gives_no_folders_away():
    command = "skperturb compare /home/me/secret/parts.csv --target 'a b' --out out/page.html"
    assert _without_folders(command) == (
        "skperturb compare parts.csv --target 'a b' --out out/page.html"
    )
