"""The explorers of lesson 02: two paths that add up to the measured slope, and Jacobians that the maps really have."""

import re
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule_lib import jacobian, numerical_gradient, sigmoid
from chainrule_lib.widgets import FUNCTIONS
from chainrule_lib.widgets.many_paths import (
    OUTER_FUNCTIONS,
    PLANE_MAPS,
    jacobian_explorer,
    jacobian_values,
    many_paths_explorer,
    many_paths_values,
)

EXPLORERS = [many_paths_explorer, jacobian_explorer]
coordinates = st.floats(-2, 2)


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def controls(explorer: Any) -> dict[str, Any]:
    return {control.description: control for control in explorer.children[0].children}


def table(explorer: Any) -> dict[str, list[float]]:
    rows = re.findall(r"<tr><th[^>]*>(.*?)</th>(.*?)</tr>", explorer.children[2].value.split("<tbody>")[1])
    return {name: [float(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", cells)] for name, cells in rows}


def words(explorer: Any) -> str:
    (found,) = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", explorer.children[1].value)
    return found


def shown(value: float) -> float:
    """A value as the table rounds it: to six digits."""
    return float(f"{value:.6g}")


# --- Two paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OUTER_FUNCTIONS)
@given(u=coordinates, v=coordinates)
def test_the_partial_derivatives_are_those_of_the_function(name: str, u: float, v: float) -> None:
    f = OUTER_FUNCTIONS[name]
    exact = numerical_gradient(lambda p: f.value(p[0], p[1]), np.array([u, v]), method="complex")
    np.testing.assert_allclose([f.along_u(u, v), f.along_v(u, v)], exact, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", OUTER_FUNCTIONS)
def test_the_two_paths_add_up_to_the_slope(name: str) -> None:
    f = OUTER_FUNCTIONS[name]
    for u, v, x in product(FUNCTIONS.values(), FUNCTIONS.values(), (-1.7, 0.0, 0.8)):
        values = many_paths_values(f, u, v, x)
        exact = numerical_gradient(lambda t, u=u, v=v: f.value(u.value(t), v.value(t)), x, method="complex")
        assert values.dy_dx == values.through_u + values.through_v
        assert values.dy_dx == pytest.approx(exact, rel=1e-12, abs=1e-13)
        assert values.central_difference == pytest.approx(exact, rel=1e-6, abs=1e-7)


def test_each_path_is_what_remains_when_the_other_variable_stands_still() -> None:
    f, u, v = OUTER_FUNCTIONS["decaying"], FUNCTIONS["sine"], FUNCTIONS["square"]
    values = many_paths_values(f, u, v, 0.8)
    still_v = numerical_gradient(lambda t: f.value(u.value(t), values.v), 0.8, method="complex")
    still_u = numerical_gradient(lambda t: f.value(values.u, v.value(t)), 0.8, method="complex")
    assert values.through_u == pytest.approx(still_v, rel=1e-13)
    assert values.through_v == pytest.approx(still_u, rel=1e-13)


def test_the_many_paths_explorer_follows_its_menus_and_its_slider() -> None:
    explorer = many_paths_explorer()
    menu_y, menu_u, menu_v, x = controls(explorer).values()
    menu_y.value, menu_u.value, menu_v.value, x.value = "difference", "sine", "exponential", 0.5
    numbers = table(explorer)
    assert numbers["y"] == [shown(np.sin(0.5) - np.exp(0.5))]
    assert numbers["path through u: ∂y/∂u · du/dx"] == [shown(np.cos(0.5))]
    assert numbers["path through v: ∂y/∂v · dv/dx"] == [shown(-np.exp(0.5))]
    assert numbers["dy/dx, the sum over both paths"] == [shown(np.cos(0.5) - np.exp(0.5))]
    assert numbers["central difference of y"][0] == pytest.approx(np.cos(0.5) - np.exp(0.5), rel=1e-5)
    assert f"their sum, {np.cos(0.5) - np.exp(0.5):+.4g}" in words(explorer)


def test_the_many_paths_explorer_starts_with_the_lesson_s_example() -> None:
    explorer = many_paths_explorer()
    controls(explorer)["x"].value = 2.0
    numbers = table(explorer)
    assert numbers["path through u: ∂y/∂u · du/dx"] == [12]
    assert numbers["path through v: ∂y/∂v · dv/dx"] == [28]
    assert numbers["dy/dx, the sum over both paths"] == [40]


# --- The Jacobian -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANE_MAPS)
@given(x0=coordinates, x1=coordinates)
def test_the_jacobian_is_that_of_the_map(name: str, x0: float, x1: float) -> None:
    f, x = PLANE_MAPS[name], np.array([x0, x1])
    values = jacobian_values(f, x)
    exact = jacobian(f.value, x, method="complex")
    np.testing.assert_allclose(values.jacobian, exact, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(values.central_difference, exact, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", PLANE_MAPS)
def test_a_map_takes_many_points_at_once(name: str) -> None:
    f, points = PLANE_MAPS[name], np.random.default_rng(1).normal(size=(2, 5))
    together = f.value(points)
    np.testing.assert_allclose(together, np.column_stack([f.value(point) for point in points.T]), rtol=1e-14)


def gap(explorer: Any) -> float:
    """How far the sentence says the image is from the parallelogram."""
    (found,) = re.findall(r"at most ([-+.\de]+) away", words(explorer))
    return float(found)


def test_half_the_side_leaves_a_quarter_of_the_gap() -> None:
    explorer = jacobian_explorer()
    side, gaps = controls(explorer)["side"], []
    for side.value in (0.8, 0.4, 0.2):
        gaps.append(gap(explorer))
    assert gaps[1] / gaps[0] == pytest.approx(1 / 4, abs=0.05)
    assert gaps[2] / gaps[1] == pytest.approx(1 / 4, abs=0.05)


def test_a_linear_map_leaves_no_gap() -> None:
    explorer = jacobian_explorer()
    controls(explorer)["y"].value = "linear"
    assert gap(explorer) < 1e-14


def test_the_jacobian_explorer_follows_its_menu_and_its_sliders() -> None:
    explorer = jacobian_explorer()
    menu, x0, x1, _ = controls(explorer).values()
    menu.value, x0.value, x1.value = "elementwise", -1.0, 0.4
    slopes = sigmoid(np.array([-1.0, 0.4])) * (1 - sigmoid(np.array([-1.0, 0.4])))
    numbers = table(explorer)
    assert numbers["∂y[0]/∂x[0]"][0] == shown(slopes[0])
    assert numbers["∂y[1]/∂x[1]"][0] == shown(slopes[1])
    assert numbers["∂y[0]/∂x[1]"] == numbers["∂y[1]/∂x[0]"] == [0, 0]
    for formula, difference in numbers.values():
        assert difference == pytest.approx(formula, abs=1e-6)


# --- Both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_a_control_renews_picture_words_and_table_and_leaves_no_figure_open(explorer: Callable[[], Any]) -> None:
    box = explorer()
    before = [child.value for child in box.children[1:]]
    slider = next(c for c in controls(box).values() if isinstance(c, ipywidgets.FloatSlider))
    slider.value = slider.value - 2 * slider.step
    picture, numbers = (child.value for child in box.children[1:])
    assert picture != before[0]
    assert numbers != before[1]
    assert len(re.findall(r'<img [^>]*alt="[^"]{40,}"', picture)) == 1
    assert plt.get_fignums() == []


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_every_choice_survives_the_ends_of_the_sliders(explorer: Callable[[], Any]) -> None:
    box = explorer()
    menus = [c for c in controls(box).values() if isinstance(c, ipywidgets.Dropdown)]
    sliders = [c for c in controls(box).values() if isinstance(c, ipywidgets.FloatSlider)]
    for menu in menus:
        for _, choice in menu.options:
            menu.value = choice
            for slider in sliders:
                for end in (slider.min, slider.max):
                    slider.value = end
                    assert "nan" not in box.children[2].value
