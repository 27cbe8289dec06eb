"""Every kind of exercise: right answers in the forms people write, mistakes named, and a sentence for what cannot be
read."""

from __future__ import annotations

import itertools
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import sympy as sp

from autograder import CheckResult, Exercise, evaluate, exercises
from autograder.checking.diagnosis import agrees
from autograder.checking.values import copied
from autograder.exercises import Step
from autograder.exercises.kinds import (
    Class,
    Derivation,
    Fix,
    Line,
    Method,
    Missing,
    Question,
    Shapes,
    cos,
    exp,
    fields,
    order,
    prediction,
    shape,
    sin,
)

ABOUT: dict[str, Any] = {"hints": ("a", "b", "c"), "objective": "an objective", "minutes": 3, "title": "A title"}


def _value_and_tangent(made: Any) -> tuple[Any, ...]:
    return fields(made, "value", "tangent")


class Initial:
    def __init__(self, value: float, tangent: float) -> None:
        self.value = value
        self.tangent = tangent


class Sum:
    def __add__(self, other: Any) -> Any:
        other = other if hasattr(other, "value") else type(self)(other, 0.0)  # type: ignore[call-arg]
        return type(self)(self.value + other.value, self.tangent + other.tangent)  # type: ignore[call-arg, attr-defined]

    __radd__ = __add__


class SumNotReflected(Sum):
    __radd__ = None  # type: ignore[assignment]


class Product:
    def __mul__(self, other: Any) -> Any:
        tangent = self.value * other.tangent + self.tangent * other.value  # type: ignore[attr-defined]
        return type(self)(self.value * other.value, tangent)  # type: ignore[call-arg, attr-defined]


class ProductOfTangents:
    def __mul__(self, other: Any) -> Any:
        return type(self)(self.value * other.value, self.tangent * other.tangent)  # type: ignore[call-arg, attr-defined]


DERIVATION = Exercise(
    id="99.derivation",
    points=3,
    function="lines",
    inputs=("x", "u"),
    returns=("du_dx", "dy_du", "dy_dx"),
    draw=lambda draw: {"x": draw.nonzero(12), "u": draw.nonzero(12)},
    steps=(
        Step("du_dx", lambda x: 2 * x, mistakes={"factor_lost": (lambda x: x, "The 2 comes down from the power.")}),
        Step(
            "dy_du",
            lambda u: cos(u),
            mistakes={
                "negated": (lambda u: -cos(u), "It is the cosine whose derivative has a minus."),
                "not_differentiated": (lambda u: sin(u), "This is the outer function itself."),
            },
        ),
        Step(
            "dy_dx",
            lambda du_dx, dy_du: du_dx * dy_du,
            mistakes={
                "added": (lambda du_dx, dy_du: du_dx + dy_du, "One stretching after the other multiplies."),
                "composed": (lambda du_dx, dy_du: exp(du_dx) * dy_du, "The inner derivative is a factor."),
            },
        ),
    ),
    kind=Derivation(),
    **ABOUT,
)
CHOICE = prediction(
    "99.choice",
    points=1,
    function="guess",
    question="Which?",
    options={"a": "one", "b": "two", "c": "three"},
    right="c",
    wrong={"a": ("too_small", "It is larger."), "b": ("nearly", "It is larger still.")},
    **ABOUT,
)
NUMBER = prediction(
    "99.number",
    points=1,
    function="guess",
    question="How large?",
    right=lambda: 1 / 4,
    wrong={0.5: ("twice", "That is twice as much."), 1.0: ("one", "That is four times as much.")},
    **ABOUT,
)
QUESTIONS = prediction(
    "99.questions",
    points=2,
    function="guesses",
    questions=(
        Question("first", "Which?", "a", {"b": ("first_wrong", "Not b.")}, {"a": "one", "b": "two"}),
        Question("second", "Which?", "b", {"a": ("second_wrong", "Not a.")}, {"a": "one", "b": "two"}),
    ),
    **ABOUT,
)
SHAPES = Exercise(
    id="99.shapes",
    points=3,
    function="shapes",
    inputs=("n", "d", "h"),
    returns=("Z", "db", "L"),
    draw=lambda draw: dict(zip("ndh", draw.sizes(3), strict=True)),
    steps=(
        Step("Z", lambda n, h: shape(n, h), mistakes={"transposed": (lambda n, h: shape(h, n), "A row is a sample.")}),
        Step(
            "db",
            lambda h: shape(h),
            mistakes={
                "as_a_row": (lambda h: shape(1, h), "A bias is a vector."),
                "not_summed": (lambda n, h: shape(n, h), "One bias for all samples."),
            },
        ),
        Step("L", lambda: shape(), mistakes={"per_sample": (lambda n: shape(n), "A loss is one number.")}),
    ),
    kind=Shapes(),
    **ABOUT,
)
ORDER = order(
    "99.order",
    points=2,
    function="lines",
    lines=(
        Line("A", "`A = X`"),
        Line("B", "`B = A`", after=("A",), wrong={"negated": ("`B = -A`", "The sign is wrong.")}),
        Line("C", "`C = A + X`", after=("A",), wrong={"subtracted": ("`C = A - X`", "It is a sum.")}),
        Line("D", "`D = B * C`", after=("B", "C")),
    ),
    misplaced={"too_early": ("D", "C", "D needs C.")},
    **ABOUT,
)
CLASS = Exercise(
    id="99.class",
    points=4,
    function="Dual",
    inputs=("a", "da", "b", "db"),
    returns=("made", "sum", "reflected", "product"),
    draw=lambda draw: {name: draw.number(0.5, 2) for name in ("a", "da", "b", "db")},
    steps=(
        Method("made", Initial, probe=lambda Dual, a, da: _value_and_tangent(Dual(a, da)), shown="Dual(a, da)"),
        Method(
            "sum",
            Sum,
            probe=lambda Dual, a, da, b, db: _value_and_tangent(Dual(a, da) + Dual(b, db)),
            shown="x + y",
        ),
        Method(
            "reflected",
            Missing,
            probe=lambda Dual, a, da: _value_and_tangent(2.0 + Dual(a, da)),
            shown="2.0 + x",
            mistakes={"not_reflected": (SumNotReflected, "A number on the left asks the right operand.")},
        ),
        Method(
            "product",
            Product,
            probe=lambda Dual, a, da, b, db: _value_and_tangent(Dual(a, da) * Dual(b, db)),
            shown="x * y",
            mistakes={
                "product_of_tangents": (ProductOfTangents, "The product rule has two terms."),
                "no_product": (Missing, "x * y calls x.__mul__(y)."),
            },
        ),
    ),
    kind=Class(made="Dual(value, tangent)"),
    **ABOUT,
)
FIX = Exercise(
    id="99.fix",
    points=2,
    function="slope",
    inputs=("x",),
    returns=("u", "dy_dx"),
    draw=lambda draw: {"x": draw.number(0.5, 2)},
    steps=(
        Step("u", lambda x: x * x, mistakes={"not_squared": (lambda x: x, "u is the square of x.")}),
        Step("outer", lambda u: 3 * u**2, mistakes={"power_kept": (lambda u: 3 * u**3, "The power goes down by one.")}),
        Step("dy_dx", lambda outer, x: outer * 2 * x, mistakes={"no_inner": (lambda outer: outer, "A link is lost.")}),
    ),
    kind=Fix(
        planted=("power_kept", "no_inner"),
        code="def slope(x):\n    u = x * x\n    return u, 3 * u**3",
    ),
    **ABOUT,
)
SAMPLES = [DERIVATION, CHOICE, NUMBER, QUESTIONS, SHAPES, ORDER, CLASS, FIX]
BY_SAMPLE = pytest.mark.parametrize("exercise", SAMPLES, ids=lambda exercise: exercise.id)


@pytest.fixture(autouse=True)
def _samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples as part of the catalogue."""
    catalogue = {exercise.id: exercise for exercise in [*exercises(), *SAMPLES]}
    # By name, since the package's attribute is the function that lists the exercises.
    monkeypatch.setattr(import_module("autograder.exercises"), "_catalogue", lambda: catalogue)


def ask(exercise: Exercise, answer: Any, seed: int = 1) -> CheckResult:
    return evaluate(exercise.id, answer, seed)


@BY_SAMPLE
def test_the_reference_earns_everything(exercise: Exercise) -> None:
    for seed in range(10):
        result = ask(exercise, exercise.reference, seed)
        assert (result.verdict, result.score) == ("correct", exercise.points)


@BY_SAMPLE
def test_a_mistake_is_named_and_costs_its_step(exercise: Exercise) -> None:
    for name, seed in itertools.product(exercise.mistakes, range(5)):
        result = ask(exercise, exercise.mistakes[name].answer, seed)
        assert result.mistakes == (name,)
        assert result.score < exercise.points
        assert exercise.mistakes[name].explanation in result.to_text().replace("\n  ", " ")


@BY_SAMPLE
def test_two_mistakes_are_named_or_explained_by_one_with_the_same_values(exercise: Exercise) -> None:
    for pair in itertools.combinations(exercise.mistakes, 2):
        if len({exercise.mistakes[name].step for name in pair}) == 2 and set(pair) != {
            *getattr(exercise.kind, "planted", ())
        }:
            result = ask(exercise, exercise.answer(*pair))
            assert result.score < exercise.points
            assert result.mistakes
            if set(result.mistakes) != set(pair):
                case = exercise.cases(result.seed)[0]
                other, mine = exercise.derive(case, *result.mistakes), exercise.derive(case, *pair)
                if exercise is ORDER:  # a line that is left out stands nowhere
                    continue
                assert all(agrees(other[name], mine[name]) for name in exercise.returns)


@BY_SAMPLE
def test_feedback_is_html_and_text_without_the_right_answer_to_a_question(exercise: Exercise) -> None:
    result = ask(exercise, exercise.answer(next(iter(exercise.mistakes))))
    assert result.to_html().startswith("<div")
    if exercise.kind.shows == "verdicts":
        assert "expected" not in result.to_text()


@pytest.mark.parametrize(
    "lines",
    [
        lambda x, u: (2 * x, sp.cos(u), 2 * x * sp.cos(u)),
        lambda x, u: {"dy_dx": "2*x*cos(u)", "dy_du": "cos(u)", "du_dx": "2*x"},
        lambda x, u: ["du/dx = x + x", sp.diff(sp.sin(u), u), sp.Eq(sp.Symbol("dy_dx"), sp.diff(x**2, x) * sp.cos(u))],
        lambda x, u: ("du_dx = 2·x", "dy_du = cos(u)", "dy_dx = du_dx × dy_du"),
        lambda x, u: sp.Matrix([2 * x, sp.cos(u), sp.Symbol("du_dx") * sp.Symbol("dy_du")]),
        lambda x, u: sp.Tuple(2 * x, sp.cos(u), 2 * x * sp.cos(u)),
        lambda x, u: np.array([2 * x, sp.cos(u), 2 * x * sp.cos(u)], dtype=object),
        lambda x, u: ("2*x", 1 / sp.sec(u), 2 * x * sp.tan(u) / (sp.sec(u) * sp.tan(u))),
        lambda x, u: ("x³/x²·2 − ½·0", "cos(u)", "2*x*cos(u)"),
        lambda x, u: ("2*exp(log(x))", sp.sin(sp.pi / 2 - u), "2*x^1*cos(u)"),
        lambda *symbols: (sp.Symbol("x", positive=True) * 2, "sin(u + pi/2)", 2 * symbols[0] * sp.cos(symbols[1])),
    ],
)
def test_a_derivation_in_another_form_is_right(lines: Any) -> None:
    result = ask(DERIVATION, lines)
    assert result.verdict == "correct", result.to_text()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2x*cos(u)", "* between factors"),
        ("2*x*cos(u", "cannot be read"),
        ("2*q*cos(u)", "has the symbol q"),
        (sp.Symbol("q"), "has the symbol q"),
        (sp.Function("f")(sp.Symbol("x")), "f(...)"),
        (sp.Derivative(sp.Symbol("x") ** 2, sp.Symbol("x")), "derivative is still to be taken"),
        ("__import__('os').system('true')", "belongs a *"),
        ("x if x else u", "is no formula"),
        (None, "is empty"),
        (object(), "of type object"),
        ("2*(x)(u)", "belongs a *"),
        ("1" + "+1" * 20_000, "characters"),
        ("(" * 900 + "x" + ")" * 900, "cannot be read"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_and_costs_its_own_step(line: Any, told: str) -> None:
    result = ask(DERIVATION, lambda x, u: (2 * x, sp.cos(u), line))
    assert result.score == 2
    assert result.verdict == "wrong"
    assert told in " ".join(result.observations), result.to_text()


def test_a_line_that_is_right_at_some_points_only_is_told() -> None:
    result = ask(DERIVATION, lambda x, u: (2 * sp.Abs(x), sp.cos(u), 2 * x * sp.cos(u)))
    assert result.score == 2
    assert result.first_wrong == "du_dx"
    assert any("points only" in sentence for sentence in result.observations)


def test_lines_that_follow_from_a_wrong_one_keep_their_points() -> None:
    result = ask(DERIVATION, lambda x, u: (5 * x**3, sp.cos(u), 5 * x**3 * sp.cos(u)))
    assert (result.score, result.first_wrong) == (2, "du_dx")
    assert [line.state for line in result.lines] == ["wrong", "right", "carried"]
    without = evaluate(DERIVATION.id, lambda x, u: (5 * x**3, sp.cos(u), 5 * x**3 * sp.cos(u)), 1, follow_through=False)
    assert without.score == 1


def test_numpy_in_a_derivation_is_told_what_to_use() -> None:
    result = ask(DERIVATION, lambda x, u: (2 * x, np.cos(u), 2 * x))
    assert result.verdict == "raised"
    assert "sympy.exp" in result.message


@pytest.mark.parametrize("answer", ["c", "C", " c) ", "(c)", lambda: "c", {"prediction": "c"}, ("c",), np.array(["c"])])
def test_a_choice_in_any_form(answer: Any) -> None:
    assert ask(CHOICE, answer).verdict == "correct"


@pytest.mark.parametrize("answer", ["d", 7, "", object()])
def test_what_is_no_choice_is_told(answer: Any) -> None:
    result = ask(CHOICE, answer)
    assert result.score == 0
    assert "'a', 'b', 'c'" in result.message


@pytest.mark.parametrize("answer", [0.25, 0.252, "0.25", np.float32(0.25)])
def test_a_number_near_enough_is_right(answer: Any) -> None:
    assert ask(NUMBER, answer).verdict == "correct"


@pytest.mark.parametrize("answer", [0.2, -0.25, 1e9])
def test_a_number_too_far_off_is_wrong(answer: float) -> None:
    assert (ask(NUMBER, answer).verdict, ask(NUMBER, answer).score) == ("wrong", 0)


@pytest.mark.parametrize("answer", [{"first": "a", "second": "b"}, ("a", "b"), ["a", "b"], np.array(["a", "b"])])
def test_several_questions(answer: Any) -> None:
    assert ask(QUESTIONS, answer).verdict == "correct"


def test_a_question_left_open_costs_its_own_points() -> None:
    assert ask(QUESTIONS, {"first": "a"}).score == 1


@pytest.mark.parametrize("exercise", [CHOICE, NUMBER, QUESTIONS, ORDER], ids=lambda exercise: exercise.id)
def test_what_is_handed_out_is_not_attempted(exercise: Exercise) -> None:
    space: dict[str, Any] = {}
    exec(exercise.kind.given(exercise), space)
    assert ask(exercise, space[exercise.function]).verdict == "not attempted"


@pytest.mark.parametrize(
    "answer",
    [
        lambda n, d, h: {"Z": (n, h), "db": (h,), "L": ()},
        lambda n, d, h: [[n, h], h, ()],
        lambda n, d, h: {"Z": np.array((n, h)), "db": np.array(h), "L": np.array(())},
        lambda n, d, h: (np.zeros((n, h)).shape, np.zeros(h).shape, np.float64(1).shape),
    ],
)
def test_shapes_in_any_form(answer: Any) -> None:
    assert ask(SHAPES, answer).verdict == "correct"


@pytest.mark.parametrize("wrong", ["n, h", 2.5, (2.5,), (-1, 2), None, np.zeros((2, 3))])
def test_what_is_no_shape_is_told(wrong: Any) -> None:
    result = ask(SHAPES, lambda n, d, h: {"Z": wrong, "db": (h,), "L": ()})
    assert "The shape of Z" in result.message
    assert result.score == 0


def _labels(*wanted: tuple[str, int]) -> list[str]:
    label = {line: label for label, line in ORDER.kind.labels.items()}  # type: ignore[attr-defined]
    return [label[line] for line in wanted]


def test_every_order_that_computes_is_right() -> None:
    for names in ("ABCD", "ACBD"):
        labels = _labels(*((name, 1) for name in names))
        for answer in (labels, " ".join(labels), ", ".join(labels), "".join(labels), lambda found=labels: found):
            assert ask(ORDER, answer).verdict == "correct", answer


def test_two_wordings_of_a_line_and_unknown_lines_are_told() -> None:
    both = _labels(("A", 1), ("B", 1), ("B", 2), ("C", 1), ("D", 1))
    assert "compute the same value" in ask(ORDER, both).message
    assert "There is no line 'z'" in ask(ORDER, "a z").message
    assert "twice" in ask(ORDER, "a a").message


def test_a_missing_method_costs_its_own_step_and_is_told() -> None:
    class Dual(Initial, Sum):
        def __mul__(self, other: Any) -> float:
            return self.value * other.value

    result = ask(CLASS, Dual)
    assert (result.verdict, result.score) == ("raised", 3)
    assert "`x * y` gives a value of type float without .value" in " ".join(result.observations)


def test_a_class_that_raises_everything_but_what_is_written_is_judged_by_that() -> None:
    class Dual(Initial):
        def __add__(self, other: Any) -> Any:
            raise NotImplementedError

        def __mul__(self, other: Any) -> Any:
            return self * other

    result = ask(CLASS, Dual)
    assert result.score == 1
    assert "without end" in result.to_text()
    assert ask(CLASS, Initial(1.0, 2.0)).verdict == "wrong shape"


def test_a_class_as_handed_out_is_not_attempted() -> None:
    class Dual:
        def __init__(self, value: float, tangent: float) -> None:
            raise NotImplementedError

    assert ask(CLASS, Dual).verdict == "not attempted"


def test_a_repair_pays_for_what_was_repaired_and_charges_what_was_broken() -> None:
    space: dict[str, Any] = {}
    exec(FIX.kind.code, space)  # type: ignore[attr-defined]
    assert ask(FIX, space["slope"]).verdict == "not attempted"
    assert ask(FIX, FIX.answer("no_inner")).score == 1
    assert ask(FIX, FIX.answer("not_squared")).score == 1
    assert ask(FIX, FIX.answer("not_squared", "no_inner")).score == 0


FIXES = [exercise for exercise in [*exercises(), FIX] if isinstance(exercise.kind, Fix)]


@pytest.mark.parametrize("exercise", FIXES, ids=lambda exercise: exercise.id)
def test_the_code_to_repair_makes_just_the_planted_mistakes(exercise: Exercise) -> None:
    assert isinstance(exercise.kind, Fix)
    space: dict[str, Any] = {"np": np}
    exec("from chainrule_lib import *", space)
    exec(exercise.kind.code, space)
    assert exercise.kind.scored(exercise)
    for seed in range(5):
        result = ask(exercise, space[exercise.function], seed)
        assert (result.verdict, result.score) == ("not attempted", 0), result.to_text()
        for case in exercise.cases(seed):
            given, planted = (
                answer(*copied(list(exercise.arguments(case).values())))
                for answer in (space[exercise.function], exercise.answer(*exercise.kind.planted))
            )
            assert agrees(_listed(given), _listed(planted))


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_a_single_line_has_no_order_to_be_right() -> None:
    result = ask(ORDER, _labels(("A", 1)))
    assert result.score < 1
    assert "No line of yours computes B, C, D." in result.to_text()
