"""The explorer of the first weights: its numbers are those of a network, and its words follow them."""

import re
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from chainrule_lib import categorical_cross_entropy_from_logits, digits, numerical_gradient
from chainrule_lib.widgets.capstone import ACTIVATIONS, initialization_explorer, initialization_values


def size(array: Any) -> float:
    return float(np.sqrt(np.mean(np.square(array))))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [1, 3])
def test_the_sizes_are_those_of_a_network_drawn_from_the_same_numbers(activation: str, hidden: int) -> None:
    values = initialization_values(activation, 1.3, hidden, seed=4)
    X, Y = (array[:200] for array in digits())
    random = np.random.default_rng(4)
    weights = [
        random.normal(0, 1.3 / np.sqrt(d_in), size=(d_out, d_in)) for d_in, d_out in pairwise([64, *[64] * hidden, 10])
    ]
    function, derivative = ACTIVATIONS[activation]

    def logits_from(k: int, Z: Any) -> Any:
        for W in weights[k + 1 :]:
            Z = function(Z) @ W.T
        return Z

    Zs = [X @ weights[0].T]
    for W in weights[1:]:
        Zs.append(function(Zs[-1]) @ W.T)
    assert values.spreads == pytest.approx([*(size(function(Z)) for Z in Zs[:-1]), size(Zs[-1])])
    assert values.slopes == pytest.approx([np.mean(derivative(Z)) for Z in Zs[:-1]])
    # One row of every layer's gradient, measured: a batch's rows do not touch one another.
    for k, Z in enumerate(Zs):
        row = numerical_gradient(
            lambda z, k=k: categorical_cross_entropy_from_logits(logits_from(k, z), Y[:1]), Z[:1], method="complex"
        )
        alone = initialization_rows(activation, weights, X[:1], Y[:1])[k]
        np.testing.assert_allclose(row, alone, rtol=1e-10, atol=1e-18)
    assert values.gradients == pytest.approx([size(dZ) for dZ in initialization_rows(activation, weights, X, Y)])


def initialization_rows(activation: str, weights: list[Any], X: Any, Y: Any) -> list[Any]:
    """dL/dZ of every layer, by the chain rule with softmax and cross-entropy at the end."""
    function, derivative = ACTIVATIONS[activation]
    Zs = [X @ weights[0].T]
    for W in weights[1:]:
        Zs.append(function(Zs[-1]) @ W.T)
    P = np.exp(Zs[-1]) / np.exp(Zs[-1]).sum(axis=1, keepdims=True)
    found = [(P - Y) / len(Y)]
    for k in range(len(weights) - 1, 0, -1):
        found.insert(0, found[0] @ weights[k] * derivative(Zs[k - 1]))
    return found


def test_he_s_gain_keeps_relu_s_sizes_and_a_smaller_one_loses_them_both_ways() -> None:
    kept, lost = initialization_values("ReLU", np.sqrt(2), 10), initialization_values("ReLU", 0.5, 10)
    assert 0.5 < kept.spreads[-2] / kept.spreads[0] < 2
    assert 0.3 < kept.gradients[0] / kept.gradients[-2] < 3
    # Each of nine layers multiplies the size by about 0.5/√2.
    assert lost.spreads[-2] / lost.spreads[0] == pytest.approx((0.5 / np.sqrt(2)) ** 9, rel=0.7)
    assert lost.gradients[0] / lost.gradients[-2] < 1e-3


def test_sigmoids_look_healthy_forwards_and_lose_the_gradient() -> None:
    values = initialization_values("σ", 1.0, 8)
    assert all(0.4 < spread < 0.6 for spread in values.spreads[:-1])
    assert values.gradients[0] < 1e-5 * values.gradients[-1]
    assert max(values.slopes) <= 0.25


def table(explorer: Any) -> dict[str, list[str]]:
    rows = re.findall(r"<tr><th[^>]*>(.*?)</th>(.*?)</tr>", explorer.children[2].value.split("<tbody>")[1])
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", cells) for name, cells in rows}


def test_the_explorer_follows_its_controls_and_says_what_it_shows() -> None:
    box = initialization_explorer()
    menu, gain, depth = box.children[0].children
    assert len(table(box)) == 7
    first = box.children[1].value
    menu.value, gain.value, depth.value = "tanh", 1.2, 4
    values = initialization_values("tanh", 1.2, 4)
    numbers = table(box)
    assert list(numbers) == [f"layer {k}" for k in range(1, 6)]
    assert numbers["layer 2"] == [f"{v[1]:.3g}" for v in values]
    assert numbers["layer 5"][1] == "none: softmax"
    assert box.children[1].value != first
    words = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", box.children[1].value)[0]
    assert "With tanh" in words
    assert "about as large as" in words
    assert re.search(r'<img [^>]*alt="[^"]{40,}"', box.children[1].value)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_ends_of_the_sliders_give_finite_numbers(activation: str) -> None:
    box = initialization_explorer()
    menu, gain, depth = box.children[0].children
    menu.value = activation
    for g in (gain.min, gain.max):
        for hidden in (depth.min, depth.max):
            gain.value, depth.value = g, hidden
            assert not re.search("nan|inf", box.children[2].value)
