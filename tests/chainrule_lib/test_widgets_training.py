"""The training monitor: it shows every epoch it is told of, in a bar, in curves and in words, and costs little."""

import time
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from chainrule_lib.widgets import training
from chainrule_lib.widgets.training import training_monitor


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the monitor displays, in order: the bar, then every state of the curves."""
    states: list[Any] = []

    class Handle:
        def display(self, state: Any) -> None:
            states.append(state)

        update = display

    monkeypatch.setattr(training, "display", states.append)
    monkeypatch.setattr(training, "DisplayHandle", Handle)
    return states


def test_the_last_state_is_always_shown_in_the_bar_the_curves_and_the_words(shown: list[Any]) -> None:
    with training_monitor(epochs=40, metrics=("loss", "test accuracy")) as monitor:
        for epoch in range(1, 41):
            monitor.update(epoch, {"loss": 1 / epoch, "test accuracy": np.float64(1 - 1 / epoch)})
    assert (shown[0].value, shown[0].max) == (40, 40)
    assert shown[0].bar_style == "success"
    assert monitor.history["loss"] == (list(range(1, 41)), [1 / epoch for epoch in range(1, 41)])
    text = repr(shown[-1])
    assert text.startswith("40 of 40 epochs")
    assert text.endswith("loss 0.025, test accuracy 0.975")
    html = shown[-1]._repr_html_()
    assert f'alt="Curves of a training against its epochs. {text}"' in html
    assert f">{text}</figcaption>" in html
    assert plt.get_fignums() == []


def test_the_curves_grow_while_the_training_runs_and_drawing_keeps_to_its_share(shown: list[Any]) -> None:
    start = time.perf_counter()
    bar = []
    with training_monitor(epochs=1000) as monitor:
        for epoch in range(1, 1001):
            monitor.update(epoch, {"loss": float(epoch)})
            bar.append(shown[0].value)
            if len(shown) > 4:
                break
            time.sleep(0.02)
    assert bar[0] == 1
    assert len(set(bar)) >= 3
    drawn = [repr(state).split(" of ")[0] for state in shown[2:]]
    assert drawn[0] == "1"
    assert len(set(drawn)) >= 3
    assert time.perf_counter() - start >= 2 * training.SECONDS
    assert shown[2]._repr_html_() != shown[3]._repr_html_()


def test_a_training_that_stops_with_an_error_shows_how_far_it_came_and_lets_the_error_through(shown: list[Any]) -> None:
    def stopped() -> None:
        with training_monitor(epochs=9) as monitor:
            monitor.update(1, {"loss": 2.0})
            monitor.update(4, {"loss": 1.5})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert shown[0].bar_style == "danger"
    assert repr(shown[-1]).startswith("4 of 9 epochs")
    assert repr(shown[-1]).endswith("loss 1.5")


def test_a_loss_that_diverges_is_shown_without_a_warning(shown: list[Any]) -> None:
    with np.errstate(all="raise"), training_monitor(epochs=4, metrics=("loss", "test loss")) as monitor:
        for epoch, loss in enumerate((1.0, 1e300, np.inf, np.nan), start=1):
            monitor.update(epoch, {"loss": loss, "test loss": -loss})
    assert repr(shown[-1]).endswith("loss nan, test loss nan")


def test_a_metric_may_be_measured_now_and_then_and_a_training_may_have_no_epoch(shown: list[Any]) -> None:
    with training_monitor(epochs=3, metrics=("loss", "test accuracy")) as monitor:
        monitor.update(0, {"loss": 3.0})
        monitor.update(2, {"loss": 1.0, "test accuracy": 0.5})
    assert monitor.history == {"loss": ([0, 2], [3.0, 1.0]), "test accuracy": ([2], [0.5])}
    with training_monitor(epochs=3):
        pass
    assert repr(shown[-1]).startswith("0 of 3 epochs")


def test_metrics_of_one_kind_share_a_plot_and_differ_in_line_and_marker() -> None:
    history = {"loss": ([1, 2], [3.0, 2.0]), "accuracy": ([1, 2], [0.1, 0.2]), "test loss": ([1, 2], [3.5, 3.0])}
    losses, accuracies = training._curves(history, epochs=2).axes
    assert [line.get_label() for line in losses.lines] == ["loss", "test loss"]
    assert len({(line.get_linestyle(), line.get_marker()) for line in losses.lines}) == 2
    assert [list(line.get_ydata()) for line in losses.lines] == [[3.0, 2.0], [3.5, 3.0]]
    assert [line.get_label() for line in accuracies.lines] == ["accuracy"]


@pytest.mark.parametrize(("epoch", "values"), [(-1, {}), (2.5, {}), (11, {}), (5, {}), (6, {"lost": 1.0})])
def test_what_cannot_be_shown_is_refused_in_a_sentence(shown: list[Any], epoch: Any, values: Any) -> None:
    with training_monitor(epochs=10) as monitor:
        monitor.update(5, {"loss": 1.0})
        with pytest.raises(ValueError, match="expected"):
            monitor.update(epoch, values)
        with pytest.raises(TypeError, match="loss is 'low': expected a number"):
            monitor.update(6, {"loss": "low"})


@pytest.mark.parametrize("metrics", ["loss", (), ("loss", "loss")])
def test_metrics_are_different_names(metrics: Any) -> None:
    with pytest.raises(ValueError, match="different names"):
        training_monitor(epochs=1, metrics=metrics)
    with pytest.raises(ValueError, match="epochs is 0"):
        training_monitor(epochs=0)


def test_in_a_notebook_without_a_browser_the_bar_and_the_last_curves_stay_in_the_cell() -> None:
    source = (
        "from chainrule_lib.widgets.training import training_monitor\n"
        "with training_monitor(epochs=3) as monitor:\n"
        "    for epoch in (1, 2, 3):\n"
        "        monitor.update(epoch, {'loss': 1 / epoch})"
    )
    notebook = new_notebook(cells=[new_code_cell(source)])
    NotebookClient(notebook, timeout=60).execute()
    nbformat.validate(notebook)
    bar, curves = notebook.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in bar.data
    assert curves.data["text/plain"].startswith("3 of 3 epochs")
    assert "<img" in curves.data["text/html"]


def test_in_a_terminal_it_prints_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with training_monitor(epochs=2) as monitor:
        monitor.update(2, {"loss": 0.5})
    assert "2 of 2 epochs" in capsys.readouterr().out
