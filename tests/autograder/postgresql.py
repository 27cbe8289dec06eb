"""A PostgreSQL server of the tests' own, on a free loopback port and with a cluster that is thrown away."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

SERVER_USER = "postgres" if os.geteuid() == 0 else getpass.getuser()
"""PostgreSQL refuses to run as root."""


def program(name: str) -> str | None:
    """A program of PostgreSQL; Debian keeps them off the path."""
    debian = sorted(str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(name, path=os.pathsep.join([*debian, os.environ["PATH"]]))


NEEDED = [
    pytest.mark.postgresql,
    pytest.mark.skipif(
        not (program("initdb") and program("postgres")), reason="no PostgreSQL; on Debian: apt-get install postgresql"
    ),
    pytest.mark.skipif(importlib.util.find_spec("psycopg") is None, reason="no driver; pip install 'psycopg[binary]'"),
]
"""The marks of a test that uses a server."""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A server with an empty database, whose URL this is."""
    folder = Path(mkdtemp(prefix="postgresql"))
    shutil.chown(folder, SERVER_USER)
    as_server = {"user": SERVER_USER} if os.geteuid() == 0 else {}
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **as_server}
    data = str(folder / "data")
    initialise = [program("initdb"), "--auth=trust", "--username=grader", "--encoding=UTF8", "--no-sync", data]
    subprocess.run(initialise, check=True, **quiet)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    listen = ["-k", str(folder), "-p", port, "-c", "listen_addresses=127.0.0.1"]
    process = subprocess.Popen([program("postgres"), "-D", data, *listen, "-c", "fsync=off"], **quiet)
    ready = [program("pg_isready"), "-h", "127.0.0.1", "-p", port, "-U", "grader"]
    try:
        while subprocess.run(ready, stdout=subprocess.DEVNULL, check=False).returncode:
            assert process.poll() is None
        yield f"postgresql+psycopg://grader@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)
