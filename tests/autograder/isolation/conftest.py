"""Children that are confined and then try something, as a user that root made up, and as a user who is not root."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from autograder.isolation import kernel
from autograder.isolation.confinement import Confinement, Policy, readable_installation

NOBODY = 65534
PATIENCE = 30
"""Seconds for whatever a child tries."""

_CAP_DAC_READ_SEARCH = 2


def pytest_ignore_collect() -> bool | None:
    """Everywhere else there is nothing to try."""
    return None if sys.platform == "linux" else True


@dataclass
class Confined:
    """Runs functions in confined children.

    Parameters
    ----------
    base : a folder that holds the other two
    scratch : what they may write to
    outside : a folder of the same user's beside it, which they may not touch; ``outside / "secret"`` is readable to all
    user : who they are before they are confined; root becomes somebody else
    """

    base: Path
    scratch: Path
    outside: Path
    user: int
    policy: Policy = field(init=False)

    def __post_init__(self) -> None:
        self.policy = Policy((*readable_installation(), self.library))

    @property
    def library(self) -> Path:
        """A file of the user's that may be read, as a package is that they installed."""
        return self.base / "library" / "module.py"

    def run(self, function: Callable[[], Any], keep: tuple[int, ...] = (), **changes: Any) -> Any:
        """What the function gives back, as data; its exception fails the test, as does its death."""
        status, said = self.status(function, keep, **changes)
        assert os.WIFEXITED(status), f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
        assert said, "ended without a word"
        kind, value = json.loads(said)
        assert kind == "value", value
        return value

    def status(self, function: Callable[[], Any], keep: tuple[int, ...] = (), **changes: Any) -> tuple[int, bytes]:
        """A child's wait status, and what it said."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            said = self._child(function, (*keep, writer), replace(self.policy, **changes))
            os.write(writer, json.dumps(said).encode())
            os._exit(0)
        os.close(writer)
        until = time.monotonic() + PATIENCE
        said = b""
        try:
            while select.select([reader], [], [], max(0, until - time.monotonic()))[0]:
                if not (part := os.read(reader, 1 << 16)):
                    return os.waitpid(pid, 0)[1], said
                said += part
            raise AssertionError("nothing happened for too long")
        finally:
            os.close(reader)
            if until <= time.monotonic():
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _child(self, function: Callable[[], Any], keep: tuple[int, ...], policy: Policy) -> tuple[str, Any]:
        try:
            self.become_user()
            os.chdir(self.scratch)
            Confinement(policy).apply(self.scratch, keep=keep)
            return "value", function()
        except BaseException:
            return "raised", traceback.format_exc()

    def outlive(self, writer: int) -> None:
        """Fork a confined child that says so and then sleeps."""
        confinement = Confinement(self.policy)
        if os.fork() == 0:
            confinement.apply(self.scratch, keep=(writer,))
            os.write(writer, b"confined")
            time.sleep(PATIENCE)
            os._exit(0)

    @staticmethod
    def is_closed(path: str) -> bool:
        """Whether others than root cannot pass the folders above a path."""
        return not all(folder.stat().st_mode & 0o001 for folder in Path(path).resolve().parents)

    @staticmethod
    def attempt(function: Callable[..., Any], *arguments: Any, **options: Any) -> str:
        """The name of the error that a call fails with, "done" if it does not fail."""
        try:
            function(*arguments, **options)
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error))
        return "done"

    def become_user(self) -> None:
        """Be the user who grades; what root may read stays readable, since Python may lie in root's home."""
        if self.user != os.geteuid():
            kernel.prctl(8, 1)  # PR_SET_KEEPCAPS
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
            kernel.capset(_CAP_DAC_READ_SEARCH)


@pytest.fixture(params=["root", "user"])
def confined(request: pytest.FixtureRequest) -> Iterator[Confined]:
    """Confinement of root's children, and of another user's."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("not root")
    user = NOBODY if request.param == "user" and os.geteuid() == 0 else os.geteuid()
    with tempfile.TemporaryDirectory(dir=_open_folder()) as base:
        os.chmod(base, 0o755)
        scratch, outside = Path(base, "scratch"), Path(base, "outside")
        confined = Confined(Path(base), scratch, outside, user)
        for file in (scratch / "secret", outside / "secret", confined.library):
            file.parent.mkdir()
            file.write_text(file.parent.name if file == confined.library else "secret")
            for path, mode in ((file.parent, 0o777), (file, 0o666)):
                path.chmod(mode)
                if os.geteuid() == 0:
                    os.chown(path, user, user)
        yield confined


def _open_folder() -> str | None:
    """A folder for temporary ones that others than root may pass, where the usual one is closed to them."""
    usual = os.path.join(tempfile.gettempdir(), "folder")
    return "/var/tmp" if os.geteuid() == 0 and Confined.is_closed(usual) else None


@pytest.fixture(scope="session")
def solved() -> Iterator[Path]:
    """The solved welcome, where any user can read it."""
    from autograder.course.build import build

    with tempfile.TemporaryDirectory(dir=_open_folder()) as base:
        (path,) = build(["00_welcome"], output=Path(base))
        for folder in (Path(base), path.parent):
            folder.chmod(0o755)
        path.chmod(0o644)
        yield path
