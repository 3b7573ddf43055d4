"""The classifiers that choose noise and C."""

import pytest
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skperturb import PerturbArgmaxClassifierCV, PerturbSoftmaxClassifierCV

# Raw, badly scaled or separable data: a user should be told so.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FEW = {"Cs": [0.1, 10.0]}


@parametrize_with_checks(
    [
        PerturbArgmaxClassifierCV(),
        PerturbArgmaxClassifierCV(["gumbel"], cv=3, selection="best", **FEW),
        PerturbSoftmaxClassifierCV(["gaussian"], temperatures=[1.0, 0.3], **FEW),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("Classifier", [PerturbArgmaxClassifierCV, PerturbSoftmaxClassifierCV])
def test_checks_that_are_not_in_the_generator(Classifier):
    check_param_validation(Classifier.__name__, Classifier())
    check_dataframe_column_names_consistency(Classifier.__name__, Classifier())
