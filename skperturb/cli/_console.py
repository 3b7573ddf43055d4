"""How much a command says on standard error."""

import contextlib
import sys
from contextvars import ContextVar

QUIET, USUAL, VERBOSE = "quiet", "usual", "verbose"
_KEPT = ("warning: ", "skperturb: ")  # beginnings of the lines that are never left out
_verbosity = ContextVar("verbosity", default=USUAL)


def is_verbose():
    """Whether everything is to be said that may help to find a fault."""
    return _verbosity.get() == VERBOSE


@contextlib.contextmanager
def speaking(verbosity):
    """Say as much as asked for: quiet leaves out what is neither warning nor refusal."""
    token = _verbosity.set(verbosity or USUAL)
    try:
        if verbosity == QUIET:
            with contextlib.redirect_stderr(_Warnings(sys.stderr)):
                yield
        else:
            yield
    finally:
        _verbosity.reset(token)


class _Warnings:
    """A stream that lets only lines of warnings and refusals through."""

    def __init__(self, stream):
        self._stream, self._line = stream, ""

    def write(self, text):
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line.startswith(_KEPT):
                self._stream.write(f"{line}\n")
        return len(text)

    def flush(self):
        self._stream.flush()

    def isatty(self):
        return False
