"""What drives the classes: each model that can say it, fitted on all parts."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone

from .. import PerturbArgmaxClassifier
from ..evaluation import texts_of
from ..parts import preprocessor

_LINEAR = ("logistic_regression", "perturb_argmax", "perturb_softmax", "perturb_argmax_cv")
_CURVES, _COLUMNS = 6, 2  # charts of an additive model, and how many side by side
_FLAT = 0.75  # of the usual height of a chart: a printed page has more than curves
_MOST_PARAMETERS = 2000  # whose covariance is quickly known
_MOST_CLASSES = 3  # with a panel of their own


def drivers(parts, comparison, make, lang="en"):
    """What the page of a comparison shows of each of its models.

    Parameters
    ----------
    parts : Parts
    comparison : Comparison
    make : callable
        Maps the name of an estimator to its pipeline.
    lang : {"en", "ja"}

    Returns
    -------
    dict
        ``effects``, a DataFrame of model, outcome, feature, effect, ci_low and ci_high, or None;
        ``curves``, pairs of a name and a figure; ``notes``, sentences.
    """
    texts = texts_of(lang)
    tables, curves, notes = [], [], []
    for name in comparison.predictions:
        kind = name.partition(":")[0]
        if kind not in (*_LINEAR, "additive"):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # The fits of the folds have said the same.
                if kind == "additive":
                    curves.append((name, _curves(parts, make(name), texts)))
                else:
                    table, chosen = _effects(parts, comparison, name, make, texts)
                    tables.append(table.assign(model=name))
                    notes += chosen
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            notes.append(texts["drivers_failed"].format(name=name, reason=error))
    effects = pd.concat(tables, ignore_index=True) if tables else None
    if effects is not None:
        notes.insert(0, texts["drivers_unpenalised"])
    return {"effects": effects, "curves": curves, "notes": notes}


def _curves(parts, pipeline, texts):
    options = {"additiveclassifier__sample_weight": parts.weight}
    if parts.groups is not None:
        options["additiveclassifier__groups"] = parts.groups.to_numpy()
    pipeline.fit(parts.features, _labels(parts), **options)
    figure = pipeline[-1].plot_curves(features=_CURVES, columns=_COLUMNS)
    figure.set_figheight(_FLAT * figure.get_figheight())
    figure.supylabel(texts["curve_effect"], fontsize=9)
    return figure


def _effects(parts, comparison, name, make, texts):
    """Average marginal effects of a linear model, and what is to be said of it."""
    columns = preprocessor(sparse=False)
    Z = columns.fit_transform(parts.features)
    Z = pd.DataFrame(Z, columns=[n.partition("__")[2] for n in columns.get_feature_names_out()])
    features = _changes(Z, parts.features)
    # The first value of a category is what the others are compared with.
    Z = Z[[name for change in features.values() for name in np.atleast_1d(change)]]
    y, weight = _labels(parts), None if parts.weight is None else parts.weight.to_numpy()
    n_parameters = (len(comparison.classes) - 1) * (Z.shape[1] + 1)
    if n_parameters > _MOST_PARAMETERS:
        raise ValueError(texts["drivers_many"].format(parameters=f"{n_parameters:,}"))
    notes, lots = [], None if parts.groups is None else parts.groups.to_numpy()
    if name == "logistic_regression":
        # Gumbel noise is the same model.
        model = PerturbArgmaxClassifier("gumbel", max_iter=make(name)[-1].max_iter)
    else:
        model = clone(make(name)[-1])
    if name.startswith("perturb_argmax_cv"):
        found = model.fit(Z, y, sample_weight=weight, groups=lots)
        model = clone(found.best_estimator_)
        noise = getattr(found.noise_, "name", found.noise_)
        notes.append(texts["drivers_chosen"].format(name=name, noise=noise, C=f"{found.C_:.3g}"))
    options = {"cov": "cluster", "groups": lots} if lots is not None else {}
    options |= {"weights": None if weight is None else "sampling", "features": features}
    table = None
    for firth in (False, True):
        model.set_params(C=np.inf, bias_reduction=firth)
        try:
            model.fit(Z, y, sample_weight=weight)
            table = model.marginal_effects(
                Z, y, weight, confidence=comparison.confidence, **options
            )
            break
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            failed = error
    if table is None:
        raise ValueError(f"{str(failed).partition('. ')[0].removesuffix('.')}.")
    if firth:
        notes.append(texts["drivers_firth"].format(name=name))
    return _by_outcome(pd.DataFrame(table), comparison, texts), notes


def _changes(Z, features):
    """What is changed for each feature: a number, or all values of a category but the first."""
    changed, rest = {}, list(Z)
    for feature in features:
        if pd.api.types.is_numeric_dtype(features[feature]):
            if Z[feature].std() > 0:
                changed[feature] = feature
            rest.remove(feature)
    for feature in sorted((f for f in features if f not in changed), key=len, reverse=True):
        own = [name for name in rest if name.startswith(f"{feature}_")]
        rest = [name for name in rest if name not in own]
        if own[1:]:
            changed[feature] = own[1:]
    return changed


def _by_outcome(table, comparison, texts):
    """Effects on the share of defects if the good class is known, or on those of the classes."""
    ends = ["ci_low", "ci_high"]
    if comparison.good is not None:
        own = table[table["class"] == comparison.good].copy()
        own["effect"], own[ends] = -own["effect"], -own[ends[::-1]].to_numpy()
        return own.assign(outcome=texts["drivers_defect"])
    counts = pd.Series(comparison.y).value_counts()
    shown = comparison.classes[1:] if len(counts) == 2 else counts.index[:_MOST_CLASSES]
    own = table[table["class"].isin(shown)]
    return own.assign(outcome=own["class"].astype(str))


def _labels(parts):
    return parts.target.to_numpy(dtype=object).astype(str)
