# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The sums of ``_sums_numpy``, compiled: the same functions, without the GIL.

The loops are in ``_rows.h``, ``_softmax.h`` and ``_pieces.h``; here arrays become pointers and
results arrays.
"""

import numpy as np

from ._translation import with_zero_row_sums, with_zero_sums

from libc.stdint cimport intptr_t


cdef extern from "_rows.h" nogil:
    ctypedef struct Table:
        const double *log_cdf
        const double *hazard
        const double *log_hazard
        const double *coarse_log_cdf
        const double *coarse_log_hazard
        const double *coarse_log_weight
        const double *log_weight
        const double *weight
        const double *powers
        Py_ssize_t n_grid
        Py_ssize_t n_nodes
        Py_ssize_t n_coarse
        double inverse_step
        double reach
        double grid_reach
        int ordered

    int c_log_likelihood "log_likelihood"(
        const Table *, const double *, const intptr_t *, double *, double *,
        Py_ssize_t, Py_ssize_t)
    int c_log_proba "log_proba"(
        const Table *, const double *, const double *, double *, double *, Py_ssize_t, Py_ssize_t)
    int c_second_order "second_order"(
        const Table *, const double *, const double *, const intptr_t *, double *, double *,
        double *, Py_ssize_t, Py_ssize_t)
    int c_jacobian "jacobian"(const Table *, const double *, double *, Py_ssize_t, Py_ssize_t)


cdef extern from "_softmax.h" nogil:
    int c_depth "depth"(
        const double *, const intptr_t *, double *, Py_ssize_t, Py_ssize_t)
    int c_softmax_likelihood "softmax_likelihood"(
        const double *, const intptr_t *, double *, double *, Py_ssize_t, Py_ssize_t)


cdef extern from "_pieces.h" nogil:
    ctypedef struct Branches:
        const double *kink
        const double *jump
        const double *a
        const double *b
        const intptr_t *kind
        const double *rules
        Py_ssize_t n_kinks

    int c_integrate_pieces "integrate_pieces"(
        const Branches *, const double *, const intptr_t *, double *, double *, double *,
        Py_ssize_t, Py_ssize_t, int)


cdef Table _pointers(table):
    """A ``_table.Table`` as C sees it; lives as long as that does."""
    cdef Table out
    cdef const double[:, ::1] log_cdf = table.log_cdf
    cdef const double[:, ::1] hazard = table.hazard
    cdef const double[:, ::1] log_hazard = table.log_hazard
    cdef const double[:, ::1] coarse_log_cdf = table.coarse_log_cdf
    cdef const double[:, ::1] coarse_log_hazard = table.coarse_log_hazard
    cdef const double[::1] coarse_log_weight = table.coarse_log_weight
    cdef const double[::1] log_weight = table.log_weight
    cdef const double[::1] weight = table.weight
    cdef const double[:, ::1] powers = table.powers
    out.log_cdf, out.hazard = &log_cdf[0, 0], &hazard[0, 0]
    out.log_hazard, out.log_weight = &log_hazard[0, 0], &log_weight[0]
    out.coarse_log_cdf, out.coarse_log_hazard = &coarse_log_cdf[0, 0], &coarse_log_hazard[0, 0]
    out.coarse_log_weight, out.n_coarse = &coarse_log_weight[0], coarse_log_weight.shape[0]
    out.powers, out.weight = &powers[0, 0], &weight[0]
    out.n_grid, out.n_nodes = log_cdf.shape[0], log_cdf.shape[1]
    out.inverse_step = table.inverse_step
    out.reach, out.grid_reach, out.ordered = table.reach, table.grid_reach, table.ordered
    return out


def _check(int status):
    if status:
        raise MemoryError("There is no memory for a row of so many classes.")


def depth(scores, y=None):
    """How far class y, or the last one, stands below the best of its row (n,)."""
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef const intptr_t[::1] target = None if y is None else np.ascontiguousarray(y, dtype=np.intp)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    out = np.empty(n)
    if not n:
        return out
    cdef double[::1] depth_out = out
    cdef const intptr_t *labels = NULL if target is None else &target[0]
    with nogil:
        c_depth(&theta[0, 0], labels, &depth_out[0], n, n_classes)
    return out


def log_likelihood(table, scores, y):
    """log p of one class a row (n,), and its gradient (n, K)."""
    cdef Table t = _pointers(table)
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef const intptr_t[::1] target = np.ascontiguousarray(y, dtype=np.intp)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    log_p, gradient = np.empty(n), np.empty((n, n_classes))
    if not n:
        return log_p, gradient
    cdef double[::1] p_out = log_p
    cdef double[:, ::1] g_out = gradient
    cdef int status
    with nogil:
        status = c_log_likelihood(
            &t, &theta[0, 0], &target[0], &p_out[0], &g_out[0, 0], n, n_classes)
    _check(status)
    return log_p, gradient


def log_proba(table, scores):
    """log p of all classes within reach (n, K), normalised; -inf for those beyond."""
    cdef Table t = _pointers(table)
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    log_p = np.empty((n, n_classes))
    if not n:
        return log_p
    cdef double[:, ::1] out = log_p
    cdef int status
    with nogil:
        status = c_log_proba(&t, &theta[0, 0], NULL, NULL, &out[0, 0], n, n_classes)
    _check(status)
    return log_p


def potential_and_log_proba(table, scores):
    """The potential less the best score (n,), and what ``log_proba`` gives."""
    cdef Table t = _pointers(table)
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    gap, log_p = np.empty(n), np.empty((n, n_classes))
    if not n:
        return gap, log_p
    cdef const double[::1] level = table.level(n_classes)
    cdef double[::1] gap_out = gap
    cdef double[:, ::1] out = log_p
    cdef int status
    with nogil:
        status = c_log_proba(
            &t, &theta[0, 0], &level[0], &gap_out[0], &out[0, 0], n, n_classes)
    _check(status)
    return gap, log_p


def second_order(table, scores, y):
    """log p of one class a row (n,), its gradient (n, K), and second derivatives (n, K, K)."""
    cdef Table t = _pointers(table)
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef const double[:, ::1] slope_powers = table.slope_powers
    cdef const intptr_t[::1] target = np.ascontiguousarray(y, dtype=np.intp)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    log_p, gradient = np.empty(n), np.empty((n, n_classes))
    hessian = np.empty((n, n_classes, n_classes))
    if not n:
        return log_p, gradient, hessian
    cdef double[::1] p_out = log_p
    cdef double[:, ::1] g_out = gradient
    cdef double[:, :, ::1] h_out = hessian
    cdef int status
    with nogil:
        status = c_second_order(
            &t, &slope_powers[0, 0], &theta[0, 0], &target[0], &p_out[0], &g_out[0, 0],
            &h_out[0, 0, 0], n, n_classes)
    _check(status)
    return log_p, gradient, hessian


def jacobian(table, scores):
    """d p_i / d theta_j = -integral r_i r_j exp(S): (n, K, K)."""
    cdef Table t = _pointers(table)
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    out = np.empty((n, n_classes, n_classes))
    if not n:
        return out
    cdef double[:, :, ::1] j_out = out
    cdef int status
    with nogil:
        status = c_jacobian(&t, &theta[0, 0], &j_out[0, 0, 0], n, n_classes)
    _check(status)
    return out


def softmax_likelihood(scores, y):
    """log softmax of one class a row (n,), and its gradient (n, K)."""
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef const intptr_t[::1] target = np.ascontiguousarray(y, dtype=np.intp)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    log_p, gradient = np.empty(n), np.empty((n, n_classes))
    if not n:
        return log_p, gradient
    cdef double[::1] p_out = log_p
    cdef double[:, ::1] g_out = gradient
    with nogil:
        c_softmax_likelihood(&theta[0, 0], &target[0], &p_out[0], &g_out[0, 0], n, n_classes)
    return log_p, gradient


def integrate_pieces(branches, scores, y=None, second=False, logs=False):
    """The integrals of ``_pieces_numpy.integrate_pieces``."""
    cdef Branches law
    cdef const double[::1] kink = branches.kink, jump = branches.jump
    cdef const double[::1] a = branches.a, b = branches.b
    cdef const intptr_t[::1] kind = branches.kind
    cdef const double[:, :, ::1] rules = branches.rules
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef const intptr_t[::1] target = None if y is None else np.ascontiguousarray(y, dtype=np.intp)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    value, slope = np.empty(n), np.empty((n, n_classes))
    matrices = np.empty((n, n_classes, n_classes)) if second else None
    if not n:
        return value, slope, matrices
    law.kink, law.jump, law.n_kinks = &kink[0], &jump[0], kink.shape[0]
    law.a, law.b, law.kind, law.rules = &a[0], &b[0], &kind[0], &rules[0, 0, 0]
    cdef double[::1] value_out = value
    cdef double[:, ::1] slope_out = slope
    cdef double[:, :, ::1] matrices_out = matrices
    cdef const intptr_t *labels = NULL if target is None else &target[0]
    cdef double *second_out = NULL if matrices is None else &matrices_out[0, 0, 0]
    cdef int status, as_logs = logs
    with nogil:
        status = c_integrate_pieces(
            &law, &theta[0, 0], labels, &value_out[0], &slope_out[0, 0], second_out, n,
            n_classes, as_logs)
    _check(status)
    return value, slope, matrices
