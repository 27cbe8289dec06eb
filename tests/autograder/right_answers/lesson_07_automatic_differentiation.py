"""Right answers to lesson 07 by different hands: closures, lists of edges, tapes, other algebra, other containers."""

from __future__ import annotations

import math
from collections import defaultdict, deque

import numpy as np
import sympy

# --- Dual numbers on paper --------------------------------------------------------------------------------------------


def lines_by_series(a, da, b, db, n):
    e = sympy.Symbol("e")
    x, y = a + da * e, b + db * e
    return [sympy.diff(f, e).subs(e, 0) for f in (x * y, 1 / y, x / y, x**n, sympy.sin(x))]


def lines_as_text(a, da, b, db, n):
    return {
        "sine": "da*cos(a)",
        "power": "da * n * a**n / a",
        "quotient": "(da*b - a*db) / b^2",
        "reciprocal": "-db * b**(-2)",
        "product": "a*db + b*da",
    }


def lines_with_equations(a, da, b, db, n):
    product = (a + da) * (b + db) - a * b - da * db
    quotient = sympy.simplify((da * b - a * db) / b**2)
    return product, sympy.Eq(sympy.Symbol("t"), -db / b / b), quotient, da * n * a ** (n - 1), sympy.cos(a) * da


# --- Dual numbers as a class ------------------------------------------------------------------------------------------


class DualOfAPair:
    """Numbers are told apart by their type, operators are functions of two pairs."""

    def __init__(self, value, tangent=0.0):
        self.value, self.tangent = float(value), float(tangent)

    def _pair(self, other):
        return (other, 0.0) if isinstance(other, int | float) else (other.value, other.tangent)

    def __add__(self, other):
        b, db = self._pair(other)
        return DualOfAPair(self.value + b, self.tangent + db)

    __radd__ = __add__

    def __neg__(self):
        return DualOfAPair(-self.value, -self.tangent)

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        b, db = self._pair(other)
        return DualOfAPair(self.value * b, self.value * db + self.tangent * b)

    __rmul__ = __mul__

    def __pow__(self, n):
        return DualOfAPair(self.value**n, n * self.value**n / self.value * self.tangent)

    def __truediv__(self, other):
        b, db = self._pair(other)
        return DualOfAPair(self.value / b, (self.tangent * b - self.value * db) / b**2)

    def __rtruediv__(self, other):
        return self**-1 * other

    def sin(self):
        return DualOfAPair(math.sin(self.value), math.cos(self.value) * self.tangent)

    def exp(self):
        return DualOfAPair(math.exp(self.value), math.exp(self.value) * self.tangent)


class DualAsMatrix:
    """a + b ε as the matrix [[a, b], [0, a]]: products of such matrices are products of dual numbers."""

    def __init__(self, value, tangent=0.0):
        self.matrix = value if isinstance(value, np.ndarray) else np.array([[value, tangent], [0.0, value]])

    value = property(lambda self: self.matrix[0, 0])
    tangent = property(lambda self: self.matrix[0, 1])

    def _matrix(self, other):
        return other.matrix if hasattr(other, "matrix") else other * np.eye(2)

    def __add__(self, other):
        return DualAsMatrix(self.matrix + self._matrix(other))

    def __radd__(self, other):
        return DualAsMatrix(self._matrix(other) + self.matrix)

    def __sub__(self, other):
        return DualAsMatrix(self.matrix - self._matrix(other))

    def __rsub__(self, other):
        return DualAsMatrix(self._matrix(other) - self.matrix)

    def __neg__(self):
        return DualAsMatrix(-self.matrix)

    def __mul__(self, other):
        return DualAsMatrix(self.matrix @ self._matrix(other))

    def __rmul__(self, other):
        return DualAsMatrix(self._matrix(other) @ self.matrix)

    def __truediv__(self, other):
        return DualAsMatrix(self.matrix @ np.linalg.inv(self._matrix(other)))

    def __rtruediv__(self, other):
        return DualAsMatrix(self._matrix(other) @ np.linalg.inv(self.matrix))

    def __pow__(self, n):
        return DualAsMatrix(np.linalg.matrix_power(self.matrix, n))

    def sin(self):
        return DualAsMatrix(np.sin(self.value), np.cos(self.value) * self.tangent)

    def exp(self):
        return DualAsMatrix(np.exp(self.value), np.exp(self.value) * self.tangent)


def _dual_from_rules():
    """Operators made in a loop from a table."""
    rules = {
        "add": (lambda a, b: a + b, lambda a, da, b, db: da + db),
        "sub": (lambda a, b: a - b, lambda a, da, b, db: da - db),
        "mul": (lambda a, b: a * b, lambda a, da, b, db: da * b + db * a),
        "truediv": (lambda a, b: a / b, lambda a, da, b, db: da / b - a * db / (b * b)),
    }

    class DualFromRules:
        def __init__(self, value, tangent=0.0):
            self.value, self.tangent = value, tangent

        def __neg__(self):
            return 0 - self

        def __pow__(self, n):
            result = DualFromRules(1.0)
            for _ in range(abs(n)):
                result = result * self
            return result if n > 0 else 1 / result

        def sin(self):
            return DualFromRules(np.sin(self.value), self.tangent * np.sin(self.value + np.pi / 2))

        def exp(self):
            e = np.e**self.value
            return DualFromRules(e, e * self.tangent)

    def parts(x):
        return (x.value, x.tangent) if isinstance(x, DualFromRules) else (x, 0)

    for name, (value, tangent) in rules.items():

        def forward(self, other, value=value, tangent=tangent):
            (a, da), (b, db) = parts(self), parts(other)
            return DualFromRules(value(a, b), tangent(a, da, b, db))

        setattr(DualFromRules, f"__{name}__", forward)
        setattr(DualFromRules, f"__r{name}__", lambda self, other, forward=forward: forward(other, self))
    return DualFromRules


# --- The backward pass over a graph -----------------------------------------------------------------------------------


def sweep_by_counting_uses(operands, slopes, end):
    """Kahn's algorithm, from the end: a node is ready when all that use it, and are needed, have been done."""
    needed, waiting = {end}, [end]
    while waiting:
        for operand in operands[waiting.pop()]:
            if operand not in needed:
                needed.add(operand)
                waiting.append(operand)
    uses = defaultdict(int)
    for node in needed:
        for operand in operands[node]:
            uses[operand] += 1
    gradients = np.zeros(len(operands))
    gradients[end] = 1
    ready = deque([end])
    while ready:
        node = ready.popleft()
        for operand, slope in zip(operands[node], slopes[node], strict=True):
            gradients[operand] += gradients[node] * slope
            uses[operand] -= 1
            if uses[operand] == 0:
                ready.append(operand)
    return gradients


def sweep_path_by_path(operands, slopes, end):
    """The sum over all paths, each followed by itself."""
    gradients = [0.0] * len(operands)

    def send(node, amount):
        gradients[node] += amount
        for operand, slope in zip(operands[node], slopes[node], strict=True):
            send(operand, amount * slope)

    send(end, 1.0)
    return tuple(gradients)


def sweep_with_a_matrix(operands, slopes, end):
    """gradient = e + Sᵀ gradient, a system of linear equations."""
    S = np.zeros((len(operands), len(operands)))
    for node, used in enumerate(operands):
        for k, operand in enumerate(used):
            S[node, operand] += slopes[node][k]
    return {"gradients": np.linalg.solve(np.eye(len(S)) - S.T, np.eye(len(S))[end])}


# --- Arrays -----------------------------------------------------------------------------------------------------------


def matmul_with_loops(G, A, B):
    dA, dB = np.zeros(A.shape), np.zeros(B.shape)
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            for k in range(A.shape[1]):
                dA[i, k] += G[i, j] * B[k, j]
                dB[k, j] += G[i, j] * A[i, k]
    return dA.tolist(), dB.tolist()


def matmul_with_einsum(G, A, B):
    return {"dB": np.einsum("ij,ik->kj", G, A), "dA": np.einsum("ij,kj->ik", G, B)}


def matmul_turned_round(G, A, B):
    return (B @ G.T).T, np.transpose(np.dot(G.transpose(), A))


def unbroadcast_entry_by_entry(g, shape):
    result = np.zeros(shape)
    for index in np.ndindex(*g.shape):
        own = index[len(index) - len(shape) :]
        result[tuple(0 if size == 1 else i for i, size in zip(own, shape, strict=True))] += g[index]
    return result


def unbroadcast_by_adding_at(g, shape):
    places = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(shape), g.shape)
    return np.bincount(places.ravel(), weights=g.ravel(), minlength=int(np.prod(shape))).reshape(shape)


def unbroadcast_at_once(g, shape):
    padded = (1,) * (g.ndim - len(shape)) + tuple(shape)
    axes = tuple(axis for axis, size in enumerate(padded) if size == 1)
    return (np.sum(g, axes, keepdims=True) if axes else g).reshape(shape)


def layer_with_einsum(G, X, w, b):
    D = 2 * G * (X * w + b[:, None])
    return np.einsum("nd,d->nd", D, w), np.einsum("nd,nd->d", D, X), np.einsum("nd->n", D)


def layer_with_loops(G, X, w, b):
    n, d = X.shape
    dX, dw, db = np.zeros((n, d)), [0.0] * d, [[0.0] for _ in range(n)]
    for i in range(n):
        for j in range(d):
            dZ = 2 * G[i, j] * (X[i, j] * w[j] + b[i])
            dX[i, j] = dZ * w[j]
            dw[j] += dZ * X[i, j]
            db[i][0] += dZ
    return dX, dw, db


def layer_with_products(G, X, w, b):
    Z = X * w + b[:, None]
    D = G * Z + Z * G
    n, d = X.shape
    return {"dw": np.ones(n) @ (D * X), "db": D @ np.ones((d, 1)), "dX": D @ np.diag(w)}


# --- Reverse mode as a class ------------------------------------------------------------------------------------------


class ValueOfClosures:
    """After micrograd: every result has a function that sends its gradient on."""

    def __init__(self, value, operands=()):
        self.value, self.gradient = value, 0.0
        self._operands, self._send = operands, lambda: None

    @classmethod
    def _of(cls, x):
        return x if isinstance(x, cls) else cls(x)

    def __add__(self, other):
        other = self._of(other)
        out = ValueOfClosures(self.value + other.value, (self, other))

        def send():
            self.gradient += out.gradient
            other.gradient += out.gradient

        out._send = send
        return out

    def __mul__(self, other):
        other = self._of(other)
        out = ValueOfClosures(self.value * other.value, (self, other))

        def send():
            self.gradient += other.value * out.gradient
            other.gradient += self.value * out.gradient

        out._send = send
        return out

    def __pow__(self, n):
        return self._function(self.value**n, n * self.value ** (n - 1))

    def exp(self):
        return self._function(math.exp(self.value), math.exp(self.value))

    def tanh(self):
        return self._function(math.tanh(self.value), 1 / math.cosh(self.value) ** 2)

    def _function(self, value, slope):
        out = ValueOfClosures(value, (self,))

        def send():
            self.gradient += slope * out.gradient

        out._send = send
        return out

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for operand in node._operands:
                    visit(operand)
                order.append(node)

        visit(self)
        self.gradient = 1.0
        for node in order[::-1]:
            node._send()

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -self._of(other)

    def __rsub__(self, other):
        return other + -self

    def __truediv__(self, other):
        return self * self._of(other) ** -1

    def __rtruediv__(self, other):
        return other * self**-1

    __radd__, __rmul__ = __add__, __mul__


class ValueOnATape:
    """All values of the program on one list, in the order in which they were made: no search for an order."""

    tape: list = []  # noqa: RUF012  (on purpose one for all)

    def __init__(self, value, edges=()):
        self.value, self.gradient, self.edges = np.float64(value), 0.0, edges
        self.place = len(self.tape)
        self.tape.append(self)

    def _with(self, other, value, slope, slope_of_other):
        return ValueOnATape(value, ((self, slope), (other, slope_of_other)))

    @staticmethod
    def _lifted(x):
        return x if isinstance(x, ValueOnATape) else ValueOnATape(x)

    def __add__(self, other):
        other = self._lifted(other)
        return self._with(other, self.value + other.value, 1, 1)

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        other = self._lifted(other)
        return self._with(other, self.value - other.value, 1, -1)

    def __rsub__(self, other):
        return self._lifted(other) - self

    def __mul__(self, other):
        other = self._lifted(other)
        return self._with(other, self.value * other.value, other.value, self.value)

    def __rmul__(self, other):
        return self * other

    def __truediv__(self, other):
        other = self._lifted(other)
        y = self.value / other.value
        return self._with(other, y, 1 / other.value, -y / other.value)

    def __rtruediv__(self, other):
        return self._lifted(other) / self

    def __neg__(self):
        return ValueOnATape(-self.value, ((self, -1),))

    def __pow__(self, n):
        return ValueOnATape(self.value ** float(n), ((self, n * self.value ** (n - 1.0)),))

    def exp(self):
        y = np.exp(self.value)
        return ValueOnATape(y, ((self, y),))

    def tanh(self):
        e = (self * 2).exp()
        return (e - 1) / (e + 1)

    def backward(self):
        for node in self.tape:
            node.gradient = 0.0
        self.gradient = 1.0
        for node in reversed(self.tape[: self.place + 1]):
            for operand, slope in node.edges:
                operand.gradient += node.gradient * slope


class ValueThatForwards:
    """Reverse mode by sending every contribution on at once, along every path."""

    def __init__(self, value):
        self.value, self.gradient, self.paths = value, 0.0, {}

    def _made(self, value, *paths):
        made = ValueThatForwards(value)
        made.paths = dict(enumerate(paths))
        return made

    def _take(self, contribution):
        self.gradient += contribution
        for operand, slope in self.paths.values():
            operand._take(contribution * slope)

    def backward(self):
        self._take(1.0)

    def _other(self, other):
        return other if hasattr(other, "paths") else ValueThatForwards(other)

    def __add__(self, other):
        other = self._other(other)
        return self._made(self.value + other.value, (self, 1.0), (other, 1.0))

    def __sub__(self, other):
        other = self._other(other)
        return self._made(self.value - other.value, (self, 1.0), (other, -1.0))

    def __mul__(self, other):
        other = self._other(other)
        return self._made(self.value * other.value, (self, other.value), (other, self.value))

    def __truediv__(self, other):
        other = self._other(other)
        return self._made(
            self.value / other.value, (self, 1 / other.value), (other, -self.value / other.value / other.value)
        )

    def __pow__(self, n):
        result = self._made(1.0)
        for _ in range(abs(n)):
            result = result * self
        return result if n > 0 else 1 / result

    def __neg__(self):
        return 0 - self

    def __radd__(self, other):
        return self._other(other) + self

    def __rsub__(self, other):
        return self._other(other) - self

    def __rmul__(self, other):
        return self._other(other) * self

    def __rtruediv__(self, other):
        return self._other(other) / self

    def exp(self):
        return self._made(float(np.exp(self.value)), (self, float(np.exp(self.value))))

    def tanh(self):
        t = float(np.tanh(self.value))
        return self._made(t, (self, (1 - t) * (1 + t)))


# --- Predictions and orders -------------------------------------------------------------------------------------------


def seeds_as_floats():
    return {"seed_two": 12.0, "both_seeded": 8.0, "direction": 2.0, "constant": "A"}


def seeds_in_order():
    return [12, 8, 2, "(a)"]


def seeds_computed():
    gradient, tangents = np.array([2.0, -1.0]), np.array([3.0, 4.0])
    return {"constant": "a", "direction": gradient @ tangents, "both_seeded": 5 + 3, "seed_two": 2 * 3 * 2}


def passes_as_floats():
    return {"forward": 1e3, "reverse": 1.0, "many_outputs": 300.0, "cheaper": "a"}


def passes_in_order():
    return (1000, 1, 300, "A")


def passes_computed():
    return {"cheaper": "a.", "many_outputs": len(range(300)), "forward": 10**3, "reverse": np.int64(1)}


def order_second_factor_first():
    return "j b k f e g"


def order_as_a_list():
    return ["j", "k", "b", "f", "g", "e"]


def order_without_spaces():
    return "jbkfge"


ANSWERS = {
    "07.dual_lines": [lines_by_series, lines_as_text, lines_with_equations],
    "07.seeds": [seeds_as_floats, seeds_in_order, seeds_computed],
    "07.dual_class": [DualOfAPair, DualAsMatrix, _dual_from_rules()],
    "07.passes": [passes_as_floats, passes_in_order, passes_computed],
    "07.backward_order": [order_second_factor_first, order_as_a_list, order_without_spaces],
    "07.reverse_sweep": [sweep_by_counting_uses, sweep_path_by_path, sweep_with_a_matrix],
    "07.matmul_rule": [matmul_with_loops, matmul_with_einsum, matmul_turned_round],
    "07.unbroadcast": [unbroadcast_entry_by_entry, unbroadcast_by_adding_at, unbroadcast_at_once],
    "07.fix_backward": [layer_with_einsum, layer_with_loops, layer_with_products],
    "07.value_class": [ValueOfClosures, ValueOnATape, ValueThatForwards],
}
