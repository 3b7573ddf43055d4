"""Marginal effects and intervals of probabilities: statsmodels, Stata, delta methods by hand."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import expit, logit

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.inference import MarginalEffects
from skperturb.noise import StudentT

from .conftest import FINITE_DIFFERENCES

AGREES = 1e-6  # with statsmodels, relative
# Stata prints seven digits after the point and keeps the grades in single precision.
STATA = 2e-7


def fitted(noise, X, y, model=PerturbArgmaxClassifier, weight=None, **options):
    options = {"C": np.inf, "tol": 1e-10, "max_iter": 300, "constraint": "reference"} | options
    return model(noise, **options).fit(X, y, weight)


def parts(n=60, seed=0):
    """Three classes, two measurements, and a machine out of three as two columns of 0 and 1."""
    rng = np.random.default_rng(seed)
    machine = rng.integers(0, 3, n)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["width", "depth"])
    X["machine_B"], X["machine_C"] = (machine == 1).astype(float), (machine == 2).astype(float)
    scores = X.to_numpy() @ rng.normal(size=(4, 3)) + 1.5 * rng.gumbel(size=(n, 3))
    return X, np.array(["dent", "ok", "scratch"])[scores.argmax(axis=1)]


def by_hand(clf, function):
    """Values of a function of predictions, standard errors by the numerical delta method."""
    matrix = clf.covariance().to_numpy()
    coef = np.column_stack([clf.intercept_, clf.coef_])[1 if len(clf.classes_) > 2 else 0 :]

    def values(free):
        rows = free.reshape(coef.shape)
        changed = clf.__class__(**clf.get_params(deep=False))
        changed.__dict__.update(clf.__dict__)
        start = len(clf.classes_) > 2
        changed.intercept_, changed.coef_ = clf.intercept_.copy(), clf.coef_.copy()
        changed.intercept_[start:], changed.coef_[start:] = rows[:, 0], rows[:, 1:]
        return function(changed)

    best = values(coef.ravel())
    steps, x = 1e-3 * np.eye(coef.size), coef.ravel()
    slopes = np.array(
        [
            8 * (values(x + s) - values(x - s)) - (values(x + 2 * s) - values(x - 2 * s))
            for s in steps
        ]
    )
    slopes = slopes.reshape(coef.size, -1) / (12 * 1e-3)
    return best, np.sqrt(np.einsum("ji,jk,ki->i", slopes, matrix, slopes)).reshape(best.shape)


@pytest.mark.parametrize("at", ["overall", "mean"])
@pytest.mark.parametrize(("noise", "link"), [("gaussian", "Probit"), ("gumbel", "Logit")])
def test_two_classes_with_statsmodels(noise, link, at):
    sm = pytest.importorskip("statsmodels.api")
    data = sm.datasets.spector.load_pandas()
    X, y = data.exog, data.endog.astype(int)
    theirs = getattr(sm, link)(y, sm.add_constant(X)).fit(method="newton", tol=1e-14, disp=0)
    theirs = theirs.get_margeff(at=at, dummy=True)
    table = fitted(noise, X, y).marginal_effects(at=at)
    second = table[table["class"] == 1]
    assert_allclose(second["effect"], theirs.margeff, rtol=AGREES)
    assert_allclose(second["std_err"], theirs.margeff_se, rtol=AGREES)
    assert_allclose(second["p_value"], theirs.pvalues, rtol=AGREES)
    assert_allclose(second[["ci_low", "ci_high"]], theirs.conf_int(), rtol=AGREES)
    assert_allclose(table["effect"][:3], -second["effect"], rtol=1e-12)


def test_the_tables_of_stata():
    """In statsmodels' tests of discrete models: margins after logit, and after mlogit of anes96."""
    sm = pytest.importorskip("statsmodels.api")
    module = pytest.importorskip("statsmodels.discrete.tests.results.results_discrete")
    data = sm.datasets.spector.load_pandas()
    clf, stata = fitted("gumbel", data.exog, data.endog.astype(int)), module.Spector.logit
    for at, value, std_err in (
        ("overall", stata.margeff_dummy_dydx, stata.margeff_dummy_dydx_se),
        ("mean", stata.margeff_dummy_dydxmean, stata.margeff_dummy_dydxmean_se),
    ):
        table = clf.marginal_effects(at=at)[3:]
        assert_allclose(table["effect"], value, rtol=0, atol=5e-6)
        assert_allclose(table["std_err"], std_err, rtol=0, atol=5e-6)
    data, stata = sm.datasets.anes96.load_pandas(), module.Anes.mnlogit_basezero
    clf = fitted("gumbel", data.exog, data.endog.astype(int))
    for at, value, std_err in (
        ("overall", stata.margeff_dydx_overall, stata.margeff_dydx_overall_se),
        ("mean", stata.margeff_dydx_mean, stata.margeff_dydx_mean_se),
    ):
        table = clf.marginal_effects(at=at)
        assert_allclose(table["effect"].to_numpy().reshape(7, 5), value.T, atol=STATA)
        assert_allclose(table["std_err"].to_numpy().reshape(7, 5), std_err.T, atol=STATA)


@pytest.mark.parametrize("at", ["overall", "mean"])
def test_seven_classes_with_statsmodels(at):
    sm = pytest.importorskip("statsmodels.api")
    data = sm.datasets.anes96.load_pandas()
    X = data.exog.assign(vote=data.data["vote"].astype(float))
    y = data.endog.astype(int)
    theirs = sm.MNLogit(y, sm.add_constant(X)).fit(method="newton", tol=1e-13, disp=0)
    theirs = theirs.get_margeff(at=at, dummy=True)
    table = fitted("gumbel", X, y).marginal_effects(at=at)
    shape = 7, X.shape[1]
    assert_allclose(table["effect"].to_numpy().reshape(shape), theirs.margeff.T, rtol=AGREES)
    assert_allclose(table["std_err"].to_numpy().reshape(shape), theirs.margeff_se.T, rtol=AGREES)


@pytest.mark.parametrize(
    ("noise", "model"),
    [
        ("gaussian", PerturbArgmaxClassifier),
        (StudentT(4), PerturbArgmaxClassifier),
        ("gaussian", PerturbSoftmaxClassifier),
    ],
)
def test_effects_by_finite_differences(noise, model):
    """Derivatives of predict_proba, and the delta method by differences in the coefficients."""
    X, y = parts()
    weight = np.random.default_rng(1).integers(1, 4, len(y))
    clf, step = fitted(noise, X, y, model, weight), 1e-3

    moved, factors = [], []
    for name in X:
        of_machine = name.startswith("machine")
        shifts = {1: 1, 0: -1} if of_machine else {1: 8, -1: -8, 2: -1, -2: 1}
        for shift, factor in shifts.items():
            moved.append(X.assign(**{name: shift if of_machine else X[name] + shift * step}))
            factors.append(factor / (1 if of_machine else 12 * step))
    stacked = pd.concat(moved)

    def effects(clf):
        p = clf.predict_proba(stacked).reshape(len(moved), len(X), 3)
        means = np.average(p, axis=1, weights=weight) * np.array(factors)[:, None]
        return np.array([means[k:m].sum(axis=0) for k, m in ((0, 4), (4, 8), (8, 10), (10, 12))]).T

    table = clf.marginal_effects()
    assert table["class"].tolist() == np.repeat(clf.classes_, 4).tolist()
    assert table["feature"].tolist() == 3 * X.columns.tolist()
    value, std_err = by_hand(clf, effects)
    assert_allclose(table["effect"], value.ravel(), atol=1e-8)
    assert_allclose(table["std_err"], std_err.ravel(), rtol=FINITE_DIFFERENCES)
    assert_allclose(table.groupby("feature")["effect"].sum(), 0, atol=1e-12)


def test_constraints_and_sparse_features_give_the_same_effects():
    from scipy import sparse

    X, y = parts()
    table = fitted("gaussian", X, y).marginal_effects()
    for other in (
        fitted("gaussian", X, y, constraint="sum_to_zero"),
        fitted("gaussian", X, y, reference_class="scratch"),
    ):
        pd.testing.assert_frame_equal(other.marginal_effects(), table, rtol=1e-5)
    with_zeros = fitted("gaussian", sparse.csr_array(X.to_numpy()), y).marginal_effects()
    assert_allclose(with_zeros["std_err"], table["std_err"], rtol=1e-5)


def test_effects_at_given_rows_and_of_categories():
    X, y = parts()
    clf = fitted("gumbel", X, y)
    rows = X.iloc[[3, 5]].set_axis(["a", "b"])
    table = clf.marginal_effects(at=rows, features=["depth", "machine_B"])
    assert table.index.tolist() == ["a"] * 6 + ["b"] * 6
    p = clf.predict_proba(rows)
    # Of a logit: p_i (w_i - sum_k p_k w_k).
    mean = p @ clf.coef_[:, 1]
    of_depth = table[table["feature"] == "depth"]["effect"]
    assert_allclose(of_depth, (p * (clf.coef_[:, 1] - mean[:, None])).ravel(), rtol=1e-9)
    step = np.diff([clf.predict_proba(rows.assign(machine_B=v)) for v in (0, 1)], axis=0)[0]
    of_machine = table[table["feature"] == "machine_B"]["effect"]
    assert_allclose(of_machine, step.ravel(), atol=1e-12)
    # As a category, the base is machine A.
    machines = {"machine": ["machine_B", "machine_C"], "depth": "depth"}
    table = clf.marginal_effects(features=machines)
    assert table["feature"].tolist() == ["machine_B", "machine_C", "depth"] * 3
    p_b, p_a = (
        clf.predict_proba(X.assign(machine_B=b, machine_C=0.0)).mean(axis=0) for b in (1.0, 0.0)
    )
    assert_allclose(table["effect"][table["feature"] == "machine_B"], p_b - p_a, atol=1e-12)
    # With a column for each value and no intercept, the first is the base.
    full = X.assign(machine_A=1 - X["machine_B"] - X["machine_C"])
    other = fitted("gumbel", full, y, fit_intercept=False)
    names = ["machine_A", "machine_B", "machine_C"]
    again = other.marginal_effects(features={"machine": names})
    same = table[table["feature"] != "depth"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, same, rtol=1e-5, check_frame_type=False)


def test_bad_features_and_places():
    X, y = parts()
    clf = fitted("gumbel", X, y)
    for arguments, message in [
        ({"features": ["length"]}, "'length' is not a feature"),
        ({"features": {"a": ["width", "machine_B"]}}, "'width' does not consist of 0 and 1"),
        ({"at": "median"}, "'overall', 'mean' or rows"),
        ({"confidence": 95}, "confidence must lie"),
        ({"cov": "HC3"}, "cov must be one of"),
    ]:
        with pytest.raises(ValueError, match=message):
            clf.marginal_effects(**arguments)
    X["both"] = ((X["machine_B"] == 1) & (X["width"] > 0)).astype(float)
    with pytest.raises(ValueError, match="several of them"):
        fitted("gumbel", X, y).marginal_effects(features={"a": ["machine_B", "both"]})
    with pytest.raises(ValueError, match="penalised"):
        fitted("gumbel", X, y, C=1.0).marginal_effects()


def test_the_figure():
    pytest.importorskip("matplotlib")
    X, y = parts()
    clf = fitted("gumbel", X, y)
    table = clf.marginal_effects()
    assert isinstance(table, MarginalEffects)
    figure = table.plot()
    assert [axis.get_title() for axis in figure.axes] == clf.classes_.tolist()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == X.columns.tolist()
    line = figure.axes[0].containers[0].lines[0]
    assert_allclose(line.get_xdata(orig=False), table["effect"][:4])
    rows = clf.marginal_effects(at=X[:2], features=["width"]).plot()
    assert len(rows.axes[0].get_yticklabels()) == 2


def test_many_rows_need_no_large_arrays(monkeypatch):
    """Blocks of rows give the same, and no array of all rows is made."""
    from skperturb._linear import _objective

    X, y = parts(400)
    clf = fitted("gumbel", X, y)
    whole = clf.marginal_effects()
    monkeypatch.setattr(_objective, "_BLOCK_ELEMENTS", 1)
    largest = []
    kernel = clf._fit_record.objective.loss.kernel
    original = kernel.jacobian
    monkeypatch.setattr(
        kernel, "jacobian", lambda scores: (largest.append(len(scores)), original(scores))[1]
    )
    pd.testing.assert_frame_equal(clf.marginal_effects(), whole, rtol=1e-9)
    assert max(largest) == 64


# --- Probabilities


@pytest.mark.parametrize(
    ("noise", "model"),
    [("gaussian", PerturbArgmaxClassifier), ("laplace", PerturbSoftmaxClassifier)],
)
def test_intervals_of_probabilities_by_hand(noise, model):
    X, y = parts()
    clf = fitted(noise, X, y, model)
    rows = X[:5]
    low, high = clf.predict_proba_interval(rows, confidence=0.9)
    log_odds, std_err = by_hand(clf, lambda clf: logit(clf.predict_proba(rows)))
    half = stats.norm.isf(0.05) * std_err
    assert_allclose(low, expit(log_odds - half), rtol=FINITE_DIFFERENCES)
    assert_allclose(high, expit(log_odds + half), rtol=FINITE_DIFFERENCES)


def test_intervals_of_two_classes_mirror_each_other():
    X, y = parts()
    clf = fitted("gumbel", X, y == "ok")
    low, high = clf.predict_proba_interval(X)
    assert_allclose(low[:, 0], 1 - high[:, 1], rtol=1e-12)
    # Of a logit the log odds are linear: statsmodels' interval of the linear prediction.
    rows = np.column_stack([np.ones(len(X)), X])
    half = np.sqrt(np.einsum("ij,jk,ik->i", rows, clf.covariance(), rows)) * stats.norm.isf(0.025)
    assert_allclose(low[:, 1], expit(clf.decision_function(X) - half), rtol=1e-9)


def test_intervals_stay_within_zero_and_one():
    X, y = parts()
    for noise in (StudentT(3), "gaussian"):
        clf = fitted(noise, X, y)
        far = X[:3] * np.array([1, 30, 1e4])[:, None]
        low, high = clf.predict_proba_interval(far)
        p = clf.predict_proba(far)
        assert np.all((low >= 0) & (low <= p) & (p <= high) & (high <= 1))
    groups = np.arange(60) % 30
    wide, narrow = clf.predict_proba_interval(X, groups=groups), clf.predict_proba_interval(X)
    assert not np.allclose(wide[0], narrow[0])
    saved = clf.__class__(**clf.get_params(deep=False))
    saved.__setstate__(clf.__getstate__())
    with pytest.raises(ValueError, match="no longer knows the data"):
        saved.predict_proba_interval(X)
    again = saved.predict_proba_interval(X, X_fit=X, y_fit=y)
    assert_allclose(again, narrow, rtol=1e-12)
