"""The explorers: their numbers are the library's, they follow their controls, and they say in words what they draw."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule_lib import forward_pass, numerical_gradient, sigmoid, sigmoid_derivative, widgets

EXPLORERS = [
    widgets.chain_rule_explorer,
    widgets.sigmoid_explorer,
    widgets.forward_explorer,
    widgets.backprop_explorer,
]


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def controls(explorer: ipywidgets.VBox) -> dict[str, Any]:
    return {control.description: control for control in explorer.children[0].children}


def table(explorer: ipywidgets.VBox) -> dict[str, list[float]]:
    """The numbers of the table under the picture, by the name of their row."""
    rows = re.findall(r"<tr><th[^>]*>(.*?)</th>(.*?)</tr>", explorer.children[2].value.split("<tbody>")[1])
    return {name: [float(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", cells)] for name, cells in rows}


def shown(value: float) -> float:
    """A value as the table rounds it: to six digits."""
    return float(f"{value:.6g}")


@pytest.mark.parametrize("f_name", widgets.FUNCTIONS)
@pytest.mark.parametrize("g_name", widgets.FUNCTIONS)
def test_the_product_of_the_local_derivatives_is_the_slope_of_the_composition(f_name: str, g_name: str) -> None:
    f, g = widgets.FUNCTIONS[f_name], widgets.FUNCTIONS[g_name]
    for x in (-1.7, 0.0, 0.8, 2.0):
        values = widgets.chain_rule_values(f, g, x)
        exact = numerical_gradient(lambda t: f.value(g.value(t)), x, method="complex")
        assert values.dy_dx == pytest.approx(values.dy_du * values.du_dx)
        assert values.dy_dx == pytest.approx(exact, rel=1e-12, abs=1e-15)
        assert values.central_difference == pytest.approx(values.dy_dx, rel=1e-6, abs=1e-8)


def test_the_chain_rule_explorer_follows_its_menus_and_its_slider() -> None:
    explorer = widgets.chain_rule_explorer()
    menu_f, menu_g, x = controls(explorer).values()
    menu_f.value, menu_g.value, x.value = "exponential", "sine", 0.5
    numbers = table(explorer)
    assert numbers["g(x)"] == [shown(np.sin(0.5))]
    assert numbers["f(g(x))"] == [shown(np.exp(np.sin(0.5)))]
    assert numbers["df/dg, at g(x)"] == [shown(np.exp(np.sin(0.5)))]
    assert numbers["dg/dx, at x"] == [shown(np.cos(0.5))]
    assert numbers["df/dg · dg/dx"] == [shown(np.exp(np.sin(0.5)) * np.cos(0.5))]
    assert numbers["central difference of f(g(x))"] == numbers["df/dg · dg/dx"]


@pytest.mark.parametrize("z", [-8.0, -0.5, 0.0, 3.0])
def test_the_sigmoid_explorer_shows_sigma_and_its_slope(z: float) -> None:
    explorer = widgets.sigmoid_explorer()
    controls(explorer)["z"].value = z
    numbers = table(explorer)
    assert numbers["σ(z)"] == [shown(sigmoid(z))]
    assert numbers["1 - σ(z)"] == [shown(1 - sigmoid(z))]
    assert numbers["σ(z)(1 - σ(z))"] == [shown(sigmoid_derivative(z))]
    assert numbers["central difference of σ"][0] == pytest.approx(sigmoid_derivative(z), rel=1e-5)


def test_the_forward_explorer_starts_at_the_article_s_numbers_and_follows_its_sliders() -> None:
    explorer = widgets.forward_explorer()
    assert table(explorer)["a2 = σ(z2)"] == [shown(0.871843204787514)]
    controls(explorer)["x[0]"].value, controls(explorer)["x[1]"].value = -1.5, 0.7
    numbers = table(explorer)
    z1 = [0.1 * -1.5 + 0.2 * 0.7 + 0.5, 0.3 * -1.5 + 0.4 * 0.7 + 0.6]
    assert numbers["z1[0] = 0.1·x[0] + 0.2·x[1] + 0.5"] == [shown(z1[0])]
    assert numbers["a1[1] = σ(z1[1])"] == [shown(sigmoid(z1[1]))]
    output = forward_pass([-1.5, 0.7], [[0.1, 0.2], [0.3, 0.4]], [0.5, 0.6], [0.7, 0.8], 0.9)
    assert numbers["a2 = σ(z2)"] == [shown(output)]


@given(x1=st.floats(-2, 2), x2=st.floats(-2, 2), y=st.floats(0, 1))
def test_the_article_s_gradients_agree_with_central_differences_of_its_loss(x1: float, x2: float, y: float) -> None:
    values = widgets.network_values(x1, x2, y)
    assert values.gradients.keys() == values.parameters.keys() == {"W1", "b1", "W2", "b2"}
    for name, gradient in values.gradients.items():
        np.testing.assert_allclose(values.differences[name], gradient, rtol=1e-6, atol=1e-10)


def test_the_backprop_explorer_shows_the_gradient_of_its_target_beside_a_difference() -> None:
    explorer = widgets.backprop_explorer()
    for y in (0.0, 0.4, 1.0):
        controls(explorer)["target y"].value = y
        numbers = table(explorer)
        values = widgets.network_values(0.5, 0.3, y)
        assert len(numbers) == 9
        value, gradient, difference, error = numbers["W1[0, 1]"]
        assert (value, gradient) == (0.2, shown(values.gradients["W1"][0, 1]))
        assert difference == pytest.approx(gradient, rel=1e-5)
        assert error < 1e-6
        # dL/db2 = (a2 - y) σ'(z2), by hand.
        a2 = 0.871843204787514
        assert numbers["b2[0]"][1] == shown((a2 - y) * a2 * (1 - a2))


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_a_slider_renews_picture_words_and_table_and_leaves_no_figure_open(explorer: Callable[[], Any]) -> None:
    box = explorer()
    before = [child.value for child in box.children[1:]]
    slider = list(controls(box).values())[-1]
    slider.value = slider.value - 2 * slider.step
    picture, numbers = (child.value for child in box.children[1:])
    assert picture != before[0]
    assert numbers != before[1]
    words = [re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", html)[0] for html in (picture, before[0])]
    assert words[0] != words[1]
    assert len(re.findall(r'<img [^>]*alt="[^"]{40,}"', picture)) == 1
    assert plt.get_fignums() == []


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_an_explorer_survives_the_ends_of_its_sliders(explorer: Callable[[], Any]) -> None:
    box = explorer()
    for slider in list(controls(box).values()):
        if isinstance(slider, ipywidgets.FloatSlider):
            for end in (slider.min, slider.max):
                slider.value = end
                assert "nan" not in box.children[2].value


def test_a_lessons_own_picture_carries_its_text_and_is_shown_once() -> None:
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, 1])
    html = widgets.picture(figure, 'A line that rises from "0" to 1.').data
    assert 'alt="A line that rises from &quot;0&quot; to 1."' in html
    assert not plt.fignum_exists(figure.number)
