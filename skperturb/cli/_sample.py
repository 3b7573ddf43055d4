"""``skperturb sample``: a file of parts to try the other commands on."""

import os
import shlex
import shutil
import sys
from importlib.resources import files

from ..parts import check_outputs, write_bytes

COMPARE = (
    "compare {0}/parts.csv --target defect --good OK --cost {0}/costs.csv --groups lot "
    "--today decided --baseline logistic_regression --candidate perturb_argmax:student_t "
    "--rope 100 --cv 5x5 --out report.html"
)


def add_to(commands):
    """Add the command and its options to a parser."""
    parser = commands.add_parser(
        "sample",
        help="copy a sample of parts, to try the other commands on",
        description="Copy a sample of parts into a folder: simulated parts of one step of "
        "injection moulding, a cost table, later parts, and the log of a shadow test. README.md "
        "there describes them.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "folder", nargs="?", default="sample", metavar="FOLDER", help="where to (sample)"
    )


def run(options):
    """Copy the files, and print what to run next."""
    shipped = files("skperturb").joinpath("sample")
    contents = {source.name: source.read_bytes() for source in shipped.iterdir()}
    folder = options.folder.rstrip("/\\") or options.folder
    for name, content in contents.items():
        path = os.path.join(folder, name)
        if os.path.exists(path) and _content(path) != content:
            raise ValueError(
                f"{path!r} exists and is another file; it is not replaced. Name another folder: "
                "skperturb sample FOLDER."
            )
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ValueError(f"The folder {folder!r} cannot be made: {error.strerror}.") from error
    for name, content in sorted(contents.items()):
        path = os.path.join(folder, name)
        check_outputs({"FOLDER": path}, [])
        write_bytes(path, content)
        print(path)
    command = f"{_program()} {COMPARE.format(shlex.quote(folder))}"
    print("", "Next, a comparison with a report:", command, sep="\n")


def _content(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # a folder, or not readable
        return None


def _program():
    """Return what the user types for this program, such as ``.venv/bin/skperturb``."""
    path = sys.argv[0]
    if path.endswith(os.path.join("skperturb", "__main__.py")):
        return "python -m skperturb"
    own = "skperturb" in os.path.basename(path) and shutil.which("skperturb") != path
    return path if own else "skperturb"
