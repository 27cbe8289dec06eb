"""Recurrent networks: BPTT against the complex step, truncation by its definition, gradients that vanish or explode."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule_lib import (
    Adam,
    RNNCache,
    RNNGradients,
    RNNParameters,
    clip_by_norm,
    clip_by_value,
    gradient_check,
    gradient_norm,
    jacobian,
    numerical_gradient,
    relative_error,
    rnn_backward,
    rnn_forward,
    sequences,
)

sizes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))
lengths = st.integers(1, 6)
batches = st.one_of(st.none(), st.integers(1, 3))
seeds = st.integers(0, 2**32 - 1)
initial_states = st.sampled_from(["none", "shared", "own"])

Case = tuple[RNNParameters, np.ndarray, np.ndarray, np.ndarray]


def random_parameters(d_in: int, hidden: int, d_out: int, seed: int) -> RNNParameters:
    """Every entry drawn: biases of zero, and an orthogonal W_hh, hide mistakes."""
    random = np.random.default_rng(seed)
    shapes = [(hidden, d_in), (hidden, hidden), (hidden,), (d_out, hidden), (d_out,)]
    return RNNParameters(*(random.normal(0, 0.8, size=shape) for shape in shapes))


def random_case(size: tuple[int, int, int], T: int, n: int | None, seed: int, start: str = "own") -> Case:
    """Parameters, inputs, an initial state of its own kind, and an upstream gradient at every step."""
    d_in, hidden, d_out = size
    random = np.random.default_rng(seed + 1)
    batch = () if n is None else (n,)
    h0 = random.normal(size=(*batch, hidden) if start == "own" else (hidden,))
    X, dY = random.normal(size=(*batch, T, d_in)), random.normal(size=(*batch, T, d_out))
    return random_parameters(d_in, hidden, d_out, seed), X, h0, dY


def complex_step(
    f: Callable[[RNNParameters, np.ndarray, np.ndarray], Any], P: RNNParameters, X: np.ndarray, h0: np.ndarray
) -> list[np.ndarray]:
    """The derivatives of f(parameters, X, h0) by every parameter, by X and by h0."""

    def with_parameter(name: str) -> Callable[[np.ndarray], Any]:
        return lambda value: f(P._replace(**{name: value}), X, h0)

    gradients = [numerical_gradient(with_parameter(name), getattr(P, name), method="complex") for name in P._fields]
    by_X = numerical_gradient(lambda value: f(P, value, h0), X, method="complex")
    by_h0 = numerical_gradient(lambda value: f(P, X, value), h0, method="complex")
    return [*gradients, by_X, by_h0]


def assert_agree(gradients: RNNGradients, expected: list[np.ndarray]) -> None:
    """To 1e-12 relative; an entry below a hundredth of the largest counts as that hundredth, as in test_network."""
    largest = max(float(np.max(np.abs(gradient))) for gradient in expected)
    for gradient, other in zip([*gradients.parameters, gradients.dX, gradients.dh0], expected, strict=True):
        assert gradient.shape == other.shape
        assert np.max(relative_error(gradient, other, floor=0.01 * largest)) < 1e-12


@given(size=sizes, T=lengths, seed=seeds)
def test_the_state_of_a_step_is_the_tanh_of_its_input_and_of_the_state_before(
    size: tuple[int, int, int], T: int, seed: int
) -> None:
    P, X, h, _ = random_case(size, T, None, seed)
    cache = rnn_forward(X, P, h)
    np.testing.assert_array_equal(cache.H[0], h)
    for t in range(1, T + 1):
        z = P.W_xh @ X[t - 1] + P.W_hh @ h + P.b_h
        h = np.tanh(z)
        np.testing.assert_allclose(cache.Z[t - 1], z, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(cache.H[t], h, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(cache.Y[t - 1], P.W_hy @ h + P.b_y, rtol=1e-12, atol=1e-13)


@given(size=sizes, T=lengths, n=batches, seed=seeds, start=initial_states)
@settings(max_examples=60)
def test_bptt_agrees_with_the_complex_step(
    size: tuple[int, int, int], T: int, n: int | None, seed: int, start: str
) -> None:
    P, X, h0, dY = random_case(size, T, n, seed, start)
    h0 = np.zeros(size[1]) if start == "none" else h0
    gradients = rnn_backward(rnn_forward(X, P, None if start == "none" else h0), dY)
    assert_agree(gradients, complex_step(lambda P, X, h0: np.sum(dY * rnn_forward(X, P, h0).Y), P, X, h0))


@given(size=sizes, T=lengths, n=st.integers(1, 4), seed=seeds, k=st.one_of(st.none(), st.integers(1, 6)))
def test_a_batch_is_its_sequences_one_by_one(
    size: tuple[int, int, int], T: int, n: int, seed: int, k: int | None
) -> None:
    P, X, h0, dY = random_case(size, T, n, seed)
    cache = rnn_forward(X, P, h0)
    batch = rnn_backward(cache, dY, truncation=k)
    each = [rnn_forward(X[i], P, h0[i]) for i in range(n)]
    one_by_one = [rnn_backward(cache, dY[i], truncation=k) for i, cache in enumerate(each)]
    np.testing.assert_allclose(cache.Y, [one.Y for one in each], rtol=1e-12, atol=1e-13)
    for position, gradient in enumerate(batch.parameters):
        np.testing.assert_allclose(gradient, sum(one.parameters[position] for one in one_by_one), atol=1e-11)
    for name in ("dX", "dh0", "dH"):
        np.testing.assert_allclose(getattr(batch, name), [getattr(one, name) for one in one_by_one], atol=1e-11)


@given(size=sizes, T=st.integers(2, 6), n=batches, seed=seeds)
def test_the_gradient_of_a_state_is_that_of_an_initial_state_from_which_the_rest_of_the_sequence_starts(
    size: tuple[int, int, int], T: int, n: int | None, seed: int
) -> None:
    P, X, h0, dY = random_case(size, T, n, seed)
    cache = rnn_forward(X, P, h0)
    dH = rnn_backward(cache, dY).dH
    for t in range(1, T):
        rest = rnn_forward(X[..., t:, :], P, cache.H[..., t, :])
        through_the_next_step = rnn_backward(rest, dY[..., t:, :]).dh0
        np.testing.assert_allclose(dH[..., t, :], dY[..., t - 1, :] @ P.W_hy + through_the_next_step, atol=1e-11)
    np.testing.assert_allclose(dH[..., T, :], dY[..., T - 1, :] @ P.W_hy, atol=1e-12)


def outputs_of_windows(P: RNNParameters, X: np.ndarray, h0: np.ndarray, constant_states: np.ndarray, k: int) -> Any:
    """Every y_t from a window of its own: k steps that start from h_(t-k), a constant, or at the beginning from h0."""
    T = X.shape[-2]
    ys = []
    for t in range(1, T + 1):
        start = h0 if t <= k else constant_states[..., t - k, :]
        ys.append(rnn_forward(X[..., max(t - k, 0) : t, :], P, start).Y[..., -1, :])
    return np.stack(ys, axis=-2)


@given(size=sizes, T=st.integers(1, 5), n=batches, seed=seeds, k=st.integers(1, 6))
@settings(max_examples=60)
def test_truncated_bptt_is_the_gradient_of_windows_that_start_from_constant_states(
    size: tuple[int, int, int], T: int, n: int | None, seed: int, k: int
) -> None:
    P, X, h0, dY = random_case(size, T, n, seed)
    cache = rnn_forward(X, P, h0)
    np.testing.assert_allclose(outputs_of_windows(P, X, h0, cache.H, k), cache.Y, rtol=1e-12, atol=1e-13)
    expected = complex_step(lambda P, X, h0: np.sum(dY * outputs_of_windows(P, X, h0, cache.H, k)), P, X, h0)
    assert_agree(rnn_backward(cache, dY, truncation=k), expected)


@given(size=sizes, T=lengths, n=batches, seed=seeds, more=st.integers(0, 3))
def test_a_truncation_as_long_as_the_sequence_leaves_nothing_out(
    size: tuple[int, int, int], T: int, n: int | None, seed: int, more: int
) -> None:
    P, X, h0, dY = random_case(size, T, n, seed)
    cache = rnn_forward(X, P, h0)
    full, truncated = rnn_backward(cache, dY), rnn_backward(cache, dY, truncation=T + more)
    for a, b in zip([*full.parameters, *full[1:]], [*truncated.parameters, *truncated[1:]], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


def test_truncated_at_every_step_the_state_before_is_a_constant_for_every_step_but_the_first() -> None:
    P, X, h0, dY = random_case((2, 3, 2), 5, None, seed=3)
    cache = rnn_forward(X, P, h0)
    gradients = rnn_backward(cache, dY, truncation=1)
    dZ = (dY @ P.W_hy) * (1 - cache.H[1:] ** 2)
    np.testing.assert_allclose(gradients.parameters.W_hh, dZ.T @ cache.H[:-1], rtol=1e-12)
    np.testing.assert_allclose(gradients.dh0, dZ[0] @ P.W_hh, rtol=1e-12)


def test_a_sequence_in_pieces_goes_on_from_the_last_state_and_its_gradients_come_back_through_h0() -> None:
    P, X, h0, dY = random_case((2, 3, 2), 7, 4, seed=5)
    whole = rnn_forward(X, P, h0)
    first = rnn_forward(X[:, :3], P, h0)
    second = rnn_forward(X[:, 3:], P, first.H[:, -1])
    np.testing.assert_allclose(np.concatenate([first.Y, second.Y], axis=1), whole.Y, rtol=1e-13)
    # Sent on through the state between the pieces, nothing is lost; dropped, it is the truncation by pieces.
    back = rnn_backward(second, dY[:, 3:])
    arriving = rnn_backward(rnn_forward(X[:, :3], P._replace(W_hy=np.eye(3), b_y=np.zeros(3)), h0), at_last(back.dh0))
    expected = rnn_backward(whole, dY)
    direct = rnn_backward(first, dY[:, :3])
    np.testing.assert_allclose(direct.dh0 + arriving.dh0, expected.dh0, atol=1e-13)
    np.testing.assert_allclose(
        direct.parameters.W_hh + arriving.parameters.W_hh + back.parameters.W_hh, expected.parameters.W_hh, atol=1e-12
    )


def at_last(dh: np.ndarray, steps: int = 3) -> np.ndarray:
    """An upstream gradient (n, steps, hidden) that is dh at the last step and zero before."""
    dY = np.zeros((len(dh), steps, dh.shape[1]))
    dY[:, -1] = dh
    return dY


def loss_at_the_end(cache: RNNCache, seed: int = 0) -> np.ndarray:
    """An upstream gradient of the last output alone."""
    dY = np.zeros_like(cache.Y)
    dY[..., -1, :] = np.random.default_rng(seed).normal(size=dY[..., -1, :].shape)
    return dY


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.5])
def test_where_tanh_is_straight_a_step_back_in_time_multiplies_the_gradient_by_the_gain(gain: float) -> None:
    P = RNNParameters.random(2, 5, 3, gain=gain, seed=1)
    cache = rnn_forward(np.zeros((20, 2)), P)  # all states are 0, where tanh' is 1
    norms = rnn_backward(cache, loss_at_the_end(cache)).norms_by_step
    assert norms.shape == (21,)
    np.testing.assert_allclose(norms, norms[-1] * gain ** np.arange(20, -1, -1), rtol=1e-12)


def test_a_gain_below_one_makes_every_gradient_vanish() -> None:
    P = RNNParameters.random(2, 5, 3, gain=0.9, seed=2)
    cache = rnn_forward(np.random.default_rng(2).normal(size=(4, 50, 2)), P)
    norms = rnn_backward(cache, loss_at_the_end(cache)).norms_by_step
    assert norms.shape == (4, 51)
    assert np.all(norms[:, :-1] <= 0.9 * norms[:, 1:])
    assert np.all(norms[:, 0] < 1e-3 * norms[:, -1])


def test_the_gradient_through_saturated_states_keeps_its_digits() -> None:
    P = RNNParameters(np.array([[1.0]]), np.array([[0.0]]), np.zeros(1), np.array([[1.0]]), np.zeros(1))
    gradients = rnn_backward(rnn_forward([[25.0]], P), [[1.0]])
    assert gradients.parameters.b_h[0] == pytest.approx(4 * np.exp(-50.0), rel=1e-14)


def test_random_parameters_have_the_gain_for_singular_values_and_repeat_with_their_seed() -> None:
    P = RNNParameters.random(2, 6, 3, gain=1.2, seed=4)
    np.testing.assert_allclose(np.linalg.svd(P.W_hh, compute_uv=False), 1.2, rtol=1e-13)
    assert [value.shape for value in P] == [(6, 2), (6, 6), (6,), (3, 6), (3,)]
    np.testing.assert_allclose(np.linalg.svd(RNNParameters.random(2, 6, 3).W_hh, compute_uv=False), 1, rtol=1e-13)
    np.testing.assert_array_equal(P.W_hh, RNNParameters.random(2, 6, 3, gain=1.2, seed=4).W_hh)
    assert not np.array_equal(P.W_hh, RNNParameters.random(2, 6, 3, gain=1.2, seed=5).W_hh)


def test_random_weights_hand_inputs_and_states_on_at_about_their_size() -> None:
    P = RNNParameters.random(100, 200, 150, seed=4)
    for W in (P.W_xh, P.W_hy):
        assert np.std(W) * np.sqrt(W.shape[1]) == pytest.approx(1, abs=0.03)
        assert abs(np.mean(W)) < 0.003
    assert not np.any(P.b_h)
    assert not np.any(P.b_y)


def test_a_second_call_gives_the_same_gradient_and_nothing_given_changes() -> None:
    case = random_case((2, 3, 2), 5, 4, seed=6)
    before = [np.copy(value) for value in (*case[0], *case[1:])]
    P, X, h0, dY = case
    cache = rnn_forward(X, P, h0)
    for k in (None, 2):
        first, second = rnn_backward(cache, dY, truncation=k), rnn_backward(cache, dY, truncation=k)
        for a, b in zip([*first.parameters, *first[1:]], [*second.parameters, *second[1:]], strict=True):
            np.testing.assert_array_equal(a, b)
        assert not np.shares_memory(first.dh0, first.dH)
    for value, old in zip((*P, X, h0, dY), before, strict=True):
        np.testing.assert_array_equal(value, old)


@pytest.mark.parametrize("k", [None, 5])
def test_the_complex_step_goes_through_the_backward_pass_too_to_a_symmetric_hessian(k: int | None) -> None:
    P, X, h0, dY = random_case((2, 3, 2), 5, 4, seed=8)

    def gradient(W_xh: np.ndarray) -> np.ndarray:
        return rnn_backward(rnn_forward(X, P._replace(W_xh=W_xh), h0), dY, truncation=k).parameters.W_xh

    hessian = jacobian(gradient, P.W_xh, method="complex").reshape(6, 6)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)
    assert np.all(np.abs(hessian) > 1e-6)


def test_the_gradient_check_takes_the_parameters_as_they_are() -> None:
    P, X, h0, dY = random_case((2, 3, 2), 5, 4, seed=7)
    gradients = rnn_backward(rnn_forward(X, P, h0), dY)
    assert gradient_check(lambda P: np.sum(dY * rnn_forward(X, P, h0).Y), P, gradients.parameters).ok
    truncated = rnn_backward(rnn_forward(X, P, h0), dY, truncation=3)
    assert not gradient_check(lambda P: np.sum(dY * rnn_forward(X, P, h0).Y), P, truncated.parameters).ok


def test_training_with_clipped_gradients_learns_the_adding_problem() -> None:
    X, Y = sequences(256, length=8)
    P, optimizer = RNNParameters.random(2, 16, 1, seed=0), Adam(0.01)
    losses = []
    for _ in range(200):
        cache = rnn_forward(X, P)
        dY = np.zeros_like(cache.Y)
        dY[:, -1] = (cache.Y[:, -1] - Y) / len(Y)
        losses.append(0.5 * np.mean((cache.Y[:, -1] - Y) ** 2))
        P = RNNParameters(*optimizer.step(P, clip_by_norm(rnn_backward(cache, dY).parameters, 1.0)))
    assert losses[-1] < 0.02 < 0.05 < 0.5 * np.var(Y) < losses[0]


@given(
    shapes=st.lists(st.lists(st.integers(1, 4), max_size=3), min_size=1, max_size=4),
    seed=seeds,
    max_norm=st.floats(1e-3, 1e3),
)
def test_clipping_by_norm_shortens_the_whole_gradient_and_keeps_its_direction(
    shapes: list[list[int]], seed: int, max_norm: float
) -> None:
    random = np.random.default_rng(seed)
    gradients = [np.asarray(random.normal(0, 10, size=shape)) for shape in shapes]
    entries = np.concatenate([g.ravel() for g in gradients])
    clipped = np.concatenate([g.ravel() for g in clip_by_norm(gradients, max_norm)])
    assert gradient_norm(gradients) == pytest.approx(np.linalg.norm(entries), rel=1e-13)
    np.testing.assert_allclose(clipped, entries * min(1, max_norm / np.linalg.norm(entries)), rtol=1e-12)


def test_clipping_by_norm_takes_one_norm_of_all_gradients_and_clipping_by_value_takes_each_entry() -> None:
    gradients: list[Any] = [[3.0, 0.0], [[-4.0]]]
    assert gradient_norm(gradients) == 5.0
    assert [g.tolist() for g in clip_by_norm(gradients, 2.5)] == [[1.5, 0.0], [[-2.0]]]
    assert [g.tolist() for g in clip_by_value(gradients, 2.5)] == [[2.5, 0.0], [[-2.5]]]
    for clip in (clip_by_norm, clip_by_value):
        assert [g.tolist() for g in clip(gradients, 6.0)] == gradients


def test_clipping_gives_new_arrays_even_where_it_changes_nothing() -> None:
    g = np.array([0.1, 0.2])
    for clip in (clip_by_norm, clip_by_value):
        (clipped,) = clip([g], 1.0)
        assert not np.shares_memory(clipped, g)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e200, 1.5e308])
def test_clipping_by_norm_neither_overflows_nor_divides_by_zero(size: float) -> None:
    gradients = [np.full(3, size), np.full((2, 3), -size)]
    assert gradient_norm(gradients) == pytest.approx(3 * size, rel=1e-14)
    assert gradient_norm(clip_by_norm(gradients, 1.0)) == pytest.approx(min(3 * size, 1.0), rel=1e-14)


def test_no_gradients_have_the_norm_zero() -> None:
    assert gradient_norm([]) == 0.0
    assert clip_by_norm([], 1.0) == clip_by_value([], 1.0) == []


def small_cache() -> RNNCache:
    return rnn_forward(np.ones((5, 2)), random_parameters(2, 4, 3, seed=0))


def parameters(**changes: np.ndarray) -> RNNParameters:
    return random_parameters(2, 4, 3, seed=0)._replace(**changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: rnn_forward(np.ones((5, 3)), parameters()),
            "x has shape (5, 3), W_xh has shape (4, 2): expected x of shape (T, 2) or (n, T, 2).",
        ),
        (lambda: rnn_forward(np.ones(2), parameters()), "x has shape (2,), W_xh has shape (4, 2)"),
        (lambda: rnn_forward(np.ones((0, 2)), parameters()), "x has shape (0, 2): expected at least one time step"),
        (
            lambda: rnn_forward(np.ones((5, 2)), parameters(), np.ones(3)),
            "h0 has shape (3,), x has shape (5, 2): expected h0 of shape (4,).",
        ),
        (
            lambda: rnn_forward(np.ones((6, 5, 2)), parameters(), np.ones((5, 4))),
            "h0 has shape (5, 4), x has shape (6, 5, 2): expected h0 of shape (4,) or (6, 4).",
        ),
        (
            lambda: rnn_forward(np.ones((5, 2)), parameters(W_xh=np.ones(4))),
            "W_xh has shape (4,): expected (hidden",
        ),
        (
            lambda: rnn_forward(np.ones((5, 2)), parameters(W_hh=np.ones((4, 3)))),
            "W_hh has shape (4, 3), W_xh has shape (4, 2): expected W_hh of shape (4, 4).",
        ),
        (lambda: rnn_forward(np.ones((5, 2)), parameters(b_h=np.ones(2))), "expected b_h of shape (4,)."),
        (
            lambda: rnn_forward(np.ones((5, 2)), parameters(W_hy=np.ones((4, 3)))),
            "expected W_hy of shape (d_out, 4)",
        ),
        (lambda: rnn_forward(np.ones((5, 2)), parameters(b_y=np.ones(4))), "expected b_y of shape (3,)."),
        (
            lambda: rnn_forward(np.ones((5, 2)), parameters()[:4]),
            "There are 4 parameters: expected W_xh, W_hh, b_h",
        ),
        (
            lambda: rnn_backward(small_cache(), np.ones((3, 5))),
            "dY has shape (3, 5), the output has shape (5, 3): expected dY of shape (5, 3).",
        ),
        (
            lambda: rnn_backward(small_cache(), np.ones((5, 3)), truncation=0),
            "truncation is 0: expected a whole number of",
        ),
        (lambda: RNNParameters.random(2, 0, 3), "hidden is 0: expected a whole number of at least 1."),
        (lambda: RNNParameters.random(2, 4, 3, gain=-1.0), "gain is -1.0: expected a positive, finite number"),
        (lambda: clip_by_norm([np.ones(2)], 0.0), "max_norm is 0.0: expected a positive, finite number"),
        (lambda: clip_by_value([np.ones(2)], np.inf), "limit is inf: expected a positive, finite number"),
        (lambda: clip_by_norm([[1.0], [np.nan]], 1.0), "gradients[1] has entries that are not finite"),
        (lambda: clip_by_value([[np.inf]], 1.0), "gradients[0] has entries that are not finite"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        call()
    assert message in str(caught.value)


def test_one_array_in_place_of_a_list_of_gradients_is_refused() -> None:
    with pytest.raises(TypeError, match=r"gradients is one array of shape \(2, 3\): expected a list"):
        clip_by_norm(np.ones((2, 3)), 1.0)  # type: ignore[arg-type]


def test_complex_gradients_are_refused_because_no_clipping_is_analytic() -> None:
    for call in (gradient_norm, lambda g: clip_by_norm(g, 1.0), lambda g: clip_by_value(g, 1.0)):
        with pytest.raises(TypeError, match=r"gradients\[1\] is complex: expected real numbers"):
            call([[1.0], [1j]])
