"""The formulas of lesson 03: series against SymPy's, error bounds and definitions against the library's functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy

from chainrule_lib import directional_derivative, numerical_gradient, relative_error
from chainrule_lib.numerical import EPSILON
from chainrule_lib.widgets.differences import EXAMPLES, round_off, truncation_error

h = sympy.Symbol("h", positive=True)
d = sympy.symbols("d0:9", real=True)  # the value and the derivatives at x of any polynomial of degree 8


def _f(step: Any) -> Any:
    """The polynomial at x + step."""
    return sum(derivative * step**n / math.factorial(n) for n, derivative in enumerate(d))


def _central(step: Any) -> Any:
    return (_f(step) - _f(-step)) / (2 * step)


def _forward(step: Any) -> Any:
    return (_f(step) - _f(0)) / step


def _agree(left: Any, right: Any, dots: int) -> None:
    """Both sides have the same coefficients, up to the power of h with which the dots begin; there they differ."""
    rest = sympy.Poly(sympy.expand(left - right), h)
    powers = [power for (power,) in rest.monoms()]
    assert min(powers) == dots, rest


def _on_a_curve(method: Any, formula: Any) -> None:
    """A difference that is made of values of f in the lesson is the library's, on a function that is no polynomial."""

    def curve(t: Any) -> Any:
        return np.exp(t) * np.sin(2 * t) + t**6

    point, step = 0.5, 0.1
    measured = numerical_gradient(curve, point, method=method, step=step)
    assert np.isclose(measured, formula(curve, point, step), rtol=1e-12)


def the_forward_difference_tends_to_the_derivative() -> None:
    assert sympy.limit(sympy.expand(_forward(h)), h, 0) == d[1]
    _on_a_curve("forward", lambda f, x, h: (f(x + h) - f(x)) / h)


def taylors_formula() -> None:
    _agree(_f(h), d[0] + h * d[1] + h**2 / 2 * d[2] + h**3 / 6 * d[3], dots=4)


def the_error_of_a_forward_difference() -> None:
    _agree(_forward(h), d[1] + h / 2 * d[2] + h**2 / 6 * d[3], dots=3)
    for example in EXAMPLES.values():
        assert np.isclose(truncation_error(example, "forward", 0.01), 0.01 / 2 * abs(example.second))


def the_error_of_a_central_difference() -> None:
    _agree(_central(h), d[1] + h**2 / 6 * d[3] + h**4 / 120 * d[5], dots=6)
    _on_a_curve("central", lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h))
    for example in EXAMPLES.values():
        assert np.isclose(truncation_error(example, "central", 0.01), 0.01**2 / 6 * abs(example.third))


def two_central_differences_with_one_unknown_error() -> None:
    c = d[3] / 6
    _agree(_central(h), d[1] + c * h**2, dots=4)
    _agree(_central(h / 2), d[1] + c * h**2 / 4, dots=4)


def richardsons_extrapolation() -> None:
    _agree((4 * _central(h / 2) - _central(h)) / 3, d[1] - h**4 / 480 * d[5], dots=6)

    def by_hand(f: Any, x: float, h: float) -> float:
        coarse, fine = ((f(x + step) - f(x - step)) / (2 * step) for step in (h, h / 2))
        return float((4 * fine - coarse) / 3)

    _on_a_curve("richardson", by_hand)
    for example in EXAMPLES.values():
        assert np.isclose(truncation_error(example, "richardson", 0.01), 0.01**4 / 480 * abs(example.fifth))


def taylors_formula_for_an_imaginary_step() -> None:
    i = sympy.I
    _agree(_f(i * h), d[0] + i * h * d[1] - h**2 / 2 * d[2] - i * h**3 / 6 * d[3], dots=4)


def the_error_of_the_complex_step() -> None:
    imaginary = sympy.im(sympy.expand(_f(sympy.I * h)))
    _agree(imaginary / h, d[1] - h**2 / 6 * d[3], dots=4)
    _on_a_curve("complex", lambda f, x, h: f(x + 1j * h).imag / h)
    for example in EXAMPLES.values():
        assert np.isclose(truncation_error(example, "complex", 0.01), 0.01**2 / 6 * abs(example.third))


def the_round_off_of_a_forward_difference() -> None:
    """No error exceeds the bound, and the largest of many comes near it."""
    points = np.linspace(1, 1.1, 2001)
    for step in (1e-10, 1e-12):
        moved = points + step
        errors = np.abs((np.exp(moved) - np.exp(points)) / (moved - points) - np.exp(points))
        bound = 2 * EPSILON * np.exp(1.1) / step
        assert 0.1 * bound < errors.max() < bound
    for example in EXAMPLES.values():
        assert np.isclose(round_off(example, "forward", 1e-8), 2 * EPSILON * abs(example.f(example.x)) / 1e-8)


def the_total_error_of_a_forward_difference() -> None:
    """The sum is what the explorer draws, and no measured error exceeds it by much."""
    example = EXAMPLES["exponential"]
    F, M = abs(example.f(example.x)), abs(example.second)
    for step in np.logspace(-12, -3, 10):
        total = step / 2 * M + 2 * EPSILON * F / step
        drawn = truncation_error(example, "forward", step) + round_off(example, "forward", step)
        assert np.isclose(total, drawn, rtol=1e-12)
        error = abs(numerical_gradient(example.f, example.x, method="forward", step=float(step)) - example.first)
        assert error < 1.01 * total


def the_best_step_of_a_forward_difference() -> None:
    F, M, epsilon, step = sympy.symbols("F M epsilon h", positive=True)
    E = step / 2 * M + 2 * epsilon * F / step
    slope = M / 2 - 2 * epsilon * F / step**2
    best = 2 * sympy.sqrt(epsilon * F / M)
    assert sympy.simplify(sympy.diff(E, step) - slope) == 0
    assert sympy.simplify(slope.subs(step, best)) == 0
    numbers = {F: 2.0, M: 3.0, epsilon: EPSILON}
    least = float(E.subs(step, best).subs(numbers))
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert float(E.subs(step, factor * best).subs(numbers)) > least


def a_partial_derivative_by_a_central_difference() -> None:
    def f(x: Any) -> Any:
        return np.exp(x[0]) * x[1] ** 3 + np.sin(x[2] * x[0])

    point, step = np.array([0.4, -0.7, 1.2]), 1e-3
    exact = numerical_gradient(f, point, method="complex")
    measured = numerical_gradient(f, point, step=step)
    for k, e_k in enumerate(np.eye(3)):
        slope = (f(point + step * e_k) - f(point - step * e_k)) / (2 * step)
        assert np.isclose(slope, measured[k], rtol=1e-11)
        assert np.isclose(slope, exact[k], rtol=1e-5)


def the_relative_error_is_the_librarys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50)) * 10.0 ** rng.integers(-9, 2, size=50)
    a[:2], b[:2], floor = [0.0, 0.0], [0.0, 0.5], 1e-5
    by_hand = [abs(p - q) / max(abs(p), abs(q), floor) for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(relative_error(a, b, floor=floor), by_hand, rtol=1e-14)
    assert min(by_hand) == 0
    assert max(by_hand) <= 2


def a_directional_derivative_is_a_sum_over_the_entries() -> None:
    def f(x: Any) -> Any:
        return np.exp(x[0]) * x[1] ** 3 + np.sin(x[2] * x[0])

    rng = np.random.default_rng(0)
    for point, v in rng.normal(size=(5, 2, 3)):
        total = sum(numerical_gradient(f, point, method="complex") * v)
        along = numerical_gradient(lambda t, point=point, v=v: f(point + t * v), 0.0, method="complex")
        assert np.isclose(total, along, rtol=1e-12)
        assert np.isclose(total, directional_derivative(f, point, v, method="complex"), rtol=1e-12)


FORMULAS = {
    r"f'(x) \approx \frac{f(x + h) - f(x)}{h}": the_forward_difference_tends_to_the_derivative,
    r"f(x + h) = f(x) + h f'(x) + \frac{h^2}{2} f''(x) + \frac{h^3}{6} f'''(x) + \dots": taylors_formula,
    r"\frac{f(x + h) - f(x)}{h} = f'(x) + \frac{h}{2} f''(x) + \frac{h^2}{6} f'''(x) + \dots": (
        the_error_of_a_forward_difference
    ),
    r"\frac{f(x + h) - f(x - h)}{2h} = f'(x) + \frac{h^2}{6} f'''(x) + \frac{h^4}{120} f^{(5)}(x) + \dots": (
        the_error_of_a_central_difference
    ),
    r"D(h) \approx f' + c h^2 \qquad D(h/2) \approx f' + \tfrac{1}{4} c h^2 "
    r"\qquad \text{with } c = \tfrac{1}{6} f'''": two_central_differences_with_one_unknown_error,
    r"R(h) = \frac{4 D(h/2) - D(h)}{3} = f'(x) - \frac{h^4}{480} f^{(5)}(x) + \dots": richardsons_extrapolation,
    r"f(x + ih) = f(x) + i h f'(x) - \frac{h^2}{2} f''(x) - i \frac{h^3}{6} f'''(x) + \dots": (
        taylors_formula_for_an_imaginary_step
    ),
    r"\frac{\operatorname{Im} f(x + ih)}{h} = f'(x) - \frac{h^2}{6} f'''(x) + \dots": the_error_of_the_complex_step,
    r"\text{round-off of a forward difference} \le \frac{2 \varepsilon F}{h}": the_round_off_of_a_forward_difference,
    r"E(h) = \frac{h}{2} M + \frac{2 \varepsilon F}{h}": the_total_error_of_a_forward_difference,
    r"\frac{dE}{dh} = \frac{M}{2} - \frac{2 \varepsilon F}{h^2} = 0 \qquad \text{so} \qquad "
    r"h = 2 \sqrt{\frac{\varepsilon F}{M}}": the_best_step_of_a_forward_difference,
    r"\frac{\partial f}{\partial x[k]} \approx \frac{f(x + h e_k) - f(x - h e_k)}{2h}": (
        a_partial_derivative_by_a_central_difference
    ),
    r"\text{error}[k] = \frac{|a[k] - b[k]|}{\max(|a[k]|, |b[k]|, \text{floor})}": the_relative_error_is_the_librarys,
    r"\frac{d}{dt} f(x + t v) = \sum_k \frac{\partial f}{\partial x[k]} \cdot v[k] \qquad \text{at } t = 0": (
        a_directional_derivative_is_a_sum_over_the_entries
    ),
}
