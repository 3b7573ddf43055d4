"""Labels of every type keep their identity; what is missing or mixed is said."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skperturb import PerturbArgmaxClassifier
from skperturb.evaluation import compare_classifiers
from skperturb.noise import StudentT

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
CODES = np.arange(60) % 2
TWO = {"a": DummyClassifier(), "b": DummyClassifier(strategy="prior")}

LABELS = [
    (pd.Series(CODES == 1, dtype="boolean"), [False, True]),
    (pd.Series(CODES, dtype="Int64"), [0, 1]),
    (pd.Series(2**53 + CODES, dtype="Int64"), [2**53, 2**53 + 1]),
    (pd.array(2**53 + CODES, dtype="UInt64"), [2**53, 2**53 + 1]),
    (2**53 + CODES, [2**53, 2**53 + 1]),
    (pd.Series(np.array(["01", "1"])[CODES], dtype="string"), ["01", "1"]),
    (pd.Series(np.array(["NA", "None"])[CODES], dtype="category"), ["NA", "None"]),
    (pd.Series(5 + CODES, dtype="category"), [5, 6]),
    (np.array(["NA", "None"])[CODES].tolist(), ["NA", "None"]),
]


@pytest.mark.parametrize(("labels", "classes"), LABELS, ids=lambda value: str(value)[:20])
def test_labels_keep_their_identity(labels, classes):
    fitted = PerturbArgmaxClassifier().fit(X, labels)
    assert fitted.classes_.tolist() == classes
    assert set(fitted.predict(X).tolist()) <= set(classes)
    costs = {str(row): {str(col): float(row != col) for col in classes} for row in classes}
    result = compare_classifiers(TWO, X, labels, cost_matrix=costs, n_splits=2, n_repeats=1)
    assert list(result.classes) == classes


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([None, *np.array(["a", "b"])[CODES[1:]]], dtype="string"),
        pd.Series(CODES, dtype="Int64").mask(np.arange(60) == 3),
        np.array([None, *np.array(["a", "b"])[CODES[1:]]], dtype=object),
        pd.Series([np.nan, *np.array(["a", "b"])[CODES[1:]]], dtype="category"),
    ],
)
def test_missing_labels_are_counted(labels):
    with pytest.raises(ValueError, match="y is missing for 1 rows: fill it in"):
        PerturbArgmaxClassifier().fit(X, labels)
    with pytest.raises(ValueError, match="y is missing for 1 rows: fill it in"):
        compare_classifiers(TWO, X, labels)


def test_numbers_and_texts_are_not_mixed():
    with pytest.raises(ValueError, match="mixes numbers and texts"):
        compare_classifiers(TWO, X, np.array([1, "a"], dtype=object)[CODES])


def test_parameters_of_a_noise_that_is_a_name():
    assert PerturbArgmaxClassifier("student_t").set_params(noise__df=2).noise == StudentT(2)
    with pytest.raises(ValueError, match="Invalid parameter 'df'"):
        PerturbArgmaxClassifier("gaussian").set_params(noise__df=2)
    with pytest.raises(ValueError, match="set noise itself to another object"):
        PerturbArgmaxClassifier(stats.norm()).set_params(noise__scale=2)
    assert PerturbArgmaxClassifier().set_params(noise=StudentT(), noise__df=2).noise.df == 2
    search = GridSearchCV(PerturbArgmaxClassifier("student_t"), {"noise__df": [2, 5]}, cv=2)
    assert search.fit(X, CODES).best_params_["noise__df"] in (2, 5)


def test_a_feature_may_be_called_intercept():
    frame = pd.DataFrame(X, columns=["intercept", "x"])
    summary = PerturbArgmaxClassifier(C=np.inf).fit(frame, CODES).summary()
    assert not summary[["class", "feature"]].duplicated().any()


def test_other_classifiers_are_compared_on_labels_of_pandas():
    labels = pd.Series(CODES, dtype="Int64")
    models = {"ours": PerturbArgmaxClassifier(), "theirs": LogisticRegression()}
    result = compare_classifiers(models, X, labels, n_splits=2, n_repeats=1)
    assert [type(label) for label in result.classes.tolist()] == [int, int]
