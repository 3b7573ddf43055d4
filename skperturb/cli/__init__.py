"""The commands."""

from ._compare import main

__all__ = ["main"]
