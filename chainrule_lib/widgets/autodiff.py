"""Automatic differentiation, one step after the other, on small computation graphs (lesson 07)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib.axes import Axes

from chainrule_lib.autodiff import sigmoid
from chainrule_lib.graph import ComputationGraph, computation_graph
from chainrule_lib.widgets._explorer import BLUE, GREY, LABEL_BOX, ORANGE, View, explorer, new_figure, signed, slider

Place = tuple[float, float]


@dataclass(frozen=True)
class GraphFunction:
    """A function of x and w for the explorer: how it is written, what it is, and where its nodes are drawn."""

    text: str
    value: Callable[[Any, Any], Any]
    places: tuple[Place, ...]


def _u_sin_u(x: Any, w: Any) -> Any:
    u = x * w
    return u * np.sin(u)


def _square(x: Any, w: Any) -> Any:
    u = x * w
    return u * u


GRAPH_FUNCTIONS: dict[str, GraphFunction] = {
    "two uses of x": GraphFunction(
        "x w + sin x", lambda x, w: x * w + np.sin(x), ((0, 1), (0, 0), (1, 0), (1, 1), (2, 0.5))
    ),
    "square": GraphFunction("(x w)²", _square, ((0, 1), (0, 0), (1, 0.5), (2, 0.5))),
    "diamond": GraphFunction("u sin u, u = x w", _u_sin_u, ((0, 1), (0, 0), (1, 0.5), (2, 1), (3, 0.5))),
    "neuron": GraphFunction(
        "σ(x w + 1)", lambda x, w: sigmoid(x * w + 1), ((0, 1), (0, 0), (1, 0.5), (2, 0.5), (3, 0.5))
    ),
}
"""What the autodiff explorer can differentiate, by name."""

MODES = {"forward, x moves": "x", "forward, w moves": "w", "reverse": None}
"""How it can go about it: the input with tangent 1 in forward mode, None in reverse mode."""


class AutodiffState(NamedTuple):
    """How far automatic differentiation has come; what is not known yet is None.

    Attributes:
        values: of each node.
        derivatives: in forward mode each node's tangent, in reverse mode its gradient, complete or not.
        active: the node that the last step was about; None before the first.
        backward: whether that was a step of the backward pass.
        done: the last step in words.
    """

    values: list[float | None]
    derivatives: list[float | None]
    active: int | None
    backward: bool
    done: str


def step_count(name: str, mode: str) -> int:
    """How many steps it takes: an operation each in forward mode; in reverse mode there and back, and the seed.

    Args:
        name: a key of GRAPH_FUNCTIONS.
        mode: a key of MODES.

    Returns:
        The number of steps.
    """
    operations = len(GRAPH_FUNCTIONS[name].places) - 2
    return operations if MODES[mode] else 2 * operations + 1


def autodiff_state(graph: ComputationGraph, mode: str, step: int) -> AutodiffState:
    """Where automatic differentiation is after some steps.

    Args:
        graph: of a function of x and w.
        mode: a key of MODES.
        step: how many steps have been done, from 0.

    Returns:
        What is known by then.
    """
    moving = MODES[mode]
    return _forward(graph, moving, step) if moving else _reverse(graph, step)


def _forward(graph: ComputationGraph, moving: str, step: int) -> AutodiffState:
    nodes, known = graph.nodes, 2 + step
    tangents: list[float] = [float(node.name == moving) for node in nodes[:2]]
    done = f"The inputs get their seeds: {moving} has the tangent 1, the other 0."
    for place in range(2, known):
        incoming = [edge for edge in graph.edges if edge.target == place]
        tangents.append(sum(_slope(edge) * tangents[edge.source] for edge in incoming))
        terms = " + ".join(f"{_factor(_slope(edge))} × {_factor(tangents[edge.source])}" for edge in incoming)
        node = nodes[place]
        done = (
            f"{node.name} = {node.formula} has the value {node.value:.4g} and the tangent {terms} = {tangents[-1]:.4g}."
        )
    unknown = [None] * (len(nodes) - known)
    values = [float(node.value) for node in nodes[:known]]
    return AutodiffState([*values, *unknown], [*tangents, *unknown], known - 1 if step else None, False, done)


def _reverse(graph: ComputationGraph, step: int) -> AutodiffState:
    nodes = graph.nodes
    operations = len(nodes) - 2
    known = 2 + min(step, operations)
    values = [float(node.value) if place < known else None for place, node in enumerate(nodes)]
    gradients: list[float | None] = [None] * len(nodes)
    if step <= operations:
        node = nodes[known - 1]
        done = (
            f"{node.name} = {node.formula} has the value {node.value:.4g}." if step else "The inputs have their values."
        )
        return AutodiffState(values, gradients, known - 1 if step else None, False, done)
    gradients[graph.output] = 1.0
    active, done = graph.output, f"The output {nodes[graph.output].name} gets the gradient 1, the seed of the way back."
    for place in range(graph.output, graph.output - (step - operations - 1), -1):
        active, upstream, sent = place, gradients[place], []
        assert upstream is not None, "every operation of these graphs leads to the output"
        for edge in graph.edges:
            if edge.target == place:
                before, contribution = gradients[edge.source], upstream * _slope(edge)
                total = contribution if before is None else before + contribution
                gradients[edge.source] = total
                added = "" if before is None else f", which had {before:.4g} and now has {total:.4g}"
                product = f"{_factor(upstream)} × {_factor(_slope(edge))} = {contribution:.4g}"
                sent.append(f"{product} to {nodes[edge.source].name}{added}")
        done = f"The gradient of {nodes[place].name} is complete. It sends {'; and '.join(sent)}."
    return AutodiffState(values, gradients, active, True, done)


def _slope(edge: Any) -> float:
    assert edge.local_derivative is not None, "these graphs are made of numbers"
    return float(edge.local_derivative)


def _factor(number: float) -> str:
    """A number beside a multiplication sign."""
    return f"({number:.4g})" if number < 0 else f"{number:.4g}"


def _told(number: float | None) -> str:
    return "–" if number is None else signed(number)


def _view(name: str, mode: str, x: float, w: float, step: int) -> View:
    function = GRAPH_FUNCTIONS[name]
    graph = computation_graph(function.value, x=x, w=w)
    step = min(step, step_count(name, mode))
    state = autodiff_state(graph, mode, step)
    kind = "gradient" if MODES[mode] is None else "tangent"
    figure = new_figure(10, 3.6)
    axes = figure.subplots()
    axes.set(xlim=(-0.45, 3.45), ylim=(-0.35, 1.35))
    axes.axis("off")
    titles = [f"{node.name} = {node.formula}" if node.formula else node.name for node in graph.nodes]
    boxes = []
    for place, title in enumerate(titles):
        told = f"{title}\nvalue {_told(state.values[place])}\n{kind} {_told(state.derivatives[place])}"
        boxes.append(_draw_node(axes, function.places[place], told, is_active=place == state.active))
    _draw_edges(axes, graph, function.places, boxes, state)
    return View(
        figure,
        f"A computation graph drawn from left to right: the inputs x and w, then the operations. Each box has a value "
        f"and a {kind}, or a dash where none is known yet. The box of the last step has a thick border, and the arrows "
        "point the way in which the step went.",
        f"Step {step} of {step_count(name, mode)}, y = {function.text}. {state.done}",
        ("node", "value", f"{kind} so far"),
        [
            (title, _told(value), _told(derivative))
            for title, value, derivative in zip(titles, state.values, state.derivatives, strict=True)
        ],
    )


def _draw_edges(
    axes: Axes, graph: ComputationGraph, places: tuple[Place, ...], boxes: list[Any], state: AutodiffState
) -> None:
    """An arrow for each edge, drawn after the boxes, whose borders it begins and ends at."""
    drawn: list[tuple[int, int]] = []
    for edge in graph.edges:
        ends = (edge.source, edge.target)
        is_used = edge.target == state.active and (state.backward or state.values[edge.target] is not None)
        start, end = reversed(ends) if state.backward else ends
        twice = sum((other.source, other.target) == ends for other in graph.edges) > 1
        bend = 0.0 if not twice else 0.25 if ends in drawn else -0.25
        drawn.append(ends)
        arrow = {
            "arrowstyle": "-|>",
            "color": "black" if is_used else GREY,
            "linewidth": 2 if is_used else 0.8,
            "connectionstyle": f"arc3,rad={-bend if state.backward else bend}",
            "patchA": boxes[start],
            "patchB": boxes[end],
        }
        axes.annotate("", places[end], places[start], arrowprops=arrow, zorder=4)
        if state.values[edge.target] is not None:
            (x0, y0), (x1, y1) = places[edge.source], places[edge.target]
            middle = ((x0 + x1) / 2, (y0 + y1) / 2 - bend / 1.6)
            text = f"× {_slope(edge):.4g}"
            axes.text(*middle, text, ha="center", va="center", fontsize=9, bbox=LABEL_BOX, zorder=5)


def _draw_node(axes: Axes, place: Place, text: str, *, is_active: bool) -> Any:
    """A box with a node's text; returns its border."""
    box = {
        "boxstyle": "round,pad=0.5",
        "facecolor": "white",
        "edgecolor": ORANGE if is_active else BLUE,
        "linewidth": 3 if is_active else 1,
    }
    return axes.text(*place, text, ha="center", va="center", fontsize=9.5, bbox=box, zorder=3).get_bbox_patch()


def autodiff_explorer() -> Any:
    """Step through forward and reverse mode on a small graph.

    Returns:
        An ipywidgets box with menus for the function and the mode, sliders for x and w, and one for the step.
    """
    functions = ipywidgets.Dropdown(
        description="y",
        options=[(function.text, name) for name, function in GRAPH_FUNCTIONS.items()],
        value="two uses of x",
    )
    modes = ipywidgets.Dropdown(description="mode", options=list(MODES), value="forward, x moves")
    steps = ipywidgets.IntSlider(description="step", value=0, min=0, max=step_count(functions.value, modes.value))

    def limit(_: object) -> None:
        steps.max = step_count(functions.value, modes.value)

    for menu in (functions, modes):
        menu.observe(limit, names="value")
    controls = [functions, modes, slider("x", 2.0, -3, 3, 0.1), slider("w", 3.0, -3, 3, 0.1), steps]
    return explorer(controls, _view)
