"""How well a model does on parts that its fit did not see."""

from contextlib import suppress

import numpy as np
import pandas as pd

from ..evaluation import (
    correct_prevalence,
    cross_val_predictions,
    expected_cost_decision,
    trivial_policies,
)

PER = 1000  # parts, of costs
_SMALLEST = np.finfo(float).eps  # a probability of 0 counts as this in the log loss


def left_out_probabilities(pipeline, parts, labels, folds, seed):
    """(probabilities of each part by a fit without it, how): see :func:`train_model`.

    One of our linear classifiers leaves out parts, or lots, without refits; what stands before it
    in the pipeline has then seen all parts. Others are fitted to folds, and so are those that
    cannot leave out parts, as where a class is seen in one part only.
    """
    classifier = pipeline[-1]
    weight = None if parts.weight is None else parts.weight.to_numpy()
    lots = None if parts.groups is None else parts.groups.to_numpy(dtype=object).astype(str)
    if hasattr(classifier, "leave_one_out"):
        design = pipeline[:-1].transform(parts.features)
        with suppress(ValueError):
            left = classifier.leave_one_out(design, labels, weight, groups=lots)
            how = "leave_one_out" if lots is None else "leave_lot_out"
            return left.proba, {"method": how}
    out = cross_val_predictions(
        pipeline,
        parts.features,
        labels,
        sample_weight=weight,
        groups=lots,
        n_splits=folds,
        n_repeats=1,
        random_state=seed,
    )
    return out.proba[0], {"method": "out_of_fold", "folds": folds, "lots": lots is not None}


def performance(proba, labels, classes, parts, costs, prevalence, good):
    """Figures of probabilities of parts, each with a standard error.

    Returns
    -------
    dict
        ``log_loss``, ``brier``, ``accuracy`` and, with costs, ``cost`` per 1000 parts: each a dict
        of ``value`` and ``std_err``; ``classes``: for each class its parts and the share of them
        whose most probable class is right; with costs ``policies``: one decision for all parts.
    """
    weight = np.ones(len(labels)) if parts.weight is None else parts.weight.to_numpy(float)
    codes = pd.Index(classes).get_indexer(labels)
    if prevalence is not None:
        study = np.bincount(codes, weight, len(classes))
        proba = correct_prevalence(proba, prevalence, study, classes=classes)
        # Each class has its share on the line, whatever the weights of the parts.
        line = prevalence.reindex(classes).to_numpy(float)
        weight = weight * np.divide(line, study, out=np.zeros(len(line)), where=study > 0)[codes]
    lots = None if parts.groups is None else pd.factorize(parts.groups)[0]
    own = proba[np.arange(len(codes)), codes]
    squares = ((proba - np.eye(len(classes))[codes]) ** 2).sum(axis=1)
    most = proba.argmax(axis=1)
    each = {
        "log_loss": -np.log(np.maximum(own, _SMALLEST)),
        "brier": squares / (2 if len(classes) == 2 else 1),
        "accuracy": (most == codes).astype(float),
    }
    found = {}
    if costs is not None:
        decisions = expected_cost_decision(proba, costs, classes)
        places = costs.columns.get_indexer(decisions)
        each["cost"] = PER * costs.to_numpy(float)[codes, places]
        policies = trivial_policies(labels, costs, sample_weight=weight, good=good)
        found["policies"] = [
            {"name": row.policy, "decision": row.decision, "value": PER * row.mean_cost}
            for row in policies.itertuples()
            if row.decision is not None
        ]
    found |= {name: _estimate(values, weight, lots) for name, values in each.items()}
    right = most == codes
    found["classes"] = [
        {
            "class": str(name),
            "parts": int((codes == k).sum()),
            "right": float(right[codes == k].mean()) if (codes == k).any() else None,
        }
        for k, name in enumerate(classes)
    ]
    return found


def _estimate(values, weight, lots):
    """Weighted mean of independent parts, or lots, and its standard error."""
    share = weight / weight.sum()
    mean = float(share @ values)
    parts = (share * (values - mean))[weight > 0]
    if lots is not None:
        parts = np.bincount(np.unique(lots[weight > 0], return_inverse=True)[1], parts)
    n = len(parts)
    error = float(np.sqrt(n / (n - 1) * (parts @ parts))) if n > 1 else 0.0
    return {"value": mean, "std_err": error}
