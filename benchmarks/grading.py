"""A class graded by ``chainrule grade`` and by nbgrader: ``python benchmarks/grading.py``.

A class hands in lesson 05: made-up answers, the same ones on every run, in proportions like those of a real class. The
same submissions are graded in copies of one course: by nbgrader's own ``autograde``, with nbgrader's own preprocessors
and nothing of ours; and by ``chainrule grade`` with one worker and with several. Times are wall-clock times of whole
commands, start-up included. nbgrader grades one after the other and has no other way. The two gradebooks are compared
row by row: the checks draw their cases at random, the marks must be the same.

What a submission costs as a class grows is measured twice: in time of the workers, and in time of the whole command,
there by the slope between class sizes, for a small class pays for the start of the workers too. The driver's peak
memory is the kernel's figure for that process alone (``VmHWM``), without its workers. The bare cost of the cells is
that of the same cells, as they were graded, in a warm IPython shell of this process: without confinement, without a
second process, without nbgrader. (Explorers that grading does not draw are not drawn there either.) It is set against
what a worker does with the same submissions, by turns and on one processor, for machines have better and worse minutes.

``--submissions 8 --peer 4 --large 0`` is enough to try it out; the whole takes some twenty minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib
import nbformat
import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib_inline.backend_inline import configure_inline_support
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table

from autograder.batch.course import open_course
from autograder.batch.intake import Intake
from autograder.batch.work import Submission, grade
from autograder.course.build import grade_id
from autograder.course.folders import COURSE, notebook_path
from autograder.course.release import release
from autograder.execution.withholding import NOT_DRAWN
from autograder.exercises import exercises
from autograder.progress import VARIABLE as PROGRESS

LESSON = "05_backpropagation"
INLINE = "module://matplotlib_inline.backend_inline"
SAMPLE = 20
"""Submissions whose cells are run bare."""

ROUNDS = 4
"""Times that each of these is run; the first time warms up."""

SCHOOL = 50_000
"""Submissions to which the measured curve is extrapolated."""

PEER = """

for name in ("autograde_preprocessors", "sanitize_preprocessors", "pre_convert_hook"):
    del c.Autograde[name]
"""
"""What makes the course's configuration nbgrader's own, as far as ``autograde`` goes."""

SLIPS = {
    "05.output_delta": (("a2 * (1 - a2)", "a2"), ("a2 * (1 - a2)", "1 - a2")),
    "05.output_layer": (("np.outer(dz2, a1)", "np.outer(a1, dz2)"), ("np.outer(dz2, a1)", "dz2 * a1")),
    "05.hidden_delta": (("da1 * a1 * (1 - a1)", "da1"), ("W2.T @ dz2", "W2 @ dz2")),
    "05.zero_weights": (('"b"', '"a"'),),
    "05.order_backward": (("b e m a l d g", "b e a m l d g"),),
    "05.backprop_sample": (
        ("(a2 - y) * a2 * (1 - a2)", "a2 - y"),
        ("da1 * a1 * (1 - a1)", "da1"),
        ("np.outer(dz1, x)", "np.outer(x, dz1)"),
    ),
    "05.backprop_batch": (
        (" / len(X)", ""),
        (" * A2 * (1 - A2)", ""),
        ("dA1 * A1 * (1 - A1)", "dA1"),
        ("dZ2.T @ A1", "A1.T @ dZ2"),
        ("dZ1.sum(axis=0)", "dZ1.mean(axis=0)"),
        ("dZ2.sum(axis=0)", "dZ2.sum()"),
        ("A2 - Y", "Y - A2"),
    ),
    "05.backprop_deep": ((" / len(X)", ""), ("dZ = (dZ @ weights[k]) * A * (1 - A)", "dZ = dZ @ weights[k]")),
    "05.cross_entropy_lines": (("-y / a + (1 - y)", "-y / a - (1 - y)"),),
    "05.cross_entropy_delta": ((" / len(Y)", ""),),
    "05.weight_decay": (("strength * W, db", "strength * W, db + strength * b"),),
}
"""What is written for what, by exercise: slips that the course has names for, and some that do not even run."""

UNFORESEEN = {"05.backprop_batch": (("dA1 * A1 * (1 - A1)", "dA1 * A1**2 * (1 - A1)"),)}
"""Nothing explains these, which is the most work."""

NOT_FINITE = {"05.backprop_batch": (("A2 = sigmoid(A1 @ W2.T + b2)", "A2 = np.log(-sigmoid(A1 @ W2.T + b2))"),)}

SYNTAX_ERROR = {
    "05.backprop_batch": (("dZ2.sum(axis=0)", "dZ2.sum(axis=0"),),
    "05.hidden_delta": (("W2.T @ dz2", "W2.T @@ dz2"),),
}


@dataclass(frozen=True)
class Kind:
    """Learners of one kind.

    Parameters
    ----------
    share : how many of a hundred
    answered : of the exercises, from the first on: at least and at most how many of twelve
    slips : what to draw slips from
    wrong : at most so many exercises have a slip in them; at least one
    """

    share: int
    answered: tuple[int, int] = (12, 12)
    slips: Mapping[str, Sequence[tuple[str, str]]] | None = None
    wrong: int = 0


CLASS = {
    "right": Kind(32),
    "one or two slips": Kind(26, slips=SLIPS, wrong=2),
    "many slips": Kind(10, slips=SLIPS, wrong=6),
    "half done": Kind(12, answered=(3, 9)),
    "half done, with slips": Kind(6, answered=(4, 9), slips=SLIPS, wrong=2),
    "an error without a name": Kind(4, slips=UNFORESEEN, wrong=1),
    "a syntax error": Kind(3, slips=SYNTAX_ERROR, wrong=1),
    "not finite": Kind(1, slips=NOT_FINITE, wrong=1),
    "as released": Kind(6, answered=(0, 0)),
}


@dataclass(frozen=True)
class Run:
    """What a command took.

    Parameters
    ----------
    course : the course that it graded
    submissions : how many
    seconds : the whole command
    peak : memory of the driver in MB
    gradebook : its size in MB
    report : what it wrote with ``--json``; nothing if it was nbgrader
    """

    course: Path
    submissions: int
    seconds: float
    peak: float
    gradebook: float
    report: Mapping[str, Any]

    @property
    def rate(self) -> float:
        """Submissions per second."""
        return self.submissions / self.seconds

    @property
    def rate_at_work(self) -> float:
        """The same without the start of the command and its workers."""
        profile = self.report["profile"]
        return float(self.submissions / (profile["wall"] - profile["start"]))

    @property
    def cost(self) -> float:
        """Seconds of a worker for a submission."""
        return float(self.report["profile"]["worker"]) / self.submissions


@dataclass(frozen=True)
class Figure:
    """A line of the table: what was measured, how, and what it should be."""

    name: str
    measured: str
    goal: str
    reached: bool


def student(number: int) -> str:
    """The id of a learner."""
    return f"s{number:06}"


def kind_of(rng: random.Random) -> str:
    """A kind of learner, as often as its share says."""
    return rng.choices(list(CLASS), [kind.share for kind in CLASS.values()])[0]


def answers(number: int, solved: Mapping[str, str]) -> dict[str, str]:
    """The answers of a learner by exercise, from those that are right."""
    rng = random.Random(number)
    kind = CLASS[kind_of(rng)]
    written = dict(list(solved.items())[: rng.randint(*kind.answered)])
    if kind.slips:
        within = [name for name in kind.slips if name in written]
        for name in rng.sample(within, min(len(within), rng.randint(1, kind.wrong))):
            right, wrong = rng.choice(kind.slips[name])
            written[name] = written[name].replace(right, wrong, 1)
    return written


def solutions(course: Path) -> dict[str, str]:
    """The worked solutions of the lesson, by exercise."""
    notebook = nbformat.read(notebook_path(course / "source", LESSON), as_version=4)
    sources = {cell.id: cell.source for cell in notebook.cells}
    return {
        each.id: "\n".join(line for line in sources[grade_id(each.id)].splitlines() if "### " not in line)
        for each in exercises()
        if each.lesson == LESSON
    }


def check_slips(solved: Mapping[str, str]) -> None:
    """Stop where a solution has been rewritten, and a slip would change nothing."""
    for kind in CLASS.values():
        for name, slips in (kind.slips or {}).items():
            for right, _ in slips:
                if right not in solved[name]:
                    sys.exit(f"The solution of {name} has no {right!r} any more: change the slips.")


class Class:
    """A course with a released lesson, and what a class has handed in.

    Parameters
    ----------
    folder : for the course and all its copies
    size : how many learners
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.course = folder / "course"
        self.course.mkdir()
        shutil.copy(COURSE / "nbgrader_config.py", self.course)
        release([LESSON], self.course, lessons_dir=self.course / "release")
        solved = solutions(self.course)
        check_slips(solved)
        released = notebook_path(self.course / "release", LESSON).read_text(encoding="utf-8")
        for number in range(size):
            self._hand_in(number, json.loads(released), answers(number, solved))

    def _hand_in(self, number: int, notebook: dict[str, Any], written: Mapping[str, str]) -> None:
        """Put a notebook where nbgrader collects them."""
        by_cell = {grade_id(name): text for name, text in written.items()}
        for cell in notebook["cells"]:
            cell["source"] = by_cell.get(cell["id"], cell["source"])
        path = notebook_path(self._submitted(number), LESSON)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")

    def _submitted(self, number: int) -> Path:
        return self.folder / "submitted" / student(number)

    def copy(self, name: str, size: int) -> Path:
        """A copy of the course with what the first learners handed in, not graded yet."""
        course = Path(shutil.copytree(self.course, self.folder / name))
        for number in range(size):
            shutil.copytree(self._submitted(number), course / "submitted" / student(number), copy_function=os.link)
        return course


def run(command: Sequence[str], course: Path, good: Iterable[int]) -> tuple[float, float]:
    """Run a command in the course; its seconds, and the peak of its own memory in MB."""
    log = course / "log.txt"
    with log.open("w") as file:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=course, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        peak = 0.0
        while process.poll() is None:
            peak = peak_memory(process.pid) or peak
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    if process.returncode not in good:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text()[-4000:]}")
    return seconds, peak


def peak_memory(pid: int) -> float:
    """The most memory in MB that a process had at any time; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


def graded_by_nbgrader(course: Path, submissions: int) -> Run:
    """Grade with nbgrader's own ``autograde``."""
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as file:
        file.write(PEER)
    seconds, peak = run([sys.executable, "-m", "nbgrader", "autograde", LESSON], course, {0})
    return Run(course, submissions, seconds, peak, size_of_gradebook(course), {})


def graded(course: Path, submissions: int, workers: int) -> Run:
    """Grade with ``chainrule grade``."""
    file = course / "report.json"
    command = [sys.executable, "-m", "autograder.cli", "grade", LESSON, "--course", str(course)]
    seconds, peak = run([*command, "--workers", str(workers), "--json", str(file)], course, {0, 1})
    report = json.loads(file.read_text(encoding="utf-8"))
    for name, sentence in report["people"].items():
        print(f"{name} was not graded: {sentence}")
    return Run(course, submissions, seconds, peak, size_of_gradebook(course), report)


def graded_and_gone(everybody: Class, submissions: int, workers: int) -> Run:
    """The same of a class of some size, whose course is not kept: a large one fills a disk."""
    course = everybody.copy(f"class-{submissions}", submissions)
    try:
        return graded(course, submissions, workers)
    finally:
        shutil.rmtree(course)


def size_of_gradebook(course: Path) -> float:
    """In MB."""
    return (course / "gradebook.db").stat().st_size / 1e6


def rows(course: Path, learners: Iterable[str]) -> dict[str, tuple[object, ...]]:
    """What a gradebook has of these learners: every submission, notebook, grade and comment."""
    found: dict[str, tuple[object, ...]] = {}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for name in learners:
            submission = book.find_submission(LESSON, name)
            found[name] = (submission.score, submission.max_score, submission.late_submission_penalty)
            (notebook,) = submission.notebooks
            found[f"{name} notebook"] = (notebook.score, notebook.needs_manual_grade, notebook.late_submission_penalty)
            for grade in notebook.grades:
                found[f"{name} {grade.name}"] = (
                    grade.auto_score,
                    grade.manual_score,
                    grade.extra_credit,
                    grade.needs_manual_grade,
                )
            for comment in notebook.comments:
                found[f"{name} comment {comment.name}"] = (comment.auto_comment, comment.manual_comment)
    return found


def warm_shell() -> InteractiveShell:
    """An IPython shell as a kernel has it, with everything imported that cells import."""
    matplotlib.use(INLINE)
    shell = InteractiveShell.instance()
    shell.kernel = object()  # so that checks show themselves as they do in a notebook
    configure_inline_support(shell, INLINE)
    return shell


def bare(shell: InteractiveShell, notebook: NotebookNode) -> float:
    """Seconds for the cells alone, but for explorers that grading does not draw; what they show is thrown away."""
    shell.reset(new_session=False)
    began = time.perf_counter()
    with capture_output():
        for cell in notebook.cells:
            if cell.cell_type == "code" and NOT_DRAWN not in json.dumps(cell.outputs):
                shell.run_cell(cell.source, store_history=True)
    return time.perf_counter() - began


def speed(ours: Run, peer: Run) -> Figure:
    """Against nbgrader."""
    ratio = ours.rate / peer.rate
    measured = f"{ours.rate:.2f}/s against {peer.rate:.3f}/s: {ratio:.1f} times"
    name = f"submissions per second, {ours.report['workers']} workers, against nbgrader autograde"
    return Figure(name, measured, "≥ 30 times", ratio >= 30)


def scaling(one: Run, several: Run) -> list[Figure]:
    """What further workers bring, to whole commands and from the first submission on."""
    workers = several.report["workers"]
    goal = 0.9 * workers
    figures = []
    for what, before, after in (
        ("whole commands", one.rate, several.rate),
        ("once they are at work", one.rate_at_work, several.rate_at_work),
    ):
        measured = f"{before:.2f}/s → {after:.2f}/s: {after / before:.2f} times"
        figures.append(
            Figure(f"1 → {workers} workers, {what}", measured, f"≥ {goal:.1f} times", after >= goal * before)
        )
    return figures


def growth(small: Run, middle: Run, large: Run) -> list[Figure]:
    """What a submission costs in a small class and in a large one."""
    work = large.cost / small.cost
    early, late = (
        (more.seconds - fewer.seconds) / (more.submissions - fewer.submissions)
        for fewer, more in ((small, middle), (middle, large))
    )
    sizes = f"{large.submissions} submissions against {small.submissions}"
    return [
        Figure(
            f"worker time for a submission, {sizes}",
            f"{1e3 * small.cost:.0f} ms → {1e3 * large.cost:.0f} ms: {work - 1:+.0%}",
            "within 10 %",
            work <= 1.1,
        ),
        Figure(
            f"time for one more submission, after {middle.submissions} and before",
            f"{1e3 * early:.0f} ms → {1e3 * late:.0f} ms: {late / early - 1:+.0%}",
            "within 10 %",
            late <= 1.1 * early,
        ),
    ]


def memory(small: Run, large: Run) -> Figure:
    """What the driver needs."""
    measured = f"{large.peak:.0f} MB, at {small.submissions} submissions {small.peak:.0f} MB"
    name = f"driver's peak memory at {large.submissions} submissions"
    return Figure(name, measured, "< 500 MB, flat", large.peak < 500 and large.peak <= 1.1 * small.peak)


def share(course: Path) -> Figure:
    """What the bare cells are of a worker's time: the same submissions, by turns, on one processor."""
    available = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(available)})  # as a worker keeps to one, with all that it starts
    try:
        intake = Intake(open_course(course), LESSON)
        assignment = intake.assignment(one_core=False)
        submissions = [intake.read(due).submission for due in intake.submitted()[:SAMPLE]]
        shell = warm_shell()
        times = [[both_ways(assignment, shell, each) for each in submissions] for _ in range(ROUNDS)]
    finally:
        os.sched_setaffinity(0, available)
    spent, cells = np.mean(times[1:], axis=(0, 1))
    measured = f"{1e3 * cells:.0f} ms of {1e3 * spent:.0f} ms: {cells / spent:.0%}"
    name = f"bare execution of the cells, of a worker's time, {len(submissions)} submissions"
    return Figure(name, measured, "≥ 60 %", bool(cells >= 0.6 * spent))


def both_ways(assignment: bytes, shell: InteractiveShell, submission: Submission) -> tuple[float, float]:
    """Seconds for a submission as a worker grades it, and for its cells alone."""
    (outcome,) = grade(assignment, [submission])
    graded = nbformat.reads(outcome.notebooks[LESSON].text, as_version=4)
    return outcome.seconds["worker"], bare(shell, graded)


def equality(ours: Run, peer: Run) -> Figure:
    """Whether both wrote the same; each row that differs is printed."""
    learners = [student(number) for number in range(peer.submissions)]
    mine, theirs = rows(ours.course, learners), rows(peer.course, learners)
    differing = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    for name in differing:
        print(f"differs: {name}: {mine.get(name)}, nbgrader has {theirs.get(name)}")
    same = len(mine.keys() | theirs.keys()) - len(differing)
    measured = f"{same} identical, {len(differing)} different"
    return Figure(f"gradebook rows of {len(learners)} submissions", measured, "identical", not differing)


def figures_table(figures: Iterable[Figure]) -> Table:
    """The figures beside their goals."""
    table = Table("figure", "measured", "goal", "reached")
    for figure in figures:
        table.add_row(figure.name, figure.measured, figure.goal, "yes" if figure.reached else "no")
    return table


def profile_table(one: Run) -> Table:
    """Where the time of a worker goes, and beside it what is no worker's."""
    profile = one.report["profile"]
    told = {
        "cells": "running cells, in both processes",
        "processes": "starting, confining, talking to and ending these",
        "sanitize": "putting the notebook in order before",
        "rest": "reading, reading off and writing the notebook",
        "worker": "a worker, all together",
        "transfer": "waiting: for Dask, the driver, the last submissions of the others",
        "start": "of the workers, up to the first submission",
        "read": "the driver, reading submissions",
        "write": "the driver, writing gradebook and notebooks",
        "wall": "from the start of the workers to the end",
    }
    table = Table("part", "what", "ms a submission", "of the worker time", title="One worker")
    for name, what in told.items():
        seconds = profile[name] / one.submissions
        table.add_row(name, what, f"{1e3 * seconds:.1f}", f"{profile[name] / profile['worker']:.1%}")
    return table


def extrapolation(runs: Sequence[Run]) -> Table:
    """Straight lines through what was measured, and where they lead."""
    sizes = [each.submissions for each in runs]
    table = Table("quantity", *(f"{size:,}" for size in sizes), "for one more", f"{SCHOOL:,} (extrapolated)")
    quantities = {
        "whole command, s": [each.seconds for each in runs],
        "driver's peak memory, MB": [each.peak for each in runs],
        "gradebook.db, MB": [each.gradebook for each in runs],
    }
    for name, measured in quantities.items():
        slope, start = np.polyfit(sizes, measured, 1)
        table.add_row(name, *(f"{value:.1f}" for value in measured), f"{slope:.4f}", f"{start + slope * SCHOOL:,.0f}")
    return table


def mix(size: int) -> str:
    """How many learners of each kind there are."""
    kinds = Counter(kind_of(random.Random(number)) for number in range(size))
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=200, help="for the comparison of workers")
    parser.add_argument("--peer", type=int, default=200, help="of these, so many are graded by nbgrader too")
    parser.add_argument("--large", type=int, default=2000, help="the large class; 0 leaves it out")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    if asked.large and asked.large < 20:
        parser.error("--large takes 0, or 20 and more: a twentieth and a quarter of it are graded too")
    asked.peer = min(asked.peer, asked.submissions)
    return asked


def main() -> None:
    """Print the figures beside their goals, then where the time goes, then what larger classes would take."""
    asked = arguments()
    console = Console(width=120)
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release()}"
    )
    with TemporaryDirectory() as scratch:
        os.environ |= {PROGRESS: "", "JUPYTER_CONFIG_DIR": f"{scratch}/jupyter"}
        os.environ.pop("CHAINRULE_DB_URL", None)
        os.environ.pop("CHAINRULE_LESSONS", None)
        sizes = [asked.large // 20, asked.large // 4, asked.large] if asked.large else []
        everybody = Class(Path(scratch), max([asked.submissions, *sizes]))
        console.print(f"{asked.submissions} submissions of {LESSON}: {mix(asked.submissions)}")

        size = asked.submissions
        peer = graded_by_nbgrader(everybody.copy("nbgrader", asked.peer), asked.peer)
        one = graded(everybody.copy("one", size), size, 1)
        several = graded(everybody.copy("several", size), size, asked.workers)
        runs = [graded_and_gone(everybody, size, asked.workers) for size in sizes]

        figures = [speed(several, peer), *scaling(one, several)]
        if runs:
            figures += [*growth(*runs), memory(runs[0], runs[-1])]
        figures += [share(one.course), equality(several, peer)]
        console.print(figures_table(figures), profile_table(one))
        if runs:
            console.print(extrapolation(runs))


if __name__ == "__main__":
    main()
