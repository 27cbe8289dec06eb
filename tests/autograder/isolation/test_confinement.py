"""The layers, what is said of them, and what happens where one is missing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import autograder
from autograder.errors import CourseError
from autograder.isolation import confinement, kernel, landlock, privileges, seccomp
from autograder.isolation.confinement import Confinement, Layer, Policy, Unconfined, layers, readable_installation

REPOSITORY = Path(autograder.__file__).parents[1]


def applied(policy: Policy, scratch: Path, **options: Any) -> dict[str, Layer]:
    """The layers of a child, by name."""
    import json

    said = confinement._from_child(
        lambda writer: json.dumps(
            [asdict(each) for each in Confinement(policy).apply(scratch, keep=(writer,), **options)]
        )
    )
    assert said.startswith("["), said
    return {each["name"]: Layer(**each) for each in json.loads(said)}


def test_every_layer_is_named_and_this_process_stays_free(tmp_path: Path) -> None:
    """They are tried out in a child."""
    found = {layer.name: layer for layer in layers()}
    assert list(found) == ["user", "no new privileges", "limits", "Landlock", "parent", "namespaces", "seccomp"]
    assert all(layer.in_force for layer in found.values() if layer.required)
    assert all(layer.detail for layer in found.values())
    assert f"ABI {landlock.abi()}" in found["Landlock"].detail
    (tmp_path / "file").write_text("written")
    assert subprocess.run([sys.executable, "-c", ""], check=True).returncode == 0


def test_a_child_says_which_layers_it_has(tmp_path: Path) -> None:
    """Without namespaces, which are not asked for."""
    found = applied(Policy(()), tmp_path)
    assert [name for name, layer in found.items() if not layer.in_force] == []
    assert "namespaces" not in found
    assert "2048 MiB" in found["limits"].detail
    if os.geteuid() == 0:
        assert f"user {privileges.FIRST_USER}"[:9] in found["user"].detail


@pytest.mark.parametrize(
    ("missing", "named", "remedy"),
    [
        ("no Landlock", "Landlock", "Linux 5.13"),
        ("Landlock is refused", "Landlock", "refuses"),
        ("no libseccomp", "seccomp", "libseccomp2"),
        ("seccomp is refused", "seccomp", "refuses"),
        ("another machine", "seccomp", "sparc64"),
    ],
)
def test_without_a_layer_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, named: str, remedy: str
) -> None:
    """The sentence names the layer and the way out, which runs all the same and says so."""

    def refuse(*arguments: Any) -> int:
        raise OSError(errno.ENOSYS if arguments == (errno.ENOSYS,) else errno.EPERM, "Refused")

    if missing == "no Landlock":
        known = kernel.syscall
        monkeypatch.setattr(
            kernel,
            "syscall",
            lambda number, *given: refuse(errno.ENOSYS) if number in (444, 445, 446) else known(number, *given),
        )
    elif missing == "Landlock is refused":
        monkeypatch.setattr(landlock.Landlock, "restrict", refuse)
    elif missing == "no libseccomp":
        monkeypatch.setattr(seccomp, "missing", lambda: "The library is not installed (apt install libseccomp2).")
    elif missing == "seccomp is refused":
        monkeypatch.setattr(seccomp.Filter, "load", refuse)
    else:
        monkeypatch.setattr("platform.machine", lambda: "sparc64")

    said = confinement._from_child(lambda writer: str(Confinement(Policy(())).apply(tmp_path, keep=(writer,))))
    assert said.startswith("Unconfined: ")
    assert named in said
    assert remedy in said
    assert "--allow-unconfined" in said
    found = applied(Policy(()), tmp_path, allow_unconfined=True)
    assert [name for name, layer in found.items() if not layer.in_force] == [named]
    assert remedy in found[named].detail
    assert issubclass(Unconfined, CourseError)


def test_namespaces_are_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are entered where the kernel lets us; where it does not, the rest is in force and that is told."""

    def refuse(flags: int) -> None:
        raise OSError(1, "Operation not permitted")

    assert "namespaces" in applied(Policy((), namespaces=True), tmp_path)
    monkeypatch.setattr(kernel, "unshare", refuse)
    found = applied(Policy((), namespaces=True), tmp_path)
    assert [name for name, layer in found.items() if not layer.in_force] == ["namespaces"]


def test_in_namespaces_of_its_own_a_process_is_still_itself(confined: Any) -> None:
    """It can use its folder, and has no capability, though it was root in there for a moment."""

    def use() -> list[Any]:
        Path("file").write_text("1")
        return [os.getuid() != 0, confined.attempt(os.chroot, "."), Path("file").read_text()]

    assert confined.run(use, namespaces=True) == [True, "EPERM", "1"]


@pytest.mark.root
def test_root_without_the_right_to_change_its_user_stays_root_without_capabilities(tmp_path: Path) -> None:
    """As in a container that was denied it, or whose only user is root."""
    policy = Policy(())

    def poor(writer: int) -> str:
        kernel.capset(0, 2)  # CAP_CHOWN and CAP_DAC_READ_SEARCH
        found = Confinement(policy).apply(tmp_path, keep=(writer,))
        return repr([layer.name for layer in found if not layer.in_force] + [os.geteuid()])

    assert confinement._from_child(poor) == "['user', 0]"


@pytest.mark.root
def test_children_of_root_are_users_of_their_own(tmp_path: Path) -> None:
    """No two share one, and each owns its scratch folder."""
    confined = Confinement(Policy(()))

    def user(writer: int) -> str:
        confined._parent = os.getppid()
        confined.apply(tmp_path, keep=(writer,))
        return str(os.getuid())

    users = []
    for _ in range(3):
        users.append(int(confinement._from_child(user)))
        assert tmp_path.stat().st_uid == users[-1]
    assert len(set(users)) == 3
    assert all(number > 1 << 30 for number in users)


def test_what_must_be_readable_is_the_installation_and_not_the_repository() -> None:
    """Our packages, the standard library, what is installed; no lessons, no solutions, no home folder."""
    readable = readable_installation()
    assert any((REPOSITORY / "chainrule_lib").is_relative_to(each) for each in readable)
    assert Path(os.__file__).parent.resolve() in readable
    for path in (REPOSITORY, Path.home(), Path("/"), Path("/usr"), Path("/etc"), Path("/tmp")):
        assert path.resolve() not in readable
    for name in ("solutions", "lessons", "tests", "README.md", ".git"):
        path = (REPOSITORY / name).resolve()
        assert not any(path.is_relative_to(each) for each in readable)


def test_the_module_can_be_imported_where_there_is_no_such_system(tmp_path: Path) -> None:
    """On macOS and Windows it says what is missing."""
    script = """
import sys, os
del os.fork
sys.platform = "win32"
sys.modules["resource"] = sys.modules["pwd"] = sys.modules["pyseccomp"] = None
from pathlib import Path
from autograder.isolation.confinement import Confinement, Policy, Unconfined, layers
print([(layer.name, layer.in_force) for layer in layers()])
try:
    Confinement(Policy(())).apply(Path("."))
except Unconfined as error:
    print(error)
print(len(Confinement(Policy(())).apply(Path("."), allow_unconfined=True)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=60
    )
    said, refused, count = done.stdout.splitlines()
    names = ("user", "limits", "Landlock", "parent", "seccomp")
    assert said == str([(name, False) for name in names])
    assert "Windows has none, Linux has" in refused
    assert all(f"without {name} (" in refused for name in ("limits", "Landlock", "seccomp"))
    assert count == "5"
