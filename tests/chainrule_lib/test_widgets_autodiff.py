"""The autodiff explorer: its last step has the derivatives, and every step what is known by then, also in words."""

import re
import warnings
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from chainrule_lib import computation_graph, grad, jvp
from chainrule_lib.widgets.autodiff import (
    GRAPH_FUNCTIONS,
    MODES,
    AutodiffState,
    autodiff_explorer,
    autodiff_state,
    step_count,
)

EVERY_FUNCTION = pytest.mark.parametrize("name", GRAPH_FUNCTIONS)
EVERY_MODE = pytest.mark.parametrize("mode", MODES)
POINTS = [(2.0, 3.0), (-1.3, 0.7), (0.0, 0.0), (3.0, -3.0)]


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def state(name: str, mode: str, x: float, w: float, step: int) -> AutodiffState:
    return autodiff_state(computation_graph(GRAPH_FUNCTIONS[name].value, x=x, w=w), mode, step)


def controls(explorer: ipywidgets.VBox) -> dict[str, Any]:
    return {control.description: control for control in explorer.children[0].children}


def table(explorer: ipywidgets.VBox) -> dict[str, list[str]]:
    rows = re.findall(r"<tr><th[^>]*>(.*?)</th>(.*?)</tr>", explorer.children[2].value.split("<tbody>")[1])
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", cells) for name, cells in rows}


def caption(explorer: ipywidgets.VBox) -> str:
    (text,) = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", explorer.children[1].value)
    return str(text)


@EVERY_FUNCTION
@pytest.mark.parametrize("point", POINTS)
def test_the_last_step_of_reverse_mode_has_both_derivatives(name: str, point: tuple[float, float]) -> None:
    last = state(name, "reverse", *point, step_count(name, "reverse"))
    expected = grad(lambda point: GRAPH_FUNCTIONS[name].value(*point))(list(point))
    assert last.derivatives[:2] == pytest.approx(expected, rel=1e-14, abs=1e-15)


@EVERY_FUNCTION
@pytest.mark.parametrize("point", POINTS)
def test_the_last_step_of_forward_mode_has_the_derivative_along_its_seed(name: str, point: tuple[float, float]) -> None:
    for mode, seed in (("forward, x moves", [1.0, 0.0]), ("forward, w moves", [0.0, 1.0])):
        last = state(name, mode, *point, step_count(name, mode))
        expected = jvp(lambda point: GRAPH_FUNCTIONS[name].value(*point), list(point), seed)
        assert (last.values[-1], last.derivatives[-1]) == pytest.approx(expected, rel=1e-14, abs=1e-15)


@EVERY_FUNCTION
@EVERY_MODE
def test_what_is_known_never_changes_except_gradients_that_are_added_to(name: str, mode: str) -> None:
    before = state(name, mode, 1.2, -0.4, 0)
    assert before.active is None
    assert before.values == [1.2, -0.4] + [None] * (len(GRAPH_FUNCTIONS[name].places) - 2)
    for step in range(1, step_count(name, mode) + 1):
        after = state(name, mode, 1.2, -0.4, step)
        assert after.done != before.done
        assert all(new == old for new, old in zip(after.values, before.values, strict=True) if old is not None)
        changed = [i for i, old in enumerate(before.derivatives) if old not in (None, after.derivatives[i])]
        assert mode == "reverse" or not changed
        assert (after.values, after.derivatives) != (before.values, before.derivatives)
        before = after
    assert None not in before.values
    assert None not in before.derivatives


def test_a_value_that_is_used_twice_collects_from_both_uses() -> None:
    states = [state("diamond", "reverse", 2.0, 0.5, step) for step in range(step_count("diamond", "reverse") + 1)]
    gradients_of_u = [shown.derivatives[2] for shown in states]
    first, both = gradients_of_u[5], gradients_of_u[6]
    assert first == pytest.approx(0.8414709848)  # sin 1, along u itself
    assert both == pytest.approx(0.8414709848 + 0.5403023059)  # and cos 1, along sin u
    assert states[6].done.endswith("to v1, which had 0.8415 and now has 1.382.")
    square = state("square", "reverse", 2.0, 0.5, 4)
    assert "to v1; and 1 × 1 = 1 to v1, which had 1 and now has 2" in square.done


def test_the_explorer_starts_before_the_first_step_and_its_steps_end_with_the_calculation() -> None:
    explorer = autodiff_explorer()
    menu, mode, _, _, step = controls(explorer).values()
    assert (step.value, step.max) == (0, 3)
    assert table(explorer)["v3 = v1 + v2"] == ["–", "–"]
    step.value = 3
    assert table(explorer)["v3 = v1 + v2"] == ["+6.9093", "+2.58385"]
    assert "Step 3 of 3" in caption(explorer)
    mode.value = "reverse"
    assert step.max == 7
    step.value = 7
    assert table(explorer)["x"] == ["+2", "+2.58385"]
    menu.value = "square"
    assert step.value == step.max == 5
    assert "Step 5 of 5" in caption(explorer)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("square", "reverse"), ("diamond", "forward, x moves"), ("neuron", "forward, w moves")],
)
def test_every_step_has_a_picture_with_its_text_and_leaves_no_figure_open(name: str, mode: str) -> None:
    explorer = autodiff_explorer()
    named = controls(explorer)
    named["y"].value, named["mode"].value = name, mode
    captions = set()
    for step in range(step_count(name, mode) + 1):
        named["step"].value = step
        captions.add(caption(explorer))
        assert len(re.findall(r'<img [^>]*alt="[^"]{40,}"', explorer.children[1].value)) == 1
    assert len(captions) == step_count(name, mode) + 1
    for slider in (named["x"], named["w"]):
        for end in (slider.min, slider.max):
            slider.value = end
            assert "nan" not in explorer.children[2].value
    assert plt.get_fignums() == []
