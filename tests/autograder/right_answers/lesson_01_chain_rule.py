"""Right answers to lesson 01 in the styles people write: other algebra, recursion, dual numbers, a tape."""

from __future__ import annotations

import math
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np
import sympy as sp

from chainrule_lib.activations import sigmoid, sigmoid_derivative


class Dual:
    """A value with its derivative: arithmetic on both at once is forward-mode differentiation."""

    def __init__(self, value: Any, slope: Any = 0.0) -> None:
        self.value = value
        self.slope = slope

    def __add__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other):
        other = other if isinstance(other, Dual) else Dual(other)
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    def __pow__(self, exponent):
        return self.through(lambda v: v**exponent, lambda v: exponent * v ** (exponent - 1))

    def through(self, function, derivative):
        return Dual(function(self.value), derivative(self.value) * self.slope)


def _sigma(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def power_in_one_line(x):
    return -6 * (5 - 2 * x) ** 2


def power_multiplied_out(x):
    """y = 125 − 150x + 60x² − 8x³."""
    return -150 + 120 * x - 24 * x**2


def power_with_dual_numbers(x):
    return ((Dual(x, 1.0) * -2 + 5) ** 3).slope


def power_by_the_product_rule(x):
    u, du = 5 - 2 * x, -2
    return (du * u * u + u * du * u + u * u * du,)


def power_in_single_precision(x):
    u = np.float32(5) - np.float32(2) * np.float32(x)
    return np.float32(-6) * u * u


def sine_in_one_line(x):
    return 30 * x * np.cos(3 * x**2)


def sine_with_the_math_module(x):
    return 5 * math.cos(3 * x * x) * 3 * 2 * x


def sine_with_a_shifted_sine(x):
    return {"dy_dx": 30 * x * np.sin(np.pi / 2 - 3 * x**2)}


def sine_with_dual_numbers(x):
    return (Dual(x, 1.0) ** 2 * 3).through(math.sin, math.cos).slope * 5


def sine_with_half_the_angle(x):
    return 30 * x * (1 - 2 * np.sin(1.5 * x**2) ** 2)


def signs_with_the_values_themselves(x):
    p, q, s = math.exp(-x), 1 / (1 + x * x), 1 - x
    return -p, -2 * x * q * q, -4 * s * s * s


def signs_by_the_quotient_rule(x):
    e = np.exp(x)
    dp = (0 * e - 1 * e) / e**2
    dq = (0 * (1 + x**2) - 1 * (2 * x)) / (1 + 2 * x**2 + x**4)
    return np.array([dp, dq, 4 * (x - 1) ** 3])


def signs_multiplied_out_as_a_dictionary(x):
    return {
        "dr_dx": ((4 * x - 12) * x + 12) * x - 4,
        "dq_dx": -2 * x * (1 + x**2) ** -2,
        "dp_dx": -(math.e**-x),
    }


def signs_with_dual_numbers(x):
    x = Dual(x, 1.0)
    p = (x * -1).through(math.exp, math.exp)
    q = (x * x + 1) ** -1
    r = (x * -1 + 1) ** 4
    return [p.slope, q.slope, r.slope]


def signs_in_single_precision(x):
    x, one, two = np.float32([x, 1, 2])
    return -np.exp(-x), -two * x / np.square(one + x * x), two * two * (x - one) * (x - one) * (x - one)


def exponential_in_one_line(x):
    return math.exp(x - x * x) * (1 - 2 * x)


def exponential_as_a_product(x):
    """y = e^x · e^(−x²), by the product rule."""
    rising, falling = np.exp(x), np.exp(-(x**2))
    return rising * falling + rising * (-2 * x * falling)


def exponential_with_dual_numbers(x):
    x = Dual(x, 1.0)
    return (x + x * x * -1).through(np.exp, np.exp).slope


def exponential_as_a_quotient(x):
    """y = e^x / e^(x²), by the quotient rule."""
    top, bottom = math.exp(x), math.exp(x**2)
    return [(top * bottom - top * 2 * x * bottom) / bottom**2]


def exponential_in_single_precision(x):
    x = np.float32(x)
    one = np.float32(1)
    return np.exp(x * (one - x)) * (one - x - x)


def links_in_one_line(x):
    return -2 * x * math.sin(x**2) / (2 + math.cos(x**2))


def links_with_half_the_angle(x):
    """With t = tan(u/2): sin u = 2t / (1 + t²) and 2 + cos u = (3 + t²) / (1 + t²)."""
    t = np.tan(x**2 / 2)
    return -4 * x * t / (3 + t**2)


def links_with_dual_numbers(x):
    u = Dual(x, 1.0) ** 2
    v = u.through(math.cos, lambda angle: -math.sin(angle)) + 2
    return v.through(math.log, lambda value: 1 / value).slope


def links_from_the_outside_in(x):
    slope = 1.0
    values = [x, x**2, 2 + np.cos(x**2)]
    for derivative in (lambda v: 1 / v, lambda u: -np.sin(u), lambda x: 2 * x):
        slope = slope * derivative(values.pop())
    return slope


def links_in_single_precision(x):
    x = np.array([x], dtype=np.float32)
    u = np.square(x)
    return -(x + x) * np.sin(u) / (np.cos(u) + 2)


def neuron_with_the_value(w, x, b):
    a = sigmoid(w * x + b)
    return a * (1 - a) * x, a * (1 - a) * w, a * (1 - a)


def neuron_with_exponentials(w, x, b):
    e = math.exp(-(w * x + b))
    slope = e / (1 + e) ** 2
    return {"da_db": slope, "da_dx": w * slope, "da_dw": x * slope}


def neuron_with_a_gradient_vector(w, x, b):
    return np.array([x, w, 1]) / (4 * np.cosh((w * x + b) / 2) ** 2)


def neuron_with_dual_numbers(w, x, b):
    def slope(w, x, b):
        return (w * x + b).through(sigmoid, sigmoid_derivative).slope

    values = (w, x, b)
    return [slope(*(Dual(v, float(i == moving)) for i, v in enumerate(values))) for moving in range(3)]


def neuron_by_the_quotient_rule(w, x, b):
    """a = e^z / (e^z + 1), each derivative by itself."""
    e = np.exp(w * x + b)
    return [(de * (e + 1) - e * de) / (e + 1) ** 2 for de in (e * x, e * w, e)]


def neuron_in_single_precision(w, x, b):
    w, x, b = (np.array(v, dtype="float32", ndmin=1) for v in (w, x, b))
    slope = 1 / (2 + np.exp(w * x + b) + np.exp(-(w * x + b)))
    return slope * x, slope * w, slope


def chain_by_recursion_from_the_inside(functions, derivatives, x):
    if not functions:
        return 1.0
    return chain_by_recursion_from_the_inside(functions[1:], derivatives[1:], functions[0](x)) * derivatives[0](x)


def chain_by_recursion_from_the_outside(functions, derivatives, x):
    def inner_value(k):
        return x if k == 0 else functions[k - 1](inner_value(k - 1))

    return math.prod(derivatives[k](inner_value(k)) for k in range(len(functions)))


def chain_forwards_then_backwards(functions, derivatives, x):
    inputs = []
    for f in functions:
        inputs.append(x)
        x = f(x)
    slope = 1
    while inputs:
        slope *= derivatives[len(inputs) - 1](inputs.pop())
    return slope


def chain_by_accumulating(functions, derivatives, x):
    inputs = accumulate(functions, lambda value, function: function(value), initial=x)
    return np.prod([df(value) for df, value in zip(derivatives, inputs, strict=False)])


def chain_with_dual_numbers(functions, derivatives, x):
    links = zip(functions, derivatives, strict=True)
    return (reduce(lambda number, link: number.through(*link), links, Dual(x, 1.0)).slope,)


def chain_by_adding_logarithms(functions, derivatives, x):
    total, sign = 0.0, 1
    for f, df in zip(functions, derivatives, strict=True):
        local = df(x)
        total, sign, x = total + math.log(abs(local)), sign * math.copysign(1, local), f(x)
    return {"dy_dx": sign * math.exp(total)}


def loss_in_plain_python(w, b, x, y):
    a = _sigma(w * x + b)
    dz = (a - y) * a * (1 - a)
    return {"db": dz, "dw": dz * x}


def loss_multiplied_out(w, b, x, y):
    """L = a²/2 − a y + y²/2, each term by itself."""
    a = sigmoid(w * x + b)
    slope = sigmoid_derivative(w * x + b)
    return x * (a * slope - y * slope), a * slope - y * slope


def loss_with_dual_numbers(w, b, x, y):
    def slope(w, b):
        return ((w * x + b).through(sigmoid, sigmoid_derivative) + -y) ** 2 * 0.5

    return slope(Dual(w, 1.0), Dual(b)).slope, slope(Dual(w), Dual(b, 1.0)).slope


def loss_with_a_tape(w, b, x, y):
    """Values in the order they are computed, then their derivatives in the opposite order."""
    values, tape = {"w": w, "b": b}, []

    def record(name, value, **locals_):
        values[name] = value
        tape.append((name, locals_))

    record("wx", values["w"] * x, w=x)
    record("z", values["wx"] + values["b"], wx=1, b=1)
    record("a", sigmoid(values["z"]), z=sigmoid_derivative(values["z"]))
    record("L", (values["a"] - y) ** 2 / 2, a=values["a"] - y)
    gradients = {"L": 1.0}
    for output, locals_ in reversed(tape):
        for name, local in locals_.items():
            gradients[name] = gradients.get(name, 0) + gradients[output] * local
    return gradients["w"], gradients["b"]


def loss_with_a_product_of_matrices(w, b, x, y):
    """The row dL/da · da/dz times the Jacobian of z with respect to (w, b)."""
    z = np.array([w, b]) @ np.array([x, 1.0])
    a = 0.5 * (1 + np.tanh(z / 2))
    return (np.array([[a - y]]) @ np.array([[a - a**2]]) @ np.array([[x, 1.0]]))[0]


def loss_in_single_precision(w, b, x, y):
    w, b, x, y, one = np.float32([w, b, x, y, 1])
    a = one / (one + np.exp(-w * x - b))
    db = a * (a - one) * (y - a)
    return [x * db, db]


def ten_as_a_capital():
    return "D"


def ten_with_a_bracket():
    return "d)"


def ten_by_name():
    return {"prediction": " d "}


def lines_as_texts(a, y, x):
    return "dL/da = a - y", "a - a**2", "x", "(a - y)*(a - a^2)*x"


def lines_by_name_multiplied_out(a, y, x):
    return {"dL_dw": sp.expand((a - y) * a * (1 - a) * x), "dz_dw": x, "da_dz": a * (1 - a), "dL_da": -(y - a)}


def lines_differentiated_by_sympy(a, y, x):
    w, b, z = sp.symbols("w b z")
    dL_da = sp.diff((a - y) ** 2 / 2, a)
    slope = sp.diff(1 / (1 + sp.exp(-z)), z).subs(z, sp.log(a / (1 - a)))
    return [dL_da, slope, sp.diff(w * x + b, w), dL_da * slope * x]


ANSWERS = {
    "01.power_of_line": [
        power_in_one_line,
        power_multiplied_out,
        power_with_dual_numbers,
        power_by_the_product_rule,
        power_in_single_precision,
    ],
    "01.scaled_sine": [
        sine_in_one_line,
        sine_with_the_math_module,
        sine_with_a_shifted_sine,
        sine_with_dual_numbers,
        sine_with_half_the_angle,
    ],
    "01.minus_signs": [
        signs_with_the_values_themselves,
        signs_by_the_quotient_rule,
        signs_multiplied_out_as_a_dictionary,
        signs_with_dual_numbers,
        signs_in_single_precision,
    ],
    "01.exponential": [
        exponential_in_one_line,
        exponential_as_a_product,
        exponential_with_dual_numbers,
        exponential_as_a_quotient,
        exponential_in_single_precision,
    ],
    "01.three_links": [
        links_in_one_line,
        links_with_half_the_angle,
        links_with_dual_numbers,
        links_from_the_outside_in,
        links_in_single_precision,
    ],
    "01.neuron": [
        neuron_with_the_value,
        neuron_with_exponentials,
        neuron_with_a_gradient_vector,
        neuron_with_dual_numbers,
        neuron_by_the_quotient_rule,
        neuron_in_single_precision,
    ],
    "01.any_length": [
        chain_by_recursion_from_the_inside,
        chain_by_recursion_from_the_outside,
        chain_forwards_then_backwards,
        chain_by_accumulating,
        chain_with_dual_numbers,
        chain_by_adding_logarithms,
    ],
    "01.neuron_loss": [
        loss_in_plain_python,
        loss_multiplied_out,
        loss_with_dual_numbers,
        loss_with_a_tape,
        loss_with_a_product_of_matrices,
        loss_in_single_precision,
    ],
    "01.ten_sigmoids": [ten_as_a_capital, ten_with_a_bracket, ten_by_name],
    "01.neuron_lines": [lines_as_texts, lines_by_name_multiplied_out, lines_differentiated_by_sympy],
}
