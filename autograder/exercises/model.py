"""What an exercise is: a derivation, and for each of its steps the mistakes people make there.

A derivation is a short ordered table. Every step has a name and a formula, and the formula's parameters are the names
of inputs and of earlier steps, so the table is a computation graph written down line by line::

    Step("dZ2", lambda dA2, A2: dA2 * A2 * (1 - A2),
         mistakes={"forgot_output_sigmoid": (lambda dA2: dA2, "The output went through σ, so ...")})

A mistake is another formula for one step. Everything else follows from the table: the reference answer, every wrong
answer with one or more mistakes, the diagnosis and the marks. This module computes; it does not judge (see
``autograder.checking``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autograder.exercises.drawing import Draw
from autograder.exercises.formulas import Environment, Formula, needs
from autograder.exercises.kind import Kind

LARGE = 1e8
"""Factor of the inputs named in ``Exercise.amplify``; see there."""


@dataclass(frozen=True)
class Step:
    """One line of a derivation.

    Parameters
    ----------
    name : the value it computes, such as ``"dZ2"``
    formula : computes it from inputs and earlier steps
    share : the step's part of the exercise's points, relative to the other steps
    mistakes : name -> (another formula, the explanation for someone who made it)
    spellings : the same formula in other words, as learners may write it; slips are looked for in these as well
    """

    name: str
    formula: Formula
    share: float = 1.0
    mistakes: Mapping[str, tuple[Formula, str]] = field(default_factory=dict)
    spellings: tuple[Formula, ...] = ()


@dataclass(frozen=True)
class Mistake:
    """A named mistake: another formula for one step of a derivation.

    ``answer`` is the whole answer of somebody who makes this mistake and no other: a callable, as the reference is.
    """

    name: str
    step: str
    formula: Formula
    explanation: str
    answer: Formula


@dataclass(frozen=True)
class Exercise:
    """A graded exercise: what the learner writes, how it is tried, and the derivation behind it.

    Parameters
    ----------
    id : ``"<lesson number>.<name>"``, such as ``"05.backprop_batch"``
    title : a few words
    points : maximum score
    function : the name of the function the learner defines
    inputs : its parameters, in order
    returns : the steps whose values it returns, in order; a single one is returned bare
    draw : draws one random case by name: the inputs, and what else the loss needs
    steps : the derivation
    loss : for a gradient: the loss as a formula of inputs and of steps of the forward pass. Its derivative, taken by
        complex step, is the truth the answer is compared with. None where the answer is a value, not a gradient: there
        the derivation is the definition.
    wrt : return -> the name it is the gradient for, where that is not the return's name without its leading ``d``
    amplify : inputs multiplied by ``LARGE`` in one case. It makes the loss huge beside its gradient, so that a
        difference of two losses loses its digits while an analytic gradient keeps them.
    hints : three Markdown texts: a nudge, the rule, the line
    objective : what solving it shows
    difficulty : 1 (worked through), 2 (partly given), 3 (blank page)
    minutes : expected time
    float32 : whether an answer in single precision is accepted
    quiet : whether a warning of numpy's costs points, as it does where the exercise is about overflow
    kind : what is handed in; see ``autograder.exercises.kind``
    question : Markdown that a lesson shows above the answer's cell: choices, lines to put in order
    """

    id: str
    title: str
    points: int
    function: str
    inputs: tuple[str, ...]
    returns: tuple[str, ...]
    draw: Callable[[Draw], Environment]
    steps: tuple[Step, ...]
    hints: tuple[str, str, str]
    objective: str
    minutes: int
    difficulty: int = 2
    loss: Formula | None = None
    wrt: Mapping[str, str] = field(default_factory=dict)
    amplify: tuple[str, ...] = ()
    float32: bool = True
    quiet: bool = False
    kind: Kind = field(default_factory=Kind)
    question: str = ""
    lesson: str = ""

    def __post_init__(self) -> None:
        """Refuse a table that cannot be computed from top to bottom: an author's slip, found at import."""
        known = set(self.inputs)
        names: list[str] = []
        for step in self.steps:
            for formula in (step.formula, *step.spellings, *(formula for formula, _ in step.mistakes.values())):
                if missing := set(needs(formula)) - known:
                    raise ValueError(f"{self.id}: step {step.name} uses {sorted(missing)} before they are known.")
            if step.mistakes and not step.share:
                raise ValueError(f"{self.id}: step {step.name} has mistakes, so it needs a share of the points.")
            known.add(step.name)
            names += step.mistakes
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"{self.id}: mistake names must be unique; {sorted(twice)} occur twice.")
        if unknown := set(self.returns) - {step.name for step in self.steps}:
            raise ValueError(f"{self.id}: returns {sorted(unknown)}, which no step computes.")

    @property
    def signature(self) -> str:
        """What is to be written: the call and what it gives, such as ``backprop(X, Y) -> dW1, db1``."""
        return self.kind.signature(self)

    @property
    def reference(self) -> Formula:
        """The right answer: a callable with the exercise's signature."""
        return self.answer()

    @cached_property
    def mistakes(self) -> dict[str, Mistake]:
        """All named mistakes in the order of the derivation."""
        return {
            name: Mistake(name, step.name, formula, explanation, self.kind.make(self, {step.name: formula}))
            for step in self.steps
            for name, (formula, explanation) in step.mistakes.items()
        }

    @cached_property
    def slips(self) -> dict[str, Mistake]:
        """Small changes of a step's formula that have no explanation of their own; see ``autograder.exercises.slips``.

        They are derived from the formulas' source when they are first asked for.
        """
        from autograder.exercises.slips import slips  # it reads source code, which most checks do without

        return slips(self)

    def mistake(self, name: str) -> Mistake:
        """The mistake or slip of this name."""
        return self.mistakes[name] if name in self.mistakes else self.slips[name]

    def answer(self, *names: str) -> Formula:
        """The answer of someone who makes the named mistakes or slips together; without names, the reference.

        Raises
        ------
        ValueError
            A name is unknown, or two of them are mistakes in the same step.
        """
        return self.kind.make(self, self.formulas(*names))

    def formulas(self, *names: str) -> dict[str, Formula]:
        """The formulas of somebody who makes the named mistakes or slips, by step; other steps are left out.

        Raises
        ------
        ValueError
            As for ``answer``.
        """
        formulas: dict[str, Formula] = {}
        chosen: dict[str, str] = {}
        for name in dict.fromkeys(names):
            if name not in self.mistakes and not (":" in name and name in self.slips):
                raise ValueError(f"{self.id} has no mistake {name!r}; it has: {', '.join(self.mistakes)}.")
            mistake = self.mistake(name)
            if mistake.step in chosen:
                both = f"{chosen[mistake.step]} and {name}"
                raise ValueError(f"{self.id}: {both} are mistakes in the same step, {mistake.step}.")
            chosen[mistake.step] = name
            formulas[mistake.step] = mistake.formula
        return formulas

    def arguments(self, case: Mapping[str, Any]) -> Environment:
        """What a case passes to the answer: its inputs, without what only the loss needs."""
        return {name: case[name] for name in self.inputs}

    def derive(self, inputs: Mapping[str, Any], *names: str) -> Environment:
        """Inputs and every step of the derivation, by name: the right one, or one with the named mistakes."""
        environment = dict(inputs)
        self.kind.compute(self, self.formulas(*names), environment)
        return environment

    def variable(self, name: str) -> str:
        """What a returned gradient is taken with respect to: ``"W1"`` for ``"dW1"``."""
        return self.wrt.get(name, name.removeprefix("d"))

    def cases(self, seed: int, count: int = 4, square: bool = False) -> list[Environment]:
        """Random inputs, the same for the same seed.

        Sizes differ from one another within a case, except with ``square=True``: then all are equal, so that a product
        of matrices in the wrong order can be computed and told apart by its values.
        """
        cases = [self.draw(Draw((seed, *self.id.encode()), case, square)) for case in range(count)]
        for name in self.amplify:
            cases[-1][name] = cases[-1][name] * LARGE
        return cases
