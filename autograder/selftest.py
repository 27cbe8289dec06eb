"""Mutation testing of the checker: everything that is known to be wrong is handed in, and everything known to be right.

For every exercise

- every named mistake and every pair of them (in different steps), on several seeds: each has to cost points, and to be
  diagnosed: by its own names, or by another explanation, no longer, that gives the same values on the cases;
- the reference in every container and precision, and right answers by other hands: each has to earn all points;
- mutants of the worked solutions and of the formulas (``autograder.mutants``): none that changes the values may pass.
  How many are explained is reported, and so is the share of them that raise an exception, which the feedback tells with
  its line.

The work is spread over processes. The seeds are the same on every run.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from autograder import mutants
from autograder.checking import CheckResult, evaluate
from autograder.checking.diagnosis import agrees
from autograder.checking.precision import VALUE
from autograder.checking.running import run
from autograder.checking.values import leaves, read_answer
from autograder.course.folders import SOLUTIONS
from autograder.errors import CourseError
from autograder.exercises import Exercise, exercises, find
from autograder.exercises.kinds.order import Order
from autograder.exercises.kinds.prediction import Prediction

SINGLES_DIAGNOSED = 0.98
PAIRS_DIAGNOSED = 0.95
MUTANTS_EXPLAINED = 0.80

PAIR_SEEDS = 3
"""Seeds for every pair of mistakes: there are many."""

MUTANT_SEED = 0

MUTANT_PARTS = 6
"""Tasks that the mutants of an exercise are divided into."""

CHANGES = 1e-9
"""Relative difference from which on a mutant's gradient counts as another one; of a value, the checker's own tolerance,
which lets single precision pass."""

Kind = Literal["mistakes", "pairs", "right", "solution", "formula"]


@dataclass
class Count:
    """What came of one kind of answers to an exercise.

    Parameters
    ----------
    answers : how many were tried, on how many seeds in all in ``tried``
    caught : of these, how many did not earn all points; of right answers, how many did
    diagnosed : how many were explained
    raised : how many mutants raise an exception in every case, and are told its line instead
    """

    answers: int = 0
    tried: int = 0
    caught: int = 0
    diagnosed: int = 0
    raised: int = 0

    def add(self, other: Count) -> None:
        """Take in another count."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class Report:
    """The counts of exercises, by exercise and kind of answers, and a line for everything that is not as it should."""

    counts: dict[str, dict[str, Count]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    def add(self, id: str, kind: Kind, count: Count) -> None:
        """Take in the count of a task."""
        self.counts.setdefault(id, {}).setdefault(kind, Count()).add(count)

    def total(self, kind: Kind) -> Count:
        """The count of all exercises together."""
        total = Count()
        for counts in self.counts.values():
            total.add(counts.get(kind, Count()))
        return total

    def problems(self) -> list[str]:
        """What is below the bounds, in sentences; empty if all is well."""
        found = []
        for kind, what in (("mistakes", "single mistakes"), ("pairs", "pairs of mistakes")):
            count = self.total(kind)  # type: ignore[arg-type]
            bound = SINGLES_DIAGNOSED if kind == "mistakes" else PAIRS_DIAGNOSED
            if count.caught < count.tried:
                found.append(f"{count.tried - count.caught} {what} earned all points.")
            if count.diagnosed < bound * count.tried:
                share = count.diagnosed / count.tried
                found.append(f"{share:.1%} of {what} were diagnosed; at least {bound:.0%} are asked for.")
        right = self.total("right")
        if right.caught < right.tried:
            found.append(f"{right.tried - right.caught} right answers did not earn all points.")
        passed = sum(count.tried - count.caught for count in (self.total("solution"), self.total("formula")))
        if passed:
            found.append(f"{passed} mutants that change the values earned all points.")
        solution = self.total("solution")
        if solution.diagnosed < MUTANTS_EXPLAINED * (solution.tried - solution.raised):
            share = solution.diagnosed / (solution.tried - solution.raised)
            found.append(f"{share:.1%} of the solutions' mutants were explained; aimed at are {MUTANTS_EXPLAINED:.0%}.")
        return found

    def to_json(self) -> str:
        """The report as a JSON text."""
        totals = {kind: asdict(self.total(kind)) for kind in ("mistakes", "pairs", "right", "solution", "formula")}
        by_exercise = {
            id: {kind: asdict(count) for kind, count in counts.items()} for id, counts in self.counts.items()
        }
        report = {
            "totals": totals,
            "exercises": by_exercise,
            "problems": self.problems(),
            "failures": sorted(self.failures),
            "unexplained": sorted(self.unexplained),
        }
        return json.dumps(report, ensure_ascii=False, indent=1)


@dataclass(frozen=True)
class Task:
    """A part of the work: of one kind of answers to one exercise, those with the numbers part, part + parts, ..."""

    id: str
    what: Literal["mistakes", "pairs", "right", "mutants"]
    part: int = 0
    parts: int = 1
    seeds: int = 1

    def of(self, answers: Sequence[Any]) -> Sequence[Any]:
        """The answers that belong to this part."""
        return answers[self.part :: self.parts]


@dataclass
class Outcome:
    """What came of a task."""

    task: Task
    counts: dict[Kind, Count] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    def count(self, kind: Kind) -> Count:
        """The count of a kind of answers."""
        return self.counts.setdefault(kind, Count())


def tasks(chosen: Sequence[Exercise], seeds: int, pair_seeds: int, with_mutants: bool) -> list[Task]:
    """The work of a self-test, in parts of a few seconds at most."""
    found: list[Task] = []
    for exercise in chosen:
        found += _parts(exercise.id, "mistakes", -(-len(exercise.mistakes) // 10), seeds)
        found += _parts(exercise.id, "pairs", -(-len(pairs(exercise)) // 50), pair_seeds)
        found += _parts(exercise.id, "right", 1, seeds)
        if with_mutants and not isinstance(exercise.kind, Prediction | Order):
            found += _parts(exercise.id, "mutants", MUTANT_PARTS, 1)
    return found


def _parts(id: str, what: Literal["mistakes", "pairs", "right", "mutants"], parts: int, seeds: int) -> list[Task]:
    return [Task(id, what, part, parts, seeds) for part in range(parts)]


def pairs(exercise: Exercise) -> list[tuple[str, str]]:
    """All pairs of mistakes that can be made together, in the order of the derivation."""
    return [
        (first, second)
        for first, second in itertools.combinations(exercise.mistakes, 2)
        if exercise.mistakes[first].step != exercise.mistakes[second].step
    ]


def right_answers(exercise: Exercise) -> list[tuple[str, Any]]:
    """The reference as it is, by name, in lists and in single precision, as far as the kind of the exercise allows."""
    if exercise.kind.name not in ("function", "fix"):
        return [("reference", exercise.reference)]

    def named(*inputs: Any) -> Any:
        values = exercise.reference(*inputs)
        return dict(zip(exercise.returns, values if len(exercise.returns) > 1 else (values,), strict=True))

    def listed(*inputs: Any) -> Any:
        return _as_lists(exercise.reference(*inputs))

    def single(*inputs: Any) -> Any:
        return _in_single_precision(exercise.reference(*inputs))

    found = [("reference", exercise.reference), ("a dictionary", named), ("lists", listed)]
    return [*found, ("single precision", single)] if exercise.float32 else found


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else np.asarray(value).tolist()


def _in_single_precision(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_in_single_precision(item) for item in value]
    return np.float32(value)


def perform(task: Task, solutions: Path = SOLUTIONS) -> Outcome:
    """Do a part of the work."""
    outcome = Outcome(task)
    exercise = find(task.id)
    if task.what == "mistakes":
        _wrong(exercise, task.of([(name,) for name in exercise.mistakes]), outcome, outcome.count("mistakes"))
    elif task.what == "pairs":
        _wrong(exercise, task.of(pairs(exercise)), outcome, outcome.count("pairs"))
    elif task.what == "right":
        _right(exercise, task.of(right_answers(exercise)), outcome, outcome.count("right"))
    else:
        _mutants(exercise, task.of(_mutants_of(exercise.id, solutions)), outcome)
    return outcome


def _wrong(exercise: Exercise, sets: Iterable[tuple[str, ...]], outcome: Outcome, count: Count) -> None:
    """Hand in what somebody with these mistakes hands in."""
    for names in sets:
        count.answers += 1
        answer = exercise.answer(*names)
        for seed in range(outcome.task.seeds):
            result = evaluate(exercise.id, answer, seed)
            what = f"{exercise.id} with {' and '.join(names)}, seed {seed}"
            count.tried += 1
            if result.score < result.max_score:
                count.caught += 1
            else:
                outcome.failures.append(f"{what}: earned all points")
            if is_diagnosed(exercise, names, result):
                count.diagnosed += 1
            else:
                outcome.failures.append(f"{what}: {result.possibilities or result.verdict}")


def is_diagnosed(exercise: Exercise, names: Sequence[str], result: CheckResult) -> bool:
    """Whether a result names these mistakes, or explains the same values with no more of them."""
    if any(set(possibility) == set(names) for possibility in result.possibilities):
        return True
    shortest = [possibility for possibility in result.possibilities if len(possibility) <= len(names)]
    return any(_same_values(exercise, names, possibility, result.seed) for possibility in shortest)


def _same_values(exercise: Exercise, first: Sequence[str], second: Sequence[str], seed: int) -> bool:
    """Whether two sets of mistakes give the same values on a check's cases, or raise there and do so on square ones."""
    for square in (False, True):
        mine, other = (_values(exercise, names, seed, square) for names in (first, second))
        if mine is None or other is None:
            if mine is not other:
                return False
        elif not all(agrees(a, b) for a, b in zip(mine, other, strict=True)):
            return False
    return True


def _values(exercise: Exercise, names: Sequence[str], seed: int, square: bool) -> list[Any] | None:
    """The values with these mistakes, in the cases of a check; None where one of them raises."""
    found = []
    for case in exercise.cases(seed, square=square):
        try:
            with np.errstate(all="ignore"):
                environment = exercise.derive(case, *names)
        except Exception:
            return None
        found += [environment[name] for name in exercise.returns]
    return found


def _right(exercise: Exercise, variants: Iterable[tuple[str, Any]], outcome: Outcome, count: Count) -> None:
    """Hand in right answers."""
    for name, answer in variants:
        count.answers += 1
        for seed in range(outcome.task.seeds):
            result = evaluate(exercise.id, answer, seed)
            count.tried += 1
            if (result.verdict, result.score) == ("correct", result.max_score):
                count.caught += 1
            else:
                outcome.failures.append(f"{exercise.id}, {name}, seed {seed}: {result.verdict}, {result.score} points")


@cache
def _mutants_of(id: str, solutions: Path) -> list[tuple[str, str, Callable[[], Any]]]:
    """All mutants of an exercise.

    Raises
    ------
    CourseError
        The worked solution itself is not right, at least not outside its lesson.
    """
    exercise = find(id)
    path = solutions / f"{exercise.lesson}.md"
    solution = mutants.solutions(path).get(id) if path.is_file() else None
    if solution is not None:
        result = evaluate(id, mutants.compiled(solution.text, solution.names, exercise.function), MUTANT_SEED)
        if result.verdict != "correct":
            raise CourseError(f"{path.name}: the solution of {id} is judged {result.verdict}: {result.message}")
    return list(mutants.answers(exercise, solution))


def _mutants(exercise: Exercise, found: Iterable[tuple[str, str, Callable[[], Any]]], outcome: Outcome) -> None:
    """Hand in mutants."""
    right = _answered(exercise, exercise.reference)
    assert right is not None
    for origin, change, made in found:
        count = outcome.count("solution" if origin == "solution" else "formula")
        try:
            answer = made()
        except Exception:
            continue  # the changed program cannot even be read in
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = _answered(exercise, answer)
            if given is not None and not differs(exercise, given, right):
                continue
            result = evaluate(exercise.id, answer, MUTANT_SEED)
        count.answers += 1
        count.tried += 1
        what = f"{exercise.id}, {origin}, {change}"
        if result.score == result.max_score:
            outcome.failures.append(f"{what}: earned all points")
            continue
        count.caught += 1
        if result.mistakes or any("have changed places" in statement for statement in result.observations):
            count.diagnosed += 1
        elif result.verdict == "raised":
            count.raised += 1
        else:
            outcome.unexplained.append(f"{what}: {'; '.join((result.verdict, *result.observations))}")


def _answered(exercise: Exercise, answer: Any) -> list[dict[str, Any]] | None:
    """What an answer gives on cases that no check uses; None where it raises or gives what cannot be read."""
    found = []
    with np.errstate(all="ignore"):
        try:
            attempt = exercise.kind.attempt(exercise, answer)
        except Exception:
            return None
        for case in [case for seed in (10**6, 10**6 + 1) for case in exercise.cases(seed)]:
            tried = run(attempt, exercise.arguments(case), exercise.returns)
            derived = exercise.derive(case)
            try:
                values = read_answer(tried.returned, exercise.returns, [derived[name] for name in exercise.returns])
            except Exception:
                return None
            found.append(values)
    return found


def differs(exercise: Exercise, given: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> bool:
    """Whether values are others than the right ones, by more than the exercise lets pass."""
    limit = VALUE if exercise.loss is None and exercise.float32 else CHANGES
    for mine, other in zip(given, right, strict=True):
        for name in exercise.returns:
            for (_, a), (_, b) in zip(leaves(name, mine[name]), leaves(name, other[name]), strict=True):
                if a.shape != b.shape:
                    return True
                largest = np.max(np.abs(b[np.isfinite(b)]), initial=0.0)
                if not np.allclose(a, b, rtol=0, atol=limit * largest, equal_nan=True):
                    return True
    return False


def selftest(
    lessons: Sequence[str] | None = None,
    seeds: int = 20,
    with_mutants: bool = True,
    workers: int | None = None,
    pair_seeds: int = PAIR_SEEDS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Try the checker on all known answers to the exercises of these lessons, or of all.

    Parameters
    ----------
    lessons : names such as ``"05_backpropagation"``, or their numbers
    seeds : for every mistake and every right answer
    with_mutants : whether mutants are tried as well
    workers : processes; as many as there are processors if None
    pair_seeds : for every pair of mistakes
    progress : is called with the parts done and all parts

    Raises
    ------
    CourseError
        There is no such lesson.
    """
    chosen = _chosen(lessons)
    report = Report({exercise.id: {} for exercise in chosen})
    work = tasks(chosen, seeds, pair_seeds, with_mutants)
    for number, outcome in enumerate(_performed(work, workers or os.cpu_count() or 1), start=1):
        for kind, count in outcome.counts.items():
            report.add(outcome.task.id, kind, count)
        report.failures += outcome.failures
        report.unexplained += outcome.unexplained
        progress(number, len(work))
    return report


def _chosen(lessons: Sequence[str] | None) -> list[Exercise]:
    """The exercises of these lessons."""
    known = list(dict.fromkeys(exercise.lesson for exercise in exercises()))
    wanted = []
    for name in lessons or known:
        matching = [lesson for lesson in known if name in (lesson, lesson[:2])]
        if not matching:
            raise CourseError(f"There is no lesson {name!r}; the lessons are: {', '.join(known)}.")
        wanted += matching
    return [exercise for exercise in exercises() if exercise.lesson in wanted]


def _performed(work: Sequence[Task], workers: int) -> Iterator[Outcome]:
    """The outcomes of all parts, as they come."""
    if workers == 1:
        yield from map(perform, work)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the arrays are small, and every process has work for one thread
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_alone) as pool:
        waiting = [pool.submit(perform, task) for task in work]
        try:
            yield from (done.result() for done in as_completed(waiting))
        finally:
            pool.shutdown(cancel_futures=True)


def _alone() -> None:
    """A worker keeps no progress."""
    os.environ["CHAINRULE_PROGRESS"] = ""
