"""Fits from blocks of rows: the same as from all rows at once, from arrays, Parquet and Dask."""

import pickle
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.blocks import arrays, dask_frame, fit, one_hot_encoder, parquet, standard_scaler

SAME = 3e-8  # of coefficients, at TOL
TOL = {"tol": 1e-10, "max_iter": 300}
CUTS = (0, 1300, 1300, 1900, 4500)  # the second block is empty


def rows(n=4500, seed=0):
    """Five classes, none of the first in the first block; one feature far from zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    y = np.array(list("abcde"))[(X[:, :5] + 2 * rng.normal(size=(n, 5))).argmax(axis=1)]
    y[: CUTS[1]][y[: CUTS[1]] == "a"] = "b"
    X[:, 5] += 1e4
    return X, y, rng.integers(0, 4, n).astype(float)


def cut(*columns):
    return arrays([tuple(c[i:j] for c in columns) for i, j in pairwise(CUTS)])


def assert_same(clf, X, y, weight=None, tolerance=SAME):
    source = cut(X, y) if weight is None else cut(X, y, weight)
    blocks, whole = fit(clone(clf), source), clone(clf).fit(X, y, sample_weight=weight)
    assert_array_equal(blocks.classes_, whole.classes_)
    assert_allclose(blocks.coef_, whole.coef_, rtol=0, atol=tolerance)
    assert_allclose(blocks.predict_proba(X[:50]), whole.predict_proba(X[:50]), atol=tolerance)
    assert_allclose(blocks.loss_, whole.loss_, rtol=tolerance)
    assert blocks.weight_sum_ == whole.weight_sum_
    assert blocks.coef_.dtype == whole.coef_.dtype
    return blocks


@pytest.mark.parametrize(
    "clf",
    [
        PerturbArgmaxClassifier(solver="lbfgs", tol=1e-8),
        PerturbArgmaxClassifier(solver="newton", **TOL),
        PerturbArgmaxClassifier("gumbel", **TOL),
        PerturbArgmaxClassifier("student_t", **TOL),
        PerturbArgmaxClassifier("gumbel", constraint="reference", C=0.01, **TOL),
        PerturbArgmaxClassifier("gumbel", class_weight="balanced", **TOL),
        PerturbArgmaxClassifier("gumbel", class_weight={"a": 3.0}, fit_intercept=False, **TOL),
        PerturbArgmaxClassifier("laplace", loss="fenchel_young", **TOL),
        PerturbSoftmaxClassifier("gaussian", temperature=0.5, **TOL),
        PerturbArgmaxClassifier("gumbel", C=np.inf, **TOL),
    ],
    ids=repr,
)
def test_the_fit_is_that_of_all_rows(clf):
    assert_same(clf, *rows()[:2])


def test_weights_of_zero_count_for_nothing():
    X, y, weight = rows()
    assert_same(PerturbArgmaxClassifier("gumbel", **TOL), X, y, weight)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_blocks(kind):
    X, y, _ = rows()
    X[:, :5][np.abs(X[:, :5]) < 1] = 0.0
    assert_same(PerturbArgmaxClassifier("gumbel", **TOL), kind(X), y)


def test_blocks_in_single_precision():
    X, y, _ = rows()
    clf = PerturbArgmaxClassifier("gumbel", tol=1e-6)
    assert_same(clf, X[:, :5].astype(np.float32), y, tolerance=1e-5)


@pytest.mark.parametrize("noise", ["gumbel", "student_t"])
def test_two_classes_and_labels_that_are_numbers(noise):
    X, y, _ = rows()
    labels = np.where(y < "c", 50, 10)
    assert_same(PerturbArgmaxClassifier(noise, **TOL), X, labels)
    labels[y == "e"] = 20
    fitted = assert_same(PerturbArgmaxClassifier(noise, **TOL), X, labels)
    assert fitted.classes_.tolist() == [10, 20, 50]


def test_a_class_without_weight_is_left_out_and_said():
    X, y, weight = rows()
    weight[y == "b"] = 0.0
    with pytest.warns(UserWarning, match="All rows of class 'b' have weight 0"):
        assert_same(PerturbArgmaxClassifier("gumbel", **TOL), X, y, weight)
    clf = PerturbArgmaxClassifier("gumbel", class_weight={"b": 0.0}, **TOL)
    with pytest.warns(UserWarning, match="All rows of class 'b' have weight 0"):
        assert_same(clf, X, y)


def test_separated_classes_are_said_to_be():
    X, y, _ = rows()
    X[:, 0] += np.where(y == "a", 100.0, 0.0)
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf)
    with pytest.warns(UserWarning, match="separate"):
        fit(clf, cut(X, y))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cov", ["observed", "expected", "robust", "HC1", "cluster"])
def test_standard_errors_are_those_of_all_rows(cov, weighted):
    X, y, weight = rows()
    if weighted and cov in ("observed", "expected"):
        weight = weight.round()
    weight = weight if weighted else np.ones(len(y))
    lots = np.repeat(np.arange(45), 100)
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, constraint="reference", tol=1e-9)
    source = cut(X, y, weight, lots)
    by_blocks = {"groups": True} if cov == "cluster" else {}
    by_rows = {"groups": lots} if cov == "cluster" else {}
    found = fit(clf, source).summary(source, cov=cov, **by_blocks)
    expected = clone(clf).fit(X, y, sample_weight=weight).summary(cov=cov, **by_rows)
    assert_allclose(found["std_err"], expected["std_err"], rtol=1e-8)
    assert_allclose(found["coef"], expected["coef"], rtol=1e-6, atol=SAME)
    for name, value in expected.attrs.items():
        assert found.attrs[name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_standard_errors_of_sampling_weights_and_what_is_refused():
    X, y, weight = rows()
    weight = weight + 0.5
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, constraint="reference", tol=1e-9)
    source = cut(X, y, weight)
    found = fit(clf, source).summary(source, weights="sampling")
    expected = clone(clf).fit(X, y, sample_weight=weight).summary(weights="sampling")
    assert_allclose(found["std_err"], expected["std_err"], rtol=1e-8)
    assert_allclose(found["ci_low"], expected["ci_low"], rtol=1e-6, atol=SAME)
    with pytest.raises(ValueError, match="meaning must be said"):
        clf.summary(source)
    with pytest.raises(ValueError, match="no longer knows the data"):
        clf.summary(weights="sampling")
    with pytest.raises(ValueError, match="name their column there"):
        clf.summary(source, weights="sampling", groups=np.arange(len(y)))
    with pytest.raises(ValueError, match="not those of the fit"):
        clf.summary(cut(X, y, weight + 1), weights="sampling")
    with pytest.raises(ValueError, match="classes"):
        clf.summary(cut(X, np.where(y == "a", "z", y), weight), weights="sampling")
    balanced = PerturbArgmaxClassifier("gumbel", C=np.inf, class_weight="balanced", tol=1e-9)
    assert "robust" in fit(balanced, cut(X, y)).summary(cut(X, y)).attrs["covariance"]


def test_it_is_an_ordinary_fit_afterwards():
    X, y, _ = rows()
    frame = pd.DataFrame(X, columns=list("uvwxyz"))
    clf = fit(PerturbArgmaxClassifier("gumbel"), cut(frame, y))
    assert clf.feature_names_in_.tolist() == list("uvwxyz")
    assert_array_equal(pickle.loads(pickle.dumps(clf)).coef_, clf.coef_)
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(frame[list("zyxwvu")])
    again = fit(clone(clf), cut(frame, y))
    assert_array_equal(again.coef_, clf.coef_)
    warm = clone(clf).set_params(warm_start=True)
    fit(fit(warm, cut(frame, y)), cut(frame, y))
    assert warm.n_iter_[0] == 0


def test_functions_give_blocks_and_iterators_are_refused():
    X, y, _ = rows()
    halves = [(X[::2], y[::2]), (X[1::2], y[1::2])]
    from_function = fit(PerturbArgmaxClassifier("gumbel"), arrays(lambda: iter(halves)))
    assert_array_equal(
        from_function.coef_, fit(PerturbArgmaxClassifier("gumbel"), arrays(halves)).coef_
    )
    with pytest.raises(ValueError, match="not an iterator"):
        arrays(iter(halves))


def test_scaling_and_encoding_by_blocks():
    X, y, _ = rows()
    X[:, :5] *= np.logspace(-3, 3, 5)
    scaler = standard_scaler(cut(X, y))
    whole = StandardScaler().fit(X)
    assert_allclose(scaler.mean_, whole.mean_, rtol=1e-12)
    assert_allclose(scaler.scale_, whole.scale_, rtol=1e-12)
    clf = fit(PerturbArgmaxClassifier("gumbel", **TOL), cut(X, y), prepare=scaler)
    expected = PerturbArgmaxClassifier("gumbel", **TOL).fit(whole.transform(X), y)
    assert_allclose(clf.coef_, expected.coef_, atol=SAME)
    assert make_pipeline(scaler, clf).predict_proba(X[:3]).shape == (3, 5)
    machine = np.where(X[:, [0]] > 0, "M1", "M2").astype(object)
    machine[-1] = "M3"
    encoder = one_hot_encoder(cut(machine, y))
    assert encoder.categories_[0].tolist() == ["M1", "M2", "M3"]
    clf = fit(PerturbArgmaxClassifier("gumbel", **TOL), cut(machine, y), prepare=encoder)
    assert clf.n_features_in_ == 3


REFUSED = {
    "no labels at all": ([([[1.0]],)], "A block is a tuple"),
    "no rows": ([(np.zeros((0, 2)), [])], "no rows"),
    "one class": ([([[1.0]], ["a"]), ([[2.0]], ["a"])], "one class only"),
    "another width": ([([[1.0]], ["a"]), ([[2.0, 1.0]], ["b"])], "same columns"),
    "missing": ([([[1.0]], ["a"]), ([[np.nan]], ["b"])], "missing or infinite.* column 0"),
    "text and numbers": ([([[1.0]], ["a"]), ([[2.0]], [3])], "text and others numbers"),
    "missing label": ([([[1.0], [2.0]], ["a", None])], "y is missing for 1 rows"),
    "negative weight": ([([[1.0], [2.0]], ["a", "b"], [1.0, -1.0])], "not negative"),
    "no weight": ([([[1.0], [2.0]], ["a", "b"], [0.0, 0.0])], "zero for every row"),
    "odd weight": ([([[1.0], [2.0]], ["a", "b"], [1.0, np.nan])], "weight that is missing"),
    "no labels": ([([[1.0]], []), ([[1.0], [2.0]], ["a", "b"])], "as many"),
    "too few labels": ([([[1.0], [2.0]], ["a"])], "as many"),
}


@pytest.mark.parametrize(("blocks", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_right_is_refused(blocks, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit(PerturbArgmaxClassifier(), arrays(blocks))


@pytest.mark.parametrize(
    ("clf", "sentence"),
    [
        (PerturbArgmaxClassifier(label_noise="uniform"), "label_noise is not for blocks"),
        (PerturbArgmaxClassifier(label_noise=np.eye(5)), "label_noise is not for blocks"),
        (
            PerturbArgmaxClassifier(bias_reduction=True, C=np.inf),
            "bias_reduction is not for blocks",
        ),
        (PerturbArgmaxClassifier(tol=-1), "tol"),
        (make_pipeline(StandardScaler(), PerturbArgmaxClassifier()), "prepare"),
    ],
    ids=repr,
)
def test_what_blocks_do_not_do_is_refused_by_name(clf, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit(clf, cut(*rows()[:2]))


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"target": "y", "features": ["a", "y"]}, r"\['y'\] are named more than once"),
        ({"target": "y", "sample_weight": "y"}, "more than once"),
        ({"target": "y", "features": ["a", "a"]}, "more than once"),
        ({"target": "y", "features": []}, "names no column"),
        ({"target": "z"}, r"lacks the columns \['z'\]"),
        ({"target": "y", "sample_weight": "w"}, r"lacks the columns \['w'\]"),
        ({"target": "y", "features": ["b"]}, r"lacks the columns \['b'\]"),
    ],
)
def test_each_column_has_one_role_and_is_there(names, sentence):
    dd = pytest.importorskip("dask.dataframe", exc_type=ImportError)
    frame = dd.from_pandas(pd.DataFrame({"a": [0.0, 1.0, 2.0], "y": [0, 1, 1]}), npartitions=1)
    with pytest.raises(ValueError, match=sentence):
        fit(PerturbArgmaxClassifier(), dask_frame(frame, **names))


def test_what_scalers_and_encoders_refuse():
    missing = arrays([([[1.0], [np.nan]], ["a", "b"])])
    moved = [(pd.DataFrame([[1.0, 2.0]], columns=list(names)), ["a"]) for names in ("uv", "vu")]
    cells = [np.array([["x"], [other]], dtype=object) for other in (None, 1)]
    for made, source, sentence in (
        (standard_scaler, missing, "Column 0 is sparse, or holds values that are missing"),
        (standard_scaler, arrays(moved), "same columns in the same order"),
        (one_hot_encoder, arrays(moved), "same columns in the same order"),
        (one_hot_encoder, arrays([(cells[0], ["a", "b"])]), "missing categories"),
        (one_hot_encoder, arrays([(cells[1], ["a", "b"])]), "different types"),
        (standard_scaler, arrays([]), "no rows"),
        (one_hot_encoder, arrays([]), "no rows"),
    ):
        with pytest.raises(ValueError, match=sentence):
            made(source)


def test_nullable_columns():
    X, y, _ = rows()
    frame = pd.DataFrame(X[:, :5]).rename(columns=str).astype("Float64")
    codes = pd.Series(np.searchsorted(np.unique(y), y), dtype="Int64")
    clf = fit(PerturbArgmaxClassifier("gumbel"), arrays([(frame, codes)]))
    assert clf.classes_.tolist() == [0, 1, 2, 3, 4]
    assert clf.classes_.dtype.kind == "i"
    frame.iloc[3, 2] = pd.NA
    with pytest.raises(ValueError, match="missing or infinite, the first in column 2"):
        fit(clf, arrays([(frame, codes)]))


def test_methods_that_need_rows_in_memory_say_so():
    X, y, _ = rows()
    clf = PerturbArgmaxClassifier("gumbel", C=np.inf, constraint="reference", tol=1e-8)
    source = cut(X, y)
    assert fit(clf, source).wald_test([("b", "x0")], source).p_value < 1
    for method in (clf.marginal_effects, lambda s: clf.profile_interval("b", "x0", s)):
        with pytest.raises(ValueError, match="needs rows in memory, not a source of blocks"):
            method(source)
    with pytest.raises(ValueError, match="The source knows no lots"):
        clf.summary(source, groups=True)


def test_an_array_on_disk_is_fitted_as_it_is(tmp_path):
    X, y, _ = rows()
    np.save(tmp_path / "X.npy", X)
    on_disk = np.load(tmp_path / "X.npy", mmap_mode="r")
    clf = PerturbArgmaxClassifier("gumbel")
    assert_array_equal(clf.fit(on_disk, y).coef_, clone(clf).fit(X, y).coef_)


def files(folder, frame, n=3):
    pytest.importorskip("pyarrow", exc_type=ImportError)
    for k, part in enumerate(np.array_split(np.arange(len(frame)), n)):
        frame.iloc[part].to_parquet(folder / f"lot-{k}.parquet")
    return str(folder / "*.parquet")


def frame_of(X, y, weight):
    return pd.DataFrame(X, columns=list("uvwxyz")).assign(defect=y, parts=weight)


def test_parquet_files(tmp_path):
    X, y, weight = rows()
    pattern = files(tmp_path, frame_of(X, y, weight))
    source = parquet(pattern, target="defect", sample_weight="parts")
    clf = fit(PerturbArgmaxClassifier("gumbel", **TOL), source)
    whole = PerturbArgmaxClassifier("gumbel", **TOL).fit(X, y, sample_weight=weight)
    assert_allclose(clf.coef_, whole.coef_, atol=SAME)
    assert clf.feature_names_in_.tolist() == list("uvwxyz")
    few = parquet(pattern, target="defect", features=["v", "u"])
    assert fit(PerturbArgmaxClassifier("gumbel"), few).feature_names_in_.tolist() == ["v", "u"]
    with pytest.raises(ValueError, match="lacks the columns"):
        fit(PerturbArgmaxClassifier(), parquet(pattern, target="defects"))
    with pytest.raises(ValueError, match="hold no numbers"):
        fit(PerturbArgmaxClassifier(), parquet(pattern, target="u"))
    with pytest.raises(ValueError, match="No file"):
        parquet(str(tmp_path / "none-*.parquet"), target="defect")


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        )
        with cluster, distributed.Client(cluster) as client:
            yield client


def test_workers_give_the_same(client, tmp_path):
    X, y, weight = rows()
    source = parquet(
        files(tmp_path, frame_of(X, y, weight)), target="defect", sample_weight="parts"
    )
    clf = PerturbArgmaxClassifier("gumbel", **TOL)
    one, two = fit(clone(clf), source, client=client), fit(clone(clf), source, client=client)
    assert_array_equal(one.coef_, two.coef_)
    assert_allclose(one.coef_, clf.fit(X, y, sample_weight=weight).coef_, atol=SAME)
    sent = fit(clone(clf), cut(X, y, weight), client=client)
    assert_allclose(sent.coef_, one.coef_, atol=SAME)


def test_a_dask_frame_of_unknown_sizes(client):
    dd = pytest.importorskip("dask.dataframe", exc_type=ImportError)
    X, y, weight = rows()
    frame = frame_of(X, np.where(y < "b", 10, np.where(y < "d", 50, 20)), weight)
    lazy = dd.from_pandas(frame, npartitions=6)
    lazy = lazy[lazy["u"] > -0.5]
    kept = frame[frame["u"] > -0.5]
    expected = PerturbArgmaxClassifier("gumbel", **TOL)
    expected.fit(kept[list("uvwxyz")], kept["defect"], sample_weight=kept["parts"])
    source = dask_frame(lazy, target="defect", sample_weight="parts")
    for chosen in (client, None):
        clf = fit(PerturbArgmaxClassifier("gumbel", **TOL), source, client=chosen)
        assert clf.classes_.tolist() == [10, 20, 50]
        assert_allclose(clf.coef_, expected.coef_, atol=SAME)
