"""Files that the commands write: all of a file, or nothing."""

import json
import math
import os
import tempfile

from .. import __version__


def check_outputs(outputs, inputs):
    """Refuse files that cannot be written, before the work.

    `outputs` are the files by option; `inputs` are files that must not be overwritten. A file
    that is None is not asked for.
    """
    taken = {os.path.realpath(path) for path in inputs if path}
    for option, path in outputs.items():
        if not path:
            continue
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise ValueError(f"There is no folder {folder} for {option}.")
        if os.path.isdir(path) or not os.access(folder, os.W_OK):
            raise ValueError(f"{option} {path} is a folder, or in one that cannot be written to.")
        if os.path.realpath(path) in taken:
            raise ValueError(f"{option} {path} would overwrite another file of this command.")
        taken.add(os.path.realpath(path))


def comparison_json(summary, comparison):
    """A comparison as JSON, with all digits."""
    content = {
        "skperturb": __version__,
        "summary": summary,
        "settings": comparison.settings,
        "estimators": _records(comparison.kpis.reset_index()),
        "differences": _records(comparison.table),
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)


def _records(table):
    """Rows as dictionaries; what is not finite, such as a policy's accuracy, is null."""
    return [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def write_text(path, text):
    """Write a file whole, or leave what is there as it is."""
    unfinished = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=os.path.dirname(path) or ".", delete=False
        ) as file:
            unfinished = file.name
            file.write(text)
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
        unfinished = None
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        if unfinished is not None:
            os.unlink(unfinished)
