"""Grading on a system that lacks something: it stops and says what is missing, or goes on and says so too.

The system calls really fail here (``tests/autograder/older_kernel.py``), and really succeed for a user who is not root
(``tests/autograder/as_nobody.py``).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.autograder.older_kernel import lack

TESTS = Path(__file__).parents[1]
OLDER_KERNEL = (str(TESTS / "older_kernel.py"),)
AS_NOBODY = (str(TESTS / "as_nobody.py"),)
CANNOT = 77

PROGRAM = """
def prepare(settings):
    return lambda channel: channel.send("run")
"""

START = """
import sys
from autograder.errors import CourseError
from autograder.isolation.confinement import Policy, readable_installation
from autograder.isolation.warm import WarmParent

with WarmParent("program_of_a_test", {}, Policy(readable_installation())) as parent:
    try:
        print(parent.child().channel.receive(30))
    except CourseError as error:
        print(error)
"""

EXECUTE = """
import sys, logging, nbformat
from traitlets.config import Config
from autograder.errors import CourseError
from autograder.execution import IsolatedExecute

nb = nbformat.read(sys.argv[1], as_version=4)
resources = {"nbgrader": {"assignment": "00_welcome", "notebook": "00_welcome", "student": "someone"}}
for allow in (False, True):
    config = Config(CourseDirectory={"root": sys.argv[2]}, IsolatedExecute={"allow_unconfined": allow})
    execute = IsolatedExecute(config=config)
    execute.log = logging.getLogger("nbgrader")
    try:
        print(execute.preprocess(nb, resources)[0].metadata.chainrule["unconfined"])
    except CourseError as error:
        print(error)
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of this Python's; its arguments name further ones by their scripts."""
    started = [part for each in command for part in ((sys.executable, each) if each.endswith(".py") else (each,))]
    return subprocess.run(
        started, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


def check(*arguments: str | Path, before: tuple[str, ...] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    """`chainrule check`, where ``before`` is what starts it."""
    return run(*before, sys.executable, "-m", "autograder.cli", "check", *map(str, arguments), **environment)


def refusal(said: str) -> str:
    """The one sentence that grading stopped with."""
    (sentence,) = said.splitlines()
    assert sentence.startswith("Learners' code is not run here, because it cannot be confined without ")
    assert sentence.endswith("runs it all the same, with your rights.")
    assert "--allow-unconfined" in sentence
    assert sentence.count(". ") == 0
    return sentence


def test_grading_stops_and_names_what_is_missing(solved: Path) -> None:
    done = check(solved, before=(*OLDER_KERNEL, "landlock,seccomp"))
    assert (done.returncode, done.stdout) == (2, "")
    sentence = refusal(done.stderr.removeprefix("chainrule: "))
    assert "without Landlock (the kernel has none" in sentence
    assert "without seccomp (the kernel has none" in sentence


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("landlock", "without Landlock (the kernel has none: it takes Linux 5.13 or newer, built with it); --"),
        ("seccomp", "without seccomp (the kernel has none: it has to be built with CONFIG_SECCOMP_FILTER); --"),
        ("library", "without seccomp (the library libseccomp is not installed; on Debian and Ubuntu: apt install lib"),
    ],
)
def test_a_single_layer_is_enough_to_stop(tmp_path: Path, lacking: str, named: str) -> None:
    """No child is given out, and nothing of its program is run."""
    (tmp_path / "program_of_a_test.py").write_text(PROGRAM)
    (tmp_path / "start.py").write_text(START)
    if lacking == "library":
        (tmp_path / "libseccomp.so.2").write_text("This is no library.")
        done = run(str(tmp_path / "start.py"), LD_LIBRARY_PATH=str(tmp_path))
    else:
        done = run(*OLDER_KERNEL, lacking, str(tmp_path / "start.py"))
    assert (done.returncode, done.stderr) == (0, "")
    assert named in refusal(done.stdout)


def test_the_report_warns_where_going_on_was_allowed(solved: Path) -> None:
    """All points are given all the same."""
    before = (*OLDER_KERNEL, "landlock,seccomp")
    done = check("--allow-unconfined", "--json", solved, before=before)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["unconfined"] == ["Landlock", "seccomp"]
    assert report["score"] == report["points"] > 0


def test_in_nbgrader_too(solved: Path, tmp_path: Path) -> None:
    """It says so in the notebook's metadata and in the log."""
    (tmp_path / "execute.py").write_text(EXECUTE)
    done = run(*OLDER_KERNEL, "seccomp", str(tmp_path / "execute.py"), str(solved), str(tmp_path))
    refused, unconfined = done.stdout.splitlines()
    assert "without seccomp (" in refusal(refused)
    assert "c.IsolatedExecute.allow_unconfined = True" in refused
    assert unconfined == "['seccomp']"
    assert "The submission's code was not fully confined here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.root
@pytest.mark.parametrize("kernel", [(), (*OLDER_KERNEL, "namespaces")], ids=["this kernel", "no user namespaces"])
def test_who_is_not_root_grades_confined(solved: Path, kernel: tuple[str, ...]) -> None:
    """Also where nobody may make a user namespace, as in a container."""
    done = check("--json", solved, before=(*AS_NOBODY, *kernel), TMPDIR="/var/tmp", HOME="/var/tmp")
    if done.returncode == CANNOT:
        pytest.skip("root may not mount anything here")
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["unconfined"] == []
    assert report["score"] == report["points"] > 0


def test_without_user_namespaces_all_but_these_is_in_force(confined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for and refused; what they keep from a process is kept from it anyway."""
    become_user = confined.become_user

    def become_user_without_namespaces() -> None:
        become_user()
        lack({"namespaces"})

    def use() -> list[str]:
        return [confined.attempt(os.listdir, confined.outside), confined.attempt(socket.socket)]

    monkeypatch.setattr(confined, "become_user", become_user_without_namespaces)
    assert confined.run(use, namespaces=True) == ["EACCES", "EPERM"]
