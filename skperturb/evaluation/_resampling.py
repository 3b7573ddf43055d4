"""What the scores of overlapping folds tell: how many of them count, and how they are tested."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._stats import corrected_paired_ttest, equal_or_spread, t_test

ROUNDING = 1e-12  # relative to the means: what differs by less is equal


@dataclass(frozen=True, eq=False)
class Resampling:
    """The different test sets among all folds of all repeats.

    A test set that occurs in several repeats has the same training set in each of them: it tells
    nothing new, and counts once.

    Attributes
    ----------
    member : ndarray of shape (n_folds,)
        Number of the test set of each fold, through all repeats.
    share : ndarray of shape (n_sets,)
        Weight of the parts of each test set, over its mean.
    test_train_ratio : float
        Mean of the rows tested over the rows trained on; 0 for folds forward in time, whose
        differences need no correction: a block is tested before it is trained on, and no two
        blocks share a part.
    df : int
        Degrees of freedom: the smaller of the numbers of test sets and of lots, less one.
    """

    member: npt.NDArray[np.intp]
    share: npt.NDArray[np.float64]
    test_train_ratio: float
    df: int

    def means(self, scores):
        """Scores of the folds as scores of the test sets, whose mean is that over the parts."""
        count = np.bincount(self.member)
        return self.share * np.bincount(self.member, scores) / count

    def test(self, new, old, sign, *, rope, confidence):
        """Nadeau and Bengio's test of the gain of one model over another."""
        new, old = self.means(new), self.means(old)
        gain = sign * without_rounding(new, old)
        if self.test_train_ratio == 0:
            se = equal_or_spread(gain) / np.sqrt(len(gain))
            return t_test(float(gain.mean()), se, self.df, rope=rope, confidence=confidence)
        return corrected_paired_ttest(
            gain,
            test_train_ratio=self.test_train_ratio,
            df=self.df,
            rope=rope,
            confidence=confidence,
        )


def without_rounding(new, old):
    """Differences of scores, without those by which equal models differ."""
    return np.where(np.abs(new - old) > ROUNDING * np.maximum(abs(new), abs(old)), new - old, 0)


def resampling(fold, n_train, weight, n_lots=None, *, forward=False):
    """Find the test sets of the folds (n_repeats, n_samples)."""
    n_splits = n_train.shape[1]
    sets, member, tested, trained = {}, [], [], []
    for of_repeat, trained_on in zip(fold, n_train, strict=True):
        of_rows = np.bincount(of_repeat, weight, n_splits)
        for number in range(n_splits):
            rows = of_repeat == number
            key = np.packbits(rows).tobytes()
            if key not in sets:
                sets[key] = len(sets)
                tested.append((of_rows[number], rows.sum()))
                trained.append(trained_on[number])
            member.append(sets[key])
    weights, counts = np.transpose(tested)
    units = len(sets) if n_lots is None else min(len(sets), n_lots)
    return Resampling(
        member=np.array(member),
        share=weights / weights.mean(),
        test_train_ratio=0.0 if forward else float(np.mean(counts / np.array(trained))),
        df=units - 1,
    )
