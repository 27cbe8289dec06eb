"""Right answers to lesson 03 in the styles people write: other loops, other algebra, other containers."""

from __future__ import annotations

import math

import numpy as np
import sympy


def forward_in_one_line(f, x, h):
    return (f(x + h) - f(x)) / h


def forward_with_the_distance_as_stored(f, x, h):
    ahead = x + h
    return [(f(ahead) - f(x)) / (ahead - x)]


def forward_with_an_array_of_points(f, x, h):
    return np.diff(f(np.array([x, x + h])))[0] / h


def forward_as_two_quotients(f, x, h):
    return {"slope": f(x + h) / h - f(x) / h}


def forward_by_least_squares(f, x, h):
    """The straight line through two points."""
    slope, _ = np.polyfit([0, h], [f(x), f(x + h)], 1)
    return slope


def taylor_as_in_the_lesson(f0, f1, f2, f3, h):
    ahead = f0 + h * f1 + h**2 / 2 * f2 + h**3 / 6 * f3
    behind = ahead.subs(h, -h)
    return ahead, behind, sympy.expand((ahead - f0) / h - f1), sympy.simplify((ahead - behind) / (2 * h) - f1)


def taylor_as_texts(f0, f1, f2, f3, h):
    return {
        "central_error": "h**2*f3/6",
        "forward_error": "forward_error = h*f2/2 + h^2*f3/6",
        "behind": "f0 - h*f1 + h**2*f2/2 - h**3*f3/6",
        "ahead": "f0 + h*(f1 + h/2*(f2 + h/3*f3))",
    }


def taylor_by_a_sum(f0, f1, f2, f3, h):
    def series(step):
        return sum(step**n / sympy.factorial(n) * slope for n, slope in enumerate((f0, f1, f2, f3)))

    return [
        series(h),
        series(-h),
        sympy.Eq(sympy.Symbol("E"), (series(h) - series(0)) / h - f1),
        (series(h) - series(-h)) / h / 2 - f1,
    ]


def taylor_in_decimals(f0, f1, f2, f3, h):
    ahead = f0 + f1 * h + 0.5 * f2 * h**2 + f3 * h**3 / 6.0
    behind = f0 - f1 * h + 0.5 * f2 * h**2 - f3 * h**3 / 6.0
    return ahead, behind, 0.5 * h * f2 + h * h * f3 / 6, h * h * f3 / 6


def taylor_of_a_function(f0, f1, f2, f3, h):
    """By SymPy's own series of a function with these derivatives."""
    f = f0 + f1 * h + f2 * h**2 / 2 + f3 * h**3 / 6
    ahead = sympy.series(f, h, 0, 4).removeO()
    behind = sympy.series(f.subs(h, -h), h, 0, 4).removeO()
    return ahead, behind, sympy.together((ahead - f0 - h * f1) / h), sympy.factor((ahead - behind - 2 * h * f1) / h / 2)


def central_in_one_line(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def central_as_a_mean_of_two(f, x, h):
    """Of the forward and the backward difference."""
    here = f(x)
    return np.mean([(f(x + h) - here) / h, (here - f(x - h)) / h])


def central_with_numpys_gradient(f, x, h):
    return np.gradient(f(np.array([x - h, x, x + h])), h)[1]


def central_with_signs_in_a_sum(f, x, h):
    return {"slope": sum(sign * f(x + sign * h) for sign in (1, -1)) / (h + h)}


def central_in_other_brackets(f, x, h):
    rise = -(f(x - h) - f(x + h))
    return (0.5 * rise / h,)


def richardson_in_steps(f, x, h):
    def central(step):
        return (f(x + step) - f(x - step)) / (2 * step)

    return (4 * central(h / 2) - central(h)) / 3


def richardson_as_a_correction(f, x, h):
    coarse, fine = ((f(x + step) - f(x - step)) / step / 2 for step in (h, 0.5 * h))
    return fine + (fine - coarse) / 3


def richardson_with_four_weights(f, x, h):
    """The five-point formula with step h/2."""
    points = x + h / 2 * np.array([-2, -1, 1, 2])
    return [np.array([1, -8, 8, -1]) @ f(points) / (6 * h)]


def richardson_by_two_equations(f, x, h):
    """D = f′ + c h² for both steps, solved for f′ and c."""
    steps = np.array([h, h / 2])
    D = (f(x + steps) - f(x - steps)) / (2 * steps)
    slope, _ = np.linalg.solve(np.column_stack([np.ones(2), steps**2]), D)
    return slope


def richardson_by_a_cubic(f, x, h):
    """The slope in the middle of the polynomial through four points."""
    t = np.array([-1.0, -0.5, 0.5, 1.0]) * h
    return {"slope": np.polyfit(t, f(x + t), 3)[2]}


def complex_in_one_line(f, x, h):
    return np.imag(f(x + 1j * h)) / h


def complex_with_the_constructor(f, x, h):
    return f(complex(x, h)).imag / h


def complex_by_the_conjugate(f, x, h):
    value = f(x + h * 1j)
    return [((value - value.conjugate()) / (2j * h)).real]


def complex_as_a_real_part(f, x, h):
    return {"slope": ((f(x + 1j * h) - f(x)) / (1j * h)).real}


def complex_in_an_array(f, x, h):
    return f(np.array([x + 1j * h]))[0].imag / h


def best_step_as_in_the_lesson(F, M, eps, h):
    truncation, round_off = h**2 / 6 * M, eps * F / h
    slope = sympy.diff(truncation + round_off, h)
    return truncation, round_off, slope, (3 * eps * F / M) ** sympy.Rational(1, 3)


def best_step_with_a_decimal_exponent(F, M, eps, h):
    return [M * h * h / 6, 2 * eps * F / (2 * h), M * h / 3 - F * eps / (h * h), (3 * F * eps / M) ** (1 / 3)]


def best_step_as_texts(F, M, eps, h):
    return {
        "best_step": "(3*eps*F/M)^(1/3)",
        "slope": "h*M/3 - eps*F/h^2",
        "round_off": "eps*F/h",
        "truncation": "h^2*M/6",
    }


def best_step_with_logarithms(F, M, eps, h):
    best = sympy.exp((sympy.log(3) + sympy.log(eps) + sympy.log(F) - sympy.log(M)) / 3)
    return h**2 * M / 6, eps * F / h, (h**3 * M - 3 * eps * F) / (3 * h**2), best


def best_step_by_solving(F, M, eps, h):
    T, R = M * h**2 / 6, F * eps / h
    slope = sympy.together(sympy.diff(T, h) + sympy.diff(R, h))
    cube = sympy.solve(sympy.numer(slope).subs(h, sympy.cbrt(sympy.Symbol("c"))), sympy.Symbol("c"))[0]
    return T, R, slope, sympy.cbrt(cube)


def steps_as_a_dictionary():
    return {"complex": "b", "ratio": 100.0, "central": "b", "forward": "c"}


def steps_in_order_and_capitals():
    return ["C", "B", 10**2, "(b)"]


def steps_computed():
    ratio = (1e-2 / 1e-3) ** 2
    return {"forward": "c)", "central": " b ", "ratio": np.float64(ratio), "complex": "b"}


def steps_measured():
    def error(h):
        return abs((np.exp(1 + h) - np.exp(1 - h)) / (2 * h) - np.e)

    return "c", "b", error(1e-2) / error(1e-3), "b"


def loop_as_in_the_lesson():
    return "m a c d f i e"


def loop_without_spaces():
    return "macdfei"


def loop_as_a_list():
    return ["m", "a", "c", "d", "f", "e", "i"]


def loop_with_commas_and_capitals():
    return "M, A, C, D, F, I, E"


def gradient_by_ndindex(f, x, h):
    x = x.copy()
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        old = x[index]
        x[index] = old + h
        above = f(x)
        x[index] = old - h
        below = f(x)
        x[index] = old
        gradient[index] = (above - below) / (2 * h)
    return gradient


def gradient_that_restores_by_arithmetic(f, x, h):
    """In the caller's own array."""
    gradient = np.empty(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += h
            gradient[i, j] = f(x)
            x[i, j] -= 2 * h
            gradient[i, j] -= f(x)
            x[i, j] += h
    return gradient / h / 2


def gradient_with_unit_arrays(f, x, h):
    units = np.eye(x.size).reshape(-1, *x.shape)
    return np.reshape([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in units], x.shape)


def gradient_of_a_flat_array(f, x, h):
    flat = x.ravel().tolist()

    def value(k, t):
        return f(np.array([*flat[:k], flat[k] + t, *flat[k + 1 :]]).reshape(x.shape))

    slopes = [(value(k, h) - value(k, -h)) / (2 * h) for k in range(x.size)]
    width = x.shape[1]
    return [slopes[start : start + width] for start in range(0, x.size, width)]


def gradient_with_a_flat_view(f, x, h):
    moved = np.array(x)
    view, slopes = moved.reshape(-1), []
    for k, old in enumerate(x.flat):
        values = []
        for sign in (+1, -1):
            view[k] = old + sign * h
            values.append(f(moved))
        view[k] = old
        slopes.append(np.subtract(*values) / (2 * h))
    return {"gradient": np.array(slopes).reshape(x.shape)}


def gradient_column_by_column(f, x, h):
    """Each entry is put in its own place, in whatever order they come."""
    gradient = np.full(x.shape, np.nan)
    for j in range(x.shape[1])[::-1]:
        for i in range(x.shape[0]):
            step = np.zeros_like(x)
            step[i, j] = h
            gradient[i, j] = f(x + step) / (2 * h) - f(x - step) / (2 * h)
    return gradient


def counts_repaired(f, x, h):
    x = x.astype(float)
    gradient = np.zeros(x.shape)
    here = f(x)
    for index in np.ndindex(x.shape):
        x[index] += h
        gradient[index] = (f(x) - here) / h
        x[index] -= h
    return gradient


def counts_in_a_new_array_each_time(f, x, h):
    slopes = []
    for index in np.ndindex(x.shape):
        moved = np.array(x, dtype=np.float64)
        moved[index] = moved[index] + h
        slopes.append((f(moved) - f(x)) / h)
    return np.array(slopes).reshape(x.shape)


def counts_with_unit_arrays(f, x, h):
    """A sum with an array of floats is an array of floats."""
    gradient = np.zeros(x.shape)
    for k in range(x.size):
        step = np.zeros(x.size)
        step[k] = h
        gradient.flat[k] = (f(x + step.reshape(x.shape)) - f(1.0 * x)) / h
    return gradient


def counts_as_nested_lists(f, x, h):
    rows = x.tolist()
    here = f(x)
    gradient = []
    for i, row in enumerate(rows):
        gradient.append([])
        for j, old in enumerate(row):
            row[j] = old + h
            gradient[i].append((f(np.array(rows)) - here) / h)
            row[j] = old
    return gradient


def errors_with_maximum(a, b, floor):
    return np.abs(a - b) / np.maximum(np.maximum(abs(a), abs(b)), floor)


def errors_in_a_loop(a, b, floor):
    errors = np.zeros_like(a)
    for index, p in np.ndenumerate(a):
        q = b[index]
        errors[index] = abs(q - p) / max(abs(p), abs(q), floor)
    return errors


def errors_with_a_stack(a, b, floor):
    sizes = np.stack([np.abs(a), np.abs(b), np.full(a.shape, floor)])
    return {"errors": np.abs(b - a) / sizes.max(axis=0)}


def errors_with_where(a, b, floor):
    size = np.where(np.abs(a) > np.abs(b), np.abs(a), np.abs(b))
    return np.sqrt((a - b) ** 2) / np.where(size < floor, floor, size)


def errors_as_lists(a, b, floor):
    return [
        [math.fabs(p - q) / max(math.fabs(p), math.fabs(q), floor) for p, q in zip(*rows, strict=True)]
        for rows in zip(a, b, strict=True)
    ]


def errors_by_clipping(a, b, floor):
    return abs(a - b) / np.clip(np.fmax(abs(a), abs(b)), floor, None)


def direction_as_in_the_lesson(f, gradient, x, v, h):
    predicted = np.sum(gradient * v)
    measured = (f(x + h * v) - f(x - h * v)) / (2 * h)
    return predicted, measured, abs(predicted - measured) / max(abs(predicted), abs(measured))


def direction_with_flat_arrays(f, gradient, x, v, h):
    p = gradient.ravel() @ v.ravel()
    m = 0.5 / h * f(x + h * v) - 0.5 / h * f(x - h * v)
    return {"measured": m, "predicted": p, "error": np.abs((m - p) / np.fmax(np.abs(m), np.abs(p)))}


def direction_with_einsum(f, gradient, x, v, h):
    p = np.einsum("ij,ij->", gradient, v)

    def along(t):
        return f(x + t * v)

    m = (along(h) - along(-h)) / (2 * h)
    return np.array([p, m, np.abs(p - m) / np.abs([p, m]).max()])


def direction_with_a_trace(f, gradient, x, v, h):
    p = np.trace(gradient.T @ v)
    m = np.diff([f(x - h * v), f(x + h * v)]).item() / (2 * h)
    return [p, m, min(abs(p - m) / size for size in (abs(p), abs(m)) if size > 0)]


def direction_in_loops(f, gradient, x, v, h):
    predicted = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            predicted += gradient[i, j] * v[i, j]
    ahead, behind = x.copy(), x.copy()
    ahead += h * v
    behind -= h * v
    measured = (f(ahead) - f(behind)) / h / 2
    larger = abs(predicted) if abs(predicted) > abs(measured) else abs(measured)
    return predicted, measured, abs(predicted - measured) / larger


def causes_as_a_dictionary():
    return {"passes": "d", "ones": "c", "everywhere": "a", "handful": "b"}


def causes_in_order():
    return "b", "a", "c", "d"


def causes_in_capitals():
    return ["B", "A", "C", "(D)"]


def check_as_in_the_lesson(f, x, gradient, h, floor, tolerance):
    numerical = gradient_by_ndindex(f, x, h)
    worst = np.max(errors_with_maximum(gradient, numerical, floor))
    return numerical, worst, worst <= tolerance


def check_that_looks_for_the_worst_entry(f, x, gradient, h, floor, tolerance):
    numerical = np.zeros(x.shape)
    worst = 0.0
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = h
        numerical[index] = (f(x + step) - f(x - step)) / (2 * h)
        size = max(abs(numerical[index]), abs(gradient[index]), floor)
        worst = max(worst, abs(numerical[index] - gradient[index]) / size)
    return {"numerical": numerical, "worst": worst, "passed": not worst > tolerance}


def check_of_every_entry(f, x, gradient, h, floor, tolerance):
    numerical = gradient_with_unit_arrays(f, x, h)
    errors = errors_with_where(gradient, numerical, floor)
    return numerical, errors.max(), bool(np.all(errors <= tolerance))


def check_with_a_sorted_list(f, x, gradient, h, floor, tolerance):
    numerical = gradient_that_restores_by_arithmetic(f, x, h)
    errors = sorted(e for row in errors_as_lists(gradient, numerical, floor) for e in row)
    return [numerical.tolist(), errors[-1], int(errors[-1] <= tolerance)]


ANSWERS = {
    "03.forward_difference": [
        forward_in_one_line,
        forward_with_the_distance_as_stored,
        forward_with_an_array_of_points,
        forward_as_two_quotients,
        forward_by_least_squares,
    ],
    "03.taylor_lines": [
        taylor_as_in_the_lesson,
        taylor_as_texts,
        taylor_by_a_sum,
        taylor_in_decimals,
        taylor_of_a_function,
    ],
    "03.central_difference": [
        central_in_one_line,
        central_as_a_mean_of_two,
        central_with_numpys_gradient,
        central_with_signs_in_a_sum,
        central_in_other_brackets,
    ],
    "03.richardson": [
        richardson_in_steps,
        richardson_as_a_correction,
        richardson_with_four_weights,
        richardson_by_two_equations,
        richardson_by_a_cubic,
    ],
    "03.complex_step": [
        complex_in_one_line,
        complex_with_the_constructor,
        complex_by_the_conjugate,
        complex_as_a_real_part,
        complex_in_an_array,
    ],
    "03.best_step_lines": [
        best_step_as_in_the_lesson,
        best_step_with_a_decimal_exponent,
        best_step_as_texts,
        best_step_with_logarithms,
        best_step_by_solving,
    ],
    "03.step_prediction": [steps_as_a_dictionary, steps_in_order_and_capitals, steps_computed, steps_measured],
    "03.order_loop": [
        loop_as_in_the_lesson,
        loop_without_spaces,
        loop_as_a_list,
        loop_with_commas_and_capitals,
    ],
    "03.array_gradient": [
        gradient_by_ndindex,
        gradient_that_restores_by_arithmetic,
        gradient_with_unit_arrays,
        gradient_of_a_flat_array,
        gradient_with_a_flat_view,
        gradient_column_by_column,
    ],
    "03.repair_gradient": [
        counts_repaired,
        counts_in_a_new_array_each_time,
        counts_with_unit_arrays,
        counts_as_nested_lists,
    ],
    "03.relative_error": [
        errors_with_maximum,
        errors_in_a_loop,
        errors_with_a_stack,
        errors_with_where,
        errors_as_lists,
        errors_by_clipping,
    ],
    "03.directional_check": [
        direction_as_in_the_lesson,
        direction_with_flat_arrays,
        direction_with_einsum,
        direction_with_a_trace,
        direction_in_loops,
    ],
    "03.symptoms": [causes_as_a_dictionary, causes_in_order, causes_in_capitals],
    "03.gradient_check": [
        check_as_in_the_lesson,
        check_that_looks_for_the_worst_entry,
        check_of_every_entry,
        check_with_a_sorted_list,
    ],
}
