"""The activations and their derivatives: exact values, no overflow, and agreement with the complex step."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule_lib import (
    jacobian,
    relu,
    relu_derivative,
    sigmoid,
    sigmoid_derivative,
    softmax,
    softmax_jacobian,
    tanh,
    tanh_derivative,
)

SCALAR_PAIRS = [(sigmoid, sigmoid_derivative), (tanh, tanh_derivative), (relu, relu_derivative)]
any_shape = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
moderate = st.floats(-30, 30).filter(lambda z: abs(z) > 1e-6)


def test_sigmoid_of_minus_1000_is_zero_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sigmoid(-1000) == 0.0
        assert sigmoid(1000) == 1.0
        assert sigmoid_derivative(-1000) == sigmoid_derivative(1000) == 0.0
        assert tanh_derivative(1000) == 0.0


@given(z=st.floats(allow_nan=False))
def test_sigmoid_and_both_slopes_keep_to_their_bounds_for_any_float_without_a_warning(z: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a = sigmoid(z)
        assert 0 <= a <= 1
        assert a + sigmoid(-z) == pytest.approx(1, abs=1e-15)
        assert 0 <= sigmoid_derivative(z) <= 0.25 * (1 + 1e-15)
        assert 0 <= tanh_derivative(z) <= 1
        assert tanh_derivative(z) == pytest.approx(1 - tanh(z) ** 2, abs=1e-15)


def test_sigmoid_keeps_its_digits_far_below_zero() -> None:
    assert sigmoid(-700.0) == pytest.approx(np.exp(-700.0), rel=1e-14)
    assert sigmoid_derivative(40.0) == pytest.approx(np.exp(-40.0), rel=1e-14)
    assert sigmoid(0) == 0.5
    assert sigmoid_derivative(0) == 0.25


@pytest.mark.parametrize(("activation", "derivative"), SCALAR_PAIRS)
@given(z=moderate)
def test_each_derivative_agrees_with_the_complex_step(
    activation: Callable[..., complex], derivative: Callable[[float], float], z: float
) -> None:
    step = 1e-30
    assert derivative(z) == pytest.approx(activation(z + 1j * step).imag / step, rel=1e-13)


@pytest.mark.parametrize("function", [function for pair in SCALAR_PAIRS for function in pair])
@given(z=hnp.arrays(float, any_shape, elements=moderate))
def test_an_activation_works_entry_by_entry_and_leaves_its_input_alone(
    function: Callable[..., np.ndarray], z: np.ndarray
) -> None:
    before = z.copy()
    result = np.asarray(function(z))
    assert result.shape == z.shape
    np.testing.assert_allclose(result.ravel(), [function(float(entry)) for entry in z.ravel()], rtol=1e-15)
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("function", [function for pair in SCALAR_PAIRS for function in pair])
def test_a_number_gives_a_python_number_and_a_list_an_array(function: Callable[..., object]) -> None:
    assert type(function(1)) is float
    assert type(function(np.float64(0.5))) is float
    assert isinstance(function([1, 2]), np.ndarray)


def test_float32_stays_float32() -> None:
    z = np.array([-2, 0, 3], dtype=np.float32)
    for f in (*(function for pair in SCALAR_PAIRS for function in pair), softmax, softmax_jacobian):
        assert f(z).dtype == np.float32, f.__name__


def test_the_slope_of_relu_is_0_up_to_the_kink_and_1_after_it() -> None:
    assert relu_derivative([-1.0, 0.0, 1e-9]).tolist() == [0, 0, 1]
    assert np.isnan(relu(np.nan))
    assert np.isnan(relu_derivative(np.nan))


@given(z=hnp.arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(-1e5, 1e5)))
def test_softmax_rows_are_probabilities_that_a_common_shift_leaves_alone(z: np.ndarray) -> None:
    p = softmax(z)
    assert np.all(p >= 0)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(softmax(z + 7), p, atol=1e-10)


@given(z=hnp.arrays(float, st.integers(1, 5), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_softmax_of_any_finite_logits_is_a_distribution_without_a_warning(z: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert softmax(z).sum() == pytest.approx(1, rel=1e-14)
        assert np.all(np.isfinite(softmax_jacobian(z)))
        assert softmax([1e308, -1e308]).tolist() == [1, 0]


@given(z=hnp.arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 4)), elements=st.floats(-5, 5)))
def test_the_softmax_jacobian_agrees_with_the_complex_step_sample_by_sample(z: np.ndarray) -> None:
    expected = [jacobian(softmax, row, method="complex") for row in z]
    np.testing.assert_allclose(softmax_jacobian(z), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(softmax_jacobian(z).sum(axis=-1), 0, atol=1e-15)


@pytest.mark.parametrize(("z", "message"), [("0.5", "z is str of .*: expected numbers"), (None, "z is None: expected")])
def test_what_holds_no_numbers_is_refused_in_a_sentence(z: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        sigmoid(z)  # type: ignore[arg-type]


def test_ragged_rows_and_a_softmax_of_a_number_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="z has rows of different lengths"):
        sigmoid([[1, 2], [3]])
    with pytest.raises(ValueError, match=r"z has shape \(\): softmax needs"):
        softmax(1.0)
