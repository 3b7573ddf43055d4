"""A trained model with its account in a file that is safe to load, and its use on new parts."""

from ._decide import cost_table, decide, probabilities
from ._file import SavedModel, load_model, save_model
from ._train import train_model
from ._train_files import train_files as train_files
from ._watch import Watch as Watch
from ._watch import costs_of as costs_of
from ._watch import decisions_of as decisions_of

# What the commands need besides is imported under its own name, but is no public name.
__all__ = [
    "SavedModel",
    "cost_table",
    "decide",
    "load_model",
    "probabilities",
    "save_model",
    "train_model",
]
