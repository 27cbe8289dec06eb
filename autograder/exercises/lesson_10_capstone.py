"""Lesson 10: a deep network from a blank page, and a laboratory of networks that learn with wrong gradients.

The network: Z_k = A_(k−1) W_kᵀ + b_k for the layers k = 1 … K, A_0 = X, A_k = relu(Z_k) in the hidden layers,
P = softmax(Z_K), and the loss

    L = −1/n Σ_samples Σ_classes Y log P + λ/2 Σ_k Σ W_k²

(Bishop, Pattern Recognition and Machine Learning, 2006, §5.2 and §5.3; Goodfellow, Bengio, Courville, Deep Learning,
2016, chapter 6; the variance of the first weights: He, Zhang, Ren, Sun, ICCV 2015, doi 10.1109/ICCV.2015.123).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from autograder.exercises.drawing import Draw
from autograder.exercises.kinds import (
    Class,
    Derivation,
    Fix,
    Line,
    Method,
    Question,
    Shapes,
    fields,
    log,
    order,
    prediction,
    shape,
)
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Environment, Exercise, Step
from chainrule_lib.activations import relu, sigmoid, softmax
from chainrule_lib.losses import categorical_cross_entropy_from_logits

WITHHELD = (
    *AUTODIFF,
    "chainrule_lib.network",
    "chainrule_lib.losses.categorical_cross_entropy_gradient",
    "chainrule_lib.losses.categorical_cross_entropy_from_logits_gradient",
)
"""``chainrule_lib.lab`` stays: the last exercise looks into its networks. They have tanh where ReLU is asked for."""

# --- The network, as formulas use it ----------------------------------------------------------------------------------


def _pairs(*lists: Any) -> Any:
    return zip(*lists, strict=True)


def _forward(X: Any, weights: Any, biases: Any, activation: Any = relu) -> list[Any]:
    """The input of every layer."""
    found = [X]
    for W, b in _pairs(weights[:-1], biases[:-1]):
        found.append(activation(found[-1] @ W.T + b))
    return found


def _logits(X: Any, weights: Any, biases: Any) -> Any:
    return _forward(X, weights, biases)[-1] @ weights[-1].T + biases[-1]


def _loss(X: Any, Y: Any, weights: Any, biases: Any, strength: Any) -> Any:
    data = categorical_cross_entropy_from_logits(_logits(X, weights, biases), Y)
    return data + strength / 2 * sum(np.sum(W**2) for W in weights)


def _mask(A: Any) -> Any:
    """relu′ written with the activation: 1 where the unit passed its pre-activation on."""
    return (A > 0) * 1.0


def _deltas(error: Any, activations: Any, weights: Any, slope: Any = lambda A, dA: _mask(A)) -> list[Any]:
    """dL/dZ of every layer, from that of the last; ``slope`` gives relu′ from the activation and what comes back."""
    found = [error]
    for A, W in _pairs(activations[:0:-1], weights[:0:-1]):
        dA = found[0] @ W
        found.insert(0, dA * slope(A, dA))
    return found


def _last(array: Any) -> Any:
    """A batch in which every row but the last is zero."""
    kept = np.zeros_like(array)
    kept[-1] = array[-1]
    return kept


# --- What is drawn ----------------------------------------------------------------------------------------------------


def _labels(draw: Draw, n: int, classes: int) -> Any:
    """One-hot labels, not all the same."""
    labels = (np.arange(n) + draw.integer(0, classes - 1)) % classes
    return np.eye(classes)[draw.rng.permutation(labels)]


def _network(draw: Draw) -> Environment:
    """A network of three or four layers with its samples: more samples than units, so that few units sleep in all."""
    sizes = draw.sizes(draw.integer(5, 6))
    n = max(sizes)
    sizes.remove(n)
    pairs = list(itertools.pairwise(sizes))
    return {
        "X": draw.normal(n, sizes[0]),
        "Y": _labels(draw, n, sizes[-1]),
        "weights": [draw.weights(d_out, d_in) for d_in, d_out in pairs],
        # Positive, so that few hidden units are off for all samples: those would hide what is wrong below them.
        "biases": [np.abs(draw.nonzero(d_out)) for _, d_out in pairs],
    }


def _after_forward(draw: Draw) -> Environment:
    case = _network(draw)
    return case | {
        "activations": _forward(case["X"], case["weights"], case["biases"]),
        "logits": _logits(case["X"], case["weights"], case["biases"]),
        "strength": draw.uniform(0.1, 0.4),
    }


# --- Explanations that serve in more than one exercise ----------------------------------------------------------------

_WRONG_SIGN = (
    "The sign is turned round. Where the network gives a class more than it should, raising that logit raises the "
    "loss: the entry is positive. Which of the two is subtracted from which?"
)
_NO_LABEL = (
    "The label is missing: this would push every probability down, also that of the right class. In its place the "
    "gradient must be negative, for there a larger logit lowers the loss."
)
_DIAGONAL = (
    "Only the path through a class's own probability is counted. Every logit is in the denominator of every "
    "probability, so it reaches the loss through all of them. A sign of it: each row of dZ has to add up to 0, and "
    "these do not."
)
_FORGOT_MEAN = "The loss is a mean over the samples, and its 1/n stays when it is differentiated. It is missing here."
_OVER_CLASSES = "The mean is over the samples, the rows. Here it is divided by the number of classes, the columns."
_OVER_ENTRIES = (
    "The loss is a mean over the samples and a sum over the classes. Here it is divided by the number of all entries."
)
_NO_MASK = (
    "ReLU is missing on the way back. Where its pre-activation was negative, the unit passed on a constant 0, whatever "
    "came in; so nothing may come back through it."
)
_UPSTREAM_MASK = (
    "The mask is taken from the sign of the gradient that comes back. ReLU does not look at gradients: what counts is "
    "the sign that the pre-activation had on the way forward."
)
_DECAY_MISSING = (
    "The penalty depends on the weights, so it has a gradient too. It is missing here: a gradient check of the whole "
    "loss would show it in every weight matrix and in no bias."
)
_DECAY_DOUBLED = "The penalty carries a ½, which cancels the 2 that the square brings down. Here the 2 is still there."
_DECAY_MEAN = (
    "The penalty is divided by the number of samples here. It is no mean over anything: it has nothing to do with the "
    "batch."
)
_DECAY_BIAS = "Look at the penalty once more: which parameters occur in it? The biases are not among them."
_BIAS_MEAN = (
    "The mean over the batch is taken twice here: the 1/n of the loss is already in dZ, and everything after it "
    "inherits it. How do the contributions of the rows come together then?"
)
_BIAS_NOT_SUMMED = (
    "One bias serves the whole batch, so its gradient collects the contributions of all rows. Here there is still one "
    "row per sample."
)
_LAST_SAMPLE = (
    "Only the last sample of the batch arrives in this gradient. Is something assigned in a loop where it should be "
    "added?"
)
_TRANSPOSED = (
    "A gradient has the shape of what it belongs to, here (d_out, d_in). Rows and columns are exchanged: which index "
    "counts the units of the layer, and which one its inputs?"
)
_UPHILL = "This walks uphill: the gradient points to where the loss grows, so it has to be subtracted."

# --- 1: softmax and cross-entropy on paper ----------------------------------------------------------------------------

_SOFTMAX_LINES = Exercise(
    id="10.softmax_lines",
    title="Softmax and cross-entropy, line by line",
    points=3,
    function="softmax_lines",
    inputs=("p1", "y1"),
    returns=("dL_dp2", "dp1_dz1", "dp2_dz1", "dL_dz1", "dL_dz2"),
    draw=lambda draw: {"p1": draw.uniform(0.15, 0.85, 12), "y1": draw.uniform(0.15, 0.85, 12)},
    kind=Derivation(),
    steps=(
        Step("p2", lambda p1: 1 - p1, share=0),
        Step("y2", lambda y1: 1 - y1, share=0),
        Step("dL_dp1", lambda y1, p1: -y1 / p1, share=0),
        Step(
            "dL_dp2",
            lambda y2, p2: -y2 / p2,
            share=0.5,
            mistakes={
                "log_without_its_sign": (
                    lambda y2, p2: y2 / p2,
                    "The loss is minus a logarithm: it falls when the probability of a class that is wanted rises. So "
                    "this derivative cannot be positive.",
                ),
                "log_not_differentiated": (
                    lambda y2, p2: -y2 * log(p2),
                    "This is the term of the loss itself. Its derivative with respect to p2 has no logarithm.",
                ),
                "target_left_out": (
                    lambda p2: -1 / p2,
                    "The target is missing. A class that is not wanted at all has no term in the loss, hence no slope.",
                ),
                "binary_formula": (
                    lambda p2, y2: (p2 - y2) / (p2 * (1 - p2)),
                    "That is the binary cross-entropy of lesson 04, whose two terms belong to one and the same output. "
                    "Here each class has a single term, −y log p, and p1 and p2 are two variables.",
                ),
            },
        ),
        Step(
            "dp1_dz1",
            lambda p1: p1 * (1 - p1),
            mistakes={
                "numerator_only": (
                    lambda p1: p1,
                    "Only the numerator has been differentiated. z1 also stands in the denominator, where a larger z1 "
                    "makes the fraction smaller.",
                ),
                "denominator_only": (
                    lambda p1: -(p1**2),
                    "Only the denominator has been differentiated. z1 stands in the numerator too: a quotient has two "
                    "terms.",
                ),
                "half_of_the_product": (
                    lambda p1: 1 - p1,
                    "Half of it is there. The slope has to vanish where p1 is 0 just as where it is 1.",
                ),
                "own_sign": (
                    lambda p1: -p1 * (1 - p1),
                    "The sign is turned round: raising its own logit raises the probability of a class.",
                ),
            },
        ),
        Step(
            "dp2_dz1",
            lambda p1, p2: -p1 * p2,
            mistakes={
                "classes_independent": (
                    lambda p1: 0 * p1,
                    "p2 does depend on z1: it is in the denominator. The probabilities add up to 1, so when one grows, "
                    "the others shrink.",
                ),
                "cross_sign": (
                    lambda p1, p2: p1 * p2,
                    "The sign is turned round, or the formula of p2's own logit has been used: raising z1 takes "
                    "probability away from class 2.",
                ),
                "cross_without_own": (
                    lambda p2: -p2,
                    "One factor is missing. The denominator changes with z1 at the rate e^(z1); divided by the "
                    "denominator, that is p1.",
                ),
                "cross_squared": (
                    lambda p2: -(p2**2),
                    "z1 changes the denominator at the rate e^(z1), not e^(z2).",
                ),
            },
        ),
        Step(
            "dL_dz1",
            lambda dL_dp1, dp1_dz1, dL_dp2, dp2_dz1: dL_dp1 * dp1_dz1 + dL_dp2 * dp2_dz1,
            mistakes={
                "only_own_path": (
                    lambda dL_dp1, dp1_dz1: dL_dp1 * dp1_dz1,
                    "z1 reaches the loss along two paths, through p1 and through p2. Only the first is counted here.",
                ),
                "only_other_path": (
                    lambda dL_dp2, dp2_dz1: dL_dp2 * dp2_dz1,
                    "z1 reaches the loss along two paths, through p1 and through p2. Only the second is counted here.",
                ),
                "paths_multiplied": (
                    lambda dL_dp1, dp1_dz1, dL_dp2, dp2_dz1: dL_dp1 * dp1_dz1 * dL_dp2 * dp2_dz1,
                    "The two paths have been multiplied. Along a path, multiply; over several paths, add.",
                ),
                "paths_subtracted": (
                    lambda dL_dp1, dp1_dz1, dL_dp2, dp2_dz1: dL_dp1 * dp1_dz1 - dL_dp2 * dp2_dz1,
                    "The second path has been subtracted. Its sign is already in its factors; paths add up.",
                ),
            },
        ),
        Step(
            "dL_dz2",
            lambda dL_dz1: -dL_dz1,
            mistakes={
                "both_the_same": (
                    lambda dL_dz1: dL_dz1,
                    "Raise both logits by the same amount: no probability changes, so neither does the loss. What does "
                    "that say about the sum of the two derivatives?",
                ),
                "adds_up_to_one": (
                    lambda dL_dz1: 1 - dL_dz1,
                    "Probabilities add up to 1, and so do targets. These are differences of the two: what do they add "
                    "up to?",
                ),
            },
        ),
    ),
    hints=(
        "Two classes, so two paths from z1 to the loss: z1 → p1 → L and z1 → p2 → L. What are their local derivatives?",
        "p1 = e^z1 / (e^z1 + e^z2) is a quotient: dp1/dz1 = p1 − p1². In p2 only the denominator contains z1. Then: "
        "along a path multiply, over both paths add.",
        "`dL_dp2 = -y2 / p2`, `dp1_dz1 = p1 * (1 - p1)`, `dp2_dz1 = -p1 * p2`, `dL_dz1 = dL_dp1 * dp1_dz1 + dL_dp2 * "
        "dp2_dz1`, and the two derivatives with respect to logits add up to 0.",
    ),
    objective="Derive the gradient of softmax with cross-entropy, path by path",
    difficulty=1,
    minutes=6,
)

# --- 2: softmax and cross-entropy for a batch -------------------------------------------------------------------------


def _labelled_logits(draw: Draw) -> Environment:
    n, c = draw.sizes(2)
    return {"Z": draw.normal(n, c), "Y": _labels(draw, n, c)}


_OUTPUT_ERROR = Exercise(
    id="10.output_error",
    title="Where the backward pass starts",
    points=3,
    function="output_error",
    inputs=("Z", "Y"),
    returns=("dZ",),
    draw=_labelled_logits,
    loss=categorical_cross_entropy_from_logits,
    steps=(
        Step(
            "P",
            lambda Z: softmax(Z),
            mistakes={
                "softmax_over_samples": (
                    lambda Z: softmax(Z.T).T,
                    "Each sample has its own probabilities, which add up to 1 along its row. Here the columns add up "
                    "to 1: the softmax ran over the samples.",
                ),
                "softmax_over_everything": (
                    lambda Z: softmax(Z.ravel()).reshape(Z.shape),
                    "The denominator is a sum over the whole batch. Each sample has its own: sum along a row only.",
                ),
                "sigmoid_for_softmax": (
                    lambda Z: sigmoid(Z),
                    "σ makes a probability of each logit by itself, and they need not add up to 1. Classes that "
                    "exclude one another need the softmax.",
                ),
                "logits_for_probabilities": (
                    lambda Z: Z,
                    "Z holds logits, any numbers. The softmax makes probabilities of them; the loss is about those.",
                ),
            },
        ),
        Step(
            "error",
            lambda P, Y: P - Y,
            mistakes={
                "error_sign": (lambda P, Y: Y - P, _WRONG_SIGN),
                "no_label": (lambda P: P, _NO_LABEL),
                "only_the_diagonal": (lambda P, Y: -Y * (1 - P), _DIAGONAL),
                "slope_does_not_cancel": (
                    lambda P, Y: (P - Y) * P * (1 - P),
                    "There is one factor too many. The slope of the softmax has been used up: it cancelled the 1/p of "
                    "the logarithm.",
                ),
                "stopped_at_the_probabilities": (
                    lambda P, Y: -Y / P,
                    "This is the derivative with respect to the probabilities. One more link, the softmax, leads from "
                    "there to the logits.",
                ),
                "squared_by_habit": (
                    lambda P, Y: 2 * (P - Y),
                    "There is an extra 2, as from a squared error without its ½. The cross-entropy has no square.",
                ),
            },
        ),
        Step(
            "dZ",
            lambda error: error / len(error),
            mistakes={
                "forgot_mean": (lambda error: error, _FORGOT_MEAN),
                "mean_over_classes": (lambda error: error / error.shape[1], _OVER_CLASSES),
                "mean_over_entries": (lambda error: error / error.size, _OVER_ENTRIES),
                "mean_twice": (
                    lambda error: error / len(error) ** 2,
                    "The mean over the samples has been taken twice.",
                ),
                "only_last_sample": (lambda error: _last(error) / len(error), _LAST_SAMPLE),
            },
        ),
    ),
    hints=(
        "Exercise 1 gave the result for two classes and one sample. What is it for class k, and where does the batch "
        "come in?",
        "∂L/∂Z = (P − Y) / n, with the softmax along each row. For its exponentials: subtracting a row's largest entry "
        "first changes no quotient and prevents overflow.",
        "`from chainrule_lib import softmax` is allowed; it works along rows. Return `(softmax(Z) - Y) / len(Z)`.",
    ),
    objective="Write the gradient of softmax with cross-entropy for a batch",
    difficulty=2,
    minutes=5,
)

# --- 3: shapes --------------------------------------------------------------------------------------------------------


def _five_sizes(draw: Draw) -> Environment:
    n, d, h1, h2, c = draw.sizes(5)
    return {"n": n, "d": d, "h1": h1, "h2": h2, "c": c}


_W_TRANSPOSED = (
    "In this course the weights of a layer have a row for every unit of the layer and a column for each of its inputs: "
    "(d_out, d_in)."
)
_ONE_BIAS_A_ROW = (
    "A bias belongs to a unit, not to a sample: there is one for each unit, and NumPy adds it to every row."
)

_DEEP_SHAPES = Exercise(
    id="10.deep_shapes",
    title="The shapes of a deep network",
    points=2,
    function="deep_shapes",
    inputs=("n", "d", "h1", "h2", "c"),
    returns=("W2", "b2", "A1", "P", "L", "dZ2", "dW2", "db2", "dA1"),
    draw=_five_sizes,
    kind=Shapes(),
    steps=(
        Step(
            "W2",
            lambda h1, h2: shape(h2, h1),
            mistakes={
                "W2_inputs_first": (lambda h1, h2: shape(h1, h2), _W_TRANSPOSED),
                "W2_per_sample": (
                    lambda n, h2: shape(n, h2),
                    "Weights know nothing of the batch: all samples share them. No n in their shape.",
                ),
                "W2_one_layer_on": (
                    lambda h2, c: shape(c, h2),
                    "That is the shape of W3. The second layer leads from h1 numbers to h2.",
                ),
                "W2_from_the_input": (
                    lambda d, h2: shape(h2, d),
                    "The second layer does not see the input: it is given the h1 activations of the first.",
                ),
            },
        ),
        Step(
            "b2",
            lambda h2: shape(h2),
            mistakes={
                "b2_per_sample": (lambda n, h2: shape(n, h2), _ONE_BIAS_A_ROW),
                "b2_per_input": (
                    lambda h1: shape(h1),
                    "The bias is added to what the layer gives, h2 numbers, not to what it is given.",
                ),
            },
        ),
        Step(
            "A1",
            lambda n, h1: shape(n, h1),
            mistakes={
                "A1_in_columns": (
                    lambda n, h1: shape(h1, n),
                    "Samples are rows all the way through the network: the first axis is n.",
                ),
                "A1_of_the_input": (lambda n, d: shape(n, d), "That is A0, the input. A1 is what layer 1 makes of it."),
                "A1_without_samples": (
                    lambda h1: shape(h1),
                    "That is one sample's. A batch has a row for each of its n samples.",
                ),
            },
        ),
        Step(
            "P",
            lambda n, c: shape(n, c),
            mistakes={
                "P_one_number_a_sample": (
                    lambda n: shape(n),
                    "The softmax gives every sample a probability for each of the c classes, not one number.",
                ),
                "P_over_hidden": (
                    lambda n, h2: shape(n, h2),
                    "The probabilities are for the classes. There is one more layer after the h2 hidden units.",
                ),
            },
        ),
        Step(
            "L",
            lambda: shape(),
            mistakes={
                "L_per_sample": (
                    lambda n: shape(n),
                    "The loss is the mean over the samples: a single number, whose shape is (). Only of one number can "
                    "every parameter have a gradient of its own shape.",
                ),
                "L_per_entry": (
                    lambda n, c: shape(n, c),
                    "The loss is summed over the classes and averaged over the samples: a single number, with shape "
                    "().",
                ),
            },
        ),
        Step(
            "dZ2",
            lambda n, h2: shape(n, h2),
            mistakes={
                "dZ2_of_the_output": (lambda n, c: shape(n, c), "That is the shape of dZ3, one layer further on."),
                "dZ2_summed": (
                    lambda h2: shape(h2),
                    "Each sample has a pre-activation of its own, so the gradient has a row for each: dZ2 has the "
                    "shape of Z2. The sum over the rows is db2.",
                ),
                "dZ2_in_columns": (
                    lambda n, h2: shape(h2, n),
                    "A gradient has the shape of what it belongs to, and in Z2 samples are rows.",
                ),
            },
        ),
        Step(
            "dW2",
            lambda h1, h2: shape(h2, h1),
            mistakes={
                "dW2_transposed": (lambda h1, h2: shape(h1, h2), _TRANSPOSED),
                "dW2_per_sample": (
                    lambda n, h1, h2: shape(n, h2, h1),
                    "All samples share W2, so their contributions are added up. What is left has the shape of W2.",
                ),
            },
        ),
        Step(
            "db2",
            lambda h2: shape(h2),
            mistakes={
                "db2_per_sample": (lambda n, h2: shape(n, h2), _BIAS_NOT_SUMMED),
                "db2_wrong_axis": (
                    lambda n: shape(n),
                    "The sum ran over the units. There is one bias for each of the h2 units: sum over the samples.",
                ),
            },
        ),
        Step(
            "dA1",
            lambda n, h1: shape(n, h1),
            mistakes={
                "dA1_like_dZ2": (
                    lambda n, h2: shape(n, h2),
                    "That is the shape of what comes in from above. W2 turns h2 numbers a row into h1.",
                ),
                "dA1_in_columns": (
                    lambda n, h1: shape(h1, n),
                    "A gradient has the shape of what it belongs to, and in A1 samples are rows.",
                ),
            },
        ),
    ),
    hints=(
        "A batch of n samples has a row for each, in every layer. Which arrays belong to samples, and which are shared "
        "by all of them?",
        "Weights are (d_out, d_in), biases (d_out,), everything with samples (n, units). A gradient has the shape of "
        "what it belongs to. A single number has shape ().",
        "`W2` is `(h2, h1)`, `b2` is `(h2,)`, `A1` is `(n, h1)`, `P` is `(n, c)`, `L` is `()`; the rest follows with "
        "the rule about gradients.",
    ),
    objective="Know the shape of every array of a deep network before it is computed",
    difficulty=1,
    minutes=4,
)

# --- 4 and 5: the first weights ---------------------------------------------------------------------------------------


def _normals(draw: Draw) -> Environment:
    sizes = draw.sizes(draw.integer(4, 5))
    return {"normals": [draw.normal(d_out, d_in) for d_in, d_out in itertools.pairwise(sizes)]}


_SAME_FOR_ALL = (
    "All weights are the same. Then all units of a layer compute the same, get the same gradient, and stay the same "
    "for ever: the layer is as good as one unit."
)

_INITIALIZE = Exercise(
    id="10.initialize",
    title="The first weights",
    points=3,
    function="initialize",
    inputs=("normals",),
    returns=("weights", "biases"),
    draw=_normals,
    steps=(
        Step(
            "weights",
            lambda normals: [N * np.sqrt(2 / N.shape[1]) for N in normals],
            share=2,
            mistakes={
                "scaled_by_outputs": (
                    lambda normals: [N * np.sqrt(2 / N.shape[0]) for N in normals],
                    "The number of units of the layer was used. A pre-activation is a sum over the layer's inputs; it "
                    "is their number that makes it large.",
                ),
                "variance_as_spread": (
                    lambda normals: [N * 2 / N.shape[1] for N in normals],
                    "2/d_in is the variance that is wanted. Multiplying by a number multiplies the variance by its "
                    "square.",
                ),
                "forgot_the_two": (
                    lambda normals: [N / np.sqrt(N.shape[1]) for N in normals],
                    "That keeps the size of pre-activations where nothing is cut off. ReLU throws half of the mean "
                    "square away in every layer, and the 2 makes up for it.",
                ),
                "inverted_scale": (
                    lambda normals: [N * np.sqrt(N.shape[1] / 2) for N in normals],
                    "The factor is upside down: the more inputs are added up, the smaller each weight has to be.",
                ),
                "not_scaled": (
                    lambda normals: list(normals),
                    "Weights of spread 1 make every pre-activation about √d_in times as large as the inputs, and that "
                    "in every layer again.",
                ),
                "scaled_by_both": (
                    lambda normals: [N * np.sqrt(2 / sum(N.shape)) for N in normals],
                    "That is Glorot and Bengio's compromise between inputs and outputs, made for tanh. For ReLU this "
                    "lesson takes He's: 2/d_in.",
                ),
                "one_scale_for_all": (
                    lambda normals: [N * np.sqrt(2 / normals[0].shape[1]) for N in normals],
                    "Every layer is scaled with the number of inputs of the first one. Each has its own d_in.",
                ),
                "all_zero": (
                    lambda normals: [np.zeros_like(N) for N in normals],
                    "All weights are zero. Then no gradient reaches a hidden layer, and the output layer is given "
                    "nothing but zeros: only the last bias can learn.",
                ),
                "all_equal": (
                    lambda normals: [np.full_like(N, np.sqrt(2 / N.shape[1])) for N in normals],
                    _SAME_FOR_ALL,
                ),
                "weights_transposed": (
                    lambda normals: [N.T * np.sqrt(2 / N.shape[1]) for N in normals],
                    "Rows and columns are exchanged. Weights have shape (d_out, d_in), as the normals have already.",
                ),
            },
        ),
        Step(
            "biases",
            lambda normals: [np.zeros(len(N)) for N in normals],
            share=1,
            mistakes={
                "biases_one": (
                    lambda normals: [np.ones(len(N)) for N in normals],
                    "The biases are 1 here. They are to start at 0: the random weights already tell the units apart.",
                ),
                "biases_per_input": (
                    lambda normals: [np.zeros(N.shape[1]) for N in normals],
                    "There is a bias for each unit of a layer, not for each of its inputs.",
                ),
                "biases_as_rows": (
                    lambda normals: [np.zeros_like(N) for N in normals],
                    "A bias is one number for a unit, (d_out,); here each layer has a whole matrix of them.",
                ),
            },
        ),
    ),
    hints=(
        "A pre-activation is a sum of d_in products. By which factor does the spread of a sum of d_in independent "
        "terms exceed that of one?",
        "Multiplying by s multiplies the variance by s². The variance is to become 2/d_in, and d_in is the number of "
        "columns. A bias for each row starts at 0.",
        "`weights = [N * np.sqrt(2 / N.shape[1]) for N in normals]` and `biases = [np.zeros(len(N)) for N in "
        "normals]`.",
    ),
    objective="Draw first weights that neither blow up nor fade out in a deep network",
    difficulty=2,
    minutes=5,
)

_EQUAL_WEIGHTS = prediction(
    "10.equal_weights",
    title="Zero and equal weights",
    points=2,
    function="equal_weights",
    questions=(
        Question(
            "zeros",
            "All weights and all biases start at **0**, the hidden layers have ReLU. Which gradients of the first step "
            "are not zero?",
            options={
                "a": "none of them",
                "b": "only that of the last layer's bias",
                "c": "those of all biases",
                "d": "those of the last layer's weights and bias",
                "e": "all of them",
            },
            right="b",
            wrong={
                "a": (
                    "nothing_moves",
                    "The softmax gives all ten digits 0.1, and the labels are no such thing: P − Y is not zero. Which "
                    "parameter does it reach without passing a weight or an activation?",
                ),
                "c": (
                    "biases_reached_through_zero",
                    "On its way to a hidden bias the gradient passes the weights of the layer above. What does a "
                    "product with zero give?",
                ),
                "d": (
                    "last_weights_move",
                    "The gradient of a weight carries what the weight multiplies. What do hidden units with weights "
                    "and biases 0 pass on?",
                ),
                "e": (
                    "everything_moves",
                    "Along a path, multiply: one zero makes the product zero. Which paths have no weight and no hidden "
                    "activation on them?",
                ),
            },
        ),
        Question(
            "rows",
            "All weights start at the same number, **0.1**, all biases at 0, and the network is trained for 100 steps. "
            "How many *different* rows does $W_1$, with its 64 hidden units, then have?",
            options={
                "a": "64: the batches are random, which drives the rows apart",
                "b": "10: one for each digit",
                "c": "2: those of units that are on and of units that are off",
                "d": "1: all rows are still the same",
            },
            right="d",
            wrong={
                "a": (
                    "chance_of_the_batches",
                    "The batches are random, but every unit sees the same batch. Is there anything by which two units "
                    "with equal weights could be told apart?",
                ),
                "b": (
                    "one_for_each_class",
                    "The rows of the last layer do become different, one for each digit. But each hidden unit reaches "
                    "all ten outputs with the same weights as its neighbour, so what comes back to them is the same.",
                ),
                "c": (
                    "on_and_off",
                    "Units with equal weights have equal pre-activations: for every sample they are on together or off "
                    "together.",
                ),
            },
        ),
    ),
    hints=(
        "Compare two units of the same hidden layer: what goes into them, what comes out, what comes back?",
        "Units with equal weights in and equal weights out compute the same and get the same gradient. And along a "
        "path, one factor 0 is enough to make the product 0.",
        "With zeros, every path but the one to the last bias has a zero on it: choose b. With equal weights, nothing "
        "ever tells the units apart: choose d.",
    ),
    objective="Explain why a network does not start from zero or from equal weights",
    difficulty=2,
    minutes=4,
)

# --- 6: the forward pass ----------------------------------------------------------------------------------------------


def _walk(X: Any, weights: Any, biases: Any) -> list[Any]:
    """The pre-activations of the hidden layers, kept in the place of the activations."""
    found, A = [X], X
    for W, b in _pairs(weights[:-1], biases[:-1]):
        found.append(A @ W.T + b)
        A = relu(found[-1])
    return found


def _last_hidden_linear(X: Any, weights: Any, biases: Any) -> list[Any]:
    found = _forward(X, weights, biases)
    return [*found[:-1], found[-2] @ weights[-2].T + biases[-2]]


_FORWARD = Exercise(
    id="10.forward",
    title="The forward pass, with what the backward pass needs",
    points=3,
    function="forward",
    inputs=("X", "weights", "biases"),
    returns=("activations", "logits"),
    draw=_network,
    steps=(
        Step(
            "activations",
            lambda X, weights, biases: _forward(X, weights, biases),
            share=2,
            mistakes={
                "no_relu": (
                    lambda X, weights, biases: _forward(X, weights, biases, lambda Z: Z),
                    "The hidden layers have no activation function. Linear layers after one another are together no "
                    "more than a single linear layer, however many they are.",
                ),
                "last_hidden_linear": (
                    _last_hidden_linear,
                    "The last hidden layer has no ReLU. Only the output layer goes without: is the loop one layer "
                    "short?",
                ),
                "kept_before_relu": (
                    _walk,
                    "The pre-activations were kept, from before the ReLU. A layer's input is what the layer before "
                    "passes on; that is what its weights multiply.",
                ),
                "sigmoid_in_hidden": (
                    lambda X, weights, biases: _forward(X, weights, biases, sigmoid),
                    "The hidden layers have σ here. This network has ReLU in them, which does not flatten out.",
                ),
                "absolute_value": (
                    lambda X, weights, biases: _forward(X, weights, biases, np.abs),
                    "Negative pre-activations are turned positive here. ReLU replaces them by 0.",
                ),
                "smaller_half": (
                    lambda X, weights, biases: _forward(X, weights, biases, lambda Z: Z - relu(Z)),
                    "The wrong half is kept: ReLU passes on what is positive, and 0 for what is negative.",
                ),
                "hidden_bias_left_out": (
                    lambda X, weights, biases: _forward(X, weights, [0 * b for b in biases]),
                    "The biases of the hidden layers are missing.",
                ),
                "hidden_bias_after_relu": (
                    lambda X, weights, biases: _biases_last(X, weights, biases),
                    "The bias was added after the ReLU. It is part of the pre-activation: it decides where the unit "
                    "switches on.",
                ),
            },
        ),
        Step(
            "logits",
            lambda activations, weights, biases: activations[-1] @ weights[-1].T + biases[-1],
            mistakes={
                "relu_on_the_output": (
                    lambda activations, weights, biases: relu(activations[-1] @ weights[-1].T + biases[-1]),
                    "The output layer has a ReLU. Logits must be able to be negative: otherwise the network could not "
                    "call a digit unlikely.",
                ),
                "softmax_on_the_output": (
                    lambda activations, weights, biases: softmax(activations[-1] @ weights[-1].T + biases[-1]),
                    "These are the probabilities. Asked for are the logits, from before the softmax, which belongs to "
                    "the loss here.",
                ),
                "output_bias_left_out": (
                    lambda activations, weights: activations[-1] @ weights[-1].T,
                    "The bias of the output layer is missing.",
                ),
                "output_not_transposed": (
                    lambda activations, weights, biases: activations[-1] @ weights[-1] + biases[-1],
                    "The weights of the output layer are not transposed. With samples in rows, each output is a row of "
                    "W times the sample's row.",
                ),
            },
        ),
    ),
    hints=(
        "A network is a loop: what one layer passes on is the next one's input. In which layer is something different?",
        "Start the list with X. In every layer but the last, append relu(A Wᵀ + b), where A is the last entry so far. "
        "The last layer gives the logits and is not appended.",
        "`activations = [X]`; `for W, b in zip(weights[:-1], biases[:-1]): activations.append(relu(activations[-1] @ "
        "W.T + b))`; `logits = activations[-1] @ weights[-1].T + biases[-1]`.",
    ),
    objective="Write a forward pass for any depth that keeps what the backward pass needs",
    difficulty=2,
    minutes=6,
)


def _biases_last(X: Any, weights: Any, biases: Any) -> list[Any]:
    found = [X]
    for W, b in _pairs(weights[:-1], biases[:-1]):
        found.append(relu(found[-1] @ W.T) + b)
    return found


# --- 7: repair a hidden layer -----------------------------------------------------------------------------------------


def _hidden_layer(draw: Draw) -> Environment:
    n, d, h, c = draw.sizes(4)
    X, W1, b1 = draw.normal(n, d), draw.weights(h, d), draw.nonzero(h)
    return {
        "X": X,
        "A1": relu(X @ W1.T + b1),
        "dZ2": draw.nonzero(n, c),
        "W1": W1,
        "W2": draw.weights(c, h),
        "b1": b1,
        "strength": draw.uniform(0.2, 0.8),
    }


_FIX_CODE = '''def hidden_gradients(X, A1, dZ2, W1, W2, strength):
    """Gradients of a hidden ReLU layer.

    X (n, d), A1 (n, h), dZ2 (n, c), W1 (h, d), W2 (c, h); returns dW1 (h, d), db1 (h,).
    """
    dA1 = dZ2 @ W2
    dZ1 = dA1 * (dA1 > 0)
    dW1 = dZ1.T @ X + strength * W1 / len(X)
    db1 = dZ1.mean(axis=0)
    return dW1, db1'''

_FIX_HIDDEN = Exercise(
    id="10.fix_hidden",
    title="Three mistakes in four lines",
    points=3,
    function="hidden_gradients",
    inputs=("X", "A1", "dZ2", "W1", "W2", "strength"),
    returns=("dW1", "db1"),
    draw=_hidden_layer,
    # Any loss with this dL/dZ2 has these gradients; the one that is linear in Z2 is the simplest.
    loss=lambda X, dZ2, W1, b1, W2, strength: np.sum(dZ2 * (relu(X @ W1.T + b1) @ W2.T)) + strength / 2 * np.sum(W1**2),
    amplify=("strength",),
    kind=Fix(planted=("mask_from_upstream", "decay_divided_by_batch", "bias_mean"), code=_FIX_CODE),
    steps=(
        Step(
            "dA1",
            lambda dZ2, W2: dZ2 @ W2,
            mistakes={
                "W2_transposed": (
                    lambda dZ2, W2: dZ2 @ W2.T,
                    "Samples are rows here: dA1 needs a column for every hidden unit, and W2 has one for each already.",
                ),
            },
        ),
        Step(
            "dZ1",
            lambda dA1, A1: dA1 * _mask(A1),
            mistakes={
                "mask_from_upstream": (lambda dA1: dA1 * _mask(dA1), _UPSTREAM_MASK),
                "no_mask": (lambda dA1: dA1, _NO_MASK),
                "mask_inverted": (
                    lambda dA1, A1: dA1 * (1 - _mask(A1)),
                    "The mask is the wrong way round: the gradient passes where the unit was on.",
                ),
                "activation_as_mask": (
                    lambda dA1, A1: dA1 * A1,
                    "The activation itself was multiplied in. The slope of ReLU is 1 where it is on, however large its "
                    "value is.",
                ),
                "sigmoid_slope": (
                    lambda dA1, A1: dA1 * A1 * (1 - A1),
                    "That is σ′, of lesson 05's networks. This layer has ReLU, whose slope is 0 or 1.",
                ),
            },
        ),
        Step("dW1_data", lambda dZ1, X: dZ1.T @ X, share=0),
        Step(
            "dW1",
            lambda dW1_data, W1, strength: dW1_data + strength * W1,
            mistakes={
                "decay_divided_by_batch": (
                    lambda dW1_data, W1, strength, X: dW1_data + strength * W1 / len(X),
                    _DECAY_MEAN,
                ),
                "decay_missing": (lambda dW1_data: dW1_data, _DECAY_MISSING),
                "decay_doubled": (lambda dW1_data, W1, strength: dW1_data + 2 * strength * W1, _DECAY_DOUBLED),
                "decay_subtracted": (
                    lambda dW1_data, W1, strength: dW1_data - strength * W1,
                    "The penalty is added to the loss, so its gradient is added to the gradient. The minus comes "
                    "later, with the step.",
                ),
                "decay_divided_by_units": (
                    lambda dW1_data, W1, strength: dW1_data + strength * W1 / len(W1),
                    "The penalty is a plain sum of squares. It is divided by the number of units here.",
                ),
            },
        ),
        Step(
            "db1",
            lambda dZ1: dZ1.sum(axis=0),
            mistakes={
                "bias_mean": (lambda dZ1: dZ1.mean(axis=0), _BIAS_MEAN),
                "bias_wrong_axis": (
                    lambda dZ1: dZ1.sum(axis=1),
                    "The sum ran over the units. There is one bias for each unit; it collects from all samples.",
                ),
                "bias_not_summed": (lambda dZ1: dZ1, _BIAS_NOT_SUMMED),
                "bias_from_dA1": (
                    lambda dA1: dA1.sum(axis=0),
                    "The bias is added before the ReLU, so its gradient starts at dZ1, not at dA1.",
                ),
                "bias_last_sample": (lambda dZ1: dZ1[-1], _LAST_SAMPLE),
            },
        ),
    ),
    hints=(
        "Say for every line what it should do, then what it does. Which lines contain something that is decided on the "
        "way forward? Which one contains a mean?",
        "ReLU's slope is 1 where the unit was on in the forward pass. The 1/n of the loss is already in dZ2. The "
        "penalty is no mean over the samples.",
        "`dZ1 = dA1 * (A1 > 0)`, `dW1 = dZ1.T @ X + strength * W1`, `db1 = dZ1.sum(axis=0)`.",
    ),
    objective="Find and repair mistakes in somebody else's backward pass",
    difficulty=2,
    minutes=7,
)

# --- 8: the backward pass ---------------------------------------------------------------------------------------------


def _weight_gradients(deltas: Any, activations: Any) -> list[Any]:
    return [dZ.T @ A for dZ, A in _pairs(deltas, activations)]


_BACKWARD = Exercise(
    id="10.backward",
    title="The backward pass of a deep network",
    points=6,
    function="backward",
    inputs=("activations", "logits", "Y", "weights", "strength"),
    returns=("dWs", "dbs"),
    draw=_after_forward,
    loss=_loss,
    wrt={"dWs": "weights", "dbs": "biases"},
    amplify=("strength",),
    steps=(
        Step(
            "P",
            lambda logits: softmax(logits),
            share=0.5,
            mistakes={
                "softmax_over_samples": (
                    lambda logits: softmax(logits.T).T,
                    "Each sample has its own probabilities, which add up to 1 along its row. Here the columns do.",
                ),
                "softmax_left_out": (
                    lambda logits: logits,
                    "The logits are no probabilities yet: the softmax is missing in front of the comparison with Y.",
                ),
            },
        ),
        Step(
            "error",
            lambda P, Y: (P - Y) / len(Y),
            mistakes={
                "error_sign": (lambda P, Y: (Y - P) / len(Y), _WRONG_SIGN),
                "no_label": (lambda P, Y: P / len(Y), _NO_LABEL),
                "only_the_diagonal": (lambda P, Y: -Y * (1 - P) / len(Y), _DIAGONAL),
                "slope_does_not_cancel": (
                    lambda P, Y: (P - Y) * P * (1 - P) / len(Y),
                    "There is one factor too many. The slope of the softmax has been used up: it cancelled the 1/p of "
                    "the logarithm.",
                ),
                "forgot_mean": (lambda P, Y: P - Y, _FORGOT_MEAN),
                "mean_over_classes": (lambda P, Y: (P - Y) / Y.shape[1], _OVER_CLASSES),
                "mean_over_entries": (lambda P, Y: (P - Y) / Y.size, _OVER_ENTRIES),
                "only_last_sample": (lambda P, Y: _last(P - Y) / len(Y), _LAST_SAMPLE),
            },
        ),
        Step(
            "deltas",
            lambda error, activations, weights: _deltas(error, activations, weights),
            share=1.5,
            mistakes={
                "no_masks": (
                    lambda error, activations, weights: _deltas(error, activations, weights, lambda A, dA: 1.0),
                    _NO_MASK,
                ),
                "masks_from_upstream": (
                    lambda error, activations, weights: _deltas(error, activations, weights, lambda A, dA: _mask(dA)),
                    _UPSTREAM_MASK,
                ),
                "masks_inverted": (
                    lambda error, activations, weights: _deltas(
                        error, activations, weights, lambda A, dA: 1 - _mask(A)
                    ),
                    "The masks are the wrong way round: the gradient passes where the unit was on.",
                ),
                "activations_as_masks": (
                    lambda error, activations, weights: _deltas(error, activations, weights, lambda A, dA: A),
                    "The activations themselves were multiplied in. The slope of ReLU is 1 where it is on, however "
                    "large its value is.",
                ),
                "sigmoid_slopes": (
                    lambda error, activations, weights: _deltas(error, activations, weights, lambda A, dA: A * (1 - A)),
                    "A (1 − A) is σ′, of lesson 05's networks. These layers have ReLU, whose slope is 0 or 1.",
                ),
                "weights_transposed_on_the_way_back": (
                    lambda error, activations, weights: _deltas(error, activations, [W.T for W in weights]),
                    "Samples are rows here: what goes back needs a column for each unit of the layer below, and W has "
                    "one for each already.",
                ),
                "updated_before_sent_back": (
                    lambda error, activations, weights: _deltas_through_updated(error, activations, weights),
                    "All gradients belong to one point. The weights seem to have been updated before the gradient was "
                    "sent back through them.",
                ),
                "mask_missing_in_the_first_layer": (
                    lambda error, activations, weights: _deltas_first_unmasked(error, activations, weights),
                    "The gradient that reaches the first layer has not passed its ReLU; that of the others has. Does "
                    "the loop stop one step too early?",
                ),
            },
        ),
        Step(
            "data",
            lambda deltas, activations: _weight_gradients(deltas, activations),
            mistakes={
                "dWs_transposed": (
                    lambda deltas, activations: [dW.T for dW in _weight_gradients(deltas, activations)],
                    _TRANSPOSED,
                ),
                "dWs_mean_twice": (
                    lambda deltas, activations: [dW / len(deltas[0]) for dW in _weight_gradients(deltas, activations)],
                    "The gradients of the weights are divided by the number of samples once too often: the 1/n is "
                    "already in the error at the output.",
                ),
                "dWs_last_sample": (
                    lambda deltas, activations: _weight_gradients([_last(dZ) for dZ in deltas], activations),
                    _LAST_SAMPLE,
                ),
            },
        ),
        Step(
            "dWs",
            lambda data, weights, strength: [dW + strength * W for dW, W in _pairs(data, weights)],
            mistakes={
                "decay_missing": (lambda data: list(data), _DECAY_MISSING),
                "decay_doubled": (
                    lambda data, weights, strength: [dW + 2 * strength * W for dW, W in _pairs(data, weights)],
                    _DECAY_DOUBLED,
                ),
                "decay_divided_by_batch": (
                    lambda data, weights, strength, Y: [dW + strength * W / len(Y) for dW, W in _pairs(data, weights)],
                    _DECAY_MEAN,
                ),
                "decay_subtracted": (
                    lambda data, weights, strength: [dW - strength * W for dW, W in _pairs(data, weights)],
                    "The penalty is added to the loss, so its gradient is added to the gradient.",
                ),
                "decay_in_last_layer_only": (
                    lambda data, weights, strength: [*data[:-1], data[-1] + strength * weights[-1]],
                    "Only the last layer's weights are held small here. The penalty is a sum over the weights of all "
                    "layers.",
                ),
                "dWs_reversed": (
                    lambda data, weights, strength: [dW + strength * W for dW, W in _pairs(data, weights)][::-1],
                    "The gradients come in the order in which the backward pass finds them, last layer first. They "
                    "belong in the order of the weights.",
                ),
            },
        ),
        Step(
            "dbs",
            lambda deltas: [dZ.sum(axis=0) for dZ in deltas],
            mistakes={
                "biases_mean": (lambda deltas: [dZ.mean(axis=0) for dZ in deltas], _BIAS_MEAN),
                "biases_not_summed": (lambda deltas: list(deltas), _BIAS_NOT_SUMMED),
                "biases_wrong_axis": (
                    lambda deltas: [dZ.sum(axis=1) for dZ in deltas],
                    "The sum ran over the units. There is one bias for each unit; it collects from all samples.",
                ),
                "biases_last_sample": (lambda deltas: [dZ[-1] for dZ in deltas], _LAST_SAMPLE),
                "dbs_reversed": (
                    lambda deltas: [dZ.sum(axis=0) for dZ in deltas[::-1]],
                    "The bias gradients come in the order in which the backward pass finds them, last layer first. "
                    "They belong in the order of the biases.",
                ),
            },
        ),
    ),
    hints=(
        "Everything is there already: exercise 2 is the start, exercise 7 is one round of the loop. What does a round "
        "need, and what does it hand to the next?",
        "Start with dZ = (P − Y)/n. In every round, from the last layer to the first: dW = dZᵀ A + λ W and db = Σ dZ "
        "with the layer's input A; then, unless it is the first layer, dZ of the layer below: (dZ W) where A > 0.",
        "`dZ = output_error(logits, Y)`; `for k in reversed(range(len(weights)))`: `A = activations[k]`, "
        "`dWs.insert(0, dZ.T @ A + strength * weights[k])`, `dbs.insert(0, dZ.sum(axis=0))`, and `if k > 0: dZ = (dZ @ "
        "weights[k]) * (A > 0)`.",
    ),
    objective="Write the backward pass of a deep network from a blank page",
    difficulty=3,
    minutes=15,
)


def _deltas_through_updated(error: Any, activations: Any, weights: Any) -> list[Any]:
    """dL/dZ of every layer, sent back through weights that have already taken a step of learning rate 1."""
    found = [error]
    for A, W in _pairs(activations[:0:-1], weights[:0:-1]):
        found.insert(0, found[0] @ (W - found[0].T @ A) * _mask(A))
    return found


def _deltas_first_unmasked(error: Any, activations: Any, weights: Any) -> list[Any]:
    _, *above = _deltas(error, activations, weights)
    return [above[0] @ weights[1], *above]


# --- 9: the order of a training step ----------------------------------------------------------------------------------

_STEP_ORDER = order(
    "10.step_order",
    title="One step of training, in order",
    points=3,
    function="step_order",
    question="These lines are one step of training for a network with two hidden layers (without biases, to keep it "
    "short; `rate` is the learning rate, `strength` that of the weight decay). **Put ten of them in an order that "
    "computes the right thing.** For some values there is a wrong line as well: it stays out.",
    lines=(
        Line("A1", "`A1 = relu(X @ W1.T)`"),
        Line("A2", "`A2 = relu(A1 @ W2.T)`", after=("A1",)),
        Line(
            "dZ3",
            "`dZ3 = (softmax(A2 @ W3.T) - Y) / n`",
            after=("A2",),
            wrong={"error_turned_round": ("`dZ3 = (Y - softmax(A2 @ W3.T)) / n`", _WRONG_SIGN)},
        ),
        Line(
            "dW3",
            "`dW3 = dZ3.T @ A2 + strength * W3`",
            after=("dZ3",),
            wrong={
                "decay_over_batch": ("`dW3 = dZ3.T @ A2 + strength * W3 / n`", _DECAY_MEAN),
                "own_output": (
                    "`dW3 = dZ3.T @ softmax(A2 @ W3.T) + strength * W3`",
                    "The gradient of a weight carries what the weight multiplies: the layer's input, not its output.",
                ),
            },
        ),
        Line(
            "dZ2",
            "`dZ2 = (dZ3 @ W3) * (A2 > 0)`",
            after=("dZ3",),
            wrong={
                "mask_of_the_gradient": ("`dZ2 = (dZ3 @ W3) * (dZ3 @ W3 > 0)`", _UPSTREAM_MASK),
                "without_mask": ("`dZ2 = dZ3 @ W3`", _NO_MASK),
            },
        ),
        Line("dW2", "`dW2 = dZ2.T @ A1 + strength * W2`", after=("dZ2",)),
        Line(
            "dW1",
            "`dW1 = ((dZ2 @ W2) * (A1 > 0)).T @ X + strength * W1`",
            after=("dZ2",),
            wrong={
                "mask_of_the_wrong_layer": (
                    "`dW1 = ((dZ2 @ W2) * (A2 > 0)).T @ X + strength * W1`",
                    "The mask belongs to the layer whose ReLU is passed on the way back, which is the first.",
                )
            },
        ),
        Line(
            "W3",
            "`W3 = W3 - rate * dW3`",
            after=("dW3", "dZ2"),
            wrong={"uphill": ("`W3 = W3 + rate * dW3`", _UPHILL)},
        ),
        Line("W2", "`W2 = W2 - rate * dW2`", after=("dW2", "dW1")),
        Line("W1", "`W1 = W1 - rate * dW1`", after=("dW1",)),
    ),
    misplaced={
        "W3_updated_too_early": (
            "W3",
            "dZ2",
            "W3 is updated before the gradient has been sent back through it. Then it goes back through weights that "
            "were not there on the way forward.",
        ),
        "W2_updated_too_early": (
            "W2",
            "dW1",
            "W2 is updated before the gradient has been sent back through it to the first layer.",
        ),
    },
    hints=(
        "Three parts: forward, backward, update. Which line uses W3 last?",
        "Every line needs the values on its right-hand side. And a weight may be updated only when no line after it "
        "needs the old one: dZ2 still uses W3, dW1 still uses W2.",
        "A1, A2, dZ3, dW3, dZ2, dW2, dW1, then the three updates. The wrong lines are those with `Y - softmax`, `/ n` "
        "behind the decay, the output as factor, a mask from the gradient, no mask, the other layer's mask, and a "
        "plus.",
    ),
    objective="Order forward pass, backward pass and update, and know why",
    difficulty=2,
    minutes=6,
)

# --- 10: an epoch of training -----------------------------------------------------------------------------------------


def _two_layer_gradients(X: Any, Y: Any, weights: Any, biases: Any) -> tuple[list[Any], list[Any]]:
    """Right gradients of some network; the exercise takes any."""
    activations = _forward(X, weights, biases)
    deltas = _deltas((softmax(_logits(X, weights, biases)) - Y) / len(Y), activations, weights)
    return _weight_gradients(deltas, activations), [dZ.sum(axis=0) for dZ in deltas]


def _epoch(draw: Draw) -> Environment:
    d, h, c, extra = draw.sizes(4)
    size = draw.integer(2, 3)
    # Full batches and a shorter one at the end, in an order that is not the stored one.
    n = 3 * size + 1 + extra % (size - 1)
    return {
        "X": draw.normal(n, d),
        "Y": _labels(draw, n, c),
        "weights": [draw.weights(h, d), draw.weights(c, h)],
        "biases": [draw.nonzero(h), draw.nonzero(c)],
        "gradients": _two_layer_gradients,
        "order": np.roll(draw.rng.permutation(n), 1),
        "batch_size": size,
        "learning_rate": draw.uniform(0.2, 0.6),
    }


def _sliced(order: Any, size: int) -> list[Any]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def _with_labels_in_stored_order(X: Any, Y: Any, rows: Any) -> list[Any]:
    """Batches of samples in the given order beside labels in the stored one."""
    starts = np.cumsum([0, *map(len, rows[:-1])])
    return [(X[batch], Y[(start + np.arange(len(batch))) % len(Y)]) for batch, start in _pairs(rows, starts)]


def _descend(batches: Any, weights: Any, biases: Any, gradients: Any, change: Any) -> tuple[list[Any], list[Any]]:
    """A step for every batch, with ``change`` applied to each parameter and its gradient."""
    for X, Y in batches:
        dWs, dbs = gradients(X, Y, weights, biases)
        weights = [change(W, dW, len(X)) for W, dW in _pairs(weights, dWs)]
        biases = [change(b, db, len(X)) for b, db in _pairs(biases, dbs)]
    return weights, biases


def _descend_from_the_start(
    batches: Any, weights: Any, biases: Any, gradients: Any, change: Any
) -> tuple[list[Any], list[Any]]:
    """Every gradient taken at the first parameters."""
    first = weights, biases
    for X, Y in batches:
        dWs, dbs = gradients(X, Y, *first)
        weights = [change(W, dW, len(X)) for W, dW in _pairs(weights, dWs)]
        biases = [change(b, db, len(X)) for b, db in _pairs(biases, dbs)]
    return weights, biases


def _descend_one_after_the_other(
    batches: Any, weights: Any, biases: Any, gradients: Any, change: Any
) -> tuple[list[Any], list[Any]]:
    """The biases with gradients taken after the weights have moved."""
    for X, Y in batches:
        dWs, _ = gradients(X, Y, weights, biases)
        weights = [change(W, dW, len(X)) for W, dW in _pairs(weights, dWs)]
        _, dbs = gradients(X, Y, weights, biases)
        biases = [change(b, db, len(X)) for b, db in _pairs(biases, dbs)]
    return weights, biases


def _descend_accumulating(
    batches: Any, weights: Any, biases: Any, gradients: Any, change: Any
) -> tuple[list[Any], list[Any]]:
    """Every step with the sum of all gradients so far."""
    total_W, total_b = [0 * W for W in weights], [0 * b for b in biases]
    for X, Y in batches:
        dWs, dbs = gradients(X, Y, weights, biases)
        total_W = [total + dW for total, dW in _pairs(total_W, dWs)]
        total_b = [total + db for total, db in _pairs(total_b, dbs)]
        weights = [change(W, dW, len(X)) for W, dW in _pairs(weights, total_W)]
        biases = [change(b, db, len(X)) for b, db in _pairs(biases, total_b)]
    return weights, biases


_TRAIN_EPOCH = Exercise(
    id="10.train_epoch",
    title="One epoch of training in mini-batches",
    points=4,
    function="train_epoch",
    inputs=("X", "Y", "weights", "biases", "gradients", "order", "batch_size", "learning_rate"),
    returns=("new_weights", "new_biases"),
    draw=_epoch,
    steps=(
        Step(
            "rows",
            lambda order, batch_size: _sliced(order, batch_size),
            mistakes={
                "last_batch_dropped": (
                    lambda order, batch_size: _sliced(order, batch_size)[:-1],
                    "The last, shorter batch is left out. Every sample is used once in an epoch, also where the batch "
                    "size does not divide their number.",
                ),
                "order_ignored": (
                    lambda order, batch_size: _sliced(np.arange(len(order)), batch_size),
                    "The samples are taken in the order in which they are stored. They are to be taken in the order "
                    "that is given.",
                ),
                "same_batch_again": (
                    lambda order, batch_size: [order[:batch_size] for _ in _sliced(order, batch_size)],
                    "Every step uses the first batch. Does the start of the slice move?",
                ),
                "first_batch_only": (
                    lambda order, batch_size: _sliced(order, batch_size)[:1],
                    "Only one step is made. Does a `return` stand inside the loop?",
                ),
                "whole_batch": (
                    lambda order: [order],
                    "All samples are used in a single step. The point of mini-batches is to make many steps.",
                ),
            },
        ),
        Step(
            "batches",
            lambda X, Y, rows: [(X[batch], Y[batch]) for batch in rows],
            mistakes={
                "labels_not_shuffled": (
                    lambda X, Y, rows: _with_labels_in_stored_order(X, Y, rows),
                    "The samples are shuffled, the labels are not: now nearly every digit is taught the name of "
                    "another. Use the same rows of both.",
                ),
            },
        ),
        Step(
            "change",
            lambda learning_rate: lambda parameter, gradient, n: parameter - learning_rate * gradient,
            mistakes={
                "uphill": (
                    lambda learning_rate: lambda parameter, gradient, n: parameter + learning_rate * gradient,
                    _UPHILL,
                ),
                "divided_by_the_batch": (
                    lambda learning_rate: lambda parameter, gradient, n: parameter - learning_rate * gradient / n,
                    "The step is divided by the number of samples in the batch. The gradient belongs to a mean "
                    "already.",
                ),
                "rate_left_out": (
                    lambda learning_rate: lambda parameter, gradient, n: parameter - gradient,
                    "The learning rate is missing from the step.",
                ),
                "rate_twice": (
                    lambda learning_rate: lambda parameter, gradient, n: parameter - learning_rate**2 * gradient,
                    "The learning rate is multiplied in twice.",
                ),
            },
        ),
        Step(
            "trained",
            lambda batches, weights, biases, gradients, change: _descend(batches, weights, biases, gradients, change),
            mistakes={
                "gradients_of_the_start": (
                    lambda batches, weights, biases, gradients, change: _descend_from_the_start(
                        batches, weights, biases, gradients, change
                    ),
                    "Every gradient is taken at the parameters with which the epoch began. Each step starts where the "
                    "last one ended.",
                ),
                "gradients_of_mixed_age": (
                    lambda batches, weights, biases, gradients, change: _descend_one_after_the_other(
                        batches, weights, biases, gradients, change
                    ),
                    "The biases move by gradients that were taken after the weights had moved. All parameters move at "
                    "once, by gradients of one point.",
                ),
                "gradients_accumulate": (
                    lambda batches, weights, biases, gradients, change: _descend_accumulating(
                        batches, weights, biases, gradients, change
                    ),
                    "The gradients of earlier batches are still in the sum: each step uses all gradients so far. Start "
                    "every step afresh.",
                ),
            },
        ),
        Step(
            "new_weights",
            lambda trained: trained[0],
            share=0.5,
            mistakes={
                "weights_not_updated": (
                    lambda weights: list(weights),
                    "The weights come back as they went in. Are the new ones returned?",
                ),
            },
        ),
        Step(
            "new_biases",
            lambda trained: trained[1],
            share=0.5,
            mistakes={
                "biases_not_updated": (
                    lambda biases: list(biases),
                    "The biases come back as they went in: they learn too.",
                ),
            },
        ),
    ),
    hints=(
        "Two loops in one another: over the batches, and in each of them over the layers. Which numbers does a batch "
        "need from `order`?",
        "A batch is `order[start : start + batch_size]`, for starts 0, batch_size, 2·batch_size …; use it to pick rows "
        "of X and of Y. Compute all gradients, then make new lists of parameters.",
        "`for start in range(0, len(order), batch_size):` `batch = order[start : start + batch_size]`; `dWs, dbs = "
        "gradients(X[batch], Y[batch], weights, biases)`; `weights = [W - learning_rate * dW for W, dW in zip(weights, "
        "dWs)]`, and the same for the biases. Return both after the loop.",
    ),
    objective="Train a network in shuffled mini-batches",
    difficulty=3,
    minutes=10,
)

# --- 11: a layer that keeps its own cache -----------------------------------------------------------------------------


class _Forward:
    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = W, b

    def activate(self, Z: Any) -> Any:
        return relu(Z)

    def forward(self, X: Any) -> Any:
        self.X = X
        self.A = self.activate(X @ self.W.T + self.b)
        return self.A


class _ForwardLinear(_Forward):
    def activate(self, Z: Any) -> Any:
        return Z


class _ForwardWithoutBias(_Forward):
    def forward(self, X: Any) -> Any:
        self.X = X
        self.A = self.activate(X @ self.W.T)
        return self.A


class _Backward:
    def slope(self, dA: Any) -> Any:
        return _mask(self.A)  # type: ignore[attr-defined]

    def backward(self, dA: Any) -> Any:
        dZ = self.masked(dA, self.slope(dA))  # type: ignore[attr-defined]
        self.store(*self.collected(dZ))  # type: ignore[attr-defined]
        return dZ @ self.W  # type: ignore[attr-defined]


class _BackwardUnmasked(_Backward):
    def slope(self, dA: Any) -> Any:
        return np.ones_like(dA)


class _BackwardUpstreamMask(_Backward):
    def slope(self, dA: Any) -> Any:
        return _mask(dA)


class _BackwardReturnsDZ(_Backward):
    def backward(self, dA: Any) -> Any:
        dZ = self.masked(dA, self.slope(dA))  # type: ignore[attr-defined]
        self.store(*self.collected(dZ))  # type: ignore[attr-defined]
        return dZ


class _Collected:
    def collected(self, dZ: Any) -> Any:
        return dZ.T @ self.X, dZ.sum(axis=0)  # type: ignore[attr-defined]


class _CollectedBiasMean(_Collected):
    def collected(self, dZ: Any) -> Any:
        return dZ.T @ self.X, dZ.mean(axis=0)  # type: ignore[attr-defined]


class _CollectedLastSample(_Collected):
    def collected(self, dZ: Any) -> Any:
        return np.outer(dZ[-1], self.X[-1]), dZ[-1]  # type: ignore[attr-defined]


class _Stored:
    def store(self, dW: Any, db: Any) -> None:
        self.dW, self.db = dW, db


class _StoredOnTop(_Stored):
    def store(self, dW: Any, db: Any) -> None:
        self.dW, self.db = getattr(self, "dW", 0) + dW, getattr(self, "db", 0) + db


class _StoredOnce(_Stored):
    def store(self, dW: Any, db: Any) -> None:
        if not hasattr(self, "dW"):
            self.dW, self.db = dW, db


class _Masked:
    def masked(self, dA: Any, slope: Any) -> Any:
        return dA * slope


class _MaskedInPlace(_Masked):
    def masked(self, dA: Any, slope: Any) -> Any:
        dA *= slope
        return dA


class _Stepped:
    def moves(self, rate: Any) -> Any:
        return -rate * self.dW, -rate * self.db  # type: ignore[attr-defined]

    def step(self, rate: Any) -> None:
        move_W, move_b = self.moves(rate)
        self.W, self.b = self.moved(self.W, move_W), self.moved(self.b, move_b)  # type: ignore[attr-defined,has-type]


class _SteppedUphill(_Stepped):
    def moves(self, rate: Any) -> Any:
        return rate * self.dW, rate * self.db  # type: ignore[attr-defined]


class _SteppedWeightsOnly(_Stepped):
    def moves(self, rate: Any) -> Any:
        return -rate * self.dW, 0 * self.db  # type: ignore[attr-defined]


class _SteppedWithoutRate(_Stepped):
    def moves(self, rate: Any) -> Any:
        return -self.dW, -self.db  # type: ignore[attr-defined]


class _Moved:
    def moved(self, parameter: Any, move: Any) -> Any:
        return parameter + move


class _MovedInPlace(_Moved):
    def moved(self, parameter: Any, move: Any) -> Any:
        parameter += move
        return parameter


def _after_backward(Layer: Any, X: Any, dA: Any, W: Any, b: Any) -> Any:
    """A layer that has gone forwards and backwards once."""
    layer = Layer(W.copy(), b.copy())
    layer.forward(X.copy())
    layer.backward(dA.copy())
    return layer


def _twice(Layer: Any, X: Any, dA: Any, W: Any, b: Any) -> tuple[Any, ...]:
    """The gradients after a second forward and backward pass, with other samples."""
    layer = _after_backward(Layer, X, dA, W, b)
    layer.forward(X[::-1] - 0.5)
    layer.backward(0.3 - dA)
    return fields(layer, "dW", "db")


def _upstream_afterwards(Layer: Any, X: Any, dA: Any, W: Any, b: Any) -> Any:
    """The arrays that were handed to backward and to forward, as they are afterwards."""
    layer, handed, samples = Layer(W.copy(), b.copy()), dA.copy(), X.copy()
    layer.forward(samples)
    layer.backward(handed)
    return handed, samples


def _stepped(Layer: Any, X: Any, dA: Any, W: Any, b: Any, rate: Any) -> tuple[Any, ...]:
    layer = _after_backward(Layer, X, dA, W, b)
    layer.step(rate)
    return fields(layer, "W", "b")


def _given_afterwards(Layer: Any, X: Any, dA: Any, W: Any, b: Any, rate: Any) -> tuple[Any, ...]:
    """The arrays that the layer was made with, as they are after a step."""
    given = W.copy(), b.copy()
    layer = Layer(*given)
    layer.forward(X.copy())
    layer.backward(dA.copy())
    layer.step(rate)
    return given


def _layer(draw: Draw) -> Environment:
    n, d, h = draw.sizes(3)
    return {
        "X": draw.normal(n, d),
        "dA": draw.nonzero(n, h),
        "W": draw.weights(h, d),
        "b": draw.nonzero(h),
        "rate": draw.uniform(0.2, 0.6),
    }


_RELU_LAYER = Exercise(
    id="10.relu_layer",
    title="A layer that keeps its own cache",
    points=4,
    function="ReluLayer",
    inputs=("X", "dA", "W", "b", "rate"),
    returns=("forward", "backward", "gradients", "second_batch", "upstream", "step", "given"),
    draw=_layer,
    kind=Class(made="ReluLayer(W, b)"),
    steps=(
        Method(
            "forward",
            _Forward,
            probe=lambda Layer, X, W, b: Layer(W.copy(), b.copy()).forward(X.copy()),
            shown="layer.forward(X)",
            mistakes={
                "layer_without_relu": (_ForwardLinear, "forward gives the pre-activations: the ReLU is missing."),
                "layer_without_bias": (_ForwardWithoutBias, "forward leaves the bias out."),
            },
        ),
        Method(
            "backward",
            _Backward,
            probe=lambda Layer, X, dA, W, b: _dX(Layer, X, dA, W, b),
            shown="layer.backward(dA)",
            mistakes={
                "layer_without_mask": (_BackwardUnmasked, _NO_MASK),
                "layer_mask_from_upstream": (_BackwardUpstreamMask, _UPSTREAM_MASK),
                "layer_returns_dZ": (
                    _BackwardReturnsDZ,
                    "backward returns dZ. The layer below needs the gradient of its own output, which is this layer's "
                    "input X: one more link, the weights.",
                ),
            },
        ),
        Method(
            "gradients",
            _Collected,
            probe=lambda Layer, X, dA, W, b: fields(_after_backward(Layer, X, dA, W, b), "dW", "db"),
            shown="layer.dW, layer.db",
            mistakes={
                "layer_bias_mean": (_CollectedBiasMean, _BIAS_MEAN),
                "layer_last_sample": (_CollectedLastSample, _LAST_SAMPLE),
            },
        ),
        Method(
            "second_batch",
            _Stored,
            probe=lambda Layer, X, dA, W, b: _twice(Layer, X, dA, W, b),
            shown="forward and backward with a second batch, then layer.dW, layer.db",
            mistakes={
                "gradients_pile_up": (
                    _StoredOnTop,
                    "After a second batch the first one's gradient is still in the sum. Each backward pass replaces "
                    "the gradients of the last. (PyTorch does add, on purpose; there one calls zero_grad before each "
                    "step.)",
                ),
                "gradients_kept_from_the_first": (
                    _StoredOnce,
                    "After a second batch the layer still has the gradients of the first.",
                ),
            },
        ),
        Method(
            "upstream",
            _Masked,
            probe=lambda Layer, X, dA, W, b: _upstream_afterwards(Layer, X, dA, W, b),
            shown="dA and X after layer.backward(dA)",
            mistakes={
                "upstream_changed_in_place": (
                    _MaskedInPlace,
                    "backward changes the array it is given. Somebody else may still need it, a second branch of the "
                    "network for instance. Write `dZ = dA * ...`, not `dA *= ...` or `dA[...] = 0`.",
                ),
            },
        ),
        Method(
            "step",
            _Stepped,
            probe=lambda Layer, X, dA, W, b, rate: _stepped(Layer, X, dA, W, b, rate),
            shown="layer.step(rate), then layer.W, layer.b",
            mistakes={
                "layer_uphill": (_SteppedUphill, _UPHILL),
                "layer_steps_weights_only": (_SteppedWeightsOnly, "step moves the weights only: biases learn too."),
                "layer_steps_without_rate": (_SteppedWithoutRate, "The learning rate is missing from the step."),
            },
        ),
        Method(
            "given",
            _Moved,
            probe=lambda Layer, X, dA, W, b, rate: _given_afterwards(Layer, X, dA, W, b, rate),
            shown="W and b, with which the layer was made, after layer.step(rate)",
            mistakes={
                "given_arrays_changed": (
                    _MovedInPlace,
                    "step changes the very arrays that the layer was made with: whoever made it finds their W and b "
                    "changed, and two layers made with the same W train each other. Write `self.W = self.W - ...`, not "
                    "`self.W -= ...`.",
                ),
            },
        ),
    ),
    hints=(
        "forward has everything in its hands that backward will need. Which two arrays does it have to keep?",
        "Keep X and A (or Z) on self. backward: dZ = dA where A > 0; self.dW and self.db as in exercise 7; return dZ "
        "W. Assign, do not add, and change nothing in place.",
        "`self.X = X`, `self.A = relu(X @ self.W.T + self.b)`, return `self.A`; then `dZ = dA * (self.A > 0)`, "
        "`self.dW = dZ.T @ self.X`, `self.db = dZ.sum(axis=0)`, return `dZ @ self.W`; then `self.W = self.W - rate * "
        "self.dW` and the same for b.",
    ),
    objective="Build a layer that keeps what it needs and leaves alone what is not its own",
    difficulty=3,
    minutes=10,
)


def _dX(Layer: Any, X: Any, dA: Any, W: Any, b: Any) -> Any:
    layer = Layer(W.copy(), b.copy())
    layer.forward(X.copy())
    return layer.backward(dA.copy())


# --- 12: the laboratory -----------------------------------------------------------------------------------------------

_FINDINGS = {
    "a": (
        "every gradient is right",
        "called_right",
        "A gradient check of this network finds rows that are WRONG. Run it, with several samples and with biases that "
        "are not zero: a batch of one, or zero biases, hide mistakes.",
    ),
    "b": (
        "tanh′ is missing in the first layer",
        "called_slope_missing",
        "A link missing at the first layer would leave everything above it right: W1 and b1 wrong, W2, b2, W3 and b3 "
        "right. Compare that with the check.",
    ),
    "c": (
        "the bias gradients are means over the batch instead of sums",
        "called_bias_mean",
        "Then all three biases would be too small, each entry by just the number of samples, and all weights right. "
        "Divide the numerical gradient of a bias by the network's: what do you get, and does it change with n?",
    ),
    "d": (
        "each layer's weights are updated before the gradient is sent back through them",
        "called_updated_early",
        "Then the last layer, which needs nothing sent back, would be right, and both layers below it wrong, weights "
        "and biases alike. Compare that with the check.",
    ),
    "e": (
        "the biases are in the weight decay too",
        "called_bias_decay",
        "Then all weights would be right, and every bias gradient would be off by λ times the bias itself. Compute "
        "that difference; it vanishes where the biases are zero.",
    ),
    "f": (
        "the 1/n of the mean is missing (and the learning rate chosen to match)",
        "called_mean_missing",
        "Then every gradient would be wrong, those of the biases too large by just the number of samples. Try two "
        "sizes of the batch.",
    ),
    "g": (
        "the gradient of W1 counts only the last sample of the batch",
        "called_last_sample",
        "Then W1 alone would be wrong, not even b1, and with a single sample all would agree. Compare that with the "
        "check.",
    ),
    "h": (
        "tanh′ is taken at the activation instead of the pre-activation in the second layer",
        "called_slope_at_activation",
        "Then the last layer would be right, and W2, b2, W1 and b1 wrong, with the same error whatever the learning "
        "rate. In an untrained network whose hidden values are small it would hardly show. Is the error the update of "
        "the weights above, W3 − 0.3 dW3 in the place of W3?",
    ),
}

_LETTERS = {"A": "e", "B": "a", "C": "c", "D": "b", "E": "f", "F": "d"}
"""What is found in the networks of `chainrule_lib.lab`; a test finds it from their values."""

_LAB = prediction(
    "10.lab",
    title="Why did training still work?",
    points=6,
    function="lab_findings",
    questions=tuple(
        Question(
            letter,
            f"What is the matter with network {letter}?",
            options={option: text for option, (text, _, _) in _FINDINGS.items()},
            right=right,
            wrong={
                option: (f"{letter}_{name}", why) for option, (_, name, why) in _FINDINGS.items() if option != right
            },
        )
        for letter, right in _LETTERS.items()
    ),
    hints=(
        "Run a gradient check of each network and write down which of W1, b1, W2, b2, W3, b3 are WRONG. That alone "
        "narrows it down to one or two answers each.",
        "Right above and wrong below: a mistake on the way back. Weights right and biases wrong: a mistake in the bias "
        "line. Everything wrong: a mistake at the start. Then look at ratios, and change the number of samples.",
        "Divide the numerical gradient by the network's. A ratio of n or 1/n, for every n, is a mean too many or too "
        "few. For the biases, also compare the difference with λ b. If only the last layer is right, send the error "
        "back yourself through W3 and through W3 − 0.3 dW3.",
    ),
    objective="Find out with a gradient check which of several networks that all learn is right",
    difficulty=3,
    minutes=15,
)

EXERCISES = [
    _SOFTMAX_LINES,
    _OUTPUT_ERROR,
    _DEEP_SHAPES,
    _INITIALIZE,
    _EQUAL_WEIGHTS,
    _FORWARD,
    _FIX_HIDDEN,
    _BACKWARD,
    _STEP_ORDER,
    _TRAIN_EPOCH,
    _RELU_LAYER,
    _LAB,
]
