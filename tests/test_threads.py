"""Threads change how long a result takes, and nothing else."""

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import ThreadpoolController, threadpool_limits

from skperturb import PerturbArgmax, PerturbArgmaxClassifier
from skperturb import _threads as threads
from skperturb._engine._sums import COMPILED

from .conftest import IDENTITY

BLAS = ThreadpoolController().select(user_api="blas")


def forks(test):
    """Skip where no process can be forked; Python warns of threads that a fork leaves behind."""
    possible = "fork" in multiprocessing.get_all_start_methods()
    test = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")(test)
    return pytest.mark.skipif(not possible, reason="no fork here")(test)


@pytest.fixture
def four_threads(monkeypatch):
    """As if there were four cores: BLAS may be built for fewer."""
    monkeypatch.setattr(threads, "_allowed", lambda: 4)


def large(n=30_000, n_features=5, n_classes=7):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, n_features))
    scores = X @ rng.normal(size=(n_features, n_classes))
    return X, (scores + rng.normal(size=scores.shape)).argmax(axis=1)


def test_results_do_not_depend_on_the_number_of_threads(four_threads, monkeypatch):
    X, y = large()
    scores = X @ np.random.default_rng(1).normal(size=(5, 7))
    results = []
    for n in (1, 2, 4):
        monkeypatch.setattr(threads, "_allowed", lambda n=n: n)
        clf = PerturbArgmaxClassifier().fit(X, y)
        results.append((clf.coef_, PerturbArgmax("student_t").log_proba(scores)))
    for coef, log_p in results[1:]:
        if COMPILED:
            assert_array_equal(coef, results[0][0])
            assert_array_equal(log_p, results[0][1])
        assert_allclose(coef, results[0][0], rtol=1e-7)
        assert_allclose(log_p, results[0][1], rtol=IDENTITY, atol=IDENTITY)


def test_items_keep_their_order_and_several_threads_work(four_threads):
    def work(item):
        time.sleep(0.002)
        return item, threading.get_ident()

    before = set(threading.enumerate())
    items, idents = zip(*threads.map_threads(work, range(40)), strict=True)
    assert items == tuple(range(40))
    assert len(set(idents)) > 1
    assert set(threading.enumerate()) <= before


def test_within_a_thread_there_are_no_more_threads(four_threads):
    def inner(item):
        return threading.get_ident()

    def outer(item):
        return {threading.get_ident(), *threads.map_threads(inner, range(4))}

    assert all(len(idents) == 1 for idents in threads.map_threads(outer, range(8)))


def test_an_error_in_a_thread_is_raised(four_threads):
    def work(item):
        done.append(item)
        if item == 3:
            raise ValueError("the fourth")
        time.sleep(0.001)
        return item

    done = []
    with pytest.raises(ValueError, match="the fourth"):
        threads.map_threads(work, range(40))
    assert len(done) < 20
    assert threads.map_threads(abs, [-1, -2]) == [1, 2]


def test_limits_of_blas_are_kept_and_given_back():
    before = [library["num_threads"] for library in BLAS.info()]
    with threadpool_limits(1, user_api="blas"):
        assert threads.n_threads() == 1
    with threads.single_blas_thread:
        assert all(library["num_threads"] == 1 for library in BLAS.info())
        with threads.single_blas_thread:
            pass
        assert all(library["num_threads"] == 1 for library in BLAS.info())
    assert [library["num_threads"] for library in BLAS.info()] == before


def test_joblib_limits_the_threads_of_its_workers():
    inner = Parallel(n_jobs=2)(delayed(threads.n_threads)() for _ in range(2))
    assert all(n <= max(1, threads.n_threads() // 2) for n in inner)


def test_fits_in_threads_of_the_caller(four_threads):
    X, y = large(3000)
    alone = PerturbArgmaxClassifier().fit(X, y).coef_
    fitted = Parallel(n_jobs=4, backend="threading")(
        delayed(PerturbArgmaxClassifier().fit)(X, y) for _ in range(4)
    )
    for clf in fitted:
        assert_allclose(clf.coef_, alone, rtol=1e-7)
    assert threads.single_blas_thread._holders == 0


def _fit(_):
    X, y = large(3000)
    return PerturbArgmaxClassifier().fit(X, y).coef_


@forks
def test_a_forked_process_fits_too(four_threads):
    here = _fit(0)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert_allclose(pool.map_async(_fit, [0]).get(timeout=120)[0], here, rtol=1e-7)


def _threads_of_blas(results):
    before = [library["num_threads"] for library in BLAS.info()]
    _fit(0)
    results.put((before, [library["num_threads"] for library in BLAS.info()]))


@forks
def test_a_process_forked_during_a_fit_gets_its_threads_back():
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    with threadpool_limits(2, user_api="blas"):
        allowed = [library["num_threads"] for library in BLAS.info()]
        with threads.single_blas_thread, threads.single_blas_thread:
            child = context.Process(target=_threads_of_blas, args=(results,))
            child.start()
            before, after = results.get()
            child.join()
            assert all(library["num_threads"] == 1 for library in BLAS.info())
    assert before == after == allowed


@forks
def test_a_process_that_goes_on_within_a_hold_of_its_parent():
    """It leaves holds that it never began, and later ones still limit BLAS and end."""
    with threadpool_limits(2, user_api="blas"):
        allowed = [library["num_threads"] for library in BLAS.info()]
        with threads.single_blas_thread:
            process = os.fork()
        if not process:
            try:
                with threads.single_blas_thread:
                    within = [library["num_threads"] for library in BLAS.info()]
                after = [library["num_threads"] for library in BLAS.info()]
                os._exit(int(set(within) != {1} or after != allowed))
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def test_slices_cover_all_rows(four_threads):
    for n_rows, fewest, most, count in (
        (0, 10, 100, 1),
        (9, 10, 100, 1),
        (25, 10, 100, 2),
        (100, 10, 1000, 4),
        (1000, 10, 100, 10),
    ):
        slices = threads.row_slices(n_rows, fewest, most)
        assert len(slices) == count
        covered = [i for rows in slices for i in range(n_rows)[rows]]
        assert covered == list(range(n_rows))
