"""Functions of two variables: the sum over two paths, and the Jacobian as a map of small arrows (lesson 02)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib.axes import Axes

from chainrule_lib._arrays import Array
from chainrule_lib.activations import sigmoid, sigmoid_derivative
from chainrule_lib.numerical import jacobian, numerical_gradient
from chainrule_lib.widgets._explorer import BLUE, GREY, LABEL_BOX, ORANGE, View, explorer, new_figure, signed, slider
from chainrule_lib.widgets.scalar import FUNCTIONS, ScalarFunction


@dataclass(frozen=True)
class OuterFunction:
    """A function of u and v for the explorer: how it is written, what it is, and its two partial derivatives."""

    text: str
    value: Callable[[Any, Any], Any]
    along_u: Callable[[Any, Any], Any]
    along_v: Callable[[Any, Any], Any]


OUTER_FUNCTIONS: dict[str, OuterFunction] = {
    "product": OuterFunction("u · v", lambda u, v: u * v, lambda u, v: v + 0 * u, lambda u, v: u + 0 * v),
    "squares": OuterFunction("u² + v²", lambda u, v: u**2 + v**2, lambda u, v: 2 * u, lambda u, v: 2 * v),
    "difference": OuterFunction("u - v", lambda u, v: u - v, lambda u, v: 1 + 0 * u, lambda u, v: -1 + 0 * v),
    "decaying": OuterFunction(
        "u · exp(-v)",
        lambda u, v: u * np.exp(-v),
        lambda u, v: np.exp(-v) + 0 * u,
        lambda u, v: -u * np.exp(-v),
    ),
}
"""What the many paths explorer can put at the end of its two paths, by name."""


class ManyPathsValues(NamedTuple):
    """The two paths from x to y = f(u, v), at one x."""

    u: float
    v: float
    y: float
    du_dx: float
    dv_dx: float
    dy_du: float
    dy_dv: float
    through_u: float
    through_v: float
    dy_dx: float
    central_difference: float


def many_paths_values(f: OuterFunction, u: ScalarFunction, v: ScalarFunction, x: float) -> ManyPathsValues:
    """y = f(u(x), v(x)) with its local derivatives, what each path brings, their sum, and a central difference of y.

    Args:
        f: the function at the end of both paths.
        u: the function on the first path.
        v: the function on the second path.
        x: where.

    Returns:
        The values, as Python floats.
    """
    u_value, v_value = float(u.value(x)), float(v.value(x))
    du_dx, dv_dx = float(u.derivative(x)), float(v.derivative(x))
    dy_du, dy_dv = float(f.along_u(u_value, v_value)), float(f.along_v(u_value, v_value))
    through_u, through_v = dy_du * du_dx, dy_dv * dv_dx
    difference = numerical_gradient(lambda t: f.value(u.value(t), v.value(t)), float(x))
    y = float(f.value(u_value, v_value))
    return ManyPathsValues(
        u_value, v_value, y, du_dx, dv_dx, dy_du, dy_dv, through_u, through_v, through_u + through_v, difference
    )


_HALF_WIDTH = 1.5
"""Of the map in the left picture, in u and in v."""


def _step(values: ManyPathsValues) -> float:
    """How far x moves in the picture: no arrow is longer than 0.5."""
    return 0.5 / max(0.5, abs(values.du_dx), abs(values.dv_dx))


def _draw_map(axes: Axes, f: OuterFunction, curve: tuple[Array, Array], values: ManyPathsValues) -> None:
    """The level lines of f around (u, v), the way of (u, v) across them, and the two moves that a move of x makes."""
    u_range = (values.u - _HALF_WIDTH, values.u + _HALF_WIDTH)
    v_range = (values.v - _HALF_WIDTH, values.v + _HALF_WIDTH)
    grid = np.meshgrid(np.linspace(*u_range, 60), np.linspace(*v_range, 60))
    lines = axes.contour(*grid, f.value(*grid), levels=12, colors=GREY, linewidths=0.6, linestyles="solid")
    axes.clabel(lines, fontsize=7)
    axes.plot(*curve, color=BLUE, linewidth=1.5)
    step = _step(values)
    corner = (values.u + values.du_dx * step, values.v)
    end = (corner[0], values.v + values.dv_dx * step)
    for start, stop, colour, style in (((values.u, values.v), corner, ORANGE, "-"), (corner, end, "black", "--")):
        arrow = {"arrowstyle": "-|>", "color": colour, "linestyle": style, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", stop, start, arrowprops=arrow)
    axes.plot([values.u], [values.v], color="black", marker="o", linestyle="none")
    axes.set(xlabel="u", ylabel="v", xlim=u_range, ylim=v_range)
    axes.set_title(
        f"level lines of y; x moves by {step:.2g}:\nsolid arrow, so u moves; dashed, so v moves", fontsize="medium"
    )


def _room(values: Array) -> tuple[float, float]:
    """The range of a plot: that of the values, and some more on both sides."""
    room = 0.15 * (float(np.ptp(values)) or 1.0)
    return float(values.min()) - room, float(values.max()) + room


def _draw_total(axes: Axes, t: Array, y: Array, x: float, values: ManyPathsValues) -> None:
    """y against x, with the tangent whose slope is the sum of the two paths."""
    axes.plot(t, y, color=BLUE, linestyle="-")
    axes.plot(t, values.y + values.dy_dx * (t - x), color=ORANGE, linestyle="--")
    axes.plot([x], [values.y], color="black", marker="o", linestyle="none")
    axes.set(xlabel="x", ylabel="y", ylim=_room(y))
    axes.set_title(f"y against x\ndashed tangent: slope {values.dy_dx:+.4g}", fontsize="medium")


def _many_paths_view(f_name: str, u_name: str, v_name: str, x: float) -> View:
    f, u, v = OUTER_FUNCTIONS[f_name], FUNCTIONS[u_name], FUNCTIONS[v_name]
    values = many_paths_values(f, u, v, x)
    t = np.linspace(-2, 2, 161)
    curve = (np.asarray(u.value(t)), np.asarray(v.value(t)))
    figure = new_figure(10, 4.2)
    left, right = figure.subplots(1, 2)
    _draw_map(left, f, curve, values)
    _draw_total(right, t, np.asarray(f.value(*curve)), x, values)
    return View(
        figure,
        "Two plots. Left, a map of y with level lines over u and v, the curve that u and v follow when x moves, and at "
        "a marked point two arrows, one along u, then one along v. Right, y against x with a dashed tangent.",
        f"At x = {x:g}, y = {f.text} with u = {u.text.format(v='x')} and v = {v.text.format(v='x')}. "
        f"The path through u brings {values.dy_du:+.4g} times {values.du_dx:+.4g}, which is {values.through_u:+.4g}; "
        f"the path through v brings {values.dy_dv:+.4g} times {values.dv_dx:+.4g}, which is {values.through_v:+.4g}. "
        f"The slope of y is their sum, {values.dy_dx:+.4g}.",
        ("quantity", "value"),
        [
            ("u", signed(values.u)),
            ("v", signed(values.v)),
            ("y", signed(values.y)),
            ("∂y/∂u", signed(values.dy_du)),
            ("du/dx", signed(values.du_dx)),
            ("path through u: ∂y/∂u · du/dx", signed(values.through_u)),
            ("∂y/∂v", signed(values.dy_dv)),
            ("dv/dx", signed(values.dv_dx)),
            ("path through v: ∂y/∂v · dv/dx", signed(values.through_v)),
            ("dy/dx, the sum over both paths", signed(values.dy_dx)),
            ("central difference of y", signed(values.central_difference)),
        ],
    )


def many_paths_explorer() -> Any:
    """Send x along two paths to y, and watch the slope of y be the sum of what the paths bring.

    Returns:
        An ipywidgets box with menus for f(u, v), u(x) and v(x), and a slider for x.
    """

    def menu(description: str, name: str) -> Any:
        options = [(function.text.format(v="x"), key) for key, function in FUNCTIONS.items()]
        return ipywidgets.Dropdown(description=description, options=options, value=name)

    outer = ipywidgets.Dropdown(
        description="y", options=[(f.text, key) for key, f in OUTER_FUNCTIONS.items()], value="product"
    )
    controls = [outer, menu("u", "line"), menu("v", "square"), slider("x", 0.6, -2, 2, 0.05)]
    return explorer(controls, _many_paths_view)


# --- The Jacobian -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlaneMap:
    """A function from two numbers to two numbers: how its outputs are written, its value, and its Jacobian.

    `value` takes points (2,) or (2, k), a point in every column; `jacobian` takes one point (2,) and returns (2, 2).
    """

    text: str
    value: Callable[[Array], Array]
    jacobian: Callable[[Array], Array]


_MATRIX = np.array([[1.0, 0.5], [-0.4, 0.8]])

PLANE_MAPS: dict[str, PlaneMap] = {
    "linear": PlaneMap("x[0] + 0.5 x[1],  -0.4 x[0] + 0.8 x[1]", lambda x: _MATRIX @ x, lambda x: _MATRIX),
    "elementwise": PlaneMap("σ(x[0]),  σ(x[1])", sigmoid, lambda x: np.diag(sigmoid_derivative(x))),
    "mixed": PlaneMap(
        "x[0] x[1],  sin(x[0]) + x[1]",
        lambda x: np.array([x[0] * x[1], np.sin(x[0]) + x[1]]),
        lambda x: np.array([[x[1], x[0]], [np.cos(x[0]), 1.0]]),
    ),
    "product and sum": PlaneMap(
        "x[0] x[1],  x[0] + x[1]",
        lambda x: np.array([x[0] * x[1], x[0] + x[1]]),
        lambda x: np.array([[x[1], x[0]], [1.0, 1.0]]),
    ),
}
"""What the Jacobian explorer can look at, by name."""


class JacobianValues(NamedTuple):
    """A map of the plane at one point: its value, its Jacobian, and central differences beside it."""

    y: Array
    jacobian: Array
    central_difference: Array


def jacobian_values(f: PlaneMap, x: Array) -> JacobianValues:
    """The value of f at x with its Jacobian by formula and by central differences.

    Args:
        f: a map of the plane.
        x: where, (2,).

    Returns:
        y (2,), and both Jacobians (2, 2), a row for each output and a column for each input.
    """
    x = np.asarray(x, dtype=float)
    return JacobianValues(np.asarray(f.value(x)), f.jacobian(x), jacobian(f.value, x))


def _outline(corner: Array, first: Array, second: Array, points: int = 25) -> Array:
    """The edge of the parallelogram at a corner with two sides: its points, one in every column, (2, 4 points)."""
    t = np.linspace(0, 1, points)
    sides = [np.outer(first, t), first[:, None] + np.outer(second, t)]
    sides += [second[:, None] + np.outer(first, t[::-1]), np.outer(second, t[::-1])]
    return corner[:, None] + np.concatenate(sides, axis=1)


def _draw_sides(axes: Axes, corner: Array, sides: Array, names: tuple[str, str]) -> None:
    """The two sides of a square or parallelogram as labelled arrows: the first solid, the second dashed."""
    for side, name, colour, style in zip(sides.T, names, (ORANGE, "black"), ("-", "--"), strict=True):
        arrow = {"arrowstyle": "-|>", "color": colour, "linestyle": style, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        (from_0, from_1), (along_0, along_1) = corner, side
        axes.annotate("", (from_0 + along_0, from_1 + along_1), (from_0, from_1), arrowprops=arrow)
        place = (from_0 + 0.6 * along_0, from_1 + 0.6 * along_1)
        axes.text(*place, name, ha="center", va="center", fontsize=9, bbox=LABEL_BOX)
    axes.plot(*corner, color="black", marker="o", linestyle="none")


def _jacobian_view(name: str, x0: float, x1: float, size: float) -> View:
    f, x = PLANE_MAPS[name], np.array([x0, x1])
    values = jacobian_values(f, x)
    sides = size * values.jacobian
    square = _outline(x, *(size * np.eye(2)))
    image, parallelogram = f.value(square), _outline(values.y, *sides.T)
    figure = new_figure(9, 4.2)
    left, right = figure.subplots(1, 2)
    left.plot(*square, color=BLUE)
    _draw_sides(left, x, size * np.eye(2), ("x[0]", "x[1]"))
    left.set(xlabel="x[0]", ylabel="x[1]")
    left.set_title("a small square at x", fontsize="medium")
    right.plot(*image, color=BLUE)
    right.plot(*parallelogram, color=GREY, linestyle=":")
    _draw_sides(right, values.y, sides, ("column 0", "column 1"))
    right.set(xlabel="y[0]", ylabel="y[1]")
    right.set_title("solid: where it really goes\ndotted: what the Jacobian says", fontsize="medium")
    for axes in (left, right):
        axes.set_aspect("equal", adjustable="datalim")
    gap = float(np.max(np.abs(image - parallelogram)))
    return View(
        figure,
        "Two plots. Left, a small square with its two sides as arrows, along x[0] solid and along x[1] dashed. Right, "
        "the curved image of the square as a solid line, and as a dotted line the parallelogram whose sides are the "
        "columns of the Jacobian.",
        f"At x = ({x0:g}, {x1:g}) a square of side {size:g} goes to a figure that is at most {gap:.2g} away from the "
        f"parallelogram of the Jacobian, {gap / size:.2g} times its own side.",
        ("entry", "by the formula", "central difference"),
        [
            (f"∂y[{i}]/∂x[{j}]", signed(values.jacobian[i, j]), signed(values.central_difference[i, j]))
            for i in range(2)
            for j in range(2)
        ],
    )


def jacobian_explorer() -> Any:
    """Send a small square through a map of the plane, and compare it with what the Jacobian makes of its sides.

    Returns:
        An ipywidgets box with a menu for the map, sliders for the point, and one for the side of the square.
    """
    maps = ipywidgets.Dropdown(description="y", options=[(f.text, key) for key, f in PLANE_MAPS.items()], value="mixed")
    controls = [
        maps,
        slider("x[0]", 0.8, -2, 2, 0.1),
        slider("x[1]", -0.6, -2, 2, 0.1),
        slider("side", 0.5, 0.05, 1, 0.05),
    ]
    return explorer(controls, _jacobian_view)
