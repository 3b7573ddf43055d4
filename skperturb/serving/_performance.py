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
    figures = Figures(classes, np.bincount(codes, weight, len(classes)), costs, prevalence, good)
    lots = None if parts.groups is None else pd.factorize(parts.groups)[0]
    each, weight = figures.each(proba, codes, weight)
    found = figures.policies()
    found |= {name: _estimate(values, weight, lots) for name, values in each.items()}
    counts = np.bincount(codes, minlength=len(classes))
    return found | {
        "classes": figures.of_classes(counts, np.bincount(codes, each["accuracy"], len(classes)))
    }


class Figures:
    """What is said of predictions of parts.

    Parameters
    ----------
    classes : list of str
    study : ndarray of shape (n_classes,)
        The sum of the weights of the parts of each class.
    costs : DataFrame of shape (n_classes, n_decisions) or None
    prevalence : Series or None
    good : str or None
    """

    def __init__(self, classes, study, costs, prevalence, good):
        self.classes, self.study, self.costs = classes, study, costs
        self.prevalence, self.good = prevalence, good

    def each(self, proba, codes, weight):
        """The figures of each part, by their names, and its weight in their means."""
        if self.prevalence is not None:
            proba = correct_prevalence(proba, self.prevalence, self.study, classes=self.classes)
            # Each class has its share on the line, whatever the weights of the parts.
            line = self.prevalence.reindex(self.classes).to_numpy(float)
            ratio = np.divide(line, self.study, out=np.zeros(len(line)), where=self.study > 0)
            weight = weight * ratio[codes]
        own = proba[np.arange(len(codes)), codes]
        squares = ((proba - np.eye(len(self.classes))[codes]) ** 2).sum(axis=1)
        each = {
            "log_loss": -np.log(np.maximum(own, _SMALLEST)),
            "brier": squares / (2 if len(self.classes) == 2 else 1),
            "accuracy": (proba.argmax(axis=1) == codes).astype(float),
        }
        if self.costs is not None:
            decisions = expected_cost_decision(proba, self.costs, self.classes)
            places = self.costs.columns.get_indexer(decisions)
            each["cost"] = PER * self.costs.to_numpy(float)[codes, places]
        return each, weight

    def policies(self):
        """One decision for all parts, with costs."""
        if self.costs is None:
            return {}
        line = self.study
        if self.prevalence is not None:
            line = self.prevalence.reindex(self.classes).to_numpy(float)
            line = np.where(self.study > 0, line, 0.0)
        table = trivial_policies(self.classes, self.costs, sample_weight=line, good=self.good)
        return {
            "policies": [
                {"name": row.policy, "decision": row.decision, "value": PER * row.mean_cost}
                for row in table.itertuples()
                if row.decision is not None
            ]
        }

    def of_classes(self, counts, right):
        """For each class its parts and the share of them that is right."""
        return [
            {
                "class": str(name),
                "parts": int(count),
                "right": float(found / count) if count else None,
            }
            for name, count, found in zip(self.classes, counts, right, strict=True)
        ]


class Sums:
    """Figures of all parts from sums over blocks, with standard errors by parts or lots.

    Parameters
    ----------
    n_lots : int or None
        None if the parts are independent.
    """

    def __init__(self, n_lots):
        self._lots = None if n_lots is None else np.zeros(n_lots)
        self._n, self._total, self._squares, self._sums = 0, 0.0, 0.0, {}

    def add(self, each, weight, lots=None):
        """Add the figures of some parts; lots are the numbers of theirs."""
        self._total += weight.sum()
        self._squares += weight @ weight
        self._n += int((weight > 0).sum())
        if lots is not None:
            np.add.at(self._lots, lots, weight)
        for name, values in each.items():
            if name not in self._sums:
                first = float(values[0])  # values are near it, so that squares do not cancel
                n_lots = 0 if self._lots is None else len(self._lots)
                self._sums[name] = [first, np.zeros(3), np.zeros(n_lots)]
            first, sums, of_lots = self._sums[name]
            off = weight * (values - first)
            sums += [off.sum(), weight @ off, off @ off]
            if lots is not None:
                np.add.at(of_lots, lots, off)

    def estimates(self):
        """Weighted means and their standard errors, as :func:`performance` has them."""
        found = {}
        for name, (first, (linear, crossed, squares), of_lots) in self._sums.items():
            mean, n = linear / self._total, self._n
            spread = squares - 2 * mean * crossed + mean**2 * self._squares
            if self._lots is not None:
                spread = ((of_lots - mean * self._lots) ** 2).sum()
                n = int((self._lots > 0).sum())
            error = np.sqrt(n / (n - 1) * max(spread, 0.0)) / self._total if n > 1 else 0.0
            found[name] = {"value": float(first + mean), "std_err": float(error)}
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
