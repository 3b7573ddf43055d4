# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The sums of ``_two_numpy``, compiled: the same functions, without the GIL."""

import numpy as np


cdef extern from "_two.h" nogil:
    ctypedef struct HalfLine:
        const double *lanes
        const double *log_q
        double inverse_unit
        double origin
        double slope
        double lowest
        double highest
        double shift
        int bits

    void c_functions "functions"(const HalfLine *, const double *, double *, Py_ssize_t)
    void c_proba "proba"(const HalfLine *, const double *, double *, Py_ssize_t)
    double c_log_loss "log_loss"(
        const HalfLine *, const double *, const double *, const double *, double *, double *,
        double *, Py_ssize_t)
    double c_fenchel_young "fenchel_young"(
        const HalfLine *, const double *, const double *, const double *, double *, double *,
        Py_ssize_t)


cdef HalfLine _pointers(table, double unit):
    """A ``_half_line.HalfLine`` as C sees it; lives as long as that does."""
    cdef HalfLine out
    cdef const double[:, :, ::1] lanes = table.lanes
    cdef const double[:, ::1] log_q = table.log_q
    out.lanes, out.log_q, out.bits = &lanes[0, 0, 0], &log_q[0, 0], table.bits
    out.inverse_unit = 1.0 / (table.unit * unit)
    out.origin, out.slope, out.shift = table.origin, table.slope, table.shift
    out.lowest, out.highest = table.limits
    return out


def functions(table, d, double unit):
    """The four functions of a table at |d|, in units of the table (n, 4)."""
    cdef HalfLine t = _pointers(table, unit)
    cdef const double[::1] margin = np.ascontiguousarray(d, dtype=float)
    cdef Py_ssize_t n = margin.shape[0]
    values = np.empty((n, 4))
    cdef double[:, ::1] out = values
    if n:
        with nogil:
            c_functions(&t, &margin[0], &out[0, 0], n)
    return values


def proba(table, d, double unit):
    """Probabilities of both classes (n, 2)."""
    cdef HalfLine t = _pointers(table, unit)
    cdef const double[::1] margin = np.ascontiguousarray(d, dtype=float)
    cdef Py_ssize_t n = margin.shape[0]
    p = np.empty((n, 2))
    cdef double[:, ::1] out = p
    if n:
        with nogil:
            c_proba(&t, &margin[0], &out[0, 0], n)
    return p


def log_loss(table, d, sign, weight, double unit):
    """Weighted sum of -log p, and slope, curvature and information of each row."""
    cdef HalfLine t = _pointers(table, unit)
    cdef const double[::1] margin = np.ascontiguousarray(d, dtype=float)
    cdef const double[::1] side = sign, share = weight
    cdef Py_ssize_t n = margin.shape[0]
    slope, curvature, information = np.empty(n), np.empty(n), np.empty(n)
    cdef double[::1] slope_out = slope, curvature_out = curvature, information_out = information
    cdef double total = 0.0
    if n:
        with nogil:
            total = c_log_loss(
                &t, &margin[0], &side[0], &share[0], &slope_out[0], &curvature_out[0],
                &information_out[0], n)
    return total, slope, curvature, information


def fenchel_young(table, d, sign, weight, double unit):
    """Weighted sum of the Fenchel-Young loss, and slope, curvature and information of each row."""
    cdef HalfLine t = _pointers(table, unit)
    cdef const double[::1] margin = np.ascontiguousarray(d, dtype=float)
    cdef const double[::1] side = sign, share = weight
    cdef Py_ssize_t n = margin.shape[0]
    slope, curvature = np.empty(n), np.empty(n)
    cdef double[::1] slope_out = slope, curvature_out = curvature
    cdef double total = 0.0
    if n:
        with nogil:
            total = c_fenchel_young(
                &t, &margin[0], &side[0], &share[0], &slope_out[0], &curvature_out[0], n)
    return total, slope, curvature, curvature
