"""From parts to a model that can be saved: fit, performance, and what prediction needs besides."""

import platform
from typing import Any

import numpy as np
import pandas as pd
import scipy
import sklearn
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._version import __version__
from ..additive import AdditiveClassifier
from ..evaluation import correct_prevalence
from ..model_selection import PerturbArgmaxClassifierCV, PerturbSoftmaxClassifierCV
from ..parts import Parts
from ._familiar import familiar
from ._file import SavedModel
from ._linear_part import linear_part
from ._performance import left_out_probabilities, performance
from ._watch import references

_CHOOSING = (AdditiveClassifier, PerturbArgmaxClassifierCV, PerturbSoftmaxClassifierCV)
_MOST_KEPT = 5000  # predictions of left-out parts


def train_model(
    pipeline: Pipeline,
    parts: Parts,
    *,
    cost_matrix: pd.DataFrame | None = None,
    prevalence: pd.Series | None = None,
    good: str | None = None,
    folds: int = 10,
    random_state: int = 0,
) -> SavedModel:
    """Fit a pipeline to all parts, and account for it.

    Parameters
    ----------
    pipeline : Pipeline
        Of a preprocessor (see :func:`skperturb.parts.preprocessor`) and a classifier, or of an
        ``AdditiveClassifier`` alone. It is cloned. Of a classifier that chooses among others the
        chosen one is kept, fitted to all parts; its predictions are the same.
    parts : Parts
        What :func:`skperturb.parts.read_parts` returned.
    cost_matrix : DataFrame of shape (n_classes, n_decisions), default=None
        What each decision costs for each class.
    prevalence : Series, default=None
        The share of each class on the line, if the parts have other shares.
    good : str, default=None
        The class of parts without a defect.
    folds : int, default=10
        Folds by which the performance is measured, except that of PerturbArgmaxClassifier and
        PerturbSoftmaxClassifier, which leave out one part, or one lot, at a time without refits.
        What stands before them in the pipeline has then seen all parts.
    random_state : int, default=0
        Seed of the folds.

    Returns
    -------
    SavedModel
        The fitted pipeline, its account, and arrays for :func:`decide`.

    Raises
    ------
    ValueError
        If the parts cannot be fitted, or left out to measure the performance.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skperturb import PerturbArgmaxClassifier
    >>> from skperturb.parts import preprocessor, shipped_parts
    >>> from skperturb.serving import train_model
    >>> pipeline = make_pipeline(preprocessor(), PerturbArgmaxClassifier("gumbel"))
    >>> model = train_model(pipeline, shipped_parts())
    >>> round(model.account["performance"]["accuracy"]["value"], 2)
    0.98
    """
    labels = parts.target.to_numpy(dtype=object).astype(str)
    weight = None if parts.weight is None else parts.weight.to_numpy(float)
    fitted = clone(pipeline).fit(parts.features, labels, **_fit_options(pipeline, parts, weight))
    chosen = _chosen(fitted)
    classes = [str(name) for name in chosen.classes_]
    # Of what chose noise, C or curves by these parts, the choice is repeated in each fold.
    measured = pipeline if isinstance(fitted[-1], _CHOOSING) else chosen
    left_out, how = left_out_probabilities(measured, parts, labels, folds, random_state)
    codes = pd.Index(classes).get_indexer(labels)
    study = np.bincount(codes, weight, len(classes)).astype(float)
    account, cost_matrix, prevalence = account_of(
        chosen, classes, study, cost_matrix, prevalence, good
    )
    account |= {
        "columns": [column.to_dict() for column in parts.columns],
        "parts": {
            "number": len(labels),
            "lots": None if parts.groups is None else int(parts.groups.nunique()),
            "weighted": weight is not None,
        },
        "source": parts.source,
    }
    account["performance"] = how | performance(
        left_out, labels, classes, parts, cost_matrix, prevalence, good
    )
    account["watch"] = references(
        SavedModel(chosen, account),
        parts.features,
        parts.groups,
        weight,
        left_out,
        codes,
        random_state,
    )
    arrays = left_out_arrays(left_out, codes, random_state)
    arrays |= familiar(parts.features, random_state)
    arrays |= _of_linear_part(chosen, parts, labels, weight, account)
    return SavedModel(chosen, account, arrays)


def account_of(chosen, classes, study, cost_matrix, prevalence, good):
    """What an account says of a model, and costs and shares in the order of its classes."""
    account: dict[str, Any] = {
        "classes": classes,
        "model": " ".join(repr(chosen[-1]).split()),
        "noise": repr(chosen[-1].model_.noise) if hasattr(chosen[-1], "model_") else None,
        "good": good,
        "versions": _versions(),
        "costs": None,
        "prevalence": None,
    }
    if cost_matrix is not None:
        cost_matrix = cost_matrix.reindex(classes)
        account["costs"] = {
            "decisions": [str(name) for name in cost_matrix.columns],
            "matrix": cost_matrix.to_numpy(float).tolist(),
        }
    if prevalence is not None:
        prevalence = prevalence.reindex(classes)
        correct_prevalence(np.eye(len(classes)), prevalence, study, classes=classes)
        account["prevalence"] = {
            "line": (prevalence / prevalence.sum()).tolist(),
            "study": (study / study.sum()).tolist(),
        }
    return account, cost_matrix, prevalence


def left_out_arrays(left_out, codes, random_state):
    """Predictions of parts that the fit did not see, of so many as a file keeps."""
    kept = np.arange(len(codes))
    if len(kept) > _MOST_KEPT:
        rng = np.random.default_rng(random_state)
        kept = np.sort(rng.choice(len(codes), _MOST_KEPT, replace=False))
    return {"left_out_proba": left_out[kept], "left_out_truth": codes[kept]}


def _fit_options(pipeline, parts, weight):
    name, last = pipeline.steps[-1]
    options = {}
    if weight is not None:
        options[f"{name}__sample_weight"] = weight
    if parts.groups is not None and isinstance(last, _CHOOSING):
        options[f"{name}__groups"] = parts.groups.to_numpy(dtype=object).astype(str)
    return options


def _chosen(fitted):
    """The pipeline that predicts the same without what was needed to choose it."""
    last = fitted[-1]
    if isinstance(last, AdditiveClassifier):
        return last.pipeline_
    if isinstance(last, _CHOOSING):
        return Pipeline([*fitted.steps[:-1], (fitted.steps[-1][0], last.best_estimator_)])
    return fitted


def _of_linear_part(pipeline, parts, labels, weight, account):
    """Means of the design and, without a penalty, the covariance of the coefficients."""
    part = linear_part(pipeline)
    account["reasons"] = part is not None
    if part is None:
        account["intervals"] = "the model is not linear in its features"
        return {}
    design = part.design(parts.features)
    share = np.ones(len(labels)) if weight is None else weight
    arrays = {"design_mean": np.asarray(design.T @ (share / share.sum())).ravel()}
    groups = None if parts.groups is None else parts.groups.to_numpy(dtype=object)
    n_lots = None if groups is None else parts.groups.nunique()
    data = (design, labels, weight)
    return arrays | of_covariance(part.classifier, account, data, groups, weight, n_lots)


def of_covariance(classifier, account, data, groups, weight, n_lots):
    """The covariance of the coefficients, or an account of why there is none."""
    if not hasattr(classifier, "covariance"):
        account["intervals"] = "the classifier has no covariance of its coefficients"
        return {}
    if np.isfinite(classifier.C):
        account["intervals"] = "the fit has a penalty (perturb_argmax with '--C inf' has none)"
        return {}
    weights = None if weight is None else "sampling"
    try:
        covariance = classifier.covariance(*data, groups=groups, weights=weights)
    except ValueError as error:
        account["intervals"] = str(error).splitlines()[0].rstrip(".")
        return {}
    account["intervals"] = None
    df = 0 if n_lots is None else n_lots - 1
    return {"covariance": covariance.to_numpy(float), "covariance_df": np.array(float(df))}


def _versions():
    return {
        "skperturb": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pandas": pd.__version__,
        "python": platform.python_version(),
    }
