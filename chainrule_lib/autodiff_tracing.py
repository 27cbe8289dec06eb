"""Values that remember where they come from: how a function written in numpy is taken apart into operations.

Both modes of `chainrule_lib.autodiff` run a function on such values. Every numpy function and every operator that meets
one arrives at `calculate`, by numpy's protocols for foreign arrays (NEP 13, NEP 18). There it is looked up in the table
of derivatives, `chainrule_lib.autodiff_rules`, computed on what is underneath, and its result is traced in turn. What a
traced value remembers is left to the modes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from chainrule_lib._arrays import as_numbers
from chainrule_lib.autodiff_rules import CONSTANT, DEFINED, RULES, Function, Rule, getitem, scatter, signature


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

    Derivatives nest: the value may itself be traced, by a differentiation that was started earlier. Each one has a
    level, higher than those started before it. An operation belongs to the highest level among its arguments, and takes
    what is on lower levels for constants. So an inner derivative never takes an outer one's tangents for its own
    ("perturbation confusion": Siskind, Pearlmutter, IFL 2005).

    Attributes:
        level: that of the differentiation which the value belongs to.
        value: what that differentiation takes it for: a number or array, or a value traced on a lower level.
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
        return calculate(ufunc, args, options)

    def __array_function__(self, function: Function, types: Any, args: tuple[Any, ...], options: Any) -> Any:
        return calculate(function, args, options)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"A {type(self).__name__} would lose its derivative as a plain number or as an entry of a plain array: "
            "expected numpy's functions (np.stack joins several values), sigmoid and relu of chainrule_lib.autodiff, "
            "and .value for a constant."
        )

    __float__ = __int__ = __complex__ = __array__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def __bool__(self) -> bool:
        return bool(plain(self))

    def __len__(self) -> int:
        return len(np.asarray(plain(self)))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return getitem(self, key)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return np.shape(plain(self))

    @property
    def ndim(self) -> int:
        """The number of axes of the value."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries of the value."""
        return int(np.size(plain(self)))

    @property
    def T(self) -> Any:
        """np.transpose(self)."""
        return self.transpose()

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """np.sum(self, axis, keepdims=keepdims)."""
        return calculate(np.sum, (self, axis), {"keepdims": keepdims})

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """np.mean(self, axis, keepdims=keepdims)."""
        return calculate(np.mean, (self, axis), {"keepdims": keepdims})

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """np.max(self, axis, keepdims=keepdims)."""
        return calculate(np.max, (self, axis), {"keepdims": keepdims})

    def reshape(self, *shape: Any) -> Any:
        """np.reshape(self, shape), with the shape as a tuple or as several numbers."""
        return calculate(np.reshape, (self, shape[0] if len(shape) == 1 else shape), {})

    def transpose(self, *axes: Any) -> Any:
        """np.transpose(self, axes), with the axes as a tuple, as several numbers, or left out."""
        return calculate(np.transpose, (self, axes[0] if len(axes) == 1 else axes or None), {})


def calculate(function: Function, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """A numpy function of traced arguments: its value, traced at the highest of their levels.

    Raises:
        TypeError: the function has no derivative rule, or none for these options; an argument holds no numbers.
        ValueError: the shapes do not fit.
    """
    if function in CONSTANT:
        return function(*map(plain, args), **options)
    _check_known(function, args, options)
    if function in DEFINED:
        return DEFINED[function](*args, **options)
    rules = RULES[function]
    level = max(map(level_of, args))
    inputs = {i: args[i] for i, rule in enumerate(rules) if rule is not None and level_of(args[i]) == level}

    def underneath(i: int, arg: Any) -> Any:
        if i >= len(rules) or rules[i] is None:
            return plain(arg)  # a shape, an axis, a condition
        return numbers(arg.value if i in inputs else arg, f"Argument {i + 1} of {_name(function)}")

    inner = tuple(underneath(i, arg) for i, arg in enumerate(args))
    try:
        value = function(*inner, **options)
    except ValueError as error:
        if any(map(level_of, inner)):
            raise  # it has been explained one level below
        shapes = " and ".join(str(np.shape(arg)) for arg in inner[: len(rules)])
        raise ValueError(f"{_name(function)} of shape {shapes} fails: {error}") from None
    if not inputs:
        return value
    return next(iter(inputs.values()))._result(Operation(value, function, inner, options), inputs)


def _check_known(function: Function, args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
    """Refuse a function that is not in the table, or is called in a way that the table does not cover."""
    if function not in RULES and function not in DEFINED:
        known = ", ".join(sorted(map(_name, (RULES.keys() | DEFINED.keys()) - {getitem, scatter})))
        raise TypeError(f"{_name(function)} has no derivative rule: expected one of {known}.")
    try:
        signature(function).bind(*args, **options)
    except TypeError as error:
        raise TypeError(f"{_name(function)} has a derivative rule for {signature(function)} only: {error}.") from None


def _name(function: Function) -> str:
    """A function as it is written in a program."""
    name = getattr(function, "__name__", repr(function))
    return f"np.{name}" if getattr(np, name, None) is function else name


def level_of(x: Any) -> int:
    """The level of a traced value; 0 for a plain one."""
    return x.level if isinstance(x, Traced) else 0


def plain(x: Any) -> Any:
    """The number or array under all levels."""
    while isinstance(x, Traced):
        x = x.value
    return x


def numbers(x: Any, name: str) -> Any:
    """x for calculating: a traced value as it is, anything else as an array of numbers.

    Raises:
        TypeError: x holds no numbers.
    """
    return x if isinstance(x, Traced) else as_numbers(x, name)


def map_structure(function: Callable[..., Any], x: Any, *others: Any) -> Any:
    """The function of each number or array in x, and of those in the same places of the others, in x's structure.

    Raises:
        ValueError: another does not have the structure of x.
    """
    branches = _branches(x)
    if branches is None:
        return function(x, *others)
    mapped = {}
    for key, branch in branches.items():
        mapped[key] = map_structure(function, branch, *(_branch(other, key, branches) for other in others))
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
