"""Lesson 08: recurrent networks and backpropagation through time.

The network is that of ``chainrule_lib.recurrent``, with tanh in the state and a linear output at every step:

    z_t = W_xh x_t + W_hh h_(t-1) + b_h,   h_t = tanh(z_t),   y_t = W_hy h_t + b_y,   t = 1 ... T

Step t has the input ``X[t - 1]`` and the output ``Y[t - 1]``; ``H[t]`` is its state and ``H[0]`` the initial one.
Derivations follow Werbos (Proceedings of the IEEE 78, 1990, doi 10.1109/5.58337); truncation is the BPTT(h) of Williams
and Peng (Neural Computation 2, 1990, doi 10.1162/neco.1990.2.4.490); clipping that of Pascanu, Mikolov and Bengio (ICML
2013, arXiv 1211.5063).

Every case has at least seven steps and a loss at each of them, an initial state and biases that are not zero, and
weights that keep tanh away from its flat ends, so that what comes from far back in time is still felt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.exercises.drawing import Draw
from autograder.exercises.formulas import Environment, Formula
from autograder.exercises.kinds import Derivation, Fix, Line, Question, Shapes, order, prediction, shape
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Exercise, Step
from chainrule_lib.activations import sigmoid

WITHHELD = AUTODIFF
"""``chainrule_lib.recurrent`` stays: the lesson measures how gradients travel with ``rnn_backward``, and trains with it
and with clipped gradients."""

# Explanations that serve in more than one exercise.
_WRONG_SIGN = (
    "The sign is turned round. The loss grows when an output moves away from its target: its derivative is positive "
    "where the output is too large."
)
_LOST_HALF = "There is an extra factor 2: the ½ of the loss cancels the 2 that the square brings down."
_LAST_LOSS = (
    "Only the loss of the last step is sent back. Every step has an output and a target of its own here, and the loss "
    "is their sum."
)
_MEAN_OVER_STEPS = (
    "Something is divided by the number of steps. The loss is a sum over the steps, not a mean: nothing in it divides "
    "by T."
)
_FORGOT_SLOPE = (
    "The state went through tanh on its way forward, and the way back has to go through it as well: a link is missing "
    "between the state and the input of tanh."
)
_SLOPE_AT_Z = (
    "1 minus a square is the right form for tanh′, but what is squared is the state h = tanh(z), not z itself. With z "
    "the result can even be negative, and tanh only rises."
)
_SLOPE_AT_H = (
    "tanh was applied once too often: h is already tanh(z), so this is the slope at another point. Either put z into "
    "tanh′, or use the form that is written with h."
)
_SLOPE_IS_SIGMOIDS = (
    "a(1 − a) is the derivative of the sigmoid. These states go through tanh, whose slope is 1 at the origin, where "
    "the state is 0."
)
_SLOPE_NOT_SQUARED = (
    "A square is missing in tanh′. The slope does not depend on the sign of the state: it must be small where the "
    "state is near 1 and where it is near −1."
)
_SLOPE_OF_BEFORE = (
    "tanh′ is taken at the state before. The tanh of step t made the state h_t, so it is there that its slope is "
    "taken; check the index of H."
)
_DROPPED_RECURRENCE = (
    "Every step is on its own here: the gradient that comes back through the following state is missing. A state is "
    "used twice, by its output and by the next step."
)
_PATH_OVERWRITTEN = (
    "Where a gradient arrives from the next step, the one from the step's own output is lost. There are two paths, and "
    "over several paths gradients are added, not replaced."
)
_PATHS_MULTIPLIED = "The two paths are multiplied. Along a path one multiplies; over several paths one adds."
_NOT_TRANSPOSED = (
    "W_hh sends the state forward in time; on the way back the roles of its rows and columns change. Both products "
    "have a value, because the matrix is square, so no error shows it: write out the sum for one entry."
)
_SENT_BACK_DH = (
    "The gradient sent to the step before starts from the state, but W_hh acts before tanh. Work out ∂L/∂z_t first and "
    "send that."
)
_ONE_STEP_ONLY = (
    "A loss reaches the step before its own, and no further: what is sent back should contain all that has arrived "
    "from later steps, not the step's own output alone."
)
_ACCUMULATED = (
    "What is sent back is added to what was sent before. Each round has received all that came from later steps "
    "already and hands it on in a new form: what is sent back is replaced, and only the gradients of the weights are "
    "added up."
)
_SLOPE_ON_ONE_PATH = (
    "Only the path from the output goes through tanh here. Both paths arrive at h, and from h to z there is one way."
)
_FORWARDS = (
    "The loop runs forwards in time. A state acts on later steps, so the gradient comes from later steps: begin at the "
    "last one."
)
_OVERWRITTEN = (
    "Only one step's contribution is left, that of the step at which the loop ended. Every step uses the same weights, "
    "so the contributions of all steps add up. Is something assigned where it should be added?"
)
_LAST_STEP = (
    "Only the last step contributes here. The same weights are used at every step, so the gradient is a sum over all "
    "of them."
)
_OUTER_TRANSPOSED = (
    "A gradient has the shape of what it belongs to. Here rows and columns are exchanged: which index counts the units "
    "that receive, and which one those that send?"
)
_WITH_OWN_STATE = (
    "The weights from state to state multiply the state of the step before. Here they are given the step's own state: "
    "the index is one off."
)
_NOT_SUMMED = "There is still one row per step. One bias serves all steps, so its gradient collects from all of them."
_WITHOUT_H0 = (
    "The first step is left out of the sum. It uses these weights too, with the initial state as its state before."
)
_STATE_BEFORE_IN_OUTPUT = "The output of a step is made from the state of the same step. Here the state before is used."
_FORGOT_H0 = "The forward pass starts from zeros. The initial state is one of the arguments, and it is not zero."
_NO_RECURRENCE = "The forward pass leaves out the term with the state before, so the network has no memory at all."
_SIGMOID_STATE = "The states of this network go through tanh, not through σ: they lie between −1 and 1."
_FORGOT_B_H = "The bias b_h is left out of the state."
_FORGOT_B_Y = "The bias b_y is left out of the output."


def _inputs_of_tanh(X: Any, H: Any, W_xh: Any, W_hh: Any, b_h: Any) -> Any:
    """z at every step, from the states: X is (..., T, d), H (..., T + 1, h)."""
    return X @ W_xh.T + H[..., :-1, :] @ W_hh.T + b_h


def _states(X: Any, h0: Any, W_xh: Any, W_hh: Any, b_h: Any, squash: Callable[[Any], Any] = np.tanh) -> Any:
    """The states at t = 0 ... T, (..., T + 1, h), from X (..., T, d) and h0 (..., h)."""
    found = [h0]
    for t in range(X.shape[-2]):
        found.append(squash(X[..., t, :] @ W_xh.T + found[-1] @ W_hh.T + b_h))
    return np.stack(found, axis=-2)


def _through_time(
    dH_from_Y: Any, slope: Any, W_hh: Any, sent_back: Callable[[int, Any, Any], Any] | None = None
) -> Any:
    """∂L/∂z at every step, in rows of time.

    ``sent_back`` gives what is multiplied by W_hh on the way back instead of dz, from t, dh and the dz found so far.
    """
    dZ = np.zeros_like(dH_from_Y * slope)
    arriving: Any = 0.0
    for t in reversed(range(dZ.shape[-2])):
        dh = dH_from_Y[..., t, :] + arriving
        dZ[..., t, :] = dh * slope[..., t, :]
        arriving = (sent_back(t, dh, dZ) if sent_back else dZ[..., t, :]) @ W_hh
    return dZ


def _only_next(dH_from_Y: Any, slope: Any, W_hh: Any, join: Callable[[Any, Any], Any]) -> Any:
    """As ``_through_time``, with the two paths joined in another way than by a sum, where there are two."""
    dZ = np.zeros_like(dH_from_Y)
    dZ[..., -1, :] = dH_from_Y[..., -1, :] * slope[..., -1, :]
    for t in reversed(range(dZ.shape[-2] - 1)):
        dZ[..., t, :] = join(dH_from_Y[..., t, :], dZ[..., t + 1, :] @ W_hh) * slope[..., t, :]
    return dZ


def _forwards(dH_from_Y: Any, slope: Any, W_hh: Any) -> Any:
    """As ``_through_time``, with the loop over time the wrong way round."""
    return _through_time(dH_from_Y[..., ::-1, :], slope[..., ::-1, :], W_hh)[..., ::-1, :]


def _at_last_step(dY: Any) -> Any:
    """A gradient per step of which only the last one is kept."""
    kept = np.zeros_like(dY)
    kept[..., -1, :] = dY[..., -1, :]
    return kept


def _outer_sums(dZ: Any, inputs: Any) -> Any:
    """Σ dz inputsᵀ over the sequences of a batch and over the steps."""
    return np.einsum("nti,ntj->ij", dZ, inputs)


def _network(draw: Draw, d: int, h: int, c: int) -> Environment:
    """Parameters, all non-zero, W_hh of a gain near 1 and z mostly between −1 and 1."""
    return {
        "W_xh": draw.nonzero(h, d) * 0.5 / np.sqrt(d),
        "W_hh": draw.nonzero(h, h) * 1.1 / np.sqrt(h),
        "b_h": draw.nonzero(h) * 0.4,
        "W_hy": draw.nonzero(c, h),
        "b_y": draw.nonzero(c),
    }


def _steps(draw: Draw) -> int:
    """The length of a sequence: more than any other size."""
    return draw.integer(7, 8)


def _one_step(draw: Draw) -> Environment:
    d, h, c = draw.sizes(3)
    return {"x": draw.nonzero(d), "h_before": draw.uniform(-0.8, 0.8, h), **_network(draw, d, h, c)}


_ONE_STEP = Exercise(
    id="08.one_step",
    title="One step of a recurrent network",
    points=2,
    function="rnn_step",
    inputs=("x", "h_before", "W_xh", "W_hh", "b_h", "W_hy", "b_y"),
    returns=("h", "y"),
    draw=_one_step,
    steps=(
        Step(
            "z",
            lambda x, h_before, W_xh, W_hh, b_h: W_xh @ x + W_hh @ h_before + b_h,
            mistakes={
                "forgot_the_state_before": (
                    lambda x, W_xh, b_h: W_xh @ x + b_h,
                    "The state before does not come in: this network would have no memory. Which term of z_t carries "
                    "it?",
                ),
                "forgot_the_input": (
                    lambda h_before, W_hh, b_h: W_hh @ h_before + b_h,
                    "The input x of this step does not come in.",
                ),
                "forgot_b_h": (lambda x, h_before, W_xh, W_hh: W_xh @ x + W_hh @ h_before, _FORGOT_B_H),
                "state_without_weights": (
                    lambda x, h_before, W_xh, b_h: W_xh @ x + h_before + b_h,
                    "The state before is added as it is. It reaches the new state through the weights W_hh.",
                ),
                "recurrence_transposed": (
                    lambda x, h_before, W_xh, W_hh, b_h: W_xh @ x + W_hh.T @ h_before + b_h,
                    "W_hh is used transposed. Both products have a value because the matrix is square; row i of W_hh "
                    "holds the weights that lead into unit i.",
                ),
                "b_y_in_the_state": (
                    lambda x, h_before, W_xh, W_hh, b_y: W_xh @ x + W_hh @ h_before + b_y,
                    "The bias of the output, b_y, is added in the state.",
                ),
            },
        ),
        Step(
            "h",
            lambda z: np.tanh(z),
            mistakes={
                "state_without_tanh": (
                    lambda z: z,
                    "z is what goes into tanh; the state is what comes out. Without tanh the states can grow without "
                    "bound from step to step.",
                ),
                "state_with_sigmoid": (lambda z: sigmoid(z), _SIGMOID_STATE),
                "tanh_twice": (lambda z: np.tanh(np.tanh(z)), "tanh is applied twice."),
            },
        ),
        Step(
            "y",
            lambda h, W_hy, b_y: W_hy @ h + b_y,
            mistakes={
                "output_from_the_state_before": (
                    lambda h_before, W_hy, b_y: W_hy @ h_before + b_y,
                    "The output is made from the state before. It should see the input of its own step too, so it "
                    "comes from the new state.",
                ),
                "output_from_z": (
                    lambda z, W_hy, b_y: W_hy @ z + b_y,
                    "The output is made from the state, which is what tanh gives, not from the input of tanh.",
                ),
                "forgot_b_y": (lambda h, W_hy: W_hy @ h, _FORGOT_B_Y),
                "output_through_tanh": (
                    lambda h, W_hy, b_y: np.tanh(W_hy @ h + b_y),
                    "The output of this network is linear in the state: nothing squashes it.",
                ),
            },
        ),
    ),
    hints=(
        "Three lines: what goes into tanh, the new state, the output. What does each of them use?",
        "z collects from the input, from the state before and from a bias; h = tanh(z); y is a linear layer on h.",
        "`h = np.tanh(W_xh @ x + W_hh @ h_before + b_h)`, then `y = W_hy @ h + b_y`.",
    ),
    objective="Write one step of a recurrent network",
    difficulty=1,
    minutes=4,
)


def _sizes(draw: Draw) -> Environment:
    n, d, h, c = draw.sizes(4)
    return {"n": n, "T": _steps(draw), "d": d, "h": h, "c": c}


_COPIES = (
    "There are T copies of this matrix in the unrolled graph, but they are one and the same matrix. Its gradient has "
    "its shape, and the copies' contributions are added."
)
_MATRIX_TURNED = (
    "Rows and columns are exchanged. A weight matrix has a row for every unit it leads into and a column for every one "
    "it comes from."
)
_GRADIENT_SHAPE = "A gradient has the shape of what it belongs to."
_TIME_FIRST = "In this lesson the axes are: sequences of the batch, then time, then units."

_UNROLLED_SHAPES = Exercise(
    id="08.unrolled_shapes",
    title="Shapes along the unrolled graph",
    points=2,
    function="unrolled_shapes",
    inputs=("n", "T", "d", "h", "c"),
    returns=("W_xh", "W_hh", "H", "Y", "dZ", "dW_hh", "db_h", "dW_hy", "dh0"),
    draw=_sizes,
    steps=(
        Step(
            "W_xh",
            lambda d, h: shape(h, d),
            mistakes={"W_xh_turned": (lambda d, h: shape(d, h), _MATRIX_TURNED)},
        ),
        Step(
            "W_hh",
            lambda h: shape(h, h),
            mistakes={
                "W_hh_per_step": (lambda T, h: shape(T, h, h), _COPIES),
                "W_hh_like_W_xh": (
                    lambda d, h: shape(h, d),
                    "W_hh leads from state to state, so both of its sizes are those of the state.",
                ),
            },
        ),
        Step(
            "H",
            lambda n, T, h: shape(n, T + 1, h),
            mistakes={
                "H_without_h0": (
                    lambda n, T, h: shape(n, T, h),
                    "One state is missing. T steps join T + 1 states, as a fence of T boards has T + 1 posts.",
                ),
                "H_with_time_first": (lambda n, T, h: shape(T + 1, n, h), _TIME_FIRST),
                "H_last_state_only": (
                    lambda n, h: shape(n, h),
                    "That is one state per sequence. The backward pass needs the states of all steps.",
                ),
                "H_with_the_size_of_the_input": (
                    lambda n, T, d: shape(n, T + 1, d),
                    "Units of the state are counted by h; d counts the inputs.",
                ),
            },
        ),
        Step(
            "Y",
            lambda n, T, c: shape(n, T, c),
            mistakes={
                "Y_with_an_output_of_h0": (
                    lambda n, T, c: shape(n, T + 1, c),
                    "The initial state has no output: outputs begin with the first step.",
                ),
                "Y_of_the_last_step": (
                    lambda n, c: shape(n, c),
                    "Here every step has an output, not the last one alone.",
                ),
                "Y_with_time_first": (lambda n, T, c: shape(T, n, c), _TIME_FIRST),
            },
        ),
        Step(
            "dZ",
            lambda n, T, h: shape(n, T, h),
            mistakes={
                "dZ_with_h0": (
                    lambda n, T, h: shape(n, T + 1, h),
                    "No tanh made the initial state, so there is no z_0 and no gradient for it.",
                ),
                "dZ_summed_over_time": (
                    lambda n, h: shape(n, h),
                    "Every step has a z of its own, so it has a gradient of its own. It is the weights whose gradients "
                    "are sums over the steps.",
                ),
                "dZ_with_time_first": (lambda n, T, h: shape(T, n, h), _TIME_FIRST),
            },
        ),
        Step(
            "dW_hh",
            lambda h: shape(h, h),
            mistakes={
                "dW_hh_per_step": (lambda T, h: shape(T, h, h), _COPIES),
                "dW_hh_per_sequence": (
                    lambda n, h: shape(n, h, h),
                    "All sequences of the batch use the same matrix: its gradient is summed over them.",
                ),
            },
        ),
        Step(
            "db_h",
            lambda h: shape(h),
            mistakes={
                "db_h_per_step": (
                    lambda T, h: shape(T, h),
                    "One bias serves all steps, so its gradient is summed over them.",
                ),
                "db_h_per_sequence": (
                    lambda n, h: shape(n, h),
                    "One bias serves all sequences of the batch, so its gradient is summed over them.",
                ),
            },
        ),
        Step(
            "dW_hy",
            lambda h, c: shape(c, h),
            mistakes={
                "dW_hy_turned": (lambda h, c: shape(h, c), _MATRIX_TURNED),
                "dW_hy_per_step": (lambda T, h, c: shape(T, c, h), _COPIES),
            },
        ),
        Step(
            "dh0",
            lambda n, h: shape(n, h),
            mistakes={
                "dh0_shared": (
                    lambda h: shape(h),
                    "Every sequence of the batch has its own initial state here. " + _GRADIENT_SHAPE,
                ),
                "dh0_per_step": (
                    lambda n, T, h: shape(n, T, h),
                    "The initial state is used once, by the first step: it has no axis of time.",
                ),
            },
        ),
    ),
    kind=Shapes(),
    hints=(
        "Go along the graph from left to right. What is there once per step, and what is there once for all steps?",
        "States and outputs belong to a sequence and a step; weights and biases are shared by all. A gradient has the "
        "shape of what it belongs to.",
        "States `(n, T + 1, h)`, outputs `(n, T, c)`; weights `(units they lead into, units they come from)`.",
    ),
    objective="Tell what belongs to a step from what all steps share",
    difficulty=1,
    minutes=4,
)


def _two_paths(draw: Draw) -> Environment:
    z = draw.nonzero(12)
    symbols = {name: draw.nonzero(12) for name in ("h_before", "w_hh", "w_hy", "dy", "dz_next")}
    return {"z": z, "h": np.tanh(z), **symbols}


_TWO_PATHS = Exercise(
    id="08.two_paths",
    title="Derive one step of the way back",
    points=3,
    function="two_paths",
    inputs=("z", "h", "h_before", "w_hh", "w_hy", "dy", "dz_next"),
    returns=("dh_dz", "from_output", "from_next", "dh", "dz", "dw_hh"),
    draw=_two_paths,
    steps=(
        Step(
            "dh_dz",
            lambda h: 1 - h**2,
            mistakes={
                "slope_at_z": (lambda z: 1 - z**2, _SLOPE_AT_Z),
                "slope_is_the_sigmoids": (lambda h: h * (1 - h), _SLOPE_IS_SIGMOIDS),
                "slope_not_squared": (lambda h: 1 - h, _SLOPE_NOT_SQUARED),
                "slope_is_the_state": (
                    lambda h: h,
                    "This is tanh itself. Its derivative is largest at the origin, where tanh is 0.",
                ),
                "slope_with_a_plus": (
                    lambda h: 1 + h**2,
                    "The sign is wrong: tanh gets flatter away from the origin, so its slope is never more than 1.",
                ),
                "slope_of_the_state_before": (lambda h_before: 1 - h_before**2, _SLOPE_OF_BEFORE),
            },
        ),
        Step(
            "from_output",
            lambda dy, w_hy: dy * w_hy,
            mistakes={
                "output_path_without_weight": (
                    lambda dy: dy,
                    "y = w_hy·h + b_y: when h moves by 1, y does not move by 1. By how much does it?",
                ),
                "output_path_times_state": (
                    lambda dy, h: dy * h,
                    "That is the gradient of the weight w_hy. Here h is the variable, so what remains is what "
                    "multiplies h.",
                ),
            },
        ),
        Step(
            "from_next",
            lambda dz_next, w_hh: dz_next * w_hh,
            mistakes={
                "next_path_without_weight": (
                    lambda dz_next: dz_next,
                    "The next z contains w_hh·h: when h moves by 1, it does not move by 1. By how much does it?",
                ),
                "next_path_with_slope": (
                    lambda dz_next, w_hh, dh_dz: dz_next * w_hh * dh_dz,
                    "dz_next stands before the tanh of the next step already, and the tanh of this step comes later: "
                    "on the way from the next z to this h there is none.",
                ),
                "next_path_through_w_hy": (
                    lambda dz_next, w_hy: dz_next * w_hy,
                    "The next step receives the state through w_hh. The weight w_hy leads to the output.",
                ),
                "next_path_times_state": (
                    lambda dz_next, h: dz_next * h,
                    "That is what the next step contributes to the gradient of w_hh. Here h is the variable, so what "
                    "remains is what multiplies h.",
                ),
            },
        ),
        Step(
            "dh",
            lambda from_output, from_next: from_output + from_next,
            mistakes={
                "only_the_output_path": (lambda from_output: from_output, _DROPPED_RECURRENCE),
                "only_the_next_path": (lambda from_next: from_next, _PATH_OVERWRITTEN),
                "paths_multiplied": (lambda from_output, from_next: from_output * from_next, _PATHS_MULTIPLIED),
                "paths_averaged": (
                    lambda from_output, from_next: (from_output + from_next) / 2,
                    "The two paths are averaged. Their small changes of the loss add up, in full.",
                ),
            },
        ),
        Step(
            "dz",
            lambda dh, dh_dz: dh * dh_dz,
            mistakes={
                "forgot_tanh": (lambda dh: dh, _FORGOT_SLOPE),
                "tanh_on_one_path": (
                    lambda from_output, from_next, dh_dz: from_output * dh_dz + from_next,
                    "Only one of the two paths goes through tanh here. Both arrive at h, and from h to z there is one "
                    "way.",
                ),
                "divided_by_slope": (
                    lambda dh, dh_dz: dh / dh_dz,
                    "The link between h and z was divided by. On the way back, too, every link is a factor.",
                ),
            },
        ),
        Step(
            "dw_hh",
            lambda dz, h_before: dz * h_before,
            mistakes={
                "weight_with_own_state": (lambda dz, h: dz * h, _WITH_OWN_STATE),
                "weight_from_dh": (
                    lambda dh, h_before: dh * h_before,
                    "w_hh acts before tanh. This gradient starts behind it, so a link of the chain is missing.",
                ),
                "weight_times_weight": (
                    lambda dz, w_hh: dz * w_hh,
                    "That is what is sent on to the state before. Here w_hh is the variable, so what remains is what "
                    "multiplies it.",
                ),
                "weight_forgot_state": (
                    lambda dz: dz,
                    "A weight matters as much as the state that it multiplies. This is the gradient of the bias.",
                ),
            },
        ),
    ),
    kind=Derivation(uses={"dh_dz": ("h",), "from_output": ("dy", "w_hy"), "from_next": ("dz_next", "w_hh")}),
    hints=(
        "Draw h with its two arrows: one to y, one to the next z. What stands on each arrow?",
        "Along a path multiply, over the two paths add. tanh′(z) = 1 − tanh(z)², and tanh(z) is h.",
        "`dh_dz = 1 - h**2`, then `dh = dy * w_hy + dz_next * w_hh`, then `dz = dh * dh_dz`, then `dw_hh = dz * "
        "h_before`.",
    ),
    objective="Derive tanh′ = 1 − h² and the two paths of a state",
    difficulty=2,
    minutes=6,
)


def _step_back(draw: Draw) -> Environment:
    """One step of the real forward pass, and what comes back to it.

    ``h_shift`` and ``z_shift`` are zero: the loss's derivatives by them are those by h and by z. ``W_here`` is the W_hh
    of this step, apart from that of the next one.
    """
    case = _one_step(draw)
    h, c = len(case["b_h"]), len(case["b_y"])
    z = case["W_xh"] @ case["x"] + case["W_hh"] @ case["h_before"] + case["b_h"]
    free = {"W_here": case["W_hh"].copy(), "z_shift": np.zeros(h), "h_shift": np.zeros(h)}
    return {**case, "z": z, "h": np.tanh(z), "dy": draw.nonzero(c), "dz_next": draw.nonzero(h), **free}


def _step_back_loss(
    x: Any,
    h_before: Any,
    W_xh: Any,
    W_here: Any,
    b_h: Any,
    W_hh: Any,
    W_hy: Any,
    dy: Any,
    dz_next: Any,
    z_shift: Any,
    h_shift: Any,
) -> Any:
    """Any loss with these ∂L/∂y and ∂L/∂z of the next step has these gradients; this one is linear in both."""
    h = np.tanh(W_xh @ x + W_here @ h_before + b_h + z_shift) + h_shift
    return np.sum(dy * (W_hy @ h)) + np.sum(dz_next * (W_hh @ h))


_STEP_BACK = Exercise(
    id="08.step_back",
    title="One step back in time",
    points=3,
    function="rnn_step_back",
    inputs=("x", "h_before", "z", "h", "W_hh", "W_hy", "dy", "dz_next"),
    returns=("dh", "dz", "dW_xh", "dW_hh"),
    draw=_step_back,
    loss=_step_back_loss,
    wrt={"dh": "h_shift", "dz": "z_shift", "dW_hh": "W_here"},
    steps=(
        Step(
            "dh",
            lambda W_hy, dy, W_hh, dz_next: W_hy.T @ dy + W_hh.T @ dz_next,
            share=1.5,
            mistakes={
                "dropped_the_next_step": (lambda W_hy, dy: W_hy.T @ dy, _DROPPED_RECURRENCE),
                "dropped_the_output": (lambda W_hh, dz_next: W_hh.T @ dz_next, _PATH_OVERWRITTEN),
                "W_hh_not_transposed": (
                    lambda W_hy, dy, W_hh, dz_next: W_hy.T @ dy + W_hh @ dz_next,
                    _NOT_TRANSPOSED,
                ),
                "W_hy_not_transposed": (
                    lambda W_hy, dy, W_hh, dz_next: W_hy @ dy + W_hh.T @ dz_next,
                    "W_hy sends the state to the outputs; on the way back its rows and columns change roles. Count: "
                    "one number per unit of the state, each a sum over the outputs.",
                ),
                "next_step_without_weights": (
                    lambda W_hy, dy, dz_next: W_hy.T @ dy + dz_next,
                    "What comes back from the next step has to pass the weights between the two steps.",
                ),
                "paths_subtracted": (
                    lambda W_hy, dy, W_hh, dz_next: W_hy.T @ dy - W_hh.T @ dz_next,
                    "One path is subtracted from the other. Over several paths gradients are added.",
                ),
                "paths_multiplied": (
                    lambda W_hy, dy, W_hh, dz_next: (W_hy.T @ dy) * (W_hh.T @ dz_next),
                    _PATHS_MULTIPLIED,
                ),
            },
        ),
        Step(
            "dz",
            lambda dh, h: dh * (1 - h**2),
            mistakes={
                "forgot_tanh": (lambda dh: dh, _FORGOT_SLOPE),
                "slope_at_z": (lambda dh, z: dh * (1 - z**2), _SLOPE_AT_Z),
                "slope_at_h": (lambda dh, h: dh * (1 - np.tanh(h) ** 2), _SLOPE_AT_H),
                "slope_is_the_sigmoids": (lambda dh, h: dh * h * (1 - h), _SLOPE_IS_SIGMOIDS),
                "slope_not_squared": (lambda dh, h: dh * (1 - h), _SLOPE_NOT_SQUARED),
                "slope_of_the_state_before": (lambda dh, h_before: dh * (1 - h_before**2), _SLOPE_OF_BEFORE),
                "slope_on_one_path": (
                    lambda W_hy, dy, W_hh, dz_next, h: (W_hy.T @ dy) * (1 - h**2) + W_hh.T @ dz_next,
                    _SLOPE_ON_ONE_PATH,
                ),
            },
        ),
        Step(
            "dW_xh",
            lambda dz, x: np.outer(dz, x),
            share=0.75,
            mistakes={
                "dW_xh_transposed": (lambda dz, x: np.outer(x, dz), _OUTER_TRANSPOSED),
                "dW_xh_with_the_state": (
                    lambda dz, h_before: np.outer(dz, h_before),
                    "W_xh multiplies the input of the step. Here it is given the state before.",
                ),
                "dW_xh_from_dh": (
                    lambda dh, x: np.outer(dh, x),
                    "W_xh acts before tanh. This gradient starts behind it, so a link of the chain is missing.",
                ),
            },
        ),
        Step(
            "dW_hh",
            lambda dz, h_before: np.outer(dz, h_before),
            share=0.75,
            mistakes={
                "dW_hh_with_own_state": (lambda dz, h: np.outer(dz, h), _WITH_OWN_STATE),
                "dW_hh_transposed": (lambda dz, h_before: np.outer(h_before, dz), _OUTER_TRANSPOSED),
                "dW_hh_of_the_next_step": (
                    lambda dz_next, h: np.outer(dz_next, h),
                    "That is the contribution of the next step: its own dz, with this step's state as the state "
                    "before.",
                ),
                "dW_hh_from_dh": (
                    lambda dh, h_before: np.outer(dh, h_before),
                    "W_hh acts before tanh. This gradient starts behind it, so a link of the chain is missing.",
                ),
            },
        ),
    ),
    hints=(
        "It is exercise 3 with vectors. Which of its products become products with a matrix, and which stay entry by "
        "entry?",
        "Backwards a matrix is used transposed; tanh works entry by entry; the gradient of a weight matrix is an outer "
        "product of what arrives and what the matrix multiplies.",
        "`dh = W_hy.T @ dy + W_hh.T @ dz_next`, `dz = dh * (1 - h**2)`; then an outer product of `dz` with `x` and one "
        "with `h_before`.",
    ),
    objective="Send gradients back through one step",
    difficulty=2,
    minutes=6,
)

_LOOP_ORDER = order(
    "08.loop_order",
    title="The backward loop, line by line",
    points=2,
    function="loop_order",
    question=(
        "Put the lines of the backward loop in an order that computes. `dY` holds ∂L/∂y of every step, and `dW_xh` and "
        "`dW_hh` are zeros at the beginning. Seven of the lines below are wrong and stay out. Where several orders "
        "compute, each of them is right."
    ),
    lines=(
        Line("start", "before the loop: `dh_next = np.zeros_like(h0)`"),
        Line(
            "loop",
            "`for t in range(T, 0, -1):`",
            after=("start",),
            wrong={"loop_forwards": ("`for t in range(1, T + 1):`", _FORWARDS)},
        ),
        Line(
            "dh",
            "in the loop: `dh = W_hy.T @ dY[t - 1] + dh_next`",
            after=("loop",),
            wrong={
                "dh_without_next": ("in the loop: `dh = W_hy.T @ dY[t - 1]`", _DROPPED_RECURRENCE),
                "dh_from_next_alone": ("in the loop: `dh = dh_next`", _PATH_OVERWRITTEN),
            },
        ),
        Line(
            "dz",
            "in the loop: `dz = dh * (1 - H[t] ** 2)`",
            after=("dh",),
            wrong={"dz_at_the_state_before": ("in the loop: `dz = dh * (1 - H[t - 1] ** 2)`", _SLOPE_OF_BEFORE)},
        ),
        Line("dW_xh", "in the loop: `dW_xh += np.outer(dz, X[t - 1])`", after=("dz",)),
        Line(
            "dW_hh",
            "in the loop: `dW_hh += np.outer(dz, H[t - 1])`",
            after=("dz",),
            wrong={
                "dW_hh_assigned": ("in the loop: `dW_hh = np.outer(dz, H[t - 1])`", _OVERWRITTEN),
                "dW_hh_with_own_state": ("in the loop: `dW_hh += np.outer(dz, H[t])`", _WITH_OWN_STATE),
            },
        ),
        Line(
            "dh_next",
            "in the loop: `dh_next = W_hh.T @ dz`",
            after=("dz",),
            wrong={"dh_next_from_dh": ("in the loop: `dh_next = W_hh.T @ dh`", _SENT_BACK_DH)},
        ),
        Line("dh0", "after the loop: `dh0 = dh_next`", after=("dh_next", "dW_xh", "dW_hh")),
    ),
    misplaced={
        "dz_before_dh": ("dz", "dh", "dz is worked out before the dh it needs: it would use that of the round before."),
        "dW_hh_before_dz": (
            "dW_hh",
            "dz",
            "dW_hh is added to before this round's dz is there: it would use that of the round before.",
        ),
        "dh_next_before_dz": (
            "dh_next",
            "dz",
            "The gradient is sent on before this round's dz is there. First receive, then go through tanh, then send.",
        ),
    },
    hints=(
        "A round receives, goes through tanh, adds to the gradients, and sends on. Which line is which?",
        "The round begins with what arrives (dh), and dz is made from it; everything else in the round needs dz. The "
        "loop starts at the last step.",
        "Begin with the line before the loop, then `for t in range(T, 0, -1):`, then `dh`, then `dz`; the line after "
        "the loop comes last.",
    ),
    objective="Put the lines of the backward loop in order",
    difficulty=2,
    minutes=3,
)


def _sequence(draw: Draw) -> Environment:
    d, h, c = draw.sizes(3)
    T = _steps(draw)
    return {
        "X": draw.nonzero(T, d),
        "targets": draw.nonzero(T, c),
        "h0": draw.uniform(-0.8, 0.8, h),
        **_network(draw, d, h, c),
    }


def _batch(draw: Draw) -> Environment:
    n, d, h, c = draw.sizes(4)
    T = _steps(draw)
    return {
        "X": draw.nonzero(n, T, d),
        "targets": draw.nonzero(n, T, c),
        "h0": draw.uniform(-0.8, 0.8, n, h),
        **_network(draw, d, h, c),
    }


def _loss(X: Any, targets: Any, h0: Any, W_xh: Any, W_hh: Any, b_h: Any, W_hy: Any, b_y: Any) -> Any:
    """Half the squared errors of all steps: a sum over the steps, for a batch a mean over its sequences."""
    Y = _states(X, h0, W_xh, W_hh, b_h)[..., 1:, :] @ W_hy.T + b_y
    return np.sum((Y - targets) ** 2) / 2 / (len(X) if X.ndim == 3 else 1)


_FORWARD_STEP = Step(
    "H",
    lambda X, h0, W_xh, W_hh, b_h: _states(X, h0, W_xh, W_hh, b_h),
    share=0.5,
    mistakes={
        "started_from_zeros": (
            lambda X, h0, W_xh, W_hh, b_h: _states(X, np.zeros_like(h0), W_xh, W_hh, b_h),
            _FORGOT_H0,
        ),
        "no_recurrence_forward": (
            lambda X, h0, W_xh, W_hh, b_h: _states(X, h0, W_xh, np.zeros_like(W_hh), b_h),
            _NO_RECURRENCE,
        ),
        "left_out_b_h": (lambda X, h0, W_xh, W_hh, b_h: _states(X, h0, W_xh, W_hh, 0 * b_h), _FORGOT_B_H),
        "states_with_sigmoid": (
            lambda X, h0, W_xh, W_hh, b_h: _states(X, h0, W_xh, W_hh, b_h, sigmoid),
            _SIGMOID_STATE,
        ),
    },
)

_OUTPUT_STEP = Step(
    "Y",
    lambda H, W_hy, b_y: H[..., 1:, :] @ W_hy.T + b_y,
    share=0.5,
    mistakes={
        "left_out_b_y": (lambda H, W_hy: H[..., 1:, :] @ W_hy.T, _FORGOT_B_Y),
        "outputs_from_the_state_before": (
            lambda H, W_hy, b_y: H[..., :-1, :] @ W_hy.T + b_y,
            _STATE_BEFORE_IN_OUTPUT,
        ),
    },
)

_SLOPE_STEP = Step(
    "slope",
    lambda H: 1 - H[..., 1:, :] ** 2,
    mistakes={
        "forgot_tanh": (lambda H: np.ones_like(H[..., 1:, :]), _FORGOT_SLOPE),
        "slope_at_z": (
            lambda X, H, W_xh, W_hh, b_h: 1 - _inputs_of_tanh(X, H, W_xh, W_hh, b_h) ** 2,
            _SLOPE_AT_Z,
        ),
        "slope_at_h": (lambda H: 1 - np.tanh(H[..., 1:, :]) ** 2, _SLOPE_AT_H),
        "slope_is_the_sigmoids": (lambda H: H[..., 1:, :] * (1 - H[..., 1:, :]), _SLOPE_IS_SIGMOIDS),
        "slope_not_squared": (lambda H: 1 - H[..., 1:, :], _SLOPE_NOT_SQUARED),
        "slope_of_the_state_before": (lambda H: 1 - H[..., :-1, :] ** 2, _SLOPE_OF_BEFORE),
    },
)

_BACK_MISTAKES: dict[str, tuple[Formula, str]] = {
    "dropped_recurrence": (lambda dH_from_Y, slope: dH_from_Y * slope, _DROPPED_RECURRENCE),
    "own_output_overwritten": (
        lambda dH_from_Y, slope, W_hh: _only_next(dH_from_Y, slope, W_hh, lambda own, arriving: arriving),
        _PATH_OVERWRITTEN,
    ),
    "paths_multiplied": (
        lambda dH_from_Y, slope, W_hh: _only_next(dH_from_Y, slope, W_hh, lambda own, arriving: own * arriving),
        _PATHS_MULTIPLIED,
    ),
    "W_hh_not_transposed": (
        lambda dH_from_Y, slope, W_hh: _through_time(dH_from_Y, slope, W_hh.T),
        _NOT_TRANSPOSED,
    ),
    "sent_back_dh": (
        lambda dH_from_Y, slope, W_hh: _through_time(dH_from_Y, slope, W_hh, lambda t, dh, dZ: dh),
        _SENT_BACK_DH,
    ),
    "one_step_back_only": (
        lambda dH_from_Y, slope, W_hh: _through_time(
            dH_from_Y, slope, W_hh, lambda t, dh, dZ: dH_from_Y[..., t, :] * slope[..., t, :]
        ),
        _ONE_STEP_ONLY,
    ),
    "sent_back_accumulated": (
        lambda dH_from_Y, slope, W_hh: _through_time(
            dH_from_Y, slope, W_hh, lambda t, dh, dZ: dZ[..., t:, :].sum(axis=-2)
        ),
        _ACCUMULATED,
    ),
    "tanh_on_one_path": (
        lambda dH_from_Y, slope, W_hh: _through_time(dH_from_Y * slope, np.ones_like(slope), W_hh),
        _SLOPE_ON_ONE_PATH,
    ),
    "forwards_in_time": (lambda dH_from_Y, slope, W_hh: _forwards(dH_from_Y, slope, W_hh), _FORWARDS),
}

_BPTT = Exercise(
    id="08.bptt",
    title="Backpropagation through time",
    points=6,
    function="bptt",
    inputs=("X", "targets", "h0", "W_xh", "W_hh", "b_h", "W_hy", "b_y"),
    returns=("dW_xh", "dW_hh", "db_h", "dW_hy", "db_y", "dh0"),
    draw=_sequence,
    loss=_loss,
    amplify=("targets",),
    steps=(
        _FORWARD_STEP,
        _OUTPUT_STEP,
        Step(
            "dY",
            lambda Y, targets: Y - targets,
            mistakes={
                "negated_error": (lambda Y, targets: targets - Y, _WRONG_SIGN),
                "extra_factor_two": (lambda Y, targets: 2 * (Y - targets), _LOST_HALF),
                "mean_over_steps": (lambda Y, targets: (Y - targets) / len(Y), _MEAN_OVER_STEPS),
                "only_the_last_loss": (lambda Y, targets: _at_last_step(Y - targets), _LAST_LOSS),
            },
        ),
        Step(
            "dW_hy",
            lambda dY, H: dY.T @ H[1:],
            share=0.75,
            mistakes={
                "dW_hy_with_the_state_before": (lambda dY, H: dY.T @ H[:-1], _STATE_BEFORE_IN_OUTPUT),
                "dW_hy_transposed": (lambda dY, H: H[1:].T @ dY, _OUTER_TRANSPOSED),
                "dW_hy_overwritten": (lambda dY, H: np.outer(dY[0], H[1]), _OVERWRITTEN),
                "dW_hy_last_step": (lambda dY, H: np.outer(dY[-1], H[-1]), _LAST_STEP),
            },
        ),
        Step(
            "db_y",
            lambda dY: dY.sum(axis=0),
            share=0.5,
            mistakes={
                "db_y_not_summed": (lambda dY: dY, _NOT_SUMMED),
                "db_y_overwritten": (lambda dY: dY[0], _OVERWRITTEN),
                "db_y_last_step": (lambda dY: dY[-1], _LAST_STEP),
            },
        ),
        Step("dH_from_Y", lambda dY, W_hy: dY @ W_hy, share=0),
        _SLOPE_STEP,
        Step(
            "dZ",
            lambda dH_from_Y, slope, W_hh: _through_time(dH_from_Y, slope, W_hh),
            share=1.5,
            mistakes=_BACK_MISTAKES,
        ),
        Step(
            "dW_xh",
            lambda dZ, X: dZ.T @ X,
            share=0.75,
            mistakes={
                "dW_xh_transposed": (lambda dZ, X: X.T @ dZ, _OUTER_TRANSPOSED),
                "dW_xh_overwritten": (lambda dZ, X: np.outer(dZ[0], X[0]), _OVERWRITTEN),
                "dW_xh_last_step": (lambda dZ, X: np.outer(dZ[-1], X[-1]), _LAST_STEP),
                "dW_xh_one_step_off": (
                    lambda dZ, X: dZ[1:].T @ X[:-1],
                    "A step's gradient is paired with the input of the step before: the index of X is one off.",
                ),
            },
        ),
        Step(
            "dW_hh",
            lambda dZ, H: dZ.T @ H[:-1],
            share=0.75,
            mistakes={
                "dW_hh_last_step": (lambda dZ, H: np.outer(dZ[-1], H[-2]), _LAST_STEP),
                "dW_hh_overwritten": (lambda dZ, H: np.outer(dZ[0], H[0]), _OVERWRITTEN),
                "dW_hh_with_own_state": (lambda dZ, H: dZ.T @ H[1:], _WITH_OWN_STATE),
                "dW_hh_transposed": (lambda dZ, H: H[:-1].T @ dZ, _OUTER_TRANSPOSED),
                "dW_hh_without_h0": (lambda dZ, H: dZ[1:].T @ H[1:-1], _WITHOUT_H0),
                "dW_hh_mean_over_steps": (lambda dZ, H: dZ.T @ H[:-1] / len(dZ), _MEAN_OVER_STEPS),
            },
        ),
        Step(
            "db_h",
            lambda dZ: dZ.sum(axis=0),
            share=0.5,
            mistakes={
                "db_h_not_summed": (lambda dZ: dZ, _NOT_SUMMED),
                "db_h_overwritten": (lambda dZ: dZ[0], _OVERWRITTEN),
                "db_h_last_step": (lambda dZ: dZ[-1], _LAST_STEP),
                "db_h_mean_over_steps": (lambda dZ: dZ.mean(axis=0), _MEAN_OVER_STEPS),
            },
        ),
        Step(
            "dh0",
            lambda dZ, W_hh: W_hh.T @ dZ[0],
            share=0.75,
            mistakes={
                "dh0_is_zero": (
                    lambda h0: np.zeros_like(h0),
                    "The initial state moves the first state, and with it everything after: its gradient is not zero.",
                ),
                "dh0_summed_over_steps": (
                    lambda dZ, W_hh: (dZ @ W_hh).sum(axis=0),
                    "The initial state is treated as a parameter that every step uses. Only the first step receives "
                    "it; nothing is summed.",
                ),
                "dh0_stopped_at_z": (
                    lambda dZ: dZ[0],
                    "That is the gradient of the first z. One more link leads to the initial state: the weights "
                    "between them.",
                ),
                "dh0_one_step_short": (
                    lambda dH_from_Y, dZ, W_hh: dH_from_Y[0] + W_hh.T @ dZ[1],
                    "That is the gradient of the first state, h_1. The initial state lies one step further back.",
                ),
                "dh0_through_tanh": (
                    lambda dZ, W_hh, h0: (W_hh.T @ dZ[0]) * (1 - h0**2),
                    "The gradient goes through one tanh too many: the initial state was given, no tanh made it.",
                ),
                "dh0_not_transposed": (lambda dZ, W_hh: W_hh @ dZ[0], _NOT_TRANSPOSED),
            },
        ),
    ),
    hints=(
        "You have all the parts: the forward loop, one step back, and the order of the backward loop. What has to be "
        "kept on the way forward, and what has to be zero before the way back starts?",
        "Forwards: keep all states, the initial one included. Backwards from t = T: dh = W_hyᵀ dy_t + dh_next, then "
        "dz, then *add* to the gradients, then dh_next = W_hhᵀ dz. What is left at the end belongs to the initial "
        "state.",
        "Keep `H = [h0]` and append `np.tanh(W_xh @ x + W_hh @ H[-1] + b_h)`. Then loop `for t in range(T, 0, -1)` "
        "with `dy = W_hy @ H[t] + b_y - targets[t - 1]`, `dz = (W_hy.T @ dy + dh_next) * (1 - H[t] ** 2)`, and `+=` "
        "for all five gradients.",
    ),
    objective="Implement backpropagation through time",
    difficulty=3,
    minutes=13,
)

_BATCH_CODE = '''\
def bptt_batch(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    """Gradients for a batch of sequences.

    X (n, T, d), targets (n, T, c), h0 (n, h); returns dW_xh (h, d), dW_hh (h, h), db_h (h,), dW_hy (c, h), dh0 (n, h).
    """
    n, T = X.shape[:2]
    H = np.zeros((n, T + 1, len(b_h)))
    H[:, 0] = h0
    for t in range(1, T + 1):
        H[:, t] = np.tanh(X[:, t - 1] @ W_xh.T + H[:, t - 1] @ W_hh.T + b_h)
    dY = (H[:, 1:] @ W_hy.T + b_y - targets) / n

    dW_xh, dW_hh, db_h, dW_hy = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros_like(b_h), np.zeros_like(W_hy)
    dh_next = np.zeros_like(h0)
    for t in range(T, 0, -1):
        dW_hy += dY[:, t - 1].T @ H[:, t]
        dh = dY[:, t - 1] @ W_hy + dh_next
        dz = dh * (1 - H[:, t - 1] ** 2)
        dW_xh += dz.T @ X[:, t - 1]
        dW_hh = dz.T @ H[:, t - 1]
        db_h += dz.sum(axis=0)
        dh_next = dz @ W_hh
    return dW_xh, dW_hh, db_h, dW_hy, dh_next
'''

_MEND_THE_BATCH = Exercise(
    id="08.mend_the_batch",
    title="Two mistakes in a batch",
    points=3,
    function="bptt_batch",
    inputs=("X", "targets", "h0", "W_xh", "W_hh", "b_h", "W_hy", "b_y"),
    returns=("dW_xh", "dW_hh", "db_h", "dW_hy", "dh0"),
    draw=_batch,
    loss=_loss,
    amplify=("targets",),
    steps=(
        _FORWARD_STEP,
        _OUTPUT_STEP,
        Step(
            "dY",
            lambda Y, targets: (Y - targets) / len(Y),
            mistakes={
                "negated_error": (lambda Y, targets: (targets - Y) / len(Y), _WRONG_SIGN),
                "forgot_mean": (
                    lambda Y, targets: Y - targets,
                    "The loss is a mean over the sequences of the batch, and its 1/n stays when it is differentiated.",
                ),
                "mean_over_steps": (
                    lambda Y, targets: (Y - targets) / Y.shape[1],
                    "The loss is a mean over the sequences and a sum over the steps. Here it is divided by the number "
                    "of steps.",
                ),
                "mean_over_both": (
                    lambda Y, targets: (Y - targets) / (Y.shape[0] * Y.shape[1]),
                    "The loss is a mean over the sequences and a sum over the steps. Here it is divided by both "
                    "numbers.",
                ),
                "only_the_last_loss": (lambda Y, targets: _at_last_step(Y - targets) / len(Y), _LAST_LOSS),
            },
        ),
        Step(
            "dW_hy",
            lambda dY, H: _outer_sums(dY, H[:, 1:]),
            mistakes={
                "dW_hy_with_the_state_before": (lambda dY, H: _outer_sums(dY, H[:, :-1]), _STATE_BEFORE_IN_OUTPUT),
                "dW_hy_overwritten": (lambda dY, H: dY[:, 0].T @ H[:, 1], _OVERWRITTEN),
            },
        ),
        Step("dH_from_Y", lambda dY, W_hy: dY @ W_hy, share=0),
        _SLOPE_STEP,
        Step(
            "dZ",
            lambda dH_from_Y, slope, W_hh: _through_time(dH_from_Y, slope, W_hh),
            mistakes=_BACK_MISTAKES,
        ),
        Step(
            "dW_xh",
            lambda dZ, X: _outer_sums(dZ, X),
            mistakes={
                "dW_xh_transposed": (lambda dZ, X: _outer_sums(X, dZ), _OUTER_TRANSPOSED),
                "dW_xh_overwritten": (lambda dZ, X: dZ[:, 0].T @ X[:, 0], _OVERWRITTEN),
                "dW_xh_last_sequence": (
                    lambda dZ, X: dZ[-1].T @ X[-1],
                    "Only the last sequence of the batch arrives here.",
                ),
            },
        ),
        Step(
            "dW_hh",
            lambda dZ, H: _outer_sums(dZ, H[:, :-1]),
            mistakes={
                "dW_hh_overwritten": (lambda dZ, H: dZ[:, 0].T @ H[:, 0], _OVERWRITTEN),
                "dW_hh_last_step": (lambda dZ, H: dZ[:, -1].T @ H[:, -2], _LAST_STEP),
                "dW_hh_with_own_state": (lambda dZ, H: _outer_sums(dZ, H[:, 1:]), _WITH_OWN_STATE),
                "dW_hh_transposed": (lambda dZ, H: _outer_sums(H[:, :-1], dZ), _OUTER_TRANSPOSED),
                "dW_hh_mean_over_steps": (
                    lambda dZ, H: _outer_sums(dZ, H[:, :-1]) / dZ.shape[1],
                    _MEAN_OVER_STEPS,
                ),
            },
        ),
        Step(
            "db_h",
            lambda dZ: dZ.sum(axis=(0, 1)),
            mistakes={
                "db_h_not_summed_over_time": (lambda dZ: dZ.sum(axis=0), _NOT_SUMMED),
                "db_h_overwritten": (lambda dZ: dZ[:, 0].sum(axis=0), _OVERWRITTEN),
                "db_h_mean_over_the_batch": (
                    lambda dZ: dZ.mean(axis=0).sum(axis=0),
                    "The mean over the batch is taken twice: the 1/n of the loss is in dY already.",
                ),
            },
        ),
        Step(
            "dh0",
            lambda dZ, W_hh: dZ[:, 0] @ W_hh,
            mistakes={
                "dh0_summed_over_the_batch": (
                    lambda dZ, W_hh: (dZ[:, 0] @ W_hh).sum(axis=0),
                    "Every sequence has an initial state of its own here, so nothing is summed over the batch.",
                ),
                "dh0_summed_over_steps": (
                    lambda dZ, W_hh: (dZ @ W_hh).sum(axis=1),
                    "The initial state is treated as a parameter that every step uses. Only the first step receives "
                    "it.",
                ),
                "dh0_stopped_at_z": (
                    lambda dZ: dZ[:, 0],
                    "That is the gradient of the first z. One more link leads to the initial state.",
                ),
                "dh0_not_transposed": (
                    lambda dZ, W_hh: dZ[:, 0] @ W_hh.T,
                    "With sequences in rows the order of the factors is turned round, and W_hh stands as it is. Both "
                    "products have a value, because the matrix is square.",
                ),
            },
        ),
    ),
    kind=Fix(planted=("slope_of_the_state_before", "dW_hh_overwritten"), code=_BATCH_CODE),
    hints=(
        "Read the function beside your own from exercise 6. Which lines of the backward loop differ in more than a "
        "transpose?",
        "Which state did the tanh of step t make? And which gradients does every round add to?",
        "The slope of step t is `1 - H[:, t] ** 2`, and the contributions of all steps to `dW_hh` are added with `+=`.",
    ),
    objective="Find mistakes in somebody else's backward pass",
    difficulty=2,
    minutes=5,
)

_NORM_PREDICTION = prediction(
    "08.norm_prediction",
    title="Twenty steps back",
    points=3,
    function="norm_prediction",
    questions=(
        Question(
            "vanishing",
            "All states are 0, where tanh′ is 1, and `W_hh` is 0.8 times a rotation. The loss depends on the last "
            "output only, and the norm of ∂L/∂h_T is 1. **What is the norm of ∂L/∂h_t twenty steps earlier?**",
            right=lambda: 0.8**20,
            wrong={
                16.0: ("gain_times_steps", "0.8 · 20 is a sum of twenty factors. Along a path one multiplies."),
                -3.0: (
                    "loss_per_step_subtracted",
                    "The 0.2 that is lost at each step is a share of what is still there, not of the beginning. And a "
                    "norm cannot be negative.",
                ),
                0.8: ("gain_once", "That is one step back. The gradient passes W_hhᵀ twenty times."),
                0.8**19: ("one_step_short", "Twenty steps back, there are twenty factors; here are nineteen."),
                0.8**21: ("one_step_too_many", "Twenty steps back, there are twenty factors; here are twenty-one."),
                1.0: ("rotation_keeps_norm", "The rotation keeps the norm, but it is multiplied by 0.8 at every step."),
            },
        ),
        Question(
            "exploding",
            "The same with 1.2 times a rotation.",
            right=lambda: 1.2**20,
            wrong={
                24.0: ("gain_times_steps_again", "1.2 · 20 is a sum of twenty factors. Along a path one multiplies."),
                5.0: (
                    "growth_added",
                    "The 0.2 that is gained at each step is a share of what has grown already, as interest on interest "
                    "is.",
                ),
                1.2: (
                    "gain_once_again",
                    "That is one step back. The gradient passes W_hhᵀ twenty times.",
                ),
                1.2**19: ("one_step_short_again", "Twenty steps back, there are twenty factors; here are nineteen."),
                1.2**21: ("one_step_too_many_again", "Twenty steps back, there are twenty factors; here are 21."),
                1.0: (
                    "tanh_bounds_gradients",
                    "tanh bounds the states, but its slope is 1 here and bounds nothing.",
                ),
            },
        ),
        Question(
            "damped",
            "The same with 1.2 times a rotation, but every entry of every state is 0.6 or −0.6.",
            right=lambda: (1.2 * (1 - 0.6**2)) ** 20,
            wrong={
                1.2**20: (
                    "slope_forgotten",
                    "The way back leads through tanh at every step, and away from the origin its slope is less than 1.",
                ),
                (1.2 * 0.6) ** 20: ("state_for_slope", "0.6 is the state. The slope of tanh is another number there."),
                (1.2 * 0.4) ** 20: ("slope_without_square", "1 − 0.6 is not the slope of tanh: a square is missing."),
                (1 - 0.6**2) ** 20: ("slope_alone", "That is what the twenty slopes do. The weights still come in."),
                1.2 * (1 - 0.6**2): ("one_damped_step", "That is one step back. There are twenty."),
                (1.2 * 0.6**2) ** 20: ("square_for_slope", "0.6² is what is missing from 1: the slope is 1 − h²."),
            },
        ),
    ),
    hints=(
        "What happens to the gradient in a single step back? Then: what happens in twenty?",
        "A step multiplies by W_hhᵀ and by tanh′. A rotation keeps lengths, so the norm is multiplied by the gain, "
        "and by tanh′ where that is the same in every entry.",
        "The three are `0.8**20`, `1.2**20` and `(1.2 * (1 - 0.6**2))**20`.",
    ),
    objective="Predict how a gradient vanishes or explodes",
    difficulty=2,
    minutes=3,
)


def _last_loss(draw: Draw) -> Environment:
    case = _sequence(draw)
    H = _states(*(case[name] for name in ("X", "h0", "W_xh", "W_hh", "b_h")))
    return {"dh_last": draw.nonzero(len(case["h0"])), "H": H, "W_hh": case["W_hh"]}


def _travelled(dh_last: Any, H: Any, step: Callable[[Any, int], Any]) -> Any:
    """∂L/∂h at t = 0 ... T, from the last one and what a step back does to it."""
    found = [dh_last]
    for t in range(len(H) - 1, 0, -1):
        found.insert(0, step(found[0], t))
    return np.array(found)


def _steps_back(H: Any) -> Any:
    """How far t = 0 ... T lie before T."""
    return np.arange(len(H))[::-1]


_GRADIENT_NORMS = Exercise(
    id="08.gradient_norms",
    title="Measure how a gradient travels",
    points=3,
    function="gradient_norms",
    inputs=("dh_last", "H", "W_hh"),
    returns=("norms", "gain", "bounds"),
    draw=_last_loss,
    steps=(
        Step(
            "dH",
            lambda dh_last, H, W_hh: _travelled(dh_last, H, lambda dh, t: W_hh.T @ (dh * (1 - H[t] ** 2))),
            share=1.5,
            mistakes={
                "travelled_without_tanh": (
                    lambda dh_last, H, W_hh: _travelled(dh_last, H, lambda dh, t: W_hh.T @ dh),
                    _FORGOT_SLOPE,
                ),
                "travelled_with_slope_of_before": (
                    lambda dh_last, H, W_hh: _travelled(dh_last, H, lambda dh, t: W_hh.T @ (dh * (1 - H[t - 1] ** 2))),
                    _SLOPE_OF_BEFORE,
                ),
                "weights_before_tanh": (
                    lambda dh_last, H, W_hh: _travelled(dh_last, H, lambda dh, t: (W_hh.T @ dh) * (1 - H[t] ** 2)),
                    "The two factors of a step are in the wrong order. Forward, W_hh comes first and tanh second; "
                    "backward it is the other way round.",
                ),
                "travelled_not_transposed": (
                    lambda dh_last, H, W_hh: _travelled(dh_last, H, lambda dh, t: W_hh @ (dh * (1 - H[t] ** 2))),
                    _NOT_TRANSPOSED,
                ),
                "travelled_without_weights": (
                    lambda dh_last, H, W_hh: _travelled(dh_last, H, lambda dh, t: dh * (1 - H[t] ** 2)),
                    "Between two states lie tanh and the weights W_hh. Here the gradient goes through tanh alone.",
                ),
                "travelled_slope_not_squared": (
                    lambda dh_last, H, W_hh: _travelled(dh_last, H, lambda dh, t: W_hh.T @ (dh * (1 - H[t]))),
                    _SLOPE_NOT_SQUARED,
                ),
            },
        ),
        Step(
            "norms",
            lambda dH: np.sqrt(np.sum(dH**2, axis=1)),
            mistakes={
                "norms_squared": (
                    lambda dH: np.sum(dH**2, axis=1),
                    "That is the square of the norm: the root is missing.",
                ),
                "sums_of_sizes": (
                    lambda dH: np.sum(np.abs(dH), axis=1),
                    "The sizes of the entries are added. The Euclidean norm adds their squares and takes the root.",
                ),
                "largest_entries": (
                    lambda dH: np.max(np.abs(dH), axis=1),
                    "That is the largest entry of each gradient. The norm counts all entries.",
                ),
                "root_mean_squares": (
                    lambda dH: np.sqrt(np.mean(dH**2, axis=1)),
                    "The mean of the squares is taken; the norm takes their sum.",
                ),
                "norms_backwards_in_time": (
                    lambda dH: np.sqrt(np.sum(dH**2, axis=1))[::-1],
                    "The norms come in the order in which the loop finds them, the last step first. Entry t belongs to "
                    "step t.",
                ),
            },
        ),
        Step(
            "gain",
            lambda W_hh: np.linalg.norm(W_hh, 2),
            share=0.75,
            mistakes={
                "frobenius_norm": (
                    lambda W_hh: np.sqrt(np.sum(W_hh**2)),
                    "This is the root of the sum of all squares (numpy's norm of a matrix, if nothing else is asked "
                    "for). How much the matrix stretches a vector at most is another number, never larger.",
                ),
                "largest_eigenvalue": (
                    lambda W_hh: np.max(np.abs(np.linalg.eigvals(W_hh))),
                    "The size of the largest eigenvalue tells what many steps do in the long run. A single step can "
                    "stretch more: by the largest singular value.",
                ),
                "largest_weight": (
                    lambda W_hh: np.max(np.abs(W_hh)),
                    "The largest weight says little about the matrix: many small ones together stretch as well.",
                ),
                "smallest_stretch": (
                    lambda W_hh: np.linalg.norm(W_hh, -2),
                    "That is the smallest singular value, the least that the matrix stretches.",
                ),
                "gain_squared": (
                    lambda W_hh: np.linalg.norm(W_hh, 2) ** 2,
                    "That is the largest eigenvalue of W_hhᵀ W_hh. The stretch is its root.",
                ),
            },
        ),
        Step(
            "bounds",
            lambda gain, norms, H: norms[-1] * gain ** _steps_back(H),
            share=0.75,
            mistakes={
                "bounds_one_step_more": (
                    lambda gain, norms, H: norms[-1] * gain ** (_steps_back(H) + 1),
                    "There is one factor too many everywhere: at t = T the gradient has not gone back at all.",
                ),
                "bounds_forwards": (
                    lambda gain, norms, H: norms[-1] * gain ** np.arange(len(H)),
                    "The exponent counts the steps from t to T: it is 0 at the end and T at the beginning.",
                ),
                "bounds_linear": (
                    lambda gain, norms, H: norms[-1] * gain * _steps_back(H),
                    "The gain comes in once per step as a factor. Twenty factors are a power, not a product with 20.",
                ),
                "bounds_without_start": (
                    lambda gain, H: gain ** _steps_back(H),
                    "The bound is a multiple of what the gradient is at t = T, and that is not 1.",
                ),
                "bounds_from_step_to_step": (
                    lambda gain, norms: np.append(gain * norms[1:], norms[-1]),
                    "Each bound is taken from the norm measured one step later. Asked for is what the gain alone says, "
                    "from the end to t.",
                ),
            },
        ),
    ),
    hints=(
        "Three parts: let the gradient travel and keep it at every step, take norms, and compare with powers of the "
        "gain.",
        "A step back is W_hhᵀ (dh ⊙ (1 − h²)). The gain is the largest singular value of W_hh, and tanh′ is at most "
        "1, so a step multiplies the norm by the gain at most.",
        "Loop `for t in range(T, 0, -1)` with `dh = W_hh.T @ (dh * (1 - H[t] ** 2))`; `gain = np.linalg.norm(W_hh, "
        "2)`; `bounds = norms[-1] * gain ** np.arange(T, -1, -1)`.",
    ),
    objective="Measure the norms by time step and bound them by powers of the gain",
    difficulty=2,
    minutes=7,
)


def _with_cache(draw: Draw) -> Environment:
    case = _sequence(draw)
    H = _states(*(case[name] for name in ("X", "h0", "W_xh", "W_hh", "b_h")))
    T, c = case["targets"].shape
    return {**case, "H": H, "dY": draw.nonzero(T, c), "k": draw.integer(3, T - 4)}


def _loss_of_windows(X: Any, H: Any, dY: Any, k: Any, W_xh: Any, W_hh: Any, b_h: Any, W_hy: Any) -> Any:
    """Σ dy_t · y_t, every y_t from a window of k steps that starts at a state counted as a constant."""
    total = 0.0
    for t in range(1, len(X) + 1):
        first = max(t - k, 0)
        total = total + np.sum(dY[t - 1] * (W_hy @ _states(X[first:t], H[first], W_xh, W_hh, b_h)[-1]))
    return total


def _in_windows(
    dH_from_Y: Any,
    slope: Any,
    W_hh: Any,
    first: Callable[[int, int], int],
    sent_back: Callable[[Any, Any], Any] = lambda dh, sent: sent,
) -> Any:
    """∂L/∂z at every step where the loss of step t is sent back to step ``first(t, T)`` and no further.

    ``sent_back`` gives what arrives at the step before, from dh and from W_hhᵀ dz, which is right.
    """
    T = len(dH_from_Y)
    dZ = np.zeros_like(dH_from_Y)
    for t in range(1, T + 1):
        dh = dH_from_Y[t - 1]
        for s in range(t, max(first(t, T), 1) - 1, -1):
            dz = dh * slope[s - 1]
            dZ[s - 1] += dz
            dh = sent_back(dh, W_hh.T @ dz)
    return dZ


_TRUNCATED = Exercise(
    id="08.truncated",
    title="Truncated backpropagation through time",
    points=4,
    function="truncated_bptt",
    inputs=("X", "H", "dY", "W_hh", "W_hy", "k"),
    returns=("dW_xh", "dW_hh", "db_h"),
    draw=_with_cache,
    loss=_loss_of_windows,
    steps=(
        Step("dH_from_Y", lambda dY, W_hy: dY @ W_hy, share=0),
        Step(
            "slope",
            lambda H: 1 - H[1:] ** 2,
            share=0.75,
            mistakes={
                "forgot_tanh": (lambda H: np.ones_like(H[1:]), _FORGOT_SLOPE),
                "slope_at_h": (lambda H: 1 - np.tanh(H[1:]) ** 2, _SLOPE_AT_H),
                "slope_is_the_sigmoids": (lambda H: H[1:] * (1 - H[1:]), _SLOPE_IS_SIGMOIDS),
                "slope_not_squared": (lambda H: 1 - H[1:], _SLOPE_NOT_SQUARED),
                "slope_of_the_state_before": (lambda H: 1 - H[:-1] ** 2, _SLOPE_OF_BEFORE),
            },
        ),
        Step(
            "dZ",
            lambda dH_from_Y, slope, W_hh, k: _in_windows(dH_from_Y, slope, W_hh, lambda t, T: t - k + 1),
            share=2,
            mistakes={
                "one_step_early": (
                    lambda dH_from_Y, slope, W_hh, k: _in_windows(dH_from_Y, slope, W_hh, lambda t, T: t - k + 2),
                    "It is cut one step early. The loss of step t goes back through k steps, its own among them: count "
                    "the rounds of the inner loop.",
                ),
                "one_step_late": (
                    lambda dH_from_Y, slope, W_hh, k: _in_windows(dH_from_Y, slope, W_hh, lambda t, T: t - k),
                    "It is cut one step late. The loss of step t goes back through k steps, its own among them: count "
                    "the rounds of the inner loop.",
                ),
                "not_truncated": (
                    lambda dH_from_Y, slope, W_hh: _in_windows(dH_from_Y, slope, W_hh, lambda t, T: 1),
                    "This is the full gradient: every loss travels back to the first step, whatever k is.",
                ),
                "every_step_on_its_own": (
                    lambda dH_from_Y, slope, W_hh: _in_windows(dH_from_Y, slope, W_hh, lambda t, T: t),
                    _DROPPED_RECURRENCE,
                ),
                "cut_into_pieces": (
                    lambda dH_from_Y, slope, W_hh, k: _in_windows(
                        dH_from_Y, slope, W_hh, lambda t, T: (t - 1) // k * k + 1
                    ),
                    "The sequence is cut into pieces of k steps, and a loss at the beginning of a piece does not leave "
                    "it. Asked for is a window of k steps for the loss of every step.",
                ),
                "last_k_steps_only": (
                    lambda dH_from_Y, slope, W_hh, k: _in_windows(dH_from_Y, slope, W_hh, lambda t, T: T - k + 1),
                    "Only the last k steps of the sequence get a gradient. The window moves with the step whose loss "
                    "is sent back.",
                ),
                "only_the_last_loss": (
                    lambda dH_from_Y, slope, W_hh, k: _in_windows(
                        _at_last_step(dH_from_Y), slope, W_hh, lambda t, T: t - k + 1
                    ),
                    _LAST_LOSS,
                ),
                "W_hh_not_transposed": (
                    lambda dH_from_Y, slope, W_hh, k: _in_windows(dH_from_Y, slope, W_hh.T, lambda t, T: t - k + 1),
                    _NOT_TRANSPOSED,
                ),
                "sent_back_accumulated": (
                    lambda dH_from_Y, slope, W_hh, k: _in_windows(
                        dH_from_Y, slope, W_hh, lambda t, T: t - k + 1, lambda dh, sent: dh + sent
                    ),
                    _ACCUMULATED,
                ),
                "sent_back_dh": (
                    lambda dH_from_Y, slope, W_hh, k: _in_windows(
                        dH_from_Y, slope, W_hh, lambda t, T: t - k + 1, lambda dh, sent: W_hh.T @ dh
                    ),
                    _SENT_BACK_DH,
                ),
            },
        ),
        Step(
            "dW_xh",
            lambda dZ, X: dZ.T @ X,
            mistakes={
                "dW_xh_transposed": (lambda dZ, X: X.T @ dZ, _OUTER_TRANSPOSED),
                "dW_xh_one_step_off": (
                    lambda dZ, X: dZ[1:].T @ X[:-1],
                    "A step's gradient is paired with the input of the step before: the index of X is one off.",
                ),
                "dW_xh_last_step": (lambda dZ, X: np.outer(dZ[-1], X[-1]), _LAST_STEP),
            },
        ),
        Step(
            "dW_hh",
            lambda dZ, H: dZ.T @ H[:-1],
            mistakes={
                "dW_hh_with_own_state": (lambda dZ, H: dZ.T @ H[1:], _WITH_OWN_STATE),
                "dW_hh_transposed": (lambda dZ, H: H[:-1].T @ dZ, _OUTER_TRANSPOSED),
                "dW_hh_last_step": (lambda dZ, H: np.outer(dZ[-1], H[-2]), _LAST_STEP),
                "dW_hh_without_h0": (lambda dZ, H: dZ[1:].T @ H[1:-1], _WITHOUT_H0),
            },
        ),
        Step(
            "db_h",
            lambda dZ: dZ.sum(axis=0),
            share=0.5,
            mistakes={
                "db_h_not_summed": (lambda dZ: dZ, _NOT_SUMMED),
                "db_h_mean_over_steps": (lambda dZ: dZ.mean(axis=0), _MEAN_OVER_STEPS),
                "db_h_last_step": (lambda dZ: dZ[-1], _LAST_STEP),
            },
        ),
    ),
    hints=(
        "Take the loss of a single step t. Through which steps does it travel, from the first to the last of them?",
        "Two loops: t over the losses, and inside it s = t, t − 1, … for at most k rounds, but not beyond the first "
        "step. Each round adds to the gradients and sends dh on.",
        "`dh = W_hy.T @ dY[t - 1]`, then `for s in range(t, max(t - k, 0), -1):` with `dz = dh * (1 - H[s] ** 2)`, "
        "three `+=`, and `dh = W_hh.T @ dz`.",
    ),
    objective="Truncate backpropagation through time after k steps",
    difficulty=3,
    minutes=8,
)


def _to_clip(draw: Draw) -> Environment:
    """Gradients in three arrays, and a limit well below their norm in one half of the cases, above it in the other.

    Where it is below, it still lies above some entries.
    """
    a, b, c = draw.sizes(3)
    gradients = [np.where(abs(g) < 0.05, 0.05, g) for g in (draw.normal(a, b), draw.normal(b), draw.normal(c, a))]
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return {"gradients": gradients, "limit": float(norm) * (0.1 if draw.number(1, 2) > 0 else draw.uniform(2, 3))}


def _each(gradients: Any, function: Callable[[Any], Any]) -> list[Any]:
    return [function(g) for g in gradients]


def _norm(gradients: Any) -> Any:
    return np.sqrt(sum(np.sum(g**2) for g in gradients))


_BY_VALUE_FOR_NORM = (
    "Every entry is cut off by itself: that is clipping by value, and it turns the direction of the gradient. By norm, "
    "all entries are multiplied by one and the same factor."
)

_CLIP = Exercise(
    id="08.clip",
    title="Two ways to clip",
    points=3,
    function="clip",
    inputs=("gradients", "limit"),
    returns=("norm", "by_norm", "by_value"),
    draw=_to_clip,
    steps=(
        Step(
            "norm",
            lambda gradients: _norm(gradients),
            mistakes={
                "norm_squared": (
                    lambda gradients: sum(np.sum(g**2) for g in gradients),
                    "That is the square of the norm: the root is missing.",
                ),
                "norms_added": (
                    lambda gradients: sum(np.sqrt(np.sum(g**2)) for g in gradients),
                    "The norms of the arrays are added. It is their squares that add up: take the root once, at the "
                    "end.",
                ),
                "norm_of_the_first": (
                    lambda gradients: np.sqrt(np.sum(gradients[0] ** 2)),
                    "That is the norm of the first array. All of them are one gradient together.",
                ),
                "norm_of_the_last": (
                    lambda gradients: np.sqrt(np.sum(gradients[-1] ** 2)),
                    "That is the norm of the last array. Is the sum set back to zero in the loop?",
                ),
                "largest_entry": (
                    lambda gradients: max(np.max(np.abs(g)) for g in gradients),
                    "That is the size of the largest entry. The norm is the root of the sum of all squares.",
                ),
                "sum_of_sizes": (
                    lambda gradients: sum(np.sum(np.abs(g)) for g in gradients),
                    "The sizes of the entries are added. The Euclidean norm adds their squares and takes the root.",
                ),
                "root_mean_square": (
                    lambda gradients: np.sqrt(sum(np.sum(g**2) for g in gradients) / sum(g.size for g in gradients)),
                    "The mean of the squares is taken; the norm takes their sum.",
                ),
            },
        ),
        Step(
            "by_norm",
            lambda gradients, norm, limit: _each(gradients, lambda g: g * min(1.0, limit / norm)),
            share=1.5,
            mistakes={
                "always_scaled": (
                    lambda gradients, norm, limit: _each(gradients, lambda g: g * limit / norm),
                    "The gradient is scaled even where it is short enough, which makes it longer. Clipping only ever "
                    "shortens.",
                ),
                "each_by_its_own_norm": (
                    lambda gradients, limit: _each(gradients, lambda g: g * min(1.0, limit / np.sqrt(np.sum(g**2)))),
                    "Every array is clipped by its own norm, so the arrays are scaled differently and the direction of "
                    "the whole changes. One norm of all, one factor for all.",
                ),
                "value_where_norm_is_meant": (
                    lambda gradients, limit: _each(gradients, lambda g: np.clip(g, -limit, limit)),
                    _BY_VALUE_FOR_NORM,
                ),
                "scaled_to_one": (
                    lambda gradients, norm, limit: _each(gradients, lambda g: g if norm <= limit else g / norm),
                    "A gradient that is too long gets the norm 1 here. It should get the norm of the limit.",
                ),
                "not_divided_by_norm": (
                    lambda gradients, norm, limit: _each(gradients, lambda g: g if norm <= limit else g * limit),
                    "A gradient that is too long is multiplied by the limit. What factor turns the norm into the "
                    "limit?",
                ),
                "factor_inverted": (
                    lambda gradients, norm, limit: _each(gradients, lambda g: g if norm <= limit else g * norm / limit),
                    "The factor is upside down: the gradient that is too long becomes longer still.",
                ),
                "scaled_where_short": (
                    lambda gradients, norm, limit: _each(gradients, lambda g: g if norm > limit else g * limit / norm),
                    "The condition is turned round: the short gradient is scaled, and the long one stays as it is.",
                ),
                "never_scaled": (
                    lambda gradients: _each(gradients, lambda g: g),
                    "The gradient comes back as it was, also where its norm is larger than the limit.",
                ),
            },
        ),
        Step(
            "by_value",
            lambda gradients, limit: _each(gradients, lambda g: np.clip(g, -limit, limit)),
            mistakes={
                "norm_where_value_is_meant": (
                    lambda by_norm: by_norm,
                    "This is clipped by the norm a second time. By value, every entry is looked at by itself.",
                ),
                "only_from_above": (
                    lambda gradients, limit: _each(gradients, lambda g: np.minimum(g, limit)),
                    "Large negative entries are left as they are. An entry may be as large as the limit on either "
                    "side.",
                ),
                "sign_lost": (
                    lambda gradients, limit: _each(gradients, lambda g: np.minimum(np.abs(g), limit)),
                    "The entries have lost their signs. Clipping moves an entry towards zero and never across it.",
                ),
                "large_entries_zeroed": (
                    lambda gradients, limit: _each(gradients, lambda g: np.where(np.abs(g) > limit, 0.0, g)),
                    "Entries beyond the limit become zero. They should be moved to the limit.",
                ),
                "all_to_the_limit": (
                    lambda gradients, limit: _each(gradients, lambda g: np.sign(g) * limit),
                    "Every entry is moved to the limit, the small ones too. Only what is beyond it is moved.",
                ),
                "scaled_by_largest_entry": (
                    lambda gradients, limit: _each(
                        gradients,
                        lambda g: g * min(1.0, limit / max(np.max(np.abs(other)) for other in gradients)),
                    ),
                    "Everything is scaled until the largest entry fits. By value, an entry within the limit stays as "
                    "it is.",
                ),
            },
        ),
    ),
    hints=(
        "By norm: one number for the whole gradient decides. By value: every entry decides for itself. Which of the "
        "two keeps the direction?",
        "The norm is the root of the sum of all squares in all arrays. Where it exceeds the limit, multiply "
        "everything by limit / norm. By value, entries beyond ±limit are moved to ±limit.",
        "`norm = np.sqrt(sum(np.sum(g**2) for g in gradients))`, the factor is `min(1, limit / norm)`, and the other "
        "one is `np.clip(g, -limit, limit)` for every `g`.",
    ),
    objective="Clip gradients by norm and by value",
    difficulty=2,
    minutes=5,
)

EXERCISES = [
    _ONE_STEP,
    _UNROLLED_SHAPES,
    _TWO_PATHS,
    _STEP_BACK,
    _LOOP_ORDER,
    _BPTT,
    _MEND_THE_BATCH,
    _NORM_PREDICTION,
    _GRADIENT_NORMS,
    _TRUNCATED,
    _CLIP,
]
