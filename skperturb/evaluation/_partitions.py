"""Which parts are trained on and which are tested: at random, by lot, or forward in time.

A partition depends on the labels, the lots, the times and the seed alone, on no estimator. It is
made once for a comparison.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import check_random_state

NEVER = -1  # the fold of a part that is only trained on
CANDIDATES = 20  # random divisions of the lots, of which a repeat takes the most even one


@dataclass(frozen=True, eq=False)
class Partition:
    """Repeats of folds, each with the rows to train on."""

    fold: npt.NDArray[np.intp]  # (n_repeats, n_samples), NEVER for rows that are never tested
    n_splits: int
    # When each row was made, if only the rows before a fold are to be trained on.
    time: npt.NDArray[np.intp] | None = None

    def __len__(self):
        return len(self.fold) * self.n_splits

    def split(self, number):
        """The rows to train on and those to test, of a fold counted through all repeats."""
        repeat, fold = divmod(number, self.n_splits)
        tested = self.fold[repeat] == fold
        if self.time is None:
            trained = ~tested
        else:
            # A lot that began before may have parts that were made later.
            trained = (self.fold[repeat] < fold) & (self.time < self.time[tested].min())
        return np.flatnonzero(trained), np.flatnonzero(tested)


def make_partition(codes, groups, time, n_splits, n_repeats, random_state):
    """Divide rows into folds; labels, lots and times are numbered from 0 on, times in order."""
    if time is not None:
        return _forward(groups, time, n_splits)
    rng = check_random_state(random_state)
    if groups is not None:
        return Partition(_by_lot(codes, groups, n_splits, n_repeats, rng), n_splits)
    return Partition(_by_part(codes, n_splits, n_repeats, rng), n_splits)


def _by_part(codes, n_splits, n_repeats, rng):
    """The folds of RepeatedStratifiedKFold, without its warning about classes of few rows."""
    folds = np.empty((n_repeats, len(codes)), dtype=int)
    for of_repeat in folds:
        splitter = StratifiedKFold(n_splits, shuffle=True, random_state=rng)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            for fold, (_, test) in enumerate(splitter.split(codes, codes)):
                of_repeat[test] = fold
    return folds


def _by_lot(codes, groups, n_splits, n_repeats, rng):
    """Random folds of whole lots, as even in every class as the lots allow.

    No division occurs twice: where there are fewer of them than `n_repeats`, all are taken.
    """
    n_lots, n_classes = groups.max() + 1, codes.max() + 1
    counts = np.bincount(groups * n_classes + codes, minlength=n_lots * n_classes)
    counts = counts.reshape(n_lots, n_classes)
    totals = counts.sum(axis=0)
    # Lots that resemble each other are neighbours: first those with most of the rarest class.
    order = np.lexsort(counts[:, np.argsort(-totals, kind="stable")].T)[::-1]
    chosen, seen = [], set()
    for _ in range(n_repeats):
        drawn = [_draw(order, n_splits, rng) for _ in range(CANDIDATES)]
        drawn.sort(key=lambda fold: _unevenness(fold, counts, totals, n_splits))
        for fold in drawn:
            division = _numbered_by_first(fold).tobytes()
            if division not in seen:
                seen.add(division)
                chosen.append(fold)
                break
        else:
            break
    return np.stack(chosen)[:, groups]


def _draw(order, n_splits, rng):
    """Fold of each lot: neighbours in a blurred order go to different folds, at random."""
    n_lots = len(order)
    place = np.arange(n_lots) + n_splits * rng.random_sample(n_lots)
    blocks = -(-n_lots // n_splits)
    folds = rng.random_sample((blocks, n_splits)).argsort(axis=1).ravel()[:n_lots]
    fold = np.empty(n_lots, dtype=int)
    fold[order[place.argsort()]] = folds
    return fold


def _unevenness(fold, counts, totals, n_splits):
    """Chi-square distance of the classes in the folds from equal shares."""
    lots = np.arange(len(fold))
    in_fold = csr_array((np.ones(len(fold)), (fold, lots)), (n_splits, len(fold))) @ counts
    return float((((in_fold - totals / n_splits) ** 2) / totals).sum())


def _numbered_by_first(fold):
    """The same division with its folds numbered in the order in which they occur."""
    _, first, number = np.unique(fold, return_index=True, return_inverse=True)
    return first.argsort().argsort()[number]


def _forward(groups, time, n_splits):
    """Blocks in the order of time, the first of which is only trained on.

    A block holds whole lots, or all the parts of a moment. Lots are in the order in which they
    began.
    """
    if groups is None:
        unit = time
    else:
        began = np.full(groups.max() + 1, time.max())
        np.minimum.at(began, groups, time)
        unit = np.argsort(began, kind="stable").argsort()[groups]
    # Blocks of as equal a number of parts as the units allow.
    ends = np.cumsum(np.bincount(unit))
    middles = ends - np.bincount(unit) / 2
    block = np.minimum((middles * (n_splits + 1) / len(time)).astype(int), n_splits)
    block = np.unique(block, return_inverse=True)[1]
    if block.max() < n_splits:
        what = "moments" if groups is None else "lots"
        raise ValueError(
            f"The times divide the parts into {block.max() + 1} blocks of whole {what}, and "
            f"{n_splits} folds need {n_splits + 1}, the first of which is only trained on: use "
            "fewer folds."
        )
    partition = Partition((block[unit] - 1)[None, :], n_splits, time)
    for number in range(n_splits):
        if len(partition.split(number)[0]) == 0:
            raise ValueError(
                "All lots were made at the same time, so that a fold has no part that was made "
                "before: leave the lots or the times out."
            )
    return partition
