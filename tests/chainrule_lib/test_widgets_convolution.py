"""The convolution explorer: its outputs and its gradient are those of the library, and its words are true."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from chainrule_lib import conv2d, conv2d_gradients, numerical_gradient
from chainrule_lib.widgets.convolution import IMAGE, KERNEL, convolution_explorer, convolution_values

SETTINGS = pytest.mark.parametrize(("stride", "padding"), [(s, p) for s in (1, 2, 3) for p in (0, 1)])


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def controls(explorer: Any) -> dict[str, Any]:
    return {control.description: control for control in explorer.children[0].children}


def table(explorer: Any) -> dict[str, str]:
    rows = re.findall(r"<tr><th[^>]*>(.*?)</th>(.*?)</tr>", explorer.children[2].value.split("<tbody>")[1])
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", cells)[0] for name, cells in rows}


def words(explorer: Any) -> str:
    (found,) = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", explorer.children[1].value)
    return found


@SETTINGS
def test_after_the_last_window_the_gradient_is_the_library_s_and_the_complex_step_s(stride: int, padding: int) -> None:
    values = convolution_values(1000, stride, padding)
    X, W, where = IMAGE[None, None], KERNEL[None, None], {"stride": stride, "padding": padding}
    Y = conv2d(X, W, [0.0], **where)
    np.testing.assert_array_equal(values.output, Y[0, 0])
    gradient = values.gradient[padding : padding + 6, padding : padding + 6]
    np.testing.assert_array_equal(gradient, conv2d_gradients(X, W, np.ones_like(Y), **where).dX[0, 0])
    measured = numerical_gradient(lambda x: np.sum(conv2d(x[None, None], W, [0.0], **where)), IMAGE, method="complex")
    np.testing.assert_allclose(gradient, measured, atol=1e-12)
    np.testing.assert_array_equal(values.reads, counted(stride, padding))


def counted(stride: int, padding: int) -> np.ndarray:
    """How many windows read each entry of the padded image."""
    size = 6 + 2 * padding
    starts = range(0, size - 2, stride)
    along = np.array([sum(start <= i < start + 3 for start in starts) for i in range(size)])
    return np.outer(along, along)


@SETTINGS
def test_every_window_adds_the_kernel_where_it_reads(stride: int, padding: int) -> None:
    windows = convolution_values(1000, stride, padding).output.size
    for step in range(1, windows + 1):
        values = convolution_values(step, stride, padding)
        top, left = values.corner
        assert values.output[values.position] == np.sum(values.window * KERNEL)
        np.testing.assert_array_equal(values.window, values.padded[top : top + 3, left : left + 3])
        before = convolution_values(step - 1, stride, padding).gradient if step > 1 else np.zeros(values.padded.shape)
        added = values.gradient - before
        np.testing.assert_array_equal(added[top : top + 3, left : left + 3], KERNEL)
        assert added.sum() == KERNEL.sum()


def test_the_kernel_is_symmetric_in_no_axis_and_its_weights_all_differ() -> None:
    assert len(np.unique(KERNEL)) == KERNEL.size
    assert not np.array_equal(KERNEL, KERNEL[::-1])
    assert not np.array_equal(KERNEL, KERNEL[:, ::-1])


def test_the_explorer_follows_its_sliders() -> None:
    explorer = convolution_explorer()
    window, stride, padding = controls(explorer).values()
    assert "Window 2 of 4 makes the output in row 0, column 1" in words(explorer)
    assert table(explorer)["pixels read by more than one"] == "3"
    first = explorer.children[1].value
    stride.value = 1
    assert "Window 2 of 16" in words(explorer)
    assert table(explorer)["pixels read by more than one"] == "6"
    padding.value = 1
    assert "cut off" in words(explorer)
    assert "Window 2 of 36" in words(explorer)
    window.value = 36
    assert table(explorer)["pixels read by no window so far"] == "0"
    assert table(explorer)["most windows that read one pixel"] == "9"
    assert explorer.children[1].value != first
    assert not plt.get_fignums()


@SETTINGS
def test_the_table_s_two_sums_agree_for_every_window(stride: int, padding: int) -> None:
    explorer = convolution_explorer()
    window, chosen_stride, chosen_padding = controls(explorer).values()
    chosen_stride.value, chosen_padding.value = stride, padding
    for step in (1, 36):
        window.value = step
        found = table(explorer)
        assert found["sum of the gradient, border included"] == found["number of windows × sum of weights"]
        values = convolution_values(step, stride, padding)
        assert found["window times kernel, summed"] == f"{values.output[values.position]:g}"
        assert f"{values.output[values.position]:g}" in words(explorer)


def test_the_picture_has_a_text() -> None:
    picture = convolution_explorer().children[1].value
    assert 'alt="Four grids of numbers' in picture
    assert 'aria-live="polite"' in picture
