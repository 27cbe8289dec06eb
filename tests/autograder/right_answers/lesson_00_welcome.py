"""Right answers to lesson 00 in the styles people write: loops, other algebra, other containers."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np


def square_with_a_loop(x):
    slopes = []
    for value in x:
        slopes.append(2 * value)
    return slopes


def square_by_adding_x_to_itself(x):
    return x + x


def square_with_a_polynomial_object(x):
    return np.poly1d([1, 0, 0]).deriv()(x)


def square_by_the_product_rule(x):
    one = np.ones_like(x)
    return {"dy_dx": one * x + x * one}


def square_in_exact_fractions(x):
    return [2 * Fraction(value) for value in x]


def square_in_single_precision(x):
    return np.float32(2) * x.astype(np.float32)


class TwoValues(NamedTuple):
    y: Any
    u: Any


def two_steps_with_a_loop(x):
    us, ys = [], []
    for value in x:
        u = 3 * value + 1
        us.append(u)
        ys.append(u * u)
    return us, ys


def two_steps_expanded(x):
    return x + x + x + 1, 9 * x**2 + 6 * x + 1


def two_steps_as_rows_of_one_array(x):
    u = np.polyval([3, 1], x)
    return np.stack([u, np.square(u)])


def two_steps_named_in_another_order(x):
    u = 1 + np.multiply(3, x)
    return TwoValues(y=np.power(u, 2), u=u)


def two_steps_as_columns_of_an_object(x):
    u = (x + 1 / 3) * 3
    return SimpleNamespace(u=u[:, None], y=(u * u)[:, None])


def two_steps_in_single_precision(x):
    u = np.float32(3) * np.float32(x) + np.float32(1)
    return u, u**2


def polynomial_with_a_comprehension(x):
    return [12 * v * v - 2 for v in x.tolist()]


def polynomial_by_the_power_rule_in_a_loop(x):
    slope = np.zeros(len(x))
    for exponent, coefficient in enumerate([0, -2, 0, 4]):
        if exponent:
            slope += coefficient * exponent * x ** (exponent - 1)
    return slope


def polynomial_with_a_polynomial_object(x):
    return np.polynomial.Polynomial([0, -2, 0, 4]).deriv()(x)


def polynomial_by_the_product_rule(x):
    """4x³ − 2x = x (4x² − 2)."""
    return (4 * x**2 - 2) + x * (8 * x)


def polynomial_in_linear_factors(x):
    root = np.sqrt(1 / 6)
    return 12 * (x - root) * (x + root)


def polynomial_in_single_precision(x):
    x = np.float32(x)
    return (12 * x * x - 2).tolist()


ANSWERS = {
    "00.square": [
        square_with_a_loop,
        square_by_adding_x_to_itself,
        square_with_a_polynomial_object,
        square_by_the_product_rule,
        square_in_exact_fractions,
        square_in_single_precision,
    ],
    "00.two_steps": [
        two_steps_with_a_loop,
        two_steps_expanded,
        two_steps_as_rows_of_one_array,
        two_steps_named_in_another_order,
        two_steps_as_columns_of_an_object,
        two_steps_in_single_precision,
    ],
    "00.polynomial": [
        polynomial_with_a_comprehension,
        polynomial_by_the_power_rule_in_a_loop,
        polynomial_with_a_polynomial_object,
        polynomial_by_the_product_rule,
        polynomial_in_linear_factors,
        polynomial_in_single_precision,
    ],
}
