"""Lesson 05: backpropagation through the two-layer sigmoid network, then through any depth.

The network of the seed article with σ on its output: Z1 = X W1ᵀ + b1, A1 = σ(Z1), Z2 = A1 W2ᵀ + b2, A2 = σ(Z2), and the
loss L = 1/(2n) Σ (A2 − Y)² over a batch of n rows. Derivations follow Rumelhart, Hinton and Williams (1986, doi
10.1038/323533a0) in the notation of Nielsen, Neural Networks and Deep Learning, chapter 2.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from autograder.exercises.drawing import Draw
from autograder.exercises.formulas import Environment
from autograder.exercises.kinds import Derivation, Fix, Line, order, prediction
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Exercise, Step
from chainrule_lib.activations import sigmoid

WITHHELD = (
    *AUTODIFF,
    "chainrule_lib.network",
    "chainrule_lib.losses.half_squared_error_gradient",
    "chainrule_lib.losses.binary_cross_entropy_gradient",
    "chainrule_lib.losses.binary_cross_entropy_from_logits_gradient",
)
"""``chainrule_lib.numerical`` stays, whose complex step is as exact as a formula: the lesson compares with it."""


def _slope(a: Any) -> Any:
    """σ′(z) written with the activation a = σ(z)."""
    return a * (1 - a)


def _last(array: Any) -> Any:
    """A batch in which every row but the last is zero."""
    kept = np.zeros_like(array)
    kept[-1] = array[-1]
    return kept


# Explanations that serve in more than one exercise.
_WRONG_SIGN = (
    "The sign is turned round. The loss grows when the output moves away from the target: its derivative is positive "
    "where the output is too large. Check which of the two is subtracted from which."
)
_LOST_HALF = (
    "There is an extra factor 2. The loss carries a ½ so that the 2 from the square cancels; differentiate the loss as "
    "it stands in this lesson."
)
_KEPT_HALF = "The ½ of the loss is still there. Differentiating the square brings a factor 2 down; put both together."
_FORGOT_SLOPE_2 = (
    "The output went through σ, and the way back has to go through it as well: a link of the chain is missing between "
    "the output and its pre-activation z2."
)
_SLOPE_IS_SIGMOID = (
    "The derivative of σ is not σ itself. It is largest in the middle, where σ = ½, and tends to 0 on both sides; look "
    "at its graph in lesson 04."
)
_SLOPE_IS_COMPLEMENT = (
    "Only half of σ′ is there. Written with the activation, σ′ is a product of two factors, and it must vanish both "
    "where the unit is fully on and where it is fully off."
)
_SLOPE_AT_Z = (
    "The rule that writes σ′ with two factors takes the activation a = σ(z), not the pre-activation z. Which of the "
    "two did you put in?"
)
_SLOPE_AT_A = (
    "σ was applied once too often: a is already σ(z), so σ′ is evaluated at the wrong point. Either put z into σ′, or "
    "use the form of σ′ that is written with a."
)
_FORGOT_SLOPE_1 = (
    "The hidden units went through σ too. Between dL/da1 and dL/dz1 lies one more link: the local derivative of σ at "
    "the hidden pre-activation."
)
_OUTPUT_SLOPE_IN_HIDDEN = (
    "The local derivative of the output layer was used in the hidden layer. Every σ is differentiated at its own "
    "pre-activation."
)
_NOT_TRANSPOSED = (
    "W2 sends a1 forward; on the way back the roles of its rows and columns change. Count: the gradient of a1 needs "
    "one number per hidden unit, each a sum over the outputs."
)
_OUTER_TRANSPOSED = (
    "A gradient has the shape of what it belongs to. Here rows and columns are exchanged: which index counts the units "
    "of the layer, and which one its inputs?"
)
_USED_UPDATED = (
    "All gradients belong to the same point. W2 seems to have been updated before it was used to send the gradient "
    "back; compute every gradient first, then update."
)
_SKIPPED_W2 = (
    "The gradient has to pass the weights of the output layer on its way to the hidden one: how much a hidden unit "
    "matters depends on the weights that lead out of it."
)
_FROM_DA2 = (
    "The sum goes back through W2 from the pre-activation z2, not from the output a2: dL/dz2 has to be worked out "
    "first and used here."
)


def _output(draw: Draw) -> Environment:
    (c,) = draw.sizes(1)
    return {"z2": draw.normal(c), "y": draw.uniform(0.1, 0.9, c)}


def _output_layer(draw: Draw) -> Environment:
    c, h = draw.sizes(2)
    return {
        "a1": draw.uniform(0.1, 0.9, h),
        "dz2": draw.nonzero(c),
        "W2": draw.weights(c, h),
        "b2": draw.nonzero(c),
    }


def _hidden_layer(draw: Draw) -> Environment:
    c, h = draw.sizes(2)
    return {"W2": draw.weights(c, h), "dz2": draw.nonzero(c), "z1": draw.normal(h)}


def _labelled(draw: Draw) -> Environment:
    n, c = draw.sizes(2)
    return {"Z2": draw.normal(n, c), "Y": (draw.normal(n, c) > 0).astype(float)}


def _layer_with_gradients(draw: Draw) -> Environment:
    c, h = draw.sizes(2)
    return {
        "dW": draw.nonzero(c, h),
        "db": draw.nonzero(c),
        "W": draw.weights(c, h),
        "b": draw.nonzero(c),
        "strength": draw.uniform(0.2, 0.8),
    }


def _sample(draw: Draw) -> Environment:
    d, h, c = draw.sizes(3)
    return {
        "x": draw.normal(d),
        "y": draw.uniform(0.1, 0.9, c),
        "W1": draw.weights(h, d),
        "b1": draw.nonzero(h),
        "W2": draw.weights(c, h),
        "b2": draw.nonzero(c),
    }


def _batch(draw: Draw) -> Environment:
    n, d, h, c = draw.sizes(4)
    return {
        "X": draw.normal(n, d),
        "Y": draw.uniform(0.1, 0.9, n, c),
        "W1": draw.weights(h, d),
        "b1": draw.nonzero(h),
        "W2": draw.weights(c, h),
        "b2": draw.nonzero(c),
    }


_OUTPUT_DELTA = Exercise(
    id="05.output_delta",
    title="The error at the output, for one sample",
    points=2,
    function="output_delta",
    inputs=("z2", "y"),
    returns=("dz2",),
    draw=_output,
    loss=lambda z2, y: np.sum((sigmoid(z2) - y) ** 2) / 2,
    amplify=("y",),
    steps=(
        Step(
            "a2",
            lambda z2: sigmoid(z2),
            share=0.05,  # given in the lesson, as is the next step
            mistakes={
                "output_without_sigmoid": (
                    lambda z2: z2,
                    "The article's formula stops before the last activation; its code, and this exercise, go one "
                    "step further.",
                ),
            },
        ),
        Step(
            "da2",
            lambda a2, y: a2 - y,
            share=0.05,
            mistakes={
                "negated_error": (lambda a2, y: y - a2, _WRONG_SIGN),
                "extra_factor_two": (lambda a2, y: 2 * (a2 - y), _LOST_HALF),
                "kept_the_half": (lambda a2, y: (a2 - y) / 2, _KEPT_HALF),
                "squared_error": (
                    lambda a2, y: (a2 - y) ** 2,
                    "This is the (doubled) loss, not its derivative: the square has not been differentiated.",
                ),
                "mean_over_outputs": (
                    lambda a2, y: (a2 - y) / len(y),
                    "The loss of one sample is a sum over the outputs, not a mean: nothing is divided by their number.",
                ),
            },
        ),
        Step(
            "dz2",
            lambda da2, a2: da2 * _slope(a2),
            mistakes={
                "forgot_output_slope": (lambda da2: da2, _FORGOT_SLOPE_2),
                "slope_is_sigmoid": (lambda da2, a2: da2 * a2, _SLOPE_IS_SIGMOID),
                "slope_is_complement": (lambda da2, a2: da2 * (1 - a2), _SLOPE_IS_COMPLEMENT),
                "slope_at_z": (lambda da2, z2: da2 * _slope(z2), _SLOPE_AT_Z),
                "slope_at_a": (lambda da2, a2: da2 * _slope(sigmoid(a2)), _SLOPE_AT_A),
            },
        ),
    ),
    hints=(
        "L depends on z2 only through a2. Draw the chain z2 → a2 → L: how many links are there?",
        "dL/dz2 = dL/da2 · da2/dz2, entry by entry. The first factor comes from the loss, the second is σ′(z2), which "
        "lesson 04 writes with a2 alone.",
        "With `a2 = sigmoid(z2)`, the first factor is `a2 - y` and the second `a2 * (1 - a2)`. Return their product.",
    ),
    objective="Apply the chain rule to a loss and an activation",
    difficulty=1,
    minutes=5,
)

_OUTPUT_LAYER = Exercise(
    id="05.output_layer",
    title="Gradients of the output layer's weights and biases, for one sample",
    points=2,
    function="output_layer_gradients",
    inputs=("a1", "dz2"),
    returns=("dW2", "db2"),
    draw=_output_layer,
    # Any loss with this dL/dz2 has these gradients; the one that is linear in z2 is the simplest.
    loss=lambda a1, dz2, W2, b2: np.sum(dz2 * (W2 @ a1 + b2)),
    steps=(
        Step(
            "dW2",
            lambda dz2, a1: np.outer(dz2, a1),
            mistakes={
                "outer_transposed": (lambda dz2, a1: np.outer(a1, dz2), _OUTER_TRANSPOSED),
                "forgot_a1": (
                    lambda dz2, a1: np.outer(dz2, np.ones_like(a1)),
                    "A weight matters as much as the activation it multiplies. dz2/dW2 is not 1.",
                ),
                "slope_of_a1": (
                    lambda dz2, a1: np.outer(dz2, _slope(a1)),
                    "z2 depends on W2 through a1 itself. The derivative of σ in the hidden layer comes in later, on "
                    "the way to W1.",
                ),
                "elementwise_product": (
                    lambda dz2, a1: dz2 * a1,
                    "An elementwise product pairs each output with the one hidden unit of the same number. W2 joins "
                    "every output with every hidden unit: how many numbers is that?",
                ),
                "dz2_squared": (
                    lambda dz2, a1: np.outer(dz2**2, a1),
                    "dL/dz2 is in there twice. Each link of the chain is one factor.",
                ),
                "negated_dW2": (
                    lambda dz2, a1: -np.outer(dz2, a1),
                    "The sign of dW2 is turned round. This is the gradient itself; the minus belongs to the update of "
                    "gradient descent.",
                ),
            },
        ),
        Step(
            "db2",
            lambda dz2: dz2,
            mistakes={
                "summed_db2": (
                    lambda dz2: np.sum(dz2),
                    "Every output has a bias of its own, so db2 has one entry per output. There is nothing to sum "
                    "for a single sample.",
                ),
                "bias_through_b": (
                    lambda dz2, a1: dz2 * np.sum(a1),
                    "b2 is added as it is: dz2/db2 is 1, whatever a1 is.",
                ),
                "bias_is_one": (
                    lambda dz2: np.ones_like(dz2),
                    "That is the local derivative dz2/db2. It still has to be multiplied by what comes from above, "
                    "dL/dz2.",
                ),
                "negated_db2": (
                    lambda dz2: -dz2,
                    "The sign of db2 is turned round. The minus belongs to the update, not to the gradient.",
                ),
            },
        ),
    ),
    hints=(
        "Write out a single entry: z2[k] = Σⱼ W2[k, j] · a1[j] + b2[k]. Which entries of z2 does W2[k, j] touch?",
        "dL/dW2[k, j] = dL/dz2[k] · a1[j] and dL/db2[k] = dL/dz2[k]. All entries at once are an outer product.",
        "`dW2 = np.outer(dz2, a1)` has one row per output and one column per hidden unit, as W2 has. For the bias "
        "the local derivative is 1.",
    ),
    objective="Derive dL/dW2 and dL/db2 from dL/dz2",
    difficulty=2,
    minutes=8,
)

_HIDDEN_DELTA = Exercise(
    id="05.hidden_delta",
    title="Sending the gradient back to the hidden layer",
    points=3,
    function="hidden_delta",
    inputs=("W2", "dz2", "z1"),
    returns=("dz1",),
    draw=_hidden_layer,
    loss=lambda W2, dz2, z1: np.sum(dz2 * (W2 @ sigmoid(z1))),
    steps=(
        Step(
            "da1",
            lambda W2, dz2: W2.T @ dz2,
            mistakes={
                "W2_not_transposed": (lambda W2, dz2: W2 @ dz2, _NOT_TRANSPOSED),
                "only_first_output": (
                    lambda W2, dz2: W2[0] * dz2[0],
                    "Only the path through the first output was counted. A hidden unit reaches the loss through every "
                    "output; the paths add up.",
                ),
                "weights_without_dz2": (
                    lambda W2: W2.sum(axis=0),
                    "The weights are there, but what comes from above, dL/dz2, is missing from the sum.",
                ),
                "forgot_W2": (
                    lambda W2, dz2: np.full(W2.shape[1], np.sum(dz2)),
                    _SKIPPED_W2,
                ),
            },
        ),
        Step(
            "dz1",
            lambda da1, z1: da1 * _slope(sigmoid(z1)),
            mistakes={
                "forgot_hidden_slope": (lambda da1: da1, _FORGOT_SLOPE_1),
                "slope_is_sigmoid": (lambda da1, z1: da1 * sigmoid(z1), _SLOPE_IS_SIGMOID),
                "slope_is_complement": (lambda da1, z1: da1 * (1 - sigmoid(z1)), _SLOPE_IS_COMPLEMENT),
                "slope_at_z": (lambda da1, z1: da1 * _slope(z1), _SLOPE_AT_Z),
                "slope_at_a": (lambda da1, z1: da1 * _slope(sigmoid(sigmoid(z1))), _SLOPE_AT_A),
            },
        ),
    ),
    hints=(
        "A hidden unit j feeds every output k. Along how many paths does a change of a1[j] reach the loss?",
        "The paths add up: dL/da1[j] = Σₖ W2[k, j] · dL/dz2[k], a product with the transposed matrix. Then one more "
        "link, σ′(z1).",
        "`da1 = W2.T @ dz2`, then multiply entry by entry with σ′(z1), which is `a1 * (1 - a1)` for `a1 = "
        "sigmoid(z1)`.",
    ),
    objective="Send a gradient back through weights and an activation",
    difficulty=2,
    minutes=10,
)

_BACKPROP_SAMPLE = Exercise(
    id="05.backprop_sample",
    title="The whole backward pass for one sample",
    points=4,
    function="backprop_sample",
    inputs=("x", "y", "W1", "b1", "W2", "b2"),
    returns=("dW1", "db1", "dW2", "db2"),
    draw=_sample,
    loss=lambda x, y, W1, b1, W2, b2: np.sum((sigmoid(W2 @ sigmoid(W1 @ x + b1) + b2) - y) ** 2) / 2,
    amplify=("y",),
    steps=(
        Step("z1", lambda W1, x, b1: W1 @ x + b1, share=0),
        Step("a1", lambda z1: sigmoid(z1), share=0),
        Step("z2", lambda W2, a1, b2: W2 @ a1 + b2, share=0),
        Step(
            "a2",
            lambda z2: sigmoid(z2),
            share=0.5,
            mistakes={
                "output_without_sigmoid": (
                    lambda z2: z2,
                    "The article's formula stops before the last activation; its code, and this exercise, go one "
                    "step further.",
                ),
            },
        ),
        Step(
            "da2",
            lambda a2, y: a2 - y,
            mistakes={
                "negated_error": (lambda a2, y: y - a2, _WRONG_SIGN),
                "extra_factor_two": (lambda a2, y: 2 * (a2 - y), _LOST_HALF),
                "kept_the_half": (lambda a2, y: (a2 - y) / 2, _KEPT_HALF),
                "mean_over_outputs": (
                    lambda a2, y: (a2 - y) / len(y),
                    "The loss of one sample is a sum over the outputs, not a mean: nothing is divided by their number.",
                ),
            },
        ),
        Step(
            "dz2",
            lambda da2, a2: da2 * _slope(a2),
            mistakes={
                "forgot_output_slope": (lambda da2: da2, _FORGOT_SLOPE_2),
                "output_slope_is_sigmoid": (lambda da2, a2: da2 * a2, _SLOPE_IS_SIGMOID),
                "output_slope_is_complement": (lambda da2, a2: da2 * (1 - a2), _SLOPE_IS_COMPLEMENT),
                "output_slope_at_z": (lambda da2, z2: da2 * _slope(z2), _SLOPE_AT_Z),
                "output_slope_at_a": (lambda da2, a2: da2 * _slope(sigmoid(a2)), _SLOPE_AT_A),
            },
        ),
        Step(
            "dW2",
            lambda dz2, a1: np.outer(dz2, a1),
            mistakes={
                "dW2_transposed": (lambda dz2, a1: np.outer(a1, dz2), _OUTER_TRANSPOSED),
                "dW2_with_x": (
                    lambda dz2, x: np.outer(dz2, x),
                    "W2 multiplies the hidden activations a1. The gradient of a weight carries what that weight "
                    "multiplies.",
                ),
                "dW2_with_z1": (
                    lambda dz2, z1: np.outer(dz2, z1),
                    "W2 does not multiply the hidden pre-activations: something happens to them before they reach it.",
                ),
            },
        ),
        Step("db2", lambda dz2: dz2, share=0.5),
        Step(
            "da1",
            lambda W2, dz2: W2.T @ dz2,
            mistakes={
                "W2_not_transposed": (lambda W2, dz2: W2 @ dz2, _NOT_TRANSPOSED),
                "sent_back_da2": (lambda W2, da2: W2.T @ da2, _FROM_DA2),
                "updated_W2_too_early": (lambda W2, dW2, dz2: (W2 - dW2).T @ dz2, _USED_UPDATED),
            },
        ),
        Step(
            "dz1",
            lambda da1, a1: da1 * _slope(a1),
            mistakes={
                "forgot_hidden_slope": (lambda da1: da1, _FORGOT_SLOPE_1),
                "hidden_slope_is_sigmoid": (lambda da1, a1: da1 * a1, _SLOPE_IS_SIGMOID),
                "hidden_slope_at_z": (lambda da1, z1: da1 * _slope(z1), _SLOPE_AT_Z),
                "hidden_slope_at_a": (lambda da1, a1: da1 * _slope(sigmoid(a1)), _SLOPE_AT_A),
                "output_slope_in_hidden": (lambda da1, a2: da1 * _slope(a2), _OUTPUT_SLOPE_IN_HIDDEN),
            },
        ),
        Step(
            "dW1",
            lambda dz1, x: np.outer(dz1, x),
            mistakes={
                "dW1_transposed": (lambda dz1, x: np.outer(x, dz1), _OUTER_TRANSPOSED),
                "dW1_with_a1": (
                    lambda dz1, a1: np.outer(dz1, a1),
                    "W1 multiplies the input x. The gradient of a weight carries what that weight multiplies.",
                ),
            },
        ),
        Step(
            "db1",
            lambda dz1: dz1,
            share=0.5,
            mistakes={
                "db1_copied_from_db2": (
                    lambda dz2: dz2,
                    "Both bias gradients are the same line. Each layer's bias gets the gradient of its own "
                    "pre-activation.",
                ),
            },
        ),
    ),
    hints=(
        "You have written every piece in the exercises before. a1 and a2 are given; start at the loss.",
        "The order is dz2, then dW2 and db2, then da1, dz1, then dW1 and db1. Each line uses only earlier ones.",
        "`dz2 = (a2 - y) * a2 * (1 - a2)`, `dz1 = (W2.T @ dz2) * a1 * (1 - a1)`; each weight gradient is the outer "
        "product of its layer's dz with that layer's input.",
    ),
    objective="Put the whole backward pass together for one sample",
    difficulty=2,
    minutes=15,
)

_COLUMN_SUM = (
    "The bias gradient has one entry per unit. Every sample of the batch adds to it, so the sum runs over the "
    "batch; here it runs over the other axis."
)
_BIAS_NOT_SUMMED = (
    "One bias serves the whole batch, so its gradient collects the contributions of all rows. Here there is still one "
    "row per sample."
)
_BIAS_MEAN = (
    "The mean over the batch is taken twice here: the 1/n of the loss is already in dZ, and everything after it "
    "inherits it. How do the contributions of the rows come together then?"
)
_LAST_SAMPLE = (
    "Only the last sample of the batch arrives in this gradient. Is something assigned in a loop where it should be "
    "added?"
)
_TWICE_1_N = (
    "This gradient is divided by the number of samples once too often: the 1/n of the loss is already in dZ2, and "
    "everything after it inherits it."
)

_BACKPROP_BATCH = Exercise(
    id="05.backprop_batch",
    title="The whole backward pass for a batch",
    points=6,
    function="backprop",
    inputs=("X", "Y", "W1", "b1", "W2", "b2"),
    returns=("dW1", "db1", "dW2", "db2"),
    draw=_batch,
    loss=lambda X, Y, W1, b1, W2, b2: np.sum((sigmoid(sigmoid(X @ W1.T + b1) @ W2.T + b2) - Y) ** 2) / (2 * len(X)),
    amplify=("Y",),
    steps=(
        Step(
            "Z1",
            lambda X, W1, b1: X @ W1.T + b1,
            share=0.5,
            mistakes={
                "left_out_b1": (
                    lambda X, W1: X @ W1.T,
                    "The forward pass leaves out the hidden biases b1, so every gradient is taken at another network.",
                ),
            },
        ),
        Step(
            "A1",
            lambda Z1: sigmoid(Z1),
            share=0.5,
            mistakes={
                "hidden_without_sigmoid": (
                    lambda Z1: Z1,
                    "The forward pass goes through the hidden layer without its activation function: the network "
                    "has become linear there.",
                ),
                "hidden_sigmoid_twice": (
                    lambda Z1: sigmoid(sigmoid(Z1)),
                    "σ is applied twice in the hidden layer of the forward pass.",
                ),
            },
        ),
        Step(
            "Z2",
            lambda A1, W2, b2: A1 @ W2.T + b2,
            share=0.5,
            mistakes={
                "left_out_b2": (
                    lambda A1, W2: A1 @ W2.T,
                    "The forward pass leaves out the output biases b2, so every gradient is taken at another network.",
                ),
            },
        ),
        Step(
            "A2",
            lambda Z2: sigmoid(Z2),
            share=0.5,
            mistakes={
                "output_without_sigmoid": (
                    lambda Z2: Z2,
                    "The article's formula stops before the last activation; its code, and this exercise, go one "
                    "step further.",
                ),
                "output_sigmoid_twice": (
                    lambda Z2: sigmoid(sigmoid(Z2)),
                    "σ is applied twice in the output layer of the forward pass.",
                ),
            },
        ),
        Step(
            "dA2",
            lambda A2, Y: (A2 - Y) / len(Y),
            mistakes={
                "negated_error": (lambda A2, Y: (Y - A2) / len(Y), _WRONG_SIGN),
                "forgot_mean": (
                    lambda A2, Y: A2 - Y,
                    "Every gradient is too large by the number of samples: the loss is a mean over the batch, and "
                    "its 1/n stays when it is differentiated.",
                ),
                "mean_twice": (
                    lambda A2, Y: (A2 - Y) / len(Y) ** 2,
                    "Every gradient is too small by the number of samples: the mean over the batch has been taken "
                    "twice.",
                ),
                "mean_over_outputs": (
                    lambda A2, Y: (A2 - Y) / Y.shape[1],
                    "The loss is divided by the number of samples, the rows of Y. Here it is divided by the number "
                    "of its columns.",
                ),
                "mean_over_entries": (
                    lambda A2, Y: (A2 - Y) / Y.size,
                    "The loss is a mean over the samples and a sum over the outputs. Here it is divided by the "
                    "number of all entries, as np.mean does without an axis.",
                ),
                "extra_factor_two": (lambda A2, Y: 2 * (A2 - Y) / len(Y), _LOST_HALF),
                "kept_the_half": (lambda A2, Y: (A2 - Y) / (2 * len(Y)), _KEPT_HALF),
                "only_last_sample": (
                    lambda A2, Y: _last(A2 - Y) / len(Y),
                    "Only the last sample of the batch counts here. Is something assigned in a loop where it should "
                    "be added?",
                ),
            },
        ),
        Step(
            "dZ2",
            lambda dA2, A2: dA2 * _slope(A2),
            mistakes={
                "forgot_output_slope": (lambda dA2: dA2, _FORGOT_SLOPE_2),
                "output_slope_is_sigmoid": (lambda dA2, A2: dA2 * A2, _SLOPE_IS_SIGMOID),
                "output_slope_is_complement": (lambda dA2, A2: dA2 * (1 - A2), _SLOPE_IS_COMPLEMENT),
                "output_slope_at_z": (lambda dA2, Z2: dA2 * _slope(Z2), _SLOPE_AT_Z),
                "output_slope_at_a": (lambda dA2, A2: dA2 * _slope(sigmoid(A2)), _SLOPE_AT_A),
                "output_slope_twice": (
                    lambda dA2, A2: dA2 * _slope(A2) ** 2,
                    "σ′ is multiplied in twice at the output. Each link of the chain is one factor.",
                ),
            },
        ),
        Step(
            "dW2",
            lambda dZ2, A1: dZ2.T @ A1,
            mistakes={
                "dW2_transposed": (lambda dZ2, A1: A1.T @ dZ2, _OUTER_TRANSPOSED),
                "dW2_with_X": (
                    lambda dZ2, X: dZ2.T @ X,
                    "W2 multiplies the hidden activations A1. The gradient of a weight carries what that weight "
                    "multiplies.",
                ),
                "dW2_with_Z1": (
                    lambda dZ2, Z1: dZ2.T @ Z1,
                    "W2 does not multiply the hidden pre-activations: something happens to them before they reach it.",
                ),
                "dW2_from_dA2": (
                    lambda dA2, A1: dA2.T @ A1,
                    "W2 acts before the output's σ. This gradient starts behind it, so a link of the chain is missing.",
                ),
                "dW2_last_sample": (lambda dZ2, A1: _last(dZ2).T @ A1, _LAST_SAMPLE),
                "dW2_mean_twice": (lambda dZ2, A1: dZ2.T @ A1 / len(A1), _TWICE_1_N),
            },
        ),
        Step(
            "db2",
            lambda dZ2: dZ2.sum(axis=0),
            share=0.5,
            mistakes={
                "db2_not_summed": (lambda dZ2: dZ2, _BIAS_NOT_SUMMED),
                "db2_wrong_axis": (lambda dZ2: dZ2.sum(axis=1), _COLUMN_SUM),
                "db2_mean": (lambda dZ2: dZ2.mean(axis=0), _BIAS_MEAN),
                "db2_last_sample": (lambda dZ2: dZ2[-1], _LAST_SAMPLE),
                "db2_from_dA2": (
                    lambda dA2: dA2.sum(axis=0),
                    "b2 is added before the output's σ. This gradient starts behind it, so a link of the chain is "
                    "missing.",
                ),
            },
        ),
        Step(
            "dA1",
            lambda dZ2, W2: dZ2 @ W2,
            mistakes={
                "W2_transposed_for_rows": (
                    lambda dZ2, W2: dZ2 @ W2.T,
                    "The order of the factors is not that of the one-sample formula: here samples are rows. Count the "
                    "columns: dA1 needs one per hidden unit, each a sum over the outputs.",
                ),
                "sent_back_dA2": (lambda dA2, W2: dA2 @ W2, _FROM_DA2),
                "updated_W2_too_early": (lambda dZ2, W2, dW2: dZ2 @ (W2 - dW2), _USED_UPDATED),
                "forgot_W2": (
                    lambda dZ2, W2: np.repeat(dZ2.sum(axis=1, keepdims=True), W2.shape[1], axis=1),
                    _SKIPPED_W2,
                ),
            },
        ),
        Step(
            "dZ1",
            lambda dA1, A1: dA1 * _slope(A1),
            mistakes={
                "forgot_hidden_slope": (lambda dA1: dA1, _FORGOT_SLOPE_1),
                "hidden_slope_is_sigmoid": (lambda dA1, A1: dA1 * A1, _SLOPE_IS_SIGMOID),
                "hidden_slope_is_complement": (lambda dA1, A1: dA1 * (1 - A1), _SLOPE_IS_COMPLEMENT),
                "hidden_slope_at_z": (lambda dA1, Z1: dA1 * _slope(Z1), _SLOPE_AT_Z),
                "hidden_slope_at_a": (lambda dA1, A1: dA1 * _slope(sigmoid(A1)), _SLOPE_AT_A),
                "output_slope_in_hidden": (lambda dA1, A2: dA1 * _slope(A2), _OUTPUT_SLOPE_IN_HIDDEN),
            },
        ),
        Step(
            "dW1",
            lambda dZ1, X: dZ1.T @ X,
            mistakes={
                "dW1_transposed": (lambda dZ1, X: X.T @ dZ1, _OUTER_TRANSPOSED),
                "dW1_with_A1": (
                    lambda dZ1, A1: dZ1.T @ A1,
                    "W1 multiplies the input X. The gradient of a weight carries what that weight multiplies.",
                ),
                "dW1_from_dA1": (
                    lambda dA1, X: dA1.T @ X,
                    "W1 acts before the hidden σ. This gradient starts behind it, so a link of the chain is missing.",
                ),
                "dW1_last_sample": (lambda dZ1, X: _last(dZ1).T @ X, _LAST_SAMPLE),
                "dW1_mean_twice": (lambda dZ1, X: dZ1.T @ X / len(X), _TWICE_1_N),
            },
        ),
        Step(
            "db1",
            lambda dZ1: dZ1.sum(axis=0),
            share=0.5,
            mistakes={
                "db1_not_summed": (lambda dZ1: dZ1, _BIAS_NOT_SUMMED),
                "db1_wrong_axis": (lambda dZ1: dZ1.sum(axis=1), _COLUMN_SUM),
                "db1_mean": (lambda dZ1: dZ1.mean(axis=0), _BIAS_MEAN),
                "db1_last_sample": (lambda dZ1: dZ1[-1], _LAST_SAMPLE),
                "db1_copied_from_db2": (
                    lambda db2: db2,
                    "Both bias gradients are the same line. Each layer's bias gets the gradient of its own "
                    "pre-activation.",
                ),
                "db1_from_dA1": (
                    lambda dA1: dA1.sum(axis=0),
                    "b1 is added before the hidden σ. This gradient starts behind it, so a link of the chain is "
                    "missing.",
                ),
            },
        ),
    ),
    hints=(
        "Take the one-sample version and give every quantity a row per sample. Which of them are shared by all "
        "samples, and what happens to their gradients?",
        "Sums over samples become matrix products: dW2 = dZ2ᵀ A1 adds up all outer products at once. The 1/n enters "
        "once, at the very start. Biases are shared by all rows, so their gradients are summed over the batch.",
        "`dZ2 = (A2 - Y) / len(X) * A2 * (1 - A2)`, `dZ1 = (dZ2 @ W2) * A1 * (1 - A1)`; then `dZ.T @ (the layer's "
        "input)` for the weights and `dZ.sum(axis=0)` for the biases.",
    ),
    objective="Derive and implement the backward pass for a batch",
    difficulty=3,
    minutes=20,
)


def _activations(X: Any, weights: Any, biases: Any) -> list[Any]:
    """The input and every layer's activation."""
    found = [X]
    for W, b in zip(weights, biases, strict=True):
        found.append(sigmoid(found[-1] @ W.T + b))
    return found


def _deltas(dZ: Any, activations: Any, weights: Any, local: Any = _slope) -> list[Any]:
    """dL/dZ of every layer, from that of the last one; ``local`` gives σ′ from an activation."""
    found = [dZ]
    for A, W in zip(activations[-2:0:-1], weights[:0:-1], strict=True):
        found.insert(0, (found[0] @ W) * local(A))
    return found


def _deep(draw: Draw) -> Environment:
    n, *sizes = draw.sizes(draw.turn(4, 5, 6))
    pairs = list(itertools.pairwise(sizes))
    return {
        "X": draw.normal(n, sizes[0]),
        "Y": draw.uniform(0.1, 0.9, n, sizes[-1]),
        "weights": [draw.weights(d_out, d_in) for d_in, d_out in pairs],
        "biases": [draw.nonzero(d_out) for _, d_out in pairs],
    }


_BACKPROP_DEEP = Exercise(
    id="05.backprop_deep",
    title="Backpropagation through any number of layers",
    points=5,
    function="backprop_deep",
    inputs=("X", "Y", "weights", "biases"),
    returns=("dWs", "dbs"),
    draw=_deep,
    loss=lambda X, Y, weights, biases: np.sum((_activations(X, weights, biases)[-1] - Y) ** 2) / (2 * len(X)),
    wrt={"dWs": "weights", "dbs": "biases"},
    amplify=("Y",),
    steps=(
        Step("activations", _activations, share=0),
        Step(
            "dA",
            lambda activations, Y: (activations[-1] - Y) / len(Y),
            mistakes={
                "negated_error": (lambda activations, Y: (Y - activations[-1]) / len(Y), _WRONG_SIGN),
                "forgot_mean": (
                    lambda activations, Y: activations[-1] - Y,
                    "Every gradient is too large by the number of samples: the loss is a mean over the batch, and "
                    "its 1/n stays when it is differentiated.",
                ),
                "extra_factor_two": (lambda activations, Y: 2 * (activations[-1] - Y) / len(Y), _LOST_HALF),
            },
        ),
        Step(
            "dZ",
            lambda dA, activations: dA * _slope(activations[-1]),
            mistakes={
                "forgot_output_slope": (lambda dA: dA, _FORGOT_SLOPE_2.replace(" z2", "")),
                "output_slope_is_sigmoid": (lambda dA, activations: dA * activations[-1], _SLOPE_IS_SIGMOID),
                "output_slope_at_a": (lambda dA, activations: dA * _slope(sigmoid(activations[-1])), _SLOPE_AT_A),
            },
        ),
        Step(
            "dZs",
            lambda dZ, activations, weights: _deltas(dZ, activations, weights),
            share=1.5,
            mistakes={
                "forgot_hidden_slopes": (
                    lambda dZ, activations, weights: _deltas(dZ, activations, weights, np.ones_like),
                    "Every hidden layer went through σ, and the way back has to go through every one of them: a "
                    "link of the chain is missing in the loop.",
                ),
                "hidden_slope_is_sigmoid": (
                    lambda dZ, activations, weights: _deltas(dZ, activations, weights, lambda A: A),
                    _SLOPE_IS_SIGMOID,
                ),
                "hidden_slope_at_a": (
                    lambda dZ, activations, weights: _deltas(dZ, activations, weights, lambda A: _slope(sigmoid(A))),
                    _SLOPE_AT_A,
                ),
                "transposed_on_the_way_back": (
                    lambda dZ, activations, weights: _deltas(dZ, activations, [W.T for W in weights]),
                    "The order of the factors is not that of the one-sample formula: here samples are rows. Count the "
                    "columns of each dZ: one per unit of its layer.",
                ),
            },
        ),
        Step(
            "dWs",
            lambda dZs, activations: [dZ.T @ A for dZ, A in zip(dZs, activations[:-1], strict=True)],
            mistakes={
                "dWs_transposed": (
                    lambda dZs, activations: [A.T @ dZ for dZ, A in zip(dZs, activations[:-1], strict=True)],
                    _OUTER_TRANSPOSED,
                ),
                "dWs_with_own_activation": (
                    lambda dZs, activations: [dZ.T @ A for dZ, A in zip(dZs, activations[1:], strict=True)],
                    "A layer's weights multiply its input, which is the activation of the layer before. Here its "
                    "own output was used: the index of the activations is one off.",
                ),
                "dWs_reversed": (
                    lambda dZs, activations: [dZ.T @ A for dZ, A in zip(dZs[::-1], activations[-2::-1], strict=True)],
                    "The gradients are right and come in the order in which the backward pass finds them, last "
                    "layer first. They belong in the order of the weights.",
                ),
            },
        ),
        Step(
            "dbs",
            lambda dZs: [dZ.sum(axis=0) for dZ in dZs],
            share=0.5,
            mistakes={
                "dbs_not_summed": (lambda dZs: list(dZs), _BIAS_NOT_SUMMED),
                "dbs_wrong_axis": (lambda dZs: [dZ.sum(axis=1) for dZ in dZs], _COLUMN_SUM),
                "dbs_mean": (lambda dZs: [dZ.mean(axis=0) for dZ in dZs], _BIAS_MEAN),
                "dbs_reversed": (
                    lambda dZs: [dZ.sum(axis=0) for dZ in dZs[::-1]],
                    "The bias gradients come in the order in which the backward pass finds them, last layer first. "
                    "They belong in the order of the biases.",
                ),
            },
        ),
    ),
    hints=(
        "Nothing new happens in a deeper network: the step from layer 2 to layer 1 is repeated. What does each "
        "round of the loop need from the forward pass?",
        "Keep all activations, the input included. Start with dZ of the last layer. In every round: this layer's dW "
        "and db, then dZ of the layer below, through W and σ′.",
        "Begin with `dWs, dbs = [None] * len(weights), [None] * len(weights)`. Loop "
        "`for layer in reversed(range(len(weights)))`. Inside: `dWs[layer] = dZ.T @ activations[layer]`, "
        "`dbs[layer] = dZ.sum(axis=0)`, and if `layer > 0`: `dZ = (dZ @ weights[layer]) * A * (1 - A)` with "
        "`A = activations[layer]`.",
    ),
    objective="Implement backpropagation for any depth",
    difficulty=3,
    minutes=20,
)

_CROSS_ENTROPY = Exercise(
    id="05.cross_entropy_delta",
    title="Cross-entropy instead of squared error",
    points=3,
    function="cross_entropy_delta",
    inputs=("Z2", "Y"),
    returns=("dZ2",),
    draw=_labelled,
    # log(1 + exp(z)) − y z is −y log σ(z) − (1 − y) log(1 − σ(z)), without a logarithm of 0.
    loss=lambda Z2, Y: np.sum(np.log1p(np.exp(Z2)) - Y * Z2) / len(Z2),
    steps=(
        Step(
            "A2",
            lambda Z2: sigmoid(Z2),
            share=0.5,
            mistakes={
                "output_without_sigmoid": (
                    lambda Z2: Z2,
                    "Cross-entropy compares the target with a probability, a number between 0 and 1. Z2 can be any "
                    "number.",
                ),
            },
        ),
        Step(
            "error",
            lambda A2, Y: A2 - Y,
            mistakes={
                "negated_error": (lambda A2, Y: Y - A2, _WRONG_SIGN),
                "slope_does_not_cancel": (
                    lambda A2, Y: (A2 - Y) * _slope(A2),
                    "That is the squared error's formula. With cross-entropy, dL/da2 has σ′ in its denominator, and "
                    "the two cancel.",
                ),
                "slope_divided_twice": (
                    lambda A2, Y: (A2 - Y) / _slope(A2),
                    "This is dL/da2, the derivative with respect to the output. One more link leads to z2, and it "
                    "cancels the denominator.",
                ),
                "target_as_label_only": (
                    lambda A2, Y: -Y * (1 - A2),
                    "Only the first of the two terms of the loss is differentiated. Where the target is 0, the "
                    "second one counts.",
                ),
            },
        ),
        Step(
            "dZ2",
            lambda error: error / len(error),
            mistakes={
                "forgot_mean": (
                    lambda error: error,
                    "The loss is a mean over the samples, and its 1/n stays when it is differentiated.",
                ),
                "mean_over_entries": (
                    lambda error: error / error.size,
                    "The loss is a mean over the samples and a sum over the outputs. Here it is divided by the "
                    "number of all entries.",
                ),
                "mean_over_outputs": (
                    lambda error: error / error.shape[1],
                    "The loss is divided by the number of samples, the rows. Here it is divided by the number of "
                    "columns.",
                ),
            },
        ),
    ),
    hints=(
        "Write dL/da2 for L = −y log a − (1 − y) log(1 − a) on one line, as a single fraction. What is in its "
        "denominator?",
        "dL/da = (a − y) / (a (1 − a)). The next link of the chain is σ′(z) = a (1 − a).",
        "The product is `A2 - Y`, divided by the number of samples for the mean.",
    ),
    objective="See why σ and cross-entropy belong together",
    difficulty=3,
    minutes=5,
)

_WEIGHT_DECAY = Exercise(
    id="05.weight_decay",
    title="Weight decay's part of the gradient",
    points=2,
    function="with_weight_decay",
    inputs=("dW", "db", "W", "b", "strength"),
    returns=("dW_total", "db_total"),
    draw=_layer_with_gradients,
    # The loss's own part enters through its gradients; any loss with these will do, such as the linear one.
    loss=lambda dW, db, W, b, strength: np.sum(dW * W) + np.sum(db * b) + strength / 2 * np.sum(W**2),
    wrt={"dW_total": "W", "db_total": "b"},
    steps=(
        Step(
            "dW_total",
            lambda dW, W, strength: dW + strength * W,
            mistakes={
                "decay_left_out": (
                    lambda dW: dW,
                    "The penalty depends on W, so it has a gradient too; it is missing here.",
                ),
                "decay_doubled": (
                    lambda dW, W, strength: dW + 2 * strength * W,
                    "The penalty carries a ½, which cancels the 2 from the square.",
                ),
                "decay_kept_the_half": (
                    lambda dW, W, strength: dW + strength / 2 * W,
                    "The ½ of the penalty is still there. Differentiating the square brings a factor 2 down.",
                ),
                "decay_with_wrong_sign": (
                    lambda dW, W, strength: dW - strength * W,
                    "The penalty is added to the loss, so its gradient is added. (It is gradient descent that then "
                    "makes the weights smaller.)",
                ),
                "decay_divided_by_rows": (
                    lambda dW, W, strength: dW + strength * W / len(W),
                    "The penalty is no mean over anything: it is not divided.",
                ),
                "decay_alone": (
                    lambda W, strength: strength * W,
                    "That is the penalty's part alone. The gradient of a sum is the sum of the gradients.",
                ),
            },
        ),
        Step(
            "db_total",
            lambda db: db,
            mistakes={
                "decay_on_biases": (
                    lambda db, b, strength: db + strength * b,
                    "Look at the penalty once more: which of the parameters occur in it? The others have nothing to "
                    "do with it.",
                ),
                "biases_without_gradient": (
                    lambda db: np.zeros_like(db),
                    "The penalty does not touch the biases, but the data's part of the gradient is still there.",
                ),
            },
        ),
    ),
    hints=(
        "The loss is a sum of two parts: the data's and the penalty's. What is the gradient of a sum?",
        "The derivative of ½ λ w² with respect to w is λ w. The biases do not occur in the penalty.",
        "Return `dW + strength * W` and `db` as it came.",
    ),
    objective="Add a penalty's gradient to the loss's",
    difficulty=2,
    minutes=5,
)

_ZERO_WEIGHTS = prediction(
    "05.zero_weights",
    title="An output layer of zeros",
    points=1,
    function="zero_gradients",
    question="All weights of the output layer are zero, $W_2 = 0$; everything else stays. The output is still wrong. "
    "Which gradients are zero?",
    options={
        "a": "all four",
        "b": "`dW1` and `db1`",
        "c": "`dW2` and `db2`",
        "d": "`dW1` and `dW2`: the gradients of weights",
        "e": "none",
    },
    right="b",
    wrong={
        "a": (
            "nothing_learns",
            "The output layer's own gradients do not contain W2: their factors are the hidden activations and dL/dz2, "
            "and neither is zero.",
        ),
        "c": (
            "own_gradient_is_zero",
            "A gradient does not contain the value of the parameter it belongs to. dL/dW2 multiplies the hidden "
            "activations by dL/dz2. Ask instead which paths lead *through* W2.",
        ),
        "d": (
            "weights_and_biases_apart",
            "A layer's weights and its bias stand at the same place of the chain: what reaches one reaches the other.",
        ),
        "e": (
            "zero_is_overlooked",
            "Along a path the factors are multiplied, and every path from the hidden layer to the loss has a weight of "
            "W2 among its factors.",
        ),
    },
    hints=(
        "For each of the four, write down the factors along the path to the loss. Which of them are zero?",
        "dW2 is made of dz2 and a1; dW1 is made of dz2, W2, σ′ and x.",
        "A product is zero as soon as one factor is: look for W2 among the factors.",
    ),
    objective="See which paths a weight lies on",
    difficulty=1,
    minutes=3,
)

_ORDER_BACKWARD = order(
    "05.order_backward",
    title="The backward pass, line by line",
    points=2,
    function="backward_order",
    question="These are the lines of the backward pass for one sample, and after it the updates: each takes a step "
    "against a gradient, `rate` times as long as it is. Put them in an order that computes; the forward pass has been "
    "done. Some lines are wrong and stay out.",
    lines=(
        Line(
            "dz2",
            "`dz2 = (a2 - y) * a2 * (1 - a2)`",
            wrong={
                "no_output_slope": ("`dz2 = a2 - y`", _FORGOT_SLOPE_2),
                "negated_error": ("`dz2 = (y - a2) * a2 * (1 - a2)`", _WRONG_SIGN),
            },
        ),
        Line(
            "dW2",
            "`dW2 = np.outer(dz2, a1)`",
            after=("dz2",),
            wrong={"outer_transposed": ("`dW2 = np.outer(a1, dz2)`", _OUTER_TRANSPOSED)},
        ),
        Line(
            "da1", "`da1 = W2.T @ dz2`", after=("dz2",), wrong={"not_transposed": ("`da1 = W2 @ dz2`", _NOT_TRANSPOSED)}
        ),
        Line(
            "dz1",
            "`dz1 = da1 * a1 * (1 - a1)`",
            after=("da1",),
            wrong={"slope_of_the_output": ("`dz1 = da1 * a2 * (1 - a2)`", _OUTPUT_SLOPE_IN_HIDDEN)},
        ),
        Line(
            "dW1",
            "`dW1 = np.outer(dz1, x)`",
            after=("dz1",),
            wrong={
                "wrong_input": (
                    "`dW1 = np.outer(dz1, a1)`",
                    "A weight's gradient contains what that weight multiplies, and W1 multiplies the input x.",
                )
            },
        ),
        Line("W2", "`W2 = W2 - rate * dW2`", after=("dW2", "da1")),
        Line("W1", "`W1 = W1 - rate * dW1`", after=("dW1",)),
    ),
    misplaced={
        "W2_updated_too_early": ("W2", "da1", _USED_UPDATED),
        "W1_updated_without_gradient": ("W1", "dW1", "W1 is updated with a gradient that has not been computed yet."),
    },
    hints=(
        "Begin at the loss and go backwards through the chain. Which line needs nothing but the forward pass?",
        "A line can stand anywhere after the lines whose values it uses. W2 may change only when nothing needs the old "
        "one any more.",
        "First dz2; then dW2 and da1; then dz1 and dW1; the updates come last.",
    ),
    objective="Put the backward pass in its order",
    difficulty=2,
    minutes=5,
)


def _with_few_mistakes(step: Step) -> Step:
    """A step with the mistakes that somebody may make while repairing; all of them are in 05.backprop_batch."""
    kept = {name: mistake for n, (name, mistake) in enumerate(step.mistakes.items()) if n < 2 or name == "db1_mean"}
    return replace(step, mistakes=kept)


_REPAIR = replace(
    _BACKPROP_BATCH,
    id="05.repair_batch",
    title="Two slips in a backward pass",
    points=2,
    function="broken_backprop",
    steps=tuple(_with_few_mistakes(step) for step in _BACKPROP_BATCH.steps),
    kind=Fix(
        planted=("forgot_hidden_slope", "db1_mean"),
        code="""def broken_backprop(X, Y, W1, b1, W2, b2):
    \"\"\"All gradients of a batch. Two lines are wrong; the loss falls all the same.\"\"\"
    A1 = sigmoid(X @ W1.T + b1)
    A2 = sigmoid(A1 @ W2.T + b2)
    dZ2 = (A2 - Y) / len(X) * A2 * (1 - A2)
    dW2 = dZ2.T @ A1
    db2 = dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2
    dW1 = dZ1.T @ X
    db1 = dZ1.mean(axis=0)
    return dW1, db1, dW2, db2
""",
    ),
    hints=(
        "Run the check and read which values are wrong. Values that are right need no look.",
        "dW1 and db1 are wrong, dW2 and db2 right: look behind the line for db2. Every link of the chain is one "
        "factor, and a bias is shared by all rows.",
        "Between dA1 and dZ1 lies the hidden layer's σ. And gradients of biases are summed over the batch: the 1/n is "
        "in dZ2 already.",
    ),
    objective="Find what is wrong in somebody else's gradient",
    difficulty=2,
    minutes=6,
)

_CROSS_ENTROPY_LINES = Exercise(
    id="05.cross_entropy_lines",
    title="Cross-entropy and σ on paper",
    points=3,
    function="cross_entropy_lines",
    inputs=("a", "y"),
    returns=("dl_da", "da_dz", "dl_dz"),
    draw=lambda draw: {"a": draw.uniform(0.1, 0.9, 12), "y": draw.uniform(0.1, 0.9, 12)},
    kind=Derivation(),
    steps=(
        Step(
            "dl_da",
            lambda a, y: (a - y) / (a * (1 - a)),
            spellings=(lambda a, y: -y / a + (1 - y) / (1 - a),),
            mistakes={
                "first_term_only": (
                    lambda a, y: -y / a,
                    "The loss has two terms. Where the target is 0, the second counts.",
                ),
                "second_sign_lost": (
                    lambda a, y: -y / a - (1 - y) / (1 - a),
                    "The inner derivative of log(1 − a) is −1: it turns the sign of the second term round.",
                ),
                "loss_negated": (
                    lambda a, y: y / a - (1 - y) / (1 - a),
                    "Both terms of the loss carry a minus, and it stays when they are differentiated.",
                ),
                "squared_error": (lambda a, y: a - y, "That is the derivative of half the squared error."),
            },
        ),
        Step(
            "da_dz",
            lambda a: a * (1 - a),
            mistakes={
                "slope_is_sigmoid": (lambda a: a, _SLOPE_IS_SIGMOID),
                "slope_is_complement": (lambda a: 1 - a, _SLOPE_IS_COMPLEMENT),
                "slope_is_one": (lambda a: a / a, "Between z and a lies σ, and its slope is not 1."),
            },
        ),
        Step(
            "dl_dz",
            lambda dl_da, da_dz: dl_da * da_dz,
            mistakes={
                "links_added": (lambda dl_da, da_dz: dl_da + da_dz, "One link after the other multiplies."),
                "stopped_at_a": (lambda dl_da: dl_da, "This is still dℓ/da: the last link, from a to z, is missing."),
                "divided_by_slope": (
                    lambda dl_da, da_dz: dl_da / da_dz,
                    "The local derivative is a factor, no divisor.",
                ),
                "slope_squared": (lambda dl_da, da_dz: dl_da * da_dz**2, "The slope of σ is there twice."),
            },
        ),
    ),
    hints=(
        "Differentiate each of the two terms by itself. What is the inner derivative of log(1 − a)?",
        "dℓ/da = −y/a + (1 − y)/(1 − a). The next link is σ′, written with a. Then multiply, and simplify.",
        "`dl_da = (a - y) / (a * (1 - a))`, `da_dz = a * (1 - a)`; in the product the denominator cancels.",
    ),
    objective="Derive why σ and cross-entropy cancel",
    difficulty=2,
    minutes=6,
)

EXERCISES = [
    _OUTPUT_DELTA,
    _OUTPUT_LAYER,
    _HIDDEN_DELTA,
    _ZERO_WEIGHTS,
    _ORDER_BACKWARD,
    _BACKPROP_SAMPLE,
    _BACKPROP_BATCH,
    _REPAIR,
    _BACKPROP_DEEP,
    _CROSS_ENTROPY_LINES,
    _CROSS_ENTROPY,
    _WEIGHT_DECAY,
]
