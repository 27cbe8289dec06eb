"""What `chainrule doctor` says to an operator, on this kernel, on one that lacks something, and on no Linux at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OLDER_KERNEL = str(HERE / "older_kernel.py")
REQUIRED = ("no new privileges", "limits", "Landlock", "parent", "seccomp")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have nothing to be looked at")


def doctor(*before: str, **environment: str) -> tuple[int, dict[str, tuple[str, str]], str]:
    """Exit status, each layer's state and detail, and the conclusion; ``before`` are arguments that start it."""
    done = subprocess.run(
        [sys.executable, *before, *([sys.executable] if before else []), "-m", "autograder.cli", "doctor"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    system, *lines = done.stdout.splitlines()
    assert system.split()[0] == os.uname().sysname
    layers = {line[10:30].strip(): (line[2:10].strip(), line[30:]) for line in lines if line.startswith("  ")}
    return done.returncode, layers, "\n".join(line for line in lines if not line.startswith("  "))


def test_every_layer_has_a_line_with_what_it_covers() -> None:
    status, layers, conclusion = doctor()
    assert status == 0
    assert all(layers[name][0] == "yes" for name in REQUIRED)
    assert {state for state, _ in layers.values()} <= {"yes", "no"}
    assert all(detail for _, detail in layers.values())
    assert conclusion == "Submissions can be graded here: everything that confines their code is in force."


@pytest.mark.parametrize(
    ("lacking", "layer", "remedy"),
    [
        ("landlock", "Landlock", "Linux 5.13 or newer"),
        ("switched-off", "Landlock", "boot option lsm=landlock"),
        ("container", "Landlock", "its seccomp profile has to let it"),
        ("seccomp", "seccomp", "CONFIG_SECCOMP_FILTER"),
    ],
)
def test_a_missing_layer_is_named_with_its_remedy(lacking: str, layer: str, remedy: str) -> None:
    status, layers, conclusion = doctor(OLDER_KERNEL, lacking)
    assert status == 1
    assert [name for name, (state, _) in layers.items() if state == "MISSING"] == [layer]
    assert remedy in layers[layer][1]
    assert f"not graded here, because the system lacks: {layer}." in conclusion
    assert "--allow-unconfined" in conclusion
    assert "c.IsolatedExecute.allow_unconfined = True" in conclusion


def test_a_broken_or_missing_library_is_to_be_installed(tmp_path: Path) -> None:
    (tmp_path / "libseccomp.so.2").write_text("This is no library.")
    status, layers, _ = doctor(LD_LIBRARY_PATH=str(tmp_path))
    assert status == 1
    assert layers["seccomp"][0] == "MISSING"
    assert "apt install libseccomp2" in layers["seccomp"][1]


def test_namespaces_can_be_done_without() -> None:
    """Where nobody may make them, the rest confines."""
    status, layers, conclusion = doctor(OLDER_KERNEL, "namespaces")
    assert status == 0
    assert layers["namespaces"] == ("no", "the kernel refuses them; they can be done without")
    assert all(layers[name][0] == "yes" for name in REQUIRED)
    assert conclusion.startswith("Submissions can be graded here")


def test_where_there_is_no_linux_each_layer_says_what_is_not_confined() -> None:
    status, layers, conclusion = doctor(PYTHONPATH=str(HERE / "isolation" / "elsewhere"))
    assert status == 1
    assert {name: state for name, (state, _) in layers.items()} == {
        "user": "no",
        "limits": "MISSING",
        "Landlock": "MISSING",
        "parent": "no",
        "seccomp": "MISSING",
    }
    assert "limits neither time on the processor nor memory" in layers["limits"][1]
    assert "your files can be read and changed" in layers["Landlock"][1]
    assert "start programs and use the network" in layers["seccomp"][1]
    assert "in processes of their own but with your rights" in conclusion


@pytest.mark.parametrize(("platform", "name"), [("darwin", "macOS"), ("win32", "Windows")])
def test_macos_and_windows_are_called_by_their_names(platform: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.isolation.report import report

    monkeypatch.setattr(sys, "platform", platform)
    text, complete = report()
    assert not complete
    assert f"{name} has none, Linux has" in text
