"""Lesson 00: three small exercises to learn how an answer is written, checked and corrected.

They need the power rule and nothing else. The second one has two steps, so that a learner sees once, on something easy,
what the feedback says about a value that is right in itself and was reached by a wrong one.
"""

from __future__ import annotations

import numpy as np

from autograder.exercises.drawing import Draw
from autograder.exercises.formulas import Environment
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Exercise, Step

WITHHELD = (*AUTODIFF, "chainrule_lib.numerical")
"""Derivatives are asked for as formulas, and a complex step is as exact as a formula."""


def _entries(draw: Draw) -> Environment:
    """Between four and nine numbers of either sign, none of them near 0 or 1 in size, where powers of x coincide."""
    size = draw.integer(4, 9)
    sign = np.where(draw.uniform(0, 1, size) < 0.5, -1.0, 1.0)
    return {"x": sign * draw.uniform(0.2, 0.9, size)}


_SQUARE = Exercise(
    id="00.square",
    title="The derivative of x²",
    points=1,
    function="square_slope",
    inputs=("x",),
    returns=("dy_dx",),
    draw=_entries,
    loss=lambda x: np.sum(x**2),
    wrt={"dy_dx": "x"},
    steps=(
        Step(
            "dy_dx",
            lambda x: 2 * x,
            mistakes={
                "not_differentiated": (
                    lambda x: x**2,
                    "This is x² itself. Asked for is its derivative: how steep the curve is at each x.",
                ),
                "factor_lost": (
                    lambda x: x,
                    "A factor is missing. The power rule does two things: it lowers the exponent, and it does "
                    "something with the old one.",
                ),
                "exponent_kept": (
                    lambda x: 2 * x**2,
                    "The exponent came down as a factor, as it should, but it was not lowered by one.",
                ),
                "constant_slope": (
                    lambda x: np.full_like(x, 2.0),
                    "This slope is the same everywhere, which only a straight line has. The curve of x² grows steeper: "
                    "what happened to x?",
                ),
                "sign_turned": (
                    lambda x: -2 * x,
                    "The sign is turned round. To the right of 0 the curve of x² rises: what sign does its slope have?",
                ),
                "integrated": (
                    lambda x: x**3 / 3,
                    "The exponent was raised: that is the way back, an integral. A derivative lowers it.",
                ),
            },
        ),
    ),
    hints=(
        "How steep is the curve of x² at x = 0? And does it get steeper or flatter on the way to the right?",
        "The power rule: to differentiate a power of x, write its exponent in front as a factor, then lower the "
        "exponent by one.",
        "For x² the exponent is 2, so the line is `return 2 * x`.",
    ),
    objective="Write an answer and check it",
    difficulty=1,
    minutes=2,
)

_TWO_STEPS = Exercise(
    id="00.two_steps",
    title="Two values, one after the other",
    points=1,
    function="two_steps",
    inputs=("x",),
    returns=("u", "y"),
    draw=_entries,
    steps=(
        Step(
            "u",
            lambda x: 3 * x + 1,
            mistakes={
                "forgot_plus_one": (lambda x: 3 * x, "Compare your u with the formula in the text: a term is missing."),
                "added_first": (
                    lambda x: 3 * (x + 1),
                    "Here 1 is added first and everything is multiplied afterwards. In the formula, only x is "
                    "multiplied.",
                ),
                "swapped_numbers": (
                    lambda x: x + 3,
                    "The numbers have changed places: which of them multiplies x, and which is added?",
                ),
                "minus_one": (lambda x: 3 * x - 1, "Look at the sign between the two terms of u."),
            },
        ),
        Step(
            "y",
            lambda u: u**2,
            mistakes={
                "squared_x": (
                    lambda x: x**2,
                    "The square is taken of x. The second step starts from what the first one gave, not from x.",
                ),
                "doubled": (
                    lambda u: 2 * u,
                    "This is twice u. Squaring multiplies u by itself, whatever u is.",
                ),
                "returned_u": (lambda u: u, "The second value is still u: the square is missing."),
                "differentiated": (
                    lambda u: 6 * u,
                    "This is a slope, the derivative of y. Asked for is y itself; slopes come in lesson 01.",
                ),
            },
        ),
    ),
    hints=(
        "One line for each step, in the order of the text. What does the second line start from?",
        "First `u = ...`, made of x; then `y = ...`, made of u. In Python a square is written `u**2`. Return both: "
        "`return u, y`.",
        "The first line is `u = 3 * x + 1`, the second `y = u**2`.",
    ),
    objective="Return two values, and read feedback that tells a wrong step from what it spoils",
    difficulty=1,
    minutes=3,
)

_POLYNOMIAL = Exercise(
    id="00.polynomial",
    title="The derivative of 4x³ − 2x",
    points=1,
    function="polynomial_slope",
    inputs=("x",),
    returns=("dy_dx",),
    draw=_entries,
    loss=lambda x: np.sum(4 * x**3 - 2 * x),
    wrt={"dy_dx": "x"},
    steps=(
        Step(
            "cubic_part",
            lambda x: 12 * x**2,
            mistakes={
                "exponent_not_brought_down": (
                    lambda x: 4 * x**2,
                    "In the first term the exponent was lowered, but the old one did not come down as a factor.",
                ),
                "coefficient_lost": (
                    lambda x: 3 * x**2,
                    "In the first term the number in front of the power is lost: a constant factor stays a factor.",
                ),
                "cubic_exponent_kept": (
                    lambda x: 12 * x**3,
                    "In the first term the exponent came down as a factor but was not lowered.",
                ),
                "added_instead_of_multiplied": (
                    lambda x: 7 * x**2,
                    "In the first term the exponent and the number in front were added. One is a factor of the other.",
                ),
            },
        ),
        Step(
            "dy_dx",
            lambda cubic_part: cubic_part - 2,
            mistakes={
                "linear_part_left_out": (
                    lambda cubic_part: cubic_part,
                    "Only the first term was differentiated. A sum is differentiated term by term, and the second one"
                    " has a slope too.",
                ),
                "linear_part_kept": (
                    lambda cubic_part, x: cubic_part - 2 * x,
                    "The second term was copied, not differentiated: it is a straight line, and its slope is a number.",
                ),
                "minus_lost": (lambda cubic_part: cubic_part + 2, "Look at the sign between the two terms."),
                "linear_part_became_one": (
                    lambda cubic_part: cubic_part - 1,
                    "In the second term the number in front of x is lost: a constant factor stays a factor.",
                ),
            },
        ),
    ),
    hints=(
        "There are two terms. Differentiate one, then the other; the rest of the work is done by a minus sign.",
        "A sum is differentiated term by term, and a constant factor stays: the derivative of 4x³ is 4 times that of "
        "x³. The slope of a straight line through 0 is the number in front of x.",
        "The first term gives `12 * x**2`. Subtract the slope of `2 * x`.",
    ),
    objective="Use the hints and correct an answer",
    difficulty=1,
    minutes=3,
)

EXERCISES = [_SQUARE, _TWO_STEPS, _POLYNOMIAL]
