"""The interactive explorers of the lessons: sliders, a picture, and the numbers in it.

Each function returns an ipywidgets box to be displayed as the last value of a cell. The numbers come from functions
without any drawing (`chain_rule_values`, `sigmoid_values`, `network_values`), which the tests check by themselves.

Every picture is followed by a sentence that says what it shows and a table of its numbers, both renewed with it, and
differences are told by line style, marker and sign as well as by colour. The explorers' figures are made without
pyplot, so that none stays open and none needs a display. `picture` gives a lesson's own figure its text.
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from IPython.display import HTML
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainrule_lib._arrays import Array
from chainrule_lib.activations import sigmoid, sigmoid_derivative
from chainrule_lib.network import ForwardCache, SigmoidNetwork, forward_cache
from chainrule_lib.numerical import numerical_gradient, relative_error

# Distinct to people who see fewer colours (Okabe, Ito, Color Universal Design, 2008), and never the only difference.
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#666666"
_LABEL_BOX = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"}


class View(NamedTuple):
    """What an explorer shows for one setting of its controls."""

    figure: Figure
    alternative: str
    description: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def _explorer(controls: Sequence[Any], view: Callable[..., View]) -> Any:
    """A box with the controls, and under them the view of their values, drawn anew whenever one changes."""
    picture, table = ipywidgets.HTML(), ipywidgets.HTML()

    def show(_: object = None) -> None:
        shown = view(*(control.value for control in controls))
        picture.value = _picture_html(shown)
        table.value = _table_html(shown.header, shown.rows)

    for control in controls:
        control.observe(show, names="value")
    show()
    return ipywidgets.VBox([ipywidgets.HBox(list(controls), layout={"flex_flow": "row wrap"}), picture, table])


def picture(figure: Figure, alternative: str) -> HTML:
    """A finished figure as an image with a text for those who cannot see it.

    A plain matplotlib picture has none in a notebook. A pyplot figure is closed, so that it is not shown twice.

    Args:
        figure: any matplotlib figure.
        alternative: what the picture shows, in words.

    Returns:
        What to leave as the last value of a cell.
    """
    pyplot.close(figure)
    return HTML(_image(figure, alternative))


def _image(figure: Figure, alternative: str) -> str:
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    data = base64.b64encode(svg.getvalue()).decode()
    return f'<img style="max-width:100%" src="data:image/svg+xml;base64,{data}" alt="{escape(alternative)}">'


def _picture_html(view: View) -> str:
    return (
        f'<figure style="margin:0">{_image(view.figure, view.alternative)}'
        f'<figcaption aria-live="polite">{escape(view.description)}</figcaption></figure>'
    )


def _table_html(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col" style="text-align:left;padding-right:2em">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left;padding-right:2em;font-weight:normal">{escape(first)}</th>'
        + "".join(f'<td style="font-family:monospace;padding-right:2em">{escape(cell)}</td>' for cell in others)
        + "</tr>"
        for first, *others in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _slider(description: str, value: float, low: float, high: float, step: float) -> Any:
    return ipywidgets.FloatSlider(description=description, value=value, min=low, max=high, step=step)


def _number(value: float) -> str:
    """Six digits and always a sign, so that the sign is never told by colour alone."""
    return f"{value:+.6g}"


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


# --- The chain rule (lesson 01) ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScalarFunction:
    """A function of one variable for the explorer: how it is written, what it is, and its derivative."""

    text: str
    value: Callable[[Any], Any]
    derivative: Callable[[Any], Any]


FUNCTIONS: dict[str, ScalarFunction] = {
    "square": ScalarFunction("{v}²", np.square, lambda v: 2 * v),
    "line": ScalarFunction("3{v} + 1", lambda v: 3 * v + 1, lambda v: 3 + 0 * v),
    "sine": ScalarFunction("sin {v}", np.sin, np.cos),
    "exponential": ScalarFunction("exp({v})", np.exp, np.exp),
    "decay": ScalarFunction("exp(-{v})", lambda v: np.exp(-v), lambda v: -np.exp(-v)),
    "sigmoid": ScalarFunction("σ({v})", sigmoid, sigmoid_derivative),
}
"""What the chain rule explorer can compose, by name."""


class ChainRuleValues(NamedTuple):
    """The chain rule at one x, for y = f(u), u = g(x)."""

    u: float
    y: float
    du_dx: float
    dy_du: float
    dy_dx: float
    central_difference: float


def chain_rule_values(f: ScalarFunction, g: ScalarFunction, x: float) -> ChainRuleValues:
    """y = f(g(x)) with its local derivatives, their product, and a central difference of the composition beside it.

    Args:
        f: the outer function.
        g: the inner function.
        x: where.

    Returns:
        The values, as Python floats.
    """
    u = float(g.value(x))
    du_dx, dy_du = float(g.derivative(x)), float(f.derivative(u))
    difference = numerical_gradient(lambda t: f.value(g.value(t)), float(x))
    return ChainRuleValues(u, float(f.value(u)), du_dx, dy_du, dy_du * du_dx, difference)


def _draw_tangent(
    axes: Axes, title: str, at: float, function: Callable[[Any], Any], slope: float, span: tuple[float, float]
) -> None:
    """A curve, the point at `at`, and the tangent there with the given slope."""
    t = np.linspace(*span, 201)
    curve, value = function(t), function(at)
    axes.plot(t, curve, color=_BLUE, linestyle="-")
    axes.plot(t, value + slope * (t - at), color=_ORANGE, linestyle="--")
    axes.plot([at], [value], color="black", marker="o", linestyle="none")
    # The curve decides the height: a steep tangent would flatten it.
    margin = 0.15 * (np.ptp(curve) or 1.0)
    axes.set_ylim(curve.min() - margin, curve.max() + margin)
    axes.axhline(0, color=_GREY, linewidth=0.5)
    axes.set_title(f"{title}\ndashed tangent: slope {slope:+.4g}", fontsize="medium")


def _chain_rule_view(f_name: str, g_name: str, x: float) -> View:
    f, g = FUNCTIONS[f_name], FUNCTIONS[g_name]
    values = chain_rule_values(f, g, x)
    f_text, g_text = f.text.format(v="u"), g.text.format(v="x")
    figure = _figure(11, 3.4)
    inner, outer, composed = figure.subplots(1, 3)
    _draw_tangent(inner, f"inner: u = g(x) = {g_text}", x, g.value, values.du_dx, (-2, 2))
    inner.set(xlabel="x", ylabel="u")
    around_u = (values.u - 2, values.u + 2)
    _draw_tangent(outer, f"outer: y = f(u) = {f_text}", values.u, f.value, values.dy_du, around_u)
    outer.set(xlabel="u", ylabel="y")
    _draw_tangent(composed, "composition: y = f(g(x))", x, lambda t: f.value(g.value(t)), values.dy_dx, (-2, 2))
    composed.set(xlabel="x", ylabel="y")
    return View(
        figure,
        "Three plots: the inner function, the outer function and their composition, each a solid curve with a dashed "
        "tangent at a marked point.",
        f"At x = {x:g} the inner function {g_text} is {values.u:.4g} and has slope {values.du_dx:+.4g}; "
        f"there the outer function {f_text} has slope {values.dy_du:+.4g}. "
        f"The composition's slope is the product, {values.dy_dx:+.4g}.",
        ("quantity", "value"),
        [
            ("g(x)", _number(values.u)),
            ("f(g(x))", _number(values.y)),
            ("df/dg, at g(x)", _number(values.dy_du)),
            ("dg/dx, at x", _number(values.du_dx)),
            ("df/dg · dg/dx", _number(values.dy_dx)),
            ("central difference of f(g(x))", _number(values.central_difference)),
        ],
    )


def chain_rule_explorer() -> Any:
    """Compose two functions and watch the slope of the composition be the product of the two slopes.

    Returns:
        An ipywidgets box with a menu for f, a menu for g and a slider for x.
    """

    def menu(description: str, variable: str, name: str) -> Any:
        options = [(function.text.format(v=variable), key) for key, function in FUNCTIONS.items()]
        return ipywidgets.Dropdown(description=description, options=options, value=name)

    controls = [menu("outer f(u)", "u", "sine"), menu("inner g(x)", "x", "square"), _slider("x", 0.8, -2, 2, 0.05)]
    return _explorer(controls, _chain_rule_view)


# --- The sigmoid (lesson 04) ------------------------------------------------------------------------------------------


class SigmoidValues(NamedTuple):
    """σ and its slope at one z."""

    a: float
    slope: float
    central_difference: float


def sigmoid_values(z: float) -> SigmoidValues:
    """σ(z), σ'(z) and a central difference of σ at z."""
    return SigmoidValues(sigmoid(z), sigmoid_derivative(z), numerical_gradient(sigmoid, float(z)))


def _sigmoid_view(z: float) -> View:
    values = sigmoid_values(z)
    figure = _figure(9, 3.4)
    left, right = figure.subplots(1, 2)
    _draw_tangent(left, "a = σ(z)", z, sigmoid, values.slope, (-8, 8))
    left.set(xlabel="z", ylabel="a")
    t = np.linspace(-8, 8, 201)
    right.plot(t, sigmoid_derivative(t), color=_ORANGE, linestyle="--")
    right.plot([z], [values.slope], color="black", marker="o", linestyle="none")
    right.set(xlabel="z", ylabel="da/dz", ylim=(-0.02, 0.28))
    right.set_title("its slope, σ'(z) = σ(z)(1 - σ(z))", fontsize="medium")
    return View(
        figure,
        "Two plots: σ, rising in an S from 0 to 1, with its tangent at z; the slope of σ, a bell of height 1/4 at 0.",
        f"At z = {z:g}, σ(z) is {values.a:.4g}; the tangent has slope {values.slope:.4g}, "
        f"{values.slope / 0.25:.0%} of the largest slope, 1/4 at z = 0.",
        ("quantity", "value"),
        [
            ("σ(z)", _number(values.a)),
            ("1 - σ(z)", _number(1 - values.a)),
            ("σ(z)(1 - σ(z))", _number(values.slope)),
            ("central difference of σ", _number(values.central_difference)),
        ],
    )


def sigmoid_explorer() -> Any:
    """Move along σ and watch its slope die out on both sides.

    Returns:
        An ipywidgets box with a slider for z.
    """
    return _explorer([_slider("z", 1.0, -8, 8, 0.1)], _sigmoid_view)


# --- The article's network (lessons 04 and 05) ------------------------------------------------------------------------


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
    figure = _figure(9, 4.6)
    axes = figure.subplots()
    axes.set(xlim=(-0.25, 2.3), ylim=(-0.4, 1.3))
    axes.axis("off")
    for name, index, start, end in _edges(values.parameters):
        negative = signs[name][index] < 0
        axes.plot(
            *zip(start, end, strict=True),
            color=_ORANGE if negative else _BLUE,
            linestyle="--" if negative else "-",
            zorder=1,
        )
        # A third of the way along, where the crossing lines of the first layer are apart.
        x, y = (a + 0.33 * (b - a) for a, b in zip(start, end, strict=True))
        axes.text(x, y, edge_label(name, index), ha="center", va="center", fontsize=9, bbox=_LABEL_BOX, zorder=2)
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
        rows.append((f"z1[{i}] = {W1[i, 0]:g}·x[0] + {W1[i, 1]:g}·x[1] + {b1[i]:g}", _number(z1[i])))
        rows.append((f"a1[{i}] = σ(z1[{i}])", _number(a1[i])))
    rows.append((f"z2 = {W2[0, 0]:g}·a1[0] + {W2[0, 1]:g}·a1[1] + {b2[0]:g}", _number(z2[0])))
    rows.append(("a2 = σ(z2)", _number(a2[0])))
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
    return _explorer([_slider("x[0]", 0.5, -2, 2, 0.1), _slider("x[1]", 0.3, -2, 2, 0.1)], _forward_view)


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
                    _number(float(parameter[index])),
                    _number(gradient),
                    _number(difference),
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
        _slider("x[0]", 0.5, -2, 2, 0.1),
        _slider("x[1]", 0.3, -2, 2, 0.1),
        _slider("target y", 0.5, 0, 1, 0.05),
    ]
    return _explorer(controls, _backprop_view)
