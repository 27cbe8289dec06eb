"""Lesson 03: numerical gradients, from one forward difference to a check of a whole gradient.

Where the answer is a finite difference, the step h is an input and large on purpose, a few hundredths or tenths:
forward, central, extrapolated and complex differences then differ by far more than any tolerance, and each is known by
its value. The functions to be differentiated are inputs too. They have no zero slopes where they are tried, and the
arrays they take are made of multiples of 1/64, as h is: adding h and taking it away again gives back the same number,
so an answer that restores by arithmetic is as good as one that keeps the old value.

Errors and best steps follow Press, Teukolsky, Vetterling, Flannery, Numerical Recipes, 3rd ed. (2007), §5.7; the
complex step is that of Squire and Trapp (1998, doi 10.1137/S003614459631241X).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import factorial
from typing import Any

import numpy as np

from autograder.exercises.drawing import Array, Draw
from autograder.exercises.formulas import Environment
from autograder.exercises.kinds import Derivation, Fix, Line, Question, order, prediction
from autograder.exercises.libraries import AUTODIFF
from autograder.exercises.model import Exercise, Step
from chainrule_lib.numerical import numerical_gradient

WITHHELD = AUTODIFF
"""``chainrule_lib.numerical`` stays, although it does what half of the lesson asks for: its cells measure with
``numerical_gradient``, ``relative_error``, ``directional_derivative`` and ``gradient_check``."""

Function = Callable[[Any], Any]

# Explanations that serve in more than one exercise.
_NOT_DIVIDED = (
    "This is how much f rises, not how steeply: a slope is a rise divided by the distance over which it happens."
)
_MULTIPLIED = "The rise is multiplied by the step. A slope is rise over distance: which of the two stands below?"
_HALF = (
    "This is half the slope. The two points at which f is evaluated lie one step apart, and the rise is divided by two "
    "steps."
)
_TWICE = (
    "This is twice the slope. The two points lie two steps apart, one on each side, and the rise is divided by one "
    "step."
)
_REVERSED = (
    "The sign is turned round. Where f rises, its value on the right is the larger one: which of the two is subtracted "
    "from which?"
)
_FORWARD = (
    "This is a forward difference, from x to x + h. Its error shrinks like h only. A central difference takes one "
    "point on each side of x, and its error shrinks like h²."
)
_BACKWARD = (
    "This is a backward difference, from x − h to x. One of the two points has to lie on the other side of x, at the "
    "same distance."
)
_PRECEDENCE = (
    "Only the last value is divided by the distance: division binds more tightly than subtraction. Which brackets are "
    "missing?"
)
_NEVER_RESTORED = (
    "An entry stays moved after its turn. From the second entry on, the slope is measured at another point than x: put "
    "the old value back before the next entry has its turn."
)
_NO_MOVE = (
    "All differences are 0: f was evaluated at the same numbers twice. The step went into an array that f never sees, "
    "such as a copy, or was never taken."
)
_OWN_STEP = (
    "The step that is given is not used: this belongs to a far smaller one, such as the library takes by itself. Here "
    "use h."
)
_NORMS = (
    "The lengths of the whole arrays are compared. One small entry that is quite wrong hardly changes a length; look "
    "at every entry."
)
_ABSOLUTE = (
    "This is the absolute error. Whether a difference of 0.001 is much depends on what it is a difference of: relate "
    "it to the size of the numbers compared."
)
_SIGNED = (
    "The error has kept its sign. A negative one counts as small whatever its size, so it slips through every "
    "comparison with a tolerance."
)
_NO_FLOOR = (
    "Where both numbers are 0, this divides 0 by 0, which is nan; where both are tiny, it blows round-off up to "
    "something that looks like an error. The size that is divided by has a smallest value, the floor."
)
_SUM_OF_SIZES = (
    "The difference is divided by the sum of the two sizes. That is another definition, found in other courses, with "
    "about half the value; here it is the larger of the two sizes."
)


# --- What is drawn ----------------------------------------------------------------------------------------------------


def _curve(draw: Draw) -> Function:
    """A smooth function of one variable, real or complex, whose first three derivatives are not 0 near the origin."""
    height, rate, swing = draw.number(0.5, 1.0), draw.uniform(0.8, 1.4), draw.uniform(0.1, 0.3)
    return lambda t: height * (np.exp(rate * t) - swing * np.cos(t))


def _on_a_line(draw: Draw) -> Environment:
    return {"f": _curve(draw), "x": draw.number(0.3, 0.9), "h": draw.uniform(0.04, 0.1)}


def _on_a_line_with_a_long_step(draw: Draw) -> Environment:
    """So long that even the fourth power of h shows."""
    return _on_a_line(draw) | {"h": draw.uniform(0.5, 0.8)}


def _in_64ths(values: Any) -> Any:
    """Rounded to multiples of 1/64, which are added and subtracted without round-off."""
    return np.round(64 * values) / 64


def _step(draw: Draw) -> float:
    return draw.integer(3, 6) / 64


def _valley(linear: Array, cubic: Array) -> tuple[Function, Function]:
    """A loss of an array, real or complex, in which every entry's slope depends on all entries; and its gradient."""

    def loss(x: Any) -> Any:
        return 3 * np.exp(np.sum(linear * x) / 3) + np.sum(cubic * x**3) / 3

    def gradient(x: Any) -> Any:
        return np.exp(np.sum(linear * x) / 3) * linear + cubic * x**2

    return loss, gradient


def _loss_of_array(draw: Draw) -> tuple[Function, Function, Array]:
    """A loss, its gradient and a point, an array with two axes."""
    n, m = draw.sizes(2)
    loss, gradient = _valley(draw.nonzero(n, m) / np.sqrt(n * m), draw.nonzero(n, m))
    return loss, gradient, _in_64ths(draw.nonzero(n, m))


def _on_an_array(draw: Draw) -> Environment:
    loss, _, x = _loss_of_array(draw)
    return {"f": loss, "x": x, "h": _step(draw)}


def _on_whole_numbers(draw: Draw) -> Environment:
    n, m = draw.sizes(2)
    loss, _ = _valley(draw.nonzero(n, m) / np.sqrt(n * m), draw.nonzero(n, m) / 4)
    x = draw.rng.integers(1, 4, (n, m), endpoint=True) * draw.rng.choice([-1, 1], (n, m))
    x[0, 0], x[-1, -1] = 2, -3  # an entry of each sign, which round to different sides
    return {"f": loss, "x": x, "h": _step(draw)}


def _two_gradients(draw: Draw) -> Environment:
    """Two arrays to be compared, among them a pair of zeros, a pair of tiny numbers and one zero beside a number."""
    n, m = draw.sizes(2)
    a = draw.nonzero(n, m)
    b = a * draw.uniform(0.4, 1.8, n, m) * draw.rng.choice([1, 1, 1, -1], (n, m))
    places = draw.rng.permutation(n * m)[:3]
    a.flat[places] = [0.0, draw.uniform(2e-9, 4e-9), 0.0]
    b.flat[places] = [0.0, draw.uniform(5e-9, 8e-9), draw.number(0.3, 0.9)]
    return {"a": a, "b": b, "floor": draw.uniform(2e-8, 6e-8)}


def _along_a_direction(draw: Draw) -> Environment:
    """A direction, and a gradient whose slope along it is too steep or too flat by a third and more."""
    loss, gradient, x = _loss_of_array(draw)
    v = _in_64ths(draw.nonzero(*x.shape))
    exact = gradient(x)
    v *= np.sign(np.sum(exact * v)) * np.sign(draw.number(1.0, 2.0))
    slip = np.sign(v) * np.abs(draw.nonzero(*x.shape))
    slip *= draw.number(0.3, 0.6) * np.sum(exact * v) / np.sum(slip * v)
    return {"f": loss, "gradient": exact + slip, "x": x, "v": v, "h": _step(draw)}


def _to_be_checked(draw: Draw) -> Environment:
    """A gradient: right up to about one per cent in two of the four cases, in the others far off in one entry.

    One entry of x does not enter the loss at all, and the last one hardly. The entry that is far off has a positive
    slope. Where none is, the worst one has a negative slope, larger than the gradient's, or a slope below the floor.
    """
    n, m = draw.sizes(2)
    linear, cubic = draw.nonzero(n, m) / np.sqrt(n * m), draw.nonzero(n, m)
    unused, spoiled = draw.rng.permutation(n * m - 1)[:2]
    linear.flat[unused], cubic.flat[unused] = 0.0, 0.0
    linear.flat[-1], cubic.flat[-1] = 0.0, draw.uniform(2e-6, 4e-6)
    valley, _ = _valley(linear, cubic)
    x, h = _in_64ths(draw.nonzero(n, m)), _step(draw)
    # The step is long, so exact slopes would not agree with the numerical ones within the tolerance.
    numerical = _slopes(valley, _both_sides(x, h), x, 2 * h)
    wrong, too_large = draw.number(1.0, 2.0) > 0, draw.number(1.0, 2.0) > 0
    turn = np.sign(numerical.flat[spoiled]) * (1 if wrong else -1)
    numerical *= turn
    gradient = numerical * (1 + draw.rng.choice([-1, 1], (n, m)) * draw.uniform(0.004, 0.008, n, m))
    gradient.flat[-1] *= 3
    floor = draw.uniform(1e-3, 2e-3)
    if not wrong and too_large:
        gradient.flat[-1] = numerical.flat[-1] + np.copysign(0.016 * floor, numerical.flat[-1])
    elif not wrong:
        gradient.flat[spoiled] = numerical.flat[spoiled] * draw.uniform(0.986, 0.990)
    else:
        gradient.flat[spoiled] = numerical.flat[spoiled] * draw.uniform(8, 12) ** (1 if too_large else -1)
    return {
        "f": lambda x: turn * valley(x),
        "x": x,
        "gradient": gradient,
        "h": h,
        "floor": floor,
        "tolerance": draw.uniform(0.02, 0.025),
    }


# --- What the steps compute -------------------------------------------------------------------------------------------


def _central(f: Function, x: Any, h: Any) -> Any:
    return (f(x + h) - f(x - h)) / (2 * h)


def _forward(f: Function, x: Any, h: Any) -> Any:
    return (f(x + h) - f(x)) / h


def _moved(x: Array, place: Any, h: float) -> Array:
    """A copy of x with one entry (or row) moved."""
    moved = x.copy()
    moved[place] += h
    return moved


def _both_sides(x: Array, h: float) -> list[tuple[Array, Array]]:
    """For every entry of x: x with that entry above and below."""
    return [(_moved(x, place, h), _moved(x, place, -h)) for place in np.ndindex(x.shape)]


def _walk(x: Array, left: float) -> Iterator[tuple[tuple[int, ...], Array]]:
    """For every entry, x with all entries before it left moved."""
    current = x.copy()
    for place in np.ndindex(x.shape):
        yield place, current.copy()
        current[place] += left


def _never_restored(x: Array, h: float, left: float) -> list[tuple[Array, Array]]:
    """As ``_both_sides``, with every entry left moved after its turn."""
    return [(_moved(now, place, h), _moved(now, place, -h)) for place, now in _walk(x, left)]


def _slopes(f: Function, points: list[tuple[Array, Array]], like: Array, distance: float) -> Array:
    """The difference between the two points of every pair over their distance, in the shape of an array."""
    return np.array([f(above) - f(below) for above, below in points]).reshape(like.shape) / distance


def _forward_slopes(f: Function, x: Array, h: float) -> Array:
    return np.array([f(_moved(x, place, h)) - f(x) for place in np.ndindex(x.shape)]).reshape(x.shape) / h


def _stepping(f: Function, x: Array, h: float, restore: bool = True, again: bool = False) -> Array:
    """A loop of forward differences as learners write it: it steps within a copy of x, of whatever type x is.

    ``restore`` puts each entry back, ``again`` evaluates f anew before each step.
    """
    x = x.copy()
    here = f(x)
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        if again:
            here = f(x)
        old = x[place]
        x[place] = old + h
        slopes[place] = (f(x) - here) / h
        if restore:
            x[place] = old
    return slopes


def _as_type_of(values: Array, like: Array) -> Array:
    """Values put into an array of another's type, as assignment to its entries does."""
    array = np.zeros_like(like)
    array[...] = values
    return array


def _minus(a: Any, b: Any) -> Any:
    """a − b, of symbols or numbers; of numbers, 0 where only round-off is left, as symbols would cancel."""
    difference = a - b
    return np.where(np.abs(difference) < 1e-13 * np.abs(b), 0, difference) if isinstance(b, np.ndarray) else difference


# --- The exercises ----------------------------------------------------------------------------------------------------

_FORWARD_DIFFERENCE = Exercise(
    id="03.forward_difference",
    title="A slope from two values: the forward difference",
    points=1,
    function="forward_difference",
    inputs=("f", "x", "h"),
    returns=("slope",),
    draw=_on_a_line,
    steps=(
        Step(
            "ahead",
            lambda f, x, h: f(x + h),
            share=0.5,
            mistakes={
                "stepped_back": (
                    lambda f, x, h: f(x - h),
                    "The second point lies on the other side: a forward difference goes from x to x + h.",
                ),
                "step_outside_f": (
                    lambda f, x, h: f(x) + h,
                    "The step was added to the value of f, not to its argument. The question is how f answers when x "
                    "moves.",
                ),
                "step_is_a_share_of_x": (
                    lambda f, x, h: f(x * (1 + h)),
                    "The point moves by h times x. Here h is the distance itself.",
                ),
                "f_of_the_step": (
                    lambda f, h: f(h),
                    "f is evaluated at h, a point near 0. The step starts at x.",
                ),
                "two_steps_ahead": (
                    lambda f, x, h: f(x + 2 * h),
                    "The second point lies two steps ahead. In a forward difference it is one.",
                ),
            },
        ),
        Step(
            "slope",
            lambda ahead, f, x, h: (ahead - f(x)) / h,
            mistakes={
                "rise_not_divided": (lambda ahead, f, x: ahead - f(x), _NOT_DIVIDED),
                "divided_by_two_steps": (lambda ahead, f, x, h: (ahead - f(x)) / (2 * h), _HALF),
                "rise_reversed": (lambda ahead, f, x, h: (f(x) - ahead) / h, _REVERSED),
                "multiplied_by_step": (lambda ahead, f, x, h: (ahead - f(x)) * h, _MULTIPLIED),
                "brackets_missing": (lambda ahead, f, x, h: ahead - f(x) / h, _PRECEDENCE),
                "divided_by_the_point": (
                    lambda ahead, f, x, h: (ahead - f(x)) / (x + h),
                    "The rise is divided by where the second point lies. Divide by how far it is from the first one.",
                ),
                "central_instead": (
                    lambda f, x, h: _central(f, x, h),
                    "This is a central difference, with a point on each side of x. It is the better one, and comes "
                    "next; here the first point is x itself.",
                ),
                "backward_instead": (
                    lambda f, x, h: (f(x) - f(x - h)) / h,
                    "This is the backward difference, from x − h to x. Go from x to x + h.",
                ),
            },
        ),
    ),
    hints=(
        "A slope is how far you rise over how far you go. You know both.",
        "The forward difference is (f(x + h) − f(x)) / h.",
        "With `here = f(x)` and `ahead = f(x + h)`, the missing line is `return (ahead - here) / h`.",
    ),
    objective="Measure a slope from two values of a function",
    difficulty=1,
    minutes=3,
)

_TAYLOR_LINES = Exercise(
    id="03.taylor_lines",
    title="Where the truncation error comes from",
    points=4,
    function="taylor_lines",
    inputs=("f0", "f1", "f2", "f3", "h"),
    returns=("ahead", "behind", "forward_error", "central_error"),
    draw=lambda draw: {name: draw.nonzero(12) for name in ("f0", "f1", "f2", "f3", "h")},
    kind=Derivation(
        uses={
            "ahead": ("f0", "f1", "f2", "f3", "h"),
            "behind": ("f0", "f1", "f2", "f3", "h"),
            "forward_error": ("f2", "f3", "h"),
            "central_error": ("f3", "h"),
        }
    ),
    steps=(
        Step(
            "ahead",
            lambda f0, f1, f2, f3, h: f0 + h * f1 + h**2 * f2 / 2 + h**3 * f3 / 6,
            mistakes={
                "factorials_lost": (
                    lambda f0, f1, f2, f3, h: f0 + h * f1 + h**2 * f2 + h**3 * f3,
                    "In the line for f(x + h) the factorials are missing: the term with the n-th derivative is divided "
                    "by n!.",
                ),
                "divided_by_the_order": (
                    lambda f0, f1, f2, f3, h: f0 + h * f1 + h**2 * f2 / 2 + h**3 * f3 / 3,
                    "In the line for f(x + h) the last term is divided by 3. Taylor's formula divides by a factorial: "
                    "what is 3!?",
                ),
                "powers_of_h_lost": (
                    lambda f0, f1, f2, f3, h: f0 + h * f1 + h * f2 / 2 + h * f3 / 6,
                    "In the line for f(x + h) every term has the same power of h. The n-th derivative comes with the "
                    "n-th power.",
                ),
                "value_at_x_lost": (
                    lambda f1, f2, f3, h: h * f1 + h**2 * f2 / 2 + h**3 * f3 / 6,
                    "The line for f(x + h) lacks its first term: at h = 0 it has to give f(x).",
                ),
            },
        ),
        Step(
            "behind",
            lambda f0, f1, f2, f3, h: f0 - h * f1 + h**2 * f2 / 2 - h**3 * f3 / 6,
            mistakes={
                "every_term_negative": (
                    lambda f0, f1, f2, f3, h: f0 - h * f1 - h**2 * f2 / 2 - h**3 * f3 / 6,
                    "In the line for f(x − h) every term has a minus. Put −h for h: what is (−h)²?",
                ),
                "only_first_term_negative": (
                    lambda f0, f1, f2, f3, h: f0 - h * f1 + h**2 * f2 / 2 + h**3 * f3 / 6,
                    "In the line for f(x − h) one sign is wrong. Put −h for h in every term: what is (−h)³?",
                ),
                "even_terms_negative": (
                    lambda f0, f1, f2, f3, h: f0 + h * f1 - h**2 * f2 / 2 + h**3 * f3 / 6,
                    "In the line for f(x − h) the wrong terms changed their sign: an even power of −h is positive, an "
                    "odd one negative.",
                ),
                "everything_negated": (
                    lambda f0, f1, f2, f3, h: -f0 + h * f1 - h**2 * f2 / 2 + h**3 * f3 / 6,
                    "The line for f(x − h) begins with −f(x). At h = 0 it has to give f(x) too.",
                ),
            },
        ),
        Step(
            "forward_error",
            lambda ahead, f0, f1, h: _minus(_minus(ahead, f0) / h, f1),
            mistakes={
                "forward_slope_kept": (
                    lambda ahead, f0, h: (ahead - f0) / h,
                    "This is the forward difference itself. Its error is what remains when the derivative is taken "
                    "away.",
                ),
                "forward_not_divided": (
                    lambda ahead, f0, f1, h: ahead - f0 - h * f1,
                    "The forward error is one power of h too high: a difference quotient is divided by h, and its "
                    "error with it.",
                ),
                "forward_error_negated": (
                    lambda ahead, f0, f1, h: -_minus(_minus(ahead, f0) / h, f1),
                    "The forward error has the wrong sign: it is the difference minus the derivative, not the other "
                    "way round.",
                ),
                "forward_leading_term_only": (
                    lambda f2, h: h * f2 / 2,
                    "This is the largest term of the forward error. The two lines give one more: keep it.",
                ),
                "forward_divided_by_two_steps": (
                    lambda ahead, f0, f1, h: (ahead - f0) / (2 * h) - f1,
                    "The forward difference is divided by h: its two points are one step apart.",
                ),
            },
        ),
        Step(
            "central_error",
            lambda ahead, behind, f1, h: _minus(_minus(ahead, behind) / (2 * h), f1),
            mistakes={
                "central_slope_kept": (
                    lambda ahead, behind, h: (ahead - behind) / (2 * h),
                    "This is the central difference itself. Its error is what remains when the derivative is taken "
                    "away.",
                ),
                "central_divided_by_one_step": (
                    lambda ahead, behind, f1, h: _minus(_minus(ahead, behind) / h, f1),
                    "The central difference is divided by 2h, since its two points are two steps apart.",
                ),
                "central_error_negated": (
                    lambda ahead, behind, f1, h: -_minus(_minus(ahead, behind) / (2 * h), f1),
                    "The central error has the wrong sign: it is the difference minus the derivative.",
                ),
                "lines_added": (
                    lambda ahead, behind, f1, h: (ahead + behind) / (2 * h) - f1,
                    "The two lines were added, so the even powers of h stay and the odd ones cancel. A central "
                    "difference subtracts.",
                ),
                "even_terms_kept": (
                    lambda f2, f3, h: h * f2 / 2 + h**2 * f3 / 6,
                    "This is the error of the forward difference. In the central one, the terms that are the same on "
                    "both sides of x cancel.",
                ),
                "central_not_divided": (
                    lambda f3, h: h**3 * f3 / 6,
                    "The central error is one power of h too high: the difference of the two lines is still to be "
                    "divided.",
                ),
            },
        ),
    ),
    hints=(
        "Taylor's formula has one term for every derivative. For f(x − h), put −h in the place of h and mind the "
        "signs.",
        "f(x + h) = f + h f′ + h² f″/2 + h³ f‴/6. The error of a difference is the difference minus f′.",
        "`behind = f0 - h*f1 + h**2*f2/2 - h**3*f3/6`, and `central_error = (ahead - behind)/(2*h) - f1`. Let SymPy "
        "simplify it with `sympy.expand`.",
    ),
    objective="Derive the truncation error of a difference from Taylor's formula",
    difficulty=1,
    minutes=6,
)

_CENTRAL_DIFFERENCE = Exercise(
    id="03.central_difference",
    title="A point on each side: the central difference",
    points=1,
    function="central_difference",
    inputs=("f", "x", "h"),
    returns=("slope",),
    draw=_on_a_line,
    steps=(
        Step(
            "above",
            lambda f, x, h: f(x + h),
            share=0.5,
            mistakes={
                "above_at_x": (
                    lambda f, x: f(x),
                    "The right-hand point is x itself. The two points lie at the same distance on both sides.",
                ),
                "above_half_a_step": (
                    lambda f, x, h: f(x + h / 2),
                    "The right-hand point lies half a step away. Here each point lies a whole step from x.",
                ),
                "above_two_steps": (
                    lambda f, x, h: f(x + 2 * h),
                    "The right-hand point lies two steps away. Two steps is the distance between the points; each of "
                    "them is one step from x.",
                ),
            },
        ),
        Step(
            "below",
            lambda f, x, h: f(x - h),
            share=0.5,
            mistakes={
                "below_at_x": (lambda f, x: f(x), _HALF + " A central difference has its second point at x − h."),
                "below_half_a_step": (
                    lambda f, x, h: f(x - h / 2),
                    "The left-hand point lies half a step away. Here each point lies a whole step from x.",
                ),
                "argument_turned_round": (
                    lambda f, x, h: f(h - x),
                    "The left-hand point is h − x. Start at x and go back by h.",
                ),
            },
        ),
        Step(
            "slope",
            lambda above, below, h: (above - below) / (2 * h),
            mistakes={
                "divided_by_one_step": (lambda above, below, h: (above - below) / h, _TWICE),
                "forward_difference": (lambda above, f, x, h: (above - f(x)) / h, _FORWARD),
                "backward_difference": (lambda below, f, x, h: (f(x) - below) / h, _BACKWARD),
                "sides_reversed": (lambda above, below, h: (below - above) / (2 * h), _REVERSED),
                "rise_not_divided": (lambda above, below: above - below, _NOT_DIVIDED),
                "values_added": (
                    lambda above, below, h: (above + below) / (2 * h),
                    "The two values are added. That is their mean over h, no difference.",
                ),
                "divided_by_2_times_h": (
                    lambda above, below, h: (above - below) / 2 * h,
                    "The difference is divided by 2, then multiplied by h: `/ 2 * h` goes from left to right. Which "
                    "brackets are missing?",
                ),
                "brackets_missing": (lambda above, below, h: above - below / (2 * h), _PRECEDENCE),
                "step_of_the_library": (lambda f, x: numerical_gradient(f, x), _OWN_STEP),
                "step_of_its_own": (
                    lambda f, x: _central(f, x, 1e-5),
                    "The step that is given is not used: this is the slope with h = 1e-5. Does a default or a line of "
                    "your own replace h?",
                ),
            },
        ),
    ),
    hints=(
        "One point lies a step to the right of x, the other a step to the left. How far are they from each other?",
        "The central difference is (f(x + h) − f(x − h)) / (2h).",
        "`return (f(x + h) - f(x - h)) / (2 * h)`. Mind the brackets around `2 * h`.",
    ),
    objective="Measure a slope with an error of second order",
    difficulty=1,
    minutes=2,
)

_RICHARDSON = Exercise(
    id="03.richardson",
    title="Two central differences make a better one: Richardson",
    points=2,
    function="richardson",
    inputs=("f", "x", "h"),
    returns=("slope",),
    draw=_on_a_line_with_a_long_step,
    steps=(
        Step(
            "coarse",
            lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h),
            share=0.5,
            mistakes={
                "coarse_is_forward": (
                    lambda f, x, h: _forward(f, x, h),
                    "The difference with step h is a forward one. Both have to be central: their errors begin with the "
                    "same power, h².",
                ),
                "coarse_with_two_steps": (
                    lambda f, x, h: _central(f, x, 2 * h),
                    "The coarse difference has the step 2h. Here the two steps are h and h/2.",
                ),
                "coarse_doubled": (
                    lambda f, x, h: 2 * _central(f, x, h),
                    "The difference with step h is twice too large: its points are 2h apart.",
                ),
            },
        ),
        Step(
            "fine",
            lambda f, x, h: (f(x + h / 2) - f(x - h / 2)) / h,
            share=0.5,
            mistakes={
                "fine_is_coarse": (
                    lambda f, x, h: _central(f, x, h),
                    "Both differences have the same step, so there is nothing to compare: the second takes half of it.",
                ),
                "fine_divided_by_two_steps": (
                    lambda f, x, h: _central(f, x, h / 2) / 2,
                    "The fine difference is half of what it should be. With the step h/2 its points are h apart, not "
                    "2h.",
                ),
                "fine_is_forward": (
                    lambda f, x, h: _forward(f, x, h / 2),
                    "The difference with step h/2 is a forward one. Both have to be central: their errors begin with "
                    "the same power, h².",
                ),
                "fine_quarter_step": (
                    lambda f, x, h: _central(f, x, h / 4),
                    "The fine difference has the step h/4. A quarter is what becomes of the error when the step is "
                    "halved.",
                ),
            },
        ),
        Step(
            "slope",
            lambda coarse, fine: (4 * fine - coarse) / 3,
            mistakes={
                "weights_of_first_order": (
                    lambda coarse, fine: 2 * fine - coarse,
                    "These are the weights for an error that halves with the step. The error of a central difference "
                    "falls to a quarter.",
                ),
                "weights_swapped": (
                    lambda coarse, fine: (4 * coarse - fine) / 3,
                    "The two differences are exchanged: the larger weight belongs to the one with the smaller error.",
                ),
                "mean_of_both": (
                    lambda coarse, fine: (coarse + fine) / 2,
                    "A mean lies between the two, and the truth does not: both err to the same side, one four times as "
                    "far.",
                ),
                "not_divided_by_three": (
                    lambda coarse, fine: 4 * fine - coarse,
                    "The weights have to add up to 1, or a straight line would get a wrong slope. What do yours add up "
                    "to?",
                ),
                "weights_added": (
                    lambda coarse, fine: (4 * fine + coarse) / 5,
                    "The coarse difference is added. To cancel its error, it has to be subtracted.",
                ),
                "fine_alone": (
                    lambda fine: fine,
                    "This is the fine difference by itself. Its error is a quarter of the other's; use the two "
                    "together to remove it.",
                ),
                "from_forward_differences": (
                    lambda f, x, h: (4 * _forward(f, x, h / 2) - _forward(f, x, h)) / 3,
                    "Both differences are forward ones. Their errors begin with h, not with h², so these weights do "
                    "not cancel them.",
                ),
                "exponent_three": (
                    lambda coarse, fine: (8 * fine - coarse) / 7,
                    "These are the weights for an error that falls to an eighth. Halve h in h²: what remains?",
                ),
            },
        ),
    ),
    hints=(
        "Write D(h) = f′ + c h² and D(h/2) = f′ + c h²/4: two equations, two unknowns.",
        "Four times the second equation minus the first leaves 3 f′: c is gone.",
        "With `coarse` for step `h` and `fine` for step `h / 2`: `return (4 * fine - coarse) / 3`.",
    ),
    objective="Cancel the leading error of two differences",
    difficulty=2,
    minutes=4,
)

_COMPLEX_STEP = Exercise(
    id="03.complex_step",
    title="A step without a subtraction: the complex step",
    points=2,
    function="complex_step",
    inputs=("f", "x", "h"),
    returns=("slope",),
    draw=_on_a_line,
    steps=(
        Step(
            "value",
            lambda f, x, h: f(x + 1j * h),
            mistakes={
                "real_step": (
                    lambda f, x, h: f(x + h + 0j),
                    "The step is a real one, so f has no imaginary part, and the result is 0. In Python the imaginary "
                    "unit is written 1j.",
                ),
                "whole_unit_step": (
                    lambda f, x: f(x + 1j),
                    "The point moves by i, a step of length 1. It should move by ih.",
                ),
                "step_downwards": (
                    lambda f, x, h: f(x - 1j * h),
                    "The step goes down the imaginary axis, and every sign turns round.",
                ),
                "point_multiplied": (
                    lambda f, x, h: f(x * 1j * h),
                    "x is multiplied by ih. The step is added to x.",
                ),
                "step_also_real": (
                    lambda f, x, h: f(x + h + 1j * h),
                    "The point moves along the real axis as well. The real part stays at x, where the slope is wanted.",
                ),
            },
        ),
        Step(
            "slope",
            lambda value, h: np.imag(value) / h,
            mistakes={
                "real_part": (
                    lambda value, h: np.real(value) / h,
                    "This is the real part, which is about f(x). In f(x + ih) = f(x) + ih f′(x) + …, where does the "
                    "slope stand?",
                ),
                "imaginary_part_not_divided": (
                    lambda value: np.imag(value),
                    "The imaginary part is about h times the slope: it is still to be divided by h.",
                ),
                "divided_by_two_steps": (
                    lambda value, h: np.imag(value) / (2 * h),
                    "This is half the slope. There is one step here, up the imaginary axis, and no second point.",
                ),
                "size_of_the_difference": (
                    lambda value, f, x, h: np.abs(value - f(x)) / h,
                    "This is the length of f(x + ih) − f(x): it has no sign, and it subtracts again. Take the "
                    "imaginary part alone.",
                ),
                "second_point_below": (
                    lambda f, x, h: np.imag(f(x + 1j * h) - f(x - 1j * h)) / h,
                    "This is twice the slope: the value below the real axis is subtracted, and its imaginary part is "
                    "the same with a minus. One value is enough.",
                ),
                "angle_instead": (
                    lambda value, h: np.angle(value) / h,
                    "This is the angle of the complex value. The imaginary part is wanted.",
                ),
                "central_instead": (
                    lambda f, x, h: _central(f, x, h),
                    "This is a central difference. A complex step evaluates f once, at a complex point.",
                ),
                "tiny_step_of_its_own": (
                    lambda f, x: np.imag(f(x + 1e-30j)) / 1e-30,
                    "This is the derivative itself, up to its last digits: a tiny step of your own replaces h. That is "
                    "how one uses it; here, take the h that is given.",
                ),
            },
        ),
    ),
    hints=(
        "Put ih for h into Taylor's formula. Which terms become imaginary?",
        "f(x + ih) = f(x) + ih f′(x) − …, so f′(x) is about the imaginary part of f(x + ih), divided by h.",
        "`value = f(x + 1j * h)`, then `return value.imag / h`.",
    ),
    objective="Measure a slope without subtracting nearly equal numbers",
    difficulty=2,
    minutes=3,
)

_BEST_STEP_LINES = Exercise(
    id="03.best_step_lines",
    title="The best step of a central difference",
    points=3,
    function="best_step_lines",
    inputs=("F", "M", "eps", "h"),
    returns=("truncation", "round_off", "slope", "best_step"),
    draw=lambda draw: {name: draw.uniform(0.4, 1.6, 12) for name in ("F", "M", "eps", "h")},
    kind=Derivation(
        uses={
            "truncation": ("M", "h"),
            "round_off": ("F", "eps", "h"),
            "slope": ("F", "M", "eps", "h"),
            "best_step": ("F", "M", "eps"),
        }
    ),
    steps=(
        Step(
            "order",  # of the truncation error in h; not asked for, but everything below follows from it
            lambda: 2,
            share=0.5,
            mistakes={
                "forward_truncation": (
                    lambda: 1,
                    "This is the balance of a forward difference, whose truncation error is h/2 · M. That of a central "
                    "difference has another power of h and another factor; you derived both in exercise 2.",
                ),
                "third_order_truncation": (
                    lambda: 3,
                    "The truncation error has one power of h too many: the difference of the two Taylor lines begins "
                    "with h³, and it is divided by 2h.",
                ),
            },
        ),
        Step(
            "truncation",
            lambda M, h, order: h**order * M / factorial(order + 1),
            mistakes={
                "sixth_lost": (
                    lambda M, h, order: h**order * M,
                    "The truncation error lacks its number: the factorial of Taylor's formula has been lost.",
                ),
                "half_for_sixth": (
                    lambda M, h, order: h**order * M / 2,
                    "The truncation error has the ½ that belongs to f″. M is the size of f‴, which comes with another "
                    "factorial.",
                ),
                "third_for_sixth": (
                    lambda M, h, order: 2 * h**order * M / factorial(order + 1),
                    "The truncation error is twice too large: the two Taylor lines give h³/3 · M, over a distance of "
                    "2h.",
                ),
            },
        ),
        Step(
            "round_off",
            lambda F, eps, h: eps * F / h,
            mistakes={
                "one_value_rounded": (
                    lambda F, eps, h: eps * F / (2 * h),
                    "Only one of the two values is rounded here. Each comes with an error of up to eps · F, and at "
                    "worst they add up.",
                ),
                "distance_is_one_step": (
                    lambda F, eps, h: 2 * eps * F / h,
                    "This is the round-off of a forward difference. Two values, each wrong by up to eps · F, are "
                    "divided by a distance of 2h here.",
                ),
            },
        ),
        Step(
            "slope",
            lambda truncation, round_off, h, order: order * truncation / h - round_off / h,
            mistakes={
                "round_off_falls_with_plus": (
                    lambda truncation, round_off, h, order: order * truncation / h + round_off / h,
                    "The derivative of 1/h has a minus: the round-off falls when h grows.",
                ),
                "exponent_not_brought_down": (
                    lambda truncation, round_off, h: truncation / h - round_off / h,
                    "In the derivative of the truncation error the exponent of h was lowered, but it did not come down "
                    "as a factor.",
                ),
                "round_off_not_differentiated": (
                    lambda truncation, round_off, h, order: order * truncation / h - round_off,
                    "The round-off was not differentiated: the derivative of 1/h is −1/h².",
                ),
                "truncation_alone": (
                    lambda truncation, h, order: order * truncation / h,
                    "Only the truncation error was differentiated. The sum of both errors is to be as small as "
                    "possible.",
                ),
                "sum_not_differentiated": (
                    lambda truncation, round_off: truncation + round_off,
                    "This is the sum of both errors. Where it is least, its derivative with respect to h is 0.",
                ),
            },
        ),
        Step(
            "best_step",
            lambda truncation, round_off, h, order: h * (round_off / (order * truncation)) ** (1 / (order + 1)),
            mistakes={
                "root_not_taken": (
                    lambda truncation, round_off, h, order: h ** (order + 1) * round_off / (order * truncation),
                    "This is a power of the best step. The root is still to be taken.",
                ),
                "square_root": (
                    lambda truncation, round_off, h, order: (
                        (h ** (order + 1) * round_off / (order * truncation)) ** 0.5
                    ),
                    "A square root was taken. Set the derivative to 0 and multiply by h²: which power of h remains?",
                ),
                "errors_set_equal": (
                    lambda truncation, round_off, h, order: h * (round_off / truncation) ** (1 / (order + 1)),
                    "This is where the two errors are equal. That is near the best step, but their sum is least where "
                    "the derivative is 0.",
                ),
                "ratio_upside_down": (
                    lambda truncation, round_off, h, order: (
                        (order * truncation / round_off / h ** (order + 1)) ** (1 / (order + 1))
                    ),
                    "The ratio stands upside down: a larger eps calls for a larger step, a larger third derivative for "
                    "a smaller one.",
                ),
            },
        ),
    ),
    hints=(
        "Take the derivation for the forward difference above, line by line. Only the first two lines change.",
        "E(h) = h²/6 · M + eps · F/h. Differentiate it with respect to h, set the result to 0, and solve for h.",
        "`slope = h*M/3 - eps*F/h**2`; it is 0 where h³ = 3 · eps · F/M, so `best_step = (3*eps*F/M)**(1/3)`.",
    ),
    objective="Balance truncation against round-off",
    difficulty=2,
    minutes=6,
)

_STEPS = {"a": "about 1e-2", "b": "about 1e-5", "c": "about 1e-8", "d": "about 1e-12", "e": "about 1e-16"}

_STEP_PREDICTION = prediction(
    "03.step_prediction",
    title="Predict: which step is best?",
    points=2,
    function="step_prediction",
    questions=(
        Question(
            "forward",
            "With which step h is the **forward** difference of eˣ at x = 1 most exact, in float64?",
            options=_STEPS,
            right="c",
            wrong={
                "a": (
                    "forward_step_too_large",
                    "With h = 1e-2 the truncation error h/2 · f″ alone is about 1e-2. Round-off is still far away: go "
                    "on making h smaller.",
                ),
                "b": (
                    "forward_with_central_step",
                    "That is the best step of the central difference. The forward difference's truncation error falls "
                    "more slowly, like h, so the balance is struck further down.",
                ),
                "d": (
                    "forward_step_too_small",
                    "With h = 1e-12 the truncation error is tiny, but round-off is about 1e-16 divided by 1e-12: four "
                    "digits remain.",
                ),
                "e": (
                    "forward_step_vanishes",
                    "1 + 1e-16 is rounded to 1: x + h and x are the same number, and the difference is 0.",
                ),
            },
        ),
        Question(
            "central",
            "And the **central** difference?",
            options=_STEPS,
            right="b",
            wrong={
                "a": (
                    "central_step_too_large",
                    "With h = 1e-2 the truncation error h²/6 · f‴ is about 1e-5, while round-off is about 1e-14: there "
                    "is room to go down.",
                ),
                "c": (
                    "central_with_forward_step",
                    "That is the best step of the forward difference. Here truncation has the square of h and is out "
                    "of the way much earlier; below that, round-off only grows.",
                ),
                "d": (
                    "central_step_too_small",
                    "With h = 1e-12 round-off is about 1e-16 divided by 1e-12, so four digits remain.",
                ),
                "e": (
                    "central_step_vanishes",
                    "1 + 1e-16 is rounded to 1, and of the step little or nothing is left.",
                ),
            },
        ),
        Question(
            "ratio",
            "The central difference of eˣ at x = 1 errs by some amount with h = 1e-2. With h = 1e-3, **how many times "
            "smaller** is its error? (A number.)",
            right=100.0,
            tolerance=0.03,
            wrong={
                10.0: ("error_of_first_order", "That is the forward difference. Here the error goes with h²."),
                1000.0: (
                    "error_of_third_order",
                    "In the difference of the two Taylor lines the first term that is left over has h³, but it is "
                    "divided by 2h.",
                ),
                4.0: (
                    "halved_not_tenth",
                    "That would be so if h were halved. Here it becomes a tenth.",
                ),
                10000.0: (
                    "error_of_fourth_order",
                    "That is what Richardson's extrapolation does. A central difference by itself goes with h².",
                ),
            },
        ),
        Question(
            "complex",
            "The **complex step** is taken with h = 1e-30. How large is the relative error of the slope?",
            options={
                "a": "about 1e-60, the square of the step",
                "b": "about 1e-16: the last digit of a float",
                "c": "about 1e14: round-off of 1e-16 divided by 1e-30",
                "d": "1: the step is lost in rounding, and the result is 0",
            },
            right="b",
            wrong={
                "a": (
                    "complex_beats_a_float",
                    "That is the truncation error alone. The result is a float and has about sixteen digits, however "
                    "good the method is.",
                ),
                "c": (
                    "complex_divides_round_off",
                    "That is what becomes of a difference of two nearly equal numbers. Here nothing is subtracted: the "
                    "imaginary part is small, and has all its digits.",
                ),
                "d": (
                    "complex_step_lost",
                    "x + 1e-30 would be rounded to x. But the step goes into the imaginary part, which is kept apart "
                    "from the real one.",
                ),
            },
        ),
    ),
    hints=(
        "Two errors pull in opposite directions: truncation wants a small step, round-off a large one.",
        "The best steps go like the square root of the machine's precision (forward) and like its cube root (central). "
        "The complex step has only one of the two errors.",
        "The precision is 2.2e-16. Its square root is about 1.5e-8, its cube root about 6e-6.",
    ),
    objective="Choose a step for each method",
    difficulty=2,
    minutes=3,
)

_ORDER_LOOP = order(
    "03.order_loop",
    title="One turn of the loop, in order",
    points=2,
    function="loop_order",
    question="Which lines, in which order, measure one entry of the gradient of `f` at the array `x`? The lines stand "
    "in the body of a loop over `index`. Some lines are wrong and stay out.",
    lines=(
        Line(
            "old",
            "`old = x[index]`",
            wrong={
                "old_is_the_array": (
                    "`old = x`",
                    "`old = x` copies nothing: it is a second name for the same array, and changes with it. One entry "
                    "has to be kept.",
                ),
            },
        ),
        Line(
            "up",
            "`x[index] += h`",
            after=("old",),
            wrong={
                "every_entry_moved": (
                    "`x += h`",
                    "`x += h` moves every entry at once. A partial derivative moves one and leaves the others.",
                ),
            },
        ),
        Line("above", "`above = f(x)`", after=("up",)),
        Line(
            "down",
            "`x[index] -= 2 * h`",
            after=("above",),
            wrong={
                "back_to_the_middle": (
                    "`x[index] -= h`",
                    "The entry stands at old + h. Taking h away leads back to the middle, and the second value would "
                    "be f at x itself.",
                ),
            },
        ),
        Line("below", "`below = f(x)`", after=("down",)),
        Line(
            "restored",
            "`x[index] = old`",
            after=("below",),
            wrong={
                "name_instead_of_entry": (
                    "`x = old`",
                    "`x = old` gives the name x to a number. The array keeps its moved entry, and the next turn of the "
                    "loop has no array.",
                ),
            },
        ),
        Line(
            "slope",
            "`gradient[index] = (above - below) / (2 * h)`",
            after=("above", "below"),
            wrong={
                "divided_by_one_step": ("`gradient[index] = (above - below) / h`", _TWICE),
                "overwritten": (
                    "`gradient = (above - below) / (2 * h)`",
                    "Without an index, the gradient is replaced by one number in every turn.",
                ),
            },
        ),
    ),
    misplaced={
        "saved_too_late": ("up", "old", "The old value is kept only after it has been changed, so it is lost."),
        "lowered_too_early": (
            "down",
            "above",
            "The entry is moved down before f has been evaluated above: the two values would belong to the same point.",
        ),
        "restored_too_early": (
            "restored",
            "below",
            "The entry is put back before f has been evaluated below: the second value would be f at x itself.",
        ),
    },
    hints=(
        "Three things have to be remembered on the way: the old entry, the value above, and the value below.",
        "Keep, move up, evaluate, move down, evaluate, put back. The slope can be taken as soon as both values are "
        "known.",
        "The first line is `old = x[index]`, the last may be `x[index] = old`. From old + h to old − h it is 2h.",
    ),
    objective="Put the lines of a central difference in order",
    difficulty=1,
    minutes=3,
)

_ARRAY_GRADIENT = Exercise(
    id="03.array_gradient",
    title="The gradient of an array, entry by entry",
    points=3,
    function="array_gradient",
    inputs=("f", "x", "h"),
    returns=("gradient",),
    draw=_on_an_array,
    steps=(
        Step(
            "points",
            lambda x, h: [(_moved(x, place, h), _moved(x, place, -h)) for place in np.ndindex(x.shape)],
            mistakes={
                "never_restored": (lambda x, h: _never_restored(x, h, -h), _NEVER_RESTORED),
                "left_above": (
                    lambda x, h: _never_restored(x, h, h),
                    "After its turn every entry stays a step above its old value. Going down by h and up by 2h, or by "
                    "another wrong amount, does not lead back; put back the value you kept.",
                ),
                "two_copies_never_restored": (
                    lambda x, h: [
                        (_moved(up, place, h), _moved(down, place, -h))
                        for (place, up), (_, down) in zip(_walk(x, h), _walk(x, -h), strict=True)
                    ],
                    "Two copies of x were made before the loop, one to go up and one to go down, and their entries "
                    "stay moved. Each entry has to be put back in both, or the copies made anew in every turn.",
                ),
                "perturbed_a_copy": (lambda x: [(x, x) for _ in np.ndindex(x.shape)], _NO_MOVE),
                "below_at_x": (
                    lambda x, h: [(_moved(x, place, h), x) for place in np.ndindex(x.shape)],
                    _HALF + " Was the entry taken back by h where 2h leads to the other side?",
                ),
                "above_at_x": (
                    lambda x, h: [(x, _moved(x, place, -h)) for place in np.ndindex(x.shape)],
                    _HALF + " The upper point is x itself.",
                ),
                "whole_rows": (
                    lambda x, h: [(_moved(x, i, h), _moved(x, i, -h)) for i, _ in np.ndindex(x.shape)],
                    "A whole row is moved at a time: x[i] is a row of x, not an entry. Go through all pairs of "
                    "indices, as np.ndindex(x.shape) does.",
                ),
                "rows_kept_as_views": (
                    lambda x, h: [(_moved(x, i, h), x) for i, _ in np.ndindex(x.shape)],
                    "A whole row is moved at a time, and to one side only: x[i] is a row of x, and `old = x[i]` is no "
                    "copy of it but a view, which moves with it. Go through all pairs of indices.",
                ),
                "everything_moved": (
                    lambda x, h: [(x + h, x - h) for _ in np.ndindex(x.shape)],
                    "All entries are moved at once, so every entry gets the sum of all slopes. Move one, and leave the "
                    "others where they are.",
                ),
                "step_is_a_share_of_entry": (
                    lambda x, h: [
                        (_moved(x, place, h * x[place]), _moved(x, place, -h * x[place]))
                        for place in np.ndindex(x.shape)
                    ],
                    "Each entry moves by h times its own value. Here h is the distance itself.",
                ),
            },
        ),
        Step(
            "gradient",
            lambda f, points, x, h: np.array([(f(above) - f(below)) / (2 * h) for above, below in points]).reshape(
                x.shape
            ),
            mistakes={
                "divided_by_one_step": (lambda f, points, x, h: _slopes(f, points, x, h), _TWICE),
                "forward_differences": (lambda f, x, h: _forward_slopes(f, x, h), _FORWARD),
                "step_of_the_library": (lambda f, x: numerical_gradient(f, x), _OWN_STEP),
                "complex_steps": (
                    lambda f, x, h: numerical_gradient(f, x, method="complex", step=h),
                    "These are complex steps. A central difference works for any f; take one here.",
                ),
                "rises_not_divided": (lambda f, points, x: _slopes(f, points, x, 1.0), _NOT_DIVIDED),
                "sides_reversed": (lambda f, points, x, h: _slopes(f, points, x, -2 * h), _REVERSED),
                "flattened": (
                    lambda f, points, x, h: _slopes(f, points, x, 2 * h).ravel(),
                    "The slopes come in one long row. A gradient has the shape of what it belongs to.",
                ),
                "added_up": (
                    lambda f, points, x, h: np.sum(_slopes(f, points, x, 2 * h)),
                    "All slopes are added into one number. Every entry of x has a slope of its own.",
                ),
                "last_entry_only": (
                    lambda f, points, x, h: _slopes(f, points, x, 2 * h).ravel()[-1],
                    "One number came back, the last slope: in every turn of the loop it replaces the one before. Where "
                    "is the index?",
                ),
                "filled_in_the_wrong_order": (
                    lambda f, points, x, h: _slopes(f, points, x, 2 * h).ravel(order="F").reshape(x.shape),
                    "All slopes are there, in the wrong places: they were found column by column and put down row by "
                    "row.",
                ),
                "transposed": (
                    lambda f, points, x, h: _slopes(f, points, x, 2 * h).T,
                    "Rows and columns are exchanged. A gradient has the shape of what it belongs to.",
                ),
            },
        ),
    ),
    hints=(
        "The body of the loop is the one you put in order. What is left is the loop itself and where its results go.",
        "`np.zeros(x.shape)` makes room for the gradient, and `np.ndindex(x.shape)` goes through all indices of an "
        "array with any number of axes.",
        "Start with `x = x.copy()`, so that the caller's array stays as it is. Then `for index in "
        "np.ndindex(x.shape):` and the seven lines of the exercise before.",
    ),
    objective="Measure the gradient of an array with a loop that restores what it moves",
    difficulty=2,
    minutes=6,
)

_REPAIR = Exercise(
    id="03.repair_gradient",
    title="Repair: a gradient of whole numbers",
    points=3,
    function="gradient_of_counts",
    inputs=("f", "x", "h"),
    returns=("gradient",),
    draw=_on_whole_numbers,
    kind=Fix(
        planted=("whole_number_steps", "never_restored", "whole_number_slopes"),
        code='''def gradient_of_counts(f, x, h):
    """The gradient of f at x, an array of whole numbers, by forward differences with step h."""
    gradient = np.zeros_like(x)
    here = f(x)
    for index in np.ndindex(x.shape):
        x[index] = x[index] + h
        gradient[index] = (f(x) - here) / h
    return gradient''',
    ),
    steps=(
        Step(
            "point",
            lambda x: x.astype(float),
            mistakes={
                "whole_number_steps": (
                    lambda x: x,
                    "An array of whole numbers keeps only whole numbers: what is put into an entry loses its fraction, "
                    "so the step is lost, or becomes a whole 1. Before the loop, the array has to become one of "
                    "floats.",
                ),
            },
        ),
        Step(
            "slopes",
            lambda f, point, h: _stepping(f, point, h),
            mistakes={
                "never_restored": (lambda f, point, h: _stepping(f, point, h, restore=False), _NEVER_RESTORED),
                "compared_with_the_last_point": (
                    lambda f, point, h: _stepping(f, point, h, restore=False, again=True),
                    "An entry stays moved after its turn, and f is evaluated anew before each step. So every slope is "
                    "measured at a point that has wandered away from x.",
                ),
                "perturbed_a_copy": (lambda point: np.zeros(point.shape), _NO_MOVE),
                "stepped_back": (
                    lambda f, point, h: -_stepping(f, point, -h),
                    "The entries are moved down, and the sign is turned round. A forward difference goes up by h.",
                ),
                "everything_moved": (
                    lambda f, point, h: np.full(point.shape, _forward(f, point, h)),
                    "All entries are moved at once, so every entry gets the same number. Move one at a time.",
                ),
            },
        ),
        Step(
            "gradient",
            lambda slopes: slopes,
            mistakes={
                "whole_number_slopes": (
                    lambda slopes, x: _as_type_of(slopes, x),
                    "The slopes lost their fractions: np.zeros_like(x) is an array of whole numbers if x is one. Make "
                    "room for floats.",
                ),
                "rounded_slopes": (
                    lambda slopes: np.round(slopes),
                    "The slopes are rounded to whole numbers. The entries of x are whole numbers; the slopes are not.",
                ),
                "divided_by_two_steps": (lambda slopes: slopes / 2, _HALF),
                "rises_not_divided": (lambda slopes, h: slopes * h, _NOT_DIVIDED),
                "rises_reversed": (lambda slopes: -slopes, _REVERSED),
                "flattened": (
                    lambda slopes: slopes.ravel(),
                    "The slopes come in one long row. A gradient has the shape of what it belongs to.",
                ),
            },
        ),
    ),
    hints=(
        "There are three slips. Call the function with `x = np.array([[2, -3]])` and print x after every line of the "
        "loop.",
        "An array of whole numbers cannot hold a fraction, and that goes for two arrays here. And an entry that has "
        "been moved has to be put back.",
        "Begin with `x = x.astype(float)`, make room with `np.zeros(x.shape)`, and keep `old = x[index]` to put it "
        "back.",
    ),
    objective="Find what goes wrong with whole numbers and without restoring",
    difficulty=2,
    minutes=5,
)

_RELATIVE_ERROR = Exercise(
    id="03.relative_error",
    title="A relative error that survives zeros",
    points=2,
    function="relative_errors",
    inputs=("a", "b", "floor"),
    returns=("errors",),
    draw=_two_gradients,
    steps=(
        Step(
            "difference",
            lambda a, b: np.abs(a - b),
            mistakes={
                "signed_difference": (lambda a, b: a - b, _SIGNED),
                "difference_of_sizes": (
                    lambda a, b: np.abs(np.abs(a) - np.abs(b)),
                    "The signs are dropped before the numbers are compared, so a gradient with the wrong sign passes.",
                ),
                "squared_difference": (
                    lambda a, b: (a - b) ** 2,
                    "The difference is squared, which makes small errors look far smaller than they are.",
                ),
                "numbers_added": (
                    lambda a, b: np.abs(a + b),
                    "The two are added. Numbers that agree would get the largest error of all.",
                ),
            },
        ),
        Step(
            "size",
            lambda a, b, floor: np.maximum(np.maximum(np.abs(a), np.abs(b)), floor),
            mistakes={
                "no_floor": (lambda a, b: np.maximum(np.abs(a), np.abs(b)), _NO_FLOOR),
                "size_of_a_only": (
                    lambda a, floor: np.maximum(np.abs(a), floor),
                    "The difference is related to a alone. Where a is 0 and b is not, the error becomes enormous; with "
                    "the larger of the two it stays below 2.",
                ),
                "size_of_b_only": (
                    lambda b, floor: np.maximum(np.abs(b), floor),
                    "The difference is related to b alone. Where b is the smaller one, the error becomes enormous; "
                    "with the larger of the two it stays below 2.",
                ),
                "sum_of_sizes": (lambda a, b, floor: np.maximum(np.abs(a) + np.abs(b), floor), _SUM_OF_SIZES),
                "everything_added": (lambda a, b, floor: np.abs(a) + np.abs(b) + floor, _SUM_OF_SIZES),
                "signs_kept_in_size": (
                    lambda a, b, floor: np.maximum(np.maximum(a, b), floor),
                    "The larger number was taken, not the larger size: of −3 and −2 that is −2, and of two negative "
                    "numbers and a floor it is the floor.",
                ),
                "smaller_size": (
                    lambda a, b, floor: np.maximum(np.minimum(np.abs(a), np.abs(b)), floor),
                    "The difference is related to the smaller of the two. If one is 0 and the other is not, that is as "
                    "good as no relation at all.",
                ),
                "floor_added": (
                    lambda a, b, floor: np.maximum(np.abs(a), np.abs(b)) + floor,
                    "The floor was added to every size. It replaces sizes that are below it, and leaves all others "
                    "alone.",
                ),
                "one_size_for_all": (
                    lambda a, b, floor: max(np.max(np.abs(a)), np.max(np.abs(b)), floor),
                    "All entries are related to the largest of all. Then a small entry may be quite wrong without "
                    "showing it; relate each to its own size.",
                ),
            },
        ),
        Step(
            "errors",
            lambda difference, size: difference / size,
            mistakes={
                "absolute_errors": (lambda difference: difference, _ABSOLUTE),
                "largest_only": (
                    lambda difference, size: np.max(difference / size),
                    "One number came back, the largest error. Here every entry gets its own: you want to see where "
                    "the worst one is.",
                ),
                "mean_only": (
                    lambda difference, size: np.mean(difference / size),
                    "One number came back, the mean of the errors. A single wrong entry among many right ones hardly "
                    "shows in a mean; every entry gets its own error.",
                ),
                "upside_down": (
                    lambda difference, size: size / difference,
                    "The fraction stands upside down: the difference belongs above, the size below.",
                ),
                "norms_compared": (
                    lambda a, b, floor: (
                        np.sqrt(np.sum((a - b) ** 2)) / max(np.sqrt(np.sum(a**2)), np.sqrt(np.sum(b**2)), floor)
                    ),
                    _NORMS,
                ),
                "in_per_cent": (
                    lambda difference, size: 100 * difference / size,
                    "These are per cents. The relative error is the plain fraction, between 0 and 2.",
                ),
            },
        ),
    ),
    hints=(
        "What should the error be if a is 0 and b is 0? And if a is 0 and b is 1?",
        "|a − b| / max(|a|, |b|, floor), entry by entry. NumPy's `np.maximum` compares two arrays, or an array and a "
        "number, entry by entry.",
        "`size = np.maximum(np.maximum(np.abs(a), np.abs(b)), floor)`; then `np.abs(a - b) / size`.",
    ),
    objective="Compare two gradients entry by entry without dividing by zero",
    difficulty=2,
    minutes=4,
)

_DIRECTIONAL_CHECK = Exercise(
    id="03.directional_check",
    title="One direction instead of all entries",
    points=3,
    function="directional_check",
    inputs=("f", "gradient", "x", "v", "h"),
    returns=("predicted", "measured", "error"),
    draw=_along_a_direction,
    steps=(
        Step(
            "predicted",
            lambda gradient, v: np.sum(gradient * v),
            mistakes={
                "products_not_summed": (
                    lambda gradient, v: gradient * v,
                    "For the predicted slope, the products are there, one for each entry. Small changes add up: it is "
                    "one number.",
                ),
                "matrix_product": (
                    lambda gradient, v: gradient @ v,
                    "For the predicted slope, @ multiplies matrices, rows by columns. Each entry's slope belongs to "
                    "its own entry of v.",
                ),
                "direction_left_out": (
                    lambda gradient: np.sum(gradient),
                    "For the predicted slope, the slopes are added as if every entry moved by 1. Entry by entry they "
                    "move as far as v says.",
                ),
                "mean_of_products": (
                    lambda gradient, v: np.mean(gradient * v),
                    "For the predicted slope, a mean was taken. Changes add up: it is a sum.",
                ),
                "predicted_times_step": (
                    lambda gradient, v, h: h * np.sum(gradient * v),
                    "For the predicted slope, this is the change of f over a step. The slope is the change for each "
                    "unit of h.",
                ),
            },
        ),
        Step(
            "measured",
            lambda f, x, v, h: (f(x + h * v) - f(x - h * v)) / (2 * h),
            mistakes={
                "measured_over_one_step": (
                    lambda f, x, v, h: (f(x + h * v) - f(x - h * v)) / h,
                    "For the measured slope: " + _TWICE[0].lower() + _TWICE[1:],
                ),
                "measured_forward": (
                    lambda f, x, v, h: (f(x + h * v) - f(x)) / h,
                    "The measured slope is a forward difference. With a point on each side the error is far smaller.",
                ),
                "measured_half": (
                    lambda f, x, v, h: (f(x + h * v) - f(x)) / (2 * h),
                    "The measured slope is half of what it should be: its two points are one step apart, and it is "
                    "divided by two.",
                ),
                "measured_reversed": (
                    lambda f, x, v, h: (f(x - h * v) - f(x + h * v)) / (2 * h),
                    "The measured slope has the wrong sign: the value ahead comes first.",
                ),
                "all_entries_by_h": (
                    lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h),
                    "For the measured slope, every entry moves by h. In the direction v, each moves by h times its "
                    "entry of v.",
                ),
                "direction_normalised": (
                    lambda f, x, v, h: (
                        (f(x + h * v / np.sqrt(np.sum(v**2))) - f(x - h * v / np.sqrt(np.sum(v**2)))) / (2 * h)
                    ),
                    "For the measured slope, v was brought to length 1, and the predicted slope takes it as it is. "
                    "Here both use v itself.",
                ),
                "measured_not_divided": (
                    lambda f, x, v, h: f(x + h * v) - f(x - h * v),
                    "The measured slope is still to be divided: this is how much f changes between the two points.",
                ),
            },
        ),
        Step(
            "error",
            lambda predicted, measured: np.abs(predicted - measured) / np.maximum(np.abs(predicted), np.abs(measured)),
            mistakes={
                "absolute_error": (lambda predicted, measured: np.abs(predicted - measured), _ABSOLUTE),
                "signed_error": (
                    lambda predicted, measured: (
                        (predicted - measured) / np.maximum(np.abs(predicted), np.abs(measured))
                    ),
                    _SIGNED,
                ),
                "related_to_measured": (
                    lambda predicted, measured: np.abs(predicted - measured) / np.abs(measured),
                    "The difference is related to the measured slope alone. Take the larger of the two sizes.",
                ),
                "related_to_predicted": (
                    lambda predicted, measured: np.abs(predicted - measured) / np.abs(predicted),
                    "The difference is related to the predicted slope alone. Take the larger of the two sizes.",
                ),
                "related_to_sum": (
                    lambda predicted, measured: np.abs(predicted - measured) / (np.abs(predicted) + np.abs(measured)),
                    _SUM_OF_SIZES,
                ),
            },
        ),
    ),
    hints=(
        "If every entry of x moves by h times its entry of v, by how much should f change, as the gradient has it?",
        "The predicted slope is Σ gradient · v over all entries; the measured one is the central difference of f along "
        "x + h v. The error is relative to the larger of their sizes.",
        "`predicted = np.sum(gradient * v)` and `measured = (f(x + h * v) - f(x - h * v)) / (2 * h)`.",
    ),
    objective="Check a gradient of any size with two values of the loss",
    difficulty=2,
    minutes=5,
)

_SYMPTOMS = prediction(
    "03.symptoms",
    title="Predict: what is behind a check like this?",
    points=2,
    function="symptoms",
    questions=(
        Question(
            "handful",
            "A network with 1,000 ReLU units. With h = 1e-3 a handful of entries have relative errors around 0.3, all "
            "others are below 1e-6. With h = 1e-6 every entry is below 1e-6. What happened at h = 1e-3?",
            options={
                "a": "The gradient of these entries is wrong.",
                "b": "A kink of some ReLU lies between the two points of these differences.",
                "c": "Round-off: the step was too small.",
                "d": "Entries were not restored after their turn.",
            },
            right="b",
            wrong={
                "a": (
                    "blamed_the_gradient",
                    "handful: a wrong entry stays wrong with every step. Here a smaller step cures it, so it is the "
                    "measurement that was wrong.",
                ),
                "c": (
                    "blamed_round_off",
                    "handful: round-off grows when the step shrinks. Here the smaller step is the better one.",
                ),
                "d": (
                    "blamed_restoring",
                    "handful: an entry that is not restored disturbs all entries after it, not a handful.",
                ),
            },
        ),
        Question(
            "everywhere",
            "The network computes in float32, and the check takes its central differences there, with h = 1e-5. Every "
            "entry errs, by a few per cent up to half, each by another amount. What is behind it?",
            options={
                "a": "The loss is rounded to about seven digits, and the difference of two losses has few left.",
                "b": "The truncation error of the central difference.",
                "c": "A factor is missing in the gradient.",
                "d": "A kink lies between the two points.",
            },
            right="a",
            wrong={
                "b": (
                    "blamed_truncation",
                    "everywhere: truncation goes with h², which is 1e-10 here. It could not be seen.",
                ),
                "c": (
                    "blamed_a_factor",
                    "everywhere: a missing factor would make every entry wrong by the same ratio.",
                ),
                "d": (
                    "blamed_a_kink",
                    "everywhere: a step of 1e-5 crosses a kink now and then, not in every entry.",
                ),
            },
        ),
        Question(
            "ones",
            "All relative errors are exactly 1, and the numerical gradient is 0 everywhere. What is behind it?",
            options={
                "a": "The analytic gradient has the wrong sign.",
                "b": "The analytic gradient is twice too large.",
                "c": "The step is taken in a copy, or in an array of whole numbers: the loss never moves.",
                "d": "The tolerance is too strict.",
            },
            right="c",
            wrong={
                "a": (
                    "blamed_the_sign",
                    "ones: with the wrong sign the two numbers are opposite, and the relative error is 2. And the "
                    "numerical gradient would not be 0.",
                ),
                "b": (
                    "blamed_a_doubling",
                    "ones: a number beside its double has the relative error 0.5. It is 1 where one of the two is 0.",
                ),
                "d": (
                    "blamed_the_tolerance",
                    "ones: a tolerance decides what counts as agreement. An error of 1 is no agreement under any.",
                ),
            },
        ),
        Question(
            "passes",
            "The loss is a mean over n samples, and the gradient lacks its 1/n. Yet the check passes, with errors of "
            "1e-10. How can that be?",
            options={
                "a": "The tolerance is too generous.",
                "b": "The step is so small that nothing can be seen.",
                "c": "Central differences cannot see constant factors.",
                "d": "It was tried on a batch with a single sample.",
            },
            right="d",
            wrong={
                "a": (
                    "blamed_a_loose_tolerance",
                    "passes: an error of 1e-10 would pass under the strictest tolerance. The numbers really agree at "
                    "this point.",
                ),
                "b": (
                    "blamed_a_tiny_step",
                    "passes: with too small a step round-off makes right gradients look wrong. It does not make wrong "
                    "ones agree to ten digits.",
                ),
                "c": (
                    "blamed_the_method",
                    "passes: a difference measures the loss as it is, with every factor. A missing 1/n shows wherever "
                    "n is not 1.",
                ),
            },
        ),
    ),
    hints=(
        "Ask of each: does the number change when h changes? Are all entries wrong, or a few? By the same factor?",
        "Round-off grows when h shrinks, truncation and kinks fade. A relative error of 1 means that one of the two "
        "numbers is 0. And a point can hide a mistake.",
        "With one sample, a mean and a sum are the same. In float32 a loss has seven digits, and dividing by 1e-5 "
        "costs five of them.",
    ),
    objective="Tell why a check fails or passes from what it shows",
    difficulty=2,
    minutes=3,
)

_GRADIENT_CHECK = Exercise(
    id="03.gradient_check",
    title="Blank page: a gradient check",
    points=5,
    function="check_gradient",
    inputs=("f", "x", "gradient", "h", "floor", "tolerance"),
    returns=("numerical", "worst", "passed"),
    draw=_to_be_checked,
    steps=(
        Step(
            "numerical",
            lambda f, x, h: _slopes(f, _both_sides(x, h), x, 2 * h),
            mistakes={
                "divided_by_one_step": (lambda f, x, h: _slopes(f, _both_sides(x, h), x, h), _TWICE),
                "forward_differences": (lambda f, x, h: _forward_slopes(f, x, h), _FORWARD),
                "never_restored": (
                    lambda f, x, h: _slopes(f, _never_restored(x, h, -h), x, 2 * h),
                    _NEVER_RESTORED,
                ),
                "perturbed_a_copy": (lambda x: np.zeros(x.shape), _NO_MOVE),
                "step_of_the_library": (lambda f, x: numerical_gradient(f, x), _OWN_STEP),
                "sides_reversed": (lambda f, x, h: _slopes(f, _both_sides(x, h), x, -2 * h), _REVERSED),
            },
        ),
        Step(
            "errors",
            lambda numerical, gradient, floor: (
                np.abs(gradient - numerical) / np.maximum(np.maximum(np.abs(gradient), np.abs(numerical)), floor)
            ),
            mistakes={
                "absolute_errors": (lambda numerical, gradient: np.abs(gradient - numerical), _ABSOLUTE),
                "signed_errors": (
                    lambda numerical, gradient, floor: (
                        (gradient - numerical) / np.maximum(np.maximum(np.abs(gradient), np.abs(numerical)), floor)
                    ),
                    _SIGNED,
                ),
                "no_floor": (
                    lambda numerical, gradient: (
                        np.abs(gradient - numerical) / np.maximum(np.abs(gradient), np.abs(numerical))
                    ),
                    _NO_FLOOR,
                ),
                "related_to_numerical": (
                    lambda numerical, gradient, floor: (
                        np.abs(gradient - numerical) / np.maximum(np.abs(numerical), floor)
                    ),
                    "The difference is related to the numerical gradient alone. Take the larger of the two sizes, or "
                    "the floor where that is larger still.",
                ),
                "related_to_gradient": (
                    lambda numerical, gradient, floor: (
                        np.abs(gradient - numerical) / np.maximum(np.abs(gradient), floor)
                    ),
                    "The difference is related to the given gradient alone. Take the larger of the two sizes, or the "
                    "floor where that is larger still.",
                ),
                "sum_of_sizes": (
                    lambda numerical, gradient, floor: (
                        np.abs(gradient - numerical) / np.maximum(np.abs(gradient) + np.abs(numerical), floor)
                    ),
                    _SUM_OF_SIZES,
                ),
            },
        ),
        Step(
            "worst",
            lambda errors: np.max(errors),
            mistakes={
                "mean_error": (
                    lambda errors: np.mean(errors),
                    "This is the mean of the errors. One wrong entry among many right ones disappears in a mean.",
                ),
                "smallest_error": (
                    lambda errors: np.min(errors),
                    "This is the smallest error. That some entry is right says nothing about the others.",
                ),
                "last_error": (
                    lambda errors: errors.ravel()[-1],
                    "This is the error of the last entry: in every turn of the loop it replaces the one before.",
                ),
                "sum_of_errors": (
                    lambda errors: np.sum(errors),
                    "The errors are added up. A large gradient would fail for having many entries.",
                ),
                "norms_compared": (
                    lambda numerical, gradient, floor: (
                        np.sqrt(np.sum((gradient - numerical) ** 2))
                        / max(np.sqrt(np.sum(gradient**2)), np.sqrt(np.sum(numerical**2)), floor)
                    ),
                    _NORMS,
                ),
                "all_errors": (
                    lambda errors: errors,
                    "This is the error of every entry. Asked for is the largest of them, one number.",
                ),
            },
        ),
        Step(
            "passed",
            lambda worst, tolerance: np.asarray(np.all(worst <= tolerance), dtype=float),
            mistakes={
                "verdict_turned_round": (
                    lambda worst, tolerance: np.asarray(worst > tolerance, dtype=float),
                    "The verdict is turned round: it is true where the worst error is above the tolerance.",
                ),
                "compared_with_floor": (
                    lambda worst, floor: np.asarray(worst <= floor, dtype=float),
                    "The worst error is compared with the floor. The floor is a size of gradients; what an error may "
                    "be is the tolerance.",
                ),
                "one_entry_is_enough": (
                    lambda errors, tolerance: np.asarray(np.any(errors <= tolerance), dtype=float),
                    "It passes as soon as one entry is within the tolerance. All of them have to be.",
                ),
            },
        ),
    ),
    hints=(
        "It is three things you have written already, one after the other. What does each of them hand to the next?",
        "The numerical gradient by central differences; the relative error of every entry, with the floor; the largest "
        "of them, and whether it is at most the tolerance.",
        "`numerical = array_gradient(f, x, h)`, `worst = relative_errors(gradient, numerical, floor).max()`, `passed = "
        "worst <= tolerance`.",
    ),
    objective="Write a gradient check that can be trusted",
    difficulty=3,
    minutes=9,
)

EXERCISES = [
    _FORWARD_DIFFERENCE,
    _TAYLOR_LINES,
    _CENTRAL_DIFFERENCE,
    _RICHARDSON,
    _COMPLEX_STEP,
    _BEST_STEP_LINES,
    _STEP_PREDICTION,
    _ORDER_LOOP,
    _ARRAY_GRADIENT,
    _REPAIR,
    _RELATIVE_ERROR,
    _DIRECTIONAL_CHECK,
    _SYMPTOMS,
    _GRADIENT_CHECK,
]
