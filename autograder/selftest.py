"""Mutation testing of the checker: everything that is known to be wrong is handed in, and everything known to be right.

For every exercise

- every named mistake and every pair of them (in different steps), on several seeds: each has to cost points, and to be
  diagnosed: by its own names, or by another explanation, no longer, that gives the same values on the cases;
- the reference in every container and precision: each has to earn all points;
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
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

from autograder import mutants
from autograder.checking import CheckResult, evaluate
from autograder.checking.diagnosis import agrees
from autograder.checking.precision import VALUE
from autograder.checking.running import run
from autograder.checking.values import leaves, read_answer
from autograder.course.folders import SOLUTIONS, write_atomically
from autograder.errors import CourseError
from autograder.exercises import Exercise, exercises, find
from autograder.exercises.kinds import Fix
from autograder.exercises.kinds.order import Order
from autograder.exercises.kinds.prediction import Prediction

SINGLES_DIAGNOSED = 0.98
PAIRS_DIAGNOSED = 0.95
MUTANTS_EXPLAINED = 0.64
"""Of the mutants of solutions, at least: what an error model written by hand explained (Singh, Gulwani, Solar-Lezama,
PLDI 2013). The aim is 80 % of all; a sample, or a single lesson, may lie below it."""

PAIR_SEEDS = 3
"""Seeds for every pair of mistakes: there are many."""

MUTANT_SEED = 0

MISPLACED = re.compile("have changed places|these are the values of")
"""Observations that say as much as a diagnosis: a right value was returned in the place of another."""

SHOWN = 30
"""Failures that are printed; the file with the figures has all."""

WIDTH = 120
"""Of the table where it is not printed to a terminal."""

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
    raised : how many mutants raise an exception, or give what cannot be read, and are told that instead
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
            found.append(f"{share:.1%} of the mutants were explained; at least {MUTANTS_EXPLAINED:.0%} are asked for.")
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


def tasks(chosen: Sequence[Exercise], seeds: int, pair_seeds: int, pair_every: int, every: int) -> list[Task]:
    """The work of a self-test, in parts of a few seconds at most."""
    found: list[Task] = []
    for exercise in chosen:
        found += _parts(exercise.id, "mistakes", -(-len(exercise.mistakes) // 10), seeds)
        found += _parts(exercise.id, "pairs", -(-len(pairs(exercise)) // 50), pair_seeds)[::pair_every]
        found += _parts(exercise.id, "right", 1, seeds)
        if every and not isinstance(exercise.kind, Prediction | Order):
            found += _parts(exercise.id, "mutants", MUTANT_PARTS * every, 1)[::every]
    return found


def _parts(id: str, what: Literal["mistakes", "pairs", "right", "mutants"], parts: int, seeds: int) -> list[Task]:
    return [Task(id, what, part, parts, seeds) for part in range(parts)]


def pairs(exercise: Exercise) -> list[tuple[str, str]]:
    """All pairs of mistakes that can be made together, in the order of the derivation.

    The pair that a function to repair is handed out with is none: it counts as not attempted.
    """
    given = set(exercise.kind.planted) if isinstance(exercise.kind, Fix) else set()
    return [
        (first, second)
        for first, second in itertools.combinations(exercise.mistakes, 2)
        if exercise.mistakes[first].step != exercise.mistakes[second].step and {first, second} != given
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
        cases = exercise.cases(seed, square=square)
        mine, other = (_answered(exercise, exercise.answer(*names), cases) for names in (first, second))
        if mine is None or other is None:
            if mine is not other:
                return False
        elif not all(agrees(a[name], b[name]) for a, b in zip(mine, other, strict=True) for name in exercise.returns):
            return False
    return True


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
    """Hand in mutants. The same program in other words is none."""
    for origin, change, made in found:
        count = outcome.count("solution" if origin == "solution" else "formula")
        try:
            answer = made()
        except Exception:
            continue  # the changed program cannot even be read in
        what = f"{exercise.id}, {origin}, {change}"
        with warnings.catch_warnings(action="ignore"):
            result = evaluate(exercise.id, answer, MUTANT_SEED)
            passes = bool(result.parts) and all(part.right for part in result.parts)
            if passes and not is_another(exercise, answer):
                continue
        count.answers += 1
        count.tried += 1
        if passes:
            outcome.failures.append(f"{what}: has the right values in the cases of seed {MUTANT_SEED}")
            continue
        count.caught += 1
        if result.mistakes or any(MISPLACED.search(statement) for statement in result.observations):
            count.diagnosed += 1
        elif result.verdict == "raised" or not result.parts:
            count.raised += 1
        else:
            outcome.unexplained.append(f"{what}: {'; '.join((result.verdict, *result.observations))}")


def is_another(exercise: Exercise, answer: Any) -> bool:
    """Whether an answer gives other values than the right ones on cases that no check here uses, or raises there."""
    cases = [case for seed in (10**6, 10**6 + 1) for case in exercise.cases(seed)]
    given, right = _answered(exercise, answer, cases), _answered(exercise, exercise.reference, cases)
    assert right is not None
    return given is None or differs(exercise, given, right)


def _answered(exercise: Exercise, answer: Any, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """What an answer gives in each case; None where it raises or gives what cannot be read."""
    found = []
    with np.errstate(all="ignore"):
        try:
            attempt = exercise.kind.attempt(exercise, answer)
        except Exception:
            return None
        for case in cases:
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
    pair_seeds: int = PAIR_SEEDS,
    pair_every: int = 1,
    every: int = 1,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Try the checker on all known answers to the exercises of these lessons, or of all.

    Parameters
    ----------
    lessons : names such as ``"05_backpropagation"``, or their numbers
    seeds : for every mistake and every right answer
    pair_seeds : for every pair of mistakes
    pair_every : one part in so many of the pairs is tried
    every : one in so many mutants is tried; 0 for none
    workers : processes; as many as there are processors if None
    progress : is called with the parts done and all parts

    Raises
    ------
    CourseError
        There is no such lesson.
    """
    chosen = _chosen(lessons)
    found = Report({exercise.id: {} for exercise in chosen})
    work = tasks(chosen, seeds, pair_seeds, pair_every, every)
    for number, outcome in enumerate(_performed(work, workers or os.cpu_count() or 1), start=1):
        for kind, count in outcome.counts.items():
            found.add(outcome.task.id, kind, count)
        found.failures += outcome.failures
        found.unexplained += outcome.unexplained
        progress(number, len(work))
    return found


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
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(perform, task) for task in work]
        try:
            yield from (done.result() for done in as_completed(waiting))
        finally:
            pool.shutdown(cancel_futures=True)


def report(
    lessons: Sequence[str] | None = None,
    seeds: int = 20,
    pair_seeds: int = PAIR_SEEDS,
    pair_every: int = 1,
    every: int = 1,
    workers: int | None = None,
    file: Path | None = None,
) -> int:
    """Run a self-test for a person: progress, a table, what is not as it should be; the exit status of the command.

    The parameters are those of ``selftest``, and a file that the figures are written to.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console, transient=True) as bar:
        running = bar.add_task("answers")
        found = selftest(
            lessons,
            seeds,
            pair_seeds,
            pair_every,
            every,
            workers,
            lambda done, all: bar.update(running, completed=done, total=all),
        )
    if file is not None:
        write_atomically(file, found.to_json() + "\n")
    console.print(table(found))
    problems = found.problems()
    for failure in sorted(found.failures)[:SHOWN] if problems else ():
        console.print(failure, highlight=False, markup=False)
    for problem in problems:
        console.print(problem, highlight=False, markup=False, style="bold")
    return bool(problems)


def table(found: Report) -> Table:
    """The figures, a row for each exercise and one for all."""
    head = Table(title="What the checker makes of known answers", show_footer=True, box=box.SIMPLE_HEAD)
    for title in ("exercise", "mistakes", "named", "pairs", "named", "right", "mutants", "explained", "of formulas"):
        head.add_column(title, justify="left" if title == "exercise" else "right", no_wrap=title == "exercise")
    rows = {**{id: Report({id: counts}) for id, counts in found.counts.items()}, "all": found}
    for id, row in rows.items():
        cells = [id]
        for kind in ("mistakes", "pairs"):
            count = row.total(kind)
            missed = count.tried - count.caught
            cells += [
                f"{count.answers}" + (f" ({missed} passed)" if missed else ""),
                _share(count.diagnosed, count.tried),
            ]
        cells.append(_share(row.total("right").caught, row.total("right").tried))
        solution, formula = row.total("solution"), row.total("formula")
        passed = solution.tried - solution.caught + formula.tried - formula.caught
        cells.append(f"{solution.tried + formula.tried}" + (f" ({passed} passed)" if passed else ""))
        cells += [_share(count.diagnosed, count.tried - count.raised) for count in (solution, formula)]
        if id == "all":
            for column, cell in zip(head.columns, cells, strict=True):
                column.footer = cell
        else:
            head.add_row(*cells)
    return head


def _share(part: int, whole: int) -> str:
    """A share in per cent, never rounded up to all."""
    if not whole:
        return ""
    return "100 %" if part == whole else f"{min(part / whole, 0.999):.1%}"
