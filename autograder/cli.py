"""The `chainrule` command: start, build and release lessons, check a notebook, grade a class and report on it.

Each subcommand imports what it needs when it runs, so that `chainrule --help` answers at once and a learner's
`chainrule start` never loads nbgrader. Options are parsed here and handed on; the work is done in `autograder.start`
and `autograder.course`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click

from autograder.errors import CourseError
from autograder.imports import skip_iri_grammar

__all__ = ["main"]

USER_ERROR = 2
"""Exit status for a mistake of the user's; click gives its own usage errors the same."""

_folder = click.Path(file_okay=False, path_type=Path)
_file = click.Path(dir_okay=False, path_type=Path)


class _Commands(click.Group):
    """A command group that tells a `CourseError` as one sentence on stderr."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CourseError as error:
            click.echo(f"chainrule: {error}", err=True)
            ctx.exit(USER_ERROR)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chainrule-course", prog_name="chainrule")
def main() -> None:
    """A course on the chain rule and back-propagation, for learners and their instructors."""
    skip_iri_grammar()


@main.command()
@click.option("--no-browser", is_flag=True, help="Print the address only; open no browser window.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on.  [default: a free one]")
@click.option("--lessons", type=_folder, help="The folder that holds the lessons.  [default: ./lessons]")
@click.argument("jupyter_arguments", nargs=-1, type=click.UNPROCESSED)
def start(no_browser: bool, port: int | None, lessons: Path | None, jupyter_arguments: tuple[str, ...]) -> None:
    """Open the lessons in JupyterLab, at the welcome page.

    Arguments after `--` go to JupyterLab unchanged.
    """
    from autograder.start import start

    start(lessons, port=port, browser=not no_browser, jupyter_arguments=jupyter_arguments)


@main.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--solutions", type=_folder, help="The folder of lesson sources.  [default: solutions/]")
@click.option("--course", type=_folder, help="The nbgrader course.  [default: autograder/course/]")
@click.option("--output", type=_folder, help="Where to write instead of the course's source folder.")
def build(lessons: tuple[str, ...], solutions: Path | None, course: Path | None, output: Path | None) -> None:
    """Make nbgrader source notebooks from solutions/ (all lessons, unless some are named)."""
    from autograder.course.build import build

    for path in build(lessons or None, solutions, course, output):
        click.echo(path)


@main.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--check", is_flag=True, help="Write nothing; fail if a released lesson differs from its source.")
@click.option("--course", type=_folder, help="The nbgrader course.  [default: autograder/course/]")
@click.option("--solutions", type=_folder, help="The folder of lesson sources.  [default: solutions/]")
@click.option("--lessons-dir", type=_folder, help="Where released lessons go.  [default: lessons/]")
def release(
    lessons: tuple[str, ...], check: bool, course: Path | None, solutions: Path | None, lessons_dir: Path | None
) -> None:
    """Make the notebooks that learners open (all lessons, unless some are named)."""
    from autograder.course.release import release

    for path in release(lessons or None, course, check, solutions, lessons_dir):
        click.echo(path)


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--lesson", help="The lesson it is, such as 05_backpropagation.  [default: told from the notebook]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--seed", type=click.IntRange(0), help="Repeat the checks of an earlier report.  [default: a fresh one]")
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), default=30, show_default=True, help="Seconds a cell."
)
@click.option("--allow-unconfined", is_flag=True, help="Go on where the system cannot confine the notebook's code.")
def check(
    path: Path, lesson: str | None, as_json: bool, seed: int | None, timeout: float, allow_unconfined: bool
) -> None:
    """Grade one notebook as the grader would, in processes of its own.

    Exit status: 0 if every exercise has all its points, 1 if not, 2 if the notebook could not be graded.
    """
    from autograder.course.single import check_notebook, shown
    from autograder.execution.notebook import Limits
    from autograder.execution.parents import Resources

    found = check_notebook(path, lesson, seed, Limits(cell=timeout), Resources(allow_unconfined=allow_unconfined))
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else shown(found))
    sys.exit(0 if found.score == found.points else 1)


@main.command()
@click.argument("lesson")
@click.option("--course", type=_folder, help="The nbgrader course.  [default: autograder/course/]")
@click.option("--student", "students", multiple=True, metavar="ID", help="Only this learner; may be repeated.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one for every processor]")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="A Dask cluster to run on, instead of this machine.")
@click.option("--regrade", is_flag=True, help="Grade again what is graded already.")
@click.option("--json", "file", type=_file, help="Write a report of the run here.")
def grade(
    lesson: str,
    course: Path | None,
    students: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    regrade: bool,
    file: Path | None,
) -> None:
    """Grade all submissions to a lesson that are new, on all processors.

    Interrupted at any moment, the same command does the rest. Exit status: 0 if all are graded, 1 if some need a
    person, 2 if grading could not go on.
    """
    from autograder.batch import forkserver

    if scheduler is None:
        forkserver.begin()
    from autograder.batch.grade import grade

    sys.exit(grade(lesson, course, students, workers, scheduler, regrade, file))


@main.command()
@click.argument("lesson")
@click.option("--course", type=_folder, help="The nbgrader course.  [default: autograder/course/]")
@click.option("--html", "file", type=_file, help="Write the report as a page that needs no other file.")
def report(lesson: str, course: Path | None, file: Path | None) -> None:
    """Show how a class did in a lesson: marks, exercises, the most frequent mistakes, and who needs a person."""
    from autograder.batch.report import page, read_report, shown

    found = read_report(lesson, course)
    if file is not None:
        from autograder.course.folders import write_atomically

        write_atomically(file, page(found))
    click.echo(shown(found))


@main.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--format", "layout", type=click.Choice(["csv", "canvas", "moodle"]), default="csv", show_default=True)
@click.option("--course", type=_folder, help="The nbgrader course.  [default: autograder/course/]")
@click.option("--output", type=_file, help="The file to write.  [default: grades-FORMAT.csv in the working directory]")
def export(lessons: tuple[str, ...], layout: str, course: Path | None, output: Path | None) -> None:
    """Write the marks (of all lessons, unless some are named) as a file that a learning platform takes."""
    from autograder.batch.export import export

    for line in export(lessons, layout, course, output):
        click.echo(line)


@main.command()
def doctor() -> None:
    """Say what this system has to confine the code of submissions, and what it lacks.

    Exit status: 0 if nothing needed is lacking, else 1.
    """
    from autograder.isolation.report import report

    text, complete = report()
    click.echo(text)
    sys.exit(0 if complete else 1)


@main.command("grade-demo")
@click.option("--keep", type=_folder, help="Keep the demonstration course in this folder.")
def grade_demo(keep: Path | None) -> None:
    """Release a lesson, grade twelve made-up submissions to it, and check every mark."""
    from autograder.course.demo import grade_demo

    sys.exit(grade_demo(keep))


@main.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True, help="For every mistake and answer.")
@click.option("--pair-seeds", type=click.IntRange(1), default=3, show_default=True, help="For every pair of mistakes.")
@click.option(
    "--pair-every", type=click.IntRange(1), default=1, show_default=True, help="Try one pair in so many only."
)
@click.option("--mutants/--no-mutants", default=True, help="Also try mutants of right answers.  [default: yes]")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Try one in so many mutants only.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one for every processor]")
@click.option("--json", "file", type=_file, help="Write the figures here as well.")
def selftest(
    lessons: tuple[str, ...],
    seeds: int,
    pair_seeds: int,
    pair_every: int,
    mutants: bool,
    every: int,
    workers: int | None,
    file: Path | None,
) -> None:
    """Hand every known mistake to the checker, and every pair, and mutants of right answers (all lessons, unless some
    are named): each has to cost points and to be explained.
    """
    from autograder.selftest import report

    sys.exit(report(lessons or None, seeds, pair_seeds, pair_every, every if mutants else 0, workers, file))


if __name__ == "__main__":
    main()
