"""Automatic differentiation: exact derivatives of functions written in numpy, operation by operation.

Both modes run the function once, on numbers that remember, and look up the local derivatives of every operation in the
table of `chainrule_lib.autodiff_rules`:

- *Forward mode* carries a tangent along with each value, as a `Dual` number. One run gives the derivative in one
  direction, J v, of all outputs: `jvp`, the Jacobian-vector product.
- *Reverse mode* writes every operation on a `Tape`, then goes back over it and sends the upstream gradient of each
  result on to its operands. One run gives uᵀ J, the derivative of one combination of the outputs by all inputs: `vjp`,
  the vector-Jacobian product, and `grad`, where there is one output.

The function is ordinary numpy: + - * / ** @, indexing, np.exp, np.log, np.sin, np.cos, np.tanh, np.maximum, np.where,
np.sum, np.mean, np.reshape, np.transpose and whatever else is in the table, with broadcasting; and `sigmoid` and `relu`
from this module. So the same function can be handed to `chainrule_lib.numerical`. The modes nest: `jvp(grad(f), x, v)`
is the Hessian of f times v (Pearlmutter, Neural Computation 6, 1994, doi 10.1162/neco.1994.6.1.147).

(Wengert, CACM 7, 1964, doi 10.1145/355586.364791, for the list of operations that the tape is; Griewank, Walther,
Evaluating Derivatives, 2nd ed., 2008, doi 10.1137/1.9780898717761; Baydin, Pearlmutter, Radul, Siskind, JMLR 18, 2018.)
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike

from chainrule_lib._arrays import as_numbers, number_or_array
from chainrule_lib.autodiff_rules import (
    CONSTANT,
    RULES,
    Function,
    Rule,
    getitem,
    relu,
    scatter,
    sigmoid,
    signature,
)

__all__ = ["Dual", "Operation", "Tape", "Traced", "Variable", "grad", "jvp", "relu", "sigmoid", "value_and_grad", "vjp"]

# --- What both modes share: operations, and values that remember ------------------------------------------------------


class Operation(NamedTuple):
    """One operation of a calculation, value = function(*args, **options), and its local derivatives.

    Attributes:
        value: the result.
        function: a function of the table; None for an input, which nothing computes.
        args: its arguments, as plain as the value is.
        options: its keyword arguments.
    """

    value: Any
    function: Function | None = None
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = {}

    def jvp(self, position: int, tangent: Any) -> Any:
        """The tangent that the value gets from the argument at this position, when that moves by `tangent`."""
        return self._rule(position).jvp(tangent, self.value, *self.args, **self.options)

    def vjp(self, position: int, upstream: Any) -> Any:
        """The gradient that the argument at this position gets from the value, whose own is `upstream`."""
        return self._rule(position).vjp(upstream, self.value, *self.args, **self.options)

    def _rule(self, position: int) -> Rule:
        rule = None if self.function is None else RULES[self.function][position]
        assert rule is not None, "only arguments with a rule are differentiated"
        return rule


class Traced(NDArrayOperatorsMixin):
    """A number or array that remembers where it comes from, and otherwise behaves as its value does in numpy.

    All operators and numpy functions arrive at `_calculate`, by numpy's protocols for foreign arrays (NEP 13, NEP 18).

    Attributes:
        level: which differentiation it belongs to; see `_levels`.
        value: what that differentiation takes it for: a number or array, or a value traced by an outer one.
    """

    level: int
    value: Any

    def _result(self, operation: Operation, inputs: dict[int, Any]) -> "Traced":
        """The traced value of an operation; `inputs` are its arguments of this level, by position."""
        raise NotImplementedError

    def __array_ufunc__(self, ufunc: Function, method: str, *args: Any, **options: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"{_name(ufunc)}.{method} has no derivative rule: expected {_name(ufunc)} by itself.")
        (out,) = options.pop("out", (None,))
        # x += y asks for out=x. A traced x is left as it was recorded; the name x gets the new value.
        if not (out is None or (out is self and args[0] is self)):
            raise TypeError(
                f"{_name(ufunc)} would write a {type(self).__name__} into a plain array, where its derivative is lost: "
                "expected x = x + y instead of x += y."
            )
        return _calculate(ufunc, args, options)

    def __array_function__(self, function: Function, types: Any, args: tuple[Any, ...], options: Any) -> Any:
        return _calculate(function, args, options)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"A {type(self).__name__} would lose its derivative as a plain number or as an entry of a plain array: "
            "expected numpy's functions, or sigmoid and relu of chainrule_lib.autodiff, and .value for a constant."
        )

    __float__ = __int__ = __complex__ = __array__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def __bool__(self) -> bool:
        return bool(_plain(self))

    def __len__(self) -> int:
        return len(np.asarray(_plain(self)))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return getitem(self, key)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return np.shape(_plain(self))

    @property
    def ndim(self) -> int:
        """The number of axes of the value."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries of the value."""
        return int(np.size(_plain(self)))

    @property
    def T(self) -> Any:
        """np.transpose(self)."""
        return self.transpose()

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """np.sum(self, axis, keepdims=keepdims)."""
        return _calculate(np.sum, (self, axis), {"keepdims": keepdims})

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """np.mean(self, axis, keepdims=keepdims)."""
        return _calculate(np.mean, (self, axis), {"keepdims": keepdims})

    def reshape(self, *shape: Any) -> Any:
        """np.reshape(self, shape), with the shape as a tuple or as several numbers."""
        return _calculate(np.reshape, (self, shape[0] if len(shape) == 1 else shape), {})

    def transpose(self, *axes: Any) -> Any:
        """np.transpose(self, axes), with the axes as a tuple, as several numbers, or left out."""
        return _calculate(np.transpose, (self, axes[0] if len(axes) == 1 else axes or None), {})


def _calculate(function: Function, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """A numpy function of traced arguments: its value, traced at the highest of their levels."""
    if function in CONSTANT:
        return function(*map(_plain, args), **options)
    rules = _rules(function, args, options)
    level = max(map(_level, args))
    positions = [i for i, rule in enumerate(rules) if rule is not None and _level(args[i]) == level]
    inner = tuple(
        _numbers(arg.value if i in positions else arg, f"Argument {i + 1} of {_name(function)}")
        if i < len(rules) and rules[i] is not None
        else _plain(arg)
        for i, arg in enumerate(args)
    )
    try:
        value = function(*inner, **options)
    except ValueError as error:
        if any(map(_level, inner)):
            raise
        shapes = " and ".join(str(np.shape(arg)) for arg in inner[: len(rules)])
        raise ValueError(f"{_name(function)} of shape {shapes} fails: {error}") from None
    if not positions:
        return value
    inputs = {i: args[i] for i in positions}
    return inputs[positions[0]]._result(Operation(value, function, inner, options), inputs)


# Each differentiation has a level of its own, above those that were started before it. An operation belongs to the
# highest level among its arguments, and for that level all others are constants. So an inner derivative never takes an
# outer one's tangents for its own ("perturbation confusion": Siskind, Pearlmutter, IFL 2005). The numbers left free
# between two levels are for dual numbers of traced values made by hand.
_levels = count(100, 100)


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
        self.value = _presented(_numbers(value, "The value"))
        self.tangent = _presented(_fitting(tangent, "The tangent", value, "the value"))
        self.level = 1 + max(_level(value), _level(tangent)) if level is None else level

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.tangent!r})"

    def _result(self, operation: Operation, inputs: dict[int, "Dual"]) -> "Dual":
        tangents = {position: _numbers(dual.tangent, "The tangent") for position, dual in inputs.items()}
        tangent = sum(operation.jvp(position, tangent) for position, tangent in tangents.items())
        return Dual(operation.value, tangent, level=self.level)


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
    y = f(_map(lambda x, v: Dual(x, v, level=level), x, v), *others)

    def value_of(y: Any) -> Any:
        return _handed_over(y.value if _level(y) == level else _numbers(y, "The value of f"))

    def tangent_of(y: Any) -> Any:
        return _handed_over(y.tangent if _level(y) == level else np.zeros(np.shape(y)))

    return _map(value_of, y), _map(tangent_of, y)


# --- Reverse mode -----------------------------------------------------------------------------------------------------


class Tape:
    """The operations of a forward pass, in the order in which they were done.

    Attributes:
        level: that of its variables.
        operations: what was done; an input counts as an operation without arguments.
        parents: for each operation, the argument positions that are on the tape, and their places there.
    """

    def __init__(self) -> None:
        self.level = next(_levels)
        self.operations: list[Operation] = []
        self.parents: list[dict[int, int]] = []

    def variable(self, value: Any) -> "Variable":
        """An input, to differentiate by: a copy of the value, which may change before the backward pass."""
        return self.record(Operation(_handed_over(_numbers(value, "The value"))), {})

    def record(self, operation: Operation, parents: dict[int, int]) -> "Variable":
        """Write an operation on the tape."""
        self.operations.append(operation)
        self.parents.append(parents)
        return Variable(self, len(self.operations) - 1)

    def pull_back(self, end: int, upstream: Any) -> dict[int, Any]:
        """The backward pass.

        An operation comes after its arguments on the tape. So going back, an operation is met when everything that uses
        its value has already been met, and its gradient is complete.

        Args:
            end: the place of the output y.
            upstream: ∂L/∂y, in the shape of y.

        Returns:
            ∂L/∂value for each place on the tape that y depends on.
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
        self.value = _presented(tape.operations[place].value)

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
    inputs = _map(tape.variable, x)
    y = f(inputs, *others)
    end = y.place if _level(y) == tape.level else None
    value = _handed_over(y.value if end is not None else _numbers(y, "The value of f"))

    def pull_back(upstream: ArrayLike) -> Any:
        g = _fitting(upstream, "The upstream gradient", value, "the value of f")
        gradients = {} if end is None else tape.pull_back(end, g)
        return _map(lambda x: _handed_over(gradients.get(x.place, np.zeros_like(x))), inputs)

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


# --- Small things -----------------------------------------------------------------------------------------------------


def _level(x: Any) -> int:
    return x.level if isinstance(x, Traced) else 0


def _plain(x: Any) -> Any:
    """The number or array under all levels."""
    while isinstance(x, Traced):
        x = x.value
    return x


def _numbers(x: Any, name: str) -> Any:
    """x for calculating: a traced value as it is, anything else as an array of numbers."""
    return x if isinstance(x, Traced) else as_numbers(x, name)


def _presented(x: Any) -> Any:
    """x for looking at: a number where it has no dimensions."""
    return x if isinstance(x, Traced) else number_or_array(np.asarray(x))


def _handed_over(x: Any) -> Any:
    """x for the caller: a copy, which can be changed without changing anything that was recorded."""
    return x if isinstance(x, Traced) else _presented(np.array(x))


def _fitting(x: Any, name: str, other: Any, other_name: str) -> Any:
    """x for calculating, in the shape of the other."""
    x = _numbers(x, name)
    if np.shape(x) != np.shape(other):
        raise ValueError(
            f"{name} has shape {np.shape(x)}, {other_name} has shape {np.shape(other)}: expected the same shape."
        )
    return x


def _name(function: Function) -> str:
    """A function as it is written in a program."""
    name = getattr(function, "__name__", repr(function))
    return f"np.{name}" if getattr(np, name, None) is function else name


def _rules(function: Function, args: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[Rule | None, ...]:
    """The rules of a function, if they cover this call of it."""
    if function not in RULES:
        known = ", ".join(sorted(map(_name, RULES.keys() - {getitem, scatter})))
        raise TypeError(f"{_name(function)} has no derivative rule: expected one of {known}.")
    if options or len(args) != len(RULES[function]):
        try:
            signature(function).bind(*args, **options)
        except TypeError as error:
            raise TypeError(
                f"{_name(function)} has a derivative rule for {signature(function)} only: {error}."
            ) from None
    return RULES[function]


def _map(function: Callable[..., Any], x: Any, *others: Any) -> Any:
    """The function of each number or array in x, and of those in the same places of the others, in x's structure."""
    branches = _branches(x)
    if branches is None:
        return function(x, *others)
    mapped = {}
    for key, branch in branches.items():
        mapped[key] = _map(function, branch, *(_branch(other, key, branches) for other in others))
    if isinstance(x, Mapping):
        return mapped
    return type(x)(*mapped.values()) if hasattr(x, "_fields") else type(x)(mapped.values())


def _branches(x: Any) -> dict[Any, Any] | None:
    """What a list, tuple or dict holds, by place or name; None for anything else."""
    if isinstance(x, list | tuple):
        return dict(enumerate(x))
    return dict(x) if isinstance(x, Mapping) else None


def _branch(v: Any, key: Any, expected: dict[Any, Any]) -> Any:
    branches = _branches(v)
    if branches is None or branches.keys() != expected.keys():
        given = f"is {type(v).__name__}" if branches is None else f"has the entries {list(branches)}"
        raise ValueError(f"v {given}, x has the entries {list(expected)}: expected a direction in the structure of x.")
    return branches[key]
