import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skperturb import (
    PerturbArgmax,
    PerturbArgmaxClassifier,
    PerturbSoftmax,
    PerturbSoftmaxClassifier,
)
from skperturb.noise import Discrete, Noise, StudentT, Uniform, as_noise, from_scipy
from skperturb.representation import representation, verify_representation

GAP = stats.rv_histogram((np.array([2.5, 0, 2.5]), np.array([-1.2, -1, 1, 1.2])), density=True)()
POSITIVE = [
    "gaussian",
    "gumbel",
    "gumbel_min",
    "logistic",
    "laplace",
    "student_t",
    "cauchy",
    "exponential",
    stats.gamma(2.0),
    stats.weibull_max(1.5),  # its support is a half-line to the left
]


class TwoTails(stats.rv_continuous):
    """Exponential tails, and nothing between -1 and 1."""

    def _pdf(self, x):
        return np.where(np.abs(x) > 1, 0.5 * np.exp(1 - np.abs(x)), 0.0)

    def _cdf(self, x):
        tail = 0.5 * np.exp(1 - np.maximum(np.abs(x), 1))
        return np.where(x > 0, 1 - tail, tail)

    def _sf(self, x):
        return self._cdf(-x)

    def _ppf(self, q):
        return -self._isf(q)

    def _isf(self, q):
        low = 1 - np.log(2 * np.minimum(q, 0.5))
        return np.where(q < 0.5, low, -1 + np.log(2 * np.maximum(1 - q, 1e-300)))


class Mixed(stats.rv_continuous):
    """A quarter of the probability at 0.5, the rest Gaussian."""

    def _cdf(self, x):
        return 0.75 * stats.norm.cdf(x) + 0.25 * (x >= 0.5)

    def _pdf(self, x):
        return 0.75 * stats.norm.pdf(x)


# complete, minimal, interior collisions: of Perturb-Argmax, row by row of the theory's table.
ROWS = [(noise, (True, True, False)) for noise in POSITIVE] + [
    (Uniform(0.5), (True, False, False)),
    (stats.triang(0.3), (True, False, False)),
    (GAP, (True, False, True)),
    (Discrete(), (False, False, True)),
    (Discrete([0, 1, 5], [0.2, 0.3, 0.5], scale=2.0), (False, False, True)),
]
SOME = [0, 1, 4, 6, 7, -5, -3, -2]
IDS = [noise if isinstance(noise, str) else str(as_noise(noise)) for noise, _ in ROWS]
rows = pytest.mark.parametrize(("noise", "facts"), ROWS, ids=IDS)


@rows
def test_argmax(noise, facts):
    for constraint in ("sum_to_zero", "reference"):
        answer = PerturbArgmax(noise, 1.5).representation(constraint)
        assert (answer.complete, answer.minimal) == facts[:2]
        assert (answer.where == "everywhere") == facts[1]
        assert answer == representation(PerturbArgmax(noise, 1.5), constraint)
    shared = PerturbArgmax(noise).representation(None)
    assert (shared.complete, shared.minimal, shared.where) == (facts[0], False, "nowhere")
    assert "common shift" in shared.reason


@rows
def test_argmax_seen_from_its_probabilities_alone(noise, facts):
    n_points, most = (8, 3) if noise is GAP else (30, 4)
    for n_classes in range(2, most + 1):
        seen = verify_representation(PerturbArgmax(noise), n_classes, n_points, random_state=0)
        assert (seen.complete, seen.minimal, seen.n_interior > 0) == facts
        assert seen.n_reached == (n_points if facts[0] else 0)
        assert (seen.unreached is None) == facts[0]
        if seen.complete:
            assert seen.worst_error <= 1e-9
        if not seen.minimal:
            one, other = seen.collision
            assert np.abs(one - other).max() > 1e-4
            p = PerturbArgmax(noise).proba(seen.collision)
            assert_allclose(*p, rtol=1e-8)
            assert (p.min() > 0) == facts[2]


@pytest.mark.parametrize("noise", [ROWS[k][0] for k in SOME], ids=[IDS[k] for k in SOME])
@pytest.mark.parametrize("temperature", [0.3, 3.0])
def test_softmax_of_any_noise_is_complete_and_minimal(noise, temperature):
    model = PerturbSoftmax(noise, temperature=temperature)
    answer = model.representation()
    assert (answer.complete, answer.minimal, answer.where) == (True, True, "everywhere")
    assert not model.representation(None).minimal
    seen = verify_representation(model, 3, 40, random_state=0)
    assert (seen.complete, seen.minimal, seen.unreached, seen.collision) == (True, True, None, None)


def test_where():
    """The region of bounded noise is the one where no probability is zero."""
    answer = PerturbArgmax(Uniform(0.5), 3.0).representation()
    assert answer.where == "max(scores) - min(scores) < 3"
    p = PerturbArgmax(Uniform(0.5), 3.0).proba([[0, 2.99, 1.0], [0, 3.01, 1.0]])
    assert p[0].min() > 0
    assert p[1].min() == 0


def test_the_flat_differences_of_a_noise_with_gaps():
    answer = PerturbArgmax(GAP).representation()
    assert "every difference from 0.2 to 2" in answer.reason
    difference = np.array([0.2, 0.5, 1.5, 2.0])
    p = PerturbArgmax(GAP).proba(np.column_stack([difference, np.zeros(4)]))
    assert_allclose(p[:, 0], 0.75, rtol=1e-12)
    # Pieces that are wide against the gap leave nothing flat for two classes.
    wide = stats.rv_histogram((np.array([0.25, 0, 0.25]), np.array([-3, -1, 1, 3])), density=True)()
    assert "every difference" not in PerturbArgmax(wide).representation().reason
    assert verify_representation(PerturbArgmax(wide), 2, 30, random_state=0).n_interior == 0


def test_gaps_of_noise_without_end_do_no_harm():
    noise = from_scipy(TwoTails(name="two_tails")())
    assert_allclose(noise.gaps, [(-1, 1)], atol=1e-9)
    answer = PerturbArgmax(noise).representation()
    assert (answer.complete, answer.minimal, answer.where) == (True, True, "everywhere")
    seen = verify_representation(PerturbArgmax(noise), 3, 20, random_state=0)
    assert (seen.complete, seen.minimal) == (True, True)


def test_atoms_of_a_mixed_law_are_found():
    noise = from_scipy(Mixed(name="mixed")())
    assert noise.atoms
    assert PerturbArgmax(noise).representation().complete is False
    with pytest.raises(ValueError, match="atoms"):
        PerturbArgmaxClassifier(noise).fit([[0.0], [1.0]], [0, 1])
    for model in (PerturbArgmax(noise), PerturbSoftmax(noise)):
        with pytest.raises(ValueError, match="jumps"):
            model.proba([[1.0, 0.0]])


class Comb(stats.rv_continuous):
    """A geometric variable plus a tenth of a uniform one: gaps without end."""

    def _cdf(self, x):
        whole = np.floor(x)
        return np.where(x < 0, 0, 1 - 0.5**whole * (1 - 0.5 * np.minimum(10 * (x - whole), 1)))

    def _pdf(self, x):
        return np.where((x >= 0) & (x % 1 < 0.1), 5 * 0.5 ** np.floor(x), 0.0)


class Unnamed(stats.rv_continuous):
    """Uniform on [0, 1], but does not say so."""

    def _cdf(self, x):
        return np.clip(x, 0, 1)

    def _pdf(self, x):
        return np.where((x >= 0) & (x <= 1), 1.0, 0.0)

    def _ppf(self, q):
        return q

    def _isf(self, q):
        return 1 - q


def test_ends_that_a_distribution_does_not_tell():
    endless = PerturbArgmax(Comb(a=0.0, name="comb")()).representation()
    assert (endless.complete, endless.minimal, endless.where) == (True, None, "unknown")
    for law, width in (
        (Unnamed(name="unnamed")(), 1.0),
        (stats.rv_histogram((np.array([0, 1, 0]), np.arange(4)), density=True)(), 1.0),
    ):
        noise = from_scipy(law)
        assert_allclose(np.ptp(noise.support), width, rtol=1e-9)
        answer = PerturbArgmax(noise).representation()
        assert (answer.minimal, answer.where) == (False, "max(scores) - min(scores) < 1")
    # A density that is zero at a point has no gap there.
    assert from_scipy(stats.dgamma(2)).gaps == ()


def test_what_cannot_be_told_is_unknown():
    infinite = PerturbArgmax(stats.beta(0.01, 0.01)).representation()
    assert infinite.complete is None
    assert "complete    unknown" in str(infinite)

    class Unusable(Noise):
        """A family that does not know its gaps."""

        _gaps = None
        _logpdf = _logcdf = _logsf = _ppf = _isf = Uniform()._logcdf

    answer = PerturbArgmax(Unusable()).representation()
    assert (answer.complete, answer.minimal, answer.where) == (True, None, "unknown")


def test_facts_of_distributions_of_scipy():
    for law in (stats.norm(1, 2), stats.expon(), stats.t(1.2), stats.skewnorm(4), stats.lognorm(3)):
        assert (from_scipy(law).gaps, from_scipy(law).atoms) == ((), False)
    assert from_scipy(stats.beta(0.5, 0.5)).atoms is False
    assert_allclose(from_scipy(GAP).set_params(scale=2.0).gaps, [(-2, 2)], rtol=1e-12)


def test_text_dict_and_html():
    answer = PerturbArgmax("uniform").representation()
    text = str(answer)
    assert "where       max(scores) - min(scores) < 2" in text
    assert max(map(len, text.splitlines())) <= 79
    assert answer.to_dict()["complete"] is True
    html = answer._repr_html_()
    assert "max(scores) - min(scores) &lt; 2" in html
    assert "<table>" in html
    seen = verify_representation(PerturbArgmax("uniform"), 2, 5, random_state=0)
    assert "unreached" not in str(seen)
    assert "collision" in seen._repr_html_()


def test_same_seed_same_points():
    model = PerturbArgmax("uniform")
    one, other = (verify_representation(model, 3, 10, random_state=1) for _ in range(2))
    assert_allclose(one.collision, other.collision, rtol=0)
    default, zero = (
        verify_representation(model, 3, 10, **seed) for seed in ({}, {"random_state": 0})
    )
    assert_allclose(default.collision, zero.collision, rtol=0)


@pytest.mark.parametrize("bad", ["sum", 1, "none"])
def test_unknown_constraints_raise(bad):
    with pytest.raises(ValueError, match="constraint must be one of"):
        PerturbArgmax().representation(bad)


def test_bad_arguments_raise():
    for function in (representation, verify_representation):
        with pytest.raises(ValueError, match="model_"):
            function(PerturbArgmaxClassifier())
    for bad in (1, 2.0, "3"):
        with pytest.raises(ValueError, match="n_classes must be an integer of at least 2"):
            verify_representation(PerturbArgmax(), bad)
    with pytest.raises(ValueError, match="n_points"):
        verify_representation(PerturbArgmax(), 3, 0)


def test_fitted_classifiers_say_it():
    X, y = [[0.0], [1.0], [2.0], [0.5], [1.0], [1.2]], [0, 1, 2, 1, 0, 2]
    probit = PerturbArgmaxClassifier(constraint="reference").fit(X, y)
    assert probit.representation_ == probit.model_.representation("reference")
    assert probit.representation_.minimal
    assert not PerturbArgmaxClassifier(constraint=None).fit(X, y).representation_.minimal
    two = [0, 1, 1, 1, 0, 0]
    assert PerturbArgmaxClassifier(constraint=None).fit(X, two).representation_.minimal
    bounded = PerturbArgmaxClassifier("uniform", loss="fenchel_young").fit(X, y)
    assert not bounded.representation_.minimal
    steps = PerturbSoftmaxClassifier(Discrete()).fit(X, y)
    assert steps.representation_.minimal
    with pytest.raises(AttributeError):
        PerturbArgmaxClassifier().representation_  # noqa: B018


@pytest.mark.parametrize("loss", ["log_loss", "fenchel_young"])
def test_discrete_noise_is_refused_where_it_is_incomplete(loss):
    with pytest.raises(ValueError, match="PerturbSoftmaxClassifier"):
        PerturbArgmaxClassifier(Discrete(), loss=loss).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="atoms"):
        PerturbArgmax(Discrete()).scores_from_proba([[0.6, 0.3, 0.1]])


def test_flat_places_of_discrete_noise_are_seen_with_many_classes():
    seen = verify_representation(PerturbArgmax(Discrete([-1, 0, 2])), 20, 20, random_state=0)
    assert not seen.minimal


def test_student_t_of_any_df_is_minimal():
    for df in (0.7, 30.0):
        seen = verify_representation(PerturbArgmax(StudentT(df)), 3, 20, random_state=0)
        assert (seen.complete, seen.minimal) == (True, True)
