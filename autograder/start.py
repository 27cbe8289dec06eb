"""`chainrule start`: the lessons in JupyterLab, with every question a learner would be asked already answered.

The answers that never change are Jupyter configuration files in `autograder/jupyter_config`: no news pop-up, no
instructor's buttons, a server that listens to this machine only, a quiet terminal, Ctrl-C without a question. They are
put in front of the learner's own configuration for this one server and written nowhere. What depends on the call (the
folder, the port, the token) is passed to JupyterLab here. Nothing in the lessons folder is touched.
"""

import os
import secrets
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_data_path

from autograder.errors import CourseError

__all__ = ["find_lessons", "first_lesson", "start"]

HOST = "127.0.0.1"
CONFIGURATION = Path(__file__).parent / "jupyter_config"
REPOSITORY_LESSONS = Path(__file__).parents[1] / "lessons"


def start(
    lessons: Path | None = None,
    *,
    port: int | None = None,
    browser: bool = True,
    jupyter_arguments: Sequence[str] = (),
) -> None:
    """Serve the lessons until the learner stops the server.

    Parameters
    ----------
    lessons : the folder of lessons; None has `find_lessons` look for it
    port : the port to listen on; None takes 8888 or a free one near it
    browser : open the learner's browser at the first lesson
    jupyter_arguments : further arguments for JupyterLab, which win over ours

    Raises
    ------
    CourseError
        The folder holds no lessons or cannot be written, the first lesson is damaged, the port is taken, or these
        lessons are already open.
    """
    lessons = find_lessons(lessons)
    page = first_lesson(lessons)
    require_notebook(lessons / page)
    for folder in (lessons, lessons / page.parent):
        require_writable(folder)
    require_not_running(lessons)
    if port is not None:
        require_free_port(port)
    prefer_course_configuration()

    # Here, and not above: it takes a second, which a refusal need not cost.
    from jupyterlab.labapp import LabApp

    arguments = [
        f"--ServerApp.root_dir={lessons}",
        f"--ServerApp.open_browser={browser}",
        f"--LabApp.default_url=/lab/tree/{page.as_posix()}",
        # Open tabs are remembered for the course alone, apart from those of the learner's other projects.
        f"--LabApp.workspaces_dir={user_data_path('chainrule') / 'workspaces'}",
        # A token of our own, because Jupyter prints its own three times over with a file nobody needs.
        f"--IdentityProvider.token={secrets.token_hex(24)}",
    ]
    if port is not None:
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]

    server = LabApp.initialize_server([*arguments, *jupyter_arguments])

    def announce() -> None:
        where = address(server.connection_url, page, server.identity_provider.token)
        print(
            f"The lessons are open at\n\n    {where}\n\nSave your notebooks, then press Ctrl-C here to stop.",
            flush=True,
        )

    # The server binds its port when the loop starts; what is queued behind that runs when the address answers.
    server.io_loop.add_callback(announce)
    server.start()


def find_lessons(lessons: Path | None = None) -> Path:
    """The folder of lessons, absolute: the one given, else ./lessons, else the one beside the package.

    Raises
    ------
    CourseError
        There is no such folder.
    """
    candidates = [lessons] if lessons is not None else [Path("lessons"), REPOSITORY_LESSONS]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate.resolve()
    if lessons is not None:
        raise CourseError(f"{lessons} is not a folder. Give the folder that holds the lessons with --lessons.")
    raise CourseError(
        f"There is no folder ./lessons here and none at {REPOSITORY_LESSONS}. Run this in the course's folder, or "
        "give the folder that holds the lessons with --lessons."
    )


def first_lesson(lessons: Path) -> Path:
    """The first lesson's notebook, relative to the folder of lessons.

    A lesson is a folder with a notebook of the same name: `00_welcome/00_welcome.ipynb`.

    Raises
    ------
    CourseError
        The folder cannot be read or holds no lesson.
    """
    try:
        names = sorted(folder.name for folder in lessons.iterdir() if (folder / f"{folder.name}.ipynb").is_file())
    except OSError as error:
        raise CourseError(f"{lessons} cannot be read ({error.strerror}). Choose a folder that you may read.") from None
    if not names:
        raise CourseError(
            f"{lessons} holds no lessons: expected a notebook such as 00_welcome/00_welcome.ipynb in it. Give the "
            "folder that holds the lessons with --lessons."
        )
    return Path(names[0], f"{names[0]}.ipynb")


def require_notebook(path: Path) -> None:
    """Refuse a notebook that JupyterLab could only answer with an error: cut off, emptied, or no notebook at all."""
    import nbformat

    try:
        nbformat.validate(nbformat.read(path, as_version=nbformat.NO_CONVERT))
    except Exception as error:  # nbformat and jsonschema raise errors of their own, with no common class
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise CourseError(
            f"{path} is no notebook ({reason}). Move it away and put an intact copy in its place: `git checkout "
            f"{path.name}` in its folder brings the released one back."
        ) from None


def require_writable(folder: Path) -> None:
    """Refuse a folder in which a learner's work could not be saved.

    A file is really made (one without a name, which leaves nothing behind): permission bits say nothing of a
    read-only file system, and nothing to root.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CourseError(
            f"{folder} cannot be written ({error.strerror}), so your work could not be saved. Copy the lessons to a "
            "folder of your own and give that with --lessons."
        ) from None


def require_not_running(lessons: Path) -> None:
    """Refuse to serve lessons that another server has open: two would overwrite each other's saved notebooks."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        if Path(server["root_dir"]).resolve() == lessons:
            raise CourseError(
                f"These lessons are already open at {address(server['url'], first_lesson(lessons), server['token'])} "
                f"(process {server['pid']}). Use that address, or stop that server with Ctrl-C in its terminal first."
            )


def require_free_port(port: int) -> None:
    """Refuse a port that another program listens on."""
    with socket.socket() as probe:
        # As the server itself does: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CourseError(
                f"Port {port} cannot be used ({error.strerror}). Give another with --port, or leave --port out to "
                "have a free one chosen."
            ) from None


def prefer_course_configuration() -> None:
    """Put the course's configuration, and this environment's kernel, before the learner's own for this process."""
    paths = [str(CONFIGURATION), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(path for path in paths if path)
    # Else a python3 kernel that the learner once installed for another project would run the lessons.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"


def address(url: str, page: Path, token: str) -> str:
    """Where a browser finds a notebook on a server, with the token that lets it in."""
    query = f"?token={token}" if token else ""
    return f"{url}lab/tree/{page.as_posix()}{query}"
