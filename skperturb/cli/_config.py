"""Options from a file, and files from options: a study that can be repeated.

The file is TOML. A table such as ``[compare]`` holds the options of that command by their long
names, without the dashes; ``parts`` are the files. Names before the first table are for every
command that has such an option.
"""

import argparse
import re
import tomllib

from .. import __version__
from ..parts import check_outputs, did_you_mean, listed, write_text

_OWN = ("config", "save_config", "verbosity", "help")  # not of the study
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def add_to(parser):
    """Add the options that every command has."""
    group = parser.add_argument_group("for every command")
    group.add_argument(
        "--config",
        metavar="FILE.toml",
        help="take options from this file; those of the command line win",
    )
    group.add_argument(
        "--save-config",
        metavar="FILE.toml",
        help="write the options of this run there, so that it can be repeated",
    )
    loud = group.add_mutually_exclusive_group()
    for name, text in (
        ("verbose", "say everything: each note of the reading, each fit, and the time taken"),
        ("quiet", "say nothing but warnings on standard error"),
    ):
        loud.add_argument(
            f"--{name}", dest="verbosity", action="store_const", const=name, help=text
        )


def apply(path, parser, command, commands):
    """Make what a file says of a command the defaults of its parser.

    Raises
    ------
    ValueError
        If the file cannot be read, or names no option; one sentence that says which.
    """
    content = _read(path)
    shared = {key: value for key, value in content.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    for name, table in tables.items():
        _refuse_unknown(path, name, commands, "command")
        for key in table:
            _refuse_unknown(f"[{name}] of {path}", key, _actions(commands[name]), "option")
    for key in shared:
        known = [option for other in commands.values() for option in _actions(other)]
        _refuse_unknown(path, key, dict.fromkeys(known), "option")
    actions = _actions(parser)
    given = {key: value for key, value in shared.items() if key in actions}
    for key, value in (given | tables.get(command, {})).items():
        action = actions[key]
        action.default = _value(path, key, value, action)
        action.required = False
        if not action.option_strings:
            action.nargs = "*"  # The file has them.


def as_arguments(parser, options):
    """The command line that stands for the options, without those that are as usual."""
    files, others = [], []
    for key, action in _actions(parser).items():
        value = getattr(options, action.dest)
        if value == action.default:
            continue
        values = [str(one) for one in value] if isinstance(value, list) else [str(value)]
        if not action.option_strings:
            files += values
        else:
            others += [f"--{key}", *([] if action.nargs == 0 else values)]
    return [*files, *others]


def check(options):
    """Refuse to write a file of options over another file, before any work."""
    if options.save_config:
        inputs = getattr(options, "parts", [])
        check_outputs({"--save-config": options.save_config}, inputs)


def save(options):
    """Write the options of a run as such a file, if that was asked for."""
    path, command = options.save_config, options.name
    if not path:
        return
    lines = [f"# skperturb {__version__}; repeat with: skperturb {command} --config {path}"]
    lines += [f"[{command}]"]
    for key, action in _actions(options.parser).items():
        value = getattr(options, action.dest)
        if action.nargs == 0:
            value = True if value == action.const and value is not False else None
        if value is not None and value != []:
            lines.append(f"{_toml_key(key)} = {_toml(value)}")
    write_text(path, "\n".join([*lines, ""]))


def _actions(parser):
    """The options of a command that a file may hold, by their names in it."""
    named = {}
    for action in parser._actions:
        if action.dest not in _OWN:
            long = [text for text in action.option_strings if text.startswith("--")]
            named[(long or [action.dest])[0].removeprefix("--")] = action
    return named


def _read(path):
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ValueError(f"There is no file {path}, which --config names.") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}.") from None


def _refuse_unknown(where, name, known, what):
    if name not in known:
        close = did_you_mean(name, known) or f"; there are {listed(known, 40)}."
        raise ValueError(f"{where} has {name!r}, which is no {what}{close}")


def _value(path, key, value, action):
    """What the command line would have made of a value."""
    several = action.nargs in ("*", "+") or (isinstance(action.nargs, int) and action.nargs > 0)
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise ValueError(f"{path}: {key!r} is either true or false, not {value!r}.")
        return action.const if value else action.default
    if isinstance(value, list) != several:
        what = "a list such as ['a', 'b']" if several else "one value, not a list"
        raise ValueError(f"{path}: {key!r} takes {what}.")
    values = [_converted(path, key, one, action) for one in (value if several else [value])]
    return values if several else values[0]


def _converted(path, key, value, action):
    if isinstance(value, (bool, list, dict)):
        raise ValueError(f"{path}: {key!r} takes a text or a number, not {value!r}.")
    text = str(value)
    try:
        value = action.type(text) if action.type else text
    except (argparse.ArgumentTypeError, TypeError, ValueError) as error:
        reason = error if isinstance(error, argparse.ArgumentTypeError) else "cannot be read"
        raise ValueError(f"{path}: {key!r}: {reason}.") from None
    if action.choices is not None and value not in action.choices:
        raise ValueError(f"{path}: {key!r} is one of {listed(map(str, action.choices))}.")
    return value


# --- Writing: the values of options are texts, numbers, or lists of them


def _toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return _quoted(str(value))


def _toml_key(key):
    return key if _BARE.fullmatch(key) else _quoted(key)


def _quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda c: f"\\u{ord(c[0]):04x}", escaped) + '"'
