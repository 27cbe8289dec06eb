"""Which cells a check rests on, and which may have spoilt it."""

import time

import pytest

from autograder.execution.slicing import bound, is_suspicious, read, relevant


def test_only_what_binds_or_changes_the_names_counts() -> None:
    cells = [
        "import numpy as np",
        "def g(x):\n    return np.exp(x)",
        "def f(x):\n    return g(x) + offset",
        "offset = 1",
        "offset[0] = 2",
        "import numpy as np\nnp.exp = None",
        "other = 3",
        "f.__defaults__ = (1,)",
        "%matplotlib inline",
    ]
    assert relevant(cells, ["f"]) == [0, 1, 2, 3, 4, 7]


def test_a_name_that_is_imported_again_after_it_was_something_else_counts() -> None:
    assert relevant(["import numpy as np", "np = 1", "import numpy as np"], ["np"]) == [0, 1, 2]


def test_names_inside_functions_are_their_own() -> None:
    cell = "def f(x):\n    y = x + z\n    return [w for w in y]\n\ndef g():\n    global v\n    v = f(u)\n\nx = 1"
    assert read(cell) == {"z", "f", "u"}
    assert bound(cell) == {"f", "g", "v", "x"}
    cells = ["x = 0", "def f(x):\n    return x", "def g():\n    return x", "def h():\n    x = 1\n    return x"]
    assert relevant(cells, ["f"]) == [1]
    assert relevant(cells, ["g"]) == [0, 2]
    assert relevant(cells, ["h"]) == [3]


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return (x\n\ng = 2",
        "x = 1 +\ng = f = 3 +\nclass f(Base:\n    y = 2",
        "g = 1\nasync def f(x)\n    if x == 2:\n        h == 3",
    ],
)
def test_what_a_cell_with_a_slip_was_to_define_is_seen(source: str) -> None:
    assert {"f", "g"} <= bound(source)
    assert not {"y", "h"} & bound(source)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from concurrent.futures import ThreadPoolExecutor",
        "from .x import y",
        "np.exp = None",
        "np.__dict__['exp'] = None",
        "plt.rcParams['font.size'] = 1",
        "np.seterr(all='raise')",
        "setattr(np, 'exp', None)",
        "%reset -f",
        "for x in y:\n    %reset -f",
        "f?",
        "x = !ls",
        "%%time\nf(x)",
        "open('data.txt', 'w')",
        "print.__self__",
        "import collections\nsys = collections._sys",
    ],
)
def test_cells_that_may_change_what_others_use(source: str) -> None:
    assert is_suspicious(source)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nfrom autograder import check\nfrom chainrule_lib.widgets import picture\nimport math",
        "def f(x):\n    y = x.copy()\n    y[0] += 1\n    return np.exp(y)",
        "class Dual:\n    def __init__(self, x):\n        type(self).__name__\n        self._times(x)",
        "plt.plot(x, y)",
        "not python at all",
    ],
)
def test_cells_that_do_not(source: str) -> None:
    assert not is_suspicious(source)


@pytest.mark.parametrize(
    "source",
    [
        "-" * 50_000 + "1",
        "a" + ".b" * 40_000,
        "not " * 20_000 + "1",
        "1" + "**1" * 30_000,
        "x = 1\n" * 1_000_000,
        "%a\n" * 40_000,
    ],
    ids=lambda source: source[:5],
)
def test_what_is_too_long_or_too_deep_is_not_looked_at(source: str) -> None:
    assert is_suspicious(source)
    assert relevant([source, "f = 1"], ["f"]) == [1]
    assert not read(source)


@pytest.mark.parametrize("line", ["%a", "!a", "a?", "x = %a", "a = a = ", "            "])
def test_looking_takes_no_time(line: str) -> None:
    """IPython's own translation takes more than a minute for some of these."""
    started = time.monotonic()
    is_suspicious(f"{line}\n" * (90_000 // len(line)))
    is_suspicious(line * (90_000 // len(line)))
    assert time.monotonic() - started < 10
