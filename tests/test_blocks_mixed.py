"""Preprocessors of numbers and categories, fitted to blocks as to all rows in memory."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from skperturb import PerturbArgmaxClassifier
from skperturb.blocks import arrays, fit, fit_preprocessor
from skperturb.blocks._backends import LocalBlocks
from skperturb.blocks._block import block_of
from skperturb.blocks._medians import medians
from skperturb.parts import preprocessor

from .conftest import IDENTITY

COEFFICIENTS = 1e-7  # of two fits whose features differ by rounding
N = 600


def mixed(seed=0, n=N):
    """Columns of every kind, with gaps: numbers, whole numbers, heavy tails, categories."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "width": rng.normal(80, 1, n),
            "machine": rng.choice(["A", "B", "missing"], n),
            "force": rng.standard_t(2, n),
            "holes": rng.integers(0, 5, n).astype(float),
            "constant": 0.1,
            "empty": np.nan,
            "tool": rng.choice([f"T{k}" for k in range(150)], n),
        }
    )
    for name, share in (("width", 0.1), ("holes", 0.3), ("machine", 0.2)):
        frame.loc[rng.random(n) < share, name] = np.nan
    score = (frame["width"].fillna(80) - 80) + (frame["machine"] == "A") + rng.gumbel(size=n)
    return frame, np.where(score > 0.8, "dent", "ok").astype(object)


def cut(frame, y, n_blocks=7):
    """Blocks of neighbouring rows, one of them empty."""
    pieces = [(frame.iloc[i], y[i]) for i in np.array_split(np.arange(len(frame)), n_blocks)]
    return arrays([*pieces[:3], (frame.iloc[:0], y[:0]), *pieces[3:]])


def numbers(transformer):
    """All that the steps of a preprocessor have learned."""
    found = {}
    for part, transform, _ in transformer.transformers_:
        for name, step in getattr(transform, "steps", [(part, transform)]):
            for key, value in vars(step).items():
                if key.endswith("_") or key in ("_infrequent_indices",):
                    found[part, name, key] = value
    return found


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("strategy", ["median", "mean", "constant"])
@pytest.mark.parametrize("drop", [None, "first"])
def test_it_is_the_preprocessor_of_all_rows(strategy, drop):
    frame, y = mixed()
    made = preprocessor().set_params(
        **{
            "pipeline-1__simpleimputer__strategy": strategy,
            "pipeline-2__onehotencoder__drop": drop,
        }
    )
    before = vars(made).copy()
    blocks, whole = fit_preprocessor(made, cut(frame, y)), made.fit(frame)
    assert before.keys() == vars(preprocessor()).keys()
    one, two = numbers(blocks), numbers(whole)
    assert one.keys() == two.keys()
    for key, value in two.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert_allclose(one[key], value, rtol=IDENTITY, err_msg=str(key))
        elif isinstance(value, list):
            for a, b in zip(one[key], value, strict=True):
                assert_array_equal(a, b)
        else:
            assert_array_equal(one[key], value)
    if strategy == "median":
        imputers = [t.named_transformers_["pipeline-1"][0] for t in (blocks, whole)]
        assert_array_equal(imputers[0].statistics_, imputers[1].statistics_)
    assert blocks.sparse_output_ == whole.sparse_output_
    assert blocks.get_feature_names_out().tolist() == whole.get_feature_names_out().tolist()
    later, _ = mixed(seed=1)
    later.loc[0, "tool"] = "unseen"
    a, b = blocks.transform(later), whole.transform(later)
    assert type(a) is type(b)
    assert_allclose(a.toarray(), b.toarray(), rtol=IDENTITY, atol=IDENTITY)


def test_dense_and_sparse_as_for_all_rows():
    frame, y = mixed()
    for columns in (["width", "machine"], ["width", "force"], ["machine"], ["tool"]):
        few = frame[columns]
        blocks, whole = fit_preprocessor(preprocessor(), cut(few, y)), preprocessor().fit(few)
        assert blocks.sparse_output_ == whole.sparse_output_, columns
        assert type(blocks.transform(few)) is type(whole.transform(few))


def test_a_fit_with_it_is_the_fit_in_memory():
    frame, y = mixed()
    clf = PerturbArgmaxClassifier("gumbel", tol=1e-8, max_iter=300)
    pipeline = make_pipeline(preprocessor(), clf).fit(frame, y)
    source = cut(frame, y)
    prepare = fit_preprocessor(preprocessor(), source)
    again = fit(PerturbArgmaxClassifier("gumbel", tol=1e-8, max_iter=300), source, prepare=prepare)
    assert_allclose(again.coef_, pipeline[-1].coef_, atol=COEFFICIENTS)
    together = make_pipeline(prepare, again)
    assert_allclose(together.predict_proba(frame), pipeline.predict_proba(frame), atol=COEFFICIENTS)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 9999, 10_000])
@pytest.mark.parametrize(
    "law",
    [
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: 80 + 1e-9 * rng.random(n),
        lambda rng, n: np.exp(100 * rng.normal(size=n)),
        lambda rng, n: rng.integers(0, 2, n) * 1.0,
        lambda rng, n: np.where(rng.random(n) < 0.5, -0.0, 0.0),
        lambda rng, n: np.repeat(-3.5, n),
        lambda rng, n: np.repeat([1.0, 5e-324], [n // 2, n - n // 2]),
    ],
    ids=["normal", "narrow", "wide", "two values", "zeros", "one value", "half and half"],
)
def test_medians_are_exact(law, n):
    rng = np.random.default_rng(n)
    values = law(rng, n)
    frame = pd.DataFrame({"x": values, "y": -values[::-1]})
    parts = [block_of(frame.iloc[i], np.zeros(len(i))) for i in np.array_split(np.arange(n), 4)]
    low, high = frame.min().to_numpy(), frame.max().to_numpy()
    blocks = LocalBlocks(lambda: iter(parts))
    found = medians(blocks, ["x", "y"], np.array([n, n]), low, high)
    assert_array_equal(found, frame.median().to_numpy())


def test_what_is_no_sum_is_refused():
    frame, y = mixed(n=60)
    source = cut(frame[["width", "force", "machine"]], y)
    number, text = ["width", "force"], ["machine"]
    imputed = SimpleImputer(strategy="most_frequent")
    for transformer, sentence in (
        (StandardScaler(), "Blocks fit a ColumnTransformer"),
        (make_column_transformer((MinMaxScaler(), number)), "learn sums and medians"),
        (make_column_transformer((imputed, number)), "the strategy mean, median or constant"),
        (make_column_transformer((OneHotEncoder(max_categories=2), text)), "without max_cat"),
        (make_column_transformer((OneHotEncoder(min_frequency=0.1), text)), "a number of rows"),
        (make_column_transformer((OneHotEncoder(), number)), "hold numbers"),
        (make_column_transformer((StandardScaler(), number)), "missing values"),
    ):
        with pytest.raises(ValueError, match=sentence):
            fit_preprocessor(transformer, source)
    with pytest.raises(ValueError, match="no rows"):
        fit_preprocessor(preprocessor(), arrays([]))
    with pytest.raises(ValueError, match="data frames"):
        fit_preprocessor(preprocessor(), arrays([(np.zeros((2, 1)), ["a", "b"])]))
    with pytest.raises(ValueError, match="infinite"):
        fit_preprocessor(preprocessor(), arrays([(pd.DataFrame({"x": [np.inf]}), ["a"])]))
    moved = [(pd.DataFrame({"x": cells}), ["a"]) for cells in ([1.0], ["1"])]
    with pytest.raises(ValueError, match=r"\['x'\] hold numbers in some blocks"):
        fit_preprocessor(preprocessor(), arrays(moved))


def test_columns_chosen_by_place_and_the_rest():
    frame, y = mixed()
    frame = frame[["width", "force", "machine", "holes"]]
    numeric = make_pipeline(SimpleImputer(), StandardScaler())
    made = make_column_transformer(
        (numeric, [3, 0]), (OneHotEncoder(), ["machine"]), remainder=StandardScaler()
    )
    blocks, whole = fit_preprocessor(made, cut(frame, y)), made.fit(frame)
    a, b = blocks.transform(frame), whole.transform(frame)
    assert_allclose(a, b, rtol=IDENTITY, atol=IDENTITY)


def test_workers_fit_it_too():
    distributed = pytest.importorskip("distributed")
    frame, y = mixed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            there = fit_preprocessor(preprocessor(), cut(frame, y), client=client)
    here = fit_preprocessor(preprocessor(), cut(frame, y))
    assert_array_equal(there.transform(frame).toarray(), here.transform(frame).toarray())
