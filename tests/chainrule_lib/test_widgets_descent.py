"""The descent explorer: its path is the optimizers', its limits are where descents really turn, its words are true."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule_lib import GradientDescent, Momentum
from chainrule_lib.widgets.descent import START, descent_explorer, descent_values, long_run_factor


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


@given(steep=st.floats(1, 20), rate=st.floats(0.01, 0.3), momentum=st.floats(0, 0.95))
def test_the_path_is_the_optimizer_s(steep: float, rate: float, momentum: float) -> None:
    optimizer = Momentum(rate, momentum) if momentum else GradientDescent(rate)
    w = [np.array(START)]
    for _ in range(6):
        w = optimizer.step(w, [w[0] * [1, steep]])
    values = descent_values(steep, rate, momentum, 6)
    np.testing.assert_allclose(values.path[-1], w[0], rtol=1e-10, atol=1e-12)
    assert values.losses[-1] == pytest.approx((w[0][0] ** 2 + steep * w[0][1] ** 2) / 2, rel=1e-9, abs=1e-15)


@given(steep=st.floats(1, 20), rate=st.floats(0.01, 0.3))
def test_without_momentum_the_factor_is_one_minus_rate_times_curvature(steep: float, rate: float) -> None:
    values = descent_values(steep, rate, 0.0, 3)
    assert values.factors == pytest.approx((abs(1 - rate), abs(1 - rate * steep)), abs=1e-12)
    np.testing.assert_allclose(values.path[3], [-2 * (1 - rate) ** 3, (1 - rate * steep) ** 3], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("steep", [2.0, 15.0])
def test_below_the_largest_rate_a_descent_ends_at_the_minimum_and_above_it_runs_away(
    steep: float, momentum: float
) -> None:
    limit = descent_values(steep, 0.1, momentum, 1).largest_rate
    below, above = (descent_values(steep, rate, momentum, 600) for rate in (0.98 * limit, 1.02 * limit))
    assert abs(below.path[-1, 1]) < 1e-3
    assert below.factors[1] < 1
    assert abs(above.path[-1, 1]) > 1e3
    assert above.factors[1] > 1


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("rate", [0.02, 0.15, 0.29])
def test_the_long_run_factor_is_how_the_distance_shrinks_in_the_long_run(rate: float, momentum: float) -> None:
    path = descent_values(10.0, rate, momentum, 400).path[:, 1]
    measured = (np.abs(path[-20:]).max() / np.abs(path[180:200]).max()) ** (1 / 201)
    assert long_run_factor(10.0, rate, momentum) == pytest.approx(measured, rel=0.01)


def test_the_explorer_follows_its_sliders() -> None:
    explorer = descent_explorer()
    steep, rate, momentum, steps = controls(explorer).values()
    steep.value, rate.value, momentum.value, steps.value = 4.0, 0.2, 0.0, 3
    numbers = table(explorer)
    assert numbers["curvature λ"] == [1.0, 4.0]
    assert numbers["factor per step, in the long run"] == pytest.approx([0.8, 0.2])
    assert numbers["largest stable η"] == pytest.approx([2.0, 0.5])
    assert numbers["where it is now"] == pytest.approx([-2 * 0.8**3, 0.2**3])
    momentum.value = 0.5
    assert table(explorer)["largest stable η"] == pytest.approx([3.0, 0.75])


@pytest.mark.parametrize(
    ("rate", "momentum", "manner"),
    [
        (0.05, 0.0, "comes straight in"),
        (0.15, 0.0, "swings over the minimum in every step"),
        (0.2, 0.0, "neither comes closer nor goes away"),
        (0.25, 0.0, "runs away"),
        (0.1, 0.9, "swings like a weight on a spring"),
        (0.25, 0.95, "swings like a weight on a spring"),
        (0.29, 0.2, "runs away"),
        (0.22, 0.15, "swings over the minimum in every step"),
        (0.01, 0.2, "comes straight in"),
    ],
)
def test_the_words_say_how_the_steep_direction_moves(rate: float, momentum: float, manner: str) -> None:
    explorer = descent_explorer()
    controls(explorer)["rate η"].value, controls(explorer)["momentum μ"].value = rate, momentum
    assert f"w2 {manner}." in words(explorer)
    path = descent_values(10.0, rate, momentum, 60).path[:, 1]
    turns = np.count_nonzero(np.diff(np.sign(path[:20])))
    assert (abs(path[-1]) > 1.5) == (manner == "runs away")
    assert {"comes straight in": turns == 0, "swings over the minimum in every step": turns > 15}.get(manner, True)


def test_every_slider_renews_picture_words_and_table_and_leaves_no_figure_open() -> None:
    explorer = descent_explorer()
    for control in controls(explorer).values():
        before = [child.value for child in explorer.children[1:]]
        control.value = control.max
        assert all(now.value != then for now, then in zip(explorer.children[1:], before, strict=True))
        control.value = control.min
        assert "nan" not in explorer.children[2].value
    assert len(re.findall(r'<img [^>]*alt="[^"]{40,}"', explorer.children[1].value)) == 1
    assert plt.get_fignums() == []
