"""A trained model with its account in a file that is safe to load, and its use on new parts."""

from ._decide import cost_table, decide, probabilities
from ._file import SavedModel, load_model, save_model
from ._train import train_model
from ._watch import Watch, costs_of, decisions_of

__all__ = [
    "SavedModel",
    "Watch",
    "cost_table",
    "costs_of",
    "decide",
    "decisions_of",
    "load_model",
    "probabilities",
    "save_model",
    "train_model",
]
