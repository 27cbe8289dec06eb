"""Right answers to lesson 09 in the styles people write: loops, einsum, im2col, other algebra, other containers."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import sympy
from numpy.lib.stride_tricks import sliding_window_view

from chainrule_lib import col2im, conv2d, conv2d_gradients, im2col, max_pool2d, max_pool2d_gradient, relu, softmax

# --- One dimension ----------------------------------------------------------------------------------------------------


def lines_by_hand(x0, x1, x2, x3, w0, w1, b, g0, g1, g2):
    return {
        "dL_dx3": g2 * w1,
        "dL_dx1": w1 * g0 + w0 * g1,
        "dL_dx0": w0 * g0,
        "dL_db": g2 + g1 + g0,
        "dL_dw1": g2 * x3 + g1 * x2 + g0 * x1,
        "dL_dw0": g2 * x2 + g1 * x1 + g0 * x0,
        "y1": b + x1 * w0 + x2 * w1,
    }


def lines_by_sympy(x0, x1, x2, x3, w0, w1, b, g0, g1, g2):
    xs, ws = [x0, x1, x2, x3], [w0, w1]
    ys = [sum(ws[u] * xs[r + u] for u in range(2)) + b for r in range(3)]
    linear = sum(g * y for g, y in zip([g0, g1, g2], ys, strict=True))
    return [ys[1], *(sympy.diff(linear, variable) for variable in (w0, w1, b, x0, x1, x3))]


def lines_as_texts(*symbols):
    return (
        "y1 = w0*x1 + w1*x2 + b",
        "g0*x0 + g1*x1 + g2*x2",
        "dL/dw1 = g0*x1 + g1*x2 + g2*x3",
        "g0 + g1 + g2",
        "w0*g0",
        "(g0*w1) + (g1*w0)",
        "g2*w1",
    )


def conv1d_with_two_loops(x, w, dy):
    dw, dx, db = [0.0] * len(w), [0.0] * len(x), 0.0
    for r in range(len(dy)):
        db += dy[r]
        for u in range(len(w)):
            dw[u] += dy[r] * x[r + u]
            dx[r + u] += dy[r] * w[u]
    return dw, dx, db


def conv1d_with_numpy_correlate(x, w, dy):
    return {"db": dy.sum(), "dx": np.convolve(w, dy), "dw": np.correlate(x, dy, mode="valid")}


def conv1d_with_a_jacobian(x, w, dy):
    J = np.zeros((len(dy), len(x)))
    for r in range(len(dy)):
        J[r, r : r + len(w)] = w
    return sliding_window_view(x, len(w)).T @ dy, J.T @ dy, np.ones(len(dy)) @ dy


def conv1d_with_padding_and_a_flip(x, w, dy):
    k = len(w)
    stretched = np.concatenate([np.zeros(k - 1), dy, np.zeros(k - 1)])
    dx = np.array([stretched[i : i + k] @ w[::-1] for i in range(len(x))])
    return np.array([x[u : u + len(dy)] @ dy for u in range(k)]), dx, np.array([np.sum(dy)])


def overlap_as_a_letter():
    return "d"


def overlap_in_brackets():
    return "(D)"


def overlap_in_a_dictionary():
    return {"prediction": "d"}


def strided_with_slices(w, dy, stride, padding, size):
    dpadded = np.zeros(size + 2 * padding)
    for r, upstream in enumerate(dy):
        dpadded[r * stride : r * stride + len(w)] += upstream * w
    return dpadded[padding:-padding]


def strided_with_zeros_between(w, dy, stride, padding, size):
    spread = np.zeros((len(dy) - 1) * stride + 1)
    spread[::stride] = dy
    full = np.convolve(spread, w)
    return np.concatenate([full, np.zeros(size + 2 * padding - len(full))])[padding : padding + size]


def strided_entry_by_entry(w, dy, stride, padding, size):
    dx = []
    for i in range(size):
        paths = [dy[r] * w[i + padding - stride * r] for r in range(len(dy)) if 0 <= i + padding - stride * r < len(w)]
        dx.append(math.fsum(paths))
    return tuple(dx)


def strided_with_add_at(w, dy, stride, padding, size):
    index = stride * np.arange(len(dy))[:, None] + np.arange(len(w))
    dpadded = np.zeros(size + 2 * padding)
    np.add.at(dpadded, index, np.outer(dy, w))
    return {"dx": np.delete(dpadded, [*range(padding), *range(size + padding, size + 2 * padding)])}


# --- Images -----------------------------------------------------------------------------------------------------------


def shapes_with_a_helper(n, c, h, w, c1, k, s, p, m, d):
    def out(size):
        return (size + 2 * p - k) // s + 1

    h1, w1 = out(h), out(w)
    features = c1 * (h1 // m) * (w1 // m)
    return {
        "W1": (c1, c, k, k),
        "b1": (c1,),
        "Z1": (n, c1, h1, w1),
        "P1": (n, c1, h1 // m, w1 // m),
        "F": (n, features),
        "W2": (d, features),
        "dW1": (c1, c, k, k),
        "dX": (n, c, h, w),
    }


def shapes_in_order(n, c, h, w, c1, k, s, p, m, d):
    rows = len(range(0, h + 2 * p - k + 1, s))
    columns = len(range(0, w + 2 * p - k + 1, s))
    pooled = (math.floor(rows / m), math.floor(columns / m))
    f = c1 * math.prod(pooled)
    return [[c1, c, k, k], c1, [n, c1, rows, columns], [n, c1, *pooled], [n, f], [d, f], [c1, c, k, k], [n, c, h, w]]


def shapes_by_trying(n, c, h, w, c1, k, s, p, m, d):
    X, W1, b1 = np.zeros((n, c, h, w)), np.zeros((c1, c, k, k)), np.zeros(c1)
    Z1 = conv2d(X, W1, b1, stride=s, padding=p)
    P1 = max_pool2d(Z1, m)
    F = P1.reshape(n, -1)
    W2 = np.zeros((d, F.shape[1]))
    dX, dW1, _ = conv2d_gradients(X, W1, Z1, stride=s, padding=p)
    return W1.shape, b1.shape, Z1.shape, P1.shape, F.shape, W2.shape, dW1.shape, dX.shape


def conv2d_with_seven_loops(X, W, dY, stride, padding):
    _, c_in, h, w = X.shape
    c_out, _, k_h, k_w = W.shape
    dX, dW, db = np.zeros(X.shape), np.zeros(W.shape), np.zeros(c_out)
    for i, o, r, c in np.ndindex(dY.shape):
        db[o] += dY[i, o, r, c]
        for k, u, v in np.ndindex(c_in, k_h, k_w):
            row, column = r * stride + u - padding, c * stride + v - padding
            if 0 <= row < h and 0 <= column < w:
                dW[o, k, u, v] += dY[i, o, r, c] * X[i, k, row, column]
                dX[i, k, row, column] += dY[i, o, r, c] * W[o, k, u, v]
    return dX, dW, db


def conv2d_with_columns(X, W, dY, stride, padding):
    columns = im2col(X, W.shape[2:], stride=stride, padding=padding)
    rows = dY.reshape(*dY.shape[:2], -1)
    dW = sum(dy @ c.T for dy, c in zip(rows, columns, strict=True)).reshape(W.shape)
    dX = col2im(W.reshape(len(W), -1).T @ rows, X.shape, W.shape[2:], stride=stride, padding=padding)
    return {"dW": dW, "db": np.einsum("nop->o", rows), "dX": dX}


def conv2d_with_a_dilated_upstream(X, W, dY, stride, padding):
    """Zeros between the entries of dY turn stride s into stride 1: then everything is a convolution."""
    n, _, h, w = X.shape
    c_out, _, k_h, k_w = W.shape
    dilated = np.zeros((n, c_out, h + 2 * padding - k_h + 1, w + 2 * padding - k_w + 1))
    dilated[:, :, ::stride, ::stride] = dY
    padded = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dW = np.einsum("nkuvrc,norc->okuv", sliding_window_view(padded, dilated.shape[2:], (2, 3)), dilated)
    stretched = np.pad(dilated, ((0, 0), (0, 0), (k_h - 1, k_h - 1), (k_w - 1, k_w - 1)))
    dX = np.einsum("norcuv,okuv->nkrc", sliding_window_view(stretched, (k_h, k_w), (2, 3)), W[:, :, ::-1, ::-1])
    return [dX[:, :, padding : h + padding, padding : w + padding], dW, dY.sum((0, 2, 3))]


def columns_image_by_image(columns, W_rows, dY_rows):
    dW, db, dcolumns = np.zeros(W_rows.shape), np.zeros(len(W_rows)), []
    for column, dy in zip(columns, dY_rows, strict=True):
        dW += dy @ column.T
        db += dy.sum(axis=1)
        dcolumns.append(W_rows.T @ dy)
    return dW, dcolumns, db


def columns_with_einsum(columns, W_rows, dY_rows):
    return {
        "dcolumns": np.einsum("ok,nop->nkp", W_rows, dY_rows),
        "dW_rows": np.einsum("nop,nkp->ok", dY_rows, columns),
        "db": np.einsum("nop->o", dY_rows)[:, None],
    }


def columns_side_by_side(columns, W_rows, dY_rows):
    n, size, positions = columns.shape
    wide = columns.transpose(1, 0, 2).reshape(size, n * positions)
    dwide = dY_rows.transpose(1, 0, 2).reshape(len(W_rows), n * positions)
    dcolumns = (W_rows.T @ dwide).reshape(size, n, positions).transpose(1, 0, 2)
    return dwide @ wide.T, dcolumns, dwide @ np.ones(n * positions)


# --- Pooling ----------------------------------------------------------------------------------------------------------


def average_with_loops(X, dY, size, stride):
    dX = np.zeros(X.shape).tolist()
    for i, k, r, c in np.ndindex(dY.shape):
        for u in range(size):
            for v in range(size):
                dX[i][k][r * stride + u][c * stride + v] += dY[i, k, r, c] / (size * size)
    return dX


def average_window_by_window(X, dY, size, stride):
    dX = np.zeros_like(X)
    for r in range(dY.shape[2]):
        for c in range(dY.shape[3]):
            window = np.s_[:, :, r * stride : r * stride + size, c * stride : c * stride + size]
            dX[window] += dY[:, :, r : r + 1, c : c + 1] / size**2
    return (dX,)


def average_as_a_convolution(X, dY, size, stride):
    n, channels, h, w = X.shape
    kernel = np.full((1, 1, size, size), 1 / size**2)
    flat = X.reshape(n * channels, 1, h, w)
    dX = conv2d_gradients(flat, kernel, dY.reshape(n * channels, 1, *dY.shape[2:]), stride=stride).dX
    return {"dX": dX.reshape(X.shape)}


def maximum_with_unravel_index(X, dY, size, stride):
    dX = np.zeros(X.shape)
    for i, k, r, c in np.ndindex(dY.shape):
        window = X[i, k, r * stride : r * stride + size, c * stride : c * stride + size]
        u, v = np.unravel_index(np.argmax(window), window.shape)
        dX[i, k, r * stride + u, c * stride + v] += dY[i, k, r, c]
    return dX


def maximum_with_a_mask(X, dY, size, stride):
    dX = np.zeros_like(X)
    for r, c in np.ndindex(dY.shape[2:]):
        rows, columns = slice(r * stride, r * stride + size), slice(c * stride, c * stride + size)
        window = X[:, :, rows, columns]
        mask = window == window.max(axis=(2, 3), keepdims=True)
        dX[:, :, rows, columns] += mask * dY[:, :, r, c][:, :, None, None]
    return dX


def maximum_with_add_at(X, dY, size, stride):
    windows = sliding_window_view(X, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    u, v = np.divmod(windows.reshape(*dY.shape, -1).argmax(axis=-1), size)
    i, k, r, c = np.indices(dY.shape)
    dX = np.zeros(X.shape)
    np.add.at(dX, (i, k, r * stride + u, c * stride + v), dY)
    return {"dX": dX}


# --- The whole network ------------------------------------------------------------------------------------------------


def _labels() -> dict[str, str]:
    """The label of each right line, found by its text as a learner would find it."""
    from autograder import exercises

    question = next(exercise for exercise in exercises() if exercise.id == "09.order_backward").question
    texts = {
        "dZ2": "`dZ2 = (softmax(Z2) - Y) / n`",
        "dW2": "`dW2 = dZ2.T @ F`",
        "dF": "`dF = dZ2 @ W2`",
        "W2": "`W2 = W2 - rate * dW2`",
        "dP1": "`dP1 = dF.reshape(P1.shape)`",
        "dA1": "`dA1 = max_pool2d_gradient(A1, dP1, 2)`",
        "dZ1": "`dZ1 = dA1 * (Z1 > 0)`",
        "dW1": "`dW1 = conv2d_gradients(X, W1, dZ1).dW`",
    }
    listed = [line.removeprefix("- **").split("**: ") for line in question.splitlines() if line.startswith("- **")]
    return {name: next(label for label, shown in listed if shown == text) for name, text in texts.items()}


def update_as_soon_as_possible():
    return " ".join(_labels()[name] for name in ("dZ2", "dF", "dW2", "W2", "dP1", "dA1", "dZ1", "dW1"))


def update_last_of_all():
    return [_labels()[name] for name in ("dZ2", "dF", "dP1", "dA1", "dZ1", "dW1", "dW2", "W2")]


def written_without_spaces():
    return "".join(_labels()[name] for name in ("dZ2", "dW2", "dF", "dP1", "W2", "dA1", "dZ1", "dW1"))


def cnn_with_the_library(X, Y, W1, b1, W2, b2):
    Z1 = conv2d(X, W1, b1)
    A1 = relu(Z1)
    P1 = max_pool2d(A1, 2)
    F = P1.reshape(len(X), -1)
    dZ2 = (softmax(F @ W2.T + b2) - Y) / len(X)
    dA1 = max_pool2d_gradient(A1, (dZ2 @ W2).reshape(P1.shape), 2)
    _, dW1, db1 = conv2d_gradients(X, W1, dA1 * (Z1 > 0))
    return dW1, db1, dZ2.T @ F, dZ2.sum(axis=0)


def cnn_with_a_softmax_of_its_own_and_einsum(X, Y, W1, b1, W2, b2):
    windows = sliding_window_view(X, W1.shape[2:], axis=(2, 3))
    Z1 = np.einsum("nkrcuv,okuv->norc", windows, W1) + b1.reshape(1, -1, 1, 1)
    n, c1, h1, w1 = Z1.shape
    blocks = np.where(Z1 > 0, Z1, 0).reshape(n, c1, h1 // 2, 2, w1 // 2, 2)
    P1 = blocks.max(axis=(3, 5))
    logits = np.einsum("nf,df->nd", P1.reshape(n, -1), W2) + b2
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    dZ2 = (odds / odds.sum(axis=1, keepdims=True) - Y) / n
    dP1 = np.einsum("nd,df->nf", dZ2, W2).reshape(P1.shape)
    winners = blocks == P1[:, :, :, None, :, None]
    dZ1 = (winners * dP1[:, :, :, None, :, None]).reshape(Z1.shape) * (Z1 > 0)
    return {
        "dW2": dZ2.T @ P1.reshape(n, -1),
        "db2": dZ2.sum(0),
        "dW1": np.einsum("norc,nkrcuv->okuv", dZ1, windows),
        "db1": dZ1.sum((0, 2, 3)),
    }


def cnn_image_by_image(X, Y, W1, b1, W2, b2):
    total = defaultdict(float)
    for x, y in zip(X, Y, strict=True):
        k_h, k_w = W1.shape[2:]
        Z1 = np.empty((len(W1), x.shape[1] - k_h + 1, x.shape[2] - k_w + 1))
        for o, r, c in np.ndindex(Z1.shape):
            Z1[o, r, c] = np.vdot(W1[o], x[:, r : r + k_h, c : c + k_w]) + b1[o]
        pooled, places = [], []
        for o, r, c in np.ndindex(Z1.shape[0], Z1.shape[1] // 2, Z1.shape[2] // 2):
            window = Z1[o, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2]
            u, v = divmod(int(window.argmax()), 2)
            pooled.append(max(0.0, window[u, v]))
            places.append((o, 2 * r + u, 2 * c + v))
        f = np.array(pooled)
        odds = np.exp(W2 @ f + b2)
        dz2 = (odds / odds.sum() - y) / len(X)
        df = W2.T @ dz2
        total["dW2"] += np.outer(dz2, f)
        total["db2"] += dz2
        dW1, db1 = np.zeros(W1.shape), np.zeros(b1.shape)
        for slope, (o, r, c) in zip(df, places, strict=True):
            if Z1[o, r, c] > 0:
                dW1[o] += slope * x[:, r : r + k_h, c : c + k_w]
                db1[o] += slope
        total["dW1"] += dW1
        total["db1"] += db1
    return tuple(total[name] for name in ("dW1", "db1", "dW2", "db2"))


ANSWERS = {
    "09.conv1d_by_hand": [lines_by_hand, lines_by_sympy, lines_as_texts],
    "09.conv1d_gradients": [
        conv1d_with_two_loops,
        conv1d_with_numpy_correlate,
        conv1d_with_a_jacobian,
        conv1d_with_padding_and_a_flip,
    ],
    "09.predict_overlap": [overlap_as_a_letter, overlap_in_brackets, overlap_in_a_dictionary],
    "09.strided_input_gradient": [
        strided_with_slices,
        strided_with_zeros_between,
        strided_entry_by_entry,
        strided_with_add_at,
    ],
    "09.cnn_shapes": [shapes_with_a_helper, shapes_in_order, shapes_by_trying],
    "09.conv2d_backward": [conv2d_with_seven_loops, conv2d_with_columns, conv2d_with_a_dilated_upstream],
    "09.columns_backward": [columns_image_by_image, columns_with_einsum, columns_side_by_side],
    "09.average_pool_backward": [average_with_loops, average_window_by_window, average_as_a_convolution],
    "09.max_pool_backward": [maximum_with_unravel_index, maximum_with_a_mask, maximum_with_add_at],
    "09.order_backward": [update_as_soon_as_possible, update_last_of_all, written_without_spaces],
    "09.cnn_backward": [
        cnn_with_the_library,
        cnn_with_a_softmax_of_its_own_and_einsum,
        cnn_image_by_image,
    ],
}
