"""What a page or a model says of how it came to be."""

import datetime

from .. import __version__


def now():
    """The date and the time, with the difference to universal time."""
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z")


def reading_of(command, notes):
    """What a page says of the run that wrote it."""
    return {
        "command": command,
        "date": now(),
        "version": f"skperturb {__version__}",
        "notes": notes,
    }
