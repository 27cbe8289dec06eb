"""A view of a training while it runs: a progress bar, and curves that grow (lessons 06, 09 and 10).

    with training_monitor(epochs=30, metrics=("loss", "test accuracy")) as monitor:
        for epoch in range(1, 31):
            ...
            monitor.update(epoch, {"loss": loss, "test accuracy": accuracy})

The bar moves and the curves are redrawn a few times a second at most, so that drawing stays the smaller part of the
work and a notebook is not flooded with messages. Under the curves a sentence says what they show; it is also the view's
plain text, which is what a terminal prints. The last picture stays in the notebook.
"""

import time
from collections.abc import Mapping, Sequence
from html import escape
from types import TracebackType
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import DisplayHandle, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainrule_lib._arrays import check_whole_number
from chainrule_lib.widgets._explorer import BLUE, ORANGE, _image, new_figure

SECONDS = 0.2
"""Between two drawings, at least."""

SHARE = 0.3
"""Of the time that passes, at most, spent on drawing."""

DRAWN = 1e30
"""Values beyond it, and those that are no numbers, leave a gap in their curve: what diverges would flatten the rest."""

STYLES = (("-", "o", BLUE), ("--", "s", ORANGE), (":", "^", "black"), ("-.", "D", BLUE))
"""Line, marker and colour of the curves that share a pair of axes: never told apart by colour alone."""


class _Shown:
    """One state of the view, for a notebook and for a terminal."""

    def __init__(self, figure: Figure | None, text: str) -> None:
        self._html = f'<figcaption aria-live="polite">{escape(text)}</figcaption>'
        if figure is not None:
            self._html = f"{_image(figure, 'Curves of a training against its epochs. ' + text)}{self._html}"
        self._text = text

    def _repr_html_(self) -> str:
        return f'<figure style="margin:0">{self._html}</figure>'

    def __repr__(self) -> str:
        return self._text


class TrainingMonitor:
    """The progress bar and the curves of one training; made by `training_monitor`.

    Attributes:
        history: for every metric, the epochs at which it was given and its values there, as two lists.
    """

    def __init__(self, epochs: int, metrics: Sequence[str]) -> None:
        check_whole_number(epochs, "epochs", 1)
        if isinstance(metrics, str) or not metrics or len(set(metrics)) < len(metrics):
            raise ValueError(f"metrics is {metrics!r}: expected different names, such as ('loss', 'test accuracy').")
        self.epochs = epochs
        self.history: dict[str, tuple[list[int], list[float]]] = {name: ([], []) for name in metrics}
        self._bar: Any = ipywidgets.IntProgress(value=0, min=0, max=epochs, description="epochs")
        self._epoch = -1
        self._handle = DisplayHandle()
        self._start = self._drawn = self._cost = 0.0

    def __enter__(self) -> "TrainingMonitor":
        self._start = time.perf_counter()
        display(self._bar)
        self._handle.display(_Shown(None, self._text()))
        return self

    def update(self, epoch: int, values: Mapping[str, Any]) -> None:
        """Take in what an epoch has brought, and draw it if it is time to.

        Args:
            epoch: the number of epochs that are finished; 0 is the state before the first. It grows from call to call.
            values: metric -> number. A metric may be left out where it is not measured in every epoch.

        Raises:
            ValueError: epoch is no whole number, does not grow, or exceeds the announced number of epochs; a metric has
                not been announced.
            TypeError: a value is no number.
        """
        check_whole_number(epoch, "epoch", 0)
        if not self._epoch < epoch <= self.epochs:
            raise ValueError(f"epoch is {epoch} after {self._epoch}: expected it to grow, up to {self.epochs}.")
        if unknown := [name for name in values if name not in self.history]:
            raise ValueError(f"values has {', '.join(unknown)}: expected {', '.join(self.history)}.")
        numbers = {name: _number(value, name) for name, value in values.items()}
        for name, number in numbers.items():
            epochs, measured = self.history[name]
            epochs.append(int(epoch))
            measured.append(number)
        self._epoch = int(epoch)
        now = time.perf_counter()
        if now - self._drawn >= max(SECONDS, self._cost / SHARE):
            self._draw()
            self._drawn = time.perf_counter()
            self._cost = self._drawn - now

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.bar_style = "success" if kind is None else "danger"
        self._draw()

    def _draw(self) -> None:
        self._bar.value = max(0, self._epoch)
        figure = _curves(self.history, self.epochs) if self._epoch >= 0 else None
        self._handle.update(_Shown(figure, self._text()))

    def _text(self) -> str:
        """Where the training stands, in one sentence."""
        latest = [f"{name} {values[-1]:.4g}" for name, (_, values) in self.history.items() if values]
        seconds = time.perf_counter() - self._start
        standing = f"{max(0, self._epoch)} of {self.epochs} epochs in {seconds:.1f} s"
        return f"{standing}: {', '.join(latest)}" if latest else standing


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}: expected a number.") from None


def _curves(history: Mapping[str, tuple[list[int], list[float]]], epochs: int) -> Figure:
    """A plot for each kind of metric; the last word of a name is its kind, so two losses share one."""
    kinds: dict[str, list[str]] = {}
    for name in history:
        kinds.setdefault(name.split()[-1], []).append(name)
    figure = new_figure(4.5 * len(kinds), 3)
    for axes, (kind, names) in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds.items(), strict=True):
        _draw_kind(axes, {name: history[name] for name in names})
        axes.set(xlabel="epoch", ylabel=kind, xlim=(0, epochs))
    return figure


def _draw_kind(axes: Axes, curves: Mapping[str, tuple[list[int], list[float]]]) -> None:
    for number, (name, (epochs, values)) in enumerate(curves.items()):
        line, marker, color = STYLES[number % len(STYLES)]
        drawn = [value if abs(value) < DRAWN else np.nan for value in values]
        # A marker at about every tenth of the points, and always where the curve is now.
        places = sorted({*range(0, len(values), max(1, len(values) // 10)), len(values) - 1} - {-1})
        axes.plot(epochs, drawn, line, marker=marker, markersize=4, markevery=places, color=color, label=name)
    axes.legend(fontsize="small")


def training_monitor(epochs: int, metrics: Sequence[str] = ("loss",)) -> TrainingMonitor:
    """Watch a training: a progress bar and a growing curve for each metric. Use it with `with`.

    Args:
        epochs: how many there will be.
        metrics: the names of what `update` will be given. Those that end in the same word, such as "loss" and "test
            loss", are drawn together.

    Returns:
        The monitor; call its `update` after every epoch. Afterwards its `history` has the curves as numbers.

    Raises:
        ValueError: epochs is no positive whole number, or metrics are not different names.
    """
    return TrainingMonitor(epochs, metrics)
