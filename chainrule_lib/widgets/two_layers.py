"""The article's network of two layers, forwards and backwards (lessons 04 and 05)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainrule_lib._arrays import Array
from chainrule_lib.network import ForwardCache, SigmoidNetwork, forward_cache
from chainrule_lib.numerical import numerical_gradient, relative_error
from chainrule_lib.widgets._explorer import BLUE, LABEL_BOX, ORANGE, View, explorer, new_figure, signed, slider


def _article_network() -> SigmoidNetwork:
    """The two-layer network of the seed article, with one output as a layer of one unit."""
    network = SigmoidNetwork([2, 2, 1])
    network.weights = [np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([[0.7, 0.8]])]
    network.biases = [np.array([0.5, 0.6]), np.array([0.9])]
    return network


class NetworkValues(NamedTuple):
    """The article's network at one input and target: forward values, loss, gradients, and differences beside them.

    `parameters`, `gradients` and `differences` go by the same names: W1, b1, W2, b2.
    """

    cache: ForwardCache
    loss: float
    parameters: dict[str, Array]
    gradients: dict[str, Array]
    differences: dict[str, Array]


def network_values(x1: float, x2: float, y: float) -> NetworkValues:
    """The forward and the backward pass of the article's network, with L = ½(a2 - y)².

    Args:
        x1: first input.
        x2: second input.
        y: target.

    Returns:
        All values; gradients by backpropagation, differences by central differences of the loss.
    """
    network = _article_network()
    x, target = np.array([x1, x2]), np.array([y])
    loss, gradients = network.gradients(x, target)
    parameters = _by_name(network.weights, network.biases)
    differences = {
        name: numerical_gradient(lambda _: network.loss(x, target), value) for name, value in parameters.items()
    }
    cache = forward_cache(x, network.weights, network.biases)
    return NetworkValues(cache, loss, parameters, _by_name(gradients.dWs, gradients.dbs), differences)


def _by_name(Ws: Sequence[Array], bs: Sequence[Array]) -> dict[str, Array]:
    return {"W1": Ws[0], "b1": bs[0], "W2": Ws[1], "b2": bs[1]}


def _edges(values: dict[str, Array]) -> list[tuple[str, tuple[int, int], tuple[float, float], tuple[float, float]]]:
    """Every weight of the drawing: its matrix, its index, and the places of the two units it joins."""
    columns = [[(0.0, 1.0), (0.0, 0.0)], [(1.0, 1.0), (1.0, 0.0)], [(2.0, 0.5)]]
    return [
        (name, (i, j), columns[k][j], columns[k + 1][i])
        for k, name in enumerate(("W1", "W2"))
        for i, j in np.ndindex(*values[name].shape)
    ]


def _draw_network(
    values: NetworkValues, edge_label: Callable[[str, tuple[int, ...]], str], signs: dict[str, Array]
) -> Figure:
    """The network with its values: a line for every weight, dashed where its entry in `signs` is negative."""
    figure = new_figure(9, 4.6)
    axes = figure.subplots()
    axes.set(xlim=(-0.25, 2.3), ylim=(-0.4, 1.3))
    axes.axis("off")
    for name, index, start, end in _edges(values.parameters):
        negative = signs[name][index] < 0
        axes.plot(
            *zip(start, end, strict=True),
            color=ORANGE if negative else BLUE,
            linestyle="--" if negative else "-",
            zorder=1,
        )
        # A third of the way along, where the crossing lines of the first layer are apart.
        x, y = (a + 0.33 * (b - a) for a, b in zip(start, end, strict=True))
        axes.text(x, y, edge_label(name, index), ha="center", va="center", fontsize=9, bbox=LABEL_BOX, zorder=2)
    x1, x2 = values.cache.As[0]
    for place, text in (((0.0, 1.0), f"x[0]\n{x1:.2f}"), ((0.0, 0.0), f"x[1]\n{x2:.2f}")):
        _draw_unit(axes, place, text, "square")
    for k, i, place in ((1, 0, (1.0, 1.0)), (1, 1, (1.0, 0.0)), (2, 0, (2.0, 0.5))):
        z, a = values.cache.Zs[k - 1][i], values.cache.As[k][i]
        _draw_unit(axes, place, f"z{k}[{i}] {z:.3f}\na{k}[{i}] {a:.3f}", "round")
        axes.text(place[0], place[1] - 0.2, edge_label(f"b{k}", (i,)), ha="center", va="top", fontsize=9)
    return figure


def _draw_unit(axes: Axes, place: tuple[float, float], text: str, shape: str) -> None:
    box = {"boxstyle": f"{shape},pad=0.6", "facecolor": "white", "edgecolor": "black"}
    axes.text(*place, text, ha="center", va="center", fontsize=10, bbox=box, zorder=3)


def _entry(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]"


def _forward_view(x1: float, x2: float) -> View:
    # The target plays no part in the forward pass.
    values = network_values(x1, x2, 0.0)
    (_, a1, a2), (z1, z2) = values.cache
    W1, b1, W2, b2 = values.parameters.values()
    figure = _draw_network(
        values, lambda name, index: f"{_entry(name, index)}\n{values.parameters[name][index]:+.1f}", values.parameters
    )
    rows = []
    for i in range(2):
        rows.append((f"z1[{i}] = {W1[i, 0]:g}·x[0] + {W1[i, 1]:g}·x[1] + {b1[i]:g}", signed(z1[i])))
        rows.append((f"a1[{i}] = σ(z1[{i}])", signed(a1[i])))
    rows.append((f"z2 = {W2[0, 0]:g}·a1[0] + {W2[0, 1]:g}·a1[1] + {b2[0]:g}", signed(z2[0])))
    rows.append(("a2 = σ(z2)", signed(a2[0])))
    return View(
        figure,
        "A network drawn from left to right: two inputs, two hidden units, one output, with a line and its weight "
        "between every two neighbours, and z, a and the bias at every unit.",
        f"The inputs {x1:g} and {x2:g} give the hidden units {a1[0]:.4g} and {a1[1]:.4g}; "
        f"the output is a2 = σ({z2[0]:.4g}) = {a2[0]:.6g}.",
        ("step", "value"),
        rows,
    )


def forward_explorer() -> Any:
    """Change the article's inputs and follow the values through the network.

    Returns:
        An ipywidgets box with a slider for each of the two inputs.
    """
    return explorer([slider("x[0]", 0.5, -2, 2, 0.1), slider("x[1]", 0.3, -2, 2, 0.1)], _forward_view)


def _backprop_view(x1: float, x2: float, y: float) -> View:
    values = network_values(x1, x2, y)
    figure = _draw_network(
        values,
        lambda name, index: (
            f"{values.parameters[name][index]:+.1f}\n{_entry(f'd{name}', index)} {values.gradients[name][index]:+.4f}"
        ),
        values.gradients,
    )
    rows = []
    for name, parameter in values.parameters.items():
        for index in np.ndindex(*parameter.shape):
            gradient, difference = float(values.gradients[name][index]), float(values.differences[name][index])
            rows.append(
                (
                    _entry(name, index),
                    signed(float(parameter[index])),
                    signed(gradient),
                    signed(difference),
                    f"{relative_error(gradient, difference):.1e}",
                )
            )
    a2 = values.cache.As[-1][0]
    direction = "lower" if a2 > y else "raise"
    return View(
        figure,
        "A network drawn from left to right: two inputs, two hidden units, one output; at every line its weight and at "
        "every unit its bias, each with its gradient. Where a weight's gradient is negative, its line is dashed.",
        f"The output is {a2:.4g}, the target {y:g}, the loss ½(a2 - y)² = {values.loss:.4g}. "
        f"A step against the gradient will {direction} the output.",
        ("parameter", "value", "gradient", "central difference", "relative error"),
        rows,
    )


def backprop_explorer() -> Any:
    """Change inputs and target, and see the gradient of every weight and bias beside its finite difference.

    Returns:
        An ipywidgets box with sliders for the two inputs and the target.
    """
    controls = [
        slider("x[0]", 0.5, -2, 2, 0.1),
        slider("x[1]", 0.3, -2, 2, 0.1),
        slider("target y", 0.5, 0, 1, 0.05),
    ]
    return explorer(controls, _backprop_view)
