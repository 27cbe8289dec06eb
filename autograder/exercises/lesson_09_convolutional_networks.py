"""Lesson 09: the gradients of convolution and pooling, and a small convolutional network.

Images are (n, channels, height, width) and kernels (c_out, c_in, kernel_height, kernel_width); the kernel slides as it
is, without being turned round. Derivations follow Goodfellow, Bengio and Courville, Deep Learning (2016), section 9.5,
and Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016, arXiv 1603.07285).

The losses are linear in what comes out of a layer, with a random upstream gradient: any loss with this upstream
gradient has the same derivatives. Where max pooling chooses, the real part chooses, so that the complex step goes
through.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograder.exercises.drawing import Draw
from autograder.exercises.formulas import Environment
from autograder.exercises.kinds import Derivation, Fix, Line, Shapes, order, prediction, shape
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Exercise, Step
from chainrule_lib.activations import softmax
from chainrule_lib.convolution import conv2d_gradients, max_pool2d_gradient

WITHHELD = AUTODIFF
"""``chainrule_lib.convolution`` stays: the lesson compares every backward pass with that of the library, and its CNN is
to be built from ``conv2d_gradients`` and ``max_pool2d_gradient``."""

# --- Sliding in one dimension and in two ------------------------------------------------------------------------------


def _slide(x: Any, w: Any, stride: int = 1, padding: int = 0) -> Any:
    """The kernel slid over a row of numbers."""
    return sliding_window_view(np.pad(x, padding), len(w))[::stride] @ w


def _windows(X: Any, size: tuple[int, int], stride: int = 1) -> Any:
    """All windows of a batch of images: (n, channels, size[0], size[1], out_height, out_width), a view."""
    windows = sliding_window_view(X, size, axis=(2, 3))
    return windows[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)


def _padded(X: Any, padding: int) -> Any:
    """Images with a border of zeros."""
    n, channels, height, width = X.shape
    bordered = np.zeros((n, channels, height + 2 * padding, width + 2 * padding), X.dtype)
    bordered[:, :, padding : padding + height, padding : padding + width] = X
    return bordered


def _convolve(X: Any, W: Any, stride: int = 1, padding: int = 0) -> Any:
    """The convolution of a batch of images with every kernel, without a bias."""
    windows = _windows(_padded(X, padding), W.shape[2:], stride)
    columns = windows.reshape(len(X), W[0].size, -1)
    return (W.reshape(len(W), -1) @ columns).reshape(len(X), len(W), *windows.shape[4:])


def _put_back(windows: Any, like: Any, stride: int, *, add: bool = True) -> Any:
    """Every window put where it was read: added to what is there, or written over it."""
    images = np.zeros(like.shape)
    height, width = windows.shape[2:4]
    for r, c in np.ndindex(windows.shape[4:]):
        place = (..., slice(r * stride, r * stride + height), slice(c * stride, c * stride + width))
        images[place] = images[place] + windows[..., r, c] if add else windows[..., r, c]
    return images


def _few(draw: Draw, count: int) -> list[int]:
    """The sizes 2, 3, ... in some order: complex steps through images are many, so the images are small."""
    sizes = draw.sizes(count)
    return [2 + sorted(sizes).index(size) for size in sizes]


def _pixels(out: int, kernel: int, stride: int, padding: int = 0, rest: int = 0) -> int:
    """How long a side is that gives ``out`` windows and leaves ``rest`` unread."""
    return (out - 1) * stride + kernel - 2 * padding + rest


def _same_in_all(array: Any) -> Any:
    """The sum over the second axis, the input channels, in each of them."""
    return np.zeros(array.shape) + array.sum(axis=1, keepdims=True)


def _last_position(dY: Any) -> Any:
    """An upstream gradient that is 0 everywhere but at the last position of each channel."""
    kept = np.zeros_like(dY)
    kept[..., -1, -1] = dY[..., -1, -1]
    return kept


def _alone(array: Any, index: int) -> Any:
    """The array with all entries 0 but those of one index on the first axis."""
    kept = np.zeros_like(array)
    kept[index] = array[index]
    return kept


# --- Explanations that serve in more than one exercise ----------------------------------------------------------------

_ONE_WINDOW = (
    "Only one position of the kernel is counted. The same weights are used at every position, so a weight reaches the "
    "loss along as many paths as there are outputs, and the paths add up."
)
_KERNEL_GRADIENT_FLIPPED = (
    "The gradient of the kernel comes out back to front. The forward pass does not turn the kernel round, so its "
    "gradient is not turned round either: which entry of the window does the first weight multiply?"
)
_MEAN_OF_POSITIONS = (
    "The contributions of the positions are averaged, but the paths of a shared weight add up. Whatever mean the loss "
    "contains is already in the upstream gradient."
)
_UPSTREAM_LEFT_OUT = (
    "The upstream gradient is missing from the sum: that is how much the outputs move, not how much the loss moves. "
    "Every path ends with the factor dL/dy of the output it goes through."
)
_NOT_FLIPPED = (
    "The way back needs the kernel turned round, and here it was used as it is. Follow one entry of the input: the "
    "further right the window begins, the further left in the kernel is the weight that meets the entry."
)
_OVERWRITTEN = (
    "Where windows overlap, only the last one is left: its contribution was written over those of the others. An entry "
    "that several windows read reaches the loss along several paths. What do paths do?"
)
_STRIDE_IGNORED = (
    "The windows are put back next to each other, one entry apart. In the forward pass the kernel moved by the stride: "
    "each contribution belongs where its window was read."
)
_WEIGHTS_LEFT_OUT = (
    "Every entry of a window gets the whole upstream gradient. On the way forward it was multiplied by a weight: where "
    "is that local derivative?"
)
_PADDING_KEPT = (
    "The border of zeros is still there. It is no part of the input, so its gradient is dropped: a gradient has the "
    "shape of what it belongs to."
)
_CUT_ON_ONE_SIDE = (
    "The size is right, but the whole border was cut from one side, so everything has shifted. On how many sides was "
    "the padding added?"
)
_BIAS_NOT_OVER_BATCH = (
    "There is still one row for every image. All images share the bias, so their contributions add up."
)
_BIAS_NOT_OVER_POSITIONS = (
    "There is still a number for every position. One bias is added at all positions of its channel, so it reaches the "
    "loss along all of them, and the paths add up."
)
_BIAS_MEAN = (
    "The contributions are averaged. Paths add up; whatever mean the loss contains is already in the upstream gradient."
)
_LAST_IMAGE = (
    "Only the last image of the batch is counted. The parameters are shared by all images: did a loop overwrite where "
    "it should add?"
)
_BATCH_MEAN_TWICE = (
    "This is divided by the number of images, but the 1/n of the loss is already in the upstream gradient: it enters "
    "once."
)

# --- One dimension ----------------------------------------------------------------------------------------------------

_BY_HAND_INPUTS = ("x0", "x1", "x2", "x3", "w0", "w1", "b", "g0", "g1", "g2")

_BY_HAND = Exercise(
    id="09.conv1d_by_hand",
    title="A kernel of two, four inputs, by hand",
    points=3,
    function="convolution_lines",
    kind=Derivation(),
    inputs=_BY_HAND_INPUTS,
    returns=("y1", "dL_dw0", "dL_dw1", "dL_db", "dL_dx0", "dL_dx1", "dL_dx3"),
    draw=lambda draw: {name: draw.nonzero(12) for name in _BY_HAND_INPUTS},
    steps=(
        Step(
            "y1",
            lambda x1, x2, w0, w1, b: w0 * x1 + w1 * x2 + b,
            mistakes={
                "y1_kernel_flipped": (
                    lambda x1, x2, w0, w1, b: w1 * x1 + w0 * x2 + b,
                    "The kernel was turned round. That is what mathematics calls a convolution; in neural networks the "
                    "kernel slides as it is, and its first weight meets the first entry of the window.",
                ),
                "y1_without_bias": (
                    lambda x1, x2, w0, w1: w0 * x1 + w1 * x2,
                    "The bias is missing: it is added at every position.",
                ),
                "y1_wrong_window": (
                    lambda x0, x1, w0, w1, b: w0 * x0 + w1 * x1 + b,
                    "This is another output: the counting begins at 0, so the window of y1 has moved one entry to the "
                    "right of the beginning.",
                ),
            },
        ),
        Step(
            "dL_dw0",
            lambda x0, x1, x2, g0, g1, g2: g0 * x0 + g1 * x1 + g2 * x2,
            mistakes={
                "dw0_one_window": (lambda x0, g0: g0 * x0, _ONE_WINDOW),
                "dw0_without_upstream": (lambda x0, x1, x2: x0 + x1 + x2, _UPSTREAM_LEFT_OUT),
                "dw0_upstream_reversed": (
                    lambda x0, x1, x2, g0, g1, g2: g2 * x0 + g1 * x1 + g0 * x2,
                    "Inputs and upstream gradients are paired in opposite directions. Which entry does w0 multiply to "
                    "make y0, and which to make y2?",
                ),
            },
        ),
        Step(
            "dL_dw1",
            lambda x1, x2, x3, g0, g1, g2: g0 * x1 + g1 * x2 + g2 * x3,
            mistakes={
                "dw1_one_window": (lambda x1, g0: g0 * x1, _ONE_WINDOW),
                "dw1_not_shifted": (
                    lambda x0, x1, x2, g0, g1, g2: g0 * x0 + g1 * x1 + g2 * x2,
                    "This is the gradient of w0. The second weight meets the second entry of every window.",
                ),
                "dw1_without_upstream": (lambda x1, x2, x3: x1 + x2 + x3, _UPSTREAM_LEFT_OUT),
            },
        ),
        Step(
            "dL_db",
            lambda g0, g1, g2: g0 + g1 + g2,
            mistakes={
                "db_one_output": (
                    lambda g0: g0,
                    "The bias was added to every output, not to the first alone. Each is a path.",
                ),
                "db_mean": (lambda g0, g1, g2: (g0 + g1 + g2) / 3, _BIAS_MEAN),
                "db_times_inputs": (
                    lambda x0, x1, x2, x3, g0, g1, g2: (g0 + g1 + g2) * (x0 + x1 + x2 + x3),
                    "The bias multiplies nothing, so no input occurs in its gradient: the local derivative is 1.",
                ),
            },
        ),
        Step(
            "dL_dx0",
            lambda w0, g0: g0 * w0,
            mistakes={
                "dx0_wrong_weight": (
                    lambda w1, g0: g0 * w1,
                    "In the only window that reads x0, which weight stands above it?",
                ),
                "dx0_every_window": (
                    lambda w0, g0, g1, g2: (g0 + g1 + g2) * w0,
                    "x0 lies at the edge: only one window reads it, so there is one path.",
                ),
                "dx0_without_weight": (lambda g0: g0, _WEIGHTS_LEFT_OUT),
            },
        ),
        Step(
            "dL_dx1",
            lambda w0, w1, g0, g1: g0 * w1 + g1 * w0,
            mistakes={
                "dx1_kernel_not_flipped": (lambda w0, w1, g0, g1: g0 * w0 + g1 * w1, _NOT_FLIPPED),
                "dx1_last_window_only": (lambda w0, g1: g1 * w0, _OVERWRITTEN),
                "dx1_first_window_only": (
                    lambda w1, g0: g0 * w1,
                    "Only the first window that reads x1 is counted. There is a second one, and its path adds to the "
                    "first.",
                ),
                "dx1_paths_multiplied": (
                    lambda w0, w1, g0, g1: g0 * w1 * g1 * w0,
                    "Along a path the factors multiply; over several paths they add up.",
                ),
            },
        ),
        Step(
            "dL_dx3",
            lambda w1, g2: g2 * w1,
            mistakes={
                "dx3_wrong_weight": (
                    lambda w0, g2: g2 * w0,
                    "In the only window that reads x3, which weight stands above it?",
                ),
                "dx3_beyond_the_edge": (
                    lambda w0, w1, g1, g2: g1 * w1 + g2 * w0,
                    "This is the gradient of x2. No window begins at x3, because the kernel would stick out.",
                ),
            },
        ),
    ),
    hints=(
        "Write the three outputs below one another, each with its two products. Which letters occur in which line?",
        "For each variable, look for every output it occurs in. Each occurrence is a path: the output's upstream "
        "gradient times what the variable is multiplied by there. Add the paths.",
        "`dL_dw0 = g0*x0 + g1*x1 + g2*x2`. The bias has the sum of all three g. `x1` occurs twice: in y0 beside w1, in "
        "y1 beside w0.",
    ),
    objective="Derive the gradients of a 1-D convolution by hand",
    difficulty=1,
    minutes=8,
)


def _row(draw: Draw) -> Environment:
    k, m = draw.sizes(2)
    return {"x": draw.normal(m + k - 1), "w": draw.nonzero(k), "dy": draw.nonzero(m), "b": draw.number(0.3, 1.2)}


def _written_over(w: Any, dy: Any, like: Any, stride: int = 1) -> Any:
    """The input's gradient where every window is written over the ones before."""
    dx = np.zeros(len(like))
    for r in range(len(dy)):
        dx[r * stride : r * stride + len(w)] = dy[r] * w
    return dx


def _spread(w: Any, dy: Any, length: int, stride: int = 1) -> Any:
    """The contributions of all windows added up over a row of this length."""
    dx = np.zeros(length)
    for r in range(len(dy)):
        dx[r * stride : r * stride + len(w)] += dy[r] * w
    return dx


_CONV1D = Exercise(
    id="09.conv1d_gradients",
    title="All three gradients in one dimension",
    points=3,
    function="conv1d_gradients",
    inputs=("x", "w", "dy"),
    returns=("dw", "dx", "db"),
    draw=_row,
    loss=lambda x, w, dy, b: np.sum(dy * (_slide(x, w) + b)),
    steps=(
        Step(
            "dw",
            lambda x, dy: _slide(x, dy),
            mistakes={
                "dw_flipped": (lambda x, dy: _slide(x, dy)[::-1], _KERNEL_GRADIENT_FLIPPED),
                "dw_upstream_flipped": (
                    lambda x, dy: _slide(x, dy[::-1]),
                    "The upstream gradient was turned round, as in the convolution of mathematics (np.convolve does "
                    "that). Here it slides over the input as it is: the window that begins at r belongs to dy[r].",
                ),
                "dw_first_window": (lambda x, w, dy: dy[0] * x[: len(w)], _ONE_WINDOW),
                "dw_last_window": (
                    lambda x, w, dy: dy[-1] * x[-len(w) :],
                    "Only the last position of the kernel is counted: a loop has written over what the positions "
                    "before it had brought. All of them belong to the sum.",
                ),
                "dw_without_upstream": (lambda x, dy: _slide(x, np.ones(len(dy))), _UPSTREAM_LEFT_OUT),
                "dw_mean_over_positions": (lambda x, dy: _slide(x, dy) / len(dy), _MEAN_OF_POSITIONS),
                "dw_full": (
                    lambda x, dy: np.convolve(x, dy[::-1]),
                    "There are more numbers than weights. The upstream gradient slides over the input only where it "
                    "lies inside altogether.",
                ),
            },
        ),
        Step(
            "dx",
            lambda w, dy: np.convolve(dy, w),
            mistakes={
                "dx_kernel_not_flipped": (lambda w, dy: np.convolve(dy, w[::-1]), _NOT_FLIPPED),
                "dx_upstream_flipped": (
                    lambda w, dy: np.convolve(dy[::-1], w),
                    "The upstream gradient runs in the wrong direction here: the first window's contribution ends up "
                    "at the last entries. It is the kernel that is turned round.",
                ),
                "dx_overwritten": (lambda x, w, dy: _written_over(w, dy, x), _OVERWRITTEN),
                "dx_first_weight_only": (
                    lambda x, w, dy: np.pad(dy * w[0], (0, len(x) - len(dy))),
                    "An entry is counted only in the window that begins with it. It lies in other windows too, further "
                    "to the right, and meets another weight there.",
                ),
                "dx_without_weights": (lambda w, dy: np.convolve(dy, np.ones(len(w))), _WEIGHTS_LEFT_OUT),
                "dx_mean_over_windows": (
                    lambda w, dy: np.convolve(dy, w) / np.convolve(np.ones(len(dy)), np.ones(len(w))),
                    "The contributions of the windows are averaged. They are paths to the loss, and paths add up.",
                ),
                "dx_valid_only": (
                    lambda w, dy: np.convolve(dy, w, "valid"),
                    "The entries near the edges have a gradient too, a sum with fewer terms. Let the turned kernel "
                    "stick out beyond both ends of dy: a full convolution.",
                ),
            },
        ),
        Step(
            "db",
            lambda dy: np.sum(dy),
            share=0.5,
            mistakes={
                "db_not_summed": (lambda dy: dy, _BIAS_NOT_OVER_POSITIONS),
                "db_mean": (lambda dy: np.mean(dy), _BIAS_MEAN),
                "db_counts_outputs": (
                    lambda dy: float(len(dy)),
                    "That adds up the local derivatives, 1 for each output. Each of them is to be multiplied by what "
                    "arrives from above.",
                ),
                "db_times_inputs": (
                    lambda x, dy: np.sum(dy) * np.sum(x),
                    "The bias multiplies nothing, so no input occurs in its gradient.",
                ),
            },
        ),
    ),
    hints=(
        "Take the formula y[r] = Σ_u w[u] x[r + u] + b. In which outputs does w[u] occur, and what does it multiply "
        "there? Then ask the same for x[i].",
        "dw[u] = Σ_r dy[r] x[r + u], and every window gives dy[r] · w[u] to the entry x[r + u]: go through all r and u "
        "and *add* to dx[r + u].",
        "Start with `dw, dx = np.zeros(len(w)), np.zeros(len(x))`. For every `r`: `dw += dy[r] * x[r : r + len(w)]` "
        "and `dx[r : r + len(w)] += dy[r] * w`. The bias gets `dy.sum()`.",
    ),
    objective="Implement the gradients of a 1-D convolution",
    difficulty=2,
    minutes=8,
)

_OVERLAP = prediction(
    "09.predict_overlap",
    title="An entry that two windows read",
    points=1,
    function="overlap_prediction",
    question=(
        "A kernel $w = [1, 10, 100]$ slides over $x[0], \\dots, x[6]$ with stride 2, without padding: three outputs. "
        "The upstream gradient is 1 for each of them. What is $\\partial L/\\partial x[2]$?"
    ),
    options={"a": "1", "b": "10", "c": "100", "d": "101", "e": "111"},
    right="d",
    wrong={
        "a": (
            "last_window_only",
            "That is the path through the second window alone. The first window reads x[2] as well; what it "
            "contributes must not be written over.",
        ),
        "b": (
            "middle_weight",
            "The middle weight never meets x[2]: with stride 2 the windows begin at 0, 2 and 4. Write their entries "
            "below one another.",
        ),
        "c": (
            "first_window_only",
            "That is the path through the first window alone. Another window begins at x[2].",
        ),
        "e": (
            "stride_ignored",
            "That would be right for stride 1, where three windows read x[2]. With stride 2 no window begins at x[1].",
        ),
    },
    hints=(
        "Write down the entries that each of the three windows reads.",
        "Every window that reads x[2] contributes its upstream gradient times the weight that stands above x[2].",
        "Two windows read x[2]: in the first it is the last entry, in the second the first.",
    ),
    objective="Tell which windows contribute to an entry's gradient",
    difficulty=1,
    minutes=3,
)


def _strided_row(draw: Draw) -> Environment:
    (m,) = draw.sizes(1)
    k = draw.integer(3, 5)
    stride = draw.integer(2, k - 1)  # below k, so that windows overlap
    padding = draw.integer(1, 2)
    # Of four cases in a row some have an odd m and some an even one: a row with unread entries at its end, and one
    # without.
    rest = 0 if m % 2 else draw.integer(1, stride - 1)
    size = _pixels(m + 1, k, stride, padding, rest)
    return {
        "w": draw.nonzero(k),
        "dy": draw.nonzero(m + 1),
        "stride": stride,
        "padding": padding,
        "size": size,
        "x": draw.normal(size),
    }


_STRIDED = Exercise(
    id="09.strided_input_gradient",
    title="Back through stride and padding",
    points=3,
    function="strided_input_gradient",
    inputs=("w", "dy", "stride", "padding", "size"),
    returns=("dx",),
    draw=_strided_row,
    loss=lambda x, w, dy, stride, padding: np.sum(dy * _slide(x, w, stride, padding)),
    steps=(
        Step(
            "dpadded",
            lambda w, dy, stride, padding, size: _spread(w, dy, size + 2 * padding, stride),
            mistakes={
                "kernel_flipped": (
                    lambda w, dy, stride, padding, size: _spread(w[::-1], dy, size + 2 * padding, stride),
                    "The kernel lies the wrong way round in every window. Where a window is put back entry by entry, "
                    "each weight goes where it was read; the turning round comes about by itself.",
                ),
                "overlaps_overwritten": (
                    lambda w, dy, stride, padding, size: _written_over(w, dy, np.zeros(size + 2 * padding), stride),
                    _OVERWRITTEN,
                ),
                "stride_ignored": (
                    lambda w, dy, padding, size: _spread(w, dy, size + 2 * padding),
                    _STRIDE_IGNORED,
                ),
                "weights_left_out": (
                    lambda w, dy, stride, padding, size: _spread(np.ones(len(w)), dy, size + 2 * padding, stride),
                    _WEIGHTS_LEFT_OUT,
                ),
                "first_weight_only": (
                    lambda w, dy, stride, padding, size: _spread(w[:1], dy, size + 2 * padding, stride),
                    "Every window gives a contribution to its first entry only. It read as many entries as the kernel "
                    "has weights.",
                ),
                "averaged_over_windows": (
                    lambda w, dy, stride, padding, size: (
                        _spread(w, dy, size + 2 * padding, stride)
                        / np.maximum(_spread(np.ones(len(w)), np.ones(len(dy)), size + 2 * padding, stride), 1)
                    ),
                    "Where windows overlap, their contributions are averaged. They are paths to the loss, and paths "
                    "add up.",
                ),
            },
        ),
        Step(
            "dx",
            lambda dpadded, padding, size: dpadded[padding : padding + size],
            share=0.5,
            mistakes={
                "padding_kept": (lambda dpadded: dpadded, _PADDING_KEPT),
                "cut_on_the_right": (lambda dpadded, size: dpadded[:size], _CUT_ON_ONE_SIDE),
                "cut_on_the_left": (lambda dpadded, padding: dpadded[2 * padding :], _CUT_ON_ONE_SIDE),
                "unread_entries_forgotten": (
                    lambda dpadded, w, dy, stride, padding: dpadded[
                        padding : (len(dy) - 1) * stride + len(w) - padding
                    ],
                    "Where the last window does not reach the end of the row, entries are missing. No window reads "
                    "them, so their gradient is 0, but they have one.",
                ),
            },
        ),
    ),
    hints=(
        "First forget that there is a border: what is the gradient of the padded row, and which of its entries does "
        "window r read?",
        "Window r reads the entries from stride · r on. Give dy[r] · w to them, and add where windows overlap. Then "
        "cut off what belongs to the padding, on both sides.",
        "`dpadded = np.zeros(size + 2 * padding)`; for every `r`: `dpadded[r * stride : r * stride + len(w)] += dy[r] "
        "* w`; return `dpadded[padding : padding + size]`.",
    ),
    objective="Send a gradient back through stride and padding",
    difficulty=2,
    minutes=8,
)

# --- Images -----------------------------------------------------------------------------------------------------------


def _architecture(draw: Draw) -> Environment:
    n, c, c1 = draw.sizes(3)
    p, m = draw.integer(1, 2), 2
    k = 2 * p + 1 + draw.integer(1, 2)  # not 2 p + 1, with which stride 1 would keep the size
    s = draw.integer(p + 1, 3)
    odd, even = 5 + 2 * draw.integer(0, 1), 6 + 2 * draw.integer(0, 1)
    # In one direction p pixels are left over, in the other none: padding on one side only shows in one of them.
    h, w = _pixels(odd, k, s, p), _pixels(even, k, s, p, rest=p)
    d = next(classes for classes in (10, 13, 16) if classes not in (h, w))  # far from k: rounding down hides little
    return {"n": n, "c": c, "h": h, "w": w, "c1": c1, "k": k, "s": s, "p": p, "m": m, "d": d}


def _side(pixels: int, k: int, s: int, p: int) -> int:
    """Outputs along one side."""
    return (pixels + 2 * p - k) // s + 1


def _fitting(Z1: Any, m: int) -> list[int]:
    """How many windows of m pixels fit side by side into height and width.

    A shape's entries are floats that may carry a rounding error, and a whole number has to be whole to be rounded down.
    """
    return [round(float(pixels)) // m for pixels in Z1[2:4]]


_SHAPES = Exercise(
    id="09.cnn_shapes",
    title="Shapes along a convolutional network",
    points=3,
    function="cnn_shapes",
    kind=Shapes(),
    inputs=("n", "c", "h", "w", "c1", "k", "s", "p", "m", "d"),
    returns=("W1", "b1", "Z1", "P1", "F", "W2", "dW1", "dX"),
    draw=_architecture,
    steps=(
        Step(
            "W1",
            lambda c1, c, k: shape(c1, c, k, k),
            mistakes={
                "W1_channels_exchanged": (
                    lambda c1, c, k: shape(c, c1, k, k),
                    "The kernels come first, as the units do in the weights of a dense layer: outputs before inputs.",
                ),
                "W1_flat_kernels": (
                    lambda c1, k: shape(c1, k, k),
                    "A kernel sees all input channels at once, with weights of its own for each of them.",
                ),
                "W1_one_kernel": (
                    lambda c, k: shape(c, k, k),
                    "This is a single kernel. There is one for every output channel.",
                ),
            },
        ),
        Step(
            "b1",
            lambda c1: shape(c1),
            share=0.5,
            mistakes={
                "b1_per_input_channel": (
                    lambda c: shape(c),
                    "A bias belongs to a kernel, that is to an output channel.",
                ),
                "b1_per_position": (
                    lambda c1, h, w, k, s, p: shape(c1, _side(h, k, s, p), _side(w, k, s, p)),
                    "A kernel adds the same bias at all positions; it has just one.",
                ),
            },
        ),
        Step(
            "Z1",
            lambda n, c1, h, w, k, s, p: shape(n, c1, _side(h, k, s, p), _side(w, k, s, p)),
            share=2,
            mistakes={
                "Z1_one_missing": (
                    lambda n, c1, h, w, k, s, p: shape(n, c1, _side(h, k, s, p) - 1, _side(w, k, s, p) - 1),
                    "One output is missing along each side. The division counts the moves of the kernel; before the "
                    "first move it has a position too.",
                ),
                "Z1_padding_on_one_side": (
                    lambda n, c1, h, w, k, s, p: shape(n, c1, (h + p - k) // s + 1, (w + p - k) // s + 1),
                    "The padding lies on both sides, left and right, top and bottom.",
                ),
                "Z1_stride_ignored": (
                    lambda n, c1, h, w, k, p: shape(n, c1, h + 2 * p - k + 1, w + 2 * p - k + 1),
                    "That is the size for stride 1. With stride s, only every s-th of these positions is used.",
                ),
                "Z1_size_kept": (
                    lambda n, c1, h, w: shape(n, c1, h, w),
                    "A convolution keeps the size of the image only with stride 1 and just the right padding.",
                ),
                "Z1_input_channels": (
                    lambda n, c, h, w, k, s, p: shape(n, c, _side(h, k, s, p), _side(w, k, s, p)),
                    "Each kernel sums over the input channels and makes one output channel. How many kernels are "
                    "there?",
                ),
                "Z1_channels_last": (
                    lambda n, c1, h, w, k, s, p: shape(n, _side(h, k, s, p), _side(w, k, s, p), c1),
                    "Other libraries put the channels last. This lesson has them before height and width, as PyTorch "
                    "has.",
                ),
            },
        ),
        Step(
            "P1",
            lambda Z1, m: shape(Z1[0], Z1[1], *_fitting(Z1, m)),
            mistakes={
                "P1_stride_one": (
                    lambda Z1, m: shape(Z1[0], Z1[1], Z1[2] - m + 1, Z1[3] - m + 1),
                    "The pooling windows lie side by side: they move by their own size, not by one pixel.",
                ),
                "P1_rounded_up": (
                    lambda Z1, m: shape(Z1[0], Z1[1], *_fitting(Z1 + m - 1, m)),
                    "A window that would stick out beyond the image is left out: round down.",
                ),
                "P1_channels_pooled": (
                    lambda Z1, m: shape(Z1[0], 1, *_fitting(Z1, m)),
                    "Pooling works in every channel by itself; it does not put channels together.",
                ),
                "P1_size_kept": (
                    lambda Z1: shape(*Z1[:4]),
                    "Pooling makes one number of every window, so height and width shrink.",
                ),
            },
        ),
        Step(
            "F",
            lambda P1: shape(P1[0], P1[1] * P1[2] * P1[3]),
            mistakes={
                "F_without_channels": (
                    lambda P1: shape(P1[0], P1[2] * P1[3]),
                    "The channels have been lost. The dense layer gets all pixels of all channels.",
                ),
                "F_batch_flattened": (
                    lambda P1: shape(P1[0] * P1[1] * P1[2] * P1[3]),
                    "The images have run into one another. Every image keeps a row of its own.",
                ),
            },
        ),
        Step(
            "W2",
            lambda F, d: shape(d, F[1]),
            mistakes={
                "W2_transposed": (
                    lambda F, d: shape(F[1], d),
                    "Weights are (outputs, inputs) in this course: one row per class.",
                ),
                "W2_per_image": (
                    lambda F, d: shape(F[0], d),
                    "The weights do not depend on how many images come along.",
                ),
            },
        ),
        Step(
            "dW1",
            lambda W1: W1,
            mistakes={
                "dW1_per_image": (
                    lambda n, W1: shape(n, *W1[:4]),
                    "The images share the kernels, so their contributions are summed.",
                ),
                "dW1_like_the_output": (
                    lambda Z1: Z1,
                    "That is the shape of the upstream gradient. A gradient has the shape of what it belongs to.",
                ),
            },
        ),
        Step(
            "dX",
            lambda n, c, h, w: shape(n, c, h, w),
            mistakes={
                "dX_with_padding": (
                    lambda n, c, h, w, p: shape(n, c, h + 2 * p, w + 2 * p),
                    "The border of zeros is no part of the images, so it is cut off from their gradient.",
                ),
                "dX_like_the_output": (
                    lambda n, c, Z1: shape(n, c, Z1[2], Z1[3]),
                    "Every pixel of the images has a derivative, however few outputs there are.",
                ),
                "dX_output_channels": (
                    lambda n, c1, h, w: shape(n, c1, h, w),
                    "The images have their own number of channels, and so has their gradient.",
                ),
            },
        ),
    ),
    hints=(
        "Draw a row of h pixels with p zeros on either side, and slide a window of k over it. At how many places can "
        "it stop?",
        "Along one side: (size + 2 · padding − kernel) // stride + 1. Kernels are (outputs, inputs, height, width). A "
        "gradient has the shape of what it belongs to.",
        "`h1 = (h + 2 * p - k) // s + 1` and `w1` likewise; `Z1` is `(n, c1, h1, w1)`, `P1` is `(n, c1, h1 // m, w1 // "
        "m)`, `F` is `(n, c1 * (h1 // m) * (w1 // m))`.",
    ),
    objective="Work out every shape along a convolutional network",
    difficulty=2,
    minutes=6,
)


def _images(draw: Draw) -> Environment:
    n, c_in, c_out = _few(draw, 3)
    kernel, stride, padding = (3, 4), 2, 1
    out = (2 + draw.integer(0, 1), 2)
    height, width = (_pixels(o, k, stride, padding, draw.integer(0, 1)) for o, k in zip(out, kernel, strict=True))
    return {
        "X": draw.normal(n, c_in, height, width),
        "W": draw.nonzero(c_out, c_in, *kernel),
        "dY": draw.nonzero(n, c_out, *out),
        "stride": stride,
        "padding": padding,
        "b": draw.nonzero(c_out),
    }


def _kernel_gradient(X: Any, W: Any, dY: Any, stride: int, padding: int) -> Any:
    """The sum over images and positions of upstream gradient times window."""
    windows = _windows(_padded(X, padding), W.shape[2:], stride)[..., : dY.shape[2], : dY.shape[3]]
    return np.einsum("nkuvrc,norc->okuv", windows, dY)


def _border_gradient(X: Any, W: Any, dY: Any, stride: int, padding: int, *, add: bool = True) -> Any:
    """The gradient of the images with their border: every window gets back upstream gradient times weight."""
    return _put_back(np.einsum("okuv,norc->nkuvrc", W, dY), _padded(X, padding), stride, add=add)


def _inside(padded: Any, like: Any, first: int) -> Any:
    """As many rows and columns as the images have, from this one on."""
    height, width = like.shape[2:]
    return padded[:, :, first : first + height, first : first + width]


_FIX_CODE = '''\
def conv2d_backward(X, W, dY, stride, padding):
    """Gradients of a convolution. X (n, c_in, h, w), W (c_out, c_in, k_h, k_w), dY (n, c_out, out_h, out_w).

    Returns dX (n, c_in, h, w), dW (c_out, c_in, k_h, k_w), db (c_out,).
    """
    h, w = X.shape[2:]
    k_h, k_w = W.shape[2:]
    out_h, out_w = dY.shape[2:]
    border = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(X, border)
    dpadded = np.zeros(padded.shape)
    dW = np.zeros(W.shape)
    for r in range(out_h):
        for c in range(out_w):
            rows = slice(r * stride, r * stride + k_h)
            columns = slice(c * stride, c * stride + k_w)
            window = padded[:, :, rows, columns]  # (n, c_in, k_h, k_w)
            upstream = dY[:, :, r, c]  # (n, c_out)
            dW += np.einsum("no,nkuv->okuv", upstream, window)
            dpadded[:, :, rows, columns] = np.einsum("no,okuv->nkuv", upstream, W)
    dX = dpadded[:, :, :h, :w]
    db = dY.sum(axis=(2, 3))
    return dX, dW, db
'''

_CONV2D = Exercise(
    id="09.conv2d_backward",
    title="Repair the backward pass of a convolution",
    points=3,
    function="conv2d_backward",
    kind=Fix(planted=("overlaps_overwritten", "cut_on_the_right", "db_not_over_batch"), code=_FIX_CODE),
    inputs=("X", "W", "dY", "stride", "padding"),
    returns=("dX", "dW", "db"),
    draw=_images,
    loss=lambda X, W, dY, stride, padding, b: np.sum(dY * (_convolve(X, W, stride, padding) + b[:, None, None])),
    steps=(
        Step(
            "dW",
            lambda X, W, dY, stride, padding: _kernel_gradient(X, W, dY, stride, padding),
            mistakes={
                "dW_flipped": (
                    lambda X, W, dY, stride, padding: _kernel_gradient(X, W, dY, stride, padding)[..., ::-1, ::-1],
                    _KERNEL_GRADIENT_FLIPPED,
                ),
                "dW_stride_ignored": (
                    lambda X, W, dY, padding: _kernel_gradient(X, W, dY, 1, padding),
                    "The windows are read one pixel apart. In the forward pass the kernel moved by the stride, so it "
                    "met other pixels.",
                ),
                "dW_last_position": (
                    lambda X, W, dY, stride, padding: _kernel_gradient(X, W, _last_position(dY), stride, padding),
                    "Only the last position is left: the loop writes over what the positions before it had brought. "
                    "The kernel is used at all of them.",
                ),
                "dW_last_image": (
                    lambda X, W, dY, stride, padding: _kernel_gradient(X, W, _alone(dY, -1), stride, padding),
                    _LAST_IMAGE,
                ),
                "dW_mean_over_batch": (
                    lambda X, W, dY, stride, padding: _kernel_gradient(X, W, dY, stride, padding) / len(X),
                    _BATCH_MEAN_TWICE,
                ),
                "dW_channels_exchanged": (
                    lambda X, W, dY, stride, padding: _kernel_gradient(X, W, dY, stride, padding).swapaxes(0, 1),
                    "Input and output channels are exchanged. A gradient has the shape of what it belongs to: output "
                    "channels first.",
                ),
                "dW_channels_summed": (
                    lambda X, W, dY, stride, padding: _kernel_gradient(_same_in_all(X), W, dY, stride, padding),
                    "All input channels get the same gradient, the sum over them. The forward pass sums over the "
                    "channels, but each has weights of its own, and each weight multiplies its own channel only.",
                ),
            },
        ),
        Step(
            "dpadded",
            lambda X, W, dY, stride, padding: _border_gradient(X, W, dY, stride, padding),
            mistakes={
                "overlaps_overwritten": (
                    lambda X, W, dY, stride, padding: _border_gradient(X, W, dY, stride, padding, add=False),
                    _OVERWRITTEN,
                ),
                "dX_stride_ignored": (
                    lambda X, W, dY, padding: _border_gradient(X, W, dY, 1, padding),
                    _STRIDE_IGNORED,
                ),
                "dX_kernel_flipped": (
                    lambda X, W, dY, stride, padding: _border_gradient(X, W[..., ::-1, ::-1], dY, stride, padding),
                    "The kernel lies the wrong way round in every window. Where whole windows are put back, each "
                    "weight goes where it was read; the turning round comes about by itself.",
                ),
                "dX_last_kernel_only": (
                    lambda X, W, dY, stride, padding: _border_gradient(X, _alone(W, -1), dY, stride, padding),
                    "Only the last output channel sends its gradient back. A pixel is read by every kernel; sum over "
                    "the output channels.",
                ),
                "dX_weights_left_out": (
                    lambda X, W, dY, stride, padding: _border_gradient(X, np.ones(W.shape), dY, stride, padding),
                    _WEIGHTS_LEFT_OUT,
                ),
                "dX_channels_summed": (
                    lambda X, W, dY, stride, padding: _border_gradient(X, _same_in_all(W), dY, stride, padding),
                    "All input channels get the same gradient. Each channel has weights of its own in every kernel, "
                    "and the gradient of a channel is made with those alone.",
                ),
            },
        ),
        Step(
            "dX",
            lambda dpadded, X, padding: _inside(dpadded, X, padding),
            mistakes={
                "padding_kept": (lambda dpadded: dpadded, _PADDING_KEPT),
                "cut_on_the_right": (lambda dpadded, X: _inside(dpadded, X, 0), _CUT_ON_ONE_SIDE),
                "cut_on_the_left": (lambda dpadded, X, padding: _inside(dpadded, X, 2 * padding), _CUT_ON_ONE_SIDE),
            },
        ),
        Step(
            "db",
            lambda dY: dY.sum(axis=(0, 2, 3)),
            mistakes={
                "db_not_over_batch": (lambda dY: dY.sum(axis=(2, 3)), _BIAS_NOT_OVER_BATCH),
                "db_not_over_positions": (lambda dY: dY.sum(axis=0), _BIAS_NOT_OVER_POSITIONS),
                "db_mean": (lambda dY: dY.mean(axis=(0, 2, 3)), _BIAS_MEAN),
                "db_mean_over_batch": (lambda dY: dY.sum(axis=(2, 3)).mean(axis=0), _BATCH_MEAN_TWICE),
                "db_last_image": (lambda dY: dY[-1].sum(axis=(1, 2)), _LAST_IMAGE),
                "db_channels_summed": (
                    lambda dY: np.full(dY.shape[1], dY.sum()),
                    "All biases get the same gradient. Every output channel has a bias of its own, which moves that "
                    "channel and no other.",
                ),
            },
        ),
    ),
    hints=(
        "Compare with exercise 4, which did the same for a row of numbers. Which three places differ from it?",
        "Pixels that several windows read get a sum. The padding lies on all four sides. The bias is shared by all "
        "images and all positions.",
        "`dpadded[:, :, rows, columns] += ...`; `dX = dpadded[:, :, padding : padding + h, padding : padding + w]`; "
        "`db = dY.sum(axis=(0, 2, 3))`.",
    ),
    objective="Find and repair mistakes in the backward pass of a 2-D convolution",
    difficulty=2,
    minutes=10,
)


def _columns(draw: Draw) -> Environment:
    n, size, positions, c_out = draw.sizes(4)
    return {
        "columns": draw.normal(n, size, positions),
        "W_rows": draw.nonzero(c_out, size),
        "dY_rows": draw.nonzero(n, c_out, positions),
        "b": draw.nonzero(c_out),
    }


_COLUMNS = Exercise(
    id="09.columns_backward",
    title="Back through the product of kernels and columns",
    points=2,
    function="columns_backward",
    inputs=("columns", "W_rows", "dY_rows"),
    returns=("dW_rows", "dcolumns", "db"),
    draw=_columns,
    loss=lambda columns, W_rows, dY_rows, b: np.sum(dY_rows * (W_rows @ columns + b[:, None])),
    steps=(
        Step(
            "dW_rows",
            lambda columns, dY_rows: np.einsum("nop,nkp->ok", dY_rows, columns),
            mistakes={
                "dW_not_over_batch": (
                    lambda columns, dY_rows: np.einsum("nop,nkp->nok", dY_rows, columns),
                    "There is still one gradient for every image. The images share the kernels, so the contributions "
                    "add up.",
                ),
                "dW_transposed": (
                    lambda columns, dY_rows: np.einsum("nop,nkp->ko", dY_rows, columns),
                    "Rows and columns are exchanged: a gradient has the shape of what it belongs to, one row per "
                    "kernel.",
                ),
                "dW_mean_over_batch": (
                    lambda columns, dY_rows: np.einsum("nop,nkp->ok", dY_rows, columns) / len(columns),
                    _BATCH_MEAN_TWICE,
                ),
                "dW_last_image": (lambda columns, dY_rows: dY_rows[-1] @ columns[-1].T, _LAST_IMAGE),
                "dW_windows_summed_first": (
                    lambda columns, dY_rows: np.einsum("nop,nk->ok", dY_rows, columns.sum(axis=2)),
                    "All windows were added up before they met the upstream gradient. Each window belongs to the one "
                    "output it made: multiply first, then sum.",
                ),
            },
        ),
        Step(
            "dcolumns",
            lambda W_rows, dY_rows: W_rows.T @ dY_rows,
            mistakes={
                "W_not_transposed": (
                    lambda W_rows, dY_rows: W_rows @ dY_rows,
                    "The kernels send the columns forward; on the way back their rows and columns change roles. A "
                    "column's gradient has one number per weight of a kernel, each a sum over the kernels.",
                ),
                "dcolumns_summed_over_batch": (
                    lambda W_rows, dY_rows: W_rows.T @ dY_rows.sum(axis=0),
                    "The images' gradients were added up. The images share the kernels, not their pixels: every image "
                    "keeps a gradient of its own.",
                ),
                "dcolumns_transposed": (
                    lambda W_rows, dY_rows: (W_rows.T @ dY_rows).swapaxes(1, 2),
                    "The windows of an image stand in rows here. In `columns` each is a column, and the gradient has "
                    "the same shape.",
                ),
                "dcolumns_last_kernel_only": (
                    lambda W_rows, dY_rows: W_rows[-1][:, None] * dY_rows[:, -1:],
                    "Only the last kernel sends its gradient back. Every kernel reads every window; sum over the "
                    "kernels.",
                ),
            },
        ),
        Step(
            "db",
            lambda dY_rows: dY_rows.sum(axis=(0, 2)),
            share=0.5,
            mistakes={
                "db_not_over_batch": (lambda dY_rows: dY_rows.sum(axis=2), _BIAS_NOT_OVER_BATCH),
                "db_not_over_positions": (lambda dY_rows: dY_rows.sum(axis=0), _BIAS_NOT_OVER_POSITIONS),
                "db_mean": (lambda dY_rows: dY_rows.mean(axis=(0, 2)), _BIAS_MEAN),
                "db_wrong_axis": (
                    lambda dY_rows: dY_rows.sum(axis=(0, 1)),
                    "There is one number per position, and the kernels were summed. A bias belongs to a kernel: which "
                    "axis has to stay?",
                ),
            },
        ),
    ),
    hints=(
        "For one image this is the layer of lesson 05: a matrix of weights times a matrix with a column per sample. "
        "What are the two gradients of a product of matrices?",
        "For one image, dW = dY columnsᵀ and dcolumns = Wᵀ dY. The kernels are shared by all images; the columns are "
        "not.",
        '`np.einsum("nop,nkp->ok", dY_rows, columns)`, `W_rows.T @ dY_rows` and `dY_rows.sum(axis=(0, 2))`.',
    ),
    objective="Differentiate a convolution as a matrix product",
    difficulty=2,
    minutes=6,
)

# --- Pooling ----------------------------------------------------------------------------------------------------------


def _pooled(draw: Draw) -> Environment:
    n, channels = _few(draw, 2)
    size, stride, out = 3, 2, (2, 3)
    height, width = (_pixels(o, size, stride, rest=draw.integer(0, 1)) for o in out)
    X = draw.normal(n, channels, height, width)
    X[0, 0, 2, 2] = draw.uniform(3, 4)  # the largest of four windows
    return {"X": X, "dY": draw.nonzero(n, channels, *out), "size": size, "stride": stride}


def _largest(X: Any, size: int, stride: int) -> Any:
    """Max pooling; the real part chooses."""
    windows = _windows(X, (size, size), stride)
    entries = windows.reshape(*windows.shape[:2], size * size, *windows.shape[4:])
    return np.take_along_axis(entries, entries.real.argmax(axis=2, keepdims=True), axis=2)[:, :, 0]


def _shares(dY: Any, size: int) -> Any:
    """The upstream gradients once for every entry of their windows."""
    return np.broadcast_to(dY[:, :, None, None], (*dY.shape[:2], size, size, *dY.shape[2:]))


def _first_entry(size: int) -> Any:
    """1 in the upper left corner of a window, as one of many windows."""
    corner = np.zeros((size, size, 1, 1))
    corner[0, 0] = 1
    return corner


def _coverage(X: Any, dY: Any, size: int, stride: int) -> Any:
    """How many windows read each pixel; 1 where none does."""
    return np.maximum(_put_back(_shares(np.ones(dY.shape), size), X, stride), 1)


_AVERAGE = Exercise(
    id="09.average_pool_backward",
    title="The gradient of average pooling",
    points=2,
    function="average_pool_backward",
    inputs=("X", "dY", "size", "stride"),
    returns=("dX",),
    draw=_pooled,
    loss=lambda X, dY, size, stride: np.sum(dY * _windows(X, (size, size), stride).mean(axis=(2, 3))),
    steps=(
        Step(
            "share",
            lambda dY, size: dY / size**2,
            mistakes={
                "without_the_division": (
                    lambda dY: dY,
                    "Every entry gets the whole upstream gradient. The mean divides by the number of entries, and that "
                    "factor stays when it is differentiated.",
                ),
                "divided_by_one_side": (
                    lambda dY, size: dY / size,
                    "It is divided by the length of one side. How many entries does a square window have?",
                ),
                "divided_by_outputs": (
                    lambda dY: dY / (dY.shape[2] * dY.shape[3]),
                    "It is divided by the number of windows. A mean is taken inside each window: count its entries.",
                ),
                "divided_by_stride": (
                    lambda dY, stride: dY / stride**2,
                    "The stride says how far the windows lie apart. The mean is taken over the entries of one window, "
                    "however far it moves.",
                ),
            },
        ),
        Step(
            "dX",
            lambda X, share, size, stride: _put_back(_shares(share, size), X, stride),
            mistakes={
                "overlaps_overwritten": (
                    lambda X, share, size, stride: _put_back(_shares(share, size), X, stride, add=False),
                    _OVERWRITTEN,
                ),
                "stride_ignored": (
                    lambda X, share, size: _put_back(_shares(share, size), X, 1),
                    _STRIDE_IGNORED,
                ),
                "first_entry_only": (
                    lambda X, share, size, stride: _put_back(_shares(share, size) * _first_entry(size), X, stride),
                    "Only the upper left entry of each window gets something. The mean depends on all entries alike.",
                ),
                "averaged_over_windows": (
                    lambda X, dY, share, size, stride: (
                        _put_back(_shares(share, size), X, stride) / _coverage(X, dY, size, stride)
                    ),
                    "Where windows overlap, their contributions are averaged. They are paths to the loss, and paths "
                    "add up.",
                ),
                "channels_summed": (
                    lambda X, share, size, stride: _same_in_all(_put_back(_shares(share, size), X, stride)),
                    "The channels have been added up. Pooling works in every channel by itself, forwards and "
                    "backwards.",
                ),
            },
        ),
    ),
    hints=(
        "How much does the mean of a window move when one of its entries moves by ε?",
        "Each entry of a window gets the same share of the window's upstream gradient. Windows that overlap add up.",
        "`share = dY / size**2`; for every `r` and `c`, with the rows and columns of the window: `dX[:, :, rows, "
        "columns] += share[:, :, r, c, None, None]`.",
    ),
    objective="Send a gradient back through average pooling",
    difficulty=2,
    minutes=6,
)


def _winners(X: Any, size: int, stride: int, key: Any = lambda windows: windows) -> Any:
    """1 at the entry of every window with the largest key, 0 elsewhere."""
    windows = key(_windows(X, (size, size), stride))
    return (windows == windows.max(axis=(2, 3), keepdims=True)).astype(float)


def _winner_written_over(X: Any, winners: Any, shares: Any, stride: int) -> Any:
    """Every window's share written to its winning entries, over what another window has left there."""
    dX = np.zeros(X.shape)
    height, width = winners.shape[2:4]
    for r, c in np.ndindex(winners.shape[4:]):
        place = (..., slice(r * stride, r * stride + height), slice(c * stride, c * stride + width))
        dX[place] = np.where(winners[..., r, c] != 0, shares[..., r, c], dX[place])
    return dX


_MAXIMUM = Exercise(
    id="09.max_pool_backward",
    title="The gradient of max pooling",
    points=3,
    function="max_pool_backward",
    inputs=("X", "dY", "size", "stride"),
    returns=("dX",),
    draw=_pooled,
    loss=lambda X, dY, size, stride: np.sum(dY * _largest(X, size, stride)),
    steps=(
        Step(
            "winners",
            lambda X, size, stride: _winners(X, size, stride),
            mistakes={
                "every_entry": (
                    lambda X, size, stride: np.ones_like(_windows(X, (size, size), stride)),
                    "Every entry of a window gets the upstream gradient. Move one that is not the largest a little: "
                    "does the output move?",
                ),
                "smallest_entry": (
                    lambda X, size, stride: _winners(X, size, stride, np.negative),
                    "The smallest entry of each window gets the gradient. Which entry decides the output?",
                ),
                "largest_in_size": (
                    lambda X, size, stride: _winners(X, size, stride, np.abs),
                    "The entry that is largest in absolute value was taken. The maximum asks for the largest number, "
                    "sign included.",
                ),
                "first_entry": (
                    lambda X, size, stride: np.zeros_like(_windows(X, (size, size), stride)) + _first_entry(size),
                    "The upper left entry of each window gets the gradient, whatever it is. It belongs to the entry "
                    "that the forward pass has chosen.",
                ),
                "equal_shares": (
                    lambda X, size, stride: np.full_like(_windows(X, (size, size), stride), 1 / size**2),
                    "That is the gradient of average pooling. The maximum depends on one entry of each window only.",
                ),
                "largest_of_the_image": (
                    lambda X, size, stride: (
                        _windows(X, (size, size), stride) == X.max(axis=(2, 3))[..., None, None, None, None]
                    ).astype(float),
                    "Only the largest pixel of a whole channel gets something. Every window has a largest entry of its "
                    "own.",
                ),
            },
        ),
        Step(
            "shares",
            lambda winners, dY: winners * dY[:, :, None, None],
            mistakes={
                "without_upstream": (
                    lambda winners: winners,
                    "That is the local derivative: 1 for the largest entry, 0 for the others. It still has to be "
                    "multiplied by what arrives from above.",
                ),
                "times_the_value": (
                    lambda winners, dY, X, size, stride: (
                        winners * dY[:, :, None, None] * _windows(X, (size, size), stride)
                    ),
                    "The upstream gradient was multiplied by the largest entry itself. The output *is* that entry: how "
                    "fast does a number change with itself?",
                ),
            },
        ),
        Step(
            "dX",
            lambda X, shares, stride: _put_back(shares, X, stride),
            mistakes={
                "windows_overwritten": (
                    lambda X, shares, stride: _put_back(shares, X, stride, add=False),
                    "Each window was written over the ones before it, its zeros too. Where windows overlap, their "
                    "contributions add up.",
                ),
                "shared_winner_overwritten": (
                    lambda X, winners, shares, stride: _winner_written_over(X, winners, shares, stride),
                    "An entry that is the largest of several windows has the gradient of the last one only. Each of "
                    "these windows is a path to the loss, and paths add up.",
                ),
                "stride_ignored": (lambda X, shares: _put_back(shares, X, 1), _STRIDE_IGNORED),
            },
        ),
    ),
    hints=(
        "Change one entry of a window a little. In which case does the largest one change, and how fast?",
        "The largest entry has the local derivative 1, the others 0: the whole upstream gradient goes to it. An entry "
        "can win in several windows.",
        "For every image, channel, `r` and `c`: find the row and column of the largest entry of the window (for "
        "instance with `np.unravel_index(window.argmax(), window.shape)`) and *add* `dY[i, k, r, c]` there.",
    ),
    objective="Send a gradient back through max pooling",
    difficulty=3,
    minutes=8,
)

# --- The whole network ------------------------------------------------------------------------------------------------

_ORDER = order(
    "09.order_backward",
    title="The backward pass of a small CNN, line by line",
    points=2,
    function="backward_order",
    question=(
        "The forward pass was `Z1 = conv2d(X, W1, b1)`, `A1 = relu(Z1)`, `P1 = max_pool2d(A1, 2)`, `F = P1.reshape(n, "
        "-1)`, `Z2 = F @ W2.T + b2`, and the loss is the cross-entropy of `softmax(Z2)`, mean over the batch. Put the "
        "lines of the backward pass, with the update of W2, in an order that computes right. Some lines are wrong and "
        "stay out."
    ),
    lines=(
        Line(
            "dZ2",
            "`dZ2 = (softmax(Z2) - Y) / n`",
            wrong={
                "no_one_at_the_label": (
                    "`dZ2 = softmax(Z2) / n`",
                    "Softmax and cross-entropy together give the probabilities minus 1 at the label: the target has to "
                    "appear somewhere.",
                ),
            },
        ),
        Line("dW2", "`dW2 = dZ2.T @ F`", after=("dZ2",)),
        Line(
            "dF",
            "`dF = dZ2 @ W2`",
            after=("dZ2",),
            wrong={
                "gradient_sent_forward": (
                    "`dF = dZ2 @ W2.T`",
                    "That is the product of the forward pass. Count: dF has one column per input of the dense layer.",
                ),
            },
        ),
        Line(
            "W2",
            "`W2 = W2 - rate * dW2`",
            after=("dW2", "dF"),
            wrong={
                "uphill": (
                    "`W2 = W2 + rate * dW2`",
                    "The gradient points uphill, and gradient descent goes the other way.",
                ),
            },
        ),
        Line("dP1", "`dP1 = dF.reshape(P1.shape)`", after=("dF",)),
        Line(
            "dA1",
            "`dA1 = max_pool2d_gradient(A1, dP1, 2)`",
            after=("dP1",),
            wrong={
                "gradient_pooled": (
                    "`dA1 = max_pool2d(dP1, 2)`",
                    "Pooling the gradient makes it still smaller. The backward pass puts every number back where the "
                    "forward pass has taken the largest entry from.",
                ),
            },
        ),
        Line(
            "dZ1",
            "`dZ1 = dA1 * (Z1 > 0)`",
            after=("dA1",),
            wrong={
                "mask_of_the_gradient": (
                    "`dZ1 = dA1 * (dA1 > 0)`",
                    "The ReLU looked at Z1 on the way forward. Its mask on the way back is the same one, whatever sign "
                    "the gradient has.",
                ),
            },
        ),
        Line(
            "dW1",
            "`dW1 = conv2d_gradients(X, W1, dZ1).dW`",
            after=("dZ1",),
            wrong={
                "kernel_gradient_from_A1": (
                    "`dW1 = conv2d_gradients(A1, W1, dZ1).dW`",
                    "The kernels slid over the images X. A1 is what came out.",
                ),
            },
        ),
    ),
    misplaced={
        "W2_updated_too_early": (
            "W2",
            "dF",
            "W2 is updated before it has sent the gradient back. All gradients belong to the same point: dF needs the "
            "weights of the forward pass.",
        ),
    },
    hints=(
        "Begin at the loss. Which line needs nothing but what the forward pass has left?",
        "Go through the forward pass from the end: dense layer, reshape, pooling, ReLU, convolution. A line can stand "
        "only after those whose values it uses.",
        "dZ2; then dW2 and dF; then the update of W2 (anywhere after these two); dP1; dA1; dZ1; dW1.",
    ),
    objective="Put the backward pass of a CNN in order",
    difficulty=2,
    minutes=5,
)


def _network(draw: Draw) -> Environment:
    n, c, c1, d = draw.integer(5, 6), 2, 3, 4
    if len(set(draw.sizes(2))) == 1:
        d = c1 * 2 * 3  # square weights were asked for
    X = draw.normal(n, c, 5, 8)
    return {
        "X": X,
        "Y": np.eye(d)[draw.rng.integers(0, d, n)],
        "W1": draw.nonzero(c1, c, 2, 3) / 2,
        "b1": draw.nonzero(c1) / 2,
        "W2": draw.nonzero(d, c1 * 2 * 3) / 2,
        "b2": draw.nonzero(d),
    }


def _enlarged(P1: Any) -> Any:
    """Every pooled entry once for each of the four entries of its window."""
    return np.repeat(np.repeat(P1, 2, axis=2), 2, axis=3)


def _cnn_loss(X: Any, Y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    """Cross-entropy of softmax, mean over the batch."""
    Z1 = _convolve(X, W1) + b1[:, None, None]
    F = _largest(np.where(Z1.real > 0, Z1, 0), 2, 2).reshape(len(X), -1)
    Z2 = F @ W2.T + b2
    return np.sum(np.log(np.sum(np.exp(Z2), axis=1)) - np.sum(Y * Z2, axis=1)) / len(X)


_CNN = Exercise(
    id="09.cnn_backward",
    title="The whole backward pass of a small CNN",
    points=5,
    function="cnn_backward",
    inputs=("X", "Y", "W1", "b1", "W2", "b2"),
    returns=("dW1", "db1", "dW2", "db2"),
    draw=_network,
    loss=_cnn_loss,
    steps=(
        Step("Z1", lambda X, W1, b1: _convolve(X, W1) + b1[:, None, None], share=0),
        Step("A1", lambda Z1: np.maximum(Z1, 0), share=0),
        Step("P1", lambda A1: _largest(A1, 2, 2), share=0),
        Step("A2", lambda P1, W2, b2: softmax(P1.reshape(len(P1), -1) @ W2.T + b2), share=0),
        Step(
            "error",
            lambda A2, Y: A2 - Y,
            mistakes={
                "no_one_at_the_label": (
                    lambda A2: A2,
                    "The labels are missing. Softmax and cross-entropy together give the probabilities minus 1 at the "
                    "label; each row of the result sums to 0.",
                ),
                "negated_error": (
                    lambda A2, Y: Y - A2,
                    "The sign is turned round: the loss falls when the probability of the label grows, so its "
                    "derivative there is negative.",
                ),
                "jacobian_diagonal_only": (
                    lambda A2, Y: -Y * (1 - A2),
                    "Only the diagonal of softmax's Jacobian was used. Raising one entry of Z2 lowers the "
                    "probabilities of all other classes, so each row of dZ2 sums to 0.",
                ),
                "softmax_slope_kept": (
                    lambda A2, Y: (A2 - Y) * A2 * (1 - A2),
                    "A slope of the output was multiplied in although it has cancelled: with cross-entropy, softmax "
                    "minus label is already the derivative with respect to Z2.",
                ),
            },
        ),
        Step(
            "dZ2",
            lambda error: error / len(error),
            share=0.5,
            mistakes={
                "forgot_mean": (
                    lambda error: error,
                    "The loss is a mean over the images, and its 1/n stays when it is differentiated: every gradient "
                    "is too large by the number of images.",
                ),
                "mean_over_entries": (
                    lambda error: error / error.size,
                    "It is divided by the number of all entries. The loss is a mean over the images and a sum over the "
                    "classes.",
                ),
            },
        ),
        Step(
            "dW2",
            lambda dZ2, P1: dZ2.T @ P1.reshape(len(P1), -1),
            mistakes={
                "dW2_transposed": (
                    lambda dZ2, P1: P1.reshape(len(P1), -1).T @ dZ2,
                    "Rows and columns are exchanged. A gradient has the shape of what it belongs to: one row per "
                    "class.",
                ),
                "dW2_last_image": (lambda dZ2, P1: np.outer(dZ2[-1], P1[-1]), _LAST_IMAGE),
                "dW2_mean_twice": (
                    lambda dZ2, P1: dZ2.T @ P1.reshape(len(P1), -1) / len(P1),
                    _BATCH_MEAN_TWICE,
                ),
                "dW2_channels_last": (
                    lambda dZ2, P1: dZ2.T @ P1.transpose(0, 2, 3, 1).reshape(len(P1), -1),
                    "The pixels of F stand in another order than in the forward pass: flatten P1 as it is, without "
                    "moving its axes.",
                ),
            },
        ),
        Step(
            "db2",
            lambda dZ2: dZ2.sum(axis=0),
            share=0.5,
            mistakes={
                "db2_not_summed": (lambda dZ2: dZ2, _BIAS_NOT_OVER_BATCH),
                "db2_wrong_axis": (
                    lambda dZ2: dZ2.sum(axis=1),
                    "The classes were summed instead of the images. b2 has one entry per class.",
                ),
                "db2_mean": (lambda dZ2: dZ2.mean(axis=0), _BATCH_MEAN_TWICE),
            },
        ),
        Step(
            "dP1",
            lambda dZ2, W2, P1: (dZ2 @ W2).reshape(P1.shape),
            mistakes={
                "sent_back_error": (
                    lambda error, W2, P1: (error @ W2).reshape(P1.shape),
                    "The gradient that goes back to the first layer has lost the 1/n that dZ2 has. Use the same dZ2 "
                    "for both layers.",
                ),
                "updated_W2_too_early": (
                    lambda dZ2, W2, dW2, P1: (dZ2 @ (W2 - dW2)).reshape(P1.shape),
                    "All gradients belong to the same point. W2 seems to have been updated before it was used to send "
                    "the gradient back.",
                ),
                "dP1_channels_last": (
                    lambda dZ2, W2, P1: (dZ2 @ W2).reshape(len(P1), *P1.shape[2:], P1.shape[1]).transpose(0, 3, 1, 2),
                    "The numbers were unpacked in another order than they were packed. The forward pass flattened "
                    "(channels, height, width); go back to just that shape.",
                ),
            },
        ),
        Step(
            "dA1",
            lambda A1, dP1: max_pool2d_gradient(A1, dP1, 2),
            mistakes={
                "pool_to_every_entry": (
                    lambda dP1: _enlarged(dP1),
                    "All four entries of a window get the gradient. Only the largest one decides the output.",
                ),
                "pool_equal_shares": (
                    lambda dP1: _enlarged(dP1) / 4,
                    "That is the backward pass of average pooling. Here the largest entry of each window gets "
                    "everything.",
                ),
                "pool_first_entry": (
                    lambda dP1: _put_back(_shares(dP1, 2) * _first_entry(2), np.zeros((*dP1.shape[:2], 4, 6)), 2),
                    "The upper left entry of each window gets the gradient, whatever it is. It belongs to the largest "
                    "one.",
                ),
            },
        ),
        Step(
            "dZ1",
            lambda dA1, Z1: dA1 * (Z1 > 0),
            mistakes={
                "no_relu_mask": (
                    lambda dA1: dA1,
                    "The ReLU is missing on the way back: where it has cut a number off, the output does not react, "
                    "and no gradient passes.",
                ),
                "no_relu_mask_and_all_ties": (
                    lambda A1, P1, dP1: _enlarged(dP1) * (_enlarged(P1) == A1),
                    "The ReLU is missing on the way back. It shows where a whole window was cut off: there all four "
                    "entries are 0, and none of them lets a gradient pass.",
                ),
                "mask_of_the_gradient": (
                    lambda dA1: dA1 * (dA1 > 0),
                    "The mask was taken from the gradient's own sign. The ReLU looked at Z1 on the way forward; its "
                    "mask on the way back is the same one.",
                ),
                "relu_as_factor": (
                    lambda dA1, A1: dA1 * A1,
                    "The gradient was multiplied by the activation. The slope of the ReLU is 1 where it lets a number "
                    "pass, and 0 elsewhere.",
                ),
                "mask_turned_round": (
                    lambda dA1, Z1: dA1 * (Z1 <= 0),
                    "The mask is turned round: the gradient passes where the ReLU has cut off.",
                ),
            },
        ),
        Step(
            "dW1",
            lambda X, W1, dZ1: conv2d_gradients(X, W1, dZ1).dW,
            mistakes={
                "dW1_flipped": (
                    lambda X, W1, dZ1: conv2d_gradients(X, W1, dZ1).dW[..., ::-1, ::-1],
                    _KERNEL_GRADIENT_FLIPPED,
                ),
                "dW1_from_dA1": (
                    lambda X, W1, dA1: conv2d_gradients(X, W1, dA1).dW,
                    "The kernels act before the ReLU. This gradient starts behind it, so a link of the chain is "
                    "missing.",
                ),
                "dW1_mean_twice": (
                    lambda X, W1, dZ1: conv2d_gradients(X, W1, dZ1).dW / len(X),
                    _BATCH_MEAN_TWICE,
                ),
                "dW1_last_image": (
                    lambda X, W1, dZ1: conv2d_gradients(X[-1:], W1, dZ1[-1:]).dW,
                    _LAST_IMAGE,
                ),
                "dW1_channels_exchanged": (
                    lambda X, W1, dZ1: conv2d_gradients(X, W1, dZ1).dW.swapaxes(0, 1),
                    "Input and output channels are exchanged. A gradient has the shape of what it belongs to.",
                ),
            },
        ),
        Step(
            "db1",
            lambda dZ1: dZ1.sum(axis=(0, 2, 3)),
            share=0.5,
            mistakes={
                "db1_not_over_batch": (lambda dZ1: dZ1.sum(axis=(2, 3)), _BIAS_NOT_OVER_BATCH),
                "db1_not_over_positions": (lambda dZ1: dZ1.sum(axis=0), _BIAS_NOT_OVER_POSITIONS),
                "db1_mean": (lambda dZ1: dZ1.mean(axis=(0, 2, 3)), _BIAS_MEAN),
                "db1_from_dA1": (
                    lambda dA1: dA1.sum(axis=(0, 2, 3)),
                    "b1 is added before the ReLU. This gradient starts behind it, so a link of the chain is missing.",
                ),
                "db1_last_image": (lambda dZ1: dZ1[-1].sum(axis=(1, 2)), _LAST_IMAGE),
            },
        ),
    ),
    hints=(
        "You have put the lines in order in exercise 10. What does each line need from the forward pass? Compute and "
        "keep that first.",
        "dZ2 is softmax minus label, divided by n. Then dense layer, reshape, pooling, ReLU, convolution, each with "
        "its own rule; every parameter gets its gradient when its layer is reached.",
        "`dP1 = (dZ2 @ W2).reshape(P1.shape)`, `dA1 = max_pool2d_gradient(A1, dP1, 2)`, `dZ1 = dA1 * (Z1 > 0)`, `_, "
        "dW1, db1 = conv2d_gradients(X, W1, dZ1)`.",
    ),
    objective="Write the backward pass of a convolutional network",
    difficulty=3,
    minutes=12,
)

EXERCISES = [
    _BY_HAND,
    _CONV1D,
    _OVERLAP,
    _STRIDED,
    _SHAPES,
    _CONV2D,
    _COLUMNS,
    _AVERAGE,
    _MAXIMUM,
    _ORDER,
    _CNN,
]
