"""One BLAS thread where more would only wait for each other."""

from functools import cache

from threadpoolctl import ThreadpoolController  # comes with scikit-learn


@cache
def _controller():
    return ThreadpoolController()


def single_thread():
    """Context manager: BLAS runs on one thread inside.

    The products of a row block are small, and between two of them NumPy works on one thread
    anyway: with two BLAS threads a fit took 2 to 5 times as long on two cores. Restores the
    number of threads on leaving.
    """
    return _controller().limit(limits=1, user_api="blas")
