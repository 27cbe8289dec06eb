"""Files that a confined process must not reach, and the ways there are to try."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.isolation import landlock

REFUSED = {"EACCES", "EPERM", "ENOSYS", "EXDEV"}

NEWEST = landlock.abi()


@pytest.fixture(params=sorted({1, 2, 3, 5, NEWEST}))
def any_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The ABI of Landlock, from the first one to this kernel's."""
    if request.param > NEWEST:
        pytest.skip(f"this kernel's Landlock is at ABI {NEWEST}")
    monkeypatch.setattr(landlock, "abi", lambda: request.param)
    return int(request.param)


ATTEMPTS: dict[str, Callable[[Path], Any]] = {
    "read": lambda secret: secret.read_text(),
    "read through the working directory": lambda secret: os.open(os.path.relpath(secret), os.O_RDONLY),
    "read through a folder": lambda secret: _open_beside(secret.parent, "secret"),
    "list": lambda secret: os.listdir(secret.parent),
    "map": lambda secret: os.open(secret, os.O_RDONLY | os.O_NOATIME),
    "write": lambda secret: secret.write_text("mine"),
    "append": lambda secret: secret.open("a"),
    "truncate when opening to read": lambda secret: os.open(secret, os.O_RDONLY | os.O_TRUNC),
    "truncate by path": lambda secret: os.truncate(secret, 0),
    "create": lambda secret: (secret.parent / "new").touch(),
    "create without a name": lambda secret: os.open(secret.parent, os.O_TMPFILE | os.O_RDWR),
    "folder": lambda secret: (secret.parent / "new").mkdir(),
    "remove": lambda secret: secret.unlink(),
    "rename within": lambda secret: secret.rename(secret.parent / "other"),
    "move in": lambda secret: os.rename(secret, "mine"),
    "move out": lambda secret: os.rename("secret", secret.parent / "mine"),
    "move over": lambda secret: os.replace("secret", secret),
    "move the folder in": lambda secret: os.rename(secret.parent, "mine"),
    "hard link in": lambda secret: os.link(secret, "mine"),
    "hard link out": lambda secret: os.link("secret", secret.parent / "mine"),
    "symbolic link in": lambda secret: os.symlink(secret, "mine"),
    "symbolic link out": lambda secret: os.symlink("secret", secret.parent / "mine"),
    "pipe": lambda _: os.mkfifo("mine"),
    "device": lambda _: os.mknod("mine", 0o600 | 0o020000, os.makedev(1, 3)),
    "change the owner": lambda secret: os.chown(secret, os.getuid(), os.getgid()),
    "set an attribute": lambda secret: os.setxattr(secret, "user.mine", b"1"),
    "change the root": lambda secret: os.chroot(secret.parent),
    "run": lambda _: subprocess.run(["/bin/true"], check=True),
    "run in its place": lambda _: os.execv("/bin/true", ["true"]),
    "socket in the scratch folder": lambda _: socket.socket(socket.AF_UNIX).bind("mine"),
}


def _open_beside(folder: Path, name: str) -> int:
    """Open relative to a folder that was itself opened without asking to read it."""
    return os.open(name, os.O_RDONLY, dir_fd=os.open(folder, os.O_PATH))


def test_nothing_outside_the_scratch_folder_can_be_reached(confined: Any, any_kernel: int) -> None:
    """Every attempt at a file of the same user's, which anybody may read and write, is refused; the file stays."""
    secret = confined.outside / "secret"
    before = secret.stat()
    found = confined.run(lambda: {name: confined.attempt(attempt, secret) for name, attempt in ATTEMPTS.items()})
    assert {name: error for name, error in found.items() if error not in REFUSED} == {}
    assert secret.read_text() == "secret"
    assert (secret.stat().st_mode, secret.stat().st_uid) == (before.st_mode, before.st_uid)
    assert [path.name for path in confined.outside.iterdir()] == ["secret"]
    assert not (confined.scratch / "mine").exists()


def test_permissions_and_times_of_files_elsewhere_stay(confined: Any) -> None:
    """Changing them is answered as if it had been done, for copies in the scratch folder, and is not done."""
    files = [confined.outside / "secret", confined.library]
    before = [(path.stat().st_mode, path.stat().st_mtime) for path in files]

    def change() -> list[str]:
        descriptor = os.open(confined.library, os.O_RDONLY)
        return [
            *(confined.attempt(os.chmod, path, 0) for path in files),
            *(confined.attempt(os.utime, path, (0, 0)) for path in files),
            confined.attempt(os.fchmod, descriptor, 0),
            confined.attempt(os.utime, descriptor, (0, 0)),
        ]

    assert set(confined.run(change)) <= {"done", "EPERM", "ENOSYS"}
    assert [(path.stat().st_mode, path.stat().st_mtime) for path in files] == before


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/environ",
        "/proc/self/maps",
        "/proc/self/mem",
        "/proc/self/fd",
        "/proc/{parent}/environ",
        "/proc/{parent}/cmdline",
        "/proc/{parent}/root",
        "/proc/{parent}/cwd/pyproject.toml",
        "/proc/1/cmdline",
        "/proc/meminfo",
        "/proc/sys/kernel/hostname",
        "/proc",
        "/sys",
        "/etc/passwd",
        "/etc",
        "/",
        "/tmp",
        "/home",
        "/root",
        "/var",
        "/dev/mem",
        "/dev/shm",
        "/dev/tty",
        "/dev/kmsg",
        "/run",
    ],
)
def test_the_system_is_closed(confined: Any, path: str) -> None:
    """Neither /proc nor the folders of others can be read, by folder or by file."""
    path = path.format(parent=os.getpid())
    assert os.path.lexists(path) or pytest.skip(f"there is no {path}")
    found = confined.run(lambda: [confined.attempt(open, path), confined.attempt(os.listdir, path)])
    assert found[0] in REFUSED | {"EISDIR"}
    assert found[1] in REFUSED | {"ENOTDIR"}


def test_the_installation_can_be_read_and_not_written(confined: Any, any_kernel: int) -> None:
    """Nor emptied, removed or replaced, also by the user to whom it belongs."""
    library = confined.library
    assert confined.run(lambda: library.read_text()) == "library"
    found = confined.run(
        lambda: [
            *(confined.attempt(open, library, mode) for mode in ("w", "a", "r+")),
            confined.attempt(os.open, library, os.O_RDONLY | os.O_TRUNC),
            confined.attempt(os.truncate, library, 0),
            confined.attempt(os.unlink, library),
            confined.attempt(os.replace, "secret", library),
            confined.attempt(os.link, library, "mine"),
            confined.attempt(os.rename, library, "mine"),
        ]
    )
    assert set(found) <= REFUSED
    assert library.read_text() == "library"


def test_what_is_hidden_is_closed_with_its_bytecode(confined: Any) -> None:
    """A folder, a module and what it was compiled to; all beside them is open, also through a link."""
    package = confined.base / "package"
    for name in ("answers/key.py", "open/module.py", "open/network.py", "open/network_of.py", "deep/er/est/one.txt"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    cache = package / "open" / "__pycache__"
    cache.mkdir()
    for name in ("network.cpython-311.pyc", "network.cpython-313.opt-1.pyc", "module.cpython-311.pyc"):
        (cache / name).write_text(name)
    (package / "way_round").symlink_to("answers")
    for path in (package, *package.rglob("*")):
        path.chmod(0o755)
    files = sorted(path.relative_to(package) for path in package.rglob("*") if path.is_file())

    def closed() -> list[str]:
        return [
            str(path) for path in [*files, Path("way_round/key.py")] if confined.attempt(open, package / path) != "done"
        ]

    hidden = (package / "answers", package / "open" / "network.py", package / "deep" / "er" / "est")
    assert confined.run(closed, readable=(package,), hidden=hidden) == [
        "answers/key.py",
        "deep/er/est/one.txt",
        "open/__pycache__/network.cpython-311.pyc",
        "open/__pycache__/network.cpython-313.opt-1.pyc",
        "open/network.py",
        "way_round/key.py",
    ]
    assert confined.run(closed, readable=(package,), hidden=(package,)) == [*map(str, files), "way_round/key.py"]
    listed = confined.run(lambda: sorted(os.listdir(package / "open")), readable=(package,), hidden=hidden)
    assert "module.py" in listed  # an import lists folders


def test_the_scratch_folder_is_like_any_other(confined: Any) -> None:
    """Files and folders can be made, read, renamed, copied and removed; temporary files and databases work."""

    def use() -> list[Any]:
        Path("a/b").mkdir(parents=True)
        Path("a/one.txt").touch()
        Path("a/one.txt").write_text("1")
        shutil.copy("a/one.txt", "a/two.txt")
        shutil.copy2("a/one.txt", "a/three.txt")
        os.replace("a/two.txt", "a/renamed.txt")
        os.truncate("a/three.txt", 0)
        with tempfile.TemporaryDirectory(dir=".") as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x")
        with tempfile.TemporaryFile(dir=".") as file:
            file.write(b"x")
        database = sqlite3.connect("a/data.db")
        database.execute("CREATE TABLE numbers (x)")
        database.execute("INSERT INTO numbers VALUES (1)")
        database.commit()
        database.close()
        shutil.rmtree("a/b")
        return sorted(os.listdir("a"))

    assert confined.run(use) == ["data.db", "one.txt", "renamed.txt", "three.txt"]
    assert (confined.scratch / "a" / "renamed.txt").read_text() == "1"


def test_files_can_be_moved_between_folders_of_the_scratch_folder(confined: Any) -> None:
    """Which Landlock's second version and later can allow."""
    if NEWEST < 2:
        pytest.skip("this kernel's Landlock refuses it")

    def move() -> str:
        for name in ("a", "b"):
            Path(name).mkdir()
        Path("a/one").write_text("1")
        os.rename("a/one", "b/one")
        os.link("b/one", "b/two")
        return Path("b/two").read_text()

    assert confined.run(move) == "1"
