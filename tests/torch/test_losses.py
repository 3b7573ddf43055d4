"""Losses: CrossEntropyLoss is their oracle, for Gumbel noise it is what they are."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from skperturb import PerturbArgmax
from skperturb.noise import Discrete
from skperturb.torch import FenchelYoungLoss, PerturbArgmaxLoss, PerturbSoftmaxLoss

from .conftest import OF_THE_COMPILER

LOSSES = [
    PerturbArgmaxLoss("gaussian"),
    PerturbArgmaxLoss("student_t", noise_scale=0.7),
    PerturbArgmaxLoss("cauchy", label_smoothing=0.1),
    PerturbArgmaxLoss("laplace"),
    PerturbSoftmaxLoss("gaussian", temperature=0.5),
    PerturbSoftmaxLoss("uniform", label_smoothing=0.2),
    FenchelYoungLoss("gaussian"),
    FenchelYoungLoss("uniform", noise_scale=5.0),
    FenchelYoungLoss("cauchy", temperature=0.5, label_smoothing=0.1),
]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    scores = 2 * torch.randn(9, 4, dtype=torch.float64, generator=generator)
    return scores.requires_grad_(), torch.arange(9) % 4


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(4,), (6, 4), (6, 4, 3), (2, 4, 3, 5)])
def test_gumbel_noise_is_cross_entropy(shape, reduction, weighted, smoothing):
    options = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": 2}
    options["weight"] = (
        torch.tensor([1.0, 0.5, 2.0, 0.0], dtype=torch.float64) if weighted else None
    )
    ours, theirs = PerturbArgmaxLoss("gumbel", **options), nn.CrossEntropyLoss(**options)
    scores = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    numbers = torch.randint(4, shape[:1] + shape[2:] if len(shape) > 1 else ())
    numbers.view(-1)[0] = 1  # that counts: theirs is nan where none does
    chances = torch.rand(shape, dtype=torch.float64)
    for target in (numbers, chances):
        if target is chances:
            theirs.ignore_index = -100  # it takes no other beside probabilities
        torch.testing.assert_close(ours(scores, target), theirs(scores, target))
        a, b = (torch.autograd.grad(f(scores, target).sum(), scores)[0] for f in (ours, theirs))
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_first_and_second_derivatives(loss, batch):
    scores, y = batch
    assert torch.autograd.gradcheck(lambda s: loss(s, y), scores)
    assert torch.autograd.gradgradcheck(lambda s: loss(s, y), scores)
    soft = torch.softmax(scores.detach().flip(0), 1)
    assert torch.autograd.gradcheck(lambda s: loss(s, soft), scores)
    # Tables meet to 1e-10, which over a step of 1e-6 would look like a slope of 1e-4.
    assert torch.autograd.gradgradcheck(lambda s: loss(s, soft), scores, eps=1e-4)


def test_third_derivatives_are_refused(batch):
    scores, y = batch
    value = PerturbArgmaxLoss()(scores, y)
    for _ in range(2):
        (slope,) = torch.autograd.grad(value, scores, create_graph=True)
        value = slope.square().sum()
    with pytest.raises(NotImplementedError, match="twice at most"):
        torch.autograd.grad(value, scores)


def test_soft_targets_of_one_class_are_hard_ones(batch):
    scores, y = batch
    soft = nn.functional.one_hot(y, 4).double()
    for loss in LOSSES:
        torch.testing.assert_close(loss(scores, soft), loss(scores, y), rtol=1e-9, atol=1e-9)


def test_soft_targets_reach_probabilities_that_underflow():
    scores = torch.tensor([[0.0, 60.0, 1.0, 59.0]], dtype=torch.float64, requires_grad=True)
    soft = torch.tensor([[0.3, 0.3, 0.2, 0.2]], dtype=torch.float64)
    loss = PerturbArgmaxLoss("gaussian")
    expected = sum(soft[0, i] * loss(scores, torch.tensor([i])) for i in range(4))
    torch.testing.assert_close(loss(scores, soft), expected)
    a, b = (torch.autograd.grad(value, scores)[0] for value in (loss(scores, soft), expected))
    torch.testing.assert_close(a, b)
    assert torch.autograd.gradgradcheck(lambda s: loss(s, soft), scores)


def test_a_soft_target_that_is_nan_shows(batch):
    scores, _ = batch
    soft = torch.full((9, 4), 0.25, dtype=torch.float64)
    soft[2, 1] = torch.nan
    for loss in (*LOSSES, nn.CrossEntropyLoss()):
        assert torch.isnan(loss(scores, soft))


def test_weights_are_repetition(batch):
    scores, y = batch
    weight = torch.tensor([1.0, 2.0, 0.0, 3.0], dtype=torch.float64)
    rows = torch.repeat_interleave(torch.arange(9), weight[y].long())
    loss = PerturbArgmaxLoss("cauchy", weight=weight)
    torch.testing.assert_close(loss(scores, y), PerturbArgmaxLoss("cauchy")(scores[rows], y[rows]))


def test_what_is_ignored_may_hold_anything(batch):
    scores, y = batch
    spoiled = scores.detach().clone()
    spoiled[3] = torch.nan
    spoiled.requires_grad_()
    y = y.clone()
    y[3] = -100
    rest = torch.arange(9) != 3
    loss = PerturbArgmaxLoss()
    torch.testing.assert_close(loss(spoiled, y), loss(scores[rest], y[rest]))
    (slope,) = torch.autograd.grad(loss(spoiled, y), spoiled)
    assert bool(torch.isfinite(slope).all())
    assert bool((slope[3] == 0).all())


def test_no_row_that_counts_gives_zero(batch):
    scores, _ = batch
    for rows in (9, 0):
        value = PerturbArgmaxLoss()(scores[:rows], torch.full((rows,), -100))
        assert value.item() == 0
        value.backward()


def test_the_same_in_every_run_and_shift_changes_nothing(batch):
    scores, y = batch
    loss = PerturbArgmaxLoss("student_t")
    assert loss(scores, y).item() == loss(scores, y).item()
    torch.testing.assert_close(loss(scores + 3.0, y), loss(scores, y))
    order = torch.randperm(4)
    where = torch.argsort(order)
    torch.testing.assert_close(loss(scores[:, order], where[y]), loss(scores, y))


def test_state_copies_and_types(batch):
    scores, y = batch
    loss = PerturbArgmaxLoss("student_t", weight=torch.tensor([1.0, 2.0, 0.5, 1.0]))
    assert list(loss.state_dict()) == ["weight"]
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), loss.double()):
        torch.testing.assert_close(other(scores, y), loss(scores, y))
    assert "StudentT" in repr(loss)
    half = scores.detach().bfloat16()
    value = loss(half, y)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(half.float(), y))
    half = half.requires_grad_()
    loss(half, y).backward()
    assert half.grad.dtype == torch.bfloat16


def test_autocast_changes_no_digit(batch):
    scores, y = batch
    net = nn.Linear(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(scores.float())
        value = PerturbArgmaxLoss()(out, y)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(value, PerturbArgmaxLoss()(out.float(), y))


def test_functional_transforms(batch):
    scores, y = batch
    scores = scores.detach()
    for loss in (
        PerturbArgmaxLoss(),
        FenchelYoungLoss("laplace"),
        PerturbSoftmaxLoss(label_smoothing=0.1),
    ):
        slope = torch.func.grad(lambda s, y, loss=loss: loss(s, y))
        each = torch.func.vmap(slope)(scores, y)
        expected = torch.stack([slope(row, one) for row, one in zip(scores, y, strict=True)])
        torch.testing.assert_close(each, expected)
    hessian = torch.func.jacrev(torch.func.jacrev(lambda s: PerturbArgmaxLoss()(s, y[0])))(
        scores[0]
    )

    kernel = PerturbArgmax("gaussian")._kernel(4)
    expected = -kernel.hessian(scores[:1].numpy(), y[:1].numpy())[0]
    np.testing.assert_allclose(hessian, expected, atol=1e-10)


@pytest.mark.filterwarnings(OF_THE_COMPILER)
@pytest.mark.parametrize("loss", [LOSSES[0], LOSSES[5], LOSSES[6]], ids=repr)
def test_compiled_programs(loss, batch):
    scores, y = batch
    try:
        compiled = torch.compile(lambda s: loss(2 * s, y), fullgraph=True)
        value = compiled(scores)
    except torch._inductor.exc.InductorError as error:
        pytest.skip(f"no C++ compiler for torch.compile here: {error}"[:200])
    torch.testing.assert_close(value, loss(2 * scores, y))
    (a,), (b,) = (torch.autograd.grad(f, scores) for f in (value, loss(2 * scores, y)))
    torch.testing.assert_close(a, b)


def test_a_network_learns():
    from sklearn.datasets import load_iris

    torch.manual_seed(0)
    X, y = load_iris(return_X_y=True)
    X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
    y = torch.tensor(y)
    net, loss = nn.Linear(4, 3), PerturbArgmaxLoss("student_t")
    optimiser = torch.optim.LBFGS(net.parameters(), max_iter=100)

    def closure():
        optimiser.zero_grad()
        value = loss(net(X), y) + 1e-2 * sum(p.square().sum() for p in net.parameters())
        value.backward()
        return value

    optimiser.step(closure)
    assert (net(X).argmax(1) == y).float().mean() > 0.9


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: PerturbArgmaxLoss("uniform"), "bounded or has atoms"),
        (lambda: PerturbArgmaxLoss(Discrete([0, 1], [0.5, 0.5])), "bounded or has atoms"),
        (lambda: FenchelYoungLoss(Discrete([0, 1], [0.5, 0.5])), "step functions"),
        (lambda: PerturbArgmaxLoss("nonsense"), "nonsense"),
        (lambda: PerturbArgmaxLoss(reduction="median"), "reduction"),
        (lambda: PerturbArgmaxLoss(label_smoothing=2), "label_smoothing"),
        (lambda: PerturbArgmaxLoss(weight=torch.tensor([-1.0, 1.0])), "none negative"),
        (lambda: PerturbSoftmaxLoss(temperature=0), "temperature"),
    ],
)
def test_options_that_cannot_be(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_data_that_cannot_be(batch):
    scores, y = batch
    loss = PerturbArgmaxLoss()
    spoiled = scores.detach().clone()
    spoiled[4, 1] = torch.inf
    for arguments, error, match in (
        ((spoiled, y), ValueError, "Row 4 of the scores"),
        ((scores, y + 1), ValueError, "Target 4 is not one of the 4 classes"),
        ((scores, y[:5]), ValueError, "want class numbers of shape"),
        ((scores[0], y[:3]), ValueError, "want class numbers of shape"),
        ((scores, torch.rand(9, 3)), ValueError, "shape of the scores"),
        ((scores[:, :1], y), ValueError, "at least two classes"),
        ((y[:, None].expand(9, 4), y), TypeError, "floating-point"),
    ):
        with pytest.raises(error, match=match):
            loss(*arguments)
    with pytest.raises(ValueError, match="weight has 2 numbers"):
        PerturbArgmaxLoss(weight=torch.ones(2))(scores, y)


def test_the_engine_does_not_import_torch():
    import subprocess
    import sys

    code = "import skperturb, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_losses_agree_with_the_fit_of_the_classifier():
    """A linear layer trained to the end is the classifier."""
    from sklearn.datasets import load_iris

    from skperturb import PerturbArgmaxClassifier

    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(0)) / X.std(0)
    clf = PerturbArgmaxClassifier("gaussian", C=1.0, tol=1e-10).fit(X, y)
    scores = torch.tensor(clf.decision_function(X))
    own = PerturbArgmaxLoss(reduction="sum")(scores, torch.tensor(y)).item()
    log_p = clf.predict_log_proba(X)[np.arange(len(y)), y].sum()
    assert own == pytest.approx(-log_p, rel=1e-9)


@pytest.mark.parametrize("default", [torch.float16, torch.bfloat16, torch.float64])
def test_means_do_not_depend_on_the_default_type(default):
    scores, target = torch.randn(70_000, 3), torch.arange(70_000) % 3
    expected = nn.functional.cross_entropy(scores, target)
    torch.set_default_dtype(default)
    try:
        found = PerturbArgmaxLoss("gumbel")(scores, target)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(found, expected)


def test_programs_that_are_traced_compute_anew():
    loss, target = PerturbArgmaxLoss("gaussian"), torch.tensor([0, 1, 2, 0])
    one, other = torch.randn(2, 4, 3, dtype=torch.float64)
    program = make_fx(lambda scores: loss(scores, target))(one)
    torch.testing.assert_close(program(other), loss(other, target))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_tensors_without_numbers_have_a_shape(loss):
    scores = torch.empty(5, 3, device="meta", requires_grad=True)
    value = loss(scores, torch.zeros(5, dtype=torch.long, device="meta"))
    value.sum().backward()
    assert scores.grad.shape == (5, 3)
