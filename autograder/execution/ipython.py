"""IPython's shell as it is in a notebook, with a recorder where a kernel has sockets."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable
from typing import Any

from IPython.core import page
from IPython.core.autocall import ZMQExitAutocall
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import EscapedCommand, HelpEnd, MagicAssign, SystemAssign, TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.profiledir import ProfileDir
from IPython.display import Javascript, display
from IPython.utils.text import SList
from traitlets import Any as AnyTrait
from traitlets import CBool, Instance, Type, default
from traitlets.config import Config

from autograder.execution.outputs import Recorder
from autograder.execution.widgets import Comms

__all__ = ["ZMQInteractiveShell", "make"]

NO_COMMANDS = "Commands of the operating system are not run while notebooks are graded: {command}"

INTERPRETERS = ("sh", "bash", "perl", "ruby", "python", "python2", "python3", "pypy")
"""Programs that IPython has a cell magic for."""


class _Publisher(DisplayPublisher):
    """Displays go to the recorder."""

    recorder: Recorder

    def publish(  # type: ignore[override]
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        self._validate_data(data, metadata)
        display_id = (transient or {}).get("display_id")
        if update:
            self.recorder.update(data, metadata, str(display_id))
        else:
            self.recorder.display(data, metadata, display_id if display_id is None else str(display_id))

    def clear_output(self, wait: bool = False) -> None:
        self.recorder.clear(wait)


class _DisplayHook(DisplayHook):
    """The value of a cell's last line goes to the recorder."""

    recorder: Recorder
    pending = False
    data: dict[str, Any]
    metadata: dict[str, Any]

    def start_displayhook(self) -> None:
        self.pending, self.data, self.metadata = True, {}, {}

    def write_output_prompt(self) -> None:
        self.count = self.prompt_count

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        self.data, self.metadata = format_dict, md_dict or {}

    def finish_displayhook(self) -> None:
        try:
            self.recorder.result(self.data, self.metadata, self.count)
        finally:
            self.pending, self.data, self.metadata = False, {}, {}


class _Compiler(CachingCompiler):
    """Names cells in tracebacks and warnings as a kernel does, but alike in every process."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return f"/tmp/ipykernel_1/{zlib.crc32(raw_code.encode('utf-8', 'replace'))}.py"


class _TransformerManager(TransformerManager):
    """Looks for IPython's own syntax among the tokens of a cell only where it can be.

    Taking a cell apart into tokens is a third of the time of a cell that defines a function.
    """

    KNOWN = (MagicAssign, SystemAssign, EscapedCommand, HelpEnd)
    """What is looked for: ``x = %magic``, ``x = !command``, ``%magic`` and its like at the beginning of a line, and
    ``help?``."""

    WHERE = re.compile(r"\?|=[\s\\]*[%!]|^\s*[%!,;/]")
    """A cell without this in any line has none of them in it."""

    def do_token_transforms(self, lines: list[str]) -> list[str]:
        """The lines with such syntax turned into Python.

        Raises
        ------
        IndentationError
            There are no tokens: a line is indented less than the one before, and as no other.
        """
        is_known = tuple(self.token_transformers) == self.KNOWN
        is_ordinary = all(line.endswith("\n") for line in lines)  # IPython warns of lines that end otherwise
        if is_known and is_ordinary and not any(map(self.WHERE.search, lines)) and _is_well_indented(lines):
            return lines
        transformed: list[str] = super().do_token_transforms(lines)
        return transformed


def _is_well_indented(lines: list[str]) -> bool:
    """Whether all blocks of a cell are seen to end where others began; lines in brackets may look otherwise."""
    levels, opens = [0], False
    for line in lines:
        text = line.strip()
        if not text:
            continue
        level = len(line) - len(line.lstrip(" "))
        if level > levels[-1]:
            if not opens:
                return False
            levels.append(level)
        while level < levels[-1]:
            levels.pop()
        if level != levels[-1] or line[level].isspace():
            return False
        opens = text.endswith(":")
    return True


class _Kernel:
    """As much of a kernel as widgets and libraries ask for."""

    def __init__(self, comms: Comms) -> None:
        self.comms = comms

    def get_parent(self, channel: str = "shell") -> dict[str, Any]:
        """The message that the running cell came with."""
        return {"header": {"msg_id": self.comms.message, "msg_type": "execute_request"}, "content": {}, "metadata": {}}


def refuse(command: str) -> None:
    """Say that commands are not run."""
    print(NO_COMMANDS.format(command=command), file=sys.stderr)


@magics_class
class _Magics(Magics):
    """Magics that a notebook has beyond IPython's own; most of them only do something in a browser."""

    @line_magic
    def autosave(self, line: str) -> None:
        """Set how often the notebook is saved, in seconds."""
        try:
            interval = int(line)
        except ValueError as error:
            raise UsageError(f"%autosave requires an integer, got {line!r}") from error
        script = f"IPython.notebook.set_autosave_interval({1000 * interval})"
        display(Javascript(script), include=["application/javascript"])
        print(f"Autosaving every {interval} seconds" if interval else "Autosave disabled")

    @line_magic
    def clear(self, line: str) -> None:
        """Clear the terminal, of which there is none."""

    @line_magic
    def less(self, line: str) -> None:
        """Show a file beside the notebook."""

    @line_magic
    def more(self, line: str) -> None:
        """Show a file beside the notebook."""

    @line_magic
    def man(self, line: str) -> None:
        """Show a page of the manual beside the notebook."""

    @cell_magic
    def script(self, line: str, cell: str) -> None:
        """Say that commands are not run."""
        refuse(line)


def _refuse(name: str) -> Callable[[str, str], None]:
    """A cell magic that says that commands are not run."""
    return lambda line, cell: refuse(f"{name} {line}".strip())


class ZMQInteractiveShell(InteractiveShell):
    """IPython's shell in a notebook. Libraries know a notebook by the name of this class."""

    displayhook_class = Type(_DisplayHook)
    display_pub_class = Type(_Publisher)
    compiler_class = Type(_Compiler)
    input_transformer_manager = Instance(_TransformerManager, ())
    autoindent = CBool(False)
    exiter = Instance(ZMQExitAutocall)
    kernel = AnyTrait()
    recorder: Recorder
    keepkernel_on_exit = None
    failed_display = False
    last_traceback: list[str] | None = None
    explain: Callable[[BaseException], str] | None = None

    @default("exiter")
    def _default_exiter(self) -> ZMQExitAutocall:
        return ZMQExitAutocall(self)

    def begin(self, message: str) -> None:
        """A new cell."""
        self.failed_display = False
        self.last_traceback = None
        self.displayhook.pending = False

    def init_ipython_dir(self, ipython_dir: Any) -> None:
        """Nobody's own settings, and no folder for them."""

    def init_profile_dir(self, profile_dir: Any) -> None:
        self.profile_dir = ProfileDir()

    def init_virtualenv(self) -> None:
        """Whoever started the process has said where modules are."""

    def init_hooks(self) -> None:
        super().init_hooks()
        self.set_hook("show_in_pager", page.as_hook(_no_page), 99)

    def init_magics(self) -> None:
        super().init_magics()
        self.register_magics(_Magics)
        for name in INTERPRETERS:
            self.magics_manager.register_function(_refuse(name), "cell", name)

    def get_parent(self) -> dict[str, Any]:
        """The message that the running cell came with."""
        parent: dict[str, Any] = self.kernel.get_parent()
        return parent

    def set_parent(self, parent: Any) -> None:
        """Nothing: outputs belong to the cell that runs."""

    def ask_exit(self) -> None:
        """Nothing: ``exit`` ends a session in which somebody sits at the keyboard."""

    def set_next_input(self, s: str, replace: bool = False) -> None:
        """Nothing: there is no next input."""

    def enable_gui(self, gui: Any = None) -> None:
        if gui not in (None, "inline", "nbagg", "webagg"):  # these show plots in the notebook
            raise UsageError(f"No windows can be opened while notebooks are graded: {gui}")

    def system(self, cmd: str) -> None:
        """Say that commands are not run."""
        self.user_ns["_exit_code"] = 1
        refuse(self.var_expand(cmd, depth=1))

    system_piped = system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        self.system(cmd)
        return SList() if split else ""

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        if self.displayhook.pending:
            self.failed_display = True
        sentence = self.explain(evalue) if self.explain is not None else ""
        if sentence:
            stb = [*stb, sentence]
        self.last_traceback = stb
        self.recorder.error(str(etype.__name__), str(evalue), stb)


def _no_page(text: Any, start: int = 0, screen_lines: int = 0, pager_cmd: str | None = None) -> None:
    """Help is shown beside a notebook, not in it."""


def make(recorder: Recorder, comms: Comms) -> Any:
    """The one IPython shell of this process."""
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    config.IPKernelApp.connection_file = ""  # some libraries look for this section to know a notebook
    shell = ZMQInteractiveShell.instance(config=config, kernel=_Kernel(comms))
    shell.recorder = shell.display_pub.recorder = shell.displayhook.recorder = recorder
    return shell
