"""Lesson 06: gradient descent, the learning rate, momentum, Adam and mini-batches.

Updates are θ ← θ − η ∂L/∂θ and its relatives as in ``chainrule_lib.optimizers``: momentum in the form of Sutskever,
Martens, Dahl and Hinton (ICML 2013), Adam as in algorithm 1 of Kingma and Ba (ICLR 2015, arXiv 1412.6980).

Where an exercise is a loop, its steps are the parts of the loop as functions: the gradient, the update, the loop
itself. So a mistake in one part can be made together with any mistake in another. All of them run several updates,
since most mistakes of a loop do not show in the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.exercises.drawing import Array, Draw
from autograder.exercises.formulas import Environment
from autograder.exercises.kinds import Derivation, Fix, Line, Question, order, prediction
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Exercise, Step

WITHHELD = AUTODIFF
"""The optimizers and ``SigmoidNetwork`` stay: the lesson trains networks with them, and takes ``Adam`` apart."""

# Explanations that serve in more than one exercise.
_UPHILL = (
    "The step goes uphill. The gradient points to where the loss grows; descent goes the other way. (The same values "
    "come out if the gradient itself has the wrong sign.)"
)
_RATE_TWICE = (
    "The learning rate is applied twice, once on the way and once more in the update: the step is η² times the "
    "gradient. It belongs into one place."
)
_RATE_LEFT_OUT = "The learning rate is not used. The gradient says which way; how far to go along it is what η decides."
_STEP_ALONE = "This is the step itself. It is a change, and has to be added to the parameter as it was before."
_SUM_NOT_MEAN = (
    "The loss is a mean over the samples, and the gradient here is a sum: it grows with the number of samples, and the "
    "learning rate would have to shrink with it."
)
_MEAN_TWICE = (
    "The gradient is divided by the number of samples twice. The mean is taken once, where the samples are summed."
)
_LAST_SAMPLE = (
    "Only the last sample counts. Every sample of the batch adds its part: is a value replaced where it should be "
    "added to?"
)
_MIXED_AGE = (
    "The gradients are of mixed age: one parameter was moved before the gradient of the other was taken. All gradients "
    "belong to one point; compute them all, then move everything."
)
_ACCUMULATED = (
    "The gradients of earlier steps are still in there: they are added up from step to step. Each step starts from a "
    "fresh gradient."
)
_BIAS_STAYS = "The bias never moves. It is a parameter like the weights, and has a gradient of its own."
_NOT_AVERAGED = (
    "This is a running sum, not a running mean: the old value keeps its share β, so for the new one a share is left "
    "that makes the two add up to 1."
)
_SHARES_EXCHANGED = (
    "The shares are exchanged: β, close to 1, belongs to what is remembered, the small rest to the new gradient."
)
_WITHOUT_T = (
    "The correction has no t in it, so it stays as large as in the first step for ever. How much of the zero at the "
    "start is still in the mean after t steps?"
)
_UNCORRECTED = (
    "The running mean is used as it is. It started from zero and is too small at first; the correction for that is "
    "missing."
)
_COUNTS_FROM_ZERO = "The power is one too small: t counts the steps including this one, and is 1 in the first."
_CORRECTION_MULTIPLIED = (
    "The running mean is too small, and multiplying by a number below 1 makes it smaller still. Which way does the "
    "correction go?"
)
_EPSILON_INSIDE = (
    "ε stands under the root. There it counts as its own square root, which is far larger: √1e-8 is 1e-4. In Adam it "
    "is added to the root."
)
_ROOT_LEFT_OUT = (
    "The step is divided by the mean of squares itself. Its root has the size of a gradient; only then does the scale "
    "of the gradient cancel."
)
_EPSILON_LEFT_OUT = "ε is left out. Where all gradients so far were 0, that is a division by zero."


# --- One update -------------------------------------------------------------------------------------------------------


def _layer(draw: Draw) -> Environment:
    d_out, d_in = draw.sizes(2)
    return {
        "W": draw.nonzero(d_out, d_in),
        "b": draw.nonzero(d_out),
        "dW": draw.nonzero(d_out, d_in),
        "db": draw.nonzero(d_out),
        "learning_rate": draw.uniform(0.1, 0.6),
    }


_UPDATE = Exercise(
    id="06.update",
    title="One step of gradient descent for a layer",
    points=2,
    function="update",
    inputs=("W", "b", "dW", "db", "learning_rate"),
    returns=("W_new", "b_new"),
    draw=_layer,
    steps=(
        Step(
            "W_new",
            lambda W, dW, learning_rate: W - learning_rate * dW,
            mistakes={
                "uphill_W": (lambda W, dW, learning_rate: W + learning_rate * dW, _UPHILL),
                "rate_left_out_W": (lambda W, dW: W - dW, _RATE_LEFT_OUT),
                "rate_twice_W": (lambda W, dW, learning_rate: W - learning_rate**2 * dW, _RATE_TWICE),
                "divided_by_rate_W": (
                    lambda W, dW, learning_rate: W - dW / learning_rate,
                    "The gradient is divided by the learning rate. A small η is meant to make a small step.",
                ),
                "step_alone_W": (lambda dW, learning_rate: -learning_rate * dW, _STEP_ALONE),
                "rate_on_both_W": (
                    lambda W, dW, learning_rate: learning_rate * (W - dW),
                    "η multiplies the weights too, so they shrink whatever the gradient says. Where are the brackets?",
                ),
                "weight_in_the_step_W": (
                    lambda W, dW, learning_rate: W - learning_rate * dW * W,
                    "The step is multiplied by the weight itself. How far a weight moves depends on its gradient and "
                    "on η, not on where it stands.",
                ),
                "exchanged_W": (
                    lambda W, dW, learning_rate: learning_rate * dW - W,
                    "The two sides of the minus are exchanged: the weights come out with the wrong sign.",
                ),
            },
        ),
        Step(
            "b_new",
            lambda b, db, learning_rate: b - learning_rate * db,
            mistakes={
                "uphill_b": (lambda b, db, learning_rate: b + learning_rate * db, _UPHILL),
                "bias_stays": (lambda b: b, _BIAS_STAYS),
                "rate_left_out_b": (lambda b, db: b - db, _RATE_LEFT_OUT),
                "rate_twice_b": (lambda b, db, learning_rate: b - learning_rate**2 * db, _RATE_TWICE),
                "step_alone_b": (lambda db, learning_rate: -learning_rate * db, _STEP_ALONE),
                "bias_from_dW": (
                    lambda b, dW, learning_rate: b - learning_rate * dW.sum(axis=1),
                    "The bias is moved with the gradient of the weights. It has its own, db.",
                ),
                "mean_of_db": (
                    lambda b, db, learning_rate: b - learning_rate * db.mean(),
                    "Every entry of b moves by the same amount. Each has its own entry of db.",
                ),
            },
        ),
    ),
    hints=(
        "The gradient points uphill. Which way is down, and what decides how far?",
        "Every parameter θ becomes θ − η ∂L/∂θ, entry by entry, and the bias is a parameter like the weights.",
        "`W - learning_rate * dW` is a new array; `b` goes the same way with `db`.",
    ),
    objective="Write the update rule of gradient descent",
    difficulty=1,
    minutes=4,
)


# --- A line, fitted in several steps ----------------------------------------------------------------------------------

Gradient = Callable[[Any, Any], tuple[Any, Any]]
"""(w, b) -> (dw, db)"""


def _points(draw: Draw) -> Environment:
    (n,) = draw.sizes(1)
    n += 2
    return {
        "x": draw.nonzero(n) + draw.uniform(0.2, 0.5),
        "y": draw.normal(n) + draw.uniform(1.0, 2.0),
        "w": draw.number(0.3, 1.2),
        "b": draw.number(0.3, 1.2),
        "learning_rate": draw.uniform(0.1, 0.4),
        "steps": draw.integer(3, 6),
    }


def _line_gradient(x: Array, y: Array, change: Callable[[Array, Array], tuple[Any, Any]]) -> Gradient:
    """The gradient of a line's loss, where ``change`` makes dw and db from the errors and x."""
    return lambda w, b: change(w * x + b - y, x)


def _move(rate_w: Any, rate_b: Any) -> Callable[[Gradient, Any, Any], tuple[Any, Any]]:
    """The update of both parameters at once, with a rate for each."""

    def move(gradient: Gradient, w: Any, b: Any) -> tuple[Any, Any]:
        dw, db = gradient(w, b)
        return w - rate_w * dw, b - rate_b * db

    return move


def _move_weight_first(gradient: Gradient, w: Any, b: Any, rate: Any) -> tuple[Any, Any]:
    w = w - rate * gradient(w, b)[0]
    return w, b - rate * gradient(w, b)[1]


def _move_bias_first(gradient: Gradient, w: Any, b: Any, rate: Any) -> tuple[Any, Any]:
    b = b - rate * gradient(w, b)[1]
    return w - rate * gradient(w, b)[0], b


def _step_alone(gradient: Gradient, w: Any, b: Any, rate: Any) -> tuple[Any, Any]:
    dw, db = gradient(w, b)
    return -rate * dw, -rate * db


def _repeated(gradient: Gradient, update: Any, w: Any, b: Any, steps: int) -> tuple[Any, Any]:
    for _ in range(steps):
        w, b = update(gradient, w, b)
    return w, b


def _accumulating(gradient: Gradient) -> Gradient:
    """A gradient that adds up what it gave before."""
    total = [0.0, 0.0]

    def accumulated(w: Any, b: Any) -> tuple[Any, Any]:
        for k, part in enumerate(gradient(w, b)):
            total[k] = total[k] + part
        return total[0], total[1]

    return accumulated


def _frozen(gradient: Gradient, w: Any, b: Any) -> Gradient:
    """The gradient at one point, wherever it is asked for."""
    dw, db = gradient(w, b)
    return lambda *_: (dw, db)


_DESCEND = Exercise(
    id="06.descend",
    title="Several steps: fitting a line",
    points=3,
    function="descend",
    inputs=("x", "y", "w", "b", "learning_rate", "steps"),
    returns=("w_new", "b_new"),
    draw=_points,
    steps=(
        Step(
            "gradient",
            lambda x, y: _line_gradient(x, y, lambda e, x: (np.mean(e * x), np.mean(e))),
            mistakes={
                "sum_not_mean": (
                    lambda x, y: _line_gradient(x, y, lambda e, x: (np.sum(e * x), np.sum(e))),
                    _SUM_NOT_MEAN,
                ),
                "mean_twice": (
                    lambda x, y: _line_gradient(x, y, lambda e, x: (np.mean(e * x) / len(x), np.mean(e) / len(x))),
                    _MEAN_TWICE,
                ),
                "extra_factor_two": (
                    lambda x, y: _line_gradient(x, y, lambda e, x: (2 * np.mean(e * x), 2 * np.mean(e))),
                    "There is an extra factor 2. The loss carries a ½, which the 2 from the square cancels.",
                ),
                "dw_without_x": (
                    lambda x, y: _line_gradient(x, y, lambda e, x: (np.mean(e), np.mean(e))),
                    "For w the last link of the chain is missing: how fast does wx + b change with w?",
                ),
                "db_with_x": (
                    lambda x, y: _line_gradient(x, y, lambda e, x: (np.mean(e * x), np.mean(e * x))),
                    "For b, the gradient of w was copied. What multiplies b in wx + b?",
                ),
                "dw_times_mean_x": (
                    lambda x, y: _line_gradient(x, y, lambda e, x: (np.mean(e) * np.mean(x), np.mean(e))),
                    "The mean of a product is not the product of the means: each error is multiplied by its own x, "
                    "then the mean is taken.",
                ),
                "last_sample_only": (
                    lambda x, y: _line_gradient(x, y, lambda e, x: (e[-1] * x[-1], e[-1])),
                    _LAST_SAMPLE,
                ),
                "bias_not_predicted_with": (
                    lambda x, y: lambda w, b: (np.mean((w * x - y) * x), np.mean(w * x - y)),
                    "The prediction is wx + b; the errors here are those of wx alone.",
                ),
                "errors_squared": (
                    lambda x, y: _line_gradient(x, y, lambda e, x: (np.mean(e**2 * x), np.mean(e**2))),
                    "The errors are still squared: the first factor of the chain has not been differentiated.",
                ),
            },
        ),
        Step(
            "update",
            lambda learning_rate: _move(learning_rate, learning_rate),
            mistakes={
                "uphill": (lambda learning_rate: _move(-learning_rate, -learning_rate), _UPHILL),
                "rate_left_out": (lambda: _move(1.0, 1.0), _RATE_LEFT_OUT),
                "rate_twice": (lambda learning_rate: _move(learning_rate**2, learning_rate**2), _RATE_TWICE),
                "weight_stays": (
                    lambda learning_rate: _move(0.0, learning_rate),
                    "Only b moves. Both parameters have a gradient, and both take a step.",
                ),
                "bias_stays": (lambda learning_rate: _move(learning_rate, 0.0), _BIAS_STAYS),
                "weight_moved_first": (
                    lambda learning_rate: lambda gradient, w, b: _move_weight_first(gradient, w, b, learning_rate),
                    _MIXED_AGE,
                ),
                "bias_moved_first": (
                    lambda learning_rate: lambda gradient, w, b: _move_bias_first(gradient, w, b, learning_rate),
                    _MIXED_AGE,
                ),
                "step_alone": (
                    lambda learning_rate: lambda gradient, w, b: _step_alone(gradient, w, b, learning_rate),
                    _STEP_ALONE,
                ),
            },
        ),
        Step(
            "loop",
            lambda gradient, update, w, b, steps: _repeated(gradient, update, w, b, steps),
            mistakes={
                "one_step_only": (
                    lambda gradient, update, w, b: update(gradient, w, b),
                    "Only one step was taken. Does the function return in the first round of its loop, or start every "
                    "round from the first values?",
                ),
                "one_step_fewer": (
                    lambda gradient, update, w, b, steps: _repeated(gradient, update, w, b, steps - 1),
                    "One step is missing. How many numbers does your range have?",
                ),
                "one_step_more": (
                    lambda gradient, update, w, b, steps: _repeated(gradient, update, w, b, steps + 1),
                    "There is one step too many. How many numbers does your range have?",
                ),
                "gradient_taken_once": (
                    lambda gradient, update, w, b, steps: _repeated(_frozen(gradient, w, b), update, w, b, steps),
                    "Every step uses the gradient of the starting point. After a step the slope is another one: the "
                    "gradient belongs into the loop.",
                ),
                "gradients_accumulated": (
                    lambda gradient, update, w, b, steps: _repeated(_accumulating(gradient), update, w, b, steps),
                    _ACCUMULATED,
                ),
            },
        ),
        Step("w_new", lambda loop: loop[0], share=0.75),
        Step("b_new", lambda loop: loop[1], share=0.75),
    ),
    hints=(
        "One round of the loop is one step: errors, gradients, update. What has to be computed anew in every round?",
        "With the errors e = wx + b − y: ∂L/∂w is the mean of e·x, ∂L/∂b the mean of e. Take both before you move w "
        "or b.",
        "In a loop over `range(steps)`: `e = w * x + b - y`, then "
        "`w, b = w - learning_rate * np.mean(e * x), b - learning_rate * np.mean(e)` in one line.",
    ),
    objective="Repeat the update: gradients of one age, as many steps as asked for",
    difficulty=2,
    minutes=8,
)


# --- Predictions ------------------------------------------------------------------------------------------------------

_PREDICT_RATE = prediction(
    "06.predict_rate",
    title="A learning rate that is too large",
    points=2,
    function="rate_prediction",
    questions=(
        Question(
            "motion",
            "The loss is $L = \\frac12 \\cdot 10\\, w^2$, its minimum is at 0, and the descent starts at $w = 1$ with "
            "the learning rate 0.25. What does $w$ do?",
            right="c",
            options={
                "a": "it goes to 0 from the right, ever more slowly",
                "b": "it jumps over 0 and back, ever closer to 0",
                "c": "it jumps over 0 and back, ever farther from 0",
                "d": "it goes away to the right, ever faster",
                "e": "it jumps between 1 and −1 for ever",
            },
            wrong={
                "a": (
                    "motion_from_one_side",
                    "To stay on one side of 0, a step has to be shorter than the way to 0. The first step is 0.25 "
                    "times the slope at w = 1: how long is that?",
                ),
                "b": (
                    "motion_closer",
                    "It does jump over 0. But compare how far it lands on the other side with where it came from.",
                ),
                "d": (
                    "motion_uphill",
                    "However long, a step against the gradient starts towards 0: at w = 1 the slope is positive, so w "
                    "gets smaller first.",
                ),
                "e": (
                    "motion_for_ever",
                    "That happens when a step is exactly twice the way to 0. Compute the first step.",
                ),
            },
        ),
        Question(
            "third",
            "The same loss and the same start, $w = 1$, with the learning rate 0.3. Where is $w$ after **three** "
            "steps?",
            right=-8.0,
            tolerance=0.01,
            wrong={
                8.0: (
                    "third_without_sign",
                    "The distance is right, the side is not. Each step goes to the other side of 0; after three of "
                    "them it is which?",
                ),
                -2.0: ("third_after_one", "That is where the first step ends. Two more start from there."),
                4.0: ("third_after_two", "That is where the second step ends."),
                16.0: ("third_after_four", "That is where the fourth step ends."),
                64.0: (
                    "third_uphill",
                    "That is what uphill steps give. The gradient is subtracted.",
                ),
                0.343: (
                    "third_without_curvature",
                    "The slope of this loss is 10w, not w: the 10 counts too.",
                ),
                -6.0: (
                    "third_three_times",
                    "Steps do not add to a multiple: each step multiplies w by the same factor.",
                ),
                -125.0: (
                    "third_factor_two",
                    "The ½ of the loss cancels the 2 of the square: the slope is 10w, not 20w.",
                ),
            },
        ),
    ),
    hints=(
        "Compute the first step: the slope at w = 1, times the learning rate, subtracted from w.",
        "With the slope 10w, a step turns w into w − η·10w. That is w times a factor; every step has the same one.",
        "The factor is 1 − 10η. For η = 0.25 it is negative and larger than 1 in size. For the third position, take "
        "its third power at η = 0.3.",
    ),
    objective="Predict what too large a learning rate does",
    difficulty=1,
    minutes=4,
)

_PREDICT_UPDATES = prediction(
    "06.predict_updates",
    title="How many updates is that?",
    points=1,
    function="number_of_updates",
    question=(
        "There are 1,438 samples for training, and the batch size is 32; what is left at the end of an epoch makes a "
        "smaller batch. How many updates do 20 epochs make?"
    ),
    right=lambda: 20.0 * -(-1438 // 32),
    tolerance=0.0005,
    wrong={
        880.0: (
            "last_batch_forgotten",
            "44 full batches leave some samples over. They make a batch too, and so one more update per epoch.",
        ),
        45.0: ("one_epoch", "That is how many one epoch makes. There are 20 of them."),
        44.0: ("one_epoch_of_full_batches", "Those are the full batches of a single epoch."),
        28760.0: (
            "one_update_per_sample",
            "That would be an update after every single sample. Here 32 samples share one.",
        ),
        20.0: (
            "one_update_per_epoch",
            "That would be one update per epoch, which is what a batch of all samples gives.",
        ),
        640.0: (
            "batch_size_for_number",
            "32 is how many samples a batch has, not how many batches there are.",
        ),
        898.0: (
            "batches_across_epochs",
            "1438 · 20 / 32, and the rest dropped: that lets a batch run over the end of an epoch. Each epoch ends "
            "with a batch of its own.",
        ),
        899.0: (
            "batches_across_epochs_rounded_up",
            "1438 · 20 / 32, rounded up: that lets a batch run over the end of an epoch. Each epoch ends with a batch "
            "of its own.",
        ),
    },
    hints=(
        "How many batches does one epoch have? Do not forget the last.",
        "The number of batches is n divided by the batch size, rounded up. Each batch is one update.",
        "1438 / 32 is between 44 and 45. Round up, then multiply by the number of epochs.",
    ),
    objective="Tell updates, batches and epochs apart",
    difficulty=1,
    minutes=2,
)


# --- The learning rate on a quadratic ---------------------------------------------------------------------------------


def _quadratic(draw: Draw) -> Environment:
    return {
        "w": draw.nonzero(12),
        "lam": draw.uniform(0.4, 2.0, 12),
        "eta": draw.uniform(0.3, 1.5, 12),
        "k": draw.rng.integers(2, 6, 12).astype(float),
    }


_STABILITY = Exercise(
    id="06.stability",
    title="When does descent come to rest? Derive the limit",
    points=4,
    function="stability_lines",
    inputs=("w", "lam", "eta", "k"),
    returns=("dL_dw", "dL_deta", "w_next", "r", "w_k", "eta_max"),
    draw=_quadratic,
    kind=Derivation(
        uses={
            "dL_dw": ("w", "lam"),
            "dL_deta": ("w", "lam"),
            "w_next": ("w", "lam", "eta"),
            "r": ("lam", "eta"),
            "w_k": ("w", "lam", "eta", "k"),
            "eta_max": ("lam",),
        }
    ),
    steps=(
        Step(
            "dL_dw",
            lambda w, lam: lam * w,
            mistakes={
                "kept_the_half": (lambda w, lam: lam * w / 2, "The ½ is still there: the 2 of the square cancels it."),
                "extra_factor_two": (lambda w, lam: 2 * lam * w, "The 2 of the square is there, and the ½ is lost."),
                "not_differentiated": (
                    lambda w, lam: lam * w**2 / 2,
                    "That is the loss. Its derivative with respect to w is asked for.",
                ),
                "differentiated_by_lam": (
                    lambda w: w**2 / 2,
                    "That is the derivative with respect to λ. Here w moves and λ stays.",
                ),
            },
        ),
        Step(
            "dL_deta",
            lambda dL_dw: -(dL_dw**2),
            mistakes={
                "rate_of_w_only": (
                    lambda dL_dw: -dL_dw,
                    "That is how fast w moves with η. The loss depends on η through w, so one more link is missing.",
                ),
                "loss_grows": (
                    lambda dL_dw: dL_dw**2,
                    "The sign is lost. The step subtracts: how does w − η·g change when η grows?",
                ),
                "outer_link_only": (
                    lambda dL_dw: dL_dw,
                    "Only the outer link is there. By how much does w move when η does?",
                ),
                "doubled_slope": (
                    lambda dL_dw: -2 * dL_dw**2,
                    "There is a 2 too many. Two links, each a gradient, one of them with a minus: nothing else.",
                ),
            },
        ),
        Step(
            "w_next",
            lambda w, eta, dL_dw: w - eta * dL_dw,
            mistakes={
                "uphill": (lambda w, eta, dL_dw: w + eta * dL_dw, _UPHILL),
                "step_alone": (lambda eta, dL_dw: -eta * dL_dw, _STEP_ALONE),
                "rate_left_out": (lambda w, dL_dw: w - dL_dw, _RATE_LEFT_OUT),
                "rate_divides": (
                    lambda w, eta, dL_dw: w - dL_dw / eta,
                    "The gradient is divided by η. A small η is meant to make a small step.",
                ),
            },
        ),
        Step(
            "r",
            lambda w, w_next: w_next / w,
            mistakes={
                "factor_inverted": (
                    lambda w, w_next: w / w_next,
                    "That is the old value divided by the new one. r is what the old one is multiplied by.",
                ),
                "factor_is_difference": (
                    lambda w, w_next: w_next - w,
                    "That is what is added in a step. r is what w is multiplied by.",
                ),
                "share_lost": (
                    lambda w, w_next: 1 - w_next / w,
                    "That is the share that a step takes away. r is the share that is left.",
                ),
                "shrinks_the_loss": (
                    lambda w, w_next: (w_next / w) ** 2,
                    "That is the factor of the loss, which is a square. r belongs to w.",
                ),
            },
        ),
        Step(
            "w_k",
            lambda w, r, k: r**k * w,
            mistakes={
                "k_times": (
                    lambda w, r, k: k * r * w,
                    "The factor was taken k times, not multiplied k times. After two steps, w has been multiplied by r "
                    "and by r again.",
                ),
                "power_of_w": (
                    lambda w, r, k: r * w**k,
                    "The power belongs to the factor: w is there once, at the start.",
                ),
                "power_of_both": (
                    lambda w, r, k: (r * w) ** k,
                    "The power belongs to the factor alone: w is there once, at the start.",
                ),
                "one_step_less": (lambda w, r, k: r ** (k - 1) * w, "There is one factor for every step, k in all."),
                "start_forgotten": (lambda r, k: r**k, "The powers of the factor are right; what do they multiply?"),
                "shares_added": (
                    lambda w, r, k: (1 - k * (1 - r)) * w,
                    "This takes the same amount away in every step. A step takes a share of what is left.",
                ),
            },
        ),
        Step(
            "eta_max",
            lambda lam: 2 / lam,
            mistakes={
                "limit_is_best_rate": (
                    lambda lam: 1 / lam,
                    "With this η a single step lands in the minimum: the factor is 0. It may become negative; how far?",
                ),
                "limit_inverted": (
                    lambda lam: lam / 2,
                    "Solve |1 − ηλ| = 1 for η once more: the steeper the bowl, the smaller the rate must be.",
                ),
                "limit_multiplied": (
                    lambda lam: 2 * lam,
                    "Solve |1 − ηλ| = 1 for η once more: the steeper the bowl, the smaller the rate must be.",
                ),
                "limit_without_curvature": (
                    lambda lam: 2 + 0 * lam,
                    "That holds for λ = 1. In general the product ηλ has to stay below it.",
                ),
                "limit_squared": (
                    lambda lam: 2 / lam**2,
                    "λ is there twice. Which product occurs in the factor?",
                ),
                "limit_four": (
                    lambda lam: 4 / lam,
                    "There is a 2 too many. With the ½ in the loss, its second derivative is λ.",
                ),
            },
        ),
    ),
    hints=(
        "Only the first line needs calculus, the second the chain rule. Everything after them is algebra with the "
        "lines before.",
        "After a step, L depends on η through w(η) = w − ηg with g fixed: multiply dL/dw by dw/dη. For the limit, ask "
        "when the factor r is exactly as large as 1 in size, with a minus.",
        "`w_next = w - eta * dL_dw`; the factor is `1 - eta * lam`, which is −1 where `eta * lam` is 2.",
    ),
    objective="Derive the stability condition |1 − ηλ| < 1",
    difficulty=2,
    minutes=8,
)


def _bowl(draw: Draw) -> Environment:
    (d,) = draw.sizes(1)
    curvatures = draw.uniform(0.4, 0.8) * np.cumprod(np.r_[1.0, draw.uniform(1.3, 1.9, d - 1)])
    rotation = np.linalg.qr(draw.normal(d, d))[0]
    H = rotation @ np.diag(curvatures) @ rotation.T
    return {"H": (H + H.T) / 2}


_RATES = Exercise(
    id="06.rates",
    title="The learning rates of a bowl in several directions",
    points=3,
    function="rate_limits",
    inputs=("H",),
    returns=("eta_max", "eta_best", "factor"),
    draw=_bowl,
    steps=(
        Step(
            "curvatures",
            lambda H: np.linalg.eigvalsh(H),
            mistakes={
                "curvatures_from_the_diagonal": (
                    lambda H: np.sort(np.diag(H)),
                    "The diagonal of H has the curvatures along the axes. The steepest and the flattest direction may "
                    "lie between them: they belong to the eigenvalues.",
                ),
                "curvatures_from_row_sums": (
                    lambda H: np.sort(np.abs(H).sum(axis=1)),
                    "Sums over rows are upper bounds for the curvatures, not the curvatures. Those are the "
                    "eigenvalues.",
                ),
                "curvatures_squared": (
                    lambda H: np.linalg.eigvalsh(H @ H),
                    "These are squares of the curvatures: eigenvalues of H times H, not of H.",
                ),
            },
        ),
        Step(
            "eta_max",
            lambda curvatures: 2 / curvatures.max(),
            mistakes={
                "limit_is_one_step_rate": (
                    lambda curvatures: 1 / curvatures.max(),
                    "With this rate the steepest direction lands in one step; its factor is 0. It may go down to −1.",
                ),
                "limit_of_the_flattest": (
                    lambda curvatures: 2 / curvatures.min(),
                    "That is the limit of the flattest direction. All directions share one rate: which runs away "
                    "first?",
                ),
                "limit_of_the_mean": (
                    lambda curvatures: 2 / curvatures.mean(),
                    "The mean curvature does not decide. One direction that runs away is enough.",
                ),
                "limit_of_the_sum": (
                    lambda curvatures: 2 / curvatures.sum(),
                    "With the sum of the curvatures (the trace) one is on the safe side, but this is not the limit.",
                ),
                "limit_inverted": (
                    lambda curvatures: curvatures.max() / 2,
                    "The steeper the bowl, the smaller the rate has to be.",
                ),
            },
        ),
        Step(
            "eta_best",
            lambda curvatures: 2 / (curvatures.min() + curvatures.max()),
            mistakes={
                "best_for_the_steepest": (
                    lambda curvatures: 1 / curvatures.max(),
                    "That is the best rate for the steepest direction alone. The flattest is then slower than it need "
                    "be: a larger rate evens the two out.",
                ),
                "best_for_the_flattest": (
                    lambda curvatures: 1 / curvatures.min(),
                    "That is the best rate for the flattest direction alone. What does it do to the steepest?",
                ),
                "best_from_the_mean": (
                    lambda curvatures: 1 / curvatures.mean(),
                    "Only the two extreme directions decide; those between them shrink faster in any case.",
                ),
                "best_without_two": (
                    lambda curvatures: 1 / (curvatures.min() + curvatures.max()),
                    "Solve 1 − ηa = −(1 − ηb) for η again: there is a 2 on the other side.",
                ),
                "best_from_the_difference": (
                    lambda curvatures: 2 / (curvatures.max() - curvatures.min()),
                    "The two factors are equal in size and have different signs: 1 − ηa = −(1 − ηb). Here they were "
                    "made equal with the same sign somewhere.",
                ),
                "best_geometric": (
                    lambda curvatures: 1 / np.sqrt(curvatures.min() * curvatures.max()),
                    "That is the geometric mean of the two best rates. The two factors are evened out by the "
                    "arithmetic mean of the curvatures.",
                ),
            },
        ),
        Step(
            "factor",
            lambda curvatures, eta_best: np.max(np.abs(1 - eta_best * curvatures)),
            mistakes={
                "factor_of_the_steepest_with_sign": (
                    lambda curvatures, eta_best: 1 - eta_best * curvatures.max(),
                    "The factor of the steepest direction is negative; how much is left is its size.",
                ),
                "factor_is_share_lost": (
                    lambda curvatures, eta_best: 1 - np.max(np.abs(1 - eta_best * curvatures)),
                    "That is the share that a step takes away. The factor is the share that is left.",
                ),
                "factor_of_the_loss": (
                    lambda curvatures, eta_best: np.max(np.abs(1 - eta_best * curvatures)) ** 2,
                    "That is the factor of the loss, the square. Asked for is the factor of the distance.",
                ),
                "factor_of_the_fastest": (
                    lambda curvatures, eta_best: np.min(np.abs(1 - eta_best * curvatures)),
                    "That is the direction that shrinks fastest. What is left in the end is the slowest.",
                ),
                "factor_is_condition_number": (
                    lambda curvatures: curvatures.max() / curvatures.min(),
                    "That is the condition number κ. The factor can be written with it, but is always below 1.",
                ),
                "factor_of_momentum": (
                    lambda curvatures: (
                        (np.sqrt(curvatures.max()) - np.sqrt(curvatures.min()))
                        / (np.sqrt(curvatures.max()) + np.sqrt(curvatures.min()))
                    ),
                    "With the roots it is the factor of momentum at its best. Plain descent has no roots.",
                ),
            },
        ),
    ),
    hints=(
        "Along an eigenvector of H the bowl is a parabola in one variable, and its curvature is the eigenvalue.",
        "The steepest direction limits the rate. At the best rate the steepest and the flattest have factors of equal "
        "size and different sign: 1 − ηa = −(1 − ηb).",
        "`curvatures = np.linalg.eigvalsh(H)`; the best rate is `2 / (curvatures.min() + curvatures.max())`, and the "
        "factor is the largest of `abs(1 - eta_best * curvatures)`.",
    ),
    objective="Read learning rates off the curvatures",
    difficulty=2,
    minutes=6,
)


# --- Momentum ---------------------------------------------------------------------------------------------------------


def _heavy_ball(draw: Draw) -> Environment:
    (d,) = draw.sizes(1)
    return {
        "theta": draw.nonzero(d),
        "velocity": draw.nonzero(d),
        "gradients": draw.nonzero(d + 1 + draw.integer(0, 1), d),
        "learning_rate": draw.uniform(0.1, 0.4),
        "momentum": draw.uniform(0.6, 0.9),
    }


def _rolled(velocity_rule: Any, update: Any, theta: Array, velocity: Array, gradients: Any) -> tuple[Any, Any]:
    """Theta and velocity after a step with each gradient."""
    for g in gradients:
        new_velocity = velocity_rule(velocity, g)
        theta, velocity = update(theta, velocity, new_velocity, g), new_velocity
    return theta, velocity


def _rolled_afresh(velocity_rule: Any, update: Any, theta: Array, velocity: Array, gradients: Array) -> tuple[Any, Any]:
    """As ``_rolled``, but every step starts from the velocity of the beginning."""
    for g in gradients:
        new_velocity = velocity_rule(velocity, g)
        theta = update(theta, velocity, new_velocity, g)
    return theta, new_velocity


_MOMENTUM = Exercise(
    id="06.momentum",
    title="Momentum over several steps",
    points=3,
    function="momentum_steps",
    inputs=("theta", "velocity", "gradients", "learning_rate", "momentum"),
    returns=("theta_new", "velocity_new"),
    draw=_heavy_ball,
    steps=(
        Step(
            "velocity_rule",
            lambda learning_rate, momentum: lambda v, g: momentum * v - learning_rate * g,
            mistakes={
                "old_velocity_forgotten": (
                    lambda learning_rate: lambda v, g: -learning_rate * g,
                    "The old velocity is forgotten: this is plain gradient descent. A share μ of it stays.",
                ),
                "gradient_added": (
                    lambda learning_rate, momentum: lambda v, g: momentum * v + learning_rate * g,
                    "The gradient pushes the velocity uphill. The velocity points where the parameters will go, and "
                    "that is against the gradient.",
                ),
                "rate_left_out": (lambda momentum: lambda v, g: momentum * v - g, _RATE_LEFT_OUT),
                "velocity_kept_whole": (
                    lambda learning_rate: lambda v, g: v - learning_rate * g,
                    "The old velocity is kept whole, so nothing ever slows it down. Only the share μ stays.",
                ),
                "averaged_gradient": (
                    lambda learning_rate, momentum: lambda v, g: momentum * v - (1 - momentum) * learning_rate * g,
                    "The new gradient is weighted with 1 − μ, as in a running mean. In this rule it enters with η "
                    "alone.",
                ),
                "shares_exchanged": (
                    lambda learning_rate, momentum: lambda v, g: (1 - momentum) * v - learning_rate * g,
                    "The share of the old velocity that stays is μ, not 1 − μ.",
                ),
                "momentum_on_the_gradient_too": (
                    lambda learning_rate, momentum: lambda v, g: momentum * (v - learning_rate * g),
                    "μ multiplies the new gradient as well. It belongs to the old velocity only: where are the "
                    "brackets?",
                ),
                "rate_on_the_velocity_too": (
                    lambda learning_rate, momentum: lambda v, g: learning_rate * (momentum * v - g),
                    "η multiplies the old velocity as well, which has it inside already. Where are the brackets?",
                ),
                "velocity_collects_gradients": (
                    lambda momentum: lambda v, g: momentum * v + g,
                    "This velocity collects gradients, as PyTorch's does. In this lesson it is the step itself: −η is "
                    "inside.",
                ),
            },
        ),
        Step(
            "update",
            lambda: lambda theta, old, v, g: theta + v,
            mistakes={
                "velocity_subtracted": (
                    lambda: lambda theta, old, v, g: theta - v,
                    "The velocity already points downhill, since the minus is inside it: it is added.",
                ),
                "moved_with_the_old_velocity": (
                    lambda: lambda theta, old, v, g: theta + old,
                    "θ moves with the velocity of the step before. First the velocity takes in the gradient, then θ "
                    "moves.",
                ),
                "rate_once_more": (
                    lambda learning_rate: lambda theta, old, v, g: theta + learning_rate * v,
                    "The learning rate is applied twice: the velocity has it inside already.",
                ),
                "rate_once_more_and_subtracted": (
                    lambda learning_rate: lambda theta, old, v, g: theta - learning_rate * v,
                    "θ − ηv belongs to a velocity that collects gradients. Here −η is inside the velocity already.",
                ),
                "gradient_step_only": (
                    lambda learning_rate: lambda theta, old, v, g: theta - learning_rate * g,
                    "The velocity is computed and not used: θ moves by plain gradient descent.",
                ),
                "gradient_step_on_top": (
                    lambda learning_rate: lambda theta, old, v, g: theta + v - learning_rate * g,
                    "The gradient enters twice, through the velocity and once more beside it.",
                ),
                "moved_by_the_change": (
                    lambda: lambda theta, old, v, g: theta + v - old,
                    "θ moves by the change of the velocity. The velocity itself is the step.",
                ),
            },
        ),
        Step(
            "loop",
            lambda velocity_rule, update, theta, velocity, gradients: _rolled(
                velocity_rule, update, theta, velocity, gradients
            ),
            mistakes={
                "velocity_started_from_zero": (
                    lambda velocity_rule, update, theta, velocity, gradients: _rolled(
                        velocity_rule, update, theta, np.zeros_like(velocity), gradients
                    ),
                    "The velocity that was handed in is not used. It comes from the steps before, and goes on from "
                    "there.",
                ),
                "velocity_reset_in_every_step": (
                    lambda velocity_rule, update, theta, velocity, gradients: _rolled_afresh(
                        velocity_rule, update, theta, velocity, gradients
                    ),
                    "Every step starts from the velocity of the beginning. What a step has made of it has to be kept "
                    "for the next.",
                ),
                "first_gradient_only": (
                    lambda velocity_rule, update, theta, velocity, gradients: _rolled(
                        velocity_rule, update, theta, velocity, gradients[:1]
                    ),
                    "Only the first gradient was used. Does the function return in the first round of its loop?",
                ),
                "last_gradient_only": (
                    lambda velocity_rule, update, theta, velocity, gradients: _rolled(
                        velocity_rule, update, theta, velocity, gradients[-1:]
                    ),
                    "Only the last gradient was used. Every row is the gradient of one step.",
                ),
                "one_gradient_fewer": (
                    lambda velocity_rule, update, theta, velocity, gradients: _rolled(
                        velocity_rule, update, theta, velocity, gradients[:-1]
                    ),
                    "The last gradient is missing. How far does your loop go?",
                ),
                "order_reversed": (
                    lambda velocity_rule, update, theta, velocity, gradients: _rolled(
                        velocity_rule, update, theta, velocity, gradients[::-1]
                    ),
                    "The gradients come in the wrong order: row 0 belongs to the first step.",
                ),
                "gradients_summed_first": (
                    lambda velocity_rule, update, theta, velocity, gradients: _rolled(
                        velocity_rule, update, theta, velocity, [gradients.sum(axis=0)]
                    ),
                    "All gradients were added up and used in one step. Each belongs to a step of its own, and the "
                    "older ones fade with μ.",
                ),
                "gradients_accumulated": (
                    lambda velocity_rule, update, theta, velocity, gradients: _rolled(
                        velocity_rule, update, theta, velocity, np.cumsum(gradients, axis=0)
                    ),
                    _ACCUMULATED,
                ),
            },
        ),
        Step("theta_new", lambda loop: loop[0], share=0.75),
        Step("velocity_new", lambda loop: loop[1], share=0.75),
    ),
    hints=(
        "A loop over the rows of `gradients`, two lines in it. Which comes first, the new velocity or the new θ?",
        "In every step: v ← μv − ηg, then θ ← θ + v. Both results are kept for the next step.",
        "`for g in gradients:` then `velocity = momentum * velocity - learning_rate * g` and `theta = theta + "
        "velocity`.",
    ),
    objective="Keep a velocity from step to step",
    difficulty=2,
    minutes=7,
)


# --- Adam -------------------------------------------------------------------------------------------------------------


def _adam_state(draw: Draw) -> Environment:
    (d,) = draw.sizes(1)
    return {
        "theta": draw.nonzero(d),
        "g": draw.nonzero(d),
        "m": draw.nonzero(d) / 2,
        "v": draw.uniform(0.8, 1.5, d),
        "t": draw.integer(2, 5),
        "learning_rate": draw.uniform(0.1, 0.4),
        "beta1": draw.uniform(0.5, 0.68),
        "beta2": draw.uniform(0.75, 0.95),
        "epsilon": draw.uniform(0.05, 0.3),
    }


_ADAM_STEP = Exercise(
    id="06.adam_step",
    title="A step of Adam",
    points=4,
    function="adam_step",
    inputs=("theta", "g", "m", "v", "t", "learning_rate", "beta1", "beta2", "epsilon"),
    returns=("theta_new", "m_new", "v_new"),
    draw=_adam_state,
    steps=(
        Step(
            "m_mean",
            lambda m, g, beta1: beta1 * m + (1 - beta1) * g,
            mistakes={
                "m_shares_exchanged": (lambda m, g, beta1: (1 - beta1) * m + beta1 * g, _SHARES_EXCHANGED),
                "m_not_averaged": (lambda m, g, beta1: beta1 * m + g, _NOT_AVERAGED),
                "m_forgotten": (
                    lambda g, beta1: (1 - beta1) * g,
                    "The old m is forgotten. A running mean keeps the share β₁ of it.",
                ),
                "m_with_beta2": (
                    lambda m, g, beta2: beta2 * m + (1 - beta2) * g,
                    "m has its own share, β₁; β₂ belongs to v.",
                ),
                "m_takes_the_square": (
                    lambda m, g, beta1: beta1 * m + (1 - beta1) * g**2,
                    "m is the mean of the gradient, v that of its square. Here m took the square.",
                ),
                "m_negated": (
                    lambda m, g, beta1: beta1 * m - (1 - beta1) * g,
                    "m is a mean of gradients, and they enter with their own sign. The minus belongs to the update of "
                    "θ.",
                ),
            },
        ),
        Step(
            "v_mean",
            lambda v, g, beta2: beta2 * v + (1 - beta2) * g**2,
            mistakes={
                "v_shares_exchanged": (lambda v, g, beta2: (1 - beta2) * v + beta2 * g**2, _SHARES_EXCHANGED),
                "v_not_averaged": (lambda v, g, beta2: beta2 * v + g**2, _NOT_AVERAGED),
                "v_forgotten": (
                    lambda g, beta2: (1 - beta2) * g**2,
                    "The old v is forgotten. A running mean keeps the share β₂ of it.",
                ),
                "v_with_beta1": (
                    lambda v, g, beta1: beta1 * v + (1 - beta1) * g**2,
                    "v has its own share, β₂; β₁ belongs to m.",
                ),
                "v_not_squared": (
                    lambda v, g, beta2: beta2 * v + (1 - beta2) * g,
                    "v is the mean of the squared gradient. Without the square, signs cancel, and the root below may "
                    "not even exist.",
                ),
                "v_from_m": (
                    lambda v, m_mean, beta2: beta2 * v + (1 - beta2) * m_mean**2,
                    "v takes the square of the gradient, not of its running mean.",
                ),
            },
        ),
        Step(
            "m_hat",
            lambda m_mean, beta1, t: m_mean / (1 - beta1**t),
            mistakes={
                "m_uncorrected": (lambda m_mean: m_mean, _UNCORRECTED),
                "m_correction_without_t": (lambda m_mean, beta1: m_mean / (1 - beta1), _WITHOUT_T),
                "m_counted_from_zero": (lambda m_mean, beta1, t: m_mean / (1 - beta1 ** (t - 1)), _COUNTS_FROM_ZERO),
                "m_correction_multiplied": (lambda m_mean, beta1, t: m_mean * (1 - beta1**t), _CORRECTION_MULTIPLIED),
                "m_correction_inside_out": (
                    lambda m_mean, beta1, t: m_mean / (1 - beta1) ** t,
                    "The power is taken of 1 − β₁. It belongs to β₁ alone.",
                ),
                "m_corrected_with_beta2": (
                    lambda m_mean, beta2, t: m_mean / (1 - beta2**t),
                    "m forgets its start with β₁, so its correction contains β₁.",
                ),
            },
        ),
        Step(
            "v_hat",
            lambda v_mean, beta2, t: v_mean / (1 - beta2**t),
            mistakes={
                "v_uncorrected": (lambda v_mean: v_mean, _UNCORRECTED),
                "v_correction_without_t": (lambda v_mean, beta2: v_mean / (1 - beta2), _WITHOUT_T),
                "v_counted_from_zero": (lambda v_mean, beta2, t: v_mean / (1 - beta2 ** (t - 1)), _COUNTS_FROM_ZERO),
                "v_correction_multiplied": (lambda v_mean, beta2, t: v_mean * (1 - beta2**t), _CORRECTION_MULTIPLIED),
                "v_correction_inside_out": (
                    lambda v_mean, beta2, t: v_mean / (1 - beta2) ** t,
                    "The power is taken of 1 − β₂. It belongs to β₂ alone.",
                ),
                "v_corrected_with_beta1": (
                    lambda v_mean, beta1, t: v_mean / (1 - beta1**t),
                    "v forgets its start with β₂, so its correction contains β₂.",
                ),
            },
        ),
        Step(
            "theta_new",
            lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                theta - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
            ),
            share=2,
            mistakes={
                "uphill": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta + learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
                    ),
                    _UPHILL,
                ),
                "epsilon_inside_the_root": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta - learning_rate * m_hat / np.sqrt(v_hat + epsilon)
                    ),
                    _EPSILON_INSIDE,
                ),
                "root_left_out": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta - learning_rate * m_hat / (v_hat + epsilon)
                    ),
                    _ROOT_LEFT_OUT,
                ),
                "epsilon_left_out": (
                    lambda theta, m_hat, v_hat, learning_rate: theta - learning_rate * m_hat / np.sqrt(v_hat),
                    _EPSILON_LEFT_OUT,
                ),
                "gradient_instead_of_m": (
                    lambda theta, g, v_hat, learning_rate, epsilon: (
                        theta - learning_rate * g / (np.sqrt(v_hat) + epsilon)
                    ),
                    "The step uses this step's gradient. Adam uses the corrected mean m̂ of the gradients so far.",
                ),
                "rate_left_out": (
                    lambda theta, m_hat, v_hat, epsilon: theta - m_hat / (np.sqrt(v_hat) + epsilon),
                    _RATE_LEFT_OUT,
                ),
                "rate_twice": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta - learning_rate**2 * m_hat / (np.sqrt(v_hat) + epsilon)
                    ),
                    _RATE_TWICE,
                ),
                "one_scale_for_all": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta - learning_rate * m_hat / (np.sqrt(np.mean(v_hat)) + epsilon)
                    ),
                    "All entries are divided by the same number. Each entry has its own v̂.",
                ),
                "epsilon_outside_the_quotient": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta - learning_rate * (m_hat / np.sqrt(v_hat) + epsilon)
                    ),
                    "ε is added to the quotient and so moves θ by itself. It belongs into the denominator: where are "
                    "the brackets?",
                ),
            },
        ),
        Step(
            "m_new",
            lambda m_mean: m_mean,
            share=0.5,
            mistakes={
                "m_kept_corrected": (
                    lambda m_hat: m_hat,
                    "What is carried to the next step is m itself. m̂ serves this step only; kept, it would be "
                    "corrected again and again.",
                ),
                "m_not_carried_on": (
                    lambda m: m,
                    "The old m is handed back, so the next step starts without this one.",
                ),
            },
        ),
        Step(
            "v_new",
            lambda v_mean: v_mean,
            share=0.5,
            mistakes={
                "v_kept_corrected": (
                    lambda v_hat: v_hat,
                    "What is carried to the next step is v itself. v̂ serves this step only; kept, it would be "
                    "corrected again and again.",
                ),
                "v_not_carried_on": (
                    lambda v: v,
                    "The old v is handed back, so the next step starts without this one.",
                ),
                "v_root_kept": (
                    lambda v_mean: np.sqrt(v_mean),
                    "The root of v was kept. It is taken in the update of θ only.",
                ),
            },
        ),
    ),
    hints=(
        "Five lines: two running means, two corrections, one update. Give every value a name of its own.",
        "m ← β₁m + (1 − β₁)g and v ← β₂v + (1 − β₂)g². Divide each by 1 − βᵗ for this step, then "
        "θ ← θ − η m̂ / (√v̂ + ε). Hand back m and v without the correction.",
        "`m_hat = m / (1 - beta1**t)`, `v_hat = v / (1 - beta2**t)`, and the denominator is `np.sqrt(v_hat) + "
        "epsilon`.",
    ),
    objective="Implement Adam with its bias correction",
    difficulty=3,
    minutes=9,
)


Rule = Callable[[Array, Array], Array]
"""(running mean, gradient) -> running mean."""


def _corrected(rule: Rule, gradients: Array, beta: float, *, keep: bool = False) -> Array:
    """The corrected running mean after every row; with ``keep``, each is built on the corrected one before it."""
    mean, means = np.zeros_like(gradients[0]), []
    for t, g in enumerate(gradients, start=1):
        mean = rule(mean, g)
        means.append(mean / (1 - beta**t))
        if keep:
            mean = means[-1]
    return np.array(means)


def _uncorrected(rule: Rule, gradients: Array) -> Array:
    """The running mean after every row, from zero on."""
    return _corrected(rule, gradients, 0.0)


def _adam_case(draw: Draw) -> Environment:
    (d,) = draw.sizes(1)
    return {
        "theta": draw.nonzero(d),
        "gradients": draw.nonzero(d + 1 + draw.integer(0, 1), d),
        "learning_rate": draw.uniform(0.1, 0.4),
        "beta1": draw.uniform(0.5, 0.68),
        "beta2": draw.uniform(0.75, 0.95),
        "epsilon": draw.uniform(0.05, 0.3),
    }


_FIX_ADAM = Exercise(
    id="06.fix_adam",
    title="Repair: an Adam that trains, only badly",
    points=3,
    function="adam_run",
    inputs=("theta", "gradients", "learning_rate", "beta1", "beta2", "epsilon"),
    returns=("theta_new",),
    draw=_adam_case,
    kind=Fix(
        planted=("m_kept_corrected", "epsilon_inside_the_root"),
        code='''def adam_run(theta, gradients, learning_rate, beta1, beta2, epsilon):
    """Adam from m = v = 0, a step for every row of gradients. theta (d,), gradients (k, d); returns theta (d,)."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m = m / (1 - beta1**t)
        scale = np.sqrt(v / (1 - beta2**t) + epsilon)
        theta = theta - learning_rate * m / scale
    return theta''',
    ),
    steps=(
        Step(
            "m_rule",
            lambda beta1: lambda m, g: beta1 * m + (1 - beta1) * g,
            mistakes={
                "m_shares_exchanged": (lambda beta1: lambda m, g: (1 - beta1) * m + beta1 * g, _SHARES_EXCHANGED),
                "m_with_beta2": (
                    lambda beta2: lambda m, g: beta2 * m + (1 - beta2) * g,
                    "m has its own share, β₁; β₂ belongs to v.",
                ),
                "m_takes_the_square": (
                    lambda beta1: lambda m, g: beta1 * m + (1 - beta1) * g**2,
                    "m is the mean of the gradient, v that of its square. Here m took the square.",
                ),
            },
        ),
        Step(
            "v_rule",
            lambda beta2: lambda v, g: beta2 * v + (1 - beta2) * g**2,
            mistakes={
                "v_shares_exchanged": (lambda beta2: lambda v, g: (1 - beta2) * v + beta2 * g**2, _SHARES_EXCHANGED),
                "v_with_beta1": (
                    lambda beta1: lambda v, g: beta1 * v + (1 - beta1) * g**2,
                    "v has its own share, β₂; β₁ belongs to m.",
                ),
            },
        ),
        Step(
            "m_hat",
            lambda m_rule, gradients, beta1: _corrected(m_rule, gradients, beta1),
            mistakes={
                "m_kept_corrected": (
                    lambda m_rule, gradients, beta1: _corrected(m_rule, gradients, beta1, keep=True),
                    "The corrected value is written back into m, and the next step starts from it: it is corrected "
                    "again and again. m itself is carried on, m̂ serves one step.",
                ),
                "m_uncorrected": (lambda m_rule, gradients: _uncorrected(m_rule, gradients), _UNCORRECTED),
                "m_correction_without_t": (
                    lambda m_rule, gradients, beta1: _uncorrected(m_rule, gradients) / (1 - beta1),
                    _WITHOUT_T,
                ),
                "m_corrected_with_beta2": (
                    lambda m_rule, gradients, beta2: _corrected(m_rule, gradients, beta2),
                    "m forgets its start with β₁, so its correction contains β₁.",
                ),
            },
        ),
        Step(
            "v_hat",
            lambda v_rule, gradients, beta2: _corrected(v_rule, gradients, beta2),
            mistakes={
                "v_kept_corrected": (
                    lambda v_rule, gradients, beta2: _corrected(v_rule, gradients, beta2, keep=True),
                    "The corrected value is written back into v, and the next step starts from it. v itself is carried "
                    "on, v̂ serves one step.",
                ),
                "v_uncorrected": (lambda v_rule, gradients: _uncorrected(v_rule, gradients), _UNCORRECTED),
                "v_correction_without_t": (
                    lambda v_rule, gradients, beta2: _uncorrected(v_rule, gradients) / (1 - beta2),
                    _WITHOUT_T,
                ),
                "v_corrected_with_beta1": (
                    lambda v_rule, gradients, beta1: _corrected(v_rule, gradients, beta1),
                    "v forgets its start with β₂, so its correction contains β₂.",
                ),
            },
        ),
        Step(
            "theta_new",
            lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                theta - learning_rate * np.sum(m_hat / (np.sqrt(v_hat) + epsilon), axis=0)
            ),
            mistakes={
                "epsilon_inside_the_root": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta - learning_rate * np.sum(m_hat / np.sqrt(v_hat + epsilon), axis=0)
                    ),
                    _EPSILON_INSIDE,
                ),
                "uphill": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta + learning_rate * np.sum(m_hat / (np.sqrt(v_hat) + epsilon), axis=0)
                    ),
                    _UPHILL,
                ),
                "root_left_out": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta - learning_rate * np.sum(m_hat / (v_hat + epsilon), axis=0)
                    ),
                    _ROOT_LEFT_OUT,
                ),
                "epsilon_left_out": (
                    lambda theta, m_hat, v_hat, learning_rate: (
                        theta - learning_rate * np.sum(m_hat / np.sqrt(v_hat), axis=0)
                    ),
                    _EPSILON_LEFT_OUT,
                ),
                "last_step_only": (
                    lambda theta, m_hat, v_hat, learning_rate, epsilon: (
                        theta - learning_rate * m_hat[-1] / (np.sqrt(v_hat[-1]) + epsilon)
                    ),
                    "θ moves in the last step only. Each step starts from where the one before has ended.",
                ),
            },
        ),
    ),
    hints=(
        "Put the code beside the five lines of Adam. Which names are there that the code has not, and what has become "
        "of them?",
        "Two things: what is carried from step to step, and where ε stands. Use your own `adam_step` as a witness: for "
        "one step from m = v = 0 the values differ in one of the two only.",
        "Give the corrected mean a name of its own, `m_hat`, so that `m` stays what it was; and add ε after the root.",
    ),
    objective="Find the mistakes in an Adam that seems to work",
    difficulty=2,
    minutes=6,
)


# --- Mini-batches -----------------------------------------------------------------------------------------------------

_ORDER_TRAINING = order(
    "06.order_training",
    title="One mini-batch, line by line",
    points=3,
    function="training_order",
    question=(
        "These lines train the network $A_1 = \\sigma(X W_1^\\top + b_1)$, $A_2 = \\sigma(A_1 W_2^\\top + b_2)$ with "
        "the cross-entropy on one mini-batch of `size` samples, of the `n` that there are, and then measure. "
        "`shuffled` holds the numbers of all samples in random order. Put the lines in an order that works. **Some "
        "are wrong and stay out.**"
    ),
    lines=(
        Line(
            "batch",
            "`batch = shuffled[start : start + size]`",
            wrong={
                "samples_next_to_each_other": (
                    "`batch = np.arange(start, start + size)`",
                    "This takes the samples in the order in which they lie there, in every epoch the same batches.",
                ),
            },
        ),
        Line("A1", "`A1 = sigmoid(X[batch] @ W1.T + b1)`", after=("batch",)),
        Line("A2", "`A2 = sigmoid(A1 @ W2.T + b2)`", after=("A1",)),
        Line(
            "dZ2",
            "`dZ2 = (A2 - Y[batch]) / len(batch)`",
            after=("A2",),
            wrong={
                "mean_over_everything": (
                    "`dZ2 = (A2 - Y[batch]) / n`",
                    "The loss of a step is the mean over its batch. Divided by the number of all samples, every step "
                    "is far too small.",
                ),
                "targets_of_other_samples": (
                    "`dZ2 = (A2 - Y[:size]) / size`",
                    "These are the targets of the first samples, not of those in the batch.",
                ),
            },
        ),
        Line("dW2", "`dW2, db2 = dZ2.T @ A1, dZ2.sum(axis=0)`", after=("dZ2",)),
        Line("dZ1", "`dZ1 = (dZ2 @ W2) * A1 * (1 - A1)`", after=("dZ2",)),
        Line("dW1", "`dW1, db1 = dZ1.T @ X[batch], dZ1.sum(axis=0)`", after=("dZ1",)),
        Line(
            "W2",
            "`W2, b2 = W2 - eta * dW2, b2 - eta * db2`",
            after=("dW2", "dZ1"),
            wrong={
                "bias_not_updated": (
                    "`W2 = W2 - eta * dW2`",
                    "The bias of the output layer never moves.",
                ),
            },
        ),
        Line(
            "W1",
            "`W1, b1 = W1 - eta * dW1, b1 - eta * db1`",
            after=("dW1",),
            wrong={
                "uphill": ("`W1, b1 = W1 + eta * dW1, b1 + eta * db1`", _UPHILL),
            },
        ),
        Line(
            "accuracy",
            "`accuracy = share_right(X_test, Y_test, W1, b1, W2, b2)`",
            after=("W1", "W2"),
            wrong={
                "measured_on_the_training_samples": (
                    "`accuracy = share_right(X[batch], Y[batch], W1, b1, W2, b2)`",
                    "These are the very samples that the step has just been fitted to. What a network has learned "
                    "shows on samples it has not seen.",
                ),
            },
        ),
    ),
    misplaced={
        "W2_updated_too_early": (
            "W2",
            "dZ1",
            "W2 is updated before it has sent the gradient back. All gradients belong to the point of the forward "
            "pass.",
        ),
        "measured_too_early": (
            "accuracy",
            "W1",
            "The accuracy is measured with weights that have not been updated yet.",
        ),
    },
    hints=(
        "A step has four parts: choose samples, go forward, go backward, update. Which lines belong to which?",
        "A line can stand where every name on its right-hand side has its value, and where none has a newer one "
        "already. W2 occurs on the way back.",
        "Batch, A1, A2, dZ2, then dW2 and dZ1 in any order, dW1, the two updates, and the accuracy last.",
    ),
    objective="Put the lines of a training step in order",
    difficulty=2,
    minutes=4,
)

Batch = Any
"""The numbers of the samples of one batch."""

Batches = Callable[[], Sequence[Batch]]
"""All batches of an epoch, in their order."""


def _neuron_data(draw: Draw) -> Environment:
    (d,) = draw.sizes(1)
    n = 8
    return {
        "X": draw.normal(n, d),
        "y": (draw.normal(n) > 0).astype(float),
        "w": draw.nonzero(d),
        "b": draw.number(0.3, 1.2),
        "shuffled": draw.rng.permutation(n),
        "batch_size": 3 + 2 * draw.integer(0, 1),  # 3 or 5, so that the last batch is smaller
        "learning_rate": draw.uniform(0.2, 0.6),
        "strength": draw.uniform(0.1, 0.4),
    }


def _cut(numbers: Batch, size: int) -> list[Batch]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def _sigma(z: Array) -> Array:
    """σ for moderate z: a diagnosis computes thousands of them."""
    return 1 / (1 + np.exp(-z))


def _data_gradient(X: Array, y: Array, divisor: Callable[[Batch], Any]) -> Any:
    """(w, b, batch) -> (dw, db) of the cross-entropy, summed over the batch and divided."""

    def gradient(w: Array, b: float, batch: Batch) -> tuple[Any, Any]:
        rows = X[batch]
        e = (_sigma(rows @ w + b) - y[batch]) / divisor(batch)
        return e @ rows, e.sum()

    return gradient


def _with_slope(X: Array, y: Array) -> Any:
    def gradient(w: Array, b: float, batch: Batch) -> tuple[Any, Any]:
        a = _sigma(X[batch] @ w + b)
        e = (a - y[batch]) * a * (1 - a) / len(batch)
        return e @ X[batch], e.sum()

    return gradient


def _without_sigmoid(X: Array, y: Array) -> Any:
    def gradient(w: Array, b: float, batch: Batch) -> tuple[Any, Any]:
        e = (X[batch] @ w + b - y[batch]) / len(batch)
        return e @ X[batch], e.sum()

    return gradient


def _first_targets(X: Array, y: Array) -> Any:
    def gradient(w: Array, b: float, batch: Batch) -> tuple[Any, Any]:
        e = (_sigma(X[batch] @ w + b) - y[: len(batch)]) / len(batch)
        return e @ X[batch], e.sum()

    return gradient


def _bias_gradient(X: Array, y: Array, change: Callable[[Array], Any]) -> Any:
    """The right dw, and another db made from the errors of the batch."""

    def gradient(w: Array, b: float, batch: Batch) -> tuple[Any, Any]:
        e = _sigma(X[batch] @ w + b) - y[batch]
        return e @ X[batch] / len(batch), change(e)

    return gradient


def _neuron_step(gradient: Any, penalty: Any, rate: Callable[[Batch], Any], bias: float = 1.0) -> Any:
    """(w, b, batch) -> (w, b), with the rate a function of the batch."""

    def step(w: Array, b: float, batch: Batch) -> tuple[Any, Any]:
        dw, db = penalty(*gradient(w, b, batch), w, b, batch)
        return w - rate(batch) * dw, b - rate(batch) * bias * db

    return step


def _neuron_step_weights_first(gradient: Any, penalty: Any, rate: float) -> Any:
    def step(w: Array, b: float, batch: Batch) -> tuple[Any, Any]:
        w = w - rate * penalty(*gradient(w, b, batch), w, b, batch)[0]
        return w, b - rate * penalty(*gradient(w, b, batch), w, b, batch)[1]

    return step


def _epoch(update: Any, w: Array, b: float, batches: Batches) -> tuple[Any, Any]:
    for batch in batches():
        w, b = update(w, b, batch)
    return w, b


def _epoch_accumulating(update: Any, w: Array, b: float, batches: Batches) -> tuple[Any, Any]:
    """Every step is made on top of the steps before, once more."""
    moved_w, moved_b = np.zeros_like(w), 0.0
    for batch in batches():
        new_w, new_b = update(w, b, batch)
        moved_w, moved_b = moved_w + (new_w - w), moved_b + (new_b - b)
        w, b = w + moved_w, b + moved_b
    return w, b


def _epoch_from_the_start(update: Any, w: Array, b: float, batches: Batches) -> tuple[Any, Any]:
    """All steps from the starting point, added up at the end."""
    moved = [update(w, b, batch) for batch in batches()]
    return w + sum(new_w - w for new_w, _ in moved), b + sum(new_b - b for _, new_b in moved)


_EPOCH = Exercise(
    id="06.epoch",
    title="Blank page: an epoch of mini-batches for one neuron",
    points=5,
    function="train_epoch",
    inputs=("X", "y", "w", "b", "shuffled", "batch_size", "learning_rate", "strength"),
    returns=("w_new", "b_new"),
    draw=_neuron_data,
    steps=(
        Step(
            "batches",
            lambda shuffled, batch_size: lambda: _cut(shuffled, batch_size),
            mistakes={
                "last_batch_dropped": (
                    lambda shuffled, batch_size: lambda: _cut(shuffled, batch_size)[:-1],
                    "The last samples are never used: the batch that is left at the end is smaller, and counts too.",
                ),
                "not_shuffled": (
                    lambda shuffled, batch_size: lambda: _cut(np.arange(len(shuffled)), batch_size),
                    "The samples are taken in the order in which they lie there. `shuffled` says which comes when.",
                ),
                "first_batch_only": (
                    lambda shuffled, batch_size: lambda: _cut(shuffled, batch_size)[:1],
                    "Only the first batch was used. Does the function return in the first round of its loop?",
                ),
                "everything_in_one_batch": (
                    lambda shuffled: lambda: [shuffled],
                    "All samples made one step together. A mini-batch is `batch_size` of them, and each makes a step.",
                ),
                "overlapping_batches": (
                    lambda shuffled, batch_size: (
                        lambda: [shuffled[start : start + batch_size] for start in range(len(shuffled))]
                    ),
                    "The batches overlap: each begins one sample after the one before. By how much should `start` "
                    "grow?",
                ),
            },
        ),
        Step(
            "gradient",
            lambda X, y: _data_gradient(X, y, len),
            mistakes={
                "sum_not_mean": (lambda X, y: _data_gradient(X, y, lambda batch: 1.0), _SUM_NOT_MEAN),
                "divided_by_all_samples": (
                    lambda X, y: _data_gradient(X, y, lambda batch: len(y)),
                    "The sum over the batch is divided by the number of all samples. The loss of a step is the mean "
                    "over its own batch.",
                ),
                "divided_by_the_batch_size": (
                    lambda X, y, batch_size: _data_gradient(X, y, lambda batch: batch_size),
                    "In the last batch, which is smaller, the sum is divided by too large a number. Count the samples "
                    "that are there.",
                ),
                "mean_twice": (lambda X, y: _data_gradient(X, y, lambda batch: len(batch) ** 2), _MEAN_TWICE),
                "multiplied_by_the_slope": (
                    lambda X, y: _with_slope(X, y),
                    "σ′ is in there. With the cross-entropy it cancels: lesson 05, exercise 11.",
                ),
                "output_without_sigmoid": (
                    lambda X, y: _without_sigmoid(X, y),
                    "The output of the neuron goes through σ before it is compared with the target.",
                ),
                "targets_of_other_samples": (
                    lambda X, y: _first_targets(X, y),
                    "The targets are not those of the batch's samples. X and y have to be indexed alike.",
                ),
                "last_sample_only": (
                    lambda X, y: lambda w, b, batch: _data_gradient(X, y, len)(w, b, batch[-1:]),
                    _LAST_SAMPLE,
                ),
                "bias_gradient_summed": (
                    lambda X, y: _bias_gradient(X, y, lambda e: e.sum()),
                    "dw is a mean over the batch, db a sum. The mean belongs to the loss, so both have it.",
                ),
                "errors_turned_round": (
                    lambda X, y: _data_gradient(X, y, lambda batch: -len(batch)),
                    "Output and target are exchanged: the error is positive where the output is too large.",
                ),
            },
        ),
        Step(
            "penalty",
            lambda strength: lambda dw, db, w, b, batch: (dw + strength * w, db),
            mistakes={
                "decay_left_out": (
                    lambda: lambda dw, db, w, b, batch: (dw, db),
                    "The gradient of the penalty is missing. The loss has two parts, and the gradient of a sum is the "
                    "sum of the gradients.",
                ),
                "decay_doubled": (
                    lambda strength: lambda dw, db, w, b, batch: (dw + 2 * strength * w, db),
                    "The penalty's gradient is doubled: its ½ cancels the 2 of the square.",
                ),
                "decay_halved": (
                    lambda strength: lambda dw, db, w, b, batch: (dw + strength * w / 2, db),
                    "The ½ of the penalty is still there: the 2 of the square cancels it.",
                ),
                "decay_divided_by_the_batch": (
                    lambda strength: lambda dw, db, w, b, batch: (dw + strength * w / len(batch), db),
                    "The penalty is divided by the number of samples. It does not belong to the samples: there is one "
                    "for the whole loss.",
                ),
                "decay_of_the_bias": (
                    lambda strength: lambda dw, db, w, b, batch: (dw + strength * w, db + strength * b),
                    "The bias is drawn towards zero as well. The penalty contains the weights only.",
                ),
                "decay_outwards": (
                    lambda strength: lambda dw, db, w, b, batch: (dw - strength * w, db),
                    "The penalty drives the weights away from zero. Its gradient has the same sign as the weight.",
                ),
                "decay_by_sign": (
                    lambda strength: lambda dw, db, w, b, batch: (dw + strength * np.sign(w), db),
                    "This is the gradient of Σ|w|. The penalty here has squares.",
                ),
            },
        ),
        Step(
            "update",
            lambda gradient, penalty, learning_rate: _neuron_step(gradient, penalty, lambda batch: learning_rate),
            mistakes={
                "uphill": (
                    lambda gradient, penalty, learning_rate: _neuron_step(
                        gradient, penalty, lambda batch: -learning_rate
                    ),
                    _UPHILL,
                ),
                "rate_left_out": (
                    lambda gradient, penalty: _neuron_step(gradient, penalty, lambda batch: 1.0),
                    _RATE_LEFT_OUT,
                ),
                "rate_twice": (
                    lambda gradient, penalty, learning_rate: _neuron_step(
                        gradient, penalty, lambda batch: learning_rate**2
                    ),
                    _RATE_TWICE,
                ),
                "rate_divided_by_the_batch": (
                    lambda gradient, penalty, learning_rate: _neuron_step(
                        gradient, penalty, lambda batch: learning_rate / len(batch)
                    ),
                    "The update divides by the number of samples once more. The mean is in the gradient already.",
                ),
                "bias_stays": (
                    lambda gradient, penalty, learning_rate: _neuron_step(
                        gradient, penalty, lambda batch: learning_rate, bias=0.0
                    ),
                    _BIAS_STAYS,
                ),
                "weights_moved_first": (
                    lambda gradient, penalty, learning_rate: _neuron_step_weights_first(
                        gradient, penalty, learning_rate
                    ),
                    _MIXED_AGE,
                ),
            },
        ),
        Step(
            "loop",
            lambda update, w, b, batches: _epoch(update, w, b, batches),
            mistakes={
                "gradients_accumulated": (
                    lambda update, w, b, batches: _epoch_accumulating(update, w, b, batches),
                    _ACCUMULATED,
                ),
                "all_steps_from_the_start": (
                    lambda update, w, b, batches: _epoch_from_the_start(update, w, b, batches),
                    "Every gradient was taken at the starting point. After a batch the parameters have moved, and the "
                    "next gradient is taken there.",
                ),
                "last_step_only": (
                    lambda update, w, b, batches: update(w, b, batches()[-1]),
                    "Only the step of the last batch is left. Does every round start from the first w and b?",
                ),
            },
        ),
        Step("w_new", lambda loop: loop[0]),
        Step("b_new", lambda loop: loop[1]),
    ),
    hints=(
        "A loop over the batches, and in it: outputs, errors, gradients, update. You have written each before; what is "
        "new is which samples take part.",
        "`batch = shuffled[start : start + batch_size]`, with start growing by `batch_size`. The errors are "
        "σ(X w + b) − y on the batch, divided by its own length; dw gets λw on top, db does not.",
        "In the loop: `e = (sigmoid(X[batch] @ w + b) - y[batch]) / len(batch)`, then "
        "`w, b = w - learning_rate * (e @ X[batch] + strength * w), b - learning_rate * e.sum()`.",
    ),
    objective="Write an epoch of mini-batches from a blank page",
    difficulty=3,
    minutes=10,
)

EXERCISES = [
    _UPDATE,
    _DESCEND,
    _PREDICT_RATE,
    _STABILITY,
    _RATES,
    _MOMENTUM,
    _ADAM_STEP,
    _FIX_ADAM,
    _PREDICT_UPDATES,
    _ORDER_TRAINING,
    _EPOCH,
]
