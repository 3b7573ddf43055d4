"""Files in which a command keeps what it has used, so that the next call goes on from there."""

import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any

from ..parts import write_text


def read_state(path: str | None, command: str, version: int) -> dict[str, Any] | None:
    """Return what a command has kept; None if there is no file yet.

    Raises
    ------
    ValueError
        If the file is none of this command's.
    """
    if path is None or not os.path.exists(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
        known = state["command"] == command and state["version"]
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ValueError(
            f"--state {path} is no file that 'skperturb {command}' wrote: name another one."
        )
    if known != version:
        raise ValueError(
            f"--state {path} was written by another version of skperturb: begin with a new one."
        )
    return state


def write_state(path: str, command: str, version: int, **content: Any) -> None:
    """Write what a command keeps: all of it, or nothing."""
    state = {"command": command, "version": version, **content}
    write_text(path, json.dumps(state, ensure_ascii=False, allow_nan=False))


def hash_of(rows: Iterable[tuple]) -> str:
    """Return a hash of rows of text, in their order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
