"""How a gradient travels back through time in a recurrent network (lesson 08)."""

from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib.ticker import MaxNLocator

from chainrule_lib._arrays import Array
from chainrule_lib.recurrent import RNNParameters, rnn_backward, rnn_forward
from chainrule_lib.widgets._explorer import BLUE, ORANGE, View, explorer, new_figure, slider

HIDDEN = 8


class GradientTravel(NamedTuple):
    """The norms of ∂L/∂h_t for a loss of the last output alone, and what the gain says about them.

    Attributes:
        norms: ‖∂L/∂h_t‖ at t = 0 ... T, (T + 1,).
        bounds: gain^(T - t) ‖∂L/∂h_T‖, (T + 1,): no norm can be larger.
        slope: the mean of tanh' over all units and steps, between 0 and 1.
    """

    norms: Array
    bounds: Array
    slope: float


def gradient_travel(gain: float, steps: int, input_size: float) -> GradientTravel:
    """A network of 8 units with W_hh = gain · Q, Q orthogonal, and random inputs; L is its last output.

    Args:
        gain: every singular value of W_hh; positive.
        steps: T, at least 1.
        input_size: the standard deviation of the inputs. With 0 all states are 0, where tanh' is 1.

    Returns:
        Norms and bounds, from the library's backpropagation through time.

    Raises:
        ValueError: gain is not positive and finite, or there is no step.
    """
    parameters = RNNParameters.random(1, HIDDEN, 1, gain=gain, seed=8)
    X = input_size * np.random.default_rng(8).normal(size=(steps, 1))
    cache = rnn_forward(X, parameters)
    dY = np.zeros_like(cache.Y)
    dY[-1] = 1.0
    norms = rnn_backward(cache, dY).norms_by_step
    bounds = norms[-1] * gain ** np.arange(steps, -1, -1.0)
    return GradientTravel(norms, bounds, float(np.mean(1 - cache.H[1:] ** 2)))


def _view(gain: float, steps: int, input_size: float) -> View:
    travel = gradient_travel(gain, steps, input_size)
    t = np.arange(steps + 1)
    figure = new_figure(8, 4)
    axes = figure.subplots()
    axes.semilogy(t, travel.bounds, "--", color=ORANGE, label="bound: gain to the power T - t")
    axes.semilogy(t, travel.norms, "o-", color=BLUE, markersize=4, label="norm of ∂L/∂h at step t")
    low, high = min(travel.norms.min(), travel.bounds.min()), max(travel.norms.max(), travel.bounds.max())
    axes.set(xlabel="time step t; the loss is at the right end", ylabel="norm (logarithmic)")
    axes.set_ylim(min(low / 3, 1e-2 * travel.norms[-1]), max(3 * high, 1e2 * travel.norms[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")
    share = travel.norms[0] / travel.norms[-1]
    verdict = "vanishes" if share < 0.1 else "explodes" if share > 10 else "keeps its order of magnitude"
    rows = [
        (f"{back} back, t = {steps - back}", f"{travel.norms[-1 - back]:.3e}", f"{travel.bounds[-1 - back]:.3e}")
        for back in sorted({0, 1, 2, 5, 10, 20, 40, steps})
        if back <= steps
    ]
    return View(
        figure,
        "The norm of the gradient at every time step, dots joined by a solid line, under a dashed line, the bound; the "
        "vertical axis is logarithmic and the loss is at the right end.",
        f"Over {steps} steps the norm is multiplied by {share:.3g}: the gradient {verdict}. A step multiplies it by "
        f"{share ** (1 / steps):.3g} on average; the gain is {gain:.3g}, and tanh′ is {travel.slope:.3g} in the mean.",
        ("step", "norm", "bound"),
        rows,
    )


def recurrent_explorer() -> Any:
    """Change the gain, the length and the inputs of a recurrent network, and see its gradient vanish or explode.

    Returns:
        An ipywidgets box with sliders for the gain of W_hh, the number of steps T and the size of the inputs.
    """
    controls = [
        slider("gain", 0.8, 0.2, 2, 0.05),
        ipywidgets.IntSlider(description="steps T", value=20, min=4, max=60),
        slider("input size", 0.0, 0, 2, 0.1),
    ]
    return explorer(controls, _view)
