"""What to put into a report of a problem."""

import platform
import sys
from importlib.metadata import version

from ._engine import COMPILED
from ._threads import n_threads
from ._version import __version__

_PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "threadpoolctl")


def show_versions() -> None:
    """Print the versions in use, which sums over tables (compiled or NumPy), and the threads.

    The compiled sums are several times as fast and agree with NumPy's to rounding. They are left
    out where no C compiler was found at installation; the environment variable
    ``SKPERTURB_COMPILED=0`` leaves them out, too. Threads are as many as BLAS may use, so that
    ``OMP_NUM_THREADS`` and threadpoolctl limit them.

    Examples
    --------
    >>> from skperturb import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    skperturb      ...
    sums           ...
    threads        ...
    Python         ...
    """
    lines = {
        "skperturb": __version__,
        "sums": "compiled" if COMPILED else "NumPy (no compiled extension)",
        "threads": n_threads(),
        "Python": f"{sys.version.split()[0]} ({platform.platform()})",
    }
    lines |= {package: version(package) for package in _PACKAGES}
    for name, value in lines.items():
        print(f"{name:14} {value}")
