"""The computation graph of a calculation, with its values and its gradients, as a picture and in words.

A node is an input or an operation, and an edge says which value an operation uses. Forward along the edges go the
values; backward go the gradients, multiplied on each edge by the local derivative. Where several edges leave a node,
the gradients that come back on them add up. (Bauer, SIAM J. Numer. Anal. 11, 1974, doi 10.1137/0711010; Goodfellow,
Bengio, Courville, Deep Learning, 2016, §6.5.)

All numbers come from a tape of `chainrule_lib.autodiff`. Only `ComputationGraph.draw` imports matplotlib.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule_lib._arrays import Array
from chainrule_lib.autodiff import Tape, Variable
from chainrule_lib.autodiff_rules import RULES, getitem, signature
from chainrule_lib.autodiff_tracing import Operation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INFIX = {
    np.add: "{} + {}",
    np.subtract: "{} - {}",
    np.multiply: "{} * {}",
    np.divide: "{} / {}",
    np.power: "{} ** {}",
    np.matmul: "{} @ {}",
    np.negative: "-{}",
}


class Edge(NamedTuple):
    """The use of one node's value by another.

    Attributes:
        source: the place, among the nodes, of the one that is used.
        target: the place of the operation that uses it.
        local_derivative: ∂target/∂source along this edge where both are numbers, else None.
        contribution: what this edge adds to the gradient of the source, in its shape.
    """

    source: int
    target: int
    local_derivative: float | None
    contribution: Any


class Node(NamedTuple):
    """An input or an operation.

    Attributes:
        name: an input's name; v1, v2, ... for operations, in the order of the calculation.
        formula: what is calculated, from other nodes' names; empty for an input.
        value: its value.
        gradient: the gradient of the output with respect to it, in the shape of the value.
    """

    name: str
    formula: str
    value: Any
    gradient: Any


@dataclass(frozen=True)
class ComputationGraph:
    """A computation graph; printed, it is the forward pass and the backward pass in words.

    Attributes:
        nodes: the inputs in the order given, then the operations in the order of the calculation.
        edges: the uses of nodes by others, in the order of the calculation.
        output: the place of the output among the nodes.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    output: int

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self) -> str:
        """What the picture shows, in words: the alternative for those who cannot see it.

        Returns:
            A line for each node in the forward pass, and one for each edge, from the output back, in the backward pass.
        """
        nodes, output = self.nodes, self.nodes[self.output].name
        inputs = sum(not node.formula for node in nodes)
        lines = [
            f"Computation graph with {_counted(inputs, 'input')} and {_counted(len(nodes) - inputs, 'operation')}.",
            "Forward pass:",
        ]
        for node in nodes:
            lines.append(
                f"  {node.name} {f'= {node.formula}' if node.formula else 'is an input'}: {_brief(node.value)}"
            )
        lines.append(f"Backward pass, with the gradients of {output}:")
        for place in reversed(range(len(nodes))):
            node, outgoing = nodes[place], [edge for edge in self.edges if edge.source == place]
            paths = [f"{self._product(edge)} from {nodes[edge.target].name}" for edge in outgoing]
            if place == self.output:
                paths = ["the output", *paths]
            reason = " plus ".join(paths) or "not used"
            lines.append(f"  {node.name} has the gradient {_brief(node.gradient)}: {reason}")
        return "\n".join(lines)

    def draw(self) -> "Figure":
        """The picture: inputs at the top, the output, with a thick border, at the bottom.

        Each box holds a formula, a value and a gradient. Each arrow between numbers carries its local derivative; the
        gradient of a box is the sum, over its outgoing arrows, of the local derivative times the gradient they lead to.

        Returns:
            A matplotlib figure; `chainrule_lib.widgets.picture(graph.draw(), graph.to_text())` shows it with its text.
        """
        return _draw(self)

    def _product(self, edge: Edge) -> str:
        """What an edge contributes, as the chain rule calculates it."""
        contribution = _brief(edge.contribution)
        if edge.local_derivative is None:
            return contribution
        return f"{_brief(self.nodes[edge.target].gradient)} × {_brief(edge.local_derivative)} = {contribution}"


def computation_graph(f: Callable[..., Any], **inputs: Any) -> ComputationGraph:
    """The computation graph of f at the given inputs.

    Args:
        f: a function written for `chainrule_lib.autodiff`, returning one number.
        inputs: f's arguments by name: numbers or arrays of any shape.

    Returns:
        The graph, with the value of each node and the gradient of f's value with respect to it.

    Raises:
        TypeError: an input holds no numbers, or f uses something that has no derivative rule.
        ValueError: f does not return one number, or one that does not depend on its inputs; shapes do not fit.

    Example:
        >>> print(computation_graph(lambda w, x: w * x, w=2.0, x=3.0))
        Computation graph with 2 inputs and 1 operation.
        Forward pass:
          w is an input: 2
          x is an input: 3
          v1 = w * x: 6
        Backward pass, with the gradients of v1:
          v1 has the gradient 1: the output
          x has the gradient 2: 1 × 2 = 2 from v1
          w has the gradient 3: 1 × 3 = 3 from v1
    """
    tape = Tape()
    y = f(**{name: tape.variable(value) for name, value in inputs.items()})
    if not (isinstance(y, Variable) and y.tape is tape):
        raise ValueError(f"The value of f is {y!r}, whatever its inputs are: expected a number calculated from them.")
    if y.shape != ():
        raise ValueError(f"The value of f has shape {y.shape}: expected one number, such as a sum or a mean.")
    gradients = tape.pull_back(y.place, np.ones_like(y))
    fresh = (f"v{i}" for i in count(1) if f"v{i}" not in inputs)
    names = [*inputs, *islice(fresh, len(tape.operations) - len(inputs))]
    nodes, edges = [], []
    for place, operation in enumerate(tape.operations):
        parents = tape.parents[place]
        gradient = gradients.get(place, np.zeros_like(operation.value))
        formula = _formula(operation, {position: names[parent] for position, parent in parents.items()})
        nodes.append(Node(names[place], formula, operation.value, gradient))
        for position, parent in parents.items():
            contribution = operation.vjp(position, gradient)
            are_numbers = np.ndim(operation.value) == np.ndim(contribution) == 0
            local = float(operation.vjp(position, np.ones_like(operation.value))) if are_numbers else None
            edges.append(Edge(parent, place, local, contribution))
    return ComputationGraph(tuple(nodes), tuple(edges), y.place)


# --- Numbers and formulas in words ------------------------------------------------------------------------------------


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _brief(x: Any) -> str:
    """A number to four digits; of an array, its entries if they are few, else its shape."""
    array = np.asarray(x)
    if array.ndim == 0:
        return f"{array.item():.4g}"
    if array.ndim == 1 and array.size <= 4:
        return f"[{', '.join(f'{entry:.4g}' for entry in array)}]"
    return f"array {array.shape}"


def _formula(operation: Operation, names: dict[int, str]) -> str:
    """An operation as it could be written in a program; empty for an input."""
    if operation.function is None:
        return ""
    known = signature(operation.function)
    arguments = known.bind(*operation.args, **operation.options).arguments
    operands, options = [], []
    for position, (name, value) in enumerate(arguments.items()):
        if position in names:
            operands.append(names[position])
        elif position < len(RULES[operation.function]):
            operands.append(f"({_brief(value)})" if np.ndim(value) == 0 and value < 0 else _brief(value))
        elif value is not known.parameters[name].default:
            options.append(f"{name}={value}")
    if operation.function is getitem:
        return f"{operands[0]}[{_key(arguments['key'])}]"
    if operation.function in _INFIX:
        return _INFIX[operation.function].format(*operands)
    return f"{operation.function.__name__}({', '.join(operands + options)})"


def _key(key: Any) -> str:
    """An index as it is written between brackets."""
    if isinstance(key, tuple):
        return ", ".join(map(_key, key))
    if isinstance(key, slice):
        parts = (key.start, key.stop) if key.step is None else (key.start, key.stop, key.step)
        return ":".join("" if part is None else str(part) for part in parts)
    return "..." if key is Ellipsis else str(key) if np.ndim(key) == 0 else _brief(key)


# --- The picture ------------------------------------------------------------------------------------------------------

# Distinct to people who see fewer colours (Okabe, Ito, Color Universal Design, 2008), and never the only difference.
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#666666"
_FONT = 9  # in points; the other sizes are in inches
_CHARACTER, _BOX_HEIGHT, _GAP = 0.085, 0.62, 0.6
_SWEEPS = 4

# What a layer of the picture holds: a node, or (edge, layer) where an edge passes between nodes.
_Stop = int | tuple[int, int]


def _layer_of_each_node(graph: ComputationGraph) -> list[int]:
    """An operation is below all that it uses; an input is just above its first use."""
    layers = [0] * len(graph.nodes)
    for edge in graph.edges:
        layers[edge.target] = max(layers[edge.target], layers[edge.source] + 1)
    for place, node in enumerate(graph.nodes):
        uses = [layers[edge.target] for edge in graph.edges if edge.source == place]
        if not node.formula and uses:
            layers[place] = min(uses) - 1
    return layers


def _arranged(graph: ComputationGraph) -> tuple[list[list[_Stop]], list[list[_Stop]]]:
    """The stops in each layer from left to right, and those on the route of each edge.

    An edge has a stop of its own in every layer that it passes, so that it crosses no box. Each layer is sorted by the
    mean position of its neighbours, going down and up in turn, which avoids most crossings (Sugiyama, Tagawa, Toda,
    IEEE Trans. SMC 11, 1981, doi 10.1109/TSMC.1981.4308636).
    """
    layer_of = _layer_of_each_node(graph)
    layers: list[list[_Stop]] = [[] for _ in range(max(layer_of) + 1)]
    for place, depth in enumerate(layer_of):
        layers[depth].append(place)
    routes: list[list[_Stop]] = []
    for i, edge in enumerate(graph.edges):
        passed = range(layer_of[edge.source] + 1, layer_of[edge.target])
        for depth in passed:
            layers[depth].append((i, depth))
        routes.append([edge.source, *((i, depth) for depth in passed), edge.target])
    links = {link for route in routes for link in pairwise(route)}
    for sweep in range(_SWEEPS):
        for neighbours, layer in pairwise(layers if sweep % 2 == 0 else layers[::-1]):
            _sort_by_neighbours(layer, neighbours, links)
    return layers, routes


def _sort_by_neighbours(layer: list[_Stop], neighbours: list[_Stop], links: set[tuple[_Stop, _Stop]]) -> None:
    """Bring each stop of a layer near to those that it is linked to in the layer next to it."""
    positions, own = _positions(neighbours), _positions(layer)

    def mean_position(stop: _Stop) -> float:
        linked = [positions[other] for other in neighbours if {(other, stop), (stop, other)} & links]
        return sum(linked) / len(linked) if linked else own[stop]

    layer.sort(key=mean_position)


def _positions(layer: list[_Stop]) -> dict[_Stop, float]:
    """Where each stop is, side by side and centred, counted in boxes."""
    return {stop: i - (len(layer) - 1) / 2 for i, stop in enumerate(layer)}


def _shifts(
    routes: list[list[_Stop]], end: int, next_to_it: int, at: dict[_Stop, tuple[float, float]], width: float
) -> list[float]:
    """How far from the middle of a box each edge begins (or ends): spread over the side, so that no two cross there."""
    shifts = [0.0] * len(routes)
    for box in {route[end] for route in routes}:
        here = [i for i, route in enumerate(routes) if route[end] == box]
        here.sort(key=lambda i: at[routes[i][next_to_it]][0])
        for k, i in enumerate(here):
            shifts[i] = width * ((k + 0.5) / len(here) - 0.5)
    return shifts


def _draw(graph: ComputationGraph) -> "Figure":
    """The picture, on axes that count inches."""
    from matplotlib.figure import Figure

    layers, routes = _arranged(graph)
    texts = [_box_text(node) for node in graph.nodes]
    width = _CHARACTER * max(len(line) for text in texts for line in text.splitlines())
    step_x, step_y = width + _GAP, _BOX_HEIGHT + _GAP
    at = {
        stop: (step_x * position, -step_y * depth)
        for depth, layer in enumerate(layers)
        for stop, position in _positions(layer).items()
    }
    size = (step_x * max(map(len, layers)), step_y * len(layers))
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-size[0] / 2, size[0] / 2), ylim=(step_y / 2 - size[1], step_y / 2))
    axes.axis("off")
    begins, ends = _shifts(routes, 0, 1, at, width), _shifts(routes, -1, -2, at, width)
    for edge, route, begin, end in zip(graph.edges, routes, begins, ends, strict=True):
        corners = [(x, y + side * _BOX_HEIGHT / 2) for x, y in (at[stop] for stop in route) for side in (1, -1)][1:-1]
        path = np.array(corners)
        path[[0, -1], 0] += begin, end
        _draw_edge(axes, path, edge.local_derivative)
    for place, text in enumerate(texts):
        _draw_box(axes, at[place], width, text, is_output=place == graph.output)
    return figure


def _box_text(node: Node) -> str:
    title = f"{node.name} = {node.formula}" if node.formula else f"{node.name} (input)"
    return f"{title}\nvalue {_brief(node.value)}\ngradient {_brief(node.gradient)}"


def _draw_edge(axes: "Axes", path: Array, local_derivative: float | None) -> None:
    axes.plot(*path.T, color=_GREY, linewidth=1)
    axes.annotate("", path[-1], path[-2], arrowprops={"arrowstyle": "-|>", "color": _GREY, "shrinkA": 0, "shrinkB": 0})
    if local_derivative is not None:
        x, y = 0.35 * path[-2] + 0.65 * path[-1]  # near the arrow's head, where edges that cross are apart
        background = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        label = f"× {_brief(local_derivative)}"
        axes.text(x, y, label, ha="center", va="center", fontsize=_FONT - 1, bbox=background)


def _draw_box(axes: "Axes", centre: tuple[float, float], width: float, text: str, *, is_output: bool) -> None:
    from matplotlib.patches import Rectangle

    x, y = centre
    colour, linewidth = (_ORANGE, 2.5) if is_output else (_BLUE, 1)
    corner = (x - width / 2, y - _BOX_HEIGHT / 2)
    axes.add_patch(
        Rectangle(corner, width, _BOX_HEIGHT, facecolor="white", edgecolor=colour, linewidth=linewidth, zorder=2)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=_FONT, zorder=3)
