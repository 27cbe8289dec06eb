"""Right answers to lesson 08 in the styles people write: loops, einsum, recursion, a tape, other containers."""

from __future__ import annotations

import math

import numpy as np


def step_with_loops(x, h_before, W_xh, W_hh, b_h, W_hy, b_y):
    h = []
    for i in range(len(b_h)):
        z = b_h[i]
        for j in range(len(x)):
            z += W_xh[i][j] * x[j]
        for j in range(len(h_before)):
            z += W_hh[i][j] * h_before[j]
        h.append(math.tanh(z))
    y = [b_y[k] + sum(W_hy[k][i] * h[i] for i in range(len(h))) for k in range(len(b_y))]
    return h, y


def step_with_one_matrix(x, h_before, W_xh, W_hh, b_h, W_hy, b_y):
    """W_xh and W_hh side by side, as textbooks write it."""
    h = np.tanh(np.hstack([W_xh, W_hh]) @ np.concatenate([x, h_before]) + b_h)
    return {"y": np.dot(W_hy, h) + b_y, "h": h}


def step_with_columns_and_exponentials(x, h_before, W_xh, W_hh, b_h, W_hy, b_y):
    z = W_xh @ x[:, None] + W_hh @ h_before[:, None] + b_h[:, None]
    h = 1 - 2 / (np.exp(2 * z) + 1)
    return h, W_hy @ h + b_y[:, None]


def shapes_in_order(n, T, d, h, c):
    return (h, d), (h, h), (n, T + 1, h), (n, T, c), (n, T, h), (h, h), (h,), (c, h), (n, h)


def shapes_in_a_dictionary(n, T, d, h, c):
    shapes = {"W_xh": (h, d), "W_hh": (h, h), "b_h": (h,), "W_hy": (c, h), "Z": (n, T, h)}
    gradients = {f"d{name}": shape for name, shape in shapes.items()}
    return {**shapes, **gradients, "H": (n, 1 + T, h), "Y": (n, T, c), "dh0": (n, h)}


def shapes_of_real_arrays(n, T, d, h, c):
    """Runs the network and asks the arrays."""
    X, W_xh, W_hh, W_hy = np.ones((n, T, d)), np.ones((h, d)), np.ones((h, h)), np.ones((c, h))
    H = np.zeros((n, T + 1, h))
    for t in range(T):
        H[:, t + 1] = np.tanh(X[:, t] @ W_xh.T + H[:, t] @ W_hh.T)
    Y = H[:, 1:] @ W_hy.T
    dZ = (Y @ W_hy) * (1 - H[:, 1:] ** 2)
    dW_hh, dW_hy = np.einsum("nti,ntj->ij", dZ, H[:, :-1]), np.einsum("nti,ntj->ij", Y, H[:, 1:])
    arrays = W_xh, W_hh, H, Y, dZ, dW_hh, dZ.sum(axis=(0, 1)), dW_hy, dZ[:, 0] @ W_hh
    return [list(array.shape) for array in arrays]


def lines_with_names(z, h, h_before, w_hh, w_hy, dy, dz_next):
    dh_dz = 1 - h**2
    from_output = dy * w_hy
    from_next = dz_next * w_hh
    dh = from_output + from_next
    dz = dh * dh_dz
    return dh_dz, from_output, from_next, dh, dz, dz * h_before


def lines_expanded_in_a_dictionary(z, h, h_before, w_hh, w_hy, dy, dz_next):
    import sympy

    slope = sympy.diff(sympy.tanh(z), z)
    dh = w_hh * dz_next + w_hy * dy
    return {
        "dw_hh": sympy.expand(dh * slope * h_before),
        "dz": sympy.expand(dh * slope),
        "dh": dh,
        "from_next": w_hh * dz_next,
        "from_output": w_hy * dy,
        "dh_dz": slope,
    }


def lines_as_texts(z, h, h_before, w_hh, w_hy, dy, dz_next):
    return [
        "(1 - h)*(1 + h)",
        "w_hy*dy",
        "w_hh*dz_next",
        "dh = w_hy*dy + w_hh*dz_next",
        "(1 - h^2)*(w_hy*dy + w_hh*dz_next)",
        "(1/cosh(z)**2)*(w_hy*dy + w_hh*dz_next)*h_before",
    ]


def back_with_loops(x, h_before, z, h, W_hh, W_hy, dy, dz_next):
    dh = [0.0] * len(h)
    for i in range(len(h)):
        for k in range(len(dy)):
            dh[i] += dy[k] * W_hy[k, i]
        for j in range(len(h)):
            dh[i] += dz_next[j] * W_hh[j, i]
    dz = [dh[i] / math.cosh(z[i]) ** 2 for i in range(len(h))]
    return dh, dz, [[d * v for v in x] for d in dz], [[d * v for v in h_before] for d in dz]


def back_with_einsum(x, h_before, z, h, W_hh, W_hy, dy, dz_next):
    dh = np.einsum("ki,k->i", W_hy, dy) + np.einsum("ji,j->i", W_hh, dz_next)
    dz = dh - dh * h * h
    return {
        "dW_hh": np.einsum("i,j->ij", dz, h_before),
        "dW_xh": np.einsum("i,j->ij", dz, x),
        "dz": dz,
        "dh": dh,
    }


def back_with_stacked_rows(x, h_before, z, h, W_hh, W_hy, dy, dz_next):
    dh = np.concatenate([dy, dz_next]) @ np.vstack([W_hy, W_hh])
    dz = np.diag(1 - h**2) @ dh
    both = dz.reshape(-1, 1) @ np.concatenate([x, h_before]).reshape(1, -1)
    return dh, dz, both[:, : len(x)], both[:, len(x) :]


def order_of_the_lesson():
    return "g i c b h n f e"


def order_that_sends_on_first():
    return ["g", "i", "c", "b", "f", "n", "h", "e"]


def order_without_spaces():
    return "gicbnfhe"


def bptt_as_in_the_lesson(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    H = [h0]
    for x in X:
        H.append(np.tanh(W_xh @ x + W_hh @ H[-1] + b_h))
    gradients = [np.zeros_like(p) for p in (W_xh, W_hh, b_h, W_hy, b_y)]
    dW_xh, dW_hh, db_h, dW_hy, db_y = gradients
    dh_next = np.zeros_like(h0)
    for t in range(len(X), 0, -1):
        dy = W_hy @ H[t] + b_y - targets[t - 1]
        dz = (W_hy.T @ dy + dh_next) * (1 - H[t] ** 2)
        dW_xh += np.outer(dz, X[t - 1])
        dW_hh += np.outer(dz, H[t - 1])
        db_h += dz
        dW_hy += np.outer(dy, H[t])
        db_y += dy
        dh_next = W_hh.T @ dz
    return *gradients, dh_next


def bptt_by_recursion(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    """Every call does a step forwards, lets the rest of the sequence follow, and does the step backwards."""

    def step(t, h_before):
        if t == len(X):
            return 0.0, 0.0, 0.0, 0.0, 0.0, np.zeros(len(h0))
        z = W_xh @ X[t] + W_hh @ h_before + b_h
        h = np.tanh(z)
        dy = W_hy @ h + b_y - targets[t]
        dW_xh, dW_hh, db_h, dW_hy, db_y, dh = step(t + 1, h)
        dz = (dh + dy @ W_hy) / np.cosh(z) ** 2
        return (
            dW_xh + np.outer(dz, X[t]),
            dW_hh + np.outer(dz, h_before),
            db_h + dz,
            dW_hy + np.outer(dy, h),
            db_y + dy,
            dz @ W_hh,
        )

    return step(0, h0)


def bptt_with_one_large_jacobian(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    """All steps at once: the states' gradients solve one linear system, block-triangular in time."""
    T, h = len(X), len(h0)
    H = np.empty((T + 1, h))
    H[0] = h0
    for t in range(T):
        H[t + 1] = np.tanh(X[t] @ W_xh.T + H[t] @ W_hh.T + b_h)
    dY = H[1:] @ W_hy.T + b_y - targets
    system = np.eye(T * h)
    for t in range(T - 1):
        rows, columns = slice(t * h, t * h + h), slice(t * h + h, t * h + 2 * h)
        system[rows, columns] = -(W_hh.T * (1 - H[t + 2] ** 2))
    dZ = np.linalg.solve(system, (dY @ W_hy).ravel()).reshape(T, h) * (1 - H[1:] ** 2)
    return {
        "dh0": dZ[0] @ W_hh,
        "db_y": dY.sum(0),
        "dW_hy": dY.T @ H[1:],
        "db_h": np.ones(T) @ dZ,
        "dW_hh": np.einsum("ti,tj->ij", dZ, H[:-1]),
        "dW_xh": np.einsum("ti,tj->ij", dZ, X),
    }


def bptt_with_a_tape(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    """Closures recorded on the way forward, run backwards."""
    tape, found = [], {}

    def add(name, gradient):
        found[name] = found.get(name, 0) + gradient

    def record(t, h_before):
        h = np.tanh(W_xh @ X[t] + W_hh @ h_before + b_h)

        def backward():
            dz = found[f"h{t + 1}"] * (1 - h) * (1 + h)
            add("W_xh", dz[:, None] * X[t])
            add("W_hh", dz[:, None] * h_before)
            add("b_h", dz)
            add(f"h{t}", W_hh.T @ dz)

        def backward_output():
            dy = W_hy @ h + b_y - targets[t]
            add("W_hy", dy[:, None] * h)
            add("b_y", dy)
            add(f"h{t + 1}", W_hy.T @ dy)

        tape.extend([backward, backward_output])
        return h

    state = h0
    for t in range(len(X)):
        state = record(t, state)
    for backward in reversed(tape):
        backward()
    return [found[name] for name in ("W_xh", "W_hh", "b_h", "W_hy", "b_y", "h0")]


def bptt_in_plain_python(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    return [np.asarray(g).tolist() for g in bptt_by_recursion(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y)]


def mended(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    n, T = X.shape[:2]
    H = np.zeros((n, T + 1, len(b_h)))
    H[:, 0] = h0
    for t in range(1, T + 1):
        H[:, t] = np.tanh(X[:, t - 1] @ W_xh.T + H[:, t - 1] @ W_hh.T + b_h)
    dY = (H[:, 1:] @ W_hy.T + b_y - targets) / n
    dW_xh, dW_hh, db_h, dW_hy = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros_like(b_h), np.zeros_like(W_hy)
    dh_next = np.zeros_like(h0)
    for t in range(T, 0, -1):
        dW_hy += dY[:, t - 1].T @ H[:, t]
        dh = dY[:, t - 1] @ W_hy + dh_next
        dz = dh * (1 - H[:, t] ** 2)
        dW_xh += dz.T @ X[:, t - 1]
        dW_hh += dz.T @ H[:, t - 1]
        db_h += dz.sum(axis=0)
        dh_next = dz @ W_hh
    return dW_xh, dW_hh, db_h, dW_hy, dh_next


def mended_sequence_by_sequence(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    each = [
        bptt_by_recursion(x, y, start, W_xh, W_hh, b_h, W_hy, b_y) for x, y, start in zip(X, targets, h0, strict=True)
    ]
    dW_xh, dW_hh, db_h, dW_hy, _, dh0 = zip(*each, strict=True)
    return *(sum(g) / len(X) for g in (dW_xh, dW_hh, db_h, dW_hy)), np.array(dh0) / len(X)


def mended_with_einsum(X, targets, h0, W_xh, W_hh, b_h, W_hy, b_y):
    H = [h0]
    for t in range(X.shape[1]):
        H.append(np.tanh(np.einsum("nd,hd->nh", X[:, t], W_xh) + np.einsum("ni,hi->nh", H[t], W_hh) + b_h))
    H = np.stack(H)  # time first
    dY = (np.einsum("tnh,ch->tnc", H[1:], W_hy) + b_y - targets.transpose(1, 0, 2)) / len(X)
    dZ, arriving = [], 0.0
    for dy, h in zip(dY[::-1], H[:0:-1], strict=True):
        dZ.insert(0, (dy @ W_hy + arriving) * (1 - h * h))
        arriving = dZ[0] @ W_hh
    dZ = np.stack(dZ)
    return {
        "dW_xh": np.einsum("tni,ntj->ij", dZ, X),
        "dW_hh": np.einsum("tni,tnj->ij", dZ, H[:-1]),
        "db_h": np.einsum("tni->i", dZ),
        "dW_hy": np.einsum("tni,tnj->ij", dY, H[1:]),
        "dh0": arriving,
    }


def norms_as_powers():
    return {"vanishing": 0.8**20, "exploding": 1.2**20, "damped": 0.768**20}


def norms_with_a_loop():
    values = []
    for factor in (0.8, 1.2, 1.2 * 0.64):
        norm = 1.0
        for _ in range(20):
            norm *= factor
        values.append(norm)
    return tuple(values)


def norms_rounded():
    return {"damped": "5.1e-3", "exploding": 38, "vanishing": 0.0115}


def travel_with_a_loop(dh_last, H, W_hh):
    dh, norms = dh_last, [math.sqrt(sum(v**2 for v in dh_last))]
    for t in range(len(H) - 1, 0, -1):
        dh = W_hh.T @ (dh * (1 - H[t] ** 2))
        norms.append(math.sqrt(sum(v**2 for v in dh)))
    norms.reverse()
    gain = math.sqrt(max(np.linalg.eigvalsh(W_hh.T @ W_hh)))
    return norms, gain, [norms[-1] * gain ** (len(H) - 1 - t) for t in range(len(H))]


def travel_with_jacobians(dh_last, H, W_hh):
    T = len(H) - 1
    product, norms = np.eye(len(dh_last)), np.empty(T + 1)
    norms[T] = np.linalg.norm(dh_last)
    for t in range(T, 0, -1):
        product = product @ np.diag(1 - H[t] ** 2) @ W_hh
        norms[t - 1] = np.linalg.norm(dh_last @ product)
    gain = np.linalg.svd(W_hh, compute_uv=False)[0]
    return {"gain": gain, "bounds": np.linalg.norm(dh_last) * np.power(gain, np.arange(T, -1, -1)), "norms": norms}


def travel_by_recursion(dh_last, H, W_hh):
    def back(H):
        if len(H) == 1:
            return [dh_last]
        later = back(H[1:])
        return [((1 - H[1] * H[1]) * later[0]) @ W_hh, *later]

    norms = np.linalg.norm(back(H), axis=1)
    gain = np.linalg.norm(W_hh, ord=2)
    bounds = [norms[-1]]
    while len(bounds) < len(H):
        bounds.insert(0, bounds[0] * gain)
    return norms, gain, bounds


def truncated_with_two_loops(X, H, dY, W_hh, W_hy, k):
    h, d = len(W_hh), X.shape[1]
    dW_xh, dW_hh, db_h = np.zeros((h, d)), np.zeros((h, h)), np.zeros(h)
    for t in range(1, len(X) + 1):
        dh = W_hy.T @ dY[t - 1]
        for s in range(t, max(t - k, 0), -1):
            dz = dh * (1 - H[s] ** 2)
            dW_xh += np.outer(dz, X[s - 1])
            dW_hh += np.outer(dz, H[s - 1])
            db_h += dz
            dh = W_hh.T @ dz
    return dW_xh, dW_hh, db_h


def truncated_all_losses_at_once(X, H, dY, W_hh, W_hy, k):
    """Round j sends every loss that is still under way one step further."""
    travelling, dZ = dY @ W_hy, np.zeros((len(X), len(W_hh)))
    for j in range(min(k, len(X))):
        dz = travelling * (1 - H[1 : len(X) + 1 - j] ** 2)
        dZ[: len(X) - j] += dz
        travelling = dz[1:] @ W_hh
    return {"db_h": dZ.sum(axis=0), "dW_hh": dZ.T @ H[:-1], "dW_xh": dZ.T @ X}


def truncated_step_by_step(X, H, dY, W_hh, W_hy, k):
    """For each step, the losses whose window reaches it, by a product of Jacobians each."""
    T = len(X)
    dZ = []
    for s in range(1, T + 1):
        total = np.zeros(len(W_hh))
        for t in range(s, min(s + k - 1, T) + 1):
            row = dY[t - 1] @ W_hy
            for u in range(t, s, -1):
                row = (row * (1 - H[u] ** 2)) @ W_hh
            total += row * (1 - H[s] ** 2)
        dZ.append(total)
    dW_xh = sum(np.outer(dz, x) for dz, x in zip(dZ, X, strict=True))
    dW_hh = sum(np.outer(dz, h) for dz, h in zip(dZ, H[:-1], strict=True))
    return dW_xh.tolist(), dW_hh.tolist(), sum(dZ).tolist()


def clip_in_plain_python(gradients, limit):
    total = 0.0
    for g in gradients:
        for entry in g.ravel():
            total += entry * entry
    norm = math.sqrt(total)
    factor = limit / norm if norm > limit else 1.0
    by_norm = [g * factor for g in gradients]
    by_value = []
    for g in gradients:
        clipped = [max(-limit, min(limit, entry)) for entry in g.ravel()]
        by_value.append(np.reshape(clipped, g.shape).tolist())
    return norm, by_norm, by_value


def clip_with_one_long_vector(gradients, limit):
    flat = np.concatenate([g.ravel() for g in gradients])
    norm = np.linalg.norm(flat)
    ends = np.cumsum([g.size for g in gradients])[:-1]

    def apart(vector):
        return [part.reshape(g.shape) for part, g in zip(np.split(vector, ends), gradients, strict=True)]

    scaled = limit * flat / max(norm, limit)
    return {"by_value": apart(np.clip(flat, -limit, limit)), "by_norm": apart(scaled), "norm": norm}


def clip_with_where(gradients, limit):
    norm = np.sqrt(np.sum([np.vdot(g, g) for g in gradients]))
    divisor = np.where(norm > limit, norm / limit, 1.0)
    by_norm = tuple(g / divisor for g in gradients)
    by_value = tuple(np.where(np.abs(g) > limit, np.sign(g) * limit, g) for g in gradients)
    return norm, by_norm, by_value


ANSWERS = {
    "08.one_step": [step_with_loops, step_with_one_matrix, step_with_columns_and_exponentials],
    "08.unrolled_shapes": [shapes_in_order, shapes_in_a_dictionary, shapes_of_real_arrays],
    "08.two_paths": [lines_with_names, lines_expanded_in_a_dictionary, lines_as_texts],
    "08.step_back": [back_with_loops, back_with_einsum, back_with_stacked_rows],
    "08.loop_order": [order_of_the_lesson, order_that_sends_on_first, order_without_spaces],
    "08.bptt": [
        bptt_as_in_the_lesson,
        bptt_by_recursion,
        bptt_with_one_large_jacobian,
        bptt_with_a_tape,
        bptt_in_plain_python,
    ],
    "08.mend_the_batch": [mended, mended_sequence_by_sequence, mended_with_einsum],
    "08.norm_prediction": [norms_as_powers, norms_with_a_loop, norms_rounded],
    "08.gradient_norms": [travel_with_a_loop, travel_with_jacobians, travel_by_recursion],
    "08.truncated": [truncated_with_two_loops, truncated_all_losses_at_once, truncated_step_by_step],
    "08.clip": [clip_in_plain_python, clip_with_one_long_vector, clip_with_where],
}
