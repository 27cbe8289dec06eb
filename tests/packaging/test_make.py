"""`make`: two commands on a fresh machine, and one sentence where the machine lacks something.

`make` really runs, in a copy of the files it uses whose path has a space in it. Only the interpreter is made up: a
script that plays a Python of some version, makes a `.venv` of more such scripts, and notes what pip is asked for.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TOOLS = ("sh", "make", "cat", "chmod", "cksum", "cp", "grep", "mkdir", "rm")

INTERPRETER = """#!/bin/sh
case "$1 $2" in
    "-V ") echo "Python {version}" ;;
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
    "-m pip")
        echo "$@" >>pip-calls
        {pip}
        printf '#!/bin/sh\\necho "chainrule called with: $*"\\n' >.venv/bin/chainrule; chmod +x .venv/bin/chainrule ;;
    "-m pytest") echo "pytest called with: $*" ;;
    "-c "*)
        code=$2
        shift 2
        exec '{real}' -c "import sys; sys.version_info = tuple(map(int, '{version}'.split('.'))); {missing}
$code" "$@" ;;
esac
"""


class Machine:
    """A fresh machine: a clone of the repository, a few tools, and the interpreters that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "a course"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.clone.mkdir()
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(REPOSITORY / name, self.clone)
        shutil.copytree(REPOSITORY / ".make", self.clone / ".make")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)

    def has_python(self, name: str = "python3", version: str = "3.12.1", missing: str = "", pip: str = "") -> Path:
        """Put an interpreter there; `missing` is a module it lacks, `pip` the shell command that its pip runs."""
        path = self.bin / name
        removal = f"sys.modules['{missing}'] = None" if missing else ""
        path.write_text(INTERPRETER.format(version=version, missing=removal, pip=pip, real=sys.executable))
        path.chmod(0o755)
        return path

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *arguments],
            cwd=self.clone,
            env={"PATH": str(self.bin), "HOME": str(self.bin), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    @property
    def installations(self) -> list[str]:
        """What pip was asked to install, call by call."""
        calls = self.clone / "pip-calls"
        return [line.split()[-1] for line in calls.read_text().splitlines()] if calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def sentence(run: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a failed run; make adds a line of its own."""
    assert run.returncode == 2
    told, makes_own = run.stderr.splitlines()
    assert makes_own.startswith("make: ***")
    return told


def test_course_installs_once_and_passes_its_arguments_on(machine: Machine) -> None:
    machine.has_python()
    first = machine.make("course", "ARGS=--no-browser --port 8890")
    assert "Installing the course into .venv" in first.stdout
    assert first.stdout.splitlines()[-1] == "chainrule called with: start --no-browser --port 8890"
    second = machine.make("course")
    assert second.stdout == "chainrule called with: start\n"
    assert machine.installations == ["."]


def test_test_has_the_same_environment_with_the_test_extras(machine: Machine) -> None:
    machine.has_python()
    machine.make("course")
    assert "pytest called with: -m pytest" in machine.make("test").stdout
    assert machine.installations == [".", ".[test]"]
    machine.make("course")
    machine.make("test")
    assert machine.installations == [".", ".[test]"]


def test_changed_requirements_are_installed(machine: Machine) -> None:
    machine.has_python()
    machine.make("course")
    with (machine.clone / "pyproject.toml").open("a") as file:
        file.write("\n")
    machine.make("course")
    assert machine.installations == [".", "."]


def test_an_interrupted_installation_is_done_again(machine: Machine) -> None:
    machine.has_python(pip="kill -9 $PPID")
    assert machine.make("course").returncode != 0
    (machine.clone / ".venv" / "debris").touch()
    machine.has_python()
    assert "chainrule called with: start" in machine.make("course").stdout
    assert not (machine.clone / ".venv" / "debris").exists()


def test_a_broken_or_empty_environment_is_made_again(machine: Machine) -> None:
    machine.has_python()
    (machine.clone / ".venv").mkdir()
    assert machine.make("course").returncode == 0
    (machine.clone / ".venv" / "bin" / "python").unlink()
    assert machine.make("course").returncode == 0
    assert machine.installations == [".", "."]


def test_a_moved_course_gets_a_new_environment(machine: Machine) -> None:
    machine.has_python()
    machine.make("course")
    (machine.clone / ".venv" / "debris").touch()
    machine.clone = machine.clone.rename(machine.clone.with_name("moved"))
    assert machine.make("course").returncode == 0
    assert not (machine.clone / ".venv" / "debris").exists()


def test_a_newer_python_is_found_beside_one_that_is_too_old(machine: Machine) -> None:
    machine.has_python("python3", "3.9.2")
    machine.has_python("python3.12", "3.12.1")
    assert machine.make("course").returncode == 0


def test_a_python_that_is_too_old_is_told_with_both_versions(machine: Machine) -> None:
    machine.has_python(version="3.9.2")
    told = sentence(machine.make("course"))
    assert "python3 is Python 3.9.2, and the course needs Python 3.11 or newer" in told
    assert "PYTHON=" in told
    assert not (machine.clone / ".venv").exists()


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_with_the_package_to_install(machine: Machine, module: str) -> None:
    machine.has_python(missing=module)
    assert "sudo apt install python3-venv" in sentence(machine.make("test"))
    assert not (machine.clone / ".venv").exists()


def test_no_python_at_all_is_told(machine: Machine) -> None:
    assert "No Python was found; install Python 3.11 or newer" in sentence(machine.make("course"))


def test_a_wrong_choice_of_python_is_told(machine: Machine) -> None:
    machine.has_python()
    assert "PYTHON=/nowhere/python does not run" in sentence(machine.make("course", "PYTHON=/nowhere/python"))


def test_a_failed_installation_says_where_pip_tells_why(machine: Machine) -> None:
    machine.has_python(pip="echo 'ERROR: something odd'; exit 1")
    assert "pip says why at the end of .venv/install.log" in sentence(machine.make("course"))
    assert "something odd" in (machine.clone / ".venv" / "install.log").read_text()


@pytest.mark.parametrize("retries", ["0", "1"])
def test_without_a_network_the_real_pip_ends_in_a_sentence(machine: Machine, retries: str) -> None:
    # Nothing listens on the discard port of the loopback device.
    environment = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": retries}
    told = sentence(machine.make("course", f"PYTHON={sys.executable}", **environment))
    assert "the package index does not answer; check the network" in told
