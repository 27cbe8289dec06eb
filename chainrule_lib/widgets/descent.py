"""Gradient descent on a bowl of two variables, with a learning rate and momentum (lesson 06).

The loss is L = ½ (λ₁ w₁² + λ₂ w₂²), its gradient (λ₁ w₁, λ₂ w₂), and a step is

    v ← μ v - η g        w ← w + v

In each direction that is a linear map of (w, v), so everything can be said exactly: the step is stable where both
eigenvalues of the map lie inside the unit circle, which is for 0 < η λ < 2 (1 + μ), and the larger one is the factor by
which the distance shrinks in the long run (Polyak, 1964, doi 10.1016/0041-5553(64)90137-5).
"""

from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib.axes import Axes

from chainrule_lib._arrays import Array
from chainrule_lib.widgets._explorer import BLUE, GREY, ORANGE, View, explorer, new_figure, signed, slider

START = (-2.0, 1.0)
FLAT = 1.0
"""The curvature in the direction of w₁."""


class DescentValues(NamedTuple):
    """A descent of some steps in a bowl.

    Attributes:
        path: (steps + 1, 2), from the starting point on.
        losses: (steps + 1,).
        factors: for each direction, by how much its distance is multiplied per step in the long run.
        largest_rate: the learning rate at which the descent stops being stable.
    """

    path: Array
    losses: Array
    factors: tuple[float, float]
    largest_rate: float


def descent_values(steep: float, learning_rate: float, momentum: float, steps: int) -> DescentValues:
    """Descend from (-2, 1) in a bowl with the curvatures 1 and `steep`.

    Args:
        steep: λ₂, at least 1; λ₁ is 1, so this is the condition number as well.
        learning_rate: η.
        momentum: μ, from 0 up to, but not including, 1.
        steps: how many.

    Returns:
        Path, losses, the factor of each direction, and the largest stable learning rate.
    """
    curvatures = np.array([FLAT, steep])
    path = np.empty((steps + 1, 2))
    path[0], velocity = START, np.zeros(2)
    for step in range(steps):
        velocity = momentum * velocity - learning_rate * curvatures * path[step]
        path[step + 1] = path[step] + velocity
    losses = path**2 @ curvatures / 2
    flat, steeper = (long_run_factor(float(curvature), learning_rate, momentum) for curvature in curvatures)
    return DescentValues(path, losses, (flat, steeper), 2 * (1 + momentum) / steep)


def long_run_factor(curvature: float, learning_rate: float, momentum: float) -> float:
    """The size of the larger eigenvalue of one step in a direction of this curvature; without momentum, |1 - η λ|."""
    # (w, w before) -> ((1 + μ - η λ) w - μ w before, w)
    step = np.array([[1 + momentum - learning_rate * curvature, -momentum], [1.0, 0.0]])
    return float(np.abs(np.linalg.eigvals(step)).max())


def _draw_path(axes: Axes, values: DescentValues, steep: float) -> None:
    """Level lines of the loss and the path over them."""
    w1, w2 = np.meshgrid(np.linspace(-2.6, 2.6, 121), np.linspace(-1.6, 1.6, 81))
    loss = (FLAT * w1**2 + steep * w2**2) / 2
    axes.contour(w1, w2, np.sqrt(loss), levels=10, colors=GREY, linewidths=0.6)
    # What leaves the picture may be astronomically far away.
    inside = np.clip(values.path, -1e3, 1e3)
    axes.plot(inside[:, 0], inside[:, 1], "-", color=BLUE, marker="o", markersize=3, linewidth=1)
    axes.plot(*START, "s", color="black", markersize=7)
    axes.plot(0, 0, "*", color=ORANGE, markersize=14)
    axes.set(xlim=(-2.6, 2.6), ylim=(-1.6, 1.6), xlabel="w1", ylabel="w2")
    axes.set_title("level lines of the loss\nsquare: start, star: minimum", fontsize="medium")


def _manner(curvature: float, learning_rate: float, momentum: float, factor: float) -> str:
    """How one coordinate moves, in words."""
    if factor > 1 + 1e-9:
        return "runs away"
    if factor > 1 - 1e-9:
        return "neither comes closer nor goes away"
    if momentum == 0:
        return "swings over the minimum in every step" if learning_rate * curvature > 1 + 1e-9 else "comes straight in"
    # Complex eigenvalues turn; real ones do not, and are negative where the step is long.
    middle = (1 + momentum - learning_rate * curvature) / 2
    if middle**2 < momentum:
        return "swings like a weight on a spring"
    return "comes straight in" if middle > 0 else "swings over the minimum in every step"


def _descent_view(steep: float, learning_rate: float, momentum: float, steps: int) -> View:
    values = descent_values(steep, learning_rate, momentum, steps)
    figure = new_figure(10, 3.6)
    left, right = figure.subplots(1, 2)
    _draw_path(left, values, steep)
    right.semilogy(np.maximum(values.losses, 1e-30), "-", color=BLUE, marker=".")
    right.axhline(values.losses[0], color=GREY, linestyle=":", linewidth=1)
    right.set(xlabel="step", ylabel="loss")
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set_title("the loss after every step\ndotted: at the start", fontsize="medium")
    manners = [
        _manner(curvature, learning_rate, momentum, factor)
        for curvature, factor in zip((FLAT, steep), values.factors, strict=True)
    ]
    share = values.losses[-1] / values.losses[0]
    return View(
        figure,
        "Two plots: the path of the descent over the level lines of a bowl, which are ellipses around the minimum; "
        "and the loss after every step, on a logarithmic scale.",
        f"The curvatures are 1 and {steep:g}. w1 {manners[0]}, w2 {manners[1]}. "
        f"After {steps} steps the loss is {share:.3g} times that at the start.",
        ("quantity", "along w1", "along w2"),
        [
            ("curvature λ", signed(FLAT), signed(steep)),
            ("η λ", signed(learning_rate * FLAT), signed(learning_rate * steep)),
            ("factor per step, in the long run", *map(signed, values.factors)),
            ("largest stable η", signed(values.largest_rate * steep / FLAT), signed(values.largest_rate)),
            ("where it is now", *(signed(float(w)) for w in values.path[-1])),
        ],
    )


def descent_explorer() -> Any:
    """Choose how steep a bowl is, a learning rate and a momentum, and watch where the descent goes.

    Returns:
        An ipywidgets box with sliders for λ₂, η, μ and the number of steps.
    """
    controls = [
        slider("steepness λ2", 10.0, 1, 20, 1),
        slider("rate η", 0.05, 0.01, 0.3, 0.01),
        slider("momentum μ", 0.0, 0, 0.95, 0.05),
        ipywidgets.IntSlider(description="steps", value=20, min=1, max=60),
    ]
    return explorer(controls, _descent_view)
