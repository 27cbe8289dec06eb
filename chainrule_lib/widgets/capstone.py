"""How large the first weights of a deep network should be (lesson 10).

A layer that shrinks what passes through it by a factor c leaves c^K of it after K layers, forwards and backwards. For
weights drawn from N(0, g²/d_in) and inputs of size s, a pre-activation has size g s. ReLU halves the mean square, so
g = √2 keeps the size (He, Zhang, Ren, Sun, ICCV 2015, doi 10.1109/ICCV.2015.123). tanh is close to the identity at 0,
so there g = 1, or a little more, does (LeCun, Bottou, Orr, Müller, Efficient BackProp, 1998, §4.6; Glorot, Bengio,
AISTATS 2010).
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib.axes import Axes

from chainrule_lib._arrays import Array
from chainrule_lib.activations import relu, relu_derivative, sigmoid, sigmoid_derivative, tanh, tanh_derivative
from chainrule_lib.datasets import digits
from chainrule_lib.losses import categorical_cross_entropy_from_logits_gradient
from chainrule_lib.widgets._explorer import BLUE, GREY, ORANGE, View, explorer, new_figure, slider

ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "ReLU": (relu, relu_derivative),
    "tanh": (tanh, tanh_derivative),
    "σ": (sigmoid, sigmoid_derivative),
}
"""What the hidden layers of the explorer can use, with its derivative."""

WIDTH = 64
SAMPLES = 200


class InitializationValues(NamedTuple):
    """A network before its first step; entry k of each list belongs to layer k + 1, the output layer included.

    Attributes:
        spreads: root mean square of every hidden layer's activations, and of the logits.
        slopes: mean local derivative of every hidden layer's activation function.
        gradients: root mean square of ∂L/∂Z of every layer.
    """

    spreads: list[float]
    slopes: list[float]
    gradients: list[float]


def initialization_values(activation: str, gain: float, hidden: int, *, seed: int = 0) -> InitializationValues:
    """Sizes of values and of gradients in a network with freshly drawn weights, on 200 of the digits.

    Args:
        activation: of the hidden layers, a key of `ACTIVATIONS`.
        gain: g; the weights are drawn from N(0, g²/d_in), the biases are 0.
        hidden: the number of hidden layers, each of 64 units.
        seed: of the weights.

    Returns:
        The sizes, layer by layer.
    """
    function, derivative = ACTIVATIONS[activation]
    X, Y = (array[:SAMPLES] for array in digits())
    random = np.random.default_rng(seed)
    sizes = [X.shape[1], *[WIDTH] * hidden, Y.shape[1]]
    weights = [random.normal(0, gain / d_in**0.5, size=(d_out, d_in)) for d_in, d_out in pairwise(sizes)]
    A, Zs = X, []
    for W in weights:
        Zs.append(A @ W.T)
        A = function(Zs[-1])
    dZs = [categorical_cross_entropy_from_logits_gradient(Zs[-1], Y)]
    for W, Z in zip(weights[:0:-1], Zs[-2::-1], strict=True):
        dZs.insert(0, dZs[0] @ W * derivative(Z))
    outputs = [*(function(Z) for Z in Zs[:-1]), Zs[-1]]
    return InitializationValues(
        [_root_mean_square(output) for output in outputs],
        [float(np.mean(derivative(Z))) for Z in Zs[:-1]],
        [_root_mean_square(dZ) for dZ in dZs],
    )


def _root_mean_square(array: Array) -> float:
    return float(np.sqrt(np.mean(array**2)))


def _draw_sizes(axes: Axes, title: str, sizes: list[float], line: str, marker: str, color: str) -> None:
    """The sizes of all layers on a logarithmic axis, with a thin line at the first layer's size."""
    axes.semilogy(range(1, len(sizes) + 1), sizes, line, marker=marker, color=color)
    axes.axhline(sizes[0], color=GREY, linewidth=0.5)
    # A flat curve gets eight powers of ten, and a gentle slope looks gentle.
    low, high = min(sizes), max(sizes)
    axes.set_ylim(min(low / 3, 1e-4 * high), max(3 * high, 1e4 * low))
    axes.set(xlabel="layer", xticks=range(1, len(sizes) + 1))
    axes.set_title(title, fontsize="medium")


def _change(first: float, last: float) -> str:
    """How one size compares with another, in words."""
    ratio = last / first
    if 0.5 <= ratio <= 2:
        return f"about as large as ({ratio:.2g} times)"
    return f"{ratio:.2g} times as large as" if ratio > 1 else f"{1 / ratio:.2g} times smaller than"


def _initialization_view(activation: str, gain: float, hidden: int) -> View:
    values = initialization_values(activation, gain, hidden)
    figure = new_figure(9, 3.4)
    forwards, backwards = figure.subplots(1, 2)
    _draw_sizes(forwards, "forwards: size of the outputs of each layer", values.spreads, "-", "o", BLUE)
    _draw_sizes(backwards, "backwards: size of dL/dZ of each layer", values.gradients, "--", "s", ORANGE)
    rows = [
        (f"layer {k}", f"{spread:.3g}", f"{slope:.3g}" if slope is not None else "none: softmax", f"{gradient:.3g}")
        for k, (spread, slope, gradient) in enumerate(
            zip(values.spreads, [*values.slopes, None], values.gradients, strict=True), start=1
        )
    ]
    return View(
        figure,
        "Two plots against the layer, both with a logarithmic axis: on the left the size of the outputs, a solid line "
        "with dots, on the right the size of dL/dZ, a dashed line with squares. A thin line marks the first layer's.",
        f"With {activation} and a spread of the weights of {gain:g}/√d_in, the last hidden layer's outputs are "
        f"{_change(values.spreads[0], values.spreads[-2])} the first's, and the gradient that reaches the first layer "
        f"is {_change(values.gradients[-1], values.gradients[0])} the one at the output.",
        ("", "size of its outputs", "mean slope of its activation", "size of dL/dZ"),
        rows,
    )


def initialization_explorer() -> Any:
    """Choose how large the first weights are, and see what arrives at the end, and what comes back.

    Returns:
        An ipywidgets box with a menu for the activation function, and sliders for the weights' size and the depth.
    """
    menu = ipywidgets.Dropdown(description="activation", options=list(ACTIVATIONS), value="ReLU")
    depth = ipywidgets.IntSlider(description="hidden", value=6, min=1, max=12, step=1)
    return explorer([menu, slider("gain g", 0.5, 0.1, 3, 0.1), depth], _initialization_view)
