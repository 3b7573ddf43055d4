import shutil
import string
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from skperturb.evaluation import calibration_error, class_counts, compare_classifiers
from skperturb.evaluation._svg import draw
from skperturb.evaluation._texts import LANGUAGES, load, number, numbers, percent
from skperturb.evaluation._words import pair_sentences

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

SCRIPT, IMAGE, GOOD = "<script>alert(1)</script>", '"><img src=x>', "ok$1_2$"
TITLE = "</title><script>alert('$t$')</script> & more"


@pytest.fixture(scope="module")
def hostile():
    """Names that are HTML or a formula, decisions that are not classes, lots, shares, a rope."""
    X, y = make_classification(
        240, 6, n_informative=4, n_classes=3, weights=[0.6, 0.2], random_state=0
    )
    names = np.array([GOOD, IMAGE, SCRIPT])
    costs = pd.DataFrame(
        [[0, 2, 10], [50, 5, 12], [30.5, 8, 3]], index=names, columns=["pass", "rework", "scrap"]
    )
    return compare_classifiers(
        {"<b>new</b>": LogisticRegression(), "C_$x$": GaussianNB()},
        X,
        names[y],
        candidate="<b>new</b>",
        cost_matrix=costs,
        good=GOOD,
        prevalence=dict(zip(names, [0.9, 0.06, 0.04], strict=True)),
        groups=np.arange(240) // 4,
        rope=20,
        n_splits=3,
        n_repeats=2,
    )


@pytest.fixture(scope="module")
def plain():
    X, y = make_classification(100, 4, random_state=1)
    models = {"today": GaussianNB(), "new": LogisticRegression()}
    return compare_classifiers(models, X, y, n_splits=3, n_repeats=1)


@pytest.fixture(scope="module")
def pages(hostile, plain):
    return {("hostile", lang): hostile.to_html(lang=lang, title=TITLE) for lang in LANGUAGES} | {
        ("plain", "en"): plain.to_html()
    }


class Page(HTMLParser):
    """Tags, texts outside the style, and the numbers of the cells of each table."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.ids, self.numbers, self.attributes = [], [], [], {}, set()
        self.table = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.attributes |= set(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "table":
            self.table = self.numbers[attrs["id"]] = []
        if "data-value" in attrs and self.table is not None:
            self.table.append(float(attrs["data-value"]))

    def handle_endtag(self, tag):
        if tag == "table":
            self.table = None

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.texts.append(data)


@pytest.mark.parametrize("key", [("hostile", "en"), ("hostile", "ja"), ("plain", "en")])
def test_page_is_self_contained_and_escaped(pages, key):
    html = pages[key]
    assert len(html.encode()) < 500_000
    for outside in ("http:", "https:", "//", "@import", "url(h"):
        assert outside not in html
    page = Page(html)
    assert not {"script", "img", "image", "link", "iframe", "object", "b"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith(("on", "xmlns"))]
    assert len(page.ids) == len(set(page.ids))
    order = ["conclusion", "verdict", "kpis", "differences", "confusion", "reliability"]
    order += ["sensitivity", "costs", "method"]
    assert [i for i in page.ids if i in order] == order
    assert page.tags.count("title") == 1
    words = " ".join(page.texts).replace(load(key[1])["title"], "").lower().split()
    assert "nan" not in words
    assert "inf" not in words
    assert "None" not in page.texts


@pytest.mark.parametrize("lang", LANGUAGES)
def test_names_from_the_data_are_there_as_they_are(pages, lang):
    page = Page(pages["hostile", lang])
    for name in (SCRIPT, IMAGE, GOOD, "<b>new</b>", "C_$x$", "rework", TITLE):
        assert name in [text.strip() for text in page.texts]
    # In a picture too: neither a formula nor an element.
    pictures = pages["hostile", lang].split("<svg")[1:]
    assert any(f">{GOOD}<" in picture.split("</svg>")[0] for picture in pictures)
    assert any("&lt;img" in picture.split("</svg>")[0] for picture in pictures)


@pytest.mark.parametrize("name", ["hostile", "plain"])
def test_numbers_are_those_of_the_tables(pages, request, name):
    comparison = request.getfixturevalue(name)
    values = Page(pages[name, "en"]).numbers

    def flat(table, columns):
        numbers = table[columns].to_numpy(dtype=float).ravel()
        return numbers[np.isfinite(numbers)]

    metrics = ["cost", "accuracy", "log_loss", "brier"]
    columns = [f"{m}{end}" for m in metrics for end in ("", "_low", "_high")]
    assert_array_equal(
        values["table-kpis"], flat(comparison.kpis, [*columns, "dear_mistakes", "fit_seconds"])
    )
    table = comparison.table
    shown = ["candidate_mean", "baseline_mean", "difference", "ci_low", "ci_high"]
    assert_array_equal(
        values["table-differences"], flat(table, [*shown, "prob_better", "prob_equivalent"])
    )
    assert_array_equal(values["table-tests"], flat(table, ["se", "df", "p_value", "p_holm"]))
    policies = comparison.policies
    assert_array_equal(
        values["table-policies"], flat(policies, ["difference", "ci_low", "ci_high", "prob_better"])
    )
    assert_array_equal(values["table-costs"], comparison.cost_matrix.to_numpy().ravel())
    if comparison.good is not None:
        shown = ["factor", "difference", "ci_low", "ci_high", "prob_better"]
        assert_array_equal(values["table-sensitivity"], flat(comparison.sensitivity(), shown))
    first = comparison.pairs[0][0]
    data = comparison.y, comparison.predictions[first].proba[0], comparison.classes
    errors = flat(
        calibration_error(*data, random_state=0), ["ece", "expected_if_perfect", "q95_if_perfect"]
    )
    assert_array_equal(values["table-ece"][: len(errors)], errors)
    counts = flat(class_counts(*data), ["observed", "expected", "std_err"])
    assert_array_equal(values["table-counts"][: len(counts)], counts)


def test_p_values_are_in_the_method_box_alone(pages):
    before, method = pages["hostile", "en"].split('<section id="method">')
    assert "p (Holm)" in method
    assert "p (Holm)" not in before
    assert "p-value" not in before


def test_verdict_says_how_sure_and_how_many_more(hostile):
    class Row:
        candidate, baseline, metric, difference, se, df = "new", "old", "cost", -12.34, 9.0, 9
        ci_low, ci_high, ci_confidence = -30.0, 5.3, 0.95
        prob_better, prob_equivalent, prob_needed = 0.9, 0.06, 0.975
        verdict, needed_low, needed_high = "inconclusive", 100.0, 990.0

    row, texts = Row(), load("en")
    said = " ".join(pair_sentences(row, hostile, texts))
    assert "240 parts do not decide" in said
    assert "\N{MINUS SIGN}12.3" in said
    assert "cheaper by more than 20 is 90\u00a0%" in said
    assert "needs 97.5\u00a0%" in said
    assert "between 100 and 990 lots in all; there are 60" in said
    row.prob_better = 0.97499
    said = " ".join(pair_sentences(row, hostile, texts))
    assert "is 97.499\u00a0%" in said  # below what a verdict needs, as printed
    row.verdict, row.ci_high = "better", -2.0
    row.prob_better = 0.98
    said = " ".join(pair_sentences(row, replace(hostile, rope=None), texts))
    assert "saves 12.3 per 1000 parts" in said
    assert "2.0 to 30.0" in said
    assert "new is cheaper is 98\u00a0%" in said
    row.verdict, row.difference, row.ci_low, row.ci_high = "worse", 12.34, 2.0, 30.0
    row.prob_better = 0.01
    said = " ".join(pair_sentences(row, hostile, texts))
    assert "costs 12.3 more" in said
    assert "dearer by more than 20 is 93\u00a0%" in said
    row.verdict, row.prob_equivalent = "equivalent", 0.97
    assert "less than 20" in " ".join(pair_sentences(row, hostile, texts))
    row.verdict, row.difference, row.se = "inconclusive", 0.0, 0.0
    assert "exactly the same" in " ".join(pair_sentences(row, hostile, texts))
    row.se, row.df = 1.0, 3
    said = " ".join(pair_sentences(row, hostile, texts))
    assert "too few for a verdict" in said
    assert "would take" not in said


def test_texts_have_the_same_keys_and_fields():
    def fields(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    english, japanese = load("en"), load("ja")
    assert set(english) == set(japanese)
    for key, text in english.items():
        assert fields(text) == fields(japanese[key]), key
        assert "<" not in text + japanese[key]


def test_japanese_page(pages):
    html = pages["hostile", "ja"]
    assert '<html lang="ja">' in html
    for word in ("信頼区間", "判定", "見逃し", "過検出"):
        assert word in html


def test_unknown_language(plain):
    with pytest.raises(ValueError, match="en, ja"):
        plain.to_html(lang="fr")


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_without_the_extra(plain, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'skperturb\[report\]'"):
        plain.to_html()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_figures_have_labels(hostile, lang):
    names = ["<b>new</b>", "C_$x$"]
    figures = [
        hostile.plot_differences(lang),
        hostile.plot_confusion("C_$x$", lang),
        hostile.plot_reliability(names, lang),
        hostile.plot_sensitivity(lang),
    ]
    for figure in figures:
        shown = [axes for axes in figure.axes if axes.get_visible()]
        assert all(axes.get_xlabel() for axes in shown)
        assert all(axes.get_ylabel() or axes.get_yticklabels() for axes in shown)
    assert [len(figure.axes) for figure in figures] == [4, 2, 3, 1]
    upper, lower = figures[1].axes
    counts = hostile.confusion("C_$x$")
    money = counts.to_numpy() * hostile.cost_matrix.to_numpy()
    assert [text.get_text() for text in upper.texts] == [number(v) for v in counts.to_numpy().flat]
    assert [text.get_text() for text in lower.texts] == [number(v) for v in money.flat]
    assert [t.get_text() for t in upper.get_xticklabels()] == ["pass", "rework", "scrap"]


def test_reliability_names_the_classes_it_leaves_out():
    rng = np.random.default_rng(0)
    y = np.repeat([f"c{k:02}" for k in range(11)], [20] * 5 + [9, 9] + [20] * 4)
    models = {"a": GaussianNB(), "b": GaussianNB(var_smoothing=0.1)}
    comparison = compare_classifiers(
        models, rng.normal(size=(len(y), 2)), y, n_splits=2, n_repeats=1
    )
    figure = comparison.plot_reliability(["a"])
    assert "c05, c06" in figure.get_supxlabel()
    assert [axes.get_title() for axes in figure.axes][4:6] == ["c04", "c07"]
    large = comparison.plot_confusion("a")
    svg = draw(large, "label", "large", "en")
    assert "<image" in svg
    assert "http" not in svg


def test_sensitivity_needs_the_good_class(plain):
    with pytest.raises(ValueError, match="good"):
        plain.plot_sensitivity()


def test_number_formats():
    assert number(0) == "0"
    assert number(9.9996) == "10.0"
    assert number(-0.0000123) == "\N{MINUS SIGN}0.0000123"
    assert numbers([np.nan, np.inf, None, 1234.5]) == ["\N{EN DASH}", "∞", "\N{EN DASH}", "1,234"]
    assert numbers([-1e-9, 5]) == ["0.00", "5.00"]
    assert percent(0.99999) == ">\u00a099.9\u00a0%"
    assert percent(0.5) == "50\u00a0%"


def test_browser_makes_no_element_of_the_data(pages, tmp_path):
    browsers = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, browsers)), None)
    if browser is None:
        pytest.skip("there is no Chromium to open the page in")
    file = tmp_path / "report.html"
    file.write_text(pages["hostile", "en"], encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'u'}"]
    dump = subprocess.run(
        [browser, *options, "--dump-dom", file.as_uri()],
        capture_output=True,
        check=True,
        timeout=60,
        encoding="utf-8",
    ).stdout
    page = Page(dump)
    assert "table" in page.tags
    assert not {"script", "img", "b"} & set(page.tags)
    assert page.texts[page.texts.index(TITLE)] == TITLE
    assert TITLE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in dump
