"""Run scikit-learn's installed tests of LogisticRegression with a classifier of skperturb instead.

    python tests/clients/sklearn_tests.py            # all, in about ten minutes
    python tests/clients/sklearn_tests.py logistic   # its tests of LogisticRegression
    python tests/clients/sklearn_tests.py meta       # its tests of meta-estimators

Nothing of scikit-learn is copied: ``sklearn_plugin.py`` replaces the class before the installed
test modules are imported. A test is applicable if it fits our class. The exit status is 1 if an
applicable test fails that is not listed below with its reason.
"""

import fnmatch
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

MODULES = {
    "logistic": ["linear_model.tests.test_logistic"],
    "meta": [
        "tests.test_calibration",
        "tests.test_multiclass",
        "tests.test_multioutput",
        "tests.test_pipeline",
        "tests.test_metaestimators",
        "tests.test_metaestimators_metadata_routing",
        "ensemble.tests.test_bagging",
        "ensemble.tests.test_stacking",
        "ensemble.tests.test_voting",
        "ensemble.tests.test_weight_boosting",
        "feature_selection.tests.test_from_model",
        "feature_selection.tests.test_rfe",
        "frozen.tests.test_frozen",
        "inspection.tests.test_partial_dependence",
        "inspection.tests.test_permutation_importance",
        "inspection._plot.tests.test_boundary_decision_display",
        "metrics.tests.test_score_objects",
        "metrics._plot.tests.test_common_curve_display",
        "metrics._plot.tests.test_confusion_matrix_display",
        "metrics._plot.tests.test_det_curve_display",
        "metrics._plot.tests.test_precision_recall_display",
        "metrics._plot.tests.test_roc_curve_display",
        "model_selection.tests.test_classification_threshold",
        "model_selection.tests.test_search",
        "model_selection.tests.test_validation",
        "semi_supervised.tests.test_self_training",
        "utils.tests.test_response",
    ],
}

# Applicable tests that fail, by pattern, and why that is no fault of the classifier.
_NO_SOLVER = "The test is of a solver that skperturb does not have (liblinear, sag, saga)."
_NO_PENALTY = "The test is of the deprecation of penalty, which skperturb does not have."
_TEXT = "The ConvergenceWarning is raised, with a text of its own (gradient, tol, what to do)."
_DIGITS = (
    "The test compares with a fit of scikit-learn's own at its default tolerance, to 6 digits."
)
_NOT_CONVERGED = (
    "The expected digits are those of LogisticRegression's default tolerance, which stops short of "
    "the optimum; LogisticRegression with tol=1e-10 fails the test, too."
)
EXCEPTIONS = {
    "*::test_check_solver_option*": _NO_SOLVER,
    "*::test_dtype_match*liblinear*": _NO_SOLVER,
    "*::test_large_sparse_matrix*liblinear*": _NO_SOLVER,
    "*::test_large_sparse_matrix*sag*": _NO_SOLVER,
    "*::test_liblinear_with_large_values": _NO_SOLVER,
    "*::test_liblinear_multiclass_raises*": _NO_SOLVER,
    "*::test_newton_cholesky_fallback_to_lbfgs": (
        "newton-cholesky falls back to lbfgs and takes its number of iterations; our Newton's "
        "method is damped instead, and converges in fewer."
    ),
    "*::test_penalty_deprecated*": _NO_PENALTY,
    "*::test_max_iter*": _TEXT,
    "*::test_logistic_cv[[]*": _DIGITS,
    "*::test_logistic_cv_multinomial_score[[]neg_log_loss*": _DIGITS,
    "*::test_multiclass_multioutput_estimator_predict_proba": _NOT_CONVERGED,
    "*::test_roc_curve_display_plotting_from_cv_results*": _NOT_CONVERGED,
    "*::test_logreg_predict_proba_multinomial*": "The test calls the private _predict_proba_lr.",
}


def run(modules, results):
    """Run the tests of these modules of scikit-learn in a process of their own."""
    root = Path(__file__).parents[2]
    paths = os.pathsep.join(
        [str(root), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    environment = os.environ | {"SKPERTURB_CLIENT_RESULTS": results, "PYTHONPATH": paths}
    command = [sys.executable, "-m", "pytest", "-q", "--tb=line"]
    command += ["-p", "sklearn_plugin", "-p", "no:cacheprovider", "-c", os.devnull]
    command += ["--pyargs", *(f"sklearn.{module}" for module in modules)]
    subprocess.run(command, cwd=tempfile.gettempdir(), env=environment, check=False)


def exception(test):
    """Why a failure of this test is no fault, or None."""
    return next((why for name, why in EXCEPTIONS.items() if fnmatch.fnmatch(test, name)), None)


def report(lines):
    """Print the counts, and every failure with its reason; how many have none."""
    applicable = [line for line in lines if line["fits"]]
    counts = Counter(line["outcome"] for line in applicable)
    print(f"\n{len(lines)} tests, of which {len(applicable)} fit our class:", dict(counts))
    print("skipped, by reason:")
    for reason, n in Counter(x["reason"] for x in applicable if x["outcome"] == "skipped").items():
        print(f"  {n:4d}  {reason}")
    failed = [line for line in applicable if line["outcome"] == "failed"]
    without = [line for line in failed if not exception(line["test"])]
    print("failed, with a reason:")
    for reason, n in Counter(exception(line["test"]) for line in failed).items():
        if reason:
            print(f"  {n:4d}  {reason}")
    print("failed, without one:" if without else "No applicable test failed without a reason.")
    for line in without:
        print(f"  {line['test']}: {line['reason']}")
    return len(without)


def main(names):
    """Run the groups of tests with these names, all by default."""
    wrong = 0
    for name in names or MODULES:
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder) / "results.jsonl"
            run(MODULES[name], str(results))
            lines = [json.loads(line) for line in results.read_text().splitlines()]
        print(f"\n=== {name}")
        wrong += report(lines)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
