"""Automatic differentiation: exact derivatives of functions written in numpy, operation by operation.

Both modes run the function once, on numbers that remember, and look up the local derivatives of every operation in the
table of `chainrule_lib.autodiff_rules`:

- *Forward mode* carries a tangent along with each value, as a `Dual` number. One run gives the derivative in one
  direction, J v, of all outputs: `jvp`, the Jacobian-vector product.
- *Reverse mode* writes every operation on a `Tape`, then goes back over it and sends the upstream gradient of each
  result on to its operands. One run gives uᵀ J, the derivative of one combination of the outputs by all inputs: `vjp`,
  the vector-Jacobian product, and `grad`, where there is one output.

The function is ordinary numpy: + - * / ** @, indexing, np.exp, np.log, np.sin, np.cos, np.tanh, np.maximum, np.where,
np.sum, np.mean, np.max, np.reshape, np.stack and whatever else is in the table, with broadcasting; and `sigmoid` and
`relu` from this module. So the same function can be handed to `chainrule_lib.numerical`. How numpy's functions find
their way here is the business of `chainrule_lib.autodiff_tracing`. The modes nest: `jvp(grad(f), x, v)` is the Hessian
of f times v (Pearlmutter, Neural Computation 6, 1994, doi 10.1162/neco.1994.6.1.147).

(Wengert, CACM 7, 1964, doi 10.1145/355586.364791, for the list of operations that the tape is; Griewank, Walther,
Evaluating Derivatives, 2nd ed., 2008, doi 10.1137/1.9780898717761; Baydin, Pearlmutter, Radul, Siskind, JMLR 18, 2018.)
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import number_or_array
from chainrule_lib.autodiff_rules import relu, sigmoid
from chainrule_lib.autodiff_tracing import Operation, Traced, level_of, map_structure, numbers

__all__ = ["Dual", "Tape", "Variable", "grad", "jvp", "relu", "sigmoid", "value_and_grad", "vjp"]

# A level for each differentiation (see `Traced`). The gaps are for dual numbers made by hand, inside one.
_levels = count(100, 100)


# --- Reverse mode -----------------------------------------------------------------------------------------------------


class Tape:
    """The operations of a forward pass, in the order in which they were done.

    Attributes:
        operations: what was done; an input counts as an operation without arguments.
        parents: for each operation, the argument positions that are on the tape, and their places there.
        level: that of its variables.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.parents: list[dict[int, int]] = []
        self.level = next(_levels)

    def variable(self, value: Any) -> "Variable":
        """An input, to differentiate by: a copy of the value, which may change before the backward pass."""
        return self.record(Operation(_copy(numbers(value, "The value"))), {})

    def record(self, operation: Operation, parents: dict[int, int]) -> "Variable":
        """Write an operation on the tape."""
        self.operations.append(operation)
        self.parents.append(parents)
        return Variable(self, len(self.operations) - 1)

    def pull_back(self, end: int, upstream: Any) -> dict[int, Any]:
        """The backward pass: from ∂L/∂y of the output y, at place `end`, to ∂L/∂value of each place that y depends on.

        An operation comes after its arguments on the tape. So going back, an operation is met when everything that uses
        its value has already been met, and its gradient is complete.
        """
        gradients = {end: upstream}
        for place in range(end, -1, -1):
            if place in gradients:
                for position, parent in self.parents[place].items():
                    gradient = self.operations[place].vjp(position, gradients[place])
                    # A value that is used twice reaches the output on two paths, and their gradients add up.
                    gradients[parent] = gradients[parent] + gradient if parent in gradients else gradient
        return gradients


class Variable(Traced):
    """A value on a tape.

    Attributes:
        tape: where it is recorded.
        place: the number of its operation there.
    """

    def __init__(self, tape: Tape, place: int) -> None:
        self.tape, self.place, self.level = tape, place, tape.level
        self.value = _number_or_array(tape.operations[place].value)

    def _result(self, operation: Operation, inputs: dict[int, "Variable"]) -> "Variable":
        return self.tape.record(operation, {position: variable.place for position, variable in inputs.items()})


def vjp(f: Callable[..., Any], x: Any, *others: Any) -> tuple[Any, Callable[[ArrayLike], Any]]:
    """Reverse mode: the value of f at x, and the way back from the gradient of that value to the gradient of x.

    Args:
        f: a function of x and the others, returning a number or an array.
        x: where to differentiate: a number, an array, or a list, tuple or dict of them.
        others: f's other arguments, which are constants.

    Returns:
        y = f(x), and the function from ∂L/∂y, in the shape of y, to ∂L/∂x, in the structure and the shapes of x. It can
        be called as often as there are upstream gradients; nothing adds up from call to call.

    Raises:
        TypeError: x or f(x) holds no numbers, or f uses something that has no derivative rule.
        ValueError: the shapes inside f do not fit; in the way back, ∂L/∂y does not have the shape of y.
    """
    tape = Tape()
    inputs = map_structure(tape.variable, x)
    y = f(inputs, *others)
    end = y.place if level_of(y) == tape.level else None  # None: y does not depend on x
    value = _copy(numbers(y, "The value of f") if end is None else y.value)

    def pull_back(upstream: ArrayLike) -> Any:
        g = _fitting(upstream, "The upstream gradient", value, "the value of f")
        gradients = {} if end is None else tape.pull_back(end, g)
        return map_structure(lambda x: _copy(gradients.get(x.place, np.zeros_like(x))), inputs)

    return value, pull_back


def value_and_grad(f: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """From a scalar function to the function that gives its value and its gradient, in one pass forward and one back.

    Args:
        f: a function of x, and of others, returning one number.

    Returns:
        A function of the same arguments: f's value, and ∂f/∂x as in `grad`.

    Raises:
        TypeError: when called: as in `vjp`.
        ValueError: when called: f does not return one number, or the shapes inside f do not fit.
    """

    def value_and_gradient(x: Any, *others: Any) -> tuple[Any, Any]:
        value, pull_back = vjp(f, x, *others)
        if np.shape(value) != ():
            raise ValueError(
                f"The value of f has shape {np.shape(value)}: expected one number, such as a sum or a mean. "
                "For an array there is vjp, which takes an upstream gradient."
            )
        return value, pull_back(np.ones_like(value))

    return value_and_gradient


def grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """From a scalar function to its gradient with respect to the first argument.

    Args:
        f: a function of x, and of others, returning one number.

    Returns:
        A function of the same arguments: ∂f/∂x in the structure and the shapes of x, which is a number, an array, or a
        list, tuple or dict of them. (A list is several parameters; a vector is an array.) The others are constants.

    Raises:
        TypeError: when called: as in `vjp`.
        ValueError: when called: as in `value_and_grad`.

    Example:
        >>> grad(lambda x: x * x)(3.0)
        6.0
    """

    def gradient(x: Any, *others: Any) -> Any:
        return value_and_grad(f)(x, *others)[1]

    return gradient


# --- Forward mode -----------------------------------------------------------------------------------------------------


class Dual(Traced):
    """A dual number a + b ε with ε² = 0: a value, and the tangent b with which it moves.

    f(a + b ε) = f(a) + f'(a) b ε, because all further terms of the Taylor series carry an ε². So calculating with dual
    numbers calculates derivatives (Clifford, Proc. London Math. Soc. 4, 1873; Griewank, Walther 2008, ch. 3.1).

    Attributes:
        value: a, a number or an array.
        tangent: b, in the shape of the value.

    Example:
        >>> x = Dual(3.0, 1.0)
        >>> x * x + 1
        Dual(10.0, 6.0)
    """

    def __init__(self, value: Any, tangent: Any, *, level: int | None = None) -> None:
        """Join a value and its tangent.

        Args:
            value: a number or an array; or a traced value, for derivatives of derivatives.
            tangent: in the shape of the value; 1.0 for what is differentiated by. A constant needs no Dual.
            level: which differentiation it belongs to; by hand, none is given.

        Raises:
            TypeError: one of them holds no numbers.
            ValueError: the shapes differ.
        """
        self.value = _number_or_array(numbers(value, "The value"))
        self.tangent = _number_or_array(_fitting(tangent, "The tangent", value, "the value"))
        self.level = 1 + max(level_of(value), level_of(tangent)) if level is None else level

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.tangent!r})"

    def _result(self, operation: Operation, inputs: dict[int, "Dual"]) -> "Dual":
        moved = [operation.jvp(i, numbers(dual.tangent, "The tangent")) for i, dual in inputs.items()]
        return Dual(operation.value, sum(moved), level=self.level)


def jvp(f: Callable[..., Any], x: Any, v: Any, *others: Any) -> tuple[Any, Any]:
    """Forward mode: the value of f at x, and its derivative in the direction v.

    Args:
        f: a function of x and the others. It may return a list, tuple or dict too, as the gradient of a list does.
        x: where to differentiate: a number, an array, or a list, tuple or dict of them.
        v: the direction, in the structure and the shapes of x.
        others: f's other arguments, which are constants.

    Returns:
        f(x), and d/dt f(x + t v) at t = 0 in its shape.

    Raises:
        TypeError: x, v or f(x) holds no numbers, or f uses something that has no derivative rule.
        ValueError: v does not have the structure and the shapes of x, or the shapes inside f do not fit.

    Example:
        >>> jvp(lambda x: x * x, 3.0, 1.0)
        (9.0, 6.0)
    """
    level = next(_levels)
    y = f(map_structure(lambda x, v: Dual(x, v, level=level), x, v), *others)

    def value_of(y: Any) -> Any:
        return _copy(y.value if level_of(y) == level else numbers(y, "The value of f"))

    def tangent_of(y: Any) -> Any:
        return _copy(y.tangent if level_of(y) == level else np.zeros(np.shape(y)))

    return map_structure(value_of, y), map_structure(tangent_of, y)


# --- What comes in, and what is handed out ----------------------------------------------------------------------------


def _number_or_array(x: Any) -> Any:
    """x as a Python number where it has no dimensions; a traced value as it is."""
    return x if isinstance(x, Traced) else number_or_array(np.asarray(x))


def _copy(x: Any) -> Any:
    """x for others to change, without changing anything that was recorded."""
    return x if isinstance(x, Traced) else number_or_array(np.array(x))


def _fitting(x: Any, name: str, other: Any, other_name: str) -> Any:
    """x for calculating, in the shape of the other."""
    x = numbers(x, name)
    if np.shape(x) != np.shape(other):
        raise ValueError(
            f"{name} has shape {np.shape(x)}, {other_name} has shape {np.shape(other)}: expected the same shape."
        )
    return x
