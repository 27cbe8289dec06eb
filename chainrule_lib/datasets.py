"""Data sets to learn from: small, offline, and the same for the same seed.

All but the sequences come as X (n, d_in) and targets Y (n, outputs) in the form a sigmoid network is trained with: one
column of 0 and 1 for two classes, one-hot rows for more.

The digits are real: the test part of *Optical Recognition of Handwritten Digits*, 1,797 images of digits written by 13
people, from the UCI Machine Learning Repository (E. Alpaydin, C. Kaynak, 1998, doi 10.24432/C50P49; licence CC BY 4.0).
They lie in `chainrule_lib/data/digits.npz`; `chainrule_lib/data/README.md` says how they got there.
"""

from importlib import resources

import numpy as np
from numpy.typing import ArrayLike

from chainrule_lib._arrays import Array, as_numbers, check_whole_number, is_number, random_numbers


def _check_noise(noise: float) -> None:
    if not (is_number(noise) and 0 <= noise < np.inf):
        raise ValueError(f"noise is {noise!r}: expected a standard deviation, 0 or more.")


def xor(n: int = 4, *, noise: float = 0.0, seed: int = 0) -> tuple[Array, Array]:
    """Exclusive or: 1 where exactly one of the two inputs is 1. No single layer can separate it.

    Args:
        n: samples; they go round the four corners of the unit square.
        noise: standard deviation of the normal noise added to the inputs.
        seed: of the noise.

    Returns:
        X (n, 2), Y (n, 1) of 0 and 1.

    Raises:
        ValueError: n < 1, noise < 0, or seed < 0.
    """
    check_whole_number(n, "n", 1)
    _check_noise(noise)
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])[np.arange(n) % 4]
    Y = np.abs(corners[:, :1] - corners[:, 1:])
    return corners + random_numbers(seed).normal(0, noise, size=(n, 2)), Y


def moons(n: int = 200, *, noise: float = 0.1, seed: int = 0) -> tuple[Array, Array]:
    """Two half circles of radius 1, one reaching into the other.

    Args:
        n: samples; every other one belongs to the second moon.
        noise: standard deviation of the normal noise added to the inputs.
        seed: of the places along the moons, and of the noise.

    Returns:
        X (n, 2), Y (n, 1) of 0 and 1.

    Raises:
        ValueError: n < 1, noise < 0, or seed < 0.
    """
    check_whole_number(n, "n", 1)
    _check_noise(noise)
    random = random_numbers(seed)
    angle = random.uniform(0, np.pi, size=(n, 1))
    Y = (np.arange(n) % 2).astype(float).reshape(-1, 1)
    upper = np.hstack([np.cos(angle), np.sin(angle)])
    X = np.where(Y == 0, upper, [1.0, 0.5] - upper)
    return X + random.normal(0, noise, size=(n, 2)), Y


def spirals(n: int = 300, *, classes: int = 3, noise: float = 0.1, seed: int = 0) -> tuple[Array, Array]:
    """Spirals that start at the origin and wind round each other, two thirds of a turn, out to radius 1.

    Args:
        n: samples; they go round the classes.
        classes: the number of spirals.
        noise: standard deviation of the normal noise added to the angle, in radians.
        seed: of the places along the spirals, and of the noise.

    Returns:
        X (n, 2), Y (n, classes) one-hot.

    Raises:
        ValueError: n < 1, fewer than two classes, noise < 0, or seed < 0.
    """
    check_whole_number(n, "n", 1)
    check_whole_number(classes, "classes", 2)
    _check_noise(noise)
    random = random_numbers(seed)
    labels = np.arange(n) % classes
    radius = random.uniform(0, 1, size=n)
    angle = 2 * np.pi * labels / classes + 4 * np.pi / 3 * radius + random.normal(0, noise, size=n)
    return radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), one_hot(labels, classes)


def sequences(n: int = 200, *, length: int = 20, seed: int = 0) -> tuple[Array, Array]:
    """The adding problem: the target is the sum of the two marked numbers of a sequence.

    One mark lies in the first half and one in the second, so the answer needs a memory over many time steps
    (Hochreiter, Schmidhuber, Neural Computation 9, 1997, doi 10.1162/neco.1997.9.8.1735, §5.4).

    Args:
        n: sequences.
        length: time steps of each.
        seed: of numbers and marks.

    Returns:
        X (n, length, 2): at every step a number between 0 and 1 and a mark, 0 or 1. Y (n, 1), between 0 and 2.

    Raises:
        ValueError: n < 1, length < 2, or seed < 0.
    """
    check_whole_number(n, "n", 1)
    check_whole_number(length, "length", 2)
    random = random_numbers(seed)
    numbers = random.uniform(0, 1, size=(n, length))
    marks = np.zeros((n, length))
    rows = np.arange(n)
    marks[rows, random.integers(0, length // 2, size=n)] = 1
    marks[rows, random.integers(length // 2, length, size=n)] = 1
    return np.stack([numbers, marks], axis=-1), (numbers * marks).sum(axis=1, keepdims=True)


def digits() -> tuple[Array, Array]:
    """The 1,797 handwritten digits, 8 × 8 pixels each; source and licence are in the docstring of this module.

    Returns:
        X (1797, 64): ink between 0 (none) and 1 (full), in sixteenths; `X.reshape(-1, 8, 8)` are the images.
        Y (1797, 10): one-hot labels; `Y.argmax(axis=1)` are the digits.
    """
    path = resources.files("chainrule_lib") / "data" / "digits.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        return data["pixels"] / 16, one_hot(data["labels"], 10)


def one_hot(labels: ArrayLike, classes: int) -> Array:
    """Class numbers as rows with a single 1.

    Args:
        labels: whole numbers from 0 to classes - 1, (n,).
        classes: the number of classes.

    Returns:
        (n, classes), float64.

    Raises:
        TypeError: labels holds no numbers.
        ValueError: labels is not one row of numbers, one is no class number, or there is not at least one class.
    """
    numbers = as_numbers(labels, "labels")
    check_whole_number(classes, "classes", 1)
    if numbers.ndim != 1 or not np.all(np.isin(numbers, np.arange(classes))):
        raise ValueError(f"labels has shape {numbers.shape}: expected (n,) with whole numbers from 0 to {classes - 1}.")
    return np.eye(classes)[numbers.astype(int)]


def train_test_split(
    X: ArrayLike, Y: ArrayLike, *, test_fraction: float = 0.2, seed: int = 0
) -> tuple[Array, Array, Array, Array]:
    """Shuffle the samples and set a part of them aside, to measure on what was not trained with.

    Args:
        X: samples, (n, ...).
        Y: targets, (n, ...).
        test_fraction: the share set aside, between 0 and 1; at least one sample stays on either side.
        seed: of the shuffle.

    Returns:
        X_train, X_test, Y_train, Y_test: new arrays.

    Raises:
        TypeError: X or Y holds no numbers.
        ValueError: X and Y have different numbers of samples, fewer than two, test_fraction is not between 0 and 1, or
            seed < 0.
    """
    X, Y = as_numbers(X, "X"), as_numbers(Y, "Y")
    if X.shape[:1] != Y.shape[:1] or X.ndim == 0 or len(X) < 2:
        raise ValueError(
            f"X has shape {X.shape}, Y has shape {Y.shape}: expected the same n, at least 2, first in both."
        )
    if not (is_number(test_fraction) and 0 < test_fraction < 1):
        raise ValueError(f"test_fraction is {test_fraction!r}: expected a number between 0 and 1, such as 0.2.")
    order = random_numbers(seed).permutation(len(X))
    n_test = min(max(1, round(test_fraction * len(X))), len(X) - 1)
    test, train = order[:n_test], order[n_test:]
    return X[train], X[test], Y[train], Y[test]
