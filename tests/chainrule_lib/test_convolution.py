"""Convolution and pooling: the formula entry by entry, gradients against the complex step, overlaps, borders, ties."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainrule_lib import gradient_check, numerical_gradient, relative_error
from chainrule_lib.convolution import (
    Conv2dGradients,
    average_pool2d,
    average_pool2d_gradient,
    col2im,
    conv2d,
    conv2d_direct,
    conv2d_gradients,
    conv2d_gradients_direct,
    im2col,
    max_pool2d,
    max_pool2d_gradient,
)


class Case(NamedTuple):
    """Images, kernels, biases, and where the windows lie."""

    X: np.ndarray
    W: np.ndarray
    b: np.ndarray
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def where(self) -> dict[str, Any]:
        return {"stride": self.stride, "padding": self.padding}


def random_case(random: np.random.Generator, largest_image: int = 6) -> Case:
    """Every size drawn for itself, rows apart from columns; the padding makes room where the kernel is too large."""
    n, c_in, c_out = random.integers(1, 4, size=3)
    kernel = random.integers(1, 4, size=2)
    image = random.integers(1, largest_image + 1, size=2)
    padding = [int(random.integers(max(0, (k - size + 1) // 2), 3)) for k, size in zip(kernel, image, strict=True)]
    stride = random.integers(1, 4, size=2)
    X, W, b = (random.normal(size=shape) for shape in [(n, c_in, *image), (c_out, c_in, *kernel), (c_out,)])
    return Case(X, W, b, (int(stride[0]), int(stride[1])), (padding[0], padding[1]))


cases = st.builds(lambda seed: random_case(np.random.default_rng(seed)), st.integers(0, 2**32 - 1))
seeds = st.integers(0, 2**32 - 1)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
images = st.builds(
    lambda seed, shape: np.random.default_rng(seed).normal(size=shape),
    seeds,
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
)


def upstream(Y: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=Y.shape)


def by_the_formula(case: Case) -> np.ndarray:
    """The convolution number by number, with zeros wherever an index leaves the image."""
    X, W, b, (down, right), (top, left) = case
    n, c_in, height, width = X.shape
    c_out, _, kernel_height, kernel_width = W.shape
    out_height = (height + 2 * top - kernel_height) // down + 1
    out_width = (width + 2 * left - kernel_width) // right + 1
    Y = np.zeros((n, c_out, out_height, out_width))
    for i, o, r, c in np.ndindex(Y.shape):
        total = b[o]
        for k, u, v in np.ndindex(c_in, kernel_height, kernel_width):
            row, column = down * r + u - top, right * c + v - left
            if 0 <= row < height and 0 <= column < width:
                total += W[o, k, u, v] * X[i, k, row, column]
        Y[i, o, r, c] = total
    return Y


def assert_agree(gradients: tuple[np.ndarray, ...], expected: tuple[np.ndarray, ...], tolerance: float = 1e-12) -> None:
    """Relative; an entry below a hundredth of the largest counts as that hundredth, as in test_network."""
    largest = max(float(np.max(np.abs(gradient))) for gradient in expected)
    for gradient, other in zip(gradients, expected, strict=True):
        assert gradient.shape == other.shape
        assert np.max(relative_error(gradient, other, floor=0.01 * largest)) < tolerance


@given(case=cases)
def test_both_convolutions_are_the_formula_entry_by_entry(case: Case) -> None:
    expected = by_the_formula(case)
    for convolve in (conv2d, conv2d_direct):
        Y = convolve(case.X, case.W, case.b, **case.where)
        assert Y.shape == expected.shape
        np.testing.assert_allclose(Y, expected, rtol=1e-12, atol=1e-12)


def test_the_kernel_is_not_flipped() -> None:
    impulse = np.zeros((1, 1, 5, 5))
    impulse[0, 0, 2, 2] = 1
    kernel = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    Y = conv2d(impulse, kernel, [0.0])
    np.testing.assert_array_equal(Y[0, 0], kernel[0, 0, ::-1, ::-1])
    assert conv2d(kernel, kernel, [0.5])[0, 0].tolist() == [[np.sum(kernel**2) + 0.5]]


@given(case=cases, seed=seeds)
@settings(max_examples=60)
def test_both_gradients_agree_with_the_complex_step(case: Case, seed: int) -> None:
    X, W, b = case[:3]
    dY = upstream(conv2d(X, W, b, **case.where), seed)

    def loss(X: Any, W: Any, b: Any) -> Any:
        return np.sum(dY * conv2d(X, W, b, **case.where))

    expected = (
        numerical_gradient(lambda X: loss(X, W, b), X, method="complex"),
        numerical_gradient(lambda W: loss(X, W, b), W, method="complex"),
        numerical_gradient(lambda b: loss(X, W, b), b, method="complex"),
    )
    for gradients in (conv2d_gradients, conv2d_gradients_direct):
        assert_agree(gradients(X, W, dY, **case.where), expected)


@given(case=cases, seed=seeds)
@settings(max_examples=200)
def test_the_gradients_by_columns_are_those_by_loops(case: Case, seed: int) -> None:
    X, W, b = case[:3]
    dY = upstream(conv2d(X, W, b, **case.where), seed)
    fast, direct = (f(X, W, dY, **case.where) for f in (conv2d_gradients, conv2d_gradients_direct))
    assert isinstance(fast, Conv2dGradients)
    assert isinstance(direct, Conv2dGradients)
    assert_agree(fast, direct, 1e-13)


@given(case=cases, seed=seeds)
def test_a_batch_is_its_images_one_by_one(case: Case, seed: int) -> None:
    X, W, b = case[:3]
    Y = conv2d(X, W, b, **case.where)
    dY = upstream(Y, seed)
    dX, dW, db = conv2d_gradients(X, W, dY, **case.where)
    each = [conv2d_gradients(x[None], W, dy[None], **case.where) for x, dy in zip(X, dY, strict=True)]
    np.testing.assert_allclose(Y, [conv2d(x[None], W, b, **case.where)[0] for x in X], atol=1e-12)
    np.testing.assert_allclose(dX, [one.dX[0] for one in each], atol=1e-12)
    np.testing.assert_allclose(dW, sum(one.dW for one in each), atol=1e-12)
    np.testing.assert_allclose(db, sum(one.db for one in each), atol=1e-12)


def test_one_number_for_stride_or_padding_means_rows_and_columns() -> None:
    case = random_case(np.random.default_rng(3), largest_image=8)
    for convolve in (conv2d, conv2d_direct):
        np.testing.assert_array_equal(
            convolve(case.X, case.W, case.b, stride=2, padding=2),
            convolve(case.X, case.W, case.b, stride=(2, 2), padding=(2, 2)),
        )


def test_without_a_stride_and_padding_the_kernel_moves_by_one_pixel_inside_the_image() -> None:
    random = np.random.default_rng(4)
    X, W, b = random.normal(size=(2, 3, 5, 6)), random.normal(size=(4, 3, 3, 2)), random.normal(size=4)
    dY = random.normal(size=(2, 4, 3, 5))
    where: dict[str, Any] = {"stride": 1, "padding": 0}
    for convolve in (conv2d, conv2d_direct):
        np.testing.assert_array_equal(convolve(X, W, b), convolve(X, W, b, **where))
    for gradients in (conv2d_gradients, conv2d_gradients_direct):
        for default, explicit in zip(gradients(X, W, dY), gradients(X, W, dY, **where), strict=True):
            np.testing.assert_array_equal(default, explicit)
    np.testing.assert_array_equal(im2col(X, 2), im2col(X, 2, **where))


def test_the_rows_and_columns_that_no_window_reads_have_gradient_zero() -> None:
    random = np.random.default_rng(0)
    X, W = random.normal(size=(2, 3, 8, 6)), random.normal(size=(4, 3, 3, 2))
    dY = upstream(conv2d(X, W, np.zeros(4), stride=(3, 3)))
    assert dY.shape == (2, 4, 2, 2)
    dX = conv2d_gradients(X, W, dY, stride=(3, 3)).dX
    assert np.all(dX[:, :, 6:] == 0)
    assert np.all(dX[..., 2] == 0)
    assert np.all(dX[:, :, :6, [0, 1, 3, 4]] != 0)
    assert np.all(dX[..., 5] == 0)


def test_the_gradient_check_passes_the_convolution_and_refuses_a_flipped_kernel() -> None:
    random = np.random.default_rng(1)
    X, W, b = random.normal(size=(2, 3, 5, 4)), random.normal(size=(4, 3, 3, 2)), random.normal(size=4)
    dY = upstream(conv2d(X, W, b, padding=2))
    gradients = conv2d_gradients(X, W, dY, padding=2)

    def loss(p: Any) -> Any:
        return np.sum(dY * conv2d(p["X"], p["W"], p["b"], padding=2))

    parameters = {"X": X, "W": W, "b": b}
    right = {"X": gradients.dX, "W": gradients.dW, "b": gradients.db}
    assert gradient_check(loss, parameters, right).ok
    flipped = conv2d_gradients(X, W[..., ::-1, ::-1], dY, padding=2)
    assert not gradient_check(loss, parameters, {**right, "X": flipped.dX}).ok


def test_a_column_holds_a_window_channel_by_channel_and_row_by_row() -> None:
    X = np.arange(24.0).reshape(1, 2, 3, 4)
    columns = im2col(X, (2, 3))
    assert columns.shape == (1, 12, 4)
    assert columns[0, :, 0].tolist() == [0, 1, 2, 4, 5, 6, 12, 13, 14, 16, 17, 18]
    assert columns[0, 0].tolist() == [0, 1, 4, 5]


@given(case=cases, seed=seeds)
def test_col2im_is_im2col_transposed(case: Case, seed: int) -> None:
    kernel = case.W.shape[2:]
    columns = im2col(case.X, kernel, **case.where)
    C = upstream(columns, seed)
    back = col2im(C, case.X.shape, kernel, **case.where)
    assert back.shape == case.X.shape
    assert np.sum(columns * C) == pytest.approx(np.sum(case.X * back), rel=1e-10, abs=1e-10)


def test_col2im_of_ones_counts_the_windows_that_read_a_pixel() -> None:
    count = col2im(np.ones((1, 9, 4)), (1, 1, 5, 5), 3, stride=2)
    one_axis = np.array([1, 1, 2, 1, 1])
    np.testing.assert_array_equal(count[0, 0], np.outer(one_axis, one_axis))


@pytest.mark.parametrize("kernel", [1, (1, 3), (3, 1), 3])
def test_the_columns_are_an_array_of_their_own(kernel: int | tuple[int, int]) -> None:
    X = np.arange(15.0).reshape(1, 1, 3, 5)
    columns = im2col(X, kernel)
    columns[0, 0, 0] = -1  # a view in which windows share memory would change elsewhere too
    assert np.sum(columns == -1) == 1
    np.testing.assert_array_equal(X, np.arange(15.0).reshape(1, 1, 3, 5))


def windows(X: np.ndarray, size: tuple[int, int], stride: tuple[int, int]) -> Any:
    """Output index and window, for every window of every channel."""
    n, channels, height, width = X.shape
    for i, k in np.ndindex(n, channels):
        for r, top in enumerate(range(0, height - size[0] + 1, stride[0])):
            for c, left in enumerate(range(0, width - size[1] + 1, stride[1])):
                yield (i, k, r, c), (i, k, slice(top, top + size[0]), slice(left, left + size[1]))


@given(X=images, size=pairs, stride=pairs, seed=seeds)
def test_pooling_and_its_gradients_are_their_loops_over_the_windows(
    X: np.ndarray, size: tuple[int, int], stride: tuple[int, int], seed: int
) -> None:
    assume(size[0] <= X.shape[2] and size[1] <= X.shape[3])
    largest, mean = max_pool2d(X, size, stride=stride), average_pool2d(X, size, stride=stride)
    dY = upstream(largest, seed)
    dX_largest, dX_mean = np.zeros_like(X), np.zeros_like(X)
    visited = 0
    for out, window in windows(X, size, stride):
        assert largest[out] == X[window].max()
        assert mean[out] == pytest.approx(X[window].mean(), rel=1e-12, abs=1e-14)
        dX_largest[window] += dY[out] * (X[window] == X[window].max())  # normal numbers: no ties
        dX_mean[window] += dY[out] / X[window].size
        visited += 1
    assert visited == largest.size == mean.size
    np.testing.assert_allclose(max_pool2d_gradient(X, dY, size, stride=stride), dX_largest, atol=1e-13)
    np.testing.assert_allclose(average_pool2d_gradient(X, dY, size, stride=stride), dX_mean, atol=1e-13)


@pytest.mark.parametrize(
    ("pool", "gradient"), [(max_pool2d, max_pool2d_gradient), (average_pool2d, average_pool2d_gradient)]
)
@given(X=images, size=pairs, stride=st.one_of(st.none(), pairs), seed=seeds)
@settings(max_examples=50)
def test_the_gradients_of_pooling_agree_with_the_complex_step(
    pool: Callable[..., np.ndarray],
    gradient: Callable[..., np.ndarray],
    X: np.ndarray,
    size: tuple[int, int],
    stride: tuple[int, int] | None,
    seed: int,
) -> None:
    assume(size[0] <= X.shape[2] and size[1] <= X.shape[3])
    dY = upstream(pool(X, size, stride=stride), seed)
    expected = numerical_gradient(lambda X: np.sum(dY * pool(X, size, stride=stride)), X, method="complex")
    assert_agree((gradient(X, dY, size, stride=stride),), (expected,))


def test_without_a_stride_the_windows_lie_side_by_side() -> None:
    X = np.arange(16.0).reshape(1, 1, 4, 4)
    assert max_pool2d(X, 2)[0, 0].tolist() == [[5, 7], [13, 15]]
    assert average_pool2d(X, 2)[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert max_pool2d(X, (2, 4))[0, 0].tolist() == [[7], [15]]


def test_of_equal_largest_entries_the_first_row_by_row_gets_the_whole_gradient() -> None:
    X = np.array([[[[1.0, 3.0, 2.0, 2.0], [3.0, 3.0, 2.0, 2.0]]]])
    dY = np.array([[[[5.0, 7.0]]]])
    dX = max_pool2d_gradient(X, dY, 2)
    assert dX.tolist() == [[[[0, 5, 7, 0], [0, 0, 0, 0]]]]
    # The complex step, for which only real parts are compared, makes the same choice.
    np.testing.assert_array_equal(numerical_gradient(lambda X: np.sum(dY * max_pool2d(X, 2)), X, method="complex"), dX)


def test_an_entry_that_is_the_largest_of_several_windows_gets_the_sum_of_their_gradients() -> None:
    X = np.zeros((1, 1, 3, 3))
    X[0, 0, 1, 1] = 1
    dX = max_pool2d_gradient(X, [[[[1.0, 2.0], [3.0, 4.0]]]], 2, stride=1)
    assert dX[0, 0].tolist() == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]
    dX = average_pool2d_gradient(X, [[[[4.0, 8.0], [12.0, 16.0]]]], 2, stride=1)
    assert dX[0, 0].tolist() == [[1, 3, 2], [4, 10, 6], [3, 7, 4]]


@given(X=images, size=pairs, stride=pairs)
def test_pooling_hands_the_whole_upstream_gradient_on(
    X: np.ndarray, size: tuple[int, int], stride: tuple[int, int]
) -> None:
    assume(size[0] <= X.shape[2] and size[1] <= X.shape[3])
    X = X.round()  # with ties
    dY = upstream(max_pool2d(X, size, stride=stride))
    for gradient in (max_pool2d_gradient, average_pool2d_gradient):
        dX = gradient(X, dY, size, stride=stride)
        np.testing.assert_allclose(dX.sum(axis=(2, 3)), dY.sum(axis=(2, 3)), atol=1e-12)


def test_nothing_given_is_changed_and_a_second_call_gives_the_same() -> None:
    random = np.random.default_rng(8)
    X, W, b = random.normal(size=(3, 2, 6, 5)), random.normal(size=(4, 2, 3, 2)), random.normal(size=4)
    dY, dP = upstream(conv2d(X, W, b, padding=1)), upstream(max_pool2d(X, 2, stride=1))
    given_arrays = (X, W, b, dY, dP)
    before = [array.copy() for array in given_arrays]
    calls: list[Callable[[], Any]] = [
        lambda: (conv2d(X, W, b, padding=1), *conv2d_gradients(X, W, dY, padding=1)),
        lambda: (conv2d_direct(X, W, b, padding=1), *conv2d_gradients_direct(X, W, dY, padding=1)),
        lambda: (max_pool2d(X, 2, stride=1), max_pool2d_gradient(X, dP, 2, stride=1)),
        lambda: (average_pool2d(X, 2, stride=1), average_pool2d_gradient(X, dP, 2, stride=1)),
    ]
    for call in calls:
        for first, second in zip(call(), call(), strict=True):
            np.testing.assert_array_equal(first, second)
            assert not any(np.shares_memory(first, array) for array in given_arrays)
    for array, old in zip(given_arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


IMAGES, KERNELS, BIASES = np.ones((2, 3, 5, 4)), np.ones((6, 3, 3, 2)), np.ones(6)


@pytest.mark.parametrize("convolve", [conv2d, conv2d_direct])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.ones((3, 5, 4))}, "X has shape (3, 5, 4): expected a batch of images, (n, channels, height, width)."),
        (
            {"W": np.ones((6, 2, 3, 2))},
            "W has shape (6, 2, 3, 2), X has shape (2, 3, 5, 4): expected W of shape (c_out, 3, kernel_height, ker",
        ),
        ({"W": np.ones((3, 2))}, "W has shape (3, 2), X has shape (2, 3, 5, 4): expected W of shape"),
        ({"W": np.ones((6, 3, 0, 2))}, "W has shape (6, 3, 0, 2), X has shape (2, 3, 5, 4): expected W of shape"),
        ({"b": np.ones(3)}, "b has shape (3,), W has shape (6, 3, 3, 2): expected b of shape (6,)."),
        (
            {"W": np.ones((6, 3, 8, 2)), "padding": (1, 0)},
            "The window has shape (8, 2), the images have shape (2, 3, 5, 4), with their padding (7, 4) pixels:",
        ),
        ({"stride": 0}, "stride is 0: expected a whole number of at least 1."),
        ({"stride": (1, 1.5)}, "stride is 1.5: expected a whole number of at least 1."),
        ({"stride": (1, 1, 1)}, "stride is (1, 1, 1): expected one whole number, or two, for rows and for columns."),
        ({"padding": -1}, "padding is -1: expected a whole number of at least 0."),
        ({"padding": "same"}, "padding is 'same': expected a whole number of at least 0."),
    ],
)
def test_convolutions_that_do_not_fit_are_refused_in_one_sentence(
    convolve: Callable[..., np.ndarray], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        convolve(**{"X": IMAGES, "W": KERNELS, "b": BIASES, **change})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: conv2d_gradients(IMAGES, KERNELS, np.ones((2, 6, 5, 4))),
            "dY has shape (2, 6, 5, 4), the output has shape (2, 6, 3, 3): expected the same shape.",
        ),
        (lambda: conv2d_gradients_direct(IMAGES, KERNELS, np.ones(6)), "dY has shape (6,), the output has shape"),
        (lambda: max_pool2d(IMAGES, (2, 5)), "The window has shape (2, 5), the images have shape (2, 3, 5, 4)"),
        (lambda: max_pool2d(IMAGES, 0), "size is 0: expected a whole number of at least 1."),
        (lambda: average_pool2d(IMAGES[0], 2), "X has shape (3, 5, 4): expected a batch of images"),
        (lambda: average_pool2d(IMAGES, 2, stride=0), "stride is 0: expected a whole number of at least 1."),
        (
            lambda: max_pool2d_gradient(IMAGES, IMAGES, 2),
            "dY has shape (2, 3, 5, 4), the output has shape (2, 3, 2, 2)",
        ),
        (
            lambda: average_pool2d_gradient(IMAGES, IMAGES, 2),
            "dY has shape (2, 3, 5, 4), the output has shape (2, 3, 2",
        ),
        (lambda: im2col(IMAGES, 6), "The window has shape (6, 6), the images have shape (2, 3, 5, 4)"),
        (lambda: col2im(np.ones((2, 4, 4)), (5, 4), 2), "shape is (5, 4): expected that of images"),
        (
            lambda: col2im(np.ones((2, 12, 5)), IMAGES.shape, 2),
            "columns has shape (2, 12, 5), the images have shape (2, 3, 5, 4): expected (2, 12, 12).",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        call()
    assert message in str(caught.value)
