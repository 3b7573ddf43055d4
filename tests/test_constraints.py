import numpy as np
import pytest
from numpy.testing import assert_allclose

from skperturb._linear._constraints import make_constraint

from .conftest import IDENTITY


@pytest.mark.parametrize("name", ["sum_to_zero", "reference", None])
@pytest.mark.parametrize("n_classes", [2, 3, 20])
def test_expand_and_restrict_are_adjoint_and_keep_lengths(name, n_classes):
    constraint = make_constraint(name, n_classes, reference=1)
    rng = np.random.default_rng(0)
    free = rng.normal(size=(constraint.n_free, 4))
    full = rng.normal(size=(n_classes, 4))
    expanded = constraint.expand(free)
    assert expanded.shape == (n_classes, 4)
    assert_allclose((expanded * full).sum(), (free * constraint.restrict(full)).sum(), rtol=1e-10)
    assert_allclose((expanded**2).sum(), (free**2).sum(), rtol=IDENTITY)
    assert_allclose(constraint.restrict(expanded), free, rtol=1e-10)


def test_expanded_rows_lie_in_the_constraint_set():
    free = np.random.default_rng(0).normal(size=(4, 3))
    assert_allclose(make_constraint("sum_to_zero", 5, 0).expand(free).sum(axis=0), 0, atol=IDENTITY)
    assert np.all(make_constraint("reference", 5, 3).expand(free)[3] == 0)
    two = make_constraint("sum_to_zero", 2, 0).expand(free[:1])
    assert_allclose(two[1] - two[0], free[0])
