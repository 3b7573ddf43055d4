"""Warnings that point to a line of the user's."""

import sys
import warnings

# Packages whose frames lie between the user's call and the place that warns.
_BETWEEN = {"skperturb", "sklearn", "joblib"}


def warn_user(message, category):
    """Warn at the innermost line that belongs neither to this package nor to scikit-learn."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
