"""Lesson 07: automatic differentiation in forward mode (dual numbers) and in reverse mode (a tape).

Dual numbers follow Clifford (1873); forward and reverse mode Griewank and Walther, Evaluating Derivatives (2nd edition,
2008, doi 10.1137/1.9780898717761), and Baydin, Pearlmutter, Radul and Siskind (JMLR 18, 2018). In this module a tangent
is written da, and the gradient that belongs to a value x is x.gradient, or dx.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.exercises.drawing import Draw
from autograder.exercises.formulas import Environment
from autograder.exercises.kind import NotAnAnswer
from autograder.exercises.kinds import (
    Class,
    Derivation,
    Fix,
    Line,
    Method,
    Question,
    cos,
    fields,
    order,
    prediction,
    sin,
)
from autograder.exercises.kinds.classes import Missing
from autograder.exercises.model import Exercise, Step

WITHHELD = ()
"""The lesson's cells call ``grad``, ``jvp`` and ``computation_graph``, which cannot work without dual numbers, the tape
and the table of rules that exercises ask for. The libraries that are withheld everywhere are withheld here too."""

# --- 1: dual numbers on paper -----------------------------------------------------------------------------------------


def _points(draw: Draw) -> Environment:
    exponents = draw.rng.choice([-3, -2, 3, 4, 5], 12).astype(float)
    return {name: draw.nonzero(12) for name in ("a", "da", "b", "db")} | {"n": exponents}


_DUAL_LINES = Exercise(
    id="07.dual_lines",
    title="Arithmetic with ε² = 0",
    points=3,
    function="dual_lines",
    inputs=("a", "da", "b", "db", "n"),
    returns=("product", "reciprocal", "quotient", "power", "sine"),
    draw=_points,
    kind=Derivation(
        uses={
            "product": ("a", "da", "b", "db"),
            "reciprocal": ("b", "db"),
            "quotient": ("a", "da", "b", "db"),
            "power": ("a", "da", "n"),
            "sine": ("a", "da"),
        }
    ),
    steps=(
        Step(
            "product",
            lambda a, da, b, db: da * b + a * db,
            mistakes={
                "product_moves_only_a": (
                    lambda da, b: da * b,
                    "Only the term in which the first factor moves is there. Multiply the brackets out: two of the "
                    "four terms carry exactly one ε.",
                ),
                "product_moves_only_b": (
                    lambda a, db: a * db,
                    "Only the term in which the second factor moves is there. Multiply the brackets out: two of the "
                    "four terms carry exactly one ε.",
                ),
                "product_of_tangents": (
                    lambda da, db: da * db,
                    "The product of the tangents comes with ε², and ε² is 0. What stands beside a single ε?",
                ),
                "epsilon_squared_kept": (
                    lambda a, da, b, db: da * b + a * db + da * db,
                    "The last term belongs to ε², which is 0: it drops out.",
                ),
                "tangents_added": (
                    lambda da, db: da + db,
                    "That is the tangent of a sum. In a product each tangent is multiplied by the other factor's "
                    "value.",
                ),
                "tangent_times_own_value": (
                    lambda a, da, b, db: a * da + b * db,
                    "Each tangent stands beside its own value. When the first factor moves, what it is multiplied by "
                    "is the value of the other.",
                ),
            },
        ),
        Step(
            "reciprocal",
            lambda b, db: -db / b**2,
            mistakes={
                "reciprocal_sign_lost": (
                    lambda b, db: db / b**2,
                    "A sign is lost: if b grows, 1/b becomes smaller.",
                ),
                "reciprocal_tangent_lost": (
                    lambda b: -1 / b**2,
                    "That is the derivative of 1/b. It still has to be multiplied by how much b moves, its tangent.",
                ),
                "reciprocal_of_tangent": (
                    lambda db: 1 / db,
                    "The reciprocal of the tangent is not the tangent of the reciprocal. Multiply numerator and "
                    "denominator of 1 / (b + db ε) by b - db ε, and see what becomes of the denominator.",
                ),
                "reciprocal_not_squared": (
                    lambda b, db: -db / b,
                    "The denominator of the derivative of 1/b is b squared.",
                ),
            },
        ),
        Step(
            "quotient",
            lambda a, da, b, db: (da - a / b * db) / b,
            mistakes={
                "quotient_sign": (
                    lambda a, da, b, db: (da * b + a * db) / b**2,
                    "The two terms are added. The larger the denominator, the smaller the quotient: its term comes "
                    "with a minus.",
                ),
                "quotient_exchanged": (
                    lambda a, da, b, db: (a * db - da * b) / b**2,
                    "The two terms have changed places. With b at rest, the quotient moves the way its numerator "
                    "moves.",
                ),
                "quotient_not_squared": (
                    lambda a, da, b, db: (da * b - a * db) / b,
                    "The numerator is right, and it is divided by b where b squared belongs.",
                ),
                "quotient_of_tangents": (
                    lambda da, db: da / db,
                    "The quotient of the tangents is not the tangent of the quotient. A quotient is a product with a "
                    "reciprocal: you have both lines already.",
                ),
                "quotient_moves_only_a": (
                    lambda da, b: da / b,
                    "The denominator moves too. Its term is missing.",
                ),
            },
        ),
        Step(
            "power",
            lambda a, da, n: n * a ** (n - 1) * da,
            mistakes={
                "power_tangent_lost": (
                    lambda a, n: n * a ** (n - 1),
                    "That is the derivative of the power. The chain rule has one more factor: how much a itself moves.",
                ),
                "power_exponent_kept": (
                    lambda a, da, n: n * a**n * da,
                    "The exponent comes down as a factor, and then there is one factor a less.",
                ),
                "power_factor_lost": (
                    lambda a, da, n: a ** (n - 1) * da,
                    "The exponent went down by one. It also comes down as a factor: of n equal factors, each moves "
                    "once.",
                ),
                "power_of_tangent": (
                    lambda da, n: da**n,
                    "Raising the tangent to a power gives terms with ε squared and higher, which are 0.",
                ),
            },
        ),
        Step(
            "sine",
            lambda a, da: cos(a) * da,
            mistakes={
                "sine_tangent_lost": (
                    lambda a: cos(a),
                    "That is the derivative of the sine at a. Multiply it by how much a moves.",
                ),
                "sine_of_tangent": (
                    lambda da: sin(da),
                    "A tangent never goes into the function itself. It is multiplied by the function's slope at the "
                    "value.",
                ),
                "slope_at_tangent": (
                    lambda da: cos(da) * da,
                    "The slope is evaluated at the tangent. The function sits at the value a, and its slope there "
                    "counts.",
                ),
                "sine_sign": (lambda a, da: -cos(a) * da, "The derivative of the sine comes without a minus."),
            },
        ),
    ),
    hints=(
        "Calculate with ε as with any letter, then strike out every term with ε². What is left beside ε is the line.",
        "Multiply out (a + da ε)(b + db ε). For 1/(b + db ε), multiply above and below by b - db ε. For a function f: "
        "f(a + da ε) = f(a) + f′(a) da ε.",
        "`product = da * b + a * db`, `reciprocal = -db / b**2`; the quotient is the product of a + da ε and that "
        "reciprocal. `power` is `n * a**(n - 1)` times the tangent of a, and `sine` is `sympy.cos(a)` times it.",
    ),
    objective="Derive the rules of dual numbers from ε² = 0",
    difficulty=1,
    minutes=6,
)

# --- 2: seeds ---------------------------------------------------------------------------------------------------------

_SEEDS = prediction(
    "07.seeds",
    title="What a seed does",
    points=2,
    function="seed_predictions",
    questions=(
        Question(
            "seed_two",
            "`x = Dual(3, 2)`. What is the tangent of `x * x`?",
            right=12,
            wrong={
                6: (
                    "seed_ignored",
                    "That is the derivative at 3. The tangent says how far x * x moves when x moves by 2.",
                ),
                4: ("seeds_multiplied", "The product of the tangents belongs to ε², which is 0."),
                9: ("value_taken", "That is the value of x * x, not its tangent."),
            },
            tolerance=0.01,
        ),
        Question(
            "both_seeded",
            "`x1 = Dual(3, 1)` and `x2 = Dual(5, 1)`. What is the tangent of `x1 * x2`?",
            right=8,
            wrong={
                5: ("only_x1_moves", "Both inputs move: their tangents are both 1. You let only x1 move."),
                3: ("only_x2_moves", "Both inputs move: their tangents are both 1. You let only x2 move."),
                1: ("tangents_multiplied", "The product of the tangents belongs to ε², which is 0."),
            },
            tolerance=0.01,
        ),
        Question(
            "direction",
            "The gradient of f at some point is (2, -1). The inputs get the tangents 3 and 4. What is the tangent of "
            "f?",
            right=2,
            wrong={
                1: (
                    "direction_ignored",
                    "The slopes were added as if both inputs moved by 1. They move by 3 and by 4.",
                ),
                10: ("minus_lost", "The second slope is negative: moving the second input lowers f."),
                7: (
                    "gradient_ignored",
                    "The tangents were added. Each is to be multiplied by the slope along its input.",
                ),
            },
            tolerance=0.01,
        ),
        Question(
            "constant",
            "In `5 * x` the 5 is a constant. As which dual number does it enter the product?",
            right="a",
            wrong={
                "b": (
                    "constant_moves",
                    "A tangent of 1 says that the constant moves along with x. A constant does not.",
                ),
                "c": (
                    "parts_exchanged",
                    "The first part is the value, the second the tangent: this is a 0 that moves by 5.",
                ),
            },
            options={"a": "`Dual(5, 0)`", "b": "`Dual(5, 1)`", "c": "`Dual(0, 5)`"},
        ),
    ),
    hints=(
        "The tangent of a result is how far it moves when every input moves by its own tangent.",
        "Product rule: the tangent of x1 * x2 is the tangent of x1 times x2, plus x1 times the tangent of x2.",
        "Two times 3 plus 3 times 2; then 1 times 5 plus 3 times 1; then 2 times 3 plus -1 times 4. A constant has the "
        "tangent 0.",
    ),
    objective="Say what forward mode computes for a given seed",
    difficulty=1,
    minutes=2,
)

# --- 3: the class of dual numbers -------------------------------------------------------------------------------------


class _Lifts:
    """Plain numbers among dual ones: constants."""

    def lift(self, other: Any) -> Any:
        return other if isinstance(other, type(self)) else type(self)(other, 0.0)  # type: ignore[call-arg]


class _LiftsWithTangentOne:
    def lift(self, other: Any) -> Any:
        return other if isinstance(other, type(self)) else type(self)(other, 1.0)  # type: ignore[call-arg]


class _LiftsNothing:
    def lift(self, other: Any) -> Any:
        return other


class _DualParts:
    """What learners are given: the two parts."""

    def __init__(self, value: float, tangent: float = 0.0) -> None:
        self.value = value
        self.tangent = tangent


Arithmetic = Callable[..., float]


def _dual(method: str, value: Arithmetic, tangent: Arithmetic, reflected: bool = False) -> type:
    """A class with one operator of two dual numbers a + da ε and b + db ε; if reflected, b is the object itself."""

    def operator(self: Any, other: Any) -> Any:
        first, second = (self.lift(other), self) if reflected else (self, self.lift(other))
        a, da, b, db = first.value, first.tangent, second.value, second.tangent
        return type(self)(value(a, b), tangent(a, da, b, db))

    return type(method, (), {method: operator})


def _dual_function(method: str, value: Arithmetic, tangent: Arithmetic) -> type:
    """A class with one function of a dual number a + da ε."""

    def function(self: Any, *others: Any) -> Any:
        return type(self)(value(self.value, *others), tangent(self.value, self.tangent, *others))

    return type(method, (), {method: function})


def _method(name: str, operator: Callable[..., Any]) -> type:
    """A class with one method."""
    return type(name, (), {name: operator})


# Reflected operators as they are mostly written: with the other operators, on whose mistakes they then rest.
_REFLECTED_SUM = _method("__radd__", lambda self, other: self + other)
_REFLECTED_DIFFERENCE = _method("__rsub__", lambda self, other: self.lift(other) - self)
_REFLECTED_PRODUCT = _method("__rmul__", lambda self, other: self * other)
_REFLECTED_QUOTIENT = _method("__rtruediv__", lambda self, other: self.lift(other) / self)


def _add(a: float, b: float) -> float:
    return a + b


def _subtract(a: float, b: float) -> float:
    return a - b


def _multiply(a: float, b: float) -> float:
    return a * b


def _divide(a: float, b: float) -> float:
    return a / b


def _parts(*duals: Any) -> tuple[Any, ...]:
    """Values and tangents, for a probe."""
    return tuple(part for dual in duals for part in fields(dual, "value", "tangent"))


def _of_duals(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A probe of an operation of two dual numbers, which leaves both as they are."""

    def probe(Dual: Any, a: Any, da: Any, b: Any, db: Any) -> Any:
        x, y = Dual(a, da), Dual(b, db)
        result = _parts(operation(x, y))
        if not np.allclose(np.ravel(_parts(x, y)), (a, da, b, db)):
            raise NotAnAnswer("changes x or y, where a new Dual is expected and the old ones stay as they are")
        return result

    return probe


def _dual_numbers(draw: Draw) -> Environment:
    numbers = {name: draw.number(0.5, 1.6) for name in ("a", "da", "b", "db", "c")}
    return numbers | {"n": _exponent(draw)}


def _exponent(draw: Draw) -> int:
    """A whole exponent: in two of four cases a negative one."""
    return int(draw.rng.choice([3, 4] if draw.number(1, 2) > 0 else [-3, -2]))


def _missing(written: str, method: str) -> str:
    return (
        f"Python tries `{written}` with the number first; a number knows nothing of dual numbers, so Python asks the "
        f"other side for `{method}`. Your class has none."
    )


_DUAL_CLASS = Exercise(
    id="07.dual_class",
    title="A class of dual numbers: forward mode",
    points=6,
    function="Dual",
    inputs=("a", "da", "b", "db", "c", "n"),
    returns=(
        "numbers",
        "add",
        "radd",
        "sub",
        "rsub",
        "neg",
        "mul",
        "rmul",
        "div",
        "rdiv",
        "power",
        "sin",
        "exp",
    ),
    draw=_dual_numbers,
    kind=Class(base=_DualParts, made="Dual(value, tangent)"),
    steps=(
        Method(
            "numbers",
            _Lifts,
            probe=lambda Dual, a, da, c: _parts(Dual(a, da) + c, Dual(a, da) * c),
            shown="x + 3, x * 3",
            mistakes={
                "constants_move": (
                    _LiftsWithTangentOne,
                    "A plain number was given the tangent 1, as if it moved along with x. A constant's tangent is 0.",
                ),
                "numbers_not_taken": (
                    _LiftsNothing,
                    "`x + 3` has a plain number on the right, which has neither a value nor a tangent. Turn it into a "
                    "dual number first.",
                ),
            },
        ),
        Method(
            "add",
            _dual("__add__", _add, lambda a, da, b, db: da + db),
            share=0.5,
            probe=_of_duals(lambda x, y: x + y),
            shown="x + y",
            mistakes={
                "sum_moves_only_x": (
                    _dual("__add__", _add, lambda a, da, b, db: da),
                    "The tangent of a sum is the sum of the tangents: y may move as well.",
                ),
                "sum_multiplies_tangents": (
                    _dual("__add__", _add, lambda a, da, b, db: da * db),
                    "In a sum the terms with ε are collected, so their tangents add up.",
                ),
            },
        ),
        Method(
            "radd",
            _REFLECTED_SUM,
            share=0.5,
            probe=lambda Dual, a, da, c: _parts(c + Dual(a, da)),
            shown="3 + x",
            mistakes={"radd_missing": (Missing, _missing("3 + x", "__radd__"))},
        ),
        Method(
            "sub",
            _dual("__sub__", _subtract, lambda a, da, b, db: da - db),
            probe=_of_duals(lambda x, y: x - y),
            shown="x - y",
            mistakes={
                "difference_adds_tangents": (
                    _dual("__sub__", _subtract, lambda a, da, b, db: da + db),
                    "The tangents were added. When y grows, x - y becomes smaller.",
                ),
                "difference_reversed": (
                    _dual("__sub__", lambda a, b: b - a, lambda a, da, b, db: db - da),
                    "This is y - x. In `__sub__`, self is what stands before the minus.",
                ),
                "difference_moves_only_x": (
                    _dual("__sub__", _subtract, lambda a, da, b, db: da),
                    "The tangent of y is missing: y may move as well.",
                ),
            },
        ),
        Method(
            "rsub",
            _REFLECTED_DIFFERENCE,
            probe=lambda Dual, a, da, c: _parts(c - Dual(a, da)),
            shown="3 - x",
            mistakes={
                "rsub_missing": (Missing, _missing("3 - x", "__rsub__")),
                "rsub_reversed": (
                    _dual("__rsub__", lambda a, b: b - a, lambda a, da, b, db: db - da, reflected=True),
                    "This is x - 3. In `__rsub__(self, other)` the object itself stands on the right: it is taken away "
                    "from other.",
                ),
                "rsub_keeps_tangent": (
                    _dual("__rsub__", _subtract, lambda a, da, b, db: da + db, reflected=True),
                    "The value is right, the tangent has the wrong sign: 3 - x falls when x grows.",
                ),
            },
        ),
        Method(
            "neg",
            _dual_function("__neg__", lambda a: -a, lambda a, da: -da),
            share=0.5,
            probe=lambda Dual, a, da: _parts(-Dual(a, da)),
            shown="-x",
            mistakes={
                "neg_missing": (Missing, "For `-x` Python looks for a method `__neg__`. Your class has none."),
                "neg_keeps_tangent": (
                    _dual_function("__neg__", lambda a: -a, lambda a, da: da),
                    "The value changed its sign, the tangent did not: -x falls when x grows.",
                ),
            },
        ),
        Method(
            "mul",
            _dual("__mul__", _multiply, lambda a, da, b, db: da * b + a * db),
            share=2,
            probe=_of_duals(lambda x, y: x * y),
            shown="x * y",
            mistakes={
                "product_without_y_moving": (
                    _dual("__mul__", _multiply, lambda a, da, b, db: da * b),
                    "The tangent of a product has two terms: x moves while y rests, and y moves while x rests. The "
                    "second is missing.",
                ),
                "product_without_x_moving": (
                    _dual("__mul__", _multiply, lambda a, da, b, db: a * db),
                    "The tangent of a product has two terms: x moves while y rests, and y moves while x rests. The "
                    "first is missing.",
                ),
                "product_multiplies_tangents": (
                    _dual("__mul__", _multiply, lambda a, da, b, db: da * db),
                    "The product of the tangents belongs to ε², which is 0. Beside a single ε stand two other terms.",
                ),
                "product_keeps_epsilon_squared": (
                    _dual("__mul__", _multiply, lambda a, da, b, db: da * b + a * db + da * db),
                    "One term too many: the one with both tangents belongs to ε², which is 0.",
                ),
                "product_adds_tangents": (
                    _dual("__mul__", _multiply, lambda a, da, b, db: da + db),
                    "That is the tangent of a sum. In a product each tangent is multiplied by the other value.",
                ),
                "product_with_own_values": (
                    _dual("__mul__", _multiply, lambda a, da, b, db: a * da + b * db),
                    "Each tangent is multiplied by its own value. What multiplies it in the product is the other one.",
                ),
                "product_subtracts": (
                    _dual("__mul__", _multiply, lambda a, da, b, db: da * b - a * db),
                    "The two terms of the product rule are added; the minus belongs to the quotient.",
                ),
            },
        ),
        Method(
            "rmul",
            _REFLECTED_PRODUCT,
            probe=lambda Dual, a, da, c: _parts(c * Dual(a, da)),
            shown="3 * x",
            mistakes={
                "rmul_missing": (Missing, _missing("3 * x", "__rmul__")),
                "rmul_keeps_tangent": (
                    _dual("__rmul__", _multiply, lambda a, da, b, db: db, reflected=True),
                    "The value was multiplied, the tangent was not: 3 x moves three times as far as x.",
                ),
            },
        ),
        Method(
            "div",
            _dual("__truediv__", _divide, lambda a, da, b, db: (da - a / b * db) / b),
            share=2,
            probe=_of_duals(lambda x, y: x / y),
            shown="x / y",
            mistakes={
                "quotient_adds": (
                    _dual("__truediv__", _divide, lambda a, da, b, db: (da * b + a * db) / b**2),
                    "The two terms are added. The larger the denominator, the smaller the quotient: its term comes "
                    "with a minus.",
                ),
                "quotient_terms_exchanged": (
                    _dual("__truediv__", _divide, lambda a, da, b, db: (a * db - da * b) / b**2),
                    "The two terms have changed places, and with them the sign.",
                ),
                "quotient_denominator_not_squared": (
                    _dual("__truediv__", _divide, lambda a, da, b, db: (da * b - a * db) / b),
                    "The numerator of the quotient rule is divided by y where y squared belongs.",
                ),
                "quotient_without_y_moving": (
                    _dual("__truediv__", _divide, lambda a, da, b, db: da / b),
                    "The denominator moves too; its term is missing.",
                ),
                "quotient_of_both_tangents": (
                    _dual("__truediv__", _divide, lambda a, da, b, db: da / db),
                    "The quotient of the tangents is not the tangent of the quotient.",
                ),
                "quotient_reversed": (
                    _dual("__truediv__", lambda a, b: b / a, lambda a, da, b, db: (db - b / a * da) / a),
                    "This is y / x. In `__truediv__`, self is the numerator.",
                ),
            },
        ),
        Method(
            "rdiv",
            _REFLECTED_QUOTIENT,
            probe=lambda Dual, a, da, c: _parts(c / Dual(a, da)),
            shown="3 / x",
            mistakes={
                "rdiv_missing": (Missing, _missing("3 / x", "__rtruediv__")),
                "rdiv_reversed": (
                    _dual("__rtruediv__", lambda a, b: b / a, lambda a, da, b, db: db / a, reflected=True),
                    "This is x / 3. In `__rtruediv__(self, other)` the object itself stands below the line.",
                ),
                "rdiv_sign_lost": (
                    _dual("__rtruediv__", _divide, lambda a, da, b, db: a * db / b**2, reflected=True),
                    "The sign of the tangent is lost: 3 / x falls when x grows.",
                ),
                "rdiv_not_squared": (
                    _dual("__rtruediv__", _divide, lambda a, da, b, db: -a * db / b, reflected=True),
                    "The slope of 3 / x has x squared in its denominator.",
                ),
            },
        ),
        Method(
            "power",
            _dual_function("__pow__", lambda a, n: a**n, lambda a, da, n: n * a ** (n - 1) * da),
            probe=lambda Dual, a, da, n: _parts(Dual(a, da) ** n),
            shown="x ** 3",
            mistakes={
                "power_without_tangent": (
                    _dual_function("__pow__", lambda a, n: a**n, lambda a, da, n: n * a ** (n - 1)),
                    "This is the slope of the power. How far the power moves also depends on how far x moves.",
                ),
                "power_keeps_exponent": (
                    _dual_function("__pow__", lambda a, n: a**n, lambda a, da, n: n * a**n * da),
                    "The exponent comes down as a factor, and one factor x less remains.",
                ),
                "power_without_factor": (
                    _dual_function("__pow__", lambda a, n: a**n, lambda a, da, n: a ** (n - 1) * da),
                    "The exponent has become smaller by one, but it has not come down as a factor.",
                ),
                "tangent_to_the_power": (
                    _dual_function("__pow__", lambda a, n: a**n, lambda a, da, n: da**n),
                    "Only the value is raised to the power. The tangent is multiplied by the slope.",
                ),
            },
        ),
        Method(
            "sin",
            _dual_function("sin", lambda a: np.sin(a), lambda a, da: np.cos(a) * da),
            probe=lambda Dual, a, da: _parts(Dual(a, da).sin()),
            shown="x.sin()",
            mistakes={
                "sin_without_tangent": (
                    _dual_function("sin", lambda a: np.sin(a), lambda a, da: np.cos(a)),
                    "This is the slope of the sine. Multiply it by how far x moves: the inner derivative.",
                ),
                "sin_of_the_tangent": (
                    _dual_function("sin", lambda a: np.sin(a), lambda a, da: np.sin(da)),
                    "The sine was applied to both parts. The tangent is multiplied by the slope of the sine at the "
                    "value.",
                ),
                "sin_slope_at_tangent": (
                    _dual_function("sin", lambda a: np.sin(a), lambda a, da: np.cos(da) * da),
                    "The slope is taken at the tangent; it is the value where the sine is evaluated.",
                ),
                "sin_slope_negative": (
                    _dual_function("sin", lambda a: np.sin(a), lambda a, da: -np.cos(a) * da),
                    "The slope of the sine is the cosine, without a minus.",
                ),
            },
        ),
        Method(
            "exp",
            _dual_function("exp", lambda a: np.exp(a), lambda a, da: np.exp(a) * da),
            probe=lambda Dual, a, da: _parts(Dual(a, da).exp()),
            shown="x.exp()",
            mistakes={
                "exp_without_tangent": (
                    _dual_function("exp", lambda a: np.exp(a), lambda a, da: np.exp(a)),
                    "This is the slope of the exponential. Multiply it by how far x moves.",
                ),
                "exp_of_the_tangent": (
                    _dual_function("exp", lambda a: np.exp(a), lambda a, da: np.exp(da)),
                    "The exponential was applied to both parts. The tangent is multiplied by the slope at the value.",
                ),
                "exp_by_the_power_rule": (
                    _dual_function("exp", lambda a: np.exp(a), lambda a, da: a * np.exp(a - 1) * da),
                    "The power rule is for x in the base. Here x is the exponent, and the exponential is its own "
                    "slope.",
                ),
            },
        ),
    ),
    hints=(
        "Every method makes a new `Dual` from two numbers: the value, as always, and the tangent, by the rule you know "
        "from exercise 1.",
        "Begin every operator with `other = self.lift(other)`, so that a plain number becomes a constant. In the "
        "methods with an r, `self` stands on the right: `__rsub__` is other - self.",
        "`__mul__` returns `Dual(self.value * other.value, self.tangent * other.value + self.value * other.tangent)`. "
        "`__radd__` and `__rmul__` can call `self + other` and `self * other`; `__rsub__` and `__rtruediv__` can lift "
        "other and put it first.",
    ),
    objective="Build forward mode as a class of dual numbers",
    difficulty=2,
    minutes=10,
)

# --- 4: what the two modes cost ---------------------------------------------------------------------------------------

_PASSES = prediction(
    "07.passes",
    title="How many passes?",
    points=2,
    function="pass_predictions",
    questions=(
        Question(
            "forward",
            "A network has 1,000 weights and one loss. How many runs with dual numbers give the whole gradient?",
            right=1000,
            wrong={
                1: ("one_forward_run", "One run has one seed, and gives the slope in that one direction."),
                2000: ("counted_as_differences", "Two runs per weight is what central differences take."),
            },
            tolerance=0.0001,
        ),
        Question(
            "reverse",
            "The same network in reverse mode. A pass is one run forwards and one backwards. How many passes?",
            right=1,
            wrong={
                1000: (
                    "one_pass_per_weight",
                    "Going back from the loss, one pass collects the gradient of every value it meets, weights "
                    "included.",
                ),
            },
            tolerance=0.0001,
        ),
        Question(
            "many_outputs",
            "A simulation has one input, the angle of a launch, and 300 outputs, the heights at 300 times. How many "
            "passes of reverse mode give all 300 derivatives?",
            right=300,
            wrong={
                1: (
                    "one_pass_for_all_outputs",
                    "A backward pass starts at one output, or at one combination of them. Another output is another "
                    "pass.",
                ),
                301: ("input_counted_too", "One pass per output is all; the number of inputs does not matter."),
            },
            tolerance=0.0001,
        ),
        Question(
            "cheaper",
            "Which mode would you take for that simulation?",
            right="a",
            wrong={
                "b": (
                    "always_reverse",
                    "Reverse mode wins where there are many inputs and few outputs. Here it is the other way round.",
                ),
                "c": (
                    "modes_cost_the_same",
                    "A run in forward mode serves one input, a pass in reverse mode one output. Count both.",
                ),
            },
            options={"a": "forward mode", "b": "reverse mode", "c": "either: they cost the same"},
        ),
    ),
    hints=(
        "In forward mode something is chosen before the run, in reverse mode before the way back. What?",
        "Forward mode: one run per input. Reverse mode: one pass per output.",
        "1,000 weights are 1,000 inputs and one loss is one output. In the simulation there are 1 input and 300 "
        "outputs.",
    ),
    objective="Choose the mode by the numbers of inputs and outputs",
    difficulty=2,
    minutes=2,
)

# --- 5: the lines of a backward pass ----------------------------------------------------------------------------------

_BACKWARD_ORDER = order(
    "07.backward_order",
    title="The backward pass of y = u sin u, with u = x w",
    points=2,
    function="backward_order",
    question="The forward pass is `u = x * w`, then `v = sin(u)`, then `y = u * v`. Put the lines of the backward "
    "pass in "
    "an order that computes `dx` and `dw`, the derivatives of y. Seven of the lines are wrong and stay out.",
    lines=(
        Line(
            "dy",
            "`dy = 1.0`",
            wrong={
                "seeded_with_the_value": (
                    "`dy = y`",
                    "The backward pass starts with the derivative of y with respect to y itself. Whatever y is, that "
                    "is "
                    "not its value.",
                ),
            },
        ),
        Line(
            "du",
            "`du = dy * v`",
            after=("dy",),
            wrong={
                "du_times_itself": (
                    "`du = dy * u`",
                    "In y = u v, the slope along u is what u is multiplied by: the other factor.",
                ),
            },
        ),
        Line(
            "dv",
            "`dv = dy * u`",
            after=("dy",),
            wrong={
                "dv_times_itself": (
                    "`dv = dy * v`",
                    "In y = u v, the slope along v is what v is multiplied by: the other factor.",
                ),
            },
        ),
        Line(
            "du_total",
            "`du = du + dv * cos(u)`",
            after=("du", "dv"),
            wrong={
                "du_overwritten": (
                    "`du = dv * cos(u)`",
                    "u reaches y along two paths, once directly and once through the sine. This line forgets the "
                    "first.",
                ),
                "slope_at_v": (
                    "`du = du + dv * cos(v)`",
                    "The sine was evaluated at u, so its slope is needed there. v is what came out of it.",
                ),
            },
        ),
        Line(
            "dx",
            "`dx = du * w`",
            after=("du_total",),
            wrong={
                "dx_times_itself": ("`dx = du * x`", "In u = x w, the slope along x is the other factor."),
            },
        ),
        Line(
            "dw",
            "`dw = du * x`",
            after=("du_total",),
            wrong={
                "dw_added": (
                    "`dw = du + x`",
                    "Along a path, derivatives are multiplied. Adding is for several paths that meet.",
                ),
            },
        ),
    ),
    misplaced={
        "dx_sent_too_early": (
            "dx",
            "du_total",
            "dx is computed from a du that is not complete: only one of the two paths from u to y has arrived.",
        ),
        "dw_sent_too_early": (
            "dw",
            "du_total",
            "dw is computed from a du that is not complete: only one of the two paths from u to y has arrived.",
        ),
    },
    hints=(
        "Begin at the end. Which line needs nothing that is computed in another?",
        "Go through the forward lines from the last to the first: y = u v has two operands, then v = sin u, then u = "
        "x w.",
        "First `dy = 1.0`; from y = u v come `dy * v` and `dy * u`. What the sine sends to u is added to what is "
        "there, "
        "before du is sent on to x and w.",
    ),
    objective="Order a backward pass so that every gradient is complete before it is sent on",
    difficulty=2,
    minutes=4,
)

# --- 6: the backward pass over any graph ------------------------------------------------------------------------------

Operands = Sequence[Sequence[int]]


def _finished(operands: Operands, end: int, again: bool = False) -> list[int]:
    """Depth first: first what a node is made of, then the node; ``again`` visits a node each time it is met."""
    found: list[int] = []

    def visit(node: int) -> None:
        if node not in found or again:
            for operand in operands[node]:
                visit(operand)
            found.append(node)

    visit(end)
    return found


def _met_first(operands: Operands, end: int, breadth: bool) -> list[int]:
    """Each node when it is first met from the end: level by level, or down into the first operand."""
    found: list[int] = []
    waiting = [end]
    while waiting:
        node = waiting.pop(0)
        if node not in found:
            found.append(node)
            waiting = waiting + list(operands[node]) if breadth else list(operands[node]) + waiting
    return found


def _along_first(operands: Operands, end: int) -> list[int]:
    """The end, its first operand, that one's first operand and so on."""
    found = [end]
    while operands[found[-1]]:
        found.append(operands[found[-1]][0])
    return found


def _sweep(
    visits: Sequence[int],
    operands: Operands,
    slopes: Sequence[Sequence[float]],
    end: int,
    send: Callable[[float, float, float], float] = lambda here, upstream, slope: here + upstream * slope,
    start: float = 0.0,
    once: bool = False,
) -> Any:
    """The gradient of every node after these visits; ``send`` gives an operand's gradient after a contribution."""
    gradients = np.full(len(operands), start)
    gradients[end] = 1.0
    for node in visits:
        met: set[int] = set()
        for operand, slope in zip(operands[node], slopes[node], strict=True):
            if not (once and operand in met):
                gradients[operand] = send(gradients[operand], gradients[node], slope)
            met.add(operand)
    return gradients


_GRAPH: list[tuple[int, ...]] = [
    (),  # 0 and 1 are the inputs
    (),
    (0, 1),  # 2 is used by 3 and, next to what follows from that, by 5: level by level it is met too early
    (2,),
    (3, 0),
    (4, 2),
    (0, 1),  # 6 is used by 7 and 8: going down into 7 first, it is met too early
    (6, 0),
    (6, 6),  # the same operand twice
    (7, 8),
    (5, 9),  # the end
    (10, 0),  # computed, and not needed for the end
]
_END = 10


def _numbered_at_random(draw: Draw) -> Environment:
    """The graph with its nodes numbered anew, and never so that the numbers give the order."""
    number = draw.rng.permutation(len(_GRAPH))
    if number[2] < number[5]:
        number[[2, 5]] = number[[5, 2]]
    operands: list[list[int]] = [[] for _ in _GRAPH]
    slopes: list[list[float]] = [[] for _ in _GRAPH]
    for node, used in enumerate(_GRAPH):
        operands[number[node]] = [int(number[operand]) for operand in used]
        slopes[number[node]] = [float(slope) for slope in draw.nonzero(len(used))]
    return {"operands": operands, "slopes": slopes, "end": int(number[_END])}


_REVERSE_SWEEP = Exercise(
    id="07.reverse_sweep",
    title="The backward pass over any graph",
    points=4,
    function="reverse_sweep",
    inputs=("operands", "slopes", "end"),
    returns=("gradients",),
    draw=_numbered_at_random,
    steps=(
        Step(
            "visits",
            lambda operands, end: _finished(operands, end)[::-1],
            mistakes={
                "by_number": (
                    lambda operands: range(len(operands))[::-1],
                    "The nodes were taken by their numbers, from the last to the first. On a tape that is right; here "
                    "the numbers say nothing about the order of the calculation.",
                ),
                "level_by_level": (
                    lambda operands, end: _met_first(operands, end, breadth=True),
                    "The nodes were taken level by level, as they are met from the end. A node that is used near the "
                    "end and also further down is then sent on before the longer path has arrived.",
                ),
                "as_first_met": (
                    lambda operands, end: _met_first(operands, end, breadth=False),
                    "Each node was taken as soon as it was met. It has to wait until everything that uses it has been "
                    "taken: put a node on the list after its operands, and turn the list round.",
                ),
                "inputs_first": (
                    lambda operands, end: _finished(operands, end),
                    "This goes from the inputs to the end. Gradients travel the other way: turn the order round.",
                ),
                "visited_again": (
                    lambda operands, end: _finished(operands, end, again=True)[::-1],
                    "A node that is used twice was put on the list twice, and sent its gradient on twice. Remember "
                    "which nodes have been visited.",
                ),
                "only_first_operands": (
                    lambda operands, end: _along_first(operands, end),
                    "Only the first operand of each node was followed. The paths through the others are missing.",
                ),
            },
        ),
        Step(
            "gradients",
            lambda visits, operands, slopes, end: _sweep(visits, operands, slopes, end),
            mistakes={
                "overwritten": (
                    lambda visits, operands, slopes, end: _sweep(
                        visits, operands, slopes, end, lambda here, upstream, slope: upstream * slope
                    ),
                    "A node that is used twice keeps only what came last. Over several paths gradients add up.",
                ),
                "first_path_only": (
                    lambda visits, operands, slopes, end: _sweep(
                        visits, operands, slopes, end, lambda here, upstream, slope: here or upstream * slope
                    ),
                    "A node that is used twice keeps only what came first. Over several paths gradients add up.",
                ),
                "paths_multiplied": (
                    lambda visits, operands, slopes, end: _sweep(
                        visits, operands, slopes, end, lambda here, upstream, slope: (here or 1.0) * upstream * slope
                    ),
                    "What arrives on several paths was multiplied. Along a path, multiply; over several paths, add.",
                ),
                "upstream_dropped": (
                    lambda visits, operands, slopes, end: _sweep(
                        visits, operands, slopes, end, lambda here, upstream, slope: here + slope
                    ),
                    "Only the local slopes were added up. Each has to be multiplied by the gradient of the node it "
                    "leads to, the upstream gradient.",
                ),
                "slope_added": (
                    lambda visits, operands, slopes, end: _sweep(
                        visits, operands, slopes, end, lambda here, upstream, slope: here + upstream + slope
                    ),
                    "The upstream gradient and the slope were added. Along a path they are multiplied.",
                ),
                "slope_left_out": (
                    lambda visits, operands, slopes, end: _sweep(
                        visits, operands, slopes, end, lambda here, upstream, slope: here + upstream
                    ),
                    "The gradient was passed on as it is. On every edge it is multiplied by the slope of that edge.",
                ),
                "started_from_ones": (
                    lambda visits, operands, slopes, end: _sweep(visits, operands, slopes, end, start=1.0),
                    "Every gradient began at 1. Only the end's does: it is the derivative of the end with respect to "
                    "itself. The others begin at 0 and collect.",
                ),
                "same_operand_once": (
                    lambda visits, operands, slopes, end: _sweep(visits, operands, slopes, end, once=True),
                    "A node can use the same operand twice, as x * x does. Each use is a path of its own.",
                ),
            },
        ),
    ),
    hints=(
        "Two tasks: an order in which every node comes after all nodes that use it, and then a loop that sends "
        "gradients "
        "from nodes to operands.",
        "For the order: visit a node's operands first, each node once, and append the node to a list after them. That "
        "list, reversed, is the order. In the loop, each operand gets gradient of the node times slope, added to what "
        "it "
        "has.",
        "`def visit(node): if node not in seen: seen.add(node); for o in operands[node]: visit(o); "
        "order.append(node)`. "
        "Then `gradients[end] = 1`, and for every node in `reversed(order)`: `gradients[o] += gradients[node] * "
        "slope`.",
    ),
    objective="Write the backward pass for any computation graph",
    difficulty=3,
    minutes=9,
)

# --- 7: an entry for the table: the matrix product --------------------------------------------------------------------


def _matrices(draw: Draw) -> Environment:
    n, k, m = draw.sizes(3)
    return {"G": draw.nonzero(n, m), "A": draw.normal(n, k), "B": draw.normal(k, m)}


_PRODUCT_SHAPE = (
    "The values do not come out in the shape of what they belong to unless the sizes are equal. Which index of G does "
    "this factor share, and which one is summed over?"
)

_MATMUL_RULE = Exercise(
    id="07.matmul_rule",
    title="An entry for the table: the matrix product",
    points=2,
    function="matmul_rule",
    inputs=("G", "A", "B"),
    returns=("dA", "dB"),
    draw=_matrices,
    loss=lambda G, A, B: np.sum(G * (A @ B)),
    steps=(
        Step(
            "dA",
            lambda G, B: G @ B.T,
            mistakes={
                "dA_not_transposed": (lambda G, B: G @ B, f"B has to be transposed on the way back. {_PRODUCT_SHAPE}"),
                "dA_exchanged": (lambda G, B: B.T @ G, f"The two factors stand in the wrong order. {_PRODUCT_SHAPE}"),
                "dA_turned": (
                    lambda G, B: B @ G.T,
                    "This is the transpose of dA. A gradient has the shape of what it belongs to.",
                ),
                "dA_without_upstream": (
                    lambda G, B: np.ones_like(G) @ B.T,
                    "The upstream gradient G is missing: this would be right if every entry of it were 1.",
                ),
                "dA_elementwise": (
                    lambda G, B: G * B.T,
                    "Every entry of A touches a whole row of the product, so its gradient is a sum: a matrix product, "
                    "not one entry by entry.",
                ),
            },
        ),
        Step(
            "dB",
            lambda A, G: A.T @ G,
            mistakes={
                "dB_not_transposed": (lambda A, G: A @ G, f"A has to be transposed on the way back. {_PRODUCT_SHAPE}"),
                "dB_exchanged": (lambda A, G: G @ A.T, f"The two factors stand in the wrong order. {_PRODUCT_SHAPE}"),
                "dB_turned": (
                    lambda A, G: G.T @ A,
                    "This is the transpose of dB. A gradient has the shape of what it belongs to.",
                ),
                "dB_without_upstream": (
                    lambda A, G: A.T @ np.ones_like(G),
                    "The upstream gradient G is missing: this would be right if every entry of it were 1.",
                ),
                "dB_averaged": (
                    lambda A, G: A.T @ G / len(A),
                    "This is divided by the number of rows. If the loss has a mean, G brings it along already.",
                ),
            },
        ),
    ),
    hints=(
        "Write out one entry of the product, Y[i, j] = Σₖ A[i, k] B[k, j], and ask which entries of Y a single A[i, k] "
        "is in.",
        "∂L/∂A[i, k] = Σⱼ G[i, j] B[k, j] and ∂L/∂B[k, j] = Σᵢ A[i, k] G[i, j]. Which matrix products are these sums?",
        "`dA = G @ B.T`. For dB the sum runs over the rows of A and of G.",
    ),
    objective="Derive a rule for the table of derivatives",
    difficulty=2,
    minutes=4,
)

# --- 8: the way back from broadcasting --------------------------------------------------------------------------------


def _broadcast(draw: Draw) -> Environment:
    """A gradient and the shape of an operand: over four cases, each way of broadcasting once."""
    n, m, p = draw.sizes(3)
    leading, ones = draw.number(1, 2) > 0, draw.number(1, 2) > 0
    of_result: tuple[int, ...]
    shape: tuple[int, ...]
    if leading and ones:
        of_result, shape = (p, n, m), (n, 1)
    elif leading:
        of_result, shape = (p, n, m), (m,)
    elif ones:
        of_result, shape = (n, m, p), (1, m, 1)
    else:
        of_result, shape = (n, m), ()
    return {"g": draw.nonzero(*of_result), "shape": shape, "x": draw.normal(*shape)}


def _leading(g: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that broadcasting put in front."""
    return tuple(range(g.ndim - len(shape)))


def _ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of length 1, which broadcasting repeated."""
    return tuple(axis for axis, size in enumerate(shape) if size == 1)


def _first_entries(g: Any, axes: tuple[int, ...]) -> Any:
    """The first entry along each of these axes, which are kept."""
    for axis in axes:
        g = np.take(g, [0], axis=axis)
    return g


_UNBROADCAST = Exercise(
    id="07.unbroadcast",
    title="The way back from broadcasting",
    points=3,
    function="unbroadcast",
    inputs=("g", "shape"),
    returns=("dx",),
    draw=_broadcast,
    loss=lambda g, x: np.sum(g * x),
    steps=(
        Step(
            "summed",
            lambda g, shape: np.sum(g, axis=_leading(g, shape)),
            mistakes={
                "leading_axes_kept": (
                    lambda g: g,
                    "Broadcasting put new axes in front of the operand's own, and they are still there. Every copy "
                    "along "
                    "them is a path to the loss.",
                ),
                "leading_axes_averaged": (
                    lambda g, shape: np.mean(g, axis=_leading(g, shape)),
                    "The copies along the new axes were averaged. Over several paths gradients add up; a mean divides "
                    "by "
                    "their number.",
                ),
                "leading_axes_first_copy": (
                    lambda g, shape: _first_entries(g, _leading(g, shape)).reshape(g.shape[g.ndim - len(shape) :]),
                    "Only the first copy along the new axes was kept. Every copy is a path to the loss, and the paths "
                    "add up.",
                ),
                "last_axes_summed": (
                    lambda g, shape: np.sum(g, axis=tuple(range(len(shape), g.ndim))),
                    "The last axes were summed. numpy lines shapes up at the right, so the axes it adds are in front.",
                ),
            },
        ),
        Step(
            "dx",
            lambda summed, shape: np.sum(summed, axis=_ones(shape), keepdims=True),
            mistakes={
                "ones_kept": (
                    lambda summed: summed,
                    "Where the operand had an axis of length 1, the gradient still has the full length. That axis was "
                    "repeated as well: sum over it, and keep it with length 1.",
                ),
                "ones_averaged": (
                    lambda summed, shape: np.mean(summed, axis=_ones(shape), keepdims=True),
                    "Along the axes of length 1 the copies were averaged. They add up.",
                ),
                "ones_first_entry": (
                    lambda summed, shape: _first_entries(summed, _ones(shape)),
                    "Along the axes of length 1 only the first copy was kept. All of them add up.",
                ),
                "ones_dropped": (
                    lambda summed, shape: np.sum(summed, axis=_ones(shape)),
                    "The sum over an axis of length 1 made the axis vanish. The gradient has the shape of the operand, "
                    "with every axis of length 1 it has.",
                ),
                "summed_over_everything": (
                    lambda summed, shape: np.full(shape, np.sum(summed)),
                    "Everything was added up into one number. Only along the axes that were repeated do the entries "
                    "belong to the same entry of the operand.",
                ),
            },
        ),
    ),
    hints=(
        "Which entries of the result does a single entry of the operand go into? Its gradient is the sum of theirs.",
        "First sum over the axes that g has in front and the operand has not. Then sum over every axis where the "
        "operand "
        "has length 1, and keep that axis.",
        "`g = g.sum(axis=tuple(range(g.ndim - len(shape))))`, then for every `axis, size in enumerate(shape)` with "
        "`size == 1`: `g = g.sum(axis=axis, keepdims=True)`.",
    ),
    objective="Sum a gradient back to the shape of a broadcast operand",
    difficulty=2,
    minutes=6,
)

# --- 9: a backward pass to repair -------------------------------------------------------------------------------------

_FIX_CODE = '''
def layer_gradients(G, X, w, b):
    """Gradients of the sum of G * Z * Z, with Z = X * w + b[:, None]. X (n, d), w (d,), b (n,); returns dX, dw, db."""
    Z = X * w + b[:, None]
    dZ = G * Z  # Z is the first factor of Z * Z
    dZ = G * Z  # and Z is the second factor
    dX = dZ * w
    dw = dZ * X
    db = np.sum(dZ)
    return dX, dw, db
'''


def _layer(draw: Draw) -> Environment:
    n, d = draw.sizes(2)
    return {"G": draw.nonzero(n, d), "X": draw.normal(n, d), "w": draw.nonzero(d), "b": draw.nonzero(n)}


_FIX_BACKWARD = Exercise(
    id="07.fix_backward",
    title="A backward pass to repair",
    points=3,
    function="layer_gradients",
    inputs=("G", "X", "w", "b"),
    returns=("dX", "dw", "db"),
    draw=_layer,
    loss=lambda G, X, w, b: np.sum(G * (X * w + b[:, None]) ** 2),
    kind=Fix(planted=("square_overwritten", "dw_not_summed", "db_summed_to_a_number"), code=_FIX_CODE),
    steps=(
        Step(
            "Z",
            lambda X, w, b: X * w + b[:, None],
            share=0.2,
            mistakes={"bias_left_out": (lambda X, w: X * w, "The forward pass adds b, and Z is needed as it was.")},
        ),
        Step(
            "dZ",
            lambda G, Z: 2 * G * Z,
            mistakes={
                "square_overwritten": (
                    lambda G, Z: G * Z,
                    "In Z * Z the same value is used twice, so two contributions arrive at it. The second line "
                    "replaces "
                    "the first.",
                ),
                "square_not_differentiated": (
                    lambda G, Z: G * Z**2,
                    "This is the upstream gradient times Z * Z itself; it has to be multiplied by the slope of that.",
                ),
                "upstream_missing": (lambda Z: 2 * Z, "The upstream gradient G is missing."),
            },
        ),
        Step(
            "dX",
            lambda dZ, w: dZ * w,
            mistakes={
                "dX_without_w": (lambda dZ: dZ, "X is multiplied by w, and that is the slope along X."),
                "dX_times_X": (lambda dZ, X: dZ * X, "The slope along X is what X is multiplied by: the other factor."),
            },
        ),
        Step(
            "dw",
            lambda dZ, X: np.sum(dZ * X, axis=0),
            mistakes={
                "dw_not_summed": (
                    lambda dZ, X: dZ * X,
                    "dw has a row per sample, and w has none: w was broadcast to all rows. What comes back on the "
                    "copies "
                    "adds up.",
                ),
                "dw_averaged": (
                    lambda dZ, X: np.mean(dZ * X, axis=0),
                    "The rows were averaged. Broadcasting makes copies, and the gradients of copies add up.",
                ),
                "dw_without_X": (
                    lambda dZ: np.sum(dZ, axis=0),
                    "w is multiplied by X, and that is the slope along w. It has to be in the sum.",
                ),
            },
        ),
        Step(
            "db",
            lambda dZ: np.sum(dZ, axis=1),
            mistakes={
                "db_summed_to_a_number": (
                    lambda dZ: np.sum(dZ),
                    "Everything was added up into one number. b has an entry for each row, and only the copies within "
                    "that row belong to it.",
                ),
                "db_averaged": (
                    lambda dZ: np.mean(dZ, axis=1),
                    "The columns were averaged. The gradients of copies add up.",
                ),
                "db_not_summed": (
                    lambda dZ: dZ,
                    "db has a column per entry of w, and b has none: sum over the axis along which b was repeated.",
                ),
            },
        ),
    ),
    hints=(
        "Compare shapes first: which gradient has another shape than what it belongs to? Then ask which value is used "
        "twice.",
        "Over several paths gradients add up: the two uses of Z in Z * Z, the copies of w in all rows, the copies of "
        "b in "
        "all columns.",
        "The second line for dZ has to add to the first. `dw` is summed over axis 0; `db` over axis 1.",
    ),
    objective="Find lost and wrongly added paths in a backward pass",
    difficulty=2,
    minutes=5,
)

# --- 10: the core of a library ----------------------------------------------------------------------------------------


class _Node:
    """What every value has: a value, a gradient, and the operands it came from with the local derivatives.

    Differences, negatives and quotients are mostly made of sums, products and powers, and some people give them slopes
    of their own; the same mistake in a product gives other values then. ``apart`` says which of the two is tried.
    """

    apart = False

    def __init__(self, value: float, sources: Any = ()) -> None:
        self.value = value
        self.gradient = 0.0
        self.sources = sources


class _LiftsToNode:
    def lift(self, other: Any) -> Any:
        return other if isinstance(other, type(self)) else type(self)(other)  # type: ignore[call-arg]


def _node(method: str, value: Arithmetic, *slopes: Arithmetic | None, reflected: bool = False) -> type:
    """A class with one operator of two values a and b, and its slopes along both; None leaves an operand out."""

    def operator(self: Any, other: Any) -> Any:
        pair = (self.lift(other), self) if reflected else (self, self.lift(other))
        a, b = (node.value for node in pair)
        sources = [(node, slope(a, b)) for node, slope in zip(pair, slopes, strict=True) if slope is not None]
        return type(self)(value(a, b), sources)

    return type(method, (), {method: operator})


def _node_function(method: str, value: Arithmetic, slope: Arithmetic) -> type:
    """A class with one function of a value a, and its slope, from a and from the result y."""

    def function(self: Any, *others: Any) -> Any:
        y = value(self.value, *others)
        return type(self)(y, [(self, slope(self.value, y, *others))])

    return type(method, (), {method: function})


def _either(method: str, composed: Callable[..., Any], rule: type) -> type:
    """A class with an operator that is made of others, or has its own rule where operators are ``apart``."""
    own = getattr(rule, method)
    return _method(method, lambda self, *others: (own if self.apart else composed)(self, *others))


def _apart(part: type) -> type:
    """The same part, of a class whose operators have rules of their own."""
    return type(part.__name__, (part,), {"apart": True})


def _one(a: float, b: float) -> float:
    return 1.0


def _minus_one(a: float, b: float) -> float:
    return -1.0


def _first(a: float, b: float) -> float:
    return a


def _second(a: float, b: float) -> float:
    return b


def _above(a: float, b: float) -> float:
    return 1 / b


def _below(a: float, b: float) -> float:
    return -a / b**2


def _backward(seed: Callable[[Any], float] = lambda node: 1.0, upstream: bool = True) -> type:
    """A class with the backward pass, which leaves order and adding up to the other parts."""

    def backward(self: Any) -> None:
        self.gradient = seed(self)
        for node in self.visits():
            for operand, slope in node.sources:
                operand.receive(node.gradient * slope if upstream else slope)

    return type("backward", (), {"backward": backward})


def _receive(total: Callable[[float, float], float]) -> type:
    """A class that takes a contribution to its gradient."""

    def receive(self: Any, contribution: float) -> None:
        self.gradient = total(self.gradient, contribution)

    return type("receive", (), {"receive": receive})


def _made_of(node: Any, found: list[Any]) -> list[Any]:
    """A node and all it was computed from, each once and the node itself first."""
    if not any(node is other for other in found):
        found.append(node)
        for operand, _ in node.sources:
            _made_of(operand, found)
    return found


def _visits(in_order: Callable[[Operands, int], Sequence[int]]) -> type:
    """A class that tells which nodes a backward pass visits, in order: by a rule for numbered nodes."""

    def visits(self: Any) -> list[Any]:
        nodes = _made_of(self, [])
        number = {id(node): i for i, node in enumerate(nodes)}
        operands = [[number[id(operand)] for operand, _ in node.sources] for node in nodes]
        return [nodes[i] for i in in_order(operands, 0)]

    return type("visits", (), {"visits": visits})


def _visits_by_number(self: Any) -> list[Any]:
    """Depth first, taking nodes with the same number for one."""
    found: list[Any] = []
    seen: list[float] = []

    def visit(node: Any) -> None:
        if node.value not in seen:
            seen.append(node.value)
            for operand, _ in node.sources:
                visit(operand)
            found.append(node)

    visit(self)
    return found[::-1]


def _gradients(y: Any, *inputs: Any) -> tuple[Any, ...]:
    """The value of y and, after its backward pass, the gradients of the inputs."""
    y.backward()
    return fields(y, "value") + tuple(gradient for x in inputs for gradient in fields(x, "gradient"))


def _pair(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A probe of an operation of two values."""

    def probe(Value: Any, a: Any, b: Any) -> Any:
        x, y = Value(a), Value(b)
        return _gradients(operation(x, y), x, y)

    return probe


def _single(operation: Callable[[Any], Any]) -> Callable[..., Any]:
    """A probe of a function of one value."""

    def probe(Value: Any, a: Any) -> Any:
        x = Value(a)
        return _gradients(operation(x), x)

    return probe


def _with_number(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A probe of an operation of a value and a plain number."""

    def probe(Value: Any, a: Any, c: Any) -> Any:
        x = Value(a)
        return _gradients(operation(x, c), x)

    return probe


def _both_numbers(Value: Any, a: Any, c: Any) -> Any:
    x, y = Value(a), Value(a)
    return _gradients(x + c, x) + _gradients(y * c, y)


def _power(Value: Any, a: Any, n: Any) -> Any:
    x = Value(a)
    return _gradients(x**n, x)


def _chain(Value: Any, a: Any, b: Any, c: Any) -> Any:
    x, w, bias, scale = Value(a), Value(b), Value(c), Value(a - b)
    return _gradients((x * w + bias) * scale, x, w, bias, scale)


def _used_twice(Value: Any, a: Any, b: Any) -> Any:
    x, y, w = Value(a), Value(a), Value(b)
    return _gradients(x * x, x) + _gradients(y + y * w, y, w)


def _diamonds(Value: Any, a: Any, b: Any, c: Any) -> Any:
    """Three graphs: in one a node is met too early level by level, in one going down into its user first; in the third
    two nodes have the same number."""
    x, w, bias = Value(a), Value(b), Value(c)
    u = x * w
    first = _gradients((u * w + bias) * u, x, w, bias)
    x, w, bias = Value(a), Value(b), Value(c)
    s = x * w
    second = _gradients((s + bias) * (s * x), x, w, bias)
    x, twin, w = Value(a), Value(a), Value(b)
    third = _gradients((x * w) * (twin * w), x, twin, w)
    return first + second + third


def _numbers_for_values(draw: Draw) -> Environment:
    numbers = {name: draw.number(0.5, 1.6) for name in ("a", "b", "c")}
    return numbers | {"n": _exponent(draw)}


_VALUE_CLASS = Exercise(
    id="07.value_class",
    title="The core of a library: reverse mode",
    points=8,
    function="Value",
    inputs=("a", "b", "c", "n"),
    returns=(
        "numbers",
        "add",
        "radd",
        "sub",
        "rsub",
        "neg",
        "mul",
        "rmul",
        "div",
        "rdiv",
        "power",
        "exp",
        "tanh",
        "backward",
        "used_twice",
        "diamonds",
    ),
    draw=_numbers_for_values,
    kind=Class(base=_Node, made="Value(value)"),
    steps=(
        Method(
            "numbers",
            _LiftsToNode,
            probe=_both_numbers,
            shown="x + 3, x * 3",
            mistakes={
                "plain_numbers_not_taken": (
                    _LiftsNothing,
                    "`x + 3` has a plain number on the right, which has neither a value nor a gradient. Turn it into a "
                    "Value first.",
                ),
            },
        ),
        Method(
            "add",
            _node("__add__", _add, _one, _one),
            probe=_pair(lambda x, y: x + y),
            shown="x + y",
            mistakes={
                "sum_sends_to_x_only": (
                    _node("__add__", _add, _one, None),
                    "A sum sends its gradient to both of its operands. Yours does not reach the second.",
                ),
                "sum_sends_values": (
                    _node("__add__", _add, _second, _first),
                    "That is the way back from a product. The slope of a sum along each of its operands is 1.",
                ),
            },
        ),
        Method(
            "radd",
            _REFLECTED_SUM,
            share=0.5,
            probe=_with_number(lambda x, c: c + x),
            shown="3 + x",
            mistakes={"reflected_sum_missing": (Missing, _missing("3 + x", "__radd__"))},
        ),
        Method(
            "sub",
            _either("__sub__", lambda x, y: x + -x.lift(y), _node("__sub__", _subtract, _one, _minus_one)),
            probe=_pair(lambda x, y: x - y),
            shown="x - y",
            mistakes={
                "difference_sends_plus": (
                    _node("__sub__", _subtract, _one, _one),
                    "The slope of x - y along y is -1. The sign is lost on the way back.",
                ),
                "difference_turned_round": (
                    _node("__sub__", lambda a, b: b - a, _minus_one, _one),
                    "This is y - x. In `__sub__`, self is what stands before the minus.",
                ),
            },
        ),
        Method(
            "rsub",
            _REFLECTED_DIFFERENCE,
            share=0.5,
            probe=_with_number(lambda x, c: c - x),
            shown="3 - x",
            mistakes={
                "reflected_difference_missing": (Missing, _missing("3 - x", "__rsub__")),
                "reflected_difference_turned_round": (
                    _node("__rsub__", lambda a, b: b - a, _minus_one, _one, reflected=True),
                    "This is x - 3. In `__rsub__(self, other)` the object itself stands on the right.",
                ),
                "reflected_difference_sign": (
                    _node("__rsub__", _subtract, _one, _one, reflected=True),
                    "The value is right. On the way back a minus is missing: 3 - x falls when x grows.",
                ),
            },
        ),
        Method(
            "neg",
            _either("__neg__", lambda x: x * -1.0, _node_function("__neg__", lambda a: -a, lambda a, y: -1.0)),
            share=0.5,
            probe=_single(lambda x: -x),
            shown="-x",
            mistakes={
                "negative_missing": (Missing, "For `-x` Python looks for a method `__neg__`. Your class has none."),
                "negative_sends_plus": (
                    _node_function("__neg__", lambda a: -a, lambda a, y: 1.0),
                    "The slope of -x is -1. The sign is lost on the way back.",
                ),
            },
        ),
        Method(
            "mul",
            _node("__mul__", _multiply, _second, _first),
            share=1.5,
            probe=_pair(lambda x, y: x * y),
            shown="x * y",
            mistakes={
                "product_sends_own_values": (
                    _node("__mul__", _multiply, _first, _second),
                    "Each factor got its own value as its slope. The slope of x * y along x is the other factor.",
                ),
                "product_alone_sends_own_values": (
                    _apart(_node("__mul__", _multiply, _first, _second)),
                    "Each factor got its own value as its slope. The slope of x * y along x is the other factor.",
                ),
                "product_sends_one_slope_twice": (
                    _node("__mul__", _multiply, _first, _first),
                    "Both factors got the value of the first. The slope along the first is the value of the second.",
                ),
                "product_sends_to_x_only": (
                    _node("__mul__", _multiply, _second, None),
                    "The second factor gets no gradient. A product depends on both.",
                ),
                "product_alone_sends_to_x_only": (
                    _apart(_node("__mul__", _multiply, _second, None)),
                    "The second factor gets no gradient. A product depends on both.",
                ),
                "product_sends_to_y_only": (
                    _node("__mul__", _multiply, None, _first),
                    "The first factor gets no gradient. A product depends on both.",
                ),
                "product_sends_ones": (
                    _node("__mul__", _multiply, _one, _one),
                    "That is the way back from a sum. The slope of a product along one factor is the other.",
                ),
                "product_alone_sends_ones": (
                    _apart(_node("__mul__", _multiply, _one, _one)),
                    "That is the way back from a sum. The slope of a product along one factor is the other.",
                ),
            },
        ),
        Method(
            "rmul",
            _REFLECTED_PRODUCT,
            share=0.5,
            probe=_with_number(lambda x, c: c * x),
            shown="3 * x",
            mistakes={"reflected_product_missing": (Missing, _missing("3 * x", "__rmul__"))},
        ),
        Method(
            "div",
            _either("__truediv__", lambda x, y: x * x.lift(y) ** -1, _node("__truediv__", _divide, _above, _below)),
            share=1.5,
            probe=_pair(lambda x, y: x / y),
            shown="x / y",
            mistakes={
                "quotient_sends_plus": (
                    _node("__truediv__", _divide, _above, lambda a, b: a / b**2),
                    "The slope of x / y along y is negative where x is positive: a minus is missing.",
                ),
                "quotient_not_squared_below": (
                    _node("__truediv__", _divide, _above, lambda a, b: -a / b),
                    "The slope of x / y along y has y squared in its denominator.",
                ),
                "quotient_forgets_numerator": (
                    _node("__truediv__", _divide, _above, lambda a, b: -1 / b**2),
                    "That is the slope of 1 / y. The numerator is x.",
                ),
                "quotient_sends_to_x_only": (
                    _node("__truediv__", _divide, _above, None),
                    "The denominator gets no gradient. A quotient depends on both.",
                ),
                "quotient_numerator_slope": (
                    _node("__truediv__", _divide, _second, _below),
                    "The slope of x / y along x is what x is multiplied by: one over y, not y.",
                ),
            },
        ),
        Method(
            "rdiv",
            _REFLECTED_QUOTIENT,
            share=0.5,
            probe=_with_number(lambda x, c: c / x),
            shown="3 / x",
            mistakes={
                "reflected_quotient_missing": (Missing, _missing("3 / x", "__rtruediv__")),
                "reflected_quotient_turned_round": (
                    _node("__rtruediv__", lambda a, b: b / a, _below, lambda a, b: 1 / a, reflected=True),
                    "This is x / 3. In `__rtruediv__(self, other)` the object itself stands below the line.",
                ),
                "reflected_quotient_sign": (
                    _node("__rtruediv__", _divide, _above, lambda a, b: a / b**2, reflected=True),
                    "The value is right. On the way back a minus is missing: 3 / x falls when x grows.",
                ),
            },
        ),
        Method(
            "power",
            _node_function("__pow__", lambda a, n: a**n, lambda a, y, n: n * a ** (n - 1)),
            probe=_power,
            shown="x ** 3",
            mistakes={
                "power_exponent_not_lowered": (
                    _node_function("__pow__", lambda a, n: a**n, lambda a, y, n: n * a**n),
                    "The exponent comes down as a factor, and one factor x less remains.",
                ),
                "power_exponent_not_brought_down": (
                    _node_function("__pow__", lambda a, n: a**n, lambda a, y, n: a ** (n - 1)),
                    "The exponent has become smaller by one, but it has not come down as a factor.",
                ),
                "power_as_exponential": (
                    _node_function("__pow__", lambda a, n: a**n, lambda a, y, n: y),
                    "A power is not its own slope; the exponential is.",
                ),
            },
        ),
        Method(
            "exp",
            _node_function("exp", lambda a: np.exp(a), lambda a, y: y),
            probe=_single(lambda x: x.exp()),
            shown="x.exp()",
            mistakes={
                "exponential_power_rule": (
                    _node_function("exp", lambda a: np.exp(a), lambda a, y: a * np.exp(a - 1)),
                    "The power rule is for x in the base. Here x is the exponent, and the exponential is its own "
                    "slope.",
                ),
                "exponential_of_result": (
                    _node_function("exp", lambda a: np.exp(a), lambda a, y: np.exp(y)),
                    "The exponential was applied once too often: its slope is taken at the operand, not at the result.",
                ),
                "exponential_slope_one": (
                    _node_function("exp", lambda a: np.exp(a), lambda a, y: 1.0),
                    "The gradient was passed on as it came. The slope of the exponential is missing.",
                ),
            },
        ),
        Method(
            "tanh",
            _node_function("tanh", lambda a: np.tanh(a), lambda a, y: 1 - y**2),
            probe=_single(lambda x: x.tanh()),
            shown="x.tanh()",
            mistakes={
                "tanh_slope_at_operand": (
                    _node_function("tanh", lambda a: np.tanh(a), lambda a, y: 1 - a**2),
                    "The rule 1 - t² takes t = tanh(x), the result. Yours takes the operand.",
                ),
                "tanh_slope_of_sigmoid": (
                    _node_function("tanh", lambda a: np.tanh(a), lambda a, y: y * (1 - y)),
                    "That is the slope of σ. The slope of tanh is another: 1 at 0, where σ has a quarter.",
                ),
                "tanh_slope_one": (
                    _node_function("tanh", lambda a: np.tanh(a), lambda a, y: 1.0),
                    "The gradient was passed on as it came. The slope of tanh is missing.",
                ),
            },
        ),
        Method(
            "backward",
            _backward(),
            share=2,
            probe=_chain,
            shown="backward()",
            mistakes={
                "backward_without_seed": (
                    _backward(seed=lambda node: 0.0),
                    "All gradients stay 0, because the first is 0: before anything is sent back, the output's own "
                    "gradient is set.",
                ),
                "backward_seeded_with_value": (
                    _backward(seed=lambda node: node.value),
                    "The output's own gradient was set to its value. The derivative of y with respect to y is 1.",
                ),
                "backward_without_upstream": (
                    _backward(upstream=False),
                    "Every value sent only the local derivative to its operands. Multiply it by the value's own "
                    "gradient, "
                    "which has come from further up.",
                ),
                "single_backward_without_upstream": (
                    _apart(_backward(upstream=False)),
                    "Every value sent only the local derivative to its operands. Multiply it by the value's own "
                    "gradient, "
                    "which has come from further up.",
                ),
            },
        ),
        Method(
            "used_twice",
            _receive(lambda here, contribution: here + contribution),
            share=2,
            probe=_used_twice,
            shown="x * x",
            mistakes={
                "gradient_overwritten": (
                    _receive(lambda here, contribution: contribution),
                    "In `x * x` the same value is used twice, and the second contribution replaced the first. They add "
                    "up.",
                ),
                "gradient_kept_from_first_use": (
                    _receive(lambda here, contribution: here or contribution),
                    "In `x * x` the same value is used twice, and only the first contribution was kept. They add up.",
                ),
            },
        ),
        Method(
            "diamonds",
            _visits(lambda operands, end: _finished(operands, end)[::-1]),
            share=2,
            probe=_diamonds,
            shown="values used on several ways",
            mistakes={
                "nodes_level_by_level": (
                    _visits(lambda operands, end: _met_first(operands, end, breadth=True)),
                    "The values were taken level by level. One that is used near the output and also further down is "
                    "then "
                    "sent on before the longer path has arrived: the order has to be topological.",
                ),
                "nodes_as_first_met": (
                    _visits(lambda operands, end: _met_first(operands, end, breadth=False)),
                    "Each value was taken as soon as it was met, before all that use it were done: the order has to be "
                    "topological.",
                ),
                "nodes_visited_again": (
                    _visits(lambda operands, end: _finished(operands, end, again=True)[::-1]),
                    "A value that is used twice was also visited twice, and sent its gradient on twice. Remember which "
                    "values have been visited.",
                ),
                "equal_numbers_taken_for_one": (
                    _method("visits", _visits_by_number),
                    "Two values with the same number were taken for one, and only one of them sent its gradient on. "
                    "What has been visited is an object, not a number: does your class compare by value, as a "
                    "dataclass does?",
                ),
                "nodes_inputs_first": (
                    _visits(lambda operands, end: _finished(operands, end)),
                    "The values were taken from the inputs to the output, so that gradients came only one step far. "
                    "Turn "
                    "the order round.",
                ),
                "single_nodes_inputs_first": (
                    _apart(_visits(lambda operands, end: _finished(operands, end))),
                    "The values were taken from the inputs to the output, so that gradients came only one step far. "
                    "Turn "
                    "the order round.",
                ),
            },
        ),
    ),
    hints=(
        "Each operation makes a new Value. What does that one have to remember so that, later, it can send its "
        "gradient "
        "back?",
        "Keep with each Value a list of pairs: an operand, and the local derivative along it. `backward` sets its own "
        "gradient to 1, puts all values in topological order, goes through them from the output, and adds gradient "
        "times "
        "local derivative to each operand's gradient. You wrote that loop in exercise 6.",
        "In `__mul__`: `Value(self.value * other.value, [(self, other.value), (other, self.value)])`. In `backward`: "
        "`for node in reversed(order): for operand, slope in node.sources: operand.gradient += node.gradient * slope`.",
    ),
    objective="Write the core of an automatic differentiation library",
    difficulty=3,
    minutes=13,
)

EXERCISES = [
    _DUAL_LINES,
    _SEEDS,
    _DUAL_CLASS,
    _PASSES,
    _BACKWARD_ORDER,
    _REVERSE_SWEEP,
    _MATMUL_RULE,
    _UNBROADCAST,
    _FIX_BACKWARD,
    _VALUE_CLASS,
]
"""The exercises of lesson 07, in its order."""
