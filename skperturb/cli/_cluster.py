"""Fits on a Dask cluster that is there already: the workers must make the same numbers."""

import contextlib
import pydoc
from collections import Counter

import sklearn
from joblib import parallel_config

from .. import __version__
from ..parts import counted, listed

_SECONDS = 10  # to reach the scheduler, and for a first worker to come
_NEEDED = {"skperturb": __version__, "scikit-learn": sklearn.__version__}
_PLACES = {"skperturb": "skperturb.__version__", "scikit-learn": "sklearn.__version__"}


def add_to(parser):
    """Add the option that names a cluster."""
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="make the fits on the workers of this Dask cluster, such as tcp://10.0.0.5:8786; the "
        "results are the same",
    )


@contextlib.contextmanager
def fits_on(address):
    """Let the workers of a cluster make the fits; None for this machine.

    Parameters
    ----------
    address : str or None
        Of the scheduler.

    Raises
    ------
    ValueError
        If there is no such cluster, its workers lack what is needed, or they are lost; one
        sentence that says which.
    """
    if address is None:
        yield
        return
    try:
        import distributed
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise ValueError("--cluster needs distributed: pip install 'skperturb[cluster]'.") from None
    client = _client(distributed, address)
    try:
        _check_workers(client, address)
        with parallel_config("dask", client=client):
            yield
    except (KilledWorker, distributed.CancelledError, distributed.comm.CommClosedError) as error:
        raise ValueError(
            f"Workers of the cluster {address} were lost during the fits ({type(error).__name__}): "
            "look into their logs; they may have too little memory for these parts."
        ) from error
    finally:
        client.close(timeout=_SECONDS)


def _client(distributed, address):
    try:
        return distributed.Client(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(
            f"--cluster {address!r}: no Dask scheduler answers there ({reason}); give the address "
            "that it says when it starts, such as tcp://10.0.0.5:8786."
        ) from None


def _check_workers(client, address):
    """Refuse a cluster without workers, or with other versions than this process has."""
    try:
        client.wait_for_workers(1, timeout=_SECONDS)
    except TimeoutError:
        raise ValueError(
            f"The cluster {address} has no workers: start some with 'dask worker {address}'."
        ) from None
    for package, here in _NEEDED.items():
        # A function of the standard library, which every worker has.
        found = client.run(pydoc.locate, _PLACES[package], on_error="return")
        others = Counter(
            version if isinstance(version, str) else "none"
            for version in found.values()
            if version != here
        )
        if others:
            raise ValueError(
                f"{counted(sum(others.values()), 'worker')} of the cluster {address} "
                f"{'has' if sum(others.values()) == 1 else 'have'} another {package} than "
                f"{here} ({listed(sorted(others))}): install skperturb and the same versions there."
            )
