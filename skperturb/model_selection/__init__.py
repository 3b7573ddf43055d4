"""Classifiers that choose their noise and C by leaving out rows or lots, without refits.

Scores of each row along a path of C (``_scores``), the search among them (``_search``), and the
scikit-learn face of it (``_base``, ``_classifiers``).
"""

from ._classifiers import PerturbArgmaxClassifierCV, PerturbSoftmaxClassifierCV
from ._scores import Data as Data
from ._scores import FoldScores as FoldScores
from ._scores import LeaveOutScores as LeaveOutScores

__all__ = ["PerturbArgmaxClassifierCV", "PerturbSoftmaxClassifierCV"]
