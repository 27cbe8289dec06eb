"""The recurrent explorer: its norms are those of the library's own backward pass, and it follows its sliders."""

import re
import warnings
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule_lib import RNNParameters, numerical_gradient, rnn_forward
from chainrule_lib.widgets.recurrent import HIDDEN, gradient_travel, recurrent_explorer


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def controls(explorer: ipywidgets.VBox) -> dict[str, Any]:
    return {control.description: control for control in explorer.children[0].children}


def table(explorer: ipywidgets.VBox) -> dict[str, list[float]]:
    rows = re.findall(r"<tr><th[^>]*>(.*?)</th>(.*?)</tr>", explorer.children[2].value.split("<tbody>")[1])
    return {name: [float(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", cells)] for name, cells in rows}


def words(explorer: ipywidgets.VBox) -> str:
    (found,) = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", explorer.children[1].value)
    return found


@given(gain=st.floats(0.2, 2.0), steps=st.integers(1, 60))
def test_without_inputs_every_step_back_multiplies_the_norm_by_the_gain(gain: float, steps: int) -> None:
    travel = gradient_travel(gain, steps, 0.0)
    np.testing.assert_allclose(travel.norms, travel.norms[-1] * gain ** np.arange(steps, -1, -1), rtol=1e-11)
    np.testing.assert_allclose(travel.bounds, travel.norms, rtol=1e-11)
    assert travel.slope == 1.0


@given(gain=st.floats(0.2, 2.0), steps=st.integers(1, 60), size=st.floats(0.01, 2.0))
def test_no_norm_exceeds_its_bound_and_inputs_make_tanh_flatter(gain: float, steps: int, size: float) -> None:
    travel = gradient_travel(gain, steps, size)
    assert np.all(travel.norms <= travel.bounds * (1 + 1e-9))
    assert np.all(travel.norms[:-1] <= gain * travel.norms[1:] * (1 + 1e-9))
    assert 0 < travel.slope < 1


@pytest.mark.parametrize(("gain", "size"), [(0.7, 0.0), (1.4, 0.3), (1.9, 2.0)])
def test_the_first_norm_is_that_of_the_complex_step_by_the_initial_state(gain: float, size: float) -> None:
    P = RNNParameters.random(1, HIDDEN, 1, gain=gain, seed=8)
    X = size * np.random.default_rng(8).normal(size=(12, 1))
    dh0 = numerical_gradient(lambda h0: rnn_forward(X, P, h0).Y[-1, 0], np.zeros(HIDDEN), method="complex")
    assert gradient_travel(gain, 12, size).norms[0] == pytest.approx(np.linalg.norm(dh0), rel=1e-11)


def test_the_explorer_shows_the_norms_and_bounds_of_its_sliders() -> None:
    explorer = recurrent_explorer()
    for gain, steps, size in ((0.5, 8, 0.0), (1.3, 25, 0.4), (2.0, 60, 2.0)):
        for name, value in (("gain", gain), ("steps T", steps), ("input size", size)):
            controls(explorer)[name].value = value
        travel = gradient_travel(gain, steps, size)
        numbers = table(explorer)
        for back in (0, 5, steps):
            norm, bound = numbers[f"{back} back, t = {steps - back}"]
            assert norm == pytest.approx(travel.norms[steps - back], rel=1e-3)
            assert bound == pytest.approx(travel.bounds[steps - back], rel=1e-3)
        assert f"multiplied by {travel.norms[0] / travel.norms[-1]:.3g}:" in words(explorer)


def test_the_explorer_says_what_becomes_of_the_gradient() -> None:
    explorer = recurrent_explorer()
    sliders = controls(explorer)
    sliders["steps T"].value = 40
    for gain, verdict in ((0.7, "vanishes"), (1.0, "keeps its order of magnitude"), (1.5, "explodes")):
        sliders["gain"].value = gain
        assert f"the gradient {verdict}." in words(explorer)


def test_every_slider_renews_picture_words_and_table_and_leaves_no_figure_open() -> None:
    explorer = recurrent_explorer()
    controls(explorer)["input size"].value = 0.5
    for control in controls(explorer).values():
        before = [child.value for child in explorer.children[1:]]
        control.value = control.value + 2 * control.step
        assert all(child.value != old for child, old in zip(explorer.children[1:], before, strict=True))
    assert len(re.findall(r'<img [^>]*alt="[^"]{40,}"', explorer.children[1].value)) == 1
    assert plt.get_fignums() == []


def test_the_explorer_survives_the_ends_of_its_sliders() -> None:
    explorer = recurrent_explorer()
    gain, steps, size = controls(explorer).values()
    steps.value = steps.max
    for slider in (gain, size, gain, steps):
        for end in (slider.max, slider.min):
            slider.value = end
            assert "nan" not in explorer.children[2].value
