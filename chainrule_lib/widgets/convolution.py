"""A kernel that slides over an image, and the gradient that its windows leave behind (lesson 09).

The loss is the sum of all outputs, so the upstream gradient is 1 everywhere, and the gradient of a pixel is the sum of
the weights that it meets: in every window that reads it, one. The kernel's weights are 1 to 9, each a different one, so
that every sum can be followed by eye.
"""

from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from chainrule_lib._arrays import Array
from chainrule_lib.convolution import conv2d
from chainrule_lib.widgets._explorer import BLUE, GREY, ORANGE, View, explorer, new_figure

IMAGE = np.array(
    [
        [1.0, 0.0, 2.0, 1.0, 0.0, 1.0],
        [0.0, 3.0, 1.0, 0.0, 2.0, 0.0],
        [2.0, 1.0, 0.0, 1.0, 1.0, 3.0],
        [0.0, 1.0, 2.0, 0.0, 3.0, 1.0],
        [1.0, 0.0, 1.0, 2.0, 0.0, 0.0],
        [3.0, 1.0, 0.0, 1.0, 0.0, 2.0],
    ]
)
KERNEL = np.arange(1.0, 10.0).reshape(3, 3)


class ConvolutionValues(NamedTuple):
    """Where the kernel stands, what it makes there, and what the windows so far have left behind.

    Attributes:
        padded: the image with its border of zeros.
        output: all outputs, (out_height, out_width).
        position: row and column of the output that is being made.
        window: the entries that it reads, in the shape of the kernel.
        corner: row and column of the window's first entry in the padded image.
        gradient: in the shape of `padded`, the contributions of the windows up to this one, added up.
        reads: in the shape of `padded`, how many of these windows read an entry.
    """

    padded: Array
    output: Array
    position: tuple[int, int]
    window: Array
    corner: tuple[int, int]
    gradient: Array
    reads: Array


def convolution_values(step: int, stride: int, padding: int) -> ConvolutionValues:
    """The kernel at one of its positions; the loss is the sum of all outputs.

    Args:
        step: the number of the window, row by row, from 1; the last one where there are fewer.
        stride: in pixels.
        padding: in pixels, on every side.

    Returns:
        The values.
    """
    padded = np.pad(IMAGE, padding)
    output = conv2d(IMAGE[None, None], KERNEL[None, None], [0.0], stride=stride, padding=padding)[0, 0]
    last = min(step, output.size) - 1
    gradient, reads = np.zeros(padded.shape), np.zeros(padded.shape, dtype=int)
    for number in range(last + 1):
        row, column = divmod(number, output.shape[1])
        top, left = row * stride, column * stride
        place = (slice(top, top + KERNEL.shape[0]), slice(left, left + KERNEL.shape[1]))
        gradient[place] += KERNEL
        reads[place] += 1
    return ConvolutionValues(padded, output, (row, column), padded[place], (top, left), gradient, reads)


def _draw_numbers(axes: Axes, title: str, numbers: Array, shown: Array | None = None) -> None:
    """A grid of numbers; where `shown` is False, a dot stands for a number that is not there yet."""
    height, width = numbers.shape
    for (r, c), number in np.ndenumerate(numbers):
        visible = shown is None or shown[r, c]
        axes.text(c, r, f"{number:g}" if visible else "·", ha="center", va="center", fontsize="small")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    axes.set_xticks(np.arange(width + 1) - 0.5, labels=[])
    axes.set_yticks(np.arange(height + 1) - 0.5, labels=[])
    axes.grid(color=GREY, linewidth=0.5)
    axes.tick_params(length=0)
    axes.set_title(title, fontsize="medium")


def _outline(axes: Axes, corner: tuple[float, float], size: tuple[int, int], color: str, style: str) -> None:
    """A frame around some cells; `corner` is the row and column of the first."""
    row, column = corner
    axes.add_patch(
        Rectangle(
            (column - 0.5, row - 0.5), size[1], size[0], fill=False, edgecolor=color, linewidth=2.5, linestyle=style
        )
    )


def _shade_overlaps(axes: Axes, count: Array) -> None:
    """Hatch the entries that more than one window has read."""
    for row, column in np.argwhere(count > 1):
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), 1, 1, facecolor="0.93", edgecolor="0.75", hatch="///", linewidth=0, zorder=0
            )
        )


def _convolution_view(step: int, stride: int, padding: int) -> View:
    values = convolution_values(step, stride, padding)
    windows = values.output.size
    number = min(step, windows)
    figure = new_figure(11, 3.9)
    image, kernel, output, gradient = figure.subplots(1, 4, width_ratios=[3, 1.5, 2.5, 3])
    _draw_numbers(image, "the image, with its border", values.padded)
    _outline(image, values.corner, KERNEL.shape, ORANGE, "-")
    _draw_numbers(kernel, "the kernel", KERNEL)
    done = np.arange(windows).reshape(values.output.shape) < number
    _draw_numbers(output, "the outputs so far", values.output, done)
    _outline(output, values.position, (1, 1), ORANGE, "-")
    _draw_numbers(gradient, "the image's gradient so far", values.gradient, values.reads > 0)
    _shade_overlaps(gradient, values.reads)
    _outline(gradient, values.corner, KERNEL.shape, ORANGE, "-")
    if padding:
        for axes in (image, gradient):
            _outline(axes, (padding, padding), IMAGE.shape, BLUE, "--")
    inside = np.s_[padding : padding + IMAGE.shape[0], padding : padding + IMAGE.shape[1]]
    count = values.reads[inside]
    row, column = values.position
    overlaps = int(np.sum(count > 1))
    return View(
        figure,
        "Four grids of numbers: the image with a frame around the window that is being read, the kernel, the outputs "
        "made so far, and the gradient that the windows so far have left in the image, hatched where they overlap.",
        f"Window {number} of {windows} makes the output in row {row}, column {column}: {values.output[row, column]:g}. "
        f"On the way back it adds its weights to the {KERNEL.size} entries that it has read. "
        f"So far {overlaps} of the {count.size} pixels were read more than once; there the contributions add up. "
        + ("The border inside the picture's edge, outside the dashed line, is cut off at the end." if padding else ""),
        ("quantity", "value"),
        [
            ("outputs (height × width)", f"{values.output.shape[0]} × {values.output.shape[1]}"),
            ("window times kernel, summed", f"{np.sum(values.window * KERNEL):g}"),
            ("pixels read by no window so far", str(int(np.sum(count == 0)))),
            ("pixels read by more than one", str(overlaps)),
            ("most windows that read one pixel", str(int(count.max()))),
            ("sum of the gradient, border included", f"{values.gradient.sum():g}"),
            ("number of windows × sum of weights", f"{number * KERNEL.sum():g}"),
        ],
    )


def convolution_explorer() -> Any:
    """Slide a kernel over an image and watch the gradient of the image grow window by window.

    Returns:
        An ipywidgets box with sliders for the window's number, the stride and the padding.
    """

    def whole(description: str, value: int, low: int, high: int) -> Any:
        return ipywidgets.IntSlider(description=description, value=value, min=low, max=high)

    return explorer([whole("window", 2, 1, 36), whole("stride", 2, 1, 3), whole("padding", 0, 0, 1)], _convolution_view)
