"""Derivatives from values of a function alone, and the check of an analytic gradient against them.

Four methods, for a function f and a step h:

| method       | formula                                   | truncation error | needs                            |
|--------------|-------------------------------------------|------------------|----------------------------------|
| `forward`    | [f(x+h) - f(x)] / h                       | h/2 · f''        |                                  |
| `central`    | [f(x+h) - f(x-h)] / 2h                    | h²/6 · f'''      |                                  |
| `richardson` | [4 central(h/2) - central(h)] / 3         | h⁴/480 · f⁽⁵⁾    |                                  |
| `complex`    | Im f(x+ih) / h                            | h²/6 · f'''      | f analytic, written for complex  |

All but the complex step subtract nearly equal numbers, so a step can be too small as well as too large; the docstring
of `numerical_gradient` derives the default steps. (Press, Teukolsky, Vetterling, Flannery, Numerical Recipes, 3rd ed.,
2007, §5.7; Squire, Trapp, SIAM Review 40, 1998, doi 10.1137/S003614459631241X; Martins, Sturdza, Alonso, ACM TOMS 29,
2003, doi 10.1145/838250.838251.)
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import Array, as_numbers, number_or_array, positive_number

Method = Literal["central", "forward", "complex", "richardson"]

EPSILON = float(np.finfo(np.float64).eps)
"""Twice the largest relative error of rounding a number to float64: 2.2e-16."""

_DEFAULT_STEP: dict[str, float] = {
    "forward": EPSILON ** (1 / 2),
    "central": EPSILON ** (1 / 3),
    "richardson": EPSILON ** (1 / 5),
    "complex": 1e-30,
}


def numerical_gradient(
    f: Callable[[Any], Any], x: ArrayLike, *, method: Method = "central", step: float | None = None
) -> Any:
    """The gradient of a scalar function f at x, one entry of x at a time.

    **The default step.** A central difference of f at x has two errors. Taylor's theorem gives the *truncation* error:

        [f(x+h) - f(x-h)] / 2h = f'(x) + h²/6 f'''(x) + ...

    And each value of f comes rounded, with an error of up to about ε|f|, ε = 2.2e-16; the difference carries twice
    that, and dividing by 2h makes it a *round-off* error of up to ε|f|/h. The sum E(h) = h²/6 |f'''| + ε|f|/h is
    least where its derivative is zero:

        h/3 |f'''| = ε|f|/h²        so        h = (3 ε |f/f'''|)^(1/3)

    |f/f'''|^(1/3) is a length: how far x must go for f to bend. Unknown, it is taken to be max(1, |x|), and 3^(1/3)
    to be 1. So h = ε^(1/3) max(1, |x|) = 6e-6 max(1, |x|), with an error of about ε^(2/3) = 4e-11. The same balance of

        h/2 |f''| with 2ε|f|/h        gives ε^(1/2) = 1.5e-8 (forward; error about ε^(1/2) = 1.5e-8),
        h⁴/480 |f⁽⁵⁾| with 3ε|f|/h    gives ε^(1/5) = 7e-4   (richardson; error about ε^(4/5) = 3e-13).

    The complex step subtracts nothing, so it has no round-off to balance: h = 1e-30, and its truncation error h²/6 f'''
    is far below ε.

    The difference is divided by the distance between the two points as they are stored: x + h is rounded too.

    **What f is given.** A float64 array x is itself changed, one entry at a time, and restored each time, also when f
    raises: so an f that ignores its argument and reads x elsewhere, as in `lambda _: network.loss(X, Y)`, works as
    well. Everything else (lists, float32, read-only arrays, and everything for `complex`) is copied to float64 or
    complex128 first: differences are taken in double precision. A Python float x arrives as a Python number.

    Args:
        f: a function from something shaped like x to one number.
        x: where to differentiate: a float or an array of any shape. Integers are refused: a step would round away.
        method: "central", "forward", "complex" or "richardson".
        step: h, for every entry of x, in the units of x; the default above where none is given.

    Returns:
        ∂f/∂x in the shape of x, float64; a Python float for a Python float.

    Raises:
        TypeError: x holds integers or complex numbers, or no numbers.
        ValueError: f returns something other than one finite number; f loses the imaginary part of a complex step;
            the step is not positive or rounds away; the method is unknown.
    """
    return _differentiate(_one_number(f, "f"), x, method, step)


def jacobian(f: Callable[[Any], Any], x: ArrayLike, *, method: Method = "central", step: float | None = None) -> Array:
    """All ∂f_i/∂x_j of an array-valued function f at x.

    Args:
        f: a function from something shaped like x to an array whose shape does not depend on x.
        x: where to differentiate, as in `numerical_gradient`.
        method: as in `numerical_gradient`.
        step: as in `numerical_gradient`.

    Returns:
        The Jacobian, in the shape of f(x) followed by the shape of x: (m, d) for f from (d,) to (m,).

    Raises:
        TypeError: as in `numerical_gradient`.
        ValueError: as in `numerical_gradient`, except that f may return an array, of one shape for all x.
    """
    return np.asarray(_differentiate(_numbers(f, "f"), x, method, step))


def directional_derivative(
    f: Callable[[Any], Any], x: ArrayLike, v: ArrayLike, *, method: Method = "central", step: float | None = None
) -> float:
    """d/dt f(x + t v) at t = 0: the slope of a scalar f in the direction v, which is the gradient's product with v.

    A cheap check of a large gradient: however many entries x has, it costs as many values of f as a single entry costs
    in `numerical_gradient`. That is one at x, to see that f is a finite number there, and next to x one more for
    `forward` and `complex`, two for `central`, four for `richardson`.

    Args:
        f: a function from something shaped like x to one number.
        x: where to differentiate; a float or an array of any shape.
        v: the direction, in the shape of x; not normalised.
        method: as in `numerical_gradient`.
        step: h, in t; where none is given, such that no entry of x moves further than in `numerical_gradient`.

    Returns:
        The derivative, a number.

    Raises:
        TypeError: as in `numerical_gradient`.
        ValueError: as in `numerical_gradient`; v does not have the shape of x.
    """
    _check_step(method, step)
    start, direction = _real_numbers(x, "x"), _real_numbers(v, "v")
    if direction.shape != start.shape:
        raise ValueError(f"v has shape {direction.shape}, x has shape {start.shape}: a direction has the shape of x.")
    if step is None:
        length = np.abs(direction).max(initial=0.0) or 1.0
        step = _default_step(method, np.abs(start).max(initial=0.0)) / length
    value = _one_number(f, "f")
    return float(_differentiate(lambda t: value(number_or_array(np.asarray(start + t * direction))), 0.0, method, step))


def relative_error(a: ArrayLike, b: ArrayLike, *, floor: float = 0.0) -> Any:
    """|a - b| / max(|a|, |b|, floor), entry by entry; 0 where a and b are equal, also where both are 0 or infinite.

    It lies between 0 and 2, where 0 is agreement, 1 is "one of them is zero", and 2 is "the sign is wrong". It is nan
    where the two differ and one is not finite.

    Args:
        a: any shape.
        b: the shape of a.
        floor: the size below which a difference is compared with this instead of with the numbers themselves.

    Returns:
        The relative errors in the shape of a; a Python float for two numbers.

    Raises:
        TypeError: a or b holds no numbers.
        ValueError: the shapes differ.
    """
    a, b = as_numbers(a, "a"), as_numbers(b, "b")
    if a.shape != b.shape:
        raise ValueError(f"a has shape {a.shape}, b has shape {b.shape}: expected the same shape for both.")
    scale = np.maximum(np.maximum(np.abs(a), np.abs(b)), floor)
    # Large numbers are halved, which is exact: the difference of two floats can be twice the largest one.
    share = np.where(scale > 1, 0.5, 1.0)
    with np.errstate(invalid="ignore"):  # 0/0 and inf/inf
        quotient = np.abs(share * a - share * b) / (share * scale)
    return number_or_array(np.asarray(np.where(a == b, 0.0, quotient)))


@dataclass(frozen=True)
class ParameterCheck:
    """How one parameter's gradient compares with the numerical one.

    Attributes:
        name: the parameter's key or position.
        shape: its shape.
        error: its largest relative error.
        index: where that is.
        analytic: the gradient given, at that index.
        numerical: the numerical gradient there.
        ok: whether the error is within the tolerance.
        unseen: whether no entry, given or numerical, is larger than what round-off in the loss may hide; then any
            gradient as small is ok, 0 too.
    """

    name: str
    shape: tuple[int, ...]
    error: float
    index: tuple[int, ...]
    analytic: float
    numerical: float
    ok: bool
    unseen: bool


@dataclass(frozen=True, repr=False)
class GradientCheck:
    """The outcome of `gradient_check`; printed, it is a table.

    Attributes:
        parameters: one entry for each parameter, in the order given.
        tolerance: the largest relative error that passes.
        method: the numerical method compared with.
        round_off: the difference that round-off in the loss may make: a smaller one is not held against a gradient.
    """

    parameters: tuple[ParameterCheck, ...]
    tolerance: float
    method: Method
    round_off: float

    @property
    def ok(self) -> bool:
        """Whether every parameter's gradient is within the tolerance."""
        return all(parameter.ok for parameter in self.parameters)

    @property
    def worst(self) -> ParameterCheck:
        """The parameter with the largest relative error."""
        return max(self.parameters, key=lambda parameter: parameter.error)

    def __repr__(self) -> str:
        unseen = any(parameter.unseen for parameter in self.parameters)
        verdict = "does not agree" if not self.ok else "agrees, as far as can be seen," if unseen else "agrees"
        lines = [f"The gradient {verdict} with the numerical one ({self.method}; tolerance {self.tolerance:.0e})."]
        width = max(len(parameter.name) for parameter in self.parameters)
        for p in self.parameters:
            place = f"[{', '.join(map(str, p.index))}]" if p.index else ""
            lines.append(
                f"  {'small' if p.unseen else 'ok   ' if p.ok else 'WRONG'}  {p.name:{width}}  {p.shape!s:10}  "
                f"worst relative error {p.error:.1e} at {p.name}{place}: "
                f"yours {p.analytic:.8g}, numerical {p.numerical:.8g}"
            )
        if unseen:
            remedy = "multiply the loss by a large number" if self.method == "complex" else "use method='complex'"
            lines.append(
                f"  small: no entry is above {self.round_off:.1e}, where round-off in the loss hides a wrong gradient, "
                f"a zero too; to see more, {remedy}."
            )
        return "\n".join(lines)


def gradient_check(
    loss: Callable[[Any], Any],
    params: Any,
    grads: Any,
    *,
    method: Method = "central",
    step: float | None = None,
    tolerance: float = 1e-6,
) -> GradientCheck:
    """Compare analytic gradients with numerical ones, entry by entry.

    **What passes.** Round-off in the loss L leaves about ε|L|/h in every difference (see `numerical_gradient`; for the
    complex step, which is not divided by h, about ε|L|). An entry smaller than that cannot be told from 0. So with a
    margin of 10 for the additions inside the loss, a difference below 10 ε max(1, |L|)/h is never held against a
    gradient. All larger ones are compared with the tolerance, which leaves room for the truncation error, 4e-11 times
    the ratio of the third to the first derivative.

    It is max(1, |L|) and not |L|, because a loss close to 0 mostly comes of numbers close to 1, as in (A - Y)² or
    log A, and carries their round-off. So of gradients that small nothing can be said: where a parameter has no larger
    entry, the outcome says so (`unseen`), and the complex step, which sees smaller ones, can decide.

    Args:
        loss: a function of the parameters, given in the structure of `params`, returning one number.
        params: an array, a list or tuple of arrays, or a dict from name to array; a float counts as an array.
        grads: the gradients to check, in the same structure, each in the shape of its parameter.
        method: as in `numerical_gradient`.
        step: as in `numerical_gradient`.
        tolerance: the largest relative error that passes.

    Returns:
        The outcome: `.ok`, `.worst`, and a readable table when printed.

    Raises:
        TypeError: a parameter holds integers, or something holds no numbers.
        ValueError: the two structures or shapes differ; a gradient is not finite; two parameters are one array or
            overlap; as in `numerical_gradient`.
    """
    named, named_grads = _named(params), _named(grads)
    if named.keys() != named_grads.keys() or not named:
        raise ValueError(
            f"params is {_structure(params)}, grads is {_structure(grads)}: expected a gradient for every parameter."
        )
    _check_step(method, step)
    tolerance = positive_number(tolerance, "tolerance")
    points = {name: v if _is_number(v) else _real_numbers(v, f"{name}") for name, v in named.items()}
    _check_apart(points)
    value = _one_number(loss, "the loss")
    size = max(1.0, abs(value(_restructured(points, params)).item()))
    h = 1.0 if method == "complex" else step or _default_step(method, 0.0)
    round_off = 10 * EPSILON * size / h
    checks = []
    for name, point in points.items():
        analytic = _real_gradient(named_grads[name], f"{name}", np.shape(point))

        def loss_of_one(p: Any, name: Hashable = name) -> Array:
            return value(_restructured({**points, name: p}, params))

        numerical = _differentiate(loss_of_one, point, method, step, f"{name}")
        checks.append(_compare(f"{name}", analytic, np.asarray(numerical), round_off, tolerance))
    return GradientCheck(tuple(checks), tolerance, method, round_off)


def _compare(name: str, analytic: Array, numerical: Array, round_off: float, tolerance: float) -> ParameterCheck:
    """One line of the outcome: where the two differ most."""
    errors = np.asarray(relative_error(analytic, numerical, floor=round_off / tolerance))
    index = tuple(int(i) for i in np.unravel_index(np.argmax(errors), errors.shape))
    error = float(errors[index])
    ok = error <= tolerance
    unseen = ok and bool(np.all(np.maximum(np.abs(analytic), np.abs(numerical)) <= round_off))
    return ParameterCheck(
        name, analytic.shape, error, index, float(analytic[index]), float(numerical[index]), ok, unseen
    )


def _check_apart(points: Mapping[Hashable, Any]) -> None:
    """No two parameters may share numbers: one is changed at a time, where it stands."""
    for (one, a), (other, b) in combinations(points.items(), 2):
        if np.shares_memory(a, b):
            raise ValueError(
                f"{one} and {other} share their numbers, so neither can change alone: give a copy of one, such as "
                "W.copy(), or, where the loss uses one array twice, that array once with the sum of its gradients."
            )


def _real_gradient(grad: ArrayLike, name: str, shape: tuple[int, ...]) -> Array:
    """A gradient handed over for checking: real, finite, and in the shape of its parameter."""
    array = as_numbers(grad, f"the gradient of {name}")
    if array.shape != shape:
        raise ValueError(
            f"The gradient of {name} has shape {array.shape}, {name} has shape {shape}: "
            "a gradient has the shape of its parameter."
        )
    if np.iscomplexobj(array) or array.size == 0 or not np.all(np.isfinite(array)):
        raise ValueError(f"The gradient of {name} is empty or has entries that are not finite: expected real numbers.")
    return array


def _named(values: Any) -> dict[Hashable, Any]:
    """The arrays of a structure by name: a dict's keys, a list's positions, or "params" where it is one array."""
    if isinstance(values, Mapping):
        return dict(values)
    if isinstance(values, list | tuple):
        return {f"params[{i}]": value for i, value in enumerate(values)}
    return {"params": values}


def _restructured(named: Mapping[Hashable, Any], like: Any) -> Any:
    """The inverse of `_named`: the same arrays in the structure of `like`."""
    if isinstance(like, Mapping):
        return dict(named)
    if isinstance(like, list | tuple):
        return list(named.values()) if isinstance(like, list) else tuple(named.values())
    return named["params"]


def _structure(values: Any) -> str:
    """A structure in words."""
    if isinstance(values, Mapping):
        return f"a dict of {', '.join(map(repr, values)) or 'nothing'}"
    if isinstance(values, list | tuple):
        return f"a {'list' if isinstance(values, list) else 'tuple'} of {len(values)}"
    return "None" if values is None else "one array"


def _is_number(x: ArrayLike) -> bool:
    return np.ndim(x) == 0 and not isinstance(x, np.ndarray)


def _real_numbers(x: ArrayLike, name: str) -> Array:
    """x as a writable float64 array: x itself where it is one, so that it can be perturbed in place, else a copy."""
    array = as_numbers(x, name)
    if np.iscomplexobj(array):
        raise TypeError(f"{name} holds complex numbers: expected real ones.")
    if np.asarray(x).dtype.kind != "f":
        raise TypeError(
            f"{name} holds integers, in which a small step rounds away: expected floats, such as 2.0 for 2, or "
            f"np.array({name}, dtype=float)."
        )
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} has entries that are not finite: expected numbers to differentiate at.")
    return array if array.dtype == np.float64 and array.flags.writeable else array.astype(np.float64)


def _numbers(f: Callable[[Any], Any], label: str) -> Callable[[Any], Array]:
    """f with its value checked and copied: f may return the very array that is perturbed next."""

    def value(x: Any) -> Array:
        result = f(x)
        if result is None:
            raise ValueError(f"The value of {label} is None: expected numbers. Does it end with a return?")
        array = as_numbers(result, f"the value of {label}").copy()
        if not np.all(np.isfinite(array)):
            raise ValueError(f"The value of {label} is {number_or_array(array)}: a derivative needs finite values.")
        return array

    return value


def _one_number(f: Callable[[Any], Any], label: str) -> Callable[[Any], Array]:
    """f with its value checked to be one number."""
    numbers = _numbers(f, label)

    def value(x: Any) -> Array:
        array = numbers(x)
        if array.ndim > 0:
            raise ValueError(
                f"The value of {label} has shape {array.shape}: expected one number, such as a sum or a mean. "
                "The derivative of an array is a jacobian."
            )
        return array

    return value


def _check_step(method: Method, step: float | None) -> None:
    if method not in get_args(Method):
        raise ValueError(f"method is {method!r}: expected one of {', '.join(map(repr, get_args(Method)))}.")
    if step is not None:
        positive_number(step, "step")


def _default_step(method: Method, size: float) -> float:
    """The step derived in `numerical_gradient` for an entry of this size."""
    return _DEFAULT_STEP[method] * (1.0 if method == "complex" else max(1.0, size))


def _differentiate(f: Callable[[Any], Array], x: ArrayLike, method: Method, step: float | None, name: str = "x") -> Any:
    """The derivative of f by every entry of x, in the shape of f(x) followed by the shape of x."""
    _check_step(method, step)
    point = _real_numbers(x, name)
    if method == "complex":
        point = point.astype(np.complex128)
    is_number = _is_number(x)

    def value() -> Array:
        return f(point.item() if is_number else point)

    here = value()
    if np.iscomplexobj(here) and method != "complex":
        raise ValueError(f"The function is complex at a real {name}: expected real values.")
    slopes = []
    for index in np.ndindex(point.shape):
        centre = point[index]

        def along(t: complex, index: tuple[int, ...] = index) -> Array:
            point[index] = t
            there = value()
            if there.shape != here.shape:
                raise ValueError(
                    f"The function's value has shape {here.shape} at {name} and {there.shape} next to it: "
                    "a derivative needs one shape everywhere."
                )
            return there

        try:
            slopes.append(_slope(along, centre, step or _default_step(method, float(abs(centre))), method, here))
        finally:
            point[index] = centre
    shape = here.shape + point.shape
    derivative = np.stack(slopes, axis=-1).reshape(shape) if slopes else np.zeros(shape)
    return number_or_array(derivative) if is_number else derivative


def _slope(along: Callable[[complex], Array], centre: Any, h: float, method: Method, here: Array) -> Array:
    """dφ/dt at t = centre, for φ = `along` with φ(centre) = `here`."""
    if method == "complex":
        value = along(centre + 1j * h)
        if not np.iscomplexobj(value):
            raise ValueError(
                "The function is real at a complex point: it does not depend on its argument, or it drops the "
                "imaginary part (float, abs, max, .real). Use method='central'."
            )
        return value.imag / h
    if method == "richardson":
        coarse, fine = (_slope(along, centre, step, "central", here) for step in (h, h / 2))
        return (4 * fine - coarse) / 3
    right = centre + h
    left = centre if method == "forward" else centre - h
    if right == left:
        raise ValueError(f"A step of {h:.1e} rounds away next to {centre:.1e}: choose a larger step.")
    return (along(right) - (here if method == "forward" else along(left))) / (right - left)
