"""The laboratory: every network learns, one is right, and measuring finds what ails each of the others."""

import numpy as np
import pytest

from autograder.exercises import find
from chainrule_lib import digits, gradient_check, numerical_gradient, softmax, train_test_split
from chainrule_lib.lab import LabNetwork, Parameters, networks

NAMES = ["W1", "b1", "W2", "b2", "W3", "b3"]
X_train, X_test, Y_train, Y_test = train_test_split(*digits())
RATE = 0.3
"""The learning rate that the lesson states."""


def random_parameters(seed: int) -> Parameters:
    """Parameters that hide nothing: no bias is zero."""
    random = np.random.default_rng(seed)
    like = networks()["A"].parameters
    return {name: random.normal(0, 0.3, size=value.shape) for name, value in like.items()}


def numerical(network: LabNetwork, n: int, at: Parameters) -> Parameters:
    """The gradients of the network's loss on n samples, by the complex step."""
    return {
        name: numerical_gradient(
            lambda p, name=name: network.loss(X_test[:n], Y_test[:n], at | {name: p}), value, method="complex"
        )
        for name, value in at.items()
    }


def finding(network: LabNetwork, seed: int = 0, n: int = 5) -> str:
    """What measuring says about a network, in the letters of the exercise 10.lab."""
    at = random_parameters(seed)
    claimed, true = network.gradients(X_test[:n], Y_test[:n], at), numerical(network, n, at)
    wrong = {name for name in NAMES if not np.allclose(claimed[name], true[name], rtol=1e-8, atol=1e-12)}
    if not wrong:
        return "a"
    if wrong == {"W1", "b1"}:
        A1 = np.tanh(X_test[:n] @ at["W1"].T + at["b1"])
        A2 = np.tanh(A1 @ at["W2"].T + at["b2"])
        dZ3 = (softmax(A2 @ at["W3"].T + at["b3"]) - Y_test[:n]) / n
        dA1 = (dZ3 @ at["W3"] * (1 - A2**2)) @ at["W2"]
        assert np.allclose(claimed["b1"], dA1.sum(axis=0))
        return "b"
    if wrong == {"b1", "b2", "b3"}:
        if all(np.allclose(n * claimed[name], true[name]) for name in wrong):
            return "c"
        assert all(np.allclose(claimed[name] - true[name], network.strength * at[name]) for name in wrong)
        return "e"
    if wrong == set(NAMES):
        assert all(np.allclose(claimed[f"b{k}"], n * true[f"b{k}"]) for k in (1, 2, 3))
        return "f"
    assert wrong == {"W1", "b1", "W2", "b2"}
    A1 = np.tanh(X_test[:n] @ at["W1"].T + at["b1"])
    A2 = np.tanh(A1 @ at["W2"].T + at["b2"])
    dZ3 = (softmax(A2 @ at["W3"].T + at["b3"]) - Y_test[:n]) / n
    dZ2 = dZ3 @ (at["W3"] - RATE * true["W3"]) * (1 - A2**2)
    assert np.allclose(claimed["b2"], dZ2.sum(axis=0))
    return "d"


def test_the_answers_of_the_exercise_are_what_measuring_finds() -> None:
    measured = {letter: finding(network) for letter, network in networks().items()}
    assert find("10.lab").reference() == measured


@pytest.mark.parametrize("seed", range(4))
def test_every_deal_has_one_right_network_and_each_mistake_once(seed: int) -> None:
    found = [finding(network, seed=seed, n=3 + seed) for network in networks(seed).values()]
    assert sorted(found) == ["a", "b", "c", "d", "e", "f"]


def test_another_seed_deals_other_letters_and_the_same_seed_the_same() -> None:
    def deal(seed: int) -> list[str]:
        return [finding(network) for network in networks(seed).values()]

    assert deal(1) == deal(1)
    assert deal(1) != deal(2)


def test_all_networks_learn_to_read_digits_and_their_accuracy_does_not_tell_them_apart() -> None:
    accuracies = {}
    for letter, network in networks().items():
        history = network.train(X_train, Y_train)
        assert history[-1] < history[0] / 3
        accuracies[letter] = network.accuracy(X_test, Y_test)
    assert min(accuracies.values()) > 0.96
    assert max(accuracies.values()) - min(accuracies.values()) < 0.015


def test_a_check_after_training_still_tells_them_apart() -> None:
    X, Y = X_test[:4], Y_test[:4]
    for letter, network in networks().items():
        network.train(X_train, Y_train, epochs=3)
        result = gradient_check(
            lambda p, network=network: network.loss(X, Y, p),
            network.parameters,
            network.gradients(X, Y),
            method="complex",
        )
        assert result.ok == (find("10.lab").reference()[letter] == "a"), letter


def test_a_single_sample_and_zero_biases_hide_mistakes_as_the_lesson_says() -> None:
    answers = find("10.lab").reference()
    for letter, network in networks().items():
        result = gradient_check(
            lambda p, network=network: network.loss(X_test[:1], Y_test[:1], p),
            network.parameters,
            network.gradients(X_test[:1], Y_test[:1]),
            method="complex",
        )
        assert result.ok == (answers[letter] in "acef"), letter


def test_the_loss_is_cross_entropy_and_weight_decay_without_the_biases() -> None:
    network, at = networks()["C"], random_parameters(3)
    X, Y = X_test[:6], Y_test[:6]
    A1 = np.tanh(X @ at["W1"].T + at["b1"])
    P = softmax(np.tanh(A1 @ at["W2"].T + at["b2"]) @ at["W3"].T + at["b3"])
    expected = -np.mean(np.log(P[Y == 1])) + network.strength / 2 * sum(np.sum(at[W] ** 2) for W in ("W1", "W2", "W3"))
    assert network.loss(X, Y, at) == pytest.approx(expected, rel=1e-12)
    assert network.loss(X, Y) == network.loss(X, Y, network.parameters)


def test_all_networks_start_alike_and_training_leaves_the_arrays_it_started_from_alone() -> None:
    first, second = list(networks().values())[:2]
    for name in NAMES:
        assert np.array_equal(first.parameters[name], second.parameters[name])
    before = dict(first.parameters)
    copies = {name: value.copy() for name, value in before.items()}
    assert first.train(X_train, Y_train, epochs=1) == networks()["A"].train(X_train, Y_train, epochs=1)
    assert all(np.array_equal(before[name], copies[name]) for name in NAMES)
    assert not np.array_equal(first.parameters["W1"], copies["W1"])
    assert list(first.gradients(X_test[:3], Y_test[:3])) == NAMES


def test_misuse_is_told_in_a_sentence() -> None:
    network = networks()["A"]
    with pytest.raises(ValueError, match="expected images of 64 pixels"):
        network.loss(X_test[0], Y_test[0])
    with pytest.raises(ValueError, match=r"expected Y of shape \(3, 10\)"):
        network.gradients(X_test[:3], Y_test[:2])
    with pytest.raises(ValueError, match="epochs is 0"):
        network.train(X_train, Y_train, epochs=0)
    with pytest.raises(ValueError, match="seed is -1"):
        networks(-1)
    assert repr(network) == "network A"
