"""Convolution and pooling of images, and their gradients.

Images are (n, channels, height, width), kernels W are (c_out, c_in, kernel_height, kernel_width). The "convolution" of
neural networks slides the kernel as it is, without flipping it (mathematics calls that cross-correlation). With the
stride s and the image X padded by p rows and columns of zeros on every side:

    Y[i, o, r, c] = b[o] + Σ_k Σ_u Σ_v W[o, k, u, v] * Xpadded[i, k, s r + u, s c + v]

An output has ⌊(size + 2p - kernel size) / s⌋ + 1 rows or columns. Where the division leaves a rest, the last rows or
columns of the image are read by no window, and their gradient is 0.

The gradients follow from the chain rule: every product W * X above gives the one factor times dY to the other.

    dW[o, k, u, v] = Σ_i Σ_r Σ_c dY[i, o, r, c] * Xpadded[i, k, s r + u, s c + v]
    dXpadded[i, k, s r + u, s c + v] += W[o, k, u, v] * dY[i, o, r, c]         for all o, r, c, u, v
    db[o] = Σ_i Σ_r Σ_c dY[i, o, r, c]

and dX is dXpadded without its border. An entry that several windows read gets a contribution from each, and they add
up. (Goodfellow, Bengio, Courville, Deep Learning, 2016, §9.5; Dumoulin, Visin, arXiv 1603.07285.)

Each of the two is here twice. `conv2d` and `conv2d_gradients` copy the windows into the columns of a matrix, which
turns the sums into matrix products (Chellapilla, Puri, Simard, 2006, inria-00112631). `conv2d_direct` and
`conv2d_gradients_direct` are the formulas as loops: slow, and what the fast ones are tested against.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from chainrule_lib._arrays import Array, as_numbers, check_whole_number

Pair = int | tuple[int, int]
"""One number for rows and columns, or (rows, columns)."""


class Conv2dGradients(NamedTuple):
    """The gradients of a loss L, each in the shape of what it belongs to.

    Attributes:
        dX: ∂L/∂X, (n, c_in, height, width).
        dW: ∂L/∂W, (c_out, c_in, kernel_height, kernel_width).
        db: ∂L/∂b, (c_out,).
    """

    dX: Array
    dW: Array
    db: Array


class _Grid(NamedTuple):
    """Where the windows lie, each as (rows, columns): their size, stride, padding, and how many there are."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    out: tuple[int, int]


def conv2d(X: ArrayLike, W: ArrayLike, b: ArrayLike, *, stride: Pair = 1, padding: Pair = 0) -> Array:
    """The convolution of a batch of images with every kernel, as a product of two matrices for each image.

    Args:
        X: images, (n, c_in, height, width).
        W: kernels, (c_out, c_in, kernel_height, kernel_width).
        b: biases, (c_out,).
        stride: how far the window moves, in pixels.
        padding: rows and columns of zeros added on every side, in pixels.

    Returns:
        Y, (n, c_out, out_height, out_width).

    Raises:
        TypeError: an argument holds no numbers.
        ValueError: the shapes do not fit, or stride or padding is not one or two whole numbers, at least 1 or 0.
    """
    X, W, grid = _images_and_kernels(X, W, stride, padding)
    b = _bias(b, W)
    Y = _rows(W) @ _columns(X, grid) + b[:, None]
    return Y.reshape(len(X), len(W), *grid.out)


def conv2d_gradients(
    X: ArrayLike, W: ArrayLike, dY: ArrayLike, *, stride: Pair = 1, padding: Pair = 0
) -> Conv2dGradients:
    """The gradients of `conv2d` from an upstream gradient: those of the product of two matrices.

    Args:
        X: images, (n, c_in, height, width).
        W: kernels, (c_out, c_in, kernel_height, kernel_width).
        dY: ∂L/∂Y, in the shape of the output, (n, c_out, out_height, out_width).
        stride: as in the forward pass.
        padding: as in the forward pass.

    Returns:
        dX, dW and db; dW and db are sums over the batch.

    Raises:
        TypeError: an argument holds no numbers.
        ValueError: the shapes do not fit, or stride or padding is not one or two whole numbers, at least 1 or 0.
    """
    X, W, grid = _images_and_kernels(X, W, stride, padding)
    dY = _upstream(dY, (len(X), len(W), *grid.out))
    dY_rows = dY.reshape(len(X), len(W), grid.out[0] * grid.out[1])
    dW = (dY_rows @ _columns(X, grid).swapaxes(1, 2)).sum(axis=0)
    dX = _add_columns(_rows(W).T @ dY_rows, X.shape, grid)
    return Conv2dGradients(dX, dW.reshape(W.shape), dY.sum(axis=(0, 2, 3)))


def conv2d_direct(X: ArrayLike, W: ArrayLike, b: ArrayLike, *, stride: Pair = 1, padding: Pair = 0) -> Array:
    """`conv2d` as its formula says it, window by window.

    Args:
        X: as in `conv2d`, like all arguments.
        W: kernels.
        b: biases.
        stride: in pixels.
        padding: in pixels.

    Returns:
        Y, as from `conv2d`.

    Raises:
        TypeError: as in `conv2d`.
        ValueError: as in `conv2d`.
    """
    X, W, grid = _images_and_kernels(X, W, stride, padding)
    b = _bias(b, W)
    padded = _padded(X, grid)
    Y = np.empty((len(X), len(W), *grid.out), dtype=np.result_type(X, W, b))
    for r, c in np.ndindex(grid.out):
        rows, columns = _window_at(r, c, grid)
        for i, o in np.ndindex(len(X), len(W)):
            Y[i, o, r, c] = np.sum(W[o] * padded[i, :, rows, columns]) + b[o]
    return Y


def conv2d_gradients_direct(
    X: ArrayLike, W: ArrayLike, dY: ArrayLike, *, stride: Pair = 1, padding: Pair = 0
) -> Conv2dGradients:
    """`conv2d_gradients` as the formulas say it, window by window.

    Args:
        X: as in `conv2d_gradients`, like all arguments.
        W: kernels.
        dY: ∂L/∂Y.
        stride: in pixels.
        padding: in pixels.

    Returns:
        dX, dW and db, as from `conv2d_gradients`.

    Raises:
        TypeError: as in `conv2d_gradients`.
        ValueError: as in `conv2d_gradients`.
    """
    X, W, grid = _images_and_kernels(X, W, stride, padding)
    dY = _upstream(dY, (len(X), len(W), *grid.out))
    padded = _padded(X, grid)
    dpadded = np.zeros(padded.shape, dtype=np.result_type(W, dY))
    dW = np.zeros(W.shape, dtype=np.result_type(X, dY))
    db = np.zeros(len(W), dtype=dY.dtype)
    for r, c in np.ndindex(grid.out):
        rows, columns = _window_at(r, c, grid)
        for i, o in np.ndindex(len(X), len(W)):
            dW[o] += dY[i, o, r, c] * padded[i, :, rows, columns]
            dpadded[i, :, rows, columns] += dY[i, o, r, c] * W[o]
            db[o] += dY[i, o, r, c]
    return Conv2dGradients(_without_padding(dpadded, grid), dW, db)


def im2col(X: ArrayLike, kernel: Pair, *, stride: Pair = 1, padding: Pair = 0) -> Array:
    """Every window of an image as a column of a matrix.

    Args:
        X: images, (n, channels, height, width).
        kernel: the size of the window, in pixels.
        stride: how far the window moves, in pixels.
        padding: rows and columns of zeros added on every side, in pixels.

    Returns:
        (n, channels * kernel_height * kernel_width, out_height * out_width). A column holds a window, channel by
        channel and row by row; the windows follow each other row by row.

    Raises:
        TypeError: X holds no numbers.
        ValueError: X is no batch of images or smaller than the window, or kernel, stride or padding is not one or two
            whole numbers, at least 1, 1 or 0.
    """
    images = _images(X)
    # A copy, because for some sizes the columns are a view in which neighbours share memory.
    return _columns(images, _grid(images.shape, _pair(kernel, "kernel", least=1), stride, padding)).copy()


def col2im(columns: ArrayLike, shape: tuple[int, ...], kernel: Pair, *, stride: Pair = 1, padding: Pair = 0) -> Array:
    """The columns of `im2col` added back to where they were read: the backward pass of `im2col`, not its inverse.

    A pixel that several windows read gets the sum of its entries in all of them; what belongs to the padding is
    dropped.

    Args:
        columns: in the shape of im2col's result, such as the gradient with respect to it.
        shape: of the images, (n, channels, height, width).
        kernel: as in `im2col`.
        stride: as in `im2col`.
        padding: as in `im2col`.

    Returns:
        Images in the given shape.

    Raises:
        TypeError: columns holds no numbers.
        ValueError: columns does not have the shape that im2col gives for such images, or as in `im2col`.
    """
    matrix = as_numbers(columns, "columns")
    if len(shape) != 4:
        raise ValueError(f"shape is {shape}: expected that of images, (n, channels, height, width).")
    grid = _grid(shape, _pair(kernel, "kernel", least=1), stride, padding)
    expected = (shape[0], shape[1] * grid.size[0] * grid.size[1], grid.out[0] * grid.out[1])
    if matrix.shape != expected:
        raise ValueError(f"columns has shape {matrix.shape}, the images have shape {shape}: expected {expected}.")
    return _add_columns(matrix, shape, grid)


def max_pool2d(X: ArrayLike, size: Pair, *, stride: Pair | None = None) -> Array:
    """The largest entry of every window, channel by channel.

    Args:
        X: images, (n, channels, height, width); of complex entries, the one with the largest real part.
        size: of the window, in pixels.
        stride: how far the window moves, in pixels; the size of the window where none is given. With a smaller one the
            windows overlap.

    Returns:
        (n, channels, out_height, out_width).

    Raises:
        TypeError: X holds no numbers.
        ValueError: X is no batch of images or smaller than the window, or size or stride is not one or two positive
            whole numbers.
    """
    images, grid = _images_to_pool(X, size, stride)
    entries = _entries(images, grid)
    return np.take_along_axis(entries, _first_largest(entries), axis=2)[:, :, 0]


def max_pool2d_gradient(X: ArrayLike, dY: ArrayLike, size: Pair, *, stride: Pair | None = None) -> Array:
    """∂L/∂X of `max_pool2d`: every dY goes to the largest entry of its window, and what meets in an entry adds up.

    **Ties.** Where several entries of a window are the largest, there is no derivative. The first of them, row by row,
    gets all of dY and the others nothing: one subgradient among several, and the one that PyTorch takes.

    Args:
        X: images, (n, channels, height, width).
        dY: ∂L/∂Y, in the shape of the output.
        size: as in the forward pass.
        stride: as in the forward pass.

    Returns:
        dX, in the shape of X.

    Raises:
        TypeError: an argument holds no numbers.
        ValueError: as in `max_pool2d`, or dY does not have the shape of the output.
    """
    images, grid = _images_to_pool(X, size, stride)
    dY = _upstream(dY, (*images.shape[:2], *grid.out))
    entries = _entries(images, grid)
    dentries = np.zeros(entries.shape, dtype=dY.dtype)
    np.put_along_axis(dentries, _first_largest(entries), dY[:, :, None], axis=2)
    return _add_windows(dentries.reshape(*images.shape[:2], *grid.size, *grid.out), images.shape, grid)


def average_pool2d(X: ArrayLike, size: Pair, *, stride: Pair | None = None) -> Array:
    """The mean of every window, channel by channel.

    Args:
        X: images, (n, channels, height, width).
        size: of the window, in pixels.
        stride: as in `max_pool2d`.

    Returns:
        (n, channels, out_height, out_width).

    Raises:
        TypeError: X holds no numbers.
        ValueError: as in `max_pool2d`.
    """
    images, grid = _images_to_pool(X, size, stride)
    return np.asarray(_windows(images, grid).mean(axis=(2, 3)))


def average_pool2d_gradient(X: ArrayLike, dY: ArrayLike, size: Pair, *, stride: Pair | None = None) -> Array:
    """∂L/∂X of `average_pool2d`: every entry of a window gets an equal share of its dY, and what meets adds up.

    Args:
        X: images, (n, channels, height, width); only their shape matters.
        dY: ∂L/∂Y, in the shape of the output.
        size: as in the forward pass.
        stride: as in the forward pass.

    Returns:
        dX, in the shape of X.

    Raises:
        TypeError: an argument holds no numbers.
        ValueError: as in `max_pool2d`, or dY does not have the shape of the output.
    """
    images, grid = _images_to_pool(X, size, stride)
    dY = _upstream(dY, (*images.shape[:2], *grid.out))
    share = dY[:, :, None, None] / (grid.size[0] * grid.size[1])
    windows = np.broadcast_to(share, (*images.shape[:2], *grid.size, *grid.out))
    return _add_windows(windows, images.shape, grid)


def _windows(X: Array, grid: _Grid) -> Array:
    """All windows of the padded images, (n, channels, window_height, window_width, out_height, out_width): a view."""
    down, right = grid.stride
    windows = sliding_window_view(_padded(X, grid), grid.size, axis=(2, 3))[:, :, ::down, ::right]
    return windows.transpose(0, 1, 4, 5, 2, 3)


def _add_windows(windows: Array, shape: tuple[int, ...], grid: _Grid) -> Array:
    """Images of this shape, with every window added where `_windows` reads it."""
    (height, width), (down, right), (top, left) = grid.out, grid.stride, grid.padding
    X = np.zeros((*shape[:2], shape[2] + 2 * top, shape[3] + 2 * left), dtype=windows.dtype)
    # One entry of all windows meets no pixel twice, so each += is a plain slice; overlaps add up from turn to turn.
    for u, v in np.ndindex(grid.size):
        X[:, :, u : u + down * height : down, v : v + right * width : right] += windows[:, :, u, v]
    return _without_padding(X, grid)


def _columns(X: Array, grid: _Grid) -> Array:
    """The windows as columns of a matrix for each image."""
    return _windows(X, grid).reshape(len(X), X.shape[1] * grid.size[0] * grid.size[1], grid.out[0] * grid.out[1])


def _add_columns(columns: Array, shape: tuple[int, ...], grid: _Grid) -> Array:
    return _add_windows(columns.reshape(*shape[:2], *grid.size, *grid.out), shape, grid)


def _rows(W: Array) -> Array:
    """Every kernel as a row, in the order of a column of `im2col`."""
    return W.reshape(len(W), W.shape[1] * W.shape[2] * W.shape[3])


def _entries(X: Array, grid: _Grid) -> Array:
    """The entries of every window, row by row, (n, channels, entries, out_height, out_width)."""
    return _windows(X, grid).reshape(*X.shape[:2], grid.size[0] * grid.size[1], *grid.out)


def _first_largest(entries: Array) -> Array:
    """The position of the largest entry of every window; of equal ones numpy's argmax takes the first."""
    return np.argmax(entries.real, axis=2, keepdims=True)


def _window_at(r: int, c: int, grid: _Grid) -> tuple[slice, slice]:
    """The rows and columns of the padded image that the output at r, c reads."""
    (down, right), (height, width) = grid.stride, grid.size
    return slice(r * down, r * down + height), slice(c * right, c * right + width)


def _padded(X: Array, grid: _Grid) -> Array:
    return np.pad(X, ((0, 0), (0, 0), *((p, p) for p in grid.padding)))


def _without_padding(padded: Array, grid: _Grid) -> Array:
    (top, left), (height, width) = grid.padding, padded.shape[2:]
    return padded[:, :, top : height - top, left : width - left]


def _pair(value: Pair, name: str, *, least: int) -> tuple[int, int]:
    """(rows, columns) of whole numbers."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} is {value!r}: expected one whole number, or two, for rows and for columns.")
    for entry in pair:
        check_whole_number(entry, name, least)
    return pair[0], pair[1]


def _grid(shape: tuple[int, ...], size: tuple[int, int], stride: Pair, padding: Pair) -> _Grid:
    """The windows of this size in images of this shape; the size is known to be valid."""
    strides, paddings = _pair(stride, "stride", least=1), _pair(padding, "padding", least=0)
    height, width = (pixels + 2 * p for pixels, p in zip(shape[2:], paddings, strict=True))
    if size[0] > height or size[1] > width:
        raise ValueError(
            f"The window has shape {size}, the images have shape {shape}, with their padding ({height}, {width}) "
            "pixels: expected a window no larger than that."
        )
    return _Grid(size, strides, paddings, ((height - size[0]) // strides[0] + 1, (width - size[1]) // strides[1] + 1))


def _images(X: ArrayLike) -> Array:
    images = as_numbers(X, "X")
    if images.ndim != 4:
        raise ValueError(f"X has shape {images.shape}: expected a batch of images, (n, channels, height, width).")
    return images


def _images_and_kernels(X: ArrayLike, W: ArrayLike, stride: Pair, padding: Pair) -> tuple[Array, Array, _Grid]:
    """Images and kernels that fit each other, with where the windows lie."""
    images, kernels = _images(X), as_numbers(W, "W")
    if kernels.ndim != 4 or kernels.shape[1] != images.shape[1] or 0 in kernels.shape[2:]:
        raise ValueError(
            f"W has shape {kernels.shape}, X has shape {images.shape}: "
            f"expected W of shape (c_out, {images.shape[1]}, kernel_height, kernel_width)."
        )
    return images, kernels, _grid(images.shape, kernels.shape[2:], stride, padding)


def _images_to_pool(X: ArrayLike, size: Pair, stride: Pair | None) -> tuple[Array, _Grid]:
    """Images with where the windows lie."""
    images, window = _images(X), _pair(size, "size", least=1)
    return images, _grid(images.shape, window, window if stride is None else stride, 0)


def _bias(b: ArrayLike, W: Array) -> Array:
    bias = as_numbers(b, "b")
    if bias.shape != (len(W),):
        raise ValueError(f"b has shape {bias.shape}, W has shape {W.shape}: expected b of shape ({len(W)},).")
    return bias


def _upstream(dY: ArrayLike, shape: tuple[int, ...]) -> Array:
    upstream = as_numbers(dY, "dY")
    if upstream.shape != shape:
        raise ValueError(f"dY has shape {upstream.shape}, the output has shape {shape}: expected the same shape.")
    return upstream
