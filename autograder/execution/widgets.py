"""Widgets without a browser: their state is written down, and Output widgets take the outputs of what runs in them.

A widget talks to its other half through a comm. In a notebook that runs without a browser, nbclient is that other half:
it keeps each widget's state for the notebook's metadata, and plays the part of the Output widget. So does this module.
"""

from __future__ import annotations

from typing import Any

import comm
from comm.base_comm import BaseComm

from autograder.execution.outputs import Output, Recorder, TooLarge, cleaned, joined

__all__ = ["Comms"]

MODELS = 4000
"""Widgets of a notebook, each of which has a style and a layout that count as well."""


class Comms:
    """All comms of a process, and the state of the widgets behind them."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.states: dict[str, dict[str, Any]] = {}
        self.buffers: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self.sizes: dict[str, int] = {}  # of states with their buffers, in bytes: estimates that are never too small
        self.total = 0
        self.changed: dict[str, None] = {}  # by model id, in the order of their change
        self.outputs: dict[str, _OutputModel] = {}
        self.message = ""  # what Output widgets know the running cell by

    def install(self) -> None:
        """Make every new comm one of these."""
        comms = self

        class Comm(BaseComm):
            def publish_msg(
                self,
                msg_type: str,
                data: dict[str, Any] | None = None,
                metadata: dict[str, Any] | None = None,
                buffers: list[bytes] | None = None,
                **keys: Any,
            ) -> None:
                comms.receive(msg_type, self.comm_id, data or {}, buffers or [], keys.get("target_name"))

        comm.create_comm = Comm

    def begin(self) -> None:
        """A new cell."""
        self.message = f"cell-{self.recorder.cell}"
        self.changed.clear()

    def receive(
        self, kind: str, model: str, data: dict[str, Any], buffers: list[bytes], target: str | None = None
    ) -> None:
        """A message of a widget to its other half."""
        if "state" not in data or not self.recorder.mine():
            return
        limit = self.recorder.limits.cell
        if model not in self.states and len(self.states) >= MODELS:
            self.recorder.dropped = True
            return
        try:
            state, size = cleaned(data["state"], limit)
        except TooLarge:
            self.recorder.dropped = True
            return
        encoded, more = self._encoded(data.get("buffer_paths") or [], buffers)
        if not self._charge(model, size + more):
            self.recorder.dropped = True
            return
        self.states.setdefault(model, {}).update(state)
        if encoded:
            self.buffers.setdefault(model, {}).update(encoded)
        self.changed[model] = None
        if kind == "comm_open" and target == "jupyter.widget":
            if state.get("_model_module") == "@jupyter-widgets/output" and state.get("_model_name") == "OutputModel":
                self.outputs[model] = _OutputModel(model, self, state.get("outputs") or [])
        elif kind == "comm_msg" and model in self.outputs and "msg_id" in state:
            self.outputs[model].listen(state["msg_id"])

    def _charge(self, model: str, size: int) -> bool:
        """Count a new part of a widget's state; whether there is room for it."""
        limit, before = self.recorder.limits.cell, self.sizes.get(model, 0)
        if self.total + size > limit and model in self.states:
            # What was there may have been replaced: count it again.
            self.total -= before
            before = cleaned([self.states[model], list(self.buffers.get(model, {}).values())], 2 * limit)[1]
            self.total += before
            self.sizes[model] = before
        if self.total + size > limit:
            return False
        self.sizes[model] = before + size
        self.total += size
        return True

    @staticmethod
    def _encoded(paths: list[list[Any]], buffers: list[bytes]) -> tuple[dict[tuple[Any, ...], dict[str, Any]], int]:
        """Binary parts of a state as the notebook keeps them, by their place in it."""
        encoded, size = {}, 0
        for path, buffer in zip(paths, buffers, strict=False):
            text, more = cleaned(bytes(buffer), 1 << 62)
            encoded[tuple(path)] = {"data": text, "encoding": "base64", "path": list(path)}
            size += more
        return encoded, size

    def end(self) -> dict[str, Any]:
        """The state of each widget that changed, as the notebook's metadata holds it."""
        found = {}
        for model in self.changed:
            state = self.states[model]
            if model in self.outputs:
                state["outputs"] = self.outputs[model].finished()
            if "_model_name" in state:
                found[model] = {
                    "model_name": state.get("_model_name"),
                    "model_module": state.get("_model_module"),
                    "model_module_version": state.get("_model_module_version"),
                    "state": dict(state),
                }
                if model in self.buffers:
                    found[model]["buffers"] = list(self.buffers[model].values())
        return found

    def tell(self) -> None:
        """Let the kernel's half of each Output widget know what it shows, as a browser does once a cell is done."""
        for model in list(self.changed):
            widget = comm.get_comm_manager().get_comm(model) if model in self.outputs else None
            if widget is not None and self.outputs[model].touched:
                self.outputs[model].touched = False
                state = {"outputs": [dict(output) for output in self.states[model]["outputs"]]}
                data = {"method": "update", "state": state, "buffer_paths": []}
                widget.handle_msg({"content": {"comm_id": model, "data": data}, "buffers": []})


class _OutputModel:
    """The browser's half of an Output widget: while it is open, it takes what the cell shows."""

    def __init__(self, model: str, comms: Comms, outputs: list[Output]) -> None:
        self.model = model
        self.comms = comms
        self.outputs = outputs
        self.clear_next = False
        self.touched = False

    def listen(self, message: str) -> None:
        """Open for what the cell with this message shows, or, told none, close."""
        takers = self.comms.recorder.takers
        if message:
            if message == self.comms.message:
                takers.append(self)
        elif takers:
            takers.pop()

    def take(self, output: Output) -> None:
        """One more output; text follows on text."""
        recorder = self.comms.recorder
        if self.clear_next:
            self._empty()
        last = self.outputs[-1] if self.outputs else None
        if (
            last is not None
            and output["output_type"] == last["output_type"] == "stream"
            and last["name"] == output["name"]
        ):
            if isinstance(last["text"], str):  # from before this cell
                last["text"] = [last["text"]]
            last["text"].extend(output["text"])
        elif len(self.outputs) < recorder.limits.outputs:
            self.outputs.append(output)
        else:
            recorder.dropped = True
        self._changed()

    def clear(self, wait: bool) -> None:
        """Take all outputs away, at once or when the next one comes."""
        if wait:
            self.clear_next = True
        else:
            self._empty()
            self._changed()

    def _empty(self) -> None:
        self.comms.recorder.release(self.outputs)
        self.outputs, self.clear_next = [], False

    def finished(self) -> list[Output]:
        """The outputs, each in one piece."""
        self.outputs = [joined(output) for output in self.outputs]
        return list(self.outputs)

    def _changed(self) -> None:
        self.touched = True
        self.comms.changed[self.model] = None
