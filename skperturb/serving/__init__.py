"""A trained model with its account in a file that is safe to load, and its use on new parts."""

from ._file import SavedModel, load_model, save_model

__all__ = ["SavedModel", "load_model", "save_model"]
