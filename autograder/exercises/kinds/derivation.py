"""Derivations: every line a formula, written with SymPy symbols.

The learner's function is called with symbols and returns its lines, each a SymPy expression, a number or a text. A line
is read as arithmetic by a small reader of its own (nothing that arrives is ever evaluated as Python) and computed at
the points of each case, in complex arithmetic, so that exp(2 log x) is x² for negative x too. Two formulas that agree
at a dozen random points of either sign are the same formula, up to a coincidence that several cases exclude (Schwartz,
J. ACM 27, 1980, doi 10.1145/322217.322225). A line may use other lines' symbols or their formulas written out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.exercises.drawing import Array
from autograder.exercises.kind import Attempt, Kind, NotAnAnswer
from autograder.exercises.model import Exercise

LONGEST = 20_000
"""Characters of a line that are read; a page of formula has 3,000."""

_OPERATIONS: dict[type, Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "sec": lambda x: 1 / np.cos(x),
    "csc": lambda x: 1 / np.sin(x),
    "cot": lambda x: 1 / np.tan(x),
    "sech": lambda x: 1 / np.cosh(x),
    "csch": lambda x: 1 / np.sinh(x),
    "coth": lambda x: 1 / np.tanh(x),
    "cbrt": lambda x: x ** (1 / 3),
    "ln": np.log,
    "Abs": np.abs,
    "abs": np.abs,
    "sign": lambda x: np.where(x == 0, 0, x / np.where(x == 0, 1, np.abs(x))),
    **dict.fromkeys(("sigma", "sigmoid", "σ"), lambda x: 1 / (1 + np.exp(-x))),
}
"""What SymPy prints, and the sigmoid."""

_CONSTANTS = {"pi": np.pi, "π": np.pi, "E": np.e, "e": np.e}


_WRITTEN = str.maketrans({"^": "**", "²": "**2", "³": "**3", "·": "*", "×": "*", "−": "-", "½": "(1/2)"})
"""Signs that people write formulas with, and Python's."""


def _function(name: str) -> Callable[[Any], Any]:
    """A function for formulas of exercises, of numbers and of symbols alike."""

    def function(x: Any) -> Any:
        if not hasattr(x, "free_symbols"):
            return _FUNCTIONS[name](x)
        import sympy  # here, because most checks do without

        return 1 / (1 + sympy.exp(-x)) if name == "sigma" else getattr(sympy, name)(x)

    function.__name__ = name
    return function


exp, log, sqrt, sin, cos, tanh, sigma = map(_function, ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigma"))


@dataclass(frozen=True)
class Derivation(Kind):
    """A function of symbols that returns the lines of a derivation.

    ``uses`` names, for some lines, the symbols that suffice to write them; it serves as advice only.
    """

    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    name = "derivation"

    def attempt(self, exercise: Exercise, answer: Any) -> Callable[..., Any]:
        """The lines as numbers: called with numbers, it gives every line's value."""
        return Lines(exercise, super().attempt(exercise, answer))

    def called_with(self, exercise: Exercise) -> str:
        """Symbols, whatever the case."""
        return f"the symbols {', '.join(exercise.inputs)}"

    def advice(self, exception: BaseException) -> str:
        """numpy's functions cannot take a symbol, and say so in words that help nobody."""
        if isinstance(exception, TypeError | AttributeError) and "ufunc" in str(exception):
            return "numpy's functions take numbers only. For symbols use SymPy's: sympy.exp, sympy.log, sympy.sin."
        return ""


class Lines(Attempt):
    """The lines of a learner's function as numbers: called with numbers, it gives every line's value."""

    def __init__(self, exercise: Exercise, function: Callable[..., Any]) -> None:
        super().__init__()
        self.exercise = exercise
        self.function = function
        self._read: dict[int, tuple[Any, str]] = {}

    def __call__(self, *inputs: Any) -> Any:
        """Every line's values at the points of the inputs; nan for a line that cannot be read."""
        import sympy

        lines = self.function(*map(sympy.Symbol, self.exercise.inputs))
        if lines is None or lines is Ellipsis:
            return lines
        values = dict(zip(self.exercise.inputs, inputs, strict=True))
        found: dict[str, Any] = {}
        for name, line in _by_name(self.exercise, lines).items():
            try:
                found[name] = value_of(name, self._text_of(name, line), values | found)
            except NotAnAnswer as problem:
                self.failed[name] = str(problem)
                found[name] = np.full(np.shape(inputs[0]), np.nan)
        return found

    def _text_of(self, name: str, line: Any) -> str:
        """A line as text. Of an object it is asked for once: it may be in another process, and SymPy gives the same
        object for the same formula, whatever the case."""
        if id(line) not in self._read:
            self._read[id(line)] = line, _text(name, line)
        return self._read[id(line)][1]


def _by_name(exercise: Exercise, lines: Any) -> dict[str, Any]:
    """The lines by name: from a dictionary, or in their order."""
    names = exercise.returns
    if hasattr(lines, "__len__") and not isinstance(lines, str | Mapping):
        lines = list(lines)  # a matrix or a tuple of SymPy's, an array of objects
    if isinstance(lines, Mapping):
        if missing := [name for name in names if name not in lines]:
            raise NotAnAnswer(f"The line for {missing[0]} is missing. Asked for are {', '.join(names)}.")
        return {name: lines[name] for name in names}
    if len(names) == 1 and not isinstance(lines, list):
        lines = [lines]
    if not isinstance(lines, list) or len(lines) != len(names):
        count = len(lines) if isinstance(lines, list) else 1
        raise NotAnAnswer(
            f"Your function returned {count} line{'s' * (count != 1)}, where {len(names)} are asked for: "
            f"{', '.join(names)}."
        )
    return dict(zip(names, lines, strict=True))


def value_of(name: str, line: Any, values: Mapping[str, Any]) -> Array:
    """A line's values at the points of its symbols.

    Parameters
    ----------
    name : the line's, for messages
    line : a SymPy expression, a number, or a text such as ``"2*x*cos(u)"`` or ``"dy/dx = 2*x*cos(u)"``
    values : the symbols' values, equally many for each

    Raises
    ------
    NotAnAnswer
        It is no formula, or has a symbol or a function that is not known; the message says what.
    """
    text = _text(name, line).translate(_WRITTEN)
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NotAnAnswer(
            f"Line {name} cannot be read: {text[:80]!r}. Write it as in Python: * between factors, ** for powers, "
            "every bracket closed."
        ) from None
    with np.errstate(all="ignore"):
        try:
            value = _value(name, tree, values)
        except RecursionError:
            raise NotAnAnswer(f"Line {name} is nested too deeply to be read.") from None
    points = np.broadcast_shapes(*(np.shape(array) for array in values.values()))
    array = np.broadcast_to(np.asarray(value, dtype=complex), points)
    real = np.abs(array.imag) <= 1e-9 * np.abs(array)
    return np.where(real, array.real, np.nan)


def _text(name: str, line: Any) -> str:
    """A line as text. Of an equation, the right-hand side counts."""
    if line is None or line is Ellipsis:
        raise NotAnAnswer(f"Line {name} is empty.")
    if hasattr(line, "rhs") and hasattr(line, "lhs"):
        line = line.rhs
    if not isinstance(line, str | int | float | np.number) and not hasattr(line, "free_symbols"):
        raise NotAnAnswer(
            f"Line {name} is of type {type(line).__name__}; expected a SymPy expression, a number or a text."
        )
    text = str(line).strip()
    if len(text) > LONGEST:
        raise NotAnAnswer(f"Line {name} has {len(text)} characters; more than {LONGEST} are not read. Simplify it.")
    return text.rpartition("=")[2].strip()


def _value(name: str, node: ast.AST, values: Mapping[str, Any]) -> Any:
    """The value of a piece of a formula."""
    match node:
        case ast.BinOp(left, operator, right) if type(operator) in _OPERATIONS:
            return _OPERATIONS[type(operator)](_value(name, left, values), _value(name, right, values))
        case ast.UnaryOp(operator, operand) if type(operator) in _OPERATIONS:
            return _OPERATIONS[type(operator)](_value(name, operand, values))
        case ast.Constant(int() | float() as number) if not isinstance(number, bool):
            return np.complex128(min(number, 10**300))
        case ast.Name(symbol):
            if symbol not in values and symbol not in _CONSTANTS:
                raise NotAnAnswer(f"Line {name} has the symbol {symbol}; the symbols are {', '.join(values)}.")
            return np.asarray(values.get(symbol, _CONSTANTS.get(symbol)), dtype=complex)
        case ast.Call(ast.Name(function), [argument], []) if function in _FUNCTIONS:
            return _FUNCTIONS[function](_value(name, argument, values))
        case ast.Call(ast.Name("Derivative" | "Integral" | "Subs"), _, _):
            raise NotAnAnswer(
                f"In line {name} a derivative is still to be taken: carry it out (in SymPy, .doit()), or write it."
            )
        case ast.Call(ast.Name(function), _, _) if function not in values:
            raise NotAnAnswer(f"Line {name} has {function}(...), which is no function of one argument known here.")
        case ast.Call(_, _, _):
            raise NotAnAnswer(f"Line {name}: between two factors belongs a *, as in 2*(x + 1).")
    raise NotAnAnswer(f"Line {name} is no formula: {ast.unparse(node)[:80]!r} is neither a number, a symbol nor a sum.")
