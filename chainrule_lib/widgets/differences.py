"""The error of a numerical derivative as its step shrinks: the U-shaped curve (lesson 03)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import cos, e, sin
from typing import Any, NamedTuple, get_args

import ipywidgets
import numpy as np

from chainrule_lib.numerical import EPSILON, Method, numerical_gradient
from chainrule_lib.widgets._explorer import GREY, ORANGE, View, explorer, new_figure, slider

METHODS: tuple[Method, ...] = get_args(Method)

SMALLEST = 1e-17
"""Where an error of exactly 0 is drawn, since a logarithmic axis has no 0."""


@dataclass(frozen=True)
class Example:
    """A function at one point, with what its errors depend on: f', f'', f''' and f⁽⁵⁾ there."""

    text: str
    f: Callable[[Any], Any]
    x: float
    first: float
    second: float
    third: float
    fifth: float


def _relu(x: Any) -> Any:
    """max(x, 0), also for complex x, which is left as it is where its real part is positive."""
    return np.where(np.real(x) > 0, x, 0)


EXAMPLES: dict[str, Example] = {
    "exponential": Example("exp(x) at x = 1", np.exp, 1.0, e, e, e, e),
    "sine": Example("sin x at x = 1", np.sin, 1.0, cos(1), -sin(1), -cos(1), cos(1)),
    "pole": Example("1/x at x = 0.03", lambda x: 1 / x, 0.03, -(0.03**-2), 2 / 0.03**3, -6 / 0.03**4, -120 / 0.03**6),
    "large loss": Example("1000 + sin x at x = 1", lambda x: 1000 + np.sin(x), 1.0, cos(1), -sin(1), -cos(1), cos(1)),
    "kink": Example(
        "ReLU(x) + sin x at x = 0.001",
        lambda x: _relu(x) + np.sin(x),
        0.001,
        1 + cos(0.001),
        -sin(0.001),
        -cos(0.001),
        cos(0.001),
    ),
}
"""What the difference explorer can differentiate, by name. ReLU has its kink at 0, a thousandth to the left; of the
steps in use here, none leads exactly into the pole of 1/x."""


def truncation_error(example: Example, method: Method, h: float) -> float:
    """The size of the first term that Taylor's formula leaves over, as in `chainrule_lib.numerical`."""
    return {
        "forward": h / 2 * abs(example.second),
        "central": h**2 / 6 * abs(example.third),
        "richardson": h**4 / 480 * abs(example.fifth),
        "complex": h**2 / 6 * abs(example.third),
    }[method]


def round_off(example: Example, method: Method, h: float) -> float:
    """What rounding the values of f by ε|f| each may do to the derivative, as in `chainrule_lib.numerical`."""
    value = EPSILON * abs(float(example.f(example.x)))
    return {
        "forward": 2 * value / h,
        "central": value / h,
        "richardson": 3 * value / h,
        "complex": EPSILON * abs(example.first),  # the imaginary part is rounded, and nothing is subtracted
    }[method]


class DifferenceValues(NamedTuple):
    """A numerical derivative with one step: its value, its error, and what the error should come to."""

    derivative: float
    error: float
    truncation: float
    round_off: float


def difference_values(example: Example, method: Method, h: float) -> DifferenceValues:
    """The numerical derivative of an example beside the exact one.

    Args:
        example: the function and the point.
        method: as in `numerical_gradient`.
        h: the step.

    Returns:
        The values; the error is |derivative - f'|.
    """
    derivative = float(numerical_gradient(example.f, example.x, method=method, step=h))
    return DifferenceValues(
        derivative,
        abs(derivative - example.first),
        truncation_error(example, method, h),
        round_off(example, method, h),
    )


STEPS = np.logspace(-15, 0, 121)
"""Steps along the curve; below 1e-15 they round away next to x = 1."""


@cache
def error_curve(example: Example, method: Method) -> np.ndarray:
    """|derivative - f'| at each of `STEPS`."""
    return np.array([difference_values(example, method, float(h)).error for h in STEPS])


_LINES: dict[Method, str] = {"forward": ":", "central": "-", "richardson": "--", "complex": "-."}


def _difference_view(name: str, method: Method, exponent: float) -> View:
    example, h = EXAMPLES[name], 10.0**exponent
    values = difference_values(example, method, h)
    figure = new_figure(9, 4.2)
    axes = figure.subplots()
    curves = {other: error_curve(example, other) for other in METHODS}
    for other, errors in curves.items():
        chosen = other == method
        axes.loglog(
            STEPS,
            np.maximum(errors, SMALLEST),
            linestyle=_LINES[other],
            color="black" if chosen else GREY,
            linewidth=2 if chosen else 0.8,
            label=f"{other} (chosen)" if chosen else other,
        )
    expected = [truncation_error(example, method, float(s)) + round_off(example, method, float(s)) for s in STEPS]
    axes.loglog(STEPS, expected, color=ORANGE, linewidth=4, alpha=0.4, label="truncation + round-off, expected")
    axes.loglog([h], [max(values.error, SMALLEST)], color="black", marker="o", markersize=9, linestyle="none")
    top = 1e4 * max(float(errors.max()) for errors in curves.values())  # leaves room for the legend
    axes.set(xlabel="step h", ylabel="error of the derivative", ylim=(SMALLEST / 3, top), title=example.text)
    axes.minorticks_off()
    axes.legend(loc="upper center", ncols=3, fontsize="small")
    larger = "truncation" if values.truncation > values.round_off else "round-off"
    return View(
        figure,
        "Error against step, both axes logarithmic: one line for each method, the chosen one thick, with a dot at the "
        "chosen step. A broad pale line is the sum of the two errors that the formulas expect.",
        f"{example.text}, {method} with h = {h:.1e}: the derivative comes out as {values.derivative:.10g}, wrong by "
        f"{values.error:.1e}. The larger of the two expected errors is {larger}.",
        ("quantity", "value"),
        [
            ("step h", f"{h:.1e}"),
            ("numerical derivative", f"{values.derivative:.15g}"),
            ("exact derivative", f"{example.first:.15g}"),
            ("error", f"{values.error:.1e}"),
            ("expected truncation error", f"{values.truncation:.1e}"),
            ("expected round-off", f"{values.round_off:.1e}"),
        ],
    )


def difference_explorer() -> Any:
    """Choose a function, a method and a step, and see the error of the derivative on its U-shaped curve.

    Returns:
        An ipywidgets box with a menu for the function, one for the method, and a slider for the exponent of the step.
    """
    functions = [(example.text, name) for name, example in EXAMPLES.items()]
    controls = [
        ipywidgets.Dropdown(description="function", options=functions, value="exponential"),
        ipywidgets.Dropdown(description="method", options=list(METHODS), value="central"),
        slider("log10 of h", -2, -15, 0, 0.25),
    ]
    return explorer(controls, _difference_view)
