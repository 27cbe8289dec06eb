"""The package as a whole: light to import, and every public function says what it takes, gives and refuses."""

import inspect
import subprocess
import sys

import pytest

import chainrule_lib


def test_importing_the_library_imports_numpy_and_no_other_package() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import chainrule_lib; "
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert set(result.stdout.split()) <= {"chainrule_lib", "numpy"}


@pytest.mark.parametrize("name", chainrule_lib.__all__)
def test_every_public_name_has_a_docstring(name: str) -> None:
    public = getattr(chainrule_lib, name)
    assert inspect.getdoc(public)
    if inspect.isfunction(public):
        sections = inspect.getdoc(public)
        assert sections is not None
        assert "Returns:" in sections
        assert "Raises:" in sections or not any(p for p in inspect.signature(public).parameters)
