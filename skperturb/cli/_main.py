"""From the arguments of the ``skperturb`` command to its exit code."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from .. import __version__
from . import (
    _compare,
    _costs_template,
    _predict,
    _sample,
    _shadow,
    _suspects,
    _train,
    _watch,
)

COMMANDS = (_sample, _costs_template, _compare, _suspects, _train, _predict, _watch, _shadow)
UNUSABLE, INTERRUPTED = 2, 130  # exit codes, as is usual in shells


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``skperturb`` command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Arguments after the program name; None for ``sys.argv[1:]``.

    Returns
    -------
    int
        Exit code: 0 if all went well; 2 if an argument or a file cannot be used, after a sentence
        on standard error that says why; 130 if the user stopped the command.
    """
    if hasattr(sys.stdout, "reconfigure"):
        # A name that the terminal cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    options.command = shlex.join(["skperturb", *(sys.argv[1:] if arguments is None else arguments)])
    try:
        options.run(options)
    except ValueError as error:
        print(f"skperturb: {error}", file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:
        # Whoever read the output has read enough; nothing is to be flushed to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("skperturb: stopped", file=sys.stderr)
        return INTERRUPTED
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser that refuses with one sentence."""

    def error(self, message):
        sentence = message.removeprefix("argument ")
        self.exit(UNUSABLE, f"skperturb: {sentence} ('{self.prog} --help' lists the options)\n")


def _parser():
    parser = _Parser(
        prog="skperturb",
        description="Classifiers whose probabilities come from noise on the scores.",
    )
    parser.add_argument("--version", action="version", version=f"skperturb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    return parser
