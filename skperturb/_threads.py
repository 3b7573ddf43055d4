"""Blocks of rows are shared by threads: NumPy, BLAS and the compiled sums all release the GIL.

As many threads work as BLAS may use when the work begins, so that environment variables,
threadpoolctl and joblib's inner limits are respected. Meanwhile BLAS is limited to one thread in
the whole process, because the products of a block of rows are small. The threads end with the work,
and a process that is forked during the work gets the former limits back.
"""

import os
from functools import cache
from itertools import pairwise
from threading import Lock, Thread, local

from threadpoolctl import ThreadpoolController  # comes with scikit-learn


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


def _allowed():
    """As many threads as BLAS may use."""
    libraries = _blas().lib_controllers
    return max((library.num_threads or 1 for library in libraries), default=1)


class _Hold:
    """BLAS on one thread while anyone, in any thread, needs it; then as it was."""

    def __init__(self):
        self._lock, self._holders, self._limiter, self.allowed = Lock(), 0, None, 1

    def after_fork(self):
        """In a new process, where those who held BLAS in the parent do not exist."""
        if self._holders:
            self._limiter.restore_original_limits()
        self.__init__()

    def __enter__(self):
        with self._lock:
            if not self._holders:
                self.allowed = _allowed()
                self._limiter = _blas().limit(limits=1)
            self._holders += 1
            return self.allowed

    def __exit__(self, *exception):
        with self._lock:
            # In a process that was forked within a hold there may be none left to end.
            if self._holders:
                self._holders -= 1
                if not self._holders:
                    self._limiter.restore_original_limits()


single_blas_thread = _Hold()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=single_blas_thread.after_fork)


def n_threads():
    """How many threads share the blocks of rows."""
    with single_blas_thread as allowed:
        return allowed


_this_thread = local()


def map_threads(function, items):
    """[function(item) for each item]: the caller and other threads take one item after another.

    The results are in the order of the items, so that their sum is the same whatever the number
    of threads; after an error of any no more items are taken, and it is raised. Within
    `function`, it is a loop.
    """
    items = list(items)
    if len(items) <= 1:
        return [function(item) for item in items]
    with single_blas_thread as allowed:
        n_workers = min(allowed, len(items))
        if n_workers <= 1 or getattr(_this_thread, "busy", False):
            return [function(item) for item in items]
        results, errors, remaining = [None] * len(items), [], iter(enumerate(items))

        def work():
            _this_thread.busy = True
            try:
                # The GIL makes this iterator safe to share: each pair is taken once.
                for index, item in remaining:
                    if errors:
                        break
                    results[index] = function(item)
            except BaseException as error:  # for the caller to raise
                errors.append(error)
            finally:
                _this_thread.busy = False

        threads = [Thread(target=work) for _ in range(n_workers - 1)]
        for thread in threads:
            thread.start()
        work()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:  # an interrupt: the others end after their item
            errors.append(error)
            for thread in threads:
                thread.join()
        if errors:
            raise errors[0]
        return results


def row_slices(n_rows, fewest, most):
    """Slices of rows for threads: one each, of `fewest` rows at least, of `most` at most."""
    if n_rows < 2 * fewest and n_rows <= most:
        return [slice(0, n_rows)]
    with single_blas_thread as allowed:
        n_slices = max(1, min(n_rows // fewest, allowed), -(-n_rows // most))
    bounds = [n_rows * k // n_slices for k in range(n_slices + 1)]
    return [slice(*ends) for ends in pairwise(bounds)]
