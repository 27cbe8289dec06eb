"""Lesson 01: the chain rule in one variable, from one missing line to the gradient of a neuron's loss.

Every two-link exercise has the same derivation, u = g(x), then dy/du, du/dx and their product, and invites the same
mistakes at the product; ``_two_links`` holds them once. Inputs are single numbers: what is differentiated here has one
variable at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from autograder.exercises.drawing import Draw
from autograder.exercises.formulas import Environment, Formula
from autograder.exercises.kinds import Derivation, prediction, sigma
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Exercise, Step
from chainrule_lib.activations import sigmoid, sigmoid_derivative, tanh_derivative

WITHHELD = (*AUTODIFF, "chainrule_lib.network", "chainrule_lib.numerical")
"""A complex step is as exact as the formulas asked for, and a neuron is a network of one layer."""

Function = Callable[[Any], Any]
Mistakes = Mapping[str, tuple[Formula, str]]

# Explanations that serve in more than one exercise.
_OUTER_AT_X = (
    "The outer derivative is right as a formula and evaluated at the wrong place. The outer function never sees x; "
    "what does it receive?"
)
_FORGOT_INNER = (
    "This is how fast y changes with u, not with x. A link of the chain is missing: how fast does u change with x?"
)
_SUM = (
    "The two derivatives are added. Each says by what factor a small change is stretched, and one stretching after the "
    "other does not add."
)
_COMPOSED = (
    "The inner derivative was put into the outer derivative. It is not an input: the outer derivative is evaluated at"
    " the inner value, and the inner derivative stands beside it."
)
_PRODUCT_RULE = (
    "This is the product rule, which is for f(x) · g(x). Here nothing is multiplied: one function receives the other."
)
_POWER_RULE = (
    "The power rule was used on an exponential. It is for a variable base and a constant exponent, such as u³; here "
    "it is the exponent that varies."
)
_SLOPE_IS_SIGMOID = "σ was not differentiated: this is its value a, where its slope is needed."
_SLOPE_IS_COMPLEMENT = (
    "Only half of σ′ is there. It is a product of two factors, and it goes to 0 on both sides, where σ is near 1 and "
    "where σ is near 0."
)
_SLOPE_AT_Z = "The form of σ′ with two factors is written with the value a = σ(z). Here z itself was put into it."
_SLOPE_AT_A = (
    "σ was applied once too often: a is σ(z) already. σ′ belongs at z, or is written with a and without another σ."
)


def _two_links(
    f: Function,
    df: Function,
    g: Function,
    dg: Function,
    outer: Mistakes,
    inner: Mistakes,
    shares: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> tuple[Step, ...]:
    """The derivation of dy/dx for y = f(u), u = g(x), with the mistakes every chain of two links invites.

    Parameters
    ----------
    f, df, g, dg : the outer and the inner function, each with its derivative
    outer, inner : further mistakes in dy/du and in du/dx, which depend on the functions
    shares : of dy/du, du/dx and their product; small where the lesson gives the line
    """
    return (
        Step("u", lambda x: g(x), share=0),
        Step("dy_du", lambda u: df(u), shares[0], {"outer_at_x": (lambda x: df(x), _OUTER_AT_X), **outer}),
        Step("du_dx", lambda x: dg(x), shares[1], inner),
        Step(
            "dy_dx",
            lambda dy_du, du_dx: dy_du * du_dx,
            shares[2],
            {
                "forgot_inner": (lambda dy_du: dy_du, _FORGOT_INNER),
                "sum_of_derivatives": (lambda dy_du, du_dx: dy_du + du_dx, _SUM),
                "composed_derivatives": (lambda du_dx: df(du_dx), _COMPOSED),
                "product_rule": (lambda x: df(x) * g(x) + f(x) * dg(x), _PRODUCT_RULE),
            },
        ),
    )


_POWER_OF_LINE = Exercise(
    id="01.power_of_line",
    title="The inner derivative of (5 − 2x)³",
    points=2,
    function="power_slope",
    inputs=("x",),
    returns=("dy_dx",),
    draw=lambda draw: {"x": draw.uniform(1.8, 2.25)},
    loss=lambda x: (5 - 2 * x) ** 3,
    wrt={"dy_dx": "x"},
    amplify=("x",),  # a difference of high order is exact for a cubic, but for its round-off
    steps=_two_links(
        shares=(0.05, 1.0, 0.05),
        f=lambda u: u**3,
        df=lambda u: 3 * u**2,
        g=lambda x: 5 - 2 * x,
        dg=lambda x: -2.0,
        outer={
            "exponent_not_brought_down": (
                lambda u: u**2,
                "In the outer derivative the exponent was lowered, but the old one did not come down as a factor.",
            ),
            "exponent_not_lowered": (
                lambda u: 3 * u**3,
                "In the outer derivative the exponent came down as a factor but was not lowered.",
            ),
        },
        inner={
            "inner_sign_lost": (
                lambda x: 2.0,
                "The inner function falls as x grows. What sign does its slope have?",
            ),
            "inner_factor_lost": (
                lambda x: -1.0,
                "The inner function has the right direction and the wrong steepness: what multiplies x?",
            ),
            "inner_constant_kept": (
                lambda x: 3.0,
                "The 5 is still there. Adding a constant moves a line up; does that change its slope?",
            ),
            "inner_x_kept": (
                lambda x: -2 * x,
                "The inner function is a straight line, so its slope is the same number everywhere: no x is left in "
                "it.",
            ),
        },
    ),
    hints=(
        "The outer function is dealt with. What is left is a straight line: when x grows by 1, by how much does 5 − "
        "2x grow?",
        "dy/dx = dy/du · du/dx. The derivative of a line a + bx is its slope b; the constant a does not matter.",
        "The missing line is `return -2`.",
    ),
    objective="Find the inner derivative and see where it enters",
    difficulty=1,
    minutes=4,
)

_SCALED_SINE = Exercise(
    id="01.scaled_sine",
    title="Constants outside and inside: 5 sin(3x²)",
    points=2,
    function="wave_slope",
    inputs=("x",),
    returns=("dy_dx",),
    draw=lambda draw: {"x": draw.number(0.52, 0.68)},
    loss=lambda x: 5 * np.sin(3 * x**2),
    wrt={"dy_dx": "x"},
    steps=_two_links(
        f=lambda u: 5 * np.sin(u),
        df=lambda u: 5 * np.cos(u),
        g=lambda x: 3 * x**2,
        dg=lambda x: 6 * x,
        outer={
            "five_lost": (lambda u: np.cos(u), "The 5 in front is lost. A constant factor stays a factor."),
            "five_squared": (
                lambda u: 25 * np.cos(u),
                "The 5 in front is there twice. A constant factor is carried along once.",
            ),
            "cosine_sign": (
                lambda u: -5 * np.cos(u),
                "One of the two, sine or cosine, has a minus in its derivative. At 0 the sine rises: which sign is its "
                "slope?",
            ),
            "sine_not_differentiated": (
                lambda u: 5 * np.sin(u),
                "The outer function was copied, not differentiated: this is its value where its slope is needed.",
            ),
        },
        inner={
            "three_lost": (
                lambda x: 2 * x,
                "The 3 in front of x² is lost: a constant factor inside is differentiated along, and stays a factor.",
            ),
            "exponent_lost": (
                lambda x: 3 * x,
                "In the inner derivative the exponent was lowered, but the old one did not come down as a factor.",
            ),
            "three_squared": (
                lambda x: 18 * x,
                "This is the derivative of (3x)². The square belongs to x alone, so the 3 in front of it is carried "
                "along once.",
            ),
            "inner_exponent_kept": (
                lambda x: 6 * x**2,
                "In the inner derivative the exponent came down as a factor but was not lowered.",
            ),
        },
    ),
    hints=(
        "Cover 3x² with your finger and call it u. What is left to differentiate? Then take the finger away and "
        "differentiate what was under it.",
        "A constant factor stays: (c · f)′ = c · f′. The derivative of sin u is cos u, that of x² is 2x.",
        "The outer slope is `5 * np.cos(u)`; the inner one is 3 times `2 * x`.",
    ),
    objective="Differentiate the outer and the inner function with their constants",
    difficulty=1,
    minutes=5,
)

_MINUS_SIGNS = Exercise(
    id="01.minus_signs",
    title="Three minus signs: e^(−x), 1/(1 + x²), (1 − x)⁴",
    points=3,
    function="sign_slopes",
    inputs=("x",),
    returns=("dp_dx", "dq_dx", "dr_dx"),
    # One loss for all three: each function has its own copy of x, so that each derivative is taken by itself.
    draw=lambda draw: (lambda x: {"x": x, "x_p": x, "x_q": x, "x_r": x})(draw.number(1.2, 1.8)),
    loss=lambda x_p, x_q, x_r: np.exp(-x_p) + 1 / (1 + x_q**2) + (1 - x_r) ** 4,
    wrt={"dp_dx": "x_p", "dq_dx": "x_q", "dr_dx": "x_r"},
    steps=(
        Step(
            "dp_dx",
            lambda x: -np.exp(-x),
            mistakes={
                "p_sign_lost": (
                    lambda x: np.exp(-x),
                    "e^(−x) falls as x grows, and this slope says that it rises. Which link of the chain carries the "
                    "minus?",
                ),
                "p_power_rule": (lambda x: -x * np.exp(-x - 1), _POWER_RULE),
                "p_outer_at_x": (lambda x: -np.exp(x), _OUTER_AT_X),
                "p_composed": (lambda x: np.exp(-1.0), _COMPOSED),
            },
        ),
        Step(
            "dq_dx",
            lambda x: -2 * x / (1 + x**2) ** 2,
            mistakes={
                "q_sign_lost": (
                    lambda x: 2 * x / (1 + x**2) ** 2,
                    "The sign is turned round. When the number below the line grows, does the fraction grow or shrink?",
                ),
                "q_forgot_inner": (lambda x: -1 / (1 + x**2) ** 2, _FORGOT_INNER),
                "q_square_lost": (
                    lambda x: -2 * x / (1 + x**2),
                    "The derivative of 1/u has a higher power below the line than 1/u itself: write 1/u as a power of"
                    " u, and use the power rule.",
                ),
                "q_reciprocal_of_slope": (
                    lambda x: 1 / (2 * x),
                    "The derivative of 1/u is not 1 over the derivative of u. Take 1/u as the outer function and "
                    "differentiate that first.",
                ),
                "q_logarithm": (
                    lambda x: 2 * x * np.log(1 + x**2),
                    "The logarithm has 1/u as its derivative; 1/u itself does not have the logarithm as its "
                    "derivative. Write 1/u as a power of u.",
                ),
            },
        ),
        Step(
            "dr_dx",
            lambda x: -4 * (1 - x) ** 3,
            mistakes={
                "r_sign_lost": (
                    lambda x: 4 * (1 - x) ** 3,
                    "That is the slope with respect to 1 − x. When x grows, 1 − x shrinks: this link is missing.",
                ),
                "r_factor_lost": (
                    lambda x: -((1 - x) ** 3),
                    "The exponent was lowered, but the old one did not come down as a factor.",
                ),
                "r_outer_at_x": (lambda x: -4 * x**3, _OUTER_AT_X),
                "r_exponent_kept": (
                    lambda x: -4 * (1 - x) ** 4,
                    "The exponent came down as a factor but was not lowered.",
                ),
            },
        ),
    ),
    hints=(
        "Before you calculate: does each function rise or fall when x grows? Its derivative has that sign.",
        "All three are chains. The derivative of e^u is e^u, that of 1/u = u^(−1) is −1/u², that of u⁴ is 4u³. Then "
        "multiply by the derivative of what is inside.",
        "The inner derivatives are `-1`, `2 * x` and `-1`. The outer ones, at the inner values, are `np.exp(-x)`, "
        "`-1 / (1 + x**2)**2` and `4 * (1 - x)**3`.",
    ),
    objective="Keep the signs of e^(−x), 1/u and 1 − x",
    difficulty=2,
    minutes=7,
)

_EXPONENTIAL = Exercise(
    id="01.exponential",
    title="An exponential of a function: e^(x − x²)",
    points=3,
    function="hump_slope",
    inputs=("x",),
    returns=("dy_dx",),
    draw=lambda draw: {"x": draw.number(0.6, 1.4)},
    loss=lambda x: np.exp(x - x**2),
    wrt={"dy_dx": "x"},
    steps=_two_links(
        f=np.exp,
        df=np.exp,
        g=lambda x: x - x**2,
        dg=lambda x: 1 - 2 * x,
        outer={
            "power_rule_on_exponential": (lambda u: u * np.exp(u - 1), _POWER_RULE),
            "outer_sign": (
                lambda u: -np.exp(u),
                "The outer function e^u rises everywhere, so its derivative is positive. A minus can only come from "
                "inside.",
            ),
            "exponent_differentiated": (
                lambda x: np.exp(1 - 2 * x),
                "The exponent was replaced by its derivative. Differentiating e^u leaves the exponent as it is.",
            ),
        },
        inner={
            "one_lost": (
                lambda x: -2 * x,
                "The inner function has two terms, and each has a derivative. One of them is missing.",
            ),
            "inner_minus_lost": (lambda x: 1 + 2 * x, "Look at the sign between the two terms of the exponent."),
            "inner_factor_lost": (
                lambda x: 1 - x,
                "In the inner derivative the exponent of x² was lowered, but the old one did not come down as a "
                "factor.",
            ),
            "inner_not_differentiated": (
                lambda x: x - x**2,
                "The inner function was multiplied on as it is. The second factor is its derivative.",
            ),
        },
    ),
    hints=(
        "What is the derivative of e^u with respect to u? It is the easiest of all. What does the chain rule ask for "
        "after it?",
        "dy/dx = e^u · du/dx with u = x − x². The exponent stays as it is; its derivative becomes a factor.",
        "`u = x - x**2`, then return `np.exp(u)` times the derivative of u, which is `1 - 2 * x`.",
    ),
    objective="Differentiate an exponential of a function",
    difficulty=2,
    minutes=6,
)

_THREE_LINKS = Exercise(
    id="01.three_links",
    title="Three links: ln(2 + cos(x²))",
    points=3,
    function="three_link_slope",
    inputs=("x",),
    returns=("dy_dx",),
    draw=lambda draw: {"x": draw.number(0.6, 1.3)},
    loss=lambda x: np.log(2 + np.cos(x**2)),
    wrt={"dy_dx": "x"},
    steps=(
        Step("u", lambda x: x**2, share=0),
        Step("v", lambda u: 2 + np.cos(u), share=0),
        Step(
            "dy_dv",
            lambda v: 1 / v,
            mistakes={
                "logarithm_at_u": (
                    lambda u: 1 / u,
                    "The logarithm is differentiated at u. Its input is the value of the link before it: which one is"
                    " that?",
                ),
                "logarithm_at_x": (lambda x: 1 / x, _OUTER_AT_X),
                "logarithm_not_differentiated": (
                    lambda v: np.log(v),
                    "The logarithm was copied, not differentiated: this is its value where its slope is needed.",
                ),
                "logarithm_as_power": (
                    lambda v: -1 / v**2,
                    "That is the derivative of 1/v. The outermost function here is the logarithm itself.",
                ),
            },
        ),
        Step(
            "dv_du",
            lambda u: -np.sin(u),
            mistakes={
                "cosine_sign_lost": (
                    lambda u: np.sin(u),
                    "Just above 0 the cosine falls. What sign does its derivative have there?",
                ),
                "cosine_at_x": (
                    lambda x: -np.sin(x),
                    "The middle link is differentiated at x. It receives u: every link is differentiated at its own "
                    "input.",
                ),
                "two_kept": (
                    lambda u: 2 - np.sin(u),
                    "The 2 is still there. Adding a constant moves a curve up; does that change its slope?",
                ),
                "cosine_not_differentiated": (
                    lambda u: -np.cos(u),
                    "The derivative of a cosine is a sine, up to its sign. Here it stayed a cosine.",
                ),
            },
        ),
        Step(
            "du_dx",
            lambda x: 2 * x,
            mistakes={
                "two_lost": (
                    lambda x: x,
                    "In the innermost derivative the exponent was lowered, but the old one did not come down as a "
                    "factor.",
                ),
                "square_not_differentiated": (
                    lambda x: x**2,
                    "The innermost function was multiplied on as it is. The last factor is its derivative.",
                ),
            },
        ),
        Step(
            "dy_dx",
            lambda dy_dv, dv_du, du_dx: dy_dv * dv_du * du_dx,
            mistakes={
                "innermost_dropped": (
                    lambda dy_dv, dv_du: dy_dv * dv_du,
                    "Two of three links: this is how fast y changes with u. The link from u to x is missing.",
                ),
                "middle_dropped": (
                    lambda dy_dv, du_dx: dy_dv * du_dx,
                    "Two of three links: the first and the last are there, the one between them is missing.",
                ),
                "outermost_dropped": (
                    lambda dv_du, du_dx: dv_du * du_dx,
                    "Two of three links: this is how fast v changes with x. The link from y to v is missing.",
                ),
                "sum_of_links": (lambda dy_dv, dv_du, du_dx: dy_dv + dv_du + du_dx, _SUM.replace("two", "three")),
            },
        ),
    ),
    hints=(
        "Name the values on the way: u is the innermost, v is what the logarithm receives. How many steps lead from x"
        " to y?",
        "dy/dx = dy/dv · dv/du · du/dx, a factor per link, and each is evaluated at the input of its own link.",
        "With `u = x**2` and `v = 2 + np.cos(u)`, the factors are `1 / v`, `-np.sin(u)` and `2 * x`.",
    ),
    objective="Differentiate a chain of three links",
    difficulty=2,
    minutes=8,
)

_NEURON = Exercise(
    id="01.neuron",
    title="One neuron: σ(wx + b), three ways",
    points=3,
    function="neuron_slopes",
    inputs=("w", "x", "b"),
    returns=("da_dw", "da_dx", "da_db"),
    draw=lambda draw: {"w": draw.number(0.4, 1.2), "x": draw.number(1.4, 2.2), "b": draw.number(0.3, 0.8)},
    loss=lambda w, x, b: sigmoid(w * x + b),
    wrt={"da_dw": "w", "da_dx": "x", "da_db": "b"},
    steps=(
        Step("z", lambda w, x, b: w * x + b, share=0),
        Step("a", lambda z: sigmoid(z), share=0),
        Step(
            "da_dz",
            lambda z: sigmoid_derivative(z),
            mistakes={
                "slope_left_out": (
                    lambda z: 1.0,
                    "These are the derivatives of z, not of a: the link through σ is missing.",
                ),
                "slope_is_sigmoid": (lambda a: a, _SLOPE_IS_SIGMOID),
                "slope_is_complement": (lambda a: 1 - a, _SLOPE_IS_COMPLEMENT),
                "slope_at_z": (lambda z: z * (1 - z), _SLOPE_AT_Z),
                "slope_at_a": (lambda a: sigmoid_derivative(a), _SLOPE_AT_A),
                "exponent_sign_lost": (
                    lambda z: -sigmoid_derivative(z),
                    "σ rises everywhere, and this slope is negative. One of the two minus signs in the chain of "
                    "1/(1 + e^(−z)) was lost.",
                ),
            },
        ),
        Step(
            "da_dw",
            lambda da_dz, x: da_dz * x,
            mistakes={
                "w_link_left_out": (
                    lambda da_dz: da_dz,
                    "For w, the last link is missing: how fast does z = wx + b change when only w changes?",
                ),
                "w_link_is_w": (
                    lambda da_dz, w: da_dz * w,
                    "For w, the last link is the derivative of wx with respect to w. What is constant there, and what"
                    " is the variable?",
                ),
                "w_link_is_product": (
                    lambda da_dz, w, x: da_dz * w * x,
                    "For w, the term wx was multiplied on as it is. The last link is its derivative with respect to w.",
                ),
                "w_link_with_b": (
                    lambda da_dz, x, b: da_dz * (x + b),
                    "For w, the b is still there. Only w varies now, so an added b has no slope.",
                ),
            },
        ),
        Step(
            "da_dx",
            lambda da_dz, w: da_dz * w,
            mistakes={
                "x_link_left_out": (
                    lambda da_dz: da_dz,
                    "For x, the last link is missing: how fast does z = wx + b change when only x changes?",
                ),
                "x_link_is_x": (
                    lambda da_dz, x: da_dz * x,
                    "For x, the last link is the derivative of wx with respect to x. What is constant there, and what"
                    " is the variable?",
                ),
                "x_link_with_b": (
                    lambda da_dz, w, b: da_dz * (w + b),
                    "For x, the b is still there. Only x varies now, so an added b has no slope.",
                ),
            },
        ),
        Step(
            "da_db",
            lambda da_dz: da_dz,
            mistakes={
                "b_link_is_b": (
                    lambda da_dz, b: da_dz * b,
                    "For b, the last link is the derivative of wx + b with respect to b, not b itself. When b grows "
                    "by a little, by how much does z grow?",
                ),
                "b_link_is_zero": (
                    lambda da_dz: 0.0,
                    "b was taken for a constant. For this derivative it is the variable, and w and x are the "
                    "constants.",
                ),
                "b_link_is_x": (
                    lambda da_dz, x: da_dz * x,
                    "For b, this is the link of w, copied. b is added to z without a factor.",
                ),
            },
        ),
    ),
    hints=(
        "All three chains begin with the same link, from a to z. Where do they part?",
        "da/dw = σ′(z) · dz/dw, and the same with x and with b. σ′(z) was worked out above; z = wx + b is a straight "
        "line in each of its three letters.",
        "`da_dz = sigmoid_derivative(z)` with `z = w * x + b`. Multiply it by `x`, by `w` and by `1`.",
    ),
    objective="Differentiate one formula with respect to each of its variables",
    difficulty=2,
    minutes=8,
)

_POOL: tuple[tuple[Function, Function], ...] = (
    (np.sin, np.cos),
    (np.tanh, tanh_derivative),
    (sigmoid, sigmoid_derivative),
    (lambda u: 0.7 * u + 0.6, lambda u: 0.7),
    (lambda u: np.exp(-u), lambda u: -np.exp(-u)),
    (lambda u: u**2 / 2 + u, lambda u: u + 1),
)
"""Functions with their derivatives for random chains; in any order, their values stay moderate."""


def _random_chain(draw: Draw) -> Environment:
    links = [_POOL[index] for index in draw.rng.permutation(len(_POOL))[: draw.integer(3, 6)]]
    functions, derivatives = zip(*links, strict=True)
    return {"functions": list(functions), "derivatives": list(derivatives), "x": draw.number(0.3, 0.9)}


def _values(functions: Sequence[Function], x: Any) -> list[Any]:
    """x and the value after every link, innermost first."""
    found = [x]
    for function in functions:
        found.append(function(found[-1]))
    return found


def _locals(derivatives: Sequence[Function], inputs: Sequence[Any]) -> list[Any]:
    """Each derivative at its own input."""
    return [derivative(value) for derivative, value in zip(derivatives, inputs, strict=True)]


_ANY_LENGTH = Exercise(
    id="01.any_length",
    title="A chain of any length",
    points=4,
    function="chain_derivative",
    inputs=("functions", "derivatives", "x"),
    returns=("dy_dx",),
    draw=_random_chain,
    loss=lambda functions, x: _values(functions, x)[-1],
    wrt={"dy_dx": "x"},
    steps=(
        Step("inputs", lambda functions, x: _values(functions, x)[:-1], share=0),
        Step(
            "local_derivatives",
            lambda derivatives, inputs: _locals(derivatives, inputs),
            mistakes={
                "all_at_x": (
                    lambda derivatives, x: [derivative(x) for derivative in derivatives],
                    "Every derivative is evaluated at x. Only the innermost function receives x; the others receive "
                    "what the link before them gave.",
                ),
                "at_outputs": (
                    lambda functions, derivatives, x: _locals(derivatives, _values(functions, x)[1:]),
                    "Every derivative is evaluated at its link's output: the value is moved on before it is used. A "
                    "link is differentiated at its input.",
                ),
                "outermost_first": (
                    lambda functions, derivatives, x: _locals(derivatives[::-1], _values(functions[::-1], x)[:-1]),
                    "The chain is run from the wrong end. The lists begin with the innermost function, the one that "
                    "receives x.",
                ),
                "derivatives_reversed": (
                    lambda derivatives, inputs: _locals(derivatives[::-1], inputs),
                    "The derivatives are paired with the inputs in opposite order: each derivative belongs to the "
                    "function at the same place of its list.",
                ),
                "derivatives_composed": (
                    lambda derivatives, x: _locals(derivatives, _values(derivatives, x)[:-1]),
                    "The value passed on from link to link is the derivative's. What flows through the chain is the "
                    "functions' values; the derivatives only read them.",
                ),
                "values_instead_of_slopes": (
                    lambda functions, inputs: _locals(functions, inputs),
                    "The values of the links are multiplied, not their slopes: the list of derivatives is not used.",
                ),
            },
        ),
        Step(
            "dy_dx",
            lambda local_derivatives: prod(local_derivatives),
            mistakes={
                "innermost_dropped": (
                    lambda local_derivatives: prod(local_derivatives[1:]),
                    "All links but the innermost are there. Where does your loop begin?",
                ),
                "outermost_dropped": (
                    lambda local_derivatives: prod(local_derivatives[:-1]),
                    "All links but the outermost are there. Where does your loop end?",
                ),
                "last_link_only": (
                    lambda local_derivatives: local_derivatives[-1],
                    "Only the outermost link is there: the result is replaced in every round, not multiplied.",
                ),
                "first_link_only": (
                    lambda local_derivatives: local_derivatives[0],
                    "Only the innermost link is there. Does the function return in the first round of its loop?",
                ),
                "sum_of_links": (
                    lambda local_derivatives: sum(local_derivatives),
                    "The local derivatives are added. Each is a factor of stretching, and one stretching after the "
                    "other does not add.",
                ),
                "product_from_zero": (
                    lambda local_derivatives: 0.0,
                    "The result is 0 whatever the chain is. What does the product start from, and what is anything "
                    "times that?",
                ),
            },
        ),
    ),
    hints=(
        "You did it by hand for three links. What did you need to know at each link, and what did you do with it?",
        "Walk from the innermost link outwards with two variables: the current value, and the product of the slopes "
        "so far. At each link the slope is taken first, then the value moves on.",
        "Start with `value, slope = x, 1.0`. In the loop over `zip(functions, derivatives)`: "
        "`slope *= derivative(value)`, then `value = function(value)`.",
    ),
    objective="Differentiate a chain of any length with a loop",
    difficulty=3,
    minutes=10,
)

_NEURON_LOSS = Exercise(
    id="01.neuron_loss",
    title="Blank page: the squared loss of one neuron",
    points=5,
    function="neuron_gradients",
    inputs=("w", "b", "x", "y"),
    returns=("dw", "db"),
    draw=lambda draw: {
        "w": draw.number(0.4, 1.2),
        "b": draw.number(0.3, 0.8),
        "x": draw.number(1.4, 2.2),
        "y": float(draw.uniform(0.1, 0.9)),
    },
    loss=lambda w, b, x, y: (sigmoid(w * x + b) - y) ** 2 / 2,
    amplify=("y",),
    steps=(
        Step("z", lambda w, x, b: w * x + b, share=0),
        Step(
            "a",
            lambda z: sigmoid(z),
            share=0.5,
            mistakes={
                "output_without_sigmoid": (
                    lambda z: z,
                    "The neuron's output is a = σ(z). Here z itself was taken for the output.",
                ),
            },
        ),
        Step(
            "da",
            lambda a, y: a - y,
            mistakes={
                "negated_error": (
                    lambda a, y: y - a,
                    "The sign is turned round. The loss grows when a moves away from y: where a is above y, its slope"
                    " is positive. Which is subtracted from which?",
                ),
                "extra_factor_two": (
                    lambda a, y: 2 * (a - y),
                    "There is an extra factor 2. The loss carries a ½, which cancels the 2 that the square brings "
                    "down.",
                ),
                "kept_the_half": (
                    lambda a, y: (a - y) / 2,
                    "The ½ of the loss is still there. Differentiating the square brings a factor 2 down; put both "
                    "together.",
                ),
                "not_differentiated": (
                    lambda a, y: (a - y) ** 2 / 2,
                    "The first factor is the loss itself. It has to be differentiated with respect to a.",
                ),
            },
        ),
        Step(
            "dz",
            lambda da, a: da * a * (1 - a),
            mistakes={
                "slope_left_out": (
                    lambda da: da,
                    "A link is missing. The loss depends on a, a on z, and z on w and b: which of these three steps "
                    "has no factor?",
                ),
                "slope_is_sigmoid": (lambda da, a: da * a, _SLOPE_IS_SIGMOID),
                "slope_is_complement": (lambda da, a: da * (1 - a), _SLOPE_IS_COMPLEMENT),
                "slope_at_z": (lambda da, z: da * z * (1 - z), _SLOPE_AT_Z),
                "slope_at_a": (lambda da, a: da * sigmoid_derivative(a), _SLOPE_AT_A),
                "links_added": (lambda da, a: da + a * (1 - a), _SUM),
            },
        ),
        Step(
            "dw",
            lambda dz, x: dz * x,
            mistakes={
                "w_link_left_out": (
                    lambda dz: dz,
                    "For w, the last link is missing: how fast does z = wx + b change when only w changes?",
                ),
                "w_link_is_w": (
                    lambda dz, w: dz * w,
                    "For w, the last link is the derivative of wx with respect to w. What is constant there, and what"
                    " is the variable?",
                ),
                "w_link_is_z": (
                    lambda dz, z: dz * z,
                    "For w, z was multiplied on as it is. The last link is its derivative with respect to w.",
                ),
            },
        ),
        Step(
            "db",
            lambda dz: dz,
            mistakes={
                "b_link_is_x": (
                    lambda dz, x: dz * x,
                    "For b, this is the link of w, copied. b is added to z without a factor.",
                ),
                "b_link_is_b": (
                    lambda dz, b: dz * b,
                    "For b, the last link is the derivative of wx + b with respect to b, not b itself.",
                ),
                "b_link_alone": (
                    lambda dz: 1.0,
                    "That is the last link alone. It still has to be multiplied by all the links before it.",
                ),
            },
        ),
    ),
    hints=(
        "Write the chain from w to L with a name for every value on the way. How many links are there? How many of "
        "them does the chain from b to L share?",
        "dL/dw = dL/da · da/dz · dz/dw. The first factor comes from the loss, the second is σ′, the third from z = wx"
        " + b. For b only the third changes.",
        "With `a = sigmoid(w * x + b)`: `dz = (a - y) * a * (1 - a)`. Multiply it by `x` for w and by `1` for b.",
    ),
    objective="Derive the gradient of a neuron's loss from a blank page",
    difficulty=3,
    minutes=12,
)

_TEN_SIGMOIDS = prediction(
    "01.ten_sigmoids",
    title="Ten sigmoids in a row",
    points=1,
    function="slope_of_ten",
    question="Put ten sigmoids one into the other, $y = \\sigma(\\sigma(\\cdots\\sigma(x)\\cdots))$, and start at "
    "$x = 0.7$. How large is $dy/dx$, roughly?",
    options={
        "a": "about 1",
        "b": "about a tenth",
        "c": "about a thousandth",
        "d": "a millionth or less",
        "e": "exactly 0",
    },
    right="d",
    wrong={
        "a": (
            "slope_of_one",
            "Each sigmoid flattens: none of the ten slopes is larger than ¼, and one after the other they multiply.",
        ),
        "b": (
            "slopes_not_multiplied",
            "A single slope of σ is ¼ at the most. There are ten of them, and one after the other they multiply.",
        ),
        "c": (
            "slopes_of_one_half",
            "A thousandth is what ten factors of ½ give. How large can the slope of σ be at the most?",
        ),
        "e": (
            "vanished_entirely",
            "No slope of a sigmoid is 0, so no product of ten of them is: it is only very small.",
        ),
    },
    hints=(
        "How many factors does the derivative of ten links have, and how large can each of them be?",
        "The slope of σ is largest at 0, where it is ¼.",
        "Ten factors of at most ¼: compare (1/4)^10 with the choices.",
    ),
    objective="See what a product of many slopes does",
    difficulty=1,
    minutes=3,
)

_NEURON_LINES = Exercise(
    id="01.neuron_lines",
    title="A neuron's loss, line by line",
    points=3,
    function="neuron_lines",
    inputs=("a", "y", "x"),
    returns=("dL_da", "da_dz", "dz_dw", "dL_dw"),
    draw=lambda draw: {"a": draw.uniform(0.1, 0.9, 12), "y": draw.uniform(0.1, 0.9, 12), "x": draw.nonzero(12)},
    kind=Derivation(uses={"dL_da": ("a", "y"), "da_dz": ("a",), "dz_dw": ("x",)}),
    steps=(
        Step(
            "dL_da",
            lambda a, y: a - y,
            mistakes={
                "error_turned_round": (
                    lambda a, y: y - a,
                    "The sign is turned round. Where a is above y, the loss grows with a: which is subtracted?",
                ),
                "half_lost": (lambda a, y: 2 * (a - y), "The ½ of the loss cancels the 2 that comes down."),
                "half_kept": (lambda a, y: (a - y) / 2, "The 2 from the square comes down and cancels the ½."),
                "loss_itself": (lambda a, y: (a - y) ** 2 / 2, "This is the loss, not yet its derivative."),
            },
        ),
        Step(
            "da_dz",
            lambda a: a * (1 - a),
            mistakes={
                "one_factor": (lambda a: 1 - a, _SLOPE_IS_COMPLEMENT),
                "sigmoid_for_slope": (lambda a: a, "This is σ itself. Its slope is largest where σ is ½."),
                "sigmoid_once_more": (lambda a: sigma(a) * (1 - sigma(a)), _SLOPE_AT_A),
            },
        ),
        Step(
            "dz_dw",
            lambda x: x,
            mistakes={
                "constant_one": (
                    lambda x: x / x,
                    "One is the slope of z = wx + b with respect to b. When w moves by 1, by how much does z move?",
                ),
                "half_a_square": (lambda x: x**2 / 2, "Here w is the variable and x a constant: do not integrate."),
            },
        ),
        Step(
            "dL_dw",
            lambda dL_da, da_dz, dz_dw: dL_da * da_dz * dz_dw,
            mistakes={
                "links_added": (lambda dL_da, da_dz, dz_dw: dL_da + da_dz + dz_dw, _SUM),
                "activation_skipped": (lambda dL_da, dz_dw: dL_da * dz_dw, "The link through σ is missing."),
                "stopped_at_z": (lambda dL_da, da_dz: dL_da * da_dz, "This is dL/dz: the last link leads on to w."),
            },
        ),
    ),
    hints=(
        "Each of the first three lines is a single link: what moves, and what does it move?",
        "dL/da from the loss, da/dz = σ′ written with a, dz/dw from z = wx + b; then the product of the three.",
        "`dL_da = a - y`, `da_dz = a * (1 - a)`, `dz_dw = x`, and `dL_dw` is their product.",
    ),
    objective="Write a derivation link by link",
    difficulty=2,
    minutes=6,
)

EXERCISES = [
    _TEN_SIGMOIDS,
    _POWER_OF_LINE,
    _SCALED_SINE,
    _MINUS_SIGNS,
    _EXPONENTIAL,
    _THREE_LINKS,
    _NEURON,
    _ANY_LENGTH,
    _NEURON_LINES,
    _NEURON_LOSS,
]
