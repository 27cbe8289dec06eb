"""PyTorch as a second opinion on recurrent networks: its own recurrent layer, its own autograd, the same to 1e-10.

Everything is in float64. Lengths, sizes, batches and initial states are drawn; truncation is done in PyTorch as its
users do it, by detaching a state.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

from chainrule_lib import (
    RNNGradients,
    RNNParameters,
    clip_by_norm,
    clip_by_value,
    gradient_norm,
    rnn_backward,
    rnn_forward,
)

torch: Any = pytest.importorskip("torch", reason="PyTorch, to compare with, is not installed: pip install 'torch>=2.9'")
SEEDS = pytest.mark.parametrize("seed", range(40))


class Case(NamedTuple):
    """A network, a batch of sequences, initial states, and an upstream gradient at every step."""

    parameters: RNNParameters
    X: np.ndarray
    h0: np.ndarray
    dY: np.ndarray

    @classmethod
    def drawn(cls, seed: int) -> "Case":
        random = np.random.default_rng(seed)
        d_in, hidden, d_out, n = (int(size) for size in random.integers(1, 7, size=4))
        T = int(random.integers(1, 15))
        shapes = [(hidden, d_in), (hidden, hidden), (hidden,), (d_out, hidden), (d_out,)]
        return cls(
            RNNParameters(*(random.normal(0, 0.8, size=shape) for shape in shapes)),
            random.normal(size=(n, T, d_in)),
            random.normal(size=(n, hidden)),
            random.normal(size=(n, T, d_out)),
        )

    def tensors(self) -> list[Any]:
        """The parameters, X and h0, in the order of our gradients."""
        return [torch.tensor(value, requires_grad=True) for value in (*self.parameters, self.X, self.h0)]

    def loss(self, Y: Any, first: int = 0) -> Any:
        """The loss with the upstream gradient dY, of the outputs Y of the first sequences from step `first` on."""
        return (Y * torch.tensor(self.dY[: len(Y), first : first + Y.shape[1]])).sum()


def layer(parameters: list[Any], X: Any, h: Any) -> tuple[Any, Any]:
    """The outputs and the last state, by PyTorch's recurrent layer with a linear one on top."""
    W_xh, W_hh, b_h, W_hy, b_y = parameters
    rnn = torch.nn.RNN(X.shape[-1], h.shape[-1], batch_first=True, dtype=torch.float64)
    weights = {"weight_ih_l0": W_xh, "weight_hh_l0": W_hh, "bias_ih_l0": b_h, "bias_hh_l0": torch.zeros_like(b_h)}
    H, last = torch.func.functional_call(rnn, weights, (X, h[None]))
    return H @ W_hy.T + b_y, last[0]


def assert_same(ours: np.ndarray, theirs: Any) -> None:
    other = theirs.detach().numpy()
    assert ours.dtype == other.dtype == np.float64
    assert ours.shape == other.shape
    np.testing.assert_allclose(ours, other, rtol=0, atol=1e-10 * max(1.0, np.max(np.abs(other), initial=0.0)))


def assert_gradients(ours: RNNGradients, loss: Any, tensors: list[Any]) -> None:
    theirs = torch.autograd.grad(loss, tensors, allow_unused=True, materialize_grads=True)
    for mine, other in zip([*ours.parameters, ours.dX, ours.dh0], theirs, strict=True):
        assert_same(mine, other)


@SEEDS
def test_outputs_and_all_gradients(seed: int) -> None:
    case = Case.drawn(seed)
    *parameters, X, h0 = tensors = case.tensors()
    cache = rnn_forward(case.X, case.parameters, case.h0)
    Y, last = layer(parameters, X, h0)
    assert_same(cache.Y, Y)
    assert_same(cache.H[:, -1], last)
    assert_gradients(rnn_backward(cache, case.dY), case.loss(Y), tensors)


@SEEDS
def test_the_gradients_of_a_single_sequence_that_starts_from_zeros(seed: int) -> None:
    case = Case.drawn(seed)
    *parameters, X, _ = tensors = case.tensors()
    start = torch.zeros_like(tensors[-1][:1], requires_grad=True)
    ours = rnn_backward(rnn_forward(case.X[0], case.parameters), case.dY[0])
    Y, _ = layer(parameters, X[:1], start)
    *theirs, dX, dh0 = torch.autograd.grad(case.loss(Y), [*parameters, X, start])
    for mine, other in zip([*ours.parameters, ours.dX, ours.dh0], [*theirs, dX[0], dh0[0]], strict=True):
        assert_same(mine, other)


@SEEDS
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_truncation_detaches_the_state_k_steps_before_every_output(seed: int, k: int) -> None:
    case = Case.drawn(seed)
    *parameters, X, h0 = tensors = case.tensors()
    loss = 0
    for t in range(1, case.X.shape[1] + 1):
        start = h0 if t <= k else layer(parameters, X[:, : t - k], h0)[1].detach()
        Y, _ = layer(parameters, X[:, max(t - k, 0) : t], start)
        loss = loss + case.loss(Y[:, -1:], first=t - 1)
    cache = rnn_forward(case.X, case.parameters, case.h0)
    assert_gradients(rnn_backward(cache, case.dY, truncation=k), loss, tensors)


@SEEDS
def test_pieces_that_start_from_the_last_state_detach_it_between_them(seed: int) -> None:
    case, size = Case.drawn(seed), 4
    *parameters, X, h0 = case.tensors()
    loss, ours, state, their_state = 0, [], case.h0, h0
    for first in range(0, case.X.shape[1], size):
        piece = slice(first, first + size)
        Y, their_state = layer(parameters, X[:, piece], their_state.detach())
        loss = loss + case.loss(Y, first)
        cache = rnn_forward(case.X[:, piece], case.parameters, state)
        ours.append(rnn_backward(cache, case.dY[:, piece]).parameters)
        state = cache.H[:, -1]
    for mine, other in zip(zip(*ours, strict=True), torch.autograd.grad(loss, parameters), strict=True):
        assert_same(sum(mine), other)


@SEEDS
def test_the_norm_and_both_ways_of_clipping(seed: int) -> None:
    gradients = Case.drawn(seed).parameters
    for limit in (0.5, 3.0, 1e3):
        for ours, clip in ((clip_by_norm, "clip_grad_norm_"), (clip_by_value, "clip_grad_value_")):
            leaves = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in gradients]
            for leaf, g in zip(leaves, gradients, strict=True):
                leaf.grad = torch.tensor(g)
            norm = float(torch.nn.utils.get_total_norm([leaf.grad for leaf in leaves]))
            assert gradient_norm(gradients) == pytest.approx(norm, rel=1e-13)
            getattr(torch.nn.utils, clip)(leaves, limit)
            # PyTorch divides by ‖g‖ + 1e-6, so its gradient is shorter by 1e-6 / ‖g‖.
            shorter = norm / (norm + 1e-6) if ours is clip_by_norm and norm > limit else 1.0
            for mine, leaf in zip(ours(gradients, limit), leaves, strict=True):
                assert_same(mine * shorter, leaf.grad)
