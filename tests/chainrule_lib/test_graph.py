"""Computation graphs: their numbers are the chain rule's, their words are complete, their pictures legible."""

import doctest
import subprocess
import sys
import warnings
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainrule_lib import forward_pass, graph, numerical_gradient, widgets
from chainrule_lib.autodiff import grad, sigmoid
from chainrule_lib.graph import ComputationGraph, computation_graph

Array = np.ndarray


def many_paths(x: Any, y: Any) -> Any:
    return x * x + np.sin(x * y) * x - x / y


def article(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    return sigmoid(W2 @ sigmoid(W1 @ x + b1) + b2)


ARTICLE = {
    "x": np.array([0.5, 0.3]),
    "W1": np.array([[0.1, 0.2], [0.3, 0.4]]),
    "b1": np.array([0.5, 0.6]),
    "W2": np.array([0.7, 0.8]),
    "b2": 0.9,
}
GRAPHS: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (lambda x: -x, {"x": 2.0}),
    (lambda x: x * x, {"x": -123.456}),
    (many_paths, {"x": 1.5, "y": 2.0}),
    (article, ARTICLE),
    (lambda x, unused: (unused * 2, np.exp(np.sum(x)))[1], {"x": np.ones((2, 3)), "unused": np.ones(2)}),
    (lambda a, b, c: ((a + b) * (b + c)) ** (a - c) + a, {"a": 1.5, "b": 2.0, "c": 0.25}),
]
every_graph = pytest.mark.parametrize(("f", "inputs"), GRAPHS)


def drawn_text(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


# --- Its numbers ------------------------------------------------------------------------------------------------------


@every_graph
def test_every_input_has_its_gradient(f: Callable[..., Any], inputs: dict[str, Any]) -> None:
    nodes = {node.name: node for node in computation_graph(f, **inputs).nodes}
    for name, value in inputs.items():

        def of_one(value: Any, name: str = name) -> Any:
            return f(**{**inputs, name: value}) + 0 * np.sum(value)  # also a function of what f does not use

        np.testing.assert_array_equal(nodes[name].value, value)
        expected = numerical_gradient(of_one, value, method="complex")
        np.testing.assert_allclose(nodes[name].gradient, expected, rtol=1e-13, atol=1e-15)


@every_graph
def test_a_gradient_is_the_sum_of_what_the_outgoing_edges_bring_back(
    f: Callable[..., Any], inputs: dict[str, Any]
) -> None:
    shown = computation_graph(f, **inputs)
    for place, node in enumerate(shown.nodes):
        assert np.shape(node.gradient) == np.shape(node.value)
        brought = [edge.contribution for edge in shown.edges if edge.source == place]
        expected = 1.0 if place == shown.output else sum(brought, np.zeros(np.shape(node.value)))
        np.testing.assert_allclose(node.gradient, expected, rtol=1e-14)


def test_the_chain_rule_holds_on_every_edge_between_numbers() -> None:
    shown = computation_graph(many_paths, x=1.5, y=2.0)
    for edge in shown.edges:
        assert edge.local_derivative is not None
        product = shown.nodes[edge.target].gradient * edge.local_derivative
        assert edge.contribution == pytest.approx(product, rel=1e-15)
    local = {(shown.nodes[e.source].name, shown.nodes[e.target].formula): e.local_derivative for e in shown.edges}
    assert local["v2", "sin(v2)"] == np.cos(3.0)
    assert local["x", "x / y"] == 0.5
    assert local["y", "x / y"] == -1.5 / 4


def test_the_article_s_network_has_the_article_s_output() -> None:
    shown = computation_graph(article, **ARTICLE)
    assert shown.nodes[shown.output].value == pytest.approx(forward_pass(**ARTICLE), abs=1e-15)
    assert [node.formula for node in shown.nodes if node.formula] == [
        "W1 @ x",
        "v1 + b1",
        "sigmoid(v2)",
        "W2 @ v3",
        "v4 + b2",
        "sigmoid(v5)",
    ]
    assert all(edge.local_derivative is None for edge in shown.edges if np.ndim(shown.nodes[edge.source].value))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_random_calculation_has_the_gradient_of_reverse_mode(seed: int) -> None:
    f, inputs = random_calculation(seed)
    shown = computation_graph(f, **inputs)
    expected = grad(lambda values: f(**values))(inputs)
    for node in shown.nodes[: len(inputs)]:
        assert node.gradient == pytest.approx(expected[node.name], rel=1e-13)


def random_calculation(seed: int) -> tuple[Callable[..., Any], dict[str, float]]:
    """Sums, products and sigmoids of values picked at random among all that came before."""

    def f(**inputs: Any) -> Any:
        random, values = np.random.default_rng(seed), list(inputs.values())
        for _ in range(random.integers(1, 9)):
            a, b = (values[i] for i in random.integers(len(values), size=2))
            values.append([lambda a, b: a + b, lambda a, b: a * b, lambda a, b: sigmoid(a)][random.integers(3)](a, b))
        return values[-1]

    return f, {"a": 0.5, "b": -1.25, "c": 2.0}


# --- Its words --------------------------------------------------------------------------------------------------------


def test_the_text_gives_every_value_and_every_path_of_the_gradient() -> None:
    lines = str(computation_graph(many_paths, x=1.5, y=2.0)).splitlines()
    assert lines[0] == "Computation graph with 2 inputs and 7 operations."
    assert "  x is an input: 1.5" in lines
    assert "  v3 = sin(v2): 0.1411" in lines
    assert "  v7 has the gradient 1: the output" in lines
    assert "  y has the gradient -1.852: -1.485 × 1.5 = -2.227 from v2 plus -1 × -0.375 = 0.375 from v6" in lines
    assert lines[-1].count(" plus ") == 4


def test_the_text_of_arrays_gives_their_shapes_or_their_few_entries() -> None:
    text = computation_graph(lambda X, w, z: np.sum(np.tanh(X @ w)), X=np.ones((2, 3)), w=np.zeros(3), z=1.0).to_text()
    assert "  X is an input: array (2, 3)\n" in text
    assert "  v1 = X @ w: [0, 0]\n" in text
    assert "  w has the gradient [2, 2, 2]: [2, 2, 2] from v1\n" in text
    assert "  z has the gradient 0: not used\n" in text


@pytest.mark.parametrize(
    ("f", "formula"),
    [
        (lambda x: x[0, 1:, None], "x[0, 1:, None]"),
        (lambda x: x[..., ::2], "x[..., ::2]"),
        (lambda x: x[[1, 0]], "x[[1, 0]]"),
        (lambda x: x.sum(axis=0), "sum(x, axis=0)"),
        (lambda x: np.sum(x), "sum(x)"),
        (lambda x: x.mean(keepdims=True), "mean(x, keepdims=True)"),
        (lambda x: x.reshape(3, -1), "reshape(x, shape=(3, -1))"),
        (lambda x: x.T, "transpose(x)"),
        (lambda x: -x, "-x"),
        (lambda x: x**-2, "x ** (-2)"),
        (lambda x: 3 - x, "3 - x"),
        (lambda x: np.ones((2, 3)) * x, "array (2, 3) * x"),
        (lambda x: np.maximum(x, 0), "maximum(x, 0)"),
        (lambda x: np.where(True, x, 0.5), "where(1, x, 0.5)"),
    ],
)
def test_a_formula_is_what_was_written(f: Callable[[Any], Any], formula: str) -> None:
    shown = computation_graph(lambda x: np.sum(f(x)), x=np.ones((2, 3)))
    assert shown.nodes[1].formula == formula


def test_operations_are_not_named_like_inputs() -> None:
    shown = computation_graph(lambda v1, v3: v1 * v3 + v1, v1=1.0, v3=2.0)
    assert [(node.name, node.formula) for node in shown.nodes[2:]] == [("v2", "v1 * v3"), ("v4", "v2 + v1")]


def test_the_examples_in_the_docstrings_are_right() -> None:
    results = doctest.testmod(graph)
    assert results.attempted >= 1
    assert results.failed == 0


# --- Its picture ------------------------------------------------------------------------------------------------------


def boxes(figure: Figure) -> list[Rectangle]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def crosses(start: Array, end: Array, box: Rectangle) -> bool:
    """Whether a straight line passes through the inside of a box."""
    x, y = box.get_xy()
    along = np.linspace(start, end, 200)
    margin = 1e-9
    inside_x = (along[:, 0] > x + margin) & (along[:, 0] < x + box.get_width() - margin)
    inside_y = (along[:, 1] > y + margin) & (along[:, 1] < y + box.get_height() - margin)
    return bool(np.any(inside_x & inside_y))


def assert_legible(shown: ComputationGraph) -> None:
    figure = shown.draw()
    figure.draw_without_rendering()
    axes, nodes = figure.axes[0], boxes(figure)
    assert len(nodes) == len(shown.nodes)
    assert len(axes.lines) == len(shown.edges)
    extents = [box.get_window_extent() for box in nodes]
    assert not any(a.overlaps(b) for a, b in combinations(extents, 2))
    for extent, text in zip(extents, axes.texts[-len(nodes) :], strict=True):
        inner = text.get_window_extent()
        assert extent.x0 < inner.x0 < inner.x1 < extent.x1
        assert extent.y0 < inner.y0 < inner.y1 < extent.y1
        assert figure.bbox.x0 < extent.x0 < extent.x1 < figure.bbox.x1
        assert figure.bbox.y0 < extent.y0 < extent.y1 < figure.bbox.y1
    for edge, line in zip(shown.edges, axes.lines, strict=True):
        path = np.column_stack([np.asarray(line.get_xdata()), np.asarray(line.get_ydata())])
        assert not any(crosses(*segment, box) for segment in pairwise(path) for box in nodes)
        source, target = nodes[edge.source], nodes[edge.target]
        assert path[0, 1] == pytest.approx(source.get_y())  # leaves below its source,
        assert path[-1, 1] == pytest.approx(target.get_y() + target.get_height())  # arrives above its target,
        assert source.get_x() < path[0, 0] < source.get_x() + source.get_width()
        assert target.get_x() < path[-1, 0] < target.get_x() + target.get_width()
        assert np.all(np.diff(path[:, 1]) < 0)  # and goes down all the way
    for nearest, next_to_it, side in ((0, 1, "source"), (-1, -2, "target")):
        for place in range(len(nodes)):
            here = [
                line.get_xdata()
                for edge, line in zip(shown.edges, axes.lines, strict=True)
                if getattr(edge, side) == place
            ]
            at_box = sorted((np.asarray(x)[nearest], np.asarray(x)[next_to_it]) for x in here)
            assert np.all(np.diff([x for x, _ in at_box]) > 0)  # each has a place of its own at its box


@every_graph
def test_boxes_hold_their_text_and_no_edge_crosses_one(f: Callable[..., Any], inputs: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_legible(computation_graph(f, **inputs))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_graphs_are_legible_too(seed: int) -> None:
    f, inputs = random_calculation(seed)
    assert_legible(computation_graph(f, **inputs))


def test_the_picture_has_all_values_gradients_and_local_derivatives() -> None:
    text = drawn_text(computation_graph(many_paths, x=1.5, y=2.0).draw())
    assert "x (input)\nvalue 1.5\ngradient -0.3289" in text
    assert "v3 = sin(v2)\nvalue 0.1411\ngradient 1.5" in text
    assert text.count("× 1.5") == 4
    assert "× -0.375" in text


def test_the_output_has_a_thicker_border_than_everything_else() -> None:
    shown = computation_graph(many_paths, x=1.5, y=2.0)
    widths = [box.get_linewidth() for box in boxes(shown.draw())]
    assert widths.index(max(widths)) == shown.output
    assert widths.count(max(widths)) == 1


def test_two_edges_between_the_same_boxes_are_told_apart() -> None:
    figure = computation_graph(lambda x: x * x, x=3.0).draw()
    one, other = (np.asarray(line.get_xdata()) for line in figure.axes[0].lines)
    assert np.all(one < other)


def crossings(figure: Figure) -> int:
    """How many pairs of straight pieces of edges cross."""
    lines = [np.column_stack([line.get_xdata(), line.get_ydata()]) for line in figure.axes[0].lines]
    pieces = [(i, *piece) for i, path in enumerate(lines) for piece in pairwise(path)]

    def side(a: Array, b: Array, c: Array) -> float:
        return float(np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])))

    return sum(
        side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for (i, a, b), (j, c, d) in combinations(pieces, 2)
        if i != j
    )


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (lambda a, b, c, d: (c * d) ** 2 + np.exp(a * b), {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}),
        (lambda a, b: (np.exp(a * b) + b) * 2, {"a": 1.0, "b": 2.0}),
        (lambda x, y: x * y + np.sin(x), {"x": 1.0, "y": 2.0}),
    ],
)
def test_sorting_the_layers_leaves_no_crossing_in_small_graphs(f: Callable[..., Any], inputs: dict[str, Any]) -> None:
    assert crossings(computation_graph(f, **inputs).draw()) == 0


def test_an_input_stands_just_above_its_first_use() -> None:
    shown = computation_graph(lambda x, bias: np.exp(np.sin(x)) + bias, x=1.0, bias=2.0)
    height = [box.get_y() for box in boxes(shown.draw())]
    assert height[0] > height[2] > height[3] == height[1] > height[4]


def test_the_picture_can_be_shown_with_its_text() -> None:
    shown = computation_graph(lambda x: x * x, x=3.0)
    html = widgets.picture(shown.draw(), shown.to_text()).data
    assert 'alt="Computation graph with 1 input and 1 operation.' in html


def test_only_drawing_imports_matplotlib() -> None:
    code = (
        "import sys; from chainrule_lib.graph import computation_graph; g = computation_graph(lambda x: x * x, x=2.0); "
        "str(g); print('matplotlib' in sys.modules); g.draw(); print('matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: x, ValueError, r"The value of f has shape \(2,\): expected one number"),
        (lambda x: 3.0, ValueError, "The value of f is 3.0, whatever its inputs are: expected a number"),
        (lambda x: None, ValueError, "The value of f is None, whatever"),
        (lambda x: np.prod(x), TypeError, "np.prod has no derivative rule"),
    ],
)
def test_a_function_without_a_graph_is_refused_in_a_sentence(
    f: Callable[..., Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        computation_graph(f, x=np.ones(2))


def test_an_input_that_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="The value is str"):
        computation_graph(lambda x: x, x="one")
