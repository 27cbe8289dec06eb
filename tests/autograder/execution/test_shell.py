"""The shell by itself: what it does where a kernel would do something else, and what no cell can do to it."""

from __future__ import annotations

import subprocess
import sys

import pytest

MB = 1 << 20


def texts(run, name="stdout"):
    return "".join(output["text"] for output in run.outputs if output.get("name") == name)


def kinds(run):
    return [output.get("name", output["output_type"]) for output in run.outputs]


# What a run is.


def test_a_run_says_what_the_cell_did(run_cells):
    ok, failed, empty = run_cells("print('printed')\n6 * 7", "1 / 0", "  \n")
    assert (ok.status, ok.execution_count, ok.error) == ("ok", 1, None)
    assert ok.outputs == [
        {"output_type": "stream", "name": "stdout", "text": "printed\n"},
        {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": "42"}, "execution_count": 1},
    ]
    assert (failed.status, failed.execution_count) == ("error", 2)
    assert failed.error is not None
    assert failed.error["ename"] == failed.outputs[0]["ename"] == "ZeroDivisionError"
    assert (empty.status, empty.execution_count, empty.outputs) == ("ok", None, [])


def test_a_display_keeps_its_name_and_later_cells_renew_it(run_cells):
    first, second, third = run_cells(
        "h = display('a', display_id='one'); h.update('b')",
        "h.update('c'); h.update('d', metadata={'k': 1}); h2 = display('x', display_id='two')",
        "h2.update('y'); h2.display('z'); display('w', display_id='new').update('v')",
    )
    assert first.outputs[0]["transient"] == {"display_id": "one"}
    assert first.outputs[0]["data"] == {"text/plain": "'b'"}
    assert first.updates == []
    assert second.updates == [{"display_id": "one", "metadata": {"k": 1}, "data": {"text/plain": "'d'"}}]
    assert third.updates == [{"display_id": "two", "metadata": {}, "data": {"text/plain": "'z'"}}]
    assert [output["data"]["text/plain"] for output in third.outputs] == ["'z'", "'v'"]


def test_only_widgets_that_changed_are_reported(run_cells):
    made, used, unused = run_cells("import ipywidgets as w\ns = w.IntSlider()\nt = w.Text()", "s.value = 5", "1")
    assert {state["model_name"] for state in made.widgets.values()} >= {"IntSliderModel", "TextModel", "LayoutModel"}
    assert [state["state"]["value"] for state in used.widgets.values()] == [5]
    assert unused.widgets == {}


def test_binary_parts_of_a_widget_are_kept_as_buffers(run_cells):
    (run,) = run_cells("import ipywidgets as w\nimage = w.Image(value=b'abc')")
    (image,) = (state for state in run.widgets.values() if state["model_name"] == "ImageModel")
    assert image["buffers"] == [{"data": "YWJj", "encoding": "base64", "path": ["value"]}]


def test_text_printed_by_c_is_seen(run_cells):
    first, second = run_cells(
        "import os, ctypes\nprint('one')\nos.write(1, b'two\\n'); os.write(2, b'three\\n')\n"
        "ctypes.CDLL(None).printf(b'four\\n')\ndisplay('shown')\nos.write(1, b'five');",
        "print('six')",
    )
    assert texts(first) == "one\ntwo\nfour\nfive"
    assert texts(first, "stderr") == "three\n"
    assert kinds(first) == ["stdout", "stderr", "display_data", "stdout"]
    assert texts(second) == "six\n"


def test_an_explicit_flush_keeps_the_order_of_streams(run_cells):
    (run,) = run_cells(
        "import sys\nprint('a', flush=True)\nprint('b', file=sys.stderr, flush=True)\nprint('c', flush=True)"
    )
    assert [output["text"] for output in run.outputs] == ["a\n", "b\n", "c\n"]


def test_nobody_answers(run_cells):
    for run in run_cells("input('?')", "import getpass; getpass.getpass()"):
        assert run.outputs[0]["ename"] == "StdinNotImplementedError"


# The differences from nbclient that stay.


def test_commands_are_refused_kindly(run_cells):
    """Learners' processes may not start others; a kernel would have run these."""
    runs = run_cells(
        "!pip install numpy", "files = !ls\nfiles", "%pip install x", "%%bash -e\nls", "%sx ls", "%%script x\n1"
    )
    for run in runs:
        assert run.status == "ok"
        assert "Commands of the operating system are not run while notebooks are graded" in texts(run, "stderr")
    assert "pip install numpy" in texts(runs[0], "stderr")
    assert runs[1].outputs[-1]["data"] == {"text/plain": "[]"}


def test_exit_does_not_end_the_notebook(run_cells):
    """A kernel stops a moment after ``exit()``, and nbclient gives up on the notebook."""
    assert [run.status for run in run_cells("exit()", "quit", "1")] == ["ok"] * 3


def test_half_a_surrogate_pair_is_a_question_mark(run_cells):
    """It has no encoding: a kernel loses all text around it, and prints errors of its own."""
    (run,) = run_cells("print('a\\ud800b')\nraise ValueError('\\udc80')")
    assert texts(run) == "a?b\n"
    assert run.outputs[-1]["evalue"] == "?"


def test_a_mime_type_whose_value_no_notebook_holds_is_left_out(run_cells):
    """nbclient gives up on the notebook."""
    (run,) = run_cells("display({'text/plain': 'a', 'text/html': 5, 'x/y': {'a': 1}}, raw=True)")
    assert run.outputs[0]["data"] == {"text/plain": "a"}


def test_tasks_left_behind_run_while_later_cells_wait_and_show_nothing(run_cells):
    """A kernel runs them between cells too; what they show then is nobody's either."""
    runs = run_cells(
        "import asyncio\ndone = []\n"
        "async def late():\n    await asyncio.sleep(0.01)\n    print('late'); done.append(1)\n"
        "task = asyncio.create_task(late())",
        "import time; time.sleep(0.05); done",
        "await asyncio.sleep(0.01); done",
    )
    assert [run.outputs[0]["data"]["text/plain"] for run in runs[1:]] == ["[]", "[1]"]
    assert not any(texts(run) for run in runs)


def test_window_systems_are_refused(run_cells):
    (run,) = run_cells("%gui tk")
    assert "No windows can be opened" in texts(run, "stderr")


def test_code_in_tracebacks_has_the_same_name_in_every_process(run_cells):
    """A kernel names cells after its process."""
    cell = "import warnings; warnings.warn('x')"
    (first,), (second,) = run_cells(cell), run_cells(cell)
    assert first.outputs == second.outputs


# Limits.


@pytest.mark.parametrize(
    "cell",
    [
        "for _ in range(10**5): print('x' * 99)",
        "print('x' * 10**8)",
        "import sys\nfor _ in range(10**4): print('x' * 999, file=sys.stderr, flush=True)",
        "import os\nfor _ in range(10**4): os.write(1, b'x' * 999)",
        "print('σ' * 10**7)",
        "import os\nprint('x' * 10**6)\nos.write(1, b'x' * 10**6); os.write(2, b'x');",
    ],
    ids=["many lines", "one line", "flushed", "written to the descriptor", "not ASCII", "both"],
)
def test_text_is_cut(run_cells, cell):
    (run, after) = run_cells(cell, "print('next')", text=1000)
    (output,) = run.outputs
    kept, note = output["text"].split("\n[")
    assert len(kept.encode()) == 1000
    assert note == "The rest of this cell's text was cut: a cell may print 1000 bytes.]\n"
    assert texts(after) == "next\n"


def test_an_error_is_shown_however_much_was_shown_before(run_cells):
    (run,) = run_cells("for i in range(99): display(i)\n1 / 0", outputs=10)
    assert kinds(run) == ["display_data"] * 10 + ["error", "stderr"]
    assert texts(run, "stderr").startswith("[Some outputs of this cell were left out: a cell may have 10 of them")


@pytest.mark.parametrize("cell", ["'x' * 2000", "display('x' * 2000)", "display({'a/b': 'x' * 2000}, raw=True)"])
def test_a_large_output_is_replaced_by_a_sentence(run_cells, cell):
    (run,) = run_cells(cell, output=1000)
    assert run.outputs[0]["data"] == {"text/plain": "<This output was left out: it has more than 1000 bytes.>"}


def test_a_cell_shows_so_much_in_all(run_cells):
    (run,) = run_cells("for _ in range(20): display('x' * 900)", output=1000, cell=10_000)
    shown = [output["data"]["text/plain"] for output in run.outputs]
    assert 9 <= sum("xxx" in text for text in shown) <= 11
    assert shown[-1] == "<This output was left out: a cell may show 10000 bytes in all.>"


def test_a_large_error_is_shortened(run_cells):
    (run,) = run_cells("raise ValueError('x' * 10**5)", output=10_000)
    assert run.outputs[0]["ename"] == "ValueError"
    assert len(str(run.outputs)) < 5000


def test_what_is_replaced_counts_once(run_cells):
    frames = "from IPython.display import clear_output\nimport ipywidgets as w\no = w.Output()\nt = w.HTML()\n"
    runs = run_cells(
        "h = display('', display_id=True)",
        "for i in range(50): h.update('x' * 900)",
        frames + "for i in range(50): clear_output(wait=True); display('y' * 900)",
        "for i in range(50):\n    with o:\n        clear_output(); display('z' * 900)",
        "for i in range(50): t.value = 'u' * 900 + str(i)",
        output=1000,
        cell=20_000,
    )
    assert runs[1].updates[0]["data"]["text/plain"] == repr("x" * 900)
    assert runs[2].outputs[0]["data"]["text/plain"] == repr("y" * 900)
    assert [len(run.outputs) for run in runs[3:]] == [0, 0]
    assert "z" * 900 in str(runs[3].widgets)
    assert "u" * 900 + "49" in str(runs[4].widgets)


def test_widgets_have_limits(run_cells):
    many, large = run_cells(
        "import ipywidgets as w\nfor _ in range(2000): w.IntSlider()", "w.HTML('x' * 10**6)", cell=3 * MB
    )
    assert len(many.widgets) <= 4000
    assert "left out" in texts(many, "stderr")
    assert len(str(large.widgets)) < 10_000


# What a cell may do to the shell.

REPLACED = [
    "get_ipython().showtraceback = None",
    "type(get_ipython()).showtraceback = lambda *a, **k: None",
    "type(get_ipython()).run_cell = type(get_ipython()).run_cell_async = None",
    "type(get_ipython()).run_code = None",
    "type(get_ipython()).transform_cell = None",
    "get_ipython().input_transformers_post.append(lambda lines: 1 / 0)",
    "class T: visit = staticmethod(lambda n: [][1])\nget_ipython().ast_transformers.append(T())",
    "import sys; sys.stdout = sys.stderr = None",
    "import sys; del sys.stdout",
    "import sys; sys.displayhook = get_ipython().displayhook = None",
    "get_ipython().display_pub = get_ipython().display_formatter = None",
    "import builtins; builtins.print = builtins.input = None",
    "import builtins; builtins.str = None",
    "import builtins; builtins.type = builtins.getattr = builtins.any = None",
    "import builtins; builtins.__import__ = builtins.__build_class__ = None",
    "get_ipython().events.trigger = None",
    "get_ipython().user_ns.clear()",
    "get_ipython().history_manager = None",
    "import asyncio; asyncio.get_running_loop().stop()",
    "import asyncio\ndef f(): raise KeyboardInterrupt\nasyncio.get_running_loop().call_soon(f); await asyncio.sleep(0)",
    "import sys; sys.modules.clear()",
    "import sys; sys.settrace(lambda *a: 1 / 0)",
    "import os; os.close(1); os.close(2)",
    "from autograder.execution.outputs import Recorder; Recorder.begin = Recorder.end = None",
    "import comm; comm.get_comm_manager = None; import ipywidgets; ipywidgets.Output()",
]


@pytest.mark.parametrize("cell", REPLACED)
def test_whatever_a_cell_replaces_every_run_returns(run_cells, cell):
    runs = run_cells(cell, "6 * 7", "1 / 0")
    assert len(runs) == 3
    assert runs[2].status == "error"
    assert runs[2].error is not None


ERRORS = {
    "class E(Exception):\n    def __str__(self): raise ValueError('no words')\nraise E": "ValueError",
    "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E": "SystemExit",
    "class E(BaseException):\n    def __getattribute__(self, n): raise KeyboardInterrupt\nraise E": "KeyboardInterrupt",
    "class E(Exception):\n    def _render_traceback_(self): return 5\nraise E": "E",
    "raise type('E' * 10**5, (Exception,), {})('m' * 10**6)": "E" * 10**5,
    "import signal, time\ndef f(*a): raise KeyboardInterrupt\nsignal.signal(signal.SIGALRM, f)\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(9)": "KeyboardInterrupt",
    "import sys; sys.exit(3)": "SystemExit",
    "def f(): f()\nf()": "RecursionError",
    "raise MemoryError": "MemoryError",
    "a = []; a.append(a); display({'application/json': a}, raw=True)": "RecursionError",
}


@pytest.mark.parametrize(("cell", "name"), ERRORS.items(), ids=range(len(ERRORS)))
def test_errors_that_are_hard_to_show_are_shown(run_cells, cell, name):
    run, after = run_cells(cell, "6 * 7")
    assert run.status == "error"
    assert [output["ename"] for output in run.outputs if output["output_type"] == "error"] == [name]
    assert after.outputs[0]["data"] == {"text/plain": "42"}


def test_outputs_are_plain_data_whatever_is_displayed(run_cells):
    (run,) = run_cells(
        "class S(str):\n    pass\nclass N(int):\n    pass\n"
        "display({'text/plain': S('a'), S('application/json'): {S('k'): N(3), 'n': float('nan'), 'b': b'x'}}, raw=True)"
    )
    data = run.outputs[0]["data"]
    assert data == {"text/plain": "a", "application/json": {"k": 3, "n": "nan", "b": "eA=="}}
    assert {type(value) for value in [*data, *data["application/json"]]} == {str}
    assert type(data["text/plain"]) is str
    assert type(data["application/json"]["k"]) is int


# Around a fork.


def test_every_fork_starts_afresh(run_cells):
    (first,) = run_cells("import numpy as np\nx = 1\nprint(np.random.rand())\nlen(In)")
    again, second = run_cells("import numpy as np\nprint(np.random.rand())\nlen(In)", "x")
    assert first.execution_count == again.execution_count == 1
    assert first.outputs[1]["data"] == again.outputs[1]["data"] == {"text/plain": "2"}
    assert texts(first) != texts(again)
    assert second.outputs[0]["ename"] == "NameError"


def test_a_shell_has_no_threads_and_no_open_files_before_its_first_cell():
    program = """
import os, threading
before = len(os.listdir("/proc/self/fd"))
from autograder.execution.shell import Shell
import sys
out = sys.stdout
shell = Shell()
assert threading.active_count() == 1
assert len(os.listdir("/proc/self/fd")) == before
assert sys.stdout is out
assert shell.ipython.execution_count == 1 and not hasattr(sys, "last_value")
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("zmq", "ipykernel", "jupyter_client")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_errors_can_be_explained():
    program = """
from autograder.execution.shell import Shell
shell = Shell()
shell.explain_errors(lambda error: "Never divide by zero." if isinstance(error, ZeroDivisionError) else "")
lines = [shell.run(cell).outputs[0]["traceback"][-1] for cell in ("1 / 0", "[][1]")]
import os
os._exit(lines[0] != "Never divide by zero." or "IndexError" not in lines[1])
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_cells_see_the_working_directory_only_where_they_are_told_to(run_cells):
    program = "from autograder.execution.shell import Shell; s = Shell(); import sys; print('' in sys.path[1:])"
    done = subprocess.run([sys.executable, "-Pc", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    _, run = run_cells("%%writefile mine.py\nVALUE = 3", "import mine; mine.VALUE")
    assert run.outputs[0]["data"] == {"text/plain": "3"}
