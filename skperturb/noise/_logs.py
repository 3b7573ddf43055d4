"""Logarithms of probabilities, at their ends too."""

import numpy as np


def log(p):
    """log(p), -inf where p is zero."""
    return np.log(p, where=p > 0, out=np.full(np.shape(p), -np.inf))


def log_complement(log_p):
    """log(1 - p) from log(p), with the digits of both ends."""
    low = np.log1p(-np.exp(np.minimum(log_p, -0.5)))
    return np.where(log_p < -0.5, low, log(-np.expm1(np.minimum(log_p, 0))))
