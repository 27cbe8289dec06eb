"""PyTorch as a second opinion on convolution and pooling: other code, other people, the same numbers to 1e-10.

Everything is in float64, with sizes, strides, paddings and windows drawn apart for rows and for columns.
"""

from typing import Any

import numpy as np
import pytest

from chainrule_lib import (
    average_pool2d,
    average_pool2d_gradient,
    col2im,
    conv2d,
    conv2d_gradients,
    im2col,
    max_pool2d,
    max_pool2d_gradient,
    relu,
    relu_derivative,
)
from chainrule_lib.convolution import conv2d_direct, conv2d_gradients_direct

torch: Any = pytest.importorskip("torch", reason="PyTorch, to compare with, is not installed: pip install 'torch>=2.9'")
functional: Any = torch.nn.functional
Pair = tuple[int, int]


def pair(random: np.random.Generator, low: int, high: int) -> Pair:
    """Two whole numbers from low up to and including high."""
    first, second = random.integers(low, high, size=2, endpoint=True)
    return int(first), int(second)


def assert_same(ours: np.ndarray, theirs: Any) -> None:
    other = theirs.detach().numpy()
    assert ours.dtype == other.dtype == np.float64
    assert ours.shape == other.shape
    np.testing.assert_allclose(ours, other, rtol=0, atol=1e-10)


def image_batch(random: np.random.Generator, smallest: Pair) -> np.ndarray:
    """A batch of images of at least this height and width."""
    n, channels = random.integers(1, 5, size=2)
    extra = random.integers(0, 9, size=2)
    return random.normal(size=(n, channels, smallest[0] + extra[0], smallest[1] + extra[1]))


@pytest.mark.parametrize("seed", range(100))
def test_convolution_its_columns_and_all_its_gradients(seed: int) -> None:
    random = np.random.default_rng(seed)
    kernel, where = pair(random, 1, 5), {"stride": pair(random, 1, 4), "padding": pair(random, 0, 3)}
    X = image_batch(random, kernel)
    W = random.normal(size=(random.integers(1, 5), X.shape[1], *kernel))
    b = random.normal(size=len(W))
    tensors = [torch.tensor(array, requires_grad=True) for array in (X, W, b)]
    output = functional.conv2d(*tensors, **where)
    dY = random.normal(size=tuple(output.shape))
    expected = torch.autograd.grad(output, tensors, torch.tensor(dY))
    for forward, backward in ((conv2d, conv2d_gradients), (conv2d_direct, conv2d_gradients_direct)):
        assert_same(forward(X, W, b, **where), output)
        for ours, theirs in zip(backward(X, W, dY, **where), expected, strict=True):
            assert_same(ours, theirs)

    columns = im2col(X, kernel, **where)
    assert_same(columns, functional.unfold(tensors[0], kernel, **where))
    back = functional.fold(torch.tensor(columns), X.shape[2:], kernel, **where)
    assert_same(col2im(columns, X.shape, kernel, **where), back)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(50))
def test_pooling_and_its_gradient_also_where_entries_are_equal(seed: int, ties: bool) -> None:
    random = np.random.default_rng(seed)
    size = pair(random, 1, 4)
    stride = pair(random, 1, 5) if seed % 5 else None  # None: the windows lie side by side
    X = image_batch(random, size)
    X = X.round() if ties else X
    for pool, gradient, theirs in (
        (max_pool2d, max_pool2d_gradient, functional.max_pool2d),
        (average_pool2d, average_pool2d_gradient, functional.avg_pool2d),
    ):
        tensor = torch.tensor(X, requires_grad=True)
        output = theirs(tensor, size, stride=stride)
        dY = random.normal(size=tuple(output.shape))
        (expected,) = torch.autograd.grad(output, tensor, torch.tensor(dY))
        assert_same(pool(X, size, stride=stride), output)
        assert_same(gradient(X, dY, size, stride=stride), expected)


@pytest.mark.parametrize("seed", range(10))
def test_two_layers_of_convolution_relu_and_pooling_end_to_end(seed: int) -> None:
    random = np.random.default_rng(seed)
    X = random.normal(size=(3, 2, 13, 11))
    W1, b1 = random.normal(size=(4, 2, 3, 2)), random.normal(size=4)
    W2, b2 = random.normal(size=(5, 4, 2, 3)), random.normal(size=5)
    tensors = [torch.tensor(array, requires_grad=True) for array in (X, W1, b1, W2, b2)]
    tX, tW1, tb1, tW2, tb2 = tensors
    hidden = functional.max_pool2d(torch.relu(functional.conv2d(tX, tW1, tb1, padding=1)), 3, stride=2)
    output = functional.avg_pool2d(functional.conv2d(hidden, tW2, tb2, stride=(1, 2)), 2)
    dY = random.normal(size=tuple(output.shape))
    expected = torch.autograd.grad(output, tensors, torch.tensor(dY))

    Z1 = conv2d(X, W1, b1, padding=1)
    A1 = relu(Z1)
    P1 = max_pool2d(A1, 3, stride=2)
    Z2 = conv2d(P1, W2, b2, stride=(1, 2))
    assert_same(average_pool2d(Z2, 2), output)
    dP1, dW2, db2 = conv2d_gradients(P1, W2, average_pool2d_gradient(Z2, dY, 2), stride=(1, 2))
    dZ1 = max_pool2d_gradient(A1, dP1, 3, stride=2) * relu_derivative(Z1)
    dX, dW1, db1 = conv2d_gradients(X, W1, dZ1, padding=1)
    for ours, theirs in zip((dX, dW1, db1, dW2, db2), expected, strict=True):
        assert_same(ours, theirs)
