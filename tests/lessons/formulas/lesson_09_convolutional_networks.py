"""Both sides of every displayed formula of lesson 09: in symbols for a row of numbers, else at random points."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from autograder.exercises import find
from chainrule_lib import (
    average_pool2d,
    average_pool2d_gradient,
    categorical_cross_entropy,
    categorical_cross_entropy_from_logits,
    categorical_cross_entropy_from_logits_gradient,
    col2im,
    conv2d,
    conv2d_gradients,
    im2col,
    max_pool2d,
    max_pool2d_gradient,
    numerical_gradient,
    softmax,
)

STRIDE, PADDING = 2, 1


def rng() -> np.random.Generator:
    return np.random.default_rng(90)


# --- One dimension, in symbols ----------------------------------------------------------------------------------------

N, K = 6, 3
X, W, G = sp.symbols(f"x:{N}"), sp.symbols(f"w:{K}"), sp.symbols(f"g:{N}")
B = sp.Symbol("b")


def outputs(stride: int = 1, padding: int = 0) -> list[Any]:
    """The outputs of a row in symbols."""
    row = [0] * padding + list(X) + [0] * padding
    count = (len(row) - K) // stride + 1
    return [sum(W[u] * row[stride * r + u] for u in range(K)) + B for r in range(count)]


def as_images(*arrays: Any) -> list[Any]:
    """Rows of numbers as images of one row."""
    return [np.asarray(array, dtype=float)[None, None, None] for array in arrays]


def the_sum_is_the_library_s_convolution() -> None:
    random = rng()
    x, w, b = random.normal(size=N), random.normal(size=K), 0.7
    written = [sum(w[u] * x[r + u] for u in range(K)) + b for r in range(N - K + 1)]
    image, kernel = as_images(x, w)
    np.testing.assert_allclose(conv2d(image, kernel, [b])[0, 0, 0], written, rtol=1e-14)
    values = dict(zip((*X, *W, B), (*x, *w, b), strict=True))
    np.testing.assert_allclose([float(y.subs(values)) for y in outputs()], written, rtol=1e-12)


def the_kernel_and_the_bias_sum_over_positions() -> None:
    loss = sum(g * y for g, y in zip(G, outputs(), strict=False))
    positions = range(N - K + 1)
    for u in range(K):
        assert sp.expand(sp.diff(loss, W[u]) - sum(G[r] * X[r + u] for r in positions)) == 0
    assert sp.expand(sp.diff(loss, B) - sum(G[r] for r in positions)) == 0
    agrees_with_exercise_2(loss)


def the_input_meets_the_kernel_backwards() -> None:
    loss = sum(g * y for g, y in zip(G, outputs(), strict=False))
    for i in range(N):
        written = sum(G[r] * W[i - r] for r in range(N - K + 1) if 0 <= i - r < K)
        assert sp.expand(sp.diff(loss, X[i]) - written) == 0
    agrees_with_exercise_2(loss)


def agrees_with_exercise_2(loss: Any) -> None:
    """The exercise's answer is the derivative in symbols."""
    random = rng()
    x, w, dy = random.normal(size=N), random.normal(size=K), random.normal(size=N - K + 1)
    values = dict(zip((*X, *W, *G), (*x, *w, *dy), strict=False)) | {B: 0.3}
    for gradient, symbols in zip(find("09.conv1d_gradients").reference(x, w, dy), (W, X, [B]), strict=True):
        measured = [float(sp.diff(loss, symbol).subs(values)) for symbol in symbols]
        np.testing.assert_allclose(np.ravel(gradient), measured, rtol=1e-12)


def stride_and_padding_move_the_windows() -> None:
    random = rng()
    x, w, b = random.normal(size=N), random.normal(size=K), -0.4
    padded = np.pad(x, PADDING)
    count = (N + 2 * PADDING - K) // STRIDE + 1
    written = [sum(w[u] * padded[STRIDE * r + u] for u in range(K)) + b for r in range(count)]
    image, kernel = as_images(x, w)
    library = conv2d(image, kernel, [b], stride=STRIDE, padding=(0, PADDING))[0, 0, 0]
    np.testing.assert_allclose(library, written, rtol=1e-14)


def the_number_of_outputs_is_that_of_the_places_where_the_kernel_fits() -> None:
    for n, k, p, s in itertools.product(range(3, 9), range(1, 4), range(3), range(1, 4)):
        fits = sum(1 for start in range(0, n + 2 * p, s) if start + k <= n + 2 * p)
        assert (n + 2 * p - k) // s + 1 == fits
        assert im2col(np.zeros((1, 1, n, n)), k, stride=s, padding=p).shape[2] == fits**2


def windows_hand_out_and_overlaps_add() -> None:
    ys = outputs(STRIDE, PADDING)
    loss = sum(g * y for g, y in zip(G, ys, strict=False))
    padded: list[Any] = [0] * (N + 2 * PADDING)
    for r, u in itertools.product(range(len(ys)), range(K)):
        padded[STRIDE * r + u] += G[r] * W[u]
    for i in range(N):
        assert sp.expand(sp.diff(loss, X[i]) - padded[PADDING + i]) == 0
    random = rng()
    w, dy = random.normal(size=K), random.normal(size=len(ys))
    values = dict(zip((*W, *G), (*w, *dy), strict=False))
    written = [float(sp.sympify(entry).subs(values)) for entry in padded[PADDING:-PADDING]]
    answer = find("09.strided_input_gradient").reference(w, dy, STRIDE, PADDING, N)
    np.testing.assert_allclose(answer, written, rtol=1e-12)


# --- Images -----------------------------------------------------------------------------------------------------------


def images() -> tuple[Any, Any, Any, Any]:
    """Images, kernels, biases and an upstream gradient, all sizes different."""
    random = rng()
    return (
        random.normal(size=(2, 3, 7, 6)),
        random.normal(size=(4, 3, 3, 4)),
        random.normal(size=4),
        random.normal(size=(2, 4, 4, 3)),
    )


def with_border(images: Any) -> Any:
    return np.pad(images, ((0, 0), (0, 0), (PADDING, PADDING), (PADDING, PADDING)))


def the_three_sums_are_the_library_s_convolution() -> None:
    X, W, b, dY = images()
    padded = with_border(X)
    Y = conv2d(X, W, b, stride=STRIDE, padding=PADDING)
    assert Y.shape == dY.shape
    for i, o, r, c in np.ndindex(Y.shape):
        total = b[o]
        for k, u, v in np.ndindex(W.shape[1:]):
            total += W[o, k, u, v] * padded[i, k, STRIDE * r + u, STRIDE * c + v]
        assert Y[i, o, r, c] == pytest.approx(total, rel=1e-12, abs=1e-13)


def gradients_by_the_formulas() -> tuple[Any, Any, Any]:
    """dX, dW, db, product by product."""
    X, W, b, dY = images()
    padded = with_border(X)
    dpadded, dW, db = np.zeros(padded.shape), np.zeros(W.shape), np.zeros(b.shape)
    for i, o, r, c in np.ndindex(dY.shape):
        db[o] += dY[i, o, r, c]
        for k, u, v in np.ndindex(W.shape[1:]):
            place = (i, k, STRIDE * r + u, STRIDE * c + v)
            dW[o, k, u, v] += dY[i, o, r, c] * padded[place]
            dpadded[place] += dY[i, o, r, c] * W[o, k, u, v]
    return dpadded[:, :, PADDING:-PADDING, PADDING:-PADDING], dW, db


def measured(variable: str) -> Any:
    """The gradient of any loss with the upstream gradient dY, by complex step."""
    X, W, b, dY = images()
    values = {"X": X, "W": W, "b": b}

    def loss(array: Any) -> Any:
        return np.sum(dY * conv2d(**(values | {variable: array}), stride=STRIDE, padding=PADDING))

    return numerical_gradient(loss, values[variable], method="complex")


def kernels_and_biases_sum_over_images_and_positions() -> None:
    _, dW, db = gradients_by_the_formulas()
    np.testing.assert_allclose(dW, measured("W"), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(db, measured("b"), rtol=1e-10)
    X, W, _, dY = images()
    _, answered_dW, answered_db = find("09.conv2d_backward").reference(X, W, dY, STRIDE, PADDING)
    np.testing.assert_allclose(answered_dW, dW, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(answered_db, db, rtol=1e-10)


def pixels_get_a_contribution_from_every_window_and_kernel() -> None:
    dX, _, _ = gradients_by_the_formulas()
    np.testing.assert_allclose(dX, measured("X"), rtol=1e-10, atol=1e-12)
    X, W, _, dY = images()
    np.testing.assert_allclose(find("09.conv2d_backward").reference(X, W, dY, STRIDE, PADDING)[0], dX, atol=1e-12)
    np.testing.assert_allclose(conv2d_gradients(X, W, dY, stride=STRIDE, padding=PADDING).dX, dX, atol=1e-12)


def columns() -> tuple[Any, Any]:
    """The kernels as rows, and the windows as columns."""
    X, W, _, _ = images()
    return W.reshape(len(W), -1), im2col(X, W.shape[2:], stride=STRIDE, padding=PADDING)


def a_convolution_is_rows_times_columns() -> None:
    X, W, b, dY = images()
    W_rows, C = columns()
    Y = conv2d(X, W, b, stride=STRIDE, padding=PADDING)
    for i in range(len(X)):
        np.testing.assert_allclose((W_rows @ C[i] + b[:, None]).reshape(dY.shape[1:]), Y[i], rtol=1e-10, atol=1e-12)


def the_gradients_of_the_product_lead_to_those_of_the_convolution() -> None:
    X, W, _, dY = images()
    W_rows, C = columns()
    D = dY.reshape(*dY.shape[:2], -1)
    dW_rows = sum(D[i] @ C[i].T for i in range(len(X)))
    dC = np.array([W_rows.T @ D[i] for i in range(len(X))])
    np.testing.assert_allclose(dW_rows.reshape(W.shape), measured("W"), rtol=1e-10, atol=1e-12)
    back = col2im(dC, X.shape, W.shape[2:], stride=STRIDE, padding=PADDING)
    np.testing.assert_allclose(back, measured("X"), rtol=1e-10, atol=1e-12)
    for answered, written in zip(find("09.columns_backward").reference(C, W_rows, D), (dW_rows, dC), strict=False):
        np.testing.assert_allclose(answered, written, rtol=1e-10, atol=1e-12)


# --- Pooling ----------------------------------------------------------------------------------------------------------


def the_mean_of_a_window_is_average_pooling() -> None:
    X = rng().normal(size=(2, 3, 7, 6))
    q, s = 3, 2
    Y = average_pool2d(X, q, stride=s)
    for i, k, r, c in np.ndindex(Y.shape):
        total = sum(X[i, k, s * r + u, s * c + v] for u in range(q) for v in range(q))
        assert Y[i, k, r, c] == pytest.approx(total / q**2, rel=1e-12, abs=1e-14)
    dX = average_pool2d_gradient(X, np.ones(Y.shape), q, stride=s)
    assert dX.min() == 0  # the last column is read by no window
    assert dX[..., :1, :1] == pytest.approx(1 / q**2, rel=1e-14)


def slope_of_pooling(X: Any, size: int, stride: int, output: tuple[int, ...]) -> Any:
    """The measured derivatives of one output of max pooling."""
    return numerical_gradient(lambda X: max_pool2d(X, size, stride=stride)[output], X)


def the_local_derivative_of_the_maximum_is_one_or_zero() -> None:
    X = rng().normal(size=(2, 2, 5, 7))
    q, s = 3, 2
    Y = max_pool2d(X, q, stride=s)
    for index in np.ndindex(Y.shape):
        i, k, r, c = index
        written = np.zeros(X.shape)
        window = X[i, k, s * r : s * r + q, s * c : s * c + q]
        for u, v in np.ndindex(q, q):
            written[i, k, s * r + u, s * c + v] = float(window[u, v] == window.max())
        slope = slope_of_pooling(X, q, s, index)
        np.testing.assert_allclose(slope, written, atol=1e-8)
        upstream = np.zeros(Y.shape)
        upstream[index] = 1
        np.testing.assert_array_equal(max_pool2d_gradient(X, upstream, q, stride=s), written)
        np.testing.assert_array_equal(find("09.max_pool_backward").reference(X, upstream, q, s), written)


# --- The network ------------------------------------------------------------------------------------------------------


def logits_and_labels() -> tuple[Any, Any]:
    random = rng()
    return random.normal(size=(3, 5)), np.eye(5)[random.integers(0, 5, 3)]


def softmax_and_its_loss_are_the_library_s() -> None:
    Z, Y = logits_and_labels()
    n = len(Z)
    A = np.array([[np.exp(Z[i, j]) / sum(np.exp(Z[i, k]) for k in range(5)) for j in range(5)] for i in range(n)])
    np.testing.assert_allclose(softmax(Z), A, rtol=1e-13)
    loss = -sum(Y[i, j] * np.log(A[i, j]) for i in range(n) for j in range(5)) / n
    assert categorical_cross_entropy(A, Y) == pytest.approx(loss, rel=1e-13)
    assert categorical_cross_entropy_from_logits(Z, Y) == pytest.approx(loss, rel=1e-13)


def together_they_have_a_simple_derivative() -> None:
    z, y = sp.symbols("z:3"), sp.symbols("y:2")
    labels = [*y, 1 - sum(y)]  # each row of labels sums to 1
    a = [sp.exp(value) / sum(map(sp.exp, z)) for value in z]
    loss = -sum(label * sp.log(probability) for label, probability in zip(labels, a, strict=True))
    for j in range(3):
        assert sp.simplify(sp.diff(loss, z[j]) - (a[j] - labels[j])) == 0
    Z, Y = logits_and_labels()
    written = (softmax(Z) - Y) / len(Z)
    slope = numerical_gradient(lambda Z: categorical_cross_entropy_from_logits(Z, Y), Z, method="complex")
    np.testing.assert_allclose(written, slope, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(categorical_cross_entropy_from_logits_gradient(Z, Y), written, rtol=1e-12, atol=1e-15)


FORMULAS: dict[str, Callable[[], None]] = {
    r"y[r] = \sum_{u=0}^{k-1} w[u] \, x[r + u] + b": the_sum_is_the_library_s_convolution,
    r"\frac{\partial L}{\partial w[u]} = \sum_r \frac{\partial L}{\partial y[r]} \, x[r + u] \qquad "
    r"\frac{\partial L}{\partial b} = \sum_r \frac{\partial L}{\partial y[r]}": (
        the_kernel_and_the_bias_sum_over_positions
    ),
    r"\frac{\partial L}{\partial x[i]} = \sum_{r \,:\, 0 \le i - r < k} \frac{\partial L}{\partial y[r]} \, w[i - r]": (
        the_input_meets_the_kernel_backwards
    ),
    r"y[r] = \sum_{u=0}^{k-1} w[u] \, \tilde x[s r + u] + b": stride_and_padding_move_the_windows,
    r"m = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1": (
        the_number_of_outputs_is_that_of_the_places_where_the_kernel_fits
    ),
    r"\frac{\partial L}{\partial \tilde x[s r + u]} \mathrel{+}= \frac{\partial L}{\partial y[r]} \, w[u]": (
        windows_hand_out_and_overlaps_add
    ),
    r"Y[i,o,r,c] = b[o] + \sum_k \sum_u \sum_v W[o,k,u,v] \, \tilde X[i,k,\,s r + u,\,s c + v]": (
        the_three_sums_are_the_library_s_convolution
    ),
    r"\frac{\partial L}{\partial W[o,k,u,v]} = \sum_i \sum_r \sum_c \frac{\partial L}{\partial Y[i,o,r,c]} \, "
    r"\tilde X[i,k,\,s r + u,\,s c + v] \qquad \frac{\partial L}{\partial b[o]} = \sum_i \sum_r \sum_c "
    r"\frac{\partial L}{\partial Y[i,o,r,c]}": kernels_and_biases_sum_over_images_and_positions,
    r"\frac{\partial L}{\partial \tilde X[i,k,\,s r + u,\,s c + v]} \mathrel{+}= "
    r"\frac{\partial L}{\partial Y[i,o,r,c]} \, W[o,k,u,v]": pixels_get_a_contribution_from_every_window_and_kernel,
    r"Y_i = W_{\text{rows}} \, C_i + b": a_convolution_is_rows_times_columns,
    r"\frac{\partial L}{\partial W_{\text{rows}}} = \sum_i D_i \, C_i^{\mathsf T} \qquad "
    r"\frac{\partial L}{\partial C_i} = W_{\text{rows}}^{\mathsf T} \, D_i": (
        the_gradients_of_the_product_lead_to_those_of_the_convolution
    ),
    r"Y[i,k,r,c] = \frac{1}{q^2} \sum_{u=0}^{q-1} \sum_{v=0}^{q-1} X[i,k,\,s r + u,\,s c + v]": (
        the_mean_of_a_window_is_average_pooling
    ),
    r"\frac{\partial Y[i,k,r,c]}{\partial X[i,k,r',c']} = \begin{cases} 1 & \text{if } X[i,k,r',c'] \text{ is the "
    r"largest entry of the window} \\ 0 & \text{otherwise} \end{cases}": (
        the_local_derivative_of_the_maximum_is_one_or_zero
    ),
    r"A_2[i,j] = \frac{e^{Z_2[i,j]}}{\sum_{l} e^{Z_2[i,l]}} \qquad L = -\frac1n \sum_i \sum_j Y[i,j] \log A_2[i,j]": (
        softmax_and_its_loss_are_the_library_s
    ),
    r"\frac{\partial L}{\partial Z_2[i,l]} = \frac{A_2[i,l] - Y[i,l]}{n}": together_they_have_a_simple_derivative,
}
