import re
import shutil
import string
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from skperturb.evaluation import calibration_error, class_counts, compare_classifiers
from skperturb.evaluation._page import breakable, column
from skperturb.evaluation._plots import short
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
        if self.tags[-1:] == ["wbr"]:  # A long name may be broken there.
            self.tags.pop()
            self.texts[-1] += data
        elif self.tags[-1:] != ["style"]:
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
    order = ["conclusion", "money", "sure", "next", "suspects", "confusion", "reliability"]
    order += ["sensitivity", "verdict", "kpis", "differences", "costs", "method"]
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
    shown = ["difference", "ci_low", "ci_high"]
    deciding = table[table["metric"] == "cost"]
    expected = []
    for pair in comparison.pairs:
        rows = table[(table["candidate"] == pair[0]) & (table["baseline"] == pair[1])]
        expected += [*flat(rows, shown), *flat(rows[:1], ["prob_better", "prob_equivalent"])]
    assert_array_equal(values["table-differences"], expected)
    assert_array_equal(values["table-sure"], flat(deciding, [*shown, "prob_better"]))
    assert_array_equal(values["table-tests"], flat(deciding, ["se", "df", "p_value", "p_holm"]))
    costs = comparison.kpis.loc[comparison.models].sort_values("cost")
    limits = flat(costs, ["cost", "cost_low", "cost_high"])
    assert_array_equal(values["table-money"][: len(limits)], limits)
    policies = comparison.policies
    assert_array_equal(
        values["table-policies"], flat(policies, ["difference", "ci_low", "ci_high", "prob_better"])
    )
    assert_array_equal(values["table-costs"], comparison.cost_matrix.to_numpy().ravel())
    if comparison.good is not None:
        table = comparison.sensitivity()
        assert_array_equal(values["table-sensitivity"], flat(table, shown))
    names = list(dict.fromkeys(name for pair in comparison.pairs for name in pair))
    errors, counts = [], []
    for name in names:
        data = comparison.y, comparison.predictions[name].proba[0], comparison.classes
        errors.append(calibration_error(*data, random_state=0))
        counts.append(class_counts(*data))
    columns = ["ece", "expected_if_perfect", "q95_if_perfect"]
    assert_array_equal(
        values["table-ece"], np.hstack([one[columns].to_numpy(float) for one in errors]).ravel()
    )
    expected = [counts[0][["observed"]], *(one[["expected", "std_err"]] for one in counts)]
    assert_array_equal(values["table-counts"], np.hstack(expected).ravel())


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
    del english["currencies"], japanese["currencies"]
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
    for axes, own in ((upper, counts.to_numpy()), (lower, money)):
        told = [text.get_text().replace(",", "") for text in axes.texts]
        assert_allclose(np.array(told, dtype=float), own.ravel(), atol=0.5)
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


def test_colours_are_the_same_for_all_models(hostile):
    scales = []
    for name in hostile.predictions:
        figure = hostile.plot_confusion(name)
        scales.append(
            [(axes.collections[0].norm.vmin, axes.collections[0].norm.vmax) for axes in figure.axes]
        )
    assert scales[0] == scales[1]
    tables = [hostile.confusion(name).to_numpy() for name in hostile.predictions]
    assert scales[0][0] == (0, max(table.max() for table in tables))


def test_currency_and_the_same_decimals(hostile):
    page = " ".join(Page(hostile.to_html(currency="EUR")).texts)
    assert "Cost per 1000 parts, EUR" in page
    assert "\u00a0EUR per 1000 parts" in page
    page = " ".join(Page(hostile.to_html(lang="ja", currency="JPY")).texts)
    assert "1000個あたりのコスト\uff08円\uff09" in page
    assert re.search(r"\d円", page)
    assert "許容差" not in page
    cells = column([5895.4, 19.13, np.nan], 4, [5000, 10, 1], [6000.25, 30, 2])
    assert [cell["text"] for cell in cells] == ["5,895", "19", "\u2013"]
    assert [text for text, _ in cells[0]["ci"]] == ["5,000", "6,000"]


def test_long_names_break_after_their_marks():
    assert breakable("perturb_argmax:gaussian <b>") == (
        "perturb_<wbr>argmax:<wbr>gaussian &lt;b&gt;"
    )
    assert breakable("12:30 and 1/2 _x") == "12:<wbr>30 and 1/<wbr>2 _x"
    assert short("perturb_softmax:student_t", 16, 2) == "perturb_softmax:\nstudent_t"


def test_the_summary_in_japanese(hostile):
    text = hostile.to_text(lang="ja", currency="JPY")
    assert "円" in text
    assert "判定" in text
    assert "verdict" not in text
    assert text.count("\n\n") == str(hostile).count("\n\n")


def drivers():
    rows = [
        {
            "model": model,
            "outcome": "x",
            "feature": f"f_{k}",
            "effect": k,
            "ci_low": k - 1,
            "ci_high": k + 1,
        }
        for model in ("a", "b")
        for k in range(12)
    ]
    return {"effects": pd.DataFrame(rows), "curves": [], "notes": ["said"]}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_drivers_are_on_the_page(plain, lang):
    html = plain.to_html(lang=lang, reading={"drivers": drivers(), "notes": []})
    page = Page(html)
    assert page.ids.index("next") < page.ids.index("drivers") < page.ids.index("suspects")
    assert "said" in page.texts
    labels = {text.strip() for text in page.texts}
    assert {f"f_{k}" for k in range(2, 12)} <= labels
    assert "f_1" not in labels


def luminance(color):
    """Relative luminance of WCAG 2.1."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], parts))


def test_contrast_of_the_texts(pages):
    """Every text colour of the style has 4.5:1 on every background, as WCAG AA asks."""
    style = pages["plain", "en"].partition("<style>")[2].partition("</style>")[0]
    full = {
        c: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:])
        for c in re.findall("#[0-9a-f]{6}|#[0-9a-f]{3}", style)
    }
    colors = {full[c] for c in re.findall(r"[;{ ]color: (#[0-9a-f]+)", style)}
    grounds = {full[c] for c in re.findall(r"background: (#[0-9a-f]+)", style)}
    assert len(colors) > 5
    for ground in grounds:
        for color in colors:
            pair = sorted([luminance(ground), luminance(color)])
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (color, ground)


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
