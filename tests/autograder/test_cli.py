"""The `chainrule` command: its subcommands, and how a person's mistake is told."""

import sys
from importlib.metadata import version
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from autograder.cli import main
from autograder.errors import CourseError


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stand-ins for the instructor's functions, which record how they are called."""
    calls: list[tuple[Any, ...]] = []

    def record(name: str, answer: Any) -> None:
        module = ModuleType(f"autograder.course.{name.removeprefix('grade_')}")

        def called(*arguments: Any) -> Any:
            calls.append((name, *arguments))
            return answer

        setattr(module, name, called)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    record("build", ["source/05.ipynb"])
    record("release", [])
    record("grade_demo", 1)
    return calls


def test_the_version_is_the_packages() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"chainrule, version {version('chainrule-course')}\n"


@pytest.mark.parametrize("command", ["start", "build", "release", "grade-demo"])
def test_help_names_every_command_and_each_explains_itself(command: str) -> None:
    assert f"  {command} " in CliRunner().invoke(main, ["--help"]).output
    assert CliRunner().invoke(main, [command, "-h"]).exit_code == 0


def test_without_a_name_all_lessons_are_meant(course: list[tuple[Any, ...]]) -> None:
    assert CliRunner().invoke(main, ["build"]).output == "source/05.ipynb\n"
    assert CliRunner().invoke(main, ["release", "--check"]).output == ""
    assert course == [("build", None, None, None, None), ("release", None, None, True, None, None)]


def test_named_lessons_are_handed_on(course: list[tuple[Any, ...]]) -> None:
    CliRunner().invoke(main, ["release", "04_sigmoid_network", "05_backpropagation"])
    assert course == [("release", ("04_sigmoid_network", "05_backpropagation"), None, False, None, None)]


def test_the_exit_status_of_the_demonstration_is_the_commands(course: list[tuple[Any, ...]]) -> None:
    assert CliRunner().invoke(main, ["grade-demo"]).exit_code == 1


def test_a_course_error_is_one_sentence_and_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("autograder.course.build")

    def build(*_: Any) -> None:
        raise CourseError("There is no lesson '99'.")

    module.build = build  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    result = CliRunner().invoke(main, ["build", "99"])
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "chainrule: There is no lesson '99'.\n")


def test_ipython_shows_the_sentence_of_a_course_error_alone() -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell()
    with capture_output() as captured:
        shell.run_cell("from autograder.errors import CourseError\nraise CourseError('There is no exercise 99.')")
    assert captured.stdout + captured.stderr == "There is no exercise 99.\n"
