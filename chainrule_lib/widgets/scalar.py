"""Functions of one variable: the chain rule (lesson 01) and the sigmoid (lesson 04)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib.axes import Axes

from chainrule_lib.activations import sigmoid, sigmoid_derivative
from chainrule_lib.widgets._explorer import BLUE, GREY, ORANGE, View, explorer, new_figure, signed, slider


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


def _central_difference(f: Callable[[float], Any], x: float) -> float:
    """The slope of f at x from a point on each side, with the step of `chainrule_lib.numerical`.

    Written out here, because lessons 00 and 01 are graded without that module: its complex step is as exact as the
    formulas that they ask for.
    """
    h = 6e-6 * max(1.0, abs(x))
    return float(f(x + h) - f(x - h)) / (2 * h)


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
    difference = _central_difference(lambda t: f.value(g.value(t)), float(x))
    return ChainRuleValues(u, float(f.value(u)), du_dx, dy_du, dy_du * du_dx, difference)


def _draw_tangent(
    axes: Axes, title: str, at: float, function: Callable[[Any], Any], slope: float, span: tuple[float, float]
) -> None:
    """A curve, the point at `at`, and the tangent there with the given slope."""
    t = np.linspace(*span, 201)
    curve, value = function(t), function(at)
    axes.plot(t, curve, color=BLUE, linestyle="-")
    axes.plot(t, value + slope * (t - at), color=ORANGE, linestyle="--")
    axes.plot([at], [value], color="black", marker="o", linestyle="none")
    # The curve decides the height: a steep tangent would flatten it.
    margin = 0.15 * (np.ptp(curve) or 1.0)
    axes.set_ylim(curve.min() - margin, curve.max() + margin)
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.set_title(f"{title}\ndashed tangent: slope {slope:+.4g}", fontsize="medium")


def _chain_rule_view(f_name: str, g_name: str, x: float) -> View:
    f, g = FUNCTIONS[f_name], FUNCTIONS[g_name]
    values = chain_rule_values(f, g, x)
    f_text, g_text = f.text.format(v="u"), g.text.format(v="x")
    figure = new_figure(11, 3.4)
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
            ("g(x)", signed(values.u)),
            ("f(g(x))", signed(values.y)),
            ("df/dg, at g(x)", signed(values.dy_du)),
            ("dg/dx, at x", signed(values.du_dx)),
            ("df/dg · dg/dx", signed(values.dy_dx)),
            ("central difference of f(g(x))", signed(values.central_difference)),
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

    controls = [menu("outer f(u)", "u", "sine"), menu("inner g(x)", "x", "square"), slider("x", 0.8, -2, 2, 0.05)]
    return explorer(controls, _chain_rule_view)


# --- The sigmoid (lesson 04) ------------------------------------------------------------------------------------------


class SigmoidValues(NamedTuple):
    """σ and its slope at one z."""

    a: float
    slope: float
    central_difference: float


def sigmoid_values(z: float) -> SigmoidValues:
    """σ(z), σ'(z) and a central difference of σ at z."""
    return SigmoidValues(sigmoid(z), sigmoid_derivative(z), _central_difference(sigmoid, float(z)))


def _sigmoid_view(z: float) -> View:
    values = sigmoid_values(z)
    figure = new_figure(9, 3.4)
    left, right = figure.subplots(1, 2)
    _draw_tangent(left, "a = σ(z)", z, sigmoid, values.slope, (-8, 8))
    left.set(xlabel="z", ylabel="a")
    t = np.linspace(-8, 8, 201)
    right.plot(t, sigmoid_derivative(t), color=ORANGE, linestyle="--")
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
            ("σ(z)", signed(values.a)),
            ("1 - σ(z)", signed(1 - values.a)),
            ("σ(z)(1 - σ(z))", signed(values.slope)),
            ("central difference of σ", signed(values.central_difference)),
        ],
    )


def sigmoid_explorer() -> Any:
    """Move along σ and watch its slope die out on both sides.

    Returns:
        An ipywidgets box with a slider for z.
    """
    return explorer([slider("z", 1.0, -8, 8, 0.1)], _sigmoid_view)
