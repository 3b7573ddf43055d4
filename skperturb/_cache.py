"""What is expensive to make and needed again: tables, interpolants, convolutions.

The only cache of the library. It is bounded in bytes, forgets what was used longest ago, and can be
cleared; keys are values, so that an object that is changed afterwards is another key.
"""

import ctypes
import os
from collections import OrderedDict
from functools import wraps
from numbers import Real
from threading import Lock

import numpy as np

_DEFAULT_LIMIT = 256 * 2**20  # bytes
_ENTRY = 1024  # bytes that an entry takes beside its arrays, about


_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None


class TableCache:
    """The tables of the noises in use, bounded in bytes.

    The library has one object of this class, :data:`skperturb.cache`. What does not fit any more
    is made anew when it is needed: a smaller limit costs time, never accuracy. What a running fit
    uses is not taken away from it, so that a little more than the limit may be in memory.

    Parameters
    ----------
    limit : int, default=268435456
        Bytes that the entries may take together.

    Attributes
    ----------
    n_bytes : int
        Bytes that the entries take now.

    Examples
    --------
    >>> import skperturb
    >>> skperturb.cache.limit = 64 * 2**20  # bytes
    >>> p = skperturb.PerturbArgmax("gaussian").proba([[1.0, 0.0]])
    >>> 0 < skperturb.cache.n_bytes <= skperturb.cache.limit
    True
    >>> skperturb.cache.clear()
    >>> skperturb.cache.n_bytes
    0
    >>> skperturb.cache.limit = 256 * 2**20
    """

    def __init__(self, limit=_DEFAULT_LIMIT):
        self._lock, self._entries, self.n_bytes = Lock(), OrderedDict(), 0
        self.limit = limit

    @property
    def limit(self):
        """Bytes that the entries may take together; settable."""
        return self._limit

    @limit.setter
    def limit(self, n_bytes):
        if not (isinstance(n_bytes, Real) and n_bytes >= 0):
            raise ValueError(f"limit must be a number of bytes, 0 or more, got {n_bytes!r}.")
        with self._lock:
            self._limit = n_bytes
            self._shrink()

    def clear(self):
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
            self.n_bytes = 0
        _give_back()

    def __repr__(self):
        return f"<{type(self).__name__}: {self.n_bytes} of {self.limit} bytes>"

    def get(self, key, make):
        """The entry of a key; ``make()`` makes it if there is none."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key][0]
        value = make()  # without the lock: it may need other entries
        size = _ENTRY + _size(value)
        with self._lock:
            _, before = self._entries.pop(key, (None, 0))
            self._entries[key] = value, size
            self.n_bytes += size - before
            self._shrink()
        return value

    def _shrink(self):
        if self.n_bytes <= self._limit:
            return
        while self._entries and self.n_bytes > self._limit:
            self.n_bytes -= self._entries.popitem(last=False)[1][1]
        _give_back()


def _give_back():
    """Return freed memory to the system: of blocks below 32 MB, glibc keeps much otherwise."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def _size(value):
    """Bytes of the arrays that an object holds, directly or within its attributes."""
    seen, pending, total = set(), [value], 0
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            total += item.nbytes
        elif isinstance(item, (tuple, list)):
            pending.extend(item)
        else:
            pending.extend(getattr(item, "__dict__", {}).values())
    return total


cache = TableCache()


def remembered(function):
    """Keep the results of a function of laws and numbers in the cache, by the laws' values."""

    @wraps(function)
    def wrapped(law, *arguments):
        key = function.__qualname__, law.key(), *arguments
        return cache.get(key, lambda: function(law, *arguments))

    return wrapped
