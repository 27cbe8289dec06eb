"""The network: the article's number, the backward pass against the complex step, and clear words for wrong shapes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule_lib import (
    Adam,
    GradientDescent,
    Gradients,
    Momentum,
    SigmoidNetwork,
    digits,
    forward_cache,
    forward_pass,
    gradient_check,
    numerical_gradient,
    relative_error,
    sigmoid,
    train_test_split,
    xor,
)
from chainrule_lib.network import LossName

ARTICLE = ([0.5, 0.3], [[0.1, 0.2], [0.3, 0.4]], [0.5, 0.6], [0.7, 0.8], 0.9)

sizes = st.lists(st.integers(1, 5), min_size=2, max_size=5)
seeds = st.integers(0, 2**32 - 1)
losses = st.sampled_from(["half_squared_error", "binary_cross_entropy"])


def random_network(sizes: list[int], seed: int, loss: LossName = "half_squared_error") -> SigmoidNetwork:
    """A network whose biases are not zero: zeros hide mistakes."""
    network = SigmoidNetwork(sizes, seed=seed, loss=loss)
    random = np.random.default_rng(seed)
    network.biases = [random.normal(size=b.shape) for b in network.biases]
    return network


def complex_step(network: SigmoidNetwork, x: np.ndarray, loss: Callable[[np.ndarray], Any]) -> list[np.ndarray]:
    """∂ loss(x) / ∂ every weight, every bias and x, by exchanging one parameter at a time for a complex one."""
    gradients = []
    for parameters in (network.weights, network.biases):
        for layer, original in enumerate(parameters):

            def with_parameter(value: np.ndarray, parameters: list = parameters, layer: int = layer) -> Any:
                parameters[layer] = value
                return loss(x)

            gradients.append(numerical_gradient(with_parameter, original, method="complex"))
            parameters[layer] = original
    return [*gradients, numerical_gradient(loss, x, method="complex")]


def assert_agree(gradients: Gradients, expected: list[np.ndarray]) -> None:
    """To 1e-12 relative. Where the sum over paths or samples cancels, what was added up keeps its round-off: so an
    entry below a hundredth of the network's largest counts as that hundredth.
    """
    largest = max(float(np.max(np.abs(gradient))) for gradient in expected)
    for gradient, other in zip([*gradients.dWs, *gradients.dbs, gradients.dX], expected, strict=True):
        assert gradient.shape == other.shape
        assert np.max(relative_error(gradient, other, floor=0.01 * largest)) < 1e-12


def test_the_article_s_numbers_give_the_article_s_output() -> None:
    assert forward_pass(*ARTICLE) == 0.871843204787514


def test_forward_pass_takes_a_matrix_for_w2_and_a_batch_for_x() -> None:
    x, W1, b1, W2, b2 = ARTICLE
    assert forward_pass(x, W1, b1, [W2], [b2]).tolist() == [0.871843204787514]
    np.testing.assert_allclose(forward_pass([x, x, x], W1, b1, W2, b2), [0.871843204787514] * 3, rtol=1e-15)
    assert forward_pass([x, x, x], W1, b1, [W2, W2], [b2, b2]).shape == (3, 2)


def test_the_article_s_formula_is_the_output_before_the_second_sigmoid() -> None:
    x, W1, b1, W2, b2 = (np.array(value) for value in ARTICLE)
    z = W2 @ sigmoid(W1 @ x + b1) + b2
    assert forward_cache(x, [W1, W2], [b1, b2]).Zs[-1] == pytest.approx(z, rel=1e-15)
    assert sigmoid(z) == pytest.approx(forward_pass(x, W1, b1, W2, b2), rel=1e-15)


@given(sizes=sizes, n=st.integers(1, 5), seed=seeds)
def test_a_batch_is_its_samples_one_by_one(sizes: list[int], n: int, seed: int) -> None:
    network = random_network(sizes, seed)
    random = np.random.default_rng(seed)
    X, Y = random.normal(size=(n, sizes[0])), random.random(size=(n, sizes[-1]))
    np.testing.assert_allclose(network.forward(X), [network.forward(x) for x in X], rtol=1e-13)
    _, batch = network.gradients(X, Y)
    each = [network.gradients(x, y)[1] for x, y in zip(X, Y, strict=True)]
    for layer, (dW, db) in enumerate(zip(batch.dWs, batch.dbs, strict=True)):
        np.testing.assert_allclose(dW, np.mean([one.dWs[layer] for one in each], axis=0), atol=1e-14)
        np.testing.assert_allclose(db, np.mean([one.dbs[layer] for one in each], axis=0), atol=1e-14)
    np.testing.assert_allclose(batch.dX, [one.dX / n for one in each], atol=1e-14)


@given(sizes=sizes, n=st.one_of(st.none(), st.integers(1, 4)), seed=seeds, loss_name=losses)
def test_gradients_agree_with_the_complex_step_at_any_depth(
    sizes: list[int], n: int | None, seed: int, loss_name: LossName
) -> None:
    network = random_network(sizes, seed, loss_name)
    random = np.random.default_rng(seed)
    batch = () if n is None else (n,)
    X, Y = random.normal(size=(*batch, sizes[0])), random.random(size=(*batch, sizes[-1]))
    loss, gradients = network.gradients(X, Y)
    assert loss == network.loss(X, Y)
    assert_agree(gradients, complex_step(network, X, lambda x: network.loss(x, Y)))


@given(sizes=sizes, n=st.one_of(st.none(), st.integers(1, 4)), seed=seeds)
def test_backward_sends_any_upstream_gradient_to_every_parameter(sizes: list[int], n: int | None, seed: int) -> None:
    network = random_network(sizes, seed)
    random = np.random.default_rng(seed)
    batch = () if n is None else (n,)
    X, upstream = random.normal(size=(*batch, sizes[0])), random.normal(size=(*batch, sizes[-1]))
    expected = complex_step(network, X, lambda x: np.sum(upstream * network.forward(x)))
    assert_agree(network.backward(X, upstream), expected)


@pytest.mark.parametrize("as_given", [np.asarray, lambda a: a.tolist()], ids=["arrays", "lists"])
@pytest.mark.parametrize("loss_name", ["half_squared_error", "binary_cross_entropy"])
@pytest.mark.parametrize("n", [None, 1, 2, 5])
def test_a_last_layer_of_one_row_has_the_loss_and_the_gradients_of_the_same_layer_as_a_matrix(
    n: int | None, loss_name: LossName, as_given: Callable[[np.ndarray], Any]
) -> None:
    matrix, row = (random_network([2, 3, 1], seed=6, loss=loss_name) for _ in range(2))
    row.weights = [as_given(row.weights[0]), as_given(row.weights[1][0])]
    row.biases = [as_given(row.biases[0]), as_given(row.biases[1][0])]
    random = np.random.default_rng(6)
    batch = () if n is None else (n,)
    X, Y = random.normal(size=(*batch, 2)), random.random(size=(*batch, 1))
    loss, (dWs, dbs, dX) = matrix.gradients(X, Y)
    of_row, (row_dWs, row_dbs, row_dX) = row.gradients(X, Y[..., 0])
    assert of_row == row.loss(X, Y[..., 0]) == pytest.approx(loss, rel=1e-15)
    assert [dW.shape for dW in row_dWs] == [(3, 2), (3,)]
    assert [db.shape for db in row_dbs] == [(3,), ()]
    for one, other in zip([*row_dWs, *row_dbs, row_dX], [*dWs, *dbs, dX], strict=True):
        np.testing.assert_allclose(one, other.reshape(one.shape), rtol=1e-13)
    sent_back = row.backward(X, np.ones(batch))
    np.testing.assert_allclose(sent_back.dX, matrix.backward(X, np.ones((*batch, 1))).dX, rtol=1e-13)
    assert repr(row) == repr(matrix) == f"SigmoidNetwork([2, 3, 1], loss={loss_name!r})"


def test_a_network_with_the_article_s_numbers_put_in_by_hand_trains() -> None:
    x, W1, b1, W2, b2 = ARTICLE
    network = SigmoidNetwork([2, 2, 1])
    network.weights, network.biases = [W1, W2], [b1, b2]  # type: ignore[list-item]
    assert network.forward(x) == 0.871843204787514
    history = network.train([x, x], [0.0, 0.0], epochs=3)
    assert history[0] == pytest.approx(0.871843204787514**2 / 2)
    assert history[0] > history[1] > history[2]
    assert [W.shape for W in network.weights] == [(2, 2), (2,)]


def test_the_gradient_of_a_saturated_unit_keeps_its_digits() -> None:
    network = SigmoidNetwork([1, 1], seed=0)
    network.weights, network.biases = [np.array([[1.0]])], [np.array([0.0])]
    assert network.backward([40.0], [1.0]).dbs[0][0] == pytest.approx(np.exp(-40.0), rel=1e-14)


def test_a_second_call_gives_the_same_gradient_and_inputs_stay_as_they_were() -> None:
    network = random_network([3, 4, 2], seed=1)
    X, Y = np.ones((5, 3)), np.zeros((5, 2))
    parameters = [W.copy() for W in network.weights]
    first, second = network.gradients(X, Y)[1], network.gradients(X, Y)[1]
    for a, b in zip(first.dWs + first.dbs, second.dWs + second.dbs, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(X, np.ones((5, 3)))
    for W, before in zip(network.weights, parameters, strict=True):
        np.testing.assert_array_equal(W, before)


def test_the_gradient_check_passes_a_network_s_own_gradients() -> None:
    network = random_network([3, 4, 2], seed=2)
    random = np.random.default_rng(2)
    X, Y = random.normal(size=(5, 3)), random.random(size=(5, 2))
    _, gradients = network.gradients(X, Y)
    parameters = network.weights + network.biases
    assert gradient_check(lambda _: network.loss(X, Y), parameters, gradients.dWs + gradients.dbs).ok


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    one, same, other = (SigmoidNetwork([3, 4, 2], seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.weights[0], same.weights[0])
    assert not np.array_equal(one.weights[0], other.weights[0])


@pytest.mark.parametrize("optimizer", [GradientDescent(5.0), Momentum(1.0), Adam(0.1)], ids=lambda o: type(o).__name__)
def test_training_learns_xor(optimizer: GradientDescent | Momentum | Adam) -> None:
    X, Y = xor()
    network = SigmoidNetwork([2, 4, 1], seed=1, loss="binary_cross_entropy")
    history = network.train(X, Y, optimizer=optimizer, epochs=500)
    assert len(history) == 500
    assert history[-1] < 0.05 < history[0]
    np.testing.assert_array_equal(network.forward(X).round(), Y)


def test_one_epoch_of_gradient_descent_is_one_step_against_the_gradient() -> None:
    X, Y = xor()
    network = random_network([2, 3, 1], seed=4)
    before = list(network.weights)
    loss, gradients = network.gradients(X, Y)
    history = network.train(X, Y, optimizer=GradientDescent(0.5), epochs=1)
    assert history == [pytest.approx(loss, rel=1e-14)]
    for W, old, dW in zip(network.weights, before, gradients.dWs, strict=True):
        np.testing.assert_allclose(W, old - 0.5 * dW, rtol=1e-12)


def test_training_on_mini_batches_repeats_with_its_seed_and_uses_every_sample() -> None:
    X, Y = xor(10, noise=0.1)
    histories = []
    for seed in (3, 3, 4):
        network = SigmoidNetwork([2, 3, 1], seed=0)
        histories.append(network.train(X, Y, epochs=3, batch_size=4, seed=seed))
    assert histories[0] == histories[1] != histories[2]


def test_the_digits_are_learned_to_94_percent_on_images_not_trained_with() -> None:
    X_train, X_test, Y_train, Y_test = train_test_split(*digits())
    network = SigmoidNetwork([64, 32, 10], loss="binary_cross_entropy")
    network.train(X_train, Y_train, optimizer=Adam(0.01), epochs=20, batch_size=32)
    accuracy = np.mean(network.forward(X_test).argmax(axis=1) == Y_test.argmax(axis=1))
    assert accuracy >= 0.94


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.ones(3)}, "x has shape (3,), W1 has shape (4, 2): expected x of shape (2,) or (n, 2)."),
        ({"x": np.ones((2, 3))}, "x has shape (2, 3), W1 has shape (4, 2): expected x of shape (2,) or (n, 2)."),
        ({"x": 1.0}, "x has shape (), W1 has shape (4, 2): expected x of shape (2,) or (n, 2)."),
        ({"b1": np.ones(2)}, "b1 has shape (2,), W1 has shape (4, 2): expected b1 of shape (4,)."),
        ({"W2": np.ones((3, 2))}, "W2 has shape (3, 2), W1 has shape (4, 2): expected W2 of shape (d_out, 4) or (4,)."),
        ({"W2": np.ones(3), "b2": 1.0}, "W2 has shape (3,), W1 has shape (4, 2): expected W2 of shape (d_out, 4) or"),
        ({"b2": np.ones(2)}, "b2 has shape (2,), W2 has shape (3, 4): expected b2 of shape (3,)."),
        ({"W1": np.ones(2)}, "W1 has shape (2,): expected (d_out, d_in)."),
    ],
)
def test_shapes_that_do_not_fit_are_refused_naming_both(change: dict[str, object], message: str) -> None:
    arguments = {"x": np.ones(2), "W1": np.ones((4, 2)), "b1": np.ones(4), "W2": np.ones((3, 4)), "b2": np.ones(3)}
    with pytest.raises(ValueError, match="expected") as caught:
        forward_pass(**{**arguments, **change})  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_network_names_the_shapes_that_do_not_fit() -> None:
    network = SigmoidNetwork([2, 4, 3])
    with pytest.raises(ValueError, match=r"x has shape \(3,\), W1 has shape \(4, 2\)"):
        network.forward(np.ones(3))
    with pytest.raises(ValueError, match=r"upstream has shape \(2,\), the output has shape \(3,\)"):
        network.backward(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"Y has shape \(5,\), the output has shape \(5, 3\)"):
        network.gradients(np.ones((5, 2)), np.ones(5))
    with pytest.raises(ValueError, match=r"X has shape \(2,\), Y has shape \(3,\): expected \(n, d_in\)"):
        network.train(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="There are 2 weights and 1 biases"):
        forward_cache(np.ones(2), network.weights, network.biases[:1])
    network.biases[1] = np.ones(2)
    for call in (lambda: network.backward(np.ones(2), np.ones(3)), lambda: repr(network)):
        with pytest.raises(
            ValueError, match=r"b2 has shape \(2,\), W2 has shape \(3, 4\): expected b2 of shape \(3,\)"
        ):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: forward_cache([1.0], None, None), "weights is None: expected a list of arrays"),  # type: ignore[arg-type]
        (lambda: forward_cache([1.0], [[[1.0]]], 0.5), r"biases is 0\.5: expected a list of arrays"),  # type: ignore[arg-type]
        (lambda: SigmoidNetwork(3), r"sizes is 3: expected a list of whole numbers, such as \[2, 3, 1\]"),  # type: ignore[arg-type]
    ],
)
def test_one_thing_where_a_list_belongs_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SigmoidNetwork([2]), r"sizes is \[2\]: expected at least two whole numbers"),
        (lambda: SigmoidNetwork([2, 0]), r"sizes\[1\] is 0: expected a whole number of at least 1"),
        (lambda: SigmoidNetwork([2, 1.5]), r"sizes\[1\] is 1\.5: expected a whole number"),  # type: ignore[list-item]
        (lambda: SigmoidNetwork([True, True]), r"sizes\[0\] is True: expected a whole number"),
        (lambda: SigmoidNetwork([2, 1], seed=-1), "seed is -1: expected a whole number of at least 0"),
        (lambda: SigmoidNetwork([2, 1]).train(*xor(), seed=-1), "seed is -1: expected a whole number of at least 0"),
        (lambda: SigmoidNetwork([2, 1], loss="hinge"), "loss is 'hinge': expected 'half_squared_error' or"),  # type: ignore[arg-type]
        (lambda: SigmoidNetwork([2, 1]).train(*xor(), epochs=0), "epochs is 0: expected a whole number of at least 1"),
        (lambda: SigmoidNetwork([2, 1]).train(*xor(), batch_size=0), "batch_size is 0: expected a whole number"),
    ],
)
def test_impossible_networks_and_trainings_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
