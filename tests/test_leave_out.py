"""Leave-one-out by a Newton step, against fits without each row or lot."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine, make_classification
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb._linear import all_rows, objective_again
from skperturb.leave_out import Minimum, leave_out
from skperturb.noise import StudentT

from .conftest import IDENTITY

X, Y = make_classification(
    60, 4, n_informative=4, n_redundant=0, n_classes=3, class_sep=0.6, random_state=3
)
Y = np.array(["dent", "ok", "scratch"])[Y]
WEIGHT = np.random.default_rng(0).uniform(0.5, 2.0, len(Y))
LOTS = np.arange(len(Y)) // 5
REFITS = len(Y)  # all of them
BY_CLASS = {"ok": 2.0, "dent": 1.0, "scratch": 0.5}
TIGHT = {"tol": 1e-9, "solver": "newton"}


def without_each(clf, units, weight=None, y=Y):
    """Scores of the rows of some units by fits without their unit, and which rows these are."""
    clf = clone(clf).set_params(warm_start=True)
    fit = clf.fit_proba if np.ndim(y) == 2 else clf.fit
    weight = np.ones(len(X)) if weight is None else weight
    fit(X, y, sample_weight=weight)
    start = clf.coef_, clf.intercept_
    scores = np.full((len(X), len(clf.classes_)), np.nan)
    for unit in np.unique(units)[:: 1 + units.max() // 8]:
        out = units == unit
        clf.coef_, clf.intercept_ = start
        fit(X, y, sample_weight=np.where(out, 0.0, weight))
        decision = clf.decision_function(X[out])
        if decision.ndim == 1:
            decision = np.column_stack([0 * decision, decision])
        scores[out] = decision
    rows = np.isfinite(scores[:, 0])
    return scores[rows], rows


CONFIGURATIONS = [
    PerturbArgmaxClassifier("gumbel", **TIGHT),
    PerturbArgmaxClassifier("gaussian", C=10.0, constraint="reference", **TIGHT),
    PerturbArgmaxClassifier(StudentT(2), C=3.0, **TIGHT),
    PerturbArgmaxClassifier("gumbel", C=np.inf, **TIGHT),
    PerturbArgmaxClassifier("gumbel", loss="fenchel_young", fit_intercept=False, **TIGHT),
    PerturbSoftmaxClassifier("gaussian", C=10.0, temperature=0.5, constraint=None, **TIGHT),
    PerturbArgmaxClassifier(
        "gumbel", class_weight={"ok": 2.0, "dent": 1.0, "scratch": 0.5}, **TIGHT
    ),
]


@pytest.mark.parametrize("clf", CONFIGURATIONS)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_refits_are_the_fits_without_the_row(clf, weight):
    left = clone(clf).fit(X, Y, weight).leave_one_out(X, Y, weight, refit=REFITS)
    exact, rows = without_each(clf, np.arange(len(Y)), weight)
    assert left.refitted.all()
    assert_allclose(left.scores[rows], exact, atol=0.01 * np.ptp(exact))
    steps = clone(clf).fit(X, Y, weight).leave_one_out(X, Y, weight)
    assert np.abs(steps.loss - left.loss).mean() < 0.01 * max(left.loss.mean(), 0.5)


@pytest.mark.filterwarnings("ignore:One step is not exact")
@pytest.mark.parametrize("clf", CONFIGURATIONS[:4])
def test_whole_lots(clf):
    fitted = clone(clf).fit(X, Y)
    left = fitted.leave_one_out(X, Y, groups=LOTS, refit=REFITS)
    exact, rows = without_each(clf, LOTS)
    assert_allclose(left.scores[rows], exact, atol=0.01 * np.ptp(exact))
    # A lot of one row is a row.
    rows = fitted.leave_one_out(X, Y, refit=0)
    lots = fitted.leave_one_out(X, Y, groups=np.arange(len(Y)), refit=0)
    assert_allclose(lots.scores, rows.scores, rtol=1e-6, atol=1e-8)
    assert_allclose(lots.leverage, rows.leverage, rtol=0.05, atol=2e-3)


def test_soft_labels():
    P = np.random.default_rng(1).dirichlet(np.ones(3), len(Y))
    clf = PerturbArgmaxClassifier("gumbel", **TIGHT)
    left = clone(clf).fit_proba(X, P).leave_one_out(X, P, refit=REFITS)
    exact, rows = without_each(clf, np.arange(len(Y)), y=P)
    assert_allclose(left.scores[rows], exact, atol=0.01 * np.ptp(exact))
    assert_allclose(left.log_loss().value, -(P * np.log(left.proba)).sum(axis=1).mean())
    # As if each row were there once for each of its classes.
    wrong = np.eye(3)[None] - left.proba[:, None]
    assert_allclose(left.brier().value, (P * (wrong**2).sum(axis=2)).sum(axis=1).mean())


@pytest.mark.filterwarnings("ignore:One step is not exact")
def test_a_step_is_the_derivative_in_the_weight():
    """For a row of little weight, a step is what leaving it out moves."""
    clf = PerturbArgmaxClassifier("gaussian", tol=1e-13, solver="newton")
    weight = np.ones(len(Y))
    weight[7] = 1e-4
    with_it = clone(clf).fit(X, Y, weight)
    step = with_it.leave_one_out(X, Y, weight, refit=False).scores[7]
    without = clone(clf).fit(X, Y, np.where(np.arange(len(Y)) == 7, 0.0, weight))
    moved = without.decision_function(X[7:8])[0] - with_it.decision_function(X[7:8])[0]
    now = with_it.decision_function(X[7:8])[0]
    assert_allclose(step - now, moved, rtol=1e-3, atol=1e-8)


def test_leverage_is_an_eigenvalue_and_sums_to_the_number_of_parameters():
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, **TIGHT).fit(X, (Y == "ok").astype(int))
    left = clf.leave_one_out()
    # Two classes without a penalty: the diagonal of the hat matrix.
    p = clf.predict_proba(X)[:, 1]
    root = np.sqrt(p * (1 - p))[:, None] * np.column_stack([X, np.ones(len(X))])
    hat = np.diag(root @ np.linalg.pinv(root))
    assert_allclose(left.leverage, hat, rtol=1e-6)
    assert_allclose(left.leverage.sum(), np.linalg.matrix_rank(root), rtol=1e-6)


def test_units_of_features_do_not_matter_without_a_penalty():
    scale = np.array([1e-6, 1.0, 1e5, 30.0])
    shift = np.array([0.0, 10.0, 1e6, -5.0])
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, tol=1e-8)
    plain = clone(clf).fit(X, Y).leave_one_out(X, Y)
    moved = StandardScaler(with_mean=False).fit(X * scale + shift)
    other = X * scale + shift
    again = clone(clf).fit(other / moved.scale_, Y).leave_one_out(other / moved.scale_, Y)
    assert_allclose(again.proba, plain.proba, atol=1e-3)


def test_sparse_and_single_precision():
    clf = PerturbArgmaxClassifier("gumbel", tol=1e-8)
    plain = clone(clf).fit(X, Y).leave_one_out(X, Y)
    csr = sparse.csr_array(X)
    assert_allclose(clone(clf).fit(csr, Y).leave_one_out(csr, Y).proba, plain.proba, atol=1e-8)
    single = X.astype(np.float32)
    fitted = clone(clf).set_params(tol=1e-5).fit(single, Y)
    assert_allclose(fitted.leave_one_out(single, Y).proba, plain.proba, atol=2e-3)


def test_rows_of_weight_zero_are_predicted_by_the_fit_or_without_their_lot():
    weight = np.where(np.arange(len(Y)) % 10 == 3, 0.0, 1.0)
    zero = weight == 0
    clf = PerturbArgmaxClassifier("gumbel", **TIGHT).fit(X, Y, weight)
    left = clf.leave_one_out(X, Y, weight)
    assert_allclose(left.proba[zero], clf.predict_proba(X[zero]), rtol=1e-5)
    assert_allclose(left.change[zero], 0, atol=1e-6)
    counted = clone(clf).fit(X[~zero], Y[~zero]).leave_one_out(X[~zero], Y[~zero])
    assert_allclose(left.log_loss().value, counted.log_loss().value, rtol=1e-9)
    lots = clf.leave_one_out(X, Y, weight, groups=LOTS, refit=REFITS)
    row = int(np.flatnonzero(zero)[0])
    out = LOTS[row] == LOTS
    other = clone(clf).fit(X[~out], Y[~out], weight[~out])
    assert_allclose(lots.proba[row], other.predict_proba(X[row : row + 1])[0], atol=0.01)
    assert lots.refitted.all()


def test_estimates_and_their_errors():
    left = PerturbArgmaxClassifier("gumbel").fit(X, Y, WEIGHT).leave_one_out(X, Y, WEIGHT)
    codes = np.unique(Y, return_inverse=True)[1]
    p = left.proba[np.arange(len(Y)), codes]
    share = WEIGHT / WEIGHT.sum()
    assert_allclose(left.loss, -np.log(p), rtol=1e-9)
    assert_allclose(left.log_loss().value, share @ -np.log(p), rtol=IDENTITY * 1e3)
    assert_allclose(left.accuracy().value, share @ (left.proba.argmax(axis=1) == codes))
    plain = PerturbArgmaxClassifier("gumbel").fit(X, Y).leave_one_out(X, Y)
    assert_allclose(plain.log_loss().std_err, plain.loss.std(ddof=1) / np.sqrt(len(Y)))
    lots = PerturbArgmaxClassifier("gumbel").fit(X, Y).leave_one_out(X, Y, groups=LOTS)
    means = lots.loss.reshape(-1, 5).mean(axis=1)
    assert_allclose(lots.log_loss().std_err, means.std(ddof=1) / np.sqrt(len(means)))
    assert "log loss" in str(left)
    assert set(left.to_dict()) == {
        "scores",
        "proba",
        "loss",
        "leverage",
        "change",
        "refitted",
    }


def test_a_loose_fit_is_polished():
    wine = load_wine(return_X_y=True)
    X, y = StandardScaler().fit_transform(wine[0]), wine[1]
    loose = PerturbArgmaxClassifier("gaussian", C=100.0).fit(X, y).leave_one_out(X, y)
    tight = PerturbArgmaxClassifier("gaussian", C=100.0, tol=1e-9).fit(X, y).leave_one_out(X, y)
    assert_allclose(loose.log_loss().value, tight.log_loss().value, rtol=0.01)


def test_the_number_of_refits():
    clf = PerturbArgmaxClassifier("gumbel", C=1e3).fit(X, Y)
    auto = clf.leave_one_out(X, Y)
    assert 3 < auto.refitted.sum() < 30
    assert (np.abs(auto.change[~auto.refitted]) < 0.3).all()
    with pytest.warns(UserWarning, match=r"not exact for \d+ rows that were not refitted"):
        assert not clf.leave_one_out(X, Y, refit=False).refitted.any()
    with pytest.warns(UserWarning, match="Pass refit=n with a larger n"):
        assert clf.leave_one_out(X, Y, refit=2).refitted.sum() == 2
    for wrong in (True, -1, "all", 1.5):
        with pytest.raises(ValueError, match="refit must be"):
            clf.leave_one_out(X, Y, refit=wrong)


def test_without_data_only_where_the_fit_knows_them():
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, tol=1e-8).fit(X, Y)
    assert_allclose(clf.leave_one_out().loss, clf.leave_one_out(X, Y).loss, rtol=1e-6)
    with pytest.raises(ValueError, match="give all or none"):
        clf.leave_one_out(y=Y)
    with pytest.raises(ValueError, match="without y"):
        clf.leave_one_out(X)
    with pytest.raises(ValueError, match="not those of the fit"):
        clf.leave_one_out(X[::-1], Y)
    penalised = clone(clf).set_params(C=1.0).fit(X, Y)
    with pytest.raises(ValueError, match="keeps no data"):
        penalised.leave_one_out()
    weighted = clone(clf).fit(X, Y, np.where(np.arange(len(Y)) == 0, 0.0, 1.0))
    with pytest.raises(ValueError, match="rows of weight zero"):
        weighted.leave_one_out()
    reduced = clone(clf).set_params(bias_reduction=True).fit(X, Y)
    with pytest.raises(ValueError, match="bias_reduction"):
        reduced.leave_one_out()
    for groups, message in ((LOTS[:-1], "lot of each"), (0 * LOTS, "two lots or more")):
        with pytest.raises(ValueError, match=message):
            penalised.leave_one_out(X, Y, groups=groups)


def test_the_only_row_or_lot_of_a_class_is_named():
    y = Y.copy()
    y[11] = "rare"
    clf = PerturbArgmaxClassifier("gumbel").fit(X, y)
    with pytest.raises(ValueError, match=r"'rare' is seen in one row only \(row 11\)"):
        clf.leave_one_out(X, y)
    y[12] = "rare"
    clf.fit(X, y).leave_one_out(X, y)
    with pytest.raises(ValueError, match=r"'rare' is seen in one lot only \(lot C\)"):
        clf.leave_one_out(X, y, groups=np.array(list("ABCDEFGHIJKL"))[LOTS])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_separation_is_refused():
    flowers, species = load_iris(return_X_y=True)
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf).fit(flowers, species)
    with pytest.raises(ValueError, match="separate the classes"):
        clf.leave_one_out()
    # Two rows overlap; without one of them the classes are separated.
    x = np.linspace(-3, 3, 40)
    y = (x > 0).astype(int)
    x[0] = 0.3
    clf.fit(x[:, None], y)
    with pytest.raises(ValueError, match=r"Without rows? .*0.* the features separate"):
        clf.leave_one_out()


def test_a_minimum_says_whether_it_was_reached():
    clf = PerturbArgmaxClassifier("cauchy", C=5.0).fit(X, Y)
    objective = objective_again(clf, X, Y)
    minimum = Minimum(objective, objective.free(*all_rows(clf)), near=1e-12)
    assert minimum.reached
    assert minimum.observed
    _, gradient = objective(minimum.free + minimum.rest)
    assert np.abs(gradient).max() < 1e-8
    identity = minimum.spread.T @ minimum.matrix @ minimum.spread
    assert_allclose(identity, np.eye(len(identity)), atol=1e-8)
    left = leave_out(minimum, most=0)
    assert_allclose(left.loss - left.change, objective.losses(minimum.free)[0], rtol=IDENTITY * 1e3)
    # Somewhere else the second derivatives are indefinite, and the information stands in.
    far = Minimum(objective, 5 * minimum.free, near=np.inf)
    assert not far.observed
    assert np.linalg.eigvalsh(far.matrix).min() > 0


@pytest.mark.parametrize("noise", ["gumbel", "laplace"])
def test_few_lots_are_all_left_out_exactly(noise):
    rng = np.random.default_rng(3)
    X, lots, weight = rng.normal(size=(90, 2)), np.arange(90) % 12, rng.uniform(0.1, 2, 90)
    y = (X @ rng.normal(size=(2, 3)) + rng.gumbel(size=(90, 3))).argmax(axis=1)
    clf = PerturbArgmaxClassifier(noise, C=np.inf, tol=1e-10, max_iter=500)
    left = clf.fit(X, y, weight).leave_one_out(X, y, weight, groups=lots)
    proba = np.empty((90, 3))
    for lot in range(12):
        out = lots == lot
        clf.fit(X[~out], y[~out], weight[~out])
        proba[out] = clf.predict_proba(X[out])
    assert_allclose(left.proba, proba, atol=2e-4)
