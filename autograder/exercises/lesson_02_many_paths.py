"""Lesson 02: functions of several variables. Multiply along a path, add over the paths; Jacobians keep the books.

Where a whole Jacobian is asked for, the truth still comes from one scalar loss: row i of the Jacobian is the gradient
of output i, so output i is computed from a copy of the input of its own, and the gradient with respect to all copies,
one in every row, is the Jacobian. A product J v is the gradient with respect to steps t along v, one step an output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.exercises.drawing import Draw
from autograder.exercises.formulas import Environment
from autograder.exercises.kinds import Derivation, Fix, Line, Question, Shapes, order, prediction, shape
from autograder.exercises.model import Exercise, Step

WITHHELD = tuple(f"chainrule_lib.autodiff.{name}" for name in ("Dual", "grad", "jvp", "value_and_grad", "vjp"))
"""The tape behind them stays, since the lesson draws computation graphs, and so do ``jacobian``, ``softmax_jacobian``
and their like: its cells compare with them."""

# Explanations that serve in more than one exercise.
_FIRST_PATH_ONLY = (
    "Only the path through u is there. x moves v as well, and v moves y: what that path brings is missing."
)
_LAST_PATH_ONLY = (
    "Only the path through v is there. Is the first result replaced by the second one? x moves u as well, and u moves "
    "y."
)
_PATHS_MULTIPLIED = (
    "The two paths are multiplied. Along a path the slopes multiply; two paths are two separate causes of a change, "
    "and what do small changes from separate causes do?"
)
_PATHS_SUBTRACTED = "One path is subtracted from the other. If a path lowers y, its own slope is negative already."
_PATHS_AVERAGED = "This is the mean of the two paths. Both act at full strength when x moves; nothing is divided."
_SLOPE_IS_VALUE = "tanh was not differentiated: this is its value a, where its slope is needed."
_SLOPE_LEFT_OUT = "The values went through tanh, so every path goes through it too: a link is missing between a and z."
_SLOPE_AT_Z = "The form 1 − a² is written with the value a = tanh(z). Here z itself was put into it."
_SLOPE_AT_A = "tanh was applied once too often: a is tanh(z) already, so this slope belongs to another place."
_SLOPE_NOT_SQUARED = (
    "Half of the slope of tanh is there. 1 − a² is (1 − a)(1 + a), which is 0 at both ends, at 1 and −1."
)
_SLOPE_SIGN = "tanh rises everywhere, and this slope is negative: which of 1 and a² is the larger one?"
_SLOPE_OF_SIGMOID = "a(1 − a) is the slope of the sigmoid, written with its value. For tanh it is another formula."


def _wrong_tanh_slopes() -> dict[str, tuple[Any, str]]:
    """What goes wrong in the slope of a = tanh(z), where there is one."""
    return {
        "slope_is_value": (lambda a: a, _SLOPE_IS_VALUE),
        "slope_at_z": (lambda z: 1 - z**2, _SLOPE_AT_Z),
        "slope_at_a": (lambda a: 1 - np.tanh(a) ** 2, _SLOPE_AT_A),
        "slope_not_squared": (lambda a: 1 - a, _SLOPE_NOT_SQUARED),
        "slope_sign": (lambda a: a**2 - 1, _SLOPE_SIGN),
        "slope_of_sigmoid": (lambda a: a * (1 - a), _SLOPE_OF_SIGMOID),
    }


_PARTIALS = Exercise(
    id="02.partials",
    title="Two partial derivatives of x²y³ + 5x",
    points=2,
    function="partial_slopes",
    inputs=("x", "y"),
    returns=("df_dx", "df_dy"),
    # One loss for both slopes: each has its own copy of x and y.
    draw=lambda draw: (lambda x, y: {"x": x, "y": y, "x_moved": x, "y_moved": y})(
        draw.number(0.6, 1.4), draw.number(0.7, 1.5)
    ),
    loss=lambda x, y, x_moved, y_moved: x_moved**2 * y**3 + 5 * x_moved + x**2 * y_moved**3 + 5 * x,
    wrt={"df_dx": "x_moved", "df_dy": "y_moved"},
    steps=(
        Step(
            "df_dx",
            lambda x, y: 2 * x * y**3 + 5,
            share=0.1,  # given in the lesson
            mistakes={
                "y_moves_too": (
                    lambda x, y: 2 * x * y**3 + 5 + 3 * x**2 * y**2,
                    "For ∂f/∂x, y moves as well: its own slope has been added. A partial derivative moves one variable "
                    "and holds the others still.",
                ),
                "y_differentiated_along_x": (
                    lambda x, y: 6 * x * y**2 + 5,
                    "For ∂f/∂x, both powers were differentiated. While x moves, y³ is a constant factor: what becomes "
                    "of a constant factor?",
                ),
                "five_lost": (
                    lambda x, y: 2 * x * y**3,
                    "For ∂f/∂x, the slope of 5x is missing. This term does depend on x.",
                ),
                "five_x_kept": (
                    lambda x, y: 2 * x * y**3 + 5 * x,
                    "For ∂f/∂x, the term 5x was copied, not differentiated.",
                ),
                "y_lost": (
                    lambda x: 2 * x + 5,
                    "For ∂f/∂x, the factor y³ is gone. A constant that is added vanishes; one that multiplies stays.",
                ),
                "copied_df_dy": (
                    lambda x, y: 3 * x**2 * y**2,
                    "This is the slope along y, in the place of the one along x. The order asked for is ∂f/∂x, ∂f/∂y.",
                ),
            },
        ),
        Step(
            "df_dy",
            lambda x, y: 3 * x**2 * y**2,
            mistakes={
                "x_moves_too": (
                    lambda x, y: 3 * x**2 * y**2 + 2 * x * y**3 + 5,
                    "For ∂f/∂y, x moves as well: its own slope has been added. A partial derivative moves one variable "
                    "and holds the others still.",
                ),
                "x_differentiated_along_y": (
                    lambda x, y: 6 * x * y**2,
                    "For ∂f/∂y, both powers were differentiated. While y moves, x² is a constant factor: what becomes "
                    "of a constant factor?",
                ),
                "five_kept": (
                    lambda x, y: 3 * x**2 * y**2 + 5,
                    "For ∂f/∂y, the 5 has no business there: does 5x change when only y moves?",
                ),
                "five_x_kept_along_y": (
                    lambda x, y: 3 * x**2 * y**2 + 5 * x,
                    "For ∂f/∂y, 5x is still there. It does not change when only y moves, so its slope along y is 0.",
                ),
                "x_lost": (
                    lambda y: 3 * y**2,
                    "For ∂f/∂y, the factor x² is gone. A constant that is added vanishes; one that multiplies stays.",
                ),
                "exponent_not_lowered": (
                    lambda x, y: 3 * x**2 * y**3,
                    "For ∂f/∂y, the exponent of y came down as a factor but was not lowered.",
                ),
                "exponent_not_brought_down": (
                    lambda x, y: x**2 * y**2,
                    "For ∂f/∂y, the exponent of y was lowered, but the old one did not come down as a factor.",
                ),
                "copied_df_dx": (
                    lambda x, y: 2 * x * y**3 + 5,
                    "This is the slope along x once more. Now it is y that moves, and x that stands still.",
                ),
            },
        ),
    ),
    hints=(
        "Put a number in for x, say 2, so that f = 4y³ + 10. You can differentiate that as in lesson 01.",
        "For ∂f/∂y, x is a constant. A constant factor stays; a constant term vanishes.",
        "x² stays as a factor, y³ has the slope 3y², and 5x vanishes: `return 3 * x**2 * y**2`.",
    ),
    objective="Take the slope along one variable while the other stands still",
    difficulty=1,
    minutes=4,
)

_PATHS = prediction(
    "02.paths",
    title="Which paths are there, and what do they bring?",
    points=2,
    function="path_predictions",
    questions=(
        Question(
            "used_twice",
            "`y = x * x` at x = 3. What do the two arrows from x to y carry, and what is dy/dx?",
            right="c",
            options={
                "a": "Both carry 3. They are one and the same arrow, so dy/dx = 3.",
                "b": "Both carry 3, and dy/dx = 3 · 3 = 9.",
                "c": "Both carry 3, and dy/dx = 3 + 3 = 6.",
                "d": "Both carry 6, the slope of x², and dy/dx = 6 + 6 = 12.",
            },
            wrong={
                "a": (
                    "counted_once",
                    "The product has two places, and x stands in both. When x moves, both move: the first factor "
                    "grows while the second stands still, and the other way round.",
                ),
                "b": (
                    "arrows_multiplied",
                    "Slopes multiply along one path, where one change causes the next. The two arrows are two paths, "
                    "side by side. You know the slope of x² at 3 from lesson 01.",
                ),
                "d": (
                    "arrow_carries_total",
                    "An arrow carries a local derivative: the change of the product when this one factor moves and "
                    "the other stands still. 6 is what comes out when both have been added.",
                ),
            },
        ),
        Question(
            "how_many",
            "A program computes `a = x * x`, then `y = a * a`. How many paths lead from x to y?",
            right="c",
            options={
                "a": "one: x → a → y",
                "b": "two, because x is used twice",
                "c": "four: two ways from x to a, and for each of them two ways from a to y",
                "d": "three: one for every variable in the program",
            },
            wrong={
                "a": (
                    "counted_names",
                    "This counts the variables on the way, not the arrows. Each of the two lines uses its value twice.",
                ),
                "b": (
                    "first_line_only",
                    "That many lead from x to a. The second line uses a twice, and each way to a goes on in both of "
                    "them.",
                ),
                "d": (
                    "counted_variables",
                    "Variables are the places, arrows are the ways between them. A path is a choice of one arrow at "
                    "every stage; how many choices are there?",
                ),
            },
        ),
        Question(
            "against_each_other",
            "`u = 2 * x + 1`, `v = -2 * x`, `y = u + v`. Two paths lead from x to y. What is dy/dx?",
            right="a",
            options={
                "a": "0: one path brings +2, the other −2",
                "b": "4: a move of x moves u by twice as much and v by twice as much",
                "c": "−4: the slopes +2 and −2, multiplied",
                "d": "There is none: two paths with opposite signs contradict each other.",
            },
            wrong={
                "b": (
                    "signs_lost",
                    "v moves as much as u, but in the other direction. Write y out with x alone: what is left of x?",
                ),
                "c": (
                    "opposite_paths_multiplied",
                    "These are two paths side by side, not two links of one path. What do paths do?",
                ),
                "d": (
                    "contradiction",
                    "Two causes may well work against each other. Write y out with x alone, and look at its slope.",
                ),
            },
        ),
    ),
    hints=(
        "Draw each program as a graph: a box for every value, and an arrow for every *use* of a value. A value that is "
        "used twice has two arrows.",
        "A path follows the arrows from x to y. Multiply what its arrows carry; then add over all paths.",
        "In x · x each arrow carries the other factor, 3, and the paths add. Two arrows followed by two arrows make "
        "2 · 2 paths. +2 and −2 add up to 0.",
    ),
    objective="See the paths in a program and what they bring together",
    difficulty=1,
    minutes=3,
)

_DIAMOND = Exercise(
    id="02.diamond",
    title="A diamond: y = u e^v with u = x² and v = sin x",
    points=3,
    function="diamond_slope",
    inputs=("x",),
    returns=("through_u", "through_v", "dy_dx"),
    # One loss for all three: x on the path through u, x on the path through v, and x on both.
    draw=lambda draw: (lambda x: {"x": x, "x_in_u": x, "x_in_v": x, "x_in_both": x})(draw.number(0.5, 1.3)),
    loss=lambda x, x_in_u, x_in_v, x_in_both: (
        x_in_u**2 * np.exp(np.sin(x)) + x**2 * np.exp(np.sin(x_in_v)) + x_in_both**2 * np.exp(np.sin(x_in_both))
    ),
    wrt={"through_u": "x_in_u", "through_v": "x_in_v", "dy_dx": "x_in_both"},
    steps=(
        Step("u", lambda x: x**2, share=0),
        Step("v", lambda x: np.sin(x), share=0),
        Step(
            "dy_du",
            lambda v: np.exp(v),
            mistakes={
                "u_kept": (
                    lambda u, v: u * np.exp(v),
                    "For ∂y/∂u, this is y itself. e^v is a constant factor while u moves; what is the slope of u?",
                ),
                "v_moves_too": (
                    lambda u, v: np.exp(v) + u * np.exp(v),
                    "For ∂y/∂u, v moves as well: the other partial derivative has been added. Here v stands still; "
                    "its own path comes afterwards.",
                ),
                "factor_lost": (
                    lambda x: 1.0,
                    "For ∂y/∂u, the factor e^v is gone. It stands still while u moves, but it still multiplies.",
                ),
                "dy_du_at_x": (
                    lambda x: np.exp(x),
                    "∂y/∂u is evaluated at the wrong place: the exponential never sees x. What does it receive?",
                ),
            },
        ),
        Step(
            "dy_dv",
            lambda u, v: u * np.exp(v),
            mistakes={
                "u_lost": (
                    lambda v: np.exp(v),
                    "For ∂y/∂v, the factor u is gone. It stands still while v moves, but it still multiplies.",
                ),
                "power_rule": (
                    lambda u, v: u * v * np.exp(v - 1),
                    "For ∂y/∂v, the power rule was used on an exponential. It is the exponent that varies here.",
                ),
                "dy_dv_at_x": (
                    lambda u, x: u * np.exp(x),
                    "∂y/∂v is evaluated at the wrong place: the exponential never sees x. What does it receive?",
                ),
            },
        ),
        Step(
            "du_dx",
            lambda x: 2 * x,
            mistakes={
                "inner_u_left_out": (
                    lambda x: 1.0,
                    "The path through u ends too early, at u: how fast does u itself change with x?",
                ),
                "square_not_lowered": (
                    lambda x: 2 * x**2,
                    "For du/dx, the exponent came down as a factor but was not lowered.",
                ),
                "du_dx_is_value": (lambda x: x**2, "For du/dx, x² was copied, not differentiated."),
            },
        ),
        Step(
            "dv_dx",
            lambda x: np.cos(x),
            mistakes={
                "inner_v_left_out": (
                    lambda x: 1.0,
                    "The path through v ends too early, at v: how fast does v itself change with x?",
                ),
                "cosine_sign": (
                    lambda x: -np.cos(x),
                    "One of sine and cosine has a minus in its derivative. At 0 the sine rises: which sign is its "
                    "slope?",
                ),
                "dv_dx_is_value": (lambda x: np.sin(x), "For dv/dx, sin x was copied, not differentiated."),
            },
        ),
        Step(
            "through_u",
            lambda dy_du, du_dx: dy_du * du_dx,
            mistakes={
                "links_of_u_added": (
                    lambda dy_du, du_dx: dy_du + du_dx,
                    "Along the path through u the two slopes were added. Within one path, one stretching follows the "
                    "other.",
                ),
                "u_crossed": (
                    lambda dy_du, dv_dx: dy_du * dv_dx,
                    "∂y/∂u was multiplied by dv/dx: this path goes to u and then leaves from v. Both links of a path "
                    "meet at the same value.",
                ),
            },
        ),
        Step(
            "through_v",
            lambda dy_dv, dv_dx: dy_dv * dv_dx,
            mistakes={
                "links_of_v_added": (
                    lambda dy_dv, dv_dx: dy_dv + dv_dx,
                    "Along the path through v the two slopes were added. Within one path, one stretching follows the "
                    "other.",
                ),
                "v_crossed": (
                    lambda dy_dv, du_dx: dy_dv * du_dx,
                    "∂y/∂v was multiplied by du/dx: this path goes to v and then leaves from u. Both links of a path "
                    "meet at the same value.",
                ),
            },
        ),
        Step(
            "dy_dx",
            lambda through_u, through_v: through_u + through_v,
            mistakes={
                "first_path_only": (lambda through_u: through_u, _FIRST_PATH_ONLY),
                "last_path_only": (lambda through_v: through_v, _LAST_PATH_ONLY),
                "paths_multiplied": (lambda through_u, through_v: through_u * through_v, _PATHS_MULTIPLIED),
                "paths_subtracted": (lambda through_u, through_v: through_u - through_v, _PATHS_SUBTRACTED),
                "paths_averaged": (lambda through_u, through_v: (through_u + through_v) / 2, _PATHS_AVERAGED),
                "sums_multiplied": (
                    lambda dy_du, dy_dv, du_dx, dv_dx: (dy_du + dy_dv) * (du_dx + dv_dx),
                    "All outer slopes were added, all inner ones too, and the sums multiplied. That also counts paths "
                    "that do not exist, in at u and out at v.",
                ),
                "inner_links_left_out": (
                    lambda dy_du, dy_dv: dy_du + dy_dv,
                    "The sum is over the partial derivatives of y alone. It says how y changes when u and v grow "
                    "equally fast; here each is moved by x in its own way.",
                ),
            },
        ),
    ),
    hints=(
        "Draw the diamond: x at the top, u and v side by side, y at the bottom. Each of the four arrows carries one "
        "derivative. Which two are partial derivatives, with something standing still?",
        "through_u = ∂y/∂u · du/dx, with v held still in the first factor; through_v = ∂y/∂v · dv/dx, with u held "
        "still. dy/dx is their sum.",
        "`dy_du = np.exp(v)`, `dy_dv = u * np.exp(v)`, `du_dx = 2 * x`, `dv_dx = np.cos(x)`. Return the two products "
        "and their sum.",
    ),
    objective="Add up the two paths of a diamond",
    difficulty=2,
    minutes=6,
)

_QUOTIENT = Exercise(
    id="02.quotient_lines",
    title="The quotient rule, derived from two paths",
    points=4,
    function="quotient_lines",
    kind=Derivation(
        uses={
            "dy_du": ("u", "v"),
            "dy_dv": ("u", "v"),
            "through_u": ("u", "v", "du_dx"),
            "through_v": ("u", "v", "dv_dx"),
        }
    ),
    inputs=("u", "v", "du_dx", "dv_dx"),
    returns=("dy_du", "dy_dv", "through_u", "through_v", "dy_dx"),
    draw=lambda draw: {name: draw.nonzero(12) for name in ("u", "v", "du_dx", "dv_dx")},
    steps=(
        Step(
            "dy_du",
            lambda v: 1 / v,
            mistakes={
                "dy_du_is_one": (
                    lambda v: v / v,
                    "For ∂y/∂u, the v is gone. It stands still, but y is a v-th of u, so it moves by a v-th as much.",
                ),
                "dy_du_is_value": (
                    lambda u, v: u / v,
                    "For ∂y/∂u, y was copied, not differentiated. With v constant, y is a constant times u.",
                ),
                "dy_du_squared": (
                    lambda v: 1 / v**2,
                    "For ∂y/∂u, v is squared. That belongs to the slope along v; while u moves, nothing happens to v.",
                ),
                "dy_du_times_v": (
                    lambda v: v / 1,
                    "This is ∂y/∂u for a product u · v. In the quotient, does y move more or less when v is large?",
                ),
                "v_moves_too": (
                    lambda u, v: 1 / v - u / v**2,
                    "For ∂y/∂u, v moves as well: the other partial derivative has been added.",
                ),
            },
        ),
        Step(
            "dy_dv",
            lambda u, v: -u / v**2,
            mistakes={
                "dy_dv_sign": (
                    lambda u, v: u / v**2,
                    "For ∂y/∂v, the sign is turned round. When the number below the line grows, does the fraction "
                    "grow or shrink (for positive u)?",
                ),
                "dy_dv_not_squared": (
                    lambda u, v: -u / v,
                    "For ∂y/∂v, the power of v is wrong. Write 1/v as v⁻¹ and use the power rule.",
                ),
                "dy_dv_lost_u": (
                    lambda v: -1 / v**2,
                    "For ∂y/∂v, the factor u is gone. It stands still, but it still multiplies.",
                ),
                "dy_dv_is_u": (
                    lambda u, v: u * v / v,
                    "This is ∂y/∂v for a product u · v. In the quotient, v stands below the line.",
                ),
            },
        ),
        Step(
            "through_u",
            lambda dy_du, du_dx: dy_du * du_dx,
            mistakes={
                "through_u_cut": (
                    lambda dy_du: dy_du,
                    "The path through u ends at u: how fast u moves with x is missing.",
                ),
                "through_u_crossed": (
                    lambda dy_du, dv_dx: dy_du * dv_dx,
                    "The path through u leaves from v: both links of a path meet at the same value.",
                ),
                "through_u_added": (
                    lambda dy_du, du_dx: dy_du + du_dx,
                    "Within the path through u, the links were added. Along a path, slopes multiply.",
                ),
                "through_u_divided": (
                    lambda dy_du, du_dx: dy_du / du_dx,
                    "Within the path through u, one link was divided by the other. Each link is a factor.",
                ),
            },
        ),
        Step(
            "through_v",
            lambda dy_dv, dv_dx: dy_dv * dv_dx,
            mistakes={
                "through_v_cut": (
                    lambda dy_dv: dy_dv,
                    "The path through v ends at v: how fast v moves with x is missing.",
                ),
                "through_v_crossed": (
                    lambda dy_dv, du_dx: dy_dv * du_dx,
                    "The path through v leaves from u: both links of a path meet at the same value.",
                ),
                "through_v_added": (
                    lambda dy_dv, dv_dx: dy_dv + dv_dx,
                    "Within the path through v, the links were added. Along a path, slopes multiply.",
                ),
                "through_v_divided": (
                    lambda dy_dv, dv_dx: dy_dv / dv_dx,
                    "Within the path through v, one link was divided by the other. Each link is a factor, also where "
                    "y is a quotient.",
                ),
            },
        ),
        Step(
            "dy_dx",
            lambda through_u, through_v: through_u + through_v,
            mistakes={
                "minus_twice": (
                    lambda through_u, through_v: through_u - through_v,
                    "The paths are subtracted. They add, whatever their signs: the minus of the quotient rule belongs "
                    "to ∂y/∂v, where it comes from.",
                ),
                "first_path_only": (lambda through_u: through_u, _FIRST_PATH_ONLY),
                "last_path_only": (lambda through_v: through_v, _LAST_PATH_ONLY),
                "paths_multiplied": (lambda through_u, through_v: through_u * through_v, _PATHS_MULTIPLIED),
                "quotient_of_slopes": (
                    lambda du_dx, dv_dx: du_dx / dv_dx,
                    "The slope of a quotient is not the quotient of the slopes. Use the two lines above this one.",
                ),
                "denominator_forgotten": (
                    lambda u, v, du_dx, dv_dx: v * du_dx - u * dv_dx,
                    "The numerator of the quotient rule is there, what it is divided by is not. The sum of the two "
                    "lines above has it.",
                ),
            },
        ),
    ),
    hints=(
        "Take one variable at a time. With v constant, u/v is a straight line in u. With u constant, it is u · v⁻¹.",
        "∂y/∂u = 1/v and ∂y/∂v = −u/v². Multiply each by how fast its variable moves with x, and add.",
        "`through_u = dy_du * du_dx`, `through_v = dy_dv * dv_dx`, `dy_dx = through_u + through_v`. "
        "The minus is in `dy_dv = -u / v**2`.",
    ),
    objective="Derive the quotient rule as a sum over two paths",
    difficulty=2,
    minutes=6,
)


def _direction(draw: Draw) -> Environment:
    (d,) = draw.sizes(1)
    x = draw.nonzero(d)
    return {"a": draw.weights(1, d)[0], "x": x, "v": draw.nonzero(d), "x_start": x, "t": 0.0}


_DIRECTION = Exercise(
    id="02.direction",
    title="Gradient and slope in a direction, for f(x) = sin(a · x)",
    points=3,
    function="direction_slope",
    inputs=("a", "x", "v"),
    returns=("gradient", "slope"),
    draw=_direction,
    # The slope is that of f on the straight line x + t v, at t = 0.
    loss=lambda a, x, v, x_start, t: np.sin(a @ x) + np.sin(a @ (x_start + t * v)),
    wrt={"gradient": "x", "slope": "t"},
    steps=(
        Step("z", lambda a, x: a @ x, share=0),
        Step(
            "gradient",
            lambda z, a: np.cos(z) * a,
            mistakes={
                "a_left_out": (
                    lambda z, a: np.cos(z) * np.ones_like(a),
                    "The inner link is missing in the gradient: how fast does a · x change when x[i] alone moves? It "
                    "is not 1.",
                ),
                "cosine_left_out": (
                    lambda a: a,
                    "The gradient is that of a · x. The sine comes after it, and its slope is a factor of every entry.",
                ),
                "sine_kept": (
                    lambda z, a: np.sin(z) * a,
                    "In the gradient, the sine was copied, not differentiated.",
                ),
                "cosine_sign": (
                    lambda z, a: -np.cos(z) * a,
                    "The gradient has the wrong sign. One of sine and cosine has a minus in its derivative; which?",
                ),
                "gradient_for_a": (
                    lambda z, x: np.cos(z) * x,
                    "This is the gradient with respect to a. In a · x both play the same part; which of them moves "
                    "here?",
                ),
                "cosine_of_each": (
                    lambda a, x: np.cos(a * x) * a,
                    "In the gradient, every entry has a cosine of its own. There is one sine only, and it receives the "
                    "sum of all products a[i] x[i].",
                ),
                "cosine_at_x": (
                    lambda a, x: np.cos(x) * a,
                    "In the gradient, the cosine is evaluated at x. The sine never sees x; what does it receive?",
                ),
            },
        ),
        Step(
            "slope",
            lambda gradient, v: np.sum(gradient * v),
            mistakes={
                "not_summed": (
                    lambda gradient, v: gradient * v,
                    "For the slope, every coordinate's contribution is there, but f has one slope in this direction. "
                    "All coordinates move at once: what do their contributions do?",
                ),
                "v_left_out": (
                    lambda gradient: np.sum(gradient),
                    "The slope does not depend on v here. This sum takes every coordinate to move equally fast.",
                ),
                "v_normalised": (
                    lambda gradient, v: np.sum(gradient * v) / np.sqrt(np.sum(v**2)),
                    "The slope is divided by the length of v. That is the slope per unit of length; asked for is the "
                    "one per unit of t on the line x + t v, where a longer v moves faster.",
                ),
                "mean_of_paths": (
                    lambda gradient, v: np.mean(gradient * v),
                    "The slope is a mean over the coordinates. Each coordinate is a path, and all act at full "
                    "strength.",
                ),
                "along_x": (
                    lambda gradient, x: np.sum(gradient * x),
                    "The slope is taken in the direction of x. Which vector says where the point moves?",
                ),
                "lengths_multiplied": (
                    lambda gradient, v: np.sqrt(np.sum(gradient**2) * np.sum(v**2)),
                    "For the slope, the lengths of gradient and v are multiplied. That is right only where both point "
                    "in the same direction.",
                ),
                "sums_multiplied": (
                    lambda gradient, v: np.sum(gradient) * np.sum(v),
                    "For the slope, all entries of the gradient are added, those of v too, and the sums multiplied. "
                    "Coordinate i of the gradient meets only coordinate i of v.",
                ),
                "whole_step": (
                    lambda a, x, v: np.sin(a @ (x + v)) - np.sin(a @ x),
                    "This is how far f changes on the whole way from x to x + v. The slope is for a small part of it, "
                    "at x.",
                ),
                "outer_product": (
                    lambda gradient, v: np.outer(gradient, v),
                    "For the slope, every entry of the gradient meets every entry of v. Coordinate i of the gradient "
                    "meets only coordinate i of v, and the contributions add.",
                ),
            },
        ),
    ),
    hints=(
        "f is a chain of two links: first a · x, then the sine. When x[i] alone moves, how fast does a · x move?",
        "∂f/∂x[i] = cos(a · x) · a[i]. On the line x + t v, coordinate i moves at the speed v[i]; each coordinate is a "
        "path from t to f.",
        "`gradient = np.cos(a @ x) * a` and `slope = gradient @ v`.",
    ),
    objective="Find a gradient and the slope in any direction",
    difficulty=2,
    minutes=5,
)


def _wrong_shapes(name: str, **others: tuple[Any, str]) -> dict[str, tuple[Any, str]]:
    """The mistakes of one Jacobian's shape, by names that begin with the Jacobian's."""
    return {f"{name}_{suffix}": mistake for suffix, mistake in others.items()}


_TRANSPOSED = "Rows and columns are exchanged. Each output has its row; what has a column?"
_AS_VECTOR = (
    "One number an entry is how code stores it, since all the others are 0. The Jacobian itself has a place for every "
    "pair of an output and an input."
)
_AS_COLUMN = "As a Jacobian this is a single output's row, not a column. How many outputs are there, how many inputs?"
_AS_GRADIENT = (
    "That is the shape of the gradient, which code keeps like what it belongs to. Asked for is the Jacobian: outputs "
    "by inputs, with one output."
)

_SHAPES = Exercise(
    id="02.jacobian_shapes",
    title="The shape of every Jacobian on the way to a loss",
    points=3,
    function="jacobian_shapes",
    kind=Shapes(),
    inputs=("d", "h", "c"),
    returns=("dz_dx", "da_dz", "ds_da", "ds_dx", "dp_ds", "dL_dp", "dL_dx"),
    draw=lambda draw: dict(zip("dhc", draw.sizes(3), strict=True)),
    steps=(
        Step(
            "dz_dx",
            lambda h, d: shape(h, d),
            mistakes=_wrong_shapes(
                "dz_dx",
                transposed=(lambda h, d: shape(d, h), f"dz/dx: {_TRANSPOSED}"),
                like_output=(
                    lambda h: shape(h),
                    "dz/dx: this is the shape of z. Each of its entries has a derivative with respect to every entry "
                    "of x.",
                ),
                like_input=(
                    lambda d: shape(d),
                    "dz/dx: this is the shape of x. A gradient has that shape where there is one output; z has h.",
                ),
            ),
        ),
        Step(
            "da_dz",
            lambda h: shape(h, h),
            mistakes=_wrong_shapes(
                "da_dz",
                as_vector=(lambda h: shape(h), f"da/dz: {_AS_VECTOR}"),
                as_number=(
                    lambda h: shape(),
                    "da/dz: tanh has one slope for every entry of z, not one for all. And how many pairs of an output "
                    "and an input are there?",
                ),
                like_weights=(
                    lambda h, d: shape(h, d),
                    "da/dz: tanh has no weights. Its inputs are the h entries of z, not those of x.",
                ),
            ),
        ),
        Step(
            "ds_da",
            lambda c, h: shape(c, h),
            mistakes=_wrong_shapes(
                "ds_da",
                transposed=(lambda c, h: shape(h, c), f"ds/da: {_TRANSPOSED}"),
                like_output=(
                    lambda c: shape(c),
                    "ds/da: this is the shape of s. Each of its entries has a derivative with respect to every entry "
                    "of a.",
                ),
            ),
        ),
        Step(
            "ds_dx",
            lambda c, d: shape(c, d),
            mistakes=_wrong_shapes(
                "ds_dx",
                transposed=(lambda c, d: shape(d, c), f"ds/dx: {_TRANSPOSED}"),
                stops_at_a=(
                    lambda c, h: shape(c, h),
                    "ds/dx: this Jacobian ends at a. Follow the paths on through tanh and W: what is the input?",
                ),
                keeps_the_middle=(
                    lambda c, h, d: shape(c, h, d),
                    "ds/dx: the h values in the middle are still there. The paths through them have been added up, so "
                    "they leave no axis.",
                ),
                starts_at_z=(
                    lambda h, d: shape(h, d),
                    "ds/dx: this is how z depends on x. The outputs here are those of s.",
                ),
            ),
        ),
        Step(
            "dp_ds",
            lambda c: shape(c, c),
            mistakes=_wrong_shapes(
                "dp_ds",
                as_vector=(
                    lambda c: shape(c),
                    "dp/ds: softmax does not work entry by entry. Raise one entry of s, and which entries of p change?",
                ),
                like_weights=(
                    lambda c, h: shape(c, h),
                    "dp/ds: softmax has no weights. Its inputs are the c entries of s.",
                ),
                as_row=(
                    lambda c: shape(1, c),
                    "dp/ds: one row would do for one output. How many probabilities are there?",
                ),
            ),
        ),
        Step(
            "dL_dp",
            lambda c: shape(1, c),
            mistakes=_wrong_shapes(
                "dL_dp",
                as_column=(lambda c: shape(c, 1), f"dL/dp: {_AS_COLUMN}"),
                as_vector=(lambda c: shape(c), f"dL/dp: {_AS_GRADIENT}"),
                as_number=(
                    lambda: shape(),
                    "dL/dp: the loss is a number, but it has a derivative with respect to each of the probabilities.",
                ),
                square=(
                    lambda c: shape(c, c),
                    "dL/dp: there would be one row for each of c outputs. The loss is one number.",
                ),
            ),
        ),
        Step(
            "dL_dx",
            lambda d: shape(1, d),
            mistakes=_wrong_shapes(
                "dL_dx",
                as_column=(lambda d: shape(d, 1), f"dL/dx: {_AS_COLUMN}"),
                as_vector=(lambda d: shape(d), f"dL/dx: {_AS_GRADIENT}"),
                like_p=(
                    lambda c: shape(1, c),
                    "dL/dx: this ends at the probabilities. Multiplying all the Jacobians leads back to x.",
                ),
                all_outputs=(
                    lambda c, d: shape(c, d),
                    "dL/dx: there is a row too many for a loss. Its own Jacobian comes first and has one row.",
                ),
            ),
        ),
    ),
    hints=(
        "For each Jacobian ask two questions: how many numbers come out, and how many go in?",
        "Outputs by inputs. tanh and softmax have as many inputs as outputs; the loss has one output.",
        "`dz_dx` is (h, d), `da_dz` (h, h), `ds_da` (c, h), `dp_ds` (c, c), `dL_dp` (1, c). In a product, the sizes in "
        "the middle disappear.",
    ),
    objective="Tell the shape of a Jacobian before you compute it",
    difficulty=2,
    minutes=4,
)


def _layers(draw: Draw) -> Environment:
    c, h, d = draw.sizes(3)
    x = draw.nonzero(d)
    return {"x": x, "W": draw.weights(h, d), "V": draw.weights(c, h), "copies": np.tile(x, (c, 1))}


_JACOBIAN = Exercise(
    id="02.layer_jacobian",
    title="The Jacobian of s = V tanh(W x)",
    points=4,
    function="layer_jacobian",
    inputs=("x", "W", "V"),
    returns=("J",),
    draw=_layers,
    # Output i is computed from copy i of x.
    loss=lambda W, V, copies: np.sum(V * np.tanh(copies @ W.T)),
    wrt={"J": "copies"},
    steps=(
        Step(
            "z",
            lambda W, x: W @ x,
            share=0,
        ),
        Step("a", lambda z: np.tanh(z), share=0),
        Step("slope", lambda a: 1 - a**2, mistakes=_wrong_tanh_slopes()),
        Step(
            "da_dx",
            lambda slope, W: slope[:, None] * W,
            mistakes={
                "slope_left_out": (lambda W: W, _SLOPE_LEFT_OUT),
                "columns_scaled": (
                    lambda slope, W: W * slope,
                    "The slopes multiply the columns of W, which belong to x. Entry k of the slopes belongs to z[k], "
                    "so to row k. (With a square W NumPy does not notice.)",
                ),
                "W_left_out": (
                    lambda slope, W: np.diag(slope),
                    "The way from a back to x stops at z: the Jacobian of z = W x is missing.",
                ),
                "slopes_summed": (
                    lambda slope, W: np.sum(slope) * W,
                    "All slopes are added to one number. Each entry of z has a slope of its own, which belongs to one "
                    "row of W.",
                ),
                "slope_squared": (
                    lambda slope, W: (slope**2)[:, None] * W,
                    "The slope of tanh is there twice. Each link of a path is one factor.",
                ),
                "inner_transposed": (
                    lambda slope, W: slope[:, None] * W.T,
                    "W is turned round. The Jacobian of z = W x is W as it stands: outputs by inputs.",
                ),
            },
        ),
        Step(
            "J",
            lambda V, da_dx: V @ da_dx,
            share=1.5,
            mistakes={
                "jacobian_transposed": (
                    lambda V, da_dx: (V @ da_dx).T,
                    "The values are right and stand in the wrong places. A Jacobian has a row for every output and a "
                    "column for every input.",
                ),
                "order_reversed": (
                    lambda V, da_dx: da_dx @ V,
                    "The product is in the wrong order: its rows belong to z and its columns to a. The function "
                    "applied last stands on the left. (Between square matrices NumPy does not notice.)",
                ),
                "elementwise_product": (
                    lambda V, da_dx: V * da_dx,
                    "The two Jacobians were multiplied entry by entry. Every output reaches every input over all "
                    "h values in the middle, and those paths add up.",
                ),
                "first_path_only": (
                    lambda V, da_dx: np.outer(V[:, 0], da_dx[0]),
                    "Only the paths through the first value in the middle are there. Every entry of a is a way from x "
                    "to s.",
                ),
                "last_path_only": (
                    lambda V, da_dx: np.outer(V[:, -1], da_dx[-1]),
                    "Only the paths through the last value in the middle are there: is the sum replaced in every "
                    "round of a loop?",
                ),
                "outputs_summed": (
                    lambda V, da_dx: np.sum(V @ da_dx, axis=0),
                    "The outputs were added up, which leaves the gradient of their sum. Each output has a row of its "
                    "own.",
                ),
                "V_left_out": (
                    lambda da_dx: da_dx,
                    "This is the Jacobian of a, not of s: the last link, V, is missing.",
                ),
                "V_transposed": (
                    lambda V, da_dx: V.T @ da_dx,
                    "V is turned round. The Jacobian of s = V a is V as it stands: outputs by inputs.",
                ),
                "mean_over_paths": (
                    lambda V, da_dx: V @ da_dx / len(da_dx),
                    "The paths through the middle were averaged. They add up; nothing is divided.",
                ),
            },
        ),
    ),
    hints=(
        "Three functions stand in a row: W, tanh, V. Which Jacobian does each of them have, and of which shape?",
        "The Jacobian of W x is W, that of tanh is diagonal with 1 − a² on the diagonal, that of V a is V. The "
        "function applied last stands on the left.",
        "`a = np.tanh(W @ x)`, then `V @ np.diag(1 - a**2) @ W`, or without the diagonal matrix "
        "`V @ ((1 - a**2)[:, None] * W)`.",
    ),
    objective="Multiply Jacobians in the right order",
    difficulty=3,
    minutes=8,
)


def _softmax(z: Any) -> Any:
    """Softmax of moderate numbers, analytic where z is complex."""
    e = np.exp(z)
    return e / np.sum(e)


def _logits(draw: Draw) -> Environment:
    (c,) = draw.sizes(1)
    return {"z": draw.nonzero(c), "g": draw.nonzero(c)}


_SOFTMAX = Exercise(
    id="02.softmax_fix",
    title="Two errors in a softmax",
    points=3,
    function="softmax_backward",
    kind=Fix(
        planted=("unit_length", "diagonal_only"),
        code='''def softmax_backward(z, g):
    """g times the Jacobian of p = softmax(z): the gradient of g · p with respect to z. z and g (c,); returns (c,)."""
    e = np.exp(z - np.max(z))  # taking off the largest entry prevents overflow, and cancels in the quotient
    p = e / np.sqrt(np.sum(e**2))
    J = np.diag(p * (1 - p))
    return g @ J
''',
    ),
    inputs=("z", "g"),
    returns=("dz",),
    draw=_logits,
    loss=lambda z, g: np.sum(g * _softmax(z)),
    steps=(
        Step(
            "p",
            lambda z: _softmax(z),
            mistakes={
                "unit_length": (
                    lambda z: np.exp(z) / np.sqrt(np.sum(np.exp(z) ** 2)),
                    "p has length 1, as a vector of geometry. Probabilities have another property: what do they add "
                    "up to?",
                ),
                "not_normalised": (
                    lambda z: np.exp(z),
                    "p is the exponentials themselves. What are they divided by, so that they add up to 1?",
                ),
                "largest_is_one": (
                    lambda z: np.exp(z - np.max(z)),
                    "The largest entry of p is 1 here. Taking off the largest entry of z is for overflow only; the "
                    "division by the sum is still to come.",
                ),
                "sigmoid_of_each": (
                    lambda z: 1 / (1 + np.exp(-z)),
                    "This is the sigmoid of every entry by itself. In softmax the entries share a denominator.",
                ),
                "logits_as_p": (
                    lambda z: z,
                    "The Jacobian is written with the probabilities p, not with z itself.",
                ),
                "mean_for_sum": (
                    lambda z: np.exp(z) / np.mean(np.exp(z)),
                    "The exponentials are divided by their mean. Then they add up to the number of entries, not to 1.",
                ),
            },
        ),
        Step(
            "J",
            lambda p: np.diag(p) - np.outer(p, p),
            share=1.5,
            mistakes={
                "diagonal_only": (
                    lambda p: np.diag(p * (1 - p)),
                    "Only the diagonal is there, as if each probability depended on its own entry of z alone. Raise "
                    "one entry, and the sum in the denominator grows: what does that do to the others?",
                ),
                "off_diagonal_sign": (
                    lambda p: np.diag(p) + np.outer(p, p),
                    "The products p_i p_j have the wrong sign: when one entry of z grows, do the other probabilities "
                    "grow?",
                ),
                "first_part_only": (
                    lambda p: np.diag(p),
                    "Only the part from the numerator is there. z[j] is in the denominator too, and that is a second "
                    "path.",
                ),
                "second_part_only": (
                    lambda p: -np.outer(p, p),
                    "Only the part from the denominator is there. Each probability has its own entry of z in the "
                    "numerator too, and that is a second path.",
                ),
                "p_times_rest": (
                    lambda p: np.outer(p, 1 - p),
                    "p_i (1 − p_j) stands everywhere. The 1 belongs on the diagonal only, where both indices are the "
                    "same.",
                ),
                "rest_of_softmax": (
                    lambda p: np.diag(1 - p) - np.outer(p, p),
                    "On the diagonal, 1 − p_i was used where p_i belongs before p_i² is taken off.",
                ),
            },
        ),
        Step(
            "dz",
            lambda g, J: g @ J,
            mistakes={
                "not_summed": (
                    lambda g, J: g * J,
                    "g and J are multiplied entry by entry, so the paths have not been added up: there is one number "
                    "for every pair, where one for every entry of z is asked for.",
                ),
                "negated": (lambda g, J: -(g @ J), "The sign of the result is turned round."),
                "weighted_again": (
                    lambda g, J, p: (g * p) @ J,
                    "g is weighted with p before it is multiplied by J. The probabilities are in J already.",
                ),
                "label_shortcut": (
                    lambda g, p: p - g,
                    "p minus something is the formula for softmax followed by cross-entropy, with g a label. Here g is "
                    "any upstream gradient, and it has to go through J.",
                ),
                "mean_over_paths": (
                    lambda g, J: g @ J / len(g),
                    "The paths were averaged. They add up; nothing is divided.",
                ),
            },
        ),
    ),
    hints=(
        "Test p first, then J. What do the entries of p add up to? What does each row of J add up to, if p stays "
        "as it is when all entries of z grow equally?",
        "p_i = e^(z_i) / Σ e^(z_k). Its Jacobian is p_i (1 − p_i) on the diagonal and −p_i p_j elsewhere: "
        "diag(p) − p pᵀ.",
        "`p = e / np.sum(e)` and `J = np.diag(p) - np.outer(p, p)`.",
    ),
    objective="Find what is wrong in the backward step of a softmax",
    difficulty=2,
    minutes=6,
)

_COST = prediction(
    "02.cost",
    title="What does each direction cost?",
    points=2,
    function="cost_predictions",
    questions=(
        Question(
            "from_the_left",
            "J₃ is 1 × 200, J₂ is 200 × 300, J₁ is 300 × 400. How many multiplications does (J₃ J₂) J₁ take?",
            right=lambda: 1 * 200 * 300 + 1 * 300 * 400,
            tolerance=0.001,
            wrong={
                24_080_000: (
                    "counted_the_other_order",
                    "That is the price of the other order, J₃ (J₂ J₁). With the brackets on the left the first product "
                    "is a single row.",
                ),
                60_000: (
                    "first_product_only",
                    "The first product is counted. The row that it gives is multiplied by J₁ afterwards.",
                ),
                120_000: (
                    "last_product_only",
                    "The last product is counted. The row that goes into it had to be computed first.",
                ),
                7_200_000_000: (
                    "prices_multiplied",
                    "The prices of the two products are multiplied. One is paid after the other.",
                ),
                24_000_000: (
                    "sizes_multiplied",
                    "All four sizes are multiplied. A product of an (m × n) and an (n × d) matrix takes m · n · d "
                    "multiplications; work out one product at a time.",
                ),
                900: (
                    "sizes_added",
                    "The sizes are added. Each entry of a product is a sum of products: count the entries, and how "
                    "many each of them adds up.",
                ),
            },
        ),
        Question(
            "from_the_right",
            "And how many does J₃ (J₂ J₁) take, which gives the same row?",
            right=lambda: 200 * 300 * 400 + 1 * 200 * 400,
            tolerance=0.001,
            wrong={
                180_000: (
                    "order_does_not_matter",
                    "The result is the same in both orders, the price is not: J₂ J₁ is a whole matrix.",
                ),
                24_000_000: (
                    "row_forgotten",
                    "The product of the two matrices is counted. The row J₃ still has to be multiplied by it.",
                ),
                80_000: (
                    "matrix_for_free",
                    "The last product is counted. The matrix J₂ J₁ that goes into it had to be computed first.",
                ),
                120_000: (
                    "entries_only",
                    "That many entries J₁ has. Count multiplications: each entry of J₂ J₁ is a sum of 300 products.",
                ),
            },
        ),
    ),
    hints=(
        "An (m × n) times an (n × d) matrix has m · d entries. How many products does each of them add up?",
        "m · n · d multiplications a product. Work out the shape of the first product, then count the second.",
        "(J₃ J₂) is 1 × 300 and costs 1 · 200 · 300; times J₁ it costs 1 · 300 · 400 more. On the other side, J₂ J₁ "
        "costs 200 · 300 · 400 and the rest 1 · 200 · 400.",
    ),
    objective="Count what forwards and backwards cost",
    difficulty=2,
    minutes=3,
)

_ORDER = order(
    "02.order_shortcut",
    title="The lines of a backward pass with a shortcut",
    points=3,
    function="shortcut_order",
    question=(
        "The function is y = x + tanh(W x), and L = ½ Σ y². Put the lines in an order that computes `dx` = dL/dx. Some "
        "lines are wrong and stay out; `*` works entry by entry."
    ),
    lines=(
        Line("z", "`z = W @ x`"),
        Line("a", "`a = np.tanh(z)`", after=("z",)),
        Line("y", "`y = x + a`", after=("a",)),
        Line(
            "dy",
            "`dy = y`",
            after=("y",),
            wrong={
                "loss_itself": (
                    "`dy = y**2 / 2`",
                    "That is the loss before it is summed. Differentiating the square brings a 2 down, which cancels "
                    "the ½.",
                ),
            },
        ),
        Line(
            "dz",
            "`dz = dy * (1 - a**2)`",
            after=("a", "dy"),
            wrong={
                "slope_at_z": ("`dz = dy * (1 - z**2)`", _SLOPE_AT_Z),
                "matrix_for_slope": (
                    "`dz = dy @ (1 - a**2)`",
                    "`@` adds up over all entries and gives one number. tanh works entry by entry: its Jacobian is "
                    "diagonal, and the product becomes `*`.",
                ),
            },
        ),
        Line(
            "dx",
            "`dx = dy.copy()`",
            after=("dy",),
            wrong={
                "shortcut_from_y": (
                    "`dx = x.copy()`",
                    "x is the value that goes along the shortcut. Back along it comes the gradient of y.",
                ),
            },
        ),
        Line(
            "dx_total",
            "`dx += W.T @ dz`",
            after=("dz", "dx"),
            wrong={
                "overwritten": (
                    "`dx = W.T @ dz`",
                    "This replaces what the shortcut brought. x is used twice, so two contributions add up.",
                ),
                "not_transposed": (
                    "`dx += W @ dz`",
                    "Backwards, the entries of dz are collected over the rows of W: each column belongs to one entry "
                    "of x.",
                ),
                "paths_multiplied": ("`dx *= W.T @ dz`", _PATHS_MULTIPLIED),
            },
        ),
    ),
    misplaced={
        "shortcut_added_last": (
            "dx_total",
            "dx",
            "The line with += stands above the one that gives dx its first value: there is nothing to add to yet, and "
            "what it adds is replaced afterwards.",
        ),
        "backward_before_forward": (
            "dy",
            "y",
            "The backward pass begins before the forward pass has ended: dy needs the value of y.",
        ),
    },
    hints=(
        "First everything forwards, from x to y. Then backwards from y; every line uses only what stands above it.",
        "x is used twice, in W x and in the sum. Along the shortcut dy arrives as it is; along the other path it goes "
        "through tanh and W. The two add up in dx.",
        "z, a, y, then dy; dz from dy with `*` and 1 − a²; dx starts as a copy of dy, and `W.T @ dz` is added to it.",
    ),
    objective="Put the lines of a backward pass in order, two paths and all",
    difficulty=2,
    minutes=4,
)


def _block(x: Any, W: Any, V: Any) -> Any:
    """y = x + V tanh(W x), for x in the last axis."""
    return x + np.tanh(x @ W.T) @ V.T


def _shortcut(draw: Draw) -> Environment:
    d, h = draw.sizes(2)
    x = draw.nonzero(d)
    return {
        "x": x,
        "W": draw.weights(h, d),
        "V": draw.weights(d, h),
        "g": draw.nonzero(d),
        "v": draw.nonzero(d),
        "x_start": x,
        "t": np.zeros(d),
    }


_BLOCK = Exercise(
    id="02.shortcut_block",
    title="Blank page: forwards and backwards through a block with a shortcut",
    points=5,
    function="shortcut_products",
    inputs=("x", "W", "V", "g", "v"),
    returns=("vjp", "jvp"),
    draw=_shortcut,
    # g · y for the one; for the other, entry i of y with x moved by t[i] along v.
    loss=lambda x, W, V, g, v, x_start, t: (
        np.sum(g * _block(x, W, V)) + np.trace(_block(x_start + t[:, None] * v, W, V))
    ),
    wrt={"vjp": "x", "jvp": "t"},
    steps=(
        Step("z", lambda W, x: W @ x, share=0),
        Step("a", lambda z: np.tanh(z), share=0),
        Step(
            "slope",
            lambda a: 1 - a**2,
            mistakes={"slope_left_out": (lambda a: np.ones_like(a), _SLOPE_LEFT_OUT), **_wrong_tanh_slopes()},
        ),
        Step(
            "da",
            lambda V, g: V.T @ g,
            mistakes={
                "V_not_transposed": (
                    lambda V, g: V @ g,
                    "Backwards through V: g has an entry for every row of V. It is the rows that are added up, which "
                    "leaves one number for every column.",
                ),
                "V_left_out_backwards": (
                    lambda V, g: np.full(V.shape[1], np.sum(g)),
                    "Backwards through V: all of g is added up without the weights. How much an entry of a matters "
                    "for an entry of y stands in V.",
                ),
                "one_output_only": (
                    lambda V, g: V[0] * g[0],
                    "Backwards through V: only the paths from the first output are there. All outputs send something "
                    "back, and it adds up.",
                ),
                "g_left_out": (
                    lambda V: V.sum(axis=0),
                    "Backwards through V: what comes from above, g, is missing from the sum.",
                ),
            },
        ),
        Step(
            "branch_back",
            lambda da, slope, W: W.T @ (da * slope),
            mistakes={
                "W_not_transposed": (
                    lambda da, slope, W: W @ (da * slope),
                    "Backwards through W: there is an entry for every row of W. It is the rows that are added up, "
                    "which leaves one number for every column.",
                ),
                "slope_skipped_backwards": (
                    lambda da, W: W.T @ da,
                    "Backwards, tanh is passed without its slope: a link is missing between a and z.",
                ),
                "slope_twice_backwards": (
                    lambda da, slope, W: W.T @ (da * slope**2),
                    "Backwards, the slope of tanh is there twice. Each link of a path is one factor.",
                ),
            },
        ),
        Step(
            "vjp",
            lambda g, branch_back: g + branch_back,
            mistakes={
                "shortcut_forgotten_backwards": (
                    lambda branch_back: branch_back,
                    "Backwards, only the path through tanh is there. x is used twice: what comes back along the "
                    "shortcut?",
                ),
                "paths_multiplied_backwards": (
                    lambda g, branch_back: g * branch_back,
                    "Backwards, the two paths are multiplied. Along a path multiply; over the paths add.",
                ),
                "shortcut_is_one_backwards": (
                    lambda branch_back: 1 + branch_back,
                    "Backwards, the shortcut brings 1. That is its local derivative; it still has to be multiplied by "
                    "what comes from above.",
                ),
                "shortcut_is_x_backwards": (
                    lambda x, branch_back: x + branch_back,
                    "Backwards, the shortcut brings x, its value. What goes back is a gradient.",
                ),
                "vjp_summed": (
                    lambda g, branch_back: np.sum(g + branch_back),
                    "The entries of the backward product are added up. There is one for every entry of x.",
                ),
            },
        ),
        Step(
            "branch_forth",
            lambda V, slope, W, v: V @ (slope * (W @ v)),
            mistakes={
                "V_transposed_forwards": (
                    lambda V, slope, W, v: V.T @ (slope * (W @ v)),
                    "Forwards, V is transposed. A change goes through V just as a value does.",
                ),
                "slope_skipped_forwards": (
                    lambda V, W, v: V @ (W @ v),
                    "Forwards, tanh is passed without its slope: a link is missing between z and a.",
                ),
                "tanh_of_change": (
                    lambda V, W, v: V @ np.tanh(W @ v),
                    "Forwards, the change went through tanh itself. A small change is stretched by the slope at z; "
                    "tanh is for values.",
                ),
                "x_for_v": (
                    lambda V, slope, W, x: V @ (slope * (W @ x)),
                    "Forwards, it is x that is sent through the Jacobian. x says where the slopes are taken; v is what "
                    "moves.",
                ),
            },
        ),
        Step(
            "jvp",
            lambda v, branch_forth: v + branch_forth,
            mistakes={
                "shortcut_forgotten_forwards": (
                    lambda branch_forth: branch_forth,
                    "Forwards, only the path through tanh is there. What does the shortcut do with the move v?",
                ),
                "paths_multiplied_forwards": (
                    lambda v, branch_forth: v * branch_forth,
                    "Forwards, the two paths are multiplied. Along a path multiply; over the paths add.",
                ),
                "shortcut_is_one_forwards": (
                    lambda branch_forth: 1 + branch_forth,
                    "Forwards, the shortcut brings 1. That is its local derivative; it still has to be multiplied by "
                    "the move.",
                ),
            },
        ),
    ),
    hints=(
        "Draw the graph. Two paths lead from x to y. Send v along the arrows, then g against them, and write down what "
        "happens to each at every box.",
        "J = I + V diag(1 − a²) W. For J v work from the right: W, then the slope, then V, then add v. For gᵀJ work "
        "from the left: Vᵀ, then the slope, then Wᵀ, then add g.",
        "With `slope = 1 - np.tanh(W @ x)**2`: `vjp = g + W.T @ (slope * (V.T @ g))` and "
        "`jvp = v + V @ (slope * (W @ v))`.",
    ),
    objective="Send vectors forwards and backwards through a block with a shortcut",
    difficulty=3,
    minutes=9,
)

EXERCISES = [
    _PARTIALS,
    _PATHS,
    _DIAMOND,
    _QUOTIENT,
    _DIRECTION,
    _SHAPES,
    _JACOBIAN,
    _SOFTMAX,
    _COST,
    _ORDER,
    _BLOCK,
]
