"""The formulas of lesson 01: with SymPy, or as limits at random points."""

from collections.abc import Callable

import numpy as np
import sympy as sp

from chainrule_lib import numerical_gradient, sigmoid

x, u, v, h, k = sp.symbols("x u v h k", real=True)
PAIRS = [(sp.sin, lambda t: t**2), (sp.exp, lambda t: 1 - 3 * t), (lambda t: t**4, lambda t: 3 * t + 1)]
"""Outer and inner functions that the general statements are tried on."""
POINTS = (-0.8, 0.3, 1.1)


def _derivative(function: Callable[..., sp.Expr], at: sp.Expr) -> sp.Expr:
    """f'(at): the derivative as a function, evaluated afterwards."""
    t = sp.Symbol("t", real=True)
    return sp.diff(function(t), t).subs(t, at)


def _equal(left: sp.Expr, right: sp.Expr) -> None:
    assert sp.simplify(left - right) == 0, f"{left} is not {right}"


def _worked_example_names() -> None:
    _equal((u**4).subs(u, 3 * x + 1), (3 * x + 1) ** 4)


def _worked_example_slope() -> None:
    _equal(sp.diff((3 * x + 1) ** 4, x), (4 * u**3 * 3).subs(u, 3 * x + 1))
    _equal(sp.diff((3 * x + 1) ** 4, x), 12 * (3 * x + 1) ** 3)


def _central_difference() -> None:
    for outer, inner in PAIRS:
        y = sp.lambdify(x, outer(inner(x)))
        slope = sp.lambdify(x, sp.diff(outer(inner(x)), x))
        for point in POINTS:
            assert np.isclose((y(point + 1e-5) - y(point - 1e-5)) / 2e-5, slope(point), rtol=1e-7)
            assert np.isclose(numerical_gradient(lambda t, y=y: float(y(t)), point), slope(point), rtol=1e-7)


def _vanishes_faster_than_h(error: Callable[[float], float]) -> None:
    ratios = [abs(error(step) / step) for step in (1e-2, 1e-3, 1e-4)]
    assert ratios[0] > 0
    assert ratios[1] < 0.2 * ratios[0]
    assert ratios[2] < 0.2 * ratios[1]


def _inner_stretching() -> None:
    for function in (lambda t: t**2, lambda t: sp.exp(1 - 3 * t)):
        g, slope = sp.lambdify(x, function(x)), sp.lambdify(x, sp.diff(function(x), x))
        for p in POINTS:
            _vanishes_faster_than_h(lambda s, g=g, slope=slope, p=p: g(p + s) - g(p) - slope(p) * s)


def _outer_stretching() -> None:
    for outer, _ in PAIRS[:2]:
        f, slope = sp.lambdify(u, outer(u)), sp.lambdify(u, sp.diff(outer(u), u))
        for p in POINTS:
            _vanishes_faster_than_h(lambda s, f=f, slope=slope, p=p: f(p + s) - f(p) - slope(p) * s)


def _both_stretchings() -> None:
    for outer, inner in PAIRS[:2]:
        y = sp.lambdify(x, outer(inner(x)))
        slope = sp.lambdify(x, _derivative(outer, inner(x)) * _derivative(inner, x))
        for p in POINTS:
            _vanishes_faster_than_h(lambda s, y=y, slope=slope, p=p: y(p + s) - y(p) - slope(p) * s)


def _phi(outer: Callable[[sp.Expr], sp.Expr], at: sp.Expr) -> sp.Expr:
    return (outer(v) - outer(at)) / (v - at)


def _slope_function() -> None:
    for outer, _ in PAIRS:
        _equal(outer(v) - outer(u), _phi(outer, u) * (v - u))
        assert (
            sp.simplify(
                sp.limit(_phi(outer, sp.Rational(1, 3)), v, sp.Rational(1, 3)) - _derivative(outer, sp.Rational(1, 3))
            )
            == 0
        )


def _exact_equation() -> None:
    for outer, inner in PAIRS:
        left = (outer(inner(x + h)) - outer(inner(x))) / h
        right = _phi(outer, inner(x)).subs(v, inner(x + h)) * (inner(x + h) - inner(x)) / h
        _equal(left, right)


def _chain_rule() -> None:
    for outer, inner in PAIRS:
        _equal(sp.diff(outer(inner(x)), x), _derivative(outer, inner(x)) * sp.diff(inner(x), x))


def _three_links() -> None:
    for first, second, third in ((sp.sin, sp.exp, sp.sqrt), (lambda t: t**2 + 1, sp.log, sp.tanh)):
        product = _derivative(third, second(first(x))) * _derivative(second, first(x)) * _derivative(first, x)
        _equal(sp.diff(third(second(first(x))), x), product)


def _sigmoid_apart() -> None:
    z = np.linspace(-5, 5, 41)
    assert np.allclose(1 / (1 + np.exp(-z)), sigmoid(z), rtol=1e-14)


def _three_signs() -> None:
    from autograder.exercises import find

    slopes = find("01.minus_signs").reference
    for point in POINTS:
        expected = [sp.diff(f, x).subs(x, point) for f in (sp.exp(-x), 1 / (1 + x**2), (1 - x) ** 4)]
        assert np.allclose(slopes(point), [float(value) for value in expected], rtol=1e-12)


def _loss() -> None:
    from autograder.exercises import find

    exercise = find("01.neuron_loss")
    assert exercise.loss is not None
    for case in exercise.cases(3):
        a = sigmoid(case["w"] * case["x"] + case["b"])
        assert np.isclose(
            exercise.loss(**{name: case[name] for name in ("w", "b", "x", "y")}), (a - case["y"]) ** 2 / 2
        )


FORMULAS = {
    r"u = 3x + 1, \qquad y = u^4.": _worked_example_names,
    r"\frac{dy}{dx} = \frac{dy}{du} \cdot \frac{du}{dx} = 4u^3 \cdot 3 = 12\,(3x + 1)^3.": _worked_example_slope,
    r"\frac{dy}{dx} \approx \frac{y(x + h) - y(x - h)}{2h}.": _central_difference,
    r"g(x + h) = g(x) + g'(x)\,h + \text{error}, \qquad \text{with error} / h \to 0 \text{ as } h \to 0.": (
        _inner_stretching
    ),
    r"f(u + k) \approx f(u) + f'(u)\,k.": _outer_stretching,
    r"f(g(x + h)) \approx f(g(x)) + f'(g(x)) \cdot g'(x) \cdot h.": _both_stretchings,
    r"f(v) - f(u) = \varphi(v)\,(v - u), \qquad \varphi(v) = \begin{cases} \dfrac{f(v) - f(u)}{v - u} & "
    r"\text{if } v \ne u \\ f'(u) & \text{if } v = u. \end{cases}": _slope_function,
    r"\frac{f(g(x+h)) - f(g(x))}{h} = \varphi(g(x+h)) \cdot \frac{g(x+h) - g(x)}{h}.": _exact_equation,
    r"\frac{dy}{dx} = \frac{df}{dg} \cdot \frac{dg}{dx} = \frac{dy}{du} \cdot \frac{du}{dx}.": _chain_rule,
    r"(f \circ g)'(x) = f'(g(x)) \cdot g'(x).": _chain_rule,
    r"\frac{dy}{dx} = \frac{dy}{dv} \cdot \frac{dv}{du} \cdot \frac{du}{dx}.": _three_links,
    r"z \;\longrightarrow\; u = -z \;\longrightarrow\; v = 1 + e^u \;\longrightarrow\; a = \frac{1}{v}.": (
        _sigmoid_apart
    ),
    r"p = e^{-x}, \qquad q = \frac{1}{1 + x^2}, \qquad r = (1 - x)^4.": _three_signs,
    r"L = \tfrac{1}{2}(a - y)^2.": _loss,
}
