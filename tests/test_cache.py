import tracemalloc

import numpy as np
import pytest
from scipy import stats

from skperturb import PerturbArgmax, cache
from skperturb._cache import TableCache
from skperturb.noise import Discrete, Gaussian, StudentT, from_scipy

MEGABYTE = 2**20


def test_what_was_used_longest_ago_goes_first():
    small = TableCache(limit=5 * MEGABYTE)
    made = []

    def entry(name):
        def make():
            made.append(name)
            return np.zeros(2 * MEGABYTE // 8)

        return small.get(name, make)

    entry("a"), entry("b"), entry("a"), entry("c")
    assert made == ["a", "b", "c"]
    assert small.n_bytes <= small.limit
    entry("a")
    assert made == ["a", "b", "c"]
    entry("b")
    assert made == ["a", "b", "c", "b"]
    small.limit = 3 * MEGABYTE
    assert small.n_bytes <= 3 * MEGABYTE
    small.clear()
    assert small.n_bytes == 0


@pytest.mark.parametrize("limit", [-1, None, "1 MB", np.nan])
def test_an_impossible_limit_is_refused(limit):
    with pytest.raises(ValueError, match="limit must be a number of bytes"):
        TableCache(limit)


def test_an_error_is_not_remembered():
    small = TableCache()
    with pytest.raises(ZeroDivisionError):
        small.get("key", lambda: 1 / 0)
    assert small.get("key", lambda: 1) == 1


def test_a_noise_that_is_changed_is_another_law():
    noise = Gaussian()
    before = PerturbArgmax(noise).proba([[1.0, 0.0]])
    noise.scale = 2.0
    after = PerturbArgmax(noise).proba([[1.0, 0.0]])
    assert not np.allclose(before, after)
    values = [-1.0, 1.0]
    discrete = Discrete(values)
    key = discrete.key()
    values[0] = -5.0
    assert discrete.key() != key


@pytest.mark.slow
def test_tables_of_many_noises_stay_within_the_limit():
    scores = np.array([[0.0, -1.0, -700.0]])
    cache.clear()
    tracemalloc.start()
    try:
        for df in np.linspace(1.1, 5, 10):
            PerturbArgmax(StudentT(df)).log_proba(scores)
        assert tracemalloc.get_traced_memory()[0] < 300 * MEGABYTE
        cache.clear()
        assert tracemalloc.get_traced_memory()[0] < 30 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_without_room_everything_is_made_anew_and_right():
    expected = PerturbArgmax("student_t").log_proba([[0.0, -1.0, -70.0]])
    limit = cache.limit
    try:
        cache.limit = 0
        assert cache.n_bytes == 0
        again = PerturbArgmax("student_t").log_proba([[0.0, -1.0, -70.0]])
        assert cache.n_bytes == 0
    finally:
        cache.limit = limit
    assert np.array_equal(expected, again)


def test_a_scipy_law_is_looked_up_by_its_parameters():
    law = from_scipy(stats.skewnorm(3))
    assert law.key() == from_scipy(stats.skewnorm(3)).key()
    assert law.key() != from_scipy(stats.skewnorm(4)).key()
    assert law.key() != from_scipy(stats.skewnorm(3, loc=1)).key()
    assert from_scipy(stats.rv_histogram(([1, 2], [0, 1, 2]))).key() != (
        from_scipy(stats.rv_histogram(([2, 1], [0, 1, 2]))).key()
    )
