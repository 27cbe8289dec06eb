"""Lesson 04: σ and its slope, the forward pass of the two-layer sigmoid network, and what a loss makes of its output.

The network of the seed article: z1 = W1 x + b1, a1 = σ(z1), z2 = W2 a1 + b2, a2 = σ(z2); a batch holds a sample in
every row. The article's formula ends with z2, its code with a2; the forward pass of a sample returns both. Losses are
means over samples and sums over outputs (Bishop, Pattern Recognition and Machine Learning, 2006, §5.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.exercises.drawing import Array, Draw
from autograder.exercises.formulas import Environment
from autograder.exercises.kinds import Derivation, Shapes, exp, prediction, shape, sigma
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Exercise, Step
from chainrule_lib.activations import sigmoid

WITHHELD = (*AUTODIFF, "chainrule_lib.network", "chainrule_lib.activations.sigmoid_derivative")
"""The lesson's cells compute with ``sigmoid``, ``forward_pass`` and the losses, and compare with the gradients of the
losses, so these stay although exercises ask for them."""


def _slope(a: Any) -> Any:
    """σ′(z) written with the activation a = σ(z)."""
    return a * (1 - a)


def _softplus(z: Any) -> Any:
    """log(1 + e^z) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


# Explanations that serve in more than one exercise.
_SLOPE_IS_SIGMOID = (
    "The slope of σ is not σ itself. It is largest in the middle, where σ = ½, and tends to 0 on both sides; compare "
    "with the explorer's right-hand picture."
)
_SLOPE_IS_COMPLEMENT = (
    "Only half of σ′ is there. Written with the activation it is a product of two factors, because it has to vanish "
    "both where the unit is fully on and where it is fully off."
)
_SLOPE_AT_Z = (
    "The rule with two factors takes the activation a = σ(z), not the pre-activation z. Which of the two did you put "
    "in?"
)
_SLOPE_AT_A = (
    "σ was applied once too often: a is already σ(z), so this is the slope at another point. Either put z into σ′, or "
    "use the form of σ′ that is written with a."
)
_HIDDEN_WITHOUT_SIGMA = (
    "The hidden layer hands on its pre-activation. Every hidden unit passes σ before the next layer sees it; without "
    "that, two layers are no more than one."
)
_HIDDEN_TWICE = "The hidden layer passed σ twice. One layer is one affine map followed by one σ."
_HIDDEN_SLOPE = (
    "That is σ′, the slope of the hidden unit. The forward pass needs the value σ; slopes come in with the backward "
    "pass."
)
_OUTPUT_WITHOUT_SIGMA = (
    "This output is the article's formula, z = W2·σ(W1·x + b1) + b2. Its code, and this exercise, pass the output "
    "through σ as well."
)
_OUTPUT_TWICE = "The output passed σ twice. One layer is one affine map followed by one σ."
_BIAS_1_LEFT_OUT = (
    "The hidden layer has no bias. An affine map is a product plus a bias, and without it every hidden unit is ½ at x "
    "= 0."
)
_BIAS_2_LEFT_OUT = "The output layer has no bias. An affine map is a product plus a bias, in the second layer too."
_COPIED_W1 = (
    "The second layer is computed with the first layer's weights. Look for a line that was copied and changed only in "
    "part."
)
_COPIED_B1 = "The second layer adds the first layer's bias. Look for a line that was copied and changed only in part."
_WRONG_SIGN = (
    "The sign is turned round. The loss grows when the output moves away from its target, so the gradient is positive "
    "where the output is too large. Check which of the two is subtracted from which."
)
_FORGOT_MEAN = "The loss is a mean over the samples: its 1/n is missing here."
_MEAN_OVER_ENTRIES = (
    "This is a mean over all entries. The course's losses are a mean over the samples and a sum over the outputs: "
    "which of the two sizes is n?"
)
_MEAN_OVER_OUTPUTS = (
    "This divides by the number of outputs, the columns. The mean is over the samples, and a sample is a row."
)


def _logits(draw: Draw) -> Environment:
    """Moderate numbers of both signs, with a small, a smaller, and a huge one on either side of 0."""
    sizes = [2 * draw.nonzero(draw.sizes(1)[0])]
    for low, high in ((0.2, 0.9), (0.01, 0.1), (750, 900)):
        sizes += [draw.uniform(low, high, 1), -draw.uniform(low, high, 1)]
    return {"z": draw.rng.permutation(np.concatenate(sizes))}


def _by_sign(z: Any) -> Any:
    """σ(z) as one writes it without overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (1 + e)


_STABLE_SIGMOID = Exercise(
    id="04.stable_sigmoid",
    title="A sigmoid that does not overflow",
    points=2,
    function="stable_sigmoid",
    inputs=("z",),
    returns=("a",),
    draw=_logits,
    quiet=True,
    steps=(
        Step(
            "a",
            lambda z: sigmoid(z),
            spellings=(lambda z: _by_sign(z),),
            mistakes={
                "overflow_at_large_z": (
                    lambda z: np.exp(z) / (1 + np.exp(z)),
                    "For a large positive z this becomes infinity divided by infinity, which is nan. An exponential "
                    "stays finite where its exponent is not positive: let the sign of z decide how σ is written.",
                ),
                "positive_form_for_both_signs": (
                    lambda z: 1 / (1 + np.exp(-np.abs(z))),
                    "Where z is positive this is right; where z is negative it is σ(−z). The two signs need "
                    "different numerators over the same denominator.",
                ),
                "negative_form_for_both_signs": (
                    lambda z: np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))),
                    "Where z is negative this is right; where z is positive it is σ(−z). The two signs need "
                    "different numerators over the same denominator.",
                ),
                "branches_swapped": (
                    lambda z: sigmoid(-z),
                    "This is σ(−z): it falls where σ rises. Either the two branches are exchanged, or a sign in the "
                    "exponent is.",
                ),
                "denominator_left_out": (
                    lambda z: np.where(z < 0, np.exp(-np.abs(z)), 1.0),
                    "That is the numerator alone. What do both ways of writing σ divide by?",
                ),
                "minus_in_the_denominator": (
                    lambda z: np.where(z < 0, np.exp(-np.abs(z)), 1.0) / (1 - np.exp(-np.abs(z))),
                    "The denominator is a sum, not a difference. σ(0) has to come out as ½.",
                ),
                "hyperbolic_tangent": (
                    lambda z: np.tanh(z),
                    "That is tanh, which runs from −1 to 1. σ has the same S-shape and runs from 0 to 1.",
                ),
            },
        ),
    ),
    hints=(
        "`e` is e^(−|z|). For a positive z, is that e^(−z) or e^z? And for a negative one?",
        "Where z ≥ 0, σ = 1 / (1 + e^(−z)), and e^(−z) is `e`. Where z < 0, multiply numerator and denominator by "
        "e^z: σ = e^z / (1 + e^z), and now e^z is `e`. `np.where(condition, this, that)` chooses entry by entry.",
        "`return np.where(z < 0, e, 1) / (1 + e)`",
    ),
    objective="Evaluate σ for any number without overflow",
    difficulty=1,
    minutes=5,
)

_SIGMOID_SLOPE = Exercise(
    id="04.sigmoid_slope",
    title="The slope of the sigmoid",
    points=2,
    function="sigmoid_slope",
    inputs=("z",),
    returns=("da_dz",),
    draw=lambda draw: {"z": 2 * draw.nonzero(draw.sizes(1)[0])},
    loss=lambda z: np.sum(sigmoid(z)),
    wrt={"da_dz": "z"},
    steps=(
        Step("a", lambda z: sigmoid(z), share=0),
        Step(
            "da_dz",
            lambda a: _slope(a),
            mistakes={
                "slope_is_sigmoid": (lambda a: a, _SLOPE_IS_SIGMOID),
                "slope_is_complement": (lambda a: 1 - a, _SLOPE_IS_COMPLEMENT),
                "slope_at_z": (lambda z: _slope(z), _SLOPE_AT_Z),
                "slope_at_a": (lambda a: _slope(sigmoid(a)), _SLOPE_AT_A),
                "slope_negated": (
                    lambda a: -_slope(a),
                    "σ rises everywhere, so its slope is never negative. Two minus signs meet in the derivation, one "
                    "from the reciprocal and one from e^(−z); did both get through?",
                ),
                "outer_derivative_alone": (
                    lambda a: -(a**2),
                    "That is −1/u², the derivative of the reciprocal alone. By the chain rule it is multiplied by "
                    "du/dz, the derivative of u = 1 + e^(−z).",
                ),
                "slope_of_tanh": (
                    lambda a: 1 - a**2,
                    "1 − a² is the rule for tanh. The rule for σ is a product of the activation and what is missing "
                    "to 1.",
                ),
                "plus_for_minus": (
                    lambda a: a * (1 + a),
                    "The slope has to vanish where the unit is fully on, at a = 1. Look at the sign between the two "
                    "numbers in the second factor.",
                ),
            },
        ),
    ),
    hints=(
        "Look at the end of the derivation above: two factors, both written with σ(z).",
        "σ′(z) = σ(z) (1 − σ(z)). The value a = σ(z) is already there.",
        "`return a * (1 - a)`",
    ),
    objective="Compute σ′ from the activation",
    difficulty=1,
    minutes=4,
)


def _parameters(draw: Draw, d: int, h: int, c: int) -> Environment:
    """Weights and biases of a two-layer network from d inputs through h hidden units to c outputs."""
    return {
        "W1": draw.weights(h, d),
        "b1": draw.nonzero(h),
        "W2": draw.weights(c, h),
        "b2": draw.nonzero(c),
    }


def _sample(draw: Draw) -> Environment:
    d, h, c = draw.sizes(3)
    return {"x": draw.nonzero(d), **_parameters(draw, d, h, c)}


def _batch(draw: Draw) -> Environment:
    n, d, h, c = draw.sizes(4)
    return {"X": draw.nonzero(n, d), **_parameters(draw, d, h, c)}


_FORWARD_SAMPLE = Exercise(
    id="04.forward_sample",
    title="The forward pass of one sample",
    points=3,
    function="forward_sample",
    inputs=("x", "W1", "b1", "W2", "b2"),
    returns=("z1", "a1", "z2", "a2"),
    draw=_sample,
    steps=(
        Step(
            "z1",
            lambda W1, x, b1: W1 @ x + b1,
            share=0.1,  # given in the lesson
            mistakes={
                "bias_1_left_out": (lambda W1, x: W1 @ x, _BIAS_1_LEFT_OUT),
                "W1_transposed": (
                    lambda W1, x, b1: W1.T @ x + b1,
                    "W1 has a row for every hidden unit and a column for every input. Which of the two has to meet the "
                    "entries of x in the product?",
                ),
                "bias_1_for_every_input": (
                    lambda W1, x, b1: W1 @ x + len(x) * b1,
                    "The bias of a hidden unit came in once for every input. It stands outside the sum over the "
                    "inputs and is added once per unit.",
                ),
            },
        ),
        Step(
            "a1",
            lambda z1: sigmoid(z1),
            mistakes={
                "hidden_without_sigma": (lambda z1: z1, _HIDDEN_WITHOUT_SIGMA),
                "hidden_sigma_twice": (lambda z1: sigmoid(sigmoid(z1)), _HIDDEN_TWICE),
                "hidden_slope_for_value": (lambda z1: _slope(sigmoid(z1)), _HIDDEN_SLOPE),
            },
        ),
        Step(
            "z2",
            lambda W2, a1, b2: W2 @ a1 + b2,
            mistakes={
                "bias_2_left_out": (lambda W2, a1: W2 @ a1, _BIAS_2_LEFT_OUT),
                "z1_for_a1": (
                    lambda W2, z1, b2: W2 @ z1 + b2,
                    "The second layer sees the activations of the first, a1, not its pre-activations z1.",
                ),
                "input_for_a1": (
                    lambda W2, x, b2: W2 @ x + b2,
                    "The second layer sees the activations of the first, a1. Here it was given the input x.",
                ),
                "copied_W1": (lambda W1, a1, b2: W1 @ a1 + b2, _COPIED_W1),
                "copied_b1": (lambda W2, a1, b1: W2 @ a1 + b1, _COPIED_B1),
            },
        ),
        Step(
            "a2",
            lambda z2: sigmoid(z2),
            mistakes={
                "output_without_sigma": (lambda z2: z2, _OUTPUT_WITHOUT_SIGMA),
                "output_sigma_twice": (lambda z2: sigmoid(sigmoid(z2)), _OUTPUT_TWICE),
            },
        ),
    ),
    hints=(
        "The second layer does what the first one does, with its own weights and bias. What is its input?",
        "a1 = σ(z1), entry by entry; z2 = W2 a1 + b2; a2 = σ(z2).",
        "After `z1 = W1 @ x + b1`: `a1 = sigmoid(z1)`, `z2 = W2 @ a1 + b2`, `a2 = sigmoid(z2)`, and `return z1, a1, "
        "z2, a2`.",
    ),
    objective="Compute the forward pass of the two-layer network for one sample",
    difficulty=2,
    minutes=6,
)

_FORWARD_BATCH = Exercise(
    id="04.forward_batch",
    title="The forward pass of a batch",
    points=4,
    function="forward_batch",
    inputs=("X", "W1", "b1", "W2", "b2"),
    returns=("A1", "A2"),
    draw=_batch,
    steps=(
        Step(
            "Z1",
            lambda X, W1, b1: X @ W1.T + b1,
            mistakes={
                "W1_not_transposed": (
                    lambda X, W1, b1: X @ W1 + b1,
                    "X has a column for every input, and so has W1. In X @ W the columns of the first meet the rows "
                    "of the second: W1 has to be turned round first. (With a square W1 the wrong product goes "
                    "unnoticed.)",
                ),
                "W1_from_the_left": (
                    lambda X, W1, b1: W1 @ X + b1,
                    "W @ x is for one sample. In a batch the samples are the rows of X, so X stands on the left. "
                    "(With square matrices the wrong product goes unnoticed.)",
                ),
                "bias_1_left_out": (lambda X, W1: X @ W1.T, _BIAS_1_LEFT_OUT),
                "bias_1_for_every_input": (
                    lambda X, W1, b1: X @ W1.T + X.shape[1] * b1,
                    "The bias of a hidden unit came in once for every input. It stands outside the sum over the "
                    "inputs and is added once per unit and sample.",
                ),
                "bias_1_down_the_rows": (
                    lambda X, W1, b1: X @ W1.T + b1[:, None],
                    "The bias went to the samples instead of the units. The hidden units are the columns of Z1, and "
                    "b1 of shape (h,) goes along them by itself.",
                ),
                "biases_1_summed": (
                    lambda X, W1, b1: X @ W1.T + np.sum(b1),
                    "All hidden units share one bias here, the sum of all. Every unit has its own entry of b1.",
                ),
            },
        ),
        Step(
            "A1",
            lambda Z1: sigmoid(Z1),
            mistakes={
                "hidden_without_sigma": (lambda Z1: Z1, _HIDDEN_WITHOUT_SIGMA),
                "hidden_sigma_twice": (lambda Z1: sigmoid(sigmoid(Z1)), _HIDDEN_TWICE),
                "hidden_slope_for_value": (lambda Z1: _slope(sigmoid(Z1)), _HIDDEN_SLOPE),
            },
        ),
        Step(
            "Z2",
            lambda A1, W2, b2: A1 @ W2.T + b2,
            mistakes={
                "W2_not_transposed": (
                    lambda A1, W2, b2: A1 @ W2 + b2,
                    "A1 has a column for every hidden unit, and so has W2. In A1 @ W the columns of the first meet "
                    "the rows of the second: W2 has to be turned round first.",
                ),
                "bias_2_left_out": (lambda A1, W2: A1 @ W2.T, _BIAS_2_LEFT_OUT),
                "Z1_for_A1": (
                    lambda Z1, W2, b2: Z1 @ W2.T + b2,
                    "The second layer sees the activations of the first, A1, not its pre-activations Z1.",
                ),
                "copied_W1": (lambda A1, W1, b2: A1 @ W1.T + b2, _COPIED_W1),
                "copied_b1": (lambda A1, W2, b1: A1 @ W2.T + b1, _COPIED_B1),
                "biases_2_summed": (
                    lambda A1, W2, b2: A1 @ W2.T + np.sum(b2),
                    "All outputs share one bias here, the sum of all. Every output has its own entry of b2.",
                ),
            },
        ),
        Step(
            "A2",
            lambda Z2: sigmoid(Z2),
            mistakes={
                "output_without_sigma": (lambda Z2: Z2, _OUTPUT_WITHOUT_SIGMA),
                "output_sigma_twice": (lambda Z2: sigmoid(sigmoid(Z2)), _OUTPUT_TWICE),
            },
        ),
    ),
    hints=(
        "Write down the shapes: X is (n, d), W1 is (h, d), and Z1 has a row per sample and a column per hidden unit.",
        "Z1 = X W1ᵀ + b1: the transpose lets the inputs, columns of both, be summed over. b1, one number per column, "
        "is added to every row by broadcasting. The second layer does the same with A1.",
        "`A1 = sigmoid(X @ W1.T + b1)`, `A2 = sigmoid(A1 @ W2.T + b2)`, `return A1, A2`.",
    ),
    objective="Compute the forward pass of the two-layer network for a batch",
    difficulty=3,
    minutes=10,
)


def _outputs_and_targets(draw: Draw) -> Environment:
    n, c = draw.sizes(2)
    return {"A": draw.uniform(0.1, 0.9, n, c), "Y": draw.uniform(0.1, 0.9, n, c)}


_SQUARED_ERROR = Exercise(
    id="04.squared_error",
    title="The half squared error of a batch",
    points=2,
    function="squared_error",
    inputs=("A", "Y"),
    returns=("L",),
    draw=_outputs_and_targets,
    steps=(
        Step(
            "total",
            lambda A, Y: np.sum((A - Y) ** 2),
            mistakes={
                "not_squared": (
                    lambda A, Y: np.sum(A - Y),
                    "Errors of opposite sign cancel here. Each one is squared before they are added.",
                ),
                "absolute_for_squared": (
                    lambda A, Y: np.sum(np.abs(A - Y)),
                    "These are the sizes of the errors. This loss adds up their squares.",
                ),
                "summed_before_squaring": (
                    lambda A, Y: np.sum(A - Y) ** 2,
                    "The errors were added first, so that those of opposite sign cancel. Each one is squared by "
                    "itself.",
                ),
                "a_loss_for_every_output": (
                    lambda A, Y: np.sum((A - Y) ** 2, axis=0),
                    "There is one number for every output. A loss is a single number: the sum runs over the outputs "
                    "too.",
                ),
            },
        ),
        Step(
            "L",
            lambda total, A: total / (2 * len(A)),
            mistakes={
                "forgot_half": (
                    lambda total, A: total / len(A),
                    "The ½ in front is missing; it is there to cancel a 2 later.",
                ),
                "forgot_mean": (lambda total: total / 2, _FORGOT_MEAN),
                "mean_over_entries": (lambda total, A: total / (2 * A.size), _MEAN_OVER_ENTRIES),
                "mean_over_outputs": (lambda total, A: total / (2 * A.shape[1]), _MEAN_OVER_OUTPUTS),
                "multiplied_by_half_the_samples": (
                    lambda total, A: total / 2 * len(A),
                    "It was multiplied by n. In Python `x / 2 * n` means (x / 2) · n: where both belong under the "
                    "bar, put them in parentheses.",
                ),
            },
        ),
    ),
    hints=(
        "Start inside: the error of every entry, then its square. What is done over outputs, and what over samples?",
        "L = 1/(2n) · the sum over all entries of (A − Y)². The number of samples n is the number of rows.",
        "`return np.sum((A - Y) ** 2) / (2 * len(A))`",
    ),
    objective="Measure how far outputs are from their targets",
    difficulty=2,
    minutes=5,
)

_SQUARED_ERROR_GRADIENT = Exercise(
    id="04.squared_error_gradient",
    title="The gradient of the half squared error",
    points=2,
    function="squared_error_gradient",
    inputs=("A", "Y"),
    returns=("dA",),
    draw=_outputs_and_targets,
    loss=lambda A, Y: np.sum((A - Y) ** 2) / (2 * len(A)),
    amplify=("Y",),
    steps=(
        Step(
            "error",
            lambda A, Y: A - Y,
            mistakes={
                "negated_error": (lambda A, Y: Y - A, _WRONG_SIGN),
                "square_not_differentiated": (
                    lambda A, Y: (A - Y) ** 2,
                    "The error is still squared. Differentiating a square lowers the power by one.",
                ),
                "sign_of_the_error": (
                    lambda A, Y: np.sign(A - Y),
                    "Only the direction of the error is left. That is the derivative of its absolute value, not of "
                    "its square.",
                ),
                "target_left_out": (
                    lambda A: A,
                    "The target does not occur. It is a constant, but it stands inside the square, and the "
                    "derivative of the square is taken at A − Y.",
                ),
            },
        ),
        Step(
            "dA",
            lambda error: error / len(error),
            mistakes={
                "extra_factor_two": (
                    lambda error: 2 * error / len(error),
                    "There is an extra factor 2. It comes down from the square and meets the ½ in front of the loss.",
                ),
                "kept_the_half": (
                    lambda error: error / (2 * len(error)),
                    "The ½ of the loss is still there. A factor 2 comes down from the square and meets it.",
                ),
                "forgot_mean": (lambda error: error, _FORGOT_MEAN),
                "mean_over_entries": (lambda error: error / error.size, _MEAN_OVER_ENTRIES),
                "mean_over_outputs": (lambda error: error / error.shape[1], _MEAN_OVER_OUTPUTS),
                "averaged_over_samples": (
                    lambda error: error.mean(axis=0),
                    "The samples were averaged away. Every entry of A has its own influence on the loss, so dA has "
                    "the shape of A.",
                ),
            },
        ),
    ),
    hints=(
        "Choose one entry of A. It occurs in exactly one term of the sum; what is the derivative of that term?",
        "The derivative of ½ (a − y)² is a − y. The 1/n in front of the sum stays.",
        "`return (A - Y) / len(A)`",
    ),
    objective="Differentiate a loss with respect to the output of the network",
    difficulty=2,
    minutes=5,
)


def _wide_logits(draw: Draw) -> Environment:
    """Logits with targets: two entries are huge, one certain and right; the other is certain and wrong in every second
    case. In the others all losses are small, so that a small error shows too."""
    n, c = draw.sizes(2)
    Z = 2 * draw.nonzero(n, c)
    Y = (draw.normal(n, c) > 0).astype(float)
    Z[0, 0], Y[0, 0] = draw.uniform(750, 900), 1.0
    Z[-1, -1], Y[-1, -1] = -draw.uniform(750, 900), float(draw.number(1, 2) > 0)
    return {"Z": Z, "Y": Y}


def _from_probabilities(A: Array, Y: Array) -> Array:
    """The cross-entropy of every entry by its definition."""
    return -Y * np.log(A) - (1 - Y) * np.log(1 - A)


_CROSS_ENTROPY = Exercise(
    id="04.cross_entropy",
    title="Binary cross-entropy that never takes the logarithm of 0",
    points=3,
    function="cross_entropy_of_logits",
    inputs=("Z", "Y"),
    returns=("losses",),
    draw=_wide_logits,
    quiet=True,
    steps=(
        Step(
            "losses",
            lambda Z, Y: _softplus(Z) - Y * Z,
            spellings=(lambda Z, Y: np.maximum(Z, 0) - Y * Z + np.log1p(np.exp(-np.abs(Z))),),
            mistakes={
                "logarithm_of_zero": (
                    lambda Z, Y: _from_probabilities(sigmoid(Z), Y),
                    "The formula is right on paper. But where |Z| is large, σ(Z) is rounded to exactly 0 or 1, and "
                    "its logarithm is lost. Stay with Z: the derivation above gives a form without σ.",
                ),
                "small_number_in_the_logarithm": (
                    lambda Z, Y: -Y * np.log(sigmoid(Z) + 1e-12) - (1 - Y) * np.log(1 - sigmoid(Z) + 1e-12),
                    "The 1e-12 keeps the logarithm finite, and caps the loss: an entry that is certain and wrong "
                    "should cost about |Z|, not 28. Stay with Z: the derivation above gives a form without σ.",
                ),
                "overflow_at_large_Z": (
                    lambda Z, Y: np.log(1 + np.exp(Z)) - Y * Z,
                    "This is the loss written with Z, one step too early: e^Z overflows for a large Z. The last step "
                    "of the derivation takes the large part out of the logarithm.",
                ),
                "maximum_left_out": (
                    lambda Z, Y: np.log1p(np.exp(-np.abs(Z))) - Y * Z,
                    "Where Z is positive, something was taken out of the logarithm and not put back: the loss there "
                    "comes out too small, even negative.",
                ),
                "target_term_left_out": (
                    lambda Z: _softplus(Z),
                    "The target does not occur: this is the loss of an entry whose target is 0.",
                ),
                "target_term_added": (
                    lambda Z, Y: _softplus(Z) + Y * Z,
                    "Where the target is 1, the loss should fall as Z grows. Check the sign of the term with Y.",
                ),
                "targets_exchanged": (
                    lambda Z, Y: _softplus(Z) - (1 - Y) * Z,
                    "The two targets have changed places: where Y is 1, a large Z is good and should cost little.",
                ),
                "only_targets_of_one": (
                    lambda Z, Y: Y * _softplus(-Z),
                    "Only the entries with target 1 cost anything. The second term of the loss takes care of the "
                    "others.",
                ),
                "negated": (
                    lambda Z, Y: Y * Z - _softplus(Z),
                    "That is the logarithm of the probability, which is never positive. The loss is its negative.",
                ),
                "averaged_already": (
                    lambda Z, Y: np.sum(_softplus(Z) - Y * Z) / len(Z),
                    "That is the loss of the whole batch. Here the loss of every entry is asked for, in the shape of "
                    "Z.",
                ),
            },
        ),
    ),
    hints=(
        "The derivation above ends in a formula with three terms. None of them contains σ.",
        "max(z, 0) − y z + log(1 + e^(−|z|)). For arrays: `np.maximum`, `np.abs`, and `np.log1p(t)` for log(1 + t).",
        "`return np.maximum(Z, 0) - Y * Z + np.log1p(np.exp(-np.abs(Z)))`",
    ),
    objective="Evaluate the binary cross-entropy for any output",
    difficulty=3,
    minutes=8,
)


def _probabilities_and_labels(draw: Draw) -> Environment:
    n, c = draw.sizes(2)
    return {"A": draw.uniform(0.1, 0.9, n, c), "Y": (draw.normal(n, c) > 0).astype(float)}


_CROSS_ENTROPY_GRADIENT = Exercise(
    id="04.cross_entropy_gradient",
    title="The gradient of the binary cross-entropy",
    points=3,
    function="cross_entropy_gradient",
    inputs=("A", "Y"),
    returns=("dA",),
    draw=_probabilities_and_labels,
    loss=lambda A, Y: -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / len(A),
    steps=(
        Step(
            "derivative",
            lambda A, Y: (A - Y) / _slope(A),
            spellings=(lambda A, Y: -Y / A + (1 - Y) / (1 - A),),
            share=2.0,
            mistakes={
                "negated": (lambda A, Y: (Y - A) / _slope(A), _WRONG_SIGN),
                "sign_of_the_second_term": (
                    lambda A, Y: -Y / A - (1 - Y) / (1 - A),
                    "Where the target is 0, the sign is turned round. log(1 − a) has an inner derivative: that of 1 "
                    "− a.",
                ),
                "only_targets_of_one": (
                    lambda A, Y: -Y / A,
                    "Only the first of the two terms was differentiated. Where the target is 0, the second one counts.",
                ),
                "cancelled_too_early": (
                    lambda A, Y: A - Y,
                    "That is the gradient with respect to Z, where σ′ has cancelled the denominator. With respect to "
                    "A, the denominator is still there.",
                ),
                "multiplied_by_the_slope": (
                    lambda A, Y: (A - Y) * _slope(A),
                    "σ′ = a(1 − a) was multiplied in, as the squared error needs it on the way to Z. In this "
                    "derivative a(1 − a) comes from the two logarithms: on which side of the fraction bar?",
                ),
                "logarithm_not_differentiated": (
                    lambda A, Y: -Y * np.log(A) - (1 - Y) * np.log(1 - A),
                    "That is the loss itself. The derivative of log a is 1/a.",
                ),
                "denominator_of_the_first_term": (
                    lambda A, Y: (A - Y) / A,
                    "Over a common denominator, both of the denominators appear as factors. One of them is missing.",
                ),
            },
        ),
        Step(
            "dA",
            lambda derivative: derivative / len(derivative),
            mistakes={
                "forgot_mean": (lambda derivative: derivative, _FORGOT_MEAN),
                "mean_over_entries": (lambda derivative: derivative / derivative.size, _MEAN_OVER_ENTRIES),
                "mean_over_outputs": (lambda derivative: derivative / derivative.shape[1], _MEAN_OVER_OUTPUTS),
                "kept_a_half": (
                    lambda derivative: derivative / (2 * len(derivative)),
                    "There is a ½ too many. It belongs to the squared error; the cross-entropy has none.",
                ),
            },
        ),
    ),
    hints=(
        "Differentiate −y log a − (1 − y) log(1 − a) with respect to a, term by term. Mind the inner derivative of 1 "
        "− a.",
        "dL/da = −y/a + (1 − y)/(1 − a) = (a − y) / (a (1 − a)) for one entry. The mean over the samples stays in "
        "front.",
        "`return (A - Y) / (A * (1 - A)) / len(A)`",
    ),
    objective="Differentiate the binary cross-entropy with respect to the output",
    difficulty=3,
    minutes=8,
)


def _one_output(draw: Draw) -> Environment:
    (h,) = draw.sizes(1)
    return {"z1": 2 * draw.nonzero(h), "W2": draw.nonzero(h), "b2": draw.uniform(0.3, 0.8)}


_LOCAL_DERIVATIVES = Exercise(
    id="04.local_derivatives",
    title="How the output reacts: the local derivatives",
    points=3,
    function="local_derivatives",
    inputs=("z1", "W2", "b2"),
    returns=("dz2_dW2", "dz2_db2", "dz2_dz1"),
    draw=_one_output,
    loss=lambda z1, W2, b2: W2 @ sigmoid(z1) + b2,
    wrt={"dz2_dW2": "W2", "dz2_db2": "b2", "dz2_dz1": "z1"},
    steps=(
        Step("a1", lambda z1: sigmoid(z1), share=0),
        Step(
            "dz2_dW2",
            lambda a1: a1,
            mistakes={
                "z1_for_a1": (
                    lambda z1: z1,
                    "The derivative is what the weight multiplies, and W2 does not multiply the pre-activations.",
                ),
                "weight_itself": (
                    lambda W2: W2,
                    "That is the derivative with respect to a1. In the product W2·a1, the derivative with respect to "
                    "one factor is the other one.",
                ),
                "derivative_of_one": (
                    lambda a1: np.ones_like(a1),
                    "The weight is multiplied by something before it reaches z2, and its derivative is that something.",
                ),
                "hidden_slope_in_dW2": (
                    lambda a1: _slope(a1),
                    "Between W2 and z2 there is no σ: a1 is a given number here, and nothing is differentiated "
                    "inside the hidden unit.",
                ),
            },
        ),
        Step(
            "dz2_db2",
            lambda: 1.0,
            share=0.5,
            mistakes={
                "bias_itself": (
                    lambda b2: b2,
                    "That is the bias. The question is how much z2 changes for each unit by which the bias changes.",
                ),
                "bias_taken_for_a_constant": (
                    lambda: 0.0,
                    "Here b2 is the variable, not a constant: if it grows by some amount, by how much does z2 grow?",
                ),
                "bias_as_a_vector": (
                    lambda W2: np.ones_like(W2),
                    "There is one output and one bias, so this derivative is a single number.",
                ),
            },
        ),
        Step(
            "dz2_dz1",
            lambda W2, a1: W2 * _slope(a1),
            share=1.5,
            mistakes={
                "forgot_hidden_slope": (
                    lambda W2: W2,
                    "That is the derivative with respect to a1. From a1 to z1 the chain has one more link, the slope "
                    "of σ.",
                ),
                "forgot_W2": (
                    lambda a1: _slope(a1),
                    "That is the link from a1 to z1 alone. The one from z2 to a1 is missing: what multiplies a1?",
                ),
                "slope_is_sigmoid": (lambda W2, a1: W2 * a1, _SLOPE_IS_SIGMOID),
                "slope_is_complement": (lambda W2, a1: W2 * (1 - a1), _SLOPE_IS_COMPLEMENT),
                "slope_at_z": (lambda W2, z1: W2 * _slope(z1), _SLOPE_AT_Z),
                "slope_at_a": (lambda W2, a1: W2 * _slope(sigmoid(a1)), _SLOPE_AT_A),
                "summed_over_units": (
                    lambda W2, a1: np.sum(W2 * _slope(a1)),
                    "The hidden units were added up. Each of them has its own influence on z2, so there is one "
                    "number for each.",
                ),
            },
        ),
    ),
    hints=(
        "Write out z2 = W2[0]·a1[0] + W2[1]·a1[1] + … + b2 and ask of each letter: if it moves a little and the rest "
        "stays, how much does z2 move?",
        "∂z2/∂W2[j] = a1[j], ∂z2/∂b2 = 1, and by the chain rule ∂z2/∂z1[j] = ∂z2/∂a1[j] · ∂a1[j]/∂z1[j] = W2[j] · "
        "σ′(z1[j]).",
        "With `a1 = sigmoid(z1)`: `return a1, 1.0, W2 * a1 * (1 - a1)`",
    ),
    objective="Find the local derivatives that backpropagation multiplies",
    difficulty=3,
    minutes=9,
)

_SIGMOID_LINES = Exercise(
    id="04.sigmoid_lines",
    title="σ′ = σ(1 − σ), line by line",
    points=3,
    function="sigmoid_lines",
    inputs=("z", "u", "a"),
    returns=("du_dz", "da_du", "da_dz", "with_a"),
    # u is what it is, so that −e^(−z) may be written 1 − u; a is free, so that the last line has to be written with it.
    draw=lambda draw: (lambda z: {"z": z, "u": 1 + np.exp(-z), "a": draw.uniform(0.1, 0.9, 12)})(draw.nonzero(12)),
    kind=Derivation(uses={"du_dz": ("z",), "da_du": ("u",), "da_dz": ("z", "u"), "with_a": ("a",)}),
    steps=(
        Step(
            "du_dz",
            lambda z: -exp(-z),
            mistakes={
                "inner_sign_lost": (
                    lambda z: exp(-z),
                    "When z grows, e^(−z) falls, and u with it. What sign has this slope?",
                ),
                "power_rule": (
                    lambda z: -z * exp(-z - 1),
                    "That is the rule for a variable base. e^(−z) is an exponential.",
                ),
                "constant_kept": (lambda z: 1 - exp(-z), "The derivative of the constant 1 is 0."),
            },
        ),
        Step(
            "da_du",
            lambda u: -1 / u**2,
            mistakes={
                "outer_sign_lost": (lambda u: 1 / u**2, "1/u falls when u grows: its derivative is negative."),
                "logarithm": (lambda u: 1 / u, "This is 1/u itself, or the derivative of log u."),
                "not_squared": (lambda u: -1 / u, "1/u is u^(−1): the exponent goes down by one, to −2."),
            },
        ),
        Step(
            "da_dz",
            lambda da_du, du_dz: da_du * du_dz,
            mistakes={
                "links_added": (lambda da_du, du_dz: da_du + du_dz, "One link after the other multiplies."),
                "inner_forgotten": (lambda da_du: da_du, "This is da/du; the link from z to u is missing."),
            },
        ),
        Step(
            "with_a",
            lambda a: a * (1 - a),
            mistakes={
                "first_factor_only": (lambda a: a, _SLOPE_IS_SIGMOID),
                "second_factor_only": (lambda a: 1 - a, _SLOPE_IS_COMPLEMENT),
                "squared": (lambda a: a**2, "1/u² is a², but e^(−z) is there as well: write it with a, too."),
                "sigmoid_once_more": (lambda a: sigma(a) * (1 - sigma(a)), _SLOPE_AT_A),
            },
        ),
    ),
    hints=(
        "Two links: from z to u = 1 + e^(−z), and from u to a = 1/u. Differentiate each by itself.",
        "du/dz = −e^(−z), da/du = −1/u². In the product the signs cancel. For the last line, 1/u is a and e^(−z) is "
        "u − 1.",
        "`du_dz = -sympy.exp(-z)`, `da_du = -1 / u**2`, `da_dz = da_du * du_dz`, `with_a = a * (1 - a)`.",
    ),
    objective="Derive σ′ = σ(1 − σ)",
    difficulty=2,
    minutes=6,
)

_FORGOTTEN_TRANSPOSE = prediction(
    "04.forgotten_transpose",
    title="The forgotten transpose",
    points=1,
    function="without_transpose",
    question="Somebody writes `X @ W1 + b1` for the batch, without `.T`. In the article's network `W1` is (2, 2) and "
    "`X` (3, 2). What happens?",
    options={
        "a": "NumPy raises an error",
        "b": "the result is right: the order of the factors does the same",
        "c": "the result has the wrong shape",
        "d": "the result has the right shape and wrong numbers, without a word",
        "e": "the first row is right, the others are wrong",
    },
    right="d",
    wrong={
        "a": (
            "error_expected",
            "An error comes only where sizes do not fit, and here (3, 2) meets (2, 2). With three hidden units it "
            "would.",
        ),
        "b": (
            "transpose_does_nothing",
            "`X @ W1` sums over the rows of W1, the hidden units; the layer sums over its columns, the inputs.",
        ),
        "e": (
            "first_row_expected",
            "Every row goes through the same product: if W1 is the wrong way round for one, it is for all.",
        ),
        "c": (
            "shape_expected_to_tell",
            "A square W1 and its transpose have the same shape, and so have the two products.",
        ),
    },
    hints=(
        "Write down the shapes on both sides of the @.",
        "A product needs the columns of the left factor to be as many as the rows of the right one. A square matrix "
        "has as many rows as columns.",
        "(3, 2) times (2, 2) is (3, 2), with or without `.T`: only the numbers differ.",
    ),
    objective="See why square matrices hide a transpose",
    difficulty=1,
    minutes=2,
)

_SHAPES = Exercise(
    id="04.shapes",
    title="Shapes along the network",
    points=3,
    function="network_shapes",
    inputs=("n", "d", "h", "c"),
    returns=("W1", "b1", "Z1", "A1", "W2", "Z2", "L"),
    draw=lambda draw: dict(zip(("n", "d", "h", "c"), draw.sizes(4), strict=True)),
    kind=Shapes(),
    steps=(
        Step(
            "W1",
            lambda d, h: shape(h, d),
            mistakes={"W1_transposed": (lambda d, h: shape(d, h), "A row of W1 holds the weights of one hidden unit.")},
        ),
        Step(
            "b1",
            lambda h: shape(h),
            mistakes={
                "b1_per_input": (lambda d: shape(d), "A bias belongs to a unit, and there are h hidden units."),
                "b1_per_sample": (lambda n, h: shape(n, h), "All samples share the biases; broadcasting repeats them."),
            },
        ),
        Step(
            "Z1",
            lambda n, h: shape(n, h),
            mistakes={
                "Z1_transposed": (lambda n, h: shape(h, n), "In a batch, rows are samples."),
                "Z1_of_one_sample": (lambda h: shape(h), "That is one sample's; a batch has a row for each of n."),
                "Z1_like_inputs": (lambda n, d: shape(n, d), "The layer leads from d inputs to h units."),
            },
        ),
        Step(
            "A1",
            lambda n, h: shape(n, h),
            mistakes={"A1_summed": (lambda n: shape(n), "σ works entry by entry: the shape stays that of Z1.")},
        ),
        Step(
            "W2",
            lambda h, c: shape(c, h),
            mistakes={
                "W2_transposed": (lambda h, c: shape(h, c), "Rows are the units that a layer leads to: the c outputs."),
                "W2_from_inputs": (
                    lambda d, c: shape(c, d),
                    "The second layer receives the hidden units, not the inputs.",
                ),
            },
        ),
        Step(
            "Z2",
            lambda n, c: shape(n, c),
            mistakes={"Z2_like_hidden": (lambda n, h: shape(n, h), "The second layer leads to the c outputs.")},
        ),
        Step(
            "L",
            lambda: shape(),
            mistakes={
                "L_per_sample": (lambda n: shape(n), "The loss is the mean over the samples: one number for all."),
                "L_per_output": (lambda n, c: shape(n, c), "The loss sums over the outputs: one number for all."),
            },
        ),
    ),
    hints=(
        "Which of them have a row for every sample? Those get n first.",
        "Weights are (units of this layer, units of the layer before), biases (units of this layer,), and σ keeps "
        "shapes.",
        '`"W1": (h, d)`, `"Z1": (n, h)`, `"W2": (c, h)`, `"Z2": (n, c)`; the shape of a number is `()`.',
    ),
    objective="Give the shape of every array of the network",
    difficulty=2,
    minutes=5,
)

EXERCISES = [
    _STABLE_SIGMOID,
    _SIGMOID_LINES,
    _SIGMOID_SLOPE,
    _FORWARD_SAMPLE,
    _FORGOTTEN_TRANSPOSE,
    _SHAPES,
    _FORWARD_BATCH,
    _SQUARED_ERROR,
    _SQUARED_ERROR_GRADIENT,
    _CROSS_ENTROPY,
    _CROSS_ENTROPY_GRADIENT,
    _LOCAL_DERIVATIVES,
]
