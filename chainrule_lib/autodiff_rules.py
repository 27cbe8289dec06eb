"""The table of local derivatives that automatic differentiation (`chainrule_lib.autodiff`) is made of.

It says how single functions are differentiated, never how they are put together. Each belongs to one of two kinds, and
for each argument one line is all there is to know. Of y = function(a, b, ...), with the upstream gradient g = ∂L/∂y:

| kind        | its line gives                   | jvp: from a's tangent to y's | vjp: from g = ∂L/∂y to ∂L/∂a         |
|-------------|----------------------------------|------------------------------|--------------------------------------|
| ELEMENTWISE | ∂y/∂a, entry by entry            | tangent * ∂y/∂a              | g * ∂y/∂a, summed to the shape of a  |
| LINEAR      | the transposed map, g to ∂L/∂a   | function(tangent, b, ...)    | the line itself                      |

The first is the chain rule for numbers. The second needs no derivative, because the derivative of a linear map is that
map: going forward it is applied to the tangent, going backward its transpose is applied to the upstream gradient.

A function that can be written with others needs no rule at all: those are in DEFINED.

The rules are written in numpy and only with functions that have rules themselves, so they can be differentiated in
turn: that gives second derivatives. (Griewank, Walther, Evaluating Derivatives, 2nd ed., 2008, ch. 3,
doi 10.1137/1.9780898717761.)
"""

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, NamedTuple

import numpy as np

from chainrule_lib import activations
from chainrule_lib._arrays import Array

Function = Callable[..., Any]


class Rule(NamedTuple):
    """How a function y = function(*args, **options) is differentiated with respect to one of its arguments.

    Attributes:
        jvp: (tangent of the argument, y, *args, **options) → tangent of y: the Jacobian times a vector.
        vjp: (upstream gradient ∂L/∂y, y, *args, **options) → ∂L/∂argument: a vector times the Jacobian.
    """

    jvp: Function
    vjp: Function


def _like_numpy(function: Function) -> Function:
    """A function that hands over to an argument with `__array_function__`, as numpy's own functions do (NEP 18)."""

    @wraps(function)
    def dispatched(*args: Any, **options: Any) -> Any:
        for arg in args:
            if hasattr(arg, "__array_function__") and not isinstance(arg, np.ndarray):
                return arg.__array_function__(dispatched, (type(arg),), args, options)
        return function(*args, **options)

    return dispatched


sigmoid = _like_numpy(activations.sigmoid)
relu = _like_numpy(activations.relu)


@_like_numpy
def getitem(x: Array, key: Any) -> Array:
    """x[key]."""
    return x[key]


@_like_numpy
def scatter(entries: Array, key: Any, shape: tuple[int, ...]) -> Array:
    """The transpose of x[key]: zeros in `shape`, with the entries added where they came from, repeated ones twice."""
    entries = np.asarray(entries)
    zeros = np.zeros(shape, dtype=entries.dtype)
    np.add.at(zeros, key, entries)
    return zeros


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """The transpose of broadcasting: g summed over the axes along which an operand of this shape was repeated."""
    new = np.ndim(g) - len(shape)
    repeated = (axis + new for axis, size in enumerate(shape) if size == 1)
    return np.reshape(np.sum(g, axis=(*range(new), *repeated)), shape) if np.shape(g) != shape else g


def _spread(g: Any, x: Any, axis: Any) -> Any:
    """The transpose of a sum over `axis`: g repeated along the summed axes of x."""
    summed = range(np.ndim(x)) if axis is None else np.atleast_1d(np.mod(axis, np.ndim(x) or 1))
    kept = tuple(1 if a in summed else size for a, size in enumerate(np.shape(x)))
    return np.broadcast_to(np.reshape(g, kept), np.shape(x))


def _inverse(axes: Any, ndim: int) -> Any:
    """The permutation of axes that undoes this one; None, which reverses them, undoes itself."""
    return None if axes is None else np.argsort(np.mod(axes, ndim))


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """g, a and b of g's forward product a @ b as matrices: a vector is a row on its left and a column on its right."""
    A = np.reshape(a, (1, -1)) if np.ndim(a) == 1 else a
    B = np.reshape(b, (-1, 1)) if np.ndim(b) == 1 else b
    stack = np.shape(g)[: np.ndim(g) - (np.ndim(a) > 1) - (np.ndim(b) > 1)]
    return np.reshape(g, (*stack, np.shape(A)[-2], np.shape(B)[-1])), A, B


def _left_factor(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂A = G Bᵀ for the matrix product A B."""
    G, A, B = _as_matrices(g, a, b)
    return np.reshape(sum_to(G @ np.swapaxes(B, -1, -2), np.shape(A)), np.shape(a))


def _right_factor(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂B = Aᵀ G for the matrix product A B."""
    G, A, B = _as_matrices(g, a, b)
    return np.reshape(sum_to(np.swapaxes(A, -1, -2) @ G, np.shape(B)), np.shape(b))


@_like_numpy
def is_largest(x: Array, axis: Any) -> Array:
    """Where x is as large as its largest entry along the axis."""
    return np.equal(x, np.max(x, axis=axis, keepdims=True))


def _max(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The mean of the largest entries: in a tie they share the slope, as in np.maximum."""
    largest = is_largest(x, axis)
    total = np.sum(np.where(largest, x, 0.0), axis, keepdims=keepdims)
    return total / np.sum(largest, axis=axis, keepdims=keepdims)


def _var(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.mean(np.square(x - np.mean(x, axis, keepdims=True)), axis, keepdims=keepdims)


def _dot(a: Any, b: Any) -> Any:
    """The matrix product, or the product of a number with anything."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    if np.ndim(b) > 2:
        raise ValueError(f"np.dot of shape {np.shape(a)} and {np.shape(b)}: expected a @ b, for stacks of matrices.")
    return a @ b


def _concatenate(arrays: Any, axis: int = 0) -> Any:
    """Each array among zeros, at its place in the whole; then their sum."""
    shape = np.concatenate([np.zeros(np.shape(array)) for array in arrays], axis).shape
    before = (slice(None),) * (axis % len(shape))
    whole, start = np.zeros(shape), 0
    for array in arrays:
        end = start + np.shape(array)[axis]
        whole = whole + scatter(array, (*before, slice(start, end)), shape)
        start = end
    return whole


def _stack(arrays: Any, axis: int = 0) -> Any:
    new = axis % (np.ndim(arrays[0]) + 1)
    return _concatenate([np.reshape(a, (*np.shape(a)[:new], 1, *np.shape(a)[new:])) for a in arrays], new)


# ∂y/∂argument, entry by entry, for each argument; None where y does not depend on it smoothly.
ELEMENTWISE: dict[Function, tuple[Function | None, ...]] = {
    np.add: (lambda y, a, b: 1.0, lambda y, a, b: 1.0),
    np.subtract: (lambda y, a, b: 1.0, lambda y, a, b: -1.0),
    np.multiply: (lambda y, a, b: b, lambda y, a, b: a),
    np.divide: (lambda y, a, b: 1 / b, lambda y, a, b: -y / b),
    # Where the exponent is 0 the slope is 0, for a = 0 as well, where a^(-1) would make it nan; likewise log 0.
    np.power: (
        lambda y, a, n: n * a ** np.where(n == 0, 1, n - 1),
        lambda y, a, n: y * np.log(np.where(a == 0, 1, a)),
    ),
    np.negative: (lambda y, x: -1.0,),
    np.square: (lambda y, x: 2 * x,),
    np.sqrt: (lambda y, x: 0.5 / y,),
    np.absolute: (lambda y, x: 1.0 * (x > 0) - (x < 0),),
    np.exp: (lambda y, x: y,),
    np.expm1: (lambda y, x: y + 1,),
    np.log: (lambda y, x: 1 / x,),
    np.log1p: (lambda y, x: 1 / (1 + x),),
    np.sin: (lambda y, x: np.cos(x),),
    np.cos: (lambda y, x: -np.sin(x),),
    np.tan: (lambda y, x: 1 + y**2,),
    np.arctan: (lambda y, x: 1 / (1 + x**2),),
    np.tanh: (lambda y, x: 1 - y**2,),
    sigmoid: (lambda y, x: y * (1 - y),),
    relu: (lambda y, x: 1.0 * (x > 0),),
    # In a tie each argument has half of the slope, so that both together have all of it.
    np.maximum: (lambda y, a, b: (a > b) + 0.5 * (a == b), lambda y, a, b: (b > a) + 0.5 * (a == b)),
    np.minimum: (lambda y, a, b: (a < b) + 0.5 * (a == b), lambda y, a, b: (b < a) + 0.5 * (a == b)),
    np.where: (None, lambda y, c, a, b: 1.0 * np.not_equal(c, 0), lambda y, c, a, b: 1.0 * np.equal(c, 0)),
}

# ∂L/∂argument from the upstream gradient g, for each argument. A product is linear in each of its factors.
LINEAR: dict[Function, tuple[Function, ...]] = {
    np.matmul: (_left_factor, _right_factor),
    np.sum: (lambda g, x, axis=None, *, keepdims=False: _spread(g, x, axis),),
    np.mean: (lambda g, x, axis=None, *, keepdims=False: _spread(g, x, axis) / (np.size(x) / np.size(g)),),
    np.reshape: (lambda g, x, shape: np.reshape(g, np.shape(x)),),
    np.transpose: (lambda g, x, axes=None: np.transpose(g, _inverse(axes, np.ndim(x))),),
    np.swapaxes: (lambda g, x, axis1, axis2: np.swapaxes(g, axis1, axis2),),
    np.broadcast_to: (lambda g, x, shape: sum_to(g, np.shape(x)),),
    getitem: (lambda g, x, key: scatter(g, key, np.shape(x)),),
    scatter: (lambda g, entries, key, shape: getitem(g, key),),
}

# Functions that are calculated with others, which have the rules.
DEFINED: dict[Function, Function] = {
    np.max: _max,
    np.min: lambda x, axis=None, *, keepdims=False: -np.max(-x, axis, keepdims=keepdims),
    np.var: _var,
    np.dot: _dot,
    np.outer: lambda a, b: np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1)),
    np.ravel: lambda x: np.reshape(x, -1),
    np.concatenate: _concatenate,
    np.stack: _stack,
}

# What does not change when its argument moves a little: computed from plain values, and a constant from there on.
CONSTANT: frozenset[Any] = frozenset(
    {np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.argmax, np.argmin, is_largest}
    | {np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.sign}
)


def _elementwise(position: int, derivative: Function) -> Rule:
    def jvp(tangent: Any, y: Any, *args: Any) -> Any:
        return np.broadcast_to(tangent * derivative(y, *args), np.shape(y))

    def vjp(g: Any, y: Any, *args: Any) -> Any:
        return sum_to(g * derivative(y, *args), np.shape(args[position]))

    return Rule(jvp, vjp)


def _linear(position: int, function: Function, transpose: Function) -> Rule:
    def jvp(tangent: Any, _: Any, *args: Any, **options: Any) -> Any:
        return function(*args[:position], tangent, *args[position + 1 :], **options)

    def vjp(g: Any, _: Any, *args: Any, **options: Any) -> Any:
        return transpose(g, *args, **options)

    return Rule(jvp, vjp)


RULES: dict[Function, tuple[Rule | None, ...]] = {
    function: tuple(derivative and _elementwise(position, derivative) for position, derivative in enumerate(line))
    for function, line in ELEMENTWISE.items()
} | {
    function: tuple(_linear(position, function, transpose) for position, transpose in enumerate(line))
    for function, line in LINEAR.items()
}
"""The rules of every function that can be differentiated: one for each argument with a derivative."""


@cache
def signature(function: Function) -> inspect.Signature:
    """The arguments that the table covers: those of the definition, or of the line after y or the upstream gradient."""
    if function in DEFINED:
        parameters = list(inspect.signature(DEFINED[function]).parameters.values())
    else:
        line = ELEMENTWISE.get(function) or LINEAR[function]
        assert line[-1] is not None, "the last argument of every line has a rule"
        parameters = list(inspect.signature(line[-1]).parameters.values())[1:]
    return inspect.Signature([parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters])
