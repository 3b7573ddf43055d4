"""Which parts of Parquet files are left out together, to measure the performance of a fit."""

from dataclasses import dataclass

import numpy as np

FOLDS = 5  # each is a fit of its own


@dataclass(frozen=True)
class Folds:
    """Whole lots, whole files, or rows at random, each of which is in one fold.

    Attributes
    ----------
    number : int
    by : {"lots", "files", "rows"}
    places : dict
        The fold of each lot, or of the place of each file; empty for rows.
    sizes : ndarray of shape (n_files,), int
        How many rows each file has.
    seed : int
    """

    number: int
    by: str
    places: dict
    sizes: np.ndarray
    seed: int

    @classmethod
    def of(cls, held, seed):
        """Folds for the parts of files: lots if there are any, else files, else rows.

        Files are left out whole, because parts of one file often are of one time or one lot. If
        each of a class is in one file, as where files were written by class, or if there is but
        one file, rows are drawn at random.

        Parameters
        ----------
        held : PartFiles
        seed : int

        Raises
        ------
        ValueError
            If there are fewer than two lots, or a fold leaves one class only.
        """
        sizes = held.sizes
        if held.lots is not None:
            by, units = "lots", dict(held.lots)
            if len(units) < 2:
                raise ValueError(
                    "The parts are of one lot, so that the performance on other lots cannot be "
                    "measured: leave --groups out, which leaves out files or rows instead."
                )
        elif len(held.files) > 1 and min(map(len, held.units_of.values())) > 1:
            by, units = "files", dict(enumerate(sizes.tolist()))
        else:
            return cls(FOLDS, "rows", {}, sizes, seed)
        number = min(FOLDS, len(units))
        folds = cls(number, by, _even(units, number, seed), sizes, seed)
        folds._refuse_one_class(held.units_of)
        return folds

    def _refuse_one_class(self, units_of):
        of_class = [{self.places[unit] for unit in units} for units in units_of.values()]
        for fold in range(self.number):
            if sum(folds != {fold} for folds in of_class) < 2:
                raise ValueError(
                    f"The performance cannot be measured, because all parts of a class are in few "
                    f"{self.by}: without those that are left out together, one class is left. "
                    "Give files with more lots of each class, or name no --groups."
                )

    def among(self, file, rows, lots):
        """The fold of each row of a file; lots are theirs or None."""
        if self.by == "lots":
            names, codes = np.unique(lots, return_inverse=True)
            return np.array([self.places[name] for name in names])[codes]
        if self.by == "files":
            return np.full(len(rows), self.places[file])
        rng = np.random.default_rng([self.seed, 1, file])
        return rng.integers(0, self.number, self.sizes[file], dtype=np.int8)[rows]


def _even(units, number, seed):
    """A fold for each unit, with about as many rows in each: larger ones first."""
    names = sorted(units)
    order = np.random.default_rng([seed, 2]).permutation(len(names))
    order = sorted(order, key=lambda k: -units[names[k]])
    rows, places = np.zeros(number), {}
    for k in order:
        fold = int(rows.argmin())
        places[names[k]] = fold
        rows[fold] += units[names[k]]
    return places
