"""What a cell shows, gathered as nbformat outputs, within limits.

A cell prints to two streams, displays objects, renews and clears displays. ``Recorder`` turns that into the list of
outputs that nbclient would have put into the notebook, were the cell run by a kernel. Text printed to one stream is one
output until something else is shown: a kernel sends text in pieces whose number depends on how busy the machine is, so
nbclient's own pieces differ from run to run. Where both streams have text, standard output comes first, as in a kernel.
"""

from __future__ import annotations

import io
import math
import numbers
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

__all__ = ["OutStream", "Output", "OutputLimits", "Recorder", "Taker", "TooLarge", "cleaned", "joined", "said", "sound"]

Output = dict[str, Any]

CUT = "\n[The rest of this cell's text was cut: a cell may print {limit}.]\n"
LEFT_OUT = "<This output was left out: it has more than {limit}.>"
FULL = "<This output was left out: a cell may show {limit} in all.>"
DROPPED = "[Some outputs of this cell were left out: a cell may have {limit} of them, and {size} in all.]\n"

running: ContextVar[int] = ContextVar("running")
"""The number of the cell that started the code that is running: a task may outlive its cell."""


@dataclass(frozen=True)
class OutputLimits:
    """How much one cell may show.

    Parameters
    ----------
    text : bytes printed to both streams
    output : bytes of one output, a picture for instance
    outputs : number of outputs
    cell : bytes of all outputs
    """

    text: int = 1 << 20
    output: int = 8 << 20
    outputs: int = 1000
    cell: int = 32 << 20


class TooLarge(Exception):
    """Something shown is larger than what is left to it."""


def size_in_words(size: int) -> str:
    """Bytes as people say them."""
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size} bytes"


def sound(text: str) -> str:
    """Plain text that every file can hold: half a surrogate pair is written as a question mark."""
    if str.isascii(text):
        return str.__str__(text)
    return str.encode(text, "utf-8", "replace").decode("utf-8")


def said(error: BaseException | None) -> str:
    """An exception's own words; a learner's exception may fail even at that."""
    try:
        return str(error)
    except Exception:
        return f"<exception {type(error).__name__}: its own __str__ failed>"


def cleaned(value: Any, room: int) -> tuple[Any, int]:
    """A value as JSON can say it, by the rules of Jupyter's own messages, and about how many bytes that takes.

    Parameters
    ----------
    value : text, numbers, bytes, dates, and collections of them
    room : bytes that it may take

    Raises
    ------
    TooLarge
        It takes more.
    ValueError
        JSON cannot say it.
    """
    if value is None or value is True or value is False:
        return value, 4
    if isinstance(value, str):
        text = sound(value)
    elif isinstance(value, bytes | bytearray | memoryview):
        text = b2a_base64(value, newline=False).decode("ascii")
    elif isinstance(value, date):  # and datetime
        text = value.isoformat()
    elif isinstance(value, numbers.Integral):
        return int(value), 8
    elif isinstance(value, numbers.Real):
        number = float(value)
        return (number if math.isfinite(number) else repr(number)), 8
    else:
        return _cleaned_collection(value, room)
    size = len(text) if text.isascii() else len(text.encode())
    if size > room:
        raise TooLarge
    return text, size


def _cleaned_collection(value: Any, room: int) -> tuple[Any, int]:
    used = 2
    if isinstance(value, Mapping):
        pairs: dict[str, Any] = {}
        for key, item in value.items():
            name = sound(str(key))
            pairs[name], size = cleaned(item, room - used)
            used += size + len(name)
            if used > room:
                raise TooLarge
        return pairs, used
    if not isinstance(value, Iterable):
        raise ValueError(f"Can't clean for JSON: {value!r}")
    items = []
    for item in value:
        item, size = cleaned(item, room - used)
        items.append(item)
        used += size + 1
        if used > room:
            raise TooLarge
    return items, used


def _fits(kind: str, value: Any) -> bool:
    """Whether a notebook can hold this value for this MIME type: text, or whatever JSON can say if the type says so."""
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return True
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(line, str) for line in value))


class Taker(Protocol):
    """Whoever takes outputs in place of the cell: an Output widget that is open."""

    def take(self, output: Output) -> None: ...

    def clear(self, wait: bool) -> None: ...


class Recorder:
    """The outputs of the cell that runs."""

    def __init__(self, limits: OutputLimits) -> None:
        self.limits = limits
        self.cell = 0
        self.out = OutStream("stdout", 1, self)
        self.err = OutStream("stderr", 2, self)
        self.earlier: set[str] = set()  # names of displays that an earlier cell has shown
        self.before_flush: Callable[[], None] = lambda: None
        self.begin()

    def begin(self) -> None:
        """A new cell."""
        self.cell += 1
        running.set(self.cell)
        self.outputs: list[Output] = []
        self.updates: dict[str, Output] = {}
        self.shown: dict[str, list[Output]] = {}
        self.takers: list[Taker] = []
        self.sizes: dict[int | str, int] = {}  # in bytes, by the outputs' identity and the updates' name
        self.room = self.limits.cell
        self.text_left = self.limits.text
        self.cut = self.dropped = self.clear_next = False
        self.out.drop()
        self.err.drop()

    def mine(self) -> bool:
        """Whether the code that is running belongs to this cell; what an earlier cell's task shows is nobody's."""
        return running.get(self.cell) == self.cell

    def flush(self) -> None:
        """Make what was printed so far an output, before something else is shown."""
        self.before_flush()
        self.out.flush()
        self.err.flush()

    # What a cell can do.

    def stream(self, name: str, text: str) -> None:
        """Text that was printed."""
        last = self.outputs[-1] if self.outputs and not self.takers and not self.clear_next else None
        if last is not None and last.get("name") == name:
            last["text"].append(text)
        elif self._has_place():
            self._add({"output_type": "stream", "name": name, "text": [text]}, 0)

    def display(self, data: Any, metadata: Any, display_id: str | None = None) -> None:
        """An object that is displayed; one of the same name that was displayed before is renewed as well."""
        if not self.mine():
            return
        self.flush()
        if not self._has_place():
            return
        bundle, size = self._bundle(data, metadata)
        if display_id:
            self._renew(display_id, bundle, size)
        self._add({"output_type": "display_data", **bundle}, size, display_id)

    def result(self, data: Any, metadata: Any, count: int) -> None:
        """The value of a cell's last line."""
        if not self.mine():
            return
        self.flush()
        if data and self._has_place():
            bundle, size = self._bundle(data, metadata)
            self._add({"output_type": "execute_result", **bundle, "execution_count": count}, size)

    def update(self, data: Any, metadata: Any, display_id: str) -> None:
        """New content for displays that are there."""
        if self.mine():
            self.flush()
            self._renew(display_id, *self._bundle(data, metadata))

    def error(self, ename: str, evalue: str, traceback: list[str]) -> None:
        """An exception that was shown."""
        if not self.mine():
            return
        self.flush()
        if not self._has_place(spare=10):  # whatever was shown before: a learner has to see what went wrong
            return
        content = {"ename": ename, "evalue": evalue, "traceback": traceback}
        try:
            content, size = cleaned(content, max(4096, min(self.limits.output, self.room)))
        except TooLarge:
            name, message = sound(ename[:200]), sound(evalue[:1000])
            message += LEFT_OUT.format(limit=size_in_words(self.limits.output))
            content, size = {"ename": name, "evalue": message, "traceback": [f"{name}: {message}"]}, 0
        self._add({"output_type": "error", **content}, size)

    def clear(self, wait: bool) -> None:
        """Take all outputs away, at once or when the next one comes."""
        if not self.mine():
            return
        self.flush()
        if self.takers:
            self.takers[-1].clear(wait)
        elif wait:
            self.clear_next = True
        else:
            self._empty()

    # How it is kept.

    def release(self, outputs: list[Output]) -> None:
        """Give back the room that outputs took which are shown no more."""
        for output in outputs:
            self.room += self.sizes.pop(id(output), 0)

    def _empty(self) -> None:
        self.release(self.outputs)
        self.outputs.clear()
        self.shown.clear()
        self.text_left = self.limits.text
        self.cut = self.dropped = self.clear_next = False

    def _has_place(self, spare: int = 0) -> bool:
        """Whether one more output may be shown; a note will say so if not."""
        if self.takers or self.clear_next or len(self.outputs) < self.limits.outputs + spare:
            return True
        self.dropped = True
        return False

    def _bundle(self, data: Any, metadata: Any) -> tuple[Output, int]:
        """Data and metadata of a display with their size, or a sentence in their place where they are too large."""
        limit = min(self.limits.output, self.room)
        try:
            bundle, size = cleaned({"metadata": metadata or {}, "data": data}, limit)
        except TooLarge:
            whole = self.limits.output if limit == self.limits.output else self.limits.cell
            sentence = (LEFT_OUT if limit == self.limits.output else FULL).format(limit=size_in_words(whole))
            return {"metadata": {}, "data": {"text/plain": sentence}}, 0
        except ValueError as error:
            raise error.with_traceback(None) from None  # a learner need not see how it was found
        bundle["data"] = {kind: value for kind, value in bundle["data"].items() if _fits(kind, value)}
        return bundle, size

    def _charge(self, key: int | str, size: int) -> None:
        """Take room for an output or an update, in the place of what it took before."""
        self.room += self.sizes.get(key, 0) - size
        self.sizes[key] = size

    def _renew(self, display_id: str, bundle: Output, size: int) -> None:
        for output in self.shown.get(display_id, ()):
            output.update(bundle)
            self._charge(id(output), size)
        if display_id in self.earlier and (display_id in self.updates or len(self.updates) < self.limits.outputs):
            self.updates[display_id] = {"display_id": display_id, **bundle}
            self._charge(display_id, size)

    def _add(self, output: Output, size: int, display_id: str | None = None) -> None:
        if self.takers:
            self.takers[-1].take(output)
        else:
            if self.clear_next:
                self._empty()
            self.outputs.append(output)
            if display_id:
                output["transient"] = {"display_id": display_id}
                self.shown.setdefault(display_id, []).append(output)
        self._charge(id(output), size)

    def end(self) -> list[Output]:
        """The finished cell's outputs, which are nobody else's from now on."""
        self.flush()
        self.earlier.update(self.shown)
        if self.dropped:
            size = size_in_words(self.limits.cell)
            note = DROPPED.format(limit=self.limits.outputs, size=size)
            self.outputs.append({"output_type": "stream", "name": "stderr", "text": [note]})
        return [joined(output) for output in self.outputs]


def joined(output: Output) -> Output:
    """An output whose text is in one piece."""
    return {**output, "text": "".join(output["text"])} if output["output_type"] == "stream" else output


class OutStream(io.TextIOBase):
    """A stream that keeps what is printed until something else is shown. Named as in a kernel, for error messages."""

    encoding = "UTF-8"

    def __init__(self, name: str, number: int, recorder: Recorder) -> None:
        self.name = name
        self.number = number
        self.recorder = recorder
        self.kept: list[str] = []

    def write(self, string: str) -> int:
        """Keep text, up to the cell's limit."""
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string)}")
        recorder = self.recorder
        length = len(string)
        if recorder.cut or running.get(recorder.cell) != recorder.cell:
            return length
        string = string[: recorder.text_left + 1]
        data = b"" if string.isascii() else string.encode("utf-8", "replace")
        size = len(data) or len(string)
        if size > recorder.text_left:
            kept = data[: recorder.text_left].decode("utf-8", "ignore") if data else string[: recorder.text_left]
            string = kept + CUT.format(limit=size_in_words(recorder.limits.text))
            recorder.cut = True
        elif data:
            string = data.decode()
        recorder.text_left -= size
        self.kept.append(string)
        return length

    def flush(self) -> None:
        """Make what was printed so far an output."""
        if self.kept:
            text = "".join(self.kept)
            self.kept = []
            if text:
                self.recorder.stream(self.name, text)

    def drop(self) -> None:
        """Forget what was not shown."""
        self.kept = []

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self.number

    def close(self) -> None:
        """Nothing: whoever closes a stream would be without one for the rest of the notebook."""
