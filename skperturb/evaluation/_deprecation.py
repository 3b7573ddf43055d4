"""Names of the last release: they still work, and warn with the name to use instead."""

import warnings
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def warn_old(old: str, new: str) -> None:
    """Warn the caller of the function that calls this one."""
    warnings.warn(
        f"{old} is deprecated and will be removed in the next release: use {new} instead.",
        FutureWarning,
        stacklevel=3,
    )


def renamed_argument(old: str, new: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function accept the old name of an argument, too."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def accepting(*args: P.args, **kwargs: P.kwargs) -> R:
            if old in kwargs:
                warn_old(f"The argument {old} of {function.__name__}", new)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return accepting

    return decorate


def moved_module(old: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module whose public names are now in the package."""
    package = old.rpartition(".")[0]

    def getattribute(name: str) -> Any:
        face = import_module(package)
        if name not in face.__all__:
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        warn_old(f"{old}.{name}", f"{package}.{name}")
        return getattr(face, name)

    return getattribute


class UnpacksLikeATuple:
    """A result that used to be a tuple can still be unpacked."""

    def __iter__(self):
        names = [field.name for field in fields(self)]
        warn_old(f"Unpacking a {type(self).__name__}", f"its attributes {', '.join(names)}")
        return iter([getattr(self, name) for name in names])
