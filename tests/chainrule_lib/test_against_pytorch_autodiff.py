"""PyTorch as a second opinion on `autodiff` and `network`: other code, other people, the same numbers to 1e-10.

Everything is in float64. The same function is run with numpy on our tape and with torch on its own; shapes are drawn,
with broadcasting, with values that are used more than once, and whole calculations are drawn too.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chainrule_lib import GradientDescent, SigmoidNetwork, grad, jvp, value_and_grad, vjp
from chainrule_lib.autodiff import relu, sigmoid

torch: Any = pytest.importorskip("torch", reason="PyTorch, to compare with, is not installed: pip install 'torch>=2.9'")
Array = np.ndarray
SEEDS = pytest.mark.parametrize("seed", range(10))
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


class Ours:
    """The functions of a calculation, from numpy and from us."""

    sigmoid, relu = staticmethod(sigmoid), staticmethod(relu)
    exp, log, sqrt, sin, cos, tan, arctan, tanh = np.exp, np.log, np.sqrt, np.sin, np.cos, np.tan, np.arctan, np.tanh
    expm1, log1p, square, abs, negative = np.expm1, np.log1p, np.square, np.abs, np.negative
    maximum, minimum, where, outer = np.maximum, np.minimum, np.where, np.outer
    sum, mean, var, max, min = np.sum, np.mean, np.var, np.max, np.min
    stack, concatenate, transpose = np.stack, np.concatenate, np.swapaxes


class Theirs:
    """The same from torch, by numpy's names for them."""

    sigmoid, relu = torch.sigmoid, torch.relu
    exp, log, sqrt, sin, cos, tan = torch.exp, torch.log, torch.sqrt, torch.sin, torch.cos, torch.tan
    arctan, tanh, expm1, log1p = torch.arctan, torch.tanh, torch.expm1, torch.log1p
    square, abs, negative = torch.square, torch.abs, torch.negative
    maximum, minimum, where, outer = torch.maximum, torch.minimum, torch.where, torch.outer
    sum, mean, max, min = torch.sum, torch.mean, torch.amax, torch.amin
    stack, concatenate, transpose = torch.stack, torch.cat, torch.transpose

    @staticmethod
    def var(x: Any, axis: int) -> Any:
        return torch.var(x, axis, correction=0)


def drawn(shape: tuple[int, ...], seed: int, low: float = 0.3) -> Array:
    """Numbers of both signs, away from 0."""
    random = np.random.default_rng(seed)
    return random.uniform(low, 2.0, shape) * random.choice([-1, 1], shape)


def assert_agree(f: Callable[..., Any], *arrays: Array, seed: int = 0) -> None:
    """f(library, *arrays): its value, its vector-Jacobian and its Jacobian-vector products."""
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    theirs = f(Theirs, *tensors)
    u = drawn(tuple(theirs.shape), seed + 1)
    value, pull_back = vjp(lambda arrays: f(Ours, *arrays), list(arrays))
    np.testing.assert_allclose(value, theirs.detach(), **CLOSE)
    expected = torch.autograd.grad(theirs, tensors, torch.tensor(u), materialize_grads=True)
    for array, gradient, tensor in zip(arrays, pull_back(u), expected, strict=True):
        assert np.shape(gradient) == array.shape
        np.testing.assert_allclose(gradient, tensor, **CLOSE)

    directions = [drawn(array.shape, seed + 2 + i) for i, array in enumerate(arrays)]
    _, tangent = jvp(lambda arrays: f(Ours, *arrays), list(arrays), directions)
    primals, tangents = (tuple(map(torch.tensor, parts)) for parts in (arrays, directions))
    _, expected = torch.func.jvp(lambda *tensors: f(Theirs, *tensors), primals, tangents)
    np.testing.assert_allclose(tangent, expected, **CLOSE)


# --- Single functions -------------------------------------------------------------------------------------------------

ELEMENTWISE = ["exp", "expm1", "sin", "cos", "tan", "arctan", "tanh", "sigmoid", "relu", "square", "abs", "negative"]


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (3, 1, 2)])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_of_one_argument(name: str, shape: tuple[int, ...]) -> None:
    assert_agree(lambda library, x: getattr(library, name)(x), drawn(shape, 0) * 0.7)


@pytest.mark.parametrize("name", ["log", "log1p", "sqrt"])
def test_functions_of_a_positive_argument(name: str) -> None:
    assert_agree(lambda library, x: getattr(library, name)(x), abs(drawn((3, 4), 0)))


OPERATORS: dict[str, Callable[..., Any]] = {
    "+": lambda library, a, b: a + b,
    "-": lambda library, a, b: a - b,
    "*": lambda library, a, b: a * b,
    "/": lambda library, a, b: a / b,
    "**": lambda library, a, b: (a * a + 0.1) ** b,
    "maximum": lambda library, a, b: library.maximum(a, b),
    "minimum": lambda library, a, b: library.minimum(a, b),
    "where": lambda library, a, b: library.where(a > b, a * b, b),
}
BROADCAST = [((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((4, 1, 2), (3, 1)), ((2, 3), (2, 3)), ((1,), (2, 2))]


@pytest.mark.parametrize("shapes", BROADCAST)
@pytest.mark.parametrize("name", OPERATORS)
def test_broadcasting_operators(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = (drawn(shape, seed) for seed, shape in enumerate(shapes))
    assert_agree(OPERATORS[name], a, b)
    assert_agree(OPERATORS[name], b, a)


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3, 5)), ((1, 2, 3), (4, 3, 1))]
)
def test_matrix_products(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    assert_agree(lambda _, a, b: a @ b, *(drawn(shape, seed) for seed, shape in enumerate(shapes)))


@pytest.mark.parametrize(
    "f",
    [
        lambda library, x: library.sum(x, 1),
        lambda library, x: library.mean(x, (0, 2)),
        lambda library, x: library.var(x, -1),
        lambda library, x: library.max(x, 2),
        lambda library, x: library.min(x, (0, 1)),
        lambda library, x: x.reshape(6, 4),
        lambda library, x: library.transpose(x, 0, 2),
        lambda library, x: x[1, :, None, ::2],
        lambda library, x: x[[1, 0, 1], [0, 0, 0]],
        lambda library, x: library.stack([x[0], x[1] * x[0]], 1),
        lambda library, x: library.concatenate([x, x[:, :1] ** 2], 1),
        lambda library, x: library.outer(x[0, 0], x[1, 2]),
    ],
)
def test_sums_shapes_and_parts(f: Callable[..., Any]) -> None:
    assert_agree(f, drawn((2, 3, 4), 0))


def test_the_same_conventions_hold_in_ties_and_at_kinks() -> None:
    ties = np.array([[2.0, 2.0, 0.0], [0.0, -1.0, 0.0]])
    for f in (
        lambda library, x: library.relu(x),
        lambda library, x: library.abs(x),
        lambda library, x: library.maximum(x, x[:, :1]),
        lambda library, x: library.minimum(x, x[:, :1]),
        lambda library, x: library.max(x, 1),
        lambda library, x: library.min(x, 1),
    ):
        assert_agree(f, ties)


# --- Values that are used more than once ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda library, x, y: x * x,
        lambda library, x, y: x + x + x * y,
        lambda library, x, y: (x * y) * library.sin(x * y),
        lambda library, x, y: library.exp(x * 0.3) * x + (library.exp(x * 0.3) * y) * (x - x),
        lambda library, x, y: x * 0 * y,
    ],
)
def test_squares_and_diamonds(f: Callable[..., Any]) -> None:
    assert_agree(f, drawn((2, 1), 0), drawn((3,), 1))


def random_calculation(seed: int) -> Callable[..., Any]:
    """Twenty operations on values picked among all that came before, so that most are used several times."""

    def f(library: Any, *arrays: Any) -> Any:
        random, values = np.random.default_rng(seed), list(arrays)
        operations: list[Callable[[Any, Any], Any]] = [
            lambda a, b: a + b,
            lambda a, b: a - b,
            lambda a, b: library.tanh(a) * b,
            lambda a, b: a / (2 + library.cos(b)),
            lambda a, b: library.sigmoid(a * 0.5) ** (1.5 + library.sin(b)),
            lambda a, b: library.maximum(a, b * 0.9),
            lambda a, b: 1 / (1 + a * a) - 2 * b,
        ]
        for _ in range(20):
            i, j = random.integers(len(values), size=2)
            values.append(library.tanh(operations[random.integers(len(operations))](values[i], values[j])))
        return library.sum(sum(values[len(arrays) :]))

    return f


@pytest.mark.parametrize("seed", range(30))
def test_calculations_drawn_at_random(seed: int) -> None:
    n, d = (int(size) for size in np.random.default_rng(seed).integers(1, 5, 2))
    arrays = [drawn(shape, seed + i) for i, shape in enumerate([(n, d), (d,), (n, 1), ()])]
    assert_agree(random_calculation(seed), *arrays, seed=seed)


# --- Networks ---------------------------------------------------------------------------------------------------------


def network_loss(library: Any, X: Any, W1: Any, b1: Any, W2: Any, b2: Any, Y: Any) -> Any:
    return library.mean((library.sigmoid(library.relu(X @ W1.T + b1) @ W2.T + b2) - Y) ** 2)


def softmax_loss(library: Any, X: Any, W1: Any, b1: Any, W2: Any, b2: Any, Y: Any) -> Any:
    Z = library.tanh(X @ W1.T + b1) @ W2.T + b2
    Z = Z - library.max(Z, 1)[:, None]
    return library.mean(library.sum(Y * (library.log(library.sum(library.exp(Z), 1))[:, None] - Z), 1))


def mixed_expression(library: Any, X: Any, W1: Any, b1: Any, W2: Any, b2: Any, Y: Any) -> Any:
    H = library.tanh(X @ W1.T) * library.exp(-b1 / 3) - library.maximum(b1, 2 * library.sin(X[:, :1]))
    P = library.where(H > 0, library.log(H * H + 1), library.cos(H)) @ W2.T
    E = library.sigmoid(P[1:]) ** 1.7 / (1 + library.sqrt(library.abs(Y[1:])))
    return library.sum(E) + library.sum(b2 * library.mean(P[[0, 0, 1]], 0))


@SEEDS
@pytest.mark.parametrize("f", [network_loss, softmax_loss, mixed_expression])
def test_value_gradient_and_hessian_product_of_a_network(f: Callable[..., Any], seed: int) -> None:
    n, d, h, c = np.random.default_rng(seed).integers(3, 7, 4)
    shapes = [(n, d), (h, d), (h,), (c, h), (c,), (n, c)]
    arrays = [drawn(shape, seed + i) for i, shape in enumerate(shapes)]
    assert_agree(f, *arrays, seed=seed)
    directions = [drawn(shape, seed + 50 + i) for i, shape in enumerate(shapes)]
    primals, tangents = (tuple(map(torch.tensor, parts)) for parts in (arrays, directions))
    _, expected = torch.autograd.functional.hvp(lambda *tensors: f(Theirs, *tensors), primals, tangents)
    products = jvp(grad(lambda arrays: f(Ours, *arrays)), arrays, directions)[1]
    for product, tensor in zip(products, expected, strict=True):
        np.testing.assert_allclose(product, tensor, **CLOSE)


def drawn_network(seed: int, loss: Any) -> tuple[SigmoidNetwork, Array, Array]:
    """A network of two to four layers with biases that are not zero, and a batch for it."""
    random = np.random.default_rng(seed)
    sizes = [int(size) for size in random.integers(2, 6, random.integers(3, 6))]
    network = SigmoidNetwork(sizes, seed=seed, loss=loss)
    network.biases = [random.normal(size=b.shape) for b in network.biases]
    n = int(random.integers(2, 8))
    return network, random.normal(size=(n, sizes[0])), random.uniform(size=(n, sizes[-1]))


def torch_loss(loss: str, Ws: Any, bs: Any, X: Any, Y: Any) -> Any:
    """The network's loss, with the loss functions of torch: mean over the samples, sum over the outputs."""
    A = X
    for W, b in zip(Ws, bs, strict=True):
        Z = torch.nn.functional.linear(A, W, b)
        A = torch.sigmoid(Z)
    if loss == "half_squared_error":
        return torch.nn.functional.mse_loss(A, Y, reduction="sum") / 2 / len(X)
    return torch.nn.functional.binary_cross_entropy_with_logits(Z, Y, reduction="sum") / len(X)


@SEEDS
@pytest.mark.parametrize("loss", ["half_squared_error", "binary_cross_entropy"])
def test_a_sigmoid_network_has_the_gradients_that_torch_finds(loss: Any, seed: int) -> None:
    network, X, Y = drawn_network(seed, loss)
    value, gradients = network.gradients(X, Y)
    parts = [*network.weights, *network.biases, X]
    tensors = [torch.tensor(part, requires_grad=True) for part in parts]
    depth = len(network.weights)
    expected = torch_loss(loss, tensors[:depth], tensors[depth:-1], tensors[-1], torch.tensor(Y))
    assert value == pytest.approx(expected.item(), rel=1e-10)
    found = [*gradients.dWs, *gradients.dbs, gradients.dX]
    for gradient, tensor in zip(found, torch.autograd.grad(expected, tensors), strict=True):
        np.testing.assert_allclose(gradient, tensor, **CLOSE)


@SEEDS
def test_an_upstream_gradient_of_ones_own_goes_back_through_the_network_as_in_torch(seed: int) -> None:
    network, X, _ = drawn_network(seed, "half_squared_error")
    layers = [torch.nn.Linear(*reversed(W.shape), dtype=torch.float64) for W in network.weights]
    for layer, W, b in zip(layers, network.weights, network.biases, strict=True):
        layer.weight.data, layer.bias.data = torch.tensor(W), torch.tensor(b)
    model = torch.nn.Sequential(*(module for layer in layers for module in (layer, torch.nn.Sigmoid())))
    output = model(torch.tensor(X))
    np.testing.assert_allclose(network.forward(X), output.detach(), **CLOSE)
    upstream = drawn(tuple(output.shape), seed)
    output.backward(torch.tensor(upstream))
    gradients = network.backward(X, upstream)
    for layer, dW, db in zip(layers, gradients.dWs, gradients.dbs, strict=True):
        np.testing.assert_allclose(dW, layer.weight.grad, **CLOSE)
        np.testing.assert_allclose(db, layer.bias.grad, **CLOSE)


@SEEDS
def test_training_takes_the_steps_that_torch_takes(seed: int) -> None:
    network, X, Y = drawn_network(seed, "binary_cross_entropy")
    depth = len(network.weights)
    tensors = [torch.tensor(part, requires_grad=True) for part in [*network.weights, *network.biases]]
    optimizer = torch.optim.SGD(tensors, lr=0.7)
    history = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = torch_loss("binary_cross_entropy", tensors[:depth], tensors[depth:], torch.tensor(X), torch.tensor(Y))
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    np.testing.assert_allclose(network.train(X, Y, optimizer=GradientDescent(0.7), epochs=10), history, **CLOSE)
    for part, tensor in zip([*network.weights, *network.biases], tensors, strict=True):
        np.testing.assert_allclose(part, tensor.detach(), **CLOSE)


@SEEDS
def test_a_network_on_our_tape_has_the_gradients_of_the_network_by_hand_and_of_torch(seed: int) -> None:
    network, X, Y = drawn_network(seed, "half_squared_error")

    def loss(parameters: Any) -> Any:
        Ws, bs = parameters
        A = X
        for W, b in zip(Ws, bs, strict=True):
            A = sigmoid(A @ W.T + b)
        return 0.5 * np.sum((A - Y) ** 2) / len(X)

    _, (dWs, dbs) = value_and_grad(loss)([network.weights, network.biases])
    by_hand = network.gradients(X, Y)[1]
    tensors = [torch.tensor(part, requires_grad=True) for part in [*network.weights, *network.biases]]
    depth = len(network.weights)
    assert [W.shape for W in network.weights] == [(b, a) for a, b in pairwise([X.shape[1], *map(len, dbs)])]
    theirs = torch_loss("half_squared_error", tensors[:depth], tensors[depth:], torch.tensor(X), torch.tensor(Y))
    expected = torch.autograd.grad(theirs, tensors)
    for ours, hand, tensor in zip([*dWs, *dbs], [*by_hand.dWs, *by_hand.dbs], expected, strict=True):
        np.testing.assert_allclose(ours, hand, **CLOSE)
        np.testing.assert_allclose(ours, tensor, **CLOSE)
