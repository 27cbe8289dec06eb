"""The difference explorer: its errors are real, its expectations bound them, and it says in words what it draws."""

import itertools
import re
import warnings
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest

from chainrule_lib import numerical_gradient
from chainrule_lib.numerical import Method
from chainrule_lib.widgets.differences import (
    EXAMPLES,
    METHODS,
    STEPS,
    Example,
    difference_explorer,
    difference_values,
    error_curve,
    round_off,
    truncation_error,
)

SMOOTH = [example for name, example in EXAMPLES.items() if name != "kink"]


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def box() -> ipywidgets.VBox:
    return difference_explorer()


def controls(box: ipywidgets.VBox) -> dict[str, Any]:
    return {control.description: control for control in box.children[0].children}


def table(box: ipywidgets.VBox) -> dict[str, float]:
    """The numbers of the table under the picture, by the name of their row."""
    rows = re.findall(r"<tr><th[^>]*>(.*?)</th><td[^>]*>(.*?)</td></tr>", box.children[2].value.split("<tbody>")[1])
    return {name: float(number) for name, number in rows}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_the_first_derivative_is_that_of_the_function(example: Example) -> None:
    assert example.first == pytest.approx(numerical_gradient(example.f, example.x, method="complex"), rel=1e-14)


@pytest.mark.parametrize("example", SMOOTH, ids=lambda example: example.text)
@pytest.mark.parametrize("method", METHODS)
def test_a_long_step_errs_by_the_truncation_error_expected(example: Example, method: Method) -> None:
    """So the second, the third and the fifth derivative are those of the function too."""
    length = min(1.0, abs(example.x)) * (0.1 if method == "richardson" else 0.01)
    values = difference_values(example, method, length)
    assert values.truncation > 10 * values.round_off
    assert values.error == pytest.approx(values.truncation, rel=0.2)


@pytest.mark.parametrize("example", SMOOTH, ids=lambda example: example.text)
@pytest.mark.parametrize("method", ["forward", "central", "richardson"])
def test_a_short_step_errs_by_no_more_than_the_round_off_expected(example: Example, method: Method) -> None:
    short = STEPS[STEPS < 1e-9]
    bound = np.array([round_off(example, method, h) + truncation_error(example, method, h) for h in short])
    errors = error_curve(example, method)[STEPS < 1e-9]
    assert np.all(errors <= 1.5 * bound)
    assert np.max(errors / bound) > 0.1


def test_the_curve_has_its_lowest_point_where_the_expected_errors_balance() -> None:
    example = EXAMPLES["exponential"]
    for method, best in (("forward", 3e-8), ("central", 9e-6), ("richardson", 1.5e-3)):
        lowest = STEPS[np.argmin(error_curve(example, method))]
        assert best / 30 < lowest < best * 30
    assert error_curve(example, "complex")[STEPS < 1e-9].max() < 1e-15 * example.first


def test_a_step_over_the_kink_gives_a_mean_of_two_slopes_and_none_to_the_other_side_does() -> None:
    kink = EXAMPLES["kink"]
    before, beyond = 0.9 * kink.x, 100 * kink.x
    assert difference_values(kink, "central", before).error < 1e-6
    assert difference_values(kink, "central", beyond).error == pytest.approx(0.5, abs=0.01)
    assert difference_values(kink, "forward", beyond).error < 0.01
    assert difference_values(kink, "complex", beyond).error < 0.01


def test_a_large_loss_makes_the_round_off_larger_and_leaves_truncation_and_the_complex_step_alone() -> None:
    small, large = EXAMPLES["sine"], EXAMPLES["large loss"]
    assert round_off(large, "central", 1e-6) > 1000 * round_off(small, "central", 1e-6)
    assert truncation_error(large, "central", 1e-6) == truncation_error(small, "central", 1e-6)
    assert difference_values(large, "central", 1e-6).error > 30 * difference_values(small, "central", 1e-6).error
    assert difference_values(large, "complex", 1e-9).error < 1e-15


@pytest.mark.parametrize(("name", "method"), list(zip(EXAMPLES, itertools.cycle(METHODS), strict=False)))
def test_the_table_shows_the_values_of_the_settings(box: ipywidgets.VBox, name: str, method: Method) -> None:
    function, menu, exponent = controls(box).values()
    function.value, menu.value, exponent.value = name, method, -3.25
    values = difference_values(EXAMPLES[name], method, 10**-3.25)
    numbers = table(box)
    assert numbers["step h"] == pytest.approx(10**-3.25, rel=0.05)
    assert numbers["numerical derivative"] == pytest.approx(values.derivative, rel=1e-14)
    assert numbers["exact derivative"] == pytest.approx(EXAMPLES[name].first, rel=1e-14)
    assert numbers["error"] == pytest.approx(values.error, rel=0.05)
    assert numbers["expected truncation error"] == pytest.approx(values.truncation, rel=0.05)
    assert numbers["expected round-off"] == pytest.approx(values.round_off, rel=0.05)


def test_the_sentence_says_which_error_is_the_larger(box: ipywidgets.VBox) -> None:
    for exponent, larger in ((-2.0, "truncation"), (-9.0, "round-off")):
        controls(box)["log10 of h"].value = exponent
        sentence = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", box.children[1].value)[0]
        assert sentence.endswith(f"The larger of the two expected errors is {larger}.")


def test_every_setting_renews_picture_and_table_and_leaves_no_figure_open(box: ipywidgets.VBox) -> None:
    for control, value in zip(controls(box).values(), ("sine", "forward", -5.0), strict=True):
        before = [child.value for child in box.children[1:]]
        control.value = value
        assert all(child.value != old for child, old in zip(box.children[1:], before, strict=True))
        assert len(re.findall(r'<img [^>]*alt="[^"]{40,}"', box.children[1].value)) == 1
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["pole", "kink"])
def test_the_ends_of_the_slider_give_numbers(box: ipywidgets.VBox, name: str) -> None:
    function, _, exponent = controls(box).values()
    function.value = name
    for end in (exponent.min, exponent.max):
        exponent.value = end
        assert all(np.isfinite(number) for number in table(box).values())
