# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Integrals of rows of scores by the cells of ``_cells``, compiled: without the GIL."""

import numpy as np

from libc.stdint cimport intptr_t


cdef extern from "_cells.h" nogil:
    ctypedef struct Cells:
        const double *edge
        const double *log_tail
        const double *middle
        const double *inverse_half
        const double *bottom
        const double *limit
        const double *coefficients
        const intptr_t *upper
        const double *rule
        Py_ssize_t n
        double width
        double support
        int ends

    int c_integrate_cells "integrate_cells"(
        const Cells *, const double *, const intptr_t *, double *, double *, double *,
        Py_ssize_t, Py_ssize_t, int, int)


def integrate_cells(cells, scores, y=None, second=False, potential=False, relative=False):
    """Integrals of rows of scores; nan in the value of a row that is beyond the cells.

    Parameters
    ----------
    cells : _cells.Cells
    scores : ndarray of shape (n, K)
    y : ndarray of shape (n,), int, default=None
        The class asked for; None for all of them.
    second : bool, default=False
        Whether second derivatives are wanted.
    potential : bool, default=False
        Whether, without y, the potential is wanted.
    relative : bool, default=False
        Whether, without y, log p of all classes is wanted instead of p.

    Returns
    -------
    value : ndarray of shape (n,)
        With y log p_y, without the potential less the best score.
    slope : ndarray of shape (n, K)
        With y the gradient of log p_y but for y's own entry, without p or log p.
    matrices : ndarray of shape (n, K, K), or None
        With y the second derivatives of log p_y but for jumps of the density, and for the row and
        column of y; without y the derivatives of p but for the diagonal.
    """
    cdef Cells law
    cdef const double[::1] edge = cells.edge, log_tail = cells.log_tail
    cdef const double[::1] middle = cells.middle, inverse_half = cells.inverse_half
    cdef const double[::1] bottom = cells.bottom, limit = cells.limit
    cdef const double[:, :, ::1] coefficients = cells.coefficients
    cdef const intptr_t[::1] upper = cells.upper
    cdef const double[:, ::1] rule = cells.rule
    cdef const double[:, ::1] theta = np.ascontiguousarray(scores, dtype=float)
    cdef const intptr_t[::1] target = None if y is None else np.ascontiguousarray(y, dtype=np.intp)
    cdef Py_ssize_t n = theta.shape[0], n_classes = theta.shape[1]
    value, slope = np.empty(n), np.empty((n, n_classes))
    matrices = np.empty((n, n_classes, n_classes)) if second else None
    if not n:
        return value, slope, matrices
    law.edge, law.log_tail, law.middle = &edge[0], &log_tail[0], &middle[0]
    law.inverse_half, law.bottom, law.limit = &inverse_half[0], &bottom[0], &limit[0]
    law.coefficients, law.upper, law.rule = &coefficients[0, 0, 0], &upper[0], &rule[0, 0]
    law.n, law.width, law.support, law.ends = (
        middle.shape[0], cells.width, cells.support, cells.ends)
    cdef double[::1] value_out = value
    cdef double[:, ::1] slope_out = slope
    cdef double[:, :, ::1] matrices_out = matrices
    cdef const intptr_t *labels = NULL if target is None else &target[0]
    cdef double *second_out = NULL if matrices is None else &matrices_out[0, 0, 0]
    cdef int status, with_potential = potential, as_logs = relative
    with nogil:
        status = c_integrate_cells(
            &law, &theta[0, 0], labels, &value_out[0], &slope_out[0, 0], second_out, n,
            n_classes, with_potential, as_logs)
    if status:
        raise MemoryError("There is no memory for a row of so many classes.")
    return value, slope, matrices
