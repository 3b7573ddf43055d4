"""Fits to probabilities of the classes: the same as rows once for each class, with weights."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.noise import StudentT
from skperturb.representation import check_identifiability

from .conftest import OPTIMUM

CLASSES = np.array(["dent", "ok", "scratch"])


def inspected(n=80, seed=0):
    """Parts that four inspectors have looked at."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    scores = X @ rng.normal(size=(2, 3))
    votes = (scores[None] + 1.5 * rng.gumbel(size=(4, n, 3))).argmax(axis=2)
    return X, (votes[..., None] == np.arange(3)).mean(axis=0)


def rows_of_classes(X, P, weight=None):
    """Each row once for each class, with weights."""
    weight = np.ones(len(X)) if weight is None else weight
    X, y = np.repeat(X, 3, axis=0), np.tile(CLASSES, len(X))
    return X, y, (weight[:, None] * P).ravel()


@pytest.mark.parametrize(
    ("clf", "weighted"),
    [
        (PerturbArgmaxClassifier("gaussian"), True),
        (PerturbArgmaxClassifier("gumbel", C=np.inf, solver="lbfgs"), False),
        (PerturbArgmaxClassifier(StudentT(3), C=np.inf), True),
        (PerturbArgmaxClassifier("gaussian", class_weight="balanced"), True),
        (PerturbArgmaxClassifier("gumbel", class_weight={"ok": 2.0}), False),
        (PerturbArgmaxClassifier("laplace", loss="fenchel_young"), False),
        (PerturbSoftmaxClassifier("gaussian", constraint="reference"), True),
    ],
    ids=str,
)
def test_equals_each_row_for_each_class(clf, weighted):
    X, P = inspected()
    weight = np.random.default_rng(1).integers(0, 4, len(X)).astype(float) if weighted else None
    clf = clf.set_params(tol=1e-9, max_iter=500)
    soft = clf.fit_proba(X, P, classes=CLASSES, sample_weight=weight)
    found = soft.coef_, soft.intercept_, soft.loss_, soft.weight_sum_
    hard = clf.fit(*rows_of_classes(X, P, weight))
    expected = hard.coef_, hard.intercept_, hard.loss_, hard.weight_sum_
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=OPTIMUM, atol=1e-7)


def test_certain_probabilities_are_labels():
    X, P = inspected()
    y = CLASSES[P.argmax(axis=1)]
    clf = PerturbArgmaxClassifier(tol=1e-9)
    soft = clf.fit_proba(X, np.eye(3)[P.argmax(axis=1)], classes=CLASSES).coef_
    assert_allclose(soft, clf.fit(X, y).coef_, rtol=OPTIMUM)


def test_columns_are_classes():
    X, P = inspected()
    clf = PerturbArgmaxClassifier("gumbel", tol=1e-8)
    expected = clf.fit_proba(X, P, classes=CLASSES).predict_proba(X)
    turned = [2, 0, 1]
    assert_allclose(
        clf.fit_proba(X, P[:, turned], classes=CLASSES[turned]).predict_proba(X), expected
    )
    assert clf.classes_.tolist() == CLASSES.tolist()
    frame = pd.DataFrame(P, columns=CLASSES)
    assert_allclose(clf.fit_proba(X, frame[CLASSES[turned]]).predict_proba(X), expected)
    assert clf.fit_proba(X, P).classes_.tolist() == [0, 1, 2]
    single = clf.fit_proba(X.astype(np.float32), P[:, :2] + P[:, 2:] / 2)
    assert single.coef_.dtype == np.float32
    assert single.coef_.shape == (1, 2)


def test_standard_errors_are_robust():
    """The sandwich of fractional responses (Papke and Wooldridge 1996), by hand."""
    X, P = inspected()
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, tol=1e-10, constraint="reference")
    clf.fit_proba(X, P, classes=CLASSES)
    table = clf.summary()
    assert table.attrs["covariance"] == "robust (HC0)"
    assert "log_likelihood" not in table.attrs
    p, rows = clf.predict_proba(X), np.column_stack([np.ones(len(X)), X])
    vectors = ((P - p)[:, 1:, None] * rows[:, None]).reshape(len(X), -1)
    bread = np.linalg.inv(
        sum(
            np.kron(np.diag(q) - np.outer(q, q), np.outer(x, x))
            for q, x in zip(p[:, 1:], rows, strict=True)
        )
    )
    assert_allclose(clf.covariance(), bread @ vectors.T @ vectors @ bread, rtol=OPTIMUM)
    assert clf.marginal_effects()["std_err"].gt(0).all()
    assert "40 lots" in clf.summary(groups=np.arange(80) // 2).attrs["covariance"]
    saved = pickle.loads(pickle.dumps(clf))
    pd.testing.assert_frame_equal(saved.summary(X, P), table)
    with pytest.raises(ValueError, match="not those of the fit"):
        saved.summary(X, P[::-1])
    for call in (
        lambda: clf.summary(cov="observed"),
        clf.aic,
        saved.bic,
        lambda: clf.profile_interval("ok", "x0"),
    ):
        with pytest.raises(ValueError, match="no likelihood of observed classes"):
            call()


def test_separation_is_seen():
    X = np.array([[-2.0], [-1], [1], [2]])
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf)
    # A row whose inspectors disagree separates nothing.
    P = np.array([[1, 0], [0.9, 0.1], [0.1, 0.9], [0, 1.0]])
    clf.fit_proba(X, P)
    assert check_identifiability(clf, X, P).separated is False
    assert np.isfinite(clf.summary()["std_err"]).all()
    with pytest.warns(ConvergenceWarning, match="separate"):
        clf.fit_proba(X, np.round(P))
    with pytest.raises(ValueError, match="x0 separates class 0 from 1"):
        clf.summary()


def test_what_is_refused():
    X, P = inspected()
    clf = PerturbArgmaxClassifier()
    for proba, options, message in [
        (P + 0.1, {}, "with the sum 1; row"),
        (P - np.array([[0.5, -0.5, 0.0]]), {}, "not negative"),
        (P, {"classes": ["a", "b"]}, "one column for each of the 2 classes"),
        (P, {"classes": ["a", "b", "a"]}, "different labels"),
        (P[:, :1] * 0 + 1, {}, "two different labels or more"),
        (P[1:], {}, "inconsistent numbers of samples"),
        (np.where(P > 0, P, np.nan), {}, "contains NaN"),
        (pd.DataFrame(P, columns=CLASSES), {"classes": ["a", "b", "c"]}, "are not the classes"),
        (P, {"sample_weight": np.zeros(80)}, "non-zero number|zero for every row"),
    ]:
        with pytest.raises(ValueError, match=message):
            clf.fit_proba(X, proba, **options)
