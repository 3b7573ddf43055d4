"""From Parquet files to a model that can be saved, without all parts in memory.

The pipeline is that of ``train_model``, fitted by sums over blocks. The performance is measured by
fits that leave out whole lots, whole files, or rows at random (see ``Folds``).
"""

import pickle
import tempfile
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._classifier import PerturbClassifier
from ..blocks import arrays, fit, fit_preprocessor
from ..parts import PartFiles
from ._familiar import familiar
from ._file import SavedModel
from ._folds import Folds
from ._linear_part import linear_part
from ._performance import Figures, Sums
from ._train import account_of, left_out_arrays, of_covariance
from ._watch import references

_MOST_KEPT = 50_000  # parts with which new ones are compared


def train_files(
    pipeline: Pipeline,
    held: PartFiles,
    *,
    cost_matrix: pd.DataFrame | None = None,
    prevalence: pd.Series | None = None,
    good: str | None = None,
    random_state: int = 0,
    scratch: str | None = None,
) -> SavedModel:
    """Fit a pipeline to Parquet files of parts, and account for it.

    Parameters
    ----------
    pipeline : Pipeline
        Of ``preprocessor()`` and a PerturbArgmaxClassifier or PerturbSoftmaxClassifier.
    held : PartFiles
        What ``read_part_files`` returned.
    cost_matrix, prevalence, good, random_state
        As for ``train_model``.
    scratch : str, default=None
        The folder of a temporary file, as large as the prepared features in double precision; the
        usual one of the system if None.

    Returns
    -------
    SavedModel
        The same kind of model as ``train_model`` returns.

    Raises
    ------
    ValueError
        If the parts cannot be fitted, or left out to measure the performance.
    """
    if not isinstance(pipeline[-1], PerturbClassifier):
        raise ValueError(
            "Blocks fit PerturbArgmaxClassifier and PerturbSoftmaxClassifier; with Gumbel noise "
            "they are logistic regression."
        )
    folds = Folds.of(held, random_state)
    rows = arrays(lambda: ((b.features, b.labels) for b in held.blocks()))
    prepare = fit_preprocessor(pipeline[0], rows)
    with tempfile.TemporaryFile(dir=scratch) as file:
        designs = _Designs(held, prepare, folds, file)
        return _trained(pipeline, designs, cost_matrix, prevalence, good, random_state)


def _trained(pipeline, designs, cost_matrix, prevalence, good, random_state):
    held, folds = designs.held, designs.folds
    source = designs.source()
    classifier = fit(clone(pipeline[-1]), source)
    (first, _), (last, _) = pipeline.steps
    chosen = Pipeline([(first, designs.prepare), (last, classifier)])
    left_out_by = _left_out_by(pipeline[-1], designs)
    classes = [str(name) for name in chosen.classes_]
    study = np.array([held.weights[name] for name in classes])
    account, cost_matrix, prevalence = account_of(
        chosen, classes, study, cost_matrix, prevalence, good
    )
    weighted, n_lots = held.roles["weight"] is not None, held.lots and len(held.lots)
    account |= {
        "columns": [column.to_dict() for column in held.columns],
        "parts": {
            "number": sum(held.counts.values()),
            "lots": n_lots,
            "weighted": weighted,
        },
        "source": held.source,
    }
    figures = Figures(classes, study, cost_matrix, prevalence, good)
    seen = _LastPass(designs, random_state)
    account["performance"] = {
        "method": "out_of_fold_blocks",
        "folds": folds.number,
        "lots": folds.by == "lots",
        "files": folds.by == "files",
        **seen.measure(figures, left_out_by),
    }
    kept = seen.kept()
    groups = None if held.lots is None else kept["lots"]
    account["watch"] = references(
        SavedModel(chosen, account),
        kept["features"],
        groups,
        kept["weight"] if weighted else None,
        kept["proba"],
        kept["codes"],
        random_state,
    )
    saved = left_out_arrays(kept["proba"], kept["codes"], random_state)
    saved |= familiar(kept["features"], random_state)
    account["reasons"] = linear_part(chosen) is not None
    saved["design_mean"] = seen.design_mean
    data = (source, None, None)
    groups = None if held.lots is None else True
    weight = True if weighted else None
    saved |= of_covariance(chosen[-1], account, data, groups, weight, n_lots)
    return SavedModel(chosen, account, saved)


def _left_out_by(classifier, designs):
    """A fit without each fold; what these warn of is not about the model itself."""
    number = designs.folds.number
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fits = [fit(clone(classifier), designs.source(fold)) for fold in range(number)]
    for message, count in Counter(str(warning.message) for warning in caught).items():
        warnings.warn(
            f"In {count} of the {number} fits by which the performance is measured: {message}",
            stacklevel=2,
        )
    return fits


class _Designs:
    """What the preprocessor makes of each block, in a temporary file.

    Several fits go through the designs many times; to read Parquet and to prepare features takes
    much longer than the sums of a fit.
    """

    def __init__(self, held, prepare, folds, file):
        self.held, self.prepare, self.folds = held, prepare, folds
        self._file, self._n = file, 0
        try:
            for block in held.blocks():
                design = prepare.transform(block.features)
                fold = folds.among(block.file, block.rows, block.lots)
                rows = (design, block.labels, block.weight, block.lots)
                pickle.dump((fold, rows), file, protocol=5)
                self._n += 1
            file.flush()
        except OSError as error:
            raise ValueError(
                f"The prepared features cannot be written to a temporary file ({error.strerror}): "
                "they take 8 bytes for each part and column of the design."
            ) from error

    def __iter__(self):
        """The folds of the rows of a block, and what a source takes of it."""
        self._file.seek(0)
        for _ in range(self._n):
            yield pickle.load(self._file)

    def source(self, left_out=None):
        """The rows for a fit, without those of a fold."""
        return arrays(lambda: self._rows(left_out))

    def _rows(self, left_out):
        for fold, columns in self:
            kept = fold != left_out
            if left_out is None or kept.all():
                yield columns
            elif kept.any():
                yield tuple(None if column is None else column[kept] for column in columns)


class _LastPass:
    """One pass over all parts: the performance, the mean of the design, and parts to keep."""

    def __init__(self, designs, seed):
        held = designs.held
        self._designs, self._held, self._parts = designs, held, []
        self.design_mean = None
        self._rng = np.random.default_rng([seed, 4])
        n = sum(held.counts.values())
        self._share = min(1.0, _MOST_KEPT / n)
        self._lots = None
        if held.lots is not None:
            # Whole lots, because means of lots are compared.
            names = sorted(held.lots)
            order = [names[k] for k in self._rng.permutation(len(names))]
            ends = np.cumsum([held.lots[name] for name in order])
            self._lots = np.array(order[: max(1, int((ends <= _MOST_KEPT).sum()))])

    def measure(self, figures, left_out_by):
        """The figures of predictions by fits that left out the part."""
        classes = pd.Index(figures.classes)
        lots = None if self._held.lots is None else pd.Index(list(self._held.lots))
        sums = Sums(None if lots is None else len(lots))
        right = np.zeros(len(classes))
        total, mean = 0.0, 0.0
        pairs = zip(self._held.blocks(), self._designs, strict=True)
        for block, (fold, (design, *_)) in pairs:
            codes = classes.get_indexer(block.labels.categories)[block.labels.codes]
            weight = np.ones(len(codes)) if block.weight is None else block.weight
            proba = np.zeros((len(codes), len(classes)))
            for one in np.unique(fold):
                model, rows = left_out_by[one], np.flatnonzero(fold == one)
                columns = classes.get_indexer(model.classes_)
                proba[np.ix_(rows, columns)] = model.predict_proba(design[rows])
            each, share = figures.each(proba, codes, weight)
            numbers = None if lots is None else lots.get_indexer(block.lots)
            sums.add(each, share, numbers)
            right += np.bincount(codes, each["accuracy"], len(classes))
            mean = mean + design.T @ weight
            total += weight.sum()
            self._keep(block, proba, codes, weight)
        self.design_mean = np.asarray(mean / total).ravel()
        counts = np.array([self._held.counts[name] for name in classes])
        return (
            figures.policies() | sums.estimates() | {"classes": figures.of_classes(counts, right)}
        )

    def _keep(self, block, proba, codes, weight):
        if self._lots is not None:
            chosen = np.isin(block.lots, self._lots)
        else:
            chosen = self._rng.random(len(codes)) < self._share
        lots = np.zeros(len(codes)) if block.lots is None else block.lots
        self._parts.append(
            (block.features[chosen], proba[chosen], codes[chosen], weight[chosen], lots[chosen])
        )

    def kept(self) -> dict[str, Any]:
        """Features, probabilities, codes, weights and lots of the parts that are kept."""
        features, *columns = zip(*self._parts, strict=True)
        proba, codes, weight, lots = map(np.concatenate, columns)
        return {
            "features": pd.concat(features, ignore_index=True),
            "proba": proba,
            "codes": codes,
            "weight": weight,
            "lots": lots,
        }
